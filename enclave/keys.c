#include "core/aead.h"
#include "enclave/state.h"
#include "wire/report.h"

#include <string.h>

/* Random 32 bytes are no key with probability 2^-128: a source that fails this often is broken. */
#define TRIES_MAX 8

static enum cs_err secret_make(struct enclave *e, struct cs_secret *secret)
{
	for (int i = 0; i < TRIES_MAX; i++) {
		CS_TRY(enclave_random(e, secret->b, sizeof secret->b));
		if (cs_key_is_valid(e->sig, secret))
			return CS_OK;
	}
	cs_wipe(secret, sizeof *secret);
	return CS_ERR_CRYPTO;
}

/* Makes room by dropping the oldest epoch, never the one that signs. */
static enum cs_err room_make(struct enclave *e, struct enclave_chain *chain, struct cs_why *why)
{
	struct enclave_chain_secrets *secrets = enclave_secrets_of(e, chain);
	if (chain->key_count < ENCLAVE_EPOCHS_MAX)
		return CS_OK;
	if (chain->keys[0].epoch == chain->epoch_current)
		return cs_fail(why, CS_ERR_FULL, "epoch %llu still signs: name a newer one first",
			       (unsigned long long)chain->epoch_current);
	chain->evicted = chain->keys[0];
	secrets->evicted = secrets->statement[0];
	chain->key_count--;
	memmove(&chain->keys[0], &chain->keys[1], chain->key_count * sizeof chain->keys[0]);
	memmove(&secrets->statement[0], &secrets->statement[1],
		chain->key_count * sizeof secrets->statement[0]);
	cs_wipe(&secrets->statement[chain->key_count], sizeof secrets->statement[0]);
	return CS_OK;
}

enum cs_err enclave_key_make(struct enclave *e, struct enclave_chain *chain, uint64_t epoch,
			     struct cs_why *why)
{
	struct enclave_chain_secrets *secrets = enclave_secrets_of(e, chain);
	/* The place behind the last is free except when the list is full: then the new key waits in
	 * the scratch. */
	struct cs_secret *fresh = (struct cs_secret *)(void *)e->secrets->scratch;
	struct enclave_key key = {.epoch = epoch, .insecure = e->insecure_flags != 0};
	enum cs_err err = secret_make(e, fresh);
	if (err == CS_OK)
		err = cs_key_x(e->sig, &key.x, fresh);
	if (err == CS_OK)
		err = room_make(e, chain, why);
	if (err == CS_OK) {
		secrets->statement[chain->key_count] = *fresh;
		chain->keys[chain->key_count] = key;
		chain->key_count++;
	}
	cs_wipe(fresh, sizeof *fresh);
	return err;
}

void enclave_key_drop(struct enclave *e, struct enclave_chain *chain)
{
	struct enclave_chain_secrets *secrets = enclave_secrets_of(e, chain);
	cs_assert(chain->key_count > 0);
	chain->key_count--;
	cs_wipe(&secrets->statement[chain->key_count], sizeof secrets->statement[0]);
	memset(&chain->keys[chain->key_count], 0, sizeof chain->keys[0]);
	if (chain->evicted.epoch == 0)
		return;
	memmove(&chain->keys[1], &chain->keys[0], chain->key_count * sizeof chain->keys[0]);
	memmove(&secrets->statement[1], &secrets->statement[0],
		chain->key_count * sizeof secrets->statement[0]);
	chain->keys[0] = chain->evicted;
	secrets->statement[0] = secrets->evicted;
	chain->key_count++;
	memset(&chain->evicted, 0, sizeof chain->evicted);
	cs_wipe(&secrets->evicted, sizeof secrets->evicted);
}

void enclave_key_settle(struct enclave *e, struct enclave_chain *chain)
{
	struct enclave_chain_secrets *secrets = enclave_secrets_of(e, chain);
	/* The key pair that signed last may be of the key that goes. */
	if (chain->evicted.epoch != 0 && cs_hash_eq(&secrets->signer_x, &chain->evicted.x)) {
		cs_wipe(&secrets->signer, sizeof secrets->signer);
		memset(&secrets->signer_x, 0, sizeof secrets->signer_x);
	}
	memset(&chain->evicted, 0, sizeof chain->evicted);
	cs_wipe(&secrets->evicted, sizeof secrets->evicted);
}

enum cs_err enclave_gas_key_make(struct enclave *e, struct enclave_chain *chain)
{
	struct enclave_chain_secrets *secrets = enclave_secrets_of(e, chain);
	CS_TRY(secret_make(e, &secrets->gas));
	return cs_key_address(e->sig, &chain->gas_address, &secrets->gas);
}

/* The last byte of info counts tries: 32 bytes are no key with probability 2^-128. */
enum cs_err enclave_gas_account(struct enclave *e, struct cs_secret *key,
				struct cs_address *address, const struct enclave_chain *chain,
				uint32_t index)
{
	static const char label[] = "caisson/gas-account/v1"; /* with its zero */
	const struct cs_secret *gas = &enclave_secrets_of(e, chain)->gas;
	uint8_t info[sizeof label + 32 + 4 + 1];
	if (index >= ENCLAVE_GAS_ACCOUNTS_MAX)
		return CS_ERR_INVALID;
	*key = *gas;
	if (index == 0) {
		*address = chain->gas_address;
		return CS_OK;
	}
	memcpy(info, label, sizeof label);
	memcpy(info + sizeof label, chain->manifest->identity.b, 32);
	cs_put_be32(info + sizeof label + 32, index);
	for (uint8_t i = 0; i < TRIES_MAX; i++) {
		info[sizeof info - 1] = i;
		cs_hkdf(key->b, sizeof key->b, CS_BYTES_OF(gas->b), CS_BYTES_NONE,
			CS_BYTES_OF(info));
		if (cs_key_is_valid(e->sig, key))
			return cs_key_address(e->sig, address, key);
	}
	cs_wipe(key, sizeof *key);
	return CS_ERR_CRYPTO;
}

void enclave_keys_wipe(struct enclave *e, struct enclave_chain *chain)
{
	cs_wipe(enclave_secrets_of(e, chain), sizeof(struct enclave_chain_secrets));
	memset(chain->keys, 0, sizeof chain->keys);
	memset(&chain->evicted, 0, sizeof chain->evicted);
	memset(&chain->gas_address, 0, sizeof chain->gas_address);
	chain->key_count = 0;
	chain->epoch_current = 0;
}

enum cs_err enclave_keys_to_pb(struct enclave_call *call, size_t *count,
			       Caisson__Wire__KeyInfo ***pb)
{
	const struct enclave *e = call->e;
	struct cs_arena *arena = &call->e->arena;
	const size_t max = e->chain_count * ENCLAVE_EPOCHS_MAX + ENCLAVE_BOXES_MAX;
	Caisson__Wire__KeyInfo **list =
		cs_arena_calloc(arena, max, sizeof(Caisson__Wire__KeyInfo *));
	Caisson__Wire__KeyInfo *infos = cs_arena_calloc(arena, max, sizeof *infos);
	if (list == NULL || infos == NULL)
		return CS_ERR_NO_MEMORY;
	size_t n = 0;
	for (size_t i = 0; i < e->chain_count; i++) {
		const struct enclave_chain *chain = &e->chains[i];
		for (size_t k = 0; k < chain->key_count; k++, n++) {
			caisson__wire__key_info__init(&infos[n]);
			infos[n].chain =
				wire_pb_bytes(arena, CS_BYTES_OF(chain->manifest->identity.b));
			infos[n].epoch = chain->keys[k].epoch;
			infos[n].public_key = wire_pb_bytes(arena, CS_BYTES_OF(chain->keys[k].x.b));
			infos[n].gas_address =
				wire_pb_bytes(arena, CS_BYTES_OF(chain->gas_address.b));
			list[n] = &infos[n];
		}
	}
	const struct cs_hash boxes = enclave_box_identity(e);
	const struct cs_address none = {{0}};
	for (size_t i = 0; i < e->box_count; i++, n++) {
		caisson__wire__key_info__init(&infos[n]);
		infos[n].chain = wire_pb_bytes(arena, CS_BYTES_OF(boxes.b));
		infos[n].epoch = e->boxes[i].epoch;
		infos[n].public_key = wire_pb_bytes(arena, CS_BYTES_OF(e->boxes[i].x.b));
		infos[n].gas_address = wire_pb_bytes(arena, CS_BYTES_OF(none.b));
		list[n] = &infos[n];
	}
	*count = n;
	*pb = list;
	return CS_OK;
}

static enum cs_err pool_to_pb(struct enclave_call *call, Caisson__Wire__GasPool *pb,
			      const struct enclave_chain *chain, uint32_t count)
{
	struct cs_arena *arena = &call->e->arena;
	struct cs_secret *key = (struct cs_secret *)(void *)call->e->secrets->scratch;
	enum cs_err err = CS_OK;
	pb->chain = wire_pb_bytes(arena, CS_BYTES_OF(chain->manifest->identity.b));
	pb->addresses = cs_arena_calloc(arena, count, sizeof *pb->addresses);
	if (pb->addresses == NULL)
		return CS_ERR_NO_MEMORY;
	for (uint32_t i = 0; i < count && err == CS_OK; i++) {
		struct cs_address address;
		err = enclave_gas_account(call->e, key, &address, chain, i);
		if (err == CS_OK)
			pb->addresses[i] = wire_pb_bytes(arena, CS_BYTES_OF(address.b));
	}
	cs_wipe(key, sizeof *key);
	pb->n_addresses = count;
	return err;
}

enum cs_err enclave_gas_pools_to_pb(struct enclave_call *call, uint32_t count,
				    Caisson__Wire__PublicKeysReply *pb)
{
	struct enclave *e = call->e;
	if (count > ENCLAVE_GAS_ACCOUNTS_MAX)
		return cs_fail(&call->why, CS_ERR_INVALID, "gas_accounts: a pool has %u",
			       ENCLAVE_GAS_ACCOUNTS_MAX);
	if (count == 0)
		return CS_OK;
	pb->pools = cs_arena_calloc(&e->arena, e->chain_count, sizeof(Caisson__Wire__GasPool *));
	Caisson__Wire__GasPool *all = cs_arena_calloc(&e->arena, e->chain_count, sizeof *all);
	if (pb->pools == NULL || all == NULL)
		return CS_ERR_NO_MEMORY;
	for (size_t i = 0; i < e->chain_count; i++) {
		const struct enclave_chain *chain = &e->chains[i];
		/* The oracle itself has keys and sends no transaction. */
		if (chain->key_count == 0 || !enclave_chain_is_real(chain))
			continue;
		Caisson__Wire__GasPool *one = &all[pb->n_pools];
		caisson__wire__gas_pool__init(one);
		CS_TRY(pool_to_pb(call, one, chain, count));
		pb->pools[pb->n_pools++] = one;
	}
	return CS_OK;
}

/* docs/protocol/report.md. */
struct cs_hash enclave_keys_hash(const struct enclave *e)
{
	const struct cs_hash boxes = enclave_box_identity(e);
	struct wire_report_key key;
	struct cs_keccak hash;
	wire_report_keys_begin(&hash);
	for (size_t i = 0; i < e->chain_count; i++) {
		const struct enclave_chain *chain = &e->chains[i];
		for (size_t k = 0; k < chain->key_count; k++) {
			key = (struct wire_report_key){chain->manifest->identity,
						       chain->keys[k].epoch, chain->keys[k].x,
						       chain->gas_address};
			wire_report_keys_add(&hash, &key);
		}
	}
	for (size_t i = 0; i < e->box_count; i++) {
		key = (struct wire_report_key){
			.chain = boxes, .epoch = e->boxes[i].epoch, .x = e->boxes[i].x};
		wire_report_keys_add(&hash, &key);
	}
	return cs_keccak_end(&hash);
}

/* ---- keys for secrets ---- */

struct cs_hash enclave_box_identity(const struct enclave *e)
{
	uint8_t preimage[64];
	memcpy(preimage, wire_tag(WIRE_TAG_IDENTITY_ORACLE_SECRETS)->b, 32);
	memcpy(preimage + 32, e->manifest.lineage.b, 32);
	return cs_keccak256(CS_BYTES_OF(preimage));
}

enum cs_err enclave_box_make(struct enclave *e)
{
	struct cs_secret *fresh = (struct cs_secret *)(void *)e->secrets->scratch;
	struct enclave_box box = {
		.epoch = e->box_count == 0 ? 1 : e->boxes[e->box_count - 1].epoch + 1};
	CS_TRY(e->box_make(fresh, &box.x));
	if (e->box_count == ENCLAVE_BOXES_MAX) {
		e->box_count--;
		memmove(&e->boxes[0], &e->boxes[1], e->box_count * sizeof e->boxes[0]);
		memmove(&e->secrets->boxes[0], &e->secrets->boxes[1],
			e->box_count * sizeof e->secrets->boxes[0]);
	}
	e->secrets->boxes[e->box_count] = *fresh;
	e->boxes[e->box_count++] = box;
	cs_wipe(fresh, sizeof *fresh);
	return CS_OK;
}

void enclave_boxes_wipe(struct enclave *e)
{
	cs_wipe(e->secrets->boxes, sizeof e->secrets->boxes);
	memset(e->boxes, 0, sizeof e->boxes);
	e->box_count = 0;
}

/* ---- signing ---- */

enum cs_err enclave_sign_raw(struct enclave_call *call, struct cs_schnorr *out,
			     const struct enclave_chain *chain, const struct enclave_key *key,
			     const struct cs_hash *digest)
{
	const size_t index = (size_t)(key - chain->keys);
	struct cs_hash aux;
	struct enclave_chain_secrets *secrets = enclave_secrets_of(call->e, chain);
	if (!cs_hash_eq(&secrets->signer_x, &key->x)) {
		CS_TRY(cs_signer_make(call->e->sig, &secrets->signer, &secrets->statement[index]));
		secrets->signer_x = key->x;
	}
	CS_TRY(enclave_random(call->e, aux.b, sizeof aux.b));
	const enum cs_err err =
		cs_schnorr_sign_by(call->e->sig, out, &secrets->signer, digest, &aux);
	cs_wipe(&aux, sizeof aux);
	return err;
}

enum cs_err enclave_sign_digest(struct enclave_call *call, struct cs_schnorr *out,
				const struct enclave_chain *chain, const struct enclave_key *key,
				const struct cs_hash *digest)
{
	CS_TRY(enclave_may_sign(call));
	return enclave_sign_raw(call, out, chain, key, digest);
}

const struct enclave_key *enclave_key_of(const struct enclave_chain *chain, uint64_t epoch)
{
	for (size_t i = 0; i < chain->key_count; i++)
		if (chain->keys[i].epoch == epoch)
			return &chain->keys[i];
	return NULL;
}

enum cs_err enclave_sign_statement(struct enclave_call *call, struct wire_signed *out,
				   struct enclave_chain *chain, enum wire_kind kind,
				   const struct cs_hash *receiver, uint64_t epoch,
				   const struct cs_hash *leaves, size_t count)
{
	if (chain->key_count == 0)
		return cs_fail(&call->why, CS_ERR_NO_KEY, "%s: no keys yet, Init makes them",
			       chain->manifest->caip2);
	const struct enclave_key *key =
		enclave_key_of(chain, epoch != 0 ? epoch : chain->epoch_current);
	if (key == NULL)
		return cs_fail(&call->why, CS_ERR_WRONG_EPOCH, "%s: no key of epoch %llu",
			       chain->manifest->caip2, (unsigned long long)epoch);
	struct wire_signed result = {
		.statement = {.kind = kind,
			      .signer = chain->manifest->identity,
			      .receiver = *receiver,
			      .epoch = key->epoch,
			      .manifest_number = call->e->manifest.number,
			      .root = wire_root(leaves, count)},
	};
	const bool insecure = key->insecure || call->e->insecure_flags != 0;
	const struct cs_hash digest = wire_digest(&result.statement, insecure ? WIRE_DOMAIN_INSECURE
									      : WIRE_DOMAIN_SECURE);
	CS_TRY(enclave_sign_digest(call, &result.signature, chain, key, &digest));
	/* A newer epoch that was named once stays in use. */
	if (key->epoch > chain->epoch_current)
		chain->epoch_current = key->epoch;
	*out = result;
	return CS_OK;
}
