#include "core/ossl.h"

#include <openssl/err.h>

enum cs_err cs_ossl_refused(enum cs_err err)
{
	for (unsigned long noted; (noted = ERR_get_error()) != 0;)
		if (ERR_GET_REASON(noted) == ERR_R_MALLOC_FAILURE)
			err = CS_ERR_CRYPTO;
	return err;
}
