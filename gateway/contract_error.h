/* The contracts' errors in words, for those who send and for those who look at a message, and
 * whether it is of use to try again. */
#ifndef GATEWAY_CONTRACT_ERROR_H
#define GATEWAY_CONTRACT_ERROR_H

#include "core/bytes.h"

#define GATEWAY_CONTRACT_ERROR_MAX 160u

/* data: what a call reverted with. False, and text untouched, for what is not in
 * contract_errors.def. */
bool gateway_contract_error(char *text, size_t size, struct cs_bytes data);

enum gateway_lasts {
	GATEWAY_LASTS_PASSING,   /* it may succeed later, unchanged */
	GATEWAY_LASTS_PERMANENT, /* it never will */
};
/* Names the error before its sentence; of what is not in the table the text that it carries
 * (Error(string)) or its selector, which may pass. */
enum gateway_lasts gateway_contract_refusal(char text[GATEWAY_CONTRACT_ERROR_MAX],
					    struct cs_bytes data);

/* Whatever somebody else wrote, fit for one line of printable ASCII; the rest is cut. */
void gateway_plain_text(char *text, size_t size, const char *from, size_t from_size);

#endif
