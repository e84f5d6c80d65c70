/* Base64 (RFC 4648): the standard alphabet with padding, or the alphabet for URLs without, each in
 * its one canonical form. Not for secrets: the time depends on the text. */
#ifndef CS_BASE64_H
#define CS_BASE64_H

#include "core/bytes.h"

enum cs_base64 {
	CS_BASE64,     /* section 4: + and /, padded */
	CS_BASE64_URL, /* section 5: - and _, no padding */
};

/* Characters of n bytes, with the end of a string. */
#define CS_BASE64_SIZE(n) (((n) + 2) / 3 * 4 + 1)
/* At least as many bytes as n characters decode to. */
#define CS_UNBASE64_SIZE(n) ((n) / 4 * 3 + 3)

/* text[CS_BASE64_SIZE(bytes.n)]; returns its length. */
size_t cs_base64(char *text, struct cs_bytes bytes, enum cs_base64 form);
/* p[CS_UNBASE64_SIZE(text.n)] may be text's own memory; *n is its size. MALFORMED: another character,
 * white space too; a wrong length; NON_CANONICAL: bits left over that are not zero. */
CS_NODISCARD enum cs_err cs_unbase64(uint8_t *p, size_t *n, struct cs_bytes text,
				     enum cs_base64 form);

#endif
