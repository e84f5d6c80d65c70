/* Signatures of webhooks as Standard Webhooks 1.0 has them (standardwebhooks.com, "Signature scheme"):
 * HMAC-SHA256 over "<webhook-id>.<webhook-timestamp>.<body>" with the secret's bytes, written
 * "v1,<base64>", several of them with a space between. Computes; keeps no secret. */
#ifndef HOST_STANDARD_WEBHOOK_H
#define HOST_STANDARD_WEBHOOK_H

#include "core/ct.h"

#define HOST_WEBHOOK_SECRET_PREFIX "whsec_"
/* The prefix, base64 of 32 bytes, a zero. */
#define HOST_WEBHOOK_SECRET_TEXT_SIZE (6u + 44u + 1u)
/* "v1,", base64 of 32 bytes, a zero. */
#define HOST_WEBHOOK_SIGNATURE_SIZE (3u + 44u + 1u)

/* How people see a secret; the caller wipes it. */
void host_webhook_secret_text(char text[HOST_WEBHOOK_SECRET_TEXT_SIZE],
			      const struct cs_secret *secret);
/* key: the secret's bytes, of any length. */
void host_webhook_sign(char signature[HOST_WEBHOOK_SIGNATURE_SIZE], struct cs_bytes key,
		       const char *id, uint64_t timestamp_s, struct cs_bytes body);
/* The secret number `version` of a webhook, out of the one key that is kept: HMAC-SHA256 over a name,
 * the webhook's id and the number. */
void host_webhook_derive(struct cs_secret *secret, const struct cs_secret *key, const char *id,
			 uint32_t version);

#endif
