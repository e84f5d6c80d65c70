#include "relay_state/node/rpc_query.h"

#include <stdio.h>
#include <string.h>

static bool is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '.' || c == '_' || c == '-' || c == '/' || c == ':';
}

static void skip(const char **p)
{
	while (**p == ' ' || **p == '\t')
		(*p)++;
}

/* Copies n characters and an end into the query's memory. */
static const char *keep(struct rpc_query *q, size_t *used, const char *p, size_t n)
{
	char *to = q->copy + *used;
	memcpy(to, p, n);
	to[n] = 0;
	*used += n + 1;
	return to;
}

static bool take_word(const char **p, const char *word)
{
	size_t n = strlen(word);
	if (strncmp(*p, word, n) != 0 || is_word((*p)[n]))
		return false;
	*p += n;
	return true;
}

static bool take_operator(const char **p, enum rpc_operator *op)
{
	static const struct {
		const char *text;
		enum rpc_operator op;
	} signs[] = {{"<=", RPC_LESS_EQUAL},
		     {">=", RPC_GREATER_EQUAL},
		     {"=", RPC_EQUAL},
		     {"<", RPC_LESS},
		     {">", RPC_GREATER}};
	for (size_t i = 0; i < CS_LEN(signs); i++) {
		size_t n = strlen(signs[i].text);
		if (strncmp(*p, signs[i].text, n) == 0) {
			*p += n;
			*op = signs[i].op;
			return true;
		}
	}
	*op = RPC_CONTAINS;
	if (take_word(p, "CONTAINS"))
		return true;
	*op = RPC_EXISTS;
	return take_word(p, "EXISTS");
}

static bool take_value(struct rpc_query *q, struct rpc_condition *c, size_t *used, const char **p)
{
	if (**p == '\'') {
		const char *end = strchr(*p + 1, '\'');
		if (end == NULL)
			return false;
		c->value = keep(q, used, *p + 1, (size_t)(end - *p - 1));
		*p = end + 1;
		return true;
	}
	size_t n = 0;
	while (is_word((*p)[n]))
		n++;
	c->value = keep(q, used, *p, n);
	c->is_number = true;
	*p += n;
	return node_unnumber(&c->number, c->value) == CS_OK;
}

static bool take_condition(struct rpc_query *q, struct rpc_condition *c, size_t *used,
			   const char **p)
{
	size_t n = 0;
	skip(p);
	while (is_word((*p)[n]))
		n++;
	if (n == 0)
		return false;
	c->key = keep(q, used, *p, n);
	*p += n;
	skip(p);
	if (!take_operator(p, &c->op))
		return false;
	skip(p);
	if (c->op == RPC_EXISTS)
		return true;
	if (!take_value(q, c, used, p))
		return false;
	bool orders = c->op != RPC_EQUAL && c->op != RPC_CONTAINS;
	return orders == c->is_number || c->op == RPC_EQUAL;
}

enum cs_err rpc_query_parse(struct rpc_query *q, const char *text)
{
	const char *p = text;
	size_t used = 0;
	memset(q, 0, sizeof *q);
	if (strlen(text) > RPC_QUERY_SIZE_MAX)
		return CS_ERR_TOO_LARGE;
	(void)snprintf(q->text, sizeof q->text, "%s", text);
	for (;;) {
		if (q->count == RPC_CONDITIONS_MAX)
			return CS_ERR_TOO_LARGE;
		if (!take_condition(q, &q->conditions[q->count], &used, &p))
			return CS_ERR_MALFORMED;
		q->count++;
		skip(&p);
		if (*p == 0)
			return CS_OK;
		if (!take_word(&p, "AND"))
			return CS_ERR_MALFORMED;
	}
}

static bool holds(const struct rpc_condition *c, const char *text)
{
	int64_t number;
	if (c->op == RPC_EXISTS)
		return true;
	if (c->op == RPC_CONTAINS)
		return strstr(text, c->value) != NULL;
	if (!c->is_number)
		return strcmp(text, c->value) == 0;
	if (node_unnumber(&number, text) != CS_OK)
		return false;
	switch (c->op) {
	case RPC_EQUAL:
		return number == c->number;
	case RPC_LESS:
		return number < c->number;
	case RPC_LESS_EQUAL:
		return number <= c->number;
	case RPC_GREATER:
		return number > c->number;
	case RPC_GREATER_EQUAL:
		return number >= c->number;
	case RPC_CONTAINS:
	case RPC_EXISTS:
		break;
	}
	return false;
}

static bool any_holds(const struct rpc_condition *c, const json_t *values)
{
	for (size_t i = 0; i < json_array_size(values); i++) {
		if (holds(c, json_string_value(json_array_get(values, i))))
			return true;
	}
	return false;
}

bool rpc_query_matches(const struct rpc_query *q, const json_t *events)
{
	for (size_t i = 0; i < q->count; i++) {
		if (!any_holds(&q->conditions[i], json_object_get(events, q->conditions[i].key)))
			return false;
	}
	return true;
}

bool rpc_query_admits(const struct rpc_query *q, const char *kind)
{
	for (size_t i = 0; i < q->count; i++) {
		const struct rpc_condition *c = &q->conditions[i];
		if (c->op == RPC_EQUAL && strcmp(c->key, "tm.event") == 0 &&
		    strcmp(c->value, kind) != 0)
			return false;
	}
	return true;
}
