#include "enclave/fetch/heap.h"

#include "core/ct.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

void *heap_malloc(size_t size)
{
	return malloc(size);
}

void *heap_calloc(size_t count, size_t size)
{
	return calloc(count, size);
}

void heap_free(void *p)
{
	if (p == NULL)
		return;
	cs_wipe(p, malloc_usable_size(p));
	free(p);
}

void *heap_realloc(void *p, size_t size)
{
	void *larger = malloc(size);
	if (larger == NULL || p == NULL)
		return larger;
	const size_t before = malloc_usable_size(p);
	memcpy(larger, p, before < size ? before : size);
	heap_free(p);
	return larger;
}

char *heap_strdup(const char *text)
{
	const size_t size = strlen(text) + 1;
	char *copy = malloc(size);
	if (copy != NULL)
		memcpy(copy, text, size);
	return copy;
}
