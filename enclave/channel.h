/* TLS 1.3 without a socket, for the processes that have none: records in, records out, and what both
 * ends need to bind evidence to the session. No session is ever resumed, nothing is sent before the
 * handshake has ended, and who the other end is, a certificate alone never says: its owner is asked.
 *
 * ADR 26 has the reasons for TLS 1.3 by OpenSSL; RFC 8446 sections 4.4.3 (the peer holds its key) and 7.5
 * (exporters). */
#ifndef ENCLAVE_CHANNEL_H
#define ENCLAVE_CHANNEL_H

#include "wire/report.h"

struct evp_pkey_st; /* OpenSSL's EVP_PKEY */

/* Key and certificate that connections share. */
struct channel_port;

/* Of the certificate that the other end shows, before it has proven that it holds the key; der is a view.
 * Not OK ends the handshake. */
typedef enum cs_err channel_judge(void *context, struct cs_bytes der);

struct channel_settings {
	struct evp_pkey_st *key;     /* a reference is taken; NULL: a client without one */
	struct cs_bytes certificate; /* DER, of its public key; none where there is no key */
	const char *signatures;      /* that are given and taken, by OpenSSL's names: "ed25519" */
	/* NULL: the other end, a client, is not asked for a certificate. */
	channel_judge *judge;
	void *context;
	size_t plain_size_max;     /* bytes that nobody has taken */
	size_t handshake_size_max; /* bytes that come before a connection is ready */
};

/* CRYPTO; WRONG_KEY: the certificate is of another key. */
CS_NODISCARD enum cs_err channel_port_open(struct channel_port **port,
					   const struct channel_settings *settings);
/* Its connections go on. NULL is allowed. */
void channel_port_free(struct channel_port *port);

struct channel;

/* NULL: no memory. */
struct channel *channel_new(const struct channel_port *port, bool is_client);
/* NULL is allowed. */
void channel_free(struct channel *channel);

/* Takes records as they came, and does what they ask for; the first call of a client has none. CLOSED: the
 * other side ended it; CRYPTO: a handshake or a record that is none, a certificate that was refused;
 * TOO_LARGE: a handshake above its bound, or nobody takes what came. After a failure only what is to be
 * sent (an alert) may be taken. */
CS_NODISCARD enum cs_err channel_put(struct channel *channel, struct cs_bytes records);
bool channel_is_ready(const struct channel *channel);
/* Why the judge refused; OK when it did not. */
enum cs_err channel_refused(const struct channel *channel);
/* Records to be sent, n at most; 0: none. */
size_t channel_take(struct channel *channel, uint8_t *p, size_t n);
/* Are there any? */
bool channel_has_output(const struct channel *channel);
/* Only when it is ready. CRYPTO. */
CS_NODISCARD enum cs_err channel_write(struct channel *channel, struct cs_bytes plain);
/* Plain bytes that came, a view until the next put; drop forgets the first n of them. */
struct cs_bytes channel_read(const struct channel *channel);
void channel_drop(struct channel *channel, size_t n);
/* Says close_notify. */
void channel_end(struct channel *channel);

/* What evidence is bound to, of a channel that is ready and where this end is who speaks. context: of the
 * exporter (RFC 8446, 7.5); may be empty. The hash of an end without a certificate is zero. CRYPTO. */
CS_NODISCARD enum cs_err channel_binding(const struct channel *channel, struct cs_bytes context,
					 struct wire_report_tls *out);
/* DER of the other end's certificate: a view. */
struct cs_bytes channel_certificate(const struct channel *channel);

#endif
