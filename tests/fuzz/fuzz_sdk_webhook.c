/* What an application's receiver is sent by anybody: timestamp, signatures, one more line that is another secret, and
 * the body. None is taken that our secret did not sign; the same, signed by it, is taken where its timestamp is of
 * now and its body an object, and is read by any path. */
#include "core/base64.h"
#include "host/standard_webhook.h"
#include "sdk/c/include/caisson/client.h"
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>

#define NOW_S 1900000000u
#define HEADERS 3u

static const uint8_t key[32] = {7, 7, 7};

/* The next line of the input, terminated; of what is left. */
static char *line_of(struct cs_bytes *rest)
{
	const uint8_t *end = rest->n > 0 ? memchr(rest->p, '\n', rest->n) : NULL;
	const size_t n = end ? (size_t)(end - rest->p) : rest->n;
	char *line = calloc(1, n + 1);
	cs_assert(line != NULL);
	if (n > 0)
		memcpy(line, rest->p, n);
	*rest = end ? cs_bytes(end + 1, rest->n - n - 1) : CS_BYTES_NONE;
	return line;
}

static enum caisson_err verify(struct caisson_answer **event, const struct caisson_webhook *webhook,
			       const char *const *secrets, size_t count)
{
	struct caisson_error error = {.err = CAISSON_OK};
	const enum caisson_err err =
		caisson_verify_webhook(event, webhook, secrets, count, NOW_S, &error);
	cs_assert((err == CAISSON_OK) == (*event != NULL));
	cs_assert(err == CAISSON_OK || (error.err == err && error.text[0] != 0));
	return err;
}

/* By a path out of the input: what is there has one kind. */
static void look(const struct caisson_answer *event, const char *path)
{
	uint64_t number = 0;
	const bool is_text = caisson_answer_text(event, path) != NULL;
	const bool is_number = caisson_answer_number(event, path, &number);
	const bool is_true = caisson_answer_is_true(event, path);
	const bool is_array = caisson_answer_count(event, path) > 0;
	const int kinds = (int)is_text + (int)is_number + (int)is_true + (int)is_array;
	cs_assert(kinds <= 1 && (kinds == 0 || caisson_answer_has(event, path)));
	char *text = caisson_answer_json(event);
	cs_assert(text != NULL);
	free(text);
}

/* Signed by us, beside whatever signatures the input has: by the number that the header says. */
static void signed_by_us(struct caisson_webhook webhook, const char *path)
{
	char secret[sizeof(HOST_WEBHOOK_SECRET_PREFIX) + CS_BASE64_SIZE(sizeof(key))];
	char signature[HOST_WEBHOOK_SIGNATURE_SIZE];
	struct caisson_answer *event = NULL;
	memcpy(secret, HOST_WEBHOOK_SECRET_PREFIX, sizeof(HOST_WEBHOOK_SECRET_PREFIX));
	(void)cs_base64(secret + strlen(secret), CS_BYTES_OF(key), CS_BASE64);
	const char *const ours = secret;
	cs_assert(verify(&event, &webhook, &ours, 1) != CAISSON_OK);
	host_webhook_sign(signature, CS_BYTES_OF(key), webhook.id,
			  strtoull(webhook.timestamp, NULL, 10),
			  cs_bytes(webhook.body, webhook.body_size));
	webhook.signature = signature;
	if (verify(&event, &webhook, &ours, 1) != CAISSON_OK)
		return;
	const uint64_t timestamp_s = strtoull(webhook.timestamp, NULL, 10);
	cs_assert(timestamp_s + CAISSON_WEBHOOK_TOLERANCE_S >= NOW_S &&
		  timestamp_s <= NOW_S + CAISSON_WEBHOOK_TOLERANCE_S);
	look(event, path);
	caisson_answer_free(event);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cs_bytes rest = cs_bytes(data, size);
	char *lines[HEADERS];
	if (size > 65536)
		return 0;
	for (size_t i = 0; i < HEADERS; i++)
		lines[i] = line_of(&rest);
	const struct caisson_webhook webhook = {.id = "msg_1",
						.timestamp = lines[0],
						.signature = lines[1],
						.body = rest.n > 0 ? (const char *)rest.p : "",
						.body_size = rest.n};
	struct caisson_answer *event = NULL;
	const char *const theirs = lines[2];
	/* A secret that is the input's own may have signed it: in a corpus by hand it has. */
	if (verify(&event, &webhook, &theirs, 1) == CAISSON_OK)
		caisson_answer_free(event);
	signed_by_us(webhook, lines[2]);
	for (size_t i = 0; i < HEADERS; i++)
		free(lines[i]);
	return 0;
}
