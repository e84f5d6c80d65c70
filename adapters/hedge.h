/* When a read that is late is asked of another endpoint too (hedged requests: Dean and Barroso, "The
 * Tail at Scale", CACM 56(2), 2013), and how often that may be. A budget keeps a chain that is slow
 * as a whole from being asked twice as much. Sends nothing and has no clock. */
#ifndef ADAPTERS_HEDGE_H
#define ADAPTERS_HEDGE_H

#include "adapters/health.h"

/* Hedges in a row that the budget allows after a quiet time, and at the start. */
#define ADAPTER_HEDGE_BURST 10
#define ADAPTER_HEDGE_PERCENT_MAX 100

/* percent 0: no hedges. */
struct adapter_hedge_config {
	unsigned percent;      /* hedges of a hundred reads */
	unsigned delay_min_ms; /* not sooner, however fast the endpoint usually is */
	unsigned delay_max_ms; /* not later, however slow; and while nothing is known of it */
};

struct adapter_hedge {
	struct adapter_hedge_config config;
	unsigned credit; /* in hundredths of a hedge */
};

/* With a full budget. */
void adapter_hedge_init(struct adapter_hedge *hedge, const struct adapter_hedge_config *config);
/* How long a read may take there: within what 95 of its newest hundred answers came. */
unsigned adapter_hedge_delay_ms(const struct adapter_hedge *hedge,
				const struct adapter_health *health);
/* A read was sent. */
void adapter_hedge_earn(struct adapter_hedge *hedge);
/* Pays for a hedge; false: the budget is spent. */
bool adapter_hedge_pay(struct adapter_hedge *hedge);

#endif
