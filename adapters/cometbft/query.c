#include "adapters/cometbft/nodes.h"
#include "host/alloc.h"
#include "host/cometbft_text.h"

#include <stdlib.h>
#include <string.h>

/* ---- codes ---- */

static const struct {
	uint32_t code;
	enum cs_err err;
	const char *sentence;
} codes[] = {
#define LEDGER_CODE(code, number, name, sentence) {(number), COMET_ERR_##code, sentence},
#define COMET_ERR_OK CS_ERR_OK
#define COMET_ERR_MALFORMED CS_ERR_INVALID
#define COMET_ERR_TOO_LARGE CS_ERR_TOO_LARGE
#define COMET_ERR_WRONG_CHAIN CS_ERR_WRONG_CHAIN
#define COMET_ERR_EXPIRED CS_ERR_TIMEOUT
#define COMET_ERR_BAD_SIGNATURE CS_ERR_BAD_SIGNATURE
#define COMET_ERR_WRONG_SEQUENCE CS_ERR_NONCE
#define COMET_ERR_GAS_TOO_LOW CS_ERR_INVALID
#define COMET_ERR_GAS_TOO_HIGH CS_ERR_INVALID
#define COMET_ERR_PRICE_TOO_LOW CS_ERR_UNDERPRICED
#define COMET_ERR_NO_FUNDS CS_ERR_NO_FUNDS
#define COMET_ERR_BUSY CS_ERR_UNAVAILABLE
#define COMET_ERR_REVERTED CS_ERR_REVERTED
#define COMET_ERR_OUT_OF_GAS CS_ERR_REVERTED
#define COMET_ERR_NO_CONTRACT CS_ERR_REVERTED
#define COMET_ERR_NO_PATH CS_ERR_UNSUPPORTED
#define COMET_ERR_INVALID CS_ERR_INVALID
#define COMET_ERR_NOT_KEPT CS_ERR_UNAVAILABLE
#define COMET_ERR_TOO_MUCH CS_ERR_TOO_LARGE
#include "relay_state/ledger/codes.def"
#undef LEDGER_CODE
};

enum cs_err comet_code_err(uint32_t code)
{
	for (size_t i = 0; i < CS_LEN(codes); i++)
		if (codes[i].code == code)
			return codes[i].err;
	return CS_ERR_RPC;
}

const char *comet_code_sentence(uint32_t code)
{
	for (size_t i = 0; i < CS_LEN(codes); i++)
		if (codes[i].code == code)
			return codes[i].sentence;
	return "a code that is not the ledger's";
}

/* ---- questions ---- */

struct request {
	comet_query_done *done;
	void *ctx;
	struct adapter_rpc *rpc;
};

struct held {
	uint8_t *value;
	uint8_t *proof;
};

static enum cs_err read_proof(struct comet_answer *answer, struct held *held,
			      const json_t *response)
{
	const json_t *ops = json_object_get(json_object_get(response, "proofOps"), "ops");
	const json_t *op = json_array_get(ops, 0);
	const char *type = json_string_value(json_object_get(op, "type"));
	size_t size = 0;

	if (op == NULL)
		return CS_OK;
	if (json_array_size(ops) != 1 || type == NULL || strcmp(type, "ics23:smt") != 0)
		return CS_ERR_MALFORMED;
	CS_TRY(comet_json_base64(&held->proof, &size, json_object_get(op, "data")));
	answer->proof = cs_bytes(held->proof, size);
	return CS_OK;
}

static enum cs_err read_answer(struct comet_answer *answer, struct held *held,
			       const struct adapter_rpc_reply *reply)
{
	const json_t *response = json_object_get(reply->result, "response");
	const json_t *code = json_object_get(response, "code");
	const json_t *value = json_object_get(response, "value");
	size_t size = 0;

	answer->why = reply->why;
	answer->endpoint = reply->endpoint;
	if (reply->class != ADAPTER_RPC_FINE)
		return reply->err;
	answer->why = "an answer to a question that does not read";
	if (!json_is_integer(code) || json_integer_value(code) < 0 ||
	    json_integer_value(code) > UINT32_MAX)
		return CS_ERR_RPC_LIE;
	answer->code = (uint32_t)json_integer_value(code);
	if (value != NULL && comet_json_base64(&held->value, &size, value) != CS_OK)
		return CS_ERR_RPC_LIE;
	answer->value = cs_bytes(held->value, size);
	const json_t *height = json_object_get(response, "height"); /* a zero is left out */
	if (height != NULL && comet_json_u64(&answer->height, height) != CS_OK)
		return CS_ERR_RPC_LIE;
	if (read_proof(answer, held, response) != CS_OK)
		return CS_ERR_RPC_LIE;
	answer->why = answer->code == 0 ? "" : comet_code_sentence(answer->code);
	return CS_OK;
}

static void answered(void *ctx, const struct adapter_rpc_reply *replies, size_t count)
{
	struct request *request = ctx;
	struct comet_answer *answers = host_calloc(count, sizeof(*answers));
	struct held *held = host_calloc(count, sizeof(*held));

	for (size_t i = 0; i < count; i++) {
		answers[i].err = read_answer(&answers[i], &held[i], &replies[i]);
		if (answers[i].err == CS_ERR_RPC_LIE && replies[i].class == ADAPTER_RPC_FINE)
			adapter_rpc_lied(request->rpc, replies[i].endpoint, answers[i].why);
	}
	request->done(request->ctx, answers, count);
	for (size_t i = 0; i < count; i++) {
		free(held[i].value);
		free(held[i].proof);
	}
	free(held);
	free(answers);
	free(request);
}

enum cs_err comet_query(struct comet_nodes *nodes, const struct adapter_rpc_options *options,
			const struct comet_query *queries, size_t count, comet_query_done *done,
			void *ctx)
{
	struct adapter_rpc_call calls[COMET_QUERIES_MAX];
	struct request *request = host_alloc(sizeof(*request));

	cs_assert(count > 0 && count <= COMET_QUERIES_MAX);
	*request = (struct request){done, ctx, nodes->rpc};
	for (size_t i = 0; i < count; i++)
		calls[i] = (struct adapter_rpc_call){
			"abci_query", json_pack("{s:s, s:o, s:o, s:b}", "path", queries[i].path,
						"data", cometbft_json_hex(queries[i].data),
						"height", comet_json_from_u64(queries[i].height),
						"prove", (int)queries[i].prove)};
	struct adapter_rpc_options read = *options;
	read.read = true;
	enum cs_err err = adapter_rpc_batch(nodes->rpc, &read, calls, count, answered, request);
	if (err != CS_OK)
		free(request);
	return err;
}
