/* Deliveries at the built-in gateway: what should happen, times, signatures, identities, batches. The
 * cases are those of tests/contracts/test_deliver.py, by the same names where there is one. */
#include "tests/unit/ledger/gateway_lab.h"

static struct world *world;

static int set_up(void **state)
{
	(void)state;
	world = world_new("ledger-1", false);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	world_free(world);
	return 0;
}

#define STATUS_EVENT "MessageStatus(bytes32,bytes32,uint64,uint8)"

static void refuse(const struct cs_address *from, struct cs_bytes input, const char *error)
{
	world_refuse_input(world, from, WORLD_GATEWAY, input, error, LAB_NONE);
}

static void refuse_status(const struct cs_address *from, struct cs_bytes input,
			  enum wire_status status)
{
	world_refuse_input(world, from, WORLD_GATEWAY, input, "StatusIs(uint8)",
			   LAB_WORDS(lab_word(status)));
}

static struct cs_bytes one(enum wire_call call, const struct wire_message *message)
{
	return call_one(world, &world->remote, call, message);
}

static void act(const struct cs_address *from, struct cs_bytes input)
{
	world_do_input(world, from, WORLD_GATEWAY, input);
}

static struct wire_message closable(void)
{
	struct wire_message message = message_make(world, &world->remote);
	message.head.closer = lab_address_word(&world->closer);
	return message;
}

/* ---- what should happen ---- */

static void test_delivered(void **state)
{
	(void)state;
	struct wire_message message = message_make(world, &world->remote);
	act(&world->anyone, one(WIRE_CALL_DELIVER, &message));
	const struct cs_hash id = message_id(&message);
	assert_int_equal(lab_log_count(world->lab, STATUS_EVENT), 1);
	const struct ledger_log *log = lab_log(world->lab, STATUS_EVENT, 0);
	const struct cs_address gateway = ledger_contract_address(WORLD_GATEWAY);
	assert_true(cs_address_eq(&log->address, &gateway));
	assert_int_equal(log->topic_count, 3);
	assert_hash(log->topics[1], id);
	assert_hash(log->topics[2], world->remote.identity);
	const struct cs_hash want[] = {lab_word(message.head.sequence), lab_word(2)};
	assert_bytes(log->data, cs_bytes(want, sizeof want));
	assert_int_equal(status_of(world, &message), WIRE_STATUS_DELIVERED);
	assert_hash(app_last_id(world), id);
	assert_hash(app_last_payload_hash(world), cs_keccak256(message.payload));
}

static void test_payload_sizes(void **state)
{
	(void)state;
	static const size_t sizes[] = {0, 1, 31, 32, 33, 1000, CS_PAYLOAD_SIZE_MAX};
	static uint8_t bytes[CS_PAYLOAD_SIZE_MAX + 1];
	for (size_t i = 0; i < CS_LEN(sizes); i++) {
		struct wire_message message =
			message_to(world, &world->remote, &world->app, cs_bytes(bytes, sizes[i]));
		deliver(world, &world->remote, &message, WIRE_STATUS_DELIVERED);
		assert_hash(app_last_payload_hash(world), cs_keccak256(message.payload));
	}
	/* No enclave signs it and no gateway carries it. */
	struct wire_message message =
		message_to(world, &world->remote, &world->app, CS_BYTES_OF(bytes));
	refuse(&world->anyone, one(WIRE_CALL_DELIVER, &message), NULL);
}

static void test_failed_then_retried(void **state)
{
	(void)state;
	app.mode = APP_REVERTS;
	struct wire_message message = message_make(world, &world->remote);
	deliver(world, &world->remote, &message, WIRE_STATUS_FAILED);
	assert_int_equal(app_received(world, WORLD_APP), 0);
	refuse(&world->anyone, one(WIRE_CALL_RETRY, &message), "CallFailed()");
	assert_int_equal(status_of(world, &message), WIRE_STATUS_FAILED);
	app.mode = APP_GOOD;
	act(&world->anyone, one(WIRE_CALL_RETRY, &message));
	assert_int_equal(lab_log_count(world->lab, STATUS_EVENT), 1);
	assert_int_equal(status_of(world, &message), WIRE_STATUS_DELIVERED);
	assert_hash(app_last_id(world), message_id(&message));
	refuse_status(&world->anyone, one(WIRE_CALL_RETRY, &message), WIRE_STATUS_DELIVERED);
}

static void test_closed(void **state)
{
	(void)state;
	app.mode = APP_REVERTS;
	struct wire_message message = closable();
	refuse_status(&world->closer, one(WIRE_CALL_CLOSE, &message), WIRE_STATUS_NONE);
	deliver(world, &world->remote, &message, WIRE_STATUS_FAILED);
	refuse(&world->anyone, one(WIRE_CALL_CLOSE, &message), "NotCloser()");
	refuse(&world->owner, one(WIRE_CALL_CLOSE, &message), "NotCloser()");
	refuse(&world->guardian, one(WIRE_CALL_CLOSE, &message), "NotCloser()");
	act(&world->closer, one(WIRE_CALL_CLOSE, &message));
	assert_int_equal(status_of(world, &message), WIRE_STATUS_DEAD);
	app.mode = APP_GOOD;
	refuse_status(&world->anyone, one(WIRE_CALL_RETRY, &message), WIRE_STATUS_DEAD);
	refuse_status(&world->anyone, one(WIRE_CALL_DELIVER, &message), WIRE_STATUS_DEAD);
	refuse_status(&world->closer, one(WIRE_CALL_CLOSE, &message), WIRE_STATUS_DEAD);
}

static void test_closed_by_nobody(void **state)
{
	(void)state;
	app.mode = APP_REVERTS;
	struct wire_message message = message_make(world, &world->remote);
	deliver(world, &world->remote, &message, WIRE_STATUS_FAILED);
	refuse(&world->closer, one(WIRE_CALL_CLOSE, &message), "NotCloser()");
}

static void test_expired_none_and_failed(void **state)
{
	(void)state;
	app.mode = APP_REVERTS;
	struct wire_message both[] = {message_make(world, &world->remote),
				      message_make(world, &world->remote)};
	deliver(world, &world->remote, &both[1], WIRE_STATUS_FAILED);
	world_at(world, both[1].head.deadline);
	for (size_t i = 0; i < CS_LEN(both); i++) {
		act(&world->anyone, one(WIRE_CALL_EXPIRE, &both[i]));
		assert_int_equal(status_of(world, &both[i]), WIRE_STATUS_DEAD);
		refuse_status(&world->anyone, one(WIRE_CALL_EXPIRE, &both[i]), WIRE_STATUS_DEAD);
		refuse(&world->anyone, one(WIRE_CALL_DELIVER, &both[i]), "DeadlinePassed()");
		refuse(&world->anyone, one(WIRE_CALL_RETRY, &both[i]), "DeadlinePassed()");
	}
}

static void test_expire_batch(void **state)
{
	(void)state;
	const uint64_t deadline = world_now(world) + 100;
	struct wire_message messages[4];
	for (size_t i = 0; i < CS_LEN(messages); i++) {
		messages[i] = message_make(world, &world->remote);
		messages[i].head.deadline = deadline + (i == 3 ? 10 : 0);
	}
	deliver(world, &world->remote, &messages[1], WIRE_STATUS_DELIVERED);
	struct cs_bytes input =
		call_of(world, &world->remote, WIRE_CALL_EXPIRE, messages, CS_LEN(messages));
	world_at(world, deadline);
	act(&world->anyone, input);
	assert_int_equal(lab_log_count(world->lab, STATUS_EVENT), 2);
	static const enum wire_status want[] = {WIRE_STATUS_DEAD, WIRE_STATUS_DELIVERED,
						WIRE_STATUS_DEAD, WIRE_STATUS_NONE};
	for (size_t i = 0; i < CS_LEN(messages); i++)
		assert_int_equal(status_of(world, &messages[i]), want[i]);
	/* Again, while the last one still has time: nothing is left to do. */
	world_at(world, deadline + 9);
	refuse(&world->anyone, input, "NothingToDo()");
}

/* timestamp < deadline is in time, timestamp == deadline is not: both sides of the four calls. */
static void deadline_to_the_second(bool before)
{
	const uint64_t deadline = world_now(world) + 200;
	struct wire_message failed[3], fresh[2];
	app.mode = APP_REVERTS;
	for (size_t i = 0; i < CS_LEN(failed); i++) {
		failed[i] = closable();
		failed[i].head.deadline = deadline;
		deliver(world, &world->remote, &failed[i], WIRE_STATUS_FAILED);
	}
	for (size_t i = 0; i < CS_LEN(fresh); i++) {
		fresh[i] = closable();
		fresh[i].head.deadline = deadline;
	}
	app.mode = APP_GOOD;
	world_at(world, deadline - before);
	const struct {
		enum wire_call call;
		const struct wire_message *message;
		bool happens;
	} cases[] = {{WIRE_CALL_DELIVER, &fresh[0], before},
		     {WIRE_CALL_RETRY, &failed[0], before},
		     {WIRE_CALL_CLOSE, &failed[1], before},
		     {WIRE_CALL_EXPIRE, &fresh[1], !before},
		     {WIRE_CALL_EXPIRE, &failed[2], !before}};
	for (size_t i = 0; i < CS_LEN(cases); i++) {
		struct cs_bytes input = one(cases[i].call, cases[i].message);
		if (cases[i].happens)
			act(&world->closer, input);
		else
			refuse(&world->closer, input,
			       before ? "DeadlineNotReached()" : "DeadlinePassed()");
	}
}

static void test_deadline_before(void **state)
{
	(void)state;
	deadline_to_the_second(true);
}

static void test_deadline_reached(void **state)
{
	(void)state;
	deadline_to_the_second(false);
}

/* ---- signatures and identities ---- */

static void change_field(struct wire_message *message, unsigned field)
{
	static const struct cs_address other = {{1, 2, 3}};
	switch (field) {
	case 0:
		message->head.sequence++;
		break;
	case 1:
		message->head.deadline++;
		break;
	case 2:
		message->head.min_gas_limit = 0;
		break;
	case 3:
		message->head.finality = 1;
		break;
	case 4:
		message->head.closer = lab_word(1);
		break;
	case 5:
		message->head.refund_to = lab_word(1);
		break;
	case 6:
		message->recipient = account_of(world->caip2, &other);
		break;
	case 7:
		message->sender = account_of(world->remote.caip2, &other);
		break;
	default:
		message->payload = cs_bytes_str("hellp");
		break;
	}
}

static const enum wire_call four_calls[] = {WIRE_CALL_DELIVER, WIRE_CALL_RETRY, WIRE_CALL_CLOSE,
					    WIRE_CALL_EXPIRE};

static void test_every_field_is_signed(void **state)
{
	(void)state;
	const struct signing how = signing_of(world, &world->remote, WIRE_KIND_MESSAGE);
	struct wire_message message = message_make(world, &world->remote);
	const struct cs_hash root = messages_root(&message, 1);
	const struct wire_signed statement = sign(world, &how, &root);
	for (unsigned field = 0; field < 9; field++) {
		struct wire_message changed = message;
		change_field(&changed, field);
		for (size_t i = 0; i < CS_LEN(four_calls); i++)
			refuse(&world->anyone, call_signed(four_calls[i], &statement, &changed, 1),
			       "SignatureInvalid()");
	}
	deliver(world, &world->remote, &message, WIRE_STATUS_DELIVERED);
}

static void refuse_all(const struct wire_message *message, const struct signing *how,
		       const char *error)
{
	const struct cs_hash root = messages_root(message, 1);
	const struct wire_signed statement = sign(world, how, &root);
	for (size_t i = 0; i < CS_LEN(four_calls); i++)
		refuse(&world->anyone, call_signed(four_calls[i], &statement, message, 1), error);
}

static void test_statement_refused(void **state)
{
	(void)state;
	struct wire_message message = message_make(world, &world->remote);
	const struct signing good = signing_of(world, &world->remote, WIRE_KIND_MESSAGE);
	struct signing how = good;
	how.key = secret_of("a stranger");
	refuse_all(&message, &how, "SignatureInvalid()");
	how = good;
	how.receiver = lab_word(5);
	refuse_all(&message, &how, "SignatureInvalid()");
	how = good;
	how.domain = WIRE_DOMAIN_INSECURE;
	refuse_all(&message, &how, "SignatureInvalid()");
	how = good;
	how.epoch = 2;
	refuse_all(&message, &how, "KeyNotActive()");
	how.epoch = 0;
	refuse_all(&message, &how, "KeyNotActive()");
	how = good;
	how.manifest = 0;
	refuse_all(&message, &how, "ManifestTooOld()");
	static const enum wire_kind kinds[] = {WIRE_KIND_OUTCOME, WIRE_KIND_ROTATION,
					       WIRE_KIND_ANSWER, (enum wire_kind)0};
	for (size_t i = 0; i < CS_LEN(kinds); i++) {
		how = good;
		how.kind = kinds[i];
		refuse_all(&message, &how, "SignatureInvalid()");
	}
	deliver(world, &world->remote, &message, WIRE_STATUS_DELIVERED);
}

static void flip(struct wire_signed *statement, unsigned which)
{
	switch (which) {
	case 0:
		statement->statement.epoch++;
		break;
	case 1:
		statement->statement.manifest_number++;
		break;
	case 2:
		statement->signature.rx.b[31] ^= 1;
		break;
	case 3:
		statement->signature.ry.b[31] ^= 1;
		break;
	case 4:
		statement->signature.s.b[31] ^= 1;
		break;
	default:
		statement->path_count = 1;
		break;
	}
}

static void test_statement_changed(void **state)
{
	(void)state;
	struct wire_message message = message_make(world, &world->remote);
	const struct signing how = signing_of(world, &world->remote, WIRE_KIND_MESSAGE);
	const struct cs_hash root = messages_root(&message, 1);
	for (unsigned which = 0; which < 6; which++) {
		struct wire_signed statement = sign(world, &how, &root);
		flip(&statement, which);
		refuse(&world->anyone, call_signed(WIRE_CALL_DELIVER, &statement, &message, 1),
		       which == 0 ? "KeyNotActive()" : "SignatureInvalid()");
	}
}

static const struct cs_hash order_n = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
					0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe,
					0xba, 0xae, 0xdc, 0xe6, 0xaf, 0x48, 0xa0, 0x3b,
					0xbf, 0xd2, 0x5e, 0x8c, 0xd0, 0x36, 0x41, 0x41}};
static const struct cs_hash prime_p = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
					0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
					0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
					0xff, 0xff, 0xff, 0xfe, 0xff, 0xff, 0xfc, 0x2f}};

static struct cs_hash minus(const struct cs_hash *a, const struct cs_hash *b)
{
	struct cs_u256 x = cs_u256_from_word(a), y = cs_u256_from_word(b);
	assert_ok(cs_u256_sub(&x, &x, &y));
	return cs_u256_word(&x);
}

/* Other forms of a good signature, points off the curve, zeros, numbers out of their ranges. */
static void test_malleated_signatures(void **state)
{
	(void)state;
	struct wire_message message = message_make(world, &world->remote);
	const struct signing how = signing_of(world, &world->remote, WIRE_KIND_MESSAGE);
	const struct cs_hash root = messages_root(&message, 1), zero = {{0}}, two = lab_word(2);
	const struct wire_signed good = sign(world, &how, &root);
	const struct cs_schnorr *g = &good.signature;
	const struct cs_hash minus_s = minus(&order_n, &g->s), minus_y = minus(&prime_p, &g->ry);
	struct cs_u256 off = cs_u256_from_word(&g->ry), step = cs_u256_u64(2);
	assert_ok(cs_u256_add(&off, &off, &step));
	const struct cs_schnorr wrong[] = {
		{g->rx, g->ry, minus_s},    {g->rx, minus_y, g->s},
		{g->rx, minus_y, minus_s},  {g->rx, g->ry, zero},
		{g->rx, g->ry, order_n},    {g->rx, g->ry, lab_byte_word(0xff)},
		{zero, g->ry, g->s},        {g->rx, zero, g->s},
		{prime_p, g->ry, g->s},     {g->rx, prime_p, g->s},
		{zero, zero, zero},         {g->rx, cs_u256_word(&off), g->s},
		{g->rx, two, g->s},         {g->rx, lab_byte_word(0xfe), g->s},
		{lab_word(1), g->ry, g->s},
	};
	for (size_t i = 0; i < CS_LEN(wrong); i++) {
		struct wire_signed statement = good;
		statement.signature = wrong[i];
		refuse(&world->anyone, call_signed(WIRE_CALL_DELIVER, &statement, &message, 1),
		       "SignatureInvalid()");
	}
	act(&world->anyone, call_signed(WIRE_CALL_DELIVER, &good, &message, 1));
}

static void test_unknown_source(void **state)
{
	(void)state;
	struct remote other = remote_make(world, "eip155:5", "unknown");
	struct wire_message message = message_make(world, &other);
	refuse(&world->anyone, call_one(world, &other, WIRE_CALL_DELIVER, &message),
	       "KeyNotActive()");
}

static void test_key_of_one_remote_is_no_key_of_another(void **state)
{
	(void)state;
	struct remote other = remote_make(world, "eip155:5", "second");
	world_register(world, &other);
	struct wire_message message = message_make(world, &other);
	struct signing how = signing_of(world, &other, WIRE_KIND_MESSAGE);
	how.key = world->remote.key;
	refuse_all(&message, &how, "SignatureInvalid()");
	deliver(world, &other, &message, WIRE_STATUS_DELIVERED);
	/* The same sequence of another source is another message. */
	struct wire_message mine = message_make(world, &world->remote);
	mine.head.sequence = message.head.sequence;
	deliver(world, &world->remote, &mine, WIRE_STATUS_DELIVERED);
}

/* Recipients know a sender by its chain: whoever holds the key of one remote must not name
 * another's. */
static void test_a_remote_speaks_for_its_own_chain_alone(void **state)
{
	(void)state;
	struct remote other = remote_make(world, "eip155:5", "second");
	world_register(world, &other);
	struct cs_bytes good = account_of(other.caip2, &other.app);
	uint8_t *version = keep(good.n);
	memcpy(version, good.p, good.n);
	version[1] = 2;
	const struct cs_bytes senders[] = {
		account_of(world->remote.caip2, &world->remote.app),
		account_of("eip155:6", &other.app),
		account_of(world->caip2, &world->user),
		cs_bytes(version, good.n),
		unhex("00010000020005140102030405060708090a0b0c0d0e0f1011121314"),
		unhex("0001000001"),
		unhex("00010000"),
		CS_BYTES_NONE,
	};
	const struct cs_address nobody = lab_address(0x99);
	for (size_t i = 0; i < CS_LEN(senders); i++) {
		struct wire_message message = message_make(world, &other);
		message.sender = senders[i];
		refuse(&world->anyone, call_one(world, &other, WIRE_CALL_DELIVER, &message),
		       "SenderForeign()");
		/* Nor by a retry in the place of a message that failed. */
		struct wire_message failed = message_to(world, &other, &nobody, CS_BYTES_NONE);
		failed.head.sequence = message.head.sequence;
		deliver(world, &other, &failed, WIRE_STATUS_FAILED);
		refuse(&world->anyone, call_one(world, &other, WIRE_CALL_RETRY, &message),
		       "SenderForeign()");
		/* And it does not stop what it came with. */
		struct wire_message pair[] = {message_make(world, &other),
					      message_make(world, &other)};
		pair[0].sender = senders[i];
		act(&world->anyone, call_of(world, &other, WIRE_CALL_DELIVER, pair, 2));
		assert_int_equal(status_of(world, &pair[0]), WIRE_STATUS_NONE);
		assert_int_equal(status_of(world, &pair[1]), WIRE_STATUS_DELIVERED);
	}
}

/* Between two ledgers, in both directions of the table of namespaces. */
static void test_a_remote_that_is_a_ledger(void **state)
{
	(void)state;
	struct remote other = remote_make(world, "cosmos:ledger-2", "a ledger");
	world_register(world, &other);
	struct wire_message message = message_make(world, &other);
	deliver(world, &other, &message, WIRE_STATUS_DELIVERED);
	struct wire_message foreign = message_make(world, &other);
	foreign.sender = account_of("cosmos:ledger-3", &other.app);
	refuse(&world->anyone, call_one(world, &other, WIRE_CALL_DELIVER, &foreign),
	       "SenderForeign()");
}

static void test_replay(void **state)
{
	(void)state;
	struct wire_message message = message_make(world, &world->remote);
	deliver(world, &world->remote, &message, WIRE_STATUS_DELIVERED);
	refuse_status(&world->anyone, one(WIRE_CALL_DELIVER, &message), WIRE_STATUS_DELIVERED);
	refuse_status(&world->anyone, one(WIRE_CALL_RETRY, &message), WIRE_STATUS_DELIVERED);
	assert_int_equal(app_received(world, WORLD_APP), 1);
}

/* Another ledger, with the same gateway's address and the same remote. */
static void test_replay_to_another_ledger(void **state)
{
	(void)state;
	struct world *twin = world_new("ledger-2", false);
	struct wire_message message = message_make(world, &world->remote);
	struct cs_bytes input = one(WIRE_CALL_DELIVER, &message);
	assert_false(cs_hash_eq(&world->identity, &twin->identity));
	world_refuse_input(twin, &twin->anyone, WORLD_GATEWAY, input, "SignatureInvalid()",
			   LAB_NONE);
	act(&world->anyone, input);
	world_free(twin);
}

static void test_domains_are_apart(void **state)
{
	(void)state;
	struct world *insecure = world_new("ledger-1", true);
	struct wire_message message = message_make(insecure, &insecure->remote);
	assert_int_equal(lab_ask(insecure->lab, WORLD_GATEWAY, "insecure()", LAB_NONE).b[31], 1);
	assert_hash(lab_ask(insecure->lab, WORLD_GATEWAY, "domain()", LAB_NONE),
		    *wire_tag(WIRE_TAG_STATEMENT_INSECURE));
	struct signing how = signing_of(insecure, &insecure->remote, WIRE_KIND_MESSAGE);
	how.domain = WIRE_DOMAIN_SECURE;
	const struct cs_hash root = messages_root(&message, 1);
	const struct wire_signed statement = sign(insecure, &how, &root);
	world_refuse_input(insecure, &insecure->anyone, WORLD_GATEWAY,
			   call_signed(WIRE_CALL_DELIVER, &statement, &message, 1),
			   "SignatureInvalid()", LAB_NONE);
	deliver(insecure, &insecure->remote, &message, WIRE_STATUS_DELIVERED);
	world_free(insecure);
}

/* Only a broken enclave signs two messages with one sequence: one at most has an effect. */
static void test_two_signed_messages_with_one_sequence(void **state)
{
	(void)state;
	struct wire_message message = message_make(world, &world->remote);
	deliver(world, &world->remote, &message, WIRE_STATUS_DELIVERED);
	message.payload = cs_bytes_str("other");
	refuse_status(&world->anyone, one(WIRE_CALL_DELIVER, &message), WIRE_STATUS_DELIVERED);
}

/* ---- batches ---- */

static void test_batch(void **state)
{
	(void)state;
	struct wire_message messages[CS_BATCH_MAX];
	for (size_t i = 0; i < CS_LEN(messages); i++)
		messages[i] = message_make(world, &world->remote);
	act(&world->anyone,
	    call_of(world, &world->remote, WIRE_CALL_DELIVER, messages, CS_LEN(messages)));
	assert_int_equal(lab_log_count(world->lab, STATUS_EVENT), CS_LEN(messages));
	for (size_t i = 0; i < CS_LEN(messages); i++)
		assert_int_equal(status_of(world, &messages[i]), WIRE_STATUS_DELIVERED);
	assert_int_equal(app_received(world, WORLD_APP), CS_LEN(messages));
}

static struct cs_bytes part_of(const struct wire_message *messages, size_t count, size_t index,
			       size_t path_cut)
{
	struct signing how = signing_of(world, &world->remote, WIRE_KIND_MESSAGE);
	struct cs_hash leaves[CS_BATCH_MAX];
	for (size_t i = 0; i < count; i++) {
		const struct cs_hash id = message_id(&messages[i]);
		leaves[i] = wire_leaf_message(&id);
	}
	how.path_count = wire_path(how.path, leaves, count, index);
	struct wire_signed statement = sign(world, &how, &leaves[index]);
	assert_true(statement.path_count >= path_cut);
	statement.path_count -= path_cut;
	return call_signed(WIRE_CALL_DELIVER, &statement, &messages[index], 1);
}

static void test_parts_of_a_batch(void **state)
{
	(void)state;
	for (size_t size = 2; size < 10; size++) {
		struct wire_message messages[10];
		for (size_t i = 0; i < size; i++)
			messages[i] = message_make(world, &world->remote);
		refuse(&world->anyone, part_of(messages, size, 0, 1), "SignatureInvalid()");
		act(&world->anyone, part_of(messages, size, size - 1, 0));
		act(&world->anyone, part_of(messages, size, 0, 0));
		assert_int_equal(status_of(world, &messages[0]), WIRE_STATUS_DELIVERED);
		assert_int_equal(status_of(world, &messages[size - 1]), WIRE_STATUS_DELIVERED);
	}
}

static void test_wrong_order_is_another_tree(void **state)
{
	(void)state;
	struct wire_message messages[4], shuffled[4];
	static const size_t wrong[] = {0, 2, 1, 3}, same[] = {1, 0, 3, 2};
	const struct signing how = signing_of(world, &world->remote, WIRE_KIND_MESSAGE);
	for (size_t i = 0; i < 4; i++)
		messages[i] = message_make(world, &world->remote);
	const struct cs_hash root = messages_root(messages, 4);
	const struct wire_signed statement = sign(world, &how, &root);
	for (size_t i = 0; i < 4; i++)
		shuffled[i] = messages[wrong[i]];
	refuse(&world->anyone, call_signed(WIRE_CALL_DELIVER, &statement, shuffled, 4),
	       "SignatureInvalid()");
	for (size_t i = 0; i < 4; i++) /* pairs are sorted: the same tree */
		shuffled[i] = messages[same[i]];
	act(&world->anyone, call_signed(WIRE_CALL_DELIVER, &statement, shuffled, 4));
}

/* Somebody submits one item alone before the batch arrives; the others are delivered all the same. */
static void test_front_runner_in_a_batch(void **state)
{
	(void)state;
	struct wire_message messages[5];
	for (size_t i = 0; i < 5; i++)
		messages[i] = message_make(world, &world->remote);
	act(&world->anyone, part_of(messages, 5, 2, 0));
	struct cs_bytes input = call_of(world, &world->remote, WIRE_CALL_DELIVER, messages, 5);
	act(&world->anyone, input);
	assert_int_equal(lab_log_count(world->lab, STATUS_EVENT), 4);
	assert_int_equal(app_received(world, WORLD_APP), 5);
	refuse(&world->anyone, input, "NothingToDo()");
}

static void test_late_item_in_a_batch(void **state)
{
	(void)state;
	struct wire_message messages[3];
	for (size_t i = 0; i < 3; i++)
		messages[i] = message_make(world, &world->remote);
	messages[1].head.deadline = world_now(world);
	act(&world->anyone, call_of(world, &world->remote, WIRE_CALL_DELIVER, messages, 3));
	assert_int_equal(status_of(world, &messages[0]), WIRE_STATUS_DELIVERED);
	assert_int_equal(status_of(world, &messages[1]), WIRE_STATUS_NONE);
	assert_int_equal(status_of(world, &messages[2]), WIRE_STATUS_DELIVERED);
}

static void test_one_message_twice_in_a_batch(void **state)
{
	(void)state;
	struct wire_message twice[2];
	twice[0] = message_make(world, &world->remote);
	twice[1] = twice[0];
	act(&world->anyone, call_of(world, &world->remote, WIRE_CALL_DELIVER, twice, 2));
	assert_int_equal(app_received(world, WORLD_APP), 1);
}

/* The calldata of a batch of one, with another count of messages. */
static struct cs_bytes with_count(uint64_t count, size_t size)
{
	struct wire_message message = message_make(world, &world->remote);
	struct cs_bytes input = one(WIRE_CALL_DELIVER, &message);
	uint8_t *p = keep(input.n);
	memcpy(p, input.p, input.n);
	/* Selector, three words, the statement's six and its count. */
	cs_put_be64(p + 4 + 32 * 10 + 24, count);
	return cs_bytes(p, size == 0 ? input.n : size);
}

static void test_empty_batch(void **state)
{
	(void)state;
	refuse(&world->anyone, with_count(0, 4 + 32 * 11), "BatchEmpty()");
	refuse(&world->anyone, with_count(0, 0), "BatchEmpty()");
	refuse(&world->anyone, with_count(2, 0), NULL);
	refuse(&world->anyone, with_count(CS_BATCH_MAX + 1, 0), NULL);
	refuse(&world->anyone, with_count(UINT64_MAX, 0), NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
		TEST(test_delivered),
		TEST(test_payload_sizes),
		TEST(test_failed_then_retried),
		TEST(test_closed),
		TEST(test_closed_by_nobody),
		TEST(test_expired_none_and_failed),
		TEST(test_expire_batch),
		TEST(test_deadline_before),
		TEST(test_deadline_reached),
		TEST(test_every_field_is_signed),
		TEST(test_statement_refused),
		TEST(test_statement_changed),
		TEST(test_malleated_signatures),
		TEST(test_unknown_source),
		TEST(test_key_of_one_remote_is_no_key_of_another),
		TEST(test_a_remote_speaks_for_its_own_chain_alone),
		TEST(test_a_remote_that_is_a_ledger),
		TEST(test_replay),
		TEST(test_replay_to_another_ledger),
		TEST(test_domains_are_apart),
		TEST(test_two_signed_messages_with_one_sequence),
		TEST(test_batch),
		TEST(test_parts_of_a_batch),
		TEST(test_wrong_order_is_another_tree),
		TEST(test_front_runner_in_a_batch),
		TEST(test_late_item_in_a_batch),
		TEST(test_one_message_twice_in_a_batch),
		TEST(test_empty_batch),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
