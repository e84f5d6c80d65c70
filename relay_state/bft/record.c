#include "relay_state/bft/record.h"

#include "core/reader.h"

#include <string.h>

static void put_bytes(struct cs_buf *buf, struct cs_bytes bytes)
{
	cs_put_u32(buf, (uint32_t)bytes.n);
	cs_put(buf, bytes);
}

static struct cs_bytes get_bytes(struct cs_reader *reader)
{
	return cs_get(reader, cs_get_u32(reader));
}

/* One list for both directions would hide which field belongs to which event; they are few. */
void bft_record_encode(struct cs_buf *buf, const struct bft_event *event, int64_t height)
{
	cs_put_u8(buf, (uint8_t)event->type);
	cs_put_u64(buf, (uint64_t)height);
	cs_put_u64(buf, (uint64_t)event->now_ns);
	cs_put_u32(buf, (uint32_t)event->round);
	switch (event->type) {
	case BFT_EVENT_TIMEOUT:
		cs_put_u8(buf, (uint8_t)event->timer);
		return;
	case BFT_EVENT_MESSAGE:
		cs_put_u32(buf, event->peer);
		put_bytes(buf, event->bytes);
		return;
	case BFT_EVENT_PREPARED:
	case BFT_EVENT_START:
		put_bytes(buf, event->bytes);
		return;
	case BFT_EVENT_PROCESSED:
		cs_put(buf, CS_BYTES_OF(event->hash.b));
		cs_put_u8(buf, event->accepted ? 1 : 0);
		return;
	case BFT_EVENT_EXTENDED:
		cs_put(buf, CS_BYTES_OF(event->hash.b));
		put_bytes(buf, event->bytes);
		return;
	case BFT_EVENT_EXTENSION_VERIFIED:
		cs_put(buf, CS_BYTES_OF(event->hash.b));
		cs_put_u32(buf, event->index);
		cs_put_u8(buf, event->accepted ? 1 : 0);
		return;
	case BFT_EVENT_SIGNED:
		cs_put_u8(buf, (uint8_t)event->step);
		cs_put_u64(buf, (uint64_t)event->time_ns);
		cs_put(buf, CS_BYTES_OF(event->signature));
		cs_put(buf, CS_BYTES_OF(event->extension_signature));
		put_bytes(buf, event->extension);
		return;
	case BFT_EVENT_SIGN_REFUSED:
		cs_put_u8(buf, (uint8_t)event->step);
		return;
	case BFT_EVENT_TXS_AVAILABLE:
		return;
	case BFT_EVENT_PEER_UP:
	case BFT_EVENT_PEER_DOWN:
	case BFT_EVENT_FINALIZED:
	case BFT_EVENT_COMMITTED:
	case BFT_EVENT_BLOCK_LOADED:
	case BFT_EVENT_CONTINUE:
	case BFT_EVENT_EVIDENCE:
	case BFT_EVENT_END:
		break;
	}
	cs_assert(!"an event that is never logged");
}

static bool get_bool(struct cs_reader *reader)
{
	uint8_t value = cs_get_u8(reader);
	reader->failed = reader->failed || value > 1;
	return value == 1;
}

static enum bft_sign_step get_step(struct cs_reader *reader)
{
	uint8_t value = cs_get_u8(reader);
	reader->failed = reader->failed || value < BFT_SIGN_PROPOSAL || value > BFT_SIGN_PRECOMMIT;
	return (enum bft_sign_step)value;
}

static enum cs_err decode_body(struct bft_event *e, struct cs_reader *reader)
{
	switch (e->type) {
	case BFT_EVENT_TIMEOUT:
		e->timer = (enum bft_timer)cs_get_u8(reader);
		return e->timer < BFT_TIMER_COMMIT || e->timer >= BFT_TIMER_STATUS
			       ? CS_ERR_MALFORMED
			       : CS_OK;
	case BFT_EVENT_MESSAGE:
		e->peer = cs_get_u32(reader);
		e->bytes = get_bytes(reader);
		return CS_OK;
	case BFT_EVENT_PREPARED:
	case BFT_EVENT_START:
		e->bytes = get_bytes(reader);
		return CS_OK;
	case BFT_EVENT_PROCESSED:
		cs_get_copy(reader, e->hash.b, sizeof e->hash.b);
		e->accepted = get_bool(reader);
		return CS_OK;
	case BFT_EVENT_EXTENDED:
		cs_get_copy(reader, e->hash.b, sizeof e->hash.b);
		e->bytes = get_bytes(reader);
		return CS_OK;
	case BFT_EVENT_EXTENSION_VERIFIED:
		cs_get_copy(reader, e->hash.b, sizeof e->hash.b);
		e->index = cs_get_u32(reader);
		e->accepted = get_bool(reader);
		return CS_OK;
	case BFT_EVENT_SIGNED:
		e->step = get_step(reader);
		e->time_ns = (int64_t)cs_get_u64(reader);
		cs_get_copy(reader, e->signature, sizeof e->signature);
		cs_get_copy(reader, e->extension_signature, sizeof e->extension_signature);
		e->extension = get_bytes(reader);
		return CS_OK;
	case BFT_EVENT_SIGN_REFUSED:
		e->step = get_step(reader);
		return CS_OK;
	case BFT_EVENT_TXS_AVAILABLE:
		return CS_OK;
	case BFT_EVENT_PEER_UP:
	case BFT_EVENT_PEER_DOWN:
	case BFT_EVENT_FINALIZED:
	case BFT_EVENT_COMMITTED:
	case BFT_EVENT_BLOCK_LOADED:
	case BFT_EVENT_CONTINUE:
	case BFT_EVENT_EVIDENCE:
	case BFT_EVENT_END:
		break;
	}
	return CS_ERR_MALFORMED;
}

enum cs_err bft_record_decode(struct bft_event *event, int64_t *height, struct cs_bytes record)
{
	struct bft_event e;
	struct cs_reader reader;
	memset(&e, 0, sizeof e);
	cs_reader_init(&reader, record);
	e.type = (enum bft_event_type)cs_get_u8(&reader);
	e.height = (int64_t)cs_get_u64(&reader);
	e.now_ns = (int64_t)cs_get_u64(&reader);
	e.round = (int32_t)cs_get_u32(&reader);
	CS_TRY(decode_body(&e, &reader));
	CS_TRY(cs_reader_end(&reader));
	*event = e;
	*height = e.height;
	return CS_OK;
}
