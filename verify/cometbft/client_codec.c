#include "core/reader.h"
#include "verify/cometbft/client_state.h"

#include <string.h>

/* Above the versions of other kinds of clients, whose states are no states of this one. */
#define VERSION 65u
#define FLAG_CREATED 1u
#define FLAG_FROZEN 2u
/* version, chain, chain id, anchor, flags, counts of headers and sets */
#define HEAD_SIZE (1 + 32 + 1 + CMT_CHAIN_ID_SIZE_MAX + 8 + 32 + 1 + 2 + 1)
/* height, hash, parent, application hash, time, sets, raw size */
#define BLOCK_SIZE (8 + 3 * 32 + 8 + 4 + 2 * 33 + 4)
/* height, count; key and power of each */
#define SET_SIZE (8 + 2 + CMT_CLIENT_VALIDATORS_MAX * (32 + 8))

size_t cmt_client_encoded_size_max(const struct cmt_client_config *config)
{
	size_t blocks = config->window * BLOCK_SIZE + CMT_CLIENT_RAW_SEALED_SIZE;
	size_t conflict = BLOCK_SIZE + 8 + 2 * (32 + 4 + CMT_CLIENT_BLOCK_SIZE_MAX);
	size_t going = blocks + CMT_CLIENT_SETS_MAX * SET_SIZE;
	/* A frozen one has its newest header and the conflict, and nothing to go on from. */
	return HEAD_SIZE + (going > conflict ? going : conflict);
}

/* ---- writing ---- */

static void put_hash(struct cs_buf *buf, const struct cmt_hash *hash)
{
	cs_put_u8(buf, hash->some);
	cs_put_word(buf, &hash->hash);
}

static void put_block(struct cs_buf *buf, const struct cmt_client_block *b, struct cs_bytes raw)
{
	cs_put_u64(buf, b->height);
	cs_put_word(buf, &b->hash);
	cs_put_word(buf, &b->parent);
	cs_put_word(buf, &b->app_hash);
	cs_put_u64(buf, (uint64_t)b->time.s);
	cs_put_u32(buf, (uint32_t)b->time.ns);
	put_hash(buf, &b->validators);
	put_hash(buf, &b->next_validators);
	cs_put_u32(buf, (uint32_t)raw.n);
	cs_put(buf, raw);
}

/* Index of the oldest header whose light block still fits the budget of the sealed state. */
static size_t first_with_raw(const struct cmt_client *c)
{
	uint8_t raw[CMT_CLIENT_BLOCK_SIZE_MAX];
	size_t left = CMT_CLIENT_RAW_SEALED_SIZE, i = c->window_count;
	while (i > 0) {
		size_t n = cmt_client_raw_get(c, &c->window[i - 1], raw);
		if (n == 0 || n > left)
			break;
		left -= n;
		i--;
	}
	return i;
}

static void put_blocks(struct cs_buf *buf, const struct cmt_client *c)
{
	size_t raw_from = first_with_raw(c);
	uint8_t raw[CMT_CLIENT_BLOCK_SIZE_MAX];
	for (size_t i = 0; i < c->window_count; i++) {
		size_t n = i < raw_from ? 0 : cmt_client_raw_get(c, &c->window[i], raw);
		put_block(buf, &c->window[i], cs_bytes(raw, n));
	}
}

static void put_set(struct cs_buf *buf, const struct cmt_client_set *s)
{
	cs_put_u64(buf, s->height);
	cs_put_u16(buf, (uint16_t)s->set.count);
	for (size_t i = 0; i < s->set.count; i++) {
		cs_put(buf, CS_BYTES_OF(s->set.list[i].key.b));
		cs_put_u64(buf, (uint64_t)s->set.list[i].power);
	}
}

static void put_conflict(struct cs_buf *buf, const struct cmt_client_conflict *x)
{
	cs_put_u64(buf, x->height);
	for (size_t i = 0; i < 2; i++) {
		cs_put_word(buf, &x->hash[i]);
		cs_put_u32(buf, (uint32_t)x->size[i]);
		cs_put(buf, cs_bytes(x->raw[i], x->size[i]));
	}
}

void cmt_client_encode(const void *state, struct cs_buf *buf)
{
	const struct cmt_client *c = state;
	unsigned flags = (c->created ? FLAG_CREATED : 0) | (c->frozen ? FLAG_FROZEN : 0);
	cs_put_u8(buf, VERSION);
	cs_put_word(buf, &c->config.chain);
	cs_put_u8(buf, c->config.chain_id.n);
	cs_put(buf, cmt_chain_id_bytes(&c->config.chain_id));
	cs_put_u64(buf, c->config.anchor_height);
	cs_put_word(buf, &c->config.anchor_hash);
	cs_put_u8(buf, (uint8_t)flags);
	if (!c->created)
		return;
	if (c->frozen) {
		put_block(buf, cmt_client_newest(c), CS_BYTES_NONE);
		put_conflict(buf, &c->conflict);
		return;
	}
	cs_put_u16(buf, (uint16_t)c->window_count);
	put_blocks(buf, c);
	cs_put_u8(buf, (uint8_t)c->set_count);
	for (size_t i = 0; i < c->set_count; i++)
		put_set(buf, &c->sets[i]);
}

/* ---- reading ---- */

static void get_word(struct cs_reader *r, struct cs_hash *hash)
{
	cs_get_copy(r, hash->b, sizeof hash->b);
}

static enum cs_err get_hash(struct cs_reader *r, struct cmt_hash *hash)
{
	uint8_t some = cs_get_u8(r);
	get_word(r, &hash->hash);
	hash->some = some == 1;
	if (some > 1 || (some == 0 && !cs_hash_is_zero(&hash->hash)))
		return CS_ERR_NON_CANONICAL;
	return CS_OK;
}

static enum cs_err get_block(struct cmt_client *c, struct cs_reader *r, struct cmt_client_block *b)
{
	*b = (struct cmt_client_block){.height = cs_get_u64(r)};
	get_word(r, &b->hash);
	get_word(r, &b->parent);
	get_word(r, &b->app_hash);
	b->time.s = (int64_t)cs_get_u64(r);
	b->time.ns = (int32_t)cs_get_u32(r);
	CS_TRY(get_hash(r, &b->validators));
	CS_TRY(get_hash(r, &b->next_validators));
	struct cs_bytes raw = cs_get(r, cs_get_u32(r));
	if (r->failed)
		return CS_ERR_TRUNCATED;
	if (b->height == 0 || b->height > INT64_MAX || !b->validators.some ||
	    !cs_pb_time_valid(b->time))
		return CS_ERR_MALFORMED;
	if (raw.n > CMT_CLIENT_BLOCK_SIZE_MAX)
		return CS_ERR_TOO_LARGE;
	if (raw.n > 0)
		cmt_client_raw_put(c, b, raw);
	return CS_OK;
}

/* Ascending in height, as many as the window of this configuration has: the newest. */
static enum cs_err get_blocks(struct cmt_client *c, struct cs_reader *r)
{
	size_t count = cs_get_u16(r);
	struct cmt_client_block block;
	uint64_t before = 0;
	if (count == 0 || count > CMT_CLIENT_WINDOW_MAX)
		return CS_ERR_MALFORMED;
	for (size_t i = 0; i < count; i++) {
		CS_TRY(get_block(c, r, &block));
		if (block.height <= before)
			return CS_ERR_MALFORMED;
		before = block.height;
		if (i + c->config.window < count)
			continue;
		c->window[c->window_count++] = block;
	}
	return CS_OK;
}

static enum cs_err get_set(struct cmt_client *c, struct cs_reader *r)
{
	uint64_t height = cs_get_u64(r);
	size_t count = cs_get_u16(r);
	struct cmt_client_set *s = cmt_client_set_place(c);
	if (count == 0 || count > CMT_CLIENT_VALIDATORS_MAX)
		return CS_ERR_MALFORMED;
	for (size_t i = 0; i < count; i++) {
		struct cs_ed25519_key key;
		cs_get_copy(r, key.b, sizeof key.b);
		s->list[i] = cmt_validator_of(&key, (int64_t)cs_get_u64(r));
	}
	if (r->failed)
		return CS_ERR_TRUNCATED;
	CS_TRY(cmt_validator_set_fill(&s->set, s->list, count, NULL, NULL));
	s->height = height;
	s->hash = cmt_validator_set_hash(&s->set);
	return CS_OK;
}

static enum cs_err get_sets(struct cmt_client *c, struct cs_reader *r)
{
	size_t count = cs_get_u8(r);
	if (count == 0 || count > CMT_CLIENT_SETS_MAX)
		return CS_ERR_MALFORMED;
	for (size_t i = 0; i < count; i++) {
		CS_TRY(get_set(c, r));
		for (size_t k = 0; k < i; k++)
			if (cs_hash_eq(&c->sets[k].hash, &c->sets[i].hash))
				return CS_ERR_DUPLICATE;
	}
	/* Without that of the newest header nothing could be reached by skipping. */
	return cmt_client_set_of(c, &cmt_client_newest(c)->validators) != NULL ? CS_OK
									       : CS_ERR_MALFORMED;
}

static enum cs_err get_conflict(struct cmt_client *c, struct cs_reader *r)
{
	struct cmt_client_conflict *x = &c->conflict;
	CS_TRY(get_block(c, r, &c->window[0]));
	if (c->window[0].raw_size != 0)
		return CS_ERR_MALFORMED;
	c->window_count = 1;
	x->height = cs_get_u64(r);
	for (size_t i = 0; i < 2; i++) {
		get_word(r, &x->hash[i]);
		x->size[i] = cs_get_u32(r);
		if (x->size[i] > CMT_CLIENT_BLOCK_SIZE_MAX)
			return CS_ERR_TOO_LARGE;
		cs_get_copy(r, x->raw[i], x->size[i]);
	}
	return CS_OK;
}

/* A frozen client brings its own anchor: no other configuration may make it anew. */
static enum cs_err get_head(struct cmt_client_config *config, struct cs_reader *r, uint8_t *flags)
{
	struct cmt_client_config found = *config;
	if (cs_get_u8(r) != VERSION)
		return CS_ERR_UNSUPPORTED;
	get_word(r, &found.chain);
	struct cs_bytes id = cs_get(r, cs_get_u8(r));
	found.anchor_height = cs_get_u64(r);
	get_word(r, &found.anchor_hash);
	*flags = cs_get_u8(r);
	if (r->failed)
		return CS_ERR_TRUNCATED;
	const bool frozen = *flags == (FLAG_CREATED | FLAG_FROZEN);
	if (!cs_hash_eq(&found.chain, &config->chain) ||
	    !cs_bytes_eq(id, cmt_chain_id_bytes(&config->chain_id)) ||
	    (!frozen && (found.anchor_height != config->anchor_height ||
			 !cs_hash_eq(&found.anchor_hash, &config->anchor_hash))))
		return CS_ERR_ANCHOR_MISMATCH;
	if (*flags != 0 && *flags != FLAG_CREATED && !frozen)
		return CS_ERR_MALFORMED;
	*config = found;
	return CS_OK;
}

static enum cs_err get_state(struct cmt_client *c, struct cs_reader *r)
{
	uint8_t flags;
	CS_TRY(get_head(&c->config, r, &flags));
	if (flags & FLAG_FROZEN) {
		CS_TRY(get_conflict(c, r));
	} else if (flags & FLAG_CREATED) {
		CS_TRY(get_blocks(c, r));
		CS_TRY(get_sets(c, r));
	}
	CS_TRY(cs_reader_end(r));
	c->created = flags & FLAG_CREATED;
	c->frozen = flags & FLAG_FROZEN;
	return CS_OK;
}

enum cs_err cmt_client_decode(void *state, struct cs_bytes bytes, struct cs_why *why)
{
	struct cmt_client *c = state;
	const struct cmt_client_config config = c->config;
	struct cs_reader reader;
	cmt_client_reset(c);
	cs_reader_init(&reader, bytes);
	enum cs_err err = get_state(c, &reader);
	if (err != CS_OK) {
		c->config = config;
		cmt_client_reset(c);
		return cs_fail(why, err, "the state of the light client");
	}
	return CS_OK;
}
