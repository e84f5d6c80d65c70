/* A message of a node's websocket: each is one of five things, by its members error and method. */
#include "adapters/evm/inner.h"
#include "adapters/rpc_json.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size > 65536)
		return 0;
	enum adapter_hint_says says = evm_hint_read(cs_bytes(data, size));
	json_t *json = adapter_json_parse(cs_bytes(data, size));
	const json_t *error = json_object_get(json, "error");
	const json_t *method = json_object_get(json, "method");
	cs_assert((says == ADAPTER_HINT_LIE) == !json_is_object(json));
	cs_assert((says == ADAPTER_HINT_REFUSED) == json_is_object(error));
	if (says == ADAPTER_HINT_ACCEPTED)
		cs_assert(!json_is_string(method));
	if (says == ADAPTER_HINT_NEWS || says == ADAPTER_HINT_OTHER)
		cs_assert(json_is_string(method));
	if (says == ADAPTER_HINT_NEWS)
		cs_assert(strcmp(json_string_value(method), "eth_subscription") == 0);
	json_decref(json);
	return 0;
}
