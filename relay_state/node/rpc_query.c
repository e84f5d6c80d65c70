#include "relay_state/node/rpc_query.h"

#include <stdio.h>
#include <string.h>

#define MINUTE_S 60

/* ---- words ---- */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Letters of other scripts are letters in Go: whatever is no ASCII counts as one. */
static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (c & 0x80) != 0;
}

static bool is_tag(char c)
{
	return is_letter(c) || is_digit(c) || c == '.' || c == '-';
}

static void skip(const char **p)
{
	while (**p == ' ' || (**p >= '\t' && **p <= '\r'))
		(*p)++;
}

struct parser {
	struct rpc_query *query;
	const char *p;
	size_t used; /* of query->copy */
};

/* Copies n characters and an end into the query's memory. */
static const char *keep(struct parser *parser, const char *p, size_t n)
{
	char *to = parser->query->copy + parser->used;
	memcpy(to, p, n);
	to[n] = 0;
	parser->used += n + 1;
	return to;
}

static bool take_word(struct parser *parser, const char *word)
{
	size_t n = strlen(word);
	if (strncmp(parser->p, word, n) != 0 || is_tag(parser->p[n]))
		return false;
	parser->p += n;
	return true;
}

/* ---- times ---- */

static bool read_date(struct cs_pb_time *time, const char *text)
{
	char whole[COMETBFT_TIME_SIZE];
	if (strlen(text) != 10)
		return false;
	(void)snprintf(whole, sizeof whole, "%sT00:00:00Z", text);
	return cometbft_untime(time, whole) == CS_OK;
}

/* RFC 3339 with Z or an offset of hours and minutes. */
static bool read_time(struct cs_pb_time *time, const char *text)
{
	char whole[COMETBFT_TIME_SIZE + 8];
	size_t n = strlen(text);
	if (n < 6 || n >= sizeof whole)
		return false;
	memcpy(whole, text, n + 1);
	if (whole[n - 1] == 'Z')
		return cometbft_untime(time, whole) == CS_OK;
	const char *at = text + n - 6;
	bool minus = at[0] == '-';
	if ((!minus && at[0] != '+') || !is_digit(at[1]) || !is_digit(at[2]) || at[3] != ':' ||
	    !is_digit(at[4]) || !is_digit(at[5]))
		return false;
	int64_t minutes =
		((at[1] - '0') * 10 + (at[2] - '0')) * 60 + (at[4] - '0') * 10 + (at[5] - '0');
	whole[n - 6] = 'Z';
	whole[n - 5] = 0;
	if (minutes >= 24 * 60 || cometbft_untime(time, whole) != CS_OK)
		return false;
	time->s += (minus ? minutes : -minutes) * MINUTE_S;
	return true;
}

/* CometBFT's bounds of years. */
static bool is_in_range(struct cs_pb_time time)
{
	return time.s >= -2208988800 && time.s < 32503680000;
}

/* ---- parsing ---- */

static bool take_operator(struct parser *parser, enum rpc_operator *op)
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
		if (strncmp(parser->p, signs[i].text, n) == 0) {
			parser->p += n;
			*op = signs[i].op;
			return true;
		}
	}
	*op = RPC_CONTAINS;
	if (take_word(parser, "CONTAINS"))
		return true;
	*op = RPC_EXISTS;
	return take_word(parser, "EXISTS");
}

static bool take_text(struct parser *parser, struct rpc_condition *c)
{
	const char *end = strchr(parser->p + 1, '\'');
	if (end == NULL)
		return false;
	c->operand = RPC_TEXT;
	c->value = keep(parser, parser->p + 1, (size_t)(end - parser->p - 1));
	parser->p = end + 1;
	return true;
}

static bool take_number(struct parser *parser, struct rpc_condition *c)
{
	size_t n = strspn(parser->p, "0123456789");
	if (parser->p[n] == '.')
		n += 1 + strspn(parser->p + n + 1, "0123456789");
	c->operand = RPC_NUMBER;
	c->value = keep(parser, parser->p, n);
	parser->p += n;
	return true;
}

static bool take_moment(struct parser *parser, struct rpc_condition *c)
{
	bool is_time = strncmp(parser->p, "TIME ", 5) == 0;
	if (!is_time && strncmp(parser->p, "DATE ", 5) != 0)
		return false;
	parser->p += 5;
	size_t n = strspn(parser->p, is_time ? "0123456789-T:+Z" : "0123456789-");
	c->operand = is_time ? RPC_TIME : RPC_DATE;
	c->value = keep(parser, parser->p, n);
	parser->p += n;
	return (is_time ? read_time(&c->time, c->value) : read_date(&c->time, c->value)) &&
	       is_in_range(c->time);
}

static bool take_value(struct parser *parser, struct rpc_condition *c)
{
	if (c->op == RPC_CONTAINS || *parser->p == '\'')
		return (c->op == RPC_CONTAINS || c->op == RPC_EQUAL) && *parser->p == '\'' &&
		       take_text(parser, c);
	if (is_digit(*parser->p))
		return take_number(parser, c);
	return take_moment(parser, c);
}

/* NULL, or what was wanted at the parser's place. */
static const char *take_condition(struct parser *parser, struct rpc_condition *c)
{
	size_t n = 0;
	skip(&parser->p);
	if (is_letter(*parser->p)) {
		while (is_tag(parser->p[n]))
			n++;
	}
	c->key = keep(parser, parser->p, n);
	if (n == 0 || strcmp(c->key, "AND") == 0 || strcmp(c->key, "EXISTS") == 0 ||
	    strcmp(c->key, "CONTAINS") == 0)
		return "a tag";
	parser->p += n;
	skip(&parser->p);
	if (!take_operator(parser, &c->op))
		return "an operator";
	c->value = "";
	skip(&parser->p);
	if (c->op == RPC_EXISTS || take_value(parser, c))
		return NULL;
	return c->op == RPC_CONTAINS ? "a text in quotes"
	       : c->op == RPC_EQUAL  ? "a text in quotes, a number, DATE or TIME"
				     : "a number, DATE or TIME";
}

static void write_normal(struct rpc_query *q)
{
	static const char *const ops[] = {"", "=", "<", "<=", ">", ">=", "CONTAINS", "EXISTS"};
	static const char *const before[] = {"", " '", " ", " DATE ", " TIME "};
	size_t n = 0;
	for (size_t i = 0; i < q->count; i++) {
		const struct rpc_condition *c = &q->conditions[i];
		int added = snprintf(q->normal + n, sizeof q->normal - n, "%s%s %s%s%s%s",
				     i > 0 ? " AND " : "", c->key, ops[c->op], before[c->operand],
				     c->value, c->operand == RPC_TEXT ? "'" : "");
		cs_assert(added > 0 && (size_t)added < sizeof q->normal - n);
		n += (size_t)added;
	}
}

enum cs_err rpc_query_parse(struct rpc_query *q, const char *text, struct cs_why *why)
{
	struct parser parser = {.query = q, .p = text};
	memset(q, 0, sizeof *q);
	if (strlen(text) > RPC_QUERY_SIZE_MAX)
		return cs_fail(why, CS_ERR_TOO_LARGE, "maximum query length exceeded");
	(void)snprintf(q->text, sizeof q->text, "%s", text);
	for (;;) {
		if (q->count == RPC_CONDITIONS_MAX)
			return cs_fail(why, CS_ERR_TOO_LARGE, "more than %u conditions",
				       RPC_CONDITIONS_MAX);
		const char *wanted = take_condition(&parser, &q->conditions[q->count]);
		if (wanted != NULL)
			return cs_fail(why, CS_ERR_MALFORMED, "offset %zu: wanted %s",
				       (size_t)(parser.p - text), wanted);
		q->count++;
		skip(&parser.p);
		if (*parser.p == 0)
			break;
		if (!take_word(&parser, "AND"))
			return cs_fail(why, CS_ERR_MALFORMED, "offset %zu: wanted AND",
				       (size_t)(parser.p - text));
	}
	write_normal(q);
	return CS_OK;
}

enum cs_err rpc_condition_number(const struct rpc_condition *c, int64_t *number)
{
	if (c->operand != RPC_NUMBER || strchr(c->value, '.') != NULL)
		return CS_ERR_INVALID;
	return cometbft_unnumber(number, c->value) == CS_OK ? CS_OK : CS_ERR_OVERFLOW;
}

/* ---- matching ---- */

/* Digits before and behind the point, without zeros that do not count. */
struct decimal {
	struct cs_bytes whole, part;
};

static struct decimal read_decimal(struct cs_bytes text)
{
	struct decimal d = {cs_bytes(text.p, 0), CS_BYTES_NONE};
	while (d.whole.n < text.n && is_digit((char)text.p[d.whole.n]))
		d.whole.n++;
	size_t from = d.whole.n + 1;
	if (d.whole.n > 0 && from < text.n && text.p[from - 1] == '.') {
		d.part = cs_bytes(text.p + from, 0);
		while (from + d.part.n < text.n && is_digit((char)text.p[from + d.part.n]))
			d.part.n++;
	}
	while (d.part.n > 0 && d.part.p[d.part.n - 1] == '0')
		d.part.n--;
	while (d.whole.n > 1 && d.whole.p[0] == '0')
		d.whole = cs_bytes(d.whole.p + 1, d.whole.n - 1);
	return d;
}

static int compare_digits(struct cs_bytes a, struct cs_bytes b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int order = n > 0 ? memcmp(a.p, b.p, n) : 0;
	return order != 0 ? order : (a.n > b.n) - (a.n < b.n);
}

static int compare_decimals(struct decimal a, struct decimal b)
{
	if (a.whole.n != b.whole.n)
		return a.whole.n < b.whole.n ? -1 : 1;
	int order = compare_digits(a.whole, b.whole);
	return order != 0 ? order : compare_digits(a.part, b.part);
}

static int compare_times(struct cs_pb_time a, struct cs_pb_time b)
{
	if (a.s != b.s)
		return a.s < b.s ? -1 : 1;
	return (a.ns > b.ns) - (a.ns < b.ns);
}

/* False: the value is nothing of the operand's kind. */
static bool compare(int *order, const struct rpc_condition *c, struct cs_bytes value)
{
	char text[COMETBFT_TIME_SIZE + 8];
	struct cs_pb_time time;
	if (c->operand == RPC_NUMBER) {
		const struct decimal number = read_decimal(value);
		*order = compare_decimals(number, read_decimal(cs_bytes_str(c->value)));
		return number.whole.n > 0;
	}
	if (value.n == 0 || value.n >= sizeof text || memchr(value.p, 0, value.n) != NULL)
		return false;
	memcpy(text, value.p, value.n);
	text[value.n] = 0;
	if (!(c->operand == RPC_DATE ? read_date(&time, text) : read_time(&time, text)))
		return false;
	*order = compare_times(time, c->time);
	return true;
}

static bool contains(struct cs_bytes text, struct cs_bytes piece)
{
	for (size_t i = 0; i + piece.n <= text.n; i++) {
		if (piece.n == 0 || memcmp(text.p + i, piece.p, piece.n) == 0)
			return true;
	}
	return false;
}

bool rpc_condition_holds(const struct rpc_condition *c, struct cs_bytes value)
{
	int order = 0;
	if (c->op == RPC_EXISTS)
		return true;
	if (c->op == RPC_CONTAINS)
		return contains(value, cs_bytes_str(c->value));
	if (c->operand == RPC_TEXT)
		return cs_bytes_eq(value, cs_bytes_str(c->value));
	if (!compare(&order, c, value))
		return false;
	switch (c->op) {
	case RPC_EQUAL:
		return order == 0;
	case RPC_LESS:
		return order < 0;
	case RPC_LESS_EQUAL:
		return order <= 0;
	case RPC_GREATER:
		return order > 0;
	case RPC_GREATER_EQUAL:
		return order >= 0;
	case RPC_CONTAINS:
	case RPC_EXISTS:
		break;
	}
	return false;
}

static bool any_holds(const struct rpc_condition *c, const json_t *values)
{
	for (size_t i = 0; i < json_array_size(values); i++) {
		const json_t *value = json_array_get(values, i);
		if (rpc_condition_holds(
			    c, cs_bytes(json_string_value(value), json_string_length(value))))
			return true;
	}
	return false;
}

/* A condition on a type alone is asked about the empty text where there is an event of it. */
static bool holds_of_type(const struct rpc_condition *c, json_t *events)
{
	const char *key;
	json_t *values;
	size_t n = strlen(c->key);
	json_object_foreach(events, key, values)
	{
		const char *point = strrchr(key, '.');
		if (point != NULL && (size_t)(point - key) == n && memcmp(key, c->key, n) == 0)
			return rpc_condition_holds(c, CS_BYTES_NONE);
	}
	return false;
}

bool rpc_query_matches(const struct rpc_query *q, json_t *events)
{
	for (size_t i = 0; i < q->count; i++) {
		const struct rpc_condition *c = &q->conditions[i];
		if (!any_holds(c, json_object_get(events, c->key)) && !holds_of_type(c, events))
			return false;
	}
	return true;
}

bool rpc_query_admits(const struct rpc_query *q, const char *kind)
{
	for (size_t i = 0; i < q->count; i++) {
		if (strcmp(q->conditions[i].key, "tm.event") == 0 &&
		    !rpc_condition_holds(&q->conditions[i], cs_bytes_str(kind)))
			return false;
	}
	return true;
}
