/* The manifests of a lineage as one process follows them: the one in force, and room for the one that may follow, each
 * with memory of its own. So neither what was refused nor what is no longer in force takes any: an operator may offer
 * as many as he likes. Never decides whether one is followed. */
#ifndef CLUSTER_LINEAGE_H
#define CLUSTER_LINEAGE_H

#include "verify/cluster/manifest.h"

#define CLUSTER_LINEAGE_SIZE (2u * CLUSTER_MANIFEST_ARENA_SIZE)

struct cluster_lineage {
	struct cluster_manifest manifests[2];
	struct cs_arena arenas[2];
	unsigned place; /* of the one in force */
};

/* memory: CLUSTER_LINEAGE_SIZE bytes, which outlive it. None is in force yet. */
void cluster_lineage_init(struct cluster_lineage *lineage, void *memory);
/* The manifest in force; its number is 0 before the first. The pointer and what it views hold until
 * cluster_lineage_read after the next cluster_lineage_follow. */
const struct cluster_manifest *cluster_lineage_newest(const struct cluster_lineage *lineage);
/* Reads the file as the one after the newest (cluster_manifest_read and its errors). *next stays until the next
 * read; what was read before and is not in force is gone, whether or not this one is refused. */
CS_NODISCARD enum cs_err cluster_lineage_read(struct cluster_lineage *lineage,
					      const struct cluster_manifest **next,
					      struct cs_bytes file, const struct cs_sig *sig,
					      struct cs_why *why);
/* The one that was read last, successfully, is in force. */
void cluster_lineage_follow(struct cluster_lineage *lineage);

#endif
