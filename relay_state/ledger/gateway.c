#include "relay_state/ledger/gateway_parts.h"

#include <string.h>

#define KIND_ROUTE 'u'

/* What no enclave or gateway relays is not sent: it would not arrive, and nobody would prove that it
 * did not. A transaction on an EVM chain has at most 2^24 gas (EIP-7825): what delivers one message of
 * this minGasLimit and the longest payload has less. Longer lifetimes are mistaken units. */
#define ROUTE_GAS_MAX 15000000u
#define ROUTE_LIFETIME_MAX_S (366u * 86400)
/* Of `finality`: 255 is reserved. */
#define FINALITY_RESERVED 255u

/* ---- founding ---- */

enum cs_err ledger_gateway_construct(struct ledger_call *call, struct cs_bytes chain_id,
				     const struct ledger_gateway_terms *terms)
{
	struct ledger_self self = {.rotation_delay_s = terms->rotation_delay_s,
				   .overlap_s = terms->overlap_s,
				   .insecure = terms->insecure};
	if (terms->rotation_delay_s <= terms->delay_s)
		return cs_fail(call->why, CS_ERR_INVALID,
			       "gateway: the rotation's delay is not above the delay");
	if (terms->rotation_delay_s > LEDGER_DELAY_MAX_S || terms->overlap_s > LEDGER_DELAY_MAX_S)
		return cs_fail(call->why, CS_ERR_INVALID, "gateway: a delay above %u s",
			       LEDGER_DELAY_MAX_S);
	cs_caip2_write_cosmos(self.caip2, chain_id);
	CS_TRY(ledger_timelock_construct(call, &terms->owner, &terms->guardian, terms->delay_s));
	return ledger_self_put(call, &self);
}

enum cs_err ledger_gateway_name(struct ledger_call *call, const struct cs_hash *chain_tag)
{
	struct ledger_self self;
	const struct cs_address address = ledger_contract_address(LEDGER_GATEWAY_NUMBER);
	CS_TRY(ledger_self_get(call, &self));
	self.identity = wire_identity(cs_bytes_str(self.caip2), chain_tag, CS_BYTES_OF(address.b));
	CS_TRY(ledger_self_put(call, &self));
	return ledger_sentinel_put(call, &self.identity);
}

/* ---- routes ---- */

static enum cs_err read_u128(struct cs_abi_reader *in, struct cs_u256 *value)
{
	CS_TRY(cs_abi_get_u256(in, value));
	return value->limb[2] != 0 || value->limb[3] != 0 ? CS_ERR_OVERFLOW : CS_OK;
}

static enum cs_err read_route(struct cs_abi_reader *in, struct gateway_route *route)
{
	CS_TRY(cs_abi_get_bool(in, &route->closer_allowed));
	CS_TRY(cs_abi_get_bool(in, &route->refund_to_allowed));
	CS_TRY(cs_abi_get_u8(in, &route->finality_default));
	CS_TRY(cs_abi_get_u8(in, &route->finality_max));
	CS_TRY(ledger_read_u32(in, &route->payload_max));
	CS_TRY(ledger_read_u32(in, &route->lifetime_min_s));
	CS_TRY(ledger_read_u32(in, &route->lifetime_max_s));
	CS_TRY(ledger_read_u32(in, &route->lifetime_default_s));
	CS_TRY(ledger_read_u32(in, &route->gas_min));
	CS_TRY(ledger_read_u32(in, &route->gas_max));
	CS_TRY(ledger_read_u32(in, &route->gas_default));
	CS_TRY(read_u128(in, &route->fee_base));
	CS_TRY(cs_abi_get_u64(in, &route->fee_per_byte));
	CS_TRY(cs_abi_get_u64(in, &route->fee_per_gas));
	return cs_abi_get_word(in, &route->closer_default);
}

/* A route is stored as the words in which it came. */
struct route_words {
	struct cs_hash words[GATEWAY_ROUTE_WORDS];
};

static enum cs_err get_route_words(struct ledger_call *call, struct route_words *row,
				   const struct cs_hash *remote)
{
	const struct ledger_key key = ledger_key_of(KIND_ROUTE, CS_BYTES_OF(remote->b));
	return ledger_get_fixed(call, row, sizeof *row, &key);
}

enum cs_err gateway_route_get(struct ledger_call *call, struct gateway_route *route,
			      const struct cs_hash *remote)
{
	struct route_words row;
	struct cs_abi_reader in;
	CS_TRY(get_route_words(call, &row, remote));
	CS_TRY(cs_abi_read(&in, cs_bytes(&row, sizeof row), GATEWAY_ROUTE_WORDS));
	return read_route(&in, route);
}

static bool is_route(const struct gateway_route *route)
{
	if (route->lifetime_max_s == 0)
		return true;
	return route->lifetime_min_s != 0 && route->lifetime_min_s <= route->lifetime_default_s &&
	       route->lifetime_default_s <= route->lifetime_max_s &&
	       route->lifetime_max_s <= ROUTE_LIFETIME_MAX_S &&
	       route->payload_max <= CS_PAYLOAD_SIZE_MAX && route->gas_max <= ROUTE_GAS_MAX &&
	       route->gas_min <= route->gas_default && route->gas_default <= route->gas_max &&
	       route->finality_default <= route->finality_max &&
	       route->finality_max != FINALITY_RESERVED;
}

/* Opens, changes or (with a longest lifetime of 0) closes the way to a remote. What was sent is not
 * touched. */
static enum cs_err set_route(struct ledger_call *call, struct cs_abi_reader *in, struct cs_abi *out)
{
	struct cs_hash identity;
	struct ledger_remote remote;
	struct gateway_route route;
	struct route_words row;
	(void)out;
	CS_TRY(cs_abi_get_word(in, &identity));
	memcpy(&row, in->data.p + in->head_next, sizeof row);
	CS_TRY(read_route(in, &route));
	CS_TRY(ledger_only_owner(call));
	CS_TRY(ledger_remote_get(call, &remote, &identity));
	if (remote.index == 0)
		return ledger_revert_plain(call, "RemoteUnknown()");
	if (!is_route(&route))
		return ledger_revert_plain(call, "RouteInvalid()");
	const struct ledger_key key = ledger_key_of(KIND_ROUTE, CS_BYTES_OF(identity.b));
	CS_TRY(ledger_put_fixed(call, &key, &row, sizeof row));
	return ledger_emit_words(call, "RouteSet(bytes32," GATEWAY_ROUTE ")", &identity, 1,
				 row.words, GATEWAY_ROUTE_WORDS);
}

static enum cs_err route_of(struct ledger_call *call, struct cs_abi_reader *in, struct cs_abi *out)
{
	struct cs_hash identity;
	struct route_words row;
	CS_TRY(cs_abi_get_word(in, &identity));
	CS_TRY(get_route_words(call, &row, &identity));
	for (size_t i = 0; i < GATEWAY_ROUTE_WORDS; i++)
		cs_abi_put_word(out, &row.words[i]);
	return CS_OK;
}

/* ---- fees ---- */

/* Pays out fees. The balance holds nothing else. */
static enum cs_err withdraw(struct ledger_call *call, struct cs_abi_reader *in, struct cs_abi *out)
{
	struct cs_address to;
	struct cs_u256 amount;
	struct cs_bytes output;
	bool paid = false;
	(void)out;
	CS_TRY(cs_abi_get_address(in, &to));
	CS_TRY(cs_abi_get_u256(in, &amount));
	CS_TRY(ledger_only_owner(call));
	CS_TRY(ledger_emit_words(call, "FeesWithdrawn(address,uint256)",
				 LEDGER_WORDS(ledger_word_address(&to)),
				 LEDGER_WORDS(cs_u256_word(&amount))));
	CS_TRY(ledger_call_contract(call, &paid, &output, &to, &amount, CS_BYTES_NONE, 0));
	return paid ? CS_OK : ledger_revert_plain(call, "WithdrawFailed()");
}

/* ---- what was sent ---- */

#define SENT_STATUS_AT 7u
#define SENT_REMOTE_AT 8u

enum cs_err gateway_sent_get(struct ledger_call *call, struct gateway_sent *sent,
			     const struct cs_hash *id)
{
	struct cs_hash word;
	const struct cs_hash slot = wire_evm_sent_slot(id);
	CS_TRY(ledger_load(call, &word, &slot));
	sent->sender = ledger_address_of(&word);
	sent->remote = cs_be32(word.b + SENT_REMOTE_AT);
	sent->status = word.b[SENT_STATUS_AT];
	return CS_OK;
}

enum cs_err gateway_sent_put(struct ledger_call *call, const struct cs_hash *id,
			     const struct gateway_sent *sent)
{
	struct cs_hash word = ledger_word_address(&sent->sender);
	const struct cs_hash slot = wire_evm_sent_slot(id);
	cs_put_be32(word.b + SENT_REMOTE_AT, sent->remote);
	word.b[SENT_STATUS_AT] = sent->status;
	return ledger_store(call, &slot, &word);
}

static enum cs_err sent_by(struct ledger_call *call, struct cs_abi_reader *in, struct cs_abi *out)
{
	struct cs_hash id;
	struct gateway_sent sent;
	CS_TRY(cs_abi_get_word(in, &id));
	CS_TRY(gateway_sent_get(call, &sent, &id));
	cs_abi_put_address(out, &sent.sender);
	return CS_OK;
}

static enum cs_err outcome_of(struct ledger_call *call, struct cs_abi_reader *in,
			      struct cs_abi *out)
{
	struct cs_hash id;
	struct gateway_sent sent;
	CS_TRY(cs_abi_get_word(in, &id));
	CS_TRY(gateway_sent_get(call, &sent, &id));
	cs_abi_put_u64(out, sent.status);
	return CS_OK;
}

/* ---- what arrives ---- */

enum cs_err gateway_status_get(struct ledger_call *call, enum wire_status *status,
			       const struct cs_hash *source, uint64_t sequence)
{
	struct cs_hash word;
	const struct cs_hash slot = wire_evm_status_slot(source, sequence);
	CS_TRY(ledger_load(call, &word, &slot));
	*status = wire_evm_status(&word, sequence);
	return CS_OK;
}

enum cs_err gateway_status_put(struct ledger_call *call, const struct cs_hash *source,
			       uint64_t sequence, enum wire_status status)
{
	struct cs_hash word;
	const struct cs_hash slot = wire_evm_status_slot(source, sequence);
	const unsigned bit = 2 * (unsigned)(sequence & 127);
	CS_TRY(ledger_load(call, &word, &slot));
	uint8_t *field = &word.b[31 - bit / 8];
	*field = (uint8_t)((*field & ~(3u << bit % 8)) | (unsigned)status << bit % 8);
	return ledger_store(call, &slot, &word);
}

static enum cs_err status_of(struct ledger_call *call, struct cs_abi_reader *in, struct cs_abi *out)
{
	struct cs_hash source;
	uint64_t sequence;
	enum wire_status status = WIRE_STATUS_NONE;
	CS_TRY(cs_abi_get_word(in, &source));
	CS_TRY(cs_abi_get_u64(in, &sequence));
	CS_TRY(gateway_status_get(call, &status, &source, sequence));
	cs_abi_put_u64(out, status);
	return CS_OK;
}

enum cs_err gateway_status_is(struct ledger_call *call, enum wire_status status)
{
	const struct cs_hash word = ledger_word_u64(status);
	return ledger_revert(call, "StatusIs(uint8)", &word, 1);
}

bool gateway_has_room(const struct ledger_call *call)
{
	return call->depth + GATEWAY_DEPTH_BELOW < LEDGER_DEPTH_MAX &&
	       call->logs->count + GATEWAY_LOGS_BELOW < LEDGER_LOGS_MAX;
}

enum cs_err gateway_account(struct cs_buf *buf, const struct ledger_self *self,
			    const struct cs_address *account)
{
	return cs_interop_encode_account(buf, self->caip2, account);
}

/* ---- the table ---- */

#define CONSTANT(name, value)                                                       \
	static enum cs_err name(struct ledger_call *call, struct cs_abi_reader *in, \
				struct cs_abi *out)                                 \
	{                                                                           \
		(void)call;                                                         \
		(void)in;                                                           \
		cs_abi_put_u64(out, value);                                         \
		return CS_OK;                                                       \
	}
CONSTANT(constant_none, WIRE_STATUS_NONE)
CONSTANT(constant_failed, WIRE_STATUS_FAILED)
CONSTANT(constant_delivered, WIRE_STATUS_DELIVERED)
CONSTANT(constant_dead, WIRE_STATUS_DEAD)
CONSTANT(constant_outcome_gas, LEDGER_OUTCOME_GAS)
CONSTANT(constant_payload_max, CS_PAYLOAD_SIZE_MAX)
CONSTANT(constant_gas_max, ROUTE_GAS_MAX)
CONSTANT(constant_lifetime_max, ROUTE_LIFETIME_MAX_S)

static const struct ledger_function functions[] = {
	LEDGER_TIMELOCK_FUNCTIONS,
	LEDGER_KEYS_FUNCTIONS,
	LEDGER_REMOTES_FUNCTIONS,
	{"supportsAttribute(bytes4)", 0xdc680a0f, 1, false, 0, gateway_supports_attribute},
	{"quote(bytes,uint256,bytes[])", 0x453c4444, 3, false, 0, gateway_quote},
	{"sendMessage(bytes,bytes,bytes[])", 0xcdfe7f5c, 3, true, 0, gateway_send},
	{"finalize(bytes32," GATEWAY_STATEMENT "," GATEWAY_OUTCOME "[])", 0x16470cd4, 3, false, 0,
	 gateway_finalize},
	{"outcomeOf(bytes32)", 0xebfa4523, 1, false, 0, outcome_of},
	{"sentBy(bytes32)", 0x7b372346, 1, false, 0, sent_by},
	{"deliver(bytes32," GATEWAY_STATEMENT "," GATEWAY_MESSAGE "[])", 0x36183acf, 3, false, 0,
	 gateway_deliver},
	{"retry(bytes32," GATEWAY_STATEMENT "," GATEWAY_MESSAGE ")", 0xfc08f268, 3, false, 0,
	 gateway_retry},
	{"close(bytes32," GATEWAY_STATEMENT "," GATEWAY_MESSAGE ")", 0x011141a3, 3, false, 0,
	 gateway_close},
	{"expire(bytes32," GATEWAY_STATEMENT "," GATEWAY_MESSAGE "[])", 0x3a4ab02e, 3, false, 0,
	 gateway_expire},
	{"statusOf(bytes32,uint64)", 0xa56c6fe4, 2, false, 0, status_of},
	{"setRoute(bytes32," GATEWAY_ROUTE ")", 0xd77d136a, 16, false, 0, set_route},
	{"routeOf(bytes32)", 0xec54d104, 1, false, 0, route_of},
	{"withdraw(address,uint256)", 0xf3fef3a3, 2, false, 0, withdraw},
	{"NONE()", 0x83525394, 0, false, 0, constant_none},
	{"FAILED()", 0x3969307d, 0, false, 0, constant_failed},
	{"DELIVERED()", 0x3ef34869, 0, false, 0, constant_delivered},
	{"DEAD()", 0x03fd2a45, 0, false, 0, constant_dead},
	{"OUTCOME_GAS()", 0x7b5ee3b5, 0, false, 0, constant_outcome_gas},
	{"PAYLOAD_MAX()", 0x1d2aedd6, 0, false, 0, constant_payload_max},
	{"GAS_MAX()", 0x5243ab4b, 0, false, 0, constant_gas_max},
	{"LIFETIME_MAX()", 0xedb843ef, 0, false, 0, constant_lifetime_max},
};

const struct ledger_contract ledger_gateway = {
	.name = "gateway",
	.number = LEDGER_GATEWAY_NUMBER,
	.functions = functions,
	.function_count = CS_LEN(functions),
};
