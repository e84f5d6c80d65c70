/* A signed round of a feed as a document, against documents that were put together from vectors. */
#include "oracle/answer_json.h"
#include "tests/unit/oracle/answers.h"

#define LINEAGE "0x577ed80fe680ee5375a8bb2ee47421de037916ce58263585d8d74a2de8f69999"

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
	const char *feed;
	const char *statement;
	const char *value; /* for people */
	const char *word;
} samples[] = {
	{"first", "one feed", "67123.45000000",
	 "0x0000000000000000000000000000000000000000000000000000061ad6f07840"},
	{"first", "three feeds", "67123.45000000",
	 "0x0000000000000000000000000000000000000000000000000000061ad6f07840"},
	{"second", "three feeds", "-0.00000005",
	 "0xfffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffb"},
	{"third", "three feeds", "0.00000000",
	 "0x0000000000000000000000000000000000000000000000000000000000000000"},
};

/* The contract is the second of envelope/identities.json. */
static json_t *document_of(const struct sample *sample)
{
	json_t *feeds = vectors_of("feeds");
	json_t *specs = vectors_of("specs");
	json_t *evidence = vectors_of("evidence");
	json_t *statements = vectors_of("statements");
	const json_t *feed = vector_by(feeds, "name", sample->feed);
	const json_t *spec = vector_by(specs, "hash", text_of(feed, "spec_hash"));
	const json_t *rows = vector_by(evidence, "hash", text_of(feed, "evidence"));
	const json_t *statement = vector_by(statements, "what", sample->statement);
	struct cs_bytes bytes = bytes_of(spec, "bytes");
	json_t *document = json_pack(
		"{s:s,s:O,s:i,s:s,s:s,s:o,s:{s:s,s:s,s:s,s:o},s:o,s:O,s:s,s:O,s:o,s:O,s:s,s:o,s:O,"
		"s:b}",
		"kind", "oracle-round", "id", json_object_get(feed, "feed_id"), "code", 0,
		"code_name", "ok", "value", sample->value, "observed_at",
		number_of_vector(feed, "observed_at"), "contract", "chain", "eip155:777", "genesis",
		"0xe3a805ed347d9401ac7d31781818d2dcf9356be92af5fbecb1469b4c696150e5", "address",
		"0xe7f1725e7734ce288f8367e1bb143e90bb3f0512", "index",
		number_of_vector(feed, "index"), "spec",
		json_loadb((const char *)bytes.p, bytes.n, 0, NULL), "spec_hash",
		json_object_get(feed, "spec_hash"), "value_abi", sample->word, "time_flags",
		json_object_get(rows, "time_flags"), "evidence", evidence_of(rows), "evidence_hash",
		json_object_get(rows, "hash"), "lineage", LINEAGE, "statement",
		statement_of_vector(statement, text_of(feed, "leaf")), "key",
		json_object_get(statement, "public"), "insecure", 0);
	assert_non_null(document);
	json_decref(feeds);
	json_decref(specs);
	json_decref(evidence);
	json_decref(statements);
	return document;
}

static void vectors_verify_and_are_written_again(void **state)
{
	static struct oracle_answer answer;
	(void)state;
	for (size_t i = 0; i < CS_LEN(samples); i++) {
		json_t *document = document_of(&samples[i]);
		enum cs_err err = read_and_verify(document, &answer);
		if (err != CS_OK)
			fail_msg("%s of %s: %s", samples[i].feed, samples[i].statement,
				 cs_err_name(err));
		assert_true(answer.round && !answer.app);
		json_t *again = oracle_answer_json(&answer, &arena);
		/* It is no part of what is signed, and was not there at first. */
		assert_true(json_is_null(json_object_get(again, "enclave_evidence_digest")));
		json_object_del(again, "enclave_evidence_digest");
		assert_true(json_equal(document, again));
		json_decref(again);
		json_decref(document);
	}
}

static void every_single_change_is_refused(void **state)
{
	static struct oracle_answer answer;
	(void)state;
	for (size_t i = 0; i < CS_LEN(samples); i++) {
		struct changes changes = {0};
		json_t *document = document_of(&samples[i]);
		json_t *changed;
		assert_int_equal(read_and_verify(document, &answer), CS_OK);
		while ((changed = change_next(&changes, document)) != NULL) {
			if (read_and_verify(changed, &answer) == CS_OK)
				fail_msg("%s of %s, %s: is accepted", samples[i].feed,
					 samples[i].statement, changes.what);
			json_decref(changed);
		}
		assert_true(changes.at > 70);
		json_decref(document);
	}
}

static enum cs_err read_changed(const char *name, json_t *value)
{
	static struct oracle_answer answer;
	json_t *document = document_of(&samples[0]);
	char copy[64];
	json_t *at = document;
	snprintf(copy, sizeof(copy), "%s", name);
	char *dot = strchr(copy, '.');
	if (dot) {
		*dot = 0;
		at = json_object_get(document, copy);
	}
	assert_int_equal(json_object_set_new(at, dot ? dot + 1 : copy, value), 0);
	enum cs_err err = read_and_verify(document, &answer);
	json_decref(document);
	return err;
}

static void what_is_no_round_is_refused_by_name(void **state)
{
	(void)state;
	assert_int_equal(read_changed("kind", json_string("oracle-feed")), CS_ERR_INVALID);
	assert_int_equal(read_changed("kind", json_string("oracle-answer")), CS_ERR_UNKNOWN_FIELD);
	assert_int_equal(read_changed("audience", json_string("shop")), CS_ERR_UNKNOWN_FIELD);
	assert_int_equal(read_changed("request", json_object()), CS_ERR_UNKNOWN_FIELD);
	assert_int_equal(read_changed("arguments", json_array()), CS_ERR_UNKNOWN_FIELD);
	assert_int_equal(read_changed("contract.index", json_integer(1)), CS_ERR_INVALID);
	assert_int_equal(read_changed("contract.index", json_string("0")), CS_ERR_NON_CANONICAL);
	assert_int_equal(read_changed("contract.chain", json_string("eip155:1")),
			 CS_ERR_WRONG_DESTINATION);
	assert_int_equal(read_changed("value", json_string("67123.46000000")), CS_ERR_INVALID);
	assert_int_equal(read_changed("observed_at", json_integer(1900000011)), CS_ERR_INVALID);
	/* A bridge's messages are of kind 1, and its identity is none of an oracle's. */
	assert_int_equal(read_changed("statement.kind", json_integer(1)), CS_ERR_WRONG_DESTINATION);
	assert_int_equal(
		read_changed("statement.signer", json_string("0x35cb443f7882823c560486ff41d0da531ab"
							     "98a7464aa62a170c603234745dcb6")),
		CS_ERR_WRONG_DESTINATION);
	assert_int_equal(read_changed("insecure", json_true()), CS_ERR_BAD_SIGNATURE);
}

/* A round without a value leads to the root as an answer to the feed's id, as
 * docs/protocol/oracle.md has it; with a value such a leaf is none. */
static void a_round_that_failed_is_an_answer_to_its_feed(void **state)
{
	static struct oracle_answer a;
	static struct oracle_answer b;
	struct cs_why why;
	(void)state;
	json_t *document = document_of(&samples[0]);
	assert_int_equal(read_and_verify(document, &a), CS_OK);
	a.statement.statement.root = wire_leaf_answer(&a.answer);
	assert_int_equal(oracle_answer_check(&a, &arena, &why), CS_ERR_INVALID);
	a.answer.code = WIRE_ORACLE_DISAGREEMENT;
	a.answer.value = CS_BYTES_NONE;
	a.statement.statement.root = wire_leaf_answer(&a.answer);
	assert_int_equal(oracle_answer_check(&a, &arena, &why), CS_OK);
	json_t *written = oracle_answer_json(&a, &arena);
	assert_true(json_is_null(json_object_get(written, "value")));
	assert_int_equal(oracle_answer_read(&b, written, &arena, &why), CS_OK);
	json_decref(written);
	json_decref(document);
}

/* A contract's word that the spec calls something else. */
static void a_spec_of_another_type_is_refused(void **state)
{
	static struct oracle_answer a;
	static const char *const types[] = {"uint256", "int256[]"};
	struct cs_why why;
	char text[256];
	(void)state;
	for (size_t i = 0; i < CS_LEN(types); i++) {
		json_t *document = document_of(&samples[0]);
		assert_int_equal(read_and_verify(document, &a), CS_OK);
		snprintf(text, sizeof(text),
			 "{\"result\":{\"decimals\":8,\"type\":\"%s\"},\"sources\":[{\"extract\":{"
			 "\"pointer\":\"/p\"},\"url\":\"https://a.example/\"}],\"version\":1}",
			 types[i]);
		a.spec = cs_bytes_str(text);
		a.answer.spec_hash = wire_spec_hash(a.spec);
		assert_int_equal(oracle_answer_check(&a, &arena, &why), CS_ERR_INVALID);
		assert_non_null(strstr(why.text, "int256"));
		json_decref(document);
	}
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
		cmocka_unit_test(every_single_change_is_refused),
		cmocka_unit_test(what_is_no_round_is_refused_by_name),
		cmocka_unit_test(a_round_that_failed_is_an_answer_to_its_feed),
		cmocka_unit_test(a_spec_of_another_type_is_refused),
	};
	return cmocka_run_group_tests(tests, setup, NULL);
}
