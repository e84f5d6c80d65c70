/* A statement's file, in any of its three formats, and the document of one line with its path, as somebody sends them:
 * each line that reads is the text of its bytes in every format, and a head that reads is written again to one that
 * reads. */
#include "cli/statement_file.h"
#include "cli/statement_path.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <unistd.h>

#define LINES_MAX 1000u

static char path[256];

static void at_the_end(void)
{
	(void)unlink(path);
}

/* A file by its path, as the command line has it. */
static void put(struct cs_bytes bytes)
{
	if (path[0] == 0) {
		const char *below = getenv("TMPDIR");
		(void)snprintf(path, sizeof(path), "%s/caisson-statement-%ld",
			       below ? below : "/tmp", (long)getpid());
		cs_assert(atexit(at_the_end) == 0);
	}
	FILE *file = fopen(path, "w");
	cs_assert(file != NULL && (bytes.n == 0 || fwrite(bytes.p, bytes.n, 1, file) == 1));
	cs_assert(fclose(file) == 0);
}

static void check_line(struct cs_bytes bytes, uint64_t index)
{
	static const enum statement_format formats[] = {STATEMENT_JSON, STATEMENT_JSONL,
							STATEMENT_CSV};
	static char text[STATEMENT_LINE_SIZE_MAX];
	static uint8_t again[LEDGER_USAGE_LINE_SIZE_MAX];
	struct ledger_usage_line line;
	size_t size = 0;
	cs_assert(ledger_usage_line_decode(&line, bytes) == CS_OK);
	for (size_t i = 0; i < CS_LEN(formats); i++) {
		const size_t n = statement_line(text, formats[i], index, &line, bytes);
		cs_assert(n < sizeof(text));
		cs_assert(statement_read_line(again, &size, formats[i], index, cs_bytes(text, n)) ==
			  CS_OK);
		cs_assert(cs_bytes_eq(cs_bytes(again, size), bytes));
	}
}

static void check_head(const json_t *json)
{
	struct statement_head head = {.height = 0};
	struct statement_head again = {.height = 0};
	struct statement_sum statement;
	struct cs_why why = {{0}};
	if (statement_head_read(&head, json, &why) != CS_OK) {
		cs_assert(why.text[0] != 0);
		return;
	}
	json_t *written = statement_head_json(&head, "chain-1");
	cs_assert(written != NULL && statement_head_read(&again, written, &why) == CS_OK);
	cs_assert(cs_bytes_eq(head.value.value, again.value.value) && head.height == again.height);
	/* No app hash of the input's is the root of the input's proof and ours. */
	const struct cs_hash other = {{1}};
	cs_assert(statement_head_begin(&head, &statement, &why) == CS_OK);
	cs_assert(statement_head_check(&head, &statement, &other, &why) != CS_OK);
	json_decref(written);
	statement_head_clear(&again);
	statement_head_clear(&head);
}

static void read_file(void)
{
	struct statement_file file;
	struct cs_why why = {{0}};
	uint8_t bytes[LEDGER_USAGE_LINE_SIZE_MAX];
	size_t size = 0;
	bool more = true;
	cs_assert(statement_file_open(&file, path, &why) == CS_OK);
	check_head(statement_file_head(&file));
	for (uint64_t i = 0; more && i < LINES_MAX; i++) {
		if (statement_file_next(&file, &more, bytes, &size, i, &why) != CS_OK) {
			cs_assert(why.text[0] != 0);
			break;
		}
		if (more)
			check_line(cs_bytes(bytes, size), i);
	}
	statement_file_close(&file);
}

static void read_document(struct cs_bytes document)
{
	struct cmt_proof proof;
	struct cs_why why = {{0}};
	uint8_t bytes[LEDGER_USAGE_LINE_SIZE_MAX];
	size_t size = 0;
	json_t *json =
		json_loadb((const char *)document.p, document.n, JSON_REJECT_DUPLICATES, NULL);
	if (json && statement_line_read(&proof, bytes, &size, json, &why) == CS_OK) {
		cs_assert(proof.count <= CMT_AUNTS_MAX && proof.index >= 0);
		check_line(cs_bytes(bytes, size), (uint64_t)proof.index);
	}
	json_decref(json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size > 65536)
		return 0;
	put(cs_bytes(data, size));
	read_file();
	read_document(cs_bytes(data, size));
	return 0;
}
