#include "oracle/calls.h"

#include "core/abi.h"

#define STATEMENT "(uint64,uint64,uint256,uint256,uint256,bytes32[])"
#define REQUEST \
	"(uint64,address,bytes32,bytes32,bytes32,address,uint64,uint256,uint64,uint64,uint64)"
#define ANSWER "(" REQUEST ",uint8,uint64,bytes32,bytes)"
#define FEED_VALUE "(uint64,uint64,bytes32,bytes32,int256)"

/* The words of a request. */
static void put_request(struct cs_abi *abi, const struct wire_request *head)
{
	cs_abi_put_u64(abi, head->counter);
	cs_abi_put_word(abi, &head->asker);
	cs_abi_put_word(abi, &head->spec_hash);
	cs_abi_put_word(abi, &head->arguments_hash);
	cs_abi_put_word(abi, &head->secrets_hash);
	cs_abi_put_word(abi, &head->callback);
	cs_abi_put_u64(abi, head->callback_gas);
	cs_abi_put_u256(abi, &head->fee);
	cs_abi_put_u64(abi, head->max_age);
	cs_abi_put_u64(abi, head->time);
	cs_abi_put_u64(abi, head->deadline);
}

static void put_statement(struct cs_abi *abi, size_t slot, const struct wire_signed *st)
{
	cs_assert(st->path_count <= CS_PATH_MAX);
	cs_abi_enter(abi, slot);
	cs_abi_put_u64(abi, st->statement.epoch);
	cs_abi_put_u64(abi, st->statement.manifest_number);
	cs_abi_put_word(abi, &st->signature.rx);
	cs_abi_put_word(abi, &st->signature.ry);
	cs_abi_put_word(abi, &st->signature.s);
	cs_abi_enter_array(abi, cs_abi_slot(abi), st->path_count);
	for (size_t i = 0; i < st->path_count; i++)
		cs_abi_put_word(abi, &st->path[i]);
	cs_abi_leave(abi);
	cs_abi_leave(abi);
}

static void put_answer(struct cs_abi *abi, size_t slot, const struct oracle_fulfil_item *item)
{
	cs_abi_enter(abi, slot);
	put_request(abi, item->head);
	cs_abi_put_u64(abi, item->code);
	cs_abi_put_u64(abi, item->observed_at);
	cs_abi_put_word(abi, &item->evidence_hash);
	cs_abi_put_bytes(abi, cs_abi_slot(abi), item->value);
	cs_abi_leave(abi);
}

enum cs_err oracle_call_fulfil(struct cs_buf *buf, const struct wire_signed *st,
			       const struct oracle_fulfil_item *items, size_t count)
{
	size_t slots[ORACLE_CALL_ITEMS_MAX];
	struct cs_abi abi;

	if (count < 1 || count > ORACLE_CALL_ITEMS_MAX)
		return CS_ERR_INVALID;
	cs_abi_call(&abi, buf, "fulfil(bytes32," STATEMENT "," ANSWER "[])");
	cs_abi_put_word(&abi, &st->statement.signer);
	size_t slot_statement = cs_abi_slot(&abi);
	size_t slot_answers = cs_abi_slot(&abi);
	put_statement(&abi, slot_statement, st);
	cs_abi_enter_array(&abi, slot_answers, count);
	for (size_t i = 0; i < count; i++)
		slots[i] = cs_abi_slot(&abi);
	for (size_t i = 0; i < count; i++)
		put_answer(&abi, slots[i], &items[i]);
	cs_abi_leave(&abi);
	return cs_buf_end(buf);
}

size_t oracle_call_fulfil_size(const struct wire_signed *st, const struct oracle_fulfil_item *items,
			       size_t count)
{
	/* Selector; three arguments, the statement's six and its count, the count of answers; a slot,
	 * fifteen members and a length an answer, its value padded. */
	size_t size = 4 + 32 * (3 + 7 + st->path_count + 1);

	for (size_t i = 0; i < count; i++)
		size += 32 * (1 + 15 + 1) + (items[i].value.n + 31) / 32 * 32;
	return size;
}

enum cs_err oracle_call_submit(struct cs_buf *buf, const struct wire_signed *st,
			       const struct oracle_submit_item *items, size_t count)
{
	struct cs_abi abi;

	if (count < 1 || count > ORACLE_CALL_ITEMS_MAX)
		return CS_ERR_INVALID;
	cs_abi_call(&abi, buf, "submit(bytes32," STATEMENT "," FEED_VALUE "[])");
	cs_abi_put_word(&abi, &st->statement.signer);
	size_t slot_statement = cs_abi_slot(&abi);
	size_t slot_values = cs_abi_slot(&abi);
	put_statement(&abi, slot_statement, st);
	cs_abi_enter_array(&abi, slot_values, count);
	for (size_t i = 0; i < count; i++) {
		cs_abi_put_u64(&abi, items[i].index);
		cs_abi_put_u64(&abi, items[i].observed_at);
		cs_abi_put_word(&abi, &items[i].spec_hash);
		cs_abi_put_word(&abi, &items[i].evidence_hash);
		cs_abi_put_word(&abi, &items[i].value);
	}
	cs_abi_leave(&abi);
	return cs_buf_end(buf);
}

#define RECORDED "(bytes32,bytes32,uint8,uint64,bytes32,bytes)"

enum cs_err oracle_call_record(struct cs_buf *buf, const struct wire_signed *st,
			       const struct oracle_record_item *item)
{
	struct cs_abi abi;

	cs_abi_call(&abi, buf, "record(bytes32,bytes32," STATEMENT "," RECORDED "[])");
	cs_abi_put_word(&abi, &st->statement.signer);
	cs_abi_put_word(&abi, &st->statement.receiver);
	size_t slot_statement = cs_abi_slot(&abi);
	size_t slot_answers = cs_abi_slot(&abi);
	put_statement(&abi, slot_statement, st);
	cs_abi_enter_array(&abi, slot_answers, 1);
	cs_abi_enter(&abi, cs_abi_slot(&abi));
	cs_abi_put_word(&abi, &item->request_id);
	cs_abi_put_word(&abi, &item->spec_hash);
	cs_abi_put_u64(&abi, item->code);
	cs_abi_put_u64(&abi, item->observed_at);
	cs_abi_put_word(&abi, &item->evidence_hash);
	cs_abi_put_bytes(&abi, cs_abi_slot(&abi), item->value);
	cs_abi_leave(&abi);
	cs_abi_leave(&abi);
	return cs_buf_end(buf);
}

size_t oracle_call_record_size(const struct wire_signed *st, const struct oracle_record_item *item)
{
	/* Selector; four arguments, the statement's six and its count, the count of answers and a
	 * slot, six members and a length, the value padded. */
	return 4 + 32 * (4 + 7 + st->path_count + 2 + 7) + (item->value.n + 31) / 32 * 32;
}

enum cs_err oracle_call_refund(struct cs_buf *buf, const struct wire_request *head)
{
	struct cs_abi abi;

	cs_abi_call(&abi, buf, "refund(" REQUEST ")");
	put_request(&abi, head);
	return cs_buf_end(buf);
}

enum cs_err oracle_call_state_of(struct cs_buf *buf, const struct cs_hash *request_id)
{
	struct cs_abi abi;

	cs_abi_call(&abi, buf, "stateOf(bytes32)");
	cs_abi_put_word(&abi, request_id);
	return cs_buf_end(buf);
}

enum cs_err oracle_call_read_state(enum oracle_contract_state *state, uint8_t *code,
				   struct cs_bytes returned)
{
	struct cs_abi_reader reader;
	uint8_t number, own_code;

	CS_TRY(cs_abi_read(&reader, returned, 2));
	CS_TRY(cs_abi_get_u8(&reader, &number));
	CS_TRY(cs_abi_get_u8(&reader, &own_code));
	CS_TRY(cs_abi_end(&reader));
	if (number > ORACLE_AT_CONTRACT_REFUNDED)
		return CS_ERR_MALFORMED;
	*state = (enum oracle_contract_state)number;
	*code = own_code;
	return CS_OK;
}
