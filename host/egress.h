/* The egress proxy of an enclave: it connects what the enclave asks for and moves bytes, which are
 * TLS to somebody else. It learns host, port and sizes, looks a name up once, and connects to nothing
 * but public addresses and the networks that it was given. */
#ifndef HOST_EGRESS_H
#define HOST_EGRESS_H

#include "host/loop.h"
#include "host/networks.h"

#define HOST_EGRESS_NETWORKS_MAX HOST_NETWORKS_MAX
#define HOST_EGRESS_NAMES_MAX 64u
/* Of the addresses of a name; more are not tried. */
#define HOST_EGRESS_ADDRESSES_MAX 4u

struct host_egress;

/* As a line of hosts(5): this name has this address, whatever a resolver says. */
struct host_egress_name {
	const char *name;
	const char *address;
};

/* Zeros mean the default in brackets. Everything is copied. */
struct host_egress_options {
	/* Loopback, private or otherwise special networks that may be reached: "10.1.0.0/16",
	 * "::1/128". */
	const char *networks[HOST_EGRESS_NETWORKS_MAX];
	size_t network_count;
	struct host_egress_name names[HOST_EGRESS_NAMES_MAX];
	size_t name_count;
	uint32_t connections_max; /* [512] */
	uint64_t connect_ms;      /* look-up and connection [5,000] */
	uint64_t idle_ms;         /* without a byte in either direction [120,000] */
};

/* fd: our end of the SOCK_SEQPACKET pair whose other end the enclave inherits; the caller's, and may be
 * closed after the call. INVALID: a network or an address that is none. */
CS_NODISCARD enum cs_err host_egress_new(struct host_egress **out, struct host_loop *loop, int fd,
					 const struct host_egress_options *options,
					 struct cs_why *why);
/* Ends every connection. NULL is allowed. */
void host_egress_free(struct host_egress *egress);
/* Both ends of a pair for an enclave and its proxy, close-on-exec. IO. */
CS_NODISCARD enum cs_err host_egress_pair(int fds[2]);

/* What the enclave that is gone and its proxy left unread in the pair: the next enclave counts its
 * connections from one again. Between host_egress_free and host_egress_new. */
void host_egress_drain(const int fds[2]);

struct host_egress_counters {
	uint64_t requests;  /* understood */
	uint64_t malformed; /* not understood, or without a descriptor */
	uint64_t connected;
	uint64_t unresolved;
	uint64_t forbidden; /* by its address */
	uint64_t refused;   /* by the network; time-outs too */
	uint64_t full;
	uint64_t bytes_out; /* from the enclave */
	uint64_t bytes_in;  /* to the enclave */
	uint32_t open;
};
void host_egress_read(struct host_egress_counters *counters, const struct host_egress *egress);

#endif
