#include "verify/anchor_answers.h"

#include "core/hash.h"
#include "core/reader.h"

#include <string.h>

/* Contract 5, its anchors of key clusters. */
static const uint8_t key_prefix[2] = {5, 'c'};

static void add_u64(struct cs_keccak *keccak, uint64_t value)
{
	struct cs_hash word = {{0}};
	cs_put_be64(word.b + sizeof word.b - sizeof value, value);
	cs_keccak_add(keccak, CS_BYTES_OF(word.b));
}

static void begin(struct cs_keccak *keccak, const char *tag)
{
	const struct cs_hash hash = cs_keccak256(cs_bytes_str(tag));
	cs_keccak_init(keccak);
	cs_keccak_add(keccak, CS_BYTES_OF(hash.b));
}

static void add_anchor(struct cs_keccak *keccak, const struct verify_anchor_owner *owner,
		       const struct verify_anchor *anchor)
{
	cs_keccak_add(keccak, CS_BYTES_OF(owner->lineage.b));
	cs_keccak_add(keccak, CS_BYTES_OF(owner->key.b));
	add_u64(keccak, anchor->manifest_number);
	add_u64(keccak, anchor->epoch);
	cs_keccak_add(keccak, CS_BYTES_OF(anchor->authority.b));
	cs_keccak_add(keccak, CS_BYTES_OF(anchor->start.b));
}

struct cs_hash verify_anchor_digest(const struct verify_anchor_owner *owner,
				    const struct verify_anchor *anchor)
{
	struct cs_keccak keccak;
	begin(&keccak, "caisson/cluster/ledger-anchor/v1");
	add_anchor(&keccak, owner, anchor);
	return cs_keccak_end(&keccak);
}

struct cs_hash verify_anchor_time_digest(const struct cs_hash *nonce, uint64_t time_ms,
					 const struct verify_anchor_owner *owner,
					 const struct verify_anchor *anchor)
{
	struct cs_keccak keccak;
	begin(&keccak, "caisson/time/anchor/v1");
	cs_keccak_add(&keccak, CS_BYTES_OF(nonce->b));
	add_u64(&keccak, time_ms);
	add_anchor(&keccak, owner, anchor);
	return cs_keccak_end(&keccak);
}

static bool is_same_epoch(const struct verify_anchor *a, const struct verify_anchor *b)
{
	return a->epoch == b->epoch && a->manifest_number == b->manifest_number &&
	       cs_hash_eq(&a->authority, &b->authority);
}

bool verify_anchor_follows(const struct verify_anchor *next, const struct verify_anchor *known)
{
	if (next->epoch > known->epoch)
		return next->manifest_number >= known->manifest_number;
	return is_same_epoch(next, known);
}

void verify_anchor_key(uint8_t key[VERIFY_ANCHOR_KEY_SIZE], const struct verify_anchor_owner *owner)
{
	memcpy(key, key_prefix, sizeof key_prefix);
	memcpy(key + sizeof key_prefix, owner->lineage.b, 32);
	memcpy(key + sizeof key_prefix + 32, owner->key.b, 32);
}

enum cs_err verify_anchor_read(struct verify_anchor *anchor, struct cs_bytes value)
{
	struct verify_anchor read = {.epoch = 0};
	struct cs_reader reader;
	if (value.n != 0 && value.n != VERIFY_ANCHOR_VALUE_SIZE)
		return CS_ERR_MALFORMED;
	if (value.n != 0) {
		cs_reader_init(&reader, value);
		read.manifest_number = cs_get_u64(&reader);
		read.epoch = cs_get_u64(&reader);
		cs_get_copy(&reader, read.authority.b, sizeof read.authority.b);
		cs_get_copy(&reader, read.start.b, sizeof read.start.b);
		(void)cs_get_u64(&reader);
		CS_TRY(cs_reader_end(&reader));
	}
	*anchor = read;
	return CS_OK;
}

enum cs_err verify_anchor_answers(struct verify_time_proof *proof,
				  enum verify_anchor_verdict *verdict, const struct cs_sig *sig,
				  const struct verify_time_question *question,
				  const struct verify_anchor_claim *own,
				  const struct verify_anchor_answer *answers, size_t count,
				  struct cs_why *why)
{
	struct verify_time_answer times[VERIFY_TIME_KEYS_MAX] = {{.time_ms = 0}};
	struct cs_hash digests[VERIFY_TIME_KEYS_MAX] = {{{0}}};
	bool counted[VERIFY_TIME_KEYS_MAX] = {false};
	const size_t enough = question->keys->threshold;
	size_t same = 0, beyond = 0;
	for (size_t i = 0; i < count && i < CS_LEN(times); i++) {
		times[i] = answers[i].time;
		digests[i] = verify_anchor_time_digest(question->nonce, answers[i].time.time_ms,
						       &own->owner, &answers[i].anchor);
	}
	CS_TRY(verify_time_signed(proof, counted, sig, question, times, digests, count, why));
	for (size_t i = 0; i < count; i++) {
		const struct verify_anchor *said = &answers[i].anchor;
		if (!counted[i])
			continue;
		same += is_same_epoch(&own->anchor, said) &&
			cs_hash_eq(&own->anchor.start, &said->start);
		beyond += !verify_anchor_follows(&own->anchor, said);
	}
	*verdict = same >= enough     ? VERIFY_ANCHOR_PROVEN
		   : beyond >= enough ? VERIFY_ANCHOR_REFUTED
				      : VERIFY_ANCHOR_UNDECIDED;
	return CS_OK;
}
