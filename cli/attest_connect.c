/* `caisson attest connect`: talks to an enclave over its attested port and finds out whether it is one. Three
 * things must fit: the evidence in the certificate, for the key that the handshake was made with; the
 * evidence of hello, for this very connection under a nonce of ours; and one enclave behind both. Nothing is
 * asked of whoever shows no good certificate. */
#include "cli/attest.h"
#include "cli/attested_client.h"
#include "host/enclave_json.h"
#include "host/evidence.h"
#include "wire/convert.h"

#include <string.h>
#include <sys/random.h>

struct connection {
	struct attest_run *run;
	struct attested_client client;
	struct cs_hash nonce;
	struct cs_hash spki;              /* SHA-256 of the certificate's key */
	struct attest_result certificate; /* of the evidence in it */
	enum attest_tier certificate_status;
	const Caisson__Wire__HelloReply *hello;
	enum wire_report_role role;
	struct cs_hash expected; /* that hello's evidence is about */
};

/* ---- the certificate ---- */

static enum cli_exit fail(const struct connection *c, enum cs_err err, const struct cs_why *why)
{
	return cli_fail(c->run->cli, err == CS_ERR_INVALID ? CLI_USAGE : CLI_FAILED, "%s: %s",
			cs_err_sentence(err), why->text);
}

/* False: it is no enclave's, and the result says why. */
static enum cli_exit judge_certificate(struct connection *c, bool *is_good)
{
	struct attest_run *run = c->run;
	struct cs_why why = {{0}};
	struct cs_bytes der;
	const enum cs_err err = attested_client_certificate(&c->client, &der, &run->arena);
	if (err != CS_OK)
		return fail(c, err, &why);
	const enum cli_exit code = attest_run_verify(run, der);
	if (code != CLI_OK)
		return code;
	if (run->result.kind != ATTEST_RATLS)
		(void)attest_check(&run->result, "certificate-evidence", false,
				   "the certificate carries no evidence");
	attest_run_appraise(run);
	c->certificate = run->result;
	c->certificate_status = run->appraisal.status;
	const struct attest_claim *key = attest_result_claim(&run->result, "public_key");
	if (key != NULL)
		c->spki = cs_sha256(key->bytes);
	*is_good = key != NULL && attest_result_verified(&run->result) &&
		   run->appraisal.status != ATTEST_TIER_CONTRAINDICATED;
	return CLI_OK;
}

/* ---- hello ---- */

static enum cli_exit ask_hello(struct connection *c)
{
	Caisson__Wire__HelloRequest in = CAISSON__WIRE__HELLO_REQUEST__INIT;
	ProtobufCMessage *reply = NULL;
	struct cs_why why = {{0}};
	if (getrandom(c->nonce.b, sizeof c->nonce.b, 0) != (ssize_t)sizeof c->nonce.b)
		return cli_fail(c->run->cli, CLI_FAILED, "no randomness");
	in.nonce.data = c->nonce.b;
	in.nonce.len = sizeof c->nonce.b;
	const enum cs_err err = attested_client_call(&c->client, &reply, WIRE_HELLO, &in.base,
						     &c->run->arena, &why);
	if (err != CS_OK)
		return fail(c, err, &why);
	c->hello = (const Caisson__Wire__HelloReply *)(const void *)reply;
	return CLI_OK;
}

static struct cs_hash keys_hash(const Caisson__Wire__HelloReply *hello)
{
	struct cs_keccak keys;
	wire_report_keys_begin(&keys);
	for (size_t i = 0; i < hello->n_keys; i++) {
		const Caisson__Wire__KeyInfo *row = hello->keys[i];
		struct wire_report_key key = {.chain = wire_pb_hash(row->chain),
					      .epoch = row->epoch,
					      .x = wire_pb_hash(row->public_key)};
		memcpy(key.gas_address.b, row->gas_address.data, sizeof key.gas_address.b);
		wire_report_keys_add(&keys, &key);
	}
	return cs_keccak_end(&keys);
}

/* Everything but the key and the freshness. */
static struct wire_report report_of(const struct connection *c, enum wire_report_role role)
{
	return (struct wire_report){.role = role,
				    .manifest_hash = wire_pb_hash(c->hello->manifest_hash),
				    .manifest_number = c->hello->manifest_number,
				    .lineage = wire_pb_hash(c->hello->lineage),
				    .schema_digest = wire_pb_hash(c->hello->schema_digest),
				    .insecure_flags = c->hello->insecure_flags};
}

/* What the evidence of hello must be about. Which of the two roles it speaks in, only the evidence says. */
static enum cs_err expect(struct connection *c)
{
	static const enum wire_report_role roles[] = {WIRE_REPORT_ORACLE_ENCLAVE,
						      WIRE_REPORT_BRIDGE_ENCLAVE};
	struct wire_report_tls tls = {.from_server = true, .server_spki = c->spki};
	CS_TRY(attested_client_bind(&c->client, &tls, &c->nonce));
	for (size_t i = 0; i < CS_LEN(roles); i++) {
		struct wire_report report = report_of(c, roles[i]);
		report.key = keys_hash(c->hello);
		report.fresh = wire_report_fresh_tls(&tls);
		c->expected = wire_report_hash(&report);
		c->role = roles[i];
		if (memcmp(c->expected.b, c->hello->report_data.data, sizeof c->expected.b) == 0)
			break;
	}
	return CS_OK;
}

/* Of a TPM it is the hash alone, of all others zeros follow. */
static bool is_bound(const struct connection *c)
{
	const struct attest_result *result = &c->run->result;
	uint8_t padded[ATTEST_REPORT_DATA_SIZE_MAX] = {0};
	memcpy(padded, c->expected.b, sizeof c->expected.b);
	return result->report_data_size >= sizeof c->expected.b &&
	       memcmp(padded, result->report_data, result->report_data_size) == 0;
}

/* ---- one enclave behind both ---- */

static bool same_measurements(const struct attest_result *a, const struct attest_result *b)
{
	if (a->hardware != b->hardware)
		return false;
	for (size_t i = 0; i < a->claim_count; i++) {
		const struct attest_claim *one = &a->claims[i];
		const struct attest_claim *other = attest_result_claim(b, one->name);
		if (one->measurement && (other == NULL || !cs_bytes_eq(one->bytes, other->bytes)))
			return false;
	}
	return true;
}

/* The certificate says for which key, since when and under which rules; hello says the rules. */
static bool certificate_is_of(const struct connection *c)
{
	const struct attest_claim *said = attest_result_claim(&c->certificate, "caisson_report");
	const struct attest_claim *since =
		attest_result_claim(&c->certificate, "certificate_not_before");
	if (said == NULL || since == NULL)
		return false;
	struct wire_report report = report_of(c, c->role);
	report.key = c->spki;
	report.fresh = wire_report_fresh_issued(since->number);
	const struct cs_hash hash = wire_report_hash(&report);
	return cs_bytes_eq(said->bytes, CS_BYTES_OF(hash.b));
}

static enum cli_exit check_lineage(struct connection *c)
{
	const char *text = cli_option(c->run->cli, "lineage");
	struct cs_hash wanted;
	if (text == NULL) {
		attest_skip(&c->run->result, "lineage", "no --lineage: shown, not judged");
		return CLI_OK;
	}
	if (cs_unhex(wanted.b, sizeof wanted.b, cs_bytes_str(text)) != CS_OK)
		return cli_fail(c->run->cli, CLI_USAGE, "--lineage: not 32 bytes of hex");
	const struct cs_hash told = wire_pb_hash(c->hello->lineage);
	(void)attest_check_same(&c->run->result, "lineage", "the first manifest",
				CS_BYTES_OF(told.b), "that of --lineage", CS_BYTES_OF(wanted.b));
	return CLI_OK;
}

static void says(struct attest_run *run, const char *name, bool good, const char *so,
		 const char *not_so)
{
	(void)attest_check(&run->result, name, good, "%s", good ? so : not_so);
}

static enum cli_exit judge_hello(struct connection *c)
{
	struct attest_run *run = c->run;
	const struct cs_hash nonce = wire_pb_hash(c->hello->nonce);
	struct cs_why why = {{0}};
	const enum cs_err err = expect(c);
	if (err != CS_OK)
		return fail(c, err, &why);
	enum cli_exit code = attest_run_verify(run, wire_pb_view(c->hello->evidence));
	if (code != CLI_OK)
		return code;
	(void)attest_check(&run->result, "tls", true,
			   "TLS 1.3, a full handshake, by the certificate's key");
	says(run, "channel-binding", is_bound(c),
	     "report data is of this connection, our nonce, these keys and rules",
	     "report data is not of this connection, our nonce, these keys and rules");
	(void)attest_check(&run->result, "certificate", true, "its own evidence verifies: %s",
			   attest_tier_name(c->certificate_status));
	says(run, "certificate-report", certificate_is_of(c),
	     "it is for this key, since its first second, under these rules",
	     "it is not for this key, since its first second, under these rules");
	says(run, "one-enclave", same_measurements(&c->certificate, &run->result),
	     "the certificate's evidence and hello's are of the same measurements",
	     "the certificate's evidence and hello's are not of the same measurements");
	(void)attest_check_same(&run->result, "nonce", "hello's", CS_BYTES_OF(nonce.b), "ours",
				CS_BYTES_OF(c->nonce.b));
	code = check_lineage(c);
	if (code != CLI_OK)
		return code;
	run->document_flags = c->hello->insecure_flags;
	attest_run_appraise(run);
	if (c->certificate_status != ATTEST_TIER_AFFIRMING &&
	    run->appraisal.status == ATTEST_TIER_AFFIRMING)
		run->appraisal.status = c->certificate_status;
	run->document = host_evidence_json(c->role, CS_BYTES_OF(c->nonce.b), c->hello);
	run->hello = host_enclave_json(c->hello);
	return CLI_OK;
}

/* ---- the command ---- */

static enum cli_exit talk(struct connection *c)
{
	bool is_good = false;
	enum cli_exit code = judge_certificate(c, &is_good);
	if (code != CLI_OK || !is_good)
		return code;
	code = ask_hello(c);
	return code == CLI_OK ? judge_hello(c) : code;
}

static enum cli_exit connect_to(struct attest_run *run, const char *place)
{
	struct connection *c = cs_arena_calloc(&run->arena, 1, sizeof *c);
	struct cs_why why = {{0}};
	if (c == NULL)
		return cli_fail(run->cli, CLI_FAILED, "out of memory");
	c->run = run;
	const enum cs_err err = attested_client_open(&c->client, place, &why);
	if (err != CS_OK)
		return fail(c, err, &why);
	const enum cli_exit code = talk(c);
	attested_client_close(&c->client);
	return code;
}

enum cli_exit cli_attest_connect(struct cli *cli)
{
	if (cli->positional_count != 1)
		return cli_fail(cli, CLI_USAGE, "which HOST:PORT?");
	struct attest_run *run = attest_run_new(cli);
	if (run == NULL)
		return cli_fail(cli, CLI_FAILED, "out of memory");
	int code = (int)attest_run_options(run, 0);
	if (code == CLI_OK)
		code = (int)connect_to(run, cli->positional[0]);
	if (code == CLI_OK) {
		attest_print(run);
		code = attest_exit_of(&run->appraisal);
	}
	attest_close(run);
	return (enum cli_exit)code;
}
