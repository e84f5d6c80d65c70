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
		cmocka_unit_test(test_spec_sam),      cmocka_unit_test(test_spec_nested),
		cmocka_unit_test(test_full_buffer),   cmocka_unit_test(test_read),
		cmocka_unit_test(test_read_refusals), cmocka_unit_test(test_small_types),
		cmocka_unit_test(test_topics),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
