#include "host/cometbft_values.h"

/*~ The order of names in objects is that of CometBFT's structs: whoever compares texts finds the same
 * ones. A list that is empty is null where Go holds nil, and [] where it holds a list. */

static json_t *or_null(json_t *list)
{
	if (json_array_size(list) > 0)
		return list;
	json_decref(list);
	return json_null();
}

json_t *cometbft_json_bytes(struct cs_bytes bytes)
{
	return bytes.n > 0 ? cometbft_json_base64(bytes) : json_null();
}

static json_t *json_hash(const struct cmt_hash *hash)
{
	return cometbft_json_hex(cmt_hash_bytes(hash));
}

/* ---- chain ---- */

json_t *cometbft_json_block_id(const struct cmt_block_id *id)
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

json_t *cometbft_json_header(const struct cmt_header *h)
{
	json_t *header =
		json_pack("{sosososososo}", "version", json_version(h), "chain_id",
			  cometbft_json_text(cmt_chain_id_bytes(&h->chain_id)), "height",
			  cometbft_json_number(h->height), "time", cometbft_json_time(h->time),
			  "last_block_id", cometbft_json_block_id(&h->last_block_id),
			  "last_commit_hash", json_hash(&h->last_commit_hash));
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
			 cometbft_json_bytes(cmt_signature_bytes(&sig->signature)));
}

json_t *cometbft_json_commit(const struct cmt_commit *commit)
{
	json_t *list = json_array();
	for (size_t i = 0; i < commit->count; i++)
		(void)json_array_append_new(list, json_signature(&commit->sigs[i]));
	/* The empty commit of a first block has an empty list and not null. */
	return json_pack("{sosisoso}", "height", cometbft_json_number(commit->height), "round",
			 (int)commit->round, "block_id", cometbft_json_block_id(&commit->block_id),
			 "signatures", list);
}

json_t *cometbft_json_vote(const struct cmt_vote *v)
{
	json_t *vote = json_pack("{sisosisososo}", "type", (int)v->type, "height",
				 cometbft_json_number(v->height), "round", (int)v->round,
				 "block_id", cometbft_json_block_id(&v->block_id), "timestamp",
				 cometbft_json_time(v->time), "validator_address",
				 cometbft_json_hex(CS_BYTES_OF(v->validator.b)));
	(void)json_object_set_new(vote, "validator_index", json_integer(v->index));
	(void)json_object_set_new(vote, "signature",
				  cometbft_json_bytes(cmt_signature_bytes(&v->signature)));
	(void)json_object_set_new(vote, "extension", cometbft_json_bytes(v->extension));
	(void)json_object_set_new(
		vote, "extension_signature",
		cometbft_json_bytes(cmt_signature_bytes(&v->extension_signature)));
	return vote;
}

json_t *cometbft_json_key(const struct cs_ed25519_key *key)
{
	return json_pack("{ssso}", "type", "tendermint/PubKeyEd25519", "value",
			 cometbft_json_base64(CS_BYTES_OF(key->b)));
}

json_t *cometbft_json_validator(const struct cmt_validator *v)
{
	return json_pack("{sosososo}", "address", cometbft_json_hex(CS_BYTES_OF(v->address.b)),
			 "pub_key", cometbft_json_key(&v->key), "voting_power",
			 cometbft_json_number(v->power), "proposer_priority",
			 cometbft_json_number(v->priority));
}

static json_t *json_validators(const struct cmt_validator *list, size_t count)
{
	json_t *validators = json_array();
	for (size_t i = 0; i < count; i++)
		(void)json_array_append_new(validators, cometbft_json_validator(&list[i]));
	return or_null(validators);
}

static json_t *json_attack(const struct cmt_light_attack *a)
{
	const struct cmt_light_block *block = &a->conflicting;
	const struct cmt_validator_set *set = &block->validators;
	json_t *conflicting = json_pack("{s{soso}s{soso}}", "signed_header", "header",
					cometbft_json_header(&block->header), "commit",
					cometbft_json_commit(&block->commit), "validator_set",
					"validators", json_validators(set->list, set->count),
					"proposer", cometbft_json_validator(&set->proposer));
	return json_pack("{sss{sososososo}}", "type", "tendermint/LightClientAttackEvidence",
			 "value", "ConflictingBlock", conflicting, "CommonHeight",
			 cometbft_json_number(a->common_height), "ByzantineValidators",
			 json_validators(a->byzantine, a->byzantine_count), "TotalVotingPower",
			 cometbft_json_number(a->power_total), "Timestamp",
			 cometbft_json_time(a->time));
}

json_t *cometbft_json_evidence(const struct cmt_evidence *e)
{
	const struct cmt_duplicate_vote *d = &e->duplicate_vote;
	if (e->kind != CMT_DUPLICATE_VOTE)
		return json_attack(&e->light_attack);
	return json_pack("{sss{sososososo}}", "type", "tendermint/DuplicateVoteEvidence", "value",
			 "vote_a", cometbft_json_vote(&d->a), "vote_b", cometbft_json_vote(&d->b),
			 "TotalVotingPower", cometbft_json_number(d->power_total), "ValidatorPower",
			 cometbft_json_number(d->power), "Timestamp", cometbft_json_time(d->time));
}
