/* How far a key server of a key cluster is, as a Caisson ledger keeps it, and what its nodes sign of that
 * together with the time (docs/protocol/time.md): contract 5, nodes and key servers share it. Holds no state
 * and no key, and follows no chain: that fewer than k of the pinned nodes lie is all that it rests on. */
#ifndef VERIFY_ANCHOR_ANSWERS_H
#define VERIFY_ANCHOR_ANSWERS_H

#include "core/ed25519.h"
#include "verify/time_answers.h"

/* Whose. */
struct verify_anchor_owner {
	struct cs_hash lineage; /* hash of the cluster's first manifest */
	struct cs_ed25519_key
		key; /* of the key server: its identity, which is sealed with its state */
};

struct verify_anchor {
	uint64_t manifest_number;
	uint64_t epoch;           /* from 1; 0: there is no anchor, and the rest is zero */
	struct cs_hash authority; /* the epoch's Ed25519 key */
	struct cs_hash
		start; /* drawn by each process: what shows it was written after that began */
};

/* What the key server signs. */
struct cs_hash verify_anchor_digest(const struct verify_anchor_owner *owner,
				    const struct verify_anchor *anchor);

/* May `next` be written where `known` stands? A later epoch under no earlier manifest; or the same one, by
 * any start of it. */
bool verify_anchor_follows(const struct verify_anchor *next, const struct verify_anchor *known);

/* Under which key the state tree has it: contract, kind, lineage, key. */
#define VERIFY_ANCHOR_KEY_SIZE (2u + 32u + 32u)
void verify_anchor_key(uint8_t key[VERIFY_ANCHOR_KEY_SIZE],
		       const struct verify_anchor_owner *owner);
/* Number, epoch, authority, start, and the time of the block that took it in seconds. */
#define VERIFY_ANCHOR_VALUE_SIZE (8u + 8u + 32u + 32u + 8u)
/* An empty value: there is none. MALFORMED. */
CS_NODISCARD enum cs_err verify_anchor_read(struct verify_anchor *anchor, struct cs_bytes value);

/* What a node signs for a nonce: its time, and the newest anchor of that owner in its state. */
struct cs_hash verify_anchor_time_digest(const struct cs_hash *nonce, uint64_t time_ms,
					 const struct verify_anchor_owner *owner,
					 const struct verify_anchor *anchor);

/* How far a key server says itself that it is. */
struct verify_anchor_claim {
	struct verify_anchor_owner owner;
	struct verify_anchor anchor;
};

struct verify_anchor_answer {
	struct verify_time_answer time;
	struct verify_anchor anchor;
};

enum verify_anchor_verdict {
	VERIFY_ANCHOR_UNDECIDED, /* fewer than k say either: later answers may */
	VERIFY_ANCHOR_PROVEN,    /* k say that the claim stands: so an honest one does */
	VERIFY_ANCHOR_REFUTED,   /* k say that something stands which the claim cannot follow */
};

/* proof and its errors as verify_time_answers. */
CS_NODISCARD enum cs_err
verify_anchor_answers(struct verify_time_proof *proof, enum verify_anchor_verdict *verdict,
		      const struct cs_sig *sig, const struct verify_time_question *question,
		      const struct verify_anchor_claim *own,
		      const struct verify_anchor_answer *answers, size_t count, struct cs_why *why);

#endif
