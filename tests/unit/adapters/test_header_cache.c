#include "adapters/evm/header_cache.h"
#include "common.h"

static struct evm_header *read_header(const char *name)
{
	json_t *vector = load(name);
	struct evm_header *header;
	struct cs_hash hash;

	assert_ok(evm_header_from_json(&header, &hash, at(vector, "block")));
	json_decref(vector);
	return header;
}

/* The hash of no block, as if it were this header's: only the place depends on it. Every hash of one bucket
 * is another one behind its first two bytes. */
static void rename_header(struct evm_header *header, uint16_t bucket, uint32_t number)
{
	header->public.id.hash.b[0] = (uint8_t)(bucket >> 8);
	header->public.id.hash.b[1] = (uint8_t)bucket;
	for (size_t i = 0; i < sizeof(number); i++)
		header->public.id.hash.b[2 + i] = (uint8_t)(number >> 8 * i);
}

static void test_a_copy_is_kept(void **state)
{
	struct evm_header_cache *cache = evm_header_cache_new();
	struct evm_header *header = read_header("evm-rpc/geth.json");
	const struct cs_hash hash = header->public.id.hash;
	struct cs_bytes raw = header->public.rlp;

	(void)state;
	assert_null(evm_header_cache_get(cache, &hash));
	evm_header_cache_put(cache, header);
	const struct evm_header *kept = evm_header_cache_get(cache, &hash);
	assert_non_null(kept);
	assert_ptr_not_equal(kept, header);
	assert_true(cs_hash_eq(&kept->public.id.hash, &hash));
	assert_true(cs_hash_eq(&kept->receipts_root, &header->receipts_root));
	assert_int_equal(kept->public.id.height, header->public.id.height);
	assert_int_equal(kept->tx_count, header->tx_count);
	assert_non_null(header->tx_hashes);
	assert_null(kept->tx_hashes);
	assert_bytes(kept->public.rlp, raw);
	assert_ptr_not_equal(kept->public.rlp.p, raw.p);
	evm_header_unref(header);
	/* Who holds it has it, whatever becomes of the cache. */
	struct evm_header *held = evm_header_ref(evm_header_cache_get(cache, &hash));
	evm_header_cache_free(cache);
	assert_true(cs_hash_eq(&held->public.id.hash, &hash));
	evm_header_unref(held);
}

/* Of hashes that share a bucket each is its own, and no other one is taken for it. */
static void test_one_bucket(void **state)
{
	struct evm_header_cache *cache = evm_header_cache_new();
	struct evm_header *header = read_header("evm-rpc/anvil.json");

	(void)state;
	for (uint32_t i = 0; i < 10; i++) {
		rename_header(header, 0x1234, i);
		header->public.id.height = i;
		evm_header_cache_put(cache, header);
	}
	for (uint32_t i = 0; i < 10; i++) {
		rename_header(header, 0x1234, i);
		const struct evm_header *kept =
			evm_header_cache_get(cache, &header->public.id.hash);
		assert_non_null(kept);
		assert_int_equal(kept->public.id.height, i);
	}
	rename_header(header, 0x1234, 10);
	assert_null(evm_header_cache_get(cache, &header->public.id.hash));
	evm_header_unref(header);
	evm_header_cache_free(cache);
}

/* It stays as large as it is: the first goes first, and one that is there already takes no place of
 * another's. Half of them share a bucket, so that they leave it from every place of its list. */
static void test_the_first_goes_first(void **state)
{
	struct evm_header_cache *cache = evm_header_cache_new();
	struct evm_header *header = read_header("evm-rpc/anvil.json");
	const uint32_t count = 3 * EVM_HEADER_CACHE_MAX;

	(void)state;
	for (uint32_t i = 0; i < count; i++) {
		rename_header(header, i % 2 == 0 ? 7 : (uint16_t)i, i);
		evm_header_cache_put(cache, header);
		evm_header_cache_put(cache, header);
	}
	for (uint32_t i = 0; i < count; i++) {
		rename_header(header, i % 2 == 0 ? 7 : (uint16_t)i, i);
		bool is_kept = evm_header_cache_get(cache, &header->public.id.hash) != NULL;
		assert_int_equal(is_kept, i >= count - EVM_HEADER_CACHE_MAX);
	}
	evm_header_unref(header);
	evm_header_cache_free(cache);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_copy_is_kept),
		cmocka_unit_test(test_one_bucket),
		cmocka_unit_test(test_the_first_goes_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
