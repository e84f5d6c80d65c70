/* DER (ITU-T X.690) as a cursor over bytes: what certificates, revocation lists and signatures are
 * made of. Strict: every value has one encoding, all others are refused; it never allocates, and a
 * nesting level is a cursor of the caller's. */
#ifndef CS_DER_H
#define CS_DER_H

#include "core/bytes.h"

enum cs_der_tag {
	CS_DER_BOOLEAN = 0x01,
	CS_DER_INTEGER = 0x02,
	CS_DER_BIT_STRING = 0x03,
	CS_DER_OCTET_STRING = 0x04,
	CS_DER_NULL = 0x05,
	CS_DER_OID = 0x06,
	CS_DER_ENUMERATED = 0x0a,
	CS_DER_UTF8_STRING = 0x0c,
	CS_DER_PRINTABLE_STRING = 0x13,
	CS_DER_IA5_STRING = 0x16,
	CS_DER_UTC_TIME = 0x17,
	CS_DER_GENERALIZED_TIME = 0x18,
	CS_DER_SEQUENCE = 0x30,
	CS_DER_SET = 0x31,
	/* Context-specific, | number. */
	CS_DER_CONTEXT = 0x80,
	CS_DER_CONTEXT_CONSTRUCTED = 0xa0,
};

/* What is left of a value's contents. */
struct cs_der {
	struct cs_bytes rest;
};

struct cs_der_item {
	uint8_t tag;
	struct cs_bytes whole; /* with its header */
	struct cs_bytes value;
};

/* All functions below move the cursor past what they read, and leave it on failure. TRUNCATED,
 * NON_CANONICAL (a length or a value not in its shortest form), MALFORMED (indefinite lengths, lengths
 * above 2^24, tags above 30), INVALID (another tag than the one asked for, a value out of range). */
CS_NODISCARD enum cs_err cs_der_next(struct cs_der *der, struct cs_der_item *item);
bool cs_der_more(const struct cs_der *der);
/* The next item has this tag; false at the end. */
bool cs_der_is(const struct cs_der *der, unsigned tag);
/* The next item's contents, of this tag. */
CS_NODISCARD enum cs_err cs_der_get(struct cs_der *der, struct cs_bytes *value, unsigned tag);
/* The same as a cursor. inner may not be der. */
CS_NODISCARD enum cs_err cs_der_enter(struct cs_der *der, struct cs_der *inner, unsigned tag);
/* TRAILING when something is left. */
CS_NODISCARD enum cs_err cs_der_end(const struct cs_der *der);
/* Exactly one value of this tag, and nothing behind it. */
CS_NODISCARD enum cs_err cs_der_one(struct cs_der *inner, struct cs_bytes bytes, unsigned tag);

/* 0x00 or 0xff. */
CS_NODISCARD enum cs_err cs_der_bool(struct cs_der *der, bool *value);
/* Of any sign and size, two's complement as it stands: serial numbers. */
CS_NODISCARD enum cs_err cs_der_integer(struct cs_der *der, struct cs_bytes *value);
/* Not negative, big-endian without the zero of the sign; 0 is one zero byte. */
CS_NODISCARD enum cs_err cs_der_unsigned(struct cs_der *der, struct cs_bytes *value);
CS_NODISCARD enum cs_err cs_der_u64(struct cs_der *der, uint64_t *value);
/* An ENUMERATED, 0 to 127. */
CS_NODISCARD enum cs_err cs_der_enumerated(struct cs_der *der, uint8_t *value);
/* The bytes of an object identifier, well formed. */
CS_NODISCARD enum cs_err cs_der_oid(struct cs_der *der, struct cs_bytes *oid);
/* Whole bytes. */
CS_NODISCARD enum cs_err cs_der_bits(struct cs_der *der, struct cs_bytes *value);
/* Named flags, at most 16 of them, the first one in the highest bit. */
CS_NODISCARD enum cs_err cs_der_flags(struct cs_der *der, uint16_t *flags);
/* UTCTime (1970 to 2049) or GeneralizedTime as RFC 5280 (4.1.2.5) allows them, in Unix seconds. */
CS_NODISCARD enum cs_err cs_der_time(struct cs_der *der, uint64_t *seconds);
/* ECDSA-Sig-Value (RFC 3279, 2.2.3), all of bytes: r and s, size bytes each, big-endian. INVALID when
 * they are longer. */
CS_NODISCARD enum cs_err cs_der_ecdsa(uint8_t *rs, size_t size, struct cs_bytes bytes);

#endif
