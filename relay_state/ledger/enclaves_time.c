/* Time keys: with which key a node signs an enclave's nonce with its time (docs/protocol/time.md). The
 * register publishes them; which of them an enclave believes is its manifest's. */
#include "relay_state/ledger/enclaves_parts.h"

#include <string.h>

#define KIND_TIME_KEY 'w'
#define TIME_KEY_SIZE 40u

struct cs_hash ledger_time_key_digest(const struct cs_hash *own, const struct cs_address *account)
{
	const struct cs_hash words[] = {*own, ledger_word_address(account)};
	return ledger_digest("caisson/time/key/v1", words, CS_LEN(words));
}

/* The sender's key from now on, in place of any that it had. A key signs for the account, so that
 * nobody takes another's for his own. */
enum cs_err enclaves_register_time_key(struct ledger_call *call, struct cs_abi_reader *in,
				       struct cs_abi *out)
{
	struct cs_hash x, rx, s, own;
	uint8_t signature[64], value[TIME_KEY_SIZE];
	const struct ledger_key key = ledger_key_of(KIND_TIME_KEY, CS_BYTES_OF(call->sender.b));
	(void)out;
	CS_TRY(cs_abi_get_word(in, &x));
	CS_TRY(cs_abi_get_word(in, &rx));
	CS_TRY(cs_abi_get_word(in, &s));
	CS_TRY(ledger_enclaves_identity(call, &own));
	CS_TRY(ledger_use_gas(call, LEDGER_GAS_SCHNORR + LEDGER_GAS_HASH));
	const struct cs_hash digest = ledger_time_key_digest(&own, &call->sender);
	memcpy(signature, rx.b, sizeof rx.b);
	memcpy(signature + sizeof rx.b, s.b, sizeof s.b);
	const enum cs_err err =
		cs_schnorr_verify64(call->sig, signature, &x, CS_BYTES_OF(digest.b));
	if (err == CS_ERR_BAD_SIGNATURE)
		return ledger_revert_plain(call, "SignatureInvalid()");
	if (err != CS_OK)
		return err;
	memcpy(value, x.b, sizeof x.b);
	cs_put_be64(value + sizeof x.b, call->block->time_s);
	CS_TRY(ledger_put_fixed(call, &key, value, sizeof value));
	return ledger_emit_words(call, "TimeKeyRegistered(address,bytes32)",
				 LEDGER_WORDS(ledger_word_address(&call->sender)), LEDGER_WORDS(x));
}

enum cs_err enclaves_remove_time_key(struct ledger_call *call, struct cs_abi_reader *in,
				     struct cs_abi *out)
{
	uint8_t value[TIME_KEY_SIZE];
	const struct ledger_key key = ledger_key_of(KIND_TIME_KEY, CS_BYTES_OF(call->sender.b));
	(void)in;
	(void)out;
	CS_TRY(ledger_get_fixed(call, value, sizeof value, &key));
	if (cs_be64(value + 32) == 0)
		return ledger_revert_plain(call, "KeyUnknown()");
	CS_TRY(ledger_remove(call, cs_bytes(key.b, key.n)));
	return ledger_emit_words(call, "TimeKeyRemoved(address)",
				 LEDGER_WORDS(ledger_word_address(&call->sender)), LEDGER_NO_WORDS);
}

/* Key and since when; zeros where the account has none. */
enum cs_err enclaves_time_key_of(struct ledger_call *call, struct cs_abi_reader *in,
				 struct cs_abi *out)
{
	struct cs_address account;
	struct cs_hash x;
	uint8_t value[TIME_KEY_SIZE];
	CS_TRY(cs_abi_get_address(in, &account));
	const struct ledger_key key = ledger_key_of(KIND_TIME_KEY, CS_BYTES_OF(account.b));
	CS_TRY(ledger_get_fixed(call, value, sizeof value, &key));
	memcpy(x.b, value, sizeof x.b);
	cs_abi_put_word(out, &x);
	cs_abi_put_u64(out, cs_be64(value + 32));
	return CS_OK;
}
