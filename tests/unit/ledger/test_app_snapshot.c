/* State sync as an engine does it: what one application lists and loads, another is offered and
 * applies. */
#include "relay_state/ledger/snapshot.h"
#include "tests/unit/ledger/app_lab.h"

#define CHUNKS 16u

struct copied {
	uint64_t height;
	uint32_t chunks;
	uint8_t hash[32];
	struct cs_bytes metadata;
	struct cs_bytes content[CHUNKS];
	struct cs_hash root;
};

static int set_up(void **state)
{
	struct app_lab *lab = app_lab_new();
	lab->snapshot_interval = 4;
	app_lab_restart(lab);
	app_lab_begin(lab);
	*state = lab;
	return 0;
}

static int tear_down(void **state)
{
	app_lab_free(*state);
	return 0;
}

static struct cs_bytes transfer(struct app_lab *lab, uint64_t sequence)
{
	const struct app_tx tx = {
		.key = 1, .sequence = sequence, .to = app_key_address(lab, 4), .value = 7};
	return app_sign(lab, &tx);
}

static struct cs_hash run_to(struct app_lab *lab, int64_t height)
{
	struct cs_hash root = {{0}};
	while (lab->height < height) {
		struct cs_bytes tx = transfer(lab, (uint64_t)lab->height);
		memcpy(root.b, app_finalize(lab, &tx, 1).app_hash.p, sizeof root.b);
		app_commit(lab);
	}
	return root;
}

static struct abci_list_snapshots_response list(struct app_lab *lab)
{
	struct abci_list_snapshots_response response = {0};
	const struct abci_call call = {&lab->arena, &lab->why};
	cs_arena_rewind(&lab->arena, 0);
	assert_ok(lab->abci.list_snapshots(lab->abci.state, &response, &call));
	return response;
}

static struct cs_bytes load(struct app_lab *lab, uint64_t height, uint32_t format, uint32_t chunk)
{
	const struct abci_load_snapshot_chunk_request request = {height, format, chunk};
	struct abci_load_snapshot_chunk_response response = {0};
	const struct abci_call call = {&lab->arena, &lab->why};
	cs_arena_rewind(&lab->arena, 0);
	assert_ok(lab->abci.load_snapshot_chunk(lab->abci.state, &request, &response, &call));
	return response.chunk;
}

static struct cs_bytes kept(struct cs_bytes bytes)
{
	uint8_t *p = keep(bytes.n);
	if (bytes.n > 0)
		memcpy(p, bytes.p, bytes.n);
	return cs_bytes(p, bytes.n);
}

/* The only one that is listed, chunk by chunk. */
static void copy_all(struct app_lab *lab, struct copied *c)
{
	const struct abci_list_snapshots_response listed = list(lab);
	assert_int_equal(listed.snapshots.count, 1);
	const struct abci_snapshot *snapshot = &listed.snapshots.items[0];
	assert_true(snapshot->chunks >= 1 && snapshot->chunks <= CHUNKS);
	assert_int_equal(snapshot->format, LEDGER_SNAPSHOT_FORMAT);
	c->height = snapshot->height;
	c->chunks = snapshot->chunks;
	memcpy(c->hash, snapshot->hash.p, sizeof c->hash);
	c->metadata = kept(snapshot->metadata);
	for (uint32_t i = 0; i < c->chunks; i++)
		c->content[i] = kept(load(lab, c->height, LEDGER_SNAPSHOT_FORMAT, i));
}

static enum abci_offer_snapshot_result offer(struct app_lab *lab, const struct copied *c,
					     uint32_t format, struct cs_bytes root)
{
	const struct abci_snapshot snapshot = {.height = c->height,
					       .format = format,
					       .chunks = c->chunks,
					       .hash = CS_BYTES_OF(c->hash),
					       .metadata = c->metadata};
	const struct abci_offer_snapshot_request request = {&snapshot, root};
	struct abci_offer_snapshot_response response = {0};
	const struct abci_call call = {&lab->arena, &lab->why};
	cs_arena_rewind(&lab->arena, 0);
	assert_ok(lab->abci.offer_snapshot(lab->abci.state, &request, &response, &call));
	return response.result;
}

static struct abci_apply_snapshot_chunk_response apply(struct app_lab *lab, uint32_t index,
						       struct cs_bytes chunk)
{
	const struct abci_apply_snapshot_chunk_request request = {index, chunk,
								  cs_bytes_str("peer")};
	struct abci_apply_snapshot_chunk_response response = {0};
	const struct abci_call call = {&lab->arena, &lab->why};
	cs_arena_rewind(&lab->arena, 0);
	assert_ok(lab->abci.apply_snapshot_chunk(lab->abci.state, &request, &response, &call));
	return response;
}

/* What /chain says: the block's time at its end. */
static void expect_chain(struct app_lab *lab, struct app_lab *other, int64_t height)
{
	struct cs_bytes here = kept(app_query(lab, "/chain", CS_BYTES_NONE, height, false).value);
	assert_true(here.n > 8);
	assert_int_equal(cs_be64(here.p + here.n - 8), APP_TIME_S + 10 * 4);
	assert_bytes(app_query(other, "/chain", CS_BYTES_NONE, height, false).value, here);
}

static void test_restore(void **state)
{
	struct app_lab *lab = *state;
	struct app_lab *other = app_lab_new();
	struct copied c;
	assert_int_equal(list(lab).snapshots.count, 0);
	c.root = run_to(lab, 4);
	copy_all(lab, &c);
	assert_int_equal(c.height, 4);
	assert_int_equal(offer(other, &c, LEDGER_SNAPSHOT_FORMAT, CS_BYTES_OF(c.root.b)),
			 ABCI_OFFER_ACCEPT);
	for (uint32_t i = 0; i < c.chunks; i++)
		assert_int_equal(apply(other, i, c.content[i]).result, ABCI_APPLY_ACCEPT);
	other->height = 4;
	other->chain = lab->chain;
	expect_chain(lab, other, 0);
	app_lab_restart(other);
	expect_chain(lab, other, 0);
	/* It goes on as the first one does. */
	struct cs_bytes tx = transfer(lab, 4);
	struct cs_hash next;
	memcpy(next.b, app_finalize(lab, &tx, 1).app_hash.p, sizeof next.b);
	assert_bytes(app_finalize(other, &tx, 1).app_hash, CS_BYTES_OF(next.b));
	app_commit(lab);
	app_commit(other);
	app_lab_restart(other);
	expect_chain(lab, other, 4);
	const struct cs_address dave = app_key_address(lab, 4);
	assert_int_equal(app_balance(other, &dave), 35);
	app_lab_free(other);
}

static void test_listing(void **state)
{
	struct app_lab *lab = *state;
	(void)run_to(lab, 7);
	/* At every fourth height, for as long as its version is kept: three blocks. */
	assert_int_equal(list(lab).snapshots.count, 1);
	(void)run_to(lab, 8);
	const struct abci_list_snapshots_response listed = list(lab);
	assert_int_equal(listed.snapshots.count, 1);
	assert_int_equal(listed.snapshots.items[0].height, 8);
	assert_int_equal(load(lab, 4, LEDGER_SNAPSHOT_FORMAT, 0).n, 0);
	assert_true(load(lab, 8, LEDGER_SNAPSHOT_FORMAT, 0).n > 0);
	assert_int_equal(load(lab, 8, LEDGER_SNAPSHOT_FORMAT + 1, 0).n, 0);
	assert_int_equal(load(lab, 8, LEDGER_SNAPSHOT_FORMAT, 1000).n, 0);
	assert_int_equal(load(lab, 0, LEDGER_SNAPSHOT_FORMAT, 0).n, 0);
	/* A restart forgets them. */
	app_lab_restart(lab);
	assert_int_equal(list(lab).snapshots.count, 0);
}

static void test_refusals(void **state)
{
	struct app_lab *lab = *state;
	struct app_lab *other = app_lab_new();
	struct copied c;
	c.root = run_to(lab, 4);
	copy_all(lab, &c);
	struct cs_bytes root = CS_BYTES_OF(c.root.b);
	assert_int_equal(offer(other, &c, LEDGER_SNAPSHOT_FORMAT + 1, root),
			 ABCI_OFFER_REJECT_FORMAT);
	assert_int_equal(offer(other, &c, LEDGER_SNAPSHOT_FORMAT, cs_bytes(root.p, 31)),
			 ABCI_OFFER_REJECT);
	assert_int_equal(offer(lab, &c, LEDGER_SNAPSHOT_FORMAT, root), ABCI_OFFER_REJECT);
	c.hash[0] ^= 1;
	assert_int_equal(offer(other, &c, LEDGER_SNAPSHOT_FORMAT, root), ABCI_OFFER_REJECT);
	c.hash[0] ^= 1;
	assert_int_equal(apply(other, 0, c.content[0]).result, ABCI_APPLY_ABORT);
	/* Another chunk than the metadata says: from somebody else. */
	assert_int_equal(offer(other, &c, LEDGER_SNAPSHOT_FORMAT, root), ABCI_OFFER_ACCEPT);
	struct abci_apply_snapshot_chunk_response response =
		apply(other, 0, cs_bytes_str("another"));
	assert_int_equal(response.result, ABCI_APPLY_RETRY);
	assert_int_equal(response.refetch_chunks.count, 1);
	assert_bytes(response.reject_senders.items[0], cs_bytes_str("peer"));
	response = apply(other, 7, c.content[0]);
	assert_int_equal(response.result, ABCI_APPLY_RETRY);
	assert_int_equal(response.reject_senders.count, 0);
	assert_int_equal(apply(other, 0, c.content[0]).result, ABCI_APPLY_ACCEPT);
	/* A good snapshot of another state than the chain's. */
	struct app_lab *third = app_lab_new();
	c.root.b[0] ^= 1;
	assert_int_equal(offer(third, &c, LEDGER_SNAPSHOT_FORMAT, root), ABCI_OFFER_ACCEPT);
	for (uint32_t i = 0; i < c.chunks; i++)
		response = apply(third, i, c.content[i]);
	assert_int_equal(response.result, ABCI_APPLY_REJECT_SNAPSHOT);
	assert_int_equal(memory_db_count(third->db, LEDGER_VALUES), 0);
	app_lab_free(third);
	app_lab_free(other);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_restore),
		TEST(test_listing),
		TEST(test_refusals),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
