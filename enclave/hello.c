/* What the enclave says about itself: hello with evidence, signed status, keys, and the requests
 * that make, seal and open its state. The preimages are those of docs/protocol/boundary.md. */
#include "enclave/state.h"
#include "wire/report.h"

#include <string.h>

/* ---- hello ---- */

static const struct cs_hash *schema_digest(const struct enclave *e)
{
	return e->role == ENCLAVE_ORACLE ? &wire_oracle_schema_digest : &wire_schema_digest;
}

struct wire_report enclave_report(const struct enclave *e)
{
	return (struct wire_report){
		.role = e->role == ENCLAVE_ORACLE ? WIRE_REPORT_ORACLE_ENCLAVE
						  : WIRE_REPORT_BRIDGE_ENCLAVE,
		.manifest_hash = e->manifest.hash,
		.manifest_number = e->manifest.number,
		.lineage = e->manifest.lineage,
		.schema_digest = *schema_digest(e),
		.insecure_flags = e->insecure_flags,
	};
}

/* A visitor's is bound to its connection too: the same nonce over another gives other evidence. */
static enum cs_err report_data_make(uint8_t report_data[TEE_REPORT_DATA_SIZE],
				    const struct enclave_call *call, const struct cs_hash *nonce)
{
	struct wire_report report = enclave_report(call->e);
	report.key = enclave_keys_hash(call->e);
	if (call->visitor == NULL) {
		report.fresh = wire_report_fresh_nonce_hash(nonce);
	} else {
		struct wire_report_tls tls;
		CS_TRY(call->visitor->bind(call->visitor->context, nonce, &tls));
		report.fresh = wire_report_fresh_tls(&tls);
	}
	wire_report_data(report_data, &report);
	return CS_OK;
}

/* A terminated copy: protobuf-c's strings are not const. */
static char *text_copy(struct enclave_call *call, const char *text)
{
	const size_t n = strlen(text) + 1;
	char *copy = cs_arena_alloc(&call->e->arena, n);
	if (copy != NULL)
		memcpy(copy, text, n);
	return copy;
}

static enum cs_err hello_fill(struct enclave_call *call, Caisson__Wire__HelloReply *out,
			      const struct cs_hash *nonce)
{
	const struct enclave *e = call->e;
	struct cs_arena *arena = &call->e->arena;
	uint8_t report_data[TEE_REPORT_DATA_SIZE];
	struct cs_buf evidence;
	CS_TRY(report_data_make(report_data, call, nonce));
	CS_TRY(cs_buf_init_arena(&evidence, arena, TEE_EVIDENCE_SIZE_MAX));
	CS_TRY(e->tee->evidence(e->tee, &evidence, report_data, &e->measurement, &call->why));
	CS_TRY(enclave_keys_to_pb(call, &out->n_keys, &out->keys));
	CS_TRY(enclave_clients_to_pb(call, &out->n_clients, &out->clients));
	out->version = WIRE_VERSION;
	out->schema_digest = wire_pb_bytes(arena, CS_BYTES_OF(schema_digest(e)->b));
	out->measurement = wire_pb_bytes(arena, CS_BYTES_OF(e->measurement.b));
	out->manifest_hash = wire_pb_bytes(arena, CS_BYTES_OF(e->manifest.hash.b));
	out->manifest_number = e->manifest.number;
	out->lineage = wire_pb_bytes(arena, CS_BYTES_OF(e->manifest.lineage.b));
	out->insecure_flags = e->insecure_flags;
	out->backend = text_copy(call, e->tee->backend);
	out->build = text_copy(call, e->build);
	out->nonce = wire_pb_bytes(arena, CS_BYTES_OF(nonce->b));
	out->report_data = wire_pb_bytes(arena, CS_BYTES_OF(report_data));
	out->evidence = wire_pb_bytes(arena, cs_buf_view(&evidence));
	/* No backend has a counter that outlives the process yet; a ledger may. */
	out->rollback_detected_only_within_process = e->ledger == NULL;
	CS_TRY(enclave_anchor_to_pb(call, &out->anchor));
	out->now_low_s = call->now.low_s;
	out->now_high_s = call->now.high_s;
	return out->backend != NULL && out->build != NULL ? CS_OK : CS_ERR_NO_MEMORY;
}

enum cs_err enclave_hello(struct enclave_call *call)
{
	const Caisson__Wire__HelloRequest *in = (const Caisson__Wire__HelloRequest *)call->request;
	const struct cs_hash nonce = wire_pb_hash(in->nonce);
	Caisson__Wire__HelloReply out;
	bool *greeted = call->visitor == NULL ? &call->e->greeted : &call->visitor->greeted;
	caisson__wire__hello_reply__init(&out);
	/* A quote is dear: a visitor gets one for each handshake. */
	if (call->visitor != NULL && *greeted)
		return cs_fail(&call->why, CS_ERR_DUPLICATE,
			       "hello was answered on this connection");
	CS_TRY(hello_fill(call, &out, &nonce));
	CS_TRY(enclave_reply(call, &out.base));
	*greeted = true;
	return CS_OK;
}

enum cs_err enclave_public_keys(struct enclave_call *call)
{
	const Caisson__Wire__PublicKeysRequest *in =
		(const Caisson__Wire__PublicKeysRequest *)call->request;
	Caisson__Wire__PublicKeysReply out = CAISSON__WIRE__PUBLIC_KEYS_REPLY__INIT;
	CS_TRY(enclave_keys_to_pb(call, &out.n_keys, &out.keys));
	CS_TRY(enclave_gas_pools_to_pb(call, in->gas_accounts, &out));
	return enclave_reply(call, &out.base);
}

/* ---- signed status ---- */

static struct cs_hash clients_hash(const struct enclave *e)
{
	struct cs_keccak hash;
	cs_keccak_init(&hash);
	for (size_t i = 0; i < e->chain_count; i++) {
		const struct enclave_chain *chain = &e->chains[i];
		struct verify_status status;
		uint8_t memory[6 * 32];
		struct cs_buf row;
		if (!enclave_chain_is_real(chain))
			continue;
		verify_client_status(&chain->client, &status);
		const bool dev = chain->manifest->finality.mode == MANIFEST_INSECURE_DEV_HEAD;
		cs_buf_init(&row, memory, sizeof memory);
		cs_put_word(&row, &chain->manifest->identity);
		cs_put_word_u64(&row, status.head_height);
		cs_put_word_u64(&row, status.final_height);
		cs_put_word(&row, &status.final_hash);
		cs_put_word_u64(&row, status.final_time_s);
		cs_put_word_u64(&row, (status.frozen ? 1u : 0u) | (dev ? 2u : 0u));
		cs_keccak_add(&hash, cs_buf_view(&row));
	}
	return cs_keccak_end(&hash);
}

static struct cs_hash status_digest(const struct enclave_call *call, const struct cs_hash *nonce,
				    bool insecure)
{
	const struct enclave *e = call->e;
	const struct cs_hash clients = clients_hash(e);
	uint8_t memory[6 * 32];
	struct cs_buf preimage;
	cs_buf_init(&preimage, memory, sizeof memory);
	cs_put_word(&preimage, wire_tag(insecure ? WIRE_TAG_STATUS_INSECURE : WIRE_TAG_STATUS));
	cs_put_word(&preimage, nonce);
	cs_put_word(&preimage, &e->manifest.hash);
	cs_put_word_u64(&preimage, e->manifest.number);
	cs_put_word_u64(&preimage, e->insecure_flags);
	cs_put_word(&preimage, &clients);
	return cs_keccak256(cs_buf_view(&preimage));
}

enum cs_err enclave_status(struct enclave_call *call)
{
	const Caisson__Wire__StatusRequest *in =
		(const Caisson__Wire__StatusRequest *)call->request;
	const struct cs_hash nonce = wire_pb_hash(in->nonce);
	const struct enclave_chain *chain = &call->e->chains[0];
	struct cs_arena *arena = &call->e->arena;
	Caisson__Wire__StatusReply out = CAISSON__WIRE__STATUS_REPLY__INIT;
	struct cs_schnorr signature;
	uint8_t both[64];
	if (chain->key_count == 0)
		return cs_fail(&call->why, CS_ERR_NO_KEY, "no keys yet, Init makes them");
	const struct enclave_key *key = &chain->keys[chain->key_count - 1];
	const struct cs_hash digest =
		status_digest(call, &nonce, key->insecure || call->e->insecure_flags != 0);
	CS_TRY(enclave_sign_digest(call, &signature, chain, key, &digest));
	memcpy(both, signature.rx.b, 32);
	memcpy(both + 32, signature.s.b, 32);
	CS_TRY(enclave_clients_to_pb(call, &out.n_clients, &out.clients));
	out.insecure_flags = call->e->insecure_flags;
	out.manifest_hash = wire_pb_bytes(arena, CS_BYTES_OF(call->e->manifest.hash.b));
	out.manifest_number = call->e->manifest.number;
	out.nonce = wire_pb_bytes(arena, CS_BYTES_OF(nonce.b));
	out.digest = wire_pb_bytes(arena, CS_BYTES_OF(digest.b));
	out.signature = wire_pb_bytes(arena, CS_BYTES_OF(both));
	out.public_key = wire_pb_bytes(arena, CS_BYTES_OF(key->x.b));
	return enclave_reply(call, &out.base);
}

/* ---- state ---- */

static enum cs_err make_keys(struct enclave_call *call, bool *made)
{
	struct enclave *e = call->e;
	for (size_t i = 0; i < e->chain_count; i++) {
		struct enclave_chain *chain = &e->chains[i];
		if (chain->key_count != 0 || !enclave_chain_signs(e, chain))
			continue;
		made[i] = true;
		/* An oracle sends no transaction. */
		if (enclave_chain_is_real(chain))
			CS_TRY(enclave_gas_key_make(e, chain));
		CS_TRY(enclave_key_make(e, chain, 1, &call->why));
		chain->epoch_current = 1;
	}
	if (e->role == ENCLAVE_ORACLE && e->box_count == 0)
		CS_TRY(enclave_box_make(e));
	return CS_OK;
}

/* Without `seal` only what keys there are. */
static enum cs_err reply_init(struct enclave_call *call, bool seal)
{
	Caisson__Wire__InitReply out = CAISSON__WIRE__INIT_REPLY__INIT;
	struct cs_bytes sealed = CS_BYTES_NONE;
	if (seal)
		CS_TRY(enclave_seal(call, &sealed));
	CS_TRY(enclave_keys_to_pb(call, &out.n_keys, &out.keys));
	out.sealed = wire_pb_bytes(&call->e->arena, sealed);
	return enclave_reply(call, &out.base);
}

/* The next sealed state is the first that holds the newest key. */
static void keys_made(struct enclave *e)
{
	if (e->anchor.epoch == 0) {
		e->anchor.identity = enclave_own_identity(e);
		e->anchor.epoch = 1;
		e->anchor.fresh = true;
	}
	e->anchor.keys_counter = e->counter + 1;
}

enum cs_err enclave_init_keys(struct enclave_call *call)
{
	struct enclave *e = call->e;
	bool made[CS_MANIFEST_CHAINS_MAX] = {false};
	const bool boxes = e->box_count == 0;
	const struct enclave_anchor before = e->anchor;
	enum cs_err err = enclave_may_seal(call);
	if (err == CS_ERR_NOT_ANCHORED)
		return reply_init(call, false);
	if (err == CS_OK)
		err = make_keys(call, made);
	for (size_t i = 0; i < e->chain_count; i++)
		if (made[i])
			keys_made(e);
	if (err == CS_OK)
		err = reply_init(call, true);
	if (err != CS_OK) {
		e->anchor = before;
		for (size_t i = 0; i < e->chain_count; i++)
			if (made[i])
				enclave_keys_wipe(e, &e->chains[i]);
		if (boxes)
			enclave_boxes_wipe(e);
		return err;
	}
	e->started = true;
	return CS_OK;
}

enum cs_err enclave_export(struct enclave_call *call)
{
	Caisson__Wire__ExportReply out = CAISSON__WIRE__EXPORT_REPLY__INIT;
	struct cs_bytes sealed;
	/* An empty state, stored over a good one, would be the end of its keys. */
	if (!call->e->started)
		return cs_fail(&call->why, CS_ERR_NO_KEY,
			       "there is no state yet: Import or Init first");
	CS_TRY(enclave_seal(call, &sealed));
	out.sealed = wire_pb_bytes(&call->e->arena, sealed);
	out.counter = call->e->counter;
	return enclave_reply(call, &out.base);
}

enum cs_err enclave_import(struct enclave_call *call)
{
	const Caisson__Wire__ImportRequest *in =
		(const Caisson__Wire__ImportRequest *)call->request;
	Caisson__Wire__ImportReply out = CAISSON__WIRE__IMPORT_REPLY__INIT;
	CS_TRY(enclave_unseal(call, wire_pb_view(in->sealed)));
	call->e->started = true;
	/* What was answered before says nothing of how late the state came. */
	enclave_clock_reset(call->e);
	CS_TRY(enclave_keys_to_pb(call, &out.n_keys, &out.keys));
	out.counter = call->e->counter;
	return enclave_reply(call, &out.base);
}

/* ---- rotation ---- */

/* The remotes, and the register of the ledger where there is one. */
static const struct cs_hash *announced_to(const struct enclave *e,
					  const struct enclave_chain *chain, size_t index)
{
	return index < chain->manifest->remote_count ? &chain->manifest->remotes[index]
						     : &e->ledger->manifest->identity;
}

/* One statement for each of them, signed by the key in use. */
static enum cs_err announce(struct enclave_call *call, struct enclave_chain *chain,
			    const struct enclave_key *fresh, Caisson__Wire__RotateReply *out)
{
	const size_t count = chain->manifest->remote_count + (call->e->ledger != NULL ? 1 : 0);
	struct cs_arena *arena = &call->e->arena;
	const struct cs_hash leaf = wire_leaf_rotation(fresh->epoch, &fresh->x);
	out->statements = cs_arena_calloc(arena, count + 1, sizeof(Caisson__Wire__Statement *));
	Caisson__Wire__Statement *all = cs_arena_calloc(arena, count + 1, sizeof *all);
	if (out->statements == NULL || all == NULL)
		return CS_ERR_NO_MEMORY;
	for (size_t i = 0; i < count; i++) {
		struct wire_signed statement;
		CS_TRY(enclave_sign_statement(call, &statement, chain, WIRE_KIND_ROTATION,
					      announced_to(call->e, chain, i), 0, &leaf, 1));
		CS_TRY(wire_signed_to_pb(&all[i], &statement, arena));
		out->statements[i] = &all[i];
	}
	out->n_statements = count;
	return CS_OK;
}

static enum cs_err reply_rotate(struct enclave_call *call, struct enclave_chain *chain, bool made)
{
	Caisson__Wire__RotateReply out = CAISSON__WIRE__ROTATE_REPLY__INIT;
	const struct enclave_key *fresh = &chain->keys[chain->key_count - 1];
	struct cs_bytes sealed;
	CS_TRY(announce(call, chain, fresh, &out));
	if (made)
		keys_made(call->e);
	CS_TRY(enclave_seal(call, &sealed));
	out.new_epoch = fresh->epoch;
	out.new_key = wire_pb_bytes(&call->e->arena, CS_BYTES_OF(fresh->x.b));
	out.sealed = wire_pb_bytes(&call->e->arena, sealed);
	return enclave_reply(call, &out.base);
}

/* What was sealed to the key before can still be opened. */
static enum cs_err rotate_box(struct enclave_call *call)
{
	struct enclave *e = call->e;
	Caisson__Wire__RotateReply out = CAISSON__WIRE__ROTATE_REPLY__INIT;
	struct cs_bytes sealed;
	CS_TRY(enclave_box_make(e));
	/* Where this fails the new key is there and is published with the next hello. */
	CS_TRY(enclave_seal(call, &sealed));
	out.new_epoch = e->boxes[e->box_count - 1].epoch;
	out.new_key = wire_pb_bytes(&e->arena, CS_BYTES_OF(e->boxes[e->box_count - 1].x.b));
	out.sealed = wire_pb_bytes(&e->arena, sealed);
	return enclave_reply(call, &out.base);
}

static enum cs_err signer_find(struct enclave_call *call, struct enclave_chain **chain,
			       const struct cs_hash *identity)
{
	struct enclave *e = call->e;
	for (size_t i = 0; i < e->chain_count; i++) {
		if (enclave_chain_signs(e, &e->chains[i]) &&
		    cs_hash_eq(&e->chains[i].manifest->identity, identity)) {
			*chain = &e->chains[i];
			return CS_OK;
		}
	}
	return cs_fail(&call->why, CS_ERR_NOT_IN_MANIFEST,
		       "chain: not one that this enclave has keys of");
}

enum cs_err enclave_rotate(struct enclave_call *call)
{
	const Caisson__Wire__RotateRequest *in =
		(const Caisson__Wire__RotateRequest *)call->request;
	struct enclave_chain *chain = NULL;
	struct verify_status status = {.frozen = false};
	const struct cs_hash identity = wire_pb_hash(in->chain);
	const struct cs_hash boxes = enclave_box_identity(call->e);
	if (call->e->box_count != 0 && cs_hash_eq(&identity, &boxes))
		return rotate_box(call);
	CS_TRY(signer_find(call, &chain, &identity));
	CS_TRY(enclave_may_sign(call));
	if (chain->key_count == 0)
		return cs_fail(&call->why, CS_ERR_NO_KEY, "%s: no keys yet, Init makes them",
			       chain->manifest->caip2);
	if (enclave_chain_is_real(chain))
		verify_client_status(&chain->client, &status);
	if (status.frozen)
		return cs_fail(&call->why, CS_ERR_FROZEN, "%s: nothing is signed",
			       chain->manifest->caip2);
	const uint64_t newest = chain->keys[chain->key_count - 1].epoch;
	/* A successor that does not sign yet is announced again: two different keys of one epoch
	 * suspend each other. */
	const bool fresh = newest == chain->epoch_current;
	const uint64_t keys_counter = call->e->anchor.keys_counter;
	if (fresh)
		CS_TRY(enclave_key_make(call->e, chain, newest + 1, &call->why));
	const enum cs_err err = reply_rotate(call, chain, fresh);
	if (err != CS_OK && fresh) {
		enclave_key_drop(call->e, chain);
		call->e->anchor.keys_counter = keys_counter;
	}
	enclave_key_settle(call->e, chain);
	return err;
}
