/* Any bytes as a number: decimals and rounding in the first two. The three ways of rounding
 * agree with each other, text and words lead back. */
#include "core/decimal.h"
#include "core/json.h"
#include "tests/fuzz/fuzz.h"

static enum cs_err parse(struct cs_int256 *out, struct cs_bytes text, unsigned decimals,
			 enum cs_rounding rounding)
{
	return cs_decimal_parse(out, text, decimals, rounding);
}

static void lead_back(const struct cs_int256 *value, unsigned decimals)
{
	char text[CS_DECIMAL_TEXT_SIZE];
	struct cs_int256 again;
	struct cs_hash word;
	cs_assert(!value->negative || !cs_u256_is_zero(&value->magnitude));
	cs_decimal_text(text, value, decimals);
	cs_assert(parse(&again, cs_bytes_str(text), decimals, CS_ROUND_EXACT) == CS_OK);
	cs_assert(cs_int256_cmp(&again, value) == 0);
	if (cs_int256_word(&word, value) != CS_OK)
		return;
	again = cs_int256_from_word(&word);
	cs_assert(cs_int256_cmp(&again, value) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cs_int256 exact, down, even;
	struct cs_u256 distance;
	const struct cs_json *json;
	struct cs_why why;
	if (size < 1)
		return 0;
	unsigned decimals = data[0] % (CS_DECIMALS_MAX + 1);
	struct cs_bytes text = cs_bytes(data + 1, size - 1);
	enum cs_err err = parse(&down, text, decimals, CS_ROUND_DOWN);
	enum cs_err even_err = parse(&even, text, decimals, CS_ROUND_HALF_EVEN);
	enum cs_err exact_err = parse(&exact, text, decimals, CS_ROUND_EXACT);
	if (err != CS_OK) {
		cs_assert(exact_err == err && even_err == err);
		return 0;
	}
	/* What is a number here is one of JSON. */
	cs_assert(cs_json_parse(&json, text, CS_JSON_ANY_NUMBER, fuzz_arena(), &why) == CS_OK &&
		  json->type == CS_JSON_NUMBER);
	lead_back(&down, decimals);
	if (exact_err == CS_OK)
		cs_assert(cs_int256_cmp(&exact, &down) == 0 && even_err == CS_OK &&
			  cs_int256_cmp(&even, &down) == 0);
	else
		cs_assert(exact_err == CS_ERR_INVALID);
	if (even_err != CS_OK)
		return 0;
	cs_assert(cs_int256_distance(&distance, &even, &down) == CS_OK);
	cs_assert(cs_u256_is_zero(&distance) ||
		  (distance.limb[0] == 1 && cs_u256_size(&distance) == 1));
	cs_assert(cs_u256_cmp(&even.magnitude, &down.magnitude) >= 0);
	return 0;
}
