/* The journal's submissions: calls of the operator's account to an oracle's or a feed's contract,
 * each with every attempt that was signed for it, written before it is sent. */
#ifndef ORACLE_JOURNAL_SUBMIT_H
#define ORACLE_JOURNAL_SUBMIT_H

#include "adapters/attempts.h"
#include "oracle/journal.h"

/* Numbers are in the journal: only append. */
enum oracle_call {
	ORACLE_CALL_FULFIL = 1,
	ORACLE_CALL_REFUND = 2,
	ORACLE_CALL_SUBMIT = 3,   /* values of feeds */
	ORACLE_CALL_ANNOUNCE = 4, /* a rotation of our key */
};

enum oracle_submission_state {
	ORACLE_SUBMISSION_OPEN = 0,
	ORACLE_SUBMISSION_INCLUDED = 1,
	ORACLE_SUBMISSION_SETTLED = 2,
	ORACLE_SUBMISSION_FAILED = 3,
	ORACLE_SUBMISSION_UNKNOWN = 4, /* may have happened or not: watched, never sent anew */
};

struct oracle_submission {
	uint64_t n;
	struct cs_hash chain;
	struct cs_hash contract; /* identity */
	enum oracle_call call;
	enum oracle_submission_state state;
	struct cs_address account;
	uint64_t statement; /* row, 0: none */
	struct cs_address to;
	uint64_t gas_limit; /* 0: estimated */
	uint64_t nonce;
	struct cs_hash hash; /* of the attempt that counts */
	uint64_t height;
	bool succeeded;
	uint64_t gas_used;
	uint64_t gas_price_wei;
	char why[ORACLE_WHY_MAX + 1];
	uint64_t created_ms;
};

/* Sets n. */
CS_NODISCARD enum cs_err oracle_journal_add_submission(struct oracle_journal *journal,
						       struct oracle_submission *submission,
						       struct cs_bytes data);
/* data, the call, in the arena; both may be NULL. NOT_FOUND. */
CS_NODISCARD enum cs_err oracle_journal_submission(struct oracle_journal *journal, uint64_t n,
						   struct oracle_submission *submission,
						   struct cs_arena *arena, struct cs_bytes *data);
/* Everything but chain, contract, call, statement and data. */
CS_NODISCARD enum cs_err oracle_journal_save_submission(struct oracle_journal *journal,
							const struct oracle_submission *submission);
/* Of the submitted requests that it brings, the last deadline: Unix seconds, 0 when there is none. */
CS_NODISCARD enum cs_err oracle_journal_submission_deadline(struct oracle_journal *journal,
							    uint64_t submission,
							    uint64_t *deadline_s);
CS_NODISCARD enum cs_err oracle_journal_add_attempt(struct oracle_journal *journal,
						    const struct adapter_attempt *attempt);
/* Oldest first; raw bytes in the arena. */
CS_NODISCARD enum cs_err oracle_journal_attempts(struct oracle_journal *journal,
						 uint64_t submission, struct cs_arena *arena,
						 struct adapter_attempt *attempts, size_t count_max,
						 size_t *count);
/* What bringing answers that give their fee back, and refunds, was allowed to cost since then: of
 * this asker, and of all on this chain. */
struct oracle_unpaid {
	uint64_t of_asker;
	uint64_t of_all;
};
CS_NODISCARD enum cs_err oracle_journal_unpaid(struct oracle_journal *journal,
					       const struct cs_hash *chain,
					       const struct cs_hash *asker, uint64_t since_ms,
					       struct oracle_unpaid *gas);
/* Inside a writer; forgets what is older than forget_ms. */
CS_NODISCARD enum cs_err oracle_journal_add_unpaid(struct oracle_journal *journal,
						   const struct cs_hash *chain,
						   const struct cs_hash *asker, uint64_t gas,
						   uint64_t forget_ms);
/* Rows n of those that are open, included or unknown, ascending, above `after`. */
CS_NODISCARD enum cs_err oracle_journal_open_submissions(struct oracle_journal *journal,
							 const struct cs_hash *chain,
							 uint64_t after, uint64_t *rows,
							 size_t count_max, size_t *count);

#endif
