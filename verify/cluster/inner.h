/* What the three machines share, and nobody else calls. */
#ifndef CLUSTER_INNER_H
#define CLUSTER_INNER_H

#include "verify/cluster/key_server.h"
#include "wire/convert.h"

/* Secrets and nonces of a step from its 32 random bytes: one for each name. */
void cluster_random(struct cs_secret *out, const struct cs_secret *random, const char *name);

/* A fixed-size field, which the schema has checked. */
#define CLUSTER_COPY(out, data) cluster_copy((out), sizeof *(out), (data))
void cluster_copy(void *out, size_t size, ProtobufCBinaryData data);
/* A view as a field; protobuf-c writes it and changes nothing. */
ProtobufCBinaryData cluster_field(struct cs_bytes bytes);
#define CLUSTER_FIELD(value) cluster_field(cs_bytes(&(value), sizeof(value)))
/* cs_hash values as a repeated field, in the arena. NULL: no memory. */
ProtobufCBinaryData *cluster_fields(struct cs_arena *arena, const struct cs_hash *hashes,
				    size_t count);
/* The other way; ascending and distinct, else NON_CANONICAL. */
CS_NODISCARD enum cs_err cluster_hashes(struct cs_hash *out, size_t *count,
					const ProtobufCBinaryData *fields, size_t n);

/* wire_decode by type. */
#define CLUSTER_DECODE(out, name, bytes, arena, why)                                           \
	wire_decode((ProtobufCMessage **)(out), &caisson__wire__##name##__descriptor, (bytes), \
		    (arena), (why))

/* ---- keys for a worker ---- */

/* Of the keys of a ring, packed: count ‖ (epoch ‖ decrypt until ‖ key)…, ascending. */
#define CLUSTER_KEYS_SIZE_MAX (1u + CLUSTER_EPOCHS_MAX * (8u + 8u + 32u))
void cluster_keys_pack(struct cs_buf *out, const struct cluster_ring *ring);
/* Into ring->keys and ring->count. TRUNCATED, TRAILING, INVALID, TOO_LARGE. */
CS_NODISCARD enum cs_err cluster_keys_unpack(struct cluster_ring *ring, struct cs_bytes bytes);

/* Text of HPKE's info: what is sealed, for which cluster. */
#define CLUSTER_INFO_SIZE (32u + sizeof(struct cs_hash))
void cluster_info(uint8_t out[CLUSTER_INFO_SIZE], const char *tag, const struct cs_hash *lineage);

/* ---- anchors ---- */

/* Views into *anchor and *signature. */
void cluster_anchor_to_pb(Caisson__Wire__ClusterAnchor *pb, const struct cluster_anchor *anchor,
			  const uint8_t signature[CS_ED25519_SIGNATURE_SIZE]);
void cluster_anchor_from_pb(struct cluster_anchor *out, const Caisson__Wire__ClusterAnchor *pb);
/* BAD_SIGNATURE. */
CS_NODISCARD enum cs_err cluster_anchor_verify(const Caisson__Wire__ClusterAnchor *pb,
					       const struct cs_hash *lineage,
					       const struct cs_ed25519_key *key,
					       struct cs_why *why);

/* ---- what was revoked ---- */

/* Does the later list have all that the earlier one has? Both ascending. */
bool cluster_revoked_has_all(const struct cs_hash *later, size_t later_count,
			     const struct cs_hash *earlier, size_t earlier_count);
/* A ClusterRevokedReply: with a signature, unless the asker knows as many. */
CS_NODISCARD enum cs_err cluster_revoked_write(struct cs_buf *out, struct cs_bytes request,
					       const struct cs_hash *revoked, size_t count,
					       const uint8_t signature[CS_ED25519_SIGNATURE_SIZE],
					       struct cs_arena *arena, struct cs_why *why);
/* `revoked` has what was known, and gets what is known now: the same where nothing is new. BAD_SIGNATURE;
 * ROLLED_BACK: something that is known is not in it; then nothing changes. */
CS_NODISCARD enum cs_err cluster_revoked_read(struct cs_hash revoked[CLUSTER_REVOKED_MAX],
					      size_t *count,
					      uint8_t signature[CS_ED25519_SIGNATURE_SIZE],
					      struct cs_bytes reply, const struct cs_hash *lineage,
					      const struct cs_ed25519_key *anchor_key,
					      struct cs_arena *arena, struct cs_why *why);

/* ---- a session's first message ---- */

CS_NODISCARD enum cs_err cluster_hello_write(struct cs_buf *out, enum cluster_role role,
					     const struct cs_ed25519_key *key,
					     const struct cluster_session *session,
					     const struct cluster_manifest *manifest,
					     Caisson__Wire__ClusterAnchor *anchor,
					     const struct cluster_tools *tools, struct cs_why *why);
/* Verifies the peer's; the session is not changed, *pb lives in the arena. CONFLICT: it was verified
 * before; FORBIDDEN: neither Key Server nor Guard. */
CS_NODISCARD enum cs_err
cluster_hello_read(struct cluster_peer *peer, const Caisson__Wire__ClusterHello **pb,
		   const struct cluster_session *session, const struct cluster_manifest *manifest,
		   struct cs_bytes hello, const struct cluster_tools *tools,
		   const struct verify_time *now, struct cs_why *why);

/* ---- the Key Server's own ---- */

/* When a certificate of this life begins that is made now. */
uint64_t cluster_life_begin(const struct verify_time *now, uint64_t life_s);
/* All but identity, counter and standby. WRONG_LINEAGE, WRONG_MANIFEST, INVALID, CRYPTO: then *ks is of no
 * use any more. */
CS_NODISCARD enum cs_err
cluster_key_server_take_state(struct cluster_key_server *ks,
			      const Caisson__Wire__ClusterKeyServerState *state,
			      struct cs_why *why);

#endif
