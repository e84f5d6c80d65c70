#include "core/reader.h"
#include "verify/evm/light_client_state.h"

#include <string.h>

/* 2: a step names who votes, and QBFT's votes are counted. */
#define VERSION 2u
#define FLAG_CREATED 1u
#define FLAG_FROZEN 2u
/* version, mode, chain, anchor, epoch length, flags, count of blocks, size of raw headers */
#define HEAD_SIZE (1 + 1 + 32 + 8 + 32 + 8 + 1 + 2)
/* hash, state root, receipts root, time, who, subject, flags, raw size */
#define BLOCK_SIZE (3 * 32 + 8 + 20 + 20 + 1 + 2)
#define SIGNER_SIZE (20 + 8)
#define VOTE_SIZE (20 + 20 + 1)

size_t verify_evm_encoded_size_max(const struct verify_evm_config *config)
{
	size_t blocks = 8 + 32 + config->window * BLOCK_SIZE + VERIFY_EVM_RAW_SEALED_SIZE;
	size_t signers =
		2 + VERIFY_EVM_SIGNERS_MAX * SIGNER_SIZE + 2 + VERIFY_EVM_VOTES_MAX * VOTE_SIZE;
	size_t conflict = 8 + 2 * (32 + 2 + CS_HEADER_SIZE_MAX);
	return HEAD_SIZE + blocks + signers + conflict;
}

static const struct verify_evm_block *nth(const struct verify_evm_client *c, size_t i)
{
	return verify_evm_window_at(c, verify_evm_window_oldest(c)->step.number + i);
}

/* ---- writing ---- */

static void put_address(struct cs_buf *buf, const struct cs_address *address)
{
	cs_put(buf, CS_BYTES_OF(address->b));
}

/* Index of the oldest block whose raw header still fits the budget of the sealed state. */
static size_t first_with_raw(const struct verify_evm_client *c)
{
	uint8_t raw[CS_HEADER_SIZE_MAX];
	size_t left = VERIFY_EVM_RAW_SEALED_SIZE, i = c->window_count;
	while (i > 0) {
		size_t n = verify_evm_raw_get(c, nth(c, i - 1), raw);
		if (n == 0 || n > left)
			break;
		left -= n;
		i--;
	}
	return i;
}

static void put_blocks(const struct verify_evm_client *c, struct cs_buf *buf)
{
	size_t raw_from = first_with_raw(c);
	uint8_t raw[CS_HEADER_SIZE_MAX];
	cs_put_u64(buf, verify_evm_window_oldest(c)->step.number);
	cs_put_word(buf, &verify_evm_window_oldest(c)->parent);
	for (size_t i = 0; i < c->window_count; i++) {
		const struct verify_evm_block *b = nth(c, i);
		size_t n = i < raw_from ? 0 : verify_evm_raw_get(c, b, raw);
		cs_put_word(buf, &b->hash);
		cs_put_word(buf, &b->state_root);
		cs_put_word(buf, &b->receipts_root);
		cs_put_u64(buf, b->time_s);
		put_address(buf, &b->step.who);
		put_address(buf, &b->step.subject);
		cs_put_u8(buf, b->step.flags);
		cs_put_u16(buf, (uint16_t)n);
		cs_put(buf, cs_bytes(raw, n));
	}
}

static void put_signers(const struct verify_evm_signers *s, struct cs_buf *buf)
{
	cs_put_u16(buf, (uint16_t)s->count);
	for (size_t i = 0; i < s->count; i++) {
		put_address(buf, &s->who[i]);
		cs_put_u64(buf, s->sealed_at[i]);
	}
	cs_put_u16(buf, (uint16_t)s->vote_count);
	for (size_t i = 0; i < s->vote_count; i++) {
		put_address(buf, &s->votes[i].signer);
		put_address(buf, &s->votes[i].subject);
		cs_put_u8(buf, s->votes[i].adds);
	}
}

void verify_evm_encode(const void *state, struct cs_buf *buf)
{
	const struct verify_evm_client *c = state;
	unsigned flags = (c->created ? FLAG_CREATED : 0) | (c->frozen ? FLAG_FROZEN : 0);
	cs_put_u8(buf, VERSION);
	cs_put_u8(buf, (uint8_t)c->config.mode);
	cs_put_word(buf, &c->config.chain);
	cs_put_u64(buf, c->config.anchor_height);
	cs_put_word(buf, &c->config.anchor_hash);
	cs_put_u64(buf, c->config.epoch_length);
	cs_put_u8(buf, (uint8_t)flags);
	cs_put_u16(buf, (uint16_t)c->window_count);
	if (!c->created)
		return;
	put_signers(&c->oldest, buf);
	put_blocks(c, buf);
	if (!c->frozen)
		return;
	cs_put_u64(buf, c->conflict.height);
	for (size_t i = 0; i < 2; i++) {
		cs_put_word(buf, &c->conflict.hash[i]);
		cs_put_u16(buf, (uint16_t)c->conflict.size[i]);
		cs_put(buf, cs_bytes(c->conflict.raw[i], c->conflict.size[i]));
	}
}

/* ---- reading ---- */

static void get_hash(struct cs_reader *r, struct cs_hash *hash)
{
	cs_get_copy(r, hash->b, sizeof hash->b);
}

static void get_address(struct cs_reader *r, struct cs_address *address)
{
	cs_get_copy(r, address->b, sizeof address->b);
}

static enum cs_err get_signers(struct cs_reader *r, struct verify_evm_signers *s)
{
	size_t count = cs_get_u16(r), votes;
	memset(s, 0, sizeof *s);
	for (size_t i = 0; i < count; i++) {
		struct cs_address who;
		get_address(r, &who);
		if (r->failed)
			return CS_ERR_TRUNCATED;
		CS_TRY(verify_evm_signer_add(s, &who));
		if (!cs_address_eq(&s->who[i], &who))
			return CS_ERR_NON_CANONICAL;
		s->sealed_at[i] = cs_get_u64(r);
	}
	votes = cs_get_u16(r);
	if (votes > VERIFY_EVM_VOTES_MAX)
		return CS_ERR_TOO_LARGE;
	for (size_t i = 0; i < votes; i++) {
		uint8_t adds;
		get_address(r, &s->votes[i].signer);
		get_address(r, &s->votes[i].subject);
		adds = cs_get_u8(r);
		if (adds > 1)
			return CS_ERR_NON_CANONICAL;
		s->votes[i].adds = adds == 1;
	}
	s->vote_count = votes;
	return r->failed ? CS_ERR_TRUNCATED : CS_OK;
}

static enum cs_err get_block(struct verify_evm_client *c, struct cs_reader *r,
			     struct verify_evm_block *b)
{
	struct cs_bytes raw;
	get_hash(r, &b->hash);
	get_hash(r, &b->state_root);
	get_hash(r, &b->receipts_root);
	b->time_s = cs_get_u64(r);
	get_address(r, &b->step.who);
	get_address(r, &b->step.subject);
	b->step.flags = cs_get_u8(r);
	raw = cs_get(r, cs_get_u16(r));
	if (r->failed)
		return CS_ERR_TRUNCATED;
	if (b->step.flags & ~VERIFY_EVM_STEP_MASK)
		return CS_ERR_MALFORMED;
	if (raw.n > CS_HEADER_SIZE_MAX)
		return CS_ERR_TOO_LARGE;
	if (raw.n > 0)
		verify_evm_raw_put(c, b, raw);
	return CS_OK;
}

static enum cs_err get_blocks(struct verify_evm_client *c, struct cs_reader *r, size_t count)
{
	uint64_t number = cs_get_u64(r);
	struct cs_hash parent;
	get_hash(r, &parent);
	if (count == 0 || number > UINT64_MAX - count)
		return CS_ERR_MALFORMED;
	for (size_t i = 0; i < count; i++) {
		struct verify_evm_block b = {.parent = parent, .step.number = number + i};
		CS_TRY(get_block(c, r, &b));
		if (i == 0)
			verify_evm_window_begin(c, &b);
		else
			CS_TRY(verify_evm_window_append(c, &b));
		parent = b.hash;
	}
	return CS_OK;
}

static enum cs_err get_conflict(struct verify_evm_conflict *x, struct cs_reader *r)
{
	x->height = cs_get_u64(r);
	for (size_t i = 0; i < 2; i++) {
		get_hash(r, &x->hash[i]);
		x->size[i] = cs_get_u16(r);
		if (x->size[i] > CS_HEADER_SIZE_MAX)
			return CS_ERR_TOO_LARGE;
		cs_get_copy(r, x->raw[i], x->size[i]);
	}
	return CS_OK;
}

/* A frozen client brings its own mode, anchor and epoch: no other configuration may make it anew. */
static enum cs_err get_head(struct verify_evm_config *config, struct cs_reader *r, uint8_t *flags)
{
	struct verify_evm_config found = *config;
	if (cs_get_u8(r) != VERSION)
		return CS_ERR_UNSUPPORTED;
	const uint8_t mode = cs_get_u8(r);
	get_hash(r, &found.chain);
	found.anchor_height = cs_get_u64(r);
	get_hash(r, &found.anchor_hash);
	found.epoch_length = cs_get_u64(r);
	*flags = cs_get_u8(r);
	if (r->failed)
		return CS_ERR_TRUNCATED;
	const bool frozen = *flags == (FLAG_CREATED | FLAG_FROZEN);
	if (!cs_hash_eq(&found.chain, &config->chain) ||
	    (!frozen && (mode != config->mode || found.anchor_height != config->anchor_height ||
			 !cs_hash_eq(&found.anchor_hash, &config->anchor_hash) ||
			 found.epoch_length != config->epoch_length)))
		return CS_ERR_ANCHOR_MISMATCH;
	if (*flags != 0 && *flags != FLAG_CREATED && !frozen)
		return CS_ERR_MALFORMED;
	if (mode < VERIFY_EVM_CLIQUE || mode > VERIFY_EVM_RPC_QUORUM || found.epoch_length == 0)
		return CS_ERR_MALFORMED;
	found.mode = (enum verify_evm_mode)mode;
	*config = found;
	return CS_OK;
}

static enum cs_err get_state(struct verify_evm_client *c, struct cs_reader *r)
{
	size_t count;
	uint8_t flags;
	CS_TRY(get_head(&c->config, r, &flags));
	count = cs_get_u16(r);
	if (flags & FLAG_CREATED) {
		CS_TRY(get_signers(r, &c->oldest));
		CS_TRY(get_blocks(c, r, count));
		if (flags & FLAG_FROZEN)
			CS_TRY(get_conflict(&c->conflict, r));
	} else if (count != 0) {
		return CS_ERR_MALFORMED;
	}
	CS_TRY(cs_reader_end(r));
	c->created = flags & FLAG_CREATED;
	c->frozen = flags & FLAG_FROZEN;
	return CS_OK;
}

enum cs_err verify_evm_decode(void *state, struct cs_bytes bytes, struct cs_why *why)
{
	struct verify_evm_client *c = state;
	const struct verify_evm_config config = c->config;
	struct cs_reader reader;
	enum cs_err err;
	verify_evm_reset(c);
	cs_reader_init(&reader, bytes);
	err = get_state(c, &reader);
	if (err != CS_OK) {
		c->config = config;
		verify_evm_reset(c);
		return cs_fail(why, err, "the state of the light client");
	}
	return CS_OK;
}
