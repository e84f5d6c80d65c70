/* Documents of signed answers, put together by hand from tests/vectors/oracle: nothing of the code
 * that writes or reads them is used. */
#ifndef TESTS_UNIT_ORACLE_ANSWERS_H
#define TESTS_UNIT_ORACLE_ANSWERS_H

#include "tests/unit/support.h"
#include "wire/envelope.h"

static inline json_t *vectors_of(const char *name)
{
	char path[512];
	snprintf(path, sizeof(path), CS_VECTORS "/oracle/%s.json", name);
	json_t *file = read_json(path);
	json_t *list = json_incref(json_object_get(file, name));
	json_decref(file);
	return list;
}

static inline const json_t *vector_by(const json_t *list, const char *key, const char *value)
{
	for (size_t i = 0; i < json_array_size(list); i++) {
		if (strcmp(text_of(json_array_get(list, i), key), value) == 0)
			return json_array_get(list, i);
	}
	fail_msg("no vector %s", value);
	return NULL;
}

/* 64 bits as the document has them. */
static inline json_t *number_of_vector(const json_t *object, const char *key)
{
	const char *text = text_of(object, key);
	return strlen(text) > 15 ? json_string(text) : json_integer(atoll(text));
}

static inline json_t *text_of_hex(const char *hex)
{
	struct cs_bytes bytes = unhex(hex);
	return json_stringn((const char *)bytes.p, bytes.n);
}

static inline json_t *evidence_of(const json_t *vector)
{
	json_t *rows = json_array();
	const json_t *list = json_object_get(vector, "sources");
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *one = json_array_get(list, i);
		json_int_t version = json_integer_value(json_object_get(one, "version"));
		json_int_t code = json_integer_value(json_object_get(one, "code"));
		char cipher[8];
		snprintf(cipher, sizeof(cipher), "0x%04llx",
			 (unsigned long long)json_integer_value(json_object_get(one, "cipher")));
		json_array_append_new(
			rows,
			json_pack("{s:O,s:O,s:s,s:O,s:O,s:O,s:s?,s:s,s:O,s:O,s:O,s:O,s:O,s:O,s:o}",
				  "index", json_object_get(one, "index"), "code",
				  json_object_get(one, "code"), "code_name",
				  code == 0    ? "ok"
				  : code == 16 ? "unreachable"
					       : "disagreement",
				  "host", json_object_get(one, "host"), "leaf_spki",
				  json_object_get(one, "leaf"), "issuer_spki",
				  json_object_get(one, "issuer"), "tls",
				  version == 772   ? "1.3"
				  : version == 771 ? "1.2"
						   : NULL,
				  "cipher", cipher, "http2", json_object_get(one, "h2"), "reused",
				  json_object_get(one, "reused"), "stapled",
				  json_object_get(one, "stapled"), "redirected",
				  json_object_get(one, "redirected"), "timestamps",
				  json_object_get(one, "timestamps"), "response",
				  json_object_get(one, "response"), "completed",
				  number_of_vector(one, "completed")));
	}
	return rows;
}

static inline json_t *request_of_vector(const json_t *one)
{
	return json_pack(
		"{s:O,s:O,s:O,s:O,s:o,s:O,s:o,s:o,s:o}", "counter", json_object_get(one, "counter"),
		"asker", json_object_get(one, "asker"), "secrets_hash",
		json_object_get(one, "secretsHash"), "callback", json_object_get(one, "callback"),
		"callback_gas", number_of_vector(one, "callbackGas"), "fee",
		json_object_get(one, "fee"), "max_age", number_of_vector(one, "maxAge"), "time",
		number_of_vector(one, "time"), "deadline", number_of_vector(one, "deadline"));
}

/* The statement with the path from the leaf, which is one of the batch's. */
static inline json_t *statement_of_vector(const json_t *vector, const char *leaf)
{
	struct cs_hash leaves[CS_BATCH_MAX];
	struct cs_hash siblings[CS_PATH_MAX];
	const json_t *list = json_object_get(vector, "leaves");
	const json_t *st = json_object_get(vector, "statement");
	size_t count = json_array_size(list);
	size_t index = count;
	json_t *path = json_array();
	for (size_t i = 0; i < count; i++) {
		const char *text = json_string_value(json_array_get(list, i));
		leaves[i] = hash_of_text(text);
		if (strcmp(text, leaf) == 0)
			index = i;
	}
	assert_true(index < count);
	char hex[67] = "0x";
	size_t n = wire_path(siblings, leaves, count, index);
	for (size_t i = 0; i < n; i++) {
		cs_hex(hex + 2, CS_BYTES_OF(siblings[i].b));
		json_array_append_new(path, json_string(hex));
	}
	struct cs_hash root = wire_root(leaves, count);
	cs_hex(hex + 2, CS_BYTES_OF(root.b));
	return json_pack(
		"{s:i,s:O,s:O,s:o,s:o,s:s,s:O,s:O,s:O,s:o}", "kind", 4, "signer",
		json_object_get(vector, "signer"), "receiver", json_object_get(vector, "receiver"),
		"epoch", number_of_vector(st, "epoch"), "manifest",
		number_of_vector(st, "manifest"), "root", hex, "rx", json_object_get(st, "rx"),
		"ry", json_object_get(st, "ry"), "s", json_object_get(st, "s"), "path", path);
}

/* value: for people; taken. */
static inline json_t *answer_document(const char *answer_name, const char *statement_name,
				      json_t *value)
{
	json_t *answers = vectors_of("answers");
	json_t *requests = vectors_of("requests");
	json_t *evidence = vectors_of("evidence");
	json_t *statements = vectors_of("statements");
	const json_t *answer = vector_by(answers, "name", answer_name);
	const json_t *request = vector_by(requests, "name", text_of(answer, "request"));
	const json_t *rows = vector_by(evidence, "hash", text_of(answer, "evidence"));
	const json_t *statement = vector_by(statements, "what", statement_name);
	const json_t *list = json_object_get(request, "arguments");
	json_int_t code = json_integer_value(json_object_get(answer, "code"));
	json_t *arguments = json_array();
	for (size_t i = 0; i < json_array_size(list); i++)
		json_array_append_new(arguments,
				      text_of_hex(json_string_value(json_array_get(list, i))));
	struct cs_bytes spec = bytes_of(request, "spec");
	json_t *document = json_pack(
		"{s:s,s:O,s:O,s:s,s:o,s:o,s:o,s:O,s:o,s:o,s:O,s:O,s:o,s:O,s:s,s:o,s:O,s:b}", "kind",
		"oracle-answer", "id", json_object_get(answer, "request_id"), "code",
		json_object_get(answer, "code"), "code_name", code == 0 ? "ok" : "disagreement",
		"value", value, "observed_at", number_of_vector(answer, "observed_at"), "spec",
		json_loadb((const char *)spec.p, spec.n, 0, NULL), "spec_hash",
		json_object_get(answer, "spec_hash"), "arguments", arguments, "request",
		request_of_vector(request), "value_abi", json_object_get(answer, "value"),
		"time_flags", json_object_get(rows, "time_flags"), "evidence", evidence_of(rows),
		"evidence_hash", json_object_get(rows, "hash"), "lineage",
		"0x577ed80fe680ee5375a8bb2ee47421de037916ce58263585d8d74a2de8f69999", "statement",
		statement_of_vector(statement, text_of(answer, "leaf")), "key",
		json_object_get(statement, "public"), "insecure",
		strcmp(text_of(statement, "domain"), "caisson/statement/v1/insecure") == 0);
	assert_non_null(document);
	if (strcmp(text_of(answer, "request"), "by REST") == 0)
		json_object_set_new(document, "audience", json_string("shop"));
	else
		/* envelope/identities.json, the first. */
		json_object_set_new(document, "contract",
				    json_pack("{s:s,s:s,s:s}", "chain", "eip155:31337", "genesis",
					      "0x3cb6ffdc70992376cef96cc70a44dbae4163ec80ac3055c856"
					      "be2cd8f9d90c65",
					      "address",
					      "0x5fbdb2315678afecb367f032d93f642f64180aa3"));
	json_decref(answers);
	json_decref(requests);
	json_decref(evidence);
	json_decref(statements);
	return document;
}

/* The next of all changes of one member, at every depth: another value for each scalar, one member
 * or element more or less for each object and list. Returns a changed copy, and in `what` where; NULL
 * when there are no more. */
struct changes {
	size_t at;
	size_t seen;
	char what[200];
};

static inline void change_scalar(json_t *parent, const char *key, size_t index, const json_t *old)
{
	json_t *fresh = NULL;
	if (json_is_string(old)) {
		char text[40000];
		size_t n = json_string_length(old);
		assert_true(n < sizeof(text) - 2);
		memcpy(text, json_string_value(old), n + 1);
		if (n == 0 || strcmp(text, "0x") == 0 || (text[n - 1] & 0x80) != 0)
			memcpy(text + n, n == 0 ? "a" : "00", n == 0 ? 2 : 3);
		else
			text[n - 1] = text[n - 1] == '1' ? '2' : '1';
		fresh = json_string(text);
	} else if (json_is_integer(old)) {
		fresh = json_integer(json_integer_value(old) + 1);
	} else if (json_is_boolean(old)) {
		fresh = json_boolean(!json_is_true(old));
	} else {
		fresh = json_string("1");
	}
	assert_non_null(fresh);
	assert_int_equal(key ? json_object_set_new(parent, key, fresh)
			     : json_array_set_new(parent, index, fresh),
			 0);
}

static inline bool change_here(struct changes *c)
{
	return c->seen++ == c->at;
}

static inline bool change_in(struct changes *c, json_t *node, const char *where)
{
	char path[160];
	const char *key;
	json_t *value;
	void *next;
	size_t i;
	snprintf(c->what, sizeof(c->what), "%s: one more", where);
	if (change_here(c))
		return (json_is_object(node)
				? json_object_set_new(node, "surprise", json_true())
				: json_array_append_new(node, json_string("0x00"))) == 0;
	json_object_foreach_safe(node, next, key, value)
	{
		snprintf(path, sizeof(path), "%.100s.%.40s", where, key);
		snprintf(c->what, sizeof(c->what), "%s: gone", path);
		if (change_here(c))
			return json_object_del(node, key) == 0;
		if (json_is_object(value) || json_is_array(value)) {
			if (change_in(c, value, path))
				return true;
			continue;
		}
		snprintf(c->what, sizeof(c->what), "%s: another", path);
		if (change_here(c)) {
			change_scalar(node, key, 0, value);
			return true;
		}
	}
	json_array_foreach(node, i, value)
	{
		snprintf(path, sizeof(path), "%.100s[%zu]", where, i);
		snprintf(c->what, sizeof(c->what), "%s: gone", path);
		if (change_here(c))
			return json_array_remove(node, i) == 0;
		if (json_is_object(value) || json_is_array(value)) {
			if (change_in(c, value, path))
				return true;
			continue;
		}
		snprintf(c->what, sizeof(c->what), "%s: another", path);
		if (change_here(c)) {
			change_scalar(node, NULL, i, value);
			return true;
		}
	}
	return false;
}

static inline json_t *change_next(struct changes *c, const json_t *document)
{
	json_t *copy = json_deep_copy(document);
	c->seen = 0;
	if (change_in(c, copy, "$")) {
		c->at++;
		return copy;
	}
	json_decref(copy);
	return NULL;
}

#endif
