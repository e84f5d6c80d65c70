/* Any bytes as data of (bytes32, bytes32, uint64, uint8, uint8, bytes, bytes[]): what is accepted is
 * what the writer writes. */
#include "core/abi.h"
#include "tests/fuzz/fuzz.h"

#define ITEMS_MAX 16u
#define SIZE_MAX_OF_BYTES 4096u

struct values {
	struct cs_hash word;
	struct cs_hash other;
	uint64_t number;
	uint8_t small;
	uint8_t smaller;
	struct cs_bytes bytes;
	struct cs_bytes items[ITEMS_MAX];
	size_t count;
};

static enum cs_err read_values(struct values *v, struct cs_bytes data)
{
	struct cs_abi_reader reader;
	CS_TRY(cs_abi_read(&reader, data, 7));
	CS_TRY(cs_abi_get_word(&reader, &v->word));
	CS_TRY(cs_abi_get_word(&reader, &v->other));
	CS_TRY(cs_abi_get_u64(&reader, &v->number));
	CS_TRY(cs_abi_get_u8(&reader, &v->small));
	CS_TRY(cs_abi_get_u8(&reader, &v->smaller));
	CS_TRY(cs_abi_get_bytes(&reader, SIZE_MAX_OF_BYTES, &v->bytes));
	CS_TRY(cs_abi_get_bytes_array(&reader, ITEMS_MAX, SIZE_MAX_OF_BYTES, v->items, &v->count));
	return cs_abi_end(&reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct values v;
	struct cs_buf buf;
	struct cs_abi abi;
	size_t slots[ITEMS_MAX];
	if (read_values(&v, cs_bytes(data, size)) != CS_OK)
		return 0;
	cs_assert(cs_buf_init_arena(&buf, fuzz_arena(), size) == CS_OK);
	cs_abi_init(&abi, &buf);
	cs_abi_put_word(&abi, &v.word);
	cs_abi_put_word(&abi, &v.other);
	cs_abi_put_u64(&abi, v.number);
	cs_abi_put_u64(&abi, v.small);
	cs_abi_put_u64(&abi, v.smaller);
	size_t bytes = cs_abi_slot(&abi), list = cs_abi_slot(&abi);
	cs_abi_put_bytes(&abi, bytes, v.bytes);
	cs_abi_enter_array(&abi, list, v.count);
	for (size_t i = 0; i < v.count; i++)
		slots[i] = cs_abi_slot(&abi);
	for (size_t i = 0; i < v.count; i++)
		cs_abi_put_bytes(&abi, slots[i], v.items[i]);
	cs_abi_leave(&abi);
	fuzz_same(&buf, cs_bytes(data, size));
	return 0;
}
