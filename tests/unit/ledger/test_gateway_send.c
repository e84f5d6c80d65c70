/* The source side of the built-in gateway: sending, fees, attributes, outcomes. The cases are those of
 * tests/contracts/test_send.py, by the same names where there is one. */
#include "core/hash.h"
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

#define COMMITTED "MessageCommitted(bytes32,bytes32,uint64,uint64,uint64,bytes32,bytes32,uint8)"
#define SENT "MessageSent(bytes32,bytes,bytes,bytes,uint256,bytes[])"

static struct cs_bytes there(void)
{
	return account_of(world->remote.caip2, &world->remote.app);
}

static struct cs_bytes send_with(struct cs_bytes payload, const struct cs_bytes *attributes,
				 size_t count)
{
	return send_call(there(), payload, attributes, count);
}

static void refuse_send(struct cs_bytes input, const char *error)
{
	world_refuse_input(world, &world->user, WORLD_GATEWAY, input, error, LAB_NONE);
}

static void refuse_attribute(struct cs_bytes attribute, const char *error)
{
	struct cs_hash selector = {{0}};
	if (attribute.n >= 4)
		memcpy(selector.b, attribute.p, 4);
	world_refuse_input(world, &world->user, WORLD_GATEWAY,
			   send_with(cs_bytes_str("hello"), &attribute, 1), error, &selector, 1);
}

static void set_route(enum route_place place, uint64_t value)
{
	world_route(world, &world->remote, place, lab_word(value));
}

/* The six words of the last MessageCommitted, after the id and the destination. */
static struct cs_hash committed(size_t word)
{
	const struct ledger_log *log = lab_log(world->lab, COMMITTED, 0);
	struct cs_hash out;
	assert_int_equal(log->data.n, 6 * sizeof out);
	memcpy(out.b, log->data.p + word * sizeof out, sizeof out.b);
	return out;
}

/* The id that an enclave makes of the event and the parts that it is shown. */
static struct cs_hash expected_id(const struct cs_address *sender, struct cs_bytes payload)
{
	struct wire_message message = {
		.head = {.source = world->identity,
			 .destination = world->remote.identity,
			 .sequence = cs_be64(committed(0).b + 24),
			 .deadline = cs_be64(committed(1).b + 24),
			 .min_gas_limit = cs_be64(committed(2).b + 24),
			 .closer = committed(3),
			 .refund_to = committed(4),
			 .finality = committed(5).b[31]},
		.sender = account_of(world->caip2, sender),
		.recipient = there(),
		.payload = payload,
	};
	return message_id(&message);
}

static void assert_word(struct cs_hash got, uint64_t want)
{
	assert_hash(got, lab_word(want));
}

/* ---- sending ---- */

static void test_sent(void **state)
{
	(void)state;
	const struct cs_hash id = send_one(world, &world->remote);
	const struct ledger_log *log = lab_log(world->lab, COMMITTED, 0);
	assert_int_equal(log->topic_count, 3);
	assert_hash(log->topics[1], id);
	assert_hash(log->topics[2], world->remote.identity);
	assert_word(committed(0), 1);
	assert_word(committed(1), world_now(world) + 3600);
	assert_word(committed(2), 100000);
	for (size_t i = 3; i < 6; i++)
		assert_word(committed(i), 0);
	assert_hash(id, expected_id(&world->user, cs_bytes_str("hello")));
	/* What the chain's other event carries is what the enclave is shown. */
	struct cs_abi_reader in;
	struct cs_bytes sender, recipient, payload;
	struct cs_u256 value;
	size_t count;
	log = lab_log(world->lab, SENT, 0);
	assert_ok(cs_abi_read(&in, log->data, 5));
	assert_ok(cs_abi_get_bytes(&in, CS_INTEROP_SIZE_MAX, &sender));
	assert_ok(cs_abi_get_bytes(&in, CS_INTEROP_SIZE_MAX, &recipient));
	assert_ok(cs_abi_get_bytes(&in, CS_PAYLOAD_SIZE_MAX, &payload));
	assert_ok(cs_abi_get_u256(&in, &value));
	assert_ok(cs_abi_get_bytes_array(&in, 0, 0, NULL, &count));
	assert_ok(cs_abi_end(&in));
	assert_bytes(sender, account_of(world->caip2, &world->user));
	assert_bytes(recipient, there());
	assert_bytes(payload, cs_bytes_str("hello"));
	assert_true(cs_u256_is_zero(&value));
	assert_hash(lab_ask(world->lab, WORLD_GATEWAY, "sentBy(bytes32)", &id, 1),
		    lab_address_word(&world->user));
	assert_int_equal(outcome_of(world, &id), WIRE_STATUS_NONE);
}

/* The word that an enclave proves is not zero from the sending on, and for nothing else. */
static void test_the_word_of_what_was_sent(void **state)
{
	(void)state;
	const struct cs_hash id = send_one(world, &world->remote), other = lab_word(7);
	const struct cs_hash ids[] = {id, other};
	for (size_t i = 0; i < CS_LEN(ids); i++) {
		const struct cs_hash slot = wire_evm_sent_slot(&ids[i]);
		uint8_t key[2 + sizeof slot] = {WORLD_GATEWAY, 's'};
		struct cs_bytes value;
		memcpy(key + 2, slot.b, sizeof slot);
		enum cs_err err = ledger_state_get(world->lab->state, &value, CS_BYTES_OF(key));
		if (i == 1) {
			assert_int_equal(err, CS_ERR_NOT_FOUND);
			continue;
		}
		assert_ok(err);
		assert_int_equal(value.n, 32);
		assert_memory_equal(value.p + 12, world->user.b, sizeof world->user);
		assert_int_equal(cs_be32(value.p + 8), 1);
		assert_int_equal(value.p[7], 0);
	}
}

static void test_attributes(void **state)
{
	(void)state;
	const uint64_t deadline = world_now(world) + 5000;
	uint8_t closer[20];
	for (size_t i = 0; i < sizeof closer; i++)
		closer[i] = (uint8_t)i;
	const struct cs_bytes attributes[] = {
		attribute("finality(uint8)", lab_word(3)),
		attribute("refundTo(address)", lab_address_word(&world->anyone)),
		closer_attribute(CS_BYTES_OF(closer)),
		attribute("minGasLimit(uint256)", lab_word(12345)),
		attribute("deadline(uint64)", lab_word(deadline)),
	};
	const struct cs_hash id = send_as(world, &world->user, 0,
					  send_with(CS_BYTES_NONE, attributes, CS_LEN(attributes)));
	assert_word(committed(1), deadline);
	assert_word(committed(2), 12345);
	assert_hash(committed(3), wire_word(CS_BYTES_OF(closer)));
	assert_hash(committed(4), lab_address_word(&world->anyone));
	assert_word(committed(5), 3);
	assert_hash(id, expected_id(&world->user, CS_BYTES_NONE));
	/* They are in the event as they came. */
	struct cs_abi_reader in;
	struct cs_bytes got[8], ignored;
	struct cs_hash word;
	size_t count;
	assert_ok(cs_abi_read(&in, lab_log(world->lab, SENT, 0)->data, 5));
	for (size_t i = 0; i < 3; i++)
		assert_ok(cs_abi_get_bytes(&in, CS_PAYLOAD_SIZE_MAX, &ignored));
	assert_ok(cs_abi_get_word(&in, &word));
	assert_ok(cs_abi_get_bytes_array(&in, CS_LEN(got), 256, got, &count));
	assert_ok(cs_abi_end(&in));
	assert_int_equal(count, CS_LEN(attributes));
	for (size_t i = 0; i < count; i++)
		assert_bytes(got[i], attributes[i]);
}

static void test_closer_of_any_length(void **state)
{
	(void)state;
	static const size_t sizes[] = {1, 32, 40, 64};
	uint8_t closer[64];
	for (size_t i = 0; i < sizeof closer; i++)
		closer[i] = (uint8_t)(i + 1);
	for (size_t i = 0; i < CS_LEN(sizes); i++) {
		struct cs_bytes raw = cs_bytes(closer, sizes[i]), one = closer_attribute(raw);
		(void)send_as(world, &world->user, 0, send_with(CS_BYTES_NONE, &one, 1));
		assert_hash(committed(3), wire_word(raw));
	}
}

static void test_route_defaults(void **state)
{
	(void)state;
	struct route_row row = route_default(&world->remote);
	row.words[ROUTE_CLOSER_DEFAULT] = lab_word(77);
	row.words[ROUTE_FINALITY_DEFAULT] = lab_word(2);
	row.words[ROUTE_GAS_DEFAULT] = lab_word(5);
	row.words[ROUTE_LIFETIME_DEFAULT] = lab_word(61);
	world_do(world, &world->owner, WORLD_GATEWAY, SET_ROUTE, &row.remote, 1 + ROUTE_WORDS);
	struct cs_bytes words = lab_call(world->lab, WORLD_GATEWAY, "routeOf(bytes32)",
					 LAB_WORDS(world->remote.identity));
	assert_bytes(words, cs_bytes(row.words, sizeof row.words));
	(void)send_one(world, &world->remote);
	assert_word(committed(1), world_now(world) + 61);
	assert_word(committed(2), 5);
	assert_word(committed(3), 77);
	assert_word(committed(5), 2);
}

static void test_sequences_per_destination(void **state)
{
	(void)state;
	static const uint64_t want[] = {1, 1, 2, 2, 3};
	struct remote other = remote_make(world, "cosmos:ledger-2", "second");
	world_register(world, &other);
	const struct remote *remotes[] = {&world->remote, &other, &other, &world->remote,
					  &world->remote};
	for (size_t i = 0; i < CS_LEN(want); i++) {
		(void)send_one(world, remotes[i]);
		assert_hash(lab_log(world->lab, COMMITTED, 0)->topics[2], remotes[i]->identity);
		assert_word(committed(0), want[i]);
	}
}

/* The last sequence there is, and no more. */
static void test_sequences_end(void **state)
{
	(void)state;
	uint8_t key[2 + 32] = {WORLD_GATEWAY, 'r'}, record[60];
	struct cs_bytes value;
	memcpy(key + 2, world->remote.identity.b, 32);
	assert_ok(ledger_state_get(world->lab->state, &value, CS_BYTES_OF(key)));
	assert_int_equal(value.n, sizeof record);
	memcpy(record, value.p, sizeof record);
	cs_put_be64(record, UINT64_MAX - 1);
	assert_ok(ledger_state_put(world->lab->state, CS_BYTES_OF(key), CS_BYTES_OF(record)));
	(void)send_one(world, &world->remote);
	assert_word(committed(0), UINT64_MAX);
	refuse_send(send_with(CS_BYTES_NONE, NULL, 0), NULL);
}

static void test_supports_attribute(void **state)
{
	(void)state;
	static const char *const known[] = {"deadline(uint64)", "minGasLimit(uint256)",
					    "closer(bytes)", "refundTo(address)",
					    "finality(uint8)"};
	static const char *const unknown[] = {"closer(address)", "refundTo(bytes)"};
	for (size_t i = 0; i < CS_LEN(known) + CS_LEN(unknown) + 1; i++) {
		struct cs_hash word = {{0}};
		if (i < CS_LEN(known) + CS_LEN(unknown)) {
			const struct cs_hash topic = cs_abi_topic(
				i < CS_LEN(known) ? known[i] : unknown[i - CS_LEN(known)]);
			memcpy(word.b, topic.b, 4);
		}
		assert_word(
			lab_ask(world->lab, WORLD_GATEWAY, "supportsAttribute(bytes4)", &word, 1),
			i < CS_LEN(known));
	}
}

/* ---- refusals ---- */

static struct cs_bytes cut(struct cs_bytes bytes, size_t n)
{
	return cs_bytes(bytes.p, bytes.n - n);
}

static struct cs_bytes longer(struct cs_bytes bytes, size_t n)
{
	uint8_t *p = keep(bytes.n + n);
	memcpy(p, bytes.p, bytes.n);
	return cs_bytes(p, bytes.n + n);
}

static void test_attribute_refused(void **state)
{
	(void)state;
	static const char unsupported[] = "UnsupportedAttribute(bytes4)",
			  invalid[] = "AttributeInvalid(bytes4)",
			  bounds[] = "AttributeOutOfBounds(bytes4)";
	const struct cs_hash most = lab_byte_word(0xff);
	struct cs_hash above64 = lab_word(2000000000), above160 = {{0}};
	above64.b[23] = 1;
	above160.b[11] = 1;
	refuse_attribute(CS_BYTES_NONE, unsupported);
	refuse_attribute(unhex("010203"), unsupported);
	refuse_attribute(cs_bytes(keep(36), 36), unsupported);
	refuse_attribute(attribute("executor(address)", lab_word(0)), unsupported);
	refuse_attribute(words_call("deadline(uint64)", LAB_NONE), invalid);
	refuse_attribute(longer(attribute("finality(uint8)", lab_word(1)), 1), invalid);
	refuse_attribute(cut(attribute("minGasLimit(uint256)", lab_word(1)), 1), invalid);
	refuse_attribute(longer(attribute("refundTo(address)", lab_word(1)), 32), invalid);
	refuse_attribute(attribute("finality(uint8)", lab_word(11)), bounds);
	refuse_attribute(attribute("finality(uint8)", lab_word(256)), bounds);
	refuse_attribute(attribute("finality(uint8)", lab_word(255)), bounds);
	refuse_attribute(attribute("minGasLimit(uint256)", lab_word(2000001)), bounds);
	refuse_attribute(attribute("minGasLimit(uint256)", above64), bounds);
	refuse_attribute(attribute("minGasLimit(uint256)", most), bounds);
	refuse_attribute(attribute("deadline(uint64)", lab_word(0)), bounds);
	refuse_attribute(attribute("deadline(uint64)", above64), bounds);
	refuse_attribute(attribute("deadline(uint64)", most), bounds);
	refuse_attribute(attribute("refundTo(address)", lab_word(0)), bounds);
	refuse_attribute(attribute("refundTo(address)", above160), bounds);
}

static void test_closer_refused(void **state)
{
	(void)state;
	static const char invalid[] = "AttributeInvalid(bytes4)";
	static const uint8_t zeros[65];
	struct cs_bytes good = closer_attribute(cs_bytes(zeros, 20));
	uint8_t *dirty = keep(good.n);
	memcpy(dirty, good.p, good.n);
	dirty[good.n - 1] = 1;
	refuse_attribute(closer_attribute(CS_BYTES_NONE), invalid);
	refuse_attribute(closer_attribute(cs_bytes(zeros, 65)), invalid);
	refuse_attribute(cut(good, 1), invalid);
	refuse_attribute(longer(good, 32), invalid);
	refuse_attribute(cs_bytes(dirty, good.n), invalid);
	refuse_attribute(words_call("closer(bytes)",
				    LAB_WORDS(lab_word(64), lab_word(0), lab_word(1), lab_word(1))),
			 invalid);
	refuse_attribute(words_call("closer(bytes)",
				    LAB_WORDS(lab_word(32), lab_byte_word(0xff), lab_word(0))),
			 invalid);
	refuse_attribute(
		words_call("closer(bytes)", LAB_WORDS(lab_word(32), lab_word(64), lab_word(0))),
		invalid);
	refuse_attribute(words_call("closer(bytes)", LAB_NONE), invalid);
}

static void test_attribute_twice(void **state)
{
	(void)state;
	const struct cs_hash account = lab_address_word(&world->user);
	const struct cs_bytes attributes[] = {
		attribute("finality(uint8)", lab_word(1)),
		attribute("minGasLimit(uint256)", lab_word(7)),
		attribute("deadline(uint64)", lab_word(world_now(world) + 100)),
		attribute("refundTo(address)", account),
		closer_attribute(CS_BYTES_OF(world->user.b)),
	};
	for (size_t i = 0; i < CS_LEN(attributes); i++) {
		const struct cs_bytes twice[] = {attributes[i], attributes[i]};
		struct cs_hash selector = {{0}};
		memcpy(selector.b, attributes[i].p, 4);
		world_refuse_input(world, &world->user, WORLD_GATEWAY,
				   send_with(CS_BYTES_NONE, twice, 2), "AttributeTwice(bytes4)",
				   &selector, 1);
	}
	/* More than there can be, and one that is longer than any. */
	struct cs_bytes many[17];
	for (size_t i = 0; i < CS_LEN(many); i++)
		many[i] = attributes[0];
	refuse_send(send_with(CS_BYTES_NONE, many, CS_LEN(many)), NULL);
	many[0] = longer(attributes[0], 300);
	refuse_send(send_with(CS_BYTES_NONE, many, 1), NULL);
}

static void test_deadline_bounds_to_the_second(void **state)
{
	(void)state;
	const uint64_t now = world_now(world);
	const struct {
		uint64_t lifetime_s;
		bool good;
	} cases[] = {{59, false}, {60, true}, {100000, true}, {100001, false}};
	for (size_t i = 0; i < CS_LEN(cases); i++) {
		struct cs_bytes one =
			attribute("deadline(uint64)", lab_word(now + cases[i].lifetime_s));
		if (cases[i].good)
			(void)send_as(world, &world->user, 0, send_with(CS_BYTES_NONE, &one, 1));
		else
			refuse_attribute(one, "AttributeOutOfBounds(bytes4)");
	}
}

static void test_what_a_route_does_not_allow(void **state)
{
	(void)state;
	static const char bounds[] = "AttributeOutOfBounds(bytes4)";
	struct route_row row = route_default(&world->remote);
	row.words[ROUTE_CLOSER_ALLOWED] = row.words[ROUTE_REFUND_TO_ALLOWED] = lab_word(0);
	row.words[ROUTE_FINALITY_MAX] = lab_word(0);
	row.words[ROUTE_GAS_MIN] = lab_word(10);
	row.words[ROUTE_PAYLOAD_MAX] = lab_word(5);
	world_do(world, &world->owner, WORLD_GATEWAY, SET_ROUTE, &row.remote, 1 + ROUTE_WORDS);
	refuse_attribute(closer_attribute(CS_BYTES_OF(world->user.b)), bounds);
	refuse_attribute(attribute("refundTo(address)", lab_address_word(&world->user)), bounds);
	refuse_attribute(attribute("finality(uint8)", lab_word(1)), bounds);
	refuse_attribute(attribute("minGasLimit(uint256)", lab_word(9)), bounds);
	refuse_send(send_with(cs_bytes_str("123456"), NULL, 0), "PayloadTooLong()");
	const struct cs_bytes good[] = {attribute("minGasLimit(uint256)", lab_word(10)),
					attribute("finality(uint8)", lab_word(0))};
	(void)send_as(world, &world->user, 0, send_with(cs_bytes_str("12345"), good, 2));
}

static void test_closed_route(void **state)
{
	(void)state;
	set_route(ROUTE_LIFETIME_MAX, 0);
	refuse_send(send_with(CS_BYTES_NONE, NULL, 0), "RouteClosed()");
	refuse_send(quote_call(there(), 5, NULL, 0), "RouteClosed()");
}

static void test_route_refused(void **state)
{
	(void)state;
	static const struct {
		enum route_place place;
		uint64_t value;
	} cases[] = {{ROUTE_LIFETIME_MIN, 0},
		     {ROUTE_LIFETIME_MIN, 3601},
		     {ROUTE_LIFETIME_DEFAULT, 100001},
		     {ROUTE_GAS_MIN, 100001},
		     {ROUTE_GAS_DEFAULT, 2000001},
		     {ROUTE_FINALITY_MAX, 255},
		     {ROUTE_FINALITY_DEFAULT, 11},
		     {ROUTE_PAYLOAD_MAX, CS_PAYLOAD_SIZE_MAX + 1},
		     {ROUTE_PAYLOAD_MAX, UINT32_MAX},
		     {ROUTE_GAS_MAX, 15000001},
		     {ROUTE_LIFETIME_MAX, 366 * 86400 + 1},
		     {ROUTE_LIFETIME_MAX, UINT32_MAX}};
	for (size_t i = 0; i < CS_LEN(cases); i++) {
		struct route_row row = route_default(&world->remote);
		row.words[cases[i].place] = lab_word(cases[i].value);
		world_refuse(world, &world->owner, WORLD_GATEWAY, "RouteInvalid()", SET_ROUTE,
			     &row.remote, 1 + ROUTE_WORDS);
	}
	/* Numbers that do not fit, and a boolean that is none. */
	static const enum route_place narrow[] = {ROUTE_CLOSER_ALLOWED, ROUTE_FINALITY_MAX,
						  ROUTE_PAYLOAD_MAX, ROUTE_FEE_BASE,
						  ROUTE_FEE_PER_BYTE};
	for (size_t i = 0; i < CS_LEN(narrow); i++) {
		struct route_row row = route_default(&world->remote);
		row.words[narrow[i]] = lab_byte_word(0x01);
		world_refuse(world, &world->owner, WORLD_GATEWAY, NULL, SET_ROUTE, &row.remote,
			     1 + ROUTE_WORDS);
	}
	struct route_row row = route_default(&world->remote);
	row.remote = lab_word(1);
	world_refuse(world, &world->owner, WORLD_GATEWAY, "RemoteUnknown()", SET_ROUTE, &row.remote,
		     1 + ROUTE_WORDS);
}

static void test_route_at_its_bounds(void **state)
{
	(void)state;
	static const uint8_t bytes[CS_PAYLOAD_SIZE_MAX + 1];
	struct route_row row = route_default(&world->remote);
	row.words[ROUTE_PAYLOAD_MAX] = lab_word(CS_PAYLOAD_SIZE_MAX);
	row.words[ROUTE_GAS_MAX] = lab_word(15000000);
	row.words[ROUTE_LIFETIME_MAX] = lab_word(366 * 86400);
	row.words[ROUTE_FINALITY_MAX] = lab_word(254);
	world_do(world, &world->owner, WORLD_GATEWAY, SET_ROUTE, &row.remote, 1 + ROUTE_WORDS);
	const struct cs_bytes most[] = {attribute("minGasLimit(uint256)", lab_word(15000000)),
					attribute("finality(uint8)", lab_word(254))};
	(void)send_as(world, &world->user, 0,
		      send_with(cs_bytes(bytes, CS_PAYLOAD_SIZE_MAX), most, 2));
	refuse_send(send_with(CS_BYTES_OF(bytes), NULL, 0), "PayloadTooLong()");
	/* A closed route is refused nothing: it allows nothing. */
	row.words[ROUTE_LIFETIME_MAX] = lab_word(0);
	row.words[ROUTE_PAYLOAD_MAX] = lab_word(UINT32_MAX);
	world_do(world, &world->owner, WORLD_GATEWAY, SET_ROUTE, &row.remote, 1 + ROUTE_WORDS);
}

static void test_recipient_refused(void **state)
{
	(void)state;
	static const char bad[] = "BadInteroperableAddress()", unknown[] = "RemoteUnknown()";
	struct cs_bytes good = there();
	uint8_t *version = keep(good.n), *type = keep(good.n);
	memcpy(version, good.p, good.n);
	memcpy(type, good.p, good.n);
	version[1] = 2;
	type[3] = 2;
	const struct {
		struct cs_bytes recipient;
		const char *error;
	} cases[] = {
		{account_of(world->caip2, &world->user), unknown},
		{account_of("eip155:4242", &world->user), unknown},
		{account_of("cosmos:ledger-2", &world->user), unknown},
		{world->remote.chain, bad},
		{unhex("00010000020309130102030405060708090a0b0c0d0e0f10111213"), bad},
		{unhex("00010000020309150102030405060708090a0b0c0d0e0f101112131415"), bad},
		{unhex("0001000003000309140102030405060708090a0b0c0d0e0f1011121314"), bad},
		{longer(good, 1), bad},
		{cut(good, 1), bad},
		{CS_BYTES_NONE, bad},
		{longer(good, 200), bad},
		{cs_bytes(version, good.n), bad},
		{cs_bytes(type, good.n), unknown},
	};
	for (size_t i = 0; i < CS_LEN(cases); i++)
		refuse_send(send_call(cases[i].recipient, cs_bytes_str("hello"), NULL, 0),
			    cases[i].error);
}

/* ---- fees ---- */

static void test_fee_is_exact(void **state)
{
	(void)state;
	static const struct {
		size_t size;
		uint64_t gas;
	} cases[] = {{0, 100000}, {5, 100000}, {4096, 0}, {1, 2000000}};
	static const uint8_t bytes[4096];
	const uint64_t base = 1000000000001;
	struct route_row row = route_default(&world->remote);
	uint64_t paid = 0;
	row.words[ROUTE_FEE_BASE] = lab_word(base);
	row.words[ROUTE_FEE_PER_BYTE] = lab_word(7);
	row.words[ROUTE_FEE_PER_GAS] = lab_word(3);
	world_do(world, &world->owner, WORLD_GATEWAY, SET_ROUTE, &row.remote, 1 + ROUTE_WORDS);
	lab_fund(world->lab, &world->user, 10 * base);
	for (size_t i = 0; i < CS_LEN(cases); i++) {
		struct cs_bytes one = attribute("minGasLimit(uint256)", lab_word(cases[i].gas));
		struct cs_bytes input = send_with(cs_bytes(bytes, cases[i].size), &one, 1);
		const uint64_t fee = base + 7 * cases[i].size + 3 * cases[i].gas;
		struct cs_bytes output;
		world->lab->from = world->user;
		assert_true(lab_try(world->lab, &output, WORLD_GATEWAY,
				    quote_call(there(), cases[i].size, &one, 1)));
		assert_int_equal(cs_be64(output.p + 24), fee);
		for (uint64_t wrong = 0; wrong < 3; wrong++) {
			world->lab->value = cs_u256_u64(wrong == 0 ? 0 : fee - 2 + wrong * 2 - 1);
			world_refuse_input(world, &world->user, WORLD_GATEWAY, input,
					   "FeeNotExact(uint256)", LAB_WORDS(lab_word(fee)));
		}
		(void)send_as(world, &world->user, fee, input);
		paid += fee;
	}
	const struct cs_address gateway = ledger_contract_address(WORLD_GATEWAY);
	assert_int_equal(lab_funds(world->lab, &gateway), paid);
	assert_int_equal(lab_funds(world->lab, &world->user), 10 * base - paid);
}

static void test_fee_of_the_largest_numbers(void **state)
{
	(void)state;
	struct route_row row = route_default(&world->remote);
	struct cs_hash base = {{0}};
	memset(base.b + 16, 0xff, 16);
	row.words[ROUTE_FEE_BASE] = base;
	row.words[ROUTE_FEE_PER_BYTE] = row.words[ROUTE_FEE_PER_GAS] = lab_word(UINT64_MAX);
	world_do(world, &world->owner, WORLD_GATEWAY, SET_ROUTE, &row.remote, 1 + ROUTE_WORDS);
	struct cs_bytes one = attribute("minGasLimit(uint256)", lab_word(2000000)), output;
	assert_true(
		lab_try(world->lab, &output, WORLD_GATEWAY, quote_call(there(), 4096, &one, 1)));
	/* 2^128 - 1 + (2^64 - 1) * 2004096 */
	struct cs_u256 want = cs_u256_from_word(&base), factor = cs_u256_u64(2004096);
	struct cs_u256 part = cs_u256_u64(UINT64_MAX);
	assert_ok(cs_u256_mul(&part, &part, &factor));
	assert_ok(cs_u256_add(&want, &want, &part));
	const struct cs_hash word = cs_u256_word(&want);
	assert_bytes(output, CS_BYTES_OF(word.b));
}

static void test_withdraw(void **state)
{
	(void)state;
	const struct cs_address other = lab_address(0xcd),
				gateway = ledger_contract_address(WORLD_GATEWAY);
	static const char withdraw[] = "withdraw(address,uint256)";
	set_route(ROUTE_FEE_BASE, 1000);
	lab_fund(world->lab, &world->user, 1000);
	(void)send_as(world, &world->user, 1000, send_with(CS_BYTES_NONE, NULL, 0));
	const struct cs_hash to = lab_address_word(&other);
	world_refuse(world, &world->guardian, WORLD_GATEWAY, "NotOwner()", withdraw,
		     LAB_WORDS(to, lab_word(1000)));
	world_refuse(world, &world->owner, WORLD_GATEWAY, "WithdrawFailed()", withdraw,
		     LAB_WORDS(to, lab_word(1001)));
	/* A contract takes what it has a function for. */
	world_refuse(world, &world->owner, WORLD_GATEWAY, "WithdrawFailed()", withdraw,
		     LAB_WORDS(lab_address_word(&world->app), lab_word(1)));
	world_do(world, &world->owner, WORLD_GATEWAY, withdraw, LAB_WORDS(to, lab_word(1000)));
	assert_int_equal(lab_log_count(world->lab, "FeesWithdrawn(address,uint256)"), 1);
	assert_int_equal(lab_funds(world->lab, &other), 1000);
	assert_int_equal(lab_funds(world->lab, &gateway), 0);
}

/* Whatever else carries a value is refused, and so is a value alone. */
static void test_funds_have_no_other_way_in(void **state)
{
	(void)state;
	lab_fund(world->lab, &world->user, 10);
	world->lab->value = cs_u256_u64(1);
	world_refuse_input(world, &world->user, WORLD_GATEWAY, CS_BYTES_NONE, NULL, LAB_NONE);
	world->lab->value = cs_u256_u64(1);
	world_refuse_input(world, &world->user, WORLD_GATEWAY, quote_call(there(), 1, NULL, 0),
			   NULL, LAB_NONE);
	assert_int_equal(lab_funds(world->lab, &world->user), 10);
}

static void test_pause_stops_only_what_begins(void **state)
{
	(void)state;
	const struct cs_hash sent = send_one(world, &world->remote);
	struct wire_message failed = message_make(world, &world->remote);
	struct wire_message late = message_make(world, &world->remote);
	struct wire_message fresh = message_make(world, &world->remote);
	late.head.deadline = world_now(world) + 50;
	app.mode = APP_REVERTS;
	deliver(world, &world->remote, &failed, WIRE_STATUS_FAILED);
	app.mode = APP_GOOD;
	world_do(world, &world->guardian, WORLD_GATEWAY, "pause()", LAB_NONE);
	refuse_send(send_with(CS_BYTES_NONE, NULL, 0), "InPause()");
	world_do_input(world, &world->anyone, WORLD_GATEWAY,
		       call_one(world, &world->remote, WIRE_CALL_RETRY, &failed));
	deliver(world, &world->remote, &fresh, WIRE_STATUS_DELIVERED);
	world_do_input(world, &world->anyone, WORLD_GATEWAY,
		       finalize_one(world, &world->remote, &sent, WIRE_STATUS_DEAD));
	world_at(world, late.head.deadline);
	world_do_input(world, &world->anyone, WORLD_GATEWAY,
		       call_one(world, &world->remote, WIRE_CALL_EXPIRE, &late));
	world_refuse(world, &world->guardian, WORLD_GATEWAY, "NotOwner()", "unpause()", LAB_NONE);
	world_do(world, &world->owner, WORLD_GATEWAY, "unpause()", LAB_NONE);
	(void)send_one(world, &world->remote);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
		TEST(test_sent),
		TEST(test_the_word_of_what_was_sent),
		TEST(test_attributes),
		TEST(test_closer_of_any_length),
		TEST(test_route_defaults),
		TEST(test_sequences_per_destination),
		TEST(test_sequences_end),
		TEST(test_supports_attribute),
		TEST(test_attribute_refused),
		TEST(test_closer_refused),
		TEST(test_attribute_twice),
		TEST(test_deadline_bounds_to_the_second),
		TEST(test_what_a_route_does_not_allow),
		TEST(test_closed_route),
		TEST(test_route_refused),
		TEST(test_route_at_its_bounds),
		TEST(test_recipient_refused),
		TEST(test_fee_is_exact),
		TEST(test_fee_of_the_largest_numbers),
		TEST(test_withdraw),
		TEST(test_funds_have_no_other_way_in),
		TEST(test_pause_stops_only_what_begins),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
