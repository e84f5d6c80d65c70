#include "enclave/quorum.h"

#include <string.h>

_Static_assert(VERIFY_EVM_ANSWER_ARENA_SIZE <= ENCLAVE_ARENA_SIZE, "an answer fits");
_Static_assert(CS_MANIFEST_CHAINS_MAX *VERIFY_EVM_PROVIDERS_MAX <= FETCH_TRANSFERS_MAX,
	       "all chains may ask at once");

void quorum_init(struct quorum *quorum, struct enclave *e, struct fetch *fetch)
{
	*quorum = (struct quorum){.e = e, .fetch = fetch};
}

/* ---- asking ---- */

static const struct manifest_rpc *rpc_of(const struct quorum_job *job)
{
	return &job->chain->manifest->finality.rpc;
}

static void call_done(struct quorum_call *call, enum wire_oracle_code code)
{
	call->fetch_id = 0;
	call->code = code;
	call->job->open_count--;
}

static enum cs_err ask(struct quorum *quorum, struct quorum_call *call,
		       const struct manifest_provider *provider)
{
	static const char accept[] = "accept", type[] = "content-type", json[] = "application/json";
	struct fetch_request request = {
		.host = {cs_bytes_str(provider->host), provider->port},
		.target = cs_bytes_str(provider->target),
		.post = true,
		.headers = {{cs_bytes_str(accept), cs_bytes_str(json)},
			    {cs_bytes_str(type), cs_bytes_str(json)}},
		.header_count = 2,
		.body = verify_evm_quorum_question(rpc_of(call->job)->tag),
		.pin_count = provider->tls.pin_count,
		.sct_min = provider->tls.sct_min,
		.sct_min_default = !provider->tls.sct_min_given,
		.lifetime_max_days = provider->tls.lifetime_max_days,
		.stapled = provider->tls.stapled,
		.limits = {.response_size_max = VERIFY_EVM_ANSWER_SIZE_MAX,
			   .total_ms = QUORUM_TOTAL_MS},
		.context = call,
	};
	for (size_t i = 0; i < provider->tls.pin_count; i++)
		request.pins[i] = provider->tls.pins[i];
	return fetch_start(quorum->fetch, &call->fetch_id, &request);
}

static void job_end(struct quorum *quorum, struct quorum_job *job)
{
	for (size_t i = 0; i < VERIFY_EVM_PROVIDERS_MAX; i++)
		if (job->calls[i].fetch_id != 0)
			(void)fetch_cancel(quorum->fetch, job->calls[i].fetch_id);
	job->chain = NULL;
}

static enum cs_err job_begin(struct quorum *quorum, struct quorum_job *job)
{
	const struct manifest_rpc *rpc = rpc_of(job);
	job->open_count = rpc->count;
	job->end_ms = 0;
	job->nonce = 0;
	memset(job->calls, 0, sizeof job->calls);
	for (size_t i = 0; i < rpc->count; i++) {
		job->calls[i].job = job;
		CS_TRY(ask(quorum, &job->calls[i], &quorum->e->manifest.providers[rpc->first + i]));
	}
	return CS_OK;
}

static enum cs_err take(struct quorum *quorum, struct enclave_call *call, uint64_t frame_id,
			struct cs_bytes body)
{
	ProtobufCMessage *message = NULL;
	struct enclave_chain *chain = NULL;
	struct verify_status status;
	if (!call->e->greeted)
		return cs_fail(&call->why, CS_ERR_UNAUTHORIZED, "hello comes first");
	CS_TRY(wire_decode(&message, wire_type_message(WIRE_CLIENT_QUORUM), body, &call->e->arena,
			   &call->why));
	CS_TRY(enclave_chain_find(call, &chain,
				  ((const Caisson__Wire__ClientQuorumRequest *)message)->chain));
	if (chain->manifest->finality.mode != MANIFEST_RPC_QUORUM)
		return cs_fail(&call->why, CS_ERR_UNSUPPORTED, "%s has no providers",
			       chain->manifest->caip2);
	verify_client_status(&chain->client, &status);
	if (!status.created)
		return cs_fail(&call->why, CS_ERR_NOT_FOUND, "%s: the client was not created",
			       chain->manifest->caip2);
	if (status.frozen)
		return cs_fail(&call->why, CS_ERR_FROZEN, "%s", chain->manifest->caip2);
	CS_TRY(enclave_time_check(call));
	/* Each chain that is served has a place. */
	struct quorum_job *job = &quorum->jobs[chain - call->e->chains];
	if (job->chain != NULL)
		return cs_fail(&call->why, CS_ERR_FULL, "%s is being asked",
			       chain->manifest->caip2);
	job->chain = chain;
	job->frame_id = frame_id;
	const enum cs_err err = job_begin(quorum, job);
	if (err != CS_OK)
		job_end(quorum, job);
	return err;
}

bool quorum_request(void *context, enum wire_type *type, struct cs_buf *reply, uint64_t frame_id,
		    enum wire_type request, struct cs_bytes body, const struct verify_time *now)
{
	struct quorum *quorum = context;
	struct enclave *e = quorum->e;
	struct enclave_call call = {.e = e, .reply = reply, .why = {""}};
	if (request != WIRE_CLIENT_QUORUM) {
		*type = enclave_step(e, now, request, body, reply);
		return true;
	}
	cs_arena_rewind(&e->arena, 0);
	quorum->now = call.now = enclave_time_of(e, now);
	const enum cs_err err = take(quorum, &call, frame_id, body);
	if (err == CS_OK)
		return false;
	*type = enclave_refuse(reply, err, &call.why);
	return true;
}

/* ---- answers ---- */

static enum wire_oracle_code read_answer(struct quorum *quorum, struct quorum_call *call,
					 const struct fetch_reply *reply)
{
	if (reply->code != WIRE_ORACLE_OK) {
		cs_why_write(&call->why, "%s", reply->why);
		return reply->code;
	}
	/* The manifest names who is asked, not whom they send us to. */
	if (reply->redirects != 0) {
		cs_why_write(&call->why, "redirected");
		return WIRE_ORACLE_REDIRECT;
	}
	cs_arena_rewind(&quorum->e->arena, 0);
	const enum cs_err err =
		verify_evm_quorum_read(&call->answer, reply->body, &quorum->e->arena, &call->why);
	if (err == CS_OK)
		return WIRE_ORACLE_OK;
	return err == CS_ERR_NOT_FOUND || err == CS_ERR_RPC ? WIRE_ORACLE_NOT_FOUND
							    : WIRE_ORACLE_MALFORMED_RESPONSE;
}

/* Those who are late have no vote in this round, and nobody waits for them. */
static void end_grace(struct quorum *quorum, struct quorum_job *job)
{
	for (size_t i = 0; i < rpc_of(job)->count; i++) {
		struct quorum_call *call = &job->calls[i];
		if (call->fetch_id == 0)
			continue;
		(void)fetch_cancel(quorum->fetch, call->fetch_id);
		cs_why_write(&call->why, "a quorum had answered %u ms before", QUORUM_GRACE_MS);
		call_done(call, WIRE_ORACLE_TIMEOUT);
	}
}

/* Answers that differ are no reason to leave: one of them may be a lie, and the late one decides. */
static bool names_one_block(const struct quorum_job *job)
{
	for (size_t i = 0; i < rpc_of(job)->count; i++) {
		const struct verify_evm_answer *one = &job->calls[i].answer;
		size_t alike = 0;
		for (size_t k = 0; k < rpc_of(job)->count; k++)
			alike += job->calls[k].answer.present &&
				 job->calls[k].answer.height == one->height &&
				 cs_hash_eq(&job->calls[k].answer.hash, &one->hash);
		if (one->present && alike >= rpc_of(job)->quorum)
			return true;
	}
	return false;
}

/* Whether a certificate had expired when its answer came is known when a nonce that was made after it
 * is answered. */
static void await_time(struct quorum *quorum, struct quorum_job *job)
{
	if (job->chain == NULL || job->open_count != 0 || job->nonce != 0)
		return;
	job->nonce = enclave_clock_next(quorum->e);
	job->nonce_by_ms = fetch_now_ms() + ENCLAVE_CLOCK_WAIT_MS;
}

static void watch_grace(struct quorum *quorum, struct quorum_job *job)
{
	if (!names_one_block(job))
		return;
	const uint64_t now = fetch_now_ms();
	if (job->end_ms == 0)
		job->end_ms = now + QUORUM_GRACE_MS;
	else if (now >= job->end_ms)
		end_grace(quorum, job);
}

int quorum_wait_ms(const void *context)
{
	const struct quorum *quorum = context;
	const uint64_t now = fetch_now_ms();
	int wait = -1;
	for (size_t i = 0; i < CS_MANIFEST_CHAINS_MAX; i++) {
		const struct quorum_job *job = &quorum->jobs[i];
		const uint64_t end_ms = job->nonce != 0 ? job->nonce_by_ms : job->end_ms;
		if (job->chain == NULL || end_ms == 0)
			continue;
		const int left = end_ms > now ? (int)(end_ms - now) : 0;
		if (wait < 0 || left < wait)
			wait = left;
	}
	return wait;
}

void quorum_turn(void *context, const struct verify_time *now)
{
	struct quorum *quorum = context;
	const struct fetch_reply *reply;
	quorum->now = enclave_time_of(quorum->e, now);
	while (fetch_take(quorum->fetch, &reply)) {
		struct quorum_call *call = reply->context;
		call->ends_s = reply->ends_s;
		call_done(call, read_answer(quorum, call, reply));
		fetch_release(quorum->fetch, reply);
	}
	for (size_t i = 0; i < CS_MANIFEST_CHAINS_MAX; i++)
		if (quorum->jobs[i].chain != NULL && quorum->jobs[i].open_count != 0)
			watch_grace(quorum, &quorum->jobs[i]);
	for (size_t i = 0; i < CS_MANIFEST_CHAINS_MAX; i++)
		await_time(quorum, &quorum->jobs[i]);
}

static bool job_is_ready(const struct quorum *quorum, const struct quorum_job *job)
{
	return job->chain != NULL && job->nonce != 0 &&
	       (enclave_clock_covers(quorum->e, job->nonce) || fetch_now_ms() >= job->nonce_by_ms);
}

bool quorum_is_ready(const void *context)
{
	const struct quorum *quorum = context;
	for (size_t i = 0; i < CS_MANIFEST_CHAINS_MAX; i++)
		if (job_is_ready(quorum, &quorum->jobs[i]))
			return true;
	return false;
}

void quorum_forget(void *context)
{
	struct quorum *quorum = context;
	for (size_t i = 0; i < CS_MANIFEST_CHAINS_MAX; i++)
		if (quorum->jobs[i].chain != NULL)
			job_end(quorum, &quorum->jobs[i]);
}

/* ---- replies ---- */

/* The highest height that a quorum reached; 0: none. */
static uint64_t named_height(const struct quorum_job *job)
{
	uint64_t best = 0;
	for (size_t i = 0; i < rpc_of(job)->count; i++) {
		const struct verify_evm_answer *one = &job->calls[i].answer;
		size_t reached = 0;
		for (size_t k = 0; k < rpc_of(job)->count; k++)
			reached += job->calls[k].answer.present &&
				   job->calls[k].answer.height >= one->height;
		if (one->present && reached >= rpc_of(job)->quorum && one->height > best)
			best = one->height;
	}
	return best;
}

static enum cs_err answer_to_pb(Caisson__Wire__ProviderAnswer *pb, const struct quorum_call *call,
				struct cs_arena *arena)
{
	caisson__wire__provider_answer__init(pb);
	pb->code = call->code;
	if (call->answer.present) {
		pb->height = call->answer.height;
		pb->hash = wire_pb_bytes(arena, CS_BYTES_OF(call->answer.hash.b));
		pb->time_s = call->answer.time_s;
		return pb->hash.data != NULL ? CS_OK : CS_ERR_NO_MEMORY;
	}
	pb->why = cs_arena_alloc(arena, sizeof call->why.text);
	if (pb->why == NULL)
		return CS_ERR_NO_MEMORY;
	enclave_printable(pb->why, sizeof call->why.text, call->why.text);
	return CS_OK;
}

/* No vote has who was authenticated by what had expired. */
static void end_votes(struct enclave_call *call, struct quorum_job *job)
{
	for (size_t i = 0; i < rpc_of(job)->count; i++) {
		struct quorum_call *provider = &job->calls[i];
		if (!provider->answer.present || provider->ends_s == 0 ||
		    verify_time_before(&call->now, provider->ends_s) == CS_OK)
			continue;
		provider->answer.present = false;
		provider->code = WIRE_ORACLE_TLS;
		cs_why_write(&provider->why, "the certificate ends at %llu",
			     (unsigned long long)provider->ends_s);
	}
}

static enum cs_err reply_to(struct enclave_call *call, struct quorum_job *job)
{
	Caisson__Wire__ClientQuorumReply out = CAISSON__WIRE__CLIENT_QUORUM_REPLY__INIT;
	struct verify_evm_answer answers[VERIFY_EVM_PROVIDERS_MAX];
	Caisson__Wire__ClientStatus status;
	const size_t count = rpc_of(job)->count;
	Caisson__Wire__ProviderAnswer *rows = cs_arena_calloc(&call->e->arena, count, sizeof *rows);
	out.providers =
		cs_arena_calloc(&call->e->arena, count, sizeof(Caisson__Wire__ProviderAnswer *));
	if (rows == NULL || out.providers == NULL)
		return CS_ERR_NO_MEMORY;
	if (!enclave_clock_covers(call->e, job->nonce))
		return cs_fail(&call->why, CS_ERR_NO_TIME,
			       "no nonce was answered since the providers were");
	end_votes(call, job);
	for (size_t i = 0; i < count; i++) {
		answers[i] = job->calls[i].answer;
		out.providers[i] = &rows[i];
		CS_TRY(answer_to_pb(&rows[i], &job->calls[i], &call->e->arena));
	}
	out.n_providers = count;
	out.named_height = named_height(job);
	CS_TRY(verify_evm_quorum_take(&job->chain->client, answers, count, &call->now, &call->why));
	CS_TRY(enclave_client_to_pb(call, &status, job->chain));
	out.status = &status;
	return enclave_reply(call, &out.base);
}

enum wire_type quorum_reply(void *context, struct cs_buf *reply, uint64_t *frame_id)
{
	struct quorum *quorum = context;
	struct enclave *e = quorum->e;
	struct enclave_call call = {.e = e, .now = quorum->now, .reply = reply, .why = {""}};
	struct quorum_job *job = quorum->jobs;
	while (job < quorum->jobs + CS_MANIFEST_CHAINS_MAX && !job_is_ready(quorum, job))
		job++;
	cs_assert(job < quorum->jobs + CS_MANIFEST_CHAINS_MAX);
	cs_arena_rewind(&e->arena, 0);
	if (e->ledger != NULL)
		call.now = enclave_time_of(e, &quorum->now);
	const enum cs_err err = reply_to(&call, job);
	*frame_id = job->frame_id;
	job_end(quorum, job);
	return err == CS_OK ? WIRE_CLIENT_QUORUM_REPLY : enclave_refuse(reply, err, &call.why);
}
