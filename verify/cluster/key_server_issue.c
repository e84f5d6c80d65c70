/* The Key Server towards its peers: sessions, grants, copies. */
#include "verify/cluster/inner.h"

#include <string.h>

static const struct cs_hash *lineage_of(const struct cluster_key_server *ks)
{
	return cluster_manifest_lineage(ks->manifest);
}

/* The arena is given back; what was in it may have been secret. */
static void give_back(struct cs_arena *arena, size_t mark)
{
	cs_wipe(arena->block + mark, arena->used - mark);
	cs_arena_rewind(arena, mark);
}

/* ---- sessions ---- */

static enum cs_err sign_anchor(const struct cluster_key_server *ks,
			       const struct cluster_anchor *anchor,
			       uint8_t signature[CS_ED25519_SIGNATURE_SIZE],
			       Caisson__Wire__ClusterAnchor *pb)
{
	cluster_anchor_to_pb(pb, anchor, signature);
	const struct cs_hash hash = cluster_hash_anchor(lineage_of(ks), pb);
	return cs_ed25519_sign(signature, &ks->anchor.secret, CS_BYTES_OF(hash.b));
}

enum cs_err cluster_key_server_hello(const struct cluster_key_server *ks,
				     const struct cluster_session *session, struct cs_buf *out,
				     const struct cluster_tools *tools, struct cs_why *why)
{
	Caisson__Wire__ClusterAnchor pb;
	struct cluster_anchor anchor;
	uint8_t signature[CS_ED25519_SIGNATURE_SIZE] = {0};
	const bool has_anchor = ks->epoch_count > 0;
	if (has_anchor) {
		cluster_key_server_anchor(ks, &anchor);
		CS_TRY(sign_anchor(ks, &anchor, signature, &pb));
	}
	return cluster_hello_write(out, CLUSTER_KEY_SERVER, &ks->identity.key, session,
				   ks->manifest, has_anchor ? &pb : NULL, tools, why);
}

/* What the peer remembers of this cluster's Key Servers. One that has no state yet has nothing that could
 * be old, and no key to check a signature by. */
static enum cs_err look_at_anchor(struct cluster_key_server *ks,
				  const Caisson__Wire__ClusterAnchor *pb, struct cs_why *why)
{
	struct cluster_anchor anchor;
	if (pb == NULL || ks->epoch_count == 0)
		return CS_OK;
	CS_TRY(cluster_anchor_verify(pb, lineage_of(ks), &ks->anchor.key, why));
	cluster_anchor_from_pb(&anchor, pb);
	return cluster_key_server_check_anchor(ks, &anchor, why);
}

enum cs_err cluster_key_server_meet(struct cluster_key_server *ks, struct cluster_session *session,
				    struct cs_bytes hello, const struct cluster_tools *tools,
				    const struct verify_time *now, struct cs_why *why)
{
	const Caisson__Wire__ClusterHello *pb = NULL;
	struct cluster_peer peer;
	const size_t mark = cs_arena_mark(tools->arena);
	enum cs_err err =
		cluster_hello_read(&peer, &pb, session, ks->manifest, hello, tools, now, why);
	if (err == CS_OK && cluster_peer_is_revoked(&peer, ks->revoked, ks->revoked_count))
		err = cs_fail(why, CS_ERR_REVOKED, "the %s's key or platform was revoked",
			      cluster_role_name(peer.role));
	/* A copy that wants to catch up meets those that are further: that is what it came for. */
	if (err == CS_OK && !(ks->standby && peer.role == CLUSTER_KEY_SERVER))
		err = look_at_anchor(ks, pb->anchor, why);
	cs_arena_rewind(tools->arena, mark);
	if (err != CS_OK)
		return err;
	session->peer = peer;
	session->verified = true;
	return CS_OK;
}

/* ---- grants ---- */

struct grant {
	Caisson__Wire__ClusterGrant pb;
	Caisson__Wire__ClusterAnchor anchor_pb;
	struct cluster_anchor anchor;
	uint8_t anchor_signature[CS_ED25519_SIGNATURE_SIZE];
	uint8_t signature[CS_ED25519_SIGNATURE_SIZE];
	uint8_t certificate[CLUSTER_CERTIFICATE_SIZE_MAX];
	uint8_t sealed[CLUSTER_KEYS_SIZE_MAX + CS_HPKE_OVERHEAD];
};

/* Both signatures, and the build that the Guard saw against the manifest in force here. */
static enum cs_err check_vouch(const struct cluster_key_server *ks,
			       const struct cluster_session *session,
			       const Caisson__Wire__ClusterVouchRequest *vouch,
			       const struct verify_time *now, struct cs_why *why)
{
	struct cs_ed25519_key guard, worker;
	CLUSTER_COPY(&guard, vouch->guard_key);
	CLUSTER_COPY(&worker, vouch->csr->key);
	const struct cs_hash guard_spki = cluster_spki_hash(&guard);
	const struct cs_hash worker_spki = cluster_spki_hash(&worker);
	if (!cs_hash_eq(&guard_spki, &session->peer.spki))
		return cs_fail(why, CS_ERR_WRONG_KEY, "the guard's key is not the session's");
	struct cs_hash hash = cluster_hash_vouch(lineage_of(ks), &session->channel, vouch);
	if (cs_ed25519_verify(&guard, CS_BYTES_OF(hash.b), wire_pb_view(vouch->signature)) != CS_OK)
		return cs_fail(why, CS_ERR_BAD_SIGNATURE, "the guard did not sign this");
	hash = cluster_hash_csr(lineage_of(ks), vouch->csr);
	if (cs_ed25519_verify(&worker, CS_BYTES_OF(hash.b), wire_pb_view(vouch->csr->signature)) !=
	    CS_OK)
		return cs_fail(why, CS_ERR_BAD_SIGNATURE, "the worker did not sign its request");
	if (cluster_revoked(ks->revoked, ks->revoked_count, &worker_spki))
		return cs_fail(why, CS_ERR_REVOKED, "the worker's key was revoked");
	if (vouch->platform.len != 0) {
		struct cs_hash platform;
		if (vouch->platform.len != sizeof platform.b)
			return cs_fail(why, CS_ERR_INVALID, "a platform is a hash");
		CLUSTER_COPY(&platform, vouch->platform);
		if (cluster_revoked(ks->revoked, ks->revoked_count, &platform))
			return cs_fail(why, CS_ERR_REVOKED, "the worker's platform was revoked");
	}
	if (vouch->manifest_number < ks->manifest->peer_number_min)
		return cs_fail(why, CS_ERR_WRONG_MANIFEST,
			       "vouched for under a manifest that is too old");
	return cluster_manifest_allows(ks->manifest, cs_bytes_str(vouch->build),
				       cs_bytes_str(vouch->csr->application), now, why);
}

static enum cs_err make_certificate(const struct cluster_key_server *ks, struct grant *grant,
				    const Caisson__Wire__ClusterCsr *csr,
				    const struct cs_secret *random, const struct verify_time *now)
{
	const size_t last = ks->epoch_count - 1;
	const struct cs_bytes application = cs_bytes_str(csr->application);
	struct cluster_certificate c = {
		.role = CLUSTER_WORKER,
		.insecure = ks->manifest->insecure,
		.lineage = *lineage_of(ks),
		.epoch = ks->epochs[last].number,
		.application_size = application.n,
		.issuer = ks->authorities[last].key,
	};
	struct cs_secret serial;
	struct cs_buf out;
	memcpy(c.application, application.p, application.n);
	CLUSTER_COPY(&c.key, csr->key);
	cluster_random(&serial, random, "serial");
	memcpy(c.serial, serial.b, sizeof c.serial);
	c.serial[0] = (uint8_t)(0x40 | (c.serial[0] & 0x3f));
	c.not_before_s = cluster_life_begin(now, ks->manifest->worker_life_s);
	c.not_after_s = c.not_before_s + ks->manifest->worker_life_s;
	/* Nothing outlives what signed it; and what ended signs nothing. */
	if (c.not_after_s > ks->certificate_until_s)
		c.not_after_s = ks->certificate_until_s;
	CS_TRY(verify_time_before(now, c.not_after_s + 1));
	cs_buf_init(&out, grant->certificate, sizeof grant->certificate);
	CS_TRY(cluster_certificate_write(&out, &c, &ks->authorities[last].secret));
	grant->pb.certificate = cluster_field(cs_buf_view(&out));
	return CS_OK;
}

/* The application's keys of all epochs in force, which only the worker can open. */
static enum cs_err seal_keys(const struct cluster_key_server *ks, struct grant *grant,
			     const Caisson__Wire__ClusterCsr *csr, const struct cs_hash *csr_hash,
			     const struct cs_secret *random)
{
	struct cluster_ring ring = {.count = ks->epoch_count};
	struct cs_x25519_key box;
	struct cs_secret ephemeral;
	struct cs_buf plain;
	uint8_t memory[CLUSTER_KEYS_SIZE_MAX], info[CLUSTER_INFO_SIZE];
	for (size_t i = 0; i < ring.count; i++) {
		ring.keys[i].epoch = ks->epochs[i].number;
		ring.keys[i].decrypt_until_s = ks->epochs[i].decrypt_until_s;
		cluster_key_application(&ring.keys[i].key, &ks->epochs[i], lineage_of(ks),
					ks->manifest->insecure, CLUSTER_WORKER,
					cs_bytes_str(csr->application));
	}
	cs_buf_init(&plain, memory, sizeof memory);
	cluster_keys_pack(&plain, &ring);
	cluster_random(&ephemeral, random, "ephemeral");
	cluster_info(info, "caisson/cluster/keys/v1", lineage_of(ks));
	CLUSTER_COPY(&box, csr->box_key);
	const enum cs_err err = cs_hpke_seal(grant->sealed, &box, &ephemeral, CS_BYTES_OF(info),
					     CS_BYTES_OF(csr_hash->b), cs_buf_view(&plain));
	grant->pb.sealed = cluster_field(cs_bytes(grant->sealed, plain.n + CS_HPKE_OVERHEAD));
	cs_wipe(&ring, sizeof ring);
	cs_wipe(&ephemeral, sizeof ephemeral);
	cs_wipe(memory, sizeof memory);
	return err;
}

static enum cs_err make_grant(const struct cluster_key_server *ks, struct grant *grant,
			      const Caisson__Wire__ClusterCsr *csr,
			      const struct cluster_tools *tools, const struct cs_secret *random,
			      const struct verify_time *now, struct cs_why *why)
{
	const struct cs_hash csr_hash = cluster_hash_csr(lineage_of(ks), csr);
	caisson__wire__cluster_grant__init(&grant->pb);
	CS_TRY(CLUSTER_DECODE(&grant->pb.statement, cluster_statement, cs_buf_view(&ks->statement),
			      tools->arena, why));
	CS_TRY(make_certificate(ks, grant, csr, random, now));
	CS_TRY(seal_keys(ks, grant, csr, &csr_hash, random));
	cluster_key_server_anchor(ks, &grant->anchor);
	CS_TRY(sign_anchor(ks, &grant->anchor, grant->anchor_signature, &grant->anchor_pb));
	grant->pb.anchor = &grant->anchor_pb;
	grant->pb.n_revoked = ks->revoked_count;
	grant->pb.revoked = cluster_fields(tools->arena, ks->revoked, ks->revoked_count);
	if (grant->pb.revoked == NULL)
		return CS_ERR_NO_MEMORY;
	const struct cs_hash hash = cluster_hash_grant(lineage_of(ks), &csr_hash, &grant->pb);
	CS_TRY(cs_ed25519_sign(grant->signature, &ks->authorities[ks->epoch_count - 1].secret,
			       CS_BYTES_OF(hash.b)));
	grant->pb.signature = CLUSTER_FIELD(grant->signature);
	return CS_OK;
}

/* Nothing is issued by a server that may be an old copy of itself, or whose own papers have run out. */
static enum cs_err check_able(const struct cluster_key_server *ks, const struct verify_time *now,
			      struct cs_why *why)
{
	if (ks->epoch_count == 0)
		return cs_fail(why, CS_ERR_NO_KEY, "there is no cluster yet");
	if (ks->behind)
		return cs_fail(why, CS_ERR_ROLLED_BACK, "this key server's state is behind");
	if (ks->statement_s == 0 || ks->epoch_manifest_number > ks->manifest->number)
		return cs_fail(why, CS_ERR_UNAVAILABLE, "no evidence has been made yet");
	enum cs_err err =
		verify_time_before(now, ks->statement_s + CLUSTER_STATEMENT_AGE_MAX_S + 1);
	if (err == CS_OK)
		err = verify_time_before(now, ks->certificate_until_s + 1);
	return err == CS_OK ? CS_OK : cs_fail(why, err, "this key server's evidence is too old");
}

enum cs_err cluster_key_server_issue(struct cluster_key_server *ks,
				     const struct cluster_session *session, struct cs_buf *out,
				     struct cs_bytes bytes, const struct cluster_tools *tools,
				     const struct cs_secret *random, const struct verify_time *now,
				     struct cs_why *why)
{
	Caisson__Wire__ClusterVouchRequest *vouch = NULL;
	struct grant grant;
	CS_TRY(check_able(ks, now, why));
	CS_TRY(cluster_session_check(session, CLUSTER_GUARD, ks->manifest, ks->revoked,
				     ks->revoked_count, now, why));
	const size_t mark = cs_arena_mark(tools->arena);
	enum cs_err err = CLUSTER_DECODE(&vouch, cluster_vouch_request, bytes, tools->arena, why);
	if (err == CS_OK)
		err = check_vouch(ks, session, vouch, now, why);
	if (err == CS_OK)
		err = make_grant(ks, &grant, vouch->csr, tools, random, now, why);
	if (err == CS_OK)
		err = wire_encode(out, &grant.pb.base, why);
	give_back(tools->arena, mark);
	return err;
}

enum cs_err cluster_key_server_revoked(const struct cluster_key_server *ks,
				       const struct cluster_session *session, struct cs_buf *out,
				       struct cs_bytes request, const struct cluster_tools *tools,
				       const struct verify_time *now, struct cs_why *why)
{
	uint8_t signature[CS_ED25519_SIGNATURE_SIZE];
	CS_TRY(cluster_session_check(session, CLUSTER_GUARD, ks->manifest, ks->revoked,
				     ks->revoked_count, now, why));
	if (ks->epoch_count == 0)
		return cs_fail(why, CS_ERR_NO_KEY, "there is no cluster yet");
	const struct cs_hash hash =
		cluster_hash_revoked(lineage_of(ks), ks->revoked, ks->revoked_count);
	CS_TRY(cs_ed25519_sign(signature, &ks->anchor.secret, CS_BYTES_OF(hash.b)));
	return cluster_revoked_write(out, request, ks->revoked, ks->revoked_count, signature,
				     tools->arena, why);
}

/* ---- a second Key Server ---- */

#define INFO_COPY "caisson/cluster/copy/v1"

/* Both ends of the session, so that a copy is of use in no other one. */
static struct cs_hash copy_aad(const struct cluster_session *session)
{
	const struct cluster_channel *channel = &session->channel;
	const struct cs_bytes pieces[] = {CS_BYTES_OF(channel->exporter.b),
					  CS_BYTES_OF(channel->client_spki.b),
					  CS_BYTES_OF(channel->server_spki.b)};
	return cs_sha256_join(pieces, CS_LEN(pieces));
}

enum cs_err cluster_key_server_copy_ask(const struct cluster_key_server *ks, struct cs_secret *box,
					struct cs_buf *out, const struct cs_secret *random,
					struct cs_why *why)
{
	Caisson__Wire__ClusterCopyRequest request = CAISSON__WIRE__CLUSTER_COPY_REQUEST__INIT;
	struct cs_x25519_key key;
	if (ks->epoch_count > 0 && !ks->standby)
		return cs_fail(why, CS_ERR_CONFLICT, "this key server has a cluster of its own");
	cluster_random(box, random, "box");
	CS_TRY(cs_x25519_public(&key, box));
	request.box_key = CLUSTER_FIELD(key);
	return wire_encode(out, &request.base, why);
}

enum cs_err cluster_key_server_copy(const struct cluster_key_server *ks,
				    const struct cluster_session *session, struct cs_buf *out,
				    struct cs_bytes bytes, const struct cluster_tools *tools,
				    const struct cs_secret *random, const struct verify_time *now,
				    struct cs_why *why)
{
	Caisson__Wire__ClusterCopyRequest *request = NULL;
	Caisson__Wire__ClusterCopyReply reply = CAISSON__WIRE__CLUSTER_COPY_REPLY__INIT;
	struct cs_x25519_key box;
	struct cs_secret ephemeral;
	struct cs_buf state;
	uint8_t info[CLUSTER_INFO_SIZE];
	CS_TRY(check_able(ks, now, why));
	CS_TRY(cluster_session_check(session, CLUSTER_KEY_SERVER, ks->manifest, ks->revoked,
				     ks->revoked_count, now, why));
	const struct cs_hash aad = copy_aad(session);
	const size_t mark = cs_arena_mark(tools->arena);
	enum cs_err err = CLUSTER_DECODE(&request, cluster_copy_request, bytes, tools->arena, why);
	if (err == CS_OK)
		err = cs_buf_init_arena(&state, tools->arena, CLUSTER_STATE_SIZE_MAX);
	if (err == CS_OK)
		err = cluster_key_server_encode(ks, &state, tools->arena, why);
	uint8_t *sealed = cs_arena_alloc(tools->arena, CLUSTER_STATE_SIZE_MAX + CS_HPKE_OVERHEAD);
	if (err == CS_OK && sealed == NULL)
		err = CS_ERR_NO_MEMORY;
	if (err == CS_OK) {
		CLUSTER_COPY(&box, request->box_key);
		cluster_random(&ephemeral, random, "ephemeral");
		cluster_info(info, INFO_COPY, lineage_of(ks));
		err = cs_hpke_seal(sealed, &box, &ephemeral, CS_BYTES_OF(info), CS_BYTES_OF(aad.b),
				   cs_buf_view(&state));
		cs_wipe(&ephemeral, sizeof ephemeral);
	}
	if (err == CS_OK) {
		reply.sealed = cluster_field(cs_bytes(sealed, state.n + CS_HPKE_OVERHEAD));
		err = wire_encode(out, &reply.base, why);
	}
	give_back(tools->arena, mark);
	return err;
}

/* What it has already must not be newer than what comes. */
static enum cs_err check_newer(const struct cluster_key_server *ks,
			       const struct cluster_key_server *taken, struct cs_why *why)
{
	if (ks->epoch_count == 0)
		return CS_OK;
	const uint64_t own = ks->epochs[ks->epoch_count - 1].number;
	const uint64_t other = taken->epochs[taken->epoch_count - 1].number;
	if (other < own ||
	    !cs_bytes_eq(CS_BYTES_OF(ks->anchor.key.b), CS_BYTES_OF(taken->anchor.key.b)))
		return cs_fail(why, CS_ERR_ROLLED_BACK,
			       "the copy has epoch %llu, this standby %llu",
			       (unsigned long long)other, (unsigned long long)own);
	return CS_OK;
}

static enum cs_err take_copy(struct cluster_key_server *taken, const struct cluster_key_server *ks,
			     const struct cluster_session *session, const struct cs_secret *box,
			     struct cs_bytes reply, const struct cluster_tools *tools,
			     struct cs_why *why)
{
	Caisson__Wire__ClusterCopyReply *pb = NULL;
	Caisson__Wire__ClusterKeyServerState *state = NULL;
	uint8_t info[CLUSTER_INFO_SIZE];
	const struct cs_hash aad = copy_aad(session);
	cluster_info(info, INFO_COPY, lineage_of(ks));
	CS_TRY(CLUSTER_DECODE(&pb, cluster_copy_reply, reply, tools->arena, why));
	uint8_t *plain = cs_arena_alloc(tools->arena, pb->sealed.len + 1);
	if (plain == NULL)
		return CS_ERR_NO_MEMORY;
	const enum cs_err err = cs_hpke_open(plain, box, CS_BYTES_OF(info), CS_BYTES_OF(aad.b),
					     wire_pb_view(pb->sealed));
	if (err != CS_OK)
		return cs_fail(why, err, "the copy does not open");
	CS_TRY(CLUSTER_DECODE(&state, cluster_key_server_state,
			      cs_bytes(plain, pb->sealed.len - CS_HPKE_OVERHEAD), tools->arena,
			      why));
	CS_TRY(cluster_key_server_take_state(taken, state, why));
	return check_newer(ks, taken, why);
}

enum cs_err cluster_key_server_adopt(struct cluster_key_server *ks,
				     const struct cluster_session *session,
				     const struct cs_secret *box, struct cs_bytes reply,
				     const struct cluster_tools *tools,
				     const struct verify_time *now, struct cs_why *why)
{
	if (ks->epoch_count > 0 && !ks->standby)
		return cs_fail(why, CS_ERR_CONFLICT, "this key server has a cluster of its own");
	CS_TRY(cluster_session_check(session, CLUSTER_KEY_SERVER, ks->manifest, ks->revoked,
				     ks->revoked_count, now, why));
	struct cluster_key_server taken = *ks;
	const size_t mark = cs_arena_mark(tools->arena);
	const enum cs_err err = take_copy(&taken, ks, session, box, reply, tools, why);
	give_back(tools->arena, mark);
	if (err == CS_OK) {
		taken.standby = true;
		taken.behind = false;
		taken.counter = ks->counter + 1;
		*ks = taken;
	}
	cs_wipe(&taken, sizeof taken);
	return err;
}
