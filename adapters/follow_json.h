/* A followed chain and its endpoints as JSON, as gateway and oracle tell them (docs/rest.md). */
#ifndef ADAPTERS_FOLLOW_JSON_H
#define ADAPTERS_FOLLOW_JSON_H

#include "adapters/follow.h"

#include <jansson.h>

/* A new reference: names, heights, times, flags and endpoints; what `frozen` says, and everything
 * that the process itself knows of the chain, is the caller's to add. */
json_t *adapter_follow_json(const struct adapter_follow *follow);

#endif
