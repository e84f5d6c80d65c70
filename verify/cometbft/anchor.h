/* How far the sealed state of an enclave is, as a Caisson ledger keeps it (docs/protocol/enclaves.md
 * section 3): what the enclave signs, and what a proof under the ledger's application hash says. The
 * ledger's contract 5 and the enclave share it; neither state nor keys are here. */
#ifndef CMT_ANCHOR_H
#define CMT_ANCHOR_H

#include "verify/cometbft/ics23.h"

/* Of the register of enclaves, which names a ledger in what enclaves sign: 0x…ca1504. */
extern const struct cs_address cmt_register_address;

struct cmt_anchor {
	struct cs_hash lineage;
	struct cs_hash identity; /* for whom the enclave's key speaks */
	uint64_t epoch;          /* rises when sealed state was lost or is begun again */
	uint64_t counter;        /* rises within an epoch */
	struct cs_hash digest;
};

/* What the enclave signs; `own` is the register's identity. */
struct cs_hash cmt_anchor_digest(const struct cs_hash *own, const struct cmt_anchor *anchor);

/* Under which key the state tree has it: contract, kind, lineage, identity. */
#define CMT_ANCHOR_KEY_SIZE (2u + 32u + 32u)
void cmt_anchor_key(uint8_t key[CMT_ANCHOR_KEY_SIZE], const struct cmt_anchor *anchor);

/* The anchor of anchor->lineage and anchor->identity: *found, and the other fields, which are
 * untouched where it is proven that there is none. MALFORMED for a value that is no anchor, and the
 * errors of cmt_ics23_lookup. */
CS_NODISCARD enum cs_err cmt_anchor_lookup(bool *found, struct cmt_anchor *anchor,
					   const struct cs_hash *app_hash, struct cs_bytes proof);

#endif
