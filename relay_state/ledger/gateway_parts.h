/* What the gateway's files share: routes, statuses, calldata, accounts. Not for other contracts. */
#ifndef LEDGER_GATEWAY_PARTS_H
#define LEDGER_GATEWAY_PARTS_H

#include "relay_state/ledger/gas.h"
#include "relay_state/ledger/gateway.h"
#include "relay_state/ledger/keys.h"
#include "relay_state/ledger/pairs.h"
#include "relay_state/ledger/remotes.h"
#include "relay_state/ledger/timelock.h"

/* Tuples of docs/protocol/envelope.md section 5. */
#define GATEWAY_STATEMENT "(uint64,uint64,uint256,uint256,uint256,bytes32[])"
#define GATEWAY_MESSAGE "(uint64,uint64,uint64,uint8,bytes32,bytes32,address,bytes,bytes)"
#define GATEWAY_OUTCOME "(bytes32,uint8)"
#define GATEWAY_ROUTE                                                                             \
	"(bool,bool,uint8,uint8,uint32,uint32,uint32,uint32,uint32,uint32,uint32,uint128,uint64," \
	"uint64,bytes32)"

/* What a write of a status takes, with the read of its word; an event of four words; a batch of
 * deliveries keeps this much to write *failed*, to emit it and to leave. */
#define GATEWAY_STATUS_GAS (LEDGER_GAS_READ + LEDGER_GAS_WRITE + 96u * LEDGER_GAS_WRITE_BYTE)
#define GATEWAY_EVENT_GAS (LEDGER_GAS_LOG + 192u * LEDGER_GAS_LOG_BYTE)
#define GATEWAY_RESERVE (GATEWAY_STATUS_GAS + GATEWAY_EVENT_GAS + 1000u)

/* A recipient, and a sender that hears an outcome, may call so deep and log so much: less would make it
 * fail for reasons that are not its own, by whoever submits. The bridge calls once and logs twice. */
#define GATEWAY_DEPTH_BELOW 4u
#define GATEWAY_LOGS_BELOW 16u
bool gateway_has_room(const struct ledger_call *call);

/* ---- routes ---- */

#define GATEWAY_ROUTE_WORDS 15u
/* What a sender may ask for on the way to one remote. Lifetimes are seconds from now to the
 * deadline. */
struct gateway_route {
	bool closer_allowed;
	bool refund_to_allowed;
	uint8_t finality_default;
	uint8_t finality_max;
	uint32_t payload_max;
	uint32_t lifetime_min_s;
	uint32_t lifetime_max_s; /* 0: closed */
	uint32_t lifetime_default_s;
	uint32_t gas_min;
	uint32_t gas_max;
	uint32_t gas_default;
	struct cs_u256 fee_base; /* 128 bits */
	uint64_t fee_per_byte;
	uint64_t fee_per_gas;
	struct cs_hash closer_default;
};
/* All zero, which is closed, where none was set. */
CS_NODISCARD enum cs_err gateway_route_get(struct ledger_call *call, struct gateway_route *route,
					   const struct cs_hash *remote);

/* ---- what was sent ---- */

/* Slot 3: by whom, to which remote, and the outcome, packed as Solidity packs them. */
struct gateway_sent {
	struct cs_address sender;
	uint32_t remote; /* its index; 0: nothing was sent */
	uint8_t status;
};
CS_NODISCARD enum cs_err gateway_sent_get(struct ledger_call *call, struct gateway_sent *sent,
					  const struct cs_hash *id);
CS_NODISCARD enum cs_err gateway_sent_put(struct ledger_call *call, const struct cs_hash *id,
					  const struct gateway_sent *sent);

/* ---- what arrives ---- */

CS_NODISCARD enum cs_err gateway_status_get(struct ledger_call *call, enum wire_status *status,
					    const struct cs_hash *source, uint64_t sequence);
CS_NODISCARD enum cs_err gateway_status_put(struct ledger_call *call, const struct cs_hash *source,
					    uint64_t sequence, enum wire_status status);

/* ERC-7930 bytes of an account of this chain. */
CS_NODISCARD enum cs_err gateway_account(struct cs_buf *buf, const struct ledger_self *self,
					 const struct cs_address *account);

/* Reverts with StatusIs(uint8). */
CS_NODISCARD enum cs_err gateway_status_is(struct ledger_call *call, enum wire_status status);

ledger_function_fn gateway_send, gateway_quote, gateway_supports_attribute;
ledger_function_fn gateway_deliver, gateway_retry, gateway_close, gateway_expire;
ledger_function_fn gateway_finalize;

#endif
