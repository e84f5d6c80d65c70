/* Connections without the right to make any: one end of a socket pair goes to libcurl, the other to
 * the host's proxy, with the name that it should lead to. ADR 11. */
#ifndef ENCLAVE_FETCH_EGRESS_H
#define ENCLAVE_FETCH_EGRESS_H

#include "wire/egress.h"

struct egress {
	int fd; /* to the proxy; -1: it is gone */
	uint32_t id_last;
};

/* Our end, not blocking; bytes may be written to it at once. -1: the proxy is gone or does not keep up,
 * or there are no descriptors. host is well formed. */
int egress_open(struct egress *egress, uint32_t *id, struct cs_bytes host, uint16_t port);
/* The next thing that the proxy says; false: nothing now. What is not understood has the id 0. */
bool egress_hear(struct egress *egress, struct wire_egress_reply *reply);

/* Where libcurl would call connect (-Wl,--wrap=connect): the socket is connected already, and libcurl
 * before 8.0 asks nevertheless. */
struct sockaddr;
int egress_connect(int fd, const struct sockaddr *address, unsigned size) __asm__("__wrap_connect");

#endif
