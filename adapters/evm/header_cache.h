/* Headers of blocks that left the watcher's window, or never were in it: what proves an event of an old
 * block needs its block's header, and all of those up to what the enclave holds. They are kept by hash,
 * and a header's bytes make its hash (header.h): whoever told it, it is that block's, on this branch or
 * on another. */
#ifndef ADAPTERS_EVM_HEADER_CACHE_H
#define ADAPTERS_EVM_HEADER_CACHE_H

#include "adapters/evm/header.h"

/* Some 1.2 KB each. The one that was put first goes first. */
#define EVM_HEADER_CACHE_MAX 1024u

struct evm_header_cache;

struct evm_header_cache *evm_header_cache_new(void);
/* NULL is allowed. */
void evm_header_cache_free(struct evm_header_cache *cache);
/* Keeps a copy without its transactions' hashes, which may be far larger than the rest. */
void evm_header_cache_put(struct evm_header_cache *cache, const struct evm_header *header);
/* NULL: it is not kept. Valid until the next put, or with a reference of one's own. */
struct evm_header *evm_header_cache_get(const struct evm_header_cache *cache,
					const struct cs_hash *hash);

#endif
