/* The heap that libcurl uses: what it frees is wiped, because URLs, headers and bodies may hold
 * secrets. */
#ifndef ENCLAVE_FETCH_HEAP_H
#define ENCLAVE_FETCH_HEAP_H

#include <stddef.h>

void *heap_malloc(size_t size);
void *heap_calloc(size_t count, size_t size);
void *heap_realloc(void *p, size_t size);
char *heap_strdup(const char *text);
void heap_free(void *p);

#endif
