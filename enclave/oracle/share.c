#include "enclave/oracle/share.h"

static const size_t kind_max[SHARE_KIND_COUNT] = {
	[SHARE_ASKED] = SHARE_ASKED_MAX, [SHARE_FEEDS] = SHARE_FEEDS_MAX};
static const size_t host_max[SHARE_KIND_COUNT] = {
	[SHARE_ASKED] = SHARE_HOST_ASKED_MAX, [SHARE_FEEDS] = SHARE_HOST_FEEDS_MAX};
static const size_t part_of[SHARE_KIND_COUNT] = {
	[SHARE_ASKED] = SHARE_ASKED_PART, [SHARE_FEEDS] = SHARE_FEEDS_PART};

static size_t host_find(const struct share *share, const struct cs_hash *name)
{
	size_t at = 0;
	while (at < share->host_count && !cs_hash_eq(&share->hosts[at].name, name))
		at++;
	return at;
}

bool share_take(struct share *share, enum share_kind kind, const struct cs_hash *host, size_t own)
{
	const size_t free_count = kind_max[kind] - share->running[kind];
	if (own * part_of[kind] >= free_count)
		return false;
	const size_t at = host_find(share, host);
	if (at == share->host_count) {
		/* Each host of the table has a transfer, and this one is not counted yet. */
		cs_assert(share->host_count < FETCH_TRANSFERS_MAX);
		share->hosts[share->host_count++] = (struct share_host){.name = *host};
	} else if (share->hosts[at].running[kind] == host_max[kind]) {
		return false;
	}
	share->hosts[at].running[kind]++;
	share->running[kind]++;
	return true;
}

void share_give(struct share *share, enum share_kind kind, const struct cs_hash *host)
{
	const size_t at = host_find(share, host);
	cs_assert(at < share->host_count && share->hosts[at].running[kind] > 0);
	share->hosts[at].running[kind]--;
	share->running[kind]--;
	if (share->hosts[at].running[SHARE_ASKED] == 0 &&
	    share->hosts[at].running[SHARE_FEEDS] == 0)
		share->hosts[at] = share->hosts[--share->host_count];
}
