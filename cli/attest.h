/* `caisson attest verify`: evidence from a file, offline; and for commands that rest on it. Files and the
 * clock are here; everything that decides is in verify/attest. */
#ifndef CLI_ATTEST_H
#define CLI_ATTEST_H

#include "cli/cli.h"
#include "verify/attest/appraise.h"

/* Its own exit codes, beside CLI_OK (affirming), CLI_FAILED and CLI_USAGE; docs/attestation.md has the
 * table. */
enum attest_exit {
	ATTEST_EXIT_INSECURE = 3,      /* warning, accepted only by an insecure_accept_… */
	ATTEST_EXIT_WHOLE_MACHINE = 4, /* a TPM's: everything on the machine is trusted */
	ATTEST_EXIT_WARNING = 5,
	ATTEST_EXIT_CONTRAINDICATED = 6,
	ATTEST_EXIT_NONE = 7, /* nothing can be said: collateral is missing */
};

/* What the command works with: memory for one run, freed by attest_run_done. */
struct attest_run {
	struct cli *cli;
	struct cs_arena arena;
	void *block;
	struct cs_nistp *nistp;
	struct attest_collateral collateral;
	struct cs_bytes roots[ATTEST_CERTIFICATES_MAX];
	struct attest_roots trusted;
	struct attest_input in;
	struct attest_policy policy;
	struct attest_result result;
	struct attest_appraisal appraisal;
	json_t *document;               /* of attest_document.c; NULL: bare evidence */
	json_t *hello;                  /* of attest_connect.c; NULL: nobody was asked */
	struct cs_hash document_digest; /* keccak-256 of the evidence in it */
	struct cs_bytes document_nonce; /* as it says */
	uint64_t document_flags;        /* the enclave's insecure ones, as it says */
	size_t passed_over;             /* files of a folder that are no collateral */
};

/* ---- attest.c ---- */
/* The evidence of a file, verified and appraised with the command's options (ATTEST_OPTIONS of main.c), as
 * of --at, else at_s, else now when that is 0. OK whatever the verdict: it is in (*run)->appraisal. What
 * cannot be read is printed. */
enum cli_exit attest_judge(struct attest_run **run, struct cli *cli, const char *path,
			   uint64_t at_s);
/* NULL is allowed. */
void attest_close(struct attest_run *run);
/* CLI_OK: affirming; else one of enum attest_exit. */
int attest_exit_of(const struct attest_appraisal *appraisal);
/* The steps of it, for whoever has evidence from elsewhere. NULL: no memory. */
struct attest_run *attest_run_new(struct cli *cli);
enum cli_exit attest_run_options(struct attest_run *run, uint64_t at_s);
/* Raw or as text. What cannot be read is a result, too: one check, which failed. */
enum cli_exit attest_run_verify(struct attest_run *run, struct cs_bytes evidence);
/* Under the policy; after the last check was added to the result. */
void attest_run_appraise(struct attest_run *run);

/* ---- attest_files.c ---- */
/* A file (cli_read_file), in the arena. */
enum cli_exit attest_file(struct attest_run *run, struct cs_bytes *bytes, const char *path,
			  size_t size_max);
/* --collateral: a file or a folder into the bag. */
enum cli_exit attest_load_collateral(struct attest_run *run, const char *path);
/* --root (of TPMs) or --insecure-root (in place of Intel's and AMD's): certificates of a file. */
enum cli_exit attest_load_roots(struct attest_run *run);

/* ---- attest_document.c ---- */
/* Where *file is a document of `caisson enclave evidence` it becomes the evidence in it, and what its
 * report data must be is the policy's. Other files are left as they are. */
enum cli_exit attest_document_open(struct attest_run *run, struct cs_bytes *file);
/* A key that the document names for an identity, which it does: false when there is none. epoch 0: the newest,
 * whose epoch is set. What it says is bound where the appraisal is not contraindicated. */
bool attest_document_key(const struct attest_run *run, const struct cs_hash *identity,
			 uint64_t *epoch, struct cs_hash *key);
/* Adds the check of --nonce to the result, between verification and appraisal. */
enum cli_exit attest_document_check(struct attest_run *run);

/* ---- attest_print.c ---- */
/* The report, for people or as JSON. */
void attest_print(struct attest_run *run);
/* Its JSON: docs/attestation.md. A new reference. */
json_t *attest_json(const struct attest_run *run);
/* Tier, kind and what is insecure, then the measurements: some lines, each after this many blanks. */
void attest_print_brief(const struct attest_run *run, int indent);

#endif
