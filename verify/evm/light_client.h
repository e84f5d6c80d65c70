/* The light client of an EVM chain that seals its own headers (Clique, QBFT), whose final blocks a
 * quorum of RPC providers names, or, in builds with CAISSON_INSECURE_DEV_HEAD, of a development
 * chain that does not seal at all. Decides which blocks are final; proofs under their roots are
 * receipt.h's and account.h's. Everything after verify_evm_open goes through verify.h, but for the
 * providers' votes (quorum.h).
 *
 * - clique: the rules of go-ethereum 1.13.15 (consensus/clique/{clique,snapshot}.go): signers of
 *   the anchor followed by votes, epoch blocks compared with them, recency, turn, period. Forks
 *   before finality are followed. A block is final when seals_min distinct signers in force at it
 *   sealed it or its descendants, or when a descendant is final so (a signer who is voted out
 *   cannot be waited for). That is probabilistic: absence waits for the reorg margin.
 *
 * - qbft: every header carries the seals of ceil(2N/3) distinct validators and is final by itself.
 *   Validators are those of the anchor followed by the votes of proposers (Besu's VoteTally), and
 *   every header's list is compared with them.
 *
 * - rpc_quorum: headers are linked by parent hash and not judged further. A block is final when
 *   quorum_min of the providers, in one round of answers, each named it or a descendant of it
 *   (quorum.h).
 *
 * - insecure_dev_head: a block is called final when `confirmations` headers link on top of it.
 *   Anybody can make such headers. */
#ifndef VERIFY_EVM_LIGHT_CLIENT_H
#define VERIFY_EVM_LIGHT_CLIENT_H

#include "core/limits.h"
#include "core/sig.h"
#include "verify/evm/header.h"
#include "verify/verify.h"

/* Final blocks that are kept: proofs of blocks within it need no ancestors, and conflicts within it
 * are found. */
#define VERIFY_EVM_WINDOW_MAX 512u
#define VERIFY_EVM_WINDOW_DEFAULT 256u
/* Headers that are not final, forks included: nearly ten minutes of 1 s blocks. Where finality
 * takes longer, forks that are older are no longer followed. */
#define VERIFY_EVM_PENDING_MAX 512u
/* Points from which verify_client_ancestors may go on, the oldest forgotten first. */
#define VERIFY_EVM_LINKS_MAX 8u
/* Votes that are open within one epoch: every one of 64 signers on 16 candidates. A chain
 * with more is refused. */
#define VERIFY_EVM_VOTES_MAX 1024u
/* Raw headers kept for the export of a conflict, a ring: 800 of the usual 640 bytes. */
#define VERIFY_EVM_RAW_SIZE (512u * 1024)
/* Of these, as many of the newest final ones as fit into this go into the sealed state. */
#define VERIFY_EVM_RAW_SEALED_SIZE (32u * 1024)
#define VERIFY_EVM_CONFIRMATIONS_DEFAULT 2u
#define VERIFY_EVM_CONFIRMATIONS_MAX 64u
/* How far a header's time may lie after the high end of now: what go-ethereum allows itself
 * elsewhere. */
#define VERIFY_EVM_DRIFT_DEFAULT_S 15u
#define VERIFY_EVM_EPOCH_DEFAULT 30000u

enum verify_evm_mode {
	VERIFY_EVM_CLIQUE = 1,
	VERIFY_EVM_QBFT = 2,
	VERIFY_EVM_INSECURE_DEV_HEAD = 3,
	VERIFY_EVM_RPC_QUORUM = 4,
};

/* 0 stands for the default where one is named. */
struct verify_evm_config {
	enum verify_evm_mode mode;
	struct cs_hash chain; /* bound into the encoded state: identity of the gateway or the
				 genesis hash */
	uint64_t anchor_height;
	struct cs_hash anchor_hash;
	uint64_t anchor_age_max_s;  /* not 0: an older anchor begins no client */
	uint64_t trusting_period_s; /* not 0: after so long without a final block nothing advances
				       and nothing is read */
	uint64_t epoch_length; /* clique, qbft: every so many blocks open votes are dropped, default
				  30000; the anchor must be such a block */
	uint64_t seals_min;    /* clique; default ceil(2N/3), all at N = 3. Never below a majority,
				  never above N */
	uint64_t period_s; /* a header is at least so much later than its parent; 0: not earlier */
	uint64_t drift_max_s; /* default 15 */
	uint64_t
		confirmations; /* insecure_dev_head; default 2, at most 64. rpc_quorum: blocks between
				    the one that a provider names and what that makes final; no
				    default, at most 64 */
	size_t provider_count; /* rpc_quorum: 1 to 16 */
	size_t quorum_min;     /* rpc_quorum: more than half of them */
	uint64_t
		answer_age_max_s; /* rpc_quorum: a provider that names an older block has no vote */
	uint64_t reorg_margin_s;  /* handed to callers with each block */
	size_t window;            /* final blocks kept; default 256, at most 512 */
};

/* About 1 MiB; opaque. */
struct verify_evm_client;

size_t verify_evm_client_size(void);

/* Checks the configuration, makes `state` (verify_evm_client_size() bytes, 16-aligned, of the
 * caller) an empty client and fills *client. `sig` must outlive it. INVALID, TOO_LARGE; UNSUPPORTED
 * for insecure_dev_head in a build without it. */
CS_NODISCARD enum cs_err verify_evm_open(struct verify_client *client, void *state,
					 const struct verify_evm_config *config,
					 const struct cs_sig *sig, struct cs_why *why);

#endif
