#include "verify/cometbft/client_state.h"

#include <string.h>

/*~ How a light block travels: update() → take() decodes it and looks for its height among the trusted
 * ones. A new height goes to judge(), which finds the closest trusted header below and asks
 * cmt_light_verify, and then to insert(). A known height with another hash goes to clash(), which
 * asks the same, and freezes. */

/* ---- tables ---- */

const struct cmt_client_block *cmt_client_newest(const struct cmt_client *c)
{
	return &c->window[c->window_count - 1];
}

/* How many trusted headers are below the height: the index of the first at or above it. */
static size_t below(const struct cmt_client *c, uint64_t height)
{
	size_t n = c->window_count;
	while (n > 0 && c->window[n - 1].height >= height)
		n--;
	return n;
}

static const struct cmt_client_block *at_height(const struct cmt_client *c, uint64_t height)
{
	size_t i = below(c, height);
	return i < c->window_count && c->window[i].height == height ? &c->window[i] : NULL;
}

const struct cmt_client_set *cmt_client_set_of(const struct cmt_client *c,
					       const struct cmt_hash *hash)
{
	for (size_t i = 0; i < c->set_count; i++)
		if (hash->some && cs_hash_eq(&c->sets[i].hash, &hash->hash))
			return &c->sets[i];
	return NULL;
}

struct cmt_client_set *cmt_client_set_place(struct cmt_client *c)
{
	struct cmt_client_set *place = &c->sets[0];
	if (c->set_count < CMT_CLIENT_SETS_MAX) {
		place = &c->sets[c->set_count++];
	} else {
		for (size_t i = 1; i < c->set_count; i++)
			if (c->sets[i].height < place->height)
				place = &c->sets[i];
	}
	place->set = (struct cmt_validator_set){.list = place->list,
						.by_address = place->by_address,
						.count_max = CMT_CLIENT_VALIDATORS_MAX};
	return place;
}

static void keep_set(struct cmt_client *c, const struct cmt_light_block *block)
{
	const uint64_t height = (uint64_t)block->header.height;
	for (size_t i = 0; i < c->set_count; i++) {
		if (!cs_hash_eq(&c->sets[i].hash, &block->header.validators_hash.hash))
			continue;
		if (c->sets[i].height < height)
			c->sets[i].height = height;
		return;
	}
	struct cmt_client_set *place = cmt_client_set_place(c);
	/* The decoder's arena has room for as many. */
	cs_assert(cmt_validator_set_copy(&place->set, &block->validators) == CS_OK);
	place->hash = block->header.validators_hash.hash;
	place->height = height;
}

void cmt_client_raw_put(struct cmt_client *c, struct cmt_client_block *block, struct cs_bytes raw)
{
	size_t at = (size_t)(c->raw_end % CMT_CLIENT_RAW_SIZE);
	size_t first = CMT_CLIENT_RAW_SIZE - at < raw.n ? CMT_CLIENT_RAW_SIZE - at : raw.n;
	memcpy(c->raw + at, raw.p, first);
	memcpy(c->raw, raw.p + first, raw.n - first);
	block->raw_at = c->raw_end;
	block->raw_size = raw.n;
	c->raw_end += raw.n;
}

size_t cmt_client_raw_get(const struct cmt_client *c, const struct cmt_client_block *block,
			  uint8_t *p)
{
	size_t at = (size_t)(block->raw_at % CMT_CLIENT_RAW_SIZE), n = block->raw_size, first;
	if (n == 0 || c->raw_end - block->raw_at > CMT_CLIENT_RAW_SIZE)
		return 0;
	first = CMT_CLIENT_RAW_SIZE - at < n ? CMT_CLIENT_RAW_SIZE - at : n;
	memcpy(p, c->raw + at, first);
	memcpy(p + first, c->raw, n - first);
	return n;
}

/* The counts tell what of the tables is in use: a megabyte need not be wiped. */
void cmt_client_reset(struct cmt_client *c)
{
	c->created = false;
	c->frozen = false;
	c->window_count = 0;
	c->set_count = 0;
	c->raw_end = 0;
}

/* ---- one light block ---- */

struct reading {
	struct cs_bytes raw;
	struct cmt_light_block block; /* in the scratch memory */
	struct cs_hash hash;
};

static enum cs_err read_block(struct cmt_client *c, struct reading *r, struct cs_bytes raw,
			      struct cs_why *why)
{
	struct cs_arena arena;
	if (raw.n > CMT_CLIENT_BLOCK_SIZE_MAX)
		return cs_fail(why, CS_ERR_TOO_LARGE, "a light block of %zu bytes", raw.n);
	cs_arena_init(&arena, c->scratch, sizeof c->scratch);
	enum cs_err err = cmt_light_block_decode(&r->block, raw, &arena, why);
	if (err == CS_ERR_NO_MEMORY)
		err = cs_fail(why, CS_ERR_TOO_LARGE, "a light block of more than %u validators",
			      CMT_CLIENT_VALIDATORS_MAX);
	cs_arena_done(&arena);
	if (err != CS_OK)
		return err;
	if (r->block.validators.count > CMT_CLIENT_VALIDATORS_MAX)
		return cs_fail(why, CS_ERR_TOO_LARGE, "%zu validators", r->block.validators.count);
	r->raw = raw;
	r->hash = cmt_header_hash(&r->block.header);
	return CS_OK;
}

static struct cmt_client_block block_of(const struct reading *r)
{
	const struct cmt_header *header = &r->block.header;
	struct cmt_client_block block = {
		.height = (uint64_t)header->height,
		.hash = r->hash,
		.parent = header->last_block_id.hash.hash,
		.time = header->time,
		.validators = header->validators_hash,
		.next_validators = header->next_validators_hash,
	};
	struct cs_bytes app_hash = cmt_header_app_hash(header);
	if (app_hash.n == sizeof block.app_hash.b)
		memcpy(block.app_hash.b, app_hash.p, app_hash.n);
	return block;
}

/* Unix seconds, rounded down; nothing before 1970. */
static uint64_t time_of(const struct cmt_client_block *block)
{
	return block->time.s > 0 ? (uint64_t)block->time.s : 0;
}

/* ---- judgement ---- */

static struct cmt_light_options options_of(const struct cmt_client *c)
{
	return (struct cmt_light_options){.trust_level = c->config.trust_level,
					  .trusting_period_s = c->config.trusting_period_s,
					  .block_protocol = CMT_BLOCK_PROTOCOL,
					  .drift_max_s = c->config.drift_max_s};
}

/* As much of a trusted header as the rule looks at. */
static struct cmt_header header_of(const struct cmt_client *c, const struct cmt_client_block *block)
{
	return (struct cmt_header){.block_protocol = CMT_BLOCK_PROTOCOL,
				   .chain_id = c->config.chain_id,
				   .height = (int64_t)block->height,
				   .time = block->time,
				   .validators_hash = block->validators,
				   .next_validators_hash = block->next_validators};
}

/* Whether the block follows from that trusted one. */
static enum cs_err follows(const struct cmt_client *c, const struct cmt_client_block *from,
			   const struct reading *r, const struct verify_time *now,
			   struct cs_why *why)
{
	const struct cmt_validator_set none = {.count = 0};
	struct cmt_header header = header_of(c, from);
	struct cmt_light_options options = options_of(c);
	const struct cmt_client_set *set = cmt_client_set_of(c, &from->validators);
	if (set == NULL)
		set = cmt_client_set_of(c, &from->next_validators);
	if (set == NULL && (uint64_t)r->block.header.height != from->height + 1)
		return cs_fail(why, CS_ERR_NOT_ENOUGH_TRUST,
			       "the validators of header %llu are no longer kept",
			       (unsigned long long)from->height);
	struct cmt_trusted trusted = {&header, set != NULL ? &set->set : &none};
	return cmt_light_verify(&trusted, &r->block, &options, now, why);
}

/* A new height; `index` is its place in the window. */
static enum cs_err judge(const struct cmt_client *c, size_t index, const struct reading *r,
			 const struct verify_time *now, struct cs_why *why)
{
	if (index == 0)
		return cs_fail(why, CS_ERR_STALE_HEADER, "header %lld is below all that is trusted",
			       (long long)r->block.header.height);
	return follows(c, &c->window[index - 1], r, now, why);
}

static void insert(struct cmt_client *c, size_t index, const struct reading *r)
{
	struct cmt_client_block block = block_of(r);
	cmt_client_raw_put(c, &block, r->raw);
	if (c->window_count == c->config.window) {
		memmove(&c->window[0], &c->window[1], (index - 1) * sizeof c->window[0]);
		index--;
	} else {
		memmove(&c->window[index + 1], &c->window[index],
			(c->window_count - index) * sizeof c->window[0]);
		c->window_count++;
	}
	c->window[index] = block;
	keep_set(c, &r->block);
}

static enum cs_err freeze(struct cmt_client *c, const struct cmt_client_block *first,
			  const struct reading *second, struct cs_why *why)
{
	c->conflict.height = first->height;
	c->conflict.hash[0] = first->hash;
	c->conflict.hash[1] = second->hash;
	c->conflict.size[0] = cmt_client_raw_get(c, first, c->conflict.raw[0]);
	c->conflict.size[1] = second->raw.n;
	memcpy(c->conflict.raw[1], second->raw.p, second->raw.n);
	c->frozen = true;
	return cs_fail(why, CS_ERR_FROZEN, "a second final header of height %llu",
		       (unsigned long long)first->height);
}

/* Whether the validators of a trusted header signed another one of its height. */
static enum cs_err signed_twice(const struct cmt_client *c, const struct cmt_client_block *known,
				const struct reading *r, const struct verify_time *now,
				struct cs_why *why)
{
	const struct cmt_light_block *block = &r->block;
	enum cs_err err = verify_time_fresh(now, time_of(known), c->config.trusting_period_s);
	if (err != CS_OK)
		return cs_fail(why, err, "header %llu", (unsigned long long)known->height);
	if (!cmt_chain_id_eq(&block->header.chain_id, &c->config.chain_id))
		return cs_fail(why, CS_ERR_WRONG_CHAIN, "header %llu",
			       (unsigned long long)known->height);
	if (!cmt_hash_eq(&block->header.validators_hash, &known->validators))
		return cs_fail(why, CS_ERR_BAD_SIGNER_SET,
			       "not the validators of the trusted header %llu",
			       (unsigned long long)known->height);
	return cmt_commit_verify_light(&block->commit, &block->validators, &c->config.chain_id,
				       &block->commit.block_id, block->header.height, false, why);
}

/* Another header of a trusted height. Its own validators are asked first: of the oldest trusted
 * header nothing below is known. */
static enum cs_err clash(struct cmt_client *c, const struct cmt_client_block *known,
			 const struct reading *r, const struct verify_time *now, struct cs_why *why)
{
	size_t index = (size_t)(known - c->window);
	enum cs_err err = signed_twice(c, known, r, now, why);
	if (err == CS_ERR_BAD_SIGNER_SET && index > 0)
		err = follows(c, &c->window[index - 1], r, now, why);
	return err == CS_OK ? freeze(c, known, r, why) : err;
}

/* ---- update ---- */

static enum cs_err check_use(const struct cmt_client *c, const struct verify_time *now,
			     struct cs_why *why)
{
	if (!c->created)
		return cs_fail(why, CS_ERR_NOT_FOUND, "the light client was not created");
	if (c->frozen)
		return cs_fail(why, CS_ERR_FROZEN, "at height %llu",
			       (unsigned long long)c->conflict.height);
	const uint64_t newest_s = time_of(cmt_client_newest(c));
	enum cs_err err = verify_time_fresh(now, newest_s, c->config.trusting_period_s);
	if (err != CS_OK)
		return cs_fail(why, err, "the newest trusted header is of %llu",
			       (unsigned long long)newest_s);
	return CS_OK;
}

struct progress {
	bool useful; /* something was above the newest, or is trusted now */
	size_t taken;
};

static enum cs_err take(struct cmt_client *c, struct cs_bytes raw, const struct verify_time *now,
			struct progress *progress, struct cs_why *why)
{
	struct reading r;
	CS_TRY(read_block(c, &r, raw, why));
	const uint64_t height = (uint64_t)r.block.header.height;
	const struct cmt_client_block *known = at_height(c, height);
	if (known != NULL && cs_hash_eq(&known->hash, &r.hash))
		return CS_OK;
	progress->useful = true;
	if (known != NULL)
		return clash(c, known, &r, now, why);
	const size_t index = below(c, height);
	CS_TRY(judge(c, index, &r, now, why));
	insert(c, index, &r);
	progress->taken++;
	return CS_OK;
}

static enum cs_err update(void *state, const struct cs_bytes *headers, size_t count,
			  const struct verify_time *now, size_t *accepted, struct cs_why *why)
{
	struct cmt_client *c = state;
	struct progress progress = {0};
	enum cs_err err = check_use(c, now, why);
	for (size_t i = 0; err == CS_OK && i < count; i++)
		err = take(c, headers[i], now, &progress, why);
	*accepted = progress.taken;
	if (err == CS_OK && count > 0 && !progress.useful)
		return cs_fail(why, CS_ERR_STALE_HEADER, "nothing that is not trusted up to %llu",
			       (unsigned long long)cmt_client_newest(c)->height);
	return err;
}

/* ---- create ---- */

static enum cs_err check_anchor(const struct cmt_client *c, const struct reading *r,
				const struct verify_time *now, struct cs_why *why)
{
	const struct cmt_client_config *config = &c->config;
	const struct cmt_light_block *block = &r->block;
	const uint64_t age_max = config->anchor_age_max_s < config->trusting_period_s
					 ? config->anchor_age_max_s
					 : config->trusting_period_s;
	const struct cmt_client_block anchor = block_of(r);
	if (anchor.height != config->anchor_height || !cs_hash_eq(&r->hash, &config->anchor_hash))
		return cs_fail(why, CS_ERR_ANCHOR_MISMATCH, "header %llu is not the anchor",
			       (unsigned long long)anchor.height);
	if (!cmt_chain_id_eq(&block->header.chain_id, &config->chain_id))
		return cs_fail(why, CS_ERR_WRONG_CHAIN, "the anchor is of another chain");
	CS_TRY(cmt_header_check_protocol(&block->header, CMT_BLOCK_PROTOCOL, why));
	enum cs_err err = verify_time_fresh(now, time_of(&anchor), age_max);
	if (err != CS_OK)
		return cs_fail(why, err, "the anchor is of %llu",
			       (unsigned long long)time_of(&anchor));
	if (time_of(&anchor) > now->high_s && time_of(&anchor) - now->high_s > config->drift_max_s)
		return cs_fail(why, CS_ERR_FUTURE_HEADER, "the anchor is of %llu",
			       (unsigned long long)time_of(&anchor));
	/* As light/client.go does: a trusted hash with another's commit would be no evidence later. */
	return cmt_commit_verify_light(&block->commit, &block->validators, &config->chain_id,
				       &block->commit.block_id, block->header.height, false, why);
}

static enum cs_err create(void *state, struct cs_bytes anchor, const struct verify_time *now,
			  struct cs_why *why)
{
	struct cmt_client *c = state;
	struct cmt_client_block block;
	struct reading r;
	if (c->frozen)
		return cs_fail(why, CS_ERR_FROZEN, "at height %llu",
			       (unsigned long long)c->conflict.height);
	CS_TRY(read_block(c, &r, anchor, why));
	CS_TRY(check_anchor(c, &r, now, why));
	cmt_client_reset(c);
	block = block_of(&r);
	cmt_client_raw_put(c, &block, anchor);
	c->window[0] = block;
	c->window_count = 1;
	keep_set(c, &r.block);
	c->created = true;
	return CS_OK;
}

/* ---- questions ---- */

static enum cs_err block_at(const void *state, uint64_t height, const struct verify_time *now,
			    struct verify_block *block, struct cs_why *why)
{
	const struct cmt_client *c = state;
	const struct cmt_client_block *found;
	CS_TRY(check_use(c, now, why));
	const uint64_t newest = cmt_client_newest(c)->height;
	if (height > newest)
		return cs_fail(why, CS_ERR_NOT_FINAL, "header %llu, the newest trusted is %llu",
			       (unsigned long long)height, (unsigned long long)newest);
	found = at_height(c, height);
	if (found == NULL)
		return cs_fail(why, CS_ERR_STALE_HEADER, "header %llu is not kept",
			       (unsigned long long)height);
	*block = (struct verify_block){
		.height = height,
		.hash = found->hash,
		.parent = found->parent,
		.state_root = found->app_hash,
		.time_s = time_of(found),
		.final_height = newest,
	};
	return CS_OK;
}

static enum cs_err ancestors(void *state, const struct cs_bytes *headers, size_t count,
			     const struct verify_time *now, struct verify_block *blocks,
			     struct cs_why *why)
{
	(void)headers;
	(void)blocks;
	CS_TRY(check_use(state, now, why));
	return cs_fail(why, CS_ERR_UNSUPPORTED, "%zu ancestors: bring them by an update", count);
}

static void status(const void *state, struct verify_status *status)
{
	const struct cmt_client *c = state;
	struct verify_status s = {.created = c->created, .frozen = c->frozen};
	if (c->created) {
		const struct cmt_client_block *newest = cmt_client_newest(c);
		s.final_height = s.head_height = newest->height;
		s.final_hash = newest->hash;
		s.final_time_s = time_of(newest);
	}
	*status = s;
}

static enum cs_err conflict(const void *state, struct verify_conflict *conflict)
{
	const struct cmt_client *c = state;
	const struct cmt_client_conflict *x = &c->conflict;
	if (!c->frozen)
		return CS_ERR_NOT_FOUND;
	*conflict = (struct verify_conflict){
		.anchor_height = c->config.anchor_height,
		.anchor_hash = c->config.anchor_hash,
		.height = x->height,
		.first_hash = x->hash[0],
		.second_hash = x->hash[1],
		.first = cs_bytes(x->raw[0], x->size[0]),
		.second = cs_bytes(x->raw[1], x->size[1]),
	};
	return CS_OK;
}

/* ---- opening ---- */

static enum cs_err complete(struct cmt_client_config *config, struct cs_why *why)
{
	if (config->chain_id.n == 0 || config->chain_id.n > CMT_CHAIN_ID_SIZE_MAX)
		return cs_fail(why, CS_ERR_INVALID, "the chain id must be set");
	if (config->anchor_height == 0 || config->anchor_height > INT64_MAX)
		return cs_fail(why, CS_ERR_INVALID, "an anchor of height %llu",
			       (unsigned long long)config->anchor_height);
	if (config->anchor_age_max_s == 0)
		return cs_fail(why, CS_ERR_INVALID, "the anchor's age must be set");
	if (config->drift_max_s == 0)
		config->drift_max_s = CMT_DRIFT_DEFAULT_S;
	if (config->trust_level.numerator == 0 && config->trust_level.denominator == 0)
		config->trust_level = CMT_TRUST_LEVEL_DEFAULT;
	if (config->window == 0)
		config->window = CMT_CLIENT_WINDOW_DEFAULT;
	if (config->window < 2)
		return cs_fail(why, CS_ERR_INVALID, "a window of one header");
	if (config->window > CMT_CLIENT_WINDOW_MAX)
		return cs_fail(why, CS_ERR_TOO_LARGE, "a window of %zu headers", config->window);
	return cmt_light_options_check(
		&(struct cmt_light_options){config->trust_level, config->trusting_period_s,
					    CMT_BLOCK_PROTOCOL, config->drift_max_s},
		why);
}

size_t cmt_client_size(void)
{
	return sizeof(struct cmt_client);
}

enum cs_err cmt_client_open(struct verify_client *client, void *state,
			    const struct cmt_client_config *config, struct cs_why *why)
{
	static const struct verify_client_ops ops = {
		.name = "cometbft",
		.create = create,
		.update = update,
		.block = block_at,
		.ancestors = ancestors,
		.status = status,
		.conflict = conflict,
		.encode = cmt_client_encode,
		.decode = cmt_client_decode,
	};
	struct cmt_client *c = state;
	struct cmt_client_config complete_config = *config;
	CS_TRY(complete(&complete_config, why));
	c->config = complete_config;
	cmt_client_reset(c);
	*client = (struct verify_client){&ops, c, cmt_client_encoded_size_max(&complete_config)};
	return CS_OK;
}
