/* Contract 8, tasks of off-chain compute: what was asked for, which enclave took it, what came of it, as
 * states and hashes. It runs nothing, holds no data, and judges no result; it believes enclaves of the
 * register (contract 4) about their own tasks alone.
 *
 *     id     = H( TAG("caisson/task/v1") ‖ chain tag ‖ submitter ‖ count of the submitter's tasks before )
 *     digest = H( TAG(domain) ‖ chain tag ‖ id ‖ state ‖ enclave ‖ first ‖ second )
 *     domain = caisson/task/step/v1, or caisson/task/step/v1/insecure where insecure enclaves are taken
 *
 * words, H being keccak-256; BIP-340 by the enclave's key. State 2 (running): 0, 0. State 3 (done): result,
 * attestation digest. State 4 (failed): reason, 0.
 *
 *     function submit(bytes32 code, bytes32 input, uint64 deadline) returns (bytes32 id)
 *     function start(bytes32 id, bytes32 enclave, bytes32 r, bytes32 s)
 *     function done(bytes32 id, bytes32 result, bytes32 attestation, bytes32 r, bytes32 s)
 *     function fail(bytes32 id, bytes32 reason, bytes32 r, bytes32 s)
 *     function cancel(bytes32 id)                   the submitter, before it runs
 *     function expire(bytes32 id)                   anybody, from the deadline on
 *     function taskOf(bytes32 id) view returns (uint8 state, address submitter, bytes32 code, bytes32 input,
 *              uint64 deadline, uint64 submitted, uint64 changed, bytes32 enclave, bytes32 first, bytes32 second)
 *     function insecure() view returns (bool)
 *
 *     event TaskSubmitted(bytes32 indexed id, address indexed submitter, bytes32 code, bytes32 input,
 *                         uint64 deadline)
 *     event TaskChanged(bytes32 indexed id, uint8 state, bytes32 enclave, bytes32 first, bytes32 second)
 *
 *     error TaskUnknown()
 *     error TaskStateIs(uint8 state)                 the table has no such move
 *     error DeadlineInvalid()                        passed, or more than a year away
 *     error DeadlinePassed()    error DeadlineAhead()    error NotSubmitter()
 *
 * Own state: 'g' insecure (1); 'n' ‖ submitter (20): count (8); 't' ‖ id: the task. */
#ifndef LEDGER_TASKS_H
#define LEDGER_TASKS_H

#include "relay_state/ledger/contract.h"

#define LEDGER_TASKS_NUMBER 8u
/* A task that nobody ends is one that nobody waits for. */
#define LEDGER_TASK_LIFETIME_MAX_S (366u * 86400)

enum ledger_task_state {
	LEDGER_TASK_NONE = 0,
	LEDGER_TASK_SUBMITTED = 1,
	LEDGER_TASK_RUNNING = 2,
	LEDGER_TASK_DONE = 3,
	LEDGER_TASK_FAILED = 4,
};

extern const struct ledger_contract ledger_tasks;

/* At genesis, `call` being a call of contract 8 by nobody. insecure: for ever. */
CS_NODISCARD enum cs_err ledger_tasks_construct(struct ledger_call *call, bool insecure);

/* What an enclave signs of a task. */
struct ledger_task_step {
	struct cs_hash id;
	enum ledger_task_state state;
	struct cs_hash enclave; /* x of its key */
	struct cs_hash first;
	struct cs_hash second;
};
struct cs_hash ledger_task_digest(const struct ledger_task_step *step, const struct cs_hash *chain,
				  bool insecure);

#endif
