#include "adapters/rpc.h"

#include <stdio.h>
#include <string.h>

static void set_error(struct adapter_rpc_reply *reply, const json_t *error,
		      adapter_rpc_classify_fn *classify)
{
	const json_t *code = json_object_get(error, "code");
	const json_t *message = json_object_get(error, "message");
	const char *text = json_is_string(message) ? json_string_value(message) : "";

	reply->class = classify(json_integer_value(code), text, json_object_get(error, "data"));
	cs_assert(reply->class != ADAPTER_RPC_FINE);
	reply->err = adapter_rpc_class_err(reply->class);
	reply->result = NULL;
	reply->data = json_object_get(error, "data");
	/* CometBFT says what is wrong beside the message; an EVM's data are bytes. */
	const char *more = json_string_value(reply->data);
	bool is_text = more != NULL && strncmp(more, "0x", 2) != 0;
	snprintf(reply->why, sizeof(reply->why), "%lld %.90s%s%.90s",
		 (long long)json_integer_value(code), text, is_text ? ": " : "",
		 is_text ? more : "");
}

/* An error object must have a code and a message; everything else is no JSON-RPC. */
static bool is_error(const json_t *error)
{
	return json_is_object(error) && json_is_integer(json_object_get(error, "code")) &&
	       json_is_string(json_object_get(error, "message"));
}

static enum cs_err set_reply(struct adapter_rpc_reply *reply, const json_t *answer,
			     adapter_rpc_classify_fn *classify, struct cs_why *why)
{
	const json_t *result = json_object_get(answer, "result");
	const json_t *error = json_object_get(answer, "error");

	if (json_is_null(error))
		error = NULL;
	if (error != NULL) {
		if (!is_error(error) || (result != NULL && !json_is_null(result)))
			return cs_fail(why, CS_ERR_RPC_LIE, "an error that is none");
		set_error(reply, error, classify);
		return CS_OK;
	}
	if (result == NULL)
		return cs_fail(why, CS_ERR_RPC_LIE, "neither result nor error");
	reply->class = ADAPTER_RPC_FINE;
	reply->err = CS_OK;
	reply->result = result;
	reply->data = NULL;
	reply->why[0] = '\0';
	return CS_OK;
}

/* Which of the calls this answers: by its id, once. */
static enum cs_err take_answer(struct adapter_rpc_reply *replies, size_t count, uint64_t first_id,
			       const json_t *answer, adapter_rpc_classify_fn *classify,
			       struct cs_why *why)
{
	const json_t *id = json_object_get(answer, "id");

	if (!json_is_object(answer) || !json_is_integer(id))
		return cs_fail(why, CS_ERR_RPC_LIE, "an answer without id");
	json_int_t value = json_integer_value(id);
	if (value < 0 || (uint64_t)value < first_id || (uint64_t)value - first_id >= count)
		return cs_fail(why, CS_ERR_RPC_LIE, "an answer to another request");
	struct adapter_rpc_reply *reply = &replies[(uint64_t)value - first_id];
	if (reply->class != ADAPTER_RPC_LIE)
		return cs_fail(why, CS_ERR_RPC_LIE, "two answers to one call");
	return set_reply(reply, answer, classify, why);
}

static enum cs_err take_all(struct adapter_rpc_reply *replies, size_t count, bool single,
			    uint64_t first_id, const json_t *document,
			    adapter_rpc_classify_fn *classify, struct cs_why *why)
{
	const json_t *error = json_object_get(document, "error");

	if (json_is_object(document) && is_error(error) &&
	    !json_is_integer(json_object_get(document, "id"))) {
		for (size_t i = 0; i < count; i++)
			set_error(&replies[i], error, classify);
		return CS_OK;
	}
	if (single)
		return take_answer(replies, count, first_id, document, classify, why);
	if (!json_is_array(document))
		return cs_fail(why, CS_ERR_RPC_LIE, "no array for a batch");
	/* geth answers a batch that is too large with one error in an array, the rest left out */
	if (json_array_size(document) == 1 && count > 1 &&
	    is_error(json_object_get(json_array_get(document, 0), "error"))) {
		for (size_t i = 0; i < count; i++)
			set_error(&replies[i],
				  json_object_get(json_array_get(document, 0), "error"), classify);
		return CS_OK;
	}
	if (json_array_size(document) != count)
		return cs_fail(why, CS_ERR_RPC_LIE, "%zu answers to %zu calls",
			       json_array_size(document), count);
	for (size_t i = 0; i < count; i++)
		CS_TRY(take_answer(replies, count, first_id, json_array_get(document, i), classify,
				   why));
	return CS_OK;
}

enum cs_err adapter_rpc_decode(json_t **document, struct adapter_rpc_reply *replies, size_t count,
			       bool single, uint64_t first_id, struct cs_bytes body,
			       adapter_rpc_classify_fn *classify, struct cs_why *why)
{
	json_t *parsed = adapter_json_parse(body);

	if (parsed == NULL)
		return cs_fail(why, CS_ERR_MALFORMED, "no JSON: %.*s",
			       body.n < 40 ? (int)body.n : 40,
			       body.n > 0 ? (const char *)body.p : "");
	for (size_t i = 0; i < count; i++)
		replies[i] =
			(struct adapter_rpc_reply){.class = ADAPTER_RPC_LIE, .err = CS_ERR_RPC_LIE};
	enum cs_err err = take_all(replies, count, single, first_id, parsed, classify, why);
	if (err != CS_OK) {
		json_decref(parsed);
		return err;
	}
	*document = parsed;
	return CS_OK;
}
