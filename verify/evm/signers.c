#include "verify/evm/signers.h"

#include <string.h>

size_t verify_evm_signer_index(const struct verify_evm_signers *signers,
			       const struct cs_address *who)
{
	for (size_t i = 0; i < signers->count; i++)
		if (cs_address_eq(&signers->who[i], who))
			return i;
	return SIZE_MAX;
}

enum cs_err verify_evm_signer_add(struct verify_evm_signers *signers, const struct cs_address *who)
{
	size_t at = 0, after;
	if (verify_evm_signer_index(signers, who) != SIZE_MAX)
		return CS_ERR_DUPLICATE;
	if (signers->count == VERIFY_EVM_SIGNERS_MAX)
		return CS_ERR_TOO_LARGE;
	while (at < signers->count && memcmp(signers->who[at].b, who->b, sizeof who->b) < 0)
		at++;
	after = signers->count - at;
	memmove(&signers->who[at + 1], &signers->who[at], after * sizeof signers->who[0]);
	memmove(&signers->sealed_at[at + 1], &signers->sealed_at[at],
		after * sizeof signers->sealed_at[0]);
	signers->who[at] = *who;
	signers->sealed_at[at] = 0;
	signers->count++;
	return CS_OK;
}

void verify_evm_signer_remove(struct verify_evm_signers *signers, size_t index)
{
	size_t after = signers->count - index - 1;
	memmove(&signers->who[index], &signers->who[index + 1], after * sizeof signers->who[0]);
	memmove(&signers->sealed_at[index], &signers->sealed_at[index + 1],
		after * sizeof signers->sealed_at[0]);
	signers->count--;
}

/* ---- votes ---- */

static void drop_vote(struct verify_evm_signers *s, size_t at)
{
	s->votes[at] = s->votes[--s->vote_count];
}

static size_t votes_for(const struct verify_evm_signers *s, const struct cs_address *subject,
			bool adds)
{
	size_t n = 0;
	for (size_t i = 0; i < s->vote_count; i++)
		n += s->votes[i].adds == adds && cs_address_eq(&s->votes[i].subject, subject);
	return n;
}

static enum cs_err carry(struct verify_evm_signers *s, const struct cs_address *subject, bool adds)
{
	size_t at = verify_evm_signer_index(s, subject);
	if (adds && at == SIZE_MAX)
		CS_TRY(verify_evm_signer_add(s, subject));
	if (!adds && at != SIZE_MAX)
		verify_evm_signer_remove(s, at);
	for (size_t i = s->vote_count; i-- > 0;)
		if (cs_address_eq(&s->votes[i].subject, subject) ||
		    (!adds && cs_address_eq(&s->votes[i].signer, subject)))
			drop_vote(s, i);
	return CS_OK;
}

enum cs_err verify_evm_vote_cast(struct verify_evm_signers *signers,
				 const struct verify_evm_vote *vote, bool idle)
{
	const bool inside = verify_evm_signer_index(signers, &vote->subject) != SIZE_MAX;
	for (size_t i = 0; i < signers->vote_count; i++)
		if (cs_address_eq(&signers->votes[i].signer, &vote->signer) &&
		    cs_address_eq(&signers->votes[i].subject, &vote->subject)) {
			drop_vote(signers, i);
			break;
		}
	if (idle || inside != vote->adds) {
		if (signers->vote_count == VERIFY_EVM_VOTES_MAX)
			return CS_ERR_FULL;
		signers->votes[signers->vote_count++] = *vote;
	}
	/* Asked for the account that this header names, not for all: what a smaller set would let
	 * pass waits for a header that touches it again. */
	for (unsigned adds = 0; adds < 2; adds++)
		if (votes_for(signers, &vote->subject, adds) > signers->count / 2)
			return carry(signers, &vote->subject, adds);
	return CS_OK;
}

/* ---- seals ---- */

size_t verify_evm_two_thirds(size_t n)
{
	return (2 * n + 2) / 3;
}

enum cs_err verify_evm_seal_signer(struct cs_address *signer, bool *low_s, struct cs_bytes seal,
				   const struct cs_hash *digest, const struct cs_sig *sig)
{
	struct cs_ecdsa signature;
	cs_assert(seal.n == VERIFY_EVM_SEAL_SIZE);
	memcpy(signature.r.b, seal.p, sizeof signature.r.b);
	memcpy(signature.s.b, seal.p + 32, sizeof signature.s.b);
	signature.parity = seal.p[64];
	if (signature.parity > 1 || cs_ecdsa_recover(sig, signer, &signature, digest) != CS_OK)
		return CS_ERR_BAD_SEAL;
	*low_s = cs_ecdsa_is_low(&signature);
	return CS_OK;
}
