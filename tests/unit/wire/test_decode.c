#include "tests/unit/support.h"
#include "wire/bounds.h"
#include "wire/convert.h"
#include "wire/decode.h"

static uint8_t block[4 * 1024 * 1024], output[2 * 1024 * 1024 + 1];
static struct cs_arena arena;

static int fresh(void **state)
{
	(void)state;
	cs_arena_init(&arena, block, sizeof block);
	return 0;
}

/* ---- one refusal after the other, by hand ---- */

#define WORD "2020202020202020202020202020202020202020202020202020202020202020"
#define TAG(n) n "20" WORD

static void assert_decode(const ProtobufCMessageDescriptor *type, const char *hex, enum cs_err want)
{
	ProtobufCMessage *message = NULL;
	struct cs_why why = {"-"};
	enum cs_err err = wire_decode(&message, type, unhex(hex), &arena, &why);
	if (err != want)
		fail_msg("%s %s: %s, %s", type->short_name, hex, cs_err_name(err), why.text);
	assert_int_equal(message != NULL, err == CS_OK);
	assert_int_equal(wire_check(type, unhex(hex), NULL), err);
}

static void test_bytes_fields(void **state)
{
	(void)state;
	const ProtobufCMessageDescriptor *hello = &caisson__wire__hello_request__descriptor;
	assert_decode(hello, TAG("0a"), CS_OK);
	assert_decode(hello, "", CS_ERR_MISSING_FIELD);
	assert_decode(hello, "0a", CS_ERR_TRUNCATED);
	assert_decode(hello, "0a20", CS_ERR_TRUNCATED);
	assert_decode(hello, "0a0420202020", CS_ERR_INVALID);
	assert_decode(hello, "0a21" WORD "20", CS_ERR_INVALID);
	assert_decode(hello, "0a00", CS_ERR_INVALID);
	assert_decode(hello, TAG("0a") TAG("0a"), CS_ERR_DUPLICATE);
	assert_decode(hello, TAG("0a") "1001", CS_ERR_UNKNOWN_FIELD);
	assert_decode(hello, TAG("0a") "0a", CS_ERR_DUPLICATE);
	assert_decode(hello, TAG("0a") "00", CS_ERR_UNKNOWN_FIELD);
	assert_decode(hello, "0801", CS_ERR_MALFORMED);       /* a varint where bytes belong */
	assert_decode(hello, "0d20202020", CS_ERR_MALFORMED); /* 32 fixed bits */
	assert_decode(hello, "0b0c", CS_ERR_MALFORMED);       /* a group */
	assert_decode(hello, "0aa000" WORD, CS_ERR_NON_CANONICAL);
	assert_decode(hello, "8a0020" WORD, CS_ERR_NON_CANONICAL);
	assert_decode(hello, "0affffffffffffffffff01", CS_ERR_TRUNCATED);
	assert_decode(hello, "0affffffffffffffffff02", CS_ERR_OVERFLOW);
	assert_decode(hello, "0affffffffffffffffffff01", CS_ERR_OVERFLOW);
	assert_decode(hello, "ffffffffffffffffff01", CS_ERR_UNKNOWN_FIELD);
	assert_decode(&caisson__wire__init_request__descriptor, "", CS_OK);
	assert_decode(&caisson__wire__init_request__descriptor, "0800", CS_ERR_UNKNOWN_FIELD);
}

static void test_number_fields(void **state)
{
	(void)state;
	const ProtobufCMessageDescriptor *outcome = &caisson__wire__outcome__descriptor;
	assert_decode(outcome, TAG("0a") "1002", CS_OK);
	assert_decode(outcome, TAG("0a"), CS_OK);
	assert_decode(outcome, TAG("0a") "10ffffffff0f", CS_OK);
	assert_decode(outcome, TAG("0a") "10ffffffff1f", CS_ERR_OVERFLOW);
	assert_decode(outcome, TAG("0a") "10ffffffffffffffffff01", CS_ERR_OVERFLOW);
	assert_decode(outcome, TAG("0a") "1000", CS_ERR_NON_CANONICAL);
	assert_decode(outcome, TAG("0a") "108200", CS_ERR_NON_CANONICAL);
	assert_decode(outcome, TAG("0a") "1080", CS_ERR_TRUNCATED);
	assert_decode(outcome, TAG("0a") "10021002", CS_ERR_DUPLICATE);
	assert_decode(outcome, "1002" TAG("0a"), CS_ERR_MISSING_FIELD);
	assert_decode(outcome, TAG("0a") "120102", CS_ERR_MALFORMED);
	/* 64 bits are allowed where the schema has 64. */
	assert_decode(&caisson__wire__export_reply__descriptor, "10ffffffffffffffffff01", CS_OK);
	/* A bool is 0 or 1, and 0 is absent. */
	const ProtobufCMessageDescriptor *status = &caisson__wire__client_status__descriptor;
	assert_decode(status, TAG("0a") TAG("22") "3001", CS_OK);
	assert_decode(status, TAG("0a") TAG("22") "3002", CS_ERR_NON_CANONICAL);
	assert_decode(status, TAG("0a") TAG("22") "3000", CS_ERR_NON_CANONICAL);
	/* Out of order, where nothing is missing. */
	assert_decode(status, TAG("0a") "2801" TAG("22"), CS_ERR_MISSING_FIELD);
	assert_decode(status, TAG("0a") TAG("22") "38013001", CS_ERR_NON_CANONICAL);
	/* An enumeration has the numbers of its table. */
	const ProtobufCMessageDescriptor *sign =
		&caisson__wire__sign_transaction_request__descriptor;
	assert_decode(sign, TAG("0a") "1007", CS_OK);
	assert_decode(sign, TAG("0a") "1008", CS_ERR_INVALID);
	assert_decode(sign, TAG("0a") "10ffffffffffffffffff01", CS_ERR_INVALID);
}

static void test_messages_in_messages(void **state)
{
	(void)state;
	/* A singular message must be there, unless the schema says `optional`; it may be there
	 * once. */
	const ProtobufCMessageDescriptor *reply = &caisson__wire__client_reply__descriptor;
	const char *inner = TAG("0a") TAG("22");
	char text[1024];
	(void)snprintf(text, sizeof text, "0a44%s", inner);
	assert_decode(reply, text, CS_OK);
	(void)snprintf(text, sizeof text, "0a44%s0a44%s", inner, inner);
	assert_decode(reply, text, CS_ERR_DUPLICATE);
	assert_decode(reply, "", CS_ERR_MISSING_FIELD);
	assert_decode(reply, "1001", CS_ERR_MISSING_FIELD);
	assert_decode(reply, "0a00", CS_ERR_MISSING_FIELD);
	/* The inner one ends where its length says. */
	(void)snprintf(text, sizeof text, "0a43%s", inner);
	assert_decode(reply, text, CS_ERR_TRUNCATED);
	(void)snprintf(text, sizeof text, "0a45%s28", inner);
	assert_decode(reply, text, CS_ERR_TRUNCATED);
	(void)snprintf(text, sizeof text, "0a46%s4801", inner);
	assert_decode(reply, text, CS_ERR_UNKNOWN_FIELD);
	/* Two halves that a lenient reader would merge. */
	assert_decode(reply, "0a22" TAG("0a") "0a22" TAG("22"), CS_ERR_MISSING_FIELD);
}

static void test_strings(void **state)
{
	(void)state;
	const ProtobufCMessageDescriptor *error = &caisson__wire__error_reply__descriptor;
	assert_decode(error, "0801120161", CS_OK);
	assert_decode(error, "08011202c3a9", CS_OK);
	assert_decode(error, "", CS_OK);
	assert_decode(error, "08011200", CS_ERR_NON_CANONICAL);
	assert_decode(error, "08011201ff", CS_ERR_MALFORMED);
	assert_decode(error, "08011202c0af", CS_ERR_MALFORMED);
	assert_decode(error, "0801120100", CS_ERR_MALFORMED);
	assert_decode(error, "08011203610062", CS_ERR_MALFORMED);
}

/* Repeated fields and sizes at their bound and one above. */
static void test_bounds(void **state)
{
	(void)state;
	struct cs_buf buf;
	for (size_t count = 64; count <= 65; count++) {
		cs_buf_init(&buf, output, sizeof output);
		for (size_t i = 0; i < count; i++)
			cs_put(&buf, unhex("0a5a" TAG("0a") TAG(
					     "1a") "221400000000000000000000000000000000000000"
						   "00"));
		assert_err(wire_check(&caisson__wire__public_keys_reply__descriptor,
				      cs_buf_view(&buf), NULL),
			   count == 64 ? CS_OK : CS_ERR_TOO_LARGE);
	}
	for (size_t size = 1048576; size <= 1048577; size++) {
		cs_buf_init(&buf, output, sizeof output);
		cs_put_u8(&buf, 0x0a);
		cs_put_u8(&buf, (uint8_t)(0x80 | (size & 0x7f)));
		cs_put_u8(&buf, (uint8_t)(0x80 | (size >> 7 & 0x7f)));
		cs_put_u8(&buf, (uint8_t)(size >> 14));
		cs_put_zeros(&buf, size);
		assert_ok(cs_buf_end(&buf));
		assert_err(wire_check(&caisson__wire__import_request__descriptor, cs_buf_view(&buf),
				      NULL),
			   size == 1048576 ? CS_OK : CS_ERR_TOO_LARGE);
	}
	assert_err(
		wire_check(&caisson__wire__import_request__descriptor, CS_BYTES_OF(output), NULL),
		CS_ERR_TOO_LARGE);
	/* An element of a repeated field that has a fixed size; empty elements where the size is
	 * only bounded. */
	assert_decode(&caisson__wire__conflict_reply__descriptor,
		      "0a0112120113" TAG("22") TAG("2a"), CS_OK);
	assert_decode(&caisson__wire__conflict_reply__descriptor, "0a00" TAG("22") TAG("2a"),
		      CS_OK);
	assert_decode(&caisson__wire__conflict_reply__descriptor,
		      "0a01120a0113" TAG("22") TAG("2a"), CS_ERR_TOO_LARGE);
}

static void test_why(void **state)
{
	(void)state;
	ProtobufCMessage *message;
	struct cs_why why;
	assert_err(wire_decode(&message, &caisson__wire__hello_request__descriptor,
			       unhex("0a0420202020"), &arena, &why),
		   CS_ERR_INVALID);
	assert_string_equal(why.text, "HelloRequest.nonce: a value is not allowed here");
	assert_err(wire_decode(&message, &caisson__wire__hello_request__descriptor, unhex("1001"),
			       &arena, &why),
		   CS_ERR_UNKNOWN_FIELD);
	assert_string_equal(why.text, "HelloRequest: field 2 is not in the schema");
}

/* ---- every message of the schema, filled ---- */

static const struct wire_message_bounds *bounds_of(const void *descriptor)
{
	for (size_t i = 0; i < wire_bounds_count; i++) {
		if (wire_bounds[i].descriptor == descriptor)
			return &wire_bounds[i];
	}
	fail_msg("no bounds");
	return NULL;
}

static ProtobufCMessage *fill(const ProtobufCMessageDescriptor *type);

/* A value that is not the default, at p. */
static void fill_value(const ProtobufCFieldDescriptor *field, const struct wire_bound *bound,
		       void *p)
{
	size_t size = bound->size_max < 40   ? bound->size_max
		      : bound->size_min > 40 ? bound->size_min
					     : 40;
	if (field->type == PROTOBUF_C_TYPE_MESSAGE) {
		*(ProtobufCMessage **)p = fill(field->descriptor);
	} else if (field->type == PROTOBUF_C_TYPE_BYTES) {
		ProtobufCBinaryData *data = p;
		data->len = size;
		data->data = keep(size);
		memset(data->data, 0x5a, size);
	} else if (field->type == PROTOBUF_C_TYPE_STRING) {
		char *text = keep(size);
		memset(text, 'x', size);
		*(char **)p = text;
	} else if (field->type == PROTOBUF_C_TYPE_UINT64) {
		*(uint64_t *)p = 0x1122334455667788;
	} else {
		*(uint32_t *)p = 1;
	}
}

static size_t size_of_value(const ProtobufCFieldDescriptor *field)
{
	return field->type == PROTOBUF_C_TYPE_BYTES ? sizeof(ProtobufCBinaryData) : sizeof(void *);
}

static ProtobufCMessage *fill(const ProtobufCMessageDescriptor *type)
{
	ProtobufCMessage *message = keep(type->sizeof_message);
	const struct wire_message_bounds *bounds = bounds_of(type);
	type->message_init(message);
	for (unsigned i = 0; i < type->n_fields; i++) {
		const ProtobufCFieldDescriptor *field = &type->fields[i];
		uint8_t *member = (uint8_t *)message + field->offset;
		if (field->label != PROTOBUF_C_LABEL_REPEATED) {
			fill_value(field, &bounds->fields[i], member);
			continue;
		}
		size_t count = bounds->fields[i].count_max < 2 ? 1 : 2, size = size_of_value(field);
		uint8_t *array = keep(count * size);
		for (size_t j = 0; j < count; j++)
			fill_value(field, &bounds->fields[i], array + j * size);
		*(uint8_t **)(void *)member = array;
		*(size_t *)(void *)((uint8_t *)message + field->quantifier_offset) = count;
	}
	return message;
}

static struct cs_bytes encode(const ProtobufCMessage *message)
{
	struct cs_buf buf;
	struct cs_why why = {""};
	cs_buf_init(&buf, output, sizeof output);
	enum cs_err err = wire_encode(&buf, message, &why);
	if (err != CS_OK)
		fail_msg("%s: %s", message->descriptor->short_name, why.text);
	uint8_t *copy = keep(buf.n);
	if (buf.n > 0)
		memcpy(copy, buf.p, buf.n);
	return cs_bytes(copy, buf.n);
}

/* What is accepted has one encoding: written again, it is the same bytes. */
static bool is_canonical(const ProtobufCMessageDescriptor *type, struct cs_bytes bytes)
{
	ProtobufCMessage *message;
	struct cs_buf buf;
	cs_arena_init(&arena, block, sizeof block);
	if (wire_decode(&message, type, bytes, &arena, NULL) != CS_OK)
		return false;
	cs_buf_init(&buf, output, sizeof output);
	assert_ok(wire_encode(&buf, message, NULL));
	assert_bytes(cs_buf_view(&buf), bytes);
	return true;
}

static void test_every_message(void **state)
{
	(void)state;
	for (size_t i = 0; i < wire_bounds_count; i++) {
		const ProtobufCMessageDescriptor *type = wire_bounds[i].descriptor;
		assert_int_equal(wire_bounds[i].field_count, type->n_fields);
		struct cs_bytes bytes = encode(fill(type));
		assert_true(is_canonical(type, bytes));
		if (bytes.n == 0)
			continue;
		/* Every shorter text is refused or is canonical itself. */
		for (size_t n = 0; n < bytes.n; n++)
			(void)is_canonical(type, cs_bytes(bytes.p, n));
	}
}

/* Every bit of every message flipped: refused, or another canonical message. */
static void test_every_bit(void **state)
{
	(void)state;
	size_t refused = 0, accepted = 0;
	for (size_t i = 0; i < wire_bounds_count; i++) {
		const ProtobufCMessageDescriptor *type = wire_bounds[i].descriptor;
		struct cs_bytes bytes = encode(fill(type));
		uint8_t *copy = keep(bytes.n);
		if (bytes.n > 0)
			memcpy(copy, bytes.p, bytes.n);
		for (size_t bit = 0; bit < 8 * bytes.n; bit++) {
			copy[bit / 8] ^= (uint8_t)(1u << bit % 8);
			if (is_canonical(type, cs_bytes(copy, bytes.n)))
				accepted++;
			else
				refused++;
			copy[bit / 8] ^= (uint8_t)(1u << bit % 8);
		}
	}
	assert_true(refused > 1000 && accepted > 1000);
}

/* With too little memory nothing is made, and the arena is as before. */
static void test_memory(void **state)
{
	(void)state;
	const ProtobufCMessageDescriptor *type = &caisson__wire__sign_messages_request__descriptor;
	struct cs_bytes bytes = encode(fill(type));
	bool decoded = false;
	for (size_t size = 16; size < 32768; size += 16) {
		struct cs_arena little;
		ProtobufCMessage *message;
		cs_arena_init(&little, block, size);
		enum cs_err err = wire_decode(&message, type, bytes, &little, NULL);
		assert_true(err == CS_OK || (err == CS_ERR_NO_MEMORY && !decoded));
		if (err != CS_OK)
			assert_int_equal(cs_arena_mark(&little), 0);
		decoded = err == CS_OK;
	}
	assert_true(decoded);
}

/* What breaks our own rules is not sent. */
static void test_encode_refusals(void **state)
{
	(void)state;
	struct cs_buf buf;
	struct cs_why why;
	uint8_t byte[1] = {1};
	Caisson__Wire__HelloRequest hello = CAISSON__WIRE__HELLO_REQUEST__INIT;
	cs_buf_init(&buf, output, sizeof output);
	assert_err(wire_encode(&buf, &hello.base, &why), CS_ERR_MISSING_FIELD);
	hello.nonce = (ProtobufCBinaryData){1, byte};
	assert_err(wire_encode(&buf, &hello.base, &why), CS_ERR_INVALID);
	assert_int_equal(buf.n, 0);
	Caisson__Wire__ClientReply reply = CAISSON__WIRE__CLIENT_REPLY__INIT;
	assert_err(wire_encode(&buf, &reply.base, &why), CS_ERR_MISSING_FIELD);
	Caisson__Wire__ExportReply export = CAISSON__WIRE__EXPORT_REPLY__INIT;
	export.counter = 1;
	cs_buf_init(&buf, output, 1);
	assert_err(wire_encode(&buf, &export.base, &why), CS_ERR_TOO_LARGE);
	assert_err(cs_buf_end(&buf), CS_ERR_TOO_LARGE);
}

/* ---- between schema and envelope ---- */

static void test_convert(void **state)
{
	(void)state;
	struct wire_signed statement = {
		.statement = {WIRE_KIND_OUTCOME, {{1}}, {{2}}, 3, 4, {{5}}},
		.signature = {{{6}}, {{7}}, {{8}}},
		.path_count = 2,
		.path = {{{9}}, {{10}}},
	};
	struct wire_signed statement_back;
	Caisson__Wire__Statement pb;
	ProtobufCMessage *decoded;
	assert_ok(wire_signed_to_pb(&pb, &statement, &arena));
	assert_ok(wire_decode(&decoded, &caisson__wire__statement__descriptor, encode(&pb.base),
			      &arena, NULL));
	assert_ok(wire_signed_from_pb(&statement_back,
				      (const Caisson__Wire__Statement *)(const void *)decoded));
	assert_int_equal(statement_back.statement.kind, WIRE_KIND_OUTCOME);
	assert_memory_equal(&statement_back.statement.root, &statement.statement.root, 32);
	assert_memory_equal(&statement_back.signature, &statement.signature,
			    sizeof statement.signature);
	assert_int_equal(statement_back.path_count, 2);
	assert_memory_equal(statement_back.path, statement.path, 64);
	pb.kind = 5;
	assert_err(wire_signed_from_pb(&statement_back, &pb), CS_ERR_INVALID);
	pb.kind = 0;
	assert_err(wire_signed_from_pb(&statement_back, &pb), CS_ERR_INVALID);

	struct wire_message message = {
		.head = {{{1}}, {{2}}, 3, 4, {{5}}, {{6}}, {{7}}, 8, {{9}}, {{10}}, 255},
		.sender = cs_bytes_str("s"),
		.recipient = cs_bytes_str("r"),
	};
	struct wire_message message_back;
	Caisson__Wire__MessageFull full;
	assert_ok(wire_message_to_pb(&full, &message, &arena));
	assert_ok(wire_decode(&decoded, &caisson__wire__message_full__descriptor,
			      encode(&full.base), &arena, NULL));
	assert_ok(wire_message_from_pb(&message_back,
				       (const Caisson__Wire__MessageFull *)(const void *)decoded));
	assert_hash(wire_message_id(&message_back.head), wire_message_id(&message.head));
	assert_bytes(message_back.recipient, message.recipient);
	assert_int_equal(message_back.payload.n, 0);
	full.head->finality = 256;
	assert_err(wire_message_from_pb(&message_back, &full), CS_ERR_INVALID);

	struct wire_outcome outcome = {{{1}}, WIRE_STATUS_DEAD}, outcome_back;
	Caisson__Wire__Outcome outcome_pb;
	assert_ok(wire_outcome_to_pb(&outcome_pb, &outcome, &arena));
	assert_ok(wire_outcome_from_pb(&outcome_back, &outcome_pb));
	assert_int_equal(outcome_back.status, WIRE_STATUS_DEAD);
	for (uint32_t status = 0; status < 6; status++) {
		outcome_pb.status = status;
		assert_err(wire_outcome_from_pb(&outcome_back, &outcome_pb),
			   status == 2 || status == 3 ? CS_OK : CS_ERR_INVALID);
	}
	struct cs_arena none;
	cs_arena_init(&none, block, 16);
	assert_err(wire_signed_to_pb(&pb, &statement, &none), CS_ERR_NO_MEMORY);
	assert_err(wire_message_to_pb(&full, &message, &none), CS_ERR_NO_MEMORY);
	assert_err(wire_outcome_to_pb(&outcome_pb, &outcome, &none), CS_ERR_NO_MEMORY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_bytes_fields, fresh),
		cmocka_unit_test_setup(test_number_fields, fresh),
		cmocka_unit_test_setup(test_messages_in_messages, fresh),
		cmocka_unit_test_setup(test_strings, fresh),
		cmocka_unit_test_setup(test_bounds, fresh),
		cmocka_unit_test_setup(test_why, fresh),
		cmocka_unit_test_setup(test_every_message, fresh),
		cmocka_unit_test_setup(test_every_bit, fresh),
		cmocka_unit_test_setup(test_memory, fresh),
		cmocka_unit_test_setup(test_encode_refusals, fresh),
		cmocka_unit_test_setup(test_convert, fresh),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
