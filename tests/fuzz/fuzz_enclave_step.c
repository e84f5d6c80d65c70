/* Requests in a row against an enclave that has keys, a client and a learned key. The input is a
 * row of (index of the type, size in two bytes, body); of the first index the highest bit says that
 * the time is a ledger's. Each answer must be one that a strict reader
 * takes, and none may hold a secret.
 *
 * With CAISSON_SEEDS=<folder> it writes valid requests there, the beginning of
 * tests/fuzz/corpus/enclave_step. */
#include "../unit/enclave/world.h"
#include "enclave/state.h"
#include "verify/time_answers.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const enum wire_type types[] = {
	WIRE_HELLO,
	WIRE_INIT,
	WIRE_EXPORT,
	WIRE_IMPORT,
	WIRE_CLIENT_CREATE,
	WIRE_CLIENT_UPDATE,
	WIRE_CONFLICT,
	WIRE_SIGN_MESSAGES,
	WIRE_SIGN_OUTCOMES,
	WIRE_LEARN_KEY,
	WIRE_SIGN_TRANSACTION,
	WIRE_ROTATE,
	WIRE_PUBLIC_KEYS,
	WIRE_STATUS,
	WIRE_PROBE,
	WIRE_ERROR,
	WIRE_CLIENT_QUORUM,
	WIRE_CLOCK_ASK,
	WIRE_CLOCK_ANSWERS,
	WIRE_ANCHOR_PROVE,
	WIRE_ANCHOR_SIGN,
};

static struct world *w;
/* The enclave as it is after the setup: its struct and the state of its one client. */
static uint8_t *saved;
static size_t saved_size;
static struct enclave_secrets *saved_secrets;

/* ---- valid requests ---- */

static void seed(const char *name, enum wire_type type, const ProtobufCMessage *request)
{
	const char *folder = getenv("CAISSON_SEEDS");
	char path[512];
	uint8_t head[3] = {0};
	if (folder == NULL)
		return;
	const size_t size = protobuf_c_message_get_packed_size(request);
	uint8_t *body = keep(size);
	(void)protobuf_c_message_pack(request, body);
	while (types[head[0]] != type)
		head[0]++;
	if (type >= WIRE_CLOCK_ASK)
		head[0] |= 0x80;
	cs_put_be16(head + 1, (uint16_t)size);
	(void)snprintf(path, sizeof path, "%s/%s", folder, name);
	FILE *file = fopen(path, "wb");
	assert_non_null(file);
	assert_int_equal(fwrite(head, 1, 3, file), 3);
	assert_int_equal(fwrite(body, 1, size, file), size);
	assert_int_equal(fclose(file), 0);
}

/* Who tells the time, and the nonce that is asked. */
static const struct cs_secret clock_key = {{0x71, 2}};
static const struct cs_hash clock_nonce = {{0x4e}};

/* The one chain is the ledger too: its client gives blocks, though no proof fits to them. */
static void by_ledger(void)
{
	struct enclave *e = w->e;
	e->manifest.insecure_host_time = false;
	e->manifest.ledger.time.keys.count = e->manifest.ledger.time.keys.threshold = 1;
	assert_ok(cs_key_x(w->sig, &e->manifest.ledger.time.keys.keys[0], &clock_key));
	e->manifest.ledger.proof_age_max_s = 1000;
	e->manifest.ledger.anchor_lag_max = 4;
	e->ledger = &e->chains[0];
	e->clock.nonces.is_open = true;
	e->clock.nonces.nonce = clock_nonce;
	e->clock.nonces.made = 1;
	e->anchor.checked = true;
	e->anchor.proof_time_s = w->now.low_s;
}

static void seeds_of_clock(void)
{
	const struct cs_hash digest = verify_time_digest(&clock_nonce, w->now.low_s * 1000);
	const struct cs_hash aux = {{1}};
	struct cs_hash x;
	struct cs_schnorr signature;
	uint8_t both[64];
	Caisson__Wire__ClockAskRequest ask = CAISSON__WIRE__CLOCK_ASK_REQUEST__INIT;
	Caisson__Wire__ClockAnswersRequest answers = CAISSON__WIRE__CLOCK_ANSWERS_REQUEST__INIT;
	Caisson__Wire__ClockAnswer one = CAISSON__WIRE__CLOCK_ANSWER__INIT, *list[1] = {&one};
	Caisson__Wire__AnchorProveRequest prove = CAISSON__WIRE__ANCHOR_PROVE_REQUEST__INIT;
	Caisson__Wire__AnchorSignRequest sign = CAISSON__WIRE__ANCHOR_SIGN_REQUEST__INIT;
	ProtobufCBinaryData inputs[2] = {pb_hash(&aux), pb_hash(&digest)};
	assert_ok(cs_key_x(w->sig, &x, &clock_key));
	assert_ok(cs_schnorr_sign(w->sig, &signature, &clock_key, &digest, &aux));
	memcpy(both, signature.rx.b, 32);
	memcpy(both + 32, signature.s.b, 32);
	ask.inputs = inputs;
	ask.n_inputs = 2;
	one.key = pb_hash(&x);
	one.time_ms = w->now.low_s * 1000;
	one.signature = pb(CS_BYTES_OF(both));
	answers.nonce = pb_hash(&clock_nonce);
	answers.answers = list;
	answers.n_answers = 1;
	prove.height = 1;
	prove.proof = pb(CS_BYTES_OF(both));
	sign.digest = pb_hash(&digest);
	seed("clock_ask", WIRE_CLOCK_ASK, &ask.base);
	seed("clock_answers", WIRE_CLOCK_ANSWERS, &answers.base);
	seed("anchor_prove", WIRE_ANCHOR_PROVE, &prove.base);
	seed("anchor_sign", WIRE_ANCHOR_SIGN, &sign.base);
}

static void seeds_of_state(void)
{
	const struct cs_hash nonce = {{3}};
	Caisson__Wire__HelloRequest hello = CAISSON__WIRE__HELLO_REQUEST__INIT;
	Caisson__Wire__StatusRequest status = CAISSON__WIRE__STATUS_REQUEST__INIT;
	Caisson__Wire__RotateRequest rotate = CAISSON__WIRE__ROTATE_REQUEST__INIT;
	Caisson__Wire__ConflictRequest conflict = CAISSON__WIRE__CONFLICT_REQUEST__INIT;
	Caisson__Wire__ExportRequest export = CAISSON__WIRE__EXPORT_REQUEST__INIT;
	Caisson__Wire__ImportRequest import = CAISSON__WIRE__IMPORT_REQUEST__INIT;
	Caisson__Wire__ClientUpdateRequest update = CAISSON__WIRE__CLIENT_UPDATE_REQUEST__INIT;
	hello.nonce = pb_hash(&nonce);
	status.nonce = pb_hash(&nonce);
	rotate.chain = pb_hash(&w->own);
	conflict.chain = pb_hash(&w->own);
	seed("hello", WIRE_HELLO, &hello.base);
	seed("status", WIRE_STATUS, &status.base);
	seed("rotate", WIRE_ROTATE, &rotate.base);
	seed("conflict", WIRE_CONFLICT, &conflict.base);
	seed("export", WIRE_EXPORT, &export.base);
	const Caisson__Wire__ExportReply *out =
		(const Caisson__Wire__ExportReply *)(const void *)world_ok(w, WIRE_EXPORT,
									   &export.base);
	import.sealed = pb(wire_pb_view(out->sealed));
	seed("import", WIRE_IMPORT, &import.base);
	const struct world_block *last = &w->blocks[w->block_count - 1];
	const struct world_block next = world_block_on(w, last, last->time_s + 1, 0);
	ProtobufCBinaryData headers[1] = {pb(next.raw)};
	update.chain = pb_hash(&w->own);
	update.headers = headers;
	update.n_headers = 1;
	seed("update", WIRE_CLIENT_UPDATE, &update.base);
}

static void seed_messages(const struct wire_message_head *head, const struct world_block *block)
{
	Caisson__Wire__SignMessagesRequest in = CAISSON__WIRE__SIGN_MESSAGES_REQUEST__INIT;
	Caisson__Wire__ReceiptClaim receipt = CAISSON__WIRE__RECEIPT_CLAIM__INIT;
	Caisson__Wire__MessageClaim claim = CAISSON__WIRE__MESSAGE_CLAIM__INIT;
	Caisson__Wire__ReceiptClaim *receipts[1] = {&receipt};
	Caisson__Wire__MessageClaim *claims[1] = {&claim};
	ProtobufCBinaryData headers[1] = {pb(block->raw)};
	claim.head = world_pb_head(head);
	receipt.height = block->height;
	receipt.block_hash = pb_hash(&block->hash);
	receipt.proof = world_receipt_proof(block, 0);
	receipt.messages = claims;
	receipt.n_messages = 1;
	in.chain = pb_hash(&w->own);
	in.receiver = pb_hash(&w->remote);
	in.receipts = receipts;
	in.n_receipts = 1;
	(void)world_ok(w, WIRE_SIGN_MESSAGES, &in.base);
	seed("messages", WIRE_SIGN_MESSAGES, &in.base);
	in.headers = headers;
	in.n_headers = 1;
	seed("messages_ancestors", WIRE_SIGN_MESSAGES, &in.base);
}

static void seed_outcomes(const struct world_block *block)
{
	Caisson__Wire__SignOutcomesRequest in = CAISSON__WIRE__SIGN_OUTCOMES_REQUEST__INIT;
	Caisson__Wire__StatusClaim claim = CAISSON__WIRE__STATUS_CLAIM__INIT;
	Caisson__Wire__StatusClaim *claims[1] = {&claim};
	const struct wire_message_head head = world_head(w, false, 5);
	const struct cs_hash sentinel = wire_evm_sentinel_slot();
	const struct cs_hash slot = wire_evm_status_slot(&w->remote, 5);
	claim.head = world_pb_head(&head);
	claim.proof = world_slot_proof(block, &slot);
	in.chain = pb_hash(&w->own);
	in.receiver = pb_hash(&w->remote);
	in.height = block->height;
	in.account = world_account_proof(w, block);
	in.sentinel = world_slot_proof(block, &sentinel);
	in.claims = claims;
	in.n_claims = 1;
	(void)world_ok(w, WIRE_SIGN_OUTCOMES, &in.base);
	seed("outcomes", WIRE_SIGN_OUTCOMES, &in.base);
}

static void seed_transaction(void)
{
	Caisson__Wire__SignTransactionRequest in = CAISSON__WIRE__SIGN_TRANSACTION_REQUEST__INIT;
	const struct wire_message message = world_message(w, 3);
	const struct cs_hash id = wire_message_id(&message.head);
	const struct cs_hash leaf = wire_leaf_message(&id);
	const struct wire_signed st = world_sign(w, WIRE_KIND_MESSAGE, &leaf, 1, &w->remote_key);
	Caisson__Wire__MessageFull *messages[1] = {world_pb_message(&message)};
	in.chain = pb_hash(&w->own);
	in.action = CAISSON__WIRE__ACTION__ACTION_DELIVER;
	in.statement = world_statement(&st);
	in.messages = messages;
	in.n_messages = 1;
	in.gas_limit = 300000;
	in.max_fee_wei = 100;
	(void)world_ok(w, WIRE_SIGN_TRANSACTION, &in.base);
	seed("deliver", WIRE_SIGN_TRANSACTION, &in.base);
	in.legacy = true;
	seed("deliver_legacy", WIRE_SIGN_TRANSACTION, &in.base);
	caisson__wire__sign_transaction_request__init(&in);
	in.chain = pb_hash(&w->own);
	in.action = CAISSON__WIRE__ACTION__ACTION_CANCEL;
	in.gas_limit = 21000;
	seed("cancel", WIRE_SIGN_TRANSACTION, &in.base);
}

static void seed_learn(const struct world_block *block)
{
	Caisson__Wire__LearnKeyRequest in = CAISSON__WIRE__LEARN_KEY_REQUEST__INIT;
	const struct cs_hash sentinel = wire_evm_sentinel_slot();
	const struct cs_hash key = wire_evm_key_slot(&w->remote, 1, 0);
	const struct cs_hash window = wire_evm_key_slot(&w->remote, 1, 1);
	in.chain = pb_hash(&w->own);
	in.remote = pb_hash(&w->remote);
	in.epoch = 1;
	in.height = block->height;
	in.account = world_account_proof(w, block);
	in.sentinel = world_slot_proof(block, &sentinel);
	in.key = world_slot_proof(block, &key);
	in.window = world_slot_proof(block, &window);
	(void)world_ok(w, WIRE_LEARN_KEY, &in.base);
	seed("learn", WIRE_LEARN_KEY, &in.base);
}

/* ---- setup ---- */

static void setup(void)
{
	w = world_new();
	world_begin(w);
	world_learn(w);
	const struct wire_message_head head = world_head(w, true, 1);
	world_set_status(w, 5, WIRE_STATUS_DELIVERED);
	(void)world_emit(w, &head, 1, NULL, NULL);
	const struct world_block *block = world_mine(w);
	world_update(w, block->height);
	world_advance(w, 2);
	seed_messages(&head, block);
	seed_outcomes(block);
	seed_learn(block);
	seed_transaction();
	seeds_of_clock();
	seeds_of_state();
	saved_size = enclave_size() - ENCLAVE_ARENA_SIZE -
		     (CS_MANIFEST_CHAINS_MAX - 1) * verify_evm_client_size();
	saved = malloc(saved_size);
	saved_secrets = malloc(sizeof *saved_secrets);
	assert_true(saved != NULL && saved_secrets != NULL);
	memcpy(saved, w->e, saved_size);
	*saved_secrets = *w->secrets;
}

/* ---- one input ---- */

/* An echo of what came in (a nonce that guessed right) is no leak. */
static void check_secret(const uint8_t *secret, struct cs_bytes request, struct cs_bytes reply)
{
	if (reply.n >= 32 && memmem(reply.p, reply.n, secret, 32) != NULL)
		cs_assert(request.n >= 32 && memmem(request.p, request.n, secret, 32) != NULL);
}

static void check_reply(enum wire_type type, struct cs_bytes request, struct cs_bytes reply)
{
	ProtobufCMessage *message = NULL;
	struct cs_why why = {""};
	cs_arena_rewind(&w->arena, 0);
	cs_assert(wire_decode(&message, wire_type_message(type), reply, &w->arena, &why) == CS_OK);
	check_secret(w->secrets->chains[0].statement[0].b, request, reply);
	check_secret(w->secrets->chains[0].gas.b, request, reply);
	check_secret(w->secrets->seal_root.b, request, reply);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t memory[CS_FRAME_BODY_SIZE_MAX];
	if (w == NULL)
		setup();
	memcpy(w->e, saved, saved_size);
	memcpy(w->secrets, saved_secrets, offsetof(struct enclave_secrets, scratch));
	if (size > 0 && data[0] >= 0x80)
		by_ledger();
	while (size >= 3) {
		const enum wire_type type = types[(data[0] & 0x7f) % CS_LEN(types)];
		size_t n = cs_be16(data + 1);
		if (n > size - 3)
			n = size - 3;
		/* A copy of exactly this size, so that a sanitizer sees every step outside. */
		uint8_t *body = malloc(n + (n == 0));
		struct cs_buf reply;
		cs_assert(body != NULL);
		memcpy(body, data + 3, n);
		cs_buf_init(&reply, memory, sizeof memory);
		const enum wire_type answer =
			enclave_step(w->e, &w->now, type, cs_bytes(body, n), &reply);
		cs_assert(answer == WIRE_ERROR || answer == type + 1);
		check_reply(answer, cs_bytes(body, n), cs_buf_view(&reply));
		free(body);
		data += 3 + n;
		size -= 3 + n;
	}
	return 0;
}
