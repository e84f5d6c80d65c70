#include "wire/decode.h"

#include "core/utf8.h"
#include "wire/bounds.h"

/* Protobuf's encoding (protobuf.dev): wire types, in the low three bits of a tag. */
#define WIRETYPE_VARINT 0u
#define WIRETYPE_LENGTH 2u
#define VARINT_SIZE_MAX 10u

/* One message on its way through the schema. */
struct walk {
	const ProtobufCMessageDescriptor *type;
	const struct wire_bound *bounds; /* in the order of type->fields */
	struct cs_bytes rest;
	unsigned field; /* index of the field that the last tag named */
	uint32_t count; /* elements of it so far; 0 before the first */
};

const ProtobufCMessageDescriptor *wire_type_message(enum wire_type type)
{
	static const struct {
		enum wire_type type;
		const ProtobufCMessageDescriptor *message;
	} table[] = {
		{WIRE_ERROR, &caisson__wire__error_reply__descriptor},
#define WIRE_TYPE(name, number, request, reply)                 \
	{WIRE_##name, &caisson__wire__##request##__descriptor}, \
		{WIRE_##name##_REPLY, &caisson__wire__##reply##__descriptor},
#include "wire/types.def"
#undef WIRE_TYPE
	};
	for (size_t i = 0; i < CS_LEN(table); i++) {
		if (table[i].type == type)
			return table[i].message;
	}
	return NULL;
}

static const struct wire_message_bounds *bounds_of(const ProtobufCMessageDescriptor *type)
{
	for (size_t i = 0; i < wire_bounds_count; i++) {
		if (wire_bounds[i].descriptor == type)
			return &wire_bounds[i];
	}
	return NULL;
}

static const ProtobufCFieldDescriptor *field_of(const struct walk *walk)
{
	return &walk->type->fields[walk->field];
}

static enum cs_err refuse(const struct walk *walk, enum cs_err err, struct cs_why *why)
{
	return cs_fail(why, err, "%s.%s: %s", walk->type->short_name, field_of(walk)->name,
		       cs_err_sentence(err));
}

/* Least-significant group first, seven bits a byte; the last byte of a longer form is not zero. */
static enum cs_err varint(struct cs_bytes *rest, uint64_t *value)
{
	uint64_t number = 0;
	for (size_t i = 0; i < VARINT_SIZE_MAX; i++) {
		if (i == rest->n)
			return CS_ERR_TRUNCATED;
		uint8_t byte = rest->p[i];
		if (i == VARINT_SIZE_MAX - 1 && byte > 1)
			return CS_ERR_OVERFLOW;
		number |= (uint64_t)(byte & 0x7f) << 7 * i;
		if ((byte & 0x80) != 0)
			continue;
		if (i > 0 && byte == 0)
			return CS_ERR_NON_CANONICAL;
		*rest = cs_bytes(rest->p + i + 1, rest->n - i - 1);
		*value = number;
		return CS_OK;
	}
	return CS_ERR_OVERFLOW;
}

static bool is_enum_value(const ProtobufCEnumDescriptor *type, uint64_t value)
{
	return value <= INT32_MAX && protobuf_c_enum_descriptor_get_value(type, (int)value) != NULL;
}

/* proto3 does not write a zero: a zero that is there has a second encoding. */
static enum cs_err check_number(struct walk *walk, struct cs_why *why)
{
	const ProtobufCFieldDescriptor *field = field_of(walk);
	uint64_t value;
	enum cs_err err = varint(&walk->rest, &value);
	if (err != CS_OK)
		return refuse(walk, err, why);
	if (value == 0)
		return refuse(walk, CS_ERR_NON_CANONICAL, why);
	if (field->type == PROTOBUF_C_TYPE_ENUM)
		return is_enum_value(field->descriptor, value) ? CS_OK
							       : refuse(walk, CS_ERR_INVALID, why);
	if (field->type == PROTOBUF_C_TYPE_BOOL && value > 1)
		return refuse(walk, CS_ERR_NON_CANONICAL, why);
	bool narrow =
		field->type == PROTOBUF_C_TYPE_UINT32 || field->type == PROTOBUF_C_TYPE_SINT32;
	if (narrow && value > UINT32_MAX)
		return refuse(walk, CS_ERR_OVERFLOW, why);
	return CS_OK;
}

static enum cs_err check_text(const struct walk *walk, struct cs_bytes text, struct cs_why *why)
{
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] == 0)
			return refuse(walk, CS_ERR_MALFORMED, why);
	}
	return cs_utf8_is_valid(text) ? CS_OK : refuse(walk, CS_ERR_MALFORMED, why);
}

static enum cs_err check_bytes(const struct walk *walk, struct cs_bytes value, struct cs_why *why)
{
	const struct wire_bound *bound = &walk->bounds[walk->field];
	const ProtobufCFieldDescriptor *field = field_of(walk);
	if (value.n > bound->size_max)
		return refuse(walk,
			      bound->size_min == bound->size_max ? CS_ERR_INVALID
								 : CS_ERR_TOO_LARGE,
			      why);
	if (value.n < bound->size_min)
		return refuse(walk, CS_ERR_INVALID, why);
	if (value.n == 0 && field->label != PROTOBUF_C_LABEL_REPEATED)
		return refuse(walk, CS_ERR_NON_CANONICAL, why);
	return field->type == PROTOBUF_C_TYPE_STRING ? check_text(walk, value, why) : CS_OK;
}

static enum cs_err take_length(struct walk *walk, struct cs_bytes *value, struct cs_why *why)
{
	uint64_t size;
	enum cs_err err = varint(&walk->rest, &size);
	if (err != CS_OK)
		return refuse(walk, err, why);
	if (size > walk->rest.n)
		return refuse(walk, CS_ERR_TRUNCATED, why);
	*value = cs_bytes(walk->rest.p, size);
	walk->rest = cs_bytes(walk->rest.p + size, walk->rest.n - size);
	return CS_OK;
}

/* Fields between the last one that was named and the next may be absent, unless the schema demands
 * them. */
static enum cs_err check_absent(struct walk *walk, unsigned until, struct cs_why *why)
{
	for (; walk->field < until; walk->field++, walk->count = 0) {
		const struct wire_bound *bound = &walk->bounds[walk->field];
		bool needed =
			bound->required ||
			(field_of(walk)->label != PROTOBUF_C_LABEL_REPEATED && bound->size_min > 0);
		if (walk->count == 0 && needed)
			return refuse(walk, CS_ERR_MISSING_FIELD, why);
	}
	return CS_OK;
}

/* Moves to the field that a tag names: fields come in the order of their numbers, singular ones
 * once. */
static enum cs_err move_to(struct walk *walk, uint64_t id, struct cs_why *why)
{
	unsigned at = 0;
	while (at < walk->type->n_fields && walk->type->fields[at].id != id)
		at++;
	if (at == walk->type->n_fields)
		return cs_fail(why, CS_ERR_UNKNOWN_FIELD, "%s: field %llu is not in the schema",
			       walk->type->short_name, (unsigned long long)id);
	if (at < walk->field)
		return refuse(walk, CS_ERR_NON_CANONICAL, why);
	CS_TRY(check_absent(walk, at, why));
	if (walk->count > 0 && field_of(walk)->label != PROTOBUF_C_LABEL_REPEATED)
		return refuse(walk, CS_ERR_DUPLICATE, why);
	if (walk->count == walk->bounds[at].count_max)
		return refuse(walk, CS_ERR_TOO_LARGE, why);
	walk->count++;
	return CS_OK;
}

static enum cs_err check_tag(struct walk *walk, struct cs_why *why)
{
	uint64_t tag;
	enum cs_err err = varint(&walk->rest, &tag);
	if (err != CS_OK)
		return cs_fail(why, err, "%s: tag: %s", walk->type->short_name,
			       cs_err_sentence(err));
	CS_TRY(move_to(walk, tag >> 3, why));
	ProtobufCType type = field_of(walk)->type;
	bool has_length = type == PROTOBUF_C_TYPE_BYTES || type == PROTOBUF_C_TYPE_STRING ||
			  type == PROTOBUF_C_TYPE_MESSAGE;
	if ((tag & 7) != (has_length ? WIRETYPE_LENGTH : WIRETYPE_VARINT))
		return refuse(walk, CS_ERR_MALFORMED, why);
	return CS_OK;
}

/* As deep as the schema nests, which is not recursive. */
static enum cs_err check_message(const ProtobufCMessageDescriptor *type, struct cs_bytes bytes,
				 unsigned depth, struct cs_why *why)
{
	const struct wire_message_bounds *bounds = bounds_of(type);
	cs_assert(bounds != NULL && bounds->field_count == type->n_fields &&
		  depth < WIRE_DEPTH_MAX);
	struct walk walk = {type, bounds->fields, bytes, 0, 0};
	while (walk.rest.n > 0) {
		struct cs_bytes value;
		CS_TRY(check_tag(&walk, why));
		const ProtobufCFieldDescriptor *field = field_of(&walk);
		if (field->type == PROTOBUF_C_TYPE_MESSAGE) {
			CS_TRY(take_length(&walk, &value, why));
			CS_TRY(check_message(field->descriptor, value, depth + 1, why));
		} else if (field->type == PROTOBUF_C_TYPE_BYTES ||
			   field->type == PROTOBUF_C_TYPE_STRING) {
			CS_TRY(take_length(&walk, &value, why));
			CS_TRY(check_bytes(&walk, value, why));
		} else {
			CS_TRY(check_number(&walk, why));
		}
	}
	return check_absent(&walk, type->n_fields, why);
}

enum cs_err wire_check(const ProtobufCMessageDescriptor *type, struct cs_bytes bytes,
		       struct cs_why *why)
{
	if (bytes.n > CS_FRAME_BODY_SIZE_MAX)
		return cs_fail(why, CS_ERR_TOO_LARGE, "%s: %zu bytes", type->short_name, bytes.n);
	return check_message(type, bytes, 0, why);
}

static void *take_memory(void *arena, size_t size)
{
	return cs_arena_alloc(arena, size);
}

static void keep_memory(void *arena, void *p)
{
	(void)arena;
	(void)p;
}

enum cs_err wire_decode(ProtobufCMessage **message, const ProtobufCMessageDescriptor *type,
			struct cs_bytes bytes, struct cs_arena *arena, struct cs_why *why)
{
	ProtobufCAllocator allocator = {take_memory, keep_memory, arena};
	size_t mark = cs_arena_mark(arena);
	CS_TRY(wire_check(type, bytes, why));
	ProtobufCMessage *made = protobuf_c_message_unpack(type, &allocator, bytes.n, bytes.p);
	if (made == NULL) {
		/* The bytes were checked: only memory can be missing. */
		cs_arena_rewind(arena, mark);
		return cs_fail(why, CS_ERR_NO_MEMORY, "%s: %zu bytes", type->short_name, bytes.n);
	}
	*message = made;
	return CS_OK;
}

enum cs_err wire_encode(struct cs_buf *buf, const ProtobufCMessage *message, struct cs_why *why)
{
	size_t size = protobuf_c_message_get_packed_size(message), begin = buf->n;
	if (buf->failed || size > buf->size_max - buf->n) {
		buf->failed = true;
		return cs_fail(why, CS_ERR_TOO_LARGE, "%s: %zu bytes",
			       message->descriptor->short_name, size);
	}
	size_t written = protobuf_c_message_pack(message, buf->p + begin);
	cs_assert(written == size);
	CS_TRY(wire_check(message->descriptor, cs_bytes(buf->p + begin, size), why));
	buf->n += size;
	return CS_OK;
}
