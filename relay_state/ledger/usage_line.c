#include "relay_state/ledger/usage_line.h"

#include <string.h>

#define KIND_STATEMENT 'a'
#define KIND_PRUNED 'q'
#define SECONDS_OF_DAY 86400u
/* Proleptic Gregorian days, counted from 1 March of year 0. */
#define DAYS_TO_1970 719468u
#define DAYS_OF_ERA 146097u
#define YEARS_OF_ERA 400u
#define YEAR_MAX 9999u

/* ---- what is signed ---- */

static void add_word(struct cs_keccak *keccak, const struct cs_hash *word)
{
	cs_keccak_add(keccak, CS_BYTES_OF(word->b));
}

static void add_u64(struct cs_keccak *keccak, uint64_t value)
{
	const struct cs_u256 wide = cs_u256_u64(value);
	const struct cs_hash word = cs_u256_word(&wide);
	add_word(keccak, &word);
}

static void add_u256(struct cs_keccak *keccak, const struct cs_u256 *value)
{
	const struct cs_hash word = cs_u256_word(value);
	add_word(keccak, &word);
}

static void add_address(struct cs_keccak *keccak, const struct cs_address *address)
{
	static const uint8_t zeros[12];
	cs_keccak_add(keccak, CS_BYTES_OF(zeros));
	cs_keccak_add(keccak, CS_BYTES_OF(address->b));
}

struct cs_hash ledger_usage_digest(const struct ledger_usage_record *record,
				   const struct cs_hash *chain, bool insecure)
{
	const struct cs_hash domain = cs_keccak256(cs_bytes_str(
		insecure ? "caisson/usage/record/v1/insecure" : "caisson/usage/record/v1"));
	const struct cs_hash purpose = cs_keccak256(record->purpose);
	struct cs_keccak keccak;
	cs_keccak_init(&keccak);
	add_word(&keccak, &domain);
	add_word(&keccak, chain);
	add_word(&keccak, &record->data_hash);
	add_address(&keccak, &record->provider);
	add_address(&keccak, &record->consumer);
	add_word(&keccak, &purpose);
	add_word(&keccak, &record->enclave);
	add_word(&keccak, &record->metric);
	add_u256(&keccak, &record->quantity);
	add_u256(&keccak, &record->price);
	add_u64(&keccak, record->observed_s);
	add_u64(&keccak, record->nonce);
	return cs_keccak_end(&keccak);
}

enum cs_err ledger_usage_amount(struct cs_u256 *amount, const struct cs_u256 *quantity,
				const struct cs_u256 *price, unsigned decimals)
{
	struct cs_u256 product, scale = cs_u256_u64(1), rest;
	const struct cs_u256 ten = cs_u256_u64(10);
	cs_assert(decimals <= LEDGER_USAGE_DECIMALS_MAX);
	for (unsigned i = 0; i < decimals + LEDGER_USAGE_PRICE_DECIMALS; i++)
		CS_TRY(cs_u256_mul(&scale, &scale, &ten));
	CS_TRY(cs_u256_mul(&product, quantity, price));
	cs_u256_div(amount, &rest, &product, &scale);
	return CS_OK;
}

/* ---- lines ---- */

static void put_u256(struct cs_buf *buf, const struct cs_u256 *value)
{
	const struct cs_hash word = cs_u256_word(value);
	cs_put_word(buf, &word);
}

static void put_charge(struct cs_buf *buf, const struct ledger_usage_line *line)
{
	const struct ledger_usage_record *record = &line->record;
	cs_assert(record->purpose.n <= LEDGER_USAGE_PURPOSE_SIZE_MAX);
	cs_put_u8(buf, line->decimals);
	cs_put_word(buf, &record->data_hash);
	cs_put_word(buf, &record->metric);
	put_u256(buf, &record->quantity);
	put_u256(buf, &record->price);
	cs_put_u64(buf, record->observed_s);
	cs_put(buf, CS_BYTES_OF(record->signature));
	cs_put_u8(buf, (uint8_t)record->purpose.n);
	cs_put(buf, record->purpose);
}

void ledger_usage_line_encode(struct cs_buf *buf, const struct ledger_usage_line *line)
{
	cs_put_u8(buf, (uint8_t)line->kind);
	cs_put_u64(buf, line->height);
	cs_put_u64(buf, line->time_s);
	put_u256(buf, &line->amount);
	cs_put_word(buf, &line->record.enclave);
	cs_put_u64(buf, line->record.nonce);
	cs_put(buf, CS_BYTES_OF(line->record.provider.b));
	cs_put(buf, CS_BYTES_OF(line->record.consumer.b));
	switch (line->kind) {
	case LEDGER_USAGE_CHARGE:
		put_charge(buf, line);
		return;
	case LEDGER_USAGE_CREDIT:
		cs_put(buf, CS_BYTES_OF(line->decided_by.b));
		cs_put_word(buf, &line->reason);
		return;
	}
}

static struct cs_u256 get_u256(struct cs_reader *reader)
{
	struct cs_hash word;
	cs_get_copy(reader, word.b, sizeof word.b);
	return cs_u256_from_word(&word);
}

static enum cs_err get_charge(struct ledger_usage_line *line, struct cs_reader *reader)
{
	struct ledger_usage_record *record = &line->record;
	line->decimals = cs_get_u8(reader);
	cs_get_copy(reader, record->data_hash.b, sizeof record->data_hash.b);
	cs_get_copy(reader, record->metric.b, sizeof record->metric.b);
	record->quantity = get_u256(reader);
	record->price = get_u256(reader);
	record->observed_s = cs_get_u64(reader);
	cs_get_copy(reader, record->signature, sizeof record->signature);
	const size_t size = cs_get_u8(reader);
	if (size > LEDGER_USAGE_PURPOSE_SIZE_MAX || line->decimals > LEDGER_USAGE_DECIMALS_MAX)
		return CS_ERR_TOO_LARGE;
	record->purpose = cs_get(reader, size);
	return CS_OK;
}

static void get_credit(struct ledger_usage_line *line, struct cs_reader *reader)
{
	cs_get_copy(reader, line->decided_by.b, sizeof line->decided_by.b);
	cs_get_copy(reader, line->reason.b, sizeof line->reason.b);
}

static enum cs_err check_amount(const struct ledger_usage_line *line)
{
	struct cs_u256 amount;
	CS_TRY(ledger_usage_amount(&amount, &line->record.quantity, &line->record.price,
				   line->decimals));
	return cs_u256_cmp(&amount, &line->amount) == 0 ? CS_OK : CS_ERR_INVALID;
}

enum cs_err ledger_usage_line_decode(struct ledger_usage_line *line, struct cs_bytes bytes)
{
	struct ledger_usage_line read;
	struct cs_reader reader;
	memset(&read, 0, sizeof read);
	cs_reader_init(&reader, bytes);
	const uint8_t kind = cs_get_u8(&reader);
	read.height = cs_get_u64(&reader);
	read.time_s = cs_get_u64(&reader);
	read.amount = get_u256(&reader);
	cs_get_copy(&reader, read.record.enclave.b, sizeof read.record.enclave.b);
	read.record.nonce = cs_get_u64(&reader);
	cs_get_copy(&reader, read.record.provider.b, sizeof read.record.provider.b);
	cs_get_copy(&reader, read.record.consumer.b, sizeof read.record.consumer.b);
	if (reader.failed)
		return CS_ERR_TRUNCATED;
	if (kind != LEDGER_USAGE_CHARGE && kind != LEDGER_USAGE_CREDIT)
		return CS_ERR_UNSUPPORTED;
	read.kind = (enum ledger_usage_kind)kind;
	if (read.kind == LEDGER_USAGE_CHARGE)
		CS_TRY(get_charge(&read, &reader));
	else
		get_credit(&read, &reader);
	CS_TRY(cs_reader_end(&reader));
	if (read.kind == LEDGER_USAGE_CHARGE)
		CS_TRY(check_amount(&read));
	*line = read;
	return CS_OK;
}

/* ---- statements ---- */

void ledger_usage_statement_init(struct ledger_usage_statement *statement)
{
	statement->charged = cs_u256_u64(0);
	statement->credited = cs_u256_u64(0);
	cmt_merkle_init(&statement->log);
}

enum cs_err ledger_usage_statement_add(struct ledger_usage_statement *statement,
				       enum ledger_usage_kind kind, const struct cs_u256 *amount,
				       struct cs_bytes line)
{
	struct cs_u256 *sum =
		kind == LEDGER_USAGE_CHARGE ? &statement->charged : &statement->credited;
	struct cs_u256 more;
	CS_TRY(cs_u256_add(&more, sum, amount));
	CS_TRY(ledger_merkle_append(&statement->log, line));
	*sum = more;
	return CS_OK;
}

void ledger_usage_statement_encode(struct cs_buf *buf,
				   const struct ledger_usage_statement *statement)
{
	put_u256(buf, &statement->charged);
	put_u256(buf, &statement->credited);
	ledger_merkle_encode(buf, &statement->log);
}

enum cs_err ledger_usage_statement_decode(struct ledger_usage_statement *statement,
					  struct cs_bytes bytes)
{
	struct ledger_usage_statement read;
	struct cs_reader reader;
	cs_reader_init(&reader, bytes);
	read.charged = get_u256(&reader);
	read.credited = get_u256(&reader);
	CS_TRY(ledger_merkle_decode(&read.log, &reader));
	CS_TRY(cs_reader_end(&reader));
	*statement = read;
	return CS_OK;
}

void ledger_usage_statement_key(uint8_t key[LEDGER_USAGE_STATEMENT_KEY_SIZE],
				const struct ledger_usage_account *account, bool pruned)
{
	key[0] = LEDGER_USAGE_NUMBER;
	key[1] = pruned ? KIND_PRUNED : KIND_STATEMENT;
	memcpy(key + 2, account->party.b, sizeof account->party.b);
	key[22] = (uint8_t)account->role;
	cs_put_be32(key + 23, account->period);
}

/* ---- periods ---- */

/* H. Hinnant, "chrono-Compatible Low-Level Date Algorithms", civil_from_days: years that begin in
 * March have their odd day at the end. */
enum cs_err ledger_usage_period(uint32_t *period, uint64_t time_s)
{
	const uint64_t days = time_s / SECONDS_OF_DAY + DAYS_TO_1970;
	const uint64_t of_era = days % DAYS_OF_ERA;
	const uint64_t year_of_era =
		(of_era - of_era / 1460 + of_era / 36524 - of_era / (DAYS_OF_ERA - 1)) / 365;
	const uint64_t of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	const uint64_t from_march = (5 * of_year + 2) / 153;
	const uint64_t month = from_march < 10 ? from_march + 3 : from_march - 9;
	const uint64_t year =
		days / DAYS_OF_ERA * YEARS_OF_ERA + year_of_era + (month <= 2 ? 1 : 0);
	if (year > YEAR_MAX)
		return CS_ERR_OVERFLOW;
	*period = (uint32_t)(year * 100 + month);
	return CS_OK;
}

bool ledger_usage_is_period(uint32_t period)
{
	return period / 100 >= 1970 && period / 100 <= YEAR_MAX && period % 100 >= 1 &&
	       period % 100 <= 12;
}
