/* Names of chains and accounts: CAIP-2 text ("eip155:1") for people, ERC-7930 bytes on the wire.
 * Everything that has more than one spelling is refused in all but one. */
#ifndef CS_CAIP_H
#define CS_CAIP_H

#include "core/buf.h"
#include "core/limits.h"

/* CAIP-2: namespace [-a-z0-9]{3,8}, reference [-_a-zA-Z0-9]{1,32}. Views into the text. */
struct cs_caip2 {
	struct cs_bytes namespace;
	struct cs_bytes reference;
};

/* MALFORMED. For eip155 the reference must be a decimal number from 1 to 2^64 - 1 without leading
 * zeros: NON_CANONICAL, OVERFLOW. */
CS_NODISCARD enum cs_err cs_caip2_parse(struct cs_caip2 *out, struct cs_bytes text);
/* The chain id of "eip155:…"; UNSUPPORTED for another namespace. */
CS_NODISCARD enum cs_err cs_caip2_eip155(uint64_t *chain_id, struct cs_bytes text);
/* "eip155:<id>", terminated. */
void cs_caip2_write_eip155(char text[CS_CAIP2_SIZE_MAX + 1], uint64_t chain_id);

/* ERC-7930 version 1: 0x0001, chain type, reference length, reference, address length, address. */
#define CS_INTEROP_VERSION 1u
#define CS_CHAIN_TYPE_EIP155 0x0000u

struct cs_interop {
	uint16_t chain_type;
	struct cs_bytes reference;
	struct cs_bytes address;
};

/* Views into the bytes. TRUNCATED, TRAILING, UNSUPPORTED (version), MALFORMED (both parts empty),
 * TOO_LARGE (above CS_INTEROP_SIZE_MAX); for eip155 a reference with leading zeros or above 8 bytes
 * (NON_CANONICAL, OVERFLOW) and an address of other than 0 or 20 bytes (MALFORMED). */
CS_NODISCARD enum cs_err cs_interop_decode(struct cs_interop *out, struct cs_bytes bytes);
void cs_interop_encode(struct cs_buf *buf, const struct cs_interop *interop);
/* An account of an EVM chain; exactly that: INVALID for another chain type, no reference or no
 * address. */
CS_NODISCARD enum cs_err cs_interop_eip155(uint64_t *chain_id, struct cs_address *address,
					   struct cs_bytes bytes);
void cs_interop_encode_eip155(struct cs_buf *buf, uint64_t chain_id,
			      const struct cs_address *address);

#endif
