/* Which addresses are somebody's on the public internet: IANA's registries of special-purpose
 * addresses (RFC 6890 and its updates), IPv4 inside IPv6 unpacked first. */
#ifndef ORACLE_EGRESS_ADDRESS_H
#define ORACLE_EGRESS_ADDRESS_H

#include "core/bytes.h"

struct sockaddr;

/* IPv4 as ::ffff:a.b.c.d. */
struct oracle_address {
	uint8_t b[16];
};

struct oracle_network {
	struct oracle_address address;
	uint8_t prefix; /* bits, 0..128 */
};

/* False for a family that is neither IPv4 nor IPv6. */
bool oracle_address_of(struct oracle_address *address, const struct sockaddr *from);
/* "10.0.0.0/8", "fd00::/8", "192.0.2.7" (a network of one). INVALID also when bits are set behind the
 * prefix. */
CS_NODISCARD enum cs_err oracle_network_parse(struct oracle_network *network, const char *text);
bool oracle_network_has(const struct oracle_network *network, const struct oracle_address *address);
/* Not loopback, private, link-local, multicast, documentation, translation, benchmark or reserved. */
bool oracle_address_is_public(const struct oracle_address *address);

#endif
