#include "tests/unit/ledger/gateway_lab.h"

#include "core/hash.h"

struct app app;

/* ---- contracts of the tests ---- */

#define SLOT_RECEIVED 1u
#define SLOT_LAST_ID 2u
#define SLOT_LAST_PAYLOAD 3u
#define SLOT_OUTCOMES 4u
#define MAGIC 0x2432ef26u

static enum cs_err put_slot(struct ledger_call *call, unsigned slot, struct cs_hash word)
{
	const struct cs_hash place = lab_word(slot);
	return ledger_store(call, &place, &word);
}

static enum cs_err count_one(struct ledger_call *call)
{
	const struct cs_hash place = lab_word(SLOT_RECEIVED);
	struct cs_hash word;
	CS_TRY(ledger_load(call, &word, &place));
	word = lab_word(cs_be64(word.b + 24) + 1);
	return ledger_store(call, &place, &word);
}

static enum cs_err call_back(struct ledger_call *call)
{
	static const struct cs_u256 nothing;
	struct cs_bytes output;
	app.called++;
	return ledger_call_contract(call, &app.call_succeeded, &output, &app.target, &nothing,
				    app.data, 0);
}

static void answer(struct cs_abi *out, uint32_t magic)
{
	cs_put_u32(out->buf, magic);
	cs_put_zeros(out->buf, 28);
}

/* What is done before the answer. */
static enum cs_err behave(struct ledger_call *call)
{
	static uint8_t long_answer[LEDGER_OUTPUT_SIZE_MAX];
	const uint64_t left = call->gas->limit - call->gas->used;
	app.gas_seen = left;
	switch (app.mode) {
	case APP_REVERTS:
	case APP_UNLIKE:
		return ledger_revert_plain(call, "Frozen()");
	case APP_REVERTS_LONG:
		return ledger_revert_with(call, CS_BYTES_OF(long_answer));
	case APP_BURNS:
		return ledger_use_gas(call, UINT64_MAX);
	case APP_USES:
		return ledger_use_gas(call, app.gas);
	case APP_CALLS:
		return call_back(call);
	case APP_CALLS_FAILS:
		CS_TRY(call_back(call));
		return ledger_revert_plain(call, "Frozen()");
	case APP_GOOD:
	case APP_WRONG_VALUE:
	case APP_DIRTY_VALUE:
	case APP_SHORT_VALUE:
	case APP_NO_VALUE:
	case APP_LONG_VALUE:
		break;
	}
	return CS_OK;
}

static enum cs_err run_receive(struct ledger_call *call, struct cs_abi_reader *in,
			       struct cs_abi *out)
{
	struct cs_hash id;
	struct cs_bytes sender, payload;
	CS_TRY(cs_abi_get_word(in, &id));
	CS_TRY(cs_abi_get_bytes(in, CS_INTEROP_SIZE_MAX, &sender));
	CS_TRY(cs_abi_get_bytes(in, CS_PAYLOAD_SIZE_MAX, &payload));
	if (app.mode != APP_USES && app.mode != APP_BURNS) {
		CS_TRY(count_one(call));
		CS_TRY(put_slot(call, SLOT_LAST_ID, id));
		CS_TRY(put_slot(call, SLOT_LAST_PAYLOAD, cs_keccak256(payload)));
	}
	CS_TRY(behave(call));
	if (app.mode == APP_NO_VALUE)
		return CS_OK;
	if (app.mode == APP_SHORT_VALUE) {
		cs_put_u32(out->buf, MAGIC);
		return CS_OK;
	}
	answer(out, app.mode == APP_WRONG_VALUE ? MAGIC + 1 : MAGIC);
	if (app.mode == APP_DIRTY_VALUE)
		out->buf->p[31] = 1;
	if (app.mode == APP_LONG_VALUE)
		cs_put_zeros(out->buf, 20000);
	return CS_OK;
}

static enum cs_err run_outcome(struct ledger_call *call, struct cs_abi_reader *in,
			       struct cs_abi *out)
{
	struct cs_hash id, status, slot = lab_word(SLOT_OUTCOMES);
	(void)out;
	CS_TRY(cs_abi_get_word(in, &id));
	CS_TRY(cs_abi_get_word(in, &status));
	CS_TRY(behave(call));
	const struct cs_hash place = ledger_slot_of(&id, &slot);
	return ledger_store(call, &place, &status);
}

/* run(address,uint256,bytes): a call of its own. */
static enum cs_err run_run(struct ledger_call *call, struct cs_abi_reader *in, struct cs_abi *out)
{
	struct cs_address target;
	struct cs_u256 value;
	struct cs_bytes data, output;
	bool success = false;
	(void)out;
	CS_TRY(cs_abi_get_address(in, &target));
	CS_TRY(cs_abi_get_u256(in, &value));
	CS_TRY(cs_abi_get_bytes(in, 100000, &data));
	for (size_t i = 0; i < app.logs; i++) {
		const struct cs_hash topic = lab_word(i);
		CS_TRY(ledger_emit(call, &topic, 1, CS_BYTES_NONE));
	}
	CS_TRY(ledger_call_contract(call, &success, &output, &target, &value, data, 0));
	if (!success)
		return ledger_revert_with(call, output);
	cs_put(out->buf, output);
	return CS_OK;
}

static enum cs_err run_slot(struct ledger_call *call, struct cs_abi_reader *in, struct cs_abi *out)
{
	struct cs_hash place, word;
	CS_TRY(cs_abi_get_word(in, &place));
	CS_TRY(ledger_load(call, &word, &place));
	cs_abi_put_word(out, &word);
	return CS_OK;
}

static const struct ledger_function app_functions[] = {
	{"receiveMessage(bytes32,bytes,bytes)", MAGIC, 3, true, 0, run_receive},
	{"onOutcome(bytes32,uint8)", 0x252355d3, 2, false, 0, run_outcome},
	{"run(address,uint256,bytes)", 0x7ceba018, 3, true, 0, run_run},
	{"slot(uint256)", 0xb2025e4f, 1, false, 0, run_slot},
};
/* Has no onOutcome. */
static const struct ledger_function hostile_functions[] = {
	{"receiveMessage(bytes32,bytes,bytes)", MAGIC, 3, true, 0, run_receive},
	{"run(address,uint256,bytes)", 0x7ceba018, 3, true, 0, run_run},
	{"slot(uint256)", 0xb2025e4f, 1, false, 0, run_slot},
};
static const struct ledger_contract app_contract = {"app", WORLD_APP, app_functions,
						    CS_LEN(app_functions)};
static const struct ledger_contract hostile_contract = {"hostile", WORLD_HOSTILE, hostile_functions,
							CS_LEN(hostile_functions)};

/* ---- the world ---- */

struct cs_secret secret_of(const char *label)
{
	struct cs_secret secret;
	struct cs_hash hash = cs_keccak256(cs_bytes_str(label));
	memcpy(secret.b, hash.b, sizeof secret.b);
	return secret;
}

struct cs_hash x_of(const struct world *world, const struct cs_secret *secret)
{
	struct cs_hash x;
	assert_ok(cs_key_x(world->lab->sig, &x, secret));
	return x;
}

static struct cs_address address_of_label(const char *what, const char *label)
{
	struct cs_address address;
	char text[100];
	(void)snprintf(text, sizeof text, "%s of %s", what, label);
	struct cs_hash hash = cs_keccak256(cs_bytes_str(text));
	memcpy(address.b, hash.b + 12, sizeof address.b);
	return address;
}

struct cs_bytes account_of(const char *caip2, const struct cs_address *address)
{
	uint8_t *memory = keep(CS_INTEROP_SIZE_MAX);
	struct cs_buf buf;
	cs_buf_init(&buf, memory, CS_INTEROP_SIZE_MAX);
	assert_ok(cs_interop_encode_account(&buf, caip2, address));
	assert_ok(cs_buf_end(&buf));
	return cs_buf_view(&buf);
}

struct remote remote_make(const struct world *world, const char *caip2, const char *label)
{
	struct remote remote = {.gateway = address_of_label("gateway", label),
				.key = secret_of(label),
				.app = address_of_label("app", label)};
	(void)snprintf(remote.caip2, sizeof remote.caip2, "%s", caip2);
	remote.genesis = cs_keccak256(cs_bytes_str(label));
	remote.identity =
		wire_identity(cs_bytes_str(caip2), &remote.genesis, CS_BYTES_OF(remote.gateway.b));
	remote.x = x_of(world, &remote.key);
	remote.chain = account_of(caip2, NULL);
	return remote;
}

/* A call of the gateway by nobody, as genesis makes it. */
static struct ledger_call founder(struct lab *lab, struct cs_why *why)
{
	const struct cs_address nobody = {{0}};
	assert_ok(ledger_run_init(&lab->run, &lab->block, &lab->arena, why, &nobody, LAB_GAS));
	return (struct ledger_call){
		.machine = &lab->machine,
		.state = lab->state,
		.block = &lab->block,
		.sig = lab->sig,
		.arena = &lab->arena,
		.gas = &lab->run.gas,
		.logs = &lab->run.logs,
		.why = why,
		.address = ledger_contract_address(WORLD_GATEWAY),
		.number = WORLD_GATEWAY,
	};
}

void world_name(struct world *world, const struct cs_hash *chain_tag)
{
	struct cs_why why;
	struct ledger_call call = founder(world->lab, &why);
	assert_ok(ledger_gateway_name(&call, chain_tag));
	world->identity =
		wire_identity(cs_bytes_str(world->caip2), chain_tag, CS_BYTES_OF(call.address.b));
}

static void found(struct world *world, const char *chain_id, bool insecure)
{
	const struct ledger_gateway_terms terms = {
		.owner = world->owner,
		.guardian = world->guardian,
		.delay_s = WORLD_DELAY,
		.rotation_delay_s = WORLD_ROTATION_DELAY,
		.overlap_s = WORLD_OVERLAP,
		.insecure = insecure,
	};
	const struct cs_hash tag = cs_keccak256(cs_bytes_str(chain_id));
	struct cs_why why;
	struct ledger_call call = founder(world->lab, &why);
	assert_ok(ledger_gateway_construct(&call, cs_bytes_str(chain_id), &terms));
	(void)snprintf(world->caip2, sizeof world->caip2, "cosmos:%s", chain_id);
	world_name(world, &tag);
}

struct world *world_new_with(const char *chain_id, bool insecure,
			     const struct ledger_contract *const *more, size_t count)
{
	const struct ledger_contract *contracts[8] = {&ledger_gateway, &app_contract,
						      &hostile_contract};
	struct world *world = calloc(1, sizeof *world);
	assert_non_null(world);
	assert_true(count <= CS_LEN(contracts) - 3);
	for (size_t i = 0; i < count; i++)
		contracts[3 + i] = more[i];
	/* The machine keeps the table. */
	const struct ledger_contract **kept = keep(sizeof contracts);
	memcpy(kept, contracts, sizeof contracts);
	world->lab = lab_new(kept, 3 + count);
	world->owner = lab_address(0x11);
	world->guardian = lab_address(0x12);
	world->user = lab_address(0x13);
	world->closer = lab_address(0x14);
	world->anyone = lab_address(0x15);
	world->app = ledger_contract_address(WORLD_APP);
	world->hostile = ledger_contract_address(WORLD_HOSTILE);
	world->domain = insecure ? WIRE_DOMAIN_INSECURE : WIRE_DOMAIN_SECURE;
	found(world, chain_id, insecure);
	world->remote = remote_make(world, "eip155:777", "remote");
	world_register(world, &world->remote);
	app = (struct app){.mode = APP_GOOD};
	return world;
}

struct world *world_new(const char *chain_id, bool insecure)
{
	return world_new_with(chain_id, insecure, NULL, 0);
}

void world_free(struct world *world)
{
	lab_free(world->lab);
	free(world);
}

static struct cs_bytes kept(const struct cs_buf *buf)
{
	assert_ok(cs_buf_end(buf));
	uint8_t *p = keep(buf->n);
	memcpy(p, buf->p, buf->n);
	return cs_bytes(p, buf->n);
}

static uint8_t scratch[3u * 1024 * 1024];

struct cs_bytes register_call(const struct remote *remote)
{
	struct cs_buf buf;
	struct cs_abi abi;
	cs_buf_init(&buf, scratch, sizeof scratch);
	cs_abi_call(&abi, &buf, "registerRemote(string,bytes32,bytes,bytes,uint64)");
	size_t caip2 = cs_abi_slot(&abi);
	cs_abi_put_word(&abi, &remote->genesis);
	size_t gateway = cs_abi_slot(&abi), chain = cs_abi_slot(&abi);
	cs_abi_put_u64(&abi, 1);
	cs_abi_put_bytes(&abi, caip2, cs_bytes_str(remote->caip2));
	cs_abi_put_bytes(&abi, gateway, CS_BYTES_OF(remote->gateway.b));
	cs_abi_put_bytes(&abi, chain, remote->chain);
	return kept(&buf);
}

void world_register(struct world *world, const struct remote *remote)
{
	const struct cs_hash zero = {{0}};
	const struct route_row row = route_default(remote);
	world_do_input(world, &world->owner, WORLD_GATEWAY, register_call(remote));
	world_do(world, &world->owner, WORLD_GATEWAY, SET_ROUTE, &row.remote, 1 + ROUTE_WORDS);
	world_do(world, &world->owner, WORLD_GATEWAY,
		 "registerKey(bytes32,uint64,bytes32,bytes32,bytes32)",
		 LAB_WORDS(remote->identity, lab_word(1), remote->x, zero, zero));
}

struct route_row route_default(const struct remote *remote)
{
	static const uint64_t values[ROUTE_WORDS] = {
		[ROUTE_CLOSER_ALLOWED] = 1,      [ROUTE_REFUND_TO_ALLOWED] = 1,
		[ROUTE_FINALITY_MAX] = 10,       [ROUTE_PAYLOAD_MAX] = 4096,
		[ROUTE_LIFETIME_MIN] = 60,       [ROUTE_LIFETIME_MAX] = 100000,
		[ROUTE_LIFETIME_DEFAULT] = 3600, [ROUTE_GAS_MAX] = 2000000,
		[ROUTE_GAS_DEFAULT] = 100000,
	};
	struct route_row row = {.remote = remote->identity};
	for (size_t i = 0; i < ROUTE_WORDS; i++)
		row.words[i] = lab_word(values[i]);
	return row;
}

void world_route(struct world *world, const struct remote *remote, enum route_place place,
		 struct cs_hash value)
{
	struct route_row row = route_default(remote);
	row.words[place] = value;
	world_do(world, &world->owner, WORLD_GATEWAY, SET_ROUTE, &row.remote, 1 + ROUTE_WORDS);
}

/* ---- calls ---- */

struct cs_bytes words_call(const char *signature, const struct cs_hash *words, size_t count)
{
	struct cs_buf buf;
	struct cs_abi abi;
	cs_buf_init(&buf, scratch, sizeof scratch);
	cs_abi_call(&abi, &buf, signature);
	for (size_t i = 0; i < count; i++)
		cs_abi_put_word(&abi, &words[i]);
	return kept(&buf);
}

struct cs_bytes bytes_call(const char *signature, struct cs_bytes bytes)
{
	struct cs_buf buf;
	struct cs_abi abi;
	cs_buf_init(&buf, scratch, sizeof scratch);
	cs_abi_call(&abi, &buf, signature);
	cs_abi_put_bytes(&abi, cs_abi_slot(&abi), bytes);
	return kept(&buf);
}

void world_do_input(struct world *world, const struct cs_address *from, uint8_t number,
		    struct cs_bytes input)
{
	struct cs_bytes output;
	world->lab->from = *from;
	if (!lab_try(world->lab, &output, number, input)) {
		char hex[201] = "";
		cs_hex(hex, cs_bytes(output.p, output.n < 100 ? output.n : 100));
		fail_msg("it reverts with %s", hex);
	}
}

void world_do(struct world *world, const struct cs_address *from, uint8_t number,
	      const char *signature, const struct cs_hash *words, size_t count)
{
	world_do_input(world, from, number, words_call(signature, words, count));
}

void world_refuse_input(struct world *world, const struct cs_address *from, uint8_t number,
			struct cs_bytes input, const char *error, const struct cs_hash *words,
			size_t count)
{
	world->lab->from = *from;
	lab_refuse_input(world->lab, number, input, error, words, count);
}

void world_refuse(struct world *world, const struct cs_address *from, uint8_t number,
		  const char *error, const char *signature, const struct cs_hash *words,
		  size_t count)
{
	world_refuse_input(world, from, number, words_call(signature, words, count), error,
			   LAB_NONE);
}

void world_later_input(struct world *world, uint8_t number, struct cs_bytes input)
{
	world_do_input(world, &world->owner, number, bytes_call("schedule(bytes)", input));
	world_at(world, world_now(world) + WORLD_DELAY);
	world_do_input(world, &world->owner, number, input);
}

void world_later(struct world *world, uint8_t number, const char *signature,
		 const struct cs_hash *words, size_t count)
{
	world_later_input(world, number, words_call(signature, words, count));
}

uint64_t world_now(const struct world *world)
{
	return world->lab->block.time_s;
}

void world_at(struct world *world, uint64_t time_s)
{
	if (time_s > world_now(world))
		lab_next_block(world->lab, time_s - world_now(world));
}

/* ---- statements ---- */

struct signing signing_of(const struct world *world, const struct remote *remote,
			  enum wire_kind kind)
{
	return (struct signing){
		.key = remote->key,
		.signer = remote->identity,
		.receiver = world->identity,
		.domain = world->domain,
		.kind = kind,
		.epoch = 1,
		.manifest = 1,
	};
}

struct wire_signed sign(const struct world *world, const struct signing *how,
			const struct cs_hash *part)
{
	struct wire_signed made = {
		.statement = {.kind = how->kind,
			      .signer = how->signer,
			      .receiver = how->receiver,
			      .epoch = how->epoch,
			      .manifest_number = how->manifest,
			      .root = wire_fold(part, how->path, how->path_count)},
		.path_count = how->path_count,
	};
	const struct cs_hash digest = wire_digest(&made.statement, how->domain), aux = {{0}};
	memcpy(made.path, how->path, sizeof made.path);
	assert_ok(cs_schnorr_sign(world->lab->sig, &made.signature, &how->key, &digest, &aux));
	return made;
}

/* ---- messages ---- */

struct wire_message message_to(struct world *world, struct remote *remote,
			       const struct cs_address *recipient, struct cs_bytes payload)
{
	struct wire_message message = {
		.head = {.source = remote->identity,
			 .destination = world->identity,
			 .sequence = ++remote->sequence,
			 .deadline = world_now(world) + 3600,
			 .min_gas_limit = 100000},
		.sender = account_of(remote->caip2, &remote->app),
		.recipient = account_of(world->caip2, recipient),
		.payload = payload,
	};
	wire_message_seal(&message);
	return message;
}

struct wire_message message_make(struct world *world, struct remote *remote)
{
	return message_to(world, remote, &world->app, cs_bytes_str("hello"));
}

struct cs_hash message_id(const struct wire_message *message)
{
	struct wire_message sealed = *message;
	wire_message_seal(&sealed);
	return wire_message_id(&sealed.head);
}

struct cs_hash messages_root(const struct wire_message *messages, size_t count)
{
	struct cs_hash leaves[CS_BATCH_MAX];
	for (size_t i = 0; i < count; i++) {
		const struct cs_hash id = message_id(&messages[i]);
		leaves[i] = wire_leaf_message(&id);
	}
	return wire_root(leaves, count);
}

struct cs_bytes call_signed(enum wire_call call, const struct wire_signed *statement,
			    const struct wire_message *messages, size_t count)
{
	struct cs_buf buf;
	cs_buf_init(&buf, scratch, sizeof scratch);
	assert_ok(wire_evm_call_messages(&buf, call, statement, messages, count));
	return kept(&buf);
}

struct cs_bytes call_of(const struct world *world, const struct remote *remote, enum wire_call call,
			const struct wire_message *messages, size_t count)
{
	const struct signing how = signing_of(world, remote, WIRE_KIND_MESSAGE);
	const struct cs_hash root = messages_root(messages, count);
	const struct wire_signed statement = sign(world, &how, &root);
	return call_signed(call, &statement, messages, count);
}

struct cs_bytes call_one(const struct world *world, const struct remote *remote,
			 enum wire_call call, const struct wire_message *message)
{
	return call_of(world, remote, call, message, 1);
}

enum wire_status status_of(struct world *world, const struct wire_message *message)
{
	const struct cs_hash word =
		lab_ask(world->lab, WORLD_GATEWAY, "statusOf(bytes32,uint64)",
			LAB_WORDS(message->head.source, lab_word(message->head.sequence)));
	return (enum wire_status)word.b[31];
}

void deliver(struct world *world, const struct remote *remote, const struct wire_message *message,
	     enum wire_status becomes)
{
	world_do_input(world, &world->anyone, WORLD_GATEWAY,
		       call_one(world, remote, WIRE_CALL_DELIVER, message));
	assert_int_equal(status_of(world, message), becomes);
}

/* ---- outcomes ---- */

struct cs_bytes finalize_of(const struct world *world, const struct remote *remote,
			    const struct wire_outcome *outcomes, size_t count)
{
	struct cs_hash leaves[CS_BATCH_MAX];
	struct cs_buf buf;
	const struct signing how = signing_of(world, remote, WIRE_KIND_OUTCOME);
	for (size_t i = 0; i < count; i++)
		leaves[i] = wire_leaf_outcome(&outcomes[i].message_id, outcomes[i].status);
	const struct cs_hash root = wire_root(leaves, count);
	const struct wire_signed statement = sign(world, &how, &root);
	cs_buf_init(&buf, scratch, sizeof scratch);
	assert_ok(wire_evm_call_finalize(&buf, &statement, outcomes, count));
	return kept(&buf);
}

struct cs_bytes finalize_one(const struct world *world, const struct remote *remote,
			     const struct cs_hash *id, unsigned status)
{
	const struct wire_outcome outcome = {*id, (enum wire_status)status};
	return finalize_of(world, remote, &outcome, 1);
}

unsigned outcome_of(struct world *world, const struct cs_hash *id)
{
	return lab_ask(world->lab, WORLD_GATEWAY, "outcomeOf(bytes32)", id, 1).b[31];
}

/* ---- sending ---- */

static struct cs_bytes put_send(const char *signature, struct cs_bytes recipient,
				const struct cs_bytes *payload, uint64_t payload_size,
				const struct cs_bytes *attributes, size_t count)
{
	struct cs_buf buf;
	struct cs_abi abi;
	size_t slots[32], slot_payload = 0;
	assert_true(count <= CS_LEN(slots));
	cs_buf_init(&buf, scratch, sizeof scratch);
	cs_abi_call(&abi, &buf, signature);
	size_t slot_recipient = cs_abi_slot(&abi);
	if (payload != NULL)
		slot_payload = cs_abi_slot(&abi);
	else
		cs_abi_put_u64(&abi, payload_size);
	size_t slot_attributes = cs_abi_slot(&abi);
	cs_abi_put_bytes(&abi, slot_recipient, recipient);
	if (payload != NULL)
		cs_abi_put_bytes(&abi, slot_payload, *payload);
	cs_abi_enter_array(&abi, slot_attributes, count);
	for (size_t i = 0; i < count; i++)
		slots[i] = cs_abi_slot(&abi);
	for (size_t i = 0; i < count; i++)
		cs_abi_put_bytes(&abi, slots[i], attributes[i]);
	cs_abi_leave(&abi);
	return kept(&buf);
}

struct cs_bytes send_call(struct cs_bytes recipient, struct cs_bytes payload,
			  const struct cs_bytes *attributes, size_t count)
{
	return put_send("sendMessage(bytes,bytes,bytes[])", recipient, &payload, 0, attributes,
			count);
}

struct cs_bytes quote_call(struct cs_bytes recipient, uint64_t payload_size,
			   const struct cs_bytes *attributes, size_t count)
{
	return put_send("quote(bytes,uint256,bytes[])", recipient, NULL, payload_size, attributes,
			count);
}

struct cs_hash send_as(struct world *world, const struct cs_address *from, uint64_t value,
		       struct cs_bytes input)
{
	struct cs_hash id;
	world->lab->value = cs_u256_u64(value);
	world_do_input(world, from, WORLD_GATEWAY, input);
	id = lab_log(world->lab, "MessageSent(bytes32,bytes,bytes,bytes,uint256,bytes[])", 0)
		     ->topics[1];
	return id;
}

struct cs_hash send_one(struct world *world, const struct remote *remote)
{
	return send_as(
		world, &world->user, 0,
		send_call(account_of(remote->caip2, &remote->app), cs_bytes_str("hello"), NULL, 0));
}

struct cs_bytes attribute(const char *signature, struct cs_hash word)
{
	return words_call(signature, &word, 1);
}

struct cs_bytes closer_attribute(struct cs_bytes closer)
{
	return bytes_call("closer(bytes)", closer);
}

/* ---- what the app saw ---- */

static struct cs_hash app_slot(struct world *world, uint8_t number, struct cs_hash place)
{
	return lab_ask(world->lab, number, "slot(uint256)", &place, 1);
}

uint64_t app_received(struct world *world, uint8_t number)
{
	return cs_be64(app_slot(world, number, lab_word(SLOT_RECEIVED)).b + 24);
}

struct cs_hash app_last_id(struct world *world)
{
	return app_slot(world, WORLD_APP, lab_word(SLOT_LAST_ID));
}

struct cs_hash app_last_payload_hash(struct world *world)
{
	return app_slot(world, WORLD_APP, lab_word(SLOT_LAST_PAYLOAD));
}

unsigned app_outcome(struct world *world, const struct cs_hash *id)
{
	const struct cs_hash slot = lab_word(SLOT_OUTCOMES);
	return app_slot(world, WORLD_APP, ledger_slot_of(id, &slot)).b[31];
}

struct cs_bytes app_run(const struct cs_address *target, uint64_t value, struct cs_bytes data)
{
	struct cs_buf buf;
	struct cs_abi abi;
	cs_buf_init(&buf, scratch, sizeof scratch);
	cs_abi_call(&abi, &buf, "run(address,uint256,bytes)");
	cs_abi_put_address(&abi, target);
	cs_abi_put_u64(&abi, value);
	cs_abi_put_bytes(&abi, cs_abi_slot(&abi), data);
	return kept(&buf);
}
