/* Letting the enclave ask the providers of a chain: when, what of its answer counts for following the
 * chain, what people see of it. */
#include "adapters/providers.h"
#include "host/loop.h"
#include "tests/unit/support.h"
#include "wire/convert.h"
#include "wire/oracle.h"

static struct world {
	struct adapter_follow follow;
	struct adapter_providers providers;
	bool ready;
	enum cs_err call_err;
	unsigned called;
	host_enclave_done *done;
	void *done_context;
	unsigned changed;
	unsigned sealed;
	unsigned woken;
	unsigned told;
} w;
static struct host_manifest_chain chain;
static uint8_t block[1u << 20];
static struct cs_arena scratch;

static bool is_ready(void *context)
{
	assert_ptr_equal(context, &w);
	return w.ready;
}

static enum cs_err call(void *context, enum wire_type type, const ProtobufCMessage *message,
			host_enclave_done *done, void *done_context)
{
	(void)context;
	assert_int_equal(type, WIRE_CLIENT_QUORUM);
	assert_memory_equal(((const Caisson__Wire__ClientQuorumRequest *)message)->chain.data,
			    w.follow.identity.b, 32);
	w.called++;
	w.done = done;
	w.done_context = done_context;
	return w.call_err;
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

static void seal(void *context)
{
	(void)context;
	assert_true(w.changed > w.sealed);
	w.sealed++;
}

static void tell(void *context, const char *event, const char *why)
{
	(void)context;
	assert_string_equal(event, "chain.frozen");
	assert_non_null(why);
	w.told++;
}

static int set_up(void **state)
{
	static const struct adapter_follow_ops ops = {.ready = is_ready,
						      .call = call,
						      .changed = changed,
						      .seal = seal,
						      .wake = wake,
						      .tell = tell};
	(void)state;
	cs_arena_init(&scratch, block, sizeof(block));
	chain = (struct host_manifest_chain){.mode = HOST_RPC_QUORUM};
	w = (struct world){.ready = true};
	w.follow = (struct adapter_follow){.ops = &ops,
					   .context = &w,
					   .scratch = &scratch,
					   .name = "eip155:1",
					   .identity = {{0x1d}},
					   .created = true,
					   .feed_max = adapter_providers_feed_max(&chain)};
	w.providers = (struct adapter_providers){
		.follow = &w.follow, .manifest = &chain, .block_time_ms = 250};
	return 0;
}

/* Of two: the first named this block, the second failed with the code (0: named it too). */
static void reply(uint64_t named, uint64_t final_height, uint32_t second)
{
	static uint8_t bytes[2048];
	struct cs_hash hash = {{0xf1}};
	Caisson__Wire__ClientStatus status = CAISSON__WIRE__CLIENT_STATUS__INIT;
	Caisson__Wire__ClientQuorumReply message = CAISSON__WIRE__CLIENT_QUORUM_REPLY__INIT;
	Caisson__Wire__ProviderAnswer rows[2];
	Caisson__Wire__ProviderAnswer *list[2] = {&rows[0], &rows[1]};
	for (size_t i = 0; i < 2; i++) {
		caisson__wire__provider_answer__init(&rows[i]);
		rows[i].height = named;
		rows[i].hash = (ProtobufCBinaryData){32, hash.b};
	}
	if (second != 0) {
		caisson__wire__provider_answer__init(&rows[1]);
		rows[1].code = second;
		rows[1].why = (char *)(uintptr_t) "refused";
	}
	status.chain = (ProtobufCBinaryData){32, w.follow.identity.b};
	status.head_height = named;
	status.final_height = final_height;
	status.final_hash = (ProtobufCBinaryData){32, hash.b};
	message.status = &status;
	message.named_height = named;
	message.providers = list;
	message.n_providers = 2;
	assert_true(caisson__wire__client_quorum_reply__get_packed_size(&message) <= sizeof(bytes));
	size_t size = caisson__wire__client_quorum_reply__pack(&message, bytes);
	w.done(w.done_context, CS_OK, "", cs_bytes(bytes, size));
}

static void ask_again(void)
{
	w.providers.ask_after_ms = 0; /* the pause is over */
	adapter_providers_ask(&w.providers);
}

/* ---- tests ---- */

static void only_of_a_chain_that_has_some(void **state)
{
	(void)state;
	assert_true(adapter_has_providers(&chain));
	assert_int_equal(adapter_providers_feed_max(&chain), 0);
	chain = (struct host_manifest_chain){.mode = "qbft"};
	assert_false(adapter_has_providers(&chain));
	assert_true(adapter_providers_feed_max(&chain) == UINT64_MAX);
	adapter_providers_ask(&w.providers);
	assert_int_equal(w.called, 0);
	json_t *json = adapter_providers_json(&w.providers);
	assert_true(json_is_null(json));
	json_decref(json);
}

static void not_before_there_is_somebody_who_can(void **state)
{
	(void)state;
	w.follow.created = false;
	adapter_providers_ask(&w.providers);
	w.follow.created = true;
	w.follow.frozen = true;
	adapter_providers_ask(&w.providers);
	w.follow.frozen = false;
	w.ready = false;
	adapter_providers_ask(&w.providers);
	assert_int_equal(w.called, 0);
	w.ready = true;
	adapter_providers_ask(&w.providers);
	assert_int_equal(w.called, 1);
	/* One round at a time. */
	ask_again();
	assert_int_equal(w.called, 1);
}

static void a_round_is_followed_by_a_pause(void **state)
{
	(void)state;
	adapter_providers_ask(&w.providers);
	reply(9, 8, 0);
	const uint64_t after = w.providers.ask_after_ms;
	assert_in_range(after, host_now_ms() + 500, host_now_ms() + 1000);
	adapter_providers_ask(&w.providers);
	assert_int_equal(w.called, 1);
	ask_again();
	assert_int_equal(w.called, 2);
	/* A chain of slow blocks is asked once a minute. */
	w.providers.block_time_ms = 600000;
	reply(9, 8, 0);
	assert_in_range(w.providers.ask_after_ms, host_now_ms() + 59000, host_now_ms() + 60000);
	/* So is one after a call that was not sent. */
	w.call_err = CS_ERR_UNAVAILABLE;
	ask_again();
	assert_false(w.providers.asking);
	assert_true(w.providers.ask_after_ms > host_now_ms());
}

static void headers_are_of_use_as_far_as_they_named(void **state)
{
	(void)state;
	adapter_providers_ask(&w.providers);
	reply(9, 8, 0);
	assert_int_equal(w.follow.feed_max, 9);
	assert_int_equal(w.follow.final_height, 8);
	assert_int_equal(w.changed, 1);
	assert_int_equal(w.woken, 1);
	ask_again();
	reply(9, 8, 0);
	assert_int_equal(w.changed, 1);
	assert_int_equal(w.woken, 2);
}

static void people_see_what_each_said(void **state)
{
	(void)state;
	adapter_providers_ask(&w.providers);
	reply(9, 8, WIRE_ORACLE_TLS);
	assert_int_equal(adapter_providers_voting(&w.providers), 1);
	json_t *json = adapter_providers_json(&w.providers);
	char *text = json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS);
	assert_string_equal(text,
			    "[{\"answer\":\"ok\",\"height\":9},{\"answer\":\"tls\",\"height\":"
			    "null}]");
	free(text);
	json_decref(json);
}

static void a_contradiction_freezes(void **state)
{
	(void)state;
	adapter_providers_ask(&w.providers);
	w.done(w.done_context, CS_ERR_FROZEN, "two final blocks", CS_BYTES_NONE);
	assert_true(w.follow.frozen);
	assert_int_equal(w.told, 1);
	assert_int_equal(w.changed, 1);
	ask_again();
	assert_int_equal(w.called, 1);
}

static void a_failure_is_repeated(void **state)
{
	static const enum cs_err errors[] = {CS_ERR_CLOSED, CS_ERR_FULL, CS_ERR_TIMEOUT};
	static const uint8_t garbage[] = {0xff, 0xff};
	(void)state;
	for (size_t i = 0; i < CS_LEN(errors); i++) {
		ask_again();
		assert_int_equal(w.called, i + 1);
		w.done(w.done_context, errors[i], "refused", CS_BYTES_NONE);
		assert_false(w.providers.asking || w.follow.frozen);
	}
	ask_again();
	w.done(w.done_context, CS_OK, "", cs_bytes(garbage, sizeof garbage));
	assert_false(w.providers.asking);
	assert_int_equal(w.follow.feed_max, 0);
	assert_int_equal(w.woken, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup(name, set_up)
		TEST(only_of_a_chain_that_has_some),  TEST(not_before_there_is_somebody_who_can),
		TEST(a_round_is_followed_by_a_pause), TEST(headers_are_of_use_as_far_as_they_named),
		TEST(people_see_what_each_said),      TEST(a_contradiction_freezes),
		TEST(a_failure_is_repeated),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
