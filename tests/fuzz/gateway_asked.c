#include "tests/fuzz/gateway_asked.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define WAIT_MS 20000u

static const char api_key[] = "every-scope-key-0000000000000000";
/* Port 9 answers nobody. */
static const char config_text[] =
	"name = \"a\"\n[log]\nlevel = \"error\"\n[api]\nport = 0\nevents_port = 0\nrate_per_s = 0\n"
	"[enclave]\nmanifests = [\"" CS_VECTORS "/manifest/first.json\"]\n"
	"[webhooks]\ninsecure_http = true\nnetworks = [\"127.0.0.0/8\"]\n"
	"[[chains]]\nid = \"eip155:31337\"\nrpc = [\"http://127.0.0.1:9\"]\n"
	"[[peers]]\nname = \"b\"\nurl = \"http://127.0.0.1:9\"\napi_key_file = \"b.key\"\n"
	"chains = [\"eip155:1903\"]\n";

static struct {
	char folder[256];
	char base[64];
	struct host_loop *loop;
	struct host_http_client *client;
	struct gateway gateway;
} world;

static void write_file(const char *name, const char *text)
{
	char path[300];
	(void)snprintf(path, sizeof(path), "%s/%s", world.folder, name);
	FILE *file = fopen(path, "w");
	cs_assert(file != NULL && fputs(text, file) >= 0 && fchmod(fileno(file), 0600) == 0);
	cs_assert(fclose(file) == 0);
}

static bool at_once(void *context)
{
	(void)context;
	return true;
}

static void stop(void)
{
	static const char *const names[] = {"api.keys",        "b.key",          "c.toml",
					    "journal.db",      "journal.db-wal", "journal.db-shm",
					    "journal.db.lock", "webhooks.key"};
	host_http_client_free(world.client);
	gateway_stop(&world.gateway);
	/* What it had on the loop ends in a turn of it. */
	cs_assert(host_loop_run_until(world.loop, at_once, NULL, WAIT_MS) == CS_OK);
	host_loop_free(world.loop);
	for (size_t i = 0; i < CS_LEN(names); i++) {
		char path[300];
		(void)snprintf(path, sizeof(path), "%s/%s", world.folder, names[i]);
		(void)unlink(path);
	}
	(void)rmdir(world.folder);
}

static void start(void)
{
	struct cs_why why;
	char text[300];
	char hex[65];
	const char *below = getenv("TMPDIR");
	(void)snprintf(world.folder, sizeof(world.folder), "%s/caisson-asked-XXXXXX",
		       below ? below : "/tmp");
	cs_assert(mkdtemp(world.folder) != NULL);
	const struct cs_hash hash = cs_sha256(cs_bytes_str(api_key));
	cs_hex(hex, CS_BYTES_OF(hash.b));
	(void)snprintf(text, sizeof(text), "ops read,send,operate,webhook %s\n", hex);
	write_file("api.keys", text);
	write_file("b.key", "some-other-key-of-our-peer-000000\n");
	write_file("c.toml", config_text);
	(void)snprintf(text, sizeof(text), "%s/c.toml", world.folder);
	world.loop = host_loop_new();
	cs_assert(gateway_start(&world.gateway, world.loop, text, -1) == CS_OK);
	world.client = host_http_client_new(world.loop, NULL);
	(void)snprintf(world.base, sizeof(world.base), "http://127.0.0.1:%u",
		       host_http_server_port(world.gateway.server));
	cs_assert(host_http_client_allow(world.client, world.base, &why) == CS_OK);
	cs_assert(atexit(stop) == 0);
}

struct gateway *gateway_asked(void)
{
	if (world.loop == NULL)
		start();
	return &world.gateway;
}

struct waiting {
	bool done;
	struct gateway_said said;
};

static void on_done(void *context, const struct host_http_response *response)
{
	struct waiting *waiting = context;
	waiting->done = true;
	waiting->said.status = response->status;
	waiting->said.body = json_loadb((const char *)response->body.p, response->body.n,
					JSON_REJECT_DUPLICATES, NULL);
}

static bool is_done(void *context)
{
	return ((const struct waiting *)context)->done;
}

struct gateway_said gateway_ask(const char *method, const char *path, struct cs_bytes body)
{
	struct waiting waiting = {.done = false};
	char url[256];
	char authorization[64];
	(void)gateway_asked();
	(void)snprintf(url, sizeof(url), "%s%s", world.base, path);
	(void)snprintf(authorization, sizeof(authorization), "Bearer %s", api_key);
	const struct host_http_request request = {.method = method,
						  .url = url,
						  .headers = {{"Authorization", authorization}},
						  .body = body,
						  .timeout_ms = WAIT_MS};
	cs_assert(host_http_send(world.client, NULL, &request, on_done, &waiting) == CS_OK);
	cs_assert(host_loop_run_until(world.loop, is_done, &waiting, WAIT_MS) == CS_OK);
	const struct gateway_said said = waiting.said;
	cs_assert(said.status >= 200 && said.status != 500);
	cs_assert(said.status == 204 || json_is_object(said.body));
	if (said.status >= 400)
		cs_assert(json_is_string(json_object_get(said.body, "code")) &&
			  json_integer_value(json_object_get(said.body, "status")) == said.status);
	return said;
}

json_t *gateway_ask_well(const char *method, const char *path, struct cs_bytes body)
{
	const struct gateway_said said = gateway_ask(method, path, body);
	cs_assert(said.status < 300);
	return said.body;
}
