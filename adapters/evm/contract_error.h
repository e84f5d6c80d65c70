/* The contracts' errors in words, for those who send and for those who look at a message, and
 * whether it is of use to try again. */
#ifndef ADAPTERS_EVM_CONTRACT_ERROR_H
#define ADAPTERS_EVM_CONTRACT_ERROR_H

#include "core/bytes.h"

#define ADAPTER_CONTRACT_ERROR_MAX 160u

/* data: what a call reverted with. False, and text untouched, for what is not in
 * contract_errors.def. */
bool adapter_contract_error(char *text, size_t size, struct cs_bytes data);

enum adapter_lasts {
	ADAPTER_LASTS_PASSING,   /* it may succeed later, unchanged */
	ADAPTER_LASTS_PERMANENT, /* it never will */
};
/* Names the error before its sentence; of what is not in the table the text that it carries
 * (Error(string)) or its selector, which may pass. */
enum adapter_lasts adapter_contract_refusal(char text[ADAPTER_CONTRACT_ERROR_MAX],
					    struct cs_bytes data);

#endif
