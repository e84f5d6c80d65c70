#include "core/der_write.h"

#include "core/utc.h"

#define UTC_TIME_YEAR_END 2050u

static void put_head(struct cs_buf *out, unsigned tag, size_t size)
{
	cs_put_u8(out, (uint8_t)tag);
	if (size >= 0x100) {
		cs_put_u8(out, 0x82);
		cs_put_u16(out, (uint16_t)size);
	} else {
		if (size >= 0x80)
			cs_put_u8(out, 0x81);
		cs_put_u8(out, (uint8_t)size);
	}
}

void cs_der_put(struct cs_buf *out, unsigned tag, struct cs_bytes value)
{
	if (value.n > CS_DER_PUT_SIZE_MAX) {
		out->failed = true;
		return;
	}
	put_head(out, tag, value.n);
	cs_put(out, value);
}

void cs_der_put_buf(struct cs_buf *out, unsigned tag, const struct cs_buf *inner)
{
	if (inner->failed)
		out->failed = true;
	else
		cs_der_put(out, tag, cs_buf_view(inner));
}

void cs_der_put_time(struct cs_buf *out, uint64_t seconds)
{
	char text[CS_UTC_SIZE];
	char form[sizeof "YYYYMMDDhhmmssZ"];
	cs_utc_write(text, seconds);
	/* 2026-01-31T00:00:00Z */
	static const uint8_t digits[] = {0, 1, 2, 3, 5, 6, 8, 9, 11, 12, 14, 15, 17, 18};
	for (size_t i = 0; i < CS_LEN(digits); i++)
		form[i] = text[digits[i]];
	form[CS_LEN(digits)] = 'Z';
	const unsigned year = (unsigned)(text[0] - '0') * 1000 + (unsigned)(text[1] - '0') * 100 +
			      (unsigned)(text[2] - '0') * 10 + (unsigned)(text[3] - '0');
	if (year < UTC_TIME_YEAR_END)
		cs_der_put(out, CS_DER_UTC_TIME, cs_bytes(form + 2, CS_LEN(digits) - 1));
	else
		cs_der_put(out, CS_DER_GENERALIZED_TIME, cs_bytes(form, CS_LEN(digits) + 1));
}

/* The value may be large (evidence), so its heads are written first, and no copy of it is made. */
void cs_der_put_extension(struct cs_buf *out, struct cs_bytes oid, bool critical,
			  struct cs_bytes value)
{
	static const uint8_t yes[] = {0x01, 0x01, 0xff};
	uint8_t memory[64];
	struct cs_buf front;
	cs_buf_init(&front, memory, sizeof memory);
	cs_der_put(&front, CS_DER_OID, oid);
	if (critical)
		cs_put(&front, CS_BYTES_OF(yes));
	if (value.n > CS_DER_PUT_SIZE_MAX - sizeof memory)
		front.failed = true;
	put_head(&front, CS_DER_OCTET_STRING, value.n);
	if (front.failed) {
		out->failed = true;
		return;
	}
	put_head(out, CS_DER_SEQUENCE, front.n + value.n);
	cs_put(out, cs_buf_view(&front));
	cs_put(out, value);
}
