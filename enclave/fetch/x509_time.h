/* Times of certificates as Unix seconds, without libc's clock and time zones. */
#ifndef ENCLAVE_FETCH_X509_TIME_H
#define ENCLAVE_FETCH_X509_TIME_H

#include "core/bytes.h"

#include <openssl/asn1.h>

/* False: none, malformed, or before 1970. */
static inline bool x509_time_s(uint64_t *out, const ASN1_TIME *time)
{
	bool good = false;
	int days, seconds;
	ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
	if (time != NULL && epoch != NULL && ASN1_TIME_diff(&days, &seconds, epoch, time) == 1 &&
	    days >= 0 && seconds >= 0) {
		*out = (uint64_t)days * 86400 + (uint64_t)seconds;
		good = true;
	}
	ASN1_TIME_free(epoch);
	return good;
}

#endif
