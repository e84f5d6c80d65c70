/* Any bytes as CBOR: what is read has one encoding, the readers agree with what passes over it, and a
 * failure moves nothing. */
#include "core/cbor.h"
#include "tests/fuzz/fuzz.h"

/* Head of the shortest form. */
static void put_head(struct cs_buf *buf, unsigned major, uint64_t value)
{
	const uint8_t high = (uint8_t)(major << 5);
	if (value < 24) {
		cs_put_u8(buf, (uint8_t)(high | value));
	} else if (value <= UINT8_MAX) {
		cs_put_u8(buf, high | 24);
		cs_put_u8(buf, (uint8_t)value);
	} else if (value <= UINT16_MAX) {
		cs_put_u8(buf, high | 25);
		cs_put_u16(buf, (uint16_t)value);
	} else if (value <= UINT32_MAX) {
		cs_put_u8(buf, high | 26);
		cs_put_u32(buf, (uint32_t)value);
	} else {
		cs_put_u8(buf, high | 27);
		cs_put_u64(buf, value);
	}
}

/* One head, or a whole string, read and written again; simple values and negative numbers have no
 * reader. False: none of those. */
static bool copy_one(struct cs_buf *buf, struct cs_cbor *cbor)
{
	struct cs_bytes view;
	uint64_t value;
	size_t count;
	if (cs_cbor_uint(cbor, &value) == CS_OK) {
		put_head(buf, 0, value);
	} else if (cs_cbor_bytes(cbor, &view) == CS_OK) {
		put_head(buf, 2, view.n);
		cs_put(buf, view);
	} else if (cs_cbor_text(cbor, &view) == CS_OK) {
		put_head(buf, 3, view.n);
		cs_put(buf, view);
	} else if (cs_cbor_array(cbor, &count) == CS_OK) {
		put_head(buf, 4, count);
	} else if (cs_cbor_map(cbor, &count) == CS_OK) {
		put_head(buf, 5, count);
	} else if (cs_cbor_tag(cbor, &value) == CS_OK) {
		put_head(buf, 6, value);
	} else {
		return false;
	}
	return true;
}

static void read_heads(struct cs_bytes bytes, struct cs_arena *arena)
{
	struct cs_cbor cbor, before;
	struct cs_buf buf;
	cs_cbor_init(&cbor, bytes);
	cs_assert(cs_buf_init_arena(&buf, arena, bytes.n + 1) == CS_OK);
	do
		before = cbor;
	while (copy_one(&buf, &cbor));
	cs_assert(before.p == cbor.p && before.left == cbor.left);
	fuzz_same(&buf, cs_bytes(bytes.p, bytes.n - cbor.left));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct cs_bytes bytes = cs_bytes(data, size);
	struct cs_bytes value = CS_BYTES_NONE, found;
	struct cs_cbor cbor, at;
	cs_cbor_init(&cbor, bytes);
	at = cbor;
	if (cs_cbor_skip(&cbor) == CS_OK)
		cs_assert(cbor.p > at.p && cbor.left < at.left);
	else
		cs_assert(cbor.p == at.p && cbor.left == at.left);
	read_heads(bytes, fuzz_arena());
	if (cs_cbor_find(&value, bytes, "pubkey-hash") == CS_OK) {
		cs_cbor_init(&at, value);
		cs_assert(cs_cbor_skip(&at) == CS_OK && cs_cbor_end(&at) == CS_OK);
		cs_assert(cs_cbor_find(&found, bytes, "no such key") == CS_ERR_NOT_FOUND);
	} else {
		cs_assert(value.p == NULL);
	}
	return 0;
}
