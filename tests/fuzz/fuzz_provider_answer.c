/* Any bytes as the answer of an RPC provider: what is refused leaves the answer as it was, what is taken
 * is whole (without its end it is refused) and read the same again. */
#include "tests/fuzz/fuzz.h"
#include "verify/evm/quorum.h"

#include <string.h>

static enum cs_err read_answer(struct verify_evm_answer *answer, struct cs_bytes body)
{
	static uint8_t block[VERIFY_EVM_ANSWER_ARENA_SIZE];
	struct cs_why why = {""};
	struct cs_arena arena;
	cs_arena_init(&arena, block, sizeof block);
	return verify_evm_quorum_read(answer, body, &arena, &why);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct verify_evm_answer answer, again;
	memset(&answer, 0x5a, sizeof answer);
	memset(&again, 0x5a, sizeof again);
	if (read_answer(&answer, cs_bytes(data, size)) != CS_OK) {
		cs_assert(memcmp(&answer, &again, sizeof answer) == 0);
		return 0;
	}
	cs_assert(answer.present);
	cs_assert(read_answer(&again, cs_bytes(data, size)) == CS_OK);
	cs_assert(again.height == answer.height && again.time_s == answer.time_s &&
		  cs_hash_eq(&again.hash, &answer.hash));
	while (data[size - 1] != '}')
		size--;
	cs_assert(read_answer(&again, cs_bytes(data, size - 1)) != CS_OK);
	return 0;
}
