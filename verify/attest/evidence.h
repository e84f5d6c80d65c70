/* Evidence of trusted execution environments: one type, many kinds. Bytes, collateral and the time go
 * in; what the evidence says, the vendor's own verdict and every check with its outcome come out
 * (RFC 9334: this is the Verifier, without its policy). Never decides whether that is good enough:
 * that is appraise.h, by a policy. */
#ifndef ATTEST_EVIDENCE_H
#define ATTEST_EVIDENCE_H

#include "core/arena.h"
#include "verify/verify.h"

struct cs_nistp;
struct dcap_collateral;

/* ---- bounds ---- */

/* Raw evidence: a TPM's JSON with the quote of a TD as an array of numbers is 26 KiB; RA-TLS
 * certificates go to 10 KiB. */
#define ATTEST_EVIDENCE_SIZE_MAX (128u * 1024)
/* Report data of SGX, TDX and SNP; extraData of a TPM is at most a hash, which is no longer. */
#define ATTEST_REPORT_DATA_SIZE_MAX 64u
/* The longest path, a vTPM's over TDX, takes 30. */
#define ATTEST_CHECKS_MAX 64u
/* 24 PCRs and an SNP report with all its numbers are 60. */
#define ATTEST_CLAIMS_MAX 96u
/* Advisories of a TCB level, of its module's and of its quoting enclave's: 30 on the oldest
 * platforms. */
#define ATTEST_ADVISORIES_MAX 96u
/* Certificates and CRLs in a bag of collateral. */
#define ATTEST_CERTIFICATES_MAX 32u
#define ATTEST_CRLS_MAX 16u
/* What attest_verify takes from its arena at the most: JSON trees of TCB info. */
#define ATTEST_ARENA_SIZE (12u * 1024 * 1024)

/* ---- kinds ---- */

enum attest_kind {
	ATTEST_NONE,
	ATTEST_SGX,
	ATTEST_TDX,
	ATTEST_SNP,
	ATTEST_TPM,
	ATTEST_RATLS,
	ATTEST_SIMULATED,
};

/* "sgx"; "none". Static. */
const char *attest_kind_name(enum attest_kind kind);

struct attest_evidence {
	enum attest_kind kind;
	struct cs_bytes bytes; /* raw: a quote, a report, DER of a certificate, JSON of a TPM */
};

/* Finds the kind from the bytes: raw, hex (with or without 0x), base64 or base64url, PEM of a
 * certificate; white space around text is passed over. What was decoded is in the arena, the rest are
 * views. UNSUPPORTED: like no kind that is known; TOO_LARGE; MALFORMED: text that does not decode. */
CS_NODISCARD enum cs_err attest_evidence_find(struct attest_evidence *out, struct cs_bytes bytes,
					      struct cs_arena *arena, struct cs_why *why);

/* The same of raw bytes alone: what stands inside other evidence. */
CS_NODISCARD enum cs_err attest_evidence_find_raw(struct attest_evidence *out,
						  struct cs_bytes bytes, struct cs_why *why);

/* ---- what comes with it ---- */

/* JSON of a vendor under a signature over exactly these bytes. */
struct attest_signed_json {
	struct cs_bytes json;
	struct cs_bytes signature; /* r and s, 32 bytes each, big-endian */
};

/* A bag: nothing in it is believed for where it was found. Certificates and CRLs are DER, in any
 * order, of any kind of evidence; issuers are found in it by name and key. Absent is empty. */
struct attest_collateral {
	struct cs_bytes certificates[ATTEST_CERTIFICATES_MAX];
	size_t certificate_count;
	struct cs_bytes crls[ATTEST_CRLS_MAX];
	size_t crl_count;
	struct attest_signed_json tcb_info;    /* Intel's, v3: the inner object */
	struct attest_signed_json qe_identity; /* Intel's, v2: the inner object */
	struct cs_bytes tpm_activation;        /* transcript of a credential's activation: tpm.h */
};

/* Certificates (DER) that are believed. */
struct attest_roots {
	const struct cs_bytes *intel;
	size_t intel_count;
	const struct cs_bytes *amd; /* ARKs */
	size_t amd_count;
	const struct cs_bytes *tpm; /* of endorsement and attestation keys: the operator's choice */
	size_t tpm_count;
	bool insecure; /* intel or amd are not the vendors' own */
};
/* The vendors' own; of TPMs there are none. */
extern const struct attest_roots attest_roots_vendors;

struct attest_input {
	struct attest_evidence evidence;
	const struct attest_collateral *collateral;
	const struct dcap_collateral *dcap; /* opened before (dcap.h), then collateral's Intel parts
					       are not looked at; NULL: opened from collateral */
	const struct attest_roots *roots;
	struct verify_time now; /* begin by the low end, expiry by the high end; both inclusive */
	bool no_revocation;     /* CRLs are not looked at, and the result says so */
};

/* ---- what comes out ---- */

/* Intel's words for all vendors, in the order of docs/attestation.md's table. */
enum attest_tcb_status {
	ATTEST_TCB_NONE, /* nobody judged it: no collateral, no such notion, or a check failed first */
	ATTEST_TCB_UP_TO_DATE,
	ATTEST_TCB_SW_HARDENING_NEEDED,
	ATTEST_TCB_CONFIGURATION_NEEDED,
	ATTEST_TCB_CONFIGURATION_AND_SW_HARDENING_NEEDED,
	ATTEST_TCB_TD_RELAUNCH_ADVISED,
	ATTEST_TCB_TD_RELAUNCH_ADVISED_CONFIGURATION_NEEDED,
	ATTEST_TCB_OUT_OF_DATE,
	ATTEST_TCB_OUT_OF_DATE_CONFIGURATION_NEEDED,
	ATTEST_TCB_REVOKED,
	ATTEST_TCB_NOT_SUPPORTED, /* no level matches */
};
#define ATTEST_TCB_COUNT (ATTEST_TCB_NOT_SUPPORTED + 1u)

/* "UpToDate", as Intel writes it; NULL for NONE. Static. */
const char *attest_tcb_status_name(enum attest_tcb_status status);

enum attest_outcome {
	ATTEST_PASSED,
	ATTEST_FAILED,
	ATTEST_SKIPPED, /* not done: no collateral for it, or --no-revocation */
};

struct attest_check {
	const char *name; /* static, kebab-case: "pck-chain" */
	enum attest_outcome outcome;
	struct cs_why detail; /* a sentence's worth; may be empty */
};

/* A named value of the evidence: bytes, or a number where bytes.p is NULL. Names are the vendor's
 * field names in snake_case: mr_enclave, mr_td, rtmr0, isv_svn, measurement, host_data, pcr7. */
struct attest_claim {
	const char *name; /* static */
	bool measurement; /* of code or configuration: what a policy lists */
	struct cs_bytes bytes;
	uint64_t number;
};

struct attest_result {
	enum attest_kind kind; /* of the evidence as it was given */
	/* Whose root vouches in the end: for RA-TLS and a vTPM what is inside; a plain TPM is its
	 * own. */
	enum attest_kind hardware;
	/* The class "whole machine trusted": a TPM says what was booted, not that anything is kept
	 * from the machine's owner. */
	bool whole_machine;
	bool debug;          /* the owner of the machine may read it: SGX, TDX and SNP debug */
	bool insecure_roots; /* roots that are not the vendor's own were used */
	bool revocation;     /* all CRLs on the path were looked at */
	enum attest_tcb_status tcb_status;
	size_t advisory_count;
	struct cs_bytes advisories[ATTEST_ADVISORIES_MAX]; /* each once, in the vendor's order */
	size_t claim_count;
	struct attest_claim claims[ATTEST_CLAIMS_MAX];
	size_t report_data_size; /* of a TPM: extraData */
	uint8_t report_data[ATTEST_REPORT_DATA_SIZE_MAX];
	/* Of Intel's documents and of lists of revoked keys, Unix seconds; 0: none was used. */
	uint64_t collateral_issued_s;   /* the oldest issue date of what was used, CRLs included */
	uint64_t collateral_until_s;    /* the first nextUpdate */
	uint64_t until_s;               /* the first end of all that it rests on: certificates but
	                                   roots, lists, documents; inclusive; 0: nothing ends */
	uint64_t tcb_date_s;            /* of the level that matched */
	uint32_t tcb_evaluation_number; /* the lesser of TCB info's and QE identity's */
	size_t check_count;
	struct attest_check checks[ATTEST_CHECKS_MAX];
};

/* Every check that was done has passed, and there was one. What the evidence claims is only a claim
 * until then. */
bool attest_result_verified(const struct attest_result *result);
/* NULL when there is no such claim. */
const struct attest_claim *attest_result_claim(const struct attest_result *result,
					       const char *name);

/* ---- the verifier ---- */

/* Verifies by the vendor's own rules. OK whatever the answer: it is in *result, whose views point
 * into the input and the arena. Failures are about evidence that cannot be read: UNSUPPORTED (a
 * version, a key type), MALFORMED, TRUNCATED, TRAILING, TOO_LARGE; NO_MEMORY and CRYPTO. What is
 * wrong with collateral is a check that fails. *result is undefined after a failure. */
CS_NODISCARD enum cs_err attest_verify(struct attest_result *result, const struct attest_input *in,
				       struct cs_nistp *nistp, struct cs_arena *arena,
				       struct cs_why *why);

/* ---- for the kinds ---- */

/* What a kind's verifier works with. A kind inside another one (RA-TLS, a vTPM's hardware report) is
 * verified into the same result, with another `bytes`. */
struct attest_work {
	const struct attest_input *in;
	struct cs_nistp *nistp;
	struct cs_arena *arena;
	struct attest_result *result;
	struct cs_why *why;
};

/* Each adds its checks, claims, TCB status and report data, and sets `hardware`. Same errors as
 * attest_verify. The TDX of a TPM and the SGX of a certificate come through these as well. */
CS_NODISCARD enum cs_err dcap_verify(struct attest_work *work, struct cs_bytes quote);
CS_NODISCARD enum cs_err snp_verify(struct attest_work *work, struct cs_bytes report);
CS_NODISCARD enum cs_err tpm_verify(struct attest_work *work, struct cs_bytes evidence);
CS_NODISCARD enum cs_err ratls_verify(struct attest_work *work, struct cs_bytes certificate);
CS_NODISCARD enum cs_err simulated_verify(struct attest_work *work, struct cs_bytes evidence);
/* By kind, for what is inside: not RA-TLS (UNSUPPORTED), so that it ends. */
CS_NODISCARD enum cs_err attest_verify_inside(struct attest_work *work,
					      const struct attest_evidence *evidence);

/* Bytes in a sentence: sixteen of them from `from` on, with dots where there are others. */
struct attest_hex {
	char text[2 * 16 + 2 * 3 + 1];
};
struct attest_hex attest_hex(struct cs_bytes bytes, size_t from);
/* Where sixteen bytes of the one are not sixteen bytes of the other. */
size_t attest_hex_from(struct cs_bytes one, struct cs_bytes other);

/* Append a check; more than ATTEST_CHECKS_MAX is a bug. attest_check returns whether it passed, so
 * that `if (!attest_check(…)) return CS_OK;` ends where nothing further makes sense. */
bool attest_check(struct attest_result *result, const char *name, bool passed, const char *format,
		  ...) CS_PRINTF(4, 5);
/* Are they the same? Says both where they are not: "WHAT is 5f0c..., WANTED_WHAT 91eb...". */
bool attest_check_same(struct attest_result *result, const char *name, const char *what,
		       struct cs_bytes got, const char *wanted_what, struct cs_bytes wanted);
void attest_skip(struct attest_result *result, const char *name, const char *format, ...)
	CS_PRINTF(3, 4);
/* Append a claim; more than ATTEST_CLAIMS_MAX is a bug. A claim's bytes must live as long as the
 * result. */
void attest_measurement(struct attest_result *result, const char *name, struct cs_bytes bytes);
void attest_claim_bytes(struct attest_result *result, const char *name, struct cs_bytes bytes);
void attest_claim_number(struct attest_result *result, const char *name, uint64_t number);
/* Once, however often it comes; TOO_LARGE above the bound. */
CS_NODISCARD enum cs_err attest_advisory(struct attest_result *result, struct cs_bytes advisory);
/* It rests on something that ends then: *until_s only ever comes nearer. */
void attest_until(struct attest_result *result, uint64_t until_s);
/* It rests on a document or list of these dates: the oldest issue and the first end are kept, and it ends then. */
void attest_collateral_dates(struct attest_result *result, uint64_t issued_s, uint64_t until_s);
/* Replaces it: the outermost kind says it last. */
void attest_report_data(struct attest_result *result, struct cs_bytes report_data);

#endif
