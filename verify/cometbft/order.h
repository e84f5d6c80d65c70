/* Sorts indices of small tables, without memory of its own and in n log n whatever the input is. */
#ifndef CMT_ORDER_H
#define CMT_ORDER_H

#include "core/base.h"

/* Does a stand before b? A strict order. */
typedef bool cmt_before(const void *context, uint16_t a, uint16_t b);

void cmt_order(uint16_t *indices, size_t count, cmt_before *before, const void *context);

#endif
