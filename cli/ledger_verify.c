/* `caisson ledger verify`: offline, what `caisson ledger statement`, `line` and `proof` print, against an app
 * hash, or a light block that is trusted, follows from one that is, or whose validators are known. Asks nobody. */
#include "cli/light.h"
#include "cli/statement_file.h"
#include "cli/statement_path.h"
#include "core/sig.h"
#include "host/keyfile.h"

#include <stdlib.h>
#include <string.h>

#define PROOF_FILE_SIZE_MAX (1u * 1024 * 1024)

/* Where an app hash comes from. */
enum anchor {
	ANCHOR_GIVEN,   /* --app-hash */
	ANCHOR_SIGNED,  /* a light block of validators that were given */
	ANCHOR_TRUSTED, /* a light block that is trusted, or follows from one that is */
	ANCHOR_CLAIMED, /* a light block that names its own validators */
};

struct checking {
	struct cli *cli;
	struct cs_sig *sig; /* NULL: signatures are not asked for */
	enum anchor anchor;
	struct cs_hash app_hash;
	uint64_t next_height; /* of the light block; 0: none */
	uint64_t time_s;      /* of the light block */
	char chain_id[64];
	struct statement_head head;
	struct statement_sum sum;
	struct cs_hash chain;
	uint64_t lines, signatures, insecure;
};

/* ---- what is trusted ---- */

static enum cli_exit take_block(struct checking *checking, const struct cmt_light_block *block)
{
	const struct cmt_header *header = &block->header;
	const struct cs_bytes app_hash = cmt_header_app_hash(header);
	const struct cs_bytes chain_id = cmt_chain_id_bytes(&header->chain_id);
	if (app_hash.n != sizeof(checking->app_hash.b))
		return cli_fail(checking->cli, CLI_NO, "the light block's app hash has %zu bytes",
				app_hash.n);
	memcpy(checking->app_hash.b, app_hash.p, app_hash.n);
	checking->next_height = (uint64_t)header->height;
	checking->time_s = header->time.s < 0 ? 0 : (uint64_t)header->time.s;
	snprintf(checking->chain_id, sizeof(checking->chain_id), "%.*s", (int)chain_id.n,
		 (const char *)chain_id.p);
	return CLI_OK;
}

static enum cli_exit check_trusted(const struct checking *checking, const struct light *light,
				   const char *path)
{
	struct cmt_light_options options;
	struct light trusted;
	int64_t pivot = 0;
	enum cli_exit code = light_options(checking->cli, &options);
	if (code == CLI_OK)
		code = light_load(checking->cli, &trusted, path);
	if (code != CLI_OK)
		return code;
	code = light_follow(checking->cli, &trusted, light, &options, &pivot);
	light_clear(&trusted);
	return code == CLI_OK || pivot == 0
		       ? code
		       : cli_fail(checking->cli, CLI_NO,
				  "too many validators changed since the trusted light block: "
				  "caisson ledger light-block asks for those in between");
}

/* Without --light-block the trusted one is the one. */
static enum cli_exit load_block(struct checking *checking, const char *block, const char *trusted)
{
	const struct cli *cli = checking->cli;
	const bool has_set = cli_option(cli, "validators") != NULL;
	struct light light;
	enum cli_exit code = light_load(cli, &light, block != NULL ? block : trusted);
	if (code != CLI_OK)
		return code;
	if (has_set)
		code = light_expect(cli, "validators", &light.block.header.validators_hash.hash);
	if (code == CLI_OK && block != NULL && trusted != NULL)
		code = check_trusted(checking, &light, trusted);
	if (code == CLI_OK)
		code = take_block(checking, &light.block);
	light_clear(&light);
	checking->anchor = trusted != NULL ? ANCHOR_TRUSTED
			   : has_set       ? ANCHOR_SIGNED
					   : ANCHOR_CLAIMED;
	return code;
}

static enum cli_exit find_anchor(struct checking *checking)
{
	const struct cli *cli = checking->cli;
	const char *app_hash = cli_option(cli, "app-hash");
	const char *block = cli_option(cli, "light-block"), *trusted = cli_option(cli, "trusted");
	if ((app_hash == NULL) == (block == NULL && trusted == NULL))
		return cli_fail(cli, CLI_USAGE,
				"give --app-hash, or --light-block or --trusted: a proof is worth "
				"what its end is");
	if (app_hash == NULL)
		return load_block(checking, block, trusted);
	if (cli_option(cli, "validators") != NULL)
		return cli_fail(cli, CLI_USAGE, "--validators is of a light block");
	checking->anchor = ANCHOR_GIVEN;
	return cs_unhex(checking->app_hash.b, sizeof(checking->app_hash.b),
			cs_bytes_str(app_hash)) == CS_OK
		       ? CLI_OK
		       : cli_fail(cli, CLI_USAGE, "--app-hash: 32 bytes of hex");
}

/* A light block is of the block after the state, on the file's chain. */
static enum cli_exit check_place(const struct checking *checking, const json_t *json)
{
	const char *chain_id = json_string_value(json_object_get(json, "chain_id"));
	const json_int_t height = json_integer_value(json_object_get(json, "height"));
	if (checking->next_height == 0)
		return CLI_OK;
	if (chain_id == NULL || strcmp(chain_id, checking->chain_id) != 0)
		return cli_fail(checking->cli, CLI_NO, "the light block is of the chain %s",
				checking->chain_id);
	if (height <= 0 || (uint64_t)height + 1 != checking->next_height)
		return cli_fail(checking->cli, CLI_NO,
				"the light block has height %llu; the state after %lld has its app "
				"hash in the block after it",
				(unsigned long long)checking->next_height, (long long)height);
	return CLI_OK;
}

/* ---- lines ---- */

static enum cli_exit check_signature(struct checking *checking,
				     const struct ledger_usage_line *line, uint64_t index)
{
	const struct ledger_usage_record *record = &line->record;
	for (int insecure = 0; insecure <= 1; insecure++) {
		const struct cs_hash digest =
			ledger_usage_digest(record, &checking->chain, insecure == 1);
		if (cs_schnorr_verify64(checking->sig, record->signature, &record->enclave,
					CS_BYTES_OF(digest.b)) != CS_OK)
			continue;
		checking->signatures++;
		checking->insecure += (uint64_t)insecure;
		return CLI_OK;
	}
	return cli_fail(checking->cli, CLI_NO, "line %llu: the enclave's signature does not verify",
			(unsigned long long)index);
}

static enum cli_exit check_lines(struct checking *checking, struct statement_file *file)
{
	uint8_t bytes[LEDGER_USAGE_LINE_SIZE_MAX];
	struct cs_why why = {{0}};
	enum cli_exit code = CLI_OK;
	bool more = true;
	while (code == CLI_OK && more) {
		const uint64_t index = checking->sum.sum.log.count;
		struct ledger_usage_line line;
		size_t size = 0;
		if (statement_file_next(file, &more, bytes, &size, index, &why) != CS_OK)
			return cli_fail(checking->cli, CLI_NO, "%s", why.text);
		if (!more)
			break;
		if (statement_add(&checking->sum, &line, cs_bytes(bytes, size), &why) != CS_OK)
			return cli_fail(checking->cli, CLI_NO, "%s", why.text);
		checking->lines++;
		if (checking->sig != NULL && line.kind == LEDGER_USAGE_CHARGE)
			code = check_signature(checking, &line, index);
	}
	return code;
}

/* ---- heads ---- */

static enum cli_exit check_head(struct checking *checking, const json_t *json)
{
	struct cs_why why = {{0}};
	if (statement_head_read(&checking->head, json, &why) != CS_OK)
		return cli_fail(checking->cli, CLI_NO, "the head: %s", why.text);
	enum cli_exit code = check_place(checking, json);
	if (code != CLI_OK)
		return code;
	if (statement_head_check(&checking->head, &checking->sum, &checking->app_hash, &why) !=
	    CS_OK)
		return cli_fail(checking->cli, CLI_NO, "%s", why.text);
	memcpy(checking->chain.b, checking->head.chain.value.p, sizeof(checking->chain.b));
	return CLI_OK;
}

/* ---- prints ---- */

static const char *anchor_text(const struct checking *checking)
{
	switch (checking->anchor) {
	case ANCHOR_GIVEN:
		return "as given: of which chain and height it is, is not proven";
	case ANCHOR_SIGNED:
		return "of the light block, signed by the validators given";
	case ANCHOR_TRUSTED:
		return "of the light block that is trusted, or follows from it";
	case ANCHOR_CLAIMED:
		break;
	}
	return "of the light block, signed by validators that only it names: compare --validators";
}

/* The light block is the first that is not in the state: once it is of a later month, all that can still
 * come are. */
static const char *closed_text(const struct checking *checking)
{
	uint32_t now;
	if (checking->next_height == 0 || ledger_usage_period(&now, checking->time_s) != CS_OK)
		return "not known: an app hash has no time";
	return checking->head.account.period < now ? "yes: no line can be added"
						   : "no: the month goes on";
}

/* The same for programs. What an app hash alone does not prove is null: of which height and chain it is. */
static void add_anchor(json_t *json, const struct checking *checking)
{
	static const char *const names[] = {[ANCHOR_GIVEN] = "app-hash",
					    [ANCHOR_SIGNED] = "validators",
					    [ANCHOR_TRUSTED] = "trusted",
					    [ANCHOR_CLAIMED] = "claimed"};
	const bool has_block = checking->next_height != 0;
	char app_hash[2 * sizeof(checking->app_hash.b) + 3] = "0x";
	cs_hex(app_hash + 2, CS_BYTES_OF(checking->app_hash.b));
	json_object_set_new(json, "anchor", json_string(names[checking->anchor]));
	json_object_set_new(json, "app_hash", json_string(app_hash));
	json_object_set_new(json, "chain_id",
			    has_block ? json_string(checking->chain_id) : json_null());
	json_object_set_new(json, "height",
			    has_block ? json_integer((json_int_t)checking->next_height - 1)
				      : json_null());
}

static void print_hash(const char *label, const struct cs_hash *hash)
{
	char hex[2 * sizeof(hash->b) + 1];
	cs_hex(hex, CS_BYTES_OF(hash->b));
	printf("%-10s 0x%s\n", label, hex);
}

static enum cli_exit report(const struct checking *checking, const json_t *json)
{
	const struct cs_hash root = cmt_merkle_root(&checking->sum.sum.log);
	const unsigned long long pruned =
		(unsigned long long)(checking->sum.sum.log.count - checking->lines);
	const struct cli *cli = checking->cli;
	if (cli->json) {
		json_t *said = json_pack(
			"{s:b, s:s, s:s, s:s, s:I, s:I, s:O, s:O, s:O, s:I, s:I}", "ok",
			checking->anchor != ANCHOR_CLAIMED, "party", cli_text_of(json, "party"),
			"role", cli_text_of(json, "role"), "period", cli_text_of(json, "period"),
			"lines", (json_int_t)checking->lines, "pruned", (json_int_t)pruned,
			"charged", json_object_get(json, "charged"), "credited",
			json_object_get(json, "credited"), "total", json_object_get(json, "total"),
			"signatures", (json_int_t)checking->signatures, "insecure_signatures",
			(json_int_t)checking->insecure);
		add_anchor(said, checking);
		cli_print_json(cli, said);
	} else {
		printf("%-10s %s %s, %s\n", "statement", cli_text_of(json, "role"),
		       cli_text_of(json, "party"), cli_text_of(json, "period"));
		printf("%-10s %llu here, %llu pruned: complete\n", "lines",
		       (unsigned long long)checking->lines, pruned);
		printf("%-10s %s charged, %s credited, %s in total\n", "sums",
		       cli_text_of(json, "charged"), cli_text_of(json, "credited"),
		       cli_text_of(json, "total"));
		print_hash("root", &root);
		print_hash("app hash", &checking->app_hash);
		printf("%-10s %s\n", "", anchor_text(checking));
		printf("%-10s %s\n", "closed", closed_text(checking));
		if (checking->sig != NULL)
			printf("%-10s %llu of enclaves verify\n", "signatures",
			       (unsigned long long)checking->signatures);
		if (checking->insecure > 0)
			printf("%-10s %llu signatures are under the domain of simulated or "
			       "insecure enclaves\n",
			       "INSECURE", (unsigned long long)checking->insecure);
	}
	return checking->anchor == ANCHOR_CLAIMED ? CLI_CLAIMED : CLI_OK;
}

/* ---- a line alone ---- */

static enum cli_exit report_line(const struct checking *checking, const json_t *json,
				 const struct cmt_proof *path)
{
	const json_t *head = json_object_get(json, "statement"),
		     *line = json_object_get(json, "line");
	if (checking->cli->json) {
		json_t *said = json_pack(
			"{s:b, s:O, s:O, s:I, s:O, s:I, s:I}", "ok",
			checking->anchor != ANCHOR_CLAIMED, "party", json_object_get(head, "party"),
			"period", json_object_get(head, "period"), "of", (json_int_t)path->total,
			"line", line, "signatures", (json_int_t)checking->signatures,
			"insecure_signatures", (json_int_t)checking->insecure);
		add_anchor(said, checking);
		cli_print_json(checking->cli, said);
	} else {
		printf("%-10s %s of %lld: %s of %s, amount %s\n", "line",
		       cli_text_of(line, "index"), (long long)path->total,
		       cli_text_of(line, "kind"), cli_text_of(line, "time"),
		       cli_text_of(line, "amount"));
		printf("%-10s %s %s, %s\n", "statement", cli_text_of(head, "role"),
		       cli_text_of(head, "party"), cli_text_of(head, "period"));
		printf("%-10s %zu hashes, to the root\n", "audit path", path->count);
		print_hash("app hash", &checking->app_hash);
		printf("%-10s %s\n", "", anchor_text(checking));
		if (checking->signatures > 0)
			printf("%-10s of the enclave verifies%s\n", "signature",
			       checking->insecure > 0 ? ", INSECURE: under the domain of simulated "
							"or insecure enclaves"
						      : "");
	}
	return checking->anchor == ANCHOR_CLAIMED ? CLI_CLAIMED : CLI_OK;
}

static enum cli_exit verify_line(struct checking *checking, const json_t *json)
{
	uint8_t bytes[LEDGER_USAGE_LINE_SIZE_MAX];
	struct ledger_usage_statement sum;
	struct ledger_usage_line line;
	struct cmt_proof path = {.count = 0};
	struct cs_why why = {{0}};
	size_t size = 0;
	enum cli_exit code = check_head(checking, json_object_get(json, "statement"));
	if (code != CLI_OK)
		return code;
	if (statement_line_read(&path, bytes, &size, json, &why) != CS_OK)
		return cli_fail(checking->cli, CLI_NO, "%s", why.text);
	if (ledger_usage_statement_decode(&sum, checking->head.value.value) != CS_OK)
		return cli_fail(checking->cli, CLI_NO, "a statement without lines");
	const struct cs_hash root = cmt_merkle_root(&sum.log);
	if (statement_take(&line, &checking->head.account, cs_bytes(bytes, size),
			   (uint64_t)path.index, &why) != CS_OK)
		return cli_fail(checking->cli, CLI_NO, "%s", why.text);
	path.total = (int64_t)sum.log.count;
	if (cmt_proof_check(&path, &root, cs_bytes(bytes, size)) != CS_OK)
		return cli_fail(checking->cli, CLI_NO,
				"the path does not lead from this line to the statement's root");
	if (checking->sig != NULL && line.kind == LEDGER_USAGE_CHARGE)
		code = check_signature(checking, &line, (uint64_t)path.index);
	return code == CLI_OK ? report_line(checking, json, &path) : code;
}

/* ---- a proof alone ---- */

static enum cli_exit verify_proof(struct checking *checking, const json_t *json, const char *path)
{
	struct statement_proof proof = {.memory = NULL};
	struct cs_why why = {{0}};
	const json_t *state = json_object_get(json, "state");
	enum cli_exit code = CLI_OK;
	if (statement_proof_read(&proof, state, &why) != CS_OK)
		code = cli_fail(checking->cli, CLI_NO, "%s: %s", path, why.text);
	if (code == CLI_OK)
		code = check_place(checking, json);
	if (code == CLI_OK && statement_proof_check(&proof, &checking->app_hash, &why) != CS_OK)
		code = cli_fail(checking->cli, CLI_NO, "%s: %s", path, why.text);
	if (code == CLI_OK && checking->cli->json) {
		json_t *said = json_pack("{s:b, s:b, s:o}", "ok",
					 checking->anchor != ANCHOR_CLAIMED, "exists",
					 proof.value.n > 0, "state", statement_proof_json(&proof));
		add_anchor(said, checking);
		cli_print_json(checking->cli, said);
	}
	if (code == CLI_OK && !checking->cli->json) {
		printf("%-10s %s\n", "key", cli_text_of(state, "key"));
		printf("%-10s %s\n", "value",
		       proof.value.n > 0 ? cli_text_of(state, "value") : "none: it is not there");
		print_hash("app hash", &checking->app_hash);
		printf("%-10s %s\n", "", anchor_text(checking));
	}
	if (code == CLI_OK && checking->anchor == ANCHOR_CLAIMED)
		code = CLI_CLAIMED;
	statement_proof_clear(&proof);
	return code;
}

/* ---- the command ---- */

static enum cli_exit verify_statement(struct checking *checking, struct statement_file *file)
{
	const json_t *head = statement_file_head(file);
	struct cs_why why = {{0}};
	enum cli_exit code = check_head(checking, head);
	if (code == CLI_OK)
		code = check_lines(checking, file);
	if (code == CLI_OK &&
	    statement_end(&checking->sum, checking->head.value.value, &why) != CS_OK)
		code = cli_fail(checking->cli, CLI_NO, "%s", why.text);
	return code == CLI_OK ? report(checking, head) : code;
}

/* One JSON document: a line with its path, or a proof. */
static enum cli_exit verify_document(struct checking *checking, const char *path)
{
	struct cs_why why = {{0}};
	uint8_t *bytes = NULL;
	size_t size = 0;
	if (host_file_load(&bytes, &size, path, PROOF_FILE_SIZE_MAX, &why) != CS_OK)
		return cli_fail(checking->cli, CLI_USAGE, "%s", why.text);
	json_t *json = json_loadb((const char *)bytes, size, JSON_REJECT_DUPLICATES, NULL);
	enum cli_exit code;
	free(bytes);
	if (json_object_get(json, "path") != NULL)
		code = verify_line(checking, json);
	else if (json_object_get(json, "state") != NULL)
		code = verify_proof(checking, json, path);
	else
		code = cli_fail(checking->cli, CLI_NO,
				"%s: neither a statement nor a line of one nor a proof", path);
	json_decref(json);
	return code;
}

static enum cli_exit verify_file(struct checking *checking, const char *path)
{
	struct statement_file file;
	struct cs_why why = {{0}};
	if (statement_file_open(&file, path, &why) != CS_OK)
		return cli_fail(checking->cli, CLI_USAGE, "%s", why.text);
	const bool is_statement = statement_file_head(&file) != NULL &&
				  json_object_get(file.document, "path") == NULL;
	enum cli_exit code =
		is_statement ? verify_statement(checking, &file) : verify_document(checking, path);
	statement_file_close(&file);
	return code;
}

enum cli_exit cli_ledger_verify(struct cli *cli)
{
	struct checking checking = {.cli = cli};
	if (cli->positional_count != 1)
		return cli_fail(cli, CLI_USAGE, "which file?");
	enum cli_exit code = find_anchor(&checking);
	if (code != CLI_OK)
		return code;
	if (cli_flag(cli, "signatures") && (checking.sig = cs_sig_new(NULL)) == NULL)
		return cli_fail(cli, CLI_FAILED, "no memory");
	code = verify_file(&checking, cli->positional[0]);
	statement_head_clear(&checking.head);
	cs_sig_free(checking.sig);
	return code;
}
