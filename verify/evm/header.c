#include "verify/evm/header.h"

#include "core/hash.h"
#include "core/limits.h"

#include <string.h>

#define BLOOM_SIZE 256u
#define NONCE_SIZE 8u
/* The longest header of an RLP string or list whose length fits 64 bits. */
#define RLP_HEAD_SIZE_MAX 9u

static enum cs_err read_roots(struct cs_rlp *list, struct verify_evm_header *h)
{
	struct cs_bytes bloom;
	CS_TRY(cs_rlp_hash(list, &h->parent));
	CS_TRY(cs_rlp_hash(list, &h->uncles));
	CS_TRY(cs_rlp_address(list, &h->coinbase));
	CS_TRY(cs_rlp_hash(list, &h->state_root));
	CS_TRY(cs_rlp_hash(list, &h->transactions_root));
	CS_TRY(cs_rlp_hash(list, &h->receipts_root));
	CS_TRY(cs_rlp_bytes(list, &bloom));
	return bloom.n == BLOOM_SIZE ? CS_OK : CS_ERR_MALFORMED;
}

static enum cs_err read_numbers(struct cs_rlp *list, struct verify_evm_header *h)
{
	CS_TRY(cs_rlp_u256(list, &h->difficulty));
	CS_TRY(cs_rlp_u64(list, &h->number));
	CS_TRY(cs_rlp_u64(list, &h->gas_limit));
	CS_TRY(cs_rlp_u64(list, &h->gas_used));
	return cs_rlp_u64(list, &h->time_s);
}

static enum cs_err read_extra(struct cs_rlp *list, struct verify_evm_header *h)
{
	struct cs_rlp_item item;
	uint8_t nonce[NONCE_SIZE];
	const uint8_t *fields = list->rest.p;
	CS_TRY(cs_rlp_skip(list, 12));
	h->before_extra = cs_bytes(fields, (size_t)(list->rest.p - fields));
	CS_TRY(cs_rlp_next(list, &item));
	if (item.is_list)
		return CS_ERR_MALFORMED;
	h->extra = item.payload;
	h->after_extra = list->rest;
	CS_TRY(cs_rlp_hash(list, &h->mix_hash));
	CS_TRY(cs_rlp_fixed(list, nonce, sizeof nonce));
	h->nonce = cs_be64(nonce);
	while (cs_rlp_more(list)) {
		CS_TRY(cs_rlp_next(list, &item));
		CS_TRY(cs_rlp_check(item.whole));
	}
	return CS_OK;
}

enum cs_err verify_evm_header_read(struct verify_evm_header *header, struct cs_bytes raw)
{
	struct verify_evm_header h = {.raw = raw};
	struct cs_rlp list, again;
	if (raw.n > CS_HEADER_SIZE_MAX)
		return CS_ERR_TOO_LARGE;
	CS_TRY(cs_rlp_open(&list, raw));
	again = list;
	CS_TRY(cs_rlp_count(&list, VERIFY_EVM_FIELDS_MAX, &h.field_count));
	if (h.field_count < VERIFY_EVM_FIELDS_MIN)
		return CS_ERR_MISSING_FIELD;
	CS_TRY(read_roots(&list, &h));
	CS_TRY(read_numbers(&list, &h));
	CS_TRY(read_extra(&again, &h));
	*header = h;
	return CS_OK;
}

struct cs_hash verify_evm_header_hash(const struct verify_evm_header *header)
{
	return cs_keccak256(header->raw);
}

/* The header of a string (0x80) or list (0xc0) of n bytes; strings of one byte do not come here. */
static size_t put_head(uint8_t out[RLP_HEAD_SIZE_MAX], uint8_t base, size_t n)
{
	uint8_t size[8];
	size_t skip = 0;
	if (n < 56) {
		out[0] = (uint8_t)(base + n);
		return 1;
	}
	cs_put_be64(size, n);
	while (size[skip] == 0)
		skip++;
	out[0] = (uint8_t)(base + 55 + (8 - skip));
	memcpy(out + 1, size + skip, 8 - skip);
	return 1 + 8 - skip;
}

/* keccak256 of the header with another extraData, which is given in parts and has at least two
 * bytes. */
static struct cs_hash hash_with_extra(const struct verify_evm_header *header,
				      const struct cs_bytes *parts, size_t part_count)
{
	uint8_t list_head[RLP_HEAD_SIZE_MAX], extra_head[RLP_HEAD_SIZE_MAX];
	struct cs_keccak keccak;
	size_t extra_size = 0, list_n, extra_n;
	for (size_t i = 0; i < part_count; i++)
		extra_size += parts[i].n;
	cs_assert(extra_size > 1);
	extra_n = put_head(extra_head, 0x80, extra_size);
	list_n = put_head(list_head, 0xc0,
			  header->before_extra.n + extra_n + extra_size + header->after_extra.n);
	cs_keccak_init(&keccak);
	cs_keccak_add(&keccak, cs_bytes(list_head, list_n));
	cs_keccak_add(&keccak, header->before_extra);
	cs_keccak_add(&keccak, cs_bytes(extra_head, extra_n));
	for (size_t i = 0; i < part_count; i++)
		cs_keccak_add(&keccak, parts[i]);
	cs_keccak_add(&keccak, header->after_extra);
	return cs_keccak_end(&keccak);
}

enum cs_err verify_clique_seal_hash(struct cs_hash *hash, const struct verify_evm_header *header)
{
	struct cs_bytes extra = header->extra;
	if (extra.n < VERIFY_EVM_VANITY_SIZE + VERIFY_EVM_SEAL_SIZE)
		return CS_ERR_TRUNCATED;
	extra.n -= VERIFY_EVM_SEAL_SIZE;
	*hash = hash_with_extra(header, &extra, 1);
	return CS_OK;
}

static enum cs_err read_validators(struct cs_rlp *list, struct verify_qbft_extra *x)
{
	struct cs_rlp inner;
	CS_TRY(cs_rlp_list(list, &inner));
	while (cs_rlp_more(&inner)) {
		struct cs_address *next = &x->validators[x->validator_count];
		if (x->validator_count == VERIFY_EVM_SIGNERS_MAX)
			return CS_ERR_TOO_LARGE;
		CS_TRY(cs_rlp_address(&inner, next));
		for (size_t i = 0; i < x->validator_count; i++)
			if (cs_address_eq(&x->validators[i], next))
				return CS_ERR_DUPLICATE;
		x->validator_count++;
	}
	return CS_OK;
}

static enum cs_err read_vote(struct cs_rlp *list, struct verify_qbft_extra *x)
{
	struct cs_bytes kind;
	struct cs_rlp inner;
	CS_TRY(cs_rlp_list(list, &inner));
	x->has_vote = cs_rlp_more(&inner);
	if (!x->has_vote)
		return CS_OK;
	CS_TRY(cs_rlp_address(&inner, &x->vote_address));
	CS_TRY(cs_rlp_bytes(&inner, &kind));
	x->vote_adds = kind.n == 1 && kind.p[0] == 0xff;
	/* Besu writes a removal as the byte 0, GoQuorum as the number 0. */
	if (!x->vote_adds && !(kind.n == 0 || (kind.n == 1 && kind.p[0] == 0)))
		return CS_ERR_MALFORMED;
	return cs_rlp_end(&inner);
}

static enum cs_err read_seals(struct cs_rlp *list, struct verify_qbft_extra *x)
{
	struct cs_rlp inner;
	CS_TRY(cs_rlp_list(list, &inner));
	while (cs_rlp_more(&inner)) {
		if (x->seal_count == VERIFY_EVM_SIGNERS_MAX)
			return CS_ERR_TOO_LARGE;
		CS_TRY(cs_rlp_bytes(&inner, &x->seals[x->seal_count]));
		if (x->seals[x->seal_count++].n != VERIFY_EVM_SEAL_SIZE)
			return CS_ERR_MALFORMED;
	}
	return CS_OK;
}

enum cs_err verify_qbft_extra_read(struct verify_qbft_extra *extra,
				   const struct verify_evm_header *header)
{
	struct verify_qbft_extra x = {0};
	struct cs_bytes vanity;
	struct cs_rlp list;
	const uint8_t *start;
	uint64_t round;
	CS_TRY(cs_rlp_open(&list, header->extra));
	start = list.rest.p;
	CS_TRY(cs_rlp_bytes(&list, &vanity));
	if (vanity.n != VERIFY_EVM_VANITY_SIZE)
		return CS_ERR_MALFORMED;
	CS_TRY(read_validators(&list, &x));
	CS_TRY(read_vote(&list, &x));
	x.head = cs_bytes(start, (size_t)(list.rest.p - start));
	CS_TRY(cs_rlp_u64(&list, &round));
	if (round > UINT32_MAX)
		return CS_ERR_OVERFLOW;
	x.round = (uint32_t)round;
	CS_TRY(read_seals(&list, &x));
	CS_TRY(cs_rlp_end(&list));
	*extra = x;
	return CS_OK;
}

static struct cs_hash qbft_hash(const struct verify_evm_header *header,
				const struct verify_qbft_extra *extra, uint32_t round)
{
	uint8_t list_head[RLP_HEAD_SIZE_MAX], tail_bytes[8];
	struct cs_bytes parts[3];
	struct cs_buf tail;
	cs_buf_init(&tail, tail_bytes, sizeof tail_bytes);
	cs_rlp_put_u64(&tail, round);
	cs_rlp_put_list(&tail, 0);
	cs_assert(!tail.failed);
	parts[0] = cs_bytes(list_head, put_head(list_head, 0xc0, extra->head.n + tail.n));
	parts[1] = extra->head;
	parts[2] = cs_buf_view(&tail);
	return hash_with_extra(header, parts, CS_LEN(parts));
}

struct cs_hash verify_qbft_block_hash(const struct verify_evm_header *header,
				      const struct verify_qbft_extra *extra)
{
	return qbft_hash(header, extra, 0);
}

struct cs_hash verify_qbft_commit_digest(const struct verify_evm_header *header,
					 const struct verify_qbft_extra *extra)
{
	return qbft_hash(header, extra, extra->round);
}
