/* Names of hosts into addresses, off the loop. Believes nothing: who answers at an address is for
 * others to prove. Keeps nothing: whoever wants a newer answer asks again. */
#ifndef HOST_RESOLVE_H
#define HOST_RESOLVE_H

#include "host/stream.h"

/* Of one name; what is more is left out. */
#define HOST_RESOLVE_MAX 8u
/* RFC 1035 section 2.3.4. */
#define HOST_NAME_SIZE_MAX 253u

/* A name and a port: "node1.example.org:26656", also with tcp:// before. */
struct host_name {
	char name[HOST_NAME_SIZE_MAX + 1];
	uint16_t port;
};
/* INVALID: no such form: letters, digits, '-' and '_' between points, at least one letter in the last
 * label (so that no wrong address of digits is a name). */
CS_NODISCARD enum cs_err host_name_parse(struct host_name *name, const char *text,
					 struct cs_why *why);

struct host_resolving;
/* OK: count is at least 1. Else UNAVAILABLE and count is 0. */
typedef void host_resolved(void *context, enum cs_err err, const struct host_address *addresses,
			   size_t count);
/* The answer comes in a later turn; the object is gone after it. */
struct host_resolving *host_name_resolve(struct host_loop *loop, const struct host_name *name,
					 host_resolved *resolved, void *context);
/* No answer after it. NULL is allowed. */
void host_resolve_cancel(struct host_resolving *resolving);

#endif
