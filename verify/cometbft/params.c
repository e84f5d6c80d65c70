#include "verify/cometbft/params.h"

#include "core/hash.h"

#define NS_PER_HOUR (3600ll * 1000 * 1000 * 1000)

static const char *const key_names[] = {[CMT_KEY_ED25519] = "ed25519",
					[CMT_KEY_SECP256K1] = "secp256k1",
					[CMT_KEY_MLDSA65] = "mldsa65"};
/* Of the names above. */
#define KEY_NAME_SIZE_MAX 9u

struct cmt_params cmt_params_default(void)
{
	return (struct cmt_params){.block_size_max = 22020096,
				   .block_gas_max = -1,
				   .evidence_age_blocks = 100000,
				   .evidence_age_ns = 48 * NS_PER_HOUR,
				   .evidence_size_max = 1048576,
				   .key_types = {CMT_KEY_ED25519},
				   .key_type_count = 1};
}

static enum cs_err check_key_types(const struct cmt_params *params, struct cs_why *why)
{
	unsigned seen = 0;
	if (params->key_type_count == 0 || params->key_type_count > CMT_KEY_TYPES_MAX)
		return cs_fail(why, CS_ERR_INVALID, "%zu kinds of keys", params->key_type_count);
	for (size_t i = 0; i < params->key_type_count; i++) {
		if (seen >> params->key_types[i] & 1)
			return cs_fail(why, CS_ERR_DUPLICATE, "a kind of key is there twice");
		seen |= 1u << params->key_types[i];
	}
	return CS_OK;
}

enum cs_err cmt_params_check(const struct cmt_params *params, struct cs_why *why)
{
	int64_t size =
		params->block_size_max == -1 ? (int64_t)CMT_BLOCK_SIZE_MAX : params->block_size_max;
	if (size < 1 || size > (int64_t)CMT_BLOCK_SIZE_MAX || params->block_gas_max < -1)
		return cs_fail(why, CS_ERR_INVALID, "the size or the gas of blocks");
	if (params->evidence_age_blocks < 1 || params->evidence_age_ns < 1)
		return cs_fail(why, CS_ERR_INVALID, "the age of evidence");
	if (params->evidence_size_max < 0 || params->evidence_size_max > size)
		return cs_fail(why, CS_ERR_INVALID, "the size of evidence");
	if (params->extensions_from < 0)
		return cs_fail(why, CS_ERR_INVALID, "the first height with extensions");
	return check_key_types(params, why);
}

struct cs_hash cmt_params_hash(const struct cmt_params *params)
{
	uint8_t memory[2 * (1 + CS_PB_VARINT_SIZE_MAX)];
	struct cs_buf buf;
	cs_buf_init(&buf, memory, sizeof memory);
	cs_pb_put_int(&buf, 1, params->block_size_max);
	cs_pb_put_int(&buf, 2, params->block_gas_max);
	return cs_sha256(cs_buf_view(&buf));
}

void cmt_params_encode(struct cs_buf *buf, const struct cmt_params *params)
{
	size_t begin = cs_pb_begin(buf, 1);
	cs_pb_put_int(buf, 1, params->block_size_max);
	cs_pb_put_int(buf, 2, params->block_gas_max);
	cs_pb_end(buf, begin);
	begin = cs_pb_begin(buf, 2);
	cs_pb_put_int(buf, 1, params->evidence_age_blocks);
	cs_pb_put_duration(buf, 2, params->evidence_age_ns);
	cs_pb_put_int(buf, 3, params->evidence_size_max);
	cs_pb_end(buf, begin);
	begin = cs_pb_begin(buf, 3);
	for (size_t i = 0; i < params->key_type_count; i++)
		cs_pb_put_element(buf, 1, cs_bytes_str(key_names[params->key_types[i]]));
	cs_pb_end(buf, begin);
	begin = cs_pb_begin(buf, 4);
	cs_pb_put_uint(buf, 1, params->app_version);
	cs_pb_end(buf, begin);
	begin = cs_pb_begin(buf, 5);
	cs_pb_put_int(buf, 1, params->extensions_from);
	cs_pb_end(buf, begin);
}

static void read_key_types(struct cs_pb *pb, struct cmt_params *params)
{
	struct cs_bytes name;
	while (cs_pb_element(pb, 1, &name, KEY_NAME_SIZE_MAX)) {
		size_t type = CMT_KEY_ED25519;
		while (type < CS_LEN(key_names) &&
		       !cs_bytes_eq(name, cs_bytes_str(key_names[type])))
			type++;
		if (type == CS_LEN(key_names))
			cs_pb_fail(pb, CS_ERR_UNSUPPORTED);
		else if (params->key_type_count == CMT_KEY_TYPES_MAX)
			cs_pb_fail(pb, CS_ERR_TOO_LARGE);
		else
			params->key_types[params->key_type_count++] = (enum cmt_key_type)type;
	}
}

/* Whether the part is there; when all must be, whether or not. */
static bool enter_part(struct cs_pb *pb, uint32_t field, struct cs_pb *part, bool all)
{
	if (!all)
		return cs_pb_enter(pb, field, part);
	cs_pb_enter_required(pb, field, part);
	return true;
}

/* Parts that are not there stay as they are in p. */
static enum cs_err read_params(struct cmt_params *p, struct cs_bytes bytes, bool all)
{
	struct cs_pb pb, part;
	cs_pb_open(&pb, bytes);
	if (enter_part(&pb, 1, &part, all)) {
		p->block_size_max = cs_pb_int64(&part, 1);
		p->block_gas_max = cs_pb_int64(&part, 2);
		cs_pb_leave(&pb, &part);
	}
	if (enter_part(&pb, 2, &part, all)) {
		p->evidence_age_blocks = cs_pb_int64(&part, 1);
		p->evidence_age_ns = cs_pb_duration(&part, 2);
		p->evidence_size_max = cs_pb_int64(&part, 3);
		cs_pb_leave(&pb, &part);
	}
	if (enter_part(&pb, 3, &part, all)) {
		p->key_type_count = 0;
		read_key_types(&part, p);
		cs_pb_leave(&pb, &part);
	}
	if (enter_part(&pb, 4, &part, all)) {
		p->app_version = cs_pb_uint(&part, 1, UINT64_MAX);
		cs_pb_leave(&pb, &part);
	}
	if (enter_part(&pb, 5, &part, all)) {
		p->extensions_from = cs_pb_int64(&part, 1);
		cs_pb_leave(&pb, &part);
	}
	return cs_pb_close(&pb);
}

enum cs_err cmt_params_decode(struct cmt_params *params, struct cs_bytes bytes, struct cs_why *why)
{
	struct cmt_params p = {0};
	enum cs_err err = read_params(&p, bytes, true);
	if (err != CS_OK)
		return cs_fail(why, err, "the form of the consensus parameters");
	CS_TRY(cmt_params_check(&p, why));
	*params = p;
	return CS_OK;
}

/* types/params.go ValidateUpdate: vote extensions begin at a height to come, and never end. */
static enum cs_err check_extensions(int64_t before, int64_t after, int64_t height,
				    struct cs_why *why)
{
	if (after == before)
		return CS_OK;
	if (before != 0 && before <= height)
		return cs_fail(why, CS_ERR_CONFLICT, "vote extensions are in force since %lld",
			       (long long)before);
	if (after != 0 && after <= height)
		return cs_fail(why, CS_ERR_INVALID, "vote extensions from a height that is past");
	return CS_OK;
}

enum cs_err cmt_params_update(struct cmt_params *params, struct cs_bytes update, int64_t height,
			      struct cs_why *why)
{
	struct cmt_params p = *params;
	enum cs_err err = read_params(&p, update, false);
	if (err != CS_OK)
		return cs_fail(why, err, "the form of an update of consensus parameters");
	CS_TRY(cmt_params_check(&p, why));
	CS_TRY(check_extensions(params->extensions_from, p.extensions_from, height, why));
	*params = p;
	return CS_OK;
}

bool cmt_params_extensions_at(const struct cmt_params *params, int64_t height)
{
	cs_assert(height >= 1);
	return params->extensions_from != 0 && params->extensions_from <= height;
}
