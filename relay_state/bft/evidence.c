#include "relay_state/bft/evidence.h"

#include <string.h>

void bft_evidence_init(struct bft_evidence_pool *pool)
{
	pool->count = pool->used = pool->conflict_count = 0;
}

/* Extensions are not what is judged, and they are large. */
static struct cmt_vote without_extension(const struct cmt_vote *vote)
{
	struct cmt_vote bare = *vote;
	bare.extension = CS_BYTES_NONE;
	memset(&bare.extension_signature, 0, sizeof bare.extension_signature);
	return bare;
}

bool bft_evidence_conflict(struct bft_evidence_pool *pool, const struct cmt_vote *a,
			   const struct cmt_vote *b)
{
	for (size_t i = 0; i < pool->conflict_count; i++) {
		const struct cmt_vote *known = &pool->conflicts[i].a;
		if (known->height == a->height && cs_address_eq(&known->validator, &a->validator))
			return false;
	}
	if (pool->conflict_count == BFT_CONFLICTS_MAX)
		return false;
	pool->conflicts[pool->conflict_count++] =
		(struct bft_conflict){without_extension(a), without_extension(b)};
	return true;
}

/* ---- for the node's history ---- */

static enum cs_err no_set(void *context, const struct cmt_validator_set **set, int64_t height)
{
	(void)context, (void)set, (void)height;
	return CS_ERR_NOT_FOUND;
}

static enum cs_err no_time(void *context, struct cs_pb_time *time, int64_t height)
{
	(void)context, (void)time, (void)height;
	return CS_ERR_NOT_FOUND;
}

static enum cs_err no_header(void *context, struct cmt_header *header, struct cmt_commit *commit,
			     int64_t height, struct cs_arena *arena)
{
	(void)context, (void)header, (void)commit, (void)height, (void)arena;
	return CS_ERR_NOT_FOUND;
}

static bool nothing_committed(void *context, const struct cs_hash *hash)
{
	(void)context, (void)hash;
	return false;
}

struct bft_history bft_history_none(void)
{
	return (struct bft_history){NULL, no_set, no_time, no_header, nothing_committed};
}

static enum cs_err block_part(struct cs_bytes *part, struct cs_bytes block, uint32_t field)
{
	struct cs_bytes parts[4] = {CS_BYTES_NONE};
	struct cs_pb pb;
	cs_pb_open(&pb, block);
	for (uint32_t i = 0; i < CS_LEN(parts); i++)
		if (!cs_pb_element(&pb, i + 1, &parts[i], SIZE_MAX))
			cs_pb_fail(&pb, CS_ERR_MISSING_FIELD);
	CS_TRY(cs_pb_close(&pb));
	*part = parts[field - 1];
	return CS_OK;
}

enum cs_err bft_block_header(struct cmt_header *header, struct cs_bytes block)
{
	struct cs_bytes part;
	CS_TRY(block_part(&part, block, 1));
	return cmt_header_decode(header, part, NULL);
}

enum cs_err bft_block_last_commit(struct cmt_commit *commit, struct cs_bytes block,
				  struct cs_arena *arena)
{
	struct cs_bytes part;
	CS_TRY(block_part(&part, block, 4));
	return cmt_commit_decode(commit, part, arena, NULL);
}

enum cs_err bft_block_evidence(struct cs_bytes *list, struct cs_bytes block)
{
	return block_part(list, block, 3);
}

/* ---- entries ---- */

static size_t find(const struct bft_evidence_pool *pool, const struct cs_hash *hash)
{
	for (size_t i = 0; i < pool->count; i++) {
		if (cs_hash_eq(&pool->entries[i].hash, hash))
			return i;
	}
	return SIZE_MAX;
}

bool bft_evidence_is_kept(const struct bft_evidence_pool *pool, const struct cs_hash *hash)
{
	return find(pool, hash) != SIZE_MAX;
}

struct cs_bytes bft_evidence_bytes(const struct bft_evidence_pool *pool, size_t index)
{
	const struct bft_evidence_entry *entry = &pool->entries[index];
	cs_assert(index < pool->count);
	return cs_bytes(pool->memory + entry->offset, entry->size);
}

static size_t count_of(const struct bft_evidence_pool *pool, const struct cs_address *validator)
{
	size_t count = 0;
	for (size_t i = 0; i < pool->count; i++)
		count += pool->entries[i].is_pair &&
			 cs_address_eq(&pool->entries[i].validator, validator);
	return count;
}

static enum cs_err keep(struct bft_evidence_pool *pool, const struct cs_hash *hash,
			const struct cmt_evidence *evidence)
{
	struct bft_evidence_entry entry = {.hash = *hash, .offset = pool->used};
	struct cs_buf buf;
	if (evidence->kind == CMT_DUPLICATE_VOTE) {
		entry.is_pair = true;
		entry.validator = evidence->duplicate_vote.a.validator;
		if (count_of(pool, &entry.validator) >= BFT_EVIDENCE_EACH_MAX)
			return CS_ERR_FULL;
	}
	if (pool->count == BFT_EVIDENCE_KEPT_MAX)
		return CS_ERR_FULL;
	size_t room = sizeof pool->memory - pool->used;
	cs_buf_init(&buf, pool->memory + pool->used, room);
	cmt_evidence_encode(&buf, evidence);
	if (cs_buf_end(&buf) != CS_OK)
		return CS_ERR_FULL;
	if (buf.n > BFT_EVIDENCE_SIZE_MAX)
		return CS_ERR_TOO_LARGE;
	entry.size = buf.n;
	pool->used += buf.n;
	pool->entries[pool->count++] = entry;
	return CS_OK;
}

static void drop(struct bft_evidence_pool *pool, size_t index)
{
	size_t offset = pool->entries[index].offset, size = pool->entries[index].size;
	memmove(pool->memory + offset, pool->memory + offset + size, pool->used - offset - size);
	pool->used -= size;
	pool->count--;
	for (size_t i = index; i < pool->count; i++) {
		pool->entries[i] = pool->entries[i + 1];
		pool->entries[i].offset -= size;
	}
}

/* ---- own findings ---- */

static void ripen_one(struct bft_evidence_pool *pool, const struct bft_conflict *c,
		      const struct bft_state *state, struct cs_arena *scratch)
{
	struct cmt_evidence evidence = {.kind = CMT_DUPLICATE_VOTE};
	struct cs_hash hash;
	if (cmt_duplicate_vote_make(&evidence.duplicate_vote, &c->a, &c->b, &state->last.set,
				    state->last_time) != CS_OK ||
	    cmt_evidence_check(&evidence, NULL) != CS_OK ||
	    cmt_duplicate_vote_verify(&evidence.duplicate_vote, &state->chain_id, &state->last.set,
				      state->last_time, NULL) != CS_OK ||
	    cmt_evidence_hash(&hash, &evidence, scratch) != CS_OK)
		return;
	/* No room is all that can be wrong now. */
	if (!bft_evidence_is_kept(pool, &hash))
		(void)!keep(pool, &hash, &evidence);
}

/* No block can have carried evidence of this height before: none above it is decided. */
void bft_evidence_ripen(struct bft_evidence_pool *pool, size_t *first,
			const struct bft_state *state, struct cs_arena *scratch)
{
	size_t later = 0;
	*first = pool->count;
	for (size_t i = 0; i < pool->conflict_count; i++) {
		size_t mark = cs_arena_mark(scratch);
		int64_t height = pool->conflicts[i].a.height;
		if (height > state->last_height)
			pool->conflicts[later++] = pool->conflicts[i];
		else if (height == state->last_height)
			ripen_one(pool, &pool->conflicts[i], state, scratch);
		cs_arena_rewind(scratch, mark);
	}
	pool->conflict_count = later;
}

/* ---- judging ---- */

static enum cs_err check_votes(const struct cmt_duplicate_vote *votes, bool *is_false,
			       const struct bft_state *state, const struct bft_history *history,
			       struct cs_why *why)
{
	const struct cmt_validator_set *set;
	struct cs_pb_time time;
	CS_TRY(history->time_at(history->context, &time, votes->a.height));
	CS_TRY(history->validators_at(history->context, &set, votes->a.height));
	enum cs_err err = cmt_duplicate_vote_verify(votes, &state->chain_id, set, time, why);
	*is_false = err != CS_OK && err != CS_ERR_CRYPTO;
	return err;
}

/* evidence/verify.go. Which commit of a block counts must not differ from node to node: it is the
 * one in the next block, and the last block has none yet. */
static enum cs_err check_attack(const struct cmt_light_attack *attack, bool *is_false,
				const struct bft_state *state, const struct bft_history *history,
				struct cs_arena *scratch, struct cs_why *why)
{
	const struct cmt_validator_set *set;
	struct cmt_header common, trusted;
	struct cmt_commit common_commit, trusted_commit;
	int64_t newest = state->last_height - 1, height = attack->conflicting.header.height;
	if (attack->common_height > newest)
		return cs_fail(why, CS_ERR_NOT_FOUND, "no block has a commit of height %lld yet",
			       (long long)attack->common_height);
	CS_TRY(history->signed_header_at(history->context, &common, &common_commit,
					 attack->common_height, scratch));
	CS_TRY(history->signed_header_at(history->context, &trusted, &trusted_commit,
					 height < newest ? height : newest, scratch));
	CS_TRY(history->validators_at(history->context, &set, attack->common_height));
	enum cs_err err = cmt_light_attack_verify(attack, &common, set, &trusted, &trusted_commit,
						  scratch, why);
	/* Against which header a forward one is judged changes as the chain grows: only who signed
	 * it does not. */
	*is_false = err == CS_ERR_BAD_SEAL || err == CS_ERR_TOO_FEW_SEALS ||
		    err == CS_ERR_FOREIGN_SEAL || err == CS_ERR_DUPLICATE_SEAL;
	return err;
}

int32_t bft_evidence_work(const struct cmt_evidence *evidence)
{
	/* Of an attack by the common set and by its own. */
	return evidence->kind == CMT_DUPLICATE_VOTE
		       ? 2
		       : 2 * (int32_t)evidence->light_attack.conflicting.commit.count;
}

enum cs_err bft_evidence_check(const struct cmt_evidence *evidence, bool *is_false,
			       const struct bft_state *state, const struct bft_history *history,
			       struct cs_arena *scratch, struct cs_why *why)
{
	struct cs_hash hash;
	bool ignored;
	int64_t height = cmt_evidence_height(evidence);
	is_false = is_false != NULL ? is_false : &ignored;
	*is_false = false;
	if (height > state->last_height)
		return cs_fail(why, CS_ERR_NOT_FOUND, "evidence of a height that is not decided");
	if (cmt_evidence_is_old(evidence, &state->params, state->last_height, state->last_time))
		return cs_fail(why, CS_ERR_EXPIRED, "evidence of height %lld", (long long)height);
	CS_TRY(cmt_evidence_hash(&hash, evidence, scratch));
	if (history->is_committed(history->context, &hash))
		return cs_fail(why, CS_ERR_DUPLICATE, "evidence that a block carried before");
	if (evidence->kind == CMT_DUPLICATE_VOTE)
		return check_votes(&evidence->duplicate_vote, is_false, state, history, why);
	size_t mark = cs_arena_mark(scratch);
	enum cs_err err =
		check_attack(&evidence->light_attack, is_false, state, history, scratch, why);
	cs_arena_rewind(scratch, mark);
	return err;
}

enum cs_err bft_evidence_check_list(const struct cmt_evidence *list, size_t count,
				    const struct bft_state *state,
				    const struct bft_history *history, struct cs_arena *scratch,
				    struct cs_why *why)
{
	struct cs_hash hashes[CMT_EVIDENCE_MAX];
	if (count > CMT_EVIDENCE_MAX)
		return CS_ERR_TOO_LARGE;
	for (size_t i = 0; i < count; i++) {
		CS_TRY(cmt_evidence_hash(&hashes[i], &list[i], scratch));
		for (size_t j = 0; j < i; j++) {
			if (cs_hash_eq(&hashes[i], &hashes[j]))
				return cs_fail(why, CS_ERR_DUPLICATE, "evidence twice in a block");
		}
		CS_TRY(bft_evidence_check(&list[i], NULL, state, history, scratch, why));
	}
	return CS_OK;
}

static enum cs_err add(struct bft_evidence_pool *pool, struct bft_evidence_added *added,
		       struct cs_bytes bytes, const struct bft_state *state,
		       const struct bft_history *history, struct cs_arena *scratch,
		       struct cs_why *why)
{
	struct cmt_evidence evidence;
	struct cs_hash hash;
	enum cs_err err = cmt_evidence_decode(&evidence, bytes, scratch, why);
	added->is_false = err != CS_OK && err != CS_ERR_NO_MEMORY;
	CS_TRY(err);
	CS_TRY(cmt_evidence_hash(&hash, &evidence, scratch));
	added->is_known = bft_evidence_is_kept(pool, &hash);
	if (added->is_known)
		return CS_OK;
	added->work = bft_evidence_work(&evidence);
	CS_TRY(bft_evidence_check(&evidence, &added->is_false, state, history, scratch, why));
	return keep(pool, &hash, &evidence);
}

enum cs_err bft_evidence_add(struct bft_evidence_pool *pool, struct bft_evidence_added *added,
			     struct cs_bytes bytes, const struct bft_state *state,
			     const struct bft_history *history, struct cs_arena *scratch,
			     struct cs_why *why)
{
	*added = (struct bft_evidence_added){.work = 1};
	added->is_false = bytes.n > BFT_EVIDENCE_SIZE_MAX;
	if (added->is_false)
		return cs_fail(why, CS_ERR_TOO_LARGE, "evidence of %zu bytes", bytes.n);
	size_t mark = cs_arena_mark(scratch);
	enum cs_err err = add(pool, added, bytes, state, history, scratch, why);
	cs_arena_rewind(scratch, mark);
	return err;
}

/* ---- blocks ---- */

size_t bft_evidence_fit(size_t *size, const struct bft_evidence_pool *pool, size_t size_max)
{
	size_t i = 0;
	*size = 0;
	for (; i < pool->count && i < CMT_EVIDENCE_MAX; i++) {
		size_t one = pool->entries[i].size;
		one += 1 + cs_pb_varint_size(one);
		if (one > size_max - *size)
			break;
		*size += one;
	}
	return i;
}

void bft_evidence_encode_list(struct cs_buf *buf, const struct bft_evidence_pool *pool,
			      size_t count)
{
	for (size_t i = 0; i < count; i++)
		cs_pb_put_element(buf, 1, bft_evidence_bytes(pool, i));
}

enum cs_err bft_evidence_pick(struct cmt_evidence **list, const struct bft_evidence_pool *pool,
			      size_t count, struct cs_arena *scratch)
{
	struct cmt_evidence *out = cs_arena_calloc(scratch, count, sizeof *out);
	cs_assert(count <= pool->count);
	if (out == NULL)
		return CS_ERR_NO_MEMORY;
	for (size_t i = 0; i < count; i++)
		CS_TRY(cmt_evidence_decode(&out[i], bft_evidence_bytes(pool, i), scratch, NULL));
	*list = out;
	return CS_OK;
}

static bool is_old(const struct bft_evidence_pool *pool, size_t index,
		   const struct bft_state *state, struct cs_arena *scratch)
{
	struct cmt_evidence evidence;
	size_t mark = cs_arena_mark(scratch);
	bool old = cmt_evidence_decode(&evidence, bft_evidence_bytes(pool, index), scratch, NULL) !=
			   CS_OK ||
		   cmt_evidence_is_old(&evidence, &state->params, state->last_height,
				       state->last_time);
	cs_arena_rewind(scratch, mark);
	return old;
}

void bft_evidence_update(struct bft_evidence_pool *pool, const struct cmt_evidence *carried,
			 size_t count, const struct bft_state *state, struct cs_arena *scratch)
{
	for (size_t i = 0; i < count; i++) {
		struct cs_hash hash;
		if (cmt_evidence_hash(&hash, &carried[i], scratch) != CS_OK)
			continue;
		size_t at = find(pool, &hash);
		if (at != SIZE_MAX)
			drop(pool, at);
	}
	for (size_t i = pool->count; i-- > 0;) {
		if (is_old(pool, i, state, scratch))
			drop(pool, i);
	}
}
