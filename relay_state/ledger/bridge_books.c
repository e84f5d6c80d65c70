/* The bridge's books: tokens and their flows, lanes, what is pending; and what bounds them. */
#include "core/hash.h"
#include "relay_state/ledger/bridge_parts.h"
#include "relay_state/ledger/gas.h"

#include <string.h>

#define KIND_WINDOW 'c'
#define KIND_TOKEN 'k'
#define KIND_LANE 'l'
#define KIND_PENDING 'w'

#define AMOUNT_SIZE 16u
/* mode ‖ index ‖ home ‖ caps ‖ window ‖ in ‖ net out */
#define TOKEN_SIZE (1u + 4u + 4u + 2u * AMOUNT_SIZE + 8u + 2u * AMOUNT_SIZE)
/* locked ‖ window ‖ room */
#define LANE_SIZE (AMOUNT_SIZE + 8u + AMOUNT_SIZE)
/* refund to ‖ token ‖ chain ‖ mode ‖ amount */
#define PENDING_SIZE (20u + 4u + 4u + 1u + AMOUNT_SIZE)

/* ---- numbers of 128 bits ---- */

static void put_amount(uint8_t *p, bridge_amount amount)
{
	cs_put_be64(p, (uint64_t)(amount >> 64));
	cs_put_be64(p + 8, (uint64_t)amount);
}

static bridge_amount get_amount(const uint8_t *p)
{
	return (bridge_amount)cs_be64(p) << 64 | cs_be64(p + 8);
}

struct cs_u256 bridge_wide(bridge_amount amount)
{
	return (struct cs_u256){{(uint64_t)amount, (uint64_t)(amount >> 64)}};
}

/* ---- what is stored ---- */

enum cs_err ledger_bridge_construct(struct ledger_call *call,
				    const struct ledger_bridge_terms *terms)
{
	uint8_t window[8];
	const struct ledger_key key = ledger_key(KIND_WINDOW);
	if (terms->window_s == 0)
		return cs_fail(call->why, CS_ERR_INVALID, "bridge: a window of 0 s");
	CS_TRY(ledger_timelock_construct(call, &terms->owner, &terms->guardian, terms->delay_s));
	cs_put_be64(window, terms->window_s);
	return ledger_put_fixed(call, &key, window, sizeof window);
}

static enum cs_err window_size(struct ledger_call *call, uint64_t *window_s)
{
	uint8_t window[8];
	const struct ledger_key key = ledger_key(KIND_WINDOW);
	CS_TRY(ledger_get_fixed(call, window, sizeof window, &key));
	*window_s = cs_be64(window);
	return CS_OK;
}

enum cs_err bridge_window(struct ledger_call *call, struct cs_abi_reader *in, struct cs_abi *out)
{
	uint64_t window_s;
	(void)in;
	CS_TRY(window_size(call, &window_s));
	cs_abi_put_u64(out, window_s);
	return CS_OK;
}

enum cs_err bridge_window_now(struct ledger_call *call, uint64_t *window)
{
	uint64_t window_s;
	CS_TRY(window_size(call, &window_s));
	if (window_s == 0) /* where genesis founded no bridge */
		return ledger_revert_plain(call, "WindowInvalid()");
	*window = call->block->time_s / window_s + 1;
	return CS_OK;
}

static struct ledger_key token_key(const struct cs_address *asset)
{
	return ledger_key_of(KIND_TOKEN, CS_BYTES_OF(asset->b));
}

enum cs_err bridge_token_get(struct ledger_call *call, struct bridge_token *token,
			     const struct cs_address *asset)
{
	uint8_t value[TOKEN_SIZE];
	const struct ledger_key key = token_key(asset);
	CS_TRY(ledger_get_fixed(call, value, sizeof value, &key));
	*token = (struct bridge_token){
		.mode = (enum bridge_mode)value[0],
		.index = cs_be32(value + 1),
		.home = cs_be32(value + 5),
		.cap_in = get_amount(value + 9),
		.cap_out = get_amount(value + 25),
		.window = cs_be64(value + 41),
		.amount_in = get_amount(value + 49),
		.net_out = (bridge_net)get_amount(value + 65),
	};
	return CS_OK;
}

enum cs_err bridge_token_put(struct ledger_call *call, const struct cs_address *asset,
			     const struct bridge_token *token)
{
	uint8_t value[TOKEN_SIZE];
	const struct ledger_key key = token_key(asset);
	value[0] = (uint8_t)token->mode;
	cs_put_be32(value + 1, token->index);
	cs_put_be32(value + 5, token->home);
	put_amount(value + 9, token->cap_in);
	put_amount(value + 25, token->cap_out);
	cs_put_be64(value + 41, token->window);
	put_amount(value + 49, token->amount_in);
	put_amount(value + 65, (bridge_amount)token->net_out);
	return ledger_put_fixed(call, &key, value, sizeof value);
}

static struct ledger_key lane_key(uint32_t token, uint32_t chain)
{
	struct ledger_key key = ledger_key(KIND_LANE);
	ledger_key_add_u32(&key, token);
	ledger_key_add_u32(&key, chain);
	return key;
}

enum cs_err bridge_lane_get(struct ledger_call *call, struct bridge_lane *lane, uint32_t token,
			    uint32_t chain)
{
	uint8_t value[LANE_SIZE];
	const struct ledger_key key = lane_key(token, chain);
	CS_TRY(ledger_get_fixed(call, value, sizeof value, &key));
	lane->locked = get_amount(value);
	lane->window = cs_be64(value + 16);
	lane->room = get_amount(value + 24);
	return CS_OK;
}

static enum cs_err put_lane(struct ledger_call *call, const struct bridge_lane *lane,
			    uint32_t token, uint32_t chain)
{
	uint8_t value[LANE_SIZE];
	const struct ledger_key key = lane_key(token, chain);
	put_amount(value, lane->locked);
	cs_put_be64(value + 16, lane->window);
	put_amount(value + 24, lane->room);
	return ledger_put_fixed(call, &key, value, sizeof value);
}

static struct ledger_key pending_key(const struct cs_hash *send_id)
{
	return ledger_key_of(KIND_PENDING, CS_BYTES_OF(send_id->b));
}

enum cs_err bridge_pending_get(struct ledger_call *call, struct bridge_pending *pending,
			       const struct cs_hash *send_id)
{
	uint8_t value[PENDING_SIZE];
	const struct ledger_key key = pending_key(send_id);
	CS_TRY(ledger_get_fixed(call, value, sizeof value, &key));
	memcpy(pending->refund_to.b, value, sizeof pending->refund_to.b);
	pending->token = cs_be32(value + 20);
	pending->chain = cs_be32(value + 24);
	pending->mode = (enum bridge_mode)value[28];
	pending->amount = get_amount(value + 29);
	return CS_OK;
}

enum cs_err bridge_pending_put(struct ledger_call *call, const struct cs_hash *send_id,
			       const struct bridge_pending *pending)
{
	uint8_t value[PENDING_SIZE];
	const struct ledger_key key = pending_key(send_id);
	memcpy(value, pending->refund_to.b, sizeof pending->refund_to.b);
	cs_put_be32(value + 20, pending->token);
	cs_put_be32(value + 24, pending->chain);
	value[28] = (uint8_t)pending->mode;
	put_amount(value + 29, pending->amount);
	return ledger_put_fixed(call, &key, value, sizeof value);
}

enum cs_err bridge_pending_remove(struct ledger_call *call, const struct cs_hash *send_id)
{
	const struct ledger_key key = pending_key(send_id);
	return ledger_remove(call, cs_bytes(key.b, key.n));
}

struct ledger_key bridge_number_key(char kind, uint32_t number)
{
	struct ledger_key key = ledger_key(kind);
	ledger_key_add_u32(&key, number);
	return key;
}

struct ledger_key bridge_remote_token_key(const struct cs_address *asset, uint32_t chain)
{
	struct ledger_key key = ledger_key_of(BRIDGE_KIND_REMOTE_TOKEN, CS_BYTES_OF(asset->b));
	ledger_key_add_u32(&key, chain);
	return key;
}

enum cs_err bridge_asset_at(struct ledger_call *call, struct cs_address *asset, uint32_t index)
{
	const struct ledger_key key = bridge_number_key(BRIDGE_KIND_ASSET_AT, index);
	return ledger_get_fixed(call, asset->b, sizeof asset->b, &key);
}

enum cs_err bridge_remote_token(struct ledger_call *call, struct cs_hash *remote,
				const struct cs_address *asset, uint32_t chain)
{
	const struct ledger_key key = bridge_remote_token_key(asset, chain);
	return ledger_get_fixed(call, remote->b, sizeof remote->b, &key);
}

enum cs_err bridge_chain_of(struct ledger_call *call, uint32_t *chain, struct cs_bytes *account,
			    struct cs_bytes raw)
{
	struct cs_bytes prefix;
	CS_TRY(ledger_split(call, &prefix, account, raw));
	CS_TRY(ledger_use_gas(call, LEDGER_GAS_HASH));
	const struct cs_hash hash = cs_keccak256(prefix);
	const struct ledger_key key = ledger_key_of(BRIDGE_KIND_CHAIN, CS_BYTES_OF(hash.b));
	CS_TRY(ledger_get_u32(call, chain, &key));
	return *chain == 0 ? ledger_revert_plain(call, "ChainUnknown()") : CS_OK;
}

/* ---- flows and lanes ---- */

void bridge_turn(struct bridge_token *token, uint64_t window)
{
	if (token->window == window)
		return;
	token->window = window;
	token->amount_in = 0;
	token->net_out = 0;
}

/* A cap, as far as a flow can count. */
static bridge_amount bounded(bridge_amount cap)
{
	return cap < BRIDGE_FLOW_MAX ? cap : BRIDGE_FLOW_MAX;
}

/* What the cap itself still lets in. */
static bridge_amount cap_room(const struct bridge_token *token)
{
	const bridge_amount max = bounded(token->cap_in);
	return max > token->amount_in ? max - token->amount_in : 0;
}

static bridge_amount lane_room(const struct bridge_lane *lane, uint64_t window)
{
	return lane->window == window ? lane->room : 0;
}

static enum cs_err too_much(struct ledger_call *call)
{
	return ledger_revert_plain(call, "CapExceeded()");
}

enum cs_err bridge_go_out(struct ledger_call *call, const struct cs_address *asset,
			  struct bridge_token *token, bridge_amount amount)
{
	uint64_t window = 0;
	CS_TRY(bridge_window_now(call, &window));
	bridge_turn(token, window);
	/* What went out is above -2^111, so that no more than twice a flow's most can pass. */
	if (token->cap_out == 0 || amount > 2 * BRIDGE_FLOW_MAX + 1)
		return too_much(call);
	const bridge_net net_out = token->net_out + (bridge_net)amount;
	if (net_out > (bridge_net)bounded(token->cap_out))
		return too_much(call);
	token->net_out = net_out;
	return bridge_token_put(call, asset, token);
}

enum cs_err bridge_arrive(struct ledger_call *call, const struct bridge_pending *pending)
{
	struct bridge_lane lane;
	uint64_t window = 0;
	CS_TRY(bridge_lane_get(call, &lane, pending->token, pending->chain));
	CS_TRY(bridge_window_now(call, &window));
	/* An amount that went out has 112 bits. */
	const bridge_amount room = lane_room(&lane, window) + pending->amount;
	lane.window = window;
	lane.room = room > BRIDGE_ROOM_MAX ? BRIDGE_ROOM_MAX : room;
	if (pending->mode == BRIDGE_MODE_LOCK) {
		/* Of a token with so many units, what is pending waits until something came back. */
		if (lane.locked + pending->amount < lane.locked)
			return ledger_revert_plain(call, "LockedTooMuch()");
		lane.locked += pending->amount;
	}
	return put_lane(call, &lane, pending->token, pending->chain);
}

/* What comes in and is matched by what is known as delivered there in this window. A locked token's
 * goes on that first, then on the cap, which all chains share; a minted one's has one chain and goes
 * on the cap first, so that most need nothing else. */
static enum cs_err match(struct ledger_call *call, bridge_amount *matched,
			 const struct bridge_token *token, uint32_t chain, bridge_amount amount,
			 uint64_t window)
{
	const bool locks = token->mode == BRIDGE_MODE_LOCK;
	const bridge_amount from_cap = cap_room(token);
	struct bridge_lane lane;
	*matched = 0;
	if (!locks && amount <= from_cap)
		return CS_OK;
	CS_TRY(bridge_lane_get(call, &lane, token->index, chain));
	const bridge_amount room = lane_room(&lane, window);
	const bridge_amount part = !locks ? amount - from_cap : amount < room ? amount : room;
	if (part > room || amount - part > from_cap)
		return too_much(call);
	/* Of another window there is no room, and what is left of it here is zero. */
	lane.room = room - part;
	if (locks && lane.locked < amount)
		return ledger_revert_plain(call, "LockedTooLittle()");
	lane.locked -= locks ? amount : 0;
	*matched = part;
	return put_lane(call, &lane, token->index, chain);
}

enum cs_err bridge_come_in(struct ledger_call *call, const struct cs_address *asset,
			   struct bridge_token *token, uint32_t chain, bridge_amount amount)
{
	uint64_t window = 0;
	bridge_amount matched;
	if (token->cap_in == 0)
		return too_much(call);
	CS_TRY(bridge_window_now(call, &window));
	bridge_turn(token, window);
	CS_TRY(match(call, &matched, token, chain, amount, window));
	/* The part beyond what was matched is within the cap, which is within what a flow can count;
	 * the part that was is within 96 bits. */
	token->amount_in += amount - matched;
	const bridge_net net_out = token->net_out - (bridge_net)amount;
	const bridge_net least = -(bridge_net)BRIDGE_FLOW_MAX - 1;
	token->net_out = net_out < least ? least : net_out;
	return bridge_token_put(call, asset, token);
}

enum cs_err bridge_room(struct ledger_call *call, struct cs_u256 *in, struct cs_u256 *out,
			const struct cs_address *asset, uint32_t chain)
{
	struct bridge_token token;
	struct bridge_lane lane;
	uint64_t window = 0;
	CS_TRY(bridge_token_get(call, &token, asset));
	CS_TRY(bridge_window_now(call, &window));
	CS_TRY(bridge_lane_get(call, &lane, token.index, chain));
	bridge_turn(&token, window);
	const bridge_net most = (bridge_net)bounded(token.cap_out);
	*in = bridge_wide(token.cap_in == 0 ? 0 : cap_room(&token) + lane_room(&lane, window));
	*out = bridge_wide(token.cap_out == 0 || most <= token.net_out
				   ? 0
				   : (bridge_amount)(most - token.net_out));
	return CS_OK;
}
