/* Token buckets: how often each of many callers may ask. Bounded memory whoever they are; no clock of its
 * own. A bucket holds `burst` tokens at most, gets per_s of them a second, and each request takes one. */
#ifndef HOST_RATE_H
#define HOST_RATE_H

#include "core/hash.h"

struct sockaddr;
struct host_rate;

/* per_s 0: everybody may always. burst 0 counts as 1. */
struct host_rate_terms {
	uint32_t per_s;
	uint32_t burst;
};

/* places: callers that are known by themselves; at least 1. Freed by free(). */
struct host_rate *host_rate_new(uint32_t places);

/* True: it may, and a token is taken. False: not for so many seconds, rounded up, at least 1; nothing is
 * taken, so that who goes on asking waits no longer. now_us: of a clock that does not go back. Whose
 * bucket is full again is forgotten without anybody noticing; while every place has a caller who is not,
 * all further ones share one bucket. */
bool host_rate_takes(struct host_rate *rate, uint32_t *retry_s, const struct host_rate_terms *terms,
		     const struct cs_hash *caller, uint64_t now_us);

/* What stands for an address: of IPv6 the first 64 bits, which is what one subscriber has (RFC 6177), of
 * IPv4, mapped ones too, all of it. NULL and other families are one caller. */
struct cs_hash host_rate_caller(const struct sockaddr *address);

#endif
