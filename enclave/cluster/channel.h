/* TLS 1.3 between the processes of the cluster: both ends show a certificate of Ed25519. */
#ifndef CLUSTER_CHANNEL_H
#define CLUSTER_CHANNEL_H

#include "core/ct.h"
#include "core/limits.h"
#include "enclave/channel.h"

/* Of plain bytes that wait for whoever takes them: the largest message of the cluster and one record. */
#define CHANNEL_PLAIN_SIZE_MAX (CS_FRAME_BODY_SIZE_MAX + 64u * 1024)
/* Two certificates of 10 KiB with evidence inside, the rest of a handshake, and what came in one piece with
 * its end. */
#define CHANNEL_HANDSHAKE_SIZE_MAX (96u * 1024)

/* key: the seed. OpenSSL keeps it in its own locked memory (CRYPTO_secure_malloc_init is the caller's). As
 * channel_port_open. */
CS_NODISCARD enum cs_err channel_port_new(struct channel_port **port, const struct cs_secret *key,
					  struct cs_bytes certificate, channel_judge *judge,
					  void *context);

#endif
