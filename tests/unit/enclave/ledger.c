#include "ledger.h"

#define ARENA_SIZE (1024u * 1024)

static const struct cs_address gateway_address = {{[17] = 0xca, [18] = 0x15, [19] = 0x01}};

struct key {
	uint8_t b[34];
};

static struct key key_of_slot(const struct cs_hash *slot)
{
	struct key key = {{1, 's'}};
	memcpy(key.b + 2, slot->b, sizeof slot->b);
	return key;
}

void ledger_put(struct ledger *l, struct cs_bytes key, struct cs_bytes value, bool remove)
{
	const struct ledger_change change = {key, value, remove};
	const struct ledger_changes values = {&change, 1};
	struct ledger_changes changes[LEDGER_SPACE_COUNT] = {values};
	cs_arena_rewind(&l->arena, 0);
	assert_ok(ledger_tree_update(&l->root, &changes[LEDGER_PAGES], &l->table, &values,
				     &l->arena));
	assert_ok(l->table.commit(l->table.context, memory_db_version(l->db) + 1, changes, 0));
}

void ledger_write(struct ledger *l, const struct cs_hash *slot, const struct cs_hash *word)
{
	const struct key key = key_of_slot(slot);
	ledger_put(l, CS_BYTES_OF(key.b), CS_BYTES_OF(word->b), cs_hash_is_zero(word));
}

/* A version of the state for each word: which one a block's application hash is of stands in its
 * proposer's address, which nobody asks for. */
static void put_version(struct cs_address *place, uint64_t version)
{
	cs_put_be64(place->b, version);
}

static uint64_t version_at(const struct ledger *l, uint64_t height)
{
	return cs_be64(l->blocks[height].header.proposer.b);
}

static void mine(struct ledger *l)
{
	const int64_t height = ++l->height;
	assert_true(height < LEDGER_BLOCKS_MAX);
	struct cmt_light_block block = made_block(height, &l->set, &l->set);
	put_version(&block.header.proposer, memory_db_version(l->db));
	assert_ok(cmt_header_set_app_hash(&block.header, CS_BYTES_OF(l->root.b)));
	made_seal(&block);
	l->blocks[height] = block;
	const uint64_t now = (uint64_t)block.header.time.s + 1;
	l->w->now = (struct verify_time){now, now};
}

struct cs_bytes ledger_raw(const struct cmt_light_block *block)
{
	struct cs_buf buf = test_buf(CMT_LIGHT_BLOCK_SIZE_MAX(block->validators.count));
	cmt_light_block_encode(&buf, block);
	assert_ok(cs_buf_end(&buf));
	return cs_buf_view(&buf);
}

void ledger_update(struct ledger *l, const struct cmt_light_block *block, enum cs_err err)
{
	Caisson__Wire__ClientUpdateRequest in = CAISSON__WIRE__CLIENT_UPDATE_REQUEST__INIT;
	ProtobufCBinaryData header = pb(ledger_raw(block));
	in.chain = pb_hash(&l->w->own);
	in.headers = &header;
	in.n_headers = 1;
	if (err == CS_OK)
		(void)world_ok(l->w, WIRE_CLIENT_UPDATE, &in.base);
	else
		world_refused(l->w, WIRE_CLIENT_UPDATE, &in.base, err);
}

void ledger_mine(struct ledger *l, size_t count)
{
	for (size_t i = 0; i < count; i++)
		mine(l);
}

void ledger_advance(struct ledger *l, size_t count)
{
	ledger_mine(l, count);
	ledger_update(l, &l->blocks[l->height], CS_OK);
}

static void as_a_ledger(struct ledger *l)
{
	struct manifest_chain *chain = &l->w->manifest.chains[0];
	const struct cmt_light_block *anchor = &l->blocks[LEDGER_ANCHOR];
	(void)snprintf(chain->caip2, sizeof chain->caip2, "cosmos:%s", MADE_CHAIN);
	chain->chain_id = 0;
	chain->cometbft_id = anchor->header.chain_id;
	chain->gateway = gateway_address;
	chain->code_hash = (struct cs_hash){{0}};
	chain->finality = (struct manifest_finality){
		.mode = MANIFEST_COMETBFT,
		.anchor_height = LEDGER_ANCHOR,
		.anchor_hash = cmt_header_hash(&anchor->header),
		.anchor_age_max_s = 1000,
		.trusting_period_s = 1000,
		.trust_level = CMT_TRUST_LEVEL_DEFAULT,
	};
}

struct ledger *ledger_new(size_t validators)
{
	struct ledger *l = keep(sizeof *l);
	const struct cs_hash slot = wire_evm_sentinel_slot(), other = {{0x99}};
	l->w = world_new();
	l->db = memory_db_new();
	l->table = memory_db_table(l->db);
	cs_arena_init(&l->arena, keep(ARENA_SIZE), ARENA_SIZE);
	l->set = made_set(1, validators, 10);
	const struct cs_hash sentinel = wire_evm_sentinel_value(&l->w->own);
	ledger_write(l, &slot, &sentinel);
	/* Neighbours for proofs of absence. */
	for (uint8_t i = 0; i < 8; i++) {
		const struct cs_hash more = {{0x88, i}};
		ledger_write(l, &more, &other);
	}
	while (l->height < LEDGER_ANCHOR)
		mine(l);
	as_a_ledger(l);
	world_restart(l->w);
	return l;
}

void ledger_free(struct ledger *l)
{
	memory_db_free(l->db);
	world_free(l->w);
}

void ledger_begin(struct ledger *l)
{
	Caisson__Wire__InitRequest init = CAISSON__WIRE__INIT_REQUEST__INIT;
	Caisson__Wire__ClientCreateRequest create = CAISSON__WIRE__CLIENT_CREATE_REQUEST__INIT;
	(void)world_ok(l->w, WIRE_INIT, &init.base);
	create.chain = pb_hash(&l->w->own);
	create.header = pb(ledger_raw(&l->blocks[LEDGER_ANCHOR]));
	(void)world_ok(l->w, WIRE_CLIENT_CREATE, &create.base);
}

struct cs_bytes ledger_prove(struct ledger *l, uint64_t height, struct cs_bytes key)
{
	struct cs_buf buf = test_buf(LEDGER_PROOF_SIZE_MAX);
	struct cs_bytes value;
	bool exists;
	cs_arena_rewind(&l->arena, 0);
	assert_ok(ledger_tree_prove(&buf, &value, &exists, &l->table, version_at(l, height), key,
				    &l->arena));
	return cs_buf_view(&buf);
}

Caisson__Wire__ProofNodes *ledger_proof(struct ledger *l, uint64_t height,
					const struct cs_hash *slot)
{
	Caisson__Wire__ProofNodes *proof = keep(sizeof *proof);
	const struct key key = key_of_slot(slot);
	caisson__wire__proof_nodes__init(proof);
	proof->state = pb(ledger_prove(l, height, CS_BYTES_OF(key.b)));
	return proof;
}

Caisson__Wire__ProofNodes *ledger_sentinel(struct ledger *l, uint64_t height)
{
	const struct cs_hash slot = wire_evm_sentinel_slot();
	return ledger_proof(l, height, &slot);
}

Caisson__Wire__ProofNodes *ledger_no_account(void)
{
	Caisson__Wire__ProofNodes *none = keep(sizeof *none);
	caisson__wire__proof_nodes__init(none);
	return none;
}

void ledger_send(struct ledger *l, const struct wire_message_head *head)
{
	const struct cs_hash id = wire_message_id(head);
	const struct cs_hash slot = wire_evm_sent_slot(&id);
	struct cs_hash word = {{[11] = 1, [31] = 0xab}}; /* the first remote, somebody's address */
	ledger_write(l, &slot, &word);
}

void ledger_set_status(struct ledger *l, uint64_t sequence, enum wire_status status)
{
	const struct cs_hash slot = wire_evm_status_slot(&l->w->remote, sequence);
	const unsigned bit = 2 * (unsigned)(sequence & 127);
	struct cs_hash word = {{0}};
	word.b[31 - bit / 8] = (uint8_t)((unsigned)status << (bit % 8));
	ledger_write(l, &slot, &word);
}

void ledger_register_key(struct ledger *l, uint64_t epoch, enum wire_key_state state)
{
	const struct cs_hash first = wire_evm_key_slot(&l->w->remote, epoch, 0);
	const struct cs_hash second = wire_evm_key_slot(&l->w->remote, epoch, 1);
	struct cs_hash window = {{0}};
	window.b[31] = (uint8_t)state;
	ledger_write(l, &first, &l->w->remote_x);
	ledger_write(l, &second, &window);
}
