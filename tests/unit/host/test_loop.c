/* The loop: order, timers, threads, signals, drain. */
#include "host/alloc.h"
#include "host/loop.h"
#include "tests/unit/support.h"

#include <pthread.h>
#include <signal.h>

#define WAIT_MS 10000

struct seen {
	struct host_loop *loop;
	struct host_timer *timer;
	char text[64];
	uint32_t count;
	uint32_t want;
};

static void add(struct seen *seen, char c)
{
	size_t n = strlen(seen->text);
	assert_true(n + 1 < sizeof seen->text);
	seen->text[n] = c;
	seen->text[n + 1] = 0;
}

static void say_a(void *context)
{
	add(context, 'a');
}

static void say_b(void *context)
{
	struct seen *seen = context;
	add(seen, 'b');
	host_post(seen->loop, say_a, seen);
}

static void count_up(void *context)
{
	struct seen *seen = context;
	seen->count++;
}

static void count_and_free(void *context)
{
	struct seen *seen = context;
	seen->count++;
	host_timer_free(seen->timer);
	seen->timer = NULL;
}

static bool enough(void *context)
{
	const struct seen *seen = context;
	return seen->count >= seen->want;
}

static bool has_three(void *context)
{
	const struct seen *seen = context;
	return strlen(seen->text) >= 3;
}

static void test_post(void **state)
{
	(void)state;
	struct seen seen = {.loop = host_loop_new()};
	host_post(seen.loop, say_b, &seen);
	host_post(seen.loop, say_a, &seen);
	assert_string_equal(seen.text, "");
	assert_ok(host_loop_run_until(seen.loop, has_three, &seen, WAIT_MS));
	assert_string_equal(seen.text, "baa");
	/* What is posted last runs before the loop is freed. */
	host_post(seen.loop, say_a, &seen);
	host_loop_free(seen.loop);
	assert_string_equal(seen.text, "baaa");
}

static void test_timers(void **state)
{
	(void)state;
	struct seen seen = {.loop = host_loop_new(), .want = 1};
	struct host_timer *timer = host_timer_new(seen.loop, count_up, &seen);
	assert_false(host_timer_is_running(timer));
	uint64_t began = host_now_ms();
	host_timer_start(timer, 30, 0);
	assert_true(host_timer_is_running(timer));
	assert_ok(host_loop_run_until(seen.loop, enough, &seen, WAIT_MS));
	assert_true(host_now_ms() - began >= 29);
	assert_false(host_timer_is_running(timer));
	host_timer_start(timer, 1, 1);
	seen.want = 5;
	assert_ok(host_loop_run_until(seen.loop, enough, &seen, WAIT_MS));
	host_timer_stop(timer);
	uint32_t count = seen.count;
	seen.want = UINT32_MAX;
	assert_err(host_loop_run_until(seen.loop, enough, &seen, 30), CS_ERR_TIMEOUT);
	assert_int_equal(seen.count, count);
	/* Started anew it counts from then. */
	host_timer_start(timer, 5, 0);
	host_timer_start(timer, 60000, 0);
	assert_err(host_loop_run_until(seen.loop, enough, &seen, 30), CS_ERR_TIMEOUT);
	assert_int_equal(seen.count, count);
	host_timer_free(timer);
	host_timer_free(NULL);
	seen.timer = host_timer_new(seen.loop, count_and_free, &seen);
	host_timer_start(seen.timer, 0, 1);
	seen.want = count + 1;
	assert_ok(host_loop_run_until(seen.loop, enough, &seen, WAIT_MS));
	assert_err(host_loop_run_until(seen.loop, has_three, &seen, 10), CS_ERR_TIMEOUT);
	assert_int_equal(seen.count, count + 1);
	host_loop_free(seen.loop);
}

static void *post_many(void *context)
{
	struct seen *seen = context;
	for (int i = 0; i < 1000; i++)
		host_post(seen->loop, count_up, seen);
	return NULL;
}

static void test_post_from_threads(void **state)
{
	(void)state;
	pthread_t threads[4];
	struct seen seen = {.loop = host_loop_new(), .want = 4000};
	for (size_t i = 0; i < CS_LEN(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, post_many, &seen), 0);
	assert_ok(host_loop_run_until(seen.loop, enough, &seen, WAIT_MS));
	for (size_t i = 0; i < CS_LEN(threads); i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_int_equal(seen.count, 4000);
	host_loop_free(seen.loop);
}

static void stop(void *context)
{
	struct seen *seen = context;
	host_loop_stop(seen->loop);
}

static void test_stop(void **state)
{
	(void)state;
	struct seen seen = {.loop = host_loop_new(), .want = 1};
	host_post(seen.loop, stop, &seen);
	host_loop_run(seen.loop);
	host_post(seen.loop, stop, &seen);
	assert_err(host_loop_run_until(seen.loop, enough, &seen, WAIT_MS), CS_ERR_CLOSED);
	host_loop_stop(seen.loop);
	host_loop_run(seen.loop);
	host_loop_stop(seen.loop);
	host_loop_free(seen.loop);
}

/* ---- drain ---- */

static void first_hook(void *context)
{
	struct seen *seen = context;
	add(seen, '1');
	host_loop_hold(seen->loop);
	host_timer_start(seen->timer, 20, 0);
}

static void second_hook(void *context)
{
	add(context, '2');
}

static void finish_work(void *context)
{
	struct seen *seen = context;
	add(seen, 'w');
	host_loop_release(seen->loop);
}

static void send_term(void *context)
{
	(void)context;
	assert_int_equal(raise(SIGTERM), 0);
}

static void test_drain_by_signal(void **state)
{
	(void)state;
	struct seen seen = {.loop = host_loop_new()};
	seen.timer = host_timer_new(seen.loop, finish_work, &seen);
	host_loop_on_drain(seen.loop, first_hook, &seen);
	host_loop_on_drain(seen.loop, second_hook, &seen);
	host_loop_catch_signals(seen.loop, WAIT_MS);
	host_post(seen.loop, send_term, NULL);
	host_loop_run(seen.loop);
	assert_string_equal(seen.text, "21w");
	host_timer_free(seen.timer);
	host_loop_free(seen.loop);
}

static void hold(void *context)
{
	struct seen *seen = context;
	host_loop_hold(seen->loop);
}

static void test_drain_too_long(void **state)
{
	(void)state;
	struct seen seen = {.loop = host_loop_new()};
	host_loop_on_drain(seen.loop, hold, &seen);
	uint64_t began = host_now_ms();
	host_loop_drain(seen.loop, 50);
	host_loop_drain(seen.loop, 1);
	host_loop_run(seen.loop);
	assert_true(host_now_ms() - began >= 49);
	host_loop_free(seen.loop);
}

static void test_second_signal(void **state)
{
	(void)state;
	struct seen seen = {.loop = host_loop_new()};
	host_loop_on_drain(seen.loop, hold, &seen);
	host_loop_on_drain(seen.loop, send_term, NULL);
	host_loop_catch_signals(seen.loop, 60000);
	uint64_t began = host_now_ms();
	host_post(seen.loop, send_term, NULL);
	host_loop_run(seen.loop);
	assert_true(host_now_ms() - began < WAIT_MS);
	host_loop_free(seen.loop);
}

/* Two signals in one turn: the hook's own things are gone before its turn comes. */
static void test_no_hook_after_the_loop(void **state)
{
	(void)state;
	struct seen seen = {.loop = host_loop_new()};
	host_loop_on_drain(seen.loop, second_hook, &seen);
	host_loop_drain(seen.loop, 60000);
	host_loop_stop(seen.loop);
	host_loop_run(seen.loop);
	assert_string_equal(seen.text, "");
	host_loop_free(seen.loop);
	assert_string_equal(seen.text, "");
}

static void test_time(void **state)
{
	(void)state;
	uint64_t us = host_now_us();
	uint64_t ms = host_now_ms();
	assert_true(ms >= us / 1000 && ms - us / 1000 < 10000);
	/* After 2024, before 2200. */
	assert_true(host_wall_ms() > UINT64_C(1704067200000) &&
		    host_wall_ms() < UINT64_C(7258118400000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_post),
		cmocka_unit_test(test_timers),
		cmocka_unit_test(test_post_from_threads),
		cmocka_unit_test(test_stop),
		cmocka_unit_test(test_drain_by_signal),
		cmocka_unit_test(test_drain_too_long),
		cmocka_unit_test(test_second_signal),
		cmocka_unit_test(test_no_hook_after_the_loop),
		cmocka_unit_test(test_time),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
