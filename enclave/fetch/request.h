/* What a request must be like before it is worth a connection. */
#ifndef ENCLAVE_FETCH_REQUEST_H
#define ENCLAVE_FETCH_REQUEST_H

#include "enclave/fetch/fetch.h"

/* OK; SPEC_INVALID: form and bounds, a header that is this client's to set; NOT_ALLOWED: a host. */
enum wire_oracle_code request_check(const struct fetch_request *request, bool literals,
				    bool private_places);

#endif
