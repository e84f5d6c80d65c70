#include "relay_state/client/calls.h"

#include "core/abi.h"

#define RECORD "(bytes32,bytes32,bytes32,uint8,uint8,uint8,uint8,uint64,bytes32,bytes32,bytes32)"

/* ---- calls ---- */

static void put_record(struct cs_abi *abi, const struct ledger_record *record)
{
	cs_abi_put_word(abi, &record->message_id);
	cs_abi_put_word(abi, &record->source);
	cs_abi_put_word(abi, &record->destination);
	cs_abi_put_u64(abi, record->side);
	cs_abi_put_u64(abi, record->index);
	cs_abi_put_u64(abi, record->from);
	cs_abi_put_u64(abi, record->event);
	cs_abi_put_u64(abi, record->height);
	cs_abi_put_word(abi, &record->block);
	cs_abi_put_word(abi, &record->tx);
	cs_abi_put_word(abi, &record->digest);
}

void ledger_call_record(struct cs_buf *buf, const struct ledger_record *records, size_t count)
{
	struct cs_abi abi;

	cs_assert(count > 0 && count <= LEDGER_RECORDS_BATCH_MAX);
	cs_abi_call(&abi, buf, "record(" RECORD "[])");
	cs_abi_enter_array(&abi, cs_abi_slot(&abi), count);
	for (size_t i = 0; i < count; i++)
		put_record(&abi, &records[i]);
	cs_abi_leave(&abi);
}

static void put_route(struct cs_abi *abi, const struct ledger_route *route)
{
	cs_abi_put_word(abi, &route->source);
	cs_abi_put_word(abi, &route->destination);
	cs_abi_put_u64(abi, route->side);
}

void ledger_call_take_lease(struct cs_buf *buf, const struct ledger_route *route, uint64_t seconds)
{
	struct cs_abi abi;

	cs_abi_call(&abi, buf, "takeLease(bytes32,bytes32,uint8,uint64)");
	put_route(&abi, route);
	cs_abi_put_u64(&abi, seconds);
}

void ledger_call_renew_lease(struct cs_buf *buf, const struct ledger_route *route, uint64_t fencing,
			     uint64_t seconds)
{
	struct cs_abi abi;

	cs_abi_call(&abi, buf, "renewLease(bytes32,bytes32,uint8,uint64,uint64)");
	put_route(&abi, route);
	cs_abi_put_u64(&abi, fencing);
	cs_abi_put_u64(&abi, seconds);
}

void ledger_call_release_lease(struct cs_buf *buf, const struct ledger_route *route,
			       uint64_t fencing)
{
	struct cs_abi abi;

	cs_abi_call(&abi, buf, "releaseLease(bytes32,bytes32,uint8,uint64)");
	put_route(&abi, route);
	cs_abi_put_u64(&abi, fencing);
}

/* ---- questions ---- */

static void begin_view(struct cs_abi *abi, struct cs_buf *buf, const char *signature)
{
	static const struct cs_address nobody;
	const struct cs_address to = ledger_contract_address(LEDGER_RECORDS_NUMBER);

	cs_put(buf, CS_BYTES_OF(nobody.b));
	cs_put(buf, CS_BYTES_OF(to.b));
	cs_abi_call(abi, buf, signature);
}

void ledger_view_lease(struct cs_buf *buf, const struct ledger_route *route)
{
	struct cs_abi abi;

	begin_view(&abi, buf, "leaseOf(bytes32,bytes32,uint8)");
	put_route(&abi, route);
}

void ledger_view_gateway(struct cs_buf *buf, const struct cs_address *account,
			 const struct cs_hash *identity)
{
	struct cs_abi abi;

	begin_view(&abi, buf, "isGateway(address,bytes32)");
	cs_abi_put_address(&abi, account);
	cs_abi_put_word(&abi, identity);
}

void ledger_view_message(struct cs_buf *buf, const struct cs_hash *message_id, uint8_t side)
{
	struct cs_abi abi;

	begin_view(&abi, buf, "messageOf(bytes32,uint8)");
	cs_abi_put_word(&abi, message_id);
	cs_abi_put_u64(&abi, side);
}

void ledger_view_record(struct cs_buf *buf, const struct cs_hash *message_id, uint8_t side,
			uint8_t index)
{
	struct cs_abi abi;

	begin_view(&abi, buf, "recordOf(bytes32,uint8,uint8)");
	cs_abi_put_word(&abi, message_id);
	cs_abi_put_u64(&abi, side);
	cs_abi_put_u64(&abi, index);
}

/* ---- answers ---- */

enum cs_err ledger_read_lease(struct ledger_lease *lease, struct cs_bytes answer)
{
	struct cs_abi_reader in;
	struct ledger_lease read;

	CS_TRY(cs_abi_read(&in, answer, 3));
	CS_TRY(cs_abi_get_address(&in, &read.holder));
	CS_TRY(cs_abi_get_u64(&in, &read.until_s));
	CS_TRY(cs_abi_get_u64(&in, &read.fencing));
	CS_TRY(cs_abi_end(&in));
	*lease = read;
	return CS_OK;
}

enum cs_err ledger_read_bool(bool *is, struct cs_bytes answer)
{
	struct cs_abi_reader in;
	bool read;

	CS_TRY(cs_abi_read(&in, answer, 1));
	CS_TRY(cs_abi_get_bool(&in, &read));
	CS_TRY(cs_abi_end(&in));
	*is = read;
	return CS_OK;
}

enum cs_err ledger_read_history(struct ledger_history *history, struct cs_bytes answer)
{
	struct cs_abi_reader in;
	struct ledger_history read;

	CS_TRY(cs_abi_read(&in, answer, 5));
	CS_TRY(cs_abi_get_u8(&in, &read.state));
	CS_TRY(cs_abi_get_u8(&in, &read.count));
	CS_TRY(cs_abi_get_u8(&in, &read.conflicts));
	CS_TRY(cs_abi_get_word(&in, &read.source));
	CS_TRY(cs_abi_get_word(&in, &read.destination));
	CS_TRY(cs_abi_end(&in));
	if (read.count > LEDGER_RECORDS_PER_SIDE_MAX || read.state >= RELAY_STATE_END ||
	    (read.state == RELAY_STATE_NONE) != (read.count == 0))
		return CS_ERR_INVALID;
	*history = read;
	return CS_OK;
}

enum cs_err ledger_read_same(bool *same, struct cs_bytes answer, const struct ledger_record *record)
{
	struct cs_abi_reader in;
	struct ledger_record read;
	struct cs_hash reporter;
	uint64_t time_s;
	uint8_t to, kind;

	CS_TRY(cs_abi_read(&in, answer, 10));
	CS_TRY(cs_abi_get_u8(&in, &read.from));
	CS_TRY(cs_abi_get_u8(&in, &read.event));
	CS_TRY(cs_abi_get_u8(&in, &to));
	CS_TRY(cs_abi_get_u64(&in, &read.height));
	CS_TRY(cs_abi_get_word(&in, &read.block));
	CS_TRY(cs_abi_get_word(&in, &read.tx));
	CS_TRY(cs_abi_get_word(&in, &read.digest));
	CS_TRY(cs_abi_get_u8(&in, &kind));
	CS_TRY(cs_abi_get_word(&in, &reporter));
	CS_TRY(cs_abi_get_u64(&in, &time_s));
	CS_TRY(cs_abi_end(&in));
	/* No record at all is zeros, which lead nowhere. */
	*same = to != RELAY_STATE_NONE && read.from == record->from &&
		read.event == record->event && read.height == record->height &&
		cs_hash_eq(&read.block, &record->block) && cs_hash_eq(&read.tx, &record->tx) &&
		cs_hash_eq(&read.digest, &record->digest);
	return CS_OK;
}
