#include "relay_state/ledger/pairs.h"

#include "core/caip.h"
#include "core/hash.h"

#include <string.h>

/* The longest address that contracts take in ERC-7930, as in Solidity. */
#define ADDRESS_SIZE_MAX 64u

struct ledger_key ledger_key(char kind)
{
	return (struct ledger_key){{(uint8_t)kind}, 1};
}

void ledger_key_add(struct ledger_key *key, struct cs_bytes part)
{
	cs_assert(part.n <= sizeof key->b - key->n);
	memcpy(key->b + key->n, part.p, part.n);
	key->n += part.n;
}

void ledger_key_add_u32(struct ledger_key *key, uint32_t value)
{
	uint8_t be[sizeof value];
	cs_put_be32(be, value);
	ledger_key_add(key, CS_BYTES_OF(be));
}

void ledger_key_add_u64(struct ledger_key *key, uint64_t value)
{
	uint8_t be[sizeof value];
	cs_put_be64(be, value);
	ledger_key_add(key, CS_BYTES_OF(be));
}

struct ledger_key ledger_key_of(char kind, struct cs_bytes part)
{
	struct ledger_key key = ledger_key(kind);
	ledger_key_add(&key, part);
	return key;
}

enum cs_err ledger_get_fixed(struct ledger_call *call, void *value, size_t size,
			     const struct ledger_key *key)
{
	struct cs_bytes found = CS_BYTES_NONE;
	enum cs_err err = ledger_get(call, &found, cs_bytes(key->b, key->n));
	if (err == CS_ERR_NOT_FOUND) {
		memset(value, 0, size);
		return CS_OK;
	}
	if (err != CS_OK)
		return err;
	if (found.n != size)
		return cs_fail(call->why, CS_ERR_DAMAGED,
			       "contract %u: a pair of kind %c has %zu bytes", call->number,
			       key->b[0], found.n);
	memcpy(value, found.p, size);
	return CS_OK;
}

enum cs_err ledger_put_fixed(struct ledger_call *call, const struct ledger_key *key,
			     const void *value, size_t size)
{
	return ledger_put(call, cs_bytes(key->b, key->n), cs_bytes(value, size));
}

enum cs_err ledger_get_u32(struct ledger_call *call, uint32_t *value, const struct ledger_key *key)
{
	uint8_t be[sizeof *value];
	CS_TRY(ledger_get_fixed(call, be, sizeof be, key));
	*value = cs_be32(be);
	return CS_OK;
}

enum cs_err ledger_put_u32(struct ledger_call *call, const struct ledger_key *key, uint32_t value)
{
	uint8_t be[sizeof value];
	cs_put_be32(be, value);
	return ledger_put_fixed(call, key, be, sizeof be);
}

/* ---- words ---- */

struct cs_hash ledger_word_u64(uint64_t value)
{
	struct cs_hash word = {{0}};
	cs_put_be64(word.b + sizeof word.b - sizeof value, value);
	return word;
}

struct cs_hash ledger_word_address(const struct cs_address *address)
{
	struct cs_hash word = {{0}};
	memcpy(word.b + sizeof word.b - sizeof address->b, address->b, sizeof address->b);
	return word;
}

struct cs_hash ledger_word_bytes4(uint32_t value)
{
	struct cs_hash word = {{0}};
	cs_put_be32(word.b, value);
	return word;
}

struct cs_address ledger_address_of(const struct cs_hash *word)
{
	struct cs_address address;
	memcpy(address.b, word->b + sizeof word->b - sizeof address.b, sizeof address.b);
	return address;
}

struct cs_hash ledger_digest(const char *tag, const struct cs_hash *words, size_t count)
{
	const struct cs_hash tag_hash = cs_keccak256(cs_bytes_str(tag));
	struct cs_keccak keccak;
	cs_keccak_init(&keccak);
	cs_keccak_add(&keccak, CS_BYTES_OF(tag_hash.b));
	cs_keccak_add(&keccak, cs_bytes(words, count * sizeof *words));
	return cs_keccak_end(&keccak);
}

enum cs_err ledger_read_u32(struct cs_abi_reader *in, uint32_t *value)
{
	uint64_t wide;
	CS_TRY(cs_abi_get_u64(in, &wide));
	if (wide > UINT32_MAX)
		return CS_ERR_OVERFLOW;
	*value = (uint32_t)wide;
	return CS_OK;
}

/* ---- events ---- */

static enum cs_err emit(struct ledger_call *call, const char *event, const struct cs_hash *indexed,
			size_t indexed_count, struct cs_bytes data)
{
	struct cs_hash topics[LEDGER_TOPICS_MAX];
	cs_assert(indexed_count < LEDGER_TOPICS_MAX);
	topics[0] = cs_abi_topic(event);
	for (size_t i = 0; i < indexed_count; i++)
		topics[i + 1] = indexed[i];
	return ledger_emit(call, topics, indexed_count + 1, data);
}

enum cs_err ledger_emit_words(struct ledger_call *call, const char *event,
			      const struct cs_hash *indexed, size_t indexed_count,
			      const struct cs_hash *words, size_t count)
{
	return emit(call, event, indexed, indexed_count,
		    count == 0 ? CS_BYTES_NONE : cs_bytes(words, count * sizeof *words));
}

enum cs_err ledger_emit_bytes(struct ledger_call *call, const char *event,
			      const struct cs_hash *indexed, size_t indexed_count,
			      struct cs_bytes bytes)
{
	struct cs_buf buf;
	struct cs_abi abi;
	/* An offset, a length, the bytes and their padding. */
	CS_TRY(cs_buf_init_arena(&buf, call->arena, 2 * sizeof(struct cs_hash) + bytes.n + 31));
	cs_abi_init(&abi, &buf);
	cs_abi_put_bytes(&abi, cs_abi_slot(&abi), bytes);
	return emit(call, event, indexed, indexed_count, cs_buf_view(&buf));
}

/* ---- interoperable addresses ---- */

enum cs_err ledger_split(struct ledger_call *call, struct cs_bytes *chain, struct cs_bytes *account,
			 struct cs_bytes raw)
{
	struct cs_interop interop;
	if (cs_interop_decode(&interop, raw) != CS_OK || interop.address.n > ADDRESS_SIZE_MAX)
		return ledger_revert_plain(call, "BadInteroperableAddress()");
	*chain = cs_bytes(raw.p, raw.n - 1 - interop.address.n);
	*account = interop.address;
	return CS_OK;
}
