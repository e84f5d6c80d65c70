#include "adapters/evm/events.h"
#include "common.h"
#include "wire/envelope.h"

struct world {
	json_t *vector;
	struct evm_contracts contracts;
	struct evm_logs logs;
	struct adapter_event events[64];
	struct evm_left_out left_out;
};

static struct world w;

static int open_world(void **state)
{
	struct adapter_position place = {.tx_index = 0};
	uint32_t first_log = 0;

	(void)state;
	w = (struct world){.vector = load("evm-rpc/geth.json")};
	const json_t *raw = at(w.vector, "rawReceipts");
	struct adapter_evm_config config = {.chain_id = 1};
	struct cs_why why;

	assert_ok(evm_json_address(&config.gateway, at(w.vector, "gateway")));
	assert_ok(evm_contracts_init(&w.contracts, &config, &why));
	w.contracts.list[0].identity = hash_at(w.vector, "identity");
	for (size_t i = 0; i < json_array_size(raw); i++) {
		struct cs_bytes receipt = bytes_of(json_array_get(raw, i));
		size_t count;

		place.tx_index = (uint32_t)i;
		assert_ok(evm_events_receipt_logs(&w.logs, &count, receipt, &place, first_log,
						  &w.contracts));
		first_log += (uint32_t)count;
		drop(receipt);
	}
	assert_int_equal(w.logs.count, json_array_size(at(w.vector, "logs")));
	return 0;
}

static int close_world(void **state)
{
	(void)state;
	evm_logs_clear(&w.logs);
	json_decref(w.vector);
	return 0;
}

static size_t decode(void)
{
	return evm_events_decode(w.events, &w.left_out, &w.contracts, w.logs.logs, w.logs.count);
}

static void test_messages(void **state)
{
	(void)state;
	assert_int_equal(decode(), 19);
	assert_int_equal(w.left_out.foreign, 0);
	for (size_t i = 0; i < 19; i++) {
		const struct adapter_event *event = &w.events[i];
		char text[8];

		assert_int_equal(event->kind, ADAPTER_EVENT_MESSAGE);
		assert_int_equal(event->message.sequence, i + 1);
		unsigned own = event->at.tx_index;
		snprintf(text, sizeof(text), "%u", own);
		assert_int_equal(event->message.payload.n, 40 * strlen(text));
		assert_memory_equal(event->message.payload.p, text, strlen(text));
		assert_true(event->message.deadline > 0 && event->message.sender.n > 20);
	}
}

/* One bit anywhere in the data of a message's two logs: it is left out and counted, the others
 * stand. Only the value, the attributes and their lengths are outside the identifier. */
static void test_every_bit(void **state)
{
	size_t silent = 0;

	(void)state;
	for (size_t l = 0; l < 2; l++) {
		struct evm_log *log = &w.logs.logs[l];
		uint8_t *data = (uint8_t *)(uintptr_t)log->data.p;

		for (size_t bit = 0; bit < 8 * log->data.n; bit++) {
			data[bit / 8] ^= (uint8_t)(1u << bit % 8);
			size_t found = decode();
			assert_true(found >= 18 && found + w.left_out.foreign == 19);
			silent += found == 19;
			data[bit / 8] ^= (uint8_t)(1u << bit % 8);
		}
	}
	assert_true(silent <= 256); /* the word of the value */
}

static void test_lies(void **state)
{
	(void)state;
	/* of another gateway */
	w.contracts.list[0].identity.b[3] ^= 1;
	assert_int_equal(decode(), 0);
	assert_int_equal(w.left_out.foreign, 19);
	w.contracts.list[0].identity.b[3] ^= 1;
	/* without its other half, or with one of another transaction */
	size_t sent =
		cs_hash_eq(&w.logs.logs[0].topics[0], &w.contracts.topics[EVM_TOPIC_SENT]) ? 0 : 1;
	w.logs.logs[sent].topics[1].b[0] ^= 1;
	assert_int_equal(decode(), 18);
	w.logs.logs[sent].topics[1].b[0] ^= 1;
	w.logs.logs[sent].at.tx_index = 9;
	assert_int_equal(decode(), 18);
	w.logs.logs[sent].at.tx_index = 0;
	/* cut short, at every length */
	struct evm_log *log = &w.logs.logs[0];
	for (size_t n = 0; n < log->data.n; n++) {
		struct cs_bytes whole = log->data;
		uint8_t *cut = malloc(n + 1);

		memcpy(cut, whole.p, n);
		log->data = cs_bytes(cut, n);
		assert_int_equal(decode(), 18);
		log->data = whole;
		free(cut);
	}
}

static void test_statuses(void **state)
{
	uint8_t data[64] = {0};
	struct evm_log log = {.address = w.contracts.list[0].address,
			      .topic_count = 3,
			      .data = cs_bytes(data, sizeof(data))};

	(void)state;
	log.topics[0] = w.contracts.topics[EVM_TOPIC_STATUS];
	log.topics[1].b[0] = 7;
	data[31] = 5;
	data[63] = 2;
	assert_int_equal(evm_events_decode(w.events, &w.left_out, &w.contracts, &log, 1), 1);
	assert_int_equal(w.events[0].kind, ADAPTER_EVENT_STATUS);
	assert_int_equal(w.events[0].status.sequence, 5);
	assert_int_equal(w.events[0].status.status, 2);
	data[63] = 4;
	assert_int_equal(evm_events_decode(w.events, &w.left_out, &w.contracts, &log, 1), 0);
	assert_int_equal(w.left_out.foreign, 1);
	log.topics[0] = w.contracts.topics[EVM_TOPIC_FINALIZED];
	log.data = cs_bytes(data + 32, 32);
	data[63] = 3;
	assert_int_equal(evm_events_decode(w.events, &w.left_out, &w.contracts, &log, 1), 1);
	assert_int_equal(w.events[0].kind, ADAPTER_EVENT_FINALIZED);
	log.data = cs_bytes(data, 64);
	assert_int_equal(evm_events_decode(w.events, &w.left_out, &w.contracts, &log, 1), 0);
	log.topic_count = 2; /* not this event: nobody's */
	assert_int_equal(evm_events_decode(w.events, &w.left_out, &w.contracts, &log, 1), 0);
	assert_int_equal(w.left_out.foreign, 0);
}

static void test_claims(void **state)
{
	const json_t *raw = at(w.vector, "rawReceipts");
	struct adapter_claim claims[4];
	size_t count;
	size_t total;
	size_t found = 0;

	(void)state;
	for (size_t i = 0; i < json_array_size(raw); i++) {
		struct cs_bytes receipt = bytes_of(json_array_get(raw, i));
		struct adapter_position place = {.tx_index = (uint32_t)i};
		struct evm_logs logs = {NULL, 0, 0};
		size_t log_count;

		assert_ok(evm_events_claims(claims, 4, 0, &count, &total, receipt, &w.contracts));
		assert_int_equal(count, total);
		found += total;
		assert_ok(evm_events_receipt_logs(&logs, &log_count, receipt, &place, 10,
						  &w.contracts));
		assert_int_equal(logs.count, 2 * total);
		assert_int_equal(log_count, 2 * total);
		evm_logs_clear(&logs);
		assert_ok(evm_events_claims(claims, 4, 1, &count, &total, receipt, &w.contracts));
		assert_int_equal(count, 0);
		assert_true(evm_events_claims(claims, 4, 0, &count, &total,
					      cs_bytes(receipt.p, receipt.n - 1),
					      &w.contracts) != CS_OK);
		drop(receipt);
	}
	assert_int_equal(found, 19);
}

/* A number that no journal holds: left out and counted, alone. */
static void test_unstorable(void **state)
{
	uint8_t data[64] = {0};
	struct evm_log log = {.address = w.contracts.list[0].address,
			      .topic_count = 3,
			      .data = cs_bytes(data, sizeof(data))};

	(void)state;
	log.topics[0] = w.contracts.topics[EVM_TOPIC_STATUS];
	memset(data + 24, 0xff, 8);
	data[24] = 0x7f;
	assert_int_equal(evm_events_decode(w.events, &w.left_out, &w.contracts, &log, 1), 1);
	data[24] = 0x80;
	assert_int_equal(evm_events_decode(w.events, &w.left_out, &w.contracts, &log, 1), 0);
	assert_int_equal(w.left_out.unstorable, 1);
	assert_int_equal(w.left_out.foreign, 0);
	/* of a message whose identifier is right: sequence, deadline and gas limit */
	for (size_t word = 0; word < 3; word++) {
		struct evm_log logs[2];
		struct adapter_event before;
		size_t committed = cs_hash_eq(&w.logs.logs[0].topics[0],
					      &w.contracts.topics[EVM_TOPIC_COMMITTED])
					   ? 0
					   : 1;

		memcpy(logs, w.logs.logs, sizeof(logs));
		assert_int_equal(evm_events_decode(&before, &w.left_out, &w.contracts, logs, 2), 1);
		uint8_t *copy = malloc(logs[committed].data.n);
		memcpy(copy, logs[committed].data.p, logs[committed].data.n);
		logs[committed].data = cs_bytes(copy, logs[committed].data.n);
		copy[32 * word + 24] |= 0x80;
		struct wire_message full = {
			.head = {.source = w.contracts.list[0].identity,
				 .destination = before.message.destination,
				 .sequence = before.message.sequence | (word == 0 ? 1ull << 63 : 0),
				 .deadline = before.message.deadline | (word == 1 ? 1ull << 63 : 0),
				 .min_gas_limit = before.message.min_gas_limit |
						  (word == 2 ? 1ull << 63 : 0),
				 .closer = before.message.closer,
				 .refund_to = before.message.refund_to,
				 .finality = before.message.finality},
			.sender = before.message.sender,
			.recipient = before.message.recipient,
			.payload = before.message.payload,
		};
		wire_message_seal(&full);
		logs[0].topics[1] = logs[1].topics[1] = wire_message_id(&full.head);
		assert_int_equal(evm_events_decode(&before, &w.left_out, &w.contracts, logs, 2), 0);
		assert_int_equal(w.left_out.unstorable, 1);
		assert_int_equal(w.left_out.foreign, 0);
		free(copy);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_messages, open_world, close_world),
		cmocka_unit_test_setup_teardown(test_every_bit, open_world, close_world),
		cmocka_unit_test_setup_teardown(test_lies, open_world, close_world),
		cmocka_unit_test_setup_teardown(test_statuses, open_world, close_world),
		cmocka_unit_test_setup_teardown(test_claims, open_world, close_world),
		cmocka_unit_test_setup_teardown(test_unstorable, open_world, close_world),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
