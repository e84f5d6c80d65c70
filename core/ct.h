/* Secrets: compared in constant time, wiped on every path, without a function that prints them. */
#ifndef CS_CT_H
#define CS_CT_H

#include "core/bytes.h"

/* 32 bytes that nobody may see: a private key, a sealing key. Lives where its owner put it (locked
 * memory in the enclave). */
struct cs_secret {
	uint8_t b[32];
};

/* Not optimized away. */
void cs_wipe(void *p, size_t n);
/* Time depends on n alone. */
bool cs_ct_eq(const void *a, const void *b, size_t n);

#endif
