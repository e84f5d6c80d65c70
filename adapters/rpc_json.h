/* JSON as a node sends it: bounded before jansson sees it, so that an answer of nothing but brackets
 * costs little. What the values mean is the chain's. */
#ifndef ADAPTERS_RPC_JSON_H
#define ADAPTERS_RPC_JSON_H

#include "core/bytes.h"

#include <jansson.h>

/* Nesting that an answer of a node can need is about 6. */
#define ADAPTER_JSON_DEPTH_MAX 32
/* Values in an answer: 10,000 logs have 150,000. jansson takes about 100 bytes for each, so that an
 * answer of nothing but brackets cannot take all memory. */
#define ADAPTER_JSON_VALUES_MAX (1u << 20)

/* Whole text, one value, no duplicate keys, bounded depth and count. NULL: not JSON. */
json_t *adapter_json_parse(struct cs_bytes text);

#endif
