#include "verify/cluster/worker.h"

#include "verify/cluster/inner.h"

#include <string.h>

static const struct cs_hash *lineage_of(const struct cluster_worker *worker)
{
	return cluster_manifest_lineage(worker->manifest);
}

/* ---- life ---- */

enum cs_err cluster_worker_init(struct cluster_worker *worker,
				const struct cluster_manifest *manifest,
				struct cs_bytes application, const struct cs_secret *random)
{
	struct cs_secret identity;
	if (application.n == 0 || application.n > CLUSTER_APPLICATION_SIZE_MAX)
		return CS_ERR_INVALID;
	memset(worker, 0, sizeof *worker);
	worker->manifest = manifest;
	worker->application_size = application.n;
	memcpy(worker->application, application.p, application.n);
	cluster_random(&identity, random, "identity");
	const enum cs_err err = cluster_pair_make(&worker->identity, &identity);
	cs_wipe(&identity, sizeof identity);
	return err;
}

void cluster_worker_done(struct cluster_worker *worker)
{
	cs_wipe(worker, sizeof *worker);
}

enum cs_err cluster_worker_manifest(struct cluster_worker *worker,
				    const struct cluster_manifest *next, struct cs_why *why)
{
	const struct cluster_manifest *before = worker->manifest;
	if (next->number != before->number + 1 ||
	    !cs_hash_eq(&next->hashes[before->number - 1], &before->hash))
		return cs_fail(why, CS_ERR_WRONG_LINEAGE, "manifest %llu does not follow %llu",
			       (unsigned long long)next->number,
			       (unsigned long long)before->number);
	worker->manifest = next;
	return CS_OK;
}

/* Nothing is left that could be used. */
static void drop_keys(struct cluster_worker *worker)
{
	cs_wipe(&worker->ring, sizeof worker->ring);
	memset(&worker->trust, 0, sizeof worker->trust);
	memset(worker->certificate, 0, sizeof worker->certificate);
	worker->certificate_size = 0;
}

void cluster_worker_tick(struct cluster_worker *worker, const struct verify_time *now)
{
	struct cluster_ring *ring = &worker->ring;
	if (worker->certificate_size == 0)
		return;
	if (verify_time_before(now, ring->until_s + 1) != CS_OK) {
		drop_keys(worker);
		return;
	}
	while (ring->count > 1 &&
	       verify_time_before(now, ring->keys[0].decrypt_until_s + 1) != CS_OK) {
		memmove(&ring->keys[0], &ring->keys[1], (ring->count - 1) * sizeof ring->keys[0]);
		cs_wipe(&ring->keys[--ring->count], sizeof ring->keys[0]);
	}
}

bool cluster_worker_due(const struct cluster_worker *worker, const struct verify_time *now)
{
	const uint64_t half_s = worker->begun_s + (worker->ring.until_s - worker->begun_s) / 2;
	return worker->certificate_size == 0 || now->high_s == 0 || now->high_s >= half_s ||
	       worker->manifest_number < worker->manifest->number;
}

/* ---- asking ---- */

static enum cs_err make_csr(struct cluster_worker *worker, Caisson__Wire__ClusterCsr *csr,
			    struct cs_x25519_key *box_key, struct cs_secret *nonce,
			    uint8_t signature[CS_ED25519_SIGNATURE_SIZE],
			    const struct cs_secret *random)
{
	caisson__wire__cluster_csr__init(csr);
	cluster_random(&worker->box, random, "box");
	cluster_random(nonce, random, "nonce");
	CS_TRY(cs_x25519_public(box_key, &worker->box));
	csr->application = worker->application;
	csr->key = CLUSTER_FIELD(worker->identity.key);
	csr->box_key = CLUSTER_FIELD(*box_key);
	csr->nonce = CLUSTER_FIELD(*nonce);
	worker->csr = cluster_hash_csr(lineage_of(worker), csr);
	CS_TRY(cs_ed25519_sign(signature, &worker->identity.secret, CS_BYTES_OF(worker->csr.b)));
	csr->signature = cluster_field(cs_bytes(signature, CS_ED25519_SIGNATURE_SIZE));
	return CS_OK;
}

static enum cs_err ask(struct cluster_worker *worker, struct cs_buf *out,
		       const Caisson__Wire__ClusterChallengeReply *challenge,
		       const struct cluster_tools *tools, const struct cs_secret *random,
		       struct cs_why *why)
{
	Caisson__Wire__ClusterJoinRequest join = CAISSON__WIRE__CLUSTER_JOIN_REQUEST__INIT;
	Caisson__Wire__ClusterCsr csr;
	Caisson__Wire__ClusterEvidence evidence;
	struct cs_x25519_key box_key;
	struct cs_ed25519_key guard;
	struct cs_secret nonce;
	struct cs_hash asked;
	uint8_t signature[CS_ED25519_SIGNATURE_SIZE];
	CS_TRY(make_csr(worker, &csr, &box_key, &nonce, signature, random));
	CLUSTER_COPY(&guard, challenge->guard_key);
	CLUSTER_COPY(&asked, challenge->challenge);
	const struct cs_hash guard_spki = cluster_spki_hash(&guard);
	const struct wire_report_fresh fresh =
		cluster_fresh_local(lineage_of(worker), &guard_spki, &asked, &worker->csr);
	CS_TRY(cluster_evidence_make(&evidence, CLUSTER_WORKER, &worker->identity.key, &fresh,
				     worker->manifest, tools, why));
	join.challenge = challenge->challenge;
	join.csr = &csr;
	join.evidence = &evidence;
	return wire_encode(out, &join.base, why);
}

enum cs_err cluster_worker_ask(struct cluster_worker *worker, struct cs_buf *out,
			       struct cs_bytes bytes, const struct cluster_tools *tools,
			       const struct cs_secret *random, struct cs_why *why)
{
	Caisson__Wire__ClusterChallengeReply *challenge = NULL;
	const size_t mark = cs_arena_mark(tools->arena);
	worker->waiting = false;
	enum cs_err err =
		CLUSTER_DECODE(&challenge, cluster_challenge_reply, bytes, tools->arena, why);
	if (err == CS_OK)
		err = ask(worker, out, challenge, tools, random, why);
	cs_arena_rewind(tools->arena, mark);
	worker->waiting = err == CS_OK;
	return err;
}

/* ---- taking ---- */

/* What a grant becomes, before any of it replaces what there is. */
struct taking {
	const Caisson__Wire__ClusterGrant *grant;
	struct cluster_anchor anchor;
	struct cs_ed25519_key anchor_key;
	struct cluster_certificate certificate;
	struct cluster_trust trust;
	struct cluster_ring ring;
};

static enum cs_err take_authorities(struct cluster_trust *trust, bool insecure,
				    const struct cs_hash *lineage,
				    const ProtobufCBinaryData *certificates, size_t count,
				    struct cs_why *why)
{
	trust->lineage = *lineage;
	if (count == 0)
		return cs_fail(why, CS_ERR_MISSING_FIELD, "no authority");
	for (size_t i = 0; i < count; i++) {
		struct cluster_certificate *c = &trust->authorities[i];
		const struct cs_bytes der = wire_pb_view(certificates[i]);
		CS_TRY(cluster_certificate_read(c, der, NULL, why));
		trust->sizes[i] = der.n;
		memcpy(trust->ders[i], der.p, der.n);
		if (c->role != CLUSTER_KEY_SERVER || !c->authority)
			return cs_fail(why, CS_ERR_FORBIDDEN, "not an authority's certificate");
		if (!cs_hash_eq(&c->lineage, lineage) || c->insecure != insecure)
			return cs_fail(why, CS_ERR_WRONG_LINEAGE, "another cluster's authority");
		if (i > 0 && c->epoch <= trust->authorities[i - 1].epoch)
			return cs_fail(why, CS_ERR_NON_CANONICAL, "epochs of authorities");
	}
	trust->authority_count = count;
	return CS_OK;
}

static const struct cluster_certificate *current(const struct cluster_trust *trust)
{
	return &trust->authorities[trust->authority_count - 1];
}

/* Who says it: a build that the manifest names as a Key Server, not long ago, about these authorities. */
static enum cs_err check_statement(const struct cluster_worker *worker, struct taking *t,
				   const struct cluster_tools *tools, const struct verify_time *now,
				   struct cs_why *why)
{
	const Caisson__Wire__ClusterStatement *statement = t->grant->statement;
	const struct cs_hash *lineage = lineage_of(worker);
	struct cluster_peer key_server;
	enum cs_err err = verify_time_before(
		now, statement->issued_s + CLUSTER_STATEMENT_AGE_MAX_S + CLUSTER_CLOCK_SKEW_S + 1);
	if (err == CS_OK && statement->issued_s > CLUSTER_CLOCK_SKEW_S)
		err = verify_time_reached(now, statement->issued_s - CLUSTER_CLOCK_SKEW_S);
	if (err != CS_OK)
		return cs_fail(why, err, "the key server's evidence is not of now");
	CS_TRY(take_authorities(&t->trust, worker->manifest->insecure, lineage,
				statement->authorities, statement->n_authorities, why));
	const struct cluster_expected expected = {
		.role = CLUSTER_KEY_SERVER,
		.spki = cluster_spki_hash(&current(&t->trust)->key),
		.fresh = cluster_fresh_statement(lineage, statement),
	};
	CS_TRY(cluster_evidence_verify(&key_server, statement->evidence, &expected,
				       worker->manifest, tools, now, why));
	err = cluster_certificate_in_dates(current(&t->trust), now);
	return err == CS_OK ? CS_OK : cs_fail(why, err, "the authority's certificate");
}

/* Nothing older than what was seen, and no second cluster of one lineage. */
static enum cs_err check_anchor(const struct cluster_worker *worker, struct taking *t,
				struct cs_why *why)
{
	const Caisson__Wire__ClusterGrant *grant = t->grant;
	CLUSTER_COPY(&t->anchor_key, grant->statement->anchor_key);
	CS_TRY(cluster_anchor_verify(grant->anchor, lineage_of(worker), &t->anchor_key, why));
	cluster_anchor_from_pb(&t->anchor, grant->anchor);
	if (worker->has_anchor_key &&
	    !cs_bytes_eq(CS_BYTES_OF(t->anchor_key.b), CS_BYTES_OF(worker->anchor_key.b)))
		return cs_fail(why, CS_ERR_WRONG_KEY, "another cluster of the same manifest");
	if (t->anchor.epoch != current(&t->trust)->epoch ||
	    !cs_bytes_eq(CS_BYTES_OF(t->anchor.authority.b),
			 CS_BYTES_OF(current(&t->trust)->key.b)))
		return cs_fail(why, CS_ERR_WRONG_EPOCH, "anchor and authority are of two epochs");
	if (t->anchor.epoch < worker->epoch || t->anchor.manifest_number < worker->manifest_number)
		return cs_fail(why, CS_ERR_ROLLED_BACK,
			       "epoch %llu and manifest %llu; %llu and %llu were seen before",
			       (unsigned long long)t->anchor.epoch,
			       (unsigned long long)t->anchor.manifest_number,
			       (unsigned long long)worker->epoch,
			       (unsigned long long)worker->manifest_number);
	return CS_OK;
}

static enum cs_err check_certificate(const struct cluster_worker *worker,
				     struct cluster_certificate *c,
				     const struct cluster_trust *trust, struct cs_bytes der,
				     const struct verify_time *now, struct cs_why *why)
{
	CS_TRY(cluster_trust_verify(c, der, trust, now, why));
	if (!cs_bytes_eq(CS_BYTES_OF(c->key.b), CS_BYTES_OF(worker->identity.key.b)))
		return cs_fail(why, CS_ERR_WRONG_KEY, "the certificate is another worker's");
	if (!cs_bytes_eq(cs_bytes(c->application, c->application_size),
			 cs_bytes(worker->application, worker->application_size)))
		return cs_fail(why, CS_ERR_NOT_IN_MANIFEST,
			       "the certificate is for another application");
	if (c->epoch != current(trust)->epoch)
		return cs_fail(why, CS_ERR_WRONG_EPOCH, "the certificate is of an old epoch");
	return CS_OK;
}

static void begin_ring(struct cluster_ring *ring, const struct cluster_worker *worker,
		       const struct cluster_certificate *c)
{
	ring->lineage = *lineage_of(worker);
	ring->insecure = worker->manifest->insecure;
	ring->application_size = worker->application_size;
	memcpy(ring->application, worker->application, sizeof ring->application);
	ring->until_s = c->not_after_s;
}

static enum cs_err open_keys(const struct cluster_worker *worker, struct taking *t,
			     struct cs_why *why)
{
	uint8_t plain[CLUSTER_KEYS_SIZE_MAX], info[CLUSTER_INFO_SIZE];
	const struct cs_bytes sealed = wire_pb_view(t->grant->sealed);
	if (sealed.n < CS_HPKE_OVERHEAD || sealed.n > sizeof plain + CS_HPKE_OVERHEAD)
		return cs_fail(why, CS_ERR_TOO_LARGE, "%zu bytes of sealed keys", sealed.n);
	cluster_info(info, "caisson/cluster/keys/v1", lineage_of(worker));
	enum cs_err err = cs_hpke_open(plain, &worker->box, CS_BYTES_OF(info),
				       CS_BYTES_OF(worker->csr.b), sealed);
	if (err == CS_OK)
		err = cluster_keys_unpack(&t->ring, cs_bytes(plain, sealed.n - CS_HPKE_OVERHEAD));
	cs_wipe(plain, sizeof plain);
	if (err == CS_OK && (t->ring.count == 0 ||
			     t->ring.keys[t->ring.count - 1].epoch != current(&t->trust)->epoch))
		err = CS_ERR_WRONG_EPOCH;
	if (err != CS_OK)
		return cs_fail(why, err, "the keys: %s", cs_err_sentence(err));
	begin_ring(&t->ring, worker, &t->certificate);
	return CS_OK;
}

static enum cs_err check_grant(const struct cluster_worker *worker, struct taking *t,
			       const struct cluster_tools *tools, const struct verify_time *now,
			       struct cs_why *why)
{
	const Caisson__Wire__ClusterGrant *grant = t->grant;
	CS_TRY(check_statement(worker, t, tools, now, why));
	const struct cs_hash hash = cluster_hash_grant(lineage_of(worker), &worker->csr, grant);
	if (cs_ed25519_verify(&current(&t->trust)->key, CS_BYTES_OF(hash.b),
			      wire_pb_view(grant->signature)) != CS_OK)
		return cs_fail(why, CS_ERR_BAD_SIGNATURE,
			       "the grant is no answer of the authority's to this request");
	CS_TRY(check_anchor(worker, t, why));
	CS_TRY(cluster_hashes(t->trust.revoked, &t->trust.revoked_count, grant->revoked,
			      grant->n_revoked));
	if (!cluster_revoked_has_all(t->trust.revoked, t->trust.revoked_count,
				     worker->trust.revoked, worker->trust.revoked_count))
		return cs_fail(why, CS_ERR_ROLLED_BACK,
			       "something that was revoked is not any more");
	CS_TRY(check_certificate(worker, &t->certificate, &t->trust,
				 wire_pb_view(grant->certificate), now, why));
	return open_keys(worker, t, why);
}

static void take(struct cluster_worker *worker, const struct taking *t)
{
	const struct cs_bytes certificate = wire_pb_view(t->grant->certificate);
	worker->ring = t->ring;
	worker->trust = t->trust;
	worker->certificate_size = certificate.n;
	memcpy(worker->certificate, certificate.p, certificate.n);
	worker->begun_s = t->certificate.not_before_s;
	worker->manifest_number = t->anchor.manifest_number;
	worker->epoch = t->anchor.epoch;
	worker->has_anchor_key = true;
	worker->anchor_key = t->anchor_key;
	worker->waiting = false;
	cs_wipe(&worker->box, sizeof worker->box);
}

enum cs_err cluster_worker_take(struct cluster_worker *worker, struct cs_bytes bytes,
				const struct cluster_tools *tools, const struct verify_time *now,
				struct cs_why *why)
{
	Caisson__Wire__ClusterGrant *grant = NULL;
	struct taking t = {0};
	if (!worker->waiting)
		return cs_fail(why, CS_ERR_UNKNOWN_NONCE, "nothing was asked for");
	const size_t mark = cs_arena_mark(tools->arena);
	enum cs_err err = CLUSTER_DECODE(&grant, cluster_grant, bytes, tools->arena, why);
	if (err == CS_OK) {
		t.grant = grant;
		err = check_grant(worker, &t, tools, now, why);
	}
	if (err == CS_OK)
		take(worker, &t);
	cs_arena_rewind(tools->arena, mark);
	cs_wipe(&t, sizeof t);
	return err;
}

/* ---- what was revoked ---- */

enum cs_err cluster_worker_revoked_ask(const struct cluster_worker *worker, struct cs_buf *out,
				       struct cs_why *why)
{
	Caisson__Wire__ClusterRevokedRequest request = CAISSON__WIRE__CLUSTER_REVOKED_REQUEST__INIT;
	request.count = (uint32_t)worker->trust.revoked_count;
	return wire_encode(out, &request.base, why);
}

enum cs_err cluster_worker_revoked_hear(struct cluster_worker *worker, bool *changed,
					struct cs_bytes reply, const struct cluster_tools *tools,
					struct cs_why *why)
{
	struct cluster_trust *trust = &worker->trust;
	const struct cs_hash own = cluster_spki_hash(&worker->identity.key);
	uint8_t signature[CS_ED25519_SIGNATURE_SIZE];
	*changed = false;
	if (worker->certificate_size == 0)
		return cs_fail(why, CS_ERR_NO_KEY, "this worker has no keys");
	const size_t before = trust->revoked_count;
	CS_TRY(cluster_revoked_read(trust->revoked, &trust->revoked_count, signature, reply,
				    lineage_of(worker), &worker->anchor_key, tools->arena, why));
	*changed = trust->revoked_count > before;
	if (cluster_revoked(trust->revoked, trust->revoked_count, &own))
		drop_keys(worker);
	return CS_OK;
}

/* ---- state ---- */

static enum cs_err encode(const struct cluster_worker *worker, struct cs_buf *out,
			  struct cs_arena *arena, struct cs_why *why)
{
	Caisson__Wire__ClusterWorkerState state = CAISSON__WIRE__CLUSTER_WORKER_STATE__INIT;
	const struct cluster_trust *trust = &worker->trust;
	ProtobufCBinaryData authorities[CLUSTER_EPOCHS_MAX];
	struct cs_buf keys;
	CS_TRY(cs_buf_init_arena(&keys, arena, CLUSTER_KEYS_SIZE_MAX));
	state.lineage = CLUSTER_FIELD(*lineage_of(worker));
	state.application = (char *)(uintptr_t)worker->application;
	state.identity = CLUSTER_FIELD(worker->identity.secret);
	state.manifest_number = worker->manifest_number;
	state.epoch = worker->epoch;
	if (worker->has_anchor_key)
		state.anchor_key = CLUSTER_FIELD(worker->anchor_key);
	if (worker->certificate_size > 0) {
		cluster_keys_pack(&keys, &worker->ring);
		state.grant_keys = cluster_field(cs_buf_view(&keys));
		state.certificate =
			cluster_field(cs_bytes(worker->certificate, worker->certificate_size));
		for (size_t i = 0; i < trust->authority_count; i++)
			authorities[i] = cluster_field(cs_bytes(trust->ders[i], trust->sizes[i]));
		state.n_authorities = trust->authority_count;
		state.authorities = authorities;
		state.n_revoked = trust->revoked_count;
		state.revoked = cluster_fields(arena, trust->revoked, trust->revoked_count);
		if (state.revoked == NULL)
			return CS_ERR_NO_MEMORY;
	}
	return wire_encode(out, &state.base, why);
}

enum cs_err cluster_worker_encode(const struct cluster_worker *worker, struct cs_buf *out,
				  struct cs_arena *arena, struct cs_why *why)
{
	const size_t mark = cs_arena_mark(arena);
	const enum cs_err err = encode(worker, out, arena, why);
	cs_wipe(arena->block + mark, arena->used - mark);
	cs_arena_rewind(arena, mark);
	return err;
}

/* The grant of before, checked as it was then; one that has ended is dropped. */
static enum cs_err take_grant(struct cluster_worker *worker,
			      const Caisson__Wire__ClusterWorkerState *state,
			      const struct verify_time *now, struct cs_why *why)
{
	struct cluster_certificate c;
	const struct cs_bytes der = wire_pb_view(state->certificate);
	CS_TRY(take_authorities(&worker->trust, worker->manifest->insecure, lineage_of(worker),
				state->authorities, state->n_authorities, why));
	CS_TRY(cluster_hashes(worker->trust.revoked, &worker->trust.revoked_count, state->revoked,
			      state->n_revoked));
	CS_TRY(cluster_keys_unpack(&worker->ring, wire_pb_view(state->grant_keys)));
	const enum cs_err err = check_certificate(worker, &c, &worker->trust, der, now, why);
	if (err == CS_ERR_EXPIRED || err == CS_ERR_NO_TIME) {
		drop_keys(worker);
		return CS_OK;
	}
	CS_TRY(err);
	begin_ring(&worker->ring, worker, &c);
	worker->begun_s = c.not_before_s;
	worker->certificate_size = der.n;
	memcpy(worker->certificate, der.p, der.n);
	cluster_worker_tick(worker, now);
	return CS_OK;
}

static enum cs_err take_state(struct cluster_worker *worker,
			      const Caisson__Wire__ClusterWorkerState *state,
			      const struct verify_time *now, struct cs_why *why)
{
	struct cs_secret secret;
	struct cs_hash lineage;
	CLUSTER_COPY(&lineage, state->lineage);
	if (!cs_hash_eq(&lineage, lineage_of(worker)))
		return cs_fail(why, CS_ERR_WRONG_LINEAGE, "the state is another cluster's");
	if (!cs_bytes_eq(cs_bytes_str(state->application),
			 cs_bytes(worker->application, worker->application_size)))
		return cs_fail(why, CS_ERR_NOT_IN_MANIFEST, "the state is another application's");
	CLUSTER_COPY(&secret, state->identity);
	const enum cs_err err = cluster_pair_make(&worker->identity, &secret);
	cs_wipe(&secret, sizeof secret);
	CS_TRY(err);
	worker->manifest_number = state->manifest_number;
	worker->epoch = state->epoch;
	worker->has_anchor_key = state->anchor_key.len == sizeof worker->anchor_key;
	if (worker->has_anchor_key)
		CLUSTER_COPY(&worker->anchor_key, state->anchor_key);
	return state->certificate.len == 0 ? CS_OK : take_grant(worker, state, now, why);
}

enum cs_err cluster_worker_restore(struct cluster_worker *worker, struct cs_bytes bytes,
				   const struct cluster_tools *tools, const struct verify_time *now,
				   struct cs_why *why)
{
	Caisson__Wire__ClusterWorkerState *state = NULL;
	struct cluster_worker taken = *worker;
	const size_t mark = cs_arena_mark(tools->arena);
	enum cs_err err = CLUSTER_DECODE(&state, cluster_worker_state, bytes, tools->arena, why);
	if (err == CS_OK)
		err = take_state(&taken, state, now, why);
	cs_wipe(tools->arena->block + mark, tools->arena->used - mark);
	cs_arena_rewind(tools->arena, mark);
	if (err == CS_OK)
		*worker = taken;
	cs_wipe(&taken, sizeof taken);
	return err;
}
