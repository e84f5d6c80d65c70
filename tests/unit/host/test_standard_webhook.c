/* Signatures of webhooks: the vector that the reference libraries of Standard Webhooks publish
 * (tests/vectors/standard-webhooks), and secrets of their own for every webhook and number. */
#include "core/base64.h"
#include "host/standard_webhook.h"
#include "tests/unit/support.h"

static void the_published_vector(void **state)
{
	uint8_t key[CS_UNBASE64_SIZE(32)];
	size_t n = 0;
	char signature[HOST_WEBHOOK_SIGNATURE_SIZE];
	(void)state;
	assert_ok(
		cs_unbase64(key, &n, cs_bytes_str("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), CS_BASE64));
	assert_int_equal(n, 24);
	host_webhook_sign(signature, cs_bytes(key, n), "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330,
			  cs_bytes_str("{\"test\": 2432232314}"));
	assert_string_equal(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
}

/* Every part of what is signed is. */
static void another_part_another_signature(void **state)
{
	static const struct {
		const char *key, *id, *body;
		uint64_t time;
	} cases[] = {{"key", "id", "body", 12}, {"kez", "id", "body", 12},
		     {"key", "ie", "body", 12}, {"key", "id", "bodz", 12},
		     {"key", "id", "body", 13}, {"key", "id", "", 12},
		     {"key", "id", "2.body", 1}};
	char signatures[CS_LEN(cases)][HOST_WEBHOOK_SIGNATURE_SIZE];
	(void)state;
	for (size_t i = 0; i < CS_LEN(cases); i++) {
		host_webhook_sign(signatures[i], cs_bytes_str(cases[i].key), cases[i].id,
				  cases[i].time, cs_bytes_str(cases[i].body));
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(signatures[i], signatures[k]);
	}
}

static void every_webhook_and_number_has_its_own_secret(void **state)
{
	static const struct {
		uint8_t key;
		const char *id;
		uint32_t version;
	} cases[] = {
		{1, "wh_a", 1}, {2, "wh_a", 1}, {1, "wh_b", 1}, {1, "wh_a", 2}, {1, "wh_a", 256}};
	struct cs_secret secrets[CS_LEN(cases)];
	char text[HOST_WEBHOOK_SECRET_TEXT_SIZE];
	(void)state;
	for (size_t i = 0; i < CS_LEN(cases); i++) {
		struct cs_secret key;
		struct cs_secret again;
		memset(key.b, cases[i].key, sizeof(key.b));
		host_webhook_derive(&secrets[i], &key, cases[i].id, cases[i].version);
		host_webhook_derive(&again, &key, cases[i].id, cases[i].version);
		assert_memory_equal(secrets[i].b, again.b, sizeof(again.b));
		for (size_t k = 0; k < i; k++)
			assert_memory_not_equal(secrets[i].b, secrets[k].b, sizeof(again.b));
	}
	host_webhook_secret_text(text, &secrets[0]);
	assert_int_equal(strlen(text), HOST_WEBHOOK_SECRET_TEXT_SIZE - 1);
	assert_memory_equal(text, "whsec_", 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_published_vector),
		cmocka_unit_test(another_part_another_signature),
		cmocka_unit_test(every_webhook_and_number_has_its_own_secret),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
