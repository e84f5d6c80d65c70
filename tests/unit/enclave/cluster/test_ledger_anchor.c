/* A key server's anchor on the ledger: what leaves when, what proves it, and which states it refuses. The
 * nodes of the ledger are the test: what they have is what it says. */
#include "host.h"

#include <stdlib.h>

/* The ledger, which stays over starts. */
static struct verify_anchor ledger;
static struct verify_anchor_owner whose;

static enum cs_err start_with(struct host *host, struct scene *scene, struct cs_bytes state)
{
	struct scene_manifest text = scene_manifest();
	text.ledger = text.anchor = true;
	ok(start(host, scene, &text, &seal_root));
	return tell(host, WIRE_PIPE_STATE, 0, state);
}

static struct told newest(const struct host *host, enum wire_pipe_type type)
{
	const struct told *told = find_told(host, type);
	if (told == NULL) {
		fail_msg("nothing of type %d was told", (int)type);
		abort(); /* the compiler does not know that fail_msg() leaves */
	}
	return *told;
}

/* Each node's word under the newest nonce: `said[i]` of the node `first` + i. */
static enum cs_err answer_with(struct host *host, unsigned first, unsigned count,
			       const struct verify_anchor *said)
{
	uint8_t bytes[SCENE_TIME_KEYS * WIRE_PIPE_TIME_ANCHOR_SIZE];
	const struct told asked = newest(host, WIRE_PIPE_TIME_ASK);
	const bool has_anchor = asked.body.n == 96;
	struct verify_anchor_owner owner;
	struct cs_hash nonce;
	struct cs_buf out;
	cs_buf_init(&out, bytes, sizeof bytes);
	assert_true(has_anchor || asked.body.n == 32);
	memcpy(nonce.b, asked.body.p, 32);
	if (has_anchor) {
		memcpy(owner.lineage.b, asked.body.p + 32, 32);
		memcpy(owner.key.b, asked.body.p + 64, 32);
	}
	for (unsigned i = 0; i < count; i++) {
		const struct cs_secret *key = &host->scene->time_keys[first + i];
		const uint64_t time_ms = (uint64_t)SCENE_NOW * 1000;
		const struct cs_hash aux = {{1}};
		const struct cs_hash digest =
			has_anchor ? verify_anchor_time_digest(&nonce, time_ms, &owner, &said[i])
				   : verify_time_digest(&nonce, time_ms);
		struct cs_hash x;
		struct cs_schnorr signature;
		ok(cs_key_x(host->scene->sig, &x, key));
		ok(cs_schnorr_sign(host->scene->sig, &signature, key, &digest, &aux));
		cs_put_word(&out, &x);
		cs_put_u64(&out, time_ms);
		cs_put_word(&out, &signature.rx);
		cs_put_word(&out, &signature.s);
		if (!has_anchor)
			continue;
		cs_put_u64(&out, said[i].manifest_number);
		cs_put_u64(&out, said[i].epoch);
		cs_put_word(&out, &said[i].authority);
		cs_put_word(&out, &said[i].start);
	}
	return tell(host, WIRE_PIPE_TIME_ANSWERS, asked.number, cs_buf_view(&out));
}

/* All nodes have what the ledger has. */
static enum cs_err answer(struct host *host)
{
	const struct verify_anchor said[SCENE_TIME_KEYS] = {ledger, ledger, ledger};
	return answer_with(host, 0, SCENE_TIME_KEYS, said);
}

/* What the enclave signed, as contract 5 takes it. */
static void write_anchor(const struct host *host)
{
	const struct told told = newest(host, WIRE_PIPE_ANCHOR);
	struct verify_anchor anchor;
	assert_int_equal(told.body.n, WIRE_PIPE_ANCHOR_SIZE);
	memcpy(whose.lineage.b, told.body.p, 32);
	memcpy(whose.key.b, told.body.p + 32, 32);
	anchor.manifest_number = cs_be64(told.body.p + 64);
	anchor.epoch = cs_be64(told.body.p + 72);
	memcpy(anchor.authority.b, told.body.p + 80, 32);
	memcpy(anchor.start.b, told.body.p + 112, 32);
	const struct cs_hash digest = verify_anchor_digest(&whose, &anchor);
	ok(cs_ed25519_verify(&whose.key, CS_BYTES_OF(digest.b), cs_bytes(told.body.p + 144, 64)));
	if (verify_anchor_follows(&anchor, &ledger))
		ledger = anchor;
}

/* The host's next tick, whose nonce asks for what is owed. */
static void next_nonce(struct host *host)
{
	ok(tell(host, WIRE_PIPE_TICK, 0, CS_BYTES_NONE));
}

/* An order that changes the epoch, up to the state that is to be kept. */
static struct told order(struct host *host, uint8_t verb)
{
	host->told_count = 0;
	ask(host, 1, verb);
	ok(answer(host));
	return newest(host, WIRE_PIPE_KEEP);
}

static void prove(struct host *host)
{
	write_anchor(host);
	next_nonce(host);
	ok(answer(host));
}

/* A cluster with one epoch, anchored. */
static struct scene *begin(struct host *host)
{
	struct scene *scene = scene_new();
	ledger = (struct verify_anchor){.epoch = 0};
	ok(start_with(host, scene, CS_BYTES_NONE));
	ok(answer(host));
	order(host, WIRE_CLUSTER_ASK_CREATE);
	keep_state(host);
	prove(host);
	assert_true(answered_ok(host));
	return scene;
}

static void nothing_leaves_before_it_stands(void **state)
{
	static struct host host;
	struct scene *scene = begin(&host);
	(void)state;
	assert_int_equal(ledger.epoch, 1);
	const struct told state_2 = order(&host, WIRE_CLUSTER_ASK_ROTATE);
	/* First it is kept: an anchor of a state that is lost would end the cluster. */
	assert_null(find_told(&host, WIRE_PIPE_ANCHOR));
	ok(tell(&host, WIRE_PIPE_KEPT, state_2.number, CS_BYTES_NONE));
	assert_null(find_told(&host, WIRE_PIPE_ANSWER));
	next_nonce(&host);
	ok(answer(&host)); /* it is not written */
	assert_null(find_told(&host, WIRE_PIPE_ANSWER));
	prove(&host);
	assert_int_equal(ledger.epoch, 2);
	assert_true(answered_ok(&host));
	/* Then nobody is asked about it. */
	next_nonce(&host);
	assert_int_equal(newest(&host, WIRE_PIPE_TIME_ASK).body.n, 32);
	stop(&host);
	scene_free(scene);
}

/* One node of two; nodes that disagree; answers about the time alone; about another start. */
static void what_proves_nothing(void **state)
{
	static struct host host;
	struct scene *scene = begin(&host);
	const struct verify_anchor before = ledger;
	(void)state;
	ok(tell(&host, WIRE_PIPE_KEPT, order(&host, WIRE_CLUSTER_ASK_ROTATE).number,
		CS_BYTES_NONE));
	write_anchor(&host);
	struct verify_anchor other = ledger, further = ledger;
	other.start.b[0] ^= 1;
	further.epoch++;
	const struct verify_anchor disagree[] = {ledger, before, further};
	const struct verify_anchor starts[] = {ledger, other, other};
	next_nonce(&host);
	ok(answer_with(&host, 0, 1, disagree));
	ok(answer_with(&host, 0, 3, disagree));
	assert_null(find_told(&host, WIRE_PIPE_ANSWER));
	next_nonce(&host);
	ok(answer_with(&host, 0, 3, starts));
	assert_null(find_told(&host, WIRE_PIPE_ANSWER));
	/* More answers to the same nonce, after the time was taken. */
	const struct verify_anchor two[] = {other, ledger, ledger};
	ok(answer_with(&host, 0, 3, two));
	assert_true(answered_ok(&host));
	stop(&host);
	scene_free(scene);
}

static void old_states_are_refused(void **state)
{
	static struct host host;
	struct scene *scene = begin(&host);
	(void)state;
	const struct cs_bytes second = order(&host, WIRE_CLUSTER_ASK_ROTATE).body;
	keep_state(&host);
	prove(&host);
	const struct cs_bytes third = order(&host, WIRE_CLUSTER_ASK_ROTATE).body;
	keep_state(&host);
	/* Kept, and not written: it starts, and is written by that. */
	stop(&host);
	ok(start_with(&host, scene, third));
	ok(answer(&host));
	assert_null(find_told(&host, WIRE_PIPE_EVENT));
	const struct verify_anchor at_second = ledger;
	prove(&host);
	assert_int_equal(ledger.epoch, 3);
	assert_true(service_is_open(host.service));
	assert_non_null(find_told(&host, WIRE_PIPE_EVENT));
	const struct verify_anchor of_before = ledger;
	stop(&host);
	/* What stood there before says nothing: each process writes its own start. */
	ok(start_with(&host, scene, third));
	ok(answer(&host));
	next_nonce(&host);
	ok(answer(&host));
	assert_null(find_told(&host, WIRE_PIPE_EVENT));
	prove(&host);
	assert_non_null(find_told(&host, WIRE_PIPE_EVENT));
	assert_false(cs_hash_eq(&of_before.start, &ledger.start));
	stop(&host);
	/* Put back. One node that is late, or lies, changes nothing. */
	ok(start_with(&host, scene, second));
	const struct verify_anchor late[] = {at_second, ledger, ledger};
	ok(answer(&host));
	next_nonce(&host);
	ok(answer_with(&host, 0, 2, late));
	assert_int_equal(answer_with(&host, 0, 3, late), CS_ERR_ROLLED_BACK);
	assert_null(find_told(&host, WIRE_PIPE_EVENT));
	stop(&host);
	/* Epoch 3 again, of the second state: another authority. */
	ledger = at_second;
	ok(start_with(&host, scene, second));
	ok(answer(&host));
	prove(&host);
	order(&host, WIRE_CLUSTER_ASK_ROTATE);
	keep_state(&host);
	prove(&host);
	stop(&host);
	ok(start_with(&host, scene, third));
	ok(answer(&host));
	write_anchor(&host);
	next_nonce(&host);
	assert_int_equal(answer(&host), CS_ERR_ROLLED_BACK);
	stop(&host);
	scene_free(scene);
}

/* A transaction that was lost is signed again. */
static void the_host_is_told_again(void **state)
{
	static struct host host;
	struct scene *scene = begin(&host);
	(void)state;
	order(&host, WIRE_CLUSTER_ASK_ROTATE);
	keep_state(&host);
	host.told_count = 0;
	for (unsigned i = 0; i < 20; i++) {
		assert_null(find_told(&host, WIRE_PIPE_ANCHOR));
		next_nonce(&host);
	}
	assert_non_null(find_told(&host, WIRE_PIPE_EVENT));
	prove(&host);
	assert_true(answered_ok(&host));
	stop(&host);
	scene_free(scene);
}

/* Whoever asked for it once asks for ever. */
static void a_lineage_does_not_give_it_up(void **state)
{
	struct scene_manifest text = scene_manifest();
	struct scene *scene = scene_new();
	struct cluster_manifest next;
	struct cs_why why = {""};
	(void)state;
	text.ledger = text.anchor = true;
	const struct cluster_manifest *first = scene_manifest_read(scene, &text, NULL);
	assert_true(first->ledger_anchor);
	text.number = 2;
	text.anchor = false;
	const struct cs_bytes file = scene_manifest_file(scene, &text, first);
	assert_int_equal(
		cluster_manifest_read(&next, file, first, scene->sig, &scene->manifests, &why),
		CS_ERR_INSECURE_REFUSED);
	scene_free(scene);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_leaves_before_it_stands),
		cmocka_unit_test(what_proves_nothing),
		cmocka_unit_test(old_states_are_refused),
		cmocka_unit_test(the_host_is_told_again),
		cmocka_unit_test(a_lineage_does_not_give_it_up),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
