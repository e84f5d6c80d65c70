/* The record: an NV index that its authorization alone reads and writes (TPM Library 1.59, part 1, 37.2; part 3, 31).
 * The authorization and the index's number follow from the sealing root, so that nobody else can write it, and
 * who takes it away (the owner can) cannot make it again: it is missing then, or of another authorization. It goes
 * to the TPM encrypted, under a session that is salted with the storage key. */
#include "core/hash.h"
#include "enclave/tpm/tpm.h"

#include <string.h>

#define NONE ESYS_TR_NONE
/* Indices for owners (TCG, "Registry of Reserved TPM 2.0 Handles and Localities", 2.2). */
#define INDEX_FIRST 0x01800000u
#define INDEX_MASK 0x003fffffu

static struct cs_hash derive(const char *what, const struct cs_secret *root)
{
	const struct cs_bytes pieces[] = {cs_bytes_str(what), CS_BYTES_OF(root->b)};
	return cs_sha256_join(pieces, CS_LEN(pieces));
}

void tpm_record_derive(struct tpm *tpm)
{
	const struct cs_hash index = derive("caisson/tpm-record/index/v1", &tpm->seal_root);
	struct cs_hash auth = derive("caisson/tpm-record/auth/v1", &tpm->seal_root);
	tpm->record_index = INDEX_FIRST | (cs_be32(index.b) & INDEX_MASK);
	tpm->record_auth.size = sizeof auth.b;
	memcpy(tpm->record_auth.buffer, auth.b, sizeof auth.b);
	cs_wipe(&auth, sizeof auth);
}

/* ---- one command ---- */

struct use {
	struct tpm *tpm;
	ESYS_TR session;
	ESYS_TR index;
	struct cs_why *why;
};

/* What is encrypted must be the first parameter, with a size in front, of the command or of the answer. */
static enum cs_err encrypts(const struct use *use, TPMA_SESSION way)
{
	return tpm_said(use->why, "a session",
			Esys_TRSess_SetAttributes(use->tpm->esys, use->session,
						  way | TPMA_SESSION_CONTINUESESSION, 0xff));
}

static enum cs_err find(struct use *use)
{
	const TSS2_RC rc = Esys_TR_FromTPMPublic(use->tpm->esys, use->tpm->record_index, NONE, NONE,
						 NONE, &use->index);
	if (rc == (TPM2_RC_HANDLE | TPM2_RC_1) || rc == TPM2_RC_HANDLE)
		return cs_fail(use->why, CS_ERR_NOT_FOUND, "the TPM has no record at %08x",
			       (unsigned)use->tpm->record_index);
	CS_TRY(tpm_said(use->why, "looking for the record", rc));
	return tpm_said(use->why, "the record's authorization",
			Esys_TR_SetAuth(use->tpm->esys, use->index, &use->tpm->record_auth));
}

static enum cs_err make(struct use *use)
{
	const TPM2B_NV_PUBLIC form = {
		.nvPublic = {.nvIndex = use->tpm->record_index,
			     .nameAlg = TPM2_ALG_SHA256,
			     .attributes = TPMA_NV_AUTHREAD | TPMA_NV_AUTHWRITE | TPMA_NV_NO_DA,
			     .dataSize = TEE_RECORD_SIZE}};
	CS_TRY(encrypts(use, TPMA_SESSION_DECRYPT));
	return tpm_said(use->why, "making the record",
			Esys_NV_DefineSpace(use->tpm->esys, ESYS_TR_RH_OWNER, ESYS_TR_PASSWORD,
					    use->session, NONE, &use->tpm->record_auth, &form,
					    &use->index));
}

static enum cs_err read_out(struct use *use, uint8_t *out)
{
	TPM2B_MAX_NV_BUFFER *data = NULL;
	CS_TRY(encrypts(use, TPMA_SESSION_ENCRYPT));
	const TSS2_RC rc = Esys_NV_Read(use->tpm->esys, use->index, use->index, use->session, NONE,
					NONE, TEE_RECORD_SIZE, 0, &data);
	/* Made, and never written: the process ended in between. */
	if (rc == TPM2_RC_NV_UNINITIALIZED)
		return cs_fail(use->why, CS_ERR_NOT_FOUND, "the record is empty");
	CS_TRY(tpm_said(use->why, "reading the record", rc));
	const bool whole = data->size == TEE_RECORD_SIZE;
	if (whole)
		memcpy(out, data->buffer, TEE_RECORD_SIZE);
	Esys_Free(data);
	return whole ? CS_OK : cs_fail(use->why, CS_ERR_MALFORMED, "a record of other size");
}

static enum cs_err write_in(struct use *use, const uint8_t *in)
{
	TPM2B_MAX_NV_BUFFER data = {.size = TEE_RECORD_SIZE};
	memcpy(data.buffer, in, TEE_RECORD_SIZE);
	CS_TRY(encrypts(use, TPMA_SESSION_DECRYPT));
	return tpm_said(use->why, "writing the record",
			Esys_NV_Write(use->tpm->esys, use->index, use->index, use->session, NONE,
				      NONE, &data, 0));
}

/* ---- with a session around it ---- */

static enum cs_err run(struct use *use, uint8_t *out, const uint8_t *in)
{
	enum cs_err err = find(use);
	if (err == CS_ERR_NOT_FOUND && in != NULL)
		err = make(use);
	if (err == CS_OK)
		err = in != NULL ? write_in(use, in) : read_out(use, out);
	if (use->index != NONE)
		(void)Esys_TR_Close(use->tpm->esys, &use->index);
	return err;
}

static enum cs_err in_session(struct tpm *tpm, uint8_t *out, const uint8_t *in, struct cs_why *why)
{
	cs_assert((out == NULL) != (in == NULL));
	struct use use = {.tpm = tpm, .index = NONE, .why = why};
	ESYS_TR key;
	CS_TRY(tpm_storage_key(&key, tpm, why));
	enum cs_err err = tpm_session_start(&use.session, tpm, key, TPM2_SE_HMAC, why);
	if (err == CS_OK) {
		err = run(&use, out, in);
		(void)Esys_FlushContext(tpm->esys, use.session);
	}
	(void)Esys_FlushContext(tpm->esys, key);
	return err;
}

enum cs_err tpm_record_read(struct tpm *tpm, uint8_t out[TEE_RECORD_SIZE], struct cs_why *why)
{
	return in_session(tpm, out, NULL, why);
}

enum cs_err tpm_record_write(struct tpm *tpm, const uint8_t in[TEE_RECORD_SIZE], struct cs_why *why)
{
	return in_session(tpm, NULL, in, why);
}
