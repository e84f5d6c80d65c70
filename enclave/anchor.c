/* Whether the state that the host gave back is the newest one. The ledger keeps, for each enclave, how
 * far its sealed state was when it was last anchored (docs/protocol/time.md): before anything is
 * signed or sealed a proof under a recent block of the ledger must say that it knows no newer state,
 * and that it knows the one that holds the keys. */
#include "verify/cometbft/anchor.h"

#include "enclave/state.h"

#include <string.h>

/* ---- what may be done ---- */

static enum cs_err refuse_rolled_back(struct enclave_call *call)
{
	const struct enclave_anchor *anchor = &call->e->anchor;
	return cs_fail(&call->why, CS_ERR_ROLLED_BACK,
		       "the ledger knows state %llu of epoch %llu, this is %llu of %llu or a copy",
		       (unsigned long long)anchor->proven_counter,
		       (unsigned long long)anchor->proven_epoch,
		       (unsigned long long)call->e->counter, (unsigned long long)anchor->epoch);
}

static enum cs_err check_known(struct enclave_call *call)
{
	if (call->e->anchor.rolled_back)
		return refuse_rolled_back(call);
	if (!call->e->anchor.checked)
		return cs_fail(&call->why, CS_ERR_NOT_ANCHORED,
			       "no proof yet that the ledger knows no newer state");
	return CS_OK;
}

/* Sealed states that the ledger knows of this epoch: those up to this counter. */
static uint64_t anchored(const struct enclave_anchor *anchor)
{
	return anchor->proven_epoch == anchor->epoch ? anchor->proven_counter : 0;
}

static bool keys_are_anchored(const struct enclave_anchor *anchor)
{
	return anchored(anchor) != 0 && anchored(anchor) >= anchor->keys_counter;
}

static enum cs_err check_proof(struct enclave_call *call)
{
	const struct enclave_anchor *anchor = &call->e->anchor;
	CS_TRY(check_known(call));
	if (verify_time_fresh(&call->now, anchor->proof_time_s,
			      call->e->manifest.ledger.proof_age_max_s) != CS_OK)
		return cs_fail(&call->why, CS_ERR_NOT_ANCHORED,
			       "the newest proof of the anchor is of %llu",
			       (unsigned long long)anchor->proof_time_s);
	return CS_OK;
}

enum cs_err enclave_may_sign(struct enclave_call *call)
{
	const struct enclave_anchor *anchor = &call->e->anchor;
	CS_TRY(enclave_time_check(call));
	if (call->e->ledger == NULL)
		return CS_OK;
	CS_TRY(check_proof(call));
	if (!keys_are_anchored(anchor))
		return cs_fail(&call->why, CS_ERR_NOT_ANCHORED,
			       "keys are in state %llu of epoch %llu, the ledger knows %llu",
			       (unsigned long long)anchor->keys_counter,
			       (unsigned long long)anchor->epoch,
			       (unsigned long long)anchored(anchor));
	return CS_OK;
}

/* Of what no proof has judged, no newer copy may come to be: it would outrun the anchor. */
enum cs_err enclave_may_seal(struct enclave_call *call)
{
	const struct enclave *e = call->e;
	if (e->ledger == NULL || !e->started)
		return CS_OK;
	CS_TRY(check_known(call));
	if (e->counter >= anchored(&e->anchor) + e->manifest.ledger.anchor_lag_max)
		return cs_fail(&call->why, CS_ERR_NOT_ANCHORED,
			       "state %llu is as far beyond the anchor as the manifest allows",
			       (unsigned long long)e->counter);
	return CS_OK;
}

/* ---- states that were given out ---- */

void enclave_anchor_keep(struct enclave *e, uint64_t counter, struct cs_bytes sealed)
{
	const size_t at = counter % CS_LEN(e->anchor.sealed);
	e->anchor.sealed[at].counter = counter;
	e->anchor.sealed[at].digest = cs_keccak256(sealed);
}

/* NULL: no digest of that counter is known. */
static const struct cs_hash *digest_of(const struct enclave_anchor *anchor, uint64_t counter)
{
	const size_t at = counter % CS_LEN(anchor->sealed);
	return counter != 0 && anchor->sealed[at].counter == counter ? &anchor->sealed[at].digest
								     : NULL;
}

/* ---- what the ledger says ---- */

/* Does the ledger know a state that comes after this one, or another of the same place? */
static bool is_newer(const struct enclave *e, const struct cmt_anchor *found)
{
	const struct enclave_anchor *own = &e->anchor;
	if (found->epoch != own->epoch)
		return found->epoch > own->epoch;
	const struct cs_hash *digest = digest_of(own, found->counter);
	return found->counter > e->counter ||
	       (digest != NULL && !cs_hash_eq(digest, &found->digest));
}

/* A state that this process made is nobody's copy: it begins the next epoch. */
static void begin_epoch(struct enclave *e, uint64_t epoch)
{
	e->anchor.epoch = epoch;
	memset(e->anchor.sealed, 0, sizeof e->anchor.sealed);
}

static enum cs_err take(struct enclave_call *call, bool is_there, const struct cmt_anchor *found,
			const struct verify_block *block)
{
	struct enclave *e = call->e;
	struct enclave_anchor *anchor = &e->anchor;
	anchor->proof_height = block->height;
	anchor->proof_time_s = block->time_s;
	anchor->proven_epoch = is_there ? found->epoch : 0;
	anchor->proven_counter = is_there ? found->counter : 0;
	if (is_there && anchor->fresh && !anchor->checked && found->epoch < UINT64_MAX)
		begin_epoch(e, found->epoch + 1);
	else if (is_there && is_newer(e, found))
		anchor->rolled_back = true;
	anchor->checked = true;
	return anchor->rolled_back ? refuse_rolled_back(call) : CS_OK;
}

static enum cs_err check_source(struct enclave_call *call)
{
	if (call->e->ledger == NULL)
		return cs_fail(&call->why, CS_ERR_UNSUPPORTED, "the manifest names no ledger");
	if (!call->e->started)
		return cs_fail(&call->why, CS_ERR_NO_KEY,
			       "there is no state yet: Import or Init first");
	return CS_OK;
}

/* In a block that is recent by the high end, and not below an earlier proof's. */
static enum cs_err find_block(struct enclave_call *call, struct verify_block *block,
			      uint64_t height)
{
	const struct enclave *e = call->e;
	CS_TRY(verify_client_block(&e->ledger->client, height, &call->now, block, &call->why));
	if (height < e->anchor.proof_height)
		return cs_fail(&call->why, CS_ERR_STALE_HEADER, "the anchor was proven at %llu",
			       (unsigned long long)e->anchor.proof_height);
	const enum cs_err err =
		verify_time_fresh(&call->now, block->time_s, e->manifest.ledger.proof_age_max_s);
	if (err != CS_OK)
		return cs_fail(&call->why, err, "block %llu is of %llu, and it is up to %llu",
			       (unsigned long long)height, (unsigned long long)block->time_s,
			       (unsigned long long)call->now.high_s);
	return CS_OK;
}

enum cs_err enclave_anchor_prove(struct enclave_call *call)
{
	const Caisson__Wire__AnchorProveRequest *in =
		(const Caisson__Wire__AnchorProveRequest *)call->request;
	struct enclave *e = call->e;
	Caisson__Wire__AnchorProveReply out = CAISSON__WIRE__ANCHOR_PROVE_REPLY__INIT;
	struct cmt_anchor found = {.lineage = e->manifest.lineage, .identity = e->anchor.identity};
	struct verify_block block;
	bool is_there;
	CS_TRY(check_source(call));
	if (e->anchor.rolled_back)
		return refuse_rolled_back(call);
	CS_TRY(find_block(call, &block, in->height));
	const enum cs_err err =
		cmt_anchor_lookup(&is_there, &found, &block.state_root, wire_pb_view(in->proof));
	if (err != CS_OK)
		return cs_fail(&call->why, err, "anchor at block %llu: %s",
			       (unsigned long long)in->height, cs_err_sentence(err));
	CS_TRY(take(call, is_there, &found, &block));
	CS_TRY(enclave_anchor_to_pb(call, &out.status));
	return enclave_reply(call, &out.base);
}

/* ---- what the ledger is told ---- */

static enum cs_err signer_of(struct enclave_call *call, const struct enclave_chain **chain,
			     const struct enclave_key **key, uint64_t epoch)
{
	const struct enclave *e = call->e;
	for (size_t i = 0; i < e->chain_count; i++)
		if (cs_hash_eq(&e->chains[i].manifest->identity, &e->anchor.identity))
			*chain = &e->chains[i];
	cs_assert(*chain != NULL);
	*key = enclave_key_of(*chain, epoch != 0 ? epoch : (*chain)->epoch_current);
	return *key != NULL ? CS_OK
			    : cs_fail(&call->why, CS_ERR_WRONG_EPOCH, "%s: no key of epoch %llu",
				      (*chain)->manifest->caip2, (unsigned long long)epoch);
}

static enum cs_err find_sealed(struct enclave_call *call, struct cmt_anchor *anchor)
{
	const struct enclave_anchor *own = &call->e->anchor;
	for (size_t i = 0; i < CS_LEN(own->sealed); i++) {
		if (own->sealed[i].counter == 0 ||
		    !cs_hash_eq(&own->sealed[i].digest, &anchor->digest))
			continue;
		anchor->counter = own->sealed[i].counter;
		return CS_OK;
	}
	return cs_fail(&call->why, CS_ERR_NOT_FOUND, "not the digest of a state of this process");
}

static enum cs_err reply_sign(struct enclave_call *call, const struct cmt_anchor *anchor,
			      const struct enclave_key *key, const struct cs_schnorr *signature)
{
	struct cs_arena *arena = &call->e->arena;
	const struct cs_hash *own = &call->e->ledger->manifest->identity;
	Caisson__Wire__AnchorSignReply out = CAISSON__WIRE__ANCHOR_SIGN_REPLY__INIT;
	out.register_identity = wire_pb_bytes(arena, CS_BYTES_OF(own->b));
	out.lineage = wire_pb_bytes(arena, CS_BYTES_OF(anchor->lineage.b));
	out.identity = wire_pb_bytes(arena, CS_BYTES_OF(anchor->identity.b));
	out.public_key = wire_pb_bytes(arena, CS_BYTES_OF(key->x.b));
	out.epoch = anchor->epoch;
	out.counter = anchor->counter;
	out.digest = wire_pb_bytes(arena, CS_BYTES_OF(anchor->digest.b));
	out.rx = wire_pb_bytes(arena, CS_BYTES_OF(signature->rx.b));
	out.s = wire_pb_bytes(arena, CS_BYTES_OF(signature->s.b));
	return enclave_reply(call, &out.base);
}

/* What the host says that it has stored: anchored before that, a state that is lost would be the end
 * of its keys. */
enum cs_err enclave_anchor_sign(struct enclave_call *call)
{
	const Caisson__Wire__AnchorSignRequest *in =
		(const Caisson__Wire__AnchorSignRequest *)call->request;
	struct enclave *e = call->e;
	const struct enclave_chain *chain = NULL;
	const struct enclave_key *key = NULL;
	struct cs_schnorr signature;
	struct cmt_anchor anchor = {.lineage = e->manifest.lineage,
				    .identity = e->anchor.identity,
				    .epoch = e->anchor.epoch,
				    .digest = wire_pb_hash(in->digest)};
	CS_TRY(check_source(call));
	CS_TRY(enclave_time_check(call));
	CS_TRY(check_proof(call));
	CS_TRY(find_sealed(call, &anchor));
	CS_TRY(signer_of(call, &chain, &key, in->key_epoch));
	const struct cs_hash digest = cmt_anchor_digest(&e->ledger->manifest->identity, &anchor);
	CS_TRY(enclave_sign_raw(call, &signature, chain, key, &digest));
	return reply_sign(call, &anchor, key, &signature);
}

/* ---- status ---- */

enum state {
	NOT_PROVEN = 0,
	PROVEN = 1,
	KEYS_NOT_ANCHORED = 2,
	ROLLED_BACK = 3,
};

static enum state state_of(const struct enclave_anchor *anchor)
{
	if (anchor->rolled_back)
		return ROLLED_BACK;
	if (!anchor->checked)
		return NOT_PROVEN;
	return keys_are_anchored(anchor) ? PROVEN : KEYS_NOT_ANCHORED;
}

enum cs_err enclave_anchor_to_pb(struct enclave_call *call, Caisson__Wire__AnchorStatus **pb)
{
	const struct enclave *e = call->e;
	*pb = NULL;
	if (e->ledger == NULL)
		return CS_OK;
	const struct cmt_anchor where = {.lineage = e->manifest.lineage,
					 .identity = e->anchor.identity};
	uint8_t key[CMT_ANCHOR_KEY_SIZE];
	Caisson__Wire__AnchorStatus *out = cs_arena_calloc(&call->e->arena, 1, sizeof *out);
	if (out == NULL)
		return CS_ERR_NO_MEMORY;
	caisson__wire__anchor_status__init(out);
	out->state = state_of(&e->anchor);
	out->epoch = e->anchor.epoch;
	out->counter = e->counter;
	out->proven_epoch = e->anchor.proven_epoch;
	out->proven_counter = e->anchor.proven_counter;
	out->proof_height = e->anchor.proof_height;
	out->proof_time_s = e->anchor.proof_time_s;
	out->lag_max = e->manifest.ledger.anchor_lag_max;
	out->proof_age_max_s = e->manifest.ledger.proof_age_max_s;
	out->register_identity =
		wire_pb_bytes(&call->e->arena, CS_BYTES_OF(e->ledger->manifest->identity.b));
	cmt_anchor_key(key, &where);
	out->key = wire_pb_bytes(&call->e->arena, CS_BYTES_OF(key));
	*pb = out;
	return CS_OK;
}
