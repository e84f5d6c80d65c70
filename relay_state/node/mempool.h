/* Transactions that wait for a block: admitted by the application's CheckTx, told to every peer,
 * offered to proposals by priority, asked about again after every block. Bounded in number, in bytes
 * and for each sender; what does not fit is refused, never stored and dropped later.
 *
 * ABCI 2.0 took priority and sender out of CheckTx's answer. An application that wants them says
 * them in an event of the type "mempool" with the attributes "priority" (a decimal number) and
 * "sender" (any bytes); without it every transaction has priority 0 and no sender (docs/adr). */
#ifndef NODE_MEMPOOL_H
#define NODE_MEMPOOL_H

#include "relay_state/node/application.h"
#include "relay_state/node/peers.h"

/* Hashes of transactions that were seen lately, so that gossip ends. */
#define NODE_MEMPOOL_CACHE_DEFAULT 10000u
#define NODE_MEMPOOL_COUNT_MAX 1000000u
/* Questions about admission that are open at once; the client's bound is above it. */
#define NODE_MEMPOOL_CHECKS_MAX 4096u

struct node_mempool;

struct node_mempool_options {
	uint32_t count_max;      /* [5,000] */
	uint64_t bytes_max;      /* [64 MiB] */
	uint32_t tx_size_max;    /* [1 MiB] */
	uint32_t per_sender_max; /* [count_max] */
	bool recheck;
	bool broadcast;
};

/* response is NULL where the transaction was not taken: DUPLICATE (it is here or was lately), FULL
 * (no room), TOO_LARGE (no block would hold it, in bytes or in gas). OK with a code that is not 0: the application refuses it. */
typedef void node_mempool_done(void *context, enum cs_err err, const char *why,
			       const struct abci_check_tx_response *response);

/* available(context): the first transaction since the last block is there. */
struct node_mempool *node_mempool_new(const struct node_mempool_options *options,
				      struct node_application *application,
				      struct node_peers **peers, host_call *available,
				      void *context);
/* What a block of this chain holds: bytes of transactions, each with its field's tag and length, and
 * gas (-1: any), as CometBFT's checks before and after CheckTx. What waits and fits no more goes:
 * before the others, nothing behind it would ever be proposed. Until this is said, any. */
void node_mempool_bound(struct node_mempool *mempool, size_t data_size_max, int64_t gas_max);
/* peer: where it came from, BFT_PEER_NONE from the RPC. done may be NULL, and may be called before
 * this returns. */
void node_mempool_add(struct node_mempool *mempool, struct cs_bytes tx, uint32_t peer,
		      node_mempool_done *done, void *context);
/* By priority, then by age: as many as fit into size_max bytes of a block's data, each with its
 * field's tag and length, and into its gas. The list is the arena's, the bytes are views until the next change. */
CS_NODISCARD enum cs_err node_mempool_pick(const struct node_mempool *mempool,
					   struct abci_bytes_list *txs, size_t size_max,
					   struct cs_arena *arena);
/* The application commits a block: what comes until the update is asked about after what waits. The
 * application forgets then what it knew of transactions that wait, and would refuse one that follows them. */
void node_mempool_hold(struct node_mempool *mempool);
/* A block carried these; results: of each, what was refused may come again. Then what is left is
 * asked about again. */
void node_mempool_update(struct node_mempool *mempool, int64_t height, const struct cs_bytes *txs,
			 size_t count, const struct abci_finalize_block_response *results);
/* Gives the peer what it may lack: at its beginning, and when it has drained. */
void node_mempool_peer_up(struct node_mempool *mempool, uint32_t peer);
void node_mempool_push(struct node_mempool *mempool, uint32_t peer);
void node_mempool_peer_down(struct node_mempool *mempool, uint32_t peer);

struct node_mempool_counts {
	uint64_t failed;   /* refused by the application, or by its gas */
	uint64_t rejected; /* no room */
	uint64_t evicted;  /* refused when it was asked again, or too large for a block by now */
	uint64_t rechecked;
};
struct node_mempool_counts node_mempool_counts(const struct node_mempool *mempool);
/* Told the size of every transaction that is admitted. */
void node_mempool_on_added(struct node_mempool *mempool, void (*added)(void *context, size_t size),
			   void *context);
uint32_t node_mempool_count(const struct node_mempool *mempool);
uint64_t node_mempool_bytes(const struct node_mempool *mempool);
/* The first `count` by age into list; gives how many. Views. */
size_t node_mempool_list(const struct node_mempool *mempool, struct cs_bytes *list, size_t count);
void node_mempool_flush(struct node_mempool *mempool);
void node_mempool_free(struct node_mempool *mempool);

/* Field's tag, length and bytes of one transaction in a block. */
size_t node_tx_size(struct cs_bytes tx);

#endif
