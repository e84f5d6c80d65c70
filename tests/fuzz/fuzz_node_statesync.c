/* Any bytes as a message about snapshots: what is read is written again to the same bytes and stays
 * within its bounds, what is refused leaves the output alone. */
#include "relay_state/node/statesync_message.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t memory[1 << 20];
	struct node_statesync_message m;
	struct cs_bytes bytes = cs_bytes(data, size);
	struct cs_buf buf;
	if (size > 1 << 18)
		return 0;
	fuzz_fill(&m, sizeof m);
	if (node_statesync_decode(&m, bytes) != CS_OK) {
		fuzz_untouched(&m, sizeof m);
		return 0;
	}
	cs_assert(m.snapshot_count <= NODE_SNAPSHOTS_PER_PEER);
	size_t room = node_statesync_size_max(&m);
	cs_assert(room >= size && room <= sizeof memory);
	cs_buf_init(&buf, memory, room);
	node_statesync_encode(&buf, &m);
	fuzz_same(&buf, bytes);
	return 0;
}
