/* Statements: what is signed when the proof is right, and each way in which it can be wrong. */
#include "core/hash.h"
#include "world.h"

/* A world with one message in block `at`, final since. */
struct scene {
	struct world *w;
	struct wire_message_head head;
	const struct world_block *block;
	Caisson__Wire__SignMessagesRequest in;
	Caisson__Wire__ReceiptClaim receipt;
	Caisson__Wire__MessageClaim claim;
	Caisson__Wire__ReceiptClaim *receipts[1];
	Caisson__Wire__MessageClaim *claims[1];
};

static void scene_claim(struct scene *s, uint32_t tx_index, uint32_t log_index)
{
	caisson__wire__sign_messages_request__init(&s->in);
	caisson__wire__receipt_claim__init(&s->receipt);
	caisson__wire__message_claim__init(&s->claim);
	s->claim.head = world_pb_head(&s->head);
	s->claim.log_index = log_index;
	s->claims[0] = &s->claim;
	s->receipt.height = s->block->height;
	s->receipt.block_hash = pb_hash(&s->block->hash);
	s->receipt.tx_index = tx_index;
	s->receipt.proof = world_receipt_proof(s->block, tx_index);
	s->receipt.messages = s->claims;
	s->receipt.n_messages = 1;
	s->receipts[0] = &s->receipt;
	s->in.chain = pb_hash(&s->w->own);
	s->in.receiver = pb_hash(&s->w->remote);
	s->in.receipts = s->receipts;
	s->in.n_receipts = 1;
}

/* The message is the second log of the fourth receipt. */
static struct scene *scene_new(void)
{
	struct scene *s = keep(sizeof *s);
	s->w = world_new();
	world_begin(s->w);
	for (uint64_t i = 0; i < 3; i++) {
		const struct wire_message_head other = world_head(s->w, true, 100 + i);
		(void)world_emit(s->w, &other, 1, NULL, NULL);
	}
	s->head = world_head(s->w, true, 1);
	const struct wire_message_head two[2] = {world_head(s->w, true, 50), s->head};
	assert_int_equal(world_emit(s->w, two, 2, NULL, NULL), 3);
	s->block = world_mine(s->w);
	world_update(s->w, s->block->height);
	world_advance(s->w, 2);
	scene_claim(s, 3, 1);
	return s;
}

static const Caisson__Wire__SignedReply *sign(struct scene *s)
{
	return (const Caisson__Wire__SignedReply *)(const void *)world_ok(s->w, WIRE_SIGN_MESSAGES,
									  &s->in.base);
}

static void refused(struct scene *s, enum cs_err err)
{
	world_refused(s->w, WIRE_SIGN_MESSAGES, &s->in.base, err);
	world_free(s->w);
}

static struct cs_hash enclave_key(struct world *w, uint64_t epoch)
{
	Caisson__Wire__PublicKeysRequest in = CAISSON__WIRE__PUBLIC_KEYS_REQUEST__INIT;
	const Caisson__Wire__PublicKeysReply *out =
		(const Caisson__Wire__PublicKeysReply *)(const void *)world_ok(w, WIRE_PUBLIC_KEYS,
									       &in.base);
	for (size_t i = 0; i < out->n_keys; i++)
		if (out->keys[i]->epoch == epoch)
			return wire_pb_hash(out->keys[i]->public_key);
	fail_msg("no key of epoch %llu", (unsigned long long)epoch);
	return (struct cs_hash){{0}};
}

/* ---- messages ---- */

static void test_a_final_message_is_signed(void **state)
{
	(void)state;
	struct scene *s = scene_new();
	struct wire_signed st;
	const Caisson__Wire__SignedReply *out = sign(s);
	const struct cs_hash id = wire_message_id(&s->head);
	const struct cs_hash leaf = wire_leaf_message(&id);
	assert_ok(wire_signed_from_pb(&st, out->statement));
	assert_hash(wire_pb_hash(out->message_ids[0]), id);
	assert_int_equal(st.statement.kind, WIRE_KIND_MESSAGE);
	assert_hash(st.statement.signer, s->w->own);
	assert_hash(st.statement.receiver, s->w->remote);
	assert_int_equal(st.statement.epoch, 1);
	assert_int_equal(st.statement.manifest_number, 1);
	const struct cs_hash key = enclave_key(s->w, 1);
	assert_ok(wire_signed_verify(s->w->sig, &st, &leaf, &key, WIRE_DOMAIN_INSECURE));
	/* Never under the tag of production. */
	assert_err(wire_signed_verify(s->w->sig, &st, &leaf, &key, WIRE_DOMAIN_SECURE),
		   CS_ERR_BAD_SIGNATURE);
	world_free(s->w);
}

static void test_randomness_is_fresh(void **state)
{
	(void)state;
	struct scene *s = scene_new();
	const struct cs_hash first = wire_pb_hash(sign(s)->statement->rx);
	const struct cs_hash second = wire_pb_hash(sign(s)->statement->rx);
	assert_false(cs_hash_eq(&first, &second));
	world_free(s->w);
}

static void test_a_batch_of_two_receipts(void **state)
{
	(void)state;
	struct scene *s = scene_new();
	struct wire_message_head other = world_head(s->w, true, 100);
	Caisson__Wire__ReceiptClaim receipt = s->receipt;
	Caisson__Wire__MessageClaim claim = CAISSON__WIRE__MESSAGE_CLAIM__INIT;
	Caisson__Wire__MessageClaim *claims[1] = {&claim};
	Caisson__Wire__ReceiptClaim *receipts[2] = {&s->receipt, &receipt};
	struct wire_signed st;
	claim.head = world_pb_head(&other);
	receipt.tx_index = 0;
	receipt.proof = world_receipt_proof(s->block, 0);
	receipt.messages = claims;
	s->in.receipts = receipts;
	s->in.n_receipts = 2;
	const Caisson__Wire__SignedReply *out = sign(s);
	const struct cs_hash ids[2] = {wire_message_id(&s->head), wire_message_id(&other)};
	const struct cs_hash leaves[2] = {wire_leaf_message(&ids[0]), wire_leaf_message(&ids[1])};
	const struct cs_hash root = wire_root(leaves, 2);
	assert_int_equal(out->n_message_ids, 2);
	assert_ok(wire_signed_from_pb(&st, out->statement));
	assert_hash(st.statement.root, root);
	world_free(s->w);
}

static void test_an_event_that_is_not_final(void **state)
{
	(void)state;
	struct scene *s = scene_new();
	(void)world_emit(s->w, &s->head, 1, NULL, NULL);
	s->block = world_mine(s->w);
	world_update(s->w, s->block->height);
	world_advance(s->w, 1);
	scene_claim(s, 0, 0);
	world_refused(s->w, WIRE_SIGN_MESSAGES, &s->in.base, CS_ERR_NOT_FINAL);
	assert_true(cs_err_may_retry(CS_ERR_NOT_FINAL));
	world_advance(s->w, 1);
	(void)sign(s);
	world_free(s->w);
}

static void test_finality_attribute_asks_for_more(void **state)
{
	(void)state;
	struct scene *s = scene_new();
	s->head.finality = 2;
	(void)world_emit(s->w, &s->head, 1, NULL, NULL);
	s->block = world_mine(s->w);
	world_update(s->w, s->block->height);
	world_advance(s->w, 3);
	scene_claim(s, 0, 0);
	world_refused(s->w, WIRE_SIGN_MESSAGES, &s->in.base, CS_ERR_NOT_FINAL);
	world_advance(s->w, 1);
	(void)sign(s);
	world_free(s->w);
}

static void test_a_proof_of_another_receipt(void **state)
{
	(void)state;
	struct scene *s = scene_new();
	s->receipt.proof = world_receipt_proof(s->block, 2);
	refused(s, CS_ERR_BAD_PROOF);
}

static void test_another_transaction_index(void **state)
{
	(void)state;
	struct scene *s = scene_new();
	/* The proof fits the index, its log is of another message. */
	s->receipt.tx_index = 2;
	s->receipt.proof = world_receipt_proof(s->block, 2);
	s->claim.log_index = 0;
	refused(s, CS_ERR_WRONG_RECEIPT);
}

static void test_an_index_that_the_block_has_not(void **state)
{
	(void)state;
	struct scene *s = scene_new();
	s->receipt.tx_index = 9;
	s->receipt.proof = world_receipt_proof(s->block, 9);
	refused(s, CS_ERR_NO_RECEIPT);
}

static void test_another_log_position(void **state)
{
	(void)state;
	struct scene *s = scene_new();
	s->claim.log_index = 0;
	refused(s, CS_ERR_WRONG_LOG);
}

static void test_a_log_position_behind_the_last(void **state)
{
	(void)state;
	struct scene *s = scene_new();
	s->claim.log_index = 2;
	refused(s, CS_ERR_NO_LOG);
}

static void test_another_block(void **state)
{
	(void)state;
	struct scene *s = scene_new();
	s->receipt.block_hash = pb_hash(&s->w->blocks[1 - (s->block->height == 1)].hash);
	refused(s, CS_ERR_WRONG_BLOCK);
}

static void test_the_proof_under_another_height(void **state)
{
	(void)state;
	struct scene *s = scene_new();
	s->receipt.height = 0;
	s->receipt.block_hash = pb_hash(&s->w->blocks[0].hash);
	refused(s, CS_ERR_BAD_PROOF);
}

static void test_one_bit_of_the_proof(void **state)
{
	(void)state;
	struct scene *s = scene_new();
	const Caisson__Wire__ProofNodes *proof = s->receipt.proof;
	for (size_t i = 0; i < proof->n_nodes; i++) {
		for (size_t at = 0; at < proof->nodes[i].len; at += 7) {
			proof->nodes[i].data[at] ^= 0x10;
			assert_null(world_step(s->w, WIRE_SIGN_MESSAGES, &s->in.base));
			proof->nodes[i].data[at] ^= 0x10;
		}
	}
	(void)sign(s);
	world_free(s->w);
}

static void test_a_log_of_another_contract(void **state)
{
	(void)state;
	struct scene *s = scene_new();
	const struct cs_address other = {{0x66}};
	(void)world_emit(s->w, &s->head, 1, &other, NULL);
	s->block = world_mine(s->w);
	world_update(s->w, s->block->height);
	world_advance(s->w, 2);
	scene_claim(s, 0, 0);
	refused(s, CS_ERR_WRONG_CONTRACT);
}

static void test_another_event(void **state)
{
	(void)state;
	struct scene *s = scene_new();
	const struct cs_hash topic = wire_evm_topic_message_status();
	(void)world_emit(s->w, &s->head, 1, NULL, &topic);
	s->block = world_mine(s->w);
	world_update(s->w, s->block->height);
	world_advance(s->w, 2);
	scene_claim(s, 0, 0);
	refused(s, CS_ERR_WRONG_EVENT);
}

static void test_every_field_of_the_head_counts(void **state)
{
	(void)state;
	struct scene *s = scene_new();
	const struct wire_message_head good = s->head;
	struct wire_message_head bad[8];
	for (size_t i = 0; i < CS_LEN(bad); i++)
		bad[i] = good;
	bad[0].sequence++;
	bad[1].deadline++;
	bad[2].sender_hash.b[31] ^= 1;
	bad[3].recipient_hash.b[31] ^= 1;
	bad[4].payload_hash.b[31] ^= 1;
	bad[5].min_gas_limit++;
	bad[6].closer.b[31] ^= 1;
	bad[7].refund_to.b[31] ^= 1;
	for (size_t i = 0; i < CS_LEN(bad); i++) {
		s->claim.head = world_pb_head(&bad[i]);
		world_refused(s->w, WIRE_SIGN_MESSAGES, &s->in.base, CS_ERR_WRONG_RECEIPT);
	}
	world_free(s->w);
}

static void test_a_message_for_another_destination(void **state)
{
	(void)state;
	struct scene *s = scene_new();
	s->head.destination.b[9] = 1;
	s->claim.head = world_pb_head(&s->head);
	refused(s, CS_ERR_WRONG_DESTINATION);
}

static void test_a_message_of_another_source(void **state)
{
	(void)state;
	struct scene *s = scene_new();
	s->head.source.b[9] = 1;
	s->claim.head = world_pb_head(&s->head);
	refused(s, CS_ERR_WRONG_SOURCE);
}

static void test_a_receiver_that_is_no_remote(void **state)
{
	(void)state;
	struct scene *s = scene_new();
	const struct cs_hash stranger = {{0xee}};
	s->in.receiver = pb_hash(&stranger);
	refused(s, CS_ERR_NOT_IN_MANIFEST);
}

static void test_a_chain_that_is_not_in_the_manifest(void **state)
{
	(void)state;
	struct scene *s = scene_new();
	const struct cs_hash stranger = {{0xee}};
	s->in.chain = pb_hash(&stranger);
	refused(s, CS_ERR_NOT_IN_MANIFEST);
}

static void test_one_message_twice(void **state)
{
	(void)state;
	struct scene *s = scene_new();
	Caisson__Wire__MessageClaim *claims[2] = {&s->claim, &s->claim};
	s->receipt.messages = claims;
	s->receipt.n_messages = 2;
	refused(s, CS_ERR_DUPLICATE);
}

static void test_more_than_the_manifest_allows(void **state)
{
	(void)state;
	struct scene *s = scene_new();
	struct wire_message_head other = world_head(s->w, true, 50);
	Caisson__Wire__MessageClaim first = s->claim;
	first.head = world_pb_head(&other);
	first.log_index = 0;
	Caisson__Wire__MessageClaim *claims[2] = {&first, &s->claim};
	s->receipt.messages = claims;
	s->receipt.n_messages = 2;
	(void)sign(s);
	struct world *w = s->w;
	w->manifest.batch_max = 1;
	world_restart(w);
	world_begin(w);
	world_update(w, 1);
	refused(s, CS_ERR_TOO_LARGE);
}

static void test_nothing_to_sign(void **state)
{
	(void)state;
	struct scene *s = scene_new();
	s->receipt.n_messages = 0;
	world_refused(s->w, WIRE_SIGN_MESSAGES, &s->in.base, CS_ERR_INVALID);
	s->in.n_receipts = 0;
	refused(s, CS_ERR_INVALID);
}

static void test_an_epoch_that_is_not_held(void **state)
{
	(void)state;
	struct scene *s = scene_new();
	s->in.epoch = 2;
	refused(s, CS_ERR_WRONG_EPOCH);
}

static void test_no_keys_yet(void **state)
{
	(void)state;
	struct scene *s = scene_new();
	Caisson__Wire__ClientCreateRequest create = CAISSON__WIRE__CLIENT_CREATE_REQUEST__INIT;
	world_restart(s->w);
	create.chain = pb_hash(&s->w->own);
	create.header = pb(s->w->blocks[0].raw);
	(void)world_ok(s->w, WIRE_CLIENT_CREATE, &create.base);
	world_update(s->w, 1);
	refused(s, CS_ERR_NO_KEY);
}

static void test_no_client_yet(void **state)
{
	(void)state;
	struct scene *s = scene_new();
	world_restart(s->w);
	refused(s, CS_ERR_NOT_FOUND);
}

static void test_the_named_epoch_stays_in_use(void **state)
{
	(void)state;
	struct scene *s = scene_new();
	Caisson__Wire__RotateRequest rotate = CAISSON__WIRE__ROTATE_REQUEST__INIT;
	rotate.chain = pb_hash(&s->w->own);
	(void)world_ok(s->w, WIRE_ROTATE, &rotate.base);
	assert_int_equal(sign(s)->statement->epoch, 1);
	s->in.epoch = 2;
	assert_int_equal(sign(s)->statement->epoch, 2);
	s->in.epoch = 0;
	assert_int_equal(sign(s)->statement->epoch, 2);
	/* The old one signs as long as it is named: envelopes in flight are asked for again under
	 * their epoch. */
	s->in.epoch = 1;
	assert_int_equal(sign(s)->statement->epoch, 1);
	world_free(s->w);
}

static void test_nothing_is_signed_when_the_last_final_block_is_too_old(void **state)
{
	(void)state;
	struct scene *s = scene_new();
	s->w->now.low_s += 86400 + 100;
	s->w->now.high_s = s->w->now.low_s;
	refused(s, CS_ERR_ANCHOR_TOO_OLD);
}

static void test_nothing_is_signed_without_a_bound_on_time(void **state)
{
	(void)state;
	struct scene *s = scene_new();
	s->w->now.high_s = 0;
	refused(s, CS_ERR_NO_TIME);
}

/* Its leaf is more than a node of the schema holds: it comes in the field of its own. */
static void test_a_large_receipt(void **state)
{
	(void)state;
	struct scene *s = scene_new();
	struct wire_message_head heads[20];
	for (size_t i = 0; i < CS_LEN(heads); i++)
		heads[i] = world_head(s->w, true, 200 + i);
	s->head = heads[17];
	(void)world_emit(s->w, heads, CS_LEN(heads), NULL, NULL);
	s->block = world_mine(s->w);
	world_update(s->w, s->block->height);
	world_advance(s->w, 2);
	scene_claim(s, 0, 17);
	assert_true(s->receipt.proof->leaf.len > 1024);
	(void)sign(s);
	world_free(s->w);
}

/* ---- outcomes ---- */

struct outcome_scene {
	struct world *w;
	struct wire_message_head head;
	Caisson__Wire__SignOutcomesRequest in;
	Caisson__Wire__StatusClaim claim;
	Caisson__Wire__StatusClaim *claims[1];
};

static void outcome_claim(struct outcome_scene *s, const struct world_block *block)
{
	const struct cs_hash sentinel = wire_evm_sentinel_slot();
	const struct cs_hash slot = wire_evm_status_slot(&s->head.source, s->head.sequence);
	caisson__wire__sign_outcomes_request__init(&s->in);
	caisson__wire__status_claim__init(&s->claim);
	s->claim.head = world_pb_head(&s->head);
	s->claim.proof = world_slot_proof(block, &slot);
	s->claims[0] = &s->claim;
	s->in.chain = pb_hash(&s->w->own);
	s->in.receiver = pb_hash(&s->w->remote);
	s->in.height = block->height;
	s->in.account = world_account_proof(s->w, block);
	s->in.sentinel = world_slot_proof(block, &sentinel);
	s->in.claims = s->claims;
	s->in.n_claims = 1;
}

/* The status stands in a block whose time is `after` seconds from the deadline, and which is final. */
static struct outcome_scene *outcome_new(enum wire_status status, int64_t after)
{
	struct outcome_scene *s = keep(sizeof *s);
	s->w = world_new();
	world_begin(s->w);
	s->head = world_head(s->w, false, 5);
	if (status != WIRE_STATUS_NONE)
		world_set_status(s->w, 5, status);
	s->w->next.time_s = (uint64_t)((int64_t)s->head.deadline + after);
	const struct world_block *block = world_mine(s->w);
	world_update(s->w, block->height);
	world_advance(s->w, 2);
	outcome_claim(s, block);
	return s;
}

static void stated(struct outcome_scene *s, enum wire_status status)
{
	const Caisson__Wire__SignedOutcomesReply *out =
		(const Caisson__Wire__SignedOutcomesReply *)(const void *)world_ok(
			s->w, WIRE_SIGN_OUTCOMES, &s->in.base);
	struct wire_signed st;
	const struct cs_hash id = wire_message_id(&s->head);
	const struct cs_hash leaf = wire_leaf_outcome(&id, status);
	assert_int_equal(out->outcomes[0]->status, status);
	assert_hash(wire_pb_hash(out->outcomes[0]->message_id), id);
	assert_ok(wire_signed_from_pb(&st, out->statement));
	assert_int_equal(st.statement.kind, WIRE_KIND_OUTCOME);
	assert_hash(st.statement.signer, s->w->own);
	assert_hash(st.statement.receiver, s->w->remote);
	const struct cs_hash key = enclave_key(s->w, 1);
	assert_ok(wire_signed_verify(s->w->sig, &st, &leaf, &key, WIRE_DOMAIN_INSECURE));
	world_free(s->w);
}

static void outcome_refused(struct outcome_scene *s, enum cs_err err)
{
	world_refused(s->w, WIRE_SIGN_OUTCOMES, &s->in.base, err);
	world_free(s->w);
}

static void test_delivered_is_stated_at_any_time(void **state)
{
	(void)state;
	stated(outcome_new(WIRE_STATUS_DELIVERED, -500), WIRE_STATUS_DELIVERED);
	stated(outcome_new(WIRE_STATUS_DELIVERED, 500), WIRE_STATUS_DELIVERED);
}

static void test_dead_is_stated_at_any_time(void **state)
{
	(void)state;
	stated(outcome_new(WIRE_STATUS_DEAD, -500), WIRE_STATUS_DEAD);
	stated(outcome_new(WIRE_STATUS_DEAD, 500), WIRE_STATUS_DEAD);
}

/* The margin of this world is 10 s: a probabilistic chain. */
static void test_none_and_failed_after_the_deadline_are_dead(void **state)
{
	(void)state;
	stated(outcome_new(WIRE_STATUS_NONE, 10), WIRE_STATUS_DEAD);
	stated(outcome_new(WIRE_STATUS_FAILED, 10), WIRE_STATUS_DEAD);
}

static void test_none_and_failed_before_the_deadline(void **state)
{
	(void)state;
	outcome_refused(outcome_new(WIRE_STATUS_NONE, -1), CS_ERR_BEFORE_DEADLINE);
	outcome_refused(outcome_new(WIRE_STATUS_FAILED, -1), CS_ERR_BEFORE_DEADLINE);
	/* Within the margin of a reorganisation too. */
	outcome_refused(outcome_new(WIRE_STATUS_NONE, 9), CS_ERR_BEFORE_DEADLINE);
	outcome_refused(outcome_new(WIRE_STATUS_NONE, 0), CS_ERR_BEFORE_DEADLINE);
}

/* Where finality is certain there is no margin: the block of the deadline itself proves the refund. */
static struct outcome_scene *outcome_without_margin(enum wire_status status, int64_t after)
{
	struct outcome_scene *s = keep(sizeof *s);
	s->w = world_new();
	s->w->manifest.chains[0].finality.reorg_margin_s = 0;
	world_restart(s->w);
	world_begin(s->w);
	s->head = world_head(s->w, false, 5);
	if (status != WIRE_STATUS_NONE)
		world_set_status(s->w, 5, status);
	s->w->next.time_s = (uint64_t)((int64_t)s->head.deadline + after);
	const struct world_block *block = world_mine(s->w);
	world_update(s->w, block->height);
	world_advance(s->w, 2);
	outcome_claim(s, block);
	return s;
}

static void test_the_timestamp_is_the_deadline(void **state)
{
	(void)state;
	stated(outcome_without_margin(WIRE_STATUS_NONE, 0), WIRE_STATUS_DEAD);
	stated(outcome_without_margin(WIRE_STATUS_FAILED, 0), WIRE_STATUS_DEAD);
	stated(outcome_without_margin(WIRE_STATUS_DELIVERED, 0), WIRE_STATUS_DELIVERED);
	outcome_refused(outcome_without_margin(WIRE_STATUS_NONE, -1), CS_ERR_BEFORE_DEADLINE);
	outcome_refused(outcome_without_margin(WIRE_STATUS_FAILED, -1), CS_ERR_BEFORE_DEADLINE);
}

static void test_none_in_a_word_of_others(void **state)
{
	(void)state;
	/* The word is present, the field of this sequence is 0. */
	struct outcome_scene *s = outcome_new(WIRE_STATUS_NONE, -500);
	world_set_status(s->w, 6, WIRE_STATUS_DELIVERED);
	s->w->next.time_s = s->head.deadline + 10;
	const struct world_block *block = world_mine(s->w);
	world_update(s->w, block->height);
	world_advance(s->w, 2);
	outcome_claim(s, block);
	stated(s, WIRE_STATUS_DEAD);
}

static void test_a_status_of_a_block_that_is_not_final(void **state)
{
	(void)state;
	struct outcome_scene *s = outcome_new(WIRE_STATUS_NONE, -500);
	world_set_status(s->w, 5, WIRE_STATUS_DELIVERED);
	const struct world_block *block = world_mine(s->w);
	world_update(s->w, block->height);
	world_advance(s->w, 1);
	outcome_claim(s, block);
	outcome_refused(s, CS_ERR_NOT_FINAL);
}

static void test_a_status_without_the_sentinel(void **state)
{
	(void)state;
	struct outcome_scene *s = outcome_new(WIRE_STATUS_DELIVERED, -500);
	const struct cs_hash slot = wire_evm_sentinel_slot();
	const struct cs_hash zero = {{0}};
	world_store(s->w, &slot, &zero);
	const struct world_block *block = world_mine(s->w);
	world_update(s->w, block->height);
	world_advance(s->w, 2);
	outcome_claim(s, block);
	outcome_refused(s, CS_ERR_NO_SENTINEL);
}

static void test_the_sentinel_of_another_gateway(void **state)
{
	(void)state;
	struct outcome_scene *s = outcome_new(WIRE_STATUS_DELIVERED, -500);
	const struct cs_hash slot = wire_evm_sentinel_slot();
	const struct cs_hash other = wire_evm_sentinel_value(&s->w->remote);
	world_store(s->w, &slot, &other);
	const struct world_block *block = world_mine(s->w);
	world_update(s->w, block->height);
	world_advance(s->w, 2);
	outcome_claim(s, block);
	outcome_refused(s, CS_ERR_NO_SENTINEL);
}

static void test_another_code_hash(void **state)
{
	(void)state;
	struct outcome_scene *s = outcome_new(WIRE_STATUS_DELIVERED, -500);
	s->w->next.code_hash.b[0] ^= 1;
	const struct world_block *block = world_mine(s->w);
	world_update(s->w, block->height);
	world_advance(s->w, 2);
	outcome_claim(s, block);
	outcome_refused(s, CS_ERR_WRONG_CODE);
}

static void test_a_missing_account_is_no_timeout(void **state)
{
	(void)state;
	struct outcome_scene *s = outcome_new(WIRE_STATUS_NONE, -500);
	s->w->next.account_absent = true;
	s->w->next.time_s = s->head.deadline + 10;
	const struct world_block *block = world_mine(s->w);
	world_update(s->w, block->height);
	world_advance(s->w, 2);
	outcome_claim(s, block);
	outcome_refused(s, CS_ERR_NO_ACCOUNT);
}

static void test_the_proof_of_another_slot(void **state)
{
	(void)state;
	struct outcome_scene *s = outcome_new(WIRE_STATUS_DELIVERED, 10);
	const struct cs_hash slot = wire_evm_sentinel_slot();
	s->claim.proof = world_slot_proof(&s->w->blocks[s->in.height], &slot);
	outcome_refused(s, CS_ERR_BAD_PROOF);
}

static void test_an_outcome_for_another_source(void **state)
{
	(void)state;
	struct outcome_scene *s = outcome_new(WIRE_STATUS_DELIVERED, 0);
	s->head.source.b[9] = 1;
	s->claim.head = world_pb_head(&s->head);
	outcome_refused(s, CS_ERR_WRONG_SOURCE);
}

static void test_an_outcome_of_another_destination(void **state)
{
	(void)state;
	struct outcome_scene *s = outcome_new(WIRE_STATUS_DELIVERED, 0);
	s->head.destination.b[9] = 1;
	s->claim.head = world_pb_head(&s->head);
	outcome_refused(s, CS_ERR_WRONG_DESTINATION);
}

static void test_no_claims(void **state)
{
	(void)state;
	struct outcome_scene *s = outcome_new(WIRE_STATUS_NONE, 10);
	s->in.n_claims = 0;
	outcome_refused(s, CS_ERR_INVALID);
}

static void test_deadline_zero(void **state)
{
	(void)state;
	struct outcome_scene *s = outcome_new(WIRE_STATUS_NONE, 10);
	s->head.deadline = 0;
	s->claim.head = world_pb_head(&s->head);
	outcome_refused(s, CS_ERR_INVALID);
}

/* ---- blocks older than the window ---- */

static void test_ancestors_that_do_not_link(void **state)
{
	(void)state;
	struct scene *s = scene_new();
	ProtobufCBinaryData headers[2] = {pb(s->block->raw),
					  pb(s->w->blocks[s->block->height + 2].raw)};
	s->in.headers = headers;
	s->in.n_headers = 2;
	refused(s, CS_ERR_UNLINKED);
}

static void test_ancestors_prove_a_block(void **state)
{
	(void)state;
	struct scene *s = scene_new();
	ProtobufCBinaryData headers[1] = {pb(s->block->raw)};
	s->in.headers = headers;
	s->in.n_headers = 1;
	(void)sign(s);
	world_free(s->w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_final_message_is_signed),
		cmocka_unit_test(test_randomness_is_fresh),
		cmocka_unit_test(test_a_batch_of_two_receipts),
		cmocka_unit_test(test_an_event_that_is_not_final),
		cmocka_unit_test(test_finality_attribute_asks_for_more),
		cmocka_unit_test(test_a_proof_of_another_receipt),
		cmocka_unit_test(test_another_transaction_index),
		cmocka_unit_test(test_an_index_that_the_block_has_not),
		cmocka_unit_test(test_another_log_position),
		cmocka_unit_test(test_a_log_position_behind_the_last),
		cmocka_unit_test(test_another_block),
		cmocka_unit_test(test_the_proof_under_another_height),
		cmocka_unit_test(test_one_bit_of_the_proof),
		cmocka_unit_test(test_a_log_of_another_contract),
		cmocka_unit_test(test_another_event),
		cmocka_unit_test(test_every_field_of_the_head_counts),
		cmocka_unit_test(test_a_message_for_another_destination),
		cmocka_unit_test(test_a_message_of_another_source),
		cmocka_unit_test(test_a_receiver_that_is_no_remote),
		cmocka_unit_test(test_a_chain_that_is_not_in_the_manifest),
		cmocka_unit_test(test_one_message_twice),
		cmocka_unit_test(test_more_than_the_manifest_allows),
		cmocka_unit_test(test_nothing_to_sign),
		cmocka_unit_test(test_an_epoch_that_is_not_held),
		cmocka_unit_test(test_no_keys_yet),
		cmocka_unit_test(test_no_client_yet),
		cmocka_unit_test(test_the_named_epoch_stays_in_use),
		cmocka_unit_test(test_nothing_is_signed_when_the_last_final_block_is_too_old),
		cmocka_unit_test(test_nothing_is_signed_without_a_bound_on_time),
		cmocka_unit_test(test_delivered_is_stated_at_any_time),
		cmocka_unit_test(test_dead_is_stated_at_any_time),
		cmocka_unit_test(test_none_and_failed_after_the_deadline_are_dead),
		cmocka_unit_test(test_none_and_failed_before_the_deadline),
		cmocka_unit_test(test_the_timestamp_is_the_deadline),
		cmocka_unit_test(test_none_in_a_word_of_others),
		cmocka_unit_test(test_a_status_of_a_block_that_is_not_final),
		cmocka_unit_test(test_a_status_without_the_sentinel),
		cmocka_unit_test(test_the_sentinel_of_another_gateway),
		cmocka_unit_test(test_another_code_hash),
		cmocka_unit_test(test_a_missing_account_is_no_timeout),
		cmocka_unit_test(test_the_proof_of_another_slot),
		cmocka_unit_test(test_an_outcome_for_another_source),
		cmocka_unit_test(test_an_outcome_of_another_destination),
		cmocka_unit_test(test_no_claims),
		cmocka_unit_test(test_a_large_receipt),
		cmocka_unit_test(test_deadline_zero),
		cmocka_unit_test(test_ancestors_that_do_not_link),
		cmocka_unit_test(test_ancestors_prove_a_block),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
