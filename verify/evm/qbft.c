#include "verify/evm/signers.h"

#include <string.h>

/* The constant by which GoQuorum and Besu know a QBFT or IBFT header. */
static const struct cs_hash mix_hash = {
	"\x63\x74\x69\x63\x61\x6c\x20\x62\x79\x7a\x61\x6e\x74\x69\x6e\x65"
	"\x20\x66\x61\x75\x6c\x74\x20\x74\x6f\x6c\x65\x72\x61\x6e\x63\x65"};

static void set_vote(struct verify_evm_signers *signers, bool has_vote,
		     const struct cs_address *subject, bool adds)
{
	signers->vote_count = has_vote;
	if (has_vote)
		signers->votes[0] = (struct verify_evm_vote){.subject = *subject, .adds = adds};
}

static enum cs_err check_form(const struct verify_qbft_extra *extra, struct cs_why *why)
{
	if (extra->validator_count == 0)
		return cs_fail(why, CS_ERR_UNSUPPORTED,
			       "the chain keeps its validators in a contract");
	return CS_OK;
}

enum cs_err verify_qbft_anchor(struct verify_evm_signers *signers,
			       const struct verify_qbft_extra *extra, struct cs_why *why)
{
	CS_TRY(check_form(extra, why));
	memset(signers, 0, sizeof *signers);
	for (size_t i = 0; i < extra->validator_count; i++)
		CS_TRY(verify_evm_signer_add(signers, &extra->validators[i]));
	set_vote(signers, extra->has_vote, &extra->vote_address, extra->vote_adds);
	return CS_OK;
}

/* The list of a header is its parent's, or that with the one change that the parent's vote named.
 * (One vote a block: more cannot change. That a majority voted for it is vouched for by the new
 * list's quorum, two thirds of which but for one are old.) */
static enum cs_err check_list(struct verify_evm_step *step, const struct verify_evm_signers *before,
			      const struct verify_qbft_extra *extra, struct cs_why *why)
{
	const struct verify_evm_vote *vote = &before->votes[0];
	size_t kept = 0, gained = 0;
	for (size_t i = 0; i < extra->validator_count; i++) {
		if (verify_evm_signer_index(before, &extra->validators[i]) != SIZE_MAX) {
			kept++;
			continue;
		}
		if (before->vote_count == 0 || !vote->adds ||
		    !cs_address_eq(&vote->subject, &extra->validators[i]))
			return cs_fail(why, CS_ERR_BAD_SIGNER_SET,
				       "a validator without the parent's vote");
		gained++;
	}
	if (gained == 0 && kept == before->count)
		return CS_OK;
	if (before->vote_count == 0 || before->count - kept != !gained)
		return cs_fail(why, CS_ERR_BAD_SIGNER_SET, "validators are missing");
	if (!gained) {
		if (vote->adds || verify_evm_signer_index(before, &vote->subject) == SIZE_MAX)
			return cs_fail(why, CS_ERR_BAD_SIGNER_SET, "a validator is missing");
		for (size_t i = 0; i < extra->validator_count; i++)
			if (cs_address_eq(&extra->validators[i], &vote->subject))
				return cs_fail(why, CS_ERR_BAD_SIGNER_SET,
					       "another validator than the vote's is missing");
	}
	step->who = vote->subject;
	step->flags |= VERIFY_EVM_STEP_CHANGE;
	if (gained)
		step->flags |= VERIFY_EVM_STEP_CHANGE_ADDS;
	return CS_OK;
}

/* Every seal is by another validator of the header's list: Besu's BftCommitSealsValidationRule. */
static enum cs_err check_seals(const struct verify_evm_header *header,
			       const struct verify_qbft_extra *extra, const struct cs_sig *sig,
			       struct cs_why *why)
{
	struct cs_hash digest = verify_qbft_commit_digest(header, extra);
	bool sealed[VERIFY_EVM_SIGNERS_MAX] = {false};
	size_t needed = verify_evm_two_thirds(extra->validator_count);
	for (size_t i = 0; i < extra->seal_count; i++) {
		struct cs_address who;
		bool low_s;
		size_t at = 0;
		if (verify_evm_seal_signer(&who, &low_s, extra->seals[i], &digest, sig) != CS_OK)
			return cs_fail(why, CS_ERR_BAD_SEAL, "seal %zu", i);
		while (at < extra->validator_count && !cs_address_eq(&extra->validators[at], &who))
			at++;
		if (at == extra->validator_count)
			return cs_fail(why, CS_ERR_FOREIGN_SEAL, "seal %zu", i);
		if (sealed[at])
			return cs_fail(why, CS_ERR_DUPLICATE_SEAL, "seal %zu", i);
		sealed[at] = true;
	}
	if (extra->seal_count < needed)
		return cs_fail(why, CS_ERR_TOO_FEW_SEALS, "%zu of %zu", extra->seal_count, needed);
	return CS_OK;
}

enum cs_err verify_qbft_check(struct verify_evm_step *step, const struct verify_evm_signers *before,
			      const struct verify_evm_header *header,
			      const struct verify_qbft_extra *extra, const struct cs_sig *sig,
			      struct cs_why *why)
{
	struct verify_evm_step s = {.number = header->number};
	struct cs_u256 one = cs_u256_u64(1);
	CS_TRY(check_form(extra, why));
	if (!cs_hash_eq(&header->mix_hash, &mix_hash))
		return cs_fail(why, CS_ERR_INVALID, "mixHash is not that of QBFT");
	if (cs_u256_cmp(&header->difficulty, &one) != 0)
		return cs_fail(why, CS_ERR_WRONG_DIFFICULTY, "not 1");
	CS_TRY(check_list(&s, before, extra, why));
	CS_TRY(check_seals(header, extra, sig, why));
	if (extra->has_vote) {
		s.subject = extra->vote_address;
		s.flags |= VERIFY_EVM_STEP_VOTE;
		if (extra->vote_adds)
			s.flags |= VERIFY_EVM_STEP_VOTE_ADDS;
	}
	*step = s;
	return CS_OK;
}

enum cs_err verify_qbft_apply(struct verify_evm_signers *signers,
			      const struct verify_evm_step *step)
{
	if (step->flags & VERIFY_EVM_STEP_CHANGE) {
		size_t at = verify_evm_signer_index(signers, &step->who);
		if (step->flags & VERIFY_EVM_STEP_CHANGE_ADDS)
			CS_TRY(verify_evm_signer_add(signers, &step->who));
		else if (at == SIZE_MAX)
			return CS_ERR_BAD_SIGNER_SET;
		else
			verify_evm_signer_remove(signers, at);
	}
	set_vote(signers, step->flags & VERIFY_EVM_STEP_VOTE, &step->subject,
		 step->flags & VERIFY_EVM_STEP_VOTE_ADDS);
	return CS_OK;
}
