/* The part of the journal that is about webhooks: who wants which events, how far each has them, and
 * the log of deliveries. Holds no secret: of a webhook's secret only its number. */
#ifndef GATEWAY_JOURNAL_WEBHOOKS_H
#define GATEWAY_JOURNAL_WEBHOOKS_H

#include "gateway/journal_feed.h"
#include "host/api_key.h"

/* "wh_" and 24 hex digits. */
#define GATEWAY_WEBHOOK_ID_SIZE 28u
#define GATEWAY_WEBHOOK_URL_MAX 2048u
/* Names of types with commas between. */
#define GATEWAY_WEBHOOK_TYPES_MAX 1024u
#define GATEWAY_WEBHOOK_TYPE_MAX 40u
/* Of the log of one webhook: the newest rows are kept. */
#define GATEWAY_DELIVERIES_KEPT 1000u

/* What is delivered: what all parts that are there name. */
struct gateway_webhook_filter {
	char types[GATEWAY_WEBHOOK_TYPES_MAX + 1]; /* "": all */
	struct cs_hash from;                       /* zero: any; of a message's route */
	struct cs_hash to;
	char message[67]; /* a message's id (0x…) or a request's (r…); "": any */
};

struct gateway_webhook {
	uint64_t n;
	char id[GATEWAY_WEBHOOK_ID_SIZE];
	char owner[HOST_API_KEY_NAME_MAX + 1]; /* name of the API key */
	char url[GATEWAY_WEBHOOK_URL_MAX + 1];
	struct gateway_webhook_filter filter;
	uint32_t secret;       /* number of the one that signs */
	uint64_t old_until_ms; /* the one before signs too until then */
	bool disabled;
	char why[GATEWAY_WHY_MAX + 1]; /* of the last attempt, or why it is disabled */
	uint64_t cursor;               /* every event up to it is delivered, or not wanted */
	uint32_t failures;             /* of the event after it, in a row */
	uint64_t next_ms;              /* wall clock: no attempt before */
	uint64_t created_ms;
};

struct gateway_delivery {
	uint64_t event;
	char type[GATEWAY_WEBHOOK_TYPE_MAX + 1];
	bool delivered;
	bool again; /* somebody wants it delivered once more */
	uint32_t attempts;
	int status; /* of the last attempt; 0: there was no answer */
	char why[GATEWAY_WHY_MAX + 1];
	uint64_t first_ms;
	uint64_t last_ms;
};

/* Sets n. */
CS_NODISCARD enum cs_err gateway_journal_add_webhook(struct gateway_journal *journal,
						     struct gateway_webhook *webhook);
/* Ascending by n. */
CS_NODISCARD enum cs_err gateway_journal_webhooks(struct gateway_journal *journal,
						  struct gateway_webhook *webhooks,
						  size_t count_max, size_t *count);
/* Everything from `secret` on but created_ms. */
CS_NODISCARD enum cs_err gateway_journal_save_webhook(struct gateway_journal *journal,
						      const struct gateway_webhook *webhook);
/* Its log goes with it. */
CS_NODISCARD enum cs_err gateway_journal_remove_webhook(struct gateway_journal *journal,
							uint64_t webhook);

/* One more attempt: first_ms and the number of attempts are the row's, what was delivered stays so. */
CS_NODISCARD enum cs_err gateway_journal_log_delivery(struct gateway_journal *journal,
						      uint64_t webhook,
						      const struct gateway_delivery *delivery);
/* NOT_FOUND: the log has no such event. */
CS_NODISCARD enum cs_err gateway_journal_deliver_again(struct gateway_journal *journal,
						       uint64_t webhook, uint64_t event);
/* The oldest event that is wanted again; 0: none. */
CS_NODISCARD enum cs_err gateway_journal_wanted_again(struct gateway_journal *journal,
						      uint64_t webhook, uint64_t *event);
/* Newest first, below `before`; 0: from the newest. */
CS_NODISCARD enum cs_err gateway_journal_deliveries(struct gateway_journal *journal,
						    uint64_t webhook, uint64_t before,
						    struct gateway_delivery *deliveries,
						    size_t count_max, size_t *count);
/* Keeps the newest GATEWAY_DELIVERIES_KEPT. */
CS_NODISCARD enum cs_err gateway_journal_prune_deliveries(struct gateway_journal *journal,
							  uint64_t webhook);

/* ---- what is wanted ---- */
/* "message.finalized" of a message's new state, else the event's kind. */
void gateway_event_type(char type[GATEWAY_WEBHOOK_TYPE_MAX + 1], const struct gateway_event *event);
/* Whether there are events of this type at all. */
bool gateway_event_type_is_known(const char *type);
/* Whether this webhook wants the event; of an event of no message one with a route or a message does not,
 * unless it is of its request. */
CS_NODISCARD enum cs_err gateway_webhook_wants(struct gateway_journal *journal,
					       const struct gateway_webhook_filter *filter,
					       const struct gateway_event *event, bool *wants);

#endif
