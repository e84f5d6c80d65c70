/* Any bytes as a transaction of the ledger: what is read is written again to the same bytes, and its
 * signatures are looked at in every form. */
#include "relay_state/ledger/tx.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct cs_sig *sig;
	struct ledger_tx tx;
	struct cs_buf buf;
	size_t count = 0;
	if (sig == NULL)
		sig = cs_sig_new(NULL);
	cs_assert(sig != NULL);
	if (ledger_tx_decode(&tx, cs_bytes(data, size)) != CS_OK)
		return 0;
	cs_assert(tx.body.n + tx.signatures.n == size);
	cs_assert(cs_buf_init_arena(&buf, fuzz_arena(), tx.body.n) == CS_OK);
	ledger_tx_encode_body(&buf, &tx);
	fuzz_same(&buf, tx.body);
	const enum cs_err form = ledger_tx_signature_count(&tx, &count);
	const enum cs_err answer = ledger_tx_verify(&tx, sig);
	cs_assert(form == CS_OK ? count > 0 && count <= LEDGER_MULTISIG_MAX : answer == form);
	return 0;
}
