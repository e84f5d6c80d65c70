#include "verify/cluster/peer.h"

#include "verify/attest/appraise.h"
#include "wire/convert.h"

#include <string.h>

static enum wire_report_role report_role(enum cluster_role role)
{
	switch (role) {
	case CLUSTER_KEY_SERVER:
		return WIRE_REPORT_KEY_SERVER;
	case CLUSTER_GUARD:
		return WIRE_REPORT_GUARD;
	case CLUSTER_WORKER:
		return WIRE_REPORT_WORKER;
	}
	cs_assert(false);
	return WIRE_REPORT_WORKER;
}

static void report_data(uint8_t out[WIRE_REPORT_DATA_SIZE], enum cluster_role role,
			const struct cs_hash *spki, const struct wire_report_fresh *fresh,
			const Caisson__Wire__ClusterEvidence *evidence,
			const struct cluster_manifest *manifest)
{
	struct wire_report report = {
		.role = report_role(role),
		.key = *spki,
		.fresh = *fresh,
		.manifest_number = evidence->manifest_number,
		.lineage = *cluster_manifest_lineage(manifest),
		.schema_digest = wire_cluster_schema_digest,
		.insecure_flags = evidence->insecure_flags,
	};
	memcpy(report.manifest_hash.b, evidence->manifest_hash.data, sizeof report.manifest_hash.b);
	wire_report_data(out, &report);
}

enum cs_err cluster_evidence_make(Caisson__Wire__ClusterEvidence *out, enum cluster_role role,
				  const struct cs_ed25519_key *key,
				  const struct wire_report_fresh *fresh,
				  const struct cluster_manifest *manifest,
				  const struct cluster_tools *tools)
{
	Caisson__Wire__ClusterEvidence made = CAISSON__WIRE__CLUSTER_EVIDENCE__INIT;
	struct cs_buf buf;
	uint8_t data[WIRE_REPORT_DATA_SIZE];
	const struct cs_hash spki = cluster_spki_hash(key);
	struct cs_bytes hash = cs_arena_copy(tools->arena, CS_BYTES_OF(manifest->hash.b));
	CS_TRY(cs_buf_init_arena(&buf, tools->arena, ATTEST_EVIDENCE_SIZE_MAX));
	if (hash.p == NULL)
		return CS_ERR_NO_MEMORY;
	made.manifest_number = manifest->number;
	made.manifest_hash = (ProtobufCBinaryData){hash.n, (uint8_t *)(uintptr_t)hash.p};
	made.insecure_flags = tools->tee.insecure_flags;
	report_data(data, role, &spki, fresh, &made, manifest);
	CS_TRY(tools->tee.evidence(tools->tee.context, &buf, data));
	CS_TRY(cs_buf_end(&buf));
	made.evidence = (ProtobufCBinaryData){buf.n, buf.p};
	/* protobuf-c writes what it points to and changes nothing of it. */
	made.collateral =
		(Caisson__Wire__ClusterCollateral *)(uintptr_t)(const void *)tools->tee.collateral;
	*out = made;
	return CS_OK;
}

/* ---- verifying ---- */

static void collateral_of(struct attest_collateral *out, const Caisson__Wire__ClusterCollateral *pb)
{
	memset(out, 0, sizeof *out);
	if (pb == NULL)
		return;
	_Static_assert(ATTEST_CERTIFICATES_MAX == 32 && ATTEST_CRLS_MAX == 16,
		       "the bounds of the schema");
	out->certificate_count = pb->n_certificates;
	for (size_t i = 0; i < pb->n_certificates; i++)
		out->certificates[i] = wire_pb_view(pb->certificates[i]);
	out->crl_count = pb->n_crls;
	for (size_t i = 0; i < pb->n_crls; i++)
		out->crls[i] = wire_pb_view(pb->crls[i]);
	out->tcb_info = (struct attest_signed_json){wire_pb_view(pb->tcb_info),
						    wire_pb_view(pb->tcb_info_signature)};
	out->qe_identity = (struct attest_signed_json){wire_pb_view(pb->qe_identity),
						       wire_pb_view(pb->qe_identity_signature)};
	out->tpm_activation = wire_pb_view(pb->tpm_activation);
}

/* A TPM's qualifying data is the hash alone, the others have the 64 bytes. */
static bool is_about(const struct attest_result *result, const uint8_t data[WIRE_REPORT_DATA_SIZE])
{
	const size_t n =
		result->hardware == ATTEST_TPM ? sizeof(struct cs_hash) : WIRE_REPORT_DATA_SIZE;
	return cs_bytes_eq(cs_bytes(result->report_data, result->report_data_size),
			   cs_bytes(data, n));
}

static const struct attest_check *first_failed(const struct attest_check *checks, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (checks[i].outcome == ATTEST_FAILED)
			return &checks[i];
	return NULL;
}

/* By the manifest: the vendor's verdict and the policy of the role. */
static enum cs_err appraise(struct cluster_peer *peer, const struct attest_result *result,
			    const struct attest_policy *policy, const struct verify_time *now,
			    struct cs_why *why)
{
	struct attest_appraisal appraisal;
	const struct attest_check *failed = first_failed(result->checks, result->check_count);
	if (!attest_result_verified(result))
		return cs_fail(why, CS_ERR_FORBIDDEN, "evidence: %s: %.120s",
			       failed == NULL ? "nothing was checked" : failed->name,
			       failed == NULL ? "" : failed->detail.text);
	attest_appraise(&appraisal, result, policy, now);
	if (appraisal.reference == NULL)
		return cs_fail(why, CS_ERR_UNLISTED_BUILD, "the manifest does not name this build");
	if (appraisal.status != ATTEST_TIER_AFFIRMING && appraisal.status != ATTEST_TIER_WARNING) {
		failed = first_failed(appraisal.judgements, appraisal.judgement_count);
		return cs_fail(why, CS_ERR_FORBIDDEN, "%s: %s: %.120s",
			       attest_tier_name(appraisal.status),
			       failed == NULL ? "policy" : failed->name,
			       failed == NULL ? "" : failed->detail.text);
	}
	peer->insecure = appraisal.insecure;
	peer->whole_machine = appraisal.whole_machine;
	peer->kind = result->hardware;
	peer->build_size = appraisal.reference->label.n;
	memcpy(peer->build, appraisal.reference->label.p, peer->build_size);
	peer->build[peer->build_size] = '\0';
	return CS_OK;
}

static enum cs_err verify(struct cluster_peer *peer, const struct wire_report_fresh *fresh,
			  const Caisson__Wire__ClusterEvidence *pb,
			  const struct cluster_manifest *manifest,
			  const struct cluster_tools *tools, const struct verify_time *now,
			  struct cs_why *why)
{
	struct attest_collateral collateral;
	struct attest_input in = {.collateral = &collateral, .roots = tools->roots, .now = *now};
	struct attest_result *result = cs_arena_alloc(tools->arena, sizeof *result);
	uint8_t data[WIRE_REPORT_DATA_SIZE];
	if (result == NULL)
		return CS_ERR_NO_MEMORY;
	collateral_of(&collateral, pb->collateral);
	CS_TRY(attest_evidence_find_raw(&in.evidence, wire_pb_view(pb->evidence), why));
	CS_TRY(attest_verify(result, &in, tools->nistp, tools->arena, why));
	report_data(data, peer->role, &peer->spki, fresh, pb, manifest);
	/* First, so that what was recorded elsewhere is called that, whatever else is wrong with it. */
	if (!is_about(result, data))
		return cs_fail(why, CS_ERR_WRONG_KEY,
			       "the evidence is not about this %s's key, channel and manifest",
			       cluster_role_name(peer->role));
	return appraise(peer, result, cluster_manifest_policy(manifest, peer->role), now, why);
}

enum cs_err cluster_evidence_verify(struct cluster_peer *peer,
				    const Caisson__Wire__ClusterEvidence *evidence,
				    const struct cluster_expected *expected,
				    const struct cluster_manifest *manifest,
				    const struct cluster_tools *tools,
				    const struct verify_time *now, struct cs_why *why)
{
	struct cluster_peer made = {.role = expected->role, .spki = expected->spki};
	struct cs_hash hash;
	if (now->high_s == 0)
		return cs_fail(why, CS_ERR_NO_TIME, "nothing bounds the time");
	memcpy(hash.b, evidence->manifest_hash.data, sizeof hash.b);
	CS_TRY(cluster_manifest_accepts(manifest, evidence->manifest_number, &hash, why));
	if (evidence->insecure_flags != 0 && !manifest->insecure)
		return cs_fail(why, CS_ERR_INSECURE_REFUSED,
			       "the peer runs with insecure flags, this cluster has none");
	made.manifest_number = evidence->manifest_number;
	made.insecure_flags = evidence->insecure_flags;
	made.verified_s = now->high_s;
	const size_t mark = cs_arena_mark(tools->arena);
	const enum cs_err err =
		verify(&made, &expected->fresh, evidence, manifest, tools, now, why);
	cs_arena_rewind(tools->arena, mark);
	if (err == CS_OK)
		*peer = made;
	return err;
}

enum cs_err cluster_session_check(const struct cluster_session *session, enum cluster_role role,
				  const struct cluster_manifest *manifest,
				  const struct cs_hash *revoked, size_t revoked_count,
				  const struct verify_time *now, struct cs_why *why)
{
	const struct cluster_peer *peer = &session->peer;
	if (!session->verified || peer->role != role)
		return cs_fail(why, CS_ERR_UNAUTHORIZED, "no %s has shown itself here",
			       cluster_role_name(role));
	const enum cs_err err =
		verify_time_before(now, peer->verified_s + CLUSTER_SESSION_AGE_MAX_S + 1);
	if (err != CS_OK)
		return cs_fail(why, err, "the session was attested too long ago");
	if (cluster_revoked(revoked, revoked_count, &peer->spki))
		return cs_fail(why, CS_ERR_REVOKED, "the %s's key was revoked",
			       cluster_role_name(role));
	if (peer->manifest_number < manifest->peer_number_min)
		return cs_fail(why, CS_ERR_WRONG_MANIFEST,
			       "the peer's manifest has become too old");
	return cluster_manifest_names(manifest, role, cs_bytes(peer->build, peer->build_size), now,
				      why);
}
