/* Heads of the cluster's frames. */
#include "../support.h"
#include "wire/cluster.h"

static void heads_come_back(void **state)
{
	(void)state;
	static const enum wire_cluster_type types[] = {WIRE_CLUSTER_ERROR, WIRE_CLUSTER_HELLO,
						       WIRE_CLUSTER_HELLO_REPLY, WIRE_CLUSTER_VOUCH,
						       WIRE_CLUSTER_JOIN_REPLY};
	for (size_t i = 0; i < CS_LEN(types); i++) {
		const struct wire_cluster_frame frame = {7 + (uint32_t)i, types[i], 1ull << 40};
		struct wire_cluster_frame back = {0};
		uint8_t head[WIRE_FRAME_HEAD_SIZE];
		wire_cluster_frame_encode(head, &frame);
		assert_int_equal(wire_cluster_frame_decode(&back, head), CS_OK);
		assert_int_equal(back.body_size, frame.body_size);
		assert_int_equal(back.type, frame.type);
		assert_int_equal(back.request_id, frame.request_id);
		assert_non_null(wire_cluster_type_message(back.type));
	}
	assert_true(wire_cluster_type_is_request(WIRE_CLUSTER_VOUCH));
	assert_false(wire_cluster_type_is_request(WIRE_CLUSTER_VOUCH_REPLY));
	assert_false(wire_cluster_type_is_request(WIRE_CLUSTER_ERROR));
	assert_string_equal(wire_cluster_type_name(WIRE_CLUSTER_JOIN_REPLY), "cluster_grant");
}

static void others_are_refused(void **state)
{
	(void)state;
	struct wire_cluster_frame frame = {1, WIRE_CLUSTER_HELLO, 0};
	uint8_t head[WIRE_FRAME_HEAD_SIZE];
	wire_cluster_frame_encode(head, &frame);
	head[7] = 1;
	assert_int_equal(wire_cluster_frame_decode(&frame, head), CS_ERR_NON_CANONICAL);
	head[7] = 0;
	/* A type of the enclave's boundary. */
	cs_put_be16(head + 4, WIRE_HELLO);
	assert_int_equal(wire_cluster_frame_decode(&frame, head), CS_ERR_UNSUPPORTED);
	cs_put_be32(head, CS_FRAME_BODY_SIZE_MAX + 1);
	assert_int_equal(wire_cluster_frame_decode(&frame, head), CS_ERR_TOO_LARGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(heads_come_back),
		cmocka_unit_test(others_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
