/* Items of other gateways that cannot be taken yet: of a route that only their newer manifest has, or signed by a
 * key that is not learned. They are kept, unread but for whose route they are of, so that what came after them for
 * other routes does not wait; within a route they keep their order. */
#ifndef GATEWAY_JOURNAL_HELD_H
#define GATEWAY_JOURNAL_HELD_H

#include "gateway/journal.h"

#include <jansson.h>

/* Of one peer, which nobody has checked yet: an item is a batch of up to 64 messages. */
#define GATEWAY_HELD_MAX 256u
#define GATEWAY_HELD_SIZE_MAX (16u << 20)

#define GATEWAY_HELD_INSTANCE_SIZE 33
/* The peer's journal, of 32 digits and a zero: whoever has the peer's API key alone does not know it, so that what he
 * sends holds up nothing of the peer's own. Identities of our chain's gateway and of the other's. */
struct gateway_held_route {
	char instance[GATEWAY_HELD_INSTANCE_SIZE];
	struct cs_hash ours;
	struct cs_hash remote;
};

/* Behind what is there. FULL: as much of this peer is kept as may be. Inside a writer. */
CS_NODISCARD enum cs_err gateway_journal_hold(struct gateway_journal *journal, const char *peer,
					      const struct gateway_held_route *route,
					      const json_t *item);
/* It was taken, or refused. Inside a writer. */
CS_NODISCARD enum cs_err gateway_journal_held_done(struct gateway_journal *journal, uint64_t n);
CS_NODISCARD enum cs_err gateway_journal_held_count(struct gateway_journal *journal,
						    const char *peer, uint64_t *count);
CS_NODISCARD enum cs_err gateway_journal_is_held(struct gateway_journal *journal, const char *peer,
						 const struct gateway_held_route *route,
						 bool *is_held);
/* The next one after *n, which becomes its number; NOT_FOUND. */
CS_NODISCARD enum cs_err gateway_journal_held_next(struct gateway_journal *journal,
						   const char *peer, uint64_t *n,
						   struct gateway_held_route *route);
/* A new reference. NOT_FOUND; MALFORMED: the file was changed. */
CS_NODISCARD enum cs_err gateway_journal_held_item(struct gateway_journal *journal, uint64_t n,
						   json_t **item);

#endif
