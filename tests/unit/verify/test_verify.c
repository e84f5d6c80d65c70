#include "tests/unit/support.h"
#include "verify/verify.h"

#define assert_says(name, err) assert_string_equal(cs_err_name(err), (name))

static void test_not_before_is_by_the_low_end(void **state)
{
	struct verify_time now = {.low_s = 1000, .high_s = 2000};
	(void)state;
	assert_says("ok", verify_time_reached(&now, 1000));
	assert_says("not-yet-valid", verify_time_reached(&now, 1001));
	assert_says("not-yet-valid", verify_time_reached(&now, 2000));
	assert_says("ok", verify_time_reached(&now, 0));
}

static void test_expiry_is_by_the_high_end(void **state)
{
	struct verify_time now = {.low_s = 1000, .high_s = 2000}, unbounded = {.low_s = 1000};
	(void)state;
	assert_says("ok", verify_time_before(&now, 2001));
	assert_says("expired", verify_time_before(&now, 2000));
	assert_says("expired", verify_time_before(&now, 1000));
	assert_says("no-time", verify_time_before(&unbounded, 5000));
	assert_says("ok", verify_time_before(&unbounded, 0));
}

static void test_age_is_by_the_high_end(void **state)
{
	struct verify_time now = {.low_s = 1000, .high_s = 2000}, unbounded = {.low_s = 1000};
	(void)state;
	assert_says("ok", verify_time_fresh(&now, 1900, 100));
	assert_says("anchor-too-old", verify_time_fresh(&now, 1899, 100));
	assert_says("ok", verify_time_fresh(&now, 2500, 0));
	assert_says("ok", verify_time_fresh(&now, 0, UINT64_MAX));
	assert_says("no-time", verify_time_fresh(&unbounded, 1000, UINT64_MAX));
}

static void check_outcome(const char *error, enum wire_status status, uint64_t deadline,
			  uint64_t time, uint64_t margin, enum wire_status expected)
{
	struct verify_block block = {.time_s = time, .reorg_margin_s = margin};
	enum wire_status outcome = WIRE_STATUS_NONE;
	assert_says(error, verify_outcome(&outcome, status, deadline, &block));
	assert_int_equal(outcome, expected);
}

static void test_terminal_statuses_need_no_deadline_to_pass(void **state)
{
	(void)state;
	check_outcome("ok", WIRE_STATUS_DELIVERED, 500, 1, 60, WIRE_STATUS_DELIVERED);
	check_outcome("ok", WIRE_STATUS_DELIVERED, 500, 900, 60, WIRE_STATUS_DELIVERED);
	check_outcome("ok", WIRE_STATUS_DEAD, 500, 1, 60, WIRE_STATUS_DEAD);
}

static void test_absence_waits_for_deadline_and_margin(void **state)
{
	(void)state;
	check_outcome("before-deadline", WIRE_STATUS_NONE, 500, 499, 0, WIRE_STATUS_NONE);
	check_outcome("ok", WIRE_STATUS_NONE, 500, 500, 0, WIRE_STATUS_DEAD);
	check_outcome("ok", WIRE_STATUS_FAILED, 500, 500, 0, WIRE_STATUS_DEAD);
	check_outcome("before-deadline", WIRE_STATUS_NONE, 500, 559, 60, WIRE_STATUS_NONE);
	check_outcome("before-deadline", WIRE_STATUS_FAILED, 500, 559, 60, WIRE_STATUS_NONE);
	check_outcome("ok", WIRE_STATUS_FAILED, 500, 560, 60, WIRE_STATUS_DEAD);
	check_outcome("before-deadline", WIRE_STATUS_NONE, UINT64_MAX, UINT64_MAX - 1, 60,
		      WIRE_STATUS_NONE);
	check_outcome("before-deadline", WIRE_STATUS_NONE, 500, 1000, UINT64_MAX, WIRE_STATUS_NONE);
	check_outcome("invalid", WIRE_STATUS_NONE, 0, 1000, 0, WIRE_STATUS_NONE);
	check_outcome("invalid", (enum wire_status)4, 500, 1000, 0, WIRE_STATUS_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_not_before_is_by_the_low_end),
		cmocka_unit_test(test_expiry_is_by_the_high_end),
		cmocka_unit_test(test_age_is_by_the_high_end),
		cmocka_unit_test(test_terminal_statuses_need_no_deadline_to_pass),
		cmocka_unit_test(test_absence_waits_for_deadline_and_margin),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
