/* Token buckets: who may ask when, and what many callers cost. */
#include "host/rate.h"
#include "tests/unit/support.h"

#include <arpa/inet.h>

#define SECOND 1000000ull

static struct cs_hash caller(unsigned number)
{
	struct cs_hash hash = {{(uint8_t)number, (uint8_t)(number >> 8), 7}};
	return hash;
}

static unsigned taken(struct host_rate *rate, const struct host_rate_terms *terms, unsigned who,
		      uint64_t now_us, unsigned tries)
{
	unsigned count = 0;
	uint32_t retry_s = 0;
	struct cs_hash hash = caller(who);
	for (unsigned i = 0; i < tries; i++)
		count += host_rate_takes(rate, &retry_s, terms, &hash, now_us);
	return count;
}

static void burst_then_rate(void **state)
{
	(void)state;
	struct host_rate *rate = host_rate_new(4);
	const struct host_rate_terms terms = {.per_s = 10, .burst = 25};
	uint64_t now = 12345678;
	assert_int_equal(taken(rate, &terms, 1, now, 100), 25);
	assert_int_equal(taken(rate, &terms, 1, now + SECOND / 10 - 1, 100), 0);
	assert_int_equal(taken(rate, &terms, 1, now + SECOND / 10, 100), 1);
	assert_int_equal(taken(rate, &terms, 1, now + SECOND, 100), 9);
	/* however long nobody asks, a bucket holds no more */
	assert_int_equal(taken(rate, &terms, 1, now + 1000000 * SECOND, 100), 25);
	/* another caller is not concerned; nor is a clock that stands or goes back */
	assert_int_equal(taken(rate, &terms, 2, now, 100), 25);
	assert_int_equal(taken(rate, &terms, 1, now, 100), 0);
	free(rate);
}

/* Over any second, with a request each millisecond: the rate, exactly. */
static void over_time(void **state)
{
	(void)state;
	struct host_rate *rate = host_rate_new(1);
	const struct host_rate_terms terms = {.per_s = 7, .burst = 1};
	unsigned count = 0;
	for (uint64_t ms = 0; ms < 10000; ms++)
		count += taken(rate, &terms, 1, ms * 1000, 1);
	assert_in_range(count, 69, 71); /* requests come each millisecond, tokens in between */
	free(rate);
}

static void when_to_come_again(void **state)
{
	(void)state;
	static const struct {
		struct host_rate_terms terms;
		uint32_t retry_s;
	} rows[] = {
		{{1, 1}, 1}, {{10, 5}, 1}, {{1000000, 1}, 1}, {{1, 1000}, 1}, {{3, 0}, 1},
	};
	for (size_t i = 0; i < CS_LEN(rows); i++) {
		struct host_rate *rate = host_rate_new(1);
		struct cs_hash who = caller(1);
		uint32_t retry_s = 0;
		uint64_t now = 5;
		while (host_rate_takes(rate, &retry_s, &rows[i].terms, &who, now))
			;
		assert_int_equal(retry_s, rows[i].retry_s);
		/* who comes when it was told to is taken, who asked meanwhile too */
		assert_true(host_rate_takes(rate, &retry_s, &rows[i].terms, &who,
					    now + retry_s * SECOND));
		free(rate);
	}
}

static void terms_that_change(void **state)
{
	(void)state;
	struct host_rate *rate = host_rate_new(2);
	const struct host_rate_terms wide = {.per_s = 1000, .burst = 5000};
	const struct host_rate_terms narrow = {.per_s = 1, .burst = 2};
	const struct host_rate_terms none = {0};
	assert_int_equal(taken(rate, &wide, 1, 0, 9999), 5000);
	/* it owes a bucket of the new terms, not five thousand seconds */
	assert_int_equal(taken(rate, &narrow, 1, 0, 9), 0);
	assert_int_equal(taken(rate, &narrow, 1, SECOND, 9), 1);
	assert_int_equal(taken(rate, &narrow, 1, 3 * SECOND, 9), 2);
	assert_int_equal(taken(rate, &none, 1, 3 * SECOND, 9999), 9999);
	free(rate);
}

static void more_callers_than_places(void **state)
{
	(void)state;
	struct host_rate *rate = host_rate_new(8);
	const struct host_rate_terms terms = {.per_s = 1, .burst = 4};
	for (unsigned who = 0; who < 8; who++)
		assert_int_equal(taken(rate, &terms, who, 0, 9), 4);
	/* all the others have one bucket */
	unsigned others = 0;
	for (unsigned who = 8; who < 5000; who++)
		others += taken(rate, &terms, who, 0, 1);
	assert_int_equal(others, 4);
	/* those who have a place keep it, and what they owe */
	assert_int_equal(taken(rate, &terms, 3, SECOND, 9), 1);
	assert_int_equal(taken(rate, &terms, 3, 4 * SECOND, 9), 3);
	/* who has paid leaves it: 3 alone has not */
	for (unsigned who = 100; who < 107; who++)
		assert_int_equal(taken(rate, &terms, who, 5 * SECOND, 9), 4);
	assert_int_equal(taken(rate, &terms, 3, 5 * SECOND, 9), 1);
	free(rate);
}

static struct cs_hash of_text(const char *text)
{
	struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = 1};
	struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = 2};
	if (inet_pton(AF_INET, text, &four.sin_addr) == 1)
		return host_rate_caller((const struct sockaddr *)&four);
	assert_int_equal(inet_pton(AF_INET6, text, &six.sin6_addr), 1);
	return host_rate_caller((const struct sockaddr *)&six);
}

static void addresses(void **state)
{
	(void)state;
	static const struct {
		const char *a;
		const char *b;
		bool same;
	} rows[] = {
		{"192.0.2.1", "192.0.2.1", true},
		{"192.0.2.1", "192.0.2.2", false},
		{"192.0.2.1", "::ffff:192.0.2.1", true},
		{"2001:db8:1:2::1", "2001:db8:1:2:ffff::9", true},
		{"2001:db8:1:2::1", "2001:db8:1:3::1", false},
		{"0.0.0.0", "::", false},
		{"::", "::1", true},
	};
	for (size_t i = 0; i < CS_LEN(rows); i++) {
		struct cs_hash a = of_text(rows[i].a);
		struct cs_hash b = of_text(rows[i].b);
		assert_int_equal(cs_hash_eq(&a, &b), rows[i].same);
	}
	struct cs_hash none = host_rate_caller(NULL);
	assert_true(cs_hash_is_zero(&none));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(burst_then_rate),          cmocka_unit_test(over_time),
		cmocka_unit_test(when_to_come_again),       cmocka_unit_test(terms_that_change),
		cmocka_unit_test(more_callers_than_places), cmocka_unit_test(addresses),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
