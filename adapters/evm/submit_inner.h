/* The state of submission: accounts, their transactions, the attempts of each. submit.c brings a
 * transaction to a node, track.c follows it into a block, inquiry.c asks everybody. */
#ifndef ADAPTERS_EVM_SUBMIT_INNER_H
#define ADAPTERS_EVM_SUBMIT_INNER_H

#include "adapters/evm/inner.h"

/* A gateway's pool, its operator's, and what is still open of accounts before. */
#define EVM_SENDERS_MAX 24
/* Open transactions of one account, waiting ones included. */
#define EVM_SENDER_TXS_MAX 512
#define EVM_IN_FLIGHT_MAX 64

enum tx_phase {
	TX_WAITING,  /* in the queue of its account */
	TX_FRONT,    /* its turn: estimate, fees, nonce, signature, first send */
	TX_SENT,     /* watched */
	TX_INCLUDED, /* watched until it is settled */
	TX_UNKNOWN,  /* nothing more is sent; every endpoint is asked about it now and then */
	TX_ENDED,    /* reported for the last time; freed when no call points to it */
};

/* What is under way for a transaction: one thing at a time. */
enum tx_work {
	TX_IDLE,
	TX_ESTIMATING,
	TX_PRICING,
	TX_SIGNING,
	TX_SENDING,
	TX_ASKING, /* every endpoint */
};

struct attempt {
	struct adapter_terms terms;
	struct cs_hash hash;
};

struct sender;

struct adapter_tx {
	struct evm *evm;
	struct sender *sender;
	struct adapter_tx *next;
	struct adapter_submission submission;
	uint8_t *data;
	enum tx_phase phase;
	enum tx_work work;
	bool has_nonce;
	bool cancel_wanted;
	bool accepted; /* a node took the newest attempt */
	bool stuck_told;
	enum cs_err stuck_err; /* why, the last time */
	bool agreed;           /* no endpoint tells another outcome */
	unsigned ask_pause;    /* heads between two inquiries about what is unknown */
	unsigned refusals;     /* of the first bytes, in a row */
	unsigned foreign;      /* heads that saw its nonce used and no receipt */
	unsigned orphaned;     /* heads that saw a hole below its nonce */
	uint64_t gas_limit;
	struct adapter_terms terms; /* of the newest attempt, or of the one being made */
	struct attempt attempts[ADAPTER_TX_ATTEMPTS_MAX];
	size_t attempt_count;
	size_t attempts_here; /* under the present nonce */
	uint8_t *raw;
	size_t raw_size;
	uint64_t sent_height;
	uint64_t taken_ms;                 /* when a node took it first; 0: never */
	size_t endpoint;                   /* that has the newest attempt */
	uint64_t wait_height;              /* nothing is tried before this head */
	struct adapter_tx_report included; /* hash, block and so on */
	unsigned calls;                    /* RPC answers that will point here */
	enum cs_err ending_err;            /* of a failure that is told in a later turn */
	char ending_why[120];
};

struct sender {
	struct evm *evm;
	struct cs_address address;
	bool used;
	bool synced;
	bool syncing;
	bool tracking;
	bool track_again;      /* a head came while receipts were being asked for */
	uint64_t nonce_latest; /* of the newest block */
	uint64_t nonce_floor;  /* above what of ours was included; 0 after a reorganisation */
	uint64_t synced_ms;
	struct adapter_tx *txs; /* in the order of submission */
	size_t tx_count;
	unsigned calls;
};

struct evm_submit {
	struct evm *evm;
	struct host_timer *timer;
	struct sender senders[EVM_SENDERS_MAX];
	bool have_fees;
	uint64_t fees_ms;
	struct adapter_fees fees;
};

/* submit.c */
void evm_sender_work(struct sender *sender);
void evm_tx_report(struct adapter_tx *tx, enum adapter_tx_state state, enum cs_err err,
		   const char *why);
void evm_tx_fail(struct adapter_tx *tx, enum cs_err err, const char *why);
/* The same bytes again, to a node that lost them or perhaps never had them. */
void evm_tx_resend(struct adapter_tx *tx);
/* Another attempt under the same nonce: dearer, or a cancellation. */
void evm_tx_replace(struct adapter_tx *tx);
/* Its nonce is gone: it goes back to the front of the queue. */
void evm_tx_renonce(struct adapter_tx *tx);
/* What may not repeat, and of which nobody tells whether it happened. */
void evm_tx_unknown(struct adapter_tx *tx, enum cs_err err, const char *why);
/* Frees what has ended and is not pointed to. */
void evm_sender_sweep(struct sender *sender);
uint64_t evm_head_height(const struct evm *evm);

/* track.c */
void evm_sender_track(struct sender *sender);
/* False: it cannot be the receipt of this attempt. */
bool evm_tx_read_receipt(struct adapter_tx_report *report, const struct adapter_tx *tx,
			 size_t attempt, const json_t *json);
/* As tx->included says. */
void evm_tx_include(struct adapter_tx *tx);

/* inquiry.c: asks every endpoint for the account's nonce and the receipts, and acts on the answers:
 * a receipt includes it; without any, a nonce that all call used is lost. */
void evm_tx_inquire(struct adapter_tx *tx);

/* Both fees raised by an eighth, rounded up, and at least to what is asked now. POLICY_FEE: above
 * the cap. Pure. */
CS_NODISCARD enum cs_err evm_terms_bump(struct adapter_terms *terms,
					const struct adapter_fees *fees, uint64_t cap_wei);
/* The first offer: what is asked now, cut to the cap. POLICY_FEE: the cap is below the base fee.
 * Pure. */
CS_NODISCARD enum cs_err evm_terms_first(struct adapter_terms *terms,
					 const struct adapter_fees *fees, uint64_t cap_wei);

#endif
