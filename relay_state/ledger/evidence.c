#include "relay_state/ledger/evidence.h"

#include "core/hash.h"
#include "core/nistp.h"
#include "core/reader.h"
#include "verify/attest/appraise.h"
#include "verify/attest/collateral.h"

#include <string.h>

#define PART_BINDING 1u
#define PART_EVIDENCE 2u
#define PART_COLLATERAL 3u
#define BINDING_SIZE (32u + 8u)
/* All PCRs, each of the largest hash. */
#define PCRS_SIZE_MAX (24u * 64u)

static enum attest_kind kind_of(uint8_t kind)
{
	switch (kind) {
	case LEDGER_EVIDENCE_SGX:
		return ATTEST_SGX;
	case LEDGER_EVIDENCE_TDX:
		return ATTEST_TDX;
	case LEDGER_EVIDENCE_SEV_SNP:
		return ATTEST_SNP;
	case LEDGER_EVIDENCE_TPM:
		return ATTEST_TPM;
	default:
		return ATTEST_NONE;
	}
}

bool ledger_evidence_is_supported(uint8_t kind)
{
	return kind_of(kind) != ATTEST_NONE;
}

/* ---- parts ---- */

struct opening {
	struct ledger_evidence *out;
	size_t collateral_count;
	uint8_t last; /* kind of the part before */
};

static enum cs_err take_binding(struct ledger_evidence *out, struct cs_bytes bytes)
{
	struct cs_reader in;
	cs_reader_init(&in, bytes);
	cs_get_copy(&in, out->schema.b, sizeof out->schema.b);
	out->insecure_flags = cs_get_u64(&in);
	return cs_reader_end(&in);
}

static enum cs_err take_collateral(struct opening *opening, struct cs_bytes bytes,
				   struct cs_arena *arena)
{
	struct attest_collateral *bag = opening->out->bag;
	struct cs_why why;
	if (++opening->collateral_count > LEDGER_COLLATERAL_MAX)
		return CS_ERR_INVALID;
	CS_TRY(attest_collateral_add(bag, bytes, arena, &why));
	return bag->certificate_count <= LEDGER_EVIDENCE_CERTIFICATES_MAX &&
			       bag->crl_count <= LEDGER_EVIDENCE_CRLS_MAX &&
			       bag->tpm_activation.p == NULL
		       ? CS_OK
		       : CS_ERR_INVALID;
}

static enum cs_err take_part(struct opening *opening, uint8_t kind, struct cs_bytes bytes,
			     struct cs_arena *arena)
{
	const bool is_next = kind == opening->last + 1u;
	const bool is_more = kind == PART_COLLATERAL && opening->last == PART_COLLATERAL;
	if (!is_next && !is_more)
		return CS_ERR_INVALID;
	opening->last = kind;
	if (kind == PART_BINDING)
		return take_binding(opening->out, bytes);
	if (kind == PART_COLLATERAL)
		return take_collateral(opening, bytes, arena);
	opening->out->bytes = bytes;
	return kind == PART_EVIDENCE ? CS_OK : CS_ERR_INVALID;
}

enum cs_err ledger_evidence_open(struct ledger_evidence *out, uint8_t kind, struct cs_bytes parts,
				 struct cs_arena *arena)
{
	struct ledger_evidence opened = {.kind = kind};
	struct opening opening = {.out = &opened};
	struct cs_reader in;
	opened.bag = cs_arena_calloc(arena, 1, sizeof *opened.bag);
	if (opened.bag == NULL)
		return CS_ERR_NO_MEMORY;
	cs_reader_init(&in, parts);
	while (in.left > 0) {
		const uint8_t part = cs_get_u8(&in);
		const struct cs_bytes bytes = cs_get(&in, cs_get_u32(&in));
		if (in.failed)
			return CS_ERR_TRUNCATED;
		CS_TRY(take_part(&opening, part, bytes, arena));
	}
	if (opening.last < PART_EVIDENCE)
		return CS_ERR_INVALID;
	*out = opened;
	return CS_OK;
}

/* ---- what came of it ---- */

static void refuse(struct ledger_verdict *out, const char *check)
{
	const size_t n = strlen(check);
	out->accepted = false;
	memcpy(out->refused_by, check, n < LEDGER_CHECK_SIZE ? n : LEDGER_CHECK_SIZE);
}

/* NULL: none failed. */
static const char *first_failed(const struct attest_check *checks, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (checks[i].outcome == ATTEST_FAILED)
			return checks[i].name;
	}
	return NULL;
}

static bool is_pcr(const struct attest_claim *claim)
{
	return claim->measurement && strncmp(claim->name, "pcr", 3) == 0;
}

/* What was booted, as one word. */
static struct cs_hash pcrs_of(const struct attest_result *result)
{
	uint8_t memory[PCRS_SIZE_MAX];
	struct cs_buf buf;
	cs_buf_init(&buf, memory, sizeof memory);
	for (size_t i = 0; i < result->claim_count; i++) {
		if (is_pcr(&result->claims[i]))
			cs_put(&buf, result->claims[i].bytes);
	}
	cs_assert(cs_buf_end(&buf) == CS_OK);
	return cs_sha256(cs_buf_view(&buf));
}

/* A kind's evidence that was read has the claim. */
static struct cs_bytes claim_of(const struct attest_result *result, const char *name)
{
	const struct attest_claim *claim = attest_result_claim(result, name);
	return claim == NULL ? CS_BYTES_NONE : claim->bytes;
}

static struct cs_hash measurement_of(const struct attest_result *result)
{
	struct cs_hash word = {{0}};
	const struct cs_bytes enclave = claim_of(result, "mr_enclave");
	if (result->kind == ATTEST_TPM)
		return pcrs_of(result);
	if (result->kind == ATTEST_SGX && enclave.n == sizeof word.b) {
		memcpy(word.b, enclave.p, sizeof word.b);
		return word;
	}
	return cs_sha256(claim_of(result, result->kind == ATTEST_TDX ? "mr_td" : "measurement"));
}

static void conclude(struct ledger_verdict *out, const struct attest_result *result,
		     const struct attest_appraisal *appraisal, enum attest_tier worst)
{
	const char *failed = first_failed(result->checks, result->check_count);
	if (failed == NULL)
		failed = first_failed(appraisal->judgements, appraisal->judgement_count);
	out->tier = appraisal->status;
	out->tcb_status = result->tcb_status;
	out->measurement = measurement_of(result);
	out->until_s = result->until_s;
	out->collateral_number = result->tcb_evaluation_number;
	out->accepted = appraisal->status == ATTEST_TIER_AFFIRMING ||
			(appraisal->status == ATTEST_TIER_WARNING && worst == ATTEST_TIER_WARNING);
	if (!out->accepted)
		refuse(out, failed == NULL ? "tier" : failed);
}

/* ---- the verdict ---- */

struct judging {
	const struct ledger_evidence *evidence;
	const struct ledger_evidence_rules *rules;
	struct attest_policy policy;
	struct attest_input in;
	struct attest_result result;
	struct attest_appraisal appraisal;
	struct cs_why why;
};

static enum cs_err read_policy(struct judging *judging, const struct cs_hash *report_data,
			       struct cs_arena *arena)
{
	const enum cs_err err =
		attest_policy_parse(&judging->policy, judging->rules->policy, arena, &judging->why);
	if (err != CS_OK)
		return err == CS_ERR_NO_MEMORY ? err : CS_ERR_DAMAGED;
	judging->policy.judges_report_data = true;
	judging->policy.report_data = CS_BYTES_OF(report_data->b);
	return CS_OK;
}

/* Evidence that cannot be read is refused: only what the library fails at is a failure. */
static enum cs_err verify(struct ledger_verdict *out, struct judging *judging,
			  struct cs_nistp *nistp, struct cs_arena *arena)
{
	struct attest_input *in = &judging->in;
	struct cs_why *why = &judging->why;
	enum cs_err err = attest_evidence_find_raw(&in->evidence, judging->evidence->bytes, why);
	if (err == CS_OK && in->evidence.kind != kind_of(judging->evidence->kind)) {
		refuse(out, "evidence-kind");
		return CS_OK;
	}
	if (err == CS_OK)
		err = attest_verify(&judging->result, in, nistp, arena, why);
	if (err == CS_ERR_CRYPTO || err == CS_ERR_NO_MEMORY)
		return err;
	if (err != CS_OK) {
		refuse(out, "evidence-form");
		return CS_OK;
	}
	attest_appraise(&judging->appraisal, &judging->result, &judging->policy, &in->now);
	conclude(out, &judging->result, &judging->appraisal, judging->rules->worst);
	return CS_OK;
}

enum cs_err ledger_evidence_judge(struct ledger_verdict *out,
				  const struct ledger_evidence *evidence,
				  const struct cs_hash *report_data,
				  const struct ledger_evidence_rules *rules, uint64_t now_s,
				  struct cs_arena *arena)
{
	struct ledger_verdict verdict = {.digest = cs_sha256(evidence->bytes)};
	struct judging *judging = cs_arena_calloc(arena, 1, sizeof *judging);
	if (judging == NULL)
		return CS_ERR_NO_MEMORY;
	*judging = (struct judging){
		.evidence = evidence,
		.rules = rules,
		.in = {.collateral = evidence->bag, .roots = &rules->roots, .now = {now_s, now_s}}};
	CS_TRY(read_policy(judging, report_data, arena));
	struct cs_nistp *nistp = cs_nistp_new();
	if (nistp == NULL)
		return CS_ERR_CRYPTO;
	cs_nistp_limit(nistp, LEDGER_EVIDENCE_SIGNATURES_MAX);
	const enum cs_err err = verify(&verdict, judging, nistp, arena);
	cs_nistp_free(nistp);
	if (err == CS_OK)
		*out = verdict;
	return err;
}
