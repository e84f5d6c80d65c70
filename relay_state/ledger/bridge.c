#include "relay_state/ledger/bridge_parts.h"

#include <string.h>

/* ---- views ---- */

static enum cs_err gateway_of(struct ledger_call *call, struct cs_abi_reader *in,
			      struct cs_abi *out)
{
	const struct cs_address gateway = ledger_contract_address(LEDGER_GATEWAY_NUMBER);
	(void)call;
	(void)in;
	cs_abi_put_address(out, &gateway);
	return CS_OK;
}

static enum cs_err put_count(struct ledger_call *call, struct cs_abi *out, char kind)
{
	uint32_t count;
	const struct ledger_key key = ledger_key(kind);
	CS_TRY(ledger_get_u32(call, &count, &key));
	cs_abi_put_u64(out, count);
	return CS_OK;
}

static enum cs_err chain_count(struct ledger_call *call, struct cs_abi_reader *in,
			       struct cs_abi *out)
{
	(void)in;
	return put_count(call, out, BRIDGE_KIND_CHAIN_COUNT);
}

static enum cs_err token_count(struct ledger_call *call, struct cs_abi_reader *in,
			       struct cs_abi *out)
{
	(void)in;
	return put_count(call, out, BRIDGE_KIND_TOKEN_COUNT);
}

static enum cs_err read_token(struct ledger_call *call, struct bridge_token *token,
			      struct cs_abi_reader *in)
{
	struct cs_address asset;
	CS_TRY(cs_abi_get_address(in, &asset));
	return bridge_token_get(call, token, &asset);
}

static enum cs_err token_of(struct ledger_call *call, struct cs_abi_reader *in, struct cs_abi *out)
{
	struct bridge_token token;
	CS_TRY(read_token(call, &token, in));
	cs_abi_put_u64(out, token.mode);
	cs_abi_put_u64(out, token.index);
	cs_abi_put_u64(out, token.home);
	return CS_OK;
}

static enum cs_err caps_of(struct ledger_call *call, struct cs_abi_reader *in, struct cs_abi *out)
{
	struct bridge_token token;
	CS_TRY(read_token(call, &token, in));
	const struct cs_u256 cap_in = bridge_wide(token.cap_in);
	const struct cs_u256 cap_out = bridge_wide(token.cap_out);
	cs_abi_put_u256(out, &cap_in);
	cs_abi_put_u256(out, &cap_out);
	return CS_OK;
}

/* A number with a sign, in two's complement. */
static struct cs_hash signed_word(bridge_net net)
{
	const struct cs_u256 wide = bridge_wide((bridge_amount)net);
	struct cs_hash word = cs_u256_word(&wide);
	if (net < 0)
		memset(word.b, 0xff, sizeof word.b / 2);
	return word;
}

/* Net amount that came in during the present window; negative: went out. Refunds are no part of it. */
static enum cs_err flow_of(struct ledger_call *call, struct cs_abi_reader *in, struct cs_abi *out)
{
	struct bridge_token token;
	uint64_t window;
	CS_TRY(read_token(call, &token, in));
	CS_TRY(bridge_window_now(call, &window));
	bridge_turn(&token, window);
	const struct cs_hash word = signed_word(-token.net_out);
	cs_abi_put_word(out, &word);
	return CS_OK;
}

static enum cs_err peer_of(struct ledger_call *call, struct cs_abi_reader *in, struct cs_abi *out)
{
	struct cs_bytes raw, account, peer;
	uint32_t chain;
	CS_TRY(cs_abi_get_bytes(in, call->input.n, &raw));
	CS_TRY(bridge_chain_of(call, &chain, &account, raw));
	const struct ledger_key key = bridge_number_key(BRIDGE_KIND_PEER, chain);
	CS_TRY(ledger_get(call, &peer, cs_bytes(key.b, key.n)));
	cs_abi_put_bytes(out, cs_abi_slot(out), peer);
	return CS_OK;
}

/* A token and a chain, as several views take them. */
static enum cs_err read_lane(struct ledger_call *call, struct cs_address *asset, uint32_t *chain,
			     struct cs_abi_reader *in)
{
	struct cs_bytes raw, account;
	CS_TRY(cs_abi_get_address(in, asset));
	CS_TRY(cs_abi_get_bytes(in, call->input.n, &raw));
	return bridge_chain_of(call, chain, &account, raw);
}

static enum cs_err remote_token_of(struct ledger_call *call, struct cs_abi_reader *in,
				   struct cs_abi *out)
{
	struct cs_address asset;
	struct cs_hash remote;
	uint32_t chain;
	CS_TRY(read_lane(call, &asset, &chain, in));
	CS_TRY(bridge_remote_token(call, &remote, &asset, chain));
	cs_abi_put_word(out, &remote);
	return CS_OK;
}

/* What was locked and delivered to that chain, and so may come back. What is pending is not part of
 * it. */
static enum cs_err locked_of(struct ledger_call *call, struct cs_abi_reader *in, struct cs_abi *out)
{
	struct cs_address asset;
	struct bridge_token token;
	struct bridge_lane lane;
	uint32_t chain;
	CS_TRY(read_lane(call, &asset, &chain, in));
	CS_TRY(bridge_token_get(call, &token, &asset));
	CS_TRY(bridge_lane_get(call, &lane, token.index, chain));
	const struct cs_u256 locked = bridge_wide(lane.locked);
	cs_abi_put_u256(out, &locked);
	return CS_OK;
}

static enum cs_err room_of(struct ledger_call *call, struct cs_abi_reader *in, struct cs_abi *out)
{
	struct cs_address asset;
	struct cs_u256 to_in, to_out;
	uint32_t chain;
	CS_TRY(read_lane(call, &asset, &chain, in));
	CS_TRY(bridge_room(call, &to_in, &to_out, &asset, chain));
	cs_abi_put_u256(out, &to_in);
	cs_abi_put_u256(out, &to_out);
	return CS_OK;
}

/* ---- the table ---- */

static const struct ledger_function functions[] = {
	LEDGER_TIMELOCK_FUNCTIONS,
	{"transfer(address,uint256,bytes,address,bytes[])", 0x4114b4d2, 5, true, 0,
	 bridge_transfer},
	{"quote(bytes,bytes[])", 0x4feb32fd, 2, false, 0, bridge_quote},
	{"onOutcome(bytes32,uint8)", 0x252355d3, 2, false, 0, bridge_on_outcome},
	{"settle(bytes32)", 0x987757dd, 1, false, 0, bridge_settle},
	{"claim(address,address)", 0x21c0b342, 2, false, 0, bridge_claim},
	{"pendingOf(bytes32)", 0x60794c54, 1, false, 0, bridge_pending_of},
	{"claimable(address,address)", 0xd4570c1c, 2, false, 0, bridge_claimable},
	{"receiveMessage(bytes32,bytes,bytes)", 0x2432ef26, 3, true, 0, bridge_receive},
	{"addPeer(bytes)", 0xa21ea238, 1, false, 0, bridge_add_peer},
	{"addToken(address,bytes,bytes32,uint8)", 0x4f184e54, 4, false, 0, bridge_add_token},
	{"setCap(address,uint128,uint128)", 0x4cc661f8, 3, false, 0, bridge_set_cap},
	{"lowerCap(address,uint128,uint128)", 0xc1324038, 3, false, 0, bridge_lower_cap},
	{"gateway()", 0x116191b6, 0, false, 0, gateway_of},
	{"window()", 0x461645bf, 0, false, 0, bridge_window},
	{"chainCount()", 0xe02e1bfd, 0, false, 0, chain_count},
	{"tokenCount()", 0x9f181b5e, 0, false, 0, token_count},
	{"tokens(address)", 0xe4860339, 1, false, 0, token_of},
	{"caps(address)", 0x66d97b21, 1, false, 0, caps_of},
	{"flowOf(address)", 0x40540b76, 1, false, 0, flow_of},
	{"peerOf(bytes)", 0x1dec60ac, 1, false, 0, peer_of},
	{"remoteTokenOf(address,bytes)", 0xa83a49b4, 2, false, 0, remote_token_of},
	{"lockedOf(address,bytes)", 0x6c28c821, 2, false, 0, locked_of},
	{"roomOf(address,bytes)", 0xbc2e5b8a, 2, false, 0, room_of},
};

const struct ledger_contract ledger_bridge = {
	.name = "bridge",
	.number = LEDGER_BRIDGE_NUMBER,
	.functions = functions,
	.function_count = CS_LEN(functions),
};
