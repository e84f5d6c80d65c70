/* CometBFT's query language (libs/pubsub/query/syntax): conditions on events joined by AND, for
 * subscriptions and searches. Numbers are whole; dates and times are not served. */
#ifndef NODE_RPC_QUERY_H
#define NODE_RPC_QUERY_H

#include "relay_state/node/text.h"

#define RPC_QUERY_SIZE_MAX 512u
#define RPC_CONDITIONS_MAX 8u

enum rpc_operator {
	RPC_EQUAL = 1,
	RPC_LESS,
	RPC_LESS_EQUAL,
	RPC_GREATER,
	RPC_GREATER_EQUAL,
	RPC_CONTAINS,
	RPC_EXISTS,
};

struct rpc_condition {
	const char *key; /* "tm.event", "type.attribute" */
	enum rpc_operator op;
	const char *value; /* without quotes; NULL of RPC_EXISTS */
	bool is_number;
	int64_t number;
};

struct rpc_query {
	char text[RPC_QUERY_SIZE_MAX + 1];     /* as it was given */
	char copy[2 * RPC_QUERY_SIZE_MAX + 2]; /* what the conditions point into */
	size_t count;
	struct rpc_condition conditions[RPC_CONDITIONS_MAX];
};

/* TOO_LARGE: longer than RPC_QUERY_SIZE_MAX or more conditions; MALFORMED. Points into itself: not
 * to be copied. */
CS_NODISCARD enum cs_err rpc_query_parse(struct rpc_query *query, const char *text);
/* events: an object of lists of texts by key. */
bool rpc_query_matches(const struct rpc_query *query, const json_t *events);
/* Whether an event of this kind ("NewBlock", "Tx") can match at all, whatever else it says. */
bool rpc_query_admits(const struct rpc_query *query, const char *kind);

#endif
