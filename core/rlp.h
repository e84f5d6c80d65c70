/* RLP (Ethereum yellow paper, appendix B), strictly canonical: one encoding per value, everything
 * else is refused. Reads by views into the input, without recursion and without memory; what is not
 * read is not judged, except by cs_rlp_check.
 *
 * Errors of all readers: TRUNCATED (a length runs past the end), NON_CANONICAL (a longer form than
 * needed, a leading zero of a number), MALFORMED (a list where a string belongs or the reverse, a
 * wrong fixed size), OVERFLOW (a number too wide). */
#ifndef CS_RLP_H
#define CS_RLP_H

#include "core/buf.h"
#include "core/limits.h"
#include "core/u256.h"

struct cs_rlp_item {
	bool is_list;
	struct cs_bytes payload; /* without the header */
	struct cs_bytes whole;   /* with the header: what is hashed or copied */
};

/* A cursor over items in a row: the payload of a list, or a plain sequence. */
struct cs_rlp {
	struct cs_bytes rest;
};

/* The bytes are exactly one item: TRAILING otherwise. */
CS_NODISCARD enum cs_err cs_rlp_one(struct cs_rlp_item *item, struct cs_bytes bytes);
/* The bytes are exactly one list; the cursor stands at its first item. */
CS_NODISCARD enum cs_err cs_rlp_open(struct cs_rlp *list, struct cs_bytes bytes);
/* The cursor at the first item of a list that was read. */
CS_NODISCARD enum cs_err cs_rlp_enter(struct cs_rlp *list, const struct cs_rlp_item *item);
bool cs_rlp_more(const struct cs_rlp *list);
/* TRAILING when items are left. */
CS_NODISCARD enum cs_err cs_rlp_end(const struct cs_rlp *list);

/* Each takes the next item and moves on; nothing moves on failure. At the end of the list:
 * TRUNCATED. */
CS_NODISCARD enum cs_err cs_rlp_next(struct cs_rlp *list, struct cs_rlp_item *item);
CS_NODISCARD enum cs_err cs_rlp_list(struct cs_rlp *list, struct cs_rlp *inner);
CS_NODISCARD enum cs_err cs_rlp_bytes(struct cs_rlp *list, struct cs_bytes *bytes);
/* Exactly n bytes. */
CS_NODISCARD enum cs_err cs_rlp_fixed(struct cs_rlp *list, void *p, size_t n);
CS_NODISCARD enum cs_err cs_rlp_hash(struct cs_rlp *list, struct cs_hash *hash);
CS_NODISCARD enum cs_err cs_rlp_address(struct cs_rlp *list, struct cs_address *address);
CS_NODISCARD enum cs_err cs_rlp_u64(struct cs_rlp *list, uint64_t *value);
CS_NODISCARD enum cs_err cs_rlp_u256(struct cs_rlp *list, struct cs_u256 *value);
/* Steps over count items. */
CS_NODISCARD enum cs_err cs_rlp_skip(struct cs_rlp *list, size_t count);
/* How many items are left; MALFORMED and so on when one of them is broken, TOO_LARGE above
 * count_max. */
CS_NODISCARD enum cs_err cs_rlp_count(const struct cs_rlp *list, size_t count_max, size_t *count);

/* The whole tree of one item is canonical and nests at most CS_RLP_DEPTH_MAX lists: TOO_LARGE when
 * deeper. */
CS_NODISCARD enum cs_err cs_rlp_check(struct cs_bytes bytes);

/* ---- writing ---- */

void cs_rlp_put_bytes(struct cs_buf *buf, struct cs_bytes bytes);
void cs_rlp_put_u64(struct cs_buf *buf, uint64_t value);
void cs_rlp_put_u256(struct cs_buf *buf, const struct cs_u256 *value);
/* Only the header; payload_size bytes of items must follow. */
void cs_rlp_put_list(struct cs_buf *buf, size_t payload_size);
/* A list whose payload size is not known before: the payload moves when its header is put before
 * it. */
size_t cs_rlp_list_begin(const struct cs_buf *buf);
void cs_rlp_list_end(struct cs_buf *buf, size_t begin);

#endif
