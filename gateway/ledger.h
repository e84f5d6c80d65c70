/* What a gateway does with its bridge's ledger: leases of its routes, and records of what became of
 * messages. It decides nothing about a message: without the ledger everything is relayed as with it.
 * Private to gateway/ledger*.c. */
#ifndef GATEWAY_LEDGER_H
#define GATEWAY_LEDGER_H

#include "gateway/gateway.h"
#include "gateway/journal_ledger.h"
#include "relay_state/client/registered_watch.h"
#include "relay_state/client/service.h"

/* Values are in the journal: only append. */
enum ledger_kind {
	LEDGER_KIND_LEASES = 1,
	LEDGER_KIND_RECORDS = 2,
	LEDGER_KIND_ANCHOR = 3,
	LEDGER_KIND_ROTATION = 4,
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

struct gateway_ledger {
	struct gateway *gateway;
	struct ledger_service service;
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
	uint64_t recorded; /* since the start */
	uint64_t passed;
	struct ledger_registered_watch *watch; /* NULL: nothing is looked at yet */
};

/* ---- ledger.c ---- */
/* It reverted because our account is no gateway there. */
bool ledger_is_stranger(const struct ledger_report *report);
/* Inside a writer: the transaction is over, and where it is. */
CS_NODISCARD enum cs_err ledger_write_over(struct gateway_ledger *ledger,
					   const struct ledger_report *report);
/* False: the process ends. */
bool ledger_write(struct gateway_ledger *ledger, host_store_writer *write, void *context);

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

/* ---- ledger_registered.c ---- */
/* With the service's client. */
void ledger_registered_start(struct gateway_ledger *ledger);

/* ---- ledger_records.c ---- */
/* Makes and sends the next batch, or forgets what others recorded; false: there is nothing to do. */
bool ledger_records_next(struct gateway_ledger *ledger);
void ledger_records_ended(struct gateway_ledger *ledger, const struct ledger_report *report);

#endif
