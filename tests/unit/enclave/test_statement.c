/* Transactions again: what is checked of a remote's statement, its messages and their time before
 * anything is signed. */
#include "scene.h"

/* ---- the statement ---- */

static void test_a_key_that_is_not_the_registered_one(void **state)
{
	(void)state;
	struct scene *s = scene_new();
	const struct cs_secret other = {{0x66, 6}};
	state_message(s, &other);
	refused(s, CS_ERR_WRONG_KEY);
}

static void test_a_signature_under_the_other_domain(void **state)
{
	(void)state;
	struct scene *s = scene_new();
	struct wire_signed st;
	const struct cs_hash aux = {{1}};
	assert_ok(wire_signed_from_pb(&st, s->in.statement));
	const struct cs_hash digest = wire_digest(&st.statement, WIRE_DOMAIN_SECURE);
	assert_ok(cs_schnorr_sign(s->w->sig, &st.signature, &s->w->remote_key, &digest, &aux));
	s->in.statement = world_statement(&st);
	refused(s, CS_ERR_WRONG_KEY);
}

static void test_a_point_that_is_not_the_even_one(void **state)
{
	(void)state;
	struct scene *s = scene_new();
	s->in.statement->ry.data[31] ^= 1;
	refused(s, CS_ERR_BAD_SIGNATURE);
}

static void test_an_envelope_for_another_gateway(void **state)
{
	(void)state;
	struct scene *s = scene_new();
	const struct cs_hash other = {{0xcc}};
	s->in.statement->receiver = pb_hash(&other);
	refused(s, CS_ERR_WRONG_GATEWAY);
}

static void test_an_envelope_for_another_destination(void **state)
{
	(void)state;
	struct scene *s = scene_new();
	s->message.head.destination.b[7] = 1;
	state_message(s, &s->w->remote_key);
	refused(s, CS_ERR_WRONG_DESTINATION);
}

static void test_an_envelope_of_another_source(void **state)
{
	(void)state;
	struct scene *s = scene_new();
	s->message.head.source.b[7] = 1;
	state_message(s, &s->w->remote_key);
	refused(s, CS_ERR_WRONG_SOURCE);
}

static void test_an_envelope_of_one_who_is_no_remote(void **state)
{
	(void)state;
	struct scene *s = scene_new();
	const struct cs_hash stranger = {{0xee}};
	s->w->remote = stranger;
	s->message = world_message(s->w, 3);
	state_message(s, &s->w->remote_key);
	refused(s, CS_ERR_NOT_IN_MANIFEST);
}

static void test_another_epoch(void **state)
{
	(void)state;
	struct scene *s = scene_new();
	s->in.statement->epoch = 2;
	refused(s, CS_ERR_WRONG_EPOCH);
}

/* The manifest is number 3 now, and says of the remote's chain that `id` was signed from a branch
 * that was abandoned: what was signed under `since` or later counts. */
static void abandon(struct scene *s, const struct cs_hash *id, uint64_t since)
{
	static const struct cs_hash other = {{1}};
	struct world *w = s->w;
	w->manifest.number = 3;
	w->manifest.abandoned[0] = other; /* of another chain */
	w->manifest.abandoned[1] = *id;
	w->manifest.abandoned_count = 2;
	w->manifest.chains[0].abandoned =
		(struct manifest_abandoned){.height = 1, .since = 3, .first = 0, .count = 1};
	w->manifest.chains[1].abandoned =
		(struct manifest_abandoned){.height = 1, .since = since, .first = 1, .count = 1};
	world_restart(w);
	world_begin(w);
	world_update(w, 1);
	world_learn(w);
}

static void test_a_message_of_an_abandoned_branch(void **state)
{
	(void)state;
	static const Caisson__Wire__Action actions[] = {CAISSON__WIRE__ACTION__ACTION_DELIVER,
							CAISSON__WIRE__ACTION__ACTION_RETRY,
							CAISSON__WIRE__ACTION__ACTION_EXPIRE};
	struct scene *s = scene_new();
	const struct cs_hash id = wire_message_id(&s->message.head);
	abandon(s, &id, 2);
	for (size_t i = 0; i < CS_LEN(actions); i++) {
		s->in.action = actions[i];
		world_refused(s->w, WIRE_SIGN_TRANSACTION, &s->in.base, CS_ERR_WRONG_MANIFEST);
	}
	/* One that is not on the list is carried, signed under the same manifest. */
	s->in.action = CAISSON__WIRE__ACTION__ACTION_DELIVER;
	s->message = world_message(s->w, 4);
	state_message(s, &s->w->remote_key);
	(void)sign(s);
	world_free(s->w);
}

static void test_a_message_that_was_signed_again(void **state)
{
	(void)state;
	struct scene *s = scene_new();
	const struct cs_hash id = wire_message_id(&s->message.head);
	abandon(s, &id, 1);
	(void)sign(s);
	world_free(s->w);
}

static void test_an_outcome_of_an_abandoned_branch(void **state)
{
	(void)state;
	struct scene *s = outcome_new(WIRE_STATUS_DEAD);
	const struct cs_hash id = wire_pb_hash(s->outcome.message_id);
	abandon(s, &id, 1);
	(void)sign(s);
	abandon(s, &id, 2);
	refused(s, CS_ERR_WRONG_MANIFEST);
}

static void test_an_older_manifest(void **state)
{
	(void)state;
	struct scene *s = scene_new();
	struct world *w = s->w;
	w->manifest.number = 3;
	w->manifest.statement_manifest_min = 2;
	world_restart(w);
	world_begin(w);
	world_update(w, 1);
	world_learn(w);
	refused(s, CS_ERR_WRONG_MANIFEST);
}

/* The registered key with another state or window, learned anew. */
static void test_a_suspended_or_revoked_key(void **state)
{
	(void)state;
	struct scene *s = scene_new();
	world_learn_as(s->w, WIRE_KEY_SUSPENDED, 0, 0);
	world_refused(s->w, WIRE_SIGN_TRANSACTION, &s->in.base, CS_ERR_WRONG_EPOCH);
	world_learn_as(s->w, WIRE_KEY_ACTIVE, 0, 0);
	(void)sign(s);
	world_learn_as(s->w, WIRE_KEY_REVOKED, 0, 0);
	refused(s, CS_ERR_WRONG_EPOCH);
}

static void test_a_key_before_and_after_its_time(void **state)
{
	(void)state;
	struct scene *s = scene_new();
	world_learn_as(s->w, WIRE_KEY_ACTIVE, WORLD_START + 100, 0);
	world_refused(s->w, WIRE_SIGN_TRANSACTION, &s->in.base, CS_ERR_WRONG_EPOCH);
	/* The chain's time counts too: its clock may be ahead of ours. */
	s->w->next.time_s = WORLD_START + 105;
	world_advance(s->w, 3);
	s->w->now = (struct verify_time){WORLD_START + 99, WORLD_START + 99};
	world_restart(s->w);
	world_begin(s->w);
	s->w->now = (struct verify_time){WORLD_START + 99, WORLD_START + 99};
	world_update(s->w, 1);
	world_learn_as(s->w, WIRE_KEY_ACTIVE, WORLD_START + 100, 0);
	(void)sign(s);
	world_learn_as(s->w, WIRE_KEY_ACTIVE, 0, WORLD_START + 101);
	refused(s, CS_ERR_WRONG_EPOCH);
}

/* The contract refuses a key from the very second of its notAfter on, and so does the enclave, by
 * the clock and by the chain's time. */
static void test_the_last_second_of_a_key(void **state)
{
	(void)state;
	struct scene *s = scene_new();
	const uint64_t end = WORLD_START + 500;
	world_learn_as(s->w, WIRE_KEY_ACTIVE, 0, end);
	s->w->now = (struct verify_time){end - 1, end - 1};
	(void)sign(s);
	s->w->now = (struct verify_time){end - 1, end};
	world_refused(s->w, WIRE_SIGN_TRANSACTION, &s->in.base, CS_ERR_WRONG_EPOCH);
	s->w->now = (struct verify_time){end, end};
	world_refused(s->w, WIRE_SIGN_TRANSACTION, &s->in.base, CS_ERR_WRONG_EPOCH);
	world_free(s->w);

	s = scene_new();
	world_learn_as(s->w, WIRE_KEY_ACTIVE, 0, end);
	const uint64_t from = s->w->block_count;
	s->w->next.time_s = end - 1;
	for (size_t i = 0; i < 4; i++)
		(void)world_mine(s->w);
	s->w->now = (struct verify_time){end - 9, end - 9};
	s->w->block_count--;
	world_update(s->w, from);
	(void)sign(s);
	s->w->block_count++;
	world_update(s->w, from);
	refused(s, CS_ERR_WRONG_EPOCH);
}

/* Equality with notBefore is in force. */
static void test_the_first_second_of_a_key(void **state)
{
	(void)state;
	struct scene *s = scene_new();
	const uint64_t begin = WORLD_START + 500;
	world_learn_as(s->w, WIRE_KEY_ACTIVE, begin, 0);
	s->w->now = (struct verify_time){begin - 1, begin};
	world_refused(s->w, WIRE_SIGN_TRANSACTION, &s->in.base, CS_ERR_WRONG_EPOCH);
	s->w->now = (struct verify_time){begin, begin};
	(void)sign(s);
	world_free(s->w);
}

static void test_another_kind_than_the_action(void **state)
{
	(void)state;
	struct scene *s = scene_new();
	s->in.statement->kind = WIRE_KIND_OUTCOME;
	refused(s, CS_ERR_INVALID);
}

static void test_parts_that_do_not_have_the_hashes(void **state)
{
	(void)state;
	struct scene *s = scene_new();
	s->messages[0]->payload.data[0] ^= 1;
	refused(s, CS_ERR_INVALID);
}

static void test_other_items_than_those_signed(void **state)
{
	(void)state;
	struct scene *s = scene_new();
	struct wire_message other = world_message(s->w, 4);
	s->messages[0] = world_pb_message(&other);
	refused(s, CS_ERR_BAD_PROOF);
}

static void test_another_status_than_the_signed_one(void **state)
{
	(void)state;
	struct scene *s = outcome_new(WIRE_STATUS_DELIVERED);
	s->outcome.status = WIRE_STATUS_DEAD;
	refused(s, CS_ERR_BAD_PROOF);
}

static void test_no_outcomes(void **state)
{
	(void)state;
	struct scene *s = outcome_new(WIRE_STATUS_DELIVERED);
	s->in.n_outcomes = 0;
	refused(s, CS_ERR_INVALID);
}

static void test_a_chain_id_that_eip155_cannot_carry(void **state)
{
	(void)state;
	struct scene *s = scene_new();
	s->w->manifest.chains[0].chain_id = UINT64_MAX - 1;
	world_restart(s->w);
	world_begin(s->w);
	world_update(s->w, 1);
	world_learn(s->w);
	refused(s, CS_ERR_OVERFLOW);
}

static void test_a_status_that_is_no_outcome(void **state)
{
	(void)state;
	struct scene *s = outcome_new(WIRE_STATUS_DELIVERED);
	s->outcome.status = WIRE_STATUS_FAILED;
	refused(s, CS_ERR_INVALID);
}

static void test_no_statement_no_items(void **state)
{
	(void)state;
	struct scene *s = scene_new();
	s->in.n_messages = 0;
	world_refused(s->w, WIRE_SIGN_TRANSACTION, &s->in.base, CS_ERR_INVALID);
	s->in.statement = NULL;
	refused(s, CS_ERR_MISSING_FIELD);
}

/* ---- senders ---- */

static struct scene *message_from(const char *sender)
{
	struct scene *s = scene_new();
	uint8_t *bytes = keep(strlen(sender) / 2);
	assert_ok(cs_unhex(bytes, strlen(sender) / 2, cs_bytes_str(sender)));
	s->message.sender = cs_bytes(bytes, strlen(sender) / 2);
	wire_message_seal(&s->message);
	state_message(s, &s->w->remote_key);
	return s;
}

/* A remote speaks for its own chain, which the manifest says is eip155:787, and for no other:
 * whoever holds its key cannot put words into the mouth of another chain's accounts. */
static void test_a_sender_on_another_chain(void **state)
{
	static const char *const senders[] = {
		"0001000002031414000000000000000000000000000000000000beef", /* eip155:788 */
		"00010000010914000000000000000000000000000000000000beef",   /* the own chain */
		"000100000014000000000000000000000000000000000000beef",     /* no chain */
		"00010000020313"
		"00",                                                         /* no account */
		"0001000202031314000000000000000000000000000000000000beef",   /* another type */
		"000100000300031314000000000000000000000000000000000000beef", /* padded */
		"0002000002031314000000000000000000000000000000000000beef",   /* version 2 */
		"0001000002031314000000000000000000000000000000000000beef00",
		"", /* not one */
	};
	(void)state;
	for (size_t i = 0; i < CS_LEN(senders); i++) {
		struct scene *s = message_from(senders[i]);
		world_refused(s->w, WIRE_SIGN_TRANSACTION, &s->in.base, CS_ERR_WRONG_CONTRACT);
		s->in.action = CAISSON__WIRE__ACTION__ACTION_RETRY;
		world_refused(s->w, WIRE_SIGN_TRANSACTION, &s->in.base, CS_ERR_WRONG_CONTRACT);
		/* Its sequence is closed all the same. */
		s->w->next.time_s = s->message.head.deadline;
		world_advance(s->w, 3);
		s->in.action = CAISSON__WIRE__ACTION__ACTION_EXPIRE;
		(void)sign(s);
		world_free(s->w);
	}
	struct scene *s = message_from("0001000002031314000000000000000000000000000000000000cafe");
	(void)sign(s);
	world_free(s->w);
}

static void test_one_foreign_sender_in_a_batch(void **state)
{
	(void)state;
	struct scene *s = message_from("00010000010914000000000000000000000000000000000000beef");
	const struct wire_message good = world_message(s->w, 4);
	const struct cs_hash ids[2] = {wire_message_id(&good.head),
				       wire_message_id(&s->message.head)};
	const struct cs_hash leaves[2] = {wire_leaf_message(&ids[0]), wire_leaf_message(&ids[1])};
	struct wire_signed st = world_sign(s->w, WIRE_KIND_MESSAGE, leaves, 2, &s->w->remote_key);
	s->in.statement = world_statement(&st);
	s->messages[0] = world_pb_message(&good);
	s->messages[1] = world_pb_message(&s->message);
	s->in.n_messages = 2;
	world_refused(s->w, WIRE_SIGN_TRANSACTION, &s->in.base, CS_ERR_WRONG_CONTRACT);
	/* The good one goes alone. */
	st.path_count = wire_path(st.path, leaves, 2, 0);
	s->in.statement = world_statement(&st);
	s->in.n_messages = 1;
	(void)sign(s);
	world_free(s->w);
}

static void test_a_remote_whose_chain_is_not_named(void **state)
{
	(void)state;
	struct scene *s = scene_new();
	s->w->manifest.chain_count = 1;
	world_restart(s->w);
	world_begin(s->w);
	world_update(s->w, 1);
	world_learn(s->w);
	refused(s, CS_ERR_NOT_IN_MANIFEST);
}

/* ---- deadlines: equality belongs to the deadline ---- */

static void test_deliver_at_the_deadline(void **state)
{
	(void)state;
	struct scene *s = scene_new();
	s->w->next.time_s = s->message.head.deadline - 1;
	world_advance(s->w, 3);
	(void)sign(s);
	/* One block more, and the final one has the time of the deadline. */
	world_advance(s->w, 1);
	world_refused(s->w, WIRE_SIGN_TRANSACTION, &s->in.base, CS_ERR_AFTER_DEADLINE);
	s->in.action = CAISSON__WIRE__ACTION__ACTION_RETRY;
	world_refused(s->w, WIRE_SIGN_TRANSACTION, &s->in.base, CS_ERR_AFTER_DEADLINE);
	s->in.action = CAISSON__WIRE__ACTION__ACTION_EXPIRE;
	(void)sign(s);
	world_free(s->w);
}

static void test_expire_before_the_deadline(void **state)
{
	(void)state;
	struct scene *s = scene_new();
	s->w->next.time_s = s->message.head.deadline - 1;
	s->in.action = CAISSON__WIRE__ACTION__ACTION_EXPIRE;
	/* Final is the block of one second before, however far the head is. */
	world_advance(s->w, 3);
	refused(s, CS_ERR_BEFORE_DEADLINE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_key_that_is_not_the_registered_one),
		cmocka_unit_test(test_a_signature_under_the_other_domain),
		cmocka_unit_test(test_a_point_that_is_not_the_even_one),
		cmocka_unit_test(test_an_envelope_for_another_gateway),
		cmocka_unit_test(test_an_envelope_for_another_destination),
		cmocka_unit_test(test_an_envelope_of_another_source),
		cmocka_unit_test(test_an_envelope_of_one_who_is_no_remote),
		cmocka_unit_test(test_another_epoch),
		cmocka_unit_test(test_an_older_manifest),
		cmocka_unit_test(test_a_message_of_an_abandoned_branch),
		cmocka_unit_test(test_a_message_that_was_signed_again),
		cmocka_unit_test(test_an_outcome_of_an_abandoned_branch),
		cmocka_unit_test(test_a_suspended_or_revoked_key),
		cmocka_unit_test(test_a_key_before_and_after_its_time),
		cmocka_unit_test(test_the_last_second_of_a_key),
		cmocka_unit_test(test_the_first_second_of_a_key),
		cmocka_unit_test(test_another_kind_than_the_action),
		cmocka_unit_test(test_parts_that_do_not_have_the_hashes),
		cmocka_unit_test(test_other_items_than_those_signed),
		cmocka_unit_test(test_another_status_than_the_signed_one),
		cmocka_unit_test(test_no_outcomes),
		cmocka_unit_test(test_a_chain_id_that_eip155_cannot_carry),
		cmocka_unit_test(test_a_status_that_is_no_outcome),
		cmocka_unit_test(test_no_statement_no_items),
		cmocka_unit_test(test_a_sender_on_another_chain),
		cmocka_unit_test(test_one_foreign_sender_in_a_batch),
		cmocka_unit_test(test_a_remote_whose_chain_is_not_named),
		cmocka_unit_test(test_deliver_at_the_deadline),
		cmocka_unit_test(test_expire_before_the_deadline),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
