#include "verify/evm/signers.h"

#include <string.h>

/* The constant by which GoQuorum and Besu know a QBFT or IBFT header. */
static const struct cs_hash mix_hash = {
	"\x63\x74\x69\x63\x61\x6c\x20\x62\x79\x7a\x61\x6e\x74\x69\x6e\x65"
	"\x20\x66\x61\x75\x6c\x74\x20\x74\x6f\x6c\x65\x72\x61\x6e\x63\x65"};

static enum cs_err check_form(const struct verify_qbft_extra *extra, struct cs_why *why)
{
	if (extra->validator_count == 0)
		return cs_fail(why, CS_ERR_UNSUPPORTED,
			       "the chain keeps its validators in a contract");
	return CS_OK;
}

enum cs_err verify_qbft_anchor(struct verify_evm_signers *signers,
			       const struct verify_evm_header *header,
			       const struct verify_qbft_extra *extra, uint64_t epoch_length,
			       struct cs_why *why)
{
	if (header->number % epoch_length != 0)
		return cs_fail(why, CS_ERR_BAD_EPOCH, "the anchor %llu is not an epoch block",
			       (unsigned long long)header->number);
	CS_TRY(check_form(extra, why));
	memset(signers, 0, sizeof *signers);
	for (size_t i = 0; i < extra->validator_count; i++)
		CS_TRY(verify_evm_signer_add(signers, &extra->validators[i]));
	return CS_OK;
}

/* The list is the set in force, whose order is the chain's affair (no one is in it twice: the codec
 * saw to that), and the proposer, whose vote the header carries, is in it. */
static enum cs_err check_set(const struct verify_evm_signers *before,
			     const struct verify_evm_header *header,
			     const struct verify_qbft_extra *extra, struct cs_why *why)
{
	if (extra->validator_count != before->count)
		return cs_fail(why, CS_ERR_BAD_SIGNER_SET, "%zu validators, %zu are in force",
			       extra->validator_count, before->count);
	for (size_t i = 0; i < extra->validator_count; i++)
		if (verify_evm_signer_index(before, &extra->validators[i]) == SIZE_MAX)
			return cs_fail(why, CS_ERR_BAD_SIGNER_SET, "validator %zu is not in force",
				       i);
	if (verify_evm_signer_index(before, &header->coinbase) == SIZE_MAX)
		return cs_fail(why, CS_ERR_BAD_SIGNER_SET, "the proposer is not a validator");
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
	struct verify_evm_step s = {.number = header->number, .who = header->coinbase};
	struct cs_u256 one = cs_u256_u64(1);
	CS_TRY(check_form(extra, why));
	if (!cs_hash_eq(&header->mix_hash, &mix_hash))
		return cs_fail(why, CS_ERR_INVALID, "mixHash is not that of QBFT");
	if (cs_u256_cmp(&header->difficulty, &one) != 0)
		return cs_fail(why, CS_ERR_WRONG_DIFFICULTY, "not 1");
	CS_TRY(check_set(before, header, extra, why));
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
			      const struct verify_evm_step *step, uint64_t epoch_length)
{
	const struct verify_evm_vote vote = {step->who, step->subject,
					     step->flags & VERIFY_EVM_STEP_VOTE_ADDS};
	if (verify_evm_signer_index(signers, &step->who) == SIZE_MAX)
		return CS_ERR_BAD_SIGNER_SET;
	if (step->number % epoch_length == 0) {
		signers->vote_count = 0;
		return CS_OK;
	}
	if (!(step->flags & VERIFY_EVM_STEP_VOTE))
		return CS_OK;
	return verify_evm_vote_cast(signers, &vote, true);
}
