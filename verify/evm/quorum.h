/* The finality mode rpc_quorum, for EVM chains whose consensus has no light client here: what is asked
 * of an RPC provider, what an answer says, and the votes that a light client counts. Knows nothing of
 * how a provider is reached: whoever asks it vouches that each vote is that provider's own.
 *
 * A provider names one block: its own newest final (or safe, or latest) one. It thereby names every
 * ancestor of it too, as far as the headers that the client holds link them, so that providers that
 * are some blocks apart agree on what they have in common. A block that links to nothing the client
 * holds (another chain's, one that does not exist) counts for nothing. */
#ifndef VERIFY_EVM_QUORUM_H
#define VERIFY_EVM_QUORUM_H

#include "core/arena.h"
#include "verify/verify.h"

#define VERIFY_EVM_PROVIDERS_MAX 16u
/* Headers that come later than this after a round are not made final by it: they wait for another. */
#define VERIFY_EVM_ROUND_AGE_MAX_S 60u
/* Above all answers without transactions in full: 8,000 hashes of transactions and as many other
 * values fit (CS_JSON_NODES_MAX). */
#define VERIFY_EVM_ANSWER_SIZE_MAX (1024u * 1024)
/* The tree of an answer (80 bytes a node), its strings, and keys. */
#define VERIFY_EVM_ANSWER_ARENA_SIZE (4u * 1024 * 1024)

enum verify_evm_tag {
	VERIFY_EVM_FINALIZED = 1,
	VERIFY_EVM_SAFE = 2,
	VERIFY_EVM_LATEST = 3, /* for chains without the others */
};

/* NULL for a number that is no tag. */
const char *verify_evm_tag_name(enum verify_evm_tag tag);

/* The body of the one request that is ever made: eth_getBlockByNumber(tag, false), id 1. Static. */
struct cs_bytes verify_evm_quorum_question(enum verify_evm_tag tag);

struct verify_evm_answer {
	bool present; /* false: this provider has no vote, and the rest is not looked at */
	uint64_t height;
	struct cs_hash hash;
	uint64_t time_s; /* as the provider says */
};

/* Reads height, hash and time out of an answer. The arena has VERIFY_EVM_ANSWER_ARENA_SIZE. TOO_LARGE
 * and the errors of cs_json_parse; INVALID: not the answer to our question (version, id); RPC: the
 * provider says that it failed; NOT_FOUND: it knows no such block; MALFORMED: a field of the block. */
CS_NODISCARD enum cs_err verify_evm_quorum_read(struct verify_evm_answer *out, struct cs_bytes body,
						struct cs_arena *arena, struct cs_why *why);

/* One round of answers, one for each provider of the configuration and in its order; replaces the round
 * before. It counts for headers that are there and for those that come within
 * VERIFY_EVM_ROUND_AGE_MAX_S. A vote for a block older than answer_age_max_s by the high end of now is
 * dropped.
 *
 * FROZEN: a quorum names a second block of a height that is final; also when its header is not known,
 * whose bytes are then missing in the conflict. INVALID: not a client of this mode, or not its number
 * of providers. NOT_FOUND, ANCHOR_TOO_OLD, NO_TIME as for verify_client_update. */
CS_NODISCARD enum cs_err verify_evm_quorum_take(const struct verify_client *client,
						const struct verify_evm_answer *answers,
						size_t count, const struct verify_time *now,
						struct cs_why *why);

#endif
