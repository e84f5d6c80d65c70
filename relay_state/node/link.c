#include "relay_state/node/link.h"

#include "host/alloc.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define EXPORTER_LABEL "EXPORTER-caisson-node"
/* tcg-dice-TaggedEvidence */
#define EVIDENCE_OID "2.23.133.5.4.9"
#define HEAD_SIZE 5u
/* Frames that can wait are gathered until the loop's next turn, or until they fill a TLS record: a
 * transaction alone would be a record and a system call. */
#define GATHERED_MAX (16u * 1024)
/* Plain bytes that are taken out of TLS at a time; a record has 16 KiB. */
#define READ_SIZE (64u * 1024)
/* More is given back when the inbox is empty. */
#define INBOX_KEPT_MAX (256u * 1024)

/* ---- what all connections share ---- */

struct node_tls {
	SSL_CTX *context;
};

/* Not who may connect is decided here, but what an id is: the hash of an Ed25519 key. That the
 * other end holds the key is proven by CertificateVerify, whatever the certificate says. */
static int check_certificate(X509_STORE_CTX *store, void *unused)
{
	X509 *certificate = X509_STORE_CTX_get0_cert(store);
	(void)unused;
	EVP_PKEY *key = certificate != NULL ? X509_get0_pubkey(certificate) : NULL;
	if (key != NULL && EVP_PKEY_get_base_id(key) == EVP_PKEY_ED25519)
		return 1;
	X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_REJECTED);
	return 0;
}

/* Without evidence a certificate has no time. */
static bool set_dates(X509 *x, uint64_t issued_s)
{
	if (issued_s == 0)
		return ASN1_TIME_set_string_X509(X509_getm_notBefore(x), "20000101000000Z") == 1 &&
		       ASN1_TIME_set_string_X509(X509_getm_notAfter(x), "99991231235959Z") == 1;
	return ASN1_TIME_set(X509_getm_notBefore(x), (time_t)issued_s) != NULL &&
	       ASN1_TIME_set(X509_getm_notAfter(x), (time_t)(issued_s + NODE_ATTEST_LIFE_S)) !=
		       NULL;
}

/* Not critical: who asks for none passes over it. */
static bool add_evidence(X509 *x, struct cs_bytes extension)
{
	ASN1_OCTET_STRING *octets = ASN1_OCTET_STRING_new();
	ASN1_OBJECT *oid = OBJ_txt2obj(EVIDENCE_OID, 1);
	X509_EXTENSION *made = NULL;
	bool good = octets != NULL && oid != NULL &&
		    ASN1_OCTET_STRING_set(octets, extension.p, (int)extension.n) == 1 &&
		    (made = X509_EXTENSION_create_by_OBJ(NULL, oid, 0, octets)) != NULL &&
		    X509_add_ext(x, made, -1) == 1;
	X509_EXTENSION_free(made);
	ASN1_OBJECT_free(oid);
	ASN1_OCTET_STRING_free(octets);
	return good;
}

/* extension.n 0, issued_s 0: none. */
static X509 *make_certificate(EVP_PKEY *key, struct cs_bytes extension, uint64_t issued_s)
{
	X509 *x = X509_new();
	if (x == NULL)
		return NULL;
	X509_NAME *name = X509_get_subject_name(x);
	static const unsigned char common_name[] = "caisson-ledger";
	bool good =
		X509_set_version(x, X509_VERSION_3) == 1 &&
		ASN1_INTEGER_set(X509_get_serialNumber(x), 1) == 1 && set_dates(x, issued_s) &&
		X509_set_pubkey(x, key) == 1 &&
		X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, common_name, -1, -1, 0) == 1 &&
		X509_set_issuer_name(x, name) == 1 &&
		(extension.n == 0 || add_evidence(x, extension)) && X509_sign(x, key, NULL) > 0;
	if (good)
		return x;
	X509_free(x);
	return NULL;
}

static bool set_up(SSL_CTX *c, EVP_PKEY *key, X509 *certificate)
{
	return SSL_CTX_set_min_proto_version(c, TLS1_3_VERSION) == 1 &&
	       SSL_CTX_set_max_proto_version(c, TLS1_3_VERSION) == 1 &&
	       SSL_CTX_use_certificate(c, certificate) == 1 &&
	       SSL_CTX_use_PrivateKey(c, key) == 1 && SSL_CTX_set_num_tickets(c, 0) == 1;
}

enum cs_err node_tls_new(struct node_tls **out, const struct node_key *key, struct cs_why *why)
{
	EVP_PKEY *pkey = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, key->secret.b, 32);
	X509 *certificate = pkey != NULL ? make_certificate(pkey, cs_bytes(NULL, 0), 0) : NULL;
	SSL_CTX *c = SSL_CTX_new(TLS_method());
	bool good = certificate != NULL && c != NULL && set_up(c, pkey, certificate);
	X509_free(certificate);
	EVP_PKEY_free(pkey);
	ERR_clear_error();
	if (!good) {
		SSL_CTX_free(c);
		return cs_fail(why, CS_ERR_CRYPTO, "TLS for the node's key cannot be set up");
	}
	SSL_CTX_set_verify(c, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	SSL_CTX_set_cert_verify_callback(c, check_certificate, NULL);
	(void)SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
	struct node_tls *tls = host_alloc(sizeof *tls);
	tls->context = c;
	*out = tls;
	return CS_OK;
}

enum cs_err node_tls_spki(const struct node_tls *tls, uint8_t spki[NODE_ATTEST_SPKI_SIZE_MAX],
			  size_t *size)
{
	uint8_t *der = NULL;
	const int n = i2d_PUBKEY(SSL_CTX_get0_privatekey(tls->context), &der);
	const bool good = n > 0 && (size_t)n <= NODE_ATTEST_SPKI_SIZE_MAX;
	if (good) {
		memcpy(spki, der, (size_t)n);
		*size = (size_t)n;
	}
	OPENSSL_free(der);
	return good ? CS_OK : CS_ERR_CRYPTO;
}

enum cs_err node_tls_attest(struct node_tls *tls, struct cs_bytes extension, uint64_t issued_s,
			    struct cs_why *why)
{
	EVP_PKEY *key = SSL_CTX_get0_privatekey(tls->context);
	X509 *certificate = make_certificate(key, extension, issued_s);
	const bool good =
		certificate != NULL && SSL_CTX_use_certificate(tls->context, certificate) == 1;
	X509_free(certificate);
	ERR_clear_error();
	return good ? CS_OK : cs_fail(why, CS_ERR_CRYPTO, "a certificate cannot be made");
}

void node_tls_free(struct node_tls *tls)
{
	if (tls == NULL)
		return;
	SSL_CTX_free(tls->context);
	free(tls);
}

/* ---- a connection ---- */

struct node_link {
	struct node_link_events events;
	void *context;
	struct host_stream *stream;
	struct host_timer *timer;
	SSL *ssl;
	BIO *in, *out; /* the ssl's */
	bool is_ready;
	bool is_over;
	uint32_t frame_size_max;
	uint8_t *inbox;
	size_t inbox_size, inbox_room;
	uint8_t *gathered; /* frames that are not in TLS yet */
	size_t gathered_size, gathered_room;
	struct host_timer *gathering;
	bool *freed; /* of whoever is in an event right now */
};

static void end(struct node_link *link, enum cs_err err, const char *why)
{
	if (link->is_over)
		return;
	link->is_over = true;
	host_timer_stop(link->timer);
	link->events.ended(link->context, err, why);
}

/* What TLS wants to send. False: the other end does not read. */
static bool flush(struct node_link *link)
{
	uint8_t bytes[READ_SIZE];
	int n;
	while ((n = BIO_read(link->out, bytes, sizeof bytes)) > 0) {
		if (host_stream_write(link->stream, cs_bytes(bytes, (size_t)n), SIZE_MAX / 2) !=
		    CS_OK)
			return false;
	}
	return true;
}

static bool read_id(const struct node_link *link, struct cs_address *id)
{
	struct cs_ed25519_key key;
	size_t size = sizeof key.b;
	X509 *certificate = SSL_get1_peer_certificate(link->ssl);
	EVP_PKEY *pkey = certificate != NULL ? X509_get0_pubkey(certificate) : NULL;
	bool good = pkey != NULL && EVP_PKEY_get_base_id(pkey) == EVP_PKEY_ED25519 &&
		    EVP_PKEY_get_raw_public_key(pkey, key.b, &size) == 1 && size == sizeof key.b;
	X509_free(certificate);
	if (good)
		*id = cmt_address(&key);
	return good;
}

static bool read_time(uint64_t *time_s, const X509 *certificate)
{
	struct tm tm;
	if (ASN1_TIME_to_tm(X509_get0_notBefore(certificate), &tm) != 1)
		return false;
	const time_t at = timegm(&tm);
	*time_s = at > 0 ? (uint64_t)at : 0;
	return at > 0;
}

/* NULL: none. The first, where somebody put several. */
static const ASN1_OCTET_STRING *find_extension(const X509 *certificate)
{
	ASN1_OBJECT *oid = OBJ_txt2obj(EVIDENCE_OID, 1);
	const int at = oid == NULL ? -1 : X509_get_ext_by_OBJ(certificate, oid, -1);
	ASN1_OBJECT_free(oid);
	return at < 0 ? NULL : X509_EXTENSION_get_data(X509_get_ext(certificate, at));
}

enum cs_err node_link_shown(const struct node_link *link, struct node_attest_shown *out)
{
	X509 *certificate = SSL_get1_peer_certificate(link->ssl);
	const ASN1_OCTET_STRING *found = certificate == NULL ? NULL : find_extension(certificate);
	uint8_t *der = NULL;
	const int spki =
		certificate == NULL ? -1 : i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der);
	const int size = found == NULL ? 0 : ASN1_STRING_length(found);
	enum cs_err err = spki > 0 && (size_t)spki <= sizeof out->spki &&
					  read_time(&out->issued_s, certificate)
				  ? CS_OK
				  : CS_ERR_MALFORMED;
	if (err == CS_OK && (size_t)size > sizeof out->extension)
		err = CS_ERR_TOO_LARGE;
	if (err == CS_OK) {
		memcpy(out->spki, der, (size_t)spki);
		out->spki_size = (size_t)spki;
		out->extension_size = (size_t)size;
		if (size > 0)
			memcpy(out->extension, ASN1_STRING_get0_data(found), (size_t)size);
	}
	OPENSSL_free(der);
	X509_free(certificate);
	return err;
}

/* False: nothing more may be done with the link. */
static bool handshake(struct node_link *link)
{
	struct cs_address id;
	bool freed = false;
	ERR_clear_error();
	int done = SSL_do_handshake(link->ssl);
	int error = done == 1 ? SSL_ERROR_NONE : SSL_get_error(link->ssl, done);
	bool written = flush(link);
	if (done != 1 && error == SSL_ERROR_WANT_READ && written)
		return false;
	if (done != 1 || !written || !read_id(link, &id)) {
		end(link, CS_ERR_CRYPTO, "the TLS handshake failed");
		return false;
	}
	link->is_ready = true;
	host_timer_stop(link->timer);
	link->freed = &freed;
	link->events.ready(link->context, &id);
	if (freed)
		return false;
	link->freed = NULL;
	return !link->is_over;
}

/* ---- frames ---- */

static void keep_rest(struct node_link *link, size_t used)
{
	link->inbox_size -= used;
	if (link->inbox_size > 0) {
		memmove(link->inbox, link->inbox + used, link->inbox_size);
	} else if (link->inbox_room > INBOX_KEPT_MAX) {
		free(link->inbox);
		link->inbox = NULL;
		link->inbox_room = 0;
	}
}

enum cs_err node_frame_take(struct node_frame *frame, struct cs_bytes *stream, uint32_t size_max)
{
	if (stream->n < HEAD_SIZE)
		return CS_ERR_TRUNCATED;
	uint32_t size = cs_be32(stream->p);
	if (size < 1 || size > size_max)
		return CS_ERR_TOO_LARGE;
	if (stream->n - 4 < size)
		return CS_ERR_TRUNCATED;
	*frame = (struct node_frame){stream->p[4], cs_bytes(stream->p + HEAD_SIZE, size - 1)};
	*stream = cs_bytes(stream->p + 4 + size, stream->n - 4 - size);
	return CS_OK;
}

/* False: the link is gone or over. */
static bool take_frames(struct node_link *link)
{
	struct cs_bytes rest = cs_bytes(link->inbox, link->inbox_size);
	struct node_frame frame;
	bool freed = false;
	enum cs_err err;
	while ((err = node_frame_take(&frame, &rest, link->frame_size_max)) == CS_OK) {
		link->freed = &freed;
		link->events.frame(link->context, frame.type, frame.bytes);
		if (freed)
			return false;
		link->freed = NULL;
		if (link->is_over)
			return false;
	}
	if (err == CS_ERR_TOO_LARGE) {
		end(link, CS_ERR_TOO_LARGE, "a frame of a size that none may have");
		return false;
	}
	keep_rest(link, link->inbox_size - rest.n);
	return true;
}

static void read_plain(struct node_link *link)
{
	uint8_t bytes[READ_SIZE];
	for (;;) {
		ERR_clear_error();
		int n = SSL_read(link->ssl, bytes, sizeof bytes);
		if (n <= 0) {
			int error = SSL_get_error(link->ssl, n);
			if (!flush(link))
				end(link, CS_ERR_CLOSED, "the connection ended");
			else if (error == SSL_ERROR_ZERO_RETURN)
				end(link, CS_ERR_CLOSED, "the other side ended it");
			else if (error != SSL_ERROR_WANT_READ)
				end(link, CS_ERR_CRYPTO, "TLS failed");
			return;
		}
		link->inbox = host_append(link->inbox, &link->inbox_size, &link->inbox_room, bytes,
					  (size_t)n);
		if (!take_frames(link))
			return;
	}
}

static void on_bytes(void *context, struct cs_bytes bytes)
{
	struct node_link *link = context;
	if (link->is_over)
		return;
	if (bytes.n > INT32_MAX || BIO_write(link->in, bytes.p, (int)bytes.n) != (int)bytes.n)
		return end(link, CS_ERR_NO_MEMORY, "no memory for what came");
	if (!link->is_ready && !handshake(link))
		return;
	read_plain(link);
}

static void on_connected(void *context)
{
	(void)handshake(context);
}

static void on_drained(void *context)
{
	struct node_link *link = context;
	if (link->is_ready && !link->is_over && link->events.drained != NULL)
		link->events.drained(link->context);
}

static void on_ended(void *context, enum cs_err err)
{
	end(context, err, err == CS_ERR_CLOSED ? "the other side ended it" : cs_err_sentence(err));
}

static void on_timeout(void *context)
{
	end(context, CS_ERR_TIMEOUT, "no handshake in time");
}

static void on_gathered(void *context);

static struct node_link *make(struct node_tls *tls, struct host_loop *loop,
			      const struct node_link_events *events, void *context)
{
	struct node_link *link = host_alloc(sizeof *link);
	link->events = *events;
	link->context = context;
	link->frame_size_max = NODE_FRAME_SIZE_FIRST;
	link->ssl = SSL_new(tls->context);
	link->in = BIO_new(BIO_s_mem());
	link->out = BIO_new(BIO_s_mem());
	cs_assert(link->ssl != NULL && link->in != NULL && link->out != NULL);
	SSL_set_bio(link->ssl, link->in, link->out);
	link->timer = host_timer_new(loop, on_timeout, link);
	host_timer_start(link->timer, NODE_LINK_HANDSHAKE_MS, 0);
	link->gathering = host_timer_new(loop, on_gathered, link);
	return link;
}

static const struct host_stream_events stream_events = {on_connected, on_bytes, on_drained,
							on_ended};

struct node_link *node_link_connect(struct node_tls *tls, struct host_loop *loop,
				    const struct host_address *address,
				    const struct node_link_events *events, void *context)
{
	struct node_link *link = make(tls, loop, events, context);
	SSL_set_connect_state(link->ssl);
	link->stream = host_stream_connect(loop, address, &stream_events, link);
	return link;
}

struct node_link *node_link_accept(struct node_tls *tls, struct host_loop *loop,
				   struct host_stream *stream,
				   const struct node_link_events *events, void *context)
{
	struct node_link *link = make(tls, loop, events, context);
	SSL_set_accept_state(link->ssl);
	link->stream = stream;
	host_stream_serve(stream, &stream_events, link);
	return link;
}

void node_link_trust_size(struct node_link *link, uint32_t size_max)
{
	link->frame_size_max = size_max;
}

bool node_link_is_ready(const struct node_link *link)
{
	return link->is_ready && !link->is_over;
}

void node_link_exporter(const struct node_link *link, uint8_t out[NODE_LINK_EXPORTER_SIZE])
{
	int done =
		SSL_export_keying_material(link->ssl, out, NODE_LINK_EXPORTER_SIZE, EXPORTER_LABEL,
					   sizeof EXPORTER_LABEL - 1, NULL, 0, 0);
	cs_assert(done == 1);
}

static bool write_plain(struct node_link *link, struct cs_bytes bytes)
{
	while (bytes.n > 0) {
		int n = SSL_write(link->ssl, bytes.p,
				  (int)(bytes.n < READ_SIZE ? bytes.n : READ_SIZE));
		if (n <= 0)
			return false;
		bytes = cs_bytes(bytes.p + n, bytes.n - (size_t)n);
	}
	return true;
}

static bool write_gathered(struct node_link *link)
{
	struct cs_bytes bytes = cs_bytes(link->gathered, link->gathered_size);
	link->gathered_size = 0;
	host_timer_stop(link->gathering);
	ERR_clear_error();
	bool written = write_plain(link, bytes) && flush(link);
	if (link->gathered_room > INBOX_KEPT_MAX) {
		free(link->gathered);
		link->gathered = NULL;
		link->gathered_room = 0;
	}
	return written;
}

static void on_gathered(void *context)
{
	struct node_link *link = context;
	if (node_link_is_ready(link) && !write_gathered(link))
		end(link, CS_ERR_CLOSED, "the connection ended");
}

enum cs_err node_link_send(struct node_link *link, uint8_t type, struct cs_bytes bytes,
			   size_t queued_max, bool may_wait)
{
	uint8_t head[HEAD_SIZE];
	if (!node_link_is_ready(link))
		return CS_ERR_CLOSED;
	if (bytes.n >= NODE_FRAME_SIZE_SYNC)
		return CS_ERR_TOO_LARGE;
	size_t queued = node_link_queued(link);
	if (queued > 0 && queued + bytes.n > queued_max)
		return CS_ERR_FULL;
	cs_put_be32(head, (uint32_t)bytes.n + 1);
	head[4] = type;
	link->gathered = host_append(link->gathered, &link->gathered_size, &link->gathered_room,
				     head, sizeof head);
	if (bytes.n > 0)
		link->gathered = host_append(link->gathered, &link->gathered_size,
					     &link->gathered_room, bytes.p, bytes.n);
	if (!may_wait || link->gathered_size >= GATHERED_MAX)
		return write_gathered(link) ? CS_OK : CS_ERR_CLOSED;
	if (!host_timer_is_running(link->gathering))
		host_timer_start(link->gathering, 0, 0);
	return CS_OK;
}

void node_link_remote(const struct node_link *link, char text[HOST_ADDRESS_SIZE_MAX])
{
	host_stream_remote(link->stream, text);
}

size_t node_link_queued(const struct node_link *link)
{
	return host_stream_queued(link->stream) + link->gathered_size;
}

void node_link_free(struct node_link *link)
{
	if (link == NULL)
		return;
	if (link->freed != NULL)
		*link->freed = true;
	if (link->is_ready && !link->is_over) {
		(void)SSL_shutdown(link->ssl);
		(void)flush(link);
	}
	host_stream_free(link->stream);
	host_timer_free(link->timer);
	host_timer_free(link->gathering);
	SSL_free(link->ssl);
	free(link->inbox);
	free(link->gathered);
	free(link);
}
