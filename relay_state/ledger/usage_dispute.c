#include "relay_state/ledger/timelock.h"
#include "relay_state/ledger/usage_parts.h"

#include <string.h>

#define KIND_DISPUTE 'd'

enum dispute_state {
	DISPUTE_NONE = 0,
	DISPUTE_OPEN = 1,
	DISPUTE_ACCEPTED = 2,
	DISPUTE_REJECTED = 3,
	DISPUTE_WITHDRAWN = 4,
	DISPUTE_APPEALED = 5,
	DISPUTE_DECIDED = 6,
};

enum dispute_party {
	BY_CONSUMER,
	BY_PROVIDER,
	BY_ARBITER,
};

/* Against the window that begins with the charge, or with the step before. */
enum dispute_time {
	AT_ANY_TIME,
	IN_TIME,
	AFTER_IT,
};

struct dispute_move {
	enum dispute_state from;
	enum dispute_state to;
	enum dispute_party by;
	enum dispute_time when;
};

/* Every move; there is no other. A provider who says nothing has answered no when the window is over. */
static const struct dispute_move moves[] = {
	{DISPUTE_NONE, DISPUTE_OPEN, BY_CONSUMER, IN_TIME},
	{DISPUTE_OPEN, DISPUTE_ACCEPTED, BY_PROVIDER, AT_ANY_TIME},
	{DISPUTE_OPEN, DISPUTE_REJECTED, BY_PROVIDER, AT_ANY_TIME},
	{DISPUTE_OPEN, DISPUTE_WITHDRAWN, BY_CONSUMER, AT_ANY_TIME},
	{DISPUTE_OPEN, DISPUTE_APPEALED, BY_CONSUMER, AFTER_IT},
	{DISPUTE_REJECTED, DISPUTE_ACCEPTED, BY_PROVIDER, AT_ANY_TIME},
	{DISPUTE_REJECTED, DISPUTE_WITHDRAWN, BY_CONSUMER, AT_ANY_TIME},
	{DISPUTE_REJECTED, DISPUTE_APPEALED, BY_CONSUMER, IN_TIME},
	{DISPUTE_APPEALED, DISPUTE_ACCEPTED, BY_PROVIDER, AT_ANY_TIME},
	{DISPUTE_APPEALED, DISPUTE_WITHDRAWN, BY_CONSUMER, AT_ANY_TIME},
	{DISPUTE_APPEALED, DISPUTE_DECIDED, BY_ARBITER, AT_ANY_TIME},
};

/* Opened, rejected, appealed, ended. */
#define STEPS_MAX 4u

struct dispute_step {
	uint8_t state;
	struct cs_address who;
	uint64_t time_s;
	struct cs_hash reason;
};
#define STEP_SIZE 61u
#define HEAD_SIZE 66u

struct dispute {
	enum dispute_state state;
	struct cs_u256 claimed;
	struct cs_u256 credited;
	uint8_t step_count;
	struct dispute_step steps[STEPS_MAX];
};

/* ---- state ---- */

static enum cs_err damaged(struct ledger_call *call)
{
	return cs_fail(call->why, CS_ERR_DAMAGED, "usage: a dispute does not read");
}

static enum cs_err get_dispute(struct ledger_call *call, struct dispute *dispute,
			       const struct usage_id *id)
{
	const struct ledger_key key = usage_id_key(KIND_DISPUTE, id);
	struct cs_reader reader;
	struct cs_bytes value;
	struct cs_hash word;
	enum cs_err err = ledger_get(call, &value, cs_bytes(key.b, key.n));
	memset(dispute, 0, sizeof *dispute);
	if (err == CS_ERR_NOT_FOUND)
		return CS_OK;
	if (err != CS_OK)
		return err;
	cs_reader_init(&reader, value);
	dispute->state = (enum dispute_state)cs_get_u8(&reader);
	cs_get_copy(&reader, word.b, sizeof word.b);
	dispute->claimed = cs_u256_from_word(&word);
	cs_get_copy(&reader, word.b, sizeof word.b);
	dispute->credited = cs_u256_from_word(&word);
	dispute->step_count = cs_get_u8(&reader);
	if (dispute->step_count == 0 || dispute->step_count > STEPS_MAX)
		return damaged(call);
	for (size_t i = 0; i < dispute->step_count; i++) {
		struct dispute_step *step = &dispute->steps[i];
		step->state = cs_get_u8(&reader);
		cs_get_copy(&reader, step->who.b, sizeof step->who.b);
		step->time_s = cs_get_u64(&reader);
		cs_get_copy(&reader, step->reason.b, sizeof step->reason.b);
	}
	return cs_reader_end(&reader) == CS_OK ? CS_OK : damaged(call);
}

static enum cs_err put_dispute(struct ledger_call *call, const struct dispute *dispute,
			       const struct usage_id *id)
{
	const struct ledger_key key = usage_id_key(KIND_DISPUTE, id);
	const struct cs_hash claimed = cs_u256_word(&dispute->claimed);
	const struct cs_hash credited = cs_u256_word(&dispute->credited);
	uint8_t memory[HEAD_SIZE + STEPS_MAX * STEP_SIZE];
	struct cs_buf buf;
	cs_buf_init(&buf, memory, sizeof memory);
	cs_put_u8(&buf, (uint8_t)dispute->state);
	cs_put_word(&buf, &claimed);
	cs_put_word(&buf, &credited);
	cs_put_u8(&buf, dispute->step_count);
	for (size_t i = 0; i < dispute->step_count; i++) {
		const struct dispute_step *step = &dispute->steps[i];
		cs_put_u8(&buf, step->state);
		cs_put(&buf, CS_BYTES_OF(step->who.b));
		cs_put_u64(&buf, step->time_s);
		cs_put_word(&buf, &step->reason);
	}
	return ledger_put(call, cs_bytes(key.b, key.n), cs_buf_view(&buf));
}

enum cs_err usage_dispute_waits(struct ledger_call *call, bool *waits, const struct usage_id *id,
				uint64_t window_s)
{
	struct dispute dispute;
	CS_TRY(get_dispute(call, &dispute, id));
	*waits = dispute.state == DISPUTE_OPEN || dispute.state == DISPUTE_APPEALED ||
		 (dispute.state == DISPUTE_REJECTED &&
		  call->block->time_s < dispute.steps[dispute.step_count - 1].time_s + window_s);
	return CS_OK;
}

enum cs_err usage_dispute_forget(struct ledger_call *call, const struct usage_id *id)
{
	const struct ledger_key key = usage_id_key(KIND_DISPUTE, id);
	struct dispute dispute;
	CS_TRY(get_dispute(call, &dispute, id));
	return dispute.state == DISPUTE_NONE ? CS_OK : ledger_remove(call, cs_bytes(key.b, key.n));
}

/* ---- moves ---- */

struct stepping {
	struct usage_id id;
	struct usage_terms terms;
	struct usage_body body;
	struct dispute dispute;
};

static enum cs_err load(struct ledger_call *call, struct stepping *stepping)
{
	bool known;
	CS_TRY(usage_terms_get(call, &stepping->terms));
	CS_TRY(usage_body_get(call, &known, &stepping->body, LEDGER_USAGE_CHARGE, &stepping->id));
	if (!known)
		return ledger_revert_plain(call, "RecordUnknown()");
	return get_dispute(call, &stepping->dispute, &stepping->id);
}

static enum cs_err check_party(struct ledger_call *call, const struct stepping *stepping,
			       enum dispute_party by)
{
	static const struct cs_address nobody;
	const struct ledger_usage_record *record = &stepping->body.line.record;
	switch (by) {
	case BY_CONSUMER:
		return cs_address_eq(&call->sender, &record->consumer)
			       ? CS_OK
			       : ledger_revert_plain(call, "NotConsumer()");
	case BY_PROVIDER:
		return cs_address_eq(&call->sender, &record->provider)
			       ? CS_OK
			       : ledger_revert_plain(call, "NotProvider()");
	case BY_ARBITER:
		break;
	}
	return cs_address_eq(&call->sender, &stepping->terms.arbiter) &&
			       !cs_address_eq(&call->sender, &nobody)
		       ? CS_OK
		       : ledger_revert_plain(call, "NotArbiter()");
}

static enum cs_err check_window(struct ledger_call *call, const struct stepping *stepping,
				enum dispute_time when)
{
	const struct dispute *dispute = &stepping->dispute;
	const uint64_t begin = dispute->step_count == 0
				       ? stepping->body.line.time_s
				       : dispute->steps[dispute->step_count - 1].time_s;
	const uint64_t end = begin + stepping->terms.window_s;
	const bool over = call->block->time_s >= end;
	const struct cs_hash word = ledger_word_u64(end);
	if (when == IN_TIME && over)
		return ledger_revert(call, "DisputeLate(uint64)", LEDGER_WORDS(word));
	if (when == AFTER_IT && !over)
		return ledger_revert(call, "DisputeEarly(uint64)", LEDGER_WORDS(word));
	return CS_OK;
}

static const struct dispute_move *find_move(enum dispute_state from, enum dispute_state to)
{
	for (size_t i = 0; i < CS_LEN(moves); i++) {
		if (moves[i].from == from && moves[i].to == to)
			return &moves[i];
	}
	return NULL;
}

/* Checks the move and writes it, with who made it, when and why. */
static enum cs_err step(struct ledger_call *call, struct stepping *stepping, enum dispute_state to,
			const struct cs_hash *reason)
{
	struct dispute *dispute = &stepping->dispute;
	const struct ledger_usage_record *record = &stepping->body.line.record;
	const struct dispute_move *move = find_move(dispute->state, to);
	if (move == NULL)
		return ledger_revert(call, "DisputeStateIs(uint8)",
				     LEDGER_WORDS(ledger_word_u64((uint64_t)dispute->state)));
	CS_TRY(check_party(call, stepping, move->by));
	CS_TRY(check_window(call, stepping, move->when));
	cs_assert(dispute->step_count < STEPS_MAX);
	dispute->state = to;
	dispute->steps[dispute->step_count++] =
		(struct dispute_step){(uint8_t)to, call->sender, call->block->time_s, *reason};
	CS_TRY(put_dispute(call, dispute, &stepping->id));
	return ledger_emit_words(
		call,
		"UsageDisputed(bytes32,address,address,uint64,uint8,address,"
		"bytes32)",
		LEDGER_WORDS(record->enclave, ledger_word_address(&record->provider),
			     ledger_word_address(&record->consumer)),
		LEDGER_WORDS(ledger_word_u64(record->nonce), ledger_word_u64((uint64_t)to),
			     ledger_word_address(&call->sender), *reason));
}

static enum cs_err credit(struct ledger_call *call, const struct stepping *stepping,
			  const struct cs_hash *reason)
{
	const struct ledger_usage_line *charge = &stepping->body.line;
	struct ledger_usage_line line = {
		.kind = LEDGER_USAGE_CREDIT,
		.height = call->block->height,
		.time_s = call->block->time_s,
		.amount = stepping->dispute.credited,
		.decided_by = call->sender,
		.reason = *reason,
	};
	line.record.enclave = charge->record.enclave;
	line.record.nonce = charge->record.nonce;
	line.record.provider = charge->record.provider;
	line.record.consumer = charge->record.consumer;
	return cs_u256_is_zero(&line.amount) ? CS_OK : usage_append(call, &line, charge->time_s);
}

/* ---- functions ---- */

enum cs_err usage_dispute(struct ledger_call *call, struct cs_abi_reader *in, struct cs_abi *out)
{
	struct stepping stepping;
	struct cs_u256 amount;
	struct cs_hash reason;
	(void)out;
	CS_TRY(usage_id_read(in, &stepping.id));
	CS_TRY(cs_abi_get_u256(in, &amount));
	CS_TRY(cs_abi_get_word(in, &reason));
	CS_TRY(load(call, &stepping));
	if (cs_u256_is_zero(&amount) || cs_u256_cmp(&amount, &stepping.body.line.amount) > 0)
		return ledger_revert_plain(call, "AmountInvalid()");
	stepping.dispute.claimed = amount;
	return step(call, &stepping, DISPUTE_OPEN, &reason);
}

static enum cs_err step_plainly(struct ledger_call *call, struct cs_abi_reader *in,
				enum dispute_state to)
{
	struct stepping stepping;
	struct cs_hash reason;
	CS_TRY(usage_id_read(in, &stepping.id));
	CS_TRY(cs_abi_get_word(in, &reason));
	CS_TRY(load(call, &stepping));
	return step(call, &stepping, to, &reason);
}

enum cs_err usage_withdraw(struct ledger_call *call, struct cs_abi_reader *in, struct cs_abi *out)
{
	(void)out;
	return step_plainly(call, in, DISPUTE_WITHDRAWN);
}

enum cs_err usage_reject(struct ledger_call *call, struct cs_abi_reader *in, struct cs_abi *out)
{
	(void)out;
	return step_plainly(call, in, DISPUTE_REJECTED);
}

enum cs_err usage_appeal(struct ledger_call *call, struct cs_abi_reader *in, struct cs_abi *out)
{
	(void)out;
	return step_plainly(call, in, DISPUTE_APPEALED);
}

enum cs_err usage_accept(struct ledger_call *call, struct cs_abi_reader *in, struct cs_abi *out)
{
	struct stepping stepping;
	struct cs_hash reason;
	(void)out;
	CS_TRY(usage_id_read(in, &stepping.id));
	CS_TRY(cs_abi_get_word(in, &reason));
	CS_TRY(load(call, &stepping));
	stepping.dispute.credited = stepping.dispute.claimed;
	CS_TRY(step(call, &stepping, DISPUTE_ACCEPTED, &reason));
	return credit(call, &stepping, &reason);
}

enum cs_err usage_decide(struct ledger_call *call, struct cs_abi_reader *in, struct cs_abi *out)
{
	struct stepping stepping;
	struct cs_u256 amount;
	struct cs_hash reason;
	(void)out;
	CS_TRY(usage_id_read(in, &stepping.id));
	CS_TRY(cs_abi_get_u256(in, &amount));
	CS_TRY(cs_abi_get_word(in, &reason));
	CS_TRY(load(call, &stepping));
	const struct cs_u256 claimed = stepping.dispute.claimed;
	stepping.dispute.credited = amount;
	CS_TRY(step(call, &stepping, DISPUTE_DECIDED, &reason));
	if (cs_u256_cmp(&amount, &claimed) > 0)
		return ledger_revert_plain(call, "AmountInvalid()");
	return credit(call, &stepping, &reason);
}

enum cs_err usage_dispute_of(struct ledger_call *call, struct cs_abi_reader *in, struct cs_abi *out)
{
	struct dispute dispute;
	struct usage_id id;
	CS_TRY(usage_id_read(in, &id));
	CS_TRY(get_dispute(call, &dispute, &id));
	cs_abi_put_u64(out, (uint64_t)dispute.state);
	cs_abi_put_u256(out, &dispute.claimed);
	cs_abi_put_u256(out, &dispute.credited);
	cs_abi_put_u64(out, dispute.step_count);
	for (size_t i = 0; i < STEPS_MAX; i++) {
		cs_abi_put_u64(out, dispute.steps[i].state);
		cs_abi_put_address(out, &dispute.steps[i].who);
		cs_abi_put_u64(out, dispute.steps[i].time_s);
		cs_abi_put_word(out, &dispute.steps[i].reason);
	}
	return CS_OK;
}
