/* What fuzz targets share: memory for one input, the claim that what was accepted has one encoding,
 * and the claim that what was refused left the output alone. */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include "core/buf.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Empty again for every input; under AddressSanitizer what is not allocated is poisoned. */
static inline struct cs_arena *fuzz_arena(void)
{
	static _Alignas(16) uint8_t block[16 * 1024 * 1024];
	static struct cs_arena arena;
	if (arena.block == NULL)
		cs_arena_init(&arena, block, sizeof block);
	else
		cs_arena_rewind(&arena, 0);
	return &arena;
}

static inline void fuzz_same(const struct cs_buf *buf, struct cs_bytes bytes)
{
	cs_assert(cs_buf_end(buf) == CS_OK);
	cs_assert(cs_bytes_eq(cs_buf_view(buf), bytes));
}

/* By memset and memcmp: a loop over a large struct would take most of the fuzzer's time. */
static inline void fuzz_fill(void *p, size_t n)
{
	memset(p, 0x5a, n);
}

static inline void fuzz_untouched(const void *p, size_t n)
{
	const uint8_t *bytes = p;
	cs_assert(bytes[0] == 0x5a && memcmp(bytes, bytes + 1, n - 1) == 0);
}

#endif
