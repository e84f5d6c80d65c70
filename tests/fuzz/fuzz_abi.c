/* Any bytes as data of (bytes32, bytes32, uint64, uint8, uint8, bytes, bytes[]), and as those of two
 * arrays of tuples: what is accepted is what the writer writes. */
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

/* (Outcome[], Message[]), the one static and the other dynamic inside. */
struct tuples {
	struct cs_hash ids[ITEMS_MAX];
	uint64_t numbers[ITEMS_MAX];
	struct cs_address addresses[ITEMS_MAX];
	struct cs_bytes bytes[ITEMS_MAX];
	size_t static_count;
	size_t dynamic_count;
};

static enum cs_err read_tuples(struct tuples *t, struct cs_bytes data)
{
	struct cs_abi_reader reader, list, tuple;
	CS_TRY(cs_abi_read(&reader, data, 2));
	CS_TRY(cs_abi_open_array(&reader, &list, 2, ITEMS_MAX, &t->static_count));
	for (size_t i = 0; i < t->static_count; i++) {
		CS_TRY(cs_abi_get_word(&list, &t->ids[i]));
		CS_TRY(cs_abi_get_u64(&list, &t->numbers[i]));
	}
	CS_TRY(cs_abi_close(&reader, &list));
	CS_TRY(cs_abi_open_array(&reader, &list, 1, ITEMS_MAX, &t->dynamic_count));
	for (size_t i = 0; i < t->dynamic_count; i++) {
		CS_TRY(cs_abi_open(&list, &tuple, 2));
		CS_TRY(cs_abi_get_address(&tuple, &t->addresses[i]));
		CS_TRY(cs_abi_get_bytes(&tuple, SIZE_MAX_OF_BYTES, &t->bytes[i]));
		CS_TRY(cs_abi_close(&list, &tuple));
	}
	CS_TRY(cs_abi_close(&reader, &list));
	return cs_abi_end(&reader);
}

static void tuples_once(struct cs_bytes data)
{
	struct tuples t;
	struct cs_buf buf;
	struct cs_abi abi;
	size_t slots[ITEMS_MAX];
	if (read_tuples(&t, data) != CS_OK)
		return;
	cs_assert(cs_buf_init_arena(&buf, fuzz_arena(), data.n) == CS_OK);
	cs_abi_init(&abi, &buf);
	size_t first = cs_abi_slot(&abi), second = cs_abi_slot(&abi);
	cs_abi_enter_array(&abi, first, t.static_count);
	for (size_t i = 0; i < t.static_count; i++) {
		cs_abi_put_word(&abi, &t.ids[i]);
		cs_abi_put_u64(&abi, t.numbers[i]);
	}
	cs_abi_leave(&abi);
	cs_abi_enter_array(&abi, second, t.dynamic_count);
	for (size_t i = 0; i < t.dynamic_count; i++)
		slots[i] = cs_abi_slot(&abi);
	for (size_t i = 0; i < t.dynamic_count; i++) {
		cs_abi_enter(&abi, slots[i]);
		cs_abi_put_address(&abi, &t.addresses[i]);
		size_t bytes = cs_abi_slot(&abi);
		cs_abi_put_bytes(&abi, bytes, t.bytes[i]);
		cs_abi_leave(&abi);
	}
	cs_abi_leave(&abi);
	fuzz_same(&buf, data);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct values v;
	struct cs_buf buf;
	struct cs_abi abi;
	size_t slots[ITEMS_MAX];
	tuples_once(cs_bytes(data, size));
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
