/* What operators ask of the journal: what is paused, and which rows of a route wait. Decides nothing:
 * who may ask, and what follows, is the surface's. */
#ifndef GATEWAY_JOURNAL_OPERATOR_H
#define GATEWAY_JOURNAL_OPERATOR_H

#include "core/caip.h"
#include "gateway/journal.h"
#include "host/api_key.h"

#define GATEWAY_REASON_MAX 200u

/* A route, or with `to` empty a chain: whatever comes from it and whatever goes to it. */
struct gateway_pause {
	char from[CS_CAIP2_SIZE_MAX + 1];
	char to[CS_CAIP2_SIZE_MAX + 1];
	bool refunds; /* what dies is not brought back either */
	uint64_t since_ms;
	char who[HOST_API_KEY_NAME_MAX + 1];
	char reason[GATEWAY_REASON_MAX + 1]; /* "": none was given */
};

/* In place of the one of the same route or chain, if there is one. Inside a writer. */
CS_NODISCARD enum cs_err gateway_journal_pause(struct gateway_journal *journal,
					       const struct gateway_pause *pause);
/* NOT_FOUND: it was not paused. Inside a writer. */
CS_NODISCARD enum cs_err gateway_journal_resume(struct gateway_journal *journal, const char *from,
						const char *to);
/* In the order of their names. TOO_LARGE. */
CS_NODISCARD enum cs_err gateway_journal_pauses(struct gateway_journal *journal,
						struct gateway_pause *pauses, size_t count_max,
						size_t *count);

/* Rows of a route in a state that nobody has in hand: those whose next try is later than `due_ms`, or
 * (unwished) that nobody asked to be retried. */
struct gateway_stuck {
	const struct cs_hash *chain;
	const struct cs_hash *remote;
	enum relay_side side;
	enum relay_state state;
	uint64_t due_ms;
	bool unwished;
	uint64_t untried_ms; /* not 0: those of no tries, last written before this, wall clock */
};
CS_NODISCARD enum cs_err gateway_journal_stuck_count(struct gateway_journal *journal,
						     const struct gateway_stuck *stuck,
						     uint64_t *count);
/* Those that would wait longest first. */
CS_NODISCARD enum cs_err gateway_journal_stuck(struct gateway_journal *journal,
					       const struct gateway_stuck *stuck,
					       struct gateway_message *messages, size_t count_max,
					       size_t *count);

#endif
