#include "world.h"

#include "core/hash.h"
#include "core/rlp.h"

static const struct cs_address gateway_address = {{0x33, 0x33, 0x01}};
static const struct cs_hash code = {{0x44, 0xc0, 0xde}};

static bool random_bytes(void *p, size_t n)
{
	static uint64_t counter;
	for (size_t at = 0; at < n;) {
		uint8_t seed[8];
		cs_put_be64(seed, ++counter);
		const struct cs_hash hash = cs_sha256(CS_BYTES_OF(seed));
		const size_t part = n - at < 32 ? n - at : 32;
		memcpy((uint8_t *)p + at, hash.b, part);
		at += part;
	}
	return true;
}

static struct cs_buf buf_new(size_t size)
{
	struct cs_buf buf;
	cs_buf_init(&buf, keep(size), size);
	return buf;
}

static struct cs_bytes done(const struct cs_buf *buf)
{
	assert_ok(cs_buf_end(buf));
	/* Exactly as large as it is, so that a sanitizer sees every step outside. */
	uint8_t *p = keep(buf->n);
	memcpy(p, buf->p, buf->n);
	return cs_bytes(p, buf->n);
}

/* ---- tries (yellow paper, appendix D) ---- */

#define ITEMS_MAX 64

struct item {
	uint8_t nibbles[64];
	size_t nibble_count;
	struct cs_bytes value;
};

struct trie {
	struct item items[ITEMS_MAX];
	size_t count;
};

static int item_order(const void *a, const void *b)
{
	const struct item *x = a;
	const struct item *y = b;
	const size_t n = x->nibble_count < y->nibble_count ? x->nibble_count : y->nibble_count;
	const int order = memcmp(x->nibbles, y->nibbles, n);
	return order != 0
		       ? order
		       : (x->nibble_count > y->nibble_count) - (x->nibble_count < y->nibble_count);
}

static size_t nibbles_of(uint8_t *nibbles, struct cs_bytes key)
{
	for (size_t i = 0; i < key.n; i++) {
		nibbles[2 * i] = key.p[i] >> 4;
		nibbles[2 * i + 1] = key.p[i] & 15;
	}
	return 2 * key.n;
}

static void trie_add(struct trie *trie, struct cs_bytes key, struct cs_bytes value)
{
	assert_true(trie->count < ITEMS_MAX && key.n <= 32);
	struct item *item = &trie->items[trie->count++];
	item->nibble_count = nibbles_of(item->nibbles, key);
	item->value = value;
	qsort(trie->items, trie->count, sizeof *item, item_order);
}

static void put_compact(struct cs_buf *buf, const uint8_t *nibbles, size_t n, bool leaf)
{
	uint8_t bytes[33];
	size_t at = 0;
	size_t i = 0;
	bytes[at++] = (uint8_t)((leaf ? 0x20 : 0) | (n % 2 != 0 ? 0x10 | nibbles[i++] : 0));
	for (; i < n; i += 2)
		bytes[at++] = (uint8_t)(nibbles[i] << 4 | nibbles[i + 1]);
	cs_rlp_put_bytes(buf, cs_bytes(bytes, at));
}

static size_t common_of(const struct trie *trie, size_t low, size_t high)
{
	const struct item *first = &trie->items[low];
	const struct item *last = &trie->items[high - 1];
	size_t n = 0;
	while (n < first->nibble_count && n < last->nibble_count &&
	       first->nibbles[n] == last->nibbles[n])
		n++;
	return n;
}

static struct cs_bytes node(const struct trie *trie, size_t low, size_t high, size_t depth);

static void put_child(struct cs_buf *buf, const struct trie *trie, size_t low, size_t high,
		      size_t depth)
{
	const struct cs_bytes child = node(trie, low, high, depth);
	const struct cs_hash hash = cs_keccak256(child);
	if (child.n < 32)
		cs_put(buf, child);
	else
		cs_rlp_put_bytes(buf, CS_BYTES_OF(hash.b));
}

static size_t range_end(const struct trie *trie, size_t at, size_t high, size_t depth)
{
	const uint8_t digit = trie->items[at].nibbles[depth];
	while (at < high && trie->items[at].nibbles[depth] == digit)
		at++;
	return at;
}

static struct cs_bytes node(const struct trie *trie, size_t low, size_t high, size_t depth)
{
	struct cs_buf buf = buf_new(8192);
	const size_t list = cs_rlp_list_begin(&buf);
	const struct item *first = &trie->items[low];
	const size_t common = common_of(trie, low, high);
	if (high - low == 1) {
		put_compact(&buf, first->nibbles + depth, first->nibble_count - depth, true);
		cs_rlp_put_bytes(&buf, first->value);
	} else if (common > depth) {
		put_compact(&buf, first->nibbles + depth, common - depth, false);
		put_child(&buf, trie, low, high, common);
	} else {
		size_t at = low;
		for (uint8_t digit = 0; digit < 16; digit++) {
			if (at == high || trie->items[at].nibbles[depth] != digit) {
				cs_rlp_put_bytes(&buf, CS_BYTES_NONE);
				continue;
			}
			const size_t end = range_end(trie, at, high, depth);
			put_child(&buf, trie, at, end, depth + 1);
			at = end;
		}
		cs_rlp_put_bytes(&buf, CS_BYTES_NONE);
	}
	cs_rlp_list_end(&buf, list);
	return done(&buf);
}

static struct cs_hash trie_root(const struct trie *trie)
{
	static const uint8_t empty = 0x80;
	return cs_keccak256(trie->count == 0 ? cs_bytes(&empty, 1) : node(trie, 0, trie->count, 0));
}

static Caisson__Wire__ProofNodes *trie_proof(const struct trie *trie, struct cs_bytes key)
{
	Caisson__Wire__ProofNodes *proof = keep(sizeof *proof);
	uint8_t wanted[64];
	(void)nibbles_of(wanted, key);
	caisson__wire__proof_nodes__init(proof);
	proof->nodes = keep(32 * sizeof *proof->nodes);
	size_t low = 0;
	size_t high = trie->count;
	size_t depth = 0;
	while (low < high) {
		const struct cs_bytes encoded = node(trie, low, high, depth);
		if (proof->n_nodes == 0 || encoded.n >= 32) {
			if (encoded.n > 1024)
				proof->leaf = pb(encoded);
			else
				proof->nodes[proof->n_nodes++] = pb(encoded);
		}
		if (high - low == 1)
			break;
		const size_t common = common_of(trie, low, high);
		if (common > depth) {
			if (memcmp(trie->items[low].nibbles + depth, wanted + depth,
				   common - depth) != 0)
				break;
			depth = common;
			continue;
		}
		while (low < high && trie->items[low].nibbles[depth] != wanted[depth])
			low++;
		if (low < high)
			high = range_end(trie, low, high, depth);
		depth++;
	}
	return proof;
}

/* ---- state and receipts of a block ---- */

static void put_word(struct cs_buf *buf, const struct cs_hash *word)
{
	const struct cs_u256 number = cs_u256_from_word(word);
	cs_rlp_put_u256(buf, &number);
}

static struct trie *storage_of(const struct world_block *block)
{
	struct trie *trie = keep(sizeof *trie);
	for (size_t i = 0; i < block->slot_count; i++) {
		struct cs_buf value = buf_new(64);
		const struct cs_hash key = cs_keccak256(CS_BYTES_OF(block->slots[i].slot.b));
		if (cs_hash_is_zero(&block->slots[i].value))
			continue;
		put_word(&value, &block->slots[i].value);
		trie_add(trie, CS_BYTES_OF(key.b), done(&value));
	}
	return trie;
}

static void add_account(struct trie *trie, const struct cs_address *address,
			const struct cs_hash *storage_root, const struct cs_hash *code_hash)
{
	struct cs_buf buf = buf_new(256);
	const struct cs_hash key = cs_keccak256(CS_BYTES_OF(address->b));
	const size_t list = cs_rlp_list_begin(&buf);
	cs_rlp_put_u64(&buf, 1);
	cs_rlp_put_u64(&buf, 0);
	cs_rlp_put_bytes(&buf, CS_BYTES_OF(storage_root->b));
	cs_rlp_put_bytes(&buf, CS_BYTES_OF(code_hash->b));
	cs_rlp_list_end(&buf, list);
	trie_add(trie, CS_BYTES_OF(key.b), done(&buf));
}

static struct trie *state_of(const struct world_block *block)
{
	struct trie *trie = keep(sizeof *trie);
	const struct trie *storage = storage_of(block);
	const struct cs_hash storage_root = trie_root(storage);
	const struct trie none = {.count = 0};
	const struct cs_hash empty = trie_root(&none);
	for (uint8_t i = 0; i < 9; i++) {
		const struct cs_address other = {{i, 0xaa}};
		add_account(trie, &other, &empty, &empty);
	}
	if (!block->account_absent)
		add_account(trie, &gateway_address, &storage_root, &block->code_hash);
	return trie;
}

static struct trie *receipts_of(const struct world_block *block)
{
	struct trie *trie = keep(sizeof *trie);
	for (uint64_t i = 0; i < block->receipt_count; i++) {
		struct cs_buf key = buf_new(16);
		cs_rlp_put_u64(&key, i);
		trie_add(trie, done(&key), block->receipts[i]);
	}
	return trie;
}

Caisson__Wire__ProofNodes *world_receipt_proof(const struct world_block *block, uint32_t index)
{
	struct cs_buf key = buf_new(16);
	cs_rlp_put_u64(&key, index);
	return trie_proof(receipts_of(block), done(&key));
}

Caisson__Wire__ProofNodes *world_account_proof(const struct world *w,
					       const struct world_block *block)
{
	const struct cs_hash key = cs_keccak256(CS_BYTES_OF(w->manifest.chains[0].gateway.b));
	return trie_proof(state_of(block), CS_BYTES_OF(key.b));
}

Caisson__Wire__ProofNodes *world_slot_proof(const struct world_block *block,
					    const struct cs_hash *slot)
{
	const struct cs_hash key = cs_keccak256(CS_BYTES_OF(slot->b));
	return trie_proof(storage_of(block), CS_BYTES_OF(key.b));
}

/* ---- blocks ---- */

static void header_make(struct world_block *block, const struct cs_hash *parent, uint8_t salt)
{
	static const uint8_t zeros[256];
	struct cs_buf buf = buf_new(2048);
	const struct cs_hash state = trie_root(state_of(block));
	const struct cs_hash receipts = trie_root(receipts_of(block));
	const size_t list = cs_rlp_list_begin(&buf);
	cs_rlp_put_bytes(&buf, CS_BYTES_OF(parent->b));
	cs_rlp_put_bytes(&buf, cs_bytes(zeros, 32));
	cs_rlp_put_bytes(&buf, cs_bytes(zeros, 20));
	cs_rlp_put_bytes(&buf, CS_BYTES_OF(state.b));
	cs_rlp_put_bytes(&buf, cs_bytes(zeros, 32));
	cs_rlp_put_bytes(&buf, CS_BYTES_OF(receipts.b));
	cs_rlp_put_bytes(&buf, cs_bytes(zeros, 256));
	cs_rlp_put_u64(&buf, 0);
	cs_rlp_put_u64(&buf, block->height);
	cs_rlp_put_u64(&buf, 30000000);
	cs_rlp_put_u64(&buf, 0);
	cs_rlp_put_u64(&buf, block->time_s);
	cs_rlp_put_bytes(&buf, cs_bytes(&salt, 1));
	cs_rlp_put_bytes(&buf, cs_bytes(zeros, 32));
	cs_rlp_put_bytes(&buf, cs_bytes(zeros, 8));
	cs_rlp_put_u64(&buf, 7);
	cs_rlp_list_end(&buf, list);
	block->raw = done(&buf);
	block->hash = cs_keccak256(block->raw);
}

struct world_block *world_mine(struct world *w)
{
	static const struct cs_hash none;
	const struct world_block *parent =
		w->block_count > 0 ? &w->blocks[w->block_count - 1] : NULL;
	assert_true(w->block_count < WORLD_BLOCKS_MAX);
	struct world_block *block = &w->blocks[w->block_count];
	*block = w->next;
	block->height = w->block_count;
	if (block->time_s == 0)
		block->time_s = parent != NULL ? parent->time_s + 1 : WORLD_START;
	header_make(block, parent != NULL ? &parent->hash : &none, 0);
	w->block_count++;
	w->next.receipt_count = 0;
	w->next.time_s = 0;
	if (w->now.low_s < block->time_s)
		w->now = (struct verify_time){block->time_s, block->time_s};
	return block;
}

struct world_block world_block_on(const struct world *w, const struct world_block *parent,
				  uint64_t time_s, uint8_t salt)
{
	struct world_block block = w->next;
	block.height = parent->height + 1;
	block.time_s = time_s;
	header_make(&block, &parent->hash, salt);
	return block;
}

void world_update(struct world *w, uint64_t from)
{
	Caisson__Wire__ClientUpdateRequest in = CAISSON__WIRE__CLIENT_UPDATE_REQUEST__INIT;
	ProtobufCBinaryData headers[WORLD_BLOCKS_MAX];
	for (size_t i = from; i < w->block_count; i++)
		headers[in.n_headers++] = pb(w->blocks[i].raw);
	in.chain = pb_hash(&w->own);
	in.headers = headers;
	(void)world_ok(w, WIRE_CLIENT_UPDATE, &in.base);
}

void world_advance(struct world *w, size_t count)
{
	const uint64_t from = w->block_count;
	for (size_t i = 0; i < count; i++)
		(void)world_mine(w);
	world_update(w, from);
}

/* ---- the contract ---- */

void world_store(struct world *w, const struct cs_hash *slot, const struct cs_hash *value)
{
	size_t i = 0;
	while (i < w->next.slot_count && !cs_hash_eq(&w->next.slots[i].slot, slot))
		i++;
	assert_true(i < WORLD_SLOTS_MAX);
	if (i == w->next.slot_count)
		w->next.slot_count++;
	w->next.slots[i] = (struct world_slot){*slot, *value};
}

void world_set_status(struct world *w, uint64_t sequence, enum wire_status status)
{
	const struct cs_hash slot = wire_evm_status_slot(&w->remote, sequence);
	struct cs_hash word = {{0}};
	for (size_t i = 0; i < w->next.slot_count; i++)
		if (cs_hash_eq(&w->next.slots[i].slot, &slot))
			word = w->next.slots[i].value;
	const unsigned bit = 2 * (unsigned)(sequence & 127);
	uint8_t *byte = &word.b[31 - bit / 8];
	*byte = (uint8_t)((*byte & ~(3u << (bit % 8))) | (unsigned)status << (bit % 8));
	world_store(w, &slot, &word);
}

void world_register_key(struct world *w, uint64_t epoch, const struct cs_hash *x,
			enum wire_key_state state, uint64_t not_before, uint64_t not_after)
{
	const struct cs_hash first = wire_evm_key_slot(&w->remote, epoch, 0);
	const struct cs_hash second = wire_evm_key_slot(&w->remote, epoch, 1);
	struct cs_hash window = {{0}};
	window.b[31] = (uint8_t)state;
	cs_put_be64(window.b + 23, not_before);
	cs_put_be64(window.b + 15, not_after);
	world_store(w, &first, x);
	world_store(w, &second, &window);
}

void world_learn_as(struct world *w, enum wire_key_state state, uint64_t not_before,
		    uint64_t not_after)
{
	Caisson__Wire__LearnKeyRequest in = CAISSON__WIRE__LEARN_KEY_REQUEST__INIT;
	const struct cs_hash sentinel = wire_evm_sentinel_slot();
	const struct cs_hash key = wire_evm_key_slot(&w->remote, 1, 0);
	const struct cs_hash window = wire_evm_key_slot(&w->remote, 1, 1);
	world_register_key(w, 1, &w->remote_x, state, not_before, not_after);
	world_advance(w, 3);
	const struct world_block *block = &w->blocks[w->block_count - 3];
	in.chain = pb_hash(&w->own);
	in.remote = pb_hash(&w->remote);
	in.epoch = 1;
	in.height = block->height;
	in.account = world_account_proof(w, block);
	in.sentinel = world_slot_proof(block, &sentinel);
	in.key = world_slot_proof(block, &key);
	in.window = world_slot_proof(block, &window);
	(void)world_ok(w, WIRE_LEARN_KEY, &in.base);
}

void world_learn(struct world *w)
{
	world_learn_as(w, WIRE_KEY_ACTIVE, 0, 0);
}

struct cs_bytes world_export(struct world *w)
{
	Caisson__Wire__ExportRequest in = CAISSON__WIRE__EXPORT_REQUEST__INIT;
	const Caisson__Wire__ExportReply *out =
		(const Caisson__Wire__ExportReply *)(const void *)world_ok(w, WIRE_EXPORT,
									   &in.base);
	const ProtobufCBinaryData copy = pb(wire_pb_view(out->sealed));
	return wire_pb_view(copy);
}

struct wire_message_head world_head(const struct world *w, bool out, uint64_t sequence)
{
	return (struct wire_message_head){
		.source = out ? w->own : w->remote,
		.destination = out ? w->remote : w->own,
		.sequence = sequence,
		.deadline = WORLD_START + 1000,
		.sender_hash = {{1}},
		.recipient_hash = {{2}},
		.payload_hash = {{3}},
		.min_gas_limit = 100000,
	};
}

struct wire_message world_message(const struct world *w, uint64_t sequence)
{
	/* ERC-7930: version 1, eip155, a reference (787), an address. */
	static const char *sender = "0001000002031314000000000000000000000000000000000000beef";
	static const char *recipient = "00010000010914000000000000000000000000000000000000cafe";
	struct wire_message message = {.head = world_head(w, false, sequence),
				       .sender = unhex(sender),
				       .recipient = unhex(recipient),
				       .payload = unhex("c0ffee")};
	wire_message_seal(&message);
	return message;
}

struct log {
	const struct cs_address *emitter;
	size_t topic_count;
	const struct cs_hash *topics;
};

static uint32_t receipt_add(struct world *w, const struct log *logs, size_t count)
{
	static const uint8_t bloom[256];
	struct cs_buf buf = buf_new(65536);
	cs_put_u8(&buf, 2);
	const size_t receipt = cs_rlp_list_begin(&buf);
	cs_rlp_put_u64(&buf, 1);
	cs_rlp_put_u64(&buf, 21000);
	cs_rlp_put_bytes(&buf, CS_BYTES_OF(bloom));
	const size_t list = cs_rlp_list_begin(&buf);
	for (size_t i = 0; i < count; i++) {
		const size_t log = cs_rlp_list_begin(&buf);
		cs_rlp_put_bytes(&buf, CS_BYTES_OF(logs[i].emitter->b));
		const size_t topics = cs_rlp_list_begin(&buf);
		for (size_t k = 0; k < logs[i].topic_count; k++)
			cs_rlp_put_bytes(&buf, CS_BYTES_OF(logs[i].topics[k].b));
		cs_rlp_list_end(&buf, topics);
		cs_rlp_put_bytes(&buf, CS_BYTES_NONE);
		cs_rlp_list_end(&buf, log);
	}
	cs_rlp_list_end(&buf, list);
	cs_rlp_list_end(&buf, receipt);
	assert_true(w->next.receipt_count < WORLD_RECEIPTS_MAX);
	w->next.receipts[w->next.receipt_count] = done(&buf);
	return (uint32_t)w->next.receipt_count++;
}

uint32_t world_emit(struct world *w, const struct wire_message_head *heads, size_t count,
		    const struct cs_address *emitter, const struct cs_hash *topic)
{
	const struct cs_hash committed = wire_evm_topic_message_committed();
	struct cs_hash *topics = keep(3 * count * sizeof *topics);
	struct log *logs = keep(count * sizeof *logs);
	for (size_t i = 0; i < count; i++) {
		topics[3 * i] = topic != NULL ? *topic : committed;
		topics[3 * i + 1] = wire_message_id(&heads[i]);
		topics[3 * i + 2] = heads[i].destination;
		logs[i] = (struct log){emitter != NULL ? emitter : &gateway_address, 3,
				       &topics[3 * i]};
	}
	return receipt_add(w, logs, count);
}

uint32_t world_emit_topics(struct world *w, const struct cs_address *emitter,
			   const struct cs_hash *topics, size_t count)
{
	const struct log log = {emitter, count, topics};
	return receipt_add(w, &log, 1);
}

/* ---- requests ---- */

ProtobufCBinaryData pb(struct cs_bytes bytes)
{
	ProtobufCBinaryData data = {bytes.n, keep(bytes.n)};
	if (bytes.n != 0)
		memcpy(data.data, bytes.p, bytes.n);
	return data;
}

ProtobufCBinaryData pb_hash(const struct cs_hash *hash)
{
	return pb(CS_BYTES_OF(hash->b));
}

ProtobufCMessage *world_step(struct world *w, enum wire_type type, const ProtobufCMessage *request)
{
	static uint8_t memory[2][CS_FRAME_BODY_SIZE_MAX];
	struct cs_buf body;
	struct cs_buf reply;
	struct cs_why why = {""};
	ProtobufCMessage *message = NULL;
	/* Packed without our own checks: the enclave must refuse by itself what is not allowed. */
	const size_t size = protobuf_c_message_get_packed_size(request);
	assert_true(size <= CS_FRAME_BODY_SIZE_MAX);
	cs_buf_init(&body, memory[0], sizeof memory[0]);
	cs_buf_init(&reply, memory[1], sizeof memory[1]);
	body.n = protobuf_c_message_pack(request, body.p);
	const enum wire_type answer = enclave_step(w->e, &w->now, type, done(&body), &reply);
	w->reply = done(&reply);
	w->err = CS_OK;
	w->why = why;
	cs_arena_rewind(&w->arena, 0);
	assert_ok(wire_decode(&message, wire_type_message(answer), w->reply, &w->arena, &why));
	if (answer != WIRE_ERROR) {
		assert_int_equal(answer, type + 1);
		return message;
	}
	const Caisson__Wire__ErrorReply *error =
		(const Caisson__Wire__ErrorReply *)(const void *)message;
	assert_true(error->code != CS_OK && error->code < CS_ERR_COUNT);
	assert_true(error->why[0] != '\0');
	w->err = (enum cs_err)error->code;
	(void)snprintf(w->why.text, sizeof w->why.text, "%s", error->why);
	return NULL;
}

ProtobufCMessage *world_ok(struct world *w, enum wire_type type, const ProtobufCMessage *request)
{
	ProtobufCMessage *message = world_step(w, type, request);
	if (message == NULL)
		fail_msg("%s: %s: %s", wire_type_name(type), cs_err_name(w->err), w->why.text);
	return message;
}

void world_refused(struct world *w, enum wire_type type, const ProtobufCMessage *request,
		   enum cs_err err)
{
	if (world_step(w, type, request) != NULL)
		fail_msg("%s was answered, %s expected", wire_type_name(type), cs_err_name(err));
	if (w->err != err)
		fail_msg("%s: %s (%s) where %s is expected", wire_type_name(type),
			 cs_err_name(w->err), w->why.text, cs_err_name(err));
}

struct wire_signed world_sign(const struct world *w, enum wire_kind kind,
			      const struct cs_hash *leaves, size_t count,
			      const struct cs_secret *key)
{
	struct wire_signed st = {.statement = {.kind = kind,
					       .signer = w->remote,
					       .receiver = w->own,
					       .epoch = 1,
					       .manifest_number = 1,
					       .root = wire_root(leaves, count)}};
	const struct cs_hash digest = wire_digest(&st.statement, WIRE_DOMAIN_INSECURE);
	const struct cs_hash aux = {{9}};
	assert_ok(cs_schnorr_sign(w->sig, &st.signature, key, &digest, &aux));
	return st;
}

static struct cs_arena *scratch(void)
{
	static struct cs_arena arena;
	if (arena.block == NULL)
		cs_arena_init(&arena, keep(16u * 1024 * 1024), 16u * 1024 * 1024);
	return &arena;
}

Caisson__Wire__Statement *world_statement(const struct wire_signed *st)
{
	Caisson__Wire__Statement *out = keep(sizeof *out);
	assert_ok(wire_signed_to_pb(out, st, scratch()));
	return out;
}

Caisson__Wire__MessageHead *world_pb_head(const struct wire_message_head *head)
{
	Caisson__Wire__MessageHead *out = keep(sizeof *out);
	assert_ok(wire_head_to_pb(out, head, scratch()));
	return out;
}

Caisson__Wire__MessageFull *world_pb_message(const struct wire_message *message)
{
	Caisson__Wire__MessageFull *out = keep(sizeof *out);
	assert_ok(wire_message_to_pb(out, message, scratch()));
	return out;
}

/* ---- the world itself ---- */

static void manifest_fill(struct world *w)
{
	static const struct cs_hash measurement = {{0xb1}};
	struct manifest *m = &w->manifest;
	struct manifest_chain *chain = &m->chains[0];
	m->hash.b[0] = 0x1d;
	m->lineage = m->hash;
	m->number = 1;
	m->insecure_host_time = true;
	m->batch_max = 64;
	m->statement_manifest_min = 1;
	m->build_count = 1;
	m->builds[0] = measurement;
	(void)snprintf(chain->caip2, sizeof chain->caip2, "eip155:9");
	chain->chain_id = 9;
	chain->genesis = w->blocks[0].hash;
	chain->gateway = gateway_address;
	chain->code_hash = code;
	chain->identity = w->own;
	chain->remote_count = 1;
	chain->remotes[0] = w->remote;
	/* The remote's chain: named, not served. */
	m->chain_count = 2;
	(void)snprintf(m->chains[1].caip2, sizeof m->chains[1].caip2, "eip155:787");
	m->chains[1].chain_id = 787;
	m->chains[1].identity = w->remote;
	m->chains[1].remote_count = 1;
	m->chains[1].remotes[0] = w->own;
	chain->finality = (struct manifest_finality){
		.mode = MANIFEST_INSECURE_DEV_HEAD,
		.anchor_height = 0,
		.anchor_hash = w->blocks[0].hash,
		.anchor_age_max_s = 86400,
		.trusting_period_s = 86400,
		.confirmations = 2,
		.reorg_margin_s = 10,
	};
	chain->policy = (struct manifest_policy){.fee_cap_wei = 1000,
						 .gas_limit_max = 1000000,
						 .total_cap_wei = 500000000,
						 .sweep_to = {{0x5e}}};
	w->launch = (struct enclave_launch){
		.manifest = m,
		.measurement = measurement,
		.seal_root =
			unhex("5ea15ea15ea15ea15ea15ea15ea15ea15ea15ea15ea15ea15ea15ea15ea15ea1"),
		.build = "test",
		.serve_count = 1,
		.serve = {w->own},
		.random = random_bytes};
}

void world_restart(struct world *w)
{
	struct cs_why why = {""};
	Caisson__Wire__HelloRequest hello = CAISSON__WIRE__HELLO_REQUEST__INIT;
	static const struct cs_hash nonce = {{7}};
	if (w->e != NULL) {
		enclave_done(w->e);
		free(w->e);
		free(w->secrets);
	}
	w->e = calloc(1, enclave_size());
	w->secrets = calloc(1, enclave_secrets_size());
	assert_true(w->e != NULL && w->secrets != NULL);
	const enum cs_err err = enclave_init(w->e, w->secrets, &w->launch, &why);
	if (err != CS_OK)
		fail_msg("enclave_init: %s: %s", cs_err_name(err), why.text);
	hello.nonce = pb_hash(&nonce);
	(void)world_ok(w, WIRE_HELLO, &hello.base);
}

struct world *world_new(void)
{
	struct world *w = keep(sizeof *w);
	static const struct cs_secret remote_key = {{0x77, 1, 2, 3}};
	w->sig = cs_sig_new(NULL);
	assert_non_null(w->sig);
	cs_arena_init(&w->arena, keep(8u * 1024 * 1024), 8u * 1024 * 1024);
	w->remote_key = remote_key;
	assert_ok(cs_key_x(w->sig, &w->remote_x, &w->remote_key));
	w->own = (struct cs_hash){{0x0a, 0x0a}};
	w->remote = (struct cs_hash){{0x0b, 0x0b}};
	w->next.code_hash = code;
	const struct cs_hash slot = wire_evm_sentinel_slot();
	const struct cs_hash sentinel = wire_evm_sentinel_value(&w->own);
	world_store(w, &slot, &sentinel);
	(void)world_mine(w);
	manifest_fill(w);
	world_restart(w);
	return w;
}

void world_begin(struct world *w)
{
	Caisson__Wire__InitRequest init = CAISSON__WIRE__INIT_REQUEST__INIT;
	Caisson__Wire__ClientCreateRequest create = CAISSON__WIRE__CLIENT_CREATE_REQUEST__INIT;
	(void)world_ok(w, WIRE_INIT, &init.base);
	create.chain = pb_hash(&w->own);
	create.header = pb(w->blocks[0].raw);
	(void)world_ok(w, WIRE_CLIENT_CREATE, &create.base);
}

void world_free(struct world *w)
{
	enclave_done(w->e);
	free(w->e);
	free(w->secrets);
	cs_sig_free(w->sig);
}
