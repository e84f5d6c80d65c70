#include "gateway/gateway.h"
#include "host/alloc.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* ---- calls ---- */

enum cs_err gateway_enclave_call(struct gateway *gateway, enum wire_type type,
				 const ProtobufCMessage *message, host_enclave_done *done,
				 void *context)
{
	struct cs_why why = {{0}};
	struct cs_buf buf;
	size_t mark = cs_arena_mark(&gateway->scratch);
	enum cs_err err = cs_buf_init_arena(&buf, &gateway->scratch, CS_FRAME_BODY_SIZE_MAX);
	if (err == CS_OK)
		err = wire_encode(&buf, message, &why);
	if (err != CS_OK) {
		log_error("enclave.encode_failed", LOG_TEXT("type", wire_type_name(type)),
			  LOG_ERR(err), LOG_TEXT("why", why.text));
	} else {
		err = host_enclave_call(gateway->enclave, NULL, type, cs_buf_view(&buf),
					GATEWAY_ENCLAVE_TIMEOUT_MS, done, context);
	}
	cs_arena_rewind(&gateway->scratch, mark);
	return err;
}

enum cs_err gateway_enclave_reply(struct cs_arena *arena, struct cs_bytes body,
				  const ProtobufCMessageDescriptor *type,
				  ProtobufCMessage **message)
{
	struct cs_why why = {{0}};
	enum cs_err err = wire_decode(message, type, body, arena, &why);
	if (err != CS_OK)
		log_error("enclave.reply_refused", LOG_TEXT("type", type->name), LOG_ERR(err),
			  LOG_TEXT("why", why.text));
	return err;
}

/* ---- sealed state ---- */

struct sealed_write {
	struct gateway *gateway;
	struct cs_bytes sealed;
};

static enum cs_err write_sealed(void *context)
{
	struct sealed_write *write = context;
	return gateway_journal_put(write->gateway->journal, GATEWAY_SEALED_NAME, write->sealed);
}

struct export_call {
	struct gateway *gateway;
	host_call *then;
	void *context;
};

static void end_export(struct export_call *call)
{
	call->gateway->exporting = false;
	if (call->then)
		call->then(call->context);
	free(call);
}

static void export_committed(void *context, enum cs_err err)
{
	struct export_call *call = context;
	if (err != CS_OK)
		gateway_fail(call->gateway, err, "store sealed state");
	end_export(call);
}

static void export_done(void *context, enum cs_err err, const char *why, struct cs_bytes body)
{
	struct export_call *call = context;
	struct gateway *gateway = call->gateway;
	struct cs_arena *arena = &gateway->scratch;
	size_t mark = cs_arena_mark(arena);
	ProtobufCMessage *message = NULL;
	if (err == CS_OK)
		err = gateway_enclave_reply(arena, body, &caisson__wire__export_reply__descriptor,
					    &message);
	if (err == CS_OK) {
		const Caisson__Wire__ExportReply *reply =
			(const Caisson__Wire__ExportReply *)message;
		struct sealed_write write = {gateway, wire_pb_view(reply->sealed)};
		gateway->exported_counter = reply->counter;
		err = gateway_write_then(gateway, write_sealed, &write, export_committed, call);
	}
	cs_arena_rewind(arena, mark);
	if (err != CS_OK) {
		log_warn("enclave.export_failed", LOG_ERR(err), LOG_TEXT("why", why));
		gateway->changed = true;
		end_export(call);
	}
}

void gateway_enclave_export(struct gateway *gateway, host_call *then, void *context)
{
	if (!gateway->enclave_ready || !gateway->changed || gateway->exporting) {
		if (then)
			then(context);
		return;
	}
	struct export_call *call = host_alloc(sizeof(*call));
	Caisson__Wire__ExportRequest request = CAISSON__WIRE__EXPORT_REQUEST__INIT;
	*call = (struct export_call){gateway, then, context};
	gateway->exporting = true;
	gateway->changed = false;
	if (gateway_enclave_call(gateway, WIRE_EXPORT, &request.base, export_done, call) != CS_OK) {
		gateway->changed = true;
		end_export(call);
	}
}

/* ---- keys ---- */

static void take_keys(struct gateway *gateway, Caisson__Wire__KeyInfo *const *keys, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct cs_hash identity = wire_pb_hash(keys[i]->chain);
		struct gateway_chain *chain = gateway_chain_of(gateway, &identity);
		if (!chain || keys[i]->gas_address.len != sizeof(chain->gas_account.b))
			continue;
		memcpy(chain->gas_account.b, keys[i]->gas_address.data,
		       sizeof(chain->gas_account.b));
		chain->has_gas_account = true;
	}
}

static void session_ready(struct gateway *gateway)
{
	gateway->enclave_ready = true;
	gateway->enclave_why[0] = 0;
	for (size_t i = 0; i < gateway->chain_count; i++) {
		struct gateway_chain *chain = &gateway->chains[i];
		chain->feeding = false;
		chain->feed_from = 0;
		for (size_t k = 0; k < chain->route_count; k++)
			chain->routes[k].learned_count = 0;
		log_info("enclave.ready", LOG_TEXT("chain", chain->config->id),
			 LOG_U64("client_head", chain->client_head),
			 LOG_U64("final", chain->final_height));
	}
	gateway_wake(gateway);
}

static void session_failed(struct gateway *gateway, enum cs_err err, const char *why)
{
	snprintf(gateway->enclave_why, sizeof(gateway->enclave_why), "%s: %s", cs_err_name(err),
		 why ? why : "");
	log_error("enclave.session_failed", LOG_ERR(err), LOG_TEXT("why", why));
}

static void send_hello(struct gateway *gateway);

/* The keys are on disk before anything is signed with them. Hello now tells them, bound into its
 * evidence. */
static void init_committed(void *context, enum cs_err err)
{
	if (err != CS_OK)
		gateway_fail(context, err, "store sealed keys");
	else
		send_hello(context);
}

static void init_done(void *context, enum cs_err err, const char *why, struct cs_bytes body)
{
	struct gateway *gateway = context;
	struct cs_arena *arena = &gateway->scratch;
	size_t mark = cs_arena_mark(arena);
	ProtobufCMessage *message = NULL;
	if (err == CS_OK)
		err = gateway_enclave_reply(arena, body, &caisson__wire__init_reply__descriptor,
					    &message);
	if (err == CS_OK) {
		const Caisson__Wire__InitReply *reply = (const Caisson__Wire__InitReply *)message;
		struct sealed_write write = {gateway, wire_pb_view(reply->sealed)};
		take_keys(gateway, reply->keys, reply->n_keys);
		err = gateway_write_then(gateway, write_sealed, &write, init_committed, gateway);
	}
	cs_arena_rewind(arena, mark);
	if (err != CS_OK)
		session_failed(gateway, err, why);
}

static void send_init(struct gateway *gateway)
{
	Caisson__Wire__InitRequest request = CAISSON__WIRE__INIT_REQUEST__INIT;
	enum cs_err err =
		gateway_enclave_call(gateway, WIRE_INIT, &request.base, init_done, gateway);
	if (err != CS_OK)
		session_failed(gateway, err, "init was not sent");
}

static void import_done(void *context, enum cs_err err, const char *why, struct cs_bytes body)
{
	struct gateway *gateway = context;
	(void)body;
	if (err != CS_OK) {
		/* Never go on with new keys in place of those that contracts know. */
		session_failed(gateway, err, why);
		return;
	}
	log_info("enclave.imported");
	send_init(gateway);
}

/* ---- hello ---- */

static bool take_hello(struct gateway *gateway, struct cs_bytes body, bool *has_keys)
{
	struct cs_arena *arena = &gateway->scratch;
	size_t mark = cs_arena_mark(arena);
	ProtobufCMessage *message = NULL;
	if (gateway_enclave_reply(arena, body, &caisson__wire__hello_reply__descriptor, &message) !=
	    CS_OK) {
		cs_arena_rewind(arena, mark);
		return false;
	}
	const Caisson__Wire__HelloReply *hello = (const Caisson__Wire__HelloReply *)message;
	struct cs_hash manifest = wire_pb_hash(hello->manifest_hash);
	bool same = cs_hash_eq(&manifest, &gateway->config.manifest.hash);
	for (size_t i = 0; i < gateway->chain_count; i++)
		gateway->chains[i].created = false;
	size_t served = 0;
	for (size_t i = 0; same && i < hello->n_clients; i++) {
		struct cs_hash identity = wire_pb_hash(hello->clients[i]->chain);
		struct gateway_chain *chain = gateway_chain_of(gateway, &identity);
		if (chain) {
			gateway_client_take_status(chain, hello->clients[i]);
			served++;
		}
	}
	take_keys(gateway, hello->keys, hello->n_keys);
	*has_keys = hello->n_keys > 0;
	free((void *)(uintptr_t)gateway->hello.p);
	gateway->hello = cs_bytes(host_copy(body), body.n);
	log_info("enclave.hello", LOG_TEXT("backend", hello->backend),
		 LOG_TEXT("build", hello->build), LOG_U64("manifest", hello->manifest_number),
		 LOG_U64("insecure_flags", hello->insecure_flags), LOG_BOOL("keys", *has_keys));
	cs_arena_rewind(arena, mark);
	if (!same)
		session_failed(gateway, CS_ERR_WRONG_MANIFEST,
			       "the enclave runs under another manifest than the gateway");
	else if (served != gateway->chain_count)
		session_failed(gateway, CS_ERR_NOT_IN_MANIFEST,
			       "the enclave serves other chains than the gateway");
	return same && served == gateway->chain_count;
}

static void hello_done(void *context, enum cs_err err, const char *why, struct cs_bytes body)
{
	struct gateway *gateway = context;
	bool has_keys = false;
	if (err != CS_OK) {
		session_failed(gateway, err, why);
		return;
	}
	/* The light clients are those that came back with the state. */
	if (take_hello(gateway, body, &has_keys))
		session_ready(gateway);
}

static void send_hello(struct gateway *gateway)
{
	uint8_t nonce[32];
	Caisson__Wire__HelloRequest request = CAISSON__WIRE__HELLO_REQUEST__INIT;
	if (getrandom(nonce, sizeof(nonce), 0) != (ssize_t)sizeof(nonce)) {
		session_failed(gateway, CS_ERR_IO, "no randomness");
		return;
	}
	request.nonce = (ProtobufCBinaryData){sizeof(nonce), nonce};
	enum cs_err err =
		gateway_enclave_call(gateway, WIRE_HELLO, &request.base, hello_done, gateway);
	if (err != CS_OK)
		session_failed(gateway, err, "hello was not sent");
}

static void hello_again(void *context, enum cs_err err, const char *why, struct cs_bytes body)
{
	struct gateway *gateway = context;
	if (err != CS_OK) {
		log_warn("enclave.hello_failed", LOG_ERR(err), LOG_TEXT("why", why));
		return;
	}
	free((void *)(uintptr_t)gateway->hello.p);
	gateway->hello = cs_bytes(host_copy(body), body.n);
}

void gateway_enclave_ask_hello(struct gateway *gateway)
{
	uint8_t nonce[32];
	Caisson__Wire__HelloRequest request = CAISSON__WIRE__HELLO_REQUEST__INIT;
	if (getrandom(nonce, sizeof(nonce), 0) != (ssize_t)sizeof(nonce))
		return;
	request.nonce = (ProtobufCBinaryData){sizeof(nonce), nonce};
	if (gateway_enclave_call(gateway, WIRE_HELLO, &request.base, hello_again, gateway) != CS_OK)
		log_warn("enclave.hello_not_asked");
}

static void enclave_up(void *context, struct cs_bytes hello)
{
	struct gateway *gateway = context;
	struct cs_arena *arena = &gateway->scratch;
	bool has_keys = false;
	if (!take_hello(gateway, hello, &has_keys))
		return;
	if (has_keys) {
		/* It outlived us: its state is newer than what we stored. */
		send_init(gateway);
		return;
	}
	size_t mark = cs_arena_mark(arena);
	struct cs_bytes sealed;
	enum cs_err err =
		gateway_journal_get(gateway->journal, GATEWAY_SEALED_NAME, arena, &sealed);
	if (err == CS_ERR_NOT_FOUND) {
		log_info("enclave.first_start");
		send_init(gateway);
	} else if (err == CS_OK) {
		Caisson__Wire__ImportRequest request = CAISSON__WIRE__IMPORT_REQUEST__INIT;
		request.sealed = wire_pb_bytes(arena, sealed);
		err = gateway_enclave_call(gateway, WIRE_IMPORT, &request.base, import_done,
					   gateway);
		if (err != CS_OK)
			session_failed(gateway, err, "import was not sent");
	} else {
		session_failed(gateway, err, "the stored state cannot be read");
	}
	cs_arena_rewind(arena, mark);
}

static void enclave_down(void *context, enum cs_err err, const char *why)
{
	struct gateway *gateway = context;
	if (gateway->enclave_ready)
		log_warn("enclave.down", LOG_ERR(err), LOG_TEXT("why", why));
	gateway->enclave_ready = false;
	snprintf(gateway->enclave_why, sizeof(gateway->enclave_why), "%s: %s", cs_err_name(err),
		 why ? why : "");
	for (size_t i = 0; i < gateway->chain_count; i++)
		gateway->chains[i].created = false;
}

enum cs_err gateway_enclave_start(struct gateway *gateway)
{
	static const struct host_enclave_client_events events = {.up = enclave_up,
								 .down = enclave_down};
	struct host_enclave_client_options options = {.path = gateway->config.enclave_socket};
	gateway->enclave = host_enclave_client_new(gateway->loop, &options, &events, gateway);
	return gateway->enclave ? CS_OK : CS_ERR_NO_MEMORY;
}

void gateway_enclave_stop(struct gateway *gateway)
{
	host_enclave_client_free(gateway->enclave);
	gateway->enclave = NULL;
	free((void *)(uintptr_t)gateway->hello.p);
	gateway->hello = CS_BYTES_NONE;
}
