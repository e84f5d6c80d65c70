#include "relay_state/node/rpc_methods.h"

#include <stdlib.h>
#include <string.h>

/*~ CometBFT's JSON of evidence, read into its own form, judged by the engine's rules before it is told
 * to the engine: who sends it hears what is wrong with it. Anybody may ask for that, so what it costs
 * is bounded for all together: signatures are the expensive part. */

static const char *text_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));
	return text != NULL ? text : "";
}

static bool read_hash(struct cmt_hash *hash, const char *text)
{
	memset(hash, 0, sizeof *hash);
	hash->some = text[0] != 0;
	return !hash->some || cs_unhex(hash->hash.b, 32, cs_bytes_str(text)) == CS_OK;
}

static bool read_block_id(struct cmt_block_id *id, const json_t *object)
{
	const json_t *parts = json_object_get(object, "parts");
	json_int_t total = json_integer_value(json_object_get(parts, "total"));
	memset(id, 0, sizeof *id);
	if (total < 0 || total > CMT_PARTS_MAX)
		return false;
	id->parts.total = (uint32_t)total;
	return read_hash(&id->hash, text_of(object, "hash")) &&
	       read_hash(&id->parts.hash, text_of(parts, "hash"));
}

static bool read_int32(int32_t *number, const json_t *object, const char *name)
{
	json_int_t value = json_integer_value(json_object_get(object, name));
	if (value < INT32_MIN || value > INT32_MAX)
		return false;
	*number = (int32_t)value;
	return true;
}

static bool read_signature(struct cmt_signature *signature, const char *text)
{
	uint8_t bytes[72];
	size_t n;
	if (strlen(text) > 88 || cometbft_unbase64(bytes, &n, cs_bytes_str(text)) != CS_OK ||
	    n != sizeof signature->b)
		return false;
	signature->some = true;
	memcpy(signature->b, bytes, n);
	return true;
}

/* Without its extension: evidence of CometBFT has none. */
static bool read_vote(struct cmt_vote *vote, const json_t *object)
{
	int32_t type = 0;
	memset(vote, 0, sizeof *vote);
	bool good = read_int32(&type, object, "type") &&
		    read_int32(&vote->round, object, "round") &&
		    read_int32(&vote->index, object, "validator_index") &&
		    cometbft_unnumber(&vote->height, text_of(object, "height")) == CS_OK &&
		    cometbft_untime(&vote->time, text_of(object, "timestamp")) == CS_OK &&
		    read_block_id(&vote->block_id, json_object_get(object, "block_id")) &&
		    cs_unhex(vote->validator.b, sizeof vote->validator.b,
			     cs_bytes_str(text_of(object, "validator_address"))) == CS_OK &&
		    read_signature(&vote->signature, text_of(object, "signature")) &&
		    (type == CMT_PREVOTE || type == CMT_PRECOMMIT);
	vote->type = (enum cmt_signed_type)type;
	return good;
}

static bool read_pair(struct cmt_evidence *evidence, const json_t *value)
{
	struct cmt_duplicate_vote *d = &evidence->duplicate_vote;
	evidence->kind = CMT_DUPLICATE_VOTE;
	return read_vote(&d->a, json_object_get(value, "vote_a")) &&
	       read_vote(&d->b, json_object_get(value, "vote_b")) &&
	       cometbft_unnumber(&d->power_total, text_of(value, "TotalVotingPower")) == CS_OK &&
	       cometbft_unnumber(&d->power, text_of(value, "ValidatorPower")) == CS_OK &&
	       cometbft_untime(&d->time, text_of(value, "Timestamp")) == CS_OK;
}

/* ---- light blocks ---- */

static bool read_protocol(uint64_t *number, const json_t *version, const char *name)
{
	int64_t value = 0;
	const char *text = text_of(version, name);
	if (text[0] != 0 && (cometbft_unnumber(&value, text) != CS_OK || value < 0))
		return false;
	*number = (uint64_t)value;
	return true;
}

static bool read_address(struct cs_address *address, const json_t *object, const char *name)
{
	return cs_unhex(address->b, sizeof address->b, cs_bytes_str(text_of(object, name))) ==
	       CS_OK;
}

static bool read_header(struct cmt_header *h, const json_t *object)
{
	const json_t *version = json_object_get(object, "version");
	const char *app_hash = text_of(object, "app_hash");
	h->app_hash.n = (uint8_t)(strlen(app_hash) / 2);
	return strlen(app_hash) <= 2 * sizeof h->app_hash.b &&
	       cs_unhex(h->app_hash.b, h->app_hash.n, cs_bytes_str(app_hash)) == CS_OK &&
	       read_protocol(&h->block_protocol, version, "block") &&
	       read_protocol(&h->app_version, version, "app") &&
	       cmt_chain_id_set(&h->chain_id, cs_bytes_str(text_of(object, "chain_id"))) == CS_OK &&
	       cometbft_unnumber(&h->height, text_of(object, "height")) == CS_OK &&
	       cometbft_untime(&h->time, text_of(object, "time")) == CS_OK &&
	       read_block_id(&h->last_block_id, json_object_get(object, "last_block_id")) &&
	       read_hash(&h->last_commit_hash, text_of(object, "last_commit_hash")) &&
	       read_hash(&h->data_hash, text_of(object, "data_hash")) &&
	       read_hash(&h->validators_hash, text_of(object, "validators_hash")) &&
	       read_hash(&h->next_validators_hash, text_of(object, "next_validators_hash")) &&
	       read_hash(&h->consensus_hash, text_of(object, "consensus_hash")) &&
	       read_hash(&h->last_results_hash, text_of(object, "last_results_hash")) &&
	       read_hash(&h->evidence_hash, text_of(object, "evidence_hash")) &&
	       read_address(&h->proposer, object, "proposer_address");
}

/* The time of one who is absent says nothing. */
static bool read_commit_sig(struct cmt_commit_sig *sig, const json_t *object)
{
	int32_t flag = 0;
	*sig = CMT_SIG_ABSENT;
	if (!read_int32(&flag, object, "block_id_flag"))
		return false;
	if (flag == CMT_ABSENT)
		return text_of(object, "signature")[0] == 0;
	sig->flag = (enum cmt_flag)flag;
	return (flag == CMT_COMMIT || flag == CMT_NIL) &&
	       read_address(&sig->validator, object, "validator_address") &&
	       cometbft_untime(&sig->time, text_of(object, "timestamp")) == CS_OK &&
	       read_signature(&sig->signature, text_of(object, "signature"));
}

static bool read_commit(struct cmt_commit *commit, const json_t *object, struct cs_arena *arena)
{
	const json_t *list = json_object_get(object, "signatures");
	commit->count = json_array_size(list);
	if (commit->count > CMT_VALIDATORS_MAX)
		return false;
	commit->sigs = cs_arena_calloc(arena, commit->count, sizeof *commit->sigs);
	bool good = commit->sigs != NULL && read_int32(&commit->round, object, "round") &&
		    cometbft_unnumber(&commit->height, text_of(object, "height")) == CS_OK &&
		    read_block_id(&commit->block_id, json_object_get(object, "block_id"));
	for (size_t i = 0; good && i < commit->count; i++)
		good = read_commit_sig(&commit->sigs[i], json_array_get(list, i));
	return good;
}

static bool read_validator(struct cmt_validator *v, const json_t *object)
{
	const json_t *key = json_object_get(object, "pub_key");
	const char *text = text_of(key, "value");
	struct cs_ed25519_key public;
	uint8_t bytes[36];
	size_t n;
	int64_t power;
	if (strcmp(text_of(key, "type"), "tendermint/PubKeyEd25519") != 0 || strlen(text) > 48 ||
	    cometbft_unbase64(bytes, &n, cs_bytes_str(text)) != CS_OK || n != sizeof public.b ||
	    cometbft_unnumber(&power, text_of(object, "voting_power")) != CS_OK)
		return false;
	memcpy(public.b, bytes, sizeof public.b);
	*v = cmt_validator_of(&public, power);
	struct cs_address said;
	text = text_of(object, "proposer_priority");
	return (text[0] == 0 || cometbft_unnumber(&v->priority, text) == CS_OK) &&
	       read_address(&said, object, "address") && cs_address_eq(&said, &v->address);
}

static bool read_validators(struct cmt_validator **list, size_t *count, const json_t *json,
			    struct cs_arena *arena)
{
	*count = json_array_size(json);
	if (*count > CMT_VALIDATORS_MAX)
		return false;
	*list = cs_arena_calloc(arena, *count, sizeof **list);
	for (size_t i = 0; *list != NULL && i < *count; i++)
		if (!read_validator(&(*list)[i], json_array_get(json, i)))
			return false;
	return *list != NULL;
}

static bool read_set(struct cmt_validator_set *set, const json_t *object, struct cs_arena *arena)
{
	const json_t *said = json_object_get(object, "proposer");
	struct cmt_validator *list, proposer;
	size_t count;
	bool has_proposer = json_is_object(said);
	if (!read_validators(&list, &count, json_object_get(object, "validators"), arena) ||
	    (has_proposer && !read_validator(&proposer, said)) ||
	    cmt_validator_set_init(set, arena, count) != CS_OK ||
	    cmt_validator_set_fill(set, list, count, has_proposer ? &proposer : NULL, NULL) !=
		    CS_OK)
		return false;
	if (!has_proposer)
		cmt_validator_set_guess_proposer(set);
	return true;
}

static bool read_attack(struct cmt_evidence *evidence, const json_t *value, struct cs_arena *arena)
{
	struct cmt_light_attack *a = &evidence->light_attack;
	const json_t *block = json_object_get(value, "ConflictingBlock");
	const json_t *header = json_object_get(block, "signed_header");
	evidence->kind = CMT_LIGHT_ATTACK;
	return read_header(&a->conflicting.header, json_object_get(header, "header")) &&
	       read_commit(&a->conflicting.commit, json_object_get(header, "commit"), arena) &&
	       read_set(&a->conflicting.validators, json_object_get(block, "validator_set"),
			arena) &&
	       cometbft_unnumber(&a->common_height, text_of(value, "CommonHeight")) == CS_OK &&
	       read_validators(&a->byzantine, &a->byzantine_count,
			       json_object_get(value, "ByzantineValidators"), arena) &&
	       cometbft_unnumber(&a->power_total, text_of(value, "TotalVotingPower")) == CS_OK &&
	       cometbft_untime(&a->time, text_of(value, "Timestamp")) == CS_OK;
}

static bool read_evidence(struct cmt_evidence *evidence, const json_t *object,
			  struct cs_arena *arena)
{
	const json_t *value = json_object_get(object, "value");
	const char *type = text_of(object, "type");
	memset(evidence, 0, sizeof *evidence);
	if (strcmp(type, "tendermint/DuplicateVoteEvidence") == 0)
		return read_pair(evidence, value);
	return strcmp(type, "tendermint/LightClientAttackEvidence") == 0 &&
	       read_attack(evidence, value, arena);
}

/* ---- judging ---- */

/* What was owed is paid back first. */
static bool has_room(struct node_rpc *rpc)
{
	uint64_t now = host_now_ms(), passed = now - rpc->evidence_ms;
	uint64_t earned = passed < 1000 ? passed * RPC_EVIDENCE_WORK_PER_S / 1000
					: RPC_EVIDENCE_WORK_PER_S * (passed / 1000);
	if (earned > 0) {
		int64_t left =
			rpc->evidence_work + (int64_t)(earned < INT32_MAX ? earned : INT32_MAX);
		rpc->evidence_ms = now;
		rpc->evidence_work =
			left < RPC_EVIDENCE_WORK_PER_S ? left : RPC_EVIDENCE_WORK_PER_S;
	}
	return rpc->evidence_work > 0;
}

static enum cs_err take(struct rpc_call *call, struct cs_hash *hash,
			const struct cmt_evidence *evidence, struct cs_why *why)
{
	struct node *node = call->rpc->node;
	struct cs_arena *arena = &call->rpc->arena;
	const struct bft_history history = node_disk_history(node_disk_of(node));
	struct cs_buf buf;
	CS_TRY(cmt_evidence_check(evidence, why));
	CS_TRY(cmt_evidence_hash(hash, evidence, arena));
	if (node_evidence_waits(node, hash))
		return CS_OK;
	if (!has_room(call->rpc))
		return cs_fail(why, CS_ERR_RATE_LIMITED, "too much evidence at once, try again");
	call->rpc->evidence_work -= bft_evidence_work(evidence);
	CS_TRY(bft_evidence_check(evidence, NULL, node_state(node), &history, arena, why));
	CS_TRY(cs_buf_init_arena(&buf, arena, cmt_evidence_size_max(evidence)));
	cmt_evidence_encode(&buf, evidence);
	CS_TRY(cs_buf_end(&buf));
	node_event_evidence(node, cs_buf_view(&buf));
	if (!node_evidence_waits(node, hash))
		return cs_fail(why, CS_ERR_FULL, "no room for more evidence");
	return CS_OK;
}

void rpc_run_broadcast_evidence(struct rpc_call *call)
{
	struct cmt_evidence evidence;
	struct cs_hash hash;
	struct cs_why why = {{0}};
	json_error_t error;
	const json_t *given = json_is_array(call->params)
				      ? json_array_get(call->params, 0)
				      : json_object_get(call->params, "evidence");
	json_t *parsed = NULL;
	if (call->is_uri && json_is_string(given))
		given = parsed = json_loads(json_string_value(given), 0, &error);
	bool good = read_evidence(&evidence, given, &call->rpc->arena);
	json_decref(parsed);
	if (!good)
		return rpc_fail(call, RPC_INVALID_PARAMS,
				"error converting json params to arguments: no evidence");
	enum cs_err err = take(call, &hash, &evidence, &why);
	if (err != CS_OK)
		return rpc_refuse(call, "failed to add evidence: %s",
				  why.text[0] != 0 ? why.text : cs_err_sentence(err));
	rpc_result(call, json_pack("{so}", "hash", cometbft_json_hex(CS_BYTES_OF(hash.b))));
}
