#include "core/ct.h"

#include <string.h>

void cs_wipe(void *p, size_t n)
{
	explicit_bzero(p, n);
}

bool cs_ct_eq(const void *a, const void *b, size_t n)
{
	const uint8_t *x = a, *y = b;
	volatile uint8_t difference = 0;
	for (size_t i = 0; i < n; i++)
		difference = (uint8_t)(difference | (x[i] ^ y[i]));
	return difference == 0;
}
