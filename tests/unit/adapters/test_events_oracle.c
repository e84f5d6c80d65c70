/* Events of oracle and feed contracts: whole ones, and one bit changed anywhere. */
#include "adapters/evm/events.h"
#include "common.h"
#include "core/abi.h"

#define DATA_MAX 4096

struct world {
	struct evm_contracts contracts;
	struct wire_request head;
	uint8_t data[DATA_MAX];
	struct evm_log log;
	struct adapter_event event;
	struct evm_left_out left_out;
};

static struct world w;

static const struct evm_contract *contract_of(enum evm_contract_kind kind)
{
	size_t at = 0;
	while (w.contracts.list[at].kind != kind) {
		at++;
		assert_true(at < w.contracts.count);
	}
	return &w.contracts.list[at];
}

static int open_world(void **state)
{
	struct adapter_evm_config config = {.chain_id = 1,
					    .oracles = {{{1}}},
					    .oracle_count = 1,
					    .feeds = {{{2}}},
					    .feed_count = 1};
	struct cs_why why;

	(void)state;
	memset(&w, 0, sizeof(w));
	assert_ok(evm_contracts_init(&w.contracts, &config, &why));
	assert_int_equal(w.contracts.count, 2);
	return 0;
}

static size_t decode(void)
{
	return evm_events_decode(&w.event, &w.left_out, &w.contracts, &w.log, 1);
}

static void begin_log(enum evm_contract_kind kind, enum evm_topic topic, size_t topic_count)
{
	w.log = (struct evm_log){.address = contract_of(kind)->address, .topic_count = topic_count};
	w.log.topics[0] = w.contracts.topics[topic];
}

static void put_strings(struct cs_abi *abi, size_t slot, const struct cs_bytes *items, size_t count)
{
	size_t slots[8];

	cs_abi_enter_array(abi, slot, count);
	for (size_t i = 0; i < count; i++)
		slots[i] = cs_abi_slot(abi);
	for (size_t i = 0; i < count; i++)
		cs_abi_put_bytes(abi, slots[i], items[i]);
	cs_abi_leave(abi);
}

/* The log of a request of these parts, as the contract emits it. */
static void make_request(struct cs_bytes spec, const struct cs_bytes *arguments, size_t count,
			 struct cs_bytes secrets)
{
	struct cs_buf buf;
	struct cs_abi abi;

	w.head.receiver = contract_of(EVM_CONTRACT_ORACLE)->identity;
	w.head.counter = 5;
	w.head.asker.b[31] = 9;
	if (spec.n > 0)
		w.head.spec_hash = wire_spec_hash(spec);
	w.head.arguments_hash = wire_arguments_hash(arguments, count);
	w.head.secrets_hash = wire_secrets_hash(secrets);
	w.head.callback.b[31] = 3;
	w.head.callback_gas = 100000;
	w.head.max_age = 60;
	w.head.time = 1900000000;
	w.head.deadline = 1900000600;
	begin_log(EVM_CONTRACT_ORACLE, EVM_TOPIC_REQUESTED, 3);
	w.log.topics[1] = wire_request_id(&w.head);
	w.log.topics[2] = w.head.asker;
	cs_buf_init(&buf, w.data, sizeof(w.data));
	cs_abi_init(&abi, &buf);
	cs_abi_put_u64(&abi, w.head.counter);
	cs_abi_put_word(&abi, &w.head.asker);
	cs_abi_put_word(&abi, &w.head.spec_hash);
	cs_abi_put_word(&abi, &w.head.arguments_hash);
	cs_abi_put_word(&abi, &w.head.secrets_hash);
	cs_abi_put_word(&abi, &w.head.callback);
	cs_abi_put_u64(&abi, w.head.callback_gas);
	cs_abi_put_u256(&abi, &w.head.fee);
	cs_abi_put_u64(&abi, w.head.max_age);
	cs_abi_put_u64(&abi, w.head.time);
	cs_abi_put_u64(&abi, w.head.deadline);
	size_t slot_spec = cs_abi_slot(&abi);
	size_t slot_arguments = cs_abi_slot(&abi);
	size_t slot_secrets = cs_abi_slot(&abi);
	cs_abi_put_bytes(&abi, slot_spec, spec);
	put_strings(&abi, slot_arguments, arguments, count);
	cs_abi_put_bytes(&abi, slot_secrets, secrets);
	assert_ok(cs_buf_end(&buf));
	w.log.data = cs_buf_view(&buf);
}

static void make_whole_request(void)
{
	const struct cs_bytes arguments[2] = {cs_bytes_str("btc"), cs_bytes_str("")};

	make_request(cs_bytes_str("{\"a spec\":1}"), arguments, 2, cs_bytes_str("sealed"));
}

static void test_requested(void **state)
{
	(void)state;
	make_whole_request();
	assert_int_equal(decode(), 1);
	assert_int_equal(w.event.kind, ADAPTER_EVENT_ORACLE_REQUESTED);
	const struct adapter_oracle_request *request = &w.event.requested;
	assert_true(cs_hash_eq(&w.event.contract, &w.head.receiver));
	assert_true(cs_hash_eq(&request->request_id, &w.log.topics[1]));
	assert_memory_equal(&request->head, &w.head, sizeof(w.head));
	assert_bytes(request->spec, cs_bytes_str("{\"a spec\":1}"));
	assert_int_equal(request->argument_count, 2);
	assert_bytes(request->arguments[0], cs_bytes_str("btc"));
	assert_int_equal(request->arguments[1].n, 0);
	assert_bytes(request->secrets, cs_bytes_str("sealed"));
}

/* The spec's bytes are elsewhere, and its hash stands. */
static void test_requested_by_hash(void **state)
{
	(void)state;
	w.head.spec_hash.b[0] = 7;
	make_request(CS_BYTES_NONE, NULL, 0, CS_BYTES_NONE);
	assert_int_equal(decode(), 1);
	assert_int_equal(w.event.requested.spec.n, 0);
	assert_int_equal(w.event.requested.head.spec_hash.b[0], 7);
	assert_true(cs_hash_is_zero(&w.event.requested.head.secrets_hash));
}

static void test_every_bit_of_a_request(void **state)
{
	(void)state;
	make_whole_request();
	for (size_t bit = 0; bit < 8 * w.log.data.n; bit++) {
		w.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_int_equal(decode(), 0);
		assert_int_equal(w.left_out.foreign, 1);
		w.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	for (size_t topic = 1; topic < 3; topic++) {
		w.log.topics[topic].b[31] ^= 1;
		assert_int_equal(decode(), 0);
		assert_int_equal(w.left_out.foreign, 1);
		w.log.topics[topic].b[31] ^= 1;
	}
	struct cs_bytes whole = w.log.data;
	for (size_t n = 0; n < whole.n; n++) {
		w.log.data = cs_bytes(whole.p, n);
		assert_int_equal(decode(), 0);
	}
	w.log.data = cs_bytes(whole.p, whole.n + 1);
	assert_int_equal(decode(), 0);
}

static void test_of_whom(void **state)
{
	(void)state;
	make_whole_request();
	/* of another contract: another receiver, another request */
	w.contracts.list[0].identity.b[0] ^= 1;
	assert_int_equal(decode(), 0);
	assert_int_equal(w.left_out.foreign, 1);
	w.contracts.list[0].identity.b[0] ^= 1;
	/* of nobody who is watched, and of a contract that takes no requests */
	w.log.address.b[5] ^= 1;
	assert_int_equal(decode(), 0);
	assert_int_equal(w.left_out.foreign, 0);
	w.log.address = contract_of(EVM_CONTRACT_FEED)->address;
	assert_int_equal(decode(), 0);
	assert_int_equal(w.left_out.foreign, 0);
}

/* A number that no journal holds. */
static void test_unstorable(void **state)
{
	const struct cs_bytes none = CS_BYTES_NONE;

	(void)state;
	make_request(none, NULL, 0, none);
	struct cs_buf buf;
	w.head.counter |= 1ull << 63;
	w.log.topics[1] = wire_request_id(&w.head);
	cs_buf_init(&buf, w.data, 32);
	cs_put_word_u64(&buf, w.head.counter);
	assert_int_equal(decode(), 0);
	assert_int_equal(w.left_out.unstorable, 1);
	assert_int_equal(w.left_out.foreign, 0);
}

static void test_ends(void **state)
{
	struct cs_buf buf;
	struct cs_abi abi;
	struct cs_hash evidence = {{5}};

	(void)state;
	begin_log(EVM_CONTRACT_ORACLE, EVM_TOPIC_ANSWERED, 3);
	w.log.topics[1].b[0] = 1;
	cs_buf_init(&buf, w.data, sizeof(w.data));
	cs_abi_init(&abi, &buf);
	cs_abi_put_u64(&abi, 48);
	cs_abi_put_u64(&abi, 1900000001);
	cs_abi_put_word(&abi, &evidence);
	cs_abi_put_bytes(&abi, cs_abi_slot(&abi), cs_bytes_str("abc"));
	w.log.data = cs_buf_view(&buf);
	assert_int_equal(decode(), 1);
	assert_int_equal(w.event.kind, ADAPTER_EVENT_ORACLE_ANSWERED);
	assert_int_equal(w.event.answered.request_id.b[0], 1);
	assert_int_equal(w.event.answered.code, 48);
	assert_int_equal(w.event.answered.observed_at, 1900000001);
	assert_bytes(w.event.answered.value, cs_bytes_str("abc"));
	w.data[30] = 1; /* a code above 255 */
	assert_int_equal(decode(), 0);
	assert_int_equal(w.left_out.foreign, 1);

	begin_log(EVM_CONTRACT_ORACLE, EVM_TOPIC_REFUNDED, 3);
	w.log.data = cs_bytes(w.data, 32);
	assert_int_equal(decode(), 1);
	assert_int_equal(w.event.kind, ADAPTER_EVENT_ORACLE_REFUNDED);
	w.log.data = cs_bytes(w.data, 33);
	assert_int_equal(decode(), 0);

	begin_log(EVM_CONTRACT_ORACLE, EVM_TOPIC_CALLBACK_FAILED, 2);
	assert_int_equal(decode(), 1);
	assert_int_equal(w.event.kind, ADAPTER_EVENT_CALLBACK_FAILED);
	w.log.data = cs_bytes(w.data, 32);
	assert_int_equal(decode(), 0);
}

static void make_feed(uint64_t index, const char *description)
{
	struct cs_address view = {{0x11}}, uptime = {{0x22}};
	struct cs_hash spec = {{0x33}};
	struct cs_buf buf;
	struct cs_abi abi;

	begin_log(EVM_CONTRACT_FEED, EVM_TOPIC_FEED_ADDED, 3);
	cs_put_be64(w.log.topics[1].b + 24, index);
	w.log.topics[2] = wire_feed_id(&contract_of(EVM_CONTRACT_FEED)->identity, index);
	cs_buf_init(&buf, w.data, sizeof(w.data));
	cs_abi_init(&abi, &buf);
	cs_abi_put_address(&abi, &view);
	cs_abi_put_address(&abi, &uptime);
	cs_abi_enter(&abi, cs_abi_slot(&abi));
	cs_abi_put_word(&abi, &spec);
	cs_abi_put_u64(&abi, 8);
	cs_abi_put_u64(&abi, 3600);
	cs_abi_put_u64(&abi, 3900);
	cs_abi_put_u64(&abi, 5000);
	cs_abi_put_u64(&abi, 4);
	cs_abi_put_bytes(&abi, cs_abi_slot(&abi), cs_bytes_str(description));
	cs_abi_leave(&abi);
	assert_ok(cs_buf_end(&buf));
	w.log.data = cs_buf_view(&buf);
}

static void test_feed_added(void **state)
{
	const struct adapter_feed_addition *feed = &w.event.feed_added;
	char longest[ADAPTER_FEED_DESCRIPTION_MAX + 2];

	(void)state;
	make_feed(3, "ETH / USD");
	assert_int_equal(decode(), 1);
	assert_int_equal(w.event.kind, ADAPTER_EVENT_FEED_ADDED);
	assert_int_equal(feed->index, 3);
	assert_int_equal(feed->view.b[0], 0x11);
	assert_int_equal(feed->uptime.b[0], 0x22);
	assert_int_equal(feed->spec_hash.b[0], 0x33);
	assert_int_equal(feed->decimals, 8);
	assert_int_equal(feed->heartbeat_s, 3600);
	assert_int_equal(feed->stale_after_s, 3900);
	assert_int_equal(feed->deviation_ppm, 5000);
	assert_int_equal(feed->history_bits, 4);
	assert_bytes(feed->description, cs_bytes_str("ETH / USD"));
	struct cs_bytes whole = w.log.data;
	for (size_t n = 0; n < whole.n; n++) {
		w.log.data = cs_bytes(whole.p, n);
		assert_int_equal(decode(), 0);
	}
	w.log.data = whole;
	w.log.topics[1].b[31] ^= 1; /* the identifier is another feed's */
	assert_int_equal(decode(), 0);
	assert_int_equal(w.left_out.foreign, 1);
	memset(longest, 'x', sizeof(longest));
	longest[ADAPTER_FEED_DESCRIPTION_MAX + 1] = 0;
	make_feed(3, longest);
	assert_int_equal(decode(), 0);
	make_feed(3, longest + 1);
	assert_int_equal(decode(), 1);
	w.data[95] = 0x80; /* the settings begin elsewhere */
	assert_int_equal(decode(), 0);
}

static void test_feed_moves(void **state)
{
	(void)state;
	begin_log(EVM_CONTRACT_FEED, EVM_TOPIC_FEED_UPDATED, 2);
	w.log.topics[1].b[31] = 6;
	memset(w.data, 0xff, 32);
	w.data[63] = 77;
	w.log.data = cs_bytes(w.data, 64);
	assert_int_equal(decode(), 1);
	assert_int_equal(w.event.feed_updated.index, 6);
	assert_int_equal(w.event.feed_updated.value.b[0], 0xff);
	assert_int_equal(w.event.feed_updated.observed_at, 77);
	w.data[32] = 1;
	assert_int_equal(decode(), 0);
	assert_int_equal(w.left_out.foreign, 1);
	w.data[32] = 0;
	w.data[56] = 0x80;
	assert_int_equal(decode(), 0);
	assert_int_equal(w.left_out.unstorable, 1);
	w.log.topics[1].b[0] = 1; /* an index of more than 64 bits */
	assert_int_equal(decode(), 0);
	assert_int_equal(w.left_out.foreign, 1);

	begin_log(EVM_CONTRACT_FEED, EVM_TOPIC_FEED_PAUSED, 2);
	memset(w.data, 0, 32);
	w.data[31] = 1;
	w.log.data = cs_bytes(w.data, 32);
	assert_int_equal(decode(), 1);
	assert_true(w.event.feed_paused.paused);
	w.data[31] = 2;
	assert_int_equal(decode(), 0);
}

static void test_bloom(void **state)
{
	uint8_t bloom[EVM_BLOOM_SIZE];

	(void)state;
	memset(bloom, 0, sizeof(bloom));
	assert_false(evm_contracts_may_be_in(&w.contracts, bloom));
	memset(bloom, 0xff, sizeof(bloom));
	assert_true(evm_contracts_may_be_in(&w.contracts, bloom));
}

/* Every contract's address, and of the topics those of the kinds that are there. */
static void test_filter(void **state)
{
	json_t *filter = evm_contracts_filter(&w.contracts);

	(void)state;
	assert_int_equal(json_array_size(json_object_get(filter, "address")), 2);
	const json_t *topics = json_object_get(filter, "topics");
	assert_int_equal(json_array_size(topics), 1);
	assert_int_equal(json_array_size(json_array_get(topics, 0)), 7);
	json_decref(filter);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_requested, open_world),
		cmocka_unit_test_setup(test_requested_by_hash, open_world),
		cmocka_unit_test_setup(test_every_bit_of_a_request, open_world),
		cmocka_unit_test_setup(test_of_whom, open_world),
		cmocka_unit_test_setup(test_unstorable, open_world),
		cmocka_unit_test_setup(test_ends, open_world),
		cmocka_unit_test_setup(test_feed_added, open_world),
		cmocka_unit_test_setup(test_feed_moves, open_world),
		cmocka_unit_test_setup(test_bloom, open_world),
		cmocka_unit_test_setup(test_filter, open_world),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
