/* The disk of a node: log, last-sign state, blocks and state in one folder, and the engine's
 * effects on them, executed in order. Gives back at a start what it had promised, or refuses to
 * start.
 *
 * A change that fails (full, EIO, a sync above all) is the last one: the caller ends the process.
 * Nothing is tried again, because after a failed sync the kernel's pages say what the disk does
 * not.
 *
 *   struct node_disk *disk;
 *   node_disk_open(&disk, &options, &why);
 *   const struct node_disk_found *found = node_disk_found(disk);
 *   … InitChain, or give the application the blocks up to found->state.last_height …
 *   bft_new(&bft, &config with node_disk_history(disk), state, found->last_commit);
 *   node_disk_restore(disk, bft, &why);
 *   step START; if found->stored is above the state's height: step node_disk_load's
 *   event for found->stored and BFT_PEER_NONE; step EVIDENCE for what node_disk_evidence gives,
 *   and again after the COMMIT of found->stored, whose evidence was too early before
 *   then for each effect: if node_disk_takes(effect->type): node_disk_execute(…) */
#ifndef NODE_DISK_H
#define NODE_DISK_H

#include "relay_state/node/backfill_store.h"
#include "relay_state/node/evidence_file.h"
#include "relay_state/node/log.h"
#include "relay_state/node/signer.h"
#include "relay_state/node/store.h"

struct node_disk;

struct node_disk_options {
	struct node_folder *folder; /* the caller's, open as long as the disk is */
	const char *index_path;     /* SQLite's file; beside the folder's own names */
	const char *backfill_path;  /* another one; NULL: nothing is known below the base */
	int64_t initial_height;     /* of the genesis */
	const struct cmt_chain_id *chain_id;
	const struct cs_hash *genesis_hash;
	uint64_t segment_size; /* 0: defaults */
	size_t log_size, log_size_max;
	bool check_all; /* read every block at the start */
};

struct node_disk_found {
	bool has_state; /* else the chain has no block yet: the state comes from the genesis */
	const struct bft_state *state;
	int64_t base, stored;
	struct cs_bytes
		last_commit; /* extended, of the state's last block; empty without a state */
	uint64_t log_torn, store_torn, evidence_torn;
	bool is_sign_slot_lost; /* see signer.h: worth an alarm, not a refusal */
};

/* DAMAGED: less is there than was promised, and why names the file: a person has to look, and the
 * node does not start. WRONG_CHAIN, CONFLICT: the data are of another chain, of another genesis of
 * this one. */
CS_NODISCARD enum cs_err node_disk_open(struct node_disk **disk,
					const struct node_disk_options *options,
					struct cs_why *why);
void node_disk_close(struct node_disk *disk);
/* Views until the first effect. */
const struct node_disk_found *node_disk_found(const struct node_disk *disk);
/* Log and last-sign state into a new engine, before START. DAMAGED: a record of the log does not
 * fit the state. */
CS_NODISCARD enum cs_err node_disk_restore(struct node_disk *disk, struct bft *bft,
					   struct cs_why *why);
/* Validators, times and evidence of applied blocks, and of those below the base as far as they were
 * backfilled; the context is the disk. A set is valid until the next question. */
struct bft_history node_disk_history(struct node_disk *disk);

/* Evidence of earlier lives, one piece after the other from *offset 0 on, for the engine after START;
 * false at the end. */
bool node_disk_evidence(const struct node_disk *disk, size_t *offset, struct cs_bytes *bytes);

/* LOG, SYNC, STORE, SAVE_STATE, COMMIT (log and evidence), RAISE, EVIDENCE. */
bool node_disk_takes(enum bft_effect_type type);
/* Any other type is a bug. The errors of log.h, signer.h and store.h; all end the process. */
CS_NODISCARD enum cs_err node_disk_execute(struct node_disk *disk, const struct bft_effect *effect,
					   const struct bft *bft, struct cs_why *why);
/* SIGN, see signer.h. */
CS_NODISCARD enum cs_err node_disk_sign(struct node_disk *disk, struct bft_event *answer,
					const struct bft_effect *effect,
					const struct cs_secret *key, struct cs_why *why);
/* What the key has signed last, as far as it is on the disk. */
const struct bft_sign_state *node_disk_signed(const struct node_disk *disk);
/* LOAD: BLOCK_LOADED for effect->peer; what is not there is an answer too. DAMAGED, IO. Bytes until
 * the next call. */
CS_NODISCARD enum cs_err node_disk_load(struct node_disk *disk, struct bft_event *answer,
					int64_t height, uint32_t peer, struct cs_why *why);
/* What the application answered to this height, kept with its state: called before the step with
 * FINALIZED, or SAVE_STATE is INVALID. TOO_LARGE, INVALID as of abci_response_size. */
CS_NODISCARD enum cs_err node_disk_results(struct node_disk *disk, int64_t height,
					   const struct abci_finalize_block_response *results);
/* What was given last: the body of the answer's frame, until the next is given. */
struct cs_bytes node_disk_results_view(const struct node_disk *disk);
/* Commit's retain_height; 0: nothing. */
void node_disk_let_go(struct node_disk *disk, int64_t retain_height);

/* A chain that begins with a state from elsewhere, before the first effect of a fresh folder: all of
 * it or nothing is durable when it ends. What was found is this from then on. CONFLICT: there are
 * blocks. */
CS_NODISCARD enum cs_err node_disk_begin_at(struct node_disk *disk, const struct bft_state *state,
					    const struct node_stored_block *block,
					    struct cs_why *why);

/* Light blocks below the base. NULL: without backfill_path. */
struct node_backfill_store *node_disk_backfill(struct node_disk *disk);
/* The lowest block's header, and whether what is below it was neither fetched as far as evidence
 * goes nor given up (`is_begun`: but was begun). The errors of node_store_block and
 * node_backfill_store_look. */
CS_NODISCARD enum cs_err node_disk_lacks_history(struct node_disk *disk, bool *lacks,
						 bool *is_begun, struct cmt_header *base,
						 struct cs_why *why);
/* For others: light block and evidence of a height below the base, until the next question.
 * NOT_FOUND, DAMAGED, IO. */
CS_NODISCARD enum cs_err node_disk_backfilled(struct node_disk *disk, struct cs_bytes *light,
					      struct cs_bytes *evidence, int64_t height);

/* The last height's outcome is taken back, with `hard` its block too (node_store_roll_back), and the
 * log. What the key has signed stays known. *height, *app_hash: of the state that is left. The disk is
 * closed after it. */
CS_NODISCARD enum cs_err node_disk_roll_back(struct node_disk *disk, bool hard, int64_t *height,
					     struct cs_bytes *app_hash, struct cs_why *why);

/* Blocks, outcomes and searches for the RPC. */
struct node_store *node_disk_store(struct node_disk *disk);
/* Validators that sign the block of this height, one kept or the two after the state; valid until
 * the next question. NOT_FOUND. */
CS_NODISCARD enum cs_err node_disk_validators(struct node_disk *disk,
					      const struct cmt_validator_set **set, int64_t height,
					      struct cs_why *why);

#endif
