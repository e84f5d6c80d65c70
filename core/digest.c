#include "core/digest.h"

#include "core/hash.h"

#include <nettle/sha2.h>
#include <string.h>

size_t cs_digest_size(enum cs_digest_kind kind)
{
	static const uint8_t sizes[] = {
		[CS_SHA256] = 32,
		[CS_SHA384] = 48,
		[CS_SHA512] = 64,
	};
	return sizes[kind];
}

struct cs_digest cs_digest_join(enum cs_digest_kind kind, const struct cs_bytes *pieces,
				size_t count)
{
	struct cs_digest digest = {{0}, cs_digest_size(kind)};
	if (kind == CS_SHA256) {
		struct cs_hash hash = cs_sha256_join(pieces, count);
		memcpy(digest.b, hash.b, sizeof hash.b);
		return digest;
	}
	/* SHA-384 is SHA-512 with other initial values, cut. */
	struct sha512_ctx context;
	if (kind == CS_SHA384)
		sha384_init(&context);
	else
		sha512_init(&context);
	for (size_t i = 0; i < count; i++)
		sha512_update(&context, pieces[i].n, pieces[i].p);
	if (kind == CS_SHA384)
		sha384_digest(&context, digest.n, digest.b);
	else
		sha512_digest(&context, digest.n, digest.b);
	return digest;
}

struct cs_digest cs_digest(enum cs_digest_kind kind, struct cs_bytes bytes)
{
	return cs_digest_join(kind, &bytes, 1);
}
