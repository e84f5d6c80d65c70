/* The sealing root: 32 bytes as a sealed object under the storage key, with the policy that PCRs 0 to 7 are as
 * they were (TPM2_PolicyPCR). What goes to the TPM and comes from it is encrypted under a session that is
 * salted with the storage key: who taps the bus reads nothing. */
#include "enclave/tpm/tpm.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <tss2/tss2_mu.h>
#include <unistd.h>

#define NONE ESYS_TR_NONE
/* Public and private part, each with its size. */
#define SEALED_SIZE_MAX 2048u
#define PATH_SIZE_MAX 4096u

static const TPMT_SYM_DEF session_cipher = {
	.algorithm = TPM2_ALG_AES, .keyBits.aes = 128, .mode.aes = TPM2_ALG_CFB};

/* TCG's template for a storage root key, P-256. */
static const TPM2B_PUBLIC storage_template = {
	.publicArea =
		{
			.type = TPM2_ALG_ECC,
			.nameAlg = TPM2_ALG_SHA256,
			.objectAttributes = TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT |
					    TPMA_OBJECT_SENSITIVEDATAORIGIN |
					    TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_NODA |
					    TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_DECRYPT,
			.parameters.eccDetail =
				{
					.symmetric = {.algorithm = TPM2_ALG_AES,
						      .keyBits.aes = 128,
						      .mode.aes = TPM2_ALG_CFB},
					.scheme.scheme = TPM2_ALG_NULL,
					.curveID = TPM2_ECC_NIST_P256,
					.kdf.scheme = TPM2_ALG_NULL,
				},
		},
};

enum cs_err tpm_storage_key(ESYS_TR *key, struct tpm *tpm, struct cs_why *why)
{
	static const TPM2B_SENSITIVE_CREATE nothing = {0};
	static const TPM2B_DATA outside = {0};
	static const TPML_PCR_SELECTION no_pcrs = {0};
	return tpm_said(why, "making the storage key",
			Esys_CreatePrimary(tpm->esys, ESYS_TR_RH_OWNER, ESYS_TR_PASSWORD, NONE,
					   NONE, &nothing, &storage_template, &outside, &no_pcrs,
					   key, NULL, NULL, NULL, NULL));
}

enum cs_err tpm_session_start(ESYS_TR *session, struct tpm *tpm, ESYS_TR key, TPM2_SE kind,
			      struct cs_why *why)
{
	CS_TRY(tpm_said(why, "a session",
			Esys_StartAuthSession(tpm->esys, key, NONE, NONE, NONE, NONE, NULL, kind,
					      &session_cipher, TPM2_ALG_SHA256, session)));
	const TPMA_SESSION both = TPMA_SESSION_DECRYPT | TPMA_SESSION_ENCRYPT;
	const TPMA_SESSION on = kind == TPM2_SE_HMAC     ? both | TPMA_SESSION_CONTINUESESSION
				: kind == TPM2_SE_POLICY ? TPMA_SESSION_ENCRYPT
							 : 0;
	return tpm_said(why, "a session", Esys_TRSess_SetAttributes(tpm->esys, *session, on, 0xff));
}

static enum cs_err policy_pcr(struct tpm *tpm, ESYS_TR session, struct cs_why *why)
{
	static const TPM2B_DIGEST as_they_are = {0};
	TPML_PCR_SELECTION pcrs;
	tpm_pcrs(&pcrs, TPM_PCRS_SEALED);
	return tpm_said(why, "the policy of PCRs 0 to 7",
			Esys_PolicyPCR(tpm->esys, session, NONE, NONE, NONE, &as_they_are, &pcrs));
}

/* ---- the first start ---- */

static enum cs_err policy_digest(TPM2B_DIGEST *digest, struct tpm *tpm, ESYS_TR key,
				 struct cs_why *why)
{
	ESYS_TR session;
	TPM2B_DIGEST *made = NULL;
	CS_TRY(tpm_session_start(&session, tpm, key, TPM2_SE_TRIAL, why));
	enum cs_err err = policy_pcr(tpm, session, why);
	if (err == CS_OK)
		err = tpm_said(why, "the policy's digest",
			       Esys_PolicyGetDigest(tpm->esys, session, NONE, NONE, NONE, &made));
	(void)Esys_FlushContext(tpm->esys, session);
	CS_TRY(err);
	*digest = *made;
	Esys_Free(made);
	return CS_OK;
}

static enum cs_err sealed_make(uint8_t *out, size_t *size, struct tpm *tpm, ESYS_TR key,
			       ESYS_TR session, struct cs_why *why)
{
	static const TPM2B_DATA outside = {0};
	static const TPML_PCR_SELECTION no_pcrs = {0};
	TPM2B_SENSITIVE_CREATE secret = {.sensitive.data.size = sizeof tpm->seal_root.b};
	TPM2B_PUBLIC sealed = {
		.publicArea = {.type = TPM2_ALG_KEYEDHASH,
			       .nameAlg = TPM2_ALG_SHA256,
			       .objectAttributes = TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT |
						   TPMA_OBJECT_NODA,
			       .parameters.keyedHashDetail.scheme.scheme = TPM2_ALG_NULL}};
	TPM2B_PRIVATE *private_part = NULL;
	TPM2B_PUBLIC *public_part = NULL;
	CS_TRY(policy_digest(&sealed.publicArea.authPolicy, tpm, key, why));
	memcpy(secret.sensitive.data.buffer, tpm->seal_root.b, sizeof tpm->seal_root.b);
	const enum cs_err err = tpm_said(
		why, "sealing the root",
		Esys_Create(tpm->esys, key, ESYS_TR_PASSWORD, session, NONE, &secret, &sealed,
			    &outside, &no_pcrs, &private_part, &public_part, NULL, NULL, NULL));
	cs_wipe(&secret, sizeof secret);
	CS_TRY(err);
	size_t at = 0;
	TSS2_RC rc = Tss2_MU_TPM2B_PUBLIC_Marshal(public_part, out, *size, &at);
	if (rc == TSS2_RC_SUCCESS)
		rc = Tss2_MU_TPM2B_PRIVATE_Marshal(private_part, out, *size, &at);
	Esys_Free(public_part);
	Esys_Free(private_part);
	*size = at;
	return tpm_said(why, "writing the sealed root", rc);
}

/* Durable before it is used: what is sealed under a root that is lost stays sealed. */
static enum cs_err file_write(const char *path, const char *folder, const uint8_t *p, size_t n,
			      struct cs_why *why)
{
	const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	bool written = fd >= 0 && write(fd, p, n) == (ssize_t)n && fsync(fd) == 0;
	written = (fd < 0 || close(fd) == 0) && written;
	const int directory = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	written = directory >= 0 && fsync(directory) == 0 && written;
	if (directory >= 0)
		(void)close(directory);
	return written ? CS_OK : cs_fail(why, CS_ERR_IO, "%s cannot be written", path);
}

static enum cs_err make(struct tpm *tpm, ESYS_TR key, const char *path, const char *folder,
			struct cs_why *why)
{
	uint8_t sealed[SEALED_SIZE_MAX];
	size_t size = sizeof sealed;
	ESYS_TR session;
	if (getrandom(tpm->seal_root.b, sizeof tpm->seal_root.b, 0) !=
	    (ssize_t)sizeof tpm->seal_root.b)
		return cs_fail(why, CS_ERR_CRYPTO, "no randomness");
	CS_TRY(tpm_session_start(&session, tpm, key, TPM2_SE_HMAC, why));
	const enum cs_err err = sealed_make(sealed, &size, tpm, key, session, why);
	(void)Esys_FlushContext(tpm->esys, session);
	CS_TRY(err);
	return file_write(path, folder, sealed, size, why);
}

/* ---- later ones ---- */

static enum cs_err refused(struct cs_why *why)
{
	return cs_fail(why, CS_ERR_SEAL_BROKEN,
		       "the TPM does not open the sealing root: the machine booted something else "
		       "(PCRs 0 to 7), or tpm-sealed is another machine's");
}

static enum cs_err unseal(struct tpm *tpm, ESYS_TR key, ESYS_TR object, struct cs_why *why)
{
	ESYS_TR session;
	TPM2B_SENSITIVE_DATA *data = NULL;
	CS_TRY(tpm_session_start(&session, tpm, key, TPM2_SE_POLICY, why));
	const enum cs_err err = policy_pcr(tpm, session, why);
	/* A session that was used is gone; one that was refused is not. */
	const TSS2_RC rc = err == CS_OK ? Esys_Unseal(tpm->esys, object, session, NONE, NONE, &data)
					: TSS2_RC_SUCCESS;
	if (err != CS_OK || rc != TSS2_RC_SUCCESS)
		(void)Esys_FlushContext(tpm->esys, session);
	CS_TRY(err);
	if (rc != TSS2_RC_SUCCESS)
		return refused(why);
	const bool good = data->size == sizeof tpm->seal_root.b;
	if (good)
		memcpy(tpm->seal_root.b, data->buffer, sizeof tpm->seal_root.b);
	cs_wipe(data, sizeof *data);
	Esys_Free(data);
	return good ? CS_OK : refused(why);
}

static enum cs_err load(struct tpm *tpm, ESYS_TR key, const uint8_t *sealed, size_t size,
			struct cs_why *why)
{
	TPM2B_PUBLIC public_part = {0};
	TPM2B_PRIVATE private_part = {0};
	ESYS_TR object;
	size_t at = 0;
	if (Tss2_MU_TPM2B_PUBLIC_Unmarshal(sealed, size, &at, &public_part) != TSS2_RC_SUCCESS ||
	    Tss2_MU_TPM2B_PRIVATE_Unmarshal(sealed, size, &at, &private_part) != TSS2_RC_SUCCESS ||
	    at != size)
		return cs_fail(why, CS_ERR_MALFORMED, "tpm-sealed is no sealed root");
	if (Esys_Load(tpm->esys, key, ESYS_TR_PASSWORD, NONE, NONE, &private_part, &public_part,
		      &object) != TSS2_RC_SUCCESS)
		return refused(why);
	const enum cs_err err = unseal(tpm, key, object, why);
	(void)Esys_FlushContext(tpm->esys, object);
	return err;
}

static enum cs_err open_under(struct tpm *tpm, ESYS_TR key, const char *folder, struct cs_why *why)
{
	char path[PATH_SIZE_MAX];
	uint8_t sealed[SEALED_SIZE_MAX + 1];
	(void)snprintf(path, sizeof path, "%s/tpm-sealed", folder);
	const int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return make(tpm, key, path, folder, why);
	const ssize_t n = fd < 0 ? -1 : read(fd, sealed, sizeof sealed);
	if (fd >= 0)
		(void)close(fd);
	if (n < 0)
		return cs_fail(why, CS_ERR_IO, "%s cannot be read", path);
	return load(tpm, key, sealed, (size_t)n, why);
}

enum cs_err tpm_seal_root_open(struct tpm *tpm, const char *state, struct cs_why *why)
{
	ESYS_TR key;
	CS_TRY(tpm_storage_key(&key, tpm, why));
	const enum cs_err err = open_under(tpm, key, state, why);
	(void)Esys_FlushContext(tpm->esys, key);
	return err;
}
