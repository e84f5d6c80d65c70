/* UTF-8 as RFC 3629 has it: shortest forms, no surrogates, nothing above U+10FFFF. */
#ifndef CS_UTF8_H
#define CS_UTF8_H

#include "core/bytes.h"

#define CS_UTF8_SIZE_MAX 4u

/* Bytes of the character at the front, 1 to 4; 0 when it is none. */
size_t cs_utf8_next(struct cs_bytes text);
bool cs_utf8_is_valid(struct cs_bytes text);
/* Writes a character and returns its bytes; 0 for a surrogate or a number above U+10FFFF. */
size_t cs_utf8_put(uint8_t out[CS_UTF8_SIZE_MAX], uint32_t character);

#endif
