/* Files of `caisson attest verify`: evidence, collateral from a file or a folder, roots. */
#include "cli/attest.h"
#include "host/keyfile.h"
#include "verify/attest/collateral.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum cli_exit attest_file(struct attest_run *run, struct cs_bytes *bytes, const char *path,
			  size_t size_max)
{
	struct cs_why why = {{0}};
	uint8_t *memory = NULL;
	size_t size = 0;
	if (host_file_load(&memory, &size, path, size_max, &why) != CS_OK)
		return cli_fail(run->cli, CLI_USAGE, "%s", why.text);
	*bytes = cs_arena_copy(&run->arena, cs_bytes(memory, size));
	free(memory);
	return bytes->p != NULL ? CLI_OK : cli_fail(run->cli, CLI_FAILED, "out of memory");
}

/* ---- collateral ---- */

static enum cli_exit add_file(struct attest_run *run, const char *path, bool of_folder)
{
	struct cs_bytes bytes;
	struct cs_why why = {{0}};
	const enum cli_exit code = attest_file(run, &bytes, path, ATTEST_COLLATERAL_SIZE_MAX);
	if (code != CLI_OK)
		return code;
	const enum cs_err err = attest_collateral_add(&run->collateral, bytes, &run->arena, &why);
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
