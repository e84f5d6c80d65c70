#include "enclave/channel.h"

#include "core/ct.h"
#include "core/hash.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

#define PIECE_SIZE (16u * 1024)

struct channel_port {
	SSL_CTX *context;
	struct cs_hash spki;
	channel_judge *judge;
	void *judge_context;
	size_t plain_size_max;
	size_t handshake_size_max;
};

struct channel {
	channel_judge *judge; /* NULL: no certificate is asked for */
	void *judge_context;
	size_t plain_size_max;
	size_t handshake_size_max;
	struct cs_hash own_spki;
	SSL *ssl;
	BIO *in, *out; /* the ssl's */
	bool is_client;
	bool is_ready;
	enum cs_err refused;
	size_t handshake_size; /* so far */
	struct cs_hash spki;   /* the other end's */
	uint8_t *certificate;
	int certificate_size;
	uint8_t *plain;
	size_t plain_size, plain_room;
};

/* ---- the port ---- */

static bool hash_spki(struct cs_hash *hash, const X509 *certificate)
{
	uint8_t *der = NULL;
	const int n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der);
	if (n <= 0)
		return false;
	*hash = cs_sha256(cs_bytes(der, (size_t)n));
	OPENSSL_free(der);
	return true;
}

/* OpenSSL's own opinion of certificates is not asked for: which one is good says our parser, behind
 * judge. What OpenSSL does decide is that the other end holds the key (CertificateVerify). */
static int on_certificate(X509_STORE_CTX *store, void *unused)
{
	X509 *certificate = X509_STORE_CTX_get0_cert(store);
	SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct channel *channel = SSL_get_app_data(ssl);
	(void)unused;
	OPENSSL_free(channel->certificate);
	channel->certificate = NULL;
	channel->certificate_size = i2d_X509(certificate, &channel->certificate);
	channel->refused = CS_ERR_CRYPTO;
	if (channel->certificate_size > 0 && hash_spki(&channel->spki, certificate))
		channel->refused =
			channel->judge(channel->judge_context, channel_certificate(channel));
	if (channel->refused == CS_OK)
		return 1;
	X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_REJECTED);
	return 0;
}

static bool set_up(SSL_CTX *c, const struct channel_settings *settings, X509 *certificate)
{
	SSL_CTX_set_options(c, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION);
	(void)SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
	(void)SSL_CTX_set_mode(c, SSL_MODE_RELEASE_BUFFERS);
	if (settings->judge != NULL) {
		SSL_CTX_set_verify(c, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
		SSL_CTX_set_cert_verify_callback(c, on_certificate, NULL);
	}
	return SSL_CTX_set_min_proto_version(c, TLS1_3_VERSION) == 1 &&
	       SSL_CTX_set_max_proto_version(c, TLS1_3_VERSION) == 1 &&
	       SSL_CTX_set1_groups_list(c, "X25519:P-256") == 1 &&
	       SSL_CTX_set1_sigalgs_list(c, settings->signatures) == 1 &&
	       SSL_CTX_set_num_tickets(c, 0) == 1 && SSL_CTX_set_max_early_data(c, 0) == 1 &&
	       (settings->key == NULL || (SSL_CTX_use_certificate(c, certificate) == 1 &&
					  SSL_CTX_use_PrivateKey(c, settings->key) == 1));
}

static X509 *read_certificate(struct cs_bytes der)
{
	const uint8_t *p = der.p;
	X509 *certificate = der.n > INT32_MAX ? NULL : d2i_X509(NULL, &p, (long)der.n);
	if (certificate != NULL && p == der.p + der.n)
		return certificate;
	X509_free(certificate);
	return NULL;
}

static enum cs_err open_port(struct channel_port *port, const struct channel_settings *settings,
			     X509 *certificate)
{
	if (settings->key != NULL) {
		if (certificate == NULL || !hash_spki(&port->spki, certificate))
			return CS_ERR_CRYPTO;
		if (X509_check_private_key(certificate, settings->key) != 1)
			return CS_ERR_WRONG_KEY;
	}
	port->context = SSL_CTX_new(TLS_method());
	return port->context != NULL && set_up(port->context, settings, certificate)
		       ? CS_OK
		       : CS_ERR_CRYPTO;
}

enum cs_err channel_port_open(struct channel_port **out, const struct channel_settings *settings)
{
	struct channel_port *port = calloc(1, sizeof *port);
	if (port == NULL)
		return CS_ERR_NO_MEMORY;
	*port = (struct channel_port){.judge = settings->judge,
				      .judge_context = settings->context,
				      .plain_size_max = settings->plain_size_max,
				      .handshake_size_max = settings->handshake_size_max};
	X509 *certificate = settings->key == NULL ? NULL : read_certificate(settings->certificate);
	const enum cs_err err = open_port(port, settings, certificate);
	X509_free(certificate);
	ERR_clear_error();
	if (err == CS_OK)
		*out = port;
	else
		channel_port_free(port);
	return err;
}

void channel_port_free(struct channel_port *port)
{
	if (port == NULL)
		return;
	SSL_CTX_free(port->context);
	free(port);
}

/* ---- a connection ---- */

struct channel *channel_new(const struct channel_port *port, bool is_client)
{
	struct channel *channel = calloc(1, sizeof *channel);
	if (channel == NULL)
		return NULL;
	channel->judge = port->judge;
	channel->judge_context = port->judge_context;
	channel->plain_size_max = port->plain_size_max;
	channel->handshake_size_max = port->handshake_size_max;
	channel->own_spki = port->spki;
	channel->is_client = is_client;
	channel->ssl = SSL_new(port->context);
	channel->in = BIO_new(BIO_s_mem());
	channel->out = BIO_new(BIO_s_mem());
	if (channel->ssl == NULL || channel->in == NULL || channel->out == NULL) {
		BIO_free(channel->in);
		BIO_free(channel->out);
		SSL_free(channel->ssl);
		free(channel);
		return NULL;
	}
	SSL_set_bio(channel->ssl, channel->in, channel->out);
	SSL_set_app_data(channel->ssl, channel);
	if (is_client)
		SSL_set_connect_state(channel->ssl);
	else
		SSL_set_accept_state(channel->ssl);
	return channel;
}

void channel_free(struct channel *channel)
{
	if (channel == NULL)
		return;
	SSL_free(channel->ssl);
	OPENSSL_free(channel->certificate);
	if (channel->plain != NULL)
		cs_wipe(channel->plain, channel->plain_room);
	free(channel->plain);
	free(channel);
}

/* Full, of this session alone, without a byte of early data: else it is none. */
static enum cs_err handshake(struct channel *channel)
{
	ERR_clear_error();
	const int done = SSL_do_handshake(channel->ssl);
	if (done == 1) {
		if (SSL_version(channel->ssl) != TLS1_3_VERSION ||
		    SSL_session_reused(channel->ssl) ||
		    (channel->judge != NULL && channel->certificate == NULL))
			return CS_ERR_CRYPTO;
		channel->is_ready = true;
		return CS_OK;
	}
	return SSL_get_error(channel->ssl, done) == SSL_ERROR_WANT_READ ? CS_OK : CS_ERR_CRYPTO;
}

/* Room for another piece. */
static enum cs_err make_room(struct channel *channel)
{
	if (channel->plain_room - channel->plain_size >= PIECE_SIZE)
		return CS_OK;
	if (channel->plain_size + PIECE_SIZE > channel->plain_size_max)
		return CS_ERR_TOO_LARGE;
	size_t room = channel->plain_room == 0 ? PIECE_SIZE : 2 * channel->plain_room;
	if (room > channel->plain_size_max)
		room = channel->plain_size_max;
	uint8_t *larger = malloc(room);
	if (larger == NULL)
		return CS_ERR_NO_MEMORY;
	if (channel->plain != NULL) {
		memcpy(larger, channel->plain, channel->plain_size);
		cs_wipe(channel->plain, channel->plain_room);
		free(channel->plain);
	}
	channel->plain = larger;
	channel->plain_room = room;
	return CS_OK;
}

static enum cs_err read_plain(struct channel *channel)
{
	for (;;) {
		CS_TRY(make_room(channel));
		ERR_clear_error();
		const int n = SSL_read(channel->ssl, channel->plain + channel->plain_size,
				       (int)PIECE_SIZE);
		if (n > 0) {
			channel->plain_size += (size_t)n;
			continue;
		}
		switch (SSL_get_error(channel->ssl, n)) {
		case SSL_ERROR_WANT_READ:
			return CS_OK;
		case SSL_ERROR_ZERO_RETURN:
			return CS_ERR_CLOSED;
		}
		return CS_ERR_CRYPTO;
	}
}

enum cs_err channel_put(struct channel *channel, struct cs_bytes records)
{
	if (records.n > INT32_MAX)
		return CS_ERR_TOO_LARGE;
	if (!channel->is_ready) {
		channel->handshake_size += records.n;
		if (channel->handshake_size > channel->handshake_size_max)
			return CS_ERR_TOO_LARGE;
	}
	if (records.n > 0 && BIO_write(channel->in, records.p, (int)records.n) != (int)records.n)
		return CS_ERR_NO_MEMORY;
	if (!channel->is_ready)
		CS_TRY(handshake(channel));
	return channel->is_ready ? read_plain(channel) : CS_OK;
}

bool channel_is_ready(const struct channel *channel)
{
	return channel->is_ready;
}

enum cs_err channel_refused(const struct channel *channel)
{
	return channel->refused;
}

size_t channel_take(struct channel *channel, uint8_t *p, size_t n)
{
	const int got = BIO_read(channel->out, p, n > INT32_MAX ? INT32_MAX : (int)n);
	return got > 0 ? (size_t)got : 0;
}

bool channel_has_output(const struct channel *channel)
{
	return BIO_pending(channel->out) > 0;
}

enum cs_err channel_write(struct channel *channel, struct cs_bytes plain)
{
	while (plain.n > 0) {
		const size_t n = plain.n < PIECE_SIZE ? plain.n : PIECE_SIZE;
		ERR_clear_error();
		if (!channel->is_ready || SSL_write(channel->ssl, plain.p, (int)n) != (int)n)
			return CS_ERR_CRYPTO;
		plain = cs_bytes(plain.p + n, plain.n - n);
	}
	return CS_OK;
}

struct cs_bytes channel_read(const struct channel *channel)
{
	return cs_bytes(channel->plain, channel->plain_size);
}

void channel_drop(struct channel *channel, size_t n)
{
	cs_assert(n <= channel->plain_size);
	channel->plain_size -= n;
	if (n > 0)
		memmove(channel->plain, channel->plain + n, channel->plain_size);
}

void channel_end(struct channel *channel)
{
	ERR_clear_error();
	if (channel->is_ready)
		(void)SSL_shutdown(channel->ssl);
}

/* ---- what evidence is bound to ---- */

enum cs_err channel_binding(const struct channel *channel, struct cs_bytes context,
			    struct wire_report_tls *out)
{
	struct wire_report_tls bound = {.from_server = !channel->is_client};
	cs_assert(channel->is_ready);
	if (SSL_export_keying_material(channel->ssl, bound.exporter.b, sizeof bound.exporter.b,
				       WIRE_REPORT_EXPORTER_LABEL,
				       sizeof WIRE_REPORT_EXPORTER_LABEL - 1, context.p, context.n,
				       1) != 1)
		return CS_ERR_CRYPTO;
	bound.client_spki = channel->is_client ? channel->own_spki : channel->spki;
	bound.server_spki = channel->is_client ? channel->spki : channel->own_spki;
	*out = bound;
	return CS_OK;
}

struct cs_bytes channel_certificate(const struct channel *channel)
{
	return cs_bytes(channel->certificate, (size_t)channel->certificate_size);
}
