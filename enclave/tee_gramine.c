/* SGX under Gramine: its pseudo files in /dev/attestation (Gramine's documentation, "Attestation and
 * Secret Provisioning"). */
#include "core/aead.h"
#include "enclave/tee_files.h"
#include "enclave/tee_quoter.h"

#include <fcntl.h>
#include <string.h>

/* The key that Gramine derives for the enclave's signer: 128 bits of EGETKEY. */
#define SIGNER_KEY_SIZE 16u

static enum cs_err open_gramine(struct tee_device *device, const struct tee_place *place,
				struct cs_why *why)
{
	const char *root = place->root;
	char type[16];
	device->folder = tee_folder(AT_FDCWD, root);
	if (device->folder < 0)
		return cs_fail(why, CS_ERR_UNAVAILABLE,
			       "there is no %s: this is no process under Gramine with "
			       "sgx.remote_attestation",
			       root);
	CS_TRY(tee_file_word(type, sizeof type, device->folder, "attestation_type", why));
	if (strcmp(type, "dcap") != 0)
		return cs_fail(
			why, CS_ERR_UNSUPPORTED,
			"attestation_type is \"%s\": sgx.remote_attestation must be \"dcap\"",
			type);
	return CS_OK;
}

static enum cs_err quote(struct tee_device *device, struct cs_buf *evidence,
			 const uint8_t *report_data, struct cs_why *why)
{
	const struct cs_bytes asked = cs_bytes(report_data, TEE_REPORT_DATA_SIZE);
	CS_TRY(tee_file_write(device->folder, "user_report_data", asked, why));
	CS_TRY(tee_file_read(evidence, device->folder, "quote", why));
	if (!cs_bytes_eq(tee_quote_report_data(cs_buf_view(evidence)), asked))
		return cs_fail(why, CS_ERR_NOT_BOUND, "the quote carries other report data");
	return CS_OK;
}

static enum cs_err seal_root(struct tee_device *device, struct cs_secret *root, struct cs_why *why)
{
	uint8_t key[SIGNER_KEY_SIZE];
	struct cs_buf out;
	cs_buf_init(&out, key, sizeof key);
	const enum cs_err err = tee_file_read(&out, device->folder, "keys/_sgx_mrsigner", why);
	if (err == CS_OK && out.n == sizeof key)
		cs_hkdf(root->b, sizeof root->b, CS_BYTES_OF(key), CS_BYTES_NONE,
			cs_bytes_str("caisson/seal-root/gramine/v1"));
	cs_wipe(key, sizeof key);
	CS_TRY(err);
	return out.n == sizeof key
		       ? CS_OK
		       : cs_fail(why, CS_ERR_MALFORMED, "keys/_sgx_mrsigner is not 16 bytes");
}

const struct tee_hardware tee_gramine = {
	.name = "gramine",
	.root = "/dev/attestation",
	.has_seal_root = true,
	.calls = SANDBOX_QUOTE,
	.open = open_gramine,
	.quote = quote,
	.seal_root = seal_root,
};
