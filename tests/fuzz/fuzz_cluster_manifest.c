/* Any bytes as a manifest of the cluster, a first and a second one: read or refused, and nothing written when
 * refused. */
#include "tests/fuzz/fuzz.h"
#include "verify/cluster/manifest.h"

static const struct cs_sig *sig(void)
{
	static struct cs_sig *made;
	if (made == NULL)
		made = cs_sig_new(NULL);
	cs_assert(made != NULL);
	return made;
}

static void look(const struct cluster_manifest *m)
{
	const struct verify_time now = {1800000000, 1800000000};
	struct cs_why why;
	for (size_t i = 0; i < m->application_count; i++)
		for (size_t k = 0; k < m->applications[i].build_count; k++) {
			const enum cs_err err =
				cluster_manifest_allows(m, m->applications[i].builds[k],
							m->applications[i].name, &now, &why);
			cs_assert(err == CS_OK || err == CS_ERR_EXPIRED);
		}
	for (unsigned i = 0; i < CLUSTER_ROLE_COUNT; i++)
		cs_assert(m->policies[i].reference_count > 0);
	cs_assert(m->worker_life_s <= CLUSTER_WORKER_LIFE_MAX_S && m->threshold > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct cluster_manifest m;
	/* Nobody need sign what follows it. */
	static const struct cluster_manifest before = {
		.number = 1, .hash = {{0x11}}, .insecure = true};
	const struct cs_bytes file = cs_bytes(data, size);
	struct cs_why why = {""};
	fuzz_fill(&m, sizeof m);
	if (cluster_manifest_read(&m, file, NULL, sig(), fuzz_arena(), &why) == CS_OK) {
		cs_assert(m.number == 1 && cs_hash_eq(&m.hash, cluster_manifest_lineage(&m)));
		look(&m);
		return 0;
	}
	fuzz_untouched(&m, sizeof m);
	if (cluster_manifest_read(&m, file, &before, sig(), fuzz_arena(), &why) == CS_OK) {
		cs_assert(m.number == 2);
		look(&m);
		return 0;
	}
	fuzz_untouched(&m, sizeof m);
	if (cluster_manifest_read_draft(&m, file, fuzz_arena(), &why) == CS_OK)
		look(&m);
	else
		fuzz_untouched(&m, sizeof m);
	return 0;
}
