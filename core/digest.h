/* The SHA-2 family (FIPS 180-4) where the function is named by what is verified: certificates, quotes,
 * PCR banks. SHA-1 is not here, on purpose. */
#ifndef CS_DIGEST_H
#define CS_DIGEST_H

#include "core/bytes.h"

enum cs_digest_kind {
	CS_SHA256,
	CS_SHA384,
	CS_SHA512,
};

#define CS_DIGEST_SIZE_MAX 64u

struct cs_digest {
	uint8_t b[CS_DIGEST_SIZE_MAX];
	size_t n; /* 32, 48 or 64 */
};

/* Bytes of a digest: 32, 48, 64. */
size_t cs_digest_size(enum cs_digest_kind kind);
struct cs_digest cs_digest(enum cs_digest_kind kind, struct cs_bytes bytes);
/* Of the pieces in a row. */
struct cs_digest cs_digest_join(enum cs_digest_kind kind, const struct cs_bytes *pieces,
				size_t count);

static inline struct cs_bytes cs_digest_view(const struct cs_digest *digest)
{
	return cs_bytes(digest->b, digest->n);
}

#endif
