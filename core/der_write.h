/* Writing DER (ITU-T X.690), for certificates of our own: contents first, then the head before them. What
 * stands inside a value is the caller's; a buffer that fails stays failed. */
#ifndef CS_DER_WRITE_H
#define CS_DER_WRITE_H

#include "core/buf.h"
#include "core/der.h"

/* Of a value: two bytes of length are the most that is written; larger ones fail the buffer. */
#define CS_DER_PUT_SIZE_MAX 0xffffu

void cs_der_put(struct cs_buf *out, unsigned tag, struct cs_bytes value);
/* What is in `inner`, a buffer of its own; fails `out` where that one has failed. */
void cs_der_put_buf(struct cs_buf *out, unsigned tag, const struct cs_buf *inner);
/* UTCTime through 2049, then GeneralizedTime (RFC 5280, 4.1.2.5). At most CS_UTC_SECONDS_MAX. */
void cs_der_put_time(struct cs_buf *out, uint64_t seconds);
/* An Extension (RFC 5280, 4.1): value is what the OCTET STRING holds. */
void cs_der_put_extension(struct cs_buf *out, struct cs_bytes oid, bool critical,
			  struct cs_bytes value);

#endif
