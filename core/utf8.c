#include "core/utf8.h"

#define LAST 0x10ffffu
#define SURROGATE_FIRST 0xd800u
#define SURROGATE_LAST 0xdfffu

static bool is_character(uint32_t c)
{
	return c <= LAST && (c < SURROGATE_FIRST || c > SURROGATE_LAST);
}

size_t cs_utf8_next(struct cs_bytes text)
{
	static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
	if (text.n == 0)
		return 0;
	uint8_t first = text.p[0];
	if (first < 0x80)
		return 1;
	if (first < 0xc2 || first > 0xf4)
		return 0;
	size_t n = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
	uint32_t c = first & (0x7fu >> n);
	if (n > text.n)
		return 0;
	for (size_t i = 1; i < n; i++) {
		if ((text.p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (text.p[i] & 0x3fu);
	}
	return c >= least[n] && is_character(c) ? n : 0;
}

bool cs_utf8_is_valid(struct cs_bytes text)
{
	while (text.n > 0) {
		size_t n = cs_utf8_next(text);
		if (n == 0)
			return false;
		text = cs_bytes(text.p + n, text.n - n);
	}
	return true;
}

size_t cs_utf8_put(uint8_t out[CS_UTF8_SIZE_MAX], uint32_t c)
{
	if (!is_character(c))
		return 0;
	size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
	if (n == 1) {
		out[0] = (uint8_t)c;
		return 1;
	}
	for (size_t i = n; i-- > 1;) {
		out[i] = (uint8_t)(0x80 | (c & 0x3f));
		c >>= 6;
	}
	out[0] = (uint8_t)((0xf00u >> n & 0xf0u) | c);
	return n;
}
