/* A light client of a chain whose four validators' keys the fuzzer has: light blocks that the input
 * describes in eight bytes each (height, time, who is in the set, who signs what, for whom), or the
 * rest of the input as a light block. What is accepted has the powers behind it that the rules ask
 * for, counted here again by who was told to sign. */
#include "tests/fuzz/fuzz.h"
#include "verify/cometbft/light.h"

#define KEYS 4u
#define POWER 10
#define TIME_S 1700000000ll
#define STEPS_MAX 4u

static struct cs_secret secret_of(size_t i)
{
	struct cs_secret secret = {{[0] = 7}};
	secret.b[1] = (uint8_t)i;
	return secret;
}

static const struct cs_ed25519_key *key_of(size_t i)
{
	static struct cs_ed25519_key keys[KEYS];
	static bool made;
	for (size_t k = 0; !made && k < KEYS; k++) {
		struct cs_secret secret = secret_of(k);
		cs_assert(cs_ed25519_public(&keys[k], &secret) == CS_OK);
	}
	made = true;
	return &keys[i];
}

static size_t index_of(const struct cs_ed25519_key *key)
{
	for (size_t i = 0; i < KEYS; i++)
		if (memcmp(key_of(i)->b, key->b, sizeof key->b) == 0)
			return i;
	return KEYS;
}

static struct cmt_validator_set set_of(uint8_t members, struct cs_arena *arena)
{
	struct cmt_validator list[KEYS];
	struct cmt_validator_set set;
	size_t count = 0;
	for (size_t i = 0; i < KEYS; i++)
		if (members >> i & 1 || (members & 0x0f) == 0)
			list[count++] = cmt_validator_of(key_of(i), POWER);
	cs_assert(cmt_validator_set_init(&set, arena, count) == CS_OK);
	cs_assert(cmt_validator_set_make(&set, list, count, arena, NULL) == CS_OK);
	return set;
}

static void sign(struct cmt_light_block *block, size_t i)
{
	uint8_t memory[CMT_SIGN_BYTES_MAX];
	struct cs_buf buf;
	struct cmt_vote vote = cmt_commit_vote(&block->commit, i);
	struct cs_secret secret = secret_of(index_of(&block->validators.list[i].key));
	cs_buf_init(&buf, memory, sizeof memory);
	cmt_vote_sign_bytes(&buf, &vote, &block->header.chain_id);
	block->commit.sigs[i].signature.some = true;
	cs_assert(cs_ed25519_sign(block->commit.sigs[i].signature.b, &secret, cs_buf_view(&buf)) ==
		  CS_OK);
}

static struct cmt_light_block make(const uint8_t op[8], int64_t height, struct cs_arena *arena)
{
	struct cmt_validator_set next = set_of(op[3], arena);
	struct cs_hash next_hash = cmt_validator_set_hash(&next), set_hash, hash;
	struct cmt_light_block b = {.validators = set_of(op[2], arena)};
	set_hash = cmt_validator_set_hash(&b.validators);
	b.header = (struct cmt_header){.block_protocol = CMT_BLOCK_PROTOCOL,
				       .height = height,
				       .time = {TIME_S + (int8_t)op[1] * 4, op[6]},
				       .validators_hash = cmt_hash_of(&set_hash),
				       .next_validators_hash = cmt_hash_of(&next_hash)};
	cs_assert(cmt_chain_id_set(&b.header.chain_id,
				   cs_bytes_str(op[7] == 0xff ? "other" : "fuzz")) == CS_OK);
	hash = cmt_header_hash(&b.header);
	b.commit = (struct cmt_commit){.height = height,
				       .block_id = {cmt_hash_of(&hash), {1, cmt_hash_of(&hash)}},
				       .count = b.validators.count};
	b.commit.sigs = cs_arena_calloc(arena, b.commit.count, sizeof *b.commit.sigs);
	cs_assert(b.commit.sigs != NULL);
	for (size_t i = 0; i < b.commit.count; i++) {
		b.commit.sigs[i] = CMT_SIG_ABSENT;
		if (!(op[4] >> i & 1))
			continue;
		b.commit.sigs[i].flag = op[5] >> i & 1 ? CMT_NIL : CMT_COMMIT;
		b.commit.sigs[i].validator = b.validators.list[i].address;
		b.commit.sigs[i].time = b.header.time;
		sign(&b, i);
		if (op[7] >> i & 1)
			b.commit.sigs[i].signature.b[op[6] % 64] ^= 1;
	}
	return b;
}

/* Power of this set behind the block, by what op told each to do. */
static int64_t power_behind(const struct cmt_light_block *b, const struct cmt_validator_set *set,
			    const uint8_t op[8])
{
	int64_t power = 0;
	for (size_t i = 0; i < b->commit.count; i++)
		if (op[4] >> i & 1 && !(op[5] >> i & 1) &&
		    cmt_validator_set_find(set, &b->validators.list[i].address) != SIZE_MAX)
			power += POWER;
	return power;
}

static void check_accepted(const struct cmt_light_block *from, const struct cmt_light_block *to,
			   const uint8_t op[8])
{
	cs_assert(to->header.height > from->header.height);
	cs_assert(cs_pb_time_cmp(to->header.time, from->header.time) > 0);
	cs_assert(3 * power_behind(to, &to->validators, op) > 2 * to->validators.power);
	if (to->header.height != from->header.height + 1)
		cs_assert(3 * power_behind(to, &from->validators, op) > from->validators.power);
	else
		cs_assert(cmt_hash_eq(&to->header.validators_hash,
				      &from->header.next_validators_hash));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t first[8] = {0, 0, 0x0f, 0x0f, 0x0f, 0, 0, 0};
	const struct cmt_light_options options = {CMT_TRUST_LEVEL_DEFAULT, 300, CMT_BLOCK_PROTOCOL,
						  CMT_DRIFT_DEFAULT_S};
	const struct verify_time now = {TIME_S, TIME_S + 200};
	struct cs_arena *arena = fuzz_arena();
	struct cmt_light_block trace[STEPS_MAX + 1], to;
	struct cmt_divergence divergence;
	size_t count = 1;
	trace[0] = make(first, 10, arena);
	for (size_t steps = 0; steps < STEPS_MAX && size >= 8; steps++, data += 8, size -= 8) {
		const struct cmt_light_block *from = &trace[count - 1];
		struct cmt_trusted trusted = {&from->header, &from->validators};
		to = make(data, from->header.height + (int8_t)data[0] % 5, arena);
		if (cmt_light_verify(&trusted, &to, &options, &now, NULL) != CS_OK)
			continue;
		check_accepted(from, &to, data);
		trace[count++] = to;
	}
	/* One trace parts from itself nowhere. */
	if (count > 1)
		cs_assert(cmt_light_diverge(&divergence, trace, count, trace, count, &options, &now,
					    NULL) == CS_ERR_NOT_FOUND);
	if (cmt_light_block_decode(&to, cs_bytes(data, size), arena, NULL) == CS_OK) {
		struct cmt_trusted trusted = {&trace[0].header, &trace[0].validators};
		(void)!cmt_light_verify(&trusted, &to, &options, &now, NULL);
	}
	return 0;
}
