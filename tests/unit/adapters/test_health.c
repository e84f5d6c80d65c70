/* The breaker, the time of answers, Retry-After, and the budget of hedges: machines without a clock. */
#include "adapters/hedge.h"
#include "common.h"

/* ---- the breaker ---- */

static void fail_times(struct adapter_health *health, unsigned times, uint64_t now_ms)
{
	for (unsigned i = 0; i < times; i++)
		adapter_health_failed(health, now_ms);
}

static void test_opens_after_failures_in_a_row(void **state)
{
	struct adapter_health health = {0};

	(void)state;
	fail_times(&health, ADAPTER_BREAKER_FAILURES - 1, 1000);
	adapter_health_answered(&health, 1000);
	fail_times(&health, ADAPTER_BREAKER_FAILURES - 1, 1000);
	assert_int_equal(health.breaker, ADAPTER_BREAKER_CLOSED);
	assert_true(adapter_health_takes_reads(&health, 1000));
	adapter_health_failed(&health, 1000);
	assert_int_equal(health.breaker, ADAPTER_BREAKER_OPEN);
	assert_false(adapter_health_takes_reads(&health, 1000));
	assert_string_equal(adapter_breaker_name(health.breaker), "open");
}

static void test_a_probe_is_no_trial(void **state)
{
	struct adapter_health health = {0};

	(void)state;
	fail_times(&health, 3, 1000);
	adapter_health_probed(&health, 1000 + ADAPTER_BREAKER_PAUSE_MS - 1);
	assert_int_equal(health.breaker, ADAPTER_BREAKER_OPEN); /* its pause is not over */
	adapter_health_probed(&health, 1000 + ADAPTER_BREAKER_PAUSE_MS);
	assert_int_equal(health.breaker, ADAPTER_BREAKER_HALF_OPEN);
	adapter_health_probed(&health, 5000);
	assert_int_equal(health.breaker, ADAPTER_BREAKER_HALF_OPEN);
	assert_true(adapter_health_takes_reads(&health, 5000));
	health.trying = true;
	assert_false(adapter_health_takes_reads(&health, 5000)); /* one at a time */
	adapter_health_answered(&health, 5000);
	assert_int_equal(health.breaker, ADAPTER_BREAKER_CLOSED);
	assert_true(adapter_health_takes_reads(&health, 5000));
}

static void test_pauses_double_and_are_forgotten(void **state)
{
	struct adapter_health health = {0};
	uint64_t now_ms = 1000;

	(void)state;
	fail_times(&health, 3, now_ms);
	for (unsigned pause = ADAPTER_BREAKER_PAUSE_MS; pause < ADAPTER_BREAKER_PAUSE_MAX_MS;
	     pause *= 2) {
		assert_int_equal(health.pause_ms, pause);
		now_ms += pause;
		adapter_health_probed(&health, now_ms);
		adapter_health_failed(&health, now_ms); /* the trial */
		assert_int_equal(health.breaker, ADAPTER_BREAKER_OPEN);
	}
	assert_int_equal(health.pause_ms, ADAPTER_BREAKER_PAUSE_MAX_MS);
	/* closed and soon open again: no new beginning */
	adapter_health_answered(&health, now_ms);
	fail_times(&health, 3, now_ms + ADAPTER_BREAKER_CALM_MS - 1);
	assert_int_equal(health.pause_ms, ADAPTER_BREAKER_PAUSE_MAX_MS);
	adapter_health_answered(&health, now_ms);
	fail_times(&health, 3, now_ms + ADAPTER_BREAKER_CALM_MS);
	assert_int_equal(health.pause_ms, ADAPTER_BREAKER_PAUSE_MS);
}

/* What is asked as the last one left does not make the pause longer. */
static void test_failures_while_open(void **state)
{
	struct adapter_health health = {0};

	(void)state;
	fail_times(&health, 3, 1000);
	fail_times(&health, 30, 1500);
	assert_int_equal(health.open_until_ms, 1000 + ADAPTER_BREAKER_PAUSE_MS);
	adapter_health_answered(&health, 1500);
	assert_int_equal(health.breaker, ADAPTER_BREAKER_CLOSED);
}

/* ---- limits ---- */

static void test_limits(void **state)
{
	struct adapter_health health = {0};

	(void)state;
	adapter_health_limited(&health, 1000, 0);
	assert_int_equal(health.last_until_ms, 2000);
	assert_true(adapter_health_takes_reads(&health, 1000)); /* last, but not out */
	adapter_health_limited(&health, 1000, 5000);
	assert_false(adapter_health_takes_reads(&health, 5999));
	assert_true(adapter_health_takes_reads(&health, 6000));
	assert_int_equal(health.failures, 0); /* no reason to open */
}

/* RFC 9110's example: Sun, 06 Nov 1994 08:49:37 GMT. */
#define NOW_MS (784111777 * UINT64_C(1000))

static void test_retry_after(void **state)
{
	static const struct {
		const char *value;
		uint64_t ms;
	} rows[] = {
		{NULL, 0},
		{"", 0},
		{"0", 0},
		{"1", 1000},
		{"7", 7000},
		{"30", 30000},
		{"31", ADAPTER_RETRY_AFTER_MAX_MS},
		{"99999999999999999999999999", ADAPTER_RETRY_AFTER_MAX_MS},
		{"-1", 0},
		{"1.5", 0},
		{"1 s", 0},
	};

	(void)state;
	for (size_t i = 0; i < CS_LEN(rows); i++)
		assert_int_equal(adapter_retry_after_ms(rows[i].value, NOW_MS), rows[i].ms);
}

static void test_retry_after_a_date(void **state)
{
	static const struct {
		const char *value;
		uint64_t ms;
	} rows[] = {
		{"Sun, 06 Nov 1994 08:49:37 GMT", 0}, /* the present */
		{"Sun, 06 Nov 1994 08:49:38 GMT", 1000},
		{"Sun, 06 Nov 1994 08:50:07 GMT", 30000},
		{"Sun, 06 Nov 1994 08:50:08 GMT", ADAPTER_RETRY_AFTER_MAX_MS},
		{"Thu, 29 Feb 1996 00:00:00 GMT", ADAPTER_RETRY_AFTER_MAX_MS},
		{"Fri, 31 Dec 9999 23:59:59 GMT", ADAPTER_RETRY_AFTER_MAX_MS},
		{"Sun, 06 Nov 1994 08:49:36 GMT", 0},
		{"Thu, 01 Jan 1970 00:00:00 GMT", 0},
	};

	(void)state;
	for (size_t i = 0; i < CS_LEN(rows); i++)
		assert_int_equal(adapter_retry_after_ms(rows[i].value, NOW_MS), rows[i].ms);
	assert_int_equal(adapter_retry_after_ms("Sun, 06 Nov 1994 08:49:38 GMT", NOW_MS + 400),
			 600);
}

/* All of them a second away, if they were read at all. */
static void test_dates_that_are_none(void **state)
{
	static const char *const rows[] = {
		"Mon, 06 Nov 1994 08:49:38 GMT", /* it was a Sunday */
		"sun, 06 Nov 1994 08:49:38 GMT",
		"Sun, 06 nov 1994 08:49:38 GMT",
		"Sun, 06 Nox 1994 08:49:38 GMT",
		"Sun, 6 Nov 1994 08:49:38 GMT",
		"Sun,  6 Nov 1994 08:49:38 GMT",
		"Sun, 06 Nov 1994 08:49:38 UTC",
		"Sun, 06 Nov 1994 08:49:38 gmt",
		"Sun, 06 Nov 1994 08:49:38",
		"Sun, 06 Nov 1994 08:49:38 GMT ",
		" Sun, 06 Nov 1994 08:49:38 GMT",
		"Sun, 06 Nov 1994 08:49:38 GMT, 1",
		"Sunday, 06-Nov-94 08:49:38 GMT", /* RFC 850, obsolete */
		"Sun Nov  6 08:49:38 1994",       /* asctime, obsolete */
		"1994-11-06T08:49:38Z",
		"Tue, 29 Feb 1995 00:00:00 GMT", /* no such days */
		"Wed, 29 Feb 1995 00:00:00 GMT",
		"Thu, 31 Nov 1994 00:00:00 GMT",
		"Fri, 00 Nov 1995 00:00:00 GMT",
		"Mon, 07 Nov 1994 24:00:00 GMT",
		"Sun, 06 Nov 1994 24:00:00 GMT",
		"Sun, 06 Nov 1994 08:60:00 GMT",
		"Sun, 06 Nov 1994 08:49:60 GMT",
		"Sun, 06 Nov 1994 -8:49:38 GMT",
	};

	(void)state;
	for (size_t i = 0; i < CS_LEN(rows); i++)
		assert_int_equal(adapter_retry_after_ms(rows[i], NOW_MS), 0);
}

/* ---- how fast ---- */

static void test_nearest_rank(void **state)
{
	struct adapter_health health = {0};

	(void)state;
	for (unsigned i = 1; i < ADAPTER_HEALTH_ANSWERS_MIN; i++)
		adapter_health_took(&health, i);
	assert_int_equal(adapter_health_within_ms(&health, 95), 0); /* too few */
	adapter_health_took(&health, 8);
	assert_int_equal(adapter_health_within_ms(&health, 50), 4);
	assert_int_equal(adapter_health_within_ms(&health, 95), 8);
	/* a hundred answers of 1 to 100 ms, the newest 64: 37 to 100 */
	health = (struct adapter_health){0};
	for (unsigned i = 1; i <= 100; i++)
		adapter_health_took(&health, i);
	assert_int_equal(adapter_health_within_ms(&health, 1), 37);
	assert_int_equal(adapter_health_within_ms(&health, 50), 68);
	assert_int_equal(adapter_health_within_ms(&health, 95), 97);
	assert_int_equal(adapter_health_within_ms(&health, 100), 100);
	/* and one that is there, but took no time that can be told */
	health = (struct adapter_health){0};
	for (unsigned i = 0; i < 8; i++)
		adapter_health_took(&health, 0);
	assert_int_equal(adapter_health_within_ms(&health, 99), 1);
	adapter_health_took(&health, UINT64_MAX);
	assert_int_equal(adapter_health_within_ms(&health, 100), UINT32_MAX);
}

/* ---- hedges ---- */

static void test_delay(void **state)
{
	struct adapter_health health = {0};
	struct adapter_hedge hedge;

	(void)state;
	adapter_hedge_init(&hedge, &(struct adapter_hedge_config){10, 50, 1000});
	assert_int_equal(adapter_hedge_delay_ms(&hedge, &health), 1000); /* nothing is known */
	for (unsigned i = 0; i < 64; i++)
		adapter_health_took(&health, 3);
	assert_int_equal(adapter_hedge_delay_ms(&hedge, &health), 50);
	for (unsigned i = 0; i < 64; i++)
		adapter_health_took(&health, 200);
	assert_int_equal(adapter_hedge_delay_ms(&hedge, &health), 200);
	for (unsigned i = 0; i < 3; i++) /* fewer than one of twenty */
		adapter_health_took(&health, 900);
	assert_int_equal(adapter_hedge_delay_ms(&hedge, &health), 200);
	adapter_health_took(&health, 900);
	assert_int_equal(adapter_hedge_delay_ms(&hedge, &health), 900);
	for (unsigned i = 0; i < 64; i++)
		adapter_health_took(&health, 5000);
	assert_int_equal(adapter_hedge_delay_ms(&hedge, &health), 1000);
}

static void test_budget(void **state)
{
	struct adapter_hedge hedge;
	unsigned sent = 0;

	(void)state;
	adapter_hedge_init(&hedge, &(struct adapter_hedge_config){5, 50, 1000});
	for (unsigned i = 0; i < ADAPTER_HEDGE_BURST; i++)
		assert_true(adapter_hedge_pay(&hedge));
	assert_false(adapter_hedge_pay(&hedge));
	/* each read is late: one of twenty is hedged */
	for (unsigned i = 0; i < 1000; i++) {
		adapter_hedge_earn(&hedge);
		sent += adapter_hedge_pay(&hedge);
	}
	assert_int_equal(sent, 50);
	/* a quiet time saves up no more than the burst */
	for (unsigned i = 0; i < 100000; i++)
		adapter_hedge_earn(&hedge);
	for (sent = 0; adapter_hedge_pay(&hedge); sent++)
		;
	assert_int_equal(sent, ADAPTER_HEDGE_BURST);
	adapter_hedge_init(&hedge, &(struct adapter_hedge_config){0, 0, 0});
	assert_false(adapter_hedge_pay(&hedge)); /* off */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_opens_after_failures_in_a_row),
		cmocka_unit_test(test_a_probe_is_no_trial),
		cmocka_unit_test(test_pauses_double_and_are_forgotten),
		cmocka_unit_test(test_failures_while_open),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_retry_after),
		cmocka_unit_test(test_retry_after_a_date),
		cmocka_unit_test(test_dates_that_are_none),
		cmocka_unit_test(test_nearest_rank),
		cmocka_unit_test(test_delay),
		cmocka_unit_test(test_budget),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
