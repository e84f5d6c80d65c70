#include "host/ws_server.h"

#include "host/alloc.h"
#include "host/http_exchange.h"
#include "host/loop_inner.h"
#include "host/ws.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PEERS_MAX 256u
#define MESSAGE_SIZE_MAX (64u * 1024u)
#define QUEUE_SIZE_MAX (1024u * 1024u)
#define PING_MS 15000u
#define IDLE_MS 45000u
/* For a peer to take the close frame, after what the kernel still holds for it; one that stands still has longer. */
#define CLOSE_GRACE_S 2
#define DROP_GRACE_S 30
#define HEADER_SIZE_MAX 1024u
#define QUERY_ARGS_MAX 16u
/* RFC 6455 registry; libwebsockets has no name for it. */
#define CLOSE_TRY_AGAIN_LATER 1013u
/* RFC 9110. */
#define STATUS_UPGRADE_REQUIRED 426

struct host_ws_upgrade {
	struct lws *wsi;
	char path[HEADER_SIZE_MAX];
	uint32_t query_count;
	char query[QUERY_ARGS_MAX][2][HEADER_SIZE_MAX];
	char authorization[HEADER_SIZE_MAX];
	char origin[HEADER_SIZE_MAX];
	char user_agent[HEADER_SIZE_MAX];
};

struct host_ws_peer {
	struct host_ws_server *server;
	struct host_ws_peer *prev;
	struct host_ws_peer *next;
	struct lws *wsi;
	void *value;
	bool open;
	bool closing;   /* nothing more is taken from it or for it */
	bool close_due; /* the close frame follows what is queued */
	bool close_now;
	bool ping_due;
	bool was_full;     /* its socket, at the last write */
	uint64_t moved_ms; /* something was taken, or began to wait */
	struct host_ws_pulse pulse;
	struct host_ws_inbox inbox;
	struct host_ws_outbox outbox;
	uint16_t close_code;
	char close_reason[124];
	enum cs_err err; /* why it will be closed */
	struct cs_why why;
};

struct host_ws_server {
	struct host_loop *loop;
	struct host_ws_context *context;
	struct lws_vhost *vhost;
	struct host_ws_server_events events;
	void *owner;
	struct host_timer *timer;
	struct host_timer *closer;
	uint32_t peers_max;
	uint64_t message_size_max;
	uint64_t queue_size_max;
	uint64_t ping_ms;
	uint64_t idle_ms;
	uint32_t peer_count;
	struct host_ws_peer *peers;
	bool freed;
};

/* ---- the upgrade ---- */

const char *host_ws_path(const struct host_ws_upgrade *upgrade)
{
	return upgrade->path;
}

const char *host_ws_query(const struct host_ws_upgrade *upgrade, const char *name)
{
	for (uint32_t i = 0; i < upgrade->query_count; i++)
		if (strcmp(upgrade->query[i][0], name) == 0)
			return upgrade->query[i][1];
	return NULL;
}

enum cs_err host_ws_query_check(const struct host_ws_upgrade *upgrade, const char *name,
				struct cs_why *why)
{
	for (uint32_t i = 0; i < upgrade->query_count; i++) {
		bool is_taken = strcmp(upgrade->query[i][0], name) == 0;
		if (!is_taken || i > 0)
			return host_http_query_refuse(upgrade->query[i][0], is_taken, why);
	}
	return CS_OK;
}

const char *host_ws_header(const struct host_ws_upgrade *upgrade, const char *name)
{
	const char *value = NULL;
	if (strcmp(name, "authorization") == 0)
		value = upgrade->authorization;
	else if (strcmp(name, "origin") == 0)
		value = upgrade->origin;
	else if (strcmp(name, "user-agent") == 0)
		value = upgrade->user_agent;
	cs_assert(value != NULL);
	return value[0] != 0 ? value : NULL;
}

/* Absent is empty; too long is an error, never cut. */
static enum cs_err take_header(char value[HEADER_SIZE_MAX], struct lws *wsi,
			       enum lws_token_indexes token)
{
	int n = lws_hdr_total_length(wsi, token);
	if (n <= 0)
		return CS_OK;
	if ((size_t)n >= HEADER_SIZE_MAX || lws_hdr_copy(wsi, value, HEADER_SIZE_MAX, token) != n)
		return CS_ERR_TOO_LARGE;
	return CS_OK;
}

/* libwebsockets has decoded the query before we see it. */
static enum cs_err take_query(struct host_ws_upgrade *upgrade, struct lws *wsi)
{
	char text[HEADER_SIZE_MAX];
	for (int i = 0; lws_hdr_fragment_length(wsi, WSI_TOKEN_HTTP_URI_ARGS, i) > 0; i++) {
		if (upgrade->query_count == QUERY_ARGS_MAX)
			return CS_ERR_TOO_LARGE;
		if (lws_hdr_copy_fragment(wsi, text, sizeof text, WSI_TOKEN_HTTP_URI_ARGS, i) < 0)
			return CS_ERR_TOO_LARGE;
		char(*arg)[HEADER_SIZE_MAX] = upgrade->query[upgrade->query_count++];
		size_t n = strcspn(text, "=");
		memcpy(arg[0], text, n);
		arg[0][n] = 0;
		(void)snprintf(arg[1], HEADER_SIZE_MAX, "%s", text[n] == '=' ? text + n + 1 : "");
	}
	return CS_OK;
}

static enum cs_err take_upgrade(struct host_ws_upgrade *upgrade, struct lws *wsi)
{
	upgrade->wsi = wsi;
	CS_TRY(take_header(upgrade->path, wsi, WSI_TOKEN_GET_URI));
	CS_TRY(take_header(upgrade->authorization, wsi, WSI_TOKEN_HTTP_AUTHORIZATION));
	CS_TRY(take_header(upgrade->origin, wsi, WSI_TOKEN_ORIGIN));
	CS_TRY(take_header(upgrade->user_agent, wsi, WSI_TOKEN_HTTP_USER_AGENT));
	return take_query(upgrade, wsi);
}

/* ---- peers ---- */

static struct host_ws_peer *peer_new(struct host_ws_server *server, struct lws *wsi)
{
	struct host_ws_peer *peer = host_alloc(sizeof *peer);
	peer->server = server;
	peer->wsi = wsi;
	host_ws_pulse_init(&peer->pulse, server->ping_ms, server->idle_ms);
	peer->inbox.size_max = server->message_size_max;
	host_ws_outbox_init(&peer->outbox, server->queue_size_max);
	peer->next = server->peers;
	if (peer->next != NULL)
		peer->next->prev = peer;
	server->peers = peer;
	server->peer_count++;
	if (!host_timer_is_running(server->timer)) {
		uint64_t step = host_ws_pulse_step(server->ping_ms, server->idle_ms);
		host_timer_start(server->timer, step, step);
	}
	return peer;
}

static void peer_free(struct host_ws_peer *peer)
{
	struct host_ws_server *server = peer->server;
	if (peer->prev != NULL)
		peer->prev->next = peer->next;
	else
		server->peers = peer->next;
	if (peer->next != NULL)
		peer->next->prev = peer->prev;
	server->peer_count--;
	host_ws_inbox_done(&peer->inbox);
	host_ws_outbox_done(&peer->outbox);
	free(peer);
}

static void fail(struct host_ws_peer *peer, enum cs_err err, const char *why)
{
	if (peer->err == CS_OK)
		peer->err = cs_fail(&peer->why, err, "%s", why);
}

static void close_after_queue(struct host_ws_peer *peer, uint16_t code, const char *reason,
			      int grace_s)
{
	peer->closing = true;
	peer->close_due = true;
	peer->close_code = code;
	(void)snprintf(peer->close_reason, sizeof peer->close_reason, "%s", reason);
	lws_set_timeout(peer->wsi, PENDING_TIMEOUT_USER_OK, grace_s);
	lws_callback_on_writable(peer->wsi);
}

void host_ws_peer_close(struct host_ws_peer *peer, uint16_t code, const char *reason)
{
	if (peer->closing)
		return;
	fail(peer, CS_ERR_CLOSED, reason);
	close_after_queue(peer, code, reason, CLOSE_GRACE_S);
}

void host_ws_peer_drop(struct host_ws_peer *peer, uint16_t code, const char *reason)
{
	if (peer->closing)
		return;
	fail(peer, CS_ERR_CLOSED, reason);
	host_ws_outbox_done(&peer->outbox);
	close_after_queue(peer, code, reason, DROP_GRACE_S);
}

enum cs_err host_ws_peer_send(struct host_ws_peer *peer, struct cs_bytes text)
{
	if (!peer->open || peer->closing)
		return CS_ERR_CLOSED;
	bool is_first = peer->outbox.first == NULL;
	if (host_ws_outbox_add(&peer->outbox, text) != CS_OK) {
		fail(peer, CS_ERR_FULL, "reads too slowly");
		host_ws_outbox_done(&peer->outbox);
		close_after_queue(peer, CLOSE_TRY_AGAIN_LATER, "too slow", CLOSE_GRACE_S);
		return CS_ERR_FULL;
	}
	/* It has been asked for already where others wait; each time costs a system call. */
	if (is_first) {
		peer->moved_ms = host_now_ms();
		lws_callback_on_writable(peer->wsi);
	}
	return CS_OK;
}

void host_ws_peer_set(struct host_ws_peer *peer, void *value)
{
	peer->value = value;
}

void *host_ws_peer_get(const struct host_ws_peer *peer)
{
	return peer->value;
}

uint64_t host_ws_peer_queued(const struct host_ws_peer *peer)
{
	return peer->outbox.size;
}

uint64_t host_ws_peer_stalled_ms(const struct host_ws_peer *peer)
{
	return peer->outbox.first != NULL ? host_now_ms() - peer->moved_ms : 0;
}

static void watch_peer(struct host_ws_peer *peer)
{
	switch (host_ws_pulse_look(&peer->pulse)) {
	case HOST_WS_ALIVE:
		break;
	case HOST_WS_PING:
		peer->ping_due = true;
		lws_callback_on_writable(peer->wsi);
		break;
	case HOST_WS_SILENT:
		fail(peer, CS_ERR_TIMEOUT, "silent for too long");
		host_ws_outbox_done(&peer->outbox);
		close_after_queue(peer, LWS_CLOSE_STATUS_POLICY_VIOLATION, "silent for too long",
				  CLOSE_GRACE_S);
		break;
	}
}

static void watch_silence(void *context)
{
	struct host_ws_server *server = context;
	if (server->peers == NULL)
		host_timer_stop(server->timer);
	for (struct host_ws_peer *peer = server->peers; peer != NULL; peer = peer->next)
		if (peer->open && !peer->closing)
			watch_peer(peer);
}

/* A close frame is only sent by a close that begins outside of libwebsockets' callbacks: what
 * returns -1 from "writable" it takes for a broken socket. */
static void close_peers(void *context)
{
	struct host_ws_server *server = context;
	struct host_ws_peer *peer = server->peers;
	while (peer != NULL) {
		if (!peer->close_now) {
			peer = peer->next;
			continue;
		}
		peer->close_now = false;
		lws_close_reason(peer->wsi, (enum lws_close_status)peer->close_code,
				 (unsigned char *)peer->close_reason, strlen(peer->close_reason));
		lws_set_timeout(peer->wsi, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_SYNC);
		/* The owner may have been told already, and anybody may have gone. */
		if (server->freed)
			return;
		peer = server->peers;
	}
}

/* ---- libwebsockets' callbacks ---- */

/* As the HTTP port does: a problem of RFC 9457. status 0: the error's. */
static int refuse(struct lws *wsi, int status, enum cs_err err, const char *detail)
{
	unsigned char buf[LWS_PRE + 2 * HEADER_SIZE_MAX];
	unsigned char *start = buf + LWS_PRE;
	unsigned char *end = buf + sizeof buf;
	unsigned char *p = start;
	static const unsigned char upgrade[] = "websocket";
	if (status == 0)
		status = cs_err_http_status(err);
	char *text = host_http_problem_text(status, err, detail);
	size_t n = strlen(text);
	bool bad = lws_add_http_common_headers(wsi, (unsigned)status, "application/problem+json", n,
					       &p, end) != 0;
	if (!bad && status == STATUS_UPGRADE_REQUIRED)
		bad = lws_add_http_header_by_token(wsi, WSI_TOKEN_UPGRADE, upgrade,
						   sizeof upgrade - 1, &p, end) != 0 ||
		      lws_add_http_header_by_name(wsi,
						  (const unsigned char *)"sec-websocket-version:",
						  (const unsigned char *)"13", 2, &p, end) != 0;
	if (!bad)
		bad = lws_finalize_http_header(wsi, &p, end) != 0 || n > (size_t)(end - p);
	if (!bad) {
		memcpy(p, text, n);
		p += n;
		(void)lws_write(wsi, start, (size_t)(p - start), LWS_WRITE_HTTP);
	}
	free(text);
	return -1;
}

enum cs_err host_ws_refuse(struct host_ws_peer *peer, enum cs_err err, const char *why)
{
	return cs_fail(&peer->why, err, "%s", why);
}

static int on_upgrade(struct host_ws_server *server, struct lws *wsi)
{
	struct cs_why why = {{0}};
	char version[HEADER_SIZE_MAX] = "";
	if (take_header(version, wsi, WSI_TOKEN_VERSION) != CS_OK || strcmp(version, "13") != 0)
		return refuse(wsi, STATUS_UPGRADE_REQUIRED, CS_ERR_UNSUPPORTED,
			      "Sec-WebSocket-Version: only 13 is known here");
	if (server->peer_count >= server->peers_max)
		return refuse(wsi, 0, CS_ERR_FULL, "too many readers are connected");
	struct host_ws_upgrade *upgrade = host_alloc(sizeof *upgrade);
	enum cs_err err = take_upgrade(upgrade, wsi);
	struct host_ws_peer *peer = NULL;
	if (err == CS_OK) {
		peer = peer_new(server, wsi);
		err = server->events.accept(server->owner, upgrade, peer);
	}
	free(upgrade);
	if (err != CS_OK) {
		if (peer != NULL) {
			why = peer->why;
			peer_free(peer);
		}
		return refuse(wsi, 0, err, why.text);
	}
	lws_set_opaque_user_data(wsi, peer);
	return 0;
}

static int on_receive(struct host_ws_peer *peer, struct lws *wsi, const void *p, size_t n)
{
	struct host_ws_server *server = peer->server;
	bool complete = false;
	if (peer->closing)
		return 0;
	peer->pulse.heard_ms = host_now_ms();
	enum cs_err err = host_ws_inbox_add(&peer->inbox, wsi, p, n, &complete);
	if (err != CS_OK) {
		fail(peer, err, host_ws_inbox_refuse(wsi, err));
		return -1;
	}
	if (!complete)
		return 0;
	if (server->events.message != NULL)
		server->events.message(server->owner, peer, cs_bytes(peer->inbox.p, peer->inbox.n));
	/* The owner may have freed the server in there, which frees no peer that is in use here. */
	host_ws_inbox_next(&peer->inbox);
	return 0;
}

/* A socket that was full and takes something again has somebody behind it who reads: his pong, behind all that waits, may be long in coming. */
static int on_writable(struct host_ws_peer *peer, struct lws *wsi)
{
	peer->moved_ms = host_now_ms();
	if (peer->was_full)
		peer->pulse.heard_ms = peer->moved_ms;
	if (!host_ws_outbox_write_together(&peer->outbox, wsi))
		return -1;
	peer->was_full = peer->outbox.first != NULL && lws_send_pipe_choked(wsi);
	if (peer->outbox.first != NULL)
		return 0;
	if (peer->close_due) {
		peer->close_due = false;
		peer->close_now = true;
		host_timer_start(peer->server->closer, 0, 0);
		return 0;
	}
	if (peer->ping_due && !lws_send_pipe_choked(wsi)) {
		peer->ping_due = false;
		return host_ws_ping(wsi) ? 0 : -1;
	}
	return 0;
}

static void on_closed(struct host_ws_peer *peer, struct lws *wsi)
{
	struct host_ws_server *server = peer->server;
	lws_set_opaque_user_data(wsi, NULL);
	fail(peer, CS_ERR_CLOSED, "the connection was cut");
	if (!server->freed && server->events.closed != NULL)
		server->events.closed(server->owner, peer, peer->err, peer->why.text);
	peer_free(peer);
}

static int on_peer_event(struct host_ws_peer *peer, struct lws *wsi,
			 enum lws_callback_reasons reason, void *in, size_t len);

/* libwebsockets has a hundred reasons; those of no concern here go to its own default. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wswitch-enum"
static int on_event(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
		    size_t len)
{
	struct lws_vhost *vhost = lws_get_vhost(wsi);
	struct host_ws_server *server = vhost != NULL ? lws_get_vhost_user(vhost) : NULL;
	struct host_ws_peer *peer = lws_get_opaque_user_data(wsi);
	(void)user;
	if (server == NULL)
		return 0;
	if (peer != NULL)
		return on_peer_event(peer, wsi, reason, in, len);
	switch (reason) {
	case LWS_CALLBACK_FILTER_PROTOCOL_CONNECTION:
		return server->freed ? -1 : on_upgrade(server, wsi);
	case LWS_CALLBACK_HTTP:
		return refuse(wsi, STATUS_UPGRADE_REQUIRED, CS_ERR_UNSUPPORTED,
			      "this port speaks WebSocket only");
	case LWS_CALLBACK_ESTABLISHED:
	case LWS_CALLBACK_RECEIVE:
		return -1;
	default:
		return 0;
	}
}

static int on_peer_event(struct host_ws_peer *peer, struct lws *wsi,
			 enum lws_callback_reasons reason, void *in, size_t len)
{
	struct host_ws_server *server = peer->server;
	switch (reason) {
	case LWS_CALLBACK_ESTABLISHED:
		peer->open = true;
		if (server->freed)
			return -1;
		if (server->events.opened != NULL)
			server->events.opened(server->owner, peer);
		return 0;
	case LWS_CALLBACK_RECEIVE:
		return server->freed ? -1 : on_receive(peer, wsi, in, len);
	case LWS_CALLBACK_RECEIVE_PONG:
		peer->pulse.heard_ms = host_now_ms();
		return 0;
	case LWS_CALLBACK_SERVER_WRITEABLE:
		return server->freed ? -1 : on_writable(peer, wsi);
	case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
		if (peer->err == CS_OK) {
			peer->err = CS_ERR_CLOSED;
			host_ws_close_text(&peer->why, in, len);
		}
		peer->closing = true;
		return 0;
	case LWS_CALLBACK_CLOSED:
	case LWS_CALLBACK_WSI_DESTROY:
		on_closed(peer, wsi);
		return 0;
	default:
		return 0;
	}
}
#pragma GCC diagnostic pop

/* Each connection has a buffer of this size for what comes in, which is little; a longer message comes in pieces. */
#define RECEIVE_BUFFER 2048u
static const struct lws_protocols protocols[] = {{.name = "caisson",
						  .callback = on_event,
						  .rx_buffer_size = RECEIVE_BUFFER,
						  .tx_packet_size = HOST_WS_WRITE_MAX},
						 {.name = NULL}};

/* ---- the server ---- */

static uint64_t or_default(uint64_t value, uint64_t usual)
{
	return value > 0 ? value : usual;
}

static void server_freed(void *user)
{
	free(user);
}

static enum cs_err listen_on(struct host_ws_server *server,
			     const struct host_ws_server_options *options, struct cs_why *why)
{
	const char *address = options->address != NULL ? options->address : "127.0.0.1";
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	struct lws_context_creation_info info = {
		.port = options->port,
		.iface = address,
		.protocols = protocols,
		.options = LWS_SERVER_OPTION_VALIDATE_UTF8,
		.user = server,
		.vhost_name = "caisson",
	};
	if (uv_ip4_addr(address, options->port, &in) == 0)
		info.options |= LWS_SERVER_OPTION_DISABLE_IPV6;
	else if (uv_ip6_addr(address, options->port, &in6) != 0)
		return cs_fail(why, CS_ERR_INVALID, "%.64s is not a numeric address", address);
	server->vhost = lws_create_vhost(host_ws_context_lws(server->context), &info);
	if (server->vhost == NULL || lws_get_vhost_listen_port(server->vhost) <= 0)
		return cs_fail(why, CS_ERR_IO, "cannot listen on %.64s port %u", address,
			       options->port);
	return CS_OK;
}

enum cs_err host_ws_server_new(struct host_ws_server **made, struct host_loop *loop,
			       const struct host_ws_server_options *options,
			       const struct host_ws_server_events *events, void *context,
			       struct cs_why *why)
{
	struct host_ws_server *server = host_alloc(sizeof *server);
	server->loop = loop;
	server->events = *events;
	server->owner = context;
	server->peers_max = options->peers_max > 0 ? options->peers_max : PEERS_MAX;
	server->message_size_max = or_default(options->message_size_max, MESSAGE_SIZE_MAX);
	server->queue_size_max = or_default(options->queue_size_max, QUEUE_SIZE_MAX);
	server->ping_ms = or_default(options->ping_ms, PING_MS);
	server->idle_ms = or_default(options->idle_ms, IDLE_MS);
	server->timer = host_timer_new(loop, watch_silence, server);
	server->closer = host_timer_new(loop, close_peers, server);
	/* Some more connections than peers, so that the surplus hears 503. */
	enum cs_err err =
		host_ws_context_new(&server->context, loop, server->peers_max + 16, server, why);
	if (err == CS_OK)
		err = listen_on(server, options, why);
	if (err != CS_OK) {
		host_ws_server_free(server);
		return err;
	}
	*made = server;
	return CS_OK;
}

uint16_t host_ws_server_port(const struct host_ws_server *server)
{
	return (uint16_t)lws_get_vhost_listen_port(server->vhost);
}

void host_ws_server_free(struct host_ws_server *server)
{
	if (server == NULL)
		return;
	cs_assert(!server->freed);
	server->freed = true;
	host_timer_free(server->timer);
	host_timer_free(server->closer);
	if (server->context != NULL)
		host_ws_context_free(server->context, server_freed);
	else
		free(server);
}
