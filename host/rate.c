#include "host/rate.h"

#include "host/alloc.h"

#include <netinet/in.h>
#include <string.h>

/* A token in a bucket's level: per_s tokens a second are per_s of these a microsecond. */
#define TOKEN 1000000ull

struct bucket {
	struct cs_hash caller;
	uint64_t missing; /* of a full one, when it was looked at */
	uint64_t looked_us;
};

struct host_rate {
	uint32_t places;
	uint32_t used;
	struct bucket shared;
	struct bucket buckets[];
};

struct host_rate *host_rate_new(uint32_t places)
{
	cs_assert(places > 0);
	struct host_rate *rate = host_alloc(sizeof(*rate) + places * sizeof(rate->buckets[0]));
	rate->places = places;
	return rate;
}

static uint64_t missing_at(const struct bucket *bucket, const struct host_rate_terms *terms,
			   uint64_t now_us)
{
	uint64_t passed_us = now_us > bucket->looked_us ? now_us - bucket->looked_us : 0;
	if (passed_us > bucket->missing / terms->per_s)
		return 0;
	return bucket->missing - passed_us * terms->per_s;
}

static struct bucket *bucket_of(struct host_rate *rate, const struct host_rate_terms *terms,
				const struct cs_hash *caller, uint64_t now_us)
{
	struct bucket *full = NULL;
	for (uint32_t i = 0; i < rate->used; i++) {
		struct bucket *bucket = &rate->buckets[i];
		if (cs_hash_eq(&bucket->caller, caller))
			return bucket;
		if (full == NULL && missing_at(bucket, terms, now_us) == 0)
			full = bucket;
	}
	if (rate->used < rate->places)
		full = &rate->buckets[rate->used++];
	if (full == NULL)
		return &rate->shared;
	*full = (struct bucket){.caller = *caller, .looked_us = now_us};
	return full;
}

bool host_rate_takes(struct host_rate *rate, uint32_t *retry_s, const struct host_rate_terms *terms,
		     const struct cs_hash *caller, uint64_t now_us)
{
	if (terms->per_s == 0)
		return true;
	struct bucket *bucket = bucket_of(rate, terms, caller, now_us);
	uint64_t room = (terms->burst > 0 ? terms->burst : 1) * TOKEN;
	/* The terms may have become stricter since: nobody owes more than a bucket. */
	uint64_t missing = missing_at(bucket, terms, now_us);
	bucket->missing = missing < room ? missing : room;
	bucket->looked_us = now_us;
	if (bucket->missing + TOKEN <= room) {
		bucket->missing += TOKEN;
		return true;
	}
	uint64_t wait_us = (bucket->missing + TOKEN - room + terms->per_s - 1) / terms->per_s;
	*retry_s = (uint32_t)((wait_us + TOKEN - 1) / TOKEN);
	return false;
}

struct cs_hash host_rate_caller(const struct sockaddr *address)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	struct cs_hash caller = {{0}};
	if (address != NULL && address->sa_family == AF_INET) {
		caller.b[0] = 4;
		memcpy(caller.b + 1, &((const struct sockaddr_in *)(const void *)address)->sin_addr,
		       4);
	} else if (address != NULL && address->sa_family == AF_INET6) {
		const uint8_t *bytes =
			((const struct sockaddr_in6 *)(const void *)address)->sin6_addr.s6_addr;
		bool is_mapped = memcmp(bytes, mapped, sizeof(mapped)) == 0;
		caller.b[0] = is_mapped ? 4 : 6;
		memcpy(caller.b + 1, is_mapped ? bytes + 12 : bytes, is_mapped ? 4 : 8);
	}
	return caller;
}
