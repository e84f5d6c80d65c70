/* Any bytes as a file of API keys, and as the header that is checked against it. */
#include "host/api_key.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const scopes[] = {"read", "write", NULL};
	struct host_api_keys keys = {.count = 7};
	struct cs_why why = {{0}};
	const struct host_api_key *key = NULL;
	if (host_api_keys_parse(&keys, cs_bytes(data, size), scopes, &why) == CS_OK) {
		cs_assert(keys.count <= HOST_API_KEYS_MAX);
		for (uint32_t i = 0; i < keys.count; i++)
			cs_assert(keys.keys[i].name[0] != 0 && keys.keys[i].scopes >= 1 &&
				  keys.keys[i].scopes <= 3);
	} else {
		cs_assert(keys.count == 7 && why.text[0] != 0);
		keys.count = 0;
	}
	char *header = calloc(1, size + 1);
	cs_assert(header != NULL);
	if (size > 0)
		memcpy(header, data, size);
	/* No input is the SHA-256 preimage of a hash that it contains. */
	cs_assert(host_api_keys_check(&key, &keys, header, 1) == CS_ERR_UNAUTHORIZED &&
		  key == NULL);
	free(header);
	return 0;
}
