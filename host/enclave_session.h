/* The session with an enclave on top of its connection (docs/protocol/boundary.md): hello, then
 * Import of the stored state or, at the first start, Init of new keys; nothing is ready before the
 * keys are stored. Then Export whenever something changed. It never goes on with new keys in place
 * of those that contracts know. */
#ifndef HOST_ENCLAVE_SESSION_H
#define HOST_ENCLAVE_SESSION_H

#include "core/arena.h"
#include "host/enclave_client.h"
#include "wire/decode.h"

struct host_enclave_session;

typedef void host_enclave_stored(void *context, enum cs_err err);

struct host_enclave_session_events {
	/* The sealed state that was stored last, in the arena. NOT_FOUND: there never was one. */
	enum cs_err (*load)(void *context, struct cs_arena *arena, struct cs_bytes *sealed);
	/* Stores it durably, then calls stored(stored_context), once; not called on failure. */
	enum cs_err (*store)(void *context, struct cs_bytes sealed, host_enclave_stored *stored,
			     void *stored_context);
	/* What the enclave says of itself, after every connection and after its keys were made. Not
	 * OK: the session ends with this error, and why goes to failed. */
	enum cs_err (*hello)(void *context, const Caisson__Wire__HelloReply *hello,
			     struct cs_why *why);
	void (*ready)(void *context);
	/* The connection is gone, or was not made; it is tried again by itself. */
	void (*down)(void *context, enum cs_err err, const char *why);
	/* Nothing more happens until the next connection. */
	void (*failed)(void *context, enum cs_err err, const char *why);
};

struct host_enclave_session_options {
	const char *path;             /* of the Unix socket */
	const struct cs_hash *schema; /* as host_enclave_client_options */
	struct cs_arena *arena;       /* the caller's scratch: rewound before each callback ends */
	uint64_t timeout_ms;          /* of the session's own calls */
};

struct host_enclave_session *
host_enclave_session_new(struct host_loop *loop, const struct host_enclave_session_options *options,
			 const struct host_enclave_session_events *events, void *context);
/* NULL is allowed. */
void host_enclave_session_free(struct host_enclave_session *session);

bool host_enclave_session_is_ready(const struct host_enclave_session *session);
/* Encodes and sends; on failure done is not called. The errors of host_enclave_call, and those of
 * wire_encode, which are logged. */
CS_NODISCARD enum cs_err host_enclave_session_call(struct host_enclave_session *session,
						   enum wire_type type,
						   const ProtobufCMessage *message,
						   uint64_t timeout_ms, host_enclave_done *done,
						   void *context);
/* The same of a body that is encoded already. */
CS_NODISCARD enum cs_err host_enclave_session_send(struct host_enclave_session *session,
						   enum wire_type type, struct cs_bytes body,
						   uint64_t timeout_ms, host_enclave_done *done,
						   void *context);
/* Makes the keys that are missing, once the enclave may: as after a connection, and ready is called
 * again. Nothing while it is not ready. */
void host_enclave_session_init(struct host_enclave_session *session);
/* Decodes a reply into the arena; what cannot be decoded is logged. */
CS_NODISCARD enum cs_err host_enclave_reply(struct cs_arena *arena, struct cs_bytes body,
					    const ProtobufCMessageDescriptor *type,
					    ProtobufCMessage **message);
/* The enclave's state is not the stored one any more. */
void host_enclave_session_changed(struct host_enclave_session *session);
/* Stores the sealed state when something changed. then may be NULL; is called once, at the latest
 * on failure. */
void host_enclave_session_export(struct host_enclave_session *session, host_call *then,
				 void *context);
/* Begins anew from another connection: whom the enclave's hello did not suit, another may. */
void host_enclave_session_again(struct host_enclave_session *session);
/* What hello tells may have changed: it is asked again. */
void host_enclave_session_ask_hello(struct host_enclave_session *session);
/* Protobuf of the last HelloReply; none before the first. Lives until the next. */
struct cs_bytes host_enclave_session_hello(const struct host_enclave_session *session);

#endif
