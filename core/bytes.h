/* Views of bytes, and the fixed-size values that the compiler should tell apart. A view owns
 * nothing and never copies. */
#ifndef CS_BYTES_H
#define CS_BYTES_H

#include "core/err.h"

struct cs_bytes {
	const uint8_t *p;
	size_t n;
};

struct cs_hash {
	uint8_t b[32];
};

struct cs_address {
	uint8_t b[20];
};

#define CS_BYTES_NONE ((struct cs_bytes){NULL, 0})
#define CS_BYTES_OF(array) ((struct cs_bytes){(array), sizeof(array)})

static inline struct cs_bytes cs_bytes(const void *p, size_t n)
{
	return (struct cs_bytes){p, n};
}

/* Of a terminated string, without its end. */
struct cs_bytes cs_bytes_str(const char *text);
bool cs_bytes_eq(struct cs_bytes a, struct cs_bytes b);
/* Below, at or above 0 as a comes before, with or after b: by bytes, and a prefix first. */
int cs_bytes_compare(struct cs_bytes a, struct cs_bytes b);
bool cs_hash_eq(const struct cs_hash *a, const struct cs_hash *b);
bool cs_hash_is_zero(const struct cs_hash *a);
bool cs_address_eq(const struct cs_address *a, const struct cs_address *b);

/* Big-endian, fixed places. */
uint16_t cs_be16(const uint8_t *p);
uint32_t cs_be32(const uint8_t *p);
uint64_t cs_be64(const uint8_t *p);
void cs_put_be16(uint8_t *p, uint16_t value);
void cs_put_be32(uint8_t *p, uint32_t value);
void cs_put_be64(uint8_t *p, uint64_t value);

/* Lower-case hex without prefix into text[2n + 1]. Not for secrets. */
void cs_hex(char *text, struct cs_bytes bytes);
/* Hex with or without 0x, exactly 2n digits: MALFORMED otherwise. */
CS_NODISCARD enum cs_err cs_unhex(uint8_t *p, size_t n, struct cs_bytes text);

#endif
