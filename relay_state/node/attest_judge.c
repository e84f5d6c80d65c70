#include "relay_state/node/attest_judge.h"

#include "core/nistp.h"
#include "host/alloc.h"
#include "host/keyfile.h"
#include "host/log.h"
#include "host/loop.h"
#include "verify/attest/appraise.h"
#include "verify/attest/collateral.h"
#include "verify/attest/policy_check.h"
#include "verify/attest/ratls.h"
#include "wire/report.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* A policy's tree; a folder's files and what is taken out of them. */
#define POLICY_ARENA_SIZE (4u * 1024 * 1024)
#define BAG_ARENA_SIZE (32u * 1024 * 1024)
#define PATH_MAX_SIZE 4096u

/* What a folder holds. */
struct bag {
	void *block;
	struct cs_arena arena;
	struct attest_collateral found;
};

struct node_judge {
	struct node_judge_options options;
	struct cs_hash genesis;
	void *policy_block, *block;
	struct cs_arena policy_arena, arena;
	struct attest_policy policy;
	struct bag *collateral, *roots; /* NULL: none */
	struct cs_nistp *nistp;
	struct attest_result result;
	struct attest_appraisal appraisal;
};

struct cs_hash node_attest_report(struct cs_bytes spki, const struct cs_hash *genesis,
				  uint64_t issued_s)
{
	const struct wire_report report = {.role = WIRE_REPORT_LEDGER_NODE,
					   .key = cs_sha256(spki),
					   .fresh = wire_report_fresh_issued(issued_s),
					   .lineage = *genesis};
	return wire_report_hash(&report);
}

/* ---- files ---- */

static enum cs_err read_file(struct cs_bytes *bytes, struct cs_arena *arena, const char *path,
			     size_t size_max, struct cs_why *why)
{
	uint8_t *memory = NULL;
	size_t size = 0;
	CS_TRY(host_file_load(&memory, &size, path, size_max, why));
	*bytes = cs_arena_copy(arena, cs_bytes(memory, size));
	free(memory);
	return bytes->p != NULL ? CS_OK : cs_fail(why, CS_ERR_TOO_LARGE, "%s: too much", path);
}

static void bag_free(struct bag *bag)
{
	if (bag == NULL)
		return;
	free(bag->block);
	free(bag);
}

/* Files that are no collateral, such as a README, are passed over. */
static enum cs_err bag_add(struct bag *bag, const char *path, struct cs_why *why)
{
	struct cs_bytes bytes;
	struct cs_why detail = {{0}};
	struct stat status;
	if (stat(path, &status) != 0 || !S_ISREG(status.st_mode))
		return CS_OK;
	CS_TRY(read_file(&bytes, &bag->arena, path, ATTEST_COLLATERAL_SIZE_MAX, why));
	const enum cs_err err = attest_collateral_add(&bag->found, bytes, &bag->arena, &detail);
	if (err == CS_OK || err == CS_ERR_UNSUPPORTED)
		return CS_OK;
	return cs_fail(why, err, "%.80s: %.100s", path, detail.text);
}

static enum cs_err bag_fill(struct bag *bag, const char *folder, struct cs_why *why)
{
	struct dirent **entries = NULL;
	enum cs_err err = CS_OK;
	const int count = scandir(folder, &entries, NULL, alphasort);
	if (count < 0)
		return cs_fail(why, CS_ERR_INVALID, "%.100s: %s", folder, strerror(errno));
	for (int i = 0; i < count; i++) {
		char path[PATH_MAX_SIZE];
		const int n = snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
		if (err == CS_OK && entries[i]->d_name[0] != '.' && n > 0 &&
		    (size_t)n < sizeof path)
			err = bag_add(bag, path, why);
		free(entries[i]);
	}
	free(entries);
	return err;
}

/* NULL folder: no bag. */
static enum cs_err bag_new(struct bag **out, const char *folder, struct cs_why *why)
{
	*out = NULL;
	if (folder == NULL)
		return CS_OK;
	struct bag *bag = host_alloc(sizeof *bag);
	bag->block = host_alloc(BAG_ARENA_SIZE);
	cs_arena_init(&bag->arena, bag->block, BAG_ARENA_SIZE);
	const enum cs_err err = bag_fill(bag, folder, why);
	if (err == CS_OK)
		*out = bag;
	else
		bag_free(bag);
	return err;
}

enum cs_err node_judge_reload(struct node_judge *judge, struct cs_why *why)
{
	struct bag *collateral = NULL, *roots = NULL;
	CS_TRY(bag_new(&collateral, judge->options.collateral, why));
	const enum cs_err err = bag_new(&roots, judge->options.roots, why);
	if (err != CS_OK) {
		bag_free(collateral);
		return err;
	}
	bag_free(judge->collateral);
	bag_free(judge->roots);
	judge->collateral = collateral;
	judge->roots = roots;
	return CS_OK;
}

static enum cs_err read_policy(struct node_judge *judge, struct cs_why *why)
{
	const char *path = judge->options.policy_file;
	struct cs_why detail = {{0}};
	struct cs_bytes text;
	CS_TRY(read_file(&text, &judge->policy_arena, path, ATTEST_POLICY_SIZE_MAX, why));
	enum cs_err err = attest_policy_parse(&judge->policy, text, &judge->policy_arena, &detail);
	if (err == CS_OK)
		err = attest_policy_check(&judge->policy, &detail);
	if (err != CS_OK)
		return cs_fail(why, err, "%.80s: %.100s", path, detail.text);
	if (!judge->policy.judges_reference)
		return cs_fail(why, CS_ERR_INVALID,
			       "%.80s lists no measurements: it would admit every machine of the "
			       "vendor's",
			       path);
	if (attest_policy_is_over(&judge->policy, host_wall_ms() / 1000))
		log_warn("attest.policy_over", LOG_TEXT("file", path),
			 LOG_TEXT("why", "the not_after of every build has passed"));
	return CS_OK;
}

enum cs_err node_judge_new(struct node_judge **out, const struct node_judge_options *options,
			   struct cs_why *why)
{
	struct node_judge *judge = host_alloc(sizeof *judge);
	judge->options = *options;
	judge->genesis = *options->genesis_hash;
	judge->policy_block = host_alloc(POLICY_ARENA_SIZE);
	judge->block = host_alloc(ATTEST_ARENA_SIZE);
	cs_arena_init(&judge->policy_arena, judge->policy_block, POLICY_ARENA_SIZE);
	cs_arena_init(&judge->arena, judge->block, ATTEST_ARENA_SIZE);
	attest_policy_init(&judge->policy);
	judge->nistp = cs_nistp_new();
	enum cs_err err = judge->nistp != NULL ? CS_OK : CS_ERR_CRYPTO;
	if (err == CS_OK)
		err = read_policy(judge, why);
	if (err == CS_OK)
		err = node_judge_reload(judge, why);
	if (err == CS_OK)
		*out = judge;
	else
		node_judge_free(judge);
	return err;
}

void node_judge_free(struct node_judge *judge)
{
	if (judge == NULL)
		return;
	bag_free(judge->collateral);
	bag_free(judge->roots);
	cs_nistp_free(judge->nistp);
	free(judge->policy_block);
	free(judge->block);
	free(judge);
}

bool node_judge_is_insecure(const struct node_judge *judge)
{
	const struct attest_policy *policy = &judge->policy;
	return policy->insecure_accept_simulated || policy->insecure_accept_debug ||
	       policy->insecure_accept_test_roots;
}

/* ---- a verdict ---- */

static void refuse(struct node_verdict *verdict, const char *check, const char *detail)
{
	verdict->is_admitted = false;
	(void)snprintf(verdict->check, sizeof verdict->check, "%s", check);
	(void)snprintf(verdict->detail, sizeof verdict->detail, "%s", detail);
}

static bool refuse_by(struct node_verdict *verdict, const struct attest_check *checks, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (checks[i].outcome != ATTEST_FAILED)
			continue;
		refuse(verdict, checks[i].name, checks[i].detail.text);
		return true;
	}
	return false;
}

/* Evidence by its own kind, then what binds it to key, chain and time. */
static enum cs_err verify(struct node_judge *judge, const struct node_attest_shown *shown,
			  const struct verify_time *now, struct cs_why *why)
{
	static const struct attest_collateral nothing;
	const struct cs_bytes spki = cs_bytes(shown->spki, shown->spki_size);
	const struct cs_hash expected = node_attest_report(spki, &judge->genesis, shown->issued_s);
	struct attest_roots roots = attest_roots_vendors;
	struct attest_input in = {.collateral = &nothing, .roots = &roots, .now = *now};
	struct ratls_evidence found;
	if (judge->collateral != NULL)
		in.collateral = &judge->collateral->found;
	if (judge->roots != NULL) {
		roots.tpm = judge->roots->found.certificates;
		roots.tpm_count = judge->roots->found.certificate_count;
	}
	CS_TRY(ratls_tagged_read(&found, cs_bytes(shown->extension, shown->extension_size), why));
	CS_TRY(attest_evidence_find_raw(&in.evidence, found.evidence, why));
	/* A certificate inside would be bound to a key of its own. */
	if (in.evidence.kind == ATTEST_RATLS)
		return cs_fail(why, CS_ERR_UNSUPPORTED, "a certificate in place of evidence");
	CS_TRY(attest_verify(&judge->result, &in, judge->nistp, &judge->arena, why));
	ratls_check_binding(&judge->result, &found, spki);
	(void)attest_check(
		&judge->result, "node-report", cs_bytes_eq(found.report, CS_BYTES_OF(expected.b)),
		"it is a ledger node's, of this chain, of the certificate's first second");
	(void)attest_check(&judge->result, "node-age",
			   shown->issued_s <= now->low_s + NODE_ATTEST_AHEAD_S &&
				   now->high_s <= shown->issued_s + NODE_ATTEST_LIFE_S,
			   "it is an hour old at the most");
	return CS_OK;
}

void node_judge_peer(struct node_judge *judge, struct node_verdict *verdict,
		     const struct node_attest_shown *shown, uint64_t now_s)
{
	const struct verify_time now = {now_s, now_s};
	const size_t mark = cs_arena_mark(&judge->arena);
	struct attest_result *result = &judge->result;
	struct attest_appraisal *appraisal = &judge->appraisal;
	struct cs_why why = {{0}};
	*verdict = (struct node_verdict){.kind = attest_kind_name(ATTEST_NONE)};
	if (shown->extension_size == 0)
		return refuse(verdict, "no-evidence", "the certificate carries none");
	if (verify(judge, shown, &now, &why) != CS_OK) {
		refuse(verdict, "evidence-read", why.text);
	} else {
		verdict->kind = attest_kind_name(result->hardware);
		attest_appraise(appraisal, result, &judge->policy, &now);
		verdict->is_admitted = attest_result_verified(result) &&
				       appraisal->reference != NULL &&
				       (appraisal->status == ATTEST_TIER_AFFIRMING ||
					appraisal->status == ATTEST_TIER_WARNING);
		verdict->is_insecure = appraisal->insecure;
		if (!verdict->is_admitted &&
		    !refuse_by(verdict, result->checks, result->check_count) &&
		    !refuse_by(verdict, appraisal->judgements, appraisal->judgement_count))
			refuse(verdict, "policy-tier", attest_tier_name(appraisal->status));
		if (appraisal->reference != NULL)
			(void)snprintf(verdict->label, sizeof verdict->label, "%.*s",
				       (int)appraisal->reference->label.n,
				       (const char *)appraisal->reference->label.p);
	}
	cs_arena_rewind(&judge->arena, mark);
}
