/* When what failed is tried again: pauses that grow to a bound, and what ends them early. It never
 * decides what is tried. */
#ifndef GATEWAY_POSTPONE_H
#define GATEWAY_POSTPONE_H

#include "gateway/gateway.h"

/* Between half of it and all of it, so that what was away together does not come back together. */
uint64_t gateway_pause_drawn(uint64_t pause_ms);

/* A chain's rows are tried at once, whose pauses no try of their own brought: after something that
 * they may have waited for has come back. A bounded number a turn; the same chain anew begins again. */
void gateway_hurry(struct gateway_chain *chain);
/* Of all chains: looks whether something came back, and goes on with what was begun. */
void gateway_hurry_tick(struct gateway *gateway);
/* The next of it. False: nothing is left. */
bool gateway_hurry_step(struct gateway_chain *chain);

#endif
