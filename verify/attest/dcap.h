/* What Intel signs about its platforms, opened: certificates, revocation lists, TCB info (version 3) and
 * QE identity (version 2). Opening parses and checks signatures once; whether it is of the time, and of
 * the platform, is asked for each quote, so that what was opened may be kept. Never fetches.
 *
 * Source: "Intel SGX and TDX Provisioning Certification Service: API documentation", v4. */
#ifndef ATTEST_DCAP_H
#define ATTEST_DCAP_H

#include "core/json.h"
#include "verify/attest/dcap_quote.h"
#include "verify/attest/evidence.h"
#include "verify/attest/x509.h"

/* Who signs TCB info and QE identity. */
#define DCAP_TCB_SIGNING "Intel SGX TCB Signing"

/* TCB levels of a platform: 25 on the oldest. */
#define DCAP_LEVELS_MAX 128u
#define DCAP_MODULES_MAX 32u
/* TCB info and QE identity: 5 KiB today. */
#define DCAP_JSON_SIZE_MAX (256u * 1024)

/* A level of a platform, of a TDX module or of an enclave; the last two have isv_svn alone. */
struct dcap_level {
	uint8_t sgx[DCAP_SVNS];
	uint8_t tdx[DCAP_SVNS]; /* zeros in an SGX TCB info */
	uint16_t pce_svn;
	uint16_t isv_svn;
	enum attest_tcb_status status;
	uint64_t date_s;
	const struct cs_json *advisories; /* an array of strings; NULL when absent */
};

/* Highest first, whatever the order in the JSON. */
struct dcap_levels {
	const struct dcap_level *at;
	size_t count;
};

struct dcap_module {
	unsigned version; /* of "TDX_01": 1 */
	uint8_t mr_signer[48];
	uint8_t attributes[8];
	uint8_t attributes_mask[8];
	struct dcap_levels levels;
};

struct dcap_tcb_info {
	bool is_tdx;
	uint64_t issued_s;
	uint64_t until_s; /* inclusive */
	uint32_t evaluation_number;
	uint8_t fmspc[6];
	uint8_t pce_id[2];
	struct dcap_module module; /* TDX: where TEE_TCB_SVN names no version; without levels */
	const struct dcap_module *modules;
	size_t module_count;
	struct dcap_levels levels;
};

struct dcap_qe_identity {
	bool is_tdx; /* TD_QE */
	uint64_t issued_s;
	uint64_t until_s;
	uint32_t evaluation_number;
	uint8_t misc_select[4];
	uint8_t misc_select_mask[4];
	uint8_t attributes[16];
	uint8_t attributes_mask[16];
	uint8_t mr_signer[32];
	uint16_t isv_prod_id;
	struct dcap_levels levels;
};

/* The inner objects, as they were signed. Unknown members are passed over. Errors of core/json.h;
 * UNSUPPORTED: another version or id; INVALID: other than 16 components, an unknown status. */
CS_NODISCARD enum cs_err dcap_tcb_info_parse(struct dcap_tcb_info *out, struct cs_bytes json,
					     struct cs_arena *arena, struct cs_why *why);
CS_NODISCARD enum cs_err dcap_qe_identity_parse(struct dcap_qe_identity *out, struct cs_bytes json,
						struct cs_arena *arena, struct cs_why *why);

/* How opening one of the two went. */
struct dcap_opened {
	bool given;
	enum cs_err err; /* of the form, or BAD_SIGNATURE, or NOT_FOUND: nobody to verify it by */
	struct cs_why why;
	struct cs_bytes signer; /* SubjectPublicKeyInfo that signed it; empty when none did */
};

struct dcap_collateral {
	struct x509_pool pool; /* no certificate and no list twice */
	enum cs_err form;      /* of the first one that cannot be read */
	struct cs_why form_why;
	struct dcap_opened tcb_info_opened;
	struct dcap_tcb_info tcb_info;
	struct dcap_opened qe_identity_opened;
	struct dcap_qe_identity qe_identity;
};

/* Takes arena for as long as *out is used: 2 MiB are enough for what Intel sends. Views point into bag
 * and roots. NO_MEMORY and CRYPTO only: what is wrong with the collateral is kept, and fails a check of
 * each quote. */
CS_NODISCARD enum cs_err dcap_collateral_open(struct dcap_collateral *out,
					      const struct attest_collateral *bag,
					      const struct attest_roots *roots,
					      struct cs_nistp *nistp, struct cs_arena *arena);

/* ---- a platform's certificate (PCK) ---- */

/* Its SGX extension, 1.2.840.113741.1.13.1. */
struct dcap_pck {
	uint8_t svns[DCAP_SVNS];
	uint16_t pce_svn;
	uint8_t pce_id[2];
	uint8_t fmspc[6];
	bool has_ppid; /* Intel writes it into every one */
	uint8_t ppid[16];
};
/* MISSING_FIELD, DUPLICATE, INVALID, and those of core/der.h. */
CS_NODISCARD enum cs_err dcap_pck_parse(struct dcap_pck *out,
					const struct x509_certificate *certificate,
					struct cs_why *why);

/* ---- Intel's verdict ---- */

struct dcap_verdict {
	enum attest_tcb_status status;
	/* What it rests on; NULL where it does not. */
	const struct dcap_level *level;
	const struct dcap_level *module;
	const struct dcap_level *qe;
};

/* The level of an enclave or a module: the highest that is not above isv_svn; NULL: none. */
const struct dcap_level *dcap_level_of(const struct dcap_levels *levels, uint16_t isv_svn);
/* NULL: TCB info names no module of this version. */
const struct dcap_module *dcap_module_find(const struct dcap_tcb_info *info, unsigned version);
/* td: NULL for SGX; qe: NULL when no level matched. By the rules of Intel's verification library: the
 * TDX comparison begins at component 2 when TEE_TCB_SVN[1] names a module, the module is judged by its own
 * levels, then the platform's and the quoting enclave's are brought together; TD 1.5: whether a relaunch
 * would do. */
struct dcap_verdict dcap_judge(const struct dcap_tcb_info *info, const struct dcap_pck *pck,
			       const struct dcap_td_report *td, const struct dcap_level *qe);

#endif
