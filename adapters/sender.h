/* Submissions of a host process on one chain: from a row in its journal to a settled transaction. The
 * adapter owns nonce, fees and the watch; the owner has the rows, signs, and does what follows from a
 * report. What is the same for gateways and oracles is here: nothing is sent before its bytes are in
 * the journal, what was open when the process ended is taken up again, and what ends is freed when
 * nobody will answer for it any more. */
#ifndef ADAPTERS_SENDER_H
#define ADAPTERS_SENDER_H

#include "adapters/attempts.h"
#include "adapters/owner.h"

struct adapter_sender;

/* One submission that the adapter has. The owner's struct begins with it (sent_size); the owner fills
 * in the first part in load and reads the rest. */
struct adapter_sent {
	const char *call;               /* for the log, static */
	unsigned *open;                 /* counts those of its account that no block has */
	struct adapter_tx_report known; /* INCLUDED as the row has it, else zero */
	/* the sender's */
	struct adapter_sender *sender;
	struct adapter_sent *next;
	uint64_t n; /* row */
	struct adapter_tx *tx;
	struct adapter_terms terms; /* being signed, or of the newest attempt */
	struct cs_hash hash;
	uint8_t *raw; /* signed, on its way into the journal */
	size_t raw_size;
	unsigned attempts;
	unsigned answers; /* of the signer or the journal that are still to come */
	bool gone;        /* the adapter has forgotten it; freed with the last answer */
	bool included;    /* in a block, or watched alone: it takes no room of the account */
};

/* context: the sender's. */
struct adapter_sender_ops {
	/* Rows that are open, above `after`, ascending. */
	enum cs_err (*rows)(void *context, uint64_t after, uint64_t *rows, size_t count_max,
			    size_t *count);
	/* Reads row sent->n: from, may_repeat, gas_limit, to and data of the submission, call and
	 * open. The calldata in the sender's arena. What may not be tried again is refused for
	 * good. */
	enum cs_err (*load)(struct adapter_sent *sent, struct adapter_submission *submission);
	/* Oldest first; raw bytes in the sender's arena. */
	enum cs_err (*attempts)(void *context, uint64_t n, struct adapter_attempt *attempts,
				size_t count_max, size_t *count);
	/* Asks for the bytes under sent->terms; answered once by adapter_sent_signed or
	 * adapter_sent_refused, now or later. With an error it is not answered. */
	enum cs_err (*sign)(struct adapter_sent *sent);
	/* Inside a writer: the attempt, and with the row its nonce and hash. */
	enum cs_err (*store_attempt)(struct adapter_sent *sent,
				     const struct adapter_attempt *attempt);
	/* Inside a writer: what the report changes in the row, and for whoever wanted the call. */
	enum cs_err (*store_report)(struct adapter_sent *sent,
				    const struct adapter_tx_report *report);
	/* Inside a writer: the adapter will never take it. The sent is not in the list. */
	enum cs_err (*store_refused)(struct adapter_sent *sent, enum cs_err err);
};

/* The first part is the owner's to fill in, the rest zero. */
struct adapter_sender {
	const struct adapter_sender_ops *ops;
	const struct adapter_owner *owner;
	void *context;
	size_t sent_size;
	struct cs_arena *scratch;
	const char *name; /* CAIP-2 */
	struct adapter *adapter;
	const bool
		*stopping; /* but for INCLUDED, reports are the next start's: what ends now is open
			      in the journal */
	/* the sender's */
	struct adapter_sent *list;
	uint64_t resumed_to; /* rows up to it were taken up */
};

/* Hands to the adapter what the journal has open: after a start all of it, later what was written
 * since. In order: one that cannot be taken now holds up those behind it. */
void adapter_sender_take_up(struct adapter_sender *sender);
/* Another adapter, after the end of the one before: what was open is taken up from the journal again,
 * and an answer that is still to come for it is nobody's. */
void adapter_sender_move(struct adapter_sender *sender, struct adapter *adapter);
/* After the adapter's end, and when nobody will answer any more. */
void adapter_sender_done(struct adapter_sender *sender);

/* adapter_tx_raise of row n; CONFLICT too where the adapter has no such row. */
CS_NODISCARD enum cs_err adapter_sender_raise(struct adapter_sender *sender, uint64_t n);

/* Takes raw, which is malloc'd. */
void adapter_sent_signed(struct adapter_sent *sent, uint8_t *raw, size_t raw_size,
			 const struct cs_hash *hash);
/* why: a sentence, "" for the error's own. */
void adapter_sent_refused(struct adapter_sent *sent, enum cs_err err, const char *why);

#endif
