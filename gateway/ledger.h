/* What a gateway does with its bridge's ledger: leases of its routes, and records of what became of
 * messages. It decides nothing about a message: without the ledger everything is relayed as with it.
 * Private to gateway/ledger*.c. */
#ifndef GATEWAY_LEDGER_H
#define GATEWAY_LEDGER_H

#include "gateway/gateway.h"
#include "gateway/journal_ledger.h"
#include "relay_state/client/writer.h"

/* Values are in the journal: only append. */
enum ledger_kind {
	LEDGER_KIND_LEASES = 1,
	LEDGER_KIND_RECORDS = 2,
	LEDGER_KIND_ANCHOR = 3,
};

enum ledger_wish { LEDGER_WISH_NOTHING, LEDGER_WISH_TAKE, LEDGER_WISH_RENEW };

/* One side of one route, as it was looked at last. */
struct gateway_lease {
	struct gateway_route *route;
	struct ledger_route key;
	bool known;
	bool registered; /* our account may record and take leases there */
	bool ours;
	enum ledger_wish wish;
	struct ledger_lease last;
	uint64_t until_ms; /* by our clock, of whoever holds it; 0: nobody */
	uint64_t swept;    /* row up to which what another one recorded was forgotten */
	uint64_t sweep_ms;
};

/* Why nothing is written; names are in status, log and documentation. */
enum ledger_trouble {
	LEDGER_STARTING,
	LEDGER_FINE,
	LEDGER_NO_NODE,
	LEDGER_NOT_REGISTERED,
	LEDGER_NO_FUNDS,
	LEDGER_TOO_DEAR,
	LEDGER_REFUSED,
};

struct ledger_figures {
	uint64_t transactions;
	uint64_t records;
	uint64_t passed;
	uint64_t reverted;
	uint64_t gas_used;
};

struct gateway_ledger {
	struct gateway *gateway;
	struct ledger_client *client;
	struct ledger_writer *writer;
	struct cs_secret *key;
	struct host_timer *timer;
	enum ledger_trouble trouble;
	char why[GATEWAY_WHY_MAX + 1];
	char waits[GATEWAY_WHY_MAX + 1]; /* of a transaction that is sent */
	bool resumed;
	bool asking;
	bool releasing; /* the process ends */
	bool holding;   /* the loop waits for that */
	uint64_t drain_ms;
	uint64_t pause_ms; /* nothing before it */
	uint32_t tries;
	struct gateway_lease *leases;
	size_t lease_count;
	size_t look_at;
	uint64_t look_ms;
	uint64_t time_s; /* of the chain, at the last look */
	size_t record_at;
	/* the batch that is made, or in flight */
	size_t batch_max;
	uint32_t reverts; /* in a row */
	struct gateway_lease *lease;
	bool sweeping;
	size_t count;
	size_t group_count;
	size_t record_count;
	struct ledger_move moves[LEDGER_PLAN_MOVES_MAX];
	uint64_t messages[LEDGER_PLAN_MOVES_MAX];
	size_t first[LEDGER_PLAN_MOVES_MAX];
	struct ledger_history histories[LEDGER_PLAN_MOVES_MAX];
	struct ledger_record records[LEDGER_PLAN_MOVES_MAX];
	struct ledger_figures figures;
};

/* ---- ledger.c ---- */
#define LEDGER_ADDRESS_TEXT 43u
const char *ledger_address(char text[LEDGER_ADDRESS_TEXT], const struct cs_address *address);
/* It reverted because our account is no gateway there. */
bool ledger_is_stranger(const struct ledger_report *report);
void ledger_set_trouble(struct gateway_ledger *ledger, enum ledger_trouble trouble,
			const char *why);
/* Nothing more for a while, longer each time. */
void ledger_pause(struct gateway_ledger *ledger);
/* An answer did not come, or was none: that, and what people see of it. */
void ledger_no_answer(struct gateway_ledger *ledger, enum cs_err err, const char *why);
const char *ledger_trouble_name(enum ledger_trouble trouble);
/* False: the process ends. */
bool ledger_write(struct gateway_ledger *ledger, host_store_writer *write, void *context);
/* In a later turn. */
void ledger_kick(struct gateway_ledger *ledger);

/* ---- ledger_lease.c ---- */
void ledger_leases_make(struct gateway_ledger *ledger);
/* Asks for the next of them; false: it was not due. */
bool ledger_leases_look(struct gateway_ledger *ledger);
void ledger_leases_look_now(struct gateway_ledger *ledger);
/* Sends what is wished for; false: nothing is. */
bool ledger_leases_send(struct gateway_ledger *ledger);
bool ledger_leases_release(struct gateway_ledger *ledger);
bool ledger_lease_is_held(const struct gateway_lease *lease);

/* ---- clock.c ---- */
/* Sends the enclave's anchor; false: there is none to send. */
bool ledger_anchor_send(struct gateway_ledger *ledger);
void ledger_anchor_ended(struct gateway_ledger *ledger, const struct ledger_report *report);

/* ---- ledger_records.c ---- */
/* Makes and sends the next batch, or forgets what others recorded; false: there is nothing to do. */
bool ledger_records_next(struct gateway_ledger *ledger);
void ledger_records_ended(struct gateway_ledger *ledger, const struct ledger_report *report);

#endif
