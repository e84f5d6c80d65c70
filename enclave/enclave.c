#include "enclave/state.h"
#include "wire/oracle.h"

#include <string.h>

/* Room for a client of any kind. */
static size_t client_size(void)
{
	const size_t evm = verify_evm_client_size(), cometbft = cmt_client_size();
	return ((evm > cometbft ? evm : cometbft) + 15) & ~(size_t)15;
}

size_t enclave_size(void)
{
	return ((sizeof(struct enclave) + 15) & ~(size_t)15) +
	       CS_MANIFEST_CHAINS_MAX * client_size() + ENCLAVE_ARENA_SIZE;
}

size_t enclave_secrets_size(void)
{
	return sizeof(struct enclave_secrets);
}

/* Behind the struct: one client's state for each chain, then the arena of requests. */
static uint8_t *memory_at(struct enclave *e, size_t client_index)
{
	return (uint8_t *)e + ((sizeof *e + 15) & ~(size_t)15) + client_index * client_size();
}

static enum cs_err open_cometbft(struct enclave_chain *chain, void *memory, struct cs_why *why)
{
	const struct manifest_finality *f = &chain->manifest->finality;
	const struct cmt_client_config config = {
		.chain = chain->manifest->identity,
		.chain_id = chain->manifest->cometbft_id,
		.anchor_height = f->anchor_height,
		.anchor_hash = f->anchor_hash,
		.anchor_age_max_s = f->anchor_age_max_s,
		.trusting_period_s = f->trusting_period_s,
		.drift_max_s = f->drift_max_s,
		.trust_level = f->trust_level,
	};
	return cmt_client_open(&chain->client, memory, &config, why);
}

enum cs_err enclave_client_open(struct enclave *e, struct enclave_chain *chain, struct cs_why *why)
{
	const struct manifest_finality *f = &chain->manifest->finality;
	void *memory = memory_at(e, (size_t)(chain - e->chains));
	if (!enclave_chain_is_real(chain))
		return CS_OK;
	if (f->mode == MANIFEST_COMETBFT)
		return open_cometbft(chain, memory, why);
	static const enum verify_evm_mode modes[] = {
		[MANIFEST_CLIQUE] = VERIFY_EVM_CLIQUE,
		[MANIFEST_QBFT] = VERIFY_EVM_QBFT,
		[MANIFEST_INSECURE_DEV_HEAD] = VERIFY_EVM_INSECURE_DEV_HEAD,
		[MANIFEST_RPC_QUORUM] = VERIFY_EVM_RPC_QUORUM,
	};
	const struct verify_evm_config config = {
		.mode = modes[f->mode],
		.chain = chain->manifest->identity,
		.anchor_height = f->anchor_height,
		.anchor_hash = f->anchor_hash,
		.anchor_age_max_s = f->anchor_age_max_s,
		.trusting_period_s = f->trusting_period_s,
		.epoch_length = f->epoch,
		.seals_min = f->seals_min,
		.period_s = f->period_s,
		.drift_max_s = f->drift_max_s,
		.confirmations = f->confirmations,
		.provider_count = f->rpc.count,
		.quorum_min = (size_t)f->rpc.quorum,
		.answer_age_max_s = f->rpc.age_max_s,
		.reorg_margin_s = f->reorg_margin_s,
	};
	return verify_evm_open(&chain->client, memory, &config, e->sig, why);
}

static enum cs_err serve_add(struct enclave *e, const struct manifest_chain *manifest,
			     struct cs_why *why)
{
	for (size_t i = 0; i < e->chain_count; i++)
		if (e->chains[i].manifest == manifest)
			return cs_fail(why, CS_ERR_DUPLICATE, "%s is to be served twice",
				       manifest->caip2);
	struct enclave_chain *chain = &e->chains[e->chain_count];
	chain->manifest = manifest;
	if (manifest->finality.mode == MANIFEST_INSECURE_DEV_HEAD)
		e->insecure_flags |= ENCLAVE_INSECURE_dev_head;
	e->chain_count++;
	return enclave_client_open(e, chain, why);
}

/* The oracle itself, then each chain that has a contract of it. */
static enum cs_err serve_oracle(struct enclave *e, const struct enclave_launch *launch,
				struct cs_why *why)
{
	const struct manifest_oracle *oracle = &e->manifest.oracle;
	if (!oracle->present)
		return cs_fail(why, CS_ERR_NOT_IN_MANIFEST, "the manifest names no oracle");
	if (launch->serve_count != 0)
		return cs_fail(why, CS_ERR_INVALID,
			       "an oracle serves the chains of its contracts: no --serve");
	memcpy(e->self.caip2, "oracle", sizeof "oracle");
	e->self.identity = wire_oracle_identity(&e->manifest.lineage);
	for (size_t i = 0; i < oracle->contract_count; i++)
		e->self.remotes[e->self.remote_count++] = oracle->contracts[i].identity;
	e->chains[e->chain_count++].manifest = &e->self;
	for (size_t i = 0; i < oracle->contract_count; i++) {
		const struct manifest_chain *wanted =
			&e->manifest.chains[oracle->contracts[i].chain];
		size_t at = 1;
		while (at < e->chain_count && e->chains[at].manifest != wanted)
			at++;
		if (at < e->chain_count)
			continue;
		if (at == CS_MANIFEST_CHAINS_MAX)
			return cs_fail(why, CS_ERR_TOO_LARGE, "contracts on more than %d chains",
				       CS_MANIFEST_CHAINS_MAX - 1);
		CS_TRY(serve_add(e, wanted, why));
	}
	return CS_OK;
}

/* After all others. */
static enum cs_err serve_ledger(struct enclave *e, struct cs_why *why)
{
	if (e->manifest.insecure_host_time)
		return CS_OK;
	if (e->chain_count == CS_MANIFEST_CHAINS_MAX)
		return cs_fail(why, CS_ERR_TOO_LARGE, "%d chains, and the ledger",
			       CS_MANIFEST_CHAINS_MAX);
	CS_TRY(serve_add(e, &e->manifest.ledger.chain, why));
	e->ledger = &e->chains[e->chain_count - 1];
	return CS_OK;
}

static enum cs_err serve_all(struct enclave *e, const struct enclave_launch *launch,
			     struct cs_why *why)
{
	if (e->role == ENCLAVE_ORACLE)
		return serve_oracle(e, launch, why);
	if (launch->serve_count > CS_MANIFEST_CHAINS_MAX)
		return CS_ERR_TOO_LARGE;
	if (launch->serve_count == 0) {
		for (size_t i = 0; i < e->manifest.chain_count; i++)
			CS_TRY(serve_add(e, &e->manifest.chains[i], why));
		return CS_OK;
	}
	for (size_t i = 0; i < launch->serve_count; i++) {
		const struct manifest_chain *manifest =
			manifest_chain_of(&e->manifest, &launch->serve[i]);
		if (manifest == NULL)
			return cs_fail(why, CS_ERR_NOT_IN_MANIFEST, "chain to serve");
		CS_TRY(serve_add(e, manifest, why));
	}
	return CS_OK;
}

enum cs_err enclave_init(struct enclave *e, struct enclave_secrets *secrets,
			 const struct enclave_launch *launch, struct cs_why *why)
{
	if (launch->seal_root.n != sizeof secrets->seal_root.b)
		return cs_fail(why, CS_ERR_INVALID, "the sealing root is not 32 bytes");
	if (!manifest_lists_build(launch->manifest, &launch->measurement))
		return cs_fail(why, CS_ERR_UNLISTED_BUILD,
			       "the manifest does not list this measurement");
	e->role = launch->role;
	e->box_make = launch->box_make;
	e->door = launch->door;
	e->manifest = *launch->manifest;
	e->measurement = launch->measurement;
	e->tee = launch->tee == NULL ? &tee_simulated : launch->tee;
	e->insecure_flags = launch->insecure_flags | e->tee->insecure_flags;
	if (e->manifest.insecure_host_time)
		e->insecure_flags |= ENCLAVE_INSECURE_host_time;
	if (launch->probe != NULL)
		e->insecure_flags |= ENCLAVE_INSECURE_test_probes;
	if (launch->build != NULL)
		(void)strncpy(e->build, launch->build, ENCLAVE_BUILD_SIZE_MAX);
	e->random = launch->random;
	e->probe = launch->probe;
	e->secrets = secrets;
	memcpy(secrets->seal_root.b, launch->seal_root.p, sizeof secrets->seal_root.b);
	cs_arena_init(&e->arena, memory_at(e, CS_MANIFEST_CHAINS_MAX), ENCLAVE_ARENA_SIZE);

	struct cs_secret *seed = (struct cs_secret *)(void *)secrets->scratch;
	CS_TRY(enclave_random(e, seed->b, sizeof seed->b));
	e->sig = cs_sig_new(seed);
	cs_wipe(seed, sizeof *seed);
	if (e->sig == NULL)
		return CS_ERR_NO_MEMORY;
	enum cs_err err = serve_all(e, launch, why);
	if (err == CS_OK)
		err = serve_ledger(e, why);
	if (err == CS_OK && enclave_sealed_size_max(e) > ENCLAVE_SEALED_SIZE_MAX)
		err = cs_fail(why, CS_ERR_TOO_LARGE,
			      "%zu chains can need %zu bytes of sealed state, %u are the bound: "
			      "serve fewer in one process",
			      e->chain_count, enclave_sealed_size_max(e), ENCLAVE_SEALED_SIZE_MAX);
	if (err != CS_OK)
		enclave_done(e);
	return err;
}

void enclave_done(struct enclave *e)
{
	cs_wipe(e->secrets, sizeof *e->secrets);
	cs_sig_free(e->sig);
	e->sig = NULL;
}

uint64_t enclave_insecure_flags(const struct enclave *e)
{
	return e->insecure_flags;
}

void enclave_connected(struct enclave *e)
{
	e->greeted = false;
	if (e->door.forget != NULL)
		e->door.forget(e->door.context);
}

/* ---- shared words ---- */

enum cs_err enclave_random(const struct enclave *e, void *p, size_t n)
{
	return e->random(p, n) ? CS_OK : CS_ERR_CRYPTO;
}

enum cs_err enclave_time_check(struct enclave_call *call)
{
	if (call->now.high_s == 0)
		return cs_fail(&call->why, CS_ERR_NO_TIME,
			       "nothing is signed before time is bounded");
	return CS_OK;
}

struct enclave_chain_secrets *enclave_secrets_of(struct enclave *e,
						 const struct enclave_chain *chain)
{
	return &e->secrets->chains[chain - e->chains];
}

enum wire_domain enclave_domain(const struct enclave *e)
{
	return e->insecure_flags != 0 ? WIRE_DOMAIN_INSECURE : WIRE_DOMAIN_SECURE;
}

enum cs_err enclave_chain_find(struct enclave_call *call, struct enclave_chain **chain,
			       ProtobufCBinaryData identity)
{
	const struct cs_hash wanted = wire_pb_hash(identity);
	for (size_t i = 0; i < call->e->chain_count; i++) {
		if (enclave_chain_is_real(&call->e->chains[i]) &&
		    cs_hash_eq(&call->e->chains[i].manifest->identity, &wanted)) {
			*chain = &call->e->chains[i];
			return CS_OK;
		}
	}
	return cs_fail(&call->why, CS_ERR_NOT_IN_MANIFEST,
		       "chain: not one that this enclave serves");
}

enum cs_err enclave_remote_find(struct enclave_call *call, size_t *index,
				const struct enclave_chain *chain, ProtobufCBinaryData identity)
{
	const struct cs_hash wanted = wire_pb_hash(identity);
	for (size_t i = 0; i < chain->manifest->remote_count; i++) {
		if (cs_hash_eq(&chain->manifest->remotes[i], &wanted)) {
			*index = i;
			return CS_OK;
		}
	}
	return cs_fail(&call->why, CS_ERR_NOT_IN_MANIFEST, "not a remote of %s",
		       chain->manifest->caip2);
}

enum cs_err enclave_nodes(struct enclave_call *call, struct verify_nodes *nodes,
			  const Caisson__Wire__ProofNodes *pb)
{
	if (pb->state.len != 0)
		return cs_fail(&call->why, CS_ERR_INVALID,
			       "an ICS-23 proof, where the chain proves by a trie");
	struct cs_bytes *list = cs_arena_calloc(&call->e->arena, pb->n_nodes + 1, sizeof *list);
	if (list == NULL)
		return CS_ERR_NO_MEMORY;
	size_t n = 0;
	for (; n < pb->n_nodes; n++)
		list[n] = wire_pb_view(pb->nodes[n]);
	if (pb->leaf.len != 0)
		list[n++] = wire_pb_view(pb->leaf);
	*nodes = (struct verify_nodes){list, n};
	return CS_OK;
}

enum cs_err enclave_reply(struct enclave_call *call, const ProtobufCMessage *message)
{
	return wire_encode(call->reply, message, &call->why);
}
