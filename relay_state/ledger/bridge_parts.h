/* What the bridge's files share: its books. Not for other contracts.
 *
 * Own state beside the timelock's: 'c' the window; 'i' and 'j', how many chains and tokens; 'h' ‖ hash
 * of a chain: its number; 'e' ‖ hash of a peer: the chain's; 'b' ‖ chain: the peer; 'k' ‖ token: what is
 * known of it; 'a' ‖ token's number: the token; 'm' ‖ token ‖ chain: the token there; 'f' ‖ chain ‖ token
 * there: the token; 'l' ‖ token's number ‖ chain: a lane; 'w' ‖ sendId: what is pending; 'q' ‖ token ‖
 * account: what it may claim. Numbers are from 1; there is no pair for what was never written. */
#ifndef LEDGER_BRIDGE_PARTS_H
#define LEDGER_BRIDGE_PARTS_H

#include "relay_state/ledger/assets.h"
#include "relay_state/ledger/bridge.h"
#include "relay_state/ledger/gateway.h"
#include "relay_state/ledger/pairs.h"
#include "relay_state/ledger/timelock.h"

/* Amounts are of 128 bits; what goes out less what comes in has a sign. */
__extension__ typedef unsigned __int128 bridge_amount;
__extension__ typedef __int128 bridge_net;

/* Solidity's widths: of a flow's counts, of a lane's room. */
#define BRIDGE_FLOW_MAX ((((bridge_amount)1) << 111) - 1)
#define BRIDGE_ROOM_MAX ((((bridge_amount)1) << 96) - 1)

enum bridge_mode {
	BRIDGE_MODE_NONE,
	BRIDGE_MODE_LOCK,
	BRIDGE_MODE_MINT,
};

/* A token with its caps, and its flow in the window that is named there. */
struct bridge_token {
	enum bridge_mode mode;
	uint32_t index; /* from 1 */
	uint32_t home;  /* chain of a minted token */
	bridge_amount cap_in;
	bridge_amount cap_out;
	uint64_t window; /* from 1; 0: no cap was ever set */
	bridge_amount amount_in;
	bridge_net net_out;
};

struct bridge_lane {
	bridge_amount locked;
	uint64_t window;
	bridge_amount room;
};

struct bridge_pending {
	struct cs_address refund_to;
	uint32_t token; /* 0: nothing is pending */
	uint32_t chain;
	enum bridge_mode mode;
	bridge_amount amount;
};

/* ---- the books (bridge_books.c) ---- */

CS_NODISCARD enum cs_err bridge_window_now(struct ledger_call *call, uint64_t *window);
CS_NODISCARD enum cs_err bridge_token_get(struct ledger_call *call, struct bridge_token *token,
					  const struct cs_address *asset);
CS_NODISCARD enum cs_err bridge_token_put(struct ledger_call *call, const struct cs_address *asset,
					  const struct bridge_token *token);
CS_NODISCARD enum cs_err bridge_lane_get(struct ledger_call *call, struct bridge_lane *lane,
					 uint32_t token, uint32_t chain);
CS_NODISCARD enum cs_err bridge_pending_get(struct ledger_call *call,
					    struct bridge_pending *pending,
					    const struct cs_hash *send_id);
CS_NODISCARD enum cs_err bridge_pending_put(struct ledger_call *call, const struct cs_hash *send_id,
					    const struct bridge_pending *pending);
CS_NODISCARD enum cs_err bridge_pending_remove(struct ledger_call *call,
					       const struct cs_hash *send_id);
CS_NODISCARD enum cs_err bridge_asset_at(struct ledger_call *call, struct cs_address *asset,
					 uint32_t index);
/* The chain of an interoperable address, and its account; reverts with ChainUnknown(). */
CS_NODISCARD enum cs_err bridge_chain_of(struct ledger_call *call, uint32_t *chain,
					 struct cs_bytes *account, struct cs_bytes raw);
/* Zero: none. */
CS_NODISCARD enum cs_err bridge_remote_token(struct ledger_call *call, struct cs_hash *remote,
					     const struct cs_address *asset, uint32_t chain);

/* Counts what goes out; reverts with CapExceeded(). */
CS_NODISCARD enum cs_err bridge_go_out(struct ledger_call *call, const struct cs_address *asset,
				       struct bridge_token *token, bridge_amount amount);
/* What was sent is known as delivered: it may come back from there, beyond the cap while the window
 * lasts. Reverts with LockedTooMuch(). */
CS_NODISCARD enum cs_err bridge_arrive(struct ledger_call *call,
				       const struct bridge_pending *pending);
/* Counts what comes in; reverts with CapExceeded(), LockedTooLittle(). */
CS_NODISCARD enum cs_err bridge_come_in(struct ledger_call *call, const struct cs_address *asset,
					struct bridge_token *token, uint32_t chain,
					bridge_amount amount);
/* What may still come in from a chain, and go out to any, in the present window. */
CS_NODISCARD enum cs_err bridge_room(struct ledger_call *call, struct cs_u256 *in,
				     struct cs_u256 *out, const struct cs_address *asset,
				     uint32_t chain);

struct cs_u256 bridge_wide(bridge_amount amount);
/* The flow of the present window: zero at its begin. */
void bridge_turn(struct bridge_token *token, uint64_t window);

/* ---- keys that more than one file needs ---- */

#define BRIDGE_KIND_CHAIN_COUNT 'i'
#define BRIDGE_KIND_TOKEN_COUNT 'j'
#define BRIDGE_KIND_CHAIN 'h'
#define BRIDGE_KIND_CHAIN_OF_PEER 'e'
#define BRIDGE_KIND_PEER 'b'
#define BRIDGE_KIND_ASSET_AT 'a'
#define BRIDGE_KIND_REMOTE_TOKEN 'm'
#define BRIDGE_KIND_TOKEN_OF_REMOTE 'f'
#define BRIDGE_KIND_CLAIMABLE 'q'

struct ledger_key bridge_number_key(char kind, uint32_t number);
struct ledger_key bridge_remote_token_key(const struct cs_address *asset, uint32_t chain);

/* ---- functions of bridge_transfer.c and bridge_owner.c ---- */

ledger_function_fn bridge_transfer, bridge_quote, bridge_on_outcome, bridge_settle, bridge_claim,
	bridge_pending_of, bridge_receive, bridge_claimable, bridge_window;
ledger_function_fn bridge_add_peer, bridge_add_token, bridge_set_cap, bridge_lower_cap;

#endif
