/* jansson's tree of a text, read and written faster. Answers of nodes and what gateways tell each
 * other are plain: ASCII without escapes, numbers that are small integers without a sign. Such a
 * text is read here in a seventh of the time of jansson's own reader, which takes every byte
 * through several calls. Of anything else, errors too, jansson is the judge, so that both ways
 * accept the same texts and give the same tree. */
#ifndef HOST_JSON_H
#define HOST_JSON_H

#include "core/bytes.h"

#include <jansson.h>

/* One value and nothing behind it. flags: JSON_REJECT_DUPLICATES, JSON_DECODE_ANY, JSON_ALLOW_NUL.
 * A new reference, or NULL with *error as jansson fills it; error may be NULL. */
json_t *host_json_read(struct cs_bytes text, size_t flags, json_error_t *error);

/* What json_dumps(json, JSON_COMPACT) gives, of *n bytes; free() it. NULL: neither an object nor an
 * array. */
char *host_json_write(const json_t *json, size_t *n);

#endif
