#include "core/abi.h"
#include "tests/unit/support.h"

static uint8_t memory[8192];

/* The examples of Solidity's ABI specification ("Examples", "Use of Dynamic Types"). */
static void test_spec_sam(void **state)
{
	(void)state;
	struct cs_buf buf;
	struct cs_abi abi;
	cs_buf_init(&buf, memory, sizeof memory);
	cs_abi_call(&abi, &buf, "sam(bytes,bool,uint256[])");
	size_t dave = cs_abi_slot(&abi);
	cs_abi_put_u64(&abi, 1);
	size_t list = cs_abi_slot(&abi);
	cs_abi_put_bytes(&abi, dave, cs_bytes_str("dave"));
	cs_abi_enter_array(&abi, list, 3);
	for (uint64_t i = 1; i <= 3; i++) {
		struct cs_u256 wide = cs_u256_u64(i);
		cs_abi_put_u256(&abi, &wide);
	}
	cs_abi_leave(&abi);
	assert_ok(cs_buf_end(&buf));
	assert_bytes(cs_buf_view(&buf),
		     unhex("a5643bf2"
			   "0000000000000000000000000000000000000000000000000000000000000060"
			   "0000000000000000000000000000000000000000000000000000000000000001"
			   "00000000000000000000000000000000000000000000000000000000000000a0"
			   "0000000000000000000000000000000000000000000000000000000000000004"
			   "6461766500000000000000000000000000000000000000000000000000000000"
			   "0000000000000000000000000000000000000000000000000000000000000003"
			   "0000000000000000000000000000000000000000000000000000000000000001"
			   "0000000000000000000000000000000000000000000000000000000000000002"
			   "0000000000000000000000000000000000000000000000000000000000000003"));
}

/* g(uint256[][],string[]) with [[1, 2], [3]] and ["one", "two", "three"]. */
static void test_spec_nested(void **state)
{
	(void)state;
	struct cs_buf buf;
	struct cs_abi abi;
	static const char *const words[] = {"one", "two", "three"};
	size_t slots[3];
	cs_buf_init(&buf, memory, sizeof memory);
	cs_abi_call(&abi, &buf, "g(uint256[][],string[])");
	size_t numbers = cs_abi_slot(&abi), texts = cs_abi_slot(&abi);
	cs_abi_enter_array(&abi, numbers, 2);
	slots[0] = cs_abi_slot(&abi);
	slots[1] = cs_abi_slot(&abi);
	cs_abi_enter_array(&abi, slots[0], 2);
	cs_abi_put_u64(&abi, 1);
	cs_abi_put_u64(&abi, 2);
	cs_abi_leave(&abi);
	cs_abi_enter_array(&abi, slots[1], 1);
	cs_abi_put_u64(&abi, 3);
	cs_abi_leave(&abi);
	cs_abi_leave(&abi);
	cs_abi_enter_array(&abi, texts, 3);
	for (size_t i = 0; i < 3; i++)
		slots[i] = cs_abi_slot(&abi);
	for (size_t i = 0; i < 3; i++)
		cs_abi_put_bytes(&abi, slots[i], cs_bytes_str(words[i]));
	cs_abi_leave(&abi);
	assert_ok(cs_buf_end(&buf));
	assert_bytes(cs_buf_view(&buf),
		     unhex("2289b18c"
			   "0000000000000000000000000000000000000000000000000000000000000040"
			   "0000000000000000000000000000000000000000000000000000000000000140"
			   "0000000000000000000000000000000000000000000000000000000000000002"
			   "0000000000000000000000000000000000000000000000000000000000000040"
			   "00000000000000000000000000000000000000000000000000000000000000a0"
			   "0000000000000000000000000000000000000000000000000000000000000002"
			   "0000000000000000000000000000000000000000000000000000000000000001"
			   "0000000000000000000000000000000000000000000000000000000000000002"
			   "0000000000000000000000000000000000000000000000000000000000000001"
			   "0000000000000000000000000000000000000000000000000000000000000003"
			   "0000000000000000000000000000000000000000000000000000000000000003"
			   "0000000000000000000000000000000000000000000000000000000000000060"
			   "00000000000000000000000000000000000000000000000000000000000000a0"
			   "00000000000000000000000000000000000000000000000000000000000000e0"
			   "0000000000000000000000000000000000000000000000000000000000000003"
			   "6f6e650000000000000000000000000000000000000000000000000000000000"
			   "0000000000000000000000000000000000000000000000000000000000000003"
			   "74776f0000000000000000000000000000000000000000000000000000000000"
			   "0000000000000000000000000000000000000000000000000000000000000005"
			   "7468726565000000000000000000000000000000000000000000000000000000"));
}

/* Whatever the room, the writer stays inside and says so. */
static void test_full_buffer(void **state)
{
	(void)state;
	struct cs_bytes text = cs_bytes_str("some bytes that are longer than one word of 32");
	for (size_t room = 0; room < 4 + 32 * 4; room++) {
		struct cs_buf buf;
		struct cs_abi abi;
		cs_buf_init(&buf, memory, room);
		cs_abi_call(&abi, &buf, "f(bytes)");
		size_t slot = cs_abi_slot(&abi);
		cs_abi_put_bytes(&abi, slot, text);
		assert_err(cs_buf_end(&buf), CS_ERR_TOO_LARGE);
	}
}

/* ---- reading ---- */

/* Data of (address, uint64, bytes, bytes[]) with two elements. */
static struct cs_bytes sample(void)
{
	struct cs_buf buf;
	struct cs_abi abi;
	struct cs_address address = {{1, 2, 3}};
	size_t inner[2];
	cs_buf_init(&buf, memory, sizeof memory);
	cs_abi_init(&abi, &buf);
	cs_abi_put_address(&abi, &address);
	cs_abi_put_u64(&abi, UINT64_MAX);
	size_t bytes = cs_abi_slot(&abi), list = cs_abi_slot(&abi);
	cs_abi_put_bytes(&abi, bytes, cs_bytes_str("hello"));
	cs_abi_enter_array(&abi, list, 2);
	inner[0] = cs_abi_slot(&abi);
	inner[1] = cs_abi_slot(&abi);
	cs_abi_put_bytes(&abi, inner[0], CS_BYTES_NONE);
	cs_abi_put_bytes(&abi, inner[1], cs_bytes_str("0123456789012345678901234567890123"));
	cs_abi_leave(&abi);
	assert_ok(cs_buf_end(&buf));
	return cs_buf_view(&buf);
}

static enum cs_err read_sample(struct cs_bytes data, size_t size_max)
{
	struct cs_abi_reader reader;
	struct cs_hash address;
	struct cs_bytes bytes, items[2];
	uint64_t number;
	size_t count;
	CS_TRY(cs_abi_read(&reader, data, 4));
	CS_TRY(cs_abi_get_word(&reader, &address));
	CS_TRY(cs_abi_get_u64(&reader, &number));
	CS_TRY(cs_abi_get_bytes(&reader, size_max, &bytes));
	CS_TRY(cs_abi_get_bytes_array(&reader, CS_LEN(items), size_max, items, &count));
	CS_TRY(cs_abi_end(&reader));
	assert_int_equal(number, UINT64_MAX);
	assert_bytes(bytes, cs_bytes_str("hello"));
	assert_int_equal(count, 2);
	assert_int_equal(items[0].n, 0);
	assert_int_equal(items[1].n, 34);
	return CS_OK;
}

static void test_read(void **state)
{
	(void)state;
	struct cs_bytes data = sample();
	assert_ok(read_sample(data, 34));
	assert_err(read_sample(data, 33), CS_ERR_TOO_LARGE);
	assert_err(read_sample(data, 4), CS_ERR_TOO_LARGE);
	for (size_t n = 0; n < data.n; n++)
		assert_err(read_sample(cs_bytes(data.p, n), 34), CS_ERR_TRUNCATED);
	assert_err(read_sample(cs_bytes(data.p, data.n + 32), 34), CS_ERR_TRAILING);
}

static void test_read_refusals(void **state)
{
	(void)state;
	static const struct {
		size_t at;
		uint8_t value;
		enum cs_err err;
	} cases[] = {
		{32 + 23, 1, CS_ERR_OVERFLOW},            /* a uint64 of 65 bits */
		{64 + 31, 0x60, CS_ERR_NON_CANONICAL},    /* an offset into the head */
		{64 + 31, 0x81, CS_ERR_NON_CANONICAL},    /* not a multiple of 32 */
		{64, 0xff, CS_ERR_OVERFLOW},              /* an offset of 256 bits */
		{96 + 31, 0x80, CS_ERR_NON_CANONICAL},    /* two offsets to one tail */
		{128 + 24, 0xff, CS_ERR_TOO_LARGE},       /* a size near 2^64 */
		{128 + 32 + 31, 1, CS_ERR_NON_CANONICAL}, /* padding that is not zero */
		{192 + 31, 3, CS_ERR_TOO_LARGE},          /* more elements than the bound */
		{192 + 31, 1, CS_ERR_NON_CANONICAL},      /* fewer elements than heads */
		{192 + 24, 0xff, CS_ERR_TOO_LARGE},       /* a count near 2^64 */
	};
	for (size_t i = 0; i < CS_LEN(cases); i++) {
		struct cs_bytes data = sample();
		memory[cases[i].at] = cases[i].value;
		assert_err(read_sample(data, 34), cases[i].err);
	}
}

static void test_small_types(void **state)
{
	(void)state;
	struct cs_bytes data =
		unhex("00000000000000000000000000000000000000000000000000000000000000ff"
		      "0000000000000000000000000000000000000000000000000000000000000001"
		      "0000000000000000000000000000000000000000000000000000000000000100"
		      "0000000000000000000000000000000000000000000000000000000000000002");
	struct cs_abi_reader reader;
	struct cs_hash word;
	uint8_t small;
	assert_ok(cs_abi_read(&reader, data, 4));
	assert_ok(cs_abi_get_u8(&reader, &small));
	assert_int_equal(small, 255);
	assert_ok(cs_abi_get_u8(&reader, &small));
	assert_int_equal(small, 1);
	assert_err(cs_abi_get_u8(&reader, &small), CS_ERR_OVERFLOW);
	assert_ok(cs_abi_get_word(&reader, &word));
	assert_int_equal(word.b[30], 1);
	assert_err(cs_abi_end(&reader), CS_ERR_TRAILING);
	assert_ok(cs_abi_get_word(&reader, &word));
	assert_ok(cs_abi_end(&reader));
	assert_err(cs_abi_get_word(&reader, &word), CS_ERR_TRUNCATED);
	assert_err(cs_abi_read(&reader, data, 5), CS_ERR_TRUNCATED);
	assert_err(cs_abi_read(&reader, data, SIZE_MAX / 16), CS_ERR_TRUNCATED);
}

/* ---- tuples and arrays of them ---- */

/* (bytes32, Statement, Message[2], Outcome[3], bytes32[0]) of docs/protocol/envelope.md, section 5, by
 * eth-abi 6.0.0 for Python. */
static struct cs_bytes nested(void)
{
	return unhex("1111111111111111111111111111111111111111111111111111111111111111"
		     "00000000000000000000000000000000000000000000000000000000000000a0"
		     "00000000000000000000000000000000000000000000000000000000000001c0"
		     "0000000000000000000000000000000000000000000000000000000000000540"
		     "0000000000000000000000000000000000000000000000000000000000000620"
		     "0000000000000000000000000000000000000000000000000000000000000007"
		     "0000000000000000000000000000000000000000000000000000000000000003"
		     "8000000000000000000000000000000000000000000000000000000000000001"
		     "0000000000000000000000000000000000000000000000000000000000000005"
		     "0000000000000000000000000000000000000000000000000000000000000006"
		     "00000000000000000000000000000000000000000000000000000000000000c0"
		     "0000000000000000000000000000000000000000000000000000000000000002"
		     "a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1"
		     "a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2"
		     "0000000000000000000000000000000000000000000000000000000000000002"
		     "0000000000000000000000000000000000000000000000000000000000000040"
		     "0000000000000000000000000000000000000000000000000000000000000200"
		     "0000000000000000000000000000000000000000000000000000000000000001"
		     "0000000000000000000000000000000000000000000000000000000077359400"
		     "00000000000000000000000000000000000000000000000000000000000186a0"
		     "0000000000000000000000000000000000000000000000000000000000000000"
		     "0000000000000000000000000000000000000000000000000000000000000000"
		     "2222222222222222222222222222222222222222222222222222222222222222"
		     "0000000000000000000000003333333333333333333333333333333333333333"
		     "0000000000000000000000000000000000000000000000000000000000000120"
		     "0000000000000000000000000000000000000000000000000000000000000160"
		     "000000000000000000000000000000000000000000000000000000000000000a"
		     "73656e646572206f6e6500000000000000000000000000000000000000000000"
		     "000000000000000000000000000000000000000000000000000000000000003f"
		     "7061796c6f61647061796c6f61647061796c6f61647061796c6f61647061796c"
		     "6f61647061796c6f61647061796c6f61647061796c6f61647061796c6f616400"
		     "000000000000000000000000000000000000000000000000ffffffffffffffff"
		     "0000000000000000000000000000000000000000000000000000000000000009"
		     "0000000000000000000000000000000000000000000000000000000000000008"
		     "00000000000000000000000000000000000000000000000000000000000000ff"
		     "4444444444444444444444444444444444444444444444444444444444444444"
		     "0000000000000000000000000000000000000000000000000000000000000000"
		     "0000000000000000000000005555555555555555555555555555555555555555"
		     "0000000000000000000000000000000000000000000000000000000000000120"
		     "0000000000000000000000000000000000000000000000000000000000000140"
		     "0000000000000000000000000000000000000000000000000000000000000000"
		     "0000000000000000000000000000000000000000000000000000000000000000"
		     "0000000000000000000000000000000000000000000000000000000000000003"
		     "6666666666666666666666666666666666666666666666666666666666666666"
		     "0000000000000000000000000000000000000000000000000000000000000002"
		     "7777777777777777777777777777777777777777777777777777777777777777"
		     "0000000000000000000000000000000000000000000000000000000000000003"
		     "8888888888888888888888888888888888888888888888888888888888888888"
		     "0000000000000000000000000000000000000000000000000000000000000002"
		     "0000000000000000000000000000000000000000000000000000000000000000");
}

struct message {
	uint64_t sequence;
	uint8_t finality;
	struct cs_address recipient;
	struct cs_bytes sender;
	struct cs_bytes payload;
};

static enum cs_err read_statement(struct cs_abi_reader *reader, struct cs_u256 *rx, size_t *count,
				  struct cs_hash path[2])
{
	struct cs_abi_reader st, list;
	struct cs_u256 other;
	uint64_t number;
	CS_TRY(cs_abi_open(reader, &st, 6));
	CS_TRY(cs_abi_get_u64(&st, &number));
	CS_TRY(cs_abi_get_u64(&st, &number));
	CS_TRY(cs_abi_get_u256(&st, rx));
	CS_TRY(cs_abi_get_u256(&st, &other));
	CS_TRY(cs_abi_get_u256(&st, &other));
	CS_TRY(cs_abi_open_array(&st, &list, 1, 2, count));
	for (size_t i = 0; i < *count; i++)
		CS_TRY(cs_abi_get_word(&list, &path[i]));
	CS_TRY(cs_abi_close(&st, &list));
	return cs_abi_close(reader, &st);
}

static enum cs_err read_message(struct cs_abi_reader *reader, struct message *message)
{
	struct cs_abi_reader in;
	struct cs_hash word;
	uint64_t number;
	CS_TRY(cs_abi_open(reader, &in, 9));
	CS_TRY(cs_abi_get_u64(&in, &message->sequence));
	CS_TRY(cs_abi_get_u64(&in, &number));
	CS_TRY(cs_abi_get_u64(&in, &number));
	CS_TRY(cs_abi_get_u8(&in, &message->finality));
	CS_TRY(cs_abi_get_word(&in, &word));
	CS_TRY(cs_abi_get_word(&in, &word));
	CS_TRY(cs_abi_get_address(&in, &message->recipient));
	CS_TRY(cs_abi_get_bytes(&in, 100, &message->sender));
	CS_TRY(cs_abi_get_bytes(&in, 100, &message->payload));
	return cs_abi_close(reader, &in);
}

static enum cs_err read_nested(struct cs_bytes data, size_t message_max, struct message messages[2],
			       uint8_t statuses[3])
{
	struct cs_abi_reader reader, list;
	struct cs_hash word, path[2];
	struct cs_u256 rx;
	size_t count, path_count;
	CS_TRY(cs_abi_read(&reader, data, 5));
	CS_TRY(cs_abi_get_word(&reader, &word));
	CS_TRY(read_statement(&reader, &rx, &path_count, path));
	CS_TRY(cs_abi_open_array(&reader, &list, 1, message_max, &count));
	for (size_t i = 0; i < count; i++)
		CS_TRY(read_message(&list, &messages[i]));
	CS_TRY(cs_abi_close(&reader, &list));
	CS_TRY(cs_abi_open_array(&reader, &list, 2, 3, &count));
	for (size_t i = 0; i < count; i++) {
		CS_TRY(cs_abi_get_word(&list, &word));
		CS_TRY(cs_abi_get_u8(&list, &statuses[i]));
	}
	CS_TRY(cs_abi_close(&reader, &list));
	CS_TRY(cs_abi_open_array(&reader, &list, 1, 3, &count));
	CS_TRY(cs_abi_close(&reader, &list));
	CS_TRY(cs_abi_end(&reader));
	assert_int_equal(count, 0);
	assert_int_equal(path_count, 2);
	assert_int_equal(rx.limb[0], 1);
	assert_int_equal(path[1].b[0], 0xa2);
	return CS_OK;
}

static void test_read_nested(void **state)
{
	(void)state;
	struct message messages[2];
	uint8_t statuses[3];
	struct cs_bytes data = nested();
	assert_ok(read_nested(data, 2, messages, statuses));
	assert_int_equal(messages[1].sequence, UINT64_MAX);
	assert_int_equal(messages[1].finality, 255);
	assert_int_equal(messages[0].recipient.b[19], 0x33);
	assert_bytes(messages[0].sender, cs_bytes_str("sender one"));
	assert_int_equal(messages[0].payload.n, 63);
	assert_int_equal(messages[1].payload.n, 0);
	assert_memory_equal(statuses, ((const uint8_t[]){2, 3, 2}), 3);
	assert_err(read_nested(data, 1, messages, statuses), CS_ERR_TOO_LARGE);
	for (size_t n = 0; n < data.n; n++)
		assert_err(read_nested(cs_bytes(data.p, n), 2, messages, statuses),
			   CS_ERR_TRUNCATED);
	uint8_t *longer = keep(data.n + 32);
	memcpy(longer, data.p, data.n);
	assert_err(read_nested(cs_bytes(longer, data.n + 32), 2, messages, statuses),
		   CS_ERR_TRAILING);
}

/* Each byte is a value of its own, padding, an offset, a size or a count: changed, it is read as
 * another value or refused, and never reads outside. */
static void test_read_nested_changed(void **state)
{
	(void)state;
	struct message messages[2];
	uint8_t statuses[3];
	struct cs_bytes data = nested();
	struct cs_abi_reader reader, list;
	size_t count;
	static const struct {
		size_t word;
		uint8_t value;
		enum cs_err err;
	} cases[] = {
		{1, 0xc0, CS_ERR_NON_CANONICAL},     /* the statement a word later */
		{2, 0xa0, CS_ERR_NON_CANONICAL},     /* the messages where the statement is */
		{5 + 5, 0xe0, CS_ERR_NON_CANONICAL}, /* the path a word later in the statement */
		{5 + 6, 3, CS_ERR_TOO_LARGE},        /* more siblings than the bound */
		{5 + 6, 1, CS_ERR_NON_CANONICAL},    /* fewer than there are */
	};
	for (size_t i = 0; i < CS_LEN(cases); i++) {
		uint8_t *p = keep(data.n);
		memcpy(p, data.p, data.n);
		p[cases[i].word * 32 + 31] = cases[i].value;
		assert_err(read_nested(cs_bytes(p, data.n), 2, messages, statuses), cases[i].err);
	}
	/* An array whose heads overflow, one that is closed too early. */
	struct cs_bytes array =
		unhex("0000000000000000000000000000000000000000000000000000000000000020"
		      "0000000000000000000000000000000000000000000000000000000000000001"
		      "0000000000000000000000000000000000000000000000000000000000000001");
	assert_ok(cs_abi_read(&reader, array, 1));
	assert_err(cs_abi_open_array(&reader, &list, 2, 5, &count), CS_ERR_TRUNCATED);
	assert_ok(cs_abi_open_array(&reader, &list, 1, 5, &count));
	assert_err(cs_abi_close(&reader, &list), CS_ERR_TRAILING);
	((uint8_t *)(uintptr_t)array.p)[32] = 0xff;
	assert_err(cs_abi_open_array(&reader, &list, 1, 5, &count), CS_ERR_TOO_LARGE);
	((uint8_t *)(uintptr_t)array.p)[32] = 0;
	((uint8_t *)(uintptr_t)array.p)[32 + 24] = 0x40;
	assert_err(cs_abi_open_array(&reader, &list, 8, SIZE_MAX, &count), CS_ERR_TRUNCATED);
}

static void test_address(void **state)
{
	(void)state;
	struct cs_address address = {{0}};
	struct cs_abi_reader reader;
	struct cs_bytes word =
		unhex("0000000000000000000000015555555555555555555555555555555555555555");
	assert_ok(cs_abi_read(&reader, word, 1));
	assert_err(cs_abi_get_address(&reader, &address), CS_ERR_OVERFLOW);
	assert_int_equal(address.b[0], 0);
	((uint8_t *)(uintptr_t)word.p)[11] = 0;
	assert_ok(cs_abi_get_address(&reader, &address));
	assert_int_equal(address.b[0], 0x55);
	assert_err(cs_abi_get_address(&reader, &address), CS_ERR_TRUNCATED);
}

/* ERC-20's and ERC-7786's, as every explorer shows them. */
static void test_topics(void **state)
{
	(void)state;
	assert_hash(
		cs_abi_topic("Transfer(address,address,uint256)"),
		hash_of_text("ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"));
	assert_int_equal(cs_be32(cs_abi_topic("receiveMessage(bytes32,bytes,bytes)").b),
			 0x2432ef26);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_spec_sam),
		cmocka_unit_test(test_spec_nested),
		cmocka_unit_test(test_full_buffer),
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_read_refusals),
		cmocka_unit_test(test_small_types),
		cmocka_unit_test(test_topics),
		cmocka_unit_test(test_read_nested),
		cmocka_unit_test(test_read_nested_changed),
		cmocka_unit_test(test_address),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
