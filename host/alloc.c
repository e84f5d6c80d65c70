#include "host/alloc.h"

#include <stdlib.h>
#include <string.h>

void *host_alloc(size_t size)
{
	return host_calloc(1, size);
}

void *host_calloc(size_t count, size_t size)
{
	/* calloc checks the product itself. */
	void *p = calloc(count > 0 ? count : 1, size > 0 ? size : 1);
	cs_assert(p != NULL);
	return p;
}

void *host_grow(void *p, size_t size)
{
	void *grown = realloc(p, size > 0 ? size : 1);
	cs_assert(grown != NULL);
	return grown;
}

char *host_text(const char *text)
{
	char *copy = strdup(text);
	cs_assert(copy != NULL);
	return copy;
}

uint8_t *host_copy(struct cs_bytes bytes)
{
	cs_assert(bytes.n < SIZE_MAX);
	uint8_t *copy = host_grow(NULL, bytes.n + 1);
	if (bytes.n > 0)
		memcpy(copy, bytes.p, bytes.n);
	copy[bytes.n] = 0;
	return copy;
}
