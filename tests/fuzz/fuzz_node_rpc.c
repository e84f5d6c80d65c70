/* What HTTP brings to a node that runs: a body of JSON-RPC, or with a first byte below '!' a method
 * and its query ("name?key=value&…", without percent signs). Each call is answered once, with JSON or with nothing,
 * and whatever came, the node goes on. */
#include "host/log.h"
#include "relay_state/node/rpc_inner.h"
#include "tests/fuzz/fuzz.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define START_MS 20000u
/* For an answer that needs a block. */
#define ANSWER_MS 30u

static struct {
	struct host_loop *loop;
	struct node *node;
	struct node_rpc *rpc;
	char folder[64];
	char data[96], genesis[96], key[96], node_key[96];
	bool is_started, is_failed;
} world;

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *at)
{
	(void)info, (void)type, (void)at;
	return remove(path);
}

static void remove_folder(void)
{
	(void)nftw(world.folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void on_started(void *context)
{
	(void)context;
	world.is_started = true;
}

static void on_failed(void *context, enum cs_err err, const char *why)
{
	(void)context, (void)err;
	(void)fprintf(stderr, "the node failed: %s\n", why);
	world.is_failed = true;
	abort();
}

static bool has_blocks(void *context)
{
	return world.is_started && node_state(world.node)->last_height >= *(const int64_t *)context;
}

/* ---- a chain of one validator ---- */

static void write_files(void)
{
	struct node_genesis genesis = {.initial_height = 1, .count = 1};
	struct node_key key;
	cs_assert(cmt_chain_id_set(&genesis.chain_id, cs_bytes_str("fuzz")) == CS_OK);
	genesis.time = (struct cs_pb_time){1700000000, 0};
	genesis.params = cmt_params_default();
	cs_assert(node_key_make(&key, NULL) == CS_OK);
	genesis.validators[0] = cmt_validator_of(&key.key, 10);
	cs_assert(node_key_save(&key, world.key, true, NULL) == CS_OK);
	cs_assert(node_key_make(&key, NULL) == CS_OK);
	cs_assert(node_key_save(&key, world.node_key, false, NULL) == CS_OK);
	json_t *root = node_genesis_json(&genesis);
	char *line = cometbft_json_dump(root, 0);
	cs_assert(node_file_make(world.genesis, cs_bytes_str(line), 0600, NULL) == CS_OK);
	free(line);
	json_decref(root);
}

static void name_files(void)
{
	(void)snprintf(world.folder, sizeof world.folder, "%s/caisson-fuzz-XXXXXX",
		       access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	cs_assert(mkdtemp(world.folder) != NULL);
	(void)snprintf(world.data, sizeof world.data, "%s/data", world.folder);
	(void)snprintf(world.genesis, sizeof world.genesis, "%s/genesis.json", world.folder);
	(void)snprintf(world.key, sizeof world.key, "%s/key.json", world.folder);
	(void)snprintf(world.node_key, sizeof world.node_key, "%s/node_key.json", world.folder);
	cs_assert(atexit(remove_folder) == 0);
}

static void start(void)
{
	static const struct node_events events = {on_started, on_failed};
	struct host_address address;
	const struct node_options options = {.genesis_file = world.genesis,
					     .validator_key_file = world.key,
					     .node_key_file = world.node_key,
					     .data_folder = world.data,
					     .moniker = "fuzz",
					     .application = {.address = "kvstore"},
					     .mempool = {.count_max = 5000,
							 .bytes_max = 64 * 1024 * 1024,
							 .tx_size_max = 1024 * 1024,
							 .per_sender_max = 5000,
							 .recheck = true},
					     .p2p_listen = "tcp://127.0.0.1:0",
					     .consensus = {.propose_ns = 1000000000,
							   .prevote_ns = 1000000000,
							   .precommit_ns = 1000000000,
							   .commit_ns = 1000000,
							   .status_ns = 1000000000,
							   .wait_for_txs = true}};
	struct cs_why why = {{0}};
	host_log_open(&(struct host_log_options){.level = HOST_LOG_ERROR, .fd = 2});
	world.loop = host_loop_new();
	name_files();
	write_files();
	if (node_new(&world.node, world.loop, &options, &events, NULL, &why) != CS_OK) {
		(void)fprintf(stderr, "%s\n", why.text);
		abort();
	}
	for (int64_t height = 0; height <= 3; height++) {
		const char tx[] = {'k', (char)('0' + height), '=', 'v'};
		cs_assert(host_loop_run_until(world.loop, has_blocks, &height, START_MS) == CS_OK);
		node_mempool_add(node_mempool_of(world.node), cs_bytes(tx, sizeof tx),
				 BFT_PEER_NONE, NULL, NULL);
	}
	cs_assert(host_address_parse(&address, "tcp://127.0.0.1:0", &why) == CS_OK);
	cs_assert(node_rpc_new(&world.rpc, world.loop, world.node, &address, &why) == CS_OK);
}

/* ---- one question ---- */

/* Until it is answered, and that may be long after its input. */
struct asked {
	bool is_answered;
	bool is_left; /* nobody waits for it any more */
};

static void on_done(void *context, const char *text, int status)
{
	struct asked *asked = context;
	cs_assert(!asked->is_answered && !world.is_failed);
	cs_assert(status >= 200 && status <= 500);
	if (text[0] != 0) {
		json_t *root = json_loads(text, 0, NULL);
		cs_assert(json_is_object(root) || json_is_array(root));
		json_decref(root);
	}
	asked->is_answered = true;
	if (asked->is_left)
		free(asked);
}

static bool is_answered(void *context)
{
	return ((const struct asked *)context)->is_answered;
}

static void ask_get(char *text, struct asked *asked)
{
	char *query = strchr(text, '?'), *save = NULL;
	if (query != NULL)
		*query++ = 0;
	const struct rpc_method *method = rpc_method_find(text);
	json_t *params = json_object();
	for (char *one = query != NULL ? strtok_r(query, "&", &save) : NULL; one != NULL;
	     one = strtok_r(NULL, "&", &save)) {
		char *value = strchr(one, '=');
		if (value == NULL)
			continue;
		*value++ = 0;
		(void)json_object_set_new(params, one, json_string(value));
	}
	if (method == NULL) {
		json_decref(params);
		asked->is_answered = true;
		return;
	}
	rpc_take_get(world.rpc, method, params, on_done, asked);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0 || size > 256 * 1024)
		return 0;
	if (world.loop == NULL)
		start();
	struct asked *asked = calloc(1, sizeof *asked);
	cs_assert(asked != NULL);
	if (data[0] < '!') {
		char *text = calloc(1, size);
		cs_assert(text != NULL);
		memcpy(text, data + 1, size - 1);
		ask_get(text, asked);
		free(text);
	} else {
		rpc_take_post(world.rpc, cs_bytes(data, size), on_done, asked);
	}
	(void)!host_loop_run_until(world.loop, is_answered, asked, ANSWER_MS);
	if (asked->is_answered)
		free(asked);
	else
		asked->is_left = true;
	return 0;
}
