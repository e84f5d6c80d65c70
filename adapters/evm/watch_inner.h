/* The watcher's state, as its two halves share it: the walk (watch.c) and the forks that it meets (fork.c). Nobody
 * else includes it. */
#ifndef ADAPTERS_EVM_WATCH_INNER_H
#define ADAPTERS_EVM_WATCH_INNER_H

#include "adapters/evm/inner.h"

struct evm_watch_slot {
	struct cs_hash hash;
	struct evm_header *header; /* NULL: from the cursor */
	uint64_t look_round;       /* of the reconciler, when it looks at the block next */
	uint64_t look_pause;       /* rounds from then on to the one after it */
};

struct evm_fork {
	uint64_t from; /* the lowest height that is no longer what was reported */
	bool beyond;
	struct cs_hash new_hash;
};

struct evm_watch {
	struct evm *evm;
	struct evm_watch_slot slots[EVM_WATCH_WINDOW]; /* height modulo the window */
	uint64_t low;
	uint64_t next; /* to be reported; low == next: nothing is known */
	struct evm_header *head;
	struct host_timer *poll;
	struct host_timer *soon;
	uint64_t head_changed_ms;
	uint64_t poll_count;
	bool stalled;
	bool busy;
	bool again;
	/* the stretch at hand */
	size_t endpoint;
	struct evm_header *chunk[EVM_WATCH_CHUNK];
	struct evm_logs logs[EVM_WATCH_CHUNK];
	bool wanted[EVM_WATCH_CHUNK];  /* the bloom allows an event: its receipts are read */
	bool skipped[EVM_WATCH_CHUNK]; /* they are not: the bloom is full, eth_getLogs names none */
	size_t chunk_count;
	size_t checked; /* blocks whose logs are there */
	/* the fork at hand */
	uint64_t fork_to;
	struct cs_hash fork_new_hash; /* at fork_to + 1 */
	struct evm_fork fork;         /* found, and being asked about */
	struct adapter_block_id final;
	bool is_held;
	struct evm_fork held;    /* it waits for an operator */
	struct cs_hash accepted; /* held.new_hash, by an operator's word; zero: none */
};

static inline struct evm_watch_slot *evm_watch_slot(struct evm_watch *watch, uint64_t height)
{
	return &watch->slots[height % EVM_WATCH_WINDOW];
}

static inline void evm_watch_slot_clear(struct evm_watch_slot *slot)
{
	evm_header_unref(slot->header);
	*slot = (struct evm_watch_slot){.header = NULL};
}

/* ---- watch.c ---- */
/* Tells the listener up to where everything was reported. */
void evm_watch_tell_progress(struct evm_watch *watch);
/* The end of a step; with an error the next one begins soon. */
void evm_watch_finish(struct evm_watch *watch, enum cs_err err);

/* ---- fork.c: each ends the step, now or with an answer ---- */
/* The fork is at `to` or below. new_hash: of the block that is at to + 1 now. */
void evm_watch_find_fork(struct evm_watch *watch, uint64_t to, const struct cs_hash *new_hash);
/* It was found: followed, or asked about, or held. */
void evm_watch_forked(struct evm_watch *watch, const struct evm_fork *fork);
/* No fork waits any more; this one ends nothing. */
void evm_watch_release(struct evm_watch *watch);

#endif
