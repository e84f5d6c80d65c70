/* What is new goes beside what is old: which messages each lane of a stage takes, and how much of one kind may wait for
 * a peer. */
#include "gateway/gateway.h"
#include "tests/unit/gateway/journal_fixture.h"

#define NOW_S 1900000000u
#define NOW_MS (1000ull * NOW_S)

static struct gateway_message aged(uint64_t n, uint64_t seconds)
{
	return (struct gateway_message){.n = n, .time_s = NOW_S - seconds};
}

static size_t kept(struct gateway_stage *stage, enum gateway_lane lane,
		   struct gateway_message *rows, size_t count)
{
	return gateway_stage_keep(stage, lane, rows, count, NOW_MS);
}

/* ---- turns ---- */

static void a_turn_is_the_age_of_its_block(void **state)
{
	(void)state;
	struct gateway_message message = aged(1, 90);
	assert_int_equal(gateway_turn_ms(&message, NOW_MS), NOW_MS - 90000);
	/* A block of the future, or a time that no multiplication takes: its turn is now. */
	message.time_s = NOW_S + 5;
	assert_int_equal(gateway_turn_ms(&message, NOW_MS), NOW_MS);
	message.time_s = UINT64_MAX;
	assert_int_equal(gateway_turn_ms(&message, NOW_MS), NOW_MS);
	/* A peer that tells no time has the oldest. */
	message.time_s = 0;
	assert_int_equal(gateway_turn_ms(&message, NOW_MS), 0);
}

/* ---- what is new ---- */

static void the_new_lane_takes_none_of_a_backlog(void **state)
{
	(void)state;
	struct gateway_stage stage = {0};
	struct gateway_message rows[CS_BATCH_MAX];
	rows[0] = aged(100, 3);
	rows[1] = aged(99, 5);
	for (uint64_t i = 2; i < CS_BATCH_MAX; i++)
		rows[i] = aged(100 - i, 600 + i);
	assert_int_equal(kept(&stage, GATEWAY_LANE_NEW, rows, CS_BATCH_MAX), 2);
	assert_true(rows[0].n == 100 && rows[1].n == 99);
	/* Later nothing but the backlog waits: it is not new because nothing newer is there. */
	for (uint64_t i = 0; i < CS_BATCH_MAX; i++)
		rows[i] = aged(98 - i, 602 + i);
	assert_int_equal(kept(&stage, GATEWAY_LANE_NEW, rows, CS_BATCH_MAX), 0);
	assert_int_equal(kept(&stage, GATEWAY_LANE_OLD, rows, CS_BATCH_MAX), CS_BATCH_MAX);
}

static void new_is_what_is_three_times_as_old_as_the_newest(void **state)
{
	(void)state;
	struct gateway_stage stage = {0};
	struct gateway_message row = aged(1, 1000);
	assert_false(gateway_stage_is_new(&stage, &row, NOW_MS)); /* of what, when nothing came */
	/* A chain whose blocks are final after a quarter of an hour. */
	assert_int_equal(kept(&stage, GATEWAY_LANE_NEW, &row, 1), 1);
	row = aged(2, 3001);
	assert_true(gateway_stage_is_new(&stage, &row, NOW_MS));
	row = aged(3, 3002);
	assert_false(gateway_stage_is_new(&stage, &row, NOW_MS));
	/* One of a chain whose clock is ahead is as new as can be, and makes the others old. */
	row = aged(4, 0);
	row.time_s = UINT64_MAX;
	assert_int_equal(kept(&stage, GATEWAY_LANE_NEW, &row, 1), 1);
	row = aged(5, 2);
	assert_false(gateway_stage_is_new(&stage, &row, NOW_MS));
}

static void what_is_new_is_learned_again(void **state)
{
	(void)state;
	struct gateway_stage stage = {0};
	struct gateway_message row = aged(1, 1);
	assert_int_equal(kept(&stage, GATEWAY_LANE_NEW, &row, 1), 1);
	uint64_t later_ms = NOW_MS + 599000;
	row = aged(2, 0);
	row.time_s = NOW_S + 599 - 60;
	assert_int_equal(gateway_stage_keep(&stage, GATEWAY_LANE_NEW, &row, 1, later_ms), 0);
	later_ms += 1000;
	assert_int_equal(gateway_stage_keep(&stage, GATEWAY_LANE_NEW, &row, 1, later_ms), 1);
	/* The old lane teaches nothing, and a clock that was set back does. */
	stage = (struct gateway_stage){0};
	assert_int_equal(kept(&stage, GATEWAY_LANE_OLD, &row, 1), 1);
	assert_int_equal(stage.learned_ms, 0);
	row = aged(1, 1);
	assert_int_equal(kept(&stage, GATEWAY_LANE_NEW, &row, 1), 1);
	row.time_s = NOW_S - 9000;
	assert_int_equal(gateway_stage_keep(&stage, GATEWAY_LANE_NEW, &row, 1, NOW_MS - 8000000),
			 1);
}

/* ---- two flights ---- */

static void what_is_under_way_in_one_lane_is_not_taken_by_the_other(void **state)
{
	(void)state;
	struct gateway_stage stage = {0};
	struct gateway_message rows[] = {aged(1, 2), aged(2, 2), aged(3, 2)};
	gateway_stage_begin(&stage, GATEWAY_LANE_NEW, &rows[1], 1);
	assert_int_equal(gateway_stage_flights(&stage), 1);
	assert_int_equal(kept(&stage, GATEWAY_LANE_OLD, rows, 3), 2);
	assert_true(rows[0].n == 1 && rows[1].n == 3);
	gateway_stage_begin(&stage, GATEWAY_LANE_OLD, rows, 2);
	assert_int_equal(gateway_stage_flights(&stage), 2);
	struct gateway_message again[] = {aged(1, 2), aged(3, 2), aged(4, 2)};
	assert_int_equal(kept(&stage, GATEWAY_LANE_NEW, again, 3), 1);
	assert_int_equal(again[0].n, 4);
	gateway_stage_end(&stage, GATEWAY_LANE_OLD);
	again[0] = aged(1, 2);
	assert_int_equal(kept(&stage, GATEWAY_LANE_NEW, again, 1), 1);
	gateway_stage_end(&stage, GATEWAY_LANE_NEW);
	assert_int_equal(gateway_stage_flights(&stage), 0);
}

/* ---- out of the journal ---- */

struct picking {
	struct fixture *f;
	struct gateway_stage stage;
	struct gateway_message rows[CS_BATCH_MAX];
	size_t count;
};

static uint64_t picked(struct picking *p, enum gateway_lane lane, size_t count_max)
{
	struct gateway_message any = sample(1, RELAY_DESTINATION);
	struct gateway_pick pick = {.chain = &any.chain,
				    .side = RELAY_DESTINATION,
				    .state = RELAY_SIGNED,
				    .due_ms = NOW_MS};
	assert_ok(gateway_stage_pick(&p->stage, lane, p->f->journal, &pick, p->rows, count_max,
				     &p->count));
	assert_true(p->count <= count_max);
	return p->count > 0 ? p->rows[0].sequence : 0;
}

static void waiting(struct fixture *f, uint8_t n, uint64_t seconds)
{
	struct gateway_message message = sample(n, RELAY_DESTINATION);
	message.time_s = NOW_S - seconds;
	message.next_ms = gateway_turn_ms(&message, NOW_MS);
	assert_ok(add(f, &message));
}

static enum cs_err try_again(struct fixture *f, void *context)
{
	struct gateway_message *message = context;
	message->tries = 1;
	message->next_ms = NOW_MS;
	return gateway_journal_save(f->journal, message);
}

static void each_lane_picks_its_own(void **state)
{
	static struct picking p;
	memset(&p, 0, sizeof(p));
	p.f = *state;
	assert_int_equal(picked(&p, GATEWAY_LANE_NEW, 64), 0);
	assert_int_equal(picked(&p, GATEWAY_LANE_OLD, 1), 0);
	for (uint8_t n = 1; n <= 5; n++)
		waiting(p.f, n, 1000u - n);
	waiting(p.f, 6, 4);
	waiting(p.f, 7, 2);
	assert_int_equal(picked(&p, GATEWAY_LANE_NEW, 64), 7);
	assert_true(p.count == 2 && p.rows[1].sequence == 6);
	assert_int_equal(picked(&p, GATEWAY_LANE_NEW, 1), 7);
	assert_int_equal(picked(&p, GATEWAY_LANE_OLD, 1), 1);
	assert_int_equal(picked(&p, GATEWAY_LANE_OLD, 64), 1);
	assert_int_equal(p.count, 7);
	/* What the other lane has is passed over, to the next. */
	struct gateway_message first = p.rows[0];
	gateway_stage_begin(&p.stage, GATEWAY_LANE_OLD, &p.rows[6], 1);
	assert_int_equal(picked(&p, GATEWAY_LANE_NEW, 1), 6);
	gateway_stage_begin(&p.stage, GATEWAY_LANE_NEW, p.rows, 1);
	gateway_stage_end(&p.stage, GATEWAY_LANE_OLD);
	p.stage.newest = true;
	assert_int_equal(picked(&p, GATEWAY_LANE_OLD, 1), 7);
	gateway_stage_end(&p.stage, GATEWAY_LANE_NEW);
	/* An old one that is tried again is the newest by its turn, and hides none. */
	assert_ok(write_(p.f, try_again, &first));
	assert_int_equal(picked(&p, GATEWAY_LANE_OLD, 1), 1);
	assert_int_equal(picked(&p, GATEWAY_LANE_NEW, 1), 7);
	/* Where the first is under way it is one other, not all. */
	assert_int_equal(picked(&p, GATEWAY_LANE_OLD, 1), 1);
	gateway_stage_begin(&p.stage, GATEWAY_LANE_NEW, p.rows, 1);
	assert_int_equal(picked(&p, GATEWAY_LANE_OLD, 1), 7);
	assert_int_equal(p.count, 1);
}

/* ---- how much waits for a peer ---- */

struct item {
	const char *peer;
	enum gateway_item kind;
};

static enum cs_err post(struct fixture *f, void *context)
{
	const struct item *item = context;
	return gateway_journal_post(f->journal, item->peer, item->kind, 1);
}

static void posted(struct fixture *f, const char *peer, enum gateway_item kind, unsigned count)
{
	struct item item = {peer, kind};
	while (count-- > 0)
		assert_ok(write_(f, post, &item));
}

static enum cs_err acked(struct fixture *f, void *context)
{
	return gateway_journal_acked(f->journal, "b", *(uint64_t *)context);
}

static bool is_ahead(const struct gateway_route *route, enum gateway_lane lane)
{
	return gateway_is_ahead(route, GATEWAY_ITEM_MESSAGES, lane);
}

static void no_more_is_signed_than_a_peer_takes(void **state)
{
	static struct gateway gateway;
	static struct gateway_chain chain;
	static struct gateway_route route;
	static struct gateway_peer peers[2];
	static const struct gateway_peer_config config;
	struct fixture *f = *state;
	gateway.journal = f->journal;
	chain.gateway = &gateway;
	route.chain = &chain;
	assert_false(is_ahead(&route, GATEWAY_LANE_OLD)); /* no peer, nobody to wait for */
	for (size_t i = 0; i < 2; i++) {
		peers[i] = (struct gateway_peer){.gateway = &gateway,
						 .name = i == 0 ? "b" : "c",
						 .config = &config,
						 .reachable = true};
		route.peers[route.peer_count++] = &peers[i];
	}
	posted(f, "b", GATEWAY_ITEM_NOTE, 9);
	posted(f, "b", GATEWAY_ITEM_OUTCOMES, 9);
	posted(f, "stranger", GATEWAY_ITEM_MESSAGES, 9);
	assert_false(is_ahead(&route, GATEWAY_LANE_OLD));
	assert_true(gateway_is_ahead(&route, GATEWAY_ITEM_OUTCOMES, GATEWAY_LANE_OLD));
	/* Old ones stop at two, so that new ones find two more places, and stop at four. */
	posted(f, "b", GATEWAY_ITEM_MESSAGES, 1);
	posted(f, "c", GATEWAY_ITEM_MESSAGES, 1);
	assert_false(is_ahead(&route, GATEWAY_LANE_OLD)); /* each peer by itself */
	posted(f, "b", GATEWAY_ITEM_MESSAGES, 1);
	assert_true(is_ahead(&route, GATEWAY_LANE_OLD));
	assert_false(is_ahead(&route, GATEWAY_LANE_NEW));
	posted(f, "b", GATEWAY_ITEM_MESSAGES, 2);
	assert_true(is_ahead(&route, GATEWAY_LANE_NEW));
	/* One that does not answer, or refuses, holds up nothing; nor do we ourselves. */
	peers[0].reachable = false;
	assert_false(is_ahead(&route, GATEWAY_LANE_NEW));
	peers[0].reachable = true;
	peers[0].failures = 1;
	assert_false(is_ahead(&route, GATEWAY_LANE_NEW));
	peers[0].failures = 0;
	peers[0].config = NULL;
	assert_false(is_ahead(&route, GATEWAY_LANE_NEW));
	peers[0].config = &config;
	assert_true(is_ahead(&route, GATEWAY_LANE_NEW));
	/* What is taken makes room: three of the four are left, then one. */
	struct gateway_outbox_item items[32];
	size_t count = 0;
	assert_ok(gateway_journal_outbox(f->journal, "b", 0, items, CS_LEN(items), &count));
	assert_int_equal(count, 22);
	assert_int_equal(items[18].kind, GATEWAY_ITEM_MESSAGES);
	assert_ok(write_(f, acked, &items[18].n));
	assert_false(is_ahead(&route, GATEWAY_LANE_NEW));
	assert_true(is_ahead(&route, GATEWAY_LANE_OLD));
	assert_ok(write_(f, acked, &items[20].n));
	assert_false(is_ahead(&route, GATEWAY_LANE_OLD));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_turn_is_the_age_of_its_block),
		cmocka_unit_test(the_new_lane_takes_none_of_a_backlog),
		cmocka_unit_test(new_is_what_is_three_times_as_old_as_the_newest),
		cmocka_unit_test(what_is_new_is_learned_again),
		cmocka_unit_test(what_is_under_way_in_one_lane_is_not_taken_by_the_other),
		cmocka_unit_test_setup_teardown(each_lane_picks_its_own, setup, teardown),
		cmocka_unit_test_setup_teardown(no_more_is_signed_than_a_peer_takes, setup,
						teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
