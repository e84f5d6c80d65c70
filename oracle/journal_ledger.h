/* The part of the journal that goes to the bridge's ledger: answers that were published, and the
 * transaction in flight. Never acts; what writes runs inside a writer. */
#ifndef ORACLE_JOURNAL_LEDGER_H
#define ORACLE_JOURNAL_LEDGER_H

#include "oracle/journal.h"
#include "relay_state/client/sent.h"

/* From now on answers that are published are kept for the ledger. */
void oracle_journal_keep_answers(struct oracle_journal *journal);

struct oracle_ledger_row {
	uint64_t n;
	uint64_t request; /* row; it may be gone: pruned, or taken back by a reorganisation */
};
/* The oldest ones. */
CS_NODISCARD enum cs_err oracle_journal_ledger_rows(struct oracle_journal *journal,
						    struct oracle_ledger_row *rows,
						    size_t count_max, size_t *count);
/* These are in the transaction, and it is written down. */
CS_NODISCARD enum cs_err oracle_journal_ledger_sent(struct oracle_journal *journal,
						    const struct ledger_sent *sent,
						    const struct oracle_ledger_row *rows,
						    size_t count);
/* The transaction is over. recorded: the ledger has its answers; otherwise they wait again. */
CS_NODISCARD enum cs_err oracle_journal_ledger_ended(struct oracle_journal *journal, bool recorded);
CS_NODISCARD enum cs_err oracle_journal_ledger_forget(struct oracle_journal *journal, uint64_t n);
/* NOT_FOUND: nothing is in flight. The bytes live in the arena. */
CS_NODISCARD enum cs_err oracle_journal_ledger_flight(struct oracle_journal *journal,
						      struct cs_arena *arena,
						      struct ledger_sent *sent);
CS_NODISCARD enum cs_err oracle_journal_ledger_backlog(struct oracle_journal *journal,
						       uint64_t *count);

#endif
