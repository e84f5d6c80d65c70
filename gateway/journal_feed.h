/* The parts of the journal that others read in order: the outbox of each peer, the events of
 * streams; and what answers a repeated request: requests and idempotency keys. */
#ifndef GATEWAY_JOURNAL_FEED_H
#define GATEWAY_JOURNAL_FEED_H

#include "gateway/journal.h"
#include "host/trace.h"

/* Values are in the journal and on the wire between gateways. */
enum gateway_item {
	GATEWAY_ITEM_MESSAGES = 1, /* ref: statement of messages */
	GATEWAY_ITEM_OUTCOMES = 2, /* ref: statement of outcomes */
	GATEWAY_ITEM_NOTE =
		3, /* ref: message row; its state and steps as they are when it is sent */
	GATEWAY_ITEM_RETRY = 4,    /* ref: message row */
	GATEWAY_ITEM_ROTATION = 5, /* ref: statement that announces our next key */
	GATEWAY_ITEM_IN_FORCE =
		6, /* ref: the peer's, as it came: our contract has its key in force */
};

struct gateway_outbox_item {
	uint64_t n;
	enum gateway_item kind;
	uint64_t ref;
};

CS_NODISCARD enum cs_err gateway_journal_post(struct gateway_journal *journal, const char *peer,
					      enum gateway_item kind, uint64_t ref);
/* Items of a kind that the peer has not taken yet, counted up to count_max. */
CS_NODISCARD enum cs_err gateway_journal_untold(struct gateway_journal *journal, const char *peer,
						enum gateway_item kind, uint64_t count_max,
						uint64_t *count);
CS_NODISCARD enum cs_err gateway_journal_outbox(struct gateway_journal *journal, const char *peer,
						uint64_t after, struct gateway_outbox_item *items,
						size_t count_max, size_t *count);
/* Everything up to n has arrived; rows below are removed. CONFLICT: there never was such an item. */
CS_NODISCARD enum cs_err gateway_journal_acked(struct gateway_journal *journal, const char *peer,
					       uint64_t n);
CS_NODISCARD enum cs_err gateway_journal_ack(struct gateway_journal *journal, const char *peer,
					     uint64_t *n);
CS_NODISCARD enum cs_err gateway_journal_backlog(struct gateway_journal *journal, const char *peer,
						 uint64_t *count);

/* How far we took what a peer sent; begins at 0 when its journal is another one. */
CS_NODISCARD enum cs_err gateway_journal_consumed(struct gateway_journal *journal, const char *peer,
						  const char *instance, uint64_t *n);
/* The journal of the peer that was taken last and how far; "" and 0 before the first. */
CS_NODISCARD enum cs_err gateway_journal_peer(struct gateway_journal *journal, const char *peer,
					      char instance[40], uint64_t *n);
CS_NODISCARD enum cs_err gateway_journal_consume(struct gateway_journal *journal, const char *peer,
						 const char *instance, uint64_t n);

/* ---- events: n is the cursor of streams, ascending, without reuse ---- */
struct gateway_event {
	uint64_t n;
	uint64_t time_ms;
	const char *kind;  /* "message" or of chains: "chain.reorg", "chain.frozen", … */
	struct cs_hash id; /* of a message */
	enum relay_side side;
	enum relay_state state;
	const char *detail;
};
CS_NODISCARD enum cs_err gateway_journal_event(struct gateway_journal *journal, const char *kind,
					       const struct gateway_message *message,
					       const char *detail);
typedef void gateway_event_fn(void *ctx, const struct gateway_event *event);
/* At most count_max after `after`, ascending. *last: the newest given, untouched without any. */
CS_NODISCARD enum cs_err gateway_journal_events(struct gateway_journal *journal, uint64_t after,
						size_t count_max, gateway_event_fn *each, void *ctx,
						uint64_t *last);
/* The lowest and the highest cursor that are there; 0 without events. */
CS_NODISCARD enum cs_err gateway_journal_events_span(struct gateway_journal *journal,
						     uint64_t *first, uint64_t *last);
CS_NODISCARD enum cs_err gateway_journal_events_prune(struct gateway_journal *journal,
						      uint64_t kept);

/* ---- requests of the REST API ---- */
struct gateway_request {
	uint64_t n;
	char id[36];   /* "r" and 31 hex digits */
	char mode[12]; /* prepare, sponsored */
	struct cs_hash chain;
	struct cs_hash
		payload;     /* keccak of the payload that the message must have; zero: not known */
	uint64_t submission; /* 0: none */
	uint64_t message;    /* row, 0: not seen yet */
	uint64_t created_ms;
	struct host_trace trace;
};
CS_NODISCARD enum cs_err gateway_journal_add_request(struct gateway_journal *journal,
						     struct gateway_request *request);
CS_NODISCARD enum cs_err gateway_journal_request(struct gateway_journal *journal, const char *id,
						 struct gateway_request *request);
CS_NODISCARD enum cs_err gateway_journal_request_row(struct gateway_journal *journal, uint64_t n,
						     struct gateway_request *request);
/* The request that waits for what this submission sends. NOT_FOUND. */
CS_NODISCARD enum cs_err gateway_journal_request_of(struct gateway_journal *journal,
						    uint64_t submission,
						    struct gateway_request *request);
/* The request whose transaction or payload made this message and that has none yet. NOT_FOUND. */
CS_NODISCARD enum cs_err gateway_journal_match_request(struct gateway_journal *journal,
						       const struct cs_hash *chain,
						       const struct cs_hash *tx,
						       const struct cs_hash *payload,
						       struct gateway_request *request);
CS_NODISCARD enum cs_err gateway_journal_link_request(struct gateway_journal *journal,
						      uint64_t request, uint64_t message);
/* Who carries a message: of its request, ours or as its peer told it. Without a parent nothing is kept. */
CS_NODISCARD enum cs_err gateway_journal_add_trace(struct gateway_journal *journal,
						   uint64_t message,
						   const struct host_trace *trace);
/* Without a parent: nobody said, or it cannot be read. */
void gateway_journal_trace(struct gateway_journal *journal, uint64_t message,
			   struct host_trace *trace);

/* NOT_FOUND; CONFLICT when the key was used with another body. The text lives in the arena. */
CS_NODISCARD enum cs_err gateway_journal_idempotent(struct gateway_journal *journal,
						    const char *key_name, const char *key,
						    const struct cs_hash *body,
						    struct cs_arena *arena, int *status,
						    const char **text);
CS_NODISCARD enum cs_err gateway_journal_remember(struct gateway_journal *journal,
						  const char *key_name, const char *key,
						  const struct cs_hash *body, int status,
						  const char *text);
/* Forgets keys older than this. */
CS_NODISCARD enum cs_err gateway_journal_forget(struct gateway_journal *journal,
						uint64_t before_ms);

#endif
