/* What is looked through for certificates and revocation lists: a bag of collateral and roots, parsed.
 * For the kinds whose evidence brings certificates of its own, bags with more in them. */
#ifndef ATTEST_POOL_H
#define ATTEST_POOL_H

#include "verify/attest/evidence.h"
#include "verify/attest/x509.h"

/* What does not parse is left out: nothing is found through it. The pool is in the arena. NO_MEMORY. */
CS_NODISCARD enum cs_err attest_pool(struct x509_pool *pool, const struct attest_collateral *bag,
				     const struct cs_bytes *roots, size_t root_count,
				     struct cs_arena *arena);

/* The result rests on every certificate of the path below its root. */
void attest_until_path(struct attest_result *result, const struct x509_path *path);

/* In front of the bag's own, so that it is found first. TOO_LARGE: the bag is full. */
CS_NODISCARD enum cs_err attest_bag_add_certificate(struct attest_collateral *bag,
						    struct cs_bytes certificate);
CS_NODISCARD enum cs_err attest_bag_add_crl(struct attest_collateral *bag, struct cs_bytes crl);

#endif
