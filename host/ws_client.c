#include "host/ws_client.h"

#include "host/alloc.h"
#include "host/loop_inner.h"
#include "host/url.h"
#include "host/ws.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MESSAGE_SIZE_MAX (4u * 1024u * 1024u)
#define QUEUE_SIZE_MAX (4u * 1024u * 1024u)
#define CONNECT_TIMEOUT_MS 10000u
#define PING_MS 15000u
#define IDLE_MS 45000u
#define CLIENTS_MAX 256u
#define ADDRESSES_MAX 4u
#define CA_FILE "/etc/ssl/certs/ca-certificates.crt"

/* What all clients of a loop share. One vhost for each CA file. */
struct trust {
	struct trust *next;
	char *ca_file;
	struct lws_vhost *vhost;
};

struct shared {
	struct host_ws_context *context;
	struct trust *trusts;
};

struct lookup {
	uv_getaddrinfo_t uv;
	struct host_ws_client *client; /* NULL: it is gone */
};

struct host_ws_client {
	struct host_loop *loop;
	struct shared *shared;
	struct trust *trust;
	struct lookup *lookup;
	struct lws *wsi;
	struct host_timer *timer; /* until open: the time for that; then the watch for silence */
	struct host_ws_client_events events;
	void *context;
	bool tls;
	uint16_t port;
	char name[256]; /* of the host, without brackets */
	char host[300]; /* as in the Host header */
	char *path;
	char *protocol;
	char *headers[HOST_HTTP_HEADERS_MAX][2];
	uint32_t address_count;
	uint32_t address_next;
	char addresses[ADDRESSES_MAX][46];
	bool open;
	bool ping_due;
	bool connecting; /* inside lws_client_connect_via_info */
	bool orphan;     /* the owner has left it; it stays until its connection is gone */
	struct host_ws_pulse pulse;
	struct host_ws_inbox inbox;
	struct host_ws_outbox outbox;
	enum cs_err err; /* why it will be closed */
	struct cs_why why;
};

/* ---- the end ---- */

static void free_client(struct host_ws_client *client)
{
	if (client->lookup != NULL) {
		client->lookup->client = NULL;
		(void)uv_cancel((uv_req_t *)&client->lookup->uv);
	}
	for (uint32_t i = 0; i < HOST_HTTP_HEADERS_MAX; i++) {
		free(client->headers[i][0]);
		free(client->headers[i][1]);
	}
	host_timer_free(client->timer);
	host_ws_inbox_done(&client->inbox);
	host_ws_outbox_done(&client->outbox);
	free(client->path);
	free(client->protocol);
	free(client);
}

/* The owner is done with it. A close frame is only sent by a close that begins outside of
 * libwebsockets' callbacks: what returns -1 from "writable" it takes for a broken socket. So the
 * timer does it. */
static void let_go(struct host_ws_client *client)
{
	if (client->wsi == NULL) {
		free_client(client);
		return;
	}
	client->orphan = true;
	host_timer_start(client->timer, 0, 0);
}

/* The last thing that is done with a client. */
static void end(struct host_ws_client *client, enum cs_err err, const char *why)
{
	void (*closed)(void *context, enum cs_err err, const char *why) = client->events.closed;
	void *context = client->context;
	struct cs_why kept = client->why;
	if (client->err != CS_OK) {
		err = client->err;
		why = kept.text;
	}
	let_go(client);
	closed(context, err, why);
}

static void fail(struct host_ws_client *client, enum cs_err err, const char *why)
{
	if (client->err == CS_OK)
		client->err = cs_fail(&client->why, err, "%s", why);
}

/* ---- connecting ---- */

static void connect_next(struct host_ws_client *client)
{
	struct lws_client_connect_info info = {
		.context = host_ws_context_lws(client->shared->context),
		.vhost = client->trust->vhost,
		.address = client->addresses[client->address_next++],
		.port = client->port,
		.path = client->path,
		.host = client->host,
		.protocol = client->protocol,
		.local_protocol_name = "caisson-client",
		.ssl_connection = client->tls ? LCCSCF_USE_SSL : 0,
		.alpn = "http/1.1",
		.opaque_user_data = client,
	};
	client->connecting = true;
	struct lws *wsi = lws_client_connect_via_info(&info);
	client->connecting = false;
	client->wsi = wsi;
	if (wsi != NULL)
		return;
	if (client->address_next < client->address_count)
		connect_next(client);
	else
		end(client, CS_ERR_UNAVAILABLE, "cannot connect");
}

static void on_lookup(uv_getaddrinfo_t *uv, int status, struct addrinfo *list)
{
	struct lookup *lookup = uv->data;
	struct host_ws_client *client = lookup->client;
	if (client != NULL) {
		client->lookup = NULL;
		for (struct addrinfo *at = list;
		     at != NULL && client->address_count < ADDRESSES_MAX; at = at->ai_next) {
			char *text = client->addresses[client->address_count];
			if (at->ai_family == AF_INET)
				status = uv_ip4_name(
					(const struct sockaddr_in *)(const void *)at->ai_addr, text,
					sizeof client->addresses[0]);
			else
				status = uv_ip6_name(
					(const struct sockaddr_in6 *)(const void *)at->ai_addr,
					text, sizeof client->addresses[0]);
			if (status == 0)
				client->address_count++;
		}
		if (client->address_count == 0)
			end(client, CS_ERR_UNAVAILABLE, "the host's name has no address");
		else
			connect_next(client);
	}
	uv_freeaddrinfo(list);
	free(lookup);
}

static void look_up(struct host_ws_client *client)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	client->lookup = host_alloc(sizeof *client->lookup);
	client->lookup->client = client;
	client->lookup->uv.data = client->lookup;
	cs_assert(uv_getaddrinfo(host_loop_uv(client->loop), &client->lookup->uv, on_lookup,
				 client->name, NULL, &hints) == 0);
}

/* ---- silence ---- */

static void on_timer(void *context)
{
	struct host_ws_client *client = context;
	if (client->orphan) {
		if (client->open)
			lws_close_reason(client->wsi, LWS_CLOSE_STATUS_NORMAL, NULL, 0);
		lws_set_timeout(client->wsi, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_SYNC);
		return;
	}
	if (!client->open) {
		end(client, CS_ERR_TIMEOUT, "not open in time");
		return;
	}
	switch (host_ws_pulse_look(&client->pulse)) {
	case HOST_WS_ALIVE:
		break;
	case HOST_WS_PING:
		client->ping_due = true;
		lws_callback_on_writable(client->wsi);
		break;
	case HOST_WS_SILENT:
		end(client, CS_ERR_TIMEOUT, "silent for too long");
		break;
	}
}

static void watch_silence(struct host_ws_client *client)
{
	uint64_t step = host_ws_pulse_step(client->pulse.ping_ms, client->pulse.idle_ms);
	host_ws_pulse_init(&client->pulse, client->pulse.ping_ms, client->pulse.idle_ms);
	host_timer_start(client->timer, step, step);
}

/* ---- libwebsockets' callbacks ---- */

static int append_headers(struct host_ws_client *client, struct lws *wsi, unsigned char **p,
			  size_t n)
{
	unsigned char *end_of_room = *p + n;
	for (uint32_t i = 0; i < HOST_HTTP_HEADERS_MAX && client->headers[i][0] != NULL; i++)
		if (lws_add_http_header_by_name(wsi, (const unsigned char *)client->headers[i][0],
						(const unsigned char *)client->headers[i][1],
						(int)strlen(client->headers[i][1]), p,
						end_of_room) != 0)
			return -1;
	return 0;
}

static int on_receive(struct host_ws_client *client, struct lws *wsi, const void *p, size_t n)
{
	bool complete = false;
	client->pulse.heard_ms = host_now_ms();
	enum cs_err err = host_ws_inbox_add(&client->inbox, wsi, p, n, &complete);
	if (err != CS_OK) {
		fail(client, err, host_ws_inbox_refuse(wsi, err));
		return -1;
	}
	if (!complete)
		return 0;
	/* The owner may let go of the client in there; it stays, as its connection does. */
	client->events.message(client->context, cs_bytes(client->inbox.p, client->inbox.n));
	host_ws_inbox_next(&client->inbox);
	return 0;
}

static int on_writable(struct host_ws_client *client, struct lws *wsi)
{
	if (client->ping_due) {
		client->ping_due = false;
		if (!host_ws_ping(wsi))
			return -1;
		lws_callback_on_writable(wsi);
		return 0;
	}
	return host_ws_outbox_write(&client->outbox, wsi) ? 0 : -1;
}

/* Not open, and now it never will be on this address. */
static void on_connect_error(struct host_ws_client *client, const char *text)
{
	client->wsi = NULL;
	/* connect_next sees it by the result. */
	if (client->connecting)
		return;
	if (client->address_next < client->address_count && client->err == CS_OK) {
		connect_next(client);
		return;
	}
	struct cs_why why;
	cs_why_write(&why, "cannot connect: %s", text != NULL ? text : "no reason given");
	end(client, CS_ERR_UNAVAILABLE, why.text);
}

/* The owner has let go of this connection: what comes is dropped. */
static int on_orphan(struct host_ws_client *client, struct lws *wsi,
		     enum lws_callback_reasons reason)
{
	if (reason == LWS_CALLBACK_CLIENT_CONNECTION_ERROR ||
	    reason == LWS_CALLBACK_CLIENT_CLOSED || reason == LWS_CALLBACK_WSI_DESTROY) {
		lws_set_opaque_user_data(wsi, NULL);
		/* A connection that fails inside the call that makes it is not known yet. */
		if (client->wsi == wsi)
			free_client(client);
	}
	return 0;
}

/* libwebsockets has a hundred reasons; those of no concern here go to its own default. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wswitch-enum"
static int on_event(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
		    size_t len)
{
	struct host_ws_client *client = lws_get_opaque_user_data(wsi);
	(void)user;
	if (client == NULL)
		return 0;
	if (client->orphan)
		return on_orphan(client, wsi, reason);
	switch (reason) {
	case LWS_CALLBACK_CLIENT_APPEND_HANDSHAKE_HEADER:
		return append_headers(client, wsi, in, len);
	case LWS_CALLBACK_CLIENT_ESTABLISHED:
		client->open = true;
		client->wsi = wsi;
		watch_silence(client);
		client->events.opened(client->context);
		return 0;
	case LWS_CALLBACK_CLIENT_RECEIVE:
		return on_receive(client, wsi, in, len);
	case LWS_CALLBACK_CLIENT_RECEIVE_PONG:
		client->pulse.heard_ms = host_now_ms();
		return 0;
	case LWS_CALLBACK_CLIENT_WRITEABLE:
		return on_writable(client, wsi);
	case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
		if (client->err == CS_OK) {
			client->err = CS_ERR_CLOSED;
			host_ws_close_text(&client->why, in, len);
		}
		return 0;
	case LWS_CALLBACK_CLIENT_CONNECTION_ERROR:
		lws_set_opaque_user_data(wsi, NULL);
		on_connect_error(client, in);
		return 0;
	case LWS_CALLBACK_CLIENT_CLOSED:
	case LWS_CALLBACK_WSI_DESTROY:
		lws_set_opaque_user_data(wsi, NULL);
		client->wsi = NULL;
		if (client->open)
			end(client, CS_ERR_CLOSED, "the connection was cut");
		else
			on_connect_error(client, NULL);
		return 0;
	default:
		return 0;
	}
}
#pragma GCC diagnostic pop

static const struct lws_protocols protocols[] = {{.name = "caisson-client", .callback = on_event},
						 {.name = NULL}};

/* ---- what is shared ---- */

static void shared_freed(void *user)
{
	struct shared *shared = user;
	while (shared->trusts != NULL) {
		struct trust *trust = shared->trusts;
		shared->trusts = trust->next;
		free(trust->ca_file);
		free(trust);
	}
	free(shared);
}

static void release_shared(void *context)
{
	void **slot = host_loop_ws_slot(context, release_shared);
	struct shared *shared = *slot;
	if (shared == NULL)
		return;
	*slot = NULL;
	host_ws_context_free(shared->context, shared_freed);
}

static enum cs_err shared_of(struct shared **shared, struct host_loop *loop, struct cs_why *why)
{
	void **slot = host_loop_ws_slot(loop, release_shared);
	if (*slot == NULL) {
		struct shared *made = host_alloc(sizeof *made);
		enum cs_err err = host_ws_context_new(&made->context, loop, CLIENTS_MAX, made, why);
		if (err != CS_OK) {
			free(made);
			return err;
		}
		*slot = made;
	}
	*shared = *slot;
	return CS_OK;
}

/* ca_file "": without TLS none is needed. NULL: the CA file is no good. */
static struct trust *trust_of(struct shared *shared, const char *ca_file)
{
	for (struct trust *trust = shared->trusts; trust != NULL; trust = trust->next)
		if (strcmp(trust->ca_file, ca_file) == 0)
			return trust;
	struct lws_context_creation_info info = {
		.port = CONTEXT_PORT_NO_LISTEN,
		.protocols = protocols,
		.options = LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT | LWS_SERVER_OPTION_VALIDATE_UTF8,
	};
	/* libwebsockets would go on without it, and then trust nobody. */
	if (ca_file[0] != 0 && access(ca_file, R_OK) != 0)
		return NULL;
	struct trust *trust = host_alloc(sizeof *trust);
	trust->ca_file = host_text(ca_file);
	info.vhost_name = trust->ca_file;
	info.client_ssl_ca_filepath = ca_file[0] != 0 ? trust->ca_file : NULL;
	trust->vhost = lws_create_vhost(host_ws_context_lws(shared->context), &info);
	if (trust->vhost == NULL) {
		free(trust->ca_file);
		free(trust);
		return NULL;
	}
	trust->next = shared->trusts;
	shared->trusts = trust;
	return trust;
}

/* ---- opening ---- */

static enum cs_err take_part(char *part, size_t size, CURLU *url, CURLUPart what)
{
	char *text = NULL;
	if (curl_url_get(url, what, &text, 0) != CURLUE_OK)
		return CS_ERR_MISSING_FIELD;
	int n = snprintf(part, size, "%s", text);
	curl_free(text);
	return n >= 0 && (size_t)n < size ? CS_OK : CS_ERR_MALFORMED;
}

static enum cs_err take_url_parts(struct host_ws_client *client, CURLU *url)
{
	char part[2048];
	CS_TRY(take_part(part, sizeof part, url, CURLUPART_SCHEME));
	if (strcmp(part, "ws") != 0 && strcmp(part, "wss") != 0)
		return CS_ERR_MALFORMED;
	client->tls = part[2] == 's';
	if (take_part(part, sizeof part, url, CURLUPART_USER) == CS_OK)
		return CS_ERR_MALFORMED;
	client->port = client->tls ? 443 : 80;
	bool has_port = take_part(part, sizeof part, url, CURLUPART_PORT) == CS_OK;
	if (has_port)
		client->port = (uint16_t)strtoul(part, NULL, 10);
	CS_TRY(take_part(client->name, sizeof client->name, url, CURLUPART_HOST));
	(void)snprintf(client->host, sizeof client->host, has_port ? "%s:%u" : "%s", client->name,
		       client->port);
	size_t n = strlen(client->name);
	if (n > 2 && client->name[0] == '[') {
		memmove(client->name, client->name + 1, n - 2);
		client->name[n - 2] = 0;
	}
	char query[1024] = "";
	CS_TRY(take_part(part, sizeof part, url, CURLUPART_PATH));
	enum cs_err err = take_part(query, sizeof query, url, CURLUPART_QUERY);
	if (err != CS_OK && err != CS_ERR_MISSING_FIELD)
		return err;
	size_t room = strlen(part) + strlen(query) + 2;
	client->path = host_alloc(room);
	(void)snprintf(client->path, room, query[0] != 0 ? "%s?%s" : "%s", part, query);
	return CS_OK;
}

static enum cs_err take_url(struct host_ws_client *client, const char *text)
{
	CURLU *url = curl_url();
	cs_assert(url != NULL);
	enum cs_err err = CS_ERR_MALFORMED;
	if (curl_url_set(url, CURLUPART_URL, text, CURLU_NON_SUPPORT_SCHEME) == CURLUE_OK)
		err = take_url_parts(client, url);
	curl_url_cleanup(url);
	return err == CS_OK ? CS_OK : CS_ERR_MALFORMED;
}

static enum cs_err take_headers(struct host_ws_client *client,
				const struct host_http_header *headers)
{
	for (uint32_t i = 0; i < HOST_HTTP_HEADERS_MAX && headers[i].name != NULL; i++) {
		if (strpbrk(headers[i].name, "\r\n:") != NULL ||
		    strpbrk(headers[i].value, "\r\n") != NULL)
			return CS_ERR_MALFORMED;
		size_t room = strlen(headers[i].name) + 2;
		client->headers[i][0] = host_alloc(room);
		(void)snprintf(client->headers[i][0], room, "%s:", headers[i].name);
		client->headers[i][1] = host_text(headers[i].value);
	}
	return CS_OK;
}

static uint64_t or_default(uint64_t value, uint64_t usual)
{
	return value > 0 ? value : usual;
}

static enum cs_err find_trust(struct host_ws_client *client, const char *ca_file,
			      struct cs_why *why)
{
	if (ca_file == NULL)
		ca_file = CA_FILE;
	client->trust = trust_of(client->shared, client->tls ? ca_file : "");
	return client->trust != NULL ? CS_OK
				     : cs_fail(why, CS_ERR_IO, "the CA file cannot be used");
}

enum cs_err host_ws_client_open(struct host_ws_client **opened, struct host_loop *loop,
				const struct host_ws_client_options *options,
				const struct host_ws_client_events *events, void *context,
				struct cs_why *why)
{
	struct host_ws_client *client = host_alloc(sizeof *client);
	enum cs_err err = take_url(client, options->url);
	if (err == CS_OK)
		err = take_headers(client, options->headers);
	if (err != CS_OK) {
		char *shown = host_url_origin(options->url);
		err = cs_fail(why, err, "not a ws or wss URL without user, or a bad header: %.100s",
			      shown);
		free(shown);
	}
	if (err == CS_OK)
		err = shared_of(&client->shared, loop, why);
	if (err == CS_OK)
		err = find_trust(client, options->ca_file, why);
	if (err != CS_OK) {
		free_client(client);
		return err;
	}
	client->loop = loop;
	client->events = *events;
	client->context = context;
	client->protocol = options->protocol != NULL ? host_text(options->protocol) : NULL;
	host_ws_pulse_init(&client->pulse, or_default(options->ping_ms, PING_MS),
			   or_default(options->idle_ms, IDLE_MS));
	client->inbox.size_max = or_default(options->message_size_max, MESSAGE_SIZE_MAX);
	host_ws_outbox_init(&client->outbox, or_default(options->queue_size_max, QUEUE_SIZE_MAX));
	client->timer = host_timer_new(loop, on_timer, client);
	host_timer_start(client->timer, or_default(options->connect_timeout_ms, CONNECT_TIMEOUT_MS),
			 0);
	look_up(client);
	*opened = client;
	return CS_OK;
}

enum cs_err host_ws_client_send(struct host_ws_client *client, struct cs_bytes text)
{
	if (!client->open || client->err != CS_OK)
		return CS_ERR_CLOSED;
	CS_TRY(host_ws_outbox_add(&client->outbox, text));
	lws_callback_on_writable(client->wsi);
	return CS_OK;
}

void host_ws_client_free(struct host_ws_client *client)
{
	if (client == NULL)
		return;
	let_go(client);
}
