#include "relay_state/node/config.h"

#include "relay_state/bft/message.h"
#include "relay_state/node/metrics.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MS 1000000ll
#define DAY_NS (86400ll * 1000 * MS)
/* Of a trusting period: ten years. */
#define PERIOD_MAX_NS (3653 * DAY_NS)
/* Says where we are while nothing moves; BFT_TOLD_PATIENCE counts it. */
#define STATUS_NS (500 * MS)
/* A peer has a quarter of it, and a whole block with its votes must fit there: who finishes a height
 * first proposes at once, and what is dropped comes again no sooner than STATUS_NS. Taken from the
 * system as it is used. */
#define STASH_SIZE (4 * (BFT_PARTS_MAX + 1) * BFT_MESSAGE_SIZE_MAX)

/* Of a text without a sign: *ns at most ns_max. */
static enum cs_err read_duration(int64_t *ns, const char *text, int64_t ns_max)
{
	static const struct {
		const char *name;
		int64_t ns;
	} units[] = {{"ns", 1},        {"us", 1000},      {"ms", MS},
		     {"s", 1000 * MS}, {"m", 60000 * MS}, {"h", 3600000 * MS}};
	int64_t whole = 0, part = 0, scale = 1;
	size_t i = 0, digits = 0;
	for (; text[i] >= '0' && text[i] <= '9'; i++, digits++) {
		if (digits > 9)
			return CS_ERR_OVERFLOW;
		whole = whole * 10 + (text[i] - '0');
	}
	if (text[i] == '.' && digits > 0) {
		for (i++; text[i] >= '0' && text[i] <= '9' && scale < 1000000000; i++) {
			part = part * 10 + (text[i] - '0');
			scale *= 10;
		}
	}
	for (size_t u = 0; u < CS_LEN(units) && digits > 0; u++) {
		if (strcmp(text + i, units[u].name) != 0)
			continue;
		if (whole > ns_max / units[u].ns)
			return CS_ERR_OVERFLOW;
		*ns = whole * units[u].ns + part * units[u].ns / scale;
		return CS_OK;
	}
	return CS_ERR_MALFORMED;
}

enum cs_err node_duration(int64_t *ns, const char *text)
{
	return read_duration(ns, text, DAY_NS);
}

static enum cs_err check_duration(const char *text, struct cs_why *why)
{
	int64_t ns;
	enum cs_err err = node_duration(&ns, text);
	return err == CS_OK ? CS_OK : cs_fail(why, err, "is no time such as 300ms");
}

static enum cs_err check_period(const char *text, struct cs_why *why)
{
	int64_t ns = 0;
	enum cs_err err = read_duration(&ns, text, PERIOD_MAX_NS);
	if (err == CS_OK && ns < 1000 * MS)
		err = CS_ERR_INVALID;
	return err == CS_OK ? CS_OK : cs_fail(why, err, "is no time such as 168h");
}

static enum cs_err check_hash(const char *text, struct cs_why *why)
{
	uint8_t hash[32];
	if (text[0] == 0 || cs_unhex(hash, sizeof hash, cs_bytes_str(text)) == CS_OK)
		return CS_OK;
	return cs_fail(why, CS_ERR_MALFORMED, "is not the 64 digits of a block's hash");
}

static enum cs_err check_address(const char *text, struct cs_why *why)
{
	struct host_address address;
	return host_address_parse(&address, text, why);
}

/* ":26660", as CometBFT writes it, is on every address. */
static enum cs_err metrics_address(struct host_address *address, const char *text,
				   struct cs_why *why)
{
	char full[HOST_ADDRESS_SIZE_MAX];
	(void)snprintf(full, sizeof full, "%s%.100s", text[0] == ':' ? "0.0.0.0" : "", text);
	return host_address_parse(address, full, why);
}

static enum cs_err check_backend(const char *text, struct cs_why *why)
{
	static const char *const names[] = {"", "simulated", "gramine", "tsm", "tpm"};
	for (size_t i = 0; i < CS_LEN(names); i++) {
		if (strcmp(text, names[i]) == 0)
			return CS_OK;
	}
	return cs_fail(why, CS_ERR_INVALID, "is not simulated, gramine, tsm or tpm");
}

static enum cs_err check_metrics(const char *text, struct cs_why *why)
{
	struct host_address address;
	CS_TRY(metrics_address(&address, text, why));
	return address.is_unix ? cs_fail(why, CS_ERR_INVALID, "is no TCP address") : CS_OK;
}

static enum cs_err check_namespace(const char *text, struct cs_why *why)
{
	for (const char *p = text; *p != 0; p++) {
		bool digit = *p >= '0' && *p <= '9' && p > text;
		if (!digit && *p != '_' && (*p < 'a' || *p > 'z'))
			return cs_fail(why, CS_ERR_INVALID, "is not of a to z, 0 to 9 and _");
	}
	return CS_OK;
}

static enum cs_err check_rpc(const char *text, struct cs_why *why)
{
	return text[0] == 0 ? CS_OK : check_address(text, why);
}

static enum cs_err check_moniker(const char *text, struct cs_why *why)
{
	for (const char *p = text; *p != 0; p++) {
		if (*p < ' ' || *p > '~' || *p == '"' || *p == '\\')
			return cs_fail(why, CS_ERR_INVALID, "is not plain ASCII");
	}
	return CS_OK;
}

#define TEXT HOST_CONFIG_TEXT
#define NUMBER HOST_CONFIG_NUMBER
#define BOOL HOST_CONFIG_BOOL

static const struct host_config_key keys[] = {
	{"proxy_app", TEXT, 1, 255, "\"kvstore\"", NULL,
	 "The application: ledger, kvstore, persistent_kvstore, or the address of one "
	 "(unix://PATH, "
	 "tcp://ADDRESS:PORT)."},
	{"insecure_remote_app", BOOL, 0, 0, "false", NULL,
	 "Also an application that is not of this machine: ABCI authenticates nobody."},
	{"moniker", TEXT, 1, NODE_MONIKER_SIZE_MAX, "\"node\"", check_moniker,
	 "Name of the node, for people."},
	{"validator", BOOL, 0, 0, "true", NULL,
	 "Use the validator's key. false: the node only follows."},
	{"rpc.laddr", TEXT, 0, 255, "\"tcp://127.0.0.1:26657\"", check_rpc,
	 "Where the RPC listens; empty: nowhere. It authenticates nobody."},
	{"p2p.laddr", TEXT, 1, 255, "\"tcp://127.0.0.1:26656\"", check_address,
	 "Where other nodes connect."},
	{"p2p.persistent_peers", TEXT, 0, NODE_CONFIG_PEERS_SIZE_MAX - 1, "\"\"", NULL,
	 "id@address:port of every other node, with commas between."},
	{"p2p.max_num_inbound_peers", NUMBER, 0, BFT_PEERS_MAX, "16", NULL,
	 "Peers that are not among persistent_peers."},
	{"p2p.evidence", TEXT, 0, 16, "\"\"", check_backend,
	 "Evidence about the node's key in its certificate, by simulated, gramine, tsm or tpm; "
	 "empty: "
	 "none."},
	{"p2p.evidence_policy", TEXT, 0, 255, "\"\"", NULL,
	 "Policy (docs/attestation.md) that the evidence of every peer must fulfil; empty: none is "
	 "asked "
	 "for. Paths are of the node's folder."},
	{"p2p.evidence_collateral", TEXT, 0, 255, "\"\"", NULL,
	 "A folder with the vendors' collateral, read every ten minutes."},
	{"p2p.evidence_roots", TEXT, 0, 255, "\"\"", NULL,
	 "A folder with certificates of the TPM makers that are believed."},
	{"mempool.size", NUMBER, 1, NODE_MEMPOOL_COUNT_MAX, "5000", NULL,
	 "Transactions that wait."},
	{"mempool.max_txs_bytes", NUMBER, 1, 1 << 30, "67108864", NULL, "Their bytes together."},
	{"mempool.max_tx_bytes", NUMBER, 1, BFT_BLOCK_SIZE_MAX / 2, "1048576", NULL,
	 "Bytes of one."},
	{"mempool.max_txs_per_sender", NUMBER, 1, NODE_MEMPOOL_COUNT_MAX, "1000000", NULL,
	 "Of one sender, where the application names senders."},
	{"mempool.recheck", BOOL, 0, 0, "true", NULL,
	 "Ask about every waiting transaction again after each block."},
	{"mempool.broadcast", BOOL, 0, 0, "true", NULL, "Tell them to the peers."},
	{"consensus.timeout_propose", TEXT, 2, 16, "\"300ms\"", check_duration, "Round 0."},
	{"consensus.timeout_propose_delta", TEXT, 2, 16, "\"100ms\"", check_duration,
	 "More in each round."},
	{"consensus.timeout_prevote", TEXT, 2, 16, "\"100ms\"", check_duration, "Round 0."},
	{"consensus.timeout_prevote_delta", TEXT, 2, 16, "\"50ms\"", check_duration,
	 "More in each round."},
	{"consensus.timeout_precommit", TEXT, 2, 16, "\"100ms\"", check_duration, "Round 0."},
	{"consensus.timeout_precommit_delta", TEXT, 2, 16, "\"50ms\"", check_duration,
	 "More in each round."},
	{"consensus.timeout_commit", TEXT, 2, 16, "\"0s\"", check_duration,
	 "Wait for late precommits before the next height; none when all are there."},
	{"consensus.create_empty_blocks", BOOL, 0, 0, "true", NULL,
	 "false: a height begins when there is a transaction, or a state to prove."},
	{"consensus.create_empty_blocks_interval", TEXT, 2, 16, "\"1s\"", check_duration,
	 "And while blocks may be empty, after so long; 0s: at once."},
	{"statesync.enable", BOOL, 0, 0, "false", NULL,
	 "A node without a chain begins with a snapshot of its peers, not with the first block."},
	{"statesync.trust_height", NUMBER, 0, INT64_MAX - 2, "0", NULL,
	 "A height that is known from elsewhere; snapshots below it are not taken."},
	{"statesync.trust_hash", TEXT, 0, 64, "\"\"", check_hash, "The hash of its block."},
	{"statesync.trust_period", TEXT, 2, 16, "\"168h\"", check_period,
	 "How old that block may be: less than the time for which validators can be punished."},
	{"statesync.discovery_time", TEXT, 2, 16, "\"15s\"", check_duration,
	 "For which peers tell their snapshots before the best is taken."},
	{"statesync.chunk_request_timeout", TEXT, 2, 16, "\"10s\"", check_duration,
	 "Then another peer is asked; also for light blocks, states and blocks."},
	{"statesync.chunk_fetchers", NUMBER, 1, NODE_CHUNK_FETCHERS_MAX, "4", NULL,
	 "Chunks asked for at once."},
	{"kvstore.snapshot_interval", NUMBER, 0, INT64_MAX, "0", NULL,
	 "Of the built-in kvstore: heights between two snapshots; 0: it takes none."},
	{"ledger.snapshot_interval", NUMBER, 0, INT64_MAX, "0", NULL,
	 "Of the ledger: heights between two snapshots; 0: it takes none."},
	{"instrumentation.prometheus", BOOL, 0, 0, "false", NULL, "Serve figures at /metrics."},
	{"instrumentation.prometheus_listen_addr", TEXT, 1, 100, "\"127.0.0.1:26660\"",
	 check_metrics, "Where. It authenticates nobody."},
	{"instrumentation.namespace", TEXT, 1, NODE_METRICS_NAMESPACE_SIZE_MAX, "\"cometbft\"",
	 check_namespace, "What the names of CometBFT's figures begin with."},
};

static const struct host_config_table tables[] = {
	{"rpc", 0, 0, "CometBFT's RPC."},
	{"p2p", 0, 0, "Other nodes."},
	{"mempool", 0, 0, "Transactions that wait."},
	{"consensus", 0, 0, "Times of a round."},
	{"statesync", 0, 0, "Beginning with a snapshot."},
	{"kvstore", 0, 0, "The built-in application."},
	{"ledger", 0, 0, "The ledger's application."},
	{"instrumentation", 0, 0, "Figures for Prometheus."},
};

const struct host_config_schema *node_config_schema(void)
{
	static const struct host_config_schema schema = {keys, CS_LEN(keys), tables,
							 CS_LEN(tables)};
	return &schema;
}

static int64_t duration(const struct host_config *file, const char *path)
{
	int64_t ns = 0;
	enum cs_err err = node_duration(&ns, host_config_text(file, "%s", path));
	cs_assert(err == CS_OK);
	return ns;
}

static void read_consensus(struct bft_config *c, const struct host_config *file)
{
	*c = (struct bft_config){
		.propose_ns = duration(file, "consensus.timeout_propose"),
		.propose_delta_ns = duration(file, "consensus.timeout_propose_delta"),
		.prevote_ns = duration(file, "consensus.timeout_prevote"),
		.prevote_delta_ns = duration(file, "consensus.timeout_prevote_delta"),
		.precommit_ns = duration(file, "consensus.timeout_precommit"),
		.precommit_delta_ns = duration(file, "consensus.timeout_precommit_delta"),
		.commit_ns = duration(file, "consensus.timeout_commit"),
		.status_ns = STATUS_NS,
		.stash_size = STASH_SIZE,
	};
	if (host_config_bool(file, "consensus.create_empty_blocks"))
		c->empty_ns = duration(file, "consensus.create_empty_blocks_interval");
	c->wait_for_txs =
		!host_config_bool(file, "consensus.create_empty_blocks") || c->empty_ns > 0;
}

static enum cs_err read_statesync(struct node_statesync_options *o, const struct host_config *file,
				  struct cs_why *why)
{
	struct cs_bytes hash = cs_bytes_str(host_config_text(file, "statesync.trust_hash"));
	int64_t period = 0;
	*o = (struct node_statesync_options){
		.enable = host_config_bool(file, "statesync.enable"),
		.trust_height = host_config_number(file, "statesync.trust_height"),
		.discovery_ms = (uint64_t)(duration(file, "statesync.discovery_time") / MS),
		.request_ms = (uint64_t)(duration(file, "statesync.chunk_request_timeout") / MS),
		.chunk_fetchers = (uint32_t)host_config_number(file, "statesync.chunk_fetchers"),
	};
	CS_TRY(read_duration(&period, host_config_text(file, "statesync.trust_period"),
			     PERIOD_MAX_NS));
	o->trust_period_s = (uint64_t)(period / (1000 * MS));
	if (o->enable && (hash.n == 0 || o->trust_height == 0))
		return cs_fail(why, CS_ERR_MISSING_FIELD,
			       "statesync.enable needs trust_height and trust_hash");
	return hash.n == 0 ? CS_OK : cs_unhex(o->trust_hash.b, sizeof o->trust_hash.b, hash);
}

static enum cs_err read_peers(struct node_config *c, struct cs_why *why)
{
	char *rest = NULL;
	(void)snprintf(c->peers_text, sizeof c->peers_text, "%s",
		       host_config_text(c->file, "p2p.persistent_peers"));
	for (char *p = strtok_r(c->peers_text, ", ", &rest); p != NULL;
	     p = strtok_r(NULL, ", ", &rest)) {
		if (c->node.persistent_peer_count == NODE_DIAL_MAX)
			return cs_fail(why, CS_ERR_TOO_LARGE, "more than %u persistent_peers",
				       NODE_DIAL_MAX);
		c->peers[c->node.persistent_peer_count++] = p;
	}
	c->node.persistent_peers = c->peers;
	return CS_OK;
}

/* Empty: *out stays NULL. */
static enum cs_err read_path(const char **out, char path[NODE_PATH_SIZE_MAX], const char *home,
			     const char *text, struct cs_why *why)
{
	if (text[0] == 0)
		return CS_OK;
	CS_TRY(text[0] == '/' ? node_path(path, "", text + 1, why)
			      : node_path(path, home, text, why));
	*out = path;
	return CS_OK;
}

static enum cs_err read_evidence(struct node_config *c, struct cs_why *why)
{
	const struct host_config *file = c->file;
	struct node_options *o = &c->node;
	const char *backend = host_config_text(file, "p2p.evidence");
	if (backend[0] != 0)
		o->evidence_backend = backend;
	CS_TRY(read_path(&o->evidence_policy, c->evidence_policy, c->home,
			 host_config_text(file, "p2p.evidence_policy"), why));
	CS_TRY(read_path(&o->evidence_collateral, c->evidence_collateral, c->home,
			 host_config_text(file, "p2p.evidence_collateral"), why));
	CS_TRY(read_path(&o->evidence_roots, c->evidence_roots, c->home,
			 host_config_text(file, "p2p.evidence_roots"), why));
	if (o->evidence_policy == NULL &&
	    (o->evidence_collateral != NULL || o->evidence_roots != NULL))
		return cs_fail(why, CS_ERR_MISSING_FIELD,
			       "p2p.evidence_collateral and evidence_roots need evidence_policy");
	o->evidence_state_folder = c->evidence_state_folder;
	return node_path(c->evidence_state_folder, c->home, "data/tpm", why);
}

static enum cs_err read_values(struct node_config *c, struct cs_why *why)
{
	const struct host_config *file = c->file;
	struct node_options *o = &c->node;
	const char *rpc = host_config_text(file, "rpc.laddr");
	o->application.address = host_config_text(file, "proxy_app");
	o->application.insecure_remote = host_config_bool(file, "insecure_remote_app");
	o->moniker = host_config_text(file, "moniker");
	o->p2p_listen = host_config_text(file, "p2p.laddr");
	o->unknown_peers_max = (uint32_t)host_config_number(file, "p2p.max_num_inbound_peers");
	o->mempool = (struct node_mempool_options){
		.count_max = (uint32_t)host_config_number(file, "mempool.size"),
		.bytes_max = (uint64_t)host_config_number(file, "mempool.max_txs_bytes"),
		.tx_size_max = (uint32_t)host_config_number(file, "mempool.max_tx_bytes"),
		.per_sender_max = (uint32_t)host_config_number(file, "mempool.max_txs_per_sender"),
		.recheck = host_config_bool(file, "mempool.recheck"),
		.broadcast = host_config_bool(file, "mempool.broadcast"),
	};
	o->application.snapshot_interval = host_config_number(file, "kvstore.snapshot_interval");
	o->application.ledger_interval = host_config_number(file, "ledger.snapshot_interval");
	read_consensus(&o->consensus, file);
	CS_TRY(read_statesync(&o->statesync, file, why));
	CS_TRY(read_evidence(c, why));
	o->genesis_file = c->genesis_file;
	o->node_key_file = c->node_key_file;
	o->time_key_file = c->time_key_file;
	o->validator_key_file = host_config_bool(file, "validator") ? c->validator_key_file : NULL;
	o->data_folder = c->data_folder;
	c->has_metrics = host_config_bool(file, "instrumentation.prometheus");
	c->metrics_namespace = host_config_text(file, "instrumentation.namespace");
	CS_TRY(metrics_address(&c->metrics,
			       host_config_text(file, "instrumentation.prometheus_listen_addr"),
			       why));
	c->has_rpc = rpc[0] != 0;
	if (c->has_rpc)
		CS_TRY(host_address_parse(&c->rpc, rpc, why));
	return read_peers(c, why);
}

enum cs_err node_config_load(struct node_config *c, const char *home, struct cs_why *why)
{
	char path[NODE_PATH_SIZE_MAX];
	memset(c, 0, sizeof *c);
	CS_TRY(node_path(path, home, "config/config.toml", why));
	CS_TRY(node_path(c->genesis_file, home, "config/genesis.json", why));
	CS_TRY(node_path(c->validator_key_file, home, "config/priv_validator_key.json", why));
	CS_TRY(node_path(c->node_key_file, home, "config/node_key.json", why));
	CS_TRY(node_path(c->time_key_file, home, NODE_TIME_KEY_NAME, why));
	CS_TRY(node_path(c->data_folder, home, "data", why));
	if (access(path, F_OK) != 0 && errno == ENOENT)
		return cs_fail(why, CS_ERR_NOT_FOUND,
			       "%s is not there: caisson-ledger init --home DIR makes a node",
			       path);
	(void)snprintf(c->home, sizeof c->home, "%s", home);
	c->file = host_config_load(node_config_schema(), path);
	uint32_t errors = host_config_error_count(c->file);
	for (uint32_t i = 0; i < errors; i++)
		(void)fprintf(stderr, "%s\n", host_config_error(c->file, i));
	enum cs_err err = CS_ERR_INVALID;
	if (errors == 0)
		err = read_values(c, why);
	else
		cs_why_write(why, "%s has errors", path);
	if (err != CS_OK)
		node_config_done(c);
	return err;
}

void node_config_done(struct node_config *c)
{
	host_config_free(c->file);
	c->file = NULL;
}

enum cs_err node_config_write(struct cs_buf *to, const struct node_config_new *from)
{
	cs_put_text(to,
		    "# A node of caisson-ledger. docs/ledger-config.md has every key.\n"
		    "proxy_app = \"%s\"\nmoniker = \"%s\"\n\n"
		    "[rpc]\nladdr = \"%s\"\n\n"
		    "[p2p]\nladdr = \"%s\"\n",
		    from->proxy_app, from->moniker, from->rpc_laddr, from->p2p_laddr);
	cs_put_text(to, "persistent_peers = \"");
	cs_put(to, cs_bytes_str(from->persistent_peers));
	cs_put_text(to, "\"\n\n");
	cs_put_text(to, "[instrumentation]\nprometheus = false\nprometheus_listen_addr = \"%s\"\n",
		    from->metrics_laddr);
	return cs_buf_end(to);
}
