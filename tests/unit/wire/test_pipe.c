/* Heads of the pipe between a sandboxed process and its host. */
#include "../support.h"
#include "wire/pipe.h"

static void heads_come_back(void **state)
{
	uint8_t head[WIRE_PIPE_HEAD_SIZE];
	struct wire_pipe_frame back = {0};
	const struct wire_pipe_frame from_host = {7, WIRE_PIPE_DATA_IN, 0x01020304};
	const struct wire_pipe_frame from_enclave = {WIRE_PIPE_BODY_SIZE_MAX, WIRE_PIPE_KEEP, 9};
	(void)state;
	wire_pipe_encode(head, &from_host);
	assert_memory_equal(head, "\0\0\0\7\5\0\0\0\1\2\3\4", sizeof head);
	assert_int_equal(wire_pipe_decode(&back, head, true), CS_OK);
	assert_int_equal(back.size, 7);
	assert_int_equal(back.type, WIRE_PIPE_DATA_IN);
	assert_int_equal(back.number, 0x01020304);
	/* Nobody sends what is the other side's to send. */
	assert_int_equal(wire_pipe_decode(&back, head, false), CS_ERR_UNSUPPORTED);
	wire_pipe_encode(head, &from_enclave);
	assert_int_equal(wire_pipe_decode(&back, head, false), CS_OK);
	assert_int_equal(wire_pipe_decode(&back, head, true), CS_ERR_UNSUPPORTED);
}

static void bounds_are_of_the_type(void **state)
{
	static const struct {
		uint8_t head[WIRE_PIPE_HEAD_SIZE];
		enum cs_err err;
	} cases[] = {
		{{0, 0, 0, 1, WIRE_PIPE_TICK}, CS_ERR_TOO_LARGE},
		{{0, 0, 0, 2, WIRE_PIPE_ACCEPTED}, CS_ERR_TOO_LARGE},
		{{0, 1, 0, 1, WIRE_PIPE_DATA_IN}, CS_ERR_TOO_LARGE},
		{{0, 16, 0, 1, WIRE_PIPE_STATE}, CS_ERR_TOO_LARGE},
		{{0, 0, 0, 0, 0}, CS_ERR_UNSUPPORTED},
		{{0, 0, 0, 0, 200}, CS_ERR_UNSUPPORTED},
		{{0, 0, 0, 0, WIRE_PIPE_TICK, 1}, CS_ERR_NON_CANONICAL},
		{{0, 0, 0, 0, WIRE_PIPE_TICK, 0, 0, 1}, CS_ERR_NON_CANONICAL},
		{{0, 1, 0, 0, WIRE_PIPE_DATA_IN}, CS_OK},
	};
	(void)state;
	for (size_t i = 0; i < CS_LEN(cases); i++) {
		struct wire_pipe_frame frame;
		assert_int_equal(wire_pipe_decode(&frame, cases[i].head, true), cases[i].err);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(heads_come_back),
		cmocka_unit_test(bounds_are_of_the_type),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
