/* What OpenSSL notes when it says no: whether it refused or failed. Never asks it for more. */
#ifndef CS_OSSL_H
#define CS_OSSL_H

#include "core/err.h"

/* For the calling thread, after OpenSSL refused something for which err would be the word: CRYPTO when
 * memory was missing, which is no property of what was given; err otherwise. (OpenSSL 3.0 does not say it
 * in every place: not where PSS makes its digest.) What it noted is taken away:
 * the next user of TLS would find it. */
CS_NODISCARD enum cs_err cs_ossl_refused(enum cs_err err);

#endif
