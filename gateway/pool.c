/* Which gas account of a chain pays for a call: the enclave has several, each with its own order of
 * nonces, so that one that is empty, or waits for a block, holds up nobody else. */
#include "gateway/gateway.h"

#include <limits.h>
#include <stdio.h>

/* Calls that an account should pay for beside those under way in it: a node wants the whole gas limit at
 * the highest price offered, several times what a call costs in the end. */
#define CALLS_SPARE 8u
/* A node that is behind may be wrong about an account: it is tried again after so long. */
#define OUT_MS 60000u

enum rank { RANK_FINE, RANK_UNKNOWN, RANK_HELD, RANK_POOR, RANK_COUNT };

static unsigned load_of(const struct gateway_account *account)
{
	return account->open + account->promised;
}

static bool is_poor(const struct gateway_account *account, uint64_t cost, uint64_t now_ms)
{
	struct cs_u256 price = cs_u256_u64(cost);
	struct cs_u256 calls = cs_u256_u64(CALLS_SPARE * (load_of(account) + 1u));
	struct cs_u256 need;
	if (account->is_out && now_ms - account->out_ms < OUT_MS)
		return true;
	if (!account->is_known)
		return false;
	return cs_u256_is_zero(&account->balance) || (cs_u256_mul(&need, &price, &calls) == CS_OK &&
						      cs_u256_cmp(&account->balance, &need) < 0);
}

static enum rank rank_of(const struct gateway_account *account, uint64_t cost, uint64_t hold_ms,
			 uint64_t now_ms)
{
	if (is_poor(account, cost, now_ms))
		return RANK_POOR;
	if (account->open > 0 && now_ms - account->moved_ms > hold_ms)
		return RANK_HELD;
	return account->is_known ? RANK_FINE : RANK_UNKNOWN;
}

/* A new account has made no call yet: the others' price is its own. */
static uint64_t dearest_call(const struct gateway_account *accounts, size_t count)
{
	uint64_t cost = 0;
	for (size_t i = 0; i < count; i++)
		if (accounts[i].call_cost > cost)
			cost = accounts[i].call_cost;
	return cost;
}

size_t gateway_pool_choose(const struct gateway_account *accounts, size_t count, size_t last,
			   unsigned in_flight_max, uint64_t hold_ms, uint64_t now_ms)
{
	const uint64_t cost = dearest_call(accounts, count);
	size_t best = GATEWAY_POOL_NONE;
	enum rank best_rank = RANK_COUNT;
	for (size_t i = 1; i <= count; i++) {
		const size_t at = (last + i) % count;
		if (!accounts[at].is_there)
			continue;
		enum rank rank = rank_of(&accounts[at], cost, hold_ms, now_ms);
		if (rank < best_rank ||
		    (rank == best_rank && load_of(&accounts[at]) < load_of(&accounts[best]))) {
			best = at;
			best_rank = rank;
		}
	}
	return best != GATEWAY_POOL_NONE && load_of(&accounts[best]) < in_flight_max
		       ? best
		       : GATEWAY_POOL_NONE;
}

static uint64_t hold_ms(const struct gateway_chain *chain)
{
	return (uint64_t)chain->config->replace_blocks * chain->config->block_time_ms;
}

size_t gateway_pool_now(const struct gateway_chain *chain, enum gateway_lane lane)
{
	unsigned most = chain->config->in_flight_max;
	return gateway_pool_choose(chain->accounts, chain->own->gas_accounts, chain->gas_last,
				   lane == GATEWAY_LANE_OLD ? most - most / 2 : most,
				   hold_ms(chain), host_now_ms());
}

const struct cs_address *gateway_pool_take(struct gateway_chain *chain)
{
	/* A batch may have more parts than there is room for: they are made all the same. */
	size_t index =
		gateway_pool_choose(chain->accounts, chain->own->gas_accounts, chain->gas_last,
				    UINT_MAX, hold_ms(chain), host_now_ms());
	if (index == GATEWAY_POOL_NONE)
		index = 0;
	chain->gas_last = index;
	chain->accounts[index].promised++;
	return &chain->accounts[index].address;
}

size_t gateway_pool_index(const struct gateway_chain *chain, const struct cs_address *address)
{
	for (size_t i = 0; i < GATEWAY_GAS_ACCOUNTS_MAX; i++)
		if (chain->accounts[i].is_there &&
		    cs_address_eq(&chain->accounts[i].address, address))
			return i;
	return GATEWAY_POOL_NONE;
}

bool gateway_pool_has_better(const struct gateway_chain *chain,
			     const struct gateway_account *account)
{
	const size_t count = chain->own->gas_accounts;
	const uint64_t cost = dearest_call(chain->accounts, count);
	for (size_t i = 0; i < count; i++)
		if (&chain->accounts[i] != account && chain->accounts[i].is_there &&
		    !is_poor(&chain->accounts[i], cost, host_now_ms()))
			return true;
	return false;
}

bool gateway_pool_is_out(const struct gateway_chain *chain)
{
	bool tried = false;
	for (size_t i = 0; i < chain->own->gas_accounts; i++) {
		const struct gateway_account *account = &chain->accounts[i];
		if (!account->is_out && !(account->is_known && cs_u256_is_zero(&account->balance)))
			return false;
		tried = tried || account->is_out;
	}
	return tried;
}

const char *gateway_pool_trouble(const struct gateway_chain *chain)
{
	if (!gateway_pool_is_out(chain))
		return NULL;
	return chain->own->gas_accounts == 1 ? "the gas account cannot pay"
					     : "no gas account can pay";
}

const char *gateway_no_funds_why(const struct gateway_chain *chain, size_t index,
				 const char *trouble, char *text, size_t size)
{
	char address[2 * sizeof(struct cs_address) + 1];
	cs_hex(address, CS_BYTES_OF(chain->accounts[index].address.b));
	(void)snprintf(text, size, "%s: %s, send money to 0x%s on %s", cs_err_name(CS_ERR_NO_FUNDS),
		       trouble, address, chain->config->id);
	return text;
}

const char *gateway_unpaid_why(struct gateway *gateway, const struct gateway_message *message,
			       char *text, size_t size)
{
	const struct gateway_chain *chain = gateway_chain_of(gateway, &message->chain);
	const char *trouble =
		chain && gateway_wants_pay(message) ? gateway_pool_trouble(chain) : NULL;
	return trouble ? gateway_no_funds_why(chain, 0, trouble, text, size) : NULL;
}

unsigned gateway_open_transactions(const struct gateway_chain *chain)
{
	unsigned count = chain->open_elsewhere;
	for (size_t i = 0; i < GATEWAY_ACCOUNT_COUNT; i++)
		count += chain->accounts[i].open;
	return count;
}
