/* A world (gateway_lab.h) with a bridge and two assets: one that is locked here and one that is minted
 * here. Its peer is an address on the remote chain. */
#ifndef TESTS_UNIT_LEDGER_BRIDGE_LAB_H
#define TESTS_UNIT_LEDGER_BRIDGE_LAB_H

#include "relay_state/ledger/assets.h"
#include "relay_state/ledger/bridge.h"
#include "tests/unit/ledger/gateway_lab.h"

#define BRIDGE LEDGER_BRIDGE_NUMBER
#define ASSETS LEDGER_ASSETS_NUMBER
#define BRIDGE_WINDOW 3600u
#define BRIDGE_CAP 1000000000000ull
#define LOCK 1u
#define MINT 2u

struct bridge_world {
	struct world *world;
	struct cs_address address; /* the bridge's */
	struct cs_address maker;   /* of the asset that is locked; its minter */
	struct cs_address token;   /* locked here; the user has 1000 */
	struct cs_address wrapped; /* minted here */
	struct cs_address peer;    /* on the remote chain */
	struct cs_hash remote_token, remote_home;
};

/* An account to which no asset is transferred, for what happens when that fails: the assets of the
 * ledger do not refuse a good account. Zero: none. */
extern struct cs_address bridge_frozen;

struct bridge_world *bridge_new(void); /* of ledger-1 */
struct bridge_world *bridge_new_at(const char *chain_id);
void bridge_free(struct bridge_world *bridge);

struct cs_address asset_make(struct bridge_world *bridge, const char *name,
			     const struct cs_address *minter);
void asset_give(struct bridge_world *bridge, const struct cs_address *asset,
		const struct cs_address *to, struct cs_hash amount);
uint64_t asset_balance(struct bridge_world *bridge, const struct cs_address *asset,
		       const struct cs_address *account);
uint64_t asset_supply(struct bridge_world *bridge, const struct cs_address *asset);

struct cs_bytes peer_call(const char *caip2, const struct cs_address *peer);
struct cs_bytes token_call(const struct cs_address *asset, struct cs_bytes chain,
			   struct cs_hash remote, unsigned mode);
void bridge_token(struct bridge_world *bridge, const struct cs_address *asset,
		  const struct remote *remote, struct cs_hash there, unsigned mode);
#define SET_CAP "setCap(address,uint128,uint128)"
void bridge_cap(struct bridge_world *bridge, const struct cs_address *asset, struct cs_hash in,
		struct cs_hash out);
/* After the delay, and at the begin of a window. */
void bridge_later_cap(struct bridge_world *bridge, const struct cs_address *asset, uint64_t in,
		      uint64_t out);
void bridge_next_window(struct bridge_world *bridge);

/* Calldata of transfer by anybody. */
struct cs_bytes transfer_call(const struct cs_address *asset, struct cs_hash amount,
			      struct cs_bytes recipient, const struct cs_address *refund_to,
			      const struct cs_bytes *attributes, size_t count);
/* By the user, to an account of the remote chain; the sendId. */
struct cs_hash transfer(struct bridge_world *bridge, const struct cs_address *asset,
			struct cs_hash amount);
struct cs_hash transfer_to(struct bridge_world *bridge, const struct remote *remote,
			   const struct cs_address *asset, struct cs_hash amount);
/* One that is refused with this error. */
void transfer_refused(struct bridge_world *bridge, const struct cs_address *asset,
		      struct cs_hash amount, const char *error);
void outcome(struct bridge_world *bridge, const struct remote *remote, const struct cs_hash *id,
	     unsigned status);
/* A transfer that arrives, and whose outcome is known here. */
void send_through(struct bridge_world *bridge, const struct cs_address *asset,
		  struct cs_hash amount);

/* A message of the peer, delivered: what became of it. */
struct wire_message incoming(struct bridge_world *bridge, const struct cs_address *asset,
			     struct cs_hash amount, const struct cs_address *to);
enum wire_status receive(struct bridge_world *bridge, const struct cs_address *asset,
			 struct cs_hash amount, const struct cs_address *to);
enum wire_status receive_from(struct bridge_world *bridge, struct remote *remote,
			      const struct cs_address *peer, const struct cs_address *asset,
			      struct cs_hash amount, const struct cs_address *to);
enum wire_status attempt(struct bridge_world *bridge, const struct remote *remote,
			 const struct wire_message *message);
struct cs_bytes payload_of(struct cs_hash token, struct cs_hash amount, struct cs_hash to);

uint64_t locked_of(struct bridge_world *bridge, const struct cs_address *asset,
		   const struct remote *remote);
int64_t flow_of(struct bridge_world *bridge, const struct cs_address *asset);
struct room {
	struct cs_hash in, out;
};
struct room room_of(struct bridge_world *bridge, const struct cs_address *asset,
		    const struct remote *remote);
void assert_room(struct bridge_world *bridge, const struct cs_address *asset,
		 const struct remote *remote, uint64_t in, uint64_t out);
uint64_t claimable_of(struct bridge_world *bridge, const struct cs_address *asset,
		      const struct cs_address *account);
/* 2^bits - less. */
struct cs_hash power(unsigned bits, uint64_t less);

#endif
