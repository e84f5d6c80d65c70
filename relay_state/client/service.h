/* What a gateway and an oracle have in common in writing to their bridge's ledger: the client, the
 * account's writer, one thing at a time, pauses after failures, and words for why nothing is written.
 * What is written, and the journal that it is written down in, are the owner's. Nothing here ever
 * holds up the owner's own work: without the ledger it goes on, and says so. */
#ifndef RELAY_STATE_CLIENT_SERVICE_H
#define RELAY_STATE_CLIENT_SERVICE_H

#include "host/metrics.h"
#include "host/service_config.h"
#include "relay_state/client/writer.h"

#include <jansson.h>

#define LEDGER_WHY_MAX 200u

/* Names are in status, log and documentation. */
enum ledger_trouble {
	LEDGER_STARTING,
	LEDGER_FINE,
	LEDGER_NO_NODE,        /* no node answers, or none that makes sense */
	LEDGER_NOT_REGISTERED, /* the account or the key has no right there */
	LEDGER_NO_FUNDS,
	LEDGER_TOO_DEAR, /* the chain's least gas price is above the configured one */
	LEDGER_REFUSED,  /* calls revert */
};

struct ledger_service_ops {
	/* Begins the next thing, with ledger_writer_send or a question (`asking`); false: there is
	 * nothing to do. Called when nothing is under way. */
	bool (*work)(void *ctx);
	/* The process ends: the same of what is given back; false: all of it is. NULL: nothing is. */
	bool (*release)(void *ctx);
	/* At the start: ledger_writer_resume with what is in flight, or NOT_FOUND. */
	enum cs_err (*resume)(void *ctx, struct ledger_writer *writer);
	/* struct ledger_writer_ops; committed with ledger_service_committed and the service. */
	enum cs_err (*keep)(void *ctx, const struct ledger_sent *sent);
	/* Before anything else follows from it. */
	void (*ended)(void *ctx, const struct ledger_report *report);
	/* Is it that the account or the key has no right? Of REVERTED. */
	bool (*is_stranger)(const struct ledger_report *report);
	/* The journal cannot be read or written: the process ends. */
	void (*fail)(void *ctx, enum cs_err err, const char *what);
};

struct ledger_figures {
	uint64_t transactions;
	uint64_t reverted;
	uint64_t gas_used;
};

/* The first part is the owner's to fill in, the rest zero. */
struct ledger_service {
	const struct ledger_service_ops *ops;
	void *ctx;
	struct host_loop *loop;
	const struct host_ledger_config *config;
	const struct host_service *pauses;
	const struct cs_sig *sig;
	bool asking; /* a question of the owner's is open */
	/* ---- for reading alone ---- */
	struct ledger_client *client;
	struct ledger_writer *writer;
	enum ledger_trouble trouble;
	char why[LEDGER_WHY_MAX + 1];
	char waits[LEDGER_WHY_MAX + 1]; /* of a transaction that is sent; "": nothing */
	bool releasing;
	struct ledger_figures figures;
	/* ---- its own ---- */
	struct cs_secret *key;
	struct host_timer *timer;
	uint64_t started_ms;
	uint64_t drain_ms;
	uint64_t pause_ms;
	uint32_t tries;
	bool resumed;
	bool holding;
};

/* With its why: the key's file, the configuration. ledger_service_stop after a failure too. */
CS_NODISCARD enum cs_err ledger_service_start(struct ledger_service *service, struct cs_why *why);
void ledger_service_stop(struct ledger_service *service);
/* The loop is held until `release` has nothing more, for a few seconds at most. */
void ledger_service_drain(struct ledger_service *service);
/* Looks for work in a later turn. */
void ledger_service_kick(struct ledger_service *service);
/* The commit of what `keep` wrote; context: the service. */
void ledger_service_committed(void *context, enum cs_err err);

void ledger_service_set_trouble(struct ledger_service *service, enum ledger_trouble trouble,
				const char *why);
/* Nothing more for a while, longer each time; and no longer. */
void ledger_service_pause(struct ledger_service *service);
void ledger_service_unpause(struct ledger_service *service);
/* A question that was not answered, or not well. */
void ledger_service_no_answer(struct ledger_service *service, enum cs_err err, const char *why);

#define LEDGER_ADDRESS_TEXT 43u
const char *ledger_address(char text[LEDGER_ADDRESS_TEXT], const struct cs_address *address);
/* What it reverted with is this error of Solidity, "NotGateway()". */
bool ledger_reverts_with(const struct ledger_report *report, const char *error);

/* An object for status, to which the owner adds; the gauges and counters that both have. */
json_t *ledger_service_json(const struct ledger_service *service, uint64_t backlog);
void ledger_service_collect(const struct ledger_service *service, struct host_metrics *metrics,
			    uint64_t backlog);
void ledger_gauge(struct host_metrics *metrics, const char *name, const char *help, double value);
void ledger_count(struct host_metrics *metrics, const char *name, const char *help, uint64_t value);

#endif
