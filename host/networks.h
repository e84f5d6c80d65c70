/* Which addresses a process of ours may connect to on somebody else's word: public ones, and the
 * networks that its configuration names. Looks at the address that is connected, never at a name: what
 * a name means a moment later is somebody else's to say. */
#ifndef HOST_NETWORKS_H
#define HOST_NETWORKS_H

#include "core/ip.h"

#define HOST_NETWORKS_MAX 16u

struct sockaddr;

/* Zeros: none beside the public ones. */
struct host_networks {
	size_t count;
	struct cs_network list[HOST_NETWORKS_MAX];
};

/* "10.0.0.0/8", "fd00::/8", "192.0.2.7". INVALID: no network; bits behind the prefix are a mistake of
 * whoever wrote it. FULL. */
CS_NODISCARD enum cs_err host_networks_add(struct host_networks *networks, const char *text);
/* One address without a prefix: INVALID. */
CS_NODISCARD enum cs_err host_address_is_one(const char *text);
bool host_networks_allow(const struct host_networks *networks, const struct sockaddr *address);
/* Of a host in a URL: an address is looked at, in every form that inet_aton takes; a name is allowed
 * here, and its address looked at when it is connected. */
bool host_networks_allow_text(const struct host_networks *networks, const char *host);

#endif
