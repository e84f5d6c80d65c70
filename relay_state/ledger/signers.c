#include "relay_state/ledger/signers.h"

#include "relay_state/ledger/chain.h"
#include "relay_state/ledger/gas.h"
#include "relay_state/ledger/pairs.h"

#define REGISTER_NUMBER 4u

enum cs_err ledger_signers_chain(struct ledger_call *call, struct cs_hash *tag)
{
	CS_TRY(ledger_use_gas(call, LEDGER_GAS_READ));
	return ledger_chain_get(call->state, tag);
}

enum cs_err ledger_signers_require(struct ledger_call *call, const struct cs_hash *key,
				   uint8_t role)
{
	const struct cs_address to = ledger_contract_address(REGISTER_NUMBER);
	const struct cs_u256 nothing = cs_u256_u64(0);
	const struct cs_hash yes = ledger_word_u64(1);
	uint8_t memory[4 + 2 * sizeof *key];
	struct cs_bytes output;
	struct cs_abi abi;
	struct cs_buf buf;
	bool success = false;
	cs_buf_init(&buf, memory, sizeof memory);
	cs_abi_call(&abi, &buf, "isActive(bytes32,uint8)");
	cs_abi_put_word(&abi, key);
	cs_abi_put_u64(&abi, role);
	CS_TRY(ledger_call_contract(call, &success, &output, &to, &nothing, cs_buf_view(&buf), 0));
	return success && cs_bytes_eq(output, CS_BYTES_OF(yes.b))
		       ? CS_OK
		       : ledger_revert(call, "EnclaveNotActive(bytes32)", LEDGER_WORDS(*key));
}

enum cs_err ledger_signers_check(struct ledger_call *call, const struct cs_hash *key, uint8_t role,
				 const uint8_t signature[64], const struct cs_hash *digest)
{
	CS_TRY(ledger_signers_require(call, key, role));
	CS_TRY(ledger_use_gas(call, LEDGER_GAS_SCHNORR));
	return cs_schnorr_verify64(call->sig, signature, key, CS_BYTES_OF(digest->b)) == CS_OK
		       ? CS_OK
		       : ledger_revert_plain(call, "SignatureInvalid()");
}
