/* `caisson ledger line`: offline, one line of a statement's file with its audit path. The file must be whole;
 * that its head is the ledger's is what `caisson ledger verify` asks of both. */
#include "cli/cli.h"
#include "cli/statement_file.h"
#include "cli/statement_path.h"

#include <string.h>

struct taking {
	struct cli *cli;
	struct statement_file file;
	struct statement_head head;
	struct statement_sum sum;
	struct statement_leaves leaves;
	uint64_t index;
	struct ledger_usage_line line;
	uint8_t bytes[LEDGER_USAGE_LINE_SIZE_MAX];
	size_t size; /* 0: not there yet */
};

static enum cli_exit begin(struct taking *taking)
{
	struct cs_why why = {{0}};
	const json_t *head = statement_file_head(&taking->file);
	if (head == NULL)
		return cli_fail(taking->cli, CLI_NO, "%s: no statement",
				taking->cli->positional[0]);
	if (statement_head_read(&taking->head, head, &why) != CS_OK ||
	    statement_head_begin(&taking->head, &taking->sum, &why) != CS_OK)
		return cli_fail(taking->cli, CLI_NO, "the head: %s", why.text);
	statement_leaves_init(&taking->leaves, &taking->sum.sum.log);
	return CLI_OK;
}

static enum cs_err take_line(struct taking *taking, bool *more, struct cs_why *why)
{
	const uint64_t index = taking->sum.sum.log.count;
	uint8_t bytes[LEDGER_USAGE_LINE_SIZE_MAX];
	struct ledger_usage_line line;
	size_t size = 0;
	CS_TRY(statement_file_next(&taking->file, more, bytes, &size, index, why));
	if (!*more)
		return CS_OK;
	CS_TRY(statement_add(&taking->sum, &line, cs_bytes(bytes, size), why));
	CS_TRY(statement_leaves_add(&taking->leaves, cs_bytes(bytes, size)));
	if (index == taking->index) {
		memcpy(taking->bytes, bytes, size);
		taking->size = size;
		return ledger_usage_line_decode(&taking->line, cs_bytes(taking->bytes, size));
	}
	return CS_OK;
}

static enum cli_exit take(struct taking *taking)
{
	struct cs_why why = {{0}};
	struct cmt_proof proof;
	bool more = true;
	while (more)
		if (take_line(taking, &more, &why) != CS_OK)
			return cli_fail(taking->cli, CLI_NO, "%s", why.text);
	if (statement_end(&taking->sum, taking->head.value.value, &why) != CS_OK)
		return cli_fail(taking->cli, CLI_NO, "%s", why.text);
	if (taking->size == 0 || statement_path(&proof, &taking->leaves, taking->index) != CS_OK)
		return cli_fail(taking->cli, CLI_REFUSED,
				"the file has lines %llu to %llu, and not this one",
				(unsigned long long)taking->leaves.pruned.count,
				(unsigned long long)taking->sum.sum.log.count - 1);
	cli_print_json(taking->cli,
		       statement_line_json(json_object_get(taking->file.document, "statement"),
					   &proof, &taking->line,
					   cs_bytes(taking->bytes, taking->size)));
	return CLI_OK;
}

enum cli_exit cli_ledger_line(struct cli *cli)
{
	struct taking taking = {.cli = cli};
	struct cs_why why = {{0}};
	struct cs_u256 number;
	if (cli->positional_count != 2 ||
	    cs_u256_from_decimal(&number, cs_bytes_str(cli->positional[1])) != CS_OK ||
	    cs_u256_to_u64(&taking.index, &number) != CS_OK)
		return cli_fail(cli, CLI_USAGE, "which file, and the index of which line?");
	if (statement_file_open(&taking.file, cli->positional[0], &why) != CS_OK)
		return cli_fail(cli, CLI_USAGE, "%s", why.text);
	enum cli_exit code = begin(&taking);
	if (code == CLI_OK)
		code = take(&taking);
	statement_leaves_clear(&taking.leaves);
	statement_head_clear(&taking.head);
	statement_file_close(&taking.file);
	return code;
}
