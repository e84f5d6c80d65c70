/* What the owner of the bridge decides: peers, tokens, caps. */
#include "core/hash.h"
#include "relay_state/ledger/bridge_parts.h"
#include "relay_state/ledger/gas.h"

static enum cs_err hash_of(struct ledger_call *call, struct cs_hash *hash, struct cs_bytes bytes)
{
	CS_TRY(ledger_use_gas(call, LEDGER_GAS_HASH));
	*hash = cs_keccak256(bytes);
	return CS_OK;
}

/* The next number of chains or tokens. */
static enum cs_err take_number(struct ledger_call *call, uint32_t *number, char kind)
{
	const struct ledger_key key = ledger_key(kind);
	CS_TRY(ledger_get_u32(call, number, &key));
	if (*number == UINT32_MAX)
		return CS_ERR_OVERFLOW;
	*number += 1;
	return ledger_put_u32(call, &key, *number);
}

/* Names the bridge of another chain, once and for ever. */
enum cs_err bridge_add_peer(struct ledger_call *call, struct cs_abi_reader *in, struct cs_abi *out)
{
	struct cs_bytes peer, prefix, account;
	struct cs_hash chain_hash, peer_hash;
	uint32_t chain;
	CS_TRY(cs_abi_get_bytes(in, call->input.n, &peer));
	CS_TRY(ledger_only_owner(call));
	CS_TRY(ledger_split(call, &prefix, &account, peer));
	if (account.n == 0)
		return ledger_revert_plain(call, "RecipientInvalid()");
	CS_TRY(hash_of(call, &chain_hash, prefix));
	CS_TRY(hash_of(call, &peer_hash, peer));
	const struct ledger_key by_chain =
		ledger_key_of(BRIDGE_KIND_CHAIN, CS_BYTES_OF(chain_hash.b));
	const struct ledger_key by_peer =
		ledger_key_of(BRIDGE_KIND_CHAIN_OF_PEER, CS_BYTES_OF(peer_hash.b));
	CS_TRY(ledger_get_u32(call, &chain, &by_chain));
	if (chain != 0)
		return ledger_revert_plain(call, "PeerKnown()");
	CS_TRY(take_number(call, &chain, BRIDGE_KIND_CHAIN_COUNT));
	CS_TRY(ledger_put_u32(call, &by_chain, chain));
	CS_TRY(ledger_put_u32(call, &by_peer, chain));
	const struct ledger_key key = bridge_number_key(BRIDGE_KIND_PEER, chain);
	CS_TRY(ledger_put_fixed(call, &key, peer.p, peer.n));
	cs_abi_put_u64(out, chain);
	return ledger_emit_bytes(call, "PeerAdded(uint32,bytes)",
				 LEDGER_WORDS(ledger_word_u64(chain)), peer);
}

/* A token that is locked here may go to many chains; one that is minted here has one home. */
static enum cs_err know_token(struct ledger_call *call, const struct cs_address *asset,
			      enum bridge_mode mode, uint32_t chain)
{
	struct bridge_token token;
	CS_TRY(bridge_token_get(call, &token, asset));
	if (token.mode != BRIDGE_MODE_NONE)
		return token.mode != mode || mode == BRIDGE_MODE_MINT
			       ? ledger_revert_plain(call, "TokenModeMismatch()")
			       : CS_OK;
	token.mode = mode;
	token.home = mode == BRIDGE_MODE_MINT ? chain : 0;
	CS_TRY(take_number(call, &token.index, BRIDGE_KIND_TOKEN_COUNT));
	CS_TRY(bridge_token_put(call, asset, &token));
	const struct ledger_key key = bridge_number_key(BRIDGE_KIND_ASSET_AT, token.index);
	return ledger_put_fixed(call, &key, asset->b, sizeof asset->b);
}

/* A token of the other chain has one token here: a second, worthless one would come out there as the
 * first, and go home as it. */
static enum cs_err pair_tokens(struct ledger_call *call, const struct cs_address *asset,
			       uint32_t chain, const struct cs_hash *remote)
{
	struct cs_hash known;
	struct cs_address other;
	static const struct cs_address nothing;
	struct ledger_key there = bridge_number_key(BRIDGE_KIND_TOKEN_OF_REMOTE, chain);
	const struct ledger_key here = bridge_remote_token_key(asset, chain);
	ledger_key_add(&there, CS_BYTES_OF(remote->b));
	CS_TRY(bridge_remote_token(call, &known, asset, chain));
	CS_TRY(ledger_get_fixed(call, other.b, sizeof other.b, &there));
	if (!cs_hash_is_zero(&known) || !cs_address_eq(&other, &nothing))
		return ledger_revert_plain(call, "TokenKnown()");
	CS_TRY(ledger_put_fixed(call, &here, remote->b, sizeof remote->b));
	return ledger_put_fixed(call, &there, asset->b, sizeof asset->b);
}

/* Opens a token towards one chain, once and for ever. The caps of a token that is new here are zero:
 * see setCap. */
enum cs_err bridge_add_token(struct ledger_call *call, struct cs_abi_reader *in, struct cs_abi *out)
{
	struct cs_address asset;
	struct cs_bytes raw, account;
	struct cs_hash remote;
	static const struct cs_address nothing;
	uint32_t chain;
	uint8_t mode;
	(void)out;
	CS_TRY(cs_abi_get_address(in, &asset));
	CS_TRY(cs_abi_get_bytes(in, call->input.n, &raw));
	CS_TRY(cs_abi_get_word(in, &remote));
	CS_TRY(cs_abi_get_u8(in, &mode));
	if (mode > BRIDGE_MODE_MINT)
		return CS_ERR_OVERFLOW;
	CS_TRY(ledger_only_owner(call));
	CS_TRY(bridge_chain_of(call, &chain, &account, raw));
	if (mode == BRIDGE_MODE_NONE || cs_address_eq(&asset, &nothing) || cs_hash_is_zero(&remote))
		return ledger_revert_plain(call, "TokenModeMismatch()");
	CS_TRY(know_token(call, &asset, (enum bridge_mode)mode, chain));
	CS_TRY(pair_tokens(call, &asset, chain, &remote));
	return ledger_emit_words(call, "TokenAdded(address,uint32,bytes32,uint8)",
				 LEDGER_WORDS(ledger_word_address(&asset), ledger_word_u64(chain)),
				 LEDGER_WORDS(remote, ledger_word_u64(mode)));
}

/* ---- caps ---- */

struct caps {
	struct cs_address asset;
	bridge_amount in;
	bridge_amount out;
};

static enum cs_err read_u128(struct cs_abi_reader *in, bridge_amount *amount)
{
	struct cs_u256 wide;
	CS_TRY(cs_abi_get_u256(in, &wide));
	*amount = (bridge_amount)wide.limb[1] << 64 | wide.limb[0];
	return wide.limb[2] != 0 || wide.limb[3] != 0 ? CS_ERR_OVERFLOW : CS_OK;
}

static enum cs_err read_caps(struct cs_abi_reader *in, struct caps *caps)
{
	CS_TRY(cs_abi_get_address(in, &caps->asset));
	CS_TRY(read_u128(in, &caps->in));
	return read_u128(in, &caps->out);
}

static enum cs_err set(struct ledger_call *call, struct bridge_token *token,
		       const struct caps *caps)
{
	const struct cs_u256 in = bridge_wide(caps->in), out = bridge_wide(caps->out);
	token->cap_in = caps->in;
	token->cap_out = caps->out;
	CS_TRY(bridge_token_put(call, &caps->asset, token));
	return ledger_emit_words(call, "CapSet(address,uint128,uint128)",
				 LEDGER_WORDS(ledger_word_address(&caps->asset)),
				 LEDGER_WORDS(cs_u256_word(&in), cs_u256_word(&out)));
}

/* The first caps of a token are set at once, any later ones after the delay. */
enum cs_err bridge_set_cap(struct ledger_call *call, struct cs_abi_reader *in, struct cs_abi *out)
{
	struct caps caps;
	struct bridge_token token;
	(void)out;
	CS_TRY(read_caps(in, &caps));
	CS_TRY(bridge_token_get(call, &token, &caps.asset));
	if (token.mode == BRIDGE_MODE_NONE)
		return ledger_revert_plain(call, "TokenUnknown()");
	if (token.window == 0) {
		CS_TRY(ledger_only_owner(call));
		CS_TRY(bridge_window_now(call, &token.window));
	} else {
		CS_TRY(ledger_after_delay(call));
	}
	return set(call, &token, &caps);
}

/* Lowers caps at once; zero stops what would come in or go out, but no refund. */
enum cs_err bridge_lower_cap(struct ledger_call *call, struct cs_abi_reader *in, struct cs_abi *out)
{
	struct caps caps;
	struct bridge_token token;
	(void)out;
	CS_TRY(read_caps(in, &caps));
	CS_TRY(ledger_only_owner_or_guardian(call));
	CS_TRY(bridge_token_get(call, &token, &caps.asset));
	if (caps.in > token.cap_in || caps.out > token.cap_out)
		return ledger_revert_plain(call, "CapNotLower()");
	return set(call, &token, &caps);
}
