#include "core/base64.h"

static const char alphabets[2][65] = {
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
};

/* One more than the value of a character of either alphabet; 0 for all others. */
static const uint8_t values[256] = {
	['A'] = 1,  ['B'] = 2,  ['C'] = 3,  ['D'] = 4,  ['E'] = 5,  ['F'] = 6,  ['G'] = 7,
	['H'] = 8,  ['I'] = 9,  ['J'] = 10, ['K'] = 11, ['L'] = 12, ['M'] = 13, ['N'] = 14,
	['O'] = 15, ['P'] = 16, ['Q'] = 17, ['R'] = 18, ['S'] = 19, ['T'] = 20, ['U'] = 21,
	['V'] = 22, ['W'] = 23, ['X'] = 24, ['Y'] = 25, ['Z'] = 26, ['a'] = 27, ['b'] = 28,
	['c'] = 29, ['d'] = 30, ['e'] = 31, ['f'] = 32, ['g'] = 33, ['h'] = 34, ['i'] = 35,
	['j'] = 36, ['k'] = 37, ['l'] = 38, ['m'] = 39, ['n'] = 40, ['o'] = 41, ['p'] = 42,
	['q'] = 43, ['r'] = 44, ['s'] = 45, ['t'] = 46, ['u'] = 47, ['v'] = 48, ['w'] = 49,
	['x'] = 50, ['y'] = 51, ['z'] = 52, ['0'] = 53, ['1'] = 54, ['2'] = 55, ['3'] = 56,
	['4'] = 57, ['5'] = 58, ['6'] = 59, ['7'] = 60, ['8'] = 61, ['9'] = 62, ['+'] = 63,
	['-'] = 63, ['/'] = 64, ['_'] = 64,
};

size_t cs_base64(char *text, struct cs_bytes bytes, enum cs_base64 form)
{
	const char *alphabet = alphabets[form];
	size_t n = 0;
	for (size_t i = 0; i < bytes.n; i += 3) {
		size_t left = bytes.n - i;
		uint32_t bits = (uint32_t)bytes.p[i] << 16 |
				(left > 1 ? (uint32_t)bytes.p[i + 1] << 8 : 0) |
				(left > 2 ? bytes.p[i + 2] : 0u);
		text[n++] = alphabet[bits >> 18];
		text[n++] = alphabet[bits >> 12 & 63];
		if (left > 1)
			text[n++] = alphabet[bits >> 6 & 63];
		else if (form == CS_BASE64)
			text[n++] = '=';
		if (left > 2)
			text[n++] = alphabet[bits & 63];
		else if (form == CS_BASE64)
			text[n++] = '=';
	}
	text[n] = 0;
	return n;
}

enum cs_err cs_unbase64(uint8_t *p, size_t *n, struct cs_bytes text, enum cs_base64 form)
{
	size_t at = 0, end = text.n;
	if (form == CS_BASE64) {
		if (text.n % 4 != 0)
			return CS_ERR_MALFORMED;
		for (size_t pad = 0; pad < 2 && end > 0 && text.p[end - 1] == '='; pad++)
			end--;
	}
	if (end % 4 == 1)
		return CS_ERR_MALFORMED;
	/* Not more is written than was read, so p may be text's memory. */
	uint8_t other_62 = (uint8_t)alphabets[1 - form][62],
		other_63 = (uint8_t)alphabets[1 - form][63];
	uint32_t bits = 0, held = 0;
	for (size_t i = 0; i < end; i++) {
		uint8_t c = text.p[i], value = values[c];
		if (value == 0 || c == other_62 || c == other_63)
			return CS_ERR_MALFORMED;
		bits = (bits << 6 | (value - 1u)) & 0xffff;
		held += 6;
		if (held >= 8) {
			held -= 8;
			p[at++] = (uint8_t)(bits >> held);
		}
	}
	if ((bits & ((1u << held) - 1)) != 0)
		return CS_ERR_NON_CANONICAL;
	*n = at;
	return CS_OK;
}
