/* What one validator key has signed last, and whether it may sign this: the protection against
 * signing two things in one place of the protocol. Holds no key and writes no file: the node asks,
 * writes the encoded state, fsyncs, and only then uses the signature.
 *
 * Rules (CometBFT 0.38 privval/file.go, with the lock kept beside): height, round and step only
 * rise; what is asked again for the same place with another time alone gets the old signature and
 * the old time. The lock (the last precommit for a block at this height) is what a node that lost
 * its log must still respect; without it a restart would be the amnesia attack. */
#ifndef BFT_SIGN_STATE_H
#define BFT_SIGN_STATE_H

#include "core/buf.h"
#include "relay_state/bft/types.h"

/* Two slots of a file, written in turn: a torn write leaves the other. */
#define BFT_SIGN_SLOT_SIZE 2048u

enum bft_sign_step {
	BFT_SIGN_NONE = 0,
	BFT_SIGN_PROPOSAL = 1,
	BFT_SIGN_PREVOTE = 2,
	BFT_SIGN_PRECOMMIT = 3,
};

/* One thing to sign. The extension is that of a precommit for a block; it has a signature of its
 * own, which is asked for whenever has_extension is set, an empty extension included. */
struct bft_sign_request {
	enum bft_sign_step step;
	int64_t height;
	int32_t round;
	int32_t pol_round; /* of a proposal, -1 for none; 0 elsewhere */
	struct cmt_block_id block_id;
	int64_t time_ns;
	bool has_extension;
	struct cs_bytes extension; /* at most BFT_EXTENSION_SIZE_MAX */
};

struct bft_sign_state {
	uint64_t sequence; /* of the write; the higher slot counts */
	enum bft_sign_step step;
	int64_t height;
	int32_t round;
	int32_t pol_round;
	struct cmt_block_id block_id;
	int64_t time_ns;
	uint8_t signature[BFT_SIGNATURE_SIZE];
	bool has_extension;
	uint16_t extension_size;
	uint8_t extension[BFT_EXTENSION_SIZE_MAX];
	uint8_t extension_signature[BFT_SIGNATURE_SIZE];
	int32_t lock_round; /* -1: no precommit for a block at this height */
	struct cmt_block_id lock_id;
};

enum bft_sign_verdict {
	BFT_SIGN_NEW = 1,    /* sign it, record it, write it down, then use it */
	BFT_SIGN_REPEAT = 2, /* use time, signature, extension and its signature of the state */
	BFT_SIGN_REFUSE = 3, /* something else was signed here or later */
};

void bft_sign_state_init(struct bft_sign_state *state);
enum bft_sign_verdict bft_sign_state_may(const struct bft_sign_state *state,
					 const struct bft_sign_request *request);
/* Takes what was just signed; anything but a request judged NEW is a bug. extension_signature is
 * read only where the request has an extension. */
void bft_sign_state_record(struct bft_sign_state *state, const struct bft_sign_request *request,
			   const uint8_t signature[BFT_SIGNATURE_SIZE],
			   const uint8_t extension_signature[BFT_SIGNATURE_SIZE]);
/* Something that the own key signed, found in the own log or at a peer, its signature checked:
 * the state becomes at least as new, the lock too. *changed: it must be written. CONFLICT when
 * the state holds a signature for something else in the same place: the key has signed twice,
 * here or elsewhere. */
CS_NODISCARD enum cs_err
bft_sign_state_raise(struct bft_sign_state *state, bool *changed,
		     const struct bft_sign_request *seen,
		     const uint8_t signature[BFT_SIGNATURE_SIZE],
		     const uint8_t extension_signature[BFT_SIGNATURE_SIZE]);

/* Exactly BFT_SIGN_SLOT_SIZE bytes with a SHA-256 at the end. */
void bft_sign_state_encode(uint8_t slot[BFT_SIGN_SLOT_SIZE], const struct bft_sign_state *state);
/* Of the two slots the newer good one; *slot_next is where to write next, *damaged whether one that
 * was written does not read: its signature may have been used, so the caller relies on log and
 * peers. NOT_FOUND when both are empty or all zeros, MALFORMED when none reads. */
CS_NODISCARD enum cs_err bft_sign_state_load(struct bft_sign_state *state, unsigned *slot_next,
					     bool *damaged, struct cs_bytes slot0,
					     struct cs_bytes slot1);

#endif
