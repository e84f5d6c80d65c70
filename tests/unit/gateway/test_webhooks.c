/* Webhooks of a gateway whose chain and enclave do not answer, delivered over real sockets to a receiver
 * of the test's own: in order, signed, at least once over a restart; who fails is tried again and then
 * disabled, who hangs holds up nobody; what may not be asked or reached is refused. */
#include "core/base64.h"
#include "gateway/webhooks.h"
#include "tests/unit/support.h"

#include <sys/stat.h>
#include <unistd.h>

#define WAIT_MS 20000
#define HEARD_MAX 64u

static const char app_key[] = "an-app-with-webhooks-000000000000";
static const char other_key[] = "another-app-with-webhooks-0000000";
static const char operator_key[] = "who-operates-sees-all-00000000000";
static const char read_key[] = "read-only-key-0000000000000000000";

static const char config_text[] =
	"name = \"a\"\n[log]\nlevel = \"error\"\n[api]\nport = 0\nevents_port = 0\n"
	"[enclave]\nmanifests = [\"" CS_VECTORS "/manifest/first.json\"]\n"
	"[webhooks]\n%s\nretry_min_ms = 10\nretry_max_ms = 100\nattempts_max = 3\n"
	"timeout_ms = 30000\noverlap_s = 3600\n"
	"[[chains]]\nid = \"eip155:31337\"\nrpc = [\"http://127.0.0.1:9\"]\n"
	"[[peers]]\nname = \"b\"\nurl = \"http://127.0.0.1:9\"\napi_key_file = \"b.key\"\n"
	"chains = [\"eip155:1903\"]\n";
#define OPEN "insecure_http = true\nnetworks = [\"127.0.0.0/8\"]"

struct heard {
	char path[16];
	char id[80];
	char timestamp[24];
	char signature[160];
	char body[512];
};

struct fixture {
	char folder[64];
	struct host_loop *loop;
	struct gateway *gateway;
	struct host_http_client *client;
	char base[64];
	/* the receiver */
	struct host_http_server *receiver;
	char url[64];
	int status;                      /* that /hook answers */
	struct host_http_exchange *held; /* of /hang */
	size_t count;
	struct heard heard[HEARD_MAX];
};

/* ---- the receiver ---- */

static void keep_header(char *text, size_t size, const struct host_http_exchange *exchange,
			const char *name)
{
	const char *value = host_http_request_header(exchange, name);
	snprintf(text, size, "%s", value ? value : "");
}

static void hear(struct fixture *f, struct host_http_exchange *exchange)
{
	assert_true(f->count < HEARD_MAX);
	struct heard *h = &f->heard[f->count++];
	struct cs_bytes body = host_http_body(exchange);
	snprintf(h->path, sizeof(h->path), "%s", host_http_path(exchange));
	keep_header(h->id, sizeof(h->id), exchange, "webhook-id");
	keep_header(h->timestamp, sizeof(h->timestamp), exchange, "webhook-timestamp");
	keep_header(h->signature, sizeof(h->signature), exchange, "webhook-signature");
	snprintf(h->body, sizeof(h->body), "%.*s", (int)body.n, (const char *)body.p);
}

static void post_hook(void *context, struct host_http_exchange *exchange)
{
	struct fixture *f = context;
	hear(f, exchange);
	host_http_reply(exchange, f->status, "text/plain", CS_BYTES_NONE);
}

static void post_hang(void *context, struct host_http_exchange *exchange)
{
	struct fixture *f = context;
	f->held = exchange;
}

/* ---- the gateway ---- */

static void write_file(const struct fixture *f, const char *name, const char *text)
{
	char path[96];
	snprintf(path, sizeof(path), "%s/%s", f->folder, name);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fchmod(fileno(file), 0600), 0);
	assert_int_equal(fclose(file), 0);
}

static void key_line(char *text, size_t size, const char *name, const char *scopes, const char *key)
{
	char hex[65];
	struct cs_hash hash = cs_sha256(cs_bytes_str(key));
	cs_hex(hex, CS_BYTES_OF(hash.b));
	size_t n = strlen(text);
	snprintf(text + n, size - n, "%s %s %s\n", name, scopes, hex);
}

static enum cs_err try_start(struct fixture *f)
{
	char path[96];
	snprintf(path, sizeof(path), "%s/c.toml", f->folder);
	f->gateway = calloc(1, sizeof(*f->gateway));
	assert_non_null(f->gateway);
	return gateway_start(f->gateway, f->loop, path, -1);
}

static void start(struct fixture *f)
{
	struct cs_why why;
	assert_ok(try_start(f));
	f->client = host_http_client_new(f->loop, NULL);
	snprintf(f->base, sizeof(f->base), "http://127.0.0.1:%u",
		 host_http_server_port(f->gateway->server));
	assert_ok(host_http_client_allow(f->client, f->base, &why));
}

static bool at_once(void *context)
{
	(void)context;
	return true;
}

/* What it had on the loop ends in a turn of it. */
static void stop(struct fixture *f)
{
	host_http_client_free(f->client);
	f->client = NULL;
	if (f->gateway)
		gateway_stop(f->gateway);
	assert_ok(host_loop_run_until(f->loop, at_once, NULL, WAIT_MS));
	free(f->gateway);
	f->gateway = NULL;
}

static void configure(struct fixture *f, const char *webhooks)
{
	char text[1024];
	snprintf(text, sizeof(text), config_text, webhooks);
	write_file(f, "c.toml", text);
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct cs_why why;
	char text[1024] = "";
	assert_non_null(f);
	snprintf(f->folder, sizeof(f->folder), "/tmp/caisson-webhooks-XXXXXX");
	assert_non_null(mkdtemp(f->folder));
	key_line(text, sizeof(text), "app", "webhook", app_key);
	key_line(text, sizeof(text), "other", "webhook", other_key);
	key_line(text, sizeof(text), "operator", "webhook,operate", operator_key);
	key_line(text, sizeof(text), "reader", "read", read_key);
	write_file(f, "api.keys", text);
	write_file(f, "b.key", "some-other-key-of-our-peer-000000\n");
	configure(f, OPEN);
	f->loop = host_loop_new();
	f->status = 200;
	const struct host_http_server_options options = {.connections_max = 64};
	assert_ok(host_http_server_new(&f->receiver, f->loop, &options, &why));
	host_http_server_route(f->receiver, "POST", "/hook", 0, post_hook, f);
	host_http_server_route(f->receiver, "POST", "/hang", 0, post_hang, f);
	snprintf(f->url, sizeof(f->url), "http://127.0.0.1:%u", host_http_server_port(f->receiver));
	start(f);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	static const char *const names[] = {"api.keys",        "b.key",           "c.toml",
					    "journal.db",      "journal.db-wal",  "journal.db-shm",
					    "journal.db.lock", "journal.db-lock", "webhooks.key"};
	struct fixture *f = *state;
	stop(f);
	if (f->held)
		host_http_reply(f->held, 200, "text/plain", CS_BYTES_NONE);
	host_http_server_free(f->receiver);
	host_loop_free(f->loop);
	for (size_t i = 0; i < CS_LEN(names); i++) {
		char path[96];
		snprintf(path, sizeof(path), "%s/%s", f->folder, names[i]);
		unlink(path);
	}
	int left = rmdir(f->folder);
	free(f);
	return left;
}

static enum cs_err write_event(void *context)
{
	struct fixture *f = context;
	return gateway_journal_event(f->gateway->journal, "chain.reorg", NULL,
				     "eip155:31337: from 62");
}

static enum cs_err write_request(void *context)
{
	struct fixture *f = context;
	return gateway_journal_event(f->gateway->journal, "request.failed", NULL,
				     "r00112233445566778899aabb its transaction reverted");
}

static void happen(struct fixture *f, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		assert_ok(gateway_write(f->gateway, write_event, f));
}

/* ---- asking it ---- */

struct answer {
	bool done;
	int status;
	json_t *body;
};

static void on_done(void *context, const struct host_http_response *response)
{
	struct answer *answer = context;
	answer->done = true;
	answer->status = response->status;
	answer->body = json_loadb((const char *)response->body.p, response->body.n, 0, NULL);
}

static bool is_done(void *context)
{
	return ((struct answer *)context)->done;
}

static struct answer call(struct fixture *f, const char *method, const char *path, const char *key,
			  const char *body)
{
	struct answer answer = {0};
	char url[256];
	char authorization[128];
	snprintf(url, sizeof(url), "%s%s", f->base, path);
	snprintf(authorization, sizeof(authorization), "Bearer %s", key);
	struct host_http_request request = {.method = method,
					    .url = url,
					    .headers = {{"Authorization", authorization}},
					    .body = body ? cs_bytes_str(body) : CS_BYTES_NONE};
	assert_ok(host_http_send(f->client, NULL, &request, on_done, &answer));
	assert_ok(host_loop_run_until(f->loop, is_done, &answer, WAIT_MS));
	return answer;
}

static void refused(struct answer answer, int status, const char *code, const char *part)
{
	const char *detail = json_string_value(json_object_get(answer.body, "detail"));
	const char *said = json_string_value(json_object_get(answer.body, "code"));
	if (answer.status != status || !said || strcmp(said, code) != 0)
		fail_msg("%d %s (%s) instead of %d %s", answer.status, said ? said : "?",
			 detail ? detail : "", status, code);
	if (part && (!detail || !strstr(detail, part)))
		fail_msg("\"%s\" does not name %s", detail ? detail : "", part);
	json_decref(answer.body);
}

struct made {
	char id[GATEWAY_WEBHOOK_ID_SIZE];
	char secret[HOST_WEBHOOK_SECRET_TEXT_SIZE];
};

static void take_secret(struct made *made, struct answer answer, int status)
{
	assert_int_equal(answer.status, status);
	const char *id = json_string_value(json_object_get(answer.body, "id"));
	const char *secret = json_string_value(json_object_get(answer.body, "secret"));
	assert_true(id && secret && strncmp(id, "wh_", 3) == 0);
	snprintf(made->id, sizeof(made->id), "%s", id);
	snprintf(made->secret, sizeof(made->secret), "%s", secret);
	json_decref(answer.body);
}

/* Of the app, at the receiver's path; more: further members. */
static struct made make(struct fixture *f, const char *path, const char *more)
{
	struct made made;
	char body[512];
	snprintf(body, sizeof(body), "{\"url\":\"%s%s\"%s}", f->url, path, more);
	take_secret(&made, call(f, "POST", "/v1/webhooks", app_key, body), 201);
	return made;
}

/* Of the app's webhook, or something below it. */
static struct answer of(struct fixture *f, const char *method, const struct made *made,
			const char *rest, const char *body)
{
	char path[160];
	snprintf(path, sizeof(path), "/v1/webhooks/%s%s", made->id, rest);
	return call(f, method, path, app_key, body);
}

static bool member_is(struct fixture *f, const struct made *made, const char *name,
		      const char *text)
{
	struct answer answer = of(f, "GET", made, "", NULL);
	assert_int_equal(answer.status, 200);
	const char *value = json_string_value(json_object_get(answer.body, name));
	bool is = text ? value && strcmp(value, text) == 0
		       : json_is_null(json_object_get(answer.body, name));
	json_decref(answer.body);
	return is;
}

static json_int_t number_of(struct fixture *f, const struct made *made, const char *name)
{
	struct answer answer = of(f, "GET", made, "", NULL);
	json_int_t value = json_integer_value(json_object_get(answer.body, name));
	json_decref(answer.body);
	return value;
}

struct until {
	struct fixture *f;
	size_t count;
};

static bool has_heard(void *context)
{
	struct until *until = context;
	gateway_wake(until->f->gateway);
	return until->f->count >= until->count;
}

static void hears(struct fixture *f, size_t count)
{
	struct until until = {f, count};
	assert_ok(host_loop_run_until(f->loop, has_heard, &until, WAIT_MS));
	assert_int_equal(f->count, count);
}

/* Its answer to the last one has been noted as well. */
static void settles(struct fixture *f, const struct made *made, json_int_t cursor)
{
	for (unsigned i = 0; i < 500 && number_of(f, made, "cursor") != cursor; i++)
		usleep(1000);
	assert_int_equal(number_of(f, made, "cursor"), cursor);
}

static bool is_signed_by(const struct heard *h, const char *secret)
{
	uint8_t key[CS_UNBASE64_SIZE(44)];
	char signature[HOST_WEBHOOK_SIGNATURE_SIZE];
	size_t n = 0;
	assert_ok(cs_unbase64(key, &n, cs_bytes_str(secret + 6), CS_BASE64));
	host_webhook_sign(signature, cs_bytes(key, n), h->id, strtoull(h->timestamp, NULL, 10),
			  cs_bytes_str(h->body));
	return strstr(h->signature, signature) != NULL;
}

static json_int_t event_of(const struct heard *h)
{
	json_t *body = json_loads(h->body, 0, NULL);
	json_int_t n = json_integer_value(json_object_get(json_object_get(body, "data"), "cursor"));
	json_decref(body);
	return n;
}

/* ---- what arrives ---- */

static void events_arrive_in_order_and_signed(void **state)
{
	struct fixture *f = *state;
	happen(f, 2); /* before it was made: not its */
	struct made made = make(f, "/hook", "");
	happen(f, 5);
	hears(f, 5);
	for (size_t i = 0; i < 5; i++) {
		const struct heard *h = &f->heard[i];
		char id[128];
		assert_int_equal(event_of(h), (json_int_t)i + 3);
		assert_true(is_signed_by(h, made.secret));
		snprintf(id, sizeof(id), "msg_%s_%zu", made.id + 3, i + 3);
		assert_string_equal(h->id, id);
		json_t *body = json_loads(h->body, 0, NULL);
		assert_string_equal(json_string_value(json_object_get(body, "type")),
				    "chain.reorg");
		assert_int_equal(strlen(json_string_value(json_object_get(body, "timestamp"))), 24);
		json_decref(body);
	}
	settles(f, &made, 7);
	struct answer log = of(f, "GET", &made, "/deliveries?limit=2", NULL);
	const json_t *list = json_object_get(log.body, "deliveries");
	assert_int_equal(json_array_size(list), 2);
	const json_t *newest = json_array_get(list, 0);
	assert_int_equal(json_integer_value(json_object_get(newest, "event")), 7);
	assert_true(json_is_true(json_object_get(newest, "delivered")));
	assert_int_equal(json_integer_value(json_object_get(newest, "status")), 200);
	assert_int_equal(json_integer_value(json_object_get(log.body, "next")), 6);
	json_decref(log.body);
}

static void only_what_its_filter_names(void **state)
{
	struct fixture *f = *state;
	make(f, "/hook", ",\"types\":[\"request.failed\"]");
	make(f, "/hook", ",\"message\":\"r00112233445566778899aabb\"");
	make(f, "/hook", ",\"message\":\"r00112233445566778899aab0\"");
	make(f, "/hook", ",\"from_chain\":\"eip155:31337\"");
	make(f, "/hook", ",\"types\":[\"message.finalized\",\"chain.frozen\"]");
	happen(f, 300); /* more than are looked at in one turn */
	assert_ok(gateway_write(f->gateway, write_request, f));
	hears(f, 2);
	assert_int_equal(event_of(&f->heard[0]), 301);
	assert_int_equal(event_of(&f->heard[1]), 301);
	assert_non_null(strstr(f->heard[0].body, "\"request_id\":\"r00112233445566778899aabb\""));
}

static void a_cursor_begins_earlier(void **state)
{
	struct fixture *f = *state;
	happen(f, 4);
	make(f, "/hook", ",\"cursor\":2");
	hears(f, 2);
	assert_int_equal(event_of(&f->heard[0]), 3);
}

/* ---- what fails ---- */

static void a_failure_is_tried_again(void **state)
{
	struct fixture *f = *state;
	struct made made = make(f, "/hook", "");
	f->status = 500;
	happen(f, 2);
	hears(f, 2);
	f->status = 204;
	hears(f, 4);
	assert_string_equal(f->heard[0].id, f->heard[1].id);
	assert_string_equal(f->heard[1].id, f->heard[2].id);
	assert_string_equal(f->heard[0].body, f->heard[2].body);
	assert_int_equal(event_of(&f->heard[3]), 2);
	settles(f, &made, 2);
	struct answer log = of(f, "GET", &made, "/deliveries?before=2", NULL);
	const json_t *row = json_array_get(json_object_get(log.body, "deliveries"), 0);
	assert_int_equal(json_integer_value(json_object_get(row, "attempts")), 3);
	assert_true(json_is_true(json_object_get(row, "delivered")));
	json_decref(log.body);
}

/* A redirect is no answer: nobody is sent elsewhere. */
static void too_many_failures_disable_it(void **state)
{
	struct fixture *f = *state;
	struct made made = make(f, "/hook", ",\"types\":[\"chain.reorg\",\"webhook.disabled\"]");
	struct made witness = make(f, "/hook", ",\"types\":[\"webhook.disabled\"]");
	f->status = 302;
	happen(f, 1);
	hears(f, 3);
	f->status = 200;
	hears(f, 4); /* the other one is told */
	assert_true(is_signed_by(&f->heard[3], witness.secret));
	assert_non_null(strstr(f->heard[3].body, "3 attempts of event 1 failed"));
	assert_non_null(strstr(f->heard[3].body, made.id));
	assert_null(strstr(f->heard[3].body, "127.0.0.1"));
	assert_true(member_is(f, &made, "state", "disabled"));
	assert_true(member_is(f, &made, "why", "status 302"));
	refused(of(f, "POST", &made, "/deliveries/1/redeliver", ""), 409, "conflict", "disabled");
	/* Nothing is lost when it is taken up again. */
	struct answer answer = of(f, "POST", &made, "/enable", "");
	assert_int_equal(answer.status, 200);
	json_decref(answer.body);
	hears(f, 6);
	assert_int_equal(event_of(&f->heard[4]), 1);
	assert_int_equal(event_of(&f->heard[5]), 2);
	assert_true(member_is(f, &made, "state", "active"));
}

static void gone_is_for_good(void **state)
{
	struct fixture *f = *state;
	struct made made = make(f, "/hook", "");
	f->status = 410;
	happen(f, 1);
	hears(f, 1);
	for (unsigned i = 0; i < 500 && !member_is(f, &made, "state", "disabled"); i++)
		usleep(1000);
	assert_true(member_is(f, &made, "state", "disabled"));
}

static void who_hangs_holds_up_nobody(void **state)
{
	struct fixture *f = *state;
	make(f, "/hang", "");
	make(f, "/hook", "");
	happen(f, 20);
	hears(f, 20);
	assert_non_null(f->held);
}

static enum cs_err write_prune(void *context)
{
	struct fixture *f = context;
	return gateway_journal_events_prune(f->gateway->journal, 2);
}

static void events_that_are_not_kept_are_told_as_lost(void **state)
{
	struct fixture *f = *state;
	struct made made = make(f, "/hang", "");
	happen(f, 3);
	struct until until = {f, 0};
	assert_ok(host_loop_run_until(f->loop, has_heard, &until, WAIT_MS));
	for (unsigned i = 0; i < 500 && !f->held; i++)
		json_decref(of(f, "GET", &made, "", NULL).body);
	assert_non_null(f->held);
	assert_ok(gateway_write(f->gateway, write_prune, f));
	host_http_reply(f->held, 500, "text/plain", CS_BYTES_NONE);
	f->held = NULL;
	for (unsigned i = 0; i < 500 && !member_is(f, &made, "state", "disabled"); i++)
		usleep(1000);
	assert_true(member_is(f, &made, "why", "the journal no longer keeps the events after 0"));
	refused(of(f, "POST", &made, "/enable", "{\"cursor\":0}"), 409, "conflict", "cursor");
}

/* ---- what stays ---- */

static void a_restart_goes_on_where_it_was(void **state)
{
	struct fixture *f = *state;
	struct made made = make(f, "/hook", "");
	f->status = 500;
	happen(f, 3);
	hears(f, 1);
	stop(f);
	f->status = 200;
	start(f);
	hears(f, 4);
	assert_string_equal(f->heard[0].id, f->heard[1].id);
	assert_int_equal(event_of(&f->heard[3]), 3);
	assert_true(is_signed_by(&f->heard[3], made.secret));
}

static void one_event_again(void **state)
{
	struct fixture *f = *state;
	struct made made = make(f, "/hook", "");
	happen(f, 3);
	hears(f, 3);
	settles(f, &made, 3);
	struct answer answer = of(f, "POST", &made, "/deliveries/2/redeliver", "{}");
	assert_int_equal(answer.status, 202);
	json_decref(answer.body);
	hears(f, 4);
	assert_string_equal(f->heard[3].id, f->heard[1].id);
	assert_string_equal(f->heard[3].body, f->heard[1].body);
	settles(f, &made, 3);
	refused(of(f, "POST", &made, "/deliveries/9/redeliver", ""), 404, "not-found", "log");
	refused(of(f, "POST", &made, "/deliveries/x/redeliver", ""), 400, "malformed", "event");
}

static void a_new_secret_signs_beside_the_old_one(void **state)
{
	struct fixture *f = *state;
	struct made old = make(f, "/hook", "");
	struct made fresh;
	take_secret(&fresh, of(f, "POST", &old, "/rotate", ""), 200);
	assert_string_not_equal(old.secret, fresh.secret);
	happen(f, 1);
	hears(f, 1);
	assert_true(is_signed_by(&f->heard[0], old.secret));
	assert_true(is_signed_by(&f->heard[0], fresh.secret));
	struct made third;
	take_secret(&third, of(f, "POST", &old, "/rotate", ""), 200);
	f->gateway->config.webhooks.overlap_s = 0;
	happen(f, 1);
	hears(f, 2);
	assert_false(is_signed_by(&f->heard[1], old.secret));
	assert_true(is_signed_by(&f->heard[1], fresh.secret));
	struct made last;
	take_secret(&last, of(f, "POST", &old, "/rotate", ""), 200);
	happen(f, 1);
	hears(f, 3);
	assert_false(is_signed_by(&f->heard[2], third.secret));
	assert_true(is_signed_by(&f->heard[2], last.secret));
}

/* Neither in the journal, nor in what anybody is answered later. */
static void a_secret_is_shown_once(void **state)
{
	struct fixture *f = *state;
	struct made made = make(f, "/hook", "");
	uint8_t key[CS_UNBASE64_SIZE(44)];
	size_t n = 0;
	char path[96];
	static uint8_t text[1 << 22];
	assert_ok(cs_unbase64(key, &n, cs_bytes_str(made.secret + 6), CS_BASE64));
	struct answer answer = of(f, "GET", &made, "", NULL);
	assert_null(json_object_get(answer.body, "secret"));
	json_decref(answer.body);
	for (size_t i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s/journal.db%s", f->folder, i ? "-wal" : "");
		FILE *file = fopen(path, "r");
		assert_non_null(file);
		size_t size = fread(text, 1, sizeof(text), file);
		fclose(file);
		assert_true(size > 0);
		assert_null(memmem(text, size, key, n));
		assert_null(memmem(text, size, made.secret + 6, 44));
		if (i == 1) /* where it would be */
			assert_non_null(memmem(text, size, made.id, strlen(made.id)));
	}
}

static void without_its_key_file_a_gateway_does_not_start(void **state)
{
	struct fixture *f = *state;
	char path[96];
	make(f, "/hook", "");
	stop(f);
	snprintf(path, sizeof(path), "%s/webhooks.key", f->folder);
	assert_int_equal(chmod(path, 0644), 0);
	assert_err(try_start(f), CS_ERR_FORBIDDEN);
	stop(f);
	assert_int_equal(unlink(path), 0);
	assert_err(try_start(f), CS_ERR_INVALID);
}

/* ---- what is refused ---- */

static void bad_webhooks_are_refused(void **state)
{
	struct fixture *f = *state;
	static const struct {
		const char *body;
		int status;
		const char *code, *part;
	} cases[] = {
		{"[]", 400, "malformed", "body"},
		{"{}", 400, "missing-field", "url"},
		{"{\"url\":1}", 400, "malformed", "url"},
		{"{\"url\":\"nothing\"}", 400, "malformed", "url"},
		{"{\"url\":\"ftp://a.example/\"}", 400, "malformed", "url"},
		{"{\"url\":\"https://u:p@a.example/\"}", 400, "malformed", "url"},
		{"{\"url\":\"https://a.example/ b\"}", 400, "malformed", "url"},
		{"{\"url\":\"https://10.0.0.1/\"}", 403, "forbidden", "url"},
		{"{\"url\":\"https://[::1]/\"}", 403, "forbidden", "url"},
		{"{\"url\":\"https://[::ffff:10.0.0.1]/\"}", 403, "forbidden", "url"},
		{"{\"url\":\"https://169.254.169.254/latest\"}", 403, "forbidden", "url"},
		{"{\"url\":\"https://0xa000001/\"}", 403, "forbidden", "url"},
		{"{\"url\":\"https://a.example/\",\"more\":1}", 400, "unknown-field", "more"},
		{"{\"url\":\"https://a.example/\",\"types\":\"message\"}", 400, "malformed",
		 "types"},
		{"{\"url\":\"https://a.example/\",\"types\":[\"message\"]}", 400, "invalid",
		 "types[0]"},
		{"{\"url\":\"https://a.example/\",\"types\":[\"message.lost\"]}", 400, "invalid",
		 "types[0]"},
		{"{\"url\":\"https://a.example/\",\"from_chain\":\"eip155:9\"}", 404, "not-found",
		 "from_chain"},
		{"{\"url\":\"https://a.example/\",\"to_chain\":9}", 400, "malformed", "to_chain"},
		{"{\"url\":\"https://a.example/\",\"message\":\"0x12\"}", 400, "malformed",
		 "message"},
		{"{\"url\":\"https://a.example/\",\"message\":\"r' OR 1\"}", 400, "malformed",
		 "message"},
		{"{\"url\":\"https://a.example/\",\"cursor\":7}", 409, "conflict", "cursor"},
		{"{\"url\":\"https://a.example/\",\"cursor\":-1}", 400, "malformed", "cursor"},
	};
	for (size_t i = 0; i < CS_LEN(cases); i++)
		refused(call(f, "POST", "/v1/webhooks", app_key, cases[i].body), cases[i].status,
			cases[i].code, cases[i].part);
	struct answer list = call(f, "GET", "/v1/webhooks", operator_key, NULL);
	assert_int_equal(json_array_size(json_object_get(list.body, "webhooks")), 0);
	json_decref(list.body);
	refused(call(f, "POST", "/v1/webhooks", read_key, "{}"), 403, "forbidden", NULL);
}

static void of_others_nothing_is_seen(void **state)
{
	struct fixture *f = *state;
	struct made made = make(f, "/hook", "");
	char path[96];
	static const char *const rests[][2] = {
		{"GET", ""},         {"DELETE", ""},         {"POST", "/enable"},
		{"POST", "/rotate"}, {"GET", "/deliveries"}, {"POST", "/deliveries/1/redeliver"}};
	for (size_t i = 0; i < CS_LEN(rests); i++) {
		snprintf(path, sizeof(path), "/v1/webhooks/%s%s", made.id, rests[i][1]);
		refused(call(f, rests[i][0], path, other_key, NULL), 404, "not-found", NULL);
	}
	struct answer list = call(f, "GET", "/v1/webhooks", other_key, NULL);
	assert_int_equal(json_array_size(json_object_get(list.body, "webhooks")), 0);
	json_decref(list.body);
	list = call(f, "GET", "/v1/webhooks", operator_key, NULL);
	assert_int_equal(json_array_size(json_object_get(list.body, "webhooks")), 1);
	json_decref(list.body);
	struct answer gone = of(f, "DELETE", &made, "", NULL);
	assert_int_equal(gone.status, 204);
	refused(of(f, "GET", &made, "", NULL), 404, "not-found", NULL);
	happen(f, 1);
	struct made other = make(f, "/hook", ",\"cursor\":0");
	hears(f, 1);
	assert_true(is_signed_by(&f->heard[0], other.secret));
}

static void no_key_has_more_than_its_share(void **state)
{
	struct fixture *f = *state;
	char body[128];
	for (unsigned i = 0; i < GATEWAY_WEBHOOKS_PER_KEY_MAX; i++)
		make(f, "/hook", "");
	snprintf(body, sizeof(body), "{\"url\":\"%s/hook\"}", f->url);
	refused(call(f, "POST", "/v1/webhooks", app_key, body), 409, "conflict", "16");
	struct answer answer = call(f, "POST", "/v1/webhooks", other_key, body);
	assert_int_equal(answer.status, 201);
	json_decref(answer.body);
}

static void a_webhook_whose_api_key_is_gone_waits(void **state)
{
	struct fixture *f = *state;
	struct made made = make(f, "/hook", "");
	struct host_api_keys all = f->gateway->keys;
	char path[96];
	f->gateway->keys.keys[0] = f->gateway->keys.keys[--f->gateway->keys.count];
	happen(f, 1);
	struct until until = {f, 0};
	for (unsigned i = 0; i < 20; i++)
		assert_ok(host_loop_run_until(f->loop, has_heard, &until, WAIT_MS));
	assert_int_equal(f->count, 0);
	snprintf(path, sizeof(path), "/v1/webhooks/%s", made.id);
	struct answer answer = call(f, "GET", path, operator_key, NULL);
	assert_string_equal(json_string_value(json_object_get(answer.body, "state")), "orphaned");
	json_decref(answer.body);
	f->gateway->keys = all;
	hears(f, 1);
}

/* Neither is a name looked up in advance: its address is looked at when it is connected. */
static void an_address_that_is_not_public_is_not_connected(void **state)
{
	struct fixture *f = *state;
	struct made made;
	char body[128];
	stop(f);
	configure(f, "insecure_http = true");
	start(f);
	snprintf(body, sizeof(body), "{\"url\":\"http://localhost:%u/hook\"}",
		 host_http_server_port(f->receiver));
	refused(call(f, "POST", "/v1/webhooks", app_key, "{\"url\":\"http://127.0.0.1:1/hook\"}"),
		403, "forbidden", "url");
	take_secret(&made, call(f, "POST", "/v1/webhooks", app_key, body), 201);
	happen(f, 1);
	for (unsigned i = 0; i < 2000 && !member_is(f, &made, "state", "disabled"); i++)
		usleep(1000);
	assert_true(member_is(f, &made, "state", "disabled"));
	assert_true(member_is(f, &made, "why",
			      "forbidden: its host has an address that may not be connected to"));
	assert_int_equal(f->count, 0);
}

static void without_tls_only_by_an_insecure_option(void **state)
{
	struct fixture *f = *state;
	stop(f);
	configure(f, "networks = [\"127.0.0.0/8\"]");
	start(f);
	refused(call(f, "POST", "/v1/webhooks", app_key, "{\"url\":\"http://127.0.0.1:1/hook\"}"),
		400, "invalid", "webhooks.insecure_http");
	stop(f);
	configure(f, "networks = [\"127.0.0.1/8\"]");
	assert_err(try_start(f), CS_ERR_INVALID);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(events_arrive_in_order_and_signed),
		TEST(only_what_its_filter_names),
		TEST(a_cursor_begins_earlier),
		TEST(a_failure_is_tried_again),
		TEST(too_many_failures_disable_it),
		TEST(gone_is_for_good),
		TEST(who_hangs_holds_up_nobody),
		TEST(events_that_are_not_kept_are_told_as_lost),
		TEST(a_restart_goes_on_where_it_was),
		TEST(one_event_again),
		TEST(a_new_secret_signs_beside_the_old_one),
		TEST(a_secret_is_shown_once),
		TEST(without_its_key_file_a_gateway_does_not_start),
		TEST(bad_webhooks_are_refused),
		TEST(of_others_nothing_is_seen),
		TEST(no_key_has_more_than_its_share),
		TEST(a_webhook_whose_api_key_is_gone_waits),
		TEST(an_address_that_is_not_public_is_not_connected),
		TEST(without_tls_only_by_an_insecure_option),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
