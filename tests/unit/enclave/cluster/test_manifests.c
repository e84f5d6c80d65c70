/* Manifests that a running key server is offered, good and bad ones: what was refused leaves nothing behind, a lineage may be
 * as long as its bound says, and what the hardware does not witness at once is made up for. */
#include "host.h"

/* Rounds of every kind of refusal: thousands. */
#define ROUNDS 1000u

static struct told offer(struct host *host, struct cs_bytes file)
{
	static uint8_t question[1 + CS_MANIFEST_SIZE_MAX];
	assert_true(file.n < sizeof question);
	question[0] = WIRE_CLUSTER_ASK_MANIFEST;
	memcpy(question + 1, file.p, file.n);
	host->told_count = 0;
	ok(tell(host, WIRE_PIPE_ASK, 3, cs_bytes(question, 1 + file.n)));
	const struct told *told = find_told(host, WIRE_PIPE_KEEP);
	if (told != NULL)
		ok(tell(host, WIRE_PIPE_KEPT, told->number, CS_BYTES_NONE));
	const struct told *answer = find_told(host, WIRE_PIPE_ANSWER);
	assert_non_null(answer);
	return answer == NULL ? (struct told){.number = 0} : *answer;
}

static void answered(struct host *host, struct cs_bytes file, const char *code)
{
	const struct told answer = offer(host, file);
	const size_t n = strlen(code);
	if (answer.body.n < 1 + n || answer.body.p[0] != n ||
	    memcmp(answer.body.p + 1, code, n) != 0)
		fail_msg("not %s: %.*s", code, (int)answer.body.n, (const char *)answer.body.p);
}

static size_t memory_of(const struct host *host)
{
	const struct cs_arena *arenas = host->service->lineage.arenas;
	return arenas[0].used + arenas[1].used;
}

/* Reads it as the test's own: only its head stays of use, so that the memory is one manifest's. */
static const struct cluster_manifest *follow(struct scene *scene, const struct scene_manifest *text,
					     const struct cluster_manifest *before)
{
	const size_t mark = cs_arena_mark(&scene->manifests);
	const struct cluster_manifest *next = scene_manifest_read(scene, text, before);
	cs_arena_rewind(&scene->manifests, mark);
	return next;
}

static void what_was_refused_leaves_nothing(void **state)
{
	struct scene *scene = scene_new();
	static struct host host;
	struct scene_manifest text = scene_manifest();
	(void)state;
	serve(&host, scene);
	text.number = 2;
	text.workers = "wx";
	const struct cs_bytes good = scene_manifest_file(scene, &text, host.manifest);
	text.signers = 1;
	const struct cs_bytes unsigned_one = scene_manifest_file(scene, &text, host.manifest);
	text.signers = 2;
	text.worker_policy = "\"label\":\"\",";
	const struct cs_bytes no_form = scene_manifest_file(scene, &text, host.manifest);
	text.worker_policy = "";
	text.key_servers = "y";
	const struct cs_bytes without_us = scene_manifest_file(scene, &text, host.manifest);
	text.key_servers = "k";
	text.number = 3;
	const struct cs_bytes too_far = scene_manifest_file(scene, &text, host.manifest);
	const struct {
		struct cs_bytes file;
		const char *code;
	} refused[] = {
		{unsigned_one, "unauthorized"},
		{no_form, "unknown-field"},
		{without_us, "unlisted-build"},
		{too_far, "wrong-lineage"},
		{cs_bytes(good.p, good.n - 1), "truncated"},
	};
	size_t most = 0;
	for (unsigned round = 0; round < ROUNDS; round++) {
		for (size_t i = 0; i < CS_LEN(refused); i++) {
			answered(&host, refused[i].file, refused[i].code);
			if (round == 0 && memory_of(&host) > most)
				most = memory_of(&host);
			assert_true(memory_of(&host) <= most);
		}
	}
	answered(&host, good, "ok");
	assert_int_equal(service_manifest(host.service)->number, 2);
	stop(&host);
	scene_free(scene);
}

static void a_lineage_as_long_as_its_bound(void **state)
{
	struct scene *scene = scene_new();
	static struct host host;
	struct scene_manifest text = scene_manifest();
	struct cs_bytes files[CLUSTER_MANIFESTS_MAX + 1];
	const struct cluster_manifest *newest = NULL;
	(void)state;
	serve(&host, scene);
	for (size_t i = 0; i < CS_LEN(files); i++) {
		text.number = (unsigned)i + 1;
		files[i] = scene_manifest_file(scene, &text, newest);
		if (i == CLUSTER_MANIFESTS_MAX)
			break;
		newest = follow(scene, &text, newest);
		if (i > 0)
			answered(&host, files[i], "ok");
	}
	answered(&host, files[CLUSTER_MANIFESTS_MAX], "full");
	assert_int_equal(service_manifest(host.service)->number, CLUSTER_MANIFESTS_MAX);
	stop(&host);
	/* And a process that is started with all of them. */
	ok(start_lineage(&host, scene, files, CLUSTER_MANIFESTS_MAX, &host.manifest->hash,
			 &seal_root));
	assert_true(cs_hash_eq(&service_manifest(host.service)->hash, &newest->hash));
	stop(&host);
	scene_free(scene);
}

/* The order stands, and nothing is granted until there is evidence about the new epoch. */
static void the_hardware_fails_within_an_order(void **state)
{
	struct scene *scene = scene_new();
	static struct host host;
	struct scene_manifest text = scene_manifest();
	(void)state;
	serve(&host, scene);
	text.number = 2;
	const struct cs_bytes second = scene_manifest_file(scene, &text, host.manifest);
	/* Of what it is now, of what a key server is, of the statement: at the first two nothing has begun. */
	for (unsigned at = 1; at <= 2; at++) {
		host.build.fails_at = at;
		answered(&host, second, "unavailable");
		assert_int_equal(service_manifest(host.service)->number, 1);
	}
	host.build.fails_at = 3;
	answered(&host, second, "ok");
	assert_int_equal(service_manifest(host.service)->number, 2);
	assert_int_equal(host.service->secrets->of.key_server.statement_s, 0);
	ok(tell(&host, WIRE_PIPE_TICK, 0, CS_BYTES_NONE));
	assert_int_not_equal(host.service->secrets->of.key_server.statement_s, 0);
	stop(&host);
	scene_free(scene);
}

static void the_hardware_fails_when_an_epoch_is_due(void **state)
{
	struct scene *scene = scene_new();
	static struct host host;
	struct scene_manifest text = scene_manifest();
	(void)state;
	text.epoch_s = 100;
	serve_text(&host, scene, &text);
	scene->now.low_s += 200;
	scene->now.high_s += 200;
	host.build.fails_at = 1;
	ok(tell(&host, WIRE_PIPE_TICK, 0, CS_BYTES_NONE));
	const struct cluster_key_server *ks = &host.service->secrets->of.key_server;
	assert_int_equal(ks->epochs[ks->epoch_count - 1].number, 2);
	assert_int_equal(ks->statement_s, 0);
	/* It has begun: whatever is built on it comes after its being kept. */
	assert_non_null(find_told(&host, WIRE_PIPE_KEEP));
	keep_state(&host);
	ok(tell(&host, WIRE_PIPE_TICK, 0, CS_BYTES_NONE));
	assert_int_not_equal(ks->statement_s, 0);
	stop(&host);
	scene_free(scene);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_refused_leaves_nothing),
		cmocka_unit_test(a_lineage_as_long_as_its_bound),
		cmocka_unit_test(the_hardware_fails_within_an_order),
		cmocka_unit_test(the_hardware_fails_when_an_epoch_is_due),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
