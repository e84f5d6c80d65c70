/* One account's transactions on a ledger, one after the other: asked for its sequence, simulated,
 * priced, signed, written down by its owner, sent, and sent again until a block has it or none ever
 * will. At most one is in flight, so that what has a place in an order keeps it.
 *
 * What became of it is what nodes say: a lie costs a transaction or a record that has to be written
 * again, never a message. Each transaction has an end of its validity, and its owner wrote it down with
 * what it was for before anybody saw it; so after a crash the same bytes go on, and nothing is signed a
 * second time while they may still happen. */
#ifndef RELAY_STATE_CLIENT_WRITER_H
#define RELAY_STATE_CLIENT_WRITER_H

#include "core/sig.h"
#include "relay_state/client/client.h"
#include "relay_state/client/sent.h"
#include "relay_state/ledger/tx.h"

struct ledger_writer;

enum ledger_end {
	LEDGER_END_DONE,     /* in a block, and its calls happened */
	LEDGER_END_REVERTED, /* a call reverted: in a block, or already when it was simulated */
	LEDGER_END_VOID,     /* no block takes it any more */
	LEDGER_END_UNKNOWN,  /* its sequence was used, and no node tells by what: the state says */
	LEDGER_END_NOT_SENT, /* it never came to a signature: err says why */
};

struct ledger_report {
	enum ledger_end end;
	uint64_t kind;
	bool was_sent; /* it had been written down */
	enum cs_err err;
	const char *why;
	uint64_t height;   /* of the block; 0: none */
	uint64_t gas_used; /* of DONE */
	struct cs_bytes
		data; /* of REVERTED: what the call reverted with; of DONE what it returned */
};

struct ledger_writer_ops {
	/* Write it down together with what it is for, and call ledger_writer_kept after the commit.
	 * Not OK: nothing was written, and nothing is sent. */
	enum cs_err (*keep)(void *ctx, const struct ledger_sent *sent);
	/* Once for each ledger_writer_send that was OK, and for a resumed one: forget what was written
	 * down in the same commit as what follows from it. The writer is free already. */
	void (*ended)(void *ctx, const struct ledger_report *report);
	/* For people: what it waits for with a transaction that is sent; "" when a node has it. May be
	 * NULL. */
	void (*waits)(void *ctx, const char *why);
};

struct ledger_writer_config {
	struct ledger_client *client;
	const struct cs_sig *sig;
	const struct cs_secret *key; /* of secp256k1; both live longer than the writer */
	struct cs_hash chain_tag;
	uint64_t gas_price_max; /* a chain whose least is above it gets nothing */
	unsigned poll_ms;       /* between two looks at what became of it [1000] */
	unsigned valid_s;       /* how long one may be taken [60] */
	const struct ledger_writer_ops *ops;
	void *ctx;
};

/* CRYPTO, INVALID: no private key. */
CS_NODISCARD enum cs_err ledger_writer_new(struct ledger_writer **writer, struct host_loop *loop,
					   const struct ledger_writer_config *config);
/* Before the client is freed; nothing is reported any more. NULL is allowed. */
void ledger_writer_free(struct ledger_writer *writer);
const struct cs_address *ledger_writer_account(const struct ledger_writer *writer);
bool ledger_writer_is_busy(const struct ledger_writer *writer);
/* The newest block that one of its transactions is in: no older state shows what was written. */
uint64_t ledger_writer_height(const struct ledger_writer *writer);

/* So much is known from before this start: as if one of its transactions were there. */
void ledger_writer_saw(struct ledger_writer *writer, uint64_t height);

/* Calls of one transaction, 1 to LEDGER_CALLS_MAX, with no value; inputs are copied. until_s: it is not
 * to be taken at a later time; 0: by valid_s alone. CONFLICT: one is in flight. UNAVAILABLE: no node
 * is known to be of the chain. On failure nothing is reported. */
CS_NODISCARD enum cs_err ledger_writer_send(struct ledger_writer *writer, uint64_t kind,
					    const struct ledger_tx_call *calls, size_t count,
					    uint64_t until_s);
/* What `keep` was asked to write is on disk. */
void ledger_writer_kept(struct ledger_writer *writer);
/* Goes on with what was written down before this start; before anything else. */
void ledger_writer_resume(struct ledger_writer *writer, const struct ledger_sent *sent);

#endif
