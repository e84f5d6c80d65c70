#include "host/networks.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <string.h>
#include <sys/socket.h>

static bool ip_of(struct cs_ip *ip, const struct sockaddr *address)
{
	if (address->sa_family == AF_INET) {
		struct sockaddr_in in;
		memcpy(&in, address, sizeof in);
		uint8_t b[4];
		memcpy(b, &in.sin_addr, sizeof b);
		*ip = cs_ip4(b);
		return true;
	}
	if (address->sa_family == AF_INET6) {
		struct sockaddr_in6 in6;
		memcpy(&in6, address, sizeof in6);
		memcpy(ip->b, &in6.sin6_addr, sizeof ip->b);
		return true;
	}
	return false;
}

static enum cs_err parse(struct cs_network *network, const char *text)
{
	char address[INET6_ADDRSTRLEN];
	uint8_t b[16];
	const char *slash = strchr(text, '/');
	const size_t n = slash == NULL ? strlen(text) : (size_t)(slash - text);
	if (n == 0 || n >= sizeof address)
		return CS_ERR_INVALID;
	memcpy(address, text, n);
	address[n] = '\0';
	unsigned bits = 128, offset = 0;
	if (inet_pton(AF_INET, address, b) == 1) {
		network->ip = cs_ip4(b);
		offset = 96;
	} else if (inet_pton(AF_INET6, address, b) == 1) {
		memcpy(network->ip.b, b, sizeof b);
	} else {
		return CS_ERR_INVALID;
	}
	if (slash != NULL) {
		bits = 0;
		for (const char *p = slash + 1; p == slash + 1 || *p != '\0'; p++) {
			if (*p < '0' || *p > '9' || bits > 128)
				return CS_ERR_INVALID;
			bits = bits * 10 + (unsigned)(*p - '0');
		}
		bits += offset;
	}
	if (bits > 128)
		return CS_ERR_INVALID;
	network->prefix = (uint8_t)bits;
	for (unsigned i = bits; i < 128; i++)
		if ((network->ip.b[i / 8] >> (7 - i % 8) & 1) != 0)
			return CS_ERR_INVALID;
	return CS_OK;
}

enum cs_err host_networks_add(struct host_networks *networks, const char *text)
{
	if (networks->count == HOST_NETWORKS_MAX)
		return CS_ERR_FULL;
	CS_TRY(parse(&networks->list[networks->count], text));
	networks->count++;
	return CS_OK;
}

enum cs_err host_address_is_one(const char *text)
{
	struct cs_network network;
	return strchr(text, '/') != NULL ? CS_ERR_INVALID : parse(&network, text);
}

bool host_networks_allow(const struct host_networks *networks, const struct sockaddr *address)
{
	struct cs_ip ip;
	if (!ip_of(&ip, address))
		return false;
	for (size_t i = 0; i < networks->count; i++)
		if (cs_network_has(&networks->list[i], &ip))
			return true;
	return cs_ip_is_public(&ip);
}

bool host_networks_allow_text(const struct host_networks *networks, const char *host)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST};
	struct addrinfo *found = NULL;
	if (getaddrinfo(host, NULL, &hints, &found) != 0)
		return true;
	const bool allowed = host_networks_allow(networks, found->ai_addr);
	freeaddrinfo(found);
	return allowed;
}
