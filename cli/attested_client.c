#include "cli/attested_client.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define NAME_SIZE_MAX 256u

/* ---- the socket ---- */

static enum cs_err split(char name[NAME_SIZE_MAX], const char **port, const char *place,
			 struct cs_why *why)
{
	const char *colon = strrchr(place, ':');
	const char *begin = place;
	size_t n = colon == NULL ? 0 : (size_t)(colon - place);
	if (n >= 2 && place[0] == '[' && place[n - 1] == ']') {
		begin++;
		n -= 2;
	}
	if (n == 0 || n >= NAME_SIZE_MAX || colon[1] == '\0')
		return cs_fail(why, CS_ERR_INVALID, "%.100s: no HOST:PORT", place);
	memcpy(name, begin, n);
	name[n] = '\0';
	*port = colon + 1;
	return CS_OK;
}

static int connect_one(const struct addrinfo *at)
{
	/* Of connect, too (socket(7)). */
	const struct timeval timeout = {.tv_sec = ATTESTED_CLIENT_TIMEOUT_S};
	const int on = 1;
	const int fd = socket(at->ai_family, at->ai_socktype | SOCK_CLOEXEC, at->ai_protocol);
	if (fd < 0)
		return -1;
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout) == 0 &&
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout) == 0 &&
	    connect(fd, at->ai_addr, at->ai_addrlen) == 0)
		return fd;
	const int failed = errno;
	(void)close(fd);
	errno = failed;
	return -1;
}

static enum cs_err open_socket(int *fd, const char *place, struct cs_why *why)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	struct addrinfo *list = NULL;
	char name[NAME_SIZE_MAX];
	const char *port = NULL;
	CS_TRY(split(name, &port, place, why));
	const int failed = getaddrinfo(name, port, &hints, &list);
	if (failed != 0)
		return cs_fail(why, CS_ERR_UNAVAILABLE, "%.100s: %s", place, gai_strerror(failed));
	*fd = -1;
	errno = 0;
	for (const struct addrinfo *at = list; at != NULL && *fd < 0; at = at->ai_next)
		*fd = connect_one(at);
	freeaddrinfo(list);
	return *fd >= 0 ? CS_OK
			: cs_fail(why, CS_ERR_UNAVAILABLE, "%.100s: %s", place, strerror(errno));
}

/* ---- TLS ---- */

static SSL_CTX *make_context(void)
{
	SSL_CTX *c = SSL_CTX_new(TLS_client_method());
	if (c == NULL)
		return NULL;
	SSL_CTX_set_options(c, SSL_OP_NO_TICKET);
	(void)SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
	/* Who vouches for the certificate is the evidence in it; that the other end holds its key, the
	 * handshake shows. */
	SSL_CTX_set_verify(c, SSL_VERIFY_NONE, NULL);
	if (SSL_CTX_set_min_proto_version(c, TLS1_3_VERSION) == 1)
		return c;
	SSL_CTX_free(c);
	return NULL;
}

static enum cs_err fail_tls(struct cs_why *why, const char *what)
{
	const unsigned long code = ERR_peek_last_error();
	const char *reason = code == 0 ? NULL : ERR_reason_error_string(code);
	return cs_fail(why, CS_ERR_CRYPTO, "%s: %s", what,
		       reason == NULL ? "the connection ended" : reason);
}

static enum cs_err handshake(struct attested_client *client, struct cs_why *why)
{
	ERR_clear_error();
	client->context = make_context();
	client->ssl = client->context == NULL ? NULL : SSL_new(client->context);
	if (client->ssl == NULL || SSL_set_fd(client->ssl, client->fd) != 1)
		return CS_ERR_NO_MEMORY;
	if (SSL_connect(client->ssl) != 1)
		return fail_tls(why, "no TLS 1.3");
	if (SSL_version(client->ssl) != TLS1_3_VERSION || SSL_session_reused(client->ssl))
		return cs_fail(why, CS_ERR_CRYPTO, "not a full handshake of TLS 1.3");
	return CS_OK;
}

enum cs_err attested_client_open(struct attested_client *client, const char *place,
				 struct cs_why *why)
{
	*client = (struct attested_client){.fd = -1};
	(void)signal(SIGPIPE, SIG_IGN);
	enum cs_err err = open_socket(&client->fd, place, why);
	if (err == CS_OK)
		err = handshake(client, why);
	if (err != CS_OK)
		attested_client_close(client);
	return err;
}

void attested_client_close(struct attested_client *client)
{
	SSL_free(client->ssl);
	SSL_CTX_free(client->context);
	if (client->fd >= 0)
		(void)close(client->fd);
	*client = (struct attested_client){.fd = -1};
}

enum cs_err attested_client_certificate(const struct attested_client *client, struct cs_bytes *der,
					struct cs_arena *arena)
{
	const X509 *certificate = SSL_get0_peer_certificate(client->ssl);
	uint8_t *p = NULL;
	const int n = certificate == NULL ? -1 : i2d_X509(certificate, &p);
	if (n <= 0)
		return CS_ERR_CRYPTO;
	*der = cs_arena_copy(arena, cs_bytes(p, (size_t)n));
	OPENSSL_free(p);
	return der->p == NULL ? CS_ERR_NO_MEMORY : CS_OK;
}

enum cs_err attested_client_bind(const struct attested_client *client, struct wire_report_tls *tls,
				 const struct cs_hash *nonce)
{
	const int done = SSL_export_keying_material(
		client->ssl, tls->exporter.b, sizeof tls->exporter.b, WIRE_REPORT_EXPORTER_LABEL,
		sizeof WIRE_REPORT_EXPORTER_LABEL - 1, nonce->b, sizeof nonce->b, 1);
	return done == 1 ? CS_OK : CS_ERR_CRYPTO;
}

/* ---- frames ---- */

/* The socket's own patience looks like a read that would wait. */
static bool is_late(const struct attested_client *client, int got)
{
	const int error = SSL_get_error(client->ssl, got);
	return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE;
}

static enum cs_err read_all(struct attested_client *client, uint8_t *p, size_t n,
			    struct cs_why *why)
{
	while (n > 0) {
		ERR_clear_error();
		const int got = SSL_read(client->ssl, p, (int)n);
		if (got <= 0)
			return is_late(client, got)
				       ? cs_fail(why, CS_ERR_TIMEOUT, "no answer in %d s",
						 ATTESTED_CLIENT_TIMEOUT_S)
				       : cs_fail(why, CS_ERR_CLOSED,
						 "the connection ended before the answer");
		p += got;
		n -= (size_t)got;
	}
	return CS_OK;
}

static enum cs_err send_request(struct attested_client *client, enum wire_type type,
				const ProtobufCMessage *request, struct cs_arena *arena,
				struct cs_why *why)
{
	struct cs_buf all;
	const size_t size_max = protobuf_c_message_get_packed_size(request) + WIRE_FRAME_HEAD_SIZE;
	CS_TRY(cs_buf_init_arena(&all, arena, size_max));
	cs_put_zeros(&all, WIRE_FRAME_HEAD_SIZE);
	CS_TRY(wire_encode(&all, request, why));
	const struct wire_frame frame = {(uint32_t)(all.n - WIRE_FRAME_HEAD_SIZE), type,
					 ++client->request_id};
	wire_frame_encode(all.p, &frame);
	ERR_clear_error();
	return SSL_write(client->ssl, all.p, (int)all.n) == (int)all.n
		       ? CS_OK
		       : cs_fail(why, CS_ERR_CLOSED, "the connection ended before the request");
}

static enum cs_err read_reply(struct attested_client *client, struct wire_frame *frame,
			      struct cs_bytes *body, struct cs_arena *arena, struct cs_why *why)
{
	uint8_t head[WIRE_FRAME_HEAD_SIZE];
	CS_TRY(read_all(client, head, sizeof head, why));
	if (wire_frame_decode(frame, head) != CS_OK || wire_type_is_request(frame->type) ||
	    frame->request_id != client->request_id ||
	    frame->body_size > ATTESTED_CLIENT_REPLY_SIZE_MAX)
		return cs_fail(why, CS_ERR_MALFORMED, "what came is no answer");
	uint8_t *p = cs_arena_alloc(arena, frame->body_size + 1);
	if (p == NULL)
		return CS_ERR_NO_MEMORY;
	*body = cs_bytes(p, frame->body_size);
	return read_all(client, p, frame->body_size, why);
}

static enum cs_err refusal(const ProtobufCMessage *message, struct cs_why *why)
{
	const Caisson__Wire__ErrorReply *said =
		(const Caisson__Wire__ErrorReply *)(const void *)message;
	const bool known = said->code > CS_OK && said->code < CS_ERR_COUNT;
	return cs_fail(why, known ? (enum cs_err)said->code : CS_ERR_MALFORMED,
		       "the enclave refuses: %s", said->why);
}

enum cs_err attested_client_call(struct attested_client *client, ProtobufCMessage **reply,
				 enum wire_type type, const ProtobufCMessage *request,
				 struct cs_arena *arena, struct cs_why *why)
{
	struct wire_frame frame = {.body_size = 0};
	struct cs_bytes body;
	ProtobufCMessage *message = NULL;
	CS_TRY(send_request(client, type, request, arena, why));
	CS_TRY(read_reply(client, &frame, &body, arena, why));
	if (frame.type != WIRE_ERROR && frame.type != (enum wire_type)(type + 1))
		return cs_fail(why, CS_ERR_MALFORMED, "what came is an answer to something else");
	CS_TRY(wire_decode(&message, wire_type_message(frame.type), body, arena, why));
	if (frame.type == WIRE_ERROR)
		return refusal(message, why);
	*reply = message;
	return CS_OK;
}
