/* Any bytes: what cs_rlp_check accepts is written again to the same bytes; the readers agree with
 * it. */
#include "core/rlp.h"
#include "tests/fuzz/fuzz.h"

/* Lists are at most CS_RLP_DEPTH_MAX deep in what was checked. */
static void copy(struct cs_buf *buf, const struct cs_rlp_item *item)
{
	if (!item->is_list) {
		cs_rlp_put_bytes(buf, item->payload);
		return;
	}
	struct cs_rlp list;
	struct cs_rlp_item inner;
	size_t begin = cs_rlp_list_begin(buf);
	cs_assert(cs_rlp_enter(&list, item) == CS_OK);
	while (cs_rlp_more(&list)) {
		cs_assert(cs_rlp_next(&list, &inner) == CS_OK);
		copy(buf, &inner);
	}
	cs_rlp_list_end(buf, begin);
}

static void read_as_fields(struct cs_bytes bytes)
{
	struct cs_rlp list = {bytes};
	struct cs_rlp_item item;
	while (cs_rlp_more(&list)) {
		uint64_t number;
		struct cs_u256 wide;
		struct cs_hash hash;
		struct cs_rlp again = list, inner;
		if (cs_rlp_u64(&again, &number) == CS_OK) {
			again = list;
			cs_assert(cs_rlp_u256(&again, &wide) == CS_OK && wide.limb[0] == number);
		}
		again = list;
		if (cs_rlp_hash(&again, &hash) == CS_OK)
			cs_assert(list.rest.n - again.rest.n == 33);
		again = list;
		if (cs_rlp_list(&again, &inner) == CS_OK)
			cs_assert(inner.rest.n < list.rest.n);
		if (cs_rlp_next(&list, &item) != CS_OK)
			return;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cs_bytes bytes = cs_bytes(data, size);
	struct cs_rlp_item item;
	struct cs_buf buf;
	read_as_fields(bytes);
	if (cs_rlp_check(bytes) != CS_OK)
		return 0;
	cs_assert(cs_rlp_one(&item, bytes) == CS_OK);
	/* A list's header moves its payload: one byte more than the text while it is written. */
	cs_assert(cs_buf_init_arena(&buf, fuzz_arena(), size + 16) == CS_OK);
	copy(&buf, &item);
	fuzz_same(&buf, bytes);
	return 0;
}
