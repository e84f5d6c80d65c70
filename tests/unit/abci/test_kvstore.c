/* The kvstore against what CometBFT's own one answered, and against what its rules say. */
#include "core/hash.h"
#include "frames.h"
#include "relay_state/abci/kvstore.h"

#define RECORDED CS_VECTORS "/abci/recorded.jsonl"
#define MEMORY_SIZE (256u * 1024)

static struct abci_kvstore store;
static _Alignas(16) uint8_t memory[MEMORY_SIZE];
static struct abci_app app;

static void make_store(size_t size, const struct abci_kvstore_hooks *hooks)
{
	struct abci_kvstore_options options = {.memory = memory, .memory_size = size};
	if (hooks != NULL)
		options.hooks = *hooks;
	assert_ok(abci_kvstore_init(&store, &options));
	app = abci_kvstore_app(&store);
}

static enum cs_err call(const struct abci_request *request, struct abci_response *response)
{
	struct cs_why why = {""};
	enum cs_err err = abci_app_call(&app, request, response, fresh_arena(), &why);
	assert_true(err == CS_OK || why.text[0] != 0);
	return err;
}

static struct abci_response ask(const struct abci_request *request)
{
	struct abci_response response;
	assert_ok(call(request, &response));
	assert_int_equal(response.method, request->method);
	return response;
}

#define BLOCK_TXS_MAX 64

static struct abci_request block_of(int64_t height, const char *const *txs)
{
	static struct cs_bytes views[BLOCK_TXS_MAX];
	struct abci_request request = {.method = ABCI_FINALIZE_BLOCK};
	size_t count = 0;
	for (; txs[count] != NULL; count++)
		views[count] = cs_bytes_str(txs[count]);
	assert_true(count < BLOCK_TXS_MAX);
	request.finalize_block.height = height;
	request.finalize_block.txs = (struct abci_bytes_list){views, count};
	return request;
}

static struct abci_response finalize(int64_t height, const char *const *txs)
{
	const struct abci_request request = block_of(height, txs);
	return ask(&request);
}

static int64_t commit(void)
{
	const struct abci_request request = {.method = ABCI_COMMIT};
	return ask(&request).commit.retain_height;
}

static struct abci_response query(const char *path, struct cs_bytes data, bool prove)
{
	struct abci_request request = {.method = ABCI_QUERY};
	request.query.path = cs_bytes_str(path);
	request.query.data = data;
	request.query.prove = prove;
	return ask(&request);
}

static void assert_value(const char *key, const char *value)
{
	struct abci_response r = query("", cs_bytes_str(key), false);
	assert_bytes(r.query.log, cs_bytes_str(value == NULL ? "does not exist" : "exists"));
	assert_bytes(r.query.value, value == NULL ? CS_BYTES_NONE : cs_bytes_str(value));
	assert_bytes(r.query.key, cs_bytes_str(key));
}

static uint32_t check(const char *tx)
{
	struct abci_request request = {.method = ABCI_CHECK_TX};
	request.check_tx.tx = cs_bytes_str(tx);
	struct abci_response r = ask(&request);
	assert_int_equal(r.check_tx.gas_wanted, r.check_tx.code == 0);
	return r.check_tx.code;
}

/* Every question that a node of v0.38.26 asked, and every answer of its own kvstore. */
static void test_the_recorded_chain(void **state)
{
	(void)state;
	struct frames *frames = read_frames(RECORDED);
	size_t answered[ABCI_CONNECTION_COUNT] = {0}, compared = 0;
	make_store(MEMORY_SIZE, NULL);
	for (size_t i = 0; i < frames->count; i++) {
		const struct frame *question = &frames->items[i];
		if (!question->is_request)
			continue;
		struct abci_request request;
		struct abci_response response;
		struct cs_arena *arena = fresh_arena();
		assert_ok(abci_request_decode(&request, arena, question->body, NULL));
		assert_ok(abci_app_call(&app, &request, &response, arena, NULL));
		/* Answers stand behind their questions, in order on each connection. */
		size_t *at = &answered[question->connection];
		while (frames->items[*at].is_request ||
		       frames->items[*at].connection != question->connection)
			(*at)++;
		assert_bytes(encoded_response(&response), frames->items[(*at)++].body);
		compared++;
	}
	assert_int_equal(compared, 177);
	assert_int_equal(store.height, 22);
	assert_true(store.size > 0);
}

static const char key_a[] = "val=ed25519!HkRiOOy16pEBY7giAHwClz39KbchbkU1/SyPSbLzkJM=!7";
static const char key_a_out[] = "val=ed25519!HkRiOOy16pEBY7giAHwClz39KbchbkU1/SyPSbLzkJM=!0";

static void test_what_is_a_transaction(void **state)
{
	(void)state;
	static const struct {
		const char *tx;
		uint32_t code;
	} cases[] = {
		{"a=b", 0},
		{"a:b", 0},
		{"", 2},
		{"=", 2},
		{"ab", 2},
		{"=b", 2},
		{"a=", 2},
		{":b", 2},
		{"a:", 2},
		{"a==b", 2},
		{"a=b=c", 2},
		{"a:b:c", 2},
		{"a=b:c", 2},
		{"value=x", 0},
		{"val=x", 2},
		{"val=!!", 2},
		{key_a, 0},
		{"val=!HkRiOOy16pEBY7giAHwClz39KbchbkU1/SyPSbLzkJM=!7", 0},
		{"val=ed25519!HkRiOOy16pEBY7giAHwC\nlz39KbchbkU1/SyPSbLzkJM=!7", 0},
		{"val=ed25519!HkRiOOy16pEBY7giAHwClz39KbchbkU1/SyPSbLzkJM!7", 2},
		{"val=ed25519!HkRiOOy16pEBY7giAHwClz39KbchbkU1/SyPSbLzkJM==!7", 2},
		{"val=ed25519!HkRiOOy16pEBY7giAHwClz39KbchbkU1/SyPSbLzkA==!7", 2},
		{"val=ed25519!HkRiOOy16pEBY7giAHwClz39KbchbkU1/SyPSbLzkJNk!7", 2},
		{"val=ed25519!HkRiOOy16pEBY7giAHwClz39KbchbkU1_SyPSbLzkJM=!7", 2},
		{"val=ed25519!=HkRiOOy16pEBY7giAHwClz39KbchbkU1/SyPSbLzkJM!7", 2},
		{"val=secp256k1!HkRiOOy16pEBY7giAHwClz39KbchbkU1/SyPSbLzkJM=!7", 2},
		{"val=ed25519!HkRiOOy16pEBY7giAHwClz39KbchbkU1/SyPSbLzkJM=!", 2},
		{"val=ed25519!HkRiOOy16pEBY7giAHwClz39KbchbkU1/SyPSbLzkJM=!+7", 0},
		{"val=ed25519!HkRiOOy16pEBY7giAHwClz39KbchbkU1/SyPSbLzkJM=!-0", 0},
		{"val=ed25519!HkRiOOy16pEBY7giAHwClz39KbchbkU1/SyPSbLzkJM=!-1", 2},
		{"val=ed25519!HkRiOOy16pEBY7giAHwClz39KbchbkU1/SyPSbLzkJM=!7!", 2},
		{"val=ed25519!HkRiOOy16pEBY7giAHwClz39KbchbkU1/SyPSbLzkJM=!9223372036854775807", 0},
		{"val=ed25519!HkRiOOy16pEBY7giAHwClz39KbchbkU1/SyPSbLzkJM=!9223372036854775808", 2},
		{"val=ed25519!HkRiOOy16pEBY7giAHwClz39KbchbkU1/SyPSbLzkJM=!7x", 2},
		{"val=ed25519!HkRiOOy16pEBY7giAHwClz39KbchbkU1/SyPSbLzkJM=", 2},
	};
	make_store(MEMORY_SIZE, NULL);
	for (size_t i = 0; i < CS_LEN(cases); i++) {
		if (check(cases[i].tx) != cases[i].code)
			fail_msg("%s", cases[i].tx);
		/* A proposal with it is judged the same. */
		struct cs_bytes tx = cs_bytes_str(cases[i].tx);
		struct abci_request request = {.method = ABCI_PROCESS_PROPOSAL};
		request.process_proposal.txs = (struct abci_bytes_list){&tx, 1};
		assert_int_equal(ask(&request).process_proposal.status,
				 cases[i].code == 0 ? ABCI_ACCEPT : ABCI_REJECT);
	}
}

static void test_proposals_are_tidied(void **state)
{
	(void)state;
	const struct cs_bytes txs[] = {cs_bytes_str("a:b"), cs_bytes_str("bad"),
				       cs_bytes_str("c=d")};
	struct abci_request request = {.method = ABCI_PREPARE_PROPOSAL};
	make_store(MEMORY_SIZE, NULL);
	request.prepare_proposal.txs = (struct abci_bytes_list){txs, 3};
	struct abci_response r = ask(&request);
	assert_int_equal(r.prepare_proposal.txs.count, 2);
	assert_bytes(r.prepare_proposal.txs.items[0], cs_bytes_str("a=b"));
	assert_bytes(r.prepare_proposal.txs.items[1], cs_bytes_str("c=d"));
	assert_bytes(txs[0], cs_bytes_str("a:b"));
}

/* As many of the smallest transactions as the answers have room for, and one more. */
#define SMALLEST_MAX (ABCI_KVSTORE_ANSWER_SIZE_MAX / (ABCI_KVSTORE_ANSWER_EXTRA + 3))

static void test_too_many_transactions(void **state)
{
	(void)state;
	static struct cs_bytes txs[SMALLEST_MAX + 1];
	static _Alignas(16) uint8_t block[160 * 1024 * 1024];
	struct cs_arena arena;
	struct abci_response r;
	make_store(MEMORY_SIZE, NULL);
	for (size_t i = 0; i < CS_LEN(txs); i++)
		txs[i] = cs_bytes_str("a=b");
	struct abci_request request = {.method = ABCI_PROCESS_PROPOSAL};
	request.process_proposal.txs = (struct abci_bytes_list){txs, SMALLEST_MAX};
	assert_int_equal(ask(&request).process_proposal.status, ABCI_ACCEPT);
	request.process_proposal.txs.count++;
	assert_int_equal(ask(&request).process_proposal.status, ABCI_REJECT);
	cs_arena_init(&arena, block, sizeof block);
	request = (struct abci_request){.method = ABCI_PREPARE_PROPOSAL};
	request.prepare_proposal.txs = (struct abci_bytes_list){txs, SMALLEST_MAX + 1};
	assert_ok(abci_app_call(&app, &request, &r, &arena, NULL));
	assert_int_equal(r.prepare_proposal.txs.count, SMALLEST_MAX);
}

static size_t answer_size(const char *tx)
{
	struct abci_response r = finalize(1, (const char *const[]){tx, NULL});
	size_t size;
	assert_ok(abci_response_size(&r, &size));
	return size;
}

/* What one transaction adds to the answer is never more than what it is counted with. */
static void test_the_size_of_answers(void **state)
{
	(void)state;
	static char tx[100001];
	make_store(MEMORY_SIZE, NULL);
	for (size_t n = 3; n <= sizeof tx - 1; n = n * 5 / 4 + 1) {
		memset(tx, 'x', n);
		tx[n] = 0;
		tx[n / 2] = '=';
		assert_true(answer_size(tx) <= ABCI_KVSTORE_ANSWER_EXTRA + n);
		if (n < sizeof key_a)
			continue;
		/* Line ends in the key make it as long as one likes. */
		memset(tx, '\n', n);
		memcpy(tx, key_a, 20);
		memcpy(tx + n - (sizeof key_a - 1 - 20), key_a + 20, sizeof key_a - 1 - 20);
		assert_int_equal(check(tx), 0);
		assert_true(answer_size(tx) <= ABCI_KVSTORE_ANSWER_EXTRA + 2 * n);
	}
}

static void test_blocks(void **state)
{
	(void)state;
	make_store(MEMORY_SIZE, NULL);
	struct abci_response r = finalize(1, (const char *const[]){"a=1", "b=2", "a=3", NULL});
	assert_int_equal(r.finalize_block.tx_results.count, 3);
	assert_bytes(r.finalize_block.app_hash, unhex("0600000000000000"));
	const struct abci_tx_result *result = &r.finalize_block.tx_results.items[2];
	assert_int_equal(result->code, 0);
	assert_int_equal(result->events.count, 2);
	assert_bytes(result->events.items[1].attributes.items[1].value, cs_bytes_str("3"));
	assert_false(result->events.items[0].attributes.items[3].index);
	/* Nothing is there before commit, as a crash would find it. */
	assert_value("a", NULL);
	assert_int_equal(commit(), 0);
	assert_value("a", "3");
	assert_value("b", "2");
	r = query("", cs_bytes_str("a"), true);
	assert_int_equal(r.query.index, -1);
	assert_int_equal(r.query.height, 1);
	/* A block that is finalized twice counts once. */
	(void)finalize(2, (const char *const[]){"c=4", NULL});
	r = finalize(2, (const char *const[]){"c=5", NULL});
	assert_bytes(r.finalize_block.app_hash, unhex("0800000000000000"));
	(void)commit();
	assert_value("c", "5");
	const struct abci_request info = {.method = ABCI_INFO};
	r = ask(&info);
	assert_bytes(r.info.data, cs_bytes_str("{\"size\":4}"));
	assert_int_equal(r.info.last_block_height, 2);
	assert_bytes(r.info.last_block_app_hash, unhex("0800000000000000"));
	store.retain_blocks = 2;
	(void)finalize(3, (const char *const[]){NULL});
	assert_int_equal(commit(), 2);
}

/* Go's PutVarint of the size: zigzag, seven bits a byte. */
static void test_app_hash(void **state)
{
	(void)state;
	static const struct {
		int64_t size;
		const char *hash;
	} cases[] = {
		{0, "0000000000000000"},        {1, "0200000000000000"},
		{63, "7e00000000000000"},       {64, "8001000000000000"},
		{8191, "fe7f000000000000"},     {8192, "8080010000000000"},
		{1000000, "8089 7a0000000000"},
	};
	for (size_t i = 0; i < CS_LEN(cases); i++) {
		char hex[20] = "";
		for (const char *c = cases[i].hash; *c; c++)
			if (*c != ' ')
				strncat(hex, c, 1);
		const struct abci_request info = {.method = ABCI_INFO};
		make_store(MEMORY_SIZE, NULL);
		assert_ok(abci_kvstore_import_end(&store, 1, cases[i].size));
		assert_bytes(ask(&info).info.last_block_app_hash, unhex(hex));
	}
}

static void test_validators(void **state)
{
	(void)state;
	make_store(MEMORY_SIZE, NULL);
	const struct cs_bytes key =
		unhex("1e446238ecb5ea910163b822007c02973dfd29b7216e4535fd2c8f49b2f39093");
	struct abci_response r = finalize(1, (const char *const[]){key_a, NULL});
	assert_int_equal(r.finalize_block.validator_updates.count, 1);
	assert_bytes(r.finalize_block.validator_updates.items[0].pub_key.bytes, key);
	assert_int_equal(r.finalize_block.validator_updates.items[0].power, 7);
	/* More than one '=': both events carry the whole transaction. */
	assert_bytes(r.finalize_block.tx_results.items[0].events.items[0].attributes.items[1].value,
		     cs_bytes_str(key_a));
	assert_bytes(query("/val", key, false).query.value, CS_BYTES_NONE);
	(void)commit();
	assert_bytes(query("/val", key, false).query.value,
		     unhex("26"
			   "0a220a20"
			   "1e446238ecb5ea910163b822007c02973dfd29b7216e4535fd2c8f49b2f39093"
			   "1007"));
	/* Equivocation costs one of the power. */
	struct cs_hash hash = cs_sha256(key);
	struct abci_misbehavior item = {.type = ABCI_DUPLICATE_VOTE,
					.validator = {cs_bytes(hash.b, 20), 7}};
	struct abci_request request = block_of(2, (const char *const[]){NULL});
	request.finalize_block.misbehavior = (struct abci_misbehaviors){&item, 1};
	r = ask(&request);
	assert_int_equal(r.finalize_block.validator_updates.count, 1);
	assert_int_equal(r.finalize_block.validator_updates.items[0].power, 6);
	(void)commit();
	/* For two offences in a block once. */
	const struct abci_misbehavior twice[] = {item, item};
	request.finalize_block.misbehavior = (struct abci_misbehaviors){twice, 2};
	r = ask(&request);
	assert_int_equal(r.finalize_block.validator_updates.count, 1);
	assert_int_equal(r.finalize_block.validator_updates.items[0].power, 6);
	request.finalize_block.misbehavior = (struct abci_misbehaviors){&item, 1};
	/* A light-client attack costs nothing here, nor a culprit who has gone. */
	item.type = ABCI_LIGHT_CLIENT_ATTACK;
	assert_int_equal(ask(&request).finalize_block.validator_updates.count, 0);
	item.type = ABCI_DUPLICATE_VOTE;
	item.validator.address = cs_bytes(hash.b + 1, 20);
	assert_int_equal(ask(&request).finalize_block.validator_updates.count, 0);
	(void)finalize(3, (const char *const[]){key_a_out, NULL});
	(void)commit();
	assert_bytes(query("/val", key, false).query.value, CS_BYTES_NONE);
	assert_int_equal(store.validator_count, 0);
	/* One who is not there is taken out as well, and told to the engine. */
	r = finalize(4, (const char *const[]){key_a_out, NULL});
	assert_int_equal(r.finalize_block.validator_updates.count, 1);
	(void)commit();
	assert_int_equal(store.validator_count, 0);
}

static void test_init_chain(void **state)
{
	(void)state;
	uint8_t key[33] = {1};
	struct abci_validator_update update = {{ABCI_KEY_ED25519, cs_bytes(key, 32)}, 10};
	struct abci_request request = {.method = ABCI_INIT_CHAIN};
	struct abci_response r;
	make_store(MEMORY_SIZE, NULL);
	request.init_chain.validators = (struct abci_validator_updates){&update, 1};
	assert_bytes(ask(&request).init_chain.app_hash, unhex("0000000000000000"));
	assert_int_equal(query("/val", cs_bytes(key, 32), false).query.value.n, 39);
	update.power = -1;
	assert_err(call(&request, &r), CS_ERR_INVALID);
	update = (struct abci_validator_update){{ABCI_KEY_SECP256K1, cs_bytes(key, 33)}, 10};
	assert_err(call(&request, &r), CS_ERR_UNSUPPORTED);
}

static void test_too_many_validators(void **state)
{
	(void)state;
	static uint8_t keys[ABCI_KVSTORE_VALIDATORS_MAX + 1][32];
	static struct abci_validator_update updates[CS_LEN(keys)];
	static struct cs_bytes txs[CS_LEN(keys)];
	struct abci_request request = {.method = ABCI_INIT_CHAIN};
	struct abci_response r;
	for (size_t i = 0; i < CS_LEN(keys); i++) {
		cs_put_be16(keys[i], (uint16_t)i);
		updates[i] =
			(struct abci_validator_update){{ABCI_KEY_ED25519, CS_BYTES_OF(keys[i])}, 1};
		txs[i] = cs_bytes_str(key_a);
	}
	make_store(MEMORY_SIZE, NULL);
	request.init_chain.validators = (struct abci_validator_updates){updates, CS_LEN(keys) - 1};
	(void)ask(&request);
	assert_int_equal(store.validator_count, ABCI_KVSTORE_VALIDATORS_MAX);
	request.init_chain.validators.count++;
	assert_err(call(&request, &r), CS_ERR_FULL);
	/* One block with more changes than there may be validators. */
	make_store(MEMORY_SIZE, NULL);
	request = (struct abci_request){.method = ABCI_FINALIZE_BLOCK};
	request.finalize_block.height = 1;
	request.finalize_block.txs = (struct abci_bytes_list){txs, CS_LEN(txs) - 1};
	assert_int_equal(ask(&request).finalize_block.validator_updates.count,
			 ABCI_KVSTORE_VALIDATORS_MAX);
	request.finalize_block.txs.count++;
	assert_err(call(&request, &r), CS_ERR_FULL);
	(void)commit();
	assert_int_equal(store.height, 0);
	assert_int_equal(store.validator_count, 0);
}

/* ---- memory ---- */

static void assert_fails_and_changes_nothing(const char *const *txs, enum cs_err want)
{
	const struct abci_request request = block_of(store.height + 1, txs);
	const int64_t size = store.size, height = store.height;
	struct abci_response r;
	assert_err(call(&request, &r), want);
	(void)commit();
	assert_int_equal(store.size, size);
	assert_int_equal(store.height, height);
}

static void test_a_store_that_is_full(void **state)
{
	(void)state;
	static char txs[40][2048];
	make_store(ABCI_KVSTORE_MEMORY_MIN, NULL);
	/* Replaced values make room again: far more is written than there is memory. */
	for (int64_t height = 1; height <= 200; height++) {
		memset(txs[0], 'x', 1500);
		snprintf(txs[0] + 1500, 100, "=%lld", (long long)height);
		(void)finalize(height, (const char *const[]){txs[0], "last=one", NULL});
		(void)commit();
	}
	struct cs_bytes value;
	assert_ok(abci_kvstore_get(&store, cs_bytes(txs[0], 1500), &value));
	assert_bytes(value, cs_bytes_str("200"));
	assert_value("last", "one");
	/* Other keys do not. */
	const char *block[41] = {NULL};
	for (size_t i = 0; i < 40; i++) {
		memset(txs[i], 'y', 1500);
		snprintf(txs[i] + 1500, 100, "%zu=z", i);
		block[i] = txs[i];
	}
	assert_fails_and_changes_nothing(block, CS_ERR_NO_MEMORY);
	assert_value("last", "one");
}

/* The index grows with them, twice or more, and nothing is lost on the way. */
static void test_small_pairs_until_it_is_full(void **state)
{
	(void)state;
	char tx[32];
	make_store(ABCI_KVSTORE_MEMORY_MIN, NULL);
	const size_t slot_count = store.slot_count;
	int64_t height = 0;
	for (;;) {
		struct abci_response r;
		snprintf(tx, sizeof tx, "%lld=v", (long long)++height);
		const struct abci_request request =
			block_of(height, (const char *const[]){tx, NULL});
		if (call(&request, &r) != CS_OK)
			break;
		(void)commit();
		/* A search ends at an empty slot. */
		assert_true(store.slot_count >= 2 * store.pair_count);
	}
	assert_int_equal(store.pair_count, (size_t)height - 1);
	/* 24 bytes each, and 8 to 16 of the index. */
	assert_true(store.pair_count > ABCI_KVSTORE_MEMORY_MIN / 41);
	assert_true(store.slot_count >= 4 * slot_count);
	for (int64_t i = 1; i < height; i++) {
		struct cs_bytes value;
		snprintf(tx, sizeof tx, "%lld", (long long)i);
		assert_ok(abci_kvstore_get(&store, cs_bytes_str(tx), &value));
		assert_bytes(value, cs_bytes_str("v"));
	}
	assert_fails_and_changes_nothing((const char *const[]){"one=more", NULL}, CS_ERR_NO_MEMORY);
}

static void test_a_block_that_was_never_valid(void **state)
{
	(void)state;
	make_store(MEMORY_SIZE, NULL);
	assert_fails_and_changes_nothing((const char *const[]){"a=b", "val=nonsense", NULL},
					 CS_ERR_INVALID);
	assert_value("a", NULL);
	(void)finalize(1, (const char *const[]){"x:y", NULL});
	(void)commit();
	assert_value("x", NULL);
	assert_int_equal(store.size, 1);
}

static void test_an_arena_that_is_too_small(void **state)
{
	(void)state;
	static _Alignas(16) uint8_t block[2048];
	struct cs_arena arena;
	struct abci_response r;
	make_store(MEMORY_SIZE, NULL);
	cs_arena_init(&arena, block, sizeof block);
	const struct abci_request request =
		block_of(1, (const char *const[]){"a=1", "b=1", "c=1", "d=1", "e=1", NULL});
	assert_err(abci_app_call(&app, &request, &r, &arena, NULL), CS_ERR_NO_MEMORY);
	assert_int_equal(r.method, ABCI_EXCEPTION);
	(void)commit();
	assert_value("a", NULL);
}

/* ---- hooks ---- */

struct told {
	struct abci_kvstore *to;
	uint32_t pairs, validators, ends;
	enum cs_err err;
};

static enum cs_err tell_pair(void *context, struct cs_bytes key, struct cs_bytes value)
{
	struct told *told = context;
	told->pairs++;
	if (told->to != NULL)
		assert_ok(abci_kvstore_import_pair(told->to, key, value));
	return told->err;
}

static enum cs_err tell_validator(void *context, struct cs_bytes key, int64_t power)
{
	struct told *told = context;
	told->validators++;
	if (told->to != NULL)
		assert_ok(abci_kvstore_import_validator(told->to, key, power));
	return CS_OK;
}

static enum cs_err tell_end(void *context, int64_t height, int64_t size)
{
	struct told *told = context;
	told->ends++;
	if (told->to != NULL)
		assert_ok(abci_kvstore_import_end(told->to, height, size));
	return CS_OK;
}

static void test_hooks_and_export(void **state)
{
	(void)state;
	static struct abci_kvstore other;
	static _Alignas(16) uint8_t other_memory[MEMORY_SIZE];
	struct told told = {.to = NULL};
	const struct abci_kvstore_hooks hooks = {&told, tell_pair, tell_validator, tell_end};
	const struct abci_kvstore_options options = {
		.memory = other_memory, .memory_size = sizeof other_memory, .seed = {1, 2, 3}};
	make_store(MEMORY_SIZE, &hooks);
	(void)finalize(1, (const char *const[]){"a=1", "b=2", key_a, NULL});
	assert_int_equal(told.pairs, 0);
	(void)commit();
	/* Nothing is told twice, whatever the engine does. */
	(void)commit();
	(void)finalize(2, (const char *const[]){"a=3", NULL});
	(void)commit();
	assert_int_equal(told.pairs, 3);
	assert_int_equal(told.validators, 1);
	assert_int_equal(told.ends, 3);
	assert_ok(abci_kvstore_init(&other, &options));
	told = (struct told){.to = &other};
	assert_ok(abci_kvstore_export(&store, &hooks));
	assert_int_equal(told.pairs, 2);
	store = other;
	assert_value("a", "3");
	assert_value("b", "2");
	assert_int_equal(store.height, 2);
	assert_int_equal(store.size, 4);
	assert_int_equal(store.validator_count, 1);
	/* A store that cannot keep what it is told fails the commit. */
	told = (struct told){.err = CS_ERR_IO};
	make_store(MEMORY_SIZE, &hooks);
	(void)finalize(1, (const char *const[]){"a=1", NULL});
	const struct abci_request request = {.method = ABCI_COMMIT};
	struct abci_response r;
	assert_err(abci_app_call(&app, &request, &r, fresh_arena(), NULL), CS_ERR_IO);
}

static void test_refused_options(void **state)
{
	(void)state;
	struct abci_kvstore_options options = {.memory = memory,
					       .memory_size = ABCI_KVSTORE_MEMORY_MIN - 1};
	assert_err(abci_kvstore_init(&store, &options), CS_ERR_INVALID);
	options = (struct abci_kvstore_options){.memory = memory + 1, .memory_size = MEMORY_SIZE};
	assert_err(abci_kvstore_init(&store, &options), CS_ERR_INVALID);
	options = (struct abci_kvstore_options){.memory = memory,
						.memory_size = ABCI_KVSTORE_MEMORY_MAX + 1};
	assert_err(abci_kvstore_init(&store, &options), CS_ERR_INVALID);
	make_store(MEMORY_SIZE, NULL);
	assert_err(abci_kvstore_import_pair(&store, CS_BYTES_NONE, CS_BYTES_NONE), CS_ERR_INVALID);
	assert_err(abci_kvstore_import_validator(&store, cs_bytes_str("short"), 1), CS_ERR_INVALID);
	assert_err(abci_kvstore_import_end(&store, -1, 0), CS_ERR_INVALID);
}

/* ---- an application with nothing to say ---- */

static void test_an_application_without_functions(void **state)
{
	(void)state;
	const struct abci_app none = {.state = NULL};
	const struct cs_bytes txs[] = {cs_bytes_str("12345"), cs_bytes_str("678"),
				       cs_bytes_str("9")};
	struct abci_request q = {.method = ABCI_PREPARE_PROPOSAL};
	struct abci_response r;
	q.prepare_proposal.txs = (struct abci_bytes_list){txs, 3};
	q.prepare_proposal.max_tx_bytes = 8;
	assert_ok(abci_app_call(&none, &q, &r, fresh_arena(), NULL));
	assert_int_equal(r.prepare_proposal.txs.count, 2);
	q.prepare_proposal.max_tx_bytes = -1;
	assert_ok(abci_app_call(&none, &q, &r, fresh_arena(), NULL));
	assert_int_equal(r.prepare_proposal.txs.count, 0);
	q = (struct abci_request){.method = ABCI_PROCESS_PROPOSAL};
	assert_ok(abci_app_call(&none, &q, &r, fresh_arena(), NULL));
	assert_int_equal(r.process_proposal.status, ABCI_ACCEPT);
	q = (struct abci_request){.method = ABCI_VERIFY_VOTE_EXTENSION};
	assert_ok(abci_app_call(&none, &q, &r, fresh_arena(), NULL));
	assert_int_equal(r.verify_vote_extension.status, ABCI_ACCEPT);
	q = block_of(1, (const char *const[]){"a", "b", NULL});
	assert_ok(abci_app_call(&none, &q, &r, fresh_arena(), NULL));
	assert_int_equal(r.finalize_block.tx_results.count, 2);
	q = (struct abci_request){.method = ABCI_ECHO};
	q.echo.message = cs_bytes_str("hello");
	assert_ok(abci_app_call(&none, &q, &r, fresh_arena(), NULL));
	assert_bytes(r.echo.message, cs_bytes_str("hello"));
	static const enum abci_method others[] = {
		ABCI_FLUSH,
		ABCI_INFO,
		ABCI_INIT_CHAIN,
		ABCI_QUERY,
		ABCI_CHECK_TX,
		ABCI_COMMIT,
		ABCI_LIST_SNAPSHOTS,
		ABCI_OFFER_SNAPSHOT,
		ABCI_LOAD_SNAPSHOT_CHUNK,
		ABCI_APPLY_SNAPSHOT_CHUNK,
		ABCI_EXTEND_VOTE,
		ABCI_INSERT_TX,
		ABCI_REAP_TXS,
	};
	for (size_t i = 0; i < CS_LEN(others); i++) {
		q = (struct abci_request){.method = others[i]};
		assert_ok(abci_app_call(&none, &q, &r, fresh_arena(), NULL));
		assert_int_equal(r.method, others[i]);
	}
	q.method = ABCI_EXCEPTION;
	assert_err(abci_app_call(&none, &q, &r, fresh_arena(), NULL), CS_ERR_INVALID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_recorded_chain),
		cmocka_unit_test(test_what_is_a_transaction),
		cmocka_unit_test(test_proposals_are_tidied),
		cmocka_unit_test(test_too_many_transactions),
		cmocka_unit_test(test_the_size_of_answers),
		cmocka_unit_test(test_blocks),
		cmocka_unit_test(test_app_hash),
		cmocka_unit_test(test_validators),
		cmocka_unit_test(test_init_chain),
		cmocka_unit_test(test_too_many_validators),
		cmocka_unit_test(test_a_store_that_is_full),
		cmocka_unit_test(test_small_pairs_until_it_is_full),
		cmocka_unit_test(test_a_block_that_was_never_valid),
		cmocka_unit_test(test_an_arena_that_is_too_small),
		cmocka_unit_test(test_hooks_and_export),
		cmocka_unit_test(test_refused_options),
		cmocka_unit_test(test_an_application_without_functions),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
