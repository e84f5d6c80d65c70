#include "core/caip.h"
#include "tests/unit/support.h"

static void test_caip2(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		enum cs_err err;
	} cases[] = {
		{"eip155:1", CS_OK},
		{"eip155:18446744073709551615", CS_OK},
		{"cosmos:cosmoshub-3", CS_OK},
		{"cosmos:Binance-Chain-Tigris", CS_OK},
		{"bip122:000000000019d6689c085ae165831e93", CS_OK},
		{"chainstd:8c3444cf8970a9e41a706fab93e7a6c4", CS_OK},
		{"abc:x_y", CS_OK},
		{"", CS_ERR_MALFORMED},
		{":1", CS_ERR_MALFORMED},
		{"ab:1", CS_ERR_MALFORMED},
		{"chainmaker:1", CS_ERR_MALFORMED},
		{"eip155", CS_ERR_MALFORMED},
		{"eip155:", CS_ERR_MALFORMED},
		{"EIP155:1", CS_ERR_MALFORMED},
		{"eip155:1:0xab", CS_ERR_MALFORMED},
		{"eip155:1 ", CS_ERR_MALFORMED},
		{" eip155:1", CS_ERR_MALFORMED},
		{"cosmos:a.b", CS_ERR_MALFORMED},
		{"cosmos:a_b", CS_ERR_MALFORMED},
		{"cosmos:012345678901234567890123456789012", CS_ERR_MALFORMED},
		{"eip155:0", CS_ERR_MALFORMED},
		{"eip155:0x1", CS_ERR_MALFORMED},
		{"eip155:-1", CS_ERR_MALFORMED},
		{"eip155:01", CS_ERR_NON_CANONICAL},
		{"eip155:18446744073709551616", CS_ERR_OVERFLOW},
	};
	for (size_t i = 0; i < CS_LEN(cases); i++) {
		struct cs_caip2 caip2;
		enum cs_err err = cs_caip2_parse(&caip2, cs_bytes_str(cases[i].text));
		if (err != cases[i].err)
			fail_msg("%s: %s", cases[i].text, cs_err_name(err));
	}
}

static void test_caip2_eip155(void **state)
{
	(void)state;
	static const uint64_t ids[] = {1, 31337, UINT64_MAX};
	char text[CS_CAIP2_SIZE_MAX + 1];
	uint64_t id;
	for (size_t i = 0; i < CS_LEN(ids); i++) {
		cs_caip2_write_eip155(text, ids[i]);
		assert_ok(cs_caip2_eip155(&id, cs_bytes_str(text)));
		assert_int_equal(id, ids[i]);
	}
	assert_err(cs_caip2_eip155(&id, cs_bytes_str("cosmos:hub")), CS_ERR_UNSUPPORTED);
	assert_err(cs_caip2_eip155(&id, cs_bytes_str("eip155:007")), CS_ERR_NON_CANONICAL);
}

/* The examples of ERC-7930: Ethereum's mainnet, a chain alone, and Solana's, which is no namespace
 * of ours. */
static void test_erc7930_examples(void **state)
{
	(void)state;
	struct cs_interop interop;
	struct cs_address address;
	uint64_t id;
	struct cs_bytes one = unhex("00010000010114d8da6bf26964af9d7eed9e03e53415d37aa96045");
	assert_ok(cs_interop_decode(&interop, one));
	assert_int_equal(interop.chain_type, 0);
	assert_bytes(interop.reference, unhex("01"));
	assert_bytes(interop.address, unhex("d8da6bf26964af9d7eed9e03e53415d37aa96045"));
	assert_ok(cs_interop_eip155(&id, &address, one));
	assert_int_equal(id, 1);
	struct cs_bytes solana =
		unhex("000100022045296998a6f8e2a784db5d9f95e18fc23f70441a1039446801089879b08c7ef0"
		      "2005333498d5aea4ae009585c43f7b8c30df8e70187d4a713d134f977fc8dfe0b5");
	assert_ok(cs_interop_decode(&interop, solana));
	assert_int_equal(interop.chain_type, 2);
	assert_int_equal(interop.reference.n, 32);
	assert_err(cs_interop_eip155(&id, &address, solana), CS_ERR_INVALID);
	struct cs_bytes no_chain = unhex("000100000014d8da6bf26964af9d7eed9e03e53415d37aa96045");
	assert_ok(cs_interop_decode(&interop, no_chain));
	assert_err(cs_interop_eip155(&id, &address, no_chain), CS_ERR_INVALID);
	struct cs_bytes chain_alone = unhex("00010000010100");
	assert_ok(cs_interop_decode(&interop, chain_alone));
	assert_err(cs_interop_eip155(&id, &address, chain_alone), CS_ERR_INVALID);
}

static void test_erc7930_vectors(void **state)
{
	(void)state;
	json_t *file = read_json(CS_VECTORS "/envelope/addresses.json"), *one;
	size_t i, bounded = 0;
	json_array_foreach(json_object_get(file, "good"), i, one)
	{
		struct cs_interop interop;
		struct cs_bytes bytes = bytes_of(one, "bytes"),
				reference = bytes_of(one, "reference");
		bool eip155 = u64_of(one, "chain_type") == 0;
		/* What the format allows and we bound: accounts above 96 bytes, chain ids above 64
		 * bits. */
		enum cs_err want = bytes.n > CS_INTEROP_SIZE_MAX ? CS_ERR_TOO_LARGE
				   : eip155 && reference.n > 8   ? CS_ERR_OVERFLOW
								 : CS_OK;
		assert_err(cs_interop_decode(&interop, bytes), want);
		if (want != CS_OK) {
			bounded++;
			continue;
		}
		uint8_t memory[CS_INTEROP_SIZE_MAX];
		struct cs_buf buf;
		assert_int_equal(interop.chain_type, u64_of(one, "chain_type"));
		assert_bytes(interop.reference, reference);
		assert_bytes(interop.address, bytes_of(one, "address"));
		cs_buf_init(&buf, memory, sizeof memory);
		cs_interop_encode(&buf, &interop);
		assert_ok(cs_buf_end(&buf));
		assert_bytes(cs_buf_view(&buf), bytes);
	}
	assert_int_equal(bounded, 2);
	json_array_foreach(json_object_get(file, "bad"), i, one)
	{
		struct cs_interop interop;
		enum cs_err err = cs_interop_decode(&interop, bytes_of(one, "bytes"));
		if (err == CS_OK)
			fail_msg("accepted: %s", text_of(one, "why"));
	}
	assert_true(i >= 8);
	json_decref(file);
}

static void test_erc7930_refusals(void **state)
{
	(void)state;
	static const struct {
		const char *hex;
		enum cs_err err;
	} cases[] = {
		{"", CS_ERR_TRUNCATED},
		{"000100", CS_ERR_TRUNCATED},
		{"00010000", CS_ERR_TRUNCATED},
		{"0001000001", CS_ERR_TRUNCATED},
		{"000100000101", CS_ERR_TRUNCATED},
		{"00010000010114d8da", CS_ERR_TRUNCATED},
		{"00020000010114d8da6bf26964af9d7eed9e03e53415d37aa96045", CS_ERR_UNSUPPORTED},
		{"00000000010114d8da6bf26964af9d7eed9e03e53415d37aa96045", CS_ERR_UNSUPPORTED},
		{"00010000010114d8da6bf26964af9d7eed9e03e53415d37aa9604500", CS_ERR_TRAILING},
		{"000100000000", CS_ERR_MALFORMED},
		{"0001000001011300000000000000000000000000000000000000", CS_ERR_MALFORMED},
		{"000100000101150000000000000000000000000000000000000000ff", CS_ERR_MALFORMED},
		{"000100000200011400000000000000000000000000000000000000ff", CS_ERR_NON_CANONICAL},
		{"0001000001001400000000000000000000000000000000000000ff", CS_ERR_NON_CANONICAL},
		{"00010000090100000000000000001400000000000000000000000000000000000000ff",
		 CS_ERR_OVERFLOW},
		/* cosmos: no reference, a reference with '_', with a zero byte, of 33 bytes, 19 bytes */
		{"0001ff01001400000000000000000000000000000000000000ff", CS_ERR_MALFORMED},
		{"0001ff0103615f621400000000000000000000000000000000000000ff", CS_ERR_MALFORMED},
		{"0001ff01036100621400000000000000000000000000000000000000ff", CS_ERR_MALFORMED},
		{"0001ff012161616161616161616161616161616161616161616161616161616161616161616100",
		 CS_ERR_MALFORMED},
		{"0001ff01016113000000000000000000000000000000000000ff", CS_ERR_MALFORMED},
	};
	for (size_t i = 0; i < CS_LEN(cases); i++) {
		struct cs_interop interop;
		enum cs_err err = cs_interop_decode(&interop, unhex(cases[i].hex));
		if (err != cases[i].err)
			fail_msg("%s: %s", cases[i].hex, cs_err_name(err));
	}
}

#define ADDRESS                            \
	"14"                               \
	"010203"                           \
	"00000000000000000000000000000000" \
	"ff"

static void test_encode_eip155(void **state)
{
	(void)state;
	static const struct {
		uint64_t id;
		const char *hex;
	} cases[] = {
		{1, "000100000101" ADDRESS},
		{255, "0001000001ff" ADDRESS},
		{256, "00010000020100" ADDRESS},
		{UINT64_MAX, "0001000008ffffffffffffffff" ADDRESS},
	};
	struct cs_address address = {{1, 2, 3, [19] = 0xff}}, back;
	for (size_t i = 0; i < CS_LEN(cases); i++) {
		uint8_t memory[CS_INTEROP_SIZE_MAX];
		struct cs_buf buf;
		uint64_t id;
		cs_buf_init(&buf, memory, sizeof memory);
		cs_interop_encode_eip155(&buf, cases[i].id, &address);
		assert_ok(cs_buf_end(&buf));
		assert_bytes(cs_buf_view(&buf), unhex(cases[i].hex));
		assert_ok(cs_interop_eip155(&id, &back, cs_buf_view(&buf)));
		assert_int_equal(id, cases[i].id);
		assert_true(cs_address_eq(&back, &address));
	}
}

static struct cs_bytes encode_account(const char *caip2, const struct cs_address *address)
{
	uint8_t *memory = keep(CS_INTEROP_SIZE_MAX);
	struct cs_buf buf;
	cs_buf_init(&buf, memory, CS_INTEROP_SIZE_MAX);
	assert_ok(cs_interop_encode_account(&buf, caip2, address));
	assert_ok(cs_buf_end(&buf));
	return cs_buf_view(&buf);
}

static void test_accounts(void **state)
{
	(void)state;
	static const struct {
		const char *caip2;
		const char *hex;
	} cases[] = {
		{"eip155:1", "000100000101" ADDRESS},
		{"eip155:18446744073709551615", "0001000008ffffffffffffffff" ADDRESS},
		{"cosmos:a", "0001ff010161" ADDRESS},
		{"cosmos:ledger-1", "0001ff01086c65646765722d31" ADDRESS},
		{"cosmos:zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz",
		 "0001ff01207a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7"
		 "a" ADDRESS},
	};
	struct cs_address address = {{1, 2, 3, [19] = 0xff}};
	for (size_t i = 0; i < CS_LEN(cases); i++) {
		struct cs_account account, again;
		struct cs_interop interop;
		char text[CS_CAIP10_SIZE_MAX + 1];
		struct cs_bytes bytes = encode_account(cases[i].caip2, &address);
		assert_bytes(bytes, unhex(cases[i].hex));
		assert_ok(cs_interop_account(&account, bytes));
		assert_string_equal(account.caip2, cases[i].caip2);
		assert_true(cs_address_eq(&account.address, &address));
		cs_caip10_write(text, &account);
		assert_string_equal(text + strlen(cases[i].caip2),
				    ":0x01020300000000000000000000000000000000ff");
		assert_ok(cs_caip10_parse(&again, cs_bytes_str(text)));
		assert_string_equal(again.caip2, cases[i].caip2);
		assert_true(cs_address_eq(&again.address, &address));
		/* the chain alone, which is no account */
		bytes = encode_account(cases[i].caip2, NULL);
		assert_ok(cs_interop_decode(&interop, bytes));
		assert_int_equal(interop.address.n, 0);
		assert_err(cs_interop_account(&account, bytes), CS_ERR_INVALID);
	}
}

static void test_accounts_refused(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		enum cs_err err;
	} texts[] = {
		{"", CS_ERR_MALFORMED},
		{"eip155:1", CS_ERR_MALFORMED},
		{":0x01020300000000000000000000000000000000ff", CS_ERR_MALFORMED},
		{"0x01020300000000000000000000000000000000ff", CS_ERR_MALFORMED},
		{"eip155:1:0X01020300000000000000000000000000000000ff", CS_ERR_MALFORMED},
		{"eip155:1:01020300000000000000000000000000000000ffff", CS_ERR_MALFORMED},
		{"eip155:1:0x01020300000000000000000000000000000000fg", CS_ERR_MALFORMED},
		{"eip155:1:0x01020300000000000000000000000000000000", CS_ERR_MALFORMED},
		{"eip155:1::0x01020300000000000000000000000000000000ff", CS_ERR_MALFORMED},
		{"eip155:01:0x01020300000000000000000000000000000000ff", CS_ERR_NON_CANONICAL},
		{"cosmos:a_b:0x01020300000000000000000000000000000000ff", CS_ERR_MALFORMED},
		{"cosmos:a:cosmos1qqqsyqcyq5rqwzqfpg9scrgwpugpzysn5e8fw", CS_ERR_MALFORMED},
		{"solana:abc:0x01020300000000000000000000000000000000ff", CS_ERR_UNSUPPORTED},
	};
	struct cs_account account;
	for (size_t i = 0; i < CS_LEN(texts); i++) {
		enum cs_err err = cs_caip10_parse(&account, cs_bytes_str(texts[i].text));
		if (err != texts[i].err)
			fail_msg("%s: %s", texts[i].text, cs_err_name(err));
	}
	assert_err(cs_interop_account(&account, unhex("00010002010114" ADDRESS)), CS_ERR_TRAILING);
	assert_err(cs_interop_account(&account, unhex("000100020101" ADDRESS)), CS_ERR_UNSUPPORTED);
	assert_err(cs_interop_account(&account, unhex("0001fff00101" ADDRESS)), CS_ERR_UNSUPPORTED);
	assert_err(cs_interop_account(&account, unhex("0001000000" ADDRESS)), CS_ERR_INVALID);
	uint8_t memory[CS_INTEROP_SIZE_MAX];
	struct cs_buf buf;
	cs_buf_init(&buf, memory, sizeof memory);
	assert_err(cs_interop_encode_account(&buf, "solana:abc", &account.address),
		   CS_ERR_UNSUPPORTED);
	assert_err(cs_interop_encode_account(&buf, "eip155:", &account.address), CS_ERR_MALFORMED);
	assert_int_equal(buf.n, 0);
}

/* The chain ids of the namespace's profile of CAIP-2, whose hashed forms are given there. */
static void test_caip2_cosmos(void **state)
{
	(void)state;
	static const struct {
		const char *id;
		const char *text;
	} cases[] = {
		{"cosmoshub-3", "cosmos:cosmoshub-3"},
		{"Binance-Chain-Tigris", "cosmos:Binance-Chain-Tigris"},
		{"x", "cosmos:x"},
		{"hash-", "cosmos:hash-"},
		{"hashed", "cosmos:hashed"},
		{"hashed-", "cosmos:hashed-c904589232422def"},
		{"hashed-123", "cosmos:hashed-99df5cd68192b33e"},
		{"123456789012345678901234567890123456789012345678",
		 "cosmos:hashed-0204c92a0388779d"},
		{" ", "cosmos:hashed-36a9e7f1c95b82ff"},
		{"wonderland\xf0\x9f\xa7\x9d\xe2\x80\x8d\xe2\x99\x82\xef\xb8\x8f",
		 "cosmos:hashed-843d2fc87f40eeb9"},
	};
	char text[CS_CAIP2_SIZE_MAX + 1];
	for (size_t i = 0; i < CS_LEN(cases); i++) {
		struct cs_caip2 caip2;
		cs_caip2_write_cosmos(text, cs_bytes_str(cases[i].id));
		assert_string_equal(text, cases[i].text);
		assert_ok(cs_caip2_parse(&caip2, cs_bytes_str(text)));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_caip2),
		cmocka_unit_test(test_caip2_eip155),
		cmocka_unit_test(test_erc7930_examples),
		cmocka_unit_test(test_erc7930_vectors),
		cmocka_unit_test(test_erc7930_refusals),
		cmocka_unit_test(test_encode_eip155),
		cmocka_unit_test(test_accounts),
		cmocka_unit_test(test_accounts_refused),
		cmocka_unit_test(test_caip2_cosmos),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
