#include "wire/value.h"

#include "core/abi.h"
#include "core/json.h"
#include "core/utf8.h"

#define WORD 32u

static const char *const names[] = {[WIRE_TYPE_UINT256] = "uint256",
				    [WIRE_TYPE_INT256] = "int256",
				    [WIRE_TYPE_BOOL] = "bool",
				    [WIRE_TYPE_STRING] = "string",
				    [WIRE_TYPE_BYTES] = "bytes"};

enum cs_err wire_value_type_parse(struct wire_value_type *out, struct cs_bytes text)
{
	bool array = text.n > 2 && text.p[text.n - 2] == '[' && text.p[text.n - 1] == ']';
	struct cs_bytes name = cs_bytes(text.p, text.n - (array ? 2 : 0));
	for (size_t i = 0; i < CS_LEN(names); i++) {
		if (!cs_bytes_eq(name, cs_bytes_str(names[i])))
			continue;
		*out = (struct wire_value_type){(enum wire_type_kind)i, array, 0};
		return CS_OK;
	}
	return CS_ERR_INVALID;
}

static bool is_dynamic(const struct wire_value_type *type)
{
	return type->kind == WIRE_TYPE_STRING || type->kind == WIRE_TYPE_BYTES;
}

/* ---- encoding ---- */

static enum cs_err word_of(struct cs_hash *word, enum wire_type_kind kind,
			   const struct wire_scalar *item)
{
	*word = (struct cs_hash){{0}};
	switch (kind) {
	case WIRE_TYPE_UINT256:
		if (item->number.negative)
			return CS_ERR_OVERFLOW;
		*word = cs_u256_word(&item->number.magnitude);
		return CS_OK;
	case WIRE_TYPE_INT256:
		return cs_int256_word(word, &item->number);
	case WIRE_TYPE_BOOL:
		word->b[WORD - 1] = item->boolean;
		return CS_OK;
	case WIRE_TYPE_STRING:
	case WIRE_TYPE_BYTES:
		break;
	}
	cs_bug("not a word", __FILE__, __LINE__);
}

static enum cs_err encode_items(struct cs_abi *abi, const struct wire_value_type *type,
				const struct wire_value *value)
{
	size_t slots[WIRE_VALUE_COUNT_MAX];
	struct cs_hash word;
	for (size_t i = 0; i < value->count; i++) {
		if (is_dynamic(type)) {
			slots[i] = cs_abi_slot(abi);
			continue;
		}
		CS_TRY(word_of(&word, type->kind, &value->items[i]));
		cs_abi_put_word(abi, &word);
	}
	for (size_t i = 0; is_dynamic(type) && i < value->count; i++)
		cs_abi_put_bytes(abi, slots[i], value->items[i].bytes);
	return CS_OK;
}

enum cs_err wire_value_encode(struct cs_buf *buf, const struct wire_value_type *type,
			      const struct wire_value *value)
{
	struct cs_abi abi;
	size_t begin = buf->n;
	if (value->count < 1 || value->count > (type->array ? WIRE_VALUE_COUNT_MAX : 1))
		return CS_ERR_INVALID;
	/* Before anything is written: no sum below can pass the size of memory. */
	for (size_t i = 0; is_dynamic(type) && i < value->count; i++) {
		if (value->items[i].bytes.n > WIRE_VALUE_SIZE_MAX)
			return CS_ERR_TOO_LARGE;
	}
	cs_abi_init(&abi, buf);
	if (type->array)
		cs_abi_enter_array(&abi, cs_abi_slot(&abi), value->count);
	CS_TRY(encode_items(&abi, type, value));
	CS_TRY(cs_buf_end(buf));
	return buf->n - begin <= WIRE_VALUE_SIZE_MAX ? CS_OK : CS_ERR_TOO_LARGE;
}

/* ---- decoding ---- */

static enum cs_err decode_item(struct wire_scalar *item, enum wire_type_kind kind,
			       struct cs_abi_reader *reader)
{
	struct cs_hash word;
	*item = (struct wire_scalar){0};
	switch (kind) {
	case WIRE_TYPE_UINT256:
		CS_TRY(cs_abi_get_word(reader, &word));
		item->number.magnitude = cs_u256_from_word(&word);
		return CS_OK;
	case WIRE_TYPE_INT256:
		CS_TRY(cs_abi_get_word(reader, &word));
		item->number = cs_int256_from_word(&word);
		return CS_OK;
	case WIRE_TYPE_BOOL:
		return cs_abi_get_bool(reader, &item->boolean);
	case WIRE_TYPE_BYTES:
		return cs_abi_get_bytes(reader, WIRE_VALUE_SIZE_MAX, &item->bytes);
	case WIRE_TYPE_STRING:
		CS_TRY(cs_abi_get_bytes(reader, WIRE_VALUE_SIZE_MAX, &item->bytes));
		return cs_utf8_is_valid(item->bytes) ? CS_OK : CS_ERR_MALFORMED;
	}
	cs_bug("not a type", __FILE__, __LINE__);
}

/* The tail of an array begins behind the one word that points to it. */
static enum cs_err enter_array(struct cs_abi_reader *reader, uint64_t *count, struct cs_bytes abi)
{
	struct cs_abi_reader outer;
	uint64_t offset;
	CS_TRY(cs_abi_read(&outer, abi, 2));
	CS_TRY(cs_abi_get_u64(&outer, &offset));
	CS_TRY(cs_abi_get_u64(&outer, count));
	if (offset != WORD)
		return CS_ERR_NON_CANONICAL;
	if (*count < 1 || *count > WIRE_VALUE_COUNT_MAX)
		return CS_ERR_INVALID;
	return cs_abi_read(reader, cs_bytes(abi.p + 2 * WORD, abi.n - 2 * WORD), *count);
}

enum cs_err wire_value_decode(struct wire_value *out, const struct wire_value_type *type,
			      struct cs_bytes abi, struct cs_arena *arena)
{
	struct cs_abi_reader reader;
	uint64_t count = 1;
	if (abi.n > WIRE_VALUE_SIZE_MAX)
		return CS_ERR_TOO_LARGE;
	if (type->array)
		CS_TRY(enter_array(&reader, &count, abi));
	else
		CS_TRY(cs_abi_read(&reader, abi, 1));
	struct wire_scalar *items = cs_arena_calloc(arena, count, sizeof *items);
	if (items == NULL)
		return CS_ERR_NO_MEMORY;
	for (size_t i = 0; i < count; i++)
		CS_TRY(decode_item(&items[i], type->kind, &reader));
	CS_TRY(cs_abi_end(&reader));
	*out = (struct wire_value){count, items};
	return CS_OK;
}

/* ---- text ---- */

static void put_hex(struct cs_buf *buf, struct cs_bytes bytes)
{
	static const char digits[] = "0123456789abcdef";
	cs_put(buf, cs_bytes_str("\"0x"));
	for (size_t i = 0; i < bytes.n; i++) {
		cs_put_u8(buf, (uint8_t)digits[bytes.p[i] >> 4]);
		cs_put_u8(buf, (uint8_t)digits[bytes.p[i] & 15]);
	}
	cs_put_u8(buf, '"');
}

static void put_item(struct cs_buf *buf, const struct wire_value_type *type,
		     const struct wire_scalar *item)
{
	char text[CS_DECIMAL_TEXT_SIZE];
	switch (type->kind) {
	case WIRE_TYPE_UINT256:
	case WIRE_TYPE_INT256:
		cs_decimal_text(text, &item->number, type->decimals);
		cs_put_text(buf, "\"%s\"", text);
		return;
	case WIRE_TYPE_BOOL:
		cs_put(buf, cs_bytes_str(item->boolean ? "true" : "false"));
		return;
	case WIRE_TYPE_STRING:
		cs_json_write_string(buf, item->bytes);
		return;
	case WIRE_TYPE_BYTES:
		put_hex(buf, item->bytes);
		return;
	}
}

enum cs_err wire_value_json(struct cs_buf *buf, const struct wire_value_type *type,
			    const struct wire_value *value)
{
	if (type->array)
		cs_put_u8(buf, '[');
	for (size_t i = 0; i < value->count; i++) {
		if (i > 0)
			cs_put_u8(buf, ',');
		put_item(buf, type, &value->items[i]);
	}
	if (type->array)
		cs_put_u8(buf, ']');
	return cs_buf_end(buf);
}
