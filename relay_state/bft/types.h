/* The bounds of the engine and the small values that its files share. Holds no state. */
#ifndef BFT_TYPES_H
#define BFT_TYPES_H

#include "verify/cometbft/block_id.h"

/* A full mesh: the node keeps a connection to each. */
#define BFT_VALIDATORS_MAX 32u
/* Peers that may be up at once: all validators, and as many nodes that only follow. */
#define BFT_PEERS_MAX 64u
/* A beacon share or an attested observation is below 200 bytes; 2 KB double CometBFT's latency
 * (its QA of 0.38). */
#define BFT_EXTENSION_SIZE_MAX 1024u
/* What one node proposes, stores and sends in one message; 4 MiB are CometBFT's default. */
#define BFT_BLOCK_SIZE_MAX (4u * 1024 * 1024)
#define BFT_SIGNATURE_SIZE 64u
/* One byte of length and the encoding, zeros behind. */
#define BFT_BLOCK_ID_SIZE (1u + CMT_BLOCK_ID_SIZE_MAX)

/* Fixed size, for our own files. */
void bft_block_id_encode(uint8_t out[BFT_BLOCK_ID_SIZE], const struct cmt_block_id *id);
/* NON_CANONICAL: anything but zeros behind it. */
CS_NODISCARD enum cs_err bft_block_id_decode(struct cmt_block_id *id,
					     const uint8_t in[BFT_BLOCK_ID_SIZE]);

/* Nanoseconds since 1970 and back; years 1678 to 2262. OVERFLOW outside. */
CS_NODISCARD enum cs_err bft_time_ns(int64_t *ns, struct cs_pb_time time);
struct cs_pb_time bft_time_pb(int64_t ns);

/* Whether part > 2/3, part > 1/3 of total, without overflow: powers are at most 2^60 (CometBFT's
 * cap of the sum). */
static inline bool bft_is_two_thirds(int64_t part, int64_t total)
{
	return part > total * 2 / 3;
}

static inline bool bft_is_one_third(int64_t part, int64_t total)
{
	return part > total / 3;
}

#endif
