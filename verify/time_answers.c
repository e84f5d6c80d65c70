#include "verify/time_answers.h"

#include "core/hash.h"

#define MS_PER_S 1000u

struct cs_hash verify_time_digest(const struct cs_hash *nonce, uint64_t time_ms)
{
	const struct cs_hash tag = cs_keccak256(cs_bytes_str("caisson/time/v1"));
	struct cs_hash time = {{0}};
	struct cs_keccak keccak;
	cs_put_be64(time.b + sizeof time.b - sizeof time_ms, time_ms);
	cs_keccak_init(&keccak);
	cs_keccak_add(&keccak, CS_BYTES_OF(tag.b));
	cs_keccak_add(&keccak, CS_BYTES_OF(nonce->b));
	cs_keccak_add(&keccak, CS_BYTES_OF(time.b));
	return cs_keccak_end(&keccak);
}

static enum cs_err check_keys(const struct verify_time_keys *keys, struct cs_why *why)
{
	if (keys->count > VERIFY_TIME_KEYS_MAX || keys->threshold == 0 ||
	    keys->threshold > keys->count)
		return cs_fail(why, CS_ERR_INVALID, "%zu of %zu time keys", keys->threshold,
			       keys->count);
	for (size_t i = 0; i < keys->count; i++) {
		for (size_t j = 0; j < i; j++) {
			if (cs_hash_eq(&keys->keys[i], &keys->keys[j]))
				return cs_fail(why, CS_ERR_INVALID, "a time key is there twice");
		}
	}
	return CS_OK;
}

/* The place of the key, or their count. */
static size_t find(const struct verify_time_keys *keys, const struct cs_hash *key)
{
	size_t at = 0;
	while (at < keys->count && !cs_hash_eq(&keys->keys[at], key))
		at++;
	return at;
}

/* Into ascending times. */
static void insert(uint64_t *times, size_t count, uint64_t time_ms)
{
	size_t at = count;
	for (; at > 0 && times[at - 1] > time_ms; at--)
		times[at] = times[at - 1];
	times[at] = time_ms;
}

/* Times of the answers that count, ascending. */
static enum cs_err collect(uint64_t times[VERIFY_TIME_KEYS_MAX], size_t *n, bool *counted,
			   const struct cs_sig *sig, const struct verify_time_keys *keys,
			   const struct verify_time_answer *answers, const struct cs_hash *digests,
			   size_t count)
{
	bool seen[VERIFY_TIME_KEYS_MAX] = {false};
	*n = 0;
	for (size_t i = 0; i < count; i++) {
		const struct verify_time_answer *answer = &answers[i];
		const size_t at = find(keys, &answer->key);
		counted[i] = false;
		if (at == keys->count || seen[at])
			continue;
		const enum cs_err err = cs_schnorr_verify64(sig, answer->signature, &answer->key,
							    CS_BYTES_OF(digests[i].b));
		if (err == CS_ERR_BAD_SIGNATURE)
			continue;
		if (err != CS_OK)
			return err;
		seen[at] = true;
		counted[i] = true;
		insert(times, (*n)++, answer->time_ms);
	}
	return CS_OK;
}

enum cs_err verify_time_signed(struct verify_time_proof *proof, bool *counted,
			       const struct cs_sig *sig,
			       const struct verify_time_question *question,
			       const struct verify_time_answer *answers,
			       const struct cs_hash *digests, size_t count, struct cs_why *why)
{
	const struct verify_time_keys *keys = question->keys;
	const uint64_t error_ms = question->error_ms;
	uint64_t times[VERIFY_TIME_KEYS_MAX] = {0};
	size_t n;
	CS_TRY(check_keys(keys, why));
	if (count > VERIFY_TIME_KEYS_MAX)
		return cs_fail(why, CS_ERR_TOO_LARGE, "%zu answers about the time", count);
	CS_TRY(collect(times, &n, counted, sig, keys, answers, digests, count));
	if (n < keys->threshold)
		return cs_fail(why, CS_ERR_UNAUTHORIZED,
			       "%zu answers about the time count, %zu are needed", n,
			       keys->threshold);
	const uint64_t early_ms = times[keys->threshold - 1];
	const uint64_t late_ms = times[n - keys->threshold];
	if (early_ms > UINT64_MAX - error_ms)
		return cs_fail(why, CS_ERR_OVERFLOW, "a time of %llu ms",
			       (unsigned long long)early_ms);
	const uint64_t asked_by_ms = early_ms + error_ms;
	*proof = (struct verify_time_proof){
		.asked_by_s = asked_by_ms / MS_PER_S + (asked_by_ms % MS_PER_S != 0),
		.now_from_s = late_ms < error_ms ? 0 : (late_ms - error_ms) / MS_PER_S,
		.count = n,
	};
	return CS_OK;
}

enum cs_err verify_time_answers(struct verify_time_proof *proof, const struct cs_sig *sig,
				const struct verify_time_question *question,
				const struct verify_time_answer *answers, size_t count,
				struct cs_why *why)
{
	struct cs_hash digests[VERIFY_TIME_KEYS_MAX] = {{{0}}};
	bool counted[VERIFY_TIME_KEYS_MAX];
	for (size_t i = 0; i < count && i < CS_LEN(digests); i++)
		digests[i] = verify_time_digest(question->nonce, answers[i].time_ms);
	return verify_time_signed(proof, counted, sig, question, answers, digests, count, why);
}
