/* Envelopes by the rules of docs/protocol/envelope.md. Hashes, signatures and the reading of statements
 * are the project's own (wire, gateway); here is what an application may believe of them. */
#include "core/caip.h"
#include "gateway/envelope_json.h"
#include "host/json_values.h"
#include "sdk/c/src/inner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The parts of one message with their ends. */
#define ARENA_SIZE (2u * CS_INTEROP_SIZE_MAX + CS_PAYLOAD_SIZE_MAX + 256u)

_Static_assert((int)CAISSON_DELIVERED == (int)WIRE_STATUS_DELIVERED &&
		       (int)CAISSON_DEAD == (int)WIRE_STATUS_DEAD,
	       "outcomes");
_Static_assert(sizeof(((struct caisson_verified *)NULL)->sender) > 2 * CS_INTEROP_SIZE_MAX + 2 &&
		       sizeof(((struct caisson_verified *)NULL)->sender) > CS_CAIP10_SIZE_MAX,
	       "accounts");

/* What one verification works with. */
struct check {
	const json_t *document;
	const struct caisson_keys *keys;
	struct cs_sig *sig;
	struct cs_arena arena;
	struct caisson_error *error;
};

#define not_proven(check, ...) fail_as((check)->error, CAISSON_NOT_PROVEN, __VA_ARGS__)

/* ---- keys ---- */

static bool key_of_file(const struct check *check, struct cs_hash *key,
			const struct wire_statement *statement)
{
	const json_t *keys = json_object_get(check->document, "keys");
	for (size_t i = 0; i < json_array_size(keys); i++) {
		const json_t *entry = json_array_get(keys, i);
		struct cs_hash identity;
		uint64_t epoch = 0;
		if (host_json_read_hash(entry, "identity", &identity, NULL) == CS_OK &&
		    host_json_read_u64(entry, "epoch", &epoch, NULL) == CS_OK &&
		    epoch == statement->epoch && cs_hash_eq(&identity, &statement->signer))
			return host_json_read_hash(entry, "public_key", key, NULL) == CS_OK;
	}
	return false;
}

static enum caisson_err find_key(const struct check *check, struct cs_hash *key,
				 const struct wire_statement *statement)
{
	bool outcome = statement->kind == WIRE_KIND_OUTCOME;
	const char *given = outcome ? check->keys->outcome_key : check->keys->key;
	const char *name = outcome ? "outcome_key" : "key";
	if (given) {
		if (cs_unhex(key->b, sizeof(key->b), cs_bytes_str(given)) != CS_OK)
			return fail_as(check->error, CAISSON_INVALID, "%s: not 32 bytes of hex",
				       name);
		return CAISSON_OK;
	}
	if (!check->keys->insecure_file_keys || !key_of_file(check, key, statement))
		return not_proven(check, "%s is needed: that of epoch %llu of the signer", name,
				  (unsigned long long)statement->epoch);
	return CAISSON_OK;
}

/* ---- one statement ---- */

static enum caisson_err read_signed(const struct check *check, struct wire_signed *part,
				    const char *name)
{
	struct gateway_statement read;
	struct cs_why why = {{0}};
	const json_t *object = json_object_get(check->document, name);
	memset(part, 0, sizeof(*part));
	if (gateway_json_read_statement(object, &read, &why) != CS_OK ||
	    host_json_read_path(object, part, &why) != CS_OK)
		return not_proven(check, "%s: %s", name, why.text);
	part->statement = read.statement;
	part->signature = read.signature;
	return CAISSON_OK;
}

static enum caisson_err check_signed(const struct check *check, struct caisson_signed *out,
				     const char *name, const struct wire_signed *part,
				     const struct cs_hash *leaf)
{
	struct cs_hash key;
	struct cs_hash root = wire_fold(leaf, part->path, part->path_count);
	bool insecure = false;
	if (!cs_hash_eq(&root, &part->statement.root))
		return not_proven(check,
				  "%s: its path does not lead from the message to what was signed",
				  name);
	enum caisson_err err = find_key(check, &key, &part->statement);
	if (err != CAISSON_OK)
		return err;
	if (wire_signed_verify(check->sig, part, leaf, &key, WIRE_DOMAIN_SECURE) != CS_OK) {
		if (wire_signed_verify(check->sig, part, leaf, &key, WIRE_DOMAIN_INSECURE) != CS_OK)
			return not_proven(check, "%s: the signature does not verify by the key",
					  name);
		if (!check->keys->insecure_domain)
			return not_proven(check,
					  "%s: signed under the domain of simulated or insecure "
					  "enclaves (insecure_domain takes it)",
					  name);
		insecure = true;
	}
	memcpy(out->key, key.b, sizeof(out->key));
	out->epoch = part->statement.epoch;
	out->manifest = part->statement.manifest_number;
	out->insecure = insecure;
	return CAISSON_OK;
}

static bool is_route(const struct wire_signed *part, enum wire_kind kind,
		     const struct cs_hash *signer, const struct cs_hash *receiver)
{
	return part->statement.kind == kind && cs_hash_eq(&part->statement.signer, signer) &&
	       cs_hash_eq(&part->statement.receiver, receiver);
}

/* ---- the whole ---- */

static enum caisson_err read_message(struct check *check, struct wire_message *message)
{
	struct cs_why why = {{0}};
	const json_t *object = json_object_get(check->document, "message");
	if (gateway_json_read_message(object, false, &check->arena, message, &why) != CS_OK)
		return not_proven(check, "message: %s", why.text);
	return CAISSON_OK;
}

static enum caisson_err check_outcome(const struct check *check, struct caisson_verified *out,
				      const struct wire_message *message, const struct cs_hash *id)
{
	struct wire_signed part;
	uint64_t status = 0;
	bool told = json_object_get(check->document, "outcome") != NULL;
	bool is_signed = json_object_get(check->document, "outcome_statement") != NULL;
	if (told != is_signed)
		return not_proven(check, "outcome: it comes with its statement, or not at all");
	if (!told)
		return CAISSON_OK;
	if (host_json_read_u64(check->document, "outcome", &status, NULL) != CS_OK ||
	    (status != WIRE_STATUS_DELIVERED && status != WIRE_STATUS_DEAD))
		return not_proven(check, "outcome: neither delivered (2) nor dead (3)");
	enum caisson_err err = read_signed(check, &part, "outcome_statement");
	if (err != CAISSON_OK)
		return err;
	if (!is_route(&part, WIRE_KIND_OUTCOME, &message->head.destination, &message->head.source))
		return not_proven(check, "outcome_statement: not of this message's way back");
	struct cs_hash leaf = wire_leaf_outcome(id, (enum wire_status)status);
	err = check_signed(check, &out->outcome_signature, "outcome_statement", &part, &leaf);
	if (err == CAISSON_OK)
		out->outcome = (enum caisson_outcome)status;
	return err;
}

static void write_account(char *text, struct cs_bytes bytes)
{
	struct cs_account account;
	if (cs_interop_account(&account, bytes) == CS_OK) {
		cs_caip10_write(text, &account);
		return;
	}
	text[0] = '0';
	text[1] = 'x';
	cs_hex(text + 2, bytes);
}

/* With the payload behind it. NULL: no memory. */
static struct caisson_verified *copy_of(const struct caisson_verified *checked,
					const struct wire_message *message)
{
	struct caisson_verified *out = malloc(sizeof(*out) + message->payload.n);
	if (!out)
		return NULL;
	*out = *checked;
	out->payload = (const uint8_t *)(out + 1);
	out->payload_size = message->payload.n;
	if (message->payload.n > 0)
		memcpy(out + 1, message->payload.p, message->payload.n);
	return out;
}

static void tell(struct caisson_verified *out, const struct wire_message *message,
		 const struct cs_hash *id)
{
	const struct wire_message_head *head = &message->head;
	memcpy(out->id, id->b, sizeof(out->id));
	memcpy(out->source, head->source.b, sizeof(out->source));
	memcpy(out->destination, head->destination.b, sizeof(out->destination));
	memcpy(out->closer, head->closer.b, sizeof(out->closer));
	memcpy(out->refund_to, head->refund_to.b, sizeof(out->refund_to));
	out->sequence = head->sequence;
	out->deadline = head->deadline;
	out->min_gas_limit = head->min_gas_limit;
	out->finality = head->finality;
	write_account(out->sender, message->sender);
	write_account(out->recipient, message->recipient);
}

static enum caisson_err check_document(struct check *check, struct caisson_verified **verified)
{
	static const char *const names[] = {"statement", "message", "outcome_statement",
					    "outcome",   "keys",    NULL};
	struct cs_why why = {{0}};
	struct wire_message message;
	struct wire_signed part;
	struct caisson_verified out = {.payload = NULL};
	if (host_json_known(check->document, names, "envelope", &why) != CS_OK)
		return not_proven(check, "%s", why.text);
	enum caisson_err err = read_message(check, &message);
	if (err == CAISSON_OK)
		err = read_signed(check, &part, "statement");
	if (err != CAISSON_OK)
		return err;
	if (!is_route(&part, WIRE_KIND_MESSAGE, &message.head.source, &message.head.destination))
		return not_proven(check, "statement: not of this message's route");
	struct cs_hash id = wire_message_id(&message.head);
	struct cs_hash leaf = wire_leaf_message(&id);
	err = check_signed(check, &out.signature, "statement", &part, &leaf);
	if (err == CAISSON_OK)
		err = check_outcome(check, &out, &message, &id);
	if (err != CAISSON_OK)
		return err;
	tell(&out, &message, &id);
	struct caisson_verified *made = copy_of(&out, &message);
	if (!made)
		return fail_as(check->error, CAISSON_NO_MEMORY, "no memory");
	*verified = made;
	return CAISSON_OK;
}

enum caisson_err caisson_verify_envelope(struct caisson_verified **verified, const char *document,
					 size_t size, const struct caisson_keys *keys,
					 struct caisson_error *error)
{
	json_error_t at;
	if (size > CAISSON_ENVELOPE_SIZE_MAX)
		return fail_as(error, CAISSON_NOT_PROVEN, "envelope: above %u bytes",
			       CAISSON_ENVELOPE_SIZE_MAX);
	/* Without JSON_ALLOW_NUL: no text in it has a zero. */
	json_t *json = json_loadb(document, size, JSON_REJECT_DUPLICATES, &at);
	if (!json)
		return fail_as(error, CAISSON_NOT_PROVEN, "envelope: not JSON: %s", at.text);
	struct check check = {
		.document = json, .keys = keys, .sig = cs_sig_new(NULL), .error = error};
	void *memory = malloc(ARENA_SIZE);
	enum caisson_err err = CAISSON_OK;
	if (check.sig && memory) {
		cs_arena_init(&check.arena, memory, ARENA_SIZE);
		err = check_document(&check, verified);
	} else {
		err = fail_as(error, CAISSON_NO_MEMORY, "no memory");
	}
	free(memory);
	cs_sig_free(check.sig);
	json_decref(json);
	return err;
}

void caisson_verified_free(struct caisson_verified *verified)
{
	free(verified);
}
