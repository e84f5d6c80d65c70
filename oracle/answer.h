/* Signed answers inside the process: from what the enclave replied, or the journal holds, to the
 * parts that are hashed and signed (oracle/answer_json.h). Private to oracle/. */
#ifndef ORACLE_ANSWER_H
#define ORACLE_ANSWER_H

#include "oracle/answer_json.h"
#include "oracle/oracle.h"

/* The parts of one result; views into query and result. Key and domain are those that hello told.
 * INVALID: the result is of another request, or a row is none. */
CS_NODISCARD enum cs_err oracle_answer_fill(struct oracle_answer *out, struct oracle *oracle,
					    const struct oracle_request *request,
					    const struct oracle_query *query,
					    const Caisson__Wire__OracleResult *result,
					    const struct oracle_statement *statement,
					    uint32_t leaf);
/* Of a request that is answered, from the journal, in the arena. NOT_FOUND: it is not. */
CS_NODISCARD enum cs_err oracle_answer_load(struct oracle_answer *out, struct oracle *oracle,
					    const struct oracle_request *request,
					    struct cs_arena *arena);
/* The same of a round of a feed, which has no request: id and spec are the feed's. */
CS_NODISCARD enum cs_err oracle_answer_fill_round(struct oracle_answer *out, struct oracle *oracle,
						  const struct oracle_contract *contract,
						  uint64_t index, struct cs_bytes spec,
						  const Caisson__Wire__OracleResult *result,
						  const struct oracle_statement *statement,
						  uint32_t leaf);
/* The leaf of a result of an answer (not of a feed's value). */
struct cs_hash oracle_result_leaf(const Caisson__Wire__OracleResult *result);
/* The head as the schema has it, into a request's. */
void oracle_head_take(struct wire_request *request, const Caisson__Wire__OracleHead *head);

#endif
