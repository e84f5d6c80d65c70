/* What people do on a simulated ledger: users with native and other assets and with any function of any
 * contract, operators with their deposits, senders over the bridge, and whoever brings statements. */
#include "relay_state/ledger/assets.h"
#include "relay_state/ledger/gateway.h"
#include "relay_state/ledger/parameters.h"
#include "tests/sim/ledger.h"

#include <string.h>

#define INPUT_SIZE_MAX 2048u
#define RELAY_GAS 2000000u
#define FOUND_GAS 4000000u

struct making {
	struct sim *sim;
	struct sim_ledger *ledger;
	uint64_t used[SIM_ACCOUNTS]; /* sequences of this proposal */
};

/* One call to be signed, and by whom. */
struct wish {
	unsigned account;
	struct cs_address to;
	uint64_t value;
	uint64_t gas;
	uint8_t input[INPUT_SIZE_MAX];
	size_t size;
};

static unsigned any_user(struct making *m)
{
	return (unsigned)sim_below(&m->sim->rng, SIM_USERS);
}

uint64_t sim_ledger_sequence(struct sim_ledger *l, unsigned account)
{
	const struct cs_address address = sim_ledger_address(account);
	const struct cs_bytes value = sim_ledger_query(l, "/account", CS_BYTES_OF(address.b));
	cs_assert(value.n == 40);
	return cs_be64(value.p);
}

/* ---- users ---- */

static void put_address(uint8_t *word, const struct cs_address *address)
{
	memcpy(word + 12, address->b, sizeof address->b);
}

/* What one does with an asset: to make it, to mint, to burn, to transfer. */
static void wish_asset(struct making *m, struct wish *wish)
{
	static const char *const signatures[] = {"mint(address,address,uint256)",
						 "burn(address,address,uint256)",
						 "transfer(address,address,uint256)"};
	const struct cs_address own = sim_ledger_address(wish->account);
	const struct cs_address other = sim_ledger_address(any_user(m));
	const struct cs_address owner = sim_ledger_address(any_user(m));
	const struct cs_address asset = ledger_asset_of(&owner, cs_bytes_str("A"));
	const uint64_t what = sim_below(&m->sim->rng, 4);
	struct cs_buf buf;
	struct cs_abi abi;
	wish->to = ledger_contract_address(LEDGER_ASSETS_NUMBER);
	cs_buf_init(&buf, wish->input, sizeof wish->input);
	if (what == 3) {
		cs_abi_call(&abi, &buf, "create(string,string,uint8,address)");
		size_t name = cs_abi_slot(&abi), symbol = cs_abi_slot(&abi);
		cs_abi_put_u64(&abi, 2);
		cs_abi_put_address(&abi, &own);
		cs_abi_put_bytes(&abi, name, cs_bytes_str("A"));
		cs_abi_put_bytes(&abi, symbol, cs_bytes_str("A"));
	} else {
		cs_abi_call(&abi, &buf, signatures[what]);
		cs_abi_put_address(&abi, &asset);
		cs_abi_put_address(&abi, what == 1 ? &own : &other);
		cs_abi_put_u64(&abi, sim_below(&m->sim->rng, 1000));
	}
	wish->size = buf.n;
}

/* Any function of any contract, with words that are often something. */
static void wish_anything(struct making *m, struct wish *wish)
{
	const struct ledger_modules modules = ledger_modules();
	const struct ledger_contract *contract =
		modules.items[sim_below(&m->sim->rng, modules.count)].contract;
	const struct ledger_function *function =
		&contract->functions[sim_below(&m->sim->rng, contract->function_count)];
	const size_t words = function->words < 6 ? function->words : 6;
	wish->to = ledger_contract_address(contract->number);
	cs_put_be32(wish->input, function->selector);
	memset(wish->input + 4, 0, words * 32);
	for (size_t i = 0; i < words; i++) {
		uint8_t *word = wish->input + 4 + 32 * i;
		const struct cs_address user = sim_ledger_address(any_user(m));
		if (sim_chance(&m->sim->rng, 4000))
			put_address(word, &user);
		else
			word[31] = (uint8_t)sim_below(&m->sim->rng, 100);
	}
	wish->size = 4 + words * 32;
}

static void wish_transfer(struct making *m, struct wish *wish)
{
	wish->to = sim_ledger_address(any_user(m));
	/* Some have it not. */
	wish->value = sim_below(&m->sim->rng, SIM_FUNDS / 2);
}

/* ---- operators ---- */

/* May this key's power change? Where others lie the honest ones stay within a fifth of each other. */
static bool is_free(const struct sim *sim)
{
	for (unsigned i = 0; i < sim->nodes; i++) {
		if (sim->node[i].role != SIM_HONEST || sim->node[i].bad_disk)
			return false;
	}
	return true;
}

static uint64_t bonded_of(struct making *m, unsigned key)
{
	struct cs_hash word = {{0}};
	put_address(word.b, &m->sim->address[key]);
	const struct cs_bytes value =
		sim_ledger_ask(m->ledger, LEDGER_STAKING_NUMBER, "validatorOf(address)", &word, 1);
	return value.n < 96 ? 0 : cs_be64(value.p + 64 + 24);
}

/* What may be taken out or put in beside others who lie; anything where nobody does. */
static uint64_t any_amount(struct making *m, unsigned key, bool is_out)
{
	const uint64_t bonded = bonded_of(m, key);
	const bool may_go = m->sim->set_changes && m->sim->keys > 4 && key == m->sim->keys - 1;
	if (is_out && (is_free(m->sim) || may_go) && sim_chance(&m->sim->rng, 3000))
		return bonded;
	/* Who lies may have less. */
	if (is_free(m->sim) || (is_out && sim_is_guilty(m->sim, key)))
		return sim_below(&m->sim->rng, 1500);
	if (is_out)
		return bonded > SIM_BOND ? sim_below(&m->sim->rng, bonded - SIM_BOND + 1) : 0;
	return bonded < 1200 ? sim_below(&m->sim->rng, 1200 - bonded + 1) : 0;
}

static void wish_staking(struct making *m, struct wish *wish)
{
	static const char *const signatures[] = {"bond(address)", "unbond(address,uint256)",
						 "unjail(address)", "withdrawRewards(address)"};
	const unsigned key = (unsigned)sim_below(&m->sim->rng, m->sim->keys);
	const uint64_t what = sim_below(&m->sim->rng, CS_LEN(signatures));
	const bool is_other = sim_chance(&m->sim->rng, 500);
	struct cs_buf buf;
	struct cs_abi abi;
	wish->account = is_other ? any_user(m) : SIM_OPERATOR + key;
	wish->to = ledger_contract_address(LEDGER_STAKING_NUMBER);
	cs_buf_init(&buf, wish->input, sizeof wish->input);
	cs_abi_call(&abi, &buf, signatures[what]);
	cs_abi_put_address(&abi, &m->sim->address[key]);
	if (what == 0 && (is_free(m->sim) || !sim_is_guilty(m->sim, key)))
		wish->value = any_amount(m, key, false);
	if (what == 1)
		cs_abi_put_u64(&abi, any_amount(m, key, true));
	wish->size = buf.n;
}

/* ---- relayers ---- */

static void wish_relayed(struct making *m, struct wish *wish)
{
	const struct sim_pair *pair = m->sim->pair;
	/* One of the newest, or any. */
	const uint64_t back =
		1 + sim_below(&m->sim->rng, sim_chance(&m->sim->rng, 6000) ? 5 : SIM_POOL);
	const struct sim_relayed *item =
		&pair->pool[m->ledger->side]
			   [(pair->pool_next[m->ledger->side] + SIM_POOL - back) % SIM_POOL];
	if (item->size == 0) {
		wish_transfer(m, wish);
		return;
	}
	wish->account = item->account;
	wish->to = ledger_contract_address(LEDGER_GATEWAY_NUMBER);
	wish->gas = RELAY_GAS;
	memcpy(wish->input, item->bytes, item->size);
	wish->size = item->size;
}

/* Each side's block has no more than this. */
#define SENDS_MAX 12u

static void wish_send(struct making *m, struct wish *wish)
{
	if (m->sim->pair->flight_count + SENDS_MAX > SIM_FLIGHTS) {
		wish_relayed(m, wish);
		return;
	}
	wish->gas = RELAY_GAS;
	wish->size =
		sim_pair_send(m->sim, m->ledger->side, wish->input, sizeof wish->input, &wish->to);
}

/* ---- transactions ---- */

static void make_wish(struct making *m, struct wish *wish)
{
	const uint64_t what = sim_below(&m->sim->rng, 12);
	wish->account = any_user(m);
	wish->value = 0;
	wish->size = 0;
	wish->gas = sim_chance(&m->sim->rng, 500) ? 15000 : 200000;
	if (what < 1)
		wish_transfer(m, wish);
	else if (what < 2)
		wish_asset(m, wish);
	else if (what < 3)
		wish_anything(m, wish);
	else if (what < 5 && m->ledger->side == SIM_NEAR)
		wish_staking(m, wish);
	else if (what < 7)
		wish_send(m, wish);
	else
		wish_relayed(m, wish);
}

static struct cs_bytes sign(struct sim_ledger *l, struct cs_buf *out, unsigned account,
			    struct ledger_tx *tx)
{
	const struct cs_secret secret = sim_ledger_secret(account);
	const size_t begin = out->n;
	struct cs_ecdsa signature;
	tx->chain = l->chain;
	tx->sender = sim_ledger_address(account);
	ledger_tx_encode_body(out, tx);
	const struct cs_hash digest = ledger_tx_digest(cs_bytes(out->p + begin, out->n - begin));
	cs_assert(cs_ecdsa_sign(l->sig, &signature, &secret, &digest) == CS_OK);
	cs_put_u8(out, LEDGER_SECP256K1);
	cs_put(out, CS_BYTES_OF(signature.r.b));
	cs_put(out, CS_BYTES_OF(signature.s.b));
	cs_put_u8(out, signature.parity);
	cs_assert(cs_buf_end(out) == CS_OK);
	return cs_bytes(out->p + begin, out->n - begin);
}

struct cs_bytes sim_ledger_sign(struct sim_ledger *l, struct cs_buf *out, unsigned account,
				uint64_t sequence, const struct ledger_tx_call *calls, size_t count)
{
	static struct ledger_tx tx;
	memset(&tx, 0, sizeof tx);
	tx.sequence = sequence;
	tx.gas_limit = FOUND_GAS;
	tx.gas_price_low = 1;
	tx.call_count = count;
	memcpy(tx.calls, calls, count * sizeof *calls);
	return sign(l, out, account, &tx);
}

/* What cannot be done behind a call that can: all of the transaction is as if it had not been. */
static void add_failing(struct ledger_tx *tx)
{
	tx->calls[tx->call_count++] = (struct ledger_tx_call){
		.to = sim_ledger_address(0),
		.value = cs_u256_u64(2 * SIM_ACCOUNTS * (uint64_t)SIM_FUNDS)};
}

/* One in ten has another sequence, one in ten a second call, which fails. */
static struct cs_bytes make_tx(struct making *m, struct cs_buf *out)
{
	static struct ledger_tx tx;
	static struct wish wish;
	make_wish(m, &wish);
	memset(&tx, 0, sizeof tx);
	tx.call_count = 1;
	tx.calls[0] = (struct ledger_tx_call){.to = wish.to,
					      .value = cs_u256_u64(wish.value),
					      .input = cs_bytes(wish.input, wish.size)};
	if (sim_chance(&m->sim->rng, 1000))
		add_failing(&tx);
	tx.gas_limit = wish.gas;
	tx.gas_price_low = 1 + sim_below(&m->sim->rng, 3);
	tx.sequence = sim_ledger_sequence(m->ledger, wish.account) + m->used[wish.account]++ +
		      (sim_chance(&m->sim->rng, 1000) ? 1 : 0);
	return sign(m->ledger, out, wish.account, &tx);
}

size_t sim_ledger_txs(struct sim *sim, struct sim_ledger *ledger, struct cs_bytes *txs,
		      size_t count_max, struct cs_buf *out)
{
	struct making m = {.sim = sim, .ledger = ledger};
	const size_t count = (size_t)sim_below(&sim->rng, count_max + 1);
	if (sim_pair_found(sim, ledger, &txs[0], out))
		return 1;
	for (size_t i = 0; i < count; i++)
		txs[i] = make_tx(&m, out);
	return count;
}
