/* `caisson ledger send`: one call to a contract of the ledger, signed here. What owners, guardians and
 * operators do by hand; services have accounts of their own. */
#include "adapters/cometbft/nodes.h"
#include "adapters/cometbft/revert.h"
#include "cli/ledger.h"
#include "host/cometbft_text.h"
#include "host/loop.h"
#include "relay_state/ledger/block.h"
#include "relay_state/ledger/gas.h"
#include "relay_state/ledger/tx.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

/* Of `caisson ledger send`. */
#define CALLDATA_SIZE_MAX 8192u
#define TX_SIZE_MAX (LEDGER_SEND_CALLDATA_MAX + 512u)
/* Of the answers to /account and /chain: docs/ledger.md. */
#define ACCOUNT_SIZE 40u
#define CHAIN_SIZE 72u
#define CHAIN_PRICE_AT 48u
/* Nothing is paid above it without a word. */
#define PRICE_MAX_DEFAULT 1000u
/* Added to what a simulation used. */
#define GAS_MARGIN_PERCENT 30u
/* No block of a later time takes it: then the command may be given again. */
#define VALID_S 60u
#define POLL_MS 500u

struct sending {
	struct ledger_node node;
	struct cs_sig *sig;
	struct cs_secret key;
	uint8_t bytes[TX_SIZE_MAX];
	struct ledger_tx tx;
};

static enum cli_exit load_key(struct cli *cli, struct sending *sending)
{
	struct cs_secret seed;
	struct cs_why why = {{0}};
	const char *path = cli_option(cli, "key-file");
	if (path == NULL)
		return cli_fail(cli, CLI_USAGE, "--key-file is missing");
	if (getrandom(seed.b, sizeof(seed.b), 0) != (ssize_t)sizeof(seed.b))
		return cli_fail(cli, CLI_FAILED, "no randomness");
	sending->sig = cs_sig_new(&seed);
	cs_wipe(&seed, sizeof(seed));
	if (host_keyfile_load(&sending->key, path, &why) != CS_OK)
		return cli_fail(cli, CLI_USAGE, "%s", why.text);
	if (sending->sig == NULL ||
	    cs_key_address(sending->sig, &sending->tx.sender, &sending->key) != CS_OK)
		return cli_fail(cli, CLI_USAGE, "%s is not a private key", path);
	return CLI_OK;
}

static enum cli_exit ask(struct sending *sending, const char *path, struct cs_bytes data,
			 struct ledger_reply *reply)
{
	const struct ledger_question question = {.path = path, .data = data};
	enum cli_exit code = ledger_ask(&sending->node, reply, &question);
	if (code == CLI_OK && reply->code == LEDGER_CODE_REVERTED && reply->value.n >= 8) {
		/* Behind the gas: what it reverted with. */
		char text[ADAPTER_CONTRACT_ERROR_MAX];
		comet_revert_text(text, cs_bytes(reply->value.p + 8, reply->value.n - 8));
		code = cli_fail(sending->node.cli, CLI_REFUSED, "%s: %s", reply->log, text);
	} else if (code == CLI_OK && reply->code != 0) {
		code = cli_fail(sending->node.cli, CLI_REFUSED, "%s: %s", path, reply->log);
	}
	return code;
}

/* Sequence, price, validity: what a node says of them costs a refusal at worst; the tag is the caller's. */
static enum cli_exit read_terms(struct sending *sending)
{
	struct cli *cli = sending->node.cli;
	struct ledger_reply account = {.memory = NULL}, chain = {.memory = NULL};
	struct ledger_tx *tx = &sending->tx;
	uint64_t price_max = PRICE_MAX_DEFAULT;
	enum cli_exit code = ask(sending, "/account", CS_BYTES_OF(tx->sender.b), &account);
	if (code == CLI_OK)
		code = ask(sending, "/chain", CS_BYTES_NONE, &chain);
	if (code == CLI_OK && (account.value.n != ACCOUNT_SIZE || chain.value.n != CHAIN_SIZE))
		code = cli_fail(cli, CLI_FAILED, "the node's answer does not read");
	if (code == CLI_OK && memcmp(chain.value.p, tx->chain.b, sizeof(tx->chain.b)) != 0)
		code = cli_fail(cli, CLI_REFUSED, "the node is of another chain than --tag");
	if (code == CLI_OK && !cli_number(cli, "gas-price-max", INT64_MAX, &price_max))
		code = cli_fail(cli, CLI_USAGE, "--gas-price-max is not a number");
	if (code == CLI_OK) {
		tx->sequence = cs_be64(account.value.p);
		tx->gas_price_high = cs_be64(chain.value.p + CHAIN_PRICE_AT);
		tx->gas_price_low = cs_be64(chain.value.p + CHAIN_PRICE_AT + 8);
		tx->valid_until = cs_be64(chain.value.p + CHAIN_SIZE - 8) + VALID_S;
		if (tx->gas_price_high != 0 || tx->gas_price_low > price_max)
			code = cli_fail(cli, CLI_REFUSED,
					"the least gas price is above --gas-price-max");
	}
	ledger_reply_clear(&account);
	ledger_reply_clear(&chain);
	return code;
}

static enum cli_exit simulate(struct sending *sending)
{
	struct ledger_reply reply = {.memory = NULL};
	struct cs_buf buf;
	cs_buf_init(&buf, sending->bytes, sizeof(sending->bytes));
	sending->tx.gas_limit = 1;
	ledger_tx_encode_body(&buf, &sending->tx);
	enum cli_exit code = cs_buf_end(&buf) == CS_OK
				     ? ask(sending, "/simulate", cs_buf_view(&buf), &reply)
				     : cli_fail(sending->node.cli, CLI_USAGE, "too large");
	if (code == CLI_OK && reply.value.n < 8)
		code = cli_fail(sending->node.cli, CLI_FAILED, "the node's answer does not read");
	if (code == CLI_OK) {
		uint64_t gas = cs_be64(reply.value.p);
		if (gas > LEDGER_BLOCK_GAS)
			gas = LEDGER_BLOCK_GAS;
		sending->tx.gas_limit = gas * (100 + GAS_MARGIN_PERCENT) / 100;
	}
	ledger_reply_clear(&reply);
	return code;
}

static void pause_ms(unsigned ms)
{
	const struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
	(void)nanosleep(&pause, NULL);
}

/* The code in a block; false: no block has it yet. */
static bool find(struct sending *sending, const struct cs_hash *hash, json_int_t *code,
		 json_int_t *height)
{
	char query[2 * sizeof(hash->b) + 16];
	char text[2 * sizeof(hash->b) + 1];
	cometbft_hex(text, CS_BYTES_OF(hash->b));
	snprintf(query, sizeof(query), "tx.hash='%s'", text);
	json_t *result = NULL;
	if (ledger_node_call(&sending->node, "tx_search", json_pack("{s:s}", "query", query),
			     &result) != CLI_OK)
		return false;
	const json_t *tx = json_array_get(json_object_get(result, "txs"), 0);
	const json_t *height_text = json_object_get(tx, "height");
	bool found = json_is_string(height_text);
	if (found) {
		*code = json_integer_value(
			json_object_get(json_object_get(tx, "tx_result"), "code"));
		*height = strtoll(json_string_value(height_text), NULL, 10);
	}
	json_decref(result);
	return found;
}

static enum cli_exit wait_block(struct sending *sending, const struct cs_hash *hash)
{
	struct cli *cli = sending->node.cli;
	char text[2 * sizeof(hash->b) + 1];
	json_int_t code = 0, height = 0;
	const uint64_t end_ms = host_now_ms() + 2 * VALID_S * 1000u;
	cometbft_hex(text, CS_BYTES_OF(hash->b));
	while (!find(sending, hash, &code, &height)) {
		if (host_now_ms() > end_ms)
			return cli_fail(cli, CLI_FAILED,
					"%s is in no block; it is valid until block time %llu",
					text, (unsigned long long)sending->tx.valid_until);
		pause_ms(POLL_MS);
	}
	if (cli->json)
		cli_print_json(cli, json_pack("{s:s, s:I, s:I}", "tx", text, "height", height,
					      "code", code));
	else
		printf("%s  in block %lld\n", text, (long long)height);
	return code == 0 ? CLI_OK
			 : cli_fail(cli, CLI_REFUSED, "its call did not happen: code %lld",
				    (long long)code);
}

static enum cli_exit broadcast(struct sending *sending)
{
	struct cs_hash hash;
	uint8_t *raw = NULL;
	size_t size = 0;
	json_t *result = NULL;
	if (comet_sign_tx(&raw, &size, &hash, sending->sig, &sending->key, &sending->tx) != CS_OK)
		return cli_fail(sending->node.cli, CLI_FAILED, "it cannot be signed");
	json_t *params = json_pack("{s:o}", "tx", cometbft_json_base64(cs_bytes(raw, size)));
	free(raw);
	enum cli_exit code = ledger_node_call(&sending->node, "broadcast_tx_sync", params, &result);
	if (code == CLI_OK && json_integer_value(json_object_get(result, "code")) != 0)
		code = cli_fail(sending->node.cli, CLI_REFUSED, "the node does not take it: %s",
				cli_text_of(result, "log"));
	json_decref(result);
	return code == CLI_OK ? wait_block(sending, &hash) : code;
}

static enum cli_exit read_chain(struct cli *cli, struct sending *sending)
{
	const char *tag = cli_option(cli, "tag"), *value = cli_option(cli, "value");
	struct ledger_tx *tx = &sending->tx;
	if (tag == NULL || cs_unhex(tx->chain.b, sizeof(tx->chain.b), cs_bytes_str(tag)) != CS_OK)
		return cli_fail(cli, CLI_USAGE,
				"which chain? --tag and its tag, from whom you trust");
	if (value != NULL &&
	    cs_u256_from_decimal(&tx->calls[0].value, cs_bytes_str(value)) != CS_OK)
		return cli_fail(cli, CLI_USAGE, "--value: an amount, in the smallest unit");
	return CLI_OK;
}

enum cli_exit ledger_send_call(struct cli *cli, const struct cs_address *to, struct cs_bytes input)
{
	static struct sending sending;
	sending.tx.calls[0] = (struct ledger_tx_call){.to = *to, .input = input};
	sending.tx.call_count = 1;
	enum cli_exit code = read_chain(cli, &sending);
	if (code == CLI_OK)
		code = load_key(cli, &sending);
	if (code == CLI_OK)
		code = ledger_node_open(&sending.node, cli);
	if (code == CLI_OK)
		code = read_terms(&sending);
	if (code == CLI_OK)
		code = simulate(&sending);
	if (code == CLI_OK)
		code = broadcast(&sending);
	cs_wipe(&sending.key, sizeof(sending.key));
	cs_sig_free(sending.sig);
	return code;
}

enum cli_exit cli_ledger_send(struct cli *cli)
{
	static uint8_t calldata[CALLDATA_SIZE_MAX];
	struct cs_address to;
	struct cs_buf buf;
	cs_buf_init(&buf, calldata, sizeof(calldata));
	if (cli->positional_count == 0 || strchr(cli->positional[0], '.') == NULL)
		return cli_fail(cli, CLI_USAGE, "what? CONTRACT.FUNCTION and its arguments");
	enum cli_exit code = ledger_build_call(cli, &buf);
	if (code != CLI_OK)
		return code;
	/* From nobody, to whom, what. */
	memcpy(to.b, buf.p + sizeof(to.b), sizeof(to.b));
	return ledger_send_call(cli, &to,
				cs_bytes(buf.p + 2 * sizeof(to.b), buf.n - 2 * sizeof(to.b)));
}
