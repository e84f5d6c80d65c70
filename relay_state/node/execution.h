/* Between the engine's blocks and ABCI's questions: what an application is asked about a block, and
 * what its answer means for the chain's state (state/execution.go). Values in, values out. */
#ifndef NODE_EXECUTION_H
#define NODE_EXECUTION_H

#include "relay_state/abci/messages.h"
#include "relay_state/bft/bft.h"

/* Arena that the questions about one block of this size take. */
#define NODE_EXECUTION_SIZE(block_size) (2 * BFT_SCRATCH_SIZE(block_size))

/* A block, read, and what each question about it contains. Everything points into `bytes` and the
 * arena. */
struct node_block {
	struct cmt_block block;
	struct cs_hash hash;
	struct abci_bytes_list txs;
	struct abci_commit_info last_commit;
	struct abci_misbehaviors misbehavior;
	struct cs_bytes next_validators_hash;
	struct cs_bytes proposer;
};

/* last: the validators of the height before, empty at the initial height. FOREIGN_SEAL: the commit
 * is of another number of validators; the errors of cmt_block_decode. */
CS_NODISCARD enum cs_err node_block_read(struct node_block *out, struct cs_bytes bytes,
					 const struct cmt_validator_set *last,
					 struct cs_arena *arena, struct cs_why *why);

struct abci_request node_ask_process(const struct node_block *block);
struct abci_request node_ask_extend(const struct node_block *block);
struct abci_request node_ask_finalize(const struct node_block *block);
/* Of the effect PREPARE. MISSING_FIELD, FOREIGN_SEAL, the errors of the decoders. */
CS_NODISCARD enum cs_err
node_ask_prepare(struct abci_request *request, const struct bft_state *state,
		 const struct bft_effect *effect, const struct abci_bytes_list *txs,
		 const struct cs_address *proposer, struct cs_arena *arena, struct cs_why *why);

struct node_genesis;
CS_NODISCARD enum cs_err node_ask_init_chain(struct abci_request *request,
					     const struct node_genesis *genesis,
					     struct cs_arena *arena);
/* The chain before its first block, by genesis and the application's answer. */
CS_NODISCARD enum cs_err node_init_state(struct bft_state *state,
					 const struct node_genesis *genesis,
					 const struct abci_init_chain_response *response,
					 struct cs_arena *arena, struct cs_why *why);

/* An answer to FinalizeBlock with memory of its own. */
struct node_finalized {
	struct bft_finalized finalized;
	struct cmt_validator updates[BFT_UPDATES_MAX];
	struct cmt_params params;
	uint8_t app_hash[CMT_APP_HASH_SIZE_MAX];
};

/* INVALID: not one result for each transaction; TOO_LARGE: more updates or a longer application
 * hash than the chain bears; UNSUPPORTED: a key that is not Ed25519; the errors of
 * cmt_params_update. */
CS_NODISCARD enum cs_err node_finalized_read(struct node_finalized *out,
					     const struct abci_finalize_block_response *response,
					     size_t tx_count, const struct cmt_params *params,
					     int64_t height, struct cs_arena *arena,
					     struct cs_why *why);

#endif
