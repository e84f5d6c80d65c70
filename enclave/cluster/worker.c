/* A worker's part of the service: its guard, other workers, and the programs that use its keys. */
#include "core/hash.h"
#include "enclave/cluster/inner.h"
#include "wire/provision.h"

#include <stdlib.h>
#include <string.h>

static struct cluster_worker *mine(struct service *s)
{
	return &s->secrets->of.worker;
}

/* Before anything of a peer is believed: is its certificate one of this cluster's, now? */
static enum cs_err judge(void *context, struct cs_bytes der)
{
	struct service *s = context;
	struct cluster_certificate certificate;
	struct cs_why why = {""};
	return cluster_trust_verify(&certificate, der, &mine(s)->trust, &s->now, &why);
}

static enum cs_err encode(struct service *s, struct cs_buf *out, struct cs_why *why)
{
	return cluster_worker_encode(mine(s), out, &s->arena, why);
}

/* The certificate by which other workers know it; none without keys. */
static enum cs_err renew_port(struct service *s)
{
	struct cluster_worker *worker = mine(s);
	struct channel_port *port = NULL;
	if (worker->certificate_size > 0)
		CS_TRY(channel_port_new(&port, &worker->identity.secret,
					cs_bytes(worker->certificate, worker->certificate_size),
					judge, s));
	channel_port_free(s->port);
	s->port = port;
	return CS_OK;
}

static enum cs_err open_state(struct service *s, struct cs_bytes state, struct cs_why *why)
{
	CS_TRY(cluster_worker_init(mine(s), service_manifest(s), s->launch.application,
				   service_random(s)));
	if (state.n == 0)
		return service_keep(s, why);
	CS_TRY(cluster_worker_restore(mine(s), state, &s->tools, &s->now, why));
	return renew_port(s);
}

/* ---- the guard ---- */

static void ask_guard(struct service *s, struct connection *c)
{
	struct cs_buf out = service_out(s);
	Caisson__Wire__ClusterChallengeRequest request;
	struct cs_why why = {""};
	caisson__wire__cluster_challenge_request__init(&request);
	if (wire_encode(&out, &request.base, &why) != CS_OK ||
	    service_request(s, c, WIRE_CLUSTER_CHALLENGE, cs_buf_view(&out)) == NULL)
		service_end(s, c);
}

static void ready(struct service *s, struct connection *c)
{
	if (c->number == s->up && cluster_worker_due(mine(s), &s->now))
		ask_guard(s, c);
	if (c->ask != 0 && service_request(s, c, WIRE_CLUSTER_SHARE,
					   cs_bytes(c->pending, c->pending_size)) == NULL)
		service_end(s, c);
}

static enum cs_err take_challenge(struct service *s, struct connection *c, struct cs_bytes body,
				  struct cs_why *why)
{
	struct cs_buf out = service_out(s);
	CS_TRY(cluster_worker_ask(mine(s), &out, body, &s->tools, service_random(s), why));
	return service_request(s, c, WIRE_CLUSTER_JOIN, cs_buf_view(&out)) != NULL ? CS_OK
										   : CS_ERR_FULL;
}

static enum cs_err take_grant(struct service *s, struct cs_bytes body, struct cs_why *why)
{
	const bool first = mine(s)->certificate_size == 0;
	CS_TRY(cluster_worker_take(mine(s), body, &s->tools, &s->now, why));
	CS_TRY(service_keep(s, why));
	CS_TRY(renew_port(s));
	s->renewals++;
	service_event(s, first ? WIRE_PIPE_EVENT_JOINED : WIRE_PIPE_EVENT_RENEWED, "epoch %llu",
		      (unsigned long long)mine(s)->epoch);
	return CS_OK;
}

static void judge_connections(struct service *s);

static enum cs_err take_revoked(struct service *s, struct cs_bytes body, struct cs_why *why)
{
	bool changed = false;
	/* Its keys may have ended while it asked. */
	if (mine(s)->certificate_size == 0)
		return CS_OK;
	CS_TRY(cluster_worker_revoked_hear(mine(s), &changed, body, &s->tools, why));
	if (!changed)
		return CS_OK;
	const bool own = mine(s)->certificate_size == 0;
	service_event(s, WIRE_PIPE_EVENT_REVOKED, "%s",
		      own ? "this worker's own key" : "another key");
	if (own)
		CS_TRY(renew_port(s));
	judge_connections(s);
	return service_keep(s, why);
}

static void ask_revoked(struct service *s, struct connection *c)
{
	struct cs_buf out = service_out(s);
	struct cs_why why = {""};
	s->revoked_after_s = s->now.high_s + REVOKED_S;
	if (cluster_worker_revoked_ask(mine(s), &out, &why) == CS_OK)
		(void)service_request(s, c, WIRE_CLUSTER_REVOKED, cs_buf_view(&out));
}

static void take_hash(struct service *s, struct connection *c, struct cs_bytes body)
{
	ProtobufCMessage *message = NULL;
	struct cs_why why = {""};
	enum cs_err err = wire_decode(&message, &caisson__wire__cluster_share_reply__descriptor,
				      body, &s->arena, &why);
	const uint32_t ask = c->ask;
	c->ask = 0;
	if (err == CS_OK && memcmp(((const Caisson__Wire__ClusterShareReply *)message)->hash.data,
				   c->hash.b, 32) != 0)
		err = cs_fail(&why, CS_ERR_CONFLICT, "the peer opened something else");
	service_answer(s, ask, err, err == CS_OK ? CS_BYTES_OF(c->hash.b) : cs_bytes_str(why.text));
	service_end(s, c);
}

static void reply(struct service *s, struct connection *c, const struct wait *wait,
		  const struct wire_cluster_frame *frame, struct cs_bytes body)
{
	struct cs_why why = {""};
	enum cs_err err = CS_OK;
	if (frame->type == WIRE_CLUSTER_ERROR)
		err = service_error(s, body, &why);
	else if (wait->type == WIRE_CLUSTER_CHALLENGE)
		err = take_challenge(s, c, body, &why);
	else if (wait->type == WIRE_CLUSTER_JOIN)
		err = take_grant(s, body, &why);
	else if (wait->type == WIRE_CLUSTER_REVOKED)
		err = take_revoked(s, body, &why);
	else
		return take_hash(s, c, body);
	if (err == CS_OK)
		return;
	if (c->ask != 0) {
		const uint32_t ask = c->ask;
		c->ask = 0;
		service_answer(s, ask, err, cs_bytes_str(why.text));
		service_end(s, c);
		return;
	}
	s->due_after_s = s->now.high_s + AGAIN_S;
	service_event(s, WIRE_PIPE_EVENT_REFUSED, "%s: %s: %s", wire_cluster_type_name(wait->type),
		      cs_err_name(err), why.text[0] != '\0' ? why.text : cs_err_sentence(err));
}

static void gone(struct service *s, struct connection *c)
{
	if (c->number == s->up) {
		s->up = 0;
		s->up_after_s = s->now.high_s + AGAIN_S;
	}
	if (c->ask == 0)
		return;
	const enum cs_err refused =
		c->channel != NULL ? channel_refused(c->channel) : CS_ERR_UNAVAILABLE;
	service_answer(s, c->ask, refused != CS_OK ? refused : CS_ERR_CLOSED,
		       cs_bytes_str("the connection to the other worker ended"));
	c->ask = 0;
}

/* ---- other workers ---- */

enum cs_err worker_share(struct service *s, struct connection *c,
			 const struct wire_cluster_frame *frame, struct cs_bytes body,
			 struct cs_buf *out, bool *later, struct cs_why *why)
{
	ProtobufCMessage *message = NULL;
	Caisson__Wire__ClusterShareReply reply_message;
	struct cs_buf plain;
	(void)c, (void)frame, (void)later;
	CS_TRY(wire_decode(&message, &caisson__wire__cluster_share_request__descriptor, body,
			   &s->arena, why));
	const Caisson__Wire__ClusterShareRequest *in =
		(const Caisson__Wire__ClusterShareRequest *)message;
	CS_TRY(cs_buf_init_arena(&plain, &s->arena, in->sealed.len));
	CS_TRY(cluster_data_open(&plain, &mine(s)->ring, cs_bytes_str(in->purpose), CS_BYTES_NONE,
				 cs_bytes(in->sealed.data, in->sealed.len), &s->now));
	struct cs_hash hash = cs_sha256(cs_buf_view(&plain));
	cs_wipe(plain.p, plain.n);
	caisson__wire__cluster_share_reply__init(&reply_message);
	reply_message.hash = (ProtobufCBinaryData){.data = hash.b, .len = sizeof hash.b};
	return wire_encode(out, &reply_message.base, why);
}

/* Nothing expired or revoked is used, whatever was true when a connection began. */
static void judge_connections(struct service *s)
{
	for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
		struct connection *c = &s->connections[i];
		if (c->number != 0 && c->port == WIRE_PIPE_WORKERS && c->met &&
		    (s->port == NULL || judge(s, channel_certificate(c->channel)) != CS_OK))
			service_end(s, c);
	}
}

static bool asks_now(const struct service *s)
{
	for (size_t i = 0; i < WAITS_MAX; i++)
		if (s->waits[i].id != 0 && s->waits[i].connection == s->up)
			return true;
	return false;
}

static void tick(struct service *s)
{
	struct cluster_worker *worker = mine(s);
	cluster_worker_tick(worker, &s->now);
	if (worker->certificate_size == 0 && s->port != NULL && renew_port(s) != CS_OK)
		service_event(s, WIRE_PIPE_EVENT_FAILED, "the port stays");
	judge_connections(s);
	struct connection *up = service_connection(s, s->up);
	if (s->up == 0 && s->now.high_s >= s->up_after_s)
		s->up = service_connect(s, WIRE_PIPE_LOCAL, 0);
	if (up == NULL || !up->open || asks_now(s))
		return;
	if (cluster_worker_due(worker, &s->now) && s->now.high_s >= s->due_after_s)
		ask_guard(s, up);
	else if (worker->certificate_size > 0 && s->now.high_s >= s->revoked_after_s)
		ask_revoked(s, up);
}

/* ---- asks ---- */

static void put_status(struct service *s, struct cs_buf *out)
{
	const struct cluster_worker *worker = mine(s);
	const struct cs_hash spki = cluster_spki_hash(&worker->identity.key);
	char lineage[65], key[65];
	cs_hex(lineage, CS_BYTES_OF(cluster_manifest_lineage(service_manifest(s))->b));
	cs_hex(key, CS_BYTES_OF(spki.b));
	cs_put_text(
		out,
		"{\"role\":\"worker\",\"lineage\":\"%s\",\"manifest\":%llu,\"insecure\":%s,"
		"\"application\":\"%s\",\"key\":\"%s\",\"joined\":%s,\"epoch\":%llu,\"until\":%llu,"
		"\"renewals\":%llu,\"epochs\":[",
		lineage, (unsigned long long)service_manifest(s)->number,
		service_manifest(s)->insecure ? "true" : "false", worker->application, key,
		worker->certificate_size > 0 ? "true" : "false", (unsigned long long)worker->epoch,
		(unsigned long long)(worker->certificate_size > 0 ? worker->ring.until_s : 0),
		(unsigned long long)s->renewals);
	for (size_t i = 0; i < worker->ring.count; i++)
		cs_put_text(out, "%s%llu", i == 0 ? "" : ",",
			    (unsigned long long)worker->ring.keys[i].epoch);
	cs_put_text(out, "]}");
}

/* Size of a purpose (1), purpose, and what is behind it. */
static bool take_purpose(struct cs_bytes *purpose, struct cs_bytes *rest, struct cs_bytes argument)
{
	if (argument.n == 0 || argument.n - 1 < argument.p[0])
		return false;
	*purpose = cs_bytes(argument.p + 1, argument.p[0]);
	*rest = cs_bytes(argument.p + 1 + argument.p[0], argument.n - 1 - argument.p[0]);
	return true;
}

static enum cs_err encode_share(struct service *s, struct cs_buf *out, struct cs_bytes purpose,
				struct cs_bytes plain, struct cs_why *why)
{
	Caisson__Wire__ClusterShareRequest request;
	struct cs_buf sealed;
	char text[CLUSTER_PURPOSE_SIZE_MAX + 1] = "";
	caisson__wire__cluster_share_request__init(&request);
	CS_TRY(cs_buf_init_arena(&sealed, &s->arena, plain.n + CLUSTER_DATA_OVERHEAD));
	/* Says no to a purpose that is none, also to one that is too long. */
	CS_TRY(cluster_data_seal(&sealed, &mine(s)->ring, purpose, CS_BYTES_NONE, plain,
				 service_random(s), &s->now));
	memcpy(text, purpose.p, purpose.n);
	request.purpose = text;
	request.sealed = (ProtobufCBinaryData){.data = sealed.p, .len = sealed.n};
	return wire_encode(out, &request.base, why);
}

static enum cs_err share(struct service *s, uint32_t number, struct cs_bytes argument,
			 struct cs_why *why)
{
	struct cs_bytes purpose, plain;
	struct cs_buf out = service_out(s);
	if (argument.n == 0 ||
	    !take_purpose(&purpose, &plain, cs_bytes(argument.p + 1, argument.n - 1)))
		return cs_fail(why, CS_ERR_MALFORMED, "a place, a purpose and a plaintext");
	CS_TRY(encode_share(s, &out, purpose, plain, why));
	uint8_t *pending = malloc(out.n);
	struct connection *c = pending == NULL
				       ? NULL
				       : service_connection(s, service_connect(s, WIRE_PIPE_WORKERS,
									       argument.p[0]));
	if (c == NULL) {
		free(pending);
		return CS_ERR_FULL;
	}
	memcpy(pending, out.p, out.n);
	c->pending = pending;
	c->pending_size = out.n;
	c->hash = cs_sha256(plain);
	c->ask = number;
	return CS_OK;
}

/* ---- programs that are not the cluster's own ---- */

static enum cs_err seal_secret(struct service *s, struct cs_buf *out,
			       const struct wire_provision_ask *ask, struct cs_bytes question)
{
	struct cluster_program_secret secret;
	uint8_t sealed[WIRE_PROVISION_SECRET_SIZE + CS_HPKE_OVERHEAD];
	uint8_t plain[WIRE_PROVISION_SECRET_SIZE];
	CS_TRY(cluster_program_secret(&secret, &mine(s)->ring, ask->name, ask->epoch, &s->now));
	cs_put_be64(plain, secret.epoch);
	cs_put_be64(plain + 8, secret.until_s);
	memcpy(plain + 16, secret.secret.b, sizeof secret.secret.b);
	const struct cs_hash aad = wire_provision_aad(question);
	const enum cs_err err =
		cs_hpke_seal(sealed, &ask->box, service_random(s), wire_provision_info(),
			     CS_BYTES_OF(aad.b), CS_BYTES_OF(plain));
	cs_wipe(plain, sizeof plain);
	cs_wipe(&secret, sizeof secret);
	CS_TRY(err);
	cs_put(out, CS_BYTES_OF(sealed));
	return cs_buf_end(out);
}

/* Whoever asks says what the program is; the manifest allows that in an insecure lineage alone. */
static enum cs_err provision(struct service *s, struct cs_bytes question, struct cs_buf *out,
			     struct cs_why *why)
{
	struct wire_provision_ask ask;
	CS_TRY(wire_provision_ask_take(&ask, question));
	const struct cluster_program program = {.user = ask.user,
						.is_interpreter = ask.is_interpreter,
						.executable = ask.executable,
						.has_container = ask.has_container,
						.container = ask.container};
	CS_TRY(cluster_manifest_provides(service_manifest(s),
					 cs_bytes(mine(s)->application, mine(s)->application_size),
					 ask.name, &program, why));
	CS_TRY(seal_secret(s, out, &ask, question));
	service_event(s, WIRE_PIPE_EVENT_PROVISIONED, "%.*s to a program of user %u",
		      (int)ask.name.n, (const char *)ask.name.p, ask.user);
	return CS_OK;
}

/* For a program that the manifest gives the secret to: for a name that it does not have, a file would be
 * for nobody. */
static enum cs_err encrypt(struct service *s, struct cs_bytes argument, struct cs_buf *out,
			   struct cs_why *why)
{
	struct cs_bytes name, plain;
	if (!take_purpose(&name, &plain, argument))
		return cs_fail(why, CS_ERR_MALFORMED, "a name and bytes");
	if (!cluster_manifest_has_secret(service_manifest(s),
					 cs_bytes(mine(s)->application, mine(s)->application_size),
					 name))
		return cs_fail(why, CS_ERR_NOT_IN_MANIFEST, "the manifest has no such secret");
	return cluster_file_seal(out, &mine(s)->ring, name, plain, service_random(s), &s->now);
}

static enum cs_err ask(struct service *s, uint32_t number, enum wire_cluster_ask verb,
		       struct cs_bytes argument, struct cs_buf *out, bool *later,
		       struct cs_why *why)
{
	struct cs_bytes purpose, rest;
	switch (verb) {
	case WIRE_CLUSTER_ASK_STATUS:
		put_status(s, out);
		return cs_buf_end(out);
	case WIRE_CLUSTER_ASK_SEAL:
	case WIRE_CLUSTER_ASK_OPEN:
		if (!take_purpose(&purpose, &rest, argument))
			return cs_fail(why, CS_ERR_MALFORMED, "a purpose and bytes");
		return verb == WIRE_CLUSTER_ASK_SEAL
			       ? cluster_data_seal(out, &mine(s)->ring, purpose, CS_BYTES_NONE,
						   rest, service_random(s), &s->now)
			       : cluster_data_open(out, &mine(s)->ring, purpose, CS_BYTES_NONE,
						   rest, &s->now);
	case WIRE_CLUSTER_ASK_SHARE:
		*later = true;
		return share(s, number, argument, why);
	case WIRE_CLUSTER_ASK_PROVISION:
		return provision(s, argument, out, why);
	case WIRE_CLUSTER_ASK_ENCRYPT:
		return encrypt(s, argument, out, why);
	case WIRE_CLUSTER_ASK_CREATE:
	case WIRE_CLUSTER_ASK_JOIN:
	case WIRE_CLUSTER_ASK_PROMOTE:
	case WIRE_CLUSTER_ASK_ROTATE:
	case WIRE_CLUSTER_ASK_REVOKE:
	case WIRE_CLUSTER_ASK_MANIFEST:
	case WIRE_CLUSTER_ASK_RECOVERY_EXPORT:
	case WIRE_CLUSTER_ASK_RECOVERY_REQUEST:
	case WIRE_CLUSTER_ASK_RECOVERY_RESTORE:
		break;
	}
	return CS_ERR_UNSUPPORTED;
}

static enum cs_err take_manifest(struct service *s, const struct cluster_manifest *next,
				 struct cs_why *why)
{
	return cluster_worker_manifest(mine(s), next, why);
}

const struct role role_worker = {
	.open = open_state,
	.encode = encode,
	.ready = ready,
	.reply = reply,
	.gone = gone,
	.tick = tick,
	.ask = ask,
	.judge = judge,
	.manifest = take_manifest,
};
