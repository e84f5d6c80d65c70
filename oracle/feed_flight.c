#include "host/alloc.h"
#include "oracle/feeds.h"

#include <stdlib.h>

struct looking {
	struct oracle_feed_flight *flight;
	struct oracle_feed_live *live;
};

void oracle_feed_free(struct oracle_feed_live *live)
{
	free((void *)(uintptr_t)live->spec.p);
	free(live);
}

void oracle_feed_leave(struct oracle_feed_flight *flight, size_t index)
{
	struct oracle_feed_live *live = flight->members[index];
	flight->members[index] = flight->members[--flight->count];
	live->flight = NULL;
	if (live->removed)
		oracle_feed_free(live);
}

void oracle_feed_land(struct oracle_feed_flight *flight)
{
	struct oracle_feed_flight **at = &flight->feeds->flights;
	while (flight->count > 0)
		oracle_feed_leave(flight, flight->count - 1);
	while (*at != flight)
		at = &(*at)->next;
	*at = flight->next;
	free(flight);
}

/* The last look is done: whoever is left flies on. */
static void looks_done(struct oracle_feed_flight *flight)
{
	for (size_t i = flight->count; i-- > 0;) {
		struct oracle_feed_live *live = flight->members[i];
		if (live->removed || live->stopped || live->not_before_ms > host_wall_ms())
			oracle_feed_leave(flight, i);
	}
	if (flight->count == 0 || flight->feeds->oracle->stopping)
		oracle_feed_land(flight);
	else
		flight->go(flight);
}

static void looked(void *ctx, enum cs_err err, const char *why, const struct oracle_feed_info *info,
		   const struct oracle_feed_round *round)
{
	struct looking *looking = ctx;
	struct oracle_feed_flight *flight = looking->flight;
	if (err == CS_OK)
		oracle_feed_seen(looking->live, info, round);
	else
		oracle_feed_hold_up(looking->live, err, why);
	free(looking);
	if (--flight->looks == 0)
		looks_done(flight);
}

void oracle_feed_fly(struct oracle_contract *contract, struct oracle_feed_live *const *members,
		     size_t count, void (*go)(struct oracle_feed_flight *flight))
{
	struct oracle_feed_flight *flight = host_alloc(sizeof(*flight));
	cs_assert(count > 0 && count <= ORACLE_BATCH_MAX);
	*flight = (struct oracle_feed_flight){.next = members[0]->feeds->flights,
					      .feeds = members[0]->feeds,
					      .contract = contract,
					      .go = go,
					      .count = count};
	flight->feeds->flights = flight;
	for (size_t i = 0; i < count; i++) {
		flight->members[i] = members[i];
		members[i]->flight = flight;
	}
	flight->looks = 1;
	for (size_t i = 0; i < count; i++) {
		struct looking *looking = host_alloc(sizeof(*looking));
		*looking = (struct looking){flight, members[i]};
		enum cs_err err =
			oracle_feed_look(contract, members[i]->row.index, looked, looking);
		if (err == CS_OK) {
			flight->looks++;
			continue;
		}
		oracle_feed_hold_up(members[i], err, NULL);
		free(looking);
	}
	if (--flight->looks == 0)
		looks_done(flight);
}
