#include "relay_state/ledger/timelock.h"

#include "core/hash.h"
#include "relay_state/ledger/gas.h"
#include "relay_state/ledger/pairs.h"

#include <string.h>

#define KIND_POWERS 'p'
#define KIND_READY 't'

struct powers {
	struct cs_address owner;
	struct cs_address guardian;
	uint64_t delay_s;
	bool paused;
};
#define OWNER_AT 0u
#define GUARDIAN_AT 20u
#define DELAY_AT 40u
#define PAUSED_AT 48u
#define POWERS_SIZE 49u

static enum cs_err get_powers(struct ledger_call *call, struct powers *powers)
{
	uint8_t value[POWERS_SIZE];
	const struct ledger_key key = ledger_key(KIND_POWERS);
	CS_TRY(ledger_get_fixed(call, value, sizeof value, &key));
	memcpy(powers->owner.b, value + OWNER_AT, sizeof powers->owner.b);
	memcpy(powers->guardian.b, value + GUARDIAN_AT, sizeof powers->guardian.b);
	powers->delay_s = cs_be64(value + DELAY_AT);
	powers->paused = value[PAUSED_AT] != 0;
	return CS_OK;
}

static enum cs_err put_powers(struct ledger_call *call, const struct powers *powers)
{
	uint8_t value[POWERS_SIZE];
	const struct ledger_key key = ledger_key(KIND_POWERS);
	memcpy(value + OWNER_AT, powers->owner.b, sizeof powers->owner.b);
	memcpy(value + GUARDIAN_AT, powers->guardian.b, sizeof powers->guardian.b);
	cs_put_be64(value + DELAY_AT, powers->delay_s);
	value[PAUSED_AT] = powers->paused;
	return ledger_put_fixed(call, &key, value, sizeof value);
}

static bool is_nobody(const struct cs_address *address)
{
	static const struct cs_address nobody;
	return cs_address_eq(address, &nobody);
}

enum cs_err ledger_timelock_construct(struct ledger_call *call, const struct cs_address *owner,
				      const struct cs_address *guardian, uint64_t delay_s)
{
	if (is_nobody(owner))
		return cs_fail(call->why, CS_ERR_INVALID, "contract %u has no owner", call->number);
	if (delay_s > LEDGER_DELAY_MAX_S)
		return cs_fail(call->why, CS_ERR_INVALID, "contract %u: a delay above %u s",
			       call->number, LEDGER_DELAY_MAX_S);
	const struct powers powers = {*owner, *guardian, delay_s, false};
	return put_powers(call, &powers);
}

enum cs_err ledger_timelock_delay_get(struct ledger_call *call, uint64_t *delay_s)
{
	struct powers powers;
	CS_TRY(get_powers(call, &powers));
	*delay_s = powers.delay_s;
	return CS_OK;
}

/* ---- who may ---- */

static enum cs_err check_owner(struct ledger_call *call, const struct powers *powers)
{
	return cs_address_eq(&call->sender, &powers->owner)
		       ? CS_OK
		       : ledger_revert_plain(call, "NotOwner()");
}

/* As a contract without a guardian has the zero address there, which nobody calls from but a
 * question: it is nobody here. */
static enum cs_err check_owner_or_guardian(struct ledger_call *call, const struct powers *powers)
{
	bool guards =
		!is_nobody(&powers->guardian) && cs_address_eq(&call->sender, &powers->guardian);
	return guards || cs_address_eq(&call->sender, &powers->owner)
		       ? CS_OK
		       : ledger_revert_plain(call, "NotOwnerOrGuardian()");
}

enum cs_err ledger_only_owner(struct ledger_call *call)
{
	struct powers powers;
	CS_TRY(get_powers(call, &powers));
	return check_owner(call, &powers);
}

enum cs_err ledger_only_owner_or_guardian(struct ledger_call *call)
{
	struct powers powers;
	CS_TRY(get_powers(call, &powers));
	return check_owner_or_guardian(call, &powers);
}

enum cs_err ledger_not_paused(struct ledger_call *call)
{
	struct powers powers;
	CS_TRY(get_powers(call, &powers));
	return powers.paused ? ledger_revert_plain(call, "InPause()") : CS_OK;
}

/* ---- what waits ---- */

static enum cs_err hash_operation(struct ledger_call *call, struct cs_hash *id,
				  struct cs_bytes operation)
{
	CS_TRY(ledger_use_gas(call, LEDGER_GAS_HASH));
	*id = cs_keccak256(operation);
	return CS_OK;
}

static enum cs_err get_ready(struct ledger_call *call, uint64_t *ready_s, const struct cs_hash *id)
{
	uint8_t value[sizeof *ready_s];
	const struct ledger_key key = ledger_key_of(KIND_READY, CS_BYTES_OF(id->b));
	CS_TRY(ledger_get_fixed(call, value, sizeof value, &key));
	*ready_s = cs_be64(value);
	return CS_OK;
}

static enum cs_err forget(struct ledger_call *call, const struct cs_hash *id)
{
	const struct ledger_key key = ledger_key_of(KIND_READY, CS_BYTES_OF(id->b));
	return ledger_remove(call, cs_bytes(key.b, key.n));
}

enum cs_err ledger_after_delay(struct ledger_call *call)
{
	struct cs_hash id;
	uint64_t ready_s;
	CS_TRY(ledger_only_owner(call));
	CS_TRY(hash_operation(call, &id, call->input));
	CS_TRY(get_ready(call, &ready_s, &id));
	if (ready_s == 0)
		return ledger_revert_plain(call, "OperationUnknown()");
	if (call->block->time_s < ready_s) {
		struct cs_hash word = ledger_word_u64(ready_s);
		return ledger_revert(call, "OperationEarly(uint256)", &word, 1);
	}
	if (call->block->time_s >= ready_s + LEDGER_OPERATION_LIFETIME_S)
		return ledger_revert_plain(call, "OperationLate()");
	CS_TRY(forget(call, &id));
	return ledger_emit_words(call, "OperationExecuted(bytes32)", &id, 1, LEDGER_NO_WORDS);
}

static enum cs_err emit_scheduled(struct ledger_call *call, const struct cs_hash *id,
				  struct cs_bytes operation, uint64_t ready_s)
{
	struct cs_buf buf;
	struct cs_abi abi;
	struct cs_hash topics[] = {cs_abi_topic("OperationScheduled(bytes32,bytes,uint256)"), *id};
	CS_TRY(cs_buf_init_arena(&buf, call->arena, 3 * sizeof *id + operation.n + 31));
	cs_abi_init(&abi, &buf);
	size_t slot = cs_abi_slot(&abi);
	cs_abi_put_u64(&abi, ready_s);
	cs_abi_put_bytes(&abi, slot, operation);
	return ledger_emit(call, topics, CS_LEN(topics), cs_buf_view(&buf));
}

enum cs_err ledger_timelock_schedule(struct ledger_call *call, struct cs_abi_reader *in,
				     struct cs_abi *out)
{
	struct powers powers;
	struct cs_bytes operation;
	struct cs_hash id;
	uint64_t ready_s;
	const uint64_t now_s = call->block->time_s;
	CS_TRY(cs_abi_get_bytes(in, LEDGER_OPERATION_SIZE_MAX, &operation));
	CS_TRY(get_powers(call, &powers));
	CS_TRY(check_owner(call, &powers));
	CS_TRY(hash_operation(call, &id, operation));
	CS_TRY(get_ready(call, &ready_s, &id));
	if (ready_s != 0 && now_s < ready_s + LEDGER_OPERATION_LIFETIME_S)
		return ledger_revert_plain(call, "OperationPending()");
	uint8_t value[sizeof ready_s];
	const struct ledger_key key = ledger_key_of(KIND_READY, CS_BYTES_OF(id.b));
	cs_put_be64(value, now_s + powers.delay_s);
	CS_TRY(ledger_put_fixed(call, &key, value, sizeof value));
	cs_abi_put_word(out, &id);
	return emit_scheduled(call, &id, operation, now_s + powers.delay_s);
}

/* A change of guardian is the owner's to cancel: else a stolen guardian's key could never be
 * replaced. */
static bool changes_guardian(struct cs_bytes operation)
{
	const struct cs_hash topic = cs_abi_topic("setGuardian(address)");
	return operation.n >= 4 && memcmp(operation.p, topic.b, 4) == 0;
}

enum cs_err ledger_timelock_cancel(struct ledger_call *call, struct cs_abi_reader *in,
				   struct cs_abi *out)
{
	struct powers powers;
	struct cs_bytes operation;
	struct cs_hash id;
	uint64_t ready_s;
	(void)out;
	CS_TRY(cs_abi_get_bytes(in, LEDGER_OPERATION_SIZE_MAX, &operation));
	CS_TRY(get_powers(call, &powers));
	CS_TRY(check_owner_or_guardian(call, &powers));
	if (changes_guardian(operation))
		CS_TRY(check_owner(call, &powers));
	CS_TRY(hash_operation(call, &id, operation));
	CS_TRY(get_ready(call, &ready_s, &id));
	if (ready_s == 0)
		return ledger_revert_plain(call, "OperationUnknown()");
	CS_TRY(forget(call, &id));
	return ledger_emit_words(call, "OperationCancelled(bytes32)", &id, 1, LEDGER_NO_WORDS);
}

enum cs_err ledger_timelock_set_owner(struct ledger_call *call, struct cs_abi_reader *in,
				      struct cs_abi *out)
{
	struct powers powers;
	struct cs_address owner;
	(void)out;
	CS_TRY(cs_abi_get_address(in, &owner));
	CS_TRY(ledger_after_delay(call));
	if (is_nobody(&owner))
		return ledger_revert_plain(call, "NoOwner()");
	CS_TRY(get_powers(call, &powers));
	powers.owner = owner;
	CS_TRY(put_powers(call, &powers));
	return ledger_emit_words(call, "OwnerChanged(address)",
				 LEDGER_WORDS(ledger_word_address(&owner)), LEDGER_NO_WORDS);
}

enum cs_err ledger_timelock_set_guardian(struct ledger_call *call, struct cs_abi_reader *in,
					 struct cs_abi *out)
{
	struct powers powers;
	struct cs_address guardian;
	(void)out;
	CS_TRY(cs_abi_get_address(in, &guardian));
	CS_TRY(ledger_after_delay(call));
	CS_TRY(get_powers(call, &powers));
	powers.guardian = guardian;
	CS_TRY(put_powers(call, &powers));
	return ledger_emit_words(call, "GuardianChanged(address)",
				 LEDGER_WORDS(ledger_word_address(&guardian)), LEDGER_NO_WORDS);
}

/* ---- the pause ---- */

static enum cs_err set_paused(struct ledger_call *call, bool paused)
{
	struct powers powers;
	CS_TRY(get_powers(call, &powers));
	powers.paused = paused;
	CS_TRY(put_powers(call, &powers));
	return ledger_emit_words(call, "Paused(bool)", LEDGER_NO_WORDS,
				 LEDGER_WORDS(ledger_word_u64(paused)));
}

/* Stops what begins here; what has begun is still delivered, finalized and refunded. */
enum cs_err ledger_timelock_pause(struct ledger_call *call, struct cs_abi_reader *in,
				  struct cs_abi *out)
{
	(void)in;
	(void)out;
	CS_TRY(ledger_only_owner_or_guardian(call));
	return set_paused(call, true);
}

enum cs_err ledger_timelock_unpause(struct ledger_call *call, struct cs_abi_reader *in,
				    struct cs_abi *out)
{
	(void)in;
	(void)out;
	CS_TRY(ledger_only_owner(call));
	return set_paused(call, false);
}

/* ---- views ---- */

enum cs_err ledger_timelock_owner(struct ledger_call *call, struct cs_abi_reader *in,
				  struct cs_abi *out)
{
	struct powers powers;
	(void)in;
	CS_TRY(get_powers(call, &powers));
	cs_abi_put_address(out, &powers.owner);
	return CS_OK;
}

enum cs_err ledger_timelock_guardian(struct ledger_call *call, struct cs_abi_reader *in,
				     struct cs_abi *out)
{
	struct powers powers;
	(void)in;
	CS_TRY(get_powers(call, &powers));
	cs_abi_put_address(out, &powers.guardian);
	return CS_OK;
}

enum cs_err ledger_timelock_delay(struct ledger_call *call, struct cs_abi_reader *in,
				  struct cs_abi *out)
{
	struct powers powers;
	(void)in;
	CS_TRY(get_powers(call, &powers));
	cs_abi_put_u64(out, powers.delay_s);
	return CS_OK;
}

enum cs_err ledger_timelock_lifetime(struct ledger_call *call, struct cs_abi_reader *in,
				     struct cs_abi *out)
{
	(void)call;
	(void)in;
	cs_abi_put_u64(out, LEDGER_OPERATION_LIFETIME_S);
	return CS_OK;
}

enum cs_err ledger_timelock_ready_at(struct ledger_call *call, struct cs_abi_reader *in,
				     struct cs_abi *out)
{
	struct cs_hash id;
	uint64_t ready_s;
	CS_TRY(cs_abi_get_word(in, &id));
	CS_TRY(get_ready(call, &ready_s, &id));
	cs_abi_put_u64(out, ready_s);
	return CS_OK;
}

enum cs_err ledger_timelock_paused(struct ledger_call *call, struct cs_abi_reader *in,
				   struct cs_abi *out)
{
	struct powers powers;
	(void)in;
	CS_TRY(get_powers(call, &powers));
	cs_abi_put_u64(out, powers.paused);
	return CS_OK;
}
