/* What `caisson enclave evidence` gives, in place of a file of evidence: its nonce, and its keys. */
#include "cli/attest.h"
#include "host/evidence_read.h"
#include "host/json_values.h"
#include "wire/report.h"

#include <string.h>
#include <sys/random.h>

#define NONCE_NEW_SIZE 32u

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

/* ---- in place of a file of evidence ---- */

static enum cs_err take(struct attest_run *run, struct cs_bytes *evidence, struct cs_why *why)
{
	struct host_evidence_document document;
	CS_TRY(host_evidence_read(&document, run->document, ATTEST_EVIDENCE_SIZE_MAX, &run->arena,
				  why));
	*evidence = document.evidence;
	run->document_nonce = document.nonce;
	run->document_digest = cs_keccak256(document.evidence);
	run->document_flags = document.insecure_flags;
	run->policy.judges_report_data = true;
	run->policy.report_data = document.report_data;
	return CS_OK;
}

enum cli_exit attest_document_open(struct attest_run *run, struct cs_bytes *file)
{
	struct cs_why why = {{0}};
	json_t *json = json_loadb((const char *)file->p, file->n, JSON_REJECT_DUPLICATES, NULL);
	if (!host_evidence_is_document(json)) {
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
		/* host_evidence_read has read them. */
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
