/* Opens the adapter that the driver's settings name: an EVM chain's, or a ledger's. */
#ifndef TESTS_ADAPTERS_DRIVER_OPEN_H
#define TESTS_ADAPTERS_DRIVER_OPEN_H

#include "adapters/adapter.h"

#include <jansson.h>

struct host_loop;

/* With "caip2" it is a ledger. */
CS_NODISCARD enum cs_err driver_open(struct adapter **adapter, struct host_loop *loop,
				     const json_t *settings,
				     const struct adapter_listener *listener, struct cs_why *why);

#endif
