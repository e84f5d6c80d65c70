#include "enclave/oracle/lookup.h"

#include "enclave/oracle/aggregate.h"
#include "enclave/oracle/box.h"
#include "enclave/oracle/extract.h"
#include "enclave/oracle/substitute.h"

#include <stdlib.h>
#include <string.h>

/* The enclave's scratch for secrets, in two: what a box held, and what is made of it. */
#define PLAINTEXT_SIZE 8192u
_Static_assert(PLAINTEXT_SIZE >= SUBSTITUTE_SECRETS_SIZE_MAX, "a box fits");
_Static_assert(ENCLAVE_SEALED_SIZE_MAX - PLAINTEXT_SIZE >= 512u * 1024 + SUBSTITUTE_ARENA_SIZE,
	       "secrets and one request fit");
_Static_assert(LOOKUP_ARENA_SIZE >=
		       WIRE_SPEC_ARENA_SIZE + EXTRACT_ARENA_SIZE + sizeof(struct wire_spec),
	       "spec and response fit");

static struct cs_bytes heap_copy(struct cs_bytes bytes)
{
	uint8_t *p = malloc(bytes.n + 1);
	if (p == NULL)
		return CS_BYTES_NONE;
	if (bytes.n != 0)
		memcpy(p, bytes.p, bytes.n);
	return cs_bytes(p, bytes.n);
}

static void heap_free(struct cs_bytes bytes)
{
	free((void *)(uintptr_t)bytes.p);
}

/* ---- places ---- */

static enum share_kind kind_of(const struct lookup *lookup)
{
	return lookup->feed ? SHARE_FEEDS : SHARE_ASKED;
}

static void line_join(struct lookup_queue *queue, struct lookup *lookup, enum lookup_line line)
{
	lookup->next[line] = NULL;
	if (queue->first == NULL)
		queue->first = lookup;
	else
		queue->last->next[line] = lookup;
	queue->last = lookup;
}

static void line_leave(struct lookup_queue *queue, struct lookup *lookup, enum lookup_line line)
{
	struct lookup *before = NULL;
	struct lookup *at = queue->first;
	for (; at != NULL && at != lookup; at = at->next[line])
		before = at;
	cs_assert(at != NULL);
	if (before == NULL)
		queue->first = lookup->next[line];
	else
		before->next[line] = lookup->next[line];
	if (queue->last == lookup)
		queue->last = before;
}

static struct lookup_queue *for_extractions(struct lookup_world *world, const struct lookup *lookup)
{
	return &world->for_extractions[kind_of(lookup)];
}

static void give_back(struct lookup_world *world, const struct lookup_source *source)
{
	struct lookup *lookup = source->lookup;
	lookup->running_count--;
	share_give(&world->share, kind_of(lookup), &source->host);
	world->changed = true;
}

/* Where it stands, it stands no longer: what it held there is given back. */
static void leave(struct lookup_world *world, struct lookup_source *source)
{
	struct lookup *lookup = source->lookup;
	switch (source->state) {
	case LOOKUP_WAITING:
		world->waiting_count--;
		if (--lookup->waiting_count == 0)
			line_leave(&world->for_places, lookup, LOOKUP_FOR_PLACES);
		break;
	case LOOKUP_RUNNING:
		(void)fetch_cancel(world->fetch, source->fetch_id);
		give_back(world, source);
		break;
	case LOOKUP_ANSWERED:
		fetch_release(world->fetch, source->reply);
		source->reply = NULL;
		if (--lookup->answered_count == 0)
			line_leave(for_extractions(world, lookup), lookup, LOOKUP_FOR_EXTRACTIONS);
		give_back(world, source);
		break;
	case LOOKUP_CHOSEN:
		give_back(world, source);
		break;
	case LOOKUP_DONE:
		break;
	}
	source->state = LOOKUP_DONE;
}

static bool choose(struct lookup_world *world, struct lookup *lookup)
{
	for (size_t i = 0; i < lookup->source_count; i++) {
		struct lookup_source *source = &lookup->sources[i];
		if (source->state != LOOKUP_WAITING ||
		    !share_take(&world->share, kind_of(lookup), &source->host,
				lookup->running_count))
			continue;
		source->state = LOOKUP_CHOSEN;
		lookup->waiting_count--;
		world->waiting_count--;
		lookup->running_count++;
		return true;
	}
	return false;
}

void lookup_choose(struct lookup_world *world)
{
	struct lookup *next;
	/* Who got none now gets none after the others got theirs. */
	for (struct lookup *at = world->for_places.first; at != NULL; at = next) {
		next = at->next[LOOKUP_FOR_PLACES];
		if (!choose(world, at))
			continue;
		line_leave(&world->for_places, at, LOOKUP_FOR_PLACES);
		if (at->waiting_count == 0)
			continue;
		line_join(&world->for_places, at, LOOKUP_FOR_PLACES);
		if (next == NULL)
			next = at;
	}
}

/* ---- the end ---- */

/* One that has not ended has no code yet. */
static void inputs_of(struct aggregate_input *inputs, const struct lookup *lookup)
{
	for (size_t i = 0; i < lookup->source_count; i++) {
		const struct lookup_source *source = &lookup->sources[i];
		inputs[i] = (struct aggregate_input){
			source->state == LOOKUP_DONE ? (enum wire_oracle_code)source->evidence.code
						     : WIRE_ORACLE_TIMEOUT,
			source->value};
	}
}

/* By when it has ended. Who waits for a place was not asked, and is not late. */
static uint64_t ends_ms(const struct lookup_source *source)
{
	const struct lookup *lookup = source->lookup;
	if (source->state == LOOKUP_WAITING)
		return lookup->wait_by_ms;
	if (source->state != LOOKUP_RUNNING || !lookup->enough || lookup->waiting_count != 0)
		return lookup->all_by_ms;
	const uint64_t late = source->asked_ms + lookup->source_ms;
	return late < lookup->all_by_ms ? late : lookup->all_by_ms;
}

static void note_ends(struct lookup_world *world, const struct lookup *lookup)
{
	for (size_t i = 0; i < lookup->source_count; i++) {
		const struct lookup_source *source = &lookup->sources[i];
		if (source->state != LOOKUP_DONE && ends_ms(source) < world->end_next_ms)
			world->end_next_ms = ends_ms(source);
	}
}

/* One more has answered: with it the others agree, or do not any more. */
static void note_enough(struct lookup *lookup, const struct wire_spec *spec)
{
	struct aggregate_input inputs[WIRE_SOURCES_MAX];
	uint64_t took = 0;
	inputs_of(inputs, lookup);
	for (size_t i = 0; i < lookup->source_count; i++)
		if (inputs[i].code == WIRE_ORACLE_OK && lookup->sources[i].took_ms > took)
			took = lookup->sources[i].took_ms;
	const bool enough = aggregate_is_enough(spec, inputs);
	if (enough && !lookup->enough)
		lookup->source_ms =
			took + (took > LOOKUP_GRACE_MS_MIN ? took : LOOKUP_GRACE_MS_MIN);
	lookup->enough = enough;
}

static void finish(const struct lookup_world *world, struct lookup *lookup,
		   const struct wire_spec *spec)
{
	struct aggregate_input inputs[WIRE_SOURCES_MAX];
	struct wire_evidence_source rows[WIRE_SOURCES_MAX];
	uint32_t used = 0;
	inputs_of(inputs, lookup);
	for (size_t i = 0; i < lookup->source_count; i++)
		rows[i] = lookup->sources[i].evidence;
	if (lookup->source_count != 0)
		lookup->code = aggregate_value(&lookup->value, &used, spec, inputs);
	lookup->observed_at = world->now.low_s;
	for (size_t i = 0; lookup->code == WIRE_ORACLE_OK && i < lookup->source_count; i++)
		if ((used >> i & 1) != 0 && rows[i].completed < lookup->observed_at)
			lookup->observed_at = rows[i].completed;
	if (world->e->manifest.insecure_host_time)
		lookup->time_flags = WIRE_EVIDENCE_INSECURE_HOST_TIME;
	lookup->evidence_hash = wire_evidence_hash(lookup->time_flags, rows, lookup->source_count);
}

static void source_done(struct lookup_world *world, struct lookup_source *source,
			enum wire_oracle_code code, const struct wire_spec *spec)
{
	struct lookup *lookup = source->lookup;
	leave(world, source);
	source->evidence.code = code;
	if (source->evidence.completed == 0)
		source->evidence.completed = world->now.low_s;
	if (--lookup->open_count == 0)
		finish(world, lookup, spec);
	else if (code == WIRE_ORACLE_OK && !lookup->dry)
		note_enough(lookup, spec);
}

/* ---- spec and values ---- */

static enum cs_err parse(struct lookup_world *world, struct wire_spec **spec,
			 const struct lookup *lookup, struct cs_why *why)
{
	cs_arena_rewind(&world->arena, 0);
	*spec = cs_arena_alloc(&world->arena, sizeof **spec);
	return *spec == NULL ? CS_ERR_NO_MEMORY
			     : wire_spec_parse(*spec, lookup->spec, &world->arena, why);
}

/* One that was good when the lookup was opened. */
static enum cs_err parse_again(struct lookup_world *world, struct wire_spec **spec,
			       const struct lookup *lookup)
{
	struct cs_why why;
	const enum cs_err err = parse(world, spec, lookup, &why);
	cs_assert(err == CS_OK || err == CS_ERR_NO_MEMORY);
	return err;
}

static bool unseal(const struct enclave *e, struct cs_bytes *plaintext, struct cs_bytes sealed)
{
	const size_t n = sealed.n - BOX_OVERHEAD_SIZE;
	if (sealed.n < BOX_OVERHEAD_SIZE || n > SUBSTITUTE_SECRETS_SIZE_MAX)
		return false;
	for (size_t i = e->box_count; i-- > 0;) {
		if (box_open(e->secrets->scratch, sealed, &e->secrets->boxes[i], &e->boxes[i].x)) {
			*plaintext = cs_bytes(e->secrets->scratch, n);
			return true;
		}
	}
	return false;
}

/* Arguments, and the secrets in the enclave's scratch, which is to be wiped. */
static enum wire_oracle_code values_open(const struct lookup_world *world,
					 struct substitute_values *values, struct cs_arena *arena,
					 const struct lookup *lookup, struct cs_why *why)
{
	struct enclave_secrets *secrets = world->e->secrets;
	struct cs_bytes plaintext;
	*values = (struct substitute_values){.argument_count = lookup->argument_count};
	memcpy(values->arguments, lookup->arguments, sizeof values->arguments);
	cs_arena_init(arena, secrets->scratch + PLAINTEXT_SIZE,
		      sizeof secrets->scratch - PLAINTEXT_SIZE);
	if (lookup->dry || lookup->secrets.n == 0)
		return WIRE_ORACLE_OK;
	if (!unseal(world->e, &plaintext, lookup->secrets)) {
		cs_why_write(why, "the secrets are not sealed to a key of this enclave");
		return WIRE_ORACLE_SECRETS_INVALID;
	}
	return substitute_open(values, plaintext, &lookup->asker, &lookup->spec_hash, arena, why);
}

/* The scratch is also what the state is sealed in. */
static void values_close(const struct lookup_world *world, struct cs_arena *arena,
			 const struct lookup *lookup)
{
	cs_arena_done(arena);
	if (lookup->secrets.n != 0)
		cs_wipe(world->e->secrets->scratch, sizeof world->e->secrets->scratch);
}

/* ---- opening ---- */

static enum cs_err copy_query(struct lookup *lookup, struct cs_bytes spec,
			      const ProtobufCBinaryData *arguments, size_t argument_count,
			      struct cs_bytes secrets)
{
	size_t size = spec.n + secrets.n + 1;
	for (size_t i = 0; i < argument_count; i++)
		size += arguments[i].len;
	struct cs_buf buf;
	lookup->memory = malloc(size);
	if (lookup->memory == NULL)
		return CS_ERR_NO_MEMORY;
	cs_buf_init(&buf, lookup->memory, size);
	lookup->spec = cs_bytes(buf.p, spec.n);
	cs_put(&buf, spec);
	for (size_t i = 0; i < argument_count; i++) {
		lookup->arguments[i] = cs_bytes(buf.p + buf.n, arguments[i].len);
		cs_put(&buf, wire_pb_view(arguments[i]));
	}
	lookup->argument_count = argument_count;
	lookup->secrets = cs_bytes(buf.p + buf.n, secrets.n);
	cs_put(&buf, secrets);
	return cs_buf_end(&buf);
}

static bool hosts_are_allowed(const struct manifest_oracle *oracle,
			      const struct wire_source *source)
{
	bool good = manifest_allows_host(oracle, source->host);
	for (size_t i = 0; i < source->host_count; i++)
		good = good && manifest_allows_host(oracle, source->hosts[i]);
	return good;
}

/* No place is wanted any more from the deadline on. */
static uint64_t wait_ms(const struct lookup_world *world, const struct lookup *lookup)
{
	const uint64_t now = world->now.low_s;
	const uint64_t left = lookup->deadline_s > now ? lookup->deadline_s - now : 0;
	return left < LOOKUP_WAIT_MS_MAX / 1000 ? left * 1000 : LOOKUP_WAIT_MS_MAX;
}

static void sources_open(struct lookup_world *world, struct lookup *lookup,
			 const struct wire_spec *spec)
{
	lookup->source_count = lookup->open_count = lookup->waiting_count = spec->source_count;
	const uint64_t now = fetch_now_ms();
	lookup->wait_by_ms = now + wait_ms(world, lookup);
	lookup->all_by_ms = now + LOOKUP_MS_MAX;
	line_join(&world->for_places, lookup, LOOKUP_FOR_PLACES);
	world->waiting_count += spec->source_count;
	world->changed = true;
	for (size_t i = 0; i < spec->source_count; i++) {
		struct lookup_source *source = &lookup->sources[i];
		const struct cs_bytes name =
			wire_source_host_port(&spec->sources[i], &world->arena);
		cs_assert(name.n <= LOOKUP_HOST_PORT_SIZE_MAX);
		if (name.n != 0)
			memcpy(source->host_port, name.p, name.n);
		source->lookup = lookup;
		source->evidence.index = (uint8_t)i;
		source->evidence.host_port = cs_bytes(source->host_port, name.n);
		source->host = cs_keccak256(name);
	}
	for (size_t i = 0; i < spec->source_count; i++) {
		if (hosts_are_allowed(&world->e->manifest.oracle, &spec->sources[i]))
			continue;
		cs_why_write(&lookup->sources[i].why, "the manifest does not allow the host");
		source_done(world, &lookup->sources[i], WIRE_ORACLE_NOT_ALLOWED, spec);
	}
	note_ends(world, lookup);
}

/* What is wrong with the query before any source is asked. */
static enum cs_err judge(struct lookup_world *world, struct lookup *lookup, struct wire_spec **spec)
{
	struct substitute_values values;
	struct cs_arena secret;
	const enum cs_err err = parse(world, spec, lookup, &lookup->why);
	if (err == CS_ERR_NO_MEMORY)
		return err;
	lookup->code = err == CS_OK ? WIRE_ORACLE_OK : WIRE_ORACLE_SPEC_INVALID;
	if (err == CS_OK && lookup->feed &&
	    ((*spec)->type.kind != WIRE_TYPE_INT256 || (*spec)->type.array)) {
		cs_why_write(&lookup->why, "a feed's result is one int256");
		lookup->code = WIRE_ORACLE_SPEC_INVALID;
	}
	if (lookup->code != WIRE_ORACLE_OK)
		return CS_OK;
	lookup->code = values_open(world, &values, &secret, lookup, &lookup->why);
	if (lookup->code == WIRE_ORACLE_OK)
		lookup->code = substitute_check(*spec, &values, &lookup->why);
	values_close(world, &secret, lookup);
	return CS_OK;
}

enum cs_err lookup_open(struct lookup_world *world, struct lookup *lookup, struct cs_bytes spec,
			const ProtobufCBinaryData *arguments, size_t argument_count,
			struct cs_bytes secrets)
{
	struct wire_spec *parsed = NULL;
	CS_TRY(copy_query(lookup, spec, arguments, argument_count, secrets));
	lookup->spec_hash = wire_spec_hash(lookup->spec);
	CS_TRY(judge(world, lookup, &parsed));
	if (lookup->code == WIRE_ORACLE_OK)
		sources_open(world, lookup, parsed);
	else
		finish(world, lookup, NULL);
	return CS_OK;
}

/* ---- asking ---- */

static uint32_t milliseconds_left(const struct lookup_world *world, const struct lookup *lookup)
{
	const uint64_t now = world->now.low_s;
	const uint64_t left = lookup->deadline_s > now ? lookup->deadline_s - now : 1;
	return left >= FETCH_TOTAL_MS_DEFAULT / 1000 ? FETCH_TOTAL_MS_DEFAULT
						     : (uint32_t)left * 1000;
}

static enum cs_err ask(struct lookup_world *world, struct lookup_source *source,
		       const struct wire_source *wanted, const struct substitute_request *filled)
{
	struct fetch_request request = {
		.host = {wanted->host, wanted->port},
		.target = filled->target,
		.post = wanted->method == WIRE_METHOD_POST,
		.header_count = filled->header_count,
		.body = filled->body,
		.host_count = wanted->host_count,
		.pin_count = wanted->tls.pin_count,
		.sct_min = wanted->tls.sct_min,
		.sct_min_default = !wanted->tls.sct_min_given,
		.lifetime_max_days = wanted->tls.lifetime_max_days,
		.stapled = wanted->tls.stapled,
		.limits = {.total_ms = milliseconds_left(world, source->lookup)},
		.context = source,
	};
	for (size_t i = 0; i < filled->header_count; i++)
		request.headers[i] =
			(struct fetch_header){filled->headers[i].name, filled->headers[i].value};
	for (size_t i = 0; i < wanted->host_count; i++)
		request.hosts[i] = (struct fetch_host){wanted->hosts[i], 443};
	for (size_t i = 0; i < wanted->tls.pin_count; i++)
		request.pins[i] = wanted->tls.pins[i];
	return fetch_start(world->fetch, &source->fetch_id, &request);
}

static enum cs_err start_source(struct lookup_world *world, struct lookup_source *source,
				const struct wire_spec *spec,
				const struct substitute_values *values, struct cs_arena *secret)
{
	const size_t index = source->evidence.index;
	const size_t mark = cs_arena_mark(secret);
	struct substitute_request filled;
	const enum wire_oracle_code code = substitute_source(
		&filled, spec, index, values, source->lookup->dry, secret, &source->why);
	if (code != WIRE_ORACLE_OK) {
		source_done(world, source, code, spec);
		return CS_OK;
	}
	const enum cs_err err = ask(world, source, &spec->sources[index], &filled);
	if (err == CS_OK) {
		source->pointer = heap_copy(filled.pointer);
		source->state = LOOKUP_RUNNING;
		source->asked_ms = fetch_now_ms();
	}
	cs_arena_rewind(secret, mark);
	return err == CS_OK && source->pointer.p == NULL ? CS_ERR_NO_MEMORY : err;
}

static void wait_ended(struct lookup_world *world, struct lookup_source *source,
		       const struct wire_spec *spec)
{
	cs_why_write(&source->why, "too many sources are asked at this time");
	source_done(world, source, WIRE_ORACLE_TIMEOUT, spec);
}

enum cs_err lookup_start(struct lookup_world *world, struct lookup *lookup)
{
	struct substitute_values values;
	struct cs_arena secret;
	struct wire_spec *spec = NULL;
	struct cs_why why;
	const bool late = lookup->waiting_count != 0 && fetch_now_ms() >= lookup->wait_by_ms;
	bool chosen = false;
	for (size_t i = 0; i < lookup->source_count; i++)
		chosen = chosen || lookup->sources[i].state == LOOKUP_CHOSEN;
	if (!chosen && !late)
		return CS_OK;
	CS_TRY(parse_again(world, &spec, lookup));
	/* The key may have gone since the secrets were judged: then each source says so. */
	const enum wire_oracle_code code = values_open(world, &values, &secret, lookup, &why);
	enum cs_err err = CS_OK;
	for (size_t i = 0; i < lookup->source_count && err == CS_OK; i++) {
		struct lookup_source *source = &lookup->sources[i];
		if (source->state == LOOKUP_WAITING && late)
			wait_ended(world, source, spec);
		if (source->state != LOOKUP_CHOSEN)
			continue;
		if (code != WIRE_ORACLE_OK)
			source_done(world, source, code, spec);
		else
			err = start_source(world, source, spec, &values, &secret);
	}
	note_ends(world, lookup);
	values_close(world, &secret, lookup);
	return err;
}

/* ---- answers of sources ---- */

static bool expired(void *context)
{
	return fetch_now_ms() >= *(const uint64_t *)context;
}

static enum cs_err extract(struct lookup_world *world, struct lookup_source *source,
			   enum wire_oracle_code *code, const struct wire_spec *spec,
			   struct cs_bytes body)
{
	uint64_t until = fetch_now_ms() + VM_TIME_MS;
	const struct extract_input input = {.body = body,
					    .pointer = source->pointer,
					    .arguments = source->lookup->arguments,
					    .argument_count = source->lookup->argument_count,
					    .engine = &vm_lua,
					    .limits = VM_LIMITS,
					    .expired = expired,
					    .context = &until};
	struct cs_bytes value = CS_BYTES_NONE;
	CS_TRY(extract_value(code, &value, spec, source->evidence.index, &input, &world->arena,
			     &source->why));
	if (*code != WIRE_ORACLE_OK)
		return CS_OK;
	source->value = heap_copy(value);
	return source->value.p == NULL ? CS_ERR_NO_MEMORY : CS_OK;
}

void lookup_hear(struct lookup_world *world, const struct fetch_reply *reply)
{
	struct lookup_source *source = reply->context;
	struct lookup *lookup = source->lookup;
	cs_assert(source->state == LOOKUP_RUNNING);
	source->state = LOOKUP_ANSWERED;
	source->reply = reply;
	source->took_ms = fetch_now_ms() - source->asked_ms;
	if (lookup->answered_count++ == 0)
		line_join(for_extractions(world, lookup), lookup, LOOKUP_FOR_EXTRACTIONS);
}

struct lookup *lookup_next(const struct lookup_world *world)
{
	struct lookup *feed = world->for_extractions[SHARE_FEEDS].first;
	return feed != NULL ? feed : world->for_extractions[SHARE_ASKED].first;
}

static enum cs_err judge_reply(struct lookup_world *world, struct lookup_source *source,
			       enum wire_oracle_code *code, const struct wire_spec *spec)
{
	const struct fetch_reply *reply = source->reply;
	const struct wire_evidence_source before = source->evidence;
	source->evidence = reply->evidence;
	source->evidence.index = before.index;
	source->evidence.host_port = before.host_port;
	source->ends_s = reply->ends_s;
	*code = reply->code;
	if (reply->code != WIRE_ORACLE_OK) {
		cs_why_write(&source->why, "%s", reply->why);
		return CS_OK;
	}
	source->evidence.response = cs_keccak256(reply->body);
	return extract(world, source, code, spec, reply->body);
}

enum cs_err lookup_take(struct lookup_world *world, struct lookup *lookup)
{
	struct lookup_queue *queue = for_extractions(world, lookup);
	struct lookup_source *source = lookup->sources;
	enum wire_oracle_code code = WIRE_ORACLE_OK;
	struct wire_spec *spec = NULL;
	while (source->state != LOOKUP_ANSWERED)
		source++;
	line_leave(queue, lookup, LOOKUP_FOR_EXTRACTIONS);
	line_join(queue, lookup, LOOKUP_FOR_EXTRACTIONS);
	enum cs_err err = parse_again(world, &spec, lookup);
	if (err == CS_OK)
		err = judge_reply(world, source, &code, spec);
	leave(world, source);
	CS_TRY(err);
	source_done(world, source, code, spec);
	note_ends(world, lookup);
	return CS_OK;
}

/* A place is waited for by lookup_start. */
static bool is_late(const struct lookup_source *source, uint64_t now)
{
	return source->state != LOOKUP_DONE && source->state != LOOKUP_WAITING &&
	       now >= ends_ms(source);
}

enum cs_err lookup_end_late(struct lookup_world *world, struct lookup *lookup)
{
	const uint64_t now = fetch_now_ms();
	struct wire_spec *spec = NULL;
	for (size_t i = 0; i < lookup->source_count; i++) {
		struct lookup_source *source = &lookup->sources[i];
		if (!is_late(source, now))
			continue;
		if (spec == NULL)
			CS_TRY(parse_again(world, &spec, lookup));
		cs_why_write(&source->why,
			     lookup->enough ? "late: enough others had answered" : "late");
		source_done(world, source, WIRE_ORACLE_TIMEOUT, spec);
	}
	note_ends(world, lookup);
	return CS_OK;
}

void lookup_close(struct lookup_world *world, struct lookup *lookup)
{
	for (size_t i = 0; i < lookup->source_count; i++) {
		struct lookup_source *source = &lookup->sources[i];
		leave(world, source);
		heap_free(source->pointer);
		heap_free(source->value);
	}
	free(lookup->memory);
}
