/* What a contract of the ledger reverted with, for people. */
#ifndef ADAPTERS_COMETBFT_REVERT_H
#define ADAPTERS_COMETBFT_REVERT_H

#include "adapters/evm/contract_error.h"

/* As adapter_contract_refusal, and where that table has no sentence the error's name with its arguments. Cut to fit. */
void comet_revert_text(char text[ADAPTER_CONTRACT_ERROR_MAX], struct cs_bytes data);

#endif
