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

static void begin_view(struct cs_abi *abi, struct cs_buf *buf, uint8_t contract,
		       const char *signature)
{
	static const struct cs_address nobody;
	const struct cs_address to = ledger_contract_address(contract);

	cs_put(buf, CS_BYTES_OF(nobody.b));
	cs_put(buf, CS_BYTES_OF(to.b));
	cs_abi_call(abi, buf, signature);
}

void ledger_view_lease(struct cs_buf *buf, const struct ledger_route *route)
{
	struct cs_abi abi;

	begin_view(&abi, buf, LEDGER_RECORDS_NUMBER, "leaseOf(bytes32,bytes32,uint8)");
	put_route(&abi, route);
}

void ledger_view_gateway(struct cs_buf *buf, const struct cs_address *account,
			 const struct cs_hash *identity)
{
	struct cs_abi abi;

	begin_view(&abi, buf, LEDGER_RECORDS_NUMBER, "isGateway(address,bytes32)");
	cs_abi_put_address(&abi, account);
	cs_abi_put_word(&abi, identity);
}

void ledger_view_message(struct cs_buf *buf, const struct cs_hash *message_id, uint8_t side)
{
	struct cs_abi abi;

	begin_view(&abi, buf, LEDGER_RECORDS_NUMBER, "messageOf(bytes32,uint8)");
	cs_abi_put_word(&abi, message_id);
	cs_abi_put_u64(&abi, side);
}

void ledger_view_record(struct cs_buf *buf, const struct cs_hash *message_id, uint8_t side,
			uint8_t index)
{
	struct cs_abi abi;

	begin_view(&abi, buf, LEDGER_RECORDS_NUMBER, "recordOf(bytes32,uint8,uint8)");
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

/* ---- the register of enclaves ---- */

void ledger_view_epoch(struct cs_buf *buf, const struct cs_hash *identity)
{
	struct cs_abi abi;

	begin_view(&abi, buf, LEDGER_ENCLAVES_NUMBER, "epochOf(bytes32)");
	cs_abi_put_word(&abi, identity);
}

void ledger_view_key(struct cs_buf *buf, const struct cs_hash *identity, uint64_t epoch)
{
	struct cs_abi abi;

	begin_view(&abi, buf, LEDGER_ENCLAVES_NUMBER, "keyOf(bytes32,uint64)");
	cs_abi_put_word(&abi, identity);
	cs_abi_put_u64(&abi, epoch);
}

void ledger_view_holder(struct cs_buf *buf, const struct cs_hash *x)
{
	struct cs_abi abi;

	begin_view(&abi, buf, LEDGER_ENCLAVES_NUMBER, "holderOf(bytes32)");
	cs_abi_put_word(&abi, x);
}

void ledger_view_enclave(struct cs_buf *buf, const struct cs_hash *enclave)
{
	struct cs_abi abi;

	begin_view(&abi, buf, LEDGER_ENCLAVES_NUMBER, "enclaveOf(bytes32)");
	cs_abi_put_word(&abi, enclave);
}

enum cs_err ledger_read_epoch(uint64_t *epoch, struct cs_bytes answer)
{
	struct cs_abi_reader in;
	uint64_t read;

	CS_TRY(cs_abi_read(&in, answer, 1));
	CS_TRY(cs_abi_get_u64(&in, &read));
	CS_TRY(cs_abi_end(&in));
	*epoch = read;
	return CS_OK;
}

enum cs_err ledger_read_key(struct wire_key *key, struct cs_bytes answer)
{
	struct cs_abi_reader in;
	struct wire_key read;
	uint64_t namers;
	uint8_t state;

	CS_TRY(cs_abi_read(&in, answer, 5));
	CS_TRY(cs_abi_get_word(&in, &read.x));
	CS_TRY(cs_abi_get_u8(&in, &state));
	CS_TRY(cs_abi_get_u64(&in, &read.not_before_s));
	CS_TRY(cs_abi_get_u64(&in, &read.not_after_s));
	CS_TRY(cs_abi_get_u64(&in, &namers));
	CS_TRY(cs_abi_end(&in));
	if (state > WIRE_KEY_REVOKED)
		return CS_ERR_INVALID;
	read.state = (enum wire_key_state)state;
	*key = read;
	return CS_OK;
}

enum cs_err ledger_read_holder(struct ledger_holder *holder, struct cs_bytes answer)
{
	struct cs_abi_reader in;
	struct ledger_holder read;
	struct cs_hash identity;
	struct cs_address gas;
	uint64_t epoch;
	uint8_t role;

	CS_TRY(cs_abi_read(&in, answer, 6));
	CS_TRY(cs_abi_get_word(&in, &read.enclave));
	CS_TRY(cs_abi_get_word(&in, &identity));
	CS_TRY(cs_abi_get_u64(&in, &epoch));
	CS_TRY(cs_abi_get_u8(&in, &role));
	CS_TRY(cs_abi_get_address(&in, &gas));
	CS_TRY(cs_abi_get_bool(&in, &read.active));
	CS_TRY(cs_abi_end(&in));
	*holder = read;
	return CS_OK;
}

static enum cs_err skip_words(struct cs_abi_reader *in, size_t count)
{
	struct cs_hash word;

	for (size_t i = 0; i < count; i++)
		CS_TRY(cs_abi_get_word(in, &word));
	return CS_OK;
}

/* Thirteen words, as enclave_of of relay_state/ledger/enclaves.c puts them. */
enum cs_err ledger_read_enclave(struct ledger_enclave *enclave, struct cs_bytes answer)
{
	struct cs_abi_reader in;
	struct ledger_enclave read;
	uint8_t state;

	CS_TRY(cs_abi_read(&in, answer, 13));
	CS_TRY(cs_abi_get_u8(&in, &state));
	CS_TRY(skip_words(&in, 5)); /* role, measurement, lineage, manifest: number, hash */
	CS_TRY(cs_abi_get_u8(&in, &read.evidence_kind));
	CS_TRY(skip_words(&in, 2)); /* its digest, when it was registered */
	CS_TRY(cs_abi_get_u64(&in, &read.expires_s));
	CS_TRY(skip_words(&in, 3)); /* when it was revoked, bond, bonder */
	CS_TRY(cs_abi_end(&in));
	if (state > LEDGER_ENCLAVE_REVOKED || read.expires_s > INT64_MAX)
		return CS_ERR_INVALID;
	read.state = (enum ledger_enclave_state)state;
	*enclave = read;
	return CS_OK;
}
