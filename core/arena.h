/* A bump allocator over one block that the caller gives. Nothing is freed one by one: a request
 * ends, the arena is reset. */
#ifndef CS_ARENA_H
#define CS_ARENA_H

#include "core/bytes.h"

struct cs_arena {
	uint8_t *block;
	size_t size;
	size_t used;
};

void cs_arena_init(struct cs_arena *arena, void *block, size_t size);
/* 16-byte aligned, not cleared. NULL when the block is used up, size 0 included in the count. */
void *cs_arena_alloc(struct cs_arena *arena, size_t size);
/* count elements of size, cleared; NULL on overflow too. */
void *cs_arena_calloc(struct cs_arena *arena, size_t count, size_t size);
/* A copy that lives as long as the arena; p is NULL when there is no room. */
struct cs_bytes cs_arena_copy(struct cs_arena *arena, struct cs_bytes bytes);
size_t cs_arena_mark(const struct cs_arena *arena);
/* Gives back everything allocated since the mark. */
void cs_arena_rewind(struct cs_arena *arena, size_t mark);
/* The block is its owner's again, for something else: only for one that has another use (a sanitizer
 * takes what was given back for memory that nobody may touch). */
void cs_arena_done(struct cs_arena *arena);

#endif
