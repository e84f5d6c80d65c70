/* Following a chain: the light client is created at the anchor, brought to the head a stretch at a
 * time, and held where it must not run ahead; what stops the chain is told once. */
#include "adapters/follow.h"
#include "tests/unit/support.h"
#include "wire/convert.h"

#define ANCHOR 100u

/* Stands for the node, the enclave and the owner; everything is recorded. */
struct world {
	struct adapter adapter;
	struct adapter_follow follow;
	bool ready;
	/* headers asked of the node */
	uint64_t from;
	size_t count;
	unsigned asked;
	adapter_headers_fn *headers_done;
	void *headers_context;
	enum cs_err headers_err;
	/* frames to the enclave */
	enum wire_type type;
	size_t header_count;
	unsigned called;
	host_enclave_done *reply_done;
	void *reply_context;
	/* what the owner heard */
	unsigned changed;
	unsigned sealed;
	unsigned woken;
	unsigned told;
	const char *event;
	unsigned held;
	uint64_t hold_at;
	/* the node's branch */
	bool has_hash;
	struct cs_hash hash;
	uint64_t final_height;
	/* the other branch */
	struct adapter_header others[ADAPTER_OTHERS_MAX];
	size_t other_count;
	char sent[16]; /* the first header of the newest frame */
};

static struct world w;
static uint8_t block[1u << 20];
static struct cs_arena scratch;

/* ---- the node ---- */

static enum cs_err headers(struct adapter *adapter, uint64_t from, size_t count,
			   adapter_headers_fn *done, void *context)
{
	assert_ptr_equal(adapter, &w.adapter);
	w.asked++;
	w.from = from;
	w.count = count;
	w.headers_done = done;
	w.headers_context = context;
	return w.headers_err;
}

static void final(struct adapter *adapter, const struct adapter_block_id *id)
{
	(void)adapter;
	w.final_height = id->height;
}

static bool hash_at(struct adapter *adapter, uint64_t height, struct cs_hash *hash)
{
	(void)adapter;
	(void)height;
	if (w.has_hash)
		*hash = w.hash;
	return w.has_hash;
}

static size_t others(struct adapter *adapter, struct adapter_header list[ADAPTER_OTHERS_MAX])
{
	(void)adapter;
	memcpy(list, w.others, w.other_count * sizeof(list[0]));
	return w.other_count;
}

static struct adapter_header header_at(uint64_t height)
{
	return (struct adapter_header){
		.id = {.height = height}, .time_s = height * 2, .rlp = cs_bytes_str("header")};
}

static void give_headers(void)
{
	static struct adapter_header list[ADAPTER_HEADERS_MAX];
	for (size_t i = 0; i < w.count; i++)
		list[i] = header_at(w.from + i);
	w.headers_done(w.headers_context, CS_OK, "", list, w.count);
}

/* ---- the owner and its enclave ---- */

static bool is_ready(void *context)
{
	assert_ptr_equal(context, &w);
	return w.ready;
}

static enum cs_err call(void *context, enum wire_type type, const ProtobufCMessage *message,
			host_enclave_done *done, void *done_context)
{
	(void)context;
	w.called++;
	w.type = type;
	w.header_count = type == WIRE_CLIENT_UPDATE
				 ? ((const Caisson__Wire__ClientUpdateRequest *)message)->n_headers
				 : 1;
	w.reply_done = done;
	w.reply_context = done_context;
	if (type == WIRE_CLIENT_UPDATE) {
		const Caisson__Wire__ClientUpdateRequest *update =
			(const Caisson__Wire__ClientUpdateRequest *)message;
		assert_true(update->headers[0].len < sizeof(w.sent));
		memcpy(w.sent, update->headers[0].data, update->headers[0].len);
		w.sent[update->headers[0].len] = '\0';
	}
	return CS_OK;
}

static void changed(void *context)
{
	(void)context;
	w.changed++;
}

static void wake(void *context)
{
	(void)context;
	w.woken++;
}

static void tell(void *context, const char *event, const char *why)
{
	(void)context;
	assert_non_null(why);
	w.told++;
	w.event = event;
}

/* Behind the change that it stores. */
static void seal(void *context)
{
	(void)context;
	assert_true(w.changed > w.sealed);
	w.sealed++;
}

static uint64_t hold(void *context, uint64_t to)
{
	(void)context;
	w.held++;
	return w.hold_at != 0 && w.hold_at < to ? w.hold_at : to;
}

static int set_up(void **unused)
{
	static const struct adapter_ops node = {
		.headers = headers, .final = final, .hash_at = hash_at, .others = others};
	static const struct adapter_follow_ops ops = {.ready = is_ready,
						      .call = call,
						      .changed = changed,
						      .seal = seal,
						      .wake = wake,
						      .tell = tell,
						      .hold = hold};
	(void)unused;
	cs_arena_init(&scratch, block, sizeof(block));
	w = (struct world){.adapter = {.ops = &node}, .ready = true};
	w.follow = (struct adapter_follow){.ops = &ops,
					   .context = &w,
					   .scratch = &scratch,
					   .name = "eip155:1",
					   .anchor_height = ANCHOR,
					   .adapter = &w.adapter,
					   .feed_max = UINT64_MAX};
	return 0;
}

/* The enclave answers the frame: its client's head and final block are now these. */
static void reply(uint64_t head, uint64_t final_height)
{
	static uint8_t bytes[1024];
	struct cs_hash hash = {{0xf1}};
	Caisson__Wire__ClientStatus status = CAISSON__WIRE__CLIENT_STATUS__INIT;
	Caisson__Wire__ClientReply message = CAISSON__WIRE__CLIENT_REPLY__INIT;
	status.chain = (ProtobufCBinaryData){32, w.follow.identity.b};
	status.head_height = head;
	status.final_height = final_height;
	status.final_hash = (ProtobufCBinaryData){32, hash.b};
	message.status = &status;
	assert_true(caisson__wire__client_reply__get_packed_size(&message) <= sizeof(bytes));
	size_t size = caisson__wire__client_reply__pack(&message, bytes);
	w.reply_done(w.reply_context, CS_OK, "", cs_bytes(bytes, size));
}

static void refuse(enum cs_err err)
{
	w.reply_done(w.reply_context, err, "refused", CS_BYTES_NONE);
	w.follow.feed_after_ms = 0; /* the pause is over */
}

/* A client whose newest header is head, with everything up to cursor reported. */
static void begin_at(uint64_t head, uint64_t final_height, uint64_t cursor)
{
	w.follow.created = true;
	w.follow.client_head = head;
	w.follow.final_height = final_height;
	w.follow.cursor_height = cursor;
}

static void see_head(uint64_t height)
{
	struct adapter_header head = header_at(height);
	adapter_follow_head(&w.follow, &head);
}

/* ---- tests ---- */

static void a_client_is_created_at_the_anchor_and_brought_to_the_head(void **unused)
{
	(void)unused;
	see_head(ANCHOR + 5);
	assert_int_equal(w.asked, 1);
	assert_int_equal(w.from, ANCHOR);
	assert_int_equal(w.count, 1);
	give_headers();
	assert_int_equal(w.type, WIRE_CLIENT_CREATE);
	reply(ANCHOR, ANCHOR);
	assert_true(w.follow.created && !w.follow.feeding);
	assert_int_equal(w.final_height, ANCHOR);
	assert_int_equal(w.changed, 1);
	adapter_follow_feed(&w.follow);
	assert_int_equal(w.from, ANCHOR + 1);
	assert_int_equal(w.count, 5);
	give_headers();
	assert_int_equal(w.type, WIRE_CLIENT_UPDATE);
	assert_int_equal(w.header_count, 5);
	reply(ANCHOR + 5, ANCHOR + 4);
	adapter_follow_feed(&w.follow);
	assert_int_equal(w.asked, 2);
}

static void the_next_head_is_fed_without_asking_the_node(void **unused)
{
	(void)unused;
	begin_at(200, 190, 199);
	see_head(201);
	assert_int_equal(w.asked, 0);
	assert_int_equal(w.called, 1);
	assert_int_equal(w.header_count, 1);
	assert_int_equal(w.woken, 1);
	see_head(202); /* the frame is under way */
	assert_int_equal(w.called, 1);
}

static void nothing_is_fed_beyond_its_bounds(void **unused)
{
	(void)unused;
	begin_at(200, 190, 199);
	w.follow.feed_max = 200;
	see_head(201);
	assert_int_equal(w.asked + w.called, 0);
	w.follow.feed_max = UINT64_MAX;
	/* Far behind: no further ahead of the cursor than what stays provable. */
	begin_at(200, 190, 195);
	see_head(1000);
	assert_int_equal(w.from, 201);
	assert_int_equal(w.count, 195 + ADAPTER_FOLLOW_LEAD - 200);
	assert_int_equal(w.held, 1);
}

static void a_hold_is_asked_for_only_far_above_the_final_block(void **unused)
{
	(void)unused;
	begin_at(200, 190, 199);
	w.hold_at = 201;
	see_head(300);
	assert_int_equal(w.held, 0);
	assert_int_equal(w.count, 100);
	adapter_follow_begin(&w.follow);
	begin_at(200, 60, 199);
	see_head(300);
	assert_int_equal(w.held, 1);
	assert_int_equal(w.count, 1);
}

static void another_branch_is_fed_from_where_all_agree(void **unused)
{
	(void)unused;
	begin_at(200, 190, 199);
	see_head(201);
	refuse(CS_ERR_UNLINKED);
	adapter_follow_feed(&w.follow);
	assert_int_equal(w.from, 191);
	adapter_follow_begin(&w.follow);
	adapter_follow_reorg(&w.follow, &(struct adapter_reorg){.from = 195});
	adapter_follow_reorg(&w.follow, &(struct adapter_reorg){.from = 198});
	adapter_follow_feed(&w.follow);
	assert_int_equal(w.from, 195);
}

/* The nodes change their mind while the first headers are on their way. */
static void a_reorganisation_before_anything_is_final_is_fed_from_the_anchor(void **unused)
{
	(void)unused;
	begin_at(ANCHOR, 0, ANCHOR);
	adapter_follow_reorg(&w.follow, &(struct adapter_reorg){.from = ANCHOR + 3});
	see_head(ANCHOR + 4);
	assert_int_equal(w.from, ANCHOR + 1);
	/* Fed to the fork and no further. */
	adapter_follow_begin(&w.follow);
	begin_at(ANCHOR + 5, 0, ANCHOR + 5);
	see_head(ANCHOR + 6);
	refuse(CS_ERR_UNLINKED);
	adapter_follow_feed(&w.follow);
	assert_int_equal(w.from, ANCHOR + 1);
}

static void a_frozen_client_is_told_and_left_alone(void **unused)
{
	(void)unused;
	begin_at(200, 190, 199);
	see_head(201);
	refuse(CS_ERR_FROZEN);
	assert_true(w.follow.frozen);
	assert_int_equal(w.told, 1);
	assert_string_equal(w.event, "chain.frozen");
	assert_int_equal(w.changed, 1);
	assert_int_equal(w.sealed, 1);
	assert_non_null(adapter_follow_trouble(&w.follow));
	see_head(202);
	assert_int_equal(w.asked, 0);
	assert_int_equal(w.called, 1);
}

/* The enclave is right to refuse, or the node tells nonsense: whoever asks hears that nothing moves. */
static void a_client_that_takes_nothing_for_a_minute_is_trouble(void **unused)
{
	(void)unused;
	begin_at(200, 190, 199);
	adapter_follow_begin(&w.follow);
	see_head(201);
	refuse(CS_ERR_BAD_TIME);
	assert_null(adapter_follow_trouble(&w.follow));
	assert_int_equal(adapter_follow_stands_ms(&w.follow), 0);
	w.follow.client_moved_ms -= ADAPTER_FOLLOW_STANDS_MS;
	assert_in_range(adapter_follow_stands_ms(&w.follow), ADAPTER_FOLLOW_STANDS_MS,
			2 * ADAPTER_FOLLOW_STANDS_MS);
	assert_string_equal(adapter_follow_trouble(&w.follow),
			    "a light client refuses the headers that its chain's node tells");
	/* Further heads, and further refusals, do not make it better. */
	see_head(202);
	refuse(CS_ERR_BAD_TIME);
	assert_non_null(adapter_follow_trouble(&w.follow));
	/* What it takes does. */
	adapter_follow_feed(&w.follow);
	give_headers();
	reply(202, 192);
	assert_null(adapter_follow_trouble(&w.follow));
	assert_int_equal(adapter_follow_stands_ms(&w.follow), 0);
}

/* The node tells a head and serves no header of it. */
static void a_client_that_is_given_nothing_for_a_minute_is_trouble(void **unused)
{
	(void)unused;
	begin_at(200, 190, 199);
	adapter_follow_begin(&w.follow);
	see_head(205);
	w.headers_done(w.headers_context, CS_ERR_NOT_FOUND, "", NULL, 0);
	w.follow.client_moved_ms -= ADAPTER_FOLLOW_STANDS_MS;
	assert_string_equal(adapter_follow_trouble(&w.follow),
			    "a light client stands behind the head of its chain");
	adapter_follow_begin(&w.follow); /* another enclave begins anew */
	assert_null(adapter_follow_trouble(&w.follow));
}

static void a_client_with_nothing_to_take_does_not_stand(void **unused)
{
	(void)unused;
	begin_at(200, 190, 199);
	adapter_follow_begin(&w.follow);
	see_head(200);
	/* A chain that makes a block every hour: the next one does not find it late. */
	w.follow.client_moved_ms -= 60 * ADAPTER_FOLLOW_STANDS_MS;
	assert_null(adapter_follow_trouble(&w.follow));
	see_head(201);
	assert_null(adapter_follow_trouble(&w.follow));
	/* Providers who do not agree yet are no fault of the client. */
	begin_at(201, 190, 199);
	w.follow.feed_max = 201;
	see_head(300);
	w.follow.client_moved_ms -= ADAPTER_FOLLOW_STANDS_MS;
	assert_null(adapter_follow_trouble(&w.follow));
	/* Nor is it to be fed while messages wait to be proven. */
	w.follow.feed_max = UINT64_MAX;
	w.follow.head_height = w.follow.cursor_height = 1000;
	w.follow.feeding = false;
	w.hold_at = 201;
	adapter_follow_feed(&w.follow);
	assert_null(adapter_follow_trouble(&w.follow));
}

static void a_branch_without_the_final_block_is_told_once(void **unused)
{
	(void)unused;
	begin_at(200, 190, 199);
	assert_false(adapter_follow_agrees(&w.follow)); /* not reported yet: no reason to stop */
	assert_false(w.follow.diverged);
	w.has_hash = true;
	w.hash.b[0] = 1;
	assert_false(adapter_follow_agrees(&w.follow));
	assert_false(adapter_follow_agrees(&w.follow));
	assert_true(w.follow.diverged);
	assert_int_equal(w.told, 1);
	assert_string_equal(w.event, "chain.diverged");
	w.hash = w.follow.final_hash;
	assert_true(adapter_follow_agrees(&w.follow));
	assert_false(w.follow.diverged);
}

static void without_an_enclave_nothing_is_fed(void **unused)
{
	(void)unused;
	begin_at(200, 190, 199);
	w.ready = false;
	see_head(201);
	assert_int_equal(w.asked + w.called, 0);
	w.ready = true;
	adapter_follow_feed(&w.follow);
	assert_int_equal(w.asked, 1);
	w.ready = false; /* gone while the node answered */
	give_headers();
	assert_int_equal(w.called, 0);
	assert_false(w.follow.feeding);
	w.follow.adapter = NULL;
	w.ready = true;
	w.follow.feed_after_ms = 0;
	adapter_follow_feed(&w.follow);
	assert_int_equal(w.asked, 1);
	assert_false(adapter_follow_agrees(&w.follow));
}

/* The lowest block of another branch and its newest. */
static void see_conflict(uint64_t lowest, uint64_t newest)
{
	w.others[0] = (struct adapter_header){.id.height = lowest, .rlp = cs_bytes_str("lowest")};
	w.others[1] = (struct adapter_header){.id.height = newest, .rlp = cs_bytes_str("newest")};
	w.other_count = 2;
	adapter_follow_conflict(&w.follow, &w.others[0].id);
}

static void the_other_branch_is_shown_and_freezes(void **unused)
{
	(void)unused;
	begin_at(200, 200, 200);
	w.follow.head_height = 200;
	see_conflict(195, 199);
	assert_int_equal(w.asked, 0);
	assert_int_equal(w.type, WIRE_CLIENT_UPDATE);
	assert_string_equal(w.sent, "lowest");
	refuse(CS_ERR_FROZEN);
	assert_true(w.follow.frozen && !w.follow.others_open);
	assert_int_equal(w.told, 1);
	assert_int_equal(w.changed, 1);
	assert_int_equal(w.sealed, 1);
	adapter_follow_feed(&w.follow);
	assert_int_equal(w.called, 1);
}

static void the_other_branch_waits_for_ours(void **unused)
{
	(void)unused;
	begin_at(190, 190, 200);
	w.follow.head_height = 200;
	see_conflict(195, 199);
	assert_int_equal(w.from, 191); /* ours first */
	give_headers();
	assert_string_equal(w.sent, "header");
	reply(200, 200);
	adapter_follow_feed(&w.follow);
	assert_string_equal(w.sent, "lowest");
}

static void an_enclave_that_comes_back_is_shown_it_again(void **unused)
{
	(void)unused;
	begin_at(200, 200, 200);
	w.follow.head_height = 200;
	see_conflict(195, 199);
	assert_int_equal(w.called, 1);
	w.ready = false;
	refuse(CS_ERR_CLOSED);
	assert_int_equal(w.called, 1);
	w.ready = true;
	adapter_follow_begin(&w.follow);
	adapter_follow_feed(&w.follow);
	assert_int_equal(w.called, 2);
	assert_string_equal(w.sent, "lowest");
}

/* Below the client's window, of other validators: the newest is tried, and then it ends. */
static void what_the_enclave_refuses_is_not_shown_for_ever(void **unused)
{
	(void)unused;
	begin_at(200, 200, 200);
	w.follow.head_height = 200;
	see_conflict(195, 199);
	refuse(CS_ERR_STALE_HEADER);
	assert_int_equal(w.called, 2);
	assert_string_equal(w.sent, "newest");
	refuse(CS_ERR_BAD_SIGNER_SET);
	assert_int_equal(w.called, 2);
	assert_false(w.follow.others_open || w.follow.frozen);
	see_head(201); /* and the chain goes on */
	assert_int_equal(w.called, 3);
	assert_string_equal(w.sent, "header");
}

/* A height that the client did not hold: ours goes against it. */
static void ours_goes_against_an_other_that_was_taken(void **unused)
{
	(void)unused;
	begin_at(200, 200, 200);
	w.follow.head_height = 200;
	see_conflict(195, 199);
	reply(200, 200);
	assert_string_equal(w.sent, "newest");
	refuse(CS_ERR_STALE_HEADER);
	assert_int_equal(w.from, 195);
	give_headers();
	assert_string_equal(w.sent, "header");
	refuse(CS_ERR_FROZEN);
	assert_true(w.follow.frozen);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_client_is_created_at_the_anchor_and_brought_to_the_head,
				       set_up),
		cmocka_unit_test_setup(the_next_head_is_fed_without_asking_the_node, set_up),
		cmocka_unit_test_setup(nothing_is_fed_beyond_its_bounds, set_up),
		cmocka_unit_test_setup(a_hold_is_asked_for_only_far_above_the_final_block, set_up),
		cmocka_unit_test_setup(another_branch_is_fed_from_where_all_agree, set_up),
		cmocka_unit_test_setup(
			a_reorganisation_before_anything_is_final_is_fed_from_the_anchor, set_up),
		cmocka_unit_test_setup(a_frozen_client_is_told_and_left_alone, set_up),
		cmocka_unit_test_setup(a_client_that_takes_nothing_for_a_minute_is_trouble, set_up),
		cmocka_unit_test_setup(a_client_that_is_given_nothing_for_a_minute_is_trouble,
				       set_up),
		cmocka_unit_test_setup(a_client_with_nothing_to_take_does_not_stand, set_up),
		cmocka_unit_test_setup(a_branch_without_the_final_block_is_told_once, set_up),
		cmocka_unit_test_setup(without_an_enclave_nothing_is_fed, set_up),
		cmocka_unit_test_setup(the_other_branch_is_shown_and_freezes, set_up),
		cmocka_unit_test_setup(the_other_branch_waits_for_ours, set_up),
		cmocka_unit_test_setup(an_enclave_that_comes_back_is_shown_it_again, set_up),
		cmocka_unit_test_setup(what_the_enclave_refuses_is_not_shown_for_ever, set_up),
		cmocka_unit_test_setup(ours_goes_against_an_other_that_was_taken, set_up),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
