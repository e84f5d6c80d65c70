/* A client of the attested port: TLS 1.3 over a socket, a full handshake, then frames. Shows whom the
 * connection is to by the certificate and the exporter, and believes nothing of either: that is the caller's.
 * RFC 8446. */
#ifndef CLI_ATTESTED_CLIENT_H
#define CLI_ATTESTED_CLIENT_H

#include "wire/decode.h"
#include "wire/report.h"

/* Each read, each write and the connection. */
#define ATTESTED_CLIENT_TIMEOUT_S 15
/* Of a reply. */
#define ATTESTED_CLIENT_REPLY_SIZE_MAX (64u * 1024)

struct attested_client {
	int fd;
	struct ssl_ctx_st *context;
	struct ssl_st *ssl;
	uint64_t request_id;
};

/* place: HOST:PORT, IPv6 in brackets. INVALID: none of that form; UNAVAILABLE: nobody there; CRYPTO: no TLS
 * 1.3, a key that is not the certificate's, a resumed session; NO_MEMORY. After a failure nothing is open. */
CS_NODISCARD enum cs_err attested_client_open(struct attested_client *client, const char *place,
					      struct cs_why *why);
void attested_client_close(struct attested_client *client);
/* DER of the certificate, in the arena. NO_MEMORY, CRYPTO. */
CS_NODISCARD enum cs_err attested_client_certificate(const struct attested_client *client,
						     struct cs_bytes *der, struct cs_arena *arena);
/* What evidence of the other end is bound to, under a nonce; the hashes of keys are left alone. CRYPTO. */
CS_NODISCARD enum cs_err attested_client_bind(const struct attested_client *client,
					      struct wire_report_tls *tls,
					      const struct cs_hash *nonce);
/* One request, one reply, decoded into the arena. What a refusal says is its own error; CLOSED, TIMEOUT,
 * MALFORMED (a frame that is no answer), and the errors of wire_decode. */
CS_NODISCARD enum cs_err attested_client_call(struct attested_client *client,
					      ProtobufCMessage **reply, enum wire_type type,
					      const ProtobufCMessage *request,
					      struct cs_arena *arena, struct cs_why *why);

#endif
