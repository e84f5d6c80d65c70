#include "host/trace.h"

#include <stdio.h>
#include <string.h>

#define VERSION_AT 0
#define ID_AT 3
#define PARENT_AT 36
#define FLAGS_AT 53
#define SIZE 55
/* sampled, and random of level 2. */
#define FLAGS_KNOWN 0x03u
/* 3.3.1.3: of a key, of its two parts around an '@', and of a value. */
#define KEY_SIZE_MAX 256u
#define TENANT_SIZE_MAX 241u
#define SYSTEM_SIZE_MAX 14u
#define VALUE_SIZE_MAX 256u

static bool is_hex(const char *text, size_t n)
{
	return strspn(text, "0123456789abcdef") >= n;
}

static bool is_zero(const char *text, size_t n)
{
	return strspn(text, "0") >= n;
}

static unsigned digit(char c)
{
	return (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
}

enum cs_err host_traceparent_parse(char parent[HOST_TRACEPARENT_SIZE], const char *text)
{
	size_t n = strlen(text);
	if (n < SIZE || text[ID_AT - 1] != '-' || text[PARENT_AT - 1] != '-' ||
	    text[FLAGS_AT - 1] != '-' || !is_hex(text, 2) || !is_hex(text + ID_AT, 32) ||
	    !is_hex(text + PARENT_AT, 16) || !is_hex(text + FLAGS_AT, 2))
		return CS_ERR_MALFORMED;
	if (memcmp(text + VERSION_AT, "ff", 2) == 0 || is_zero(text + ID_AT, 32) ||
	    is_zero(text + PARENT_AT, 16))
		return CS_ERR_MALFORMED;
	/* What follows is of later versions, which begin it with a dash. */
	if (n > SIZE && (is_zero(text + VERSION_AT, 2) || text[SIZE] != '-'))
		return CS_ERR_MALFORMED;
	unsigned flags = 16 * digit(text[FLAGS_AT]) + digit(text[FLAGS_AT + 1]);
	(void)snprintf(parent, HOST_TRACEPARENT_SIZE, "00-%.49s-%02x", text + ID_AT,
		       flags & FLAGS_KNOWN);
	return CS_OK;
}

/* ---- tracestate ---- */

static bool is_lower(char c)
{
	return c >= 'a' && c <= 'z';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool are_key_chars(const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!is_lower(text[i]) && !is_digit(text[i]) && !strchr("_-*/", text[i]))
			return false;
	return true;
}

static bool is_key(const char *text, size_t n)
{
	const char *at = memchr(text, '@', n);
	if (!at)
		return n > 0 && n <= KEY_SIZE_MAX && is_lower(text[0]) && are_key_chars(text, n);
	size_t tenant = (size_t)(at - text);
	size_t system = n - tenant - 1;
	return tenant > 0 && tenant <= TENANT_SIZE_MAX && system > 0 && system <= SYSTEM_SIZE_MAX &&
	       (is_lower(text[0]) || is_digit(text[0])) && is_lower(at[1]) &&
	       are_key_chars(text, tenant) && are_key_chars(at + 1, system);
}

/* White space at its end belongs to the list. */
static bool is_value(const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (text[i] < ' ' || text[i] > '~' || text[i] == '=')
			return false;
	return n > 0 && n <= VALUE_SIZE_MAX;
}

/* *count: members of the state, which has none of this key on success. */
static bool is_new(const char *state, const char *key, size_t n, size_t *count)
{
	*count = 0;
	for (const char *at = state; *at != 0; at += *at == ',') {
		size_t size = strcspn(at, ",");
		if (size > n && memcmp(at, key, n) == 0 && at[n] == '=')
			return false;
		at += size;
		++*count;
	}
	return true;
}

static enum cs_err add_member(char state[HOST_TRACESTATE_SIZE], const char *text, size_t n)
{
	const char *sign = memchr(text, '=', n);
	size_t key = sign ? (size_t)(sign - text) : n;
	size_t used = strlen(state);
	size_t count = 0;
	if (!sign || !is_key(text, key) || !is_value(sign + 1, n - key - 1) ||
	    !is_new(state, text, key, &count) || count == HOST_TRACESTATE_MEMBERS_MAX ||
	    n + (used > 0) >= HOST_TRACESTATE_SIZE - used)
		return CS_ERR_MALFORMED;
	if (used > 0)
		state[used++] = ',';
	memcpy(state + used, text, n);
	state[used + n] = 0;
	return CS_OK;
}

enum cs_err host_tracestate_add(char state[HOST_TRACESTATE_SIZE], const char *text)
{
	char out[HOST_TRACESTATE_SIZE];
	memcpy(out, state, sizeof(out));
	for (const char *at = text; *at != 0; at += *at == ',') {
		at += strspn(at, " \t");
		size_t size = strcspn(at, ",");
		size_t n = size;
		while (n > 0 && (at[n - 1] == ' ' || at[n - 1] == '\t'))
			n--;
		if (n > 0)
			CS_TRY(add_member(out, at, n));
		at += size;
	}
	memcpy(state, out, sizeof(out));
	return CS_OK;
}

void host_trace_read(struct host_trace *trace, const char *parent, const char *state)
{
	struct host_trace out = {{0}, {0}};
	if (!parent || host_traceparent_parse(out.parent, parent) != CS_OK)
		out.parent[0] = 0;
	else if (state && host_tracestate_add(out.state, state) != CS_OK)
		out.state[0] = 0;
	*trace = out;
}
