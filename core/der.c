#include "core/der.h"

#include "core/utc.h"

#include <string.h>

/* Certificates are below 64 KiB and revocation lists below some MiB. */
#define LENGTH_BYTES_MAX 3u

static enum cs_err length(struct cs_bytes *rest, size_t *n)
{
	if (rest->n == 0)
		return CS_ERR_TRUNCATED;
	uint8_t first = rest->p[0];
	*rest = cs_bytes(rest->p + 1, rest->n - 1);
	if (first < 0x80) {
		*n = first;
		return CS_OK;
	}
	size_t count = first & 0x7f;
	if (count == 0 || count > LENGTH_BYTES_MAX)
		return CS_ERR_MALFORMED;
	if (count > rest->n)
		return CS_ERR_TRUNCATED;
	size_t value = 0;
	for (size_t i = 0; i < count; i++)
		value = value << 8 | rest->p[i];
	if (rest->p[0] == 0 || value < 0x80)
		return CS_ERR_NON_CANONICAL;
	*rest = cs_bytes(rest->p + count, rest->n - count);
	*n = value;
	return CS_OK;
}

/* It and get are what a certificate is read by, hundreds of times: local, so that they become part of
 * their callers. */
static enum cs_err next(struct cs_der *der, struct cs_der_item *item)
{
	struct cs_bytes rest = der->rest;
	size_t n;
	if (rest.n == 0)
		return CS_ERR_TRUNCATED;
	uint8_t tag = rest.p[0];
	if ((tag & 0x1f) == 0x1f)
		return CS_ERR_MALFORMED;
	rest = cs_bytes(rest.p + 1, rest.n - 1);
	CS_TRY(length(&rest, &n));
	if (n > rest.n)
		return CS_ERR_TRUNCATED;
	item->tag = tag;
	item->value = cs_bytes(rest.p, n);
	item->whole = cs_bytes(der->rest.p, (size_t)(rest.p - der->rest.p) + n);
	der->rest = cs_bytes(rest.p + n, rest.n - n);
	return CS_OK;
}

enum cs_err cs_der_next(struct cs_der *der, struct cs_der_item *item)
{
	return next(der, item);
}

bool cs_der_more(const struct cs_der *der)
{
	return der->rest.n > 0;
}

bool cs_der_is(const struct cs_der *der, unsigned tag)
{
	return der->rest.n > 0 && der->rest.p[0] == tag;
}

static enum cs_err get(struct cs_der *der, struct cs_bytes *value, unsigned tag)
{
	struct cs_der after = *der;
	struct cs_der_item item;
	CS_TRY(next(&after, &item));
	if (item.tag != tag)
		return CS_ERR_INVALID;
	*value = item.value;
	*der = after;
	return CS_OK;
}

enum cs_err cs_der_get(struct cs_der *der, struct cs_bytes *value, unsigned tag)
{
	return get(der, value, tag);
}

enum cs_err cs_der_enter(struct cs_der *der, struct cs_der *inner, unsigned tag)
{
	return get(der, &inner->rest, tag);
}

enum cs_err cs_der_end(const struct cs_der *der)
{
	return der->rest.n > 0 ? CS_ERR_TRAILING : CS_OK;
}

enum cs_err cs_der_one(struct cs_der *inner, struct cs_bytes bytes, unsigned tag)
{
	struct cs_der der = {bytes};
	struct cs_bytes value;
	CS_TRY(get(&der, &value, tag));
	CS_TRY(cs_der_end(&der));
	inner->rest = value;
	return CS_OK;
}

enum cs_err cs_der_bool(struct cs_der *der, bool *value)
{
	struct cs_der after = *der;
	struct cs_bytes bytes;
	CS_TRY(get(&after, &bytes, CS_DER_BOOLEAN));
	if (bytes.n != 1)
		return CS_ERR_MALFORMED;
	if (bytes.p[0] != 0 && bytes.p[0] != 0xff)
		return CS_ERR_NON_CANONICAL;
	*value = bytes.p[0] != 0;
	*der = after;
	return CS_OK;
}

enum cs_err cs_der_integer(struct cs_der *der, struct cs_bytes *value)
{
	struct cs_der after = *der;
	struct cs_bytes bytes;
	CS_TRY(get(&after, &bytes, CS_DER_INTEGER));
	if (bytes.n == 0)
		return CS_ERR_MALFORMED;
	/* Nine equal bits at the front: one byte too many (X.690, 8.3.2). */
	if (bytes.n > 1 &&
	    ((bytes.p[0] == 0 && bytes.p[1] < 0x80) || (bytes.p[0] == 0xff && bytes.p[1] >= 0x80)))
		return CS_ERR_NON_CANONICAL;
	*value = bytes;
	*der = after;
	return CS_OK;
}

enum cs_err cs_der_unsigned(struct cs_der *der, struct cs_bytes *value)
{
	struct cs_der after = *der;
	struct cs_bytes bytes;
	CS_TRY(cs_der_integer(&after, &bytes));
	if (bytes.p[0] >= 0x80)
		return CS_ERR_INVALID;
	if (bytes.p[0] == 0 && bytes.n > 1)
		bytes = cs_bytes(bytes.p + 1, bytes.n - 1);
	*value = bytes;
	*der = after;
	return CS_OK;
}

enum cs_err cs_der_u64(struct cs_der *der, uint64_t *value)
{
	struct cs_der after = *der;
	struct cs_bytes bytes;
	CS_TRY(cs_der_unsigned(&after, &bytes));
	if (bytes.n > sizeof *value)
		return CS_ERR_INVALID;
	uint64_t number = 0;
	for (size_t i = 0; i < bytes.n; i++)
		number = number << 8 | bytes.p[i];
	*value = number;
	*der = after;
	return CS_OK;
}

enum cs_err cs_der_enumerated(struct cs_der *der, uint8_t *value)
{
	struct cs_der after = *der;
	struct cs_bytes bytes;
	CS_TRY(get(&after, &bytes, CS_DER_ENUMERATED));
	if (bytes.n != 1 || bytes.p[0] >= 0x80)
		return CS_ERR_INVALID;
	*value = bytes.p[0];
	*der = after;
	return CS_OK;
}

enum cs_err cs_der_oid(struct cs_der *der, struct cs_bytes *oid)
{
	struct cs_der after = *der;
	struct cs_bytes bytes;
	CS_TRY(get(&after, &bytes, CS_DER_OID));
	if (bytes.n == 0 || bytes.p[bytes.n - 1] >= 0x80)
		return CS_ERR_MALFORMED;
	/* A subidentifier does not begin with a zero digit (8.19.2). */
	for (size_t i = 0; i < bytes.n; i++)
		if (bytes.p[i] == 0x80 && (i == 0 || bytes.p[i - 1] < 0x80))
			return CS_ERR_NON_CANONICAL;
	*oid = bytes;
	*der = after;
	return CS_OK;
}

enum cs_err cs_der_bits(struct cs_der *der, struct cs_bytes *value)
{
	struct cs_der after = *der;
	struct cs_bytes bytes;
	CS_TRY(get(&after, &bytes, CS_DER_BIT_STRING));
	if (bytes.n == 0 || bytes.p[0] != 0)
		return CS_ERR_MALFORMED;
	*value = cs_bytes(bytes.p + 1, bytes.n - 1);
	*der = after;
	return CS_OK;
}

enum cs_err cs_der_flags(struct cs_der *der, uint16_t *flags)
{
	struct cs_der after = *der;
	struct cs_bytes bytes;
	CS_TRY(get(&after, &bytes, CS_DER_BIT_STRING));
	if (bytes.n == 0 || bytes.p[0] > 7 || (bytes.n == 1 && bytes.p[0] != 0))
		return CS_ERR_MALFORMED;
	if (bytes.n > 3)
		return CS_ERR_INVALID;
	uint16_t value = 0;
	for (size_t i = 1; i < bytes.n; i++)
		value = (uint16_t)(value | (uint16_t)bytes.p[i] << (8 * (2 - i)));
	/* Unused bits are zero (11.2.1). That zeros at the end are cut off (11.2.2) is not asked: AMD's
	 * ASK have one too many. */
	if (bytes.n > 1 && (bytes.p[bytes.n - 1] & ((1u << bytes.p[0]) - 1)) != 0)
		return CS_ERR_NON_CANONICAL;
	*flags = value;
	*der = after;
	return CS_OK;
}

enum cs_err cs_der_time(struct cs_der *der, uint64_t *seconds)
{
	struct cs_der after = *der;
	struct cs_der_item item;
	struct cs_date date;
	CS_TRY(cs_der_next(&after, &item));
	const uint8_t *p = item.value.p;
	if (item.tag == CS_DER_UTC_TIME) {
		if (item.value.n != 13 || p[12] != 'Z')
			return CS_ERR_MALFORMED;
		uint32_t year = cs_utc_two_digits(p);
		date.year = year >= 50 ? 1900 + year : 2000 + year;
		p += 2;
	} else if (item.tag == CS_DER_GENERALIZED_TIME) {
		if (item.value.n != 15 || p[14] != 'Z')
			return CS_ERR_MALFORMED;
		uint32_t high = cs_utc_two_digits(p), low = cs_utc_two_digits(p + 2);
		date.year = high > 99 || low > 99 ? 0 : high * 100 + low;
		p += 4;
	} else {
		return CS_ERR_INVALID;
	}
	date.month = cs_utc_two_digits(p);
	date.day = cs_utc_two_digits(p + 2);
	date.hour = cs_utc_two_digits(p + 4);
	date.minute = cs_utc_two_digits(p + 6);
	date.second = cs_utc_two_digits(p + 8);
	CS_TRY(cs_utc_from_date(seconds, &date));
	*der = after;
	return CS_OK;
}

enum cs_err cs_der_ecdsa(uint8_t *rs, size_t size, struct cs_bytes bytes)
{
	struct cs_der pair;
	struct cs_bytes numbers[2];
	CS_TRY(cs_der_one(&pair, bytes, CS_DER_SEQUENCE));
	CS_TRY(cs_der_unsigned(&pair, &numbers[0]));
	CS_TRY(cs_der_unsigned(&pair, &numbers[1]));
	CS_TRY(cs_der_end(&pair));
	if (numbers[0].n > size || numbers[1].n > size)
		return CS_ERR_INVALID;
	memset(rs, 0, 2 * size);
	for (size_t i = 0; i < 2; i++)
		memcpy(rs + (i + 1) * size - numbers[i].n, numbers[i].p, numbers[i].n);
	return CS_OK;
}
