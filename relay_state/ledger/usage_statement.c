#include "relay_state/ledger/usage_parts.h"

#include <string.h>

#define KIND_CHARGE 'r'
#define KIND_CREDIT 'c'
#define KIND_ENTRY 'l'
#define KIND_BALANCE 'b'
#define ENTRY_SIZE 41u

/* Of one answer: what a call may return, less what the encoding takes. */
#define LINES_SIZE_MAX (LEDGER_OUTPUT_SIZE_MAX - 128u)
_Static_assert(LEDGER_USAGE_PAGE *(2u + LEDGER_USAGE_LINE_SIZE_MAX) <= LINES_SIZE_MAX,
	       "a page of the longest lines fits");

/* ---- lines ---- */

enum cs_err usage_id_read(struct cs_abi_reader *in, struct usage_id *id)
{
	CS_TRY(cs_abi_get_word(in, &id->enclave));
	return cs_abi_get_u64(in, &id->nonce);
}

struct ledger_key usage_id_key(char kind, const struct usage_id *id)
{
	struct ledger_key key = ledger_key_of(kind, CS_BYTES_OF(id->enclave.b));
	ledger_key_add_u64(&key, id->nonce);
	return key;
}

static char letter_of(enum ledger_usage_kind kind)
{
	return kind == LEDGER_USAGE_CHARGE ? KIND_CHARGE : KIND_CREDIT;
}

enum cs_err usage_body_get(struct ledger_call *call, bool *known, struct usage_body *body,
			   enum ledger_usage_kind kind, const struct usage_id *id)
{
	struct cs_bytes value;
	const struct ledger_key key = usage_id_key(letter_of(kind), id);
	enum cs_err err = ledger_get(call, &value, cs_bytes(key.b, key.n));
	if (err == CS_ERR_NOT_FOUND) {
		*known = false;
		return CS_OK;
	}
	if (err != CS_OK)
		return err;
	body->held = value.p[0];
	body->bytes = cs_bytes(value.p + 1, value.n - 1);
	err = ledger_usage_line_decode(&body->line, body->bytes);
	if (err != CS_OK)
		return cs_fail(call->why, CS_ERR_DAMAGED, "usage: a line does not read: %s",
			       cs_err_name(err));
	*known = true;
	return CS_OK;
}

enum cs_err usage_body_put(struct ledger_call *call, uint8_t held,
			   const struct ledger_usage_line *line)
{
	uint8_t memory[1 + LEDGER_USAGE_LINE_SIZE_MAX];
	const struct usage_id id = {line->record.enclave, line->record.nonce};
	const struct ledger_key key = usage_id_key(letter_of(line->kind), &id);
	struct cs_buf buf;
	if (held == 0)
		return ledger_remove(call, cs_bytes(key.b, key.n));
	cs_buf_init(&buf, memory, sizeof memory);
	cs_put_u8(&buf, held);
	ledger_usage_line_encode(&buf, line);
	return ledger_put(call, cs_bytes(key.b, key.n), cs_buf_view(&buf));
}

/* ---- statements ---- */

enum cs_err usage_account_read(struct cs_abi_reader *in, struct ledger_usage_account *account)
{
	uint8_t role;
	CS_TRY(cs_abi_get_address(in, &account->party));
	CS_TRY(cs_abi_get_u8(in, &role));
	CS_TRY(ledger_read_u32(in, &account->period));
	if (role != LEDGER_USAGE_PROVIDER && role != LEDGER_USAGE_CONSUMER)
		return CS_ERR_INVALID;
	account->role = (enum ledger_usage_role)role;
	return ledger_usage_is_period(account->period) ? CS_OK : CS_ERR_INVALID;
}

enum cs_err usage_statement_get(struct ledger_call *call, struct ledger_usage_statement *statement,
				const struct ledger_usage_account *account, bool pruned)
{
	uint8_t key[LEDGER_USAGE_STATEMENT_KEY_SIZE];
	struct cs_bytes value;
	ledger_usage_statement_key(key, account, pruned);
	enum cs_err err = ledger_get(call, &value, cs_bytes(key + 1, sizeof key - 1));
	if (err == CS_ERR_NOT_FOUND) {
		ledger_usage_statement_init(statement);
		return CS_OK;
	}
	if (err != CS_OK)
		return err;
	err = ledger_usage_statement_decode(statement, value);
	return err == CS_OK ? CS_OK
			    : cs_fail(call->why, CS_ERR_DAMAGED,
				      "usage: a statement does not read: %s", cs_err_name(err));
}

enum cs_err usage_statement_put(struct ledger_call *call,
				const struct ledger_usage_statement *statement,
				const struct ledger_usage_account *account, bool pruned)
{
	uint8_t key[LEDGER_USAGE_STATEMENT_KEY_SIZE], memory[LEDGER_USAGE_STATEMENT_SIZE_MAX];
	struct cs_buf buf;
	ledger_usage_statement_key(key, account, pruned);
	cs_buf_init(&buf, memory, sizeof memory);
	ledger_usage_statement_encode(&buf, statement);
	return ledger_put(call, cs_bytes(key + 1, sizeof key - 1), cs_buf_view(&buf));
}

struct ledger_key usage_entry_key(const struct ledger_usage_account *account, uint64_t index)
{
	const uint8_t role = (uint8_t)account->role;
	struct ledger_key key = ledger_key_of(KIND_ENTRY, CS_BYTES_OF(account->party.b));
	ledger_key_add(&key, cs_bytes(&role, sizeof role));
	ledger_key_add_u32(&key, account->period);
	ledger_key_add_u64(&key, index);
	return key;
}

enum cs_err usage_entry_get(struct ledger_call *call, struct usage_entry *entry,
			    const struct ledger_usage_account *account, uint64_t index)
{
	uint8_t value[ENTRY_SIZE];
	const struct ledger_key key = usage_entry_key(account, index);
	CS_TRY(ledger_get_fixed(call, value, sizeof value, &key));
	if (value[0] != LEDGER_USAGE_CHARGE && value[0] != LEDGER_USAGE_CREDIT)
		return cs_fail(call->why, CS_ERR_DAMAGED,
			       "usage: line %llu of a statement is not there",
			       (unsigned long long)index);
	entry->kind = (enum ledger_usage_kind)value[0];
	memcpy(entry->id.enclave.b, value + 1, sizeof entry->id.enclave.b);
	entry->id.nonce = cs_be64(value + 33);
	return CS_OK;
}

/* ---- a new line ---- */

static enum cs_err append_to(struct ledger_call *call, const struct ledger_usage_account *account,
			     const struct ledger_usage_line *line, struct cs_bytes bytes)
{
	struct ledger_usage_statement statement;
	uint8_t entry[ENTRY_SIZE];
	CS_TRY(ledger_use_gas(call, USAGE_APPEND_GAS));
	CS_TRY(usage_statement_get(call, &statement, account, false));
	const struct ledger_key key = usage_entry_key(account, statement.log.count);
	enum cs_err err = ledger_usage_statement_add(&statement, line->kind, &line->amount, bytes);
	if (err != CS_OK)
		return ledger_revert_plain(call,
					   err == CS_ERR_FULL ? "LogFull()" : "TotalOverflow()");
	entry[0] = (uint8_t)line->kind;
	memcpy(entry + 1, line->record.enclave.b, sizeof line->record.enclave.b);
	cs_put_be64(entry + 33, line->record.nonce);
	CS_TRY(ledger_put_fixed(call, &key, entry, sizeof entry));
	return usage_statement_put(call, &statement, account, false);
}

static enum cs_err add_to_balance(struct ledger_call *call, const struct usage_pair *pair,
				  const struct ledger_usage_line *line)
{
	struct usage_balance balance;
	CS_TRY(usage_balance_get(call, &balance, pair));
	struct cs_u256 *sum =
		line->kind == LEDGER_USAGE_CHARGE ? &balance.charged : &balance.credited;
	if (cs_u256_add(sum, sum, &line->amount) != CS_OK)
		return ledger_revert_plain(call, "TotalOverflow()");
	return usage_balance_put(call, &balance, pair);
}

/* The month is that of the block, not of the observation: once it is over nothing can be added to its
 * statements, and a proof of one is a proof for ever. */
enum cs_err usage_append(struct ledger_call *call, const struct ledger_usage_line *line,
			 uint64_t charged_s)
{
	uint8_t memory[LEDGER_USAGE_LINE_SIZE_MAX];
	struct ledger_usage_account account = {line->record.provider, LEDGER_USAGE_PROVIDER, 0};
	struct usage_pair pair = {line->record.provider, line->record.consumer, 0};
	struct cs_buf buf;
	CS_TRY(ledger_usage_period(&account.period, line->time_s));
	CS_TRY(ledger_usage_period(&pair.period, charged_s));
	cs_buf_init(&buf, memory, sizeof memory);
	ledger_usage_line_encode(&buf, line);
	CS_TRY(append_to(call, &account, line, cs_buf_view(&buf)));
	account.party = line->record.consumer;
	account.role = LEDGER_USAGE_CONSUMER;
	CS_TRY(append_to(call, &account, line, cs_buf_view(&buf)));
	CS_TRY(add_to_balance(call, &pair, line));
	CS_TRY(usage_body_put(call, USAGE_HELD_BY_PROVIDER | USAGE_HELD_BY_CONSUMER, line));
	return ledger_emit_words(
		call,
		line->kind == LEDGER_USAGE_CHARGE
			? "UsageRecorded(bytes32,address,address,uint64,uint32,uint256)"
			: "UsageCredited(bytes32,address,address,uint64,uint32,uint256)",
		LEDGER_WORDS(line->record.enclave, ledger_word_address(&line->record.provider),
			     ledger_word_address(&line->record.consumer)),
		LEDGER_WORDS(ledger_word_u64(line->record.nonce), ledger_word_u64(account.period),
			     cs_u256_word(&line->amount)));
}

/* ---- balances ---- */

static struct ledger_key balance_key(const struct usage_pair *pair)
{
	struct ledger_key key = ledger_key_of(KIND_BALANCE, CS_BYTES_OF(pair->provider.b));
	ledger_key_add(&key, CS_BYTES_OF(pair->consumer.b));
	ledger_key_add_u32(&key, pair->period);
	return key;
}

enum cs_err usage_balance_get(struct ledger_call *call, struct usage_balance *balance,
			      const struct usage_pair *pair)
{
	struct cs_hash words[3];
	const struct ledger_key key = balance_key(pair);
	CS_TRY(ledger_get_fixed(call, words, sizeof words, &key));
	balance->charged = cs_u256_from_word(&words[0]);
	balance->credited = cs_u256_from_word(&words[1]);
	balance->paid = cs_u256_from_word(&words[2]);
	return CS_OK;
}

enum cs_err usage_balance_put(struct ledger_call *call, const struct usage_balance *balance,
			      const struct usage_pair *pair)
{
	const struct ledger_key key = balance_key(pair);
	const struct cs_hash words[3] = {cs_u256_word(&balance->charged),
					 cs_u256_word(&balance->credited),
					 cs_u256_word(&balance->paid)};
	return ledger_put_fixed(call, &key, words, sizeof words);
}

/* ---- views ---- */

enum cs_err usage_statement_of(struct ledger_call *call, struct cs_abi_reader *in,
			       struct cs_abi *out)
{
	struct ledger_usage_statement statement, pruned;
	struct ledger_usage_account account;
	uint32_t now;
	CS_TRY(usage_account_read(in, &account));
	CS_TRY(ledger_use_gas(call, USAGE_ROOT_GAS));
	CS_TRY(usage_statement_get(call, &statement, &account, false));
	CS_TRY(usage_statement_get(call, &pruned, &account, true));
	CS_TRY(ledger_usage_period(&now, call->block->time_s));
	const struct cs_hash root = cmt_merkle_root(&statement.log);
	cs_abi_put_u64(out, statement.log.count);
	cs_abi_put_word(out, &root);
	cs_abi_put_u256(out, &statement.charged);
	cs_abi_put_u256(out, &statement.credited);
	cs_abi_put_u64(out, pruned.log.count);
	cs_abi_put_u64(out, account.period < now);
	return CS_OK;
}

static enum cs_err get_line(struct ledger_call *call, struct usage_body *body,
			    const struct usage_entry *entry)
{
	bool known;
	CS_TRY(usage_body_get(call, &known, body, entry->kind, &entry->id));
	return known ? CS_OK
		     : cs_fail(call->why, CS_ERR_DAMAGED,
			       "usage: a line of a statement has no body");
}

enum cs_err usage_lines(struct ledger_call *call, struct cs_abi_reader *in, struct cs_abi *out)
{
	struct ledger_usage_statement statement, pruned;
	struct ledger_usage_account account;
	uint64_t from, count;
	struct cs_buf buf;
	CS_TRY(usage_account_read(in, &account));
	CS_TRY(cs_abi_get_u64(in, &from));
	CS_TRY(cs_abi_get_u64(in, &count));
	CS_TRY(usage_statement_get(call, &statement, &account, false));
	CS_TRY(usage_statement_get(call, &pruned, &account, true));
	if (from < pruned.log.count)
		return ledger_revert(call, "LinesPruned(uint64)",
				     LEDGER_WORDS(ledger_word_u64(pruned.log.count)));
	CS_TRY(cs_buf_init_arena(&buf, call->arena, LINES_SIZE_MAX));
	for (uint64_t i = from; i < statement.log.count && i - from < count; i++) {
		struct usage_entry entry;
		struct usage_body body;
		if (buf.n + 2 + LEDGER_USAGE_LINE_SIZE_MAX > LINES_SIZE_MAX)
			break;
		CS_TRY(usage_entry_get(call, &entry, &account, i));
		CS_TRY(get_line(call, &body, &entry));
		cs_put_u16(&buf, (uint16_t)body.bytes.n);
		cs_put(&buf, body.bytes);
	}
	cs_abi_put_bytes(out, cs_abi_slot(out), cs_buf_view(&buf));
	return CS_OK;
}

/* ---- pruning ---- */

static enum cs_err may_prune(struct ledger_call *call, bool *may, const struct usage_entry *entry,
			     const struct usage_body *body, const struct usage_terms *terms)
{
	bool waits = false;
	*may = false;
	/* At that very second a record that was observed with its line is still young enough to be taken. */
	if (call->block->time_s <= body->line.time_s + terms->retention_s)
		return CS_OK;
	if (entry->kind == LEDGER_USAGE_CHARGE)
		CS_TRY(usage_dispute_waits(call, &waits, &entry->id, terms->window_s));
	*may = !waits;
	return CS_OK;
}

static enum cs_err forget_line(struct ledger_call *call, const struct ledger_usage_account *account,
			       uint64_t index, const struct usage_entry *entry,
			       const struct usage_body *body)
{
	const uint8_t own = account->role == LEDGER_USAGE_PROVIDER ? USAGE_HELD_BY_PROVIDER
								   : USAGE_HELD_BY_CONSUMER;
	const struct ledger_key key = usage_entry_key(account, index);
	const uint8_t held = (uint8_t)(body->held & ~own);
	CS_TRY(ledger_remove(call, cs_bytes(key.b, key.n)));
	CS_TRY(usage_body_put(call, held, &body->line));
	return held == 0 && entry->kind == LEDGER_USAGE_CHARGE
		       ? usage_dispute_forget(call, &entry->id)
		       : CS_OK;
}

static enum cs_err prune_lines(struct ledger_call *call, struct ledger_usage_statement *pruned,
			       const struct ledger_usage_account *account, uint64_t end)
{
	struct usage_terms terms;
	CS_TRY(usage_terms_get(call, &terms));
	while (pruned->log.count < end) {
		struct usage_entry entry;
		struct usage_body body;
		const uint64_t index = pruned->log.count;
		bool may;
		CS_TRY(ledger_use_gas(call, USAGE_APPEND_GAS));
		CS_TRY(usage_entry_get(call, &entry, account, index));
		CS_TRY(get_line(call, &body, &entry));
		CS_TRY(may_prune(call, &may, &entry, &body, &terms));
		if (!may)
			return CS_OK;
		if (ledger_usage_statement_add(pruned, entry.kind, &body.line.amount, body.bytes) !=
		    CS_OK)
			return cs_fail(call->why, CS_ERR_DAMAGED,
				       "usage: pruned lines have more than their statement");
		CS_TRY(forget_line(call, account, index, &entry, &body));
	}
	return CS_OK;
}

/* Anybody may: what is pruned is old, and who wants to keep it has had time to take it. */
enum cs_err usage_prune(struct ledger_call *call, struct cs_abi_reader *in, struct cs_abi *out)
{
	struct ledger_usage_statement statement, pruned;
	struct ledger_usage_account account;
	uint64_t count;
	CS_TRY(usage_account_read(in, &account));
	CS_TRY(cs_abi_get_u64(in, &count));
	CS_TRY(usage_statement_get(call, &statement, &account, false));
	CS_TRY(usage_statement_get(call, &pruned, &account, true));
	const uint64_t begin = pruned.log.count, left = statement.log.count - begin;
	if (count > LEDGER_USAGE_PRUNE_MAX)
		count = LEDGER_USAGE_PRUNE_MAX;
	CS_TRY(prune_lines(call, &pruned, &account, begin + (count < left ? count : left)));
	if (pruned.log.count == begin)
		return ledger_revert_plain(call, "NothingToPrune()");
	CS_TRY(usage_statement_put(call, &pruned, &account, true));
	cs_abi_put_u64(out, pruned.log.count);
	return ledger_emit_words(call, "UsagePruned(address,uint8,uint32,uint64)",
				 LEDGER_WORDS(ledger_word_address(&account.party)),
				 LEDGER_WORDS(ledger_word_u64((uint64_t)account.role),
					      ledger_word_u64(account.period),
					      ledger_word_u64(pruned.log.count)));
}
