/* An oracle's enclave on a chain whose final blocks are named by providers, asked in a row, while the
 * providers say what the input says. The input is a row of (step, size in two bytes, body). What must
 * hold: a block is final only where two of the three stood on it in one round, an event is taken only
 * of a final block, the final height never falls, and a client that froze stays so.
 *
 * With CAISSON_SEEDS=<folder> it writes valid rows there, the beginning of
 * tests/fuzz/corpus/quorum_step. */
#include "../unit/enclave/oracle.h"
#include "enclave/state.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum step {
	ASK,     /* body: of ClientQuorum; none: the own chain's */
	SAYS,    /* body: which provider, its code, its response */
	NAMES,   /* body: which provider, which block */
	HEADERS, /* body: which blocks, in this order */
	EVENT,   /* the contract's request is brought */
	PASSES,  /* body: milliseconds in two bytes; the third of them in seconds on the clock */
	HOST_GOES,
	STEP_COUNT,
};

static const enum wire_oracle_code codes[] = {
	WIRE_ORACLE_OK,       WIRE_ORACLE_UNREACHABLE,        WIRE_ORACLE_TIMEOUT,
	WIRE_ORACLE_TLS,      WIRE_ORACLE_HTTP_STATUS,        WIRE_ORACLE_TOO_LARGE,
	WIRE_ORACLE_REDIRECT, WIRE_ORACLE_MALFORMED_RESPONSE,
};

#define MAIN_BLOCKS 8u
#define FORK_AT 2u
#define BLOCKS 12u
#define PRICE                                                                                      \
	"{\"result\":{\"decimals\":8,\"type\":\"int256\"},\"sources\":[{\"extract\":{\"pointer\":" \
	"\"/p\"},\"url\":\"https://a.example/\"}],\"version\":1}"

static struct oracle_world *o;
static uint8_t *saved;
static size_t saved_size;
static struct enclave_secrets *saved_secrets;
static struct verify_time saved_now;
/* The main branch, then another from block FORK_AT on; the parent of the first is itself. */
static struct world_block blocks[BLOCKS];
static size_t parents[BLOCKS];
static char *answers[BLOCKS];
static bool backed[BLOCKS]; /* two stood on it in one round */
static size_t asked_in;     /* of the event */
static struct cs_bytes event;
static bool frozen;

/* ---- setup ---- */

static void prepare_event(const struct wire_request *request)
{
	Caisson__Wire__AnswerChainRequest in = CAISSON__WIRE__ANSWER_CHAIN_REQUEST__INIT;
	Caisson__Wire__OracleClaim claim = CAISSON__WIRE__ORACLE_CLAIM__INIT;
	Caisson__Wire__OracleHead head = CAISSON__WIRE__ORACLE_HEAD__INIT;
	Caisson__Wire__OracleQuery query = CAISSON__WIRE__ORACLE_QUERY__INIT;
	Caisson__Wire__OracleClaim *claims[1] = {&claim};
	const struct cs_hash fee = cs_u256_word(&request->fee);
	head.counter = request->counter;
	head.asker = pb_hash(&request->asker);
	head.callback = pb_hash(&request->callback);
	head.fee = pb_hash(&fee);
	head.max_age = request->max_age;
	head.time = request->time;
	head.deadline = request->deadline;
	query.spec = pb(cs_bytes_str(PRICE));
	claim.height = blocks[asked_in].height;
	claim.block_hash = pb_hash(&blocks[asked_in].hash);
	claim.proof = world_receipt_proof(&blocks[asked_in], 0);
	claim.head = &head;
	claim.query = &query;
	in.receiver = pb_hash(&o->requests);
	in.claims = claims;
	in.n_claims = 1;
	uint8_t *body = keep(protobuf_c_message_get_packed_size(&in.base));
	event = cs_bytes(body, protobuf_c_message_pack(&in.base, body));
}

static void prepare_blocks(void)
{
	while (o->w->block_count < MAIN_BLOCKS)
		(void)world_mine(o->w);
	for (size_t i = 0; i < BLOCKS; i++) {
		char hex[65];
		parents[i] = i == 0 ? 0 : i == MAIN_BLOCKS ? FORK_AT : i - 1;
		blocks[i] = i < MAIN_BLOCKS ? o->w->blocks[i]
					    : world_block_on(o->w, &blocks[parents[i]],
							     blocks[parents[i]].time_s + 1, 0xf0);
		answers[i] = keep(512);
		cs_hex(hex, CS_BYTES_OF(blocks[i].hash.b));
		(void)snprintf(answers[i], 512,
			       "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"number\":\"0x%llx\","
			       "\"hash\":\"0x%s\",\"timestamp\":\"0x%llx\"}}",
			       (unsigned long long)blocks[i].height, hex,
			       (unsigned long long)blocks[i].time_s);
	}
}

struct row {
	size_t n;
	uint8_t bytes[4096];
};

static void row_put(struct row *row, enum step step, const char *body, size_t n)
{
	assert_true(row->n + 3 + n <= sizeof row->bytes);
	row->bytes[row->n] = (uint8_t)step;
	cs_put_be16(row->bytes + row->n + 1, (uint16_t)n);
	memcpy(row->bytes + row->n + 3, body, n);
	row->n += 3 + n;
}
#define ROW(step, body) row_put(&row, (step), (body), sizeof(body) - 1)

static void seed(const char *name, const struct row *row)
{
	char path[512];
	(void)snprintf(path, sizeof path, "%s/%s", getenv("CAISSON_SEEDS"), name);
	FILE *file = fopen(path, "wb");
	assert_non_null(file);
	assert_int_equal(fwrite(row->bytes, 1, row->n, file), row->n);
	assert_int_equal(fclose(file), 0);
}

static void seeds(void)
{
	struct row row = {0};
	ROW(ASK, "");
	ROW(NAMES, "\x00\x01");
	ROW(NAMES, "\x01\x02");
	ROW(SAYS, "\x02\x01");
	ROW(EVENT, "");
	seed("one_down", &row);
	row.n = 0;
	ROW(ASK, "");
	ROW(NAMES, "\x00\x07");
	ROW(SAYS, "\x01\x00{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":null}");
	ROW(NAMES, "\x02\x05");
	ROW(HEADERS, "\x04\x05\x06\x07");
	ROW(EVENT, "");
	ROW(ASK, "");
	ROW(NAMES, "\x00\x0b");
	ROW(NAMES, "\x01\x0b");
	ROW(NAMES, "\x02\x0b");
	ROW(HEADERS, "\x08\x09\x0a\x0b");
	ROW(EVENT, "");
	seed("contradiction", &row);
	row.n = 0;
	ROW(ASK, "");
	ROW(NAMES, "\x00\x03");
	ROW(NAMES, "\x01\x03");
	ROW(PASSES, "\x04\x00");
	ROW(ASK, "");
	ROW(HOST_GOES, "");
	ROW(ASK, "short");
	seed("grace", &row);
}

static void setup(void)
{
	o = oracle_world_with_providers();
	const struct wire_request request = {.receiver = o->requests,
					     .counter = 1,
					     .spec_hash = wire_spec_hash(cs_bytes_str(PRICE)),
					     .arguments_hash = wire_arguments_hash(NULL, 0),
					     .max_age = 600,
					     .time = WORLD_START,
					     .deadline = WORLD_START + 1000};
	const struct cs_hash id = wire_request_id(&request);
	asked_in = oracle_emit(o, &id)->height;
	prepare_blocks();
	prepare_event(&request);
	if (getenv("CAISSON_SEEDS") != NULL)
		seeds();
	saved_size = enclave_size() - ENCLAVE_ARENA_SIZE -
		     (CS_MANIFEST_CHAINS_MAX - 2) * verify_evm_client_size();
	saved = malloc(saved_size);
	saved_secrets = malloc(sizeof *saved_secrets);
	assert_true(saved != NULL && saved_secrets != NULL);
	memcpy(saved, o->w->e, saved_size);
	*saved_secrets = *o->w->secrets;
	saved_now = o->w->now;
}

/* ---- what must hold ---- */

static bool descends(size_t block, size_t from)
{
	while (block != from && block != 0)
		block = parents[block];
	return block == from;
}

static void take_round(const Caisson__Wire__ClientQuorumReply *reply)
{
	size_t count[BLOCKS] = {0};
	for (size_t i = 0; i < reply->n_providers; i++) {
		const Caisson__Wire__ProviderAnswer *row = reply->providers[i];
		for (size_t named = 0; row->code == WIRE_ORACLE_OK && named < BLOCKS; named++) {
			if (row->height != blocks[named].height ||
			    memcmp(row->hash.data, blocks[named].hash.b, 32) != 0)
				continue;
			for (size_t b = 0; b < BLOCKS; b++)
				count[b] += descends(named, b);
		}
	}
	for (size_t b = 0; b < BLOCKS; b++)
		backed[b] = backed[b] || count[b] >= 2;
}

/* The block that is final; BLOCKS: none is yet. */
static size_t check_final(void)
{
	static uint64_t highest;
	struct verify_status status;
	size_t at = 0;
	verify_client_status(&o->w->e->chains[1].client, &status);
	cs_assert(!frozen || status.frozen);
	frozen = status.frozen;
	if (status.final_height == 0) {
		highest = 0;
		return BLOCKS;
	}
	while (at < BLOCKS && !cs_hash_eq(&blocks[at].hash, &status.final_hash))
		at++;
	cs_assert(at < BLOCKS && blocks[at].height == status.final_height && backed[at]);
	cs_assert(status.final_height >= highest);
	highest = status.final_height;
	return at;
}

static ProtobufCMessage *decode(enum wire_type type, const struct cs_buf *reply)
{
	ProtobufCMessage *message = NULL;
	struct cs_why why = {""};
	cs_arena_rewind(&o->w->arena, 0);
	cs_assert(wire_decode(&message, wire_type_message(type), cs_buf_view(reply), &o->w->arena,
			      &why) == CS_OK);
	return message;
}

/* ---- one step ---- */

static uint8_t memory[CS_FRAME_BODY_SIZE_MAX];

static void ask(struct cs_bytes body)
{
	static uint8_t own[34] = {0x0a, 32};
	enum wire_type type = WIRE_ERROR;
	struct cs_buf reply;
	memcpy(own + 2, o->w->own.b, 32);
	cs_buf_init(&reply, memory, sizeof memory);
	if (!quorum_request(&o->quorum, &type, &reply, 1, WIRE_CLIENT_QUORUM,
			    body.n == 0 ? CS_BYTES_OF(own) : body, &o->w->now))
		return;
	cs_assert(type == WIRE_ERROR);
	(void)decode(type, &reply);
}

static void says(size_t provider, const struct fetch_reply *reply)
{
	if (provider < o->asked_count && !o->asked[provider].cancelled &&
	    !o->asked[provider].replied && !o->asked[provider].done)
		oracle_provider_replies(o, provider, reply);
}

/* Nothing is kept: this runs for every input. */
static ProtobufCBinaryData view(struct cs_bytes bytes)
{
	return (ProtobufCBinaryData){bytes.n, (uint8_t *)(uintptr_t)bytes.p};
}

static void bring_headers(struct cs_bytes body)
{
	Caisson__Wire__ClientUpdateRequest in = CAISSON__WIRE__CLIENT_UPDATE_REQUEST__INIT;
	ProtobufCBinaryData headers[BLOCKS];
	static uint8_t packed[64 * 1024];
	struct cs_buf reply;
	for (size_t i = 0; i < body.n && i < BLOCKS; i++)
		headers[in.n_headers++] = view(blocks[body.p[i] % BLOCKS].raw);
	in.chain = view(CS_BYTES_OF(o->w->own.b));
	in.headers = headers;
	cs_assert(protobuf_c_message_get_packed_size(&in.base) <= sizeof packed);
	const size_t n = protobuf_c_message_pack(&in.base, packed);
	cs_buf_init(&reply, memory, sizeof memory);
	const enum wire_type type =
		enclave_step(o->w->e, &o->w->now, WIRE_CLIENT_UPDATE, cs_bytes(packed, n), &reply);
	cs_assert(type == WIRE_ERROR || type == WIRE_CLIENT_UPDATE + 1);
}

static void bring_event(void)
{
	enum wire_type type = WIRE_ERROR;
	struct cs_buf reply;
	const size_t final = check_final();
	cs_buf_init(&reply, memory, sizeof memory);
	const bool taken = !service_request(&o->service, &type, &reply, 1, WIRE_ANSWER_CHAIN, event,
					    &o->w->now);
	cs_assert(!taken || (final != BLOCKS && !frozen && descends(final, asked_in)));
	service_forget(&o->service);
}

static void happen(enum step step, struct cs_bytes body)
{
	switch (step) {
	case ASK:
		ask(body);
		break;
	case SAYS:
		if (body.n >= 2)
			says(body.p[0] % ORACLE_PROVIDERS,
			     &(struct fetch_reply){.code = codes[body.p[1] % CS_LEN(codes)],
						   .body = cs_bytes(body.p + 2, body.n - 2),
						   .why = "as the input says"});
		break;
	case NAMES:
		if (body.n >= 2)
			says(body.p[0] % ORACLE_PROVIDERS,
			     &(struct fetch_reply){
				     .body = cs_bytes_str(answers[body.p[1] % BLOCKS])});
		break;
	case HEADERS:
		if (body.n != 0)
			bring_headers(body);
		break;
	case EVENT:
		bring_event();
		break;
	case PASSES:
		if (body.n >= 2)
			o->later_ms += cs_be16(body.p);
		if (body.n >= 3) {
			o->w->now.low_s += body.p[2];
			o->w->now.high_s = o->w->now.low_s;
		}
		break;
	case HOST_GOES:
		quorum_forget(&o->quorum);
		break;
	case STEP_COUNT:
		break;
	}
}

static void turn(void)
{
	quorum_turn(&o->quorum, &o->w->now);
	while (quorum_is_ready(&o->quorum)) {
		uint64_t frame_id = 0;
		struct cs_buf reply;
		cs_buf_init(&reply, memory, sizeof memory);
		const enum wire_type type = quorum_reply(&o->quorum, &reply, &frame_id);
		cs_assert(type == WIRE_ERROR || type == WIRE_CLIENT_QUORUM_REPLY);
		const ProtobufCMessage *message = decode(type, &reply);
		if (type == WIRE_CLIENT_QUORUM_REPLY)
			take_round((const Caisson__Wire__ClientQuorumReply *)message);
	}
	(void)check_final();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (o == NULL)
		setup();
	memcpy(o->w->e, saved, saved_size);
	memcpy(o->w->secrets, saved_secrets, offsetof(struct enclave_secrets, scratch));
	memset(backed, 0, sizeof backed);
	o->w->now = saved_now;
	o->later_ms = 0;
	frozen = false;
	while (size >= 3) {
		size_t n = cs_be16(data + 1);
		if (n > size - 3)
			n = size - 3;
		/* A copy of exactly this size, so that a sanitizer sees every step outside. */
		uint8_t *body = malloc(n + (n == 0));
		cs_assert(body != NULL);
		memcpy(body, data + 3, n);
		happen((enum step)(data[0] % STEP_COUNT), cs_bytes(body, n));
		turn();
		free(body);
		data += 3 + n;
		size -= 3 + n;
	}
	quorum_forget(&o->quorum);
	o->asked_count = 0;
	return 0;
}
