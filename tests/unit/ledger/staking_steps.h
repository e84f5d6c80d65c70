/* A life of the staking contract out of bytes: which calls come in a block, who signs it, what
 * evidence it carries, how late it is. For random tests and the fuzz target; staking_world.h compares
 * all sums after each block. */
#ifndef TESTS_UNIT_LEDGER_STAKING_STEPS_H
#define TESTS_UNIT_LEDGER_STAKING_STEPS_H

#include "tests/unit/ledger/staking_world.h"

/* What came of it, so that a test sees that something did. */
struct staking_lived {
	size_t blocks;
	size_t called;
	size_t refused;
	size_t tombstoned;
	size_t jailed;
	size_t joined;
};

/* Until the bytes are used up. The first four say how the chain was founded. */
void staking_live(struct staking_lived *lived, struct cs_bytes bytes);

#endif
