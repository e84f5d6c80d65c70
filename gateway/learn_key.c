/* The enclave learns the keys of remote gateways from the storage of the own one, under its own
 * light client. What it learned is kept: a key of an epoch never changes, and whatever peers bring is
 * checked against it before it is written down. */
#include "gateway/ledger.h"
#include "host/alloc.h"
#include "relay_state/client/clock.h"
#include "relay_state/client/registration.h"

#include <stdlib.h>
#include <string.h>

#define LEARN_PAUSE_MS 1000u
#define KEY_NAME_SIZE 160u

struct learning {
	struct gateway_route *route;
	uint64_t epoch;
	uint64_t height;
	struct cs_hash key;
	uint8_t *request; /* heap, encoded: waits for the registration; NULL: none is asked for */
	size_t request_size;
	uint64_t registration_height;
};

static void key_name(char name[KEY_NAME_SIZE], const struct gateway_route *route, uint64_t epoch)
{
	char remote[65];
	cs_hex(remote, CS_BYTES_OF(route->remote.b));
	snprintf(name, KEY_NAME_SIZE, "key:%s:%s:%llu", route->chain->identity_hex, remote,
		 (unsigned long long)epoch);
}

enum cs_err gateway_key_of(const struct gateway_route *route, uint64_t epoch, struct cs_hash *key)
{
	struct gateway *gateway = route->chain->gateway;
	size_t mark = cs_arena_mark(&gateway->scratch);
	char name[KEY_NAME_SIZE];
	struct cs_bytes value;
	key_name(name, route, epoch);
	enum cs_err err = gateway_journal_get(gateway->journal, name, &gateway->scratch, &value);
	if (err == CS_OK && value.n != sizeof(key->b))
		err = CS_ERR_NOT_FOUND;
	if (err == CS_OK)
		memcpy(key->b, value.p, sizeof(key->b));
	cs_arena_rewind(&gateway->scratch, mark);
	return err;
}

static enum cs_err write_key(void *context)
{
	const struct learning *learning = context;
	char name[KEY_NAME_SIZE];
	key_name(name, learning->route, learning->epoch);
	return gateway_journal_put(learning->route->chain->gateway->journal, name,
				   CS_BYTES_OF(learning->key.b));
}

bool gateway_key_is_learned(const struct gateway_route *route, uint64_t epoch)
{
	for (uint32_t i = 0; i < route->learned_count; i++) {
		if (route->learned[i] == epoch)
			return true;
	}
	return false;
}

void gateway_key_forget(struct gateway_route *route, uint64_t epoch)
{
	for (uint32_t i = 0; i < route->learned_count; i++) {
		if (route->learned[i] == epoch)
			route->learned[i] = route->learned[--route->learned_count];
	}
}

static void end(struct learning *learning, enum cs_err err, const char *why)
{
	struct gateway_route *route = learning->route;
	struct gateway *gateway = route->chain->gateway;
	route->learning = false;
	if (err == CS_OK)
		err = gateway_write(gateway, write_key, learning);
	if (err != CS_OK) {
		route->absent_epoch = err == CS_ERR_NOT_FOUND ? learning->epoch : 0;
		route->learn_after_ms = host_now_ms() + LEARN_PAUSE_MS;
		log_warn("key.not_learned", LOG_TEXT("chain", route->chain->config->id),
			 LOG_TEXT("remote", route->remote_manifest->caip2),
			 LOG_U64("epoch", learning->epoch), LOG_ERR(err), LOG_TEXT("why", why));
	} else {
		if (route->learned_count == GATEWAY_EPOCHS_MAX)
			route->learned_count--;
		route->learned[route->learned_count++] = learning->epoch;
		gateway_enclave_changed(gateway);
		log_info("key.learned", LOG_TEXT("chain", route->chain->config->id),
			 LOG_TEXT("remote", route->remote_manifest->caip2),
			 LOG_U64("epoch", learning->epoch), LOG_U64("height", learning->height));
		gateway_wake(gateway);
	}
	free(learning->request);
	free(learning);
}

static void learned(void *context, enum cs_err err, const char *why, struct cs_bytes body)
{
	struct learning *learning = context;
	struct gateway *gateway = learning->route->chain->gateway;
	size_t mark = cs_arena_mark(&gateway->scratch);
	ProtobufCMessage *message = NULL;
	if (err == CS_OK)
		err = gateway_enclave_reply(&gateway->scratch, body,
					    &caisson__wire__learn_key_reply__descriptor, &message);
	if (err == CS_OK)
		learning->key = wire_pb_hash(((Caisson__Wire__LearnKeyReply *)message)->public_key);
	cs_arena_rewind(&gateway->scratch, mark);
	end(learning, err, why);
}

/* ---- the register, where the manifest asks what it says ---- */

static enum cs_err send_registered(struct learning *learning, const struct cs_bytes *proofs,
				   size_t count)
{
	struct gateway *gateway = learning->route->chain->gateway;
	ProtobufCMessage *message = NULL;
	struct cs_why why;
	CS_TRY(wire_decode(&message, &caisson__wire__learn_key_request__descriptor,
			   cs_bytes(learning->request, learning->request_size), &gateway->scratch,
			   &why));
	Caisson__Wire__LearnKeyRequest *request = (Caisson__Wire__LearnKeyRequest *)message;
	ProtobufCBinaryData list[CMT_REGISTRATION_PARTS];
	for (size_t i = 0; i < count; i++)
		list[i] = (ProtobufCBinaryData){proofs[i].n, (uint8_t *)(uintptr_t)proofs[i].p};
	request->registration_height = learning->registration_height;
	request->registration = list;
	request->n_registration = count;
	return gateway_enclave_call(gateway, WIRE_LEARN_KEY, &request->base, learned, learning);
}

static void registration_came(void *ctx, enum cs_err err, const char *why,
			      const struct cs_bytes *proofs, size_t count)
{
	struct learning *learning = ctx;
	struct gateway *gateway = learning->route->chain->gateway;
	size_t mark = cs_arena_mark(&gateway->scratch);
	if (err == CS_OK && !gateway->enclave_ready)
		err = CS_ERR_CLOSED;
	if (err == CS_OK)
		err = send_registered(learning, proofs, count);
	cs_arena_rewind(&gateway->scratch, mark);
	if (err != CS_OK)
		end(learning, err, why);
}

/* Under the block that the enclave has its last proof of the anchor from. */
static enum cs_err ask_registration(struct learning *learning, const struct cs_hash *x,
				    const ProtobufCMessage *request)
{
	const struct gateway *gateway = learning->route->chain->gateway;
	learning->registration_height = ledger_clock_proof_height(gateway->clock);
	if (learning->registration_height < 2 || gateway->ledger == NULL)
		return CS_ERR_UNAVAILABLE;
	learning->request_size = protobuf_c_message_get_packed_size(request);
	learning->request = host_alloc(learning->request_size + 1);
	(void)protobuf_c_message_pack(request, learning->request);
	return ledger_registration_find(gateway->ledger->service.client, x,
					learning->registration_height, registration_came, learning);
}

static enum cs_err send_learn(struct learning *learning, const struct adapter_account_proof *proof)
{
	struct gateway_chain *chain = learning->route->chain;
	struct cs_arena *arena = &chain->gateway->scratch;
	Caisson__Wire__LearnKeyRequest request = CAISSON__WIRE__LEARN_KEY_REQUEST__INIT;
	if (proof->slot_count != 3)
		return CS_ERR_RPC_LIE;
	request.chain = wire_pb_bytes(arena, CS_BYTES_OF(chain->identity.b));
	request.remote = wire_pb_bytes(arena, CS_BYTES_OF(learning->route->remote.b));
	request.epoch = learning->epoch;
	request.height = learning->height;
	CS_TRY(adapter_proof_to_pb(&request.account, arena, &proof->account));
	CS_TRY(adapter_proof_to_pb(&request.sentinel, arena, &proof->slots[0].proof));
	CS_TRY(adapter_proof_to_pb(&request.key, arena, &proof->slots[1].proof));
	CS_TRY(adapter_proof_to_pb(&request.window, arena, &proof->slots[2].proof));
	if (chain->gateway->config.manifest.ledger.registration_wanted)
		return ask_registration(learning, &proof->slots[1].value, &request.base);
	return gateway_enclave_call(chain->gateway, WIRE_LEARN_KEY, &request.base, learned,
				    learning);
}

static void proof_done(void *ctx, enum cs_err err, const char *why,
		       const struct adapter_account_proof *proof)
{
	struct learning *learning = ctx;
	struct gateway *gateway = learning->route->chain->gateway;
	size_t mark = cs_arena_mark(&gateway->scratch);
	if (err == CS_OK && !gateway->enclave_ready)
		err = CS_ERR_CLOSED;
	if (err == CS_OK)
		err = send_learn(learning, proof);
	cs_arena_rewind(&gateway->scratch, mark);
	if (err != CS_OK)
		end(learning, err, why);
}

void gateway_key_learn(struct gateway_route *route, uint64_t epoch)
{
	struct gateway_chain *chain = route->chain;
	if (route->learning || host_now_ms() < route->learn_after_ms ||
	    chain->follow.final_height == 0 || !chain->gateway->enclave_ready)
		return;
	/* One that nobody registered: perhaps the owner named the next one in its place. */
	if (epoch == route->absent_epoch) {
		route->absent_epoch = 0;
		epoch++;
	}
	struct learning *learning = host_alloc(sizeof(*learning));
	*learning = (struct learning){
		.route = route, .epoch = epoch, .height = chain->follow.final_height};
	const struct adapter_block_id block = {chain->follow.final_height,
					       chain->follow.final_hash};
	const struct cs_hash slots[] = {wire_evm_sentinel_slot(),
					wire_evm_key_slot(&route->remote, epoch, 0),
					wire_evm_key_slot(&route->remote, epoch, 1)};
	route->learning = true;
	enum cs_err err = adapter_account_proof(chain->adapter, &block, &chain->manifest->gateway,
						slots, CS_LEN(slots), proof_done, learning);
	if (err != CS_OK)
		end(learning, err, "the proof could not be asked for");
}
