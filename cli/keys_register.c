/* `caisson keys register`: names an enclave's key to a contract of its peers, only by evidence that a policy
 * accepts. Prints the call; whoever owns the contract sends it. Asks nobody. */
#include "cli/attest.h"
#include "core/abi.h"
#include "host/json_values.h"
#include "wire/oracle.h"
#include "wire/report.h"

#include <string.h>

#define REGISTER_KEY "registerKey(bytes32,uint64,bytes32,bytes32,bytes32)"
#define CALL_SIZE (4u + 5 * 32)

struct naming {
	struct cs_address contract;
	struct cs_hash remote;
	uint64_t epoch;
	struct cs_hash key;
	struct cs_hash manifest_hash;
};

/* ---- what is accepted ---- */

static enum cli_exit judge_verdict(struct cli *cli, const struct attest_run *run)
{
	const struct attest_appraisal *appraisal = &run->appraisal;
	const char *tier = cli_option(cli, "tier");
	const bool warnings = tier != NULL && strcmp(tier, "warning") == 0;
	if (tier != NULL && !warnings && strcmp(tier, "affirming") != 0)
		return cli_fail(cli, CLI_USAGE, "--tier: affirming or warning");
	if (appraisal->status == ATTEST_TIER_AFFIRMING)
		return CLI_OK;
	if (appraisal->status != ATTEST_TIER_WARNING)
		return cli_fail(cli, CLI_NO,
				"the evidence is not accepted (%s): `caisson attest verify` with "
				"the same options says why",
				attest_tier_name(appraisal->status));
	if (appraisal->insecure && !cli_flag(cli, "insecure-verdict"))
		return cli_fail(cli, CLI_NO,
				"only an insecure_accept_ of the policy accepts the evidence: "
				"--insecure-verdict names the key nevertheless");
	if (!appraisal->insecure && !warnings)
		return cli_fail(cli, CLI_NO, "the verdict is a warning: --tier warning accepts it");
	return CLI_OK;
}

/* ---- whose key ---- */

/* An oracle's is its lineage's. Of a gateway's enclave it must be said where there are several. */
static enum cli_exit find_remote(struct cli *cli, struct naming *naming,
				 const struct attest_run *run)
{
	const char *given = cli_option(cli, "remote");
	const char *role = cli_text_of(run->document, "role");
	const json_t *keys = json_object_get(run->document, "keys");
	struct cs_hash lineage, other;
	if (given != NULL)
		return cs_unhex(naming->remote.b, sizeof(naming->remote.b), cs_bytes_str(given)) ==
				       CS_OK
			       ? CLI_OK
			       : cli_fail(cli, CLI_USAGE, "--remote: not 32 bytes of hex");
	if (strcmp(role, wire_report_role_name(WIRE_REPORT_ORACLE_ENCLAVE)) == 0 &&
	    host_json_read_hash(run->document, "lineage", &lineage, NULL) == CS_OK) {
		naming->remote = wire_oracle_identity(&lineage);
		return CLI_OK;
	}
	for (size_t i = 0; i < json_array_size(keys); i++) {
		const json_t *row = json_array_get(keys, i);
		if (host_json_read_hash(row, "identity", &other, NULL) != CS_OK ||
		    (i > 0 && !cs_hash_eq(&other, &naming->remote)))
			return cli_fail(cli, CLI_USAGE,
					"--remote: the evidence binds keys of several identities");
		naming->remote = other;
	}
	return CLI_OK;
}

static enum cli_exit find_key(struct cli *cli, struct naming *naming, const struct attest_run *run)
{
	const char *role = cli_text_of(run->document, "role");
	if (strcmp(role, wire_report_role_name(WIRE_REPORT_ORACLE_ENCLAVE)) != 0 &&
	    strcmp(role, wire_report_role_name(WIRE_REPORT_BRIDGE_ENCLAVE)) != 0)
		return cli_fail(cli, CLI_NO, "contracts have no key of a %s", role);
	if (!cli_number(cli, "epoch", INT64_MAX, &naming->epoch))
		return cli_fail(cli, CLI_USAGE, "--epoch: not a number");
	const enum cli_exit code = find_remote(cli, naming, run);
	if (code != CLI_OK)
		return code;
	if (!attest_document_key(run, &naming->remote, &naming->epoch, &naming->key))
		return cli_fail(cli, CLI_NO,
				"the evidence binds no key of this identity and epoch");
	return host_json_read_hash(run->document, "manifest_hash", &naming->manifest_hash, NULL) ==
			       CS_OK
		       ? CLI_OK
		       : cli_fail(cli, CLI_FAILED, "manifest_hash");
}

/* ---- the call ---- */

static void print_call(struct cli *cli, const struct naming *naming, const struct attest_run *run)
{
	uint8_t memory[CALL_SIZE];
	char hex[2 * CALL_SIZE + 1], to[41];
	struct cs_buf buf;
	struct cs_abi abi;
	cs_buf_init(&buf, memory, sizeof(memory));
	cs_abi_call(&abi, &buf, REGISTER_KEY);
	cs_abi_put_word(&abi, &naming->remote);
	cs_abi_put_u64(&abi, naming->epoch);
	cs_abi_put_word(&abi, &naming->key);
	cs_abi_put_word(&abi, &run->document_digest);
	cs_abi_put_word(&abi, &naming->manifest_hash);
	cs_assert(cs_buf_end(&buf) == CS_OK && buf.n == CALL_SIZE);
	cs_hex(hex, cs_buf_view(&buf));
	cs_hex(to, CS_BYTES_OF(naming->contract.b));
	if (cli->json) {
		cli_print_json(cli,
			       json_pack("{s:o,s:o,s:s,s:o,s:o,s:o,s:o,s:o,s:b,s:o}", "to",
					 host_json_hex(CS_BYTES_OF(naming->contract.b)), "data",
					 host_json_hex(cs_buf_view(&buf)), "function", REGISTER_KEY,
					 "remote", host_json_hash(&naming->remote), "epoch",
					 host_json_u64(naming->epoch), "public_key",
					 host_json_hash(&naming->key), "evidence_digest",
					 host_json_hash(&run->document_digest), "manifest_hash",
					 host_json_hash(&naming->manifest_hash), "insecure",
					 run->appraisal.insecure, "verdict", attest_json(run)));
		return;
	}
	attest_print_brief(run, 0);
	printf("to    0x%s\ndata  0x%s\n", to, hex);
}

static enum cli_exit name_key(struct cli *cli, struct naming *naming, const struct attest_run *run)
{
	if (run->document == NULL)
		return cli_fail(cli, CLI_USAGE,
				"--evidence: bare evidence names no keys; give what `caisson "
				"enclave evidence` wrote");
	/* Genuine hardware runs anybody's program. */
	if (!run->policy.judges_reference)
		return cli_fail(cli, CLI_USAGE, "--policy: it names no measurements");
	enum cli_exit code = judge_verdict(cli, run);
	if (code == CLI_OK)
		code = find_key(cli, naming, run);
	if (code != CLI_OK)
		return code;
	if (run->appraisal.insecure)
		fprintf(stderr,
			"caisson keys register: INSECURE: nobody vouches for this enclave; its "
			"key is named by --insecure-verdict\n");
	print_call(cli, naming, run);
	return CLI_OK;
}

enum cli_exit cli_keys_register(struct cli *cli)
{
	const char *evidence = cli_option(cli, "evidence"), *contract = cli_option(cli, "contract");
	struct naming naming = {.epoch = 0};
	struct attest_run *run = NULL;
	if (evidence == NULL || contract == NULL || cli_option(cli, "policy") == NULL)
		return cli_fail(cli, CLI_USAGE,
				"give --evidence, --policy and --contract: a key is named by "
				"accepted evidence alone");
	if (cs_unhex(naming.contract.b, sizeof(naming.contract.b), cs_bytes_str(contract)) != CS_OK)
		return cli_fail(cli, CLI_USAGE, "--contract: 0x and 40 digits");
	enum cli_exit code = attest_judge(&run, cli, evidence, 0);
	if (code == CLI_OK)
		code = name_key(cli, &naming, run);
	attest_close(run);
	return code;
}
