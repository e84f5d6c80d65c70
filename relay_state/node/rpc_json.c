#include "relay_state/node/rpc_inner.h"

#include <string.h>

/*~ The order of names in objects is that of CometBFT's structs: whoever compares texts finds the same
 * ones. A list that is empty is null where Go holds nil, and [] where it holds a list. */

static json_t *or_null(json_t *list)
{
	if (json_array_size(list) > 0)
		return list;
	json_decref(list);
	return json_null();
}

json_t *rpc_json_bytes(struct cs_bytes bytes)
{
	return bytes.n > 0 ? cometbft_json_base64(bytes) : json_null();
}

static json_t *json_hash(const struct cmt_hash *hash)
{
	return cometbft_json_hex(cmt_hash_bytes(hash));
}

/* ---- chain ---- */

json_t *rpc_json_block_id(const struct cmt_block_id *id)
{
	return json_pack("{sos{sIso}}", "hash", json_hash(&id->hash), "parts", "total",
			 (json_int_t)id->parts.total, "hash", json_hash(&id->parts.hash));
}

/* Zeros of the versions are left out, there alone. */
static json_t *json_version(const struct cmt_header *h)
{
	json_t *version = json_object();
	if (h->block_protocol != 0)
		(void)json_object_set_new(version, "block",
					  cometbft_json_number((int64_t)h->block_protocol));
	if (h->app_version != 0)
		(void)json_object_set_new(version, "app",
					  cometbft_json_number((int64_t)h->app_version));
	return version;
}

json_t *rpc_json_header(const struct cmt_header *h)
{
	json_t *header =
		json_pack("{sosososososo}", "version", json_version(h), "chain_id",
			  cometbft_json_text(cmt_chain_id_bytes(&h->chain_id)), "height",
			  cometbft_json_number(h->height), "time", cometbft_json_time(h->time),
			  "last_block_id", rpc_json_block_id(&h->last_block_id), "last_commit_hash",
			  json_hash(&h->last_commit_hash));
	const struct {
		const char *name;
		json_t *value;
	} rest[] = {
		{"data_hash", json_hash(&h->data_hash)},
		{"validators_hash", json_hash(&h->validators_hash)},
		{"next_validators_hash", json_hash(&h->next_validators_hash)},
		{"consensus_hash", json_hash(&h->consensus_hash)},
		{"app_hash", cometbft_json_hex(cmt_header_app_hash(h))},
		{"last_results_hash", json_hash(&h->last_results_hash)},
		{"evidence_hash", json_hash(&h->evidence_hash)},
		{"proposer_address", cometbft_json_hex(CS_BYTES_OF(h->proposer.b))},
	};
	for (size_t i = 0; i < CS_LEN(rest); i++)
		(void)json_object_set_new(header, rest[i].name, rest[i].value);
	return header;
}

static json_t *json_signature(const struct cmt_commit_sig *sig)
{
	bool absent = sig->flag == CMT_ABSENT;
	return json_pack("{sisososo}", "block_id_flag", (int)sig->flag, "validator_address",
			 absent ? json_string("")
				: cometbft_json_hex(CS_BYTES_OF(sig->validator.b)),
			 "timestamp", cometbft_json_time(sig->time), "signature",
			 rpc_json_bytes(cmt_signature_bytes(&sig->signature)));
}

json_t *rpc_json_commit(const struct cmt_commit *commit)
{
	json_t *list = json_array();
	for (size_t i = 0; i < commit->count; i++)
		(void)json_array_append_new(list, json_signature(&commit->sigs[i]));
	/* The empty commit of a first block has an empty list and not null. */
	return json_pack("{sosisoso}", "height", cometbft_json_number(commit->height), "round",
			 (int)commit->round, "block_id", rpc_json_block_id(&commit->block_id),
			 "signatures", list);
}

json_t *rpc_json_txs(const struct cs_bytes *txs, size_t count)
{
	json_t *list = json_array();
	for (size_t i = 0; i < count; i++)
		(void)json_array_append_new(list, cometbft_json_base64(txs[i]));
	return list;
}

json_t *rpc_json_vote(const struct cmt_vote *v)
{
	json_t *vote =
		json_pack("{sisosisososo}", "type", (int)v->type, "height",
			  cometbft_json_number(v->height), "round", (int)v->round, "block_id",
			  rpc_json_block_id(&v->block_id), "timestamp", cometbft_json_time(v->time),
			  "validator_address", cometbft_json_hex(CS_BYTES_OF(v->validator.b)));
	(void)json_object_set_new(vote, "validator_index", json_integer(v->index));
	(void)json_object_set_new(vote, "signature",
				  rpc_json_bytes(cmt_signature_bytes(&v->signature)));
	(void)json_object_set_new(vote, "extension", rpc_json_bytes(v->extension));
	(void)json_object_set_new(vote, "extension_signature",
				  rpc_json_bytes(cmt_signature_bytes(&v->extension_signature)));
	return vote;
}

static json_t *json_validators(const struct cmt_validator *list, size_t count)
{
	json_t *validators = json_array();
	for (size_t i = 0; i < count; i++)
		(void)json_array_append_new(validators, rpc_json_validator(&list[i]));
	return or_null(validators);
}

static json_t *json_attack(const struct cmt_light_attack *a)
{
	const struct cmt_light_block *block = &a->conflicting;
	const struct cmt_validator_set *set = &block->validators;
	json_t *conflicting = json_pack("{s{soso}s{soso}}", "signed_header", "header",
					rpc_json_header(&block->header), "commit",
					rpc_json_commit(&block->commit), "validator_set",
					"validators", json_validators(set->list, set->count),
					"proposer", rpc_json_validator(&set->proposer));
	return json_pack("{sss{sososososo}}", "type", "tendermint/LightClientAttackEvidence",
			 "value", "ConflictingBlock", conflicting, "CommonHeight",
			 cometbft_json_number(a->common_height), "ByzantineValidators",
			 json_validators(a->byzantine, a->byzantine_count), "TotalVotingPower",
			 cometbft_json_number(a->power_total), "Timestamp",
			 cometbft_json_time(a->time));
}

json_t *rpc_json_evidence(const struct cmt_evidence *e)
{
	const struct cmt_duplicate_vote *d = &e->duplicate_vote;
	if (e->kind != CMT_DUPLICATE_VOTE)
		return json_attack(&e->light_attack);
	return json_pack("{sss{sososososo}}", "type", "tendermint/DuplicateVoteEvidence", "value",
			 "vote_a", rpc_json_vote(&d->a), "vote_b", rpc_json_vote(&d->b),
			 "TotalVotingPower", cometbft_json_number(d->power_total), "ValidatorPower",
			 cometbft_json_number(d->power), "Timestamp", cometbft_json_time(d->time));
}

json_t *rpc_json_block(const struct cmt_block *block)
{
	json_t *evidence = json_array();
	for (size_t i = 0; i < block->evidence_count; i++)
		(void)json_array_append_new(evidence, rpc_json_evidence(&block->evidence[i]));
	return json_pack("{sos{so}s{so}so}", "header", rpc_json_header(&block->header), "data",
			 "txs", rpc_json_txs(block->txs, block->tx_count), "evidence", "evidence",
			 evidence, "last_commit", rpc_json_commit(&block->last_commit));
}

json_t *rpc_json_validator(const struct cmt_validator *v)
{
	return json_pack("{sosososo}", "address", cometbft_json_hex(CS_BYTES_OF(v->address.b)),
			 "pub_key", node_key_json(&v->key), "voting_power",
			 cometbft_json_number(v->power), "proposer_priority",
			 cometbft_json_number(v->priority));
}

json_t *rpc_json_proof(const struct cmt_proof *proof)
{
	json_t *aunts = json_array();
	for (size_t i = 0; i < proof->count; i++)
		(void)json_array_append_new(aunts,
					    cometbft_json_base64(CS_BYTES_OF(proof->aunts[i].b)));
	return json_pack("{sosososo}", "total", cometbft_json_number(proof->total), "index",
			 cometbft_json_number(proof->index), "leaf_hash",
			 cometbft_json_base64(CS_BYTES_OF(proof->leaf.b)), "aunts", aunts);
}

/* consensus/types/round_state.go. */
static const struct {
	const char *name;
	int number;
} steps[] = {[BFT_STEP_NEW_HEIGHT] = {"RoundStepNewHeight", 1},
	     [BFT_STEP_PROPOSE] = {"RoundStepPropose", 3},
	     [BFT_STEP_PREVOTE] = {"RoundStepPrevote", 4},
	     [BFT_STEP_PRECOMMIT] = {"RoundStepPrecommit", 6},
	     [BFT_STEP_COMMIT] = {"RoundStepCommit", 8}};

const char *rpc_step_name(enum bft_step_name step)
{
	return steps[step].name;
}

int rpc_step_number(enum bft_step_name step)
{
	return steps[step].number;
}

/* ---- application ---- */

static json_t *json_attribute(const struct abci_event_attribute *a)
{
	return json_pack("{sososb}", "key", cometbft_json_text(a->key), "value",
			 cometbft_json_text(a->value), "index", (int)a->index);
}

json_t *rpc_json_events(const struct abci_events *events)
{
	json_t *list = json_array();
	for (size_t i = 0; i < events->count; i++) {
		const struct abci_event *e = &events->items[i];
		json_t *attributes = json_array();
		for (size_t k = 0; k < e->attributes.count; k++)
			(void)json_array_append_new(attributes,
						    json_attribute(&e->attributes.items[k]));
		(void)json_array_append_new(list,
					    json_pack("{soso}", "type", cometbft_json_text(e->type),
						      "attributes", attributes));
	}
	return list;
}

json_t *rpc_json_tx_result(const struct abci_tx_result *r)
{
	return json_pack("{sIsososososososo}", "code", (json_int_t)r->code, "data",
			 rpc_json_bytes(r->data), "log", cometbft_json_text(r->log), "info",
			 cometbft_json_text(r->info), "gas_wanted",
			 cometbft_json_number(r->gas_wanted), "gas_used",
			 cometbft_json_number(r->gas_used), "events", rpc_json_events(&r->events),
			 "codespace", cometbft_json_text(r->codespace));
}

static void set_text(json_t *object, const char *name, struct cs_bytes text)
{
	if (text.n > 0)
		(void)json_object_set_new(object, name, cometbft_json_text(text));
}

static void set_number(json_t *object, const char *name, int64_t number)
{
	if (number != 0)
		(void)json_object_set_new(object, name, cometbft_json_number(number));
}

json_t *rpc_json_tx_result_short(const struct abci_tx_result *r)
{
	json_t *result = json_object();
	if (r->code != 0)
		(void)json_object_set_new(result, "code", json_integer(r->code));
	if (r->data.n > 0)
		(void)json_object_set_new(result, "data", cometbft_json_base64(r->data));
	set_text(result, "log", r->log);
	set_text(result, "info", r->info);
	set_number(result, "gas_wanted", r->gas_wanted);
	set_number(result, "gas_used", r->gas_used);
	if (r->events.count > 0)
		(void)json_object_set_new(result, "events", rpc_json_events(&r->events));
	set_text(result, "codespace", r->codespace);
	return result;
}

json_t *rpc_json_check_tx(const struct abci_check_tx_response *r)
{
	const struct abci_tx_result same = {.code = r->code,
					    .data = r->data,
					    .log = r->log,
					    .info = r->info,
					    .gas_wanted = r->gas_wanted,
					    .gas_used = r->gas_used,
					    .events = r->events,
					    .codespace = r->codespace};
	return rpc_json_tx_result(&same);
}

json_t *rpc_json_updates(const struct abci_validator_updates *updates)
{
	json_t *list = json_array();
	for (size_t i = 0; i < updates->count; i++) {
		const struct abci_validator_update *u = &updates->items[i];
		json_t *update = json_pack(
			"{s{s{ssso}}}", "pub_key", "Sum", "type",
			u->pub_key.type == ABCI_KEY_ED25519 ? "tendermint.crypto.PublicKey_Ed25519"
							    : "unknown",
			"value",
			json_pack("{so}", "ed25519", cometbft_json_base64(u->pub_key.bytes)));
		set_number(update, "power", u->power);
		(void)json_array_append_new(list, update);
	}
	return or_null(list);
}

json_t *rpc_json_consensus_params(const struct abci_consensus_params *p)
{
	json_t *params = json_object();
	if (p == NULL) {
		json_decref(params);
		return json_null();
	}
	if (p->block != NULL)
		(void)json_object_set_new(
			params, "block",
			json_pack("{soso}", "max_bytes", cometbft_json_number(p->block->max_bytes),
				  "max_gas", cometbft_json_number(p->block->max_gas)));
	if (p->evidence != NULL)
		(void)json_object_set_new(
			params, "evidence",
			json_pack("{sososo}", "max_age_num_blocks",
				  cometbft_json_number(p->evidence->max_age_num_blocks),
				  "max_age_duration",
				  cometbft_json_number(p->evidence->max_age_duration_ns),
				  "max_bytes", cometbft_json_number(p->evidence->max_bytes)));
	if (p->validator != NULL) {
		json_t *types = json_array();
		for (size_t i = 0; i < p->validator->pub_key_types.count; i++)
			(void)json_array_append_new(
				types, cometbft_json_text(p->validator->pub_key_types.items[i]));
		(void)json_object_set_new(params, "validator",
					  json_pack("{so}", "pub_key_types", types));
	}
	if (p->version != NULL)
		(void)json_object_set_new(
			params, "version",
			json_pack("{so}", "app", cometbft_json_number((int64_t)p->version->app)));
	if (p->abci != NULL)
		(void)json_object_set_new(
			params, "abci",
			json_pack("{so}", "vote_extensions_enable_height",
				  cometbft_json_number(p->abci->vote_extensions_enable_height)));
	return params;
}
