#include "verify/attest/evidence.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *attest_kind_name(enum attest_kind kind)
{
	switch (kind) {
	case ATTEST_NONE:
		return "none";
	case ATTEST_SGX:
		return "sgx";
	case ATTEST_TDX:
		return "tdx";
	case ATTEST_SNP:
		return "snp";
	case ATTEST_TPM:
		return "tpm";
	case ATTEST_RATLS:
		return "ratls";
	case ATTEST_SIMULATED:
		return "simulated";
	}
	cs_assert(false);
	return NULL;
}

const char *attest_tcb_status_name(enum attest_tcb_status status)
{
	switch (status) {
	case ATTEST_TCB_NONE:
		return NULL;
	case ATTEST_TCB_UP_TO_DATE:
		return "UpToDate";
	case ATTEST_TCB_SW_HARDENING_NEEDED:
		return "SWHardeningNeeded";
	case ATTEST_TCB_CONFIGURATION_NEEDED:
		return "ConfigurationNeeded";
	case ATTEST_TCB_CONFIGURATION_AND_SW_HARDENING_NEEDED:
		return "ConfigurationAndSWHardeningNeeded";
	case ATTEST_TCB_TD_RELAUNCH_ADVISED:
		return "TDRelaunchAdvised";
	case ATTEST_TCB_TD_RELAUNCH_ADVISED_CONFIGURATION_NEEDED:
		return "TDRelaunchAdvisedConfigurationNeeded";
	case ATTEST_TCB_OUT_OF_DATE:
		return "OutOfDate";
	case ATTEST_TCB_OUT_OF_DATE_CONFIGURATION_NEEDED:
		return "OutOfDateConfigurationNeeded";
	case ATTEST_TCB_REVOKED:
		return "Revoked";
	case ATTEST_TCB_NOT_SUPPORTED:
		return "NotSupported";
	}
	cs_assert(false);
	return NULL;
}

bool attest_result_verified(const struct attest_result *result)
{
	size_t passed = 0;
	for (size_t i = 0; i < result->check_count; i++) {
		if (result->checks[i].outcome == ATTEST_FAILED)
			return false;
		if (result->checks[i].outcome == ATTEST_PASSED)
			passed++;
	}
	return passed > 0;
}

const struct attest_claim *attest_result_claim(const struct attest_result *result, const char *name)
{
	for (size_t i = 0; i < result->claim_count; i++) {
		if (strcmp(result->claims[i].name, name) == 0)
			return &result->claims[i];
	}
	return NULL;
}

/* ---- for the kinds ---- */

static struct attest_check *check_add(struct attest_result *result, const char *name,
				      enum attest_outcome outcome)
{
	cs_assert(result->check_count < ATTEST_CHECKS_MAX);
	struct attest_check *check = &result->checks[result->check_count++];
	check->name = name;
	check->outcome = outcome;
	return check;
}

bool attest_check(struct attest_result *result, const char *name, bool passed, const char *format,
		  ...)
{
	struct attest_check *check =
		check_add(result, name, passed ? ATTEST_PASSED : ATTEST_FAILED);
	va_list args;
	va_start(args, format);
	(void)vsnprintf(check->detail.text, sizeof check->detail.text, format, args);
	va_end(args);
	return passed;
}

struct attest_hex attest_hex(struct cs_bytes bytes, size_t from)
{
	struct attest_hex hex;
	char digits[2 * 16 + 1];
	const size_t begin = from < bytes.n ? from : bytes.n;
	const size_t n = bytes.n - begin < 16 ? bytes.n - begin : 16;
	cs_hex(digits, cs_bytes(n == 0 ? NULL : bytes.p + begin, n));
	(void)snprintf(hex.text, sizeof hex.text, "%s%s%s", begin > 0 ? "..." : "", digits,
		       begin + n < bytes.n ? "..." : "");
	return hex;
}

size_t attest_hex_from(struct cs_bytes one, struct cs_bytes other)
{
	size_t i = 0;
	while (i < one.n && i < other.n && one.p[i] == other.p[i])
		i++;
	return i < one.n && i < other.n ? i / 16 * 16 : 0;
}

bool attest_check_same(struct attest_result *result, const char *name, const char *what,
		       struct cs_bytes got, const char *wanted_what, struct cs_bytes wanted)
{
	const bool same = cs_bytes_eq(got, wanted);
	const size_t from = attest_hex_from(got, wanted);
	return attest_check(result, name, same, "%s is %s, %s%s%s", what,
			    attest_hex(got, from).text, wanted_what, same ? "" : " ",
			    same ? "" : attest_hex(wanted, from).text);
}

void attest_skip(struct attest_result *result, const char *name, const char *format, ...)
{
	struct attest_check *check = check_add(result, name, ATTEST_SKIPPED);
	va_list args;
	va_start(args, format);
	(void)vsnprintf(check->detail.text, sizeof check->detail.text, format, args);
	va_end(args);
}

static struct attest_claim *claim_add(struct attest_result *result, const char *name)
{
	cs_assert(result->claim_count < ATTEST_CLAIMS_MAX);
	struct attest_claim *claim = &result->claims[result->claim_count++];
	*claim = (struct attest_claim){.name = name};
	return claim;
}

void attest_claim_bytes(struct attest_result *result, const char *name, struct cs_bytes bytes)
{
	cs_assert(bytes.p != NULL);
	claim_add(result, name)->bytes = bytes;
}

void attest_measurement(struct attest_result *result, const char *name, struct cs_bytes bytes)
{
	attest_claim_bytes(result, name, bytes);
	result->claims[result->claim_count - 1].measurement = true;
}

void attest_claim_number(struct attest_result *result, const char *name, uint64_t number)
{
	claim_add(result, name)->number = number;
}

enum cs_err attest_advisory(struct attest_result *result, struct cs_bytes advisory)
{
	for (size_t i = 0; i < result->advisory_count; i++) {
		if (cs_bytes_eq(result->advisories[i], advisory))
			return CS_OK;
	}
	if (result->advisory_count == ATTEST_ADVISORIES_MAX)
		return CS_ERR_TOO_LARGE;
	result->advisories[result->advisory_count++] = advisory;
	return CS_OK;
}

void attest_until(struct attest_result *result, uint64_t until_s)
{
	if (result->until_s == 0 || until_s < result->until_s)
		result->until_s = until_s;
}

void attest_collateral_dates(struct attest_result *result, uint64_t issued_s, uint64_t until_s)
{
	if (result->collateral_issued_s == 0 || issued_s < result->collateral_issued_s)
		result->collateral_issued_s = issued_s;
	if (result->collateral_until_s == 0 || until_s < result->collateral_until_s)
		result->collateral_until_s = until_s;
	attest_until(result, until_s);
}

void attest_report_data(struct attest_result *result, struct cs_bytes report_data)
{
	cs_assert(report_data.n <= sizeof result->report_data);
	result->report_data_size = report_data.n;
	memset(result->report_data, 0, sizeof result->report_data);
	if (report_data.n > 0)
		memcpy(result->report_data, report_data.p, report_data.n);
}
