/* Whether a key is registered with a Caisson ledger, by ICS-23 proofs under an application hash that a
 * light client holds: who its enclave is, until when it counts, what is at stake. What contract 4 of the
 * ledger asks of a key before it takes its signature (docs/protocol/enclaves.md section 4) is asked here
 * by whoever has no ledger: an enclave, a key server, a gateway. Verifies no evidence itself. */
#ifndef CMT_REGISTRATION_H
#define CMT_REGISTRATION_H

#include "core/u256.h"
#include "verify/cometbft/ics23.h"
#include "verify/verify.h"

/* What is proven, in this order: where the next one lies follows from those before it. */
enum cmt_registration_part {
	CMT_REGISTRATION_HOLDER,   /* which enclave has the key */
	CMT_REGISTRATION_ENCLAVE,  /* its row */
	CMT_REGISTRATION_X,        /* the words of the key, by identity and epoch */
	CMT_REGISTRATION_WINDOW,   /* … */
	CMT_REGISTRATION_MANIFEST, /* which hash counts for its manifest's number */
	CMT_REGISTRATION_CONFLICT, /* that the lineage does not stand still: absence */
	CMT_REGISTRATION_VERDICT,  /* what its evidence came to */
};
#define CMT_REGISTRATION_PARTS (CMT_REGISTRATION_VERDICT + 1u)

struct cmt_registration {
	struct cs_hash x; /* the key: BIP-340 */
	bool known;       /* false: no enclave ever had it, and the rest is zero */
	struct cs_hash enclave;
	struct cs_hash identity; /* for whom it speaks */
	uint64_t epoch;
	struct cs_address gas;
	uint8_t state; /* 1 active, 2 suspended, 3 revoked: enum ledger_enclave_state */
	uint8_t role;  /* 1 bridge, 2 oracle, 3 compute */
	uint8_t evidence_kind;
	struct cs_hash measurement;
	struct cs_hash lineage;
	uint64_t manifest_number;
	struct cs_hash manifest_hash;
	struct cs_hash evidence_digest;
	uint64_t registered_s;
	uint64_t expires_s;
	uint64_t revoked_s;
	struct cs_u256 bond;
	struct cs_address bonder;
	struct wire_key key;
	struct cs_hash manifest_counts; /* the hash that counts for the number */
	bool in_conflict;
	uint8_t tier; /* enum attest_tier; 0: administrators' word alone */
	uint8_t tcb_status;
	uint64_t policy; /* the number of the register's policy then */
};

/* The longest: contract, kind, lineage, number. */
#define CMT_REGISTRATION_KEY_SIZE_MAX (2u + 32u + 8u)
struct cmt_registration_key {
	uint8_t b[CMT_REGISTRATION_KEY_SIZE_MAX];
	size_t n;
};

/* Begins with a key; then for each part: where it lies, and what lies there. A host that looks for
 * proofs and a verifier that has them go the same way. *more is false after the last part, and after
 * the first one where the key is not known. MALFORMED: a value that is none of the register's. */
void cmt_registration_begin(struct cmt_registration *registration, const struct cs_hash *x);
struct cmt_registration_key cmt_registration_key(const struct cmt_registration *registration,
						 enum cmt_registration_part part);
CS_NODISCARD enum cs_err cmt_registration_take(struct cmt_registration *registration,
					       enum cmt_registration_part part, bool found,
					       struct cs_bytes value, bool *more);

/* The registration of the key under the hash, by `count` proofs in the order of the parts: all of
 * them, or the first alone where it shows that the key is not known (then that is an answer: known
 * false). INVALID: another number of proofs; MALFORMED; the errors of cmt_ics23_lookup. */
CS_NODISCARD enum cs_err cmt_registration_prove(struct cmt_registration *out,
						const struct cs_hash *x,
						const struct cs_hash *app_hash,
						const struct cs_bytes *proofs, size_t count);

/* What a relying party asks for. */
struct cmt_registration_rule {
	uint8_t role;
	struct cs_hash lineage;
	struct cs_u256 bond_min;
	bool evidence_wanted; /* administrators' word alone is not enough */
	uint64_t age_max_s;   /* of the block: what was revoked since then is not seen */
};

/* Does the key count? The registration was proven under block->state_root, and the block is final by
 * a light client's word; its state is that after the block below (verify.h). Begin by the low end of
 * now, ends by the high end. OK: yes. NOT_FOUND: nobody has it; REVOKED: key or enclave, for ever;
 * FORBIDDEN: suspended, the lineage stands still, another role, a bond that is too small, no evidence;
 * WRONG_LINEAGE; WRONG_MANIFEST: its manifest is not the one that counts; NOT_YET_VALID; EXPIRED;
 * ANCHOR_TOO_OLD: the block; NO_TIME. Each with its reason. */
CS_NODISCARD enum cs_err cmt_registration_check(const struct cmt_registration *registration,
						const struct cmt_registration_rule *rule,
						const struct verify_block *block,
						const struct verify_time *now, struct cs_why *why);

#endif
