/* What built-in contracts store and log, in the forms that most of it has: pairs of a fixed size
 * under a kind and what it is about, and rows of words. Holds no rule of any contract. */
#ifndef LEDGER_PAIRS_H
#define LEDGER_PAIRS_H

#include "relay_state/ledger/contract.h"

/* A key of the contract's own state while it is put together: a kind, which is a letter, and parts
 * of fixed sizes. 's' is storage (ledger_load). */
struct ledger_key {
	uint8_t b[LEDGER_KEY_SIZE_MAX - 1];
	size_t n;
};

struct ledger_key ledger_key(char kind);
void ledger_key_add(struct ledger_key *key, struct cs_bytes part);
void ledger_key_add_u32(struct ledger_key *key, uint32_t value);
void ledger_key_add_u64(struct ledger_key *key, uint64_t value);
struct ledger_key ledger_key_of(char kind, struct cs_bytes part);

/* Exactly `size` bytes: zeros where there is no pair. DAMAGED: a pair of another size; the failures
 * of ledger_get. */
CS_NODISCARD enum cs_err ledger_get_fixed(struct ledger_call *call, void *value, size_t size,
					  const struct ledger_key *key);
CS_NODISCARD enum cs_err ledger_put_fixed(struct ledger_call *call, const struct ledger_key *key,
					  const void *value, size_t size);
CS_NODISCARD enum cs_err ledger_get_u32(struct ledger_call *call, uint32_t *value,
					const struct ledger_key *key);
CS_NODISCARD enum cs_err ledger_put_u32(struct ledger_call *call, const struct ledger_key *key,
					uint32_t value);

/* ---- words ---- */

struct cs_hash ledger_word_u64(uint64_t value);
struct cs_hash ledger_word_address(const struct cs_address *address);
/* A bytes4: the first four bytes. */
struct cs_hash ledger_word_bytes4(uint32_t value);
/* The account of a word: its last 20 bytes. */
struct cs_address ledger_address_of(const struct cs_hash *word);

/* H( TAG(tag) ‖ words ): what is signed or hashed in docs/protocol/. Takes no gas. */
struct cs_hash ledger_digest(const char *tag, const struct cs_hash *words, size_t count);

/* An argument that Solidity holds in fewer bits: OVERFLOW above them. */
CS_NODISCARD enum cs_err ledger_read_u32(struct cs_abi_reader *in, uint32_t *value);

/* ---- events ---- */

/* An event whose arguments are words: the indexed ones, then the others. */
CS_NODISCARD enum cs_err ledger_emit_words(struct ledger_call *call, const char *event,
					   const struct cs_hash *indexed, size_t indexed_count,
					   const struct cs_hash *words, size_t count);
/* One whose arguments are a row of bytes, alone in the data. NO_MEMORY. */
CS_NODISCARD enum cs_err ledger_emit_bytes(struct ledger_call *call, const char *event,
					   const struct cs_hash *indexed, size_t indexed_count,
					   struct cs_bytes bytes);
/* For a list of words in a call above. */
#define LEDGER_WORDS(...)                      \
	(const struct cs_hash[]){__VA_ARGS__}, \
		sizeof((const struct cs_hash[]){__VA_ARGS__}) / sizeof(struct cs_hash)
#define LEDGER_NO_WORDS NULL, 0

/* ---- interoperable addresses ---- */

/* ERC-7930 as the contracts take it: the chain's part (up to the address's length) and the account,
 * views. Reverts with BadInteroperableAddress() where cs_interop_decode refuses, and for an account
 * above 64 bytes. */
CS_NODISCARD enum cs_err ledger_split(struct ledger_call *call, struct cs_bytes *chain,
				      struct cs_bytes *account, struct cs_bytes raw);

#endif
