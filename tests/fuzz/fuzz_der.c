/* Any bytes: what the cursor walks through is written again to the same bytes, since every value has one
 * encoding; the typed readers take no more than it does. */
#include "core/der.h"
#include "tests/fuzz/fuzz.h"

#define DEPTH_MAX 24u

static void put_header(struct cs_buf *buf, uint8_t tag, size_t n)
{
	cs_put_u8(buf, tag);
	if (n >= 0x10000)
		cs_put_u32(buf, 0x83000000u | (uint32_t)n);
	else if (n >= 0x100)
		cs_put_u8(buf, 0x82);
	else if (n >= 0x80)
		cs_put_u8(buf, 0x81);
	if (n >= 0x100 && n < 0x10000)
		cs_put_u16(buf, (uint16_t)n);
	else if (n < 0x100)
		cs_put_u8(buf, (uint8_t)n);
}

/* Constructed values by their parts, as deep as they are DER. */
static void copy(struct cs_buf *buf, struct cs_bytes bytes, unsigned depth)
{
	struct cs_der der = {bytes};
	struct cs_der_item item;
	while (cs_der_more(&der) && cs_der_next(&der, &item) == CS_OK) {
		put_header(buf, item.tag, item.value.n);
		if ((item.tag & 0x20) != 0 && depth < DEPTH_MAX)
			copy(buf, item.value, depth + 1);
		else
			cs_put(buf, item.value);
	}
	cs_put(buf, der.rest);
}

static void read_typed(struct cs_bytes bytes)
{
	struct cs_der der = {bytes};
	struct cs_bytes view;
	uint8_t rs[96], small;
	uint16_t flags;
	uint64_t number;
	bool yes;
	if (cs_der_time(&der, &number) == CS_OK)
		cs_assert(number <= 253402300799u);
	der.rest = bytes;
	if (cs_der_u64(&der, &number) == CS_OK) {
		struct cs_der again = {bytes};
		cs_assert(cs_der_unsigned(&again, &view) == CS_OK && view.n >= 1 && view.n <= 8);
	}
	der.rest = bytes;
	if (cs_der_integer(&der, &view) == CS_OK)
		cs_assert(view.n > 0);
	der.rest = bytes;
	(void)(cs_der_bool(&der, &yes) == CS_OK);
	der.rest = bytes;
	(void)(cs_der_enumerated(&der, &small) == CS_OK);
	der.rest = bytes;
	(void)(cs_der_oid(&der, &view) == CS_OK);
	der.rest = bytes;
	(void)(cs_der_bits(&der, &view) == CS_OK);
	der.rest = bytes;
	(void)(cs_der_flags(&der, &flags) == CS_OK);
	(void)(cs_der_ecdsa(rs, 48, bytes) == CS_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cs_buf buf;
	struct cs_bytes bytes = cs_bytes(data, size);
	cs_assert(cs_buf_init_arena(&buf, fuzz_arena(), size + 1) == CS_OK);
	copy(&buf, bytes, 0);
	fuzz_same(&buf, bytes);
	read_typed(bytes);
	return 0;
}
