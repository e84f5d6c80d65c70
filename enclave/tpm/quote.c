#include "core/base64.h"
#include "core/hash.h"
#include "enclave/tpm/tpm.h"

#include <string.h>
#include <tss2/tss2_mu.h>

#define NONE ESYS_TR_NONE
#define PCR_COUNT 24u
#define PCR_SIZE 32u
/* TPM2_PCR_Read gives eight at a time. */
#define READS_MAX 8
/* The machine measures into a PCR between reading and quoting: again. */
#define TRIES_MAX 4
/* TPMS_ATTEST, TPMT_SIGNATURE, TPMT_PUBLIC. */
#define STRUCTURE_SIZE_MAX 2048u

void tpm_pcrs(TPML_PCR_SELECTION *selection, uint32_t pcrs)
{
	*selection = (TPML_PCR_SELECTION){
		.count = 1,
		.pcrSelections = {{.hash = TPM2_ALG_SHA256,
				   .sizeofSelect = 3,
				   .pcrSelect = {(uint8_t)pcrs, (uint8_t)(pcrs >> 8),
						 (uint8_t)(pcrs >> 16)}}}};
}

static uint32_t pcrs_of(const TPML_PCR_SELECTION *selection)
{
	if (selection->count != 1 || selection->pcrSelections[0].hash != TPM2_ALG_SHA256)
		return 0;
	const BYTE *bits = selection->pcrSelections[0].pcrSelect;
	return bits[0] | (uint32_t)bits[1] << 8 | (uint32_t)bits[2] << 16;
}

/* All 24, also those that are not quoted: the form has them. */
static enum cs_err read_pcrs(uint8_t pcrs[PCR_COUNT][PCR_SIZE], struct tpm *tpm, struct cs_why *why)
{
	uint32_t missing = (1u << PCR_COUNT) - 1;
	for (int i = 0; i < READS_MAX && missing != 0; i++) {
		TPML_PCR_SELECTION asked, *given = NULL;
		TPML_DIGEST *values = NULL;
		UINT32 counter;
		size_t next = 0;
		tpm_pcrs(&asked, missing);
		CS_TRY(tpm_said(why, "reading PCRs of SHA-256",
				Esys_PCR_Read(tpm->esys, NONE, NONE, NONE, &asked, &counter, &given,
					      &values)));
		const uint32_t got = pcrs_of(given) & missing;
		for (size_t k = 0; k < PCR_COUNT; k++) {
			if (!(got >> k & 1) || next >= values->count ||
			    values->digests[next].size != PCR_SIZE)
				continue;
			memcpy(pcrs[k], values->digests[next++].buffer, PCR_SIZE);
			missing &= ~(1u << k);
		}
		Esys_Free(given);
		Esys_Free(values);
		if (next == 0)
			break;
	}
	return missing == 0 ? CS_OK
			    : cs_fail(why, CS_ERR_UNSUPPORTED, "the TPM has no PCRs of SHA-256");
}

static bool digest_fits(const TPMS_ATTEST *said, const uint8_t pcrs[PCR_COUNT][PCR_SIZE])
{
	struct cs_bytes quoted = cs_bytes(pcrs, (size_t)16 * PCR_SIZE);
	_Static_assert(TPM_PCRS_QUOTED == 0xffffu, "the first sixteen, in a row");
	const struct cs_hash digest = cs_sha256(quoted);
	return said->type == TPM2_ST_ATTEST_QUOTE && said->attested.quote.pcrDigest.size == 32 &&
	       memcmp(said->attested.quote.pcrDigest.buffer, digest.b, 32) == 0;
}

/* ---- the form ---- */

void tpm_put_base64(struct cs_buf *out, const char *name, const void *p, size_t n)
{
	char text[2 * TPM_CERTIFICATE_SIZE_MAX];
	const size_t size = cs_base64(text, cs_bytes(p, n), CS_BASE64);
	cs_put_text(out, "\"%s\":\"", name);
	cs_put(out, cs_bytes(text, size));
	cs_put_text(out, "\"");
}

static enum cs_err put(struct cs_buf *out, struct tpm *tpm, const TPM2B_ATTEST *attest,
		       const TPMT_SIGNATURE *signature, const uint8_t pcrs[PCR_COUNT][PCR_SIZE],
		       struct cs_why *why)
{
	uint8_t area[STRUCTURE_SIZE_MAX], signed_by[STRUCTURE_SIZE_MAX];
	char hex[2 * PCR_SIZE + 1];
	size_t area_size = 0, signature_size = 0;
	CS_TRY(tpm_said(why, "the attestation key",
			Tss2_MU_TPMT_PUBLIC_Marshal(&tpm->ak_public->publicArea, area, sizeof area,
						    &area_size)));
	CS_TRY(tpm_said(why, "the signature",
			Tss2_MU_TPMT_SIGNATURE_Marshal(signature, signed_by, sizeof signed_by,
						       &signature_size)));
	cs_put_text(out, "{");
	tpm_put_base64(out, "ak_area", area, area_size);
	cs_put_text(out, ",");
	if (tpm->certificate_size > 0) {
		tpm_put_base64(out, "ak_certificate", tpm->certificate, tpm->certificate_size);
		cs_put_text(out, ",");
	}
	cs_put_text(out, "\"tpm_quote\":{");
	tpm_put_base64(out, "message", attest->attestationData, attest->size);
	cs_put_text(out, ",");
	tpm_put_base64(out, "signature", signed_by, signature_size);
	cs_put_text(out, ",\"pcrs\":[");
	for (size_t i = 0; i < PCR_COUNT; i++) {
		cs_hex(hex, CS_BYTES_OF(pcrs[i]));
		cs_put_text(out, "%s\"%s\"", i == 0 ? "" : ",", hex);
	}
	cs_put_text(out, "]}}");
	const enum cs_err err = cs_buf_end(out);
	return err == CS_OK ? CS_OK : cs_fail(why, err, "the evidence is too long");
}

/* ---- quoting ---- */

/* A quote of these values about this hash, else CONFLICT (values) or NOT_BOUND. */
static enum cs_err check(const TPM2B_ATTEST *attest, const uint8_t pcrs[PCR_COUNT][PCR_SIZE],
			 struct cs_bytes asked, struct cs_why *why)
{
	TPMS_ATTEST said = {0};
	size_t at = 0;
	CS_TRY(tpm_said(
		why, "reading the quote",
		Tss2_MU_TPMS_ATTEST_Unmarshal(attest->attestationData, attest->size, &at, &said)));
	if (!cs_bytes_eq(cs_bytes(said.extraData.buffer, said.extraData.size), asked))
		return cs_fail(why, CS_ERR_NOT_BOUND, "the quote is about something else");
	return digest_fits(&said, pcrs)
		       ? CS_OK
		       : cs_fail(why, CS_ERR_CONFLICT, "PCRs changed while they were quoted");
}

static enum cs_err once(struct cs_buf *evidence, struct tpm *tpm, struct cs_bytes asked,
			struct cs_why *why)
{
	static const TPMT_SIG_SCHEME of_the_key = {.scheme = TPM2_ALG_NULL};
	uint8_t pcrs[PCR_COUNT][PCR_SIZE];
	TPM2B_DATA about = {.size = (UINT16)asked.n};
	TPML_PCR_SELECTION quoted;
	TPM2B_ATTEST *attest = NULL;
	TPMT_SIGNATURE *signature = NULL;
	memcpy(about.buffer, asked.p, asked.n);
	tpm_pcrs(&quoted, TPM_PCRS_QUOTED);
	CS_TRY(read_pcrs(pcrs, tpm, why));
	CS_TRY(tpm_said(why, "a quote",
			Esys_Quote(tpm->esys, tpm->ak, ESYS_TR_PASSWORD, NONE, NONE, &about,
				   &of_the_key, &quoted, &attest, &signature)));
	enum cs_err err = check(attest, pcrs, asked, why);
	if (err == CS_OK)
		err = put(evidence, tpm, attest, signature, pcrs, why);
	Esys_Free(attest);
	Esys_Free(signature);
	return err;
}

enum cs_err tpm_quote(struct tpm *tpm, struct cs_buf *evidence, const uint8_t *report_data,
		      struct cs_why *why)
{
	static const uint8_t zeros[TEE_REPORT_DATA_SIZE - 32];
	enum cs_err err = CS_ERR_CONFLICT;
	/* A TPM takes a hash; what else report data held would not be bound. */
	if (memcmp(report_data + 32, zeros, sizeof zeros) != 0)
		return cs_fail(why, CS_ERR_UNSUPPORTED, "report data is more than a hash");
	for (int i = 0; i < TRIES_MAX && err == CS_ERR_CONFLICT; i++)
		err = once(evidence, tpm, cs_bytes(report_data, 32), why);
	return err;
}
