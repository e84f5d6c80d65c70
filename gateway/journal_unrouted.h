/* Messages that a chain sent to destinations to which no route goes yet: between which heights they lie, so that
 * they are read again when a later manifest has the route. A destination has one row, whatever is sent to it, and
 * nothing of the messages themselves is kept. */
#ifndef GATEWAY_JOURNAL_UNROUTED_H
#define GATEWAY_JOURNAL_UNROUTED_H

#include "gateway/journal.h"

/* Destinations of one chain: four times what a manifest can name. A contract sends to those alone that its
 * owner registered. */
#define GATEWAY_UNROUTED_MAX (4 * CS_MANIFEST_CHAINS_MAX)

struct gateway_unrouted {
	struct cs_hash remote;
	uint64_t from_height;
	uint64_t to_height;
	/* A contract numbers the messages to each destination without a gap. */
	uint64_t from_sequence;
	uint64_t to_sequence;
	uint64_t since_ms;
};

/* A message of this height and sequence; as often as it is told. FULL: the chain has GATEWAY_UNROUTED_MAX
 * other destinations, and this one is not remembered. Inside a writer. */
CS_NODISCARD enum cs_err gateway_journal_unrouted_add(struct gateway_journal *journal,
						      const struct cs_hash *chain,
						      const struct cs_hash *remote, uint64_t height,
						      uint64_t sequence);
/* What lies below `next` was read again: the row begins there, or is gone. Inside a writer. */
CS_NODISCARD enum cs_err gateway_journal_unrouted_read(struct gateway_journal *journal,
						       const struct cs_hash *chain,
						       const struct cs_hash *remote, uint64_t next);
/* Those of a chain, by destination. */
CS_NODISCARD enum cs_err
gateway_journal_unrouted(struct gateway_journal *journal, const struct cs_hash *chain,
			 struct gateway_unrouted rows[GATEWAY_UNROUTED_MAX], size_t *count);

#endif
