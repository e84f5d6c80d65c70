#include "host/enclave_client.h"

#include "core/ct.h"
#include "host/alloc.h"
#include "host/loop_inner.h"
#include "wire/decode.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/un.h>

#define CALLS_MAX 1024u
#define QUEUE_SIZE_MAX (16u * 1024u * 1024u)
#define HELLO_TIMEOUT_MS 5000u
#define RETRY_MIN_MS 50u
#define RETRY_MAX_MS 2000u
/* Read at once where the size of the coming frame is not known yet. */
#define READ_SIZE (64u * 1024u)
/* Room that is kept between frames. */
#define READ_KEPT_MAX (256u * 1024u)
/* A hello with all its keys, clients and evidence, decoded, is below 64 KiB. */
#define ARENA_SIZE (256u * 1024u)

enum state { DOWN, CONNECTING, HELLO, UP };

struct link {
	uv_pipe_t pipe;
	uv_connect_t connect;
	struct host_enclave_client *client; /* NULL: it is being closed */
};

struct outgoing {
	uv_write_t write;
	uint8_t p[]; /* a frame */
};

struct call {
	struct host_enclave_client *client;
	uint64_t id; /* 0: the slot is free */
	enum wire_type type;
	struct host_timer *deadline;
	host_enclave_done *done;
	void *context;
};

struct host_enclave_client {
	struct host_loop *loop;
	char *path;
	struct host_enclave_client_events events;
	void *context;
	enum state state;
	struct link *link;
	struct host_timer *timer; /* of hello, or until the next attempt */
	const struct cs_hash *schema;
	uint64_t hello_timeout_ms;
	uint64_t retry_ms;
	uint8_t nonce[32];
	uint64_t hello_id;
	uint32_t calls_max;
	uint64_t queue_size_max;
	uint64_t sequence;       /* of the last request */
	uint64_t sequence_first; /* of this connection */
	uint32_t in_flight;
	struct call *calls; /* calls_max slots: id = sequence * calls_max + slot */
	uint32_t *free_slots;
	uint8_t *in;
	size_t in_size;
	size_t in_room;
	uint32_t depth; /* callbacks of the owner on the stack */
	bool freed;
};

static void start(void *context);
static void free_client(struct host_enclave_client *client);

static void enter(struct host_enclave_client *client)
{
	client->depth++;
}

/* False: the client is gone. */
static bool leave(struct host_enclave_client *client)
{
	client->depth--;
	if (!client->freed)
		return true;
	if (client->depth == 0)
		free_client(client);
	return false;
}

/* ---- calls ---- */

static struct call *call_new(struct host_enclave_client *client, enum wire_type type)
{
	uint32_t slot = client->free_slots[client->calls_max - client->in_flight - 1];
	struct call *call = &client->calls[slot];
	client->in_flight++;
	client->sequence++;
	call->client = client;
	call->type = type;
	call->id = client->sequence * client->calls_max + slot;
	return call;
}

static void call_free(struct call *call)
{
	struct host_enclave_client *client = call->client;
	host_timer_free(call->deadline);
	memset(call, 0, sizeof *call);
	client->in_flight--;
	client->free_slots[client->calls_max - client->in_flight - 1] =
		(uint32_t)(call - client->calls);
}

/* Its place is free before done is called, so that done may call again. */
static void finish(struct call *call, enum cs_err err, const char *why, struct cs_bytes body)
{
	host_enclave_done *done = call->done;
	void *context = call->context;
	call_free(call);
	done(context, err, why, body);
}

static struct call *call_of(struct host_enclave_client *client, uint64_t id)
{
	struct call *call = &client->calls[id % client->calls_max];
	return id != 0 && call->id == id ? call : NULL;
}

static void on_deadline(void *context)
{
	struct call *call = context;
	struct host_enclave_client *client = call->client;
	enter(client);
	finish(call, CS_ERR_TIMEOUT, "the enclave did not answer in time", CS_BYTES_NONE);
	(void)leave(client);
}

/* ---- the connection ---- */

static void free_link(uv_handle_t *handle)
{
	free(handle->data);
}

static void drop_link(struct host_enclave_client *client)
{
	if (client->link == NULL)
		return;
	client->link->client = NULL;
	uv_close((uv_handle_t *)&client->link->pipe, free_link);
	client->link = NULL;
	client->in_size = 0;
}

/* Ends the connection and every call on it; the next attempt comes by itself. False: the client is
 * gone. */
static bool lose(struct host_enclave_client *client, enum cs_err err, const char *why)
{
	drop_link(client);
	client->state = DOWN;
	client->retry_ms = client->retry_ms == 0 ? RETRY_MIN_MS : client->retry_ms * 2;
	if (client->retry_ms > RETRY_MAX_MS)
		client->retry_ms = RETRY_MAX_MS;
	host_timer_free(client->timer);
	client->timer = host_timer_new(client->loop, start, client);
	host_timer_start(client->timer, client->retry_ms, 0);
	enter(client);
	for (uint32_t i = 0; i < client->calls_max && !client->freed; i++)
		if (client->calls[i].id != 0)
			finish(&client->calls[i], CS_ERR_CLOSED,
			       "the connection to the enclave ended", CS_BYTES_NONE);
	if (!client->freed)
		client->events.down(client->context, err, why);
	return leave(client);
}

static void on_written(uv_write_t *write, int status)
{
	struct link *link = write->handle->data;
	free(write->data);
	if (status != 0 && link->client != NULL)
		(void)lose(link->client, host_uv_err(status), uv_strerror(status));
}

static void send_frame(struct host_enclave_client *client, enum wire_type type, uint64_t id,
		       struct cs_bytes body)
{
	struct outgoing *out = host_grow(NULL, sizeof *out + WIRE_FRAME_HEAD_SIZE + body.n);
	struct wire_frame frame = {.body_size = (uint32_t)body.n, .type = type, .request_id = id};
	wire_frame_encode(out->p, &frame);
	if (body.n > 0)
		memcpy(out->p + WIRE_FRAME_HEAD_SIZE, body.p, body.n);
	out->write.data = out;
	uv_buf_t buf = uv_buf_init((char *)out->p, (unsigned)(WIRE_FRAME_HEAD_SIZE + body.n));
	cs_assert(uv_write(&out->write, (uv_stream_t *)&client->link->pipe, &buf, 1, on_written) ==
		  0);
}

/* ---- hello ---- */

static void send_hello(struct host_enclave_client *client)
{
	uint8_t memory[128];
	struct cs_buf body;
	Caisson__Wire__HelloRequest hello = CAISSON__WIRE__HELLO_REQUEST__INIT;
	cs_assert(getrandom(client->nonce, sizeof client->nonce, 0) ==
		  (ssize_t)sizeof client->nonce);
	hello.nonce.data = client->nonce;
	hello.nonce.len = sizeof client->nonce;
	cs_buf_init(&body, memory, sizeof memory);
	cs_assert(wire_encode(&body, &hello.base, NULL) == CS_OK);
	client->sequence++;
	client->sequence_first = client->sequence;
	client->hello_id = client->sequence * client->calls_max;
	send_frame(client, WIRE_HELLO, client->hello_id, cs_buf_view(&body));
}

static bool is_field(ProtobufCBinaryData field, const uint8_t *p, size_t n)
{
	return field.len == n && cs_ct_eq(field.data, p, n);
}

static enum cs_err check_hello(const struct host_enclave_client *client, struct cs_bytes body,
			       struct cs_why *why)
{
	ProtobufCMessage *message = NULL;
	struct cs_arena arena;
	uint8_t *memory = host_grow(NULL, ARENA_SIZE);
	cs_arena_init(&arena, memory, ARENA_SIZE);
	enum cs_err err =
		wire_decode(&message, &caisson__wire__hello_reply__descriptor, body, &arena, why);
	if (err == CS_OK) {
		const Caisson__Wire__HelloReply *hello = (const Caisson__Wire__HelloReply *)message;
		if (!is_field(hello->schema_digest, client->schema->b, sizeof client->schema->b))
			err = cs_fail(why, CS_ERR_WRONG_SCHEMA, "the enclave has another schema");
		else if (!is_field(hello->nonce, client->nonce, sizeof client->nonce))
			err = cs_fail(why, CS_ERR_MALFORMED, "hello answers another nonce");
	}
	free(memory);
	return err;
}

static void on_hello_timeout(void *context)
{
	(void)lose(context, CS_ERR_TIMEOUT, "no answer to hello");
}

/* ---- replies ---- */

/* The refusal of a call as our error. False: it is none. */
static bool decode_refusal(enum cs_err *err, struct cs_why *why, struct cs_bytes body)
{
	ProtobufCMessage *message = NULL;
	struct cs_arena arena;
	_Alignas(16) uint8_t memory[4096];
	cs_arena_init(&arena, memory, sizeof memory);
	if (wire_decode(&message, &caisson__wire__error_reply__descriptor, body, &arena, NULL) !=
	    CS_OK)
		return false;
	const Caisson__Wire__ErrorReply *reply = (const Caisson__Wire__ErrorReply *)message;
	if (reply->code == CS_OK || reply->code >= CS_ERR_COUNT)
		return false;
	*err = cs_fail(why, (enum cs_err)reply->code, "%s", reply->why);
	return true;
}

static bool on_hello(struct host_enclave_client *client, const struct wire_frame *frame,
		     struct cs_bytes body)
{
	struct cs_why why = {{0}};
	enum cs_err err = CS_ERR_MALFORMED;
	if (frame->request_id != client->hello_id)
		return lose(client, CS_ERR_MALFORMED, "a frame before the answer to hello");
	if (frame->type == WIRE_ERROR) {
		if (!decode_refusal(&err, &why, body))
			return lose(client, CS_ERR_MALFORMED, "a refusal that cannot be read");
		return lose(client, err, why.text);
	}
	if (frame->type != WIRE_HELLO_REPLY)
		return lose(client, CS_ERR_MALFORMED, "another reply than that to hello");
	err = check_hello(client, body, &why);
	if (err != CS_OK)
		return lose(client, err, why.text);
	host_timer_free(client->timer);
	client->timer = NULL;
	client->retry_ms = 0;
	client->state = UP;
	enter(client);
	client->events.up(client->context, body);
	return leave(client);
}

static bool on_reply(struct host_enclave_client *client, const struct wire_frame *frame,
		     struct cs_bytes body)
{
	struct cs_why why = {{0}};
	enum cs_err err = CS_OK;
	struct call *call = call_of(client, frame->request_id);
	uint64_t sequence = frame->request_id / client->calls_max;
	if (call == NULL) {
		/* Of a call that was cancelled or came too late; anything else was never asked on
		 * this connection. */
		if (sequence > client->sequence_first && sequence <= client->sequence)
			return true;
		return lose(client, CS_ERR_MALFORMED, "a reply to nothing that was asked");
	}
	if (frame->type == WIRE_ERROR) {
		if (!decode_refusal(&err, &why, body))
			return lose(client, CS_ERR_MALFORMED, "a refusal that cannot be read");
		body = CS_BYTES_NONE;
	} else if ((unsigned)frame->type != (unsigned)call->type + 1) {
		return lose(client, CS_ERR_MALFORMED, "a reply of another type than was asked");
	}
	enter(client);
	finish(call, err, why.text, body);
	return leave(client);
}

/* As many frames as are there. False: connection or client are gone. */
static bool take_frames(struct host_enclave_client *client)
{
	struct wire_frame frame;
	size_t at = 0;
	while (client->in_size - at >= WIRE_FRAME_HEAD_SIZE) {
		const struct link *link = client->link;
		enum cs_err err = wire_frame_decode(&frame, client->in + at);
		if (err != CS_OK) {
			(void)lose(client, err, "a frame that breaks the rules");
			return false;
		}
		if (client->in_size - at - WIRE_FRAME_HEAD_SIZE < frame.body_size)
			break;
		struct cs_bytes body =
			cs_bytes(client->in + at + WIRE_FRAME_HEAD_SIZE, frame.body_size);
		bool here = client->state == HELLO ? on_hello(client, &frame, body)
						   : on_reply(client, &frame, body);
		if (!here || client->link != link)
			return false;
		at += WIRE_FRAME_HEAD_SIZE + frame.body_size;
	}
	client->in_size -= at;
	if (client->in_size > 0 && at > 0)
		memmove(client->in, client->in + at, client->in_size);
	return true;
}

static void give_room(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
	struct link *link = handle->data;
	struct host_enclave_client *client = link->client;
	(void)suggested;
	*buf = uv_buf_init(NULL, 0);
	if (client == NULL)
		return;
	size_t room = client->in_size + READ_SIZE;
	/* The size was checked when the frame's head was read. */
	if (client->in_size >= WIRE_FRAME_HEAD_SIZE) {
		size_t whole = WIRE_FRAME_HEAD_SIZE + cs_be32(client->in);
		room = whole > room ? whole : room;
	}
	if (room > client->in_room || (client->in_room > READ_KEPT_MAX && client->in_size == 0)) {
		client->in = host_grow(client->in, room);
		client->in_room = room;
	}
	*buf = uv_buf_init((char *)client->in + client->in_size,
			   (unsigned)(client->in_room - client->in_size));
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	struct link *link = stream->data;
	struct host_enclave_client *client = link->client;
	(void)buf;
	if (client == NULL || n == 0)
		return;
	if (n < 0) {
		(void)lose(client, host_uv_err((int)n), "the enclave closed the connection");
		return;
	}
	client->in_size += (size_t)n;
	(void)take_frames(client);
}

static void on_connect(uv_connect_t *connect, int status)
{
	struct link *link = connect->data;
	struct host_enclave_client *client = link->client;
	if (client == NULL)
		return;
	if (status != 0) {
		(void)lose(client, host_uv_err(status), uv_strerror(status));
		return;
	}
	client->state = HELLO;
	cs_assert(uv_read_start((uv_stream_t *)&link->pipe, give_room, on_read) == 0);
	send_hello(client);
}

static void start(void *context)
{
	struct host_enclave_client *client = context;
	struct link *link = host_alloc(sizeof *link);
	host_timer_free(client->timer);
	client->timer = host_timer_new(client->loop, on_hello_timeout, client);
	host_timer_start(client->timer, client->hello_timeout_ms, 0);
	client->state = CONNECTING;
	client->link = link;
	client->in_size = 0;
	link->client = client;
	link->pipe.data = link;
	link->connect.data = link;
	cs_assert(uv_pipe_init(host_loop_uv(client->loop), &link->pipe, 0) == 0);
	link->pipe.data = link;
	uv_pipe_connect(&link->connect, &link->pipe, client->path, on_connect);
}

/* ---- the owner's side ---- */

struct host_enclave_client *
host_enclave_client_new(struct host_loop *loop, const struct host_enclave_client_options *options,
			const struct host_enclave_client_events *events, void *context)
{
	struct host_enclave_client *client = host_alloc(sizeof *client);
	/* libuv would cut a longer one. */
	cs_assert(strlen(options->path) < sizeof((struct sockaddr_un *)NULL)->sun_path);
	client->loop = loop;
	client->path = host_text(options->path);
	client->events = *events;
	client->context = context;
	client->schema = options->schema != NULL ? options->schema : &wire_schema_digest;
	client->calls_max = options->calls_max > 0 ? options->calls_max : CALLS_MAX;
	client->queue_size_max =
		options->queue_size_max > 0 ? options->queue_size_max : QUEUE_SIZE_MAX;
	client->hello_timeout_ms =
		options->hello_timeout_ms > 0 ? options->hello_timeout_ms : HELLO_TIMEOUT_MS;
	client->calls = host_calloc(client->calls_max, sizeof *client->calls);
	client->free_slots = host_calloc(client->calls_max, sizeof *client->free_slots);
	for (uint32_t i = 0; i < client->calls_max; i++)
		client->free_slots[i] = client->calls_max - 1 - i;
	start(client);
	return client;
}

enum cs_err host_enclave_call(struct host_enclave_client *client, uint64_t *id, enum wire_type type,
			      struct cs_bytes body, uint64_t deadline_ms, host_enclave_done *done,
			      void *context)
{
	cs_assert(wire_type_is_request(type) && !client->freed);
	if (client->state != UP)
		return CS_ERR_UNAVAILABLE;
	if (body.n > CS_FRAME_BODY_SIZE_MAX)
		return CS_ERR_TOO_LARGE;
	size_t queued = uv_stream_get_write_queue_size((uv_stream_t *)&client->link->pipe);
	if (client->in_flight == client->calls_max || queued > client->queue_size_max ||
	    body.n + WIRE_FRAME_HEAD_SIZE > client->queue_size_max - queued)
		return CS_ERR_FULL;
	struct call *call = call_new(client, type);
	call->done = done;
	call->context = context;
	call->deadline = host_timer_new(client->loop, on_deadline, call);
	host_timer_start(call->deadline, deadline_ms, 0);
	if (id != NULL)
		*id = call->id;
	send_frame(client, type, call->id, body);
	return CS_OK;
}

bool host_enclave_cancel(struct host_enclave_client *client, uint64_t id)
{
	struct call *call = call_of(client, id);
	if (call == NULL)
		return false;
	call_free(call);
	return true;
}

uint32_t host_enclave_calls_in_flight(const struct host_enclave_client *client)
{
	return client->in_flight;
}

void host_enclave_client_again(struct host_enclave_client *client)
{
	if (client->state == UP)
		(void)lose(client, CS_ERR_CLOSED, "another hello is wanted");
}

static void free_client(struct host_enclave_client *client)
{
	for (uint32_t i = 0; i < client->calls_max; i++)
		if (client->calls[i].id != 0)
			call_free(&client->calls[i]);
	free(client->calls);
	free(client->free_slots);
	free(client->path);
	free(client->in);
	free(client);
}

void host_enclave_client_free(struct host_enclave_client *client)
{
	if (client == NULL)
		return;
	cs_assert(!client->freed);
	client->freed = true;
	drop_link(client);
	host_timer_free(client->timer);
	client->timer = NULL;
	if (client->depth == 0)
		free_client(client);
}
