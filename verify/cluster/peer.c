#include "verify/cluster/peer.h"

#include "verify/attest/appraise.h"
#include "verify/attest/collateral.h"
#include "verify/cluster/inner.h"
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
				  const struct cluster_tools *tools, struct cs_why *why)
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
	CS_TRY(tools->tee.evidence(tools->tee.context, &buf, data, why));
	CS_TRY(cs_buf_end(&buf));
	made.evidence = (ProtobufCBinaryData){buf.n, buf.p};
	/* protobuf-c writes what it points to and changes nothing of it. */
	made.collateral =
		(Caisson__Wire__ClusterCollateral *)(uintptr_t)(const void *)tools->tee.collateral;
	*out = made;
	return CS_OK;
}

/* ---- collateral ---- */

static ProtobufCBinaryData *fields(size_t *n, const struct cs_bytes *list, size_t count,
				   size_t size_max, struct cs_arena *arena, struct cs_why *why)
{
	ProtobufCBinaryData *made = cs_arena_calloc(arena, count + 1, sizeof *made);
	for (size_t i = 0; made != NULL && i < count; i++) {
		if (list[i].n > size_max) {
			cs_why_write(why, "a certificate or list of %zu bytes", list[i].n);
			return NULL;
		}
		made[i] = cluster_field(list[i]);
	}
	*n = count;
	return made;
}

enum cs_err cluster_collateral_read(Caisson__Wire__ClusterCollateral *out,
				    const struct cs_bytes *files, size_t count,
				    struct cs_arena *arena, struct cs_why *why)
{
	struct attest_collateral bag = {.certificate_count = 0};
	Caisson__Wire__ClusterCollateral made = CAISSON__WIRE__CLUSTER_COLLATERAL__INIT;
	for (size_t i = 0; i < count; i++)
		CS_TRY(attest_collateral_add(&bag, files[i], arena, why));
	if (bag.tpm_activation.n > 0)
		return cs_fail(why, CS_ERR_INVALID,
			       "the transcript of an activation is no collateral here");
	/* The bounds of the schema. */
	if (bag.tcb_info.json.n > 65536 || bag.qe_identity.json.n > 65536)
		return cs_fail(why, CS_ERR_TOO_LARGE, "TCB info or QE identity");
	made.certificates = fields(&made.n_certificates, bag.certificates, bag.certificate_count,
				   16384, arena, why);
	made.crls = fields(&made.n_crls, bag.crls, bag.crl_count, 65536, arena, why);
	if (made.certificates == NULL || made.crls == NULL)
		return CS_ERR_TOO_LARGE;
	made.tcb_info = cluster_field(bag.tcb_info.json);
	made.tcb_info_signature = cluster_field(bag.tcb_info.signature);
	made.qe_identity = cluster_field(bag.qe_identity.json);
	made.qe_identity_signature = cluster_field(bag.qe_identity.signature);
	*out = made;
	return CS_OK;
}

/* ---- what evidence says ---- */

static bool is_hidden(struct cs_bytes name)
{
	for (size_t i = 0; i < name.n; i++)
		if (name.p[i] != 0)
			return false;
	return true;
}

static void platform_of(struct cluster_platform *out, const struct attest_result *result)
{
	static const struct {
		enum attest_kind kind;
		const char *claim;
	} names[] = {{ATTEST_SNP, "chip_id"},
		     {ATTEST_SGX, "ppid"},
		     {ATTEST_TDX, "ppid"},
		     {ATTEST_TPM, "qualified_signer"}};
	const uint8_t kind = (uint8_t)result->hardware;
	*out = (struct cluster_platform){.known = false};
	for (size_t i = 0; i < CS_LEN(names); i++) {
		const struct attest_claim *claim =
			names[i].kind == result->hardware
				? attest_result_claim(result, names[i].claim)
				: NULL;
		if (claim == NULL || is_hidden(claim->bytes))
			continue;
		const struct cs_bytes pieces[] = {cs_bytes_str("caisson/cluster/platform/v1"),
						  cs_bytes(&kind, 1), claim->bytes};
		out->id = cs_sha256_join(pieces, CS_LEN(pieces));
		out->known = true;
	}
}

static void build_of(size_t *size, char build[CLUSTER_BUILD_SIZE_MAX + 1],
		     const struct attest_appraisal *appraisal)
{
	*size = appraisal->reference == NULL ? 0 : appraisal->reference->label.n;
	if (*size > 0)
		memcpy(build, appraisal->reference->label.p, *size);
	build[*size] = '\0';
}

/* ---- verifying ---- */

/* The transcript of an activation is not taken from a peer: whoever has one could have made it. */
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
	platform_of(&peer->platform, result);
	build_of(&peer->build_size, peer->build, &appraisal);
	return CS_OK;
}

static enum cs_err read_evidence(struct attest_result *result,
				 const Caisson__Wire__ClusterEvidence *pb,
				 const struct cluster_manifest *manifest,
				 const struct cluster_tools *tools, const struct verify_time *now,
				 struct cs_why *why)
{
	struct attest_collateral *collateral = cs_arena_alloc(tools->arena, sizeof *collateral);
	struct attest_input in = {.collateral = collateral, .roots = &manifest->roots, .now = *now};
	if (collateral == NULL)
		return CS_ERR_NO_MEMORY;
	collateral_of(collateral, pb->collateral);
	CS_TRY(attest_evidence_find_raw(&in.evidence, wire_pb_view(pb->evidence), why));
	return attest_verify(result, &in, tools->nistp, tools->arena, why);
}

static enum cs_err verify(struct cluster_peer *peer, const struct wire_report_fresh *fresh,
			  const Caisson__Wire__ClusterEvidence *pb,
			  const struct cluster_manifest *manifest,
			  const struct cluster_tools *tools, const struct verify_time *now,
			  struct cs_why *why)
{
	struct attest_result *result = cs_arena_alloc(tools->arena, sizeof *result);
	uint8_t data[WIRE_REPORT_DATA_SIZE];
	if (result == NULL)
		return CS_ERR_NO_MEMORY;
	CS_TRY(read_evidence(result, pb, manifest, tools, now, why));
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

/* Over a key that nobody has and a nonce that everybody knows: of use to this process alone. */
static enum cs_err read_self(struct cluster_self *out, enum cluster_role role,
			     const struct cluster_manifest *manifest,
			     const struct cluster_tools *tools, const struct verify_time *now,
			     struct cs_why *why)
{
	static const struct cs_ed25519_key nobody = {{0}};
	static const struct cs_hash nonce = {{0}};
	struct wire_report_fresh fresh;
	Caisson__Wire__ClusterEvidence evidence;
	struct attest_appraisal appraisal;
	struct attest_result *result = cs_arena_alloc(tools->arena, sizeof *result);
	if (result == NULL)
		return CS_ERR_NO_MEMORY;
	CS_TRY(wire_report_fresh_nonce(&fresh, CS_BYTES_OF(nonce.b)));
	CS_TRY(cluster_evidence_make(&evidence, role, &nobody, &fresh, manifest, tools, why));
	CS_TRY(read_evidence(result, &evidence, manifest, tools, now, why));
	attest_appraise(&appraisal, result, cluster_manifest_policy(manifest, role), now);
	out->kind = result->hardware;
	platform_of(&out->platform, result);
	build_of(&out->build_size, out->build, &appraisal);
	return CS_OK;
}

enum cs_err cluster_self_read(struct cluster_self *out, enum cluster_role role,
			      const struct cluster_manifest *manifest,
			      const struct cluster_tools *tools, const struct verify_time *now,
			      struct cs_why *why)
{
	struct cluster_self made = {.kind = ATTEST_NONE};
	const size_t mark = cs_arena_mark(tools->arena);
	const enum cs_err err = read_self(&made, role, manifest, tools, now, why);
	cs_arena_rewind(tools->arena, mark);
	if (err == CS_OK)
		*out = made;
	return err;
}

bool cluster_peer_is_revoked(const struct cluster_peer *peer, const struct cs_hash *revoked,
			     size_t revoked_count)
{
	return cluster_revoked(revoked, revoked_count, &peer->spki) ||
	       (peer->platform.known &&
		cluster_revoked(revoked, revoked_count, &peer->platform.id));
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
	if (cluster_peer_is_revoked(peer, revoked, revoked_count))
		return cs_fail(why, CS_ERR_REVOKED, "the %s's key or platform was revoked",
			       cluster_role_name(role));
	if (peer->manifest_number < manifest->peer_number_min)
		return cs_fail(why, CS_ERR_WRONG_MANIFEST,
			       "the peer's manifest has become too old");
	return cluster_manifest_names(manifest, role, cs_bytes(peer->build, peer->build_size), now,
				      why);
}
