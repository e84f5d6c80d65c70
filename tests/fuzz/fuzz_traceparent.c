/* Any bytes as the headers traceparent and tracestate, and as a URL: what is taken is canonical, and what is shown
 * of a URL is no more than stood before its path. */
#include "host/trace.h"
#include "host/url.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

static void trace(const char *text)
{
	char first[HOST_TRACEPARENT_SIZE];
	char second[HOST_TRACEPARENT_SIZE];
	if (host_traceparent_parse(first, text) != CS_OK)
		return;
	cs_assert(strlen(first) == HOST_TRACEPARENT_SIZE - 1 && memcmp(first, "00-", 3) == 0);
	cs_assert(host_traceparent_parse(second, first) == CS_OK && strcmp(first, second) == 0);
}

static void tracestate(const char *text)
{
	char first[HOST_TRACESTATE_SIZE] = "";
	char second[HOST_TRACESTATE_SIZE] = "";
	if (host_tracestate_add(first, text) != CS_OK) {
		cs_assert(first[0] == 0);
		return;
	}
	cs_assert(strlen(first) < HOST_TRACESTATE_SIZE && strpbrk(first, "\t\r\n") == NULL);
	cs_assert(host_tracestate_add(second, first) == CS_OK && strcmp(first, second) == 0);
}

static void url(const char *text)
{
	char *origin = host_url_origin(text);
	const char *host = strstr(origin, "://");
	cs_assert(strlen(origin) <= strlen(text) && (host != NULL || origin[0] == 0));
	cs_assert(host == NULL || strpbrk(host + 3, "/?#@\\") == NULL);
	char *hidden = strdup(text);
	cs_assert(hidden != NULL);
	host_url_hide(hidden, text);
	cs_assert(strlen(hidden) == strlen(text));
	free(hidden);
	free(origin);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = calloc(1, size + 1);
	cs_assert(text != NULL);
	if (size > 0)
		memcpy(text, data, size);
	trace(text);
	tracestate(text);
	url(text);
	free(text);
	return 0;
}
