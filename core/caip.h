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
 * zeros: NON_CANONICAL, OVERFLOW. For cosmos it has no '_' (the namespace's profile of CAIP-2). */
CS_NODISCARD enum cs_err cs_caip2_parse(struct cs_caip2 *out, struct cs_bytes text);
/* The chain id of "eip155:…"; UNSUPPORTED for another namespace. */
CS_NODISCARD enum cs_err cs_caip2_eip155(uint64_t *chain_id, struct cs_bytes text);
/* "eip155:<id>", terminated. */
void cs_caip2_write_eip155(char text[CS_CAIP2_SIZE_MAX + 1], uint64_t chain_id);
/* "cosmos:<chain id>", terminated; a chain id that CAIP-2 cannot carry (empty, longer than 32,
 * other characters, or one that begins with "hashed-") is "cosmos:hashed-" and the first 16 digits
 * of its SHA-256, as the namespace's profile says. */
void cs_caip2_write_cosmos(char text[CS_CAIP2_SIZE_MAX + 1], struct cs_bytes chain_id);

/* ERC-7930 version 1: 0x0001, chain type, reference length, reference, address length, address. */
#define CS_INTEROP_VERSION 1u

/* Chain types: the one table. CAIP-350 gives a number to each namespace that has a profile; those at
 * the upper end are provisional, of namespaces without one. */
#define CS_CHAIN_TYPE_EIP155 0x0000u
/* Reference: that of CAIP-2 as ASCII; address: its 20 bytes. */
#define CS_CHAIN_TYPE_COSMOS 0xff01u

struct cs_interop {
	uint16_t chain_type;
	struct cs_bytes reference;
	struct cs_bytes address;
};

/* Views into the bytes. TRUNCATED, TRAILING, UNSUPPORTED (version), MALFORMED (both parts empty),
 * TOO_LARGE (above CS_INTEROP_SIZE_MAX); for eip155 a reference with leading zeros or above 8 bytes
 * (NON_CANONICAL, OVERFLOW) and an address of other than 0 or 20 bytes (MALFORMED); for cosmos a
 * reference that is none of CAIP-2, and the same addresses (MALFORMED). */
CS_NODISCARD enum cs_err cs_interop_decode(struct cs_interop *out, struct cs_bytes bytes);
void cs_interop_encode(struct cs_buf *buf, const struct cs_interop *interop);
/* An account of an EVM chain; exactly that: INVALID for another chain type, no reference or no
 * address. */
CS_NODISCARD enum cs_err cs_interop_eip155(uint64_t *chain_id, struct cs_address *address,
					   struct cs_bytes bytes);
void cs_interop_encode_eip155(struct cs_buf *buf, uint64_t chain_id,
			      const struct cs_address *address);

/* ---- accounts of 20 bytes of the namespaces in the table ---- */

struct cs_account {
	char caip2[CS_CAIP2_SIZE_MAX + 1];
	struct cs_address address;
};

/* "<CAIP-2>:0x<40 digits>". (CAIP-10 of Cosmos chains writes addresses in bech32, whose prefix is the
 * chain's own; the ledger's addresses have none.) */
#define CS_CAIP10_SIZE_MAX (CS_CAIP2_SIZE_MAX + 3u + 40u)

/* Exactly an account: INVALID without chain or address, UNSUPPORTED for a chain type that is not in
 * the table; the errors of cs_interop_decode. */
CS_NODISCARD enum cs_err cs_interop_account(struct cs_account *out, struct cs_bytes bytes);
/* ERC-7930 of an account, and of a chain alone (address NULL). UNSUPPORTED for a namespace that is
 * not in the table; the errors of cs_caip2_parse. */
CS_NODISCARD enum cs_err cs_interop_encode_account(struct cs_buf *buf, const char *caip2,
						   const struct cs_address *address);
/* Digits of either case (EIP-55). MALFORMED, UNSUPPORTED; the errors of cs_caip2_parse. */
CS_NODISCARD enum cs_err cs_caip10_parse(struct cs_account *out, struct cs_bytes text);
/* Terminated, digits of lower case. */
void cs_caip10_write(char text[CS_CAIP10_SIZE_MAX + 1], const struct cs_account *account);

#endif
