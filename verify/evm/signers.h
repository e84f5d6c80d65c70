/* Who may seal the next block, and what one header does to that set: Clique's snapshot and QBFT's
 * validators, both followed by counting votes. The light client replays steps over a set; it never
 * keeps one set per header. Internal to verify/evm. */
#ifndef VERIFY_EVM_SIGNERS_H
#define VERIFY_EVM_SIGNERS_H

#include "verify/evm/header.h"
#include "verify/evm/light_client.h"

/* An open vote. */
struct verify_evm_vote {
	struct cs_address signer;
	struct cs_address subject;
	bool adds;
};

/* The state after some block. */
struct verify_evm_signers {
	size_t count;
	struct cs_address who[VERIFY_EVM_SIGNERS_MAX]; /* ascending */
	uint64_t sealed_at[VERIFY_EVM_SIGNERS_MAX];    /* clique: last block, 0: none seen */
	size_t vote_count;
	struct verify_evm_vote votes[VERIFY_EVM_VOTES_MAX];
};

#define VERIFY_EVM_STEP_VOTE 1u
#define VERIFY_EVM_STEP_VOTE_ADDS 2u
#define VERIFY_EVM_STEP_MASK 3u

/* What a header does to the state before it. */
struct verify_evm_step {
	uint64_t number;
	struct cs_address who;     /* who votes: clique: the sealer; qbft: the proposer */
	struct cs_address subject; /* of the vote (qbft: only with VOTE) */
	uint8_t flags;
};

/* SIZE_MAX when it is not in the set. */
size_t verify_evm_signer_index(const struct verify_evm_signers *signers,
			       const struct cs_address *who);
/* DUPLICATE, TOO_LARGE. */
CS_NODISCARD enum cs_err verify_evm_signer_add(struct verify_evm_signers *signers,
					       const struct cs_address *who);
void verify_evm_signer_remove(struct verify_evm_signers *signers, size_t index);

/* Counts a vote of one who is in the set, in place of that one's older vote about the same account.
 * More than half of the set change it at once; the votes about that account go, and with one who
 * is dropped the votes of it. `idle`: a vote that would change nothing counts too. FULL when there
 * are more open votes than the bound, TOO_LARGE for one signer too many: the state is of no use
 * then. */
CS_NODISCARD enum cs_err verify_evm_vote_cast(struct verify_evm_signers *signers,
					      const struct verify_evm_vote *vote, bool idle);

/* ---- Clique (go-ethereum 1.13.15) ---- */

/* The state after the anchor, whose hash is trusted: an epoch block or the genesis. */
CS_NODISCARD enum cs_err verify_clique_anchor(struct verify_evm_signers *signers,
					      const struct verify_evm_header *header,
					      uint64_t epoch_length, const struct cs_sig *sig,
					      struct cs_why *why);
/* Checks everything but number, parent and time: form, seal, signer, recency, turn, epoch list. */
CS_NODISCARD enum cs_err verify_clique_check(struct verify_evm_step *step,
					     const struct verify_evm_signers *before,
					     const struct verify_evm_header *header,
					     uint64_t epoch_length, const struct cs_sig *sig,
					     struct cs_why *why);
/* The errors of verify_evm_vote_cast. */
CS_NODISCARD enum cs_err verify_clique_apply(struct verify_evm_signers *signers,
					     const struct verify_evm_step *step,
					     uint64_t epoch_length);
/* Distinct sealers that make a block of this set final. */
size_t verify_clique_seals_needed(size_t signer_count, uint64_t seals_min);

/* ---- QBFT (Besu's VoteTally and VoteTallyUpdater) ---- */

/* The state after the anchor, whose hash is trusted: the genesis or an epoch block, after which no
 * vote is open. */
CS_NODISCARD enum cs_err verify_qbft_anchor(struct verify_evm_signers *signers,
					    const struct verify_evm_header *header,
					    const struct verify_qbft_extra *extra,
					    uint64_t epoch_length, struct cs_why *why);
/* Checks form, the list of validators (it is the set in force), the proposer and the committed
 * seals. */
CS_NODISCARD enum cs_err verify_qbft_check(struct verify_evm_step *step,
					   const struct verify_evm_signers *before,
					   const struct verify_evm_header *header,
					   const struct verify_qbft_extra *extra,
					   const struct cs_sig *sig, struct cs_why *why);
/* An epoch block drops the open votes, and its own is not counted. The errors of
 * verify_evm_vote_cast. */
CS_NODISCARD enum cs_err verify_qbft_apply(struct verify_evm_signers *signers,
					   const struct verify_evm_step *step,
					   uint64_t epoch_length);

/* ceil(2n/3): Besu's BftHelpers.calculateRequiredValidatorQuorum. */
size_t verify_evm_two_thirds(size_t n);

/* The address behind r ‖ s ‖ v with v 0 or 1: BAD_SEAL otherwise. */
CS_NODISCARD enum cs_err verify_evm_seal_signer(struct cs_address *signer, bool *low_s,
						struct cs_bytes seal, const struct cs_hash *digest,
						const struct cs_sig *sig);

#endif
