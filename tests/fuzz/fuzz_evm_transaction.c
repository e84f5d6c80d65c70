/* Any bytes as a signed transaction of the chain whose id is the first byte. What is taken is whole: its
 * call lies in it, it is signed by whom it names, and one byte more or less is refused. */
#include "adapters/evm/transaction.h"
#include "core/hash.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct cs_sig *sig;
	struct adapter_transaction out;
	struct adapter_transaction again;
	struct cs_why why = {{0}};
	if (sig == NULL)
		sig = cs_sig_new(NULL);
	if (size < 2 || size > 65536)
		return 0;
	struct cs_bytes raw = cs_bytes(data + 1, size - 1);
	if (adapter_evm_transaction_read(&out, sig, data[0], raw, &why) != CS_OK)
		return 0;
	const struct cs_hash hash = cs_keccak256(raw);
	cs_assert(cs_hash_eq(&out.hash, &hash));
	cs_assert(out.data.n == 0 ||
		  (out.data.p > raw.p && out.data.p + out.data.n < raw.p + raw.n));
	cs_assert(adapter_evm_transaction_read(&again, sig, data[0], cs_bytes(raw.p, raw.n - 1),
					       &why) != CS_OK);
	cs_assert(adapter_evm_transaction_read(&again, sig, (uint64_t)data[0] + 1, raw, &why) !=
		  CS_OK);
	return 0;
}
