#include "relay_state/bft/state.h"

#include <string.h>

/* Tags and lengths around header, data, evidence and commit (types/block.go MaxOverheadForBlock has
 * 11), and a spare. */
#define BLOCK_OVERHEAD 64u

size_t bft_block_size_min(size_t validators)
{
	return BLOCK_OVERHEAD + CMT_HEADER_SIZE_MAX + CMT_COMMIT_SIZE_MAX(validators);
}

void bft_set_init(struct bft_set *set)
{
	memset(set, 0, sizeof *set);
	set->set.list = set->list;
	set->set.by_address = set->by_address;
	set->set.count_max = BFT_VALIDATORS_MAX;
}

enum cs_err bft_set_copy(struct bft_set *set, const struct cmt_validator_set *from)
{
	if (from->count > BFT_VALIDATORS_MAX)
		return CS_ERR_TOO_LARGE;
	bft_set_init(set);
	if (from->count == 0)
		return CS_OK;
	return cmt_validator_set_copy(&set->set, from);
}

void bft_state_init(struct bft_state *state)
{
	memset(state, 0, sizeof *state);
	bft_set_init(&state->last);
	bft_set_init(&state->now);
	bft_set_init(&state->next);
}

static void copy_set(struct bft_set *to, const struct bft_set *from)
{
	enum cs_err err = bft_set_copy(to, &from->set);
	cs_assert(err == CS_OK);
}

void bft_state_copy(struct bft_state *state, const struct bft_state *from)
{
	*state = *from;
	copy_set(&state->last, &from->last);
	copy_set(&state->now, &from->now);
	copy_set(&state->next, &from->next);
}

int64_t bft_state_height(const struct bft_state *state)
{
	return state->last_height == 0 ? state->initial_height : state->last_height + 1;
}

static enum cs_err set_app_hash(struct bft_state *state, struct cs_bytes hash)
{
	if (hash.n > CMT_APP_HASH_SIZE_MAX)
		return CS_ERR_TOO_LARGE;
	memset(state->app_hash, 0, sizeof state->app_hash);
	if (hash.n > 0)
		memcpy(state->app_hash, hash.p, hash.n);
	state->app_hash_size = (uint8_t)hash.n;
	return CS_OK;
}

/* CometBFT takes it and panics at the first proposal (types/block.go MaxDataBytes). */
static enum cs_err check_block_size(const struct bft_genesis *genesis, struct cs_why *why)
{
	const int64_t size = genesis->params.block_size_max;
	const size_t least = bft_block_size_min(genesis->count);
	if (size < 0 || (uint64_t)size >= least)
		return CS_OK;
	return cs_fail(why, CS_ERR_INVALID,
		       "block.max_bytes %lld: a header and a commit of %zu validators take %zu",
		       (long long)size, genesis->count, least);
}

enum cs_err bft_state_genesis(struct bft_state *state, const struct bft_genesis *genesis,
			      struct cs_arena *scratch, struct cs_why *why)
{
	struct bft_state out;
	struct cmt_merkle nothing;
	bft_state_init(&out);
	CS_TRY(cmt_chain_id_set(&out.chain_id, genesis->chain_id));
	if (genesis->initial_height < 1 || !cs_pb_time_valid(genesis->time))
		return cs_fail(why, CS_ERR_INVALID, "the initial height or the genesis time");
	if (genesis->count == 0)
		return cs_fail(why, CS_ERR_INVALID, "a chain without validators");
	CS_TRY(cmt_params_check(&genesis->params, why));
	CS_TRY(check_block_size(genesis, why));
	CS_TRY(set_app_hash(&out, genesis->app_hash));
	CS_TRY(cmt_validator_set_make(&out.now.set, genesis->validators, genesis->count, scratch,
				      why));
	CS_TRY(cmt_validator_set_copy(&out.next.set, &out.now.set));
	cmt_validator_set_increment(&out.next.set, 1);
	out.initial_height = genesis->initial_height;
	out.last_time = genesis->time;
	out.validators_changed = genesis->initial_height;
	out.params = genesis->params;
	out.params_changed = genesis->initial_height;
	/* As CometBFT's handshake sets it after InitChain. */
	cmt_merkle_init(&nothing);
	struct cs_hash empty = cmt_merkle_root(&nothing);
	out.last_results_hash = cmt_hash_of(&empty);
	bft_state_copy(state, &out);
	return CS_OK;
}

/* ---- the next block ---- */

/* spec/consensus/bft-time.md. Of three equal votes CometBFT's median is the earliest: one that lies
 * about its time must not give the chain a last commit that no block can follow. */
enum cs_err bft_state_time(struct cs_pb_time *time, const struct bft_state *state,
			   const struct cmt_commit *last_commit)
{
	struct cs_pb_time median;
	int64_t last_ns;
	if (bft_state_height(state) == state->initial_height) {
		*time = state->last_time;
		return CS_OK;
	}
	CS_TRY(cmt_median_time(&median, last_commit, &state->last.set));
	if (cs_pb_time_cmp(median, state->last_time) <= 0) {
		CS_TRY(bft_time_ns(&last_ns, state->last_time));
		if (last_ns > INT64_MAX - BFT_TIME_IOTA_NS)
			return CS_ERR_OVERFLOW;
		median = bft_time_pb(last_ns + BFT_TIME_IOTA_NS);
	}
	*time = median;
	return CS_OK;
}

enum cs_err bft_state_header(struct cmt_header *header, const struct bft_state *state,
			     const struct cmt_commit *last_commit,
			     const struct cs_address *proposer)
{
	struct cmt_header h;
	struct cs_hash hash;
	memset(&h, 0, sizeof h);
	h.block_protocol = CMT_BLOCK_PROTOCOL;
	h.app_version = state->params.app_version;
	h.chain_id = state->chain_id;
	h.height = bft_state_height(state);
	CS_TRY(bft_state_time(&h.time, state, last_commit));
	h.last_block_id = state->last_block_id;
	hash = cmt_validator_set_hash(&state->now.set);
	h.validators_hash = cmt_hash_of(&hash);
	hash = cmt_validator_set_hash(&state->next.set);
	h.next_validators_hash = cmt_hash_of(&hash);
	hash = cmt_params_hash(&state->params);
	h.consensus_hash = cmt_hash_of(&hash);
	CS_TRY(cmt_header_set_app_hash(&h, cs_bytes(state->app_hash, state->app_hash_size)));
	h.last_results_hash = state->last_results_hash;
	h.proposer = *proposer;
	*header = h;
	return CS_OK;
}

static enum cs_err validate_hashes(const struct bft_state *state, const struct cmt_header *h,
				   struct cs_why *why)
{
	struct cs_hash now = cmt_validator_set_hash(&state->now.set);
	struct cs_hash next = cmt_validator_set_hash(&state->next.set);
	struct cs_hash params = cmt_params_hash(&state->params);
	struct cmt_hash now_hash = cmt_hash_of(&now), next_hash = cmt_hash_of(&next),
			params_hash = cmt_hash_of(&params);
	if (!cs_bytes_eq(cmt_header_app_hash(h), cs_bytes(state->app_hash, state->app_hash_size)))
		return cs_fail(why, CS_ERR_BAD_PROOF, "the application hash");
	if (!cmt_hash_eq(&h->consensus_hash, &params_hash))
		return cs_fail(why, CS_ERR_BAD_PROOF, "the hash of the parameters");
	if (!cmt_hash_eq(&h->last_results_hash, &state->last_results_hash))
		return cs_fail(why, CS_ERR_BAD_PROOF, "the hash of the last results");
	if (!cmt_hash_eq(&h->validators_hash, &now_hash))
		return cs_fail(why, CS_ERR_BAD_PROOF, "the hash of the validators");
	if (!cmt_hash_eq(&h->next_validators_hash, &next_hash))
		return cs_fail(why, CS_ERR_BAD_PROOF, "the hash of the next validators");
	return CS_OK;
}

static enum cs_err validate_time(const struct bft_state *state, const struct cmt_block *block,
				 struct cs_why *why)
{
	struct cs_pb_time time;
	CS_TRY(bft_state_time(&time, state, &block->last_commit));
	if (cs_pb_time_cmp(block->header.time, time) != 0)
		return cs_fail(why, CS_ERR_BAD_TIME, "not the time of the last commit");
	return CS_OK;
}

static bool is_known(const struct bft_votes *known, const struct cmt_vote *vote)
{
	const struct bft_vote *v =
		known->round == vote->round
			? bft_votes_find(known, (size_t)vote->index, &vote->block_id)
			: NULL;
	return v != NULL && v->counts && v->vote.height == vote->height &&
	       cs_address_eq(&v->vote.validator, &vote->validator) &&
	       cs_pb_time_cmp(v->vote.time, vote->time) == 0 && v->vote.signature.some &&
	       vote->signature.some &&
	       memcmp(v->vote.signature.b, vote->signature.b, sizeof vote->signature.b) == 0;
}

/* A quarter of what a height costs is Ed25519, and most of the last commit came before, as votes or
 * as the commit that a peer sent: what was verified then is not verified again. The rest is what
 * cmt_commit_verify asks, which is left to say what is wrong. */
static bool is_proven(const struct bft_state *state, const struct cmt_commit *commit,
		      const struct bft_votes *known)
{
	const struct cmt_validator_set *set = &state->last.set;
	int64_t power = 0;
	if (known == NULL || commit->height != state->last_height || commit->count != set->count ||
	    !cmt_block_id_eq(&commit->block_id, &state->last_block_id))
		return false;
	for (size_t i = 0; i < commit->count; i++) {
		if (commit->sigs[i].flag == CMT_ABSENT)
			continue;
		struct cmt_vote vote = cmt_commit_vote(commit, i);
		if (!cs_address_eq(&vote.validator, &set->list[i].address))
			return false;
		if (!is_known(known, &vote) &&
		    cmt_vote_verify(&vote, &state->chain_id, &set->list[i].key) != CS_OK)
			return false;
		if (commit->sigs[i].flag == CMT_COMMIT)
			power += set->list[i].power;
	}
	return bft_is_two_thirds(power, set->power);
}

static enum cs_err validate_last_commit(const struct bft_state *state,
					const struct cmt_block *block,
					const struct bft_votes *known, struct cs_why *why)
{
	if (block->header.height == state->initial_height) {
		if (block->last_commit.count != 0)
			return cs_fail(why, CS_ERR_INVALID, "a last commit in the first block");
		return CS_OK;
	}
	if (is_proven(state, &block->last_commit, known))
		return CS_OK;
	return cmt_commit_verify(&block->last_commit, &state->last.set, &state->chain_id,
				 &state->last_block_id, state->last_height, why);
}

static enum cs_err validate_evidence_size(const struct bft_state *state,
					  const struct cmt_block *block, struct cs_arena *scratch,
					  struct cs_why *why)
{
	int64_t size = 0;
	for (size_t i = 0; i < block->evidence_count; i++) {
		struct cs_buf buf;
		size_t mark = cs_arena_mark(scratch);
		CS_TRY(cs_buf_init_arena(&buf, scratch,
					 cmt_evidence_size_max(&block->evidence[i])));
		cmt_evidence_encode(&buf, &block->evidence[i]);
		cs_arena_rewind(scratch, mark);
		CS_TRY(cs_buf_end(&buf));
		size += 1 + (int64_t)cs_pb_varint_size(buf.n) + (int64_t)buf.n;
	}
	if (size > state->params.evidence_size_max)
		return cs_fail(why, CS_ERR_TOO_LARGE, "%lld bytes of evidence", (long long)size);
	return CS_OK;
}

enum cs_err bft_state_validate(const struct bft_state *state, const struct cmt_block *block,
			       const struct bft_votes *known, struct cs_arena *scratch,
			       struct cs_why *why)
{
	const struct cmt_header *h = &block->header;
	if (h->block_protocol != CMT_BLOCK_PROTOCOL || h->app_version != state->params.app_version)
		return cs_fail(why, CS_ERR_INVALID, "the version");
	if (!cmt_chain_id_eq(&h->chain_id, &state->chain_id))
		return cs_fail(why, CS_ERR_ANCHOR_MISMATCH, "another chain");
	if (h->height != bft_state_height(state))
		return cs_fail(why, CS_ERR_INVALID, "height %lld, not %lld", (long long)h->height,
			       (long long)bft_state_height(state));
	if (!cmt_block_id_eq(&h->last_block_id, &state->last_block_id))
		return cs_fail(why, CS_ERR_UNLINKED, "another block before it");
	CS_TRY(validate_hashes(state, h, why));
	if (cmt_validator_set_find(&state->now.set, &h->proposer) == SIZE_MAX)
		return cs_fail(why, CS_ERR_WRONG_KEY, "the proposer is no validator");
	CS_TRY(validate_evidence_size(state, block, scratch, why));
	CS_TRY(validate_last_commit(state, block, known, why));
	return validate_time(state, block, why);
}

enum cs_err bft_check_extensions(const struct cmt_commit *commit, bool extensions)
{
	for (size_t i = 0; i < commit->count; i++) {
		const struct cmt_commit_sig *sig = &commit->sigs[i];
		if (sig->extension.n > BFT_EXTENSION_SIZE_MAX)
			return CS_ERR_TOO_LARGE;
		if (!extensions && (sig->extension.n > 0 || sig->extension_signature.some))
			return CS_ERR_INVALID;
	}
	return CS_OK;
}

enum cs_err bft_state_apply(struct bft_state *state, const struct cmt_block_id *block_id,
			    const struct cmt_header *header, const struct bft_finalized *finalized,
			    struct cs_arena *scratch, struct cs_why *why)
{
	struct bft_state out;
	bft_state_copy(&out, state);
	if (finalized->params != NULL) {
		CS_TRY(cmt_params_check(finalized->params, why));
		out.params = *finalized->params;
		out.params_changed = header->height + 1;
	}
	CS_TRY(set_app_hash(&out, finalized->app_hash));
	copy_set(&out.last, &state->now);
	copy_set(&out.now, &state->next);
	if (finalized->updates_count > 0) {
		CS_TRY(cmt_validator_set_update(&out.next.set, finalized->updates,
						finalized->updates_count, scratch, why));
		out.validators_changed = header->height + 2;
	}
	cmt_validator_set_increment(&out.next.set, 1);
	out.last_height = header->height;
	out.last_block_id = *block_id;
	out.last_time = header->time;
	out.last_results_hash = cmt_hash_of(&finalized->results_hash);
	bft_state_copy(state, &out);
	return CS_OK;
}

/* ---- encoding ---- */

static void put_set(struct cs_buf *buf, uint32_t field, const struct bft_set *set)
{
	if (set->set.count == 0)
		return;
	size_t begin = cs_pb_begin(buf, field);
	cmt_validator_set_encode(buf, &set->set);
	cs_pb_end(buf, begin);
}

void bft_state_encode(struct cs_buf *buf, const struct bft_state *state)
{
	size_t version = cs_pb_begin(buf, 1);
	size_t consensus = cs_pb_begin(buf, 1);
	cs_pb_put_uint(buf, 1, CMT_BLOCK_PROTOCOL);
	cs_pb_put_uint(buf, 2, state->params.app_version);
	cs_pb_end(buf, consensus);
	cs_pb_end(buf, version);
	cs_pb_put_bytes(buf, 2, cmt_chain_id_bytes(&state->chain_id));
	cs_pb_put_int(buf, 3, state->last_height);
	cmt_put_block_id(buf, 4, &state->last_block_id);
	cs_pb_put_time(buf, 5, state->last_time);
	put_set(buf, 6, &state->next);
	put_set(buf, 7, &state->now);
	put_set(buf, 8, &state->last);
	cs_pb_put_int(buf, 9, state->validators_changed);
	size_t params = cs_pb_begin(buf, 10);
	cmt_params_encode(buf, &state->params);
	cs_pb_end(buf, params);
	cs_pb_put_int(buf, 11, state->params_changed);
	cs_pb_put_bytes(buf, 12, cmt_hash_bytes(&state->last_results_hash));
	cs_pb_put_bytes(buf, 13, cs_bytes(state->app_hash, state->app_hash_size));
	cs_pb_put_int(buf, 14, state->initial_height);
}

static enum cs_err get_set(struct bft_set *set, struct cs_pb *pb, uint32_t field,
			   struct cs_arena *scratch, struct cs_why *why)
{
	struct cs_bytes bytes;
	struct cmt_validator_set read;
	if (!cs_pb_element(pb, field, &bytes, CMT_VALIDATOR_SET_SIZE_MAX(BFT_VALIDATORS_MAX)))
		return CS_OK;
	size_t mark = cs_arena_mark(scratch);
	enum cs_err err = cmt_validator_set_decode(&read, bytes, scratch, why);
	if (err == CS_OK)
		err = bft_set_copy(set, &read);
	cs_arena_rewind(scratch, mark);
	return err;
}

static void get_version(struct cs_pb *pb, uint64_t *app_version)
{
	struct cs_pb version, consensus;
	cs_pb_enter_required(pb, 1, &version);
	cs_pb_enter_required(&version, 1, &consensus);
	if (cs_pb_uint(&consensus, 1, UINT64_MAX) != CMT_BLOCK_PROTOCOL)
		cs_pb_fail(&consensus, CS_ERR_UNSUPPORTED);
	*app_version = cs_pb_uint(&consensus, 2, UINT64_MAX);
	cs_pb_leave(&version, &consensus);
	cs_pb_leave(pb, &version);
}

enum cs_err bft_state_decode(struct bft_state *state, struct cs_bytes bytes,
			     struct cs_arena *scratch, struct cs_why *why)
{
	struct bft_state out;
	struct cs_pb pb;
	struct cs_bytes params = CS_BYTES_NONE;
	uint64_t app_version;
	bft_state_init(&out);
	cs_pb_open(&pb, bytes);
	get_version(&pb, &app_version);
	struct cs_bytes chain_id = cs_pb_bytes(&pb, 2, CMT_CHAIN_ID_SIZE_MAX);
	out.last_height = cs_pb_int64(&pb, 3);
	out.last_block_id = cmt_get_block_id(&pb, 4);
	out.last_time = cs_pb_time(&pb, 5);
	CS_TRY(get_set(&out.next, &pb, 6, scratch, why));
	CS_TRY(get_set(&out.now, &pb, 7, scratch, why));
	CS_TRY(get_set(&out.last, &pb, 8, scratch, why));
	out.validators_changed = cs_pb_int64(&pb, 9);
	if (!cs_pb_element(&pb, 10, &params, CMT_PARAMS_SIZE_MAX))
		cs_pb_fail(&pb, CS_ERR_MISSING_FIELD);
	out.params_changed = cs_pb_int64(&pb, 11);
	out.last_results_hash = cmt_get_hash(&pb, 12);
	struct cs_bytes app_hash = cs_pb_bytes(&pb, 13, CMT_APP_HASH_SIZE_MAX);
	out.initial_height = cs_pb_int64(&pb, 14);
	CS_TRY(cs_pb_close(&pb));
	CS_TRY(cmt_chain_id_set(&out.chain_id, chain_id));
	CS_TRY(cmt_params_decode(&out.params, params, why));
	CS_TRY(set_app_hash(&out, app_hash));
	if (out.initial_height < 1 || out.last_height < 0 || out.now.set.count == 0 ||
	    out.next.set.count == 0 || (out.last_height > 0) != (out.last.set.count > 0) ||
	    out.params.app_version != app_version)
		return cs_fail(why, CS_ERR_INVALID, "a state that no chain has");
	bft_state_copy(state, &out);
	return CS_OK;
}

enum bft_recovery bft_recover(int64_t state_height, int64_t store_height, int64_t app_height)
{
	if (store_height < state_height || store_height > state_height + 1 ||
	    app_height > state_height)
		return BFT_RECOVER_IMPOSSIBLE;
	if (app_height < state_height)
		return BFT_RECOVER_REPLAY_APP;
	return store_height > state_height ? BFT_RECOVER_APPLY_BLOCK : BFT_RECOVER_NOTHING;
}
