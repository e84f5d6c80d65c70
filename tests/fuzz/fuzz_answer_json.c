/* A signed answer, or round of a feed, as a document. Input that begins with '{' is read as one:
 * what is accepted is written and read again to the same. Other input makes the parts of an answer
 * whose hashes are then right: if they pass the check, the document that is written of them is read
 * to the same. */
#include "core/utf8.h"
#include "oracle/answer_json.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>

static struct oracle_answer answer;
static struct oracle_answer again;

static void same_again(struct cs_arena *arena)
{
	struct cs_why why = {{0}};
	json_t *written = oracle_answer_json(&answer, arena);
	cs_assert(written != NULL);
	char *text = json_dumps(written, JSON_COMPACT | JSON_ENSURE_ASCII);
	cs_assert(text != NULL && strlen(text) <= ORACLE_ANSWER_SIZE_MAX);
	free(text);
	cs_assert(oracle_answer_read(&again, written, arena, &why) == CS_OK);
	json_t *twice = oracle_answer_json(&again, arena);
	cs_assert(twice != NULL && json_equal(written, twice));
	cs_assert(cs_hash_eq(&answer.answer.request_id, &again.answer.request_id));
	json_decref(twice);
	json_decref(written);
}

static void read_document(struct cs_bytes input, struct cs_arena *arena)
{
	struct cs_why why = {{0}};
	json_t *json = json_loadb((const char *)input.p, input.n, JSON_REJECT_DUPLICATES, NULL);
	if (json == NULL)
		return;
	if (oracle_answer_read(&answer, json, arena, &why) == CS_OK)
		same_again(arena);
	else
		cs_assert(why.text[0] != '\0');
	json_decref(json);
}

/* ---- answers of parts ---- */

/* Zeros behind the end. */
static void take(void *out, size_t n, struct cs_bytes *rest)
{
	const size_t have = n < rest->n ? n : rest->n;
	memset(out, 0, n);
	if (have != 0)
		memcpy(out, rest->p, have);
	*rest = cs_bytes(rest->p + have, rest->n - have);
}

static uint64_t take_number(struct cs_bytes *rest)
{
	uint8_t bytes[8];
	take(bytes, sizeof bytes, rest);
	return cs_be64(bytes);
}

static uint8_t take_byte(struct cs_bytes *rest)
{
	uint8_t byte;
	take(&byte, 1, rest);
	return byte;
}

static struct cs_bytes take_view(size_t size_max, struct cs_bytes *rest)
{
	const size_t wanted = take_number(rest) % (size_max + 1);
	const size_t n = wanted < rest->n ? wanted : rest->n;
	const struct cs_bytes view = cs_bytes(rest->p, n);
	*rest = cs_bytes(rest->p + n, rest->n - n);
	return view;
}

static const char *const specs[] = {
	"{\"result\":{\"decimals\":8,\"type\":\"int256\"},\"sources\":[{\"extract\":{\"pointer\":"
	"\"/p\"},"
	"\"url\":\"https://a.example/\"}],\"version\":1}",
	"{\"result\":{\"type\":\"string\"},\"sources\":[{\"extract\":{\"whole\":true},\"url\":"
	"\"https://a.example/{0}\"}],\"version\":1}",
	"{\"result\":{\"type\":\"bytes[]\"},\"sources\":[{\"extract\":{\"pointer\":\"/p\"},\"url\":"
	"\"https://a.example/\"}],\"version\":1}",
	"{\"result\":{\"type\":\"bool\"},\"sources\":[{\"extract\":{\"pointer\":\"/p\"},\"url\":"
	"\"https://a.example/\"}],\"version\":1}",
	"{\"result\":{\"decimals\":36,\"type\":\"uint256[]\"},\"sources\":[{\"extract\":{"
	"\"pointer\":"
	"\"/p\"},\"url\":\"https://a.example/\"}],\"version\":1}",
};
static const uint8_t codes[] = {0, 1, 2, 3, 4, 16, 17, 18, 19, 20, 21, 22, 32, 33, 34, 48, 5, 255};
static const char *const hosts[] = {"a.example:443", "", "127.0.0.1:8443", "b\"c\\d:1"};

static void take_row(struct wire_evidence_source *row, uint8_t index, struct cs_bytes *rest)
{
	*row = (struct wire_evidence_source){
		.index = index,
		.code = codes[take_byte(rest) % CS_LEN(codes)],
		.host_port = cs_bytes_str(hosts[take_byte(rest) % CS_LEN(hosts)])};
	if (oracle_evidence_protocol(row, (uint32_t)take_number(rest)) != CS_OK)
		cs_assert(row->version == 0 && row->sct_count == 0);
	take(row->leaf_spki.b, sizeof row->leaf_spki.b, rest);
	row->cipher = (uint16_t)take_number(rest);
	row->completed = take_number(rest);
}

static void take_asker(struct cs_bytes *rest)
{
	struct wire_request *request = &answer.request;
	answer.app = take_byte(rest) % 2 == 0 && !answer.round;
	if (answer.app) {
		answer.audience = take_view(WIRE_AUDIENCE_SIZE_MAX, rest);
		if (!cs_utf8_is_valid(answer.audience))
			answer.audience = CS_BYTES_NONE;
		request->receiver = wire_app_identity(answer.audience);
		request->asker = wire_app_asker(answer.audience);
		return;
	}
	memcpy(answer.contract.caip2, "eip155:31337", sizeof "eip155:31337");
	take(answer.contract.address.b, sizeof answer.contract.address.b, rest);
	request->receiver =
		wire_identity(cs_bytes_str(answer.contract.caip2), &answer.contract.genesis,
			      CS_BYTES_OF(answer.contract.address.b));
	take(request->asker.b, sizeof request->asker.b, rest);
	take(request->callback.b, sizeof request->callback.b, rest);
	request->callback_gas = take_number(rest);
	take(request->fee.limb, sizeof request->fee.limb, rest);
}

static void take_answer(struct cs_bytes *rest)
{
	struct wire_answer *part = &answer.answer;
	part->code = codes[take_byte(rest) % CS_LEN(codes)];
	part->observed_at = take_number(rest);
	part->value = part->code == 0 ? take_view(WIRE_VALUE_SIZE_MAX, rest) : CS_BYTES_NONE;
	part->spec_hash = answer.request.spec_hash = wire_spec_hash(answer.spec);
	part->request_id = answer.round ? wire_feed_id(&answer.request.receiver, answer.feed_index)
					: wire_request_id(&answer.request);
	part->evidence_hash =
		wire_evidence_hash(answer.time_flags, answer.sources, answer.source_count);
}

static struct cs_hash leaf_of_parts(void)
{
	const struct wire_answer *part = &answer.answer;
	struct wire_feed_value feed = {.feed_id = part->request_id,
				       .spec_hash = part->spec_hash,
				       .observed_at = part->observed_at,
				       .evidence_hash = part->evidence_hash};
	if (!answer.round || part->value.n != sizeof feed.value.b)
		return wire_leaf_answer(part);
	memcpy(feed.value.b, part->value.p, sizeof feed.value.b);
	return wire_leaf_feed(&feed);
}

static void take_statement(struct cs_bytes *rest)
{
	struct wire_statement *statement = &answer.statement.statement;
	const struct cs_hash leaf = leaf_of_parts();
	statement->kind = WIRE_KIND_ANSWER;
	statement->signer = wire_oracle_identity(&answer.lineage);
	statement->receiver = answer.request.receiver;
	statement->epoch = take_number(rest);
	statement->manifest_number = take_number(rest);
	answer.statement.path_count = take_byte(rest) % (CS_PATH_MAX + 1);
	statement->root = wire_fold(&leaf, answer.statement.path, answer.statement.path_count);
	take(&answer.key, sizeof answer.key, rest);
	answer.insecure = take_byte(rest) % 2 == 0;
}

static void of_parts(struct cs_bytes rest, struct cs_arena *arena)
{
	struct cs_why why = {{0}};
	memset(&answer, 0, sizeof answer);
	const uint8_t first = take_byte(&rest);
	answer.spec = cs_bytes_str(specs[first % CS_LEN(specs)]);
	answer.round = first >= 0x80;
	take_asker(&rest);
	if (answer.round)
		answer.feed_index = take_number(&rest);
	else
		answer.argument_count = take_byte(&rest) % (WIRE_ARGUMENTS_MAX + 1);
	for (size_t i = 0; i < answer.argument_count; i++)
		answer.arguments[i] = take_view(WIRE_ARGUMENT_SIZE_MAX, &rest);
	answer.request.arguments_hash =
		wire_arguments_hash(answer.arguments, answer.argument_count);
	answer.request.counter = take_number(&rest);
	answer.request.max_age = take_number(&rest);
	answer.request.time = take_number(&rest);
	answer.request.deadline = take_number(&rest);
	answer.time_flags = take_number(&rest);
	answer.source_count = take_byte(&rest) % (WIRE_SOURCES_MAX + 1);
	for (uint8_t i = 0; i < answer.source_count; i++)
		take_row(&answer.sources[i], i, &rest);
	answer.request.spec_hash = wire_spec_hash(answer.spec);
	take_answer(&rest);
	take_statement(&rest);
	if (oracle_answer_check(&answer, arena, &why) == CS_OK)
		same_again(arena);
	else
		cs_assert(why.text[0] != '\0');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct cs_bytes input = cs_bytes(data, size);
	if (size == 0 || size > 65536)
		return 0;
	if (data[0] == '{')
		read_document(input, fuzz_arena());
	else
		of_parts(input, fuzz_arena());
	return 0;
}
