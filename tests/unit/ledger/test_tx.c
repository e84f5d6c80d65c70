#include "core/hash.h"
#include "relay_state/ledger/tx.h"
#include "tests/unit/support.h"

/* Made by tools/ledger_vectors.py, which shares no code with ours. */
#define VECTORS CS_VECTORS "/ledger/transactions.json"

static struct cs_sig *sig;
static json_t *vectors;

static int load(void **state)
{
	(void)state;
	sig = cs_sig_new(NULL);
	assert_non_null(sig);
	vectors = read_json(VECTORS);
	return 0;
}

static int unload(void **state)
{
	(void)state;
	json_decref(vectors);
	cs_sig_free(sig);
	return 0;
}

static struct cs_u256 u256_of(const json_t *object, const char *key)
{
	struct cs_u256 value;
	assert_ok(cs_u256_from_decimal(&value, cs_bytes_str(text_of(object, key))));
	return value;
}

static void test_chain_tag(void **state)
{
	(void)state;
	const json_t *chain = json_object_get(vectors, "chain");
	const struct cs_hash root = hash_of(chain, "root");
	struct cs_bytes id = cs_bytes_str(text_of(chain, "chain_id"));
	const uint64_t time = u64_of(chain, "genesis_time_s");
	assert_hash(ledger_chain_tag(id, time, 1, &root), hash_of(chain, "tag"));
	struct cs_hash other = ledger_chain_tag(id, time, 2, &root), tag = hash_of(chain, "tag");
	assert_false(cs_hash_eq(&other, &tag));
}

static void test_multisig_address(void **state)
{
	(void)state;
	const json_t *multisig = json_object_get(vectors, "multisig");
	const json_t *list = json_object_get(multisig, "members");
	struct cs_address members[LEDGER_MULTISIG_MAX];
	const size_t count = json_array_size(list);
	for (size_t i = 0; i < count; i++) {
		const char *text = json_string_value(json_array_get(list, i));
		assert_ok(cs_unhex(members[i].b, sizeof members[i].b, cs_bytes_str(text)));
	}
	struct cs_address address =
		ledger_multisig_address((uint8_t)u64_of(multisig, "threshold"), members, count);
	assert_bytes(CS_BYTES_OF(address.b), bytes_of(multisig, "address"));
}

static void check_calls(const struct ledger_tx *tx, const json_t *list)
{
	assert_int_equal(tx->call_count, json_array_size(list));
	for (size_t i = 0; i < tx->call_count; i++) {
		const json_t *want = json_array_get(list, i);
		const struct cs_u256 value = u256_of(want, "value");
		assert_bytes(CS_BYTES_OF(tx->calls[i].to.b), bytes_of(want, "to"));
		assert_int_equal(cs_u256_cmp(&tx->calls[i].value, &value), 0);
		assert_bytes(tx->calls[i].input, bytes_of(want, "input"));
	}
}

static void check_good(const json_t *want)
{
	struct cs_bytes bytes = bytes_of(want, "transaction");
	struct ledger_tx tx;
	size_t count;
	assert_ok(ledger_tx_decode(&tx, bytes));
	assert_int_equal(tx.body.n, u64_of(want, "body_size"));
	assert_int_equal(tx.body.n + tx.signatures.n, bytes.n);
	assert_hash(tx.chain, hash_of(want, "chain"));
	assert_bytes(CS_BYTES_OF(tx.sender.b), bytes_of(want, "sender"));
	assert_int_equal(tx.sequence, u64_of(want, "sequence"));
	assert_int_equal(tx.valid_until, u64_of(want, "valid_until"));
	assert_int_equal(tx.gas_limit, u64_of(want, "gas_limit"));
	const struct cs_u256 price = {.limb = {tx.gas_price_low, tx.gas_price_high}};
	const struct cs_u256 want_price = u256_of(want, "gas_price");
	assert_int_equal(cs_u256_cmp(&price, &want_price), 0);
	check_calls(&tx, json_object_get(want, "calls"));
	assert_hash(ledger_tx_digest(tx.body), hash_of(want, "digest"));
	assert_hash(cs_sha256(bytes), hash_of(want, "hash"));
	assert_ok(ledger_tx_signature_count(&tx, &count));
	assert_int_equal(count, u64_of(want, "signature_count"));
	assert_ok(ledger_tx_verify(&tx, sig));
	struct cs_buf buf;
	cs_buf_init(&buf, keep(bytes.n), bytes.n);
	ledger_tx_encode_body(&buf, &tx);
	assert_bytes(cs_buf_view(&buf), tx.body);
}

static void test_good(void **state)
{
	(void)state;
	size_t i;
	json_t *want;
	json_array_foreach(json_object_get(vectors, "transactions"), i, want) check_good(want);
	assert_int_equal(i, 8);
}

static void test_refusals(void **state)
{
	(void)state;
	size_t i;
	json_t *want;
	json_array_foreach(json_object_get(vectors, "refusals"), i, want)
	{
		struct ledger_tx tx;
		const char *error = text_of(want, "error");
		enum cs_err err = ledger_tx_decode(&tx, bytes_of(want, "transaction"));
		if (strcmp(text_of(want, "stage"), "verify") == 0) {
			assert_ok(err);
			err = ledger_tx_verify(&tx, sig);
		}
		if (strcmp(cs_err_name(err), error) != 0)
			fail_msg("%s: %s, not %s", text_of(want, "name"), cs_err_name(err), error);
	}
	assert_int_equal(i, 48);
}

/* No byte of a transaction can be another: what is decoded is signed, in one form. */
static void test_no_twin(void **state)
{
	(void)state;
	for (size_t which = 0; which < 7; which++) {
		const json_t *good =
			json_array_get(json_object_get(vectors, "transactions"), which);
		struct cs_bytes bytes = bytes_of(good, "transaction");
		uint8_t *p = keep(bytes.n);
		memcpy(p, bytes.p, bytes.n);
		/* A prime step: 64 calls have a few thousand bytes. */
		for (size_t i = 0; i<bytes.n; i += bytes.n> 500 ? 37 : 1) {
			struct ledger_tx tx;
			p[i] ^= 1;
			if (ledger_tx_decode(&tx, cs_bytes(p, bytes.n)) == CS_OK &&
			    ledger_tx_verify(&tx, sig) == CS_OK)
				fail_msg("%s: byte %zu has a twin", text_of(good, "name"), i);
			p[i] ^= 1;
		}
	}
}

static void test_size(void **state)
{
	(void)state;
	struct ledger_tx tx = {.call_count = 1};
	struct cs_buf buf;
	const size_t size = LEDGER_TX_SIZE_MAX + 1;
	cs_buf_init(&buf, keep(size), size);
	uint8_t *input = keep(LEDGER_TX_SIZE_MAX);
	tx.calls[0].input = cs_bytes(input, LEDGER_TX_SIZE_MAX);
	ledger_tx_encode_body(&buf, &tx);
	assert_err(cs_buf_end(&buf), CS_ERR_TOO_LARGE);
	const size_t head = 1 + 32 + 20 + 3 * 8 + 16 + 1 + 20 + 32 + 4;
	tx.calls[0].input.n = LEDGER_TX_SIZE_MAX - head;
	cs_buf_init(&buf, buf.p, size);
	ledger_tx_encode_body(&buf, &tx);
	assert_int_equal(buf.n, LEDGER_TX_SIZE_MAX);
	assert_ok(ledger_tx_decode(&tx, cs_buf_view(&buf)));
	buf.n++;
	assert_err(ledger_tx_decode(&tx, cs_buf_view(&buf)), CS_ERR_TOO_LARGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_chain_tag), cmocka_unit_test(test_multisig_address),
		cmocka_unit_test(test_good),      cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_no_twin),   cmocka_unit_test(test_size),
	};
	return cmocka_run_group_tests(tests, load, unload);
}
