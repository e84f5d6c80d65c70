/* Caps, flows and lanes of the built-in bridge, and the widths of what counts them. The cases are those
 * of tests/contracts/test_bridge.py, by the same names where there is one. */
#include "tests/unit/ledger/bridge_lab.h"

static struct bridge_world *bridge;
static struct world *world;
static struct remote *home;
static const struct cs_address *token, *wrapped;
static const struct cs_address other_peer = {{0xbd, 1, 2, 3}};

static int set_up(void **state)
{
	(void)state;
	bridge = bridge_new();
	world = bridge->world;
	home = &world->remote;
	token = &bridge->token;
	wrapped = &bridge->wrapped;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	bridge_free(bridge);
	return 0;
}

static void comes(const struct cs_address *asset, uint64_t amount, enum wire_status want)
{
	assert_int_equal(receive(bridge, asset, lab_word(amount), &world->user), want);
}

static struct cs_hash send(const struct cs_address *asset, uint64_t amount)
{
	return transfer(bridge, asset, lab_word(amount));
}

static void through(const struct cs_address *asset, uint64_t amount)
{
	send_through(bridge, asset, lab_word(amount));
}

static void refuse_out(const struct cs_address *asset, uint64_t amount)
{
	transfer_refused(bridge, asset, lab_word(amount), "CapExceeded()");
}

static void ends(const struct cs_hash *id, unsigned status)
{
	outcome(bridge, home, id, status);
}

static void lower(uint64_t in, uint64_t out)
{
	world_do(world, &world->guardian, BRIDGE, "lowerCap(address,uint128,uint128)",
		 LAB_WORDS(lab_address_word(token), lab_word(in), lab_word(out)));
}

/* A second chain with a peer, for the token that is locked here. */
static struct remote other_chain(void)
{
	struct remote other = remote_make(world, "cosmos:ledger-5", "other");
	world_register(world, &other);
	world_do_input(world, &world->owner, BRIDGE, peer_call(other.caip2, &other_peer));
	bridge_token(bridge, token, &other, lab_word(9), LOCK);
	return other;
}

static enum wire_status comes_from(struct remote *other, uint64_t amount)
{
	return receive_from(bridge, other, &other_peer, token, lab_word(amount), &world->user);
}

static void test_caps_of_a_window(void **state)
{
	(void)state;
	bridge_later_cap(bridge, wrapped, 10, 4);
	comes(wrapped, 10, WIRE_STATUS_DELIVERED);
	const struct wire_message message = incoming(bridge, wrapped, lab_word(1), &world->user);
	struct cs_bytes retry = call_one(world, home, WIRE_CALL_RETRY, &message);
	assert_int_equal(attempt(bridge, home, &message), WIRE_STATUS_FAILED);
	/* Net: what goes out makes room again, but not before it is known to have arrived. */
	const struct cs_hash sent = send(wrapped, 1);
	world_refuse_input(world, &world->anyone, WORLD_GATEWAY, retry, "CallFailed()", LAB_NONE);
	ends(&sent, WIRE_STATUS_DELIVERED);
	world_do_input(world, &world->anyone, WORLD_GATEWAY, retry);
	assert_int_equal(flow_of(bridge, wrapped), 10);
	/* What came in makes room for 10 more to go out. */
	(void)send(wrapped, 10);
	bridge_next_window(bridge);
	assert_int_equal(flow_of(bridge, wrapped), 0);
	comes(wrapped, 4, WIRE_STATUS_DELIVERED);
	(void)send(wrapped, 4);
	bridge_next_window(bridge);
	comes(wrapped, 9, WIRE_STATUS_DELIVERED);
	bridge_next_window(bridge);
	(void)send(wrapped, 4);
	refuse_out(wrapped, 1);
}

/* A broken remote sends 100, forges a message of 110 and the death of what was sent: it would have 110
 * of others. */
static void test_sending_and_taking_back_moves_no_bound(void **state)
{
	(void)state;
	bridge_later_cap(bridge, token, 10, 100);
	for (unsigned i = 0; i < 2; i++) {
		through(token, 100); /* others' */
		bridge_next_window(bridge);
	}
	const struct cs_hash sent = send(token, 100);
	const uint64_t before = asset_balance(bridge, token, &bridge->address);
	assert_room(bridge, token, home, 10, 0);
	comes(token, 110, WIRE_STATUS_FAILED);
	comes(token, 11, WIRE_STATUS_FAILED);
	comes(token, 10, WIRE_STATUS_DELIVERED);
	comes(token, 1, WIRE_STATUS_FAILED);
	ends(&sent, WIRE_STATUS_DEAD);
	assert_int_equal(before - asset_balance(bridge, token, &bridge->address), 110);
	assert_int_equal(locked_of(bridge, token, home), 190);
	/* The refund made room in neither direction; the 10 that came in did. */
	comes(token, 1, WIRE_STATUS_FAILED);
	assert_room(bridge, token, home, 0, 10);
}

/* Else a forged message would spend it, and its refund would find nothing. */
static void test_what_is_pending_cannot_come_back(void **state)
{
	(void)state;
	const struct cs_hash first = send(token, 10), second = send(token, 20);
	comes(token, 1, WIRE_STATUS_FAILED);
	ends(&first, WIRE_STATUS_DELIVERED);
	comes(token, 11, WIRE_STATUS_FAILED);
	comes(token, 10, WIRE_STATUS_DELIVERED);
	ends(&second, WIRE_STATUS_DEAD);
	assert_int_equal(asset_balance(bridge, token, &bridge->address), 0);
	assert_int_equal(locked_of(bridge, token, home), 0);
	assert_int_equal(asset_balance(bridge, token, &world->user), 1000);
}

static void test_delivery_counts_in_the_window_that_knows_it(void **state)
{
	(void)state;
	bridge_later_cap(bridge, token, 5, 100);
	const struct cs_hash first = send(token, 50), second = send(token, 20);
	bridge_next_window(bridge);
	ends(&first, WIRE_STATUS_DELIVERED);
	assert_room(bridge, token, home, 55, 100);
	comes(token, 30, WIRE_STATUS_DELIVERED);
	assert_room(bridge, token, home, 25, 130);
	bridge_next_window(bridge);
	assert_room(bridge, token, home, 5, 100);
	comes(token, 6, WIRE_STATUS_FAILED);
	ends(&second, WIRE_STATUS_DELIVERED);
	/* What the window before did not use is gone. */
	assert_room(bridge, token, home, 25, 100);
	comes(token, 25, WIRE_STATUS_DELIVERED);
}

static void test_delivery_to_one_chain_makes_no_room_for_another(void **state)
{
	(void)state;
	struct remote other = other_chain();
	bridge_later_cap(bridge, token, 5, 100);
	const struct cs_hash sent = transfer_to(bridge, &other, token, lab_word(50));
	outcome(bridge, &other, &sent, WIRE_STATUS_DELIVERED);
	bridge_next_window(bridge);
	through(token, 40);
	assert_room(bridge, token, home, 45, 60);
	assert_room(bridge, token, &other, 5, 60);
	assert_int_equal(comes_from(&other, 6), WIRE_STATUS_FAILED);
	assert_int_equal(comes_from(&other, 5), WIRE_STATUS_DELIVERED);
	comes(token, 40, WIRE_STATUS_DELIVERED);
	assert_room(bridge, token, home, 0, 105);
}

/* Sending and taking back, over and over, makes no room in either direction. */
static void test_refunds_pass_the_cap(void **state)
{
	(void)state;
	struct cs_hash sent[3];
	bridge_later_cap(bridge, token, 5, 100);
	through(token, 50);
	bridge_next_window(bridge);
	for (size_t i = 0; i < CS_LEN(sent); i++)
		sent[i] = send(token, 10);
	assert_room(bridge, token, home, 5, 70);
	ends(&sent[0], WIRE_STATUS_DEAD);
	assert_room(bridge, token, home, 5, 70);
	lower(0, 0);
	ends(&sent[1], WIRE_STATUS_DEAD);
	ends(&sent[2], WIRE_STATUS_DEAD);
	assert_int_equal(asset_balance(bridge, token, &bridge->address), 50);
	assert_int_equal(locked_of(bridge, token, home), 50);
	bridge_next_window(bridge);
	comes(token, 1, WIRE_STATUS_FAILED);
	refuse_out(token, 1);
}

/* Whatever had made room in this window. */
static void test_a_cap_of_zero_stops_at_once(void **state)
{
	(void)state;
	bridge_later_cap(bridge, token, 1000, 100);
	through(token, 50);
	comes(token, 10, WIRE_STATUS_DELIVERED);
	lower(0, 100);
	assert_room(bridge, token, home, 0, 60);
	comes(token, 1, WIRE_STATUS_FAILED);
	(void)send(token, 1);
	lower(0, 0);
	assert_room(bridge, token, home, 0, 0);
	refuse_out(token, 1);
}

static void huge_out(const struct cs_address *asset, struct cs_hash amount, bool arrives)
{
	const struct cs_hash id = transfer(bridge, asset, amount);
	if (arrives)
		ends(&id, WIRE_STATUS_DELIVERED);
}

/* The word of a view with an asset and a chain, as it is. */
static struct cs_hash sum_of(struct cs_hash a, struct cs_hash b)
{
	struct cs_u256 x = cs_u256_from_word(&a), y = cs_u256_from_word(&b);
	assert_ok(cs_u256_add(&x, &x, &y));
	return cs_u256_word(&x);
}

/* Amounts at the widths of what counts them: refused or saturated, never wrapped, and no refund is
 * stopped. */
static void test_bounds_of_the_books(void **state)
{
	(void)state;
	const struct cs_hash cap = power(128, 1), most = power(111, 1), room96 = power(96, 1);
	const struct cs_address huge = asset_make(bridge, "huge", &bridge->maker);
	bridge_token(bridge, &huge, home, lab_word(4), LOCK);
	bridge_cap(bridge, &huge, cap, cap);
	asset_give(bridge, &huge, &world->user, power(200, 0));
	struct room room = room_of(bridge, &huge, home);
	assert_hash(room.in, most);
	assert_hash(room.out, most);
	transfer_refused(bridge, &huge, power(111, 0), "CapExceeded()");
	transfer_refused(bridge, &huge, cap, "CapExceeded()");
	huge_out(&huge, most, true);
	room = room_of(bridge, &huge, home);
	assert_hash(room.in, sum_of(most, room96)); /* room saturates */
	assert_hash(room.out, lab_word(0));
	refuse_out(&huge, 1);
	assert_int_equal(receive(bridge, &huge, cap, &world->user), WIRE_STATUS_FAILED);
	assert_int_equal(receive(bridge, &huge, most, &world->user), WIRE_STATUS_DELIVERED);
	bridge_next_window(bridge);
	huge_out(&huge, most, true);
	bridge_next_window(bridge);
	const struct cs_hash sent = transfer(bridge, &huge, power(96, 0));
	bridge_next_window(bridge);
	ends(&sent, WIRE_STATUS_DELIVERED);
	assert_int_equal(receive(bridge, &huge, most, &world->user), WIRE_STATUS_DELIVERED);
	assert_int_equal(receive(bridge, &huge, power(96, 0), &world->user), WIRE_STATUS_FAILED);
	assert_int_equal(receive(bridge, &huge, room96, &world->user), WIRE_STATUS_DELIVERED);
	/* What a window can count. */
	assert_hash(
		lab_ask(world->lab, BRIDGE, "flowOf(address)", LAB_WORDS(lab_address_word(&huge))),
		power(111, 0));
	room = room_of(bridge, &huge, home);
	assert_hash(room.in, lab_word(0));
	assert_hash(room.out, power(112, 1));
	huge_out(&huge, power(96, 0), false);
	assert_int_equal(locked_of(bridge, &huge, home), 1);
}

static void test_powers_over_caps(void **state)
{
	(void)state;
	const struct cs_hash asset = lab_address_word(token), cap = lab_word(BRIDGE_CAP);
	const struct cs_hash more = lab_word(BRIDGE_CAP + 1), one = lab_word(1), two = lab_word(2);
	static const char lower_cap[] = "lowerCap(address,uint128,uint128)";
	world_refuse(world, &world->owner, BRIDGE, "OperationUnknown()", SET_CAP,
		     LAB_WORDS(asset, cap, more));
	world_refuse(world, &world->guardian, BRIDGE, "CapNotLower()", lower_cap,
		     LAB_WORDS(asset, cap, more));
	world_refuse(world, &world->guardian, BRIDGE, "CapNotLower()", lower_cap,
		     LAB_WORDS(asset, more, cap));
	world_refuse(world, &world->anyone, BRIDGE, "NotOwnerOrGuardian()", lower_cap,
		     LAB_WORDS(asset, one, one));
	world_refuse(world, &world->owner, BRIDGE, "TokenUnknown()", SET_CAP,
		     LAB_WORDS(lab_address_word(&world->user), one, one));
	world_refuse(world, &world->owner, BRIDGE, NULL, SET_CAP,
		     LAB_WORDS(asset, power(128, 0), one));
	const struct cs_address fresh = asset_make(bridge, "new", &bridge->maker);
	const struct cs_hash new = lab_address_word(&fresh);
	bridge_token(bridge, &fresh, home, lab_word(4), LOCK);
	comes(&fresh, 1, WIRE_STATUS_FAILED); /* caps begin at zero */
	asset_give(bridge, &fresh, &world->user, one);
	refuse_out(&fresh, 1);
	world_refuse(world, &world->guardian, BRIDGE, "NotOwner()", SET_CAP,
		     LAB_WORDS(new, one, one));
	bridge_cap(bridge, &fresh, one, one);
	world_refuse(world, &world->owner, BRIDGE, "OperationUnknown()", SET_CAP,
		     LAB_WORDS(new, two, two));
}

/* A ledger whose genesis founded no bridge has one that does nothing, and goes on. */
static void test_not_founded(void **state)
{
	(void)state;
	static const struct ledger_contract *const contracts[] = {&ledger_gateway, &ledger_bridge,
								  &ledger_assets};
	struct lab *lab = lab_new(contracts, CS_LEN(contracts));
	const struct cs_hash asset = lab_address_word(token);
	lab_refuse(lab, BRIDGE, "flowOf(address)", &asset, 1, "WindowInvalid()", LAB_NONE);
	lab_refuse(lab, BRIDGE, "setCap(address,uint128,uint128)",
		   LAB_WORDS(asset, lab_word(1), lab_word(1)), "TokenUnknown()", LAB_NONE);
	lab_refuse_input(
		lab, BRIDGE,
		transfer_call(token, lab_word(1), account_of("eip155:777", token), NULL, NULL, 0),
		"ChainUnknown()", LAB_NONE);
	lab_refuse_input(lab, BRIDGE, bytes_call("peerOf(bytes)", home->chain), "ChainUnknown()",
			 LAB_NONE);
	lab_free(lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
		TEST(test_caps_of_a_window),
		TEST(test_sending_and_taking_back_moves_no_bound),
		TEST(test_what_is_pending_cannot_come_back),
		TEST(test_delivery_counts_in_the_window_that_knows_it),
		TEST(test_delivery_to_one_chain_makes_no_room_for_another),
		TEST(test_refunds_pass_the_cap),
		TEST(test_a_cap_of_zero_stops_at_once),
		TEST(test_bounds_of_the_books),
		TEST(test_powers_over_caps),
		TEST(test_not_founded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
