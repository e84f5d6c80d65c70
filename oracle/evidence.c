#include "oracle/evidence.h"

#include "host/alloc.h"
#include "host/evidence.h"
#include "wire/convert.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* The hardware has 20 s. */
#define TIMEOUT_MS 30000u
/* "evidence of 18446744073709551615/18446744073709551615", "evidence 0x…" */
#define NAME_SIZE 80u

struct asked {
	struct oracle *oracle;
	uint8_t nonce[32];
};

/* What is written down in one go. */
struct kept {
	struct oracle *oracle;
	const Caisson__Wire__HelloReply *hello;
	struct cs_hash digest;
	struct cs_bytes text;
};

/* ---- names in the journal ---- */

static void key_name(char name[NAME_SIZE], uint64_t manifest_number, uint64_t epoch)
{
	snprintf(name, NAME_SIZE, "evidence of %" PRIu64 "/%" PRIu64, manifest_number, epoch);
}

static void document_name(char name[NAME_SIZE], const struct cs_hash *digest)
{
	size_t n = (size_t)snprintf(name, NAME_SIZE, "evidence 0x");
	cs_hex(name + n, CS_BYTES_OF(digest->b));
}

/* ---- reading ---- */

enum cs_err oracle_evidence_of(struct oracle *oracle, uint64_t epoch, uint64_t manifest_number,
			       struct cs_hash *digest)
{
	char name[NAME_SIZE];
	struct cs_bytes found = CS_BYTES_NONE;
	const size_t mark = cs_arena_mark(&oracle->scratch);
	key_name(name, manifest_number, epoch);
	enum cs_err err = oracle_journal_get(oracle->journal, name, &oracle->scratch, &found);
	if (err == CS_OK && found.n != sizeof(digest->b))
		err = CS_ERR_NOT_FOUND;
	if (err == CS_OK)
		memcpy(digest->b, found.p, found.n);
	cs_arena_rewind(&oracle->scratch, mark);
	return err;
}

enum cs_err oracle_evidence_document(struct oracle *oracle, const struct cs_hash *digest,
				     struct cs_arena *arena, struct cs_bytes *text)
{
	char name[NAME_SIZE];
	document_name(name, digest);
	return oracle_journal_get(oracle->journal, name, arena, text);
}

/* ---- keeping ---- */

static bool signs_answers(const struct oracle *oracle, const Caisson__Wire__KeyInfo *key)
{
	const struct cs_hash identity = wire_pb_hash(key->chain);
	return cs_hash_eq(&identity, &oracle->config.manifest.identity);
}

static bool is_missing(struct oracle *oracle, const Caisson__Wire__HelloReply *hello,
		       const Caisson__Wire__KeyInfo *key)
{
	struct cs_hash digest;
	return signs_answers(oracle, key) &&
	       oracle_evidence_of(oracle, key->epoch, hello->manifest_number, &digest) != CS_OK;
}

static bool any_is_missing(struct oracle *oracle, const Caisson__Wire__HelloReply *hello)
{
	for (size_t i = 0; i < hello->n_keys; i++)
		if (is_missing(oracle, hello, hello->keys[i]))
			return true;
	return false;
}

/* Writer: the document, and every key that has no other yet. */
static enum cs_err keep(void *context)
{
	const struct kept *kept = context;
	struct oracle *oracle = kept->oracle;
	char name[NAME_SIZE];
	document_name(name, &kept->digest);
	CS_TRY(oracle_journal_put(oracle->journal, name, kept->text));
	for (size_t i = 0; i < kept->hello->n_keys; i++) {
		const Caisson__Wire__KeyInfo *key = kept->hello->keys[i];
		if (!is_missing(oracle, kept->hello, key))
			continue;
		key_name(name, kept->hello->manifest_number, key->epoch);
		CS_TRY(oracle_journal_put(oracle->journal, name, CS_BYTES_OF(kept->digest.b)));
	}
	return CS_OK;
}

static enum cs_err take(struct asked *asked, struct cs_bytes body)
{
	struct oracle *oracle = asked->oracle;
	ProtobufCMessage *message = NULL;
	CS_TRY(oracle_enclave_reply(&oracle->scratch, body, &caisson__wire__hello_reply__descriptor,
				    &message));
	struct kept kept = {.oracle = oracle, .hello = (const Caisson__Wire__HelloReply *)message};
	if (!any_is_missing(oracle, kept.hello))
		return CS_OK;
	json_t *json = host_evidence_json(WIRE_REPORT_ORACLE_ENCLAVE, CS_BYTES_OF(asked->nonce),
					  kept.hello);
	char *text = json_dumps(json, JSON_COMPACT | JSON_PRESERVE_ORDER);
	json_decref(json);
	if (!text)
		return CS_ERR_NO_MEMORY;
	kept.digest = cs_keccak256(wire_pb_view(kept.hello->evidence));
	kept.text = cs_bytes_str(text);
	enum cs_err err = oracle_write(oracle, keep, &kept);
	free(text);
	return err;
}

static void answered(void *context, enum cs_err err, const char *why, struct cs_bytes body)
{
	struct asked *asked = context;
	const size_t mark = cs_arena_mark(&asked->oracle->scratch);
	if (err == CS_OK)
		err = take(asked, body);
	if (err != CS_OK)
		log_warn("evidence.not_kept", LOG_ERR(err), LOG_TEXT("why", why ? why : ""));
	cs_arena_rewind(&asked->oracle->scratch, mark);
	free(asked);
}

void oracle_evidence_ask(struct oracle *oracle)
{
	struct asked *asked = host_alloc(sizeof(*asked));
	asked->oracle = oracle;
	enum cs_err err =
		getrandom(asked->nonce, sizeof(asked->nonce), 0) == (ssize_t)sizeof(asked->nonce)
			? CS_OK
			: CS_ERR_IO;
	if (err == CS_OK) {
		struct cs_hash nonce = cs_keccak256(CS_BYTES_OF(asked->nonce));
		Caisson__Wire__HelloRequest hello = CAISSON__WIRE__HELLO_REQUEST__INIT;
		hello.nonce = (ProtobufCBinaryData){sizeof(nonce.b), nonce.b};
		err = host_enclave_session_call(oracle_enclave_session(oracle), WIRE_HELLO,
						&hello.base, TIMEOUT_MS, answered, asked);
	}
	if (err != CS_OK) {
		log_warn("evidence.not_asked", LOG_ERR(err));
		free(asked);
	}
}

void oracle_evidence_look(struct oracle *oracle)
{
	const size_t mark = cs_arena_mark(&oracle->scratch);
	ProtobufCMessage *message = NULL;
	if (oracle_enclave_reply(&oracle->scratch, oracle_enclave_hello(oracle),
				 &caisson__wire__hello_reply__descriptor, &message) == CS_OK &&
	    any_is_missing(oracle, (const Caisson__Wire__HelloReply *)message))
		oracle_evidence_ask(oracle);
	cs_arena_rewind(&oracle->scratch, mark);
}
