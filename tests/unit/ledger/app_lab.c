#include "tests/unit/ledger/app_lab.h"

#define ARENA_SIZE (256u * 1024 * 1024)

static struct cs_secret secret_of(uint8_t key)
{
	struct cs_secret secret = {{0}};
	secret.b[31] = key;
	return secret;
}

struct cs_address app_key_address(const struct app_lab *lab, uint8_t key)
{
	const struct cs_secret secret = secret_of(key);
	struct cs_address address;
	assert_ok(cs_key_address(lab->sig, &address, &secret));
	return address;
}

static struct abci_call call_of(struct app_lab *lab)
{
	cs_arena_rewind(&lab->arena, 0);
	lab->why.text[0] = 0;
	return (struct abci_call){&lab->arena, &lab->why};
}

static void start(struct app_lab *lab)
{
	const struct ledger_app_options options = {.db = lab->table,
						   .version = memory_db_version(lab->db),
						   .sig = lab->sig,
						   .modules = ledger_modules(),
						   .seed = {7},
						   .snapshot_interval = lab->snapshot_interval};
	lab->memory = malloc(ledger_app_size());
	assert_non_null(lab->memory);
	assert_ok(ledger_app_init(&lab->app, lab->memory, &options, &lab->why));
	lab->abci = ledger_app_table(lab->app);
}

struct app_lab *app_lab_new(void)
{
	struct app_lab *lab = calloc(1, sizeof *lab);
	void *block = malloc(ARENA_SIZE);
	assert_true(lab != NULL && block != NULL);
	lab->db = memory_db_new();
	lab->table = memory_db_table(lab->db);
	lab->sig = cs_sig_new(NULL);
	assert_non_null(lab->sig);
	cs_arena_init(&lab->arena, block, ARENA_SIZE);
	start(lab);
	return lab;
}

void app_lab_free(struct app_lab *lab)
{
	free(lab->memory);
	free(lab->arena.block);
	cs_sig_free(lab->sig);
	memory_db_free(lab->db);
	free(lab);
}

void app_lab_restart(struct app_lab *lab)
{
	free(lab->memory);
	start(lab);
}

enum cs_err app_lab_genesis(struct app_lab *lab, const char *app_state, struct cs_bytes *app_hash)
{
	const struct abci_init_chain_request request = {.time = {APP_TIME_S, 0},
							.chain_id = cs_bytes_str("lab-1"),
							.app_state_bytes = cs_bytes_str(app_state),
							.initial_height = 1};
	struct abci_init_chain_response response = {0};
	const struct abci_call call = call_of(lab);
	enum cs_err err = lab->abci.init_chain(lab->abci.state, &request, &response, &call);
	if (err == CS_OK)
		*app_hash = response.app_hash;
	return err;
}

void app_lab_begin(struct app_lab *lab)
{
	char text[1024], hex[3][41];
	struct cs_bytes app_hash;
	for (uint8_t i = 0; i < 3; i++) {
		struct cs_address address = app_key_address(lab, (uint8_t)(i + 1));
		cs_hex(hex[i], CS_BYTES_OF(address.b));
	}
	(void)snprintf(text, sizeof text,
		       "{\"accounts\":[{\"address\":\"0x%s\",\"balance\":\"10000000\"},"
		       "{\"address\":\"0x%s\",\"balance\":\"10000000\"},"
		       "{\"address\":\"0x%s\",\"balance\":\"10000000\"}],"
		       "\"rules\":{\"versions_kept\":3}}",
		       hex[0], hex[1], hex[2]);
	if (app_lab_genesis(lab, text, &app_hash) != CS_OK)
		fail_msg("genesis: %s", lab->why.text);
	struct abci_query_response chain = app_query(lab, "/chain", CS_BYTES_NONE, 0, false);
	assert_int_equal(chain.value.n, 72);
	memcpy(lab->chain.b, chain.value.p, sizeof lab->chain.b);
}

/* ---- transactions ---- */

struct cs_bytes app_body(const struct app_lab *lab, const struct app_tx *tx)
{
	struct ledger_tx *made = keep(sizeof *made);
	struct cs_buf buf;
	made->chain = lab->chain;
	made->sender = app_key_address(lab, tx->key);
	made->sequence = tx->sequence;
	made->valid_until = tx->valid_until;
	made->gas_limit = tx->gas_limit != 0 ? tx->gas_limit : APP_GAS;
	made->gas_price_low = tx->gas_price != 0 ? tx->gas_price : 1;
	made->call_count = tx->copies != 0 ? tx->copies : 1;
	for (size_t i = 0; i < made->call_count; i++)
		made->calls[i] = (struct ledger_tx_call){tx->to, cs_u256_u64(tx->value), tx->input};
	const size_t size = 200 + made->call_count * (60 + tx->input.n);
	cs_buf_init(&buf, keep(size), size);
	ledger_tx_encode_body(&buf, made);
	assert_ok(cs_buf_end(&buf));
	return cs_buf_view(&buf);
}

struct cs_bytes app_sign(const struct app_lab *lab, const struct app_tx *tx)
{
	const struct cs_secret secret = secret_of(tx->key);
	const struct cs_bytes body = app_body(lab, tx);
	const struct cs_hash digest = ledger_tx_digest(body);
	struct cs_ecdsa signature;
	struct cs_buf buf;
	assert_ok(cs_ecdsa_sign(lab->sig, &signature, &secret, &digest));
	cs_buf_init(&buf, keep(body.n + 66), body.n + 66);
	cs_put(&buf, body);
	cs_put_u8(&buf, LEDGER_SECP256K1);
	cs_put(&buf, CS_BYTES_OF(signature.r.b));
	cs_put(&buf, CS_BYTES_OF(signature.s.b));
	cs_put_u8(&buf, signature.parity);
	assert_ok(cs_buf_end(&buf));
	return cs_buf_view(&buf);
}

struct cs_bytes app_input(const char *signature, const struct cs_hash *words, size_t count)
{
	struct cs_buf buf;
	struct cs_abi abi;
	const size_t size = 4 + count * 32;
	cs_buf_init(&buf, keep(size), size);
	cs_abi_call(&abi, &buf, signature);
	for (size_t i = 0; i < count; i++)
		cs_abi_put_word(&abi, &words[i]);
	return cs_buf_view(&buf);
}

/* ---- questions ---- */

static struct cs_pb_time next_time(const struct app_lab *lab)
{
	return (struct cs_pb_time){APP_TIME_S + 10 * (lab->height + 1), 0};
}

static void check(const struct app_lab *lab, enum cs_err err)
{
	if (err != CS_OK)
		fail_msg("the application ends: %s (%s)", cs_err_name(err), lab->why.text);
}

struct abci_check_tx_response app_check(struct app_lab *lab, struct cs_bytes tx,
					enum abci_check_tx_type type)
{
	const struct abci_check_tx_request request = {tx, type};
	struct abci_check_tx_response response = {0};
	const struct abci_call call = call_of(lab);
	check(lab, lab->abci.check_tx(lab->abci.state, &request, &response, &call));
	return response;
}

size_t app_prepare(struct app_lab *lab, struct cs_bytes *out, const struct cs_bytes *txs,
		   size_t count, int64_t size_max)
{
	const struct abci_prepare_proposal_request request = {.max_tx_bytes = size_max,
							      .txs = {txs, count},
							      .height = lab->height + 1,
							      .time = next_time(lab)};
	struct abci_prepare_proposal_response response = {0};
	const struct abci_call call = call_of(lab);
	check(lab, lab->abci.prepare_proposal(lab->abci.state, &request, &response, &call));
	for (size_t i = 0; i < response.txs.count; i++)
		out[i] = response.txs.items[i];
	return response.txs.count;
}

bool app_process(struct app_lab *lab, const struct cs_bytes *txs, size_t count)
{
	const struct abci_process_proposal_request request = {
		.txs = {txs, count}, .height = lab->height + 1, .time = next_time(lab)};
	struct abci_process_proposal_response response = {0};
	const struct abci_call call = call_of(lab);
	check(lab, lab->abci.process_proposal(lab->abci.state, &request, &response, &call));
	assert_true(response.status == ABCI_ACCEPT || response.status == ABCI_REJECT);
	return response.status == ABCI_ACCEPT;
}

struct abci_finalize_block_response app_finalize(struct app_lab *lab, const struct cs_bytes *txs,
						 size_t count)
{
	const struct abci_finalize_block_request request = {
		.txs = {txs, count}, .height = lab->height + 1, .time = next_time(lab)};
	struct abci_finalize_block_response response = {0};
	const struct abci_call call = call_of(lab);
	check(lab, lab->abci.finalize_block(lab->abci.state, &request, &response, &call));
	assert_int_equal(response.tx_results.count, count);
	assert_int_equal(response.app_hash.n, 32);
	return response;
}

void app_commit(struct app_lab *lab)
{
	struct abci_commit_response response = {0};
	struct cs_why why = {""};
	/* Answers are left as they are. */
	const struct abci_call call = {&lab->arena, &why};
	check(lab, lab->abci.commit(lab->abci.state, &response, &call));
	lab->height++;
}

struct abci_tx_result app_run(struct app_lab *lab, struct cs_bytes tx)
{
	const struct abci_tx_result result = app_finalize(lab, &tx, 1).tx_results.items[0];
	app_commit(lab);
	return result;
}

struct abci_query_response app_query(struct app_lab *lab, const char *path, struct cs_bytes data,
				     int64_t height, bool prove)
{
	const struct abci_query_request request = {data, cs_bytes_str(path), height, prove};
	struct abci_query_response response = {0};
	const struct abci_call call = call_of(lab);
	check(lab, lab->abci.query(lab->abci.state, &request, &response, &call));
	return response;
}

static uint64_t account_word(struct app_lab *lab, const struct cs_address *address, size_t at)
{
	struct abci_query_response response =
		app_query(lab, "/account", CS_BYTES_OF(address->b), 0, false);
	assert_int_equal(response.code, 0);
	assert_int_equal(response.value.n, 40);
	return cs_be64(response.value.p + at);
}

uint64_t app_balance(struct app_lab *lab, const struct cs_address *address)
{
	return account_word(lab, address, 32);
}

uint64_t app_sequence(struct app_lab *lab, const struct cs_address *address)
{
	return account_word(lab, address, 0);
}
