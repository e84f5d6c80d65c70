/* Anchors: what an enclave does before the ledger showed how far its state is, and every way in which
 * a state can be older than it says. */
#include "clock.h"

struct anchored {
	struct clock *c;
	struct ledger *l;
	struct world *w;
	struct cs_bytes sealed; /* the newest */
};

static struct cs_bytes copy_of(ProtobufCBinaryData data)
{
	const ProtobufCBinaryData copy = pb(wire_pb_view(data));
	return wire_pb_view(copy);
}

static struct cs_bytes init(struct clock *c)
{
	Caisson__Wire__InitRequest in = CAISSON__WIRE__INIT_REQUEST__INIT;
	const Caisson__Wire__InitReply *out =
		(const Caisson__Wire__InitReply *)(const void *)world_ok(c->w, WIRE_INIT, &in.base);
	return copy_of(out->sealed);
}

static void import(struct clock *c, struct cs_bytes sealed)
{
	Caisson__Wire__ImportRequest in = CAISSON__WIRE__IMPORT_REQUEST__INIT;
	world_restart(c->w);
	in.sealed = pb(sealed);
	(void)world_ok(c->w, WIRE_IMPORT, &in.base);
}

static void refuse_export(struct clock *c, enum cs_err err)
{
	Caisson__Wire__ExportRequest in = CAISSON__WIRE__EXPORT_REQUEST__INIT;
	world_refused(c->w, WIRE_EXPORT, &in.base, err);
}

static uint64_t counter_of(struct cs_bytes sealed)
{
	return cs_be64(sealed.p + 80);
}

/* ---- what the ledger knows ---- */

struct key {
	uint8_t b[66];
};

static struct key anchor_key(const struct clock *c)
{
	struct key key = {{5, 'a'}};
	memcpy(key.b + 2, c->w->manifest.lineage.b, 32);
	memcpy(key.b + 34, c->w->own.b, 32);
	return key;
}

/* As contract 5 writes it, in a block that the enclave's client has. */
static void put_anchor(struct clock *c, uint64_t epoch, uint64_t counter,
		       const struct cs_hash *digest)
{
	const struct key key = anchor_key(c);
	uint8_t value[56] = {0};
	cs_put_be64(value, epoch);
	cs_put_be64(value + 8, counter);
	memcpy(value + 16, digest->b, 32);
	cs_put_be64(value + 48, 1700000001);
	ledger_put(c->l, CS_BYTES_OF(key.b), CS_BYTES_OF(value), false);
}

static void anchor_state(struct clock *c, uint64_t epoch, struct cs_bytes sealed)
{
	const struct cs_hash digest = cs_keccak256(sealed);
	put_anchor(c, epoch, counter_of(sealed), &digest);
}

static Caisson__Wire__AnchorProveRequest proof_at(struct clock *c, int64_t height)
{
	Caisson__Wire__AnchorProveRequest in = CAISSON__WIRE__ANCHOR_PROVE_REQUEST__INIT;
	const struct key key = anchor_key(c);
	in.height = (uint64_t)height;
	in.proof = pb(ledger_prove(c->l, in.height, CS_BYTES_OF(key.b)));
	return in;
}

static void mine_and_follow(struct clock *c)
{
	clock_create_all(c);
	ledger_mine(c->l, 1);
	clock_follow(c, &c->ledger);
}

static uint32_t prove(struct clock *c)
{
	mine_and_follow(c);
	Caisson__Wire__AnchorProveRequest in = proof_at(c, c->l->height);
	const Caisson__Wire__AnchorProveReply *out =
		(const Caisson__Wire__AnchorProveReply *)(const void *)world_ok(
			c->w, WIRE_ANCHOR_PROVE, &in.base);
	return out->status->state;
}

static void prove_refused(struct clock *c, enum cs_err err)
{
	mine_and_follow(c);
	Caisson__Wire__AnchorProveRequest in = proof_at(c, c->l->height);
	world_refused(c->w, WIRE_ANCHOR_PROVE, &in.base, err);
}

/* ---- what is signed ---- */

static Caisson__Wire__StatusRequest status_request(void)
{
	static const struct cs_hash nonce = {{6}};
	Caisson__Wire__StatusRequest in = CAISSON__WIRE__STATUS_REQUEST__INIT;
	in.nonce = pb_hash(&nonce);
	return in;
}

static void signs(struct clock *c)
{
	Caisson__Wire__StatusRequest in = status_request();
	(void)world_ok(c->w, WIRE_STATUS, &in.base);
}

static void does_not_sign(struct clock *c, enum cs_err err)
{
	Caisson__Wire__StatusRequest in = status_request();
	Caisson__Wire__RotateRequest rotate = CAISSON__WIRE__ROTATE_REQUEST__INIT;
	Caisson__Wire__SignTransactionRequest cancel =
		CAISSON__WIRE__SIGN_TRANSACTION_REQUEST__INIT;
	world_refused(c->w, WIRE_STATUS, &in.base, err);
	rotate.chain = pb_hash(&c->w->own);
	world_refused(c->w, WIRE_ROTATE, &rotate.base, err);
	cancel.chain = pb_hash(&c->w->own);
	cancel.action = CAISSON__WIRE__ACTION__ACTION_CANCEL;
	cancel.gas_limit = 30000;
	cancel.max_fee_wei = 3;
	world_refused(c->w, WIRE_SIGN_TRANSACTION, &cancel.base, err);
}

static Caisson__Wire__AnchorSignRequest signing(struct cs_bytes sealed)
{
	Caisson__Wire__AnchorSignRequest in = CAISSON__WIRE__ANCHOR_SIGN_REQUEST__INIT;
	const struct cs_hash digest = cs_keccak256(sealed);
	in.digest = pb_hash(&digest);
	return in;
}

/* A state that is anchored, and an enclave that signs. */
static struct anchored anchored_new(void)
{
	struct anchored a = {.c = clock_new()};
	a.l = a.c->l;
	a.w = a.c->w;
	a.sealed = init(a.c);
	clock_create_all(a.c);
	assert_int_equal(prove(a.c), 2);
	anchor_state(a.c, 1, a.sealed);
	assert_int_equal(prove(a.c), 1);
	signs(a.c);
	return a;
}

static void test_the_first_start(void **state)
{
	(void)state;
	struct clock *c = clock_new();
	refuse_export(c, CS_ERR_NO_KEY);
	const struct cs_bytes sealed = init(c);
	const Caisson__Wire__HelloReply *hello = clock_hello(c);
	assert_false(hello->rollback_detected_only_within_process);
	assert_int_equal(hello->anchor->state, 0);
	assert_int_equal(hello->n_clients, 2);
	does_not_sign(c, CS_ERR_NO_TIME);
	clock_create_all(c);
	does_not_sign(c, CS_ERR_NOT_ANCHORED);
	refuse_export(c, CS_ERR_NOT_ANCHORED);
	Caisson__Wire__AnchorSignRequest in = signing(sealed);
	world_refused(c->w, WIRE_ANCHOR_SIGN, &in.base, CS_ERR_NOT_ANCHORED);
	/* There is no anchor yet: the state is the newest, and its keys are not anchored. */
	assert_int_equal(prove(c), 2);
	does_not_sign(c, CS_ERR_NOT_ANCHORED);
	const Caisson__Wire__AnchorSignReply *out =
		(const Caisson__Wire__AnchorSignReply *)(const void *)world_ok(
			c->w, WIRE_ANCHOR_SIGN, &in.base);
	const struct cmt_anchor anchor = {c->w->manifest.lineage, c->w->own, 1, 1,
					  cs_keccak256(sealed)};
	const struct cs_hash digest = cmt_anchor_digest(&c->ledger, &anchor);
	const struct cs_hash x = wire_pb_hash(out->public_key);
	uint8_t signature[64];
	memcpy(signature, out->rx.data, 32);
	memcpy(signature + 32, out->s.data, 32);
	assert_int_equal(out->epoch, 1);
	assert_int_equal(out->counter, 1);
	assert_hash(wire_pb_hash(out->register_identity), c->ledger);
	assert_hash(wire_pb_hash(out->identity), c->w->own);
	assert_ok(cs_schnorr_verify64(c->w->sig, signature, &x, CS_BYTES_OF(digest.b)));
	anchor_state(c, 1, sealed);
	assert_int_equal(prove(c), 1);
	assert_int_equal(clock_hello(c)->anchor->proven_counter, 1);
	signs(c);
	clock_free(c);
}

static void test_a_restart(void **state)
{
	(void)state;
	struct anchored a = anchored_new();
	const struct cs_bytes newest = world_export(a.w);
	import(a.c, newest);
	does_not_sign(a.c, CS_ERR_NO_TIME);
	refuse_export(a.c, CS_ERR_NOT_ANCHORED);
	/* Init has nothing to make, and seals nothing. */
	assert_int_equal(init(a.c).n, 0);
	/* One state beyond the anchor. */
	assert_int_equal(prove(a.c), 1);
	signs(a.c);
	assert_int_equal(counter_of(world_export(a.w)), counter_of(newest) + 1);
	clock_free(a.c);
}

static void test_a_state_that_was_rolled_back(void **state)
{
	(void)state;
	struct anchored a = anchored_new();
	const struct cs_bytes newest = world_export(a.w);
	anchor_state(a.c, 1, newest);
	import(a.c, a.sealed);
	prove_refused(a.c, CS_ERR_ROLLED_BACK);
	does_not_sign(a.c, CS_ERR_ROLLED_BACK);
	refuse_export(a.c, CS_ERR_ROLLED_BACK);
	Caisson__Wire__InitRequest again = CAISSON__WIRE__INIT_REQUEST__INIT;
	world_refused(a.w, WIRE_INIT, &again.base, CS_ERR_ROLLED_BACK);
	assert_int_equal(clock_hello(a.c)->anchor->state, 3);
	Caisson__Wire__AnchorSignRequest in = signing(a.sealed);
	world_refused(a.w, WIRE_ANCHOR_SIGN, &in.base, CS_ERR_ROLLED_BACK);
	/* For the life of the process, whatever is proven later. */
	anchor_state(a.c, 1, a.sealed);
	prove_refused(a.c, CS_ERR_ROLLED_BACK);
	/* The newest one is taken. */
	import(a.c, newest);
	assert_int_equal(prove(a.c), 1);
	clock_free(a.c);
}

static void test_a_copy(void **state)
{
	(void)state;
	struct anchored a = anchored_new();
	const struct cs_hash other = {{0xcc}};
	/* The same place with another digest: at a start, and while it runs. */
	put_anchor(a.c, 1, 1, &other);
	prove_refused(a.c, CS_ERR_ROLLED_BACK);
	import(a.c, a.sealed);
	prove_refused(a.c, CS_ERR_ROLLED_BACK);
	/* A higher epoch, and a lower one. */
	put_anchor(a.c, 2, 0, &other);
	import(a.c, a.sealed);
	prove_refused(a.c, CS_ERR_ROLLED_BACK);
	put_anchor(a.c, 0, 9, &other);
	import(a.c, a.sealed);
	assert_int_equal(prove(a.c), 2);
	clock_free(a.c);
}

/* Two processes from one state: the ledger takes one state of the next place, the other one stops. */
static void test_two_processes(void **state)
{
	(void)state;
	struct anchored a = anchored_new();
	import(a.c, a.sealed);
	assert_int_equal(prove(a.c), 1);
	const struct cs_bytes first = world_export(a.w);
	import(a.c, a.sealed);
	assert_int_equal(prove(a.c), 1);
	const struct cs_bytes second = world_export(a.w);
	assert_int_equal(counter_of(first), counter_of(second));
	anchor_state(a.c, 1, first);
	prove_refused(a.c, CS_ERR_ROLLED_BACK);
	clock_free(a.c);
}

static void test_proofs_that_are_too_old(void **state)
{
	(void)state;
	struct anchored a = anchored_new();
	const struct cs_bytes newest = world_export(a.w);
	const int64_t height = a.l->height;
	Caisson__Wire__AnchorProveRequest in = proof_at(a.c, height);
	/* The newest one is of a time that is too long ago, and the header too. */
	clock_round(a.c, NULL, clock_time_of(a.c, height) + CLOCK_PROOF_AGE_S - 2);
	signs(a.c);
	(void)world_ok(a.w, WIRE_ANCHOR_PROVE, &in.base);
	clock_round(a.c, NULL, clock_time_of(a.c, height) + CLOCK_PROOF_AGE_S - 1);
	does_not_sign(a.c, CS_ERR_NOT_ANCHORED);
	world_refused(a.w, WIRE_ANCHOR_PROVE, &in.base, CS_ERR_ANCHOR_TOO_OLD);
	/* Time that was proven before the state came does not count. */
	import(a.c, newest);
	world_refused(a.w, WIRE_ANCHOR_PROVE, &in.base, CS_ERR_NO_TIME);
	clock_free(a.c);
}

/* The header in which it was not there yet is refused, because it is old or below an earlier one. */
static void test_absence_in_an_old_block(void **state)
{
	(void)state;
	struct clock *c = clock_new();
	const struct cs_bytes sealed = init(c);
	clock_create_all(c);
	assert_int_equal(prove(c), 2);
	Caisson__Wire__AnchorProveRequest absence = proof_at(c, c->l->height);
	anchor_state(c, 1, sealed);
	assert_int_equal(prove(c), 1);
	world_refused(c->w, WIRE_ANCHOR_PROVE, &absence.base, CS_ERR_STALE_HEADER);
	const struct cs_bytes newest = world_export(c->w);
	import(c, newest);
	clock_round(c, NULL, clock_time_of(c, c->l->height) + CLOCK_PROOF_AGE_S);
	world_refused(c->w, WIRE_ANCHOR_PROVE, &absence.base, CS_ERR_ANCHOR_TOO_OLD);
	clock_free(c);
}

static void test_proofs_of_something_else(void **state)
{
	(void)state;
	struct anchored a = anchored_new();
	mine_and_follow(a.c);
	Caisson__Wire__AnchorProveRequest good = proof_at(a.c, a.l->height), in = good;
	struct key key = anchor_key(a.c);
	/* Another lineage, another identity, another kind of key, another block, no proof. */
	for (size_t at = 1; at < sizeof key.b; at += 13) {
		key.b[at] ^= 1;
		in.proof = pb(ledger_prove(a.l, in.height, CS_BYTES_OF(key.b)));
		world_refused(a.w, WIRE_ANCHOR_PROVE, &in.base, CS_ERR_BAD_PROOF);
		key.b[at] ^= 1;
	}
	const struct cs_hash digest = {{1}};
	put_anchor(a.c, 1, 7, &digest);
	ledger_mine(a.l, 1);
	in.proof = pb(ledger_prove(a.l, (uint64_t)a.l->height, CS_BYTES_OF(key.b)));
	world_refused(a.w, WIRE_ANCHOR_PROVE, &in.base, CS_ERR_BAD_PROOF);
	in.proof = pb(CS_BYTES_NONE);
	(void)world_step(a.w, WIRE_ANCHOR_PROVE, &in.base);
	assert_int_not_equal(a.w->err, CS_OK);
	in = good;
	in.height = (uint64_t)a.l->height;
	world_refused(a.w, WIRE_ANCHOR_PROVE, &in.base, CS_ERR_NOT_FINAL);
	/* The right one is still taken. */
	(void)world_ok(a.w, WIRE_ANCHOR_PROVE, &good.base);
	clock_free(a.c);
}

/* No value that contract 5 writes. */
static void test_a_value_that_is_no_anchor(void **state)
{
	(void)state;
	struct anchored a = anchored_new();
	const struct key key = anchor_key(a.c);
	const uint8_t value[55] = {1};
	ledger_put(a.l, CS_BYTES_OF(key.b), CS_BYTES_OF(value), false);
	prove_refused(a.c, CS_ERR_MALFORMED);
	clock_free(a.c);
}

/* No more states than the manifest allows, because their order could not be told. */
static void test_states_beyond_the_anchor(void **state)
{
	(void)state;
	struct anchored a = anchored_new();
	struct cs_bytes sealed = a.sealed;
	for (int i = 0; i < 3; i++)
		sealed = world_export(a.w);
	refuse_export(a.c, CS_ERR_NOT_ANCHORED);
	signs(a.c);
	anchor_state(a.c, 1, sealed);
	assert_int_equal(prove(a.c), 1);
	(void)world_export(a.w);
	/* Only what was sealed here can be anchored. */
	Caisson__Wire__AnchorSignRequest in = signing(cs_bytes_str("something else"));
	world_refused(a.w, WIRE_ANCHOR_SIGN, &in.base, CS_ERR_NOT_FOUND);
	in = signing(sealed);
	in.key_epoch = 2;
	world_refused(a.w, WIRE_ANCHOR_SIGN, &in.base, CS_ERR_WRONG_EPOCH);
	in.key_epoch = 1;
	(void)world_ok(a.w, WIRE_ANCHOR_SIGN, &in.base);
	clock_free(a.c);
}

/* A new state where an older one was anchored: its keys were never there, it begins the next epoch. */
static void test_a_state_that_begins_again(void **state)
{
	(void)state;
	struct anchored a = anchored_new();
	world_restart(a.w);
	const struct cs_bytes first = init(a.c);
	clock_create_all(a.c);
	assert_int_equal(prove(a.c), 2);
	assert_int_equal(clock_hello(a.c)->anchor->epoch, 2);
	/* What was sealed before says the old epoch. */
	Caisson__Wire__AnchorSignRequest in = signing(first);
	world_refused(a.w, WIRE_ANCHOR_SIGN, &in.base, CS_ERR_NOT_FOUND);
	does_not_sign(a.c, CS_ERR_NOT_ANCHORED);
	const struct cs_bytes second = world_export(a.w);
	anchor_state(a.c, 2, second);
	assert_int_equal(prove(a.c), 1);
	signs(a.c);
	/* The old state, and the new one's first, are not the newest any more. */
	import(a.c, a.sealed);
	prove_refused(a.c, CS_ERR_ROLLED_BACK);
	import(a.c, first);
	prove_refused(a.c, CS_ERR_ROLLED_BACK);
	import(a.c, second);
	assert_int_equal(prove(a.c), 1);
	clock_free(a.c);
}

/* A key signs when a state that holds it is anchored, and the register is told of it. */
static void test_a_rotation(void **state)
{
	(void)state;
	struct anchored a = anchored_new();
	Caisson__Wire__RotateRequest in = CAISSON__WIRE__ROTATE_REQUEST__INIT;
	in.chain = pb_hash(&a.w->own);
	const Caisson__Wire__RotateReply *out =
		(const Caisson__Wire__RotateReply *)(const void *)world_ok(a.w, WIRE_ROTATE,
									   &in.base);
	const struct cs_bytes sealed = copy_of(out->sealed);
	const size_t last = out->n_statements - 1;
	assert_int_equal(out->n_statements, a.w->manifest.chains[0].remote_count + 1);
	assert_hash(wire_pb_hash(out->statements[last]->receiver), a.c->ledger);
	does_not_sign(a.c, CS_ERR_NOT_ANCHORED);
	/* The key in use signs the anchor: the new one is not in the register yet. */
	Caisson__Wire__AnchorSignRequest sign = signing(sealed);
	(void)world_ok(a.w, WIRE_ANCHOR_SIGN, &sign.base);
	import(a.c, sealed);
	assert_int_equal(prove(a.c), 2);
	does_not_sign(a.c, CS_ERR_NOT_ANCHORED);
	anchor_state(a.c, 1, sealed);
	assert_int_equal(prove(a.c), 1);
	signs(a.c);
	clock_free(a.c);
}

/* A state that was sealed while the time was the host's. */
static void test_from_the_hosts_time(void **state)
{
	(void)state;
	struct clock *c = clock_new();
	c->w->manifest.insecure_host_time = true;
	world_restart(c->w);
	(void)init(c);
	struct cs_bytes sealed = world_export(c->w);
	for (int i = 0; i < 5; i++)
		sealed = world_export(c->w);
	c->w->manifest.insecure_host_time = false;
	import(c, sealed);
	clock_create_all(c);
	assert_int_equal(prove(c), 2);
	refuse_export(c, CS_ERR_NOT_ANCHORED);
	anchor_state(c, 1, sealed);
	assert_int_equal(prove(c), 1);
	signs(c);
	/* And back: the ledger's light client is left out. */
	const struct cs_bytes newest = world_export(c->w);
	c->w->manifest.insecure_host_time = true;
	import(c, newest);
	assert_int_equal(clock_hello(c)->n_clients, 1);
	signs(c);
	clock_free(c);
}

/* The ledger is there for its anchor and its time: nothing is signed about it. */
static void test_the_ledger_is_no_chain(void **state)
{
	(void)state;
	struct anchored a = anchored_new();
	Caisson__Wire__RotateRequest rotate = CAISSON__WIRE__ROTATE_REQUEST__INIT;
	Caisson__Wire__SignTransactionRequest cancel =
		CAISSON__WIRE__SIGN_TRANSACTION_REQUEST__INIT;
	Caisson__Wire__SignMessagesRequest messages = CAISSON__WIRE__SIGN_MESSAGES_REQUEST__INIT;
	rotate.chain = cancel.chain = messages.chain = pb_hash(&a.c->ledger);
	messages.receiver = pb_hash(&a.w->remote);
	cancel.action = CAISSON__WIRE__ACTION__ACTION_CANCEL;
	world_refused(a.w, WIRE_ROTATE, &rotate.base, CS_ERR_NOT_IN_MANIFEST);
	world_refused(a.w, WIRE_SIGN_TRANSACTION, &cancel.base, CS_ERR_NO_KEY);
	world_refused(a.w, WIRE_SIGN_MESSAGES, &messages.base, CS_ERR_NOT_IN_MANIFEST);
	clock_free(a.c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_first_start),
		cmocka_unit_test(test_a_restart),
		cmocka_unit_test(test_a_state_that_was_rolled_back),
		cmocka_unit_test(test_a_copy),
		cmocka_unit_test(test_two_processes),
		cmocka_unit_test(test_proofs_that_are_too_old),
		cmocka_unit_test(test_absence_in_an_old_block),
		cmocka_unit_test(test_proofs_of_something_else),
		cmocka_unit_test(test_a_value_that_is_no_anchor),
		cmocka_unit_test(test_states_beyond_the_anchor),
		cmocka_unit_test(test_a_state_that_begins_again),
		cmocka_unit_test(test_a_rotation),
		cmocka_unit_test(test_from_the_hosts_time),
		cmocka_unit_test(test_the_ledger_is_no_chain),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
