/* Everything that reads what a CometBFT node answers: the reply itself, then its results as every kind of
 * thing that is asked for. A header and a commit that are taken have one encoding; a block is read with
 * the hashes that its own transactions and results have, so that its events are reached. */
#include "adapters/cometbft/inner.h"
#include "host/cometbft_text.h"
#include "tests/fuzz/fuzz.h"
#include "verify/cometbft/tx.h"

#include <stdlib.h>

#define CALLS 3
#define ITEMS_MAX 16

static struct comet comet;

static void set_up(void)
{
	struct cs_why why;

	if (comet.contracts.count > 0)
		return;
	comet.nodes.chain_tag.b[0] = 1;
	cs_assert(cmt_chain_id_set(&comet.nodes.chain_id, cs_bytes_str("adapter-1")) == CS_OK);
	struct cs_address gateway = {{0}};
	gateway.b[17] = 0xca;
	gateway.b[18] = 0x15;
	gateway.b[19] = 1;
	cs_assert(evm_contracts_of_gateway(&comet.contracts, "cosmos:adapter-1",
					   &comet.nodes.chain_tag, &gateway, &why) == CS_OK);
}

/* ---- light blocks ---- */

static void read_validators(const json_t *json)
{
	const json_t *list = json_object_get(json, "validators");

	for (size_t i = 0; i < json_array_size(list); i++) {
		struct cmt_validator validator;

		if (comet_json_validator(&validator, json_array_get(list, i)) != CS_OK)
			continue;
		json_int_t power = atoll(json_string_value(
			json_object_get(json_array_get(list, i), "voting_power")));
		cs_assert(validator.power == power);
	}
}

static void read_light_block(const json_t *json)
{
	const json_t *both = json_object_get(json, "signed_header");
	struct cmt_header header = {.height = 0};
	struct cmt_commit commit = {.sigs = NULL};
	struct cs_why why;

	if (comet_json_header(&header, json_object_get(both, "header"), &why) != CS_OK) {
		cs_assert(header.height == 0);
		return;
	}
	cs_assert(cmt_header_check(&header, &why) == CS_OK);
	if (comet_json_commit(&commit, json_object_get(both, "commit"), &why) != CS_OK) {
		cs_assert(commit.sigs == NULL);
		return;
	}
	cs_assert(cmt_commit_check(&commit, &why) == CS_OK);
	comet_commit_clear(&commit);
}

/* ---- a block and its results ---- */

static struct cs_hash data_hash(const json_t *block)
{
	const json_t *list =
		json_object_get(json_object_get(json_object_get(block, "block"), "data"), "txs");
	uint8_t *bytes[ITEMS_MAX] = {NULL};
	struct cs_bytes txs[ITEMS_MAX];
	size_t count = json_array_size(list) < ITEMS_MAX ? json_array_size(list) : ITEMS_MAX;

	for (size_t i = 0; i < count; i++) {
		size_t size = 0;

		(void)!comet_json_base64(&bytes[i], &size, json_array_get(list, i));
		txs[i] = cs_bytes(bytes[i], size);
	}
	struct cs_hash hash = cmt_data_hash(txs, count);
	for (size_t i = 0; i < count; i++)
		free(bytes[i]);
	return hash;
}

static struct cs_hash results_hash(const json_t *results)
{
	const json_t *list = json_object_get(results, "txs_results");
	struct cmt_tx_result items[ITEMS_MAX] = {{.code = 0}};
	uint8_t *bytes[ITEMS_MAX] = {NULL};
	struct cs_hash hash = {{0}};
	size_t count = json_array_size(list) < ITEMS_MAX ? json_array_size(list) : ITEMS_MAX;

	for (size_t i = 0; i < count; i++) {
		const json_t *one = json_array_get(list, i);
		uint64_t wanted = 0;
		uint64_t used = 0;
		size_t size = 0;

		(void)!comet_json_u64(&wanted, json_object_get(one, "gas_wanted"));
		(void)!comet_json_u64(&used, json_object_get(one, "gas_used"));
		(void)!comet_json_base64(&bytes[i], &size, json_object_get(one, "data"));
		items[i] = (struct cmt_tx_result){
			(uint32_t)json_integer_value(json_object_get(one, "code")),
			cs_bytes(bytes[i], size), (int64_t)wanted, (int64_t)used};
	}
	(void)!cmt_results_hash(&hash, items, count, fuzz_arena());
	for (size_t i = 0; i < count; i++)
		free(bytes[i]);
	return hash;
}

static void read_block(const json_t *block, const json_t *results)
{
	struct comet_header header = {.public.id.height = 7};
	struct comet_header above = {.public.id.height = 8};
	struct comet_content content = {.txs = NULL};
	struct cs_hash hash = data_hash(block);

	header.header.data_hash = cmt_hash_of(&hash);
	hash = results_hash(results);
	above.header.last_results_hash = cmt_hash_of(&hash);
	if (comet_content_read(&content, &comet, &header, &above, block, results) == CS_OK) {
		cs_assert(content.event_count <= content.logs.count);
		for (size_t i = 0; i < content.event_count; i++)
			cs_assert(content.events[i].at.tx_index < content.tx_count);
	}
	comet_content_clear(&content);
}

/* ---- all of it ---- */

static void read_all(const struct adapter_rpc_reply *replies, size_t count)
{
	uint64_t height = 0;
	char why[120] = "";

	for (size_t i = 0; i < count; i++) {
		cs_assert((replies[i].class == ADAPTER_RPC_FINE) == (replies[i].result != NULL));
		read_light_block(replies[i].result);
		read_validators(replies[i].result);
	}
	if (count < 2)
		return;
	(void)comet_dialect.is_our_chain(&comet.nodes, why, &height, replies);
	cs_assert(height <= INT64_MAX);
	read_block(replies[0].result, replies[1].result);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct adapter_rpc_reply replies[CALLS];
	struct cs_why why;
	json_t *document;

	if (size < 1 || size > 1u << 20)
		return 0;
	set_up();
	struct cs_bytes body = cs_bytes(data + 1, size - 1);
	size_t count = 1 + data[0] % CALLS;
	enum adapter_hint_says says = comet_hint_read(body);
	if (adapter_rpc_decode(&document, replies, count, count == 1, 1, body,
			       comet_dialect.classify, &why) != CS_OK)
		return 0;
	cs_assert(count > 1 || says != ADAPTER_HINT_LIE);
	read_all(replies, count);
	json_decref(document);
	return 0;
}
