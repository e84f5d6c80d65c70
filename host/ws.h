/* What WebSocket client and server share: a libwebsockets context on the loop and its slow end,
 * messages put together, and the queue of what is to be written. Inside host/ only. */
#ifndef HOST_WS_H
#define HOST_WS_H

#include "host/loop.h"

#include <libwebsockets.h>

/* ---- contexts ---- */
struct host_ws_context;

/* Explicit vhosts only; `user` is what lws_context_user(context) gives. UNAVAILABLE: libwebsockets does not
 * start, and `why` says what it may lack. */
CS_NODISCARD enum cs_err host_ws_context_new(struct host_ws_context **made, struct host_loop *loop,
					     uint32_t connections_max, void *user,
					     struct cs_why *why);
struct lws_context *host_ws_context_lws(struct host_ws_context *context);
/* Closes everything in later turns, host_loop_free waits for it; then freed(user). */
void host_ws_context_free(struct host_ws_context *context, host_call *freed);

/* ---- messages in ---- */
struct host_ws_inbox {
	uint8_t *p;
	size_t n;
	size_t room;
	uint64_t size_max;
};

/* One piece as libwebsockets hands it out. *complete: the inbox holds a whole message,
 * host_ws_inbox_next is due after its use. TOO_LARGE, MALFORMED (binary). */
CS_NODISCARD enum cs_err host_ws_inbox_add(struct host_ws_inbox *inbox, struct lws *wsi,
					   const void *p, size_t n, bool *complete);
/* Gives the connection the close code for that error; the caller closes it. Says why. */
const char *host_ws_inbox_refuse(struct lws *wsi, enum cs_err err);
void host_ws_inbox_next(struct host_ws_inbox *inbox);
void host_ws_inbox_done(struct host_ws_inbox *inbox);

/* ---- messages out ---- */
struct host_ws_text;
struct host_ws_outbox {
	struct host_ws_text *first;
	struct host_ws_text **last;
	uint64_t size; /* of all that waits */
	uint64_t size_max;
};

/* What is written to a socket at once: some fifty events, and well below what a socket takes. */
#define HOST_WS_WRITE_MAX (16u * 1024)

void host_ws_outbox_init(struct host_ws_outbox *outbox, uint64_t size_max);
/* FULL: nothing was added. */
CS_NODISCARD enum cs_err host_ws_outbox_add(struct host_ws_outbox *outbox, struct cs_bytes text);
/* Writes until the socket is full or nothing is left; asks for another turn in the first case.
 * False: the connection failed. */
bool host_ws_outbox_write(struct host_ws_outbox *outbox, struct lws *wsi);
/* The same for a server, only inside "writable", and one write for each: many frames in one system call. */
bool host_ws_outbox_write_together(struct host_ws_outbox *outbox, struct lws *wsi);
void host_ws_outbox_done(struct host_ws_outbox *outbox);
bool host_ws_ping(struct lws *wsi);

/* ---- silence ---- */
struct host_ws_pulse {
	uint64_t ping_ms;
	uint64_t idle_ms;
	uint64_t heard_ms; /* anything from the other side */
	uint64_t pinged_ms;
	uint64_t looked_ms;
};

enum host_ws_verdict { HOST_WS_ALIVE, HOST_WS_PING, HOST_WS_SILENT };

void host_ws_pulse_init(struct host_ws_pulse *pulse, uint64_t ping_ms, uint64_t idle_ms);
/* How often to look. */
uint64_t host_ws_pulse_step(uint64_t ping_ms, uint64_t idle_ms);
/* Time in which this process itself did not run is not the other side's silence. */
enum host_ws_verdict host_ws_pulse_look(struct host_ws_pulse *pulse);

/* "code reason" of a close frame as LWS_CALLBACK_WS_PEER_INITIATED_CLOSE hands it out. */
void host_ws_close_text(struct cs_why *why, const uint8_t *p, size_t n);

#endif
