#include "core/base64.h"

static const char alphabets[2][65] = {
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
};

/* 64: no character of the alphabet. */
static uint32_t value_of(uint8_t c, enum cs_base64 form)
{
	if (c >= 'A' && c <= 'Z')
		return (uint32_t)(c - 'A');
	if (c >= 'a' && c <= 'z')
		return (uint32_t)(c - 'a' + 26);
	if (c >= '0' && c <= '9')
		return (uint32_t)(c - '0' + 52);
	if (c == (uint8_t)alphabets[form][62])
		return 62;
	return c == (uint8_t)alphabets[form][63] ? 63 : 64;
}

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
	uint32_t bits = 0, held = 0;
	for (size_t i = 0; i < end; i++) {
		uint32_t value = value_of(text.p[i], form);
		if (value == 64)
			return CS_ERR_MALFORMED;
		bits = (bits << 6 | value) & 0xffff;
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
