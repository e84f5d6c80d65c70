/* CBOR (RFC 8949), the part of it that evidence needs, read strictly: definite lengths and heads in
 * their shortest form only (its section 4.2.1), UTF-8 checked, nesting bounded. The order of a map's
 * keys is not asked for, because certificates in use do not keep it; no key may be there twice. */
#ifndef CS_CBOR_H
#define CS_CBOR_H

#include "core/bytes.h"

/* Nesting of an item that is passed over: claims of certificates need 2. */
#define CS_CBOR_DEPTH_MAX 16u
/* Members of a map: duplicate keys are found by comparing all pairs. */
#define CS_CBOR_MEMBERS_MAX 64u

/* A cursor. After a failure it stands where it stood. */
struct cs_cbor {
	const uint8_t *p;
	size_t left;
};

void cs_cbor_init(struct cs_cbor *cbor, struct cs_bytes bytes);

/* The next item, which must be of this type: INVALID otherwise. TRUNCATED, also for a count of more
 * items than bytes are left; NON_CANONICAL (a longer head than needed, an indefinite length),
 * MALFORMED (a reserved head, no UTF-8). Bytes and text are views. */
CS_NODISCARD enum cs_err cs_cbor_uint(struct cs_cbor *cbor, uint64_t *value);
CS_NODISCARD enum cs_err cs_cbor_bytes(struct cs_cbor *cbor, struct cs_bytes *bytes);
CS_NODISCARD enum cs_err cs_cbor_text(struct cs_cbor *cbor, struct cs_bytes *text);
/* The heads alone: the elements follow; of a map count keys, each with its value. */
CS_NODISCARD enum cs_err cs_cbor_array(struct cs_cbor *cbor, size_t *count);
CS_NODISCARD enum cs_err cs_cbor_map(struct cs_cbor *cbor, size_t *count);
CS_NODISCARD enum cs_err cs_cbor_tag(struct cs_cbor *cbor, uint64_t *tag);

/* Passes over one whole item of any type. Errors as above; TOO_LARGE: nested too deeply. Floating
 * point is not looked into. */
CS_NODISCARD enum cs_err cs_cbor_skip(struct cs_cbor *cbor);
/* TRAILING when something is left. */
CS_NODISCARD enum cs_err cs_cbor_end(const struct cs_cbor *cbor);

/* The value of a text key, as an item, in `map`, which must be one whole map and nothing else. Every
 * member is read: DUPLICATE, TOO_LARGE (members), and the errors above. NOT_FOUND. */
CS_NODISCARD enum cs_err cs_cbor_find(struct cs_bytes *value, struct cs_bytes map, const char *key);

#endif
