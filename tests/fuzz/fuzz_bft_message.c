/* Any bytes as a message of a peer, as a record of the log, as a state: what is read is written
 * again to the same bytes, what is refused leaves the output alone. */
#include "relay_state/bft/message.h"
#include "relay_state/bft/record.h"
#include "relay_state/bft/wal.h"
#include "tests/fuzz/fuzz.h"

static void as_message(struct cs_bytes bytes)
{
	static uint8_t memory[1 << 20];
	struct bft_message m;
	struct cs_buf buf;
	fuzz_fill(&m, sizeof m);
	if (bft_message_decode(&m, bytes) != CS_OK) {
		fuzz_untouched(&m, sizeof m);
		return;
	}
	cs_buf_init(&buf, memory, sizeof memory);
	bft_message_encode(&buf, &m);
	fuzz_same(&buf, bytes);
}

static void as_record(struct cs_bytes bytes)
{
	static uint8_t memory[1 << 20];
	struct bft_event event;
	struct cs_buf buf;
	int64_t height;
	if (bft_record_decode(&event, &height, bytes) != CS_OK)
		return;
	cs_buf_init(&buf, memory, sizeof memory);
	bft_record_encode(&buf, &event, height);
	fuzz_same(&buf, bytes);
}

static void as_log(struct cs_bytes bytes)
{
	struct bft_wal_record record;
	size_t good, offset = 0;
	enum bft_wal_verdict verdict = bft_wal_check(&good, bytes);
	cs_assert(good <= bytes.n && (verdict == BFT_WAL_CLEAN) == (good == bytes.n));
	while (bft_wal_get(&record, &offset, bytes) == CS_OK)
		cs_assert(offset <= good);
	cs_assert(offset == good);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cs_bytes bytes = cs_bytes(data, size);
	if (size > 1 << 18)
		return 0;
	as_message(bytes);
	as_record(bytes);
	as_log(bytes);
	return 0;
}
