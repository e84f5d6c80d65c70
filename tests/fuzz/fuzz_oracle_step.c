/* Requests in a row against an oracle's enclave that has keys and a client, whose sources answer what
 * the input says. The input is a row of (index of the step, size in two bytes, body): a request, or
 * something that happens meanwhile. Each answer must be one that a strict reader takes, what is signed
 * must be what the rows say, and nothing may hold a secret.
 *
 * With CAISSON_SEEDS=<folder> it writes valid rows there, the beginning of
 * tests/fuzz/corpus/oracle_step. */
#include "../unit/enclave/oracle.h"
#include "enclave/state.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const enum wire_type types[] = {
	WIRE_HELLO,         WIRE_INIT,          WIRE_EXPORT,   WIRE_IMPORT,
	WIRE_CLIENT_CREATE, WIRE_CLIENT_UPDATE, WIRE_CONFLICT, WIRE_ROTATE,
	WIRE_PUBLIC_KEYS,   WIRE_STATUS,        WIRE_PROBE,    WIRE_ERROR,
	WIRE_ANSWER_APP,    WIRE_ANSWER_CHAIN,  WIRE_FEEDS,    WIRE_DRY_RUN,
	WIRE_LEARN_KEY,     WIRE_SIGN_MESSAGES,
};

/* What else can happen. */
enum happening {
	SOURCE_ANSWERS = CS_LEN(types), /* body: which of the sources, its code, the response */
	CLIENT_GOES,
	TIME_PASSES, /* body: seconds in two bytes */
	STEP_COUNT,
};

static const enum wire_oracle_code codes[] = {
	WIRE_ORACLE_OK,        WIRE_ORACLE_UNREACHABLE,        WIRE_ORACLE_TIMEOUT,
	WIRE_ORACLE_TLS,       WIRE_ORACLE_REDIRECT,           WIRE_ORACLE_HTTP_STATUS,
	WIRE_ORACLE_TOO_LARGE, WIRE_ORACLE_MALFORMED_RESPONSE, WIRE_ORACLE_NOT_ALLOWED,
};

#define SECRET "a-secret-that-nobody-learns"

static struct oracle_world *o;
/* The enclave as it is after the setup: its struct and the state of its one client. */
static uint8_t *saved;
static size_t saved_size;
static struct enclave_secrets *saved_secrets;
static struct verify_time saved_now;

/* ---- valid rows ---- */

struct row {
	size_t n;
	uint8_t bytes[65536];
};

static void row_put(struct row *row, uint8_t step, struct cs_bytes body)
{
	assert_true(row->n + 3 + body.n <= sizeof row->bytes);
	row->bytes[row->n] = step;
	cs_put_be16(row->bytes + row->n + 1, (uint16_t)body.n);
	memcpy(row->bytes + row->n + 3, body.p, body.n);
	row->n += 3 + body.n;
}

static void row_request(struct row *row, enum wire_type type, const ProtobufCMessage *request)
{
	const size_t size = protobuf_c_message_get_packed_size(request);
	uint8_t *body = keep(size);
	uint8_t step = 0;
	(void)protobuf_c_message_pack(request, body);
	while (types[step] != type)
		step++;
	row_put(row, step, cs_bytes(body, size));
}

static void row_answer(struct row *row, uint8_t index, uint8_t code, const char *response)
{
	const size_t n = strlen(response);
	uint8_t *body = keep(n + 2);
	body[0] = index;
	body[1] = code;
	memcpy(body + 2, response, n);
	row_put(row, SOURCE_ANSWERS, cs_bytes(body, n + 2));
}

static void seed(const char *name, const struct row *row)
{
	char path[512];
	(void)snprintf(path, sizeof path, "%s/%s", getenv("CAISSON_SEEDS"), name);
	FILE *file = fopen(path, "wb");
	assert_non_null(file);
	assert_int_equal(fwrite(row->bytes, 1, row->n, file), row->n);
	assert_int_equal(fclose(file), 0);
}

#define PRICE                                                                                      \
	"{\"result\":{\"decimals\":8,\"type\":\"int256\"},\"sources\":[{\"extract\":{\"pointer\":" \
	"\"/p\"},\"url\":\"https://a.example/\"}],\"version\":1}"
#define THREE                                                                                    \
	"{\"aggregate\":{\"k\":2,\"kind\":\"median\",\"spread_ppm\":10000},\"result\":{"         \
	"\"decimals\":2,\"rounding\":\"half_even\",\"type\":\"int256\"},\"sources\":[{"          \
	"\"extract\":{"                                                                          \
	"\"pointer\":\"/p\"},\"url\":\"https://a.example/\"},{\"extract\":{\"pointer\":\"/q\"}," \
	"\"url\":\"https://b.example/\"},{\"extract\":{\"script\":\"return "                     \
	"json.decode(body).p\"},"                                                                \
	"\"url\":\"https://c.example/\"}],\"version\":1}"
#define SECRETIVE                                                                                  \
	"{\"result\":{\"type\":\"string\"},\"sources\":[{\"extract\":{\"whole\":true},"            \
	"\"headers\":[["                                                                           \
	"\"authorization\",\"{secret:key}\"]],\"url\":\"https://a.example/{0}?k={secret:key}\"}]," \
	"\"version\":1}"

static void seeds_of_apps(void)
{
	Caisson__Wire__AnswerAppRequest in = CAISSON__WIRE__ANSWER_APP_REQUEST__INIT;
	Caisson__Wire__OracleQuery query = CAISSON__WIRE__ORACLE_QUERY__INIT;
	Caisson__Wire__DryRunRequest dry = CAISSON__WIRE__DRY_RUN_REQUEST__INIT;
	const struct cs_bytes audience = cs_bytes_str("app");
	const struct cs_hash asker = wire_app_asker(audience);
	ProtobufCBinaryData arguments[1] = {pb(cs_bytes_str("eth"))};
	struct row *row = keep(sizeof *row);
	in.audience = pb(audience);
	in.query = &query;
	in.max_age = 600;
	in.timeout_s = 60;
	query.spec = pb(cs_bytes_str(PRICE));
	row_request(row, WIRE_ANSWER_APP, &in.base);
	row_answer(row, 0, 0, "{\"p\":\"1.25\"}");
	seed("app", row);
	row = keep(sizeof *row);
	query.spec = pb(cs_bytes_str(SECRETIVE));
	query.arguments = arguments;
	query.n_arguments = 1;
	query.secrets = pb(oracle_seal(o, &asker, cs_bytes_str(SECRETIVE), SECRET, NULL));
	row_request(row, WIRE_ANSWER_APP, &in.base);
	row_answer(row, 0, 0, "text");
	row_request(row, WIRE_ANSWER_APP, &in.base);
	row_answer(row, 0, 2, "");
	seed("secrets", row);
	row = keep(sizeof *row);
	dry.spec = pb(cs_bytes_str(THREE));
	row_request(row, WIRE_DRY_RUN, &dry.base);
	row_answer(row, 2, 0, "{\"p\":\"100.5\"}");
	row_answer(row, 0, 0, "{\"p\":\"100.25\"}");
	row_answer(row, 0, 0, "{\"q\":[]}");
	row_put(row, CLIENT_GOES, CS_BYTES_NONE);
	row_put(row, TIME_PASSES, cs_bytes((const uint8_t *)"\1\2", 2));
	seed("dry_run", row);
}

static void seeds_of_feeds(void)
{
	Caisson__Wire__FeedsRequest in = CAISSON__WIRE__FEEDS_REQUEST__INIT;
	Caisson__Wire__FeedClaim claims[2] = {CAISSON__WIRE__FEED_CLAIM__INIT,
					      CAISSON__WIRE__FEED_CLAIM__INIT};
	Caisson__Wire__FeedClaim *list[2] = {&claims[0], &claims[1]};
	struct row *row = keep(sizeof *row);
	claims[0].spec = pb(cs_bytes_str(PRICE));
	claims[1].spec = pb(cs_bytes_str(THREE));
	claims[1].index = 1;
	in.receiver = pb_hash(&o->feeds);
	in.claims = list;
	in.n_claims = 2;
	row_request(row, WIRE_FEEDS, &in.base);
	row_answer(row, 0, 0, "{\"p\":7}");
	row_answer(row, 0, 0, "{\"p\":100}");
	row_answer(row, 0, 0, "{\"q\":101}");
	row_answer(row, 0, 0, "{\"p\":\"500\"}");
	row_request(row, WIRE_FEEDS, &in.base);
	for (uint8_t i = 1; i < 5; i++)
		row_answer(row, 0, i, "");
	seed("feeds", row);
}

static void seed_of_a_chain(const struct wire_request *request, const struct world_block *block)
{
	Caisson__Wire__AnswerChainRequest in = CAISSON__WIRE__ANSWER_CHAIN_REQUEST__INIT;
	Caisson__Wire__OracleClaim claim = CAISSON__WIRE__ORACLE_CLAIM__INIT;
	Caisson__Wire__OracleHead head = CAISSON__WIRE__ORACLE_HEAD__INIT;
	Caisson__Wire__OracleQuery query = CAISSON__WIRE__ORACLE_QUERY__INIT;
	Caisson__Wire__OracleClaim *claims[1] = {&claim};
	const struct cs_hash fee = cs_u256_word(&request->fee);
	struct row *row = keep(sizeof *row);
	head.counter = request->counter;
	head.asker = pb_hash(&request->asker);
	head.callback = pb_hash(&request->callback);
	head.callback_gas = request->callback_gas;
	head.fee = pb_hash(&fee);
	head.max_age = request->max_age;
	head.time = request->time;
	head.deadline = request->deadline;
	query.spec = pb(cs_bytes_str(PRICE));
	claim.height = block->height;
	claim.block_hash = pb_hash(&block->hash);
	claim.proof = world_receipt_proof(block, 0);
	claim.head = &head;
	claim.query = &query;
	in.receiver = pb_hash(&o->requests);
	in.claims = claims;
	in.n_claims = 1;
	row_request(row, WIRE_ANSWER_CHAIN, &in.base);
	row_answer(row, 0, 0, "{\"p\":-3}");
	seed("chain", row);
}

static void seeds_of_state(void)
{
	const struct cs_hash nonce = {{3}};
	const struct cs_hash self = wire_oracle_identity(&o->w->manifest.lineage);
	const struct cs_hash boxes = enclave_box_identity(o->w->e);
	Caisson__Wire__HelloRequest hello = CAISSON__WIRE__HELLO_REQUEST__INIT;
	Caisson__Wire__StatusRequest status = CAISSON__WIRE__STATUS_REQUEST__INIT;
	Caisson__Wire__RotateRequest rotate = CAISSON__WIRE__ROTATE_REQUEST__INIT;
	Caisson__Wire__ExportRequest export = CAISSON__WIRE__EXPORT_REQUEST__INIT;
	struct row *row = keep(sizeof *row);
	hello.nonce = pb_hash(&nonce);
	status.nonce = pb_hash(&nonce);
	rotate.chain = pb_hash(&self);
	row_request(row, WIRE_HELLO, &hello.base);
	row_request(row, WIRE_STATUS, &status.base);
	row_request(row, WIRE_ROTATE, &rotate.base);
	rotate.chain = pb_hash(&boxes);
	row_request(row, WIRE_ROTATE, &rotate.base);
	row_request(row, WIRE_EXPORT, &export.base);
	seed("state", row);
}

/* ---- setup ---- */

static void setup(void)
{
	o = oracle_world_new();
	const struct wire_request request = {.receiver = o->requests,
					     .counter = 1,
					     .asker = {{0}},
					     .spec_hash = wire_spec_hash(cs_bytes_str(PRICE)),
					     .arguments_hash = wire_arguments_hash(NULL, 0),
					     .max_age = 600,
					     .time = WORLD_START,
					     .deadline = WORLD_START + 1000};
	const struct cs_hash id = wire_request_id(&request);
	const struct world_block *block = oracle_emit(o, &id);
	if (getenv("CAISSON_SEEDS") != NULL) {
		seeds_of_apps();
		seeds_of_feeds();
		seed_of_a_chain(&request, block);
		seeds_of_state();
	}
	saved_size = enclave_size() - ENCLAVE_ARENA_SIZE -
		     (CS_MANIFEST_CHAINS_MAX - 2) * verify_evm_client_size();
	saved = malloc(saved_size);
	saved_secrets = malloc(sizeof *saved_secrets);
	assert_true(saved != NULL && saved_secrets != NULL);
	memcpy(saved, o->w->e, saved_size);
	*saved_secrets = *o->w->secrets;
	saved_now = o->w->now;
}

/* ---- one input ---- */

static void check_absent(struct cs_bytes secret, struct cs_bytes input, struct cs_bytes reply)
{
	/* An echo of what came in (a nonce that guessed right) is no leak. */
	if (memmem(reply.p, reply.n, secret.p, secret.n) != NULL)
		cs_assert(memmem(input.p, input.n, secret.p, secret.n) != NULL);
}

static void check_reply(enum wire_type type, struct cs_bytes input, struct cs_bytes reply)
{
	const struct enclave_secrets *secrets = o->w->secrets;
	ProtobufCMessage *message = NULL;
	struct cs_why why = {""};
	cs_arena_rewind(&o->w->arena, 0);
	cs_assert(wire_decode(&message, wire_type_message(type), reply, &o->w->arena, &why) ==
		  CS_OK);
	check_absent(CS_BYTES_OF(secrets->chains[0].statement[0].b), input, reply);
	check_absent(CS_BYTES_OF(secrets->boxes[0].b), input, reply);
	check_absent(CS_BYTES_OF(secrets->seal_root.b), input, reply);
	check_absent(cs_bytes_str(SECRET), input, reply);
	if (message->descriptor == &caisson__wire__oracle_reply__descriptor)
		oracle_check(o, (enum wire_type)(type - 1),
			     (const Caisson__Wire__OracleReply *)(const void *)message);
}

static void ask(enum wire_type type, struct cs_bytes body, struct cs_bytes input,
		struct cs_buf *reply)
{
	enum wire_type answer;
	if (!service_request(&o->service, &answer, reply, 1, type, body, &o->w->now))
		return;
	cs_assert(answer == WIRE_ERROR || answer == type + 1);
	check_reply(answer, input, cs_buf_view(reply));
}

static void happen(uint8_t step, struct cs_bytes body, struct cs_bytes input, struct cs_buf *reply)
{
	if (step < CS_LEN(types)) {
		ask(types[step], body, input, reply);
	} else if (step == SOURCE_ANSWERS && body.n >= 2 && o->played_count != 0) {
		oracle_played_answer(o, body.p[0] % o->played_count,
				     codes[body.p[1] % CS_LEN(codes)],
				     cs_bytes(body.p + 2, body.n - 2));
	} else if (step == CLIENT_GOES) {
		service_forget(&o->service);
		cs_assert(o->played_count == 0);
	} else if (step == TIME_PASSES && body.n >= 2) {
		o->w->now.low_s += cs_be16(body.p);
		o->w->now.high_s = o->w->now.low_s;
	}
}

/* A copy of exactly this size, so that a sanitizer sees every step outside. All live until the input
 * has been played. */
struct body {
	struct body *before;
	uint8_t *bytes;
};

static struct cs_bytes body_copy(struct body **bodies, const uint8_t *bytes, size_t n)
{
	struct body *body = malloc(sizeof *body);
	cs_assert(body != NULL);
	body->before = *bodies;
	body->bytes = malloc(n);
	cs_assert(body->bytes != NULL || n == 0);
	if (n > 0)
		memcpy(body->bytes, bytes, n);
	*bodies = body;
	return cs_bytes(body->bytes, n);
}

static void bodies_free(struct body *body)
{
	while (body != NULL) {
		struct body *before = body->before;
		free(body->bytes);
		free(body);
		body = before;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t memory[CS_FRAME_BODY_SIZE_MAX];
	struct body *bodies = NULL;
	const struct cs_bytes input = cs_bytes(data, size);
	if (o == NULL)
		setup();
	memcpy(o->w->e, saved, saved_size);
	memcpy(o->w->secrets, saved_secrets, offsetof(struct enclave_secrets, scratch));
	o->w->now = saved_now;
	while (size >= 3) {
		struct cs_buf reply;
		uint64_t frame_id = 0;
		size_t n = cs_be16(data + 1);
		if (n > size - 3)
			n = size - 3;
		cs_buf_init(&reply, memory, sizeof memory);
		/* What a source said is extracted from in a turn that has time, which may be a later one. */
		happen(data[0] % STEP_COUNT, body_copy(&bodies, data + 3, n), input, &reply);
		service_turn(&o->service, &o->w->now);
		while (service_is_ready(&o->service)) {
			cs_buf_init(&reply, memory, sizeof memory);
			const enum wire_type type = service_reply(&o->service, &reply, &frame_id);
			check_reply(type, input, cs_buf_view(&reply));
		}
		data += 3 + n;
		size -= 3 + n;
	}
	service_forget(&o->service);
	cs_assert(o->service.job_count == 0 && o->played_count == 0);
	bodies_free(bodies);
	return 0;
}
