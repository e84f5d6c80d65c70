/* An adapter's cursor as a journal gives it back: neighbours alone, and one encoding. */
#include "adapters/adapter.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t bytes[ADAPTER_CURSOR_SIZE_MAX];
	static struct adapter_cursor cursor;
	size_t n = 0;
	memset(&cursor, 0, sizeof(cursor));
	if (adapter_cursor_decode(&cursor, cs_bytes(data, size)) != CS_OK) {
		cs_assert(cursor.count == 0);
		return 0;
	}
	cs_assert(cursor.count <= ADAPTER_CURSOR_BLOCKS);
	for (size_t i = 1; i < cursor.count; i++)
		cs_assert(cursor.recent[i].height - cursor.recent[i - 1].height == 1);
	cs_assert(adapter_cursor_encode(bytes, sizeof bytes, &n, &cursor) == CS_OK);
	cs_assert(cs_bytes_eq(cs_bytes(bytes, n), cs_bytes(data, size)));
	return 0;
}
