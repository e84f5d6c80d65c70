/* Light blocks below the store's base, in SQLite: what a node that began with a snapshot needs to
 * judge evidence about heights that it never had. Written from the top downwards, each after it was
 * verified (backfill.h), so that what is there is one piece of the chain up to the base; what is
 * missing is asked for again. Knows no peer, and verifies only that it reads what it wrote. */
#ifndef NODE_BACKFILL_STORE_H
#define NODE_BACKFILL_STORE_H

#include "relay_state/node/statesync_message.h"

struct node_backfill_store;

enum node_backfill_status {
	NODE_BACKFILL_NONE = 0,
	NODE_BACKFILL_BEGUN,
	NODE_BACKFILL_WHOLE, /* down to what is too old for evidence, or to the first block */
	NODE_BACKFILL_SHORT, /* nobody had the heights below any more */
};

struct node_backfill_found {
	enum node_backfill_status status;
	int64_t top;    /* the height above the highest */
	int64_t lowest; /* 0: none is there */
};

/* One height; views. */
struct node_backfilled {
	int64_t height;
	struct cs_pb_time time;       /* of the header: for writing */
	struct cs_bytes light;        /* tendermint.types.LightBlock, with the commit that the
					     next block carries */
	struct cs_bytes evidence;     /* tendermint.types.EvidenceList of the block; empty: it
					     carries none */
	const struct cs_hash *hashes; /* cmt_evidence_hash of each: for writing */
	size_t hash_count;
};

/* Makes the file. INVALID: another program's; CONFLICT: another process has it; IO. */
CS_NODISCARD enum cs_err node_backfill_store_open(struct node_backfill_store **backfill,
						  const char *path, struct cs_why *why);
/* NULL is allowed. */
void node_backfill_store_close(struct node_backfill_store *backfill);
CS_NODISCARD enum cs_err node_backfill_store_look(struct node_backfill_store *backfill,
						  struct node_backfill_found *found);

/* ---- writing: FULL, IO. A power cut may take the last ones, never one from between ---- */

/* Everything goes; with a top the next height is the one below it. */
CS_NODISCARD enum cs_err node_backfill_store_begin(struct node_backfill_store *backfill,
						   int64_t top, struct cs_why *why);
/* The height below the lowest. INVALID: any other. */
CS_NODISCARD enum cs_err node_backfill_store_put(struct node_backfill_store *backfill,
						 const struct node_backfilled *backfilled,
						 struct cs_why *why);
CS_NODISCARD enum cs_err node_backfill_store_end(struct node_backfill_store *backfill,
						 enum node_backfill_status status,
						 struct cs_why *why);
/* Those whose evidence is too old at this height and time go; what evidence they had carried stays
 * known. */
CS_NODISCARD enum cs_err node_backfill_store_trim(struct node_backfill_store *backfill,
						  const struct cmt_params *params, int64_t height,
						  struct cs_pb_time now, struct cs_why *why);

/* ---- reading: views until the next call. NOT_FOUND; DAMAGED: not what was written; IO ---- */

CS_NODISCARD enum cs_err node_backfill_store_get(struct node_backfill_store *backfill,
						 struct node_backfilled *out, int64_t height);
CS_NODISCARD enum cs_err node_backfill_store_has_evidence(struct node_backfill_store *backfill,
							  bool *has, const struct cs_hash *hash);

/* Whether evidence about a block of this height and time is too old for a block after these. */
bool node_backfill_is_old(int64_t height, struct cs_pb_time time, const struct cmt_params *params,
			  int64_t last_height, struct cs_pb_time last_time);

#endif
