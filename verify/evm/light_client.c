#include "verify/evm/light_client_state.h"

#include <string.h>

/*~ How a header travels: update() → take() reads it, finds its parent, asks the rule of the mode
 * (verify_clique_check and the others) and puts it among the pending; settle() then looks from it
 * back to the last final block and moves what has become final into the window. A branch that
 * leaves the window below its newest block and becomes final too is a conflict. */

/* ---- what a mode does ---- */

/* A header as the mode sees it: hash, and for QBFT what extraData holds. */
struct reading {
	struct verify_evm_header header;
	struct verify_qbft_extra extra;
	struct cs_hash hash;
};

static enum cs_err read_header(const struct verify_evm_client *c, struct reading *r,
			       struct cs_bytes raw, struct cs_why *why)
{
	enum cs_err err = verify_evm_header_read(&r->header, raw);
	if (err != CS_OK)
		return cs_fail(why, err, "the header's form");
	/* A genesis block is hashed as it is (Besu's BftBlockHashing). */
	if (c->config.mode != VERIFY_EVM_QBFT || r->header.number == 0)
		r->hash = verify_evm_header_hash(&r->header);
	if (c->config.mode != VERIFY_EVM_QBFT)
		return CS_OK;
	err = verify_qbft_extra_read(&r->extra, &r->header);
	if (err != CS_OK)
		return cs_fail(why, err, "extraData of block %llu",
			       (unsigned long long)r->header.number);
	if (r->header.number != 0)
		r->hash = verify_qbft_block_hash(&r->header, &r->extra);
	return CS_OK;
}

static enum cs_err check_header(const struct verify_evm_client *c, struct verify_evm_step *step,
				const struct verify_evm_signers *before, const struct reading *r,
				struct cs_why *why)
{
	switch (c->config.mode) {
	case VERIFY_EVM_CLIQUE:
		return verify_clique_check(step, before, &r->header, c->config.epoch_length, c->sig,
					   why);
	case VERIFY_EVM_QBFT:
		return verify_qbft_check(step, before, &r->header, &r->extra, c->sig, why);
	case VERIFY_EVM_INSECURE_DEV_HEAD:
	case VERIFY_EVM_RPC_QUORUM:
		*step = (struct verify_evm_step){.number = r->header.number};
		return CS_OK;
	}
	return CS_ERR_UNSUPPORTED;
}

static bool sealers_suffice(const struct verify_evm_client *c,
			    const struct verify_evm_signers *in_force, const uint16_t *path,
			    size_t path_n)
{
	bool sealed[VERIFY_EVM_SIGNERS_MAX] = {false};
	size_t distinct = 0,
	       needed = verify_clique_seals_needed(in_force->count, c->config.seals_min);
	for (size_t i = 0; i < path_n && distinct < needed; i++) {
		size_t at = verify_evm_signer_index(in_force, &c->pending[path[i]].step.who);
		if (at != SIZE_MAX && !sealed[at]) {
			sealed[at] = true;
			distinct++;
		}
	}
	return distinct >= needed;
}

/* A block is final when enough signers in force at it sealed it or its descendants, and then its
 * ancestors are too: where the set shrank, one who was voted out cannot be waited for. Within one
 * set, a block has no more sealers on top than its parent, so that after a no only a change of the
 * set makes it worth asking again. */
static size_t clique_final_count(struct verify_evm_client *c,
				 const struct verify_evm_signers *before, const uint16_t *path,
				 size_t path_n)
{
	size_t final = 0, signers = before->count;
	bool ask = true;
	c->probe = *before;
	for (size_t i = 0; i < path_n; i++) {
		ask = ask && sealers_suffice(c, &c->probe, path + i, path_n - i);
		if (ask)
			final = i + 1;
		/* It was applied when it came; and here too: nothing else was. */
		if (verify_evm_apply(c, &c->probe, &c->pending[path[i]].step) != CS_OK)
			break;
		ask = ask || c->probe.count != signers;
		signers = c->probe.count;
	}
	return final;
}

/* How many of these pending headers in a row are final, by themselves and one another. before: the
 * set before the first. */
static size_t final_count(struct verify_evm_client *c, const struct verify_evm_signers *before,
			  const uint16_t *path, size_t path_n)
{
	switch (c->config.mode) {
	case VERIFY_EVM_CLIQUE:
		return clique_final_count(c, before, path, path_n);
	case VERIFY_EVM_QBFT:
		return path_n;
	case VERIFY_EVM_INSECURE_DEV_HEAD:
		return path_n > c->config.confirmations ? path_n - (size_t)c->config.confirmations
							: 0;
	case VERIFY_EVM_RPC_QUORUM:
		return verify_evm_quorum_count(c, path, path_n);
	}
	return 0;
}

/* ---- pending headers ---- */

/* The first header of a path moves out of the table. */
static enum cs_err grow_trunk(struct verify_evm_client *c, const struct verify_evm_block *root,
			      const struct verify_evm_block *first)
{
	if (root != &c->trunk)
		c->trunk_signers = c->newest;
	c->has_trunk = false;
	CS_TRY(verify_evm_apply(c, &c->trunk_signers, &first->step));
	c->trunk = *first;
	c->has_trunk = true;
	verify_evm_prune(c, NULL);
	return CS_OK;
}

/* Room for a child of `parent`: when the table is full, branches that do not lead to it go; then,
 * where finality stalls, its oldest ancestor in the table. */
static enum cs_err make_room(struct verify_evm_client *c, const struct verify_evm_block **parent)
{
	struct cs_hash hash = (*parent)->hash;
	uint64_t number = (*parent)->step.number;
	const struct verify_evm_block *root;
	bool keep[VERIFY_EVM_PENDING_MAX] = {false};
	uint16_t path[VERIFY_EVM_PENDING_MAX];
	size_t n;
	if (c->pending_count < VERIFY_EVM_PENDING_MAX)
		return CS_OK;
	n = verify_evm_path_to(c, *parent, path, &root);
	for (size_t i = 0; i < n; i++)
		keep[path[i]] = true;
	if (n < VERIFY_EVM_PENDING_MAX)
		verify_evm_prune(c, keep);
	else if (root == &c->trunk || root == verify_evm_window_newest(c))
		CS_TRY(grow_trunk(c, root, &c->pending[path[0]]));
	else
		return CS_ERR_FULL;
	*parent = verify_evm_find(c, number, &hash);
	cs_assert(*parent != NULL);
	return CS_OK;
}

/* The set after a verified block, in c->work. */
static enum cs_err signers_after(struct verify_evm_client *c, const struct verify_evm_block *block)
{
	const struct verify_evm_block *root;
	uint16_t path[VERIFY_EVM_PENDING_MAX];
	size_t n;
	if (c->work_valid && cs_hash_eq(&c->work_hash, &block->hash))
		return CS_OK;
	c->work_valid = false;
	n = verify_evm_path_to(c, block, path, &root);
	if (root == verify_evm_window_newest(c)) {
		c->work = c->newest;
	} else if (root == &c->trunk) {
		c->work = c->trunk_signers;
	} else {
		uint64_t oldest = verify_evm_window_oldest(c)->step.number;
		c->work = c->oldest;
		for (uint64_t h = oldest + 1; h <= root->step.number; h++)
			CS_TRY(verify_evm_apply(c, &c->work, &verify_evm_window_at(c, h)->step));
	}
	for (size_t i = 0; i < n; i++)
		CS_TRY(verify_evm_apply(c, &c->work, &c->pending[path[i]].step));
	c->work_hash = block->hash;
	c->work_valid = true;
	return CS_OK;
}

/* ---- finality ---- */

static enum cs_err freeze(struct verify_evm_client *c, const struct verify_evm_block *second,
			  struct cs_why *why)
{
	const struct verify_evm_block *first = verify_evm_window_at(c, second->step.number);
	cs_assert(first != NULL);
	c->conflict.height = second->step.number;
	c->conflict.hash[0] = first->hash;
	c->conflict.hash[1] = second->hash;
	c->conflict.size[0] = verify_evm_raw_get(c, first, c->conflict.raw[0]);
	c->conflict.size[1] = verify_evm_raw_get(c, second, c->conflict.raw[1]);
	c->frozen = true;
	return cs_fail(why, CS_ERR_FROZEN, "a second final header of height %llu",
		       (unsigned long long)second->step.number);
}

/* A branch that leaves the window below the newest block: final by its own signers, it is a
 * conflict. */
static enum cs_err settle_branch(struct verify_evm_client *c, const struct verify_evm_block *root,
				 const uint16_t *path, size_t n, struct cs_why *why)
{
	CS_TRY(signers_after(c, root));
	if (final_count(c, &c->work, path, n) > 0)
		return freeze(c, &c->pending[path[0]], why);
	return CS_OK;
}

/* Moves the first `count` headers of the path into the window. */
static enum cs_err finalize(struct verify_evm_client *c, const struct verify_evm_block *root,
			    const uint16_t *path, size_t count)
{
	size_t i = 0;
	if (count == 0)
		return CS_OK;
	if (root == &c->trunk) {
		c->oldest = c->trunk_signers;
		CS_TRY(verify_evm_apply(c, &c->oldest, &c->pending[path[0]].step));
		verify_evm_window_begin(c, &c->pending[path[i++]]);
	}
	for (; i < count; i++)
		CS_TRY(verify_evm_window_append(c, &c->pending[path[i]]));
	c->has_trunk = false;
	verify_evm_prune(c, NULL);
	return CS_OK;
}

/* What `tip` makes final. */
static enum cs_err settle(struct verify_evm_client *c, const struct verify_evm_block *tip,
			  struct cs_why *why)
{
	const struct verify_evm_block *root;
	uint16_t path[VERIFY_EVM_PENDING_MAX];
	size_t n = verify_evm_path_to(c, tip, path, &root);
	if (root == &c->trunk)
		return finalize(c, root, path, final_count(c, &c->trunk_signers, path, n));
	if (root == verify_evm_window_newest(c))
		return finalize(c, root, path, final_count(c, &c->newest, path, n));
	return settle_branch(c, root, path, n, why);
}

/* ---- update ---- */

static struct verify_evm_block block_of(const struct reading *r)
{
	return (struct verify_evm_block){
		.hash = r->hash,
		.parent = r->header.parent,
		.state_root = r->header.state_root,
		.receipts_root = r->header.receipts_root,
		.time_s = r->header.time_s,
		.step.number = r->header.number,
	};
}

static enum cs_err check_time(const struct verify_evm_client *c, const struct reading *r,
			      const struct verify_evm_block *parent, const struct verify_time *now,
			      struct cs_why *why)
{
	uint64_t t = r->header.time_s;
	if (parent && (t < parent->time_s || t - parent->time_s < c->config.period_s))
		return cs_fail(why, CS_ERR_BAD_TIME, "block %llu at %llu, its parent at %llu",
			       (unsigned long long)r->header.number, (unsigned long long)t,
			       (unsigned long long)parent->time_s);
	if (t > now->high_s && t - now->high_s > c->config.drift_max_s)
		return cs_fail(why, CS_ERR_FUTURE_HEADER, "block %llu at %llu",
			       (unsigned long long)r->header.number, (unsigned long long)t);
	return CS_OK;
}

/* Verifies a header whose parent is known, and lets it count. */
static enum cs_err insert(struct verify_evm_client *c, const struct reading *r,
			  const struct verify_evm_block *parent, const struct verify_time *now,
			  struct cs_why *why)
{
	struct verify_evm_block block = block_of(r);
	if (r->header.number != parent->step.number + 1)
		return cs_fail(why, CS_ERR_UNLINKED, "block %llu on top of %llu",
			       (unsigned long long)r->header.number,
			       (unsigned long long)parent->step.number);
	CS_TRY(check_time(c, r, parent, now, why));
	CS_TRY(signers_after(c, parent));
	CS_TRY(check_header(c, &block.step, &c->work, r, why));
	CS_TRY(make_room(c, &parent));
	c->work_valid = false;
	CS_TRY(verify_evm_apply(c, &c->work, &block.step));
	c->work_hash = block.hash;
	c->work_valid = true;
	verify_evm_raw_put(c, &block, r->header.raw);
	c->pending[c->pending_count++] = block;
	return settle(c, &c->pending[c->pending_count - 1], why);
}

struct progress {
	bool above; /* something was above the final height */
	size_t taken;
};

static enum cs_err take(struct verify_evm_client *c, struct cs_bytes raw,
			const struct verify_time *now, struct progress *progress,
			struct cs_why *why)
{
	uint64_t final = verify_evm_window_newest(c)->step.number;
	const struct verify_evm_block *parent = NULL;
	struct reading r;
	bool above, known;
	CS_TRY(read_header(c, &r, raw, why));
	above = r.header.number > final;
	known = verify_evm_find(c, r.header.number, &r.hash) != NULL;
	progress->above = progress->above || above;
	if (known || r.header.number <= verify_evm_window_oldest(c)->step.number)
		return CS_OK;
	parent = verify_evm_find(c, r.header.number - 1, &r.header.parent);
	if (!parent)
		return cs_fail(why, CS_ERR_UNLINKED, "the parent of block %llu is not known",
			       (unsigned long long)r.header.number);
	CS_TRY(insert(c, &r, parent, now, why));
	progress->taken += above;
	return CS_OK;
}

static enum cs_err check_use(const struct verify_evm_client *c, const struct verify_time *now,
			     struct cs_why *why)
{
	enum cs_err err;
	if (!c->created)
		return cs_fail(why, CS_ERR_NOT_FOUND, "the light client was not created");
	if (c->frozen)
		return cs_fail(why, CS_ERR_FROZEN, "at height %llu",
			       (unsigned long long)c->conflict.height);
	err = verify_time_fresh(now, verify_evm_window_newest(c)->time_s,
				c->config.trusting_period_s);
	if (err != CS_OK)
		return cs_fail(why, err, "the newest final block is of %llu",
			       (unsigned long long)verify_evm_window_newest(c)->time_s);
	return CS_OK;
}

static enum cs_err update(void *state, const struct cs_bytes *headers, size_t count,
			  const struct verify_time *now, size_t *accepted, struct cs_why *why)
{
	struct verify_evm_client *c = state;
	struct progress progress = {0};
	enum cs_err err = check_use(c, now, why);
	verify_evm_quorum_expire(c, now);
	for (size_t i = 0; err == CS_OK && i < count; i++)
		err = take(c, headers[i], now, &progress, why);
	*accepted = progress.taken;
	if (err == CS_OK && count > 0 && !progress.above)
		return cs_fail(why, CS_ERR_STALE_HEADER, "nothing above the final height %llu",
			       (unsigned long long)verify_evm_window_newest(c)->step.number);
	return err;
}

/* ---- answers of providers ---- */

enum cs_err verify_evm_quorum_take(const struct verify_client *client,
				   const struct verify_evm_answer *answers, size_t count,
				   const struct verify_time *now, struct cs_why *why)
{
	struct verify_evm_client *c = client->state;
	if (client->ops->update != update || c->config.mode != VERIFY_EVM_RPC_QUORUM ||
	    count != c->config.provider_count)
		return cs_fail(why, CS_ERR_INVALID, "answers are not those of the providers");
	CS_TRY(check_use(c, now, why));
	verify_evm_quorum_keep(c, answers, count, now);
	for (size_t i = 0; i < c->answer_count; i++) {
		const struct verify_evm_block *named =
			verify_evm_find(c, c->answers[i].height, &c->answers[i].hash);
		if (named && named->step.number == c->answers[i].height)
			CS_TRY(settle(c, named, why));
	}
	const struct verify_evm_answer *other = verify_evm_quorum_conflict(c);
	if (!other)
		return CS_OK;
	/* Its header may be the host's to withhold: that must not keep the client going. */
	return freeze(c,
		      &(struct verify_evm_block){.hash = other->hash, .step.number = other->height},
		      why);
}

/* ---- create ---- */

/* The counts tell what of the tables is in use: a megabyte need not be wiped. */
void verify_evm_reset(struct verify_evm_client *c)
{
	c->created = false;
	c->frozen = false;
	c->window_first = 0;
	c->window_count = 0;
	c->pending_count = 0;
	c->has_trunk = false;
	c->work_valid = false;
	c->raw_end = 0;
	c->link_next = 0;
	c->answer_count = 0;
	memset(c->links, 0, sizeof c->links);
	c->oldest.count = 0;
	c->oldest.vote_count = 0;
}

static enum cs_err first_signers(struct verify_evm_client *c, const struct reading *r,
				 struct cs_why *why)
{
	switch (c->config.mode) {
	case VERIFY_EVM_CLIQUE:
		return verify_clique_anchor(&c->oldest, &r->header, c->config.epoch_length, c->sig,
					    why);
	case VERIFY_EVM_QBFT:
		return verify_qbft_anchor(&c->oldest, &r->header, &r->extra, c->config.epoch_length,
					  why);
	case VERIFY_EVM_INSECURE_DEV_HEAD:
	case VERIFY_EVM_RPC_QUORUM:
		return CS_OK;
	}
	return CS_ERR_UNSUPPORTED;
}

static enum cs_err check_anchor(const struct verify_evm_client *c, const struct reading *r,
				const struct verify_time *now, struct cs_why *why)
{
	const struct verify_evm_config *config = &c->config;
	uint64_t age_max = config->anchor_age_max_s < config->trusting_period_s
				   ? config->anchor_age_max_s
				   : config->trusting_period_s;
	enum cs_err err;
	if (r->header.number != config->anchor_height ||
	    !cs_hash_eq(&r->hash, &config->anchor_hash))
		return cs_fail(why, CS_ERR_ANCHOR_MISMATCH, "block %llu is not the anchor",
			       (unsigned long long)r->header.number);
	err = verify_time_fresh(now, r->header.time_s, age_max);
	if (err != CS_OK)
		return cs_fail(why, err, "the anchor is of %llu",
			       (unsigned long long)r->header.time_s);
	return check_time(c, r, NULL, now, why);
}

static enum cs_err create(void *state, struct cs_bytes anchor, const struct verify_time *now,
			  struct cs_why *why)
{
	struct verify_evm_client *c = state;
	struct verify_evm_block block;
	struct reading r;
	enum cs_err err;
	if (c->frozen)
		return cs_fail(why, CS_ERR_FROZEN, "at height %llu",
			       (unsigned long long)c->conflict.height);
	CS_TRY(read_header(c, &r, anchor, why));
	CS_TRY(check_anchor(c, &r, now, why));
	verify_evm_reset(c);
	err = first_signers(c, &r, why);
	if (err != CS_OK) {
		verify_evm_reset(c);
		return err;
	}
	block = block_of(&r);
	verify_evm_raw_put(c, &block, anchor);
	verify_evm_window_begin(c, &block);
	c->created = true;
	return CS_OK;
}

/* ---- questions ---- */

static void facts(const struct verify_evm_client *c, const struct verify_evm_block *from,
		  struct verify_block *block)
{
	*block = (struct verify_block){
		.height = from->step.number,
		.hash = from->hash,
		.parent = from->parent,
		.state_root = from->state_root,
		.events_root = from->receipts_root,
		.time_s = from->time_s,
		.final_height = verify_evm_window_newest(c)->step.number,
		.reorg_margin_s = c->config.reorg_margin_s,
	};
}

static enum cs_err block_at(const void *state, uint64_t height, const struct verify_time *now,
			    struct verify_block *block, struct cs_why *why)
{
	const struct verify_evm_client *c = state;
	uint64_t final;
	CS_TRY(check_use(c, now, why));
	final = verify_evm_window_newest(c)->step.number;
	if (height > final)
		return cs_fail(why, CS_ERR_NOT_FINAL, "block %llu, final is %llu",
			       (unsigned long long)height, (unsigned long long) final);
	if (!verify_evm_window_at(c, height))
		return cs_fail(why, CS_ERR_STALE_HEADER, "block %llu is no longer kept",
			       (unsigned long long)height);
	facts(c, verify_evm_window_at(c, height), block);
	return CS_OK;
}

/* The hash that the last of a row of ancestors must have. */
static enum cs_err joining_hash(const struct verify_evm_client *c, uint64_t number,
				struct cs_hash *hash, struct cs_why *why)
{
	const struct verify_evm_block *oldest = verify_evm_window_oldest(c);
	const struct verify_evm_block *at = verify_evm_window_at(c, number);
	if (at) {
		*hash = at->hash;
		return CS_OK;
	}
	if (oldest->step.number > 0 && number == oldest->step.number - 1) {
		*hash = oldest->parent;
		return CS_OK;
	}
	for (size_t i = 0; i < VERIFY_EVM_LINKS_MAX; i++)
		if (c->links[i].number == number && !cs_hash_is_zero(&c->links[i].hash)) {
			*hash = c->links[i].hash;
			return CS_OK;
		}
	return cs_fail(why, CS_ERR_UNLINKED, "no final block is next to %llu",
		       (unsigned long long)number);
}

static void remember_parent(struct verify_evm_client *c, const struct verify_block *block)
{
	if (block->height == 0)
		return;
	for (size_t i = 0; i < VERIFY_EVM_LINKS_MAX; i++)
		if (cs_hash_eq(&c->links[i].hash, &block->parent))
			return;
	c->links[c->link_next].number = block->height - 1;
	c->links[c->link_next].hash = block->parent;
	c->link_next = (c->link_next + 1) % VERIFY_EVM_LINKS_MAX;
}

static enum cs_err ancestors(void *state, const struct cs_bytes *headers, size_t count,
			     const struct verify_time *now, struct verify_block *blocks,
			     struct cs_why *why)
{
	struct verify_evm_client *c = state;
	struct cs_hash expected, last;
	struct verify_evm_block block;
	uint64_t above = 0;
	struct reading r;
	CS_TRY(check_use(c, now, why));
	for (size_t i = count; i-- > 0;) {
		CS_TRY(read_header(c, &r, headers[i], why));
		if (i == count - 1) {
			CS_TRY(joining_hash(c, r.header.number, &expected, why));
			last = expected;
		} else if (r.header.number + 1 != above) {
			return cs_fail(why, CS_ERR_UNLINKED, "block %llu is out of order",
				       (unsigned long long)r.header.number);
		}
		if (!cs_hash_eq(&r.hash, &expected))
			return cs_fail(why, CS_ERR_UNLINKED, "block %llu has another hash",
				       (unsigned long long)r.header.number);
		expected = r.header.parent;
		above = r.header.number;
	}
	/* Again, now that all of it holds: the parents' hashes save hashing twice. */
	for (size_t i = 0; i < count; i++) {
		CS_TRY(verify_evm_header_read(&r.header, headers[i]));
		r.hash = last;
		block = block_of(&r);
		facts(c, &block, &blocks[i]);
		if (i > 0)
			blocks[i - 1].hash = block.parent;
	}
	remember_parent(c, &blocks[0]);
	return CS_OK;
}

static void status(const void *state, struct verify_status *status)
{
	const struct verify_evm_client *c = state;
	struct verify_status s = {
		.created = c->created,
		.frozen = c->frozen,
		.insecure = c->config.mode == VERIFY_EVM_INSECURE_DEV_HEAD,
	};
	if (c->created) {
		const struct verify_evm_block *newest = verify_evm_window_newest(c);
		s.final_height = s.head_height = newest->step.number;
		s.final_hash = newest->hash;
		s.final_time_s = newest->time_s;
		for (size_t i = 0; i < c->pending_count; i++)
			if (c->pending[i].step.number > s.head_height)
				s.head_height = c->pending[i].step.number;
	}
	*status = s;
}

static enum cs_err conflict(const void *state, struct verify_conflict *conflict)
{
	const struct verify_evm_client *c = state;
	const struct verify_evm_conflict *x = &c->conflict;
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

static enum cs_err check_mode(enum verify_evm_mode mode, struct cs_why *why)
{
	switch (mode) {
	case VERIFY_EVM_CLIQUE:
	case VERIFY_EVM_QBFT:
	case VERIFY_EVM_RPC_QUORUM:
		return CS_OK;
	case VERIFY_EVM_INSECURE_DEV_HEAD:
#ifdef CAISSON_INSECURE_DEV_HEAD
		return CS_OK;
#else
		return cs_fail(why, CS_ERR_UNSUPPORTED, "this build has no insecure_dev_head");
#endif
	}
	return cs_fail(why, CS_ERR_INVALID, "finality mode %d", (int)mode);
}

/* Half of them and one more: two quorums of one round cannot name two blocks of one height. */
static enum cs_err check_providers(const struct verify_evm_config *config, struct cs_why *why)
{
	if (config->mode != VERIFY_EVM_RPC_QUORUM)
		return CS_OK;
	if (config->provider_count == 0 || config->provider_count > VERIFY_EVM_PROVIDERS_MAX)
		return cs_fail(why, CS_ERR_INVALID, "providers are not 1 to %u",
			       VERIFY_EVM_PROVIDERS_MAX);
	if (config->quorum_min > config->provider_count ||
	    2 * config->quorum_min <= config->provider_count)
		return cs_fail(why, CS_ERR_INVALID, "a quorum is more than half of the providers");
	if (config->answer_age_max_s == 0)
		return cs_fail(why, CS_ERR_INVALID, "the age of answers must be set");
	return CS_OK;
}

static enum cs_err complete(struct verify_evm_config *config, struct cs_why *why)
{
	CS_TRY(check_mode(config->mode, why));
	CS_TRY(check_providers(config, why));
	if (config->anchor_age_max_s == 0 || config->trusting_period_s == 0)
		return cs_fail(why, CS_ERR_INVALID, "anchor age and trusting period must be set");
	if (config->epoch_length == 0)
		config->epoch_length = VERIFY_EVM_EPOCH_DEFAULT;
	if (config->drift_max_s == 0)
		config->drift_max_s = VERIFY_EVM_DRIFT_DEFAULT_S;
	if (config->confirmations == 0 && config->mode != VERIFY_EVM_RPC_QUORUM)
		config->confirmations = VERIFY_EVM_CONFIRMATIONS_DEFAULT;
	if (config->window == 0)
		config->window = VERIFY_EVM_WINDOW_DEFAULT;
	if (config->confirmations > VERIFY_EVM_CONFIRMATIONS_MAX ||
	    config->window > VERIFY_EVM_WINDOW_MAX || config->seals_min > VERIFY_EVM_SIGNERS_MAX)
		return cs_fail(why, CS_ERR_TOO_LARGE, "confirmations, window or seals_min");
	return CS_OK;
}

size_t verify_evm_client_size(void)
{
	return sizeof(struct verify_evm_client);
}

enum cs_err verify_evm_open(struct verify_client *client, void *state,
			    const struct verify_evm_config *config, const struct cs_sig *sig,
			    struct cs_why *why)
{
	static const struct verify_client_ops ops = {
		.name = "evm",
		.create = create,
		.update = update,
		.block = block_at,
		.ancestors = ancestors,
		.status = status,
		.conflict = conflict,
		.encode = verify_evm_encode,
		.decode = verify_evm_decode,
	};
	struct verify_evm_client *c = state;
	struct verify_evm_config complete_config = *config;
	CS_TRY(complete(&complete_config, why));
	c->config = complete_config;
	c->sig = sig;
	verify_evm_reset(c);
	*client = (struct verify_client){&ops, c, verify_evm_encoded_size_max(&complete_config)};
	return CS_OK;
}
