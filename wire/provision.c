#include "wire/provision.h"

#include "core/hash.h"
#include "core/reader.h"

#define IS_INTERPRETER 1u
#define HAS_CONTAINER 2u

enum cs_err wire_provision_ask_put(struct cs_buf *out, const struct wire_provision_ask *ask)
{
	if (ask->name.n > WIRE_PROVISION_NAME_SIZE_MAX)
		return CS_ERR_TOO_LARGE;
	cs_put_u8(out, (uint8_t)ask->name.n);
	cs_put(out, ask->name);
	cs_put_u64(out, ask->epoch);
	cs_put_u32(out, ask->user);
	cs_put_u8(out, (uint8_t)((ask->is_interpreter ? IS_INTERPRETER : 0u) |
				 (ask->has_container ? HAS_CONTAINER : 0u)));
	cs_put(out, CS_BYTES_OF(ask->executable.b));
	cs_put(out, CS_BYTES_OF(ask->container.b));
	cs_put(out, CS_BYTES_OF(ask->box.b));
	return cs_buf_end(out);
}

enum cs_err wire_provision_ask_take(struct wire_provision_ask *ask, struct cs_bytes bytes)
{
	struct cs_reader in;
	cs_reader_init(&in, bytes);
	const uint8_t name = cs_get_u8(&in);
	if (name > WIRE_PROVISION_NAME_SIZE_MAX)
		return CS_ERR_TOO_LARGE;
	struct wire_provision_ask taken = {.name = cs_get(&in, name)};
	taken.epoch = cs_get_u64(&in);
	taken.user = cs_get_u32(&in);
	const uint8_t flags = cs_get_u8(&in);
	taken.is_interpreter = (flags & IS_INTERPRETER) != 0;
	taken.has_container = (flags & HAS_CONTAINER) != 0;
	cs_get_copy(&in, taken.executable.b, sizeof taken.executable.b);
	cs_get_copy(&in, taken.container.b, sizeof taken.container.b);
	cs_get_copy(&in, taken.box.b, sizeof taken.box.b);
	CS_TRY(cs_reader_end(&in));
	if (flags > (IS_INTERPRETER | HAS_CONTAINER) ||
	    (!taken.has_container && !cs_hash_is_zero(&taken.container)))
		return CS_ERR_NON_CANONICAL;
	*ask = taken;
	return CS_OK;
}

struct cs_bytes wire_provision_info(void)
{
	return cs_bytes_str("caisson/cluster/provision/v1");
}

struct cs_hash wire_provision_aad(struct cs_bytes question)
{
	return cs_sha256(question);
}
