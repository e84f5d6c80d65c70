#include "host/enclave_session.h"

#include "host/alloc.h"
#include "host/log.h"
#include "wire/convert.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

struct host_enclave_session {
	struct host_enclave_client *client;
	struct host_enclave_session_options options;
	struct host_enclave_session_events events;
	void *context;
	struct cs_bytes hello; /* malloc'd */
	bool ready;
	bool exporting;
	bool changed;
	uint64_t connection; /* counts them: what was asked of an older one does not count */
};

/* ---- calls ---- */

enum cs_err host_enclave_session_call(struct host_enclave_session *session, enum wire_type type,
				      const ProtobufCMessage *message, uint64_t timeout_ms,
				      host_enclave_done *done, void *context)
{
	struct cs_arena *arena = session->options.arena;
	struct cs_why why = {{0}};
	struct cs_buf buf;
	size_t mark = cs_arena_mark(arena);
	enum cs_err err = cs_buf_init_arena(&buf, arena, CS_FRAME_BODY_SIZE_MAX);
	if (err == CS_OK)
		err = wire_encode(&buf, message, &why);
	if (err != CS_OK)
		log_error("enclave.encode_failed", LOG_TEXT("type", wire_type_name(type)),
			  LOG_ERR(err), LOG_TEXT("why", why.text));
	else
		err = host_enclave_call(session->client, NULL, type, cs_buf_view(&buf), timeout_ms,
					done, context);
	cs_arena_rewind(arena, mark);
	return err;
}

enum cs_err host_enclave_session_send(struct host_enclave_session *session, enum wire_type type,
				      struct cs_bytes body, uint64_t timeout_ms,
				      host_enclave_done *done, void *context)
{
	return host_enclave_call(session->client, NULL, type, body, timeout_ms, done, context);
}

static enum cs_err own_call(struct host_enclave_session *session, enum wire_type type,
			    const ProtobufCMessage *message, host_enclave_done *done, void *context)
{
	return host_enclave_session_call(session, type, message, session->options.timeout_ms, done,
					 context);
}

enum cs_err host_enclave_reply(struct cs_arena *arena, struct cs_bytes body,
			       const ProtobufCMessageDescriptor *type, ProtobufCMessage **message)
{
	struct cs_why why = {{0}};
	enum cs_err err = wire_decode(message, type, body, arena, &why);
	if (err != CS_OK)
		log_error("enclave.reply_refused", LOG_TEXT("type", type->name), LOG_ERR(err),
			  LOG_TEXT("why", why.text));
	return err;
}

static void fail(struct host_enclave_session *session, enum cs_err err, const char *why)
{
	log_error("enclave.session_failed", LOG_ERR(err), LOG_TEXT("why", why));
	session->events.failed(session->context, err, why ? why : "");
}

/* ---- export ---- */

struct export_call {
	struct host_enclave_session *session;
	host_call *then;
	void *context;
};

static void end_export(struct export_call *call)
{
	call->session->exporting = false;
	if (call->then)
		call->then(call->context);
	free(call);
}

static void export_stored(void *context, enum cs_err err)
{
	struct export_call *call = context;
	if (err != CS_OK)
		call->session->changed = true;
	end_export(call);
}

static void export_done(void *context, enum cs_err err, const char *why, struct cs_bytes body)
{
	struct export_call *call = context;
	struct host_enclave_session *session = call->session;
	struct cs_arena *arena = session->options.arena;
	size_t mark = cs_arena_mark(arena);
	ProtobufCMessage *message = NULL;
	if (err == CS_OK)
		err = host_enclave_reply(arena, body, &caisson__wire__export_reply__descriptor,
					 &message);
	if (err == CS_OK) {
		const Caisson__Wire__ExportReply *reply =
			(const Caisson__Wire__ExportReply *)message;
		err = session->events.store(session->context, wire_pb_view(reply->sealed),
					    export_stored, call);
	}
	cs_arena_rewind(arena, mark);
	if (err != CS_OK) {
		log_warn("enclave.export_failed", LOG_ERR(err), LOG_TEXT("why", why));
		session->changed = true;
		end_export(call);
	}
}

void host_enclave_session_export(struct host_enclave_session *session, host_call *then,
				 void *context)
{
	if (!session || !session->ready || !session->changed || session->exporting) {
		if (then)
			then(context);
		return;
	}
	struct export_call *call = host_alloc(sizeof(*call));
	Caisson__Wire__ExportRequest request = CAISSON__WIRE__EXPORT_REQUEST__INIT;
	*call = (struct export_call){session, then, context};
	session->exporting = true;
	session->changed = false;
	if (own_call(session, WIRE_EXPORT, &request.base, export_done, call) != CS_OK) {
		session->changed = true;
		end_export(call);
	}
}

void host_enclave_session_changed(struct host_enclave_session *session)
{
	session->changed = true;
}

/* ---- hello ---- */

static void keep_hello(struct host_enclave_session *session, struct cs_bytes body)
{
	free((void *)(uintptr_t)session->hello.p);
	session->hello = cs_bytes(host_copy(body), body.n);
}

static bool take_hello(struct host_enclave_session *session, struct cs_bytes body, bool *has_keys)
{
	struct cs_arena *arena = session->options.arena;
	struct cs_why why = {{0}};
	size_t mark = cs_arena_mark(arena);
	ProtobufCMessage *message = NULL;
	enum cs_err err =
		host_enclave_reply(arena, body, &caisson__wire__hello_reply__descriptor, &message);
	if (err == CS_OK) {
		const Caisson__Wire__HelloReply *hello = (const Caisson__Wire__HelloReply *)message;
		*has_keys = hello->n_keys > 0;
		keep_hello(session, body);
		log_info("enclave.hello", LOG_TEXT("backend", hello->backend),
			 LOG_TEXT("build", hello->build),
			 LOG_U64("manifest", hello->manifest_number),
			 LOG_U64("insecure_flags", hello->insecure_flags),
			 LOG_BOOL("keys", *has_keys));
		err = session->events.hello(session->context, hello, &why);
	}
	cs_arena_rewind(arena, mark);
	if (err != CS_OK)
		fail(session, err, why.text);
	return err == CS_OK;
}

static void hello_done(void *context, enum cs_err err, const char *why, struct cs_bytes body)
{
	struct host_enclave_session *session = context;
	bool has_keys = false;
	if (err != CS_OK) {
		fail(session, err, why);
		return;
	}
	if (!take_hello(session, body, &has_keys))
		return;
	if (!has_keys) {
		fail(session, CS_ERR_NO_KEY, "the enclave made no keys");
		return;
	}
	session->ready = true;
	session->events.ready(session->context);
}

static enum cs_err send_hello(struct host_enclave_session *session, host_enclave_done *done)
{
	uint8_t nonce[32];
	Caisson__Wire__HelloRequest request = CAISSON__WIRE__HELLO_REQUEST__INIT;
	if (getrandom(nonce, sizeof(nonce), 0) != (ssize_t)sizeof(nonce))
		return CS_ERR_IO;
	request.nonce = (ProtobufCBinaryData){sizeof(nonce), nonce};
	return own_call(session, WIRE_HELLO, &request.base, done, session);
}

static void hello_again(void *context, enum cs_err err, const char *why, struct cs_bytes body)
{
	if (err != CS_OK)
		log_warn("enclave.hello_failed", LOG_ERR(err), LOG_TEXT("why", why));
	else
		keep_hello(context, body);
}

void host_enclave_session_ask_hello(struct host_enclave_session *session)
{
	enum cs_err err = send_hello(session, hello_again);
	if (err != CS_OK)
		log_warn("enclave.hello_not_asked", LOG_ERR(err));
}

void host_enclave_session_again(struct host_enclave_session *session)
{
	host_enclave_client_again(session->client);
}

struct cs_bytes host_enclave_session_hello(const struct host_enclave_session *session)
{
	return session ? session->hello : CS_BYTES_NONE;
}

/* ---- keys ---- */

struct init_call {
	struct host_enclave_session *session;
	uint64_t connection;
};

/* The keys are on disk before anything is signed with them. Hello now tells them, bound into its
 * evidence. */
static void init_stored(void *context, enum cs_err err)
{
	struct init_call *call = context;
	struct host_enclave_session *session = call->session;
	bool current = call->connection == session->connection;
	free(call);
	if (!current)
		return; /* another connection begins from its own hello */
	if (err == CS_OK)
		err = send_hello(session, hello_done);
	if (err != CS_OK)
		fail(session, err, "the keys were not stored, or hello was not sent");
}

static void init_done(void *context, enum cs_err err, const char *why, struct cs_bytes body)
{
	struct host_enclave_session *session = context;
	struct cs_arena *arena = session->options.arena;
	size_t mark = cs_arena_mark(arena);
	ProtobufCMessage *message = NULL;
	if (err == CS_OK)
		err = host_enclave_reply(arena, body, &caisson__wire__init_reply__descriptor,
					 &message);
	if (err == CS_OK) {
		const Caisson__Wire__InitReply *reply = (const Caisson__Wire__InitReply *)message;
		/* Nothing new may be sealed yet: what is stored is the newest. */
		if (reply->sealed.len == 0) {
			cs_arena_rewind(arena, mark);
			err = send_hello(session, hello_done);
			if (err != CS_OK)
				fail(session, err, "hello was not sent");
			return;
		}
		struct init_call *call = host_alloc(sizeof(*call));
		*call = (struct init_call){session, session->connection};
		err = session->events.store(session->context, wire_pb_view(reply->sealed),
					    init_stored, call);
		if (err != CS_OK)
			free(call);
	}
	cs_arena_rewind(arena, mark);
	if (err != CS_OK)
		fail(session, err, why);
}

static void send_init(struct host_enclave_session *session)
{
	Caisson__Wire__InitRequest request = CAISSON__WIRE__INIT_REQUEST__INIT;
	enum cs_err err = own_call(session, WIRE_INIT, &request.base, init_done, session);
	if (err != CS_OK)
		fail(session, err, "init was not sent");
}

void host_enclave_session_init(struct host_enclave_session *session)
{
	if (session && session->ready)
		send_init(session);
}

static void import_done(void *context, enum cs_err err, const char *why, struct cs_bytes body)
{
	struct host_enclave_session *session = context;
	(void)body;
	if (err != CS_OK) {
		fail(session, err, why);
		return;
	}
	log_info("enclave.imported");
	send_init(session);
}

static void import(struct host_enclave_session *session)
{
	struct cs_arena *arena = session->options.arena;
	size_t mark = cs_arena_mark(arena);
	struct cs_bytes sealed;
	enum cs_err err = session->events.load(session->context, arena, &sealed);
	if (err == CS_ERR_NOT_FOUND) {
		log_info("enclave.first_start");
		send_init(session);
	} else if (err == CS_OK) {
		Caisson__Wire__ImportRequest request = CAISSON__WIRE__IMPORT_REQUEST__INIT;
		request.sealed = wire_pb_bytes(arena, sealed);
		err = own_call(session, WIRE_IMPORT, &request.base, import_done, session);
		if (err != CS_OK)
			fail(session, err, "import was not sent");
	} else {
		fail(session, err, "the stored state cannot be read");
	}
	cs_arena_rewind(arena, mark);
}

/* ---- the connection ---- */

static void up(void *context, struct cs_bytes hello)
{
	struct host_enclave_session *session = context;
	bool has_keys = false;
	session->connection++;
	if (!take_hello(session, hello, &has_keys))
		return;
	if (has_keys)
		send_init(session); /* it outlived us: its state is newer than what we stored */
	else
		import(session);
}

static void down(void *context, enum cs_err err, const char *why)
{
	struct host_enclave_session *session = context;
	if (session->ready)
		log_warn("enclave.down", LOG_ERR(err), LOG_TEXT("why", why));
	session->ready = false;
	session->connection++;
	session->events.down(session->context, err, why ? why : "");
}

struct host_enclave_session *
host_enclave_session_new(struct host_loop *loop, const struct host_enclave_session_options *options,
			 const struct host_enclave_session_events *events, void *context)
{
	static const struct host_enclave_client_events of_client = {.up = up, .down = down};
	struct host_enclave_client_options client = {.path = options->path,
						     .schema = options->schema};
	struct host_enclave_session *session = host_alloc(sizeof(*session));
	session->options = *options;
	session->events = *events;
	session->context = context;
	session->client = host_enclave_client_new(loop, &client, &of_client, session);
	return session;
}

void host_enclave_session_free(struct host_enclave_session *session)
{
	if (!session)
		return;
	host_enclave_client_free(session->client);
	free((void *)(uintptr_t)session->hello.p);
	free(session);
}

bool host_enclave_session_is_ready(const struct host_enclave_session *session)
{
	return session && session->ready;
}
