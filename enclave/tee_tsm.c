/* TDX and SEV-SNP: the kernel's configfs-tsm (Documentation/ABI/testing/configfs-tsm-report, Linux 6.7).
 * One folder for all processes of ours, under a lock; and because others need not know of the lock, a
 * report counts only when the generation shows that nobody wrote in between. */
#include "enclave/tee_files.h"
#include "enclave/tee_quoter.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#define ENTRY "caisson"
/* Somebody who writes all the time is no accident. */
#define TRIES_MAX 4
#define SNP_REPORT_SIZE 1184u
#define SNP_REPORT_DATA_AT 0x50u

static enum cs_err open_tsm(struct tee_device *device, const struct tee_place *place,
			    struct cs_why *why)
{
	const char *root = place->root;
	char provider[32];
	const int folder = tee_folder(AT_FDCWD, root);
	device->folder = folder < 0 ? -1 : tee_folder(folder, "report");
	if (device->folder < 0)
		return cs_fail(why, CS_ERR_UNAVAILABLE,
			       "there is no %s/report: this is no TDX or SEV-SNP guest with "
			       "Linux 6.7 and a mounted configfs",
			       root);
	if (mkdirat(device->folder, ENTRY, 0700) != 0 && errno != EEXIST)
		return cs_fail(why, CS_ERR_UNAVAILABLE,
			       "%s/report/" ENTRY " cannot be made (error %d): no provider of "
			       "reports is there, or this is not root",
			       root, errno);
	device->entry = tee_folder(device->folder, ENTRY);
	if (device->entry < 0)
		return cs_fail(why, CS_ERR_IO, "%s/report/" ENTRY " cannot be opened", root);
	CS_TRY(tee_file_word(provider, sizeof provider, device->entry, "provider", why));
	device->is_snp = strcmp(provider, "sev_guest") == 0;
	if (!device->is_snp && strcmp(provider, "tdx_guest") != 0)
		return cs_fail(why, CS_ERR_UNSUPPORTED, "reports of the provider \"%s\"", provider);
	return CS_OK;
}

static enum cs_err generation(uint64_t *out, const struct tee_device *device, struct cs_why *why)
{
	char word[24];
	uint64_t value = 0;
	CS_TRY(tee_file_word(word, sizeof word, device->entry, "generation", why));
	const size_t n = strlen(word);
	if (n == 0 || n > 19)
		return cs_fail(why, CS_ERR_MALFORMED, "generation is no number");
	for (size_t i = 0; i < n; i++) {
		if (word[i] < '0' || word[i] > '9')
			return cs_fail(why, CS_ERR_MALFORMED, "generation is no number");
		value = value * 10 + (uint64_t)(word[i] - '0');
	}
	*out = value;
	return CS_OK;
}

/* The report, and of SNP the certificates behind it (verify/attest reads them as one). */
static enum cs_err once(struct tee_device *device, struct cs_buf *evidence, struct cs_bytes asked,
			struct cs_why *why)
{
	uint64_t before, after;
	CS_TRY(generation(&before, device, why));
	CS_TRY(tee_file_write(device->entry, "inblob", asked, why));
	CS_TRY(tee_file_read(evidence, device->entry, "outblob", why));
	const size_t report_size = evidence->n;
	if (device->is_snp)
		CS_TRY(tee_file_read(evidence, device->entry, "auxblob", why));
	CS_TRY(generation(&after, device, why));
	if (after != before + 1)
		return cs_fail(why, CS_ERR_CONFLICT, "others write to report/" ENTRY);
	if (device->is_snp && report_size != SNP_REPORT_SIZE)
		return cs_fail(why, CS_ERR_MALFORMED, "a report of %zu bytes", report_size);
	const struct cs_bytes said =
		device->is_snp ? cs_bytes(evidence->p + SNP_REPORT_DATA_AT, TEE_REPORT_DATA_SIZE)
			       : tee_quote_report_data(cs_buf_view(evidence));
	if (!cs_bytes_eq(said, asked))
		return cs_fail(why, CS_ERR_NOT_BOUND, "the report carries other report data");
	return CS_OK;
}

static enum cs_err locked(struct tee_device *device, struct cs_buf *evidence, struct cs_bytes asked,
			  struct cs_why *why)
{
	enum cs_err err = CS_ERR_CONFLICT;
	for (int i = 0; i < TRIES_MAX && err == CS_ERR_CONFLICT; i++) {
		evidence->n = 0;
		err = once(device, evidence, asked, why);
	}
	return err;
}

static enum cs_err quote(struct tee_device *device, struct cs_buf *evidence,
			 const uint8_t *report_data, struct cs_why *why)
{
	int done;
	do
		done = flock(device->entry, LOCK_EX);
	while (done != 0 && errno == EINTR);
	if (done != 0)
		return cs_fail(why, CS_ERR_IO, "report/" ENTRY " cannot be locked");
	const enum cs_err err =
		locked(device, evidence, cs_bytes(report_data, TEE_REPORT_DATA_SIZE), why);
	(void)flock(device->entry, LOCK_UN);
	return err;
}

/* Neither interface gives a key to seal with. */
const struct tee_hardware tee_tsm = {
	.name = "tsm",
	.root = "/sys/kernel/config/tsm",
	.calls = SANDBOX_QUOTE,
	.open = open_tsm,
	.quote = quote,
};
