/* What the files of the node share: node.c (its beginning and end), handshake.c (the application is
 * brought to the chain's height), shell.c (events in, effects executed). */
#ifndef NODE_NODE_INNER_H
#define NODE_NODE_INNER_H

#include "host/log.h"
#include "relay_state/node/backfill.h"
#include "relay_state/node/execution.h"
#include "relay_state/node/node.h"
#include "relay_state/node/statesync_serve.h"

/* Answers to a block, read again once it is committed: taken from the system as it is used. */
#define NODE_RESULTS_ARENA_SIZE (256u * 1024 * 1024)

/* An event with memory of its own, on its way into the engine. */
struct node_queued {
	struct node_queued *next;
	struct bft_event event;
	struct node_finalized *finalized;
	uint8_t bytes[];
};

struct node_timer {
	struct node *node;
	struct host_timer *timer;
	enum bft_timer which;
	int64_t height;
	int32_t round;
};

struct node_listening {
	node_listener *listener;
	void *context;
};

struct node_watching {
	struct node_watcher watcher;
	void *context;
};

struct node {
	struct host_loop *loop;
	struct node_options options;
	struct node_events events;
	void *context;

	struct node_genesis genesis;
	struct node_key node_key, validator_key;
	struct node_time_key *time_key; /* NULL: none */
	bool has_validator_key;
	struct node_folder folder;
	bool is_folder_open;
	struct node_disk *disk;
	struct node_application *application;
	struct node_mempool *mempool;
	struct node_peers *peers;
	struct node_statesync *statesync; /* before the engine; NULL: none, or over */
	struct node_backfill *backfill;   /* after it; the same */
	struct node_statesync_server *server;

	struct bft *bft;
	bool is_started;
	bool is_over;
	bool is_busy; /* inside a step */
	struct node_queued *first, **last;
	struct node_asked *asked; /* open questions to the application */
	struct node_timer timers[BFT_TIMER_END];
	struct cs_arena arena;
	void *arena_memory;

	/* From FINALIZE to the answer of COMMIT. */
	uint8_t *block;
	size_t block_size;
	struct cmt_block_id block_id;
	uint8_t *results; /* the body of the answer's frame */
	size_t results_size;

	uint64_t asked_block_ms; /* when a block was asked of a peer; 0: never */
	struct node_listening listeners[NODE_LISTENERS_MAX];
	size_t listener_count;
	struct node_watching watchers[NODE_WATCHERS_MAX];
	size_t watcher_count;

	/* The handshake. */
	struct bft_state state; /* with which the engine begins */
	int64_t app_height, replay_height;
	uint64_t replay_told_ms;
	uint64_t app_version;
	uint8_t app_hash[CMT_APP_HASH_SIZE_MAX];
	size_t app_hash_size;
};

/* The first reason counts; the owner is told in a later turn. */
void node_fail(struct node *node, enum cs_err err, const char *what, const char *why);

/* handshake.c: begins once the application is ready, ends in node_start or node_fail. */
void node_handshake(struct node *node);

/* statesync_node.c */
/* Of a node without a chain, in place of the handshake, which follows it. */
bool node_wants_statesync(const struct node *node);
void node_statesync_begin(struct node *node);

/* backfill_node.c: light blocks below the base, where they are missing after a state sync; then the
 * handshake. */
void node_backfill_then_handshake(struct node *node);

/* shell.c */
/* As the engine and a sync before it need them. */
struct node_peers_options node_peers_options_of(struct node *node);

/* Engine, peers, mempool. */
void node_start(struct node *node);
/* Steps now, or after the step that is under way. Copies what it must. */
void node_step(struct node *node, const struct bft_event *event);
void node_shell_free(struct node *node);
extern const struct node_peers_events node_shell_peer_events;

#endif
