/* The state of an EVM light client, shared by its two halves (light_client.c, light_client_codec.c)
 * and nobody else. */
#ifndef VERIFY_EVM_LIGHT_CLIENT_STATE_H
#define VERIFY_EVM_LIGHT_CLIENT_STATE_H

#include "verify/evm/quorum.h"
#include "verify/evm/signers.h"

/* A header that was verified: final ones in the window, others pending. */
struct verify_evm_block {
	struct cs_hash hash;
	struct cs_hash parent;
	struct cs_hash state_root;
	struct cs_hash receipts_root;
	uint64_t time_s;
	struct verify_evm_step step; /* with the number */
	uint64_t raw_at;             /* position in everything ever put into the ring */
	size_t raw_size;             /* 0: not kept */
};

struct verify_evm_conflict {
	uint64_t height;
	struct cs_hash hash[2];
	size_t size[2];
	uint8_t raw[2][CS_HEADER_SIZE_MAX];
};

struct verify_evm_client {
	struct verify_evm_config config;
	const struct cs_sig *sig;
	bool created;
	bool frozen;

	/* Final blocks in a row: window[(window_first + i) % config.window], oldest first. */
	size_t window_first;
	size_t window_count;
	struct verify_evm_block window[VERIFY_EVM_WINDOW_MAX];
	struct verify_evm_signers oldest; /* after the oldest of the window */
	struct verify_evm_signers newest; /* after the newest */

	/* Parents before children; every one descends from a block of the window or from the trunk. */
	size_t pending_count;
	struct verify_evm_block pending[VERIFY_EVM_PENDING_MAX];

	/* Where finality stalls for longer than the table is: the last header that went out of it,
	 * not final itself. What becomes final on top of it makes it final, and the window begins
	 * anew there. */
	bool has_trunk;
	struct verify_evm_block trunk;
	struct verify_evm_signers trunk_signers; /* after it */

	/* Ancestors of final blocks that verify_client_ancestors reached: where it may go on from. */
	size_t link_next;
	struct {
		uint64_t number;
		struct cs_hash hash;
	} links[VERIFY_EVM_LINKS_MAX];

	/* After the block `work_hash`; a cache that saves replaying for headers in a row. */
	bool work_valid;
	struct cs_hash work_hash;
	struct verify_evm_signers work;
	struct verify_evm_signers probe; /* of final_count alone */

	/* The last round of answers, by provider; not sealed. */
	size_t answer_count;
	uint64_t answered_s; /* high end of the time of the round */
	struct verify_evm_answer answers[VERIFY_EVM_PROVIDERS_MAX];

	uint64_t raw_end;
	uint8_t raw[VERIFY_EVM_RAW_SIZE];
	struct verify_evm_conflict conflict;
};

/* One step of the mode's signers; nothing for a chain without. */
CS_NODISCARD enum cs_err verify_evm_apply(const struct verify_evm_client *c,
					  struct verify_evm_signers *signers,
					  const struct verify_evm_step *step);

/* The block of a final height that the window holds; NULL otherwise. */
const struct verify_evm_block *verify_evm_window_at(const struct verify_evm_client *c,
						    uint64_t number);
const struct verify_evm_block *verify_evm_window_oldest(const struct verify_evm_client *c);
const struct verify_evm_block *verify_evm_window_newest(const struct verify_evm_client *c);
/* Makes an empty window begin here, with the set of signers that c->oldest already holds. */
void verify_evm_window_begin(struct verify_evm_client *c, const struct verify_evm_block *block);
/* Appends the next final block, drops the oldest when the window is full, and moves the sets of
 * signers with them. */
CS_NODISCARD enum cs_err verify_evm_window_append(struct verify_evm_client *c,
						  const struct verify_evm_block *block);

void verify_evm_raw_put(struct verify_evm_client *c, struct verify_evm_block *block,
			struct cs_bytes raw);
/* Copies what the ring still holds of a header to p[CS_HEADER_SIZE_MAX]; 0 when it is overwritten. */
size_t verify_evm_raw_get(const struct verify_evm_client *c, const struct verify_evm_block *block,
			  uint8_t *p);
/* A verified header: final, pending, or the trunk; NULL otherwise. `number` is what it would have. */
const struct verify_evm_block *verify_evm_find(const struct verify_evm_client *c, uint64_t number,
					       const struct cs_hash *hash);
/* Indices of the pending headers in a row up to `tip`, and the block of the window, or the trunk,
 * that they leave from. tip may be such a block itself: then the path is empty. */
size_t verify_evm_path_to(const struct verify_evm_client *c, const struct verify_evm_block *tip,
			  uint16_t path[VERIFY_EVM_PENDING_MAX],
			  const struct verify_evm_block **root);
/* Keeps of the pending what descends from the window or the trunk and is neither; `only`, if not
 * NULL, further restricts it to these indices. */
void verify_evm_prune(struct verify_evm_client *c, const bool *only);

/* How many of these pending headers in a row the last round makes final. */
size_t verify_evm_quorum_count(const struct verify_evm_client *c, const uint16_t *path, size_t n);
/* Keeps the answers that count, in place of the last round's. */
void verify_evm_quorum_keep(struct verify_evm_client *c, const struct verify_evm_answer *answers,
			    size_t count, const struct verify_time *now);
/* A round that is too old counts no longer. */
void verify_evm_quorum_expire(struct verify_evm_client *c, const struct verify_time *now);
/* The answer of a provider with a block that another one of the window contradicts, when a quorum gave the
 * same; NULL: there is none. */
const struct verify_evm_answer *verify_evm_quorum_conflict(const struct verify_evm_client *c);

/* Empty, but for configuration and sig. */
void verify_evm_reset(struct verify_evm_client *c);

void verify_evm_encode(const void *state, struct cs_buf *buf);
CS_NODISCARD enum cs_err verify_evm_decode(void *state, struct cs_bytes bytes, struct cs_why *why);
size_t verify_evm_encoded_size_max(const struct verify_evm_config *config);

#endif
