/* The ordered trie of a block: values under the RLP of their index, as receipts and transactions
 * are kept (yellow paper, appendix D). Builds it once, gives its root and the path to any value. */
#ifndef ADAPTERS_EVM_TRIE_BUILD_H
#define ADAPTERS_EVM_TRIE_BUILD_H

#include "core/bytes.h"

/* Transactions of a block: 21,000 gas each in a block of 2.7 G. */
#define EVM_TRIE_VALUES_MAX (1u << 17)
/* Nibbles of RLP(131071) and the value. */
#define EVM_TRIE_PATH_MAX 12

struct evm_trie;

/* The values are copied. None of them may be empty. TOO_LARGE above EVM_TRIE_VALUES_MAX. */
CS_NODISCARD enum cs_err evm_trie_build(struct evm_trie **trie, const struct cs_bytes *values,
					size_t count);
void evm_trie_free(struct evm_trie *trie);
struct cs_hash evm_trie_root(const struct evm_trie *trie);
size_t evm_trie_count(const struct evm_trie *trie);
/* Bytes of memory. */
size_t evm_trie_size(const struct evm_trie *trie);
/* A view. index < count. */
struct cs_bytes evm_trie_value(const struct evm_trie *trie, size_t index);
/* Root first; nodes of less than 32 bytes are inside their parents. Views. index < count. Returns
 * how many. */
size_t evm_trie_prove(const struct evm_trie *trie, size_t index,
		      struct cs_bytes nodes[EVM_TRIE_PATH_MAX]);

#endif
