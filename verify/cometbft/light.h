/* The light client of a CometBFT chain, as pure functions of what is trusted, what came, the
 * options and the time (light/verifier.go, light/detector.go; spec/light-client/verification).
 * Holds no state: whoever does replaces what is trusted by what was verified.
 *
 * It trusts that more than 2/3 of the power of each validator set is honest until the trusting
 * period after the set's last block has passed. A skip trusts that of the trusted set more than the
 * trust level, hence somebody honest, signed the new header. */
#ifndef CMT_LIGHT_H
#define CMT_LIGHT_H

#include "verify/cometbft/evidence.h"
#include "verify/verify.h"

/* light/client.go's defaults: skips trust 1/3, clocks differ by 10 s. */
#define CMT_TRUST_LEVEL_DEFAULT ((struct cmt_fraction){1, 3})
#define CMT_DRIFT_DEFAULT_S 10u

struct cmt_light_options {
	struct cmt_fraction trust_level; /* 1/3 to 1 */
	uint64_t trusting_period_s;      /* not 0; shorter than the unbonding period */
	uint64_t block_protocol;         /* CMT_BLOCK_PROTOCOL: what the fields of headers mean */
	uint64_t drift_max_s; /* how far a header's time may lie after the high end of now */
};

/* INVALID: a trust level outside [1/3, 1], no trusting period. */
CS_NODISCARD enum cs_err cmt_light_options_check(const struct cmt_light_options *options,
						 struct cs_why *why);

/* What is trusted: a header, and the validators of its height or of the next (what hashes to one of
 * its two hashes; INVALID otherwise). */
struct cmt_trusted {
	const struct cmt_header *header;
	const struct cmt_validator_set *validators;
};

/* Whether the untrusted block follows from the trusted one, by one step: adjacent when it is the
 * next height, else by skipping. Of a block that was decoded or passed cmt_light_block_check.
 *
 * NO_TIME: nothing bounds now from above. UNSUPPORTED: another block protocol. ANCHOR_TOO_OLD: the
 * trusting period has passed since the trusted header. WRONG_CHAIN: of another chain. STALE_HEADER:
 * not above the trusted height. BAD_TIME: not later than the trusted header. FUTURE_HEADER: later
 * than now and the drift. BAD_SIGNER_SET: the next header's set is not the one that the trusted
 * header announced. NOT_ENOUGH_TRUST: a skip too far for the trusted set, and nothing wrong so far:
 * ask for a height in between (cmt_light_pivot). The errors of commits and options. Signatures of
 * the new set are checked last: it may be large only to cost time. */
CS_NODISCARD enum cs_err cmt_light_verify(const struct cmt_trusted *trusted,
					  const struct cmt_light_block *untrusted,
					  const struct cmt_light_options *options,
					  const struct verify_time *now, struct cs_why *why);

/* Where to look next after NOT_ENOUGH_TRUST: the middle. 0 when there is nothing in between. */
int64_t cmt_light_pivot(int64_t trusted_height, int64_t target_height);

/* Whether a header is the parent of a trusted one, whose time and period the caller judges. INVALID
 * and so on (cmt_header_check), WRONG_CHAIN, UNLINKED, BAD_TIME. */
CS_NODISCARD enum cs_err cmt_light_verify_parent(const struct cmt_header *trusted,
						 const struct cmt_header *parent,
						 struct cs_why *why);

/* ---- attacks ---- */

/* Where two traces part. */
struct cmt_divergence {
	const struct cmt_light_block *common;      /* the last on which both agree */
	const struct cmt_light_block *conflicting; /* of the first trace */
	const struct cmt_light_block *trusted;     /* of the second, held to be the chain's */
};

/* Two traces of blocks with ascending heights from one trusted block, as two providers gave them and
 * as they were verified step by step (which is done again here, as of `now`). The second trace has a
 * block at each height of the first up to where they part, or one below it that is not earlier (a
 * forward lunatic attack).
 *
 * OK: they part, *out says where; hold the second for the chain and cmt_light_attack_make names who
 * signed the first; ask again with the traces exchanged for the other side. NOT_FOUND: they do not
 * part as far as both go. UNLINKED: they do not begin with one block. NOT_ENOUGH_TRUST: a step of
 * the second trace needs blocks in between. The other refusals of cmt_light_verify: that trace
 * proves nothing. */
CS_NODISCARD enum cs_err cmt_light_diverge(struct cmt_divergence *out,
					   const struct cmt_light_block *first, size_t first_count,
					   const struct cmt_light_block *second,
					   size_t second_count,
					   const struct cmt_light_options *options,
					   const struct verify_time *now, struct cs_why *why);

#endif
