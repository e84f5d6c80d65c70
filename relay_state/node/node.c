#include "host/alloc.h"
#include "relay_state/node/ledger_app.h"
#include "relay_state/node/node_inner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static void on_ready(void *context)
{
	struct node *n = context;
	if (node_wants_statesync(n))
		node_statesync_begin(n);
	else
		node_backfill_then_handshake(n);
}

static void on_application_failed(void *context, enum cs_err err, const char *why)
{
	node_fail(context, err, "application", why);
}

void node_fail(struct node *n, enum cs_err err, const char *what, const char *why)
{
	if (n->is_over)
		return;
	n->is_over = true;
	log_error("node.failed", LOG_TEXT("what", what), LOG_ERR(err), LOG_TEXT("why", why));
	n->events.failed(n->context, err, why);
}

static enum cs_err read_files(struct node *n, struct cs_why *why)
{
	CS_TRY(node_genesis_load(&n->genesis, n->options.genesis_file, why));
	CS_TRY(node_key_load(&n->node_key, n->options.node_key_file, why));
	if (n->options.time_key_file != NULL)
		CS_TRY(node_time_key_load(&n->time_key, n->options.time_key_file, why));
	if (n->options.validator_key_file != NULL) {
		CS_TRY(node_key_load(&n->validator_key, n->options.validator_key_file, why));
		n->has_validator_key = true;
	}
	return CS_OK;
}

static enum cs_err open_disk(struct node *n, struct cs_why *why)
{
	char index[NODE_PATH_SIZE_MAX], backfill[NODE_PATH_SIZE_MAX];
	CS_TRY(node_path(index, n->options.data_folder, "index.db", why));
	CS_TRY(node_path(backfill, n->options.data_folder, "backfill.db", why));
	CS_TRY(node_folder_open(&n->folder, n->options.data_folder, why));
	n->is_folder_open = true;
	const struct node_disk_options disk = {.folder = &n->folder,
					       .index_path = index,
					       .backfill_path = backfill,
					       .initial_height = n->genesis.initial_height,
					       .chain_id = &n->genesis.chain_id,
					       .genesis_hash = &n->genesis.hash};
	CS_TRY(node_disk_open(&n->disk, &disk, why));
	const struct node_disk_found *found = node_disk_found(n->disk);
	if (found->is_sign_slot_lost)
		log_warn("node.sign_slot_lost");
	if (found->log_torn > 0 || found->store_torn > 0 || found->evidence_torn > 0)
		log_warn("node.torn_tail", LOG_U64("log", found->log_torn),
			 LOG_U64("store", found->store_torn),
			 LOG_U64("evidence", found->evidence_torn));
	return CS_OK;
}

/* The built-in kvstore keeps its snapshots beside the blocks, and none above them counts. */
static enum cs_err open_application(struct node *n, const struct abci_client_events *events,
				    struct cs_why *why)
{
	const struct node_disk_found *found = node_disk_found(n->disk);
	struct node_application_options options = n->options.application;
	char database[NODE_PATH_SIZE_MAX], ledger[NODE_PATH_SIZE_MAX];
	CS_TRY(node_path(database, n->options.data_folder, "application.db", why));
	CS_TRY(node_path(ledger, n->options.data_folder, NODE_LEDGER_FILE, why));
	options.database = database;
	options.ledger = ledger;
	options.folder = &n->folder;
	options.height_max = found->has_state ? found->state->last_height : 0;
	return node_application_new(&n->application, n->loop, &options, events, n, why);
}

enum cs_err node_new(struct node **out, struct host_loop *loop, const struct node_options *options,
		     const struct node_events *events, void *context, struct cs_why *why)
{
	static const struct abci_client_events application_events = {on_ready,
								     on_application_failed};
	struct node *n = host_alloc(sizeof *n);
	n->loop = loop;
	n->options = *options;
	n->events = *events;
	n->context = context;
	n->last = &n->first;
	bft_state_init(&n->state);
	size_t size = NODE_EXECUTION_SIZE(BFT_BLOCK_SIZE_MAX) + NODE_RESULTS_ARENA_SIZE;
	n->arena_memory = host_alloc(size);
	cs_arena_init(&n->arena, n->arena_memory, size);
	enum cs_err err = read_files(n, why);
	if (err == CS_OK)
		err = open_disk(n, why);
	if (err == CS_OK)
		err = open_application(n, &application_events, why);
	if (err != CS_OK) {
		node_free(n);
		return err;
	}
	*out = n;
	return CS_OK;
}

void node_free(struct node *n)
{
	if (n == NULL)
		return;
	node_peers_free(n->peers);
	node_application_free(n->application);
	node_statesync_free(n->statesync);
	node_backfill_free(n->backfill);
	node_statesync_server_free(n->server);
	node_mempool_free(n->mempool);
	node_shell_free(n);
	node_disk_close(n->disk);
	if (n->is_folder_open)
		node_folder_close(&n->folder);
	node_genesis_done(&n->genesis);
	cs_wipe(&n->validator_key, sizeof n->validator_key);
	cs_wipe(&n->node_key, sizeof n->node_key);
	node_time_key_free(n->time_key);
	free(n->arena_memory);
	free(n);
}

void node_on_block(struct node *n, node_listener *listener, void *context)
{
	cs_assert(n->listener_count < NODE_LISTENERS_MAX);
	n->listeners[n->listener_count++] = (struct node_listening){listener, context};
}

void node_watch(struct node *n, const struct node_watcher *watcher, void *context)
{
	cs_assert(n->watcher_count < NODE_WATCHERS_MAX);
	n->watchers[n->watcher_count++] = (struct node_watching){*watcher, context};
}

bool node_is_started(const struct node *n)
{
	return n->is_started;
}

bool node_is_catching_up(const struct node *n)
{
	return !n->is_started ||
	       (n->asked_block_ms != 0 && host_now_ms() - n->asked_block_ms < NODE_CATCHING_UP_MS);
}

const struct bft_state *node_state(const struct node *n)
{
	return bft_state_view(n->bft);
}

struct bft_view node_view(const struct node *n)
{
	return bft_look(n->bft);
}

bool node_evidence_waits(const struct node *n, const struct cs_hash *hash)
{
	return bft_evidence_waits(n->bft, hash);
}

struct bft *node_engine(const struct node *n)
{
	return n->bft;
}

const struct node_genesis *node_genesis(const struct node *n)
{
	return &n->genesis;
}

const struct node_key *node_node_key(const struct node *n)
{
	return &n->node_key;
}

const struct node_key *node_validator_key(const struct node *n)
{
	return n->has_validator_key ? &n->validator_key : NULL;
}

const struct node_time_key *node_time_key_of(const struct node *n)
{
	return n->time_key;
}

struct node_disk *node_disk_of(struct node *n)
{
	return n->disk;
}

struct node_application *node_application_of(struct node *n)
{
	return n->application;
}

struct node_mempool *node_mempool_of(struct node *n)
{
	return n->mempool;
}

struct node_peers *node_peers_of(struct node *n)
{
	return n->peers;
}

const char *node_moniker(const struct node *n)
{
	return n->options.moniker;
}

const char *node_p2p_listen(const struct node *n)
{
	return n->options.p2p_listen;
}
