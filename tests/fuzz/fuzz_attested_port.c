/* What a stranger says behind the TLS of the attested port, against an enclave that has keys, a client and a
 * message whose fate is proven: plain bytes as they came, cut where the first byte of the input says. Each
 * reply must be one that a strict reader takes, what a visitor may not ask for must change nothing, and no
 * reply may hold a secret.
 *
 * With CAISSON_SEEDS=<folder> it writes valid conversations there, the beginning of
 * tests/fuzz/corpus/attested_port. */
#include "../unit/enclave/world.h"
#include "enclave/port.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct world *w;
static uint8_t conversation[8][64 * 1024];
static size_t sizes[8];

/* ---- valid conversations ---- */

static void say(size_t which, enum wire_type type, const ProtobufCMessage *message)
{
	const size_t size = protobuf_c_message_get_packed_size(message);
	const struct wire_frame frame = {(uint32_t)size, type, 7};
	uint8_t *at = conversation[which] + sizes[which];
	assert_true(sizes[which] + WIRE_FRAME_HEAD_SIZE + size <= sizeof conversation[which]);
	wire_frame_encode(at, &frame);
	(void)protobuf_c_message_pack(message, at + WIRE_FRAME_HEAD_SIZE);
	sizes[which] += WIRE_FRAME_HEAD_SIZE + size;
}

static void write_seed(const char *name, size_t which)
{
	const char *folder = getenv("CAISSON_SEEDS");
	const uint8_t cut = 0;
	char path[512];
	if (folder == NULL)
		return;
	(void)snprintf(path, sizeof path, "%s/%s", folder, name);
	FILE *file = fopen(path, "wb");
	assert_non_null(file);
	assert_int_equal(fwrite(&cut, 1, 1, file), 1);
	assert_int_equal(fwrite(conversation[which], 1, sizes[which], file), sizes[which]);
	assert_int_equal(fclose(file), 0);
}

static void seeds(const struct world_block *block, const struct wire_message_head *sent)
{
	const struct cs_hash nonce = {{3}}, sentinel = wire_evm_sentinel_slot();
	const struct cs_hash slot = wire_evm_status_slot(&w->remote, 5);
	const struct wire_message_head head = world_head(w, false, 5);
	Caisson__Wire__HelloRequest hello = CAISSON__WIRE__HELLO_REQUEST__INIT;
	Caisson__Wire__StatusRequest status = CAISSON__WIRE__STATUS_REQUEST__INIT;
	Caisson__Wire__ExportRequest export = CAISSON__WIRE__EXPORT_REQUEST__INIT;
	Caisson__Wire__SignOutcomesRequest outcomes = CAISSON__WIRE__SIGN_OUTCOMES_REQUEST__INIT;
	Caisson__Wire__StatusClaim claim = CAISSON__WIRE__STATUS_CLAIM__INIT, *claims[1] = {&claim};
	Caisson__Wire__SignMessagesRequest messages = CAISSON__WIRE__SIGN_MESSAGES_REQUEST__INIT;
	Caisson__Wire__ReceiptClaim receipt = CAISSON__WIRE__RECEIPT_CLAIM__INIT;
	Caisson__Wire__MessageClaim one = CAISSON__WIRE__MESSAGE_CLAIM__INIT, *all[1] = {&one};
	Caisson__Wire__ReceiptClaim *receipts[1] = {&receipt};
	hello.nonce = status.nonce = pb_hash(&nonce);
	claim.head = world_pb_head(&head);
	claim.proof = world_slot_proof(block, &slot);
	outcomes.chain = messages.chain = pb_hash(&w->own);
	outcomes.receiver = messages.receiver = pb_hash(&w->remote);
	outcomes.height = receipt.height = block->height;
	outcomes.account = world_account_proof(w, block);
	outcomes.sentinel = world_slot_proof(block, &sentinel);
	outcomes.claims = claims;
	outcomes.n_claims = 1;
	one.head = world_pb_head(sent);
	receipt.block_hash = pb_hash(&block->hash);
	receipt.proof = world_receipt_proof(block, 0);
	receipt.messages = all;
	receipt.n_messages = 1;
	messages.receipts = receipts;
	messages.n_receipts = 1;
	for (size_t i = 0; i < 5; i++)
		say(i, WIRE_HELLO, &hello.base);
	say(1, WIRE_STATUS, &status.base);
	say(2, WIRE_SIGN_OUTCOMES, &outcomes.base);
	say(3, WIRE_SIGN_MESSAGES, &messages.base);
	say(4, WIRE_EXPORT, &export.base);
	write_seed("hello", 0);
	write_seed("status", 1);
	write_seed("outcomes", 2);
	write_seed("messages", 3);
	write_seed("forbidden", 4);
}

static void setup(void)
{
	w = world_new();
	world_begin(w);
	const struct wire_message_head sent = world_head(w, true, 1);
	world_set_status(w, 5, WIRE_STATUS_DELIVERED);
	(void)world_emit(w, &sent, 1, NULL, NULL);
	const struct world_block *block = world_mine(w);
	world_update(w, block->height);
	world_advance(w, 2);
	seeds(block, &sent);
}

/* ---- one input ---- */

static enum cs_err bind(void *context, const struct cs_hash *nonce, struct wire_report_tls *tls)
{
	(void)context;
	*tls = (struct wire_report_tls){.exporter = *nonce, .from_server = true};
	return CS_OK;
}

static bool holds(struct cs_bytes bytes, const uint8_t secret[32])
{
	return bytes.n >= 32 && memmem(bytes.p, bytes.n, secret, 32) != NULL;
}

/* An echo of what came in is no leak. */
static void check_reply(struct cs_bytes said, struct cs_bytes reply)
{
	const uint8_t *secrets[] = {w->secrets->chains[0].statement[0].b,
				    w->secrets->chains[0].gas.b, w->secrets->seal_root.b};
	struct wire_frame frame;
	ProtobufCMessage *message = NULL;
	struct cs_why why = {""};
	cs_assert(reply.n >= WIRE_FRAME_HEAD_SIZE);
	cs_assert(wire_frame_decode(&frame, reply.p) == CS_OK);
	cs_assert(!wire_type_is_request(frame.type));
	cs_assert(reply.n - WIRE_FRAME_HEAD_SIZE == frame.body_size);
	cs_arena_rewind(&w->arena, 0);
	cs_assert(wire_decode(&message, wire_type_message(frame.type),
			      cs_bytes(reply.p + WIRE_FRAME_HEAD_SIZE, frame.body_size), &w->arena,
			      &why) == CS_OK);
	for (size_t i = 0; i < CS_LEN(secrets); i++)
		cs_assert(!holds(reply, secrets[i]) || holds(said, secrets[i]));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t memory[WIRE_FRAME_HEAD_SIZE + PORT_REPLY_SIZE_MAX];
	if (w == NULL)
		setup();
	if (size == 0)
		return 0;
	const uint64_t counter = w->e->counter, epoch = w->e->chains[0].epoch_current;
	const size_t cut = data[0];
	struct port port = {.visitor = {.bind = bind}};
	const struct enclave_call call = {.e = w->e, .now = w->now};
	/* As much as came so far, in memory of exactly that size. */
	size_t begin = 1, end = cut == 0 ? size : 1;
	for (;;) {
		uint8_t *plain = malloc(end - begin + (end == begin));
		struct cs_buf out;
		size_t used = 0;
		cs_assert(plain != NULL);
		memcpy(plain, data + begin, end - begin);
		cs_buf_init(&out, memory, sizeof memory);
		cs_arena_rewind(&w->e->arena, 0);
		const enum cs_err err =
			port_take(&port, &used, &out, &call, cs_bytes(plain, end - begin));
		cs_assert(used <= end - begin && (err == CS_OK || used == 0));
		if (used > 0)
			check_reply(cs_bytes(plain, end - begin), cs_buf_view(&out));
		free(plain);
		begin += used;
		if (err != CS_OK || (used == 0 && end == size))
			break;
		if (used == 0)
			end = end + cut < size ? end + cut : size;
	}
	cs_assert(w->e->counter == counter && w->e->chains[0].epoch_current == epoch);
	return 0;
}
