/*~ The subscription to an EVM node's heads. */
#include "adapters/evm/inner.h"

#include <string.h>

/* Heads alone: a log comes with its block, and a thousand of them tell nothing more. */
const char evm_hint_request[] =
	"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"eth_subscribe\",\"params\":[\"newHeads\"]}";

enum adapter_hint_says evm_hint_read(struct cs_bytes text)
{
	json_t *json = text.n <= ADAPTER_HINT_SIZE_MAX ? adapter_json_parse(text) : NULL;
	const json_t *error = json_object_get(json, "error");
	const char *method = json_string_value(json_object_get(json, "method"));
	enum adapter_hint_says says = ADAPTER_HINT_OTHER;

	if (!json_is_object(json))
		says = ADAPTER_HINT_LIE;
	else if (json_is_object(error))
		says = ADAPTER_HINT_REFUSED;
	else if (method == NULL)
		says = ADAPTER_HINT_ACCEPTED;
	else if (strcmp(method, "eth_subscription") == 0)
		says = ADAPTER_HINT_NEWS;
	json_decref(json);
	return says;
}
