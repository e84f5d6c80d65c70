/* The proxy's protocol, both directions: what is accepted has one form, which is written again. */
#include "tests/fuzz/fuzz.h"
#include "wire/egress.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t memory[WIRE_EGRESS_SIZE_MAX];
	struct cs_buf buf;
	struct wire_egress_request request;
	struct wire_egress_reply reply;
	cs_buf_init(&buf, memory, sizeof memory);
	if (wire_egress_request_decode(&request, cs_bytes(data, size)) == CS_OK) {
		wire_egress_request_encode(&buf, &request);
		fuzz_same(&buf, cs_bytes(data, size));
	} else if (wire_egress_reply_decode(&reply, cs_bytes(data, size)) == CS_OK) {
		wire_egress_reply_encode(&buf, &reply);
		fuzz_same(&buf, cs_bytes(data, size));
	}
	return 0;
}
