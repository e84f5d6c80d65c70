#include "enclave/insecure.h"

static const struct enclave_insecure_row rows[] = {
#define INSECURE(bit, name, option, sentence) {bit, #name, option, sentence},
#include "enclave/insecure.def"
#undef INSECURE
	{0, NULL, NULL, NULL},
};

const struct enclave_insecure_row *enclave_insecure_rows(void)
{
	return rows;
}
