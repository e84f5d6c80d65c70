/* An envelope that an application was given by anybody: whatever it is, it is proven or refused, and
 * nothing is proven by the keys of nobody. */
#include "sdk/c/include/caisson/client.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct caisson_verified *verified = NULL;
	struct caisson_error error = {.err = CAISSON_OK};
	struct caisson_keys keys = {.insecure_domain = true, .insecure_file_keys = true};
	if (caisson_verify_envelope(&verified, (const char *)data, size, &keys, &error) ==
	    CAISSON_OK) {
		caisson_verified_free(verified);
		verified = NULL;
		keys.insecure_file_keys = false;
		if (caisson_verify_envelope(&verified, (const char *)data, size, &keys, &error) ==
		    CAISSON_OK)
			abort();
	}
	if (error.err != CAISSON_OK && !error.text[0])
		abort();
	return 0;
}
