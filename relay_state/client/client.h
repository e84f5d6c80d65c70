/* A bridge's ledger as a service that writes to it sees it: several nodes behind one asynchronous
 * interface, with health by height and failover. Nothing that a node says is believed for a decision
 * that matters: answers are book-keeping (what still has to be written), or bytes with a proof that
 * somebody else checks (an enclave, by its light client). Keys and journals are the caller's.
 *
 * As everywhere on the loop: a callback is never called from inside the call that asked for it, what
 * it is given are views that live until it returns, and after ledger_client_close every open call has
 * been answered with CLOSED. */
#ifndef RELAY_STATE_CLIENT_CLIENT_H
#define RELAY_STATE_CLIENT_CLIENT_H

#include "adapters/adapter.h"
#include "verify/anchor_answers.h"

struct host_loop;
struct ledger_client;

#define LEDGER_CLIENT_NODES_MAX 8u
/* Questions of one call. */
#define LEDGER_CLIENT_QUERIES_MAX 256u
/* Light blocks of one call: what an enclave takes at once. */
#define LEDGER_CLIENT_LIGHT_BLOCKS_MAX 64u

/* Texts are copied. Zeros mean the default in brackets. */
struct ledger_client_config {
	const char *chain_id; /* "ledger-1" */
	struct cs_hash
		chain_tag; /* docs/ledger.md: which genesis; nodes of another one are not asked */
	const char *nodes[LEDGER_CLIENT_NODES_MAX]; /* http or https, the preferred one first */
	size_t node_count;
	unsigned timeout_ms; /* of one request [10000] */
	unsigned probe_ms;   /* between two looks at each node's height [2000] */
	void *ctx;
	/* A node came, went or fell behind; may be NULL. */
	void (*changed)(void *ctx, const struct adapter_endpoint *node);
};

/* INVALID, with the field in why. Nothing is sent before ledger_client_start. */
CS_NODISCARD enum cs_err ledger_client_new(struct ledger_client **client, struct host_loop *loop,
					   const struct ledger_client_config *config,
					   struct cs_why *why);
void ledger_client_start(struct ledger_client *client);
/* Answers what is open with CLOSED; what is asked later is refused with UNAVAILABLE. */
void ledger_client_close(struct ledger_client *client);
/* Closes it too. NULL is allowed. */
void ledger_client_free(struct ledger_client *client);

/* ---- health ---- */
struct ledger_client_health {
	size_t nodes;
	size_t reachable; /* of this chain, and answering; some may lag */
	uint64_t height;  /* the highest that one of them told */
};
struct ledger_client_health ledger_client_health(const struct ledger_client *client);
/* index below `nodes`. */
const struct adapter_endpoint *ledger_client_node(const struct ledger_client *client, size_t index);

/* ---- questions ---- */
struct ledger_client_query {
	const char *path; /* "/store", "/account", "/call", …: docs/ledger.md */
	struct cs_bytes data;
	uint64_t height; /* 0: the newest */
	bool prove;
};
/* err OK: the application answered, with its code (relay_state/ledger/codes.def), which may say no.
 * height: of the state that answered; a proof is under the application hash of the height after it. */
struct ledger_client_answer {
	enum cs_err err;
	const char *why;
	uint32_t code;
	uint64_t height;
	struct cs_bytes value;
	struct cs_bytes proof; /* ICS-23's CommitmentProof of the op "ics23:smt", or none */
};
/* count answers in the order of the questions. */
typedef void ledger_client_answers_fn(void *ctx, const struct ledger_client_answer *answers,
				      size_t count);
/* height_min: nodes that are known to be there are asked first; an answer below it is UNAVAILABLE.
 * Data are copied. UNAVAILABLE: no node is known to be of the chain. count from 1 to
 * LEDGER_CLIENT_QUERIES_MAX. */
CS_NODISCARD enum cs_err ledger_client_query(struct ledger_client *client, uint64_t height_min,
					     const struct ledger_client_query *queries,
					     size_t count, ledger_client_answers_fn *done,
					     void *ctx);

/* Of the answer to /chain, whose last 8 bytes are the newest block's time. */
#define LEDGER_CHAIN_ANSWER_SIZE 72u

/* What one transaction needs to know. The price is the least that the chain takes; above 2^64 - 1 it
 * is OVERFLOW. */
struct ledger_client_account {
	uint64_t sequence;
	struct cs_hash balance; /* a word */
	uint64_t gas_price;
	uint64_t gas_of_block;
	uint64_t time_s; /* of the newest block */
	uint64_t height;
};
typedef void ledger_client_account_fn(void *ctx, enum cs_err err, const char *why,
				      const struct ledger_client_account *account);
CS_NODISCARD enum cs_err ledger_client_account(struct ledger_client *client, uint64_t height_min,
					       const struct cs_address *address,
					       ledger_client_account_fn *done, void *ctx);

/* ---- light blocks ---- */
/* `blocks[].rlp` has a LightBlock in protobuf, as ClientUpdate of the mode cometbft wants it; parts
 * of each fit together, who signed it nobody has checked. Consecutive ones from `from` on, fewer when
 * the chain ends or they grow large; from 0, count 1: the newest. */
CS_NODISCARD enum cs_err ledger_client_light_blocks(struct ledger_client *client, uint64_t from,
						    size_t count, adapter_headers_fn *done,
						    void *ctx);

/* ---- transactions ---- */
/* To one node, which checks it before it answers; to another one when that does not answer. OK: in
 * its mempool, or there before. Other errors are of what the check said (`code` of codes.def) or of
 * the way there: then it may have arrived all the same. */
CS_NODISCARD enum cs_err ledger_client_broadcast(struct ledger_client *client, struct cs_bytes raw,
						 adapter_done_fn *done, void *ctx);
/* What a block made of a transaction. NOT_FOUND: no node that was asked has it in a block. */
struct ledger_client_included {
	uint64_t height;
	uint32_t code; /* 0: its calls happened */
	uint64_t gas_used;
	struct cs_bytes data; /* what the last call returned, or the failing one reverted with */
};
typedef void ledger_client_included_fn(void *ctx, enum cs_err err, const char *why,
				       const struct ledger_client_included *included);
CS_NODISCARD enum cs_err ledger_client_find_tx(struct ledger_client *client,
					       const struct cs_hash *hash,
					       ledger_client_included_fn *done, void *ctx);

/* ---- the time ---- */
/* One node's answer to a nonce, as it said it: key (x), milliseconds, BIP-340 (R.x ‖ s). Not
 * checked: verify/time_answers.h is for the enclave. */
struct ledger_client_time_answer {
	size_t node;
	struct cs_hash key;
	uint64_t time_ms;
	uint8_t signature[64];
	struct verify_anchor anchor; /* zeros where the question named none */
};
/* Every answer as it comes, at most one a node. */
typedef void ledger_client_time_fn(void *ctx, const struct ledger_client_time_answer *answer);
/* Once, last: when all have answered, or at the deadline; `answered` of `asked` nodes did. An answer
 * that comes later is dropped. CLOSED with the client. */
typedef void ledger_client_time_done_fn(void *ctx, enum cs_err err, size_t answered, size_t asked);
/* Asks all nodes at once with the same nonce, those of another chain or without an answer so far
 * left out; owner NULL: no anchor is asked for. UNAVAILABLE: there is none. */
CS_NODISCARD enum cs_err ledger_client_time(struct ledger_client *client,
					    const struct cs_hash *nonce,
					    const struct verify_anchor_owner *owner,
					    uint64_t deadline_ms, ledger_client_time_fn *each,
					    ledger_client_time_done_fn *done, void *ctx);

#endif
