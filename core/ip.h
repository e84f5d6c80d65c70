/* Addresses of the internet, and which of them are somebody's on the public one: IANA's registries of
 * special-purpose addresses (RFC 6890 and its updates), with IPv4 inside IPv6 unpacked first. */
#ifndef CS_IP_H
#define CS_IP_H

#include "core/bytes.h"

/* IPv4 as ::ffff:a.b.c.d (RFC 4291, 2.5.5.2). */
struct cs_ip {
	uint8_t b[16];
};

struct cs_network {
	struct cs_ip ip;
	uint8_t prefix; /* bits of the 16 bytes, 0..128 */
};

struct cs_ip cs_ip4(const uint8_t b[4]);
/* Four decimal numbers without leading zeros, as inet_pton: 127.1, 0x7f.0.0.1 and 2130706433 are
 * MALFORMED. */
CS_NODISCARD enum cs_err cs_ip4_parse(struct cs_ip *ip, struct cs_bytes text);
bool cs_network_has(const struct cs_network *network, const struct cs_ip *ip);
/* Not loopback, private, shared, link-local, multicast, documentation, benchmark, translation or
 * reserved. */
bool cs_ip_is_public(const struct cs_ip *ip);

#endif
