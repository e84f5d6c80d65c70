/* A stream of frames: every header that is accepted is written again to the same bytes. */
#include "tests/fuzz/fuzz.h"
#include "wire/decode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	while (size >= WIRE_FRAME_HEAD_SIZE) {
		struct wire_frame frame;
		uint8_t head[WIRE_FRAME_HEAD_SIZE];
		if (wire_frame_decode(&frame, data) != CS_OK)
			return 0;
		wire_frame_encode(head, &frame);
		cs_assert(memcmp(head, data, sizeof head) == 0);
		cs_assert(wire_type_message(frame.type) != NULL &&
			  wire_type_name(frame.type) != NULL);
		data += WIRE_FRAME_HEAD_SIZE;
		size -= WIRE_FRAME_HEAD_SIZE;
		if (frame.body_size > size)
			return 0;
		if (wire_check(wire_type_message(frame.type), cs_bytes(data, frame.body_size),
			       NULL) != CS_OK)
			return 0;
		data += frame.body_size;
		size -= frame.body_size;
	}
	return 0;
}
