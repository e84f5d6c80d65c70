/* Evidence that waits for a block, over restarts: what the engine found or took is durable before
 * anybody is told, and comes back at a start. Judges nothing: the engine does, again.
 *
 * A file is called evidence-NNNNNNNN: records as in the log (bft/wal.h), each a
 * tendermint.types.Evidence. A start writes what it found into the next file, and so does a file
 * that is full, with what still waits; then the older one goes. */
#ifndef NODE_EVIDENCE_FILE_H
#define NODE_EVIDENCE_FILE_H

#include "relay_state/bft/bft.h"
#include "relay_state/node/file.h"

/* From this size on a committed height begins a new file. */
#define NODE_EVIDENCE_FILE_SIZE (1024u * 1024)
/* A file that is larger is none of ours: all that one height can add is a pool, or some. */
#define NODE_EVIDENCE_FILE_SIZE_MAX (16u * 1024 * 1024)

struct node_evidence;

/* Reads everything there is. DAMAGED: something is broken that a sync had promised; IO. *torn grows
 * by the bytes that nothing was promised about. */
CS_NODISCARD enum cs_err node_evidence_open(struct node_evidence **evidence,
					    struct node_folder *folder, uint64_t *torn,
					    struct cs_why *why);
/* Makes durable what was read. */
CS_NODISCARD enum cs_err node_evidence_mend(struct node_evidence *evidence, struct cs_why *why);
/* NULL is allowed. */
void node_evidence_close(struct node_evidence *evidence);

/* What was found at the opening, one after the other from *offset 0 on; false at the end. */
bool node_evidence_next(const struct node_evidence *evidence, size_t *offset,
			struct cs_bytes *bytes);
/* Durable when it returns; once in a file. FULL, IO, as of file.h. */
CS_NODISCARD enum cs_err node_evidence_put(struct node_evidence *evidence, struct cs_bytes bytes,
					   struct cs_why *why);
/* A height is done: what the engine does not keep any more may go. */
CS_NODISCARD enum cs_err node_evidence_committed(struct node_evidence *evidence,
						 const struct bft *bft, struct cs_why *why);

#endif
