/* Creating and looking. */
#include "core/limits.h"
#include "sdk/c/src/inner.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define IDEMPOTENCY_KEY_SIZE_MAX 128u
#define IDEMPOTENCY_KEY_RANDOM 16u

/* ---- the body of a request ---- */

/* Members are added until one cannot be; `wrong` names it. */
struct draft {
	json_t *body;
	json_t *attributes;
	const char *wrong;
};

static void add(struct draft *draft, json_t *object, const char *name, json_t *value)
{
	if (json_object_set_new(object, name, value) != 0 && !draft->wrong)
		draft->wrong = name;
}

static void add_text(struct draft *draft, json_t *object, const char *name, const char *text)
{
	if (text)
		add(draft, object, name, json_string(text));
}

static void add_number(struct draft *draft, json_t *object, const char *name, uint64_t value)
{
	if (value > INT64_MAX)
		draft->wrong = name;
	else if (value > 0)
		add(draft, object, name, json_integer((json_int_t)value));
}

static void add_payload(struct draft *draft, const struct caisson_send *send)
{
	char *text = malloc(2 * send->payload_size + 3);
	if (!text) {
		draft->wrong = "payload";
		return;
	}
	text[0] = '0';
	text[1] = 'x';
	cs_hex(text + 2, cs_bytes(send->payload, send->payload_size));
	add_text(draft, draft->body, "payload", text);
	free(text);
}

static const char *mode_name(enum caisson_mode mode)
{
	switch (mode) {
	case CAISSON_PREPARE:
		return "prepare";
	case CAISSON_SUBMIT:
		return "submit";
	case CAISSON_SPONSORED:
		return "sponsored";
	}
	return NULL;
}

static void add_members(struct draft *draft, const struct caisson_send *send)
{
	add_text(draft, draft->body, "to", send->to);
	add_text(draft, draft->body, "mode", mode_name(send->mode));
	add_text(draft, draft->body, "from_chain", send->from_chain);
	add_text(draft, draft->body, "from", send->from);
	add_text(draft, draft->body, "transaction", send->transaction);
	add_number(draft, draft->attributes, "deadline", send->deadline);
	add_number(draft, draft->attributes, "min_gas_limit", send->min_gas_limit);
	add_number(draft, draft->attributes, "finality", send->finality);
	add_text(draft, draft->attributes, "closer", send->closer);
	add_text(draft, draft->attributes, "refund_to", send->refund_to);
	if (json_object_size(draft->attributes) > 0)
		add(draft, draft->body, "attributes", json_incref(draft->attributes));
}

/* ---- creating ---- */

static enum caisson_err choose_key(char key[IDEMPOTENCY_KEY_SIZE_MAX + 1], const char *given,
				   struct caisson_error *error)
{
	uint8_t random[IDEMPOTENCY_KEY_RANDOM];
	size_t n = given ? strlen(given) : 0;
	if (!given) {
		/* Up to 256 bytes come whole. */
		if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
			return fail_as(error, CAISSON_NO_MEMORY, "no random bytes");
		cs_hex(key, CS_BYTES_OF(random));
		return CAISSON_OK;
	}
	if (n < 1 || n > IDEMPOTENCY_KEY_SIZE_MAX)
		return fail_as(error, CAISSON_INVALID, "idempotency_key: 1 to %u characters",
			       IDEMPOTENCY_KEY_SIZE_MAX);
	for (size_t i = 0; i < n; i++)
		if (given[i] < ' ' || given[i] > '~')
			return fail_as(error, CAISSON_INVALID,
				       "idempotency_key: not of printable ASCII");
	memcpy(key, given, n + 1);
	return CAISSON_OK;
}

static enum caisson_err check_header(const char *name, const char *value,
				     struct caisson_error *error)
{
	for (const char *at = value ? value : ""; *at != 0; at++)
		if ((*at < ' ' && *at != '\t') || *at > '~')
			return fail_as(error, CAISSON_INVALID,
				       "%s: has characters that no header has", name);
	return CAISSON_OK;
}

static enum caisson_err create(struct caisson_gateway *gateway, struct caisson_answer **answer,
			       const char *target, const struct draft *draft,
			       const struct caisson_send *send, struct caisson_error *error)
{
	char key[IDEMPOTENCY_KEY_SIZE_MAX + 1];
	if (draft->wrong)
		return fail_as(error, CAISSON_INVALID, "%s: cannot be put in a request",
			       draft->wrong);
	enum caisson_err err = choose_key(key, send->idempotency_key, error);
	if (err == CAISSON_OK)
		err = check_header("traceparent", send->traceparent, error);
	if (err == CAISSON_OK)
		err = check_header("tracestate", send->tracestate, error);
	if (err != CAISSON_OK)
		return err;
	char *body = json_dumps(draft->body, JSON_COMPACT);
	if (!body)
		return fail_as(error, CAISSON_NO_MEMORY, "no memory");
	struct request request = {.target = target,
				  .body = body,
				  .idempotency_key = key,
				  .traceparent = send->traceparent,
				  .tracestate = send->tracestate,
				  .repeat = true};
	err = http_call(gateway, answer, &request, error);
	free(body);
	return err;
}

static enum caisson_err check_send(const struct caisson_send *send, bool transfer,
				   struct caisson_error *error)
{
	if (!send->to)
		return fail_as(error, CAISSON_INVALID, "to: is missing");
	if (!mode_name(send->mode))
		return fail_as(error, CAISSON_INVALID, "mode: is none");
	if (transfer && (send->payload || send->payload_size > 0))
		return fail_as(error, CAISSON_INVALID, "payload: is of messages");
	if (transfer && !send->amount)
		return fail_as(error, CAISSON_INVALID, "amount: is missing");
	if (!transfer && (send->amount || send->token))
		return fail_as(error, CAISSON_INVALID, "amount and token: are of transfers");
	/* As far as it can be written; what a message may carry the gateway says. */
	if (send->payload_size > 4 * CS_PAYLOAD_SIZE_MAX)
		return fail_as(error, CAISSON_INVALID, "payload: above %u bytes",
			       CS_PAYLOAD_SIZE_MAX);
	return CAISSON_OK;
}

static enum caisson_err send_as(struct caisson_gateway *gateway, struct caisson_answer **answer,
				const char *target, bool transfer, const struct caisson_send *send,
				struct caisson_error *error)
{
	enum caisson_err err = check_send(send, transfer, error);
	if (err != CAISSON_OK)
		return err;
	struct draft draft = {.body = json_object(), .attributes = json_object()};
	if (transfer) {
		add_text(&draft, draft.body, "amount", send->amount);
		add_text(&draft, draft.body, "token", send->token);
	} else {
		add_payload(&draft, send);
	}
	add_members(&draft, send);
	err = create(gateway, answer, target, &draft, send, error);
	json_decref(draft.attributes);
	json_decref(draft.body);
	return err;
}

enum caisson_err caisson_send_message(struct caisson_gateway *gateway,
				      struct caisson_answer **answer,
				      const struct caisson_send *send, struct caisson_error *error)
{
	return send_as(gateway, answer, "/v1/messages", false, send, error);
}

enum caisson_err caisson_transfer(struct caisson_gateway *gateway, struct caisson_answer **answer,
				  const struct caisson_send *send, struct caisson_error *error)
{
	return send_as(gateway, answer, "/v1/transfers", true, send, error);
}

/* ---- looking ---- */

enum caisson_err caisson_get(struct caisson_gateway *gateway, struct caisson_answer **answer,
			     const char *target, struct caisson_error *error)
{
	size_t n = 0;
	for (; target[n]; n++)
		if (target[n] <= ' ' || target[n] > '~' || target[n] == '#' || n >= PATH_SIZE_MAX)
			return fail_as(error, CAISSON_INVALID,
				       "the target is too long, or not encoded");
	if (target[0] != '/')
		return fail_as(error, CAISSON_INVALID, "the target does not begin with a slash");
	struct request request = {.target = target, .repeat = true};
	return http_call(gateway, answer, &request, error);
}

/* The id is one part of the path, whatever is in it. */
static enum caisson_err get_of(struct caisson_gateway *gateway, struct caisson_answer **answer,
			       const char *id, const char *what, const char *side,
			       struct caisson_error *error)
{
	char target[PATH_SIZE_MAX];
	if (side && strcmp(side, "source") != 0 && strcmp(side, "destination") != 0)
		return fail_as(error, CAISSON_INVALID, "side: neither source nor destination");
	if (!*id || strlen(id) > PATH_SIZE_MAX / 4)
		return fail_as(error, CAISSON_INVALID, "id: empty or too long");
	char *escaped = curl_easy_escape(gateway->curl, id, 0);
	if (!escaped)
		return fail_as(error, CAISSON_NO_MEMORY, "no memory");
	int n = snprintf(target, sizeof(target), "/v1/messages/%s%s%s%s", escaped, what,
			 side ? "?side=" : "", side ? side : "");
	curl_free(escaped);
	if (n < 0 || (size_t)n >= sizeof(target))
		return fail_as(error, CAISSON_INVALID, "id: too long");
	return caisson_get(gateway, answer, target, error);
}

enum caisson_err caisson_message(struct caisson_gateway *gateway, struct caisson_answer **answer,
				 const char *id, const char *side, struct caisson_error *error)
{
	return get_of(gateway, answer, id, "", side, error);
}

enum caisson_err caisson_envelope(struct caisson_gateway *gateway, struct caisson_answer **answer,
				  const char *id, const char *side, struct caisson_error *error)
{
	return get_of(gateway, answer, id, "/envelope", side, error);
}
