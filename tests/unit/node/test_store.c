/* What a start refuses, what the store forgets when it is told to, and what its index finds. */
#include "core/hash.h"
#include "tests/unit/node/one.h"
#include "tests/unit/support.h"

#include <stdlib.h>
#include <string.h>

static struct one *made(int64_t height)
{
	struct one *one = calloc(1, sizeof *one);
	assert_non_null(one);
	one_init(one, 1);
	one->segment_size = 1;
	one->log_size = 1;
	assert_ok(one_start(one));
	assert_ok(one_run(one, height));
	return one;
}

static void end(struct one *one)
{
	one_done(one);
	free(one);
}

static void stop(struct one *one)
{
	one_stop(one);
	faulty_restart(&one->disk_of, false);
}

static void refuses(struct one *one)
{
	assert_err(one_start(one), CS_ERR_DAMAGED);
	assert_true(strlen(one->why.text) > 0);
	end(one);
}

static void lose(struct one *one, const char *name)
{
	stop(one);
	assert_true(faulty_lose(&one->disk_of, name));
}

/* ---- refusals ---- */

static void a_segment_in_the_middle_is_missing(void **unused)
{
	(void)unused;
	struct one *one = made(5);
	lose(one, "blocks-00000003");
	one_forget_index(one);
	refuses(one);
}

static void the_first_segment_is_missing(void **unused)
{
	(void)unused;
	struct one *one = made(5);
	lose(one, "blocks-00000001");
	one_forget_index(one);
	refuses(one);
}

static void the_last_segment_is_missing_and_the_index_knows(void **unused)
{
	(void)unused;
	struct one *one = made(5);
	lose(one, "blocks-00000005");
	refuses(one);
}

/* The application says its height too; here it is the log alone that remembers. */
static void the_last_segment_is_missing_and_the_log_knows(void **unused)
{
	(void)unused;
	struct one *one = made(5);
	one->disk_of.fault = FAULTY_KILL;
	one->disk_of.fault_at = one->disk_of.changes + 8;
	assert_err(one_run(one, 6), CS_ERR_IO);
	lose(one, "blocks-00000005");
	one_forget_index(one);
	refuses(one);
}

static void all_segments_are_missing(void **unused)
{
	(void)unused;
	struct one *one = made(2);
	stop(one);
	assert_true(faulty_lose(&one->disk_of, "blocks-00000001"));
	assert_true(faulty_lose(&one->disk_of, "blocks-00000002"));
	refuses(one);
}

static void the_sign_state_is_missing(void **unused)
{
	(void)unused;
	struct one *one = made(2);
	lose(one, "sign_state");
	refuses(one);
}

static void no_slot_of_the_sign_state_reads(void **unused)
{
	(void)unused;
	struct one *one = made(2);
	struct node_file file = {0};
	uint8_t byte = 0x55;
	stop(one);
	assert_ok(node_file_open(&file, &one->disk_of.folder, "sign_state", false, NULL));
	assert_ok(node_file_write(&file, 100, cs_bytes(&byte, 1), NULL));
	assert_ok(node_file_write(&file, BFT_SIGN_SLOT_SIZE + 100, cs_bytes(&byte, 1), NULL));
	node_file_close(&file);
	refuses(one);
}

static void the_sign_state_is_cut(void **unused)
{
	(void)unused;
	struct one *one = made(2);
	struct node_file file = {0};
	stop(one);
	assert_ok(node_file_open(&file, &one->disk_of.folder, "sign_state", false, NULL));
	assert_ok(node_file_truncate(&file, BFT_SIGN_SLOT_SIZE, NULL));
	node_file_close(&file);
	refuses(one);
}

static void turn(struct one *one, const char *name, size_t at)
{
	struct node_file file = {0};
	uint8_t byte;
	assert_ok(node_file_open(&file, &one->disk_of.folder, name, false, NULL));
	assert_ok(node_file_read(&file, at, &byte, 1, NULL));
	byte ^= 0x10;
	assert_ok(node_file_write(&file, at, cs_bytes(&byte, 1), NULL));
	node_file_close(&file);
}

/* Anywhere in the blocks: nothing that reads wrong goes unnoticed, but for the mark behind the last
 * record, which promises nothing by itself. */
static void a_turned_bit(void **unused)
{
	(void)unused;
	static const char *const names[] = {"blocks-00000001", "blocks-00000002"};
	struct one *one = made(2);
	size_t unnoticed = 0;
	stop(one);
	one->check_all = true;
	for (size_t k = 0; k < CS_LEN(names); k++) {
		size_t size = faulty_look(&one->disk_of, names[k]).n;
		for (size_t at = 0; at < size; at += 13) {
			turn(one, names[k], at);
			enum cs_err err = one_start(one);
			if (err == CS_OK) {
				assert_null(one->wrong);
				assert_true(at + NODE_RECORD_HEADER_SIZE >= size);
				unnoticed++;
				stop(one);
				continue;
			}
			assert_err(err, CS_ERR_DAMAGED);
			turn(one, names[k], at);
		}
	}
	assert_true(unnoticed <= 2 * (NODE_RECORD_HEADER_SIZE / 13 + 1));
	assert_ok(one_start(one));
	end(one);
}

static void the_index_is_of_another_chain(void **unused)
{
	(void)unused;
	struct one *one = made(3);
	struct one *other = calloc(1, sizeof *other);
	assert_non_null(other);
	one_init(other, 2);
	other->segment_size = 1;
	other->life = 7; /* its transactions differ */
	assert_ok(abci_kvstore_init(other->kvstore,
				    &(struct abci_kvstore_options){.memory = other->app_memory,
								   .memory_size = ONE_APP_SIZE}));
	assert_ok(one_start(other));
	assert_ok(one_run(other, 3));
	stop(one);
	stop(other);
	char path[sizeof one->index_path];
	memcpy(path, one->index_path, sizeof path);
	memcpy(one->index_path, other->index_path, sizeof path);
	memcpy(other->index_path, path, sizeof path);
	assert_err(one_start(one), CS_ERR_DAMAGED);
	end(one);
	end(other);
}

static void a_full_log_ends_the_node(void **unused)
{
	(void)unused;
	struct one *one = calloc(1, sizeof *one);
	assert_non_null(one);
	one_init(one, 1);
	one->log_size_max = 1500;
	assert_ok(one_start(one));
	assert_err(one_run(one, 5), CS_ERR_FULL);
	end(one);
}

static void what_does_not_follow_is_refused(void **unused)
{
	(void)unused;
	struct one *one = made(2);
	struct node_store *store = node_disk_store(one->disk);
	struct node_stored_block block = {.height = 5, .block = cs_bytes_str("block")};
	struct bft_effect save = {.type = BFT_EFFECT_SAVE_STATE, .height = 9};
	assert_err(node_store_put_block(store, &block, NULL), CS_ERR_CONFLICT);
	assert_err(node_store_put_outcome(store, 3, CS_BYTES_NONE, CS_BYTES_NONE, NULL),
		   CS_ERR_CONFLICT);
	assert_err(node_disk_execute(one->disk, &save, one->bft, NULL), CS_ERR_INVALID);
	block.height = 3;
	block.block.n = BFT_BLOCK_SIZE_MAX + 1;
	assert_err(node_store_put_block(store, &block, NULL), CS_ERR_TOO_LARGE);
	block.block.n = 5;
	assert_ok(node_store_put_block(store, &block, NULL));
	assert_ok(node_store_put_block(store, &block, NULL));
	block.id.parts.total = 1;
	assert_err(node_store_put_block(store, &block, NULL), CS_ERR_CONFLICT);
	end(one);
}

/* A block is anybody's bytes: what looks like a record in it is none, and a crash in the middle of
 * it stays a crash. */
static void a_block_that_looks_like_records(void **unused)
{
	(void)unused;
	struct one *one = made(2);
	struct node_store *store = node_disk_store(one->disk);
	struct node_scratch scratch = {0};
	struct node_record fake = {.type = NODE_RECORD_MARK, .height = 3};
	struct node_file file = {0};
	struct cs_bytes bytes;
	uint8_t many[8192] = {0};
	/* For each offset where it may come to lie, and some salts. */
	for (size_t i = 0; i + NODE_RECORD_HEADER_SIZE <= sizeof many;
	     i += NODE_RECORD_HEADER_SIZE) {
		assert_ok(node_record_encode(&bytes, &scratch, &fake,
					     NODE_SEGMENT_HEAD_SIZE + NODE_RECORD_HEADER_SIZE +
						     BFT_BLOCK_ID_SIZE + 4 + i,
					     i % 3));
		memcpy(many + i, bytes.p, bytes.n);
	}
	node_scratch_free(&scratch);
	struct node_stored_block block = {.height = 3, .block = CS_BYTES_OF(many)};
	assert_ok(node_store_put_block(store, &block, NULL));
	stop(one);
	assert_ok(node_file_open(&file, &one->disk_of.folder, "blocks-00000003", false, NULL));
	assert_ok(node_file_truncate(&file, 6000, NULL));
	node_file_close(&file);
	assert_ok(one_start(one));
	assert_int_equal(node_disk_found(one->disk)->store_torn, 6000 - NODE_SEGMENT_HEAD_SIZE);
	assert_int_equal(node_disk_found(one->disk)->stored, 2);
	end(one);
}

/* ---- letting go ---- */

static void old_segments_go(void **unused)
{
	(void)unused;
	struct one *one = calloc(1, sizeof *one);
	struct node_stored_block block;
	struct node_place place;
	const struct cmt_validator_set *set;
	assert_non_null(one);
	one_init(one, 1);
	one->segment_size = 1;
	one->retain_blocks = 3;
	assert_ok(one_start(one));
	assert_ok(one_run(one, 12));
	for (int life = 0; life < 2; life++) {
		struct node_store *store = node_disk_store(one->disk);
		int64_t base = node_store_look(store).base;
		assert_true(base >= 8 && base <= 10);
		assert_err(node_store_block(store, &block, base - 1, NULL), CS_ERR_NOT_FOUND);
		assert_ok(node_store_block(store, &block, base, NULL));
		assert_err(node_index_place(node_store_index(store), &place, base - 1),
			   CS_ERR_NOT_FOUND);
		assert_ok(node_disk_validators(one->disk, &set, base, NULL));
		assert_err(node_disk_validators(one->disk, &set, base - 1, NULL), CS_ERR_NOT_FOUND);
		assert_int_equal(faulty_look(&one->disk_of, "blocks-00000007").n, 0);
		/* The base outlives the index. */
		stop(one);
		one_forget_index(one);
		assert_ok(one_start(one));
		assert_null(one->wrong);
	}
	assert_ok(one_run(one, 14));
	lose(one, "blocks-00000012");
	one_forget_index(one);
	refuses(one);
}

/* ---- finding ---- */

static size_t search(struct one *one, struct node_hit *hits, size_t count_max, uint64_t *total,
		     const struct node_search *search)
{
	size_t count = 0;
	assert_ok(node_index_search(node_store_index(node_disk_store(one->disk)), hits, &count,
				    count_max, total, search));
	return count;
}

static bool is_longer(const void *context, struct cs_bytes value)
{
	return value.n > *(const size_t *)context;
}

/* Transactions are kH=v1 of each height; the kvstore names key and value in an event each. */
static void search_by_values(struct one *one)
{
	static const size_t none = 0, all = 100;
	const struct node_condition creator = {.key = cs_bytes_str("app.creator"),
					       .value = cs_bytes_str("Cosmoshi")};
	const struct node_condition same[] = {
		creator, {.key = cs_bytes_str("app.key"), .value = cs_bytes_str("v1")}};
	const struct node_condition other[] = {
		creator, {.key = cs_bytes_str("app.key"), .value = cs_bytes_str("k3")}};
	struct node_condition longer[] = {
		creator, {.key = cs_bytes_str("app.key"), .holds = is_longer, .context = &none}};
	struct node_hit hits[8];
	uint64_t total = 0;
	struct node_search s = {.conditions = same, .count = 2, .height_max = INT64_MAX};
	assert_int_equal(search(one, hits, 8, &total, &s), 5);
	assert_int_equal(hits[2].height, 3);
	/* Both are of the transaction, but not of one event. */
	s.conditions = other;
	assert_int_equal(search(one, hits, 8, &total, &s), 0);
	s.conditions = longer;
	assert_int_equal(search(one, hits, 8, &total, &s), 5);
	longer[1].context = &all;
	assert_int_equal(search(one, hits, 8, &total, &s), 0);
}

static void search_finds(struct one *one)
{
	const struct node_condition k3 = {.key = cs_bytes_str("app.key"),
					  .value = cs_bytes_str("k3")};
	const struct node_condition two[] = {
		k3, {.key = cs_bytes_str("app.key"), .value = cs_bytes_str("k4")}};
	const struct node_condition any = {.key = cs_bytes_str("app.creator"), .any = true};
	const struct node_condition hidden = {.key = cs_bytes_str("app.noindex_key"), .any = true};
	struct node_condition many[NODE_CONDITIONS_MAX + 1] = {{.any = true}};
	struct node_hit hits[8];
	uint64_t total = 0;
	size_t count = 0;
	struct node_search s = {.conditions = &k3, .count = 1, .height_max = INT64_MAX};
	assert_int_equal(search(one, hits, 8, &total, &s), 1);
	assert_int_equal(hits[0].height, 3);
	assert_int_equal(hits[0].position, 0);
	s.conditions = two;
	s.count = 2;
	assert_int_equal(search(one, hits, 8, &total, &s), 0);
	s.conditions = &hidden;
	s.count = 1;
	assert_int_equal(search(one, hits, 8, &total, &s), 0);
	s.conditions = &any;
	s.newest_first = true;
	s.skip = 1;
	assert_int_equal(search(one, hits, 2, &total, &s), 2);
	assert_int_equal(total, 5);
	assert_int_equal(hits[0].height, 4);
	assert_int_equal(hits[1].height, 3);
	s = (struct node_search){.blocks = true, .height_min = 2, .height_max = 3};
	assert_int_equal(search(one, hits, 8, &total, &s), 2);
	assert_int_equal(hits[0].position, -1);
	s = (struct node_search){.conditions = many, .count = CS_LEN(many)};
	assert_err(node_index_search(node_store_index(node_disk_store(one->disk)), hits, &count, 8,
				     &total, &s),
		   CS_ERR_INVALID);
}

static void the_index_finds_and_is_made_anew(void **unused)
{
	(void)unused;
	struct one *one = made(5);
	for (int life = 0; life < 2; life++) {
		struct node_store *store = node_disk_store(one->disk);
		struct node_index *index = node_store_index(store);
		struct node_stored_block block;
		struct node_hit hit = {0};
		struct cs_pb_time time;
		int64_t height = 0;
		bool has = true;
		struct cs_hash hash = cs_sha256(cs_bytes_str("k4=v1"));
		assert_ok(node_index_tx(index, &hit, &hash));
		assert_int_equal(hit.height, 4);
		assert_ok(node_store_block(store, &block, 2, NULL));
		assert_ok(node_index_block(index, &height, &block.id.hash.hash));
		assert_int_equal(height, 2);
		assert_ok(node_index_time(index, &time, 2));
		assert_err(node_index_block(index, &height, &hash), CS_ERR_NOT_FOUND);
		assert_err(node_index_tx(index, &hit, &block.id.hash.hash), CS_ERR_NOT_FOUND);
		assert_ok(node_index_has_evidence(index, &has, &hash));
		assert_false(has);
		search_finds(one);
		search_by_values(one);
		stop(one);
		one_forget_index(one);
		assert_ok(one_start(one));
		assert_null(one->wrong);
	}
	end(one);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_segment_in_the_middle_is_missing),
		cmocka_unit_test(the_first_segment_is_missing),
		cmocka_unit_test(the_last_segment_is_missing_and_the_index_knows),
		cmocka_unit_test(the_last_segment_is_missing_and_the_log_knows),
		cmocka_unit_test(all_segments_are_missing),
		cmocka_unit_test(the_sign_state_is_missing),
		cmocka_unit_test(no_slot_of_the_sign_state_reads),
		cmocka_unit_test(the_sign_state_is_cut),
		cmocka_unit_test(a_turned_bit),
		cmocka_unit_test(the_index_is_of_another_chain),
		cmocka_unit_test(a_full_log_ends_the_node),
		cmocka_unit_test(what_does_not_follow_is_refused),
		cmocka_unit_test(a_block_that_looks_like_records),
		cmocka_unit_test(old_segments_go),
		cmocka_unit_test(the_index_finds_and_is_made_anew),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
