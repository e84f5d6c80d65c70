/* caisson-tpm-quoter: the quoting process of the backend `tpm`, started by an enclave: caisson-tpm-quoter DEVICE
 * STATE-FOLDER TOLERATED, with its socket at TEE_FD (enclave/tee_quoter.h). An operator who enrols the machine
 * starts it by himself, with --endorse and --activate (endorse.c). */
#include "enclave/tpm/tpm.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const TPM2B_PUBLIC attestation_template = {
	.publicArea =
		{
			.type = TPM2_ALG_ECC,
			.nameAlg = TPM2_ALG_SHA256,
			.objectAttributes = TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT |
					    TPMA_OBJECT_SENSITIVEDATAORIGIN |
					    TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_NODA |
					    TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_SIGN_ENCRYPT,
			.parameters.eccDetail =
				{
					.symmetric.algorithm = TPM2_ALG_NULL,
					.scheme = {.scheme = TPM2_ALG_ECDSA,
						   .details.ecdsa.hashAlg = TPM2_ALG_SHA256},
					.curveID = TPM2_ECC_NIST_P256,
					.kdf.scheme = TPM2_ALG_NULL,
				},
		},
};

enum cs_err tpm_said(struct cs_why *why, const char *what, TSS2_RC rc)
{
	return rc == TSS2_RC_SUCCESS
		       ? CS_OK
		       : cs_fail(why, CS_ERR_UNAVAILABLE, "%s: the TPM or its library says 0x%x",
				 what, (unsigned)rc);
}

/* A primary key of the endorsement hierarchy: the same after every start, until the TPM is cleared by its maker's
 * seed; nothing of it is stored. */
static enum cs_err make_ak(struct tpm *tpm, struct cs_why *why)
{
	static const TPM2B_SENSITIVE_CREATE nothing = {0};
	static const TPM2B_DATA outside = {0};
	static const TPML_PCR_SELECTION no_pcrs = {0};
	return tpm_said(why, "making the attestation key",
			Esys_CreatePrimary(tpm->esys, ESYS_TR_RH_ENDORSEMENT, ESYS_TR_PASSWORD,
					   ESYS_TR_NONE, ESYS_TR_NONE, &nothing,
					   &attestation_template, &outside, &no_pcrs, &tpm->ak,
					   &tpm->ak_public, NULL, NULL, NULL));
}

enum cs_err tpm_certificate_load(struct tpm *tpm, const char *path, struct cs_why *why)
{
	const int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return CS_OK;
	const ssize_t n = read(fd, tpm->certificate, sizeof tpm->certificate);
	(void)close(fd);
	if (n <= 0 || (size_t)n == sizeof tpm->certificate)
		return cs_fail(why, CS_ERR_TOO_LARGE, "%s is no certificate of a key", path);
	tpm->certificate_size = (size_t)n;
	return CS_OK;
}

static enum cs_err begin(struct tpm *tpm, const char *root, struct cs_why *why)
{
	TSS2_TCTI_CONTEXT *tcti;
	CS_TRY(tpm_connect(&tcti, root, why));
	return tpm_said(why, root, Esys_Initialize(&tpm->esys, tcti, NULL));
}

enum cs_err tpm_attach(struct tpm *tpm, const char *root, struct cs_why *why)
{
	CS_TRY(begin(tpm, root, why));
	return make_ak(tpm, why);
}

static enum cs_err open_tpm(struct tee_device *device, const struct tee_place *place,
			    struct cs_why *why)
{
	static struct tpm tpm;
	char path[4096];
	(void)snprintf(path, sizeof path, "%s/ak.der", place->state);
	CS_TRY(begin(&tpm, place->root, why));
	/* None: the machine is not enrolled. */
	CS_TRY(tpm_certificate_load(&tpm, path, why));
	CS_TRY(tpm_seal_root_open(&tpm, place->state, why));
	tpm_record_derive(&tpm);
	CS_TRY(make_ak(&tpm, why));
	device->tpm = &tpm;
	return CS_OK;
}

static enum cs_err quote(struct tee_device *device, struct cs_buf *evidence,
			 const uint8_t *report_data, struct cs_why *why)
{
	return tpm_quote(device->tpm, evidence, report_data, why);
}

static enum cs_err seal_root(struct tee_device *device, struct cs_secret *root, struct cs_why *why)
{
	(void)why;
	*root = device->tpm->seal_root;
	cs_wipe(&device->tpm->seal_root, sizeof device->tpm->seal_root);
	return CS_OK;
}

static enum cs_err record_read(struct tee_device *device, uint8_t out[TEE_RECORD_SIZE],
			       struct cs_why *why)
{
	return tpm_record_read(device->tpm, out, why);
}

static enum cs_err record_write(struct tee_device *device, const uint8_t in[TEE_RECORD_SIZE],
				struct cs_why *why)
{
	return tpm_record_write(device->tpm, in, why);
}

int main(int argc, char **argv)
{
	static const struct tee_hardware tpm = {
		.name = "tpm",
		.has_seal_root = true,
		.has_record = true,
		.calls = SANDBOX_ANSWER,
		.open = open_tpm,
		.quote = quote,
		.seal_root = seal_root,
		.record_read = record_read,
		.record_write = record_write,
	};
	if (argc > 1 && argv[1][0] == '-')
		return tpm_endorse_main(argc, argv);
	if (argc != 4 || fcntl(TEE_FD, F_GETFD) < 0) {
		(void)fputs("caisson-tpm-quoter is started by an enclave\n", stderr);
		return 64;
	}
	const struct tee_place place = {argv[1], argv[2]};
	tee_serve(&tpm, &place, strtoull(argv[3], NULL, 10));
}
