/* What a key server's service makes of an operator's orders about recovery, and of the ledger's time: all that
 * its host brings waits for it. */
#include "host.h"

static void refused(struct host *host, uint8_t verb, struct cs_bytes argument, const char *code)
{
	uint8_t question[64] = {verb};
	assert_true(argument.n < sizeof question);
	if (argument.n > 0)
		memcpy(question + 1, argument.p, argument.n);
	host->told_count = 0;
	ok(tell(host, WIRE_PIPE_ASK, 3, cs_bytes(question, 1 + argument.n)));
	const struct told *answer = find_told(host, WIRE_PIPE_ANSWER);
	assert_non_null(answer);
	if (answer == NULL || answer->body.n < 1 + strlen(code) ||
	    answer->body.p[0] != strlen(code) ||
	    memcmp(answer->body.p + 1, code, strlen(code)) != 0)
		fail_msg("not %s: %.*s", code, answer == NULL ? 0 : (int)answer->body.n - 1,
			 answer == NULL ? "" : (const char *)answer->body.p + 1);
}

/* What is no recovery and no list of shares; who has a cluster, who has none, who asked nobody. */
static void recovery_orders(void **state)
{
	static const uint8_t short_size[] = {0, 0, 0}, zero[] = {0, 0, 0, 0},
			     beyond[] = {0, 0, 0, 2, 1},
			     second_beyond[] = {0, 0, 0, 1, 1, 0, 0, 0, 9, 1},
			     empty_share[] = {0, 0, 0, 1, 1, 0, 0, 0, 0}, one[] = {0, 0, 0, 1, 1};
	static const struct cs_bytes malformed[] = {
		{NULL, 0},
		{short_size, sizeof short_size},
		{zero, sizeof zero},
		{beyond, sizeof beyond},
		{second_beyond, sizeof second_beyond},
		{empty_share, sizeof empty_share},
	};
	const struct scene_manifest text = scene_manifest();
	struct scene *scene = scene_new();
	static struct host host;
	(void)state;
	ok(start(&host, scene, &text, &seal_root));
	ok(tell(&host, WIRE_PIPE_STATE, 0, CS_BYTES_NONE));
	for (size_t i = 0; i < CS_LEN(malformed); i++)
		refused(&host, WIRE_CLUSTER_ASK_RECOVERY_RESTORE, malformed[i], "malformed");
	refused(&host, WIRE_CLUSTER_ASK_RECOVERY_RESTORE, CS_BYTES_OF(one), "unknown-nonce");
	refused(&host, WIRE_CLUSTER_ASK_RECOVERY_EXPORT, CS_BYTES_NONE, "no-key");
	refused(&host, WIRE_CLUSTER_ASK_RECOVERY_REQUEST, cs_bytes_str("no recovery"),
		"unknown-field");
	/* That question made no box. */
	refused(&host, WIRE_CLUSTER_ASK_RECOVERY_RESTORE, CS_BYTES_OF(one), "unknown-nonce");
	ask(&host, 1, WIRE_CLUSTER_ASK_CREATE);
	keep_state(&host);
	refused(&host, WIRE_CLUSTER_ASK_RECOVERY_EXPORT, CS_BYTES_NONE, "conflict");
	refused(&host, WIRE_CLUSTER_ASK_RECOVERY_REQUEST, cs_bytes_str("any"), "conflict");
	stop(&host);
	scene_free(scene);
}

/* ---- the ledger's time ---- */

/* What the nodes of the ledger say to a nonce: `count` of them from `first` on. */
static enum cs_err answer_as(struct host *host, const struct told *asked, uint64_t time_s,
			     unsigned first, unsigned count)
{
	uint8_t body[SCENE_TIME_KEYS * WIRE_PIPE_TIME_SIZE];
	struct cs_hash nonce;
	assert_int_equal(asked->body.n, sizeof nonce.b);
	memcpy(nonce.b, asked->body.p, sizeof nonce.b);
	const struct verify_time_answer *answers =
		scene_time_answers(host->scene, &nonce, time_s, first, count);
	for (unsigned i = 0; i < count; i++) {
		uint8_t *at = body + i * WIRE_PIPE_TIME_SIZE;
		memcpy(at, answers[i].key.b, 32);
		cs_put_be64(at + 32, answers[i].time_ms);
		memcpy(at + 40, answers[i].signature, 64);
	}
	return tell(host, WIRE_PIPE_TIME_ANSWERS, asked->number,
		    cs_bytes(body, count * WIRE_PIPE_TIME_SIZE));
}

/* The newest nonce: a copy, since the next one is another row. */
static struct told asked(const struct host *host)
{
	const struct told *found = find_told(host, WIRE_PIPE_TIME_ASK);
	if (found == NULL) {
		fail_msg("no nonce was made");
		return (struct told){.number = 0};
	}
	return *found;
}

static void answer(struct host *host, uint64_t time_s)
{
	const struct told newest = asked(host);
	ok(answer_as(host, &newest, time_s, 0, SCENE_TIME_KEYS));
}

static struct scene_manifest ledger_manifest(void)
{
	struct scene_manifest text = scene_manifest();
	text.ledger = true;
	return text;
}

static void input_waits_for_the_time(void **state)
{
	const struct scene_manifest text = ledger_manifest();
	struct scene *scene = scene_new();
	static struct host host;
	(void)state;
	ok(start(&host, scene, &text, &seal_root));
	assert_int_equal(service_insecure_flags(host.service) & ENCLAVE_INSECURE_host_time, 0);
	ok(tell(&host, WIRE_PIPE_STATE, 0, CS_BYTES_NONE));
	/* Nothing but the question, whatever the host's clock says. */
	assert_int_equal(host.told_count, 1);
	assert_false(service_is_open(host.service));
	const struct told first = asked(&host);
	/* One of two; two of which one is wrong about another nonce; of an older number. */
	ok(answer_as(&host, &first, SCENE_NOW, 0, 1));
	struct told other = first;
	uint8_t changed[32];
	memcpy(changed, first.body.p, 32);
	changed[0] ^= 1;
	other.body = CS_BYTES_OF(changed);
	ok(answer_as(&host, &other, SCENE_NOW, 0, 3));
	other = first;
	other.number++;
	ok(answer_as(&host, &other, SCENE_NOW, 0, 3));
	assert_int_equal(tell(&host, WIRE_PIPE_TIME_ANSWERS, first.number, cs_bytes(changed, 1)),
			 CS_ERR_MALFORMED);
	assert_false(service_is_open(host.service));
	ok(answer_as(&host, &first, SCENE_NOW, 1, 2));
	assert_true(service_is_open(host.service));
	/* Once is enough: the same answers again are of no nonce. */
	ok(answer_as(&host, &first, SCENE_NOW + 1000, 0, 3));
	assert_int_equal(host.service->now.high_s, SCENE_NOW + 2);
	assert_int_equal(host.service->now.low_s, SCENE_NOW - 2);
	host.told_count = 0;
	ask(&host, 1, WIRE_CLUSTER_ASK_CREATE);
	assert_null(find_told(&host, WIRE_PIPE_KEEP));
	answer(&host, SCENE_NOW + 5);
	keep_state(&host);
	assert_true(answered_ok(&host));
	/* What it is, it says without the ledger. */
	host.told_count = 0;
	ask(&host, 2, WIRE_CLUSTER_ASK_STATUS);
	assert_true(answered_ok(&host));
	assert_null(find_told(&host, WIRE_PIPE_TIME_ASK));
	stop(&host);
	scene_free(scene);
}

/* What came after a nonce was made waits for the next one: else an answer that is held back would be used
 * for it. */
static void an_answer_covers_what_was_there_before(void **state)
{
	struct scene_manifest text = ledger_manifest();
	struct scene *scene = scene_new();
	static struct host host;
	(void)state;
	text.not_after_of = 'k';
	ok(start(&host, scene, &text, &seal_root));
	ok(tell(&host, WIRE_PIPE_STATE, 0, CS_BYTES_NONE));
	const struct told first = asked(&host);
	ask(&host, 1, WIRE_CLUSTER_ASK_CREATE);
	ok(answer_as(&host, &first, SCENE_NOW, 0, 3));
	assert_true(service_is_open(host.service));
	assert_null(find_told(&host, WIRE_PIPE_ANSWER));
	const struct told second = asked(&host);
	assert_int_equal(second.number, first.number + 1);
	assert_memory_not_equal(second.body.p, first.body.p, 32);
	/* The build's time is over, whatever the host's clock says. */
	answer(&host, SCENE_NOW + 101);
	assert_non_null(find_told(&host, WIRE_PIPE_ANSWER));
	assert_false(answered_ok(&host));
	assert_null(find_told(&host, WIRE_PIPE_KEEP));
	stop(&host);
	scene_free(scene);
}

static void without_answers_another_nonce(void **state)
{
	const struct scene_manifest text = ledger_manifest();
	struct scene *scene = scene_new();
	static struct host host;
	(void)state;
	ok(start(&host, scene, &text, &seal_root));
	ok(tell(&host, WIRE_PIPE_STATE, 0, CS_BYTES_NONE));
	const struct told first = asked(&host);
	for (unsigned i = 0; i < 3; i++)
		ok(tell(&host, WIRE_PIPE_TICK, 0, CS_BYTES_NONE));
	assert_int_equal(asked(&host).number, first.number);
	ok(tell(&host, WIRE_PIPE_TICK, 0, CS_BYTES_NONE));
	assert_int_equal(asked(&host).number, first.number + 1);
	assert_non_null(find_told(&host, WIRE_PIPE_EVENT));
	/* The first one is worth nothing any more; ticks are one tick; trouble is told once. */
	ok(answer_as(&host, &first, SCENE_NOW, 0, 3));
	assert_false(service_is_open(host.service));
	host.told_count = 0;
	for (unsigned i = 0; i < 8; i++)
		ok(tell(&host, WIRE_PIPE_TICK, 0, CS_BYTES_NONE));
	assert_int_equal(asked(&host).number, first.number + 3);
	assert_null(find_told(&host, WIRE_PIPE_EVENT));
	answer(&host, SCENE_NOW);
	assert_true(service_is_open(host.service));
	assert_int_equal(host.service->clock.size, 0);
	stop(&host);
	scene_free(scene);
}

static void a_host_that_sends_without_end(void **state)
{
	const struct scene_manifest text = ledger_manifest();
	struct scene *scene = scene_new();
	static struct host host;
	static uint8_t piece[WIRE_PIPE_DATA_SIZE_MAX];
	enum cs_err err = CS_OK;
	size_t n = 0;
	(void)state;
	ok(start(&host, scene, &text, &seal_root));
	ok(tell(&host, WIRE_PIPE_STATE, 0, CS_BYTES_NONE));
	for (; err == CS_OK && n <= CLOCK_QUEUE_SIZE_MAX; n += sizeof piece)
		err = tell(&host, WIRE_PIPE_DATA_IN, 2, CS_BYTES_OF(piece));
	assert_int_equal(err, CS_ERR_FULL);
	/* An honest host never comes there. */
	assert_true(n > 2 * WIRE_PIPE_TIME_BYTES_MAX + 64u * WIRE_PIPE_DATA_SIZE_MAX);
	stop(&host);
	scene_free(scene);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(recovery_orders),
		cmocka_unit_test(input_waits_for_the_time),
		cmocka_unit_test(an_answer_covers_what_was_there_before),
		cmocka_unit_test(without_answers_another_nonce),
		cmocka_unit_test(a_host_that_sends_without_end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
