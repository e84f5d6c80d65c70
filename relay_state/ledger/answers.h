/* Contract 9: what oracles answered and which values they gave for feeds, with the statements checked
 * by the keys of contract 4 (role oracle) and the preimages of docs/protocol/oracle.md. Keeps what was
 * said to others too: the receiver is a part of what was signed, and need not be of this ledger. Calls
 * nobody back and takes no fee.
 *
 * Own state, numbers big-endian:
 *
 *     'a' ‖ oracle ‖ request     an answer: code (1) ‖ observed (8) ‖ spec (32) ‖ evidence (32) ‖ value's hash (32)
 *                                ‖ receiver (32) ‖ key's epoch (8) ‖ recorded (8)
 *     'v' ‖ oracle ‖ request     its value, where there is one
 *     'k' ‖ oracle ‖ request     other answers: how many (1), of the first: leaf (32) ‖ recorded (8)
 *     'f' ‖ oracle ‖ feed        rounds (8) ‖ observed of the last (8)
 *     'r' ‖ oracle ‖ feed ‖ round    observed (8) ‖ spec (32) ‖ evidence (32) ‖ value (32) ‖ receiver (32)
 *                                ‖ key's epoch (8) ‖ recorded (8)
 *     'x' ‖ oracle ‖ feed        rounds that failed: how many (8), of the last: code (1) ‖ observed (8)
 *                                ‖ evidence (32) ‖ recorded (8)
 */
#ifndef LEDGER_ANSWERS_H
#define LEDGER_ANSWERS_H

#include "relay_state/ledger/contract.h"
#include "wire/oracle.h"

#define LEDGER_ANSWERS_NUMBER 9u
/* The ABI encoding of a value (docs/protocol/oracle.md section 2). */
#define LEDGER_ANSWER_VALUE_SIZE_MAX 16384u

extern const struct ledger_contract ledger_answers;

/* An answer of calldata: (bytes32,bytes32,uint8,uint64,bytes32,bytes); its value is a view. The errors
 * of cs_abi_get_…. */
CS_NODISCARD enum cs_err ledger_answer_read(struct cs_abi_reader *in, struct wire_answer *answer);

#endif
