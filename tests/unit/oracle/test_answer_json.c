/* The signed answer as a document, against documents that were put together from vectors. */
#include "oracle/answer_json.h"
#include "tests/unit/oracle/answers.h"

static struct cs_arena arena;

static enum cs_err read_and_verify(const json_t *document, struct oracle_answer *answer)
{
	struct cs_why why = {{0}};
	struct cs_sig *sig = cs_sig_new(NULL);
	assert_non_null(sig);
	arena.used = 0;
	enum cs_err err = oracle_answer_read(answer, document, &arena, &why);
	if (err == CS_OK)
		err = oracle_answer_verify(answer, sig, &answer->key);
	else
		assert_true(why.text[0] != 0);
	cs_sig_free(sig);
	return err;
}

static const struct sample {
	const char *answer;
	const char *statement;
	const char *value; /* JSON */
} samples[] = {
	{"price", "one answer", "\"67123.45000000\""},
	{"price", "one answer, insecure", "\"67123.45000000\""},
	{"price", "largest epoch and manifest", "\"67123.45000000\""},
	{"price", "five answers", "\"67123.45000000\""},
	{"negative", "five answers", "\"-0.00000001\""},
	{"text", "five answers", "\"hello\""},
	{"disagreement", "five answers", "null"},
	{"by REST", "an answer by REST", "\"0.00000001\""},
	{"price", "a feed's value and an answer of one receiver", "\"67123.45000000\""},
};

static json_t *document_of(const struct sample *sample)
{
	return answer_document(sample->answer, sample->statement,
			       json_loads(sample->value, JSON_DECODE_ANY, NULL));
}

static void vectors_verify_and_are_written_again(void **state)
{
	static struct oracle_answer answer;
	(void)state;
	for (size_t i = 0; i < CS_LEN(samples); i++) {
		json_t *document = document_of(&samples[i]);
		enum cs_err err = read_and_verify(document, &answer);
		if (err != CS_OK)
			fail_msg("%s of %s: %s", samples[i].answer, samples[i].statement,
				 cs_err_name(err));
		json_t *again = oracle_answer_json(&answer, &arena);
		/* It is no part of what is signed, and was not there at first. */
		assert_true(json_is_null(json_object_get(again, "enclave_evidence_digest")));
		json_object_del(again, "enclave_evidence_digest");
		assert_true(json_equal(document, again));
		json_decref(again);
		json_decref(document);
	}
}

/* What is changed is no document, or not what was signed; the key alone is the file's own word. */
static void every_single_change_is_refused(void **state)
{
	static struct oracle_answer answer;
	(void)state;
	for (size_t i = 0; i < CS_LEN(samples); i++) {
		struct changes changes = {0};
		json_t *document = document_of(&samples[i]);
		json_t *changed;
		while ((changed = change_next(&changes, document)) != NULL) {
			if (read_and_verify(changed, &answer) == CS_OK)
				fail_msg("%s of %s, %s: is accepted", samples[i].answer,
					 samples[i].statement, changes.what);
			json_decref(changed);
		}
		assert_true(changes.at > 90);
		json_decref(document);
	}
}

/* Beside the signature: the host's word, which evidence proves or not. */
static void evidence_is_named_beside_the_signature(void **state)
{
	static const char digest[] =
		"0x0102030405060708091011121314151617181920212223242526272829303132";
	static struct oracle_answer answer;
	json_t *document = document_of(&samples[0]);
	(void)state;
	json_object_set_new(document, "enclave_evidence_digest", json_string(digest));
	assert_ok(read_and_verify(document, &answer));
	assert_true(answer.has_enclave_evidence);
	assert_int_equal(answer.enclave_evidence.b[31], 0x32);
	json_t *again = oracle_answer_json(&answer, &arena);
	assert_true(json_equal(document, again));
	json_decref(again);
	json_object_set_new(document, "enclave_evidence_digest", json_null());
	assert_ok(read_and_verify(document, &answer));
	assert_false(answer.has_enclave_evidence);
	json_object_set_new(document, "enclave_evidence_digest", json_string("0x12"));
	assert_err(read_and_verify(document, &answer), CS_ERR_MALFORMED);
	json_object_set_new(document, "enclave_evidence_digest", json_true());
	assert_err(read_and_verify(document, &answer), CS_ERR_MALFORMED);
	json_decref(document);
}

struct refusal {
	const char *path; /* of a member, in objects */
	const char *json;
	enum cs_err err;
};

static void set_member(json_t *document, const char *path, const char *text)
{
	char copy[64];
	json_t *at = document;
	snprintf(copy, sizeof(copy), "%s", path);
	char *dot = strchr(copy, '.');
	if (dot) {
		*dot = 0;
		at = json_object_get(document, copy);
	}
	json_t *value = json_loads(text, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
	assert_non_null(value);
	assert_int_equal(json_object_set_new(at, dot ? dot + 1 : copy, value), 0);
}

static void what_is_no_document_is_refused_by_name(void **state)
{
	static const struct refusal refusals[] = {
		{"kind", "\"oracle-feed\"", CS_ERR_INVALID},
		{"surprise", "1", CS_ERR_UNKNOWN_FIELD},
		{"statement.surprise", "1", CS_ERR_UNKNOWN_FIELD},
		{"request.surprise", "1", CS_ERR_UNKNOWN_FIELD},
		{"statement.kind", "1", CS_ERR_WRONG_DESTINATION},
		{"code", "\"0\"", CS_ERR_NON_CANONICAL},
		{"code", "256", CS_ERR_OVERFLOW},
		{"code", "5", CS_ERR_INVALID},
		{"code_name", "\"tls\"", CS_ERR_INVALID},
		{"observed_at", "-1", CS_ERR_OVERFLOW},
		{"observed_at", "\"1900000010\"", CS_ERR_NON_CANONICAL},
		{"observed_at", "1e3", CS_ERR_MALFORMED},
		{"observed_at", "9007199254740992", CS_ERR_NON_CANONICAL},
		{"observed_at", "\"18446744073709551616\"", CS_ERR_MALFORMED},
		{"observed_at", "\"18446744073709551615\\u0000\"", CS_ERR_MALFORMED},
		{"request.counter", "1", CS_ERR_MALFORMED},
		{"request.counter", "\"01\"", CS_ERR_MALFORMED},
		{"request.fee", "\"-1\"", CS_ERR_MALFORMED},
		{"arguments", "{}", CS_ERR_MALFORMED},
		{"arguments", "[1]", CS_ERR_MALFORMED},
		{"arguments", "[{\"bytes\":\"0x61\"}]", CS_ERR_NON_CANONICAL},
		{"arguments", "[\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\",\"9\"]",
		 CS_ERR_MALFORMED},
		{"evidence", "[1]", CS_ERR_MALFORMED},
		{"evidence", "{}", CS_ERR_MALFORMED},
		{"insecure", "0", CS_ERR_MALFORMED},
		{"spec", "\"x\"", CS_ERR_MALFORMED},
		{"spec", "{\"a\":1.5}", CS_ERR_INVALID},
		{"value", "67123.45", CS_ERR_INVALID},
		{"value", "null", CS_ERR_INVALID},
		{"value_abi", "\"0x\"", CS_ERR_INVALID},
		{"contract.chain", "\"31337\"", CS_ERR_MALFORMED},
		{"contract.chain", "\"eip155:1\"", CS_ERR_WRONG_DESTINATION},
		{"contract.address", "\"0x00\"", CS_ERR_MALFORMED},
		{"audience", "\"shop\"", CS_ERR_INVALID},
		{"lineage", "\"0x00\"", CS_ERR_MALFORMED},
		{"insecure", "true", CS_ERR_BAD_SIGNATURE},
	};
	static struct oracle_answer answer;
	(void)state;
	for (size_t i = 0; i < CS_LEN(refusals); i++) {
		json_t *document = document_of(&samples[0]);
		set_member(document, refusals[i].path, refusals[i].json);
		enum cs_err err = read_and_verify(document, &answer);
		if (err != refusals[i].err)
			fail_msg("%s %s: %s", refusals[i].path, refusals[i].json, cs_err_name(err));
		json_decref(document);
	}
	json_t *list = json_array();
	assert_int_equal(read_and_verify(list, &answer), CS_ERR_MALFORMED);
	json_decref(list);
}

/* The value is not of the type that the spec names: the vectors have such an answer. */
static void a_value_of_another_type_is_refused(void **state)
{
	static struct oracle_answer answer;
	(void)state;
	json_t *document = answer_document("array", "five answers", json_null());
	assert_int_equal(read_and_verify(document, &answer), CS_ERR_INVALID);
	json_decref(document);
}

/* An app that asked for another audience, by an answer that is signed well. */
static void another_audience_is_refused(void **state)
{
	static struct oracle_answer answer;
	(void)state;
	json_t *document = document_of(&samples[7]);
	assert_int_equal(read_and_verify(document, &answer), CS_OK);
	json_object_set_new(document, "audience", json_string("shop2"));
	assert_int_equal(read_and_verify(document, &answer), CS_ERR_WRONG_DESTINATION);
	json_object_set_new(document, "audience", json_string(""));
	assert_int_equal(read_and_verify(document, &answer), CS_ERR_WRONG_DESTINATION);
	json_decref(document);
}

/* A chain's asker may write anything: it is answered with an error, which is a document too. */
static void bytes_that_are_no_text_are_kept(void **state)
{
	static struct oracle_answer a;
	static struct oracle_answer b;
	static const uint8_t not_utf8[] = {0xc3, 0x28};
	static const char *const specs[] = {"",
					    "not json",
					    "{\"b\":1,\"a\":2}",
					    "{\"a\":123456789012345678901234567890}",
					    "\"0x00\"",
					    "{\"a\":\"\\u0000\"}",
					    "{\"\\u0000\":1}",
					    "[]"};
	struct cs_why why;
	(void)state;
	for (size_t i = 0; i < CS_LEN(specs); i++) {
		json_t *document = document_of(&samples[6]);
		assert_int_equal(read_and_verify(document, &a), CS_OK);
		a.spec = cs_bytes_str(specs[i]);
		a.argument_count = 2;
		a.arguments[0] = CS_BYTES_OF(not_utf8);
		a.arguments[1] = cs_bytes("a\0b", 3);
		a.answer.code = WIRE_ORACLE_SPEC_INVALID;
		a.source_count = 0;
		a.request.spec_hash = a.answer.spec_hash = wire_spec_hash(a.spec);
		a.request.arguments_hash = wire_arguments_hash(a.arguments, a.argument_count);
		a.answer.request_id = wire_request_id(&a.request);
		a.answer.evidence_hash = wire_evidence_hash(a.time_flags, a.sources, 0);
		a.statement.path_count = 0;
		struct cs_hash leaf = wire_leaf_answer(&a.answer);
		a.statement.statement.root = leaf;
		assert_int_equal(oracle_answer_check(&a, &arena, &why), CS_OK);
		json_t *written = oracle_answer_json(&a, &arena);
		assert_int_equal(json_is_object(json_object_get(written, "spec")), i == 5);
		enum cs_err err = oracle_answer_read(&b, written, &arena, &why);
		if (err != CS_OK)
			fail_msg("%s: %s", specs[i], why.text);
		assert_bytes(b.spec, a.spec);
		assert_bytes(b.arguments[0], a.arguments[0]);
		assert_bytes(b.arguments[1], a.arguments[1]);
		json_decref(written);
		json_decref(document);
	}
}

static void bits_without_meaning_are_refused(void **state)
{
	(void)state;
	struct wire_evidence_source row = {.index = 3};
	assert_int_equal(oracle_evidence_protocol(&row, 0x02010304), CS_OK);
	assert_int_equal(row.version, 0x0304);
	assert_true(row.http2 && !row.reused && !row.stapled_good);
	assert_int_equal(row.sct_count, 2);
	assert_int_equal(oracle_evidence_protocol(&row, 0x00100303), CS_ERR_INVALID);
	assert_int_equal(row.version, 0x0304);
	assert_int_equal(oracle_evidence_protocol(&row, 0x00060303), CS_OK);
	assert_true(!row.http2 && row.reused && row.stapled_good && !row.redirected);
	assert_int_equal(oracle_evidence_protocol(&row, 0x00080303), CS_OK);
	assert_true(row.redirected && !row.stapled_good);
}

static int setup(void **state)
{
	(void)state;
	cs_arena_init(&arena, keep(ORACLE_ANSWER_ARENA_SIZE), ORACLE_ANSWER_ARENA_SIZE);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vectors_verify_and_are_written_again),
		cmocka_unit_test(evidence_is_named_beside_the_signature),
		cmocka_unit_test(every_single_change_is_refused),
		cmocka_unit_test(what_is_no_document_is_refused_by_name),
		cmocka_unit_test(a_value_of_another_type_is_refused),
		cmocka_unit_test(another_audience_is_refused),
		cmocka_unit_test(bytes_that_are_no_text_are_kept),
		cmocka_unit_test(bits_without_meaning_are_refused),
	};
	return cmocka_run_group_tests(tests, setup, NULL);
}
