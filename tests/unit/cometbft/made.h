/* Chains made here, of keys that the test has, for what no recording has. */
#ifndef TEST_COMETBFT_MADE_H
#define TEST_COMETBFT_MADE_H

#include "tests/unit/cometbft/values.h"

#define MADE_CHAIN "made"
#define MADE_TIME_S 1700000000ll

/* Validators of the keys first, first + 1, …, each of this power; a proposer is chosen. */
struct cmt_validator_set made_set(uint32_t first, size_t count, int64_t power);
/* The number of the key of an address, among the first 4096. */
struct cs_secret made_secret(const struct cs_address *address);
/* Signs vote `index` of the commit again, as whatever it says now. */
void made_sign(struct cmt_commit *commit, size_t index);
/* By all of the set, one second a height. */
struct cmt_light_block made_block(int64_t height, const struct cmt_validator_set *set,
				  const struct cmt_validator_set *next);
/* The block with its header changed, signed again by all. */
void made_seal(struct cmt_light_block *block);

#endif
