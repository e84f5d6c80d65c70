/* The services of a key server, a guard and a worker (enclave/cluster/service.h) with the fuzzer as their hosts, their
 * network and two more guards: one of a build that the manifest names, one of another. Every input begins with the three
 * as they were once joined, from their sealed states. It is a row of (what happens, size in two bytes, body).
 *
 * What is asserted: frames that the host carried as it should never end a process; what leaves has the pipe's form;
 * nothing but the state leaves while a state waits to be kept; no root of an epoch and no key of a program leaves
 * in the clear; whoever is of another build is never met.
 *
 * With CAISSON_SEEDS=<folder> it writes rows there, the beginning of tests/fuzz/corpus/cluster_service. TLS has
 * random numbers of its own: an input replays what it does, not the records byte by byte. */
#include "enclave/cluster/inner.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/verify/cluster/scene.h"
#include "wire/provision.h"

#include <stdlib.h>

enum actor_name { KEY_SERVER, GUARD, WORKER, ACTORS, FRIEND = ACTORS, STRANGER, PARTIES };

enum happening {
	CARRY,        /* so many frames (1), 0: until nothing moves */
	HOST_FRAME,   /* actor (1), type (1), number (4), body: as a host that lies */
	TICK,         /* of an actor (1) */
	TIME_PASSES,  /* seconds (2), then everybody's tick */
	ASK,          /* actor (1), verb (1), argument */
	KEEP_NOTHING, /* actor (1): its states are kept no more, or again */
	TAMPER,       /* place in the queue (1), offset (2), xor (1) */
	DIAL,  /* friend or stranger (1): TLS to the key server, evidence, where (2) and xor (1) */
	SAY,   /* friend or stranger (1), type (2), body: over its TLS */
	VOUCH, /* friend or stranger (1): a worker's request, where (2) and xor (1) */
	RECORDS, /* friend or stranger (1): bytes under TLS */
	LOCAL,   /* bytes to the guard, of whoever opens its socket */
	HAPPENINGS
};

#define QUEUE_MAX 512u
#define LINKS_MAX 64u
#define QUEUE_BYTES_MAX (4u * 1024 * 1024)

struct actor {
	struct service *service;
	void *secrets, *scratch;
	struct scene_build build;
	uint32_t number_next; /* of what is accepted: even */
	bool dead;
	bool meddled; /* its host has lied: it may end */
	bool keeps_nothing;
	uint32_t unkept; /* the state that waits; 0: none */
};

/* A connection: the actor at each end and the number that it knows it by; FRIEND and STRANGER have one. */
struct link {
	struct {
		unsigned who;
		uint32_t number;
	} end[2];
};

struct queued {
	unsigned to;
	enum wire_pipe_type type;
	uint32_t number;
	size_t at, size;
};

struct guest {
	struct scene_build build;
	struct cluster_tools tools;
	struct cluster_guard guard;
	struct channel_port *port;
	struct channel *channel;
	struct cluster_session session;
	bool ended;
};

static struct world {
	struct scene *scene;
	struct cs_bytes file;
	const struct cluster_manifest *manifest;
	struct cs_bytes states[ACTORS];
	uint8_t state_memory[ACTORS][64 * 1024];
	bool recording; /* states, once */
	uint64_t random;
	struct actor actors[ACTORS];
	struct guest guests[2];
	struct cluster_worker worker; /* a guest's, for vouches */
	struct link links[LINKS_MAX];
	struct queued queue[QUEUE_MAX];
	size_t queue_first, queue_count, bytes_used;
	uint8_t bytes[QUEUE_BYTES_MAX];
	struct cs_why why;
} w;

/* ---- the network ---- */

static void put_queue(unsigned to, enum wire_pipe_type type, uint32_t number, struct cs_bytes body)
{
	/* What does not fit is lost, as a network loses it: with the connection, in time. */
	if (w.queue_count == QUEUE_MAX || QUEUE_BYTES_MAX - w.bytes_used < body.n)
		return;
	w.queue[w.queue_count++] = (struct queued){to, type, number, w.bytes_used, body.n};
	if (body.n > 0)
		memcpy(w.bytes + w.bytes_used, body.p, body.n);
	w.bytes_used += body.n;
}

static struct link *find_link(unsigned who, uint32_t number, unsigned *end)
{
	for (size_t i = 0; i < LINKS_MAX; i++)
		for (*end = 0; *end < 2; (*end)++)
			if (w.links[i].end[*end].number == number && number != 0 &&
			    w.links[i].end[*end].who == who)
				return &w.links[i];
	return NULL;
}

/* The number at the accepting end; 0: no room, or the actor is no more. */
static uint32_t link_to(unsigned from, uint32_t number, unsigned to, enum wire_pipe_port port)
{
	const uint8_t body = (uint8_t)port;
	for (size_t i = 0; i < LINKS_MAX && !w.actors[to].dead; i++) {
		struct link *link = &w.links[i];
		if (link->end[0].number != 0 || link->end[1].number != 0)
			continue;
		*link = (struct link){{{from, number}, {to, w.actors[to].number_next}}};
		w.actors[to].number_next += 2;
		put_queue(to, WIRE_PIPE_ACCEPTED, link->end[1].number, cs_bytes(&body, 1));
		return link->end[1].number;
	}
	return 0;
}

static void from_service(unsigned who, enum wire_pipe_type type, uint32_t number,
			 struct cs_bytes body)
{
	unsigned end;
	struct link *link = find_link(who, number, &end);
	if (type == WIRE_PIPE_CONNECT) {
		cs_assert(body.n == 2 && number % 2 == 1);
		const unsigned to = body.p[0] == WIRE_PIPE_LOCAL      ? GUARD
				    : body.p[0] == WIRE_PIPE_EVIDENCE ? KEY_SERVER
								      : WORKER;
		const bool there = body.p[1] == 0 &&
				   link_to(who, number, to, (enum wire_pipe_port)body.p[0]) != 0;
		put_queue(who, there ? WIRE_PIPE_CONNECTED : WIRE_PIPE_ENDED, number,
			  CS_BYTES_NONE);
		return;
	}
	if (link == NULL)
		return;
	const unsigned other = link->end[1 - end].who;
	if (type == WIRE_PIPE_DATA_OUT && other < ACTORS)
		put_queue(other, WIRE_PIPE_DATA_IN, link->end[1 - end].number, body);
	else if (type == WIRE_PIPE_DATA_OUT)
		(void)!channel_put(w.guests[other - FRIEND].channel, body);
	else if (type == WIRE_PIPE_END && other < ACTORS)
		put_queue(other, WIRE_PIPE_ENDED, link->end[1 - end].number, CS_BYTES_NONE);
	else if (type == WIRE_PIPE_END)
		w.guests[other - FRIEND].ended = true;
	if (type == WIRE_PIPE_END)
		memset(link, 0, sizeof *link);
}

/* ---- what may leave ---- */

static void holds_no(struct cs_bytes body, const struct cs_secret *secret)
{
	static const struct cs_secret none;
	if (memcmp(secret, &none, sizeof none) != 0)
		cs_assert(body.n < 32 || memmem(body.p, body.n, secret->b, 32) == NULL);
}

static void look_for_secrets(struct cs_bytes body)
{
	const struct cluster_key_server *ks = &w.actors[KEY_SERVER].service->secrets->of.key_server;
	const struct cluster_worker *worker = &w.actors[WORKER].service->secrets->of.worker;
	struct cluster_program_secret secret;
	for (size_t i = 0; i < ks->epoch_count; i++)
		holds_no(body, &ks->epochs[i].root);
	for (size_t i = 0; i < worker->ring.count; i++)
		holds_no(body, &worker->ring.keys[i].key);
	if (cluster_program_secret(&secret, &worker->ring, cs_bytes_str("reports"), 0,
				   &w.scene->now) == CS_OK)
		holds_no(body, &secret.secret);
}

static void on_send(void *context, enum wire_pipe_type type, uint32_t number, struct cs_bytes body)
{
	const unsigned who = (unsigned)((struct actor *)context - w.actors);
	struct actor *actor = context;
	uint8_t head[WIRE_PIPE_HEAD_SIZE];
	struct wire_pipe_frame frame = {(uint32_t)body.n, type, number};
	wire_pipe_encode(head, &frame);
	cs_assert(wire_pipe_decode(&frame, head, false) == CS_OK);
	cs_assert(actor->unkept == 0 || type == WIRE_PIPE_KEEP);
	if (body.n < 8192)
		look_for_secrets(body);
	if (type == WIRE_PIPE_KEEP) {
		actor->unkept = number;
		if (w.recording) {
			cs_assert(body.n <= sizeof w.state_memory[who]);
			memcpy(w.state_memory[who], body.p, body.n);
			w.states[who] = cs_bytes(w.state_memory[who], body.n);
		}
		if (!actor->keeps_nothing)
			put_queue(who, WIRE_PIPE_KEPT, number, CS_BYTES_NONE);
		return;
	}
	from_service(who, type, number, body);
}

/* ---- the hosts ---- */

static void give(unsigned who, enum wire_pipe_type type, uint32_t number, struct cs_bytes body,
		 bool honest)
{
	struct actor *actor = &w.actors[who];
	const struct wire_pipe_frame frame = {(uint32_t)body.n, type, number};
	if (actor->dead)
		return;
	actor->meddled = actor->meddled || !honest;
	if (type == WIRE_PIPE_KEPT && number == actor->unkept)
		actor->unkept = 0;
	const enum cs_err err = service_take(actor->service, &frame, body, &w.scene->now, &w.why);
	/* A state that cannot be kept ends a process; else a host that does as it should never does. */
	cs_assert(err == CS_OK || err == CS_ERR_FULL || actor->meddled);
	actor->dead = err != CS_OK;
}

static void carry(size_t count)
{
	for (; count > 0 && w.queue_first < w.queue_count; count--) {
		const struct queued next = w.queue[w.queue_first++];
		give(next.to, next.type, next.number, cs_bytes(w.bytes + next.at, next.size), true);
		if (w.queue_first == w.queue_count)
			w.queue_first = w.queue_count = w.bytes_used = 0;
	}
}

static bool random_bytes(void *p, size_t n)
{
	uint8_t *out = p;
	while (n > 0) {
		uint8_t number[8];
		cs_put_be64(number, ++w.random);
		const struct cs_hash hash = cs_sha256(CS_BYTES_OF(number));
		const size_t some = n < 32 ? n : 32;
		memcpy(out, hash.b, some);
		out += some;
		n -= some;
	}
	return true;
}

static void start(unsigned who)
{
	static const struct cs_secret seal_root = {{5}};
	static const char letters[] = "kgw";
	struct actor *actor = &w.actors[who];
	/* The memory is made once: a sanitizer would take most of the time to poison it. */
	if (actor->service == NULL) {
		actor->service = malloc(service_size());
		actor->secrets = malloc(service_secrets_size());
		actor->scratch = malloc(SERVICE_SCRATCH_SIZE);
	}
	*actor = (struct actor){.service = actor->service,
				.secrets = actor->secrets,
				.scratch = actor->scratch,
				.build = scene_build(letters[who]),
				.number_next = 2};
	memset(actor->service, 0, service_size());
	memset(actor->secrets, 0, service_secrets_size());
	struct service_launch launch = {.role = (enum cluster_role)(CLUSTER_KEY_SERVER + who),
					.application = who == WORKER ? cs_bytes_str(APPLICATION)
								     : CS_BYTES_NONE,
					.manifests = &w.file,
					.manifest_count = 1,
					.first = w.manifest->hash,
					.seal_root = &seal_root,
					.tee = scene_tools(w.scene, &actor->build).tee,
					.random = random_bytes,
					.send = on_send,
					.send_context = actor};
	ok(service_init(actor->service, actor->secrets, actor->scratch, &launch, &w.why));
}

/* All of them first: what one says is looked through for the others' secrets. */
static void start_all(void)
{
	w.queue_first = w.queue_count = w.bytes_used = 0;
	memset(w.links, 0, sizeof w.links);
	w.scene->now = (struct verify_time){SCENE_NOW, SCENE_NOW};
	for (unsigned i = 0; i < ACTORS; i++)
		start(i);
	for (unsigned i = 0; i < ACTORS; i++)
		give(i, WIRE_PIPE_STATE, 0, w.states[i], true);
}

static void stop_all(void)
{
	for (unsigned i = 0; i < 2; i++) {
		channel_free(w.guests[i].channel);
		w.guests[i].channel = NULL;
	}
	for (unsigned i = 0; i < ACTORS; i++)
		service_done(w.actors[i].service);
}

/* ---- guests ---- */

static enum cs_err judge_any(void *context, struct cs_bytes der)
{
	struct cs_ed25519_key key;
	(void)context;
	return cluster_certificate_key(&key, der);
}

static void make_guest(struct guest *guest, char letter)
{
	static uint8_t der[2][CLUSTER_CERTIFICATE_SIZE_MAX];
	const struct cs_secret random = scene_random(w.scene);
	struct cs_buf buf;
	guest->build = scene_build(letter);
	guest->tools = scene_tools(w.scene, &guest->build);
	ok(cluster_guard_init(&guest->guard, w.manifest, &random));
	const struct cluster_certificate certificate = {.role = CLUSTER_GUARD,
							.insecure = true,
							.lineage = w.manifest->hash,
							.serial = {0x41},
							.key = guest->guard.identity.key,
							.issuer = guest->guard.identity.key,
							.not_before_s = SCENE_NOW - 60,
							.not_after_s = SCENE_NOW + 3600};
	cs_buf_init(&buf, der[guest - w.guests], sizeof der[0]);
	ok(cluster_certificate_write(&buf, &certificate, &guest->guard.identity.secret));
	ok(channel_port_new(&guest->port, &guest->guard.identity.secret, cs_buf_view(&buf),
			    judge_any, NULL));
}

static uint32_t guest_number(unsigned who)
{
	for (size_t i = 0; i < LINKS_MAX; i++)
		if (w.links[i].end[0].who == who && w.links[i].end[1].number != 0)
			return w.links[i].end[1].number;
	return 0;
}

static void flush_guest(unsigned who)
{
	struct guest *guest = &w.guests[who - FRIEND];
	uint8_t piece[16384];
	size_t n;
	while ((n = channel_take(guest->channel, piece, sizeof piece)) > 0)
		put_queue(KEY_SERVER, WIRE_PIPE_DATA_IN, guest_number(who), cs_bytes(piece, n));
}

static void say(unsigned who, uint16_t type, struct cs_bytes body)
{
	struct guest *guest = &w.guests[who - FRIEND];
	uint8_t head[WIRE_FRAME_HEAD_SIZE];
	const struct wire_cluster_frame frame = {(uint32_t)body.n, (enum wire_cluster_type)type, 7};
	if (guest->channel == NULL || guest->ended || !channel_is_ready(guest->channel))
		return;
	wire_cluster_frame_encode(head, &frame);
	if (channel_write(guest->channel, CS_BYTES_OF(head)) == CS_OK &&
	    (body.n == 0 || channel_write(guest->channel, body) == CS_OK))
		flush_guest(who);
	carry(QUEUE_MAX);
}

/* Changed at one place; xor 0: as it was made. */
static void change(struct cs_buf *message, struct cs_bytes how)
{
	if (how.n >= 3 && message->n > 0)
		message->p[((size_t)how.p[0] << 8 | how.p[1]) % message->n] ^= how.p[2];
}

static void dial(unsigned who, struct cs_bytes how)
{
	struct guest *guest = &w.guests[who - FRIEND];
	static uint8_t memory[65536];
	struct cs_buf out;
	if (guest->channel != NULL)
		return;
	guest->ended = false;
	guest->session = (struct cluster_session){.verified = false};
	guest->channel = channel_new(guest->port, true);
	cs_assert(guest->channel != NULL);
	if (link_to(who, 0, KEY_SERVER, WIRE_PIPE_EVIDENCE) == 0)
		return;
	for (int turn = 0; turn < 4 && !channel_is_ready(guest->channel); turn++) {
		(void)!channel_put(guest->channel, CS_BYTES_NONE);
		flush_guest(who);
		carry(QUEUE_MAX);
	}
	struct wire_report_tls tls;
	if (!channel_is_ready(guest->channel) ||
	    channel_binding(guest->channel, CS_BYTES_NONE, &tls) != CS_OK)
		return;
	guest->session.channel = (struct cluster_channel){.exporter = tls.exporter,
							  .client_spki = tls.client_spki,
							  .server_spki = tls.server_spki,
							  .client = true};
	cs_arena_rewind(&w.scene->arena, 0);
	cs_buf_init(&out, memory, sizeof memory);
	ok(cluster_guard_hello(&guest->guard, &guest->session, &out, &guest->tools, &w.why));
	change(&out, how);
	say(who, WIRE_CLUSTER_HELLO, cs_buf_view(&out));
	/* What the key server says of itself, for what the guest vouches for then. */
	const struct cs_bytes plain = channel_read(guest->channel);
	struct wire_cluster_frame frame;
	if (plain.n > WIRE_FRAME_HEAD_SIZE && wire_cluster_frame_decode(&frame, plain.p) == CS_OK &&
	    frame.type == WIRE_CLUSTER_HELLO_REPLY &&
	    plain.n == WIRE_FRAME_HEAD_SIZE + frame.body_size)
		ok(cluster_guard_meet(&guest->guard, &guest->session,
				      cs_bytes(plain.p + WIRE_FRAME_HEAD_SIZE, frame.body_size),
				      &guest->tools, &w.scene->now, &w.why));
	channel_drop(guest->channel, plain.n);
}

static void vouch(unsigned who, struct cs_bytes how)
{
	struct guest *guest = &w.guests[who - FRIEND];
	static uint8_t memory[3][262144];
	struct scene_build build = scene_build('w');
	const struct cluster_tools tools = scene_tools(w.scene, &build);
	struct cs_secret random = scene_random(w.scene);
	struct cs_buf challenge, join, out;
	cs_buf_init(&challenge, memory[0], sizeof memory[0]);
	cs_buf_init(&join, memory[1], sizeof memory[1]);
	cs_buf_init(&out, memory[2], sizeof memory[2]);
	cs_arena_rewind(&w.scene->arena, 0);
	if (guest->channel == NULL)
		return;
	if (cluster_guard_challenge(&guest->guard, &challenge, &random, &w.scene->now, &w.why) !=
	    CS_OK)
		return;
	random = scene_random(w.scene);
	if (cluster_worker_ask(&w.worker, &join, cs_buf_view(&challenge), &tools, &random,
			       &w.why) != CS_OK ||
	    cluster_guard_vouch(&guest->guard, &guest->session, &out, cs_buf_view(&join),
				&guest->tools, &w.scene->now, &w.why) != CS_OK)
		return;
	change(&out, how);
	say(who, WIRE_CLUSTER_VOUCH, cs_buf_view(&out));
	channel_drop(guest->channel, channel_read(guest->channel).n);
}

/* ---- what happens ---- */

static void records(unsigned who, struct cs_bytes bytes)
{
	if (guest_number(who) != 0)
		put_queue(KEY_SERVER, WIRE_PIPE_DATA_IN, guest_number(who), bytes);
	carry(QUEUE_MAX);
}

static void local(struct cs_bytes bytes)
{
	/* A program of the guard's machine: nobody takes what comes back. */
	const uint32_t number = link_to(PARTIES, 1, GUARD, WIRE_PIPE_LOCAL);
	if (number == 0)
		return;
	put_queue(GUARD, WIRE_PIPE_DATA_IN, number, bytes);
	put_queue(GUARD, WIRE_PIPE_ENDED, number, CS_BYTES_NONE);
	for (size_t i = 0; i < LINKS_MAX; i++)
		if (w.links[i].end[1].who == GUARD && w.links[i].end[1].number == number)
			memset(&w.links[i], 0, sizeof w.links[i]);
	carry(QUEUE_MAX);
}

static void time_passes(uint16_t seconds)
{
	w.scene->now.low_s += seconds;
	w.scene->now.high_s += seconds;
	for (unsigned i = 0; i < ACTORS; i++)
		give(i, WIRE_PIPE_TICK, 0, CS_BYTES_NONE, true);
	carry(QUEUE_MAX);
}

static void tamper(struct cs_bytes body)
{
	if (body.n < 4 || w.queue_count == w.queue_first)
		return;
	const struct queued *q =
		&w.queue[w.queue_first + body.p[0] % (w.queue_count - w.queue_first)];
	if (q->type == WIRE_PIPE_DATA_IN && q->size > 0)
		w.bytes[q->at + (size_t)(body.p[1] << 8 | body.p[2]) % q->size] ^= body.p[3];
}

static void host_frame(struct cs_bytes body)
{
	uint8_t head[WIRE_PIPE_HEAD_SIZE] = {0};
	struct wire_pipe_frame frame;
	if (body.n < 6)
		return;
	cs_put_be32(head, (uint32_t)body.n - 6);
	head[4] = body.p[1];
	memcpy(head + 8, body.p + 2, 4);
	if (wire_pipe_decode(&frame, head, true) == CS_OK)
		give(body.p[0] % ACTORS, frame.type, frame.number, cs_bytes(body.p + 6, body.n - 6),
		     false);
}

static void happen(enum happening what, struct cs_bytes body)
{
	const uint8_t first = body.n > 0 ? body.p[0] : 0;
	const struct cs_bytes rest = body.n > 0 ? cs_bytes(body.p + 1, body.n - 1) : CS_BYTES_NONE;
	const unsigned actor = first % ACTORS, guest = FRIEND + first % 2;
	switch (what) {
	case CARRY:
		carry(first == 0 ? QUEUE_MAX : first);
		break;
	case HOST_FRAME:
		host_frame(body);
		break;
	case TICK:
		give(actor, WIRE_PIPE_TICK, 0, CS_BYTES_NONE, true);
		break;
	case TIME_PASSES:
		if (body.n >= 2)
			time_passes((uint16_t)(body.p[0] << 8 | body.p[1]));
		break;
	case ASK:
		give(actor, WIRE_PIPE_ASK, 9, rest, true);
		break;
	case KEEP_NOTHING:
		w.actors[actor].keeps_nothing = !w.actors[actor].keeps_nothing;
		break;
	case TAMPER:
		tamper(body);
		break;
	case DIAL:
		dial(guest, rest);
		break;
	case SAY:
		if (rest.n >= 2)
			say(guest, (uint16_t)(rest.p[0] << 8 | rest.p[1]),
			    cs_bytes(rest.p + 2, rest.n - 2));
		break;
	case VOUCH:
		vouch(guest, rest);
		break;
	case RECORDS:
		records(guest, rest);
		break;
	case LOCAL:
		local(body);
		break;
	case HAPPENINGS:
		break;
	}
}

static void nobody_else_is_met(void)
{
	const struct connection *c =
		w.actors[KEY_SERVER].dead
			? NULL
			: service_connection(w.actors[KEY_SERVER].service, guest_number(STRANGER));
	cs_assert(c == NULL || (!c->met && !c->session.verified));
}

/* ---- seeds ---- */

struct row {
	size_t n;
	uint8_t bytes[8192];
};

static void row_put(struct row *row, enum happening what, struct cs_bytes body)
{
	row->bytes[row->n] = (uint8_t)what;
	cs_put_be16(row->bytes + row->n + 1, (uint16_t)body.n);
	if (body.n > 0)
		memcpy(row->bytes + row->n + 3, body.p, body.n);
	row->n += 3 + body.n;
}

#define ROW(row, what, ...) row_put(row, what, CS_BYTES_OF(((const uint8_t[]){__VA_ARGS__})))

static void row_write(const struct row *row, const char *folder, const char *name)
{
	char path[4096];
	(void)snprintf(path, sizeof path, "%s/%s", folder, name);
	FILE *out = fopen(path, "wb");
	cs_assert(out != NULL && fwrite(row->bytes, 1, row->n, out) == row->n);
	(void)fclose(out);
}

static void put_provision(struct row *row)
{
	uint8_t memory[2 + WIRE_PROVISION_ASK_SIZE_MAX] = {WORKER, WIRE_CLUSTER_ASK_PROVISION};
	struct wire_provision_ask ask = {.name = cs_bytes_str("reports"), .user = 7};
	const struct cs_secret box = {{9}};
	struct cs_buf out;
	ok(cs_x25519_public(&ask.box, &box));
	cs_buf_init(&out, memory + 2, sizeof memory - 2);
	ok(wire_provision_ask_put(&out, &ask));
	row_put(row, ASK, cs_bytes(memory, 2 + out.n));
}

static void write_seeds(const char *folder)
{
	struct row row = {0};
	ROW(&row, DIAL, 0);
	ROW(&row, VOUCH, 0);
	ROW(&row, VOUCH, 0, 0, 40, 1);
	ROW(&row, DIAL, 1);
	ROW(&row, SAY, 1, 4, 4, 8, 1);
	row_write(&row, folder, "guests");
	row.n = 0;
	ROW(&row, ASK, KEY_SERVER, WIRE_CLUSTER_ASK_ROTATE);
	ROW(&row, CARRY, 0);
	ROW(&row, TIME_PASSES, 7, 9);
	ROW(&row, ASK, WORKER, WIRE_CLUSTER_ASK_STATUS);
	ROW(&row, TIME_PASSES, 14, 16);
	row_write(&row, folder, "rotates");
	row.n = 0;
	ROW(&row, ASK, WORKER, WIRE_CLUSTER_ASK_SEAL, 1, 'a', 'b', 'c');
	ROW(&row, ASK, WORKER, WIRE_CLUSTER_ASK_SHARE, 0, 1, 'a', 'b', 'c');
	ROW(&row, CARRY, 3);
	ROW(&row, TAMPER, 0, 0, 9, 1);
	ROW(&row, CARRY, 0);
	put_provision(&row);
	ROW(&row, ASK, WORKER, WIRE_CLUSTER_ASK_ENCRYPT, 7, 'r', 'e', 'p', 'o', 'r', 't', 's', 'x');
	row_write(&row, folder, "uses");
	row.n = 0;
	ROW(&row, KEEP_NOTHING, KEY_SERVER);
	ROW(&row, ASK, KEY_SERVER, WIRE_CLUSTER_ASK_ROTATE);
	ROW(&row, ASK, KEY_SERVER, WIRE_CLUSTER_ASK_STATUS);
	ROW(&row, TIME_PASSES, 255, 255);
	ROW(&row, KEEP_NOTHING, KEY_SERVER);
	row_write(&row, folder, "keeps-nothing");
	row.n = 0;
	ROW(&row, HOST_FRAME, GUARD, WIRE_PIPE_ACCEPTED, 0, 0, 0, 90, WIRE_PIPE_LOCAL);
	ROW(&row, HOST_FRAME, GUARD, WIRE_PIPE_DATA_IN, 0, 0, 0, 90, 4, 6, 0, 1);
	ROW(&row, LOCAL, 0, 0, 0, 0, 4, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1);
	ROW(&row, HOST_FRAME, WORKER, WIRE_PIPE_ENDED, 0, 0, 0, 1);
	ROW(&row, RECORDS, 0, 22, 3, 1, 0, 1, 0);
	row_write(&row, folder, "host");
}

/* ---- the whole ---- */

static void begin(void)
{
	struct scene_manifest text = scene_manifest();
	const struct cs_secret random = {{8}};
	const char *folder = getenv("CAISSON_SEEDS");
	text.programs = "[{\"application\":\"" APPLICATION
			"\",\"name\":\"reports\",\"rules\":[{\"kind\":\"user\",\"user\":7}]}]";
	w.scene = scene_new();
	w.file = scene_manifest_file(w.scene, &text, NULL);
	w.manifest = scene_manifest_read(w.scene, &text, NULL);
	make_guest(&w.guests[0], 'g');
	make_guest(&w.guests[1], 'x');
	ok(cluster_worker_init(&w.worker, w.manifest, cs_bytes_str(APPLICATION), &random));
	/* Joined once; the states are every input's beginning. */
	w.recording = true;
	start_all();
	const uint8_t create = WIRE_CLUSTER_ASK_CREATE;
	give(KEY_SERVER, WIRE_PIPE_ASK, 1, cs_bytes(&create, 1), true);
	carry(QUEUE_MAX);
	for (int i = 0; i < 8; i++)
		time_passes(2);
	cs_assert(w.actors[WORKER].service->secrets->of.worker.certificate_size > 0);
	w.recording = false;
	stop_all();
	if (folder != NULL)
		write_seeds(folder);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (w.scene == NULL)
		begin();
	w.random = 1000;
	w.scene->random = 1000;
	start_all();
	/* The guard's session with the key server, as in life. */
	time_passes(1);
	for (unsigned rows = 0; size >= 3 && rows < 64; rows++) {
		const size_t n = cs_be16(data + 1);
		if (size - 3 < n)
			break;
		happen((enum happening)(data[0] % HAPPENINGS), cs_bytes(data + 3, n));
		nobody_else_is_met();
		data += 3 + n;
		size -= 3 + n;
	}
	stop_all();
	return 0;
}
