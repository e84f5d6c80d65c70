/* The ledger's application in every simulated node: its own state on its own disk, transactions by a
 * few accounts that all nodes know, some of which cannot be taken and some of which fail. A process
 * that dies may have lost its newest commits, which the node gives again. */
#include "tests/sim/ledger.h"

#include "relay_state/ledger/assets.h"

#include <stdlib.h>
#include <string.h>

#define ARENA_SIZE (64u * 1024 * 1024)
/* Transactions of one proposal, at most so many as an answer carries (world.c). */
#define TXS_MAX 6u

static struct cs_secret secret_of(unsigned user)
{
	struct cs_secret secret = {{0}};
	secret.b[31] = (uint8_t)(user + 1);
	return secret;
}

static struct cs_address address_of(const struct sim_ledger *l, unsigned user)
{
	const struct cs_secret secret = secret_of(user);
	struct cs_address address;
	cs_assert(cs_key_address(l->sig, &address, &secret) == CS_OK);
	return address;
}

struct abci_call sim_ledger_call(struct sim_ledger *l)
{
	cs_arena_rewind(&l->arena, 0);
	return (struct abci_call){&l->arena, &l->why};
}

/* ---- processes and disks ---- */

static void genesis_text(const struct sim_ledger *l, struct cs_buf *text)
{
	cs_put_text(text, "{\"rules\":{\"versions_kept\":50},\"accounts\":[");
	for (unsigned i = 0; i < SIM_USERS; i++) {
		const struct cs_address address = address_of(l, i);
		char hex[41];
		cs_hex(hex, CS_BYTES_OF(address.b));
		cs_put_text(text, "%s{\"address\":\"0x%s\",\"balance\":\"%llu\"}", i > 0 ? "," : "",
			    hex, (unsigned long long)SIM_FUNDS);
	}
	cs_put_text(text, "]}");
	cs_assert(cs_buf_end(text) == CS_OK);
}

static struct cs_hash init_chain(struct sim_ledger *l)
{
	struct abci_init_chain_response response = {0};
	struct cs_hash hash;
	char bytes[2048];
	struct cs_buf text;
	cs_buf_init(&text, bytes, sizeof bytes);
	genesis_text(l, &text);
	const struct abci_init_chain_request request = {.time = {1700000000, 0},
							.chain_id = cs_bytes_str("sim"),
							.app_state_bytes = cs_buf_view(&text),
							.initial_height = 1};
	const struct abci_call call = sim_ledger_call(l);
	cs_assert(l->abci.init_chain(l->abci.state, &request, &response, &call) == CS_OK);
	memcpy(hash.b, response.app_hash.p, sizeof hash.b);
	return hash;
}

/* A process over the disk as it is. */
static void open_app(struct sim_ledger *l)
{
	const struct ledger_app_options options = {.db = memory_db_table(l->db),
						   .version = memory_db_version(l->db),
						   .sig = l->sig,
						   .modules = ledger_modules(),
						   .seed = {(uint8_t)(++l->starts)}};
	cs_assert(ledger_app_init(&l->app, l->memory, &options, &l->why) == CS_OK);
	l->abci = ledger_app_table(l->app);
}

struct sim_ledger *sim_ledger_new(struct cs_hash *genesis)
{
	struct sim_ledger *l = calloc(1, sizeof *l);
	cs_assert(l != NULL);
	l->memory = malloc(ledger_app_size());
	void *block = malloc(ARENA_SIZE);
	l->sig = cs_sig_new(NULL);
	l->db = memory_db_new();
	cs_assert(l->memory != NULL && block != NULL && l->sig != NULL);
	cs_arena_init(&l->arena, block, ARENA_SIZE);
	open_app(l);
	*genesis = init_chain(l);
	return l;
}

void sim_ledger_free(struct sim_ledger *l)
{
	if (l == NULL)
		return;
	memory_db_free(l->db);
	cs_sig_free(l->sig);
	free(l->arena.block);
	free(l->memory);
	free(l);
}

struct cs_hash sim_app_genesis(struct sim *sim)
{
	struct cs_hash hash;
	(void)sim;
	sim_ledger_free(sim_ledger_new(&hash));
	return hash;
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

static void begin_anew(struct sim_node *node)
{
	struct cs_hash genesis;
	sim_ledger_free(node->ledger);
	node->ledger = sim_ledger_new(&genesis);
	node->disk.app = (struct sim_app){0, genesis};
}

void sim_app_take_back(struct sim *sim, struct sim_node *node, int64_t height)
{
	(void)sim;
	if (height <= 0) {
		begin_anew(node);
		return;
	}
	if (height < node->disk.app.height) {
		memory_db_rollback(node->ledger->db, (uint64_t)height);
		open_app(node->ledger);
		node->disk.app = last_of(node->ledger);
	}
	cs_assert(node->disk.app.height == height);
}

/* One time in five the newest commits had not come to the disk. */
void sim_app_start(struct sim *sim, struct sim_node *node)
{
	if (node->ledger == NULL || node->disk.app.height == 0) {
		begin_anew(node);
		return;
	}
	open_app(node->ledger);
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

/* ---- transactions ---- */

struct making {
	struct sim *sim;
	struct sim_ledger *ledger;
	uint64_t used[SIM_USERS]; /* sequences of this proposal */
};

static uint64_t sequence_of(struct sim_ledger *l, unsigned user)
{
	const struct cs_address address = address_of(l, user);
	const struct abci_query_request request = {.data = CS_BYTES_OF(address.b),
						   .path = cs_bytes_str("/account")};
	struct abci_query_response response = {0};
	const struct abci_call call = sim_ledger_call(l);
	cs_assert(l->abci.query(l->abci.state, &request, &response, &call) == CS_OK);
	cs_assert(response.code == 0 && response.value.n == 40);
	return cs_be64(response.value.p);
}

static void put_address(uint8_t *word, const struct cs_address *address)
{
	memcpy(word + 12, address->b, sizeof address->b);
}

/* What one does with an asset: to make it, to mint, to burn, to transfer. */
static size_t asset_input(struct making *m, uint8_t *input, unsigned user)
{
	static const char *const signatures[] = {"mint(address,address,uint256)",
						 "burn(address,address,uint256)",
						 "transfer(address,address,uint256)"};
	const struct cs_address own = address_of(m->ledger, user);
	const struct cs_address other =
		address_of(m->ledger, (unsigned)sim_below(&m->sim->rng, SIM_USERS));
	const struct cs_address owner =
		address_of(m->ledger, (unsigned)sim_below(&m->sim->rng, SIM_USERS));
	const struct cs_address asset = ledger_asset_of(&owner, cs_bytes_str("A"));
	const uint64_t what = sim_below(&m->sim->rng, 4);
	struct cs_buf buf;
	struct cs_abi abi;
	cs_buf_init(&buf, input, 300);
	if (what == 3) {
		cs_abi_call(&abi, &buf, "create(string,string,uint8,address)");
		size_t name = cs_abi_slot(&abi), symbol = cs_abi_slot(&abi);
		cs_abi_put_u64(&abi, 2);
		cs_abi_put_address(&abi, &own);
		cs_abi_put_bytes(&abi, name, cs_bytes_str("A"));
		cs_abi_put_bytes(&abi, symbol, cs_bytes_str("A"));
		return buf.n;
	}
	cs_abi_call(&abi, &buf, signatures[what]);
	cs_abi_put_address(&abi, &asset);
	cs_abi_put_address(&abi, what == 1 ? &own : &other);
	cs_abi_put_u64(&abi, sim_below(&m->sim->rng, 1000));
	return buf.n;
}

/* Any function of any contract, with words that are often something. */
static size_t any_input(struct making *m, uint8_t *input, struct cs_address *to)
{
	const struct ledger_modules modules = ledger_modules();
	const struct ledger_contract *contract =
		modules.items[sim_below(&m->sim->rng, modules.count)].contract;
	const struct ledger_function *function =
		&contract->functions[sim_below(&m->sim->rng, contract->function_count)];
	const size_t words = function->words < 6 ? function->words : 6;
	*to = ledger_contract_address(contract->number);
	cs_put_be32(input, function->selector);
	memset(input + 4, 0, words * 32);
	for (size_t i = 0; i < words; i++) {
		uint8_t *word = input + 4 + 32 * i;
		const struct cs_address user =
			address_of(m->ledger, (unsigned)sim_below(&m->sim->rng, SIM_USERS));
		if (sim_chance(&m->sim->rng, 4000))
			put_address(word, &user);
		else
			word[31] = (uint8_t)sim_below(&m->sim->rng, 100);
	}
	return 4 + words * 32;
}

static void fill(struct making *m, struct ledger_tx *tx, unsigned user, uint8_t *input)
{
	struct sim_rng *rng = &m->sim->rng;
	struct ledger_tx_call *call = &tx->calls[0];
	size_t size = 0;
	tx->call_count = 1;
	tx->gas_limit = sim_chance(rng, 500) ? 15000 : 200000;
	tx->gas_price_low = 1 + sim_below(rng, 3);
	switch (sim_below(rng, 4)) {
	case 0:
	case 1:
		call->to = address_of(m->ledger, (unsigned)sim_below(rng, SIM_USERS));
		/* Some have it not. */
		call->value = cs_u256_u64(sim_below(rng, SIM_FUNDS / 2));
		break;
	case 2:
		call->to = ledger_contract_address(LEDGER_ASSETS_NUMBER);
		size = asset_input(m, input, user);
		break;
	default:
		size = any_input(m, input, &call->to);
		break;
	}
	call->input = cs_bytes(input, size);
}

/* Signed by the user; one in ten has another sequence. */
static struct cs_bytes make_tx(struct making *m, uint8_t *out, size_t size_max)
{
	static struct ledger_tx tx;
	const unsigned user = (unsigned)sim_below(&m->sim->rng, SIM_USERS);
	const struct cs_secret secret = secret_of(user);
	struct cs_ecdsa signature;
	uint8_t input[300];
	struct cs_buf buf;
	memset(&tx, 0, sizeof tx);
	tx.chain = m->ledger->chain;
	tx.sender = address_of(m->ledger, user);
	tx.sequence = sequence_of(m->ledger, user) + m->used[user]++ +
		      (sim_chance(&m->sim->rng, 1000) ? 1 : 0);
	fill(m, &tx, user, input);
	cs_buf_init(&buf, out, size_max);
	ledger_tx_encode_body(&buf, &tx);
	const struct cs_hash digest = ledger_tx_digest(cs_buf_view(&buf));
	cs_assert(cs_ecdsa_sign(m->ledger->sig, &signature, &secret, &digest) == CS_OK);
	cs_put_u8(&buf, LEDGER_SECP256K1);
	cs_put(&buf, CS_BYTES_OF(signature.r.b));
	cs_put(&buf, CS_BYTES_OF(signature.s.b));
	cs_put_u8(&buf, signature.parity);
	cs_assert(cs_buf_end(&buf) == CS_OK);
	return cs_buf_view(&buf);
}

static void read_chain(struct sim_ledger *l)
{
	const struct abci_query_request request = {.path = cs_bytes_str("/chain")};
	struct abci_query_response response = {0};
	const struct abci_call call = sim_ledger_call(l);
	cs_assert(l->abci.query(l->abci.state, &request, &response, &call) == CS_OK);
	memcpy(l->chain.b, response.value.p, sizeof l->chain.b);
}

/* What the application takes of a few; a liar adds one that nobody may. */
uint32_t sim_app_prepare(struct sim *sim, struct sim_node *node, struct cs_buf *txs)
{
	static uint8_t bytes[TXS_MAX][1024];
	struct making m = {.sim = sim, .ledger = node->ledger};
	struct cs_bytes made[TXS_MAX];
	struct abci_prepare_proposal_response response = {0};
	const size_t count = (size_t)sim_below(&sim->rng, TXS_MAX + 1);
	const size_t room = txs->size_max > 64 ? txs->size_max - 64 : 0;
	uint32_t taken = 0;
	read_chain(node->ledger);
	for (size_t i = 0; i < count; i++)
		made[i] = make_tx(&m, bytes[i], sizeof bytes[i]);
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

/* ---- blocks ---- */

static void decode(struct sim *sim, struct cmt_block *block, struct cs_bytes bytes)
{
	cs_assert(cmt_block_decode(block, bytes, &sim->scratch, NULL) == CS_OK);
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

struct cs_hash sim_ledger_finalize(struct sim_ledger *l, const struct cmt_block *block)
{
	const struct abci_finalize_block_request request = {
		.txs = {block->txs, block->tx_count},
		.height = block->header.height,
		.time = block->header.time,
		.proposer_address = CS_BYTES_OF(block->header.proposer.b)};
	struct abci_finalize_block_response response = {0};
	struct cs_hash hash;
	const struct abci_call call = sim_ledger_call(l);
	cs_assert(l->abci.finalize_block(l->abci.state, &request, &response, &call) == CS_OK);
	cs_assert(response.tx_results.count == block->tx_count && response.app_hash.n == 32);
	memcpy(hash.b, response.app_hash.p, sizeof hash.b);
	for (size_t i = 0; i < block->tx_count; i++)
		l->failed += response.tx_results.items[i].code != 0;
	l->taken += block->tx_count;
	return hash;
}

void sim_ledger_commit(struct sim_ledger *l)
{
	struct abci_commit_response response = {0};
	const struct abci_call call = sim_ledger_call(l);
	cs_assert(l->abci.commit(l->abci.state, &response, &call) == CS_OK);
}

void sim_app_finalize(struct sim *sim, struct sim_node *node, struct sim_app *after,
		      struct cs_bytes bytes)
{
	struct cmt_block block;
	const size_t mark = cs_arena_mark(&sim->scratch);
	decode(sim, &block, bytes);
	*after = (struct sim_app){block.header.height, sim_ledger_finalize(node->ledger, &block)};
	cs_arena_rewind(&sim->scratch, mark);
}

/* Finalized once more, as after a crash. */
void sim_app_commit(struct sim *sim, struct sim_node *node, struct cs_bytes bytes)
{
	sim_app_finalize(sim, node, &node->disk.app, bytes);
	sim_ledger_commit(node->ledger);
	sim_ledger_check(sim, node);
}
