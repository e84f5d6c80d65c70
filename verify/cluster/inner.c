#include "verify/cluster/inner.h"

#include "core/reader.h"

#include <string.h>

void cluster_random(struct cs_secret *out, const struct cs_secret *random, const char *name)
{
	cs_hkdf(out->b, sizeof out->b, CS_BYTES_OF(random->b), cs_bytes_str("caisson/cluster/step"),
		cs_bytes_str(name));
}

/* ---- fields ---- */

void cluster_copy(void *out, size_t size, ProtobufCBinaryData data)
{
	cs_assert(data.len == size);
	memcpy(out, data.data, size);
}

ProtobufCBinaryData cluster_field(struct cs_bytes bytes)
{
	return (ProtobufCBinaryData){bytes.n, (uint8_t *)(uintptr_t)bytes.p};
}

ProtobufCBinaryData *cluster_fields(struct cs_arena *arena, const struct cs_hash *hashes,
				    size_t count)
{
	ProtobufCBinaryData *fields = cs_arena_calloc(arena, count, sizeof *fields);
	for (size_t i = 0; fields != NULL && i < count; i++)
		fields[i] = cluster_field(CS_BYTES_OF(hashes[i].b));
	return fields;
}

enum cs_err cluster_hashes(struct cs_hash *out, size_t *count, const ProtobufCBinaryData *fields,
			   size_t n)
{
	for (size_t i = 0; i < n; i++) {
		CLUSTER_COPY(&out[i], fields[i]);
		if (i > 0 &&
		    cs_bytes_compare(CS_BYTES_OF(out[i - 1].b), CS_BYTES_OF(out[i].b)) >= 0)
			return CS_ERR_NON_CANONICAL;
	}
	*count = n;
	return CS_OK;
}

/* ---- keys for a worker ---- */

void cluster_keys_pack(struct cs_buf *out, const struct cluster_ring *ring)
{
	cs_put_u8(out, (uint8_t)ring->count);
	for (size_t i = 0; i < ring->count; i++) {
		cs_put_u64(out, ring->keys[i].epoch);
		cs_put_u64(out, ring->keys[i].decrypt_until_s);
		cs_put(out, CS_BYTES_OF(ring->keys[i].key.b));
	}
}

enum cs_err cluster_keys_unpack(struct cluster_ring *ring, struct cs_bytes bytes)
{
	struct cs_reader reader;
	cs_reader_init(&reader, bytes);
	const size_t count = cs_get_u8(&reader);
	if (count > CLUSTER_EPOCHS_MAX)
		return CS_ERR_TOO_LARGE;
	for (size_t i = 0; i < count; i++) {
		struct cluster_epoch_key *key = &ring->keys[i];
		key->epoch = cs_get_u64(&reader);
		key->decrypt_until_s = cs_get_u64(&reader);
		cs_get_copy(&reader, key->key.b, sizeof key->key.b);
		/* The last one is the current one, and the others have an end. */
		if ((i > 0 && key->epoch <= ring->keys[i - 1].epoch) ||
		    (key->decrypt_until_s == 0) != (i + 1 == count))
			return reader.failed ? CS_ERR_TRUNCATED : CS_ERR_INVALID;
	}
	CS_TRY(cs_reader_end(&reader));
	ring->count = count;
	return CS_OK;
}

void cluster_info(uint8_t out[CLUSTER_INFO_SIZE], const char *tag, const struct cs_hash *lineage)
{
	const struct cs_bytes text = cs_bytes_str(tag);
	cs_assert(text.n <= CLUSTER_INFO_SIZE - sizeof lineage->b);
	memset(out, 0, CLUSTER_INFO_SIZE);
	memcpy(out, text.p, text.n);
	memcpy(out + CLUSTER_INFO_SIZE - sizeof lineage->b, lineage->b, sizeof lineage->b);
}

/* ---- anchors ---- */

void cluster_anchor_to_pb(Caisson__Wire__ClusterAnchor *pb, const struct cluster_anchor *anchor,
			  const uint8_t signature[CS_ED25519_SIGNATURE_SIZE])
{
	caisson__wire__cluster_anchor__init(pb);
	pb->key_server = CLUSTER_FIELD(anchor->key_server);
	pb->manifest_number = anchor->manifest_number;
	pb->epoch = anchor->epoch;
	pb->counter = anchor->counter;
	pb->authority = CLUSTER_FIELD(anchor->authority);
	pb->signature = cluster_field(cs_bytes(signature, CS_ED25519_SIGNATURE_SIZE));
}

void cluster_anchor_from_pb(struct cluster_anchor *out, const Caisson__Wire__ClusterAnchor *pb)
{
	CLUSTER_COPY(&out->key_server, pb->key_server);
	out->manifest_number = pb->manifest_number;
	out->epoch = pb->epoch;
	out->counter = pb->counter;
	CLUSTER_COPY(&out->authority, pb->authority);
}

enum cs_err cluster_anchor_verify(const Caisson__Wire__ClusterAnchor *pb,
				  const struct cs_hash *lineage, const struct cs_ed25519_key *key,
				  struct cs_why *why)
{
	const struct cs_hash hash = cluster_hash_anchor(lineage, pb);
	if (cs_ed25519_verify(key, CS_BYTES_OF(hash.b), wire_pb_view(pb->signature)) != CS_OK)
		return cs_fail(why, CS_ERR_BAD_SIGNATURE,
			       "the anchor is not signed by this cluster's key");
	return CS_OK;
}

/* ---- what was revoked ---- */

bool cluster_revoked_has_all(const struct cs_hash *later, size_t later_count,
			     const struct cs_hash *earlier, size_t earlier_count)
{
	for (size_t i = 0; i < earlier_count; i++)
		if (!cluster_revoked(later, later_count, &earlier[i]))
			return false;
	return true;
}

static enum cs_err write_revoked(struct cs_buf *out, struct cs_bytes bytes,
				 const struct cs_hash *revoked, size_t count,
				 const uint8_t *signature, struct cs_arena *arena,
				 struct cs_why *why)
{
	Caisson__Wire__ClusterRevokedRequest *request = NULL;
	Caisson__Wire__ClusterRevokedReply reply = CAISSON__WIRE__CLUSTER_REVOKED_REPLY__INIT;
	CS_TRY(CLUSTER_DECODE(&request, cluster_revoked_request, bytes, arena, why));
	if (request->count < count) {
		reply.n_revoked = count;
		reply.revoked = cluster_fields(arena, revoked, count);
		reply.signature = cluster_field(cs_bytes(signature, CS_ED25519_SIGNATURE_SIZE));
		if (reply.revoked == NULL)
			return CS_ERR_NO_MEMORY;
	}
	return wire_encode(out, &reply.base, why);
}

enum cs_err cluster_revoked_write(struct cs_buf *out, struct cs_bytes request,
				  const struct cs_hash *revoked, size_t count,
				  const uint8_t signature[CS_ED25519_SIGNATURE_SIZE],
				  struct cs_arena *arena, struct cs_why *why)
{
	const size_t mark = cs_arena_mark(arena);
	const enum cs_err err = write_revoked(out, request, revoked, count, signature, arena, why);
	cs_arena_rewind(arena, mark);
	return err;
}

static enum cs_err read_revoked(struct cs_hash *list, size_t *count,
				const Caisson__Wire__ClusterRevokedReply *reply,
				const struct cs_hash *lineage,
				const struct cs_ed25519_key *anchor_key, struct cs_why *why)
{
	CS_TRY(cluster_hashes(list, count, reply->revoked, reply->n_revoked));
	const struct cs_hash hash = cluster_hash_revoked(lineage, list, *count);
	return cs_ed25519_verify(anchor_key, CS_BYTES_OF(hash.b), wire_pb_view(reply->signature)) ==
			       CS_OK
		       ? CS_OK
		       : cs_fail(why, CS_ERR_BAD_SIGNATURE,
				 "what was revoked is not signed by this cluster's key");
}

enum cs_err cluster_revoked_read(struct cs_hash revoked[CLUSTER_REVOKED_MAX], size_t *count,
				 uint8_t signature[CS_ED25519_SIGNATURE_SIZE],
				 struct cs_bytes bytes, const struct cs_hash *lineage,
				 const struct cs_ed25519_key *anchor_key, struct cs_arena *arena,
				 struct cs_why *why)
{
	Caisson__Wire__ClusterRevokedReply *reply = NULL;
	struct cs_hash list[CLUSTER_REVOKED_MAX];
	size_t n = 0;
	const size_t mark = cs_arena_mark(arena);
	enum cs_err err = CLUSTER_DECODE(&reply, cluster_revoked_reply, bytes, arena, why);
	const bool is_new = err == CS_OK && reply->n_revoked > 0;
	if (is_new)
		err = read_revoked(list, &n, reply, lineage, anchor_key, why);
	if (is_new && err == CS_OK && !cluster_revoked_has_all(list, n, revoked, *count))
		err = cs_fail(why, CS_ERR_ROLLED_BACK,
			      "something that was revoked is not any more");
	if (is_new && err == CS_OK) {
		memcpy(revoked, list, n * sizeof *revoked);
		*count = n;
		memcpy(signature, reply->signature.data, CS_ED25519_SIGNATURE_SIZE);
	}
	cs_arena_rewind(arena, mark);
	return err;
}

/* ---- a session's first message ---- */

enum cs_err cluster_hello_write(struct cs_buf *out, enum cluster_role role,
				const struct cs_ed25519_key *key,
				const struct cluster_session *session,
				const struct cluster_manifest *manifest,
				Caisson__Wire__ClusterAnchor *anchor,
				const struct cluster_tools *tools, struct cs_why *why)
{
	const struct cluster_channel *channel = &session->channel;
	Caisson__Wire__ClusterHello hello = CAISSON__WIRE__CLUSTER_HELLO__INIT;
	Caisson__Wire__ClusterEvidence evidence;
	const struct cs_hash spki = cluster_spki_hash(key);
	/* The channel's certificate must be of the key that is attested and signs. */
	if (!cs_hash_eq(&spki, channel->client ? &channel->client_spki : &channel->server_spki))
		return cs_fail(why, CS_ERR_WRONG_KEY, "the channel is not of this process's key");
	const size_t mark = cs_arena_mark(tools->arena);
	const struct wire_report_fresh fresh = cluster_fresh_session(channel, channel->client);
	enum cs_err err = cluster_evidence_make(&evidence, role, key, &fresh, manifest, tools, why);
	if (err == CS_OK) {
		hello.role = (uint32_t)role;
		hello.evidence = &evidence;
		hello.anchor = anchor;
		err = wire_encode(out, &hello.base, why);
	}
	cs_arena_rewind(tools->arena, mark);
	return err;
}

enum cs_err cluster_hello_read(struct cluster_peer *peer, const Caisson__Wire__ClusterHello **pb,
			       const struct cluster_session *session,
			       const struct cluster_manifest *manifest, struct cs_bytes hello,
			       const struct cluster_tools *tools, const struct verify_time *now,
			       struct cs_why *why)
{
	const struct cluster_channel *channel = &session->channel;
	Caisson__Wire__ClusterHello *read = NULL;
	if (session->verified)
		return cs_fail(why, CS_ERR_CONFLICT, "a second hello");
	CS_TRY(CLUSTER_DECODE(&read, cluster_hello, hello, tools->arena, why));
	if (read->role != CLUSTER_KEY_SERVER && read->role != CLUSTER_GUARD)
		return cs_fail(why, CS_ERR_FORBIDDEN, "role %u has no business here", read->role);
	const struct cluster_expected expected = {
		.role = (enum cluster_role)read->role,
		.spki = channel->client ? channel->server_spki : channel->client_spki,
		.fresh = cluster_fresh_session(channel, !channel->client),
	};
	CS_TRY(cluster_evidence_verify(peer, read->evidence, &expected, manifest, tools, now, why));
	*pb = read;
	return CS_OK;
}
