/* Memory of host processes. A host that has no memory for a small object cannot go on: these end
 * the process instead of returning NULL, so that no caller has a path that is never taken. What a
 * peer can make large is bounded before. */
#ifndef HOST_ALLOC_H
#define HOST_ALLOC_H

#include "core/bytes.h"

/* Cleared. Freed by free(). */
void *host_alloc(size_t size);
/* count elements of size, cleared; an overflow is a bug. */
void *host_calloc(size_t count, size_t size);
/* Keeps what was there, does not clear what is new. */
void *host_grow(void *p, size_t size);
/* n bytes behind the *size ones of p, and a terminating zero that is not counted; *room grows by
 * doubling. Returns p or where it has moved. */
void *host_append(void *p, size_t *size, size_t *room, const void *more, size_t n);
char *host_text(const char *text);
/* n bytes and a terminating zero, which is not counted. */
uint8_t *host_copy(struct cs_bytes bytes);

#endif
