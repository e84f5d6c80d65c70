#include "enclave/oracle/service.h"

#include "core/abi.h"
#include "verify/evm/receipt.h"

#include <stdlib.h>
#include <string.h>

struct item {
	struct lookup lookup;
	struct wire_request request; /* of an app or a contract */
	struct cs_hash id;           /* requestId, or feedId */
};

/* Scripts of many replies are run in one turn for so long, and the one that began ends. */
#define SERVICE_TURN_MS 20u

struct service_job {
	struct service_job *next;
	uint64_t frame_id;
	enum wire_type type;
	struct cs_hash receiver;
	const struct enclave_chain *chain; /* of the contract that asked; NULL: no chain asked */
	uint64_t epoch;
	enum cs_err err;      /* of the machine: nothing is signed */
	uint64_t nonce;       /* after all sources had answered: enclave_clock_next; 0: not yet */
	uint64_t nonce_by_ms; /* by fetch_now_ms: then there is no time */
	size_t item_count;
	struct item items[];
};

void service_init(struct service *service, struct enclave *e, struct fetch *fetch, void *block)
{
	*service = (struct service){.world = {.e = e, .fetch = fetch, .end_next_ms = UINT64_MAX}};
	service->last = &service->first;
	cs_arena_init(&service->world.arena, block, LOOKUP_ARENA_SIZE);
}

/* ---- jobs ---- */

static struct service_job *job_new(enum wire_type type, uint64_t frame_id, size_t item_count)
{
	struct service_job *job = calloc(1, sizeof *job + item_count * sizeof job->items[0]);
	if (job == NULL)
		return NULL;
	job->type = type;
	job->frame_id = frame_id;
	job->item_count = item_count;
	for (size_t i = 0; i < item_count; i++)
		job->items[i].lookup.owner = job;
	return job;
}

static void job_free(struct service *service, struct service_job *job)
{
	for (size_t i = 0; i < job->item_count; i++)
		lookup_close(&service->world, &job->items[i].lookup);
	free(job);
}

static bool has_heard(const struct service_job *job)
{
	for (size_t i = 0; i < job->item_count; i++)
		if (job->items[i].lookup.open_count != 0)
			return false;
	return true;
}

static bool job_is_ready(const struct service *service, const struct service_job *job)
{
	return job->err != CS_OK || (has_heard(job) && job->nonce != 0 &&
				     enclave_clock_covers(service->world.e, job->nonce));
}

static enum cs_err item_open(struct service *service, struct item *item,
			     const Caisson__Wire__OracleQuery *query)
{
	return lookup_open(&service->world, &item->lookup, wire_pb_view(query->spec),
			   query->arguments, query->n_arguments, wire_pb_view(query->secrets));
}

/* ---- requests of apps ---- */

static enum cs_err take_app(struct service *service, struct enclave_call *call,
			    struct service_job *job)
{
	const Caisson__Wire__AnswerAppRequest *in =
		(const Caisson__Wire__AnswerAppRequest *)call->request;
	const struct cs_bytes audience = wire_pb_view(in->audience);
	struct item *item = &job->items[0];
	uint8_t counter[8];
	if (in->max_age == 0 || in->max_age > WIRE_MAX_AGE_MAX)
		return cs_fail(&call->why, CS_ERR_INVALID, "max_age is 1 to %u", WIRE_MAX_AGE_MAX);
	if (in->timeout_s == 0 || in->timeout_s > SERVICE_TIMEOUT_MAX_S)
		return cs_fail(&call->why, CS_ERR_INVALID, "timeout_s is 1 to %u",
			       SERVICE_TIMEOUT_MAX_S);
	CS_TRY(enclave_random(call->e, counter, sizeof counter));
	job->epoch = in->epoch;
	job->receiver = wire_app_identity(audience);
	item->request = (struct wire_request){.receiver = job->receiver,
					      .counter = cs_be64(counter),
					      .asker = wire_app_asker(audience),
					      .max_age = in->max_age,
					      .time = call->now.low_s,
					      .deadline = call->now.low_s + in->timeout_s};
	item->lookup.asker = item->request.asker;
	item->lookup.deadline_s = item->request.deadline;
	CS_TRY(item_open(service, item, in->query));
	item->request.spec_hash = item->lookup.spec_hash;
	item->request.arguments_hash =
		wire_arguments_hash(item->lookup.arguments, item->lookup.argument_count);
	item->request.secrets_hash = wire_secrets_hash(item->lookup.secrets);
	item->id = wire_request_id(&item->request);
	return CS_OK;
}

static enum cs_err take_dry_run(struct service *service, struct enclave_call *call,
				struct service_job *job)
{
	const Caisson__Wire__DryRunRequest *in =
		(const Caisson__Wire__DryRunRequest *)call->request;
	struct lookup *lookup = &job->items[0].lookup;
	lookup->dry = true;
	lookup->deadline_s = call->now.low_s + SERVICE_DRY_RUN_S;
	return lookup_open(&service->world, lookup, wire_pb_view(in->spec), in->arguments,
			   in->n_arguments, CS_BYTES_NONE);
}

/* ---- requests of contracts ---- */

static enum cs_err contract_find(struct enclave_call *call,
				 const struct manifest_contract **contract,
				 ProtobufCBinaryData receiver, bool feeds)
{
	const struct manifest_oracle *oracle = &call->e->manifest.oracle;
	const struct cs_hash wanted = wire_pb_hash(receiver);
	for (size_t i = 0; i < oracle->contract_count; i++) {
		if (oracle->contracts[i].feeds == feeds &&
		    cs_hash_eq(&oracle->contracts[i].identity, &wanted)) {
			*contract = &oracle->contracts[i];
			return CS_OK;
		}
	}
	return cs_fail(&call->why, CS_ERR_NOT_IN_MANIFEST, "no contract of the manifest takes %s",
		       feeds ? "feeds under this identity" : "requests under this identity");
}

static struct enclave_chain *chain_of(struct enclave *e, const struct manifest_contract *contract)
{
	for (size_t i = 0; i < e->chain_count; i++)
		if (e->chains[i].manifest == &e->manifest.chains[contract->chain])
			return &e->chains[i];
	cs_assert(!"the chain of a contract");
	return NULL;
}

static enum cs_err refuse_item(struct enclave_call *call, enum cs_err err, size_t item,
			       const char *what)
{
	return cs_fail(&call->why, err, "item %zu: %s", item, what);
}

/* The log is the contract's event of exactly this request. */
static enum cs_err check_log(struct enclave_call *call, const struct manifest_contract *contract,
			     const struct verify_receipt *receipt, const struct verify_log *log,
			     const struct cs_hash *id, size_t item)
{
	const struct cs_hash topic = cs_abi_topic(
		"OracleRequested(bytes32,address,(uint64,address,bytes32,bytes32,bytes32,"
		"address,uint64,uint256,uint64,uint64,uint64),bytes,string[],bytes)");
	if (!cs_address_eq(&log->address, &contract->address))
		return refuse_item(call, CS_ERR_WRONG_CONTRACT, item, "not a log of the contract");
	if (log->topic_count < 2 || !cs_hash_eq(&log->topics[0], &topic))
		return refuse_item(call, CS_ERR_WRONG_EVENT, item, "not OracleRequested");
	if (cs_hash_eq(&log->topics[1], id))
		return CS_OK;
	const bool elsewhere = verify_receipt_has_topic(receipt, 1, id);
	return refuse_item(call, elsewhere ? CS_ERR_WRONG_LOG : CS_ERR_WRONG_RECEIPT, item,
			   "the log is of another request than these parts make");
}

static enum cs_err check_event(struct enclave_call *call, const struct manifest_contract *contract,
			       const struct enclave_blocks *blocks,
			       const Caisson__Wire__OracleClaim *claim, const struct cs_hash *id,
			       size_t item)
{
	struct verify_block block;
	struct verify_nodes nodes;
	struct verify_receipt receipt;
	struct verify_log log;
	const struct cs_hash claimed = wire_pb_hash(claim->block_hash);
	CS_TRY(enclave_blocks_find(call, &block, blocks, claim->height));
	if (!cs_hash_eq(&block.hash, &claimed))
		return refuse_item(call, CS_ERR_WRONG_BLOCK, item,
				   "another block is final at this height");
	CS_TRY(enclave_nodes(call, &nodes, claim->proof));
	enum cs_err err = verify_receipt(&receipt, &block.events_root, claim->tx_index, &nodes);
	if (err == CS_OK)
		err = verify_receipt_log(&log, &receipt, claim->log_index);
	if (err != CS_OK)
		return refuse_item(call, err, item, cs_err_sentence(err));
	return check_log(call, contract, &receipt, &log, id, item);
}

static void request_from_pb(struct wire_request *out, const struct cs_hash *receiver,
			    const Caisson__Wire__OracleClaim *claim, struct cs_bytes *arguments)
{
	const Caisson__Wire__OracleHead *head = claim->head;
	const Caisson__Wire__OracleQuery *query = claim->query;
	for (size_t i = 0; i < query->n_arguments; i++)
		arguments[i] = wire_pb_view(query->arguments[i]);
	const struct cs_hash fee = wire_pb_hash(head->fee);
	*out = (struct wire_request){
		.receiver = *receiver,
		.counter = head->counter,
		.asker = wire_pb_hash(head->asker),
		.spec_hash = wire_spec_hash(wire_pb_view(query->spec)),
		.arguments_hash = wire_arguments_hash(arguments, query->n_arguments),
		.secrets_hash = wire_secrets_hash(wire_pb_view(query->secrets)),
		.callback = wire_pb_hash(head->callback),
		.callback_gas = head->callback_gas,
		.fee = cs_u256_from_word(&fee),
		.max_age = head->max_age,
		.time = head->time,
		.deadline = head->deadline};
}

static enum cs_err add_claim(struct service *service, struct enclave_call *call,
			     struct service_job *job, const struct manifest_contract *contract,
			     const struct enclave_blocks *blocks,
			     const Caisson__Wire__OracleClaim *claim, size_t at)
{
	struct item *item = &job->items[at];
	struct cs_bytes arguments[WIRE_ARGUMENTS_MAX];
	request_from_pb(&item->request, &job->receiver, claim, arguments);
	item->id = wire_request_id(&item->request);
	for (size_t i = 0; i < at; i++)
		if (cs_hash_eq(&job->items[i].id, &item->id))
			return refuse_item(call, CS_ERR_DUPLICATE, at, "is there twice");
	CS_TRY(check_event(call, contract, blocks, claim, &item->id, at));
	/* From the deadline on it is refunded: an answer would be too late. */
	if (call->now.low_s >= item->request.deadline)
		return refuse_item(call, CS_ERR_EXPIRED, at, "its deadline has passed");
	item->lookup.asker = item->request.asker;
	item->lookup.deadline_s = item->request.deadline;
	return item_open(service, item, claim->query);
}

static enum cs_err take_chain(struct service *service, struct enclave_call *call,
			      struct service_job *job)
{
	const Caisson__Wire__AnswerChainRequest *in =
		(const Caisson__Wire__AnswerChainRequest *)call->request;
	const struct manifest_contract *contract = NULL;
	struct enclave_blocks blocks;
	CS_TRY(contract_find(call, &contract, in->receiver, false));
	job->epoch = in->epoch;
	job->receiver = contract->identity;
	job->chain = chain_of(call->e, contract);
	CS_TRY(enclave_blocks_open(call, &blocks, chain_of(call->e, contract), in->headers,
				   in->n_headers));
	for (size_t i = 0; i < in->n_claims; i++)
		CS_TRY(add_claim(service, call, job, contract, &blocks, in->claims[i], i));
	return CS_OK;
}

static enum cs_err take_feeds(struct service *service, struct enclave_call *call,
			      struct service_job *job)
{
	const Caisson__Wire__FeedsRequest *in = (const Caisson__Wire__FeedsRequest *)call->request;
	const struct manifest_contract *contract = NULL;
	CS_TRY(contract_find(call, &contract, in->receiver, true));
	job->epoch = in->epoch;
	job->receiver = contract->identity;
	for (size_t i = 0; i < in->n_claims; i++) {
		struct item *item = &job->items[i];
		item->id = wire_feed_id(&job->receiver, in->claims[i]->index);
		for (size_t k = 0; k < i; k++)
			if (cs_hash_eq(&job->items[k].id, &item->id))
				return refuse_item(call, CS_ERR_DUPLICATE, i, "is there twice");
		item->lookup.feed = true;
		item->lookup.deadline_s = call->now.low_s + SERVICE_TIMEOUT_MAX_S;
		CS_TRY(lookup_open(&service->world, &item->lookup,
				   wire_pb_view(in->claims[i]->spec), NULL, 0, CS_BYTES_NONE));
	}
	return CS_OK;
}

/* ---- the way in ---- */

static size_t count_of(enum wire_type type, const ProtobufCMessage *message)
{
	if (type == WIRE_ANSWER_CHAIN)
		return ((const Caisson__Wire__AnswerChainRequest *)message)->n_claims;
	if (type == WIRE_FEEDS)
		return ((const Caisson__Wire__FeedsRequest *)message)->n_claims;
	return 1;
}

static enum cs_err take_as(struct service *service, struct enclave_call *call,
			   struct service_job *job)
{
	if (job->type == WIRE_ANSWER_APP)
		return take_app(service, call, job);
	if (job->type == WIRE_ANSWER_CHAIN)
		return take_chain(service, call, job);
	return job->type == WIRE_FEEDS ? take_feeds(service, call, job)
				       : take_dry_run(service, call, job);
}

static enum cs_err take(struct service *service, struct enclave_call *call, uint64_t frame_id,
			enum wire_type type, struct cs_bytes body)
{
	ProtobufCMessage *message = NULL;
	struct enclave *e = call->e;
	if (!e->greeted)
		return cs_fail(&call->why, CS_ERR_UNAUTHORIZED, "hello comes first");
	CS_TRY(wire_decode(&message, wire_type_message(type), body, &e->arena, &call->why));
	call->request = message;
	CS_TRY(type == WIRE_DRY_RUN ? enclave_time_check(call) : enclave_may_sign(call));
	if (type != WIRE_DRY_RUN && e->chains[0].key_count == 0)
		return cs_fail(&call->why, CS_ERR_NO_KEY, "no keys yet, Init makes them");
	if (service->job_count == SERVICE_JOBS_MAX)
		return cs_fail(&call->why, CS_ERR_FULL, "%u requests wait for their sources",
			       SERVICE_JOBS_MAX);
	const size_t count = count_of(type, message);
	if (count == 0)
		return cs_fail(&call->why, CS_ERR_INVALID, "no claims");
	struct service_job *job = job_new(type, frame_id, count);
	if (job == NULL)
		return CS_ERR_NO_MEMORY;
	const enum cs_err err = take_as(service, call, job);
	if (err != CS_OK) {
		job_free(service, job);
		return err;
	}
	*service->last = job;
	service->last = &job->next;
	service->job_count++;
	return CS_OK;
}

bool service_request(struct service *service, enum wire_type *type, struct cs_buf *reply,
		     uint64_t frame_id, enum wire_type request, struct cs_bytes body,
		     const struct verify_time *now)
{
	struct enclave *e = service->world.e;
	struct enclave_call call = {.e = e, .reply = reply, .why = {""}};
	if (request != WIRE_ANSWER_APP && request != WIRE_ANSWER_CHAIN && request != WIRE_FEEDS &&
	    request != WIRE_DRY_RUN) {
		*type = enclave_step(e, now, request, body, reply);
		return true;
	}
	cs_arena_rewind(&e->arena, 0);
	call.now = enclave_time_of(e, now);
	service->world.now = call.now;
	const enum cs_err err = take(service, &call, frame_id, request, body);
	if (err == CS_OK)
		return false;
	*type = enclave_refuse(reply, err, &call.why);
	return true;
}

/* ---- turns ---- */

/* Again where some that were chosen ended at once: nothing else would wake those that wait. */
static void start(struct service *service)
{
	struct lookup_world *world = &service->world;
	bool again = world->waiting_count != 0;
	while (again) {
		if (world->changed)
			lookup_choose(world);
		world->changed = false;
		for (struct service_job *job = service->first; job != NULL; job = job->next)
			for (size_t i = 0; i < job->item_count && job->err == CS_OK; i++)
				job->err = lookup_start(world, &job->items[i].lookup);
		again = world->changed && world->waiting_count != 0;
	}
}

static void end_late(struct service *service)
{
	struct lookup_world *world = &service->world;
	if (fetch_now_ms() < world->end_next_ms)
		return;
	world->end_next_ms = UINT64_MAX;
	for (struct service_job *job = service->first; job != NULL; job = job->next)
		for (size_t i = 0; i < job->item_count && job->err == CS_OK; i++)
			job->err = lookup_end_late(world, &job->items[i].lookup);
}

/* Whether a certificate had expired when its answer came is known when a nonce that was made after it
 * is answered. */
static void await_time(struct service *service)
{
	const uint64_t now = fetch_now_ms();
	for (struct service_job *job = service->first; job != NULL; job = job->next) {
		if (!has_heard(job))
			continue;
		if (job->nonce == 0) {
			job->nonce = enclave_clock_next(service->world.e);
			job->nonce_by_ms = now + ENCLAVE_CLOCK_WAIT_MS;
		} else if (!enclave_clock_covers(service->world.e, job->nonce) &&
			   now >= job->nonce_by_ms && job->err == CS_OK) {
			job->err = CS_ERR_NO_TIME;
		}
	}
}

/* UINT64_MAX: none waits for the time. */
static uint64_t await_until_ms(const struct service *service)
{
	uint64_t until = UINT64_MAX;
	for (const struct service_job *job = service->first; job != NULL; job = job->next)
		if (job->nonce != 0 && job->nonce_by_ms < until &&
		    !enclave_clock_covers(service->world.e, job->nonce))
			until = job->nonce_by_ms;
	return until;
}

int service_wait_ms(const struct service *service)
{
	const uint64_t time_ms = await_until_ms(service);
	const uint64_t end_ms = service->world.end_next_ms;
	const uint64_t at = time_ms < end_ms ? time_ms : end_ms;
	const uint64_t now = fetch_now_ms();
	if (service->first == NULL)
		return -1;
	if (lookup_next(&service->world) != NULL)
		return 0;
	/* No lookup ends later than LOOKUP_MS_MAX from now. */
	return at <= now ? 0 : at == UINT64_MAX ? -1 : (int)(at - now);
}

void service_turn(struct service *service, const struct verify_time *now)
{
	struct lookup_world *world = &service->world;
	const uint64_t until = fetch_now_ms() + SERVICE_TURN_MS;
	const struct fetch_reply *reply;
	struct lookup *lookup;
	world->now = enclave_time_of(world->e, now);
	while (fetch_take(world->fetch, &reply))
		lookup_hear(world, reply);
	/* What is left is taken in the next turn, before which connections move on. */
	while (fetch_now_ms() < until && (lookup = lookup_next(world)) != NULL) {
		struct service_job *job = lookup->owner;
		const enum cs_err err = lookup_take(world, lookup);
		if (job->err == CS_OK)
			job->err = err;
	}
	/* What is late leaves its places to others. */
	end_late(service);
	start(service);
	await_time(service);
}

bool service_is_ready(const struct service *service)
{
	for (const struct service_job *job = service->first; job != NULL; job = job->next)
		if (job_is_ready(service, job))
			return true;
	return false;
}

static struct service_job *take_ready(struct service *service)
{
	struct service_job **at = &service->first;
	while (*at != NULL && !job_is_ready(service, *at))
		at = &(*at)->next;
	struct service_job *job = *at;
	if (job == NULL)
		return NULL;
	*at = job->next;
	if (service->last == &job->next)
		service->last = at;
	service->job_count--;
	return job;
}

void service_forget(struct service *service)
{
	while (service->first != NULL) {
		struct service_job *job = service->first;
		service->first = job->next;
		job_free(service, job);
	}
	service->last = &service->first;
	service->job_count = 0;
}

/* ---- replies ---- */

/* Printable ASCII: a reason may quote what a source sent. */
static char *why_to_pb(struct cs_arena *arena, const struct cs_why *why)
{
	const size_t n = strlen(why->text);
	char *copy = cs_arena_alloc(arena, n + 1);
	for (size_t i = 0; copy != NULL && i <= n; i++) {
		const char c = why->text[i];
		copy[i] = c == '\0' || (c >= 0x20 && c < 0x7f) ? c : '?';
	}
	return copy;
}

static enum cs_err source_to_pb(Caisson__Wire__OracleSource *pb, const struct lookup_source *source,
				struct cs_arena *arena)
{
	const struct wire_evidence_source *row = &source->evidence;
	const struct lookup *lookup = source->lookup;
	caisson__wire__oracle_source__init(pb);
	pb->index = row->index;
	pb->code = row->code;
	pb->host_port = (char *)(uintptr_t)source->host_port;
	pb->leaf_spki = wire_pb_bytes(arena, CS_BYTES_OF(row->leaf_spki.b));
	pb->issuer_spki = wire_pb_bytes(arena, CS_BYTES_OF(row->issuer_spki.b));
	pb->protocol = wire_evidence_protocol(row);
	pb->cipher = row->cipher;
	pb->response = wire_pb_bytes(arena, CS_BYTES_OF(row->response.b));
	pb->completed = row->completed;
	if ((lookup->dry || lookup->feed) && source->value.n != 0)
		pb->value = wire_pb_bytes(arena, source->value);
	if (lookup->dry)
		pb->why = why_to_pb(arena, &source->why);
	return pb->why == NULL ? CS_ERR_NO_MEMORY : CS_OK;
}

static enum cs_err head_to_pb(Caisson__Wire__OracleHead *pb, const struct wire_request *request,
			      struct cs_arena *arena)
{
	const struct cs_hash fee = cs_u256_word(&request->fee);
	caisson__wire__oracle_head__init(pb);
	pb->counter = request->counter;
	pb->asker = wire_pb_bytes(arena, CS_BYTES_OF(request->asker.b));
	pb->callback = wire_pb_bytes(arena, CS_BYTES_OF(request->callback.b));
	pb->callback_gas = request->callback_gas;
	pb->fee = wire_pb_bytes(arena, CS_BYTES_OF(fee.b));
	pb->max_age = request->max_age;
	pb->time = request->time;
	pb->deadline = request->deadline;
	return CS_OK;
}

static enum cs_err result_to_pb(Caisson__Wire__OracleResult *pb, const struct service_job *job,
				const struct item *item, struct cs_arena *arena)
{
	const struct lookup *lookup = &item->lookup;
	const size_t count = lookup->source_count;
	caisson__wire__oracle_result__init(pb);
	Caisson__Wire__OracleSource *rows = cs_arena_calloc(arena, count + 1, sizeof *rows);
	pb->sources = cs_arena_calloc(arena, count + 1, sizeof(Caisson__Wire__OracleSource *));
	if (rows == NULL || pb->sources == NULL)
		return CS_ERR_NO_MEMORY;
	for (size_t i = 0; i < count; i++) {
		CS_TRY(source_to_pb(&rows[i], &lookup->sources[i], arena));
		pb->sources[i] = &rows[i];
	}
	pb->n_sources = count;
	pb->request_id = wire_pb_bytes(arena, CS_BYTES_OF(item->id.b));
	pb->spec_hash = wire_pb_bytes(arena, CS_BYTES_OF(lookup->spec_hash.b));
	pb->code = lookup->code;
	pb->observed_at = lookup->observed_at;
	pb->time_flags = lookup->time_flags;
	pb->evidence_hash = wire_pb_bytes(arena, CS_BYTES_OF(lookup->evidence_hash.b));
	if (lookup->code == WIRE_ORACLE_OK)
		pb->value = wire_pb_bytes(arena, lookup->value);
	if (lookup->dry)
		pb->why = why_to_pb(arena, &lookup->why);
	if (pb->why == NULL)
		return CS_ERR_NO_MEMORY;
	if (job->type != WIRE_ANSWER_APP)
		return CS_OK;
	pb->head = cs_arena_alloc(arena, sizeof *pb->head);
	return pb->head == NULL ? CS_ERR_NO_MEMORY : head_to_pb(pb->head, &item->request, arena);
}

static struct cs_hash leaf_of(const struct item *item)
{
	const struct lookup *lookup = &item->lookup;
	const bool good = lookup->code == WIRE_ORACLE_OK;
	if (lookup->feed && good) {
		struct wire_feed_value feed = {item->id,
					       lookup->spec_hash,
					       lookup->observed_at,
					       lookup->evidence_hash,
					       {{0}}};
		cs_assert(lookup->value.n == sizeof feed.value.b);
		memcpy(feed.value.b, lookup->value.p, sizeof feed.value.b);
		return wire_leaf_feed(&feed);
	}
	const struct wire_answer answer = {item->id,
					   lookup->spec_hash,
					   lookup->code,
					   lookup->observed_at,
					   lookup->evidence_hash,
					   good ? lookup->value : CS_BYTES_NONE};
	return wire_leaf_answer(&answer);
}

/* One statement over the items that belong to it: rounds without a value go into one of their own,
 * because a contract takes the whole of a statement or one leaf. */
static enum cs_err part_to_pb(struct enclave_call *call, const struct service_job *job, bool failed,
			      Caisson__Wire__Statement **statement, size_t *count,
			      Caisson__Wire__OracleResult ***results)
{
	struct cs_arena *arena = &call->e->arena;
	struct cs_hash leaves[SERVICE_ITEMS_MAX];
	struct wire_signed signature;
	size_t n = 0;
	Caisson__Wire__OracleResult *all = cs_arena_calloc(arena, SERVICE_ITEMS_MAX, sizeof *all);
	*results = cs_arena_calloc(arena, SERVICE_ITEMS_MAX, sizeof(Caisson__Wire__OracleResult *));
	*statement = cs_arena_alloc(arena, sizeof **statement);
	if (all == NULL || *results == NULL || *statement == NULL)
		return CS_ERR_NO_MEMORY;
	for (size_t i = 0; i < job->item_count; i++) {
		const struct item *item = &job->items[i];
		if ((item->lookup.feed && item->lookup.code != WIRE_ORACLE_OK) != failed)
			continue;
		CS_TRY(result_to_pb(&all[n], job, item, arena));
		(*results)[n] = &all[n];
		leaves[n++] = leaf_of(item);
	}
	*count = n;
	if (n == 0 || job->type == WIRE_DRY_RUN) {
		*statement = NULL;
		return CS_OK;
	}
	CS_TRY(enclave_sign_statement(call, &signature, &call->e->chains[0], WIRE_KIND_ANSWER,
				      &job->receiver, job->epoch, leaves, n));
	return wire_signed_to_pb(*statement, &signature, arena);
}

/* By the newest answer: no source was authenticated by what had expired then. */
static enum cs_err check_ends(struct enclave_call *call, const struct service_job *job)
{
	for (size_t i = 0; i < job->item_count; i++) {
		const struct lookup *lookup = &job->items[i].lookup;
		for (size_t k = 0; k < lookup->source_count; k++) {
			const struct lookup_source *source = &lookup->sources[k];
			if (source->evidence.code != WIRE_ORACLE_OK || source->ends_s == 0)
				continue;
			const enum cs_err err = verify_time_before(&call->now, source->ends_s);
			if (err != CS_OK)
				return cs_fail(&call->why, err, "%s: its certificate ends at %llu",
					       source->host_port,
					       (unsigned long long)source->ends_s);
		}
	}
	return CS_OK;
}

static enum cs_err reply_to(struct enclave_call *call, const struct service_job *job)
{
	Caisson__Wire__OracleReply out = CAISSON__WIRE__ORACLE_REPLY__INIT;
	CS_TRY(job->err);
	CS_TRY(check_ends(call, job));
	/* The event was final when it was taken. What made it final may have been contradicted since. */
	if (job->chain != NULL) {
		struct verify_status status;
		verify_client_status(&job->chain->client, &status);
		if (status.frozen)
			return cs_fail(&call->why, CS_ERR_FROZEN,
				       "%s: frozen while the sources were asked",
				       job->chain->manifest->caip2);
	}
	CS_TRY(part_to_pb(call, job, false, &out.statement, &out.n_results, &out.results));
	CS_TRY(part_to_pb(call, job, true, &out.failed_statement, &out.n_failed, &out.failed));
	return enclave_reply(call, &out.base);
}

enum wire_type service_reply(struct service *service, struct cs_buf *reply, uint64_t *frame_id)
{
	struct enclave *e = service->world.e;
	struct enclave_call call = {.e = e, .now = service->world.now, .reply = reply, .why = {""}};
	struct service_job *job = take_ready(service);
	if (e->ledger != NULL)
		call.now = enclave_time_of(e, &service->world.now);
	cs_assert(job != NULL);
	cs_arena_rewind(&e->arena, 0);
	const enum cs_err err = reply_to(&call, job);
	const enum wire_type type = (enum wire_type)(job->type + 1);
	*frame_id = job->frame_id;
	job_free(service, job);
	return err == CS_OK ? type : enclave_refuse(reply, err, &call.why);
}
