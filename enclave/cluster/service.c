#include "core/nistp.h"
#include "enclave/cluster/inner.h"
#include "enclave/insecure.h"

#include <stdlib.h>
#include <string.h>

#define OUT_SIZE (WIRE_FRAME_HEAD_SIZE + CS_FRAME_BODY_SIZE_MAX)
#define PIECE_SIZE (16u * 1024)

size_t service_size(void)
{
	return sizeof(struct service);
}

size_t service_secrets_size(void)
{
	return sizeof(struct service_secrets);
}

const struct role *service_role(const struct service *s)
{
	switch (s->launch.role) {
	case CLUSTER_KEY_SERVER:
		return &role_key_server;
	case CLUSTER_GUARD:
		return &role_guard;
	case CLUSTER_WORKER:
		return &role_worker;
	}
	cs_assert(false);
	return NULL;
}

const struct cluster_manifest *service_manifest(const struct service *s)
{
	return cluster_lineage_newest(&s->lineage);
}

const struct cs_secret *service_random(struct service *s)
{
	const bool filled = s->launch.random(s->secrets->random.b, sizeof s->secrets->random.b);
	cs_assert(filled);
	return &s->secrets->random;
}

struct cs_buf service_out(struct service *s)
{
	struct cs_buf out;
	cs_buf_init(&out, s->out + WIRE_FRAME_HEAD_SIZE, CS_FRAME_BODY_SIZE_MAX);
	return out;
}

/* ---- connections ---- */

struct connection *service_connection(struct service *s, uint32_t number)
{
	for (size_t i = 0; i < CONNECTIONS_MAX && number != 0; i++)
		if (s->connections[i].number == number)
			return &s->connections[i];
	return NULL;
}

static struct connection *add(struct service *s, uint32_t number, enum wire_pipe_port port)
{
	for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
		struct connection *c = &s->connections[i];
		if (c->number != 0)
			continue;
		*c = (struct connection){.number = number, .port = port, .since_s = s->now.high_s};
		s->connection_count++;
		s->unmet_count++;
		return c;
	}
	return NULL;
}

static void lose_waits(struct service *s, uint32_t connection)
{
	for (size_t i = 0; i < WAITS_MAX; i++) {
		const struct wait wait = s->waits[i];
		if (wait.id == 0 || wait.connection != connection)
			continue;
		s->waits[i].id = 0;
		if (service_role(s)->lost != NULL)
			service_role(s)->lost(s, &wait);
	}
}

static void forget(struct service *s, struct connection *c)
{
	const uint32_t number = c->number;
	if (service_role(s)->gone != NULL)
		service_role(s)->gone(s, c);
	if (!c->met)
		s->unmet_count--;
	s->connection_count--;
	channel_free(c->channel);
	free(c->inbox);
	free(c->pending);
	memset(c, 0, sizeof *c);
	lose_waits(s, number);
}

static void flush(struct service *s, struct connection *c)
{
	uint8_t piece[PIECE_SIZE];
	size_t n;
	while ((n = channel_take(c->channel, piece, sizeof piece)) > 0)
		service_tell(s, WIRE_PIPE_DATA_OUT, c->number, cs_bytes(piece, n));
}

void service_end(struct service *s, struct connection *c)
{
	if (c->number == 0)
		return;
	if (c->channel != NULL) {
		channel_end(c->channel);
		flush(s, c);
	}
	service_tell(s, WIRE_PIPE_END, c->number, CS_BYTES_NONE);
	forget(s, c);
}

static bool has_tls(enum wire_pipe_port port)
{
	return port != WIRE_PIPE_LOCAL;
}

static void accept_connection(struct service *s, uint32_t number, enum wire_pipe_port port)
{
	const bool crowded = s->port == NULL || (has_tls(port) && s->unmet_count >= UNMET_MAX);
	struct connection *c = has_tls(port) && crowded ? NULL : add(s, number, port);
	if (c != NULL && has_tls(port))
		c->channel = channel_new(s->port, false);
	if (c == NULL) {
		service_tell(s, WIRE_PIPE_END, number, CS_BYTES_NONE);
		return;
	}
	c->open = true;
	if (has_tls(port) && c->channel == NULL)
		service_end(s, c);
}

uint32_t service_connect(struct service *s, enum wire_pipe_port port, uint8_t place)
{
	const uint8_t body[] = {(uint8_t)port, place};
	struct connection *c = add(s, s->number_next, port);
	if (c == NULL)
		return 0;
	s->number_next += 2;
	c->ours = true;
	service_tell(s, WIRE_PIPE_CONNECT, c->number, CS_BYTES_OF(body));
	return c->number;
}

void service_met(struct service *s, struct connection *c)
{
	if (!c->met)
		s->unmet_count--;
	c->met = true;
}

static enum cs_err bind_session(struct connection *c)
{
	struct wire_report_tls tls;
	CS_TRY(channel_binding(c->channel, CS_BYTES_NONE, &tls));
	c->session.channel = (struct cluster_channel){.exporter = tls.exporter,
						      .client_spki = tls.client_spki,
						      .server_spki = tls.server_spki,
						      .client = !tls.from_server};
	return CS_OK;
}

static void ready(struct service *s, struct connection *c)
{
	if (c->port == WIRE_PIPE_EVIDENCE && bind_session(c) != CS_OK) {
		service_end(s, c);
		return;
	}
	/* A certificate of the cluster is all that workers ask of each other; where evidence counts the
	 * peer is met when it was verified. */
	if (c->port == WIRE_PIPE_WORKERS)
		service_met(s, c);
	if (service_role(s)->ready != NULL)
		service_role(s)->ready(s, c);
}

static void connected(struct service *s, struct connection *c)
{
	c->open = true;
	if (!has_tls(c->port)) {
		ready(s, c);
		return;
	}
	c->channel = s->port == NULL ? NULL : channel_new(s->port, true);
	if (c->channel == NULL || channel_put(c->channel, CS_BYTES_NONE) != CS_OK) {
		service_end(s, c);
		return;
	}
	flush(s, c);
}

/* ---- messages ---- */

void service_send(struct service *s, struct connection *c, enum wire_cluster_type type, uint64_t id,
		  struct cs_bytes body)
{
	/* The body is made where the head has its place before it. */
	uint8_t *p = s->out;
	const struct wire_cluster_frame frame = {(uint32_t)body.n, type, id};
	if (c->number == 0 || !c->open)
		return;
	cs_assert(body.n <= CS_FRAME_BODY_SIZE_MAX);
	if (body.n > 0 && body.p != p + WIRE_FRAME_HEAD_SIZE)
		memmove(p + WIRE_FRAME_HEAD_SIZE, body.p, body.n);
	wire_cluster_frame_encode(p, &frame);
	struct cs_bytes all = cs_bytes(p, WIRE_FRAME_HEAD_SIZE + body.n);
	if (c->channel != NULL) {
		if (channel_write(c->channel, all) != CS_OK) {
			service_end(s, c);
			return;
		}
		flush(s, c);
		return;
	}
	while (all.n > 0) {
		const size_t n = all.n < WIRE_PIPE_DATA_SIZE_MAX ? all.n : WIRE_PIPE_DATA_SIZE_MAX;
		service_tell(s, WIRE_PIPE_DATA_OUT, c->number, cs_bytes(all.p, n));
		all = cs_bytes(all.p + n, all.n - n);
	}
}

static void printable(char *out, size_t size, const char *text)
{
	size_t n = 0;
	for (; text[n] != '\0' && n < size - 1; n++)
		out[n] = text[n] >= 0x20 && text[n] < 0x7f ? text[n] : '?';
	out[n] = '\0';
}

void service_refuse(struct service *s, struct connection *c, uint64_t id, enum cs_err err,
		    const struct cs_why *why)
{
	Caisson__Wire__ErrorReply reply;
	struct cs_buf out = service_out(s);
	struct cs_why ignored;
	char text[200];
	caisson__wire__error_reply__init(&reply);
	printable(text, sizeof text, why->text[0] != '\0' ? why->text : cs_err_sentence(err));
	reply.code = (uint32_t)err;
	reply.why = text;
	const enum cs_err encoded = wire_encode(&out, &reply.base, &ignored);
	cs_assert(encoded == CS_OK);
	service_send(s, c, WIRE_CLUSTER_ERROR, id, cs_buf_view(&out));
}

enum cs_err service_error(struct service *s, struct cs_bytes body, struct cs_why *why)
{
	ProtobufCMessage *message = NULL;
	CS_TRY(wire_decode(&message, &caisson__wire__error_reply__descriptor, body, &s->arena,
			   why));
	const Caisson__Wire__ErrorReply *reply = (const Caisson__Wire__ErrorReply *)message;
	char text[200];
	printable(text, sizeof text, reply->why);
	/* A peer's number is one of ours, or it means nothing here. */
	const enum cs_err err = reply->code < CS_ERR_COUNT && reply->code != CS_OK
					? (enum cs_err)reply->code
					: CS_ERR_INVALID;
	return cs_fail(why, err, "%s", text);
}

struct wait *service_request(struct service *s, struct connection *c, enum wire_cluster_type type,
			     struct cs_bytes body)
{
	for (size_t i = 0; i < WAITS_MAX; i++) {
		struct wait *wait = &s->waits[i];
		if (wait->id != 0)
			continue;
		*wait = (struct wait){.id = s->request_next++,
				      .type = type,
				      .connection = c->number,
				      .since_s = s->now.high_s};
		service_send(s, c, type, wait->id, body);
		return wait->id != 0 ? wait : NULL;
	}
	return NULL;
}

/* Who may send what. Everything else ends the connection. */
static const struct request {
	enum wire_cluster_type type;
	enum cluster_role role;
	enum wire_pipe_port port;
	bool after_met;
	service_answers *answer;
} requests[] = {
	{WIRE_CLUSTER_HELLO, CLUSTER_KEY_SERVER, WIRE_PIPE_EVIDENCE, false, key_server_hello},
	{WIRE_CLUSTER_VOUCH, CLUSTER_KEY_SERVER, WIRE_PIPE_EVIDENCE, true, key_server_vouch},
	{WIRE_CLUSTER_COPY, CLUSTER_KEY_SERVER, WIRE_PIPE_EVIDENCE, true, key_server_copy},
	{WIRE_CLUSTER_REVOKED, CLUSTER_KEY_SERVER, WIRE_PIPE_EVIDENCE, true, key_server_revoked},
	{WIRE_CLUSTER_REVOKED, CLUSTER_GUARD, WIRE_PIPE_LOCAL, false, guard_revoked},
	{WIRE_CLUSTER_CHALLENGE, CLUSTER_GUARD, WIRE_PIPE_LOCAL, false, guard_challenge},
	{WIRE_CLUSTER_JOIN, CLUSTER_GUARD, WIRE_PIPE_LOCAL, false, guard_join},
	{WIRE_CLUSTER_SHARE, CLUSTER_WORKER, WIRE_PIPE_WORKERS, true, worker_share},
};

/* Requests are the accepting end's to answer. */
static const struct request *find_request(const struct service *s, const struct connection *c,
					  enum wire_cluster_type type)
{
	for (size_t i = 0; i < CS_LEN(requests); i++)
		if (requests[i].type == type && requests[i].role == s->launch.role &&
		    requests[i].port == c->port && !c->ours && (c->met || !requests[i].after_met))
			return &requests[i];
	return NULL;
}

static void take_request(struct service *s, struct connection *c,
			 const struct wire_cluster_frame *frame, struct cs_bytes body)
{
	struct cs_why why = {""};
	struct cs_buf out = service_out(s);
	const uint32_t number = c->number;
	bool later = false;
	const struct request *request = find_request(s, c, frame->type);
	if (request == NULL) {
		service_event(s, WIRE_PIPE_EVENT_REFUSED, "%s: not here, or not yet",
			      wire_cluster_type_name(frame->type));
		service_end(s, c);
		return;
	}
	const enum cs_err err = request->answer(s, c, frame, body, &out, &later, &why);
	if (c->number != number)
		return; /* it ended meanwhile */
	if (err == CS_OK && !later) {
		service_send(s, c, (enum wire_cluster_type)(frame->type + 1), frame->request_id,
			     cs_buf_view(&out));
	} else if (err != CS_OK) {
		service_event(s, WIRE_PIPE_EVENT_REFUSED, "%s: %s: %s",
			      wire_cluster_type_name(frame->type), cs_err_name(err),
			      why.text[0] != '\0' ? why.text : cs_err_sentence(err));
		service_refuse(s, c, frame->request_id, err, &why);
		/* Whoever was not met does not get a second try on this connection. */
		if (c->number == number && has_tls(c->port) && !c->met)
			service_end(s, c);
	}
}

static void take_reply(struct service *s, struct connection *c,
		       const struct wire_cluster_frame *frame, struct cs_bytes body)
{
	for (size_t i = 0; i < WAITS_MAX; i++) {
		const struct wait wait = s->waits[i];
		if (wait.id == 0 || wait.id != frame->request_id || wait.connection != c->number)
			continue;
		if (frame->type != WIRE_CLUSTER_ERROR && frame->type != wait.type + 1)
			break;
		s->waits[i].id = 0;
		if (service_role(s)->reply != NULL)
			service_role(s)->reply(s, c, &wait, frame, body);
		return;
	}
	service_end(s, c); /* nobody asked */
}

static uint32_t message_size_max(const struct connection *c)
{
	return c->met || !has_tls(c->port) ? CS_FRAME_BODY_SIZE_MAX : FIRST_SIZE_MAX;
}

/* One message at the front of what has come. 0: it is not whole, or the connection is no more. */
static size_t take_message(struct service *s, struct connection *c, struct cs_bytes plain)
{
	struct wire_cluster_frame frame;
	if (plain.n < WIRE_FRAME_HEAD_SIZE)
		return 0;
	if (wire_cluster_frame_decode(&frame, plain.p) != CS_OK ||
	    frame.body_size > message_size_max(c)) {
		service_event(s, WIRE_PIPE_EVENT_REFUSED, "a message that has no such form");
		service_end(s, c);
		return 0;
	}
	if (plain.n - WIRE_FRAME_HEAD_SIZE < frame.body_size)
		return 0;
	const uint32_t number = c->number;
	const struct cs_bytes body = cs_bytes(plain.p + WIRE_FRAME_HEAD_SIZE, frame.body_size);
	cs_arena_rewind(&s->arena, 0);
	if (frame.type != WIRE_CLUSTER_ERROR && wire_cluster_type_is_request(frame.type))
		take_request(s, c, &frame, body);
	else
		take_reply(s, c, &frame, body);
	return c->number == number ? WIRE_FRAME_HEAD_SIZE + frame.body_size : 0;
}

/* ---- bytes ---- */

static void take_channel(struct service *s, struct connection *c, struct cs_bytes bytes)
{
	const uint32_t number = c->number;
	const bool was_ready = channel_is_ready(c->channel);
	const enum cs_err err = channel_put(c->channel, bytes);
	flush(s, c);
	if (!was_ready && channel_is_ready(c->channel))
		ready(s, c);
	size_t n = 1;
	while (n > 0 && c->number == number) {
		n = take_message(s, c, channel_read(c->channel));
		if (n > 0)
			channel_drop(c->channel, n);
	}
	if (err == CS_OK || c->number != number)
		return;
	if (err != CS_ERR_CLOSED)
		service_event(s, WIRE_PIPE_EVENT_REFUSED, "TLS: %s",
			      cs_err_name(channel_refused(c->channel) != CS_OK
						  ? channel_refused(c->channel)
						  : err));
	service_end(s, c);
}

static bool inbox_add(struct connection *c, struct cs_bytes bytes)
{
	if (c->inbox_room - c->inbox_size < bytes.n) {
		const size_t room = 2 * (c->inbox_size + bytes.n);
		uint8_t *larger = room > 2 * (CS_FRAME_BODY_SIZE_MAX + WIRE_PIPE_DATA_SIZE_MAX +
					      WIRE_FRAME_HEAD_SIZE)
					  ? NULL
					  : realloc(c->inbox, room);
		if (larger == NULL)
			return false;
		c->inbox = larger;
		c->inbox_room = room;
	}
	memcpy(c->inbox + c->inbox_size, bytes.p, bytes.n);
	c->inbox_size += bytes.n;
	return true;
}

static void take_local(struct service *s, struct connection *c, struct cs_bytes bytes)
{
	const uint32_t number = c->number;
	size_t at = 0;
	if (bytes.n == 0)
		return;
	if (!inbox_add(c, bytes)) {
		service_end(s, c);
		return;
	}
	size_t n;
	while ((n = take_message(s, c, cs_bytes(c->inbox + at, c->inbox_size - at))) > 0)
		at += n;
	if (c->number != number)
		return;
	c->inbox_size -= at;
	memmove(c->inbox, c->inbox + at, c->inbox_size);
}

/* ---- asks ---- */

static enum cs_err ask_manifest(struct service *s, struct cs_bytes file, struct cs_why *why)
{
	const struct cluster_manifest *next = NULL;
	struct cluster_self self;
	CS_TRY(cluster_lineage_read(&s->lineage, &next, file, s->tools.sig, why));
	CS_TRY(cluster_manifest_check(next, why));
	CS_TRY(cluster_self_read(&self, s->launch.role, next, &s->tools, &s->now, why));
	CS_TRY(service_role(s)->manifest(s, next, why));
	cluster_lineage_follow(&s->lineage);
	s->self = self;
	s->tools.tee.insecure_flags = service_insecure_flags(s);
	service_event(s, WIRE_PIPE_EVENT_STARTED, "manifest %llu",
		      (unsigned long long)next->number);
	return service_keep(s, why);
}

static bool answers(const struct service *s, uint8_t verb)
{
	static const struct {
		uint8_t verb;
		const char *who;
	} asks[] = {
#define WIRE_CLUSTER_ASK(name, number, who) {(number), (who)},
		WIRE_CLUSTER_ASKS(WIRE_CLUSTER_ASK)
#undef WIRE_CLUSTER_ASK
	};
	const char who = s->launch.role == CLUSTER_KEY_SERVER ? 'k'
			 : s->launch.role == CLUSTER_GUARD    ? 'g'
							      : 'w';
	for (size_t i = 0; i < CS_LEN(asks); i++)
		if (asks[i].verb == verb && strchr(asks[i].who, who) != NULL)
			return true;
	return false;
}

static void take_ask(struct service *s, uint32_t number, struct cs_bytes body)
{
	struct cs_why why = {""};
	struct cs_buf out = service_out(s);
	bool later = false;
	enum cs_err err;
	cs_arena_rewind(&s->arena, 0);
	if (body.n == 0 || !answers(s, body.p[0]))
		err = cs_fail(&why, CS_ERR_UNSUPPORTED, "a %s does not answer this",
			      cluster_role_name(s->launch.role));
	else if (body.p[0] == WIRE_CLUSTER_ASK_MANIFEST)
		err = ask_manifest(s, cs_bytes(body.p + 1, body.n - 1), &why);
	else
		err = service_role(s)->ask(s, number, (enum wire_cluster_ask)body.p[0],
					   cs_bytes(body.p + 1, body.n - 1), &out, &later, &why);
	if (later && err == CS_OK)
		return;
	if (body.n > 0 && body.p[0] == WIRE_CLUSTER_ASK_MANIFEST)
		out.n = 0;
	service_answer(s, number, err,
		       err == CS_OK          ? cs_buf_view(&out)
		       : why.text[0] != '\0' ? cs_bytes_str(why.text)
					     : cs_bytes_str(cs_err_sentence(err)));
}

/* ---- time ---- */

enum cs_err service_own_port(struct service *s, const struct cluster_pair *identity)
{
	uint8_t der[CLUSTER_CERTIFICATE_SIZE_MAX];
	struct cs_buf buf;
	struct channel_port *port;
	if (s->now.high_s == 0)
		return CS_ERR_NO_TIME;
	if (s->port != NULL && s->now.high_s < s->port_s + OWN_CERTIFICATE_S / 2)
		return CS_OK;
	struct cluster_certificate certificate = {
		.role = s->launch.role,
		.insecure = service_manifest(s)->insecure,
		.lineage = *cluster_manifest_lineage(service_manifest(s)),
		.key = identity->key,
		.issuer = identity->key,
		.not_before_s = s->now.low_s - CLUSTER_CLOCK_SKEW_S,
		.not_after_s = s->now.low_s + OWN_CERTIFICATE_S,
	};
	memcpy(certificate.serial, service_random(s)->b, sizeof certificate.serial);
	certificate.serial[0] = 0x40 | (certificate.serial[0] & 0x3f);
	cs_buf_init(&buf, der, sizeof der);
	CS_TRY(cluster_certificate_write(&buf, &certificate, &identity->secret));
	CS_TRY(channel_port_new(&port, &identity->secret, cs_buf_view(&buf), service_role(s)->judge,
				s));
	channel_port_free(s->port);
	s->port = port;
	s->port_s = s->now.high_s;
	return CS_OK;
}

static void end_old(struct service *s)
{
	const uint64_t now_s = s->now.high_s;
	for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
		struct connection *c = &s->connections[i];
		const bool asleep = c->number != 0 && has_tls(c->port) && !c->met &&
				    now_s > c->since_s + MEET_S;
		const bool old = c->number != 0 && c->port == WIRE_PIPE_EVIDENCE &&
				 now_s > c->since_s + CLUSTER_SESSION_AGE_MAX_S;
		if (asleep || old)
			service_end(s, c);
	}
	for (size_t i = 0; i < WAITS_MAX; i++) {
		const struct wait wait = s->waits[i];
		if (wait.id == 0 || now_s <= wait.since_s + WAIT_S)
			continue;
		s->waits[i].id = 0;
		if (service_role(s)->lost != NULL)
			service_role(s)->lost(s, &wait);
	}
}

static void tick(struct service *s)
{
	end_old(s);
	cs_arena_rewind(&s->arena, 0);
	service_role(s)->tick(s);
}

/* ---- the whole ---- */

/* Which build and machine this is, and how far a TPM says that it was. */
static enum cs_err look_around(struct service *s, struct cs_why *why)
{
	cs_arena_rewind(&s->arena, 0);
	CS_TRY(cluster_self_read(&s->self, s->launch.role, service_manifest(s), &s->tools, &s->now,
				 why));
	return record_open(&s->record, &s->launch.record, service_random(s), why);
}

static enum cs_err open_state(struct service *s, struct cs_bytes sealed, struct cs_why *why)
{
	struct seal_head head = {.counter = 0};
	size_t n = 0;
	if (s->begun)
		return cs_fail(why, CS_ERR_CONFLICT, "the state comes once");
	s->begun = true;
	if (sealed.n > sizeof s->secrets->plain)
		return cs_fail(why, CS_ERR_TOO_LARGE, "the sealed state is above its bound");
	CS_TRY(look_around(s, why));
	if (sealed.n > 0) {
		CS_TRY(seal_read(s->secrets->plain, &head, &s->secrets->seal_root, s->launch.role,
				 service_manifest(s), sealed, why));
		n = sealed.n - SEAL_OVERHEAD;
		const enum cs_err err = record_check(&s->record, &head.record, why);
		if (err != CS_OK) {
			cs_wipe(s->secrets->plain, n);
			return err;
		}
	}
	s->counter = head.counter;
	s->restored = n > 0;
	cs_arena_rewind(&s->arena, 0);
	const enum cs_err err = service_role(s)->open(s, cs_bytes(s->secrets->plain, n), why);
	cs_wipe(s->secrets->plain, sizeof s->secrets->plain);
	CS_TRY(err);
	CS_TRY(service_anchor_kept(s));
	s->is_open = true;
	service_event(s, WIRE_PIPE_EVENT_STARTED, "%s, manifest %llu, %s",
		      cluster_role_name(s->launch.role),
		      (unsigned long long)service_manifest(s)->number,
		      n > 0 ? "from its sealed state" : "without a state");
	tick(s);
	return CS_OK;
}

static enum cs_err take_connection(struct service *s, const struct wire_pipe_frame *frame,
				   struct cs_bytes body, struct cs_why *why)
{
	struct connection *c = service_connection(s, frame->number);
	if (frame->type == WIRE_PIPE_ACCEPTED) {
		const uint8_t port = body.n == 1 ? body.p[0] : 0;
		if (c != NULL || frame->number == 0 || frame->number % 2 != 0 ||
		    port < WIRE_PIPE_LOCAL || port > WIRE_PIPE_WORKERS)
			return cs_fail(why, CS_ERR_MALFORMED, "a connection that cannot be");
		accept_connection(s, frame->number, (enum wire_pipe_port)port);
		return CS_OK;
	}
	/* It may have ended here while the host was speaking of it. */
	if (c == NULL)
		return CS_OK;
	if (frame->type == WIRE_PIPE_CONNECTED && c->ours && !c->open)
		connected(s, c);
	else if (frame->type == WIRE_PIPE_ENDED)
		forget(s, c);
	else if (frame->type == WIRE_PIPE_DATA_IN && c->open && c->channel != NULL)
		take_channel(s, c, body);
	else if (frame->type == WIRE_PIPE_DATA_IN && c->open)
		take_local(s, c, body);
	return CS_OK;
}

static enum cs_err take(struct service *s, const struct wire_pipe_frame *frame,
			struct cs_bytes body, struct cs_why *why)
{
	switch (frame->type) {
	case WIRE_PIPE_STATE:
		return open_state(s, body, why);
	case WIRE_PIPE_ACCEPTED:
	case WIRE_PIPE_CONNECTED:
	case WIRE_PIPE_DATA_IN:
	case WIRE_PIPE_ENDED:
		return take_connection(s, frame, body, why);
	case WIRE_PIPE_KEPT:
		if (!s->holding || frame->number != s->kept_number)
			return CS_OK;
		if (service_role(s)->kept != NULL)
			CS_TRY(service_role(s)->kept(s, why));
		CS_TRY(service_anchor_kept(s));
		if (!s->anchor.waits)
			service_release(s);
		return CS_OK;
	case WIRE_PIPE_TICK:
		tick(s);
		return CS_OK;
	case WIRE_PIPE_ASK:
		take_ask(s, frame->number, body);
		return CS_OK;
	case WIRE_PIPE_CONNECT:
	case WIRE_PIPE_DATA_OUT:
	case WIRE_PIPE_END:
	case WIRE_PIPE_KEEP:
	case WIRE_PIPE_ANSWER:
	case WIRE_PIPE_EVENT:
	case WIRE_PIPE_TIME_ASK:
	case WIRE_PIPE_TIME_ANSWERS:
	case WIRE_PIPE_ANCHOR:
		break;
	}
	return cs_fail(why, CS_ERR_MALFORMED, "not the host's to send");
}

enum cs_err service_step(struct service *s, const struct wire_pipe_frame *frame,
			 struct cs_bytes body, struct cs_why *why)
{
	if (!s->begun && frame->type != WIRE_PIPE_STATE)
		return cs_fail(why, CS_ERR_CONFLICT, "the state comes first");
	CS_TRY(take(s, frame, body, why));
	return s->broken ? cs_fail(why, CS_ERR_FULL, "the state cannot be kept") : CS_OK;
}

enum cs_err service_take(struct service *s, const struct wire_pipe_frame *frame,
			 struct cs_bytes body, const struct verify_time *now, struct cs_why *why)
{
	if (!service_manifest(s)->insecure_host_time)
		return service_clock_take(s, frame, body, why);
	/* Time does not go back within a process. */
	if (now->low_s > s->now.low_s)
		s->now.low_s = now->low_s;
	s->now.high_s = now->high_s > s->now.low_s ? now->high_s : s->now.low_s;
	return service_step(s, frame, body, why);
}

bool service_is_open(const struct service *s)
{
	return s->is_open;
}

uint64_t service_insecure_flags(const struct service *s)
{
	const uint64_t own = s->launch.tee.insecure_flags;
	return service_manifest(s)->insecure_host_time ? own | ENCLAVE_INSECURE_host_time : own;
}

static enum cs_err read_lineage(struct service *s, struct cs_why *why)
{
	const struct service_launch *launch = &s->launch;
	for (size_t i = 0; i < launch->manifest_count; i++) {
		const struct cluster_manifest *next = NULL;
		CS_TRY(cluster_lineage_read(&s->lineage, &next, launch->manifests[i], s->tools.sig,
					    why));
		if (i == 0 && !cs_hash_eq(&next->hash, &launch->first))
			return cs_fail(why, CS_ERR_WRONG_LINEAGE,
				       "the first manifest is not --first");
		cluster_lineage_follow(&s->lineage);
	}
	if (launch->manifest_count == 0)
		return cs_fail(why, CS_ERR_INVALID, "there is no manifest");
	s->tools.tee.insecure_flags = service_insecure_flags(s);
	return CS_OK;
}

enum cs_err service_init(struct service *s, void *secrets, void *scratch,
			 const struct service_launch *launch, struct cs_why *why)
{
	uint8_t *p = scratch;
	s->launch = *launch;
	s->secrets = secrets;
	s->secrets->seal_root = *launch->seal_root;
	s->launch.seal_root = NULL;
	s->number_next = 1;
	s->request_next = 1;
	cs_arena_init(&s->arena, p, CLUSTER_ARENA_SIZE);
	p += CLUSTER_ARENA_SIZE;
	cluster_lineage_init(&s->lineage, p);
	p += CLUSTER_LINEAGE_SIZE;
	s->held = p;
	p += HELD_SIZE_MAX;
	s->out = p;
	p += OUT_SIZE;
	s->clock.queue = p;
	p += CLOCK_QUEUE_SIZE_MAX;
	s->statement = p;
	s->tools = (struct cluster_tools){.sig = cs_sig_new(service_random(s)),
					  .nistp = cs_nistp_new(),
					  .arena = &s->arena,
					  .tee = launch->tee};
	if (s->tools.sig == NULL || s->tools.nistp == NULL)
		return CS_ERR_NO_MEMORY;
	return read_lineage(s, why);
}

void service_done(struct service *s)
{
	for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
		channel_free(s->connections[i].channel);
		free(s->connections[i].inbox);
		free(s->connections[i].pending);
	}
	channel_port_free(s->port);
	cs_sig_free((struct cs_sig *)(uintptr_t)s->tools.sig);
	cs_nistp_free(s->tools.nistp);
	cs_wipe(s->secrets, sizeof *s->secrets);
}
