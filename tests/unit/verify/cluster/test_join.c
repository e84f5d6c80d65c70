/* A worker's way to its keys, and what stops everybody else (docs/protocol/cluster.md, the table of
 * attacks). */
#include "scene.h"

static void seals_and_opens(struct scene_cluster *c, const struct cluster_worker *from,
			    const struct cluster_worker *to)
{
	struct cs_buf sealed = scene_buf(4096), plain = scene_buf(4096);
	const struct cs_secret salt = scene_random(c->scene);
	ok(cluster_data_seal(&sealed, &from->ring, cs_bytes_str("rows"), cs_bytes_str("7"),
			     cs_bytes_str("a secret row"), &salt, &c->scene->now));
	ok(cluster_data_open(&plain, &to->ring, cs_bytes_str("rows"), cs_bytes_str("7"),
			     cs_buf_view(&sealed), &c->scene->now));
	assert_true(cs_bytes_eq(cs_buf_view(&plain), cs_bytes_str("a secret row")));
}

static void a_worker_joins(void **state)
{
	(void)state;
	const struct scene_manifest text = scene_manifest();
	struct scene_cluster *c = scene_cluster_new(&text);
	struct cluster_worker other;
	struct cs_secret random = scene_random(c->scene);
	assert_true(cluster_worker_due(&c->worker, &c->scene->now));
	ok(scene_join(c, &c->worker, &c->worker_tools));
	assert_false(cluster_worker_due(&c->worker, &c->scene->now));
	assert_true(c->worker.ring.insecure);
	ok(cluster_worker_init(&other, c->manifest, cs_bytes_str(APPLICATION), &random));
	ok(scene_join(c, &other, &c->worker_tools));
	seals_and_opens(c, &c->worker, &other);
	seals_and_opens(c, &other, &c->worker);
	/* And each takes the other's certificate in TLS. */
	struct cluster_certificate seen;
	ok(cluster_trust_verify(&seen, cs_bytes(other.certificate, other.certificate_size),
				&c->worker.trust, &c->scene->now, &c->why));
	assert_memory_equal(seen.key.b, other.identity.key.b, 32);
	assert_true(seen.not_after_s - seen.not_before_s == 3600);
	/* At half of its life it is due, at the end it has nothing. */
	c->scene->now = (struct verify_time){SCENE_NOW + 1750, SCENE_NOW + 1751};
	assert_true(cluster_worker_due(&c->worker, &c->scene->now));
	scene_tick(c);
	ok(scene_join(c, &c->worker, &c->worker_tools));
	assert_false(cluster_worker_due(&c->worker, &c->scene->now));
	c->scene->now = (struct verify_time){SCENE_NOW + 3600, SCENE_NOW + 3601};
	assert_int_equal(cluster_trust_verify(&seen,
					      cs_bytes(other.certificate, other.certificate_size),
					      &c->worker.trust, &c->scene->now, &c->why),
			 CS_ERR_EXPIRED);
	cluster_worker_tick(&other, &c->scene->now);
	assert_int_equal(other.ring.count, 0);
	cluster_worker_tick(&c->worker, &c->scene->now);
	assert_int_equal(c->worker.ring.count, 1);
	scene_free(c->scene);
}

static void a_wrong_build_gets_nothing(void **state)
{
	(void)state;
	const struct scene_manifest text = scene_manifest();
	struct scene_cluster *c = scene_cluster_new(&text);
	struct cs_bytes join, vouch;
	/* A worker's, by the guard. */
	c->worker_build = scene_build('x');
	ok(scene_ask(c, &c->worker, &c->worker_tools, &join));
	assert_int_equal(scene_vouch(c, join, &vouch), CS_ERR_UNLISTED_BUILD);
	/* A guard's build is no worker's. */
	c->worker_build = scene_build('g');
	ok(scene_ask(c, &c->worker, &c->worker_tools, &join));
	assert_int_equal(scene_vouch(c, join, &vouch), CS_ERR_UNLISTED_BUILD);
	/* A guard's, by the key server; a key server's, by the guard. */
	c->guard_build = scene_build('w');
	assert_int_equal(scene_meet(c, 2), CS_ERR_UNLISTED_BUILD);
	assert_false(c->to_guard.verified);
	c->guard_build = scene_build('g');
	c->key_server_build = scene_build('x');
	assert_int_equal(scene_meet(c, 3), CS_ERR_UNLISTED_BUILD);
	assert_false(c->to_key_server.verified);
	/* Its own, at its birth. */
	struct cluster_key_server ks;
	const struct cs_secret random = scene_random(c->scene);
	ok(cluster_key_server_init(&ks, c->manifest, c->memory, &random));
	assert_int_equal(cluster_key_server_create(&ks, &c->key_server_tools, &random,
						   &c->scene->now, &c->why),
			 CS_ERR_UNLISTED_BUILD);
	assert_int_equal(ks.epoch_count, 0);
	scene_free(c->scene);
}

static void evidence_is_of_this_channel(void **state)
{
	(void)state;
	const struct scene_manifest text = scene_manifest();
	struct scene_cluster *c = scene_cluster_new(&text);
	struct cluster_session client, server, other_client, other_server;
	struct cs_buf hello = scene_buf(262144);
	scene_channel(&client, &server, &c->guard.identity.key, &c->ks.identity.key, 7);
	ok(cluster_guard_hello(&c->guard, &client, &hello, &c->guard_tools, &c->why));
	/* Another exporter: a hello that was kept, or carried over by whoever sits in between. */
	scene_channel(&other_client, &other_server, &c->guard.identity.key, &c->ks.identity.key, 8);
	assert_int_equal(cluster_key_server_meet(&c->ks, &other_server, cs_buf_view(&hello),
						 &c->key_server_tools, &c->scene->now, &c->why),
			 CS_ERR_WRONG_KEY);
	/* The other direction: a peer's own hello sent back to it. */
	assert_int_equal(cluster_guard_meet(&c->guard, &client, cs_buf_view(&hello),
					    &c->guard_tools, &c->scene->now, &c->why),
			 CS_ERR_WRONG_KEY);
	struct cluster_session swapped = server;
	swapped.channel.client_spki = server.channel.server_spki;
	swapped.channel.server_spki = server.channel.client_spki;
	swapped.channel.client = true;
	assert_int_equal(cluster_key_server_meet(&c->ks, &swapped, cs_buf_view(&hello),
						 &c->key_server_tools, &c->scene->now, &c->why),
			 CS_ERR_WRONG_KEY);
	/* Another key: the channel of somebody who has only the evidence. */
	const struct cs_secret secret = scene_random(c->scene);
	struct cluster_pair thief;
	ok(cluster_pair_make(&thief, &secret));
	scene_channel(&other_client, &other_server, &thief.key, &c->ks.identity.key, 7);
	assert_int_equal(cluster_key_server_meet(&c->ks, &other_server, cs_buf_view(&hello),
						 &c->key_server_tools, &c->scene->now, &c->why),
			 CS_ERR_WRONG_KEY);
	/* As it was made. */
	ok(cluster_key_server_meet(&c->ks, &server, cs_buf_view(&hello), &c->key_server_tools,
				   &c->scene->now, &c->why));
	assert_int_equal(cluster_key_server_meet(&c->ks, &server, cs_buf_view(&hello),
						 &c->key_server_tools, &c->scene->now, &c->why),
			 CS_ERR_CONFLICT);
	/* A process does not show itself on a channel that is not its own. */
	scene_channel(&other_client, &other_server, &thief.key, &c->ks.identity.key, 7);
	assert_int_equal(
		cluster_guard_hello(&c->guard, &other_client, &hello, &c->guard_tools, &c->why),
		CS_ERR_WRONG_KEY);
	/* A recorded report of the right build about something else. */
	c->guard_build.tells_lies = true;
	assert_int_equal(scene_meet(c, 9), CS_ERR_WRONG_KEY);
	scene_free(c->scene);
}

static void roles_are_not_exchanged(void **state)
{
	(void)state;
	struct scene_manifest text = scene_manifest();
	/* One build for all roles: the evidence says which one it is in. */
	text.key_servers = text.guards = text.workers = "a";
	struct scene_cluster *c = keep(sizeof *c);
	(void)c;
	struct scene *s = scene_new();
	const struct cluster_manifest *m = scene_manifest_read(s, &text, NULL);
	struct scene_build build = scene_build('a');
	const struct cluster_tools tools = scene_tools(s, &build);
	struct cluster_guard a, b;
	struct cluster_session client, server;
	struct cs_buf hello = scene_buf(262144);
	struct cs_why why;
	struct cs_secret random = scene_random(s);
	ok(cluster_guard_init(&a, m, &random));
	random = scene_random(s);
	ok(cluster_guard_init(&b, m, &random));
	scene_channel(&client, &server, &a.identity.key, &b.identity.key, 1);
	ok(cluster_guard_hello(&a, &client, &hello, &tools, &why));
	/* A guard takes no other guard for a key server. */
	assert_int_equal(
		cluster_guard_meet(&b, &server, cs_buf_view(&hello), &tools, &s->now, &why),
		CS_ERR_FORBIDDEN);
	/* Nor when its message says so. */
	struct cs_bytes bytes = cs_buf_view(&hello);
	assert_int_equal(bytes.p[1], CLUSTER_GUARD);
	hello.p[1] = CLUSTER_KEY_SERVER;
	assert_int_equal(
		cluster_guard_meet(&b, &server, cs_buf_view(&hello), &tools, &s->now, &why),
		CS_ERR_WRONG_KEY);
	hello.p[1] = CLUSTER_WORKER;
	assert_int_equal(
		cluster_guard_meet(&b, &server, cs_buf_view(&hello), &tools, &s->now, &why),
		CS_ERR_FORBIDDEN);
	scene_free(s);
}

/* A lineage without anything insecure takes no peer that says of itself that something is missing. */
static void an_insecure_peer_is_refused(void **state)
{
	(void)state;
	struct scene_manifest text = scene_manifest();
	text.secure = true;
	struct scene *s = scene_new();
	const struct cluster_manifest *m = scene_manifest_read(s, &text, NULL);
	struct scene_build build = scene_build('g');
	struct cluster_tools tools = scene_tools(s, &build);
	struct cluster_guard a, b;
	struct cluster_session client, server;
	struct cs_buf hello = scene_buf(262144);
	struct cs_why why;
	struct cs_secret random = scene_random(s);
	assert_false(m->insecure);
	ok(cluster_guard_init(&a, m, &random));
	random = scene_random(s);
	ok(cluster_guard_init(&b, m, &random));
	for (unsigned bit = 0; bit < 64; bit += 21) {
		tools.tee.insecure_flags = (uint64_t)1 << bit;
		scene_channel(&client, &server, &a.identity.key, &b.identity.key, 1);
		hello = scene_buf(262144);
		ok(cluster_guard_hello(&a, &client, &hello, &tools, &why));
		assert_int_equal(
			cluster_guard_meet(&b, &server, cs_buf_view(&hello), &tools, &s->now, &why),
			CS_ERR_INSECURE_REFUSED);
	}
	/* Without flags it comes as far as its evidence, which is simulated. */
	tools.tee.insecure_flags = 0;
	scene_channel(&client, &server, &a.identity.key, &b.identity.key, 1);
	hello = scene_buf(262144);
	ok(cluster_guard_hello(&a, &client, &hello, &tools, &why));
	assert_int_equal(
		cluster_guard_meet(&b, &server, cs_buf_view(&hello), &tools, &s->now, &why),
		CS_ERR_FORBIDDEN);
	assert_non_null(strstr(why.text, "simulated"));
	scene_free(s);
}

static void a_challenge_is_taken_once(void **state)
{
	(void)state;
	const struct scene_manifest text = scene_manifest();
	struct scene_cluster *c = scene_cluster_new(&text);
	struct cs_bytes join, vouch, again;
	ok(scene_ask(c, &c->worker, &c->worker_tools, &join));
	ok(scene_vouch(c, join, &vouch));
	assert_int_equal(scene_vouch(c, join, &again), CS_ERR_UNKNOWN_NONCE);
	/* A wrong answer spends it as well. */
	c->worker_build.tells_lies = true;
	ok(scene_ask(c, &c->worker, &c->worker_tools, &join));
	assert_int_equal(scene_vouch(c, join, &again), CS_ERR_WRONG_KEY);
	assert_int_equal(scene_vouch(c, join, &again), CS_ERR_UNKNOWN_NONCE);
	c->worker_build.tells_lies = false;
	/* A late one. */
	ok(scene_ask(c, &c->worker, &c->worker_tools, &join));
	c->scene->now.high_s += CLUSTER_CHALLENGE_AGE_MAX_S + 1;
	assert_int_equal(scene_vouch(c, join, &again), CS_ERR_EXPIRED);
	/* So many may wait, and no more. */
	c->scene->now.low_s = c->scene->now.high_s;
	for (unsigned i = 0; i < CLUSTER_CHALLENGES_MAX; i++)
		ok(scene_ask(c, &c->worker, &c->worker_tools, &join));
	assert_int_equal(scene_ask(c, &c->worker, &c->worker_tools, &join), CS_ERR_FULL);
	c->scene->now.low_s = c->scene->now.high_s += CLUSTER_CHALLENGE_AGE_MAX_S + 1;
	ok(scene_ask(c, &c->worker, &c->worker_tools, &join));
	scene_free(c->scene);
}

/* Every byte of a message on its way: changed, it is refused, by whoever looks first. */
static void nothing_on_the_way_can_be_changed(void **state)
{
	(void)state;
	const struct scene_manifest text = scene_manifest();
	struct scene_cluster *c = scene_cluster_new(&text);
	struct cs_bytes join, vouch, grant, out;
	ok(scene_ask(c, &c->worker, &c->worker_tools, &join));
	ok(scene_vouch(c, join, &vouch));
	uint8_t *p = keep(vouch.n);
	memcpy(p, vouch.p, vouch.n);
	for (size_t i = 0; i < vouch.n; i++) {
		p[i] ^= 1;
		assert_int_not_equal(scene_issue(c, cs_bytes(p, vouch.n), &out), CS_OK);
		p[i] ^= 1;
	}
	ok(scene_issue(c, vouch, &grant));
	p = keep(grant.n);
	memcpy(p, grant.p, grant.n);
	for (size_t i = 0; i < grant.n; i++) {
		p[i] ^= 1;
		assert_int_not_equal(cluster_worker_take(&c->worker, cs_bytes(p, grant.n),
							 &c->worker_tools, &c->scene->now, &c->why),
				     CS_OK);
		assert_int_equal(c->worker.certificate_size, 0);
		p[i] ^= 1;
	}
	ok(scene_take(c, &c->worker, &c->worker_tools, grant));
	/* Once. */
	assert_int_equal(scene_take(c, &c->worker, &c->worker_tools, grant), CS_ERR_UNKNOWN_NONCE);
	scene_free(c->scene);
}

static void grants_are_for_one_request(void **state)
{
	(void)state;
	const struct scene_manifest text = scene_manifest();
	struct scene_cluster *c = scene_cluster_new(&text);
	struct cluster_worker other;
	struct cs_bytes join, vouch, grant;
	const struct cs_secret random = scene_random(c->scene);
	ok(cluster_worker_init(&other, c->manifest, cs_bytes_str(APPLICATION), &random));
	ok(scene_ask(c, &c->worker, &c->worker_tools, &join));
	ok(scene_vouch(c, join, &vouch));
	ok(scene_issue(c, vouch, &grant));
	/* Another worker's. */
	ok(scene_ask(c, &other, &c->worker_tools, &join));
	assert_int_equal(scene_take(c, &other, &c->worker_tools, grant), CS_ERR_BAD_SIGNATURE);
	/* The same worker's, of a request that was replaced. */
	ok(scene_ask(c, &c->worker, &c->worker_tools, &join));
	assert_int_equal(scene_take(c, &c->worker, &c->worker_tools, grant), CS_ERR_BAD_SIGNATURE);
	/* A vouch in another session of the same guard. */
	ok(scene_vouch(c, join, &vouch));
	ok(scene_meet(c, 5));
	assert_int_equal(scene_issue(c, vouch, &grant), CS_ERR_BAD_SIGNATURE);
	scene_free(c->scene);
}

static void sessions_end(void **state)
{
	(void)state;
	const struct scene_manifest text = scene_manifest();
	struct scene_cluster *c = scene_cluster_new(&text);
	struct cs_bytes join, vouch, grant;
	struct cluster_session none = {.verified = false};
	struct cs_buf out = scene_buf(4096);
	ok(scene_ask(c, &c->worker, &c->worker_tools, &join));
	assert_int_equal(cluster_guard_vouch(&c->guard, &none, &out, join, &c->guard_tools,
					     &c->scene->now, &c->why),
			 CS_ERR_UNAUTHORIZED);
	ok(scene_vouch(c, join, &vouch));
	assert_int_equal(cluster_key_server_issue(&c->ks, &none, &out, vouch, &c->key_server_tools,
						  &c->worker.box, &c->scene->now, &c->why),
			 CS_ERR_UNAUTHORIZED);
	c->scene->now.high_s += CLUSTER_SESSION_AGE_MAX_S + 1;
	c->scene->now.low_s = c->scene->now.high_s;
	scene_tick(c);
	assert_int_equal(scene_issue(c, vouch, &grant), CS_ERR_EXPIRED);
	ok(scene_ask(c, &c->worker, &c->worker_tools, &join));
	assert_int_equal(scene_vouch(c, join, &vouch), CS_ERR_EXPIRED);
	ok(scene_meet(c, 2));
	ok(scene_join(c, &c->worker, &c->worker_tools));
	/* Without a time that is bounded nothing is done. */
	c->scene->now.high_s = 0;
	assert_int_equal(scene_join(c, &c->worker, &c->worker_tools), CS_ERR_NO_TIME);
	assert_int_equal(scene_meet(c, 3), CS_ERR_NO_TIME);
	scene_free(c->scene);
}

static void only_the_applications_of_the_manifest(void **state)
{
	(void)state;
	const struct scene_manifest text = scene_manifest();
	struct scene_cluster *c = scene_cluster_new(&text);
	struct cluster_worker other;
	const struct cs_secret random = scene_random(c->scene);
	ok(cluster_worker_init(&other, c->manifest, cs_bytes_str("sealed"), &random));
	assert_int_equal(scene_join(c, &other, &c->worker_tools), CS_ERR_NOT_IN_MANIFEST);
	ok(cluster_worker_init(&other, c->manifest, cs_bytes_str("nothing"), &random));
	assert_int_equal(scene_join(c, &other, &c->worker_tools), CS_ERR_NOT_IN_MANIFEST);
	assert_int_equal(cluster_worker_init(&other, c->manifest, cs_bytes_str(""), &random),
			 CS_ERR_INVALID);
	scene_free(c->scene);
}

/* A guard of hardware whose maker names the machine vouches for workers of that machine alone. */
static void a_guard_vouches_for_its_machine(void **state)
{
	(void)state;
	const struct scene_manifest text = scene_manifest();
	struct scene_cluster *c = scene_cluster_new(&text);
	struct cs_bytes join, vouch;
	/* A worker of the guard's kind whose evidence names no machine. */
	c->guard.self = (struct cluster_self){.kind = ATTEST_SIMULATED,
					      .platform = {.known = true, .id = {{7}}}};
	ok(scene_ask(c, &c->worker, &c->worker_tools, &join));
	assert_int_equal(scene_vouch(c, join, &vouch), CS_ERR_FORBIDDEN);
	/* Of another kind it cannot tell. */
	c->guard.self.kind = ATTEST_TPM;
	ok(scene_ask(c, &c->worker, &c->worker_tools, &join));
	ok(scene_vouch(c, join, &vouch));
	scene_free(c->scene);
}

/* As the guard signs it, with another platform in it. */
static struct cs_bytes vouch_of(struct scene_cluster *c, const struct cs_hash *platform)
{
	Caisson__Wire__ClusterVouchRequest *vouch = NULL;
	struct cs_bytes join, bytes;
	struct cs_buf out = scene_buf(65536);
	uint8_t signature[CS_ED25519_SIGNATURE_SIZE];
	ok(scene_ask(c, &c->worker, &c->worker_tools, &join));
	ok(scene_vouch(c, join, &bytes));
	ok(wire_decode((ProtobufCMessage **)&vouch,
		       &caisson__wire__cluster_vouch_request__descriptor, bytes,
		       &c->scene->manifests, &c->why));
	assert_int_equal(vouch->platform.len, 0);
	vouch->platform = (ProtobufCBinaryData){32, (uint8_t *)(uintptr_t)platform->b};
	const struct cs_hash hash =
		cluster_hash_vouch(&c->manifest->hash, &c->to_key_server.channel, vouch);
	ok(cs_ed25519_sign(signature, &c->guard.identity.secret, CS_BYTES_OF(hash.b)));
	memcpy(vouch->signature.data, signature, sizeof signature);
	ok(wire_encode(&out, &vouch->base, &c->why));
	return cs_buf_view(&out);
}

static void a_revoked_platform_is_out(void **state)
{
	(void)state;
	const struct scene_manifest text = scene_manifest();
	const struct cs_hash platform = {{9}}, other = {{8}};
	struct scene_cluster *c = scene_cluster_new(&text);
	struct cs_bytes grant;
	ok(scene_issue(c, vouch_of(c, &platform), &grant));
	/* Without the guard's signature over it, a vouch is of no platform. */
	struct cs_bytes changed = vouch_of(c, &platform);
	uint8_t *p = keep(changed.n);
	memcpy(p, changed.p, changed.n);
	p[changed.n - 1] ^= 1;
	assert_int_equal(scene_issue(c, cs_bytes(p, changed.n), &grant), CS_ERR_BAD_SIGNATURE);
	const struct cs_secret random = scene_random(c->scene);
	ok(cluster_key_server_revoke(&c->ks, &platform, &c->key_server_tools, &random,
				     &c->scene->now, &c->why));
	assert_int_equal(scene_issue(c, vouch_of(c, &platform), &grant), CS_ERR_REVOKED);
	ok(scene_issue(c, vouch_of(c, &other), &grant));
	/* A guard's machine, in the middle of its session. */
	c->to_guard.peer.platform = (struct cluster_platform){.known = true, .id = platform};
	assert_int_equal(scene_issue(c, vouch_of(c, &other), &grant), CS_ERR_REVOKED);
	scene_free(c->scene);
}

static void collateral_that_goes_to_peers(void **state)
{
	(void)state;
	const struct scene_manifest text = scene_manifest();
	struct scene_cluster *c = scene_cluster_new(&text);
	Caisson__Wire__ClusterCollateral made;
	const struct cs_bytes files[] = {
		read_file(CS_VECTORS "/attestation/dcap/dcap-qvl/tdx_quote_collateral.json"),
		read_file(CS_VECTORS "/attestation/snp/roots/ask_ark_genoa.pem"),
		read_file(CS_VECTORS "/attestation/dcap/dcap-qvl/sgx_quote_collateral.json"),
		cs_bytes_str("{\"credential_blob\":\"00\"}"),
		cs_bytes_str("nothing of these"),
	};
	ok(cluster_collateral_read(&made, files, 2, &c->scene->manifests, &c->why));
	assert_true(made.tcb_info.len > 1000 && made.tcb_info_signature.len == 64);
	assert_true(made.qe_identity.len > 100 && made.n_crls == 2 && made.n_certificates >= 5);
	/* Two that differ; the transcript of an activation, which whoever has it could have made. */
	assert_int_equal(cluster_collateral_read(&made, files, 3, &c->scene->manifests, &c->why),
			 CS_ERR_DUPLICATE);
	assert_int_equal(
		cluster_collateral_read(&made, &files[3], 1, &c->scene->manifests, &c->why),
		CS_ERR_INVALID);
	assert_int_equal(
		cluster_collateral_read(&made, &files[4], 1, &c->scene->manifests, &c->why),
		CS_ERR_UNSUPPORTED);
	scene_free(c->scene);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_worker_joins),
		cmocka_unit_test(a_wrong_build_gets_nothing),
		cmocka_unit_test(evidence_is_of_this_channel),
		cmocka_unit_test(roles_are_not_exchanged),
		cmocka_unit_test(an_insecure_peer_is_refused),
		cmocka_unit_test(a_challenge_is_taken_once),
		cmocka_unit_test(nothing_on_the_way_can_be_changed),
		cmocka_unit_test(grants_are_for_one_request),
		cmocka_unit_test(sessions_end),
		cmocka_unit_test(only_the_applications_of_the_manifest),
		cmocka_unit_test(a_guard_vouches_for_its_machine),
		cmocka_unit_test(a_revoked_platform_is_out),
		cmocka_unit_test(collateral_that_goes_to_peers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
