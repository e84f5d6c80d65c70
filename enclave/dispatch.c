/* Who may send what, and the one switch over it. */
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

/* The same table as in docs/protocol/boundary.md. Everything but hello is the host's, and the host
 * is who greeted: the socket has one owner. */
static const struct {
	enum wire_type type;
	enum after after;
	enum whose whose;
	enum judged judged;
} allowed[] = {
	{WIRE_HELLO, AFTER_NOTHING, EITHER, AS_IT_STANDS},
	{WIRE_INIT, AFTER_HELLO, EITHER, AS_IT_STANDS},
	{WIRE_EXPORT, AFTER_HELLO, EITHER, AS_IT_STANDS},
	{WIRE_IMPORT, AFTER_HELLO, EITHER, AS_IT_STANDS},
	{WIRE_CLIENT_CREATE, AFTER_HELLO, EITHER, BY_FRESH_TIME},
	{WIRE_CLIENT_UPDATE, AFTER_HELLO, EITHER, BY_FRESH_TIME},
	{WIRE_CONFLICT, AFTER_HELLO, EITHER, AS_IT_STANDS},
	{WIRE_SIGN_MESSAGES, AFTER_HELLO, BRIDGE, AS_IT_STANDS},
	{WIRE_SIGN_OUTCOMES, AFTER_HELLO, BRIDGE, AS_IT_STANDS},
	{WIRE_LEARN_KEY, AFTER_HELLO, BRIDGE, AS_IT_STANDS},
	{WIRE_SIGN_TRANSACTION, AFTER_HELLO, BRIDGE, AS_IT_STANDS},
	{WIRE_ROTATE, AFTER_HELLO, EITHER, AS_IT_STANDS},
	{WIRE_PUBLIC_KEYS, AFTER_HELLO, EITHER, AS_IT_STANDS},
	{WIRE_STATUS, AFTER_HELLO, EITHER, AS_IT_STANDS},
	{WIRE_CLOCK_ASK, AFTER_HELLO, EITHER, AS_IT_STANDS},
	{WIRE_CLOCK_ANSWERS, AFTER_HELLO, EITHER, AS_IT_STANDS},
	{WIRE_ANCHOR_PROVE, AFTER_HELLO, EITHER, AS_IT_STANDS},
	{WIRE_ANCHOR_SIGN, AFTER_HELLO, EITHER, AS_IT_STANDS},
	{WIRE_PROBE, AFTER_HELLO, EITHER, AS_IT_STANDS},
};

static enum cs_err may_send(struct enclave_call *call, enum judged *judged, enum wire_type type)
{
	for (size_t i = 0; i < CS_LEN(allowed); i++) {
		if (allowed[i].type != type || (allowed[i].whose & 1 << call->e->role) == 0)
			continue;
		if (allowed[i].after == AFTER_HELLO && !call->e->greeted)
			return cs_fail(&call->why, CS_ERR_UNAUTHORIZED, "hello comes first");
		*judged = allowed[i].judged;
		return CS_OK;
	}
	return cs_fail(&call->why, CS_ERR_UNSUPPORTED, "not a request");
}

static enum cs_err probe(struct enclave_call *call)
{
	const Caisson__Wire__ProbeRequest *in = (const Caisson__Wire__ProbeRequest *)call->request;
	Caisson__Wire__ProbeReply out = CAISSON__WIRE__PROBE_REPLY__INIT;
	if (call->e->probe == NULL)
		return cs_fail(&call->why, CS_ERR_UNSUPPORTED, "this build has no test probes");
	out.result = call->e->probe(in->what);
	return enclave_reply(call, &out.base);
}

static enum cs_err dispatch(struct enclave_call *call, enum wire_type type)
{
	switch (type) {
	case WIRE_HELLO:
		return enclave_hello(call);
	case WIRE_INIT:
		return enclave_init_keys(call);
	case WIRE_EXPORT:
		return enclave_export(call);
	case WIRE_IMPORT:
		return enclave_import(call);
	case WIRE_CLIENT_CREATE:
		return enclave_client_create(call);
	case WIRE_CLIENT_UPDATE:
		return enclave_client_update(call);
	case WIRE_CONFLICT:
		return enclave_conflict(call);
	case WIRE_SIGN_MESSAGES:
		return enclave_sign_messages(call);
	case WIRE_SIGN_OUTCOMES:
		return enclave_sign_outcomes(call);
	case WIRE_LEARN_KEY:
		return enclave_learn_key(call);
	case WIRE_SIGN_TRANSACTION:
		return enclave_sign_transaction(call);
	case WIRE_ROTATE:
		return enclave_rotate(call);
	case WIRE_PUBLIC_KEYS:
		return enclave_public_keys(call);
	case WIRE_STATUS:
		return enclave_status(call);
	case WIRE_CLOCK_ASK:
		return enclave_clock_ask(call);
	case WIRE_CLOCK_ANSWERS:
		return enclave_clock_answers(call);
	case WIRE_ANCHOR_PROVE:
		return enclave_anchor_prove(call);
	case WIRE_ANCHOR_SIGN:
		return enclave_anchor_sign(call);
	case WIRE_PROBE:
		return probe(call);
	case WIRE_ERROR:
	case WIRE_HELLO_REPLY:
	case WIRE_INIT_REPLY:
	case WIRE_EXPORT_REPLY:
	case WIRE_IMPORT_REPLY:
	case WIRE_CLIENT_CREATE_REPLY:
	case WIRE_CLIENT_UPDATE_REPLY:
	case WIRE_CONFLICT_REPLY:
	case WIRE_SIGN_MESSAGES_REPLY:
	case WIRE_SIGN_OUTCOMES_REPLY:
	case WIRE_LEARN_KEY_REPLY:
	case WIRE_SIGN_TRANSACTION_REPLY:
	case WIRE_ROTATE_REPLY:
	case WIRE_PUBLIC_KEYS_REPLY:
	case WIRE_STATUS_REPLY:
	case WIRE_CLOCK_ASK_REPLY:
	case WIRE_CLOCK_ANSWERS_REPLY:
	case WIRE_ANCHOR_PROVE_REPLY:
	case WIRE_ANCHOR_SIGN_REPLY:
	case WIRE_PROBE_REPLY:
	/* By enclave/quorum.c, in a process that fetches. */
	case WIRE_CLIENT_QUORUM:
	case WIRE_CLIENT_QUORUM_REPLY:
	/* The oracle's own are answered by its process (enclave/oracle/service.c). */
	case WIRE_ANSWER_APP:
	case WIRE_ANSWER_APP_REPLY:
	case WIRE_ANSWER_CHAIN:
	case WIRE_ANSWER_CHAIN_REPLY:
	case WIRE_FEEDS:
	case WIRE_FEEDS_REPLY:
	case WIRE_DRY_RUN:
	case WIRE_DRY_RUN_REPLY:
		break;
	}
	return CS_ERR_UNSUPPORTED;
}

static enum cs_err step(struct enclave_call *call, const struct verify_time *now,
			enum wire_type type, struct cs_bytes request)
{
	ProtobufCMessage *message = NULL;
	enum judged judged;
	CS_TRY(may_send(call, &judged, type));
	CS_TRY(wire_decode(&message, wire_type_message(type), request, &call->e->arena,
			   &call->why));
	call->now = judged == BY_FRESH_TIME ? enclave_time_of_input(call->e, now, request)
					    : enclave_time_of(call->e, now);
	call->request = message;
	return dispatch(call, type);
}

enum wire_type enclave_step(struct enclave *e, const struct verify_time *now, enum wire_type type,
			    struct cs_bytes request, struct cs_buf *reply)
{
	struct enclave_call call = {.e = e, .reply = reply, .why = {""}};
	cs_arena_rewind(&e->arena, 0);
	const enum cs_err err = step(&call, now, type, request);
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
