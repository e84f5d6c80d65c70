/* Conflicts: what freezes a light client, what a frozen one refuses, and the one manifest that lifts
 * it. */
#include "client.h"

static struct cs_hash second_branch; /* its block 2 */

/* Two branches from block 1, each final: the second freezes. */
static struct world *frozen_world(void)
{
	struct world *w = world_new();
	struct world_block branch[4];
	struct cs_bytes raws[4];
	world_begin(w);
	world_advance(w, 4);
	const struct world_block *parent = &w->blocks[1];
	for (size_t i = 0; i < CS_LEN(branch); i++) {
		branch[i] = world_block_on(w, parent, parent->time_s + 1, 7);
		raws[i] = branch[i].raw;
		parent = &branch[i];
	}
	update(w, raws, CS_LEN(raws), "frozen");
	assert_true(status_of(w).frozen);
	second_branch = branch[0].hash;
	return w;
}

static Caisson__Wire__SignTransactionRequest cancel_of(const struct world *w)
{
	Caisson__Wire__SignTransactionRequest in = CAISSON__WIRE__SIGN_TRANSACTION_REQUEST__INIT;
	in.chain = pb_hash(&w->own);
	in.action = CAISSON__WIRE__ACTION__ACTION_CANCEL;
	in.gas_limit = 21000;
	in.max_fee_wei = 10;
	return in;
}

static void test_two_final_headers_of_one_height_freeze(void **state)
{
	(void)state;
	struct world *w = frozen_world();
	Caisson__Wire__ConflictRequest conflict = CAISSON__WIRE__CONFLICT_REQUEST__INIT;
	Caisson__Wire__SignTransactionRequest cancel = cancel_of(w);
	Caisson__Wire__ClientCreateRequest create = create_of(w, w->blocks[0].raw);
	Caisson__Wire__RotateRequest rotate = CAISSON__WIRE__ROTATE_REQUEST__INIT;
	conflict.chain = pb_hash(&w->own);
	rotate.chain = pb_hash(&w->own);
	const Caisson__Wire__ConflictReply *out =
		(const Caisson__Wire__ConflictReply *)(const void *)world_ok(w, WIRE_CONFLICT,
									     &conflict.base);
	assert_int_equal(out->n_first, 1);
	assert_int_equal(out->n_second, 1);
	assert_false(cs_bytes_eq(wire_pb_view(out->first[0]), wire_pb_view(out->second[0])));
	assert_int_equal(out->height, 2);
	assert_hash(wire_pb_hash(out->first_hash), w->blocks[2].hash);
	assert_hash(wire_pb_hash(out->second_hash), second_branch);
	assert_string_equal(out->held, "");
	/* Nothing is taken and nothing is signed for that chain. */
	update(w, &w->blocks[4].raw, 1, "frozen");
	world_refused(w, WIRE_SIGN_TRANSACTION, &cancel.base, CS_ERR_FROZEN);
	world_refused(w, WIRE_CLIENT_CREATE, &create.base, CS_ERR_FROZEN);
	world_refused(w, WIRE_ROTATE, &rotate.base, CS_ERR_FROZEN);
	world_free(w);
}

static void test_the_freeze_is_sealed(void **state)
{
	(void)state;
	struct world *w = frozen_world();
	const struct cs_bytes sealed = world_export(w);
	world_restart(w);
	import_state(w, sealed);
	assert_true(status_of(w).frozen);
	Caisson__Wire__SignTransactionRequest cancel = cancel_of(w);
	world_refused(w, WIRE_SIGN_TRANSACTION, &cancel.base, CS_ERR_FROZEN);
	world_free(w);
}

/* Starts under the manifest as it is now, takes the state, and stays frozen: why. */
static void stays_frozen(struct world *w, struct cs_bytes sealed, enum cs_err err, const char *why)
{
	world_restart(w);
	import_state(w, sealed);
	assert_true(status_of(w).frozen);
	Caisson__Wire__ClientCreateRequest create = create_of(w, w->blocks[3].raw);
	world_refused(w, WIRE_CLIENT_CREATE, &create.base, err);
	if (strstr(w->why.text, why) == NULL)
		fail_msg("%s where \"%s\" is expected", w->why.text, why);
	Caisson__Wire__ConflictRequest conflict = CAISSON__WIRE__CONFLICT_REQUEST__INIT;
	conflict.chain = pb_hash(&w->own);
	const Caisson__Wire__ConflictReply *out =
		(const Caisson__Wire__ConflictReply *)(const void *)world_ok(w, WIRE_CONFLICT,
									     &conflict.base);
	assert_non_null(strstr(out->held, why));
	Caisson__Wire__SignTransactionRequest cancel = cancel_of(w);
	world_refused(w, WIRE_SIGN_TRANSACTION, &cancel.base, err);
}

/* A manifest that decides the conflict for the first branch: block 3 of it is the anchor. */
static struct manifest deciding(const struct world *w)
{
	struct manifest m = w->manifest;
	m.number = 2;
	m.hash.b[5] = 9;
	m.chains[0].finality.anchor_height = 3;
	m.chains[0].finality.anchor_hash = w->blocks[3].hash;
	m.chains[0].abandoned = (struct manifest_abandoned){
		.height = 2, .headers = {w->blocks[2].hash, second_branch}, .since = 2};
	return m;
}

static void is_lifted(struct world *w, struct cs_bytes sealed)
{
	world_restart(w);
	import_state(w, sealed);
	assert_false(status_of(w).frozen);
	Caisson__Wire__ClientCreateRequest create = create_of(w, w->blocks[3].raw);
	(void)world_ok(w, WIRE_CLIENT_CREATE, &create.base);
}

static void test_a_manifest_that_decides_the_conflict_lifts_it(void **state)
{
	(void)state;
	struct world *w = frozen_world();
	const struct cs_bytes sealed = world_export(w);
	w->manifest = deciding(w);
	struct manifest_abandoned *a = &w->manifest.chains[0].abandoned;
	is_lifted(w, sealed);
	/* Which of the two came first is nobody's business. */
	a->headers[0] = second_branch;
	a->headers[1] = w->blocks[2].hash;
	is_lifted(w, sealed);
	(void)world_mine(w);
	world_update(w, 4);
	world_free(w);
}

/* The freeze is bound to its anchor: nothing else that the manifest says makes the client anew. */
static void test_the_same_anchor_lifts_nothing(void **state)
{
	(void)state;
	struct world *w = frozen_world();
	const struct cs_bytes sealed = world_export(w);
	const struct manifest_finality before = w->manifest.chains[0].finality;
	struct manifest_finality *f = &w->manifest.chains[0].finality;
	w->manifest = deciding(w);
	*f = before;
	stays_frozen(w, sealed, CS_ERR_FROZEN, "the anchor is the one that it froze under");
	f->epoch = 7;
	stays_frozen(w, sealed, CS_ERR_FROZEN, "the anchor is the one that it froze under");
	f->mode = MANIFEST_QBFT;
	stays_frozen(w, sealed, CS_ERR_FROZEN, "the anchor is the one that it froze under");
	f->mode = MANIFEST_CLIQUE;
	f->seals_min = 1;
	stays_frozen(w, sealed, CS_ERR_FROZEN, "the anchor is the one that it froze under");
	/* Either half of it makes it another one. */
	*f = before;
	f->anchor_hash.b[0] ^= 1;
	world_restart(w);
	import_state(w, sealed);
	assert_false(status_of(w).frozen);
	*f = before;
	f->anchor_height = 2;
	world_restart(w);
	import_state(w, sealed);
	assert_false(status_of(w).frozen);
	world_free(w);
}

static void test_no_abandoned_branch_lifts_nothing(void **state)
{
	(void)state;
	struct world *w = frozen_world();
	const struct cs_bytes sealed = world_export(w);
	w->manifest = deciding(w);
	w->manifest.chains[0].abandoned = (struct manifest_abandoned){0};
	stays_frozen(w, sealed, CS_ERR_FROZEN, "no abandoned branch");
	world_free(w);
}

static void test_another_conflict_lifts_nothing(void **state)
{
	(void)state;
	struct world *w = frozen_world();
	const struct cs_bytes sealed = world_export(w);
	w->manifest = deciding(w);
	struct manifest_abandoned *a = &w->manifest.chains[0].abandoned;
	const struct manifest_abandoned good = *a;
	a->height = 3;
	stays_frozen(w, sealed, CS_ERR_FROZEN, "names another conflict");
	for (size_t i = 0; i < 2; i++) {
		*a = good;
		a->headers[i].b[31] ^= 1;
		stays_frozen(w, sealed, CS_ERR_FROZEN, "names another conflict");
		a->headers[i] = good.headers[1 - i];
		stays_frozen(w, sealed, CS_ERR_FROZEN, "names another conflict");
	}
	world_free(w);
}

/* What was sealed while it was frozen keeps the anchor of the freeze, and wants a decision that is
 * younger than every manifest under which something may have been signed. */
static void test_a_decision_that_is_not_younger_lifts_nothing(void **state)
{
	(void)state;
	struct world *w = frozen_world();
	const struct cs_bytes sealed = world_export(w);
	w->manifest = deciding(w);
	struct manifest_abandoned *a = &w->manifest.chains[0].abandoned;
	a->since = 1;
	stays_frozen(w, sealed, CS_ERR_FROZEN, "abandoned.since is not above");
	const struct cs_bytes again = world_export(w);
	a->since = 2;
	stays_frozen(w, again, CS_ERR_FROZEN, "abandoned.since is not above");
	w->manifest.number = 3;
	stays_frozen(w, again, CS_ERR_FROZEN, "abandoned.since is not above");
	a->since = 3;
	is_lifted(w, again);
	world_free(w);
}

static void test_the_same_number_lifts_nothing(void **state)
{
	(void)state;
	struct world *w = frozen_world();
	const struct cs_bytes sealed = world_export(w);
	w->manifest = deciding(w);
	w->manifest.number = 1;
	w->manifest.chains[0].abandoned.since = 1;
	stays_frozen(w, sealed, CS_ERR_FROZEN, "abandoned.since is not above");
	world_free(w);
}

static void test_another_anchor_under_the_same_number_is_refused(void **state)
{
	(void)state;
	struct world *w = world_new();
	world_begin(w);
	world_advance(w, 4);
	const struct cs_bytes sealed = world_export(w);
	w->manifest.chains[0].finality.anchor_height = 3;
	w->manifest.chains[0].finality.anchor_hash = w->blocks[3].hash;
	world_restart(w);
	Caisson__Wire__ImportRequest in = CAISSON__WIRE__IMPORT_REQUEST__INIT;
	in.sealed = pb(sealed);
	world_refused(w, WIRE_IMPORT, &in.base, CS_ERR_ANCHOR_MISMATCH);
	world_free(w);
}

static void test_there_is_no_conflict(void **state)
{
	(void)state;
	struct world *w = world_new();
	world_begin(w);
	Caisson__Wire__ConflictRequest in = CAISSON__WIRE__CONFLICT_REQUEST__INIT;
	in.chain = pb_hash(&w->own);
	world_refused(w, WIRE_CONFLICT, &in.base, CS_ERR_NOT_FOUND);
	world_free(w);
}

/* Signed from an abandoned branch once, and on the branch that counts too: it is signed again, under
 * the manifest that makes the new statement count. */
static void test_a_message_of_both_branches_is_signed_again(void **state)
{
	(void)state;
	struct world *w = world_new();
	const struct wire_message_head head = world_head(w, true, 1);
	Caisson__Wire__SignMessagesRequest in = CAISSON__WIRE__SIGN_MESSAGES_REQUEST__INIT;
	Caisson__Wire__ReceiptClaim receipt = CAISSON__WIRE__RECEIPT_CLAIM__INIT;
	Caisson__Wire__MessageClaim claim = CAISSON__WIRE__MESSAGE_CLAIM__INIT;
	Caisson__Wire__ReceiptClaim *receipts[] = {&receipt};
	Caisson__Wire__MessageClaim *claims[] = {&claim};
	struct wire_signed st;
	w->manifest.number = 2;
	w->manifest.abandoned[0] = wire_message_id(&head);
	w->manifest.abandoned_count = 1;
	w->manifest.chains[0].abandoned =
		(struct manifest_abandoned){.height = 1, .since = 2, .count = 1};
	world_restart(w);
	world_begin(w);
	receipt.tx_index = world_emit(w, &head, 1, NULL, NULL);
	const struct world_block *block = world_mine(w);
	world_update(w, block->height);
	world_advance(w, 2);
	claim.head = world_pb_head(&head);
	receipt.height = block->height;
	receipt.block_hash = pb_hash(&block->hash);
	receipt.proof = world_receipt_proof(block, receipt.tx_index);
	receipt.messages = claims;
	receipt.n_messages = 1;
	in.chain = pb_hash(&w->own);
	in.receiver = pb_hash(&w->remote);
	in.receipts = receipts;
	in.n_receipts = 1;
	const Caisson__Wire__SignedReply *out =
		(const Caisson__Wire__SignedReply *)(const void *)world_ok(w, WIRE_SIGN_MESSAGES,
									   &in.base);
	assert_ok(wire_signed_from_pb(&st, out->statement));
	assert_int_equal(st.statement.manifest_number, 2);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_two_final_headers_of_one_height_freeze),
		cmocka_unit_test(test_the_freeze_is_sealed),
		cmocka_unit_test(test_a_manifest_that_decides_the_conflict_lifts_it),
		cmocka_unit_test(test_the_same_anchor_lifts_nothing),
		cmocka_unit_test(test_no_abandoned_branch_lifts_nothing),
		cmocka_unit_test(test_another_conflict_lifts_nothing),
		cmocka_unit_test(test_a_decision_that_is_not_younger_lifts_nothing),
		cmocka_unit_test(test_the_same_number_lifts_nothing),
		cmocka_unit_test(test_another_anchor_under_the_same_number_is_refused),
		cmocka_unit_test(test_there_is_no_conflict),
		cmocka_unit_test(test_a_message_of_both_branches_is_signed_again),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
