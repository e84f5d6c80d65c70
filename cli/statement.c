#include "cli/statement.h"

#include "core/decimal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define VALUE_SIZE_MAX LEDGER_USAGE_STATEMENT_SIZE_MAX
#define KEY_SIZE_MAX 96u
#define HEX(n) (2u * (n) + 3u)

/* ---- columns ---- */

enum column {
	INDEX,
	KIND,
	HEIGHT,
	TIME,
	PROVIDER,
	CONSUMER,
	DATA,
	PURPOSE,
	PURPOSE_TEXT,
	ENCLAVE,
	NONCE,
	METRIC,
	QUANTITY,
	PRICE,
	OBSERVED,
	AMOUNT,
	DECIDED_BY,
	REASON,
	LINE,
	COLUMN_COUNT,
};

/* What stands before each column's text in JSON. */
#define NEXT(name) "\",\"" name "\":\""
static const char *const openings[COLUMN_COUNT] = {
	"{\"index\":\"",      NEXT("kind"),     NEXT("height"),   NEXT("time"),
	NEXT("provider"),     NEXT("consumer"), NEXT("data"),     NEXT("purpose"),
	NEXT("purpose_text"), NEXT("enclave"),  NEXT("nonce"),    NEXT("metric"),
	NEXT("quantity"),     NEXT("price"),    NEXT("observed"), NEXT("amount"),
	NEXT("decided_by"),   NEXT("reason"),   NEXT("line")};
#undef NEXT

static const char columns[] = "index,kind,height,time,provider,consumer,data,purpose,purpose_text,"
			      "enclave,nonce,metric,quantity,price,observed,amount,decided_by,"
			      "reason,line";

const char *statement_columns(void)
{
	return columns;
}

struct cells {
	char text[COLUMN_COUNT][HEX(LEDGER_USAGE_LINE_SIZE_MAX)];
};

static void put_hex(char *cell, struct cs_bytes bytes)
{
	cell[0] = '0';
	cell[1] = 'x';
	cs_hex(cell + 2, bytes);
}

static void put_number(char *cell, uint64_t number)
{
	snprintf(cell, 24, "%llu", (unsigned long long)number);
}

static void put_time(char *cell, uint64_t time_s)
{
	const time_t at = (time_t)time_s;
	struct tm tm;
	if (time_s > 253402300799u || gmtime_r(&at, &tm) == NULL)
		put_number(cell, time_s);
	else
		(void)strftime(cell, 24, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

static void put_decimal(char *cell, const struct cs_u256 *value, unsigned decimals)
{
	const struct cs_int256 number = {false, *value};
	cs_decimal_text(cell, &number, decimals);
}

/* Text that means the same in JSON, in CSV and in a spreadsheet; else nothing: the hex is there. */
static void put_plain(char *cell, struct cs_bytes bytes)
{
	for (size_t i = 0; i < bytes.n; i++) {
		const char c = (char)bytes.p[i];
		const bool letter =
			(c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
		if (!letter && (i == 0 || strchr(" _.:/-", c) == NULL || c == 0)) {
			cell[0] = 0;
			return;
		}
		cell[i] = c;
	}
	cell[bytes.n] = 0;
}

static void fill_charge(struct cells *cells, const struct ledger_usage_line *line)
{
	const struct ledger_usage_record *record = &line->record;
	size_t n = 0;
	while (n < sizeof record->metric.b && record->metric.b[n] != 0)
		n++;
	put_hex(cells->text[DATA], CS_BYTES_OF(record->data_hash.b));
	put_hex(cells->text[PURPOSE], record->purpose);
	put_plain(cells->text[PURPOSE_TEXT], record->purpose);
	put_plain(cells->text[METRIC], cs_bytes(record->metric.b, n));
	put_decimal(cells->text[QUANTITY], &record->quantity, line->decimals);
	put_decimal(cells->text[PRICE], &record->price, LEDGER_USAGE_PRICE_DECIMALS);
	put_time(cells->text[OBSERVED], record->observed_s);
}

static void fill(struct cells *cells, uint64_t index, const struct ledger_usage_line *line,
		 struct cs_bytes bytes)
{
	for (size_t i = 0; i < COLUMN_COUNT; i++)
		cells->text[i][0] = 0;
	put_number(cells->text[INDEX], index);
	put_number(cells->text[HEIGHT], line->height);
	put_time(cells->text[TIME], line->time_s);
	put_hex(cells->text[PROVIDER], CS_BYTES_OF(line->record.provider.b));
	put_hex(cells->text[CONSUMER], CS_BYTES_OF(line->record.consumer.b));
	put_hex(cells->text[ENCLAVE], CS_BYTES_OF(line->record.enclave.b));
	put_number(cells->text[NONCE], line->record.nonce);
	cs_u256_decimal(cells->text[AMOUNT], &line->amount);
	put_hex(cells->text[LINE], bytes);
	switch (line->kind) {
	case LEDGER_USAGE_CHARGE:
		snprintf(cells->text[KIND], sizeof("charge"), "charge");
		fill_charge(cells, line);
		return;
	case LEDGER_USAGE_CREDIT:
		snprintf(cells->text[KIND], sizeof("credit"), "credit");
		put_hex(cells->text[DECIDED_BY], CS_BYTES_OF(line->decided_by.b));
		put_hex(cells->text[REASON], CS_BYTES_OF(line->reason.b));
		return;
	}
}

static size_t append(char *text, size_t n, const char *more)
{
	const size_t size = strlen(more);
	cs_assert(n + size < STATEMENT_LINE_SIZE_MAX);
	memcpy(text + n, more, size + 1);
	return n + size;
}

size_t statement_line(char text[STATEMENT_LINE_SIZE_MAX], enum statement_format format,
		      uint64_t index, const struct ledger_usage_line *line, struct cs_bytes bytes)
{
	struct cells cells;
	size_t n = 0;
	const bool csv = format == STATEMENT_CSV;
	fill(&cells, index, line, bytes);
	for (size_t i = 0; i < COLUMN_COUNT; i++) {
		n = append(text, n, !csv ? openings[i] : i > 0 ? "," : "");
		n = append(text, n, cells.text[i]);
	}
	return csv ? n : append(text, n, "\"}");
}

enum cs_err statement_read_line(uint8_t bytes[LEDGER_USAGE_LINE_SIZE_MAX], size_t *size,
				enum statement_format format, uint64_t index, struct cs_bytes text)
{
	char again[STATEMENT_LINE_SIZE_MAX];
	struct ledger_usage_line line;
	const size_t tail = format == STATEMENT_CSV ? 0 : 2; /* "} */
	if (text.n < tail)
		return CS_ERR_MALFORMED;
	const size_t end = text.n - tail;
	size_t begin = end;
	while (begin > 0 && text.p[begin - 1] != 'x')
		begin--;
	const size_t n = (end - begin) / 2;
	if (n > LEDGER_USAGE_LINE_SIZE_MAX)
		return CS_ERR_MALFORMED;
	if (cs_unhex(bytes, n, cs_bytes(text.p + begin, end - begin)) != CS_OK ||
	    ledger_usage_line_decode(&line, cs_bytes(bytes, n)) != CS_OK)
		return CS_ERR_MALFORMED;
	const size_t want = statement_line(again, format, index, &line, cs_bytes(bytes, n));
	*size = n;
	return cs_bytes_eq(cs_bytes(again, want), text) ? CS_OK : CS_ERR_MALFORMED;
}

void statement_period(char text[STATEMENT_PERIOD_SIZE], uint32_t period)
{
	cs_assert(ledger_usage_is_period(period));
	snprintf(text, STATEMENT_PERIOD_SIZE, "%04u-%02u", period / 100 % 10000, period % 100);
}

enum cs_err statement_read_period(uint32_t *period, const char *text)
{
	uint32_t read = 0;
	if (strlen(text) != STATEMENT_PERIOD_SIZE - 1 || text[4] != '-')
		return CS_ERR_MALFORMED;
	for (size_t i = 0; i < STATEMENT_PERIOD_SIZE - 1; i++) {
		if (i == 4)
			continue;
		if (text[i] < '0' || text[i] > '9')
			return CS_ERR_MALFORMED;
		read = read * 10 + (uint32_t)(text[i] - '0');
	}
	if (!ledger_usage_is_period(read))
		return CS_ERR_MALFORMED;
	*period = read;
	return CS_OK;
}

/* ---- sums ---- */

enum cs_err statement_take(struct ledger_usage_line *line,
			   const struct ledger_usage_account *account, struct cs_bytes bytes,
			   uint64_t index, struct cs_why *why)
{
	uint32_t period;
	enum cs_err err = ledger_usage_line_decode(line, bytes);
	if (err != CS_OK)
		return cs_fail(why, err, "line %llu is none: %s", (unsigned long long)index,
			       cs_err_sentence(err));
	const struct cs_address *party = account->role == LEDGER_USAGE_PROVIDER
						 ? &line->record.provider
						 : &line->record.consumer;
	if (cs_address_eq(party, &account->party) &&
	    ledger_usage_period(&period, line->time_s) == CS_OK && period == account->period)
		return CS_OK;
	return cs_fail(why, CS_ERR_BAD_PROOF, "line %llu is of another statement",
		       (unsigned long long)index);
}

enum cs_err statement_add(struct statement_sum *statement, struct ledger_usage_line *line,
			  struct cs_bytes bytes, struct cs_why *why)
{
	const uint64_t index = statement->sum.log.count;
	CS_TRY(statement_take(line, &statement->account, bytes, index, why));
	enum cs_err err =
		ledger_usage_statement_add(&statement->sum, line->kind, &line->amount, bytes);
	return err == CS_OK ? CS_OK
			    : cs_fail(why, err, "line %llu: the sum overflows",
				      (unsigned long long)index);
}

enum cs_err statement_end(const struct statement_sum *statement, struct cs_bytes value,
			  struct cs_why *why)
{
	uint8_t memory[VALUE_SIZE_MAX];
	struct cs_buf buf;
	if (statement->sum.log.count == 0 && value.n == 0)
		return CS_OK;
	cs_buf_init(&buf, memory, sizeof memory);
	ledger_usage_statement_encode(&buf, &statement->sum);
	if (cs_bytes_eq(cs_buf_view(&buf), value))
		return CS_OK;
	return cs_fail(
		why, CS_ERR_BAD_PROOF,
		"the lines are not those of the statement: one is left out, added or changed");
}

void statement_total(char text[STATEMENT_TOTAL_SIZE],
		     const struct ledger_usage_statement *statement)
{
	struct cs_u256 total;
	const bool less = cs_u256_cmp(&statement->charged, &statement->credited) < 0;
	const struct cs_u256 *more = less ? &statement->credited : &statement->charged;
	const struct cs_u256 *fewer = less ? &statement->charged : &statement->credited;
	cs_assert(cs_u256_sub(&total, more, fewer) == CS_OK);
	text[0] = '-';
	cs_u256_decimal(text + less, &total);
}

/* ---- proofs ---- */

void statement_proof_clear(struct statement_proof *proof)
{
	free(proof->memory);
	*proof = (struct statement_proof){.memory = NULL};
}

static json_t *json_hex(struct cs_bytes bytes)
{
	char *text = malloc(HEX(bytes.n));
	if (text == NULL)
		return NULL;
	put_hex(text, bytes);
	json_t *json = json_string(text);
	free(text);
	return json;
}

json_t *statement_proof_json(const struct statement_proof *proof)
{
	return json_pack("{s:o, s:o, s:o}", "key", json_hex(proof->key), "value",
			 json_hex(proof->value), "proof", json_hex(proof->proof));
}

static enum cs_err read_hex(struct cs_bytes *bytes, uint8_t **at, const json_t *json,
			    const char *name, size_t size_max, struct cs_why *why)
{
	const char *text = json_string_value(json_object_get(json, name));
	const size_t n = text == NULL ? 0 : strlen(text);
	if (n < 2 || n % 2 != 0 || text == NULL || strncmp(text, "0x", 2) != 0)
		return cs_fail(why, CS_ERR_MALFORMED, "%s is not hex", name);
	if (n / 2 - 1 > size_max)
		return cs_fail(why, CS_ERR_TOO_LARGE, "%s is longer than %zu bytes", name,
			       size_max);
	if (cs_unhex(*at, n / 2 - 1, cs_bytes_str(text)) != CS_OK)
		return cs_fail(why, CS_ERR_MALFORMED, "%s is not hex", name);
	*bytes = cs_bytes(*at, n / 2 - 1);
	*at += n / 2 - 1;
	return CS_OK;
}

enum cs_err statement_proof_read(struct statement_proof *proof, const json_t *json,
				 struct cs_why *why)
{
	struct statement_proof read = {.memory =
					       malloc(KEY_SIZE_MAX + CMT_ICS23_PROOF_SIZE_MAX * 2)};
	if (read.memory == NULL)
		return cs_fail(why, CS_ERR_NO_MEMORY, "no memory");
	uint8_t *at = read.memory;
	enum cs_err err = read_hex(&read.key, &at, json, "key", KEY_SIZE_MAX, why);
	if (err == CS_OK)
		err = read_hex(&read.value, &at, json, "value", CMT_ICS23_PROOF_SIZE_MAX, why);
	if (err == CS_OK)
		err = read_hex(&read.proof, &at, json, "proof", CMT_ICS23_PROOF_SIZE_MAX, why);
	if (err == CS_OK)
		*proof = read;
	else
		free(read.memory);
	return err;
}

enum cs_err statement_proof_check(const struct statement_proof *proof,
				  const struct cs_hash *app_hash, struct cs_why *why)
{
	struct cs_bytes value = CS_BYTES_NONE;
	bool found = false;
	enum cs_err err = cmt_ics23_lookup(&found, &value, &cmt_ics23_smt, app_hash, proof->proof,
					   proof->key);
	if (err != CS_OK)
		return cs_fail(why, err, "the proof does not lead to the app hash: %s",
			       cs_err_sentence(err));
	if (found != (proof->value.n > 0) || (found && !cs_bytes_eq(value, proof->value)))
		return cs_fail(why, CS_ERR_BAD_PROOF, "the proof is of another value");
	return CS_OK;
}

/* ---- heads ---- */

void statement_head_clear(struct statement_head *head)
{
	statement_proof_clear(&head->value);
	statement_proof_clear(&head->pruned);
	statement_proof_clear(&head->chain);
}

static enum cs_err decode_value(struct ledger_usage_statement *statement, struct cs_bytes value)
{
	ledger_usage_statement_init(statement);
	return value.n == 0 ? CS_OK : ledger_usage_statement_decode(statement, value);
}

json_t *statement_head_json(const struct statement_head *head, const char *chain_id)
{
	struct ledger_usage_statement sum, pruned;
	char period[STATEMENT_PERIOD_SIZE], charged[CS_U256_DECIMAL_SIZE];
	char credited[CS_U256_DECIMAL_SIZE], total[STATEMENT_TOTAL_SIZE];
	if (decode_value(&sum, head->value.value) != CS_OK ||
	    decode_value(&pruned, head->pruned.value) != CS_OK)
		return NULL;
	const struct cs_hash root = cmt_merkle_root(&sum.log);
	statement_period(period, head->account.period);
	cs_u256_decimal(charged, &sum.charged);
	cs_u256_decimal(credited, &sum.credited);
	statement_total(total, &sum);
	json_t *json = json_pack(
		"{s:s, s:o, s:s, s:s, s:I, s:o, s:I, s:I, s:s, s:s, s:s, s:o, s:o, s:o}",
		"chain_id", chain_id, "party", json_hex(CS_BYTES_OF(head->account.party.b)), "role",
		head->account.role == LEDGER_USAGE_PROVIDER ? "provider" : "consumer", "period",
		period, "height", (json_int_t)head->height, "app_hash",
		json_hex(CS_BYTES_OF(head->app_hash.b)), "count", (json_int_t)sum.log.count,
		"pruned", (json_int_t)pruned.log.count, "charged", charged, "credited", credited,
		"total", total, "root", json_hex(CS_BYTES_OF(root.b)), "state",
		statement_proof_json(&head->value), "chain", statement_proof_json(&head->chain));
	if (json != NULL && head->pruned.key.n > 0)
		json_object_set_new(json, "pruned_state", statement_proof_json(&head->pruned));
	return json;
}

static bool text_is(const json_t *json, const char *name, const char *want)
{
	const char *text = json_string_value(json_object_get(json, name));
	return text != NULL && strcmp(text, want) == 0;
}

/* What the head says for people must be what is proven. */
static enum cs_err compare(const struct statement_head *head, const json_t *json,
			   struct cs_why *why)
{
	static const char *const same[] = {"charged", "credited", "total", "root",
					   "count",   "pruned",   "party", "period"};
	json_t *want = statement_head_json(head, "");
	enum cs_err err =
		want == NULL ? cs_fail(why, CS_ERR_MALFORMED, "state: no statement") : CS_OK;
	for (size_t i = 0; err == CS_OK && i < CS_LEN(same); i++) {
		if (!json_equal(json_object_get(want, same[i]), json_object_get(json, same[i])))
			err = cs_fail(why, CS_ERR_INVALID, "%s is not what the proven state says",
				      same[i]);
	}
	json_decref(want);
	return err;
}

static enum cs_err read_account(struct statement_head *head, const json_t *json, struct cs_why *why)
{
	const char *party = json_string_value(json_object_get(json, "party"));
	const char *period = json_string_value(json_object_get(json, "period"));
	const bool provider = text_is(json, "role", "provider");
	const json_int_t height = json_integer_value(json_object_get(json, "height"));
	if (party == NULL || period == NULL || height <= 0 ||
	    (!provider && !text_is(json, "role", "consumer")) ||
	    cs_unhex(head->account.party.b, sizeof head->account.party.b, cs_bytes_str(party)) !=
		    CS_OK ||
	    statement_read_period(&head->account.period, period) != CS_OK)
		return cs_fail(why, CS_ERR_MALFORMED, "no party, role, period or height");
	head->account.role = provider ? LEDGER_USAGE_PROVIDER : LEDGER_USAGE_CONSUMER;
	head->height = (uint64_t)height;
	return CS_OK;
}

static bool key_is(const struct statement_proof *proof, const struct ledger_usage_account *account,
		   bool pruned)
{
	uint8_t key[LEDGER_USAGE_STATEMENT_KEY_SIZE];
	ledger_usage_statement_key(key, account, pruned);
	return cs_bytes_eq(proof->key, CS_BYTES_OF(key));
}

static enum cs_err read_proofs(struct statement_head *head, const json_t *json, struct cs_why *why)
{
	static const uint8_t chain[] = {0, 'c', 'h', 'a', 'i', 'n'};
	const json_t *pruned = json_object_get(json, "pruned_state");
	CS_TRY(statement_proof_read(&head->value, json_object_get(json, "state"), why));
	CS_TRY(statement_proof_read(&head->chain, json_object_get(json, "chain"), why));
	if (pruned != NULL)
		CS_TRY(statement_proof_read(&head->pruned, pruned, why));
	if (!key_is(&head->value, &head->account, false) ||
	    !cs_bytes_eq(head->chain.key, CS_BYTES_OF(chain)) || head->chain.value.n != 32 ||
	    (pruned != NULL && !key_is(&head->pruned, &head->account, true)))
		return cs_fail(why, CS_ERR_INVALID, "a proof is of another key");
	return CS_OK;
}

enum cs_err statement_head_read(struct statement_head *head, const json_t *json, struct cs_why *why)
{
	struct statement_head read = {.height = 0};
	const char *app_hash = json_string_value(json_object_get(json, "app_hash"));
	enum cs_err err = read_account(&read, json, why);
	if (err == CS_OK && (app_hash == NULL || cs_unhex(read.app_hash.b, sizeof read.app_hash.b,
							  cs_bytes_str(app_hash)) != CS_OK))
		err = cs_fail(why, CS_ERR_MALFORMED, "app_hash is not 32 bytes of hex");
	if (err == CS_OK)
		err = read_proofs(&read, json, why);
	if (err == CS_OK)
		err = compare(&read, json, why);
	if (err == CS_OK)
		*head = read;
	else
		statement_head_clear(&read);
	return err;
}

enum cs_err statement_head_begin(const struct statement_head *head, struct statement_sum *statement,
				 struct cs_why *why)
{
	statement->account = head->account;
	return decode_value(&statement->sum, head->pruned.value) == CS_OK
		       ? CS_OK
		       : cs_fail(why, CS_ERR_MALFORMED, "pruned_state: no statement");
}

enum cs_err statement_head_check(const struct statement_head *head, struct statement_sum *statement,
				 const struct cs_hash *app_hash, struct cs_why *why)
{
	CS_TRY(statement_proof_check(&head->value, app_hash, why));
	CS_TRY(statement_proof_check(&head->chain, app_hash, why));
	if (head->pruned.key.n > 0)
		CS_TRY(statement_proof_check(&head->pruned, app_hash, why));
	return statement_head_begin(head, statement, why);
}
