#include "tests/unit/ledger/bridge_lab.h"

static uint8_t scratch[65536];

static struct cs_bytes kept(const struct cs_buf *buf)
{
	assert_ok(cs_buf_end(buf));
	uint8_t *p = keep(buf->n);
	memcpy(p, buf->p, buf->n);
	return cs_bytes(p, buf->n);
}

/* ---- assets ---- */

struct cs_address asset_make(struct bridge_world *bridge, const char *name,
			     const struct cs_address *minter)
{
	struct cs_buf buf;
	struct cs_abi abi;
	cs_buf_init(&buf, scratch, sizeof scratch);
	cs_abi_call(&abi, &buf, "create(string,string,uint8,address)");
	size_t slot_name = cs_abi_slot(&abi), slot_symbol = cs_abi_slot(&abi);
	cs_abi_put_u64(&abi, 6);
	cs_abi_put_address(&abi, minter);
	cs_abi_put_bytes(&abi, slot_name, cs_bytes_str(name));
	cs_abi_put_bytes(&abi, slot_symbol, cs_bytes_str("SYM"));
	world_do_input(bridge->world, &bridge->maker, ASSETS, kept(&buf));
	return ledger_asset_of(&bridge->maker, cs_bytes_str(name));
}

void asset_give(struct bridge_world *bridge, const struct cs_address *asset,
		const struct cs_address *to, struct cs_hash amount)
{
	world_do(bridge->world, &bridge->maker, ASSETS, "mint(address,address,uint256)",
		 LAB_WORDS(lab_address_word(asset), lab_address_word(to), amount));
}

static uint64_t low(struct cs_hash word)
{
	static const uint8_t zeros[24];
	assert_memory_equal(word.b, zeros, sizeof zeros);
	return cs_be64(word.b + 24);
}

uint64_t asset_balance(struct bridge_world *bridge, const struct cs_address *asset,
		       const struct cs_address *account)
{
	return low(lab_ask(bridge->world->lab, ASSETS, "balanceOf(address,address)",
			   LAB_WORDS(lab_address_word(asset), lab_address_word(account))));
}

uint64_t asset_supply(struct bridge_world *bridge, const struct cs_address *asset)
{
	return low(lab_ask(bridge->world->lab, ASSETS, "totalSupply(address)",
			   LAB_WORDS(lab_address_word(asset))));
}

/* The assets, but for a transfer to the frozen account. */
struct cs_address bridge_frozen;
static struct ledger_function asset_functions[32];
static struct ledger_contract freezing_assets;
static ledger_function_fn *real_transfer;

static enum cs_err run_transfer(struct ledger_call *call, struct cs_abi_reader *in,
				struct cs_abi *out)
{
	static const struct cs_address nobody;
	if (!cs_address_eq(&bridge_frozen, &nobody) && call->input.n > 68 &&
	    memcmp(call->input.p + 4 + 32 + 12, bridge_frozen.b, sizeof bridge_frozen) == 0)
		return ledger_revert_plain(call, "Frozen()");
	return real_transfer(call, in, out);
}

static void make_freezing_assets(void)
{
	assert_true(ledger_assets.function_count <= CS_LEN(asset_functions));
	freezing_assets = ledger_assets;
	freezing_assets.functions = asset_functions;
	for (size_t i = 0; i < ledger_assets.function_count; i++) {
		asset_functions[i] = ledger_assets.functions[i];
		if (strcmp(asset_functions[i].signature, "transfer(address,address,uint256)") ==
		    0) {
			real_transfer = asset_functions[i].run;
			asset_functions[i].run = run_transfer;
		}
	}
	assert_non_null(real_transfer);
	bridge_frozen = (struct cs_address){{0}};
}

/* ---- the bridge ---- */

static void found(struct bridge_world *bridge)
{
	struct lab *lab = bridge->world->lab;
	const struct ledger_bridge_terms terms = {
		.owner = bridge->world->owner,
		.guardian = bridge->world->guardian,
		.delay_s = WORLD_DELAY,
		.window_s = BRIDGE_WINDOW,
	};
	const struct cs_address nobody = {{0}};
	struct cs_why why;
	assert_ok(ledger_run_init(&lab->run, &lab->block, &lab->arena, &why, &nobody, LAB_GAS));
	struct ledger_call call = {
		.machine = &lab->machine,
		.state = lab->state,
		.block = &lab->block,
		.sig = lab->sig,
		.arena = &lab->arena,
		.gas = &lab->run.gas,
		.logs = &lab->run.logs,
		.why = &why,
		.address = ledger_contract_address(BRIDGE),
		.number = BRIDGE,
	};
	assert_ok(ledger_bridge_construct(&call, &terms));
}

struct bridge_world *bridge_new(void)
{
	return bridge_new_at("ledger-1");
}

struct bridge_world *bridge_new_at(const char *chain_id)
{
	static const struct ledger_contract *const contracts[] = {&ledger_bridge, &freezing_assets};
	struct bridge_world *bridge = calloc(1, sizeof *bridge);
	assert_non_null(bridge);
	make_freezing_assets();
	bridge->world = world_new_with(chain_id, false, contracts, CS_LEN(contracts));
	bridge->address = ledger_contract_address(BRIDGE);
	bridge->maker = lab_address(0x21);
	bridge->peer = lab_address(0xbb);
	bridge->remote_token = lab_byte_word(0x77);
	bridge->remote_home = lab_byte_word(0x78);
	found(bridge);
	world_do_input(bridge->world, &bridge->world->owner, BRIDGE,
		       peer_call(bridge->world->remote.caip2, &bridge->peer));
	bridge->token = asset_make(bridge, "token", &bridge->maker);
	bridge->wrapped = asset_make(bridge, "wrapped", &bridge->address);
	bridge_token(bridge, &bridge->token, &bridge->world->remote, bridge->remote_token, LOCK);
	bridge_token(bridge, &bridge->wrapped, &bridge->world->remote, bridge->remote_home, MINT);
	bridge_cap(bridge, &bridge->token, lab_word(BRIDGE_CAP), lab_word(BRIDGE_CAP));
	bridge_cap(bridge, &bridge->wrapped, lab_word(BRIDGE_CAP), lab_word(BRIDGE_CAP));
	asset_give(bridge, &bridge->token, &bridge->world->user, lab_word(1000));
	/* A window of its own, from its begin, so that the flows of one test are in one window. */
	bridge_next_window(bridge);
	return bridge;
}

void bridge_free(struct bridge_world *bridge)
{
	world_free(bridge->world);
	free(bridge);
}

struct cs_bytes peer_call(const char *caip2, const struct cs_address *peer)
{
	return bytes_call("addPeer(bytes)", account_of(caip2, peer));
}

struct cs_bytes token_call(const struct cs_address *asset, struct cs_bytes chain,
			   struct cs_hash remote, unsigned mode)
{
	struct cs_buf buf;
	struct cs_abi abi;
	cs_buf_init(&buf, scratch, sizeof scratch);
	cs_abi_call(&abi, &buf, "addToken(address,bytes,bytes32,uint8)");
	cs_abi_put_address(&abi, asset);
	size_t slot = cs_abi_slot(&abi);
	cs_abi_put_word(&abi, &remote);
	cs_abi_put_u64(&abi, mode);
	cs_abi_put_bytes(&abi, slot, chain);
	return kept(&buf);
}

void bridge_token(struct bridge_world *bridge, const struct cs_address *asset,
		  const struct remote *remote, struct cs_hash there, unsigned mode)
{
	world_do_input(bridge->world, &bridge->world->owner, BRIDGE,
		       token_call(asset, remote->chain, there, mode));
}

void bridge_cap(struct bridge_world *bridge, const struct cs_address *asset, struct cs_hash in,
		struct cs_hash out)
{
	world_do(bridge->world, &bridge->world->owner, BRIDGE, SET_CAP,
		 LAB_WORDS(lab_address_word(asset), in, out));
}

void bridge_later_cap(struct bridge_world *bridge, const struct cs_address *asset, uint64_t in,
		      uint64_t out)
{
	world_later(bridge->world, BRIDGE, SET_CAP,
		    LAB_WORDS(lab_address_word(asset), lab_word(in), lab_word(out)));
	bridge_next_window(bridge);
}

void bridge_next_window(struct bridge_world *bridge)
{
	world_at(bridge->world, (world_now(bridge->world) / BRIDGE_WINDOW + 1) * BRIDGE_WINDOW);
}

/* ---- out ---- */

struct cs_bytes transfer_call(const struct cs_address *asset, struct cs_hash amount,
			      struct cs_bytes recipient, const struct cs_address *refund_to,
			      const struct cs_bytes *attributes, size_t count)
{
	struct cs_buf buf;
	struct cs_abi abi;
	size_t slots[16];
	const struct cs_address nobody = {{0}};
	assert_true(count <= CS_LEN(slots));
	cs_buf_init(&buf, scratch, sizeof scratch);
	cs_abi_call(&abi, &buf, "transfer(address,uint256,bytes,address,bytes[])");
	cs_abi_put_address(&abi, asset);
	cs_abi_put_word(&abi, &amount);
	size_t slot_recipient = cs_abi_slot(&abi);
	cs_abi_put_address(&abi, refund_to == NULL ? &nobody : refund_to);
	size_t slot_attributes = cs_abi_slot(&abi);
	cs_abi_put_bytes(&abi, slot_recipient, recipient);
	cs_abi_enter_array(&abi, slot_attributes, count);
	for (size_t i = 0; i < count; i++)
		slots[i] = cs_abi_slot(&abi);
	for (size_t i = 0; i < count; i++)
		cs_abi_put_bytes(&abi, slots[i], attributes[i]);
	cs_abi_leave(&abi);
	return kept(&buf);
}

struct cs_hash transfer_to(struct bridge_world *bridge, const struct remote *remote,
			   const struct cs_address *asset, struct cs_hash amount)
{
	const struct cs_address to = lab_address(0xcc);
	world_do_input(bridge->world, &bridge->world->user, BRIDGE,
		       transfer_call(asset, amount, account_of(remote->caip2, &to), NULL, NULL, 0));
	return lab_log(bridge->world->lab,
		       "TransferSent(bytes32,address,address,bytes,uint256,address)", 0)
		->topics[1];
}

struct cs_hash transfer(struct bridge_world *bridge, const struct cs_address *asset,
			struct cs_hash amount)
{
	return transfer_to(bridge, &bridge->world->remote, asset, amount);
}

void transfer_refused(struct bridge_world *bridge, const struct cs_address *asset,
		      struct cs_hash amount, const char *error)
{
	const struct cs_address to = lab_address(0xcc);
	world_refuse_input(bridge->world, &bridge->world->user, BRIDGE,
			   transfer_call(asset, amount,
					 account_of(bridge->world->remote.caip2, &to), NULL, NULL,
					 0),
			   error, LAB_NONE);
}

void outcome(struct bridge_world *bridge, const struct remote *remote, const struct cs_hash *id,
	     unsigned status)
{
	world_do_input(bridge->world, &bridge->world->anyone, WORLD_GATEWAY,
		       finalize_one(bridge->world, remote, id, status));
}

void send_through(struct bridge_world *bridge, const struct cs_address *asset,
		  struct cs_hash amount)
{
	const struct cs_hash id = transfer(bridge, asset, amount);
	outcome(bridge, &bridge->world->remote, &id, WIRE_STATUS_DELIVERED);
	assert_int_equal(lab_log_count(bridge->world->lab, "TransferCompleted(bytes32)"), 1);
}

/* ---- in ---- */

struct cs_bytes payload_of(struct cs_hash token, struct cs_hash amount, struct cs_hash to)
{
	struct cs_hash *words = (struct cs_hash *)keep(4 * sizeof *words);
	words[0] = *wire_tag(WIRE_TAG_TRANSFER);
	words[1] = token;
	words[2] = amount;
	words[3] = to;
	return cs_bytes(words, 4 * sizeof *words);
}

static struct wire_message message_from(struct bridge_world *bridge, struct remote *remote,
					const struct cs_address *peer,
					const struct cs_address *asset, struct cs_hash amount,
					const struct cs_address *to)
{
	struct wire_message message =
		message_to(bridge->world, remote, &bridge->address,
			   payload_of(lab_address_word(asset), amount, lab_address_word(to)));
	message.sender = account_of(remote->caip2, peer);
	message.head.min_gas_limit = 300000;
	return message;
}

struct wire_message incoming(struct bridge_world *bridge, const struct cs_address *asset,
			     struct cs_hash amount, const struct cs_address *to)
{
	return message_from(bridge, &bridge->world->remote, &bridge->peer, asset, amount, to);
}

enum wire_status attempt(struct bridge_world *bridge, const struct remote *remote,
			 const struct wire_message *message)
{
	world_do_input(bridge->world, &bridge->world->anyone, WORLD_GATEWAY,
		       call_one(bridge->world, remote, WIRE_CALL_DELIVER, message));
	return status_of(bridge->world, message);
}

enum wire_status receive_from(struct bridge_world *bridge, struct remote *remote,
			      const struct cs_address *peer, const struct cs_address *asset,
			      struct cs_hash amount, const struct cs_address *to)
{
	const struct wire_message message = message_from(bridge, remote, peer, asset, amount, to);
	return attempt(bridge, remote, &message);
}

enum wire_status receive(struct bridge_world *bridge, const struct cs_address *asset,
			 struct cs_hash amount, const struct cs_address *to)
{
	return receive_from(bridge, &bridge->world->remote, &bridge->peer, asset, amount,
			    to == NULL ? &bridge->world->anyone : to);
}

/* ---- views ---- */

/* A view with an asset and a chain. */
static struct cs_bytes lane_call(const char *signature, const struct cs_address *asset,
				 const struct remote *remote)
{
	struct cs_buf buf;
	struct cs_abi abi;
	cs_buf_init(&buf, scratch, sizeof scratch);
	cs_abi_call(&abi, &buf, signature);
	cs_abi_put_address(&abi, asset);
	cs_abi_put_bytes(&abi, cs_abi_slot(&abi), remote->chain);
	return kept(&buf);
}

uint64_t locked_of(struct bridge_world *bridge, const struct cs_address *asset,
		   const struct remote *remote)
{
	struct cs_bytes output;
	struct cs_hash word;
	assert_true(lab_try(bridge->world->lab, &output, BRIDGE,
			    lane_call("lockedOf(address,bytes)", asset, remote)));
	assert_int_equal(output.n, sizeof word);
	memcpy(word.b, output.p, sizeof word);
	return low(word);
}

int64_t flow_of(struct bridge_world *bridge, const struct cs_address *asset)
{
	const struct cs_hash word = lab_ask(bridge->world->lab, BRIDGE, "flowOf(address)",
					    LAB_WORDS(lab_address_word(asset)));
	for (size_t i = 0; i < 24; i++)
		assert_int_equal(word.b[i], word.b[24] & 0x80 ? 0xff : 0);
	return (int64_t)cs_be64(word.b + 24);
}

struct room room_of(struct bridge_world *bridge, const struct cs_address *asset,
		    const struct remote *remote)
{
	struct cs_bytes output;
	struct room room;
	assert_true(lab_try(bridge->world->lab, &output, BRIDGE,
			    lane_call("roomOf(address,bytes)", asset, remote)));
	assert_int_equal(output.n, sizeof room);
	memcpy(&room, output.p, sizeof room);
	return room;
}

void assert_room(struct bridge_world *bridge, const struct cs_address *asset,
		 const struct remote *remote, uint64_t in, uint64_t out)
{
	const struct room room = room_of(bridge, asset, remote);
	assert_hash(room.in, lab_word(in));
	assert_hash(room.out, lab_word(out));
}

uint64_t claimable_of(struct bridge_world *bridge, const struct cs_address *asset,
		      const struct cs_address *account)
{
	return low(lab_ask(bridge->world->lab, BRIDGE, "claimable(address,address)",
			   LAB_WORDS(lab_address_word(asset), lab_address_word(account))));
}

struct cs_hash power(unsigned bits, uint64_t less)
{
	struct cs_hash word = {{0}};
	struct cs_u256 value, part = cs_u256_u64(less);
	word.b[31 - bits / 8] = (uint8_t)(1u << bits % 8);
	value = cs_u256_from_word(&word);
	assert_ok(cs_u256_sub(&value, &value, &part));
	return cs_u256_word(&value);
}
