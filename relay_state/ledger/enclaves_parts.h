/* What the files of the register share: its rows. Not for other contracts. */
#ifndef LEDGER_ENCLAVES_PARTS_H
#define LEDGER_ENCLAVES_PARTS_H

#include "relay_state/ledger/enclaves.h"
#include "relay_state/ledger/gas.h"
#include "relay_state/ledger/pairs.h"
#include "relay_state/ledger/remotes.h"
#include "relay_state/ledger/timelock.h"

struct enclaves_row {
	enum ledger_enclave_state state; /* ABSENT: none, and the rest is zero */
	uint8_t role;
	uint8_t evidence_kind;
	struct cs_hash measurement;
	struct cs_hash lineage;
	uint64_t manifest_number;
	struct cs_hash manifest_hash;
	struct cs_hash evidence_digest;
	uint64_t registered_s;
	uint64_t expires_s;
	uint64_t revoked_s; /* 0: not */
	struct cs_u256 bond;
	struct cs_address bonder;
};
CS_NODISCARD enum cs_err enclaves_get(struct ledger_call *call, struct enclaves_row *row,
				      const struct cs_hash *enclave);
CS_NODISCARD enum cs_err enclaves_put(struct ledger_call *call, const struct cs_hash *enclave,
				      const struct enclaves_row *row);

struct enclaves_key {
	struct cs_hash enclave; /* zero: the key is not known */
	struct cs_hash identity;
	uint64_t epoch;
	struct cs_address gas;
};
CS_NODISCARD enum cs_err enclaves_key_get(struct ledger_call *call, struct enclaves_key *key,
					  const struct cs_hash *x);
CS_NODISCARD enum cs_err enclaves_key_put(struct ledger_call *call, const struct cs_hash *x,
					  const struct enclaves_key *key);

/* 0 where the identity has no key. */
CS_NODISCARD enum cs_err enclaves_epoch_get(struct ledger_call *call, uint64_t *epoch,
					    const struct cs_hash *identity);
CS_NODISCARD enum cs_err enclaves_epoch_put(struct ledger_call *call,
					    const struct cs_hash *identity, uint64_t epoch);

struct enclaves_administrators {
	uint8_t threshold;
	size_t count;
	struct cs_hash x[LEDGER_ADMINISTRATORS_MAX];
};
/* None, and a threshold of 0, where genesis did not found the register. */
CS_NODISCARD enum cs_err enclaves_administrators_get(struct ledger_call *call,
						     struct enclaves_administrators *admins);
/* INVALID: a threshold of 0 or above the count, a key twice or no key, too many. */
CS_NODISCARD enum cs_err enclaves_administrators_put(struct ledger_call *call,
						     const struct enclaves_administrators *admins);

struct enclaves_terms {
	struct cs_u256 bond_min;
	uint64_t bond_delay_s;
	uint64_t lifetime_max_s;
};
CS_NODISCARD enum cs_err enclaves_terms_get(struct ledger_call *call, struct enclaves_terms *terms);
CS_NODISCARD enum cs_err enclaves_terms_put(struct ledger_call *call,
					    const struct enclaves_terms *terms);

/* Two hashes that were approved for one manifest. since_s 0: none. */
struct enclaves_conflict {
	uint64_t number;
	struct cs_hash known;
	struct cs_hash other;
	uint64_t since_s;
};
CS_NODISCARD enum cs_err enclaves_conflict_get(struct ledger_call *call,
					       struct enclaves_conflict *conflict,
					       const struct cs_hash *lineage);
CS_NODISCARD enum cs_err enclaves_conflict_put(struct ledger_call *call,
					       const struct cs_hash *lineage,
					       const struct enclaves_conflict *conflict);
CS_NODISCARD enum cs_err enclaves_conflict_end(struct ledger_call *call,
					       const struct cs_hash *lineage);
/* What was approved for a number of a lineage. */
struct enclaves_manifest {
	struct cs_hash hash; /* zero: none */
	bool settled;        /* after a conflict: another hash is refused, and no conflict again */
};
CS_NODISCARD enum cs_err enclaves_manifest_get(struct ledger_call *call,
					       struct enclaves_manifest *manifest,
					       const struct cs_hash *lineage, uint64_t number);
CS_NODISCARD enum cs_err enclaves_manifest_put(struct ledger_call *call,
					       const struct cs_hash *lineage, uint64_t number,
					       const struct enclaves_manifest *manifest);

/* since_s 0: none. */
struct enclaves_tombstone {
	uint8_t kind; /* enum ledger_contradiction */
	struct cs_hash x;
	uint64_t since_s;
	struct cs_u256 slashed;
	struct cs_u256 reward;
	struct cs_address reporter;
	struct cs_hash evidence;
};
CS_NODISCARD enum cs_err enclaves_tombstone_get(struct ledger_call *call,
						struct enclaves_tombstone *tombstone,
						const struct cs_hash *enclave);
CS_NODISCARD enum cs_err enclaves_tombstone_put(struct ledger_call *call,
						const struct cs_hash *enclave,
						const struct enclaves_tombstone *tombstone);

/* Within a call of the register. */
CS_NODISCARD enum cs_err enclaves_find(struct ledger_call *call, struct ledger_key_holder *holder,
				       const struct cs_hash *x);
CS_NODISCARD enum cs_err enclaves_emit_state(struct ledger_call *call,
					     const struct cs_hash *enclave,
					     const struct enclaves_row *row);

ledger_function_fn enclaves_register, enclaves_announce;
ledger_function_fn enclaves_report_outcomes, enclaves_report_anchors, enclaves_report_answers,
	enclaves_tombstone_of;
ledger_function_fn enclaves_register_time_key, enclaves_remove_time_key, enclaves_time_key_of;

#endif
