/* A key server's part of the service: sessions with guards, and the way to another key server. */
#include "enclave/cluster/inner.h"

#include <string.h>

static struct cluster_key_server *mine(struct service *s)
{
	return &s->secrets->of.key_server;
}

static bool has_state(struct service *s)
{
	return mine(s)->epoch_count > 0;
}

static uint64_t epoch_of(struct service *s)
{
	return has_state(s) ? mine(s)->epochs[mine(s)->epoch_count - 1].number : 0;
}

static enum cs_err judge(void *context, struct cs_bytes der)
{
	struct cs_ed25519_key key;
	(void)context;
	return cluster_certificate_key(&key, der);
}

static enum cs_err encode(struct service *s, struct cs_buf *out, struct cs_why *why)
{
	return cluster_key_server_encode(mine(s), out, &s->arena, why);
}

static enum cs_err open_state(struct service *s, struct cs_bytes state, struct cs_why *why)
{
	struct cluster_key_server *ks = mine(s);
	CS_TRY(cluster_key_server_init(ks, service_manifest(s), s->statement, service_random(s)));
	CS_TRY(cluster_key_server_check_self(ks, &s->tools, service_random(s), &s->now, why));
	if (state.n == 0)
		return CS_OK;
	CS_TRY(cluster_key_server_restore(ks, state, record_anchor(&s->record), &s->tools, why));
	/* It was kept, and the process ended before it was recorded. */
	return record_advance(&s->record, ks, why);
}

static enum cs_err kept(struct service *s, struct cs_why *why)
{
	return record_advance(&s->record, mine(s), why);
}

/* ---- requests of guards and key servers ---- */

enum cs_err key_server_hello(struct service *s, struct connection *c,
			     const struct wire_cluster_frame *frame, struct cs_bytes body,
			     struct cs_buf *out, bool *later, struct cs_why *why)
{
	(void)frame, (void)later;
	CS_TRY(cluster_key_server_meet(mine(s), &c->session, body, &s->tools, &s->now, why));
	service_met(s, c);
	service_event(s, WIRE_PIPE_EVENT_MET, "%s of build %s",
		      cluster_role_name(c->session.peer.role), c->session.peer.build);
	return cluster_key_server_hello(mine(s), &c->session, out, &s->tools, why);
}

enum cs_err key_server_vouch(struct service *s, struct connection *c,
			     const struct wire_cluster_frame *frame, struct cs_bytes body,
			     struct cs_buf *out, bool *later, struct cs_why *why)
{
	(void)frame, (void)later;
	CS_TRY(cluster_key_server_issue(mine(s), &c->session, out, body, &s->tools,
					service_random(s), &s->now, why));
	service_event(s, WIRE_PIPE_EVENT_ISSUED, "epoch %llu", (unsigned long long)epoch_of(s));
	return CS_OK;
}

enum cs_err key_server_copy(struct service *s, struct connection *c,
			    const struct wire_cluster_frame *frame, struct cs_bytes body,
			    struct cs_buf *out, bool *later, struct cs_why *why)
{
	(void)frame, (void)later;
	return cluster_key_server_copy(mine(s), &c->session, out, body, &s->tools,
				       service_random(s), &s->now, why);
}

enum cs_err key_server_revoked(struct service *s, struct connection *c,
			       const struct wire_cluster_frame *frame, struct cs_bytes body,
			       struct cs_buf *out, bool *later, struct cs_why *why)
{
	(void)frame, (void)later;
	return cluster_key_server_revoked(mine(s), &c->session, out, body, &s->tools, &s->now, why);
}

/* ---- the way to another key server ---- */

static enum cs_err copy(struct service *s, uint32_t ask, struct cs_why *why)
{
	if (s->up != 0)
		return cs_fail(why, CS_ERR_CONFLICT, "a copy is under way");
	CS_TRY(service_own_port(s, &mine(s)->identity));
	s->up = service_connect(s, WIRE_PIPE_EVIDENCE, 0);
	if (s->up == 0)
		return CS_ERR_FULL;
	s->joining_ask = ask;
	return CS_OK;
}

static void copy_ends(struct service *s, struct connection *c, enum cs_err err,
		      const struct cs_why *why)
{
	const char *text = why->text[0] != '\0' ? why->text : cs_err_sentence(err);
	const uint32_t ask = s->joining_ask;
	s->joining_ask = 0;
	if (err != CS_OK)
		service_event(s, WIRE_PIPE_EVENT_FAILED, "copy: %s: %s", cs_err_name(err), text);
	if (ask != 0)
		service_answer(s, ask, err, err == CS_OK ? CS_BYTES_NONE : cs_bytes_str(text));
	if (c != NULL)
		service_end(s, c);
}

static void ready(struct service *s, struct connection *c)
{
	struct cs_why why = {""};
	struct cs_buf out = service_out(s);
	if (!c->ours)
		return;
	const enum cs_err err =
		cluster_key_server_hello(mine(s), &c->session, &out, &s->tools, &why);
	if (err != CS_OK)
		copy_ends(s, c, err, &why);
	else if (service_request(s, c, WIRE_CLUSTER_HELLO, cs_buf_view(&out)) == NULL)
		copy_ends(s, c, CS_ERR_FULL, &why);
}

static enum cs_err take_hello(struct service *s, struct connection *c, struct cs_bytes body,
			      struct cs_why *why)
{
	struct cs_buf out = service_out(s);
	CS_TRY(cluster_key_server_meet(mine(s), &c->session, body, &s->tools, &s->now, why));
	service_met(s, c);
	service_event(s, WIRE_PIPE_EVENT_MET, "%s of build %s",
		      cluster_role_name(c->session.peer.role), c->session.peer.build);
	CS_TRY(cluster_key_server_copy_ask(mine(s), &s->secrets->box, &out, service_random(s),
					   why));
	return service_request(s, c, WIRE_CLUSTER_COPY, cs_buf_view(&out)) != NULL ? CS_OK
										   : CS_ERR_FULL;
}

static enum cs_err take_copy(struct service *s, struct connection *c, struct cs_bytes body,
			     struct cs_why *why)
{
	const uint64_t before = epoch_of(s);
	const bool first = !has_state(s);
	CS_TRY(cluster_key_server_adopt(mine(s), &c->session, &s->secrets->box, body, &s->tools,
					&s->now, why));
	cs_wipe(&s->secrets->box, sizeof s->secrets->box);
	if (first || epoch_of(s) != before)
		service_event(s, WIRE_PIPE_EVENT_JOINED, "as a standby, epoch %llu",
			      (unsigned long long)epoch_of(s));
	return service_keep(s, why);
}

static void reply(struct service *s, struct connection *c, const struct wait *wait,
		  const struct wire_cluster_frame *frame, struct cs_bytes body)
{
	struct cs_why why = {""};
	enum cs_err err;
	if (frame->type == WIRE_CLUSTER_ERROR)
		err = service_error(s, body, &why);
	else if (wait->type == WIRE_CLUSTER_HELLO)
		err = take_hello(s, c, body, &why);
	else
		err = take_copy(s, c, body, &why);
	if (err != CS_OK || wait->type == WIRE_CLUSTER_COPY)
		copy_ends(s, c, err, &why);
}

static void gone(struct service *s, struct connection *c)
{
	if (c->number != s->up)
		return;
	s->up = 0;
	s->up_after_s = s->now.high_s + COPY_S;
	if (s->joining_ask != 0)
		copy_ends(s, NULL, CS_ERR_CLOSED, &(struct cs_why){""});
}

static void tick(struct service *s)
{
	struct cluster_key_server *ks = mine(s);
	struct cs_why why = {""};
	bool changed = false;
	const uint64_t before = epoch_of(s);
	if (!has_state(s))
		return;
	enum cs_err err = service_own_port(s, &mine(s)->identity);
	if (err == CS_OK)
		err = cluster_key_server_tick(ks, &changed, &s->tools, service_random(s), &s->now,
					      &why);
	if (err != CS_OK)
		service_event(s, WIRE_PIPE_EVENT_FAILED, "tick: %s: %s", cs_err_name(err),
			      why.text);
	/* What has begun is kept, whatever became of the evidence about it. */
	if (changed && service_keep(s, &why) != CS_OK)
		service_event(s, WIRE_PIPE_EVENT_FAILED, "tick: %s", why.text);
	else if (epoch_of(s) != before)
		service_event(s, WIRE_PIPE_EVENT_ROTATED, "epoch %llu, on schedule",
			      (unsigned long long)epoch_of(s));
	if ((ks->standby || ks->behind) && s->up == 0 && s->now.high_s >= s->up_after_s &&
	    copy(s, 0, &why) != CS_OK)
		s->up_after_s = s->now.high_s + COPY_S;
}

/* ---- asks ---- */

static void put_peer(struct cs_buf *out, const struct connection *c, bool first)
{
	const struct cluster_peer *peer = &c->session.peer;
	char spki[65], platform[65] = "";
	cs_hex(spki, CS_BYTES_OF(peer->spki.b));
	if (peer->platform.known)
		cs_hex(platform, CS_BYTES_OF(peer->platform.id.b));
	/* A label of the manifest has no character that JSON would escape (cluster_manifest_read). */
	cs_put_text(out, "%s{\"role\":\"%s\",\"build\":\"%s\",\"key\":\"%s\",\"platform\":%s%s%s}",
		    first ? "" : ",", cluster_role_name(peer->role), peer->build, spki,
		    peer->platform.known ? "\"" : "", peer->platform.known ? platform : "null",
		    peer->platform.known ? "\"" : "");
}

static void put_status(struct service *s, struct cs_buf *out)
{
	const struct cluster_key_server *ks = mine(s);
	char hex[65];
	bool first = true;
	cs_hex(hex, CS_BYTES_OF(cluster_manifest_lineage(service_manifest(s))->b));
	cs_put_text(out,
		    "{\"role\":\"key-server\",\"lineage\":\"%s\",\"manifest\":%llu,\"insecure\":%s",
		    hex, (unsigned long long)service_manifest(s)->number,
		    service_manifest(s)->insecure ? "true" : "false");
	cs_put_text(out, ",\"state\":\"%s\",\"counter\":%llu,\"epochs\":[",
		    !has_state(s) ? "none"
		    : ks->behind  ? "behind"
		    : ks->standby ? "standby"
				  : "serving",
		    (unsigned long long)ks->counter);
	for (size_t i = 0; i < ks->epoch_count; i++)
		cs_put_text(out, "%s{\"number\":%llu,\"begun\":%llu,\"decrypt_until\":%llu}",
			    i == 0 ? "" : ",", (unsigned long long)ks->epochs[i].number,
			    (unsigned long long)ks->epochs[i].begun_s,
			    (unsigned long long)ks->epochs[i].decrypt_until_s);
	cs_put_text(out, "],\"revoked\":[");
	for (size_t i = 0; i < ks->revoked_count; i++) {
		cs_hex(hex, CS_BYTES_OF(ks->revoked[i].b));
		cs_put_text(out, "%s\"%s\"", i == 0 ? "" : ",", hex);
	}
	cs_put_text(out, "],\"peers\":[");
	for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
		if (s->connections[i].number == 0 || !s->connections[i].met)
			continue;
		put_peer(out, &s->connections[i], first);
		first = false;
	}
	cs_put_text(out, "]}");
}

/* What an operator's order changed is kept before he hears that it is done. */
static enum cs_err changed(struct service *s, enum cs_err err, enum wire_pipe_event event,
			   const char *what, struct cs_why *why)
{
	CS_TRY(err);
	service_event(s, event, "%s, epoch %llu", what, (unsigned long long)epoch_of(s));
	return service_keep(s, why);
}

/* Of a state that has just come to be: its port is open as soon as that is kept. */
static enum cs_err open_port(struct service *s, enum cs_err err, struct cs_why *why)
{
	bool more = false;
	CS_TRY(err);
	CS_TRY(service_own_port(s, &mine(s)->identity));
	return cluster_key_server_tick(mine(s), &more, &s->tools, service_random(s), &s->now, why);
}

static enum cs_err create(struct service *s, struct cs_why *why)
{
	CS_TRY(cluster_manifest_check(service_manifest(s), why));
	return open_port(
		s, cluster_key_server_create(mine(s), &s->tools, service_random(s), &s->now, why),
		why);
}

static enum cs_err restore(struct service *s, struct cs_bytes argument, struct cs_why *why)
{
	return open_port(s, recovery_restore(s, argument, why), why);
}

static enum cs_err ask(struct service *s, uint32_t number, enum wire_cluster_ask verb,
		       struct cs_bytes argument, struct cs_buf *out, bool *later,
		       struct cs_why *why)
{
	struct cluster_key_server *ks = mine(s);
	struct cs_hash spki;
	switch (verb) {
	case WIRE_CLUSTER_ASK_STATUS:
		put_status(s, out);
		return cs_buf_end(out);
	case WIRE_CLUSTER_ASK_CREATE:
		return changed(s, create(s, why), WIRE_PIPE_EVENT_STARTED, "a new cluster", why);
	case WIRE_CLUSTER_ASK_JOIN:
		*later = true;
		return copy(s, number, why);
	case WIRE_CLUSTER_ASK_PROMOTE:
		return changed(s, cluster_key_server_promote(ks, why), WIRE_PIPE_EVENT_TAKEN_OVER,
			       "takes over", why);
	case WIRE_CLUSTER_ASK_ROTATE:
		return changed(
			s,
			cluster_key_server_rotate(ks, &s->tools, service_random(s), &s->now, why),
			WIRE_PIPE_EVENT_ROTATED, "by order", why);
	case WIRE_CLUSTER_ASK_REVOKE:
		if (argument.n != sizeof spki.b)
			return cs_fail(why, CS_ERR_MALFORMED, "the hash of a key has 32 bytes");
		memcpy(spki.b, argument.p, sizeof spki.b);
		return changed(s,
			       cluster_key_server_revoke(ks, &spki, &s->tools, service_random(s),
							 &s->now, why),
			       WIRE_PIPE_EVENT_REVOKED, "by order", why);
	case WIRE_CLUSTER_ASK_RECOVERY_EXPORT:
		return recovery_export(s, out, why);
	case WIRE_CLUSTER_ASK_RECOVERY_REQUEST:
		return recovery_request(s, argument, out, why);
	case WIRE_CLUSTER_ASK_RECOVERY_RESTORE:
		return changed(s, restore(s, argument, why), WIRE_PIPE_EVENT_STARTED, "recovered",
			       why);
	case WIRE_CLUSTER_ASK_MANIFEST:
	case WIRE_CLUSTER_ASK_SEAL:
	case WIRE_CLUSTER_ASK_OPEN:
	case WIRE_CLUSTER_ASK_SHARE:
	case WIRE_CLUSTER_ASK_PROVISION:
	case WIRE_CLUSTER_ASK_ENCRYPT:
		break;
	}
	return CS_ERR_UNSUPPORTED;
}

static enum cs_err take_manifest(struct service *s, const struct cluster_manifest *next,
				 struct cs_why *why)
{
	const enum cs_err err = cluster_key_server_manifest(mine(s), next, &s->tools,
							    service_random(s), &s->now, why);
	/* Half taken: the process begins again with what was kept. */
	s->broken = s->broken || (err != CS_OK && mine(s)->manifest == next);
	return err;
}

const struct role role_key_server = {
	.open = open_state,
	.encode = encode,
	.kept = kept,
	.ready = ready,
	.reply = reply,
	.gone = gone,
	.tick = tick,
	.ask = ask,
	.judge = judge,
	.manifest = take_manifest,
};
