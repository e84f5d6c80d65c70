#include "oracle/answer_json.h"

#include "core/utf8.h"
#include "host/json_values.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* What every reader of JSON takes for the number that it is (RFC 8259, section 6); above it a number
 * is text. */
#define NUMBER_MAX ((UINT64_C(1) << 53) - 1)
#define U64_DECIMAL_MAX 20u
#define HOST_PORT_SIZE_MAX (WIRE_SPEC_HOST_SIZE_MAX + sizeof(":65535"))
#define TLS_1_2 0x0303u
#define TLS_1_3 0x0304u

/* ---- what follows from what ---- */

enum cs_err oracle_evidence_protocol(struct wire_evidence_source *source, uint32_t protocol)
{
	struct wire_evidence_source row = *source;
	row.version = (uint16_t)protocol;
	row.http2 = (protocol >> 16 & 1) != 0;
	row.reused = (protocol >> 17 & 1) != 0;
	row.stapled_good = (protocol >> 18 & 1) != 0;
	row.redirected = (protocol >> 19 & 1) != 0;
	row.sct_count = (uint8_t)(protocol >> 24);
	if (wire_evidence_protocol(&row) != protocol)
		return CS_ERR_INVALID;
	*source = row;
	return CS_OK;
}

/* NULL when it is no spec. */
static const struct wire_spec *parse_spec(struct cs_bytes text, struct cs_arena *arena)
{
	struct wire_spec *spec = cs_arena_alloc(arena, sizeof(*spec));
	if (!spec || wire_spec_parse(spec, text, arena, NULL) != CS_OK)
		return NULL;
	return spec;
}

json_t *oracle_value_json(struct cs_bytes spec_text, struct cs_bytes abi, struct cs_arena *arena)
{
	struct cs_buf buf;
	struct wire_value value;
	json_t *json = NULL;
	size_t mark = cs_arena_mark(arena);
	if (abi.n == 0)
		return json_null();
	const struct wire_spec *spec = parse_spec(spec_text, arena);
	/* A word becomes at most some hundred characters, a byte at most six. */
	if (spec && wire_value_decode(&value, &spec->type, abi, arena) == CS_OK &&
	    cs_buf_init_arena(&buf, arena, 8 * abi.n + 4096) == CS_OK &&
	    wire_value_json(&buf, &spec->type, &value) == CS_OK)
		json = json_loadb((const char *)buf.p, buf.n, JSON_DECODE_ANY | JSON_ALLOW_NUL,
				  NULL);
	cs_arena_rewind(arena, mark);
	return json;
}

static enum cs_err check_app(const struct oracle_answer *answer, struct cs_why *why)
{
	const struct wire_request *request = &answer->request;
	struct cs_hash receiver = wire_app_identity(answer->audience);
	struct cs_hash asker = wire_app_asker(answer->audience);
	struct cs_u256 none = {{0}};
	if (!cs_hash_eq(&receiver, &request->receiver) || !cs_hash_eq(&asker, &request->asker))
		return cs_fail(why, CS_ERR_WRONG_DESTINATION,
			       "audience: the receiver or the asker is another");
	if (!cs_hash_is_zero(&request->callback) || request->callback_gas != 0 ||
	    memcmp(&request->fee, &none, sizeof(none)) != 0)
		return cs_fail(why, CS_ERR_INVALID, "request: an app has no callback and no fee");
	if (answer->answer.observed_at < request->time)
		return cs_fail(why, CS_ERR_INVALID, "observed_at: before it was asked");
	return CS_OK;
}

static enum cs_err check_contract(const struct oracle_answer *answer, struct cs_why *why)
{
	const struct oracle_answer_contract *contract = &answer->contract;
	struct cs_hash identity = wire_identity(cs_bytes_str(contract->caip2), &contract->genesis,
						CS_BYTES_OF(contract->address.b));
	if (!cs_hash_eq(&identity, &answer->request.receiver))
		return cs_fail(why, CS_ERR_WRONG_DESTINATION,
			       "contract: the receiver is another one");
	return CS_OK;
}

static enum cs_err check_request(const struct oracle_answer *answer, struct cs_why *why)
{
	const struct wire_request *request = &answer->request;
	if (!cs_hash_eq(&request->spec_hash, &answer->answer.spec_hash))
		return cs_fail(why, CS_ERR_INVALID, "spec_hash: not that of the request");
	struct cs_hash hash = wire_arguments_hash(answer->arguments, answer->argument_count);
	if (!cs_hash_eq(&hash, &request->arguments_hash))
		return cs_fail(why, CS_ERR_INVALID, "arguments: not those of the request");
	hash = wire_request_id(request);
	if (!cs_hash_eq(&hash, &answer->answer.request_id))
		return cs_fail(why, CS_ERR_INVALID, "id: not the requestId of the request");
	return answer->app ? check_app(answer, why) : check_contract(answer, why);
}

/* A round's value is a word of the contract's: what its spec calls it is checked as well. */
static enum cs_err check_round(const struct oracle_answer *answer, struct cs_arena *arena,
			       struct cs_why *why)
{
	struct cs_hash id = wire_feed_id(&answer->request.receiver, answer->feed_index);
	if (answer->app || answer->argument_count != 0)
		return cs_fail(why, CS_ERR_INVALID, "a round has no audience and no arguments");
	if (!cs_hash_eq(&id, &answer->answer.request_id))
		return cs_fail(why, CS_ERR_INVALID, "id: not the feedId of this index");
	size_t mark = cs_arena_mark(arena);
	const struct wire_spec *spec = parse_spec(answer->spec, arena);
	bool fits = spec && spec->type.kind == WIRE_TYPE_INT256 && !spec->type.array;
	cs_arena_rewind(arena, mark);
	if (!fits)
		return cs_fail(why, CS_ERR_INVALID, "spec: a feed's result is one int256");
	return check_contract(answer, why);
}

static enum cs_err check_hashes(const struct oracle_answer *answer, struct cs_why *why)
{
	struct cs_hash hash = wire_spec_hash(answer->spec);
	if (!cs_hash_eq(&hash, &answer->answer.spec_hash))
		return cs_fail(why, CS_ERR_INVALID, "spec_hash: not the hash of the spec");
	hash = wire_evidence_hash(answer->time_flags, answer->sources, answer->source_count);
	if (!cs_hash_eq(&hash, &answer->answer.evidence_hash))
		return cs_fail(why, CS_ERR_INVALID, "evidence_hash: not the hash of the rows");
	return CS_OK;
}

/* What the document has no word for. */
static enum cs_err check_rows(const struct oracle_answer *answer, struct cs_why *why)
{
	for (size_t i = 0; i < answer->source_count; i++) {
		const struct wire_evidence_source *row = &answer->sources[i];
		if (!wire_oracle_code_name(row->code) || row->index != i ||
		    (row->version != 0 && row->version != TLS_1_2 && row->version != TLS_1_3))
			return cs_fail(why, CS_ERR_INVALID, "evidence[%zu]: no row of an oracle's",
				       i);
	}
	return CS_OK;
}

static enum cs_err check_value(const struct oracle_answer *answer, struct cs_arena *arena,
			       struct cs_why *why)
{
	if (!wire_oracle_code_name(answer->answer.code))
		return cs_fail(why, CS_ERR_INVALID, "code: there is no such code");
	if ((answer->answer.code == WIRE_ORACLE_OK) != (answer->answer.value.n != 0))
		return cs_fail(why, CS_ERR_INVALID, "value: there is one with the code 0 alone");
	json_t *value = oracle_value_json(answer->spec, answer->answer.value, arena);
	if (!value)
		return cs_fail(why, CS_ERR_INVALID, "value: not of the type that the spec names");
	json_decref(value);
	return CS_OK;
}

/* check_value has seen that the value of a round is a word. */
static struct cs_hash leaf_of(const struct oracle_answer *answer)
{
	const struct wire_answer *part = &answer->answer;
	struct wire_feed_value feed = {.feed_id = part->request_id,
				       .spec_hash = part->spec_hash,
				       .observed_at = part->observed_at,
				       .evidence_hash = part->evidence_hash};
	if (!answer->round || part->value.n != sizeof(feed.value.b))
		return wire_leaf_answer(part);
	memcpy(feed.value.b, part->value.p, sizeof(feed.value.b));
	return wire_leaf_feed(&feed);
}

static enum cs_err check_statement(const struct oracle_answer *answer, struct cs_why *why)
{
	const struct wire_statement *statement = &answer->statement.statement;
	struct cs_hash signer = wire_oracle_identity(&answer->lineage);
	if (statement->kind != WIRE_KIND_ANSWER)
		return cs_fail(why, CS_ERR_WRONG_DESTINATION, "statement: not of answers");
	if (!cs_hash_eq(&signer, &statement->signer))
		return cs_fail(why, CS_ERR_WRONG_DESTINATION,
			       "statement: the signer is not the oracle of this lineage");
	if (!cs_hash_eq(&statement->receiver, &answer->request.receiver))
		return cs_fail(why, CS_ERR_WRONG_DESTINATION,
			       "statement: the receiver is not the request's");
	struct cs_hash leaf = leaf_of(answer);
	struct cs_hash root =
		wire_fold(&leaf, answer->statement.path, answer->statement.path_count);
	if (!cs_hash_eq(&root, &statement->root))
		return cs_fail(why, CS_ERR_INVALID,
			       "statement: the answer does not lead to its root");
	return CS_OK;
}

enum cs_err oracle_answer_check(const struct oracle_answer *answer, struct cs_arena *arena,
				struct cs_why *why)
{
	CS_TRY(check_hashes(answer, why));
	CS_TRY(answer->round ? check_round(answer, arena, why) : check_request(answer, why));
	CS_TRY(check_rows(answer, why));
	CS_TRY(check_value(answer, arena, why));
	return check_statement(answer, why);
}

enum cs_err oracle_answer_verify(const struct oracle_answer *answer, const struct cs_sig *sig,
				 const struct cs_hash *key)
{
	struct cs_hash leaf = leaf_of(answer);
	return wire_signed_verify(sig, &answer->statement, &leaf, key,
				  answer->insecure ? WIRE_DOMAIN_INSECURE : WIRE_DOMAIN_SECURE);
}

/* ---- writing ---- */

json_t *oracle_json_u64(uint64_t value)
{
	char text[U64_DECIMAL_MAX + 1];
	if (value <= NUMBER_MAX)
		return json_integer((json_int_t)value);
	snprintf(text, sizeof(text), "%" PRIu64, value);
	return json_string(text);
}

static json_t *text(struct cs_bytes bytes)
{
	/* An empty view may point nowhere, which is no text to jansson. */
	return json_stringn(bytes.n != 0 ? (const char *)bytes.p : "", bytes.n);
}

/* jansson's tree and back: what it cannot hold (numbers above 64 bits, keys with a zero) is kept as
 * bytes, and so is what is no spec. */
static enum cs_err canonical(struct cs_buf *buf, const json_t *json, struct cs_arena *arena,
			     struct cs_why *why)
{
	const struct cs_json *tree;
	char *dumped = json_dumps(json, JSON_COMPACT);
	if (!dumped)
		return cs_fail(why, CS_ERR_NO_MEMORY, "spec: no memory");
	struct cs_bytes copy = cs_arena_copy(arena, cs_bytes_str(dumped));
	free(dumped);
	if (!copy.p)
		return cs_fail(why, CS_ERR_NO_MEMORY, "spec: no memory");
	CS_TRY(cs_json_parse(&tree, copy, CS_JSON_INTEGERS, arena, why));
	return cs_json_write(buf, tree, arena);
}

static json_t *spec_json(struct cs_bytes spec, struct cs_arena *arena)
{
	struct cs_buf buf;
	size_t mark = cs_arena_mark(arena);
	json_t *json = json_loadb((const char *)spec.p, spec.n,
				  JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
	bool same = json_is_object(json) &&
		    cs_buf_init_arena(&buf, arena, WIRE_SPEC_SIZE_MAX) == CS_OK &&
		    canonical(&buf, json, arena, NULL) == CS_OK &&
		    cs_bytes_eq(cs_buf_view(&buf), spec);
	cs_arena_rewind(arena, mark);
	if (same)
		return json;
	json_decref(json);
	return host_json_hex(spec);
}

static json_t *arguments_json(const struct oracle_answer *answer)
{
	json_t *list = json_array();
	for (size_t i = 0; i < answer->argument_count; i++) {
		struct cs_bytes bytes = answer->arguments[i];
		json_array_append_new(list,
				      cs_utf8_is_valid(bytes)
					      ? text(bytes)
					      : json_pack("{s:o}", "bytes", host_json_hex(bytes)));
	}
	return list;
}

static json_t *request_json(const struct wire_request *request)
{
	char counter[U64_DECIMAL_MAX + 1];
	char fee[CS_U256_DECIMAL_SIZE];
	json_t *json = json_object();
	snprintf(counter, sizeof(counter), "%" PRIu64, request->counter);
	cs_u256_decimal(fee, &request->fee);
	json_object_set_new(json, "counter", json_string(counter));
	json_object_set_new(json, "asker", host_json_hash(&request->asker));
	json_object_set_new(json, "secrets_hash", host_json_hash(&request->secrets_hash));
	json_object_set_new(json, "callback", host_json_hash(&request->callback));
	json_object_set_new(json, "callback_gas", oracle_json_u64(request->callback_gas));
	json_object_set_new(json, "fee", json_string(fee));
	json_object_set_new(json, "max_age", oracle_json_u64(request->max_age));
	json_object_set_new(json, "time", oracle_json_u64(request->time));
	json_object_set_new(json, "deadline", oracle_json_u64(request->deadline));
	return json;
}

static json_t *source_json(const struct wire_evidence_source *row)
{
	uint8_t cipher[2];
	json_t *json = json_object();
	cs_put_be16(cipher, row->cipher);
	json_object_set_new(json, "index", oracle_json_u64(row->index));
	json_object_set_new(json, "code", oracle_json_u64(row->code));
	json_object_set_new(json, "code_name", json_string(wire_oracle_code_name(row->code)));
	json_object_set_new(json, "host", text(row->host_port));
	json_object_set_new(json, "leaf_spki", host_json_hash(&row->leaf_spki));
	json_object_set_new(json, "issuer_spki", host_json_hash(&row->issuer_spki));
	json_object_set_new(json, "tls",
			    row->version == TLS_1_3   ? json_string("1.3")
			    : row->version == TLS_1_2 ? json_string("1.2")
						      : json_null());
	json_object_set_new(json, "cipher", host_json_hex(CS_BYTES_OF(cipher)));
	json_object_set_new(json, "http2", json_boolean(row->http2));
	json_object_set_new(json, "reused", json_boolean(row->reused));
	json_object_set_new(json, "stapled", json_boolean(row->stapled_good));
	json_object_set_new(json, "redirected", json_boolean(row->redirected));
	json_object_set_new(json, "timestamps", oracle_json_u64(row->sct_count));
	json_object_set_new(json, "response", host_json_hash(&row->response));
	json_object_set_new(json, "completed", oracle_json_u64(row->completed));
	return json;
}

static json_t *statement_json(const struct wire_signed *signed_)
{
	const struct wire_statement *statement = &signed_->statement;
	json_t *json = json_object();
	json_t *path = json_array();
	for (size_t i = 0; i < signed_->path_count; i++)
		json_array_append_new(path, host_json_hash(&signed_->path[i]));
	json_object_set_new(json, "kind", oracle_json_u64(statement->kind));
	json_object_set_new(json, "signer", host_json_hash(&statement->signer));
	json_object_set_new(json, "receiver", host_json_hash(&statement->receiver));
	json_object_set_new(json, "epoch", oracle_json_u64(statement->epoch));
	json_object_set_new(json, "manifest", oracle_json_u64(statement->manifest_number));
	json_object_set_new(json, "root", host_json_hash(&statement->root));
	json_object_set_new(json, "rx", host_json_hash(&signed_->signature.rx));
	json_object_set_new(json, "ry", host_json_hash(&signed_->signature.ry));
	json_object_set_new(json, "s", host_json_hash(&signed_->signature.s));
	json_object_set_new(json, "path", path);
	return json;
}

static void set_asker(json_t *json, const struct oracle_answer *answer)
{
	const struct oracle_answer_contract *contract = &answer->contract;
	if (answer->app) {
		json_object_set_new(json, "audience", text(answer->audience));
		return;
	}
	json_t *object = json_pack("{s:s,s:o,s:o}", "chain", contract->caip2, "genesis",
				   host_json_hash(&contract->genesis), "address",
				   host_json_hex(CS_BYTES_OF(contract->address.b)));
	if (answer->round)
		json_object_set_new(object, "index", oracle_json_u64(answer->feed_index));
	json_object_set_new(json, "contract", object);
}

json_t *oracle_answer_json(const struct oracle_answer *answer, struct cs_arena *arena)
{
	const struct wire_answer *part = &answer->answer;
	json_t *json = json_object();
	json_t *rows = json_array();
	for (size_t i = 0; i < answer->source_count; i++)
		json_array_append_new(rows, source_json(&answer->sources[i]));
	json_object_set_new(
		json, "kind",
		json_string(answer->round ? ORACLE_ANSWER_KIND_ROUND : ORACLE_ANSWER_KIND));
	json_object_set_new(json, "id", host_json_hash(&part->request_id));
	json_object_set_new(json, "code", oracle_json_u64(part->code));
	json_object_set_new(json, "code_name", json_string(wire_oracle_code_name(part->code)));
	json_object_set_new(json, "value", oracle_value_json(answer->spec, part->value, arena));
	json_object_set_new(json, "observed_at", oracle_json_u64(part->observed_at));
	set_asker(json, answer);
	json_object_set_new(json, "spec", spec_json(answer->spec, arena));
	json_object_set_new(json, "spec_hash", host_json_hash(&part->spec_hash));
	if (!answer->round) {
		json_object_set_new(json, "arguments", arguments_json(answer));
		json_object_set_new(json, "request", request_json(&answer->request));
	}
	json_object_set_new(json, "value_abi", host_json_hex(part->value));
	json_object_set_new(json, "time_flags", oracle_json_u64(answer->time_flags));
	json_object_set_new(json, "evidence", rows);
	json_object_set_new(json, "evidence_hash", host_json_hash(&part->evidence_hash));
	json_object_set_new(json, "lineage", host_json_hash(&answer->lineage));
	json_object_set_new(json, "statement", statement_json(&answer->statement));
	json_object_set_new(json, "key", host_json_hash(&answer->key));
	json_object_set_new(json, "insecure", json_boolean(answer->insecure));
	json_object_set_new(json, "enclave_evidence_digest",
			    answer->has_enclave_evidence ? host_json_hash(&answer->enclave_evidence)
							 : json_null());
	return json;
}

/* ---- reading ---- */

static enum cs_err read_text(const json_t *object, const char *name, size_t size_max,
			     struct cs_bytes *out, struct cs_why *why)
{
	const json_t *field = json_object_get(object, name);
	if (!field)
		return cs_fail(why, CS_ERR_MISSING_FIELD, "%s: is missing", name);
	if (!json_is_string(field))
		return cs_fail(why, CS_ERR_MALFORMED, "%s: not a text", name);
	if (json_string_length(field) > size_max)
		return cs_fail(why, CS_ERR_TOO_LARGE, "%s: above %zu bytes", name, size_max);
	*out = cs_bytes(json_string_value(field), json_string_length(field));
	return CS_OK;
}

/* A number as request_json and the others write it: one form for each. */
static enum cs_err read_number(const json_t *object, const char *name, uint64_t max, uint64_t *out,
			       struct cs_why *why)
{
	const json_t *field = json_object_get(object, name);
	struct cs_u256 wide;
	uint64_t value = 0;
	if (!field)
		return cs_fail(why, CS_ERR_MISSING_FIELD, "%s: is missing", name);
	if (json_is_integer(field)) {
		if (json_integer_value(field) < 0)
			return cs_fail(why, CS_ERR_OVERFLOW, "%s: below 0", name);
		value = (uint64_t)json_integer_value(field);
	} else if (!json_is_string(field) ||
		   cs_u256_from_decimal(&wide, cs_bytes(json_string_value(field),
							json_string_length(field))) != CS_OK ||
		   cs_u256_to_u64(&value, &wide) != CS_OK) {
		return cs_fail(why, CS_ERR_MALFORMED, "%s: not a number of 64 bits", name);
	}
	if (json_is_integer(field) != (value <= NUMBER_MAX))
		return cs_fail(why, CS_ERR_NON_CANONICAL,
			       "%s: text above 2^53 - 1, a number up to it", name);
	if (value > max)
		return cs_fail(why, CS_ERR_OVERFLOW, "%s: above %" PRIu64, name, max);
	*out = value;
	return CS_OK;
}

static enum cs_err read_flag(const json_t *object, const char *name, bool *out, struct cs_why *why)
{
	const json_t *field = json_object_get(object, name);
	if (!field)
		return cs_fail(why, CS_ERR_MISSING_FIELD, "%s: is missing", name);
	if (!json_is_boolean(field))
		return cs_fail(why, CS_ERR_MALFORMED, "%s: neither true nor false", name);
	*out = json_is_true(field);
	return CS_OK;
}

static enum cs_err read_code(const json_t *object, uint32_t *out, struct cs_why *why)
{
	uint64_t code = 0;
	struct cs_bytes name;
	CS_TRY(read_number(object, "code", UINT8_MAX, &code, why));
	CS_TRY(read_text(object, "code_name", 64, &name, why));
	const char *known = wire_oracle_code_name((uint32_t)code);
	if (!known || !cs_bytes_eq(name, cs_bytes_str(known)))
		return cs_fail(why, CS_ERR_INVALID, "code_name: not the name of the code");
	*out = (uint32_t)code;
	return CS_OK;
}

static enum cs_err read_spec(struct oracle_answer *out, const json_t *document,
			     struct cs_arena *arena, struct cs_why *why)
{
	struct cs_buf buf;
	const json_t *spec = json_object_get(document, "spec");
	if (!json_is_object(spec))
		return host_json_read_hex(document, "spec", WIRE_SPEC_SIZE_MAX, arena, &out->spec,
					  why);
	CS_TRY(cs_buf_init_arena(&buf, arena, WIRE_SPEC_SIZE_MAX));
	size_t mark = cs_arena_mark(arena);
	enum cs_err err = canonical(&buf, spec, arena, why);
	cs_arena_rewind(arena, mark);
	if (err != CS_OK)
		return cs_fail(why, err, "spec: has no canonical form");
	out->spec = cs_buf_view(&buf);
	return CS_OK;
}

static enum cs_err read_arguments(struct oracle_answer *out, const json_t *document,
				  struct cs_arena *arena, struct cs_why *why)
{
	static const char *const names[] = {"bytes", NULL};
	const json_t *list = json_object_get(document, "arguments");
	if (!json_is_array(list) || json_array_size(list) > WIRE_ARGUMENTS_MAX)
		return cs_fail(why, CS_ERR_MALFORMED, "arguments: not a list of at most %u",
			       WIRE_ARGUMENTS_MAX);
	out->argument_count = json_array_size(list);
	for (size_t i = 0; i < out->argument_count; i++) {
		const json_t *one = json_array_get(list, i);
		if (json_is_string(one)) {
			out->arguments[i] =
				cs_bytes(json_string_value(one), json_string_length(one));
		} else {
			CS_TRY(host_json_known(one, names, "arguments", why));
			CS_TRY(host_json_read_hex(one, "bytes", WIRE_ARGUMENT_SIZE_MAX, arena,
						  &out->arguments[i], why));
			if (cs_utf8_is_valid(out->arguments[i]))
				return cs_fail(why, CS_ERR_NON_CANONICAL,
					       "arguments[%zu]: text is written as text", i);
		}
		if (out->arguments[i].n > WIRE_ARGUMENT_SIZE_MAX)
			return cs_fail(why, CS_ERR_TOO_LARGE, "arguments[%zu]: above %u bytes", i,
				       WIRE_ARGUMENT_SIZE_MAX);
	}
	return CS_OK;
}

static enum cs_err read_request(struct wire_request *out, const json_t *object, struct cs_why *why)
{
	static const char *const names[] = {"counter",      "asker", "secrets_hash", "callback",
					    "callback_gas", "fee",   "max_age",      "time",
					    "deadline",     NULL};
	struct cs_bytes counter;
	struct cs_bytes fee;
	struct cs_u256 wide;
	CS_TRY(host_json_known(object, names, "request", why));
	CS_TRY(read_text(object, "counter", U64_DECIMAL_MAX, &counter, why));
	if (cs_u256_from_decimal(&wide, counter) != CS_OK ||
	    cs_u256_to_u64(&out->counter, &wide) != CS_OK)
		return cs_fail(why, CS_ERR_MALFORMED, "counter: not the decimals of 64 bits");
	CS_TRY(read_text(object, "fee", CS_U256_DECIMAL_SIZE, &fee, why));
	if (cs_u256_from_decimal(&out->fee, fee) != CS_OK)
		return cs_fail(why, CS_ERR_MALFORMED, "fee: not the decimals of 256 bits");
	CS_TRY(host_json_read_hash(object, "asker", &out->asker, why));
	CS_TRY(host_json_read_hash(object, "secrets_hash", &out->secrets_hash, why));
	CS_TRY(host_json_read_hash(object, "callback", &out->callback, why));
	CS_TRY(read_number(object, "callback_gas", UINT64_MAX, &out->callback_gas, why));
	CS_TRY(read_number(object, "max_age", UINT64_MAX, &out->max_age, why));
	CS_TRY(read_number(object, "time", UINT64_MAX, &out->time, why));
	return read_number(object, "deadline", UINT64_MAX, &out->deadline, why);
}

static enum cs_err read_version(const json_t *object, uint16_t *out, struct cs_why *why)
{
	struct cs_bytes name;
	if (json_is_null(json_object_get(object, "tls"))) {
		*out = 0;
		return CS_OK;
	}
	CS_TRY(read_text(object, "tls", sizeof("1.3"), &name, why));
	if (cs_bytes_eq(name, cs_bytes_str("1.3")))
		*out = TLS_1_3;
	else if (cs_bytes_eq(name, cs_bytes_str("1.2")))
		*out = TLS_1_2;
	else
		return cs_fail(why, CS_ERR_INVALID, "tls: neither 1.2 nor 1.3");
	return CS_OK;
}

static enum cs_err read_source(struct wire_evidence_source *row, const json_t *object,
			       struct cs_arena *arena, struct cs_why *why)
{
	static const char *const names[] = {"index",      "code",        "code_name", "host",
					    "leaf_spki",  "issuer_spki", "tls",       "cipher",
					    "http2",      "reused",      "stapled",   "redirected",
					    "timestamps", "response",    "completed", NULL};
	struct cs_bytes cipher;
	uint64_t index = 0;
	uint64_t timestamps = 0;
	CS_TRY(host_json_known(object, names, "evidence", why));
	CS_TRY(read_number(object, "index", UINT8_MAX, &index, why));
	CS_TRY(read_code(object, &row->code, why));
	CS_TRY(read_text(object, "host", HOST_PORT_SIZE_MAX, &row->host_port, why));
	CS_TRY(host_json_read_hash(object, "leaf_spki", &row->leaf_spki, why));
	CS_TRY(host_json_read_hash(object, "issuer_spki", &row->issuer_spki, why));
	CS_TRY(read_version(object, &row->version, why));
	CS_TRY(host_json_read_hex(object, "cipher", sizeof(uint16_t), arena, &cipher, why));
	if (cipher.n != sizeof(uint16_t))
		return cs_fail(why, CS_ERR_MALFORMED, "cipher: not two bytes of hex");
	CS_TRY(read_flag(object, "http2", &row->http2, why));
	CS_TRY(read_flag(object, "reused", &row->reused, why));
	CS_TRY(read_flag(object, "stapled", &row->stapled_good, why));
	CS_TRY(read_flag(object, "redirected", &row->redirected, why));
	CS_TRY(read_number(object, "timestamps", UINT8_MAX, &timestamps, why));
	CS_TRY(host_json_read_hash(object, "response", &row->response, why));
	CS_TRY(read_number(object, "completed", UINT64_MAX, &row->completed, why));
	row->index = (uint8_t)index;
	row->cipher = cs_be16(cipher.p);
	row->sct_count = (uint8_t)timestamps;
	return CS_OK;
}

static enum cs_err read_evidence(struct oracle_answer *out, const json_t *document,
				 struct cs_arena *arena, struct cs_why *why)
{
	const json_t *list = json_object_get(document, "evidence");
	if (!json_is_array(list) || json_array_size(list) > WIRE_SOURCES_MAX)
		return cs_fail(why, CS_ERR_MALFORMED, "evidence: not a list of at most %u rows",
			       WIRE_SOURCES_MAX);
	out->source_count = json_array_size(list);
	for (size_t i = 0; i < out->source_count; i++)
		CS_TRY(read_source(&out->sources[i], json_array_get(list, i), arena, why));
	CS_TRY(read_number(document, "time_flags", UINT64_MAX, &out->time_flags, why));
	return host_json_read_hash(document, "evidence_hash", &out->answer.evidence_hash, why);
}

static enum cs_err read_statement(struct wire_signed *out, const json_t *object, struct cs_why *why)
{
	static const char *const names[] = {"kind",     "signer", "receiver", "epoch",
					    "manifest", "root",   "rx",       "ry",
					    "s",        "path",   NULL};
	uint64_t kind = 0;
	struct wire_statement *statement = &out->statement;
	CS_TRY(host_json_known(object, names, "statement", why));
	CS_TRY(read_number(object, "kind", UINT8_MAX, &kind, why));
	if (kind != WIRE_KIND_ANSWER)
		return cs_fail(why, CS_ERR_WRONG_DESTINATION, "kind: not that of answers");
	statement->kind = WIRE_KIND_ANSWER;
	CS_TRY(host_json_read_hash(object, "signer", &statement->signer, why));
	CS_TRY(host_json_read_hash(object, "receiver", &statement->receiver, why));
	CS_TRY(read_number(object, "epoch", UINT64_MAX, &statement->epoch, why));
	CS_TRY(read_number(object, "manifest", UINT64_MAX, &statement->manifest_number, why));
	CS_TRY(host_json_read_hash(object, "root", &statement->root, why));
	CS_TRY(host_json_read_hash(object, "rx", &out->signature.rx, why));
	CS_TRY(host_json_read_hash(object, "ry", &out->signature.ry, why));
	CS_TRY(host_json_read_hash(object, "s", &out->signature.s, why));
	if (!json_object_get(object, "path"))
		return cs_fail(why, CS_ERR_MISSING_FIELD, "path: is missing");
	return host_json_read_path(object, out, why);
}

static enum cs_err read_asker(struct oracle_answer *out, const json_t *document,
			      struct cs_arena *arena, struct cs_why *why)
{
	static const char *const names[] = {"chain", "genesis", "address", NULL};
	static const char *const names_of_feed[] = {"chain", "genesis", "address", "index", NULL};
	const json_t *object = json_object_get(document, "contract");
	struct oracle_answer_contract *contract = &out->contract;
	struct cs_bytes chain;
	struct cs_bytes address;
	struct cs_caip2 caip2;
	out->app = !out->round && json_object_get(document, "audience") != NULL;
	if (out->app == (object != NULL))
		return cs_fail(why, CS_ERR_INVALID, "one of audience and contract is there");
	if (out->app)
		return read_text(document, "audience", WIRE_AUDIENCE_SIZE_MAX, &out->audience, why);
	CS_TRY(host_json_known(object, out->round ? names_of_feed : names, "contract", why));
	if (out->round)
		CS_TRY(read_number(object, "index", UINT64_MAX, &out->feed_index, why));
	CS_TRY(read_text(object, "chain", CS_CAIP2_SIZE_MAX, &chain, why));
	if (cs_caip2_parse(&caip2, chain) != CS_OK)
		return cs_fail(why, CS_ERR_MALFORMED, "chain: not the CAIP-2 name of a chain");
	CS_TRY(host_json_read_hash(object, "genesis", &contract->genesis, why));
	CS_TRY(host_json_read_hex(object, "address", sizeof(contract->address.b), arena, &address,
				  why));
	if (address.n != sizeof(contract->address.b))
		return cs_fail(why, CS_ERR_MALFORMED, "address: not 20 bytes of hex");
	memcpy(contract->caip2, chain.p, chain.n);
	memcpy(contract->address.b, address.p, address.n);
	return CS_OK;
}

/* What is there for people has to say what is signed. */
static enum cs_err check_told(const struct oracle_answer *answer, const json_t *document,
			      struct cs_arena *arena, struct cs_why *why)
{
	const json_t *told = json_object_get(document, "value");
	json_t *value = oracle_value_json(answer->spec, answer->answer.value, arena);
	bool same = told && value && json_equal(value, told);
	json_decref(value);
	if (!same)
		return cs_fail(why, CS_ERR_INVALID, "value: value_abi says another");
	return CS_OK;
}

/* Which document it is, and that it has no member that such a one has not. */
static enum cs_err read_kind(bool *round, const json_t *document, struct cs_why *why)
{
	static const char *const names[] = {"kind",
					    "id",
					    "code",
					    "code_name",
					    "value",
					    "observed_at",
					    "audience",
					    "contract",
					    "spec",
					    "spec_hash",
					    "arguments",
					    "request",
					    "value_abi",
					    "time_flags",
					    "evidence",
					    "evidence_hash",
					    "lineage",
					    "statement",
					    "key",
					    "insecure",
					    "enclave_evidence_digest",
					    NULL};
	static const char *const names_of_round[] = {"kind",
						     "id",
						     "code",
						     "code_name",
						     "value",
						     "observed_at",
						     "contract",
						     "spec",
						     "spec_hash",
						     "value_abi",
						     "time_flags",
						     "evidence",
						     "evidence_hash",
						     "lineage",
						     "statement",
						     "key",
						     "insecure",
						     "enclave_evidence_digest",
						     NULL};
	struct cs_bytes kind;
	if (!json_is_object(document))
		return cs_fail(why, CS_ERR_MALFORMED, "answer: not an object");
	CS_TRY(read_text(document, "kind", 64, &kind, why));
	*round = cs_bytes_eq(kind, cs_bytes_str(ORACLE_ANSWER_KIND_ROUND));
	if (!*round && !cs_bytes_eq(kind, cs_bytes_str(ORACLE_ANSWER_KIND)))
		return cs_fail(why, CS_ERR_INVALID,
			       "kind: neither " ORACLE_ANSWER_KIND
			       " nor " ORACLE_ANSWER_KIND_ROUND);
	return host_json_known(document, *round ? names_of_round : names, "answer", why);
}

static enum cs_err read_question(struct oracle_answer *out, const json_t *document,
				 struct cs_arena *arena, struct cs_why *why)
{
	CS_TRY(read_arguments(out, document, arena, why));
	CS_TRY(read_request(&out->request, json_object_get(document, "request"), why));
	out->request.spec_hash = out->answer.spec_hash;
	out->request.arguments_hash = wire_arguments_hash(out->arguments, out->argument_count);
	return CS_OK;
}

/* Null where the oracle has none for the key; not there in documents of before there was any. */
static enum cs_err read_enclave_evidence(struct oracle_answer *out, const json_t *document,
					 struct cs_why *why)
{
	static const char name[] = "enclave_evidence_digest";
	const json_t *field = json_object_get(document, name);
	out->has_enclave_evidence = field && !json_is_null(field);
	if (!out->has_enclave_evidence)
		return CS_OK;
	return host_json_read_hash(document, name, &out->enclave_evidence, why);
}

static enum cs_err read_parts(struct oracle_answer *out, const json_t *document,
			      struct cs_arena *arena, struct cs_why *why)
{
	struct wire_answer *part = &out->answer;
	CS_TRY(read_kind(&out->round, document, why));
	CS_TRY(host_json_read_hash(document, "id", &part->request_id, why));
	CS_TRY(read_code(document, &part->code, why));
	CS_TRY(read_number(document, "observed_at", UINT64_MAX, &part->observed_at, why));
	CS_TRY(read_asker(out, document, arena, why));
	CS_TRY(read_spec(out, document, arena, why));
	CS_TRY(host_json_read_hash(document, "spec_hash", &part->spec_hash, why));
	if (!out->round)
		CS_TRY(read_question(out, document, arena, why));
	CS_TRY(host_json_read_hex(document, "value_abi", WIRE_VALUE_SIZE_MAX, arena, &part->value,
				  why));
	CS_TRY(read_evidence(out, document, arena, why));
	CS_TRY(host_json_read_hash(document, "lineage", &out->lineage, why));
	CS_TRY(read_statement(&out->statement, json_object_get(document, "statement"), why));
	CS_TRY(host_json_read_hash(document, "key", &out->key, why));
	CS_TRY(read_flag(document, "insecure", &out->insecure, why));
	CS_TRY(read_enclave_evidence(out, document, why));
	out->request.receiver = out->statement.statement.receiver;
	return CS_OK;
}

enum cs_err oracle_answer_read(struct oracle_answer *out, const json_t *document,
			       struct cs_arena *arena, struct cs_why *why)
{
	struct oracle_answer *answer = cs_arena_calloc(arena, 1, sizeof(*answer));
	if (!answer)
		return cs_fail(why, CS_ERR_NO_MEMORY, "answer: no memory");
	CS_TRY(read_parts(answer, document, arena, why));
	CS_TRY(oracle_answer_check(answer, arena, why));
	CS_TRY(check_told(answer, document, arena, why));
	*out = *answer;
	return CS_OK;
}
