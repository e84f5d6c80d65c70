/* Any life of the staking contract: calldata, blocks, evidence (staking_steps.h). The sums agree after
 * each block, and an engine takes each change of the set. */
#include "tests/fuzz/fuzz.h"
#include "tests/unit/ledger/staking_steps.h"

/* Blocks enough for a jail and an epoch. */
#define SIZE_MAX_LIFE 4096u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct staking_lived lived;
	if (size > SIZE_MAX_LIFE)
		return 0;
	staking_live(&lived, cs_bytes(data, size));
	cs_assert(lived.tombstoned + lived.jailed <= size);
	return 0;
}
