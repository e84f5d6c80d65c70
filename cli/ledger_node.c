#include "cli/ledger.h"
#include "core/base64.h"
#include "host/http_client.h"

#include <stdlib.h>
#include <string.h>

#define CALL_TIMEOUT_MS 30000u
/* A block of results is not asked for; a page of lines in base64 is. */
#define RESPONSE_SIZE_MAX (4u * 1024 * 1024)
/* Questions under way: a node answers them one after the other, but need not wait for us. */
#define IN_FLIGHT_MAX 8u

enum cli_exit ledger_node_open(struct ledger_node *node, struct cli *cli)
{
	struct cs_why why = {{0}};
	const char *url = cli_option(cli, "url");
	if (url == NULL)
		url = getenv("CAISSON_LEDGER_URL");
	if (url == NULL || url[0] == 0)
		return cli_fail(cli, CLI_USAGE,
				"which node of the ledger? give --url or CAISSON_LEDGER_URL: the "
				"address of its RPC");
	size_t n = strlen(url);
	while (n > 0 && url[n - 1] == '/')
		n--;
	node->cli = cli;
	snprintf(node->url, sizeof(node->url), "%.*s", (int)n, url);
	if (cli->loop == NULL)
		cli->loop = host_loop_new();
	if (cli->http == NULL)
		cli->http = host_http_client_new(cli->loop, &(struct host_http_client_options){0});
	if (host_http_client_allow(cli->http, node->url, &why) != CS_OK)
		return cli_fail(cli, CLI_USAGE, "%s: %s", node->url, why.text);
	return CLI_OK;
}

/* ---- one call ---- */

struct ledger_flight {
	bool done;
	char why[200];
	json_t *body;
};

static void flight_done(void *context, const struct host_http_response *response)
{
	struct ledger_flight *flight = context;
	flight->done = true;
	if (response->err == CS_OK)
		flight->body = json_loadb((const char *)response->body.p, response->body.n,
					  JSON_REJECT_DUPLICATES, NULL);
	if (response->err != CS_OK)
		snprintf(flight->why, sizeof(flight->why), "%s", response->why);
	else if (flight->body == NULL)
		snprintf(flight->why, sizeof(flight->why), "status %d, and no JSON",
			 response->status);
}

static bool is_done(void *context)
{
	return ((struct ledger_flight *)context)->done;
}

/* Takes params. */
static enum cli_exit launch(struct ledger_node *node, struct ledger_flight *flight,
			    const char *method, json_t *params)
{
	*flight = (struct ledger_flight){.done = false};
	json_t *request = json_pack("{s:s, s:i, s:s, s:o}", "jsonrpc", "2.0", "id", 1, "method",
				    method, "params", params);
	char *text = request == NULL ? NULL : json_dumps(request, JSON_COMPACT);
	json_decref(request);
	if (text == NULL)
		return cli_fail(node->cli, CLI_FAILED, "no memory");
	const struct host_http_request http = {.url = node->url,
					       .headers = {{"Content-Type", "application/json"}},
					       .body = cs_bytes_str(text),
					       .timeout_ms = CALL_TIMEOUT_MS,
					       .response_size_max = RESPONSE_SIZE_MAX};
	enum cs_err err = host_http_send(node->cli->http, NULL, &http, flight_done, flight);
	free(text);
	return err == CS_OK
		       ? CLI_OK
		       : cli_fail(node->cli, CLI_USAGE, "%s: %s", node->url, cs_err_sentence(err));
}

static enum cli_exit land(struct ledger_node *node, struct ledger_flight *flight, json_t **result)
{
	if (host_loop_run_until(node->cli->loop, is_done, flight, CALL_TIMEOUT_MS + 1000) != CS_OK)
		return cli_fail(node->cli, CLI_UNREACHABLE, "%s: no answer", node->url);
	if (flight->body == NULL)
		return cli_fail(node->cli, CLI_UNREACHABLE, "%s: %s", node->url, flight->why);
	const json_t *error = json_object_get(flight->body, "error");
	json_t *answer = json_object_get(flight->body, "result");
	enum cli_exit code = CLI_OK;
	if (error != NULL)
		code = cli_fail(node->cli, CLI_REFUSED, "%s: %s: %s", node->url,
				cli_text_of(error, "message"), cli_text_of(error, "data"));
	else if (answer == NULL)
		code = cli_fail(node->cli, CLI_UNREACHABLE, "%s: an answer without a result",
				node->url);
	else
		*result = json_incref(answer);
	json_decref(flight->body);
	flight->body = NULL;
	return code;
}

enum cli_exit ledger_node_call(struct ledger_node *node, const char *method, json_t *params,
			       json_t **result)
{
	/* Static: after a timeout the answer may still come, into what must then be there. */
	static struct ledger_flight flight;
	enum cli_exit code = launch(node, &flight, method, params);
	return code == CLI_OK ? land(node, &flight, result) : code;
}

/* ---- questions ---- */

static json_t *params_of(const struct ledger_question *question)
{
	char *hex = malloc(2 * question->data.n + 1);
	char height[24];
	if (hex == NULL)
		return NULL;
	cs_hex(hex, question->data);
	snprintf(height, sizeof(height), "%llu", (unsigned long long)question->height);
	json_t *params = json_pack("{s:s, s:s, s:s, s:b}", "path", question->path, "data", hex,
				   "height", height, "prove", question->prove);
	free(hex);
	return params;
}

/* Of a base64 text into memory from *at on; false: it is none. */
static bool take_base64(struct cs_bytes *bytes, uint8_t **at, const uint8_t *end, const char *text)
{
	size_t n = 0;
	const struct cs_bytes from = cs_bytes_str(text);
	if (CS_UNBASE64_SIZE(from.n) > (size_t)(end - *at) ||
	    cs_unbase64(*at, &n, from, CS_BASE64) != CS_OK)
		return false;
	*bytes = cs_bytes(*at, n);
	*at += n;
	return true;
}

static bool read_reply(struct ledger_reply *reply, const json_t *result)
{
	const json_t *response = json_object_get(result, "response");
	const json_t *ops = json_object_get(json_object_get(response, "proofOps"), "ops");
	const json_t *op = json_array_get(ops, 0);
	const char *value = cli_text_of(response, "value"), *proof = cli_text_of(op, "data");
	const size_t size = CS_UNBASE64_SIZE(strlen(value)) + CS_UNBASE64_SIZE(strlen(proof));
	struct ledger_reply read = {.memory = malloc(size)};
	uint8_t *at = read.memory;
	if (read.memory == NULL || response == NULL)
		goto bad;
	read.code = (uint32_t)cli_number_of(response, "code");
	read.height = strtoull(cli_text_of(response, "height"), NULL, 10);
	snprintf(read.log, sizeof(read.log), "%s", cli_text_of(response, "log"));
	if (op != NULL &&
	    (json_array_size(ops) != 1 || strcmp(cli_text_of(op, "type"), "ics23:smt") != 0))
		goto bad;
	if (!take_base64(&read.value, &at, read.memory + size, value) ||
	    !take_base64(&read.proof, &at, read.memory + size, proof))
		goto bad;
	*reply = read;
	return true;
bad:
	free(read.memory);
	return false;
}

void ledger_reply_clear(struct ledger_reply *reply)
{
	free(reply->memory);
	*reply = (struct ledger_reply){.memory = NULL};
}

static enum cli_exit land_reply(struct ledger_node *node, struct ledger_flight *flight,
				struct ledger_reply *reply)
{
	json_t *result = NULL;
	enum cli_exit code = land(node, flight, &result);
	if (code == CLI_OK && !read_reply(reply, result))
		code = cli_fail(node->cli, CLI_UNREACHABLE, "%s: an answer that is none",
				node->url);
	json_decref(result);
	return code;
}

enum cli_exit ledger_ask(struct ledger_node *node, struct ledger_reply *reply,
			 const struct ledger_question *question)
{
	static struct ledger_flight flight;
	enum cli_exit code = launch(node, &flight, "abci_query", params_of(question));
	return code == CLI_OK ? land_reply(node, &flight, reply) : code;
}

static enum cli_exit launch_one(struct ledger_node *node, struct ledger_flight *flight,
				const struct ledger_many *many, size_t i)
{
	uint8_t data[LEDGER_QUESTION_SIZE_MAX];
	struct ledger_question question = {.path = NULL};
	many->question(many->context, &question, data, i);
	return launch(node, flight, "abci_query", params_of(&question));
}

enum cli_exit ledger_ask_many(struct ledger_node *node, const struct ledger_many *many)
{
	static struct ledger_flight flights[IN_FLIGHT_MAX];
	enum cli_exit code = CLI_OK;
	size_t launched = 0;
	for (size_t i = 0; i < many->count && code == CLI_OK; i++) {
		struct ledger_reply reply = {.memory = NULL};
		for (; code == CLI_OK && launched < many->count && launched < i + IN_FLIGHT_MAX;
		     launched++)
			code = launch_one(node, &flights[launched % IN_FLIGHT_MAX], many, launched);
		if (code == CLI_OK)
			code = land_reply(node, &flights[i % IN_FLIGHT_MAX], &reply);
		if (code == CLI_OK && reply.code != 0)
			code = cli_fail(node->cli, CLI_REFUSED, "%s: %s", node->url, reply.log);
		if (code == CLI_OK)
			code = many->take(many->context, &reply, i);
		ledger_reply_clear(&reply);
	}
	return code;
}

/* ---- heights ---- */

static enum cli_exit newest_height(struct ledger_node *node, uint64_t *height)
{
	json_t *status = NULL;
	enum cli_exit code = ledger_node_call(node, "status", json_object(), &status);
	if (code != CLI_OK)
		return code;
	*height = strtoull(cli_text_of(json_object_get(status, "sync_info"), "latest_block_height"),
			   NULL, 10);
	json_decref(status);
	return *height > 1 ? CLI_OK
			   : cli_fail(node->cli, CLI_REFUSED, "the ledger has no two blocks yet");
}

/* The state after a block has its hash in the next block's header. */
enum cli_exit ledger_find_tip(struct ledger_node *node, struct ledger_tip *tip, uint64_t height)
{
	char text[24];
	json_t *answer = NULL;
	uint64_t next = height + 1;
	enum cli_exit code = height == 0 ? newest_height(node, &next) : CLI_OK;
	if (code != CLI_OK)
		return code;
	snprintf(text, sizeof(text), "%llu", (unsigned long long)next);
	code = ledger_node_call(node, "commit", json_pack("{s:s}", "height", text), &answer);
	if (code != CLI_OK)
		return code;
	const json_t *header = json_object_get(json_object_get(answer, "signed_header"), "header");
	const char *app_hash = cli_text_of(header, "app_hash");
	tip->height = next - 1;
	snprintf(tip->chain_id, sizeof(tip->chain_id), "%s", cli_text_of(header, "chain_id"));
	if (cs_unhex(tip->app_hash.b, sizeof(tip->app_hash.b), cs_bytes_str(app_hash)) != CS_OK)
		code = cli_fail(node->cli, CLI_UNREACHABLE, "%s: no header of height %s", node->url,
				text);
	json_decref(answer);
	return code;
}

enum cli_exit ledger_prove(struct ledger_node *node, struct statement_proof *proof,
			   const struct ledger_tip *tip, struct cs_bytes key)
{
	const struct ledger_question question = {"/store", key, tip->height, true};
	struct ledger_reply reply = {.memory = NULL};
	struct cs_why why = {{0}};
	enum cli_exit code = ledger_ask(node, &reply, &question);
	if (code == CLI_OK && reply.code != 0)
		code = cli_fail(node->cli, CLI_REFUSED, "%s: %s", node->url, reply.log);
	if (code != CLI_OK)
		goto end;
	uint8_t *memory = malloc(key.n + reply.value.n + reply.proof.n + 1);
	if (memory == NULL) {
		code = cli_fail(node->cli, CLI_FAILED, "no memory");
		goto end;
	}
	memcpy(memory, key.p, key.n);
	memcpy(memory + key.n, reply.memory, reply.value.n + reply.proof.n);
	const struct statement_proof made = {
		.key = cs_bytes(memory, key.n),
		.value = cs_bytes(memory + key.n, reply.value.n),
		.proof = cs_bytes(memory + key.n + reply.value.n, reply.proof.n),
		.memory = memory};
	if (statement_proof_check(&made, &tip->app_hash, &why) == CS_OK) {
		*proof = made;
	} else {
		free(memory);
		code = cli_fail(node->cli, CLI_NO, "%s: %s", node->url, why.text);
	}
end:
	ledger_reply_clear(&reply);
	return code;
}
