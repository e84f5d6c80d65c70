/* Requests of contracts on their way: what is asked of the enclave and what is looked at before it is
 * submitted. Private to contracts.c, chain_requests.c, chain_answer.c, chain_fulfil.c and chain_refund.c;
 * holds nothing that a crash may not lose. */
#ifndef ORACLE_CHAIN_REQUESTS_H
#define ORACLE_CHAIN_REQUESTS_H

#include "oracle/oracle.h"

/* Requests of one chain that are with the adapter or the enclave at a time; as many again can be on
 * their way to the contract. The enclave holds 256 of all chains and apps. */
#define ORACLE_UNDER_WAY_MAX 128u
/* Of these so many of one asker: slow sources of his leave room for the others. */
#define ORACLE_UNDER_WAY_ASKER_MAX 32u
/* Rows that one turn looks at: those under way are among them. */
#define ORACLE_TURN_ROWS 384u

/* Refunds of one request that may fail before it is left to others: at the pauses of relay.retry_* a
 * few minutes. */
#define ORACLE_REFUND_TRIES 8u

struct oracle_flight; /* chain_answer.c: proofs, then one call of the enclave */
struct oracle_check;  /* chain_fulfil.c: stateOf of the requests of one statement, then a call */

struct oracle_under_way {
	uint64_t rows[ORACLE_UNDER_WAY_MAX];
	struct cs_hash askers[ORACLE_UNDER_WAY_MAX];
	size_t count;
};

struct oracle_listening {
	/* Two tables: what waits for slow sources does not hold up what is answered. */
	struct oracle_under_way asked;
	struct oracle_under_way brought;
	struct oracle_flight *flights;
	struct oracle_check *checks;
	unsigned refund_looks; /* under way */
	uint64_t looked_ms;    /* when deadlines of what is not final were looked at */
	/* Contracts that refused a call: the next ones are rehearsed before they are paid for, until one
	 * succeeds. By the chain's index of contracts. */
	bool careful[ORACLE_CONTRACTS_MAX];
};

struct oracle_listening *oracle_listening_new(void);
/* The adapter and the enclave call nobody back any more. NULL is allowed. */
void oracle_listening_free(struct oracle_listening *listening);
bool oracle_is_under_way(const struct oracle_listening *listening, uint64_t n);
/* False: there is no room, or none for this asker. */
bool oracle_take_under_way(struct oracle_under_way *table, const struct oracle_request *request);
void oracle_end_under_way(struct oracle_under_way *table, uint64_t n);
bool *oracle_careful(const struct oracle_contract *contract);

/* The least time that the next block can have. */
uint64_t oracle_next_block_s(const struct oracle_chain *chain);
/* Inside a writer: another try of a request that is still in this state, after a pause, but not after
 * its deadline. alone: a failure of its own, it is not batched any more. */
CS_NODISCARD enum cs_err oracle_request_postpone(struct oracle *oracle, uint64_t n,
						 enum oracle_state state, bool alone,
						 enum cs_err err, const char *why);

/* ---- chain_answer.c ---- */
/* Asks for these, all open, of one contract and one spec: 1 to ORACLE_BATCH_MAX. Not those for which
 * there is no room. */
void oracle_answer_begin(struct oracle_contract *contract, const struct oracle_request *requests,
			 size_t count);
void oracle_flights_free(struct oracle_listening *listening);

/* ---- chain_fulfil.c ---- */
/* Brings these, all answered, of one statement, to their contract. */
void oracle_fulfil_begin(struct oracle_contract *contract, const struct oracle_request *requests,
			 size_t count);
/* Inside a writer, before a call that brings no fee is written: NULL in *why, and its gas is noted; or
 * why it is left to whoever refunds it. */
CS_NODISCARD enum cs_err oracle_unpaid_take(const struct oracle_chain *chain,
					    const struct oracle_request *request,
					    uint64_t callback_gas, uint64_t gas, const char **why);
/* Those that are being looked at. */
const struct oracle_check *oracle_check_next(const struct oracle_check *check);
void oracle_checks_free(struct oracle_listening *listening);

/* ---- chain_refund.c ---- */
/* Inside a writer: the first refund by our account of what has just expired, or why it is left to
 * others. */
CS_NODISCARD enum cs_err oracle_refund_write(struct oracle_contract *contract,
					     struct oracle_request *request);
/* Those that failed and whose pause is over. */
void oracle_refunds_pump(struct oracle_chain *chain);

#endif
