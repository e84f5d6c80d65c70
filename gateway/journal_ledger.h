/* The part of the journal that goes to the bridge's ledger: every move of every message from its making
 * until the ledger has it, the transaction in flight, and the conflicts that were seen there. Never
 * acts; as in journal.h, what writes runs inside a writer. */
#ifndef GATEWAY_JOURNAL_LEDGER_H
#define GATEWAY_JOURNAL_LEDGER_H

#include "gateway/journal.h"
#include "relay_state/client/plan.h"
#include "relay_state/client/sent.h"

/* From now on moves are kept. Of a message whose first moves were not, the ledger gets no history. */
void gateway_journal_keep_moves(struct gateway_journal *journal);

/* Moves of one side of a route that the ledger does not have, in the order of the journal, above row
 * `after`; route.source and .destination by side. messages[i]: the row of the message of moves[i]. */
CS_NODISCARD enum cs_err gateway_journal_ledger_moves(struct gateway_journal *journal,
						      const struct ledger_route *route,
						      uint64_t after, struct ledger_move *moves,
						      uint64_t *messages, size_t count_max,
						      size_t *count);
/* These moves are in the transaction, at their places, and the transaction is written down. */
CS_NODISCARD enum cs_err gateway_journal_ledger_sent(struct gateway_journal *journal,
						     const struct ledger_sent *sent,
						     const struct ledger_move *moves, size_t count);
/* The transaction is over. recorded: its moves are on the ledger; otherwise they wait again, with the
 * place where they may be found after all. */
CS_NODISCARD enum cs_err gateway_journal_ledger_ended(struct gateway_journal *journal,
						      bool recorded);
/* The ledger has it, or never will. */
CS_NODISCARD enum cs_err gateway_journal_ledger_forget(struct gateway_journal *journal,
						       uint64_t row);
/* NOT_FOUND: nothing is in flight. The bytes live in the arena. */
CS_NODISCARD enum cs_err gateway_journal_ledger_flight(struct gateway_journal *journal,
						       struct cs_arena *arena,
						       struct ledger_sent *sent);
/* Moves that the ledger does not have; conflicts of its histories of our messages. */
CS_NODISCARD enum cs_err gateway_journal_ledger_backlog(struct gateway_journal *journal,
							uint64_t *moves);
CS_NODISCARD enum cs_err gateway_journal_ledger_conflicts(struct gateway_journal *journal,
							  uint64_t *conflicts);
/* *news: more than were known. */
CS_NODISCARD enum cs_err gateway_journal_ledger_conflict(struct gateway_journal *journal,
							 uint64_t message, uint64_t conflicts,
							 bool *news);

#endif
