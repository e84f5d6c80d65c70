#include "host/evidence.h"

#include "host/alloc.h"
#include "host/enclave_json.h"
#include "host/json_values.h"
#include "wire/convert.h"

#include <stdlib.h>
#include <string.h>

/* The enclave waits for its hardware for 20 s. */
#define TIMEOUT_MS 30000u

struct asked {
	struct host_evidence *evidence;
	struct host_http_exchange *exchange;
	uint8_t nonce[WIRE_REPORT_NONCE_SIZE_MAX];
	size_t nonce_size;
	struct cs_hash nonce_hash;
};

static json_t *keys_json(const Caisson__Wire__HelloReply *hello)
{
	json_t *list = json_array();
	for (size_t i = 0; i < hello->n_keys; i++) {
		const Caisson__Wire__KeyInfo *key = hello->keys[i];
		json_array_append_new(
			list, json_pack("{s:o,s:o,s:o,s:o}", "identity",
					host_json_hex(wire_pb_view(key->chain)), "epoch",
					host_json_u64(key->epoch), "public_key",
					host_json_hex(wire_pb_view(key->public_key)), "gas_address",
					host_json_hex(wire_pb_view(key->gas_address))));
	}
	return list;
}

json_t *host_evidence_json(enum wire_report_role role, struct cs_bytes nonce,
			   const Caisson__Wire__HelloReply *hello)
{
	/* Of hello's members those that report data binds, and the evidence. */
	static const char *const taken[] = {"backend",         "schema_digest", "manifest_hash",
					    "manifest_number", "lineage",       "insecure_flags",
					    "insecure",        "evidence",      "evidence_digest"};
	json_t *all = host_enclave_json(hello);
	json_t *json = json_object();
	json_object_set_new(json, "role", json_string(wire_report_role_name(role)));
	json_object_set_new(json, "nonce", host_json_hex(nonce));
	for (size_t i = 0; i < CS_LEN(taken); i++)
		json_object_set(json, taken[i], json_object_get(all, taken[i]));
	json_object_set_new(json, "keys", keys_json(hello));
	json_object_set_new(json, "report_data", host_json_hex(wire_pb_view(hello->report_data)));
	json_decref(all);
	return json;
}

/* Whatever the hardware or the enclave has against it, whoever asked did nothing wrong. */
static enum cs_err answer_of(enum cs_err err)
{
	return err == CS_ERR_TIMEOUT || err == CS_ERR_CLOSED ? err : CS_ERR_UNAVAILABLE;
}

static void answered(void *context, enum cs_err err, const char *why, struct cs_bytes body)
{
	struct asked *asked = context;
	struct host_evidence *evidence = asked->evidence;
	const size_t mark = cs_arena_mark(evidence->arena);
	ProtobufCMessage *message = NULL;
	evidence->busy = false;
	if (err == CS_OK)
		err = host_enclave_reply(evidence->arena, body,
					 &caisson__wire__hello_reply__descriptor, &message);
	if (err == CS_OK)
		host_http_reply_json(
			asked->exchange, 200,
			host_evidence_json(evidence->role,
					   cs_bytes(asked->nonce, asked->nonce_size),
					   (const Caisson__Wire__HelloReply *)message));
	else
		host_http_reply_problem(asked->exchange, answer_of(err), why);
	cs_arena_rewind(evidence->arena, mark);
	free(asked);
}

static enum cs_err read_nonce(struct asked *asked, struct cs_why *why)
{
	const char *text = host_http_query(asked->exchange, "nonce");
	if (text == NULL)
		return cs_fail(why, CS_ERR_MISSING_FIELD, "nonce: hex of 16 to 64 random bytes");
	const size_t digits = strlen(text) - (strncmp(text, "0x", 2) == 0 ? 2 : 0);
	const size_t n = digits / 2;
	if (n < WIRE_REPORT_NONCE_SIZE_MIN || n > WIRE_REPORT_NONCE_SIZE_MAX || digits % 2 != 0 ||
	    cs_unhex(asked->nonce, n, cs_bytes_str(text)) != CS_OK)
		return cs_fail(why, CS_ERR_MALFORMED, "nonce is not hex of 16 to 64 bytes");
	asked->nonce_size = n;
	asked->nonce_hash = cs_keccak256(cs_bytes(asked->nonce, n));
	return CS_OK;
}

static enum cs_err ask(struct asked *asked, struct cs_why *why)
{
	struct host_evidence *evidence = asked->evidence;
	Caisson__Wire__HelloRequest hello = CAISSON__WIRE__HELLO_REQUEST__INIT;
	CS_TRY(read_nonce(asked, why));
	if (evidence->busy)
		return cs_fail(why, CS_ERR_FULL, "evidence is being made for somebody else");
	hello.nonce.data = asked->nonce_hash.b;
	hello.nonce.len = sizeof(asked->nonce_hash.b);
	evidence->busy = true;
	const enum cs_err err = host_enclave_session_call(evidence->session, WIRE_HELLO,
							  &hello.base, TIMEOUT_MS, answered, asked);
	evidence->busy = err == CS_OK;
	return err == CS_OK ? CS_OK : cs_fail(why, answer_of(err), "the enclave is not there");
}

void host_evidence_get(struct host_evidence *evidence, struct host_http_exchange *exchange)
{
	struct cs_why why = {{0}};
	struct asked *asked = host_alloc(sizeof(*asked));
	*asked = (struct asked){.evidence = evidence, .exchange = exchange};
	const enum cs_err err = ask(asked, &why);
	if (err == CS_OK)
		return;
	host_http_reply_problem(exchange, err, why.text);
	free(asked);
}
