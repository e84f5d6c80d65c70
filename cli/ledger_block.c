/* `caisson ledger light-block`: header, commit and validators of one height, asked of a node and checked by
 * the light client from what is trusted, into the file that `caisson ledger verify` takes. */
#include "adapters/cometbft/json.h"
#include "cli/ledger.h"
#include "cli/light.h"
#include "host/cometbft_text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_SIZE 100u
/* Heights that wait for one below them: each halves what is in between. */
#define PENDING_MAX 64u

struct asking {
	struct cli *cli;
	struct ledger_node node;
	struct cmt_light_options options;
	struct light trusted; /* no memory: none */
	unsigned steps;
	bool claimed; /* nothing that was given says that the validators are the ledger's */
};

/* ---- one block of a node ---- */

static enum cli_exit lie(const struct asking *asking, const char *what)
{
	return cli_fail(asking->cli, CLI_UNREACHABLE, "%s: %s", asking->node.url, what);
}

struct rows {
	struct cmt_validator list[CMT_VALIDATORS_MAX];
	size_t count;
	uint64_t total;
};

static bool take_rows(struct rows *rows, const json_t *result)
{
	const json_t *list = json_object_get(result, "validators");
	if (comet_json_u64(&rows->total, json_object_get(result, "total")) != CS_OK ||
	    rows->total > CMT_VALIDATORS_MAX || json_array_size(list) == 0 ||
	    json_array_size(list) > rows->total - rows->count)
		return false;
	for (size_t i = 0; i < json_array_size(list); i++)
		if (comet_json_validator(&rows->list[rows->count++], json_array_get(list, i)) !=
		    CS_OK)
			return false;
	return true;
}

static enum cli_exit ask_validators(struct asking *asking, struct rows *rows, int64_t height)
{
	rows->count = 0;
	do {
		json_t *result = NULL;
		json_t *params =
			json_pack("{s:o, s:o, s:o}", "height", cometbft_json_number(height), "page",
				  cometbft_json_number((int64_t)(rows->count / PAGE_SIZE + 1)),
				  "per_page", cometbft_json_number(PAGE_SIZE));
		enum cli_exit code = ledger_node_call(&asking->node, "validators", params, &result);
		if (code != CLI_OK)
			return code;
		const bool taken = take_rows(rows, result);
		json_decref(result);
		if (!taken)
			return lie(asking, "validators that do not read");
	} while (rows->count < rows->total);
	return CLI_OK;
}

static bool join(struct cs_buf *buf, struct cmt_light_block *block, const struct rows *rows,
		 void *memory, size_t size)
{
	struct cs_arena arena;
	struct cs_why why = {{0}};
	cs_arena_init(&arena, memory, size);
	if (cmt_validator_set_init(&block->validators, &arena, rows->count) != CS_OK ||
	    cmt_validator_set_fill(&block->validators, rows->list, rows->count, NULL, &why) !=
		    CS_OK)
		return false;
	cmt_validator_set_guess_proposer(&block->validators);
	cmt_light_block_encode(buf, block);
	return true;
}

/* Encoded and read again: what is written is what was checked. */
static enum cli_exit make(struct asking *asking, struct light *light, struct cs_buf *buf,
			  struct cmt_light_block *block)
{
	static struct rows rows;
	const size_t size = CMT_LIGHT_BLOCK_ARENA_SIZE(LIGHT_VALIDATORS_MAX);
	char name[64];
	enum cli_exit code = ask_validators(asking, &rows, block->header.height);
	if (code != CLI_OK)
		return code;
	void *memory = malloc(size);
	if (memory == NULL)
		return cli_fail(asking->cli, CLI_FAILED, "no memory");
	buf->n = 0;
	const bool made = join(buf, block, &rows, memory, size);
	free(memory);
	snprintf(name, sizeof(name), "block %lld", (long long)block->header.height);
	return made ? light_decode(asking->cli, light, cs_buf_view(buf), name)
		    : lie(asking, "validators that are no set");
}

/* height 0: the newest. buf gets the encoding. */
static enum cli_exit ask_block(struct asking *asking, struct light *light, struct cs_buf *buf,
			       int64_t height)
{
	struct cmt_light_block block = {.header = {.height = 0}};
	struct cs_why why = {{0}};
	json_t *result = NULL;
	json_t *params = height == 0 ? json_object()
				     : json_pack("{s:o}", "height", cometbft_json_number(height));
	enum cli_exit code = ledger_node_call(&asking->node, "commit", params, &result);
	if (code != CLI_OK)
		return code;
	const json_t *header = json_object_get(result, "signed_header");
	if (comet_json_header(&block.header, json_object_get(header, "header"), &why) != CS_OK ||
	    comet_json_commit(&block.commit, json_object_get(header, "commit"), &why) != CS_OK)
		code = lie(asking, why.text);
	else if (height != 0 && block.header.height != height)
		code = lie(asking, "a block of another height");
	if (code == CLI_OK)
		code = make(asking, light, buf, &block);
	comet_commit_clear(&block.commit);
	json_decref(result);
	return code;
}

/* ---- what is trusted ---- */

static enum cli_exit find_trusted(struct asking *asking, struct cs_buf *buf)
{
	const struct cli *cli = asking->cli;
	const char *file = cli_option(cli, "trusted"), *hash = cli_option(cli, "trusted-hash");
	uint64_t height = 0;
	if (!cli_number(cli, "trusted-height", INT64_MAX, &height) ||
	    (height == 0) != (hash == NULL) || (file != NULL && hash != NULL))
		return cli_fail(cli, CLI_USAGE,
				"--trusted FILE, or --trusted-height N and --trusted-hash HEX");
	if (file != NULL)
		return light_load(cli, &asking->trusted, file);
	if (hash == NULL)
		return CLI_OK;
	enum cli_exit code = ask_block(asking, &asking->trusted, buf, (int64_t)height);
	return code == CLI_OK ? light_expect(cli, "trusted-hash", &asking->trusted.hash) : code;
}

/* From the trusted block to the target, by as few blocks in between as the sets allow. */
static enum cli_exit follow(struct asking *asking, const struct light *target)
{
	struct light pending[PENDING_MAX], from = asking->trusted;
	const struct light *to = target;
	const size_t size = CMT_LIGHT_BLOCK_SIZE_MAX(LIGHT_VALIDATORS_MAX);
	uint8_t *memory = malloc(size);
	size_t count = 0;
	enum cli_exit code = CLI_OK;
	bool done = false;
	if (memory == NULL)
		return cli_fail(asking->cli, CLI_FAILED, "no memory");
	while (code == CLI_OK && !done) {
		int64_t pivot = 0;
		code = light_follow(asking->cli, &from, to, &asking->options, &pivot);
		if (code == CLI_OK) {
			asking->steps++;
			done = count == 0;
			if (from.memory != asking->trusted.memory)
				light_clear(&from);
			if (!done)
				from = pending[--count];
			to = count == 0 ? target : &pending[count - 1];
		} else if (pivot != 0 && count < PENDING_MAX) {
			struct cs_buf buf;
			cs_buf_init(&buf, memory, size);
			code = ask_block(asking, &pending[count], &buf, pivot);
			if (code == CLI_OK)
				to = &pending[count++];
		}
	}
	if (from.memory != asking->trusted.memory)
		light_clear(&from);
	while (count > 0)
		light_clear(&pending[--count]);
	free(memory);
	return code;
}

static enum cli_exit check(struct asking *asking, const struct light *light)
{
	const struct cmt_header *header = &light->block.header;
	const bool has_set = cli_option(asking->cli, "validators") != NULL;
	enum cli_exit code = CLI_OK;
	asking->claimed = asking->trusted.memory == NULL && !has_set;
	if (has_set)
		code = light_expect(asking->cli, "validators", &header->validators_hash.hash);
	if (code == CLI_OK && asking->trusted.memory != NULL)
		code = follow(asking, light);
	return code;
}

/* ---- prints ---- */

static enum cli_exit write_file(const struct cli *cli, struct cs_bytes bytes)
{
	const char *path = cli_option(cli, "out");
	FILE *out = fopen(path, "wx");
	if (out == NULL)
		return cli_fail(cli, CLI_USAGE, "%s: %s", path, strerror(errno));
	bool wrong = fwrite(bytes.p, 1, bytes.n, out) != bytes.n;
	wrong = fclose(out) != 0 || wrong;
	if (!wrong)
		return CLI_OK;
	(void)remove(path);
	return cli_fail(cli, CLI_FAILED, "%s: %s", path, strerror(errno));
}

static size_t signers(const struct cmt_commit *commit)
{
	size_t count = 0;
	for (size_t i = 0; i < commit->count; i++)
		count += commit->sigs[i].flag == CMT_COMMIT;
	return count;
}

static void report(const struct asking *asking, const struct light *light)
{
	const struct cmt_header *header = &light->block.header;
	char hash[65], app_hash[2 * CMT_APP_HASH_SIZE_MAX + 1], validators[65];
	char chain_id[LIGHT_CHAIN_ID_SIZE], time[COMETBFT_TIME_SIZE], trust[96];
	light_chain_id(chain_id, header);
	cs_hex(hash, CS_BYTES_OF(light->hash.b));
	cs_hex(app_hash, cmt_header_app_hash(header));
	cs_hex(validators, CS_BYTES_OF(header->validators_hash.hash.b));
	cometbft_time(time, header->time);
	if (asking->claimed)
		snprintf(trust, sizeof(trust), "none: its validators are its own word");
	else if (asking->trusted.memory == NULL)
		snprintf(trust, sizeof(trust), "signed by the validators given");
	else
		snprintf(trust, sizeof(trust), "follows from block %lld, in %u step%s",
			 (long long)asking->trusted.block.header.height, asking->steps,
			 asking->steps == 1 ? "" : "s");
	if (asking->cli->json) {
		cli_print_json(asking->cli,
			       json_pack("{s:b, s:s, s:I, s:s, s:s, s:s, s:s, s:I, s:I, s:I}", "ok",
					 !asking->claimed, "chain_id", chain_id, "height",
					 (json_int_t)header->height, "hash", hash, "time", time,
					 "app_hash", app_hash, "validators", validators, "signers",
					 (json_int_t)signers(&light->block.commit), "of",
					 (json_int_t)light->block.commit.count, "steps",
					 (json_int_t)asking->steps));
		return;
	}
	printf("%-10s %lld of %s, %s\n", "block", (long long)header->height, chain_id, time);
	printf("%-10s 0x%s\n", "hash", hash);
	printf("%-10s 0x%s, of the state after block %lld\n", "app hash", app_hash,
	       (long long)header->height - 1);
	printf("%-10s 0x%s, %zu of %zu signed\n", "validators", validators,
	       signers(&light->block.commit), light->block.commit.count);
	printf("%-10s %s\n", "trust", trust);
}

/* ---- the command ---- */

static enum cli_exit read_arguments(struct asking *asking, int64_t *height)
{
	const struct cli *cli = asking->cli;
	const char *text = cli->positional_count > 0 ? cli->positional[0] : "0";
	if (cli->positional_count > 1 || cometbft_unnumber(height, text) != CS_OK || *height < 0)
		return cli_fail(cli, CLI_USAGE, "which height? one number, or none for the newest");
	if (cli_option(cli, "out") == NULL)
		return cli_fail(cli, CLI_USAGE, "--out: where the light block goes, a new file");
	return light_options(cli, &asking->options);
}

enum cli_exit cli_ledger_light_block(struct cli *cli)
{
	static uint8_t memory[CMT_LIGHT_BLOCK_SIZE_MAX(LIGHT_VALIDATORS_MAX)];
	struct asking asking = {.cli = cli};
	struct light light = {.memory = NULL};
	struct cs_buf buf;
	int64_t height = 0;
	cs_buf_init(&buf, memory, sizeof(memory));
	enum cli_exit code = read_arguments(&asking, &height);
	if (code == CLI_OK)
		code = ledger_node_open(&asking.node, cli);
	if (code == CLI_OK)
		code = find_trusted(&asking, &buf);
	if (code == CLI_OK)
		code = ask_block(&asking, &light, &buf, height);
	if (code == CLI_OK)
		code = check(&asking, &light);
	if (code == CLI_OK)
		code = write_file(cli, cs_buf_view(&buf));
	if (code == CLI_OK) {
		report(&asking, &light);
		code = asking.claimed ? CLI_CLAIMED : CLI_OK;
	}
	light_clear(&light);
	light_clear(&asking.trusted);
	return code;
}
