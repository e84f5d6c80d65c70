/* How far key servers of key clusters are (docs/protocol/cluster.md). Their keys are Ed25519 and in no register: a
 * key speaks for itself alone, and whoever starts from a sealed state asks for its own. So anybody may anchor
 * anything under a key that he made, and nobody reads it. */
#include "core/buf.h"
#include "relay_state/ledger/records_parts.h"
#include "verify/anchor_answers.h"

#include <string.h>

struct place {
	struct verify_anchor_owner owner;
	struct ledger_key key; /* without the contract's number, which the machine puts before it */
};

static enum cs_err get_place(struct cs_abi_reader *in, struct place *place)
{
	struct cs_hash key;
	uint8_t bytes[VERIFY_ANCHOR_KEY_SIZE];
	CS_TRY(cs_abi_get_word(in, &place->owner.lineage));
	CS_TRY(cs_abi_get_word(in, &key));
	memcpy(place->owner.key.b, key.b, sizeof place->owner.key.b);
	verify_anchor_key(bytes, &place->owner);
	cs_assert(bytes[0] == LEDGER_RECORDS_NUMBER);
	place->key = ledger_key_of((char)bytes[1], cs_bytes(bytes + 2, sizeof bytes - 2));
	return CS_OK;
}

/* Zeros where there is none. */
static enum cs_err get_known(struct ledger_call *call, const struct place *place,
			     struct verify_anchor *known, uint64_t *time_s)
{
	uint8_t value[VERIFY_ANCHOR_VALUE_SIZE];
	CS_TRY(ledger_get_fixed(call, value, sizeof value, &place->key));
	*time_s = cs_be64(value + sizeof value - 8);
	return verify_anchor_read(known, CS_BYTES_OF(value));
}

static enum cs_err put(struct ledger_call *call, const struct place *place,
		       const struct verify_anchor *anchor)
{
	uint8_t value[VERIFY_ANCHOR_VALUE_SIZE];
	struct cs_buf buf;
	struct cs_hash key;
	cs_buf_init(&buf, value, sizeof value);
	cs_put_u64(&buf, anchor->manifest_number);
	cs_put_u64(&buf, anchor->epoch);
	cs_put_word(&buf, &anchor->authority);
	cs_put_word(&buf, &anchor->start);
	cs_put_u64(&buf, call->block->time_s);
	CS_TRY(cs_buf_end(&buf));
	CS_TRY(ledger_put_fixed(call, &place->key, value, sizeof value));
	memcpy(key.b, place->owner.key.b, sizeof key.b);
	return ledger_emit_words(call, "ClusterAnchored(bytes32,bytes32,uint64,uint64,bytes32)",
				 (const struct cs_hash[]){place->owner.lineage, key}, 2,
				 LEDGER_WORDS(ledger_word_u64(anchor->manifest_number),
					      ledger_word_u64(anchor->epoch), anchor->authority));
}

static enum cs_err check_signature(struct ledger_call *call, const struct place *place,
				   const struct verify_anchor *anchor,
				   const struct cs_hash halves[2])
{
	uint8_t signature[CS_ED25519_SIGNATURE_SIZE];
	memcpy(signature, halves[0].b, 32);
	memcpy(signature + 32, halves[1].b, 32);
	CS_TRY(ledger_use_gas(call, LEDGER_GAS_ED25519 + LEDGER_GAS_HASH));
	const struct cs_hash digest = verify_anchor_digest(&place->owner, anchor);
	const enum cs_err err =
		cs_ed25519_verify(&place->owner.key, CS_BYTES_OF(digest.b), CS_BYTES_OF(signature));
	return err == CS_ERR_BAD_SIGNATURE ? ledger_revert_plain(call, "SignatureInvalid()") : err;
}

/* A key server's signed word; anybody may bring it. It only rises: an epoch is one authority's for ever. */
enum cs_err records_anchor_cluster(struct ledger_call *call, struct cs_abi_reader *in,
				   struct cs_abi *out)
{
	struct place place;
	struct verify_anchor anchor, known;
	struct cs_hash signature[2];
	uint64_t time_s;
	(void)out;
	CS_TRY(get_place(in, &place));
	CS_TRY(cs_abi_get_u64(in, &anchor.manifest_number));
	CS_TRY(cs_abi_get_u64(in, &anchor.epoch));
	CS_TRY(cs_abi_get_word(in, &anchor.authority));
	CS_TRY(cs_abi_get_word(in, &anchor.start));
	CS_TRY(cs_abi_get_word(in, &signature[0]));
	CS_TRY(cs_abi_get_word(in, &signature[1]));
	if (anchor.epoch == 0)
		return ledger_revert_plain(call, "EpochInvalid()");
	CS_TRY(check_signature(call, &place, &anchor, signature));
	CS_TRY(get_known(call, &place, &known, &time_s));
	if (!verify_anchor_follows(&anchor, &known))
		return ledger_revert(call, "AnchorNotHigher(uint64,uint64)",
				     LEDGER_WORDS(ledger_word_u64(known.manifest_number),
						  ledger_word_u64(known.epoch)));
	if (anchor.epoch == known.epoch && cs_hash_eq(&anchor.start, &known.start))
		return CS_OK;
	return put(call, &place, &anchor);
}

enum cs_err records_cluster_anchor_of(struct ledger_call *call, struct cs_abi_reader *in,
				      struct cs_abi *out)
{
	struct place place;
	struct verify_anchor anchor;
	uint64_t time_s;
	CS_TRY(get_place(in, &place));
	CS_TRY(get_known(call, &place, &anchor, &time_s));
	cs_abi_put_u64(out, anchor.manifest_number);
	cs_abi_put_u64(out, anchor.epoch);
	cs_abi_put_word(out, &anchor.authority);
	cs_abi_put_word(out, &anchor.start);
	cs_abi_put_u64(out, time_s);
	return CS_OK;
}
