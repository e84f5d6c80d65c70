/* Until when the ledger's register of enclaves (contract 4) lets the keys of an identity count, by what its views
 * answer (calls.h). Pure; who asks is registered_watch.h. */
#ifndef RELAY_STATE_CLIENT_REGISTERED_H
#define RELAY_STATE_CLIENT_REGISTERED_H

#include "relay_state/client/calls.h"

/* Of an identity two keys are looked at: the one that counts, and its successor. */
#define LEDGER_REGISTERED_KEYS 2u

/* Names are in status and documentation. */
enum ledger_standing {
	LEDGER_STANDING_UNKNOWN, /* no node has told it yet */
	LEDGER_STANDING_ACTIVE,
	LEDGER_STANDING_NOT_REGISTERED,
	LEDGER_STANDING_NOT_YET, /* it counts later: the owner's delay, the delay of a rotation */
	LEDGER_STANDING_STOPPED, /* suspended or revoked, or the manifest is not the one that counts */
	LEDGER_STANDING_EXPIRED,
};
const char *ledger_standing_name(enum ledger_standing standing);

/* A key as the register has it; `holder.enclave` zero: it has not, and the rest is zero. */
struct ledger_registered_key {
	struct wire_key key;
	struct ledger_holder holder;
	struct ledger_enclave enclave;
};

struct ledger_registered {
	enum ledger_standing standing;
	/* When the last of its keys that count, or are to count without a gap, ends unless the enclave is
	 * registered again; or has ended. 0: it was never registered. */
	uint64_t expires_s;
	struct cs_hash enclave; /* what a renewal names; zero: none */
	uint8_t evidence_kind;  /* 0: by the administrators' word */
};

/* Of keys with the newest epoch first, at the ledger's time. At the second of an end it has ended. */
struct ledger_registered
ledger_registered_judge(const struct ledger_registered_key keys[LEDGER_REGISTERED_KEYS],
			uint64_t now_s);

/* It counts, and ends within LEDGER_REGISTERED_SOON_S: time to register it again. */
#define LEDGER_REGISTERED_SOON_S (7u * 86400)
bool ledger_registered_ends_soon(const struct ledger_registered *now, uint64_t now_s);

#define LEDGER_REGISTERED_LOOK_MS 60000u
/* How long until the next look: a minute, sooner where it ends or is not as it should be. */
uint64_t ledger_registered_pause_ms(const struct ledger_registered *now, uint64_t now_s);

#endif
