/* What a CometBFT node answers, read: recorded answers of real nodes, and what must be refused. */
#include "adapters/cometbft/inner.h"
#include "common.h"
#include "verify/cometbft/evidence.h"

static struct cs_why why;

/* The result of a recorded answer, with or without what JSON-RPC puts around it. */
static const json_t *result_of(const json_t *json)
{
	const json_t *result = json_object_get(json, "result");

	return result != NULL ? result : json;
}

/* ---- recorded light blocks ---- */

static void test_light_blocks(void **state)
{
	static const char *const names[] = {"cosmos-sdk/light_block_56.json",
					    "cosmos-sdk/light_block_57.json"};
	static uint8_t memory[1u << 16];
	struct cmt_validator list[16];

	(void)state;
	for (size_t i = 0; i < CS_LEN(names); i++) {
		json_t *json = load(names[i]);
		const json_t *both = at(at(json, "commit"), "signed_header");
		const json_t *validators = at(at(json, "validators"), "validators");
		struct cmt_light_block block;
		struct cs_arena arena;

		assert_ok(comet_json_header(&block.header, at(both, "header"), &why));
		assert_ok(comet_json_commit(&block.commit, at(both, "commit"), &why));
		assert_true(json_array_size(validators) <= CS_LEN(list));
		for (size_t k = 0; k < json_array_size(validators); k++)
			assert_ok(comet_json_validator(&list[k], json_array_get(validators, k)));
		cs_arena_init(&arena, memory, sizeof(memory));
		assert_ok(cmt_validator_set_init(&block.validators, &arena, CS_LEN(list)));
		assert_ok(cmt_validator_set_fill(&block.validators, list,
						 json_array_size(validators), NULL, &why));
		assert_ok(cmt_light_block_check(&block, &why));
		assert_ok(cmt_commit_verify_light(&block.commit, &block.validators,
						  &block.header.chain_id, &block.commit.block_id,
						  block.header.height, true, &why));
		comet_commit_clear(&block.commit);
		json_decref(json);
	}
}

static void test_recorded_commits(void **state)
{
	(void)state;
	for (int height = 2; height <= 20; height += 2) {
		char name[64];
		struct cmt_header header;
		struct cmt_commit commit;

		snprintf(name, sizeof(name), "cometbft/live-0.38.26/out_commit_%d.json", height);
		json_t *json = load(name);
		const json_t *both = at(result_of(json), "signed_header");
		assert_ok(comet_json_header(&header, at(both, "header"), &why));
		assert_ok(comet_json_commit(&commit, at(both, "commit"), &why));
		assert_ok(cmt_signed_header_check(&header, &commit, &why));
		assert_int_equal(header.height, height);
		comet_commit_clear(&commit);
		json_decref(json);
	}
}

/* ---- recorded blocks ---- */

/* Wherever the recording has it. */
static struct comet_header header_of(const json_t *json)
{
	const json_t *block = json_object_get(result_of(json), "block");
	const json_t *commit = json_object_get(json, "commit");
	const json_t *both =
		json_object_get(commit != NULL ? commit : result_of(json), "signed_header");
	struct comet_header header = {.refs = 1};

	assert_ok(comet_json_header(&header.header,
				    json_object_get(block != NULL ? block : both, "header"), &why));
	header.public.id.height = (uint64_t)header.header.height;
	return header;
}

/* Real blocks and results, under the hashes of real headers; and with one thing changed. */
static void read_recorded(const char *block, const char *results, const char *above, size_t count)
{
	json_t *json[3] = {load(block), load(results), load(above)};
	json_t *list = json_object_get(json_object_get(json[1], "result"), "txs_results");
	struct comet_header header = header_of(json[0]);
	struct comet_header next = header_of(json[2]);
	struct comet_content content = {.txs = NULL};
	struct comet comet = {.ending = false};

	assert_ok(comet_content_read(&content, &comet, &header, &next, result_of(json[0]),
				     result_of(json[1])));
	assert_int_equal(content.tx_count, count);
	assert_int_equal(content.event_count, 0); /* of another application */
	comet_content_clear(&content);
	static const struct {
		const char *name;
		const char *value;
	} changes[] = {
		{"code", "7"},          {"code", "-1"},
		{"gas_used", "\"99\""}, {"gas_wanted", "\"99\""},
		{"data", "\"AAAA\""},
	};
	for (size_t i = 0; i < CS_LEN(changes); i++) {
		json_t *copy = json_deep_copy(json[1]);
		json_t *one = json_array_get(
			json_object_get(json_object_get(copy, "result"), "txs_results"), 0);

		json_object_set_new(one, changes[i].name,
				    json_loads(changes[i].value, JSON_DECODE_ANY, NULL));
		content = (struct comet_content){.txs = NULL};
		assert_int_not_equal(comet_content_read(&content, &comet, &header, &next,
							result_of(json[0]), result_of(copy)),
				     CS_OK);
		comet_content_clear(&content);
		json_decref(copy);
	}
	json_array_remove(list, 0);
	content = (struct comet_content){.txs = NULL};
	assert_err(MALFORMED, comet_content_read(&content, &comet, &header, &next,
						 result_of(json[0]), result_of(json[1])));
	comet_content_clear(&content);
	for (size_t i = 0; i < CS_LEN(json); i++)
		json_decref(json[i]);
}

static void test_recorded_blocks(void **state)
{
	(void)state;
	read_recorded("cometbft/live-0.38.26/out_block_5.json",
		      "cometbft/live-0.38.26/out_block_results_5.json",
		      "cometbft/live-0.38.26/out_commit_6.json", 1);
	read_recorded("cometbft/testnet-0.38.19/block_1154.json",
		      "cometbft/testnet-0.38.19/block_results_1154.json",
		      "cometbft/testnet-0.38.19/light_block_1155.json", 1);
	read_recorded("cometbft/testnet-0.38.19/block_1158.json",
		      "cometbft/testnet-0.38.19/block_results_1158.json",
		      "cometbft/testnet-0.38.19/light_block_1159.json", 1);
}

/* A real node's status, and what its websocket tells. */
static void test_recorded_answers(void **state)
{
	json_t *status = load("cometbft/testnet-0.38.19/status.json");
	json_t *query = load("cometbft/testnet-0.38.19/abci_query_prove.json");
	json_t *event = load("cometbft/testnet-0.38.19/ws_event_tx.json");
	char *text = json_dumps(event, JSON_COMPACT);
	struct adapter_rpc_reply replies[2] = {{.result = result_of(status)},
					       {.result = result_of(query)}};
	struct comet_nodes nodes = {.set_next = 0};
	uint64_t height = 0;
	char told[120] = "";

	(void)state;
	assert_ok(cmt_chain_id_set(&nodes.chain_id, cs_bytes_str("chain-8dQI1i")));
	assert_false(comet_dialect.is_our_chain(&nodes, told, &height, replies));
	assert_string_equal(told, "the application has no chain tag");
	assert_ok(cmt_chain_id_set(&nodes.chain_id, cs_bytes_str("chain-8dQI1j")));
	told[0] = '\0';
	assert_false(comet_dialect.is_our_chain(&nodes, told, &height, replies));
	assert_string_equal(told, "the network is chain-8dQI1i");
	assert_int_equal(comet_hint_read(cs_bytes_str(text)), ADAPTER_HINT_NEWS);
	free(text);
	json_decref(status);
	json_decref(query);
	json_decref(event);
}

/* ---- what must be refused ---- */

/* The header with one member exchanged: refused, or another header. */
static void change(const char *name, json_t *value, bool refused)
{
	json_t *json = load("cosmos-sdk/light_block_56.json");
	json_t *header = json_object_get(
		json_object_get(json_object_get(json, "commit"), "signed_header"), "header");
	struct cmt_header before = {.height = 0};
	struct cmt_header after = {.height = 0};

	assert_ok(comet_json_header(&before, header, &why));
	if (value == NULL)
		json_object_del(header, name);
	else
		json_object_set_new(header, name, value);
	enum cs_err err = comet_json_header(&after, header, &why);
	if (refused) {
		assert_int_not_equal(err, CS_OK);
		assert_int_equal(after.height, 0); /* untouched */
	} else {
		struct cs_hash a = cmt_header_hash(&before);
		assert_ok(err);
		struct cs_hash b = cmt_header_hash(&after);
		assert_false(cs_hash_eq(&a, &b));
	}
	json_decref(json);
}

static void test_bad_headers(void **state)
{
	static const char *const names[] = {"chain_id",
					    "height",
					    "time",
					    "last_block_id",
					    "last_commit_hash",
					    "data_hash",
					    "validators_hash",
					    "next_validators_hash",
					    "consensus_hash",
					    "app_hash",
					    "last_results_hash",
					    "evidence_hash",
					    "proposer_address"};

	(void)state;
	for (size_t i = 0; i < CS_LEN(names); i++) {
		change(names[i], NULL, true);
		change(names[i], json_integer(1), true);
		change(names[i], json_string("zz"), strcmp(names[i], "chain_id") != 0);
	}
	change("height", json_string("-5"), true);
	change("height", json_string("0"), true);
	change("height", json_string("9223372036854775808"), true);
	change("height", json_string("57"), false);
	change("time", json_string("2026-11-21T12:20:48"), true);
	change("time", json_string("2026-02-30T12:20:48Z"), true);
	change("validators_hash", json_string(""), true);
	change("data_hash", json_string(""), false);
	change("app_hash", json_string("ABC"), true);
	change("app_hash", json_string("AB"), false);
}

static json_t *signature_of(json_t *json)
{
	json_t *commit = json_object_get(
		json_object_get(json_object_get(json, "commit"), "signed_header"), "commit");

	return json_array_get(json_object_get(commit, "signatures"), 0);
}

static void test_bad_commits(void **state)
{
	static const struct {
		const char *name;
		const char *json;
	} rows[] = {
		{"block_id_flag", "0"},          {"block_id_flag", "4"},
		{"block_id_flag", "\"2\""},      {"validator_address", "\"\""},
		{"validator_address", "\"AB\""}, {"timestamp", "\"now\""},
		{"signature", "null"},           {"signature", "\"AAAA\""},
		{"signature", "\"====\""},       {"signature", "7"},
	};

	(void)state;
	for (size_t i = 0; i < CS_LEN(rows); i++) {
		json_t *json = load("cosmos-sdk/light_block_56.json");
		json_t *value = json_loads(rows[i].json, JSON_DECODE_ANY, NULL);
		struct cmt_commit commit = {.height = 0};

		assert_non_null(value);
		json_object_set_new(signature_of(json), rows[i].name, value);
		assert_int_not_equal(
			comet_json_commit(&commit,
					  at(at(at(json, "commit"), "signed_header"), "commit"),
					  &why),
			CS_OK);
		assert_null(commit.sigs);
		json_decref(json);
	}
}

static void test_numbers(void **state)
{
	static const struct {
		const char *json;
		enum cs_err err;
	} rows[] = {
		{"\"0\"", CS_OK},
		{"\"9223372036854775807\"", CS_OK},
		{"\"9223372036854775808\"", CS_ERR_OVERFLOW},
		{"\"-1\"", CS_ERR_MALFORMED},
		{"\"\"", CS_ERR_MALFORMED},
		{"\"1 \"", CS_ERR_MALFORMED},
		{"\"0x1\"", CS_ERR_MALFORMED},
		{"1", CS_ERR_MALFORMED},
		{"null", CS_ERR_MALFORMED},
	};
	uint64_t value = 77;

	(void)state;
	for (size_t i = 0; i < CS_LEN(rows); i++) {
		json_t *json = json_loads(rows[i].json, JSON_DECODE_ANY, NULL);

		assert_int_equal(comet_json_u64(&value, json), rows[i].err);
		json_decref(json);
	}
	assert_int_equal(value, INT64_MAX);
	assert_err(MISSING_FIELD, comet_json_u64(&value, NULL));
}

/* ---- the dialect ---- */

static void test_errors(void **state)
{
	static const struct {
		int64_t code;
		const char *data;
		enum adapter_rpc_class class;
	} rows[] = {
		{-32603, "tx already exists in cache", ADAPTER_RPC_KNOWN},
		{-32603,
		 "height 100 must be less than or equal to the current blockchain height 20",
		 ADAPTER_RPC_STATE},
		{-32603, "height 1 is not available, lowest height is 5", ADAPTER_RPC_STATE},
		{-32603, "could not find results for height #7", ADAPTER_RPC_STATE},
		{-32603, "tx (AB) not found", ADAPTER_RPC_STATE},
		{-32603, "mempool is full", ADAPTER_RPC_NODE},
		{-32603, "failed to add evidence: evidence that a block carried before",
		 ADAPTER_RPC_KNOWN},
		{-32603, "failed to add evidence: too much evidence at once, try again",
		 ADAPTER_RPC_LIMIT},
		{-32603, "failed to add evidence: the height 9 not found", ADAPTER_RPC_INVALID},
		{-32603, "evidence.ValidateBasic failed: no block", ADAPTER_RPC_INVALID},
		{-32601, "", ADAPTER_RPC_METHOD},
		{-32602, "error converting json params", ADAPTER_RPC_INVALID},
		{-32000, "anything", ADAPTER_RPC_NODE},
	};

	(void)state;
	for (size_t i = 0; i < CS_LEN(rows); i++) {
		json_t *data = json_string(rows[i].data);

		assert_int_equal(comet_dialect.classify(rows[i].code, "Internal error", data),
				 rows[i].class);
		json_decref(data);
	}
	/* Without data the message is all there is. */
	assert_int_equal(comet_dialect.classify(-32603, "Internal error", NULL), ADAPTER_RPC_NODE);
}

static void test_hints(void **state)
{
	static const struct {
		const char *text;
		enum adapter_hint_says says;
	} rows[] = {
		{"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}", ADAPTER_HINT_ACCEPTED},
		{"{\"id\":1,\"result\":{\"query\":\"tm.event='NewBlockHeader'\",\"data\":{}}}",
		 ADAPTER_HINT_NEWS},
		{"{\"id\":1,\"error\":{\"code\":-32603,\"message\":\"Internal error\"}}",
		 ADAPTER_HINT_REFUSED},
		{"{\"id\":1,\"result\":{\"n\":1}}", ADAPTER_HINT_OTHER},
		{"{}", ADAPTER_HINT_OTHER},
		{"[]", ADAPTER_HINT_LIE},
		{"x", ADAPTER_HINT_LIE},
		{"", ADAPTER_HINT_LIE},
	};

	(void)state;
	for (size_t i = 0; i < CS_LEN(rows); i++)
		assert_int_equal(comet_hint_read(cs_bytes_str(rows[i].text)), rows[i].says);
}

static bool is_ours(const char *network, const char *tag, uint64_t *height)
{
	static struct comet_nodes nodes;
	char text[120] = "";
	json_t *status = json_pack("{s:{s:s},s:{s:s}}", "node_info", "network", network,
				   "sync_info", "latest_block_height", "12");
	json_t *answer = json_pack("{s:{s:i,s:s}}", "response", "code", 0, "value", tag);
	struct adapter_rpc_reply replies[2] = {{.result = status}, {.result = answer}};

	assert_ok(cmt_chain_id_set(&nodes.chain_id, cs_bytes_str("ledger-1")));
	memset(nodes.chain_tag.b, 0x11, 32);
	bool ours = comet_dialect.is_our_chain(&nodes, text, height, replies);
	assert_int_equal(ours, text[0] == '\0');
	json_decref(status);
	json_decref(answer);
	return ours;
}

static void test_which_chain(void **state)
{
	uint64_t height = 0;

	(void)state;
	assert_true(is_ours("ledger-1", "ERERERERERERERERERERERERERERERERERERERERERE=", &height));
	assert_int_equal(height, 12);
	assert_false(is_ours("ledger-2", "ERERERERERERERERERERERERERERERERERERERERERE=", &height));
	/* One id, another genesis; an application that is none of ours. */
	assert_false(is_ours("ledger-1", "EhERERERERERERERERERERERERERERERERERERERERE=", &height));
	assert_false(is_ours("ledger-1", "", &height));
	assert_false(is_ours("ledger-1", "ERER", &height));
}

/* ---- evidence ---- */

static struct cs_bytes bytes_at(const json_t *json, const char *key, uint8_t *memory, size_t size)
{
	const char *text = json_string_value(at(json, key));
	size_t n = strlen(text) / 2;

	assert_true(n <= size);
	assert_ok(cs_unhex(memory, n, cs_bytes_str(text)));
	return cs_bytes(memory, n);
}

/* Three of four signed another block of one height, and a later block of a real CometBFT carries what was made of it: the
 * bytes are those that its header commits to, and what we post is what it shows. */
static void check_carried(const char *name, int64_t common_height, size_t guilty)
{
	static uint8_t memory[1u << 14], work[1u << 18];
	json_t *json = load(name);
	const json_t *block = at(at(json, "result"), "block");
	const json_t *list = at(at(block, "evidence"), "evidence");
	struct cs_bytes bytes = bytes_at(json, "encoded", memory, sizeof(memory));
	struct cmt_evidence evidence;
	struct cmt_header header;
	struct cs_arena arena;
	struct cs_hash root;

	cs_arena_init(&arena, work, sizeof(work));
	assert_ok(comet_json_header(&header, at(block, "header"), &why));
	assert_ok(cmt_evidence_decode(&evidence, bytes, &arena, &why));
	assert_ok(cmt_evidence_root(&root, &evidence, 1, &arena));
	assert_true(cs_hash_eq(&root, &header.evidence_hash.hash));
	json_t *shown = adapter_cometbft_evidence_json(bytes);
	assert_int_equal(json_array_size(list), 1);
	assert_true(json_equal(at(shown, "evidence"), json_array_get(list, 0)));
	assert_int_equal(json_integer_value(at(shown, "common_height")), common_height);
	assert_int_equal(json_array_size(at(shown, "validators")), guilty);
	json_decref(shown);
	cs_arena_done(&arena);
	json_decref(json);
}

static void test_evidence_that_a_block_carries(void **state)
{
	(void)state;
	check_carried("cometbft/live-0.38.26/evidence_lunatic.json", 4, 3);
	check_carried("cometbft/live-0.38.26/evidence_equivocation.json", 5, 3);
}

static void test_what_is_no_evidence(void **state)
{
	static uint8_t memory[1u << 14];
	json_t *json = load("cometbft/live-0.38.26/evidence_lunatic.json");
	json_t *generated = load("cometbft/generated.json");
	struct cs_bytes bytes = bytes_at(json, "encoded", memory, sizeof(memory));

	(void)state;
	for (size_t n = 0; n < bytes.n; n++)
		assert_null(adapter_cometbft_evidence_json(cs_bytes(memory, n)));
	/* Two votes are none of two branches. */
	bytes = bytes_at(json_array_get(at(generated, "duplicate_votes"), 0), "encoded", memory,
			 sizeof(memory));
	assert_null(adapter_cometbft_evidence_json(bytes));
	json_decref(generated);
	json_decref(json);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_evidence_that_a_block_carries),
		cmocka_unit_test(test_what_is_no_evidence),
		cmocka_unit_test(test_light_blocks),
		cmocka_unit_test(test_recorded_commits),
		cmocka_unit_test(test_bad_headers),
		cmocka_unit_test(test_bad_commits),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_hints),
		cmocka_unit_test(test_which_chain),
		cmocka_unit_test(test_recorded_blocks),
		cmocka_unit_test(test_recorded_answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
