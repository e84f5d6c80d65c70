/* Votes and proposals: what is sent, what of it is signed, and whether it was (types/vote.go,
 * types/proposal.go, types/canonical.go). Which of them count is the engine's matter. */
#ifndef CMT_VOTE_H
#define CMT_VOTE_H

#include "verify/cometbft/block_id.h"

/* CanonicalVote and CanonicalProposal with their length: 2 of that, type, two fixed numbers, a
 * block id, a time, the chain id. */
#define CMT_SIGN_BYTES_MAX 256u
/* types/vote.go MaxVoteExtensionSize. */
#define CMT_EXTENSION_SIZE_MAX (1024u * 1024)
/* CanonicalVoteExtension around the extension. */
#define CMT_EXTENSION_SIGN_BYTES_MAX(extension_size) ((extension_size) + 96u)
/* tendermint.types.Vote without its extension; Proposal. */
#define CMT_VOTE_SIZE_MAX(extension_size) ((extension_size) + 384u)
#define CMT_PROPOSAL_SIZE_MAX 256u

/* tendermint.types.SignedMsgType. */
enum cmt_signed_type {
	CMT_PREVOTE = 1,
	CMT_PRECOMMIT = 2,
	CMT_PROPOSAL = 32,
};

struct cmt_vote {
	enum cmt_signed_type type; /* CMT_PREVOTE or CMT_PRECOMMIT */
	int64_t height;
	int32_t round;
	struct cmt_block_id block_id; /* nil: a vote for no block */
	struct cs_pb_time time;
	struct cs_address validator;
	int32_t index;
	struct cmt_signature signature;
	struct cs_bytes extension; /* a view; of precommits for a block */
	struct cmt_signature extension_signature;
};

struct cmt_proposal {
	int64_t height;
	int32_t round;
	int32_t pol_round; /* -1: none */
	struct cmt_block_id block_id;
	struct cs_pb_time time;
	struct cmt_signature signature;
};

/* INVALID: type, height below 1, round or index below 0, a block id that is neither nil nor
 * complete, a time that cannot be encoded, no signature, an extension where there may be none or
 * without a signature. TOO_LARGE: the extension. */
CS_NODISCARD enum cs_err cmt_vote_check(const struct cmt_vote *vote, struct cs_why *why);
void cmt_vote_encode(struct cs_buf *buf, const struct cmt_vote *vote);
/* The extension is a view into `bytes`. The errors of cs_pb and of cmt_vote_check. */
CS_NODISCARD enum cs_err cmt_vote_decode(struct cmt_vote *vote, struct cs_bytes bytes,
					 struct cs_why *why);
/* What the validator signs, with its length before it, appended. A time that is not valid fails the
 * buffer. */
void cmt_vote_sign_bytes(struct cs_buf *buf, const struct cmt_vote *vote,
			 const struct cmt_chain_id *chain_id);
/* The same of a vote's extension: CMT_EXTENSION_SIGN_BYTES_MAX. */
void cmt_extension_sign_bytes(struct cs_buf *buf, const struct cmt_vote *vote,
			      const struct cmt_chain_id *chain_id);
/* Whether the vote, without its extension, is the key's. FOREIGN_SEAL: the address is not the
 * key's; BAD_SEAL; CRYPTO. */
CS_NODISCARD enum cs_err cmt_vote_verify(const struct cmt_vote *vote,
					 const struct cmt_chain_id *chain_id,
					 const struct cs_ed25519_key *key);
/* Whether the extension of a precommit for a block is: OK for any other vote, MISSING_FIELD without
 * a signature, BAD_SEAL. The arena holds the bytes meanwhile: NO_MEMORY. */
CS_NODISCARD enum cs_err cmt_extension_verify(const struct cmt_vote *vote,
					      const struct cmt_chain_id *chain_id,
					      const struct cs_ed25519_key *key,
					      struct cs_arena *arena);

/* INVALID: height or round below 0, pol_round below -1 (that it lies below the round is the
 * engine's check), a block id that is not complete, a time that cannot be encoded, no signature. */
CS_NODISCARD enum cs_err cmt_proposal_check(const struct cmt_proposal *proposal,
					    struct cs_why *why);
void cmt_proposal_encode(struct cs_buf *buf, const struct cmt_proposal *proposal);
CS_NODISCARD enum cs_err cmt_proposal_decode(struct cmt_proposal *proposal, struct cs_bytes bytes,
					     struct cs_why *why);
void cmt_proposal_sign_bytes(struct cs_buf *buf, const struct cmt_proposal *proposal,
			     const struct cmt_chain_id *chain_id);
/* BAD_SEAL, CRYPTO. */
CS_NODISCARD enum cs_err cmt_proposal_verify(const struct cmt_proposal *proposal,
					     const struct cmt_chain_id *chain_id,
					     const struct cs_ed25519_key *key);

/* A signature over sign bytes as a verdict of this folder: BAD_SEAL, CRYPTO; INVALID when the
 * buffer failed. */
CS_NODISCARD enum cs_err cmt_verify_seal(const struct cs_ed25519_key *key,
					 const struct cs_buf *sign_bytes,
					 const struct cmt_signature *signature);

#endif
