/* The one event loop of a host process: timers, posted calls, signals, orderly shutdown, time.
 * Everything else in host/ hangs on it and runs in its thread; only host_post may be called from
 * another one.
 *
 * Rules for all of host/: a callback is never called from inside the call that asked for it; `free`
 * of an object ends its callbacks at once although its handles close later; strings and views given
 * to a callback live until it returns. */
#ifndef HOST_LOOP_H
#define HOST_LOOP_H

#include "core/bytes.h"

struct host_loop;
struct host_timer;
typedef void host_call(void *context);

/* SIGPIPE is ignored from here on, for the process. */
struct host_loop *host_loop_new(void);
/* Every object on the loop must have been freed before: runs the loop until their handles are
 * closed. A handle that is left over is a bug. */
void host_loop_free(struct host_loop *loop);

/* Until host_loop_stop, or until a drain has ended. */
void host_loop_run(struct host_loop *loop);
/* Until done(context) is true, but one turn without waiting in any case: TIMEOUT when it is not within
 * timeout_ms, CLOSED when the loop was stopped. For commands and tests. */
CS_NODISCARD enum cs_err host_loop_run_until(struct host_loop *loop, bool (*done)(void *context),
					     void *context, uint64_t timeout_ms);
void host_loop_stop(struct host_loop *loop);

/* ---- orderly shutdown: SIGTERM and SIGINT, or host_loop_drain ----
 * The hooks run once, the last one added first, and never in host_loop_free. Whoever still has work
 * holds the loop; it stops when nobody holds it or when drain_ms have passed. A second signal stops
 * it at once. */
#define HOST_DRAIN_HOOKS_MAX 32u
void host_loop_on_drain(struct host_loop *loop, host_call *hook, void *context);
/* Starts to listen for both signals. */
void host_loop_catch_signals(struct host_loop *loop, uint64_t drain_ms);
/* Each SIGHUP calls it, in a turn of the loop; without it the signal ends the process. Once. */
void host_loop_on_hangup(struct host_loop *loop, host_call *call, void *context);
void host_loop_drain(struct host_loop *loop, uint64_t drain_ms);
void host_loop_hold(struct host_loop *loop);
void host_loop_release(struct host_loop *loop);

/* ---- calls ---- */
/* Runs call(context) in a later turn of the loop, in the order of posting. From any thread. */
void host_post(struct host_loop *loop, host_call *call, void *context);

/* A stopped timer. */
struct host_timer *host_timer_new(struct host_loop *loop, host_call *call, void *context);
/* repeat_ms 0: once. Starting a running timer starts it anew. */
void host_timer_start(struct host_timer *timer, uint64_t after_ms, uint64_t repeat_ms);
void host_timer_stop(struct host_timer *timer);
bool host_timer_is_running(const struct host_timer *timer);
/* NULL is allowed; allowed inside its own call. */
void host_timer_free(struct host_timer *timer);

/* ---- time ---- */
/* Monotonic, not cached. */
uint64_t host_now_ms(void);
uint64_t host_now_us(void);
/* Since 1970, may jump: for people and for comparison with chains, never for durations. */
uint64_t host_wall_ms(void);

#endif
