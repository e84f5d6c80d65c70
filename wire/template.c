#include "wire/template.h"

#include "wire/oracle.h"
#include "wire/spec.h"

static bool is_name_byte(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '-';
}

/* Up to the next brace, or the brace that two stand for. */
static enum cs_err text_piece(struct wire_piece *piece, struct cs_bytes *rest)
{
	const uint8_t *p = rest->p;
	size_t n = 0, taken;
	if (p[0] == '{' || p[0] == '}') {
		if (rest->n < 2 || p[1] != p[0])
			return CS_ERR_MALFORMED;
		n = 1;
		taken = 2;
	} else {
		while (n < rest->n && p[n] != '{' && p[n] != '}')
			n++;
		taken = n;
	}
	*piece = (struct wire_piece){.kind = WIRE_PIECE_TEXT, .text = cs_bytes(p, n)};
	*rest = cs_bytes(p + taken, rest->n - taken);
	return CS_OK;
}

enum cs_err wire_template_next(struct wire_piece *piece, struct cs_bytes *rest)
{
	static const char secret[] = "{secret:";
	const uint8_t *p = rest->p;
	size_t begin = sizeof secret - 1, end = begin;
	cs_assert(rest->n > 0);
	if (rest->n >= 3 && p[0] == '{' && p[1] >= '0' && p[1] < '0' + (int)WIRE_ARGUMENTS_MAX &&
	    p[2] == '}') {
		*piece = (struct wire_piece){.kind = WIRE_PIECE_ARGUMENT,
					     .index = (size_t)(p[1] - '0')};
		*rest = cs_bytes(p + 3, rest->n - 3);
		return CS_OK;
	}
	if (rest->n < begin || !cs_bytes_eq(cs_bytes(p, begin), cs_bytes_str(secret)))
		return text_piece(piece, rest);
	while (end < rest->n && is_name_byte(p[end]))
		end++;
	if (end == begin || end - begin > WIRE_SPEC_SECRET_NAME_SIZE_MAX || end == rest->n ||
	    p[end] != '}')
		return CS_ERR_MALFORMED;
	*piece = (struct wire_piece){.kind = WIRE_PIECE_SECRET,
				     .text = cs_bytes(p + begin, end - begin)};
	*rest = cs_bytes(p + end + 1, rest->n - end - 1);
	return CS_OK;
}
