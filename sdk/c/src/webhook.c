#include "core/base64.h"
#include "core/ct.h"
#include "host/standard_webhook.h"
#include "sdk/c/src/inner.h"

#include <string.h>

#define TIMESTAMP_DIGITS_MAX 15u
/* A rotation has two; the tries are bounded, whoever sends. */
#define SIGNATURES_MAX 32u
#define KEY_SIZE_MAX CS_UNBASE64_SIZE(CAISSON_WEBHOOK_SECRET_SIZE_MAX)

static bool read_timestamp(uint64_t *value, const char *text)
{
	size_t n = strlen(text);
	uint64_t number = 0;
	/* Of one form: it is the text that was signed. */
	if (n == 0 || n > TIMESTAMP_DIGITS_MAX || (text[0] == '0' && n > 1))
		return false;
	for (size_t i = 0; i < n; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		number = 10 * number + (uint64_t)(text[i] - '0');
	}
	*value = number;
	return true;
}

/* Whether the header has this signature; each is compared in constant time. */
static bool offers(const char *header, const char wanted[HOST_WEBHOOK_SIGNATURE_SIZE])
{
	bool found = false;
	for (unsigned i = 0; i < SIGNATURES_MAX && *header; i++) {
		size_t n = strcspn(header, " ");
		if (n == HOST_WEBHOOK_SIGNATURE_SIZE - 1 && cs_ct_eq(header, wanted, n))
			found = true;
		header += n;
		if (*header == ' ')
			header++;
	}
	return found;
}

/* INVALID without a word of the secret: this may be logged. */
static enum caisson_err signs(bool *found, const struct caisson_webhook *webhook,
			      uint64_t timestamp_s, const char *secret, struct caisson_error *error)
{
	static const size_t prefix = sizeof(HOST_WEBHOOK_SECRET_PREFIX) - 1;
	uint8_t key[KEY_SIZE_MAX];
	char wanted[HOST_WEBHOOK_SIGNATURE_SIZE];
	size_t n = 0;
	if (strncmp(secret, HOST_WEBHOOK_SECRET_PREFIX, prefix) == 0)
		secret += prefix;
	if (strlen(secret) > CAISSON_WEBHOOK_SECRET_SIZE_MAX ||
	    cs_unbase64(key, &n, cs_bytes_str(secret), CS_BASE64) != CS_OK || n == 0)
		return fail_as(error, CAISSON_INVALID, "a secret is whsec_ and base64");
	host_webhook_sign(wanted, cs_bytes(key, n), webhook->id, timestamp_s,
			  cs_bytes(webhook->body, webhook->body_size));
	*found = offers(webhook->signature, wanted) || *found;
	cs_wipe(key, sizeof(key));
	cs_wipe(wanted, sizeof(wanted));
	return CAISSON_OK;
}

static enum caisson_err check_headers(const struct caisson_webhook *webhook, uint64_t *timestamp_s,
				      uint64_t now_s, struct caisson_error *error)
{
	const char *missing = !webhook->id          ? "webhook-id"
			      : !webhook->timestamp ? "webhook-timestamp"
			      : !webhook->signature ? "webhook-signature"
						    : NULL;
	if (missing)
		return fail_as(error, CAISSON_BAD_WEBHOOK, "the header %s is missing", missing);
	if (!read_timestamp(timestamp_s, webhook->timestamp))
		return fail_as(error, CAISSON_BAD_WEBHOOK, "webhook-timestamp is not a number");
	uint64_t apart = now_s > *timestamp_s ? now_s - *timestamp_s : *timestamp_s - now_s;
	if (apart > CAISSON_WEBHOOK_TOLERANCE_S)
		return fail_as(error, CAISSON_BAD_WEBHOOK, "webhook-timestamp is not of now");
	return CAISSON_OK;
}

enum caisson_err caisson_verify_webhook(struct caisson_answer **event,
					const struct caisson_webhook *webhook,
					const char *const *secrets, size_t secrets_count,
					uint64_t now_s, struct caisson_error *error)
{
	uint64_t timestamp_s = 0;
	bool found = false;
	enum caisson_err err = check_headers(webhook, &timestamp_s, now_s, error);
	for (size_t i = 0; i < secrets_count && err == CAISSON_OK; i++)
		err = signs(&found, webhook, timestamp_s, secrets[i], error);
	if (err != CAISSON_OK)
		return err;
	if (!found)
		return fail_as(error, CAISSON_BAD_WEBHOOK,
			       "no signature is by a secret that is known here");
	json_t *json = answer_parse(cs_bytes(webhook->body, webhook->body_size));
	if (!json)
		return fail_as(error, CAISSON_BAD_WEBHOOK, "the body is not a JSON object");
	struct caisson_answer *made = answer_new(json);
	if (!made)
		return fail_as(error, CAISSON_NO_MEMORY, "no memory");
	*event = made;
	return CAISSON_OK;
}
