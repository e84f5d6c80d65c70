#include "adapters/evm/transaction.h"

#include "core/rlp.h"
#include "host/alloc.h"

#include <stdlib.h>

/* A type, a list's header, the id of a chain and two zeros. */
#define FRAME_SIZE_MAX 32u

struct reading {
	struct cs_rlp list;
	const uint8_t *first; /* of what is signed */
	uint8_t type;         /* 0: without a prefix */
	struct adapter_transaction out;
	struct cs_ecdsa signature;
};

static enum cs_err read_call(struct reading *reading)
{
	struct cs_rlp *list = &reading->list;
	struct adapter_transaction *out = &reading->out;
	struct cs_u256 value;
	CS_TRY(cs_rlp_u64(list, &out->gas_limit));
	CS_TRY(cs_rlp_address(list, &out->to));
	CS_TRY(cs_rlp_u256(list, &value));
	out->value = cs_u256_word(&value);
	return cs_rlp_bytes(list, &out->data);
}

static enum cs_err read_signature(struct reading *reading)
{
	struct cs_u256 r;
	struct cs_u256 s;
	CS_TRY(cs_rlp_u256(&reading->list, &r));
	CS_TRY(cs_rlp_u256(&reading->list, &s));
	reading->signature.r = cs_u256_word(&r);
	reading->signature.s = cs_u256_word(&s);
	return cs_rlp_end(&reading->list);
}

/* What was signed: the items so far, and for EIP-155 the chain's id and two zeros. */
static enum cs_err digest_of(struct reading *reading, const uint8_t *end, uint64_t chain_id,
			     struct cs_hash *digest)
{
	struct cs_bytes items = cs_bytes(reading->first, (size_t)(end - reading->first));
	size_t size = items.n + FRAME_SIZE_MAX;
	uint8_t *memory = host_alloc(size);
	struct cs_buf buf;
	cs_buf_init(&buf, memory, size);
	if (reading->type != 0)
		cs_put_u8(&buf, reading->type);
	size_t list = cs_rlp_list_begin(&buf);
	cs_put(&buf, items);
	if (reading->type == 0) {
		cs_rlp_put_u64(&buf, chain_id);
		cs_rlp_put_u64(&buf, 0);
		cs_rlp_put_u64(&buf, 0);
	}
	cs_rlp_list_end(&buf, list);
	enum cs_err err = cs_buf_end(&buf);
	if (err == CS_OK)
		*digest = cs_keccak256(cs_buf_view(&buf));
	free(memory);
	return err;
}

/* nonce, gasPrice, the call, v, r, s */
static enum cs_err read_legacy(struct reading *reading, uint64_t chain_id, struct cs_hash *digest,
			       struct cs_why *why)
{
	uint64_t v = 0;
	CS_TRY(cs_rlp_u64(&reading->list, &reading->out.nonce));
	CS_TRY(cs_rlp_u256(&reading->list, &reading->out.price));
	CS_TRY(read_call(reading));
	const uint8_t *end = reading->list.rest.p;
	CS_TRY(cs_rlp_u64(&reading->list, &v));
	if (v == 27 || v == 28)
		return cs_fail(why, CS_ERR_INVALID, "it is of every chain (EIP-155)");
	if (v < 35 || (v - 35) / 2 != chain_id)
		return cs_fail(why, CS_ERR_INVALID, "it is of another chain");
	reading->signature.parity = (uint8_t)((v - 35) % 2);
	CS_TRY(read_signature(reading));
	return digest_of(reading, end, chain_id, digest);
}

/* [[address, [slot, …]], …] */
static enum cs_err check_access(struct cs_rlp list)
{
	while (cs_rlp_more(&list)) {
		struct cs_rlp item;
		struct cs_rlp slots;
		struct cs_address address;
		struct cs_hash slot;
		CS_TRY(cs_rlp_list(&list, &item));
		CS_TRY(cs_rlp_address(&item, &address));
		CS_TRY(cs_rlp_list(&item, &slots));
		CS_TRY(cs_rlp_end(&item));
		while (cs_rlp_more(&slots))
			CS_TRY(cs_rlp_hash(&slots, &slot));
	}
	return CS_OK;
}

/* chainId, nonce, one price or two, the call, accessList, yParity, r, s */
static enum cs_err read_typed(struct reading *reading, uint64_t chain_id, struct cs_hash *digest,
			      struct cs_why *why)
{
	struct cs_rlp access;
	uint64_t named = 0;
	uint64_t parity = 0;
	CS_TRY(cs_rlp_u64(&reading->list, &named));
	if (named != chain_id)
		return cs_fail(why, CS_ERR_INVALID, "it is of another chain");
	CS_TRY(cs_rlp_u64(&reading->list, &reading->out.nonce));
	for (unsigned i = 0; i < reading->type; i++) /* the one that bounds it is the last */
		CS_TRY(cs_rlp_u256(&reading->list, &reading->out.price));
	CS_TRY(read_call(reading));
	CS_TRY(cs_rlp_list(&reading->list, &access));
	CS_TRY(check_access(access));
	const uint8_t *end = reading->list.rest.p;
	CS_TRY(cs_rlp_u64(&reading->list, &parity));
	if (parity > 1)
		return CS_ERR_MALFORMED;
	reading->signature.parity = (uint8_t)parity;
	CS_TRY(read_signature(reading));
	return digest_of(reading, end, chain_id, digest);
}

enum cs_err adapter_evm_transaction_read(struct adapter_transaction *out, const struct cs_sig *sig,
					 uint64_t chain_id, struct cs_bytes raw, struct cs_why *why)
{
	struct reading reading = {.out = {.hash = cs_keccak256(raw)}};
	struct cs_hash digest;
	struct cs_bytes item = raw;
	if (raw.n == 0)
		return CS_ERR_TRUNCATED;
	if (raw.p[0] < 0x80) { /* EIP-2718 */
		reading.type = raw.p[0];
		item = cs_bytes(raw.p + 1, raw.n - 1);
		if (reading.type != 1 && reading.type != 2)
			return cs_fail(
				why, CS_ERR_UNSUPPORTED,
				"it begins with %u: neither with the list of type 0 nor with the "
				"number of type 1 or 2 (EIP-2718)",
				reading.type);
	}
	CS_TRY(cs_rlp_check(item));
	CS_TRY(cs_rlp_open(&reading.list, item));
	reading.first = reading.list.rest.p;
	CS_TRY(reading.type == 0 ? read_legacy(&reading, chain_id, &digest, why)
				 : read_typed(&reading, chain_id, &digest, why));
	if (!cs_ecdsa_is_low(&reading.signature))
		return cs_fail(why, CS_ERR_INVALID, "the s of its signature is high (EIP-2)");
	CS_TRY(cs_ecdsa_recover(sig, &reading.out.from, &reading.signature, &digest));
	*out = reading.out;
	return CS_OK;
}
