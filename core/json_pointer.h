/* JSON Pointer (RFC 6901) over a parsed tree: the string form, without the URI fragment. */
#ifndef CS_JSON_POINTER_H
#define CS_JSON_POINTER_H

#include "core/json.h"

#define CS_JSON_POINTER_SIZE_MAX 1024u

/* The empty pointer or tokens that begin with '/', '~' only in "~0" and "~1", UTF-8: MALFORMED
 * otherwise; TOO_LARGE. */
CS_NODISCARD enum cs_err cs_json_pointer_check(struct cs_bytes pointer);
/* The value that the pointer leads to, a part of root. NOT_FOUND when there is none: no such
 * member, an index beyond the array or not in its one form (no leading zero, no "-"), a scalar
 * on the way; errors of the check. */
CS_NODISCARD enum cs_err cs_json_pointer(const struct cs_json **out, const struct cs_json *root,
					 struct cs_bytes pointer);

#endif
