#include "verify/cometbft/order.h"

static void swap(uint16_t *a, uint16_t *b)
{
	uint16_t c = *a;
	*a = *b;
	*b = c;
}

/* Of a heap whose last stands on top. */
static void sink(uint16_t *heap, size_t at, size_t count, cmt_before *before, const void *context)
{
	for (size_t child; (child = 2 * at + 1) < count; at = child) {
		if (child + 1 < count && before(context, heap[child], heap[child + 1]))
			child++;
		if (!before(context, heap[at], heap[child]))
			return;
		swap(&heap[at], &heap[child]);
	}
}

void cmt_order(uint16_t *indices, size_t count, cmt_before *before, const void *context)
{
	for (size_t i = count / 2; i-- > 0;)
		sink(indices, i, count, before, context);
	for (size_t n = count; n-- > 1;) {
		swap(&indices[0], &indices[n]);
		sink(indices, 0, n, before, context);
	}
}
