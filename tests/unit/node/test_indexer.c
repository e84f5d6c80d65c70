/* The index behind its thread: everything is in it once it is settled or closed, and after an error
 * nothing more, so that no height is missing below another. */
#include "relay_state/node/indexer.h"
#include "tests/unit/bft/past.h"

#include <stdlib.h>
#include <unistd.h>

#define HEIGHTS 200

struct scene {
	char folder[32], path[48];
	struct node_index *index;
	struct node_indexer *indexer;
	struct past past;
	uint8_t memory[16384];
};

static void open_it(struct scene *s)
{
	assert_int_equal(node_index_open(&s->index, s->path, NULL), CS_OK);
	s->indexer = node_indexer_new(s->index);
}

static void close_it(struct scene *s)
{
	node_indexer_free(s->indexer);
	node_index_close(s->index);
}

static struct scene *begin(void)
{
	struct scene *s = calloc(1, sizeof *s);
	assert_non_null(s);
	(void)snprintf(s->folder, sizeof s->folder, "/tmp/caisson-indexer-XXXXXX");
	assert_non_null(mkdtemp(s->folder));
	(void)snprintf(s->path, sizeof s->path, "%s/index.db", s->folder);
	past_init(&s->past);
	open_it(s);
	return s;
}

static void end(struct scene *s)
{
	static const char *const kinds[] = {"", "-wal", "-shm", ".lock"};
	char path[64];
	close_it(s);
	for (size_t i = 0; i < CS_LEN(kinds); i++) {
		(void)snprintf(path, sizeof path, "%s%s", s->path, kinds[i]);
		(void)unlink(path);
	}
	assert_int_equal(rmdir(s->folder), 0);
	free(s->past.scratch.block);
	free(s);
}

/* A block with one transaction, the text of its height. */
static struct node_indexer_job job(struct scene *s, int64_t height)
{
	char text[24];
	struct cs_buf buf;
	(void)snprintf(text, sizeof text, "%lld", (long long)height);
	struct cs_bytes tx = cs_bytes_str(text);
	struct cmt_block block = {.header = s->past.blocks[9].header,
				  .last_commit = s->past.blocks[8].commit,
				  .txs = &tx,
				  .tx_count = 1};
	size_t mark = cs_arena_mark(&s->past.scratch);
	assert_int_equal(cmt_block_fill_hashes(&block, &s->past.scratch), CS_OK);
	cs_arena_rewind(&s->past.scratch, mark);
	cs_buf_init(&buf, s->memory, sizeof s->memory);
	cmt_block_encode(&buf, &block);
	assert_int_equal(cs_buf_end(&buf), CS_OK);
	return (struct node_indexer_job){
		.place = {.height = height, .segment = 1, .hash = cs_sha256(cs_bytes_str(text))},
		.base = 1,
		.block = cs_buf_view(&buf)};
}

static void put(struct scene *s, int64_t first, int64_t last)
{
	for (int64_t h = first; h <= last; h++) {
		struct node_indexer_job j = job(s, h);
		assert_int_equal(node_indexer_put(s->indexer, &j, NULL), CS_OK);
	}
}

static int64_t last_of(struct scene *s)
{
	struct node_place place;
	return node_index_last(s->index, &place) == CS_OK ? place.height : 0;
}

static void check_all(struct scene *s, int64_t last)
{
	assert_int_equal(last_of(s), last);
	for (int64_t h = 1; h <= last; h++) {
		char text[24];
		struct node_hit hit;
		struct node_place place;
		(void)snprintf(text, sizeof text, "%lld", (long long)h);
		struct cs_hash hash = cs_sha256(cs_bytes_str(text));
		assert_int_equal(node_index_place(s->index, &place, h), CS_OK);
		assert_int_equal(node_index_tx(s->index, &hit, &hash), CS_OK);
		assert_int_equal(hit.height, h);
	}
}

static void settled_it_has_everything(void **unused)
{
	(void)unused;
	struct scene *s = begin();
	assert_int_equal(node_indexer_settle(s->indexer, NULL), CS_OK);
	put(s, 1, 1);
	assert_int_equal(node_indexer_settle(s->indexer, NULL), CS_OK);
	check_all(s, 1);
	/* More than may wait. */
	put(s, 2, HEIGHTS);
	assert_int_equal(node_indexer_settle(s->indexer, NULL), CS_OK);
	check_all(s, HEIGHTS);
	assert_int_equal(node_indexer_settle(s->indexer, NULL), CS_OK);
	end(s);
}

static void closed_it_has_everything(void **unused)
{
	(void)unused;
	struct scene *s = begin();
	put(s, 1, 5);
	close_it(s);
	open_it(s);
	check_all(s, 5);
	end(s);
}

/* Nobody settles: patience alone brings it in. */
static void written_without_being_asked(void **unused)
{
	(void)unused;
	struct scene *s = begin();
	put(s, 1, 3);
	for (int i = 0; i < 600 && node_indexer_waiting(s->indexer) > 0; i++)
		(void)usleep(50000);
	assert_int_equal(node_indexer_waiting(s->indexer), 0);
	check_all(s, 3);
	end(s);
}

static void ended(struct scene *s, int64_t last, enum cs_err err, const char *text)
{
	struct cs_why why = {{0}};
	assert_int_equal(node_indexer_settle(s->indexer, &why), err);
	assert_non_null(strstr(why.text, text));
	struct node_indexer_job j = job(s, last + 1);
	why = (struct cs_why){{0}};
	assert_int_equal(node_indexer_put(s->indexer, &j, &why), err);
	assert_non_null(strstr(why.text, text));
	assert_int_equal(node_indexer_settle(s->indexer, NULL), err);
	assert_int_equal(last_of(s), last);
	close_it(s);
	/* What it lacks may be added later. */
	open_it(s);
	check_all(s, last);
	put(s, last + 1, last + 2);
	assert_int_equal(node_indexer_settle(s->indexer, NULL), CS_OK);
	check_all(s, last + 2);
	end(s);
}

static void a_block_that_does_not_read_ends_it(void **unused)
{
	(void)unused;
	struct scene *s = begin();
	put(s, 1, 3);
	assert_int_equal(node_indexer_settle(s->indexer, NULL), CS_OK);
	struct node_indexer_job bad = job(s, 4);
	bad.block.n--;
	assert_int_equal(node_indexer_put(s->indexer, &bad, NULL), CS_OK);
	ended(s, 3, CS_ERR_TRUNCATED, "");
}

static void an_answer_to_another_question_ends_it(void **unused)
{
	(void)unused;
	static const uint8_t flush[] = {3 << 3 | 2, 0}; /* Response.flush */
	struct scene *s = begin();
	put(s, 1, 2);
	assert_int_equal(node_indexer_settle(s->indexer, NULL), CS_OK);
	struct node_indexer_job bad = job(s, 3);
	bad.results = CS_BYTES_OF(flush);
	assert_int_equal(node_indexer_put(s->indexer, &bad, NULL), CS_OK);
	ended(s, 2, CS_ERR_INVALID, "another question");
}

static void what_sqlite_refuses_ends_it(void **unused)
{
	(void)unused;
	struct scene *s = begin();
	put(s, 1, 2);
	assert_int_equal(node_indexer_settle(s->indexer, NULL), CS_OK);
	struct node_indexer_job again = job(s, 2);
	assert_int_equal(node_indexer_put(s->indexer, &again, NULL), CS_OK);
	ended(s, 2, CS_ERR_DUPLICATE, "the index: ");
}

/* Larger than all that may wait: it is taken alone. */
static void one_height_may_be_larger(void **unused)
{
	(void)unused;
	struct scene *s = begin();
	put(s, 1, 1);
	struct node_indexer_job large = job(s, 2);
	uint8_t *bytes = calloc(1, NODE_INDEXER_BYTES_MAX + 1);
	assert_non_null(bytes);
	large.results = cs_bytes(bytes, NODE_INDEXER_BYTES_MAX + 1);
	assert_int_equal(node_indexer_put(s->indexer, &large, NULL), CS_OK);
	assert_int_not_equal(node_indexer_settle(s->indexer, NULL), CS_OK);
	assert_int_equal(last_of(s), 1);
	free(bytes);
	end(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(settled_it_has_everything),
		cmocka_unit_test(closed_it_has_everything),
		cmocka_unit_test(written_without_being_asked),
		cmocka_unit_test(a_block_that_does_not_read_ends_it),
		cmocka_unit_test(an_answer_to_another_question_ends_it),
		cmocka_unit_test(what_sqlite_refuses_ends_it),
		cmocka_unit_test(one_height_may_be_larger),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
