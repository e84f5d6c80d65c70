/* The contracts' errors in words, for those who send. */
#ifndef GATEWAY_CONTRACT_ERROR_H
#define GATEWAY_CONTRACT_ERROR_H

#include "core/bytes.h"

#define GATEWAY_CONTRACT_ERROR_MAX 128u

/* data: what a call reverted with. False, and text untouched, for what is not in
 * contract_errors.def. */
bool gateway_contract_error(char *text, size_t size, struct cs_bytes data);

#endif
