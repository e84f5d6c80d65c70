/* A journal as lines and back: nothing is lost, and what was changed, cut, put together or is of another
 * version is refused with the line's number, and leaves an empty journal empty. */
#include "gateway/journal_export.h"
#include "gateway/journal_operator.h"
#include "tests/unit/support.h"

#include <stdlib.h>
#include <unistd.h>

struct fixture {
	struct gateway_journal *full;
	struct gateway_journal *empty;
	char paths[2][64];
	char *lines;
	size_t size;
	uint64_t rows;
};

static int open_one(struct gateway_journal **journal, char path[64])
{
	struct cs_why why = {{0}};
	snprintf(path, 64, "/tmp/caisson-journal-XXXXXX");
	int fd = mkstemp(path);
	if (fd < 0)
		return -1;
	close(fd);
	unlink(path);
	return gateway_journal_open(journal, NULL, path, &why) == CS_OK ? 0 : -1;
}

static void close_one(struct gateway_journal *journal, const char *path)
{
	static const char *const ends[] = {"", "-wal", "-shm", ".lock"};
	gateway_journal_close(journal);
	for (size_t i = 0; i < CS_LEN(ends); i++) {
		char name[96];
		snprintf(name, sizeof(name), "%s%s", path, ends[i]);
		unlink(name);
	}
}

static struct cs_hash a_hash(uint8_t first, uint8_t last)
{
	struct cs_hash hash = {{0}};
	hash.b[0] = first;
	hash.b[31] = last;
	return hash;
}

static enum cs_err fill(void *context)
{
	struct gateway_journal *journal = context;
	struct gateway_message m = {.id = a_hash(1, 1),
				    .side = RELAY_SOURCE,
				    .state = RELAY_OBSERVED,
				    .chain = a_hash(7, 7),
				    .remote = a_hash(8, 8),
				    .sequence = 1,
				    .deadline = 1900000000};
	const struct wire_message content = {.sender = cs_bytes_str("sender"),
					     .recipient = cs_bytes_str("recipient"),
					     .payload = CS_BYTES_NONE};
	const struct gateway_pause pause = {
		.from = "eip155:1", .who = "ops", .reason = "quotes \" and \\ and \xc3\xa9"};
	CS_TRY(gateway_journal_add(journal, &m, &content));
	CS_TRY(gateway_journal_put(journal, "cursor:1", cs_bytes_str("\x01\x02")));
	return gateway_journal_pause(journal, &pause);
}

static int setup(void **state)
{
	static struct fixture f;
	struct cs_why why = {{0}};
	memset(&f, 0, sizeof(f));
	if (open_one(&f.full, f.paths[0]) != 0 || open_one(&f.empty, f.paths[1]) != 0)
		return -1;
	if (host_store_write(gateway_journal_store(f.full), fill, f.full, NULL, NULL) != CS_OK)
		return -1;
	FILE *to = open_memstream(&f.lines, &f.size);
	if (gateway_journal_export(f.full, to, &f.rows, &why) != CS_OK)
		return -1;
	fclose(to);
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	close_one(f->full, f->paths[0]);
	close_one(f->empty, f->paths[1]);
	free(f->lines);
	return 0;
}

static enum cs_err import(struct fixture *f, const char *lines, size_t size, struct cs_why *why)
{
	uint64_t rows = 0;
	char *copy = strndup(lines, size);
	FILE *from = fmemopen(copy, size > 0 ? size : 1, "r");
	assert_non_null(from);
	if (size == 0)
		(void)fgetc(from);
	enum cs_err err = gateway_journal_import(f->empty, from, &rows, why);
	if (err == CS_OK)
		assert_int_equal(rows, f->rows);
	fclose(from);
	free(copy);
	return err;
}

/* What an export of the second journal says, beside that of the first. */
static bool is_same(struct fixture *f)
{
	struct cs_why why = {{0}};
	char *lines = NULL;
	size_t size = 0;
	uint64_t rows = 0;
	FILE *to = open_memstream(&lines, &size);
	assert_int_equal(gateway_journal_export(f->empty, to, &rows, &why), CS_OK);
	fclose(to);
	bool same = size == f->size && memcmp(lines, f->lines, size) == 0;
	free(lines);
	return same;
}

static void count_rows(void *ctx, const struct gateway_count *row)
{
	*(uint64_t *)ctx += row->count;
}

static void nothing_is_lost(void **state)
{
	struct fixture *f = *state;
	struct cs_why why = {{0}};
	struct gateway_message message;
	struct cs_hash id = a_hash(1, 1);
	assert_true(f->rows > 3);
	assert_int_equal(import(f, f->lines, f->size, &why), CS_OK);
	assert_true(is_same(f));
	assert_int_equal(gateway_journal_find(f->empty, &id, RELAY_SOURCE, &message), CS_OK);
	assert_int_equal(message.deadline, 1900000000);
	uint64_t before = 0;
	uint64_t after = 0;
	assert_int_equal(gateway_journal_counts(f->full, count_rows, &before), CS_OK);
	assert_int_equal(gateway_journal_counts(f->empty, count_rows, &after), CS_OK);
	assert_true(before > 0);
	assert_int_equal(after, before);
}

static void a_journal_that_is_not_empty_takes_nothing(void **state)
{
	struct fixture *f = *state;
	struct cs_why why = {{0}};
	assert_int_equal(import(f, f->lines, f->size, &why), CS_OK);
	assert_int_equal(import(f, f->lines, f->size, &why), CS_ERR_CONFLICT);
	assert_non_null(strstr(why.text, "not empty"));
	assert_true(is_same(f));
}

static void every_cut_is_noticed(void **state)
{
	struct fixture *f = *state;
	for (size_t n = f->size - 1; n > 0; n -= n > 37 ? 37 : n) {
		struct cs_why why = {{0}};
		assert_int_not_equal(import(f, f->lines, n, &why), CS_OK);
		assert_non_null(strstr(why.text, "line "));
	}
	struct cs_why why = {{0}};
	assert_int_equal(import(f, f->lines, f->size, &why), CS_OK); /* it is empty still */
}

static void every_change_is_noticed(void **state)
{
	struct fixture *f = *state;
	for (size_t i = 0; i < f->size; i += 11) {
		struct cs_why why = {{0}};
		char before = f->lines[i];
		f->lines[i] = before == '1' ? '2' : '1';
		assert_int_not_equal(import(f, f->lines, f->size, &why), CS_OK);
		f->lines[i] = before;
	}
	struct cs_why why = {{0}};
	assert_int_equal(import(f, f->lines, f->size, &why), CS_OK);
}

static void lines_that_no_journal_wrote(void **state)
{
	struct fixture *f = *state;
	static const struct {
		const char *lines;
		enum cs_err err;
	} cases[] = {
		{"{}\n", CS_ERR_MALFORMED},
		{"[1]\n", CS_ERR_MALFORMED},
		{"{\"caisson_journal\":2,\"schema\":1}\n", CS_ERR_UNSUPPORTED},
		{"{\"caisson_journal\":1,\"schema\":99999}\n", CS_ERR_UNSUPPORTED},
		{"{\"caisson_journal\":1,\"schema\":1}\n", CS_ERR_TRUNCATED},
		{"{\"caisson_journal\":1,\"schema\":1}\n[1]\n", CS_ERR_MALFORMED},
		{"{\"caisson_journal\":1,\"schema\":1}\n{\"table\":\"x\",\"columns\":[\"n\"]}\n",
		 CS_ERR_INVALID},
		{"{\"caisson_journal\":1,\"schema\":1}\n{\"table\":\"meta\",\"columns\":[\"name) "
		 "VALUES(1);--\"]}\n",
		 CS_ERR_INVALID},
		{"{\"caisson_journal\":1,\"schema\":1}\n{\"table\":\"meta\",\"columns\":[\"name\","
		 "\"name\"]}\n",
		 CS_ERR_INVALID},
		{"{\"caisson_journal\":1,\"schema\":1}\n{\"table\":\"meta\",\"columns\":[\"name\","
		 "\"value\"]}\n[\"a\",{\"b\":\"0\"}]\n",
		 CS_ERR_MALFORMED},
		{"{\"caisson_journal\":1,\"schema\":1}\n{\"table\":\"meta\",\"columns\":[\"name\","
		 "\"value\"]}\n[\"a\",1.5]\n",
		 CS_ERR_MALFORMED},
		{"{\"caisson_journal\":1,\"schema\":1}\n{\"table\":\"meta\",\"columns\":[\"name\","
		 "\"value\"]}\n[\"a\",7]\n",
		 CS_ERR_INVALID},
	};
	for (size_t i = 0; i < CS_LEN(cases); i++) {
		struct cs_why why = {{0}};
		assert_int_equal(import(f, cases[i].lines, strlen(cases[i].lines), &why),
				 cases[i].err);
		assert_non_null(strstr(why.text, "line "));
	}
	char *more = NULL;
	struct cs_why why = {{0}};
	assert_true(asprintf(&more, "%s[1]\n", f->lines) > 0);
	assert_int_equal(import(f, more, strlen(more), &why), CS_ERR_TRAILING);
	free(more);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(nothing_is_lost),
		T(a_journal_that_is_not_empty_takes_nothing),
		T(every_cut_is_noticed),
		T(every_change_is_noticed),
		T(lines_that_no_journal_wrote),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
