/* CometBFT's query language (libs/pubsub/query, syntax/doc.go): conditions on events joined by AND,
 * for subscriptions and searches. Knows no index and no event but what it is given. */
#ifndef NODE_RPC_QUERY_H
#define NODE_RPC_QUERY_H

#include "host/cometbft_text.h"

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

enum rpc_operand {
	RPC_NOTHING = 0, /* of RPC_EXISTS */
	RPC_TEXT,        /* 'in quotes' */
	RPC_NUMBER,      /* 10, 3.25 */
	RPC_DATE,        /* DATE 2006-01-02 */
	RPC_TIME,        /* TIME 2006-01-02T15:04:05+07:00 */
};

struct rpc_condition {
	const char *key; /* "tm.event", "type.attribute", or a type alone */
	enum rpc_operator op;
	enum rpc_operand operand;
	const char *value; /* without quotes and DATE or TIME; "" of RPC_NOTHING */
	struct cs_pb_time time;
};

struct rpc_query {
	char text[RPC_QUERY_SIZE_MAX + 1]; /* as it was given */
	/* One space between all words: two texts of one query are the same here. */
	char normal[2 * RPC_QUERY_SIZE_MAX + 2];
	char copy[2 * RPC_QUERY_SIZE_MAX + 2]; /* what the conditions point into */
	size_t count;
	struct rpc_condition conditions[RPC_CONDITIONS_MAX];
};

/* TOO_LARGE: longer than RPC_QUERY_SIZE_MAX or more conditions; MALFORMED, with the place and what
 * was wanted there. Points into itself: not to be copied. */
CS_NODISCARD enum cs_err rpc_query_parse(struct rpc_query *query, const char *text,
					 struct cs_why *why);
/* events: an object of lists of texts by key. */
bool rpc_query_matches(const struct rpc_query *query, json_t *events);
/* Whether an event of this kind ("NewBlock", "Tx") can match at all, whatever else it says. */
bool rpc_query_admits(const struct rpc_query *query, const char *kind);
/* One value of the condition's key. A number in it is what it begins with: "8atom" is 8. */
bool rpc_condition_holds(const struct rpc_condition *condition, struct cs_bytes value);
/* The whole number of an RPC_NUMBER; OVERFLOW above 2^63 - 1, INVALID with a part after the point. */
CS_NODISCARD enum cs_err rpc_condition_number(const struct rpc_condition *condition,
					      int64_t *number);

#endif
