/* The calldata of tests/vectors/envelope, which independent code encoded, at the built-in gateway and
 * bridge: it is read to its end, and refused for what it says, never for how it is written. */
#include "relay_state/ledger/pairs.h"
#include "tests/unit/ledger/bridge_lab.h"

static const struct {
	const char *function;
	uint8_t number;
	const char *error; /* of the whole; NULL: it succeeds */
} functions[] = {
	/* Nobody registered the key that signed it. */
	{"deliver", WORLD_GATEWAY, "KeyNotActive()"},
	{"retry", WORLD_GATEWAY, "KeyNotActive()"},
	{"close", WORLD_GATEWAY, "KeyNotActive()"},
	{"expire", WORLD_GATEWAY, "KeyNotActive()"},
	{"finalize", WORLD_GATEWAY, "KeyNotActive()"},
	{"announceRotation", WORLD_GATEWAY, "KeyNotActive()"},
	{"sendMessage", WORLD_GATEWAY, NULL},
	{"transfer", BRIDGE, "TokenUnknown()"},
	{"receiveMessage", BRIDGE, "OnlyGateway()"},
	{"onOutcome", BRIDGE, "OnlyGateway()"},
};

static void check_call(struct world *world, const json_t *one)
{
	const char *function = text_of(one, "function");
	struct cs_bytes input = bytes_of(one, "calldata");
	size_t i = 0;
	while (i < CS_LEN(functions) && strcmp(functions[i].function, function) != 0)
		i++;
	assert_true(i < CS_LEN(functions));
	if (functions[i].error != NULL)
		world_refuse_input(world, &world->anyone, functions[i].number, input,
				   functions[i].error, LAB_NONE);
	else if (json_array_size(json_object_get(one, "attributes")) == 0)
		world_do_input(world, &world->anyone, functions[i].number, input);
	else /* a deadline of another time */
		world_refuse_input(world, &world->anyone, functions[i].number, input,
				   "AttributeOutOfBounds(bytes4)",
				   LAB_WORDS(ledger_word_bytes4(0x7661663e)));
	for (size_t cut = 1; cut <= 32; cut += 31)
		world_refuse_input(world, &world->anyone, functions[i].number,
				   cs_bytes(input.p, input.n - cut), NULL, LAB_NONE);
}

static void test_calldata(void **state)
{
	(void)state;
	struct bridge_world *bridge = bridge_new();
	json_t *file = read_json(CS_VECTORS "/envelope/calldata.json"), *one;
	size_t i;
	/* The routes of the lab let those attributes pass but for the deadline's. */
	json_array_foreach(json_object_get(file, "calls"), i, one) check_call(bridge->world, one);
	assert_true(i >= 20);
	json_decref(file);
	bridge_free(bridge);
}

/* Whatever single byte of a good call is changed: it is refused, or was not part of what is read. */
static void test_every_byte(void **state)
{
	(void)state;
	struct world *world = world_new("ledger-1", false);
	struct wire_message message = message_make(world, &world->remote);
	struct cs_bytes good = call_one(world, &world->remote, WIRE_CALL_DELIVER, &message), output;
	uint8_t *changed = keep(good.n);
	for (size_t i = 0; i < good.n; i++) {
		memcpy(changed, good.p, good.n);
		changed[i] ^= 1;
		world->lab->from = world->anyone;
		if (lab_try(world->lab, &output, WORLD_GATEWAY, cs_bytes(changed, good.n)))
			fail_msg("byte %zu is not signed", i);
	}
	for (size_t n = 0; n < good.n; n++)
		assert_false(lab_try(world->lab, &output, WORLD_GATEWAY, cs_bytes(good.p, n)));
	deliver(world, &world->remote, &message, WIRE_STATUS_DELIVERED);
	world_free(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_calldata),
		cmocka_unit_test(test_every_byte),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
