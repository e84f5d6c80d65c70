#include "core/bytes.h"

#include <string.h>

_Noreturn void cs_bug(const char *what, const char *file, int line)
{
	(void)what;
	(void)file;
	(void)line;
	__builtin_trap();
}

struct cs_bytes cs_bytes_str(const char *text)
{
	return (struct cs_bytes){(const uint8_t *)text, strlen(text)};
}

bool cs_bytes_eq(struct cs_bytes a, struct cs_bytes b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

int cs_bytes_compare(struct cs_bytes a, struct cs_bytes b)
{
	const size_t n = a.n < b.n ? a.n : b.n;
	const int order = n == 0 ? 0 : memcmp(a.p, b.p, n);
	return order != 0 ? order : (a.n > b.n) - (a.n < b.n);
}

bool cs_hash_eq(const struct cs_hash *a, const struct cs_hash *b)
{
	return memcmp(a->b, b->b, sizeof a->b) == 0;
}

bool cs_hash_is_zero(const struct cs_hash *a)
{
	uint8_t any = 0;
	for (size_t i = 0; i < sizeof a->b; i++)
		any |= a->b[i];
	return any == 0;
}

bool cs_address_eq(const struct cs_address *a, const struct cs_address *b)
{
	return memcmp(a->b, b->b, sizeof a->b) == 0;
}

uint16_t cs_be16(const uint8_t *p)
{
	return (uint16_t)((uint16_t)p[0] << 8 | p[1]);
}

uint32_t cs_be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

uint64_t cs_be64(const uint8_t *p)
{
	return (uint64_t)cs_be32(p) << 32 | cs_be32(p + 4);
}

void cs_put_be16(uint8_t *p, uint16_t value)
{
	p[0] = (uint8_t)(value >> 8);
	p[1] = (uint8_t)value;
}

void cs_put_be32(uint8_t *p, uint32_t value)
{
	cs_put_be16(p, (uint16_t)(value >> 16));
	cs_put_be16(p + 2, (uint16_t)value);
}

void cs_put_be64(uint8_t *p, uint64_t value)
{
	cs_put_be32(p, (uint32_t)(value >> 32));
	cs_put_be32(p + 4, (uint32_t)value);
}

void cs_hex(char *text, struct cs_bytes bytes)
{
	static const char digits[] = "0123456789abcdef";
	for (size_t i = 0; i < bytes.n; i++) {
		text[2 * i] = digits[bytes.p[i] >> 4];
		text[2 * i + 1] = digits[bytes.p[i] & 15];
	}
	text[2 * bytes.n] = '\0';
}

static int digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

enum cs_err cs_unhex(uint8_t *p, size_t n, struct cs_bytes text)
{
	if (text.n >= 2 && text.p[0] == '0' && text.p[1] == 'x')
		text = cs_bytes(text.p + 2, text.n - 2);
	if (text.n % 2 != 0 || text.n / 2 != n)
		return CS_ERR_MALFORMED;
	for (size_t i = 0; i < text.n; i++) {
		if (digit(text.p[i]) < 0)
			return CS_ERR_MALFORMED;
	}
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)((unsigned)digit(text.p[2 * i]) << 4 |
				 (unsigned)digit(text.p[2 * i + 1]));
	return CS_OK;
}
