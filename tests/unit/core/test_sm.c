#include "core/sm.h"
#include "tests/unit/support.h"

enum light { RED, GREEN, YELLOW, OFF, LIGHTS };
static const char *const names[LIGHTS] = {"red", "green", "yellow", "off"};
static const uint64_t next[LIGHTS] = {
	[RED] = CS_SM_BIT(GREEN) | CS_SM_BIT(OFF),
	[GREEN] = CS_SM_BIT(YELLOW) | CS_SM_BIT(OFF),
	[YELLOW] = CS_SM_BIT(RED) | CS_SM_BIT(OFF),
};
static const struct cs_sm machine = {"light", LIGHTS, names, next};

static void test_every_pair(void **state)
{
	(void)state;
	for (unsigned from = 0; from < LIGHTS; from++) {
		for (unsigned to = 0; to < LIGHTS; to++) {
			unsigned at = from;
			struct cs_why why;
			bool may = (next[from] >> to & 1) != 0;
			assert_int_equal(cs_sm_may(&machine, from, to), may);
			assert_err(cs_sm_move(&machine, &at, to, &why),
				   may ? CS_OK : CS_ERR_CONFLICT);
			assert_int_equal(at, may ? to : from);
		}
		assert_int_equal(cs_sm_is_terminal(&machine, from), from == OFF);
	}
}

static void test_refusals(void **state)
{
	(void)state;
	struct cs_why why;
	unsigned at = OFF;
	assert_err(cs_sm_move(&machine, &at, RED, &why), CS_ERR_CONFLICT);
	assert_string_equal(why.text, "light: off does not become red");
	assert_err(cs_sm_move(&machine, &at, LIGHTS, &why), CS_ERR_INVALID);
	at = 64;
	assert_err(cs_sm_move(&machine, &at, RED, NULL), CS_ERR_INVALID);
	assert_false(cs_sm_may(&machine, RED, 64));
}

static void test_names(void **state)
{
	(void)state;
	unsigned parsed;
	for (unsigned i = 0; i < LIGHTS; i++) {
		assert_ok(cs_sm_parse(&machine, &parsed, cs_bytes_str(cs_sm_name(&machine, i))));
		assert_int_equal(parsed, i);
	}
	assert_err(cs_sm_parse(&machine, &parsed, cs_bytes_str("Red")), CS_ERR_NOT_FOUND);
	assert_err(cs_sm_parse(&machine, &parsed, CS_BYTES_NONE), CS_ERR_NOT_FOUND);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_pair),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
