#include "cli/cli.h"
#include "cli/service.h"
#include "host/http_client.h"
#include "host/keyfile.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CALL_TIMEOUT_MS 60000u
#define REFUSAL_TIMEOUT_MS 5000u
/* Between two looks at something that takes seconds. */
#define POLL_PAUSE_US 200000u
#define RESPONSE_SIZE_MAX (16u * 1024 * 1024)

const char *cli_text_of(const json_t *json, const char *name)
{
	const char *text = json_string_value(json_object_get(json, name));
	return text ? text : "";
}

long long cli_number_of(const json_t *json, const char *name)
{
	return (long long)json_integer_value(json_object_get(json, name));
}

struct call {
	bool done;
	enum cs_err err;
	char why[200];
	int status;
	json_t *body;
};

static void call_done(void *context, const struct host_http_response *response)
{
	struct call *call = context;
	call->done = true;
	call->err = response->err;
	call->status = response->status;
	snprintf(call->why, sizeof(call->why), "%s", response->why);
	if (response->err == CS_OK && response->body.n > 0)
		call->body = json_loadb((const char *)response->body.p, response->body.n,
					JSON_REJECT_DUPLICATES, NULL);
}

static bool is_done(void *context)
{
	return ((struct call *)context)->done;
}

/* The address of the configuration's gateway or oracle: where it listens, as seen from its own
 * machine. */
static enum cli_exit url_of_config(struct cli *cli, const char *path, char *url, size_t size)
{
	static struct cli_service service;
	enum cli_exit code = CLI_OK;
	if (cli_service_load(&service, cli, path, false) != CS_OK)
		code = cli_fail(cli, CLI_USAGE, "%s", host_config_error(service.file, 0));
	else if (service.common->port == 0)
		code = cli_fail(cli, CLI_USAGE, "%s: api.port is 0: give --url", path);
	else
		snprintf(url, size,
			 strchr(service.common->address, ':') ? "http://[%s]:%u" : "http://%s:%u",
			 service.common->address, service.common->port);
	cli_service_free(&service);
	return code;
}

/* Set to nothing is not set. */
static const char *from_environment(const char *name)
{
	const char *value = getenv(name);
	return value && value[0] ? value : NULL;
}

enum cli_exit cli_find_url(struct cli *cli, char *url, size_t size)
{
	const char *given = cli_option(cli, "url");
	const char *config = cli_option(cli, "config");
	if (!given && !config)
		given = from_environment("CAISSON_URL");
	if (!given && !config)
		config = from_environment("CAISSON_CONFIG");
	if (given) {
		size_t n = strlen(given);
		while (n > 0 && given[n - 1] == '/')
			n--;
		snprintf(url, size, "%.*s", (int)n, given);
		return CLI_OK;
	}
	if (config)
		return url_of_config(cli, config, url, size);
	return cli_fail(cli, CLI_USAGE,
			"which gateway or oracle? give --url, --config, CAISSON_URL or "
			"CAISSON_CONFIG");
}

enum cli_exit cli_find_key(struct cli *cli, char authorization[CLI_AUTHORIZATION_SIZE])
{
	struct cs_why why = {{0}};
	char token[HOST_TOKEN_MAX + 1];
	const char *path = cli_option(cli, "key-file");
	if (!path)
		path = from_environment("CAISSON_API_KEY_FILE");
	if (!path)
		return cli_fail(cli, CLI_USAGE,
				"which API key? give --key-file or CAISSON_API_KEY_FILE");
	if (host_tokenfile_load(token, path, &why) != CS_OK)
		return cli_fail(cli, CLI_USAGE, "%s", why.text);
	snprintf(authorization, CLI_AUTHORIZATION_SIZE, "Bearer %s", token);
	cs_wipe(token, sizeof(token));
	return CLI_OK;
}

static enum cli_exit judge(struct cli *cli, const char *url, struct call *call, json_t **out)
{
	if (call->err != CS_OK) {
		json_decref(call->body);
		return cli_fail(cli, CLI_UNREACHABLE, "%s: %s", url, call->why);
	}
	if (call->status < 300) {
		*out = call->body;
		return CLI_OK;
	}
	const char *title = json_string_value(json_object_get(call->body, "title"));
	const char *detail = json_string_value(json_object_get(call->body, "detail"));
	/* 501 is what it does not do: no failure that passes. */
	bool refused = call->status < 500 || call->status == 501;
	enum cli_exit code =
		cli_fail(cli, refused ? CLI_REFUSED : CLI_UNREACHABLE, "%d %s%s%s", call->status,
			 title ? title : "", detail ? ": " : "", detail ? detail : "");
	json_decref(call->body);
	return code;
}

static void make_client(struct cli *cli)
{
	if (!cli->loop)
		cli->loop = host_loop_new();
	if (!cli->http)
		cli->http = host_http_client_new(
			cli->loop,
			&(struct host_http_client_options){.ca_file = cli_option(cli, "ca-file")});
}

enum cli_exit cli_call(struct cli *cli, const char *method, const char *path, json_t *body,
		       json_t **out)
{
	char url[4096];
	char base[2100];
	char authorization[CLI_AUTHORIZATION_SIZE];
	struct cs_why why = {{0}};
	struct call call = {0};
	char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
	json_decref(body);
	*out = NULL;
	enum cli_exit code = cli_find_url(cli, base, sizeof(base));
	if (code == CLI_OK)
		code = cli_find_key(cli, authorization);
	if (code != CLI_OK) {
		free(text);
		return code;
	}
	make_client(cli);
	snprintf(url, sizeof(url), "%s%s", base, path);
	const char *idempotency = cli_option(cli, "idempotency-key");
	struct host_http_request request = {.method = method,
					    .url = url,
					    .headers = {{"Authorization", authorization}},
					    .body = text ? cs_bytes_str(text) : CS_BYTES_NONE,
					    .timeout_ms = CALL_TIMEOUT_MS,
					    .response_size_max = RESPONSE_SIZE_MAX};
	size_t n = 1;
	if (text)
		request.headers[n++] =
			(struct host_http_header){"Content-Type", "application/json"};
	if (idempotency && text)
		request.headers[n++] = (struct host_http_header){"Idempotency-Key", idempotency};
	enum cs_err err = host_http_client_allow(cli->http, base, &why);
	if (err == CS_OK)
		err = host_http_send(cli->http, NULL, &request, call_done, &call);
	free(text);
	cs_wipe(authorization, sizeof(authorization));
	if (err != CS_OK)
		return cli_fail(cli, CLI_USAGE, "%s: %s", url,
				why.text[0] ? why.text : cs_err_sentence(err));
	if (host_loop_run_until(cli->loop, is_done, &call, CALL_TIMEOUT_MS + 1000) != CS_OK)
		return cli_fail(cli, CLI_UNREACHABLE, "%s: no answer", url);
	return judge(cli, url, &call, out);
}

enum cli_exit cli_poll(struct cli *cli, const char *path, uint64_t end_ms,
		       bool (*step)(void *context, const json_t *reply), void *context,
		       json_t **last)
{
	for (;;) {
		json_t *reply = NULL;
		enum cli_exit code = cli_call(cli, "GET", path, NULL, &reply);
		if (code != CLI_OK && (code != CLI_UNREACHABLE || !cli->patient))
			return code;
		/* It was there: it is being started again. */
		cli->patient = true;
		if (code == CLI_OK && step(context, reply)) {
			*last = reply;
			return CLI_OK;
		}
		json_decref(reply);
		if (host_now_ms() > end_ms)
			return CLI_TIMEOUT;
		usleep(POLL_PAUSE_US);
	}
}

enum cli_exit cli_ask_refusal(struct cli *cli, const char *url, const char *authorization)
{
	char http[2300];
	struct cs_why why = {{0}};
	struct call call = {0};
	json_t *answer = NULL;
	make_client(cli);
	snprintf(http, sizeof(http), "http%s", url + strlen("ws"));
	/* RFC 6455, 4.1; the key is any 16 bytes. */
	struct host_http_request request = {
		.method = "GET",
		.url = http,
		.headers = {{"Authorization", authorization},
			    {"Connection", "Upgrade"},
			    {"Upgrade", "websocket"},
			    {"Sec-WebSocket-Version", "13"},
			    {"Sec-WebSocket-Key", "Y2Fpc3NvbiBldmVudHMhIQ=="}},
		.timeout_ms = REFUSAL_TIMEOUT_MS};
	enum cs_err err = host_http_client_allow(cli->http, http, &why);
	if (err == CS_OK)
		err = host_http_send(cli->http, NULL, &request, call_done, &call);
	if (err != CS_OK)
		return cli_fail(cli, CLI_USAGE, "%s: %s", url,
				why.text[0] ? why.text : cs_err_sentence(err));
	if (host_loop_run_until(cli->loop, is_done, &call, REFUSAL_TIMEOUT_MS + 1000) != CS_OK)
		return cli_fail(cli, CLI_UNREACHABLE, "%s: no answer", url);
	enum cli_exit code = judge(cli, url, &call, &answer);
	json_decref(answer);
	return code;
}

void cli_client_done(struct cli *cli)
{
	host_http_client_free(cli->http);
	if (cli->loop)
		host_loop_free(cli->loop);
}
