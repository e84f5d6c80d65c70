/* The question for a program's secret: one form, and nothing else is read. */
#include "../support.h"
#include "wire/provision.h"

static void ok(enum cs_err err)
{
	assert_int_equal(err, CS_OK);
}

static struct cs_bytes question(uint8_t *memory, size_t size)
{
	struct wire_provision_ask ask = {.name = cs_bytes_str("reports"),
					 .epoch = 3,
					 .user = 1000,
					 .is_interpreter = true,
					 .has_container = true};
	struct cs_buf out;
	memset(ask.executable.b, 1, 32);
	memset(ask.container.b, 2, 32);
	memset(ask.box.b, 3, 32);
	cs_buf_init(&out, memory, size);
	ok(wire_provision_ask_put(&out, &ask));
	return cs_buf_view(&out);
}

static void there_and_back(void **state)
{
	(void)state;
	uint8_t memory[WIRE_PROVISION_ASK_SIZE_MAX];
	struct wire_provision_ask ask;
	const struct cs_bytes bytes = question(memory, sizeof memory);
	ok(wire_provision_ask_take(&ask, bytes));
	assert_true(cs_bytes_eq(ask.name, cs_bytes_str("reports")));
	assert_int_equal(ask.epoch, 3);
	assert_int_equal(ask.user, 1000);
	assert_true(ask.is_interpreter && ask.has_container);
	assert_int_equal(ask.executable.b[31], 1);
	assert_int_equal(ask.container.b[0], 2);
	assert_int_equal(ask.box.b[0], 3);
	/* Every byte is in what the answer is bound to. */
	const struct cs_hash aad = wire_provision_aad(bytes);
	for (size_t i = 0; i < bytes.n; i++) {
		memory[i] ^= 1;
		const struct cs_hash other = wire_provision_aad(bytes);
		assert_memory_not_equal(aad.b, other.b, 32);
		memory[i] ^= 1;
	}
}

static void nothing_else(void **state)
{
	(void)state;
	uint8_t memory[WIRE_PROVISION_ASK_SIZE_MAX + 1] = {0};
	struct wire_provision_ask ask, long_name = {.name = cs_bytes(memory, 33)};
	struct cs_buf out;
	const struct cs_bytes bytes = question(memory, sizeof memory);
	for (size_t n = 0; n < bytes.n; n++)
		assert_int_equal(wire_provision_ask_take(&ask, cs_bytes(memory, n)),
				 CS_ERR_TRUNCATED);
	assert_int_equal(wire_provision_ask_take(&ask, cs_bytes(memory, bytes.n + 1)),
			 CS_ERR_TRAILING);
	const size_t flags = 1 + 7 + 8 + 4;
	memory[flags] = 4;
	assert_int_equal(wire_provision_ask_take(&ask, bytes), CS_ERR_NON_CANONICAL);
	memory[flags] = 1; /* a container that is none */
	assert_int_equal(wire_provision_ask_take(&ask, bytes), CS_ERR_NON_CANONICAL);
	memory[0] = 33;
	assert_int_equal(wire_provision_ask_take(&ask, bytes), CS_ERR_TOO_LARGE);
	cs_buf_init(&out, memory, sizeof memory);
	assert_int_equal(wire_provision_ask_put(&out, &long_name), CS_ERR_TOO_LARGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(there_and_back),
		cmocka_unit_test(nothing_else),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
