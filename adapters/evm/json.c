#include "adapters/evm/json.h"

#include <stdio.h>

/* -1: no hex digit. Most of what a node says is hex. */
static int digit(char c)
{
	static const int8_t values[256] = {
		['0'] = 1,  ['1'] = 2,  ['2'] = 3,  ['3'] = 4,  ['4'] = 5,  ['5'] = 6,
		['6'] = 7,  ['7'] = 8,  ['8'] = 9,  ['9'] = 10, ['a'] = 11, ['b'] = 12,
		['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16, ['A'] = 11, ['B'] = 12,
		['C'] = 13, ['D'] = 14, ['E'] = 15, ['F'] = 16};
	return values[(uint8_t)c] - 1;
}

/* The digits after 0x. */
static enum cs_err hex_digits(struct cs_bytes *digits, const json_t *json)
{
	if (json == NULL || json_is_null(json))
		return CS_ERR_MISSING_FIELD;
	if (!json_is_string(json))
		return CS_ERR_MALFORMED;
	const char *text = json_string_value(json);
	size_t n = json_string_length(json);

	if (n < 2 || text[0] != '0' || (text[1] != 'x' && text[1] != 'X'))
		return CS_ERR_MALFORMED;
	for (size_t at = 2; at < n; at++)
		if (digit(text[at]) < 0)
			return CS_ERR_MALFORMED;
	*digits = cs_bytes(text + 2, n - 2);
	return CS_OK;
}

enum cs_err evm_json_word(struct cs_hash *word, const json_t *json)
{
	struct cs_bytes digits;
	struct cs_hash out = {{0}};

	CS_TRY(hex_digits(&digits, json));
	if (digits.n == 0)
		return CS_ERR_MALFORMED;
	while (digits.n > 0 && digits.p[0] == '0') {
		digits.p++;
		digits.n--;
	}
	if (digits.n > 64)
		return CS_ERR_OVERFLOW;
	for (size_t at = 0; at < digits.n; at++) {
		size_t place = digits.n - 1 - at;
		int value = digit((char)digits.p[at]);

		out.b[31 - place / 2] |= (uint8_t)(place % 2 == 1 ? value << 4 : value);
	}
	*word = out;
	return CS_OK;
}

enum cs_err evm_json_u64(uint64_t *value, const json_t *json)
{
	struct cs_hash word;

	CS_TRY(evm_json_word(&word, json));
	for (size_t at = 0; at < 24; at++)
		if (word.b[at] != 0)
			return CS_ERR_OVERFLOW;
	*value = cs_be64(word.b + 24);
	return CS_OK;
}

enum cs_err evm_json_u32(uint32_t *value, const json_t *json)
{
	uint64_t wide;

	CS_TRY(evm_json_u64(&wide, json));
	if (wide > UINT32_MAX)
		return CS_ERR_OVERFLOW;
	*value = (uint32_t)wide;
	return CS_OK;
}

enum cs_err evm_json_fixed(uint8_t *bytes, size_t n, const json_t *json)
{
	struct cs_bytes digits;

	CS_TRY(hex_digits(&digits, json));
	if (digits.n != 2 * n)
		return CS_ERR_MALFORMED;
	for (size_t at = 0; at < n; at++)
		bytes[at] = (uint8_t)(digit((char)digits.p[2 * at]) << 4 |
				      digit((char)digits.p[2 * at + 1]));
	return CS_OK;
}

enum cs_err evm_json_hash(struct cs_hash *hash, const json_t *json)
{
	return evm_json_fixed(hash->b, sizeof(hash->b), json);
}

enum cs_err evm_json_address(struct cs_address *address, const json_t *json)
{
	return evm_json_fixed(address->b, sizeof(address->b), json);
}

size_t evm_json_bytes_size(const json_t *json)
{
	struct cs_bytes digits;

	return hex_digits(&digits, json) == CS_OK ? digits.n / 2 : 0;
}

enum cs_err evm_json_bytes(struct cs_buf *buf, const json_t *json)
{
	struct cs_bytes digits;

	CS_TRY(hex_digits(&digits, json));
	if (digits.n % 2 != 0)
		return CS_ERR_MALFORMED;
	for (size_t at = 0; at < digits.n; at += 2)
		cs_put_u8(buf, (uint8_t)(digit((char)digits.p[at]) << 4 |
					 digit((char)digits.p[at + 1])));
	return CS_OK;
}

json_t *evm_json_from_u64(uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "0x%llx", (unsigned long long)value);
	return json_string(text);
}

json_t *evm_json_from_address(const struct cs_address *address)
{
	return host_json_hex(CS_BYTES_OF(address->b));
}
