/* The journal of a gateway: everything is written here before it happens, and after a crash
 * everything goes on from here. Holds messages by side, statements, submissions with every attempt,
 * steps, the outbox to peers, the events of streams, requests and idempotency keys, cursors and the
 * enclave's sealed state. Never acts; asks relay_state/relay for each move.
 *
 * Functions that write run inside a writer of host_store_write; what they return but OK undoes the
 * whole writer. Queries see what was written before, committed or not: whoever acts on what it read
 * flushes first. */
#ifndef GATEWAY_JOURNAL_H
#define GATEWAY_JOURNAL_H

#include "adapters/attempts.h"
#include "relay_state/relay/relay.h"
#include "wire/envelope.h"

#define GATEWAY_WHY_MAX 200u

struct gateway_journal;

/* A message as one side of its route keeps it. Heights and times of 0: not known yet. */
struct gateway_message {
	uint64_t n; /* row */
	struct cs_hash id;
	enum relay_side side;
	enum relay_state state;
	struct cs_hash chain;  /* ours: source or destination by side */
	struct cs_hash remote; /* the other one */
	uint64_t sequence;
	uint64_t deadline;
	uint64_t min_gas_limit;
	uint8_t finality;
	struct cs_hash closer;
	struct cs_hash refund_to;
	/* source position: evidence */
	uint64_t height;
	struct cs_hash block;
	struct cs_hash tx;
	uint32_t tx_index;
	uint32_t log_index;
	uint64_t time_s;
	/* the signed statement and our place in it */
	uint64_t statement;
	uint32_t leaf;
	/* what the destination holds, and since which block */
	enum wire_status status;
	uint64_t status_height;
	struct cs_hash status_tx;
	uint64_t status_time_s;
	/* the signed outcome */
	enum wire_status outcome;
	uint64_t outcome_statement;
	uint32_t outcome_leaf;
	/* MessageFinalized at the source */
	uint64_t end_height;
	struct cs_hash end_tx;
	uint64_t end_time_s;
	uint64_t submission; /* open one, 0: none */
	uint64_t
		wish_retry; /* an operator or the application asked for it: 1, or with how much gas */
	uint64_t next_ms;   /* wall clock: not looked at before */
	uint32_t tries;
	char why[GATEWAY_WHY_MAX + 1];
	uint64_t created_ms;
	uint64_t updated_ms;
	uint64_t request; /* row, 0: none known */
	/* What the row has in its indices, as it was read or saved last: the journal's own. */
	struct {
		enum relay_state state;
		uint64_t height;
		uint64_t statement;
		uint32_t leaf;
		uint32_t outcome_leaf;
		uint64_t outcome_statement;
		uint64_t status_height;
		uint64_t end_height;
		uint64_t submission;
	} stored;
};

struct gateway_statement {
	uint64_t n;
	struct wire_statement statement;
	struct cs_schnorr signature;
	uint32_t count;
	struct cs_hash ids[CS_BATCH_MAX]; /* of a rotation: the new key, of the epoch after */
	uint8_t statuses[CS_BATCH_MAX];   /* of outcomes */
};

/* What is sent to a chain, by whom it is signed, and what for. Values are in the journal: only
 * append. */
enum gateway_kind {
	GATEWAY_DELIVER = 1,
	GATEWAY_RETRY = 2,
	GATEWAY_EXPIRE = 3,
	GATEWAY_FINALIZE = 4,
	GATEWAY_ROTATION = 5,
	GATEWAY_SWEEP = 6,      /* what is on the gas account, to the manifest's address */
	GATEWAY_SPONSORED = 16, /* signed by the operator's account: to and data are in the row */
	GATEWAY_SUBMITTED = 17, /* signed by an application: the one attempt there is */
};

enum gateway_submission_state {
	GATEWAY_SUBMISSION_OPEN = 0,
	GATEWAY_SUBMISSION_INCLUDED = 1,
	GATEWAY_SUBMISSION_SETTLED = 2,
	GATEWAY_SUBMISSION_FAILED = 3,
	GATEWAY_SUBMISSION_UNKNOWN = 4, /* may have happened or not: watched, never sent anew */
	GATEWAY_SUBMISSION_GIVEN = 5,   /* an application's, sent as it is until a block has it */
	GATEWAY_SUBMISSION_LOST =
		6, /* an application's: may have happened or not, not sent any more */
};

struct gateway_submission {
	uint64_t n;
	struct cs_hash chain;
	enum gateway_kind kind;
	enum gateway_submission_state state;
	struct cs_address account;
	uint64_t statement;
	uint32_t first; /* leaf */
	uint32_t count;
	struct cs_address to;
	struct cs_hash value;
	uint64_t gas_limit;
	uint64_t nonce;
	struct cs_hash hash; /* of the attempt that counts */
	uint64_t height;
	bool succeeded;
	uint64_t gas_used;
	uint64_t gas_price_wei;
	uint64_t request;
	uint64_t created_ms;
};

struct gateway_step {
	uint64_t message; /* row */
	enum relay_step step;
	uint64_t time_ms;
	const char *chain; /* CAIP-2, NULL: none */
	const struct cs_hash *tx;
	uint64_t block;
	const char *detail;
};

/* ---- opening ---- */

/* The errors of host_store_open. */
CS_NODISCARD enum cs_err gateway_journal_open(struct gateway_journal **journal,
					      struct host_loop *loop, const char *path,
					      struct cs_why *why);
void gateway_journal_close(struct gateway_journal *journal);
struct host_store *gateway_journal_store(struct gateway_journal *journal);
/* 16 random bytes as hex, made when it is opened: numbers of the outbox mean something to peers
 * together with it alone. */
const char *gateway_journal_instance(const struct gateway_journal *journal);

/* ---- small things by name: sealed state, cursors ---- */
CS_NODISCARD enum cs_err gateway_journal_put(struct gateway_journal *journal, const char *name,
					     struct cs_bytes value);
/* NOT_FOUND. The bytes live in the arena: NO_MEMORY. */
CS_NODISCARD enum cs_err gateway_journal_get(struct gateway_journal *journal, const char *name,
					     struct cs_arena *arena, struct cs_bytes *value);

/* ---- messages ---- */
/* Takes everything of `message` but n, and the content; sets message->n. DUPLICATE: (id, side) is
 * there. Adds the event. */
CS_NODISCARD enum cs_err gateway_journal_add(struct gateway_journal *journal,
					     struct gateway_message *message,
					     const struct wire_message *content);
CS_NODISCARD enum cs_err gateway_journal_find(struct gateway_journal *journal,
					      const struct cs_hash *id, enum relay_side side,
					      struct gateway_message *message);
CS_NODISCARD enum cs_err gateway_journal_row(struct gateway_journal *journal, uint64_t n,
					     struct gateway_message *message);
/* Sender, recipient, payload in the arena; the head is complete. */
CS_NODISCARD enum cs_err gateway_journal_content(struct gateway_journal *journal,
						 const struct gateway_message *message,
						 struct cs_arena *arena,
						 struct wire_message *content);
/* Writes every changeable field but the state. */
CS_NODISCARD enum cs_err gateway_journal_save(struct gateway_journal *journal,
					      struct gateway_message *message);
/* Moves by the table and saves; the event is added. CONFLICT: no such move, nothing is written. */
CS_NODISCARD enum cs_err gateway_journal_move(struct gateway_journal *journal,
					      struct gateway_message *message,
					      enum relay_event event);
/* For a move that is written together with the next one: what the two above tell of theirs, which is the
 * event of streams and what goes to the bridge's ledger. The message is as it is after the move. */
CS_NODISCARD enum cs_err gateway_journal_told(struct gateway_journal *journal,
					      const struct gateway_message *message,
					      enum relay_event event);
/* The first fact of a step stays. */
CS_NODISCARD enum cs_err gateway_journal_step(struct gateway_journal *journal,
					      const struct gateway_step *step);
/* The newest fact stays: of what can be undone. */
CS_NODISCARD enum cs_err gateway_journal_step_again(struct gateway_journal *journal,
						    const struct gateway_step *step);
/* Forgets steps from `from` to `to`: a reorganisation took them. */
CS_NODISCARD enum cs_err gateway_journal_steps_undo(struct gateway_journal *journal,
						    uint64_t message, unsigned from, unsigned to);
/* Another number than before when a message's row, its steps or a submission may have changed since, and now
 * and then when they have not: for who keeps what he made of them. */
uint64_t gateway_journal_version(const struct gateway_journal *journal, uint64_t message);
typedef void gateway_step_fn(void *ctx, const struct gateway_step *step);
/* Those from `from` on. */
CS_NODISCARD enum cs_err gateway_journal_steps(struct gateway_journal *journal, uint64_t message,
					       enum relay_step from, gateway_step_fn *each,
					       void *ctx);

/* ---- work: rows in a state whose time has come, at most count_max ----
 * Of the states that a block or a transaction ends (observed, submitted, included) all rows; of the
 * others those without an open submission and without an end: one that waits for its end holds
 * nobody up. height_max is for the former alone, and gives the lowest first. */
struct gateway_pick {
	const struct cs_hash *chain;
	enum relay_side side;
	enum relay_state state;
	const struct cs_hash *remote; /* NULL: any */
	uint64_t due_ms;              /* next_ms up to it */
	uint64_t height_max;   /* 0: any; source height plus finality, or status height by side, at
				  most this */
	uint64_t deadline_max; /* 0: any; deadline at most this */
	uint64_t deadline_min; /* deadline above this */
	enum wire_status outcome_not; /* NONE: any */
	bool wish_retry;
	bool newest_first;
};
CS_NODISCARD enum cs_err gateway_journal_pick(struct gateway_journal *journal,
					      const struct gateway_pick *pick,
					      struct gateway_message *messages, size_t count_max,
					      size_t *count);
/* Every row of a statement on a side, in the order of leaves. */
CS_NODISCARD enum cs_err gateway_journal_of_statement(struct gateway_journal *journal,
						      uint64_t statement, bool outcome,
						      enum relay_side side,
						      struct gateway_message *messages,
						      size_t count_max, size_t *count);
CS_NODISCARD enum cs_err gateway_journal_of_submission(struct gateway_journal *journal,
						       uint64_t submission,
						       struct gateway_message *messages,
						       size_t count_max, size_t *count);
/* Rows above `after` whose position on our chain is at or above a height, at most count_max in the
 * order of rows: by source position, status position or end position. */
enum gateway_place { GATEWAY_PLACE_SOURCE, GATEWAY_PLACE_STATUS, GATEWAY_PLACE_END };
CS_NODISCARD enum cs_err gateway_journal_above(struct gateway_journal *journal,
					       const struct cs_hash *chain,
					       enum gateway_place place, uint64_t height,
					       uint64_t after, struct gateway_message *messages,
					       size_t count_max, size_t *count);
/* Ids of what our enclave signed from blocks of our chain at or above a height, ascending: messages
 * by their source block, outcomes by the block of the status, or by the final block that showed
 * that there was none. */
CS_NODISCARD enum cs_err gateway_journal_signed(struct gateway_journal *journal,
						const struct cs_hash *chain, bool outcomes,
						uint64_t height, struct cs_hash *ids,
						size_t count_max, size_t *count);
/* Rows with an end position up to a final height that are not at their end. */
CS_NODISCARD enum cs_err gateway_journal_ending(struct gateway_journal *journal,
						const struct cs_hash *chain, uint64_t final_height,
						struct gateway_message *messages, size_t count_max,
						size_t *count);

/* What a list is of; zeros, NULL and none: any. */
struct gateway_filter {
	enum relay_state state;
	enum relay_side side;
	const struct cs_hash *from;
	const struct cs_hash *to;
	const struct cs_hash *tx;  /* of the event at the source */
	struct cs_bytes sender;    /* ERC-7930 */
	struct cs_bytes recipient; /* ERC-7930 */
};
/* Rows that are looked at for one page: what matches seldom costs no more than what matches often. */
#define GATEWAY_LIST_ROWS 10000u
/* For people, newest first. before: rows below it, 0: from the newest. next: where the next page begins,
 * which may hold more though this one is not full; 0: there are no more rows. */
CS_NODISCARD enum cs_err gateway_journal_list(struct gateway_journal *journal,
					      const struct gateway_filter *filter, uint64_t before,
					      struct gateway_message *messages, size_t count_max,
					      size_t *count, uint64_t *next);
/* Milliseconds from the block of the event at the source to this step, of finalized messages of a route,
 * the newest first, among the newest 10,000 rows. */
CS_NODISCARD enum cs_err gateway_journal_latencies(struct gateway_journal *journal,
						   const struct cs_hash *chain,
						   const struct cs_hash *remote,
						   enum relay_step step, uint64_t *took_ms,
						   size_t count_max, size_t *count);
/* Every step of the newest count_max finalized messages of a route, among the newest 10,000 rows: message by
 * message, in the order of steps. message, step and time_ms alone are given. */
CS_NODISCARD enum cs_err gateway_journal_step_times(struct gateway_journal *journal,
						    const struct cs_hash *chain,
						    const struct cs_hash *remote, size_t count_max,
						    gateway_step_fn *each, void *ctx);
struct gateway_count {
	struct cs_hash chain;
	struct cs_hash remote;
	enum relay_side side;
	enum relay_state state;
	uint64_t count;
	uint64_t
		oldest_ms; /* when the journal first heard of the oldest of them; 0 of what has ended */
};
typedef void gateway_count_fn(void *ctx, const struct gateway_count *row);
CS_NODISCARD enum cs_err gateway_journal_counts(struct gateway_journal *journal,
						gateway_count_fn *each, void *ctx);
/* Messages that have not ended and say why they do not go on, by the name of the error that `why` begins
 * with: a view, of whatever was written there. */
typedef void gateway_reason_fn(void *ctx, const struct gateway_count *row, const char *reason);
CS_NODISCARD enum cs_err gateway_journal_reasons(struct gateway_journal *journal,
						 gateway_reason_fn *each, void *ctx);

/* ---- statements ---- */
/* Sets n. An equal one is not written twice: its n is given. CONFLICT: another one has this
 * signature. */
CS_NODISCARD enum cs_err gateway_journal_add_statement(struct gateway_journal *journal,
						       struct gateway_statement *statement);
CS_NODISCARD enum cs_err gateway_journal_statement(struct gateway_journal *journal, uint64_t n,
						   struct gateway_statement *statement);

/* ---- submissions ---- */
CS_NODISCARD enum cs_err gateway_journal_add_submission(struct gateway_journal *journal,
							struct gateway_submission *submission,
							struct cs_bytes data);
CS_NODISCARD enum cs_err gateway_journal_submission(struct gateway_journal *journal, uint64_t n,
						    struct gateway_submission *submission,
						    struct cs_arena *arena, struct cs_bytes *data);
CS_NODISCARD enum cs_err
gateway_journal_save_submission(struct gateway_journal *journal,
				const struct gateway_submission *submission, const char *why);
/* What was saved with it last; "" for nothing. */
CS_NODISCARD enum cs_err gateway_journal_submission_why(struct gateway_journal *journal, uint64_t n,
							char why[GATEWAY_WHY_MAX + 1]);
CS_NODISCARD enum cs_err gateway_journal_add_attempt(struct gateway_journal *journal,
						     const struct adapter_attempt *attempt);
/* With the attempt's hash and nonce, as GATEWAY_SUBMISSION_GIVEN. Sets n of both. */
CS_NODISCARD enum cs_err gateway_journal_add_given(struct gateway_journal *journal,
						   struct gateway_submission *submission,
						   struct adapter_attempt *attempt);
/* Rows n of those that are GIVEN, ascending, above `after`. */
CS_NODISCARD enum cs_err gateway_journal_given(struct gateway_journal *journal,
					       const struct cs_hash *chain, uint64_t after,
					       uint64_t *rows, size_t count_max, size_t *count);
CS_NODISCARD enum cs_err gateway_journal_given_count(struct gateway_journal *journal,
						     const struct cs_hash *chain, uint64_t *count);
/* The submission that has this transaction among its attempts. NOT_FOUND. */
CS_NODISCARD enum cs_err gateway_journal_attempted(struct gateway_journal *journal,
						   const struct cs_hash *hash,
						   uint64_t *submission);
/* Oldest first; raw bytes in the arena. */
CS_NODISCARD enum cs_err gateway_journal_attempts(struct gateway_journal *journal,
						  uint64_t submission, struct cs_arena *arena,
						  struct adapter_attempt *attempts,
						  size_t count_max, size_t *count);
/* What the dearest of the newest hundred settled calls of an account cost, at most 2^64 - 1; 0: there is
 * none among the newest thousand of the journal. */
CS_NODISCARD enum cs_err gateway_journal_call_cost(struct gateway_journal *journal,
						   const struct cs_hash *chain,
						   const struct cs_address *account,
						   uint64_t *cost);
/* Rows n of those that are open or included, ascending, above `after`. */
CS_NODISCARD enum cs_err gateway_journal_open_submissions(struct gateway_journal *journal,
							  const struct cs_hash *chain,
							  uint64_t after, uint64_t *rows,
							  size_t count_max, size_t *count);

#endif
