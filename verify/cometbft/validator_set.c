#include "verify/cometbft/validator_set.h"

#include "verify/cometbft/merkle.h"
#include "verify/cometbft/validator_state.h"

#include <string.h>

/* ---- making ---- */

enum cs_err cmt_validator_set_init(struct cmt_validator_set *set, struct cs_arena *arena,
				   size_t count_max)
{
	struct cmt_validator_set made = {.count_max = count_max};
	if (count_max > CMT_VALIDATORS_MAX)
		return CS_ERR_TOO_LARGE;
	made.list = cs_arena_calloc(arena, count_max, sizeof *made.list);
	made.by_address = cs_arena_calloc(arena, count_max, sizeof *made.by_address);
	if (made.list == NULL || made.by_address == NULL)
		return CS_ERR_NO_MEMORY;
	*set = made;
	return CS_OK;
}

enum cs_err cmt_validator_set_copy(struct cmt_validator_set *set,
				   const struct cmt_validator_set *from)
{
	if (from->count > set->count_max)
		return CS_ERR_TOO_LARGE;
	for (size_t i = 0; i < from->count; i++) {
		set->list[i] = from->list[i];
		set->by_address[i] = from->by_address[i];
	}
	set->count = from->count;
	set->power = from->power;
	set->proposer = from->proposer;
	set->has_proposer = from->has_proposer;
	return CS_OK;
}

struct cmt_validator cmt_validator_of(const struct cs_ed25519_key *key, int64_t power)
{
	return (struct cmt_validator){.address = cmt_address(key), .key = *key, .power = power};
}

static bool address_before(const void *context, uint16_t a, uint16_t b)
{
	const struct cmt_validator *list = context;
	return memcmp(list[a].address.b, list[b].address.b, sizeof list[a].address.b) < 0;
}

enum cs_err cmt_validator_index(struct cmt_validator_set *set)
{
	for (size_t i = 0; i < set->count; i++)
		set->by_address[i] = (uint16_t)i;
	cmt_order(set->by_address, set->count, address_before, set->list);
	for (size_t i = 1; i < set->count; i++)
		if (!address_before(set->list, set->by_address[i - 1], set->by_address[i]))
			return CS_ERR_DUPLICATE;
	return CS_OK;
}

size_t cmt_validator_set_find(const struct cmt_validator_set *set, const struct cs_address *address)
{
	size_t low = 0, high = set->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		size_t index = set->by_address[middle];
		int order = memcmp(set->list[index].address.b, address->b, sizeof address->b);
		if (order == 0)
			return index;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return SIZE_MAX;
}

static enum cs_err check_one(const struct cmt_validator *v)
{
	struct cs_address address = cmt_address(&v->key);
	return v->power < 1 || !cs_address_eq(&address, &v->address) ? CS_ERR_INVALID : CS_OK;
}

static enum cs_err check_all(struct cmt_validator_set *set, const struct cmt_validator *proposer,
			     struct cs_why *why)
{
	if (set->count == 0)
		return cs_fail(why, CS_ERR_MISSING_FIELD, "a validator set without validators");
	for (size_t i = 0; i < set->count; i++) {
		if (check_one(&set->list[i]) != CS_OK)
			return cs_fail(why, CS_ERR_INVALID, "validator %zu", i);
		if (set->list[i].power > CMT_POWER_MAX - set->power)
			return cs_fail(why, CS_ERR_OVERFLOW, "the total voting power");
		set->power += set->list[i].power;
	}
	if (cmt_validator_index(set) != CS_OK)
		return cs_fail(why, CS_ERR_DUPLICATE, "a validator is there twice");
	if (proposer == NULL)
		return CS_OK;
	size_t at = cmt_validator_set_find(set, &proposer->address);
	if (at == SIZE_MAX || memcmp(&set->list[at].key, &proposer->key, sizeof proposer->key) != 0)
		return cs_fail(why, CS_ERR_INVALID, "the proposer is no validator");
	set->proposer = *proposer;
	set->has_proposer = true;
	return CS_OK;
}

enum cs_err cmt_validator_set_fill(struct cmt_validator_set *set, const struct cmt_validator *list,
				   size_t count, const struct cmt_validator *proposer,
				   struct cs_why *why)
{
	set->count = 0;
	set->power = 0;
	set->has_proposer = false;
	if (count > set->count_max)
		return cs_fail(why, CS_ERR_TOO_LARGE, "%zu validators", count);
	if (count > 0)
		memmove(set->list, list, count * sizeof *list);
	set->count = count;
	enum cs_err err = check_all(set, proposer, why);
	if (err != CS_OK) {
		set->count = 0;
		set->power = 0;
	}
	return err;
}

enum cs_err cmt_validator_set_make(struct cmt_validator_set *set, const struct cmt_validator *list,
				   size_t count, struct cs_arena *arena, struct cs_why *why)
{
	set->count = 0;
	set->power = 0;
	set->has_proposer = false;
	for (size_t i = 0; i < count; i++)
		if (list[i].power < 1)
			return cs_fail(why, CS_ERR_INVALID, "an initial validator without power");
	CS_TRY(cmt_validator_set_update(set, list, count, arena, why));
	if (set->count > 0)
		cmt_validator_set_increment(set, 1);
	return CS_OK;
}

bool cmt_validator_before(const struct cmt_validator *a, const struct cmt_validator *b)
{
	if (a->power != b->power)
		return a->power > b->power;
	return memcmp(a->address.b, b->address.b, sizeof a->address.b) < 0;
}

/* ---- encoding ---- */

static void put_key(struct cs_buf *buf, uint32_t field, const struct cs_ed25519_key *key)
{
	size_t begin = cs_pb_begin(buf, field);
	cs_pb_put_bytes(buf, 1, CS_BYTES_OF(key->b));
	cs_pb_end(buf, begin);
}

struct cs_hash cmt_validator_set_hash(const struct cmt_validator_set *set)
{
	struct cmt_merkle merkle;
	cmt_merkle_init(&merkle);
	for (size_t i = 0; i < set->count; i++) {
		uint8_t memory[CMT_VALIDATOR_SIZE_MAX];
		struct cs_buf buf;
		cs_buf_init(&buf, memory, sizeof memory);
		put_key(&buf, 1, &set->list[i].key);
		cs_pb_put_int(&buf, 2, set->list[i].power);
		cmt_merkle_add(&merkle, cs_buf_view(&buf));
	}
	return cmt_merkle_root(&merkle);
}

void cmt_validator_encode(struct cs_buf *buf, const struct cmt_validator *validator)
{
	cs_pb_put_bytes(buf, 1, CS_BYTES_OF(validator->address.b));
	put_key(buf, 2, &validator->key);
	cs_pb_put_int(buf, 3, validator->power);
	cs_pb_put_int(buf, 4, validator->priority);
}

/* tendermint.crypto.PublicKey, a oneof: 1 is Ed25519. */
static void get_key(struct cs_pb *pb, uint32_t field, struct cs_ed25519_key *key)
{
	struct cs_pb inner;
	cs_pb_enter_required(pb, field, &inner);
	if (pb->err == CS_OK && inner.rest.n > 0 && !cs_pb_is_next(&inner, 1))
		cs_pb_fail(&inner, CS_ERR_UNSUPPORTED);
	struct cs_bytes bytes = cs_pb_bytes(&inner, 1, sizeof key->b);
	if (bytes.n == sizeof key->b)
		memcpy(key->b, bytes.p, bytes.n);
	else
		cs_pb_fail(&inner, CS_ERR_INVALID);
	cs_pb_leave(pb, &inner);
}

enum cs_err cmt_validator_decode(struct cmt_validator *validator, struct cs_bytes bytes)
{
	struct cmt_validator v = {0};
	struct cs_pb pb;
	cs_pb_open(&pb, bytes);
	(void)cmt_get_address(&pb, 1, &v.address, false);
	get_key(&pb, 2, &v.key);
	v.power = cs_pb_int64(&pb, 3);
	v.priority = cs_pb_int64(&pb, 4);
	CS_TRY(cs_pb_close(&pb));
	*validator = v;
	return CS_OK;
}

void cmt_validator_set_encode(struct cs_buf *buf, const struct cmt_validator_set *set)
{
	cs_assert(set->has_proposer);
	for (size_t i = 0; i <= set->count; i++) {
		bool last = i == set->count;
		size_t begin = cs_pb_begin(buf, last ? 2 : 1);
		cmt_validator_encode(buf, last ? &set->proposer : &set->list[i]);
		cs_pb_end(buf, begin);
	}
}

/* One that was sent apart: it must be what check_one demands, and cannot come from the list, whose
 * priorities have moved on. */
static enum cs_err decode_proposer(struct cmt_validator *proposer, struct cs_bytes bytes)
{
	CS_TRY(cmt_validator_decode(proposer, bytes));
	return check_one(proposer);
}

enum cs_err cmt_validator_set_decode(struct cmt_validator_set *set, struct cs_bytes bytes,
				     struct cs_arena *arena, struct cs_why *why)
{
	struct cmt_validator_set made;
	struct cmt_validator proposer;
	struct cs_bytes one = CS_BYTES_NONE;
	struct cs_pb pb;
	size_t i = 0;
	cs_pb_open(&pb, bytes);
	size_t count = cs_pb_count(&pb, 1, CMT_VALIDATORS_MAX);
	CS_TRY(cmt_validator_set_init(&made, arena, count));
	while (cs_pb_element(&pb, 1, &one, SIZE_MAX)) {
		enum cs_err err = cmt_validator_decode(&made.list[i++], one);
		if (err != CS_OK)
			return cs_fail(why, err, "validator %zu", i - 1);
	}
	if (!cs_pb_element(&pb, 2, &one, SIZE_MAX))
		cs_pb_fail(&pb, CS_ERR_MISSING_FIELD);
	enum cs_err err = cs_pb_close(&pb);
	if (err == CS_OK)
		err = decode_proposer(&proposer, one);
	if (err != CS_OK)
		return cs_fail(why, err, "the validator set's form");
	CS_TRY(cmt_validator_set_fill(&made, made.list, count, &proposer, why));
	*set = made;
	return CS_OK;
}
