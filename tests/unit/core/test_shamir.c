/* Shares that other code made (tests/vectors/shamir), every subset of our own, and what does not combine. */
#include "../support.h"
#include "core/shamir.h"

static void shares_of_other_code(void **state)
{
	(void)state;
	json_t *all = read_json(CS_VECTORS "/shamir/slip39.json");
	size_t at;
	json_t *v;
	assert_true(json_array_size(all) >= 4);
	json_array_foreach(all, at, v)
	{
		const size_t threshold =
			(size_t)json_integer_value(json_object_get(v, "threshold"));
		const json_t *list = json_object_get(v, "shares");
		const struct cs_hash expected = hash_of(v, "secret");
		/* From the first on, and from the last backwards. */
		for (unsigned backwards = 0; backwards < 2; backwards++) {
			struct cs_share shares[CS_SHARES_MAX];
			struct cs_secret secret;
			for (size_t i = 0; i < threshold; i++) {
				const json_t *row = json_array_get(
					list, backwards ? json_array_size(list) - 1 - i : i);
				const struct cs_hash y = hash_of(row, "y");
				shares[i].x =
					(uint8_t)json_integer_value(json_object_get(row, "x"));
				memcpy(shares[i].y.b, y.b, sizeof y.b);
			}
			assert_int_equal(cs_shamir_combine(&secret, shares, threshold), CS_OK);
			assert_memory_equal(secret.b, expected.b, sizeof secret.b);
		}
	}
	json_decref(all);
}

static void any_three_of_five(void **state)
{
	(void)state;
	const struct cs_secret secret = {{1, 2, 3, 0xff}}, random[2] = {{{7, 9}}, {{0x80, 0xfe}}};
	struct cs_share shares[5];
	cs_shamir_split(shares, 5, 3, &secret, random);
	for (unsigned set = 0; set < 32; set++) {
		struct cs_share chosen[5];
		struct cs_secret back;
		size_t count = 0;
		for (unsigned i = 0; i < 5; i++)
			if (set & (1u << i))
				chosen[count++] = shares[i];
		if (count < 2)
			continue;
		assert_int_equal(cs_shamir_combine(&back, chosen, count), CS_OK);
		/* Two are too few; more than the threshold lie on the same polynomial. */
		assert_int_equal(memcmp(back.b, secret.b, sizeof back.b) == 0, count >= 3);
	}
}

static void what_does_not_combine(void **state)
{
	(void)state;
	struct cs_share shares[CS_SHARES_MAX + 1] = {{.x = 1}, {.x = 2}};
	struct cs_secret secret = {{5}};
	assert_int_equal(cs_shamir_combine(&secret, shares, 0), CS_ERR_INVALID);
	assert_int_equal(cs_shamir_combine(&secret, shares, CS_SHARES_MAX + 1), CS_ERR_INVALID);
	assert_int_equal(cs_shamir_combine(&secret, shares, 3), CS_ERR_INVALID);
	shares[1].x = 1;
	assert_int_equal(cs_shamir_combine(&secret, shares, 2), CS_ERR_DUPLICATE);
	assert_int_equal(secret.b[0], 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shares_of_other_code),
		cmocka_unit_test(any_three_of_five),
		cmocka_unit_test(what_does_not_combine),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
