/* Light clients of the served chains, and what is read under their final blocks. */
#include "enclave/state.h"

#include <string.h>

enum cs_err enclave_client_to_pb(struct enclave_call *call, Caisson__Wire__ClientStatus *pb,
				 const struct enclave_chain *chain)
{
	struct verify_status status;
	verify_client_status(&chain->client, &status);
	caisson__wire__client_status__init(pb);
	pb->head_height = status.head_height;
	pb->final_height = status.final_height;
	pb->final_time_s = status.final_time_s;
	pb->frozen = status.frozen;
	pb->insecure_dev_head = chain->manifest->finality.mode == MANIFEST_INSECURE_DEV_HEAD;
	pb->chain = wire_pb_bytes(&call->e->arena, CS_BYTES_OF(chain->manifest->identity.b));
	pb->final_hash = wire_pb_bytes(&call->e->arena, CS_BYTES_OF(status.final_hash.b));
	return pb->chain.data != NULL && pb->final_hash.data != NULL ? CS_OK : CS_ERR_NO_MEMORY;
}

enum cs_err enclave_clients_to_pb(struct enclave_call *call, size_t *count,
				  Caisson__Wire__ClientStatus ***pb)
{
	const struct enclave *e = call->e;
	Caisson__Wire__ClientStatus **list = cs_arena_calloc(&call->e->arena, e->chain_count,
							     sizeof(Caisson__Wire__ClientStatus *));
	Caisson__Wire__ClientStatus *all =
		cs_arena_calloc(&call->e->arena, e->chain_count, sizeof *all);
	if (list == NULL || all == NULL)
		return CS_ERR_NO_MEMORY;
	size_t n = 0;
	for (size_t i = 0; i < e->chain_count; i++) {
		if (!enclave_chain_is_real(&e->chains[i]))
			continue;
		CS_TRY(enclave_client_to_pb(call, &all[n], &e->chains[i]));
		list[n] = &all[n];
		n++;
	}
	*count = n;
	*pb = list;
	return CS_OK;
}

static enum cs_err reply_client(struct enclave_call *call, const struct enclave_chain *chain,
				size_t accepted)
{
	Caisson__Wire__ClientReply out = CAISSON__WIRE__CLIENT_REPLY__INIT;
	Caisson__Wire__ClientStatus status;
	CS_TRY(enclave_client_to_pb(call, &status, chain));
	out.status = &status;
	out.accepted = (uint32_t)accepted;
	return enclave_reply(call, &out.base);
}

enum cs_err enclave_client_create(struct enclave_call *call)
{
	const Caisson__Wire__ClientCreateRequest *in =
		(const Caisson__Wire__ClientCreateRequest *)call->request;
	struct enclave_chain *chain = NULL;
	struct verify_status status;
	CS_TRY(enclave_chain_find(call, &chain, in->chain));
	verify_client_status(&chain->client, &status);
	if (status.frozen)
		return cs_fail(&call->why, CS_ERR_FROZEN, "%s: %s", chain->manifest->caip2,
			       chain->held != NULL ? chain->held
						   : "only a higher manifest lifts this");
	/* Beginning again would forget what was final: within one process the state only goes
	 * forward. */
	if (status.created)
		return cs_fail(&call->why, CS_ERR_CONFLICT,
			       "%s: the client is there, final at %llu", chain->manifest->caip2,
			       (unsigned long long)status.final_height);
	CS_TRY(verify_client_create(&chain->client, wire_pb_view(in->header), &call->now,
				    &call->why));
	return reply_client(call, chain, 1);
}

/* What is final has happened: the low end of time rises with it, as far as the high end allows. A
 * chain without consensus proves no time, and who names the blocks of one is not believed about the
 * time of the others. */
static void time_rise(struct enclave_call *call, const struct enclave_chain *chain)
{
	struct verify_status status;
	verify_client_status(&chain->client, &status);
	if (!status.insecure && chain->manifest->finality.mode != MANIFEST_RPC_QUORUM &&
	    status.final_time_s > call->e->time_low_s && status.final_time_s <= call->now.high_s)
		call->e->time_low_s = status.final_time_s;
}

static enum cs_err views_of(struct enclave_call *call, struct cs_bytes **views,
			    const ProtobufCBinaryData *list, size_t count)
{
	*views = cs_arena_calloc(&call->e->arena, count, sizeof **views);
	if (*views == NULL)
		return CS_ERR_NO_MEMORY;
	for (size_t i = 0; i < count; i++)
		(*views)[i] = wire_pb_view(list[i]);
	return CS_OK;
}

enum cs_err enclave_client_update(struct enclave_call *call)
{
	const Caisson__Wire__ClientUpdateRequest *in =
		(const Caisson__Wire__ClientUpdateRequest *)call->request;
	struct enclave_chain *chain = NULL;
	struct cs_bytes *headers = NULL;
	size_t accepted = 0;
	CS_TRY(enclave_chain_find(call, &chain, in->chain));
	if (in->n_headers == 0)
		return cs_fail(&call->why, CS_ERR_INVALID, "headers is empty");
	CS_TRY(views_of(call, &headers, in->headers, in->n_headers));
	const enum cs_err err = verify_client_update(&chain->client, headers, in->n_headers,
						     &call->now, &accepted, &call->why);
	time_rise(call, chain);
	/* A conflict is told at once. Else what was taken is told first; the rest is refused when
	 * it comes again. */
	if (err != CS_OK && (err == CS_ERR_FROZEN || accepted == 0))
		return err;
	return reply_client(call, chain, accepted);
}

enum cs_err enclave_conflict(struct enclave_call *call)
{
	const Caisson__Wire__ConflictRequest *in =
		(const Caisson__Wire__ConflictRequest *)call->request;
	struct enclave_chain *chain = NULL;
	struct verify_conflict conflict;
	Caisson__Wire__ConflictReply out = CAISSON__WIRE__CONFLICT_REPLY__INIT;
	char held[128] = "";
	CS_TRY(enclave_chain_find(call, &chain, in->chain));
	if (verify_client_conflict(&chain->client, &conflict) != CS_OK)
		return cs_fail(&call->why, CS_ERR_NOT_FOUND, "%s: there is no conflict",
			       chain->manifest->caip2);
	ProtobufCBinaryData first = wire_pb_bytes(&call->e->arena, conflict.first);
	ProtobufCBinaryData second = wire_pb_bytes(&call->e->arena, conflict.second);
	out.first = &first;
	out.n_first = conflict.first.n != 0 ? 1 : 0;
	out.second = &second;
	out.n_second = conflict.second.n != 0 ? 1 : 0;
	out.height = conflict.height;
	out.first_hash = wire_pb_bytes(&call->e->arena, CS_BYTES_OF(conflict.first_hash.b));
	out.second_hash = wire_pb_bytes(&call->e->arena, CS_BYTES_OF(conflict.second_hash.b));
	if (chain->held != NULL)
		(void)strncpy(held, chain->held, sizeof held - 1);
	out.held = held;
	return enclave_reply(call, &out.base);
}

/* ---- blocks ---- */

enum cs_err enclave_blocks_open(struct enclave_call *call, struct enclave_blocks *blocks,
				const struct enclave_chain *chain,
				const ProtobufCBinaryData *headers, size_t count)
{
	*blocks = (struct enclave_blocks){.client = &chain->client};
	if (count == 0)
		return CS_OK;
	struct cs_bytes *views = NULL;
	struct verify_block *ancestors = cs_arena_calloc(&call->e->arena, count, sizeof *ancestors);
	if (ancestors == NULL)
		return CS_ERR_NO_MEMORY;
	CS_TRY(views_of(call, &views, headers, count));
	CS_TRY(verify_client_ancestors(&chain->client, views, count, &call->now, ancestors,
				       &call->why));
	blocks->ancestors = ancestors;
	blocks->ancestor_count = count;
	return CS_OK;
}

enum cs_err enclave_blocks_find(struct enclave_call *call, struct verify_block *block,
				const struct enclave_blocks *blocks, uint64_t height)
{
	for (size_t i = 0; i < blocks->ancestor_count; i++) {
		if (blocks->ancestors[i].height == height) {
			*block = blocks->ancestors[i];
			return CS_OK;
		}
	}
	return verify_client_block(blocks->client, height, &call->now, block, &call->why);
}

/* ---- keys of remotes ---- */

/* The place for an epoch, kept ascending; when all are taken the oldest goes for a newer one. */
static enum cs_err remote_key_put(struct enclave_remote *remote,
				  const struct enclave_remote_key *key, struct cs_why *why)
{
	size_t at = 0;
	while (at < remote->key_count && remote->keys[at].epoch < key->epoch)
		at++;
	if (at < remote->key_count && remote->keys[at].epoch == key->epoch) {
		if (key->height < remote->keys[at].height)
			return cs_fail(why, CS_ERR_STALE_HEADER,
				       "this key was read at block %llu already",
				       (unsigned long long)remote->keys[at].height);
		remote->keys[at] = *key;
		return CS_OK;
	}
	if (remote->key_count == ENCLAVE_REMOTE_EPOCHS_MAX) {
		if (at == 0)
			return cs_fail(why, CS_ERR_FULL, "%u newer epochs are known",
				       (unsigned)ENCLAVE_REMOTE_EPOCHS_MAX);
		memmove(&remote->keys[0], &remote->keys[1], (at - 1) * sizeof remote->keys[0]);
		remote->keys[at - 1] = *key;
		return CS_OK;
	}
	memmove(&remote->keys[at + 1], &remote->keys[at],
		(remote->key_count - at) * sizeof remote->keys[0]);
	remote->keys[at] = *key;
	remote->key_count++;
	return CS_OK;
}

static enum cs_err reply_learned(struct enclave_call *call, const struct wire_key *key)
{
	Caisson__Wire__LearnKeyReply out = CAISSON__WIRE__LEARN_KEY_REPLY__INIT;
	out.public_key = wire_pb_bytes(&call->e->arena, CS_BYTES_OF(key->x.b));
	out.state = (uint32_t)key->state;
	out.not_before = key->not_before_s;
	out.not_after = key->not_after_s;
	return enclave_reply(call, &out.base);
}

static enum cs_err check_registration(struct enclave_call *call,
				      const Caisson__Wire__LearnKeyRequest *in,
				      const struct cs_hash *x)
{
	struct enclave_registration given = {.x = *x,
					     .identity = wire_pb_hash(in->remote),
					     .epoch = in->epoch,
					     .height = in->registration_height,
					     .proof_count = in->n_registration};
	struct cs_bytes *views = NULL;
	CS_TRY(views_of(call, &views, in->registration, in->n_registration));
	given.proofs = views;
	return enclave_registration_check(call, &given);
}

enum cs_err enclave_learn_key(struct enclave_call *call)
{
	const Caisson__Wire__LearnKeyRequest *in =
		(const Caisson__Wire__LearnKeyRequest *)call->request;
	struct enclave_chain *chain = NULL;
	struct enclave_remote_key learned = {.epoch = in->epoch, .height = in->height};
	struct enclave_blocks blocks;
	struct verify_block block;
	struct enclave_gateway gateway;
	size_t remote = 0;
	CS_TRY(enclave_chain_find(call, &chain, in->chain));
	CS_TRY(enclave_remote_find(call, &remote, chain, in->remote));
	CS_TRY(enclave_blocks_open(call, &blocks, chain, NULL, 0));
	CS_TRY(enclave_blocks_find(call, &block, &blocks, in->height));
	CS_TRY(enclave_gateway_at(call, &gateway, chain, &block, in->account, in->sentinel));
	const enum cs_err err =
		enclave_gateway_key(call, &learned.key, &gateway, &chain->manifest->remotes[remote],
				    in->epoch, in->key, in->window);
	if (err != CS_OK)
		return cs_fail(&call->why, err, "key of epoch %llu: %s",
			       (unsigned long long)in->epoch, cs_err_sentence(err));
	if (learned.key.state == WIRE_KEY_ABSENT)
		return cs_fail(&call->why, CS_ERR_NOT_FOUND,
			       "no key of epoch %llu is registered at block %llu",
			       (unsigned long long)in->epoch, (unsigned long long)in->height);
	CS_TRY(check_registration(call, in, &learned.key.x));
	CS_TRY(remote_key_put(&chain->remotes[remote], &learned, &call->why));
	return reply_learned(call, &learned.key);
}
