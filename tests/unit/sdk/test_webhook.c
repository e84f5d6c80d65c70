/* Signatures of webhooks: the vector of Standard Webhooks' reference libraries, and everything around it
 * that is refused. */
#include "sdk/c/include/caisson/client.h"
#include "tests/unit/sdk/vectors.h"
#include "tests/unit/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OTHER "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"

struct world {
	json_t *vector;
	const char *secret;
	uint64_t now_s;
	struct caisson_webhook webhook;
};

static const char *member(const struct world *world, const char *name)
{
	return json_string_value(json_object_get(world->vector, name));
}

static struct world world_of(void)
{
	struct world world = {.vector = vector_file("standard-webhooks/vector")};
	const json_t *timestamp = json_object_get(world.vector, "timestamp");
	world.secret = member(&world, "secret");
	world.now_s = strtoull(json_string_value(timestamp), NULL, 10);
	world.webhook = (struct caisson_webhook){.id = member(&world, "id"),
						 .timestamp = member(&world, "timestamp"),
						 .signature = member(&world, "signature"),
						 .body = member(&world, "body"),
						 .body_size = strlen(member(&world, "body"))};
	return world;
}

static void good(const struct world *world, const char *const *secrets, size_t count)
{
	struct caisson_answer *event = NULL;
	struct caisson_error error = {.text = ""};
	uint64_t number = 0;
	if (caisson_verify_webhook(&event, &world->webhook, secrets, count, world->now_s, &error) !=
	    CAISSON_OK)
		fail_msg("%s", error.text);
	assert_true(caisson_answer_number(event, "test", &number));
	assert_int_equal(number, 2432232314);
	caisson_answer_free(event);
}

static void refused(const struct world *world, const char *const *secrets, size_t count,
		    enum caisson_err err, const char *why)
{
	struct caisson_answer *event = NULL;
	struct caisson_error error = {.text = ""};
	assert_int_equal(caisson_verify_webhook(&event, &world->webhook, secrets, count,
						world->now_s, &error),
			 err);
	if (!strstr(error.text, why))
		fail_msg("\"%s\" is not in \"%s\"", why, error.text);
	assert_int_equal(error.err, err);
	assert_null(event);
}

static void the_published_vector(void **state)
{
	(void)state;
	struct world world = world_of();
	good(&world, &world.secret, 1);
	json_decref(world.vector);
}

static void after_a_rotation(void **state)
{
	(void)state;
	char signature[512];
	struct world world = world_of();
	const char *const both[] = {OTHER, world.secret};
	const char *bare = world.secret + strlen("whsec_");
	good(&world, both, 2);
	good(&world, &bare, 1);
	(void)snprintf(signature, sizeof(signature), "v1a,AAAA v1,%043d=  %s", 0,
		       world.webhook.signature);
	world.webhook.signature = signature;
	good(&world, &world.secret, 1);
	json_decref(world.vector);
}

static void of_another_time(void **state)
{
	(void)state;
	static const int64_t apart[] = {-301, 301, 1000000000, -1000000000};
	struct world world = world_of();
	uint64_t now_s = world.now_s;
	for (size_t i = 0; i < CS_LEN(apart); i++) {
		world.now_s = (uint64_t)((int64_t)now_s + apart[i]);
		refused(&world, &world.secret, 1, CAISSON_BAD_WEBHOOK, "not of now");
	}
	world.now_s = now_s + CAISSON_WEBHOOK_TOLERANCE_S;
	good(&world, &world.secret, 1);
	world.now_s = now_s - CAISSON_WEBHOOK_TOLERANCE_S;
	good(&world, &world.secret, 1);
	json_decref(world.vector);
}

static void of_nobody_known(void **state)
{
	(void)state;
	char text[512];
	struct world world = world_of();
	const struct caisson_webhook as_it_came = world.webhook;
	const char *other = OTHER;
	static const char why[] = "no signature";
	refused(&world, &other, 1, CAISSON_BAD_WEBHOOK, why);
	refused(&world, NULL, 0, CAISSON_BAD_WEBHOOK, why);
	world.webhook.body_size--;
	refused(&world, &world.secret, 1, CAISSON_BAD_WEBHOOK, why);
	world.webhook.body_size = 0;
	refused(&world, &world.secret, 1, CAISSON_BAD_WEBHOOK, why);
	world.webhook = as_it_came;
	world.webhook.id = "msg_other";
	refused(&world, &world.secret, 1, CAISSON_BAD_WEBHOOK, why);
	world.webhook = as_it_came;
	(void)snprintf(text, sizeof(text), "%llu", (unsigned long long)world.now_s + 1);
	world.webhook.timestamp = text;
	refused(&world, &world.secret, 1, CAISSON_BAD_WEBHOOK, why);
	world.webhook = as_it_came;
	const char *const forms[] = {"", "v1,", world.webhook.signature + 3, text, "v1 , ", "v1"};
	(void)snprintf(text, sizeof(text), "v2%s", as_it_came.signature + 2);
	for (size_t i = 0; i < CS_LEN(forms); i++) {
		world.webhook.signature = forms[i];
		refused(&world, &world.secret, 1, CAISSON_BAD_WEBHOOK, why);
	}
	(void)snprintf(text, sizeof(text), "%.*s", (int)strlen(as_it_came.signature) - 1,
		       as_it_came.signature);
	world.webhook.signature = text;
	refused(&world, &world.secret, 1, CAISSON_BAD_WEBHOOK, why);
	json_decref(world.vector);
}

static void headers_and_bodies_of_no_webhook(void **state)
{
	(void)state;
	static const char *const numbers[] = {"",           "-1", "1.5", "x", "1111111111111111",
					      "01614265330"};
	struct world world = world_of();
	const struct caisson_webhook as_it_came = world.webhook;
	world.webhook.id = NULL;
	refused(&world, &world.secret, 1, CAISSON_BAD_WEBHOOK, "webhook-id is missing");
	world.webhook = as_it_came;
	world.webhook.timestamp = NULL;
	refused(&world, &world.secret, 1, CAISSON_BAD_WEBHOOK, "webhook-timestamp is missing");
	for (size_t i = 0; i < CS_LEN(numbers); i++) {
		world.webhook.timestamp = numbers[i];
		refused(&world, &world.secret, 1, CAISSON_BAD_WEBHOOK, "not a number");
	}
	world.webhook = as_it_came;
	world.webhook.signature = NULL;
	refused(&world, &world.secret, 1, CAISSON_BAD_WEBHOOK, "webhook-signature is missing");
	json_decref(world.vector);
}

static void secrets_that_are_none(void **state)
{
	(void)state;
	static const char *const secrets[] = {"", "whsec_", "whsec_***", "whsec_abc"};
	char long_one[CAISSON_WEBHOOK_SECRET_SIZE_MAX + 8];
	const char *secret = long_one;
	struct world world = world_of();
	for (size_t i = 0; i < CS_LEN(secrets); i++)
		refused(&world, secrets + i, 1, CAISSON_INVALID, "a secret is whsec_ and base64");
	memset(long_one, 'A', sizeof(long_one));
	long_one[CAISSON_WEBHOOK_SECRET_SIZE_MAX + 4] = 0;
	refused(&world, &secret, 1, CAISSON_INVALID, "a secret is whsec_ and base64");
	json_decref(world.vector);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_published_vector),
		cmocka_unit_test(after_a_rotation),
		cmocka_unit_test(of_another_time),
		cmocka_unit_test(of_nobody_known),
		cmocka_unit_test(headers_and_bodies_of_no_webhook),
		cmocka_unit_test(secrets_that_are_none),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
