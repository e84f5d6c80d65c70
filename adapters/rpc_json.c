#include "adapters/rpc_json.h"

/* jansson recurses; its own limit (2048) is a matter of its build. */
static bool is_bounded(struct cs_bytes text)
{
	size_t depth = 0;
	size_t count = 0;
	bool in_string = false;

	for (size_t at = 0; at < text.n; at++) {
		uint8_t c = text.p[at];

		if (in_string) {
			if (c == '\\')
				at++;
			else if (c == '"')
				in_string = false;
		} else if (c == '"') {
			in_string = true;
		} else if (c == '[' || c == '{') {
			if (++depth > ADAPTER_JSON_DEPTH_MAX)
				return false;
		} else if ((c == ']' || c == '}') && depth > 0) {
			depth--;
		} else if (c == ',' && ++count > ADAPTER_JSON_VALUES_MAX) {
			return false;
		}
	}
	return true;
}

json_t *adapter_json_parse(struct cs_bytes text)
{
	if (text.n == 0 || !is_bounded(text))
		return NULL;
	/* A node quotes what a contract reverted with: zero bytes in a text for people are no lie. */
	return json_loadb((const char *)text.p, text.n,
			  JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
}
