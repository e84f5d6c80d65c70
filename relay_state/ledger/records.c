#include "core/reader.h"
#include "relay_state/ledger/records_parts.h"
#include "verify/cometbft/anchor.h"

#include <string.h>

#define KIND_GATEWAY 'g'
#define KIND_ANCHOR 'a'
#define KIND_ANCHOR_CONFLICT 'd'

#define ANCHOR_SIZE (8u + 8u + 32u + 8u)
#define ANCHOR_CONFLICT_SIZE (8u + 8u + 32u + 32u + 8u)

enum cs_err ledger_records_construct(struct ledger_call *call, const struct cs_address *owner,
				     const struct cs_address *guardian, uint64_t delay_s)
{
	return ledger_timelock_construct(call, owner, guardian, delay_s);
}

/* ---- who reports ---- */

enum cs_err records_check_side(struct ledger_call *call, uint8_t side)
{
	return side == RELAY_SOURCE || side == RELAY_DESTINATION
		       ? CS_OK
		       : ledger_revert_plain(call, "SideInvalid()");
}

static struct ledger_key gateway_key(const struct cs_address *account,
				     const struct cs_hash *identity)
{
	struct ledger_key key = ledger_key_of(KIND_GATEWAY, CS_BYTES_OF(account->b));
	ledger_key_add(&key, CS_BYTES_OF(identity->b));
	return key;
}

enum cs_err records_is_gateway(struct ledger_call *call, bool *is, const struct cs_address *account,
			       const struct cs_hash *identity)
{
	uint8_t allowed;
	const struct ledger_key key = gateway_key(account, identity);
	CS_TRY(ledger_get_fixed(call, &allowed, sizeof allowed, &key));
	*is = allowed != 0;
	return CS_OK;
}

/* Names a gateway's account for a chain's side, or takes it back, which the guardian may too. */
static enum cs_err set_gateway(struct ledger_call *call, struct cs_abi_reader *in,
			       struct cs_abi *out)
{
	struct cs_address account;
	struct cs_hash identity;
	bool allowed;
	(void)out;
	CS_TRY(cs_abi_get_address(in, &account));
	CS_TRY(cs_abi_get_word(in, &identity));
	CS_TRY(cs_abi_get_bool(in, &allowed));
	const struct ledger_key key = gateway_key(&account, &identity);
	const uint8_t one = 1;
	if (allowed) {
		CS_TRY(ledger_only_owner(call));
		CS_TRY(ledger_put_fixed(call, &key, &one, sizeof one));
	} else {
		CS_TRY(ledger_only_owner_or_guardian(call));
		CS_TRY(ledger_remove(call, cs_bytes(key.b, key.n)));
	}
	return ledger_emit_words(call, "GatewaySet(address,bytes32,bool)",
				 (const struct cs_hash[]){ledger_word_address(&account), identity},
				 2, LEDGER_WORDS(ledger_word_u64(allowed)));
}

static enum cs_err is_gateway(struct ledger_call *call, struct cs_abi_reader *in,
			      struct cs_abi *out)
{
	struct cs_address account;
	struct cs_hash identity;
	bool is;
	CS_TRY(cs_abi_get_address(in, &account));
	CS_TRY(cs_abi_get_word(in, &identity));
	CS_TRY(records_is_gateway(call, &is, &account, &identity));
	cs_abi_put_u64(out, is);
	return CS_OK;
}

enum cs_err records_check_signature(struct ledger_call *call, struct ledger_key_holder *holder,
				    const struct cs_hash *x)
{
	CS_TRY(ledger_enclaves_find(call, holder, x));
	return holder->active ? CS_OK : ledger_revert_plain(call, "KeyNotActive()");
}

enum cs_err records_verify(struct ledger_call *call, const struct cs_hash *x,
			   const struct cs_hash *rx, const struct cs_hash *s,
			   const struct cs_hash *digest)
{
	uint8_t signature[64];
	memcpy(signature, rx->b, sizeof rx->b);
	memcpy(signature + sizeof rx->b, s->b, sizeof s->b);
	CS_TRY(ledger_use_gas(call, LEDGER_GAS_SCHNORR));
	const enum cs_err err =
		cs_schnorr_verify64(call->sig, signature, x, CS_BYTES_OF(digest->b));
	return err == CS_ERR_BAD_SIGNATURE ? ledger_revert_plain(call, "SignatureInvalid()") : err;
}

/* ---- anchors ---- */

static struct ledger_key anchor_key(char kind, const struct cs_hash *lineage,
				    const struct cs_hash *identity)
{
	struct ledger_key key = ledger_key_of(kind, CS_BYTES_OF(lineage->b));
	ledger_key_add(&key, CS_BYTES_OF(identity->b));
	return key;
}

/* Its time is 0 where there is none. */
static enum cs_err get_anchor(struct ledger_call *call, struct cmt_anchor *anchor, uint64_t *time_s)
{
	uint8_t value[ANCHOR_SIZE];
	struct cs_reader in;
	const struct ledger_key key = anchor_key(KIND_ANCHOR, &anchor->lineage, &anchor->identity);
	CS_TRY(ledger_get_fixed(call, value, sizeof value, &key));
	cs_reader_init(&in, CS_BYTES_OF(value));
	anchor->epoch = cs_get_u64(&in);
	anchor->counter = cs_get_u64(&in);
	cs_get_copy(&in, anchor->digest.b, sizeof anchor->digest.b);
	*time_s = cs_get_u64(&in);
	return cs_reader_end(&in);
}

static enum cs_err put_anchor(struct ledger_call *call, const struct cmt_anchor *anchor)
{
	uint8_t value[ANCHOR_SIZE];
	struct cs_buf buf;
	const struct ledger_key key = anchor_key(KIND_ANCHOR, &anchor->lineage, &anchor->identity);
	cs_buf_init(&buf, value, sizeof value);
	cs_put_u64(&buf, anchor->epoch);
	cs_put_u64(&buf, anchor->counter);
	cs_put_word(&buf, &anchor->digest);
	cs_put_u64(&buf, call->block->time_s);
	CS_TRY(cs_buf_end(&buf));
	CS_TRY(ledger_put_fixed(call, &key, value, sizeof value));
	return ledger_emit_words(call, "Anchored(bytes32,bytes32,uint64,uint64,bytes32)",
				 (const struct cs_hash[]){anchor->lineage, anchor->identity}, 2,
				 LEDGER_WORDS(ledger_word_u64(anchor->epoch),
					      ledger_word_u64(anchor->counter), anchor->digest));
}

/* Two digests that one key signed for one place: sealed state runs twice. The first such pair stays
 * visible; the anchor stays what it was. */
static enum cs_err keep_anchor_conflict(struct ledger_call *call, const struct cmt_anchor *known,
					const struct cmt_anchor *other)
{
	uint8_t value[ANCHOR_CONFLICT_SIZE];
	struct cs_buf buf;
	const struct ledger_key key =
		anchor_key(KIND_ANCHOR_CONFLICT, &known->lineage, &known->identity);
	CS_TRY(ledger_get_fixed(call, value, sizeof value, &key));
	if (cs_be64(value + sizeof value - 8) != 0)
		return CS_OK;
	cs_buf_init(&buf, value, sizeof value);
	cs_put_u64(&buf, known->epoch);
	cs_put_u64(&buf, known->counter);
	cs_put_word(&buf, &known->digest);
	cs_put_word(&buf, &other->digest);
	cs_put_u64(&buf, call->block->time_s);
	CS_TRY(cs_buf_end(&buf));
	CS_TRY(ledger_put_fixed(call, &key, value, sizeof value));
	return ledger_emit_words(
		call, "AnchorConflict(bytes32,bytes32,uint64,uint64,bytes32,bytes32)",
		(const struct cs_hash[]){known->lineage, known->identity}, 2,
		LEDGER_WORDS(ledger_word_u64(known->epoch), ledger_word_u64(known->counter),
			     known->digest, other->digest));
}

/* Below, at, above the anchor that there is: -1, 0, 1. */
static int compare(const struct cmt_anchor *a, const struct cmt_anchor *b)
{
	if (a->epoch != b->epoch)
		return a->epoch < b->epoch ? -1 : 1;
	return a->counter == b->counter ? 0 : a->counter < b->counter ? -1 : 1;
}

/* An enclave's word of how far its sealed state is; anybody may bring it. */
enum cs_err records_anchor(struct ledger_call *call, struct cs_abi_reader *in, struct cs_abi *out)
{
	struct cmt_anchor anchor, known;
	struct ledger_key_holder holder;
	struct cs_hash x, rx, s, own;
	uint64_t since_s;
	(void)out;
	CS_TRY(cs_abi_get_word(in, &x));
	CS_TRY(cs_abi_get_u64(in, &anchor.epoch));
	CS_TRY(cs_abi_get_u64(in, &anchor.counter));
	CS_TRY(cs_abi_get_word(in, &anchor.digest));
	CS_TRY(cs_abi_get_word(in, &rx));
	CS_TRY(cs_abi_get_word(in, &s));
	CS_TRY(records_check_signature(call, &holder, &x));
	anchor.lineage = known.lineage = holder.lineage;
	anchor.identity = known.identity = holder.identity;
	CS_TRY(ledger_enclaves_identity(call, &own));
	CS_TRY(ledger_use_gas(call, LEDGER_GAS_HASH));
	const struct cs_hash digest = cmt_anchor_digest(&own, &anchor);
	CS_TRY(records_verify(call, &x, &rx, &s, &digest));
	CS_TRY(get_anchor(call, &known, &since_s));
	const int order = since_s == 0 ? 1 : compare(&anchor, &known);
	if (order < 0)
		return ledger_revert(
			call, "AnchorNotHigher(uint64,uint64)",
			LEDGER_WORDS(ledger_word_u64(known.epoch), ledger_word_u64(known.counter)));
	if (order > 0)
		return put_anchor(call, &anchor);
	return cs_hash_eq(&anchor.digest, &known.digest)
		       ? CS_OK
		       : keep_anchor_conflict(call, &known, &anchor);
}

enum cs_err records_anchor_of(struct ledger_call *call, struct cs_abi_reader *in,
			      struct cs_abi *out)
{
	struct cmt_anchor anchor;
	uint64_t time_s;
	CS_TRY(cs_abi_get_word(in, &anchor.lineage));
	CS_TRY(cs_abi_get_word(in, &anchor.identity));
	CS_TRY(get_anchor(call, &anchor, &time_s));
	cs_abi_put_u64(out, anchor.epoch);
	cs_abi_put_u64(out, anchor.counter);
	cs_abi_put_word(out, &anchor.digest);
	cs_abi_put_u64(out, time_s);
	return CS_OK;
}

enum cs_err records_anchor_conflict_of(struct ledger_call *call, struct cs_abi_reader *in,
				       struct cs_abi *out)
{
	uint8_t value[ANCHOR_CONFLICT_SIZE];
	struct cs_reader reader;
	struct cs_hash lineage, identity, known, other;
	CS_TRY(cs_abi_get_word(in, &lineage));
	CS_TRY(cs_abi_get_word(in, &identity));
	const struct ledger_key key = anchor_key(KIND_ANCHOR_CONFLICT, &lineage, &identity);
	CS_TRY(ledger_get_fixed(call, value, sizeof value, &key));
	cs_reader_init(&reader, CS_BYTES_OF(value));
	cs_abi_put_u64(out, cs_get_u64(&reader));
	cs_abi_put_u64(out, cs_get_u64(&reader));
	cs_get_copy(&reader, known.b, sizeof known.b);
	cs_get_copy(&reader, other.b, sizeof other.b);
	cs_abi_put_word(out, &known);
	cs_abi_put_word(out, &other);
	cs_abi_put_u64(out, cs_get_u64(&reader));
	return cs_reader_end(&reader);
}

/* ---- the table ---- */

#define RECORD "(bytes32,bytes32,bytes32,uint8,uint8,uint8,uint8,uint64,bytes32,bytes32,bytes32)"

static const struct ledger_function functions[] = {
	LEDGER_OWNER_FUNCTIONS,
	{"setGateway(address,bytes32,bool)", 0x71062b77, 3, false, 0, set_gateway},
	{"isGateway(address,bytes32)", 0x04663ed7, 2, false, 0, is_gateway},
	{"record(" RECORD "[])", 0x272dda19, 1, false, 0, records_record},
	{"recordSigned(bytes32,bytes32,bytes32," RECORD "[])", 0x4aa1d56e, 4, false, 0,
	 records_record_signed},
	{"messageOf(bytes32,uint8)", 0xee46cde5, 2, false, 0, records_message_of},
	{"recordOf(bytes32,uint8,uint8)", 0xc2be26a1, 3, false, 0, records_record_of},
	{"conflictOf(bytes32,uint8,uint8)", 0xc840a25a, 3, false, 0, records_conflict_of},
	{"backlog(bytes32,bytes32,uint8)", 0x6be6ee56, 3, false, 0, records_backlog},
	{"takeLease(bytes32,bytes32,uint8,uint64)", 0x6359ba24, 4, false, 0, records_take_lease},
	{"renewLease(bytes32,bytes32,uint8,uint64,uint64)", 0x96fc71fb, 5, false, 0,
	 records_renew_lease},
	{"releaseLease(bytes32,bytes32,uint8,uint64)", 0x3910e1b8, 4, false, 0,
	 records_release_lease},
	{"leaseOf(bytes32,bytes32,uint8)", 0xc11c328c, 3, false, 0, records_lease_of},
	{"anchor(bytes32,uint64,uint64,bytes32,bytes32,bytes32)", 0x21deb524, 6, false, 0,
	 records_anchor},
	{"anchorOf(bytes32,bytes32)", 0x2f71a556, 2, false, 0, records_anchor_of},
	{"anchorConflictOf(bytes32,bytes32)", 0xf94aa181, 2, false, 0, records_anchor_conflict_of},
	{"anchorCluster(bytes32,bytes32,uint64,uint64,bytes32,bytes32,bytes32,bytes32)", 0x93054618,
	 8, false, 0, records_anchor_cluster},
	{"clusterAnchorOf(bytes32,bytes32)", 0x381094de, 2, false, 0, records_cluster_anchor_of},
};

const struct ledger_contract ledger_records = {
	.name = "records",
	.number = LEDGER_RECORDS_NUMBER,
	.functions = functions,
	.function_count = CS_LEN(functions),
};
