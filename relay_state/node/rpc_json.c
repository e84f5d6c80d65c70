#include "relay_state/node/rpc_inner.h"

json_t *rpc_json_txs(const struct cs_bytes *txs, size_t count)
{
	json_t *list = json_array();
	for (size_t i = 0; i < count; i++)
		(void)json_array_append_new(list, cometbft_json_base64(txs[i]));
	return list;
}

json_t *rpc_json_block(const struct cmt_block *block)
{
	json_t *evidence = json_array();
	for (size_t i = 0; i < block->evidence_count; i++)
		(void)json_array_append_new(evidence, cometbft_json_evidence(&block->evidence[i]));
	return json_pack("{sos{so}s{so}so}", "header", cometbft_json_header(&block->header), "data",
			 "txs", rpc_json_txs(block->txs, block->tx_count), "evidence", "evidence",
			 evidence, "last_commit", cometbft_json_commit(&block->last_commit));
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
			 cometbft_json_bytes(r->data), "log", cometbft_json_text(r->log), "info",
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

static json_t *or_null(json_t *list)
{
	if (json_array_size(list) > 0)
		return list;
	json_decref(list);
	return json_null();
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
