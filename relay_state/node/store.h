/* The blocks of the chain, what the application answered to each, and the chain's state after it:
 * files that are only appended to, and an index. What it gave its word for is there at the next
 * opening, or the opening fails.
 *
 * A height is two records: its block (before it is executed) and its outcome (after). The last
 * outcome is the state of the node: there is no other copy of it that could disagree. A height's
 * records are one after the other in one segment; whole segments go when the application lets go
 * of their heights. */
#ifndef NODE_STORE_H
#define NODE_STORE_H

#include "relay_state/node/index.h"

/* From this size on the next block begins a new segment. A start reads the last one. */
#define NODE_SEGMENT_SIZE_DEFAULT (64u * 1024 * 1024)
#define NODE_SEGMENT_SIZE_MAX (1024u * 1024 * 1024)

struct node_store;

struct node_store_options {
	struct node_folder *folder;
	const char *index_path;
	uint64_t segment_size; /* 0: the default */
	bool check_all;        /* read every record, not only those since the index's last */
};

struct node_store_found {
	int64_t base;   /* the lowest height kept; 0: there is none */
	int64_t height; /* the last one with an outcome: the state's; 0: none */
	int64_t stored; /* the last one with a block: height or height + 1 */
	bool is_fresh;  /* the folder held no segment */
	uint64_t torn;  /* bytes of a record that is cut: nothing had been promised about it */
};

struct node_stored_block {
	int64_t height;
	struct cmt_block_id id;
	struct cs_bytes block;
	struct cs_bytes commit; /* tendermint.types.ExtendedCommit */
};

/* DAMAGED: a segment is missing, too short or does not read, a height is missing, the index knows
 * of more than there is. FULL, IO; INVALID: another program's index. */
CS_NODISCARD enum cs_err node_store_open(struct node_store **store,
					 const struct node_store_options *options,
					 struct cs_why *why);
/* Cuts what is torn and makes durable what was read; before anything else is written. Apart from
 * the opening, so that a start that is refused for another reason has changed nothing. */
CS_NODISCARD enum cs_err node_store_mend(struct node_store *store, struct cs_why *why);
void node_store_close(struct node_store *store);
/* As it is now. */
struct node_store_found node_store_look(const struct node_store *store);

/* ---- writing: synced when it returns; after FULL or IO nothing more is written. The index follows
 * in a thread (indexer.h), its errors are told by a later call ---- */

/* The next height, or the one that is stored and has no outcome: then it must be the same block
 * (CONFLICT). */
CS_NODISCARD enum cs_err node_store_put_block(struct node_store *store,
					      const struct node_stored_block *block,
					      struct cs_why *why);
/* Of the block that was put last. results: the body of an ABCI frame with a finalize_block answer,
 * empty where none is kept. Indexes the height, and forgets what was let go. */
CS_NODISCARD enum cs_err node_store_put_outcome(struct node_store *store, int64_t height,
						struct cs_bytes state, struct cs_bytes results,
						struct cs_why *why);
/* The beginning of a store that holds nothing: one height from elsewhere with the state after it, all
 * of it or nothing at a crash. CONFLICT: it holds something. */
CS_NODISCARD enum cs_err node_store_begin_at(struct node_store *store,
					     const struct node_stored_block *block,
					     struct cs_bytes state, struct cs_why *why);
/* Takes back the last outcome, so that its block waits to be executed again; with it the block
 * (`hard`). A block that waits already: that one alone, or nothing. *height: of the state that is left.
 * The store is closed after it. CONFLICT: the height before is not kept. */
CS_NODISCARD enum cs_err node_store_roll_back(struct node_store *store, bool hard, int64_t *height,
					      struct cs_why *why);
/* Heights below may go; at least the last height stays. Takes effect with the next outcome. */
void node_store_let_go(struct node_store *store, int64_t retain_height);

/* ---- reading: views until the next call of the same function. DAMAGED: it does not read any more;
 * NOT_FOUND ---- */

/* Also the block that has no outcome yet. */
CS_NODISCARD enum cs_err node_store_block(struct node_store *store, struct node_stored_block *block,
					  int64_t height, struct cs_why *why);
CS_NODISCARD enum cs_err node_store_outcome(struct node_store *store, struct cs_bytes *state,
					    struct cs_bytes *results, int64_t height,
					    struct cs_why *why);
/* For searches: knows every height that was put, until the next one. Waits for the thread. */
struct node_index *node_store_index(struct node_store *store);

#endif
