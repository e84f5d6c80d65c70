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

enum cs_err host_trace_parse(char trace[HOST_TRACE_SIZE], const char *text)
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
	(void)snprintf(trace, HOST_TRACE_SIZE, "00-%.49s-%02x", text + ID_AT, flags & FLAGS_KNOWN);
	return CS_OK;
}
