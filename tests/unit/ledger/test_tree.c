/* The state tree: roots and proofs of tests/vectors/ledger_tree (made without pages, judged by others'
 * libraries), pages that follow from the pairs alone, older versions, and stores that are damaged. */
#include "relay_state/ledger/page.h"
#include "relay_state/ledger/tree.h"
#include "tests/unit/ledger/memory_db.h"
#include "tests/unit/support.h"
#include "verify/cometbft/ics23.h"

#define ARENA_SIZE (16u * 1024 * 1024)

struct scene {
	struct memory_db *db;
	struct ledger_db table;
	struct cs_arena arena;
	struct cs_hash root; /* of the last commit */
	uint8_t proof[LEDGER_PROOF_SIZE_MAX];
};

static int set_up(void **state)
{
	struct scene *s = calloc(1, sizeof *s);
	assert_non_null(s);
	s->db = memory_db_new();
	s->table = memory_db_table(s->db);
	void *memory = aligned_alloc(16, ARENA_SIZE);
	assert_non_null(memory);
	cs_arena_init(&s->arena, memory, ARENA_SIZE);
	*state = s;
	return 0;
}

static int tear_down(void **state)
{
	struct scene *s = *state;
	memory_db_free(s->db);
	void *memory = s->arena.block;
	cs_arena_done(&s->arena);
	free(memory);
	free(s);
	return 0;
}

/* ---- changes ---- */

static int by_key(const void *a, const void *b)
{
	const struct ledger_change *x = a, *y = b;
	size_t n = x->key.n < y->key.n ? x->key.n : y->key.n;
	int order = memcmp(x->key.p, y->key.p, n);
	return order != 0 ? order : (x->key.n > y->key.n) - (x->key.n < y->key.n);
}

/* Pairs of hex; an empty value removes. */
static struct ledger_changes changes_of(const json_t *pairs)
{
	size_t count = json_array_size(pairs);
	struct ledger_change *items = keep(count * sizeof *items);
	for (size_t i = 0; i < count; i++) {
		const json_t *pair = json_array_get(pairs, i);
		items[i].key = unhex(json_string_value(json_array_get(pair, 0)));
		items[i].value = unhex(json_string_value(json_array_get(pair, 1)));
		items[i].removed = items[i].value.n == 0;
	}
	qsort(items, count, sizeof *items, by_key);
	return (struct ledger_changes){items, count};
}

static size_t commit(struct scene *s, const struct ledger_changes *values, uint64_t keep_from)
{
	struct ledger_changes changes[LEDGER_SPACE_COUNT] = {*values};
	struct cs_hash root;
	cs_arena_rewind(&s->arena, 0);
	assert_ok(
		ledger_tree_update(&s->root, &changes[LEDGER_PAGES], &s->table, values, &s->arena));
	assert_ok(s->table.commit(s->table.context, memory_db_version(s->db) + 1, changes,
				  keep_from));
	assert_ok(ledger_tree_root(&root, &s->table, 0, &s->arena));
	assert_hash(root, s->root);
	return changes[LEDGER_PAGES].count;
}

static struct ledger_changes one_change(struct ledger_change *item, const char *key,
					const char *value)
{
	*item = (struct ledger_change){cs_bytes_str(key), cs_bytes_str(value), value[0] == 0};
	return (struct ledger_changes){item, 1};
}

static void set(struct scene *s, const char *key, const char *value)
{
	struct ledger_change item;
	struct ledger_changes changes = one_change(&item, key, value);
	(void)commit(s, &changes, 0);
}

/* ---- roots ---- */

struct all {
	struct ledger_change items[2048];
	size_t count;
};

static enum cs_err take_pair(void *context, struct cs_bytes key, struct cs_bytes value)
{
	struct all *all = context;
	assert_true(all->count < CS_LEN(all->items));
	all->items[all->count++] = (struct ledger_change){key, value, false};
	return CS_OK;
}

static void take_all(struct all *all, const struct scene *s, enum ledger_space space)
{
	all->count = 0;
	assert_ok(s->table.scan(s->table.context, space, CS_BYTES_NONE, CS_BYTES_NONE, take_pair,
				all));
}

/* The same pairs, written at once, give the same pages to the byte. */
static void expect_pages_of_pairs(struct scene *s)
{
	static struct all values, pages, other_pages;
	void *state = NULL;
	assert_int_equal(set_up(&state), 0);
	struct scene *other = state;
	take_all(&values, s, LEDGER_VALUES);
	struct ledger_changes changes = {values.items, values.count};
	(void)commit(other, &changes, 0);
	assert_hash(other->root, s->root);
	take_all(&pages, s, LEDGER_PAGES);
	take_all(&other_pages, other, LEDGER_PAGES);
	assert_int_equal(pages.count, other_pages.count);
	for (size_t i = 0; i < pages.count; i++) {
		assert_bytes(pages.items[i].key, other_pages.items[i].key);
		assert_bytes(pages.items[i].value, other_pages.items[i].value);
	}
	(void)tear_down(&state);
}

static json_t *walks, *trees;

static int read_vectors(void **unused)
{
	(void)unused;
	walks = read_json(CS_VECTORS "/ledger_tree/roots.json");
	trees = read_json(CS_VECTORS "/ledger_tree/proofs.json");
	return 0;
}

static int free_vectors(void **unused)
{
	(void)unused;
	json_decref(walks);
	json_decref(trees);
	return 0;
}

static void test_roots(void **unused)
{
	const json_t *walk;
	const char *name;
	(void)unused;
	json_object_foreach(walks, name, walk)
	{
		const json_t *steps = json_object_get(walk, "steps");
		const json_t *roots = json_object_get(walk, "roots");
		void *state = NULL;
		assert_int_equal(set_up(&state), 0);
		struct scene *s = state;
		for (size_t i = 0; i < json_array_size(steps); i++) {
			struct ledger_changes changes = changes_of(json_array_get(steps, i));
			(void)commit(s, &changes, 0);
			assert_hash(s->root,
				    hash_of_text(json_string_value(json_array_get(roots, i))));
			if (i % 8 == 5)
				expect_pages_of_pairs(s);
		}
		/* The last step removes everything. */
		assert_int_equal(memory_db_count(s->db, LEDGER_VALUES), 0);
		assert_int_equal(memory_db_count(s->db, LEDGER_PAGES), 0);
		/* Every older version has the root that it had. */
		for (size_t i = 0; i < json_array_size(roots); i++) {
			struct cs_hash root;
			assert_ok(ledger_tree_root(&root, &s->table, i + 1, &s->arena));
			assert_hash(root,
				    hash_of_text(json_string_value(json_array_get(roots, i))));
		}
		(void)tear_down(&state);
	}
}

static void test_empty(void **state)
{
	struct scene *s = *state;
	struct ledger_changes none = {NULL, 0};
	struct cs_hash root;
	struct cs_bytes value;
	struct cs_buf buf;
	bool exists = true;
	assert_ok(ledger_tree_root(&root, &s->table, 0, &s->arena));
	assert_true(cs_hash_is_zero(&root));
	assert_int_equal(commit(s, &none, 0), 0);
	assert_true(cs_hash_is_zero(&s->root));
	cs_buf_init(&buf, s->proof, sizeof s->proof);
	assert_err(ledger_tree_prove(&buf, &value, &exists, &s->table, 0, cs_bytes_str("a"),
				     &s->arena),
		   CS_ERR_NOT_FOUND);
	assert_true(exists);
}

static void test_what_changes_nothing_turns_no_page(void **state)
{
	struct scene *s = *state;
	struct ledger_change item;
	set(s, "a", "1");
	set(s, "b", "1");
	struct cs_hash root = s->root;
	struct ledger_changes changes = one_change(&item, "never", "");
	assert_int_equal(commit(s, &changes, 0), 0);
	changes = one_change(&item, "a", "1");
	assert_int_equal(commit(s, &changes, 0), 0);
	assert_hash(s->root, root);
	changes = one_change(&item, "a", "2");
	assert_int_equal(commit(s, &changes, 0), 1);
}

/* ---- proofs ---- */

static void build(struct scene *s, const json_t *tree)
{
	struct ledger_changes changes = changes_of(json_object_get(tree, "pairs"));
	(void)commit(s, &changes, 0);
	assert_hash(s->root, hash_of(tree, "root"));
}

/* As the vectors have it, and as our own light client reads it. */
static void expect_proof(struct scene *s, const struct cs_hash *root, const json_t *proof,
			 uint64_t version)
{
	struct cs_bytes proven;
	bool found = false;
	const json_t *want = json_object_get(proof, "value");
	struct cs_bytes value = cs_bytes("x", 1);
	struct cs_buf buf;
	bool exists = json_is_null(want);
	cs_arena_rewind(&s->arena, 0);
	cs_buf_init(&buf, s->proof, sizeof s->proof);
	assert_ok(ledger_tree_prove(&buf, &value, &exists, &s->table, version,
				    bytes_of(proof, "key"), &s->arena));
	assert_int_equal(exists, !json_is_null(want));
	assert_bytes(value, exists ? bytes_of(proof, "value") : CS_BYTES_NONE);
	assert_bytes(cs_buf_view(&buf), bytes_of(proof, "proof"));
	assert_ok(cmt_ics23_lookup(&found, &proven, &cmt_ics23_smt, root, cs_buf_view(&buf),
				   bytes_of(proof, "key")));
	assert_int_equal(found, exists);
	if (exists)
		assert_bytes(proven, value);
}

static void test_proofs(void **unused)
{
	const json_t *tree;
	const char *name;
	(void)unused;
	json_object_foreach(trees, name, tree)
	{
		const json_t *proofs = json_object_get(tree, "proofs");
		void *state = NULL;
		assert_int_equal(set_up(&state), 0);
		struct scene *s = state;
		build(s, tree);
		const struct cs_hash root = s->root;
		set(s, "later", "1");
		for (size_t i = 0; i < json_array_size(proofs); i++)
			expect_proof(s, &root, json_array_get(proofs, i), 1);
		set(s, "later", "");
		for (size_t i = 0; i < json_array_size(proofs); i++)
			expect_proof(s, &root, json_array_get(proofs, i), 0);
		(void)tear_down(&state);
	}
}

static const json_t *tree_named(const char *name)
{
	return json_object_get(trees, name);
}

static enum cs_err prove(struct scene *s, struct cs_bytes key, uint64_t version, size_t size_max)
{
	struct cs_bytes value = cs_bytes("untouched", 9);
	struct cs_buf buf;
	bool exists = true;
	cs_arena_rewind(&s->arena, 0);
	cs_buf_init(&buf, s->proof, size_max);
	enum cs_err err =
		ledger_tree_prove(&buf, &value, &exists, &s->table, version, key, &s->arena);
	if (err != CS_OK) {
		assert_bytes(value, cs_bytes_str("untouched"));
		assert_true(exists);
	}
	return err;
}

static void test_versions_that_are_not_kept(void **state)
{
	struct scene *s = *state;
	struct ledger_change item;
	struct cs_hash root, first;
	for (int i = 0; i < 5; i++)
		set(s, "a", i % 2 == 0 ? "even" : "odd");
	first = s->root;
	struct ledger_changes changes = one_change(&item, "b", "1");
	(void)commit(s, &changes, 5);
	assert_err(ledger_tree_root(&root, &s->table, 4, &s->arena), CS_ERR_UNAVAILABLE);
	assert_err(prove(s, cs_bytes_str("a"), 4, sizeof s->proof), CS_ERR_UNAVAILABLE);
	assert_err(prove(s, cs_bytes_str("a"), 7, sizeof s->proof), CS_ERR_UNAVAILABLE);
	assert_ok(ledger_tree_root(&root, &s->table, 5, &s->arena));
	assert_hash(root, first);
	assert_ok(prove(s, cs_bytes_str("b"), 5, sizeof s->proof));
}

static void test_bounds(void **state)
{
	struct scene *s = *state;
	struct ledger_change item;
	build(s, tree_named("some"));
	assert_err(prove(s, cs_bytes_str("key1"), 0, 100), CS_ERR_TOO_LARGE);
	assert_err(prove(s, cs_bytes_str("absent"), 0, 700), CS_ERR_TOO_LARGE);
	/* The longest values beside an absent key. */
	static uint8_t large[LEDGER_VALUE_SIZE_MAX];
	const char *keys[] = {"left", "right", "third"};
	for (size_t i = 0; i < CS_LEN(keys); i++) {
		struct ledger_changes changes = one_change(&item, keys[i], "x");
		item.value = CS_BYTES_OF(large);
		(void)commit(s, &changes, 0);
	}
	assert_ok(prove(s, cs_bytes_str("absent"), 0, sizeof s->proof));
	/* An arena of any size is enough, or says that it is not. */
	struct ledger_changes pages = {NULL, 77}, changes = one_change(&item, "left", "x");
	const size_t whole = s->arena.size;
	struct cs_hash root = {{7}};
	size_t failures = 0;
	enum cs_err err = CS_ERR_NO_MEMORY;
	for (size_t size = 0; err != CS_OK; size += 512) {
		cs_arena_rewind(&s->arena, 0);
		s->arena.size = size;
		err = ledger_tree_update(&root, &pages, &s->table, &changes, &s->arena);
		failures += err == CS_ERR_NO_MEMORY;
		assert_true(err == CS_OK ||
			    (err == CS_ERR_NO_MEMORY && pages.count == 77 && root.b[0] == 7));
	}
	assert_true(failures > 8);
	err = CS_ERR_NO_MEMORY;
	for (size_t size = 0; err != CS_OK; size += 512) {
		s->arena.size = size;
		err = prove(s, cs_bytes_str("absent"), 0, sizeof s->proof);
		assert_true(err == CS_OK || err == CS_ERR_NO_MEMORY);
	}
	s->arena.size = whole;
}

/* ---- stores that are damaged ---- */

static enum cs_err try_all(struct scene *s)
{
	const json_t *proofs = json_object_get(tree_named("some"), "proofs");
	for (size_t i = 0; i < json_array_size(proofs); i++)
		CS_TRY(prove(s, bytes_of(json_array_get(proofs, i), "key"), 0, sizeof s->proof));
	return CS_OK;
}

static void test_a_damaged_page(void **state)
{
	struct scene *s = *state;
	static struct all pages;
	struct cs_hash root;
	build(s, tree_named("some"));
	assert_ok(try_all(s));
	take_all(&pages, s, LEDGER_PAGES);
	assert_true(pages.count > 16);
	for (size_t i = 0; i < pages.count; i++) {
		struct cs_bytes key = pages.items[i].key;
		size_t size = 0;
		uint8_t *p = memory_db_value(s->db, LEDGER_PAGES, key, &size);
		for (size_t k = 0; k < size; k += i == 0 ? 1 : 7) {
			p[k] ^= (uint8_t)(1u << k % 8);
			enum cs_err err = ledger_tree_root(&root, &s->table, 0, &s->arena);
			/* The root's page says another root, which the node compares. */
			if (key.n > 1)
				assert_err(try_all(s), CS_ERR_DAMAGED);
			else
				assert_true(err == CS_ERR_DAMAGED || !cs_hash_eq(&root, &s->root));
			p[k] ^= (uint8_t)(1u << k % 8);
		}
	}
	assert_ok(try_all(s));
}

static void test_a_lost_page(void **state)
{
	struct scene *s = *state;
	static struct all pages;
	struct ledger_change item;
	struct ledger_changes changes, turned;
	struct cs_hash root;
	build(s, tree_named("some"));
	take_all(&pages, s, LEDGER_PAGES);
	const struct cs_bytes last = pages.items[pages.count - 1].key;
	uint8_t copy[LEDGER_PAGE_KEY_SIZE_MAX];
	memcpy(copy, last.p, last.n);
	memory_db_lose(s->db, LEDGER_PAGES, cs_bytes(copy, last.n));
	assert_err(try_all(s), CS_ERR_DAMAGED);
	size_t damaged = 0;
	for (size_t i = 0; i < 120; i++) {
		char key[16];
		(void)snprintf(key, sizeof key, "key%zu", i);
		changes = one_change(&item, key, "new");
		enum cs_err err =
			ledger_tree_update(&root, &turned, &s->table, &changes, &s->arena);
		assert_true(err == CS_OK || err == CS_ERR_DAMAGED);
		damaged += err == CS_ERR_DAMAGED;
	}
	assert_in_range(damaged, 1, 60);
}

static void test_a_damaged_value(void **state)
{
	struct scene *s = *state;
	struct ledger_change item;
	struct ledger_changes pages, changes = one_change(&item, "key7", "new");
	struct cs_hash root;
	size_t size = 0;
	build(s, tree_named("some"));
	uint8_t *p = memory_db_value(s->db, LEDGER_VALUES, cs_bytes_str("key7"), &size);
	p[0] ^= 1;
	assert_err(prove(s, cs_bytes_str("key7"), 0, sizeof s->proof), CS_ERR_DAMAGED);
	assert_err(ledger_tree_update(&root, &pages, &s->table, &changes, &s->arena),
		   CS_ERR_DAMAGED);
	changes = one_change(&item, "key7", "");
	assert_err(ledger_tree_update(&root, &pages, &s->table, &changes, &s->arena),
		   CS_ERR_DAMAGED);
	p[0] ^= 1;
	assert_ok(ledger_tree_update(&root, &pages, &s->table, &changes, &s->arena));
	/* One that is gone, and one that the tree does not know. */
	memory_db_lose(s->db, LEDGER_VALUES, cs_bytes_str("key7"));
	assert_err(prove(s, cs_bytes_str("key7"), 0, sizeof s->proof), CS_ERR_DAMAGED);
	assert_err(ledger_tree_update(&root, &pages, &s->table, &changes, &s->arena),
		   CS_ERR_DAMAGED);
	changes = one_change(&item, "stranger", "1");
	struct ledger_changes only_values[LEDGER_SPACE_COUNT] = {changes};
	assert_ok(s->table.commit(s->table.context, 2, only_values, 0));
	assert_err(ledger_tree_update(&root, &pages, &s->table, &changes, &s->arena),
		   CS_ERR_DAMAGED);
}

static void test_failures_of_the_store_pass_through(void **state)
{
	struct scene *s = *state;
	struct ledger_change item;
	struct ledger_changes pages, changes = one_change(&item, "key7", "new");
	struct cs_hash root = {{7}};
	build(s, tree_named("some"));
	memory_db_fail_get(s->db, CS_ERR_IO);
	assert_err(ledger_tree_root(&root, &s->table, 0, &s->arena), CS_ERR_IO);
	assert_err(ledger_tree_update(&root, &pages, &s->table, &changes, &s->arena), CS_ERR_IO);
	assert_err(prove(s, cs_bytes_str("key7"), 0, sizeof s->proof), CS_ERR_IO);
	assert_int_equal(root.b[0], 7);
}

/* ---- pages ---- */

static enum cs_err decode(struct cs_bytes bytes, const struct cs_hash *path, unsigned depth)
{
	static struct ledger_page page;
	/* Of exactly its size, so that a sanitizer sees every step outside. */
	uint8_t *copy = malloc(bytes.n > 0 ? bytes.n : 1);
	assert_non_null(copy);
	if (bytes.n > 0)
		memcpy(copy, bytes.p, bytes.n);
	memset(&page, 0x5a, sizeof page);
	enum cs_err err = ledger_page_decode(&page, cs_bytes(copy, bytes.n), path, depth);
	if (err != CS_OK)
		assert_int_equal(page.places[0].kind, 0x5a5a5a5a);
	free(copy);
	return err;
}

struct leaf {
	struct cs_bytes key;
	struct cs_hash path;
};

static struct leaf leaf_of(const char *key)
{
	return (struct leaf){cs_bytes_str(key), cs_sha256(cs_bytes_str(key))};
}

static void put_leaf(struct ledger_page *page, const struct leaf *leaf, unsigned depth)
{
	page->places[ledger_nibble(&leaf->path, depth)] =
		(struct ledger_place){LEDGER_LEAF, leaf->key, leaf->path, {{9}}};
}

static struct cs_bytes encoded(uint8_t *memory, const struct ledger_page *page)
{
	struct cs_buf buf;
	cs_buf_init(&buf, memory, LEDGER_PAGE_SIZE_MAX);
	ledger_page_encode(&buf, page);
	assert_ok(cs_buf_end(&buf));
	return cs_buf_view(&buf);
}

static void test_pages_that_cannot_be(void **state)
{
	uint8_t memory[LEDGER_PAGE_SIZE_MAX + 1] = {0};
	struct ledger_page page = {.places = {{.kind = LEDGER_EMPTY}}};
	struct leaf a = leaf_of("a"), b = leaf_of("b");
	(void)state;
	/* Nothing; one leaf, which only the root's page may have. */
	assert_err(decode(CS_BYTES_NONE, &a.path, 0), CS_ERR_DAMAGED);
	assert_err(decode(encoded(memory, &page), &a.path, 0), CS_ERR_DAMAGED);
	put_leaf(&page, &a, 0);
	assert_ok(decode(encoded(memory, &page), &a.path, 0));
	struct ledger_page below = {.places = {{.kind = LEDGER_EMPTY}}};
	put_leaf(&below, &a, 1);
	assert_err(decode(encoded(memory, &below), &a.path, 1), CS_ERR_DAMAGED);
	below.places[(ledger_nibble(&a.path, 1) + 1) % 16].kind = LEDGER_PAGE;
	assert_ok(decode(encoded(memory, &below), &a.path, 1));
	/* A leaf of another subtree, and one in another's place. */
	assert_err(decode(encoded(memory, &below), &b.path, 1), CS_ERR_DAMAGED);
	below.places[(ledger_nibble(&a.path, 1) + 2) % 16] =
		below.places[ledger_nibble(&a.path, 1)];
	assert_err(decode(encoded(memory, &below), &a.path, 1), CS_ERR_DAMAGED);
	/* Below 64 nibbles there is nothing. */
	struct ledger_page deep = {.places = {{.kind = LEDGER_EMPTY}}};
	put_leaf(&deep, &a, 63);
	deep.places[(ledger_nibble(&a.path, 63) + 1) % 16].kind = LEDGER_PAGE;
	assert_err(decode(encoded(memory, &deep), &a.path, 63), CS_ERR_DAMAGED);
	/* SHA-256 of "a" ends with the same nibble twice. */
	assert_ok(decode(encoded(memory, &deep), &a.path, 62));
	/* Cut anywhere, with a byte more, with a kind that is none, keys of no and of too many bytes. */
	struct cs_bytes bytes = encoded(memory, &page);
	for (size_t n = 0; n < bytes.n; n++)
		assert_err(decode(cs_bytes(bytes.p, n), &a.path, 0), CS_ERR_DAMAGED);
	assert_err(decode(cs_bytes(bytes.p, bytes.n + 1), &a.path, 0), CS_ERR_DAMAGED);
	memory[4] = 0;
	assert_err(decode(bytes, &a.path, 0), CS_ERR_DAMAGED);
	memory[4] = LEDGER_KEY_SIZE_MAX + 1;
	assert_err(decode(cs_bytes(memory, sizeof memory), &a.path, 0), CS_ERR_DAMAGED);
	bytes = encoded(memory, &page);
	memory[0] |= 0xc0;
	assert_err(decode(bytes, &a.path, 0), CS_ERR_DAMAGED);
}

static void test_page_keys(void **state)
{
	uint8_t memory[LEDGER_PAGE_KEY_SIZE_MAX];
	struct cs_hash path;
	(void)state;
	for (size_t i = 0; i < sizeof path.b; i++)
		path.b[i] = (uint8_t)(0x1f + i * 0x11);
	assert_bytes(ledger_page_key(memory, &path, 0), unhex("00"));
	assert_bytes(ledger_page_key(memory, &path, 1), unhex("1001"));
	assert_bytes(ledger_page_key(memory, &path, 2), unhex("1f02"));
	assert_bytes(ledger_page_key(memory, &path, 3), unhex("1f3003"));
	assert_int_equal(ledger_page_key(memory, &path, 63).n, LEDGER_PAGE_KEY_SIZE_MAX);
	assert_int_equal(memory[31], path.b[31] & 0xf0);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_roots),
		cmocka_unit_test(test_proofs),
		CASE(test_empty),
		CASE(test_what_changes_nothing_turns_no_page),
		CASE(test_versions_that_are_not_kept),
		CASE(test_bounds),
		CASE(test_a_damaged_page),
		CASE(test_a_lost_page),
		CASE(test_a_damaged_value),
		CASE(test_failures_of_the_store_pass_through),
		cmocka_unit_test(test_pages_that_cannot_be),
		cmocka_unit_test(test_page_keys),
	};
	return cmocka_run_group_tests(tests, read_vectors, free_vectors);
}
