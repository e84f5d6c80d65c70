/* The seam between a gateway or an oracle and the untrusted half of a chain: what it hears from the
 * chain (blocks with its contracts' events, reorganisations, health) and what it may ask for
 * (headers, proofs, calls, submission). Nothing here decides that a block is final or that an event
 * is true: that is the enclave's, from the bytes that come through here.
 *
 * One thread, one loop. A request returns an error when it is refused at once (then its callback is
 * never called); otherwise its callback is called exactly once, after the request has returned,
 * with CS_OK or the error. adapter_free calls what is open with CS_ERR_CLOSED. Views in callbacks
 * are valid only during the callback. */
#ifndef ADAPTERS_ADAPTER_H
#define ADAPTERS_ADAPTER_H

#include "adapters/health.h"
#include "core/buf.h"
#include "core/sig.h"
#include "wire/oracle.h"

struct adapter;

/* Heights that a cursor remembers, so that a reorganisation during downtime is found to its fork. */
#define ADAPTER_CURSOR_BLOCKS 64
/* What wire's ClientUpdateRequest takes at once. */
#define ADAPTER_HEADERS_MAX 256
#define ADAPTER_SLOTS_MAX 80
/* Blocks of another branch that are shown to an enclave: the lowest and the newest. */
#define ADAPTER_OTHERS_MAX 2
/* wire's ProofNodes. */
#define ADAPTER_PROOF_NODES_MAX 32
#define ADAPTER_PROOF_NODE_SIZE_MAX 1024
#define ADAPTER_CLAIMS_MAX 64
#define ADAPTER_STATUSES_MAX 256
#define ADAPTER_CURSOR_SIZE_MAX (8 + ADAPTER_CURSOR_BLOCKS * 40)

struct adapter_block_id {
	uint64_t height;
	struct cs_hash hash;
};

/* ---- what the chain tells ---- */

/* Where an event is. log_index_block counts in the block as the node says it; the position in the
 * receipt, which the enclave wants, comes with the receipt proof (adapter_receipt_proof.claims). */
struct adapter_position {
	struct adapter_block_id block;
	uint64_t time_s;
	struct cs_hash tx_hash;
	uint32_t tx_index;
	uint32_t log_index_block;
};

/* MessageCommitted joined with its MessageSent. message_id was recomputed from the fields and is
 * equal, or the event is not reported (counted as `foreign`). value: 32-byte word of msg.value. */
struct adapter_message {
	struct cs_hash message_id;
	struct cs_hash destination;
	uint64_t sequence;
	uint64_t deadline;
	uint64_t min_gas_limit;
	struct cs_hash closer;
	struct cs_hash refund_to;
	uint8_t finality;
	struct cs_hash value;
	struct cs_bytes sender;
	struct cs_bytes recipient;
	struct cs_bytes payload;
};

struct adapter_status_event {
	struct cs_hash message_id;
	struct cs_hash source;
	uint64_t sequence;
	uint8_t status;
};

struct adapter_finalized_event {
	struct cs_hash message_id;
	struct cs_hash destination;
	uint8_t status;
};

/* Of an oracle's contract (docs/protocol/oracle.md section 9). request_id was recomputed from the
 * parts and is equal, or the event is not reported (counted as `foreign`). spec: empty when it was
 * asked for by hash. */
struct adapter_oracle_request {
	struct cs_hash request_id;
	struct wire_request head;
	struct cs_bytes spec;
	struct cs_bytes arguments[WIRE_ARGUMENTS_MAX];
	size_t argument_count;
	struct cs_bytes secrets;
};

struct adapter_oracle_answer {
	struct cs_hash request_id;
	struct cs_hash asker; /* a word */
	uint8_t code;
	uint64_t observed_at;
	struct cs_hash evidence_hash;
	struct cs_bytes value;
};

/* A refund after the deadline, or with an answer whose code pays nothing. */
struct adapter_oracle_refund {
	struct cs_hash request_id;
	struct cs_hash fee; /* a word */
};

struct adapter_callback_failure {
	struct cs_hash request_id;
};

/* Of a feed's contract. value: int256. */
struct adapter_feed_update {
	uint64_t index;
	struct cs_hash value;
	uint64_t observed_at;
};

/* feed_id is that of the contract and the index, or the event is not reported. description: UTF-8
 * by convention, nobody checked it. */
struct adapter_feed_addition {
	uint64_t index;
	struct cs_hash feed_id;
	struct cs_address view;
	struct cs_address uptime;
	struct cs_hash spec_hash;
	uint8_t decimals;
	uint32_t heartbeat_s;
	uint32_t stale_after_s;
	uint32_t deviation_ppm;
	uint8_t history_bits;
	struct cs_bytes description;
};
#define ADAPTER_FEED_DESCRIPTION_MAX 64u

struct adapter_feed_pause {
	uint64_t index;
	bool paused;
};

enum adapter_event_kind {
	ADAPTER_EVENT_MESSAGE,
	ADAPTER_EVENT_STATUS,
	ADAPTER_EVENT_FINALIZED,
	ADAPTER_EVENT_ORACLE_REQUESTED,
	ADAPTER_EVENT_ORACLE_ANSWERED,
	ADAPTER_EVENT_ORACLE_REFUNDED,
	ADAPTER_EVENT_CALLBACK_FAILED,
	ADAPTER_EVENT_FEED_ADDED,
	ADAPTER_EVENT_FEED_UPDATED,
	ADAPTER_EVENT_FEED_PAUSED,
};

/* contract: the identity of the one that emitted it. */
struct adapter_event {
	enum adapter_event_kind kind;
	struct adapter_position at;
	struct cs_hash contract;
	union {
		struct adapter_message message;
		struct adapter_status_event status;
		struct adapter_finalized_event finalized;
		struct adapter_oracle_request requested;
		struct adapter_oracle_answer answered;
		struct adapter_oracle_refund refunded;
		struct adapter_callback_failure callback_failed;
		struct adapter_feed_addition feed_added;
		struct adapter_feed_update feed_updated;
		struct adapter_feed_pause feed_paused;
	};
};

struct adapter_header {
	struct adapter_block_id id;
	struct cs_hash parent;
	uint64_t time_s;
	struct cs_bytes rlp; /* of EVM chains; a LightBlock of CometBFT of ledgers, and
			       there only from adapter_headers */
};

/* A block with at least one event of the contracts, ascending by height, events in order, all out of
 * receipts that are under the header's receipts root (the hashes of transactions are what the node
 * says). Sequences, counters, deadlines, gas limits, heights and times are below 2^63.
 * late: found by the reconciler or by a rescan; may repeat what was reported: the receiver knows
 * messages and requests by their id. */
struct adapter_block {
	struct adapter_header header;
	const struct adapter_event *events;
	size_t event_count;
	bool late;
};

/* Everything that was reported at heights >= from is withdrawn; what is still on the chain is
 * reported again by block(). old_hash: of the block reported at `from`; new_hash: what is there
 * now, zero when the chain is shorter now. beyond_window: the fork lies below everything that is
 * remembered: `from` is the lowest height known to have changed.
 *   Headers carry no authority here: that a block is final, and that another final one was seen, is
 * the enclave's to say. A fork at or below what adapter_final named, or beyond the window, is
 * reported only when the other endpoints do not outvote it (an endpoint that stands alone against
 * them is set aside, ADAPTER_ENDPOINT_DIVERGED, and nothing is reported). diverged: such a fork
 * that no other endpoint confirms: what a single node says, and no reason to stop for good.
 *   One that is deeper than the configured bound is told by held() first: nothing is withdrawn, and
 * nothing is reported, until the branch that was reported is back, or adapter_accept_reorg. */
struct adapter_reorg {
	uint64_t from;
	uint64_t old_tip;
	struct cs_hash old_hash;
	struct cs_hash new_hash;
	bool beyond_window;
	bool diverged;
};

/* The newest block of which, and of all before it, everything was reported. Its newest entry is
 * last. The gateway keeps it in its journal in the same transaction as what it did with the blocks,
 * and hands it back at the next start. */
struct adapter_cursor {
	struct adapter_block_id recent[ADAPTER_CURSOR_BLOCKS];
	size_t count;
};

enum adapter_endpoint_state {
	ADAPTER_ENDPOINT_UNKNOWN, /* not asked yet */
	ADAPTER_ENDPOINT_OK,
	ADAPTER_ENDPOINT_LAGGING,     /* some heights behind the best */
	ADAPTER_ENDPOINT_FAILING,     /* errors in a row; tried again after a pause */
	ADAPTER_ENDPOINT_WRONG_CHAIN, /* another chain id or genesis: not used */
	ADAPTER_ENDPOINT_DIVERGED,    /* tells another history than the others: asked last for a
					 while */
};

/* Why a request failed; the first three before there was an answer in JSON-RPC. */
enum adapter_failure {
	ADAPTER_FAILURE_TIMEOUT,
	ADAPTER_FAILURE_UNREACHABLE, /* no connection, or it broke */
	ADAPTER_FAILURE_HTTP,        /* a status that is not 200 */
	ADAPTER_FAILURE_LIMIT,       /* "too many" */
	ADAPTER_FAILURE_LIE,         /* an answer that cannot be */
	ADAPTER_FAILURE_NODE,        /* an error of the node's own */
};
#define ADAPTER_FAILURE_COUNT 6
const char *adapter_failure_name(enum adapter_failure failure);

/* Of both kinds, HTTP and websockets. */
#define ADAPTER_ENDPOINTS_MAX 16

struct adapter_endpoint {
	const char *url;
	enum adapter_endpoint_state state;
	bool websocket;
	uint64_t height;
	uint64_t requests;
	uint64_t errors;
	uint64_t limited;  /* answers that say "too many" */
	uint64_t lies;     /* answers that cannot be */
	uint64_t diverged; /* times that it was set aside for a history of its own */
	char why[120];     /* of the newest failure */
	/* Of HTTP alone. */
	enum adapter_breaker breaker;
	uint64_t failures[ADAPTER_FAILURE_COUNT];
	unsigned answer_p50_ms; /* within which half of the newest answers came; 0: unknown */
	unsigned answer_p95_ms;
	unsigned answer_p99_ms;
	uint64_t hedges;     /* reads that it got because another endpoint was late */
	uint64_t hedges_won; /* of them those that it answered first */
	uint64_t overtaken;  /* reads of its own that another one answered first */
	uint64_t unhedged;   /* late reads of its own that went nowhere else: budget, or nobody */
};

/* That validators signed two blocks of one height, for the nodes of their chain: which of the two branches is theirs nobody can say
 * here. Each is a piece for adapter_hand_evidence; of a ledger CometBFT's LightClientAttackEvidence (spec/light-client/attacks). Views for
 * the call. */
struct adapter_evidence {
	struct adapter_block_id other; /* the lowest block of the branch that was not reported */
	struct cs_hash ours;           /* the one that was, of that height */
	struct cs_bytes against_other; /* for nodes of our branch */
	struct cs_bytes against_ours;  /* for nodes of the other one */
};

/* Called from the loop. head: the newest header changed (before its events are known). block: see
 * above. held: a reorganisation waits, or another one does; NULL: none does any more.
 * progress: after every stretch of blocks, events or none; the cursor is a view. stalled: no
 * new head for longer than it should take; 0 when it moves again. conflict: of a chain whose blocks are
 * never withdrawn, another block at a height that was reported, signed by its validators: for the
 * enclave to judge (adapter_others). evidence: what shows that to the chain's nodes, some blocks later; once
 * for a branch. Any of them may be NULL. */
struct adapter_listener {
	void *ctx;
	void (*head)(void *ctx, const struct adapter_header *head);
	void (*block)(void *ctx, const struct adapter_block *block);
	void (*progress)(void *ctx, const struct adapter_cursor *cursor);
	void (*reorg)(void *ctx, const struct adapter_reorg *reorg);
	void (*held)(void *ctx, const struct adapter_reorg *reorg);
	void (*stalled)(void *ctx, uint64_t stalled_ms);
	void (*conflict)(void *ctx, const struct adapter_block_id *other);
	void (*evidence)(void *ctx, const struct adapter_evidence *evidence);
	void (*endpoint)(void *ctx, const struct adapter_endpoint *endpoint);
};

/* ---- what the gateway asks ---- */

/* why: a sentence for people, "" on success. */
typedef void adapter_done_fn(void *ctx, enum cs_err err, const char *why);
typedef void adapter_headers_fn(void *ctx, enum cs_err err, const char *why,
				const struct adapter_header *headers, size_t count);

/* As wire's ProofNodes wants it: nodes root first, each <= 1024 bytes; leaf: the last one where it
 * is larger, else none. No node at all is the proof of an empty trie. */
struct adapter_proof {
	struct cs_bytes nodes[ADAPTER_PROOF_NODES_MAX];
	size_t count;
	struct cs_bytes leaf;
	/* Of a ledger in place of all of them: ICS-23's CommitmentProof, of presence or absence. */
	struct cs_bytes state;
};

struct adapter_claim {
	struct cs_hash id;  /* messageId or requestId, as the log's topic says */
	uint32_t log_index; /* in the receipt */
};

/* claims: the MessageCommitted logs of the gateway contract and the OracleRequested logs of the
 * oracles' in this receipt, at most ADAPTER_CLAIMS_MAX from `claims_from` on; claim_total: how many
 * there are. */
struct adapter_receipt_proof {
	struct adapter_block_id block;
	uint32_t tx_index;
	struct adapter_proof proof;
	struct adapter_claim claims[ADAPTER_CLAIMS_MAX];
	size_t claim_count;
	size_t claim_total;
};
typedef void adapter_receipt_proof_fn(void *ctx, enum cs_err err, const char *why,
				      const struct adapter_receipt_proof *proof);

struct adapter_slot_proof {
	struct cs_hash slot;
	struct cs_hash value; /* what the node says; zero when absent */
	struct adapter_proof proof;
};

struct adapter_account_proof {
	struct adapter_block_id block;
	bool exists;
	struct cs_hash code_hash;
	struct adapter_proof account;
	const struct adapter_slot_proof *slots;
	size_t slot_count;
};
typedef void adapter_account_proof_fn(void *ctx, enum cs_err err, const char *why,
				      const struct adapter_account_proof *proof);

/* err REVERTED: data is what the call reverted with. */
typedef void adapter_call_fn(void *ctx, enum cs_err err, const char *why, struct cs_bytes data);
typedef void adapter_gas_fn(void *ctx, enum cs_err err, const char *why, uint64_t gas);

/* What a transaction should offer now. legacy: the chain has no base fee; max_fee_wei is the gas
 * price. */
struct adapter_fees {
	uint64_t base_fee_wei; /* of the newest block */
	uint64_t max_fee_wei;
	uint64_t max_priority_fee_wei;
	bool legacy;
};
typedef void adapter_fees_fn(void *ctx, enum cs_err err, const char *why,
			     const struct adapter_fees *fees);

struct adapter_account {
	struct cs_hash balance;   /* 32-byte word */
	struct cs_hash code_hash; /* keccak of the code; of nothing when there is none */
	bool has_code;
	uint64_t nonce; /* of the newest block, not of the pool */
};
typedef void adapter_account_fn(void *ctx, enum cs_err err, const char *why,
				const struct adapter_account *account);

/* The statuses of messages of one source at the newest block: what is looked at before gas is
 * spent. */
typedef void adapter_statuses_fn(void *ctx, enum cs_err err, const char *why,
				 const uint8_t *statuses, size_t count);

/* ---- submission ---- */

/* One transaction of a gas account: from the wish to the block. The adapter owns nonce, fees,
 * replacement and the watch for the receipt; the bytes are the enclave's. */
struct adapter_tx;

#define ADAPTER_TX_ATTEMPTS_MAX 16

struct adapter_terms {
	uint64_t nonce;
	uint64_t gas_limit;
	uint64_t max_fee_wei;
	uint64_t max_priority_fee_wei;
	bool legacy;
	bool cancel;            /* sign "value 0 to itself" in place of the call */
	uint64_t valid_until_s; /* of a ledger: no block of a later time takes it; else 0 */
	unsigned attempt;       /* counts from 0 within one transaction */
};

enum adapter_tx_state {
	ADAPTER_TX_QUEUED,   /* waits for its turn, for terms or for its signature */
	ADAPTER_TX_SENT,     /* a node took it */
	ADAPTER_TX_INCLUDED, /* in a block: success or not, see the report */
	ADAPTER_TX_SETTLED,  /* the same, and `settle_blocks` more on top: nothing more is reported
			      */
	ADAPTER_TX_UNINCLUDED, /* its block is gone; it is sent again by itself */
	ADAPTER_TX_STUCK,      /* the fee cap or the last attempt is reached; it stays watched */
	ADAPTER_TX_UNKNOWN,    /* may have happened or not, and no endpoint tells: nothing more is
			       sent, it stays watched, and a receipt makes it INCLUDED. Only of
			       what may not repeat */
	ADAPTER_TX_FAILED, /* never sent, or another try does no harm: nothing more is reported */
};

struct adapter_tx_report {
	enum adapter_tx_state state;
	enum cs_err err; /* of FAILED, STUCK and UNKNOWN */
	const char *why;
	uint64_t nonce;
	struct cs_hash hash; /* of the attempt that this is about */
	bool cancelled;      /* the attempt that was included is the cancellation */
	bool succeeded;      /* of INCLUDED, SETTLED: the receipt's status */
	struct adapter_block_id block;
	uint64_t time_s; /* 0: the header was not known yet */
	uint64_t gas_used;
	uint64_t gas_price_wei; /* effective */
	unsigned attempts;
};

/* What was sent before this process started, from the journal. raw: the bytes of the newest
 * attempt. included: as it was reported, without the block's hash and time, where the journal has it;
 * else zero. A chain without reorganisations reports that block no more, and believes it. */
struct adapter_tx_resume {
	struct adapter_terms terms; /* of the newest attempt */
	struct cs_hash hashes[ADAPTER_TX_ATTEMPTS_MAX];
	bool cancels[ADAPTER_TX_ATTEMPTS_MAX];
	size_t count;
	struct cs_bytes raw;
	struct adapter_tx_report included;
};

/* sign: asks for the bytes under these terms; answered, any time later, by adapter_tx_signed or
 * adapter_tx_refused.
 *   **The answer with bytes comes only after the journal holds nonce, hash and bytes**: they are
 * sent at once. A refusal with POLICY_FEE counts as the fee cap. May be asked several times with
 * other terms. report: every change of state; after SETTLED or FAILED the tx is gone. gas_limit 0:
 * estimated from `to` and `data` with the configured margin, and a revert there is FAILED with
 * REVERTED. max_fee_cap_wei: no attempt offers more per gas; 0: the configured cap.
 *   may_repeat: the contract makes a second execution of the call do nothing but cost gas. Only then
 * is it signed again under another nonce when, by the word of every endpoint that answers, its nonce
 * went to another transaction. What may not repeat has one nonce for ever, so that at most one of
 * its attempts is ever executed, whatever the nodes say: it ends as UNKNOWN in place of FAILED once
 * its bytes have left, and is SETTLED only when no endpoint tells another receipt.
 *   is_urgent: it is signed and sent before those of its account that are not, and wait for theirs. */
struct adapter_submission {
	struct cs_address from;
	bool may_repeat;
	bool is_urgent;
	uint64_t gas_limit;
	uint64_t max_fee_cap_wei;
	struct cs_address to;
	struct cs_bytes data;                   /* copied */
	const struct adapter_tx_resume *resume; /* NULL: new */
	void *ctx;
	void (*sign)(void *ctx, struct adapter_tx *tx, const struct adapter_terms *terms);
	void (*report)(void *ctx, struct adapter_tx *tx, const struct adapter_tx_report *report);
};

/* What an account whose key the host holds signs. */
struct adapter_signing {
	struct cs_address from; /* of the key: where a cancellation goes */
	struct cs_address to;
	struct cs_hash value; /* a word */
	struct cs_bytes data;
};

/* A transaction that somebody else signed, as far as it is looked at before it is passed on. */
struct adapter_transaction {
	struct cs_hash hash;
	struct cs_address from; /* who signed it */
	struct cs_address to;
	struct cs_hash value; /* a word */
	struct cs_u256 price; /* at most so many wei for a unit of gas */
	uint64_t nonce;
	uint64_t gas_limit;
	struct cs_bytes data; /* a view into its bytes */
};

/* What became of a transaction, by a node's word. */
struct adapter_receipt {
	bool succeeded;
	uint64_t height;
};
/* OK with receipt NULL: the node knows of no block with it. */
typedef void adapter_receipt_fn(void *ctx, enum cs_err err, const char *why,
				const struct adapter_receipt *receipt);

/* For metrics; what a kind of chain does not have stays 0. */
struct adapter_counters {
	uint64_t blocks;
	uint64_t events;
	uint64_t foreign;    /* logs of the contracts that do not decode or whose id is another */
	uint64_t unstorable; /* events left out: a number of 2^63 and more */
	uint64_t late;       /* events that only the reconciler found */
	uint64_t reorgs;
	uint64_t reorg_depth_max;
	uint64_t ws_connects;
	uint64_t ws_hints;
	uint64_t ws_silent;   /* closed because blocks came and it said nothing */
	uint64_t logs_splits; /* eth_getLogs ranges that a node refused */
	uint64_t logs_denied; /* blocks that eth_getLogs named and whose receipts hold nothing */
	uint64_t tries_built;
	uint64_t trie_hits;
	uint64_t txs_sent;
	uint64_t txs_replaced; /* by a better fee; of a ledger, by one that has not expired */
	uint64_t txs_resent;
	uint64_t nonces_resynced;
	uint64_t txs_unknown; /* reported as ADAPTER_TX_UNKNOWN */
};

/* ---- the table ---- */

struct adapter_ops {
	const char *name;
	/* What a block did is in the state that the header so many blocks above it proves. */
	unsigned state_lag;
	/* Tokens are contracts that a bridge takes from by allowance; else assets of one contract, of
	 * which it takes what its caller has. */
	bool has_allowances;
	/* There are receipt proofs; else a message is proven by a word of the gateway's state. */
	bool proves_events;
	enum cs_err (*start)(struct adapter *adapter, const struct adapter_cursor *cursor);
	void (*free)(struct adapter *adapter);
	enum cs_err (*headers)(struct adapter *adapter, uint64_t from, size_t count,
			       adapter_headers_fn *done, void *ctx);
	enum cs_err (*receipt_proof)(struct adapter *adapter, const struct adapter_block_id *block,
				     uint32_t tx_index, size_t claims_from,
				     adapter_receipt_proof_fn *done, void *ctx);
	enum cs_err (*account_proof)(struct adapter *adapter, const struct adapter_block_id *block,
				     const struct cs_address *address, const struct cs_hash *slots,
				     size_t count, adapter_account_proof_fn *done, void *ctx);
	enum cs_err (*call)(struct adapter *adapter, const struct cs_address *from,
			    const struct cs_address *to, struct cs_bytes data,
			    adapter_call_fn *done, void *ctx);
	enum cs_err (*rehearse)(struct adapter *adapter, const struct cs_address *from,
				const struct cs_address *to, const struct cs_hash *value,
				struct cs_bytes data, adapter_call_fn *done, void *ctx);
	enum cs_err (*estimate)(struct adapter *adapter, const struct cs_address *from,
				const struct cs_address *to, struct cs_bytes data,
				adapter_gas_fn *done, void *ctx);
	enum cs_err (*fees)(struct adapter *adapter, adapter_fees_fn *done, void *ctx);
	enum cs_err (*account)(struct adapter *adapter, const struct cs_address *address,
			       adapter_account_fn *done, void *ctx);
	enum cs_err (*statuses)(struct adapter *adapter, const struct cs_hash *source,
				const uint64_t *sequences, size_t count, adapter_statuses_fn *done,
				void *ctx);
	enum cs_err (*rescan)(struct adapter *adapter, uint64_t from, uint64_t to,
			      adapter_done_fn *done, void *ctx);
	void (*final)(struct adapter *adapter, const struct adapter_block_id *block);
	/* NULL: its blocks are never withdrawn. */
	enum cs_err (*accept_reorg)(struct adapter *adapter, const struct cs_hash *new_hash);
	enum cs_err (*submit)(struct adapter *adapter, struct adapter_tx **tx,
			      const struct adapter_submission *submission);
	void (*tx_signed)(struct adapter_tx *tx, struct cs_bytes raw, const struct cs_hash *hash);
	void (*tx_refused)(struct adapter_tx *tx, enum cs_err err, const char *why);
	enum cs_err (*tx_cancel)(struct adapter_tx *tx);
	/* NULL: transactions offer no fee that could be raised. */
	enum cs_err (*tx_raise)(struct adapter_tx *tx);
	enum cs_err (*send_raw)(struct adapter *adapter, struct cs_bytes raw, adapter_done_fn *done,
				void *ctx);
	/* NULL: it takes none of somebody else's. */
	enum cs_err (*read_transaction)(struct adapter *adapter, struct adapter_transaction *out,
					const struct cs_sig *sig, struct cs_bytes raw,
					struct cs_why *why);
	enum cs_err (*receipt)(struct adapter *adapter, const struct cs_hash *hash,
			       adapter_receipt_fn *done, void *ctx);
	bool (*hash_at)(struct adapter *adapter, uint64_t height, struct cs_hash *hash);
	/* NULL: its blocks are withdrawn, and a conflict is none. */
	size_t (*others)(struct adapter *adapter, struct adapter_header others[ADAPTER_OTHERS_MAX]);
	/* NULL: its nodes take none. */
	enum cs_err (*hand_evidence)(struct adapter *adapter, size_t endpoint,
				     struct cs_bytes bytes, adapter_done_fn *done, void *ctx);
	size_t (*endpoints)(struct adapter *adapter, struct adapter_endpoint *endpoints,
			    size_t count_max);
	enum cs_err (*sign)(struct adapter *adapter, uint8_t **raw, size_t *raw_size,
			    struct cs_hash *hash, const struct cs_sig *sig,
			    const struct cs_secret *key, const struct adapter_signing *call,
			    const struct adapter_terms *terms);
	void (*counters)(struct adapter *adapter, struct adapter_counters *counters);
};

/* First member of every chain's own struct. */
struct adapter {
	const struct adapter_ops *ops;
};

/* Connects, finds the fork with the cursor (NULL or empty: begins at the configured start height)
 * and reports from there. */
CS_NODISCARD enum cs_err adapter_start(struct adapter *adapter,
				       const struct adapter_cursor *cursor);
/* Not from inside one of its callbacks. Open transactions are forgotten without a report: the
 * journal has them. NULL is allowed. */
void adapter_free(struct adapter *adapter);

/* Consecutive headers of the chain as it is now, linked to each other by hash; fewer than asked
 * when the chain ends. INVALID: count 0 or above ADAPTER_HEADERS_MAX. NOT_FOUND: `from` is above
 * the head. */
CS_NODISCARD enum cs_err adapter_headers(struct adapter *adapter, uint64_t from, size_t count,
					 adapter_headers_fn *done, void *ctx);
/* UNSUPPORTED where events are under no root. One trie per block is kept, whoever asks first builds
 * it. REORGED: no such block any more. UNAVAILABLE: the node has the block and no receipts of it.
 * NOT_FOUND: no such index. */
CS_NODISCARD enum cs_err adapter_receipt_proof(struct adapter *adapter,
					       const struct adapter_block_id *block,
					       uint32_t tx_index, size_t claims_from,
					       adapter_receipt_proof_fn *done, void *ctx);
/* Of the account and its slots under what this block's header commits to: on an EVM chain the state
 * after it, on a ledger the one after the block below (adapter_proven_height), where the account is
 * the gateway and is not proven itself: its code is the ledger's. Checked. count <= ADAPTER_SLOTS_MAX. UNAVAILABLE: the node no longer has that state. REORGED: another block is
 * there. */
CS_NODISCARD enum cs_err adapter_account_proof(struct adapter *adapter,
					       const struct adapter_block_id *block,
					       const struct cs_address *address,
					       const struct cs_hash *slots, size_t count,
					       adapter_account_proof_fn *done, void *ctx);
/* At the newest block. from may be NULL. */
CS_NODISCARD enum cs_err adapter_call(struct adapter *adapter, const struct cs_address *from,
				      const struct cs_address *to, struct cs_bytes data,
				      adapter_call_fn *done, void *ctx);
/* The same with a value (32-byte word), which `from` must have: NO_FUNDS otherwise. What a
 * transaction would do now, without a transaction. */
CS_NODISCARD enum cs_err adapter_rehearse(struct adapter *adapter, const struct cs_address *from,
					  const struct cs_address *to, const struct cs_hash *value,
					  struct cs_bytes data, adapter_call_fn *done, void *ctx);
CS_NODISCARD enum cs_err adapter_estimate(struct adapter *adapter, const struct cs_address *from,
					  const struct cs_address *to, struct cs_bytes data,
					  adapter_gas_fn *done, void *ctx);
CS_NODISCARD enum cs_err adapter_fees(struct adapter *adapter, adapter_fees_fn *done, void *ctx);
CS_NODISCARD enum cs_err adapter_account(struct adapter *adapter, const struct cs_address *address,
					 adapter_account_fn *done, void *ctx);
/* Of the gateway contract: UNSUPPORTED without one; count <= ADAPTER_STATUSES_MAX. */
CS_NODISCARD enum cs_err adapter_statuses(struct adapter *adapter, const struct cs_hash *source,
					  const uint64_t *sequences, size_t count,
					  adapter_statuses_fn *done, void *ctx);
/* Reports the blocks with events from..to again, as late. At its own pace, beside the live work. */
CS_NODISCARD enum cs_err adapter_rescan(struct adapter *adapter, uint64_t from, uint64_t to,
					adapter_done_fn *done, void *ctx);

/* The newest final block, by the enclave's word: a fork that takes it away needs more than one
 * endpoint (struct adapter_reorg); where another block was reported at its height, any fork is
 * followed. Before the first call nothing is final. */
void adapter_final(struct adapter *adapter, const struct adapter_block_id *block);
/* Follows the reorganisation that was told by `held` with this new_hash, soon. NOT_FOUND: none waits;
 * CONFLICT: another one does. */
CS_NODISCARD enum cs_err adapter_accept_reorg(struct adapter *adapter,
					      const struct cs_hash *new_hash);

/* FULL: too many are open for this account. The tx is valid until its report of SETTLED or FAILED. */
CS_NODISCARD enum cs_err adapter_submit(struct adapter *adapter, struct adapter_tx **tx,
					const struct adapter_submission *submission);
void adapter_tx_signed(struct adapter *adapter, struct adapter_tx *tx, struct cs_bytes raw,
		       const struct cs_hash *hash);
void adapter_tx_refused(struct adapter *adapter, struct adapter_tx *tx, enum cs_err err,
			const char *why);
/* Not sent yet, or stuck before any node took what may repeat: FAILED with CLOSED. Sent: replaced by a
 * cancellation, which may lose the race: the report tells; on a ledger, which has none, FAILED with CLOSED once no block can
 * take it any more. CONFLICT: it is already included, or unknown. */
CS_NODISCARD enum cs_err adapter_tx_cancel(struct adapter *adapter, struct adapter_tx *tx);
/* Another attempt now, under the same nonce, with what is asked now and an eighth more at least: sign is
 * called for it in a later turn. CONFLICT: nothing of it was sent, or a block has it; POLICY_FEE: above
 * its cap; FULL: the last attempt was made, or one is being made; UNSUPPORTED. */
CS_NODISCARD enum cs_err adapter_tx_raise(struct adapter *adapter, struct adapter_tx *tx);
/* Without nonce, ladder or watch: for a transaction that somebody else made. "Already known" is
 * success. */
CS_NODISCARD enum cs_err adapter_send_raw(struct adapter *adapter, struct cs_bytes raw,
					  adapter_done_fn *done, void *ctx);

/* Whose it is and what it calls; data is a view into raw. UNSUPPORTED: this kind of chain takes none of
 * somebody else's, or not of this type; INVALID: of another chain. Else what its form or its signature
 * is refused with; why says it. */
CS_NODISCARD enum cs_err adapter_read_transaction(struct adapter *adapter,
						  struct adapter_transaction *out,
						  const struct cs_sig *sig, struct cs_bytes raw,
						  struct cs_why *why);
/* Which block a node has it in; believed by nobody before that block was read. */
CS_NODISCARD enum cs_err adapter_receipt(struct adapter *adapter, const struct cs_hash *hash,
					 adapter_receipt_fn *done, void *ctx);

/* Hash of a block whose events were reported and not withdrawn: every block below it that was
 * reported is its ancestor. False: not reported yet, or longer ago than the window. */
bool adapter_hash_at(struct adapter *adapter, uint64_t height, struct cs_hash *hash);
/* What a conflict that was told is about: blocks of the other branch as light blocks, the lowest one
 * first; views until the next conflict. 0: there was none. */
size_t adapter_others(struct adapter *adapter, struct adapter_header others[ADAPTER_OTHERS_MAX]);
/* One piece of evidence to one endpoint, by its place among adapter_endpoints: OK when the node took it, or has it. INVALID: the node
 * refuses it, why is its reason; other errors: it did not judge. At once NOT_FOUND: no such HTTP endpoint; UNSUPPORTED; MALFORMED and
 * others: no evidence. */
CS_NODISCARD enum cs_err adapter_hand_evidence(struct adapter *adapter, size_t endpoint,
					       struct cs_bytes bytes, adapter_done_fn *done,
					       void *ctx);
/* Writes at most count_max, returns how many there are. */
size_t adapter_endpoints(struct adapter *adapter, struct adapter_endpoint *endpoints,
			 size_t count_max);

/* Whether adapter_receipt_proof proves that a message was sent. Where it is UNSUPPORTED,
 * adapter_account_proof of the gateway's slot 3 does (docs/protocol/envelope.md section 5). */
bool adapter_proves_events(const struct adapter *adapter);
/* Whether a bridge needs an approval for what it locks. */
bool adapter_has_allowances(const struct adapter *adapter);
/* The question how much of a token an account has, of which the answer is one word: calldata behind
 * what is in the buffer, and where it goes. */
void adapter_put_balance_of(const struct adapter *adapter, struct cs_buf *data,
			    struct cs_address *to, const struct cs_address *token,
			    const struct cs_address *account);
/* The newest block whose effects a proof at `height` shows, 0 for none (and without an adapter): the block itself where a header
 * commits to the state after it, else one below. */
uint64_t adapter_proven_height(const struct adapter *adapter, uint64_t height);
/* Under these terms: the call, or its cancellation, by an account whose key the host holds. *raw: the
 * caller's, freed by free(); hash: the transaction's. Sends nothing. The errors of cs_ecdsa_sign;
 * TOO_LARGE. */
CS_NODISCARD enum cs_err adapter_sign(struct adapter *adapter, uint8_t **raw, size_t *raw_size,
				      struct cs_hash *hash, const struct cs_sig *sig,
				      const struct cs_secret *key,
				      const struct adapter_signing *call,
				      const struct adapter_terms *terms);
void adapter_counters(struct adapter *adapter, struct adapter_counters *counters);

/* A cursor as bytes for a journal: count, then (height, hash) pairs, big-endian. */
CS_NODISCARD enum cs_err adapter_cursor_encode(uint8_t *bytes, size_t size_max, size_t *size,
					       const struct adapter_cursor *cursor);
CS_NODISCARD enum cs_err adapter_cursor_decode(struct adapter_cursor *cursor,
					       struct cs_bytes bytes);

const char *adapter_tx_state_name(enum adapter_tx_state state);
const char *adapter_endpoint_state_name(enum adapter_endpoint_state state);

#endif
