#include "relay_state/bft/sign_state.h"

#include "core/hash.h"
#include "core/reader.h"

#include <string.h>

#define SLOT_MAGIC 0x43534731u /* "CSG1" */

void bft_sign_state_init(struct bft_sign_state *state)
{
	*state = (struct bft_sign_state){.lock_round = -1};
}

static int compare_place(const struct bft_sign_state *state, const struct bft_sign_request *request)
{
	if (request->height != state->height)
		return request->height < state->height ? -1 : 1;
	if (request->round != state->round)
		return request->round < state->round ? -1 : 1;
	if (request->step != state->step)
		return request->step < state->step ? -1 : 1;
	return 0;
}

static bool same_vote(const struct bft_sign_state *state, const struct bft_sign_request *request)
{
	return request->pol_round == state->pol_round &&
	       cmt_block_id_eq(&request->block_id, &state->block_id);
}

static bool same_but_time(const struct bft_sign_state *state,
			  const struct bft_sign_request *request)
{
	return same_vote(state, request) && request->has_extension == state->has_extension;
}

enum bft_sign_verdict bft_sign_state_may(const struct bft_sign_state *state,
					 const struct bft_sign_request *request)
{
	int order = compare_place(state, request);
	cs_assert(request->step != BFT_SIGN_NONE);
	if (order < 0)
		return BFT_SIGN_REFUSE;
	if (order == 0)
		return same_but_time(state, request) ? BFT_SIGN_REPEAT : BFT_SIGN_REFUSE;
	return BFT_SIGN_NEW;
}

static void raise_lock(struct bft_sign_state *state, const struct bft_sign_request *request)
{
	if (request->step != BFT_SIGN_PRECOMMIT || cmt_block_id_is_nil(&request->block_id))
		return;
	if (request->round > state->lock_round) {
		state->lock_round = request->round;
		state->lock_id = request->block_id;
	}
}

static void take(struct bft_sign_state *state, const struct bft_sign_request *request,
		 const uint8_t *signature, const uint8_t *extension_signature)
{
	cs_assert(request->extension.n <= BFT_EXTENSION_SIZE_MAX);
	if (request->height != state->height) {
		state->lock_round = -1;
		memset(&state->lock_id, 0, sizeof state->lock_id);
	}
	state->height = request->height;
	state->round = request->round;
	state->step = request->step;
	state->pol_round = request->pol_round;
	state->block_id = request->block_id;
	state->time_ns = request->time_ns;
	memcpy(state->signature, signature, BFT_SIGNATURE_SIZE);
	state->has_extension = request->has_extension;
	state->extension_size = 0;
	memset(state->extension_signature, 0, BFT_SIGNATURE_SIZE);
	if (request->has_extension) {
		state->extension_size = (uint16_t)request->extension.n;
		if (request->extension.n > 0)
			memcpy(state->extension, request->extension.p, request->extension.n);
		memcpy(state->extension_signature, extension_signature, BFT_SIGNATURE_SIZE);
	}
	raise_lock(state, request);
}

void bft_sign_state_record(struct bft_sign_state *state, const struct bft_sign_request *request,
			   const uint8_t signature[BFT_SIGNATURE_SIZE],
			   const uint8_t extension_signature[BFT_SIGNATURE_SIZE])
{
	cs_assert(bft_sign_state_may(state, request) == BFT_SIGN_NEW);
	take(state, request, signature, extension_signature);
}

enum cs_err bft_sign_state_raise(struct bft_sign_state *state, bool *changed,
				 const struct bft_sign_request *seen,
				 const uint8_t signature[BFT_SIGNATURE_SIZE],
				 const uint8_t extension_signature[BFT_SIGNATURE_SIZE])
{
	int order = compare_place(state, seen);
	if (order == 0) {
		/* The extension is no part of what a vote's signature covers: who passes the vote on may
		 * leave it out, and then nothing was signed twice. */
		if (!same_vote(state, seen))
			return CS_ERR_CONFLICT;
		*changed = false;
		return CS_OK;
	}
	if (order > 0) {
		take(state, seen, signature, extension_signature);
		*changed = true;
		return CS_OK;
	}
	int32_t lock_before = state->lock_round;
	if (seen->height == state->height)
		raise_lock(state, seen);
	*changed = state->lock_round != lock_before;
	return CS_OK;
}

/* ---- slots ---- */

static void put_block_id(struct cs_buf *buf, const struct cmt_block_id *id)
{
	uint8_t bytes[BFT_BLOCK_ID_SIZE];
	bft_block_id_encode(bytes, id);
	cs_put(buf, CS_BYTES_OF(bytes));
}

void bft_sign_state_encode(uint8_t slot[BFT_SIGN_SLOT_SIZE], const struct bft_sign_state *state)
{
	struct cs_buf buf;
	memset(slot, 0, BFT_SIGN_SLOT_SIZE);
	cs_buf_init(&buf, slot, BFT_SIGN_SLOT_SIZE - 32);
	cs_put_u32(&buf, SLOT_MAGIC);
	cs_put_u64(&buf, state->sequence);
	cs_put_u8(&buf, (uint8_t)state->step);
	cs_put_u64(&buf, (uint64_t)state->height);
	cs_put_u32(&buf, (uint32_t)state->round);
	cs_put_u32(&buf, (uint32_t)state->pol_round);
	put_block_id(&buf, &state->block_id);
	cs_put_u64(&buf, (uint64_t)state->time_ns);
	cs_put(&buf, CS_BYTES_OF(state->signature));
	cs_put_u8(&buf, state->has_extension ? 1 : 0);
	cs_put_u16(&buf, state->extension_size);
	cs_put(&buf, cs_bytes(state->extension, state->extension_size));
	cs_put(&buf, CS_BYTES_OF(state->extension_signature));
	cs_put_u32(&buf, (uint32_t)state->lock_round);
	put_block_id(&buf, &state->lock_id);
	cs_assert(cs_buf_end(&buf) == CS_OK);
	struct cs_hash sum = cs_sha256(cs_bytes(slot, BFT_SIGN_SLOT_SIZE - 32));
	memcpy(slot + BFT_SIGN_SLOT_SIZE - 32, sum.b, 32);
}

static enum cs_err get_block_id(struct cs_reader *reader, struct cmt_block_id *id)
{
	uint8_t bytes[BFT_BLOCK_ID_SIZE];
	cs_get_copy(reader, bytes, sizeof bytes);
	return bft_block_id_decode(id, bytes);
}

static enum cs_err decode_slot(struct bft_sign_state *out, struct cs_bytes slot)
{
	struct bft_sign_state s;
	struct cs_reader reader;
	bft_sign_state_init(&s);
	if (slot.n != BFT_SIGN_SLOT_SIZE)
		return CS_ERR_TRUNCATED;
	struct cs_hash sum = cs_sha256(cs_bytes(slot.p, BFT_SIGN_SLOT_SIZE - 32));
	if (memcmp(sum.b, slot.p + BFT_SIGN_SLOT_SIZE - 32, 32) != 0)
		return CS_ERR_MALFORMED;
	cs_reader_init(&reader, cs_bytes(slot.p, BFT_SIGN_SLOT_SIZE - 32));
	if (cs_get_u32(&reader) != SLOT_MAGIC)
		return CS_ERR_MALFORMED;
	s.sequence = cs_get_u64(&reader);
	uint8_t step = cs_get_u8(&reader);
	s.height = (int64_t)cs_get_u64(&reader);
	s.round = (int32_t)cs_get_u32(&reader);
	s.pol_round = (int32_t)cs_get_u32(&reader);
	CS_TRY(get_block_id(&reader, &s.block_id));
	s.time_ns = (int64_t)cs_get_u64(&reader);
	cs_get_copy(&reader, s.signature, sizeof s.signature);
	uint8_t has_extension = cs_get_u8(&reader);
	s.extension_size = cs_get_u16(&reader);
	if (step > BFT_SIGN_PRECOMMIT || has_extension > 1 ||
	    s.extension_size > BFT_EXTENSION_SIZE_MAX)
		return CS_ERR_MALFORMED;
	s.step = (enum bft_sign_step)step;
	s.has_extension = has_extension == 1;
	cs_get_copy(&reader, s.extension, s.extension_size);
	cs_get_copy(&reader, s.extension_signature, sizeof s.extension_signature);
	s.lock_round = (int32_t)cs_get_u32(&reader);
	CS_TRY(get_block_id(&reader, &s.lock_id));
	if (reader.failed)
		return CS_ERR_TRUNCATED;
	*out = s;
	return CS_OK;
}

static bool is_empty(struct cs_bytes slot)
{
	for (size_t i = 0; i < slot.n; i++) {
		if (slot.p[i] != 0)
			return false;
	}
	return true;
}

enum cs_err bft_sign_state_load(struct bft_sign_state *state, unsigned *slot_next, bool *damaged,
				struct cs_bytes slot0, struct cs_bytes slot1)
{
	struct bft_sign_state s[2];
	bool empty[2] = {is_empty(slot0), is_empty(slot1)};
	bool good[2] = {decode_slot(&s[0], slot0) == CS_OK, decode_slot(&s[1], slot1) == CS_OK};
	if (empty[0] && empty[1])
		return CS_ERR_NOT_FOUND;
	if (!good[0] && !good[1])
		return CS_ERR_MALFORMED;
	unsigned newer = good[0] && (!good[1] || s[0].sequence > s[1].sequence) ? 0 : 1;
	*state = s[newer];
	*slot_next = 1 - newer;
	*damaged = !good[1 - newer] && !empty[1 - newer];
	return CS_OK;
}
