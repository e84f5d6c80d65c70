/* Files of `caisson attest verify`: evidence, collateral from a file or a folder, roots. */
#include "cli/attest.h"
#include "verify/attest/collateral.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum cli_exit attest_file(struct attest_run *run, struct cs_bytes *bytes, const char *path,
			  size_t size_max)
{
	uint8_t *memory = NULL;
	size_t size = 0;
	const enum cli_exit code = cli_read_file(run->cli, &memory, &size, path, size_max);
	if (code != CLI_OK)
		return code;
	*bytes = cs_arena_copy(&run->arena, cs_bytes(memory, size));
	free(memory);
	return bytes->p != NULL ? CLI_OK : cli_fail(run->cli, CLI_FAILED, "out of memory");
}

/* ---- the buffer of Intel's library ---- */

/* What tee_qv_get_collateral gives (sgx_ql_qve_collateral_t of sgx_ql_lib_common.h, DCAP 1.14 on), as programs write
 * it down: 8 bytes, version and TEE; of each part the address that it had and its size; then the parts, which are texts
 * with the zero that ended them, one behind the other. Versions 3.0 and 4.0: in 3.1 lists are DER. */
#define QV_PARTS 7u
#define QV_HEAD_SIZE (8u + 16u * QV_PARTS)
#define QV_TEE_SGX 0u
#define QV_TEE_TDX 0x81u

static uint64_t little_endian(const uint8_t *p, size_t n)
{
	uint64_t value = 0;
	while (n-- > 0)
		value = value << 8 | p[n];
	return value;
}

/* Quotes begin with the same versions; where the lower half of a version is here they have their key's kind. */
static bool is_qv_collateral(struct cs_bytes file)
{
	if (file.n < 8)
		return false;
	const uint64_t version = little_endian(file.p, 4), tee = little_endian(file.p + 4, 4);
	return (version == 3 || version == 4) && (tee == QV_TEE_SGX || tee == QV_TEE_TDX);
}

static enum cs_err add_qv_part(struct attest_run *run, struct cs_bytes part, struct cs_why *why)
{
	if (part.n < 2 || memchr(part.p, 0, part.n) != part.p + part.n - 1)
		return cs_fail(why, CS_ERR_MALFORMED, "no text with a zero behind it");
	return attest_collateral_add(&run->collateral, cs_bytes(part.p, part.n - 1), &run->arena,
				     why);
}

static enum cs_err add_qv_collateral(struct attest_run *run, struct cs_bytes file,
				     struct cs_why *why)
{
	static const char *const names[QV_PARTS] = {"pck_crl_issuer_chain",
						    "root_ca_crl",
						    "pck_crl",
						    "tcb_info_issuer_chain",
						    "tcb_info",
						    "qe_identity_issuer_chain",
						    "qe_identity"};
	if (file.n < QV_HEAD_SIZE)
		return cs_fail(why, CS_ERR_TRUNCATED, "%zu bytes, the head has %u", file.n,
			       QV_HEAD_SIZE);
	size_t at = QV_HEAD_SIZE;
	uint64_t address = little_endian(file.p + 8, 8);
	for (size_t i = 0; i < QV_PARTS; i++) {
		const uint8_t *entry = file.p + 8 + 16 * i;
		const uint64_t size = little_endian(entry + 8, 8);
		struct cs_why inner = {{0}};
		if (size > file.n - at)
			return cs_fail(why, CS_ERR_TRUNCATED, "%s: %llu bytes, %zu are there",
				       names[i], (unsigned long long)size, file.n - at);
		if (little_endian(entry, 8) != address)
			return cs_fail(why, CS_ERR_MALFORMED, "%s: not behind the part before it",
				       names[i]);
		const enum cs_err err =
			add_qv_part(run, cs_bytes(file.p + at, (size_t)size), &inner);
		if (err != CS_OK)
			return cs_fail(why, err == CS_ERR_UNSUPPORTED ? CS_ERR_MALFORMED : err,
				       "%s: %.150s", names[i], inner.text);
		at += (size_t)size;
		address += size;
	}
	return at == file.n ? CS_OK
			    : cs_fail(why, CS_ERR_TRAILING, "%zu bytes behind the last part",
				      file.n - at);
}

/* ---- collateral ---- */

static enum cli_exit add_file(struct attest_run *run, const char *path, bool of_folder)
{
	struct cs_bytes bytes;
	struct cs_why why = {{0}};
	const enum cli_exit code = attest_file(run, &bytes, path, ATTEST_COLLATERAL_SIZE_MAX);
	if (code != CLI_OK)
		return code;
	const enum cs_err err =
		is_qv_collateral(bytes)
			? add_qv_collateral(run, bytes, &why)
			: attest_collateral_add(&run->collateral, bytes, &run->arena, &why);
	if (err == CS_ERR_UNSUPPORTED && of_folder) {
		run->passed_over++;
		return CLI_OK;
	}
	return err == CS_OK ? CLI_OK
			    : cli_fail(run->cli, CLI_USAGE, "%s: %s: %s", path,
				       cs_err_sentence(err), why.text);
}

static int by_name(const void *a, const void *b)
{
	const struct dirent *const *first = a, *const *second = b;
	return strcmp((*first)->d_name, (*second)->d_name);
}

/* Plain files, in the order of their names; what begins with a dot is passed over. */
static enum cli_exit add_folder(struct attest_run *run, const char *path)
{
	struct dirent **entries = NULL;
	enum cli_exit code = CLI_OK;
	const int count = scandir(path, &entries, NULL, NULL);
	if (count < 0)
		return cli_fail(run->cli, CLI_USAGE, "%s: %s", path, strerror(errno));
	if (count > 1)
		qsort(entries, (size_t)count, sizeof(struct dirent *), by_name);
	for (int i = 0; i < count; i++) {
		char file[4096];
		struct stat status;
		snprintf(file, sizeof(file), "%s/%s", path, entries[i]->d_name);
		if (code == CLI_OK && entries[i]->d_name[0] != '.' && stat(file, &status) == 0 &&
		    S_ISREG(status.st_mode))
			code = add_file(run, file, true);
		free(entries[i]);
	}
	free(entries);
	return code;
}

enum cli_exit attest_load_collateral(struct attest_run *run, const char *path)
{
	struct stat status;
	if (stat(path, &status) != 0)
		return cli_fail(run->cli, CLI_USAGE, "%s: %s", path, strerror(errno));
	return S_ISDIR(status.st_mode) ? add_folder(run, path) : add_file(run, path, false);
}

/* ---- roots ---- */

static enum cli_exit roots_of(struct attest_run *run, const char *name, size_t *count)
{
	static struct attest_collateral found;
	struct cs_why why = {{0}};
	struct cs_bytes bytes;
	unsigned at = 0;
	for (const char *path; (path = cli_option_next(run->cli, name, &at)) != NULL;) {
		const enum cli_exit code =
			attest_file(run, &bytes, path, ATTEST_COLLATERAL_SIZE_MAX);
		if (code != CLI_OK)
			return code;
		found = (struct attest_collateral){.certificate_count = 0};
		const enum cs_err err = attest_collateral_add(&found, bytes, &run->arena, &why);
		if (err != CS_OK || found.certificate_count == 0)
			return cli_fail(run->cli, CLI_USAGE, "--%s %s: no certificate: %s", name,
					path, why.text);
		if (found.certificate_count > ATTEST_CERTIFICATES_MAX - *count)
			return cli_fail(run->cli, CLI_USAGE, "--%s: more than %u", name,
					ATTEST_CERTIFICATES_MAX);
		memcpy(&run->roots[*count], found.certificates,
		       found.certificate_count * sizeof(found.certificates[0]));
		*count += found.certificate_count;
	}
	return CLI_OK;
}

enum cli_exit attest_load_roots(struct attest_run *run)
{
	size_t count = 0;
	run->trusted = attest_roots_vendors;
	enum cli_exit code = roots_of(run, "insecure-root", &count);
	if (code != CLI_OK)
		return code;
	if (count > 0)
		run->trusted = (struct attest_roots){.intel = run->roots,
						     .intel_count = count,
						     .amd = run->roots,
						     .amd_count = count,
						     .insecure = true};
	const size_t of_tpm = count;
	code = roots_of(run, "root", &count);
	run->trusted.tpm = run->roots + of_tpm;
	run->trusted.tpm_count = count - of_tpm;
	return code;
}
