/* The time that nodes of a ledger sign for nonces of an enclave (docs/protocol/time.md): which nonce is
 * open, and what the newest answer proved. Shared by the enclaves of a bridge, an oracle and a key cluster.
 * Reads no clock, makes no nonce, and does not know what was there when one was made: that is the caller's
 * to keep. */
#ifndef VERIFY_CLOCK_H
#define VERIFY_CLOCK_H

#include "core/json.h"
#include "verify/time_answers.h"

#define VERIFY_CLOCK_KEYS_MAX 16u
/* By which an honest node's clock may be wrong. */
#define VERIFY_CLOCK_ERROR_MAX_S 3600u

/* As a manifest has it. */
struct verify_clock_source {
	struct verify_time_keys keys;
	uint64_t error_s;
};

/* Members time_keys, quorum (above half, so that two quorums share a key) and clock_error_s of an object
 * that may have others. */
CS_NODISCARD enum cs_err verify_clock_source_read(struct verify_clock_source *source,
						  const struct cs_json *json, struct cs_why *why);

/* Zeros at the start of a process: what was answered to another one is worth nothing. */
struct verify_clock {
	uint64_t made;     /* nonces */
	uint64_t answered; /* which of them was answered last, counted from 1 */
	bool is_open;      /* the newest one is not answered yet */
	struct cs_hash nonce;
	uint64_t asked_by_s; /* of the one that was answered last; 0: none was */
};

/* What was answered counts no more. */
void verify_clock_reset(struct verify_clock *clock);
/* A fresh nonce takes the place of the one before. */
void verify_clock_ask(struct verify_clock *clock, const struct cs_hash *nonce);
/* UNKNOWN_NONCE: not the newest nonce, or answered already; errors of verify_time_answers. */
CS_NODISCARD enum cs_err verify_clock_judge(const struct verify_clock *clock,
					    struct verify_time_proof *proof,
					    const struct verify_clock_source *source,
					    const struct cs_hash *nonce, const struct cs_sig *sig,
					    const struct verify_time_answer *answers, size_t count,
					    struct cs_why *why);
/* What was judged; *low_s rises to what it proves, and never falls. */
void verify_clock_take(struct verify_clock *clock, uint64_t *low_s,
		       const struct verify_time_proof *proof);

#endif
