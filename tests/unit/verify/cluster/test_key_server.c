/* What a Key Server does as time passes and operators ask: epochs, revocation, manifests, its sealed state,
 * a second server. */
#include "scene.h"

static void seal(struct scene_cluster *c, const struct cluster_worker *worker, struct cs_buf *out)
{
	const struct cs_secret salt = scene_random(c->scene);
	ok(cluster_data_seal(out, &worker->ring, cs_bytes_str("rows"), CS_BYTES_NONE,
			     cs_bytes_str("row"), &salt, &c->scene->now));
}

static enum cs_err open(struct scene_cluster *c, const struct cluster_worker *worker,
			const struct cs_buf *sealed)
{
	struct cs_buf plain = scene_buf(4096);
	return cluster_data_open(&plain, &worker->ring, cs_bytes_str("rows"), CS_BYTES_NONE,
				 cs_buf_view(sealed), &c->scene->now);
}

static enum cs_err rotate(struct scene_cluster *c)
{
	const struct cs_secret random = scene_random(c->scene);
	return cluster_key_server_rotate(&c->ks, &c->key_server_tools, &random, &c->scene->now,
					 &c->why);
}

static void pass(struct scene_cluster *c, uint64_t seconds)
{
	c->scene->now.low_s += seconds;
	c->scene->now.high_s += seconds;
	scene_tick(c);
}

static void old_epochs_decrypt_until_their_date(void **state)
{
	(void)state;
	const struct scene_manifest text = scene_manifest();
	struct scene_cluster *c = scene_cluster_new(&text);
	struct cs_buf first = scene_buf(4096), second = scene_buf(4096);
	ok(scene_join(c, &c->worker, &c->worker_tools));
	seal(c, &c->worker, &first);
	assert_int_equal(cs_be64(first.p + 1), 1);
	ok(rotate(c));
	/* Who has not renewed reads nothing of the new epoch, and goes on with the old one. */
	struct cluster_worker late = c->worker;
	ok(scene_join(c, &c->worker, &c->worker_tools));
	seal(c, &c->worker, &second);
	assert_int_equal(cs_be64(second.p + 1), 2);
	assert_int_equal(open(c, &late, &second), CS_ERR_WRONG_EPOCH);
	ok(open(c, &c->worker, &first));
	/* Until its date: decrypt_s after the rotation, inclusive. The worker renews before. */
	pass(c, 1800);
	ok(scene_meet(c, 2));
	ok(scene_join(c, &c->worker, &c->worker_tools));
	pass(c, 1800);
	ok(scene_meet(c, 3));
	ok(scene_join(c, &c->worker, &c->worker_tools));
	pass(c, 1800);
	ok(scene_meet(c, 4));
	ok(scene_join(c, &c->worker, &c->worker_tools));
	pass(c, 1800);
	ok(scene_meet(c, 5));
	assert_int_equal(c->ks.epoch_count, 2);
	ok(scene_join(c, &c->worker, &c->worker_tools));
	ok(open(c, &c->worker, &first));
	c->scene->now.high_s += 1;
	c->scene->now.low_s += 1;
	assert_int_equal(open(c, &c->worker, &first), CS_ERR_EXPIRED);
	cluster_worker_tick(&c->worker, &c->scene->now);
	assert_int_equal(c->worker.ring.count, 1);
	assert_int_equal(open(c, &c->worker, &first), CS_ERR_WRONG_EPOCH);
	scene_tick(c);
	assert_int_equal(c->ks.epoch_count, 1);
	ok(open(c, &c->worker, &second));
	scene_free(c->scene);
}

static void epochs_begin_on_schedule(void **state)
{
	(void)state;
	struct scene_manifest text = scene_manifest();
	text.epoch_s = 1000;
	struct scene_cluster *c = scene_cluster_new(&text);
	const uint64_t counter = c->ks.counter;
	pass(c, 999);
	assert_int_equal(c->ks.epochs[c->ks.epoch_count - 1].number, 1);
	pass(c, 1);
	assert_int_equal(c->ks.epochs[c->ks.epoch_count - 1].number, 2);
	assert_true(c->ks.counter > counter);
	/* As many as there is room for: the oldest ends before its time. */
	for (unsigned i = 0; i < CLUSTER_EPOCHS_MAX + 1; i++)
		ok(rotate(c));
	assert_int_equal(c->ks.epoch_count, CLUSTER_EPOCHS_MAX);
	assert_int_equal(c->ks.epochs[0].number, 4);
	ok(scene_join(c, &c->worker, &c->worker_tools));
	assert_int_equal(c->worker.ring.count, CLUSTER_EPOCHS_MAX);
	scene_free(c->scene);
}

/* What is asked, by the guard or its worker, and what comes back. */
static struct cs_bytes revoked_of(struct scene_cluster *c, const struct cluster_worker *worker)
{
	struct cs_buf request = scene_buf(256), reply = scene_buf(16384);
	if (worker == NULL) {
		ok(cluster_guard_revoked_ask(&c->guard, &request, &c->why));
		ok(cluster_key_server_revoked(&c->ks, &c->to_guard, &reply, cs_buf_view(&request),
					      &c->key_server_tools, &c->scene->now, &c->why));
	} else {
		ok(cluster_worker_revoked_ask(worker, &request, &c->why));
		ok(cluster_guard_revoked(&c->guard, &reply, cs_buf_view(&request), &c->guard_tools,
					 &c->why));
	}
	return cs_buf_view(&reply);
}

static void revoke(struct scene_cluster *c, const struct cs_hash *spki)
{
	const struct cs_secret random = scene_random(c->scene);
	ok(cluster_key_server_revoke(&c->ks, spki, &c->key_server_tools, &random, &c->scene->now,
				     &c->why));
}

static void a_revocation_is_heard_between_two_grants(void **state)
{
	(void)state;
	const struct scene_manifest text = scene_manifest();
	struct scene_cluster *c = scene_cluster_new(&text);
	struct cluster_worker *worker = &c->worker;
	const struct cs_hash bad = {{1}}, worse = {{2}};
	const struct cs_hash own = cluster_spki_hash(&worker->identity.key);
	bool changed = true;
	/* Without a grant there is no key to check it by. */
	assert_int_equal(cluster_guard_revoked_hear(&c->guard, &changed, revoked_of(c, NULL),
						    &c->guard_tools, &c->why),
			 CS_ERR_NO_KEY);
	assert_int_equal(cluster_worker_revoked_hear(worker, &changed, CS_BYTES_NONE,
						     &c->worker_tools, &c->why),
			 CS_ERR_NO_KEY);
	ok(scene_join(c, worker, &c->worker_tools));
	ok(cluster_guard_revoked_hear(&c->guard, &changed, revoked_of(c, NULL), &c->guard_tools,
				      &c->why));
	assert_false(changed);
	revoke(c, &bad);
	const struct cs_bytes one = revoked_of(c, NULL);
	ok(cluster_guard_revoked_hear(&c->guard, &changed, one, &c->guard_tools, &c->why));
	assert_true(changed);
	ok(cluster_worker_revoked_hear(worker, &changed, revoked_of(c, worker), &c->worker_tools,
				       &c->why));
	assert_true(changed && worker->trust.revoked_count == 1 && worker->certificate_size > 0);
	/* Nothing new is said without a signature, and costs nothing. */
	assert_int_equal(revoked_of(c, worker).n, 0);
	/* Every byte of it is signed. */
	revoke(c, &worse);
	const struct cs_bytes two = revoked_of(c, NULL);
	uint8_t *p = keep(two.n);
	memcpy(p, two.p, two.n);
	for (size_t i = 0; i < two.n; i++) {
		p[i] ^= 1;
		const enum cs_err err = cluster_worker_revoked_hear(
			worker, &changed, cs_bytes(p, two.n), &c->worker_tools, &c->why);
		assert_false(err == CS_OK && changed);
		p[i] ^= 1;
	}
	assert_int_equal(worker->trust.revoked_count, 1);
	/* What is revoked stays so: neither an older list nor an older grant takes it back. */
	ok(cluster_worker_revoked_hear(worker, &changed, two, &c->worker_tools, &c->why));
	assert_true(changed && worker->trust.revoked_count == 2);
	assert_int_equal(
		cluster_worker_revoked_hear(worker, &changed, one, &c->worker_tools, &c->why),
		CS_ERR_ROLLED_BACK);
	const size_t count = c->ks.revoked_count;
	c->ks.revoked_count = 1;
	assert_int_equal(scene_join(c, worker, &c->worker_tools), CS_ERR_ROLLED_BACK);
	c->ks.revoked_count = count;
	ok(scene_join(c, worker, &c->worker_tools));
	/* Itself: then it has nothing any more. */
	revoke(c, &own);
	ok(cluster_guard_revoked_hear(&c->guard, &changed, revoked_of(c, NULL), &c->guard_tools,
				      &c->why));
	ok(cluster_worker_revoked_hear(worker, &changed, revoked_of(c, worker), &c->worker_tools,
				       &c->why));
	assert_true(changed && worker->certificate_size == 0 && worker->ring.count == 0);
	/* A guard that was revoked hears nothing. */
	const struct cs_hash guard = cluster_spki_hash(&c->guard.identity.key);
	struct cs_buf request = scene_buf(256), reply = scene_buf(16384);
	revoke(c, &guard);
	ok(cluster_guard_revoked_ask(&c->guard, &request, &c->why));
	assert_int_equal(cluster_key_server_revoked(&c->ks, &c->to_guard, &reply,
						    cs_buf_view(&request), &c->key_server_tools,
						    &c->scene->now, &c->why),
			 CS_ERR_REVOKED);
	scene_free(c->scene);
}

static void a_revoked_worker_is_out(void **state)
{
	(void)state;
	const struct scene_manifest text = scene_manifest();
	struct scene_cluster *c = scene_cluster_new(&text);
	struct cluster_worker other;
	struct cluster_certificate seen;
	struct cs_secret random = scene_random(c->scene);
	ok(cluster_worker_init(&other, c->manifest, cs_bytes_str(APPLICATION), &random));
	ok(scene_join(c, &c->worker, &c->worker_tools));
	ok(scene_join(c, &other, &c->worker_tools));
	const struct cs_hash spki = cluster_spki_hash(&c->worker.identity.key);
	random = scene_random(c->scene);
	ok(cluster_key_server_revoke(&c->ks, &spki, &c->key_server_tools, &random, &c->scene->now,
				     &c->why));
	assert_int_equal(c->ks.epochs[c->ks.epoch_count - 1].number, 2);
	assert_int_equal(scene_join(c, &c->worker, &c->worker_tools), CS_ERR_REVOKED);
	/* The other one learns it with its next grant. */
	ok(scene_join(c, &other, &c->worker_tools));
	assert_int_equal(cluster_trust_verify(
				 &seen, cs_bytes(c->worker.certificate, c->worker.certificate_size),
				 &other.trust, &c->scene->now, &c->why),
			 CS_ERR_REVOKED);
	struct cs_buf sealed = scene_buf(4096);
	seal(c, &other, &sealed);
	assert_int_equal(open(c, &c->worker, &sealed), CS_ERR_WRONG_EPOCH);
	/* Twice, itself, and the guard: its session is of no use from then on. */
	random = scene_random(c->scene);
	assert_int_equal(cluster_key_server_revoke(&c->ks, &spki, &c->key_server_tools, &random,
						   &c->scene->now, &c->why),
			 CS_ERR_DUPLICATE);
	const struct cs_hash own = cluster_spki_hash(&c->ks.identity.key);
	assert_int_equal(cluster_key_server_revoke(&c->ks, &own, &c->key_server_tools, &random,
						   &c->scene->now, &c->why),
			 CS_ERR_CONFLICT);
	const struct cs_hash guard = cluster_spki_hash(&c->guard.identity.key);
	ok(cluster_key_server_revoke(&c->ks, &guard, &c->key_server_tools, &random, &c->scene->now,
				     &c->why));
	assert_int_equal(scene_join(c, &other, &c->worker_tools), CS_ERR_REVOKED);
	assert_int_equal(scene_meet(c, 4), CS_ERR_REVOKED);
	scene_free(c->scene);
}

static void builds_roll_over_in_two_manifests(void **state)
{
	(void)state;
	struct scene_manifest text = scene_manifest();
	struct scene_cluster *c = scene_cluster_new(&text);
	struct cs_secret random = scene_random(c->scene);
	struct cluster_worker young;
	struct scene_build build = scene_build('x');
	const struct cluster_tools tools = scene_tools(c->scene, &build);
	struct cs_bytes join, vouch, grant;
	ok(scene_join(c, &c->worker, &c->worker_tools));
	ok(cluster_worker_init(&young, c->manifest, cs_bytes_str(APPLICATION), &random));
	assert_int_equal(scene_join(c, &young, &tools), CS_ERR_UNLISTED_BUILD);
	/* 2: both builds. The key server first; guard and workers still speak manifest 1. */
	text.number = 2;
	text.workers = "wx";
	const struct cluster_manifest *second = scene_manifest_read(c->scene, &text, c->manifest);
	random = scene_random(c->scene);
	ok(cluster_key_server_manifest(&c->ks, second, &c->key_server_tools, &random,
				       &c->scene->now, &c->why));
	assert_int_equal(c->ks.epochs[c->ks.epoch_count - 1].number, 2);
	ok(scene_join(c, &c->worker, &c->worker_tools));
	ok(cluster_guard_manifest(&c->guard, second, &c->why));
	ok(scene_meet(c, 2));
	ok(scene_join(c, &c->worker, &c->worker_tools));
	ok(scene_join(c, &young, &tools));
	ok(cluster_worker_manifest(&young, second, &c->why));
	assert_false(cluster_worker_due(&young, &c->scene->now));
	ok(scene_ask(c, &c->worker, &c->worker_tools, &join));
	ok(scene_vouch(c, join, &vouch));
	/* 3: the new build alone, and nobody under 1 any more. A vouch that is on its way does not slip
	 * through. */
	text.number = 3;
	text.workers = "x";
	text.peer_number_min = 2;
	const struct cluster_manifest *third = scene_manifest_read(c->scene, &text, second);
	random = scene_random(c->scene);
	assert_int_equal(cluster_guard_manifest(&c->guard, c->manifest, &c->why),
			 CS_ERR_WRONG_LINEAGE);
	ok(cluster_key_server_manifest(&c->ks, third, &c->key_server_tools, &random, &c->scene->now,
				       &c->why));
	assert_int_equal(scene_issue(c, vouch, &grant), CS_ERR_UNLISTED_BUILD);
	ok(cluster_guard_manifest(&c->guard, third, &c->why));
	ok(cluster_worker_manifest(&young, third, &c->why));
	assert_true(cluster_worker_due(&young, &c->scene->now));
	ok(scene_join(c, &young, &tools));
	assert_int_equal(scene_join(c, &c->worker, &c->worker_tools), CS_ERR_WRONG_MANIFEST);
	/* A manifest that leaves this server out, or the wrong one, changes nothing. */
	text.number = 4;
	text.key_servers = "y";
	const struct cluster_manifest *fourth = scene_manifest_read(c->scene, &text, third);
	assert_int_equal(cluster_key_server_manifest(&c->ks, fourth, &c->key_server_tools, &random,
						     &c->scene->now, &c->why),
			 CS_ERR_UNLISTED_BUILD);
	assert_ptr_equal(c->ks.manifest, third);
	assert_int_equal(cluster_key_server_manifest(&c->ks, second, &c->key_server_tools, &random,
						     &c->scene->now, &c->why),
			 CS_ERR_WRONG_LINEAGE);
	scene_tick(c);
	ok(scene_join(c, &young, &tools));
	scene_free(c->scene);
}

static void nothing_outlives_its_authority(void **state)
{
	(void)state;
	const struct scene_manifest text = scene_manifest();
	struct scene_cluster *c = scene_cluster_new(&text);
	struct cluster_certificate seen;
	/* As if it had not been made anew at half of its life. */
	c->ks.certificate_until_s = SCENE_NOW + 100;
	ok(scene_join(c, &c->worker, &c->worker_tools));
	ok(cluster_trust_verify(&seen, cs_bytes(c->worker.certificate, c->worker.certificate_size),
				&c->worker.trust, &c->scene->now, &c->why));
	assert_int_equal(seen.not_after_s, SCENE_NOW + 100);
	c->ks.certificate_until_s = SCENE_NOW - 1;
	assert_int_equal(scene_join(c, &c->worker, &c->worker_tools), CS_ERR_EXPIRED);
	scene_free(c->scene);
}

static void a_builds_time_ends(void **state)
{
	(void)state;
	struct scene_manifest text = scene_manifest();
	text.not_after_of = 'w';
	struct scene_cluster *c = scene_cluster_new(&text);
	struct cs_bytes join, vouch, grant;
	ok(scene_join(c, &c->worker, &c->worker_tools));
	ok(scene_ask(c, &c->worker, &c->worker_tools, &join));
	ok(scene_vouch(c, join, &vouch));
	pass(c, 100);
	assert_int_equal(scene_issue(c, vouch, &grant), CS_ERR_EXPIRED);
	assert_int_not_equal(scene_join(c, &c->worker, &c->worker_tools), CS_OK);
	scene_free(c->scene);
}

static struct cs_buf state_of(struct scene_cluster *c)
{
	struct cs_buf out = scene_buf(CLUSTER_STATE_SIZE_MAX);
	ok(cluster_key_server_encode(&c->ks, &out, &c->scene->arena, &c->why));
	return out;
}

static enum cs_err restart(struct scene_cluster *c, const struct cs_buf *state,
			   const struct cluster_anchor *anchor)
{
	const struct cs_secret random = scene_random(c->scene);
	ok(cluster_key_server_init(&c->ks, c->manifest, c->memory, &random));
	CS_TRY(cluster_key_server_restore(&c->ks, cs_buf_view(state), anchor, &c->key_server_tools,
					  &c->why));
	scene_tick(c);
	return CS_OK;
}

static void state_comes_back(void **state)
{
	(void)state;
	const struct scene_manifest text = scene_manifest();
	struct scene_cluster *c = scene_cluster_new(&text);
	struct cs_bytes vouch, join, grant;
	ok(scene_join(c, &c->worker, &c->worker_tools));
	ok(rotate(c));
	const struct cs_buf sealed = state_of(c);
	const struct cluster_key_server before = c->ks;
	ok(restart(c, &sealed, NULL));
	assert_memory_equal(c->ks.epochs, before.epochs, sizeof before.epochs);
	assert_memory_equal(&c->ks.identity, &before.identity, sizeof before.identity);
	assert_int_equal(c->ks.counter, before.counter);
	ok(scene_meet(c, 2));
	ok(scene_join(c, &c->worker, &c->worker_tools));
	/* Before the first tick nothing is issued. */
	const struct cs_secret random = scene_random(c->scene);
	ok(scene_ask(c, &c->worker, &c->worker_tools, &join));
	ok(scene_vouch(c, join, &vouch));
	ok(cluster_key_server_init(&c->ks, c->manifest, c->memory, &random));
	assert_int_equal(scene_issue(c, vouch, &grant), CS_ERR_NO_KEY);
	ok(cluster_key_server_restore(&c->ks, cs_buf_view(&sealed), NULL, &c->key_server_tools,
				      &c->why));
	assert_int_equal(scene_issue(c, vouch, &grant), CS_ERR_UNAVAILABLE);
	scene_tick(c);
	ok(scene_issue(c, vouch, &grant));
	/* Broken, another lineage's, a manifest that was not given. */
	for (size_t i = 0; i < sealed.n; i += 7) {
		struct cluster_key_server ks;
		ok(cluster_key_server_init(&ks, c->manifest, c->memory, &random));
		assert_int_not_equal(cluster_key_server_restore(&ks, cs_bytes(sealed.p, i), NULL,
								&c->key_server_tools, &c->why),
				     CS_OK);
		assert_int_equal(ks.epoch_count, 0);
	}
	struct scene_manifest other = scene_manifest();
	other.worker_s = 1800;
	c->manifest = scene_manifest_read(c->scene, &other, NULL);
	assert_int_equal(restart(c, &sealed, NULL), CS_ERR_WRONG_LINEAGE);
	scene_free(c->scene);
}

static void a_state_that_was_put_back_is_found(void **state)
{
	(void)state;
	const struct scene_manifest text = scene_manifest();
	struct scene_cluster *c = scene_cluster_new(&text);
	struct cluster_anchor anchor;
	const struct cs_buf old = state_of(c);
	ok(scene_join(c, &c->worker, &c->worker_tools));
	ok(rotate(c));
	ok(scene_join(c, &c->worker, &c->worker_tools));
	cluster_key_server_anchor(&c->ks, &anchor);
	/* By an anchor from outside. */
	assert_int_equal(restart(c, &old, &anchor), CS_ERR_ROLLED_BACK);
	assert_int_equal(c->ks.epoch_count, 0);
	/* Without one: by the guard's memory, which it shows when they meet. */
	ok(restart(c, &old, NULL));
	assert_int_equal(scene_meet(c, 2), CS_ERR_ROLLED_BACK);
	assert_true(c->ks.behind);
	/* It issues nothing from then on, to a guard without memory either. */
	const struct cluster_guard knows = c->guard;
	const struct cs_secret random = scene_random(c->scene);
	ok(cluster_guard_init(&c->guard, c->manifest, &random));
	ok(scene_meet(c, 3));
	assert_int_equal(scene_join(c, &c->worker, &c->worker_tools), CS_ERR_ROLLED_BACK);
	assert_int_equal(rotate(c), CS_ERR_ROLLED_BACK);
	/* A guard without memory, before anybody has told it: the worker remembers. */
	ok(restart(c, &old, NULL));
	ok(scene_meet(c, 4));
	assert_int_equal(scene_join(c, &c->worker, &c->worker_tools), CS_ERR_ROLLED_BACK);
	/* And another epoch of the same number has another authority. */
	ok(restart(c, &old, NULL));
	ok(rotate(c));
	c->guard = knows;
	assert_int_equal(scene_meet(c, 5), CS_ERR_ROLLED_BACK);
	scene_free(c->scene);
}

static void guards_and_workers_come_back(void **state)
{
	(void)state;
	const struct scene_manifest text = scene_manifest();
	struct scene_cluster *c = scene_cluster_new(&text);
	struct cs_buf guard = scene_buf(4096), worker = scene_buf(65536), data = scene_buf(4096);
	struct cs_secret random = scene_random(c->scene);
	const struct cs_hash spki = cluster_spki_hash(&c->guard.identity.key);
	struct cluster_worker other;
	ok(scene_join(c, &c->worker, &c->worker_tools));
	seal(c, &c->worker, &data);
	ok(cluster_guard_encode(&c->guard, &guard, &c->scene->arena, &c->why));
	ok(cluster_worker_encode(&c->worker, &worker, &c->scene->arena, &c->why));
	ok(cluster_guard_init(&c->guard, c->manifest, &random));
	ok(cluster_guard_restore(&c->guard, cs_buf_view(&guard), &c->guard_tools, &c->why));
	const struct cs_hash back = cluster_spki_hash(&c->guard.identity.key);
	assert_true(cs_hash_eq(&spki, &back));
	assert_true(c->guard.has_anchor);
	const struct cs_bytes sealed = cs_buf_view(&worker);
	ok(cluster_worker_init(&other, c->manifest, cs_bytes_str(APPLICATION), &random));
	ok(cluster_worker_restore(&other, sealed, &c->worker_tools, &c->scene->now, &c->why));
	ok(open(c, &other, &data));
	assert_false(cluster_worker_due(&other, &c->scene->now));
	/* Another application's, and one whose certificate has ended. */
	ok(cluster_worker_init(&other, c->manifest, cs_bytes_str("sealed"), &random));
	assert_int_equal(
		cluster_worker_restore(&other, sealed, &c->worker_tools, &c->scene->now, &c->why),
		CS_ERR_NOT_IN_MANIFEST);
	c->scene->now = (struct verify_time){SCENE_NOW + 3600, SCENE_NOW + 3601};
	ok(cluster_worker_init(&other, c->manifest, cs_bytes_str(APPLICATION), &random));
	ok(cluster_worker_restore(&other, sealed, &c->worker_tools, &c->scene->now, &c->why));
	assert_int_equal(other.ring.count, 0);
	assert_true(cluster_worker_due(&other, &c->scene->now));
	assert_int_equal(other.epoch, 1);
	assert_int_equal(open(c, &other, &data), CS_ERR_NO_KEY);
	scene_free(c->scene);
}

/* ---- a second key server ---- */

static enum cs_err copy(struct scene_cluster *c, struct cluster_key_server *second,
			uint8_t exporter, const struct cluster_tools *tools)
{
	struct cluster_session client, server;
	struct cs_buf hello = scene_buf(262144), reply = scene_buf(262144), ask = scene_buf(1024),
		      answer = scene_buf(65536);
	struct cs_secret box, random = scene_random(c->scene);
	scene_channel(&client, &server, &second->identity.key, &c->ks.identity.key, exporter);
	CS_TRY(cluster_key_server_hello(second, &client, &hello, tools, &c->why));
	CS_TRY(cluster_key_server_meet(&c->ks, &server, cs_buf_view(&hello), &c->key_server_tools,
				       &c->scene->now, &c->why));
	CS_TRY(cluster_key_server_hello(&c->ks, &server, &reply, &c->key_server_tools, &c->why));
	CS_TRY(cluster_key_server_meet(second, &client, cs_buf_view(&reply), tools, &c->scene->now,
				       &c->why));
	CS_TRY(cluster_key_server_copy_ask(second, &box, &ask, &random, &c->why));
	random = scene_random(c->scene);
	CS_TRY(cluster_key_server_copy(&c->ks, &server, &answer, cs_buf_view(&ask),
				       &c->key_server_tools, &random, &c->scene->now, &c->why));
	/* In another session it does not open. */
	struct cluster_session other = client;
	other.channel.exporter.b[5] ^= 1;
	assert_int_equal(cluster_key_server_adopt(second, &other, &box, cs_buf_view(&answer), tools,
						  &c->scene->now, &c->why),
			 CS_ERR_SEAL_BROKEN);
	return cluster_key_server_adopt(second, &client, &box, cs_buf_view(&answer), tools,
					&c->scene->now, &c->why);
}

static void a_second_key_server_takes_over(void **state)
{
	(void)state;
	struct scene_manifest text = scene_manifest();
	text.key_servers = "kl";
	struct scene_cluster *c = scene_cluster_new(&text);
	struct cluster_key_server *second = keep(sizeof *second);
	struct scene_build build = scene_build('l');
	struct cluster_tools tools = scene_tools(c->scene, &build);
	struct cs_secret random = scene_random(c->scene);
	struct cs_buf data = scene_buf(4096);
	ok(scene_join(c, &c->worker, &c->worker_tools));
	seal(c, &c->worker, &data);
	ok(cluster_key_server_init(second, c->manifest, keep(CLUSTER_STATEMENT_SIZE_MAX), &random));
	/* Not for a build that is no key server's. */
	build = scene_build('g');
	assert_int_equal(copy(c, second, 20, &tools), CS_ERR_UNLISTED_BUILD);
	assert_int_equal(second->epoch_count, 0);
	build = scene_build('l');
	ok(copy(c, second, 21, &tools));
	assert_true(second->standby);
	/* The first one has gone on; the standby catches up. */
	ok(rotate(c));
	ok(copy(c, second, 22, &tools));
	assert_int_equal(second->epochs[second->epoch_count - 1].number, 2);
	assert_int_equal(
		cluster_key_server_rotate(second, &tools, &random, &c->scene->now, &c->why),
		CS_ERR_CONFLICT);
	assert_int_equal(cluster_key_server_promote(&c->ks, &c->why), CS_ERR_CONFLICT);
	ok(scene_join(c, &c->worker, &c->worker_tools));
	/* The first one is gone. */
	ok(cluster_key_server_promote(second, &c->why));
	c->ks = *second;
	c->key_server_tools = tools;
	scene_tick(c);
	ok(scene_meet(c, 23));
	ok(scene_join(c, &c->worker, &c->worker_tools));
	ok(open(c, &c->worker, &data));
	ok(rotate(c));
	ok(scene_join(c, &c->worker, &c->worker_tools));
	assert_int_equal(c->worker.epoch, 3);
	/* Who has a cluster of its own takes no other's. */
	struct cs_secret box;
	struct cs_buf out = scene_buf(1024);
	assert_int_equal(cluster_key_server_copy_ask(&c->ks, &box, &out, &random, &c->why),
			 CS_ERR_CONFLICT);
	scene_free(c->scene);
}

static void two_clusters_of_one_manifest(void **state)
{
	(void)state;
	const struct scene_manifest text = scene_manifest();
	struct scene_cluster *c = scene_cluster_new(&text);
	const struct cs_secret random = scene_random(c->scene);
	ok(scene_join(c, &c->worker, &c->worker_tools));
	/* The operator makes the cluster once more: nobody who knows the first one believes it. */
	ok(cluster_key_server_init(&c->ks, c->manifest, c->memory, &random));
	ok(cluster_key_server_create(&c->ks, &c->key_server_tools, &random, &c->scene->now,
				     &c->why));
	assert_int_equal(cluster_key_server_create(&c->ks, &c->key_server_tools, &random,
						   &c->scene->now, &c->why),
			 CS_ERR_CONFLICT);
	scene_tick(c);
	assert_int_equal(scene_meet(c, 2), CS_ERR_BAD_SIGNATURE);
	const struct cs_secret fresh = scene_random(c->scene);
	ok(cluster_guard_init(&c->guard, c->manifest, &fresh));
	ok(scene_meet(c, 3));
	assert_int_equal(scene_join(c, &c->worker, &c->worker_tools), CS_ERR_WRONG_KEY);
	scene_free(c->scene);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(old_epochs_decrypt_until_their_date),
		cmocka_unit_test(epochs_begin_on_schedule),
		cmocka_unit_test(a_revoked_worker_is_out),
		cmocka_unit_test(a_revocation_is_heard_between_two_grants),
		cmocka_unit_test(builds_roll_over_in_two_manifests),
		cmocka_unit_test(nothing_outlives_its_authority),
		cmocka_unit_test(a_builds_time_ends),
		cmocka_unit_test(state_comes_back),
		cmocka_unit_test(a_state_that_was_put_back_is_found),
		cmocka_unit_test(guards_and_workers_come_back),
		cmocka_unit_test(a_second_key_server_takes_over),
		cmocka_unit_test(two_clusters_of_one_manifest),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
