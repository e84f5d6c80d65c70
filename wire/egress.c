#include "wire/egress.h"

#include "core/reader.h"

#define VERSION 1u
#define TYPE_REQUEST 1u
#define TYPE_REPLY 2u

const char *wire_egress_status_text(uint32_t status)
{
	static const char *const texts[] = {
#define WIRE_EGRESS(name, number, text) [number] = (text),
		WIRE_EGRESS_STATUSES(WIRE_EGRESS)
#undef WIRE_EGRESS
	};
	return status < CS_LEN(texts) ? texts[status] : NULL;
}

/* Of names and of address literals; capitals would be a second form of the same name. */
static bool is_host(struct cs_bytes host)
{
	for (size_t i = 0; i < host.n; i++) {
		const uint8_t c = host.p[i];
		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' ||
		      c == '_' || c == ':'))
			return false;
	}
	return host.n > 0 && host.p[0] != '-';
}

static enum cs_err take_head(struct cs_reader *reader, uint8_t type, uint32_t *id)
{
	const uint8_t version = cs_get_u8(reader);
	const uint8_t got = cs_get_u8(reader);
	*id = cs_get_u32(reader);
	if (reader->failed)
		return CS_ERR_TRUNCATED;
	if (version != VERSION)
		return CS_ERR_UNSUPPORTED;
	return got == type && *id != 0 ? CS_OK : CS_ERR_MALFORMED;
}

void wire_egress_request_encode(struct cs_buf *buf, const struct wire_egress_request *request)
{
	cs_assert(request->id != 0 && request->port != 0);
	cs_assert(request->host.n <= WIRE_EGRESS_HOST_SIZE_MAX && is_host(request->host));
	cs_put_u8(buf, VERSION);
	cs_put_u8(buf, TYPE_REQUEST);
	cs_put_u32(buf, request->id);
	cs_put_u16(buf, request->port);
	cs_put_u8(buf, (uint8_t)request->host.n);
	cs_put(buf, request->host);
}

enum cs_err wire_egress_request_decode(struct wire_egress_request *request, struct cs_bytes bytes)
{
	struct cs_reader reader;
	struct wire_egress_request out;
	cs_reader_init(&reader, bytes);
	CS_TRY(take_head(&reader, TYPE_REQUEST, &out.id));
	out.port = cs_get_u16(&reader);
	const uint8_t size = cs_get_u8(&reader);
	out.host = cs_get(&reader, size);
	CS_TRY(cs_reader_end(&reader));
	if (size > WIRE_EGRESS_HOST_SIZE_MAX)
		return CS_ERR_TOO_LARGE;
	if (out.port == 0 || !is_host(out.host))
		return CS_ERR_MALFORMED;
	*request = out;
	return CS_OK;
}

void wire_egress_reply_encode(struct cs_buf *buf, const struct wire_egress_reply *reply)
{
	cs_assert(reply->id != 0);
	cs_put_u8(buf, VERSION);
	cs_put_u8(buf, TYPE_REPLY);
	cs_put_u32(buf, reply->id);
	cs_put_u8(buf, (uint8_t)reply->status);
}

enum cs_err wire_egress_reply_decode(struct wire_egress_reply *reply, struct cs_bytes bytes)
{
	struct cs_reader reader;
	uint32_t id;
	cs_reader_init(&reader, bytes);
	CS_TRY(take_head(&reader, TYPE_REPLY, &id));
	const uint8_t status = cs_get_u8(&reader);
	CS_TRY(cs_reader_end(&reader));
	if (wire_egress_status_text(status) == NULL)
		return CS_ERR_MALFORMED;
	*reply = (struct wire_egress_reply){id, (enum wire_egress_status)status};
	return CS_OK;
}
