#include "host/loop.h"

#include "host/alloc.h"
#include "host/loop_inner.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

struct posted {
	struct posted *next;
	host_call *call;
	void *context;
};

struct host_loop {
	uv_loop_t uv;
	uv_async_t wake;
	uv_timer_t deadline; /* of host_loop_run_until and of a drain */
	uv_prepare_t before_wait;
	bool (*until)(void *context); /* of host_loop_run_until */
	void *until_context;
	uv_signal_t signals[2];
	bool signals_caught;
	uv_signal_t hangup;
	host_call *on_hangup; /* NULL: it is not listened for */
	void *hangup_context;
	bool stopped;
	bool timed_out;
	bool draining;
	bool ending; /* the loop is being freed: whoever gave the hooks may be gone */
	uint32_t holds;
	uint32_t closing;
	uint64_t drain_ms;
	uint32_t hook_count;
	struct {
		host_call *call;
		void *context;
	} hooks[HOST_DRAIN_HOOKS_MAX];
	void *ws;
	host_call *ws_release;
	pthread_mutex_t mutex; /* guards the two below: host_post may come from another thread */
	struct posted *posted_first;
	struct posted **posted_last;
};

struct host_timer {
	uv_timer_t uv;
	host_call *call;
	void *context;
};

/* ---- calls ---- */

static void run_posted(uv_async_t *wake)
{
	struct host_loop *loop = wake->data;
	pthread_mutex_lock(&loop->mutex);
	struct posted *list = loop->posted_first;
	loop->posted_first = NULL;
	loop->posted_last = &loop->posted_first;
	pthread_mutex_unlock(&loop->mutex);
	while (list != NULL) {
		struct posted *next = list->next;
		list->call(list->context);
		free(list);
		list = next;
	}
}

void host_post(struct host_loop *loop, host_call *call, void *context)
{
	struct posted *posted = host_alloc(sizeof *posted);
	posted->call = call;
	posted->context = context;
	pthread_mutex_lock(&loop->mutex);
	*loop->posted_last = posted;
	loop->posted_last = &posted->next;
	pthread_mutex_unlock(&loop->mutex);
	cs_assert(uv_async_send(&loop->wake) == 0);
}

static bool has_posted(struct host_loop *loop)
{
	pthread_mutex_lock(&loop->mutex);
	bool has = loop->posted_first != NULL;
	pthread_mutex_unlock(&loop->mutex);
	return has;
}

/* ---- the loop ---- */

static void check_until(uv_prepare_t *prepare)
{
	struct host_loop *loop = prepare->data;
	if (loop->until != NULL && loop->until(loop->until_context))
		uv_stop(&loop->uv);
}

struct host_loop *host_loop_new(void)
{
	struct host_loop *loop = host_alloc(sizeof *loop);
	signal(SIGPIPE, SIG_IGN);
	loop->posted_last = &loop->posted_first;
	cs_assert(pthread_mutex_init(&loop->mutex, NULL) == 0);
	cs_assert(uv_loop_init(&loop->uv) == 0);
	cs_assert(uv_async_init(&loop->uv, &loop->wake, run_posted) == 0);
	cs_assert(uv_timer_init(&loop->uv, &loop->deadline) == 0);
	cs_assert(uv_prepare_init(&loop->uv, &loop->before_wait) == 0);
	loop->before_wait.data = loop;
	/* libuv runs the last one started first: this one sees what the others have done. */
	cs_assert(uv_prepare_start(&loop->before_wait, check_until) == 0);
	loop->wake.data = loop;
	loop->deadline.data = loop;
	return loop;
}

static void assert_closing(uv_handle_t *handle, void *context)
{
	(void)context;
	cs_assert(uv_is_closing(handle));
}

void host_loop_free(struct host_loop *loop)
{
	if (loop == NULL)
		return;
	loop->ending = true;
	if (loop->ws_release != NULL)
		loop->ws_release(loop);
	/* Posted calls may be what closes something. */
	while (loop->closing > 0 || has_posted(loop))
		uv_run(&loop->uv, UV_RUN_ONCE);
	uv_close((uv_handle_t *)&loop->wake, NULL);
	uv_close((uv_handle_t *)&loop->deadline, NULL);
	uv_close((uv_handle_t *)&loop->before_wait, NULL);
	for (size_t i = 0; loop->signals_caught && i < CS_LEN(loop->signals); i++)
		uv_close((uv_handle_t *)&loop->signals[i], NULL);
	if (loop->on_hangup)
		uv_close((uv_handle_t *)&loop->hangup, NULL);
	uv_walk(&loop->uv, assert_closing, NULL);
	/* Again when an earlier host_loop_stop is still pending. */
	while (uv_run(&loop->uv, UV_RUN_DEFAULT) != 0)
		continue;
	cs_assert(uv_loop_close(&loop->uv) == 0);
	pthread_mutex_destroy(&loop->mutex);
	free(loop);
}

void host_loop_run(struct host_loop *loop)
{
	while (!loop->stopped)
		uv_run(&loop->uv, UV_RUN_DEFAULT);
	loop->stopped = false;
}

static void time_out(uv_timer_t *deadline)
{
	struct host_loop *loop = deadline->data;
	loop->timed_out = true;
	uv_stop(&loop->uv);
}

enum cs_err host_loop_run_until(struct host_loop *loop, bool (*done)(void *context), void *context,
				uint64_t timeout_ms)
{
	loop->timed_out = false;
	uv_update_time(&loop->uv);
	uv_timer_start(&loop->deadline, time_out, timeout_ms, 0);
	/* Asked before each wait: what a timer did at the start of a turn would else be seen only
	 * after the wait. */
	loop->until = done;
	loop->until_context = context;
	/* One turn in any case: what was begun before is on its way while the caller works. */
	uv_run(&loop->uv, UV_RUN_NOWAIT);
	while (!loop->stopped && !loop->timed_out && !done(context))
		uv_run(&loop->uv, UV_RUN_DEFAULT);
	loop->until = NULL;
	uv_timer_stop(&loop->deadline);
	bool stopped = loop->stopped;
	loop->stopped = false;
	if (done(context))
		return CS_OK;
	return stopped ? CS_ERR_CLOSED : CS_ERR_TIMEOUT;
}

void host_loop_stop(struct host_loop *loop)
{
	loop->stopped = true;
	uv_stop(&loop->uv);
}

/* ---- drain ---- */

void host_loop_on_drain(struct host_loop *loop, host_call *hook, void *context)
{
	cs_assert(loop->hook_count < HOST_DRAIN_HOOKS_MAX);
	loop->hooks[loop->hook_count].call = hook;
	loop->hooks[loop->hook_count].context = context;
	loop->hook_count++;
}

static void drain_too_long(uv_timer_t *deadline)
{
	host_loop_stop(deadline->data);
}

static void run_hooks(void *context)
{
	struct host_loop *loop = context;
	for (uint32_t i = loop->ending ? 0 : loop->hook_count; i > 0; i--)
		loop->hooks[i - 1].call(loop->hooks[i - 1].context);
	host_loop_release(loop);
}

void host_loop_drain(struct host_loop *loop, uint64_t drain_ms)
{
	if (loop->draining)
		return;
	loop->draining = true;
	/* So that the drain cannot end before its hooks have run. */
	host_loop_hold(loop);
	uv_update_time(&loop->uv);
	uv_timer_start(&loop->deadline, drain_too_long, drain_ms, 0);
	host_post(loop, run_hooks, loop);
}

static void on_signal(uv_signal_t *handle, int number)
{
	struct host_loop *loop = handle->data;
	(void)number;
	if (loop->draining || loop->ending)
		host_loop_stop(loop);
	else
		host_loop_drain(loop, loop->drain_ms);
}

void host_loop_catch_signals(struct host_loop *loop, uint64_t drain_ms)
{
	static const int numbers[2] = {SIGTERM, SIGINT};
	cs_assert(!loop->signals_caught);
	loop->signals_caught = true;
	loop->drain_ms = drain_ms;
	for (size_t i = 0; i < CS_LEN(numbers); i++) {
		cs_assert(uv_signal_init(&loop->uv, &loop->signals[i]) == 0);
		loop->signals[i].data = loop;
		cs_assert(uv_signal_start(&loop->signals[i], on_signal, numbers[i]) == 0);
	}
}

static void on_hangup(uv_signal_t *handle, int number)
{
	struct host_loop *loop = handle->data;
	(void)number;
	if (!loop->draining && !loop->ending)
		loop->on_hangup(loop->hangup_context);
}

void host_loop_on_hangup(struct host_loop *loop, host_call *call, void *context)
{
	cs_assert(!loop->on_hangup);
	loop->on_hangup = call;
	loop->hangup_context = context;
	cs_assert(uv_signal_init(&loop->uv, &loop->hangup) == 0);
	loop->hangup.data = loop;
	cs_assert(uv_signal_start(&loop->hangup, on_hangup, SIGHUP) == 0);
}

void host_loop_hold(struct host_loop *loop)
{
	loop->holds++;
}

void host_loop_release(struct host_loop *loop)
{
	cs_assert(loop->holds > 0);
	loop->holds--;
	if (loop->draining && loop->holds == 0)
		host_loop_stop(loop);
}

/* ---- timers ---- */

static void on_timer(uv_timer_t *handle)
{
	struct host_timer *timer = handle->data;
	timer->call(timer->context);
}

struct host_timer *host_timer_new(struct host_loop *loop, host_call *call, void *context)
{
	struct host_timer *timer = host_alloc(sizeof *timer);
	timer->call = call;
	timer->context = context;
	cs_assert(uv_timer_init(&loop->uv, &timer->uv) == 0);
	timer->uv.data = timer;
	return timer;
}

void host_timer_start(struct host_timer *timer, uint64_t after_ms, uint64_t repeat_ms)
{
	/* libuv counts from the time at which the loop woke up, which may be long ago. */
	uv_update_time(timer->uv.loop);
	cs_assert(uv_timer_start(&timer->uv, on_timer, after_ms, repeat_ms) == 0);
}

void host_timer_stop(struct host_timer *timer)
{
	uv_timer_stop(&timer->uv);
}

bool host_timer_is_running(const struct host_timer *timer)
{
	return uv_is_active((const uv_handle_t *)&timer->uv) != 0;
}

static void free_timer(uv_handle_t *handle)
{
	free(handle->data);
}

void host_timer_free(struct host_timer *timer)
{
	if (timer != NULL)
		uv_close((uv_handle_t *)&timer->uv, free_timer);
}

/* ---- time ---- */

static uint64_t clock_us(clockid_t clock)
{
	struct timespec now;
	cs_assert(clock_gettime(clock, &now) == 0);
	return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

uint64_t host_now_us(void)
{
	return clock_us(CLOCK_MONOTONIC);
}

uint64_t host_now_ms(void)
{
	return clock_us(CLOCK_MONOTONIC) / 1000u;
}

uint64_t host_wall_ms(void)
{
	return clock_us(CLOCK_REALTIME) / 1000u;
}

/* ---- for host/ ---- */

uv_loop_t *host_loop_uv(struct host_loop *loop)
{
	return &loop->uv;
}

void host_loop_closing_begin(struct host_loop *loop)
{
	loop->closing++;
}

void host_loop_closing_end(struct host_loop *loop)
{
	cs_assert(loop->closing > 0);
	loop->closing--;
}

void **host_loop_ws_slot(struct host_loop *loop, host_call *release)
{
	loop->ws_release = release;
	return &loop->ws;
}

enum cs_err host_uv_err(int status)
{
	switch (status) {
	case UV_EOF:
	case UV_ECONNRESET:
	case UV_EPIPE:
		return CS_ERR_CLOSED;
	case UV_ETIMEDOUT:
		return CS_ERR_TIMEOUT;
	case UV_ECONNREFUSED:
	case UV_ENOENT:
	case UV_EAGAIN:
	case UV_EHOSTUNREACH:
	case UV_ENETUNREACH:
	case UV_EAI_NONAME:
	case UV_EAI_AGAIN:
		return CS_ERR_UNAVAILABLE;
	case UV_ENOMEM:
		return CS_ERR_NO_MEMORY;
	default:
		return CS_ERR_IO;
	}
}
