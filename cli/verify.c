/* Offline: a signed envelope, or an oracle's answer or round (verify_answer.c), against a key, an
 * epoch and, if given, a manifest. Asks nobody. */
#include "cli/cli.h"
#include "gateway/envelope_json.h"
#include "host/alloc.h"
#include "host/json_values.h"
#include "host/keyfile.h"
#include "host/manifest.h"

#include <stdlib.h>
#include <string.h>

#define FILE_SIZE_MAX (1u * 1024 * 1024)
#define ARENA_SIZE (256u * 1024)

struct verification {
	struct cli *cli;
	struct cs_sig *sig;
	struct host_manifest manifest;
	bool has_manifest;
	const json_t *file;
	struct cs_arena arena;
	json_t *result;
	bool good;
	bool claimed; /* some key is the file's own word */
};

/* ---- one statement ---- */

static bool key_from_file(struct verification *v, const struct gateway_statement *st,
			  struct cs_hash *key)
{
	const json_t *keys = json_object_get(v->file, "keys");
	for (size_t i = 0; i < json_array_size(keys); i++) {
		const json_t *entry = json_array_get(keys, i);
		struct cs_hash identity;
		uint64_t epoch = 0;
		struct cs_why why;
		if (host_json_read_hash(entry, "identity", &identity, &why) == CS_OK &&
		    host_json_read_u64(entry, "epoch", &epoch, &why) == CS_OK &&
		    epoch == st->statement.epoch && cs_hash_eq(&identity, &st->statement.signer))
			return host_json_read_hash(entry, "public_key", key, &why) == CS_OK;
	}
	return false;
}

static void set_route(struct verification *v, json_t *out, const struct gateway_statement *st)
{
	const struct host_manifest_chain *signer =
		host_manifest_chain(&v->manifest, &st->statement.signer);
	const struct host_manifest_chain *receiver =
		host_manifest_chain(&v->manifest, &st->statement.receiver);
	json_object_set_new(out, "signer",
			    signer ? json_string(signer->caip2)
				   : host_json_hash(&st->statement.signer));
	json_object_set_new(out, "receiver",
			    receiver ? json_string(receiver->caip2)
				     : host_json_hash(&st->statement.receiver));
	if (!v->has_manifest)
		return;
	bool listed = signer && receiver && host_manifest_lists(signer, &receiver->identity);
	json_object_set_new(out, "in_manifest", json_boolean(listed));
	v->good = v->good && listed;
}

static void check_statement(struct verification *v, const char *name,
			    const struct gateway_statement *st, const struct wire_signed *part,
			    const struct cs_hash *leaf)
{
	static const enum wire_domain domains[] = {WIRE_DOMAIN_SECURE, WIRE_DOMAIN_INSECURE};
	json_t *out = json_object();
	struct cs_hash key;
	const char *given =
		cli_option(v->cli, st->statement.kind == WIRE_KIND_OUTCOME ? "outcome-key" : "key");
	bool has_key = given ? cs_unhex(key.b, sizeof(key.b), cs_bytes_str(given)) == CS_OK
			     : key_from_file(v, st, &key);
	bool verifies = false;
	bool insecure = false;
	struct cs_hash root = wire_fold(leaf, part->path, part->path_count);
	bool included = cs_hash_eq(&root, &st->statement.root);
	for (size_t i = 0; has_key && included && i < CS_LEN(domains) && !verifies; i++) {
		verifies = wire_signed_verify(v->sig, part, leaf, &key, domains[i]) == CS_OK;
		insecure = verifies && domains[i] == WIRE_DOMAIN_INSECURE;
	}
	v->good = v->good && verifies;
	v->claimed = v->claimed || (has_key && !given);
	json_object_set_new(out, "verifies", json_boolean(verifies));
	json_object_set_new(out, "leads_to_root", json_boolean(included));
	json_object_set_new(out, "key", has_key ? host_json_hash(&key) : json_null());
	json_object_set_new(out, "key_from",
			    json_string(!has_key ? "nowhere"
					: given  ? "argument"
						 : "file"));
	json_object_set_new(out, "epoch", host_json_u64(st->statement.epoch));
	json_object_set_new(out, "manifest", host_json_u64(st->statement.manifest_number));
	json_object_set_new(out, "insecure", verifies ? json_boolean(insecure) : json_null());
	set_route(v, out, st);
	json_object_set_new(v->result, name, out);
}

static enum cs_err read_signed(const json_t *object, struct gateway_statement *st,
			       struct wire_signed *part, struct cs_why *why)
{
	memset(part, 0, sizeof(*part));
	CS_TRY(gateway_json_read_statement(object, st, why));
	CS_TRY(host_json_read_path(object, part, why));
	part->statement = st->statement;
	part->signature = st->signature;
	return CS_OK;
}

/* What is not signed is not there, but for what a gateway says of keys. */
static enum cs_err check_keys(const json_t *keys, struct cs_why *why)
{
	static const char *const names[] = {"identity", "epoch",       "public_key",
					    "chain",    "gas_address", NULL};
	struct cs_hash hash;
	uint64_t epoch = 0;
	if (keys && !json_is_array(keys))
		return cs_fail(why, CS_ERR_MALFORMED, "keys: not a list");
	for (size_t i = 0; i < json_array_size(keys); i++) {
		const json_t *entry = json_array_get(keys, i);
		CS_TRY(host_json_known(entry, names, "keys[]", why));
		CS_TRY(host_json_read_hash(entry, "identity", &hash, why));
		CS_TRY(host_json_read_hash(entry, "public_key", &hash, why));
		CS_TRY(host_json_read_u64(entry, "epoch", &epoch, why));
	}
	return CS_OK;
}

static enum cs_err check_file(struct verification *v, struct cs_why *why)
{
	static const char *const names[] = {"statement", "message", "outcome_statement",
					    "outcome",   "keys",    NULL};
	struct gateway_statement st;
	struct wire_signed part;
	struct wire_message message;
	CS_TRY(host_json_known(v->file, names, "envelope", why));
	CS_TRY(check_keys(json_object_get(v->file, "keys"), why));
	if (!json_object_get(v->file, "outcome") != !json_object_get(v->file, "outcome_statement"))
		return cs_fail(why, CS_ERR_INVALID,
			       "outcome: it comes with its statement, or not at all");
	CS_TRY(gateway_json_read_message(json_object_get(v->file, "message"), false, &v->arena,
					 &message, why));
	struct cs_hash id = wire_message_id(&message.head);
	json_object_set_new(v->result, "id", host_json_hash(&id));
	CS_TRY(read_signed(json_object_get(v->file, "statement"), &st, &part, why));
	if (st.statement.kind != WIRE_KIND_MESSAGE ||
	    !cs_hash_eq(&st.statement.signer, &message.head.source) ||
	    !cs_hash_eq(&st.statement.receiver, &message.head.destination))
		return cs_fail(why, CS_ERR_WRONG_DESTINATION,
			       "the statement is not of this message's route");
	struct cs_hash leaf = wire_leaf_message(&id);
	check_statement(v, "message", &st, &part, &leaf);
	if (!json_object_get(v->file, "outcome_statement"))
		return CS_OK;
	uint64_t status = 0;
	CS_TRY(read_signed(json_object_get(v->file, "outcome_statement"), &st, &part, why));
	CS_TRY(host_json_read_u64(v->file, "outcome", &status, why));
	if (st.statement.kind != WIRE_KIND_OUTCOME ||
	    (status != WIRE_STATUS_DELIVERED && status != WIRE_STATUS_DEAD))
		return cs_fail(why, CS_ERR_INVALID, "the outcome is neither delivered nor dead");
	if (!cs_hash_eq(&st.statement.signer, &message.head.destination) ||
	    !cs_hash_eq(&st.statement.receiver, &message.head.source))
		return cs_fail(why, CS_ERR_WRONG_DESTINATION,
			       "the outcome's statement is not of this message's way back");
	leaf = wire_leaf_outcome(&id, (enum wire_status)status);
	json_object_set_new(v->result, "outcome_status",
			    json_string(status == WIRE_STATUS_DEAD ? "dead" : "delivered"));
	check_statement(v, "outcome", &st, &part, &leaf);
	return CS_OK;
}

/* ---- the command ---- */

static void print_statement(const json_t *result, const char *name)
{
	const json_t *st = json_object_get(result, name);
	if (!st)
		return;
	const char *key = json_string_value(json_object_get(st, "key"));
	bool verifies = json_is_true(json_object_get(st, "verifies"));
	printf("%-8s %s\n", name,
	       verifies ? "verifies"
	       : key    ? "does NOT verify"
			: "cannot be verified: the signer's key is neither given nor in the file");
	printf("         signer %s, receiver %s\n",
	       json_string_value(json_object_get(st, "signer")),
	       json_string_value(json_object_get(st, "receiver")));
	if (key)
		printf("         key %s (%s)\n", key,
		       strcmp(json_string_value(json_object_get(st, "key_from")), "file") == 0
			       ? "from the file"
			       : "given");
	printf("         epoch %lld, manifest %lld\n",
	       (long long)json_integer_value(json_object_get(st, "epoch")),
	       (long long)json_integer_value(json_object_get(st, "manifest")));
	if (json_is_true(json_object_get(st, "insecure")))
		puts("         INSECURE: signed under the domain of simulated or insecure "
		     "enclaves");
	if (json_is_false(json_object_get(st, "in_manifest")))
		puts("         the manifest does not name this route");
	if (key && strcmp(json_string_value(json_object_get(st, "key_from")), "file") == 0)
		puts("         compare the key with the receiver contract's keyOf(signer, epoch): "
		     "the file only claims it");
}

static enum cli_exit finish(struct verification *v)
{
	json_object_set_new(v->result, "ok", json_boolean(v->good && !v->claimed));
	if (v->cli->json) {
		cli_print_json(v->cli, json_incref(v->result));
	} else {
		printf("message  %s\n", json_string_value(json_object_get(v->result, "id")));
		print_statement(v->result, "message");
		print_statement(v->result, "outcome");
	}
	if (!v->good)
		return CLI_NO;
	return v->claimed ? CLI_CLAIMED : CLI_OK;
}

static enum cli_exit load(struct verification *v, const char *path, json_t **file)
{
	struct cs_why why = {{0}};
	uint8_t *bytes = NULL;
	size_t size = 0;
	json_error_t at;
	if (host_file_load(&bytes, &size, path, FILE_SIZE_MAX, &why) != CS_OK)
		return cli_fail(v->cli, CLI_USAGE, "%s", why.text);
	*file = json_loadb((const char *)bytes, size, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &at);
	free(bytes);
	if (!*file)
		return cli_fail(v->cli, CLI_NO, "%s: %s at byte %d", path, at.text, at.position);
	return CLI_OK;
}

static enum cli_exit load_manifest(struct verification *v)
{
	struct cs_why why = {{0}};
	unsigned at = 0;
	const char *manifest = cli_option_next(v->cli, "manifest", &at);
	if (!manifest)
		return CLI_OK;
	if (cli_option_next(v->cli, "manifest", &at))
		return cli_fail(v->cli, CLI_USAGE, "--manifest: one, of an envelope");
	if (host_manifest_load(&v->manifest, manifest, &why) != CS_OK)
		return cli_fail(v->cli, CLI_USAGE, "%s: %s", manifest, why.text);
	v->has_manifest = true;
	return CLI_OK;
}

static const char only_with_evidence[] =
	"--policy, --collateral and their like judge what --evidence gives";

/* An option of `attest verify` is there. */
static bool judges_evidence(const struct cli *cli)
{
	static const char *const names[] = {"collateral", "policy",        "at",
					    "root",       "insecure-root", "no-revocation"};
	for (size_t i = 0; i < CS_LEN(names); i++)
		if (cli_flag(cli, names[i]))
			return true;
	return false;
}

static enum cli_exit verify_envelope(struct verification *v, const char *path)
{
	struct cs_why why = {{0}};
	enum cli_exit code = load_manifest(v);
	if (code != CLI_OK)
		return code;
	if (cli_option(v->cli, "audience") || cli_option(v->cli, "spec") ||
	    cli_option(v->cli, "lineage") || cli_option(v->cli, "feed") ||
	    cli_option(v->cli, "evidence") || judges_evidence(v->cli))
		return cli_fail(v->cli, CLI_USAGE,
				"--audience, --spec, --lineage, --feed and --evidence are of "
				"answers and rounds; this is an envelope");
	v->sig = cs_sig_new(NULL);
	v->result = json_object();
	cs_arena_init(&v->arena, host_alloc(ARENA_SIZE), ARENA_SIZE);
	if (!v->sig)
		code = cli_fail(v->cli, CLI_FAILED, "no memory");
	else if (check_file(v, &why) != CS_OK)
		code = cli_fail(v->cli, CLI_NO, "%s: %s", path, why.text);
	else
		code = finish(v);
	cs_sig_free(v->sig);
	free(v->arena.block);
	json_decref(v->result);
	return code;
}

static enum cli_exit verify_answer(struct cli *cli, const json_t *file)
{
	struct cli_expected expected = {.audience = cli_option(cli, "audience")};
	const char *path = cli_option(cli, "spec");
	struct cli_spec spec = {.memory = NULL};
	const char *feed = cli_option(cli, "feed");
	struct cs_hash feed_id;
	/* cli_verify has seen that it is one. */
	if (feed && cs_unhex(feed_id.b, sizeof(feed_id.b), cs_bytes_str(feed)) == CS_OK)
		expected.feed_id = &feed_id;
	if (cli_option(cli, "outcome-key"))
		return cli_fail(cli, CLI_USAGE, "--outcome-key is of envelopes; this is an answer");
	if (!cli_option(cli, "evidence") && judges_evidence(cli))
		return cli_fail(cli, CLI_USAGE, "%s", only_with_evidence);
	if (path) {
		enum cli_exit code = cli_read_spec(cli, &spec, path);
		if (code != CLI_OK)
			return code;
		expected.spec_hash = &spec.hash;
	}
	enum cli_exit code = cli_check_answer(cli, file, &expected, true);
	cli_free_spec(&spec);
	return code;
}

enum cli_exit cli_verify(struct cli *cli)
{
	static const char *const keys[] = {"key", "outcome-key", "lineage", "feed"};
	static struct verification v;
	json_t *file = NULL;
	v = (struct verification){.cli = cli, .good = true};
	if (cli->positional_count != 1)
		return cli_fail(cli, CLI_USAGE, "which file?");
	for (size_t i = 0; i < CS_LEN(keys); i++) {
		struct cs_hash key;
		const char *given = cli_option(cli, keys[i]);
		if (given && cs_unhex(key.b, sizeof(key.b), cs_bytes_str(given)) != CS_OK)
			return cli_fail(cli, CLI_USAGE, "--%s: not 32 bytes of hex", keys[i]);
	}
	enum cli_exit code = load(&v, cli->positional[0], &file);
	if (code != CLI_OK)
		return code;
	v.file = file;
	code = cli_is_answer(file) ? verify_answer(cli, file)
				   : verify_envelope(&v, cli->positional[0]);
	json_decref(file);
	return code;
}
