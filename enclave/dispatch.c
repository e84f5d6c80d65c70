/* Who may send what, and what answers it. */
#include "enclave/state.h"

/* What must have happened on this connection before a request is looked at. */
enum after {
	AFTER_NOTHING,
	AFTER_HELLO,
};

enum whose {
	BRIDGE = 1 << ENCLAVE_BRIDGE,
	ORACLE = 1 << ENCLAVE_ORACLE,
	EITHER = BRIDGE | ORACLE,
};

/* Does a request bring what may have expired? It is then taken only where it was there before the
 * nonce whose answer says how late it is. */
enum judged {
	AS_IT_STANDS,
	BY_FRESH_TIME,
};

/* Through which of the two doors? What the host may ask changes state or spends; anybody may ask for what
 * the enclave says of itself, and for a signature under what is proven in the same step. */
enum door {
	THE_HOST,
	ANYBODY, /* over the attested port too */
};

static enum cs_err probe(struct enclave_call *call)
{
	const Caisson__Wire__ProbeRequest *in = (const Caisson__Wire__ProbeRequest *)call->request;
	Caisson__Wire__ProbeReply out = CAISSON__WIRE__PROBE_REPLY__INIT;
	if (call->e->probe == NULL)
		return cs_fail(&call->why, CS_ERR_UNSUPPORTED, "this build has no test probes");
	out.result = call->e->probe(in->what);
	return enclave_reply(call, &out.base);
}

static enum cs_err attested(struct enclave_call *call)
{
	const struct enclave_door *door = &call->e->door;
	if (door->answer == NULL)
		return cs_fail(&call->why, CS_ERR_UNSUPPORTED,
			       "this enclave was started without --attested");
	return door->answer(door->context, call);
}

/* The same tables as in docs/protocol/boundary.md and attested-port.md. Everything but hello is the host's, and the host
 * is who greeted: the socket has one owner. What is not here is a reply, or answered by
 * enclave/quorum.c in a process that fetches, or the oracle's (enclave/oracle/service.c). */
static const struct request {
	enum wire_type type;
	enum after after;
	enum whose whose;
	enum judged judged;
	enum door door;
	enum cs_err (*answer)(struct enclave_call *call);
} allowed[] = {
	{WIRE_HELLO, AFTER_NOTHING, EITHER, AS_IT_STANDS, ANYBODY, enclave_hello},
	{WIRE_INIT, AFTER_HELLO, EITHER, AS_IT_STANDS, THE_HOST, enclave_init_keys},
	{WIRE_EXPORT, AFTER_HELLO, EITHER, AS_IT_STANDS, THE_HOST, enclave_export},
	{WIRE_IMPORT, AFTER_HELLO, EITHER, AS_IT_STANDS, THE_HOST, enclave_import},
	{WIRE_CLIENT_CREATE, AFTER_HELLO, EITHER, BY_FRESH_TIME, THE_HOST, enclave_client_create},
	{WIRE_CLIENT_UPDATE, AFTER_HELLO, EITHER, BY_FRESH_TIME, THE_HOST, enclave_client_update},
	{WIRE_CONFLICT, AFTER_HELLO, EITHER, AS_IT_STANDS, THE_HOST, enclave_conflict},
	{WIRE_SIGN_MESSAGES, AFTER_HELLO, BRIDGE, AS_IT_STANDS, ANYBODY, enclave_sign_messages},
	{WIRE_SIGN_OUTCOMES, AFTER_HELLO, BRIDGE, AS_IT_STANDS, ANYBODY, enclave_sign_outcomes},
	{WIRE_LEARN_KEY, AFTER_HELLO, BRIDGE, AS_IT_STANDS, THE_HOST, enclave_learn_key},
	{WIRE_SIGN_TRANSACTION, AFTER_HELLO, BRIDGE, AS_IT_STANDS, THE_HOST,
	 enclave_sign_transaction},
	{WIRE_ROTATE, AFTER_HELLO, EITHER, AS_IT_STANDS, THE_HOST, enclave_rotate},
	{WIRE_PUBLIC_KEYS, AFTER_HELLO, EITHER, AS_IT_STANDS, THE_HOST, enclave_public_keys},
	{WIRE_STATUS, AFTER_HELLO, EITHER, AS_IT_STANDS, ANYBODY, enclave_status},
	{WIRE_CLOCK_ASK, AFTER_HELLO, EITHER, AS_IT_STANDS, THE_HOST, enclave_clock_ask},
	{WIRE_CLOCK_ANSWERS, AFTER_HELLO, EITHER, AS_IT_STANDS, THE_HOST, enclave_clock_answers},
	{WIRE_ANCHOR_PROVE, AFTER_HELLO, EITHER, AS_IT_STANDS, THE_HOST, enclave_anchor_prove},
	{WIRE_ANCHOR_SIGN, AFTER_HELLO, EITHER, AS_IT_STANDS, THE_HOST, enclave_anchor_sign},
	{WIRE_ATTESTED, AFTER_HELLO, EITHER, AS_IT_STANDS, THE_HOST, attested},
	{WIRE_PROBE, AFTER_HELLO, EITHER, AS_IT_STANDS, THE_HOST, probe},
};

static enum cs_err find(const struct request **request, struct enclave_call *call,
			enum wire_type type)
{
	const bool greeted = call->visitor == NULL ? call->e->greeted : call->visitor->greeted;
	for (size_t i = 0; i < CS_LEN(allowed); i++) {
		if (allowed[i].type != type || (allowed[i].whose & 1 << call->e->role) == 0)
			continue;
		if (allowed[i].door == THE_HOST && call->visitor != NULL)
			return cs_fail(&call->why, CS_ERR_FORBIDDEN, "for the host alone");
		if (allowed[i].after == AFTER_HELLO && !greeted)
			return cs_fail(&call->why, CS_ERR_UNAUTHORIZED, "hello comes first");
		*request = &allowed[i];
		return CS_OK;
	}
	return cs_fail(&call->why, CS_ERR_UNSUPPORTED, "not a request");
}

static enum cs_err step(struct enclave_call *call, const struct verify_time *now,
			enum wire_type type, struct cs_bytes bytes)
{
	ProtobufCMessage *message = NULL;
	const struct request *request;
	CS_TRY(find(&request, call, type));
	CS_TRY(wire_decode(&message, wire_type_message(type), bytes, &call->e->arena, &call->why));
	call->now = request->judged == BY_FRESH_TIME ? enclave_time_of_input(call->e, now, bytes)
						     : enclave_time_of(call->e, now);
	call->request = message;
	return request->answer(call);
}

enum wire_type enclave_step(struct enclave *e, const struct verify_time *now, enum wire_type type,
			    struct cs_bytes request, struct cs_buf *reply)
{
	struct enclave_call call = {.e = e, .reply = reply, .why = {""}};
	cs_arena_rewind(&e->arena, 0);
	const enum cs_err err = step(&call, now, type, request);
	return err == CS_OK ? (enum wire_type)(type + 1) : enclave_refuse(reply, err, &call.why);
}

enum wire_type enclave_step_visitor(const struct enclave_call *outer,
				    struct enclave_visitor *visitor, enum wire_type type,
				    struct cs_bytes request, struct cs_buf *reply)
{
	struct enclave_call call = {.e = outer->e, .visitor = visitor, .reply = reply, .why = {""}};
	const enum cs_err err = step(&call, &outer->now, type, request);
	return err == CS_OK ? (enum wire_type)(type + 1) : enclave_refuse(reply, err, &call.why);
}

void enclave_printable(char *out, size_t size, const char *text)
{
	size_t n = 0;
	for (; text[n] != '\0' && n < size - 1; n++)
		out[n] = text[n] >= 0x20 && text[n] < 0x7f ? text[n] : '?';
	out[n] = '\0';
}

enum wire_type enclave_refuse(struct cs_buf *reply, enum cs_err err, const struct cs_why *why_of)
{
	/* The reply buffer holds at most what a failed encoding left. */
	reply->n = 0;
	reply->failed = false;
	Caisson__Wire__ErrorReply out;
	caisson__wire__error_reply__init(&out);
	const char *why = why_of->text[0] != '\0' ? why_of->text : cs_err_sentence(err);
	char text[sizeof why_of->text];
	enclave_printable(text, sizeof text, why);
	out.code = (uint32_t)err;
	out.why = text;
	struct cs_why ignored;
	const enum cs_err encoded = wire_encode(reply, &out.base, &ignored);
	cs_assert(encoded == CS_OK);
	return WIRE_ERROR;
}
