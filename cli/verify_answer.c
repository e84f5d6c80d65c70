/* Offline: a signed answer of an oracle, or a round of a feed. Reading it recomputes every hash
 * down to the signed root (oracle/answer_json.h); here the signature is checked, what the caller
 * expects, and with --evidence that it is of an enclave which the policy accepts. */
#include "cli/attest.h"
#include "host/alloc.h"
#include "host/json_values.h"
#include "oracle/answer_json.h"
#include "oracle/manifest.h"
#include "wire/report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MANIFESTS_MAX 64u

struct checked {
	struct cli *cli;
	struct oracle_answer answer;
	struct cs_arena arena;
	struct cs_hash key;
	bool given; /* the key, by an argument or by evidence */
	bool verifies;
	const char *key_from;        /* "argument", "evidence", or "file": its own word */
	const char *differs;         /* what is not as expected, or NULL */
	struct attest_run *evidence; /* of --evidence, or NULL */
	const char *unproven;        /* why the evidence is not of this answer's enclave, or NULL */
	bool has_manifest;
	bool in_manifest;
};

/* ---- what the caller expects ---- */

static bool is_another(const struct cs_hash *expected, const struct cs_hash *found)
{
	return expected && !cs_hash_eq(expected, found);
}

static bool is_another_feed(const struct oracle_answer *answer, const struct cli_expected *expected)
{
	if (is_another(expected->feed_id, &answer->answer.request_id))
		return true;
	return expected->feed_contract &&
	       (answer->feed_index != expected->feed_index ||
		!cs_address_eq(expected->feed_contract, &answer->contract.address));
}

static void compare(struct checked *c, const struct cli_expected *expected)
{
	const struct oracle_answer *answer = &c->answer;
	const char *lineage = cli_option(c->cli, "lineage");
	struct cs_hash hash;
	if (answer->round ? is_another_feed(answer, expected)
			  : expected->feed_id || expected->feed_contract)
		c->differs = "feed";
	else if (expected->audience &&
		 (!answer->app || !cs_bytes_eq(answer->audience, cs_bytes_str(expected->audience))))
		c->differs = "audience";
	else if (is_another(expected->spec_hash, &answer->answer.spec_hash))
		c->differs = "spec";
	else if (is_another(expected->arguments_hash, &answer->request.arguments_hash))
		c->differs = "arguments";
	else if (is_another(expected->secrets_hash, &answer->request.secrets_hash))
		c->differs = "secrets";
	else if (lineage && (cs_unhex(hash.b, sizeof(hash.b), cs_bytes_str(lineage)) != CS_OK ||
			     is_another(&hash, &answer->lineage)))
		c->differs = "lineage";
}

/* The manifests of a lineage, first to newest: this oracle's, and, for an answer to a contract or a
 * round of a feed, naming that contract for it. */
static enum cli_exit compare_manifests(struct checked *c)
{
	static struct oracle_manifest manifest;
	const struct oracle_answer *answer = &c->answer;
	const char *paths[MANIFESTS_MAX];
	const char *path;
	struct cs_why why = {{0}};
	size_t count = 0;
	unsigned at = 0;
	while ((path = cli_option_next(c->cli, "manifest", &at)) != NULL && count < MANIFESTS_MAX)
		paths[count++] = path;
	if (count == 0)
		return CLI_OK;
	if (path || oracle_manifest_load(&manifest, paths, count, &why) != CS_OK)
		return cli_fail(c->cli, CLI_USAGE, "--manifest: %s", path ? "too many" : why.text);
	bool named = answer->app;
	for (size_t i = 0; i < manifest.contract_count; i++)
		named = named ||
			(manifest.contracts[i].feeds == answer->round &&
			 cs_hash_eq(&manifest.contracts[i].identity, &answer->request.receiver));
	c->has_manifest = true;
	c->in_manifest = named && cs_hash_eq(&manifest.lineage, &answer->lineage) &&
			 answer->statement.statement.manifest_number <= manifest.base.number;
	return CLI_OK;
}

/* ---- whose enclave it was ---- */

/* Why this evidence does not say who signed this answer; NULL: it does, and *key is bound by it. */
static const char *link_evidence(struct checked *c, struct cs_hash *key)
{
	const struct oracle_answer *answer = &c->answer;
	const struct wire_statement *statement = &answer->statement.statement;
	const struct attest_run *run = c->evidence;
	const char *role = cli_text_of(run->document, "role");
	uint64_t epoch = statement->epoch, manifest = 0;
	struct cs_hash lineage;
	if (!answer->has_enclave_evidence)
		return "the answer names no evidence";
	if (!cs_hash_eq(&answer->enclave_evidence, &run->document_digest))
		return "the answer names other evidence";
	if (strcmp(role, wire_report_role_name(WIRE_REPORT_ORACLE_ENCLAVE)) != 0)
		return "the evidence is not of an oracle's enclave";
	if (host_json_read_hash(run->document, "lineage", &lineage, NULL) != CS_OK ||
	    !cs_hash_eq(&lineage, &answer->lineage))
		return "the evidence is of another lineage";
	if (host_json_read_u64(run->document, "manifest_number", &manifest, NULL) != CS_OK ||
	    manifest != statement->manifest_number)
		return "the evidence is of another manifest than the one it was signed under";
	if ((run->document_flags != 0) != answer->insecure)
		return "the evidence says another domain than the one it was signed under";
	if (epoch == 0 || !attest_document_key(run, &statement->signer, &epoch, key))
		return "the evidence does not bind the key of this epoch";
	return NULL;
}

/* The key is the evidence's then; one of --key must be the same. */
static enum cli_exit check_evidence(struct checked *c, const char *path)
{
	struct cs_hash key;
	enum cli_exit code = attest_judge(&c->evidence, c->cli, path, c->answer.answer.observed_at);
	if (code != CLI_OK)
		return code;
	if (!c->evidence->document)
		return cli_fail(c->cli, CLI_USAGE,
				"--evidence: bare evidence names no keys; give what `caisson "
				"enclave evidence` wrote");
	c->unproven = link_evidence(c, &key);
	if (!c->unproven && c->given && !cs_hash_eq(&key, &c->key))
		c->unproven = "the evidence binds another key than --key";
	if (c->unproven)
		return CLI_OK;
	if (!c->given)
		c->key_from = "evidence";
	c->key = key;
	c->given = true;
	return CLI_OK;
}

/* ---- output ---- */

/* What a file says is no terminal's command. */
static void put_plain(struct cs_bytes text)
{
	for (size_t i = 0; i < text.n; i++)
		putchar(text.p[i] >= ' ' && text.p[i] < 0x7f ? text.p[i] : '?');
}

static void put_hash(const char *name, const struct cs_hash *hash)
{
	char hex[65];
	cs_hex(hex, CS_BYTES_OF(hash->b));
	printf("         %-10s 0x%s\n", name, hex);
}

static void put_time(const char *name, uint64_t seconds)
{
	char text[40] = "";
	struct tm tm;
	time_t t = (time_t)seconds;
	if (seconds <= INT32_MAX && gmtime_r(&t, &tm))
		strftime(text, sizeof(text), " (%Y-%m-%dT%H:%M:%SZ)", &tm);
	printf("         %-10s %llu%s\n", name, (unsigned long long)seconds, text);
}

static void print_asker(const struct oracle_answer *answer)
{
	char hex[41];
	if (answer->app) {
		fputs("         asked for  an app, audience \"", stdout);
		put_plain(answer->audience);
		puts("\"");
		return;
	}
	cs_hex(hex, CS_BYTES_OF(answer->contract.address.b));
	printf("         %-10s %s:0x%s", answer->round ? "of feed" : "asked at",
	       answer->contract.caip2, hex);
	if (answer->round) {
		printf(", index %llu\n", (unsigned long long)answer->feed_index);
		return;
	}
	putchar('\n');
	put_hash("by", &answer->request.asker);
}

static void print_sources(const struct oracle_answer *answer)
{
	for (size_t i = 0; i < answer->source_count; i++) {
		const struct wire_evidence_source *row = &answer->sources[i];
		printf("source %zu ", i);
		put_plain(row->host_port);
		printf("  %s", wire_oracle_code_name(row->code));
		if (row->version != 0)
			printf("  TLS 1.%d%s%s%s%s  cipher 0x%04x  %u timestamps",
			       row->version == 0x0304 ? 3 : 2, row->http2 ? "  h2" : "",
			       row->reused ? "  reused" : "", row->stapled_good ? "  stapled" : "",
			       row->redirected ? "  REDIRECTED to another host" : "", row->cipher,
			       row->sct_count);
		putchar('\n');
		if (row->version == 0)
			continue;
		put_hash("leaf", &row->leaf_spki);
		put_hash("issuer", &row->issuer_spki);
		put_hash("response", &row->response);
	}
}

static void print_signature(const struct checked *c)
{
	const struct oracle_answer *answer = &c->answer;
	const struct wire_statement *statement = &answer->statement.statement;
	printf("signed   %s\n", c->verifies ? "verifies" : "does NOT verify");
	put_hash("oracle", &statement->signer);
	put_hash("lineage", &answer->lineage);
	put_hash(strcmp(c->key_from, "argument") == 0   ? "key, given"
		 : strcmp(c->key_from, "evidence") == 0 ? "key, proven"
							: "key, file",
		 &c->key);
	printf("         epoch      %llu, manifest %llu\n", (unsigned long long)statement->epoch,
	       (unsigned long long)statement->manifest_number);
	if (answer->insecure)
		puts("         INSECURE: signed under the domain of simulated or insecure "
		     "enclaves");
	if ((answer->time_flags & WIRE_EVIDENCE_INSECURE_HOST_TIME) != 0)
		puts("         INSECURE: its times rest on the clock of the oracle's host");
	if (c->has_manifest && !c->in_manifest)
		puts("         NOT of this manifest: another oracle, or a contract that it does "
		     "not "
		     "name");
	if (c->differs)
		printf("         NOT what was asked for: another %s\n", c->differs);
	if (answer->has_enclave_evidence)
		put_hash("evidence", &answer->enclave_evidence);
	if (c->unproven)
		printf("enclave  NOT proven: %s\n", c->unproven);
	else if (c->evidence) {
		puts("enclave  has this key, under this manifest");
		attest_print_brief(c->evidence, 9);
	}
	if (!c->given && !c->evidence)
		puts("         compare the key with the one that a contract of this oracle has "
		     "registered, or that its\n"
		     "         operator publishes: the file only claims it");
}

static void print_answer(const struct checked *c, const json_t *value)
{
	const struct wire_answer *answer = &c->answer.answer;
	char hex[65];
	cs_hex(hex, CS_BYTES_OF(answer->request_id.b));
	bool refunded = !c->answer.round && wire_oracle_code_is_refunded(answer->code);
	printf("%-8s 0x%s\n         code       %u %s%s\n", c->answer.round ? "round" : "answer",
	       hex, answer->code, wire_oracle_code_name(answer->code),
	       refunded ? " (refunded)" : "");
	if (!json_is_null(value)) {
		fputs("         value      ", stdout);
		json_dumpf(value, stdout, JSON_ENCODE_ANY | JSON_ENSURE_ASCII);
		putchar('\n');
	}
	put_time("observed", answer->observed_at);
	if (!c->answer.round)
		put_time("asked", c->answer.request.time);
	print_asker(&c->answer);
	put_hash("spec", &answer->spec_hash);
	print_sources(&c->answer);
	print_signature(c);
}

static bool is_good(const struct checked *c)
{
	return c->verifies && !c->differs && !c->unproven && (!c->has_manifest || c->in_manifest);
}

/* With evidence the verdict on it counts: 0 only where it is affirming. */
static enum cli_exit exit_of(const struct checked *c)
{
	if (!is_good(c))
		return CLI_NO;
	if (c->evidence)
		return (enum cli_exit)attest_exit_of(&c->evidence->appraisal);
	return c->given ? CLI_OK : CLI_CLAIMED;
}

static json_t *evidence_json(const struct checked *c)
{
	const struct oracle_answer *answer = &c->answer;
	if (!c->evidence)
		return json_null();
	return json_pack("{s:o,s:o,s:s?,s:o}", "named",
			 answer->has_enclave_evidence ? host_json_hash(&answer->enclave_evidence)
						      : json_null(),
			 "given", host_json_hash(&c->evidence->document_digest), "unproven",
			 c->unproven, "verdict", attest_json(c->evidence));
}

/* Takes value. */
static json_t *result_json(const struct checked *c, json_t *value)
{
	const struct oracle_answer *answer = &c->answer;
	const struct wire_statement *statement = &answer->statement.statement;
	json_t *hosts = json_array();
	for (size_t i = 0; i < answer->source_count; i++) {
		const struct wire_evidence_source *row = &answer->sources[i];
		json_array_append_new(hosts, json_pack("{s:o,s:s}", "host",
						       json_stringn((const char *)row->host_port.p,
								    row->host_port.n),
						       "code", wire_oracle_code_name(row->code)));
	}
	json_t *signature = json_pack(
		"{s:b,s:o,s:s,s:o,s:o,s:o,s:o,s:b,s:b}", "verifies", c->verifies, "key",
		host_json_hash(&c->key), "key_from", c->key_from, "signer",
		host_json_hash(&statement->signer), "lineage", host_json_hash(&answer->lineage),
		"epoch", oracle_json_u64(statement->epoch), "manifest",
		oracle_json_u64(statement->manifest_number), "insecure", answer->insecure,
		"insecure_host_time", (answer->time_flags & WIRE_EVIDENCE_INSECURE_HOST_TIME) != 0);
	return json_pack(
		"{s:s,s:o,s:i,s:s,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:s?,s:b}", "kind",
		answer->round ? ORACLE_ANSWER_KIND_ROUND : ORACLE_ANSWER_KIND, "id",
		host_json_hash(&answer->answer.request_id), "code", (int)answer->answer.code,
		"code_name", wire_oracle_code_name(answer->answer.code), "value", value,
		"observed_at", oracle_json_u64(answer->answer.observed_at), "spec_hash",
		host_json_hash(&answer->answer.spec_hash), "sources", hosts, "statement", signature,
		"in_manifest", c->has_manifest ? json_boolean(c->in_manifest) : json_null(),
		"evidence", evidence_json(c), "differs", c->differs, "ok", exit_of(c) == CLI_OK);
}

/* ---- the command ---- */

static enum cli_exit check(struct checked *c, const json_t *file,
			   const struct cli_expected *expected, bool report_json)
{
	struct cs_why why = {{0}};
	const char *given = cli_option(c->cli, "key");
	const char *evidence = cli_option(c->cli, "evidence");
	if (oracle_answer_read(&c->answer, file, &c->arena, &why) != CS_OK)
		return cli_fail(c->cli, CLI_NO, "the answer: %s", why.text);
	c->given = given != NULL;
	c->key_from = given ? "argument" : "file";
	c->key = c->answer.key;
	if (given && cs_unhex(c->key.b, sizeof(c->key.b), cs_bytes_str(given)) != CS_OK)
		return cli_fail(c->cli, CLI_USAGE, "--key: not 32 bytes of hex");
	compare(c, expected);
	enum cli_exit code = compare_manifests(c);
	if (code == CLI_OK && evidence)
		code = check_evidence(c, evidence);
	if (code != CLI_OK)
		return code;
	struct cs_sig *sig = cs_sig_new(NULL);
	if (!sig)
		return cli_fail(c->cli, CLI_FAILED, "no memory");
	c->verifies = oracle_answer_verify(&c->answer, sig, &c->key) == CS_OK;
	cs_sig_free(sig);
	json_t *value = oracle_value_json(c->answer.spec, c->answer.answer.value, &c->arena);
	if (!c->cli->json)
		print_answer(c, value);
	else if (report_json)
		cli_print_json(c->cli, result_json(c, json_incref(value)));
	json_decref(value);
	return exit_of(c);
}

enum cli_exit cli_check_answer(struct cli *cli, const json_t *file,
			       const struct cli_expected *expected, bool report_json)
{
	static struct checked c;
	c = (struct checked){.cli = cli};
	cs_arena_init(&c.arena, host_alloc(ORACLE_ANSWER_ARENA_SIZE), ORACLE_ANSWER_ARENA_SIZE);
	enum cli_exit code = check(&c, file, expected, report_json);
	attest_close(c.evidence);
	free(c.arena.block);
	return code;
}

static enum cli_exit write_document(struct cli *cli, const json_t *document)
{
	const char *path = cli_option(cli, "out");
	if (!path)
		return CLI_OK;
	if (json_dump_file(document, path, JSON_INDENT(1) | JSON_PRESERVE_ORDER) != 0)
		return cli_fail(cli, CLI_FAILED, "%s: %s", path, strerror(errno));
	return CLI_OK;
}

enum cli_exit cli_show_answer(struct cli *cli, const json_t *document,
			      const struct cli_expected *expected)
{
	enum cli_exit code = cli_check_answer(cli, document, expected, false);
	if (code != CLI_OK && code != CLI_CLAIMED)
		return cli->json ? cli_fail(cli, code, "the answer does not verify, or is another")
				 : code;
	code = write_document(cli, document);
	if (code != CLI_OK)
		return code;
	if (cli->json)
		cli_print_json(cli, json_deep_copy(document));
	return cli_number_of(document, "code") == WIRE_ORACLE_OK ? CLI_OK : CLI_NO;
}

bool cli_is_answer(const json_t *file)
{
	const char *kind = json_string_value(json_object_get(file, "kind"));
	return kind && (strcmp(kind, ORACLE_ANSWER_KIND) == 0 ||
			strcmp(kind, ORACLE_ANSWER_KIND_ROUND) == 0);
}
