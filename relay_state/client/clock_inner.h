/* What the files of clock.h share: one object, its rounds in clock.c, the anchor in clock_anchor.c.
 * Private to them. */
#ifndef RELAY_STATE_CLIENT_CLOCK_INNER_H
#define RELAY_STATE_CLIENT_CLOCK_INNER_H

#include "relay_state/client/clock.h"

#define CLOCK_WHY_MAX 200u
/* anchor(bytes32,uint64,uint64,bytes32,bytes32,bytes32) */
#define CLOCK_CALLDATA_SIZE (4u + 6u * 32u)

struct clock_request {
	struct clock_request *next;
	enum wire_type type;
	struct cs_bytes body; /* heap */
	struct cs_hash hash;
	host_enclave_done *done;
	void *ctx;
	bool in_round;
};

/* One nonce. It ends when its round has and no node is asked any more. */
struct clock_round {
	struct ledger_clock *clock; /* NULL: the round is over */
	size_t count;
	bool all;  /* nobody answers any more */
	bool sent; /* what came is with the enclave */
	struct cs_hash nonce;
	struct ledger_client_time_answer answers[LEDGER_CLIENT_NODES_MAX];
};

struct ledger_clock {
	struct ledger_clock_config config;
	struct host_timer *timer;
	struct clock_request *first;
	struct clock_request **last;
	struct clock_round *round; /* the open one */
	bool asking;               /* from the question on, before there is a nonce too */
	uint64_t pause_ms;
	uint64_t answered_ms;
	/* the ledger's light client in the enclave */
	bool created;
	uint64_t final_height;
	uint64_t wanted_height; /* one that is needed in between; 0: the newest */
	uint64_t target_height; /* of the block that the enclave is shown */
	bool looking;
	uint64_t look_ms; /* not before it */
	/* the anchor */
	bool known; /* state is the enclave's own word of this session */
	bool was_proven;
	enum ledger_anchor_state state;
	uint64_t epoch;
	uint64_t proven_epoch;
	uint64_t proven_counter;
	struct cs_bytes key; /* heap */
	uint64_t proof_ms;
	uint64_t proof_height; /* of the newest that the enclave took */
	uint64_t asked_height; /* of the one that it is shown */
	bool has_stored;
	struct cs_hash stored;
	uint64_t stored_counter;
	bool signing;
	bool writing;
	bool waiting; /* calldata is to be sent */
	uint8_t calldata[CLOCK_CALLDATA_SIZE];
	struct cs_bytes announcement; /* heap: calldata for the register; none */
	uint64_t anchor_ms;
	char why[CLOCK_WHY_MAX + 1]; /* no time, or no anchor */
	bool no_time;
};

/* ---- clock.c ---- */
const struct ledger_clock_ops *clock_ops(const struct ledger_clock *clock);
bool clock_is_ready(const struct ledger_clock *clock);
/* Why nothing is signed, once in the log; and that it is over. */
void clock_say(struct ledger_clock *clock, bool no_time, enum cs_err err, const char *why);
void clock_be_fine(struct ledger_clock *clock);
/* Encodes, and sends to the enclave. */
CS_NODISCARD enum cs_err clock_send(struct ledger_clock *clock, enum wire_type type,
				    const ProtobufCMessage *message, host_enclave_done *done,
				    void *ctx);

/* ---- clock_anchor.c ---- */
void clock_take_anchor(struct ledger_clock *clock, const Caisson__Wire__AnchorStatus *anchor);
/* Looks at the anchor, or makes a new one, where it is time. */
void clock_anchor_turn(struct ledger_clock *clock);
void clock_forget_announcement(struct ledger_clock *clock);

#endif
