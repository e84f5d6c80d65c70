/* The kvstore's content in SQLite: what was committed is there again, what was not is not; files that
 * no commit has written. */
#include "host/alloc.h"
#include "relay_state/abci/app.h"
#include "relay_state/node/kvstore_db.h"
#include "tests/unit/support.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define MEMORY_SIZE (4u * 1024 * 1024)

struct scene {
	char folder[64], path[128];
	struct node_kvstore_db *db;
	struct abci_kvstore store;
	struct abci_app app;
	void *memory, *arena_memory;
	struct cs_arena arena;
	struct cs_why why;
};

static enum cs_err open_scene(struct scene *s, size_t memory_size)
{
	struct abci_kvstore_options options = {.memory = s->memory, .memory_size = memory_size};
	CS_TRY(node_kvstore_db_open(&s->db, s->path, &s->why));
	options.hooks = node_kvstore_db_hooks(s->db);
	assert_ok(abci_kvstore_init(&s->store, &options));
	s->app = abci_kvstore_app(&s->store);
	return node_kvstore_db_load(s->db, &s->store, &s->why);
}

static void close_scene(struct scene *s)
{
	node_kvstore_db_close(s->db);
	s->db = NULL;
}

static int set_up(void **state)
{
	struct scene *s = host_alloc(sizeof *s);
	(void)snprintf(s->folder, sizeof s->folder, "/tmp/caisson-kvstore-XXXXXX");
	assert_non_null(mkdtemp(s->folder));
	(void)snprintf(s->path, sizeof s->path, "%s/application.db", s->folder);
	s->memory = host_alloc(MEMORY_SIZE);
	s->arena_memory = host_alloc(MEMORY_SIZE);
	cs_arena_init(&s->arena, s->arena_memory, MEMORY_SIZE);
	*state = s;
	return 0;
}

static int tear_down(void **state)
{
	static const char *const suffixes[] = {"", "-wal", "-shm", ".lock"};
	struct scene *s = *state;
	char path[160];
	close_scene(s);
	for (size_t i = 0; i < CS_LEN(suffixes); i++) {
		(void)snprintf(path, sizeof path, "%s%s", s->path, suffixes[i]);
		(void)unlink(path);
	}
	(void)rmdir(s->folder);
	free(s->memory);
	free(s->arena_memory);
	free(s);
	return 0;
}

static void finalize(struct scene *s, int64_t height, const char *const *texts, size_t count)
{
	struct cs_bytes txs[8];
	struct abci_finalize_block_response response = {0};
	const struct abci_call call = {&s->arena, &s->why};
	for (size_t i = 0; i < count; i++)
		txs[i] = cs_bytes_str(texts[i]);
	const struct abci_finalize_block_request request = {.txs = {txs, count}, .height = height};
	assert_ok(s->app.finalize_block(s->app.state, &request, &response, &call));
}

static enum cs_err commit(struct scene *s)
{
	struct abci_commit_response response = {0};
	const struct abci_call call = {&s->arena, &s->why};
	return s->app.commit(s->app.state, &response, &call);
}

static void has(struct scene *s, const char *key, const char *value)
{
	struct cs_bytes found;
	if (value == NULL) {
		assert_err(abci_kvstore_get(&s->store, cs_bytes_str(key), &found),
			   CS_ERR_NOT_FOUND);
		return;
	}
	assert_ok(abci_kvstore_get(&s->store, cs_bytes_str(key), &found));
	assert_true(cs_bytes_eq(found, cs_bytes_str(value)));
}

#define KEY "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA="

static void what_was_committed_is_there_again(void **state)
{
	static const char *const first[] = {"a=1", "b=", "val=ed25519!" KEY "!7"};
	static const char *const second[] = {"a=2", "c=3"};
	static const char *const third[] = {"c=4", "val=ed25519!" KEY "!0"};
	struct scene *s = *state;
	assert_ok(open_scene(s, MEMORY_SIZE));
	assert_int_equal(s->store.height, 0);
	finalize(s, 1, first, 3);
	assert_ok(commit(s));
	finalize(s, 2, second, 2);
	assert_ok(commit(s));
	/* Decided and not committed: as if it had never been. */
	finalize(s, 3, third, 2);
	close_scene(s);
	assert_ok(open_scene(s, MEMORY_SIZE));
	assert_int_equal(s->store.height, 2);
	assert_int_equal(s->store.size, 5);
	has(s, "a", "2");
	has(s, "b", "");
	has(s, "c", "3");
	has(s, "d", NULL);
	assert_int_equal(s->store.validator_count, 1);
	assert_int_equal(s->store.validators[0].power, 7);
	finalize(s, 3, third, 2);
	assert_ok(commit(s));
	close_scene(s);
	assert_ok(open_scene(s, MEMORY_SIZE));
	assert_int_equal(s->store.height, 3);
	has(s, "c", "4");
	assert_int_equal(s->store.validator_count, 0);
}

static void one_process(void **state)
{
	struct scene *s = *state;
	struct node_kvstore_db *other = NULL;
	assert_ok(open_scene(s, MEMORY_SIZE));
	assert_err(node_kvstore_db_open(&other, s->path, &s->why), CS_ERR_CONFLICT);
	assert_null(other);
}

static void what_is_no_database(void **state)
{
	struct scene *s = *state;
	FILE *file = fopen(s->path, "w");
	assert_non_null(file);
	for (int i = 0; i < 200; i++)
		(void)fputs("this is no database\n", file);
	(void)fclose(file);
	assert_int_equal(chmod(s->path, 0600), 0);
	assert_true(open_scene(s, MEMORY_SIZE) != CS_OK);
	assert_null(s->db);
	assert_true(s->why.text[0] != 0);
}

/* More than the memory of the next start holds. */
static void what_does_not_fit(void **state)
{
	struct scene *s = *state;
	char *tx = host_alloc(1024 * 1024 + 1);
	memset(tx, 'x', 1024 * 1024);
	tx[1] = '=';
	const char *txs[] = {tx};
	assert_ok(open_scene(s, MEMORY_SIZE));
	finalize(s, 1, txs, 1);
	assert_ok(commit(s));
	free(tx);
	close_scene(s);
	assert_err(open_scene(s, 512 * 1024), CS_ERR_NO_MEMORY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_was_committed_is_there_again, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(one_process, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_no_database, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_does_not_fit, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
