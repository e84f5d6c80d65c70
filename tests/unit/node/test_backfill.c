/* Backfill: what a light block must be, whole runs beside peers that lie, stay silent, have pruned
 * and go away, a crash in the middle, and evidence that is judged by it. */
#include "host/store.h"
#include "relay_state/node/disk.h"
#include "tests/unit/node/backfilling.h"
#include "tests/unit/node/faulty.h"

/* ---- one light block ---- */

static enum cs_err check(struct filling *f, int64_t height, enum untruth untruth)
{
	struct scene *s = f->s;
	struct given *given = host_alloc(sizeof *given);
	const struct height *above = &s->heights[height + 1];
	size_t mark = cs_arena_mark(&s->arena), count;
	struct cmt_light_block light;
	struct cmt_header header;
	struct cs_hash *hashes;
	assert_ok(bft_block_header(&header, cs_bytes(above->block, above->block_size)));
	give(s, given, height, untruth);
	enum cs_err err = node_backfill_check(&light, &hashes, &count, given->light,
					      given->evidence, &header, &s->arena, NULL);
	if (err == CS_OK) {
		assert_int_equal(light.header.height, height);
		assert_int_equal(count, height == EVIDENCE_AT);
	}
	cs_arena_rewind(&s->arena, mark);
	free(given);
	return err;
}

static void test_what_a_light_block_must_be(void **state)
{
	static const struct {
		enum untruth untruth;
		enum cs_err err;
	} cases[] = {
		{FALSE_LINK, CS_ERR_UNLINKED},     {FALSE_VALIDATORS, CS_ERR_BAD_SIGNER_SET},
		{FALSE_HEIGHT, CS_ERR_INVALID},    {FALSE_COMMIT, CS_ERR_WRONG_BLOCK},
		{FALSE_FEW, CS_ERR_TOO_FEW_SEALS}, {FALSE_QUORUM, CS_ERR_BAD_PROOF},
		{FALSE_SEAL, CS_ERR_BAD_SEAL},     {FALSE_CHAIN, CS_ERR_WRONG_CHAIN},
		{FALSE_CUT, CS_ERR_TRUNCATED},
	};
	for (int64_t height = 1; height < HEIGHTS; height++)
		assert_ok(check(*state, height, TRUE_ALL));
	for (size_t i = 0; i < CS_LEN(cases); i++) {
		for (int64_t height = 2; height < HEIGHTS; height++)
			assert_err(check(*state, height, cases[i].untruth), cases[i].err);
	}
	assert_err(check(*state, EVIDENCE_AT, FALSE_NO_EVIDENCE), CS_ERR_BAD_PROOF);
	assert_err(check(*state, EVIDENCE_AT, FALSE_EVIDENCE), CS_ERR_BAD_PROOF);
	assert_err(check(*state, EVIDENCE_AT - 1, FALSE_EVIDENCE), CS_ERR_BAD_PROOF);
}

static void test_the_message(void **state)
{
	uint8_t bytes[256];
	struct cs_buf buf;
	struct node_statesync_message m = {.type = NODE_LIGHT_ANSWER,
					   .height = 7,
					   .bytes = cs_bytes_str("light"),
					   .evidence = cs_bytes_str("list")};
	struct node_statesync_message read;
	(void)state;
	cs_buf_init(&buf, bytes, sizeof bytes);
	node_statesync_encode(&buf, &m);
	assert_ok(node_statesync_decode(&read, cs_buf_view(&buf)));
	assert_bytes(read.bytes, m.bytes);
	assert_bytes(read.evidence, m.evidence);
	m.bytes = CS_BYTES_NONE;
	cs_buf_init(&buf, bytes, sizeof bytes);
	node_statesync_encode(&buf, &m);
	assert_err(node_statesync_decode(&read, cs_buf_view(&buf)), CS_ERR_INVALID);
	/* Only requests are answered with nothing. */
	assert_false(node_statesync_nothing(&read, &m));
	m.type = NODE_LIGHT_REQUEST;
	assert_true(node_statesync_nothing(&read, &m));
	assert_int_equal(read.type, NODE_LIGHT_ANSWER);
	assert_int_equal(read.height, 7);
}

/* ---- the store ---- */

static void test_the_store(void **state)
{
	struct filling *f = *state;
	struct node_backfilled row = {.height = 9, .light = cs_bytes_str("light")};
	/* Nothing before it was begun, and no height but the next. */
	assert_err(node_backfill_store_put(f->store, &row, NULL), CS_ERR_INVALID);
	assert_ok(node_backfill_store_begin(f->store, 10, NULL));
	row.height = 8;
	assert_err(node_backfill_store_put(f->store, &row, NULL), CS_ERR_INVALID);
	row.height = 10;
	assert_err(node_backfill_store_put(f->store, &row, NULL), CS_ERR_INVALID);
	row.height = 9;
	assert_ok(node_backfill_store_put(f->store, &row, NULL));
	assert_err(node_backfill_store_put(f->store, &row, NULL), CS_ERR_INVALID);
	assert_ok(node_backfill_store_get(f->store, &row, 9));
	assert_bytes(row.light, cs_bytes_str("light"));
	assert_int_equal(row.evidence.n, 0);
	assert_err(node_backfill_store_get(f->store, &row, 8), CS_ERR_NOT_FOUND);
	assert_ok(node_backfill_store_end(f->store, NODE_BACKFILL_SHORT, NULL));
	row.height = 8;
	assert_err(node_backfill_store_put(f->store, &row, NULL), CS_ERR_INVALID);
	/* A new beginning forgets all of it. */
	assert_ok(node_backfill_store_begin(f->store, 7, NULL));
	assert_err(node_backfill_store_get(f->store, &row, 9), CS_ERR_NOT_FOUND);
	assert_ok(node_backfill_store_look(f->store, &f->found));
	assert_int_equal(f->found.status, NODE_BACKFILL_BEGUN);
	assert_int_equal(f->found.top, 7);
	assert_int_equal(f->found.lowest, 0);
	assert_ok(node_backfill_store_begin(f->store, 0, NULL));
	assert_ok(node_backfill_store_look(f->store, &f->found));
	assert_int_equal(f->found.status, NODE_BACKFILL_NONE);
}

static enum cs_err turn_a_bit(void *context)
{
	return host_stmt_run(context);
}

/* As on a disk that does not keep what was written. */
static void damage(struct filling *f)
{
	static const char *const made[] = {""};
	static const struct host_store_schema schema = {
		.migrations = made, .migration_count = 1, .application_id = 0x43534246};
	struct host_store *store;
	struct host_stmt *stmt;
	node_backfill_store_close(f->store);
	assert_ok(host_store_open(&store, NULL, f->path, &schema, NULL));
	assert_ok(
		host_stmt_new(&stmt, store, "UPDATE blocks SET evidence = x'00' WHERE height = 5"));
	assert_ok(host_store_write(store, turn_a_bit, stmt, NULL, NULL));
	host_stmt_free(stmt);
	host_store_close(store);
	assert_ok(node_backfill_store_open(&f->store, f->path, NULL));
}

static void test_a_row_that_turned(void **state)
{
	struct filling *f = *state;
	struct node_backfilled row;
	fill_run(f);
	damage(f);
	assert_err(node_backfill_store_get(f->store, &row, 5), CS_ERR_DAMAGED);
	assert_ok(node_backfill_store_get(f->store, &row, 4));
}

/* ---- whole runs ---- */

static void check_rows(struct filling *f, int64_t lowest)
{
	struct scene *s = f->s;
	struct given *given = host_alloc(sizeof *given);
	struct node_backfilled row;
	assert_int_equal(f->found.lowest, lowest);
	assert_int_equal(f->found.top, BASE);
	for (int64_t height = lowest; height < BASE; height++) {
		give(s, given, height, TRUE_ALL);
		assert_ok(node_backfill_store_get(f->store, &row, height));
		assert_bytes(row.light, given->light);
		assert_bytes(row.evidence, given->evidence);
	}
	assert_err(node_backfill_store_get(f->store, &row, lowest - 1), CS_ERR_NOT_FOUND);
	assert_err(node_backfill_store_get(f->store, &row, BASE), CS_ERR_NOT_FOUND);
	free(given);
}

static void check_whole(struct filling *f, int64_t lowest)
{
	assert_int_equal(f->found.status, NODE_BACKFILL_WHOLE);
	check_rows(f, lowest);
}

static bool was_carried(struct filling *f, unsigned validator)
{
	struct cmt_evidence evidence;
	struct cs_hash hash;
	bool has = false;
	make_pair(f->s, &evidence, validator, EVIDENCE_AT - 2);
	assert_ok(cmt_evidence_hash(&hash, &evidence, &f->s->arena));
	assert_ok(node_backfill_store_has_evidence(f->store, &has, &hash));
	return has;
}

static void test_down_to_the_first_block(void **state)
{
	struct filling *f = *state;
	fill_run(f);
	check_whole(f, 1);
	assert_true(was_carried(f, 1));
	assert_false(was_carried(f, 2));
}

/* A second a block. Both ages must have passed. */
static void test_as_far_as_evidence_goes(void **state)
{
	static const struct {
		int64_t blocks, seconds, lowest;
	} cases[] = {{3, 3, 7}, {3, 5, 5}, {5, 3, 5}, {100, 1, 1}, {1, 100, 1}, {0, 0, 0}};
	struct filling *f = *state;
	for (size_t i = 0; i < CS_LEN(cases); i++) {
		f->state.params.evidence_age_blocks = cases[i].blocks;
		f->state.params.evidence_age_ns = cases[i].seconds * 1000000000;
		assert_ok(node_backfill_store_begin(f->store, 0, NULL));
		fill_run(f);
		assert_int_equal(f->found.status, NODE_BACKFILL_WHOLE);
		if (cases[i].lowest == 0)
			assert_int_equal(f->found.lowest, 0);
		else
			check_rows(f, cases[i].lowest);
	}
}

static void test_what_gets_too_old_goes(void **state)
{
	struct filling *f = *state;
	struct cmt_params params = f->state.params;
	struct cs_pb_time now = f->state.last_time;
	fill_run(f);
	params.evidence_age_blocks = 3;
	params.evidence_age_ns = 3000000000;
	assert_ok(node_backfill_store_trim(f->store, &params, BASE, now, NULL));
	assert_ok(node_backfill_store_look(f->store, &f->found));
	check_whole(f, 7);
	/* What height 6 carried about 4 stays known: longer than it can be asked for. */
	assert_true(was_carried(f, 1));
	now.s += 100;
	assert_ok(node_backfill_store_trim(f->store, &params, BASE + 100, now, NULL));
	assert_ok(node_backfill_store_look(f->store, &f->found));
	assert_int_equal(f->found.lowest, 0);
}

static bool liars_are_gone(void *context)
{
	struct filling *f = context;
	for (unsigned i = 0; i < SERVERS; i++) {
		if (f->helpers[i].untruths > 0 && !f->helpers[i].was_dropped)
			return false;
	}
	return true;
}

/* `count` of three, each in turn; it must come to an untruth, and whoever told it is sent away. */
static void with(enum untruth untruth, unsigned count, bool is_refused)
{
	unsigned untruths = 0;
	for (unsigned first = 0; first < SERVERS; first++) {
		void *state = NULL;
		(void)fill_set_up(&state);
		struct filling *f = state;
		f->options.request_ms = untruth == SAYS_NOTHING ? 200 : f->options.request_ms;
		for (unsigned i = 0; i < count; i++)
			f->helpers[(first + i) % SERVERS].untruth = untruth;
		fill_begin(f);
		assert_ok(host_loop_run_until(f->s->loop, fill_is_over, f, DEADLINE_MS));
		if (is_refused)
			assert_ok(host_loop_run_until(f->s->loop, liars_are_gone, f, DEADLINE_MS));
		for (unsigned i = 0; i < SERVERS; i++) {
			untruths += f->helpers[i].untruths;
			if (f->helpers[i].untruth == TRUE_ALL)
				assert_false(f->helpers[i].was_dropped);
		}
		fill_end(f);
		check_whole(f, 1);
		(void)fill_tear_down(&state);
	}
	assert_true(untruths > 0);
}

static void test_peers_that_lie(void **state)
{
	(void)state;
	for (enum untruth untruth = FALSE_LINK; untruth <= FALSE_FORM; untruth++)
		with(untruth, 2, true);
}

static void test_peers_that_say_nothing(void **state)
{
	(void)state;
	with(SAYS_NOTHING, 2, false);
}

static void test_peers_that_go_away(void **state)
{
	(void)state;
	with(GOES_AWAY, 2, false);
}

static void test_peers_that_have_pruned(void **state)
{
	(void)state;
	with(HAS_PRUNED, 2, false);
}

static bool all_are_dropped(void *context)
{
	struct filling *f = context;
	unsigned count = 0;
	for (unsigned i = 0; i < SERVERS; i++)
		count += f->helpers[i].was_dropped;
	return f->is_done || count == SERVERS;
}

/* All lie about what is below 6: they are sent away, and nothing of it is believed. */
static void test_nobody_tells_the_truth(void **state)
{
	struct filling *f = *state;
	for (unsigned i = 0; i < SERVERS; i++) {
		f->helpers[i].untruth = (enum untruth)(FALSE_LINK + i);
		f->helpers[i].at = 5;
	}
	fill_begin(f);
	assert_ok(host_loop_run_until(f->s->loop, all_are_dropped, f, DEADLINE_MS));
	assert_false(f->is_done);
	fill_end(f);
	assert_int_equal(f->found.status, NODE_BACKFILL_BEGUN);
	assert_int_equal(f->found.lowest, 6);
}

static void test_nobody_has_them_any_more(void **state)
{
	struct filling *f = *state;
	f->options.rounds = 3;
	for (unsigned i = 0; i < SERVERS; i++) {
		f->helpers[i].untruth = HAS_PRUNED;
		f->helpers[i].at = 3;
	}
	fill_run(f);
	assert_int_equal(f->found.status, NODE_BACKFILL_SHORT);
	check_rows(f, 4);
	/* Whoever was there was asked again. */
	unsigned asked = 0;
	for (unsigned i = 0; i < SERVERS; i++)
		asked = f->helpers[i].asked[3] > asked ? f->helpers[i].asked[3] : asked;
	assert_int_equal(asked, 3);
}

static bool all_were_asked(void *context)
{
	struct filling *f = context;
	unsigned count = 0;
	for (unsigned i = 0; i < SERVERS; i++)
		count += f->helpers[i].asked[3] > 1;
	return f->is_done || count == SERVERS;
}

/* A node that is behind itself, and catches up. */
static void test_somebody_has_them_later(void **state)
{
	struct filling *f = *state;
	for (unsigned i = 0; i < SERVERS; i++) {
		f->helpers[i].untruth = HAS_PRUNED;
		f->helpers[i].at = 3;
	}
	fill_begin(f);
	assert_ok(host_loop_run_until(f->s->loop, all_were_asked, f, DEADLINE_MS));
	assert_false(f->is_done);
	f->helpers[1].untruth = TRUE_ALL;
	assert_ok(host_loop_run_until(f->s->loop, fill_is_over, f, DEADLINE_MS));
	fill_end(f);
	check_whole(f, 1);
}

/* ---- a crash in the middle ---- */

static bool is_half_way(void *context)
{
	struct filling *f = context;
	assert_ok(node_backfill_store_look(f->store, &f->found));
	return f->is_done || f->found.lowest == 5;
}

static void half_way(struct filling *f)
{
	for (unsigned i = 0; i < SERVERS; i++) {
		f->helpers[i].untruth = HAS_PRUNED;
		f->helpers[i].at = 4;
	}
	fill_begin(f);
	assert_ok(host_loop_run_until(f->s->loop, is_half_way, f, DEADLINE_MS));
	assert_false(f->is_done);
	fill_end(f);
	node_backfill_store_close(f->store);
	assert_ok(node_backfill_store_open(&f->store, f->path, NULL));
	for (unsigned i = 0; i < SERVERS; i++) {
		f->helpers[i].untruth = TRUE_ALL;
		memset(f->helpers[i].asked, 0, sizeof f->helpers[i].asked);
	}
}

static void test_a_crash_goes_on(void **state)
{
	struct filling *f = *state;
	half_way(f);
	fill_run(f);
	check_whole(f, 1);
	for (unsigned i = 0; i < SERVERS; i++) {
		for (int64_t height = 5; height < BASE; height++)
			assert_int_equal(f->helpers[i].asked[height], 0);
	}
}

/* What stands there goes on where it was only below the base that it was begun for. */
static void test_what_another_base_left_is_not_taken(void **state)
{
	struct filling *f = *state;
	struct node_backfilled row = {.height = 11, .light = cs_bytes_str("of another chain")};
	assert_ok(node_backfill_store_begin(f->store, 12, NULL));
	assert_ok(node_backfill_store_put(f->store, &row, NULL));
	fill_run(f);
	check_whole(f, 1);
}

/* The lowest is what everything below would be believed by. */
static void test_a_crash_and_a_turned_bit(void **state)
{
	static const struct node_backfill_events events = {fill_done, fill_failed};
	struct filling *f = *state;
	struct node_peers_options options = peers_options(f->s, &f->s->node_key);
	half_way(f);
	damage(f);
	assert_err(node_backfill_new(&f->backfill, f->s->loop, &f->options, &options, f->store,
				     &events, f, NULL),
		   CS_ERR_DAMAGED);
}

/* ---- evidence about it ---- */

struct judging {
	struct filling *f;
	struct faulty folder;
	struct node_disk *disk;
	struct bft_history history;
	char index[112];
};

static void judge_begin(struct judging *j, struct filling *f)
{
	struct height *h = &f->s->heights[BASE];
	struct node_stored_block block = {BASE, f->state.last_block_id,
					  cs_bytes(h->block, h->block_size),
					  cs_bytes(h->commit, h->commit_size)};
	node_backfill_store_close(f->store);
	f->store = NULL;
	j->f = f;
	faulty_init(&j->folder, 1);
	(void)snprintf(j->index, sizeof j->index, "%s-index", f->path);
	const struct cs_hash genesis_hash = {{1}};
	const struct node_disk_options options = {.folder = &j->folder.folder,
						  .index_path = j->index,
						  .backfill_path = f->path,
						  .initial_height = 1,
						  .chain_id = &f->state.chain_id,
						  .genesis_hash = &genesis_hash};
	assert_ok(node_disk_open(&j->disk, &options, NULL));
	assert_ok(node_disk_begin_at(j->disk, &f->state, &block, NULL));
	j->history = node_disk_history(j->disk);
}

static void judge_end(struct judging *j)
{
	node_disk_close(j->disk);
	faulty_done(&j->folder);
	forget(j->index);
}

static enum cs_err judge(struct judging *j, const struct cmt_evidence *evidence)
{
	struct scene *s = j->f->s;
	size_t mark = cs_arena_mark(&s->arena);
	enum cs_err err =
		bft_evidence_check(evidence, NULL, &j->f->state, &j->history, &s->arena, NULL);
	cs_arena_rewind(&s->arena, mark);
	return err;
}

static void fill_disk(struct judging *j)
{
	struct filling *f = j->f;
	bool lacks, is_begun;
	struct cmt_header base;
	assert_ok(node_disk_lacks_history(j->disk, &lacks, &is_begun, &base, NULL));
	assert_true(lacks);
	assert_false(is_begun);
	assert_int_equal(base.height, BASE);
	f->store = node_disk_backfill(j->disk);
	fill_run(f);
	f->store = NULL;
	assert_ok(node_disk_lacks_history(j->disk, &lacks, &is_begun, &base, NULL));
	assert_false(lacks);
}

static void test_two_votes_below_the_base(void **state)
{
	struct filling *f = *state;
	struct judging *j = host_alloc(sizeof *j);
	struct cmt_evidence good, wrong;
	judge_begin(j, f);
	make_pair(f->s, &good, 2, 4);
	assert_err(judge(j, &good), CS_ERR_NOT_FOUND);
	fill_disk(j);
	assert_ok(judge(j, &good));
	wrong = good;
	wrong.duplicate_vote.power_total++;
	assert_err(judge(j, &wrong), CS_ERR_INVALID);
	wrong = good;
	wrong.duplicate_vote.time = f->s->heights[5].time;
	assert_err(judge(j, &wrong), CS_ERR_INVALID);
	wrong = good;
	wrong.duplicate_vote.b.signature = good.duplicate_vote.a.signature;
	assert_err(judge(j, &wrong), CS_ERR_BAD_SEAL);
	/* Of the validator whom block 6 convicted. */
	make_pair(f->s, &wrong, 1, 4);
	assert_err(judge(j, &wrong), CS_ERR_DUPLICATE);
	make_pair(f->s, &wrong, 1, 3);
	assert_ok(judge(j, &wrong));
	judge_end(j);
	free(j);
}

/* Two commits of one round for height 5: compared with the one in block 6, which was never here. */
static void test_an_attack_below_the_base(void **state)
{
	static struct cmt_commit_sig sigs[LAB_KEYS];
	struct filling *f = *state;
	struct scene *s = f->s;
	struct height *h = &s->heights[5];
	struct judging *j = host_alloc(sizeof *j);
	struct cmt_light_block trusted, conflicting;
	struct cmt_evidence attack = {.kind = CMT_LIGHT_ATTACK};
	judge_begin(j, f);
	assert_ok(cmt_light_block_decode(&trusted, cs_bytes(h->light, h->light_size), &s->arena,
					 NULL));
	conflicting = trusted;
	conflicting.header.data_hash.hash.b[0] ^= 1;
	struct cs_hash hash = cmt_header_hash(&conflicting.header);
	struct cmt_block_id id = trusted.commit.block_id;
	id.hash = cmt_hash_of(&hash);
	sign_commit(s->lab, &conflicting.commit, sigs, 5, &id);
	assert_ok(cmt_light_attack_make(&attack.light_attack, &conflicting, &trusted, &trusted,
					&s->arena));
	assert_int_equal(attack.light_attack.byzantine_count, LAB_KEYS);
	assert_err(judge(j, &attack), CS_ERR_NOT_FOUND);
	fill_disk(j);
	assert_ok(judge(j, &attack));
	attack.light_attack.byzantine_count--;
	assert_err(judge(j, &attack), CS_ERR_INVALID);
	attack.light_attack.byzantine_count++;
	attack.light_attack.power_total++;
	assert_err(judge(j, &attack), CS_ERR_INVALID);
	judge_end(j);
	free(j);
}

/* Others may have what was backfilled; a folder whose chain is gone has nothing. */
static void test_what_others_are_given(void **state)
{
	struct filling *f = *state;
	struct judging *j = host_alloc(sizeof *j);
	struct given *given = host_alloc(sizeof *given);
	struct cs_bytes light, evidence;
	judge_begin(j, f);
	assert_err(node_disk_backfilled(j->disk, &light, &evidence, 6), CS_ERR_NOT_FOUND);
	fill_disk(j);
	give(f->s, given, 6, TRUE_ALL);
	assert_ok(node_disk_backfilled(j->disk, &light, &evidence, 6));
	assert_bytes(light, given->light);
	assert_bytes(evidence, given->evidence);
	judge_end(j);
	struct faulty empty;
	faulty_init(&empty, 2);
	const struct cs_hash genesis_hash = {{1}};
	const struct node_disk_options options = {.folder = &empty.folder,
						  .index_path = j->index,
						  .backfill_path = f->path,
						  .initial_height = 1,
						  .chain_id = &f->state.chain_id,
						  .genesis_hash = &genesis_hash};
	assert_ok(node_disk_open(&j->disk, &options, NULL));
	assert_err(node_disk_backfilled(j->disk, &light, &evidence, 6), CS_ERR_NOT_FOUND);
	node_disk_close(j->disk);
	faulty_done(&empty);
	forget(j->index);
	free(given);
	free(j);
}

/* Who was backfilled can backfill another: one peer, and all that it has is a block and this. */
static void test_from_one_who_was_backfilled(void **state)
{
	struct filling *f = *state;
	struct judging *j = host_alloc(sizeof *j);
	char path[112];
	judge_begin(j, f);
	fill_disk(j);
	for (unsigned i = 0; i < SERVERS; i++) {
		memset(f->helpers[i].asked, 0, sizeof f->helpers[i].asked);
		f->helpers[i].untruth = HAS_PRUNED;
	}
	f->helpers[1].server = node_statesync_server_new(j->disk, NULL, &f->helpers[1].peers);
	(void)snprintf(path, sizeof path, "%s-other", f->path);
	assert_ok(node_backfill_store_open(&f->store, path, NULL));
	fill_run(f);
	check_whole(f, 1);
	assert_true(was_carried(f, 1));
	for (int64_t height = 1; height < BASE; height++)
		assert_true(f->helpers[1].asked[height] > 0);
	node_backfill_store_close(f->store);
	f->store = NULL;
	forget(path);
	node_statesync_server_free(f->helpers[1].server);
	judge_end(j);
	free(j);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fill_set_up, fill_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_what_a_light_block_must_be),
		cmocka_unit_test(test_the_message),
		TEST(test_the_store),
		TEST(test_a_row_that_turned),
		TEST(test_down_to_the_first_block),
		TEST(test_as_far_as_evidence_goes),
		TEST(test_what_gets_too_old_goes),
		cmocka_unit_test(test_peers_that_lie),
		cmocka_unit_test(test_peers_that_say_nothing),
		cmocka_unit_test(test_peers_that_go_away),
		cmocka_unit_test(test_peers_that_have_pruned),
		TEST(test_nobody_tells_the_truth),
		TEST(test_nobody_has_them_any_more),
		TEST(test_somebody_has_them_later),
		TEST(test_a_crash_goes_on),
		TEST(test_what_another_base_left_is_not_taken),
		TEST(test_a_crash_and_a_turned_bit),
		TEST(test_two_votes_below_the_base),
		TEST(test_an_attack_below_the_base),
		TEST(test_what_others_are_given),
		TEST(test_from_one_who_was_backfilled),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
