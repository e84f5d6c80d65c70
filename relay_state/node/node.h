/* A node: the engine's shell. Opens the disk, brings the application to the chain's height, connects
 * to the peers, and executes the engine's effects strictly in order. What cannot go on (a disk that
 * fails, an application that fails, an engine that halts) ends the node with the reason: nothing is
 * tried again in a process whose promises are in doubt. */
#ifndef NODE_NODE_H
#define NODE_NODE_H

#include "relay_state/node/application.h"
#include "relay_state/node/disk.h"
#include "relay_state/node/mempool.h"
#include "relay_state/node/peers.h"
#include "relay_state/node/statesync.h"
#include "relay_state/node/time_key.h"

/* Who wants to be told about blocks; about steps. */
#define NODE_LISTENERS_MAX 4u
#define NODE_WATCHERS_MAX 2u
/* After asking a peer for a block a node counts as catching up for so long. */
#define NODE_CATCHING_UP_MS 2000u

struct node;

struct node_options {
	const char *genesis_file;
	const char *validator_key_file; /* NULL: follows only */
	const char *node_key_file;
	const char *time_key_file; /* NULL, or no such file: it has none */
	const char *data_folder;
	const char *moniker;
	struct node_application_options application;
	struct node_mempool_options mempool;
	const char *p2p_listen;
	const char *const *persistent_peers;
	size_t persistent_peer_count;
	uint32_t unknown_peers_max;
	/* As of node_peers_options. */
	const char *evidence_backend, *evidence_state_folder;
	const char *evidence_policy, *evidence_collateral, *evidence_roots;
	/* Times, proposal of the next height, of bft_config; key and history are the node's. */
	struct bft_config consensus;
	struct node_statesync_options statesync; /* of a node without a chain */
};

/* One block and what it did. Views until the call returns. */
struct node_applied {
	struct cs_bytes bytes;
	const struct cmt_block *block;
	struct cmt_block_id id;
	const struct abci_finalize_block_response *results;
};

struct node_events {
	/* The height is with the application: queries answer about it. Once, before the first of
	 * started nodes, with what was there at the start. */
	void (*started)(void *context);
	void (*failed)(void *context, enum cs_err err, const char *why);
};

/* Everything is opened and checked that can be without the application: DAMAGED from the disk, and
 * the errors of files, addresses and keys. Texts are the caller's as long as the node lives. */
CS_NODISCARD enum cs_err node_new(struct node **node, struct host_loop *loop,
				  const struct node_options *options,
				  const struct node_events *events, void *context,
				  struct cs_why *why);
/* Not inside its events. NULL is allowed. */
void node_free(struct node *node);

typedef void node_listener(void *context, const struct node_applied *applied);
/* After the application has committed each block. */
void node_on_block(struct node *node, node_listener *listener, void *context);

/* Who looks on, inside the node's steps: may not call it. */
struct node_watcher {
	/* Before the effect is executed. */
	void (*effect)(void *context, const struct bft_effect *effect);
	/* After a step of the engine; what it came to is node_view. */
	void (*stepped)(void *context, const struct bft_view *before);
};
void node_watch(struct node *node, const struct node_watcher *watcher, void *context);

/* A message of consensus, as a peer sends it. */
void node_event_message(struct node *node, uint32_t peer, struct cs_bytes message);

/* tendermint.types.Evidence of a person: judged by the engine, durable when it is kept. */
void node_event_evidence(struct node *node, struct cs_bytes evidence);

/* ---- looking inside; state and view are there once it has started ---- */
bool node_is_started(const struct node *node);
bool node_is_catching_up(const struct node *node);
const struct bft_state *node_state(const struct node *node);
struct bft_view node_view(const struct node *node);
/* The engine keeps it until a block carries it. */
bool node_evidence_waits(const struct node *node, const struct cs_hash *hash);
/* For the engine's looks (bft.h); nobody else steps it. */
struct bft *node_engine(const struct node *node);
const struct node_genesis *node_genesis(const struct node *node);
const struct node_key *node_node_key(const struct node *node);
/* NULL: it only follows. */
const struct node_key *node_validator_key(const struct node *node);
/* NULL: it has none. */
const struct node_time_key *node_time_key_of(const struct node *node);
struct node_disk *node_disk_of(struct node *node);
struct node_application *node_application_of(struct node *node);
struct node_mempool *node_mempool_of(struct node *node);
struct node_peers *node_peers_of(struct node *node);
/* p2p.laddr as it is configured. */
const char *node_p2p_listen(const struct node *node);
const char *node_moniker(const struct node *node);

#endif
