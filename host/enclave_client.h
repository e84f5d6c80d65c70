/* The host's end of the enclave's socket (docs/protocol/boundary.md): many requests in flight with
 * ids and deadlines, a new connection when one is lost, hello first on each. It carries bodies and
 * never looks into them, except for the refusal. */
#ifndef HOST_ENCLAVE_CLIENT_H
#define HOST_ENCLAVE_CLIENT_H

#include "host/loop.h"
#include "wire/frame.h"

struct host_enclave_client;

/* err OK: body is the protobuf of the reply whose type is the request's plus 1. Else why is the
 * enclave's own sentence, or what went wrong on the way: TIMEOUT, CLOSED (the connection ended
 * before the reply: it may or may not have been done). */
typedef void host_enclave_done(void *context, enum cs_err err, const char *why,
			       struct cs_bytes body);

struct host_enclave_client_events {
	/* Hello was answered with our nonce and the schema: requests are taken from now on.
	 * hello: HelloReply's protobuf. */
	void (*up)(void *context, struct cs_bytes hello);
	/* After every up that ended, and after each attempt that failed. It tries again by itself,
	 * 50 ms to 2 s later; after WRONG_SCHEMA too, in case the enclave is replaced. The calls in
	 * flight were ended before. */
	void (*down)(void *context, enum cs_err err, const char *why);
};

/* Zeros mean the default in brackets. */
struct host_enclave_client_options {
	const char *path;             /* of the Unix socket */
	uint32_t calls_max;           /* [1,024] */
	const struct cs_hash *schema; /* that hello must tell, static [wire_schema_digest] */
	uint64_t queue_size_max;      /* bytes of frames that wait to be written [16 MiB] */
	/* For the answer to hello [5,000]: the enclave serves one client at a time, a second one
	 * waits here and reports it. */
	uint64_t hello_timeout_ms;
};

/* Connects at once, in the background. */
struct host_enclave_client *
host_enclave_client_new(struct host_loop *loop, const struct host_enclave_client_options *options,
			const struct host_enclave_client_events *events, void *context);
/* type: of a request. *id (never 0) is for cancel and may be NULL. UNAVAILABLE: not up; FULL:
 * calls_max or queue_size_max; TOO_LARGE: above the frame's bound. On failure done is not called.
 * The body is copied. */
CS_NODISCARD enum cs_err host_enclave_call(struct host_enclave_client *client, uint64_t *id,
					   enum wire_type type, struct cs_bytes body,
					   uint64_t deadline_ms, host_enclave_done *done,
					   void *context);
/* done will not be called; the enclave does its work nevertheless. False: there is no such call any
 * more. */
bool host_enclave_cancel(struct host_enclave_client *client, uint64_t id);
uint32_t host_enclave_calls_in_flight(const struct host_enclave_client *client);
/* Ends the connection as if the enclave had, and connects anew: hello is told again. */
void host_enclave_client_again(struct host_enclave_client *client);
/* Calls in flight end without their callback. NULL is allowed. */
void host_enclave_client_free(struct host_enclave_client *client);

#endif
