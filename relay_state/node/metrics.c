#include "relay_state/node/metrics.h"

#include "host/alloc.h"
#include "host/http_server.h"
#include "host/metrics.h"
#include "relay_state/bft/message.h"
#include "relay_state/bft/record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define METHODS_MAX 32u
#define NAME_SIZE 128u

/* ---- what there is: one row a family without labels of its own ---- */

enum figure {
	HEIGHT,
	ROUNDS,
	ROUND_DURATION,
	VALIDATORS,
	VALIDATORS_POWER,
	MISSING,
	MISSING_POWER,
	BYZANTINE,
	BYZANTINE_POWER,
	BLOCK_INTERVAL,
	NUM_TXS,
	BLOCK_SIZE,
	CHAIN_SIZE,
	TOTAL_TXS,
	LATEST_HEIGHT,
	PROPOSALS_MADE,
	SYNCING,
	PEERS,
	POOL_SIZE,
	POOL_BYTES,
	POOL_TX_SIZE,
	POOL_FAILED,
	POOL_REJECTED,
	POOL_EVICTED,
	POOL_RECHECKED,
	PROCESSING_TIME,
	PARAM_UPDATES,
	SET_UPDATES,
	DROPPED,
	EVIDENCE_REFUSED,
	ALARMS,
	EVIDENCE,
	LOCKED_ROUND,
	MAY_SIGN,
	FIGURES
};

#define GAUGE HOST_METRIC_GAUGE
#define COUNTER HOST_METRIC_COUNTER
#define HISTOGRAM HOST_METRIC_HISTOGRAM

/* Of the default of Prometheus' Go client; ExponentialBucketsRange(0.1, 100, 8), LinearBuckets(1, 10,
 * 10) and ExponentialBuckets(1, 3, 7) of it; of CometBFT's proxy. */
#define BUCKETS_DEFAULT                                                 \
	{                                                               \
		0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10 \
	}
#define BUCKETS_ROUND                                                              \
	{                                                                          \
		0.1, 0.2682695795279726, 0.7196856730011521, 1.9306977288832505,   \
			5.1794746792312125, 13.894954943731381, 37.27593720314942, \
			100.00000000000004                                         \
	}
#define BUCKETS_MS                                    \
	{                                             \
		1, 11, 21, 31, 41, 51, 61, 71, 81, 91 \
	}
#define BUCKETS_TX                        \
	{                                 \
		1, 3, 9, 27, 81, 243, 729 \
	}
#define BUCKETS_CALL                                                    \
	{                                                               \
		0.0001, 0.0004, 0.002, 0.009, 0.02, 0.1, 0.65, 2, 6, 25 \
	}

/* name: behind the namespace; with a whole prefix of ours when is_own. */
static const struct figure_spec {
	const char *name;
	const char *help;
	enum host_metric_kind kind;
	bool is_own;
	uint32_t bucket_count;
	double buckets[12];
} specs[FIGURES] = {
	[HEIGHT] = {"consensus_height", "Height that is worked on.", GAUGE},
	[ROUNDS] = {"consensus_rounds", "Round of the height.", GAUGE},
	[ROUND_DURATION] = {"consensus_round_duration_seconds", "From a round's begin to its end.",
			    HISTOGRAM, false, 8, BUCKETS_ROUND},
	[VALIDATORS] = {"consensus_validators", "Validators of the next block.", GAUGE},
	[VALIDATORS_POWER] = {"consensus_validators_power", "Their power together.", GAUGE},
	[MISSING] = {"consensus_missing_validators", "Absent from the last block's commit.", GAUGE},
	[MISSING_POWER] = {"consensus_missing_validators_power", "Their power together.", GAUGE},
	[BYZANTINE] = {"consensus_byzantine_validators", "Convicted in the last block.", GAUGE},
	[BYZANTINE_POWER] = {"consensus_byzantine_validators_power", "Their power together.",
			     GAUGE},
	[BLOCK_INTERVAL] = {"consensus_block_interval_seconds", "Between the times of two blocks.",
			    HISTOGRAM, false, 11, BUCKETS_DEFAULT},
	[NUM_TXS] = {"consensus_num_txs", "Transactions of the last block.", GAUGE},
	[BLOCK_SIZE] = {"consensus_block_size_bytes", "Of the last block.", GAUGE},
	[CHAIN_SIZE] = {"consensus_chain_size_bytes", "Of all blocks since the start.", COUNTER},
	[TOTAL_TXS] = {"consensus_total_txs", "Transactions since the start.", GAUGE},
	[LATEST_HEIGHT] = {"consensus_latest_block_height", "Of the last block.", GAUGE},
	[PROPOSALS_MADE] = {"consensus_proposal_create_count", "Proposals of this node.", COUNTER},
	[SYNCING] = {"blocksync_syncing", "1: it asks peers for blocks.", GAUGE},
	[PEERS] = {"p2p_peers", "Peers that are connected.", GAUGE},
	[POOL_SIZE] = {"mempool_size", "Transactions that wait.", GAUGE},
	[POOL_BYTES] = {"mempool_size_bytes", "Their bytes together.", GAUGE},
	[POOL_TX_SIZE] = {"mempool_tx_size_bytes", "Of each transaction that was admitted.",
			  HISTOGRAM, false, 7, BUCKETS_TX},
	[POOL_FAILED] = {"mempool_failed_txs", "Refused by the application.", COUNTER},
	[POOL_REJECTED] = {"mempool_rejected_txs", "Refused for lack of room.", COUNTER},
	[POOL_EVICTED] = {"mempool_evicted_txs", "Refused when asked about again.", COUNTER},
	[POOL_RECHECKED] = {"mempool_recheck_times", "Asked about again after a block.", COUNTER},
	[PROCESSING_TIME] = {"state_block_processing_time", "Of FinalizeBlock, milliseconds.",
			     HISTOGRAM, false, 10, BUCKETS_MS},
	[PARAM_UPDATES] = {"state_consensus_param_updates",
			   "Blocks that changed consensus parameters.", COUNTER},
	[SET_UPDATES] = {"state_validator_set_updates", "Blocks that changed validators.", COUNTER},
	[DROPPED] = {"caisson_ledger_messages_dropped_total",
		     "Messages of consensus that found a peer's queue full.", COUNTER, true},
	[EVIDENCE_REFUSED] = {"caisson_ledger_peer_evidence_refused_total",
			      "Connections ended because a peer's evidence was missing or refused.",
			      COUNTER, true},
	[ALARMS] = {"caisson_ledger_alarms_total", "Alarms of the engine: see the log.", COUNTER,
		    true},
	[EVIDENCE] = {"caisson_ledger_evidence_total", "Evidence that this node found or took.",
		      COUNTER, true},
	[LOCKED_ROUND] = {"caisson_ledger_locked_round", "Round of the lock, -1: none.", GAUGE,
			  true},
	[MAY_SIGN] = {"caisson_ledger_may_sign", "0: waits for what peers hold of its key.", GAUGE,
		      true},
};

/* Messages between nodes: CometBFT's name where the bytes are CometBFT's. */
static const struct {
	uint32_t kind;
	const char *name;
} messages[] = {
	{0, "mempool_Txs"},
	{BFT_MESSAGE_PROPOSAL, "consensus_Proposal"},
	{BFT_MESSAGE_PART, "consensus_BlockPart"},
	{BFT_MESSAGE_VOTE, "consensus_Vote"},
	{BFT_MESSAGE_STATUS, "caisson_Status"},
	{BFT_MESSAGE_OWN_ASK, "caisson_OwnAsk"},
	{BFT_MESSAGE_OWN_VOTES, "caisson_OwnVotes"},
	{BFT_MESSAGE_BLOCK_REQUEST, "blocksync_BlockRequest"},
	{BFT_MESSAGE_BLOCK_ANSWER, "blocksync_BlockResponse"},
	{BFT_MESSAGE_EVIDENCE, "evidence_List"},
};

static const char *const step_names[] = {[BFT_STEP_NEW_HEIGHT] = "NewHeight",
					 [BFT_STEP_PROPOSE] = "Propose",
					 [BFT_STEP_PREVOTE] = "Prevote",
					 [BFT_STEP_PRECOMMIT] = "Precommit",
					 [BFT_STEP_COMMIT] = "Commit"};

struct node_metrics {
	struct node *node;
	struct host_http_server *server;
	struct host_metrics *metrics;
	char name_space[NODE_METRICS_NAMESPACE_SIZE_MAX + 1];
	char chain_id[CMT_CHAIN_ID_SIZE_MAX + 1];
	struct host_metric *of[FIGURES];
	struct host_metric *sent[CS_LEN(messages)], *received[CS_LEN(messages)];
	struct host_metric *steps[CS_LEN(step_names)];
	struct host_metric *proposals[2], *extensions[2]; /* rejected, accepted */
	struct host_metric *methods[METHODS_MAX];         /* as they are first called */
	/* Of this node's validator; NULL: it only follows. */
	struct host_metric *own_power, *own_last, *own_missed;
	double own_missed_count, total_txs;
	struct bft_set signers; /* of the last block, whose commit the next one carries */
	struct cs_pb_time last_time;
	uint64_t round_began_us, step_began_us;
	uint8_t text[NODE_METRICS_SIZE_MAX];
};

/* ---- series ---- */

static struct host_metric *series(struct node_metrics *m, const char *name, const char *help,
				  enum host_metric_kind kind, const char *label, const char *value)
{
	char full[NAME_SIZE];
	(void)snprintf(full, sizeof full, "%s_%s", m->name_space, name);
	struct host_metric_spec spec = {.name = full, .kind = kind, .help = help};
	spec.labels[0] = (struct host_metric_label){"chain_id", m->chain_id};
	if (label != NULL)
		spec.labels[1] = (struct host_metric_label){label, value};
	if (strcmp(name, "consensus_step_duration_seconds") == 0) {
		memcpy(spec.buckets, specs[ROUND_DURATION].buckets, 8 * sizeof(double));
		spec.bucket_count = 8;
	}
	return host_metrics_series(m->metrics, &spec);
}

static void make_figures(struct node_metrics *m)
{
	char full[NAME_SIZE];
	for (size_t i = 0; i < FIGURES; i++) {
		const struct figure_spec *s = &specs[i];
		(void)snprintf(full, sizeof full, "%s%s%s", s->is_own ? "" : m->name_space,
			       s->is_own ? "" : "_", s->name);
		struct host_metric_spec spec = {.name = full,
						.kind = s->kind,
						.help = s->help,
						.labels = {{"chain_id", m->chain_id}},
						.bucket_count = s->bucket_count};
		memcpy(spec.buckets, s->buckets, sizeof s->buckets);
		m->of[i] = host_metrics_series(m->metrics, &spec);
	}
}

static void make_labelled(struct node_metrics *m)
{
	static const char *const statuses[] = {"rejected", "accepted"};
	for (size_t i = 0; i < CS_LEN(messages); i++) {
		m->sent[i] = series(m, "p2p_message_send_bytes_total", "Bytes by kind of message.",
				    COUNTER, "message_type", messages[i].name);
		m->received[i] =
			series(m, "p2p_message_receive_bytes_total", "Bytes by kind of message.",
			       COUNTER, "message_type", messages[i].name);
	}
	for (size_t i = BFT_STEP_NEW_HEIGHT; i < CS_LEN(step_names); i++)
		m->steps[i] =
			series(m, "consensus_step_duration_seconds",
			       "From a step's begin to its end.", HISTOGRAM, "step", step_names[i]);
	for (size_t i = 0; i < CS_LEN(statuses); i++) {
		m->proposals[i] = series(m, "consensus_proposal_receive_count",
					 "Proposals by what the application said.", COUNTER,
					 "status", statuses[i]);
		m->extensions[i] = series(m, "consensus_vote_extension_receive_count",
					  "Vote extensions by what the application said.", COUNTER,
					  "status", statuses[i]);
	}
}

static void make_own(struct node_metrics *m)
{
	const struct node_key *key = node_validator_key(m->node);
	char address[2 * sizeof key->address.b + 1];
	if (key == NULL)
		return;
	cometbft_hex(address, CS_BYTES_OF(key->address.b));
	m->own_power = series(m, "consensus_validator_power", "Power of this node's validator.",
			      GAUGE, "validator_address", address);
	m->own_last =
		series(m, "consensus_validator_last_signed_height",
		       "Whose commit has its signature.", GAUGE, "validator_address", address);
	m->own_missed = series(m, "consensus_validator_missed_blocks",
			       "Commits without its signature since the start.", GAUGE,
			       "validator_address", address);
}

/* What others count: taken over as it stands. */
static void raise_to(struct host_metric *counter, uint64_t total)
{
	uint64_t known = (uint64_t)host_metric_value(counter);
	if (total > known)
		host_metric_add(counter, total - known);
}

/* ---- while it runs ---- */

static void on_call(void *context, enum abci_method method, uint64_t took_us)
{
	struct node_metrics *m = context;
	if ((size_t)method >= METHODS_MAX)
		return;
	if (m->methods[method] == NULL) {
		char full[NAME_SIZE];
		(void)snprintf(full, sizeof full, "%s_abci_connection_method_timing_seconds",
			       m->name_space);
		const struct host_metric_spec spec = {
			.name = full,
			.kind = HISTOGRAM,
			.help = "Timing of each call of the application.",
			.labels = {{"chain_id", m->chain_id},
				   {"method", abci_method_name(method)},
				   {"type", method == ABCI_CHECK_TX ? "async" : "sync"}},
			.bucket_count = 10,
			.buckets = BUCKETS_CALL};
		m->methods[method] = host_metrics_series(m->metrics, &spec);
	}
	host_metric_observe(m->methods[method], (double)took_us / 1e6);
	if (method == ABCI_FINALIZE_BLOCK)
		host_metric_observe(m->of[PROCESSING_TIME], (double)took_us / 1e3);
}

static void on_added(void *context, size_t size)
{
	struct node_metrics *m = context;
	host_metric_observe(m->of[POOL_TX_SIZE], (double)size);
}

static void on_effect(void *context, const struct bft_effect *effect)
{
	struct node_metrics *m = context;
	struct bft_event event;
	int64_t height;
	if (effect->type == BFT_EFFECT_SIGN && effect->sign.step == BFT_SIGN_PROPOSAL)
		host_metric_add(m->of[PROPOSALS_MADE], 1);
	else if (effect->type == BFT_EFFECT_ALARM)
		host_metric_add(m->of[ALARMS], 1);
	else if (effect->type == BFT_EFFECT_EVIDENCE)
		host_metric_add(m->of[EVIDENCE], 1);
	else if (effect->type != BFT_EFFECT_LOG ||
		 bft_record_decode(&event, &height, effect->bytes) != CS_OK)
		return;
	else if (event.type == BFT_EVENT_PROCESSED)
		host_metric_add(m->proposals[event.accepted], 1);
	else if (event.type == BFT_EVENT_EXTENSION_VERIFIED)
		host_metric_add(m->extensions[event.accepted], 1);
}

static void on_stepped(void *context, const struct bft_view *before)
{
	struct node_metrics *m = context;
	const struct bft_view now = node_view(m->node);
	bool same_round = now.height == before->height && now.round == before->round;
	uint64_t at = host_now_us();
	if (same_round && now.step == before->step)
		return;
	host_metric_observe(m->steps[before->step], (double)(at - m->step_began_us) / 1e6);
	m->step_began_us = at;
	if (same_round)
		return;
	host_metric_observe(m->of[ROUND_DURATION], (double)(at - m->round_began_us) / 1e6);
	m->round_began_us = at;
}

/* ---- blocks ---- */

static void count_signers(struct node_metrics *m, const struct cmt_commit *commit)
{
	const struct node_key *key = node_validator_key(m->node);
	const struct cmt_validator_set *set = &m->signers.set;
	int64_t missing = 0, power = 0;
	for (size_t i = 0; i < set->count && commit->count == set->count; i++) {
		enum cmt_flag flag = commit->sigs[i].flag;
		if (flag == CMT_ABSENT) {
			missing++;
			power += set->list[i].power;
		}
		if (key == NULL || !cs_address_eq(&set->list[i].address, &key->address))
			continue;
		host_metric_set(m->own_power, (double)set->list[i].power);
		if (flag == CMT_COMMIT)
			host_metric_set(m->own_last, (double)commit->height);
		else
			host_metric_set(m->own_missed, ++m->own_missed_count);
	}
	host_metric_set(m->of[MISSING], (double)missing);
	host_metric_set(m->of[MISSING_POWER], (double)power);
}

static void count_guilty(struct node_metrics *m, const struct cmt_block *block)
{
	int64_t guilty = 0, power = 0;
	for (size_t i = 0; i < block->evidence_count; i++) {
		const struct cmt_evidence *e = &block->evidence[i];
		if (e->kind != CMT_DUPLICATE_VOTE)
			continue;
		guilty++;
		power += e->duplicate_vote.power;
	}
	host_metric_set(m->of[BYZANTINE], (double)guilty);
	host_metric_set(m->of[BYZANTINE_POWER], (double)power);
}

static void on_block(void *context, const struct node_applied *a)
{
	struct node_metrics *m = context;
	const struct cmt_header *h = &a->block->header;
	count_signers(m, &a->block->last_commit);
	count_guilty(m, a->block);
	if (m->signers.set.count > 0)
		host_metric_observe(m->of[BLOCK_INTERVAL],
				    (double)(h->time.s - m->last_time.s) +
					    (double)(h->time.ns - m->last_time.ns) / 1e9);
	m->last_time = h->time;
	m->total_txs += (double)a->block->tx_count;
	host_metric_set(m->of[NUM_TXS], (double)a->block->tx_count);
	host_metric_set(m->of[TOTAL_TXS], m->total_txs);
	host_metric_set(m->of[BLOCK_SIZE], (double)a->bytes.n);
	host_metric_add(m->of[CHAIN_SIZE], a->bytes.n);
	host_metric_set(m->of[LATEST_HEIGHT], (double)h->height);
	host_metric_add(m->of[SET_UPDATES], a->results->validator_updates.count > 0);
	host_metric_add(m->of[PARAM_UPDATES], a->results->consensus_param_updates != NULL);
	enum cs_err err = bft_set_copy(&m->signers, &node_state(m->node)->last.set);
	cs_assert(err == CS_OK);
}

/* ---- when it is asked ---- */

static void collect(void *context)
{
	struct node_metrics *m = context;
	const struct cmt_validator_set *set = &node_state(m->node)->now.set;
	const struct bft_view view = node_view(m->node);
	const struct node_peers *peers = node_peers_of(m->node);
	const struct node_mempool *pool = node_mempool_of(m->node);
	const struct node_mempool_counts counts = node_mempool_counts(pool);
	host_metric_set(m->of[HEIGHT], (double)view.height);
	host_metric_set(m->of[ROUNDS], (double)view.round);
	host_metric_set(m->of[LOCKED_ROUND], (double)view.locked_round);
	host_metric_set(m->of[MAY_SIGN], view.may_sign);
	host_metric_set(m->of[VALIDATORS], (double)set->count);
	host_metric_set(m->of[VALIDATORS_POWER], (double)set->power);
	host_metric_set(m->of[SYNCING], node_is_catching_up(m->node));
	host_metric_set(m->of[PEERS], node_peers_count(peers));
	host_metric_set(m->of[POOL_SIZE], node_mempool_count(pool));
	host_metric_set(m->of[POOL_BYTES], (double)node_mempool_bytes(pool));
	raise_to(m->of[POOL_FAILED], counts.failed);
	raise_to(m->of[POOL_REJECTED], counts.rejected);
	raise_to(m->of[POOL_EVICTED], counts.evicted);
	raise_to(m->of[POOL_RECHECKED], counts.rechecked);
	raise_to(m->of[DROPPED], node_peers_dropped(peers));
	raise_to(m->of[EVIDENCE_REFUSED], node_peers_evidence_refused(peers));
	for (size_t i = 0; i < CS_LEN(messages); i++) {
		struct node_traffic traffic = node_peers_traffic(peers, messages[i].kind);
		raise_to(m->sent[i], traffic.sent);
		raise_to(m->received[i], traffic.received);
	}
}

static void get_metrics(void *context, struct host_http_exchange *exchange)
{
	struct node_metrics *m = context;
	struct cs_buf buf;
	cs_buf_init(&buf, m->text, sizeof m->text);
	enum cs_err err = host_metrics_write(m->metrics, &buf);
	if (err != CS_OK)
		host_http_reply_problem(exchange, err, NULL);
	else
		host_http_reply(exchange, 200, HOST_METRICS_CONTENT_TYPE, cs_buf_view(&buf));
}

static void look_on(struct node_metrics *m)
{
	static const struct node_watcher watcher = {on_effect, on_stepped};
	const struct bft_state *state = node_state(m->node);
	enum cs_err err = bft_set_copy(&m->signers, &state->last.set);
	cs_assert(err == CS_OK);
	m->last_time = state->last_time;
	m->round_began_us = m->step_began_us = host_now_us();
	host_metric_set(m->of[LATEST_HEIGHT], (double)state->last_height);
	host_metrics_on_collect(m->metrics, collect, m);
	node_watch(m->node, &watcher, m);
	node_on_block(m->node, on_block, m);
	node_application_observe(node_application_of(m->node), on_call, m);
	node_mempool_on_added(node_mempool_of(m->node), on_added, m);
}

enum cs_err node_metrics_new(struct node_metrics **out, struct host_loop *loop, struct node *node,
			     const struct host_address *address, const char *name_space,
			     struct cs_why *why)
{
	struct node_metrics *m = host_alloc(sizeof *m);
	const struct host_http_server_options options = {.address = address->name,
							 .port = address->port};
	struct cs_bytes chain_id = cmt_chain_id_bytes(&node_genesis(node)->chain_id);
	m->node = node;
	(void)snprintf(m->name_space, sizeof m->name_space, "%s", name_space);
	memcpy(m->chain_id, chain_id.p, chain_id.n);
	bft_set_init(&m->signers);
	m->metrics = host_metrics_new();
	enum cs_err err = host_http_server_new(&m->server, loop, &options, why);
	if (err != CS_OK) {
		node_metrics_free(m);
		return err;
	}
	host_http_server_route(m->server, "GET", "/metrics", 0, get_metrics, m);
	make_figures(m);
	make_labelled(m);
	make_own(m);
	look_on(m);
	*out = m;
	return CS_OK;
}

uint16_t node_metrics_port(const struct node_metrics *m)
{
	return host_http_server_port(m->server);
}

void node_metrics_free(struct node_metrics *m)
{
	if (m == NULL)
		return;
	host_http_server_free(m->server);
	host_metrics_free(m->metrics);
	free(m);
}
