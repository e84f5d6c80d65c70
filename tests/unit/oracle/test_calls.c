/* Calldata of the contracts against tests/vectors/oracle, which share no code with it. */
#include "core/decimal.h"
#include "oracle/calls.h"
#include "tests/unit/support.h"

#define FILE_OF(name) CS_VECTORS "/oracle/" name ".json"

static json_t *calls, *requests, *answers, *feeds;

static const json_t *named(const json_t *file, const char *list, const char *name)
{
	const json_t *one;
	size_t i;
	json_array_foreach(json_object_get(file, list), i, one)
	{
		if (strcmp(text_of(one, "name"), name) == 0)
			return one;
	}
	fail_msg("no %s", name);
	return NULL;
}

static struct wire_request request_of(const json_t *one)
{
	struct wire_request request = {
		.receiver = hash_of(one, "receiver"),
		.counter = u64_of(one, "counter"),
		.asker = hash_of(one, "asker"),
		.spec_hash = hash_of(one, "specHash"),
		.arguments_hash = hash_of(one, "argumentsHash"),
		.secrets_hash = hash_of(one, "secretsHash"),
		.callback = hash_of(one, "callback"),
		.callback_gas = u64_of(one, "callbackGas"),
		.max_age = u64_of(one, "maxAge"),
		.time = u64_of(one, "time"),
		.deadline = u64_of(one, "deadline"),
	};
	assert_ok(cs_u256_from_decimal(&request.fee, cs_bytes_str(text_of(one, "fee"))));
	return request;
}

static struct wire_signed statement_of(const json_t *call)
{
	const json_t *st = json_object_get(call, "statement"), *sibling;
	struct wire_signed out = {
		.statement = {.kind = WIRE_KIND_ANSWER,
			      .signer = hash_of(call, "oracle"),
			      .receiver = hash_of(call, "receiver"),
			      .epoch = u64_of(st, "epoch"),
			      .manifest_number = u64_of(st, "manifest")},
		.signature = {.rx = hash_of(st, "rx"),
			      .ry = hash_of(st, "ry"),
			      .s = hash_of(st, "s")},
	};
	size_t i;
	json_array_foreach(json_object_get(st, "path"), i, sibling)
	{
		out.path[out.path_count++] = hash_of_text(json_string_value(sibling));
	}
	return out;
}

static void check_fulfil(const json_t *call)
{
	struct oracle_fulfil_item items[ORACLE_CALL_ITEMS_MAX];
	struct wire_request heads[ORACLE_CALL_ITEMS_MAX];
	struct wire_signed st = statement_of(call);
	const json_t *name;
	size_t count;
	json_array_foreach(json_object_get(call, "answers"), count, name)
	{
		const json_t *one = named(answers, "answers", json_string_value(name));
		heads[count] = request_of(named(requests, "requests", text_of(one, "request")));
		items[count] =
			(struct oracle_fulfil_item){.head = &heads[count],
						    .code = (uint8_t)u64_of(one, "code"),
						    .observed_at = u64_of(one, "observed_at"),
						    .evidence_hash = hash_of(one, "evidence"),
						    .value = bytes_of(one, "value")};
	}
	struct cs_bytes want = bytes_of(call, "calldata");
	size_t size = oracle_call_fulfil_size(&st, items, count);
	assert_int_equal(size, want.n);
	struct cs_buf buf;
	cs_buf_init(&buf, keep(size), size);
	assert_ok(oracle_call_fulfil(&buf, &st, items, count));
	assert_bytes(cs_buf_view(&buf), want);
	cs_buf_init(&buf, keep(size), size - 1);
	assert_err(oracle_call_fulfil(&buf, &st, items, count), CS_ERR_TOO_LARGE);
	cs_buf_init(&buf, keep(size), size);
	assert_err(oracle_call_fulfil(&buf, &st, items, 0), CS_ERR_INVALID);
	assert_err(oracle_call_fulfil(&buf, &st, items, ORACLE_CALL_ITEMS_MAX + 1), CS_ERR_INVALID);
}

/* value: a decimal, perhaps negative. */
static struct cs_hash int256_of(const json_t *one)
{
	const char *text = text_of(one, "value");
	bool negative = text[0] == '-';
	struct cs_u256 number;
	assert_ok(cs_u256_from_decimal(&number, cs_bytes_str(text + negative)));
	struct cs_hash word = cs_u256_word(&number);
	for (size_t i = sizeof word.b, carry = 1; negative && i-- > 0;) {
		unsigned sum = (unsigned)(uint8_t)~word.b[i] + (unsigned)carry;
		word.b[i] = (uint8_t)sum;
		carry = sum >> 8;
	}
	return word;
}

static void check_submit(const json_t *call)
{
	static uint8_t memory[ORACLE_CALL_SUBMIT_SIZE_MAX];
	struct oracle_submit_item items[ORACLE_CALL_ITEMS_MAX];
	struct wire_signed st = statement_of(call);
	const json_t *name;
	size_t count;
	json_array_foreach(json_object_get(call, "feeds"), count, name)
	{
		const json_t *one = named(feeds, "feeds", json_string_value(name));
		items[count] =
			(struct oracle_submit_item){.index = u64_of(one, "index"),
						    .observed_at = u64_of(one, "observed_at"),
						    .spec_hash = hash_of(one, "spec_hash"),
						    .evidence_hash = hash_of(one, "evidence"),
						    .value = int256_of(one)};
	}
	struct cs_buf buf;
	cs_buf_init(&buf, memory, sizeof memory);
	assert_ok(oracle_call_submit(&buf, &st, items, count));
	assert_bytes(cs_buf_view(&buf), bytes_of(call, "calldata"));
	/* The bound holds for the largest call that there can be. */
	st.path_count = CS_PATH_MAX;
	cs_buf_init(&buf, memory, sizeof memory);
	assert_ok(oracle_call_submit(&buf, &st, items, ORACLE_CALL_ITEMS_MAX));
	assert_err(oracle_call_submit(&buf, &st, items, ORACLE_CALL_ITEMS_MAX + 1), CS_ERR_INVALID);
	assert_err(oracle_call_submit(&buf, &st, items, 0), CS_ERR_INVALID);
}

static void check_refund(const json_t *call)
{
	uint8_t memory[ORACLE_CALL_REFUND_SIZE];
	struct wire_request head =
		request_of(named(requests, "requests", text_of(call, "request")));
	struct cs_buf buf;
	cs_buf_init(&buf, memory, sizeof memory);
	assert_ok(oracle_call_refund(&buf, &head));
	assert_bytes(cs_buf_view(&buf), bytes_of(call, "calldata"));
	cs_buf_init(&buf, memory, sizeof memory - 1);
	assert_err(oracle_call_refund(&buf, &head), CS_ERR_TOO_LARGE);
}

static void test_vectors(void **state)
{
	size_t i, fulfils = 0, submits = 0, refunds = 0;
	const json_t *call;
	(void)state;
	calls = read_json(FILE_OF("calldata"));
	requests = read_json(FILE_OF("requests"));
	answers = read_json(FILE_OF("answers"));
	feeds = read_json(FILE_OF("feeds"));
	json_array_foreach(json_object_get(calls, "calls"), i, call)
	{
		const char *function = text_of(call, "function");
		if (strcmp(function, "fulfil") == 0 && ++fulfils)
			check_fulfil(call);
		if (strcmp(function, "submit") == 0 && ++submits)
			check_submit(call);
		if (strcmp(function, "refund") == 0 && ++refunds)
			check_refund(call);
	}
	assert_true(fulfils >= 4 && submits >= 2 && refunds >= 4);
	json_decref(calls);
	json_decref(requests);
	json_decref(answers);
	json_decref(feeds);
}

static void test_state(void **state)
{
	uint8_t memory[ORACLE_CALL_STATE_OF_SIZE], words[65] = {0};
	struct cs_hash id = {{7}};
	enum oracle_contract_state is = ORACLE_AT_CONTRACT_UNKNOWN;
	uint8_t code = 99;
	struct cs_buf buf;
	(void)state;
	cs_buf_init(&buf, memory, sizeof memory);
	assert_ok(oracle_call_state_of(&buf, &id));
	assert_memory_equal(memory, "\x64\x48\x2a\xc4\x07", 5);
	words[31] = 2;
	words[63] = 16;
	assert_ok(oracle_call_read_state(&is, &code, cs_bytes(words, 64)));
	assert_int_equal(is, ORACLE_AT_CONTRACT_ANSWERED);
	assert_int_equal(code, 16);
	words[31] = 4;
	assert_err(oracle_call_read_state(&is, &code, cs_bytes(words, 64)), CS_ERR_MALFORMED);
	words[31] = 1;
	words[62] = 1;
	assert_err(oracle_call_read_state(&is, &code, cs_bytes(words, 64)), CS_ERR_OVERFLOW);
	words[62] = 0;
	assert_err(oracle_call_read_state(&is, &code, cs_bytes(words, 65)), CS_ERR_TRAILING);
	assert_err(oracle_call_read_state(&is, &code, cs_bytes(words, 63)), CS_ERR_TRUNCATED);
	assert_err(oracle_call_read_state(&is, &code, CS_BYTES_NONE), CS_ERR_TRUNCATED);
	assert_int_equal(is, ORACLE_AT_CONTRACT_ANSWERED); /* untouched by what failed */
	assert_int_equal(code, 16);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_vectors),
					   cmocka_unit_test(test_state)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
