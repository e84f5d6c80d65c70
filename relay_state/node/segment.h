/* Records of the block store's files: how a block and what came of it are written, and how one
 * tells a good record from a broken one. Knows one file at a time.
 *
 * A segment is called blocks-NNNNNNNN and begins with a record HEAD. A record is
 *   magic (4), type (1), zeros (3), height (8), size (4, of the body), CRC-32C of the body (4),
 *   CRC-32C (4) of salt, offset of the record in the file and the 24 bytes before; then the body.
 * Numbers are big-endian. Bodies:
 *   HEAD     number (4), size of the segment before (8), salt (8); height is the first one to come
 *   BLOCK    block id (BFT_BLOCK_ID_SIZE), size of the block (4), tendermint.types.Block, a commit
 *            of it (tendermint.types.ExtendedCommit)
 *   OUTCOME  base (8, the lowest height that is still promised), size of the state (4),
 *            tendermint.state.State after the block, the application's answer
 *            (tendermint.abci.Response with finalize_block)
 *   MARK     nothing: stands behind the last record once that one is synced, is not synced itself,
 *            and the next record is written over it
 * The salt is random, so that nobody can put into a transaction what reads as a record: a good head
 * behind a broken record shows that the broken one had been synced. */
#ifndef NODE_SEGMENT_H
#define NODE_SEGMENT_H

#include "core/buf.h"
#include "relay_state/abci/codec.h"
#include "relay_state/bft/state.h"
#include "relay_state/node/file.h"

#define NODE_SEGMENT_PREFIX "blocks-"
#define NODE_RECORD_HEADER_SIZE 28u
#define NODE_SEGMENT_HEAD_SIZE (NODE_RECORD_HEADER_SIZE + 20u)
/* BFT_VALIDATORS_MAX signatures with extensions. */
#define NODE_COMMIT_SIZE_MAX (64u * 1024)
/* The largest is an outcome: what an application may answer, and the state. */
#define NODE_RECORD_BODY_SIZE_MAX (ABCI_FRAME_SIZE_MAX + BFT_STATE_SIZE_MAX + 64u)

enum node_record_type {
	NODE_RECORD_HEAD = 1,
	NODE_RECORD_BLOCK = 2,
	NODE_RECORD_OUTCOME = 3,
	NODE_RECORD_MARK = 4,
};

struct node_record {
	enum node_record_type type;
	int64_t height;
	size_t size; /* with its header */
	/* HEAD */
	uint32_t number;
	uint64_t size_before;
	uint64_t salt;
	/* BLOCK; views into the reader's memory */
	struct cmt_block_id id;
	struct cs_bytes block;
	struct cs_bytes commit;
	/* OUTCOME */
	int64_t base;
	struct cs_bytes state;
	struct cs_bytes results;
};

/* Memory that grows to the largest record it met. */
struct node_scratch {
	uint8_t *p;
	size_t size;
};

void node_scratch_free(struct node_scratch *scratch);
/* At least n bytes, what was there is lost. */
uint8_t *node_scratch_take(struct node_scratch *scratch, size_t n);

/* A record as it stands at `offset` of a segment with this salt, in the scratch's memory.
 * TOO_LARGE: NODE_RECORD_BODY_SIZE_MAX. */
CS_NODISCARD enum cs_err node_record_encode(struct cs_bytes *bytes, struct node_scratch *scratch,
					    const struct node_record *record, uint64_t offset,
					    uint64_t salt);
/* The record at `offset`. DAMAGED: none is there, or a broken one; IO. Salt of a HEAD: any. */
CS_NODISCARD enum cs_err node_record_read(struct node_record *record, struct node_scratch *scratch,
					  struct node_file *file, uint64_t offset, uint64_t salt,
					  struct cs_why *why);
/* Whether a good header begins anywhere behind `offset`. */
CS_NODISCARD enum cs_err node_record_is_followed(bool *is, struct node_scratch *scratch,
						 struct node_file *file, uint64_t offset,
						 uint64_t salt, struct cs_why *why);

#endif
