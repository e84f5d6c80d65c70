#include "verify/clock.h"

enum cs_err verify_clock_source_read(struct verify_clock_source *source, const struct cs_json *json,
				     struct cs_why *why)
{
	struct verify_time_keys *keys = &source->keys;
	uint64_t quorum = 0;
	CS_TRY(cs_json_member_hashes(keys->keys, &keys->count, VERIFY_CLOCK_KEYS_MAX, json,
				     "time_keys", why));
	CS_TRY(cs_json_member_u64(&quorum, json, "quorum", VERIFY_CLOCK_KEYS_MAX, why));
	if (quorum > keys->count || 2 * quorum <= keys->count)
		return cs_fail(why, CS_ERR_INVALID,
			       "quorum is not above half of the time keys, or above all");
	keys->threshold = (size_t)quorum;
	return cs_json_member_u64(&source->error_s, json, "clock_error_s", VERIFY_CLOCK_ERROR_MAX_S,
				  why);
}

void verify_clock_reset(struct verify_clock *clock)
{
	clock->is_open = false;
	clock->asked_by_s = 0;
}

void verify_clock_ask(struct verify_clock *clock, const struct cs_hash *nonce)
{
	clock->nonce = *nonce;
	clock->is_open = true;
	clock->made++;
}

enum cs_err verify_clock_judge(const struct verify_clock *clock, struct verify_time_proof *proof,
			       const struct verify_clock_source *source,
			       const struct cs_hash *nonce, const struct cs_sig *sig,
			       const struct verify_time_answer *answers, size_t count,
			       struct cs_why *why)
{
	if (!clock->is_open || !cs_hash_eq(nonce, &clock->nonce))
		return cs_fail(why, CS_ERR_UNKNOWN_NONCE,
			       "not the newest nonce of this process, or answered already");
	const struct verify_time_question question = {&source->keys, nonce, source->error_s * 1000};
	return verify_time_answers(proof, sig, &question, answers, count, why);
}

void verify_clock_take(struct verify_clock *clock, uint64_t *low_s,
		       const struct verify_time_proof *proof)
{
	clock->is_open = false;
	clock->answered = clock->made;
	clock->asked_by_s = proof->asked_by_s;
	if (proof->now_from_s > *low_s)
		*low_s = proof->now_from_s;
}
