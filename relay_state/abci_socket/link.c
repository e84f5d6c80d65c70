#include "relay_state/abci_socket/link.h"

#include "host/alloc.h"

#include <stdlib.h>
#include <string.h>

#define CALLS_MAX_DEFAULT 8192u
#define QUEUED_MAX_DEFAULT (2 * (size_t)ABCI_FRAME_SIZE_MAX)
#define ARENA_SIZE_DEFAULT (256u * 1024 * 1024)
/* Between two turns of the loop: others have their sockets and timers there. */
#define CALLS_PER_TURN 256u

/* A question's bytes are its copy. */
struct question {
	struct cs_bytes body; /* malloc'd */
	abci_client_done *done;
	void *context;
};

struct local {
	struct abci_app app;
	struct abci_client_events events;
	void *context;
	uint32_t calls_max;
	size_t queued_max;
	size_t queued;
	struct question *ring;
	uint32_t first;
	uint32_t count;
	void *block;
	struct cs_arena arena;
	bool ready;
	bool failed;
};

struct abci_link {
	struct abci_client *client; /* NULL: local */
	struct local local;
	struct host_loop *loop;
	uint32_t depth; /* posted turns and our callbacks that are running */
	bool posted;
	bool freed;
};

static void release(struct abci_link *link)
{
	struct local *local = &link->local;
	for (; local->count > 0; local->count--) {
		free((void *)(uintptr_t)local->ring[local->first].body.p);
		local->first = (local->first + 1) % local->calls_max;
	}
	free(local->ring);
	free(local->block);
	free(link);
}

static void leave(struct abci_link *link)
{
	link->depth--;
	if (link->freed && link->depth == 0)
		release(link);
}

static struct question take_first(struct local *local)
{
	struct question question = local->ring[local->first];
	local->first = (local->first + 1) % local->calls_max;
	local->count--;
	local->queued -= question.body.n;
	return question;
}

static void drop(struct question *question)
{
	free((void *)(uintptr_t)question->body.p);
}

static void fail(struct abci_link *link, const char *why)
{
	struct local *local = &link->local;
	local->failed = true;
	local->ready = false;
	while (local->count > 0 && !link->freed) {
		struct question question = take_first(local);
		if (question.done != NULL)
			question.done(question.context, CS_ERR_APPLICATION, why, NULL);
		drop(&question);
	}
	if (!link->freed)
		local->events.failed(local->context, CS_ERR_APPLICATION, why);
}

/* The first question stays in the ring until it is answered, so that a failure tells it too. */
static void answer_first(struct abci_link *link)
{
	struct local *local = &link->local;
	struct abci_request request;
	struct abci_response response;
	struct cs_why why = {""};
	cs_arena_rewind(&local->arena, 0);
	enum cs_err err =
		abci_request_decode(&request, &local->arena, local->ring[local->first].body, &why);
	if (err == CS_OK)
		err = abci_app_call(&local->app, &request, &response, &local->arena, &why);
	if (err != CS_OK) {
		fail(link, why.text[0] != 0 ? why.text : cs_err_sentence(err));
		return;
	}
	struct question question = take_first(local);
	if (question.done != NULL)
		question.done(question.context, CS_OK, "", &response);
	drop(&question);
}

static void turn(void *context);

static void post_turn(struct abci_link *link)
{
	if (link->posted)
		return;
	link->posted = true;
	link->depth++;
	host_post(link->loop, turn, link);
}

static void turn(void *context)
{
	struct abci_link *link = context;
	struct local *local = &link->local;
	link->posted = false;
	if (!link->freed && !local->ready && !local->failed) {
		local->ready = true;
		local->events.ready(local->context);
	}
	/* What an answer leads to asks in the next turn: a chain of questions leaves room for others. */
	const uint32_t waiting = local->count;
	for (uint32_t i = 0; i < CALLS_PER_TURN && i < waiting; i++) {
		if (link->freed || local->failed || local->count == 0)
			break;
		answer_first(link);
	}
	if (!link->freed && local->count > 0)
		post_turn(link);
	leave(link);
}

struct abci_link *abci_link_local(struct host_loop *loop, const struct abci_app *app,
				  const struct abci_local_options *options,
				  const struct abci_client_events *events, void *context)
{
	struct abci_link *link = host_alloc(sizeof *link);
	struct local *local = &link->local;
	const size_t arena_size =
		options->arena_size != 0 ? options->arena_size : ARENA_SIZE_DEFAULT;
	link->loop = loop;
	local->app = *app;
	local->events = *events;
	local->context = context;
	local->calls_max = options->calls_max != 0 ? options->calls_max : CALLS_MAX_DEFAULT;
	local->queued_max = options->queued_max != 0 ? options->queued_max : QUEUED_MAX_DEFAULT;
	local->ring = host_calloc(local->calls_max, sizeof *local->ring);
	local->block = host_alloc(arena_size);
	cs_arena_init(&local->arena, local->block, arena_size);
	post_turn(link);
	return link;
}

enum cs_err abci_link_socket(struct abci_link **out, struct host_loop *loop,
			     const struct abci_client_options *options,
			     const struct abci_client_events *events, void *context,
			     struct cs_why *why)
{
	struct abci_link *link = host_alloc(sizeof *link);
	link->loop = loop;
	enum cs_err err = abci_client_new(&link->client, loop, options, events, context, why);
	if (err != CS_OK) {
		free(link);
		return err;
	}
	*out = link;
	return CS_OK;
}

static enum cs_err call_local(struct abci_link *link, const struct abci_request *request,
			      abci_client_done *done, void *context)
{
	struct local *local = &link->local;
	size_t size, head_size, body_size;
	struct cs_buf buf;
	if (!local->ready)
		return local->failed ? CS_ERR_CLOSED : CS_ERR_UNAVAILABLE;
	CS_TRY(abci_request_size(request, &size));
	if (local->count == local->calls_max || size > local->queued_max - local->queued)
		return CS_ERR_FULL;
	uint8_t *frame = host_alloc(size);
	cs_buf_init(&buf, frame, size);
	enum cs_err err = abci_request_encode(&buf, request);
	if (err == CS_OK)
		err = abci_frame_open(&head_size, &body_size, cs_buf_view(&buf), size);
	if (err != CS_OK) {
		free(frame);
		return err;
	}
	/* From its beginning, as free wants it. */
	memmove(frame, frame + head_size, body_size);
	uint32_t place = (local->first + local->count) % local->calls_max;
	local->ring[place] = (struct question){cs_bytes(frame, body_size), done, context};
	local->count++;
	local->queued += body_size;
	post_turn(link);
	return CS_OK;
}

enum cs_err abci_link_call(struct abci_link *link, const struct abci_request *request,
			   abci_client_done *done, void *context)
{
	if (link->client != NULL)
		return abci_client_call(link->client, request, done, context);
	return call_local(link, request, done, context);
}

bool abci_link_is_ready(const struct abci_link *link)
{
	return link->client != NULL ? abci_client_is_ready(link->client) : link->local.ready;
}

uint32_t abci_link_calls_in_flight(const struct abci_link *link)
{
	return link->client != NULL ? abci_client_calls_in_flight(link->client) : link->local.count;
}

void abci_link_free(struct abci_link *link)
{
	if (link == NULL)
		return;
	cs_assert(!link->freed);
	link->freed = true;
	abci_client_free(link->client);
	link->client = NULL;
	if (link->depth == 0)
		release(link);
}
