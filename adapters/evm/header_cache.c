#include "adapters/evm/header_cache.h"

#include "host/alloc.h"

#include <stdlib.h>

#define BUCKETS 1024u

struct kept {
	struct evm_header *header; /* NULL: unused */
	struct kept *next;         /* of the bucket */
};

struct evm_header_cache {
	struct kept ring[EVM_HEADER_CACHE_MAX];
	size_t at; /* of the ring: the next to go */
	struct kept *buckets[BUCKETS];
};

/* A hash is as good as random, but for who can choose blocks: what he gains is a long bucket. */
static size_t bucket_of(const struct cs_hash *hash)
{
	return cs_be16(hash->b) % BUCKETS;
}

static void drop(struct evm_header_cache *cache, struct kept *kept)
{
	struct kept **at = &cache->buckets[bucket_of(&kept->header->public.id.hash)];

	while (*at != kept)
		at = &(*at)->next;
	*at = kept->next;
	evm_header_unref(kept->header);
	*kept = (struct kept){.header = NULL};
}

struct evm_header *evm_header_cache_get(const struct evm_header_cache *cache,
					const struct cs_hash *hash)
{
	struct kept *kept = cache->buckets[bucket_of(hash)];

	while (kept != NULL && !cs_hash_eq(&kept->header->public.id.hash, hash))
		kept = kept->next;
	return kept != NULL ? kept->header : NULL;
}

void evm_header_cache_put(struct evm_header_cache *cache, const struct evm_header *header)
{
	struct kept *kept = &cache->ring[cache->at];
	struct kept **bucket = &cache->buckets[bucket_of(&header->public.id.hash)];

	if (evm_header_cache_get(cache, &header->public.id.hash) != NULL)
		return;
	if (kept->header != NULL)
		drop(cache, kept);
	*kept = (struct kept){.header = evm_header_copy(header), .next = *bucket};
	*bucket = kept;
	cache->at = (cache->at + 1) % EVM_HEADER_CACHE_MAX;
}

struct evm_header_cache *evm_header_cache_new(void)
{
	return host_alloc(sizeof(struct evm_header_cache));
}

void evm_header_cache_free(struct evm_header_cache *cache)
{
	if (cache == NULL)
		return;
	for (size_t i = 0; i < EVM_HEADER_CACHE_MAX; i++)
		evm_header_unref(cache->ring[i].header);
	free(cache);
}
