/* The outside form of a TPM's evidence: JSON. Four shapes of confidential-containers/trustee are read
 * (its verifiers `tpm`, `az-snp-vtpm` and `az-tdx-vtpm`, the latter two in both versions), and members
 * of ours beside those of `tpm`, which say why the attestation key is a TPM's. Reads; believes nothing
 * yet. */
#ifndef TPM_EVIDENCE_H
#define TPM_EVIDENCE_H

#include "core/arena.h"
#include "verify/attest/tpm_attest.h"

enum tpm_shape {
	TPM_PLAIN,
	TPM_AZURE_SNP,
	TPM_AZURE_TDX,
};

/* Absent is empty. Bytes are in the arena. */
struct tpm_evidence {
	enum tpm_shape shape;
	struct cs_bytes message;   /* TPMS_ATTEST */
	struct cs_bytes signature; /* plain: TPMT_SIGNATURE; Azure's: RSASSA with SHA-256, bare */
	struct cs_bytes pcrs[TPM_PCR_COUNT]; /* all of one size */
	/* plain */
	struct cs_bytes ak_public;      /* SubjectPublicKeyInfo */
	struct cs_bytes ak_area;        /* TPMT_PUBLIC: needed for its name */
	struct cs_bytes ak_certificate; /* DER */
	struct cs_bytes ek_certificate; /* DER */
	/* Azure's */
	struct cs_bytes hcl_report;
	struct cs_bytes vcek; /* DER or PEM */
	struct cs_bytes td_quote;
};

/* plain:  {"ak_public": b64, "ak_area": b64, "ak_certificate": b64, "ek_certificate": b64,
 *          "tpm_quote": {"message": b64, "signature": b64, "pcrs": [hex, …]}}: one of the first three
 *          or more
 * Azure:  {"version": 1, "hcl_report": b64url, "vcek" or "td_quote": b64url,
 *          "tpm_quote": {"message": hex, "signature": hex, "pcrs": [hex, …]}}, or, without a version,
 *          arrays of numbers in place of text, PEM as "vcek", and for SNP "report" and "quote" in place
 *          of "hcl_report" and "tpm_quote"
 *
 * The errors of cs_json_parse; UNKNOWN_FIELD, MISSING_FIELD, MALFORMED, TOO_LARGE, UNSUPPORTED (a
 * version), NO_MEMORY. */
CS_NODISCARD enum cs_err tpm_evidence_decode(struct tpm_evidence *evidence, struct cs_bytes json,
					     struct cs_arena *arena, struct cs_why *why);

/* The report of Azure's paravisor (Host Compatibility Layer): the hardware's report, and the claims
 * whose hash stands in its report data. Views lead into what was decoded. */
struct tpm_hcl {
	bool tdx; /* else SNP */
	struct cs_bytes
		hardware; /* SNP: the report; TDX: a TDREPORT, which only its own CPU checks */
	struct cs_bytes claims; /* JSON; its SHA-256 is the first half of the report data */
};

/* TRUNCATED, MALFORMED, UNSUPPORTED (version, kind of report, another hash than SHA-256); TRAILING:
 * more than zeros after the claims. */
CS_NODISCARD enum cs_err tpm_hcl_decode(struct tpm_hcl *hcl, struct cs_bytes bytes,
					struct cs_why *why);

/* The RSA key "HCLAkPub" of the claims, big-endian without zeros at the front, in the arena. MALFORMED:
 * the claims are no JSON with exactly one such key; NO_MEMORY. */
CS_NODISCARD enum cs_err tpm_hcl_key(struct cs_bytes *modulus, struct cs_bytes *exponent,
				     struct cs_bytes claims, struct cs_arena *arena,
				     struct cs_why *why);

/* What who challenged a TPM by TPM2_MakeCredential keeps, as JSON of hex: {"credential_blob": …,
 * "encrypted_secret": …, "secret": …, "seed": …, "padding": …, "answer": …}. It convinces nobody but
 * who drew the secret (whoever knows it could have given the answer), so that it is collateral and
 * never comes with the evidence. */
struct tpm_transcript {
	struct cs_bytes credential_blob;  /* TPM2B_ID_OBJECT, as it was sent */
	struct cs_bytes encrypted_secret; /* TPM2B_ENCRYPTED_SECRET, as it was sent */
	struct cs_bytes secret;           /* drawn: 16 to 32 bytes */
	struct cs_bytes seed;             /* drawn; as of struct tpm_drawn */
	struct cs_bytes padding;          /* drawn; ECC: empty */
	struct cs_bytes answer;           /* what TPM2_ActivateCredential gave */
};

/* The errors of cs_json_parse; UNKNOWN_FIELD, MISSING_FIELD, MALFORMED, TOO_LARGE, NO_MEMORY. */
CS_NODISCARD enum cs_err tpm_transcript_decode(struct tpm_transcript *transcript,
					       struct cs_bytes json, struct cs_arena *arena,
					       struct cs_why *why);

#endif
