/* What signed answers to an own nonce prove about the time (docs/protocol/time.md). Reads no clock and
 * makes no nonce; which keys are believed, and how many of them, is the caller's (its manifest). */
#ifndef VERIFY_TIME_ANSWERS_H
#define VERIFY_TIME_ANSWERS_H

#include "core/sig.h"

/* Keys that are pinned, and answers that one question gets. */
#define VERIFY_TIME_KEYS_MAX 32u

struct verify_time_answer {
	struct cs_hash key;
	uint64_t time_ms; /* Unix, by the signer's clock */
	uint8_t signature[64];
};

struct verify_time_keys {
	size_t threshold; /* fewer than so many of them lie */
	size_t count;
	struct cs_hash keys[VERIFY_TIME_KEYS_MAX]; /* x of BIP-340 */
};

struct verify_time_question {
	const struct verify_time_keys *keys; /* whose answers count */
	const struct cs_hash *nonce;
	uint64_t error_ms; /* by which an honest signer's clock may be wrong */
};

/* Bounds of two moments, which are not one: between them lies whatever time the host took. */
struct verify_time_proof {
	/* The nonce was made at this time or before, and so was everything that had come in before it:
	 * against it is checked whether something had expired when it came. */
	uint64_t asked_by_s;
	/* It is this time or later: against it is checked whether something has begun. */
	uint64_t now_from_s;
	size_t count; /* answers that count */
};

/* What a node signs for a nonce. */
struct cs_hash verify_time_digest(const struct cs_hash *nonce, uint64_t time_ms);

/* With k the threshold and answers of distinct pinned keys: now_from_s from the k-th largest time,
 * asked_by_s from the k-th smallest, each with error_ms: among any k answers one is honest. Answers of other keys, of a key that has counted already
 * and with bad signatures are passed over. UNAUTHORIZED: fewer than k count. OVERFLOW: a bound above
 * 2^64 - 1. TOO_LARGE: more than VERIFY_TIME_KEYS_MAX answers. INVALID: a threshold of 0 or above the
 * count, a key twice. CRYPTO. */
CS_NODISCARD enum cs_err verify_time_answers(struct verify_time_proof *proof,
					     const struct cs_sig *sig,
					     const struct verify_time_question *question,
					     const struct verify_time_answer *answers, size_t count,
					     struct cs_why *why);

/* The same where answers sign more than nonce and time: digests[i] is what answers[i] is signed over.
 * counted[i]: it is one of those that count. Both of room for VERIFY_TIME_KEYS_MAX. */
CS_NODISCARD enum cs_err verify_time_signed(struct verify_time_proof *proof, bool *counted,
					    const struct cs_sig *sig,
					    const struct verify_time_question *question,
					    const struct verify_time_answer *answers,
					    const struct cs_hash *digests, size_t count,
					    struct cs_why *why);

#endif
