/* `caisson ledger verify`: offline, what `caisson ledger statement` and `proof` print, against an app hash,
 * or a light block whose validators are known. Asks nobody. */
#include "cli/cli.h"
#include "cli/statement.h"
#include "core/sig.h"
#include "host/keyfile.h"
#include "verify/cometbft/light_block.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define VALIDATORS_MAX 1000u
#define PROOF_FILE_SIZE_MAX (1u * 1024 * 1024)

/* Where an app hash comes from. */
enum anchor {
	ANCHOR_GIVEN,   /* --app-hash */
	ANCHOR_TRUSTED, /* a light block of validators that were given */
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
	enum statement_format format;
	struct statement_head head;
	struct statement_sum sum;
	struct cs_hash chain;
	uint64_t lines, signatures, insecure;
};

/* ---- what is trusted ---- */

static enum cli_exit check_block(struct checking *checking, const struct cmt_light_block *block)
{
	const struct cmt_header *header = &block->header;
	const struct cs_bytes app_hash = cmt_header_app_hash(header);
	const struct cs_bytes chain_id = cmt_chain_id_bytes(&header->chain_id);
	const char *given = cli_option(checking->cli, "validators");
	struct cs_why why = {{0}};
	struct cs_hash validators;
	if (cmt_commit_verify_light(&block->commit, &block->validators, &header->chain_id,
				    &block->commit.block_id, header->height, true, &why) != CS_OK)
		return cli_fail(checking->cli, CLI_NO, "the light block: %s", why.text);
	if (given != NULL &&
	    cs_unhex(validators.b, sizeof(validators.b), cs_bytes_str(given)) != CS_OK)
		return cli_fail(checking->cli, CLI_USAGE, "--validators: 32 bytes of hex");
	if (given != NULL && !cs_hash_eq(&header->validators_hash.hash, &validators))
		return cli_fail(checking->cli, CLI_NO,
				"the light block is signed by other validators than --validators");
	if (app_hash.n != sizeof(checking->app_hash.b))
		return cli_fail(checking->cli, CLI_NO, "the light block's app hash has %zu bytes",
				app_hash.n);
	memcpy(checking->app_hash.b, app_hash.p, app_hash.n);
	checking->anchor = given == NULL ? ANCHOR_CLAIMED : ANCHOR_TRUSTED;
	checking->next_height = (uint64_t)header->height;
	checking->time_s = header->time.s < 0 ? 0 : (uint64_t)header->time.s;
	snprintf(checking->chain_id, sizeof(checking->chain_id), "%.*s", (int)chain_id.n,
		 (const char *)chain_id.p);
	return CLI_OK;
}

static enum cli_exit load_block(struct checking *checking, const char *path)
{
	const size_t arena_size = CMT_LIGHT_BLOCK_ARENA_SIZE(VALIDATORS_MAX);
	struct cs_why why = {{0}};
	struct cmt_light_block block;
	struct cs_arena arena;
	uint8_t *bytes = NULL;
	size_t size = 0;
	if (host_file_load(&bytes, &size, path, CMT_LIGHT_BLOCK_SIZE_MAX(VALIDATORS_MAX), &why) !=
	    CS_OK)
		return cli_fail(checking->cli, CLI_USAGE, "%s", why.text);
	void *memory = malloc(arena_size);
	enum cli_exit code = CLI_OK;
	if (memory == NULL) {
		code = cli_fail(checking->cli, CLI_FAILED, "no memory");
	} else {
		cs_arena_init(&arena, memory, arena_size);
		code = cmt_light_block_decode(&block, cs_bytes(bytes, size), &arena, &why) == CS_OK
			       ? check_block(checking, &block)
			       : cli_fail(checking->cli, CLI_NO, "%s: %s", path, why.text);
	}
	free(memory);
	free(bytes);
	return code;
}

static enum cli_exit find_anchor(struct checking *checking)
{
	const char *app_hash = cli_option(checking->cli, "app-hash");
	const char *block = cli_option(checking->cli, "light-block");
	if ((app_hash == NULL) == (block == NULL))
		return cli_fail(
			checking->cli, CLI_USAGE,
			"give --app-hash or --light-block: a proof is worth what its end is");
	if (block != NULL)
		return load_block(checking, block);
	if (cli_option(checking->cli, "validators") != NULL)
		return cli_fail(checking->cli, CLI_USAGE, "--validators is of a light block");
	checking->anchor = ANCHOR_GIVEN;
	return cs_unhex(checking->app_hash.b, sizeof(checking->app_hash.b),
			cs_bytes_str(app_hash)) == CS_OK
		       ? CLI_OK
		       : cli_fail(checking->cli, CLI_USAGE, "--app-hash: 32 bytes of hex");
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
				     const struct ledger_usage_line *line)
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
			(unsigned long long)checking->sum.sum.log.count - 1);
}

static enum cli_exit check_line(struct checking *checking, struct cs_bytes text)
{
	uint8_t bytes[LEDGER_USAGE_LINE_SIZE_MAX];
	struct ledger_usage_line line;
	struct cs_why why = {{0}};
	size_t size;
	const uint64_t index = checking->sum.sum.log.count;
	if (statement_read_line(bytes, &size, checking->format, index, text) != CS_OK)
		return cli_fail(checking->cli, CLI_NO,
				"line %llu does not read, or says something else than its bytes",
				(unsigned long long)index);
	if (statement_add(&checking->sum, &line, cs_bytes(bytes, size), &why) != CS_OK)
		return cli_fail(checking->cli, CLI_NO, "%s", why.text);
	checking->lines++;
	return checking->sig != NULL && line.kind == LEDGER_USAGE_CHARGE
		       ? check_signature(checking, &line)
		       : CLI_OK;
}

static bool is_text(struct cs_bytes line, const char *text)
{
	return cs_bytes_eq(line, cs_bytes_str(text));
}

/* What stands between head and lines, and after them. */
static enum cli_exit check_rest(struct checking *checking, FILE *file)
{
	char *memory = NULL;
	size_t room = 0;
	ssize_t n = 0;
	bool ended = checking->format != STATEMENT_JSON;
	bool comma = false, more = true;
	enum cli_exit code = CLI_OK;
	if (checking->format == STATEMENT_CSV &&
	    ((n = getline(&memory, &room, file)) < 1 ||
	     !is_text(cs_bytes(memory, (size_t)n - 1), statement_columns())))
		code = cli_fail(checking->cli, CLI_NO, "the columns are not those of a statement");
	while (code == CLI_OK && more && (n = getline(&memory, &room, file)) > 0) {
		struct cs_bytes line = cs_bytes(memory, (size_t)n);
		if (line.p[line.n - 1] != '\n') {
			code = cli_fail(checking->cli, CLI_NO, "the file is cut");
			break;
		}
		line.n--;
		if (checking->format == STATEMENT_JSON && is_text(line, "]}")) {
			ended = !comma;
			more = false;
			continue;
		}
		if (checking->format == STATEMENT_JSON) {
			/* Each but the last is followed by a comma. */
			if (checking->lines > 0 && !comma)
				code = CLI_NO;
			comma = line.n > 0 && line.p[line.n - 1] == ',';
			line.n -= comma;
		}
		code = code == CLI_OK ? check_line(checking, line)
				      : cli_fail(checking->cli, CLI_NO, "a comma is missing");
	}
	if (code == CLI_OK && (!ended || fgetc(file) != EOF))
		code = cli_fail(checking->cli, CLI_NO, "the file does not end as a statement does");
	free(memory);
	return code;
}

/* ---- heads ---- */

/* The head in the first line, which says the format too; NULL: the file is no statement. */
static json_t *read_head(struct checking *checking, struct cs_bytes line)
{
	static const char lines[] = ",\"lines\":[";
	static const char mark[] = "# ";
	const size_t end = sizeof(lines) - 1, begin = sizeof(mark) - 1;
	checking->format = STATEMENT_JSONL;
	if (line.n > begin && memcmp(line.p, mark, begin) == 0) {
		checking->format = STATEMENT_CSV;
		line = cs_bytes(line.p + begin, line.n - begin);
	} else if (line.n > end && memcmp(line.p + line.n - end, lines, end) == 0) {
		char *text = malloc(line.n);
		checking->format = STATEMENT_JSON;
		if (text == NULL)
			return NULL;
		memcpy(text, line.p, line.n - end);
		text[line.n - end] = '}';
		json_t *json = json_loadb(text, line.n - end + 1, JSON_REJECT_DUPLICATES, NULL);
		free(text);
		return json;
	}
	return json_loadb((const char *)line.p, line.n, JSON_REJECT_DUPLICATES, NULL);
}

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
		return "given";
	case ANCHOR_TRUSTED:
		return "of the light block, signed by the validators given";
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
		cli_print_json(
			cli,
			json_pack("{s:b, s:s, s:s, s:s, s:O, s:I, s:I, s:O, s:O, s:O, s:I, s:I}",
				  "ok", checking->anchor != ANCHOR_CLAIMED, "party",
				  cli_text_of(json, "party"), "role", cli_text_of(json, "role"),
				  "period", cli_text_of(json, "period"), "height",
				  json_object_get(json, "height"), "lines",
				  (json_int_t)checking->lines, "pruned", (json_int_t)pruned,
				  "charged", json_object_get(json, "charged"), "credited",
				  json_object_get(json, "credited"), "total",
				  json_object_get(json, "total"), "signatures",
				  (json_int_t)checking->signatures, "insecure_signatures",
				  (json_int_t)checking->insecure));
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

/* ---- a proof alone ---- */

static enum cli_exit verify_proof(struct checking *checking, const char *path)
{
	struct statement_proof proof = {.memory = NULL};
	struct cs_why why = {{0}};
	uint8_t *bytes = NULL;
	size_t size = 0;
	if (host_file_load(&bytes, &size, path, PROOF_FILE_SIZE_MAX, &why) != CS_OK)
		return cli_fail(checking->cli, CLI_USAGE, "%s", why.text);
	json_t *json = json_loadb((const char *)bytes, size, JSON_REJECT_DUPLICATES, NULL);
	free(bytes);
	enum cli_exit code = CLI_OK;
	if (json_object_get(json, "state") == NULL)
		code = cli_fail(checking->cli, CLI_NO, "%s: neither a statement nor a proof", path);
	if (code == CLI_OK &&
	    statement_proof_read(&proof, json_object_get(json, "state"), &why) != CS_OK)
		code = cli_fail(checking->cli, CLI_NO, "%s: %s", path, why.text);
	if (code == CLI_OK)
		code = check_place(checking, json);
	if (code == CLI_OK && statement_proof_check(&proof, &checking->app_hash, &why) != CS_OK)
		code = cli_fail(checking->cli, CLI_NO, "%s: %s", path, why.text);
	if (code == CLI_OK && checking->cli->json)
		cli_print_json(checking->cli,
			       json_pack("{s:b, s:b, s:o}", "ok",
					 checking->anchor != ANCHOR_CLAIMED, "exists",
					 proof.value.n > 0, "state", statement_proof_json(&proof)));
	if (code == CLI_OK && !checking->cli->json) {
		const json_t *state = json_object_get(json, "state");
		printf("%-10s %s\n", "key", cli_text_of(state, "key"));
		printf("%-10s %s\n", "value",
		       proof.value.n > 0 ? cli_text_of(state, "value") : "none: it is not there");
		print_hash("app hash", &checking->app_hash);
		printf("%-10s %s\n", "", anchor_text(checking));
	}
	if (code == CLI_OK && checking->anchor == ANCHOR_CLAIMED)
		code = CLI_CLAIMED;
	statement_proof_clear(&proof);
	json_decref(json);
	return code;
}

/* ---- the command ---- */

static enum cli_exit verify_statement(struct checking *checking, FILE *file, const json_t *head)
{
	struct cs_why why = {{0}};
	enum cli_exit code = check_head(checking, head);
	if (code == CLI_OK)
		code = check_rest(checking, file);
	if (code == CLI_OK &&
	    statement_end(&checking->sum, checking->head.value.value, &why) != CS_OK)
		code = cli_fail(checking->cli, CLI_NO, "%s", why.text);
	return code == CLI_OK ? report(checking, head) : code;
}

static enum cli_exit verify_file(struct checking *checking, const char *path)
{
	char *memory = NULL;
	size_t room = 0;
	FILE *file = fopen(path, "r");
	if (file == NULL)
		return cli_fail(checking->cli, CLI_USAGE, "%s: %s", path, strerror(errno));
	ssize_t n = getline(&memory, &room, file);
	while (n > 0 && (memory[n - 1] == '\n' || memory[n - 1] == '\r'))
		n--;
	json_t *json = n <= 0 || (size_t)n > STATEMENT_HEAD_SIZE_MAX
			       ? NULL
			       : read_head(checking, cs_bytes(memory, (size_t)n));
	const json_t *head = json_object_get(json, "statement");
	enum cli_exit code = head != NULL ? verify_statement(checking, file, head)
					  : verify_proof(checking, path);
	json_decref(json);
	free(memory);
	(void)fclose(file);
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
