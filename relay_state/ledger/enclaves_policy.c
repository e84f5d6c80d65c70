#include "relay_state/ledger/enclaves_policy.h"

#include "core/hash.h"
#include "core/reader.h"
#include "verify/attest/x509.h"
#include "wire/report.h"

#include <string.h>

#define KIND_POLICY 'j'
#define KIND_VERDICT 'q'
#define KIND_COLLATERAL 'h'
#define APPROVAL_WORDS 3u
#define VERDICT_SIZE (1u + 1u + 8u + 8u + 4u)
/* In front of the texts: number, since, worst tier, size of the policy, counts of roots. */
#define POLICY_HEAD_SIZE (8u + 8u + 1u + 4u + 1u + 1u)

/* ---- approvals ---- */

enum cs_err enclaves_approvals_read(struct cs_abi_reader *in, struct enclaves_approvals *approvals)
{
	struct cs_abi_reader list;
	CS_TRY(cs_abi_open_array(in, &list, APPROVAL_WORDS, LEDGER_ADMINISTRATORS_MAX,
				 &approvals->count));
	for (size_t i = 0; i < approvals->count; i++) {
		struct cs_hash rx, s;
		CS_TRY(cs_abi_get_u8(&list, &approvals->administrator[i]));
		CS_TRY(cs_abi_get_word(&list, &rx));
		CS_TRY(cs_abi_get_word(&list, &s));
		memcpy(approvals->signature[i], rx.b, sizeof rx.b);
		memcpy(approvals->signature[i] + sizeof rx.b, s.b, sizeof s.b);
	}
	return cs_abi_close(in, &list);
}

enum cs_err enclaves_approvals_check(struct ledger_call *call,
				     const struct enclaves_approvals *approvals,
				     const struct cs_hash *digest)
{
	struct enclaves_administrators admins;
	CS_TRY(enclaves_administrators_get(call, &admins));
	if (admins.threshold == 0)
		return ledger_revert_plain(call, "ApprovalsTooFew()");
	for (size_t i = 0; i < approvals->count; i++) {
		const uint8_t at = approvals->administrator[i];
		const struct cs_hash word = ledger_word_u64(at);
		if (at >= admins.count || (i > 0 && at <= approvals->administrator[i - 1]))
			return ledger_revert(call, "ApprovalUnknown(uint8)", &word, 1);
		CS_TRY(ledger_use_gas(call, LEDGER_GAS_SCHNORR));
		const enum cs_err err = cs_schnorr_verify64(call->sig, approvals->signature[i],
							    &admins.x[at], CS_BYTES_OF(digest->b));
		if (err == CS_ERR_BAD_SIGNATURE)
			return ledger_revert(call, "ApprovalInvalid(uint8)", &word, 1);
		if (err != CS_OK)
			return err;
	}
	return approvals->count < admins.threshold ? ledger_revert_plain(call, "ApprovalsTooFew()")
						   : CS_OK;
}

/* ---- manifests ---- */

/* Two hashes that the administrators approved for one number: nobody can say which is meant, so that
 * the lineage stands still. What was paid goes back. */
static enum cs_err record_conflict(struct ledger_call *call, const struct cs_hash *lineage,
				   const struct enclaves_conflict *conflict)
{
	bool moved = false;
	CS_TRY(enclaves_conflict_put(call, lineage, conflict));
	CS_TRY(ledger_move(call, &moved, &call->address, &call->sender, &call->value));
	if (!moved)
		return cs_fail(call->why, CS_ERR_DAMAGED, "enclaves: what was paid is not there");
	return ledger_emit_words(
		call, "ManifestConflict(bytes32,uint64,bytes32,bytes32)", lineage, 1,
		LEDGER_WORDS(ledger_word_u64(conflict->number), conflict->known, conflict->other));
}

static enum cs_err check_lineage(struct ledger_call *call, const struct cs_hash *lineage)
{
	struct enclaves_conflict conflict;
	CS_TRY(enclaves_conflict_get(call, &conflict, lineage));
	return conflict.since_s != 0 ? ledger_revert_plain(call, "LineageSuspended()") : CS_OK;
}

enum cs_err enclaves_manifest_approve(struct ledger_call *call, const struct cs_hash *lineage,
				      uint64_t number, const struct cs_hash *hash,
				      bool *contradicts)
{
	struct enclaves_manifest known;
	*contradicts = false;
	CS_TRY(check_lineage(call, lineage));
	CS_TRY(enclaves_manifest_get(call, &known, lineage, number));
	if (cs_hash_is_zero(&known.hash)) {
		known.hash = *hash;
		return enclaves_manifest_put(call, lineage, number, &known);
	}
	if (cs_hash_eq(&known.hash, hash))
		return CS_OK;
	if (known.settled)
		return ledger_revert_plain(call, "ManifestSettled()");
	*contradicts = true;
	return record_conflict(
		call, lineage,
		&(struct enclaves_conflict){number, known.hash, *hash, call->block->time_s});
}

/* Evidence names what its enclave was started with; who may start it with that, administrators say. */
static enum cs_err check_manifest(struct ledger_call *call, const struct ledger_registration *r)
{
	struct enclaves_manifest known;
	CS_TRY(check_lineage(call, &r->lineage));
	CS_TRY(enclaves_manifest_get(call, &known, &r->lineage, r->manifest_number));
	return cs_hash_eq(&known.hash, &r->manifest_hash)
		       ? CS_OK
		       : ledger_revert_plain(call, "ManifestUnknown()");
}

struct cs_hash ledger_manifest_digest(const struct cs_hash *own, const struct cs_hash *lineage,
				      uint64_t number, const struct cs_hash *hash)
{
	const struct cs_hash words[] = {*own, *lineage, ledger_word_u64(number), *hash};
	return ledger_digest("caisson/ledger/manifest/v1", words, CS_LEN(words));
}

/* For registrations by evidence: k of n say that a manifest counts. Is false where it contradicts what
 * was approved before. */
enum cs_err enclaves_approve_manifest(struct ledger_call *call, struct cs_abi_reader *in,
				      struct cs_abi *out)
{
	struct enclaves_approvals approvals;
	struct cs_hash own, lineage, hash;
	uint64_t number;
	bool contradicts;
	CS_TRY(cs_abi_get_word(in, &lineage));
	CS_TRY(cs_abi_get_u64(in, &number));
	CS_TRY(cs_abi_get_word(in, &hash));
	CS_TRY(enclaves_approvals_read(in, &approvals));
	if (cs_hash_is_zero(&lineage) || number == 0 || cs_hash_is_zero(&hash))
		return ledger_revert_plain(call, "RegistrationInvalid()");
	CS_TRY(ledger_enclaves_identity(call, &own));
	CS_TRY(ledger_use_gas(call, LEDGER_GAS_HASH));
	const struct cs_hash digest = ledger_manifest_digest(&own, &lineage, number, &hash);
	CS_TRY(enclaves_approvals_check(call, &approvals, &digest));
	CS_TRY(enclaves_manifest_approve(call, &lineage, number, &hash, &contradicts));
	if (!contradicts)
		CS_TRY(ledger_emit_words(call, "ManifestApproved(bytes32,uint64,bytes32)", &lineage,
					 1, LEDGER_WORDS(ledger_word_u64(number), hash)));
	cs_abi_put_u64(out, !contradicts);
	return CS_OK;
}

/* ---- the policy ---- */

static void get_roots(struct cs_reader *in, struct cs_bytes *roots, size_t *count)
{
	*count = cs_get_u8(in);
	if (*count > LEDGER_POLICY_ROOTS_MAX)
		in->failed = true;
	for (size_t i = 0; i < *count && !in->failed; i++)
		roots[i] = cs_get(in, cs_get_u16(in));
}

enum cs_err enclaves_policy_get(struct ledger_call *call, struct ledger_policy *policy)
{
	const struct ledger_key key = ledger_key(KIND_POLICY);
	struct cs_bytes value = CS_BYTES_NONE;
	struct cs_reader in;
	*policy = (struct ledger_policy){.number = 0};
	enum cs_err err = ledger_get(call, &value, cs_bytes(key.b, key.n));
	if (err != CS_OK)
		return err == CS_ERR_NOT_FOUND ? CS_OK : err;
	cs_reader_init(&in, value);
	policy->number = cs_get_u64(&in);
	policy->since_s = cs_get_u64(&in);
	policy->worst = cs_get_u8(&in);
	policy->text = cs_get(&in, cs_get_u32(&in));
	get_roots(&in, policy->tpm, &policy->tpm_count);
	get_roots(&in, policy->insecure, &policy->insecure_count);
	return cs_reader_end(&in) == CS_OK
		       ? CS_OK
		       : cs_fail(call->why, CS_ERR_DAMAGED, "enclaves: the policy");
}

static void put_roots(struct cs_buf *buf, const struct cs_bytes *roots, size_t count)
{
	cs_put_u8(buf, (uint8_t)count);
	for (size_t i = 0; i < count; i++) {
		cs_put_u16(buf, (uint16_t)roots[i].n);
		cs_put(buf, roots[i]);
	}
}

static enum cs_err put_policy(struct ledger_call *call, const struct ledger_policy *policy)
{
	const struct ledger_key key = ledger_key(KIND_POLICY);
	struct cs_buf buf;
	CS_TRY(cs_buf_init_arena(&buf, call->arena, LEDGER_VALUE_SIZE_MAX));
	cs_put_u64(&buf, policy->number);
	cs_put_u64(&buf, policy->since_s);
	cs_put_u8(&buf, policy->worst);
	cs_put_u32(&buf, (uint32_t)policy->text.n);
	cs_put(&buf, policy->text);
	put_roots(&buf, policy->tpm, policy->tpm_count);
	put_roots(&buf, policy->insecure, policy->insecure_count);
	if (cs_buf_end(&buf) != CS_OK)
		return ledger_revert_plain(call, "PolicyInvalid()");
	return ledger_put(call, cs_bytes(key.b, key.n), cs_buf_view(&buf));
}

static bool are_certificates(const struct cs_bytes *roots, size_t count)
{
	struct x509_certificate parsed;
	struct cs_why why;
	for (size_t i = 0; i < count; i++) {
		if (x509_certificate_parse(&parsed, roots[i], &why) != CS_OK)
			return false;
	}
	return true;
}

/* It must name builds, leave report data to the registration, and have nothing insecure in a register
 * that is not. Memory for its JSON is given back. */
static enum cs_err check_policy(struct ledger_call *call, const struct ledger_policy *policy,
				bool insecure)
{
	const size_t mark = cs_arena_mark(call->arena);
	struct attest_policy parsed;
	struct cs_why why;
	attest_policy_init(&parsed);
	CS_TRY(ledger_use_gas(call, policy->text.n * LEDGER_GAS_POLICY_BYTE));
	const enum cs_err err = attest_policy_parse(&parsed, policy->text, call->arena, &why);
	cs_arena_rewind(call->arena, mark);
	if (err == CS_ERR_NO_MEMORY)
		return err;
	const bool weak = policy->insecure_count > 0 || parsed.insecure_accept_debug ||
			  parsed.insecure_accept_simulated || parsed.insecure_accept_test_roots;
	const bool good =
		err == CS_OK && parsed.judges_reference && !parsed.judges_report_data &&
		(policy->worst == ATTEST_TIER_AFFIRMING || policy->worst == ATTEST_TIER_WARNING) &&
		are_certificates(policy->tpm, policy->tpm_count) &&
		are_certificates(policy->insecure, policy->insecure_count);
	if (!good)
		return ledger_revert_plain(call, "PolicyInvalid()");
	return weak && !insecure ? ledger_revert_plain(call, "PolicyInsecure()") : CS_OK;
}

static struct cs_hash roots_hash(const struct cs_bytes *roots, size_t count)
{
	struct cs_hash hashes[LEDGER_POLICY_ROOTS_MAX];
	for (size_t i = 0; i < count; i++)
		hashes[i] = cs_keccak256(roots[i]);
	return cs_keccak256(cs_bytes(hashes, count * sizeof *hashes));
}

struct cs_hash ledger_policy_digest(const struct cs_hash *own, const struct ledger_policy *policy)
{
	const struct cs_hash words[] = {
		*own,
		ledger_word_u64(policy->number),
		ledger_word_u64(policy->worst),
		cs_keccak256(policy->text),
		roots_hash(policy->tpm, policy->tpm_count),
		roots_hash(policy->insecure, policy->insecure_count),
	};
	return ledger_digest("caisson/ledger/policy/v1", words, CS_LEN(words));
}

static enum cs_err read_policy(struct cs_abi_reader *in, struct ledger_policy *policy)
{
	CS_TRY(cs_abi_get_u64(in, &policy->number));
	CS_TRY(cs_abi_get_u8(in, &policy->worst));
	CS_TRY(cs_abi_get_bytes(in, LEDGER_POLICY_SIZE_MAX, &policy->text));
	CS_TRY(cs_abi_get_bytes_array(in, LEDGER_POLICY_ROOTS_MAX, LEDGER_POLICY_ROOT_SIZE_MAX,
				      policy->tpm, &policy->tpm_count));
	return cs_abi_get_bytes_array(in, LEDGER_POLICY_ROOTS_MAX, LEDGER_POLICY_ROOT_SIZE_MAX,
				      policy->insecure, &policy->insecure_count);
}

/* Replaces the policy by k of n. Numbers go up by one, so that no approval counts twice. */
enum cs_err enclaves_set_policy(struct ledger_call *call, struct cs_abi_reader *in,
				struct cs_abi *out)
{
	struct ledger_policy policy = {.since_s = call->block->time_s}, before;
	struct enclaves_approvals approvals;
	struct ledger_self self;
	(void)out;
	CS_TRY(read_policy(in, &policy));
	CS_TRY(enclaves_approvals_read(in, &approvals));
	CS_TRY(enclaves_policy_get(call, &before));
	const struct cs_hash next = ledger_word_u64(before.number + 1);
	if (policy.number != before.number + 1)
		return ledger_revert(call, "PolicyNumberIs(uint64)", &next, 1);
	CS_TRY(ledger_self_get(call, &self));
	CS_TRY(ledger_use_gas(call, (2 + 2 * LEDGER_POLICY_ROOTS_MAX) * LEDGER_GAS_HASH));
	const struct cs_hash digest = ledger_policy_digest(&self.identity, &policy);
	CS_TRY(enclaves_approvals_check(call, &approvals, &digest));
	CS_TRY(check_policy(call, &policy, self.insecure));
	CS_TRY(put_policy(call, &policy));
	return ledger_emit_words(
		call, "PolicyChanged(uint64,uint8,bytes32)", LEDGER_NO_WORDS,
		LEDGER_WORDS(next, ledger_word_u64(policy.worst), cs_keccak256(policy.text)));
}

/* ---- what evidence came to ---- */

enum cs_err enclaves_verdict_get(struct ledger_call *call, struct enclaves_verdict *verdict,
				 const struct cs_hash *enclave)
{
	uint8_t value[VERDICT_SIZE];
	struct cs_reader in;
	const struct ledger_key key = ledger_key_of(KIND_VERDICT, CS_BYTES_OF(enclave->b));
	CS_TRY(ledger_get_fixed(call, value, sizeof value, &key));
	cs_reader_init(&in, CS_BYTES_OF(value));
	verdict->tier = cs_get_u8(&in);
	verdict->tcb_status = cs_get_u8(&in);
	verdict->policy = cs_get_u64(&in);
	verdict->until_s = cs_get_u64(&in);
	verdict->collateral_number = cs_get_u32(&in);
	return cs_reader_end(&in);
}

enum cs_err enclaves_verdict_put(struct ledger_call *call, const struct cs_hash *enclave,
				 const struct enclaves_verdict *verdict)
{
	uint8_t value[VERDICT_SIZE];
	struct cs_buf buf;
	const struct ledger_key key = ledger_key_of(KIND_VERDICT, CS_BYTES_OF(enclave->b));
	cs_buf_init(&buf, value, sizeof value);
	cs_put_u8(&buf, verdict->tier);
	cs_put_u8(&buf, verdict->tcb_status);
	cs_put_u64(&buf, verdict->policy);
	cs_put_u64(&buf, verdict->until_s);
	cs_put_u32(&buf, verdict->collateral_number);
	CS_TRY(cs_buf_end(&buf));
	return ledger_put_fixed(call, &key, value, sizeof value);
}

/* ---- evidence ---- */

static enum cs_err refuse(struct ledger_call *call, const char *check)
{
	struct cs_hash word = {{0}};
	const size_t n = strlen(check);
	memcpy(word.b, check, n < sizeof word.b ? n : sizeof word.b);
	return ledger_revert(call, "EvidenceRefused(bytes32)", &word, 1);
}

/* What the evidence must be about: this registration, for this register. The registration's digest is
 * the nonce that the enclave was asked with; its evidence digest is zero there, for it is not known
 * before the evidence. */
static struct cs_hash report_data_of(const struct ledger_registration *r, const struct cs_hash *own,
				     const struct ledger_evidence *evidence)
{
	const struct cs_hash digest = ledger_registration_digest(own, r);
	const struct cs_hash nonce = cs_keccak256(CS_BYTES_OF(digest.b));
	const struct wire_report report = {
		.role = r->role == LEDGER_ROLE_ORACLE ? WIRE_REPORT_ORACLE_ENCLAVE
						      : WIRE_REPORT_BRIDGE_ENCLAVE,
		.key = ledger_enclave_keys_hash(r->keys, r->key_count),
		.fresh = wire_report_fresh_nonce_hash(&nonce),
		.manifest_hash = r->manifest_hash,
		.manifest_number = r->manifest_number,
		.lineage = r->lineage,
		.schema_digest = evidence->schema,
		.insecure_flags = evidence->insecure_flags,
	};
	return wire_report_hash(&report);
}

static struct ledger_evidence_rules rules_of(const struct ledger_policy *policy)
{
	struct ledger_evidence_rules rules = {.policy = policy->text,
					      .worst = (enum attest_tier)policy->worst,
					      .roots = attest_roots_vendors};
	rules.roots.tpm = policy->tpm;
	rules.roots.tpm_count = policy->tpm_count;
	if (policy->insecure_count > 0) {
		rules.roots.intel = rules.roots.amd = policy->insecure;
		rules.roots.intel_count = rules.roots.amd_count = policy->insecure_count;
		rules.roots.insecure = true;
	}
	return rules;
}

static enum cs_err judge(struct ledger_call *call, struct ledger_verdict *verdict,
			 const struct ledger_registration *r, const struct ledger_policy *policy,
			 struct cs_arena *arena)
{
	const struct ledger_evidence_rules rules = rules_of(policy);
	struct ledger_evidence evidence;
	struct ledger_self self;
	CS_TRY(ledger_self_get(call, &self));
	enum cs_err err = ledger_evidence_open(&evidence, r->evidence_kind, r->evidence, arena);
	if (err != CS_OK)
		return refuse(call, err == CS_ERR_NO_MEMORY ? "evidence-size" : "evidence-parts");
	if (evidence.insecure_flags != 0 && !self.insecure)
		return refuse(call, "insecure-flags");
	const struct cs_hash report_data = report_data_of(r, &self.identity, &evidence);
	err = ledger_evidence_judge(verdict, &evidence, &report_data, &rules, call->block->time_s,
				    arena);
	return err == CS_ERR_NO_MEMORY ? refuse(call, "evidence-size") : err;
}

/* Older collateral than the register has seen would hide what was found since. */
static enum cs_err check_collateral(struct ledger_call *call, uint8_t kind, uint32_t number)
{
	const struct ledger_key key = ledger_key_of(KIND_COLLATERAL, cs_bytes(&kind, 1));
	uint32_t highest;
	if (number == 0)
		return CS_OK;
	CS_TRY(ledger_get_u32(call, &highest, &key));
	const struct cs_hash word = ledger_word_u64(highest);
	if (number < highest)
		return ledger_revert(call, "CollateralTooOld(uint32)", &word, 1);
	return number > highest ? ledger_put_u32(call, &key, number) : CS_OK;
}

static enum cs_err check_verdict(struct ledger_call *call, const struct ledger_registration *r,
				 const struct ledger_verdict *verdict)
{
	const struct cs_hash until = ledger_word_u64(verdict->until_s);
	if (!verdict->accepted)
		return refuse(call, verdict->refused_by);
	if (!cs_hash_eq(&verdict->measurement, &r->measurement))
		return ledger_revert(call, "MeasurementIs(bytes32)", &verdict->measurement, 1);
	/* At the second of its expiry a registration has ended: what it rests on holds up to there. */
	if (verdict->until_s != 0 && r->expires_s > verdict->until_s)
		return ledger_revert(call, "ExpiryAfterCollateral(uint64)", &until, 1);
	return check_collateral(call, r->evidence_kind, verdict->collateral_number);
}

enum cs_err enclaves_evidence_check(struct ledger_call *call, struct ledger_registration *r,
				    struct enclaves_verdict *out)
{
	const size_t mark = cs_arena_mark(call->arena);
	struct ledger_policy policy;
	struct ledger_verdict verdict = {.accepted = false};
	struct cs_arena work;
	CS_TRY(enclaves_policy_get(call, &policy));
	if (policy.number == 0)
		return ledger_revert_plain(call, "PolicyMissing()");
	if (!cs_hash_is_zero(&r->evidence_digest))
		return ledger_revert_plain(call, "RegistrationInvalid()");
	if (r->role == LEDGER_ROLE_COMPUTE)
		return refuse(call, "role");
	CS_TRY(check_manifest(call, r));
	CS_TRY(ledger_use_gas(call,
			      LEDGER_GAS_EVIDENCE + r->evidence.n * LEDGER_GAS_EVIDENCE_BYTE));
	void *memory = cs_arena_alloc(call->arena, LEDGER_EVIDENCE_ARENA_SIZE);
	if (memory == NULL)
		return CS_ERR_NO_MEMORY;
	cs_arena_init(&work, memory, LEDGER_EVIDENCE_ARENA_SIZE);
	const enum cs_err err = judge(call, &verdict, r, &policy, &work);
	if (err == CS_ERR_REVERTED)
		return err; /* its output is behind the memory in the arena */
	cs_arena_rewind(call->arena, mark);
	CS_TRY(err);
	CS_TRY(check_verdict(call, r, &verdict));
	r->evidence_digest = verdict.digest;
	*out = (struct enclaves_verdict){(uint8_t)verdict.tier, (uint8_t)verdict.tcb_status,
					 policy.number, verdict.until_s, verdict.collateral_number};
	return CS_OK;
}

/* ---- views ---- */

/* Number, since, the worst tier, the text; roots are in the state alone. */
enum cs_err enclaves_policy_of(struct ledger_call *call, struct cs_abi_reader *in,
			       struct cs_abi *out)
{
	struct ledger_policy policy;
	(void)in;
	CS_TRY(enclaves_policy_get(call, &policy));
	cs_abi_put_u64(out, policy.number);
	cs_abi_put_u64(out, policy.since_s);
	cs_abi_put_u64(out, policy.worst);
	cs_abi_put_u64(out, policy.tpm_count);
	cs_abi_put_u64(out, policy.insecure_count);
	cs_abi_put_bytes(out, cs_abi_slot(out), policy.text);
	return CS_OK;
}

enum cs_err enclaves_verdict_of(struct ledger_call *call, struct cs_abi_reader *in,
				struct cs_abi *out)
{
	struct cs_hash enclave;
	struct enclaves_verdict verdict;
	CS_TRY(cs_abi_get_word(in, &enclave));
	CS_TRY(enclaves_verdict_get(call, &verdict, &enclave));
	cs_abi_put_u64(out, verdict.tier);
	cs_abi_put_u64(out, verdict.tcb_status);
	cs_abi_put_u64(out, verdict.policy);
	cs_abi_put_u64(out, verdict.until_s);
	cs_abi_put_u64(out, verdict.collateral_number);
	return CS_OK;
}

/* The highest number of Intel's collateral that a registration of this kind had. */
enum cs_err enclaves_collateral_of(struct ledger_call *call, struct cs_abi_reader *in,
				   struct cs_abi *out)
{
	uint8_t kind;
	uint32_t highest;
	CS_TRY(cs_abi_get_u8(in, &kind));
	const struct ledger_key key = ledger_key_of(KIND_COLLATERAL, cs_bytes(&kind, 1));
	CS_TRY(ledger_get_u32(call, &highest, &key));
	cs_abi_put_u64(out, highest);
	return CS_OK;
}
