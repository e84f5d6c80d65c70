#include "verify/cluster/lineage.h"

#include <string.h>

void cluster_lineage_init(struct cluster_lineage *lineage, void *memory)
{
	uint8_t *p = memory;
	memset(lineage, 0, sizeof *lineage);
	for (size_t i = 0; i < CS_LEN(lineage->arenas); i++, p += CLUSTER_MANIFEST_ARENA_SIZE)
		cs_arena_init(&lineage->arenas[i], p, CLUSTER_MANIFEST_ARENA_SIZE);
}

const struct cluster_manifest *cluster_lineage_newest(const struct cluster_lineage *lineage)
{
	return &lineage->manifests[lineage->place];
}

enum cs_err cluster_lineage_read(struct cluster_lineage *lineage,
				 const struct cluster_manifest **next, struct cs_bytes file,
				 const struct cs_sig *sig, struct cs_why *why)
{
	const unsigned free_place = 1 - lineage->place;
	const struct cluster_manifest *newest = cluster_lineage_newest(lineage);
	struct cluster_manifest *read = &lineage->manifests[free_place];
	cs_arena_rewind(&lineage->arenas[free_place], 0);
	memset(read, 0, sizeof *read);
	CS_TRY(cluster_manifest_read(read, file, newest->number == 0 ? NULL : newest, sig,
				     &lineage->arenas[free_place], why));
	*next = read;
	return CS_OK;
}

void cluster_lineage_follow(struct cluster_lineage *lineage)
{
	const unsigned next = 1 - lineage->place;
	cs_assert(lineage->manifests[next].number == cluster_lineage_newest(lineage)->number + 1);
	lineage->place = next;
}
