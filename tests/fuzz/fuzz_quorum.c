/* What a provider may answer (finality mode rpc_quorum): a vote that is read says the same when it is
 * written as the shortest answer and read again; a refusal leaves the vote alone and has a reason. */
#include "tests/fuzz/fuzz.h"
#include "verify/evm/quorum.h"

#include <inttypes.h>
#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct verify_evm_answer untouched = {.height = 7, .hash = {{7}}, .time_s = 7};
	struct verify_evm_answer vote = untouched;
	struct verify_evm_answer again = untouched;
	struct cs_arena *arena = fuzz_arena();
	struct cs_why why = {""};
	char hash[65];
	char text[256];
	if (verify_evm_quorum_read(&vote, cs_bytes(data, size), arena, &why) != CS_OK) {
		cs_assert(!vote.present && vote.height == untouched.height &&
			  vote.time_s == untouched.time_s &&
			  cs_hash_eq(&vote.hash, &untouched.hash));
		return 0;
	}
	cs_assert(vote.present);
	cs_hex(hash, CS_BYTES_OF(vote.hash.b));
	(void)snprintf(text, sizeof text,
		       "{\"id\":1,\"jsonrpc\":\"2.0\",\"result\":{\"hash\":\"0x%s\",\"number\":"
		       "\"0x%" PRIx64 "\",\"timestamp\":\"0x%" PRIx64 "\"}}",
		       hash, vote.height, vote.time_s);
	cs_assert(verify_evm_quorum_read(&again, cs_bytes_str(text), arena, &why) == CS_OK);
	cs_assert(again.present && again.height == vote.height && again.time_s == vote.time_s &&
		  cs_hash_eq(&again.hash, &vote.hash));
	return 0;
}
