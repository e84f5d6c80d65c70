/* `caisson attest verify`: finds out what evidence is, verifies it at a moment, appraises it by a policy
 * and says what it comes to. Asks nobody. */
#include "cli/attest.h"

#include "core/nistp.h"
#include "core/utc.h"
#include "verify/attest/policy_check.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* The verifier's own, and files with what is decoded from them. */
#define ARENA_SIZE (ATTEST_ARENA_SIZE + 16u * 1024 * 1024)
/* Of a policy's --report-data: hex of the longest. */
#define REPORT_DATA_TEXT_MAX (2u * ATTEST_REPORT_DATA_SIZE_MAX + 2u)

/* ---- options ---- */

/* As in RFC 3339, or a day alone, which is its first second in UTC. */
static bool parse_time(uint64_t *seconds, const char *text)
{
	char whole[CS_UTC_SIZE];
	const int n = snprintf(whole, sizeof(whole), "%sT00:00:00Z", text);
	return cs_utc_parse(seconds, cs_bytes_str(text)) == CS_OK ||
	       (n == CS_UTC_SIZE - 1 && cs_utc_parse(seconds, cs_bytes_str(whole)) == CS_OK);
}

/* A time, or Unix seconds; without --at at_s, or this machine's clock. */
static enum cli_exit read_time(struct attest_run *run, uint64_t at_s)
{
	const char *text = cli_option(run->cli, "at");
	uint64_t seconds = at_s != 0 ? at_s : (uint64_t)time(NULL);
	if (text != NULL && !parse_time(&seconds, text) &&
	    !cli_number(run->cli, "at", CS_UTC_SECONDS_MAX, &seconds))
		return cli_fail(run->cli, CLI_USAGE,
				"--at: neither 2026-01-31T00:00:00Z nor 2026-01-31 nor Unix "
				"seconds");
	run->in.now = (struct verify_time){seconds, seconds};
	return CLI_OK;
}

static enum cli_exit read_report_data(struct attest_run *run)
{
	const char *text = cli_option(run->cli, "report-data");
	if (text == NULL)
		return CLI_OK;
	const size_t length = strlen(text);
	const size_t prefix = strncmp(text, "0x", 2) == 0 ? 2 : 0;
	const size_t n = (length - prefix) / 2;
	uint8_t *p = cs_arena_alloc(&run->arena, REPORT_DATA_TEXT_MAX);
	if (p == NULL)
		return cli_fail(run->cli, CLI_FAILED, "out of memory");
	if (n == 0 || n > ATTEST_REPORT_DATA_SIZE_MAX ||
	    cs_unhex(p, n, cs_bytes_str(text)) != CS_OK)
		return cli_fail(run->cli, CLI_USAGE, "--report-data: not hex of 1 to %u bytes",
				ATTEST_REPORT_DATA_SIZE_MAX);
	run->policy.judges_report_data = true;
	run->policy.report_data = cs_bytes(p, n);
	return CLI_OK;
}

static enum cli_exit read_policy(struct attest_run *run)
{
	const char *path = cli_option(run->cli, "policy");
	struct cs_why why = {{0}};
	struct cs_bytes json;
	attest_policy_init(&run->policy);
	if (path != NULL) {
		const enum cli_exit code = attest_file(run, &json, path, ATTEST_POLICY_SIZE_MAX);
		if (code != CLI_OK)
			return code;
		enum cs_err err = attest_policy_parse(&run->policy, json, &run->arena, &why);
		if (err == CS_OK)
			err = attest_policy_check(&run->policy, &why);
		if (err != CS_OK)
			return cli_fail(run->cli, CLI_USAGE, "%s: %s: %s", path,
					cs_err_sentence(err), why.text);
	}
	return read_report_data(run);
}

enum cli_exit attest_run_options(struct attest_run *run, uint64_t at_s)
{
	const char *collateral = cli_option(run->cli, "collateral");
	enum cli_exit code = read_time(run, at_s);
	if (code == CLI_OK)
		code = read_policy(run);
	if (code == CLI_OK)
		code = attest_load_roots(run);
	if (code == CLI_OK && collateral != NULL)
		code = attest_load_collateral(run, collateral);
	run->in.collateral = &run->collateral;
	run->in.roots = &run->trusted;
	run->in.no_revocation = cli_flag(run->cli, "no-revocation");
	return code;
}

/* ---- the verdict ---- */

/* Evidence that cannot be read is a result, too: one check, which failed. */
static void unreadable(struct attest_run *run, enum cs_err err, const struct cs_why *why)
{
	const enum attest_kind kind = run->in.evidence.kind;
	memset(&run->result, 0, sizeof(run->result));
	run->result.kind = kind;
	attest_check(&run->result, "evidence-form", false, "%s: %.150s", cs_err_sentence(err),
		     why->text);
}

enum cli_exit attest_run_verify(struct attest_run *run, struct cs_bytes evidence)
{
	struct cs_why why = {{0}};
	enum cs_err err = attest_evidence_find(&run->in.evidence, evidence, &run->arena, &why);
	if (err == CS_OK)
		err = attest_verify(&run->result, &run->in, run->nistp, &run->arena, &why);
	if (err == CS_ERR_NO_MEMORY || err == CS_ERR_CRYPTO)
		return cli_fail(run->cli, CLI_FAILED, "%s", cs_err_sentence(err));
	if (err != CS_OK)
		unreadable(run, err, &why);
	return CLI_OK;
}

void attest_run_appraise(struct attest_run *run)
{
	attest_appraise(&run->appraisal, &run->result, &run->policy, &run->in.now);
	/* Genuine hardware around a program that says of itself that something is missing. */
	if (run->document_flags != 0 && run->appraisal.status == ATTEST_TIER_AFFIRMING)
		run->appraisal.status = ATTEST_TIER_WARNING;
}

int attest_exit_of(const struct attest_appraisal *appraisal)
{
	switch (appraisal->status) {
	case ATTEST_TIER_AFFIRMING:
		return CLI_OK;
	case ATTEST_TIER_WARNING:
		return appraisal->insecure        ? ATTEST_EXIT_INSECURE
		       : appraisal->whole_machine ? ATTEST_EXIT_WHOLE_MACHINE
						  : ATTEST_EXIT_WARNING;
	case ATTEST_TIER_CONTRAINDICATED:
		return ATTEST_EXIT_CONTRAINDICATED;
	case ATTEST_TIER_NONE:
		return ATTEST_EXIT_NONE;
	}
	cs_assert(false);
	return CLI_FAILED;
}

/* ---- the command ---- */

void attest_close(struct attest_run *run)
{
	if (run == NULL)
		return;
	cs_nistp_free(run->nistp);
	json_decref(run->document);
	json_decref(run->hello);
	free(run->block);
	free(run);
}

struct attest_run *attest_run_new(struct cli *cli)
{
	struct attest_run *run = calloc(1, sizeof(*run));
	if (run == NULL)
		return NULL;
	run->cli = cli;
	run->block = malloc(ARENA_SIZE);
	run->nistp = cs_nistp_new();
	if (run->block == NULL || run->nistp == NULL) {
		attest_close(run);
		return NULL;
	}
	cs_arena_init(&run->arena, run->block, ARENA_SIZE);
	return run;
}

static enum cli_exit judge(struct attest_run *run, const char *path, uint64_t at_s)
{
	struct cs_bytes file;
	enum cli_exit code = attest_run_options(run, at_s);
	if (code == CLI_OK)
		code = attest_file(run, &file, path, (size_t)3 * ATTEST_EVIDENCE_SIZE_MAX);
	if (code == CLI_OK)
		code = attest_document_open(run, &file);
	if (code == CLI_OK)
		code = attest_run_verify(run, file);
	if (code == CLI_OK)
		code = attest_document_check(run);
	if (code == CLI_OK)
		attest_run_appraise(run);
	return code;
}

enum cli_exit attest_judge(struct attest_run **out, struct cli *cli, const char *path,
			   uint64_t at_s)
{
	struct attest_run *run = attest_run_new(cli);
	if (run == NULL)
		return cli_fail(cli, CLI_FAILED, "out of memory");
	const enum cli_exit code = judge(run, path, at_s);
	if (code == CLI_OK)
		*out = run;
	else
		attest_close(run);
	return code;
}

enum cli_exit cli_attest_verify(struct cli *cli)
{
	struct attest_run *run = NULL;
	if (cli->positional_count != 1)
		return cli_fail(cli, CLI_USAGE, "which file?");
	const enum cli_exit code = attest_judge(&run, cli, cli->positional[0], 0);
	if (code != CLI_OK)
		return code;
	attest_print(run);
	const int verdict = attest_exit_of(&run->appraisal);
	attest_close(run);
	return (enum cli_exit)verdict;
}
