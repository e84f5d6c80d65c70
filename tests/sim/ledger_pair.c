/* Two ledgers that are remotes of each other. The test is both enclaves: it signs what a final state
 * proves (docs/protocol/envelope.md section 4), and nothing else. And it is the relayer, which brings
 * statements late, twice, in any order, or never, and now and then one that no enclave has signed. */
#include "core/hash.h"
#include "relay_state/ledger/assets.h"
#include "relay_state/ledger/bridge.h"
#include "relay_state/ledger/gateway.h"
#include "relay_state/ledger/inbox.h"
#include "tests/sim/ledger.h"

#include <stdlib.h>
#include <string.h>

/* Who may close messages, on both sides. */
#define CLOSER 1u
#define CAP 1000000000ull
#define GAS_DEFAULT 300000u
#define FAR_TXS_MAX 6u
/* Statements of one step. */
#define SIGNED_MAX 6u
#define ROUTE_WORDS 15u
#define FOUND_CALLS_MAX 20u

#define SET_ROUTE                                                                            \
	"setRoute(bytes32,(bool,bool,uint8,uint8,uint32,uint32,uint32,uint32,uint32,uint32," \
	"uint32,uint128,uint64,uint64,bytes32))"

static enum sim_side other_of(enum sim_side side)
{
	return side == SIM_NEAR ? SIM_FAR : SIM_NEAR;
}

static struct cs_hash identity_of(const struct sim_pair *pair, enum sim_side side)
{
	const struct cs_address gateway = ledger_contract_address(LEDGER_GATEWAY_NUMBER);
	return wire_identity(cs_bytes_str(sim_ledger_caip2(side)), &pair->tag[side],
			     CS_BYTES_OF(gateway.b));
}

static struct cs_address asset_of_bridge(void)
{
	const struct cs_address owner = sim_ledger_address(SIM_OWNER);
	return ledger_asset_of(&owner, cs_bytes_str("T"));
}

void sim_pair_new(struct sim *sim)
{
	struct sim_pair *pair = calloc(1, sizeof *pair);
	struct cs_hash genesis;
	cs_assert(pair != NULL);
	sim->pair = pair;
	pair->far = sim_ledger_new(sim, SIM_FAR, &genesis);
	pair->tag[SIM_FAR] = pair->far->chain;
	pair->time_s[SIM_NEAR] = pair->time_s[SIM_FAR] = 1700000000;
	for (unsigned i = 0; i < 2; i++) {
		pair->key[i].b[0] = (uint8_t)(0x51 + i);
		cs_assert(cs_key_x(pair->far->sig, &pair->x[i], &pair->key[i]) == CS_OK);
	}
}

void sim_pair_free(struct sim_pair *pair)
{
	if (pair == NULL)
		return;
	sim_ledger_free(pair->far);
	free(pair);
}

/* ---- calldata ---- */

static struct cs_bytes account_of(uint8_t out[CS_INTEROP_SIZE_MAX], enum sim_side side,
				  const struct cs_address *address)
{
	struct cs_buf buf;
	cs_buf_init(&buf, out, CS_INTEROP_SIZE_MAX);
	cs_assert(cs_interop_encode_account(&buf, sim_ledger_caip2(side), address) == CS_OK);
	return cs_buf_view(&buf);
}

/* The calls that found a side, one after the other in one buffer. */
struct founding {
	struct cs_buf buf;
	struct ledger_tx_call calls[FOUND_CALLS_MAX];
	size_t count;
	size_t begin;
	struct cs_abi abi;
};

static struct cs_abi *begin(struct founding *f, uint8_t number, const char *signature)
{
	cs_assert(f->count < FOUND_CALLS_MAX);
	f->begin = f->buf.n;
	f->calls[f->count].to = ledger_contract_address(number);
	cs_abi_call(&f->abi, &f->buf, signature);
	return &f->abi;
}

static void end(struct founding *f)
{
	cs_assert(cs_buf_end(&f->buf) == CS_OK);
	f->calls[f->count++].input = cs_bytes(f->buf.p + f->begin, f->buf.n - f->begin);
}

static void found_remote(struct founding *f, const struct sim_pair *pair, enum sim_side other)
{
	static const uint64_t route[ROUTE_WORDS] = {1, 1,       0,           10, 4096, 1, 1000, 20,
						    0, 2000000, GAS_DEFAULT, 0,  0,    0, 0};
	const struct cs_address gateway = ledger_contract_address(LEDGER_GATEWAY_NUMBER);
	const struct cs_hash identity = identity_of(pair, other), zero = {{0}};
	uint8_t chain[CS_INTEROP_SIZE_MAX];
	struct cs_abi *abi = begin(f, LEDGER_GATEWAY_NUMBER,
				   "registerRemote(string,bytes32,bytes,bytes,uint64)");
	const size_t caip2 = cs_abi_slot(abi);
	cs_abi_put_word(abi, &pair->tag[other]);
	const size_t address = cs_abi_slot(abi), account = cs_abi_slot(abi);
	cs_abi_put_u64(abi, 1);
	cs_abi_put_bytes(abi, caip2, cs_bytes_str(sim_ledger_caip2(other)));
	cs_abi_put_bytes(abi, address, CS_BYTES_OF(gateway.b));
	cs_abi_put_bytes(abi, account, account_of(chain, other, NULL));
	end(f);
	abi = begin(f, LEDGER_GATEWAY_NUMBER, SET_ROUTE);
	cs_abi_put_word(abi, &identity);
	for (size_t i = 0; i < ROUTE_WORDS; i++)
		cs_abi_put_u64(abi, route[i]);
	end(f);
	abi = begin(f, LEDGER_GATEWAY_NUMBER,
		    "registerKey(bytes32,uint64,bytes32,bytes32,bytes32)");
	cs_abi_put_word(abi, &identity);
	cs_abi_put_u64(abi, 1);
	cs_abi_put_word(abi, &pair->x[other]);
	cs_abi_put_word(abi, &zero);
	cs_abi_put_word(abi, &zero);
	end(f);
}

/* Locked on side 0, minted on side 1. */
static void found_bridge(struct founding *f, enum sim_side side)
{
	const struct cs_address bridge = ledger_contract_address(LEDGER_BRIDGE_NUMBER);
	const struct cs_address owner = sim_ledger_address(SIM_OWNER);
	uint8_t account[CS_INTEROP_SIZE_MAX];
	struct cs_abi *abi = begin(f, LEDGER_BRIDGE_NUMBER, "addPeer(bytes)");
	const size_t slot = cs_abi_slot(abi);
	cs_abi_put_bytes(abi, slot, account_of(account, other_of(side), &bridge));
	end(f);
	abi = begin(f, LEDGER_ASSETS_NUMBER, "create(string,string,uint8,address)");
	const size_t name = cs_abi_slot(abi), symbol = cs_abi_slot(abi);
	cs_abi_put_u64(abi, 0);
	cs_abi_put_address(abi, side == SIM_NEAR ? &owner : &bridge);
	cs_abi_put_bytes(abi, name, cs_bytes_str("T"));
	cs_abi_put_bytes(abi, symbol, cs_bytes_str("T"));
	end(f);
}

static void found_token(struct founding *f, enum sim_side side)
{
	const struct cs_address asset = asset_of_bridge();
	uint8_t account[CS_INTEROP_SIZE_MAX];
	struct cs_hash remote = {{0}};
	struct cs_abi *abi =
		begin(f, LEDGER_BRIDGE_NUMBER, "addToken(address,bytes,bytes32,uint8)");
	memcpy(remote.b + 12, asset.b, sizeof asset.b);
	cs_abi_put_address(abi, &asset);
	const size_t slot = cs_abi_slot(abi);
	cs_abi_put_word(abi, &remote);
	cs_abi_put_u64(abi, side == SIM_NEAR ? 1 : 2);
	cs_abi_put_bytes(abi, slot, account_of(account, other_of(side), NULL));
	end(f);
	abi = begin(f, LEDGER_BRIDGE_NUMBER, "setCap(address,uint128,uint128)");
	cs_abi_put_address(abi, &asset);
	cs_abi_put_u64(abi, CAP);
	cs_abi_put_u64(abi, CAP);
	end(f);
}

static void found_holders(struct founding *f)
{
	const struct cs_address asset = asset_of_bridge();
	for (unsigned i = 0; i < SIM_USERS; i++) {
		const struct cs_address user = sim_ledger_address(i);
		struct cs_abi *abi =
			begin(f, LEDGER_ASSETS_NUMBER, "mint(address,address,uint256)");
		cs_abi_put_address(abi, &asset);
		cs_abi_put_address(abi, &user);
		cs_abi_put_u64(abi, SIM_GIVEN / SIM_USERS + (i == 0 ? SIM_GIVEN % SIM_USERS : 0));
		end(f);
	}
}

bool sim_pair_found(struct sim *sim, struct sim_ledger *ledger, struct cs_bytes *tx,
		    struct cs_buf *out)
{
	static uint8_t bytes[8192];
	struct founding f = {.count = 0};
	const uint64_t sequence = sim_ledger_sequence(ledger, SIM_OWNER);
	const bool is_near = ledger->side == SIM_NEAR;
	cs_buf_init(&f.buf, bytes, sizeof bytes);
	/* Side 1 knows the token later: what comes before that fails, and may be tried again. */
	if (sequence > 1 || (sequence == 1 && (is_near || !sim_chance(&sim->rng, 1000))))
		return false;
	if (sequence == 0) {
		found_remote(&f, sim->pair, other_of(ledger->side));
		found_bridge(&f, ledger->side);
	}
	if (sequence == 0 && is_near)
		found_holders(&f);
	if (sequence == 1 || is_near)
		found_token(&f, ledger->side);
	*tx = sim_ledger_sign(ledger, out, SIM_OWNER, sequence, f.calls, f.count);
	return true;
}

/* ---- sending ---- */

static void put_attributes(struct cs_abi *abi, size_t slot, uint64_t deadline, bool is_closable)
{
	const struct cs_address closer = sim_ledger_address(CLOSER);
	uint8_t bytes[2][160];
	struct cs_buf buf[2];
	struct cs_abi one;
	size_t slots[2];
	const size_t count = is_closable ? 2 : 1;
	cs_buf_init(&buf[0], bytes[0], sizeof bytes[0]);
	cs_abi_call(&one, &buf[0], "deadline(uint64)");
	cs_abi_put_u64(&one, deadline);
	cs_buf_init(&buf[1], bytes[1], sizeof bytes[1]);
	cs_abi_call(&one, &buf[1], "closer(bytes)");
	cs_abi_put_bytes(&one, cs_abi_slot(&one), CS_BYTES_OF(closer.b));
	cs_abi_enter_array(abi, slot, count);
	for (size_t i = 0; i < count; i++)
		slots[i] = cs_abi_slot(abi);
	for (size_t i = 0; i < count; i++)
		cs_abi_put_bytes(abi, slots[i], cs_buf_view(&buf[i]));
	cs_abi_leave(abi);
}

/* One in six goes to somebody who takes nothing. */
size_t sim_pair_send(struct sim *sim, enum sim_side side, uint8_t *input, size_t size_max,
		     struct cs_address *to)
{
	static const struct cs_address nobody;
	const enum sim_side other = other_of(side);
	const uint64_t deadline = sim->pair->time_s[other] + 2 +
				  sim_below(&sim->rng, sim_chance(&sim->rng, 5000) ? 6 : 40);
	const struct cs_address user =
		sim_ledger_address((unsigned)sim_below(&sim->rng, SIM_USERS));
	const struct cs_address inbox = ledger_contract_address(LEDGER_INBOX_NUMBER);
	const struct cs_address asset = asset_of_bridge();
	const bool is_transfer = sim_chance(&sim->rng, 7000);
	const bool is_refused = sim_chance(&sim->rng, 1700);
	const bool is_closable = sim_chance(&sim->rng, 5000);
	uint8_t account[CS_INTEROP_SIZE_MAX];
	struct cs_buf buf;
	struct cs_abi abi;
	size_t recipient, payload = 0;
	*to = ledger_contract_address(is_transfer ? LEDGER_BRIDGE_NUMBER : LEDGER_GATEWAY_NUMBER);
	cs_buf_init(&buf, input, size_max);
	if (is_transfer) {
		cs_abi_call(&abi, &buf, "transfer(address,uint256,bytes,address,bytes[])");
		cs_abi_put_address(&abi, &asset);
		cs_abi_put_u64(&abi, 1 + sim_below(&sim->rng, 500));
		recipient = cs_abi_slot(&abi);
		cs_abi_put_address(&abi, &nobody);
	} else {
		cs_abi_call(&abi, &buf, "sendMessage(bytes,bytes,bytes[])");
		recipient = cs_abi_slot(&abi);
		payload = cs_abi_slot(&abi);
	}
	const size_t attributes = cs_abi_slot(&abi);
	const struct cs_address *whom =
		is_transfer ? (is_refused ? &nobody : &user) : (is_refused ? &user : &inbox);
	cs_abi_put_bytes(&abi, recipient, account_of(account, other, whom));
	if (!is_transfer)
		cs_abi_put_bytes(&abi, payload, cs_bytes_str("hello"));
	put_attributes(&abi, attributes, deadline, is_closable);
	cs_assert(cs_buf_end(&buf) == CS_OK);
	return buf.n;
}

/* ---- what was sent ---- */

/* 0x… of an attribute, into memory of the scratch arena. */
static struct cs_bytes attribute_of(struct sim *sim, const struct abci_event *event,
				    const char *name)
{
	for (size_t i = 0; i < event->attributes.count; i++) {
		const struct abci_event_attribute *a = &event->attributes.items[i];
		if (!cs_bytes_eq(a->key, cs_bytes_str(name)))
			continue;
		const size_t n = (a->value.n - 2) / 2;
		uint8_t *p = cs_arena_alloc(&sim->scratch, n + 1);
		cs_assert(p != NULL && cs_unhex(p, n, cs_bytes(a->value.p + 2, 2 * n)) == CS_OK);
		return cs_bytes(p, n);
	}
	return CS_BYTES_NONE;
}

/* The first log of this event. */
static const struct abci_event *find_log(struct sim *sim, const struct abci_tx_result *result,
					 const char *signature)
{
	const struct cs_hash topic = cs_abi_topic(signature);
	for (size_t i = 0; i < result->events.count; i++) {
		const struct abci_event *event = &result->events.items[i];
		if (cs_bytes_eq(event->type, cs_bytes_str("log")) &&
		    cs_bytes_eq(attribute_of(sim, event, "topic0"), CS_BYTES_OF(topic.b)))
			return event;
	}
	return NULL;
}

static struct cs_bytes keep(struct sim_flight *flight, size_t *used, struct cs_bytes bytes)
{
	cs_assert(*used + bytes.n <= sizeof flight->bytes);
	uint8_t *p = flight->bytes + *used;
	memcpy(p, bytes.p, bytes.n);
	*used += bytes.n;
	return cs_bytes(p, bytes.n);
}

static void read_flight(struct sim *sim, struct sim_flight *flight, const struct abci_event *sent,
			const struct abci_event *committed)
{
	struct cs_abi_reader in;
	struct cs_bytes parts[3];
	struct wire_message *m = &flight->message;
	size_t used = 0;
	const struct cs_bytes destination = attribute_of(sim, committed, "topic2");
	cs_assert(cs_abi_read(&in, attribute_of(sim, sent, "data"), 5) == CS_OK);
	for (size_t i = 0; i < CS_LEN(parts); i++)
		cs_assert(cs_abi_get_bytes(&in, CS_PAYLOAD_SIZE_MAX, &parts[i]) == CS_OK);
	*m = (struct wire_message){.sender = keep(flight, &used, parts[0]),
				   .recipient = keep(flight, &used, parts[1]),
				   .payload = keep(flight, &used, parts[2])};
	m->head.source = identity_of(sim->pair, flight->from);
	memcpy(m->head.destination.b, destination.p, 32);
	cs_assert(cs_abi_read(&in, attribute_of(sim, committed, "data"), 6) == CS_OK);
	cs_assert(cs_abi_get_u64(&in, &m->head.sequence) == CS_OK);
	cs_assert(cs_abi_get_u64(&in, &m->head.deadline) == CS_OK);
	cs_assert(cs_abi_get_u64(&in, &m->head.min_gas_limit) == CS_OK);
	cs_assert(cs_abi_get_word(&in, &m->head.closer) == CS_OK);
	cs_assert(cs_abi_get_word(&in, &m->head.refund_to) == CS_OK);
	cs_assert(cs_abi_get_u8(&in, &m->head.finality) == CS_OK);
	wire_message_seal(m);
	flight->id = wire_message_id(&m->head);
	flight->is_closable = !cs_hash_is_zero(&m->head.closer);
	/* A transfer's payload: tag, token, amount, to. */
	flight->amount = parts[2].n == 128 ? cs_be64(parts[2].p + 88) : 0;
}

static struct sim_flight *flight_of(struct sim_pair *pair, struct cs_bytes id)
{
	for (size_t i = 0; i < pair->flight_count; i++) {
		if (cs_bytes_eq(CS_BYTES_OF(pair->flights[i].id.b), id))
			return &pair->flights[i];
	}
	return NULL;
}

/* Once, and of what was sent. */
static void observe_end(struct sim *sim, enum sim_side side, const struct abci_tx_result *result)
{
	const struct abci_event *event =
		find_log(sim, result, "MessageFinalized(bytes32,bytes32,uint8)");
	if (event == NULL)
		return;
	struct sim_flight *flight = flight_of(sim->pair, attribute_of(sim, event, "topic1"));
	if (flight == NULL || flight->from != side || flight->is_finalized)
		sim_fail(sim, "a message is finalized that was before, or never sent");
	else
		flight->is_finalized = true;
}

static void observe_result(struct sim *sim, enum sim_side side, const struct abci_tx_result *result)
{
	struct sim_pair *pair = sim->pair;
	const struct abci_event *sent =
		find_log(sim, result, "MessageSent(bytes32,bytes,bytes,bytes,uint256,bytes[])");
	const struct abci_event *committed = find_log(
		sim, result,
		"MessageCommitted(bytes32,bytes32,uint64,uint64,uint64,bytes32,bytes32,uint8)");
	observe_end(sim, side, result);
	if (sent == NULL || committed == NULL)
		return;
	cs_assert(pair->flight_count < SIM_FLIGHTS);
	struct sim_flight *flight = &pair->flights[pair->flight_count++];
	*flight = (struct sim_flight){.from = side};
	read_flight(sim, flight, sent, committed);
	if (!cs_bytes_eq(attribute_of(sim, sent, "topic1"), CS_BYTES_OF(flight->id.b)))
		sim_fail(sim, "a message's id is not what it says");
}

void sim_pair_observe(struct sim *sim, enum sim_side side,
		      const struct abci_finalize_block_response *response)
{
	const size_t mark = cs_arena_mark(&sim->scratch);
	for (size_t i = 0; i < response->tx_results.count; i++)
		observe_result(sim, side, &response->tx_results.items[i]);
	cs_arena_rewind(&sim->scratch, mark);
}

/* ---- statements ---- */

/* Forged: by a key that the receiver knows nothing of. */
static struct wire_signed sign(const struct sim_pair *pair, enum wire_kind kind,
			       enum sim_side signer, const struct cs_hash *leaf, bool is_forged)
{
	struct wire_signed made = {
		.statement = {.kind = kind,
			      .signer = identity_of(pair, signer),
			      .receiver = identity_of(pair, other_of(signer)),
			      .epoch = 1,
			      .manifest_number = 1,
			      .root = *leaf},
	};
	const struct cs_hash digest = wire_digest(&made.statement, WIRE_DOMAIN_SECURE), aux = {{0}};
	cs_assert(cs_schnorr_sign(pair->far->sig, &made.signature,
				  &pair->key[is_forged ? other_of(signer) : signer], &digest,
				  &aux) == CS_OK);
	return made;
}

static struct sim_relayed *next_place(struct sim *sim, enum sim_side side)
{
	return &sim->pair->pool[side][sim->pair->pool_next[side]++ % SIM_POOL];
}

static enum wire_call any_call(struct sim *sim, const struct sim_flight *flight)
{
	static const enum wire_call calls[] = {WIRE_CALL_DELIVER, WIRE_CALL_RETRY, WIRE_CALL_CLOSE,
					       WIRE_CALL_EXPIRE};
	const enum sim_side to = other_of(flight->from);
	const bool is_late = sim->pair->time_s[to] >= flight->message.head.deadline;
	if (flight->status == WIRE_STATUS_NONE && !is_late && sim_chance(&sim->rng, 7000))
		return WIRE_CALL_DELIVER;
	if (flight->status == WIRE_STATUS_FAILED && sim_chance(&sim->rng, 6000))
		return WIRE_CALL_RETRY;
	return calls[sim_below(&sim->rng, CS_LEN(calls))];
}

/* To the destination: it may be delivered, tried again, closed or expired. */
static void bring_message(struct sim *sim, const struct sim_flight *flight)
{
	const enum sim_side to = other_of(flight->from);
	const enum wire_call call = any_call(sim, flight);
	const bool is_forged = sim_chance(&sim->rng, 1500);
	struct sim_relayed *place = next_place(sim, to);
	struct wire_message message = flight->message;
	uint8_t payload[128];
	struct cs_buf buf;
	if (is_forged && flight->amount > 0) {
		memcpy(payload, message.payload.p, sizeof payload);
		payload[94] = 0x80;
		message.payload = CS_BYTES_OF(payload);
		wire_message_seal(&message);
	}
	const struct cs_hash id = wire_message_id(&message.head), leaf = wire_leaf_message(&id);
	const struct wire_signed statement =
		sign(sim->pair, WIRE_KIND_MESSAGE, flight->from, &leaf, is_forged);
	cs_buf_init(&buf, place->bytes, sizeof place->bytes);
	cs_assert(wire_evm_call_messages(&buf, call, &statement, &message, 1) == CS_OK);
	place->size = buf.n;
	place->account = call == WIRE_CALL_CLOSE && !sim_chance(&sim->rng, 2000)
				 ? CLOSER
				 : (unsigned)sim_below(&sim->rng, SIM_USERS);
}

/* Delivered, dead, or none yet. */
static enum wire_status final_status(const struct sim *sim, const struct sim_flight *flight)
{
	const bool is_late =
		sim->pair->time_s[other_of(flight->from)] >= flight->message.head.deadline;
	if (flight->status == WIRE_STATUS_DELIVERED || flight->status == WIRE_STATUS_DEAD)
		return flight->status;
	return is_late ? WIRE_STATUS_DEAD : WIRE_STATUS_NONE;
}

/* To the source: what became of it, if that is final. */
static void bring_outcome(struct sim *sim, struct sim_flight *flight)
{
	const bool is_forged = sim_chance(&sim->rng, 1000);
	struct wire_outcome outcome = {flight->id, final_status(sim, flight)};
	struct cs_buf buf;
	if (is_forged)
		outcome.status =
			sim_chance(&sim->rng, 5000) ? WIRE_STATUS_DELIVERED : WIRE_STATUS_DEAD;
	if (outcome.status == WIRE_STATUS_NONE)
		return;
	struct sim_relayed *place = next_place(sim, flight->from);
	const struct cs_hash leaf = wire_leaf_outcome(&flight->id, outcome.status);
	const struct wire_signed statement =
		sign(sim->pair, WIRE_KIND_OUTCOME, other_of(flight->from), &leaf, is_forged);
	cs_buf_init(&buf, place->bytes, sizeof place->bytes);
	cs_assert(wire_evm_call_finalize(&buf, &statement, &outcome, 1) == CS_OK);
	place->size = buf.n;
	place->account = (unsigned)sim_below(&sim->rng, SIM_USERS);
	flight->has_signed[outcome.status] |= !is_forged;
}

static void sign_some(struct sim *sim)
{
	struct sim_pair *pair = sim->pair;
	for (unsigned i = 0; i < SIGNED_MAX && pair->flight_count > 0; i++) {
		struct sim_flight *flight =
			&pair->flights[sim_below(&sim->rng, pair->flight_count)];
		if (sim_chance(&sim->rng, 6000))
			bring_message(sim, flight);
		else
			bring_outcome(sim, flight);
	}
}

/* ---- side 1 ---- */

/* Its clock runs by itself, and its process may begin anew. */
static void far_block(struct sim *sim)
{
	static uint8_t bytes[FAR_TXS_MAX * 4096];
	struct sim_pair *pair = sim->pair;
	struct cs_bytes txs[FAR_TXS_MAX];
	struct cs_buf out;
	cs_buf_init(&out, bytes, sizeof bytes);
	if (sim_chance(&sim->rng, 500))
		sim_ledger_open(pair->far);
	const size_t count = sim_ledger_txs(sim, pair->far, txs, FAR_TXS_MAX, &out);
	pair->time_s[SIM_FAR] += sim_below(&sim->rng, 3);
	const struct abci_finalize_block_request request = {
		.txs = {txs, count},
		.height = ++pair->far_height,
		.time = {.s = (int64_t)pair->time_s[SIM_FAR]}};
	const struct abci_finalize_block_response response =
		sim_ledger_finalize(pair->far, &request);
	sim_mix(sim, response.app_hash.p, response.app_hash.n);
	sim_pair_observe(sim, SIM_FAR, &response);
	sim_ledger_commit(pair->far);
	sim_ledger_check(sim, pair->far, "the other side");
}

void sim_pair_step(struct sim *sim, struct sim_ledger *near)
{
	sim_pair_check(sim, near);
	sign_some(sim);
	if (sim_chance(&sim->rng, 8000))
		far_block(sim);
	sim_pair_check(sim, near);
}
