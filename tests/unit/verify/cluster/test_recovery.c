/* No Key Server is left: two of three holders bring the cluster back, into a build that the manifest names, and
 * into no other. */
#include "scene.h"
#include "verify/cluster/recovery.h"

static struct cs_secret holders[3];

static struct scene_cluster *lost(struct cs_buf *recovery, struct cs_buf *data)
{
	struct scene_manifest text = scene_manifest();
	char list[512] = "{\"keys\":[";
	for (unsigned i = 0; i < 3; i++) {
		struct cs_x25519_key key;
		char hex[65];
		memset(&holders[i], (int)(0x11 * (i + 1)), sizeof holders[i]);
		ok(cs_x25519_public(&key, &holders[i]));
		cs_hex(hex, CS_BYTES_OF(key.b));
		const size_t at = strlen(list);
		snprintf(list + at, sizeof list - at, "%s\"0x%s\"", i == 0 ? "" : ",", hex);
	}
	const size_t end = strlen(list);
	snprintf(list + end, sizeof list - end, "],\"threshold\":2}");
	text.recovery = list;
	struct scene_cluster *c = scene_cluster_new(&text);
	struct cs_secret random = scene_random(c->scene);
	ok(scene_join(c, &c->worker, &c->worker_tools));
	ok(cluster_data_seal(data, &c->worker.ring, cs_bytes_str("rows"), CS_BYTES_NONE,
			     cs_bytes_str("row"), &random, &c->scene->now));
	random = scene_random(c->scene);
	ok(cluster_recovery_make(&c->ks, recovery, &c->key_server_tools, &random, &c->why));
	random = scene_random(c->scene);
	ok(cluster_key_server_init(&c->ks, c->manifest, c->memory, &random));
	return c;
}

static enum cs_err ask(struct scene_cluster *c, struct cs_secret *box, struct cs_buf *recovery,
		       struct cs_buf *out)
{
	const struct cs_secret random = scene_random(c->scene);
	return cluster_recovery_ask(&c->ks, box, out, cs_buf_view(recovery), &c->key_server_tools,
				    &random, &c->why);
}

static enum cs_err answer(struct scene_cluster *c, unsigned holder, const struct cs_buf *recovery,
			  const struct cs_buf *request, struct cs_bytes *share)
{
	struct cs_buf out = scene_buf(256);
	const struct cluster_recovery_question question = {cs_buf_view(recovery),
							   cs_buf_view(request), &c->scene->now};
	const struct cs_secret random = scene_random(c->scene);
	struct cluster_peer asker;
	CS_TRY(cluster_recovery_answer(&out, &asker, &question, &holders[holder], c->manifest,
				       &c->guard_tools, &random, &c->why));
	assert_int_equal(asker.role, CLUSTER_KEY_SERVER);
	assert_string_equal(asker.build, "key_server-k");
	*share = cs_buf_view(&out);
	return CS_OK;
}

static enum cs_err take(struct scene_cluster *c, const struct cs_secret *box,
			const struct cs_buf *recovery, const struct cs_bytes *shares, size_t count)
{
	const struct cs_secret random = scene_random(c->scene);
	const struct cluster_recovery_answers answers = {cs_buf_view(recovery), shares, count};
	return cluster_recovery_take(&c->ks, box, &answers, &c->key_server_tools, &random,
				     &c->scene->now, &c->why);
}

static void two_of_three_bring_it_back(void **state)
{
	(void)state;
	struct cs_buf recovery = scene_buf(65536), data = scene_buf(256), request = scene_buf(4096);
	struct scene_cluster *c = lost(&recovery, &data);
	struct cs_bytes shares[3];
	struct cs_secret box;
	ok(ask(c, &box, &recovery, &request));
	for (unsigned i = 0; i < 3; i++)
		ok(answer(c, i, &recovery, &request, &shares[i]));
	assert_int_equal(take(c, &box, &recovery, shares, 1), CS_ERR_UNAUTHORIZED);
	const struct cs_bytes twice[] = {shares[0], shares[0]};
	assert_int_equal(take(c, &box, &recovery, twice, 2), CS_ERR_DUPLICATE);
	assert_int_equal(c->ks.epoch_count, 0);
	ok(take(c, &box, &recovery, shares + 1, 2));
	assert_int_equal(c->ks.epochs[c->ks.epoch_count - 1].number, 2);
	scene_tick(c);
	/* The guards and workers of before go on: it is the same cluster. */
	ok(scene_meet(c, 2));
	ok(scene_join(c, &c->worker, &c->worker_tools));
	struct cs_buf plain = scene_buf(256);
	ok(cluster_data_open(&plain, &c->worker.ring, cs_bytes_str("rows"), CS_BYTES_NONE,
			     cs_buf_view(&data), &c->scene->now));
	assert_int_equal(ask(c, &box, &recovery, &request), CS_ERR_CONFLICT);
	scene_free(c->scene);
}

static void nobody_else_gets_it(void **state)
{
	(void)state;
	struct cs_buf recovery = scene_buf(65536), data = scene_buf(256), request = scene_buf(4096);
	struct scene_cluster *c = lost(&recovery, &data);
	struct cs_bytes shares[2];
	struct cs_secret box, other;
	/* A build that the manifest does not name, and one of another role. */
	c->key_server_build = scene_build('x');
	ok(ask(c, &box, &recovery, &request));
	assert_int_equal(answer(c, 0, &recovery, &request, &shares[0]), CS_ERR_UNLISTED_BUILD);
	c->key_server_build = scene_build('g');
	struct cs_buf again = scene_buf(4096);
	ok(ask(c, &box, &recovery, &again));
	assert_int_equal(answer(c, 0, &recovery, &again, &shares[0]), CS_ERR_UNLISTED_BUILD);
	c->key_server_build = scene_build('k');
	/* Evidence of the right build for another box. */
	struct cs_buf good = scene_buf(4096);
	ok(ask(c, &box, &recovery, &good));
	uint8_t *p = keep(good.n);
	memcpy(p, good.p, good.n);
	struct cs_buf forged = good;
	forged.p = p;
	for (size_t i = 0; i < good.n; i++) {
		p[i] ^= 1;
		assert_int_not_equal(answer(c, 0, &recovery, &forged, &shares[0]), CS_OK);
		p[i] ^= 1;
	}
	ok(answer(c, 0, &recovery, &good, &shares[0]));
	ok(answer(c, 1, &recovery, &good, &shares[1]));
	/* Another process's box opens nothing; nor do shares of another recovery. */
	memset(&other, 5, sizeof other);
	assert_int_equal(take(c, &other, &recovery, shares, 2), CS_ERR_SEAL_BROKEN);
	uint8_t *r = keep(recovery.n);
	memcpy(r, recovery.p, recovery.n);
	struct cs_buf changed = recovery;
	changed.p = r;
	for (size_t i = 0; i < recovery.n; i += 3) {
		r[i] ^= 1;
		assert_int_not_equal(take(c, &box, &changed, shares, 2), CS_OK);
		r[i] ^= 1;
	}
	/* Who is no holder. */
	memset(&holders[2], 0x77, sizeof holders[2]);
	struct cs_bytes none;
	assert_int_equal(answer(c, 2, &recovery, &good, &none), CS_ERR_SEAL_BROKEN);
	ok(take(c, &box, &recovery, shares, 2));
	scene_free(c->scene);
}

static void without_keys_there_is_none(void **state)
{
	(void)state;
	const struct scene_manifest text = scene_manifest();
	struct scene_cluster *c = scene_cluster_new(&text);
	struct cs_buf out = scene_buf(65536);
	const struct cs_secret random = scene_random(c->scene);
	assert_int_equal(
		cluster_recovery_make(&c->ks, &out, &c->key_server_tools, &random, &c->why),
		CS_ERR_CONFLICT);
	scene_free(c->scene);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_of_three_bring_it_back),
		cmocka_unit_test(nobody_else_gets_it),
		cmocka_unit_test(without_keys_there_is_none),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
