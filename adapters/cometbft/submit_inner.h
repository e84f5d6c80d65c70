/* Transactions of one ledger on their way, between submit.c, which makes and sends them, and track.c,
 * which learns from the blocks what became of them. */
#ifndef ADAPTERS_COMETBFT_SUBMIT_INNER_H
#define ADAPTERS_COMETBFT_SUBMIT_INNER_H

#include "adapters/cometbft/inner.h"

#define SENDERS_MAX 8
/* Open transactions of one account, waiting ones included. */
#define SENDER_TXS_MAX 512

enum code {
#define LEDGER_CODE(code, number, name, sentence) CODE_##code = (number),
#include "relay_state/ledger/codes.def"
#undef LEDGER_CODE
	CODE_TAKEN = 32 /* from here on the sequence and the fee counted */
};

enum phase { TX_WAITING, TX_FRONT, TX_SENT, TX_INCLUDED, TX_ENDED };
enum work { TX_IDLE, TX_SIMULATING, TX_PRICING, TX_SIGNING, TX_SENDING };

struct sender;

struct adapter_tx {
	struct comet *comet;
	struct sender *sender;
	struct adapter_tx *next;
	struct adapter_submission submission;
	uint8_t *data;
	enum phase phase;
	enum work work;
	bool has_nonce;
	bool cancel_wanted;
	bool accepted; /* a node took the newest attempt */
	bool stuck_told;
	unsigned overtaken; /* heads that saw its sequence used */
	uint64_t gas_limit;
	struct adapter_terms terms;
	struct cs_hash hashes[ADAPTER_TX_ATTEMPTS_MAX];
	size_t attempt_count;
	uint8_t *raw;
	size_t raw_size;
	uint64_t sent_height;
	uint64_t taken_ms; /* when a node took it first; 0: never */
	size_t endpoint;
	uint64_t wait_height;
	struct adapter_tx_report included;
	enum cs_err refused; /* for good, by a node: what it ends with when it has expired */
	char why[120];
	unsigned calls;
};

struct sender {
	struct comet *comet;
	struct cs_address address;
	bool used;
	bool synced;
	bool syncing;
	uint64_t sequence;       /* the account's next, as a node says */
	uint64_t sequence_floor; /* above what of ours was included */
	uint64_t synced_ms;
	struct adapter_tx *txs; /* in the order of submission */
	size_t tx_count;
	unsigned calls;
};

struct comet_submit {
	struct comet *comet;
	struct host_timer *timer;
	struct sender senders[SENDERS_MAX];
	bool have_fees;
	uint64_t fees_ms;
	struct adapter_fees fees;
};

/* ---- submit.c ---- */

/* 0 before the first. */
uint64_t comet_head_height(const struct comet *comet);
void comet_submit_wake(struct comet *comet);
/* Asks for the account's next sequence. */
void comet_sender_sync(struct sender *sender);
bool comet_tx_is_over(const struct adapter_tx *tx);
void comet_tx_report(struct adapter_tx *tx, enum adapter_tx_state state, enum cs_err err,
		     const char *why);
/* Ends it, and says so. */
void comet_tx_fail(struct adapter_tx *tx, enum cs_err err, const char *why);
/* Its newest attempt. */
void comet_tx_send(struct adapter_tx *tx);

#endif
