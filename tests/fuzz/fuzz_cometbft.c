/* Any bytes as one of CometBFT's messages (the first byte says which): what is accepted is written
 * again to the same bytes, within the size that its encoder names, and what is refused leaves the
 * output alone. */
#include "tests/fuzz/fuzz.h"
#include "verify/cometbft/block.h"

#define KINDS 13u

union message {
	struct cmt_header header;
	struct cmt_vote vote;
	struct cmt_proposal proposal;
	struct cmt_commit commit;
	struct cmt_validator validator;
	struct cmt_validator_set set;
	struct cmt_params params;
	struct cmt_proof proof;
	struct cmt_part part;
	struct cmt_light_block light_block;
	struct cmt_evidence evidence;
	struct cmt_block block;
	struct cmt_block_id block_id;
};

static enum cs_err decode(union message *m, unsigned kind, struct cs_bytes bytes,
			  struct cs_arena *arena)
{
	switch (kind) {
	case 0:
		return cmt_header_decode(&m->header, bytes, NULL);
	case 1:
		return cmt_vote_decode(&m->vote, bytes, NULL);
	case 2:
		return cmt_proposal_decode(&m->proposal, bytes, NULL);
	case 3:
		return cmt_commit_decode(&m->commit, bytes, arena, NULL);
	case 4:
		return cmt_extended_commit_decode(&m->commit, bytes, arena, NULL);
	case 5:
		return cmt_validator_decode(&m->validator, bytes);
	case 6:
		return cmt_validator_set_decode(&m->set, bytes, arena, NULL);
	case 7:
		return cmt_params_decode(&m->params, bytes, NULL);
	case 8:
		return cmt_proof_decode(&m->proof, bytes);
	case 9:
		return cmt_part_decode(&m->part, bytes);
	case 10:
		return cmt_light_block_decode(&m->light_block, bytes, arena, NULL);
	case 11:
		return cmt_evidence_decode(&m->evidence, bytes, arena, NULL);
	case 12:
		return cmt_block_decode(&m->block, bytes, arena, NULL);
	default:
		return cmt_block_id_decode(&m->block_id, bytes);
	}
}

static size_t light_size(const struct cmt_light_block *b)
{
	return CMT_LIGHT_BLOCK_SIZE_MAX(
		b->commit.count > b->validators.count ? b->commit.count : b->validators.count);
}

static size_t size_max(const union message *m, unsigned kind)
{
	switch (kind) {
	case 0:
		return CMT_HEADER_SIZE_MAX;
	case 1:
		return CMT_VOTE_SIZE_MAX(m->vote.extension.n);
	case 2:
		return CMT_PROPOSAL_SIZE_MAX;
	case 3:
		return CMT_COMMIT_SIZE_MAX(m->commit.count);
	case 4:
		return cmt_extended_commit_size_max(&m->commit);
	case 5:
		return CMT_VALIDATOR_SIZE_MAX;
	case 6:
		return CMT_VALIDATOR_SET_SIZE_MAX(m->set.count);
	case 7:
		return CMT_PARAMS_SIZE_MAX;
	case 8:
		return CMT_PROOF_SIZE_MAX;
	case 9:
		return CMT_PART_ENCODED_SIZE_MAX;
	case 10:
		return light_size(&m->light_block);
	case 11:
		return cmt_evidence_size_max(&m->evidence);
	case 12:
		return cmt_block_size_max(&m->block);
	default:
		return CMT_BLOCK_ID_SIZE_MAX;
	}
}

static void encode(struct cs_buf *buf, const union message *m, unsigned kind)
{
	switch (kind) {
	case 0:
		cmt_header_encode(buf, &m->header);
		break;
	case 1:
		cmt_vote_encode(buf, &m->vote);
		break;
	case 2:
		cmt_proposal_encode(buf, &m->proposal);
		break;
	case 3:
		cmt_commit_encode(buf, &m->commit);
		break;
	case 4:
		cmt_extended_commit_encode(buf, &m->commit);
		break;
	case 5:
		cmt_validator_encode(buf, &m->validator);
		break;
	case 6:
		cmt_validator_set_encode(buf, &m->set);
		break;
	case 7:
		cmt_params_encode(buf, &m->params);
		break;
	case 8:
		cmt_proof_encode(buf, &m->proof);
		break;
	case 9:
		cmt_part_encode(buf, &m->part);
		break;
	case 10:
		cmt_light_block_encode(buf, &m->light_block);
		break;
	case 11:
		cmt_evidence_encode(buf, &m->evidence);
		break;
	case 12:
		cmt_block_encode(buf, &m->block);
		break;
	default:
		cmt_block_id_encode(buf, &m->block_id);
		break;
	}
}

/* A set that was taken can propose and change, whatever its priorities are. */
static void use_set(struct cmt_validator_set *set, struct cs_arena *arena)
{
	struct cmt_validator change = set->list[0];
	cmt_validator_set_increment(set, 2);
	cs_assert(cmt_validator_set_find(set, &set->proposer.address) != SIZE_MAX);
	change.power = 1;
	if (cmt_validator_set_update(set, &change, 1, arena, NULL) == CS_OK)
		cmt_validator_set_increment(set, 1);
	cs_assert(set->power > 0 && set->power <= CMT_POWER_MAX);
}

static void use(union message *m, unsigned kind, struct cs_arena *arena)
{
	struct cs_hash hash;
	if (kind == 6)
		use_set(&m->set, arena);
	if (kind == 11)
		cs_assert(cmt_evidence_hash(&hash, &m->evidence, arena) == CS_OK);
	if (kind == 10) {
		struct cs_pb_time time;
		(void)!cmt_median_time(&time, &m->light_block.commit, &m->light_block.validators);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static union message m;
	struct cs_arena *arena = fuzz_arena();
	struct cs_buf buf;
	if (size == 0)
		return 0;
	unsigned kind = data[0] % (KINDS + 1);
	struct cs_bytes bytes = cs_bytes(data + 1, size - 1);
	fuzz_fill(&m, sizeof m);
	if (decode(&m, kind, bytes, arena) != CS_OK) {
		fuzz_untouched(&m, sizeof m);
		return 0;
	}
	cs_assert(cs_buf_init_arena(&buf, arena, size_max(&m, kind)) == CS_OK);
	encode(&buf, &m, kind);
	fuzz_same(&buf, bytes);
	use(&m, kind, arena);
	return 0;
}
