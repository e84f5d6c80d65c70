#include "verify/evm/light_client_state.h"

#include <string.h>

enum cs_err verify_evm_apply(const struct verify_evm_client *c, struct verify_evm_signers *signers,
			     const struct verify_evm_step *step)
{
	switch (c->config.mode) {
	case VERIFY_EVM_CLIQUE:
		return verify_clique_apply(signers, step, c->config.epoch_length);
	case VERIFY_EVM_QBFT:
		return verify_qbft_apply(signers, step, c->config.epoch_length);
	case VERIFY_EVM_INSECURE_DEV_HEAD:
	case VERIFY_EVM_RPC_QUORUM:
		return CS_OK;
	}
	return CS_ERR_UNSUPPORTED;
}

/* ---- the window of final blocks ---- */

static const struct verify_evm_block *window_get(const struct verify_evm_client *c, size_t i)
{
	return &c->window[(c->window_first + i) % c->config.window];
}

const struct verify_evm_block *verify_evm_window_oldest(const struct verify_evm_client *c)
{
	return window_get(c, 0);
}

const struct verify_evm_block *verify_evm_window_newest(const struct verify_evm_client *c)
{
	return window_get(c, c->window_count - 1);
}

const struct verify_evm_block *verify_evm_window_at(const struct verify_evm_client *c,
						    uint64_t number)
{
	uint64_t oldest = verify_evm_window_oldest(c)->step.number;
	if (number < oldest || number - oldest >= c->window_count)
		return NULL;
	return window_get(c, (size_t)(number - oldest));
}

void verify_evm_window_begin(struct verify_evm_client *c, const struct verify_evm_block *block)
{
	c->window_first = 0;
	c->window_count = 1;
	c->window[0] = *block;
	c->newest = c->oldest;
}

enum cs_err verify_evm_window_append(struct verify_evm_client *c,
				     const struct verify_evm_block *block)
{
	CS_TRY(verify_evm_apply(c, &c->newest, &block->step));
	if (c->window_count == c->config.window) {
		c->window_first = (c->window_first + 1) % c->config.window;
		c->window_count--;
		/* A window of one block is empty now: its oldest will be this one. */
		if (c->window_count == 0)
			c->oldest = c->newest;
		else
			CS_TRY(verify_evm_apply(c, &c->oldest, &window_get(c, 0)->step));
	}
	c->window[(c->window_first + c->window_count) % c->config.window] = *block;
	c->window_count++;
	return CS_OK;
}

/* ---- raw headers ---- */

void verify_evm_raw_put(struct verify_evm_client *c, struct verify_evm_block *block,
			struct cs_bytes raw)
{
	size_t at = (size_t)(c->raw_end % VERIFY_EVM_RAW_SIZE);
	size_t first = VERIFY_EVM_RAW_SIZE - at < raw.n ? VERIFY_EVM_RAW_SIZE - at : raw.n;
	memcpy(c->raw + at, raw.p, first);
	memcpy(c->raw, raw.p + first, raw.n - first);
	block->raw_at = c->raw_end;
	block->raw_size = raw.n;
	c->raw_end += raw.n;
}

size_t verify_evm_raw_get(const struct verify_evm_client *c, const struct verify_evm_block *block,
			  uint8_t *p)
{
	size_t at = (size_t)(block->raw_at % VERIFY_EVM_RAW_SIZE), n = block->raw_size, first;
	if (n == 0 || c->raw_end - block->raw_at > VERIFY_EVM_RAW_SIZE)
		return 0;
	first = VERIFY_EVM_RAW_SIZE - at < n ? VERIFY_EVM_RAW_SIZE - at : n;
	memcpy(p, c->raw + at, first);
	memcpy(p + first, c->raw, n - first);
	return n;
}

/* ---- pending headers ---- */

/* Among the first `count`. */
static const struct verify_evm_block *find_pending(const struct verify_evm_client *c, size_t count,
						   const struct cs_hash *hash)
{
	for (size_t i = count; i-- > 0;)
		if (cs_hash_eq(&c->pending[i].hash, hash))
			return &c->pending[i];
	return NULL;
}

static bool is_trunk(const struct verify_evm_client *c, const struct cs_hash *hash)
{
	return c->has_trunk && cs_hash_eq(&c->trunk.hash, hash);
}

static const struct verify_evm_block *find_among(const struct verify_evm_client *c, size_t count,
						 uint64_t number, const struct cs_hash *hash)
{
	const struct verify_evm_block *block = verify_evm_window_at(c, number);
	if (block && cs_hash_eq(&block->hash, hash))
		return block;
	if (is_trunk(c, hash))
		return &c->trunk;
	return find_pending(c, count, hash);
}

const struct verify_evm_block *verify_evm_find(const struct verify_evm_client *c, uint64_t number,
					       const struct cs_hash *hash)
{
	return find_among(c, c->pending_count, number, hash);
}

size_t verify_evm_path_to(const struct verify_evm_client *c, const struct verify_evm_block *tip,
			  uint16_t path[VERIFY_EVM_PENDING_MAX],
			  const struct verify_evm_block **root)
{
	size_t n = 0;
	const struct verify_evm_block *at = tip, *parent = tip;
	while (at >= c->pending && at < c->pending + c->pending_count) {
		path[VERIFY_EVM_PENDING_MAX - ++n] = (uint16_t)(at - c->pending);
		/* Parents stand before their children: mostly the one right before. */
		parent = find_among(c, (size_t)(at - c->pending), at->step.number - 1, &at->parent);
		cs_assert(parent != NULL);
		at = parent;
	}
	memmove(path, path + VERIFY_EVM_PENDING_MAX - n, n * sizeof *path);
	*root = parent;
	return n;
}

static bool in_window(const struct verify_evm_client *c, uint64_t number,
		      const struct cs_hash *hash)
{
	const struct verify_evm_block *block = verify_evm_window_at(c, number);
	return block && cs_hash_eq(&block->hash, hash);
}

void verify_evm_prune(struct verify_evm_client *c, const bool *only)
{
	size_t kept = 0, count = c->pending_count;
	c->pending_count = 0;
	for (size_t i = 0; i < count; i++) {
		struct verify_evm_block *b = &c->pending[i];
		bool linked = verify_evm_find(c, b->step.number - 1, &b->parent) != NULL;
		bool settled = in_window(c, b->step.number, &b->hash) || is_trunk(c, &b->hash);
		if (!linked || settled || (only && !only[i]))
			continue;
		if (kept != i)
			c->pending[kept] = *b;
		c->pending_count = ++kept;
	}
}
