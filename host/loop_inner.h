/* What the other files of host/ need from the loop: libuv itself. Never included outside of host/
 * and its tests. */
#ifndef HOST_LOOP_INNER_H
#define HOST_LOOP_INNER_H

#include "host/loop.h"

#include <uv.h>

uv_loop_t *host_loop_uv(struct host_loop *loop);

/* An object whose handles another library closes in its own time: host_loop_free waits until the
 * count is back at 0. */
void host_loop_closing_begin(struct host_loop *loop);
void host_loop_closing_end(struct host_loop *loop);

/* One place for what all WebSocket clients of a loop share (host/ws.c). release runs at the start
 * of host_loop_free. */
void **host_loop_ws_slot(struct host_loop *loop, host_call *release);

/* The libuv error as ours: CLOSED, TIMEOUT, UNAVAILABLE, IO … */
CS_NODISCARD enum cs_err host_uv_err(int status);

#endif
