#include "tests/unit/support.h"
#include "wire/report.h"

#include <stdlib.h>

#define FILE_NAME CS_VECTORS "/report/report.json"

static enum wire_report_role role_of(const json_t *one)
{
	for (unsigned i = 0; i < WIRE_REPORT_ROLE_COUNT; i++)
		if (strcmp(wire_report_role_name((enum wire_report_role)i), text_of(one, "role")) ==
		    0)
			return (enum wire_report_role)i;
	fail_msg("no such role");
	return WIRE_REPORT_WORKER;
}

static struct wire_report_fresh fresh_of(const json_t *given)
{
	struct wire_report_fresh fresh;
	const json_t *tls = json_object_get(given, "tls");
	if (tls != NULL) {
		const struct wire_report_tls one = {
			hash_of(tls, "exporter"), json_is_true(json_object_get(tls, "from_server")),
			hash_of(tls, "client_spki"), hash_of(tls, "server_spki")};
		return wire_report_fresh_tls(&one);
	}
	if (json_object_get(given, "issued") != NULL)
		return wire_report_fresh_issued(u64_of(given, "issued"));
	assert_ok(wire_report_fresh_nonce(&fresh, bytes_of(given, "nonce")));
	return fresh;
}

static struct wire_report report_of(const json_t *one)
{
	return (struct wire_report){.role = role_of(one),
				    .key = hash_of(one, "key"),
				    .fresh = fresh_of(json_object_get(one, "fresh")),
				    .manifest_hash = hash_of(one, "manifest_hash"),
				    .manifest_number = u64_of(one, "manifest_number"),
				    .lineage = hash_of(one, "lineage"),
				    .schema_digest = hash_of(one, "schema_digest"),
				    .insecure_flags = u64_of(one, "insecure_flags")};
}

static void test_vectors(void **state)
{
	(void)state;
	json_t *file = read_json(FILE_NAME), *one;
	size_t i;
	json_array_foreach(json_object_get(file, "reports"), i, one)
	{
		const struct wire_report report = report_of(one);
		uint8_t preimage[WIRE_REPORT_PREIMAGE_SIZE];
		uint8_t data[WIRE_REPORT_DATA_SIZE];
		wire_report_preimage(preimage, &report);
		wire_report_data(data, &report);
		const struct cs_bytes expected = bytes_of(one, "preimage");
		assert_int_equal(expected.n, sizeof preimage);
		assert_memory_equal(preimage, expected.p, sizeof preimage);
		assert_int_equal(bytes_of(one, "report_data").n, sizeof data);
		assert_memory_equal(data, bytes_of(one, "report_data").p, sizeof data);
	}
	assert_true(i >= 9);
	json_decref(file);
}

static void test_key_lists(void **state)
{
	(void)state;
	json_t *file = read_json(FILE_NAME), *list, *row;
	size_t i, k;
	json_array_foreach(json_object_get(file, "key_lists"), i, list)
	{
		struct cs_keccak keys;
		wire_report_keys_begin(&keys);
		json_array_foreach(json_object_get(list, "keys"), k, row)
		{
			struct wire_report_key key = {.chain = hash_of(row, "chain"),
						      .epoch = u64_of(row, "epoch"),
						      .x = hash_of(row, "public_key")};
			memcpy(key.gas_address.b, bytes_of(row, "gas_address").p, 20);
			wire_report_keys_add(&keys, &key);
		}
		assert_hash(cs_keccak_end(&keys), hash_of(list, "hash"));
	}
	assert_true(i >= 3);
	json_decref(file);
}

/* Each part of the preimage changes the hash; none can stand for another. */
static void test_everything_is_bound(void **state)
{
	(void)state;
	const struct wire_report_tls tls = {.from_server = false};
	const struct wire_report_tls back = {.from_server = true};
	const struct cs_hash zero = {{0}}, one = {{1}};
	struct wire_report base = {.fresh = wire_report_fresh_tls(&tls)};
	struct wire_report others[9];
	for (size_t i = 0; i < CS_LEN(others); i++)
		others[i] = base;
	others[0].role = WIRE_REPORT_WORKER;
	others[1].key = one;
	others[2].fresh = wire_report_fresh_tls(&back);
	others[3].fresh = wire_report_fresh_nonce_hash(&base.fresh.value);
	others[4].manifest_hash = one;
	others[5].manifest_number = 1;
	others[6].lineage = one;
	others[7].schema_digest = one;
	others[8].insecure_flags = 1;
	const struct cs_hash hash = wire_report_hash(&base);
	for (size_t i = 0; i < CS_LEN(others); i++) {
		const struct cs_hash other = wire_report_hash(&others[i]);
		assert_false(cs_hash_eq(&hash, &other));
	}
	struct wire_report nonce = base, issued = base;
	nonce.fresh = wire_report_fresh_nonce_hash(&zero);
	issued.fresh = wire_report_fresh_issued(0);
	const struct cs_hash a = wire_report_hash(&nonce), b = wire_report_hash(&issued);
	assert_false(cs_hash_eq(&a, &b));
}

static void test_nonces_of_other_sizes_are_refused(void **state)
{
	(void)state;
	static const uint8_t bytes[WIRE_REPORT_NONCE_SIZE_MAX + 1];
	struct wire_report_fresh fresh;
	for (size_t n = 0; n <= sizeof bytes; n++) {
		const bool good =
			n >= WIRE_REPORT_NONCE_SIZE_MIN && n <= WIRE_REPORT_NONCE_SIZE_MAX;
		assert_int_equal(wire_report_fresh_nonce(&fresh, cs_bytes(bytes, n)),
				 good ? CS_OK : CS_ERR_INVALID);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_key_lists),
		cmocka_unit_test(test_everything_is_bound),
		cmocka_unit_test(test_nonces_of_other_sizes_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
