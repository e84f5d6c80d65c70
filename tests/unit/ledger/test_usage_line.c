/* Records, lines and statements against those that tools/usage_vectors.py makes, which shares no code. */
#include "core/hash.h"
#include "core/sig.h"
#include "relay_state/ledger/usage_line.h"
#include "tests/unit/support.h"

#define VECTORS CS_VECTORS "/usage/records.json"

static json_t *vectors;
static struct cs_sig *sig;

static int load(void **state)
{
	(void)state;
	vectors = read_json(VECTORS);
	sig = cs_sig_new(NULL);
	assert_non_null(sig);
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
	assert_int_equal(cs_u256_from_decimal(&value, cs_bytes_str(text_of(object, key))), CS_OK);
	return value;
}

static struct ledger_usage_record record_of(const json_t *one)
{
	struct ledger_usage_record record = {
		.data_hash = hash_of_text(text_of(one, "data_hash")),
		.purpose = bytes_of(one, "purpose"),
		.enclave = hash_of_text(text_of(one, "enclave")),
		.metric = hash_of_text(text_of(one, "metric")),
		.quantity = u256_of(one, "quantity"),
		.price = u256_of(one, "price"),
		.observed_s = u64_of(one, "observed"),
		.nonce = u64_of(one, "nonce"),
	};
	memcpy(record.provider.b, bytes_of(one, "provider").p, sizeof record.provider.b);
	memcpy(record.consumer.b, bytes_of(one, "consumer").p, sizeof record.consumer.b);
	memcpy(record.signature, bytes_of(one, "signature").p, sizeof record.signature);
	return record;
}

static void test_what_an_enclave_signs(void **state)
{
	const struct cs_hash chain = hash_of_text(text_of(vectors, "chain"));
	const json_t *all = json_object_get(vectors, "records"), *one;
	size_t i;
	(void)state;
	json_array_foreach(all, i, one)
	{
		const struct ledger_usage_record record = record_of(one);
		const bool insecure = json_is_true(json_object_get(one, "insecure"));
		const struct cs_hash want = hash_of_text(text_of(one, "digest"));
		const struct cs_hash digest = ledger_usage_digest(&record, &chain, insecure);
		const struct cs_hash other = ledger_usage_digest(&record, &chain, !insecure);
		assert_memory_equal(digest.b, want.b, sizeof want.b);
		assert_int_equal(cs_schnorr_verify64(sig, record.signature, &record.enclave,
						     CS_BYTES_OF(digest.b)),
				 CS_OK);
		assert_int_equal(cs_schnorr_verify64(sig, record.signature, &record.enclave,
						     CS_BYTES_OF(other.b)),
				 CS_ERR_BAD_SIGNATURE);
	}
	assert_true(i >= 9);
}

static void test_every_field_is_signed(void **state)
{
	struct cs_hash chain = hash_of_text(text_of(vectors, "chain"));
	const struct ledger_usage_record good =
		record_of(json_array_get(json_object_get(vectors, "records"), 0));
	const struct cs_hash digest = ledger_usage_digest(&good, &chain, false);
	struct ledger_usage_record changed[10];
	struct cs_hash other;
	(void)state;
	for (size_t i = 0; i < CS_LEN(changed); i++)
		changed[i] = good;
	changed[0].data_hash.b[0] ^= 1;
	changed[1].provider.b[0] ^= 1;
	changed[2].consumer.b[0] ^= 1;
	changed[3].purpose.n--;
	changed[4].enclave.b[31] ^= 1;
	changed[5].metric.b[0] ^= 1;
	changed[6].quantity.limb[0] ^= 1;
	changed[7].price.limb[3] ^= 1;
	changed[8].observed_s ^= 1;
	changed[9].nonce ^= 1;
	for (size_t i = 0; i < CS_LEN(changed); i++) {
		other = ledger_usage_digest(&changed[i], &chain, false);
		assert_false(cs_hash_eq(&other, &digest));
	}
	chain.b[0] ^= 1;
	other = ledger_usage_digest(&good, &chain, false);
	assert_false(cs_hash_eq(&other, &digest));
}

static void test_amounts_are_rounded_down(void **state)
{
	const json_t *all = json_object_get(vectors, "records"), *one;
	size_t i;
	(void)state;
	json_array_foreach(all, i, one)
	{
		const struct cs_u256 quantity = u256_of(one, "quantity");
		const struct cs_u256 price = u256_of(one, "price");
		const struct cs_u256 want = u256_of(one, "amount");
		struct cs_u256 amount;
		assert_int_equal(ledger_usage_amount(&amount, &quantity, &price,
						     (unsigned)u64_of(one, "decimals")),
				 CS_OK);
		assert_int_equal(cs_u256_cmp(&amount, &want), 0);
	}
}

static void test_an_amount_that_does_not_fit(void **state)
{
	const json_t *all = json_object_get(vectors, "overflows"), *one;
	size_t i;
	(void)state;
	json_array_foreach(all, i, one)
	{
		const struct cs_u256 quantity = u256_of(one, "quantity");
		const struct cs_u256 price = u256_of(one, "price");
		struct cs_u256 amount = cs_u256_u64(7);
		assert_int_equal(ledger_usage_amount(&amount, &quantity, &price, 0),
				 CS_ERR_OVERFLOW);
		assert_true(amount.limb[0] == 7);
	}
	assert_true(i > 0);
}

/* ---- lines ---- */

static struct cs_bytes line_at(size_t index)
{
	return unhex(json_string_value(json_array_get(json_object_get(vectors, "lines"), index)));
}

static size_t line_count(void)
{
	return json_array_size(json_object_get(vectors, "lines"));
}

static void test_lines_read_and_are_written_again(void **state)
{
	const json_t *records = json_object_get(vectors, "records");
	(void)state;
	for (size_t i = 0; i < line_count(); i++) {
		const struct cs_bytes bytes = line_at(i);
		struct ledger_usage_line line;
		struct cs_buf buf;
		cs_buf_init(&buf, keep(LEDGER_USAGE_LINE_SIZE_MAX), LEDGER_USAGE_LINE_SIZE_MAX);
		assert_int_equal(ledger_usage_line_decode(&line, bytes), CS_OK);
		ledger_usage_line_encode(&buf, &line);
		assert_int_equal(cs_buf_end(&buf), CS_OK);
		assert_true(cs_bytes_eq(cs_buf_view(&buf), bytes));
		if (i < json_array_size(records)) {
			const struct ledger_usage_record want =
				record_of(json_array_get(records, i));
			assert_int_equal(line.kind, LEDGER_USAGE_CHARGE);
			assert_int_equal(line.height, 10 + i);
			assert_memory_equal(&line.record.quantity, &want.quantity,
					    sizeof want.quantity);
			assert_true(line.record.nonce == want.nonce);
			assert_true(cs_bytes_eq(line.record.purpose, want.purpose));
		} else {
			assert_int_equal(line.kind, LEDGER_USAGE_CREDIT);
			assert_int_equal(line.amount.limb[0], 17);
			assert_int_equal(line.decided_by.b[0], 0x33);
		}
	}
}

static void test_cut_and_prolonged_lines(void **state)
{
	(void)state;
	for (size_t i = 0; i < line_count(); i++) {
		const struct cs_bytes bytes = line_at(i);
		struct ledger_usage_line line;
		for (size_t n = 0; n < bytes.n; n++) {
			uint8_t *cut = malloc(n + 1);
			assert_non_null(cut);
			memcpy(cut, bytes.p, n);
			assert_int_equal(ledger_usage_line_decode(&line, cs_bytes(cut, n)),
					 CS_ERR_TRUNCATED);
			free(cut);
		}
		uint8_t *more = keep(bytes.n + 1);
		memcpy(more, bytes.p, bytes.n);
		assert_int_equal(ledger_usage_line_decode(&line, cs_bytes(more, bytes.n + 1)),
				 CS_ERR_TRAILING);
	}
}

static enum cs_err decode_changed(size_t index, size_t at, uint8_t value)
{
	const struct cs_bytes bytes = line_at(index);
	struct ledger_usage_line line;
	uint8_t *p = keep(bytes.n);
	memcpy(p, bytes.p, bytes.n);
	p[at] = value;
	return ledger_usage_line_decode(&line, cs_bytes(p, bytes.n));
}

static void test_lines_that_are_none(void **state)
{
	(void)state;
	/* The kind; the amount; the metric's decimals; the size of the purpose. */
	assert_int_equal(decode_changed(0, 0, 0), CS_ERR_UNSUPPORTED);
	assert_int_equal(decode_changed(0, 0, 3), CS_ERR_UNSUPPORTED);
	assert_int_equal(decode_changed(0, 48, 0x89), CS_ERR_INVALID);
	assert_int_equal(decode_changed(0, LEDGER_USAGE_LINE_HEAD_SIZE, 1), CS_ERR_INVALID);
	assert_int_equal(decode_changed(0, LEDGER_USAGE_LINE_HEAD_SIZE, 19), CS_ERR_TOO_LARGE);
	assert_int_equal(decode_changed(0, LEDGER_USAGE_CHARGE_SIZE_MIN - 1, 65), CS_ERR_TOO_LARGE);
	/* A product above 2^256: the high byte of the price of "the largest product". */
	assert_int_equal(decode_changed(7, LEDGER_USAGE_LINE_HEAD_SIZE + 1 + 96, 1),
			 CS_ERR_OVERFLOW);
}

/* ---- statements ---- */

static void test_statements(void **state)
{
	const json_t *all = json_object_get(vectors, "statements"), *one;
	struct ledger_usage_statement statement;
	size_t i;
	(void)state;
	ledger_usage_statement_init(&statement);
	json_array_foreach(all, i, one)
	{
		const struct cs_bytes want = bytes_of(one, "value");
		const struct cs_hash want_root = hash_of_text(text_of(one, "root"));
		struct ledger_usage_statement again;
		struct cs_buf buf;
		cs_buf_init(&buf, keep(LEDGER_USAGE_STATEMENT_SIZE_MAX),
			    LEDGER_USAGE_STATEMENT_SIZE_MAX);
		ledger_usage_statement_encode(&buf, &statement);
		assert_true(cs_bytes_eq(cs_buf_view(&buf), want));
		assert_int_equal(ledger_usage_statement_decode(&again, want), CS_OK);
		const struct cs_hash root = cmt_merkle_root(&again.log);
		assert_memory_equal(root.b, want_root.b, sizeof root.b);
		for (size_t n = 0; n < want.n; n++)
			assert_int_equal(ledger_usage_statement_decode(&again, cs_bytes(want.p, n)),
					 CS_ERR_TRUNCATED);
		if (i < line_count()) {
			struct ledger_usage_line line;
			assert_int_equal(ledger_usage_line_decode(&line, line_at(i)), CS_OK);
			assert_int_equal(ledger_usage_statement_add(&statement, line.kind,
								    &line.amount, line_at(i)),
					 CS_OK);
		}
	}
	assert_int_equal(i, line_count() + 1);
}

static void test_sums_that_do_not_fit(void **state)
{
	struct ledger_usage_statement statement;
	struct cs_u256 most = {{UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX}};
	const struct cs_u256 one = cs_u256_u64(1);
	(void)state;
	ledger_usage_statement_init(&statement);
	for (enum ledger_usage_kind kind = LEDGER_USAGE_CHARGE; kind <= LEDGER_USAGE_CREDIT;
	     kind++) {
		assert_int_equal(ledger_usage_statement_add(&statement, kind, &most, line_at(0)),
				 CS_OK);
		assert_int_equal(ledger_usage_statement_add(&statement, kind, &one, line_at(0)),
				 CS_ERR_OVERFLOW);
	}
	assert_true(statement.log.count == 2);
	statement.log.count = LEDGER_MERKLE_COUNT_MAX;
	statement.charged = one;
	assert_int_equal(
		ledger_usage_statement_add(&statement, LEDGER_USAGE_CHARGE, &one, line_at(0)),
		CS_ERR_FULL);
	assert_int_equal(cs_u256_cmp(&statement.charged, &one), 0);
}

static void test_keys_of_statements(void **state)
{
	const json_t *all = json_object_get(vectors, "keys"), *one;
	size_t i;
	(void)state;
	json_array_foreach(all, i, one)
	{
		struct ledger_usage_account account = {
			.role = (enum ledger_usage_role)(unsigned)u64_of(one, "role"),
			.period = (unsigned)u64_of(one, "period")};
		uint8_t key[LEDGER_USAGE_STATEMENT_KEY_SIZE];
		memcpy(account.party.b, bytes_of(one, "party").p, sizeof account.party.b);
		ledger_usage_statement_key(key, &account,
					   json_is_true(json_object_get(one, "pruned")));
		assert_true(cs_bytes_eq(CS_BYTES_OF(key), bytes_of(one, "key")));
	}
	assert_true(i == 4);
}

/* ---- periods ---- */

static void test_periods_are_months_of_the_calendar(void **state)
{
	const json_t *all = json_object_get(vectors, "periods"), *one;
	size_t i;
	uint32_t period = 7;
	(void)state;
	json_array_foreach(all, i, one)
	{
		assert_int_equal(ledger_usage_period(&period, u64_of(one, "time")), CS_OK);
		assert_int_equal(period, (unsigned)u64_of(one, "period"));
		assert_true(ledger_usage_is_period(period));
	}
	assert_int_equal(ledger_usage_period(&period, 253402300800), CS_ERR_OVERFLOW);
	assert_int_equal(ledger_usage_period(&period, UINT64_MAX), CS_ERR_OVERFLOW);
	assert_int_equal(period, 999912);
}

/* Each month follows the one before; every fourth day of four hundred years, and a century more. */
static void test_periods_follow_each_other(void **state)
{
	uint32_t before, period;
	(void)state;
	assert_int_equal(ledger_usage_period(&before, 0), CS_OK);
	for (uint64_t day = 4; day < 182622; day += 4, before = period) {
		assert_int_equal(ledger_usage_period(&period, day * 86400), CS_OK);
		assert_true(period == before || period == before + 1 ||
			    (before % 100 == 12 && period == before + 89));
	}
	assert_int_equal(before, 246912);
}

static void test_numbers_that_are_no_period(void **state)
{
	static const uint32_t none[] = {0, 12, 196912, 202600, 202613, 1000001, UINT32_MAX};
	(void)state;
	for (size_t i = 0; i < CS_LEN(none); i++)
		assert_false(ledger_usage_is_period(none[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_an_enclave_signs),
		cmocka_unit_test(test_every_field_is_signed),
		cmocka_unit_test(test_amounts_are_rounded_down),
		cmocka_unit_test(test_an_amount_that_does_not_fit),
		cmocka_unit_test(test_lines_read_and_are_written_again),
		cmocka_unit_test(test_cut_and_prolonged_lines),
		cmocka_unit_test(test_lines_that_are_none),
		cmocka_unit_test(test_statements),
		cmocka_unit_test(test_sums_that_do_not_fit),
		cmocka_unit_test(test_keys_of_statements),
		cmocka_unit_test(test_periods_are_months_of_the_calendar),
		cmocka_unit_test(test_periods_follow_each_other),
		cmocka_unit_test(test_numbers_that_are_no_period),
	};
	return cmocka_run_group_tests(tests, load, unload);
}
