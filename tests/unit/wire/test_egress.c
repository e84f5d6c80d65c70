#include "tests/unit/support.h"
#include "wire/egress.h"

static struct cs_bytes encoded(uint8_t memory[WIRE_EGRESS_SIZE_MAX],
			       const struct wire_egress_request *request)
{
	struct cs_buf buf;
	cs_buf_init(&buf, memory, WIRE_EGRESS_SIZE_MAX);
	wire_egress_request_encode(&buf, request);
	assert_int_equal(cs_buf_end(&buf), CS_OK);
	return cs_buf_view(&buf);
}

static void test_request(void **state)
{
	(void)state;
	static char longest[WIRE_EGRESS_HOST_SIZE_MAX + 1];
	memset(longest, 'a', WIRE_EGRESS_HOST_SIZE_MAX);
	static const char *const hosts[] = {"a",   "api.example.org", "127.0.0.1",
					    "::1", "_x.b-c.d",        longest};
	for (size_t i = 0; i < CS_LEN(hosts); i++) {
		uint8_t memory[WIRE_EGRESS_SIZE_MAX];
		const struct wire_egress_request in = {7, 443, cs_bytes_str(hosts[i])};
		struct wire_egress_request out;
		const struct cs_bytes bytes = encoded(memory, &in);
		assert_int_equal(wire_egress_request_decode(&out, bytes), CS_OK);
		assert_int_equal(out.id, 7);
		assert_int_equal(out.port, 443);
		assert_true(cs_bytes_eq(out.host, in.host));
		for (size_t n = 0; n < bytes.n; n++)
			assert_int_equal(wire_egress_request_decode(&out, cs_bytes(bytes.p, n)),
					 CS_ERR_TRUNCATED);
	}
}

static void test_request_fixed(void **state)
{
	(void)state;
	static const uint8_t want[] = {1, 1, 0, 0, 1, 2, 1, 187, 2, 'a', 'b'};
	uint8_t memory[WIRE_EGRESS_SIZE_MAX];
	const struct wire_egress_request in = {0x102, 443, cs_bytes_str("ab")};
	assert_true(cs_bytes_eq(encoded(memory, &in), CS_BYTES_OF(want)));
}

static void test_request_refused(void **state)
{
	(void)state;
	static const struct {
		size_t n;
		const char *bytes;
		enum cs_err err;
	} cases[] = {
		{10, "\1\1\0\0\0\1\0\1\1a", CS_OK},
		{11, "\1\1\0\0\0\1\0\1\1ab", CS_ERR_TRAILING},
		{10, "\2\1\0\0\0\1\0\1\1a", CS_ERR_UNSUPPORTED},
		{10, "\0\1\0\0\0\1\0\1\1a", CS_ERR_UNSUPPORTED},
		{10, "\1\2\0\0\0\1\0\1\1a", CS_ERR_MALFORMED},
		{10, "\1\1\0\0\0\0\0\1\1a", CS_ERR_MALFORMED},
		{10, "\1\1\0\0\0\1\0\0\1a", CS_ERR_MALFORMED},
		{9, "\1\1\0\0\0\1\0\1\0", CS_ERR_MALFORMED},
		{10, "\1\1\0\0\0\1\0\1\1A", CS_ERR_MALFORMED},
		{10, "\1\1\0\0\0\1\0\1\1-", CS_ERR_MALFORMED},
		{10, "\1\1\0\0\0\1\0\1\1 ", CS_ERR_MALFORMED},
		{10, "\1\1\0\0\0\1\0\1\1/", CS_ERR_MALFORMED},
		{10, "\1\1\0\0\0\1\0\1\1\0", CS_ERR_MALFORMED},
		{10, "\1\1\0\0\0\1\0\1\1\xff", CS_ERR_MALFORMED},
		{10, "\1\1\0\0\0\1\0\1\2a", CS_ERR_TRUNCATED},
	};
	for (size_t i = 0; i < CS_LEN(cases); i++) {
		struct wire_egress_request out;
		if (wire_egress_request_decode(&out, cs_bytes(cases[i].bytes, cases[i].n)) !=
		    cases[i].err)
			fail_msg("case %zu", i);
	}
	uint8_t large[9 + 254] = {1, 1, 0, 0, 0, 1, 0, 1, 254};
	struct wire_egress_request out;
	memset(large + 9, 'a', 254);
	assert_int_equal(wire_egress_request_decode(&out, CS_BYTES_OF(large)), CS_ERR_TOO_LARGE);
}

static void test_reply(void **state)
{
	(void)state;
	for (uint32_t status = 0; status < 256; status++) {
		const uint8_t bytes[] = {1, 2, 0, 0, 0, 9, (uint8_t)status};
		struct wire_egress_reply out;
		const bool known = wire_egress_status_text(status) != NULL;
		assert_int_equal(known, status <= WIRE_EGRESS_MALFORMED);
		assert_int_equal(wire_egress_reply_decode(&out, CS_BYTES_OF(bytes)),
				 known ? CS_OK : CS_ERR_MALFORMED);
		if (!known)
			continue;
		uint8_t memory[WIRE_EGRESS_SIZE_MAX];
		struct cs_buf buf;
		cs_buf_init(&buf, memory, sizeof memory);
		wire_egress_reply_encode(&buf, &out);
		assert_true(cs_bytes_eq(cs_buf_view(&buf), CS_BYTES_OF(bytes)));
		for (size_t n = 0; n < sizeof bytes; n++)
			assert_int_equal(wire_egress_reply_decode(&out, cs_bytes(bytes, n)),
					 CS_ERR_TRUNCATED);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_request),
		cmocka_unit_test(test_request_fixed),
		cmocka_unit_test(test_request_refused),
		cmocka_unit_test(test_reply),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
