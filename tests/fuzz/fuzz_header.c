/* Any bytes as a header: what is read is hashed in every way; a QBFT header of round 0 without
 * seals is its own preimage. */
#include "core/hash.h"
#include "tests/fuzz/fuzz.h"
#include "verify/evm/header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct verify_evm_header h;
	struct verify_qbft_extra x;
	struct cs_hash hash, other;
	if (verify_evm_header_read(&h, cs_bytes(data, size)) != CS_OK)
		return 0;
	cs_assert(h.field_count >= VERIFY_EVM_FIELDS_MIN && h.field_count <= VERIFY_EVM_FIELDS_MAX);
	cs_assert(cs_rlp_check(h.raw) == CS_OK);
	hash = verify_evm_header_hash(&h);
	cs_assert((verify_clique_seal_hash(&other, &h) == CS_OK) == (h.extra.n >= 97));
	if (verify_qbft_extra_read(&x, &h) != CS_OK)
		return 0;
	other = verify_qbft_block_hash(&h, &x);
	cs_assert(cs_hash_eq(&other, &hash) == (x.round == 0 && x.seal_count == 0));
	other = verify_qbft_commit_digest(&h, &x);
	cs_assert(cs_hash_eq(&other, &hash) == (x.seal_count == 0));
	return 0;
}
