/* The ledger's application in every simulated node: its own state on its own disk, transactions by a
 * few accounts that all nodes know, some of which cannot be taken and some of which fail. A process
 * that dies may have lost its newest commits, which the node gives again. */
#include "tests/sim/ledger.h"

#include "core/hash.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define ARENA_SIZE (64u * 1024 * 1024)
/* Transactions of one proposal, at most so many as an answer carries (world.c). */
#define TXS_MAX 6u
#define GENESIS_SIZE_MAX 8192u
#define VERSIONS_KEPT 50u
#define SNAPSHOT_INTERVAL 5u
#define SPARE_MAX 16u

/* ---- accounts ---- */

struct cs_secret sim_ledger_secret(unsigned account)
{
	struct cs_secret secret = {{0}};
	secret.b[31] = (uint8_t)(account + 1);
	return secret;
}

struct cs_address sim_ledger_address(unsigned account)
{
	static struct cs_address addresses[SIM_ACCOUNTS];
	static bool is_made;
	cs_assert(account < SIM_ACCOUNTS);
	for (unsigned i = 0; i < SIM_ACCOUNTS && !is_made; i++) {
		struct cs_sig *sig = cs_sig_new(NULL);
		const struct cs_secret secret = sim_ledger_secret(i);
		cs_assert(sig != NULL && cs_key_address(sig, &addresses[i], &secret) == CS_OK);
		cs_sig_free(sig);
	}
	is_made = true;
	return addresses[account];
}

const char *sim_ledger_caip2(enum sim_side side)
{
	return side == SIM_NEAR ? "cosmos:sim" : "cosmos:far";
}

/* ---- genesis ---- */

/* Nobody is jailed where keys lie: who is left must be more than two thirds honest. */
static unsigned missed_max(const struct sim *sim)
{
	for (unsigned i = 0; i < sim->nodes; i++) {
		if (sim->node[i].role != SIM_HONEST || sim->node[i].bad_disk)
			return 8191;
	}
	return 4;
}

static void put_staking(struct cs_buf *text, const struct sim *sim, const char *owner)
{
	const unsigned missed = missed_max(sim);
	cs_put_text(text,
		    ",\"parameters\":{\"owner\":\"0x%s\",\"guardian\":\"0x%s\",\"delay_s\":1,"
		    "\"values\":{\"power_unit\":%u,\"unbonding_s\":%u,\"evidence_age_s\":%u,"
		    "\"downtime_window_blocks\":%u,\"downtime_missed_blocks\":%u,\"jail_s\":1,"
		    "\"inflation_ppm_per_year\":200000,\"epoch_blocks\":7,"
		    "\"slash_to_community\":%u}}",
		    owner, owner, SIM_POWER_UNIT, SIM_UNBONDING_S, SIM_UNBONDING_S / 2,
		    missed == 4 ? 8 : 8192, missed, (unsigned)(sim->seed / 8 % 2));
	cs_put_text(text, ",\"staking\":{\"validators\":[");
	for (unsigned i = 0; i < sim->keys; i++) {
		const struct cs_address address = sim_ledger_address(SIM_OPERATOR + i);
		char key[65], operator[41];
		cs_hex(key, CS_BYTES_OF(sim->key[i].b));
		cs_hex(operator, CS_BYTES_OF(address.b));
		cs_put_text(text, "%s{\"key\":\"0x%s\",\"operator\":\"0x%s\",\"bond\":\"%u\"}",
			    i > 0 ? "," : "", key, operator, SIM_BOND);
	}
	cs_put_text(text, "]}");
}

static void genesis_text(const struct sim *sim, enum sim_side side, struct cs_buf *text)
{
	const struct cs_address owner = sim_ledger_address(SIM_OWNER);
	char hex[41];
	cs_put_text(text, "{\"rules\":{\"versions_kept\":%u},\"accounts\":[", VERSIONS_KEPT);
	for (unsigned i = 0; i < SIM_ACCOUNTS; i++) {
		const struct cs_address address = sim_ledger_address(i);
		cs_hex(hex, CS_BYTES_OF(address.b));
		cs_put_text(text, "%s{\"address\":\"0x%s\",\"balance\":\"%u\"}", i > 0 ? "," : "",
			    hex, SIM_FUNDS);
	}
	cs_hex(hex, CS_BYTES_OF(owner.b));
	cs_put_text(text,
		    "],\"contracts\":{\"gateway\":{\"owner\":\"0x%s\",\"guardian\":\"0x%s\","
		    "\"delay_s\":1,\"rotation_delay_s\":2,\"overlap_s\":1},"
		    "\"bridge\":{\"owner\":\"0x%s\",\"guardian\":\"0x%s\",\"delay_s\":1,"
		    "\"window_s\":3600}",
		    hex, hex, hex, hex);
	if (side == SIM_NEAR)
		put_staking(text, sim, hex);
	cs_put_text(text, "}}");
	cs_assert(cs_buf_end(text) == CS_OK);
}

enum cs_err sim_ledger_init_chain(struct sim_ledger *l, struct cs_hash *hash,
				  struct cs_bytes app_state, const char *chain_id,
				  const struct abci_validator_updates *validators)
{
	const struct abci_init_chain_request request = {.time = {1700000000, 0},
							.chain_id = cs_bytes_str(chain_id),
							.validators = *validators,
							.app_state_bytes = app_state,
							.initial_height = 1};
	struct abci_init_chain_response response = {0};
	const struct abci_call call = sim_ledger_call(l);
	CS_TRY(l->abci.init_chain(l->abci.state, &request, &response, &call));
	memcpy(hash->b, response.app_hash.p, sizeof hash->b);
	const struct cs_bytes chain = sim_ledger_query(l, "/chain", CS_BYTES_NONE);
	cs_assert(chain.n >= sizeof l->chain.b);
	memcpy(l->chain.b, chain.p, sizeof l->chain.b);
	return CS_OK;
}

static struct cs_hash init_chain(const struct sim *sim, struct sim_ledger *l)
{
	struct abci_validator_update list[SIM_NODES_MAX];
	struct abci_validator_updates validators = {list, l->side == SIM_NEAR ? sim->keys : 0};
	char bytes[GENESIS_SIZE_MAX];
	struct cs_hash hash;
	struct cs_buf text;
	for (size_t i = 0; i < validators.count; i++)
		list[i] = (struct abci_validator_update){
			{ABCI_KEY_ED25519, CS_BYTES_OF(sim->key[i].b)}, sim_app_power(sim)};
	cs_buf_init(&text, bytes, sizeof bytes);
	genesis_text(sim, l->side, &text);
	const enum cs_err err = sim_ledger_init_chain(
		l, &hash, cs_buf_view(&text), l->side == SIM_NEAR ? "sim" : "far", &validators);
	if (err != CS_OK)
		printf("genesis: %s: %s\n", cs_err_name(err), l->why.text);
	cs_assert(err == CS_OK);
	return hash;
}

/* ---- processes and disks ---- */

struct abci_call sim_ledger_call(struct sim_ledger *l)
{
	cs_arena_rewind(&l->arena, 0);
	return (struct abci_call){&l->arena, &l->why};
}

void sim_ledger_open(struct sim_ledger *l)
{
	const struct ledger_app_options options = {.db = memory_db_table(l->db),
						   .version = memory_db_version(l->db),
						   .sig = l->sig,
						   .modules = ledger_modules(),
						   .seed = {(uint8_t)(++l->starts)},
						   .snapshot_interval = SNAPSHOT_INTERVAL};
	cs_assert(ledger_app_init(&l->app, l->memory, &options, &l->why) == CS_OK);
	l->abci = ledger_app_table(l->app);
}

/* Memory of processes that have ended, for the next ones: to get pages of the system anew takes longer
 * than what is done in them. */
static struct memory {
	void *app, *block;
} spare[SPARE_MAX];
static size_t spare_count;

static struct memory take_memory(void)
{
	if (spare_count > 0)
		return spare[--spare_count];
	const struct memory made = {malloc(ledger_app_size()), malloc(ARENA_SIZE)};
	cs_assert(made.app != NULL && made.block != NULL);
	return made;
}

static void give_memory(void *app, void *block)
{
	if (spare_count < SPARE_MAX) {
		spare[spare_count++] = (struct memory){app, block};
		return;
	}
	free(app);
	free(block);
}

struct sim_ledger *sim_ledger_empty(enum sim_side side)
{
	struct sim_ledger *l = calloc(1, sizeof *l);
	cs_assert(l != NULL);
	l->side = side;
	const struct memory memory = take_memory();
	l->memory = memory.app;
	l->sig = cs_sig_new(NULL);
	l->db = memory_db_new();
	cs_assert(l->sig != NULL);
	cs_arena_init(&l->arena, memory.block, ARENA_SIZE);
	sim_ledger_open(l);
	return l;
}

struct sim_ledger *sim_ledger_new(const struct sim *sim, enum sim_side side,
				  struct cs_hash *genesis)
{
	struct sim_ledger *l = sim_ledger_empty(side);
	*genesis = init_chain(sim, l);
	return l;
}

void sim_ledger_free(struct sim_ledger *l)
{
	if (l == NULL)
		return;
	memory_db_free(l->db);
	cs_sig_free(l->sig);
	give_memory(l->memory, l->arena.block);
	free(l);
}

/* Deposits divided by their unit. */
int64_t sim_app_power(const struct sim *sim)
{
	(void)sim;
	return SIM_BOND / SIM_POWER_UNIT;
}

struct cs_hash sim_app_genesis(struct sim *sim)
{
	struct cs_hash hash;
	struct sim_ledger *l = sim_ledger_new(sim, SIM_NEAR, &hash);
	sim_pair_new(sim);
	sim->pair->tag[SIM_NEAR] = l->chain;
	sim_ledger_free(l);
	return hash;
}

static struct reached {
	size_t messages, delivered, refunded, retried, jailed, tombstoned, snapshots, exports;
} all;

int64_t sim_app_life_ns(void)
{
	return 10000 * MS;
}

void sim_app_report(void)
{
	printf("%zu messages, %zu delivered, %zu of them at a later attempt, %zu refunded; %zu "
	       "blocks with a validator in jail, %zu with one that is out; %zu restored from "
	       "snapshots, %zu exported\n",
	       all.messages, all.delivered, all.retried, all.refunded, all.jailed, all.tombstoned,
	       all.snapshots, all.exports);
}

static void count_reached(const struct sim_pair *pair)
{
	all.messages += pair->flight_count;
	all.delivered += pair->delivered;
	all.refunded += pair->refunded;
	all.retried += pair->retried;
	all.jailed += pair->jailed;
	all.tombstoned += pair->tombstoned;
	all.snapshots += pair->snapshots;
	all.exports += pair->exports;
}

void sim_app_done(struct sim *sim)
{
	if (sim->pair != NULL)
		count_reached(sim->pair);
	sim_pair_free(sim->pair);
}

static struct sim_app last_of(struct sim_ledger *l)
{
	const struct abci_info_request request = {0};
	struct abci_info_response response = {0};
	struct sim_app last = {0};
	const struct abci_call call = sim_ledger_call(l);
	cs_assert(l->abci.info(l->abci.state, &request, &response, &call) == CS_OK);
	last.height = response.last_block_height;
	if (last.height > 0)
		memcpy(last.hash.b, response.last_block_app_hash.p, sizeof last.hash.b);
	return last;
}

static void begin_anew(const struct sim *sim, struct sim_node *node)
{
	struct cs_hash genesis;
	sim_ledger_free(node->ledger);
	node->ledger = sim_ledger_new(sim, SIM_NEAR, &genesis);
	node->disk.app = (struct sim_app){.hash = genesis};
}

void sim_app_take_back(struct sim *sim, struct sim_node *node, int64_t height)
{
	if (height <= 0) {
		begin_anew(sim, node);
		return;
	}
	if (height < node->disk.app.height) {
		memory_db_rollback(node->ledger->db, (uint64_t)height);
		sim_ledger_open(node->ledger);
		node->disk.app = last_of(node->ledger);
	}
	cs_assert(node->disk.app.height == height);
}

/* One time in five the newest commits had not come to the disk. */
void sim_app_start(struct sim *sim, struct sim_node *node)
{
	if (node->ledger == NULL || node->disk.app.height == 0) {
		begin_anew(sim, node);
		return;
	}
	sim_ledger_open(node->ledger);
	int64_t lost = sim_chance(&sim->rng, 2000) ? 1 + (int64_t)sim_below(&sim->rng, 3) : 0;
	if (lost > 0 && lost < node->disk.app.height)
		sim_app_take_back(sim, node, node->disk.app.height - lost);
	const struct sim_app last = last_of(node->ledger);
	if (last.height != node->disk.app.height || !cs_hash_eq(&last.hash, &node->disk.app.hash))
		sim_fail(sim, "node %u: the ledger is not what it was", node->index);
}

void sim_app_free(struct sim_node *node)
{
	sim_ledger_free(node->ledger);
	node->ledger = NULL;
}

/* ---- questions ---- */

struct cs_bytes sim_ledger_query(struct sim_ledger *l, const char *path, struct cs_bytes data)
{
	const struct abci_query_request request = {.data = data, .path = cs_bytes_str(path)};
	struct abci_query_response response = {0};
	const struct abci_call call = sim_ledger_call(l);
	cs_assert(l->abci.query(l->abci.state, &request, &response, &call) == CS_OK);
	return response.code == 0 ? response.value : CS_BYTES_NONE;
}

struct cs_bytes sim_ledger_ask(struct sim_ledger *l, uint8_t number, const char *signature,
			       const struct cs_hash *words, size_t count)
{
	uint8_t bytes[40 + 4 + 4 * 32] = {0};
	const struct cs_address to = ledger_contract_address(number);
	const struct cs_hash topic = cs_abi_topic(signature);
	cs_assert(count <= 4);
	memcpy(bytes + 20, to.b, sizeof to.b);
	memcpy(bytes + 40, topic.b, 4);
	if (count > 0)
		memcpy(bytes + 44, words, count * sizeof *words);
	return sim_ledger_query(l, "/call", cs_bytes(bytes, 44 + count * sizeof *words));
}

/* ---- proposals ---- */

/* What the application takes of a few; a liar adds one that nobody may. */
uint32_t sim_app_prepare(struct sim *sim, struct sim_node *node, struct cs_buf *txs)
{
	static uint8_t bytes[TXS_MAX * 4096];
	struct cs_bytes made[TXS_MAX];
	struct cs_buf out;
	struct abci_prepare_proposal_response response = {0};
	const size_t room = txs->size_max > 64 ? txs->size_max - 64 : 0;
	uint32_t taken = 0;
	cs_buf_init(&out, bytes, sizeof bytes);
	const size_t count = sim_ledger_txs(sim, node->ledger, made, TXS_MAX, &out);
	const struct abci_prepare_proposal_request request = {.max_tx_bytes = (int64_t)room,
							      .txs = {made, count}};
	const struct abci_call call = sim_ledger_call(node->ledger);
	cs_assert(node->ledger->abci.prepare_proposal(node->ledger->abci.state, &request, &response,
						      &call) == CS_OK);
	for (size_t i = 0; i < response.txs.count; i++, taken++)
		sim_put_tx(txs, response.txs.items[i]);
	if (node->role == SIM_LIAR && taken < TXS_MAX && room > 0 && sim_chance(&sim->rng, 2000)) {
		sim_put_tx(txs, cs_bytes_str("key=value"));
		taken++;
	}
	return taken;
}

/* A node that is behind or ahead cannot judge. */
bool sim_app_accepts(struct sim *sim, struct sim_node *node, struct cs_bytes bytes)
{
	struct cmt_block block;
	struct abci_process_proposal_response response = {.status = ABCI_ACCEPT};
	const size_t mark = cs_arena_mark(&sim->scratch);
	if (cmt_block_decode(&block, bytes, &sim->scratch, NULL) != CS_OK)
		return false;
	if (node->disk.app.height + 1 == block.header.height) {
		const struct abci_process_proposal_request request = {
			.txs = {block.txs, block.tx_count},
			.height = block.header.height,
			.time = block.header.time};
		const struct abci_call call = sim_ledger_call(node->ledger);
		cs_assert(node->ledger->abci.process_proposal(node->ledger->abci.state, &request,
							      &response, &call) == CS_OK);
	}
	cs_arena_rewind(&sim->scratch, mark);
	return response.status == ABCI_ACCEPT;
}

/* ---- blocks ---- */

struct abci_request sim_ledger_block(struct sim *sim, const struct sim_node *node,
				     struct cs_bytes bytes)
{
	static const struct cmt_validator_set none;
	struct cmt_block block;
	struct node_block *read = cs_arena_alloc(&sim->scratch, sizeof *read);
	cs_assert(read != NULL && cmt_block_decode(&block, bytes, &sim->scratch, NULL) == CS_OK);
	const struct bft_set *last = node->disk.blocks[block.header.height - 1].validators;
	cs_assert(block.header.height == 1 || last != NULL);
	const enum cs_err err = node_block_read(read, bytes, last == NULL ? &none : &last->set,
						&sim->scratch, NULL);
	cs_assert(err == CS_OK);
	return node_ask_finalize(read);
}

static uint64_t fee_of(const struct abci_event *event)
{
	struct cs_u256 amount;
	uint64_t fee;
	cs_assert(event->attributes.count == 2);
	cs_assert(cs_u256_from_decimal(&amount, event->attributes.items[1].value) == CS_OK);
	cs_assert(cs_u256_to_u64(&fee, &amount) == CS_OK);
	return fee;
}

struct abci_finalize_block_response
sim_ledger_finalize(struct sim_ledger *l, const struct abci_finalize_block_request *request)
{
	struct abci_finalize_block_response response = {0};
	const struct abci_call call = sim_ledger_call(l);
	cs_assert(l->abci.finalize_block(l->abci.state, request, &response, &call) == CS_OK);
	cs_assert(response.tx_results.count == request->txs.count && response.app_hash.n == 32);
	l->fees = 0;
	for (size_t i = 0; i < response.tx_results.count; i++) {
		const struct abci_tx_result *result = &response.tx_results.items[i];
		l->failed += result->code != 0;
		for (size_t k = 0; k < result->events.count; k++) {
			if (cs_bytes_eq(result->events.items[k].type, cs_bytes_str("fee")))
				l->fees += fee_of(&result->events.items[k]);
		}
	}
	l->taken += request->txs.count;
	return response;
}

void sim_ledger_commit(struct sim_ledger *l)
{
	struct abci_commit_response response = {0};
	const struct abci_call call = sim_ledger_call(l);
	cs_assert(l->abci.commit(l->abci.state, &response, &call) == CS_OK);
}

/* Over what the header's last_results_hash is over. */
static struct cs_hash results_of(const struct abci_finalize_block_response *response)
{
	struct cs_hash hash = {{0}};
	for (size_t i = 0; i < response->tx_results.count; i++) {
		const struct abci_tx_result *result = &response->tx_results.items[i];
		const struct cs_hash data = cs_sha256(result->data);
		uint8_t bytes[32 + 32 + 4 + 16];
		memcpy(bytes, hash.b, 32);
		memcpy(bytes + 32, data.b, 32);
		cs_put_be32(bytes + 64, result->code);
		cs_put_be64(bytes + 68, (uint64_t)result->gas_wanted);
		cs_put_be64(bytes + 76, (uint64_t)result->gas_used);
		hash = cs_sha256(CS_BYTES_OF(bytes));
	}
	return hash;
}

/* One answer at each height, whoever gives it. */
static void keep_updates(struct sim *sim, const struct sim_node *node, int64_t height,
			 const struct abci_validator_updates *updates)
{
	struct sim_pair *pair = sim->pair;
	struct cmt_validator list[BFT_UPDATES_MAX];
	cs_assert(updates->count <= BFT_UPDATES_MAX);
	memset(list, 0, sizeof list);
	for (size_t i = 0; i < updates->count; i++) {
		struct cs_ed25519_key key;
		memcpy(key.b, updates->items[i].pub_key.bytes.p, sizeof key.b);
		list[i] = cmt_validator_of(&key, updates->items[i].power);
	}
	bool same = pair->update_count[height] == updates->count;
	for (size_t i = 0; i < updates->count && same; i++)
		same = cs_address_eq(&pair->updates[height][i].address, &list[i].address) &&
		       pair->updates[height][i].power == list[i].power;
	if (pair->has_updates[height] && !same)
		sim_fail(sim, "node %u: other validators at %" PRId64, node->index, height);
	pair->has_updates[height] = true;
	pair->update_count[height] = updates->count;
	memcpy(pair->updates[height], list, sizeof list);
}

size_t sim_app_updates(struct sim *sim, int64_t height, struct cmt_validator *updates)
{
	const struct sim_pair *pair = sim->pair;
	memcpy(updates, pair->updates[height],
	       pair->update_count[height] * sizeof *pair->updates[height]);
	return pair->update_count[height];
}

/* Evidence that is young enough by the block's time takes its key out for ever. */
static void keep_misbehavior(struct sim *sim, const struct abci_finalize_block_request *request)
{
	for (size_t i = 0; i < request->misbehavior.count; i++) {
		const struct abci_misbehavior *item = &request->misbehavior.items[i];
		struct cs_address address;
		memcpy(address.b, item->validator.address.p, sizeof address.b);
		if (request->time.s - item->time.s <= (int64_t)SIM_UNBONDING_S)
			sim->pair->must_be_out[sim_key_of(sim, &address)] = true;
	}
}

void sim_app_finalize(struct sim *sim, struct sim_node *node, struct sim_app *after,
		      struct cs_bytes bytes)
{
	const size_t mark = cs_arena_mark(&sim->scratch);
	const struct abci_finalize_block_request request =
		sim_ledger_block(sim, node, bytes).finalize_block;
	const struct abci_finalize_block_response response =
		sim_ledger_finalize(node->ledger, &request);
	*after = (struct sim_app){.height = request.height, .results = results_of(&response)};
	memcpy(after->hash.b, response.app_hash.p, sizeof after->hash.b);
	keep_updates(sim, node, request.height, &response.validator_updates);
	cs_arena_rewind(&sim->scratch, mark);
}

/* Finalized once more, as after a crash. */
void sim_app_commit(struct sim *sim, struct sim_node *node, struct cs_bytes bytes)
{
	struct sim_pair *pair = sim->pair;
	const size_t mark = cs_arena_mark(&sim->scratch);
	const struct abci_finalize_block_request request =
		sim_ledger_block(sim, node, bytes).finalize_block;
	const struct abci_finalize_block_response response =
		sim_ledger_finalize(node->ledger, &request);
	const bool is_new = request.height > pair->height;
	node->disk.app =
		(struct sim_app){.height = request.height, .results = results_of(&response)};
	memcpy(node->disk.app.hash.b, response.app_hash.p, 32);
	sim_mix(sim, node->disk.app.hash.b, 32);
	keep_updates(sim, node, request.height, &response.validator_updates);
	if (is_new) {
		pair->height = request.height;
		pair->time_s[SIM_NEAR] = (uint64_t)request.time.s;
		keep_misbehavior(sim, &request);
		sim_pair_observe(sim, SIM_NEAR, &response);
	}
	sim_ledger_commit(node->ledger);
	sim_ledger_check(sim, node->ledger, "a node");
	if (request.height == pair->height)
		sim_ledger_check_set(sim, node);
	if (is_new)
		sim_pair_step(sim, node->ledger);
	cs_arena_rewind(&sim->scratch, mark);
}
