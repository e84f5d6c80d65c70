/* Transfers over messages at the built-in bridge. The cases are those of tests/contracts/test_bridge.py,
 * by the same names where there is one; what lying tokens do is not possible with the ledger's assets. */
#include "tests/unit/ledger/bridge_lab.h"

static struct bridge_world *bridge;
static struct world *world;

static int set_up(void **state)
{
	(void)state;
	bridge = bridge_new();
	world = bridge->world;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	bridge_free(bridge);
	return 0;
}

#define REFUNDED "TransferRefunded(bytes32,address,address,uint256,bool)"

static uint64_t balance(const struct cs_address *asset, const struct cs_address *account)
{
	return asset_balance(bridge, asset, account);
}

static void refuse(const struct cs_address *from, struct cs_bytes input, const char *error)
{
	world_refuse_input(world, from, BRIDGE, input, error, LAB_NONE);
}

struct pending {
	struct cs_hash asset, amount, refund_to;
};

static struct pending pending_of(const struct cs_hash *id)
{
	struct pending pending;
	struct cs_bytes output = lab_call(world->lab, BRIDGE, "pendingOf(bytes32)", id, 1);
	assert_int_equal(output.n, sizeof pending);
	memcpy(&pending, output.p, sizeof pending);
	return pending;
}

/* ---- what should happen ---- */

static void test_lock(void **state)
{
	(void)state;
	const struct cs_hash sent = transfer(bridge, &bridge->token, lab_word(5));
	assert_int_equal(balance(&bridge->token, &world->user), 995);
	assert_int_equal(balance(&bridge->token, &bridge->address), 5);
	/* What is pending is not what may come back. */
	assert_int_equal(locked_of(bridge, &bridge->token, &world->remote), 0);
	assert_int_equal(flow_of(bridge, &bridge->token), -5);
	const struct pending pending = pending_of(&sent);
	assert_hash(pending.asset, lab_address_word(&bridge->token));
	assert_hash(pending.amount, lab_word(5));
	assert_hash(pending.refund_to, lab_address_word(&world->user));
}

static void test_message_of_a_transfer(void **state)
{
	(void)state;
	const struct cs_address to = lab_address(0xcc);
	const struct cs_bytes finality = attribute("finality(uint8)", lab_word(1));
	world_do_input(world, &world->user, BRIDGE,
		       transfer_call(&bridge->token, lab_word(9),
				     account_of(world->remote.caip2, &to), &world->closer,
				     &finality, 1));
	const struct ledger_log *log =
		lab_log(world->lab, "MessageSent(bytes32,bytes,bytes,bytes,uint256,bytes[])", 0);
	struct cs_abi_reader in;
	struct cs_bytes sender, recipient, payload, attributes[3];
	struct cs_hash value;
	size_t count;
	assert_ok(cs_abi_read(&in, log->data, 5));
	assert_ok(cs_abi_get_bytes(&in, 96, &sender));
	assert_ok(cs_abi_get_bytes(&in, 96, &recipient));
	assert_ok(cs_abi_get_bytes(&in, 1000, &payload));
	assert_ok(cs_abi_get_word(&in, &value));
	assert_ok(cs_abi_get_bytes_array(&in, CS_LEN(attributes), 100, attributes, &count));
	assert_bytes(sender, account_of(world->caip2, &bridge->address));
	assert_bytes(recipient, account_of(world->remote.caip2, &bridge->peer));
	assert_bytes(payload, payload_of(bridge->remote_token, lab_word(9), lab_address_word(&to)));
	assert_int_equal(count, 2);
	assert_bytes(attributes[0], finality);
	assert_bytes(attributes[1],
		     attribute("refundTo(address)", lab_address_word(&world->closer)));
	/* And the sender is the bridge, whatever account signed. */
	assert_hash(lab_ask(world->lab, WORLD_GATEWAY, "sentBy(bytes32)", &log->topics[1], 1),
		    lab_address_word(&bridge->address));
}

static void test_delivered_closes_the_refund(void **state)
{
	(void)state;
	const struct cs_hash sent = transfer(bridge, &bridge->token, lab_word(5));
	outcome(bridge, &world->remote, &sent, WIRE_STATUS_DELIVERED);
	assert_int_equal(lab_log_count(world->lab, "TransferCompleted(bytes32)"), 1);
	assert_hash(pending_of(&sent).amount, lab_word(0));
	assert_int_equal(locked_of(bridge, &bridge->token, &world->remote), 5);
	refuse(&world->anyone, words_call("settle(bytes32)", &sent, 1), "NotPending()");
}

static void dead_refunds(const struct cs_address *target)
{
	const struct cs_address to = lab_address(0xcc);
	const uint64_t before = balance(&bridge->token, target);
	world_do_input(world, &world->user, BRIDGE,
		       transfer_call(&bridge->token, lab_word(5),
				     account_of(world->remote.caip2, &to), target, NULL, 0));
	const struct cs_hash sent =
		lab_log(world->lab, "TransferSent(bytes32,address,address,bytes,uint256,address)",
			0)
			->topics[1];
	outcome(bridge, &world->remote, &sent, WIRE_STATUS_DEAD);
	const struct ledger_log *log = lab_log(world->lab, REFUNDED, 0);
	const struct cs_hash want[] = {lab_word(5), lab_word(1)};
	assert_bytes(log->data, cs_bytes(want, sizeof want));
	const uint64_t back = cs_address_eq(target, &world->user) ? 0 : 5;
	assert_int_equal(balance(&bridge->token, target), before + back);
	assert_int_equal(balance(&bridge->token, &bridge->address), 0);
	assert_int_equal(locked_of(bridge, &bridge->token, &world->remote), 0);
	assert_int_equal(flow_of(bridge, &bridge->token), -5);
	refuse(&world->anyone, words_call("settle(bytes32)", &sent, 1), "NotPending()");
}

static void test_dead_refunds(void **state)
{
	(void)state;
	dead_refunds(&world->user);
}

static void test_dead_refunds_another(void **state)
{
	(void)state;
	dead_refunds(&world->closer);
}

static void test_mint_burn_refund(void **state)
{
	(void)state;
	assert_int_equal(receive(bridge, &bridge->wrapped, lab_word(7), &world->user),
			 WIRE_STATUS_DELIVERED);
	assert_int_equal(balance(&bridge->wrapped, &world->user), 7);
	assert_int_equal(asset_supply(bridge, &bridge->wrapped), 7);
	struct cs_hash sent = transfer(bridge, &bridge->wrapped, lab_word(3));
	assert_int_equal(asset_supply(bridge, &bridge->wrapped), 4);
	outcome(bridge, &world->remote, &sent, WIRE_STATUS_DEAD);
	assert_int_equal(balance(&bridge->wrapped, &world->user), 7);
	sent = transfer(bridge, &bridge->wrapped, lab_word(7));
	outcome(bridge, &world->remote, &sent, WIRE_STATUS_DELIVERED);
	assert_int_equal(asset_supply(bridge, &bridge->wrapped), 0);
}

static void test_release(void **state)
{
	(void)state;
	send_through(bridge, &bridge->token, lab_word(5));
	assert_int_equal(receive(bridge, &bridge->token, lab_word(2), NULL), WIRE_STATUS_DELIVERED);
	assert_int_equal(balance(&bridge->token, &world->anyone), 2);
	assert_int_equal(locked_of(bridge, &bridge->token, &world->remote), 3);
	assert_int_equal(balance(&bridge->token, &bridge->address), 3);
}

static void test_failed_then_retried(void **state)
{
	(void)state;
	send_through(bridge, &bridge->token, lab_word(5));
	bridge_frozen = world->anyone;
	const struct wire_message message =
		incoming(bridge, &bridge->token, lab_word(1), &world->anyone);
	assert_int_equal(attempt(bridge, &world->remote, &message), WIRE_STATUS_FAILED);
	assert_int_equal(locked_of(bridge, &bridge->token, &world->remote), 5);
	bridge_frozen = (struct cs_address){{0}};
	world_do_input(world, &world->anyone, WORLD_GATEWAY,
		       call_one(world, &world->remote, WIRE_CALL_RETRY, &message));
	assert_int_equal(status_of(world, &message), WIRE_STATUS_DELIVERED);
	assert_int_equal(balance(&bridge->token, &world->anyone), 1);
}

static struct cs_bytes quote_of(struct cs_bytes recipient)
{
	uint8_t *memory = keep(1000);
	struct cs_buf buf;
	struct cs_abi abi;
	cs_buf_init(&buf, memory, 1000);
	cs_abi_call(&abi, &buf, "quote(bytes,bytes[])");
	size_t slot = cs_abi_slot(&abi), attributes = cs_abi_slot(&abi);
	cs_abi_put_bytes(&abi, slot, recipient);
	cs_abi_enter_array(&abi, attributes, 0);
	cs_abi_leave(&abi);
	assert_ok(cs_buf_end(&buf));
	return cs_buf_view(&buf);
}

static void test_fee_and_quote(void **state)
{
	(void)state;
	const struct cs_address to = lab_address(0xcc);
	const struct cs_address gateway = ledger_contract_address(WORLD_GATEWAY);
	struct cs_bytes there = account_of(world->remote.caip2, &to), output;
	struct route_row row = route_default(&world->remote);
	row.words[ROUTE_FEE_BASE] = lab_word(1000);
	row.words[ROUTE_FEE_PER_BYTE] = lab_word(1);
	world_do(world, &world->owner, WORLD_GATEWAY, SET_ROUTE, &row.remote, 1 + ROUTE_WORDS);
	lab_fund(world->lab, &world->user, 5000);
	assert_true(lab_try(world->lab, &output, BRIDGE, quote_of(there)));
	assert_int_equal(cs_be64(output.p + 24), 1128);
	struct cs_bytes input = transfer_call(&bridge->token, lab_word(1), there, NULL, NULL, 0);
	world->lab->value = cs_u256_u64(1127);
	world_refuse_input(world, &world->user, BRIDGE, input, "FeeNotExact(uint256)",
			   LAB_WORDS(lab_word(1128)));
	assert_int_equal(lab_funds(world->lab, &world->user), 5000);
	world->lab->value = cs_u256_u64(1128);
	world_do_input(world, &world->user, BRIDGE, input);
	assert_int_equal(lab_funds(world->lab, &gateway), 1128);
	assert_int_equal(lab_funds(world->lab, &bridge->address), 0);
	assert_int_equal(lab_funds(world->lab, &world->user), 3872);
}

/* ---- refusals at the source ---- */

static void test_amount_refused(void **state)
{
	(void)state;
	const struct cs_hash amounts[] = {lab_word(0), power(128, 0), lab_byte_word(0xff)};
	for (size_t i = 0; i < CS_LEN(amounts); i++)
		transfer_refused(bridge, &bridge->token, amounts[i], "AmountInvalid()");
}

static void test_transfer_refused(void **state)
{
	(void)state;
	const struct cs_address to = lab_address(0xcc);
	struct cs_bytes there = account_of(world->remote.caip2, &to);
	const struct cs_address other = asset_make(bridge, "other", &bridge->maker);
	const struct cs_hash one = lab_word(1);
	const struct cs_bytes refund = attribute("refundTo(address)", lab_address_word(&to));
	struct cs_bytes many[16];
	transfer_refused(bridge, &other, one, "TokenUnknown()");
	refuse(&world->user,
	       transfer_call(&bridge->token, one, account_of("eip155:5", &to), NULL, NULL, 0),
	       "ChainUnknown()");
	refuse(&world->user, transfer_call(&bridge->token, one, world->remote.chain, NULL, NULL, 0),
	       "RecipientInvalid()");
	refuse(&world->user, transfer_call(&bridge->token, one, unhex("0001"), NULL, NULL, 0),
	       "BadInteroperableAddress()");
	/* It could never claim it. */
	refuse(&world->user, transfer_call(&bridge->token, one, there, &bridge->address, NULL, 0),
	       "RecipientInvalid()");
	struct cs_hash selector = {{0}};
	memcpy(selector.b, refund.p, 4);
	world_refuse_input(world, &world->user, BRIDGE,
			   transfer_call(&bridge->token, one, there, NULL, &refund, 1),
			   "AttributeTwice(bytes4)", &selector, 1);
	for (size_t i = 0; i < CS_LEN(many); i++)
		many[i] = refund;
	refuse(&world->user, transfer_call(&bridge->token, one, there, NULL, many, CS_LEN(many)),
	       NULL);
	world_refuse_input(world, &world->anyone, BRIDGE,
			   transfer_call(&bridge->token, one, there, NULL, NULL, 0),
			   "ERC20InsufficientBalance(address,uint256,uint256)",
			   LAB_WORDS(lab_address_word(&world->anyone), lab_word(0), one));
	world_refuse_input(world, &world->anyone, BRIDGE,
			   transfer_call(&bridge->wrapped, one, there, NULL, NULL, 0),
			   "ERC20InsufficientBalance(address,uint256,uint256)",
			   LAB_WORDS(lab_address_word(&world->anyone), lab_word(0), one));
	world_do(world, &world->guardian, BRIDGE, "pause()", LAB_NONE);
	transfer_refused(bridge, &bridge->token, one, "InPause()");
	world_do(world, &world->owner, BRIDGE, "unpause()", LAB_NONE);
	world_route(world, &world->remote, ROUTE_LIFETIME_MAX, lab_word(0));
	transfer_refused(bridge, &bridge->token, one, "RouteClosed()");
	assert_int_equal(balance(&bridge->token, &bridge->address), 0);
	assert_int_equal(flow_of(bridge, &bridge->token), 0);
}

/* The bridge takes of its caller alone: nobody else's allowance or word is asked, and nobody else's
 * assets are moved. */
static void test_only_the_callers_assets(void **state)
{
	(void)state;
	const struct cs_hash one = lab_word(1);
	world_refuse_input(world, &world->anyone, ASSETS,
			   words_call("transferFrom(address,address,address,uint256)",
				      LAB_WORDS(lab_address_word(&bridge->token),
						lab_address_word(&world->user),
						lab_address_word(&world->anyone), one)),
			   "ERC20InsufficientAllowance(address,uint256,uint256)",
			   LAB_WORDS(lab_address_word(&world->anyone), lab_word(0), one));
	/* A contract that calls for somebody moves its own. */
	const struct cs_address to = lab_address(0xcc);
	struct cs_bytes data = transfer_call(&bridge->token, one,
					     account_of(world->remote.caip2, &to), NULL, NULL, 0);
	world_refuse_input(world, &world->user, WORLD_APP, app_run(&bridge->address, 0, data),
			   "ERC20InsufficientBalance(address,uint256,uint256)",
			   LAB_WORDS(lab_address_word(&world->app), lab_word(0), one));
}

/* ---- refusals at the destination ---- */

static struct cs_bytes receive_call(struct cs_bytes sender, struct cs_bytes payload)
{
	uint8_t *memory = keep(2000);
	struct cs_buf buf;
	struct cs_abi abi;
	const struct cs_hash zero = {{0}};
	cs_buf_init(&buf, memory, 2000);
	cs_abi_call(&abi, &buf, "receiveMessage(bytes32,bytes,bytes)");
	cs_abi_put_word(&abi, &zero);
	size_t slot_sender = cs_abi_slot(&abi), slot_payload = cs_abi_slot(&abi);
	cs_abi_put_bytes(&abi, slot_sender, sender);
	cs_abi_put_bytes(&abi, slot_payload, payload);
	assert_ok(cs_buf_end(&buf));
	return cs_buf_view(&buf);
}

static void test_receive_only_from_the_gateway(void **state)
{
	(void)state;
	struct cs_bytes payload = payload_of(lab_address_word(&bridge->wrapped), lab_word(1),
					     lab_address_word(&world->user));
	struct cs_bytes sender = account_of(world->remote.caip2, &bridge->peer);
	const struct cs_hash zero = {{0}};
	const struct cs_address *const people[] = {&world->user, &world->owner};
	for (size_t i = 0; i < CS_LEN(people); i++) {
		refuse(people[i], receive_call(sender, payload), "OnlyGateway()");
		refuse(people[i],
		       words_call("onOutcome(bytes32,uint8)", LAB_WORDS(zero, lab_word(3))),
		       "OnlyGateway()");
		world_refuse(world, people[i], ASSETS, "OnlyMinter()",
			     "mint(address,address,uint256)",
			     LAB_WORDS(lab_address_word(&bridge->wrapped),
				       lab_address_word(people[i]), lab_word(1)));
	}
	refuse(&world->user, app_run(&bridge->address, 0, CS_BYTES_NONE), NULL);
	world_refuse_input(world, &world->user, WORLD_APP,
			   app_run(&bridge->address, 0, receive_call(sender, payload)),
			   "OnlyGateway()", LAB_NONE);
}

static void test_receive_only_from_the_peer(void **state)
{
	(void)state;
	const struct cs_address other = lab_address(0xbc);
	struct cs_bytes peer = account_of(world->remote.caip2, &bridge->peer);
	uint8_t *longer = keep(peer.n + 1);
	memcpy(longer, peer.p, peer.n);
	const struct cs_bytes senders[] = {account_of(world->remote.caip2, &other),
					   cs_bytes(longer, peer.n + 1),
					   cs_bytes(peer.p, peer.n - 1), cs_bytes(peer.p, 8)};
	for (size_t i = 0; i < CS_LEN(senders); i++) {
		struct wire_message message =
			incoming(bridge, &bridge->wrapped, lab_word(1), &world->user);
		message.sender = senders[i];
		assert_int_equal(attempt(bridge, &world->remote, &message), WIRE_STATUS_FAILED);
	}
	assert_int_equal(asset_supply(bridge, &bridge->wrapped), 0);
}

static void test_peer_address_on_another_chain(void **state)
{
	(void)state;
	struct remote other = remote_make(world, "cosmos:ledger-5", "other");
	world_register(world, &other);
	assert_int_equal(receive_from(bridge, &other, &bridge->peer, &bridge->wrapped, lab_word(1),
				      &world->user),
			 WIRE_STATUS_FAILED);
	/* Nor does its key speak in the peer's name. */
	struct wire_message message =
		message_to(world, &other, &bridge->address,
			   payload_of(lab_address_word(&bridge->wrapped), lab_word(1),
				      lab_address_word(&world->user)));
	message.sender = account_of(world->remote.caip2, &bridge->peer);
	world_refuse_input(world, &world->anyone, WORLD_GATEWAY,
			   call_one(world, &other, WIRE_CALL_DELIVER, &message), "SenderForeign()",
			   LAB_NONE);
	assert_int_equal(asset_supply(bridge, &bridge->wrapped), 0);
}

static void test_payload_refused(void **state)
{
	(void)state;
	const struct cs_hash token = lab_address_word(&bridge->wrapped), one = lab_word(1);
	const struct cs_hash to = lab_address_word(&world->user), zero = {{0}};
	struct cs_hash dirty_token = token, dirty_to = to;
	dirty_token.b[0] = 1;
	dirty_to.b[0] = 1;
	struct cs_bytes good = payload_of(token, one, to), tagged = payload_of(token, one, to);
	uint8_t *longer = keep(good.n + 1), *other_tag = keep(good.n);
	memcpy(longer, good.p, good.n);
	memcpy(other_tag, tagged.p, tagged.n);
	memset(other_tag, 0, 31);
	other_tag[31] = 1;
	const struct cs_bytes payloads[] = {
		cs_bytes(good.p, good.n - 1),
		cs_bytes(longer, good.n + 1),
		CS_BYTES_NONE,
		cs_bytes(other_tag, good.n),
		payload_of(dirty_token, one, to),
		payload_of(token, one, dirty_to),
		payload_of(lab_word(5), one, to),
		payload_of(token, lab_word(0), to),
		payload_of(token, power(128, 0), to),
		payload_of(token, one, lab_address_word(&bridge->address)),
		payload_of(token, one, zero),
	};
	for (size_t i = 0; i < CS_LEN(payloads); i++) {
		struct wire_message message = incoming(bridge, &bridge->wrapped, one, &world->user);
		message.payload = payloads[i];
		assert_int_equal(attempt(bridge, &world->remote, &message), WIRE_STATUS_FAILED);
	}
	assert_int_equal(asset_supply(bridge, &bridge->wrapped), 0);
	assert_int_equal(flow_of(bridge, &bridge->wrapped), 0);
}

static void test_release_of_more_than_was_locked(void **state)
{
	(void)state;
	send_through(bridge, &bridge->token, lab_word(5));
	/* A gift is nobody's. */
	world_do(world, &world->user, ASSETS, "transfer(address,address,uint256)",
		 LAB_WORDS(lab_address_word(&bridge->token), lab_address_word(&bridge->address),
			   lab_word(5)));
	assert_int_equal(receive(bridge, &bridge->token, lab_word(6), NULL), WIRE_STATUS_FAILED);
	assert_int_equal(receive(bridge, &bridge->token, lab_word(5), NULL), WIRE_STATUS_DELIVERED);
}

static void test_one_chain_cannot_release_what_another_locked(void **state)
{
	(void)state;
	const struct cs_address peer = lab_address(0xbd);
	struct remote other = remote_make(world, "eip155:5", "other");
	world_register(world, &other);
	world_do_input(world, &world->owner, BRIDGE, peer_call(other.caip2, &peer));
	bridge_token(bridge, &bridge->token, &other, lab_word(9), LOCK);
	send_through(bridge, &bridge->token, lab_word(5));
	assert_int_equal(
		receive_from(bridge, &other, &peer, &bridge->token, lab_word(1), &world->user),
		WIRE_STATUS_FAILED);
}

/* ---- refunds ---- */

static void test_refund_is_pulled_if_the_push_fails(void **state)
{
	(void)state;
	const struct cs_hash token = lab_address_word(&bridge->token);
	static const char claim[] = "claim(address,address)";
	const struct cs_hash sent = transfer(bridge, &bridge->token, lab_word(5));
	bridge_frozen = world->user;
	outcome(bridge, &world->remote, &sent, WIRE_STATUS_DEAD);
	const struct cs_hash want[] = {lab_word(5), lab_word(0)};
	assert_bytes(lab_log(world->lab, REFUNDED, 0)->data, cs_bytes(want, sizeof want));
	assert_int_equal(claimable_of(bridge, &bridge->token, &world->user), 5);
	refuse(&world->anyone,
	       words_call(claim, LAB_WORDS(token, lab_address_word(&world->anyone))),
	       "NothingToClaim()");
	refuse(&world->user, words_call(claim, LAB_WORDS(token, lab_address_word(&world->user))),
	       "Frozen()");
	world_do(world, &world->user, BRIDGE, claim,
		 LAB_WORDS(token, lab_address_word(&world->closer)));
	assert_int_equal(balance(&bridge->token, &world->closer), 5);
	assert_int_equal(balance(&bridge->token, &bridge->address), 0);
	refuse(&world->user, words_call(claim, LAB_WORDS(token, lab_address_word(&world->user))),
	       "NothingToClaim()");
}

static void test_settle_needs_an_outcome(void **state)
{
	(void)state;
	const struct cs_hash sent = transfer(bridge, &bridge->token, lab_word(1)),
			     one = lab_word(1);
	refuse(&world->anyone, words_call("settle(bytes32)", &sent, 1), "NotFinal()");
	refuse(&world->anyone, words_call("settle(bytes32)", &one, 1), "NotPending()");
}

/* An outcome that the bridge could not hear is settled by anybody from the gateway's record. */
static void test_settle(void **state)
{
	(void)state;
	const struct cs_hash sent = transfer(bridge, &bridge->token, lab_word(1));
	/* The gateway's record without the bridge: as after an onOutcome that ran out of gas. */
	const struct cs_hash slot = wire_evm_sent_slot(&sent);
	uint8_t key[2 + sizeof slot] = {WORLD_GATEWAY, 's'}, word[32];
	struct cs_bytes value;
	memcpy(key + 2, slot.b, sizeof slot);
	assert_ok(ledger_state_get(world->lab->state, &value, CS_BYTES_OF(key)));
	memcpy(word, value.p, sizeof word);
	word[7] = WIRE_STATUS_DEAD;
	assert_ok(ledger_state_put(world->lab->state, CS_BYTES_OF(key), CS_BYTES_OF(word)));
	world_do(world, &world->anyone, BRIDGE, "settle(bytes32)", &sent, 1);
	assert_int_equal(lab_log_count(world->lab, REFUNDED), 1);
	assert_int_equal(balance(&bridge->token, &world->user), 1000);
}

static void test_refund_is_not_stopped_by_a_pause(void **state)
{
	(void)state;
	const struct cs_hash sent = transfer(bridge, &bridge->token, lab_word(1));
	world_do(world, &world->guardian, BRIDGE, "pause()", LAB_NONE);
	world_do(world, &world->guardian, WORLD_GATEWAY, "pause()", LAB_NONE);
	outcome(bridge, &world->remote, &sent, WIRE_STATUS_DEAD);
	assert_int_equal(balance(&bridge->token, &world->user), 1000);
}

/* ---- registration ---- */

static void test_registration(void **state)
{
	(void)state;
	const struct cs_address other_peer = lab_address(0x01), peer = lab_address(0xbd);
	const struct cs_address nothing = {{0}};
	struct cs_bytes five = account_of("eip155:5", NULL), here = world->remote.chain;
	const struct cs_hash three = lab_word(3);
	const struct cs_address *token = &bridge->token, *wrapped = &bridge->wrapped;
	struct cs_bytes good = account_of(world->remote.caip2, &bridge->peer);
	uint8_t *longer = keep(good.n + 1);
	memcpy(longer, good.p, good.n);
	refuse(&world->owner, peer_call(world->remote.caip2, &bridge->peer), "PeerKnown()");
	refuse(&world->owner, peer_call(world->remote.caip2, &other_peer), "PeerKnown()");
	refuse(&world->owner, bytes_call("addPeer(bytes)", five), "RecipientInvalid()");
	refuse(&world->owner, bytes_call("addPeer(bytes)", cs_bytes(longer, good.n + 1)),
	       "BadInteroperableAddress()");
	refuse(&world->owner, token_call(token, here, three, LOCK), "TokenKnown()");
	refuse(&world->owner, token_call(token, here, three, MINT), "TokenModeMismatch()");
	refuse(&world->owner, token_call(token, five, three, LOCK), "ChainUnknown()");
	world_do_input(world, &world->owner, BRIDGE, peer_call("eip155:5", &peer));
	refuse(&world->owner, token_call(wrapped, five, three, MINT), "TokenModeMismatch()");
	refuse(&world->owner, token_call(wrapped, five, three, LOCK), "TokenModeMismatch()");
	refuse(&world->owner, token_call(&world->user, five, lab_word(0), LOCK),
	       "TokenModeMismatch()");
	refuse(&world->owner, token_call(&world->user, five, three, 0), "TokenModeMismatch()");
	refuse(&world->owner, token_call(&nothing, five, three, LOCK), "TokenModeMismatch()");
	refuse(&world->owner, token_call(&world->user, five, three, 3), NULL);
	/* What stands for a token abroad has one token behind it here. */
	for (unsigned mode = LOCK; mode <= MINT; mode++) {
		const struct cs_address fake = lab_address((uint8_t)(0xf0 + mode));
		refuse(&world->owner, token_call(&fake, here, bridge->remote_token, mode),
		       "TokenKnown()");
		refuse(&world->owner, token_call(&fake, here, bridge->remote_home, mode),
		       "TokenKnown()");
		world_do_input(world, &world->owner, BRIDGE,
			       token_call(&fake, five, lab_word(100 + mode), mode));
	}
	const struct cs_address *const others[] = {&world->guardian, &world->anyone};
	for (size_t i = 0; i < CS_LEN(others); i++) {
		refuse(others[i], peer_call("eip155:6", &peer), "NotOwner()");
		refuse(others[i], token_call(&world->user, five, three, LOCK), "NotOwner()");
	}
	assert_hash(lab_ask(world->lab, BRIDGE, "chainCount()", LAB_NONE), lab_word(2));
	assert_hash(lab_ask(world->lab, BRIDGE, "tokenCount()", LAB_NONE), lab_word(4));
}

static void test_views(void **state)
{
	(void)state;
	const struct cs_address gateway = ledger_contract_address(WORLD_GATEWAY);
	struct cs_bytes output, peer;
	struct cs_abi_reader in;
	lab_check_table(&ledger_bridge);
	assert_true(lab_try(world->lab, &output, BRIDGE,
			    bytes_call("peerOf(bytes)", world->remote.chain)));
	assert_ok(cs_abi_read(&in, output, 1));
	assert_ok(cs_abi_get_bytes(&in, 96, &peer));
	assert_ok(cs_abi_end(&in));
	assert_bytes(peer, account_of(world->remote.caip2, &bridge->peer));
	assert_hash(lab_ask(world->lab, BRIDGE, "gateway()", LAB_NONE), lab_address_word(&gateway));
	assert_hash(lab_ask(world->lab, BRIDGE, "window()", LAB_NONE), lab_word(BRIDGE_WINDOW));
	assert_hash(lab_ask(world->lab, BRIDGE, "owner()", LAB_NONE),
		    lab_address_word(&world->owner));
	const struct cs_hash token[] = {lab_word(LOCK), lab_word(1), lab_word(0)};
	const struct cs_hash wrapped[] = {lab_word(MINT), lab_word(2), lab_word(1)};
	const struct cs_hash caps[] = {lab_word(BRIDGE_CAP), lab_word(BRIDGE_CAP)};
	assert_bytes(lab_call(world->lab, BRIDGE, "tokens(address)",
			      LAB_WORDS(lab_address_word(&bridge->token))),
		     cs_bytes(token, sizeof token));
	assert_bytes(lab_call(world->lab, BRIDGE, "tokens(address)",
			      LAB_WORDS(lab_address_word(&bridge->wrapped))),
		     cs_bytes(wrapped, sizeof wrapped));
	assert_bytes(lab_call(world->lab, BRIDGE, "caps(address)",
			      LAB_WORDS(lab_address_word(&bridge->token))),
		     cs_bytes(caps, sizeof caps));
	/* The owner's and the pause are this contract's own. */
	world_do(world, &world->owner, WORLD_GATEWAY, "pause()", LAB_NONE);
	assert_hash(lab_ask(world->lab, BRIDGE, "paused()", LAB_NONE), lab_word(0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
		TEST(test_lock),
		TEST(test_message_of_a_transfer),
		TEST(test_delivered_closes_the_refund),
		TEST(test_dead_refunds),
		TEST(test_dead_refunds_another),
		TEST(test_mint_burn_refund),
		TEST(test_release),
		TEST(test_failed_then_retried),
		TEST(test_fee_and_quote),
		TEST(test_amount_refused),
		TEST(test_transfer_refused),
		TEST(test_only_the_callers_assets),
		TEST(test_receive_only_from_the_gateway),
		TEST(test_receive_only_from_the_peer),
		TEST(test_peer_address_on_another_chain),
		TEST(test_payload_refused),
		TEST(test_release_of_more_than_was_locked),
		TEST(test_one_chain_cannot_release_what_another_locked),
		TEST(test_refund_is_pulled_if_the_push_fails),
		TEST(test_settle_needs_an_outcome),
		TEST(test_settle),
		TEST(test_refund_is_not_stopped_by_a_pause),
		TEST(test_registration),
		TEST(test_views),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
