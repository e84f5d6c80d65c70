/* What of an attestation policy no evidence can ever match: a word that was written wrong, and not a verdict. Asked by
 * whoever takes a policy of an operator's, a key cluster's next manifest too; what judges evidence (verify/attest) does
 * without, and fails closed. */
#ifndef ATTEST_POLICY_CHECK_H
#define ATTEST_POLICY_CHECK_H

#include "verify/attest/policy.h"

/* INVALID, with the place and the reason: an empty list; a build that names what no evidence of its kind says, in a
 * size or above a number that it never has. */
CS_NODISCARD enum cs_err attest_policy_check(const struct attest_policy *policy,
					     struct cs_why *why);
/* It names builds, and the time of each of them has passed: nothing matches it any more. */
bool attest_policy_is_over(const struct attest_policy *policy, uint64_t now_s);

#endif
