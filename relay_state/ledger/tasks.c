#include "relay_state/ledger/tasks.h"

#include "core/hash.h"
#include "core/reader.h"
#include "relay_state/ledger/gas.h"
#include "relay_state/ledger/pairs.h"
#include "relay_state/ledger/signers.h"

#include <string.h>

#define KIND_TERMS 'g'
#define KIND_COUNT 'n'
#define KIND_TASK 't'

struct task {
	enum ledger_task_state state;
	struct cs_address submitter;
	struct cs_hash code;
	struct cs_hash input;
	uint64_t deadline_s;
	uint64_t submitted_s;
	uint64_t changed_s;
	struct cs_hash enclave;
	struct cs_hash first;
	struct cs_hash second;
};
#define TASK_SIZE 205u

enum task_event {
	ON_SUBMIT,
	ON_START,
	ON_DONE,
	ON_FAIL,
	ON_CANCEL,
	ON_EXPIRE,
};

/* Every move; there is no other. */
static const struct task_move {
	enum ledger_task_state from;
	enum task_event on;
	enum ledger_task_state to;
} moves[] = {
	{LEDGER_TASK_NONE, ON_SUBMIT, LEDGER_TASK_SUBMITTED},
	{LEDGER_TASK_SUBMITTED, ON_START, LEDGER_TASK_RUNNING},
	{LEDGER_TASK_SUBMITTED, ON_CANCEL, LEDGER_TASK_FAILED},
	{LEDGER_TASK_SUBMITTED, ON_EXPIRE, LEDGER_TASK_FAILED},
	{LEDGER_TASK_RUNNING, ON_DONE, LEDGER_TASK_DONE},
	{LEDGER_TASK_RUNNING, ON_FAIL, LEDGER_TASK_FAILED},
	{LEDGER_TASK_RUNNING, ON_EXPIRE, LEDGER_TASK_FAILED},
};

/* ---- state ---- */

enum cs_err ledger_tasks_construct(struct ledger_call *call, bool insecure)
{
	const uint8_t value = insecure;
	const struct ledger_key key = ledger_key(KIND_TERMS);
	return ledger_put_fixed(call, &key, &value, sizeof value);
}

static enum cs_err get_insecure(struct ledger_call *call, bool *insecure)
{
	uint8_t value;
	const struct ledger_key key = ledger_key(KIND_TERMS);
	CS_TRY(ledger_get_fixed(call, &value, sizeof value, &key));
	*insecure = value != 0;
	return CS_OK;
}

/* All zeros, state NONE, where there is none. */
static enum cs_err get_task(struct ledger_call *call, struct task *task, const struct cs_hash *id)
{
	uint8_t value[TASK_SIZE];
	struct cs_reader reader;
	const struct ledger_key key = ledger_key_of(KIND_TASK, CS_BYTES_OF(id->b));
	CS_TRY(ledger_get_fixed(call, value, sizeof value, &key));
	cs_reader_init(&reader, CS_BYTES_OF(value));
	task->state = (enum ledger_task_state)cs_get_u8(&reader);
	cs_get_copy(&reader, task->submitter.b, sizeof task->submitter.b);
	cs_get_copy(&reader, task->code.b, sizeof task->code.b);
	cs_get_copy(&reader, task->input.b, sizeof task->input.b);
	task->deadline_s = cs_get_u64(&reader);
	task->submitted_s = cs_get_u64(&reader);
	task->changed_s = cs_get_u64(&reader);
	cs_get_copy(&reader, task->enclave.b, sizeof task->enclave.b);
	cs_get_copy(&reader, task->first.b, sizeof task->first.b);
	cs_get_copy(&reader, task->second.b, sizeof task->second.b);
	return cs_reader_end(&reader);
}

static enum cs_err put_task(struct ledger_call *call, const struct task *task,
			    const struct cs_hash *id)
{
	uint8_t value[TASK_SIZE];
	struct cs_buf buf;
	const struct ledger_key key = ledger_key_of(KIND_TASK, CS_BYTES_OF(id->b));
	cs_buf_init(&buf, value, sizeof value);
	cs_put_u8(&buf, (uint8_t)task->state);
	cs_put(&buf, CS_BYTES_OF(task->submitter.b));
	cs_put_word(&buf, &task->code);
	cs_put_word(&buf, &task->input);
	cs_put_u64(&buf, task->deadline_s);
	cs_put_u64(&buf, task->submitted_s);
	cs_put_u64(&buf, task->changed_s);
	cs_put_word(&buf, &task->enclave);
	cs_put_word(&buf, &task->first);
	cs_put_word(&buf, &task->second);
	cs_assert(buf.n == TASK_SIZE && !buf.failed);
	return ledger_put_fixed(call, &key, value, sizeof value);
}

/* ---- moves ---- */

static enum cs_err move(struct ledger_call *call, struct task *task, enum task_event on)
{
	for (size_t i = 0; i < CS_LEN(moves); i++) {
		if (moves[i].from == task->state && moves[i].on == on) {
			task->state = moves[i].to;
			task->changed_s = call->block->time_s;
			return CS_OK;
		}
	}
	return task->state == LEDGER_TASK_NONE
		       ? ledger_revert_plain(call, "TaskUnknown()")
		       : ledger_revert(call, "TaskStateIs(uint8)",
				       LEDGER_WORDS(ledger_word_u64((uint64_t)task->state)));
}

static enum cs_err finish(struct ledger_call *call, const struct task *task,
			  const struct cs_hash *id)
{
	CS_TRY(put_task(call, task, id));
	return ledger_emit_words(call, "TaskChanged(bytes32,uint8,bytes32,bytes32,bytes32)",
				 LEDGER_WORDS(*id),
				 LEDGER_WORDS(ledger_word_u64((uint64_t)task->state), task->enclave,
					      task->first, task->second));
}

struct cs_hash ledger_task_digest(const struct ledger_task_step *step, const struct cs_hash *chain,
				  bool insecure)
{
	const struct cs_hash words[] = {
		cs_keccak256(cs_bytes_str(insecure ? "caisson/task/step/v1/insecure"
						   : "caisson/task/step/v1")),
		*chain,
		step->id,
		ledger_word_u64((uint64_t)step->state),
		step->enclave,
		step->first,
		step->second,
	};
	return cs_keccak256(cs_bytes(words, sizeof words));
}

static enum cs_err read_signature(struct cs_abi_reader *in, uint8_t signature[64])
{
	struct cs_hash r, s;
	CS_TRY(cs_abi_get_word(in, &r));
	CS_TRY(cs_abi_get_word(in, &s));
	memcpy(signature, r.b, sizeof r.b);
	memcpy(signature + sizeof r.b, s.b, sizeof s.b);
	return CS_OK;
}

/* A step that the task's enclave makes, within the deadline. */
static enum cs_err step_by_enclave(struct ledger_call *call, struct task *task,
				   const struct cs_hash *id, enum task_event on,
				   const uint8_t signature[64])
{
	struct cs_hash chain;
	bool insecure;
	CS_TRY(move(call, task, on));
	if (call->block->time_s >= task->deadline_s)
		return ledger_revert_plain(call, "DeadlinePassed()");
	CS_TRY(get_insecure(call, &insecure));
	CS_TRY(ledger_signers_chain(call, &chain));
	const struct ledger_task_step step = {*id, task->state, task->enclave, task->first,
					      task->second};
	const struct cs_hash digest = ledger_task_digest(&step, &chain, insecure);
	CS_TRY(ledger_signers_check(call, &task->enclave, LEDGER_SIGNER_ROLE_COMPUTE, signature,
				    &digest));
	return finish(call, task, id);
}

/* ---- functions ---- */

static enum cs_err next_id(struct ledger_call *call, struct cs_hash *id)
{
	struct cs_hash words[4];
	uint8_t be[sizeof(uint64_t)];
	const struct ledger_key key = ledger_key_of(KIND_COUNT, CS_BYTES_OF(call->sender.b));
	CS_TRY(ledger_get_fixed(call, be, sizeof be, &key));
	const uint64_t count = cs_be64(be);
	words[0] = cs_keccak256(cs_bytes_str("caisson/task/v1"));
	CS_TRY(ledger_signers_chain(call, &words[1]));
	words[2] = ledger_word_address(&call->sender);
	words[3] = ledger_word_u64(count);
	cs_put_be64(be, count + 1);
	CS_TRY(ledger_put_fixed(call, &key, be, sizeof be));
	*id = cs_keccak256(cs_bytes(words, sizeof words));
	return CS_OK;
}

static enum cs_err submit(struct ledger_call *call, struct cs_abi_reader *in, struct cs_abi *out)
{
	struct task task = {.submitter = call->sender, .submitted_s = call->block->time_s};
	struct cs_hash id;
	CS_TRY(cs_abi_get_word(in, &task.code));
	CS_TRY(cs_abi_get_word(in, &task.input));
	CS_TRY(cs_abi_get_u64(in, &task.deadline_s));
	if (task.deadline_s <= call->block->time_s ||
	    task.deadline_s - call->block->time_s > LEDGER_TASK_LIFETIME_MAX_S)
		return ledger_revert_plain(call, "DeadlineInvalid()");
	CS_TRY(next_id(call, &id));
	CS_TRY(move(call, &task, ON_SUBMIT));
	CS_TRY(put_task(call, &task, &id));
	cs_abi_put_word(out, &id);
	return ledger_emit_words(
		call, "TaskSubmitted(bytes32,address,bytes32,bytes32,uint64)",
		LEDGER_WORDS(id, ledger_word_address(&task.submitter)),
		LEDGER_WORDS(task.code, task.input, ledger_word_u64(task.deadline_s)));
}

static enum cs_err start(struct ledger_call *call, struct cs_abi_reader *in, struct cs_abi *out)
{
	struct task task;
	struct cs_hash id, enclave;
	uint8_t signature[64];
	(void)out;
	CS_TRY(cs_abi_get_word(in, &id));
	CS_TRY(cs_abi_get_word(in, &enclave));
	CS_TRY(read_signature(in, signature));
	CS_TRY(get_task(call, &task, &id));
	task.enclave = enclave;
	return step_by_enclave(call, &task, &id, ON_START, signature);
}

static enum cs_err done(struct ledger_call *call, struct cs_abi_reader *in, struct cs_abi *out)
{
	struct task task;
	struct cs_hash id, result, attestation;
	uint8_t signature[64];
	(void)out;
	CS_TRY(cs_abi_get_word(in, &id));
	CS_TRY(cs_abi_get_word(in, &result));
	CS_TRY(cs_abi_get_word(in, &attestation));
	CS_TRY(read_signature(in, signature));
	CS_TRY(get_task(call, &task, &id));
	task.first = result;
	task.second = attestation;
	return step_by_enclave(call, &task, &id, ON_DONE, signature);
}

static enum cs_err fail(struct ledger_call *call, struct cs_abi_reader *in, struct cs_abi *out)
{
	struct task task;
	struct cs_hash id, reason;
	uint8_t signature[64];
	(void)out;
	CS_TRY(cs_abi_get_word(in, &id));
	CS_TRY(cs_abi_get_word(in, &reason));
	CS_TRY(read_signature(in, signature));
	CS_TRY(get_task(call, &task, &id));
	task.first = reason;
	return step_by_enclave(call, &task, &id, ON_FAIL, signature);
}

static enum cs_err cancel(struct ledger_call *call, struct cs_abi_reader *in, struct cs_abi *out)
{
	struct task task;
	struct cs_hash id;
	(void)out;
	CS_TRY(cs_abi_get_word(in, &id));
	CS_TRY(get_task(call, &task, &id));
	CS_TRY(move(call, &task, ON_CANCEL));
	if (!cs_address_eq(&call->sender, &task.submitter))
		return ledger_revert_plain(call, "NotSubmitter()");
	return finish(call, &task, &id);
}

static enum cs_err expire(struct ledger_call *call, struct cs_abi_reader *in, struct cs_abi *out)
{
	struct task task;
	struct cs_hash id;
	(void)out;
	CS_TRY(cs_abi_get_word(in, &id));
	CS_TRY(get_task(call, &task, &id));
	CS_TRY(move(call, &task, ON_EXPIRE));
	if (call->block->time_s < task.deadline_s)
		return ledger_revert_plain(call, "DeadlineAhead()");
	return finish(call, &task, &id);
}

static enum cs_err task_of(struct ledger_call *call, struct cs_abi_reader *in, struct cs_abi *out)
{
	struct task task;
	struct cs_hash id;
	CS_TRY(cs_abi_get_word(in, &id));
	CS_TRY(get_task(call, &task, &id));
	if (task.state == LEDGER_TASK_NONE)
		return ledger_revert_plain(call, "TaskUnknown()");
	cs_abi_put_u64(out, (uint64_t)task.state);
	cs_abi_put_address(out, &task.submitter);
	cs_abi_put_word(out, &task.code);
	cs_abi_put_word(out, &task.input);
	cs_abi_put_u64(out, task.deadline_s);
	cs_abi_put_u64(out, task.submitted_s);
	cs_abi_put_u64(out, task.changed_s);
	cs_abi_put_word(out, &task.enclave);
	cs_abi_put_word(out, &task.first);
	cs_abi_put_word(out, &task.second);
	return CS_OK;
}

static enum cs_err is_insecure(struct ledger_call *call, struct cs_abi_reader *in,
			       struct cs_abi *out)
{
	bool insecure;
	(void)in;
	CS_TRY(get_insecure(call, &insecure));
	cs_abi_put_u64(out, insecure);
	return CS_OK;
}

/* clang-format off */
static const struct ledger_function functions[] = {
	{"submit(bytes32,bytes32,uint64)", 0x0e58f1b5, 3, false, 0, submit},
	{"start(bytes32,bytes32,bytes32,bytes32)", 0xccd9d807, 4, false, 0, start},
	{"done(bytes32,bytes32,bytes32,bytes32,bytes32)", 0x39d1be76, 5, false, 0, done},
	{"fail(bytes32,bytes32,bytes32,bytes32)", 0xc19bfe80, 4, false, 0, fail},
	{"cancel(bytes32)", 0xc4d252f5, 1, false, 0, cancel},
	{"expire(bytes32)", 0xc6441798, 1, false, 0, expire},
	{"taskOf(bytes32)", 0x234bdfaa, 1, false, 0, task_of},
	{"insecure()", 0x783075c6, 0, false, 0, is_insecure},
};
/* clang-format on */

const struct ledger_contract ledger_tasks = {
	.name = "tasks",
	.number = LEDGER_TASKS_NUMBER,
	.functions = functions,
	.function_count = CS_LEN(functions),
};
