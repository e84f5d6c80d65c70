/* What a gateway knows of the enclave behind a peer: what counts as an acceptance of `caisson attest
 * connect`, and how time, refusals, silence and keys move the states. The command's output is written
 * here after docs/attestation.md; the command itself speaks in tests/attested/test_peers.py. */
#include "gateway/attested_state.h"
#include "tests/unit/support.h"

#include <jansson.h>

#define SECOND 1000u
#define EVERY_MS (1800u * SECOND)
#define HEX_1 "0x1111111111111111111111111111111111111111111111111111111111111111"
#define HEX_2 "0x2222222222222222222222222222222222222222222222222222222222222222"

static struct gateway_attested_time at(uint64_t s)
{
	return (struct gateway_attested_time){s * SECOND, 1800000000000u + s * SECOND};
}

static struct cs_hash word(uint8_t byte)
{
	struct cs_hash hash;
	memset(hash.b, byte, sizeof hash.b);
	return hash;
}

static const char *const checks[] = {
	"tls",   "channel-binding", "certificate", "certificate-report", "one-enclave",
	"nonce", "lineage",         "policy-tcb",  "policy-measurements"};

/* As the command prints it for a bridge's enclave with a key of epoch 1. */
static json_t *good(const char *status)
{
	json_t *list = json_array();
	for (size_t i = 0; i < CS_LEN(checks); i++)
		json_array_append_new(list, json_pack("{s:s,s:b,s:s}", "name", checks[i], "ok", 1,
						      "detail", "as it must be"));
	return json_pack("{s:s,s:s,s:s,s:o,s:{s:s,s:[{s:s,s:i,s:s,s:s}]}}", "kind", "tdx",
			 "hardware", "tdx", "status", status, "checks", list, "report", "role",
			 "bridge-enclave", "keys", "identity", HEX_1, "epoch", 1, "public_key",
			 HEX_2, "gas_address", "0x4444444444444444444444444444444444444444");
}

static struct gateway_attested_verdict read(int status, json_t *json)
{
	struct gateway_attested_verdict verdict;
	char *text = json_dumps(json, JSON_INDENT(2));
	assert_non_null(text);
	gateway_attested_read(&verdict, status, cs_bytes_str(text));
	free(text);
	json_decref(json);
	return verdict;
}

static struct gateway_attested_verdict read_text(int status, const char *text)
{
	struct gateway_attested_verdict verdict;
	gateway_attested_read(&verdict, status, cs_bytes_str(text));
	return verdict;
}

static void expect(const struct gateway_attested_verdict *verdict,
		   enum gateway_attested_answer answer, const char *part)
{
	if (verdict->answer != answer || strstr(verdict->why, part) == NULL)
		fail_msg("%s \"%s\" instead of %s \"%s\"",
			 gateway_attested_answer_name(verdict->answer), verdict->why,
			 gateway_attested_answer_name(answer), part);
	if (answer != GATEWAY_ANSWER_ACCEPTED)
		assert_int_equal(verdict->key_count, 0);
}

/* ---- what is read ---- */

static void test_an_acceptance(void **state)
{
	static const struct {
		int status;
		const char *tier;
		bool insecure;
	} rows[] = {{0, "affirming", false},
		    {3, "warning", true},
		    {4, "warning", false},
		    {5, "warning", false}};
	const struct cs_hash identity = word(0x11), x = word(0x22);
	(void)state;
	for (size_t i = 0; i < CS_LEN(rows); i++) {
		const struct gateway_attested_verdict v = read(rows[i].status, good(rows[i].tier));
		expect(&v, GATEWAY_ANSWER_ACCEPTED, "");
		assert_int_equal(v.insecure, rows[i].insecure);
		assert_string_equal(v.kind, "tdx");
		assert_int_equal(v.key_count, 1);
		assert_int_equal(v.keys[0].epoch, 1);
		assert_true(cs_hash_eq(&v.keys[0].identity, &identity) &&
			    cs_hash_eq(&v.keys[0].x, &x));
	}
}

/* When it is refused unless there is newer collateral; an end that does not read is no answer. */
static void test_the_end_of_an_acceptance(void **state)
{
	static const char *const wrong[] = {"", "soon", "2026-02-29T00:00:00Z",
					    "2026-12-01T00:00:00+01:00", "1764547200"};
	struct gateway_attested_peer peer = {.state = GATEWAY_ATTESTED_OFF};
	(void)state;
	json_t *json = good("affirming");
	json_object_set_new(json, "until", json_string("2025-12-01T00:00:00Z"));
	struct gateway_attested_verdict v = read(0, json);
	expect(&v, GATEWAY_ANSWER_ACCEPTED, "");
	assert_int_equal(v.evidence_until_s, 1764547200);
	gateway_attested_begin(&peer, at(0));
	gateway_attested_asked(&peer, at(1));
	gateway_attested_told(&peer, &v, EVERY_MS, at(2));
	assert_int_equal(peer.evidence_until_s, 1764547200);

	json = good("affirming");
	json_object_set_new(json, "until", json_null());
	v = read(0, json);
	expect(&v, GATEWAY_ANSWER_ACCEPTED, "");
	assert_int_equal(v.evidence_until_s, 0);
	json = good("affirming");
	json_object_set_new(json, "until", json_integer(1764547200));
	v = read(0, json);
	expect(&v, GATEWAY_ANSWER_NONE, "the end that was printed");
	for (size_t i = 0; i < CS_LEN(wrong); i++) {
		json = good("affirming");
		json_object_set_new(json, "until", json_string(wrong[i]));
		v = read(0, json);
		expect(&v, GATEWAY_ANSWER_NONE, "the end that was printed");
	}
	/* What is refused rests on nothing. */
	gateway_attested_asked(&peer, at(3));
	v = read(7, good("none"));
	gateway_attested_told(&peer, &v, EVERY_MS, at(4));
	assert_int_equal(peer.state, GATEWAY_ATTESTED_REFUSED);
	assert_int_equal(peer.evidence_until_s, 0);
}

/* Each check that the verdict rests on, failed, not made, and not there. */
static void test_every_check_counts(void **state)
{
	(void)state;
	for (size_t i = 0; i < CS_LEN(checks); i++) {
		if (strcmp(checks[i], "policy-tcb") == 0)
			continue; /* the command's own: a failed one is its exit status */
		json_t *const values[] = {json_false(), json_null(), NULL};
		for (size_t k = 0; k < CS_LEN(values); k++) {
			json_t *json = good("affirming");
			json_t *list = json_object_get(json, "checks");
			if (values[k])
				json_object_set(json_array_get(list, i), "ok", values[k]);
			else
				json_array_remove(list, i);
			const struct gateway_attested_verdict v = read(0, json);
			const bool no_builds = !values[k] && i + 1 == CS_LEN(checks);
			expect(&v, GATEWAY_ANSWER_REFUSED,
			       no_builds ? "lists no measurements" : checks[i]);
		}
	}
}

static void test_refusals(void **state)
{
	(void)state;
	json_t *json = good("contraindicated");
	json_t *list = json_object_get(json, "checks");
	json_object_set_new(json_array_get(list, 7), "ok", json_false());
	json_object_set_new(json_array_get(list, 7), "detail", json_string("Out\nOfDate"));
	struct gateway_attested_verdict v = read(6, json);
	expect(&v, GATEWAY_ANSWER_REFUSED, "policy-tcb: Out");
	assert_null(strchr(v.why, '\n'));
	assert_string_equal(v.kind, "tdx");
	v = read(7, good("none"));
	expect(&v, GATEWAY_ANSWER_REFUSED, "collateral");
	json = good("affirming");
	json_object_set_new(json_object_get(json, "report"), "role", json_string("oracle-enclave"));
	v = read(0, json);
	expect(&v, GATEWAY_ANSWER_REFUSED, "oracle-enclave");
	json = good("affirming");
	json_object_del(json, "report");
	v = read(0, json);
	expect(&v, GATEWAY_ANSWER_REFUSED, "role");
}

static void test_nonsense_says_nothing(void **state)
{
	(void)state;
	static const int statuses[] = {0, 3, 6, 7};
	static const char *const texts[] = {
		"", "ok", "[]", "1", "{\"status\":\"affirming\"", "{\"a\":1,\"a\":2}"};
	for (size_t i = 0; i < CS_LEN(statuses); i++)
		for (size_t k = 0; k < CS_LEN(texts); k++) {
			const struct gateway_attested_verdict v = read_text(statuses[i], texts[k]);
			expect(&v, GATEWAY_ANSWER_NONE, "cannot be read");
		}
	struct gateway_attested_verdict v = read_text(0, "{}");
	expect(&v, GATEWAY_ANSWER_NONE, "contradicts");
	v = read(0, good("warning"));
	expect(&v, GATEWAY_ANSWER_NONE, "contradicts");
	v = read(6, good("affirming"));
	expect(&v, GATEWAY_ANSWER_NONE, "contradicts");
	v = read_text(1, "{\"error\":\"nobody\\u0007there\"}");
	expect(&v, GATEWAY_ANSWER_NONE, "nobody");
	v = read_text(1, "");
	expect(&v, GATEWAY_ANSWER_NONE, "status 1");
	v = read_text(1, "{\"error\":\"\"}"); /* no reason is none */
	expect(&v, GATEWAY_ANSWER_NONE, "status 1");
	v = read(2, good("affirming"));
	expect(&v, GATEWAY_ANSWER_NONE, "status 2");
	v = read(127, good("affirming"));
	expect(&v, GATEWAY_ANSWER_NONE, "status 127");
	v = read(8, good("affirming"));
	expect(&v, GATEWAY_ANSWER_NONE, "status 8");
}

static void test_keys_are_read_strictly(void **state)
{
	(void)state;
	static const char *const members[] = {"identity", "epoch", "public_key"};
	for (size_t i = 0; i < CS_LEN(members); i++) {
		json_t *json = good("affirming");
		json_t *keys = json_object_get(json_object_get(json, "report"), "keys");
		json_object_set_new(json_array_get(keys, 0), members[i], json_string("0x12"));
		const struct gateway_attested_verdict v = read(0, json);
		expect(&v, GATEWAY_ANSWER_NONE, "keys");
	}
	json_t *json = good("affirming");
	json_t *keys = json_object_get(json_object_get(json, "report"), "keys");
	while (json_array_size(keys) <= GATEWAY_ATTESTED_KEYS_MAX)
		json_array_append(keys, json_array_get(keys, 0));
	struct gateway_attested_verdict v = read(0, json);
	expect(&v, GATEWAY_ANSWER_NONE, "keys");
	json = good("affirming");
	json_object_del(json_object_get(json, "report"), "keys");
	v = read(0, json);
	expect(&v, GATEWAY_ANSWER_NONE, "keys");
}

/* ---- the states ---- */

static struct gateway_attested_verdict accepted(void)
{
	return read(0, good("affirming"));
}

static struct gateway_attested_verdict refused(void)
{
	return read(7, good("none"));
}

static struct gateway_attested_verdict silent(void)
{
	struct gateway_attested_verdict verdict;
	gateway_attested_fail(&verdict, "nobody there");
	return verdict;
}

/* Asked and answered at s. */
static void ask(struct gateway_attested_peer *peer, struct gateway_attested_verdict verdict,
		uint64_t s)
{
	assert_true(gateway_attested_step(peer, at(s)));
	gateway_attested_asked(peer, at(s));
	assert_false(gateway_attested_step(peer, at(s)));
	gateway_attested_told(peer, &verdict, EVERY_MS, at(s));
}

static bool allows(const struct gateway_attested_peer *peer, uint64_t s)
{
	return gateway_attested_allows(peer, at(s));
}

static void test_off_takes_everything(void **state)
{
	(void)state;
	struct gateway_attested_peer peer = {.state = GATEWAY_ATTESTED_OFF};
	const struct gateway_attested_key key = {word(1), 1, word(2)};
	const struct gateway_attested_verdict no = refused();
	assert_false(gateway_attested_step(&peer, at(0)));
	assert_true(allows(&peer, 0) && gateway_attested_signs(&peer, &key, at(0)));
	gateway_attested_told(&peer, &no, EVERY_MS, at(0));
	assert_int_equal(peer.state, GATEWAY_ATTESTED_OFF);
}

static void test_nothing_before_the_first_answer(void **state)
{
	(void)state;
	struct gateway_attested_peer peer = {.state = GATEWAY_ATTESTED_OFF};
	gateway_attested_begin(&peer, at(5));
	assert_int_equal(peer.state, GATEWAY_ATTESTED_UNKNOWN);
	assert_int_equal(peer.since_ms, at(5).wall_ms);
	assert_false(allows(&peer, 5));
	ask(&peer, silent(), 5);
	assert_int_equal(peer.state, GATEWAY_ATTESTED_UNKNOWN);
	assert_string_equal(peer.why, "nobody there");
	assert_false(allows(&peer, 5) || gateway_attested_step(&peer, at(64)));
	ask(&peer, accepted(), 65);
	assert_int_equal(peer.state, GATEWAY_ATTESTED_ACCEPTED);
	assert_int_equal(peer.since_ms, at(65).wall_ms);
	assert_string_equal(peer.why, "");
	assert_true(allows(&peer, 65));
	assert_int_equal(peer.answers[GATEWAY_ANSWER_NONE], 1);
	assert_int_equal(peer.answers[GATEWAY_ANSWER_ACCEPTED], 1);
}

/* The hour is of the question, however late its answer; silence does not lengthen it. */
static void test_an_hour_at_most(void **state)
{
	(void)state;
	struct gateway_attested_peer peer = {.state = GATEWAY_ATTESTED_OFF};
	const struct gateway_attested_verdict yes = accepted();
	gateway_attested_begin(&peer, at(0));
	assert_true(gateway_attested_step(&peer, at(0)));
	gateway_attested_asked(&peer, at(0));
	gateway_attested_told(&peer, &yes, EVERY_MS, at(50));
	assert_false(gateway_attested_step(&peer, at(1849)));
	for (uint64_t s = 1850; s < 3590; s += 60) {
		ask(&peer, silent(), s);
		assert_true(allows(&peer, s));
		assert_int_equal(peer.state, GATEWAY_ATTESTED_ACCEPTED);
		assert_string_equal(peer.why, "nobody there");
	}
	assert_true(allows(&peer, 3599));
	assert_false(allows(&peer, 3600)); /* before the step, too */
	(void)gateway_attested_step(&peer, at(3600));
	assert_int_equal(peer.state, GATEWAY_ATTESTED_UNKNOWN);
	assert_int_equal(peer.since_ms, at(3600).wall_ms);
	assert_string_equal(peer.why, "nobody there");
	assert_int_equal(peer.key_count, 0);
}

static void test_each_acceptance_lengthens_it(void **state)
{
	(void)state;
	struct gateway_attested_peer peer = {.state = GATEWAY_ATTESTED_OFF};
	gateway_attested_begin(&peer, at(0));
	for (uint64_t s = 0; s < 20000; s += 1800) {
		ask(&peer, accepted(), s);
		assert_int_equal(peer.since_ms, at(0).wall_ms);
		assert_true(allows(&peer, s + 1799));
	}
}

static void test_a_refusal_counts_at_once(void **state)
{
	(void)state;
	struct gateway_attested_peer peer = {.state = GATEWAY_ATTESTED_OFF};
	gateway_attested_begin(&peer, at(0));
	ask(&peer, accepted(), 0);
	ask(&peer, refused(), 1800);
	assert_int_equal(peer.state, GATEWAY_ATTESTED_REFUSED);
	assert_false(allows(&peer, 1800));
	assert_int_equal(peer.key_count, 0);
	/* Whoever hides the port does not undo it, nor its reason. */
	ask(&peer, silent(), 1860);
	assert_int_equal(peer.state, GATEWAY_ATTESTED_REFUSED);
	assert_non_null(strstr(peer.why, "collateral"));
	assert_int_equal(peer.since_ms, at(1800).wall_ms);
	ask(&peer, accepted(), 1920);
	assert_true(allows(&peer, 1920));
}

static void test_retries_are_no_rarer_than_looks(void **state)
{
	(void)state;
	struct gateway_attested_peer peer = {.state = GATEWAY_ATTESTED_OFF};
	const struct gateway_attested_verdict none = silent();
	gateway_attested_begin(&peer, at(0));
	gateway_attested_asked(&peer, at(0));
	gateway_attested_told(&peer, &none, 5 * SECOND, at(1));
	assert_false(gateway_attested_step(&peer, at(5)));
	assert_true(gateway_attested_step(&peer, at(6)));
	gateway_attested_told(&peer, &none, 5 * SECOND, at(7)); /* nobody asked */
	assert_int_equal(peer.answers[GATEWAY_ANSWER_NONE], 1);
}

/* A key that the enclave has: taken. Another: nothing more, and the next answer decides. */
static void test_keys(void **state)
{
	(void)state;
	const struct gateway_attested_key shown = {word(0x11), 1, word(0x22)};
	const struct gateway_attested_key others[] = {{word(0x11), 2, word(0x22)},
						      {word(0x12), 1, word(0x22)},
						      {word(0x11), 1, word(0x23)}};
	for (size_t i = 0; i < CS_LEN(others); i++) {
		struct gateway_attested_peer peer = {.state = GATEWAY_ATTESTED_OFF};
		gateway_attested_begin(&peer, at(0));
		ask(&peer, accepted(), 0);
		assert_true(gateway_attested_signs(&peer, &shown, at(10)));
		assert_false(gateway_attested_signs(&peer, &others[i], at(10)));
		assert_int_equal(peer.state, GATEWAY_ATTESTED_UNKNOWN);
		assert_false(allows(&peer, 10));
		ask(&peer, accepted(), 10);
		assert_int_equal(peer.state, GATEWAY_ATTESTED_REFUSED);
		assert_non_null(strstr(peer.why, "does not have"));
		ask(&peer, accepted(), 70);
		assert_int_equal(peer.state, GATEWAY_ATTESTED_REFUSED);
		/* An enclave that has it. */
		struct gateway_attested_verdict more = accepted();
		more.keys[more.key_count++] = others[i];
		ask(&peer, more, 130);
		assert_true(allows(&peer, 130));
		assert_true(gateway_attested_signs(&peer, &others[i], at(131)));
	}
}

/* A rotation while the enclave is being asked: that answer is too old to refuse by. */
static void test_a_key_that_is_younger_than_the_question(void **state)
{
	(void)state;
	struct gateway_attested_peer peer = {.state = GATEWAY_ATTESTED_OFF};
	const struct gateway_attested_key next = {word(0x11), 2, word(0x33)};
	gateway_attested_begin(&peer, at(0));
	ask(&peer, accepted(), 0);
	gateway_attested_asked(&peer, at(1800));
	assert_false(gateway_attested_signs(&peer, &next, at(1801)));
	const struct gateway_attested_verdict old = accepted();
	gateway_attested_told(&peer, &old, EVERY_MS, at(1802));
	assert_int_equal(peer.state, GATEWAY_ATTESTED_UNKNOWN);
	struct gateway_attested_verdict more = accepted();
	more.keys[more.key_count++] = next;
	ask(&peer, more, 1802);
	assert_int_equal(peer.state, GATEWAY_ATTESTED_ACCEPTED);
}

static void test_another_configuration_begins_again(void **state)
{
	(void)state;
	struct gateway_attested_peer peer = {.state = GATEWAY_ATTESTED_OFF};
	const struct gateway_attested_key other = {word(0x11), 9, word(0x22)};
	gateway_attested_begin(&peer, at(0));
	ask(&peer, accepted(), 0);
	assert_false(gateway_attested_signs(&peer, &other, at(1)));
	gateway_attested_asked(&peer, at(1));
	gateway_attested_begin(&peer, at(2));
	assert_false(allows(&peer, 2) || peer.misses);
	ask(&peer, accepted(), 2);
	assert_true(allows(&peer, 2));
	gateway_attested_hurry(&peer, at(3));
	ask(&peer, accepted(), 3);
	gateway_attested_end(&peer, at(4));
	assert_true(allows(&peer, 100000));
	assert_int_equal(peer.state, GATEWAY_ATTESTED_OFF);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_acceptance),
		cmocka_unit_test(test_the_end_of_an_acceptance),
		cmocka_unit_test(test_every_check_counts),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_nonsense_says_nothing),
		cmocka_unit_test(test_keys_are_read_strictly),
		cmocka_unit_test(test_off_takes_everything),
		cmocka_unit_test(test_nothing_before_the_first_answer),
		cmocka_unit_test(test_an_hour_at_most),
		cmocka_unit_test(test_each_acceptance_lengthens_it),
		cmocka_unit_test(test_a_refusal_counts_at_once),
		cmocka_unit_test(test_retries_are_no_rarer_than_looks),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_a_key_that_is_younger_than_the_question),
		cmocka_unit_test(test_another_configuration_begins_again),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
