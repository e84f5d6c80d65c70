#include "relay_state/bft/votes.h"

#include <string.h>

void bft_votes_reset(struct bft_votes *votes, int32_t round, enum cmt_signed_type type)
{
	votes->round = round;
	votes->type = type;
	for (size_t k = 0; k < 2; k++) {
		for (size_t i = 0; i < BFT_VALIDATORS_MAX; i++)
			votes->by[k][i].have = false;
	}
}

static void put(struct bft_votes *votes, size_t k, const struct cmt_vote *vote, bool counts)
{
	size_t i = (size_t)vote->index;
	struct bft_vote *slot = &votes->by[k][i];
	slot->have = true;
	slot->counts = counts;
	slot->vote = *vote;
	slot->vote.extension = CS_BYTES_NONE;
	if (vote->extension.n == 0)
		return;
	cs_assert(votes->extensions != NULL && vote->extension.n <= BFT_EXTENSION_SIZE_MAX);
	uint8_t *p = votes->extensions + (k * BFT_VALIDATORS_MAX + i) * BFT_EXTENSION_SIZE_MAX;
	memcpy(p, vote->extension.p, vote->extension.n);
	slot->vote.extension = cs_bytes(p, vote->extension.n);
}

void bft_votes_copy(struct bft_votes *to, const struct bft_votes *from)
{
	bft_votes_reset(to, from->round, from->type);
	for (size_t k = 0; k < 2; k++) {
		for (size_t i = 0; i < BFT_VALIDATORS_MAX; i++) {
			if (from->by[k][i].have)
				put(to, k, &from->by[k][i].vote, from->by[k][i].counts);
		}
	}
}

bool bft_votes_has_room(const struct bft_votes *votes, const struct cmt_validator_set *set,
			const struct cmt_vote *vote)
{
	size_t i = (size_t)vote->index;
	return !votes->by[1][i].have ||
	       bft_votes_power_for(votes, set, &vote->block_id) >
		       bft_votes_power_for(votes, set, &votes->by[1][i].vote.block_id) -
			       set->list[i].power;
}

enum bft_votes_added bft_votes_add(struct bft_votes *votes, const struct cmt_validator_set *set,
				   const struct cmt_vote *vote, bool counts,
				   const struct cmt_vote **other)
{
	size_t i = (size_t)vote->index;
	cs_assert(vote->index >= 0 && i < set->count && i < BFT_VALIDATORS_MAX);
	if (bft_votes_find(votes, i, &vote->block_id) != NULL)
		return BFT_VOTES_KNOWN;
	if (!votes->by[0][i].have) {
		put(votes, 0, vote, counts);
		return BFT_VOTES_NEW;
	}
	*other = &votes->by[0][i].vote;
	if (!bft_votes_has_room(votes, set, vote))
		return BFT_VOTES_CONFLICT_FULL;
	put(votes, 1, vote, counts);
	return BFT_VOTES_CONFLICT;
}

const struct bft_vote *bft_votes_find(const struct bft_votes *votes, size_t index,
				      const struct cmt_block_id *id)
{
	for (size_t k = 0; k < 2; k++) {
		const struct bft_vote *slot = &votes->by[k][index];
		if (slot->have && cmt_block_id_eq(&slot->vote.block_id, id))
			return slot;
	}
	return NULL;
}

bool bft_votes_judge(struct bft_votes *votes, size_t index, const struct cmt_block_id *id,
		     bool accepted)
{
	struct bft_vote *first = &votes->by[0][index], *second = &votes->by[1][index];
	struct bft_vote *slot = NULL;
	if (first->have && cmt_block_id_eq(&first->vote.block_id, id))
		slot = first;
	else if (second->have && cmt_block_id_eq(&second->vote.block_id, id))
		slot = second;
	if (slot == NULL || slot->counts)
		return false;
	if (accepted) {
		slot->counts = true;
		return true;
	}
	slot->have = false;
	if (slot == first && second->have) {
		struct cmt_vote vote = second->vote;
		second->have = false;
		put(votes, 0, &vote, second->counts);
	}
	return true;
}

int64_t bft_votes_power(const struct bft_votes *votes, const struct cmt_validator_set *set)
{
	int64_t power = 0;
	for (size_t i = 0; i < set->count; i++) {
		if ((votes->by[0][i].have && votes->by[0][i].counts) ||
		    (votes->by[1][i].have && votes->by[1][i].counts))
			power += set->list[i].power;
	}
	return power;
}

int64_t bft_votes_power_for(const struct bft_votes *votes, const struct cmt_validator_set *set,
			    const struct cmt_block_id *id)
{
	int64_t power = 0;
	for (size_t i = 0; i < set->count; i++) {
		const struct bft_vote *slot = bft_votes_find(votes, i, id);
		if (slot != NULL && slot->counts)
			power += set->list[i].power;
	}
	return power;
}

/* Each block that somebody voted for is counted once; with honest voters there are two or three. */
bool bft_votes_quorum(const struct bft_votes *votes, const struct cmt_validator_set *set,
		      struct cmt_block_id *id)
{
	if (!bft_is_two_thirds(bft_votes_power(votes, set), set->power))
		return false;
	for (size_t k = 0; k < 2; k++) {
		for (size_t i = 0; i < set->count; i++) {
			const struct bft_vote *slot = &votes->by[k][i];
			bool tried = !slot->have;
			for (size_t j = 0; j < i && !tried; j++)
				tried = votes->by[k][j].have &&
					cmt_block_id_eq(&votes->by[k][j].vote.block_id,
							&slot->vote.block_id);
			if (tried)
				continue;
			if (bft_is_two_thirds(bft_votes_power_for(votes, set, &slot->vote.block_id),
					      set->power)) {
				*id = slot->vote.block_id;
				return true;
			}
		}
	}
	return false;
}

uint32_t bft_votes_have(const struct bft_votes *votes, const struct cmt_block_id *id)
{
	uint32_t have = 0;
	for (size_t i = 0; i < BFT_VALIDATORS_MAX; i++) {
		bool has = id != NULL ? bft_votes_find(votes, i, id) != NULL : votes->by[0][i].have;
		if (has)
			have |= 1u << i;
	}
	return have;
}
