#include "relay_state/node/rpc_methods.h"

#include <stdlib.h>
#include <string.h>

/*~ CometBFT's JSON of evidence, read into its own form, judged by the engine's rules before it is told
 * to the engine: who sends it hears what is wrong with it. */

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
	if (strlen(text) > 88 || node_unbase64(bytes, &n, cs_bytes_str(text)) != CS_OK ||
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
		    node_unnumber(&vote->height, text_of(object, "height")) == CS_OK &&
		    node_untime(&vote->time, text_of(object, "timestamp")) == CS_OK &&
		    read_block_id(&vote->block_id, json_object_get(object, "block_id")) &&
		    cs_unhex(vote->validator.b, sizeof vote->validator.b,
			     cs_bytes_str(text_of(object, "validator_address"))) == CS_OK &&
		    read_signature(&vote->signature, text_of(object, "signature")) &&
		    (type == CMT_PREVOTE || type == CMT_PRECOMMIT);
	vote->type = (enum cmt_signed_type)type;
	return good;
}

static bool read_evidence(struct cmt_evidence *evidence, const json_t *object)
{
	struct cmt_duplicate_vote *d = &evidence->duplicate_vote;
	const json_t *value = json_object_get(object, "value");
	memset(evidence, 0, sizeof *evidence);
	evidence->kind = CMT_DUPLICATE_VOTE;
	return strcmp(text_of(object, "type"), "tendermint/DuplicateVoteEvidence") == 0 &&
	       read_vote(&d->a, json_object_get(value, "vote_a")) &&
	       read_vote(&d->b, json_object_get(value, "vote_b")) &&
	       node_unnumber(&d->power_total, text_of(value, "TotalVotingPower")) == CS_OK &&
	       node_unnumber(&d->power, text_of(value, "ValidatorPower")) == CS_OK &&
	       node_untime(&d->time, text_of(value, "Timestamp")) == CS_OK;
}

static enum cs_err judge(struct rpc_call *call, struct cs_hash *hash,
			 const struct cmt_evidence *evidence, struct cs_why *why)
{
	struct node *node = call->rpc->node;
	const struct bft_history history = node_disk_history(node_disk_of(node));
	uint8_t bytes[BFT_EVIDENCE_SIZE_MAX + 64];
	struct bft_message message = {.type = BFT_MESSAGE_EVIDENCE};
	struct cs_buf buf;
	CS_TRY(cmt_evidence_check(evidence, why));
	CS_TRY(bft_evidence_check(evidence, node_state(node), &history, &call->rpc->arena, why));
	CS_TRY(cmt_evidence_hash(hash, evidence, &call->rpc->arena));
	cs_buf_init(&buf, bytes, BFT_EVIDENCE_SIZE_MAX);
	cmt_evidence_encode(&buf, evidence);
	CS_TRY(cs_buf_end(&buf));
	message.evidence = cs_arena_copy(&call->rpc->arena, cs_buf_view(&buf));
	cs_buf_init(&buf, bytes, sizeof bytes);
	bft_message_encode(&buf, &message);
	CS_TRY(cs_buf_end(&buf));
	/* Of evidence the engine does not ask who sent it. */
	node_event_message(node, 0, cs_buf_view(&buf));
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
	bool good = read_evidence(&evidence, given);
	json_decref(parsed);
	if (!good)
		return rpc_fail(
			call, RPC_INVALID_PARAMS,
			"error converting json params to arguments: no DuplicateVoteEvidence");
	enum cs_err err = judge(call, &hash, &evidence, &why);
	if (err != CS_OK)
		return rpc_refuse(call, "failed to add evidence: %s",
				  why.text[0] != 0 ? why.text : cs_err_sentence(err));
	rpc_result(call, json_pack("{so}", "hash", node_json_hex(CS_BYTES_OF(hash.b))));
}
