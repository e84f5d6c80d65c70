#include "host/alloc.h"

#include <stdlib.h>
#include <string.h>

#define APPEND_ROOM_MIN 4096u

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

void *host_append(void *p, size_t *size, size_t *room, const void *more, size_t n)
{
	uint8_t *bytes = p;
	if (bytes == NULL || n > *room - *size) {
		*room = *room < APPEND_ROOM_MIN / 2 ? APPEND_ROOM_MIN : *room * 2;
		if (*room < *size + n)
			*room = *size + n;
		bytes = host_grow(bytes, *room + 1);
	}
	if (n > 0)
		memcpy(bytes + *size, more, n);
	*size += n;
	bytes[*size] = 0;
	return bytes;
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
