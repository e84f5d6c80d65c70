/* The host's half of the attested port (docs/protocol/attested-port.md): a TCP port whose connections are
 * carried to the enclave piece by piece, where their TLS ends, and back. Sees records, never what is in them;
 * what it can do is to refuse, to cut and to count. */
#ifndef HOST_ATTESTED_H
#define HOST_ATTESTED_H

#include "host/enclave_session.h"
#include "host/stream.h"

/* As many as the enclave holds. */
#define HOST_ATTESTED_CONNECTIONS_MAX 64u
/* Of one connection: pieces, however small, and bytes, towards the enclave. */
#define HOST_ATTESTED_PIECES_MAX 4096u
#define HOST_ATTESTED_SIZE_MAX (4u * 1024 * 1024)
/* The longest that one lives. */
#define HOST_ATTESTED_LIFE_MS (300u * 1000)
/* Bytes that a client does not take; then it is cut. */
#define HOST_ATTESTED_QUEUE_MAX (512u * 1024)

struct host_attested_config {
	const char *address; /* ADDRESS:PORT; NULL: there is no such port */
	uint32_t connections_max;
	uint32_t connections_per_s;
	uint32_t idle_ms; /* without a byte from the client */
};

struct host_attested;

/* The session's connections come and go; while it is not up, clients are closed at once. Errors of
 * host_address_parse and host_listener_new. */
CS_NODISCARD enum cs_err host_attested_new(struct host_attested **port, struct host_loop *loop,
					   const struct host_attested_config *config,
					   struct host_enclave_session *session,
					   struct cs_why *why);
uint16_t host_attested_port(const struct host_attested *port);
/* After the session was freed. NULL is allowed. */
void host_attested_free(struct host_attested *port);

#endif
