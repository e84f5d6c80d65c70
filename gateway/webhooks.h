/* Webhooks: events of the journal, sent to receivers that applications named, each as a POST signed as
 * Standard Webhooks has it. The journal is the queue: a webhook is a cursor in it, which moves when the
 * receiver has answered 2xx, so that after a crash nothing is missing and at most one event comes twice.
 * One delivery of each webhook is under way at a time: in order, and nobody waits for another's receiver. */
#ifndef GATEWAY_WEBHOOKS_H
#define GATEWAY_WEBHOOKS_H

#include "gateway/gateway.h"
#include "gateway/journal_webhooks.h"
#include "host/standard_webhook.h"

/* Each may have a connection and an answer in flight. */
#define GATEWAY_WEBHOOKS_MAX 64u
/* Of one API key: no app takes all of them. */
#define GATEWAY_WEBHOOKS_PER_KEY_MAX 16u

/* After the journal is open. INVALID: the key of the secrets is missing though there are webhooks that
 * were signed with it; the errors of host_keyfile_load. */
CS_NODISCARD enum cs_err gateway_webhooks_start(struct gateway *gateway, struct cs_why *why);
void gateway_webhooks_stop(struct gateway *gateway);
void gateway_webhooks_pump(struct gateway *gateway);
/* Inside a writer: shortens the logs. */
CS_NODISCARD enum cs_err gateway_webhooks_tidy(struct gateway *gateway);
void gateway_webhooks_collect(struct gateway *gateway);
void gateway_api_webhook_routes(struct gateway *gateway);

/* ---- for the routes; each is on disk when it returns OK ---- */
/* In the order of their making; NULL after the last. */
const struct gateway_webhook *gateway_webhook_at(const struct gateway *gateway, size_t index);
/* Is the API key still there, with its scope? */
bool gateway_webhook_has_owner(const struct gateway *gateway,
			       const struct gateway_webhook *webhook);
/* Whether a receiver of this URL may be there: MALFORMED, INVALID (no https), FORBIDDEN (its address). */
CS_NODISCARD enum cs_err gateway_webhook_url_check(const struct gateway *gateway, const char *url,
						   struct cs_why *why);
/* url, owner, filter and cursor are given, the rest is made. CONFLICT: there are as many as may be. The caller wipes the secret. */
CS_NODISCARD enum cs_err gateway_webhook_add(struct gateway *gateway,
					     const struct gateway_webhook *wanted,
					     const struct gateway_webhook **made,
					     char secret[HOST_WEBHOOK_SECRET_TEXT_SIZE],
					     struct cs_why *why);
CS_NODISCARD enum cs_err gateway_webhook_remove(struct gateway *gateway,
						const struct gateway_webhook *webhook);
/* From its cursor on, or after another one. */
CS_NODISCARD enum cs_err gateway_webhook_enable(struct gateway *gateway,
						const struct gateway_webhook *webhook,
						const uint64_t *cursor);
/* The next secret; the one before signs beside it for webhooks.overlap_s. The caller wipes it. */
CS_NODISCARD enum cs_err gateway_webhook_rotate(struct gateway *gateway,
						const struct gateway_webhook *webhook,
						char secret[HOST_WEBHOOK_SECRET_TEXT_SIZE]);
/* NOT_FOUND: no such event in its log; CONFLICT: it is disabled, or the journal has lost the event. */
CS_NODISCARD enum cs_err gateway_webhook_again(struct gateway *gateway,
					       const struct gateway_webhook *webhook,
					       uint64_t event, struct cs_why *why);

#endif
