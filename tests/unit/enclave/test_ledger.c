/* A chain of the mode cometbft: what is signed when its ICS-23 proofs are right, and each way in which
 * they can be wrong. */
#include "ledger.h"
#include "relay_state/ledger/tx.h"

/* A ledger on which one message was sent, final since. */
struct scene {
	struct ledger *l;
	struct world *w;
	struct wire_message_head head;
	uint64_t height; /* of the newest block */
	Caisson__Wire__SignMessagesRequest in;
	Caisson__Wire__SentClaim claim;
	Caisson__Wire__SentClaim *claims[1];
};

static Caisson__Wire__ProofNodes *sent_proof(struct scene *s, const struct wire_message_head *head)
{
	const struct cs_hash id = wire_message_id(head);
	const struct cs_hash slot = wire_evm_sent_slot(&id);
	return ledger_proof(s->l, s->height, &slot);
}

static void claim(struct scene *s)
{
	caisson__wire__sign_messages_request__init(&s->in);
	caisson__wire__sent_claim__init(&s->claim);
	s->claim.head = world_pb_head(&s->head);
	s->claim.proof = sent_proof(s, &s->head);
	s->claims[0] = &s->claim;
	s->in.chain = pb_hash(&s->w->own);
	s->in.receiver = pb_hash(&s->w->remote);
	s->in.height = s->height;
	s->in.sentinel = ledger_sentinel(s->l, s->height);
	s->in.sent = s->claims;
	s->in.n_sent = 1;
}

static struct scene *scene_of(size_t validators)
{
	struct scene *s = keep(sizeof *s);
	s->l = ledger_new(validators);
	s->w = s->l->w;
	ledger_begin(s->l);
	s->head = world_head(s->w, true, 1);
	ledger_send(s->l, &s->head);
	ledger_advance(s->l, 2);
	s->height = (uint64_t)s->l->height;
	claim(s);
	return s;
}

static struct scene *scene_new(void)
{
	return scene_of(4);
}

static const Caisson__Wire__SignedReply *sign(struct scene *s)
{
	return (const Caisson__Wire__SignedReply *)(const void *)world_ok(s->w, WIRE_SIGN_MESSAGES,
									  &s->in.base);
}

static void refused(struct scene *s, enum cs_err err)
{
	world_refused(s->w, WIRE_SIGN_MESSAGES, &s->in.base, err);
}

/* ---- messages ---- */

static void test_a_message_that_was_sent_is_signed(void **state)
{
	(void)state;
	struct scene *s = scene_new();
	struct wire_signed st;
	const Caisson__Wire__SignedReply *out = sign(s);
	const struct cs_hash id = wire_message_id(&s->head);
	assert_int_equal(out->n_message_ids, 1);
	assert_hash(wire_pb_hash(out->message_ids[0]), id);
	assert_ok(wire_signed_from_pb(&st, out->statement));
	assert_int_equal(st.statement.kind, WIRE_KIND_MESSAGE);
	assert_hash(st.statement.signer, s->w->own);
	assert_hash(st.statement.receiver, s->w->remote);
	assert_hash(st.statement.root, wire_leaf_message(&id));
	/* For ever, under any later block. */
	ledger_advance(s->l, 3);
	s->height = (uint64_t)s->l->height;
	claim(s);
	(void)sign(s);
	ledger_free(s->l);
}

/* A light block that is larger than an EVM header may be. */
static void test_a_hundred_validators(void **state)
{
	(void)state;
	struct scene *s = scene_of(100);
	assert_true(ledger_raw(&s->l->blocks[s->l->height]).n > 2 * CS_HEADER_SIZE_MAX);
	(void)sign(s);
	ledger_free(s->l);
}

static void test_a_batch(void **state)
{
	(void)state;
	struct scene *s = scene_new();
	struct wire_message_head other = world_head(s->w, true, 2);
	Caisson__Wire__SentClaim second = CAISSON__WIRE__SENT_CLAIM__INIT;
	Caisson__Wire__SentClaim *both[2] = {&s->claim, &second};
	ledger_send(s->l, &other);
	ledger_advance(s->l, 1);
	s->height = (uint64_t)s->l->height;
	claim(s);
	second.head = world_pb_head(&other);
	second.proof = sent_proof(s, &other);
	s->in.sent = both;
	s->in.n_sent = 2;
	assert_int_equal(sign(s)->n_message_ids, 2);
	both[1] = &s->claim;
	refused(s, CS_ERR_DUPLICATE);
	ledger_free(s->l);
}

static void test_a_message_that_was_not_sent(void **state)
{
	(void)state;
	struct scene *s = scene_new();
	const struct wire_message_head sent = s->head;
	/* Proven absent; by the other's proof; not at this height yet. */
	s->head.sequence = 2;
	claim(s);
	refused(s, CS_ERR_NOT_FOUND);
	s->claim.proof = sent_proof(s, &sent);
	refused(s, CS_ERR_BAD_PROOF);
	s->head = sent;
	s->height = LEDGER_ANCHOR;
	claim(s);
	refused(s, CS_ERR_NOT_FOUND);
	ledger_free(s->l);
}

static void test_a_block_that_is_not_final(void **state)
{
	(void)state;
	struct scene *s = scene_new();
	s->in.height = s->height + 1;
	refused(s, CS_ERR_NOT_FINAL);
	/* The anchor's and the newest are known, one in between is brought by an update. */
	s->in.height = s->height - 1;
	refused(s, CS_ERR_STALE_HEADER);
	ledger_update(s->l, &s->l->blocks[s->height - 1], CS_OK);
	s->height--;
	claim(s);
	(void)sign(s);
	/* The attribute asks for blocks on top of the one that it is proven under. */
	s->head.finality = 2;
	ledger_send(s->l, &s->head);
	ledger_advance(s->l, 1);
	s->height = (uint64_t)s->l->height;
	claim(s);
	refused(s, CS_ERR_NOT_FINAL);
	ledger_advance(s->l, 1);
	refused(s, CS_ERR_NOT_FINAL);
	ledger_advance(s->l, 1);
	(void)sign(s);
	ledger_free(s->l);
}

static void test_another_gateway(void **state)
{
	(void)state;
	struct scene *s = scene_new();
	const struct cs_hash slot = wire_evm_sentinel_slot(), zero = {{0}};
	const struct cs_hash other = wire_evm_sentinel_value(&s->w->remote);
	s->in.sentinel = NULL;
	refused(s, CS_ERR_MISSING_FIELD);
	/* Of another block. */
	s->in.sentinel = ledger_sentinel(s->l, LEDGER_ANCHOR);
	refused(s, CS_ERR_BAD_PROOF);
	ledger_write(s->l, &slot, &other);
	ledger_advance(s->l, 1);
	s->height = (uint64_t)s->l->height;
	claim(s);
	refused(s, CS_ERR_NO_SENTINEL);
	ledger_write(s->l, &slot, &zero);
	ledger_advance(s->l, 1);
	s->height = (uint64_t)s->l->height;
	claim(s);
	refused(s, CS_ERR_NO_SENTINEL);
	ledger_free(s->l);
}

static void test_another_route(void **state)
{
	(void)state;
	struct scene *s = scene_new();
	const struct cs_hash stranger = {{0x57}};
	s->head = world_head(s->w, false, 1);
	claim(s);
	refused(s, CS_ERR_WRONG_DESTINATION);
	s->head.destination = s->w->remote;
	claim(s);
	refused(s, CS_ERR_WRONG_SOURCE);
	s->in.receiver = pb_hash(&stranger);
	refused(s, CS_ERR_NOT_IN_MANIFEST);
	ledger_free(s->l);
}

/* What an EVM chain is asked with says nothing here, and the other way round. */
static void test_proofs_of_the_other_kind(void **state)
{
	(void)state;
	struct scene *s = scene_new();
	Caisson__Wire__ReceiptClaim receipt = CAISSON__WIRE__RECEIPT_CLAIM__INIT;
	Caisson__Wire__ReceiptClaim *receipts[1] = {&receipt};
	ProtobufCBinaryData node = pb(cs_bytes_str("node"));
	const struct cs_hash zero = {{0}};
	receipt.block_hash = pb_hash(&zero);
	receipt.proof = s->claim.proof;
	s->in.receipts = receipts;
	s->in.n_receipts = 1;
	refused(s, CS_ERR_INVALID);
	claim(s);
	s->in.n_sent = 0;
	refused(s, CS_ERR_INVALID);
	claim(s);
	s->claim.proof->nodes = &node;
	s->claim.proof->n_nodes = 1;
	refused(s, CS_ERR_INVALID);
	claim(s);
	s->claim.proof->leaf = node;
	refused(s, CS_ERR_INVALID);
	claim(s);
	s->claim.proof = ledger_no_account();
	refused(s, CS_ERR_MISSING_FIELD);
	/* Ancestors are updates here. */
	claim(s);
	ProtobufCBinaryData header = pb(ledger_raw(&s->l->blocks[s->height]));
	s->in.headers = &header;
	s->in.n_headers = 1;
	refused(s, CS_ERR_UNSUPPORTED);
	ledger_free(s->l);
	/* On an EVM chain. */
	struct world *w = world_new();
	world_begin(w);
	world_advance(w, 3);
	s = scene_new();
	world_refused(w, WIRE_SIGN_MESSAGES, &s->in.base, CS_ERR_INVALID);
	s->in.n_sent = 0;
	world_refused(w, WIRE_SIGN_MESSAGES, &s->in.base, CS_ERR_INVALID);
	Caisson__Wire__SignOutcomesRequest in = CAISSON__WIRE__SIGN_OUTCOMES_REQUEST__INIT;
	Caisson__Wire__StatusClaim status = CAISSON__WIRE__STATUS_CLAIM__INIT;
	Caisson__Wire__StatusClaim *claims[1] = {&status};
	const struct wire_message_head head = world_head(w, false, 1);
	status.head = world_pb_head(&head);
	status.proof = s->claim.proof;
	in.chain = pb_hash(&w->own);
	in.receiver = pb_hash(&w->remote);
	in.height = 1;
	in.account = s->claim.proof;
	in.sentinel = s->claim.proof;
	in.claims = claims;
	in.n_claims = 1;
	world_refused(w, WIRE_SIGN_OUTCOMES, &in.base, CS_ERR_INVALID);
	in.account = world_account_proof(w, &w->blocks[1]);
	const struct cs_hash slot = wire_evm_sentinel_slot();
	in.sentinel = world_slot_proof(&w->blocks[1], &slot);
	status.proof = ledger_sentinel(s->l, s->height);
	world_refused(w, WIRE_SIGN_OUTCOMES, &in.base, CS_ERR_INVALID);
	ledger_free(s->l);
	world_free(w);
}

static void test_every_flip_of_a_proof(void **state)
{
	(void)state;
	struct scene *s = scene_new();
	ProtobufCBinaryData *const proofs[] = {&s->claim.proof->state, &s->in.sentinel->state};
	for (size_t k = 0; k < CS_LEN(proofs); k++)
		for (size_t i = 0; i < proofs[k]->len; i++) {
			proofs[k]->data[i] ^= 0x10;
			if (world_step(s->w, WIRE_SIGN_MESSAGES, &s->in.base) != NULL)
				fail_msg("byte %zu of proof %zu", i, k);
			proofs[k]->data[i] ^= 0x10;
		}
	(void)sign(s);
	ledger_free(s->l);
}

/* ---- time ---- */

static void test_time(void **state)
{
	(void)state;
	struct scene *s = scene_new();
	const struct verify_time now = s->w->now;
	s->w->now.high_s = 0;
	refused(s, CS_ERR_NO_TIME);
	s->w->now.high_s = now.high_s + 1001;
	refused(s, CS_ERR_ANCHOR_TOO_OLD);
	s->w->now = now;
	(void)sign(s);
	ledger_free(s->l);
}

/* ---- outcomes ---- */

struct outcome {
	Caisson__Wire__SignOutcomesRequest in;
	Caisson__Wire__StatusClaim claim;
	Caisson__Wire__StatusClaim *claims[1];
};

static void claim_outcome(struct outcome *o, struct ledger *l, const struct wire_message_head *head)
{
	const uint64_t height = (uint64_t)l->height;
	const struct cs_hash slot = wire_evm_status_slot(&head->source, head->sequence);
	caisson__wire__sign_outcomes_request__init(&o->in);
	caisson__wire__status_claim__init(&o->claim);
	o->claim.head = world_pb_head(head);
	o->claim.proof = ledger_proof(l, height, &slot);
	o->claims[0] = &o->claim;
	o->in.chain = pb_hash(&l->w->own);
	o->in.receiver = pb_hash(&l->w->remote);
	o->in.height = height;
	o->in.account = ledger_no_account();
	o->in.sentinel = ledger_sentinel(l, height);
	o->in.claims = o->claims;
	o->in.n_claims = 1;
}

static uint32_t outcome_of(struct ledger *l, const struct wire_message_head *head)
{
	struct outcome o;
	claim_outcome(&o, l, head);
	const Caisson__Wire__SignedOutcomesReply *out =
		(const Caisson__Wire__SignedOutcomesReply *)(const void *)world_ok(
			l->w, WIRE_SIGN_OUTCOMES, &o.in.base);
	const struct cs_hash id = wire_message_id(head);
	assert_int_equal(out->n_outcomes, 1);
	assert_hash(wire_pb_hash(out->outcomes[0]->message_id), id);
	return out->outcomes[0]->status;
}

static void test_outcomes(void **state)
{
	(void)state;
	struct ledger *l = ledger_new(4);
	struct wire_message_head head = world_head(l->w, false, 3);
	struct outcome o;
	ledger_begin(l);
	ledger_set_status(l, 3, WIRE_STATUS_DELIVERED);
	ledger_advance(l, 1);
	assert_int_equal(outcome_of(l, &head), WIRE_STATUS_DELIVERED);
	/* Nothing under the next one's bits: dead from the block on whose time is the deadline, since
	 * what is not under its application hash executes in it or later. */
	head.sequence = 4;
	head.deadline = (uint64_t)l->blocks[l->height].header.time.s + 2;
	claim_outcome(&o, l, &head);
	world_refused(l->w, WIRE_SIGN_OUTCOMES, &o.in.base, CS_ERR_BEFORE_DEADLINE);
	ledger_advance(l, 1);
	claim_outcome(&o, l, &head);
	world_refused(l->w, WIRE_SIGN_OUTCOMES, &o.in.base, CS_ERR_BEFORE_DEADLINE);
	ledger_advance(l, 1);
	assert_int_equal(l->blocks[l->height].header.time.s, head.deadline);
	assert_int_equal(outcome_of(l, &head), WIRE_STATUS_DEAD);
	/* A failed one is dead too, a word that is not there is four words of none. */
	ledger_set_status(l, 4, WIRE_STATUS_FAILED);
	ledger_advance(l, 1);
	assert_int_equal(outcome_of(l, &head), WIRE_STATUS_DEAD);
	head.sequence = 1000;
	assert_int_equal(outcome_of(l, &head), WIRE_STATUS_DEAD);
	ledger_free(l);
}

static void test_outcomes_refused(void **state)
{
	(void)state;
	struct ledger *l = ledger_new(4);
	const struct wire_message_head head = world_head(l->w, false, 3);
	struct outcome o;
	ledger_begin(l);
	ledger_set_status(l, 3, WIRE_STATUS_DELIVERED);
	ledger_advance(l, 1);
	const uint64_t height = (uint64_t)l->height;
	const struct cs_hash slot = wire_evm_status_slot(&head.source, 1000);
	claim_outcome(&o, l, &head);
	o.in.account = ledger_sentinel(l, height);
	world_refused(l->w, WIRE_SIGN_OUTCOMES, &o.in.base, CS_ERR_INVALID);
	claim_outcome(&o, l, &head);
	o.claim.proof = ledger_proof(l, height, &slot);
	world_refused(l->w, WIRE_SIGN_OUTCOMES, &o.in.base, CS_ERR_BAD_PROOF);
	claim_outcome(&o, l, &head);
	o.in.sentinel = o.claim.proof;
	world_refused(l->w, WIRE_SIGN_OUTCOMES, &o.in.base, CS_ERR_BAD_PROOF);
	claim_outcome(&o, l, &head);
	o.claim.proof = world_slot_proof(&l->w->blocks[0], &slot);
	world_refused(l->w, WIRE_SIGN_OUTCOMES, &o.in.base, CS_ERR_INVALID);
	ledger_free(l);
}

/* ---- keys of remotes ---- */

static Caisson__Wire__LearnKeyRequest learning(struct ledger *l, uint64_t epoch)
{
	Caisson__Wire__LearnKeyRequest in = CAISSON__WIRE__LEARN_KEY_REQUEST__INIT;
	const struct cs_hash first = wire_evm_key_slot(&l->w->remote, epoch, 0);
	const struct cs_hash second = wire_evm_key_slot(&l->w->remote, epoch, 1);
	const uint64_t height = (uint64_t)l->height;
	in.chain = pb_hash(&l->w->own);
	in.remote = pb_hash(&l->w->remote);
	in.epoch = epoch;
	in.height = height;
	in.account = ledger_no_account();
	in.sentinel = ledger_sentinel(l, height);
	in.key = ledger_proof(l, height, &first);
	in.window = ledger_proof(l, height, &second);
	return in;
}

static void test_a_key_is_learned(void **state)
{
	(void)state;
	struct ledger *l = ledger_new(4);
	ledger_begin(l);
	ledger_register_key(l, 1, WIRE_KEY_ACTIVE);
	ledger_advance(l, 1);
	Caisson__Wire__LearnKeyRequest in = learning(l, 1);
	const Caisson__Wire__LearnKeyReply *out =
		(const Caisson__Wire__LearnKeyReply *)(const void *)world_ok(l->w, WIRE_LEARN_KEY,
									     &in.base);
	assert_hash(wire_pb_hash(out->public_key), l->w->remote_x);
	assert_int_equal(out->state, WIRE_KEY_ACTIVE);
	/* One that is not registered; the words of another epoch; a word that is none. */
	in = learning(l, 2);
	world_refused(l->w, WIRE_LEARN_KEY, &in.base, CS_ERR_NOT_FOUND);
	in.key = learning(l, 1).key;
	world_refused(l->w, WIRE_LEARN_KEY, &in.base, CS_ERR_BAD_PROOF);
	in = learning(l, 1);
	in.window = ledger_no_account();
	world_refused(l->w, WIRE_LEARN_KEY, &in.base, CS_ERR_MISSING_FIELD);
	const struct cs_hash second = wire_evm_key_slot(&l->w->remote, 1, 1);
	const struct cs_hash bad = {{[0] = 1, [31] = 1}};
	ledger_write(l, &second, &bad);
	ledger_advance(l, 1);
	in = learning(l, 1);
	world_refused(l->w, WIRE_LEARN_KEY, &in.base, CS_ERR_MALFORMED);
	ledger_free(l);
}

/* ---- transactions ---- */

static void learn(struct ledger *l)
{
	ledger_register_key(l, 1, WIRE_KEY_ACTIVE);
	ledger_advance(l, 1);
	Caisson__Wire__LearnKeyRequest in = learning(l, 1);
	(void)world_ok(l->w, WIRE_LEARN_KEY, &in.base);
}

static Caisson__Wire__SignTransactionRequest transaction_of(struct ledger *l,
							    Caisson__Wire__Action action)
{
	Caisson__Wire__SignTransactionRequest in = CAISSON__WIRE__SIGN_TRANSACTION_REQUEST__INIT;
	in.chain = pb_hash(&l->w->own);
	in.action = action;
	in.nonce = 7;
	in.gas_limit = 30000;
	in.max_fee_wei = 3;
	return in;
}

/* As the ledger reads it: signed by the account that the reply names. */
static struct ledger_tx read_transaction(struct ledger *l,
					 const Caisson__Wire__SignTransactionRequest *in)
{
	const Caisson__Wire__SignTransactionReply *out =
		(const Caisson__Wire__SignTransactionReply *)(const void *)world_ok(
			l->w, WIRE_SIGN_TRANSACTION, &in->base);
	const ProtobufCBinaryData raw = pb(wire_pb_view(out->raw));
	struct ledger_tx tx;
	assert_ok(ledger_tx_decode(&tx, wire_pb_view(raw)));
	assert_ok(ledger_tx_verify(&tx, l->w->sig));
	assert_bytes(CS_BYTES_OF(tx.sender.b), wire_pb_view(out->from));
	assert_hash(wire_pb_hash(out->hash), cs_sha256(wire_pb_view(raw)));
	assert_hash(tx.chain, l->w->manifest.chains[0].genesis);
	assert_int_equal(tx.sequence, in->nonce);
	assert_int_equal(tx.valid_until, 0);
	assert_int_equal(tx.gas_limit, in->gas_limit);
	assert_int_equal(tx.gas_price_high, 0);
	assert_int_equal(tx.gas_price_low, in->max_fee_wei);
	assert_int_equal(tx.call_count, 1);
	return tx;
}

static void test_a_delivery(void **state)
{
	(void)state;
	struct ledger *l = ledger_new(4);
	ledger_begin(l);
	learn(l);
	const struct wire_message message = world_message(l->w, 5);
	const struct cs_hash id = wire_message_id(&message.head);
	const struct cs_hash leaf = wire_leaf_message(&id);
	const struct wire_signed st =
		world_sign(l->w, WIRE_KIND_MESSAGE, &leaf, 1, &l->w->remote_key);
	Caisson__Wire__MessageFull *messages[1] = {world_pb_message(&message)};
	Caisson__Wire__SignTransactionRequest in =
		transaction_of(l, CAISSON__WIRE__ACTION__ACTION_DELIVER);
	in.gas_limit = 500000;
	in.statement = world_statement(&st);
	in.messages = messages;
	in.n_messages = 1;
	const struct ledger_tx tx = read_transaction(l, &in);
	struct cs_buf data = test_buf(wire_evm_call_messages_size(&st, &message, 1));
	assert_ok(wire_evm_call_messages(&data, WIRE_CALL_DELIVER, &st, &message, 1));
	assert_true(cs_address_eq(&tx.calls[0].to, &l->w->manifest.chains[0].gateway));
	assert_true(cs_u256_is_zero(&tx.calls[0].value));
	assert_bytes(tx.calls[0].input, cs_buf_view(&data));
	/* What is of EVM chains alone; the policy as there. */
	in.legacy = true;
	world_refused(l->w, WIRE_SIGN_TRANSACTION, &in.base, CS_ERR_INVALID);
	in.legacy = false;
	in.max_priority_fee_wei = 1;
	world_refused(l->w, WIRE_SIGN_TRANSACTION, &in.base, CS_ERR_INVALID);
	in.max_priority_fee_wei = 0;
	in.max_fee_wei = 1001;
	world_refused(l->w, WIRE_SIGN_TRANSACTION, &in.base, CS_ERR_POLICY_FEE);
	in.max_fee_wei = 3;
	in.sweep_value = pb(cs_bytes_str("1"));
	world_refused(l->w, WIRE_SIGN_TRANSACTION, &in.base, CS_ERR_POLICY_VALUE);
	in.sweep_value = pb(CS_BYTES_NONE);
	/* At the deadline, in the ledger's own time. */
	l->height = LEDGER_BLOCKS_MAX - 2;
	struct cmt_light_block late = made_block(l->height, &l->set, &l->set);
	late.header.time.s = (int64_t)message.head.deadline;
	made_seal(&late);
	l->w->now = (struct verify_time){message.head.deadline, message.head.deadline};
	ledger_update(l, &late, CS_OK);
	world_refused(l->w, WIRE_SIGN_TRANSACTION, &in.base, CS_ERR_AFTER_DEADLINE);
	ledger_free(l);
}

static void test_plain_transfers(void **state)
{
	(void)state;
	static const uint8_t value[32] = {[30] = 1};
	struct ledger *l = ledger_new(4);
	ledger_begin(l);
	const struct cs_address to = l->w->manifest.chains[0].policy.sweep_to;
	Caisson__Wire__SignTransactionRequest in =
		transaction_of(l, CAISSON__WIRE__ACTION__ACTION_SWEEP);
	in.sweep_to = pb(CS_BYTES_OF(to.b));
	in.sweep_value = pb(CS_BYTES_OF(value));
	struct ledger_tx tx = read_transaction(l, &in);
	assert_true(cs_address_eq(&tx.calls[0].to, &to));
	const struct cs_hash moved = cs_u256_word(&tx.calls[0].value);
	assert_bytes(CS_BYTES_OF(moved.b), CS_BYTES_OF(value));
	assert_int_equal(tx.calls[0].input.n, 0);
	in.gas_limit = 50001;
	world_refused(l->w, WIRE_SIGN_TRANSACTION, &in.base, CS_ERR_POLICY_FEE);
	in.gas_limit = 30000;
	in.sweep_to.data[3] ^= 1;
	world_refused(l->w, WIRE_SIGN_TRANSACTION, &in.base, CS_ERR_POLICY_ADDRESS);
	/* To itself, to free a sequence. */
	in = transaction_of(l, CAISSON__WIRE__ACTION__ACTION_CANCEL);
	tx = read_transaction(l, &in);
	assert_true(cs_address_eq(&tx.calls[0].to, &tx.sender));
	assert_true(cs_u256_is_zero(&tx.calls[0].value));
	ledger_free(l);
}

/* ---- the light client in the enclave ---- */

static struct cmt_light_block another(struct ledger *l, int64_t height)
{
	struct cmt_light_block block = l->blocks[height];
	block.header.app_version++;
	made_seal(&block);
	return block;
}

static void import(struct ledger *l, struct cs_bytes sealed)
{
	Caisson__Wire__ImportRequest in = CAISSON__WIRE__IMPORT_REQUEST__INIT;
	world_restart(l->w);
	in.sealed = pb(sealed);
	(void)world_ok(l->w, WIRE_IMPORT, &in.base);
}

static void test_a_conflict_freezes_for_ever(void **state)
{
	(void)state;
	struct scene *s = scene_of(60);
	struct cmt_light_block second = another(s->l, s->l->height);
	const struct cs_bytes first = ledger_raw(&s->l->blocks[s->l->height]);
	Caisson__Wire__ConflictRequest in = CAISSON__WIRE__CONFLICT_REQUEST__INIT;
	in.chain = pb_hash(&s->w->own);
	world_refused(s->w, WIRE_CONFLICT, &in.base, CS_ERR_NOT_FOUND);
	ledger_update(s->l, &second, CS_ERR_FROZEN);
	refused(s, CS_ERR_FROZEN);
	import(s->l, world_export(s->w));
	refused(s, CS_ERR_FROZEN);
	/* Both light blocks come back whole, each larger than an EVM header may be. */
	const Caisson__Wire__ConflictReply *out =
		(const Caisson__Wire__ConflictReply *)(const void *)world_ok(s->w, WIRE_CONFLICT,
									     &in.base);
	assert_int_equal(out->height, s->height);
	assert_true(first.n > CS_HEADER_SIZE_MAX);
	assert_bytes(wire_pb_view(out->first[0]), first);
	assert_bytes(wire_pb_view(out->second[0]), ledger_raw(&second));
	ledger_free(s->l);
}

static void test_state_is_sealed(void **state)
{
	(void)state;
	struct scene *s = scene_new();
	import(s->l, world_export(s->w));
	(void)sign(s);
	ledger_advance(s->l, 2);
	s->height = (uint64_t)s->l->height;
	claim(s);
	(void)sign(s);
	ledger_free(s->l);
}

static void test_bad_light_blocks(void **state)
{
	(void)state;
	struct ledger *l = ledger_new(4);
	Caisson__Wire__ClientCreateRequest create = CAISSON__WIRE__CLIENT_CREATE_REQUEST__INIT;
	Caisson__Wire__InitRequest init = CAISSON__WIRE__INIT_REQUEST__INIT;
	(void)world_ok(l->w, WIRE_INIT, &init.base);
	create.chain = pb_hash(&l->w->own);
	create.header = pb(ledger_raw(&l->blocks[LEDGER_ANCHOR - 1]));
	world_refused(l->w, WIRE_CLIENT_CREATE, &create.base, CS_ERR_ANCHOR_MISMATCH);
	create.header = pb(ledger_raw(&l->blocks[LEDGER_ANCHOR]));
	(void)world_ok(l->w, WIRE_CLIENT_CREATE, &create.base);
	struct cmt_light_block bad = another(l, LEDGER_ANCHOR);
	bad.header.height++;
	bad.header.time.s++;
	made_seal(&bad);
	bad.commit.sigs[1].signature.b[3] ^= 1;
	ledger_update(l, &bad, CS_ERR_BAD_SEAL);
	struct cmt_validator_set strangers = made_set(50, 4, 10);
	bad = made_block(LEDGER_ANCHOR + 4, &strangers, &strangers);
	ledger_update(l, &bad, CS_ERR_NOT_ENOUGH_TRUST);
	ledger_update(l, &l->blocks[LEDGER_ANCHOR - 1], CS_ERR_STALE_HEADER);
	ledger_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_message_that_was_sent_is_signed),
		cmocka_unit_test(test_a_hundred_validators),
		cmocka_unit_test(test_a_batch),
		cmocka_unit_test(test_a_message_that_was_not_sent),
		cmocka_unit_test(test_a_block_that_is_not_final),
		cmocka_unit_test(test_another_gateway),
		cmocka_unit_test(test_another_route),
		cmocka_unit_test(test_proofs_of_the_other_kind),
		cmocka_unit_test(test_every_flip_of_a_proof),
		cmocka_unit_test(test_time),
		cmocka_unit_test(test_outcomes),
		cmocka_unit_test(test_outcomes_refused),
		cmocka_unit_test(test_a_key_is_learned),
		cmocka_unit_test(test_a_delivery),
		cmocka_unit_test(test_plain_transfers),
		cmocka_unit_test(test_a_conflict_freezes_for_ever),
		cmocka_unit_test(test_state_is_sealed),
		cmocka_unit_test(test_bad_light_blocks),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
