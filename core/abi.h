/* Solidity's contract ABI (specification "Contract ABI", strict mode): an encoder for nested
 * dynamic tuples and arrays that writes the one canonical layout, and a bounded decoder that
 * accepts nothing else. */
#ifndef CS_ABI_H
#define CS_ABI_H

#include "core/buf.h"
#include "core/limits.h"
#include "core/u256.h"

#define CS_ABI_DEPTH_MAX 8u

/* ---- writing: heads in order, then each tail in the order of its slot ---- */

struct cs_abi {
	struct cs_buf *buf;
	size_t base[CS_ABI_DEPTH_MAX]; /* where the offsets of the open tuples count from */
	size_t depth;
};

/* Begins with the first four bytes of keccak-256 of the signature ("transfer(address,uint256)"),
 * then the arguments. */
void cs_abi_call(struct cs_abi *abi, struct cs_buf *buf, const char *signature);
/* Begins a tuple without a selector: event data, return values. */
void cs_abi_init(struct cs_abi *abi, struct cs_buf *buf);
void cs_abi_put_u64(struct cs_abi *abi, uint64_t value);
void cs_abi_put_word(struct cs_abi *abi, const struct cs_hash *word);
void cs_abi_put_u256(struct cs_abi *abi, const struct cs_u256 *value);
void cs_abi_put_address(struct cs_abi *abi, const struct cs_address *address);
/* Keeps the place of an offset in the head; every slot is given to one of the four calls below, in
 * order. */
size_t cs_abi_slot(struct cs_abi *abi);
/* The tail of a dynamic tuple begins here. */
void cs_abi_enter(struct cs_abi *abi, size_t slot);
/* The tail of an array with count elements begins here; dynamic elements take slots as well. */
void cs_abi_enter_array(struct cs_abi *abi, size_t slot, size_t count);
void cs_abi_leave(struct cs_abi *abi);
/* bytes or string. */
void cs_abi_put_bytes(struct cs_abi *abi, size_t slot, struct cs_bytes bytes);

/* ---- reading: a head of head_count words, tails in order without gaps, zero padding ---- */

struct cs_abi_reader {
	struct cs_bytes data; /* of this tuple: offsets count from its begin */
	size_t head_next;     /* bytes */
	size_t head_end;
	size_t tail_next;
};

/* TRUNCATED when the head does not fit. */
CS_NODISCARD enum cs_err cs_abi_read(struct cs_abi_reader *reader, struct cs_bytes data,
				     size_t head_count);
/* The next word of the head. Reading past the head is TRUNCATED. */
CS_NODISCARD enum cs_err cs_abi_get_word(struct cs_abi_reader *reader, struct cs_hash *word);
/* OVERFLOW above the type's range. */
CS_NODISCARD enum cs_err cs_abi_get_u64(struct cs_abi_reader *reader, uint64_t *value);
CS_NODISCARD enum cs_err cs_abi_get_u8(struct cs_abi_reader *reader, uint8_t *value);
CS_NODISCARD enum cs_err cs_abi_get_bool(struct cs_abi_reader *reader, bool *value);
CS_NODISCARD enum cs_err cs_abi_get_u256(struct cs_abi_reader *reader, struct cs_u256 *value);
CS_NODISCARD enum cs_err cs_abi_get_address(struct cs_abi_reader *reader,
					    struct cs_address *address);
/* A view into the input; NON_CANONICAL for an offset other than the next tail or padding other than
 * zero, TOO_LARGE above size_max. */
CS_NODISCARD enum cs_err cs_abi_get_bytes(struct cs_abi_reader *reader, size_t size_max,
					  struct cs_bytes *bytes);
/* bytes[]: views into the input, at most count_max of them, each at most size_max. */
CS_NODISCARD enum cs_err cs_abi_get_bytes_array(struct cs_abi_reader *reader, size_t count_max,
						size_t size_max, struct cs_bytes *items,
						size_t *count);
/* The next word of the head leads to a tuple of its own (one that is dynamic; the words of a static
 * one stand in the head itself): `inner` reads it. What it leads to is read before anything else of
 * the outer one, and then closed. NON_CANONICAL, TRUNCATED. */
CS_NODISCARD enum cs_err cs_abi_open(struct cs_abi_reader *reader, struct cs_abi_reader *inner,
				     size_t head_count);
/* The same for an array: `words` of each element in the head, 1 for dynamic ones, of which each is
 * opened in its turn. TOO_LARGE above count_max elements, NON_CANONICAL, TRUNCATED. */
CS_NODISCARD enum cs_err cs_abi_open_array(struct cs_abi_reader *reader,
					   struct cs_abi_reader *inner, size_t words,
					   size_t count_max, size_t *count);
/* The outer one goes on behind what the inner one read; TRAILING when it left a word of its head. */
CS_NODISCARD enum cs_err cs_abi_close(struct cs_abi_reader *reader,
				      const struct cs_abi_reader *inner);
/* Everything was read: TRAILING otherwise. */
CS_NODISCARD enum cs_err cs_abi_end(const struct cs_abi_reader *reader);

/* Event topic 0 and, by its first four bytes, selectors. */
struct cs_hash cs_abi_topic(const char *signature);

#endif
