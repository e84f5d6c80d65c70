/* The event stream, one line of JSON an event; again from the last cursor after the connection was
 * lost. */
#include "cli/cli.h"
#include "gateway/config.h"
#include "host/ws_client.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define URL_MAX 2200u
#define PAUSE_US 500000u
#define LOOK_MS 60000u

struct stream {
	bool opened;
	bool closed;
	uint64_t cursor; /* of the last event that was printed */
	char why[160];
};

static void on_opened(void *context)
{
	((struct stream *)context)->opened = true;
}

static void on_message(void *context, struct cs_bytes text)
{
	struct stream *stream = context;
	json_t *event = json_loadb((const char *)text.p, text.n, 0, NULL);
	const json_t *cursor = json_object_get(event, "cursor");
	if (json_is_integer(cursor))
		stream->cursor = (uint64_t)json_integer_value(cursor);
	json_decref(event);
	fwrite(text.p, 1, text.n, stdout);
	putchar('\n');
	fflush(stdout);
}

static void on_closed(void *context, enum cs_err err, const char *why)
{
	struct stream *stream = context;
	stream->closed = true;
	snprintf(stream->why, sizeof(stream->why), "%s",
		 why && why[0] ? why : cs_err_sentence(err));
}

static bool is_closed(void *context)
{
	return ((struct stream *)context)->closed;
}

/* A gateway has no TLS: https is a proxy's, before both of its ports, so the events are where the rest is. By
 * http it is the gateway itself, and its other port on the same host. */
static bool events_url(char *url, size_t size, const char *base, uint64_t port)
{
	int n = 0;
	if (strncmp(base, "https://", 8) == 0) {
		n = snprintf(url, size, "wss://%s/v1/events", base + 8);
		return n > 0 && (size_t)n < size;
	}
	if (strncmp(base, "http://", 7) != 0 || port == 0 || port > UINT16_MAX)
		return false;
	const char *host = base + 7;
	size_t length = strcspn(host, "/");
	const char *end = memchr(host, ']', length);
	const char *colon = memchr(end ? end : host, ':', length - (size_t)(end ? end - host : 0));
	if (colon)
		length = (size_t)(colon - host);
	n = snprintf(url, size, "ws://%.*s:%u/v1/events", (int)length, host, (unsigned)port);
	return n > 0 && (size_t)n < size;
}

/* Without --cursor the stream begins with what is new now. */
static enum cli_exit find_stream(struct cli *cli, char url[URL_MAX], struct stream *stream)
{
	char base[URL_MAX];
	json_t *status = NULL;
	const char *given = cli_option(cli, "events-url");
	enum cli_exit code = cli_call(cli, "GET", "/v1/status", NULL, &status);
	if (code != CLI_OK)
		return code;
	uint64_t port = (uint64_t)json_integer_value(json_object_get(status, "events_port"));
	if (!cli_option(cli, "cursor"))
		stream->cursor =
			(uint64_t)json_integer_value(json_object_get(status, "event_cursor"));
	json_decref(status);
	code = cli_find_url(cli, base, sizeof(base));
	if (code != CLI_OK)
		return code;
	if (given && strncmp(given, "ws://", 5) != 0 && strncmp(given, "wss://", 6) != 0)
		return cli_fail(cli, CLI_USAGE,
				"--events-url: does not begin with ws:// or wss://");
	if (given)
		snprintf(url, URL_MAX, "%s", given);
	else if (!events_url(url, URL_MAX, base, port))
		return cli_fail(cli, CLI_USAGE, "%s: no address of events: give --events-url",
				base);
	return CLI_OK;
}

/* One connection, until it ends. */
static enum cli_exit listen_once(struct cli *cli, struct stream *stream, const char *base,
				 const char *authorization)
{
	static const struct host_ws_client_events events = {
		.opened = on_opened, .message = on_message, .closed = on_closed};
	char url[URL_MAX + 40];
	struct cs_why why = {{0}};
	struct host_ws_client *client = NULL;
	snprintf(url, sizeof(url), "%s?cursor=%llu", base, (unsigned long long)stream->cursor);
	struct host_ws_client_options options = {.url = url,
						 .ca_file = cli_option(cli, "ca-file"),
						 .headers = {{"Authorization", authorization}}};
	stream->opened = false;
	stream->closed = false;
	if (host_ws_client_open(&client, cli->loop, &options, &events, stream, &why) != CS_OK)
		return cli_fail(cli, CLI_USAGE, "%s: %s", url, why.text);
	while (!stream->closed &&
	       host_loop_run_until(cli->loop, is_closed, stream, LOOK_MS) != CS_OK)
		continue;
	return CLI_OK;
}

/* It did not open: what the gateway refuses it refuses again, for the rest it is waited. */
static enum cli_exit look_at_refusal(struct cli *cli, const struct stream *stream, const char *base,
				     const char *authorization, bool was_open)
{
	char url[URL_MAX + 40];
	snprintf(url, sizeof(url), "%s?cursor=%llu", base, (unsigned long long)stream->cursor);
	cli->patient = was_open;
	enum cli_exit code = cli_ask_refusal(cli, url, authorization);
	cli->patient = false;
	return code == CLI_UNREACHABLE && was_open ? CLI_OK : code;
}

enum cli_exit cli_events(struct cli *cli)
{
	char url[URL_MAX];
	char authorization[CLI_AUTHORIZATION_SIZE];
	struct stream stream = {.cursor = 0};
	bool was_open = false;
	if (cli->positional_count != 0 || !cli_number(cli, "cursor", INT64_MAX, &stream.cursor))
		return cli_fail(cli, CLI_USAGE, "--cursor: not a number");
	enum cli_exit code = find_stream(cli, url, &stream);
	if (code == CLI_OK)
		code = cli_find_key(cli, authorization);
	while (code == CLI_OK) {
		code = listen_once(cli, &stream, url, authorization);
		if (code == CLI_OK && stream.opened)
			fprintf(stderr, "caisson events: %s; connecting again\n", stream.why);
		else if (code == CLI_OK)
			code = look_at_refusal(cli, &stream, url, authorization, was_open);
		was_open = was_open || stream.opened;
		if (code == CLI_OK)
			usleep(PAUSE_US);
	}
	cs_wipe(authorization, sizeof(authorization));
	return code;
}
