/* https and wss: a certificate that the client does not know, or of another name, must end the
 * connection before anything is said. The server is OpenSSL in a thread, with a certificate made
 * here for the address 127.0.0.1. */
#include "host/alloc.h"
#include "host/http_client.h"
#include "host/ws_client.h"
#include "tests/unit/support.h"

#include <arpa/inet.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#define WAIT_MS 10000

struct server {
	SSL_CTX *tls;
	int listener;
	uint16_t port;
	pthread_t thread;
	int served; /* requests that were read in full; read after the thread has ended */
};

struct fixture {
	struct host_loop *loop;
	struct server server;
	char ca_file[64];
	struct host_http_client *client;
	struct host_ws_client *ws;
	uint32_t ended;
	enum cs_err err;
	int status;
	uint32_t opened;
	char why[256];
	char text[64];
};

/* ---- the server ---- */

static void make_certificate(struct fixture *f)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = X509_new();
	assert_non_null(key);
	assert_non_null(cert);
	assert_int_equal(X509_set_version(cert, 2), 1);
	assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(cert), 1), 1);
	assert_non_null(X509_gmtime_adj(X509_getm_notBefore(cert), -60));
	assert_non_null(X509_gmtime_adj(X509_getm_notAfter(cert), 3600));
	assert_int_equal(X509_set_pubkey(cert, key), 1);
	X509_NAME *name = X509_get_subject_name(cert);
	assert_int_equal(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
						    (const unsigned char *)"127.0.0.1", -1, -1, 0),
			 1);
	assert_int_equal(X509_set_issuer_name(cert, name), 1);
	X509V3_CTX context;
	X509V3_set_ctx_nodb(&context);
	X509V3_set_ctx(&context, cert, cert, NULL, NULL, 0);
	X509_EXTENSION *san = X509V3_EXT_conf_nid(NULL, &context, NID_subject_alt_name,
						  "IP:127.0.0.1,DNS:127.0.0.1");
	X509_EXTENSION *ca =
		X509V3_EXT_conf_nid(NULL, &context, NID_basic_constraints, "critical,CA:TRUE");
	assert_int_equal(X509_add_ext(cert, san, -1), 1);
	assert_int_equal(X509_add_ext(cert, ca, -1), 1);
	X509_EXTENSION_free(san);
	X509_EXTENSION_free(ca);
	assert_true(X509_sign(cert, key, EVP_sha256()) > 0);
	FILE *file = fopen(f->ca_file, "wb");
	assert_non_null(file);
	assert_int_equal(PEM_write_X509(file, cert), 1);
	(void)fclose(file);
	f->server.tls = SSL_CTX_new(TLS_server_method());
	assert_int_equal(SSL_CTX_use_certificate(f->server.tls, cert), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(f->server.tls, key), 1);
	X509_free(cert);
	EVP_PKEY_free(key);
}

/* Sec-WebSocket-Accept of RFC 6455 section 4.2.2. */
static void accept_key(char accept[64], const char *request)
{
	static const char name[] = "sec-websocket-key:";
	char text[128];
	uint8_t digest[20];
	const char *key = NULL;
	for (const char *at = request; *at != 0 && key == NULL; at++)
		if (strncasecmp(at, name, sizeof name - 1) == 0)
			key = at + sizeof name - 1;
	if (key == NULL)
		return;
	key += strspn(key, " ");
	(void)snprintf(text, sizeof text, "%.*s258EAFA5-E914-47DA-95CA-C5AB0DC85B11",
		       (int)strcspn(key, "\r"), key);
	(void)EVP_Digest(text, strlen(text), digest, NULL, EVP_sha1(), NULL);
	(void)EVP_EncodeBlock((unsigned char *)accept, digest, sizeof digest);
}

static void answer(struct server *server, SSL *ssl)
{
	char request[4096];
	char reply[1024];
	char accept[64] = "";
	int n = SSL_read(ssl, request, sizeof request - 1);
	if (n <= 0)
		return;
	request[n] = 0;
	server->served++;
	accept_key(accept, request);
	if (accept[0] == 0)
		(void)snprintf(reply, sizeof reply,
			       "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
	else
		(void)snprintf(reply, sizeof reply,
			       "HTTP/1.1 101 Switching Protocols\r\nUpgrade: "
			       "websocket\r\nConnection: Upgrade\r\n"
			       "Sec-WebSocket-Accept: %s\r\n\r\n\x81\x05hello",
			       accept);
	(void)SSL_write(ssl, reply, (int)strlen(reply));
	/* Until the other side has had enough. */
	while (SSL_read(ssl, request, sizeof request) > 0)
		continue;
}

static void *serve(void *context)
{
	struct server *server = context;
	for (;;) {
		int fd = accept(server->listener, NULL, NULL);
		if (fd < 0)
			return NULL;
		SSL *ssl = SSL_new(server->tls);
		(void)SSL_set_fd(ssl, fd);
		if (SSL_accept(ssl) == 1)
			answer(server, ssl);
		SSL_free(ssl);
		close(fd);
	}
}

static void start_server(struct server *server)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_ANY)};
	socklen_t n = sizeof address;
	/* 127.0.0.2 must come to it too: all of 127/8, on the loopback alone. */
	server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(setsockopt(server->listener, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3), 0);
	assert_int_equal(bind(server->listener, (const struct sockaddr *)&address, sizeof address),
			 0);
	assert_int_equal(listen(server->listener, 8), 0);
	assert_int_equal(getsockname(server->listener, (struct sockaddr *)&address, &n), 0);
	server->port = ntohs(address.sin_port);
	assert_int_equal(pthread_create(&server->thread, NULL, serve, server), 0);
}

static void stop_server(struct server *server)
{
	if (server->listener < 0)
		return;
	(void)shutdown(server->listener, SHUT_RDWR);
	assert_int_equal(pthread_join(server->thread, NULL), 0);
	close(server->listener);
	server->listener = -1;
}

/* ---- fixture ---- */

static int set_up(void **state)
{
	struct fixture *f = host_alloc(sizeof *f);
	(void)snprintf(f->ca_file, sizeof f->ca_file, "/tmp/caisson-ca-XXXXXX");
	int fd = mkstemp(f->ca_file);
	assert_true(fd >= 0);
	close(fd);
	make_certificate(f);
	start_server(&f->server);
	f->loop = host_loop_new();
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	host_http_client_free(f->client);
	host_ws_client_free(f->ws);
	host_loop_free(f->loop);
	stop_server(&f->server);
	SSL_CTX_free(f->server.tls);
	(void)unlink(f->ca_file);
	free(f);
	return 0;
}

static bool has_ended(void *context)
{
	const struct fixture *f = context;
	return f->ended > 0;
}

static bool has_text(void *context)
{
	const struct fixture *f = context;
	return f->ended > 0 || f->text[0] != 0;
}

static void on_answer(void *context, const struct host_http_response *response)
{
	struct fixture *f = context;
	f->ended++;
	f->err = response->err;
	f->status = response->status;
	(void)snprintf(f->why, sizeof f->why, "%s", response->why);
}

static void get(struct fixture *f, const char *host, const char *ca_file)
{
	char url[64];
	(void)snprintf(url, sizeof url, "https://%s:%u/", host, f->server.port);
	f->client = host_http_client_new(f->loop,
					 &(struct host_http_client_options){.ca_file = ca_file});
	assert_ok(host_http_client_allow(f->client, url, NULL));
	struct host_http_request request = {.url = url, .timeout_ms = 5000};
	assert_ok(host_http_send(f->client, NULL, &request, on_answer, f));
	assert_ok(host_loop_run_until(f->loop, has_ended, f, WAIT_MS));
	host_http_client_free(f->client);
	f->client = NULL;
}

static void on_open(void *context)
{
	struct fixture *f = context;
	f->opened++;
}

static void on_text(void *context, struct cs_bytes text)
{
	struct fixture *f = context;
	(void)snprintf(f->text, sizeof f->text, "%.*s", (int)text.n, (const char *)text.p);
}

static void on_closed(void *context, enum cs_err err, const char *why)
{
	struct fixture *f = context;
	f->ended++;
	f->err = err;
	f->ws = NULL;
	(void)snprintf(f->why, sizeof f->why, "%s", why);
}

static void open_ws(struct fixture *f, const char *host, const char *ca_file)
{
	static const struct host_ws_client_events events = {on_open, on_text, on_closed};
	char url[64];
	(void)snprintf(url, sizeof url, "wss://%s:%u/", host, f->server.port);
	struct host_ws_client_options options = {.url = url, .ca_file = ca_file};
	assert_ok(host_ws_client_open(&f->ws, f->loop, &options, &events, f, NULL));
	assert_ok(host_loop_run_until(f->loop, has_text, f, WAIT_MS));
}

static void expect_refused(struct fixture *f)
{
	assert_int_equal(f->ended, 1);
	assert_int_equal(f->err, CS_ERR_UNAVAILABLE);
	assert_int_equal(f->opened, 0);
	stop_server(&f->server);
	assert_int_equal(f->server.served, 0);
}

/* ---- tests ---- */

static void test_https(void **state)
{
	struct fixture *f = *state;
	get(f, "127.0.0.1", f->ca_file);
	assert_int_equal(f->err, CS_OK);
	assert_int_equal(f->status, 200);
}

static void test_https_unknown_issuer(void **state)
{
	struct fixture *f = *state;
	get(f, "127.0.0.1", NULL);
	expect_refused(f);
}

static void test_https_other_name(void **state)
{
	struct fixture *f = *state;
	get(f, "127.0.0.2", f->ca_file);
	expect_refused(f);
}

static void test_wss(void **state)
{
	struct fixture *f = *state;
	open_ws(f, "127.0.0.1", f->ca_file);
	assert_int_equal(f->ended, 0);
	assert_int_equal(f->opened, 1);
	assert_string_equal(f->text, "hello");
}

static void test_wss_unknown_issuer(void **state)
{
	struct fixture *f = *state;
	open_ws(f, "127.0.0.1", NULL);
	expect_refused(f);
}

static void test_wss_other_name(void **state)
{
	struct fixture *f = *state;
	open_ws(f, "127.0.0.2", f->ca_file);
	expect_refused(f);
}

static void test_wss_bad_ca_file(void **state)
{
	struct fixture *f = *state;
	static const struct host_ws_client_events events = {on_open, on_text, on_closed};
	struct host_ws_client_options options = {.url = "wss://127.0.0.1:1/",
						 .ca_file = "/nonexistent/ca.pem"};
	struct cs_why why = {{0}};
	assert_err(host_ws_client_open(&f->ws, f->loop, &options, &events, f, &why), CS_ERR_IO);
	assert_null(f->ws);
}

/* wss to a server without TLS, and ws to one with it. */
static void test_mixed(void **state)
{
	struct fixture *f = *state;
	static const struct host_ws_client_events events = {on_open, on_text, on_closed};
	char url[64];
	(void)snprintf(url, sizeof url, "ws://127.0.0.1:%u/", f->server.port);
	struct host_ws_client_options options = {.url = url, .connect_timeout_ms = 2000};
	assert_ok(host_ws_client_open(&f->ws, f->loop, &options, &events, f, NULL));
	assert_ok(host_loop_run_until(f->loop, has_ended, f, WAIT_MS));
	assert_int_equal(f->opened, 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(test_https),
		T(test_https_unknown_issuer),
		T(test_https_other_name),
		T(test_wss),
		T(test_wss_unknown_issuer),
		T(test_wss_other_name),
		T(test_wss_bad_ca_file),
		T(test_mixed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
