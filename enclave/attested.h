/* The attested port inside the enclave: TLS 1.3 of many connections over the bytes that the host pipes, with
 * an RA-TLS certificate of a key that is made here, and behind it the frames of port.h. A client that checks
 * the evidence talks to this process and to nobody on the way (docs/protocol/attested-port.md, ADR 54). */
#ifndef ENCLAVE_ATTESTED_H
#define ENCLAVE_ATTESTED_H

#include "enclave/enclave.h"

/* Connections at a time: a handshake's memory in OpenSSL is 60 KiB, a request's 128 KiB. */
#define ATTESTED_CONNECTIONS_MAX 64u
/* Of a certificate; a new key and a new one are made at half of it. */
#define ATTESTED_LIFE_S 3600u
/* A client's clock may be so far behind. Within the life. */
#define ATTESTED_SLACK_S 60u

struct attested;

/* Private keys: one in use, that of a certificate before it, and what OpenSSL copies. */
#define ATTESTED_SECURE_SIZE (64u * 1024)

/* Before the sandbox: OpenSSL loads what it loads lazily. That private keys are in locked memory is the
 * caller's doing, once in a process and before this (CRYPTO_secure_malloc_init). NULL: it does not start. */
struct attested *attested_new(void);
/* NULL is allowed. */
void attested_free(struct attested *attested);
/* For enclave_launch. */
struct enclave_door attested_door(struct attested *attested);

#endif
