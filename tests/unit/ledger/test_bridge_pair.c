/* Two ledgers with a bridge each, and an honest enclave between them that signs what it sees: random
 * sequences of sending, delivering, retrying, closing, expiring and finalizing, in any order and
 * repeated. Whatever happens, nothing is both delivered and refunded, and value is conserved. A failure
 * names its seed. */
#include "core/hash.h"
#include "tests/unit/ledger/bridge_lab.h"

#define TRANSFERS_MAX 128u
#define STEPS 500u
#define GIVEN 100000u

struct side {
	struct bridge_world *bridge;
	struct world *world;
	struct remote other; /* the other side, as this one knows it */
	struct cs_address asset;
};

struct flight {
	unsigned from;
	uint64_t amount;
	struct cs_hash id;
	struct wire_message message;
	bool is_closable;
	bool delivered; /* at its destination */
	bool refunded;  /* at its source */
	bool completed;
};

struct run {
	uint64_t seed;
	uint64_t random;
	struct side sides[2];
	struct flight flights[TRANSFERS_MAX];
	size_t count;
	size_t delivered, refunded, retried;
};

static uint64_t next_random(struct run *run, uint64_t below)
{
	run->random ^= run->random << 13;
	run->random ^= run->random >> 7;
	run->random ^= run->random << 17;
	return run->random % below;
}

#define check(run, condition)                                                                   \
	do {                                                                                    \
		if (!(condition))                                                               \
			fail_msg("seed %llu: %s", (unsigned long long)(run)->seed, #condition); \
	} while (0)

/* ---- two sides ---- */

/* The other ledger's gateway and its enclave's key. */
static struct remote remote_of(const struct side *side, const struct world *other,
			       const char *chain_id)
{
	struct remote remote = remote_make(side->world, other->caip2, chain_id);
	remote.genesis = cs_keccak256(cs_bytes_str(chain_id));
	remote.gateway = ledger_contract_address(WORLD_GATEWAY);
	remote.identity = wire_identity(cs_bytes_str(other->caip2), &remote.genesis,
					CS_BYTES_OF(remote.gateway.b));
	assert_hash(remote.identity, other->identity);
	return remote;
}

static void connect(struct side *side, const struct world *other, const char *chain_id,
		    const struct cs_address *there, unsigned mode)
{
	const struct cs_address bridge = ledger_contract_address(BRIDGE);
	side->other = remote_of(side, other, chain_id);
	world_register(side->world, &side->other);
	world_route(side->world, &side->other, ROUTE_GAS_DEFAULT, lab_word(300000));
	world_do_input(side->world, &side->world->owner, BRIDGE,
		       peer_call(side->other.caip2, &bridge));
	bridge_token(side->bridge, &side->asset, &side->other, lab_address_word(there), mode);
	if (mode == MINT)
		bridge_cap(side->bridge, &side->asset, lab_word(BRIDGE_CAP), lab_word(BRIDGE_CAP));
}

static void set_up_pair(struct run *run)
{
	static const char *const ids[] = {"ledger-1", "ledger-2"};
	for (unsigned i = 0; i < 2; i++) {
		struct side *side = &run->sides[i];
		side->bridge = bridge_new_at(ids[i]);
		side->world = side->bridge->world;
	}
	struct side *a = &run->sides[0], *b = &run->sides[1];
	a->asset = a->bridge->token;
	b->asset = asset_make(b->bridge, "of ledger-1", &b->bridge->address);
	connect(a, b->world, ids[1], &b->asset, LOCK);
	connect(b, a->world, ids[0], &a->asset, MINT);
	asset_give(a->bridge, &a->asset, &a->world->user, lab_word(GIVEN - 1000));
	check(run, asset_balance(a->bridge, &a->asset, &a->world->user) == GIVEN);
}

/* ---- what an enclave sees of a log ---- */

static struct wire_message message_of_logs(const struct side *side)
{
	const struct ledger_log *sent = lab_log(
		side->world->lab, "MessageSent(bytes32,bytes,bytes,bytes,uint256,bytes[])", 0);
	const struct ledger_log *committed =
		lab_log(side->world->lab,
			"MessageCommitted(bytes32,bytes32,uint64,uint64,uint64,bytes32,bytes32,"
			"uint8)",
			0);
	struct wire_message message;
	struct cs_abi_reader in;
	struct cs_bytes parts[3];
	uint8_t *copy = keep(sent->data.n);
	memcpy(copy, sent->data.p, sent->data.n);
	assert_ok(cs_abi_read(&in, cs_bytes(copy, sent->data.n), 5));
	for (size_t i = 0; i < CS_LEN(parts); i++)
		assert_ok(cs_abi_get_bytes(&in, CS_PAYLOAD_SIZE_MAX, &parts[i]));
	message = (struct wire_message){
		.head = {.source = side->world->identity, .destination = committed->topics[2]},
		.sender = parts[0],
		.recipient = parts[1],
		.payload = parts[2]};
	assert_ok(cs_abi_read(&in, committed->data, 6));
	assert_ok(cs_abi_get_u64(&in, &message.head.sequence));
	assert_ok(cs_abi_get_u64(&in, &message.head.deadline));
	assert_ok(cs_abi_get_u64(&in, &message.head.min_gas_limit));
	assert_ok(cs_abi_get_word(&in, &message.head.closer));
	assert_ok(cs_abi_get_word(&in, &message.head.refund_to));
	assert_ok(cs_abi_get_u8(&in, &message.head.finality));
	wire_message_seal(&message);
	assert_hash(message_id(&message), sent->topics[1]);
	return message;
}

/* ---- steps: each may be refused ---- */

static bool try_call(struct world *world, const struct cs_address *from, uint8_t number,
		     struct cs_bytes input)
{
	struct cs_bytes output;
	world->lab->from = *from;
	return lab_try(world->lab, &output, number, input);
}

static void step_send(struct run *run)
{
	if (run->count == TRANSFERS_MAX)
		return;
	/* Back from where it came to, as soon as there is something. */
	const struct side *second = &run->sides[1];
	const uint64_t there = asset_balance(second->bridge, &second->asset, &second->world->user);
	const unsigned from = there >= 500 && next_random(run, 3) > 0;
	struct side *side = &run->sides[from];
	struct flight *flight = &run->flights[run->count];
	static const struct cs_address nobody;
	/* The zero address takes nothing, so that some never arrive. */
	const struct cs_address *to =
		next_random(run, 6) == 0 ? &nobody : &run->sides[1 - from].world->user;
	struct cs_bytes attributes[] = {
		attribute("deadline(uint64)",
			  lab_word(world_now(side->world) + 60 + next_random(run, 3000))),
		closer_attribute(CS_BYTES_OF(side->world->closer.b))};
	*flight = (struct flight){.from = from,
				  .amount = 1 + next_random(run, 500),
				  .is_closable = next_random(run, 2) == 0};
	if (!try_call(side->world, &side->world->user, BRIDGE,
		      transfer_call(&side->asset, lab_word(flight->amount),
				    account_of(side->other.caip2, to), NULL, attributes,
				    flight->is_closable ? 2 : 1)))
		return;
	flight->message = message_of_logs(side);
	flight->id = message_id(&flight->message);
	run->count++;
}

static struct side *source_of(struct run *run, const struct flight *flight)
{
	return &run->sides[flight->from];
}

static struct side *destination_of(struct run *run, const struct flight *flight)
{
	return &run->sides[1 - flight->from];
}

static void arrives(struct run *run, struct flight *flight, enum wire_call call)
{
	struct side *side = destination_of(run, flight);
	struct cs_bytes input = call_one(side->world, &side->other, call, &flight->message);
	const bool was = flight->delivered;
	const bool done = try_call(side->world, &side->world->closer, WORLD_GATEWAY, input);
	const enum wire_status status = status_of(side->world, &flight->message);
	flight->delivered = status == WIRE_STATUS_DELIVERED;
	check(run, !was || flight->delivered);
	check(run, !was || !done);
	run->delivered += flight->delivered && !was;
	run->retried += flight->delivered && !was && call == WIRE_CALL_RETRY;
}

/* What the enclave of the destination may sign, by the table of envelope.md section 4. */
static bool provable(const struct side *side, const struct flight *flight, enum wire_status status,
		     unsigned outcome)
{
	const bool late = world_now(side->world) >= flight->message.head.deadline;
	if (outcome == WIRE_STATUS_DELIVERED)
		return status == WIRE_STATUS_DELIVERED;
	return status == WIRE_STATUS_DEAD || (status != WIRE_STATUS_DELIVERED && late);
}

static void step_finalize(struct run *run, struct flight *flight)
{
	struct side *side = source_of(run, flight), *there = destination_of(run, flight);
	const unsigned outcome =
		next_random(run, 2) == 0 ? WIRE_STATUS_DELIVERED : WIRE_STATUS_DEAD;
	if (!provable(there, flight, status_of(there->world, &flight->message), outcome))
		return;
	struct cs_bytes input = finalize_one(side->world, &side->other, &flight->id, outcome);
	if (!try_call(side->world, &side->world->anyone, WORLD_GATEWAY, input)) {
		check(run, flight->refunded || flight->completed);
		return;
	}
	check(run, !flight->refunded && !flight->completed);
	flight->refunded = outcome == WIRE_STATUS_DEAD;
	flight->completed = !flight->refunded;
	run->refunded += flight->refunded;
	check(run, lab_log_count(side->world->lab,
				 "TransferRefunded(bytes32,address,address,uint256,bool)") ==
			   flight->refunded);
	check(run,
	      lab_log_count(side->world->lab, "TransferCompleted(bytes32)") == flight->completed);
}

/* Both chains' clocks, of which either may be ahead. */
static void step_time(struct run *run)
{
	struct world *world = run->sides[next_random(run, 2)].world;
	world_at(world, world_now(world) + 1 + next_random(run, 300));
}

static void step_freeze(struct run *run)
{
	static const struct cs_address nobody;
	bridge_frozen = next_random(run, 2) == 0 ? nobody : run->sides[0].world->user;
}

static bool is_failed(struct run *run, const struct flight *flight)
{
	return status_of(destination_of(run, flight)->world, &flight->message) ==
	       WIRE_STATUS_FAILED;
}

static void step(struct run *run)
{
	static const enum wire_call calls[] = {WIRE_CALL_DELIVER, WIRE_CALL_DELIVER,
					       WIRE_CALL_RETRY, WIRE_CALL_CLOSE, WIRE_CALL_EXPIRE};
	const uint64_t action = next_random(run, 15);
	struct flight *flight =
		run->count == 0 ? NULL : &run->flights[next_random(run, run->count)];
	if (action < 3 || flight == NULL)
		step_send(run);
	else if (action < 8)
		arrives(run, flight,
			is_failed(run, flight) && next_random(run, 2) == 0
				? WIRE_CALL_RETRY
				: calls[next_random(run, CS_LEN(calls))]);
	else if (action < 10)
		step_finalize(run, flight);
	else if (action < 12)
		step_time(run);
	else
		step_freeze(run);
}

/* ---- what must hold after each ---- */

static uint64_t with_people(struct side *side)
{
	/* Everything that is not in the bridge, and what people may claim there. */
	return asset_supply(side->bridge, &side->asset) -
	       asset_balance(side->bridge, &side->asset, &side->bridge->address) +
	       claimable_of(side->bridge, &side->asset, &side->world->user);
}

static void check_value(struct run *run)
{
	uint64_t flying = 0;
	for (size_t i = 0; i < run->count; i++) {
		const struct flight *flight = &run->flights[i];
		check(run, !(flight->delivered && flight->refunded));
		if (!flight->delivered && !flight->refunded)
			flying += flight->amount;
	}
	check(run, with_people(&run->sides[0]) + with_people(&run->sides[1]) + flying == GIVEN);
	check(run, asset_supply(run->sides[0].bridge, &run->sides[0].asset) == GIVEN);
}

static void play(uint64_t seed, size_t *delivered, size_t *refunded, size_t *retried)
{
	struct run *run = calloc(1, sizeof *run);
	assert_non_null(run);
	run->seed = seed;
	run->random = seed * 0x9e3779b97f4a7c15u + 1;
	set_up_pair(run);
	for (unsigned i = 0; i < STEPS; i++) {
		step(run);
		check_value(run);
	}
	*delivered += run->delivered;
	*refunded += run->refunded;
	*retried += run->retried;
	for (unsigned i = 0; i < 2; i++)
		bridge_free(run->sides[i].bridge);
	free(run);
}

static void test_value_over_two_ledgers(void **state)
{
	size_t delivered = 0, refunded = 0, retried = 0;
	(void)state;
	for (uint64_t seed = 1; seed <= 6; seed++)
		play(seed, &delivered, &refunded, &retried);
	/* The sequences reach what they are for. */
	if (delivered < 50 || refunded < 20 || retried < 3)
		fail_msg("%zu delivered, %zu refunded, %zu retried", delivered, refunded, retried);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_value_over_two_ledgers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
