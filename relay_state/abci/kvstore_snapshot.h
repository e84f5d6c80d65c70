/* Snapshots of the kvstore for ABCI's state sync: its whole content in chunks of 256 KiB, each under
 * a SHA-256 that the snapshot's hash is of, taken every so many blocks and kept in memory that the
 * caller gives. Believes no chunk that is not the offered snapshot's, and no snapshot that does not
 * lead to the application hash that was asked for.
 *
 * That hash says only how many transactions there were (kvstore.h): that the pairs are the right
 * ones rests on the peers that offer the snapshot. An application whose hash is of its state has
 * no such gap.
 *
 * Content: "CSKV" (4), version (4), height (8), transactions (8), pairs (8), validators (4); of each
 * pair sizes of key and value (4, 4), key, value; of each validator key (32), power (8). Numbers are
 * big-endian. The order depends on the history alone: snapshots of one height are the same bytes at
 * every node. Metadata: the chunks' hashes. */
#ifndef ABCI_KVSTORE_SNAPSHOT_H
#define ABCI_KVSTORE_SNAPSHOT_H

#include "relay_state/abci/kvstore.h"

#define ABCI_KVSTORE_SNAPSHOT_FORMAT 1u
#define ABCI_KVSTORE_CHUNK_SIZE (256u * 1024)
/* The newest ones, and one that is being restored. */
#define ABCI_KVSTORE_SNAPSHOTS_KEPT 3u
#define ABCI_KVSTORE_SNAPSHOT_SLOTS (ABCI_KVSTORE_SNAPSHOTS_KEPT + 1u)

struct abci_kvstore_snapshot {
	uint8_t *content; /* room for slot_size */
	size_t size;
	uint8_t *hashes; /* of chunks, one after the other */
	uint32_t chunk_count;
	int64_t height; /* 0: none */
	struct cs_hash hash;
};

struct abci_kvstore_snapshots_options {
	void *memory; /* the caller's; a quarter of it bounds one snapshot, what is larger is not
			 taken */
	size_t memory_size;
	int64_t interval; /* heights between two; 0: none is taken, others' are restored */
	/* A snapshot was taken or restored; a failure is the application's. May be NULL. */
	enum cs_err (*taken)(void *context, int64_t height, struct cs_bytes content);
	void *context;
};

struct abci_kvstore_snapshots {
	struct abci_kvstore *store;
	struct abci_app inner;
	struct abci_kvstore_snapshots_options options;
	size_t slot_size;
	struct abci_kvstore_snapshot slots[ABCI_KVSTORE_SNAPSHOT_SLOTS];
	uint64_t too_large; /* how many did not fit */
	/* The one that is being restored. */
	struct abci_kvstore_snapshot *coming;
	uint32_t next;
	uint32_t refetch;
	struct cs_bytes refused_sender;
	int64_t coming_height;
	size_t app_hash_size;
	uint8_t app_hash[32];
};

/* Beside a store that was just made, both the caller's; the table's state is the store. INVALID: a
 * store with hooks (they would not see what is restored), or memory that holds nothing. */
CS_NODISCARD enum cs_err
abci_kvstore_snapshots_init(struct abci_kvstore_snapshots *snapshots, struct abci_app *app,
			    struct abci_kvstore *store,
			    const struct abci_kvstore_snapshots_options *options);
/* The content of an earlier `taken`, into a store at height 0; it is kept as a snapshot too. The
 * store is empty on failure: MALFORMED, NO_MEMORY. */
CS_NODISCARD enum cs_err abci_kvstore_snapshots_load(struct abci_kvstore_snapshots *snapshots,
						     struct cs_bytes content);

#endif
