#include "relay_state/abci/codec.h"

#include "relay_state/abci/schema.h"

#include <string.h>

_Static_assert(ABCI_FRAME_SIZE_MAX < 1u << 28, "a length of ABCI_FRAME_HEAD_SIZE_MAX bytes");

static const void *member(const void *message, const struct abci_field *field)
{
	return (const uint8_t *)message + field->offset;
}

static uint32_t u32_at(const void *p)
{
	uint32_t value;
	memcpy(&value, p, sizeof value);
	return value;
}

static uint64_t u64_at(const void *p)
{
	uint64_t value;
	memcpy(&value, p, sizeof value);
	return value;
}

static struct abci_any_list list_at(const void *p)
{
	struct abci_any_list list;
	memcpy(&list, p, sizeof list);
	return list;
}

static const void *pointer_at(const void *p)
{
	const void *pointer;
	memcpy(&pointer, p, sizeof pointer);
	return pointer;
}

/* ---- sizes: what is not valid is found here, before anything is written ---- */

static enum cs_err message_size(const struct abci_schema *schema, const void *message,
				size_t *size);

static size_t delimited_size(uint32_t number, size_t size)
{
	return cs_pb_varint_size((uint64_t)number << 3) + cs_pb_varint_size(size) + size;
}

static size_t number_size(uint32_t number, uint64_t value)
{
	return value == 0 ? 0 : cs_pb_varint_size((uint64_t)number << 3) + cs_pb_varint_size(value);
}

static size_t bytes_size(uint32_t number, struct cs_bytes bytes)
{
	return bytes.n == 0 ? 0 : delimited_size(number, bytes.n);
}

static size_t pair_size(uint32_t number, int64_t s, int64_t ns)
{
	return delimited_size(number, number_size(1, (uint64_t)s) + number_size(2, (uint64_t)ns));
}

static size_t packed_size(struct abci_any_list list)
{
	const uint32_t *items = list.items;
	size_t size = 0;
	for (size_t i = 0; i < list.count; i++)
		size += cs_pb_varint_size(items[i]);
	return size;
}

static enum cs_err inner_size(const struct abci_field *field, const void *message, size_t *size)
{
	size_t inner;
	CS_TRY(message_size(field->schema, message, &inner));
	*size += delimited_size(field->number, inner);
	return CS_OK;
}

static enum cs_err list_size(const struct abci_field *field, struct abci_any_list list,
			     size_t *size)
{
	const uint8_t *items = list.items;
	if (list.count > ABCI_LIST_MAX)
		return CS_ERR_TOO_LARGE;
	if (field->kind == ABCI_KIND_U32_LIST)
		*size += list.count == 0 ? 0 : delimited_size(field->number, packed_size(list));
	for (size_t i = 0; i < list.count; i++) {
		if (field->kind == ABCI_KIND_BYTES_LIST) {
			const struct cs_bytes *bytes = list.items;
			*size += delimited_size(field->number, bytes[i].n);
		} else if (field->kind == ABCI_KIND_MESSAGE_LIST) {
			CS_TRY(inner_size(field, items + i * field->schema->size, size));
		}
		if (*size > ABCI_FRAME_SIZE_MAX)
			return CS_ERR_TOO_LARGE;
	}
	return CS_OK;
}

static enum cs_err time_size(const struct abci_field *field, const void *p, size_t *size)
{
	const struct cs_pb_time *time = p;
	if (!cs_pb_time_valid(*time))
		return CS_ERR_INVALID;
	*size += pair_size(field->number, time->s, time->ns);
	return CS_OK;
}

#define NS_PER_S 1000000000ll

static enum cs_err field_size(const struct abci_field *field, const void *p, size_t *size)
{
	const struct cs_bytes *bytes = p;
	const struct abci_public_key *key = p;
	int64_t ns;
	switch (field->kind) {
	case ABCI_KIND_U64:
	case ABCI_KIND_I64:
		*size += number_size(field->number, u64_at(p));
		return CS_OK;
	case ABCI_KIND_I32:
		*size += number_size(field->number, (uint64_t)(int64_t)(int32_t)u32_at(p));
		return CS_OK;
	case ABCI_KIND_U32:
	case ABCI_KIND_ENUM:
		*size += number_size(field->number, u32_at(p));
		return CS_OK;
	case ABCI_KIND_BOOL:
		*size += number_size(field->number, *(const bool *)p);
		return CS_OK;
	case ABCI_KIND_BYTES:
		*size += bytes_size(field->number, *bytes);
		return CS_OK;
	case ABCI_KIND_TIME:
		return time_size(field, p, size);
	case ABCI_KIND_DURATION:
		ns = (int64_t)u64_at(p);
		*size += pair_size(field->number, ns / NS_PER_S, ns % NS_PER_S);
		return CS_OK;
	case ABCI_KIND_MESSAGE:
		return inner_size(field, p, size);
	case ABCI_KIND_POINTER:
		return pointer_at(p) == NULL ? CS_OK : inner_size(field, pointer_at(p), size);
	case ABCI_KIND_KEY:
		if (key->type > ABCI_KEY_TYPE_MAX)
			return CS_ERR_INVALID;
		*size += key->type == 0 ? 0 : delimited_size(key->type, key->bytes.n);
		return CS_OK;
	case ABCI_KIND_BYTES_LIST:
	case ABCI_KIND_U32_LIST:
	case ABCI_KIND_MESSAGE_LIST:
		return list_size(field, list_at(p), size);
	}
	return CS_ERR_INVALID;
}

static enum cs_err message_size(const struct abci_schema *schema, const void *message, size_t *size)
{
	size_t sum = 0;
	for (size_t i = 0; i < schema->field_count; i++) {
		const struct abci_field *field = &schema->fields[i];
		CS_TRY(field_size(field, member(message, field), &sum));
		if (sum > ABCI_FRAME_SIZE_MAX)
			return CS_ERR_TOO_LARGE;
	}
	*size = sum;
	return CS_OK;
}

/* ---- writing ---- */

static void put_message(struct cs_buf *buf, const struct abci_schema *schema, const void *message);

static void put_inner(struct cs_buf *buf, const struct abci_field *field, const void *message)
{
	size_t begin = cs_pb_begin(buf, field->number);
	put_message(buf, field->schema, message);
	cs_pb_end(buf, begin);
}

static void put_list(struct cs_buf *buf, const struct abci_field *field, struct abci_any_list list)
{
	const struct cs_bytes *bytes = list.items;
	const uint32_t *numbers = list.items;
	const uint8_t *messages = list.items;
	if (list.count == 0)
		return;
	if (field->kind == ABCI_KIND_U32_LIST) {
		size_t begin = cs_pb_begin(buf, field->number);
		for (size_t i = 0; i < list.count; i++)
			cs_pb_put_varint(buf, numbers[i]);
		cs_pb_end(buf, begin);
		return;
	}
	for (size_t i = 0; i < list.count; i++) {
		if (field->kind == ABCI_KIND_BYTES_LIST)
			cs_pb_put_element(buf, field->number, bytes[i]);
		else
			put_inner(buf, field, messages + i * field->schema->size);
	}
}

static void put_field(struct cs_buf *buf, const struct abci_field *field, const void *p)
{
	const uint32_t number = field->number;
	const struct cs_bytes *bytes = p;
	const struct cs_pb_time *time = p;
	const struct abci_public_key *key = p;
	switch (field->kind) {
	case ABCI_KIND_U64:
	case ABCI_KIND_I64:
		cs_pb_put_uint(buf, number, u64_at(p));
		return;
	case ABCI_KIND_U32:
	case ABCI_KIND_ENUM:
		cs_pb_put_uint(buf, number, u32_at(p));
		return;
	case ABCI_KIND_I32:
		cs_pb_put_int(buf, number, (int32_t)u32_at(p));
		return;
	case ABCI_KIND_BOOL:
		cs_pb_put_uint(buf, number, *(const bool *)p);
		return;
	case ABCI_KIND_BYTES:
		cs_pb_put_bytes(buf, number, *bytes);
		return;
	case ABCI_KIND_TIME:
		cs_pb_put_time(buf, number, *time);
		return;
	case ABCI_KIND_DURATION:
		cs_pb_put_duration(buf, number, (int64_t)u64_at(p));
		return;
	case ABCI_KIND_MESSAGE:
		put_inner(buf, field, p);
		return;
	case ABCI_KIND_POINTER:
		if (pointer_at(p) != NULL)
			put_inner(buf, field, pointer_at(p));
		return;
	case ABCI_KIND_KEY:
		if (key->type != 0)
			cs_pb_put_element(buf, key->type, key->bytes);
		return;
	case ABCI_KIND_BYTES_LIST:
	case ABCI_KIND_U32_LIST:
	case ABCI_KIND_MESSAGE_LIST:
		put_list(buf, field, list_at(p));
		return;
	}
}

static void put_message(struct cs_buf *buf, const struct abci_schema *schema, const void *message)
{
	for (size_t i = 0; i < schema->field_count; i++) {
		const struct abci_field *field = &schema->fields[i];
		put_field(buf, field, member(message, field));
	}
}

/* ---- reading ---- */

static enum cs_err read_message(const struct abci_schema *schema, void *message,
				struct cs_arena *arena, struct cs_bytes bytes, struct cs_why *why);

static bool is_list(const struct abci_field *field)
{
	return field->kind == ABCI_KIND_BYTES_LIST || field->kind == ABCI_KIND_U32_LIST ||
	       field->kind == ABCI_KIND_MESSAGE_LIST;
}

static enum cs_pb_type wire_type(const struct abci_field *field)
{
	switch (field->kind) {
	case ABCI_KIND_U64:
	case ABCI_KIND_I64:
	case ABCI_KIND_U32:
	case ABCI_KIND_I32:
	case ABCI_KIND_BOOL:
	case ABCI_KIND_ENUM:
		return CS_PB_VARINT;
	case ABCI_KIND_BYTES:
	case ABCI_KIND_TIME:
	case ABCI_KIND_DURATION:
	case ABCI_KIND_MESSAGE:
	case ABCI_KIND_POINTER:
	case ABCI_KIND_KEY:
	case ABCI_KIND_BYTES_LIST:
	case ABCI_KIND_U32_LIST:
	case ABCI_KIND_MESSAGE_LIST:
		return CS_PB_BYTES;
	}
	return CS_PB_BYTES;
}

/* NULL: a field of a later version. */
static const struct abci_field *field_of(const struct abci_schema *schema, uint32_t number)
{
	for (size_t i = 0; i < schema->field_count; i++) {
		if (schema->fields[i].kind == ABCI_KIND_KEY && number <= ABCI_KEY_TYPE_MAX)
			return &schema->fields[i];
		if (schema->fields[i].number == number)
			return &schema->fields[i];
	}
	return NULL;
}

static size_t element_size(const struct abci_field *field)
{
	if (field->kind == ABCI_KIND_U32_LIST)
		return sizeof(uint32_t);
	return field->kind == ABCI_KIND_BYTES_LIST ? sizeof(struct cs_bytes) : field->schema->size;
}

/* How many elements one occurrence of a list's field brings: packed numbers are several. */
static enum cs_err occurrence_count(const struct abci_field *field, const struct cs_pb_field *found,
				    size_t *count)
{
	struct cs_bytes rest = found->bytes;
	uint64_t value;
	size_t n = 0;
	if (field->kind != ABCI_KIND_U32_LIST || found->type == CS_PB_VARINT) {
		*count += 1;
		return CS_OK;
	}
	for (; rest.n > 0; n++)
		CS_TRY(cs_pb_take_varint(&rest, &value));
	*count += n;
	return CS_OK;
}

/* One walk that finds what is malformed or twice, and how long each list becomes. */
static enum cs_err survey(const struct abci_schema *schema, struct cs_bytes bytes,
			  size_t counts[ABCI_FIELDS_MAX], struct cs_why *why)
{
	bool seen[ABCI_FIELDS_MAX] = {false};
	while (bytes.n > 0) {
		struct cs_pb_field found;
		enum cs_err err = cs_pb_next(&bytes, &found);
		if (err != CS_OK)
			return cs_fail(why, err, "%s: no field of protobuf", schema->name);
		const struct abci_field *field = field_of(schema, found.number);
		if (field == NULL)
			continue;
		size_t i = (size_t)(field - schema->fields);
		if (found.type != wire_type(field) &&
		    !(field->kind == ABCI_KIND_U32_LIST && found.type == CS_PB_VARINT))
			return cs_fail(why, CS_ERR_MALFORMED, "%s: field %u is of another type",
				       schema->name, found.number);
		if (!is_list(field)) {
			if (seen[i])
				return cs_fail(why, CS_ERR_DUPLICATE, "%s: field %u is there twice",
					       schema->name, found.number);
			seen[i] = true;
			continue;
		}
		err = occurrence_count(field, &found, &counts[i]);
		if (err != CS_OK)
			return cs_fail(why, err, "%s: field %u is no list of numbers", schema->name,
				       found.number);
		if (counts[i] > ABCI_LIST_MAX)
			return cs_fail(why, CS_ERR_TOO_LARGE, "%s: field %u has too many elements",
				       schema->name, found.number);
	}
	return CS_OK;
}

static enum cs_err make_lists(const struct abci_schema *schema, void *message,
			      struct cs_arena *arena, const size_t counts[ABCI_FIELDS_MAX])
{
	for (size_t i = 0; i < schema->field_count; i++) {
		struct abci_any_list list = {NULL, 0};
		if (counts[i] == 0)
			continue;
		list.items = cs_arena_calloc(arena, counts[i], element_size(&schema->fields[i]));
		if (list.items == NULL)
			return CS_ERR_NO_MEMORY;
		memcpy((uint8_t *)message + schema->fields[i].offset, &list, sizeof list);
	}
	return CS_OK;
}

static enum cs_err read_u32(uint64_t value, uint32_t max, void *p)
{
	uint32_t number = (uint32_t)value;
	if (value > max)
		return CS_ERR_OVERFLOW;
	memcpy(p, &number, sizeof number);
	return CS_OK;
}

static enum cs_err read_i32(uint64_t value, void *p)
{
	int64_t wide = (int64_t)value;
	int32_t number = (int32_t)wide;
	if (number != wide)
		return CS_ERR_OVERFLOW;
	memcpy(p, &number, sizeof number);
	return CS_OK;
}

/* google.protobuf.Timestamp and Duration: seconds and nanoseconds. */
static enum cs_err read_pair(struct cs_bytes bytes, int64_t *s, int64_t *ns)
{
	bool seen[3] = {false};
	*s = *ns = 0;
	while (bytes.n > 0) {
		struct cs_pb_field found;
		CS_TRY(cs_pb_next(&bytes, &found));
		if (found.number > 2)
			continue;
		if (found.type != CS_PB_VARINT)
			return CS_ERR_MALFORMED;
		if (seen[found.number])
			return CS_ERR_DUPLICATE;
		seen[found.number] = true;
		*(found.number == 1 ? s : ns) = (int64_t)found.value;
	}
	return CS_OK;
}

static enum cs_err read_time(struct cs_bytes bytes, void *p)
{
	int64_t s, ns;
	CS_TRY(read_pair(bytes, &s, &ns));
	if (ns < 0 || ns > CS_PB_TIME_NS_MAX)
		return CS_ERR_INVALID;
	struct cs_pb_time time = {s, (int32_t)ns};
	if (!cs_pb_time_valid(time))
		return CS_ERR_INVALID;
	memcpy(p, &time, sizeof time);
	return CS_OK;
}

static enum cs_err read_duration(struct cs_bytes bytes, void *p)
{
	int64_t s, ns, sum;
	CS_TRY(read_pair(bytes, &s, &ns));
	if (ns <= -NS_PER_S || ns >= NS_PER_S || (s > 0 && ns < 0) || (s < 0 && ns > 0))
		return CS_ERR_INVALID;
	if (__builtin_mul_overflow(s, NS_PER_S, &sum) || __builtin_add_overflow(sum, ns, &sum))
		return CS_ERR_OVERFLOW;
	memcpy(p, &sum, sizeof sum);
	return CS_OK;
}

static enum cs_err read_pointer(const struct abci_field *field, void *p, struct cs_arena *arena,
				struct cs_bytes bytes, struct cs_why *why)
{
	void *message = cs_arena_calloc(arena, 1, field->schema->size);
	if (message == NULL)
		return CS_ERR_NO_MEMORY;
	memcpy(p, &message, sizeof message);
	return read_message(field->schema, message, arena, bytes, why);
}

static enum cs_err read_scalar(const struct abci_field *field, void *p,
			       const struct cs_pb_field *found)
{
	switch (field->kind) {
	case ABCI_KIND_U64:
	case ABCI_KIND_I64:
		memcpy(p, &found->value, sizeof found->value);
		return CS_OK;
	case ABCI_KIND_U32:
		return read_u32(found->value, UINT32_MAX, p);
	case ABCI_KIND_ENUM:
		return read_u32(found->value, field->max, p);
	case ABCI_KIND_I32:
		return read_i32(found->value, p);
	case ABCI_KIND_BOOL:
		*(bool *)p = found->value == 1;
		return found->value <= 1 ? CS_OK : CS_ERR_OVERFLOW;
	case ABCI_KIND_BYTES:
		memcpy(p, &found->bytes, sizeof found->bytes);
		return CS_OK;
	case ABCI_KIND_TIME:
		return read_time(found->bytes, p);
	case ABCI_KIND_DURATION:
		return read_duration(found->bytes, p);
	case ABCI_KIND_KEY:
		*(struct abci_public_key *)p =
			(struct abci_public_key){found->number, found->bytes};
		return CS_OK;
	case ABCI_KIND_MESSAGE:
	case ABCI_KIND_POINTER:
	case ABCI_KIND_BYTES_LIST:
	case ABCI_KIND_U32_LIST:
	case ABCI_KIND_MESSAGE_LIST:
		return CS_ERR_INVALID;
	}
	return CS_ERR_INVALID;
}

static enum cs_err read_numbers(struct abci_any_list *list, uint32_t *items,
				const struct cs_pb_field *found)
{
	struct cs_bytes rest = found->bytes;
	uint64_t value = found->value;
	if (found->type == CS_PB_VARINT)
		return read_u32(value, UINT32_MAX, &items[list->count++]);
	while (rest.n > 0) {
		CS_TRY(cs_pb_take_varint(&rest, &value));
		CS_TRY(read_u32(value, UINT32_MAX, &items[list->count++]));
	}
	return CS_OK;
}

/* Appends: the list has the room that the survey found. */
static enum cs_err read_element(const struct abci_field *field, void *p, struct cs_arena *arena,
				const struct cs_pb_field *found, struct cs_why *why)
{
	struct abci_any_list list = list_at(p);
	void *items = (void *)(uintptr_t)list.items;
	enum cs_err err = CS_OK;
	if (field->kind == ABCI_KIND_U32_LIST) {
		err = read_numbers(&list, items, found);
	} else if (field->kind == ABCI_KIND_BYTES_LIST) {
		((struct cs_bytes *)items)[list.count++] = found->bytes;
	} else {
		void *item = (uint8_t *)items + list.count++ * field->schema->size;
		err = read_message(field->schema, item, arena, found->bytes, why);
	}
	memcpy(p, &list, sizeof list);
	return err;
}

static enum cs_err read_field(const struct abci_field *field, void *p, struct cs_arena *arena,
			      const struct cs_pb_field *found, struct cs_why *why)
{
	if (is_list(field))
		return read_element(field, p, arena, found, why);
	if (field->kind == ABCI_KIND_MESSAGE)
		return read_message(field->schema, p, arena, found->bytes, why);
	if (field->kind == ABCI_KIND_POINTER)
		return read_pointer(field, p, arena, found->bytes, why);
	return read_scalar(field, p, found);
}

/* What is absent and not nullable is all zeros: a time is 1970, where Go has its year 1. */
static enum cs_err read_message(const struct abci_schema *schema, void *message,
				struct cs_arena *arena, struct cs_bytes bytes, struct cs_why *why)
{
	size_t counts[ABCI_FIELDS_MAX] = {0};
	CS_TRY(survey(schema, bytes, counts, why));
	enum cs_err err = make_lists(schema, message, arena, counts);
	if (err != CS_OK)
		return cs_fail(why, err, "%s: more than there is memory for", schema->name);
	while (bytes.n > 0) {
		struct cs_pb_field found;
		CS_TRY(cs_pb_next(&bytes, &found));
		const struct abci_field *field = field_of(schema, found.number);
		if (field == NULL)
			continue;
		if (why != NULL)
			why->text[0] = 0;
		err = read_field(field, (uint8_t *)message + field->offset, arena, &found, why);
		if (err != CS_OK && why != NULL && why->text[0] != 0)
			return err;
		if (err != CS_OK)
			return cs_fail(why, err, "%s: field %u: %s", schema->name, found.number,
				       cs_err_sentence(err));
	}
	return CS_OK;
}

/* ---- Request and Response: one field of a oneof ---- */

static enum cs_err open_oneof(struct cs_bytes body, uint32_t *number, struct cs_bytes *content,
			      struct cs_why *why)
{
	struct cs_pb_field found, other;
	if (body.n == 0)
		return cs_fail(why, CS_ERR_MISSING_FIELD, "an empty message");
	enum cs_err err = cs_pb_next(&body, &found);
	if (err == CS_OK && body.n > 0) {
		err = cs_pb_next(&body, &other);
		if (err == CS_OK)
			err = CS_ERR_DUPLICATE;
	}
	if (err == CS_OK && found.type != CS_PB_BYTES)
		err = CS_ERR_MALFORMED;
	if (err != CS_OK)
		return cs_fail(why, err, "not one field of a oneof: %s", cs_err_sentence(err));
	*number = found.number;
	*content = found.bytes;
	return CS_OK;
}

enum cs_err abci_request_decode(struct abci_request *request, struct cs_arena *arena,
				struct cs_bytes body, struct cs_why *why)
{
	struct abci_request read;
	struct cs_bytes content;
	uint32_t number;
	memset(&read, 0, sizeof read);
	CS_TRY(open_oneof(body, &number, &content, why));
	const struct abci_schema *schema = abci_request_schema(number);
	if (schema == NULL)
		return cs_fail(why, CS_ERR_UNSUPPORTED, "unknown request, field %u", number);
	read.method = (enum abci_method)number;
	CS_TRY(read_message(schema, &read.echo, arena, content, why));
	*request = read;
	return CS_OK;
}

enum cs_err abci_response_decode(struct abci_response *response, struct cs_arena *arena,
				 struct cs_bytes body, struct cs_why *why)
{
	struct abci_response read;
	struct cs_bytes content;
	uint32_t number;
	memset(&read, 0, sizeof read);
	CS_TRY(open_oneof(body, &number, &content, why));
	const struct abci_schema *schema = abci_response_schema(number - 1);
	if (schema == NULL)
		return cs_fail(why, CS_ERR_UNSUPPORTED, "unknown response, field %u", number);
	read.method = (enum abci_method)(number - 1);
	CS_TRY(read_message(schema, &read.exception, arena, content, why));
	*response = read;
	return CS_OK;
}

static enum cs_err frame_size(const struct abci_schema *schema, uint32_t number,
			      const void *content, size_t *content_size, size_t *size)
{
	if (schema == NULL)
		return CS_ERR_INVALID;
	CS_TRY(message_size(schema, content, content_size));
	size_t body = delimited_size(number, *content_size);
	if (body > ABCI_FRAME_SIZE_MAX)
		return CS_ERR_TOO_LARGE;
	*size = cs_pb_varint_size(body) + body;
	return CS_OK;
}

/* The two outer lengths are known, so that a large body is not moved for them. */
static enum cs_err put_frame(struct cs_buf *buf, const struct abci_schema *schema, uint32_t number,
			     const void *content)
{
	size_t content_size, size;
	CS_TRY(frame_size(schema, number, content, &content_size, &size));
	cs_pb_put_varint(buf, delimited_size(number, content_size));
	cs_pb_put_varint(buf, (uint64_t)number << 3 | CS_PB_BYTES);
	cs_pb_put_varint(buf, content_size);
	put_message(buf, schema, content);
	return cs_buf_end(buf);
}

enum cs_err abci_request_size(const struct abci_request *request, size_t *size)
{
	const uint32_t number = (uint32_t)request->method;
	size_t content_size;
	return frame_size(abci_request_schema(number), number, &request->echo, &content_size, size);
}

enum cs_err abci_response_size(const struct abci_response *response, size_t *size)
{
	const uint32_t number = (uint32_t)response->method;
	size_t content_size;
	return frame_size(abci_response_schema(number), number + 1, &response->exception,
			  &content_size, size);
}

enum cs_err abci_request_encode(struct cs_buf *buf, const struct abci_request *request)
{
	const uint32_t number = (uint32_t)request->method;
	return put_frame(buf, abci_request_schema(number), number, &request->echo);
}

enum cs_err abci_response_encode(struct cs_buf *buf, const struct abci_response *response)
{
	const uint32_t number = (uint32_t)response->method;
	return put_frame(buf, abci_response_schema(number), number + 1, &response->exception);
}

enum cs_err abci_validator_update_encode(struct cs_buf *buf,
					 const struct abci_validator_update *update)
{
	size_t size;
	CS_TRY(message_size(abci_validator_update_schema(), update, &size));
	put_message(buf, abci_validator_update_schema(), update);
	return cs_buf_end(buf);
}

/* ---- frames ---- */

enum cs_err abci_frame_open(size_t *head_size, size_t *body_size, struct cs_bytes bytes,
			    size_t size_max)
{
	struct cs_bytes rest = bytes;
	uint64_t size;
	enum cs_err err = cs_pb_take_varint(&rest, &size);
	/* A length that goes on is too large whatever follows. */
	if (err == CS_ERR_TRUNCATED && bytes.n >= ABCI_FRAME_HEAD_SIZE_MAX)
		return CS_ERR_TOO_LARGE;
	if (err == CS_ERR_OVERFLOW || (err == CS_OK && size > size_max))
		return CS_ERR_TOO_LARGE;
	CS_TRY(err);
	*head_size = bytes.n - rest.n;
	*body_size = (size_t)size;
	return CS_OK;
}
