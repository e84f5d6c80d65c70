/* What every light client offers, whatever its chain: a table of functions over a state of the
 * caller, and the rule by which a status proves an outcome. Never reads a clock: time is an
 * interval that the caller vouches for.
 *
 * The kinds of client (verify_evm: Clique, QBFT, insecure_dev_head, rpc_quorum; cometbft) each have a
 * typed opener that checks a configuration and fills struct verify_client; everything after that goes
 * through this table. A client whose updates are not headers in a row (sync committee, RPC quorum,
 * CometBFT's skipping) fits it: an update is an array of opaque evidence, and blocks that were skipped
 * are reached by verify_client_ancestors, or by another update where the client has none.
 *
 * A block's state root is that of the state which its hash binds. On EVM chains that is the state after
 * the block itself. On CometBFT chains it is the header's application hash, the state after the block
 * below; the block itself executes on top of it with the header's own time. What holds of both: a
 * transaction that is not in the state root executes at the time of this block or later. So a status
 * that is not there, in a block whose time is at or after a deadline, can never be delivered, and
 * verify_outcome is one rule for all. */
#ifndef VERIFY_VERIFY_H
#define VERIFY_VERIFY_H

#include "core/buf.h"
#include "wire/envelope.h"

/* Evidence of one update, and headers of one chain of ancestors: the bound of the enclave's schema. */
#define VERIFY_HEADERS_MAX 256u

/* ---- time (Unix seconds) ---- */

/* The true time lies in [low_s, high_s]. high_s 0: nothing bounds it from above, and whatever
 * protects by expiring refuses with NO_TIME. */
struct verify_time {
	uint64_t low_s;
	uint64_t high_s;
};

/* Is it certainly `not_before_s` or later? By the low end: NOT_YET_VALID otherwise. */
CS_NODISCARD enum cs_err verify_time_reached(const struct verify_time *now, uint64_t not_before_s);
/* Is it certainly before `end_s`? By the high end: EXPIRED otherwise, at the very second too, as in
 * the contracts; NO_TIME when that is unbounded. end_s 0: no end. */
CS_NODISCARD enum cs_err verify_time_before(const struct verify_time *now, uint64_t end_s);
/* Is what happened at `then_s` certainly at most age_max_s old? By the high end: ANCHOR_TOO_OLD
 * otherwise, NO_TIME. */
CS_NODISCARD enum cs_err verify_time_fresh(const struct verify_time *now, uint64_t then_s,
					   uint64_t age_max_s);

/* ---- facts ---- */

/* A final block. Every field is bound by `hash`, except the last two, which are the client's. */
struct verify_block {
	uint64_t height;
	struct cs_hash hash;
	struct cs_hash parent;
	struct cs_hash state_root;  /* see above; zero where the chain has none */
	struct cs_hash events_root; /* EVM: the receipts root */
	uint64_t time_s;
	uint64_t final_height; /* newest final block: final_height - height blocks are final on top
				  of this one */
	uint64_t reorg_margin_s; /* what absence waits for after a deadline; 0 where finality is
				    certain */
};

struct verify_status {
	uint64_t head_height; /* newest header that links */
	uint64_t final_height;
	struct cs_hash final_hash;
	uint64_t final_time_s;
	bool created;
	bool frozen;
	bool insecure; /* finality is not checked: insecure_dev_head */
};

/* The two final headers of one height that froze the client, as they came; views into the state.
 * `first` is empty when the bytes of the older one are no longer kept (its hash always is), `second`
 * when nobody brought the header that a quorum of providers named. Below `height` both branches are
 * one. */
struct verify_conflict {
	uint64_t anchor_height; /* where the frozen client began */
	struct cs_hash anchor_hash;
	uint64_t height;
	struct cs_hash first_hash;
	struct cs_hash second_hash;
	struct cs_bytes first;
	struct cs_bytes second;
};

/* ---- the client ---- */

/* `state` is of the kind's own type. Each function has the contract of its verify_client_… below. */
struct verify_client_ops {
	const char *name;
	enum cs_err (*create)(void *state, struct cs_bytes anchor, const struct verify_time *now,
			      struct cs_why *why);
	enum cs_err (*update)(void *state, const struct cs_bytes *headers, size_t count,
			      const struct verify_time *now, size_t *accepted, struct cs_why *why);
	enum cs_err (*block)(const void *state, uint64_t height, const struct verify_time *now,
			     struct verify_block *block, struct cs_why *why);
	enum cs_err (*ancestors)(void *state, const struct cs_bytes *headers, size_t count,
				 const struct verify_time *now, struct verify_block *blocks,
				 struct cs_why *why);
	void (*status)(const void *state, struct verify_status *status);
	enum cs_err (*conflict)(const void *state, struct verify_conflict *conflict);
	void (*encode)(const void *state, struct cs_buf *buf);
	enum cs_err (*decode)(void *state, struct cs_bytes bytes, struct cs_why *why);
};

struct verify_client {
	const struct verify_client_ops *ops;
	void *state;
	size_t encoded_size_max; /* of verify_client_encode */
};

/* Begins at the anchor of the configuration; `anchor` is its header in the chain's own encoding.
 * Replaces whatever the state held, except a freeze: FROZEN. ANCHOR_MISMATCH (height or hash),
 * ANCHOR_TOO_OLD, FUTURE_HEADER, NO_TIME, and the errors of a bad header. */
CS_NODISCARD enum cs_err verify_client_create(const struct verify_client *client,
					      struct cs_bytes anchor, const struct verify_time *now,
					      struct cs_why *why);

/* Takes headers (count <= VERIFY_HEADERS_MAX, ascending on each branch) until one is refused; the
 * ones before it stay, and are counted in *accepted on every path. Headers known already are passed
 * over and not counted.
 *
 * OK when all were taken or known. Refusals: UNLINKED, STALE_HEADER (none of them is above the
 * final height), FUTURE_HEADER, BAD_TIME, BAD_SEAL, FOREIGN_SEAL, DUPLICATE_SEAL, TOO_FEW_SEALS,
 * RECENT_SEAL, WRONG_DIFFICULTY, BAD_EPOCH, BAD_SIGNER_SET, INVALID and the codec's for a broken
 * header, UNSUPPORTED, FULL (a table of the rule is full), ANCHOR_TOO_OLD, NO_TIME, NOT_FOUND (not
 * created).
 *
 * FROZEN: these headers prove a second final header of one height; the state has changed and must
 * be sealed, or the client was frozen before. */
CS_NODISCARD enum cs_err verify_client_update(const struct verify_client *client,
					      const struct cs_bytes *headers, size_t count,
					      const struct verify_time *now, size_t *accepted,
					      struct cs_why *why);

/* The final block of a height. NOT_FINAL (above the final height), STALE_HEADER (below what is
 * kept: bring its ancestors), NOT_FOUND (not created), FROZEN, ANCHOR_TOO_OLD (the newest final
 * block is older than the trusting period), NO_TIME. */
CS_NODISCARD enum cs_err verify_client_block(const struct verify_client *client, uint64_t height,
					     const struct verify_time *now,
					     struct verify_block *block, struct cs_why *why);

/* Blocks that are older than what is kept: `headers` in a row, ascending, 1 to VERIFY_HEADERS_MAX,
 * the last of them a final block that the client keeps, or the parent of the oldest one, or the
 * parent of the first header of an earlier call that succeeded (a few are remembered: so any depth
 * is reached in several calls). Each is bound by its child's parent hash; seals are not asked for
 * again. blocks[count] is filled. UNLINKED otherwise, and the refusals of verify_client_block. */
CS_NODISCARD enum cs_err verify_client_ancestors(const struct verify_client *client,
						 const struct cs_bytes *headers, size_t count,
						 const struct verify_time *now,
						 struct verify_block *blocks, struct cs_why *why);

void verify_client_status(const struct verify_client *client, struct verify_status *status);
/* NOT_FOUND when the client is not frozen. */
CS_NODISCARD enum cs_err verify_client_conflict(const struct verify_client *client,
						struct verify_conflict *conflict);

/* The state for sealing, at most client->encoded_size_max bytes: final blocks, signers, votes, a
 * freeze. Headers that are not final are not in it: the host brings them again. */
void verify_client_encode(const struct verify_client *client, struct cs_buf *buf);
/* ANCHOR_MISMATCH when the bytes belong to another chain, kind, anchor or epoch than the
 * configuration: create anew. A frozen client of the chain comes back frozen under any
 * configuration, and keeps the anchor that it has: who lifts the freeze opens the client again.
 * MALFORMED and so on when the bytes are broken. The state is as after the opener on failure. */
CS_NODISCARD enum cs_err verify_client_decode(const struct verify_client *client,
					      struct cs_bytes bytes, struct cs_why *why);

/* ---- outcomes ---- */

/* What a proven status of a final block says: *outcome becomes DELIVERED or DEAD. None and failed
 * are dead only when the block's time is at or after deadline + reorg margin: BEFORE_DEADLINE
 * otherwise. INVALID for deadline 0. */
CS_NODISCARD enum cs_err verify_outcome(enum wire_status *outcome, enum wire_status status,
					uint64_t deadline_s, const struct verify_block *block);

#endif
