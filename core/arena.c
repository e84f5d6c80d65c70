#include "core/arena.h"

#include <string.h>

#define ALIGNMENT 16u

/* Sanitizers then see a use after the rewind. gcc has no __has_feature, clang no
 * __SANITIZE_ADDRESS__. */
#if defined(__SANITIZE_ADDRESS__)
#define ARENA_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_ASAN 1
#endif
#endif
#ifdef ARENA_ASAN
#include <sanitizer/asan_interface.h>
#define poison(p, n) ASAN_POISON_MEMORY_REGION(p, n)
#define unpoison(p, n) ASAN_UNPOISON_MEMORY_REGION(p, n)
#else
#define poison(p, n) ((void)(p), (void)(n))
#define unpoison(p, n) ((void)(p), (void)(n))
#endif

void cs_arena_init(struct cs_arena *arena, void *block, size_t size)
{
	size_t skew = (ALIGNMENT - (uintptr_t)block % ALIGNMENT) % ALIGNMENT;
	cs_assert(block != NULL && size >= skew);
	*arena = (struct cs_arena){(uint8_t *)block + skew, size - skew, 0};
}

void *cs_arena_alloc(struct cs_arena *arena, size_t size)
{
	size_t left = arena->size - arena->used;
	if (size > left || left - size < ALIGNMENT)
		return NULL;
	size_t rounded = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
	uint8_t *p = arena->block + arena->used;
	unpoison(p, size);
	arena->used += rounded;
	return p;
}

void *cs_arena_calloc(struct cs_arena *arena, size_t count, size_t size)
{
	size_t total;
	if (__builtin_mul_overflow(count, size, &total))
		return NULL;
	void *p = cs_arena_alloc(arena, total);
	if (p != NULL)
		memset(p, 0, total);
	return p;
}

struct cs_bytes cs_arena_copy(struct cs_arena *arena, struct cs_bytes bytes)
{
	uint8_t *p = cs_arena_alloc(arena, bytes.n);
	if (p == NULL)
		return CS_BYTES_NONE;
	if (bytes.n > 0)
		memcpy(p, bytes.p, bytes.n);
	return cs_bytes(p, bytes.n);
}

size_t cs_arena_mark(const struct cs_arena *arena)
{
	return arena->used;
}

void cs_arena_rewind(struct cs_arena *arena, size_t mark)
{
	cs_assert(mark <= arena->used);
	poison(arena->block + mark, arena->used - mark);
	arena->used = mark;
}

void cs_arena_done(struct cs_arena *arena)
{
	unpoison(arena->block, arena->size);
	*arena = (struct cs_arena){NULL, 0, 0};
}
