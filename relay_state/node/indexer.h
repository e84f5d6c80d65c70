/* The index is written by a thread of its own: it is derived, what a crash takes from it a start
 * adds again, and consensus need not wait for SQLite (docs/adr). Heights go in by their order. Whoever
 * reads the index settles first: then everything that was put is in it, and the thread leaves it
 * alone until the next put.
 *
 * All functions are for one thread, the loop's. */
#ifndef NODE_INDEXER_H
#define NODE_INDEXER_H

#include "relay_state/node/index.h"

/* What waits or is being written at most: a put beyond it waits, too. One height may be larger. */
#define NODE_INDEXER_WAITING_MAX 64u
#define NODE_INDEXER_BYTES_MAX (8u * 1024 * 1024)
/* Several heights are one commit: it begins with so many, with so many bytes, so long after the
 * first of them, or when somebody settles. */
#define NODE_INDEXER_BATCH 16u
#define NODE_INDEXER_BATCH_BYTES (2u * 1024 * 1024)
#define NODE_INDEXER_PATIENCE_MS 200u

struct node_indexer;

struct node_indexer_job {
	struct node_place place;
	int64_t base;            /* lower heights go */
	struct cs_bytes block;   /* tendermint.types.Block; copied */
	struct cs_bytes results; /* an ABCI frame's body with a finalize_block answer; empty: none;
				    copied */
};

/* The index stays the caller's, and lives longer. */
struct node_indexer *node_indexer_new(struct node_index *index);
/* Writes what is waiting, then ends. */
void node_indexer_free(struct node_indexer *indexer);

/* An error of an earlier height is told by the next call; after it nothing more is written, so that
 * no height is missing below another. Of a block or an answer that does not read: the decoder's;
 * INVALID: an answer to another question; DUPLICATE: a height that is there; IO: what SQLite says. */
CS_NODISCARD enum cs_err node_indexer_put(struct node_indexer *indexer,
					  const struct node_indexer_job *job, struct cs_why *why);
CS_NODISCARD enum cs_err node_indexer_settle(struct node_indexer *indexer, struct cs_why *why);
/* Heights that are not in the index yet; does not wait. */
size_t node_indexer_waiting(struct node_indexer *indexer);

#endif
