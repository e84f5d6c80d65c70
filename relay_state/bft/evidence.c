#include "relay_state/bft/evidence.h"

#include <string.h>

void bft_evidence_init(struct bft_evidence_pool *pool)
{
	memset(pool, 0, sizeof *pool);
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

static struct bft_evidence_entry *find(struct bft_evidence_pool *pool, const struct cs_hash *hash)
{
	for (size_t i = 0; i < BFT_EVIDENCE_KEPT_MAX; i++) {
		if (pool->entries[i].used && cs_hash_eq(&pool->entries[i].hash, hash))
			return &pool->entries[i];
	}
	return NULL;
}

static enum cs_err keep(struct bft_evidence_pool *pool, size_t *index, bool *known,
			const struct cmt_evidence *evidence, struct cs_arena *scratch)
{
	struct cs_hash hash;
	CS_TRY(cmt_evidence_hash(&hash, evidence, scratch));
	*known = find(pool, &hash) != NULL;
	if (*known)
		return CS_OK;
	for (size_t i = 0; i < BFT_EVIDENCE_KEPT_MAX; i++) {
		struct bft_evidence_entry *entry = &pool->entries[i];
		struct cs_buf buf;
		if (entry->used)
			continue;
		cs_buf_init(&buf, entry->bytes, sizeof entry->bytes);
		cmt_evidence_encode(&buf, evidence);
		CS_TRY(cs_buf_end(&buf));
		entry->size = buf.n;
		entry->hash = hash;
		entry->height = cmt_evidence_height(evidence);
		entry->used = true;
		*index = i;
		return CS_OK;
	}
	return CS_ERR_FULL;
}

size_t bft_evidence_ripen(struct bft_evidence_pool *pool, const struct bft_state *state,
			  const struct bft_history *history, size_t fresh[BFT_CONFLICTS_MAX],
			  struct cs_arena *scratch)
{
	size_t count = 0;
	for (size_t i = 0; i < pool->conflict_count; i++) {
		const struct bft_conflict *c = &pool->conflicts[i];
		struct cmt_evidence evidence = {.kind = CMT_DUPLICATE_VOTE};
		bool known;
		size_t mark = cs_arena_mark(scratch);
		/* Late precommits for the block before are of the last height too. */
		if (c->a.height != state->last_height ||
		    cmt_duplicate_vote_make(&evidence.duplicate_vote, &c->a, &c->b,
					    &state->last.set, state->last_time) != CS_OK)
			continue;
		if (bft_evidence_check(&evidence, state, history, scratch, NULL) == CS_OK &&
		    keep(pool, &fresh[count], &known, &evidence, scratch) == CS_OK && !known)
			count++;
		cs_arena_rewind(scratch, mark);
	}
	pool->conflict_count = 0;
	return count;
}

enum cs_err bft_evidence_check(const struct cmt_evidence *evidence, const struct bft_state *state,
			       const struct bft_history *history, struct cs_arena *scratch,
			       struct cs_why *why)
{
	const struct cmt_validator_set *set;
	struct cs_pb_time time;
	struct cs_hash hash;
	int64_t height = cmt_evidence_height(evidence);
	if (evidence->kind != CMT_DUPLICATE_VOTE)
		return cs_fail(why, CS_ERR_UNSUPPORTED, "evidence of a light client attack");
	if (height > state->last_height)
		return cs_fail(why, CS_ERR_NOT_FOUND, "evidence of a height that is not decided");
	if (cmt_evidence_is_old(evidence, &state->params, state->last_height, state->last_time))
		return cs_fail(why, CS_ERR_EXPIRED, "evidence of height %lld", (long long)height);
	CS_TRY(cmt_evidence_hash(&hash, evidence, scratch));
	if (history->is_committed(history->context, &hash))
		return cs_fail(why, CS_ERR_DUPLICATE, "evidence that a block carried before");
	CS_TRY(history->time_at(history->context, &time, height));
	CS_TRY(history->validators_at(history->context, &set, height));
	return cmt_duplicate_vote_verify(&evidence->duplicate_vote, &state->chain_id, set, time,
					 why);
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
		CS_TRY(bft_evidence_check(&list[i], state, history, scratch, why));
		CS_TRY(cmt_evidence_hash(&hashes[i], &list[i], scratch));
		for (size_t j = 0; j < i; j++) {
			if (cs_hash_eq(&hashes[i], &hashes[j]))
				return cs_fail(why, CS_ERR_DUPLICATE, "evidence twice in a block");
		}
	}
	return CS_OK;
}

enum cs_err bft_evidence_add(struct bft_evidence_pool *pool, bool *known, struct cs_bytes bytes,
			     const struct bft_state *state, const struct bft_history *history,
			     struct cs_arena *scratch, struct cs_why *why)
{
	struct cmt_evidence evidence;
	size_t index, mark = cs_arena_mark(scratch);
	if (bytes.n > BFT_EVIDENCE_SIZE_MAX)
		return CS_ERR_TOO_LARGE;
	enum cs_err err = cmt_evidence_decode(&evidence, bytes, scratch, why);
	if (err == CS_OK)
		err = bft_evidence_check(&evidence, state, history, scratch, why);
	if (err == CS_OK)
		err = keep(pool, &index, known, &evidence, scratch);
	cs_arena_rewind(scratch, mark);
	return err;
}

enum cs_err bft_evidence_pick(struct cmt_evidence **list, size_t *count,
			      const struct bft_evidence_pool *pool, int64_t size_max,
			      struct cs_arena *scratch)
{
	int64_t size = 0;
	size_t n = 0;
	struct cmt_evidence *out = cs_arena_calloc(scratch, CMT_EVIDENCE_MAX, sizeof *out);
	if (out == NULL)
		return CS_ERR_NO_MEMORY;
	for (size_t i = 0; i < BFT_EVIDENCE_KEPT_MAX && n < CMT_EVIDENCE_MAX; i++) {
		const struct bft_evidence_entry *entry = &pool->entries[i];
		if (!entry->used)
			continue;
		size += 1 + (int64_t)cs_pb_varint_size(entry->size) + (int64_t)entry->size;
		if (size > size_max)
			break;
		CS_TRY(cmt_evidence_decode(&out[n], cs_bytes(entry->bytes, entry->size), scratch,
					   NULL));
		n++;
	}
	*list = out;
	*count = n;
	return CS_OK;
}

void bft_evidence_update(struct bft_evidence_pool *pool, const struct cmt_evidence *carried,
			 size_t count, const struct bft_state *state, struct cs_arena *scratch)
{
	for (size_t i = 0; i < count; i++) {
		struct cs_hash hash;
		if (cmt_evidence_hash(&hash, &carried[i], scratch) != CS_OK)
			continue;
		struct bft_evidence_entry *entry = find(pool, &hash);
		if (entry != NULL)
			entry->used = false;
	}
	for (size_t i = 0; i < BFT_EVIDENCE_KEPT_MAX; i++) {
		struct bft_evidence_entry *entry = &pool->entries[i];
		struct cmt_evidence evidence;
		size_t mark = cs_arena_mark(scratch);
		if (!entry->used)
			continue;
		if (cmt_evidence_decode(&evidence, cs_bytes(entry->bytes, entry->size), scratch,
					NULL) != CS_OK ||
		    cmt_evidence_is_old(&evidence, &state->params, state->last_height,
					state->last_time))
			entry->used = false;
		cs_arena_rewind(scratch, mark);
	}
}
