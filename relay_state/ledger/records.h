/* Contract 5: what gateways and enclaves did, for everybody to see: one record for each move of each
 * message by the table of relay_state/relay, leases of routes, and anchors against rollback of sealed
 * state. Moves no money and decides no message; enclaves and their keys are contract 4's.
 *
 * A message has two histories, the source's and the destination's (relay.h). A record says at which
 * place of which history it stands: the same record again changes nothing, another one at a place
 * that is taken is kept beside it as a conflict.
 *
 * Own state beside that of timelock.h, numbers big-endian:
 *
 *     'g' ‖ account ‖ identity               1: this gateway's account reports for that chain's side
 *     'm' ‖ message ‖ side                   state (1) ‖ records (1) ‖ conflicts (1) ‖ source (32) ‖ destination (32)
 *     'r' ‖ message ‖ side ‖ index           a record: from (1) ‖ event (1) ‖ to (1) ‖ height (8) ‖ block (32) ‖ tx (32)
 *                                            ‖ digest (32) ‖ reporter's kind (1) ‖ reporter (32) ‖ time (8)
 *     'k' ‖ message ‖ side ‖ n               a conflict: the record's index (1) ‖ the other record, as above
 *     'n' ‖ source ‖ destination ‖ side      how many messages are in each state, 1 to 13 (8 each)
 *     'l' ‖ source ‖ destination ‖ side      a lease: holder (20) ‖ until (8) ‖ fencing number (8)
 *     'a' ‖ lineage ‖ identity               an anchor: epoch (8) ‖ counter (8) ‖ digest (32) ‖ time (8)
 *     'd' ‖ lineage ‖ identity               the first conflict of anchors: epoch (8) ‖ counter (8) ‖ known digest (32)
 *                                            ‖ other digest (32) ‖ time (8)
 *     'c' ‖ lineage ‖ key                    how far a key server of a key cluster is (verify/anchor_answers.h)
 */
#ifndef LEDGER_RECORDS_H
#define LEDGER_RECORDS_H

#include "relay_state/ledger/contract.h"
#include "relay_state/relay/relay.h"

#define LEDGER_RECORDS_NUMBER 5u
/* Records of one call: a gateway writes those of a block at once. */
#define LEDGER_RECORDS_BATCH_MAX 64u
/* Of one side of a message: its eighteen steps, and reorganisations and retries of years. */
#define LEDGER_RECORDS_PER_SIDE_MAX 64u
/* That are kept of one side of a message; more are counted. */
#define LEDGER_RECORD_CONFLICTS_MAX 8u
/* A gateway that died holds up its route no longer than this. */
#define LEDGER_LEASE_MAX_S 600u

extern const struct ledger_contract ledger_records;

enum ledger_reporter_kind {
	LEDGER_REPORTER_GATEWAY = 1, /* an account; a word */
	LEDGER_REPORTER_ENCLAVE = 2, /* x of a key of contract 4 */
};

/* What a record says: eleven words of calldata. */
struct ledger_record {
	struct cs_hash message_id;
	struct cs_hash source;
	struct cs_hash destination;
	uint8_t side;  /* enum relay_side */
	uint8_t index; /* of the side's history */
	uint8_t from;  /* enum relay_state; 0 before the first */
	uint8_t event; /* enum relay_event, in the order of events.def, from 0 */
	uint64_t height;
	struct cs_hash block;
	struct cs_hash tx;
	struct cs_hash digest; /* of the statement that the step is about; zero: none */
};
#define LEDGER_RECORD_WORDS 11u

/* What an enclave signs of records (of an anchor: verify/cometbft/anchor.h); `own` is the register's
 * identity. */
struct cs_hash ledger_records_digest(const struct cs_hash *own, const struct ledger_record *records,
				     size_t count);

/* At genesis, `call` being a call of contract 5 by nobody. The errors of ledger_timelock_construct. */
CS_NODISCARD enum cs_err ledger_records_construct(struct ledger_call *call,
						  const struct cs_address *owner,
						  const struct cs_address *guardian,
						  uint64_t delay_s);

#endif
