#include "oracle.h"

#include "core/abi.h"
#include "core/hash.h"
#include "enclave/oracle/box.h"
#include "enclave/state.h"

#include <sodium.h>

static struct oracle_world *world_now;
/* The two clients: nobody looks into them. */
static uint8_t clients[2];
#define SOURCES ((struct fetch *)(void *)&clients[0])
#define PROVIDERS ((struct fetch *)(void *)&clients[1])
/* By the played clock: any time but its beginning. */
#define PLAYED_BEGIN_MS 1000000u

/* ---- what fetch.h promises ---- */

static void check_request(const struct fetch_request *request)
{
	cs_assert(request->host.name.n >= 1 && request->host.port != 0);
	cs_assert(request->target.n >= 1 && request->target.p[0] == '/');
	cs_assert(request->header_count <= FETCH_HEADERS_MAX &&
		  request->host_count <= FETCH_HOSTS_MAX && request->pin_count <= FETCH_PINS_MAX);
	for (size_t i = 0; i < request->target.n; i++)
		cs_assert(request->target.p[i] > ' ' && request->target.p[i] < 0x7f);
	cs_assert(request->post || request->body.n == 0);
	cs_assert(request->limits.total_ms >= 1000 &&
		  request->limits.total_ms <= FETCH_TOTAL_MS_DEFAULT);
}

/* One place for each provider: asked again, it has forgotten what it was asked before. */
static enum cs_err ask_provider(uint64_t id, const struct fetch_request *request)
{
	struct oracle_world *o = world_now;
	if (o->shut)
		return CS_ERR_NO_MEMORY;
	if (o->asked_count == ORACLE_PROVIDERS)
		o->asked_count = 0;
	struct oracle_asked *asked = &o->asked[o->asked_count++];
	*asked = (struct oracle_asked){.id = id, .context = request->context};
	cs_assert(request->host.name.n <= MANIFEST_HOST_SIZE_MAX);
	memcpy(asked->host, request->host.name.p, request->host.name.n);
	cs_assert(request->post && request->host_count == 0);
	cs_assert(cs_bytes_eq(request->body, verify_evm_quorum_question(VERIFY_EVM_FINALIZED)));
	return CS_OK;
}

enum cs_err fetch_start(struct fetch *fetch, uint64_t *id, const struct fetch_request *request)
{
	static uint64_t last;
	struct oracle_world *o = world_now;
	check_request(request);
	if (fetch == PROVIDERS) {
		CS_TRY(ask_provider(++last, request));
		*id = last;
		return CS_OK;
	}
	if (o->played_count == ORACLE_PLAYED_MAX)
		return CS_ERR_FULL;
	struct oracle_played *row = &o->played[o->played_count++];
	const size_t n = request->target.n < ORACLE_TARGET_SIZE_MAX ? request->target.n
								    : ORACLE_TARGET_SIZE_MAX;
	*row = (struct oracle_played){
		.id = ++last,
		.context = request->context,
		.feed = ((const struct lookup_source *)request->context)->lookup->feed};
	memcpy(row->target, request->target.p, n);
	*id = row->id;
	return CS_OK;
}

static void played_remove(struct oracle_world *o, size_t index)
{
	o->played_count--;
	memmove(&o->played[index], &o->played[index + 1],
		(o->played_count - index) * sizeof o->played[0]);
}

static bool cancel_provider(uint64_t id)
{
	for (size_t i = 0; i < world_now->asked_count; i++) {
		struct oracle_asked *asked = &world_now->asked[i];
		if (asked->id != id || asked->cancelled || asked->done)
			continue;
		asked->cancelled = true;
		asked->replied = false;
		return true;
	}
	return false;
}

bool fetch_cancel(struct fetch *fetch, uint64_t id)
{
	struct oracle_world *o = world_now;
	if (fetch == PROVIDERS)
		return cancel_provider(id);
	for (size_t i = 0; i < o->played_count; i++) {
		if (o->played[i].id == id) {
			played_remove(o, i);
			return true;
		}
	}
	return false;
}

/* Stands still while code runs: what is late is the test's to say, not the machine's. */
uint64_t fetch_now_ms(void)
{
	return PLAYED_BEGIN_MS + (world_now != NULL ? world_now->later_ms : 0);
}

bool fetch_take(struct fetch *fetch, const struct fetch_reply **reply)
{
	for (size_t i = 0; fetch == PROVIDERS && i < world_now->asked_count; i++) {
		if (!world_now->asked[i].replied)
			continue;
		*reply = &world_now->asked[i].reply;
		return true;
	}
	if (fetch == PROVIDERS)
		return false;
	if (world_now->taken_count == world_now->reply_count)
		return false;
	*reply = &world_now->replies[world_now->taken_count++];
	return true;
}

void fetch_release(struct fetch *fetch, const struct fetch_reply *reply)
{
	for (size_t i = 0; fetch == PROVIDERS && i < world_now->asked_count; i++) {
		if (reply != &world_now->asked[i].reply)
			continue;
		world_now->asked[i].replied = false;
		world_now->asked[i].done = true;
	}
	if (fetch == PROVIDERS)
		return;
	const size_t at = (size_t)(reply - world_now->replies);
	cs_assert(at < world_now->taken_count && reply->id != 0);
	world_now->replies[at].id = 0;
}

/* Replies stay where they are while anybody holds one. */
static struct fetch_reply *reply_place(struct oracle_world *o)
{
	bool held = o->taken_count != o->reply_count;
	for (size_t i = 0; i < o->reply_count && !held; i++)
		held = o->replies[i].id != 0;
	if (!held)
		o->reply_count = o->taken_count = 0;
	cs_assert(o->reply_count < ORACLE_PLAYED_MAX);
	return &o->replies[o->reply_count++];
}

void oracle_played_reply(struct oracle_world *o, size_t index, enum wire_oracle_code code,
			 struct cs_bytes body)
{
	cs_assert(index < o->played_count);
	*reply_place(o) =
		(struct fetch_reply){.id = o->played[index].id,
				     .context = o->played[index].context,
				     .code = code,
				     .body = code == WIRE_ORACLE_OK ? body : CS_BYTES_NONE,
				     .evidence = {.code = code, .completed = o->w->now.low_s},
				     .ends_s = o->ends_s,
				     .why = "as the test plays it"};
	played_remove(o, index);
}

void oracle_played_answer(struct oracle_world *o, size_t index, enum wire_oracle_code code,
			  struct cs_bytes body)
{
	oracle_played_reply(o, index, code, body);
	service_turn(&o->service, &o->w->now);
}

void oracle_by_ledger(struct oracle_world *o)
{
	struct enclave *e = o->w->e;
	e->ledger = &e->chains[e->chain_count - 1];
	e->manifest.insecure_host_time = false;
	e->manifest.ledger.proof_age_max_s = 1000;
	e->anchor.epoch = e->anchor.proven_epoch = 1;
	e->anchor.proven_counter = e->counter;
	e->anchor.proof_time_s = o->w->now.low_s;
	e->anchor.checked = true;
	e->time_low_s = o->w->now.low_s;
	oracle_time_answered(o, o->w->now.low_s);
}

void oracle_time_answered(struct oracle_world *o, uint64_t asked_by_s)
{
	struct enclave_clock *clock = &o->w->e->clock;
	clock->nonces.answered = ++clock->nonces.made;
	clock->nonces.asked_by_s = asked_by_s;
}

void oracle_provider_replies(struct oracle_world *o, size_t index, const struct fetch_reply *reply)
{
	struct oracle_asked *asked = &o->asked[index];
	cs_assert(index < o->asked_count && !asked->cancelled && !asked->replied && !asked->done);
	asked->reply = *reply;
	asked->reply.id = asked->id;
	asked->reply.context = asked->context;
	asked->replied = true;
}

/* ---- the world ---- */

static enum cs_err box_make_again(struct cs_secret *secret, struct cs_hash *x)
{
	static uint8_t number;
	memset(secret->b, 0xb0 ^ ++number, sizeof secret->b);
	return crypto_scalarmult_base(x->b, secret->b) == 0 ? CS_OK : CS_ERR_CRYPTO;
}

static void contract_add(struct oracle_world *o, struct cs_hash *identity, uint8_t number,
			 bool feeds)
{
	struct manifest_oracle *oracle = &o->w->manifest.oracle;
	struct manifest_contract *contract = &oracle->contracts[oracle->contract_count++];
	*identity = (struct cs_hash){{0xc0, number}};
	*contract = (struct manifest_contract){
		.chain = 0, .address = {{0xc0, number}}, .feeds = feeds, .identity = *identity};
}

static void providers_add(struct oracle_world *o)
{
	struct manifest *m = &o->w->manifest;
	struct manifest_finality *finality = &m->chains[0].finality;
	finality->mode = MANIFEST_RPC_QUORUM;
	finality->confirmations = 0;
	finality->rpc = (struct manifest_rpc){.tag = VERIFY_EVM_FINALIZED,
					      .quorum = 2,
					      .age_max_s = 600,
					      .count = ORACLE_PROVIDERS};
	m->has_rpc = true;
	m->provider_count = ORACLE_PROVIDERS;
	for (unsigned i = 0; i < ORACLE_PROVIDERS; i++) {
		m->providers[i] = (struct manifest_provider){.port = 443, .target = "/v1"};
		(void)snprintf(m->providers[i].host, MANIFEST_HOST_SIZE_MAX, "p%u.example", i);
	}
}

static struct oracle_world *make(bool providers)
{
	struct oracle_world *o = keep(sizeof *o);
	Caisson__Wire__InitRequest init = CAISSON__WIRE__INIT_REQUEST__INIT;
	Caisson__Wire__ClientCreateRequest create = CAISSON__WIRE__CLIENT_CREATE_REQUEST__INIT;
	assert_ok(box_init());
	world_now = o;
	o->w = world_new();
	o->w->manifest.oracle = (struct manifest_oracle){.present = true};
	contract_add(o, &o->requests, 1, false);
	contract_add(o, &o->feeds, 2, true);
	o->requests_address = o->w->manifest.oracle.contracts[0].address;
	(void)snprintf(o->w->manifest.oracle.forbidden.names[0], MANIFEST_HOST_SIZE_MAX,
		       ".evil.test");
	o->w->manifest.oracle.forbidden.count = 1;
	o->w->launch.role = ENCLAVE_ORACLE;
	o->w->launch.serve_count = 0;
	o->w->launch.box_make = box_make_again;
	if (providers)
		providers_add(o);
	world_restart(o->w);
	(void)world_ok(o->w, WIRE_INIT, &init.base);
	create.chain = pb_hash(&o->w->own);
	create.header = pb(o->w->blocks[0].raw);
	(void)world_ok(o->w, WIRE_CLIENT_CREATE, &create.base);
	o->box = o->w->e->boxes[0].x;
	service_init(&o->service, o->w->e, SOURCES, keep(LOOKUP_ARENA_SIZE));
	if (providers)
		quorum_init(&o->quorum, o->w->e, PROVIDERS);
	return o;
}

struct oracle_world *oracle_world_new(void)
{
	return make(false);
}

struct oracle_world *oracle_world_with_providers(void)
{
	return make(true);
}

void oracle_world_free(struct oracle_world *o)
{
	service_forget(&o->service);
	world_free(o->w);
	world_now = NULL;
}

const struct world_block *oracle_emit(struct oracle_world *o, const struct cs_hash *request_id)
{
	const struct cs_hash topics[2] = {
		cs_abi_topic("OracleRequested(bytes32,address,(uint64,address,bytes32,bytes32,"
			     "bytes32,address,uint64,uint256,uint64,uint64,uint64),bytes,string[],"
			     "bytes)"),
		*request_id};
	(void)world_emit_topics(o->w, &o->requests_address, topics, 2);
	const struct world_block *block = world_mine(o->w);
	world_update(o->w, block->height);
	world_advance(o->w, 2);
	return block;
}

struct cs_bytes oracle_seal(const struct oracle_world *o, const struct cs_hash *asker,
			    struct cs_bytes spec, const char *value,
			    const struct cs_hash *arguments)
{
	char text[1024];
	char fixed[100] = "";
	char hex[3][65] = {{0}};
	const struct cs_hash hash = wire_spec_hash(spec);
	cs_hex(hex[0], CS_BYTES_OF(asker->b));
	cs_hex(hex[1], CS_BYTES_OF(hash.b));
	if (arguments != NULL) {
		cs_hex(hex[2], CS_BYTES_OF(arguments->b));
		(void)snprintf(fixed, sizeof fixed, "\"arguments\":\"0x%s\",", hex[2]);
	}
	const int n =
		snprintf(text, sizeof text,
			 "{%s\"asker\":\"0x%s\",\"spec\":\"0x%s\",\"values\":{\"key\":\"%s\"}}",
			 fixed, hex[0], hex[1], value);
	assert_true(n > 0 && (size_t)n < sizeof text);
	uint8_t *sealed = keep((size_t)n + BOX_OVERHEAD_SIZE);
	assert_int_equal(
		crypto_box_seal(sealed, (const uint8_t *)text, (unsigned long long)n, o->box.b), 0);
	return cs_bytes(sealed, (size_t)n + BOX_OVERHEAD_SIZE);
}

/* ---- what must be true of every reply ---- */

static struct cs_hash leaf_of(enum wire_type type, bool failed,
			      const Caisson__Wire__OracleResult *result)
{
	const struct cs_bytes value = wire_pb_view(result->value);
	cs_assert(wire_oracle_code_name(result->code) != NULL);
	cs_assert((result->code == WIRE_ORACLE_OK) == (value.n != 0));
	if (type == WIRE_FEEDS)
		cs_assert((result->code != WIRE_ORACLE_OK) == failed);
	if (type == WIRE_FEEDS && !failed) {
		struct wire_feed_value feed = {wire_pb_hash(result->request_id),
					       wire_pb_hash(result->spec_hash),
					       result->observed_at,
					       wire_pb_hash(result->evidence_hash),
					       {{0}}};
		cs_assert(value.n == sizeof feed.value.b);
		memcpy(feed.value.b, value.p, value.n);
		return wire_leaf_feed(&feed);
	}
	const struct wire_answer answer = {wire_pb_hash(result->request_id),
					   wire_pb_hash(result->spec_hash),
					   result->code,
					   result->observed_at,
					   wire_pb_hash(result->evidence_hash),
					   value};
	return wire_leaf_answer(&answer);
}

static void check_part(const struct oracle_world *o, enum wire_type type, bool failed,
		       const Caisson__Wire__Statement *statement, size_t count,
		       Caisson__Wire__OracleResult *const *results)
{
	struct cs_hash leaves[SERVICE_ITEMS_MAX];
	struct wire_signed made;
	const struct cs_hash self = wire_oracle_identity(&o->w->manifest.lineage);
	bool signed_by_us = false;
	cs_assert(count <= SERVICE_ITEMS_MAX);
	cs_assert((statement != NULL) == (count != 0 && type != WIRE_DRY_RUN));
	for (size_t i = 0; i < count; i++)
		leaves[i] = leaf_of(type, failed, results[i]);
	if (statement == NULL)
		return;
	cs_assert(wire_signed_from_pb(&made, statement) == CS_OK);
	cs_assert(made.statement.kind == WIRE_KIND_ANSWER && made.path_count == 0);
	cs_assert(cs_hash_eq(&made.statement.signer, &self));
	const struct cs_hash root = wire_root(leaves, count);
	const struct enclave_chain *own = &o->w->e->chains[0];
	for (size_t i = 0; i < own->key_count && !signed_by_us; i++)
		signed_by_us = wire_signed_verify(o->w->sig, &made, &root, &own->keys[i].x,
						  WIRE_DOMAIN_INSECURE) == CS_OK;
	cs_assert(signed_by_us);
}

void oracle_check(const struct oracle_world *o, enum wire_type type,
		  const Caisson__Wire__OracleReply *reply)
{
	check_part(o, type, false, reply->statement, reply->n_results, reply->results);
	check_part(o, type, true, reply->failed_statement, reply->n_failed, reply->failed);
	cs_assert(type == WIRE_FEEDS || reply->n_failed == 0);
}
