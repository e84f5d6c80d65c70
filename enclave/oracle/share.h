/* How the transfers of fetch are shared among queries, so that those of slow sources leave room for
 * the others. It counts; it starts and ends nothing. */
#ifndef ENCLAVE_ORACLE_SHARE_H
#define ENCLAVE_ORACLE_SHARE_H

#include "enclave/fetch/fetch.h"

/* Feeds have transfers of their own, which nobody who asks can take. That their extractions come
 * first is lookup_next's; what a round waits for is a script of others that has begun. */
enum share_kind {
	SHARE_ASKED, /* of apps, contracts, dry runs */
	SHARE_FEEDS,
	SHARE_KIND_COUNT,
};
#define SHARE_FEEDS_MAX 64u
#define SHARE_ASKED_MAX (FETCH_TRANSFERS_MAX - SHARE_FEEDS_MAX)
/* Towards one host and port; where a redirect leads is not counted. */
#define SHARE_HOST_FEEDS_MAX 16u
#define SHARE_HOST_ASKED_MAX 32u
_Static_assert(SHARE_HOST_FEEDS_MAX + SHARE_HOST_ASKED_MAX <= FETCH_CONNECTIONS_HOST_MAX,
	       "no transfer waits inside of fetch for another's connection");
/* A query gets one more while it has fewer than this part of what is free: the more is asked for, the
 * fewer sources each has running, and the last places go to queries that have none (dynamic
 * thresholds: Choudhury and Hahne, IEEE/ACM Transactions on Networking 6(2), 1998). Sixteen requests
 * of sixteen slow sources, one after the other, leave 28 of 192 free; the first four run all of theirs.
 * Feeds are the operator's: two of sixteen sources run all. */
#define SHARE_FEEDS_PART 2u
#define SHARE_ASKED_PART 8u

struct share_host {
	struct cs_hash name; /* H(host:port) */
	size_t running[SHARE_KIND_COUNT];
};

struct share {
	size_t running[SHARE_KIND_COUNT];
	size_t host_count; /* hosts with a transfer of either kind */
	struct share_host hosts[FETCH_TRANSFERS_MAX];
};

/* One transfer more for a query that has `own` running. False: not now; nothing is counted. */
bool share_take(struct share *share, enum share_kind kind, const struct cs_hash *host, size_t own);
/* One that was taken has ended. */
void share_give(struct share *share, enum share_kind kind, const struct cs_hash *host);

#endif
