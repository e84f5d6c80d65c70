/* Evidence for the nodes of a chain, that its validators signed two blocks of one height, and what each node said of it. It
 * is here before any node hears of it, so that whatever happens to the gateway it is handed over; and here it stays. */
#ifndef GATEWAY_JOURNAL_EVIDENCE_H
#define GATEWAY_JOURNAL_EVIDENCE_H

#include "adapters/adapter.h"
#include "gateway/journal.h"

/* Of one chain: the first freezes it, and a branch that begins elsewhere makes another. */
#define GATEWAY_EVIDENCE_MAX 4u

struct gateway_evidence {
	uint64_t n;
	uint64_t height;
	struct cs_hash other;
	struct cs_hash ours;
	struct cs_bytes against_other;
	struct cs_bytes against_ours;
	uint64_t found_ms;
	uint32_t tries;   /* rounds of nodes that ended */
	uint64_t next_ms; /* wall clock of the next one; 0: there is none */
};

struct gateway_evidence_node {
	const char *url;
	bool taken;
	struct cs_hash against; /* of what it took: the block; zero otherwise */
	const char *why;        /* of what it did not take */
	uint64_t time_ms;
};

/* To be handed over at once. *added: it was not there. FULL: the chain has GATEWAY_EVIDENCE_MAX others. Inside a writer. */
CS_NODISCARD enum cs_err gateway_journal_evidence_add(struct gateway_journal *journal,
						      const struct cs_hash *chain,
						      const struct adapter_evidence *evidence,
						      uint64_t now_ms, bool *added);
/* All of a chain, oldest first; the pieces in the arena. */
CS_NODISCARD enum cs_err
gateway_journal_evidence(struct gateway_journal *journal, const struct cs_hash *chain,
			 struct cs_arena *arena, struct gateway_evidence rows[GATEWAY_EVIDENCE_MAX],
			 size_t *count);
/* The row of the oldest one whose time has come; 0: none. */
CS_NODISCARD enum cs_err gateway_journal_evidence_due(struct gateway_journal *journal,
						      const struct cs_hash *chain, uint64_t now_ms,
						      uint64_t *n);
/* A round of it ended. Inside a writer. */
CS_NODISCARD enum cs_err gateway_journal_evidence_tried(struct gateway_journal *journal, uint64_t n,
							uint32_t tries, uint64_t next_ms);
/* What a node said. One that took it stays so. *news: it says something else than before. Inside a writer. */
CS_NODISCARD enum cs_err gateway_journal_evidence_told(struct gateway_journal *journal, uint64_t n,
						       const struct gateway_evidence_node *node,
						       bool *news);
typedef void gateway_evidence_node_fn(void *ctx, const struct gateway_evidence_node *node);
CS_NODISCARD enum cs_err gateway_journal_evidence_nodes(struct gateway_journal *journal, uint64_t n,
							gateway_evidence_node_fn *each, void *ctx);

#endif
