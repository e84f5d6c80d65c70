#include "core/reader.h"
#include "relay_state/ledger/staking_parts.h"

#include <string.h>

#define KIND_VALIDATOR 'v'
#define KIND_UNBONDINGS 'u'
#define KIND_RECORD 'n'
#define KIND_EPOCH 'e'
#define KIND_TOTALS 't'
#define KIND_SHARES 'd'

#define VALIDATOR_SIZE (32u + 20u + 32u + 8u + 1u)
#define UNBONDING_SIZE (32u + 8u + 8u)
#define RECORD_SIZE (3u * 32u + 5u * 8u + 32u)
#define TOTALS_SIZE (STAKING_TOTALS_COUNT * 32u)
#define SHARES_SIZE (2u * 32u + 6u * 8u)
#define POWER_SIZE (20u + 8u + 4u)

/* ---- forms ---- */

static void put_amount(struct cs_buf *buf, const struct cs_u256 *amount)
{
	const struct cs_hash word = cs_u256_word(amount);
	cs_put_word(buf, &word);
}

static struct cs_u256 get_amount(struct cs_reader *reader)
{
	struct cs_hash word;
	cs_get_copy(reader, word.b, sizeof word.b);
	return cs_u256_from_word(&word);
}

static enum cs_err put(struct ledger_call *call, const struct ledger_key *key,
		       const struct cs_buf *buf)
{
	cs_assert(cs_buf_end(buf) == CS_OK);
	return ledger_put_fixed(call, key, buf->p, buf->n);
}

/* One that was read as far as it goes, or is damaged. */
static enum cs_err end(struct ledger_call *call, const struct cs_reader *reader, char kind)
{
	if (cs_reader_end(reader) == CS_OK)
		return CS_OK;
	return cs_fail(call->why, CS_ERR_DAMAGED, "contract %u: a pair of kind %c does not read",
		       call->number, kind);
}

static enum cs_err open_value(struct ledger_call *call, struct cs_reader *reader,
			      const struct ledger_key *key)
{
	struct cs_bytes value;
	CS_TRY(ledger_get(call, &value, cs_bytes(key->b, key->n)));
	cs_reader_init(reader, value);
	return CS_OK;
}

static struct ledger_key key_of(char kind, const struct cs_address *address)
{
	return ledger_key_of(kind, CS_BYTES_OF(address->b));
}

/* ---- validators ---- */

enum cs_err staking_validator_get(struct ledger_call *call, struct staking_validator *validator,
				  const struct cs_address *address)
{
	const struct ledger_key key = key_of(KIND_VALIDATOR, address);
	struct cs_reader reader;
	struct staking_validator found = {.address = *address};
	CS_TRY(open_value(call, &reader, &key));
	cs_get_copy(&reader, found.key.b, sizeof found.key.b);
	cs_get_copy(&reader, found.operator.b, sizeof found.operator.b);
	found.bonded = get_amount(&reader);
	found.jailed_until_s = cs_get_u64(&reader);
	found.tombstoned = cs_get_u8(&reader) != 0;
	CS_TRY(end(call, &reader, KIND_VALIDATOR));
	*validator = found;
	return CS_OK;
}

enum cs_err staking_validator_put(struct ledger_call *call,
				  const struct staking_validator *validator)
{
	const struct ledger_key key = key_of(KIND_VALIDATOR, &validator->address);
	uint8_t value[VALIDATOR_SIZE];
	struct cs_buf buf;
	cs_buf_init(&buf, value, sizeof value);
	cs_put(&buf, CS_BYTES_OF(validator->key.b));
	cs_put(&buf, CS_BYTES_OF(validator->operator.b));
	put_amount(&buf, &validator->bonded);
	cs_put_u64(&buf, validator->jailed_until_s);
	cs_put_u8(&buf, validator->tombstoned);
	return put(call, &key, &buf);
}

/* ---- what waits ---- */

enum cs_err staking_unbondings_get(struct ledger_call *call, struct staking_unbondings *unbondings,
				   const struct cs_address *address)
{
	const struct ledger_key key = key_of(KIND_UNBONDINGS, address);
	struct cs_reader reader;
	struct staking_unbondings found = {0};
	enum cs_err err = open_value(call, &reader, &key);
	if (err == CS_ERR_NOT_FOUND) {
		*unbondings = found;
		return CS_OK;
	}
	if (err != CS_OK)
		return err;
	while (reader.left > 0 && !reader.failed && found.count < LEDGER_UNBONDINGS_MAX) {
		struct staking_unbonding *item = &found.items[found.count++];
		item->amount = get_amount(&reader);
		item->height = cs_get_u64(&reader);
		item->matures_s = cs_get_u64(&reader);
	}
	CS_TRY(end(call, &reader, KIND_UNBONDINGS));
	*unbondings = found;
	return CS_OK;
}

enum cs_err staking_unbondings_put(struct ledger_call *call,
				   const struct staking_unbondings *unbondings,
				   const struct cs_address *address)
{
	const struct ledger_key key = key_of(KIND_UNBONDINGS, address);
	uint8_t value[LEDGER_UNBONDINGS_MAX * UNBONDING_SIZE];
	struct cs_buf buf;
	if (unbondings->count == 0)
		return ledger_remove(call, cs_bytes(key.b, key.n));
	cs_buf_init(&buf, value, sizeof value);
	for (size_t i = 0; i < unbondings->count; i++) {
		put_amount(&buf, &unbondings->items[i].amount);
		cs_put_u64(&buf, unbondings->items[i].height);
		cs_put_u64(&buf, unbondings->items[i].matures_s);
	}
	return put(call, &key, &buf);
}

/* ---- what a validator earned and did ---- */

static enum cs_err get_record(struct ledger_call *call, struct staking_record *record,
			      const struct ledger_key *key, char kind)
{
	struct cs_reader reader;
	struct staking_record found;
	enum cs_err err = open_value(call, &reader, key);
	if (err == CS_ERR_NOT_FOUND) {
		*record = (struct staking_record){0};
		return CS_OK;
	}
	if (err != CS_OK)
		return err;
	found.owed = get_amount(&reader);
	found.reward_begin = get_amount(&reader);
	found.expected_begin = get_amount(&reader);
	found.blocks_begin = cs_get_u64(&reader);
	found.epoch = cs_get_u64(&reader);
	found.asked = cs_get_u64(&reader);
	found.missed = cs_get_u64(&reader);
	found.proposed = cs_get_u64(&reader);
	found.expected = get_amount(&reader);
	CS_TRY(end(call, &reader, kind));
	*record = found;
	return CS_OK;
}

static enum cs_err put_record(struct ledger_call *call, const struct staking_record *record,
			      const struct ledger_key *key)
{
	uint8_t value[RECORD_SIZE];
	struct cs_buf buf;
	cs_buf_init(&buf, value, sizeof value);
	put_amount(&buf, &record->owed);
	put_amount(&buf, &record->reward_begin);
	put_amount(&buf, &record->expected_begin);
	cs_put_u64(&buf, record->blocks_begin);
	cs_put_u64(&buf, record->epoch);
	cs_put_u64(&buf, record->asked);
	cs_put_u64(&buf, record->missed);
	cs_put_u64(&buf, record->proposed);
	put_amount(&buf, &record->expected);
	return put(call, key, &buf);
}

enum cs_err staking_record_get(struct ledger_call *call, struct staking_record *record,
			       const struct cs_address *address)
{
	const struct ledger_key key = key_of(KIND_RECORD, address);
	return get_record(call, record, &key, KIND_RECORD);
}

enum cs_err staking_record_put(struct ledger_call *call, const struct staking_record *record,
			       const struct cs_address *address)
{
	const struct ledger_key key = key_of(KIND_RECORD, address);
	return put_record(call, record, &key);
}

static struct ledger_key epoch_key(const struct cs_address *address, uint64_t epoch)
{
	struct ledger_key key = key_of(KIND_EPOCH, address);
	ledger_key_add_u32(&key, (uint32_t)(epoch % LEDGER_EPOCHS_KEPT));
	return key;
}

enum cs_err staking_epoch_get(struct ledger_call *call, struct staking_record *record,
			      const struct cs_address *address, uint64_t epoch)
{
	const struct ledger_key key = epoch_key(address, epoch);
	CS_TRY(get_record(call, record, &key, KIND_EPOCH));
	if (record->epoch != epoch)
		*record = (struct staking_record){.epoch = epoch};
	return CS_OK;
}

enum cs_err staking_epoch_put(struct ledger_call *call, const struct staking_record *record,
			      const struct cs_address *address)
{
	const struct ledger_key key = epoch_key(address, record->epoch);
	struct staking_record kept = {.epoch = record->epoch,
				      .asked = record->asked,
				      .missed = record->missed,
				      .proposed = record->proposed,
				      .expected = record->expected};
	return put_record(call, &kept, &key);
}

/* ---- totals and shares ---- */

enum cs_err staking_totals_get(struct ledger_call *call, struct staking_totals *totals)
{
	const struct ledger_key key = ledger_key(KIND_TOTALS);
	struct cs_reader reader;
	struct staking_totals found;
	CS_TRY(open_value(call, &reader, &key));
	found.supply = get_amount(&reader);
	found.bonded = get_amount(&reader);
	found.unbonding = get_amount(&reader);
	found.rewards = get_amount(&reader);
	found.community = get_amount(&reader);
	found.minted = get_amount(&reader);
	found.burnt = get_amount(&reader);
	CS_TRY(end(call, &reader, KIND_TOTALS));
	*totals = found;
	return CS_OK;
}

enum cs_err staking_totals_put(struct ledger_call *call, const struct staking_totals *totals)
{
	const struct ledger_key key = ledger_key(KIND_TOTALS);
	uint8_t value[TOTALS_SIZE];
	struct cs_buf buf;
	cs_buf_init(&buf, value, sizeof value);
	put_amount(&buf, &totals->supply);
	put_amount(&buf, &totals->bonded);
	put_amount(&buf, &totals->unbonding);
	put_amount(&buf, &totals->rewards);
	put_amount(&buf, &totals->community);
	put_amount(&buf, &totals->minted);
	put_amount(&buf, &totals->burnt);
	return put(call, &key, &buf);
}

enum cs_err staking_shares_get(struct ledger_call *call, struct staking_shares *shares)
{
	const struct ledger_key key = ledger_key(KIND_SHARES);
	struct cs_reader reader;
	struct staking_shares found;
	CS_TRY(open_value(call, &reader, &key));
	found.reward = get_amount(&reader);
	found.expected = get_amount(&reader);
	found.reward_rest = cs_get_u64(&reader);
	found.mint_rest = cs_get_u64(&reader);
	found.blocks = cs_get_u64(&reader);
	found.epoch = cs_get_u64(&reader);
	found.epoch_blocks = cs_get_u64(&reader);
	found.time_s = cs_get_u64(&reader);
	CS_TRY(end(call, &reader, KIND_SHARES));
	*shares = found;
	return CS_OK;
}

enum cs_err staking_shares_put(struct ledger_call *call, const struct staking_shares *shares)
{
	const struct ledger_key key = ledger_key(KIND_SHARES);
	uint8_t value[SHARES_SIZE];
	struct cs_buf buf;
	cs_buf_init(&buf, value, sizeof value);
	put_amount(&buf, &shares->reward);
	put_amount(&buf, &shares->expected);
	cs_put_u64(&buf, shares->reward_rest);
	cs_put_u64(&buf, shares->mint_rest);
	cs_put_u64(&buf, shares->blocks);
	cs_put_u64(&buf, shares->epoch);
	cs_put_u64(&buf, shares->epoch_blocks);
	cs_put_u64(&buf, shares->time_s);
	return put(call, &key, &buf);
}

/* ---- lists of powers ---- */

enum cs_err staking_powers_get(struct ledger_call *call, struct staking_powers *powers,
			       enum staking_list list)
{
	const struct ledger_key key = ledger_key((char)list);
	struct cs_reader reader;
	powers->count = 0;
	enum cs_err err = open_value(call, &reader, &key);
	if (err == CS_ERR_NOT_FOUND)
		return CS_OK;
	if (err != CS_OK)
		return err;
	while (reader.left > 0 && !reader.failed && powers->count < LEDGER_SEATS_MAX) {
		struct staking_power *item = &powers->items[powers->count++];
		cs_get_copy(&reader, item->address.b, sizeof item->address.b);
		item->power = cs_get_u64(&reader);
		item->missed = cs_get_u32(&reader);
	}
	return end(call, &reader, (char)list);
}

enum cs_err staking_powers_put(struct ledger_call *call, const struct staking_powers *powers,
			       enum staking_list list)
{
	const struct ledger_key key = ledger_key((char)list);
	uint8_t value[LEDGER_SEATS_MAX * POWER_SIZE];
	struct cs_buf buf;
	if (powers->count == 0)
		return ledger_remove(call, cs_bytes(key.b, key.n));
	cs_buf_init(&buf, value, sizeof value);
	for (size_t i = 0; i < powers->count; i++) {
		cs_put(&buf, CS_BYTES_OF(powers->items[i].address.b));
		cs_put_u64(&buf, powers->items[i].power);
		cs_put_u32(&buf, powers->items[i].missed);
	}
	return put(call, &key, &buf);
}

struct staking_power *staking_powers_find(struct staking_powers *powers,
					  const struct cs_address *address)
{
	for (size_t i = 0; i < powers->count; i++) {
		if (cs_address_eq(&powers->items[i].address, address))
			return &powers->items[i];
	}
	return NULL;
}

void staking_powers_drop(struct staking_powers *powers, struct staking_power *item)
{
	const size_t at = (size_t)(item - powers->items);
	memmove(item, item + 1, (powers->count - at - 1) * sizeof *item);
	powers->count--;
}

bool staking_power_before(const struct staking_power *a, const struct staking_power *b)
{
	if (a->power != b->power)
		return a->power > b->power;
	return memcmp(a->address.b, b->address.b, sizeof a->address.b) < 0;
}

/* ---- the asset ---- */

static enum cs_err damaged(struct ledger_call *call)
{
	return cs_fail(call->why, CS_ERR_DAMAGED, "contract %u: its sums do not agree",
		       call->number);
}

enum cs_err staking_add(struct ledger_call *call, struct cs_u256 *sum, const struct cs_u256 *more)
{
	return cs_u256_add(sum, sum, more) == CS_OK ? CS_OK : damaged(call);
}

enum cs_err staking_sub(struct ledger_call *call, struct cs_u256 *rest, const struct cs_u256 *less)
{
	return cs_u256_sub(rest, rest, less) == CS_OK ? CS_OK : damaged(call);
}

enum cs_err staking_mul(struct ledger_call *call, struct cs_u256 *product, uint64_t factor)
{
	const struct cs_u256 wide = cs_u256_u64(factor);
	return cs_u256_mul(product, product, &wide) == CS_OK ? CS_OK : damaged(call);
}

enum cs_err staking_pay(struct ledger_call *call, const struct cs_address *to,
			const struct cs_u256 *amount)
{
	bool moved = false;
	if (cs_u256_is_zero(amount))
		return CS_OK;
	CS_TRY(ledger_move(call, &moved, &call->address, to, amount));
	return moved ? CS_OK : damaged(call);
}
