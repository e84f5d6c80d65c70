#include "relay_state/node/commands.h"

#include "host/alloc.h"
#include "host/http_client.h"
#include "host/log.h"
#include "relay_state/ledger/enclaves.h"
#include "relay_state/ledger/gas.h"
#include "relay_state/ledger/staking.h"
#include "relay_state/node/metrics.h"
#include "relay_state/node/rpc.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define DRAIN_MS 1000u
#define STATUS_MS 10000u
#define CONFIG_SIZE_MAX (NODE_CONFIG_PEERS_SIZE_MAX + 4096u)

/* ---- files of new nodes ---- */

static enum cs_err make_folder(const char *path, struct cs_why *why)
{
	if (mkdir(path, 0700) != 0 && errno != EEXIST)
		return cs_fail(why, CS_ERR_IO, "%s: %s", path, strerror(errno));
	return CS_OK;
}

struct new_node {
	char home[NODE_PATH_SIZE_MAX - 64];
	char moniker[16];
	struct node_key node_key, validator_key;
};

static enum cs_err make_keys(struct new_node *node, struct cs_why *why)
{
	CS_TRY(node_key_make(&node->node_key, why));
	return node_key_make(&node->validator_key, why);
}

/* Once the genesis is there: what is refused leaves no folder behind. */
static enum cs_err save_keys(const struct new_node *node, struct cs_why *why)
{
	char path[NODE_PATH_SIZE_MAX];
	CS_TRY(make_folder(node->home, why));
	CS_TRY(node_path(path, node->home, "config", why));
	CS_TRY(make_folder(path, why));
	CS_TRY(node_path(path, node->home, "config/priv_validator_key.json", why));
	CS_TRY(node_key_save(&node->validator_key, path, true, why));
	CS_TRY(node_path(path, node->home, NODE_TIME_KEY_NAME, why));
	CS_TRY(node_time_key_make(path, why));
	CS_TRY(node_path(path, node->home, "config/node_key.json", why));
	return node_key_save(&node->node_key, path, false, why);
}

static void random_chain_id(char id[32])
{
	static const char letters[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ01234567";
	uint8_t bytes[6];
	cs_assert(getrandom(bytes, sizeof bytes, 0) == (ssize_t)sizeof bytes);
	int n = snprintf(id, 32, "chain-");
	for (size_t i = 0; i < sizeof bytes; i++)
		id[n++] = letters[bytes[i] % 60];
	id[n] = 0;
}

static const char *proxy_app(const struct node_command *command)
{
	return command->proxy_app != NULL ? command->proxy_app : "kvstore";
}

static bool is_ledger(const struct node_command *command)
{
	return strcmp(proxy_app(command), "ledger") == 0;
}

/* The example keeps no accounts: it would take them without a word, and do nothing. */
static enum cs_err check_app(const struct node_command *command, struct cs_why *why)
{
	const char *app = proxy_app(command);
	const bool is_example =
		strcmp(app, "kvstore") == 0 || strcmp(app, "persistent_kvstore") == 0;
	if ((command->fund_count == 0 && !command->has_bond) || !is_example)
		return CS_OK;
	return cs_fail(why, CS_ERR_INVALID,
		       "%s is of the ledger's application, and this is %s: give --proxy_app ledger",
		       command->fund_count > 0 ? "--fund" : "--bond", app);
}

static char *genesis_text(const struct node_command *command, const struct new_node *nodes,
			  uint32_t count, struct cs_why *why)
{
	struct node_genesis g = {.initial_height = 1, .params = cmt_params_default()};
	struct timespec now;
	char random_id[32];
	random_chain_id(random_id);
	const char *id = command->chain_id != NULL ? command->chain_id : random_id;
	if (cmt_chain_id_set(&g.chain_id, cs_bytes_str(id)) != CS_OK) {
		cs_why_write(why, "the chain id is empty or too long");
		return NULL;
	}
	(void)clock_gettime(CLOCK_REALTIME, &now);
	g.time = (struct cs_pb_time){now.tv_sec, (int32_t)now.tv_nsec};
	/* CometBFT's default of 21 MiB is above what this engine proposes. */
	g.params.block_size_max = BFT_BLOCK_SIZE_MAX;
	g.count = count;
	for (uint32_t i = 0; i < count; i++) {
		g.validators[i] = cmt_validator_of(&nodes[i].validator_key.key, 1);
		(void)snprintf(g.names[i], sizeof g.names[i], "%s", nodes[i].moniker);
	}
	if (is_ledger(command))
		g.params.block_gas_max = LEDGER_BLOCK_GAS;
	if (node_command_app_state(&g.app_state, command, &g, why) != CS_OK)
		return NULL;
	json_t *root = node_genesis_json(&g);
	char *text = cometbft_json_dump(root, JSON_INDENT(2));
	json_decref(root);
	free(g.app_state);
	return text;
}

static enum cs_err write_node(const struct new_node *node, const char *genesis,
			      const struct node_config_new *config, struct cs_why *why)
{
	char path[NODE_PATH_SIZE_MAX], text[CONFIG_SIZE_MAX];
	struct cs_buf buf;
	cs_buf_init(&buf, text, sizeof text);
	if (node_config_write(&buf, config) != CS_OK)
		return cs_fail(why, CS_ERR_TOO_LARGE, "the configuration is too long");
	CS_TRY(save_keys(node, why));
	CS_TRY(node_path(path, node->home, "config/config.toml", why));
	CS_TRY(node_file_make(path, cs_buf_view(&buf), 0644, why));
	CS_TRY(node_path(path, node->home, "config/genesis.json", why));
	return node_file_make(path, cs_bytes_str(genesis), 0644, why);
}

enum cs_err node_command_init(const struct node_command *command, struct cs_why *why)
{
	struct new_node *node = host_alloc(sizeof *node);
	const struct node_config_new config = {"node",
					       proxy_app(command),
					       "tcp://127.0.0.1:26657",
					       "tcp://127.0.0.1:26656",
					       "127.0.0.1:26660",
					       ""};
	char *genesis = NULL;
	(void)snprintf(node->home, sizeof node->home, "%s", command->home);
	(void)snprintf(node->moniker, sizeof node->moniker, "node");
	enum cs_err err = check_app(command, why);
	if (err == CS_OK)
		err = make_keys(node, why);
	if (err == CS_OK) {
		genesis = genesis_text(command, node, 1, why);
		err = genesis != NULL ? write_node(node, genesis, &config, why) : CS_ERR_INVALID;
	}
	free(genesis);
	cs_wipe(node, sizeof *node);
	free(node);
	return err;
}

/* P2P of node i at port + 3 i, its RPC one above: 26656 and 26657 + 3 i, as CometBFT's are; its
 * figures above that. */
static enum cs_err write_testnet(const struct node_command *command, const struct new_node *nodes,
				 const char *genesis, struct cs_why *why)
{
	char peers[NODE_CONFIG_PEERS_SIZE_MAX], rpc[48], p2p[48], metrics[48], id[NODE_ID_SIZE];
	struct cs_buf buf;
	cs_buf_init(&buf, peers, sizeof peers - 1);
	for (uint32_t i = 0; i < command->validators; i++) {
		node_id_text(id, &nodes[i].node_key.address);
		cs_put_text(&buf, "%s%s@127.0.0.1:%u", i > 0 ? "," : "", id, command->port + 3 * i);
	}
	CS_TRY(cs_buf_end(&buf));
	peers[buf.n] = 0;
	for (uint32_t i = 0; i < command->validators; i++) {
		(void)snprintf(p2p, sizeof p2p, "tcp://127.0.0.1:%u", command->port + 3 * i);
		(void)snprintf(rpc, sizeof rpc, "tcp://127.0.0.1:%u", command->port + 3 * i + 1);
		(void)snprintf(metrics, sizeof metrics, "127.0.0.1:%u", command->port + 3 * i + 2);
		const struct node_config_new config = {
			nodes[i].moniker, proxy_app(command), rpc, p2p, metrics, peers};
		CS_TRY(write_node(&nodes[i], genesis, &config, why));
	}
	return CS_OK;
}

enum cs_err node_command_testnet(const struct node_command *command, struct cs_why *why)
{
	struct new_node *nodes = host_calloc(command->validators, sizeof *nodes);
	char *genesis = NULL;
	enum cs_err err = check_app(command, why);
	for (uint32_t i = 0; i < command->validators && err == CS_OK; i++) {
		(void)snprintf(nodes[i].home, sizeof nodes[i].home, "%s/node%u", command->out, i);
		(void)snprintf(nodes[i].moniker, sizeof nodes[i].moniker, "node%u", i);
		err = make_keys(&nodes[i], why);
	}
	if (err == CS_OK) {
		genesis = genesis_text(command, nodes, command->validators, why);
		err = genesis != NULL ? make_folder(command->out, why) : CS_ERR_INVALID;
	}
	if (err == CS_OK)
		err = write_testnet(command, nodes, genesis, why);
	if (err == CS_OK)
		(void)printf("Successfully initialized %u node directories\n", command->validators);
	free(genesis);
	cs_wipe(nodes, command->validators * sizeof *nodes);
	free(nodes);
	return err;
}

/* ---- what is there ---- */

static enum cs_err load_key(struct node_key *key, const char *home, const char *name,
			    struct cs_why *why)
{
	char path[NODE_PATH_SIZE_MAX];
	CS_TRY(node_path(path, home, name, why));
	return node_key_load(key, path, why);
}

enum cs_err node_command_show_node_id(const struct node_command *command, struct cs_why *why)
{
	struct node_key key;
	char id[NODE_ID_SIZE];
	CS_TRY(load_key(&key, command->home, "config/node_key.json", why));
	node_id_text(id, &key.address);
	cs_wipe(&key, sizeof key);
	(void)puts(id);
	return CS_OK;
}

static enum cs_err read_registration(struct cs_hash *of, struct cs_address *account,
				     const struct node_command *command, struct cs_why *why)
{
	if (cs_unhex(of->b, sizeof of->b, cs_bytes_str(command->identity)) != CS_OK ||
	    cs_unhex(account->b, sizeof account->b, cs_bytes_str(command->account)) != CS_OK)
		return cs_fail(why, CS_ERR_MALFORMED,
			       "--register is 32 bytes in hex, --account 20");
	return CS_OK;
}

/* Calldata of a key and its holder's signature: both registrations have this form. */
static void print_calldata(const char *function, const uint8_t key[32], const uint8_t signature[64])
{
	uint8_t calldata[4 + 3 * 32];
	char text[2 * sizeof calldata + 1];
	const struct cs_hash topic = cs_abi_topic(function);
	memcpy(calldata, topic.b, 4);
	memcpy(calldata + 4, key, 32);
	memcpy(calldata + 36, signature, 64);
	cs_hex(text, CS_BYTES_OF(calldata));
	(void)printf("0x%s\n", text);
}

static enum cs_err print_validator_registration(const struct node_key *key,
						const struct node_command *command,
						struct cs_why *why)
{
	struct cs_hash tag;
	struct cs_address operator;
	uint8_t signature[CS_ED25519_SIGNATURE_SIZE];
	CS_TRY(read_registration(&tag, &operator, command, why));
	const struct cs_hash digest = ledger_validator_digest(&tag, &operator);
	CS_TRY(cs_ed25519_sign(signature, &key->secret, CS_BYTES_OF(digest.b)));
	print_calldata("register(bytes32,bytes32,bytes32)", key->key.b, signature);
	return CS_OK;
}

enum cs_err node_command_show_validator(const struct node_command *command, struct cs_why *why)
{
	struct node_key key;
	enum cs_err err = CS_OK;
	if ((command->identity == NULL) != (command->account == NULL))
		return cs_fail(why, CS_ERR_MISSING_FIELD, "--register and --account go together");
	CS_TRY(load_key(&key, command->home, "config/priv_validator_key.json", why));
	json_t *root = cometbft_json_key(&key.key);
	char *text = cometbft_json_dump(root, 0);
	if (command->identity == NULL)
		(void)puts(text);
	else
		err = print_validator_registration(&key, command, why);
	free(text);
	json_decref(root);
	cs_wipe(&key, sizeof key);
	return err;
}

static enum cs_err print_registration(const struct node_time_key *key,
				      const struct node_command *command, struct cs_why *why)
{
	struct cs_hash identity;
	struct cs_address account;
	uint8_t signature[64];
	CS_TRY(read_registration(&identity, &account, command, why));
	const struct cs_hash digest = ledger_time_key_digest(&identity, &account);
	CS_TRY(node_time_key_sign(key, signature, &digest));
	print_calldata("registerTimeKey(bytes32,bytes32,bytes32)", node_time_key_x(key)->b,
		       signature);
	return CS_OK;
}

enum cs_err node_command_show_time_key(const struct node_command *command, struct cs_why *why)
{
	struct node_time_key *key;
	char path[NODE_PATH_SIZE_MAX], text[2 * 32 + 1];
	if ((command->identity == NULL) != (command->account == NULL))
		return cs_fail(why, CS_ERR_MISSING_FIELD, "--register and --account go together");
	CS_TRY(node_path(path, command->home, NODE_TIME_KEY_NAME, why));
	CS_TRY(node_time_key_load(&key, path, why));
	if (key == NULL)
		return cs_fail(why, CS_ERR_NOT_FOUND, "%s is not there", path);
	cs_hex(text, CS_BYTES_OF(node_time_key_x(key)->b));
	(void)printf("0x%s\n", text);
	const enum cs_err err =
		command->identity == NULL ? CS_OK : print_registration(key, command, why);
	node_time_key_free(key);
	return err;
}

/* ---- start ---- */

struct running {
	struct host_loop *loop;
	struct node *node;
	struct node_rpc *rpc;
	struct node_metrics *metrics;
	const struct node_config *config;
	enum cs_err err;
	struct cs_why why;
};

static void on_failed(void *context, enum cs_err err, const char *why)
{
	struct running *r = context;
	r->err = err;
	cs_why_write(&r->why, "%s", why);
	host_loop_stop(r->loop);
}

static enum cs_err serve(struct running *r)
{
	const struct node_config *c = r->config;
	if (c->has_metrics) {
		CS_TRY(node_metrics_new(&r->metrics, r->loop, r->node, &c->metrics,
					c->metrics_namespace, &r->why));
		log_info("metrics.listening", LOG_U64("port", node_metrics_port(r->metrics)));
	}
	if (c->has_rpc) {
		CS_TRY(node_rpc_new(&r->rpc, r->loop, r->node, &c->rpc, &r->why));
		log_info("rpc.listening", LOG_U64("port", node_rpc_port(r->rpc)));
	}
	return CS_OK;
}

static void on_started(void *context)
{
	struct running *r = context;
	const struct bft_state *state = node_state(r->node);
	log_info("node.started", LOG_I64("height", state->last_height),
		 LOG_U64("p2p_port", node_peers_port(node_peers_of(r->node))));
	enum cs_err err = serve(r);
	if (err == CS_OK)
		return;
	log_error("rpc.failed", LOG_ERR(err), LOG_TEXT("why", r->why.text));
	r->err = err;
	host_loop_stop(r->loop);
}

static void on_drain(void *context)
{
	struct running *r = context;
	host_loop_stop(r->loop);
}

/* Of the chain, as far as it is known. */
static int64_t height_of(struct node *node)
{
	const struct node_disk_found *found = node_disk_found(node_disk_of(node));
	if (node_is_started(node))
		return node_state(node)->last_height;
	return found->has_state ? found->state->last_height : 0;
}

static enum cs_err run(const struct node_config *config, struct cs_why *why)
{
	static const struct node_events events = {on_started, on_failed};
	struct running r = {.config = config};
	r.loop = host_loop_new();
	enum cs_err err = node_new(&r.node, r.loop, &config->node, &events, &r, why);
	if (err == CS_OK) {
		host_loop_catch_signals(r.loop, DRAIN_MS);
		host_loop_on_drain(r.loop, on_drain, &r);
		host_loop_run(r.loop);
		const int64_t height = height_of(r.node);
		node_rpc_free(r.rpc);
		node_metrics_free(r.metrics);
		node_free(r.node);
		if (r.err == CS_OK)
			log_info("node.stopped", LOG_I64("height", height));
		err = r.err != CS_OK ? cs_fail(why, r.err, "%s", r.why.text) : CS_OK;
	} else {
		log_error("node.start_failed", LOG_ERR(err), LOG_TEXT("why", why->text));
	}
	host_loop_free(r.loop);
	return err;
}

enum cs_err node_command_start(const struct node_command *command, struct cs_why *why)
{
	struct node_config config;
	struct host_log_options log = {
		.level = HOST_LOG_INFO, .json = command->log_json, .fd = STDERR_FILENO};
	if (host_log_level_parse(&log.level, command->log_level) != CS_OK)
		return cs_fail(why, CS_ERR_INVALID, "log_level is debug, info, warn or error");
	host_log_open(&log);
	CS_TRY(node_config_load(&config, command->home, why));
	if (command->proxy_app != NULL)
		config.node.application.address = command->proxy_app;
	if (config.node.application.insecure_remote)
		log_warn("node.insecure_remote_app");
	enum cs_err err = run(&config, why);
	node_config_done(&config);
	return err;
}

/* ---- status ---- */

struct asking {
	bool done;
	enum cs_err err;
	struct cs_why *why;
};

static bool is_done(void *context)
{
	return ((const struct asking *)context)->done;
}

/* CometBFT prints the result alone, on one line. */
static void on_status(void *context, const struct host_http_response *response)
{
	struct asking *a = context;
	json_error_t error;
	a->done = true;
	a->err = response->err;
	if (a->err != CS_OK) {
		cs_why_write(a->why, "%s", response->why);
		return;
	}
	json_t *root = json_loadb((const char *)response->body.p, response->body.n, 0, &error);
	const json_t *result = json_object_get(root, "result");
	if (result == NULL) {
		a->err = cs_fail(a->why, CS_ERR_RPC, "the node's answer has no result");
	} else {
		char *text = cometbft_json_dump(result, 0);
		(void)puts(text);
		free(text);
	}
	json_decref(root);
}

enum cs_err node_command_status(const struct node_command *command, struct cs_why *why)
{
	const struct host_http_client_options options = {0};
	struct asking asking = {.why = why};
	char url[256];
	const char *rest = strstr(command->node, "://");
	const char *host = rest != NULL ? rest + 3 : command->node;
	size_t n = strlen(host);
	n -= n > 0 && host[n - 1] == '/';
	(void)snprintf(url, sizeof url, "%s://%.*s/status",
		       strncmp(command->node, "https://", 8) == 0 ? "https" : "http",
		       (int)(n < 200 ? n : 200), host);
	struct host_loop *loop = host_loop_new();
	struct host_http_client *client = host_http_client_new(loop, &options);
	const struct host_http_request request = {.url = url};
	enum cs_err err = host_http_client_allow(client, url, why);
	if (err == CS_OK)
		err = host_http_send(client, NULL, &request, on_status, &asking);
	if (err == CS_OK)
		err = host_loop_run_until(loop, is_done, &asking, STATUS_MS);
	host_http_client_free(client);
	host_loop_free(loop);
	return err != CS_OK ? err : asking.err;
}
