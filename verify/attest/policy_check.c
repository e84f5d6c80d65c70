#include "verify/attest/policy_check.h"

#include <string.h>

/* Of which evidence: that of a vTPM has what its machine's hardware says beside its own. */
#define SGX (1u << ATTEST_SGX)
#define TDX (1u << ATTEST_TDX)
#define SNP (1u << ATTEST_SNP)
#define TPM (1u << ATTEST_TPM)
#define SIMULATED (1u << ATTEST_SIMULATED)
#define ANY (SGX | TDX | SNP | TPM | SIMULATED)

#define U16 UINT16_MAX
#define U32 UINT32_MAX
#define U64 UINT64_MAX

/* Of a hash of TPMs' banks. */
#define DIGEST SIZE_MAX

/* What evidence says by name (verify/attest): bytes, of so many (0: of several sizes), or a number up to max. */
static const struct known {
	const char *name;
	unsigned kinds;
	size_t size;
	uint64_t max;
} known[] = {
	{"mr_enclave", SGX, 32, 0},
	{"mr_signer", SGX, 32, 0},
	{"isv_prod_id", SGX, 0, U16},
	{"isv_svn", SGX, 0, U16},
	{"attributes", SGX, 16, 0},
	{"misc_select", SGX, 4, 0},
	{"cpu_svn", SGX, 16, 0},
	{"mr_td", TDX, 48, 0},
	{"rtmr0", TDX, 48, 0},
	{"rtmr1", TDX, 48, 0},
	{"rtmr2", TDX, 48, 0},
	{"rtmr3", TDX, 48, 0},
	{"mr_config_id", TDX, 48, 0},
	{"mr_owner", TDX, 48, 0},
	{"mr_owner_config", TDX, 48, 0},
	{"mr_seam", TDX, 48, 0},
	{"mr_service_td", TDX, 48, 0},
	{"mr_signer_seam", TDX, 48, 0},
	{"seam_attributes", TDX, 8, 0},
	{"td_attributes", TDX, 8, 0},
	{"xfam", TDX, 8, 0},
	{"tee_tcb_svn", TDX, 16, 0},
	{"tee_tcb_svn_2", TDX, 16, 0},
	{"quote_version", SGX | TDX, 0, U16},
	{"fmspc", SGX | TDX, 6, 0},
	{"pce_id", SGX | TDX, 2, 0},
	{"pce_svn", SGX | TDX, 0, U16},
	{"ppid", SGX | TDX, 16, 0},
	{"measurement", SNP, 48, 0},
	{"measurement", SIMULATED, 32, 0},
	{"host_data", SNP, 32, 0},
	{"id_key_digest", SNP, 48, 0},
	{"author_key_digest", SNP, 48, 0},
	{"family_id", SNP, 16, 0},
	{"image_id", SNP, 16, 0},
	{"guest_svn", SNP, 0, U32},
	{"report_version", SNP, 0, U32},
	{"policy", SNP, 0, U64},
	{"vmpl", SNP, 0, U32},
	{"platform_info", SNP, 0, U64},
	{"migration_agent", SNP, 0, 1},
	{"chip_id", SNP, 64, 0},
	{"launch_mitigations", SNP, 0, U64},
	{"current_mitigations", SNP, 0, U64},
	{"reported_tcb", SNP, 8, 0},
	{"current_tcb", SNP, 8, 0},
	{"committed_tcb", SNP, 8, 0},
	{"launch_tcb", SNP, 8, 0},
	{"product", SNP, 0, 0},
	{"csp_id", SNP, 0, 0},
	{"pcr_digest", TPM, DIGEST, 0},
	{"qualified_signer", TPM, 0, 0},
	{"clock_ms", TPM, 0, U64},
	{"clock_safe", TPM, 0, 1},
	{"reset_count", TPM, 0, U32},
	{"restart_count", TPM, 0, U32},
	{"firmware_version", TPM, 0, U64},
	{"public_key", ANY, 0, 0},
	{"certificate_not_before", ANY, 0, U64},
	{"certificate_not_after", ANY, 0, U64},
	{"nonce", ANY, 0, 0},
	{"caisson_report", ANY, 0, 0},
};

#define PCR_COUNT 24u

/* pcr0 to pcr23, of any bank. */
static bool is_pcr(struct cs_bytes name)
{
	unsigned n = 0;
	if (name.n < 4 || name.n > 5 || memcmp(name.p, "pcr", 3) != 0 ||
	    (name.n == 5 && name.p[3] == '0'))
		return false;
	for (size_t i = 3; i < name.n; i++) {
		if (name.p[i] < '0' || name.p[i] > '9')
			return false;
		n = 10 * n + (unsigned)(name.p[i] - '0');
	}
	return n < PCR_COUNT;
}

/* Whose evidence may be judged by a build of this kind. */
static unsigned seen_by(enum attest_kind kind)
{
	const unsigned own = 1u << kind;
	return kind == ATTEST_TPM                         ? TPM | SNP | TDX
	       : kind == ATTEST_SNP || kind == ATTEST_TDX ? own | TPM
							  : own;
}

static const struct known *find(enum attest_kind kind, struct cs_bytes name)
{
	static const struct known pcr = {"pcr", TPM, DIGEST, 0};
	const unsigned kinds = seen_by(kind);
	if (is_pcr(name))
		return (kinds & TPM) != 0 ? &pcr : NULL;
	for (size_t i = 0; i < CS_LEN(known); i++)
		if ((known[i].kinds & kinds) != 0 && cs_bytes_eq(cs_bytes_str(known[i].name), name))
			return &known[i];
	return NULL;
}

/* SHA-256, -384 and -512: a quote over another bank is refused. */
static bool is_digest(size_t n)
{
	return n == 32 || n == 48 || n == 64;
}

static enum cs_err check_value(const struct attest_reference *reference,
			       const struct attest_reference_value *value, struct cs_why *why)
{
	const struct known *claim = find(reference->kind, value->name);
	const int n = value->name.n > 64 ? 64 : (int)value->name.n;
	const char *name = (const char *)value->name.p;
	const char *kind = attest_kind_name(reference->kind);
	if (claim == NULL)
		return cs_fail(why, CS_ERR_INVALID, "evidence of kind %s says nothing of '%.*s'",
			       kind, n, name);
	if (value->bytes.p != NULL && claim->max > 0)
		return cs_fail(why, CS_ERR_INVALID, "'%.*s' is a number: at_least", n, name);
	if (value->bytes.p == NULL && claim->max == 0)
		return cs_fail(why, CS_ERR_INVALID, "'%.*s' is no number: values", n, name);
	if (value->bytes.p == NULL && value->at_least > claim->max)
		return cs_fail(why, CS_ERR_INVALID, "'%.*s' is never above %llu", n, name,
			       (unsigned long long)claim->max);
	if (claim->size == DIGEST)
		return is_digest(value->bytes.n)
			       ? CS_OK
			       : cs_fail(why, CS_ERR_INVALID,
					 "'%.*s' has 32, 48 or 64 bytes, here are %zu", n, name,
					 value->bytes.n);
	if (value->bytes.p != NULL && claim->size > 0 && value->bytes.n != claim->size)
		return cs_fail(why, CS_ERR_INVALID, "'%.*s' has %zu bytes, here are %zu", n, name,
			       claim->size, value->bytes.n);
	return CS_OK;
}

static enum cs_err check_reference(const struct attest_reference *reference, struct cs_why *why)
{
	for (size_t i = 0; i < reference->count; i++)
		CS_TRY(check_value(reference, &reference->values[i], why));
	return CS_OK;
}

enum cs_err attest_policy_check(const struct attest_policy *policy, struct cs_why *why)
{
	if (policy->judges_reference && policy->reference_count == 0)
		return cs_fail(
			why, CS_ERR_INVALID,
			"measurements: an empty list accepts nothing; left out, they are not "
			"looked at");
	for (size_t i = 0; i < policy->reference_count; i++) {
		struct cs_why inner = {""};
		const enum cs_err err = check_reference(&policy->references[i], &inner);
		if (err != CS_OK)
			return cs_fail(why, err, "measurements[%zu] can never match: %.150s", i,
				       inner.text);
	}
	return CS_OK;
}

bool attest_policy_is_over(const struct attest_policy *policy, uint64_t now_s)
{
	for (size_t i = 0; i < policy->reference_count; i++)
		if (policy->references[i].not_after_s == 0 ||
		    policy->references[i].not_after_s >= now_s)
			return false;
	return policy->reference_count > 0;
}
