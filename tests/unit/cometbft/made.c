#include "tests/unit/cometbft/made.h"

#define KEYS_MAX 4096u

struct cmt_validator_set made_set(uint32_t first, size_t count, int64_t power)
{
	struct cmt_validator_set set;
	struct cmt_validator *list = keep(count * sizeof *list);
	for (size_t i = 0; i < count; i++) {
		struct cs_ed25519_key key = key_of(first + (uint32_t)i);
		list[i] = cmt_validator_of(&key, power);
	}
	assert_ok(cmt_validator_set_init(&set, test_arena(), count));
	assert_ok(cmt_validator_set_make(&set, list, count, test_arena(), NULL));
	return set;
}

struct cs_secret made_secret(const struct cs_address *address)
{
	/* Each is made once: sets of hundreds ask for hundreds. */
	static struct cs_address known[KEYS_MAX];
	static uint32_t count;
	for (uint32_t i = 0; i < KEYS_MAX; i++) {
		if (i == count) {
			struct cs_ed25519_key key = key_of(i);
			known[count++] = cmt_address(&key);
		}
		if (cs_address_eq(&known[i], address))
			return secret_of(i);
	}
	fail_msg("nobody's address");
	return secret_of(0);
}

void made_sign(struct cmt_commit *commit, size_t index)
{
	struct cmt_chain_id chain_id = chain_id_of(MADE_CHAIN);
	struct cmt_vote vote = cmt_commit_vote(commit, index);
	struct cs_secret secret = made_secret(&vote.validator);
	struct cs_buf buf = test_buf(CMT_SIGN_BYTES_MAX);
	cmt_vote_sign_bytes(&buf, &vote, &chain_id);
	assert_ok(cs_buf_end(&buf));
	commit->sigs[index].signature.some = true;
	assert_ok(cs_ed25519_sign(commit->sigs[index].signature.b, &secret, cs_buf_view(&buf)));
}

void made_seal(struct cmt_light_block *block)
{
	struct cs_hash set = cmt_validator_set_hash(&block->validators);
	block->header.validators_hash = cmt_hash_of(&set);
	struct cs_hash hash = cmt_header_hash(&block->header);
	block->commit.height = block->header.height;
	block->commit.block_id = (struct cmt_block_id){cmt_hash_of(&hash), {1, cmt_hash_of(&hash)}};
	block->commit.count = block->validators.count;
	block->commit.sigs = keep(block->commit.count * sizeof *block->commit.sigs);
	for (size_t i = 0; i < block->commit.count; i++) {
		block->commit.sigs[i] = (struct cmt_commit_sig){
			.flag = CMT_COMMIT,
			.validator = block->validators.list[i].address,
			.time = {block->header.time.s + 1, (int32_t)i},
		};
		made_sign(&block->commit, i);
	}
}

struct cmt_light_block made_block(int64_t height, const struct cmt_validator_set *set,
				  const struct cmt_validator_set *next)
{
	struct cs_hash next_hash = cmt_validator_set_hash(next);
	struct cmt_light_block block = {
		.header = {.block_protocol = CMT_BLOCK_PROTOCOL,
			   .chain_id = chain_id_of(MADE_CHAIN),
			   .height = height,
			   .time = {MADE_TIME_S + height, 7},
			   .next_validators_hash = cmt_hash_of(&next_hash),
			   .proposer = set->list[0].address},
		.validators = *set,
	};
	made_seal(&block);
	return block;
}
