/* The table of insecure.def for programs: bits and their texts. Holds no state. */
#ifndef ENCLAVE_INSECURE_H
#define ENCLAVE_INSECURE_H

#include "core/base.h"

/* Bits of hello, report data and signed status: ENCLAVE_INSECURE_<name>. */
enum enclave_insecure {
#define INSECURE(bit, name, option, sentence) ENCLAVE_INSECURE_##name = 1 << (bit),
#include "enclave/insecure.def"
#undef INSECURE
};

struct enclave_insecure_row {
	unsigned bit;
	const char *name;   /* NULL ends the table */
	const char *option; /* "insecure-…", empty when it cannot be chosen */
	const char *sentence;
};

const struct enclave_insecure_row *enclave_insecure_rows(void);

#endif
