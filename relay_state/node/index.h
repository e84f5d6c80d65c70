/* Where to find what in the block store: heights, hashes, transactions, events, evidence, in
 * SQLite. Derived: everything in it comes from the segments, and it is made anew from them when it
 * is gone. Holds nothing of a block that the state has not applied. */
#ifndef NODE_INDEX_H
#define NODE_INDEX_H

#include "relay_state/abci/messages.h"
#include "relay_state/node/segment.h"
#include "verify/cometbft/block.h"

/* One query asks at most so many conditions. */
#define NODE_CONDITIONS_MAX 8u
/* Keys and values of events above this are not indexed. */
#define NODE_ATTRIBUTE_SIZE_MAX 1024u

struct node_index;

/* Where a height is. */
struct node_place {
	int64_t height;
	uint32_t segment;
	uint64_t block_at;
	uint64_t outcome_at;
	struct cs_hash hash; /* of the header */
};

/* A transaction, or with position -1 the block itself. */
struct node_hit {
	int64_t height;
	int32_t position;
};

/* A search that takes longer is given up: thousands of steps of SQLite's machine, about a quarter of a
 * second. Consensus waits meanwhile. */
#define NODE_SEARCH_STEPS_K_MAX 4000u

/* One condition on events: an attribute "type.key" that has this value, or any, or one for which
 * `holds` says so. All of a search's conditions are about attributes of one event. */
struct node_condition {
	struct cs_bytes key;
	bool any;
	struct cs_bytes value;
	bool (*holds)(const void *context, struct cs_bytes value); /* NULL: this value */
	const void *context;
};

/* Everything of one height that goes in. */
struct node_indexed {
	struct node_place place;
	const struct cmt_block *block;
	const struct cs_hash *evidence; /* block->evidence_count of them */
	const struct abci_finalize_block_response *results;
	int64_t base; /* lower heights go */
};

/* INVALID: another program's file; IO: what SQLite says. */
CS_NODISCARD enum cs_err node_index_open(struct node_index **index, const char *path,
					 struct cs_why *why);
void node_index_close(struct node_index *index);

/* The next height that goes in, a view until the next call; NOT_FOUND: there is none. */
typedef enum cs_err node_index_next(void *context, struct node_indexed *indexed,
				    struct cs_why *why);
/* In one commit: all of them or, after an error, none. */
CS_NODISCARD enum cs_err node_index_put(struct node_index *index, node_index_next *next,
					void *context, struct cs_why *why);
/* This height and higher ones are not known any more. IO. */
CS_NODISCARD enum cs_err node_index_roll_back(struct node_index *index, int64_t height,
					      struct cs_why *why);
/* The highest; NOT_FOUND: it is empty. */
CS_NODISCARD enum cs_err node_index_last(struct node_index *index, struct node_place *place);
CS_NODISCARD enum cs_err node_index_place(struct node_index *index, struct node_place *place,
					  int64_t height);
CS_NODISCARD enum cs_err node_index_time(struct node_index *index, struct cs_pb_time *time,
					 int64_t height);
/* By the hash of a header, of a transaction. NOT_FOUND. */
CS_NODISCARD enum cs_err node_index_block(struct node_index *index, int64_t *height,
					  const struct cs_hash *hash);
CS_NODISCARD enum cs_err node_index_tx(struct node_index *index, struct node_hit *hit,
				       const struct cs_hash *hash);
CS_NODISCARD enum cs_err node_index_has_evidence(struct node_index *index, bool *has,
						 const struct cs_hash *hash);

struct node_search {
	bool blocks; /* events of blocks; otherwise of transactions */
	const struct node_condition *conditions;
	size_t count; /* at most NODE_CONDITIONS_MAX; all must hold */
	int64_t height_min, height_max;
	bool newest_first;
	uint64_t skip;
};
/* *total: of all that match; the first count_max of them after `skip` go to hits. INVALID: too many
 * conditions, a height below 0; TIMEOUT: above NODE_SEARCH_STEPS_K_MAX. */
CS_NODISCARD enum cs_err node_index_search(struct node_index *index, struct node_hit *hits,
					   size_t *count, size_t count_max, uint64_t *total,
					   const struct node_search *search);

#endif
