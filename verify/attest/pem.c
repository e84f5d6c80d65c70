#include "verify/attest/pem.h"

#include "core/base64.h"

#include <string.h>

#define BEGIN "-----BEGIN "
#define END "-----END "
#define DASHES "-----"

/* Where what begins in text; text.n when nowhere. */
static size_t find(struct cs_bytes text, const char *what)
{
	size_t n = strlen(what);
	const uint8_t *p = text.p;
	size_t left = text.n;
	while (left >= n && (p = memchr(p, what[0], left - n + 1)) != NULL) {
		if (memcmp(p, what, n) == 0)
			return (size_t)(p - text.p);
		p++;
		left = text.n - (size_t)(p - text.p);
	}
	return text.n;
}

static struct cs_bytes skip(struct cs_bytes text, size_t n)
{
	return cs_bytes(text.p + n, text.n - n);
}

bool pem_is_there(struct cs_bytes text)
{
	return find(text, BEGIN) < text.n;
}

/* The text's base64 without white space, decoded. */
static enum cs_err decode(struct cs_bytes *bytes, struct cs_bytes text, struct cs_arena *arena)
{
	uint8_t *p = cs_arena_alloc(arena, text.n + 3);
	size_t n = 0, size;
	if (p == NULL)
		return CS_ERR_NO_MEMORY;
	for (size_t i = 0; i < text.n; i++) {
		uint8_t c = text.p[i];
		/* One comparison for nearly all of them. */
		if (c > ' ' || (c != '\n' && c != '\r' && c != ' ' && c != '\t'))
			p[n++] = c;
	}
	if (n == 0 || cs_unbase64(p, &size, cs_bytes(p, n), CS_BASE64) != CS_OK)
		return CS_ERR_MALFORMED;
	*bytes = cs_bytes(p, size);
	return CS_OK;
}

enum cs_err pem_next(struct cs_bytes *text, struct cs_bytes *label, struct cs_bytes *bytes,
		     struct cs_arena *arena)
{
	size_t at = find(*text, BEGIN);
	if (at == text->n)
		return CS_ERR_NOT_FOUND;
	struct cs_bytes rest = skip(*text, at + sizeof BEGIN - 1);
	size_t label_size = find(rest, DASHES);
	if (label_size == rest.n || memchr(rest.p, '\n', label_size) != NULL)
		return CS_ERR_MALFORMED;
	struct cs_bytes name = cs_bytes(rest.p, label_size);
	rest = skip(rest, label_size + sizeof DASHES - 1);
	size_t end = find(rest, END);
	if (end == rest.n)
		return CS_ERR_MALFORMED;
	struct cs_bytes inner = cs_bytes(rest.p, end);
	rest = skip(rest, end + sizeof END - 1);
	if (rest.n < name.n + sizeof DASHES - 1 || !cs_bytes_eq(cs_bytes(rest.p, name.n), name) ||
	    memcmp(rest.p + name.n, DASHES, sizeof DASHES - 1) != 0)
		return CS_ERR_MALFORMED;
	CS_TRY(decode(bytes, inner, arena));
	*label = name;
	*text = skip(rest, name.n + sizeof DASHES - 1);
	return CS_OK;
}
