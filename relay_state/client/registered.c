#include "relay_state/client/registered.h"

/* While something is wrong somebody may be mending it. */
#define LOOK_WRONG_MS 10000u

const char *ledger_standing_name(enum ledger_standing standing)
{
	static const char *const names[] = {[LEDGER_STANDING_UNKNOWN] = "unknown",
					    [LEDGER_STANDING_ACTIVE] = "active",
					    [LEDGER_STANDING_NOT_REGISTERED] = "not_registered",
					    [LEDGER_STANDING_NOT_YET] = "not_yet",
					    [LEDGER_STANDING_STOPPED] = "stopped",
					    [LEDGER_STANDING_EXPIRED] = "expired"};
	return names[standing];
}

static uint64_t end_of(const struct ledger_registered_key *k)
{
	const uint64_t last_s = k->key.not_after_s;
	return last_s != 0 && last_s < k->enclave.expires_s ? last_s : k->enclave.expires_s;
}

static enum ledger_standing standing_of(const struct ledger_registered_key *k, uint64_t now_s)
{
	if (cs_hash_is_zero(&k->holder.enclave))
		return LEDGER_STANDING_NOT_REGISTERED;
	if (k->key.state != WIRE_KEY_ACTIVE || k->enclave.state != LEDGER_ENCLAVE_ACTIVE)
		return LEDGER_STANDING_STOPPED;
	if (now_s >= end_of(k))
		return LEDGER_STANDING_EXPIRED;
	if (now_s < k->key.not_before_s)
		return LEDGER_STANDING_NOT_YET;
	return k->holder.active ? LEDGER_STANDING_ACTIVE : LEDGER_STANDING_STOPPED;
}

/* One that counts, one that will, and else the newest says why none does. */
static const struct ledger_registered_key *
best_of(const struct ledger_registered_key keys[LEDGER_REGISTERED_KEYS], uint64_t now_s)
{
	static const enum ledger_standing good[] = {LEDGER_STANDING_ACTIVE,
						    LEDGER_STANDING_NOT_YET};
	for (size_t i = 0; i < CS_LEN(good); i++)
		for (size_t k = 0; k < LEDGER_REGISTERED_KEYS; k++)
			if (standing_of(&keys[k], now_s) == good[i])
				return &keys[k];
	for (size_t k = 0; k < LEDGER_REGISTERED_KEYS; k++)
		if (standing_of(&keys[k], now_s) != LEDGER_STANDING_NOT_REGISTERED)
			return &keys[k];
	return &keys[0];
}

struct ledger_registered
ledger_registered_judge(const struct ledger_registered_key keys[LEDGER_REGISTERED_KEYS],
			uint64_t now_s)
{
	const struct ledger_registered_key *best = best_of(keys, now_s);
	struct ledger_registered told = {.standing = standing_of(best, now_s),
					 .enclave = best->holder.enclave,
					 .evidence_kind = best->enclave.evidence_kind};
	if (told.standing == LEDGER_STANDING_NOT_REGISTERED)
		return told;
	told.expires_s = end_of(best);
	for (size_t k = 0; told.standing == LEDGER_STANDING_ACTIVE && k < LEDGER_REGISTERED_KEYS;
	     k++)
		if (standing_of(&keys[k], now_s) == LEDGER_STANDING_NOT_YET &&
		    keys[k].key.not_before_s <= told.expires_s && end_of(&keys[k]) > told.expires_s)
			told.expires_s = end_of(&keys[k]);
	return told;
}

bool ledger_registered_ends_soon(const struct ledger_registered *now, uint64_t now_s)
{
	return now->standing == LEDGER_STANDING_ACTIVE &&
	       now->expires_s - now_s < LEDGER_REGISTERED_SOON_S;
}

uint64_t ledger_registered_pause_ms(const struct ledger_registered *now, uint64_t now_s)
{
	if (now->standing != LEDGER_STANDING_ACTIVE)
		return LOOK_WRONG_MS;
	const uint64_t left_s = now->expires_s - now_s;
	return left_s < LEDGER_REGISTERED_LOOK_MS / 1000 ? (left_s + 1) * 1000
							 : LEDGER_REGISTERED_LOOK_MS;
}
