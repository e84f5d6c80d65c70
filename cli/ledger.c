/* `caisson ledger query` and `proof`: what a node answers, and what it proves. */
#include "cli/ledger.h"

#include "adapters/cometbft/revert.h"
#include "relay_state/ledger/block.h"

#include <stdlib.h>
#include <string.h>

#define CALLDATA_SIZE_MAX 8192u
#define ARGUMENT_SIZE_MAX 4096u
#define TYPE_SIZE_MAX 32u

/* ---- calls by name ---- */

static const struct ledger_contract *find_contract(const char *name, size_t n)
{
	const struct ledger_modules modules = ledger_modules();
	for (size_t i = 0; i < modules.count; i++) {
		const struct ledger_contract *contract = modules.items[i].contract;
		if (strlen(contract->name) == n && strncmp(contract->name, name, n) == 0)
			return contract;
	}
	return NULL;
}

/* By its name, or by its whole signature. */
static const struct ledger_function *find_function(const struct ledger_contract *contract,
						   const char *name)
{
	const size_t n = strlen(name);
	for (size_t i = 0; i < contract->function_count; i++) {
		const char *signature = contract->functions[i].signature;
		if (strncmp(signature, name, n) == 0 && (signature[n] == '(' || signature[n] == 0))
			return &contract->functions[i];
	}
	return NULL;
}

static bool put_number(struct cs_abi *abi, const char *text)
{
	struct cs_u256 number;
	if (cs_u256_from_decimal(&number, cs_bytes_str(text)) != CS_OK)
		return false;
	cs_abi_put_u256(abi, &number);
	return true;
}

/* A word: hex of exactly its size, or for bytes32 also text of at most 32 bytes, as names are. */
static bool put_word(struct cs_abi *abi, const char *type, const char *text)
{
	struct cs_hash word = {{0}};
	struct cs_address address;
	if (strcmp(type, "address") == 0) {
		if (cs_unhex(address.b, sizeof(address.b), cs_bytes_str(text)) != CS_OK)
			return false;
		cs_abi_put_address(abi, &address);
		return true;
	}
	if (strncmp(text, "0x", 2) == 0) {
		if (cs_unhex(word.b, sizeof(word.b), cs_bytes_str(text)) != CS_OK)
			return false;
	} else if (strlen(text) <= sizeof(word.b)) {
		memcpy(word.b, text, strlen(text));
	} else {
		return false;
	}
	cs_abi_put_word(abi, &word);
	return true;
}

static bool put_argument(struct cs_abi *abi, const char *type, const char *text)
{
	if (strncmp(type, "uint", 4) == 0 && strchr(type, '[') == NULL)
		return put_number(abi, text);
	if (strcmp(type, "bool") == 0) {
		const bool yes = strcmp(text, "true") == 0;
		return (yes || strcmp(text, "false") == 0) && put_number(abi, yes ? "1" : "0");
	}
	if (strcmp(type, "address") == 0 || strcmp(type, "bytes32") == 0)
		return put_word(abi, type, text);
	return false;
}

static bool is_word(const char *type)
{
	return strcmp(type, "bool") == 0 || strcmp(type, "address") == 0 ||
	       strcmp(type, "bytes32") == 0 ||
	       (strncmp(type, "uint", 4) == 0 && strchr(type, '[') == NULL);
}

/* Arguments of one word each; what takes tuples, arrays or bytes is not asked from here. */
static enum cli_exit encode(const struct cli *cli, struct cs_buf *buf,
			    const struct ledger_function *function)
{
	struct cs_abi abi;
	const char *at = strchr(function->signature, '(') + 1;
	unsigned next = 1;
	cs_abi_call(&abi, buf, function->signature);
	while (*at != ')') {
		char type[TYPE_SIZE_MAX];
		const size_t n = strcspn(at, ",)");
		snprintf(type, sizeof(type), "%.*s", (int)n, at);
		if (!is_word(type))
			return cli_fail(cli, CLI_USAGE,
					"%s takes more than words (text, bytes or lists): not by "
					"this command",
					function->signature);
		if (next == cli->positional_count)
			return cli_fail(cli, CLI_USAGE, "%s: argument %u is missing",
					function->signature, next);
		if (!put_argument(&abi, type, cli->positional[next]))
			return cli_fail(cli, CLI_USAGE, "%s: argument %u is no %s",
					function->signature, next, type);
		next++;
		at += n + (at[n] == ',');
	}
	if (next != cli->positional_count)
		return cli_fail(cli, CLI_USAGE, "%s: too many arguments", function->signature);
	return CLI_OK;
}

enum cli_exit ledger_build_call(const struct cli *cli, struct cs_buf *buf)
{
	static const uint8_t nobody[sizeof(struct cs_address)];
	const char *what = cli->positional[0], *dot = strchr(what, '.');
	const struct ledger_contract *contract = find_contract(what, (size_t)(dot - what));
	if (contract == NULL)
		return cli_fail(cli, CLI_USAGE, "the ledger has no contract %.*s",
				(int)(dot - what), what);
	const struct ledger_function *function = find_function(contract, dot + 1);
	if (function == NULL)
		return cli_fail(cli, CLI_USAGE, "%s has no function %s", contract->name, dot + 1);
	const struct cs_address to = ledger_contract_address(contract->number);
	cs_put(buf, CS_BYTES_OF(nobody));
	cs_put(buf, CS_BYTES_OF(to.b));
	struct cs_buf input;
	cs_buf_init(&input, buf->p + buf->n, buf->size_max - buf->n);
	enum cli_exit code = encode(cli, &input, function);
	buf->n += input.n;
	return code;
}

/* ---- query ---- */

static enum cli_exit read_height(const struct cli *cli, uint64_t *height)
{
	*height = 0;
	return cli_number(cli, "height", INT64_MAX, height)
		       ? CLI_OK
		       : cli_fail(cli, CLI_USAGE, "--height is not a number");
}

static void print_reply(const struct cli *cli, const struct ledger_reply *reply)
{
	char *hex = malloc(2 * reply->value.n + 3);
	if (hex == NULL)
		return;
	memcpy(hex, "0x", 3);
	cs_hex(hex + 2, reply->value);
	if (cli->json) {
		cli_print_json(cli, json_pack("{s:I, s:s, s:I, s:s}", "code",
					      (json_int_t)reply->code, "log", reply->log, "height",
					      (json_int_t)reply->height, "value", hex));
	} else if (reply->value.n > 0 && reply->value.n % 32 == 0) {
		for (size_t i = 0; i < reply->value.n; i += 32)
			printf("0x%.64s\n", hex + 2 + 2 * i);
	} else {
		puts(hex);
	}
	free(hex);
}

static enum cli_exit fail_reply(const struct cli *cli, const struct ledger_reply *reply)
{
	char text[ADAPTER_CONTRACT_ERROR_MAX];
	if (reply->code != LEDGER_CODE_REVERTED)
		return cli_fail(cli, CLI_REFUSED, "%s", reply->log);
	comet_revert_text(text, reply->value);
	return cli_fail(cli, CLI_REFUSED, "%s: %s", reply->log, text);
}

static enum cli_exit prepare(const struct cli *cli, struct ledger_question *question,
			     struct cs_buf *buf)
{
	const char *what = cli->positional[0];
	if (what[0] != '/') {
		question->path = "/call";
		enum cli_exit code = strchr(what, '.') == NULL
					     ? cli_fail(cli, CLI_USAGE,
							"a path such as /account, or "
							"CONTRACT.FUNCTION")
					     : ledger_build_call(cli, buf);
		question->data = cs_buf_view(buf);
		return code;
	}
	question->path = what;
	const char *data = cli->positional_count > 1 ? cli->positional[1] : "";
	const size_t n = strlen(data) - (strncmp(data, "0x", 2) == 0 ? 2 : 0);
	if (n / 2 > buf->size_max || cs_unhex(buf->p, n / 2, cs_bytes_str(data)) != CS_OK)
		return cli_fail(cli, CLI_USAGE, "the question's data are not hex");
	question->data = cs_bytes(buf->p, n / 2);
	return CLI_OK;
}

enum cli_exit cli_ledger_query(struct cli *cli)
{
	static uint8_t memory[CALLDATA_SIZE_MAX];
	struct ledger_question question = {.path = NULL};
	struct ledger_reply reply = {.memory = NULL};
	struct ledger_node node;
	struct cs_buf buf;
	cs_buf_init(&buf, memory, sizeof(memory));
	if (cli->positional_count == 0)
		return cli_fail(cli, CLI_USAGE, "what? a path, or CONTRACT.FUNCTION");
	enum cli_exit code = prepare(cli, &question, &buf);
	if (code == CLI_OK)
		code = read_height(cli, &question.height);
	if (code == CLI_OK)
		code = ledger_node_open(&node, cli);
	if (code == CLI_OK)
		code = ledger_ask(&node, &reply, &question);
	if (code == CLI_OK && reply.code != LEDGER_CODE_OK)
		code = fail_reply(cli, &reply);
	if (code == CLI_OK)
		print_reply(cli, &reply);
	ledger_reply_clear(&reply);
	return code;
}

/* ---- proof ---- */

enum cli_exit cli_ledger_proof(struct cli *cli)
{
	struct statement_proof proof = {.memory = NULL};
	struct ledger_tip tip;
	struct ledger_node node;
	uint8_t key[LEDGER_KEY_SIZE_MAX];
	uint64_t height = 0;
	const char *text = cli->positional_count == 1 ? cli->positional[0] : "";
	const size_t n = strncmp(text, "0x", 2) == 0 ? strlen(text) / 2 - 1 : strlen(text) / 2;
	if (n == 0 || n > sizeof(key) || cs_unhex(key, n, cs_bytes_str(text)) != CS_OK)
		return cli_fail(cli, CLI_USAGE, "which key? 1 to %u bytes of hex",
				LEDGER_KEY_SIZE_MAX);
	enum cli_exit code = read_height(cli, &height);
	if (code == CLI_OK)
		code = ledger_node_open(&node, cli);
	if (code == CLI_OK)
		code = ledger_find_tip(&node, &tip, height);
	if (code == CLI_OK)
		code = ledger_prove(&node, &proof, &tip, cs_bytes(key, n));
	if (code == CLI_OK) {
		char app_hash[2 * sizeof(tip.app_hash.b) + 3] = "0x";
		cs_hex(app_hash + 2, CS_BYTES_OF(tip.app_hash.b));
		cli_print_json(cli, json_pack("{s:s, s:I, s:s, s:b, s:o}", "chain_id", tip.chain_id,
					      "height", (json_int_t)tip.height, "app_hash",
					      app_hash, "exists", proof.value.n > 0, "state",
					      statement_proof_json(&proof)));
	}
	statement_proof_clear(&proof);
	return code;
}
