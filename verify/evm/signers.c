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
