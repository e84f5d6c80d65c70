#include "relay_state/ledger/evidence.h"

enum cs_err ledger_evidence_verify(enum ledger_verdict *verdict, uint8_t kind,
				   struct cs_bytes bytes, uint64_t now_s)
{
	(void)now_s; /* of collateral, which no supported kind has */
	if (kind != LEDGER_EVIDENCE_ADMINISTRATORS)
		return CS_ERR_UNSUPPORTED;
	if (bytes.n != 0)
		return CS_ERR_INVALID;
	*verdict = LEDGER_UNDECIDED;
	return CS_OK;
}
