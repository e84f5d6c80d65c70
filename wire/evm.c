/* Section 5 of docs/protocol/envelope.md: storage, events and calls of the EVM gateway. */
#include "core/abi.h"
#include "core/caip.h"
#include "wire/envelope.h"

#include <string.h>

#define SLOT_SENTINEL 0u
#define SLOT_STATUSES 1u
#define SLOT_KEYS 2u
#define SLOT_SENT 3u
/* Statuses of two bits in a word of 256. */
#define STATUSES_LOG2 7u

#define STATEMENT "(uint64,uint64,uint256,uint256,uint256,bytes32[])"
#define MESSAGE "(uint64,uint64,uint64,uint8,bytes32,bytes32,address,bytes,bytes)"
#define OUTCOME "(bytes32,uint8)"

static const char *const signatures[WIRE_CALL_COUNT] = {
	[WIRE_CALL_DELIVER] = "deliver(bytes32," STATEMENT "," MESSAGE "[])",
	[WIRE_CALL_RETRY] = "retry(bytes32," STATEMENT "," MESSAGE ")",
	[WIRE_CALL_CLOSE] = "close(bytes32," STATEMENT "," MESSAGE ")",
	[WIRE_CALL_EXPIRE] = "expire(bytes32," STATEMENT "," MESSAGE "[])",
	[WIRE_CALL_FINALIZE] = "finalize(bytes32," STATEMENT "," OUTCOME "[])",
	[WIRE_CALL_ANNOUNCE_ROTATION] = "announceRotation(bytes32," STATEMENT ",uint64,bytes32)",
};

/* Where Solidity keeps the value of a key in a mapping: keccak-256 of key and slot. */
static struct cs_hash mapping(const struct cs_hash *key, const struct cs_hash *slot)
{
	struct cs_keccak row;
	cs_keccak_init(&row);
	cs_keccak_add(&row, CS_BYTES_OF(key->b));
	cs_keccak_add(&row, CS_BYTES_OF(slot->b));
	return cs_keccak_end(&row);
}

static struct cs_hash word_u64(uint64_t value)
{
	struct cs_hash word = {{0}};
	cs_put_be64(word.b + 24, value);
	return word;
}

struct cs_hash wire_evm_sentinel_slot(void)
{
	return word_u64(SLOT_SENTINEL);
}

struct cs_hash wire_evm_sentinel_value(const struct cs_hash *own)
{
	return mapping(wire_tag(WIRE_TAG_LAYOUT_EVM), own);
}

struct cs_hash wire_evm_status_slot(const struct cs_hash *source, uint64_t sequence)
{
	struct cs_hash slot = word_u64(SLOT_STATUSES), word = word_u64(sequence >> STATUSES_LOG2);
	struct cs_hash inner = mapping(source, &slot);
	return mapping(&word, &inner);
}

enum wire_status wire_evm_status(const struct cs_hash *word, uint64_t sequence)
{
	unsigned bit = 2 * (unsigned)(sequence & ((1u << STATUSES_LOG2) - 1));
	return (enum wire_status)(word->b[31 - bit / 8] >> bit % 8 & 3);
}

struct cs_hash wire_evm_key_slot(const struct cs_hash *remote, uint64_t epoch, unsigned word)
{
	struct cs_hash slot = word_u64(SLOT_KEYS), number = word_u64(epoch);
	struct cs_hash inner = mapping(remote, &slot);
	struct cs_hash base = mapping(&number, &inner);
	for (size_t i = sizeof base.b; word != 0 && i-- > 0;) {
		unsigned sum = base.b[i] + (word & 0xff);
		base.b[i] = (uint8_t)sum;
		word = (word >> 8) + (sum >> 8);
	}
	return base;
}

struct cs_hash wire_evm_sent_slot(const struct cs_hash *message_id)
{
	struct cs_hash slot = word_u64(SLOT_SENT);
	return mapping(message_id, &slot);
}

enum cs_err wire_evm_key(struct wire_key *out, const struct cs_hash words[WIRE_EVM_KEY_WORDS])
{
	const uint8_t *window = words[1].b;
	for (size_t i = 0; i < 15; i++) {
		if (window[i] != 0)
			return CS_ERR_MALFORMED;
	}
	if (window[31] > WIRE_KEY_REVOKED)
		return CS_ERR_MALFORMED;
	*out = (struct wire_key){.x = words[0],
				 .state = (enum wire_key_state)window[31],
				 .not_before_s = cs_be64(window + 23),
				 .not_after_s = cs_be64(window + 15)};
	return CS_OK;
}

struct cs_hash wire_evm_topic_message_sent(void)
{
	return cs_abi_topic("MessageSent(bytes32,bytes,bytes,bytes,uint256,bytes[])");
}

struct cs_hash wire_evm_topic_message_committed(void)
{
	return cs_abi_topic(
		"MessageCommitted(bytes32,bytes32,uint64,uint64,uint64,bytes32,bytes32,uint8)");
}

struct cs_hash wire_evm_topic_message_status(void)
{
	return cs_abi_topic("MessageStatus(bytes32,bytes32,uint64,uint8)");
}

struct cs_hash wire_evm_topic_message_finalized(void)
{
	return cs_abi_topic("MessageFinalized(bytes32,bytes32,uint8)");
}

/* The first two arguments of every call; slots of what follows are the caller's. */
static size_t begin(struct cs_abi *abi, struct cs_buf *buf, enum wire_call call,
		    const struct wire_signed *statement)
{
	cs_abi_call(abi, buf, signatures[call]);
	cs_abi_put_word(abi, &statement->statement.signer);
	return cs_abi_slot(abi);
}

static void put_statement(struct cs_abi *abi, size_t slot, const struct wire_signed *statement)
{
	cs_assert(statement->path_count <= CS_PATH_MAX);
	cs_abi_enter(abi, slot);
	cs_abi_put_u64(abi, statement->statement.epoch);
	cs_abi_put_u64(abi, statement->statement.manifest_number);
	cs_abi_put_word(abi, &statement->signature.rx);
	cs_abi_put_word(abi, &statement->signature.ry);
	cs_abi_put_word(abi, &statement->signature.s);
	cs_abi_enter_array(abi, cs_abi_slot(abi), statement->path_count);
	for (size_t i = 0; i < statement->path_count; i++)
		cs_abi_put_word(abi, &statement->path[i]);
	cs_abi_leave(abi);
	cs_abi_leave(abi);
}

static void put_message(struct cs_abi *abi, size_t slot, const struct wire_message *message,
			const struct cs_address *recipient)
{
	const struct wire_message_head *head = &message->head;
	cs_abi_enter(abi, slot);
	cs_abi_put_u64(abi, head->sequence);
	cs_abi_put_u64(abi, head->deadline);
	cs_abi_put_u64(abi, head->min_gas_limit);
	cs_abi_put_u64(abi, head->finality);
	cs_abi_put_word(abi, &head->closer);
	cs_abi_put_word(abi, &head->refund_to);
	cs_abi_put_address(abi, recipient);
	size_t sender = cs_abi_slot(abi);
	size_t payload = cs_abi_slot(abi);
	cs_abi_put_bytes(abi, sender, message->sender);
	cs_abi_put_bytes(abi, payload, message->payload);
	cs_abi_leave(abi);
}

/* The contract takes every message's source from the call: one that has another would get another
 * messageId there. */
static enum cs_err recipient_of(struct cs_address *out, const struct wire_message *message,
				const struct wire_signed *statement)
{
	struct cs_account recipient;
	if (!cs_hash_eq(&message->head.source, &statement->statement.signer))
		return CS_ERR_INVALID;
	CS_TRY(cs_interop_account(&recipient, message->recipient));
	*out = recipient.address;
	return CS_OK;
}

enum cs_err wire_evm_call_messages(struct cs_buf *buf, enum wire_call call,
				   const struct wire_signed *statement,
				   const struct wire_message *messages, size_t count)
{
	struct cs_abi abi;
	struct cs_address recipients[CS_BATCH_MAX];
	bool many = call == WIRE_CALL_DELIVER || call == WIRE_CALL_EXPIRE;
	cs_assert(many || call == WIRE_CALL_RETRY || call == WIRE_CALL_CLOSE);
	if (count < 1 || count > (many ? CS_BATCH_MAX : 1))
		return CS_ERR_INVALID;
	for (size_t i = 0; i < count; i++)
		CS_TRY(recipient_of(&recipients[i], &messages[i], statement));

	size_t slots[CS_BATCH_MAX];
	size_t slot_statement = begin(&abi, buf, call, statement);
	size_t slot_messages = cs_abi_slot(&abi);
	put_statement(&abi, slot_statement, statement);
	if (!many) {
		put_message(&abi, slot_messages, messages, recipients);
		return cs_buf_end(buf);
	}
	cs_abi_enter_array(&abi, slot_messages, count);
	for (size_t i = 0; i < count; i++)
		slots[i] = cs_abi_slot(&abi);
	for (size_t i = 0; i < count; i++)
		put_message(&abi, slots[i], &messages[i], &recipients[i]);
	cs_abi_leave(&abi);
	return cs_buf_end(buf);
}

size_t wire_evm_call_messages_size(const struct wire_signed *statement,
				   const struct wire_message *messages, size_t count)
{
	/* Selector; three arguments, the statement's six and its count, the count of messages; a
	 * slot, nine members and two lengths a message, its two byte strings padded. */
	size_t size = 4 + 32 * (3 + 7 + statement->path_count + 1);
	for (size_t i = 0; i < count; i++)
		size += 32 * (1 + 9 + 2) + (messages[i].sender.n + 31) / 32 * 32 +
			(messages[i].payload.n + 31) / 32 * 32;
	return size;
}

enum cs_err wire_evm_call_finalize(struct cs_buf *buf, const struct wire_signed *statement,
				   const struct wire_outcome *outcomes, size_t count)
{
	struct cs_abi abi;
	if (count < 1 || count > CS_BATCH_MAX)
		return CS_ERR_INVALID;
	size_t slot_statement = begin(&abi, buf, WIRE_CALL_FINALIZE, statement);
	size_t slot_outcomes = cs_abi_slot(&abi);
	put_statement(&abi, slot_statement, statement);
	cs_abi_enter_array(&abi, slot_outcomes, count);
	for (size_t i = 0; i < count; i++) {
		cs_abi_put_word(&abi, &outcomes[i].message_id);
		cs_abi_put_u64(&abi, outcomes[i].status);
	}
	cs_abi_leave(&abi);
	return cs_buf_end(buf);
}

enum cs_err wire_evm_call_announce_rotation(struct cs_buf *buf, const struct wire_signed *statement,
					    uint64_t new_epoch, const struct cs_hash *new_key)
{
	struct cs_abi abi;
	size_t slot_statement = begin(&abi, buf, WIRE_CALL_ANNOUNCE_ROTATION, statement);
	cs_abi_put_u64(&abi, new_epoch);
	cs_abi_put_word(&abi, new_key);
	put_statement(&abi, slot_statement, statement);
	return cs_buf_end(buf);
}
