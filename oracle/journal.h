/* The journal of an oracle: everything is written here before it happens, and after a crash
 * everything goes on from here. Holds requests of apps and of chains with their answers, signed
 * statements, specs by hash, submissions with every attempt, feeds with their rounds
 * (journal_feeds.h), cursors and the enclave's sealed state. Never acts, and never holds a secret
 * but in its sealed box.
 *
 * Functions that write run inside a writer of host_store_write (oracle_write); what they return but
 * OK undoes the whole writer. Queries see what was written before, committed or not: whoever acts
 * on what it read flushes first. Numbers of states and kinds are in the journal: only append. */
#ifndef ORACLE_JOURNAL_H
#define ORACLE_JOURNAL_H

#include "core/arena.h"
#include "host/store.h"
#include "oracle/request_state.h"
#include "wire/envelope.h"
#include "wire/oracle.h"

#define ORACLE_WHY_MAX 200u
/* Leaves of one statement: wire's OracleReply. */
#define ORACLE_BATCH_MAX 16u
#define ORACLE_SPEC_SIZE_MAX 16384u
#define ORACLE_SECRETS_SIZE_MAX 4144u

struct oracle_journal;

enum oracle_kind {
	ORACLE_APP = 1,
	ORACLE_CHAIN = 2,
};

struct oracle_request {
	uint64_t n; /* row */
	enum oracle_kind kind;
	enum oracle_state state;
	/* By which REST knows it. Of a chain's request the requestId; of an app's 32 random
	 * bytes. */
	struct cs_hash id;
	/* What was signed; zero until then of an app's. */
	struct cs_hash request_id;
	struct cs_hash chain;    /* identity of the manifest's chain; zero of an app's */
	struct cs_hash contract; /* identity of the receiver; zero of an app's */
	char key_name[33];       /* whose API key asked; "" of a chain's */
	/* Of an app's: asker, hashes and maxAge from the start, time and deadline as we ask for
	 * them; all as the enclave made it once it is answered. */
	struct wire_request head;
	/* where OracleRequested is; of a chain's alone */
	uint64_t height;
	struct cs_hash block;
	struct cs_hash tx;
	uint32_t tx_index;
	uint32_t log_index_block;
	/* the signed answer */
	uint64_t statement; /* row, 0: none */
	uint32_t leaf;
	uint32_t code;
	uint64_t observed_at;
	uint64_t answered_ms;
	/* OracleAnswered or OracleRefunded; 0: not seen */
	uint64_t end_height;
	struct cs_hash end_tx;
	uint64_t submission; /* the open or the last one, 0: none */
	/* Wall clock: not looked at before. Of an expired one 0: no refund is to be tried (again). */
	uint64_t next_ms;
	uint32_t tries; /* that failed; of an expired one: refunds */
	char why[ORACLE_WHY_MAX + 1];
	uint64_t created_ms;
	uint64_t updated_ms;
};

/* What is looked up. Views. */
struct oracle_query {
	struct cs_bytes spec; /* canonical; none: its bytes are not known (requestByHash) */
	size_t argument_count;
	struct cs_bytes arguments[WIRE_ARGUMENTS_MAX];
	struct cs_bytes secrets;  /* a sealed box, or none */
	struct cs_bytes audience; /* of an app's alone */
};

/* Kind 4 over answers or values of one receiver, or kind 3 of a rotation (leaf 0: the new key). */
struct oracle_statement {
	uint64_t n;
	struct wire_signed st; /* without a path: the whole */
	uint32_t count;
	struct cs_hash leaves[ORACLE_BATCH_MAX];
};

/* ---- opening ---- */

/* The errors of host_store_open. */
CS_NODISCARD enum cs_err oracle_journal_open(struct oracle_journal **journal,
					     struct host_loop *loop, const char *path,
					     struct cs_why *why);
void oracle_journal_close(struct oracle_journal *journal);
struct host_store *oracle_journal_store(struct oracle_journal *journal);

/* ---- small things by name: sealed state, cursors ---- */
CS_NODISCARD enum cs_err oracle_journal_put(struct oracle_journal *journal, const char *name,
					    struct cs_bytes value);
/* NOT_FOUND. The bytes live in the arena: NO_MEMORY. */
CS_NODISCARD enum cs_err oracle_journal_get(struct oracle_journal *journal, const char *name,
					    struct cs_arena *arena, struct cs_bytes *value);

/* ---- specs ---- */
/* spec: canonical bytes; what is there already stays, as if it were new. key_name: whose key
 * publishes it, "" for what comes with a request or a feed. */
CS_NODISCARD enum cs_err oracle_journal_put_spec(struct oracle_journal *journal,
						 struct cs_bytes spec, const char *key_name,
						 struct cs_hash *hash);
/* Bytes of the specs that this key published, each with at least spec_size_min. */
CS_NODISCARD enum cs_err oracle_journal_spec_size(struct oracle_journal *journal,
						  const char *key_name, uint64_t spec_size_min,
						  uint64_t *size);
/* Requests of contracts that wait for a spec's bytes are due now. */
CS_NODISCARD enum cs_err oracle_journal_spec_due(struct oracle_journal *journal,
						 const struct cs_hash *hash);
CS_NODISCARD enum cs_err oracle_journal_spec(struct oracle_journal *journal,
					     const struct cs_hash *hash, struct cs_arena *arena,
					     struct cs_bytes *spec);

/* ---- requests ---- */
/* Takes everything of `request` but n, the query, and the spec's bytes if there are any; sets n.
 * DUPLICATE: the id is there. */
CS_NODISCARD enum cs_err oracle_journal_add(struct oracle_journal *journal,
					    struct oracle_request *request,
					    const struct oracle_query *query);
/* By id; what is not found so, by request_id. NOT_FOUND. */
CS_NODISCARD enum cs_err oracle_journal_find(struct oracle_journal *journal,
					     const struct cs_hash *id,
					     struct oracle_request *request);
CS_NODISCARD enum cs_err oracle_journal_row(struct oracle_journal *journal, uint64_t n,
					    struct oracle_request *request);
/* In the arena. The spec is none when its bytes were never published here. */
CS_NODISCARD enum cs_err oracle_journal_query(struct oracle_journal *journal,
					      const struct oracle_request *request,
					      struct cs_arena *arena, struct oracle_query *query);
/* Writes every changeable field but the state: head, positions, the answer's place, end,
 * submission, next_ms, tries, why. */
CS_NODISCARD enum cs_err oracle_journal_save(struct oracle_journal *journal,
					     struct oracle_request *request);
/* Moves by the table of request_state.h and saves. CONFLICT: no such move, nothing is written. */
CS_NODISCARD enum cs_err oracle_journal_move(struct oracle_journal *journal,
					     struct oracle_request *request, enum oracle_state to);
/* A reorganisation took it before it was final. */
CS_NODISCARD enum cs_err oracle_journal_forget(struct oracle_journal *journal,
					       const struct oracle_request *request);
/* The signed answer: an OracleResult's protobuf and its place in a statement that is written. Moves
 * to answered (chain) or done (app), replaces an earlier answer that was not submitted. */
CS_NODISCARD enum cs_err oracle_journal_answered(struct oracle_journal *journal,
						 struct oracle_request *request,
						 const struct oracle_statement *statement,
						 uint32_t leaf, struct cs_bytes result);
/* OracleResult's protobuf, in the arena. NOT_FOUND. */
CS_NODISCARD enum cs_err oracle_journal_result(struct oracle_journal *journal,
					       const struct oracle_request *request,
					       struct cs_arena *arena, struct cs_bytes *result);

/* ---- work: at most count_max, by next_ms ---- */
struct oracle_pick {
	enum oracle_kind kind;
	const struct cs_hash *chain; /* of a chain's; NULL of apps */
	enum oracle_state state;
	uint64_t due_ms;     /* next_ms up to it */
	uint64_t height_max; /* 0: any */
	/* At most so many of one asker, and the first of each before the second of any. 0: by
	 * next_ms alone. */
	uint32_t asker_max;
};
CS_NODISCARD enum cs_err oracle_journal_pick(struct oracle_journal *journal,
					     const struct oracle_pick *pick,
					     struct oracle_request *requests, size_t count_max,
					     size_t *count);
/* Expired requests of a chain whose refund is to be tried again: next_ms is not 0, and up to due_ms. */
CS_NODISCARD enum cs_err oracle_journal_pick_refunds(struct oracle_journal *journal,
						     const struct cs_hash *chain, uint64_t due_ms,
						     struct oracle_request *requests,
						     size_t count_max, size_t *count);
/* Requests of a chain that the enclave refused and whose deadline is at or before this time. */
CS_NODISCARD enum cs_err oracle_journal_pick_refused(struct oracle_journal *journal,
						     const struct cs_hash *chain, uint64_t time_s,
						     struct oracle_request *requests,
						     size_t count_max, size_t *count);
/* Requests of a chain whose event (ends: whose end) is at or above a height, rows above `after`. */
CS_NODISCARD enum cs_err oracle_journal_above(struct oracle_journal *journal,
					      const struct cs_hash *chain, bool ends,
					      uint64_t height, uint64_t after,
					      struct oracle_request *requests, size_t count_max,
					      size_t *count);
/* In the order of leaves. */
CS_NODISCARD enum cs_err oracle_journal_of_statement(struct oracle_journal *journal,
						     uint64_t statement,
						     struct oracle_request *requests,
						     size_t count_max, size_t *count);
CS_NODISCARD enum cs_err oracle_journal_of_submission(struct oracle_journal *journal,
						      uint64_t submission,
						      struct oracle_request *requests,
						      size_t count_max, size_t *count);
/* For people, newest first; state, kind 0: any. before: rows below it, 0: from the newest. */
CS_NODISCARD enum cs_err oracle_journal_list(struct oracle_journal *journal,
					     enum oracle_state state, enum oracle_kind kind,
					     uint64_t before, struct oracle_request *requests,
					     size_t count_max, size_t *count);
typedef void oracle_count_fn(void *ctx, enum oracle_kind kind, enum oracle_state state,
			     uint32_t code, uint64_t count);
CS_NODISCARD enum cs_err oracle_journal_counts(struct oracle_journal *journal,
					       oracle_count_fn *each, void *ctx);
/* Rows of one portion of the housekeeping: what is written beside it waits for no more. */
#define ORACLE_PRUNE_ROWS 256u
/* What is older leaves in this order, each when nothing refers to it any more. */
enum oracle_prune {
	ORACLE_PRUNE_KEYS,        /* idempotency keys */
	ORACLE_PRUNE_REQUESTS,    /* of apps, ended */
	ORACLE_PRUNE_ROUNDS,      /* of feeds */
	ORACLE_PRUNE_SUBMISSIONS, /* settled, with their attempts */
	ORACLE_PRUNE_STATEMENTS,
	ORACLE_PRUNE_SPECS,
	ORACLE_PRUNE_COUNT
};
/* One portion. *more: there may be a further one. */
CS_NODISCARD enum cs_err oracle_journal_prune(struct oracle_journal *journal,
					      enum oracle_prune what, uint64_t before_ms,
					      bool *more);
/* The same of ended requests of a chain that are older, and whose blocks are at or below this
 * height: so deep that none of them is taken back or told again. */
CS_NODISCARD enum cs_err oracle_journal_prune_chain(struct oracle_journal *journal,
						    const struct cs_hash *chain, uint64_t before_ms,
						    uint64_t height, bool *more);

/* ---- statements ---- */
/* Sets n. An equal one is not written twice: its n is given. */
CS_NODISCARD enum cs_err oracle_journal_add_statement(struct oracle_journal *journal,
						      struct oracle_statement *statement);
CS_NODISCARD enum cs_err oracle_journal_statement(struct oracle_journal *journal, uint64_t n,
						  struct oracle_statement *statement);

/* ---- idempotency keys: which request the key made. CONFLICT: with another body. NOT_FOUND ---- */
CS_NODISCARD enum cs_err oracle_journal_idempotent(struct oracle_journal *journal,
						   const char *key_name, const char *key,
						   const struct cs_hash *body, struct cs_hash *id);
CS_NODISCARD enum cs_err oracle_journal_remember(struct oracle_journal *journal,
						 const char *key_name, const char *key,
						 const struct cs_hash *body,
						 const struct cs_hash *id);

#endif
