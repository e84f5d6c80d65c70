/* The state of a CometBFT light client, shared by its two halves (client.c, client_codec.c) and
 * nobody else. */
#ifndef CMT_CLIENT_STATE_H
#define CMT_CLIENT_STATE_H

#include "verify/cometbft/client.h"

/* A trusted header: what later ones are judged by, and what is asked of it. */
struct cmt_client_block {
	uint64_t height; /* above 0, fits int64 */
	struct cs_hash hash;
	struct cs_hash parent;   /* zero of the first block */
	struct cs_hash app_hash; /* zero where it has not 32 bytes */
	struct cs_pb_time time;
	struct cmt_hash validators;
	struct cmt_hash next_validators;
	uint64_t raw_at; /* position in everything ever put into the ring */
	size_t raw_size; /* 0: not kept */
};

struct cmt_client_set {
	struct cs_hash hash;
	uint64_t height; /* the highest trusted header whose set it is */
	struct cmt_validator_set set;
	struct cmt_validator list[CMT_CLIENT_VALIDATORS_MAX];
	uint16_t by_address[CMT_CLIENT_VALIDATORS_MAX];
};

struct cmt_client_conflict {
	uint64_t height;
	struct cs_hash hash[2];
	size_t size[2];
	uint8_t raw[2][CMT_CLIENT_BLOCK_SIZE_MAX];
};

struct cmt_client {
	struct cmt_client_config config;
	bool created;
	bool frozen;

	/* Ascending heights; the newest is never dropped. */
	size_t window_count;
	struct cmt_client_block window[CMT_CLIENT_WINDOW_MAX];
	/* In no order. That of the newest header is always there. */
	size_t set_count;
	struct cmt_client_set sets[CMT_CLIENT_SETS_MAX];

	uint64_t raw_end;
	uint8_t raw[CMT_CLIENT_RAW_SIZE];
	struct cmt_client_conflict conflict;

	/* Of one light block while it is looked at. */
	_Alignas(16) uint8_t scratch[CMT_LIGHT_BLOCK_ARENA_SIZE(CMT_CLIENT_VALIDATORS_MAX)];
};

const struct cmt_client_block *cmt_client_newest(const struct cmt_client *c);
/* NULL: not kept. */
const struct cmt_client_set *cmt_client_set_of(const struct cmt_client *c,
					       const struct cmt_hash *hash);
/* A place for a set of that height: a free one, else that of the lowest height. Its list is empty. */
struct cmt_client_set *cmt_client_set_place(struct cmt_client *c);

void cmt_client_raw_put(struct cmt_client *c, struct cmt_client_block *block, struct cs_bytes raw);
/* Copies what the ring still holds to p[CMT_CLIENT_BLOCK_SIZE_MAX]; 0 when it is overwritten. */
size_t cmt_client_raw_get(const struct cmt_client *c, const struct cmt_client_block *block,
			  uint8_t *p);

/* Empty, but for the configuration. */
void cmt_client_reset(struct cmt_client *c);

void cmt_client_encode(const void *state, struct cs_buf *buf);
CS_NODISCARD enum cs_err cmt_client_decode(void *state, struct cs_bytes bytes, struct cs_why *why);
size_t cmt_client_encoded_size_max(const struct cmt_client_config *config);

#endif
