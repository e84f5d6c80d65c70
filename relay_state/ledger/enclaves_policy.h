/* What the register of enclaves accepts as evidence, and who says so: a policy with its roots, and
 * manifests, each approved by k of n administrators. For the files of the register alone. */
#ifndef LEDGER_ENCLAVES_POLICY_H
#define LEDGER_ENCLAVES_POLICY_H

#include "relay_state/ledger/enclaves_parts.h"
#include "relay_state/ledger/evidence.h"

/* Views into the state, until the block ends. */
CS_NODISCARD enum cs_err enclaves_policy_get(struct ledger_call *call,
					     struct ledger_policy *policy);

/* ---- approvals ---- */

struct enclaves_approvals {
	size_t count;
	uint8_t administrator[LEDGER_ADMINISTRATORS_MAX];
	uint8_t signature[LEDGER_ADMINISTRATORS_MAX][64];
};
CS_NODISCARD enum cs_err enclaves_approvals_read(struct cs_abi_reader *in,
						 struct enclaves_approvals *approvals);
/* Reverts unless k of n signed the digest: ApprovalsTooFew(), ApprovalUnknown(uint8),
 * ApprovalInvalid(uint8). */
CS_NODISCARD enum cs_err enclaves_approvals_check(struct ledger_call *call,
						  const struct enclaves_approvals *approvals,
						  const struct cs_hash *digest);

/* A hash that the administrators approved for a number of a lineage. Two of them are a conflict, which
 * is kept, and what was paid goes back: *contradicts. Reverts with LineageSuspended(),
 * ManifestSettled(). */
CS_NODISCARD enum cs_err enclaves_manifest_approve(struct ledger_call *call,
						   const struct cs_hash *lineage, uint64_t number,
						   const struct cs_hash *hash, bool *contradicts);

/* ---- evidence ---- */

/* What evidence came to, when it registered or renewed an enclave. tier 0: administrators' word. */
struct enclaves_verdict {
	uint8_t tier;       /* enum attest_tier */
	uint8_t tcb_status; /* enum attest_tcb_status */
	uint64_t policy;    /* its number */
	uint64_t until_s;   /* the first end of what it rested on; 0: none */
	uint32_t collateral_number;
};
CS_NODISCARD enum cs_err enclaves_verdict_get(struct ledger_call *call,
					      struct enclaves_verdict *verdict,
					      const struct cs_hash *enclave);
CS_NODISCARD enum cs_err enclaves_verdict_put(struct ledger_call *call,
					      const struct cs_hash *enclave,
					      const struct enclaves_verdict *verdict);

/* Reverts unless the registration's evidence is accepted by the policy in force, binds exactly this
 * registration, and is of a manifest that was approved. Fills r->evidence_digest. */
CS_NODISCARD enum cs_err enclaves_evidence_check(struct ledger_call *call,
						 struct ledger_registration *r,
						 struct enclaves_verdict *verdict);

ledger_function_fn enclaves_set_policy, enclaves_approve_manifest, enclaves_policy_of,
	enclaves_verdict_of, enclaves_collateral_of;

#endif
