/* The ledger's state while blocks change it: what is committed, behind a table of functions that
 * the shell gives, and over it the changes of the block under way, which a transaction that fails
 * takes back. Knows no file, and nothing of what the values mean.
 *
 * Two spaces of keys: values, which the application reads and writes and the state tree commits to,
 * and the tree's own pages (tree.h). A version is the height of the block that made it. */
#ifndef LEDGER_STATE_H
#define LEDGER_STATE_H

#include "core/arena.h"

/* The longest key: a contract's number, a kind, and two words with an index. */
#define LEDGER_KEY_SIZE_MAX 96u
/* The longest value: a payload of the largest message with its head; a page of the tree is smaller.
 */
#define LEDGER_VALUE_SIZE_MAX 20480u

enum ledger_space {
	LEDGER_VALUES,
	LEDGER_PAGES,
};
#define LEDGER_SPACE_COUNT 2u

struct ledger_change {
	struct cs_bytes key;
	struct cs_bytes value;
	bool removed;
};

struct ledger_changes {
	const struct ledger_change *items; /* ascending keys, each once */
	size_t count;
};

/* One pair of a scan; anything but OK ends it and is its result. */
typedef enum cs_err ledger_pair_fn(void *context, struct cs_bytes key, struct cs_bytes value);

/* What the shell gives. Every failure but NOT_FOUND and UNAVAILABLE is the application's end: a
 * state that cannot be read is not guessed. */
struct ledger_db {
	void *context;
	/* The value after block `version`, a copy in the arena; version 0: the newest. NOT_FOUND;
	 * UNAVAILABLE below the oldest version that is kept or above the newest; NO_MEMORY, IO,
	 * DAMAGED. */
	enum cs_err (*get)(void *context, struct cs_bytes *value, enum ledger_space space,
			   struct cs_bytes key, uint64_t version, struct cs_arena *arena);
	/* Pairs of the newest version whose keys begin with the prefix and are above `after` (empty:
	 * from the first on), ascending; views for the call. For questions and exports, never for
	 * what a block does. */
	enum cs_err (*scan)(void *context, enum ledger_space space, struct cs_bytes prefix,
			    struct cs_bytes after, ledger_pair_fn *take, void *take_context);
	/* All changes of one block, or none of them; versions rise by any step. What is older than
	 * keep_from may be forgotten. Need not be on the disk when it returns: after a crash the
	 * newest version that is whole is there, and the chain gives the blocks above it again.
	 * Version 0, only before there is any other: a part of the state at genesis or of a
	 * snapshot, of which a start finds nothing until a version above 0 is committed over it. */
	enum cs_err (*commit)(void *context, uint64_t version,
			      const struct ledger_changes changes[LEDGER_SPACE_COUNT],
			      uint64_t keep_from);
	/* Forgets everything, all versions too. */
	enum cs_err (*clear)(void *context);
};

struct ledger_state;

struct ledger_state_options {
	size_t keys_max;  /* different keys that a block reads or writes */
	size_t bytes_max; /* of keys and values, written ones and those that were read */
	/* Random, and different at every node, so that nobody can choose keys that are slow to
	 * find. What a state answers does not depend on it. */
	uint8_t seed[16];
};

/* Bytes of memory that such a state takes. */
size_t ledger_state_size(const struct ledger_state_options *options);
/* Over committed values of the newest version; `memory` is of the size above, 16-byte aligned, the
 * caller's and as long as the state. The table is copied. */
struct ledger_state *ledger_state_init(void *memory, const struct ledger_db *db,
				       const struct ledger_state_options *options);
/* Forgets what was read and changed: after a commit, and to begin again. */
void ledger_state_reset(struct ledger_state *state);

/* A view until the reset. NOT_FOUND; FULL when keys_max or bytes_max is reached, and the failures of
 * ledger_db.get: those end the application, because another node may have had the room. */
CS_NODISCARD enum cs_err ledger_state_get(struct ledger_state *state, struct cs_bytes *value,
					  struct cs_bytes key);
/* Copies both. A key of 1 to LEDGER_KEY_SIZE_MAX bytes and a value of 1 to LEDGER_VALUE_SIZE_MAX,
 * else a bug: verifiers of ICS-23 refuse a proof with an empty value, and with it one of absence
 * beside it. FULL, and the failures of ledger_db.get. */
CS_NODISCARD enum cs_err ledger_state_put(struct ledger_state *state, struct cs_bytes key,
					  struct cs_bytes value);
CS_NODISCARD enum cs_err ledger_state_remove(struct ledger_state *state, struct cs_bytes key);

/* What was changed since the mark is as it was; marks above it are void. */
size_t ledger_state_mark(const struct ledger_state *state);
void ledger_state_revert(struct ledger_state *state, size_t mark);

/* What differs from the committed values, in the arena, views until the reset. NO_MEMORY. */
CS_NODISCARD enum cs_err ledger_state_changes(const struct ledger_state *state,
					      struct ledger_changes *changes,
					      struct cs_arena *arena);

#endif
