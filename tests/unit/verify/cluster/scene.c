#include "scene.h"

#include "core/json.h"
#include "core/nistp.h"

/* Of a whole lineage, each of whose manifests is kept. */
#define MANIFESTS_SIZE (32u << 20)

struct cs_buf scene_buf(size_t size_max)
{
	struct cs_buf buf;
	cs_buf_init(&buf, keep(size_max), size_max);
	return buf;
}

struct scene *scene_new(void)
{
	struct scene *s = keep(sizeof *s);
	const struct cs_secret seed = {{9}};
	s->sig = cs_sig_new(&seed);
	s->nistp = cs_nistp_new();
	assert_non_null(s->sig);
	assert_non_null(s->nistp);
	cs_arena_init(&s->manifests, malloc(MANIFESTS_SIZE), MANIFESTS_SIZE);
	cs_arena_init(&s->arena, malloc(CLUSTER_ARENA_SIZE), CLUSTER_ARENA_SIZE);
	s->now = (struct verify_time){SCENE_NOW, SCENE_NOW + 1};
	for (unsigned i = 0; i < SCENE_ADMINISTRATORS; i++)
		s->administrators[i].b[31] = (uint8_t)(i + 1);
	for (unsigned i = 0; i < SCENE_TIME_KEYS; i++)
		s->time_keys[i].b[31] = (uint8_t)(i + 101);
	return s;
}

void scene_free(struct scene *s)
{
	void *const blocks[] = {s->manifests.block, s->arena.block};
	cs_arena_done(&s->manifests);
	cs_arena_done(&s->arena);
	free(blocks[0]);
	free(blocks[1]);
	cs_nistp_free(s->nistp);
	cs_sig_free(s->sig);
}

struct cs_secret scene_random(struct scene *s)
{
	uint8_t count[8];
	struct cs_secret out;
	cs_put_be64(count, ++s->random);
	const struct cs_hash hash = cs_sha256(CS_BYTES_OF(count));
	memcpy(out.b, hash.b, sizeof out.b);
	return out;
}

struct scene_build scene_build(char letter)
{
	struct scene_build build = {.tells_lies = false};
	memset(build.measurement, letter, sizeof build.measurement);
	return build;
}

static enum cs_err simulated(void *context, struct cs_buf *out, const uint8_t report_data[64],
			     struct cs_why *why)
{
	struct scene_build *build = context;
	uint8_t data[64];
	if (build->fails_at > 0 && --build->fails_at == 0)
		return cs_fail(why, CS_ERR_UNAVAILABLE, "the hardware gives no evidence");
	memcpy(data, report_data, sizeof data);
	data[0] ^= build->tells_lies;
	cs_put(out, cs_bytes(SIMULATED_MARK, sizeof SIMULATED_MARK));
	cs_put(out, CS_BYTES_OF(build->measurement));
	cs_put(out, CS_BYTES_OF(data));
	return cs_buf_end(out);
}

struct cluster_tools scene_tools(struct scene *s, struct scene_build *build)
{
	return (struct cluster_tools){
		.sig = s->sig,
		.nistp = s->nistp,
		.arena = &s->arena,
		.tee = {build, simulated, NULL, 1},
	};
}

/* ---- manifests ---- */

struct scene_manifest scene_manifest(void)
{
	return (struct scene_manifest){.key_servers = "k",
				       .guards = "g",
				       .workers = "w",
				       .worker_policy = "",
				       .number = 1,
				       .peer_number_min = 1,
				       .worker_s = 3600,
				       .signers = 2};
}

static void put_policy(struct cs_buf *out, const struct scene_manifest *text, const char *name,
		       const char *builds, const char *more)
{
	cs_put_text(out, "\"%s\":{%s%s\"measurements\":[", name,
		    text->secure ? "" : "\"insecure_accept_simulated\":true,", more);
	for (const char *at = builds; *at != '\0'; at++) {
		const struct scene_build build = scene_build(*at);
		char hex[65];
		cs_hex(hex, CS_BYTES_OF(build.measurement));
		cs_put_text(out,
			    "%s{\"kind\":\"simulated\",\"label\":\"%s-%c\"%s,\"values\":{"
			    "\"measurement\":\"%s\"}}",
			    at == builds ? "" : ",", name, *at,
			    text->not_after_of == *at ? ",\"not_after\":\"2027-01-15T08:01:40Z\""
						      : "",
			    hex);
	}
	cs_put_text(out, "],\"version\":1}");
}

static bool has_ledger(const struct scene_manifest *text)
{
	return text->secure || text->ledger;
}

static void put_ledger(struct cs_buf *out, struct scene *s, const struct scene_manifest *text)
{
	if (text->ledger_text != NULL) {
		cs_put_text(out, "\"ledger\":%s,", text->ledger_text);
		return;
	}
	if (!has_ledger(text))
		return;
	cs_put_text(out, "\"ledger\":{%s\"clock_error_s\":2,\"quorum\":2,\"time_keys\":[",
		    text->anchor ? "\"anchor\":true," : "");
	for (unsigned i = 0; i < SCENE_TIME_KEYS; i++) {
		struct cs_hash x;
		char hex[65];
		ok(cs_key_x(s->sig, &x, &s->time_keys[i]));
		cs_hex(hex, CS_BYTES_OF(x.b));
		cs_put_text(out, "%s\"0x%s\"", i == 0 ? "" : ",", hex);
	}
	cs_put_text(out, "]},");
}

struct verify_time_answer *scene_time_answers(struct scene *s, const struct cs_hash *nonce,
					      uint64_t time_s, unsigned first, unsigned count)
{
	struct verify_time_answer *answers = cs_arena_calloc(&s->manifests, count, sizeof *answers);
	assert_non_null(answers);
	for (unsigned i = 0; i < count; i++) {
		const struct cs_secret *key = &s->time_keys[first + i];
		const struct cs_hash aux = {{1}};
		struct cs_schnorr signature;
		answers[i].time_ms = time_s * 1000;
		const struct cs_hash digest = verify_time_digest(nonce, answers[i].time_ms);
		ok(cs_key_x(s->sig, &answers[i].key, key));
		ok(cs_schnorr_sign(s->sig, &signature, key, &digest, &aux));
		memcpy(answers[i].signature, signature.rx.b, 32);
		memcpy(answers[i].signature + 32, signature.s.b, 32);
	}
	return answers;
}

static void put_body(struct cs_buf *out, struct scene *s, const struct scene_manifest *text,
		     const struct cluster_manifest *before)
{
	const struct cs_hash none = {{0}};
	char hex[65];
	cs_put_text(out, "{\"administrators\":{\"keys\":[");
	for (unsigned i = 0; i < SCENE_ADMINISTRATORS; i++) {
		struct cs_hash x;
		ok(cs_key_x(s->sig, &x, &s->administrators[i]));
		cs_hex(hex, CS_BYTES_OF(x.b));
		cs_put_text(out, "%s\"0x%s\"", i == 0 ? "" : ",", hex);
	}
	cs_put_text(out, "],\"threshold\":2},\"applications\":[{\"builds\":[");
	for (const char *at = text->workers; *at != '\0'; at++)
		cs_put_text(out, "%s\"worker-%c\"", at == text->workers ? "" : ",", *at);
	cs_put_text(out,
		    "],\"name\":\"" APPLICATION "\"},{\"builds\":[],\"name\":\"sealed\"}],"
		    "\"epochs\":{\"decrypt_s\":7200,\"length_s\":%u},",
		    text->epoch_s);
	if (text->programs != NULL)
		cs_put_text(out, "\"insecure_programs\":%s,", text->programs);
	put_ledger(out, s, text);
	cs_put_text(out,
		    "\"lives\":{\"key_server_s\":86400,\"worker_s\":%u},\"name\":\"test\","
		    "\"number\":%u,\"peer_number_min\":%u,\"policies\":{",
		    text->worker_s, text->number, text->peer_number_min);
	put_policy(out, text, "guard", text->guards, "");
	cs_put_text(out, ",");
	put_policy(out, text, "key_server", text->key_servers, "");
	cs_put_text(out, ",");
	put_policy(out, text, "worker", text->workers, text->worker_policy);
	cs_hex(hex, cs_bytes(before == NULL ? none.b : before->hash.b, sizeof none.b));
	cs_put_text(out, "},\"previous\":\"0x%s\",\"recovery\":%s,", hex,
		    text->recovery == NULL ? "{\"keys\":[],\"threshold\":0}" : text->recovery);
	if (text->roots != NULL) {
		cs_put_text(out, "\"roots\":");
		cs_put(out, cs_bytes_str(text->roots));
		cs_put_text(out, ",");
	}
	cs_put_text(out, "\"time\":[\"%s\"],\"version\":1}",
		    has_ledger(text) ? "ledger" : "insecure_host_time");
	ok(cs_buf_end(out));
}

struct cs_bytes scene_manifest_file(struct scene *s, const struct scene_manifest *text,
				    const struct cluster_manifest *before)
{
	struct cs_buf body = scene_buf(65536), file = scene_buf(65536);
	uint8_t preimage[64];
	put_body(&body, s, text, before);
	const struct cs_hash tag = cs_keccak256(cs_bytes_str("caisson/cluster/manifest/v1"));
	const struct cs_hash inner = cs_keccak256(cs_buf_view(&body));
	memcpy(preimage, tag.b, 32);
	memcpy(preimage + 32, inner.b, 32);
	const struct cs_hash hash = cs_keccak256(CS_BYTES_OF(preimage));
	cs_put_text(&file, "{\"manifest\":");
	cs_put(&file, cs_buf_view(&body));
	cs_put_text(&file, ",\"signatures\":[");
	for (unsigned i = 0; i < text->signers; i++) {
		const struct cs_hash aux = {{1}};
		struct cs_schnorr signature;
		struct cs_hash x;
		char key[65], rx[65], sx[65];
		ok(cs_key_x(s->sig, &x, &s->administrators[i]));
		ok(cs_schnorr_sign(s->sig, &signature, &s->administrators[i], &hash, &aux));
		cs_hex(key, CS_BYTES_OF(x.b));
		cs_hex(rx, CS_BYTES_OF(signature.rx.b));
		cs_hex(sx, CS_BYTES_OF(signature.s.b));
		cs_put_text(&file, "%s{\"key\":\"0x%s\",\"signature\":\"0x%s%s\"}",
			    i == 0 ? "" : ",", key, rx, sx);
	}
	cs_put_text(&file, "]}");
	ok(cs_buf_end(&file));
	return cs_buf_view(&file);
}

const struct cluster_manifest *scene_manifest_read(struct scene *s,
						   const struct scene_manifest *text,
						   const struct cluster_manifest *before)
{
	struct cluster_manifest *m = keep(sizeof *m);
	struct cs_why why = {""};
	const enum cs_err err = cluster_manifest_read(m, scene_manifest_file(s, text, before),
						      before, s->sig, &s->manifests, &why);
	if (err != CS_OK)
		fail_msg("manifest: %s: %s", cs_err_name(err), why.text);
	return m;
}

/* ---- a cluster ---- */

void scene_channel(struct cluster_session *client, struct cluster_session *server,
		   const struct cs_ed25519_key *client_key, const struct cs_ed25519_key *server_key,
		   uint8_t exporter)
{
	const struct cluster_channel channel = {.exporter = {{exporter}},
						.client_spki = cluster_spki_hash(client_key),
						.server_spki = cluster_spki_hash(server_key),
						.client = true};
	*client = (struct cluster_session){.channel = channel};
	*server = *client;
	server->channel.client = false;
}

enum cs_err scene_meet(struct scene_cluster *c, uint8_t exporter)
{
	struct cs_buf hello = scene_buf(262144), reply = scene_buf(262144);
	scene_channel(&c->to_key_server, &c->to_guard, &c->guard.identity.key, &c->ks.identity.key,
		      exporter);
	CS_TRY(cluster_guard_hello(&c->guard, &c->to_key_server, &hello, &c->guard_tools, &c->why));
	CS_TRY(cluster_key_server_meet(&c->ks, &c->to_guard, cs_buf_view(&hello),
				       &c->key_server_tools, &c->scene->now, &c->why));
	CS_TRY(cluster_key_server_hello(&c->ks, &c->to_guard, &reply, &c->key_server_tools,
					&c->why));
	return cluster_guard_meet(&c->guard, &c->to_key_server, cs_buf_view(&reply),
				  &c->guard_tools, &c->scene->now, &c->why);
}

void scene_tick(struct scene_cluster *c)
{
	bool changed = false;
	const struct cs_secret random = scene_random(c->scene);
	ok(cluster_key_server_tick(&c->ks, &changed, &c->key_server_tools, &random, &c->scene->now,
				   &c->why));
}

struct scene_cluster *scene_cluster_new(const struct scene_manifest *text)
{
	struct scene_cluster *c = keep(sizeof *c);
	struct scene *s = c->scene = scene_new();
	c->manifest = scene_manifest_read(s, text, NULL);
	c->key_server_build = scene_build('k');
	c->guard_build = scene_build('g');
	c->worker_build = scene_build('w');
	c->key_server_tools = scene_tools(s, &c->key_server_build);
	c->guard_tools = scene_tools(s, &c->guard_build);
	c->worker_tools = scene_tools(s, &c->worker_build);
	struct cs_secret random = scene_random(s);
	ok(cluster_key_server_init(&c->ks, c->manifest, c->memory, &random));
	random = scene_random(s);
	ok(cluster_key_server_create(&c->ks, &c->key_server_tools, &random, &s->now, &c->why));
	scene_tick(c);
	random = scene_random(s);
	ok(cluster_guard_init(&c->guard, c->manifest, &random));
	random = scene_random(s);
	ok(cluster_worker_init(&c->worker, c->manifest, cs_bytes_str(APPLICATION), &random));
	ok(scene_meet(c, 1));
	return c;
}

enum cs_err scene_ask(struct scene_cluster *c, struct cluster_worker *worker,
		      const struct cluster_tools *tools, struct cs_bytes *join)
{
	struct cs_buf challenge = scene_buf(4096), out = scene_buf(262144);
	struct cs_secret random = scene_random(c->scene);
	CS_TRY(cluster_guard_challenge(&c->guard, &challenge, &random, &c->scene->now, &c->why));
	random = scene_random(c->scene);
	CS_TRY(cluster_worker_ask(worker, &out, cs_buf_view(&challenge), tools, &random, &c->why));
	*join = cs_buf_view(&out);
	return CS_OK;
}

enum cs_err scene_vouch(struct scene_cluster *c, struct cs_bytes join, struct cs_bytes *vouch)
{
	struct cs_buf out = scene_buf(65536);
	CS_TRY(cluster_guard_vouch(&c->guard, &c->to_key_server, &out, join, &c->guard_tools,
				   &c->scene->now, &c->why));
	*vouch = cs_buf_view(&out);
	return CS_OK;
}

enum cs_err scene_issue(struct scene_cluster *c, struct cs_bytes vouch, struct cs_bytes *grant)
{
	struct cs_buf out = scene_buf(262144);
	const struct cs_secret random = scene_random(c->scene);
	CS_TRY(cluster_key_server_issue(&c->ks, &c->to_guard, &out, vouch, &c->key_server_tools,
					&random, &c->scene->now, &c->why));
	*grant = cs_buf_view(&out);
	return CS_OK;
}

enum cs_err scene_take(struct scene_cluster *c, struct cluster_worker *worker,
		       const struct cluster_tools *tools, struct cs_bytes grant)
{
	bool changed;
	CS_TRY(cluster_guard_carry(&c->guard, &changed, &c->to_key_server, grant, &c->guard_tools,
				   &c->why));
	return cluster_worker_take(worker, grant, tools, &c->scene->now, &c->why);
}

enum cs_err scene_join(struct scene_cluster *c, struct cluster_worker *worker,
		       const struct cluster_tools *tools)
{
	struct cs_bytes join, vouch, grant;
	CS_TRY(scene_ask(c, worker, tools, &join));
	CS_TRY(scene_vouch(c, join, &vouch));
	CS_TRY(scene_issue(c, vouch, &grant));
	return scene_take(c, worker, tools, grant);
}
