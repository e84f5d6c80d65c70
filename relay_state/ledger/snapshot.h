/* Snapshots of the state for ABCI's state sync: all values of one version, in chunks under a SHA-256
 * each, taken chunk by chunk from a version that is kept while blocks go on, and restored chunk by
 * chunk into an empty store. Keeps no chunk, and knows no file.
 *
 * Pairs are in the order of their keys' hashes, the tree's own. So a chunk is one stretch of the tree:
 * every page of it is read or made once, and a chunk is begun where the last one has ended by one
 * walk down. Pages are not sent: they follow from the pairs. What is taken is checked against the tree,
 * what is restored against the root that the light client knows.
 *
 *     pair     = key's size (1) ‖ key ‖ value's size (2) ‖ value, numbers big-endian
 *     chunk    = pairs, as many as LEDGER_CHUNK_SIZE_MAX holds
 *     metadata = time of the version's block (8) ‖ the chunks' hashes; the snapshot's hash is its SHA-256
 *
 * So snapshots of one version are the same bytes at every node. The root says nothing of the time, which
 * is the word of whoever offers the snapshot: no block follows from it, and the next one brings its own. */
#ifndef LEDGER_SNAPSHOT_H
#define LEDGER_SNAPSHOT_H

#include "core/buf.h"
#include "core/hash.h"
#include "relay_state/ledger/block_time.h"
#include "relay_state/ledger/state.h"

#define LEDGER_SNAPSHOT_FORMAT 2u
#define LEDGER_CHUNK_SIZE_MAX (1024u * 1024)
/* With the time their hashes are what a peer's message takes of metadata (node/statesync_message.h):
 * 2 GiB of state, about ten million records. */
#define LEDGER_CHUNKS_MAX 2047u
#define LEDGER_METADATA_SIZE_MAX (LEDGER_TIME_SIZE + LEDGER_CHUNKS_MAX * 32u)
/* Pairs that are put into the tree at once. */
#define LEDGER_RESTORE_BATCH 512u

/* ---- taking ---- */

struct ledger_snapshot {
	uint64_t version;
	struct cs_hash root;
	bool is_done;
	uint32_t chunk_count; /* so far */
	uint8_t metadata[LEDGER_METADATA_SIZE_MAX];
	struct cs_hash next; /* the hash of the next pair's key */
};

/* Begins at a version (0: the newest is not named, and is no version of a snapshot; a bug) and the time
 * of its block in seconds. NOT_FOUND: nothing is there, of which there is no snapshot; the failures of
 * ledger_tree_root. */
CS_NODISCARD enum cs_err ledger_snapshot_begin(struct ledger_snapshot *snapshot, uint64_t version,
					       uint64_t time_s, const struct ledger_db *db,
					       struct cs_arena *arena);
/* The next chunk into a buffer of LEDGER_CHUNK_SIZE_MAX, until is_done; the arena is used for one
 * path and one value, and given back. After a failure the same chunk can be asked for again.
 * UNAVAILABLE: the version is not kept any more; TOO_LARGE: LEDGER_CHUNKS_MAX; those of ledger_db.get;
 * DAMAGED. */
CS_NODISCARD enum cs_err ledger_snapshot_next(struct ledger_snapshot *snapshot,
					      struct cs_buf *chunk, const struct ledger_db *db,
					      struct cs_arena *arena);
/* Views of the snapshot. */
struct cs_bytes ledger_snapshot_metadata(const struct ledger_snapshot *snapshot);
struct cs_hash ledger_snapshot_hash(const struct ledger_snapshot *snapshot);

/* ---- restoring ---- */

enum ledger_restore_verdict {
	LEDGER_RESTORE_MORE,         /* taken */
	LEDGER_RESTORE_DONE,         /* taken, and the state is there, at its version */
	LEDGER_RESTORE_BAD_CHUNK,    /* another than the metadata says: from somebody else */
	LEDGER_RESTORE_BAD_SNAPSHOT, /* the store is empty again */
};

struct ledger_restore {
	uint64_t version;
	uint64_t time_s; /* the offer's word */
	struct cs_hash root;
	uint32_t chunk_count;
	uint32_t next;
	struct cs_hash hashes[LEDGER_CHUNKS_MAX];
	struct cs_hash last; /* the hash of the last pair's key */
	bool has_last;
};

struct ledger_offer {
	uint64_t version;
	uint32_t format;
	uint32_t chunks;
	struct cs_bytes hash;
	struct cs_bytes metadata;
};

/* Is the offer one that can be restored, with this root at its end? Copies what it needs, empties the
 * store, and *accepted; else nothing is changed. Failures: those of ledger_db.clear. */
CS_NODISCARD enum cs_err ledger_restore_begin(struct ledger_restore *restore, bool *accepted,
					      const struct ledger_offer *offer,
					      const struct cs_hash *root,
					      const struct ledger_db *db);
/* The chunk of the number restore->next. What it changes is version 0 until the last one. The arena is
 * used for LEDGER_RESTORE_BATCH pairs and their pages, and given back. Failures: those of the store;
 * NO_MEMORY; the same chunk may come again then. */
CS_NODISCARD enum cs_err ledger_restore_chunk(struct ledger_restore *restore,
					      enum ledger_restore_verdict *verdict,
					      struct cs_bytes chunk, const struct ledger_db *db,
					      struct cs_arena *arena);

#endif
