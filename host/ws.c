#include "host/ws.h"

#include "host/alloc.h"
#include "host/loop_inner.h"

#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* Read from a socket at once. */
#define SERVICE_BUFFER 32768
/* Time for TCP, TLS and the upgrade's headers of somebody who connects to us. */
#define HANDSHAKE_TIMEOUT_S 10
#define CLOSE_POLL_MS 1
/* What a queued message costs beside its bytes. */
#define TEXT_OVERHEAD 64u
/* Of a server's frame whose text is at most 64 KiB. */
#define FRAME_HEAD_MAX 4u
/* What a context opens at its start: its source of randomness, what wakes it, and at times a file of
 * OpenSSL's. */
#define FILES 3u
/* Room that an inbox keeps between messages. */
#define INBOX_KEPT_MAX (64u * 1024u)

/* ---- contexts ----
 * libwebsockets closes its libuv handles in its own time and must be called a second time after
 * that, not earlier: the second call frees the memory in which two of the handles lie. These are
 * the last that it closes, so we remember which ones they are and watch the loop for their
 * disappearance. */

#define OWN_HANDLES 2u

struct host_ws_context {
	struct host_loop *loop;
	struct lws_context *lws;
	void *user;
	const uv_handle_t *own[OWN_HANDLES];
	struct host_timer *timer;
	host_call *freed;
};

struct handle_list {
	const uv_handle_t **handles;
	size_t count;
};

static void list_handle(uv_handle_t *handle, void *context)
{
	struct handle_list *list = context;
	list->handles = host_grow(list->handles, (list->count + 1) * sizeof *list->handles);
	list->handles[list->count++] = handle;
}

static bool has_handle(const struct handle_list *list, const uv_handle_t *handle)
{
	for (size_t i = 0; i < list->count; i++)
		if (list->handles[i] == handle)
			return true;
	return false;
}

/* The timer and the idle handle that a new context brought. */
static void find_own(struct host_ws_context *context, const struct handle_list *before,
		     const struct handle_list *after)
{
	uint32_t count = 0;
	for (size_t i = 0; i < after->count; i++) {
		const uv_handle_t *handle = after->handles[i];
		if (has_handle(before, handle) ||
		    (handle->type != UV_TIMER && handle->type != UV_IDLE))
			continue;
		cs_assert(count < OWN_HANDLES);
		context->own[count++] = handle;
	}
	cs_assert(count == OWN_HANDLES);
}

/* A context that got no file to be woken by says nothing of it and never ends (libwebsockets 4.1). */
static bool has_files(void)
{
	int files[FILES];
	size_t count = 0;
	while (count < FILES && (files[count] = eventfd(0, EFD_CLOEXEC)) >= 0)
		count++;
	for (size_t i = 0; i < count; i++)
		close(files[i]);
	return count == FILES;
}

enum cs_err host_ws_context_new(struct host_ws_context **made, struct host_loop *loop,
				uint32_t connections_max, void *user, struct cs_why *why)
{
	struct host_ws_context *context = NULL;
	struct handle_list before = {0};
	struct handle_list after = {0};
	void *loops[1] = {host_loop_uv(loop)};
	struct lws_context_creation_info info = {
		.port = CONTEXT_PORT_NO_LISTEN,
		.options = LWS_SERVER_OPTION_LIBUV | LWS_SERVER_OPTION_EXPLICIT_VHOSTS |
			   LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT | LWS_SERVER_OPTION_VALIDATE_UTF8,
		.foreign_loops = loops,
		.pt_serv_buf_size = SERVICE_BUFFER,
		.timeout_secs = HANDSHAKE_TIMEOUT_S,
		/* And a few for the listening socket and its own pipe. */
		.fd_limit_per_thread = connections_max + 8,
		.user = user,
	};
	lws_set_log_level(0, NULL);
	uv_walk(host_loop_uv(loop), list_handle, &before);
	struct lws_context *lws = has_files() ? lws_create_context(&info) : NULL;
	if (lws == NULL) {
		free(before.handles);
		return cs_fail(why, CS_ERR_UNAVAILABLE,
			       "libwebsockets does not start: its plugin for libuv is missing "
			       "(Debian: libwebsockets-evlib-uv), or open files are");
	}
	context = host_alloc(sizeof *context);
	*context = (struct host_ws_context){.loop = loop, .lws = lws, .user = user};
	uv_walk(host_loop_uv(loop), list_handle, &after);
	find_own(context, &before, &after);
	free(before.handles);
	free(after.handles);
	*made = context;
	return CS_OK;
}

struct lws_context *host_ws_context_lws(struct host_ws_context *context)
{
	return context->lws;
}

static void check_closed(void *p)
{
	struct host_ws_context *context = p;
	struct handle_list left = {0};
	bool closed = true;
	uv_walk(host_loop_uv(context->loop), list_handle, &left);
	for (uint32_t i = 0; i < OWN_HANDLES; i++)
		closed = closed && !has_handle(&left, context->own[i]);
	free(left.handles);
	if (!closed)
		return;
	lws_context_destroy(context->lws);
	host_timer_free(context->timer);
	host_loop_closing_end(context->loop);
	if (context->freed != NULL)
		context->freed(context->user);
	free(context);
}

/* Not inside one of its own callbacks, which is why it is posted. */
static void begin_close(void *p)
{
	struct host_ws_context *context = p;
	lws_context_destroy(context->lws);
	context->timer = host_timer_new(context->loop, check_closed, context);
	host_timer_start(context->timer, 0, CLOSE_POLL_MS);
}

void host_ws_context_free(struct host_ws_context *context, host_call *freed)
{
	context->freed = freed;
	host_loop_closing_begin(context->loop);
	host_post(context->loop, begin_close, context);
}

/* ---- messages in ---- */

enum cs_err host_ws_inbox_add(struct host_ws_inbox *inbox, struct lws *wsi, const void *p, size_t n,
			      bool *complete)
{
	size_t coming = lws_remaining_packet_payload(wsi);
	if (lws_frame_is_binary(wsi))
		return CS_ERR_MALFORMED;
	if (n > inbox->size_max - inbox->n || coming > inbox->size_max - inbox->n - n)
		return CS_ERR_TOO_LARGE;
	inbox->p = host_append(inbox->p, &inbox->n, &inbox->room, p, n);
	*complete = coming == 0 && lws_is_final_fragment(wsi);
	return CS_OK;
}

const char *host_ws_inbox_refuse(struct lws *wsi, enum cs_err err)
{
	bool large = err == CS_ERR_TOO_LARGE;
	lws_close_reason(wsi,
			 large ? LWS_CLOSE_STATUS_MESSAGE_TOO_LARGE
			       : LWS_CLOSE_STATUS_UNACCEPTABLE_OPCODE,
			 NULL, 0);
	return large ? "a message above its bound" : "a binary message";
}

void host_ws_inbox_next(struct host_ws_inbox *inbox)
{
	inbox->n = 0;
	if (inbox->room > INBOX_KEPT_MAX)
		host_ws_inbox_done(inbox);
}

void host_ws_inbox_done(struct host_ws_inbox *inbox)
{
	free(inbox->p);
	inbox->p = NULL;
	inbox->n = 0;
	inbox->room = 0;
}

/* ---- messages out ---- */

struct host_ws_text {
	struct host_ws_text *next;
	size_t n;
	uint8_t p[]; /* LWS_PRE bytes for the frame's head, then the text */
};

void host_ws_outbox_init(struct host_ws_outbox *outbox, uint64_t size_max)
{
	*outbox = (struct host_ws_outbox){.size_max = size_max};
	outbox->last = &outbox->first;
}

enum cs_err host_ws_outbox_add(struct host_ws_outbox *outbox, struct cs_bytes text)
{
	uint64_t left = outbox->size_max - outbox->size;
	if (left < TEXT_OVERHEAD || text.n > left - TEXT_OVERHEAD)
		return CS_ERR_FULL;
	struct host_ws_text *waiting = host_grow(NULL, sizeof *waiting + LWS_PRE + text.n);
	waiting->next = NULL;
	waiting->n = text.n;
	if (text.n > 0)
		memcpy(waiting->p + LWS_PRE, text.p, text.n);
	*outbox->last = waiting;
	outbox->last = &waiting->next;
	outbox->size += text.n + TEXT_OVERHEAD;
	return CS_OK;
}

static void drop_first(struct host_ws_outbox *outbox)
{
	struct host_ws_text *text = outbox->first;
	outbox->first = text->next;
	if (outbox->first == NULL)
		outbox->last = &outbox->first;
	outbox->size -= text->n + TEXT_OVERHEAD;
	free(text);
}

bool host_ws_outbox_write(struct host_ws_outbox *outbox, struct lws *wsi)
{
	while (outbox->first != NULL && !lws_send_pipe_choked(wsi)) {
		struct host_ws_text *text = outbox->first;
		/* What the socket does not take at once libwebsockets keeps, and then the pipe is
		 * choked. */
		int wrote = lws_write(wsi, text->p + LWS_PRE, text->n, LWS_WRITE_TEXT);
		if (wrote < 0)
			return false;
		drop_first(outbox);
	}
	if (outbox->first != NULL)
		lws_callback_on_writable(wsi);
	return true;
}

/* FIN and the opcode of a text; a server masks nothing: RFC 6455, 5.2. Returns the head's size. */
static size_t put_head(uint8_t *p, size_t n)
{
	p[0] = 0x81;
	if (n <= 125) {
		p[1] = (uint8_t)n;
		return 2;
	}
	cs_assert(n <= UINT16_MAX);
	p[1] = 126;
	cs_put_be16(p + 2, (uint16_t)n);
	return 4;
}

/* As many whole frames from the queue's head as there is room for. */
static size_t gather(uint8_t *block, struct host_ws_outbox *outbox)
{
	size_t at = 0;
	while (outbox->first != NULL &&
	       outbox->first->n + FRAME_HEAD_MAX <= HOST_WS_WRITE_MAX - at) {
		const struct host_ws_text *text = outbox->first;
		at += put_head(block + at, text->n);
		memcpy(block + at, text->p + LWS_PRE, text->n);
		at += text->n;
		drop_first(outbox);
	}
	return at;
}

/* Once for each "writable": what the socket does not take libwebsockets keeps, and calls only after it. */
bool host_ws_outbox_write_together(struct host_ws_outbox *outbox, struct lws *wsi)
{
	uint8_t block[HOST_WS_WRITE_MAX];
	if (outbox->first == NULL)
		return true;
	size_t n = gather(block, outbox);
	int wrote;
	if (n > 0) {
		wrote = lws_write(wsi, block, n, LWS_WRITE_RAW);
	} else { /* larger than the block: alone, as it lies */
		struct host_ws_text *text = outbox->first;
		wrote = lws_write(wsi, text->p + LWS_PRE, text->n, LWS_WRITE_TEXT);
		drop_first(outbox);
	}
	if (outbox->first != NULL)
		lws_callback_on_writable(wsi);
	return wrote >= 0;
}

void host_ws_outbox_done(struct host_ws_outbox *outbox)
{
	while (outbox->first != NULL)
		drop_first(outbox);
}

bool host_ws_ping(struct lws *wsi)
{
	/* With a payload: libwebsockets 4.1 tells of no pong to an empty ping. */
	uint8_t memory[LWS_PRE + 1] = {0};
	return lws_write(wsi, memory + LWS_PRE, 1, LWS_WRITE_PING) >= 0;
}

/* ---- silence ---- */

void host_ws_pulse_init(struct host_ws_pulse *pulse, uint64_t ping_ms, uint64_t idle_ms)
{
	uint64_t now = host_now_ms();
	*pulse = (struct host_ws_pulse){.ping_ms = ping_ms,
					.idle_ms = idle_ms,
					.heard_ms = now,
					.pinged_ms = now,
					.looked_ms = now};
}

uint64_t host_ws_pulse_step(uint64_t ping_ms, uint64_t idle_ms)
{
	return (ping_ms < idle_ms ? ping_ms : idle_ms) / 4 + 1;
}

enum host_ws_verdict host_ws_pulse_look(struct host_ws_pulse *pulse)
{
	uint64_t now = host_now_ms();
	uint64_t step = host_ws_pulse_step(pulse->ping_ms, pulse->idle_ms);
	uint64_t since = now - pulse->looked_ms;
	/* Its pong may wait in the socket, which is read only after this timer. */
	if (since > 2 * step)
		pulse->heard_ms += since - step;
	pulse->looked_ms = now;
	if (pulse->heard_ms > now)
		pulse->heard_ms = now;
	if (now - pulse->heard_ms >= pulse->idle_ms)
		return HOST_WS_SILENT;
	if (now - pulse->heard_ms < pulse->ping_ms || now - pulse->pinged_ms < pulse->ping_ms)
		return HOST_WS_ALIVE;
	pulse->pinged_ms = now;
	return HOST_WS_PING;
}

void host_ws_close_text(struct cs_why *why, const uint8_t *p, size_t n)
{
	if (n < 2) {
		(void)cs_fail(why, CS_ERR_CLOSED, "closed by the other side");
		return;
	}
	char text[124] = {0};
	size_t size = n - 2 < sizeof text - 1 ? n - 2 : sizeof text - 1;
	memcpy(text, p + 2, size);
	(void)cs_fail(why, CS_ERR_CLOSED, "closed by the other side: %u %s", cs_be16(p), text);
}
