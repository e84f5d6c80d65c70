/* Signed transactions: those of others, ours, and what must not be passed on. */
#include "adapters/evm/sign.h"
#include "adapters/evm/transaction.h"
#include "tests/unit/support.h"

#define VECTORS CS_VECTORS "/evm/transactions.json"
#define CHAIN_ID 31337u

static struct cs_sig *sig;

static int start(void **state)
{
	(void)state;
	sig = cs_sig_new(NULL);
	return sig ? 0 : -1;
}

static int stop(void **state)
{
	(void)state;
	cs_sig_free(sig);
	return 0;
}

static enum cs_err read_raw(struct adapter_transaction *out, uint64_t chain_id, struct cs_bytes raw)
{
	struct cs_why why = {{0}};
	return adapter_evm_transaction_read(out, sig, chain_id, raw, &why);
}

static void those_of_others(void **state)
{
	json_t *root = read_json(VECTORS);
	size_t i;
	json_t *one;
	(void)state;
	json_array_foreach(json_object_get(root, "accepted"), i, one)
	{
		struct adapter_transaction out;
		char hex[67] = "0x";
		struct cs_bytes raw = unhex(json_string_value(json_object_get(one, "raw")));
		const char *hash = json_string_value(json_object_get(one, "hash"));
		assert_ok(read_raw(&out, 1, raw));
		cs_hex(hex + 2, CS_BYTES_OF(out.from.b));
		assert_string_equal(hex, json_string_value(json_object_get(one, "sender")));
		cs_hex(hex + 2, CS_BYTES_OF(out.hash.b));
		if (hash)
			assert_string_equal(hex, hash);
		assert_int_equal(read_raw(&out, 2, raw), CS_ERR_INVALID);
	}
	assert_true(i > 4);
	json_decref(root);
}

static void what_no_chain_takes(void **state)
{
	json_t *root = read_json(VECTORS);
	size_t i;
	json_t *one;
	(void)state;
	json_array_foreach(json_object_get(root, "refused"), i, one)
	{
		struct adapter_transaction out;
		enum cs_err err =
			read_raw(&out, 1, unhex(json_string_value(json_object_get(one, "raw"))));
		assert_string_equal(cs_err_name(err),
				    json_string_value(json_object_get(one, "error")));
	}
	assert_true(i > 4);
	json_decref(root);
}

/* malloc'd: as the host's own accounts sign. */
static struct cs_bytes make(bool legacy, struct cs_address *from, struct cs_hash *hash)
{
	static const uint8_t data[] = {0xde, 0xad, 0xbe, 0xef};
	struct cs_secret key = {.b = {[31] = 7}};
	struct adapter_signing call = {.data = CS_BYTES_OF(data)};
	struct adapter_terms terms = {.nonce = 3,
				      .gas_limit = 260000,
				      .max_fee_wei = 9,
				      .max_priority_fee_wei = 2,
				      .legacy = legacy};
	uint8_t *raw = NULL;
	size_t size = 0;
	memset(call.to.b, 0x11, sizeof(call.to.b));
	call.value.b[31] = 5;
	assert_ok(cs_key_address(sig, from, &key));
	assert_ok(adapter_evm_sign(&raw, &size, hash, sig, &key, CHAIN_ID, &call, &terms));
	return cs_bytes(raw, size);
}

static void ours(void **state)
{
	(void)state;
	for (unsigned legacy = 0; legacy < 2; legacy++) {
		struct cs_address from;
		struct cs_hash hash;
		struct adapter_transaction out;
		struct cs_bytes raw = make(legacy == 1, &from, &hash);
		assert_ok(read_raw(&out, CHAIN_ID, raw));
		assert_true(cs_address_eq(&out.from, &from) && cs_hash_eq(&out.hash, &hash));
		assert_int_equal(out.nonce, 3);
		assert_int_equal(out.gas_limit, 260000);
		assert_int_equal(out.to.b[19], 0x11);
		assert_int_equal(out.value.b[31], 5);
		struct cs_u256 price = cs_u256_u64(9);
		assert_int_equal(cs_u256_cmp(&out.price, &price), 0);
		assert_int_equal(out.data.n, 4);
		assert_int_equal(out.data.p[0], 0xde);
		assert_int_equal(read_raw(&out, CHAIN_ID + 1, raw), CS_ERR_INVALID);
		free((void *)(uintptr_t)raw.p);
	}
}

/* Cut, longer, or with another byte: refused, or signed by somebody else. */
static void each_byte_counts(void **state)
{
	(void)state;
	for (unsigned legacy = 0; legacy < 2; legacy++) {
		struct cs_address from;
		struct cs_hash hash;
		struct adapter_transaction out;
		struct cs_bytes raw = make(legacy == 1, &from, &hash);
		uint8_t *copy = malloc(raw.n + 1);
		for (size_t n = 0; n < raw.n; n++)
			assert_int_not_equal(read_raw(&out, CHAIN_ID, cs_bytes(raw.p, n)), CS_OK);
		memcpy(copy, raw.p, raw.n);
		copy[raw.n] = 0;
		assert_int_not_equal(read_raw(&out, CHAIN_ID, cs_bytes(copy, raw.n + 1)), CS_OK);
		for (size_t i = 0; i < raw.n; i++) {
			copy[i] ^= 1;
			enum cs_err err = read_raw(&out, CHAIN_ID, cs_bytes(copy, raw.n));
			assert_true(err != CS_OK || !cs_address_eq(&out.from, &from));
			copy[i] ^= 1;
		}
		free(copy);
		free((void *)(uintptr_t)raw.p);
	}
}

static void other_types(void **state)
{
	struct adapter_transaction out;
	static const uint8_t first[] = {0, 3, 4, 0x7f};
	(void)state;
	for (size_t i = 0; i < CS_LEN(first); i++) {
		const uint8_t raw[] = {first[i], 0xc0};
		assert_int_equal(read_raw(&out, 1, CS_BYTES_OF(raw)), CS_ERR_UNSUPPORTED);
		/* a lone zero too: type 0 is not written with its number */
		assert_int_equal(read_raw(&out, 1, cs_bytes(raw, 1)), CS_ERR_UNSUPPORTED);
	}
	assert_int_equal(read_raw(&out, 1, CS_BYTES_NONE), CS_ERR_TRUNCATED);
}

/* n - s signs the same digest: a twin of another hash. */
static void a_high_s_is_refused(void **state)
{
	static const char order[] =
		"fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";
	struct cs_address from;
	struct cs_hash hash;
	struct adapter_transaction out;
	struct cs_bytes raw = make(false, &from, &hash);
	struct cs_bytes n = unhex(order);
	uint8_t *copy = malloc(raw.n);
	unsigned borrow = 0;
	(void)state;
	memcpy(copy, raw.p, raw.n);
	uint8_t *s = copy + raw.n - 32;
	for (size_t i = 32; i-- > 0;) {
		unsigned digit = n.p[i] - s[i] - borrow;
		borrow = (digit >> 8) & 1;
		s[i] = (uint8_t)digit;
	}
	assert_int_equal(read_raw(&out, CHAIN_ID, cs_bytes(copy, raw.n)), CS_ERR_INVALID);
	free(copy);
	free((void *)(uintptr_t)raw.p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(those_of_others),
		cmocka_unit_test(what_no_chain_takes),
		cmocka_unit_test(ours),
		cmocka_unit_test(each_byte_counts),
		cmocka_unit_test(other_types),
		cmocka_unit_test(a_high_s_is_refused),
	};
	return cmocka_run_group_tests(tests, start, stop);
}
