/* What `caisson enclave evidence` gives: evidence with everything that its report data is a hash of. The hash
 * is made again here, so that a word of the document which the evidence does not bind is found. */
#include "cli/attest.h"
#include "host/json_values.h"
#include "wire/report.h"

#include <string.h>
#include <sys/random.h>

#define NONCE_NEW_SIZE 32u
#define KEYS_MAX 64u

/* ---- reading ---- */

/* The asker's nonce of --nonce; n is 0 where none is given. */
static enum cli_exit nonce_option(struct cli *cli, uint8_t nonce[WIRE_REPORT_NONCE_SIZE_MAX],
				  size_t *n)
{
	const char *text = cli_option(cli, "nonce");
	*n = 0;
	if (text == NULL)
		return CLI_OK;
	const size_t digits = strlen(text) - (strncmp(text, "0x", 2) == 0 ? 2 : 0);
	if (digits % 2 != 0 || digits < 2 * WIRE_REPORT_NONCE_SIZE_MIN ||
	    digits > 2 * WIRE_REPORT_NONCE_SIZE_MAX ||
	    cs_unhex(nonce, digits / 2, cs_bytes_str(text)) != CS_OK)
		return cli_fail(cli, CLI_USAGE, "--nonce: not hex of %u to %u bytes",
				WIRE_REPORT_NONCE_SIZE_MIN, WIRE_REPORT_NONCE_SIZE_MAX);
	*n = digits / 2;
	return CLI_OK;
}

static enum cs_err read_role(enum wire_report_role *role, const json_t *json, struct cs_why *why)
{
	const char *name = json_string_value(json_object_get(json, "role"));
	for (unsigned i = 0; name != NULL && i < WIRE_REPORT_ROLE_COUNT; i++) {
		*role = (enum wire_report_role)i;
		if (strcmp(wire_report_role_name(*role), name) == 0)
			return CS_OK;
	}
	return cs_fail(why, CS_ERR_MALFORMED, "role: none that is known");
}

static enum cs_err read_keys(struct cs_hash *hash, const json_t *json, struct cs_arena *arena,
			     struct cs_why *why)
{
	const json_t *list = json_object_get(json, "keys");
	struct cs_keccak keys;
	if (!json_is_array(list) || json_array_size(list) > KEYS_MAX)
		return cs_fail(why, CS_ERR_MALFORMED, "keys: no list of at most %u", KEYS_MAX);
	wire_report_keys_begin(&keys);
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *row = json_array_get(list, i);
		struct wire_report_key key;
		struct cs_bytes address;
		CS_TRY(host_json_read_hash(row, "identity", &key.chain, why));
		CS_TRY(host_json_read_u64(row, "epoch", &key.epoch, why));
		CS_TRY(host_json_read_hash(row, "public_key", &key.x, why));
		CS_TRY(host_json_read_hex(row, "gas_address", sizeof(key.gas_address.b), arena,
					  &address, why));
		if (address.n != sizeof(key.gas_address.b))
			return cs_fail(why, CS_ERR_MALFORMED, "gas_address: not 20 bytes");
		memcpy(key.gas_address.b, address.p, address.n);
		wire_report_keys_add(&keys, &key);
	}
	*hash = cs_keccak_end(&keys);
	return CS_OK;
}

static enum cs_err read_report(struct wire_report *report, struct cs_bytes *nonce,
			       const json_t *json, struct cs_arena *arena, struct cs_why *why)
{
	static const char *const names[] = {"role",
					    "nonce",
					    "backend",
					    "schema_digest",
					    "manifest_hash",
					    "manifest_number",
					    "lineage",
					    "insecure_flags",
					    "insecure",
					    "keys",
					    "report_data",
					    "evidence",
					    "evidence_digest",
					    NULL};
	CS_TRY(host_json_known(json, names, "the document", why));
	CS_TRY(read_role(&report->role, json, why));
	CS_TRY(read_keys(&report->key, json, arena, why));
	CS_TRY(host_json_read_hex(json, "nonce", WIRE_REPORT_NONCE_SIZE_MAX, arena, nonce, why));
	if (wire_report_fresh_nonce(&report->fresh, *nonce) != CS_OK)
		return cs_fail(why, CS_ERR_MALFORMED, "nonce: not 16 to 64 bytes");
	CS_TRY(host_json_read_hash(json, "manifest_hash", &report->manifest_hash, why));
	CS_TRY(host_json_read_u64(json, "manifest_number", &report->manifest_number, why));
	CS_TRY(host_json_read_hash(json, "lineage", &report->lineage, why));
	CS_TRY(host_json_read_hash(json, "schema_digest", &report->schema_digest, why));
	return host_json_read_u64(json, "insecure_flags", &report->insecure_flags, why);
}

/* ---- in place of a file of evidence ---- */

static enum cs_err take(struct attest_run *run, struct cs_bytes *evidence, struct cs_why *why)
{
	struct wire_report report;
	CS_TRY(read_report(&report, &run->document_nonce, run->document, &run->arena, why));
	CS_TRY(host_json_read_hex(run->document, "evidence", ATTEST_EVIDENCE_SIZE_MAX, &run->arena,
				  evidence, why));
	const struct cs_hash hash = wire_report_hash(&report);
	const struct cs_bytes expected = cs_arena_copy(&run->arena, CS_BYTES_OF(hash.b));
	if (expected.p == NULL)
		return CS_ERR_NO_MEMORY;
	run->document_digest = cs_keccak256(*evidence);
	run->document_flags = report.insecure_flags;
	run->policy.judges_report_data = true;
	run->policy.report_data = expected;
	return CS_OK;
}

enum cli_exit attest_document_open(struct attest_run *run, struct cs_bytes *file)
{
	struct cs_why why = {{0}};
	json_t *json = json_loadb((const char *)file->p, file->n, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_string(json_object_get(json, "evidence"))) {
		json_decref(json);
		return cli_option(run->cli, "nonce") == NULL
			       ? CLI_OK
			       : cli_fail(run->cli, CLI_USAGE,
					  "--nonce: only for what `caisson enclave evidence` gave");
	}
	run->document = json;
	if (run->policy.judges_report_data)
		return cli_fail(run->cli, CLI_USAGE,
				"the document says what the evidence must be bound to: no report "
				"data beside it");
	const enum cs_err err = take(run, file, &why);
	return err == CS_OK
		       ? CLI_OK
		       : cli_fail(run->cli, CLI_USAGE, "%s: %s", cs_err_sentence(err), why.text);
}

bool attest_document_key(const struct attest_run *run, const struct cs_hash *identity,
			 uint64_t *epoch, struct cs_hash *key)
{
	const json_t *list = json_object_get(run->document, "keys");
	uint64_t newest = 0;
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *row = json_array_get(list, i);
		struct cs_hash whose;
		uint64_t found = 0;
		/* read_keys has read them. */
		cs_assert(host_json_read_hash(row, "identity", &whose, NULL) == CS_OK &&
			  host_json_read_u64(row, "epoch", &found, NULL) == CS_OK);
		if (!cs_hash_eq(&whose, identity) || found <= newest ||
		    (*epoch != 0 && found != *epoch))
			continue;
		cs_assert(host_json_read_hash(row, "public_key", key, NULL) == CS_OK);
		newest = found;
	}
	if (newest != 0)
		*epoch = newest;
	return newest != 0;
}

enum cli_exit attest_document_check(struct attest_run *run)
{
	uint8_t nonce[WIRE_REPORT_NONCE_SIZE_MAX];
	size_t n;
	if (run->document == NULL)
		return CLI_OK;
	const enum cli_exit code = nonce_option(run->cli, nonce, &n);
	if (code != CLI_OK)
		return code;
	if (n == 0)
		attest_skip(&run->result, "nonce",
			    "no --nonce: it may be evidence of another time");
	else
		(void)attest_check_same(&run->result, "nonce", "the document's nonce",
					run->document_nonce, "that of --nonce", cs_bytes(nonce, n));
	return CLI_OK;
}

/* ---- `caisson enclave evidence` ---- */

enum cli_exit cli_enclave_evidence(struct cli *cli)
{
	uint8_t nonce[WIRE_REPORT_NONCE_SIZE_MAX];
	char hex[2 * sizeof(nonce) + 1], path[sizeof(hex) + 64];
	const char *digest = cli_option(cli, "digest");
	json_t *document = NULL;
	struct cs_hash wanted;
	size_t n;
	enum cli_exit code = nonce_option(cli, nonce, &n);
	if (code != CLI_OK)
		return code;
	if (digest != NULL &&
	    (n != 0 || cs_unhex(wanted.b, sizeof(wanted.b), cs_bytes_str(digest)) != CS_OK))
		return cli_fail(cli, CLI_USAGE, "--digest: 32 bytes of hex, and no --nonce");
	if (n == 0) {
		n = NONCE_NEW_SIZE;
		if (getrandom(nonce, n, 0) != (ssize_t)n)
			return cli_fail(cli, CLI_FAILED, "no randomness");
	}
	cs_hex(hex, digest != NULL ? CS_BYTES_OF(wanted.b) : cs_bytes(nonce, n));
	snprintf(path, sizeof(path), "%s%s",
		 digest != NULL ? "/v1/oracle/evidence/0x" : "/v1/enclave/evidence?nonce=", hex);
	code = cli_call(cli, "GET", path, NULL, &document);
	if (code != CLI_OK)
		return code;
	cli_print_json(cli, document);
	return CLI_OK;
}
