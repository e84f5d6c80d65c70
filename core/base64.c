#include "core/base64.h"

static const char alphabets[2][65] = {
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
};

/* The value of a character, marked; 0 for what is none of the form's. */
#define MARK 0x40u
#define V(value) ((value) | MARK)
#define LETTERS_AND_DIGITS                                                                        \
	['A'] = V(0), ['B'] = V(1), ['C'] = V(2), ['D'] = V(3), ['E'] = V(4), ['F'] = V(5),       \
	['G'] = V(6), ['H'] = V(7), ['I'] = V(8), ['J'] = V(9), ['K'] = V(10), ['L'] = V(11),     \
	['M'] = V(12), ['N'] = V(13), ['O'] = V(14), ['P'] = V(15), ['Q'] = V(16), ['R'] = V(17), \
	['S'] = V(18), ['T'] = V(19), ['U'] = V(20), ['V'] = V(21), ['W'] = V(22), ['X'] = V(23), \
	['Y'] = V(24), ['Z'] = V(25), ['a'] = V(26), ['b'] = V(27), ['c'] = V(28), ['d'] = V(29), \
	['e'] = V(30), ['f'] = V(31), ['g'] = V(32), ['h'] = V(33), ['i'] = V(34), ['j'] = V(35), \
	['k'] = V(36), ['l'] = V(37), ['m'] = V(38), ['n'] = V(39), ['o'] = V(40), ['p'] = V(41), \
	['q'] = V(42), ['r'] = V(43), ['s'] = V(44), ['t'] = V(45), ['u'] = V(46), ['v'] = V(47), \
	['w'] = V(48), ['x'] = V(49), ['y'] = V(50), ['z'] = V(51), ['0'] = V(52), ['1'] = V(53), \
	['2'] = V(54), ['3'] = V(55), ['4'] = V(56), ['5'] = V(57), ['6'] = V(58), ['7'] = V(59), \
	['8'] = V(60), ['9'] = V(61)
static const uint8_t values[2][256] = {
	{LETTERS_AND_DIGITS, ['+'] = V(62), ['/'] = V(63)},
	{LETTERS_AND_DIGITS, ['-'] = V(62), ['_'] = V(63)},
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

/* What is left behind the last four characters: none, or two or three for one or two bytes. */
static enum cs_err unbase64_end(uint8_t *p, size_t *n, const uint8_t *text, size_t left,
				const uint8_t of[256])
{
	uint32_t bits = 0;
	for (size_t i = 0; i < left; i++) {
		if (of[text[i]] == 0)
			return CS_ERR_MALFORMED;
		bits = bits << 6 | (of[text[i]] ^ MARK);
	}
	size_t count = left * 6 / 8, unused = left * 6 % 8;
	if ((bits & ((1u << unused) - 1)) != 0)
		return CS_ERR_NON_CANONICAL;
	bits >>= unused;
	for (size_t i = 0; i < count; i++)
		p[i] = (uint8_t)(bits >> (8 * (count - 1 - i)));
	*n += count;
	return CS_OK;
}

enum cs_err cs_unbase64(uint8_t *p, size_t *n, struct cs_bytes text, enum cs_base64 form)
{
	const uint8_t *of = values[form], *from = text.p;
	size_t at = 0, end = text.n, i = 0;
	if (form == CS_BASE64) {
		if (text.n % 4 != 0)
			return CS_ERR_MALFORMED;
		for (size_t pad = 0; pad < 2 && end > 0 && from[end - 1] == '='; pad++)
			end--;
	}
	if (end % 4 == 1)
		return CS_ERR_MALFORMED;
	/* Not more is written than was read, so p may be text's memory. */
	for (; i + 4 <= end; i += 4) {
		uint8_t a = of[from[i]], b = of[from[i + 1]], c = of[from[i + 2]],
			d = of[from[i + 3]];
		if ((a & b & c & d) < MARK)
			return CS_ERR_MALFORMED;
		uint32_t bits = (a ^ MARK) << 18 | (b ^ MARK) << 12 | (c ^ MARK) << 6 | (d ^ MARK);
		p[at++] = (uint8_t)(bits >> 16);
		p[at++] = (uint8_t)(bits >> 8);
		p[at++] = (uint8_t)bits;
	}
	CS_TRY(unbase64_end(p + at, &at, from + i, end - i, of));
	*n = at;
	return CS_OK;
}
