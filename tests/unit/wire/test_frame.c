#include "tests/unit/support.h"
#include "wire/decode.h"
#include "wire/frame.h"

static void test_round_trip(void **state)
{
	(void)state;
	uint8_t head[WIRE_FRAME_HEAD_SIZE];
	struct wire_frame frame = {CS_FRAME_BODY_SIZE_MAX, WIRE_SIGN_MESSAGES, 0x0102030405060708},
			  back;
	wire_frame_encode(head, &frame);
	assert_bytes(CS_BYTES_OF(head), unhex("0020000000100000"
					      "0102030405060708"));
	assert_ok(wire_frame_decode(&back, head));
	assert_int_equal(back.body_size, frame.body_size);
	assert_int_equal(back.type, frame.type);
	assert_int_equal(back.request_id, frame.request_id);
}

/* Every type of the page docs/protocol/boundary.md and no other. */
static void test_types(void **state)
{
	(void)state;
	size_t known = 0;
	for (unsigned type = 0; type <= UINT16_MAX; type++) {
		uint8_t head[WIRE_FRAME_HEAD_SIZE] = {0};
		struct wire_frame frame;
		cs_put_be16(head + 4, (uint16_t)type);
		enum cs_err err = wire_frame_decode(&frame, head);
		bool in_table = (type >= 1 && type <= 43) || (type >= 64 && type <= 71);
		assert_int_equal(err, in_table ? CS_OK : CS_ERR_UNSUPPORTED);
		if (!in_table)
			continue;
		known++;
		assert_non_null(wire_type_message(frame.type));
		assert_int_equal(wire_type_is_request(frame.type), type % 2 == 0);
		assert_true(strlen(wire_type_name(frame.type)) > 0);
	}
	assert_int_equal(known, 43 + 8);
	assert_string_equal(wire_type_name(WIRE_HELLO), "hello_request");
	assert_string_equal(wire_type_name(WIRE_CLIENT_CREATE_REPLY), "client_reply");
	assert_string_equal(wire_type_name(WIRE_ERROR), "error_reply");
	assert_null(wire_type_message((enum wire_type)99));
}

static void test_refusals(void **state)
{
	(void)state;
	struct wire_frame frame = {7, WIRE_HELLO, 7};
	assert_err(wire_frame_decode(&frame, unhex("00200001000200000000000000000000").p),
		   CS_ERR_TOO_LARGE);
	assert_err(wire_frame_decode(&frame, unhex("ffffffff000200000000000000000000").p),
		   CS_ERR_TOO_LARGE);
	assert_err(wire_frame_decode(&frame, unhex("00000000000000000000000000000000").p),
		   CS_ERR_UNSUPPORTED);
	assert_err(wire_frame_decode(&frame, unhex("00000000000200010000000000000000").p),
		   CS_ERR_NON_CANONICAL);
	assert_err(wire_frame_decode(&frame, unhex("00000000000201000000000000000000").p),
		   CS_ERR_NON_CANONICAL);
	assert_int_equal(frame.body_size, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_types),
		cmocka_unit_test(test_refusals),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
