/* CometBFT's example application, a store of keys and values, as a table of functions: for tests
 * and measurements beside the real one, and as the smallest whole example of an application. Keeps
 * its state in memory that the caller gives; proves nothing, and its app hash says only how many
 * transactions there were.
 *
 * Answers, codes, events, app hash and queries are those of CometBFT v0.38.26
 * (abci/example/kvstore/kvstore.go), so that both serve one chain. Different on purpose:
 * - keys of validators other than 32 bytes of Ed25519 are refused as a transaction (code 2): the
 *   real one passes them, and its process ends when the block is final;
 * - a culprit who is no validator any more is passed over (the real one ends), and one is punished
 *   once in a block (the real one gives two changes, over which its node ends);
 * - a block whose answers would not fit a frame (ABCI_KVSTORE_ANSWER_SIZE_MAX) is neither proposed
 *   nor accepted;
 * - info and query tell the last committed height, also between finalize_block and commit. */
#ifndef ABCI_KVSTORE_H
#define ABCI_KVSTORE_H

#include "relay_state/abci/app.h"

/* What the answers to one block may take on the wire, below ABCI_FRAME_SIZE_MAX: a transaction takes
 * its key and value once, one of a validator twice its size, and at most this beside. */
#define ABCI_KVSTORE_ANSWER_SIZE_MAX (60u * 1024 * 1024)
#define ABCI_KVSTORE_ANSWER_EXTRA 300u
/* More than any network here; a linear search each. */
#define ABCI_KVSTORE_VALIDATORS_MAX 512u
/* The least memory that holds anything. */
#define ABCI_KVSTORE_MEMORY_MIN (64u * 1024)
/* The most: places are counted in units of 8 bytes, in 32 bits. */
#define ABCI_KVSTORE_MEMORY_MAX (16ull * 1024 * 1024 * 1024)

/* Of CheckTxResponse. */
#define ABCI_KVSTORE_CODE_OK 0u
#define ABCI_KVSTORE_CODE_INVALID_FORMAT 2u

/* Where a store may listen: what init_chain and commit make durable, in order, and the end of each
 * commit. A failure is the application's failure. Either may be NULL. */
struct abci_kvstore_hooks {
	void *context;
	enum cs_err (*pair)(void *context, struct cs_bytes key, struct cs_bytes value);
	/* Power 0: taken out. */
	enum cs_err (*validator)(void *context, struct cs_bytes key, int64_t power);
	enum cs_err (*committed)(void *context, int64_t height, int64_t size);
};

struct abci_kvstore_validator {
	uint8_t key[32];
	int64_t power;
};

struct abci_kvstore_snapshots;

struct abci_kvstore {
	/* Records of pairs and of the block under way from the beginning of the memory, their slots
	 * by hash at its end, growing towards each other. */
	uint8_t *heap;
	size_t memory_size;
	size_t heap_size; /* up to the slots */
	uint32_t *slots;
	size_t slot_count; /* a power of two, at least twice pair_count */
	size_t pair_count;
	size_t heap_used;   /* by pairs, and by what they replaced */
	size_t staged_used; /* heap_used and the records of the block under way */
	uint8_t seed[16];
	int64_t size; /* transactions so far */
	int64_t height;
	int64_t size_next;
	int64_t height_next;
	int64_t retain_blocks;
	struct abci_kvstore_hooks hooks;
	struct abci_kvstore_snapshots *snapshots; /* of kvstore_snapshot.h; NULL: none */
	uint32_t validator_count;
	uint32_t update_count;
	struct abci_kvstore_validator validators[ABCI_KVSTORE_VALIDATORS_MAX];
	struct abci_kvstore_validator
		updates[ABCI_KVSTORE_VALIDATORS_MAX]; /* of the block under way */
};

struct abci_kvstore_options {
	void *memory; /* the caller's, as long as the store lives; 8-byte aligned */
	size_t memory_size;
	uint8_t seed[16];      /* secret and random where strangers choose keys: it spreads them */
	int64_t retain_blocks; /* commit's answer lets go of what is older; 0: of nothing */
	struct abci_kvstore_hooks hooks;
};

/* An empty store at height 0. INVALID: a memory_size outside of the bounds. */
CS_NODISCARD enum cs_err abci_kvstore_init(struct abci_kvstore *store,
					   const struct abci_kvstore_options *options);
/* The table whose state is the store. */
struct abci_app abci_kvstore_app(struct abci_kvstore *store);

/* The value, a view until the next call; NOT_FOUND. */
CS_NODISCARD enum cs_err abci_kvstore_get(const struct abci_kvstore *store, struct cs_bytes key,
					  struct cs_bytes *value);

/* Tells everything that is committed to the hooks' functions, in an order that depends on the
 * history alone; ends at the first failure. */
CS_NODISCARD enum cs_err abci_kvstore_export(const struct abci_kvstore *store,
					     const struct abci_kvstore_hooks *to);
/* Into a store that was just made: pairs and validators, then the height and size that they had.
 * NO_MEMORY, FULL, INVALID (an empty key, a key of a validator that is not 32 bytes, a negative
 * height). */
CS_NODISCARD enum cs_err abci_kvstore_import_pair(struct abci_kvstore *store, struct cs_bytes key,
						  struct cs_bytes value);
CS_NODISCARD enum cs_err abci_kvstore_import_validator(struct abci_kvstore *store,
						       struct cs_bytes key, int64_t power);
CS_NODISCARD enum cs_err abci_kvstore_import_end(struct abci_kvstore *store, int64_t height,
						 int64_t size);

#endif
