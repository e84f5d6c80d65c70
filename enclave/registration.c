/* Whether the enclave behind a remote's key is one that the bridge's ledger has in its register: proven under
 * a recent block of the ledger's own light client, where the manifest asks for it, before the key is taken. */
#include "verify/cometbft/registration.h"

#include "enclave/state.h"

/* As contract 4 numbers them. */
#define ROLE_BRIDGE 1u

/* Recent by the high end, and not below what an anchor was proven under: a host shows no older state of the
 * register than it has shown of its own anchor. */
static enum cs_err find_block(struct enclave_call *call, struct verify_block *block,
			      uint64_t height)
{
	const struct enclave *e = call->e;
	CS_TRY(verify_client_block(&e->ledger->client, height, &call->now, block, &call->why));
	if (height < e->anchor.proof_height)
		return cs_fail(&call->why, CS_ERR_STALE_HEADER,
			       "registration at block %llu, the anchor was proven at %llu",
			       (unsigned long long)height,
			       (unsigned long long)e->anchor.proof_height);
	return CS_OK;
}

static enum cs_err check(struct enclave_call *call, const struct enclave_registration *given,
			 const struct verify_block *block)
{
	const struct manifest *m = &call->e->manifest;
	const struct cmt_registration_rule rule = {
		.role = ROLE_BRIDGE,
		.lineage = m->lineage,
		.bond_min = m->ledger.registration.bond_min,
		.evidence_wanted = m->ledger.registration.evidence,
		.age_max_s = m->ledger.proof_age_max_s,
	};
	struct cmt_registration found;
	const enum cs_err err = cmt_registration_prove(&found, &given->x, &block->state_root,
						       given->proofs, given->proof_count);
	if (err != CS_OK)
		return cs_fail(&call->why, err, "registration at block %llu: %s",
			       (unsigned long long)block->height, cs_err_sentence(err));
	if (found.known &&
	    (!cs_hash_eq(&found.identity, &given->identity) || found.epoch != given->epoch))
		return cs_fail(&call->why, CS_ERR_WRONG_KEY,
			       "registered as the key of epoch %llu of another chain",
			       (unsigned long long)found.epoch);
	return cmt_registration_check(&found, &rule, block, &call->now, &call->why);
}

enum cs_err enclave_registration_check(struct enclave_call *call,
				       const struct enclave_registration *given)
{
	const struct enclave *e = call->e;
	struct verify_block block;
	if (e->ledger == NULL || !e->manifest.ledger.registration.wanted)
		return CS_OK;
	CS_TRY(enclave_time_check(call));
	if (given->proof_count == 0)
		return cs_fail(&call->why, CS_ERR_MISSING_FIELD,
			       "the manifest asks for the registration of the key's enclave");
	CS_TRY(find_block(call, &block, given->height));
	return check(call, given, &block);
}
