/* The first byte chooses a step of a Key Server, a Guard or a Worker, the rest is the message or the state that
 * it is given. What is signed over everything is accepted as it was made, or not at all. */
#include "tests/fuzz/fuzz.h"
#include "tests/unit/verify/cluster/scene.h"
#include "verify/cluster/recovery.h"

static struct scene_cluster *c;
static struct cs_bytes vouch, grant;

static void begin(void)
{
	const struct scene_manifest text = scene_manifest();
	struct cs_bytes join;
	c = scene_cluster_new(&text);
	cs_assert(scene_ask(c, &c->worker, &c->worker_tools, &join) == CS_OK);
	cs_assert(scene_vouch(c, join, &vouch) == CS_OK);
	cs_assert(scene_issue(c, vouch, &grant) == CS_OK);
}

static void same(enum cs_err err, struct cs_bytes bytes, struct cs_bytes made)
{
	cs_assert(err != CS_OK || cs_bytes_eq(bytes, made));
}

static void step_key_server(unsigned which, struct cs_bytes bytes, struct cs_buf *out)
{
	static const struct cs_secret random = {{3}};
	struct cluster_key_server ks = c->ks;
	struct cluster_session session = c->to_guard;
	const struct verify_time *now = &c->scene->now;
	if (which == 0) {
		session.verified = false;
		if (cluster_key_server_meet(&ks, &session, bytes, &c->key_server_tools, now,
					    &c->why) == CS_OK)
			cs_assert(session.verified && session.peer.role == CLUSTER_GUARD);
	} else if (which == 1) {
		same(cluster_key_server_issue(&ks, &session, out, bytes, &c->key_server_tools,
					      &random, now, &c->why),
		     bytes, vouch);
	} else if (which == 2) {
		session.peer.role = CLUSTER_KEY_SERVER;
		memcpy(session.peer.build, "key_server-k", sizeof "key_server-k");
		session.peer.build_size = sizeof "key_server-k" - 1;
		cs_assert(cluster_key_server_copy(&ks, &session, out, bytes, &c->key_server_tools,
						  &random, now, &c->why) != CS_ERR_UNAUTHORIZED);
	} else if (which == 3) {
		ks.epoch_count = 0;
		if (cluster_key_server_restore(&ks, bytes, NULL, &c->key_server_tools, &c->why) ==
		    CS_OK)
			cs_assert(ks.epoch_count > 0 && ks.epoch_count <= CLUSTER_EPOCHS_MAX);
	} else {
		ks.epoch_count = 0;
		struct cs_secret box;
		const struct cluster_recovery_answers none = {bytes, NULL, 0};
		if (cluster_recovery_ask(&ks, &box, out, bytes, &c->key_server_tools, &random,
					 &c->why) == CS_OK)
			cs_assert(cluster_recovery_take(&ks, &box, &none, &c->key_server_tools,
							&random, now,
							&c->why) == CS_ERR_UNAUTHORIZED);
	}
}

static void step_others(unsigned which, struct cs_bytes bytes, struct cs_buf *out)
{
	static const struct cs_secret random = {{3}};
	static struct cluster_guard guard;
	static struct cluster_worker worker;
	struct cluster_session session = c->to_key_server;
	const struct verify_time *now = &c->scene->now;
	bool changed;
	guard = c->guard;
	worker = c->worker;
	if (which == 5) {
		session.verified = false;
		if (cluster_guard_meet(&guard, &session, bytes, &c->guard_tools, now, &c->why) ==
		    CS_OK)
			cs_assert(session.peer.role == CLUSTER_KEY_SERVER);
	} else if (which == 6) {
		/* Its challenge was spent. */
		cs_assert(cluster_guard_vouch(&guard, &session, out, bytes, &c->guard_tools, now,
					      &c->why) != CS_OK);
	} else if (which == 7) {
		(void)!cluster_guard_carry(&guard, &changed, &session, bytes, &c->guard_tools,
					   &c->why);
	} else if (which == 8) {
		(void)!cluster_guard_restore(&guard, bytes, &c->guard_tools, &c->why);
	} else if (which == 9) {
		(void)!cluster_worker_ask(&worker, out, bytes, &c->worker_tools, &random, &c->why);
	} else if (which == 10) {
		same(cluster_worker_take(&worker, bytes, &c->worker_tools, now, &c->why), bytes,
		     grant);
	} else if (cluster_worker_restore(&worker, bytes, &c->worker_tools, now, &c->why) ==
		   CS_OK) {
		cs_assert(worker.ring.count <= CLUSTER_EPOCHS_MAX);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t memory[262144];
	struct cs_buf out;
	if (size == 0)
		return 0;
	if (c == NULL)
		begin();
	cs_buf_init(&out, memory, sizeof memory);
	cs_arena_rewind(&c->scene->arena, 0);
	const unsigned which = data[0] % 12;
	const struct cs_bytes bytes = cs_bytes(data + 1, size - 1);
	if (which < 5)
		step_key_server(which, bytes, &out);
	else
		step_others(which, bytes, &out);
	return 0;
}
