/* Any bytes as evidence, before a node that remembers nine heights of a chain of four validators, of
 * whom three may be guilty of anything. With an odd first byte what the input changed is signed again
 * by those three, and the hashes that tie a light block together are made right: so what is behind
 * signatures is reached. The fourth has signed the chain's blocks and nothing else: no evidence that
 * is taken names it. What is taken is written again to the same bytes, and is there once. */
#include "tests/fuzz/fuzz.h"
#include "tests/unit/bft/past.h"

static struct past past;
static struct bft_evidence_pool pool;

static const struct cs_address *honest(void)
{
	return &past.set.list[3].address;
}

/* Keys of a number in the chain's set, as made_secret finds them, without its search. */
static const struct cs_secret *secret_of_guilty(const struct cs_address *address)
{
	static struct cs_secret secrets[4];
	static bool is_made;
	for (uint32_t i = 0; !is_made && i < 4; i++)
		secrets[i] = made_secret(&past.set.list[i].address);
	is_made = true;
	for (size_t i = 0; i < 3; i++)
		if (cs_address_eq(&past.set.list[i].address, address))
			return &secrets[i];
	return NULL;
}

/* ---- signing what an input holds ---- */

static void sign_vote(struct cmt_vote *vote)
{
	uint8_t memory[CMT_SIGN_BYTES_MAX];
	struct cs_buf buf;
	const struct cs_secret *secret = secret_of_guilty(&vote->validator);
	cs_buf_init(&buf, memory, sizeof memory);
	cmt_vote_sign_bytes(&buf, vote, &past.state.chain_id);
	if (secret == NULL || cs_buf_end(&buf) != CS_OK)
		return;
	vote->signature.some = true;
	cs_assert(cs_ed25519_sign(vote->signature.b, secret, cs_buf_view(&buf)) == CS_OK);
}

static struct cs_bytes part(struct cs_pb *pb, uint32_t field)
{
	struct cs_bytes bytes = CS_BYTES_NONE;
	if (!cs_pb_element(pb, field, &bytes, SIZE_MAX))
		cs_pb_fail(pb, CS_ERR_MISSING_FIELD);
	return bytes;
}

static enum cs_err read_block(struct cmt_light_block *block, struct cs_bytes bytes,
			      struct cs_arena *arena)
{
	struct cs_pb pb, both;
	cs_pb_open(&pb, bytes);
	cs_pb_enter_required(&pb, 1, &both);
	struct cs_bytes header = part(&both, 1), commit = part(&both, 2);
	cs_pb_leave(&pb, &both);
	struct cs_bytes validators = part(&pb, 2);
	CS_TRY(cs_pb_close(&pb));
	CS_TRY(cmt_header_decode(&block->header, header, NULL));
	CS_TRY(cmt_commit_decode(&block->commit, commit, arena, NULL));
	return cmt_validator_set_decode(&block->validators, validators, arena, NULL);
}

static void seal_block(struct cmt_light_block *block)
{
	struct cs_hash set = cmt_validator_set_hash(&block->validators);
	block->header.validators_hash = cmt_hash_of(&set);
	struct cs_hash hash = cmt_header_hash(&block->header);
	block->commit.height = block->header.height;
	block->commit.block_id.hash = cmt_hash_of(&hash);
	for (size_t i = 0; i < block->commit.count; i++) {
		if (block->commit.sigs[i].flag == CMT_ABSENT)
			continue;
		struct cmt_vote vote = cmt_commit_vote(&block->commit, i);
		sign_vote(&vote);
		block->commit.sigs[i].signature = vote.signature;
	}
}

static enum cs_err read_attack(struct cmt_light_attack *a, struct cs_bytes bytes,
			       struct cs_arena *arena)
{
	struct cs_bytes one;
	struct cs_pb pb;
	size_t i = 0;
	cs_pb_open(&pb, bytes);
	struct cs_bytes block = part(&pb, 1);
	a->common_height = cs_pb_int64(&pb, 2);
	a->byzantine_count = cs_pb_count(&pb, 3, 64);
	a->byzantine = cs_arena_calloc(arena, a->byzantine_count, sizeof *a->byzantine);
	while (a->byzantine != NULL && cs_pb_element(&pb, 3, &one, SIZE_MAX))
		CS_TRY(cmt_validator_decode(&a->byzantine[i++], one));
	a->power_total = cs_pb_int64(&pb, 4);
	a->time = cs_pb_time(&pb, 5);
	CS_TRY(cs_pb_close(&pb));
	CS_TRY(read_block(&a->conflicting, block, arena));
	seal_block(&a->conflicting);
	return CS_OK;
}

static enum cs_err read_pair(struct cmt_duplicate_vote *d, struct cs_bytes bytes)
{
	struct cs_pb pb;
	cs_pb_open(&pb, bytes);
	struct cs_bytes a = part(&pb, 1), b = part(&pb, 2);
	d->power_total = cs_pb_int64(&pb, 3);
	d->power = cs_pb_int64(&pb, 4);
	d->time = cs_pb_time(&pb, 5);
	CS_TRY(cs_pb_close(&pb));
	CS_TRY(cmt_vote_decode(&d->a, a, NULL));
	CS_TRY(cmt_vote_decode(&d->b, b, NULL));
	sign_vote(&d->a);
	sign_vote(&d->b);
	return CS_OK;
}

/* The same evidence with its signatures made anew; the input itself where it does not read. */
static struct cs_bytes sealed(struct cs_bytes bytes, struct cs_arena *arena)
{
	static uint8_t memory[BFT_EVIDENCE_SIZE_MAX];
	struct cmt_evidence e = {.kind = CMT_DUPLICATE_VOTE};
	struct cs_bytes rest = bytes;
	struct cs_pb_field field;
	struct cs_buf buf;
	if (cs_pb_next(&rest, &field) != CS_OK || field.type != CS_PB_BYTES || rest.n > 0 ||
	    (field.number != CMT_DUPLICATE_VOTE && field.number != CMT_LIGHT_ATTACK))
		return bytes;
	e.kind = (enum cmt_evidence_kind)field.number;
	enum cs_err err = e.kind == CMT_DUPLICATE_VOTE
				  ? read_pair(&e.duplicate_vote, field.bytes)
				  : read_attack(&e.light_attack, field.bytes, arena);
	cs_buf_init(&buf, memory, sizeof memory);
	if (err == CS_OK)
		cmt_evidence_encode(&buf, &e);
	return err == CS_OK && cs_buf_end(&buf) == CS_OK ? cs_buf_view(&buf) : bytes;
}

/* ---- one piece ---- */

static void check_names(const struct cmt_evidence *e)
{
	if (e->kind == CMT_DUPLICATE_VOTE)
		cs_assert(!cs_address_eq(&e->duplicate_vote.a.validator, honest()));
	for (size_t i = 0; e->kind == CMT_LIGHT_ATTACK && i < e->light_attack.byzantine_count; i++)
		cs_assert(!cs_address_eq(&e->light_attack.byzantine[i].address, honest()));
}

static void check_taken(struct cs_bytes bytes, const struct bft_history *history,
			struct cs_arena *arena)
{
	struct bft_evidence_added again;
	struct cmt_evidence *list;
	cs_assert(pool.count == 1 && cs_bytes_eq(bft_evidence_bytes(&pool, 0), bytes));
	cs_assert(bft_evidence_pick(&list, &pool, 1, arena) == CS_OK);
	check_names(&list[0]);
	cs_assert(bft_evidence_add(&pool, &again, bytes, &past.state, history, arena, NULL) ==
		  CS_OK);
	cs_assert(again.is_known && pool.count == 1);
	bft_evidence_update(&pool, list, 1, &past.state, arena);
	cs_assert(pool.count == 0 && pool.used == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bft_evidence_added added;
	struct bft_history history;
	if (size < 2 || size > BFT_EVIDENCE_SIZE_MAX)
		return 0;
	if (past.scratch.block == NULL)
		past_init(&past);
	struct cs_arena *arena = fuzz_arena();
	struct cs_bytes bytes = cs_bytes(data + 1, size - 1);
	if (data[0] & 1)
		bytes = sealed(bytes, arena);
	history = past_history(&past);
	bft_evidence_init(&pool);
	enum cs_err err =
		bft_evidence_add(&pool, &added, bytes, &past.state, &history, &past.scratch, NULL);
	if (err == CS_OK)
		check_taken(bytes, &history, arena);
	else
		cs_assert(pool.count == 0 && pool.used == 0);
	cs_assert(past.scratch.used == 0);
	return 0;
}
