#include "verify/cluster/guard.h"

#include "verify/cluster/inner.h"

#include <string.h>

static const struct cs_hash *lineage_of(const struct cluster_guard *guard)
{
	return cluster_manifest_lineage(guard->manifest);
}

/* ---- life ---- */

enum cs_err cluster_guard_init(struct cluster_guard *guard, const struct cluster_manifest *manifest,
			       const struct cs_secret *random)
{
	struct cs_secret identity;
	memset(guard, 0, sizeof *guard);
	guard->manifest = manifest;
	cluster_random(&identity, random, "identity");
	const enum cs_err err = cluster_pair_make(&guard->identity, &identity);
	cs_wipe(&identity, sizeof identity);
	return err;
}

void cluster_guard_done(struct cluster_guard *guard)
{
	cs_wipe(guard, sizeof *guard);
}

enum cs_err cluster_guard_encode(const struct cluster_guard *guard, struct cs_buf *out,
				 struct cs_arena *arena, struct cs_why *why)
{
	Caisson__Wire__ClusterGuardState state = CAISSON__WIRE__CLUSTER_GUARD_STATE__INIT;
	Caisson__Wire__ClusterAnchor anchor;
	(void)arena;
	state.lineage = CLUSTER_FIELD(*lineage_of(guard));
	state.identity = CLUSTER_FIELD(guard->identity.secret);
	if (guard->has_anchor) {
		cluster_anchor_to_pb(&anchor, &guard->anchor, guard->anchor_signature);
		state.anchor = &anchor;
		state.anchor_key = CLUSTER_FIELD(guard->anchor_key);
	}
	return wire_encode(out, &state.base, why);
}

static enum cs_err take_state(struct cluster_guard *guard,
			      const Caisson__Wire__ClusterGuardState *state, struct cs_why *why)
{
	struct cs_secret secret;
	struct cs_hash lineage;
	CLUSTER_COPY(&lineage, state->lineage);
	if (!cs_hash_eq(&lineage, lineage_of(guard)))
		return cs_fail(why, CS_ERR_WRONG_LINEAGE, "the state is another cluster's");
	if ((state->anchor != NULL) != (state->anchor_key.len == sizeof guard->anchor_key))
		return cs_fail(why, CS_ERR_INVALID, "state: an anchor without its key");
	CLUSTER_COPY(&secret, state->identity);
	const enum cs_err err = cluster_pair_make(&guard->identity, &secret);
	cs_wipe(&secret, sizeof secret);
	CS_TRY(err);
	guard->has_anchor = state->anchor != NULL;
	if (!guard->has_anchor)
		return CS_OK;
	CLUSTER_COPY(&guard->anchor_key, state->anchor_key);
	cluster_anchor_from_pb(&guard->anchor, state->anchor);
	CLUSTER_COPY(&guard->anchor_signature, state->anchor->signature);
	return cluster_anchor_verify(state->anchor, lineage_of(guard), &guard->anchor_key, why);
}

enum cs_err cluster_guard_restore(struct cluster_guard *guard, struct cs_bytes bytes,
				  const struct cluster_tools *tools, struct cs_why *why)
{
	Caisson__Wire__ClusterGuardState *state = NULL;
	struct cluster_guard taken = *guard;
	const size_t mark = cs_arena_mark(tools->arena);
	enum cs_err err = CLUSTER_DECODE(&state, cluster_guard_state, bytes, tools->arena, why);
	if (err == CS_OK)
		err = take_state(&taken, state, why);
	cs_wipe(tools->arena->block + mark, tools->arena->used - mark);
	cs_arena_rewind(tools->arena, mark);
	if (err == CS_OK)
		*guard = taken;
	cs_wipe(&taken, sizeof taken);
	return err;
}

enum cs_err cluster_guard_manifest(struct cluster_guard *guard, const struct cluster_manifest *next,
				   struct cs_why *why)
{
	const struct cluster_manifest *before = guard->manifest;
	if (next->number != before->number + 1 ||
	    !cs_hash_eq(&next->hashes[before->number - 1], &before->hash))
		return cs_fail(why, CS_ERR_WRONG_LINEAGE, "manifest %llu does not follow %llu",
			       (unsigned long long)next->number,
			       (unsigned long long)before->number);
	guard->manifest = next;
	return CS_OK;
}

/* ---- towards the Key Server ---- */

enum cs_err cluster_guard_hello(const struct cluster_guard *guard,
				const struct cluster_session *session, struct cs_buf *out,
				const struct cluster_tools *tools, struct cs_why *why)
{
	Caisson__Wire__ClusterAnchor anchor;
	if (guard->has_anchor)
		cluster_anchor_to_pb(&anchor, &guard->anchor, guard->anchor_signature);
	return cluster_hello_write(out, CLUSTER_GUARD, &guard->identity.key, session,
				   guard->manifest, guard->has_anchor ? &anchor : NULL, tools, why);
}

enum cs_err cluster_guard_meet(struct cluster_guard *guard, struct cluster_session *session,
			       struct cs_bytes hello, const struct cluster_tools *tools,
			       const struct verify_time *now, struct cs_why *why)
{
	const Caisson__Wire__ClusterHello *pb = NULL;
	struct cluster_peer peer;
	const size_t mark = cs_arena_mark(tools->arena);
	enum cs_err err =
		cluster_hello_read(&peer, &pb, session, guard->manifest, hello, tools, now, why);
	if (err == CS_OK && peer.role != CLUSTER_KEY_SERVER)
		err = cs_fail(why, CS_ERR_FORBIDDEN, "the peer is a %s, no key server",
			      cluster_role_name(peer.role));
	cs_arena_rewind(tools->arena, mark);
	if (err != CS_OK)
		return err;
	session->peer = peer;
	session->verified = true;
	return CS_OK;
}

/* A Key Server of an epoch before the newest one known, or an instance behind its own last word. */
static bool is_older(const struct cluster_anchor *a, const struct cluster_anchor *than)
{
	if (cs_hash_eq(&a->key_server, &than->key_server) && a->counter < than->counter)
		return true;
	return a->epoch < than->epoch || a->manifest_number < than->manifest_number ||
	       (a->epoch == than->epoch &&
		!cs_bytes_eq(CS_BYTES_OF(a->authority.b), CS_BYTES_OF(than->authority.b)));
}

static enum cs_err look_at_anchor(struct cluster_guard *guard, bool *changed,
				  const Caisson__Wire__ClusterGrant *grant, struct cs_why *why)
{
	struct cs_ed25519_key key;
	struct cluster_anchor anchor;
	CLUSTER_COPY(&key, grant->statement->anchor_key);
	if (guard->has_anchor && !cs_bytes_eq(CS_BYTES_OF(key.b), CS_BYTES_OF(guard->anchor_key.b)))
		return cs_fail(why, CS_ERR_WRONG_KEY, "the anchor key is not the one of before");
	CS_TRY(cluster_anchor_verify(grant->anchor, lineage_of(guard), &key, why));
	cluster_anchor_from_pb(&anchor, grant->anchor);
	if (guard->has_anchor && is_older(&anchor, &guard->anchor))
		return cs_fail(why, CS_ERR_ROLLED_BACK,
			       "the key server is at epoch %llu, one was at %llu before",
			       (unsigned long long)anchor.epoch,
			       (unsigned long long)guard->anchor.epoch);
	*changed = !guard->has_anchor || anchor.epoch != guard->anchor.epoch ||
		   anchor.counter != guard->anchor.counter ||
		   anchor.manifest_number != guard->anchor.manifest_number ||
		   !cs_hash_eq(&anchor.key_server, &guard->anchor.key_server);
	guard->has_anchor = true;
	guard->anchor_key = key;
	guard->anchor = anchor;
	CLUSTER_COPY(&guard->anchor_signature, grant->anchor->signature);
	return CS_OK;
}

enum cs_err cluster_guard_carry(struct cluster_guard *guard, bool *changed,
				const struct cluster_session *session, struct cs_bytes bytes,
				const struct cluster_tools *tools, struct cs_why *why)
{
	Caisson__Wire__ClusterGrant *grant = NULL;
	if (!session->verified || session->peer.role != CLUSTER_KEY_SERVER)
		return cs_fail(why, CS_ERR_UNAUTHORIZED, "no key server has shown itself here");
	const size_t mark = cs_arena_mark(tools->arena);
	enum cs_err err = CLUSTER_DECODE(&grant, cluster_grant, bytes, tools->arena, why);
	*changed = false;
	if (err == CS_OK)
		err = look_at_anchor(guard, changed, grant, why);
	cs_arena_rewind(tools->arena, mark);
	return err;
}

enum cs_err cluster_guard_revoked_ask(const struct cluster_guard *guard, struct cs_buf *out,
				      struct cs_why *why)
{
	Caisson__Wire__ClusterRevokedRequest request = CAISSON__WIRE__CLUSTER_REVOKED_REQUEST__INIT;
	request.count = (uint32_t)guard->revoked_count;
	return wire_encode(out, &request.base, why);
}

enum cs_err cluster_guard_revoked_hear(struct cluster_guard *guard, bool *changed,
				       struct cs_bytes reply, const struct cluster_tools *tools,
				       struct cs_why *why)
{
	*changed = false;
	if (!guard->has_anchor)
		return cs_fail(why, CS_ERR_NO_KEY, "no grant was carried yet");
	const size_t before = guard->revoked_count;
	CS_TRY(cluster_revoked_read(guard->revoked, &guard->revoked_count, guard->revoked_signature,
				    reply, lineage_of(guard), &guard->anchor_key, tools->arena,
				    why));
	*changed = guard->revoked_count > before;
	return CS_OK;
}

/* ---- towards Workers ---- */

enum cs_err cluster_guard_revoked(const struct cluster_guard *guard, struct cs_buf *out,
				  struct cs_bytes request, const struct cluster_tools *tools,
				  struct cs_why *why)
{
	return cluster_revoked_write(out, request, guard->revoked, guard->revoked_count,
				     guard->revoked_signature, tools->arena, why);
}

static void forget_old(struct cluster_guard *guard, const struct verify_time *now)
{
	for (size_t i = 0; i < CLUSTER_CHALLENGES_MAX; i++)
		if (verify_time_before(now, guard->challenges[i].made_s +
						    CLUSTER_CHALLENGE_AGE_MAX_S + 1) != CS_OK)
			memset(&guard->challenges[i], 0, sizeof guard->challenges[i]);
}

enum cs_err cluster_guard_challenge(struct cluster_guard *guard, struct cs_buf *out,
				    const struct cs_secret *random, const struct verify_time *now,
				    struct cs_why *why)
{
	Caisson__Wire__ClusterChallengeReply reply = CAISSON__WIRE__CLUSTER_CHALLENGE_REPLY__INIT;
	struct cs_secret challenge;
	size_t at = 0;
	if (now->high_s == 0)
		return cs_fail(why, CS_ERR_NO_TIME, "nothing bounds the time");
	forget_old(guard, now);
	while (at < CLUSTER_CHALLENGES_MAX && !cs_hash_is_zero(&guard->challenges[at].challenge))
		at++;
	if (at == CLUSTER_CHALLENGES_MAX)
		return cs_fail(why, CS_ERR_FULL, "%u workers wait", CLUSTER_CHALLENGES_MAX);
	cluster_random(&challenge, random, "challenge");
	reply.challenge = CLUSTER_FIELD(challenge);
	reply.guard_key = CLUSTER_FIELD(guard->identity.key);
	CS_TRY(wire_encode(out, &reply.base, why));
	memcpy(guard->challenges[at].challenge.b, challenge.b, sizeof challenge.b);
	guard->challenges[at].made_s = now->low_s;
	return CS_OK;
}

/* Once: whatever comes of it, it is not taken again. */
static enum cs_err spend(struct cluster_guard *guard, const struct cs_hash *challenge,
			 const struct verify_time *now, struct cs_why *why)
{
	for (size_t i = 0; i < CLUSTER_CHALLENGES_MAX; i++) {
		if (cs_hash_is_zero(challenge) ||
		    !cs_hash_eq(&guard->challenges[i].challenge, challenge))
			continue;
		const uint64_t end_s =
			guard->challenges[i].made_s + CLUSTER_CHALLENGE_AGE_MAX_S + 1;
		memset(&guard->challenges[i], 0, sizeof guard->challenges[i]);
		const enum cs_err err = verify_time_before(now, end_s);
		return err == CS_OK ? CS_OK : cs_fail(why, err, "the challenge is too old");
	}
	return cs_fail(why, CS_ERR_UNKNOWN_NONCE, "no such challenge, or it was answered before");
}

/* A guard vouches for its own machine. Which one that is can be told where both have the same kind of
 * hardware and its maker names it. */
static enum cs_err check_machine(const struct cluster_guard *guard,
				 const struct cluster_peer *worker, struct cs_why *why)
{
	const struct cluster_platform *own = &guard->self.platform;
	if (worker->kind != guard->self.kind || !own->known)
		return CS_OK;
	return worker->platform.known && cs_hash_eq(&worker->platform.id, &own->id)
		       ? CS_OK
		       : cs_fail(why, CS_ERR_FORBIDDEN, "the worker is on another machine");
}

static enum cs_err check_worker(const struct cluster_guard *guard, struct cluster_peer *worker,
				const Caisson__Wire__ClusterJoinRequest *join,
				const struct cs_hash *challenge, const struct cluster_tools *tools,
				const struct verify_time *now, struct cs_why *why)
{
	struct cs_ed25519_key key;
	CLUSTER_COPY(&key, join->csr->key);
	const struct cs_hash csr = cluster_hash_csr(lineage_of(guard), join->csr);
	const struct cs_hash own = cluster_spki_hash(&guard->identity.key);
	if (cs_ed25519_verify(&key, CS_BYTES_OF(csr.b), wire_pb_view(join->csr->signature)) !=
	    CS_OK)
		return cs_fail(why, CS_ERR_BAD_SIGNATURE, "the worker did not sign its request");
	const struct cluster_expected expected = {
		.role = CLUSTER_WORKER,
		.spki = cluster_spki_hash(&key),
		.fresh = cluster_fresh_local(lineage_of(guard), &own, challenge, &csr),
	};
	CS_TRY(cluster_evidence_verify(worker, join->evidence, &expected, guard->manifest, tools,
				       now, why));
	CS_TRY(check_machine(guard, worker, why));
	return cluster_manifest_allows(guard->manifest, cs_bytes(worker->build, worker->build_size),
				       cs_bytes_str(join->csr->application), now, why);
}

static enum cs_err sign_vouch(const struct cluster_guard *guard,
			      const struct cluster_session *session, struct cs_buf *out,
			      Caisson__Wire__ClusterCsr *csr, struct cluster_peer *worker,
			      struct cs_why *why)
{
	Caisson__Wire__ClusterVouchRequest vouch = CAISSON__WIRE__CLUSTER_VOUCH_REQUEST__INIT;
	uint8_t signature[CS_ED25519_SIGNATURE_SIZE];
	vouch.csr = csr;
	vouch.build = worker->build;
	vouch.kind = (uint32_t)worker->kind;
	vouch.manifest_number = guard->manifest->number;
	vouch.guard_key = CLUSTER_FIELD(guard->identity.key);
	if (worker->platform.known)
		vouch.platform = CLUSTER_FIELD(worker->platform.id);
	const struct cs_hash hash =
		cluster_hash_vouch(lineage_of(guard), &session->channel, &vouch);
	CS_TRY(cs_ed25519_sign(signature, &guard->identity.secret, CS_BYTES_OF(hash.b)));
	vouch.signature = CLUSTER_FIELD(signature);
	return wire_encode(out, &vouch.base, why);
}

enum cs_err cluster_guard_vouch(struct cluster_guard *guard, const struct cluster_session *session,
				struct cs_buf *out, struct cs_bytes bytes,
				const struct cluster_tools *tools, const struct verify_time *now,
				struct cs_why *why)
{
	Caisson__Wire__ClusterJoinRequest *join = NULL;
	struct cluster_peer worker;
	struct cs_hash challenge;
	CS_TRY(cluster_session_check(session, CLUSTER_KEY_SERVER, guard->manifest, NULL, 0, now,
				     why));
	const size_t mark = cs_arena_mark(tools->arena);
	enum cs_err err = CLUSTER_DECODE(&join, cluster_join_request, bytes, tools->arena, why);
	if (err == CS_OK) {
		CLUSTER_COPY(&challenge, join->challenge);
		err = spend(guard, &challenge, now, why);
	}
	if (err == CS_OK)
		err = check_worker(guard, &worker, join, &challenge, tools, now, why);
	if (err == CS_OK)
		err = sign_vouch(guard, session, out, join->csr, &worker, why);
	cs_arena_rewind(tools->arena, mark);
	return err;
}
