/* `caisson ledger statement`: asks a node for a party's statement, checks that it is complete, and
 * writes it with its proofs. */
#include "cli/ledger.h"
#include "relay_state/ledger/chain.h"
#include "relay_state/ledger/usage.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define WRITE_BUFFER_SIZE (1u * 1024 * 1024)

struct making {
	struct cli *cli;
	enum statement_format format;
	FILE *out;
	struct statement_head head;
	struct ledger_tip tip;
	struct statement_sum sum;
	uint64_t first; /* line that is not pruned */
	uint64_t count;
};

/* ---- arguments ---- */

static enum cli_exit read_arguments(struct making *making)
{
	const struct cli *cli = making->cli;
	struct ledger_usage_account *account = &making->head.account;
	const char *party = cli_option(cli, "party"), *role = cli_option(cli, "role");
	const char *period = cli_option(cli, "period"), *format = cli_option(cli, "format");
	if (party == NULL ||
	    cs_unhex(account->party.b, sizeof(account->party.b), cs_bytes_str(party)) != CS_OK)
		return cli_fail(cli, CLI_USAGE, "--party: an account, 20 bytes of hex");
	if (role == NULL || (strcmp(role, "provider") != 0 && strcmp(role, "consumer") != 0))
		return cli_fail(cli, CLI_USAGE, "--role: provider or consumer");
	if (period == NULL || statement_read_period(&account->period, period) != CS_OK)
		return cli_fail(cli, CLI_USAGE, "--period: a month, such as 2026-11");
	account->role =
		strcmp(role, "provider") == 0 ? LEDGER_USAGE_PROVIDER : LEDGER_USAGE_CONSUMER;
	making->format = STATEMENT_JSON;
	if (format != NULL && strcmp(format, "jsonl") == 0)
		making->format = STATEMENT_JSONL;
	else if (format != NULL && strcmp(format, "csv") == 0)
		making->format = STATEMENT_CSV;
	else if (format != NULL && strcmp(format, "json") != 0)
		return cli_fail(cli, CLI_USAGE, "--format: json, jsonl or csv");
	return CLI_OK;
}

/* ---- head ---- */

static enum cli_exit prove_head(struct making *making, struct ledger_node *node)
{
	uint8_t key[LEDGER_USAGE_STATEMENT_KEY_SIZE];
	struct statement_head *head = &making->head;
	enum cli_exit code = ledger_prove(node, &head->chain, &making->tip, ledger_chain_key());
	if (code != CLI_OK)
		return code;
	ledger_usage_statement_key(key, &head->account, false);
	code = ledger_prove(node, &head->value, &making->tip, CS_BYTES_OF(key));
	if (code != CLI_OK)
		return code;
	ledger_usage_statement_key(key, &head->account, true);
	code = ledger_prove(node, &head->pruned, &making->tip, CS_BYTES_OF(key));
	if (code == CLI_OK && head->pruned.value.n == 0)
		statement_proof_clear(&head->pruned);
	head->height = making->tip.height;
	head->app_hash = making->tip.app_hash;
	return code;
}

static enum cli_exit begin_sum(struct making *making)
{
	struct ledger_usage_statement sum;
	struct cs_why why = {{0}};
	if (statement_head_check(&making->head, &making->sum, &making->tip.app_hash, &why) != CS_OK)
		return cli_fail(making->cli, CLI_NO, "%s", why.text);
	making->first = making->sum.sum.log.count;
	making->count = making->first;
	if (making->head.value.value.n == 0)
		return CLI_OK;
	if (ledger_usage_statement_decode(&sum, making->head.value.value) != CS_OK ||
	    sum.log.count < making->first)
		return cli_fail(making->cli, CLI_NO, "the state's value is no statement");
	making->count = sum.log.count;
	return CLI_OK;
}

/* Takes the text of a head; what stands before the lines. */
static void write_head(const struct making *making, const char *head)
{
	switch (making->format) {
	case STATEMENT_JSON:
		fprintf(making->out, "{\"statement\":%s,\"lines\":[", head);
		return;
	case STATEMENT_JSONL:
		fprintf(making->out, "{\"statement\":%s}\n", head);
		return;
	case STATEMENT_CSV:
		fprintf(making->out, "# {\"statement\":%s}\n%s\n", head, statement_columns());
		return;
	}
}

static enum cli_exit put_head(struct making *making)
{
	json_t *json = statement_head_json(&making->head, making->tip.chain_id);
	char *text = json == NULL ? NULL : json_dumps(json, JSON_COMPACT);
	json_decref(json);
	if (text == NULL)
		return cli_fail(making->cli, CLI_FAILED, "no memory");
	write_head(making, text);
	free(text);
	return CLI_OK;
}

/* ---- lines ---- */

static void put_line(const struct making *making, uint64_t index,
		     const struct ledger_usage_line *line, struct cs_bytes bytes)
{
	char text[STATEMENT_LINE_SIZE_MAX];
	const size_t n = statement_line(text, making->format, index, line, bytes);
	if (making->format == STATEMENT_JSON)
		fputs(index == making->first ? "\n" : ",\n", making->out);
	fwrite(text, 1, n, making->out);
	if (making->format != STATEMENT_JSON)
		fputc('\n', making->out);
}

static void ask_page(void *context, struct ledger_question *question, uint8_t *data, size_t i)
{
	static const struct cs_address nobody;
	const struct making *making = context;
	const struct ledger_usage_account *account = &making->head.account;
	const struct cs_address to = ledger_contract_address(LEDGER_USAGE_NUMBER);
	const uint64_t from = making->first + (uint64_t)i * LEDGER_USAGE_PAGE;
	const uint64_t left = making->count - from;
	struct cs_abi abi;
	struct cs_buf buf, input;
	cs_buf_init(&buf, data, LEDGER_QUESTION_SIZE_MAX);
	cs_put(&buf, CS_BYTES_OF(nobody.b));
	cs_put(&buf, CS_BYTES_OF(to.b));
	cs_buf_init(&input, data + buf.n, LEDGER_QUESTION_SIZE_MAX - buf.n);
	cs_abi_call(&abi, &input, "lines(address,uint8,uint32,uint64,uint64)");
	cs_abi_put_address(&abi, &account->party);
	cs_abi_put_u64(&abi, (uint64_t)account->role);
	cs_abi_put_u64(&abi, account->period);
	cs_abi_put_u64(&abi, from);
	cs_abi_put_u64(&abi, left < LEDGER_USAGE_PAGE ? left : LEDGER_USAGE_PAGE);
	/* The newest state: lines stay what they were, and it may have more. */
	*question = (struct ledger_question){"/call", cs_bytes(data, buf.n + input.n), 0, false};
}

static enum cs_err open_page(struct cs_bytes *lines, struct cs_bytes output)
{
	struct cs_abi_reader reader;
	CS_TRY(cs_abi_read(&reader, output, 1));
	CS_TRY(cs_abi_get_bytes(&reader, output.n, lines));
	return cs_abi_end(&reader);
}

static enum cli_exit take_page(void *context, const struct ledger_reply *reply, size_t i)
{
	struct making *making = context;
	struct cs_bytes lines;
	struct cs_reader reader;
	struct cs_why why = {{0}};
	(void)i;
	if (open_page(&lines, reply->value) != CS_OK)
		return cli_fail(making->cli, CLI_NO, "a page that is none");
	cs_reader_init(&reader, lines);
	while (reader.left > 0) {
		const uint64_t index = making->sum.sum.log.count;
		const struct cs_bytes bytes = cs_get(&reader, cs_get_u16(&reader));
		struct ledger_usage_line line;
		if (reader.failed || index == making->count)
			return cli_fail(making->cli, CLI_NO, "a page that is none");
		if (statement_add(&making->sum, &line, bytes, &why) != CS_OK)
			return cli_fail(making->cli, CLI_NO, "%s", why.text);
		put_line(making, index, &line, bytes);
	}
	return CLI_OK;
}

static enum cli_exit put_lines(struct making *making, struct ledger_node *node)
{
	struct cs_why why = {{0}};
	const struct ledger_many pages = {
		.count =
			(making->count - making->first + LEDGER_USAGE_PAGE - 1) / LEDGER_USAGE_PAGE,
		.question = ask_page,
		.take = take_page,
		.context = making,
	};
	enum cli_exit code = ledger_ask_many(node, &pages);
	if (code != CLI_OK)
		return code;
	if (making->format == STATEMENT_JSON)
		fputs("\n]}\n", making->out);
	if (statement_end(&making->sum, making->head.value.value, &why) != CS_OK)
		return cli_fail(making->cli, CLI_NO, "%s", why.text);
	return CLI_OK;
}

/* ---- the command ---- */

static enum cli_exit make(struct making *making, struct ledger_node *node)
{
	uint64_t height = 0;
	if (!cli_number(making->cli, "height", INT64_MAX, &height))
		return cli_fail(making->cli, CLI_USAGE, "--height is not a number");
	enum cli_exit code = ledger_find_tip(node, &making->tip, height);
	if (code == CLI_OK)
		code = prove_head(making, node);
	if (code == CLI_OK)
		code = begin_sum(making);
	if (code == CLI_OK)
		code = put_head(making);
	return code == CLI_OK ? put_lines(making, node) : code;
}

static void report(const struct making *making, const char *path)
{
	char total[STATEMENT_TOTAL_SIZE];
	statement_total(total, &making->sum.sum);
	fprintf(stderr,
		"%s: %llu lines, %llu of them pruned, total %s; complete under the app hash of "
		"height %llu,\n  which is the node's word: caisson ledger verify asks for one "
		"that you trust\n",
		path, (unsigned long long)making->count, (unsigned long long)making->first, total,
		(unsigned long long)making->tip.height + 1);
}

enum cli_exit cli_ledger_statement(struct cli *cli)
{
	struct making making = {.cli = cli, .out = stdout};
	struct ledger_node node;
	const char *path = cli_option(cli, "out");
	enum cli_exit code = read_arguments(&making);
	if (code == CLI_OK)
		code = ledger_node_open(&node, cli);
	if (code != CLI_OK)
		return code;
	if (path != NULL)
		making.out = fopen(path, "wx");
	if (making.out == NULL)
		return cli_fail(cli, CLI_USAGE, "%s: %s", path, strerror(errno));
	char *buffer = malloc(WRITE_BUFFER_SIZE);
	if (buffer != NULL)
		setvbuf(making.out, buffer, _IOFBF, WRITE_BUFFER_SIZE);
	code = make(&making, &node);
	bool wrong = fflush(making.out) != 0 || ferror(making.out);
	if (path != NULL)
		wrong = fclose(making.out) != 0 || wrong;
	else
		setvbuf(stdout, NULL, _IONBF, 0);
	free(buffer);
	/* What is not whole is no statement. */
	if (path != NULL && (code != CLI_OK || wrong))
		(void)remove(path);
	if (code == CLI_OK && wrong)
		code = cli_fail(cli, CLI_FAILED, "%s: %s", path == NULL ? "standard output" : path,
				strerror(errno));
	if (code == CLI_OK && path != NULL)
		report(&making, path);
	statement_head_clear(&making.head);
	return code;
}
