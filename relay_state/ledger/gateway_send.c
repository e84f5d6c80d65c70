/* The source side: terms of a message, its fee, its id. */
#include "relay_state/ledger/gateway_parts.h"

#include <string.h>

#define CLOSER_SIZE_MAX 64u

#define SELECTOR_DEADLINE 0x7661663eu
#define SELECTOR_GAS 0x39f87ba1u
#define SELECTOR_CLOSER 0x42d0b395u
#define SELECTOR_REFUND_TO 0x71ed4664u
#define SELECTOR_FINALITY 0xfb88e8c8u

struct terms {
	uint64_t deadline_s;
	uint64_t min_gas_limit;
	uint8_t finality;
	struct cs_hash closer;
	struct cs_hash refund_to;
};

struct asked {
	struct cs_bytes recipient;
	size_t attribute_count;
	struct cs_bytes attributes[LEDGER_ATTRIBUTES_MAX];
};

/* ---- attributes ---- */

enum attribute_seen {
	SEEN_CLOSER = 1,
	SEEN_DEADLINE = 2,
	SEEN_GAS = 4,
	SEEN_REFUND_TO = 8,
	SEEN_FINALITY = 16,
};

static enum cs_err refuse(struct ledger_call *call, const char *error, uint32_t selector)
{
	const struct cs_hash word = ledger_word_bytes4(selector);
	return ledger_revert(call, error, &word, 1);
}

static enum cs_err invalid(struct ledger_call *call, uint32_t selector)
{
	return refuse(call, "AttributeInvalid(bytes4)", selector);
}

static enum cs_err out_of_bounds(struct ledger_call *call, uint32_t selector)
{
	return refuse(call, "AttributeOutOfBounds(bytes4)", selector);
}

/* `closer(bytes)`: the raw address of the account on the destination, canonically encoded. */
static enum cs_err read_closer(struct ledger_call *call, struct terms *terms,
			       struct cs_bytes attribute)
{
	struct cs_abi_reader in;
	struct cs_bytes closer;
	if (cs_abi_read(&in, cs_bytes(attribute.p + 4, attribute.n - 4), 1) != CS_OK ||
	    cs_abi_get_bytes(&in, CLOSER_SIZE_MAX, &closer) != CS_OK || cs_abi_end(&in) != CS_OK ||
	    closer.n == 0)
		return invalid(call, SELECTOR_CLOSER);
	terms->closer = wire_word(closer);
	return CS_OK;
}

/* An attribute of one number. It is within its bounds only if it fits what it is kept in. */
static bool take_number(struct terms *terms, unsigned *bit, uint32_t selector,
			const struct cs_hash *word, const struct gateway_route *route,
			uint64_t now_s)
{
	uint64_t value = 0;
	const struct cs_u256 wide = cs_u256_from_word(word);
	const bool fits = cs_u256_to_u64(&value, &wide) == CS_OK;
	switch (selector) {
	case SELECTOR_DEADLINE:
		*bit = SEEN_DEADLINE;
		terms->deadline_s = value;
		return fits && value >= now_s + route->lifetime_min_s &&
		       value <= now_s + route->lifetime_max_s;
	case SELECTOR_GAS:
		*bit = SEEN_GAS;
		terms->min_gas_limit = value;
		return fits && value >= route->gas_min && value <= route->gas_max;
	case SELECTOR_REFUND_TO:
		*bit = SEEN_REFUND_TO;
		terms->refund_to = *word;
		return route->refund_to_allowed && !cs_hash_is_zero(word) &&
		       cs_u256_size(&wide) <= sizeof(struct cs_address);
	default: /* SELECTOR_FINALITY: the caller knows no other */
		*bit = SEEN_FINALITY;
		terms->finality = (uint8_t)value;
		return fits && value <= route->finality_max;
	}
}

static bool is_number(uint32_t selector)
{
	return selector == SELECTOR_DEADLINE || selector == SELECTOR_GAS ||
	       selector == SELECTOR_REFUND_TO || selector == SELECTOR_FINALITY;
}

static enum cs_err take_attribute(struct ledger_call *call, struct terms *terms, unsigned *seen,
				  struct cs_bytes attribute, const struct gateway_route *route)
{
	const uint32_t selector = attribute.n < 4 ? 0 : cs_be32(attribute.p);
	struct cs_hash word = {{0}};
	unsigned bit = SEEN_CLOSER;
	if (selector == SELECTOR_CLOSER) {
		if (!route->closer_allowed)
			return out_of_bounds(call, selector);
		CS_TRY(read_closer(call, terms, attribute));
	} else if (is_number(selector)) {
		if (attribute.n != 4 + sizeof word.b)
			return invalid(call, selector);
		memcpy(word.b, attribute.p + 4, sizeof word.b);
		if (!take_number(terms, &bit, selector, &word, route, call->block->time_s))
			return out_of_bounds(call, selector);
	} else {
		return refuse(call, "UnsupportedAttribute(bytes4)", selector);
	}
	if ((*seen & bit) != 0)
		return refuse(call, "AttributeTwice(bytes4)", selector);
	*seen |= bit;
	return CS_OK;
}

/* The route's defaults, overridden by attributes within its bounds. */
static enum cs_err agree(struct ledger_call *call, struct terms *terms,
			 const struct gateway_route *route, const struct cs_u256 *payload_size,
			 const struct asked *asked)
{
	const struct cs_u256 payload_max = cs_u256_u64(route->payload_max);
	unsigned seen = 0;
	if (route->lifetime_max_s == 0)
		return ledger_revert_plain(call, "RouteClosed()");
	if (cs_u256_cmp(payload_size, &payload_max) > 0)
		return ledger_revert_plain(call, "PayloadTooLong()");
	*terms = (struct terms){.deadline_s = call->block->time_s + route->lifetime_default_s,
				.min_gas_limit = route->gas_default,
				.finality = route->finality_default};
	for (size_t i = 0; i < asked->attribute_count; i++)
		CS_TRY(take_attribute(call, terms, &seen, asked->attributes[i], route));
	if ((seen & SEEN_CLOSER) == 0)
		terms->closer = route->closer_default;
	return CS_OK;
}

enum cs_err gateway_supports_attribute(struct ledger_call *call, struct cs_abi_reader *in,
				       struct cs_abi *out)
{
	struct cs_hash word;
	(void)call;
	CS_TRY(cs_abi_get_word(in, &word));
	for (size_t i = 4; i < sizeof word.b; i++) {
		if (word.b[i] != 0)
			return CS_ERR_OVERFLOW;
	}
	const uint32_t selector = cs_be32(word.b);
	cs_abi_put_u64(out, selector == SELECTOR_CLOSER || is_number(selector));
	return CS_OK;
}

/* ---- the fee ---- */

static enum cs_err reckon(struct cs_u256 *fee, const struct gateway_route *route,
			  const struct cs_u256 *payload_size, uint64_t min_gas_limit)
{
	struct cs_u256 sum = route->fee_base, part = cs_u256_u64(route->fee_per_byte);
	const struct cs_u256 gas = cs_u256_u64(min_gas_limit);
	CS_TRY(cs_u256_mul(&part, &part, payload_size));
	CS_TRY(cs_u256_add(&sum, &sum, &part));
	part = cs_u256_u64(route->fee_per_gas);
	CS_TRY(cs_u256_mul(&part, &part, &gas));
	return cs_u256_add(fee, &sum, &part);
}

static enum cs_err remote_of_recipient(struct ledger_call *call, struct cs_hash *remote,
				       struct cs_bytes recipient)
{
	struct cs_bytes chain, account;
	CS_TRY(ledger_split(call, &chain, &account, recipient));
	CS_TRY(ledger_remote_of_chain(call, remote, chain));
	if (cs_hash_is_zero(remote))
		return ledger_revert_plain(call, "RemoteUnknown()");
	return account.n == 0 ? ledger_revert_plain(call, "BadInteroperableAddress()") : CS_OK;
}

/* Terms and fee, the same for a question and for what is sent. */
struct offer {
	struct cs_hash destination;
	struct terms terms;
	struct cs_u256 fee;
};

static enum cs_err make_offer(struct ledger_call *call, struct offer *offer,
			      const struct asked *asked, const struct cs_u256 *payload_size)
{
	struct gateway_route route;
	CS_TRY(remote_of_recipient(call, &offer->destination, asked->recipient));
	CS_TRY(gateway_route_get(call, &route, &offer->destination));
	CS_TRY(agree(call, &offer->terms, &route, payload_size, asked));
	return reckon(&offer->fee, &route, payload_size, offer->terms.min_gas_limit);
}

/* The fee of a message, to the unit. Reverts as sendMessage would. */
enum cs_err gateway_quote(struct ledger_call *call, struct cs_abi_reader *in, struct cs_abi *out)
{
	struct asked asked;
	struct offer offer;
	struct cs_u256 payload_size;
	CS_TRY(cs_abi_get_bytes(in, call->input.n, &asked.recipient));
	CS_TRY(cs_abi_get_u256(in, &payload_size));
	CS_TRY(cs_abi_get_bytes_array(in, LEDGER_ATTRIBUTES_MAX, LEDGER_ATTRIBUTE_SIZE_MAX,
				      asked.attributes, &asked.attribute_count));
	CS_TRY(make_offer(call, &offer, &asked, &payload_size));
	cs_abi_put_u256(out, &offer.fee);
	return CS_OK;
}

/* ---- sending ---- */

static enum cs_err emit_sent(struct ledger_call *call, const struct cs_hash *id,
			     const struct asked *asked, struct cs_bytes sender,
			     struct cs_bytes payload)
{
	struct cs_buf buf;
	struct cs_abi abi;
	struct cs_hash topics[] = {
		cs_abi_topic("MessageSent(bytes32,bytes,bytes,bytes,uint256,bytes[])"), *id};
	size_t slots[LEDGER_ATTRIBUTES_MAX];
	/* Five words of the head and four lengths; of each attribute its offset and length; and
	 * padding of each. */
	size_t size = 32 * (5 + 4) + sender.n + asked->recipient.n + payload.n + 3 * 31;
	for (size_t i = 0; i < asked->attribute_count; i++)
		size += 32 * 2 + asked->attributes[i].n + 31;
	CS_TRY(cs_buf_init_arena(&buf, call->arena, size));
	cs_abi_init(&abi, &buf);
	size_t slot_sender = cs_abi_slot(&abi), slot_recipient = cs_abi_slot(&abi);
	size_t slot_payload = cs_abi_slot(&abi);
	cs_abi_put_u64(&abi, 0); /* value that the message carries: none */
	size_t slot_attributes = cs_abi_slot(&abi);
	cs_abi_put_bytes(&abi, slot_sender, sender);
	cs_abi_put_bytes(&abi, slot_recipient, asked->recipient);
	cs_abi_put_bytes(&abi, slot_payload, payload);
	cs_abi_enter_array(&abi, slot_attributes, asked->attribute_count);
	for (size_t i = 0; i < asked->attribute_count; i++)
		slots[i] = cs_abi_slot(&abi);
	for (size_t i = 0; i < asked->attribute_count; i++)
		cs_abi_put_bytes(&abi, slots[i], asked->attributes[i]);
	cs_abi_leave(&abi);
	CS_TRY(cs_buf_end(&buf));
	return ledger_emit(call, topics, CS_LEN(topics), cs_buf_view(&buf));
}

static enum cs_err emit_committed(struct ledger_call *call, const struct cs_hash *id,
				  const struct wire_message_head *head)
{
	return ledger_emit_words(
		call,
		"MessageCommitted(bytes32,bytes32,uint64,uint64,uint64,bytes32,bytes32,uint8)",
		LEDGER_WORDS(*id, head->destination),
		LEDGER_WORDS(ledger_word_u64(head->sequence), ledger_word_u64(head->deadline),
			     ledger_word_u64(head->min_gas_limit), head->closer, head->refund_to,
			     ledger_word_u64(head->finality)));
}

/* The next sequence to the destination, and its remote's index. */
static enum cs_err take_sequence(struct ledger_call *call, uint64_t *sequence, uint32_t *index,
				 const struct cs_hash *destination)
{
	struct ledger_remote remote;
	CS_TRY(ledger_remote_get(call, &remote, destination));
	if (remote.sequence == UINT64_MAX)
		return CS_ERR_OVERFLOW;
	remote.sequence++;
	CS_TRY(ledger_remote_put(call, destination, &remote));
	*sequence = remote.sequence;
	*index = remote.index;
	return CS_OK;
}

static enum cs_err commit(struct ledger_call *call, struct cs_hash *id, const struct offer *offer,
			  const struct asked *asked, struct cs_bytes payload)
{
	uint8_t memory[CS_INTEROP_SIZE_MAX];
	struct cs_buf sender;
	struct ledger_self self;
	struct gateway_sent sent = {.sender = call->sender, .status = WIRE_STATUS_NONE};
	struct wire_message message = {.recipient = asked->recipient, .payload = payload};
	CS_TRY(ledger_self_get(call, &self));
	cs_buf_init(&sender, memory, sizeof memory);
	CS_TRY(gateway_account(&sender, &self, &call->sender));
	message.sender = cs_buf_view(&sender);
	message.head = (struct wire_message_head){.source = self.identity,
						  .destination = offer->destination,
						  .deadline = offer->terms.deadline_s,
						  .min_gas_limit = offer->terms.min_gas_limit,
						  .closer = offer->terms.closer,
						  .refund_to = offer->terms.refund_to,
						  .finality = offer->terms.finality};
	CS_TRY(take_sequence(call, &message.head.sequence, &sent.remote, &offer->destination));
	CS_TRY(ledger_use_gas(call, 5 * LEDGER_GAS_HASH));
	wire_message_seal(&message);
	*id = wire_message_id(&message.head);
	CS_TRY(gateway_sent_put(call, id, &sent));
	CS_TRY(emit_sent(call, id, asked, message.sender, payload));
	return emit_committed(call, id, &message.head);
}

enum cs_err gateway_send(struct ledger_call *call, struct cs_abi_reader *in, struct cs_abi *out)
{
	struct asked asked;
	struct offer offer;
	struct cs_bytes payload;
	struct cs_hash id;
	/* Bounded by the calldata alone: a longer one is told by its error. */
	CS_TRY(cs_abi_get_bytes(in, call->input.n, &asked.recipient));
	CS_TRY(cs_abi_get_bytes(in, call->input.n, &payload));
	CS_TRY(cs_abi_get_bytes_array(in, LEDGER_ATTRIBUTES_MAX, LEDGER_ATTRIBUTE_SIZE_MAX,
				      asked.attributes, &asked.attribute_count));
	CS_TRY(ledger_not_paused(call));
	const struct cs_u256 payload_size = cs_u256_u64(payload.n);
	CS_TRY(make_offer(call, &offer, &asked, &payload_size));
	if (cs_u256_cmp(&call->value, &offer.fee) != 0) {
		const struct cs_hash fee = cs_u256_word(&offer.fee);
		return ledger_revert(call, "FeeNotExact(uint256)", &fee, 1);
	}
	CS_TRY(commit(call, &id, &offer, &asked, payload));
	cs_abi_put_word(out, &id);
	return CS_OK;
}
