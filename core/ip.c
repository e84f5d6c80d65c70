#include "core/ip.h"

#include <string.h>

struct cs_ip cs_ip4(const uint8_t b[4])
{
	struct cs_ip ip = {{0}};
	ip.b[10] = 0xff;
	ip.b[11] = 0xff;
	memcpy(ip.b + 12, b, 4);
	return ip;
}

enum cs_err cs_ip4_parse(struct cs_ip *ip, struct cs_bytes text)
{
	uint8_t b[4];
	size_t at = 0;
	for (size_t i = 0; i < 4; i++) {
		unsigned value = 0;
		const size_t begin = at;
		while (at < text.n && at - begin < 3 && text.p[at] >= '0' && text.p[at] <= '9')
			value = value * 10 + (unsigned)(text.p[at++] - '0');
		if (at == begin || value > 255 || (at - begin > 1 && text.p[begin] == '0'))
			return CS_ERR_MALFORMED;
		b[i] = (uint8_t)value;
		if (i < 3 && (at == text.n || text.p[at++] != '.'))
			return CS_ERR_MALFORMED;
	}
	if (at != text.n)
		return CS_ERR_MALFORMED;
	*ip = cs_ip4(b);
	return CS_OK;
}

bool cs_network_has(const struct cs_network *network, const struct cs_ip *ip)
{
	const size_t whole = network->prefix / 8u;
	const unsigned rest = network->prefix % 8u;
	cs_assert(network->prefix <= 128);
	if (memcmp(network->ip.b, ip->b, whole) != 0)
		return false;
	const uint8_t mask = (uint8_t)(0xff00u >> rest);
	return rest == 0 || (network->ip.b[whole] & mask) == (ip->b[whole] & mask);
}

#define V4(a, b, c, d, bits)                                                          \
	{                                                                             \
		{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d}}, 96 + (bits) \
	}
#define V6(a, b, c, d, bits)           \
	{                              \
		{{a, b, c, d}}, (bits) \
	}

/* IANA IPv4 Special-Purpose Address Registry, what is not globally reachable; and multicast. */
static const struct cs_network special4[] = {
	V4(0, 0, 0, 0, 8),       /* this network */
	V4(10, 0, 0, 0, 8),      /* private */
	V4(100, 64, 0, 0, 10),   /* shared */
	V4(127, 0, 0, 0, 8),     /* loopback */
	V4(169, 254, 0, 0, 16),  /* link-local: clouds keep credentials there */
	V4(172, 16, 0, 0, 12),   /* private */
	V4(192, 0, 0, 0, 24),    /* protocol assignments */
	V4(192, 0, 2, 0, 24),    /* documentation */
	V4(192, 88, 99, 0, 24),  /* 6to4 relays, deprecated */
	V4(192, 168, 0, 0, 16),  /* private */
	V4(198, 18, 0, 0, 15),   /* benchmarks */
	V4(198, 51, 100, 0, 24), /* documentation */
	V4(203, 0, 113, 0, 24),  /* documentation */
	V4(224, 0, 0, 0, 3),     /* multicast, reserved, broadcast */
};

/* Inside 2000::/3, which alone is assigned as global unicast. */
static const struct cs_network special6[] = {
	V6(0x20, 0x01, 0x00, 0x00, 23), /* protocol assignments: Teredo, ORCHID, benchmarks */
	V6(0x20, 0x01, 0x0d, 0xb8, 32), /* documentation */
	V6(0x3f, 0xff, 0x00, 0x00, 20), /* documentation */
};

static bool is_among(const struct cs_network *networks, size_t count, const struct cs_ip *ip)
{
	for (size_t i = 0; i < count; i++)
		if (cs_network_has(&networks[i], ip))
			return true;
	return false;
}

bool cs_ip_is_public(const struct cs_ip *ip)
{
	static const struct cs_network mapped = V4(0, 0, 0, 0, 0);
	static const struct cs_network translated = V6(0x00, 0x64, 0xff, 0x9b, 96); /* RFC 6052 */
	static const struct cs_network sixto4 = V6(0x20, 0x02, 0x00, 0x00, 16);     /* RFC 3056 */
	static const struct cs_network unicast = V6(0x20, 0x00, 0x00, 0x00, 3);
	if (cs_network_has(&mapped, ip))
		return !is_among(special4, CS_LEN(special4), ip);
	if (cs_network_has(&translated, ip)) {
		const struct cs_ip inner = cs_ip4(ip->b + 12);
		return cs_ip_is_public(&inner);
	}
	if (cs_network_has(&sixto4, ip)) {
		const struct cs_ip inner = cs_ip4(ip->b + 2);
		return cs_ip_is_public(&inner);
	}
	return cs_network_has(&unicast, ip) && !is_among(special6, CS_LEN(special6), ip);
}
