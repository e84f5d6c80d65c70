#include "relay_state/node/execution.h"

#include "relay_state/node/chain_files.h"

#include <string.h>

/* ---- a block ---- */

static enum abci_block_id_flag flag_of(enum cmt_flag flag)
{
	switch (flag) {
	case CMT_ABSENT:
		return ABCI_BLOCK_ID_ABSENT;
	case CMT_COMMIT:
		return ABCI_BLOCK_ID_COMMIT;
	case CMT_NIL:
		return ABCI_BLOCK_ID_NIL;
	}
	return ABCI_BLOCK_ID_UNKNOWN;
}

static struct abci_validator validator_of(const struct cmt_validator *v)
{
	return (struct abci_validator){CS_BYTES_OF(v->address.b), v->power};
}

static enum cs_err read_commit(struct node_block *out, const struct cmt_validator_set *last,
			       struct cs_arena *arena, struct cs_why *why)
{
	const struct cmt_commit *commit = &out->block.last_commit;
	if (commit->height == 0)
		return CS_OK;
	if (commit->count != last->count)
		return cs_fail(why, CS_ERR_FOREIGN_SEAL, "%zu signatures of %zu validators",
			       commit->count, last->count);
	struct abci_vote *votes = cs_arena_calloc(arena, last->count, sizeof *votes);
	if (votes == NULL)
		return cs_fail(why, CS_ERR_NO_MEMORY, "%zu votes", last->count);
	for (size_t i = 0; i < last->count; i++) {
		votes[i].validator = validator_of(&last->list[i]);
		votes[i].block_id_flag = flag_of(commit->sigs[i].flag);
	}
	out->last_commit.round = commit->round;
	out->last_commit.votes.items = votes;
	out->last_commit.votes.count = last->count;
	return CS_OK;
}

static enum cs_err misbehavior_of(struct abci_misbehaviors *out,
				  const struct cmt_evidence *evidence, size_t count,
				  struct cs_arena *arena, struct cs_why *why)
{
	size_t total = 0, n = 0;
	for (size_t i = 0; i < count; i++) {
		const struct cmt_evidence *e = &evidence[i];
		total += e->kind == CMT_DUPLICATE_VOTE ? 1 : e->light_attack.byzantine_count;
	}
	if (total == 0)
		return CS_OK;
	struct abci_misbehavior *list = cs_arena_calloc(arena, total, sizeof *list);
	if (list == NULL)
		return cs_fail(why, CS_ERR_NO_MEMORY, "%zu pieces of evidence", total);
	for (size_t i = 0; i < count; i++) {
		const struct cmt_evidence *e = &evidence[i];
		struct abci_misbehavior common = {.height = cmt_evidence_height(e),
						  .time = cmt_evidence_time(e)};
		if (e->kind == CMT_DUPLICATE_VOTE) {
			common.type = ABCI_DUPLICATE_VOTE;
			common.total_voting_power = e->duplicate_vote.power_total;
			common.validator.address = CS_BYTES_OF(e->duplicate_vote.a.validator.b);
			common.validator.power = e->duplicate_vote.power;
			list[n++] = common;
			continue;
		}
		common.type = ABCI_LIGHT_CLIENT_ATTACK;
		common.total_voting_power = e->light_attack.power_total;
		for (size_t k = 0; k < e->light_attack.byzantine_count; k++) {
			common.validator = validator_of(&e->light_attack.byzantine[k]);
			list[n++] = common;
		}
	}
	out->items = list;
	out->count = n;
	return CS_OK;
}

enum cs_err node_block_read(struct node_block *out, struct cs_bytes bytes,
			    const struct cmt_validator_set *last, struct cs_arena *arena,
			    struct cs_why *why)
{
	memset(out, 0, sizeof *out);
	CS_TRY(cmt_block_decode(&out->block, bytes, arena, why));
	out->hash = cmt_header_hash(&out->block.header);
	out->txs = (struct abci_bytes_list){out->block.txs, out->block.tx_count};
	out->next_validators_hash = cmt_hash_bytes(&out->block.header.next_validators_hash);
	out->proposer = CS_BYTES_OF(out->block.header.proposer.b);
	CS_TRY(read_commit(out, last, arena, why));
	return misbehavior_of(&out->misbehavior, out->block.evidence, out->block.evidence_count,
			      arena, why);
}

/* ---- questions ---- */

struct abci_request node_ask_process(const struct node_block *b)
{
	return (struct abci_request){.method = ABCI_PROCESS_PROPOSAL,
				     .process_proposal = {
					     .txs = b->txs,
					     .proposed_last_commit = b->last_commit,
					     .misbehavior = b->misbehavior,
					     .hash = CS_BYTES_OF(b->hash.b),
					     .height = b->block.header.height,
					     .time = b->block.header.time,
					     .next_validators_hash = b->next_validators_hash,
					     .proposer_address = b->proposer,
				     }};
}

struct abci_request node_ask_extend(const struct node_block *b)
{
	return (struct abci_request){.method = ABCI_EXTEND_VOTE,
				     .extend_vote = {
					     .hash = CS_BYTES_OF(b->hash.b),
					     .height = b->block.header.height,
					     .time = b->block.header.time,
					     .txs = b->txs,
					     .proposed_last_commit = b->last_commit,
					     .misbehavior = b->misbehavior,
					     .next_validators_hash = b->next_validators_hash,
					     .proposer_address = b->proposer,
				     }};
}

struct abci_request node_ask_finalize(const struct node_block *b)
{
	return (struct abci_request){.method = ABCI_FINALIZE_BLOCK,
				     .finalize_block = {
					     .txs = b->txs,
					     .decided_last_commit = b->last_commit,
					     .misbehavior = b->misbehavior,
					     .hash = CS_BYTES_OF(b->hash.b),
					     .height = b->block.header.height,
					     .time = b->block.header.time,
					     .next_validators_hash = b->next_validators_hash,
					     .proposer_address = b->proposer,
				     }};
}

static enum cs_err extended_info(struct abci_extended_commit_info *info,
				 const struct cmt_commit *commit,
				 const struct cmt_validator_set *last, struct cs_arena *arena,
				 struct cs_why *why)
{
	if (commit->count != last->count)
		return cs_fail(why, CS_ERR_FOREIGN_SEAL, "%zu signatures of %zu validators",
			       commit->count, last->count);
	struct abci_extended_vote *votes = cs_arena_calloc(arena, commit->count, sizeof *votes);
	if (votes == NULL)
		return cs_fail(why, CS_ERR_NO_MEMORY, "%zu votes", commit->count);
	for (size_t i = 0; i < commit->count; i++) {
		const struct cmt_commit_sig *sig = &commit->sigs[i];
		votes[i].validator = validator_of(&last->list[i]);
		votes[i].block_id_flag = flag_of(sig->flag);
		votes[i].vote_extension = sig->extension;
		votes[i].extension_signature = cmt_signature_bytes(&sig->extension_signature);
	}
	info->round = commit->round;
	info->votes.items = votes;
	info->votes.count = commit->count;
	return CS_OK;
}

static enum cs_err evidence_info(struct abci_misbehaviors *out, struct cs_bytes bytes,
				 struct cs_arena *arena, struct cs_why *why)
{
	struct cmt_evidence *list;
	struct cs_bytes one;
	struct cs_pb pb;
	size_t i = 0;
	cs_pb_open(&pb, bytes);
	size_t count = cs_pb_count(&pb, 1, CMT_EVIDENCE_MAX);
	list = cs_arena_calloc(arena, count, sizeof *list);
	if (list == NULL)
		return cs_fail(why, CS_ERR_NO_MEMORY, "%zu pieces of evidence", count);
	while (cs_pb_element(&pb, 1, &one, SIZE_MAX))
		CS_TRY(cmt_evidence_decode(&list[i++], one, arena, why));
	CS_TRY(cs_pb_close(&pb));
	return misbehavior_of(out, list, count, arena, why);
}

enum cs_err node_ask_prepare(struct abci_request *out, const struct bft_state *state,
			     const struct bft_effect *effect, const struct abci_bytes_list *txs,
			     const struct cs_address *proposer, struct cs_arena *arena,
			     struct cs_why *why)
{
	struct cmt_commit *commit = cs_arena_calloc(arena, 1, sizeof *commit);
	struct cs_hash *next = cs_arena_calloc(arena, 1, sizeof *next);
	struct abci_request request = {.method = ABCI_PREPARE_PROPOSAL};
	struct abci_prepare_proposal_request *p = &request.prepare_proposal;
	if (commit == NULL || next == NULL)
		return cs_fail(why, CS_ERR_NO_MEMORY, "a commit");
	p->max_tx_bytes = (int64_t)effect->size_max;
	p->txs = *txs;
	p->height = bft_state_height(state);
	p->time = state->last_time;
	CS_TRY(evidence_info(&p->misbehavior, effect->evidence, arena, why));
	if (effect->bytes.n > 0) {
		CS_TRY(cmt_extended_commit_decode(commit, effect->bytes, arena, why));
		CS_TRY(extended_info(&p->local_last_commit, commit, &state->last.set, arena, why));
		CS_TRY(bft_state_time(&p->time, state, commit));
	}
	*next = cmt_validator_set_hash(&state->next.set);
	p->next_validators_hash = CS_BYTES_OF(next->b);
	p->proposer_address = CS_BYTES_OF(proposer->b);
	*out = request;
	return CS_OK;
}

/* ---- the beginning of a chain ---- */

static enum cs_err abci_params(struct abci_consensus_params *out, const struct cmt_params *params,
			       struct cs_arena *arena)
{
	static const char *const names[] = {[CMT_KEY_ED25519] = "ed25519",
					    [CMT_KEY_SECP256K1] = "secp256k1",
					    [CMT_KEY_MLDSA65] = "mldsa65"};
	struct abci_block_params *block = cs_arena_calloc(arena, 1, sizeof *block);
	struct abci_evidence_params *evidence = cs_arena_calloc(arena, 1, sizeof *evidence);
	struct abci_validator_params *validator = cs_arena_calloc(arena, 1, sizeof *validator);
	struct abci_version_params *version = cs_arena_calloc(arena, 1, sizeof *version);
	struct abci_abci_params *abci = cs_arena_calloc(arena, 1, sizeof *abci);
	struct cs_bytes *types = cs_arena_calloc(arena, CMT_KEY_TYPES_MAX, sizeof *types);
	if (block == NULL || evidence == NULL || validator == NULL || version == NULL ||
	    abci == NULL || types == NULL)
		return CS_ERR_NO_MEMORY;
	*block = (struct abci_block_params){params->block_size_max, params->block_gas_max};
	*evidence = (struct abci_evidence_params){
		params->evidence_age_blocks, params->evidence_age_ns, params->evidence_size_max};
	for (size_t i = 0; i < params->key_type_count; i++)
		types[i] = cs_bytes_str(names[params->key_types[i]]);
	validator->pub_key_types = (struct abci_bytes_list){types, params->key_type_count};
	version->app = params->app_version;
	abci->vote_extensions_enable_height = params->extensions_from;
	*out = (struct abci_consensus_params){block, evidence, validator, version, abci, NULL};
	return CS_OK;
}

enum cs_err node_ask_init_chain(struct abci_request *out, const struct node_genesis *genesis,
				struct cs_arena *arena)
{
	struct abci_request request = {.method = ABCI_INIT_CHAIN};
	struct abci_init_chain_request *init = &request.init_chain;
	struct abci_consensus_params *params = cs_arena_calloc(arena, 1, sizeof *params);
	struct abci_validator_update *list =
		cs_arena_calloc(arena, genesis->count + 1, sizeof *list);
	if (params == NULL || list == NULL)
		return CS_ERR_NO_MEMORY;
	CS_TRY(abci_params(params, &genesis->params, arena));
	for (size_t i = 0; i < genesis->count; i++) {
		list[i].pub_key.type = ABCI_KEY_ED25519;
		list[i].pub_key.bytes = CS_BYTES_OF(genesis->validators[i].key.b);
		list[i].power = genesis->validators[i].power;
	}
	init->time = genesis->time;
	init->chain_id = cmt_chain_id_bytes(&genesis->chain_id);
	init->consensus_params = params;
	init->validators.items = list;
	init->validators.count = genesis->count;
	init->initial_height = genesis->initial_height;
	if (genesis->app_state != NULL)
		init->app_state_bytes = cs_bytes_str(genesis->app_state);
	*out = request;
	return CS_OK;
}

/* ---- answers ---- */

static enum cs_err read_updates(struct cmt_validator *to, size_t *count,
				const struct abci_validator_updates *updates, struct cs_why *why)
{
	if (updates->count > BFT_UPDATES_MAX)
		return cs_fail(why, CS_ERR_TOO_LARGE, "%zu changes of validators", updates->count);
	for (size_t i = 0; i < updates->count; i++) {
		const struct abci_validator_update *u = &updates->items[i];
		struct cs_ed25519_key key;
		if (u->pub_key.type != ABCI_KEY_ED25519 || u->pub_key.bytes.n != sizeof key.b)
			return cs_fail(why, CS_ERR_UNSUPPORTED,
				       "a validator's key is not of Ed25519");
		memcpy(key.b, u->pub_key.bytes.p, sizeof key.b);
		to[i] = cmt_validator_of(&key, u->power);
	}
	*count = updates->count;
	return CS_OK;
}

/* The parts that are there, as cmt_params_update reads them. */
static void put_params(struct cs_buf *buf, const struct abci_consensus_params *p)
{
	size_t begin;
	if (p->block != NULL) {
		begin = cs_pb_begin(buf, 1);
		cs_pb_put_int(buf, 1, p->block->max_bytes);
		cs_pb_put_int(buf, 2, p->block->max_gas);
		cs_pb_end(buf, begin);
	}
	if (p->evidence != NULL) {
		begin = cs_pb_begin(buf, 2);
		cs_pb_put_int(buf, 1, p->evidence->max_age_num_blocks);
		cs_pb_put_duration(buf, 2, p->evidence->max_age_duration_ns);
		cs_pb_put_int(buf, 3, p->evidence->max_bytes);
		cs_pb_end(buf, begin);
	}
	if (p->validator != NULL) {
		begin = cs_pb_begin(buf, 3);
		for (size_t i = 0; i < p->validator->pub_key_types.count; i++)
			cs_pb_put_element(buf, 1, p->validator->pub_key_types.items[i]);
		cs_pb_end(buf, begin);
	}
	if (p->version != NULL) {
		begin = cs_pb_begin(buf, 4);
		cs_pb_put_uint(buf, 1, p->version->app);
		cs_pb_end(buf, begin);
	}
	if (p->abci != NULL) {
		begin = cs_pb_begin(buf, 5);
		cs_pb_put_int(buf, 1, p->abci->vote_extensions_enable_height);
		cs_pb_end(buf, begin);
	}
}

static enum cs_err update_params(struct cmt_params *params,
				 const struct abci_consensus_params *update, int64_t height,
				 struct cs_why *why)
{
	uint8_t bytes[CMT_PARAMS_SIZE_MAX];
	struct cs_buf buf;
	cs_buf_init(&buf, bytes, sizeof bytes);
	put_params(&buf, update);
	if (cs_buf_end(&buf) != CS_OK)
		return cs_fail(why, CS_ERR_TOO_LARGE, "the consensus parameters");
	return cmt_params_update(params, cs_buf_view(&buf), height, why);
}

enum cs_err node_init_state(struct bft_state *state, const struct node_genesis *genesis,
			    const struct abci_init_chain_response *response, struct cs_arena *arena,
			    struct cs_why *why)
{
	struct cmt_validator validators[BFT_UPDATES_MAX];
	struct bft_genesis g = {.chain_id = cmt_chain_id_bytes(&genesis->chain_id),
				.initial_height = genesis->initial_height,
				.time = genesis->time,
				.params = genesis->params,
				.validators = genesis->validators,
				.count = genesis->count,
				.app_hash = cs_bytes(genesis->app_hash, genesis->app_hash_size)};
	if (response->validators.count > 0) {
		CS_TRY(read_updates(validators, &g.count, &response->validators, why));
		g.validators = validators;
	}
	if (response->consensus_params != NULL)
		CS_TRY(update_params(&g.params, response->consensus_params, 0, why));
	if (response->app_hash.n > 0)
		g.app_hash = response->app_hash;
	return bft_state_genesis(state, &g, arena, why);
}

static enum cs_err results_hash(struct cs_hash *hash,
				const struct abci_finalize_block_response *response,
				struct cs_arena *arena)
{
	size_t mark = cs_arena_mark(arena), count = response->tx_results.count;
	struct cmt_tx_result *results = cs_arena_calloc(arena, count + 1, sizeof *results);
	if (results == NULL)
		return CS_ERR_NO_MEMORY;
	for (size_t i = 0; i < count; i++) {
		const struct abci_tx_result *r = &response->tx_results.items[i];
		results[i] = (struct cmt_tx_result){r->code, r->data, r->gas_wanted, r->gas_used};
	}
	enum cs_err err = cmt_results_hash(hash, results, count, arena);
	cs_arena_rewind(arena, mark);
	return err;
}

enum cs_err node_finalized_read(struct node_finalized *out,
				const struct abci_finalize_block_response *response,
				size_t tx_count, const struct cmt_params *params, int64_t height,
				struct cs_arena *arena, struct cs_why *why)
{
	struct bft_finalized *f = &out->finalized;
	memset(out, 0, sizeof *out);
	if (response->tx_results.count != tx_count)
		return cs_fail(why, CS_ERR_INVALID, "%zu results of %zu transactions",
			       response->tx_results.count, tx_count);
	if (response->app_hash.n > sizeof out->app_hash)
		return cs_fail(why, CS_ERR_TOO_LARGE, "an application hash of %zu bytes",
			       response->app_hash.n);
	CS_TRY(results_hash(&f->results_hash, response, arena));
	CS_TRY(read_updates(out->updates, &f->updates_count, &response->validator_updates, why));
	f->updates = out->updates;
	if (response->app_hash.n > 0)
		memcpy(out->app_hash, response->app_hash.p, response->app_hash.n);
	f->app_hash = cs_bytes(out->app_hash, response->app_hash.n);
	if (response->consensus_param_updates != NULL) {
		out->params = *params;
		CS_TRY(update_params(&out->params, response->consensus_param_updates, height, why));
		f->params = &out->params;
	}
	return CS_OK;
}
