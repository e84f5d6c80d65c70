/* Who answered, and whether the manifest trusts it: settings of each connection, the verdict over its
 * certificates by the enclave's time, and the facts that a request's own rules are checked against,
 * kept with the session so that a connection that resumes it has them too. */
#ifndef ENCLAVE_FETCH_TLS_H
#define ENCLAVE_FETCH_TLS_H

#include "enclave/fetch/fetch.h"

#include <openssl/ssl.h>

/* Leaf, three intermediates, root: twice what the public PKI uses. */
#define TLS_CHAIN_MAX 6u

struct tls;
/* One connection, counted: outlives libcurl's part of it. */
struct tls_peer;

/* Of one full handshake. */
struct tls_facts {
	uint32_t references;
	size_t chain_count;
	struct cs_hash chain[TLS_CHAIN_MAX]; /* SHA-256 of the SPKIs, leaf first, root last */
	uint64_t lifetime_s;                 /* of the leaf */
	uint64_t valid_until_s;              /* the first end in the chain */
	uint64_t verified_s;                 /* low end of the time of the handshake */
	bool private_ca;
	bool staple_demanded; /* by the certificate (RFC 7633) */
	bool stapled_good;
	uint64_t staple_until_s;
	uint8_t sct_count; /* of different operators */
};

/* options as for fetch_new. */
CS_NODISCARD enum cs_err tls_new(struct tls **out, const struct fetch_options *options,
				 struct cs_why *why);
void tls_free(struct tls *tls);
/* What certificates are judged by from now on. */
void tls_set_now(struct tls *tls, const struct verify_time *now);

/* Settings of one connection to host, before its handshake. refused(context, id, why) is called when
 * its certificates are refused; why is static. False: no memory. */
typedef void tls_refused(void *context, uint64_t id, const char *why);
bool tls_prepare(struct tls *tls, SSL_CTX *ctx, const char *host, tls_refused *refused,
		 void *context, uint64_t id);

/* Of the connection, whose handshake is over; NULL when the certificates were never looked at. */
const struct tls_facts *tls_facts_of(SSL *ssl);
/* Is it the first request on this connection, and was its handshake a full one? Asked once for each
 * request. */
bool tls_is_fresh(SSL *ssl);
/* The connection itself, to be released; NULL when tls_prepare never saw it. */
struct tls_peer *tls_peer_of(SSL *ssl);
void tls_peer_release(struct tls_peer *peer);
/* Did the peer itself end the connection (close_notify)? Else whoever carries it may have. */
bool tls_peer_ended(const struct tls_peer *peer);
/* When the first of what the facts stand on expires. */
uint64_t tls_ends_s(const struct tls_facts *facts);
/* Do the facts fit the request's rules, now? NULL: yes; else why not (static). *renew: another handshake
 * might help, because these facts are old. */
const char *tls_judge(const struct tls *tls, const struct tls_facts *facts,
		      const struct fetch_request *request, bool *renew);
/* Version, cipher, ALPN, keys, timestamps, staple; not `reused`. */
void tls_evidence(struct wire_evidence_source *evidence, SSL *ssl, const struct tls_facts *facts);

#endif
