#include "core/hash.h"
#include "verify/evm/signers.h"

#include <string.h>

#define NONCE_ADD UINT64_MAX
#define NONCE_DROP 0u
#define IN_TURN 2u
#define OUT_OF_TURN 1u
#define ADDRESS_SIZE 20u
/* Fields up to London's base fee; go-ethereum refuses Shanghai under Clique. */
#define FIELDS_MAX 16u
#define EXTRA_SIZE_MIN (VERIFY_EVM_VANITY_SIZE + VERIFY_EVM_SEAL_SIZE)

static struct cs_bytes listed_signers(const struct verify_evm_header *header)
{
	return cs_bytes(header->extra.p + VERIFY_EVM_VANITY_SIZE, header->extra.n - EXTRA_SIZE_MIN);
}

static enum cs_err sealer_of(struct cs_address *sealer, bool *low_s,
			     const struct verify_evm_header *header, const struct cs_sig *sig)
{
	struct cs_bytes seal = cs_bytes(header->extra.p + header->extra.n - VERIFY_EVM_SEAL_SIZE,
					VERIFY_EVM_SEAL_SIZE);
	struct cs_hash digest;
	CS_TRY(verify_clique_seal_hash(&digest, header));
	return verify_evm_seal_signer(sealer, low_s, seal, &digest, sig);
}

enum cs_err verify_clique_anchor(struct verify_evm_signers *signers,
				 const struct verify_evm_header *header, uint64_t epoch_length,
				 const struct cs_sig *sig, struct cs_why *why)
{
	struct cs_bytes list;
	struct cs_address who;
	bool low_s;
	size_t at;
	if (header->number % epoch_length != 0)
		return cs_fail(why, CS_ERR_BAD_EPOCH, "the anchor %llu is not an epoch block",
			       (unsigned long long)header->number);
	if (header->extra.n < EXTRA_SIZE_MIN)
		return cs_fail(why, CS_ERR_TRUNCATED, "extraData of the anchor");
	list = listed_signers(header);
	if (list.n == 0 || list.n % ADDRESS_SIZE != 0)
		return cs_fail(why, CS_ERR_BAD_EPOCH, "the anchor lists no signers");
	memset(signers, 0, sizeof *signers);
	for (size_t i = 0; i < list.n; i += ADDRESS_SIZE) {
		memcpy(who.b, list.p + i, sizeof who.b);
		CS_TRY(verify_evm_signer_add(signers, &who));
	}
	if (header->number == 0)
		return CS_OK;
	if (sealer_of(&who, &low_s, header, sig) != CS_OK)
		return cs_fail(why, CS_ERR_BAD_SEAL, "the anchor's seal");
	at = verify_evm_signer_index(signers, &who);
	if (at == SIZE_MAX)
		return cs_fail(why, CS_ERR_FOREIGN_SEAL, "the anchor's seal");
	signers->sealed_at[at] = header->number;
	return CS_OK;
}

static enum cs_err check_epoch(const struct verify_evm_signers *before,
			       const struct verify_evm_header *header, struct cs_why *why)
{
	static const struct cs_address nobody;
	struct cs_bytes list = listed_signers(header);
	if (!cs_address_eq(&header->coinbase, &nobody) || header->nonce != NONCE_DROP)
		return cs_fail(why, CS_ERR_BAD_EPOCH, "an epoch block votes");
	if (list.n != before->count * ADDRESS_SIZE)
		return cs_fail(why, CS_ERR_BAD_EPOCH, "%zu bytes of signers, %zu are in force",
			       list.n, before->count);
	for (size_t i = 0; i < before->count; i++)
		if (memcmp(list.p + i * ADDRESS_SIZE, before->who[i].b, ADDRESS_SIZE) != 0)
			return cs_fail(why, CS_ERR_BAD_EPOCH, "signer %zu is not in force there",
				       i);
	return CS_OK;
}

/* clique.go verifyHeader: what needs no signature. */
static enum cs_err check_form(const struct verify_evm_signers *before,
			      const struct verify_evm_header *header, uint64_t epoch_length,
			      struct cs_why *why)
{
	/* keccak256(RLP([])) */
	static const struct cs_hash no_uncles = {{0x1d, 0xcc, 0x4d, 0xe8, 0xde, 0xc7, 0x5d, 0x7a,
						  0xab, 0x85, 0xb5, 0x67, 0xb6, 0xcc, 0xd4, 0x1a,
						  0xd3, 0x12, 0x45, 0x1b, 0x94, 0x8a, 0x74, 0x13,
						  0xf0, 0xa1, 0x42, 0xfd, 0x40, 0xd4, 0x93, 0x47}};
	if (header->field_count > FIELDS_MAX)
		return cs_fail(why, CS_ERR_UNSUPPORTED, "%zu fields under Clique",
			       header->field_count);
	if (header->extra.n < EXTRA_SIZE_MIN)
		return cs_fail(why, CS_ERR_TRUNCATED, "%zu bytes of extraData", header->extra.n);
	if (header->nonce != NONCE_ADD && header->nonce != NONCE_DROP)
		return cs_fail(why, CS_ERR_INVALID, "nonce");
	if (!cs_hash_is_zero(&header->mix_hash))
		return cs_fail(why, CS_ERR_INVALID, "mixHash");
	if (!cs_hash_eq(&header->uncles, &no_uncles))
		return cs_fail(why, CS_ERR_INVALID, "uncles");
	if (header->gas_used > header->gas_limit)
		return cs_fail(why, CS_ERR_INVALID, "gas used above the limit");
	if (header->number % epoch_length == 0)
		return check_epoch(before, header, why);
	if (header->extra.n != EXTRA_SIZE_MIN)
		return cs_fail(why, CS_ERR_BAD_EPOCH, "signers listed outside of an epoch block");
	return CS_OK;
}

static bool sealed_recently(const struct verify_evm_signers *before, size_t at, uint64_t number)
{
	uint64_t last = before->sealed_at[at], limit = before->count / 2 + 1;
	return last != 0 && (number < limit || last > number - limit);
}

enum cs_err verify_clique_check(struct verify_evm_step *step,
				const struct verify_evm_signers *before,
				const struct verify_evm_header *header, uint64_t epoch_length,
				const struct cs_sig *sig, struct cs_why *why)
{
	struct verify_evm_step s = {.number = header->number, .subject = header->coinbase};
	struct cs_u256 difficulty;
	bool low_s;
	size_t at;
	CS_TRY(check_form(before, header, epoch_length, why));
	if (sealer_of(&s.who, &low_s, header, sig) != CS_OK)
		return cs_fail(why, CS_ERR_BAD_SEAL, "no key fits the seal");
	at = verify_evm_signer_index(before, &s.who);
	if (at == SIZE_MAX)
		return cs_fail(why, CS_ERR_FOREIGN_SEAL,
			       "the sealer is not a signer at this height");
	/* Anybody can turn a seal into its twin with the other s, which is another block hash. It
	 * goes nowhere where others must seal on top; where one signer makes blocks final, it would
	 * pass for a conflict. */
	if (before->count == 1 && !low_s)
		return cs_fail(why, CS_ERR_BAD_SEAL, "the seal's s is in the upper half");
	if (sealed_recently(before, at, header->number))
		return cs_fail(why, CS_ERR_RECENT_SEAL, "the signer sealed block %llu",
			       (unsigned long long)before->sealed_at[at]);
	difficulty = cs_u256_u64(header->number % before->count == at ? IN_TURN : OUT_OF_TURN);
	if (cs_u256_cmp(&difficulty, &header->difficulty) != 0)
		return cs_fail(why, CS_ERR_WRONG_DIFFICULTY, "%s turn",
			       header->number % before->count == at ? "in" : "out of");
	s.flags = VERIFY_EVM_STEP_VOTE;
	if (header->nonce == NONCE_ADD)
		s.flags |= VERIFY_EVM_STEP_VOTE_ADDS;
	*step = s;
	return CS_OK;
}

/* snapshot.go apply. */
enum cs_err verify_clique_apply(struct verify_evm_signers *signers,
				const struct verify_evm_step *step, uint64_t epoch_length)
{
	const struct verify_evm_vote vote = {step->who, step->subject,
					     step->flags & VERIFY_EVM_STEP_VOTE_ADDS};
	size_t at = verify_evm_signer_index(signers, &step->who);
	if (at == SIZE_MAX)
		return CS_ERR_FOREIGN_SEAL;
	if (step->number % epoch_length == 0)
		signers->vote_count = 0;
	signers->sealed_at[at] = step->number;
	return verify_evm_vote_cast(signers, &vote, false);
}

size_t verify_clique_seals_needed(size_t signer_count, uint64_t seals_min)
{
	size_t majority = signer_count / 2 + 1;
	if (seals_min == 0)
		return signer_count == 3 ? 3 : verify_evm_two_thirds(signer_count);
	if (seals_min < majority)
		return majority;
	return seals_min > signer_count ? signer_count : (size_t)seals_min;
}
