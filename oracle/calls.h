/* Calldata of the oracle's and the feeds' contracts (docs/protocol/oracle.md section 9): what is called,
 * in bytes. It never sends anything. announceRotation is wire_evm_call_announce_rotation. */
#ifndef ORACLE_CALLS_H
#define ORACLE_CALLS_H

#include "core/buf.h"
#include "wire/envelope.h"
#include "wire/oracle.h"

/* Items of one call: the leaves of a statement. */
#define ORACLE_CALL_ITEMS_MAX 16u

/* head: of the request that is answered. value: a view, empty unless code is 0. */
struct oracle_fulfil_item {
	const struct wire_request *head;
	uint8_t code;
	uint64_t observed_at;
	struct cs_hash evidence_hash;
	struct cs_bytes value;
};

struct oracle_submit_item {
	uint64_t index;
	uint64_t observed_at;
	struct cs_hash spec_hash;
	struct cs_hash evidence_hash;
	struct cs_hash value; /* int256 */
};

/* st: the statement with the path of these items. INVALID: none or more than ORACLE_CALL_ITEMS_MAX.
 * TOO_LARGE: the buffer. */
CS_NODISCARD enum cs_err oracle_call_fulfil(struct cs_buf *buf, const struct wire_signed *st,
					    const struct oracle_fulfil_item *items, size_t count);
/* Upper bound of that calldata's size, for the buffer. */
size_t oracle_call_fulfil_size(const struct wire_signed *st, const struct oracle_fulfil_item *items,
			       size_t count);
CS_NODISCARD enum cs_err oracle_call_submit(struct cs_buf *buf, const struct wire_signed *st,
					    const struct oracle_submit_item *items, size_t count);
#define ORACLE_CALL_SUBMIT_SIZE_MAX (4u + 32u * (12u + CS_PATH_MAX + 5u * ORACLE_CALL_ITEMS_MAX))
CS_NODISCARD enum cs_err oracle_call_refund(struct cs_buf *buf, const struct wire_request *head);
#define ORACLE_CALL_REFUND_SIZE (4u + 32u * 11u)
CS_NODISCARD enum cs_err oracle_call_state_of(struct cs_buf *buf, const struct cs_hash *request_id);
#define ORACLE_CALL_STATE_OF_SIZE (4u + 32u)

/* Of contract 9 of a ledger (relay_state/ledger/answers.h): one answer as it was signed, for whomever;
 * st: the statement with the path of its leaf. */
struct oracle_record_item {
	struct cs_hash request_id;
	struct cs_hash spec_hash;
	uint8_t code;
	uint64_t observed_at;
	struct cs_hash evidence_hash;
	struct cs_bytes value; /* a view, empty unless code is 0 */
};
CS_NODISCARD enum cs_err oracle_call_record(struct cs_buf *buf, const struct wire_signed *st,
					    const struct oracle_record_item *item);
size_t oracle_call_record_size(const struct wire_signed *st, const struct oracle_record_item *item);

/* What stateOf says. */
enum oracle_contract_state {
	ORACLE_AT_CONTRACT_UNKNOWN = 0,
	ORACLE_AT_CONTRACT_OPEN = 1,
	ORACLE_AT_CONTRACT_ANSWERED = 2,
	ORACLE_AT_CONTRACT_REFUNDED = 3,
};
/* MALFORMED and the codec's errors for what stateOf cannot return. */
CS_NODISCARD enum cs_err oracle_call_read_state(enum oracle_contract_state *state, uint8_t *code,
						struct cs_bytes returned);

#endif
