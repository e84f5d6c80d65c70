/* A guard's part of the service: workers of its machine on one side, a key server on the other. */
#include "enclave/cluster/inner.h"

static struct cluster_guard *mine(struct service *s)
{
	return &s->secrets->of.guard;
}

static enum cs_err judge(void *context, struct cs_bytes der)
{
	struct cs_ed25519_key key;
	(void)context;
	return cluster_certificate_key(&key, der);
}

static enum cs_err encode(struct service *s, struct cs_buf *out, struct cs_why *why)
{
	return cluster_guard_encode(mine(s), out, &s->arena, why);
}

static enum cs_err open_state(struct service *s, struct cs_bytes state, struct cs_why *why)
{
	CS_TRY(cluster_guard_init(mine(s), service_manifest(s), service_random(s)));
	mine(s)->self = s->self;
	if (state.n > 0)
		return cluster_guard_restore(mine(s), state, &s->tools, why);
	return service_keep(s, why);
}

/* The session with a key server; NULL: there is none now. */
static struct connection *upwards(struct service *s)
{
	struct connection *c = service_connection(s, s->up);
	return c != NULL && c->met ? c : NULL;
}

/* ---- workers ---- */

enum cs_err guard_challenge(struct service *s, struct connection *c,
			    const struct wire_cluster_frame *frame, struct cs_bytes body,
			    struct cs_buf *out, bool *later, struct cs_why *why)
{
	(void)c, (void)frame, (void)body, (void)later;
	return cluster_guard_challenge(mine(s), out, service_random(s), &s->now, why);
}

enum cs_err guard_join(struct service *s, struct connection *c,
		       const struct wire_cluster_frame *frame, struct cs_bytes body,
		       struct cs_buf *out, bool *later, struct cs_why *why)
{
	struct connection *up = upwards(s);
	if (up == NULL)
		return cs_fail(why, CS_ERR_UNAVAILABLE, "no session with a key server");
	CS_TRY(cluster_guard_vouch(mine(s), &up->session, out, body, &s->tools, &s->now, why));
	struct wait *wait = service_request(s, up, WIRE_CLUSTER_VOUCH, cs_buf_view(out));
	if (wait == NULL)
		return CS_ERR_FULL;
	wait->from = c->number;
	wait->from_id = frame->request_id;
	*later = true;
	return CS_OK;
}

enum cs_err guard_revoked(struct service *s, struct connection *c,
			  const struct wire_cluster_frame *frame, struct cs_bytes body,
			  struct cs_buf *out, bool *later, struct cs_why *why)
{
	(void)c, (void)frame, (void)later;
	return cluster_guard_revoked(mine(s), out, body, &s->tools, why);
}

/* ---- the key server ---- */

static void ready(struct service *s, struct connection *c)
{
	struct cs_why why = {""};
	struct cs_buf out = service_out(s);
	if (c->number != s->up)
		return;
	const enum cs_err err = cluster_guard_hello(mine(s), &c->session, &out, &s->tools, &why);
	if (err == CS_OK && service_request(s, c, WIRE_CLUSTER_HELLO, cs_buf_view(&out)) != NULL)
		return;
	service_event(s, WIRE_PIPE_EVENT_FAILED, "hello: %s: %s", cs_err_name(err), why.text);
	service_end(s, c);
}

/* Another key server may know more, or be well. */
static bool is_the_servers_fault(enum cs_err err)
{
	return err == CS_ERR_ROLLED_BACK || err == CS_ERR_UNAVAILABLE ||
	       err == CS_ERR_UNAUTHORIZED || err == CS_ERR_EXPIRED || err == CS_ERR_NO_TIME;
}

static void take_hello(struct service *s, struct connection *c,
		       const struct wire_cluster_frame *frame, struct cs_bytes body)
{
	struct cs_why why = {""};
	const enum cs_err err =
		frame->type == WIRE_CLUSTER_ERROR
			? service_error(s, body, &why)
			: cluster_guard_meet(mine(s), &c->session, body, &s->tools, &s->now, &why);
	if (err == CS_OK) {
		service_met(s, c);
		service_event(s, WIRE_PIPE_EVENT_MET, "%s of build %s",
			      cluster_role_name(c->session.peer.role), c->session.peer.build);
		return;
	}
	service_event(s, WIRE_PIPE_EVENT_REFUSED, "key server: %s: %s", cs_err_name(err), why.text);
	service_end(s, c);
}

/* The grant is the worker's to judge; what is looked at here is whether the key server went back. */
static void take_grant(struct service *s, struct connection *c, const struct wait *wait,
		       const struct wire_cluster_frame *frame, struct cs_bytes body)
{
	struct cs_why why = {""};
	bool changed = false;
	struct connection *worker = service_connection(s, wait->from);
	enum cs_err err = frame->type == WIRE_CLUSTER_ERROR
				  ? service_error(s, body, &why)
				  : cluster_guard_carry(mine(s), &changed, &c->session, body,
							&s->tools, &why);
	if (err == CS_OK && changed)
		err = service_keep(s, &why);
	if (worker != NULL && err == CS_OK)
		service_send(s, worker, WIRE_CLUSTER_JOIN_REPLY, wait->from_id, body);
	else if (worker != NULL)
		service_refuse(s, worker, wait->from_id, err, &why);
	if (err == CS_OK)
		service_event(s, WIRE_PIPE_EVENT_ISSUED, "to a worker");
	else
		service_event(s, WIRE_PIPE_EVENT_REFUSED, "vouch: %s: %s", cs_err_name(err),
			      why.text);
	if (is_the_servers_fault(err))
		service_end(s, c);
}

static void take_revoked(struct service *s, const struct wire_cluster_frame *frame,
			 struct cs_bytes body)
{
	struct cs_why why = {""};
	bool changed = false;
	const enum cs_err err =
		frame->type == WIRE_CLUSTER_ERROR
			? service_error(s, body, &why)
			: cluster_guard_revoked_hear(mine(s), &changed, body, &s->tools, &why);
	if (err != CS_OK)
		service_event(s, WIRE_PIPE_EVENT_REFUSED, "what was revoked: %s: %s",
			      cs_err_name(err), why.text);
	else if (changed)
		service_event(s, WIRE_PIPE_EVENT_REVOKED, "%zu by now", mine(s)->revoked_count);
}

static void ask_revoked(struct service *s, struct connection *up)
{
	struct cs_buf out = service_out(s);
	struct cs_why why = {""};
	/* Before the first grant there is no key to check it by. */
	if (!mine(s)->has_anchor || s->now.high_s < s->revoked_after_s)
		return;
	s->revoked_after_s = s->now.high_s + REVOKED_S;
	if (cluster_guard_revoked_ask(mine(s), &out, &why) == CS_OK)
		(void)service_request(s, up, WIRE_CLUSTER_REVOKED, cs_buf_view(&out));
}

static void reply(struct service *s, struct connection *c, const struct wait *wait,
		  const struct wire_cluster_frame *frame, struct cs_bytes body)
{
	if (wait->type == WIRE_CLUSTER_HELLO)
		take_hello(s, c, frame, body);
	else if (wait->type == WIRE_CLUSTER_REVOKED)
		take_revoked(s, frame, body);
	else
		take_grant(s, c, wait, frame, body);
}

static void lost(struct service *s, const struct wait *wait)
{
	struct connection *worker = service_connection(s, wait->from);
	const struct cs_why why = {"the key server did not answer"};
	if (worker != NULL)
		service_refuse(s, worker, wait->from_id, CS_ERR_UNAVAILABLE, &why);
}

static void gone(struct service *s, struct connection *c)
{
	if (c->number != s->up)
		return;
	if (c->met)
		service_event(s, WIRE_PIPE_EVENT_LOST, "the session with a key server");
	s->up = 0;
	s->up_place = (uint8_t)((s->up_place + 1) % KEY_SERVERS_MAX);
}

static bool is_idle(const struct service *s, const struct connection *c)
{
	for (size_t i = 0; i < WAITS_MAX; i++)
		if (s->waits[i].id != 0 && s->waits[i].connection == c->number)
			return false;
	return true;
}

static void tick(struct service *s)
{
	struct connection *up = upwards(s);
	const enum cs_err err = service_own_port(s, &mine(s)->identity);
	if (err != CS_OK) {
		service_event(s, WIRE_PIPE_EVENT_FAILED, "certificate: %s", cs_err_name(err));
		return;
	}
	/* Attested anew before anybody could mind. */
	if (up != NULL && s->now.high_s > up->since_s + CLUSTER_SESSION_AGE_MAX_S / 2 &&
	    is_idle(s, up)) {
		service_end(s, up);
		s->up_place = (uint8_t)((s->up_place + KEY_SERVERS_MAX - 1) % KEY_SERVERS_MAX);
	} else if (up != NULL) {
		ask_revoked(s, up);
	}
	if (s->up == 0)
		s->up = service_connect(s, WIRE_PIPE_EVIDENCE, s->up_place);
}

/* ---- asks ---- */

static enum cs_err ask(struct service *s, uint32_t number, enum wire_cluster_ask verb,
		       struct cs_bytes argument, struct cs_buf *out, bool *later,
		       struct cs_why *why)
{
	const struct cluster_guard *guard = mine(s);
	const struct connection *up = upwards(s);
	const struct cs_hash spki = cluster_spki_hash(&guard->identity.key);
	char lineage[65], key[65];
	(void)number, (void)argument, (void)later, (void)why;
	if (verb != WIRE_CLUSTER_ASK_STATUS)
		return CS_ERR_UNSUPPORTED;
	cs_hex(lineage, CS_BYTES_OF(cluster_manifest_lineage(service_manifest(s))->b));
	cs_hex(key, CS_BYTES_OF(spki.b));
	cs_put_text(out,
		    "{\"role\":\"guard\",\"lineage\":\"%s\",\"manifest\":%llu,\"insecure\":%s,"
		    "\"key\":\"%s\",\"key_server\":%s%s%s,\"epoch\":%llu,\"connections\":%u}",
		    lineage, (unsigned long long)service_manifest(s)->number,
		    service_manifest(s)->insecure ? "true" : "false", key, up != NULL ? "\"" : "",
		    up != NULL ? up->session.peer.build : "null", up != NULL ? "\"" : "",
		    (unsigned long long)(guard->has_anchor ? guard->anchor.epoch : 0),
		    s->connection_count);
	return cs_buf_end(out);
}

static enum cs_err take_manifest(struct service *s, const struct cluster_manifest *next,
				 struct cs_why *why)
{
	return cluster_guard_manifest(mine(s), next, why);
}

const struct role role_guard = {
	.open = open_state,
	.encode = encode,
	.ready = ready,
	.reply = reply,
	.lost = lost,
	.gone = gone,
	.tick = tick,
	.ask = ask,
	.judge = judge,
	.manifest = take_manifest,
};
