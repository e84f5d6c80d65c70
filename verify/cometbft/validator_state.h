/* What the files of the validator set share. */
#ifndef CMT_VALIDATOR_STATE_H
#define CMT_VALIDATOR_STATE_H

#include "verify/cometbft/order.h"
#include "verify/cometbft/validator_set.h"

/* Sorts by_address again; DUPLICATE when two have one address. */
CS_NODISCARD enum cs_err cmt_validator_index(struct cmt_validator_set *set);
/* Divides priorities until highest and lowest are at most `window` apart, as far as whole divisors
 * go; nothing when window < 1. */
void cmt_validator_rescale(struct cmt_validator_set *set, int64_t window);
/* Subtracts the mean, rounded down. */
void cmt_validator_centre(struct cmt_validator_set *set);

#endif
