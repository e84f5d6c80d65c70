/* A TPM 2.0 as a backend: an attestation key that is the same at every start, quotes of it, and a sealing root
 * that opens only while the machine has booted what it had booted when the root was made. By tpm2-tss's
 * Enhanced System API; linked into caisson-tpm-quoter alone. */
#ifndef ENCLAVE_TPM_H
#define ENCLAVE_TPM_H

#include "enclave/tee_quoter.h"

#include <tss2/tss2_esys.h>

/* What is quoted: PCRs 0 to 15 of SHA-256, which only a start of the machine sets back. */
#define TPM_PCRS_QUOTED 0xffffu
/* What the sealing root is bound to: firmware, boot loader, secure boot (TCG PC Client, PCRs 0 to 7). */
#define TPM_PCRS_SEALED 0x00ffu
/* A certificate of the attestation key, in the state folder; whoever enrolled the machine put it there. */
#define TPM_CERTIFICATE_SIZE_MAX 4096u

struct tpm {
	ESYS_CONTEXT *esys;
	ESYS_TR ak;
	TPM2B_PUBLIC *ak_public;
	size_t certificate_size; /* 0: there is none */
	uint8_t certificate[TPM_CERTIFICATE_SIZE_MAX];
	struct cs_secret seal_root; /* until it is handed over */
	uint32_t record_index;
	TPM2B_AUTH record_auth;
};

/* UNAVAILABLE with tpm2-tss's code. */
CS_NODISCARD enum cs_err tpm_said(struct cs_why *why, const char *what, TSS2_RC rc);
/* Commands as they are over a device (/dev/tpmrm0) or the data socket of a simulator, with no more than read
 * and write: tpm2-tss's own would poll and connect again. In *tcti, which lives as long as the process. */
CS_NODISCARD enum cs_err tpm_connect(TSS2_TCTI_CONTEXT **tcti, const char *root,
				     struct cs_why *why);
/* *tpm with its library and the attestation key alone: no sealing root, no record. UNAVAILABLE. */
CS_NODISCARD enum cs_err tpm_attach(struct tpm *tpm, const char *root, struct cs_why *why);
/* A file into tpm->certificate; untouched where there is none. TOO_LARGE, an empty one too. */
CS_NODISCARD enum cs_err tpm_certificate_load(struct tpm *tpm, const char *path,
					      struct cs_why *why);
/* The storage key, a primary key; the caller flushes it. */
CS_NODISCARD enum cs_err tpm_storage_key(ESYS_TR *key, struct tpm *tpm, struct cs_why *why);
/* kind: HMAC, POLICY or TRIAL; salted with the key. The caller flushes it. */
CS_NODISCARD enum cs_err tpm_session_start(ESYS_TR *session, struct tpm *tpm, ESYS_TR key,
					   TPM2_SE kind, struct cs_why *why);
void tpm_pcrs(TPML_PCR_SELECTION *selection, uint32_t pcrs);
/* The sealing root in state/tpm-sealed, made at the first start. SEAL_BROKEN: the TPM does not open it, because
 * the machine booted something else or the file is another machine's. */
CS_NODISCARD enum cs_err tpm_seal_root_open(struct tpm *tpm, const char *state, struct cs_why *why);
/* Of the sealing root, while it is there. */
void tpm_record_derive(struct tpm *tpm);
/* As tee_hardware's record_read and record_write. */
CS_NODISCARD enum cs_err tpm_record_read(struct tpm *tpm, uint8_t out[TEE_RECORD_SIZE],
					 struct cs_why *why);
CS_NODISCARD enum cs_err tpm_record_write(struct tpm *tpm, const uint8_t in[TEE_RECORD_SIZE],
					  struct cs_why *why);
/* The JSON that verify/attest/tpm_evidence.h reads. */
CS_NODISCARD enum cs_err tpm_quote(struct tpm *tpm, struct cs_buf *evidence,
				   const uint8_t *report_data, struct cs_why *why);
/* A JSON member: the name and base64. */
void tpm_put_base64(struct cs_buf *out, const char *name, const void *p, size_t n);

/* ---- endorse.c ---- */
/* What `caisson attest challenge` takes: the attestation key and an endorsement key's certificate, which is in the
 * TPM (kind NULL: the first that is there) or in a file. NOT_FOUND: it has none; UNSUPPORTED: a kind. */
CS_NODISCARD enum cs_err tpm_endorse_request(struct cs_buf *out, struct tpm *tpm, const char *kind,
					     const char *certificate, struct cs_why *why);
/* The answer to its challenge, for `caisson attest certify`. FORBIDDEN: the TPM does not open it; the errors of
 * cs_json_parse, UNKNOWN_FIELD, MISSING_FIELD, MALFORMED, UNSUPPORTED, UNAVAILABLE. */
CS_NODISCARD enum cs_err tpm_endorse_activate(struct cs_buf *out, struct tpm *tpm,
					      struct cs_bytes challenge, struct cs_why *why);
/* The command of an operator; its exit code. */
int tpm_endorse_main(int argc, char **argv);

#endif
