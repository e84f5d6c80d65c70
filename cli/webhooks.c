/* Commands about webhooks. */
#include "cli/cli.h"

#include <string.h>

#define ID_SIZE 27u
#define PATH_SIZE 160u

/* "/v1/webhooks/ID" and what follows; the first argument is the id. */
static enum cli_exit path_of(struct cli *cli, char path[PATH_SIZE], unsigned count,
			     const char *rest)
{
	const char *id = cli->positional_count == count ? cli->positional[0] : "";
	if (strlen(id) != ID_SIZE || strncmp(id, "wh_", 3) != 0 ||
	    strspn(id + 3, "0123456789abcdef") != ID_SIZE - 3)
		return cli_fail(cli, CLI_USAGE, "which webhook? its id: wh_ and 24 hex digits%s",
				count > 1 ? ", and the event" : "");
	snprintf(path, PATH_SIZE, "/v1/webhooks/%s%s", id, rest);
	return CLI_OK;
}

/* Takes reply. The secret is in it for the one time that it is shown. */
static enum cli_exit show_secret(struct cli *cli, json_t *reply)
{
	const char *out = cli_option(cli, "out");
	const char *secret = cli_text_of(reply, "secret");
	enum cli_exit code = out ? cli_write_secret(cli, out, secret) : CLI_OK;
	if (code != CLI_OK) {
		json_decref(reply);
		return code;
	}
	if (out)
		json_object_set_new(reply, "secret", json_null());
	if (cli->json) {
		cli_print_json(cli, reply);
		return CLI_OK;
	}
	printf("%s → %s\n", cli_text_of(reply, "id"), cli_text_of(reply, "url"));
	if (out)
		printf("secret written to %s\n", out);
	else
		printf("%s\n", cli_text_of(reply, "secret"));
	json_decref(reply);
	return CLI_OK;
}

enum cli_exit cli_webhooks_create(struct cli *cli)
{
	static const char *const texts[][2] = {
		{"from-chain", "from_chain"}, {"to-chain", "to_chain"}, {"message", "message"}};
	const char *type;
	unsigned at = 0;
	uint64_t cursor = 0;
	json_t *reply = NULL;
	if (cli->positional_count != 1)
		return cli_fail(cli, CLI_USAGE, "where to? the URL of the receiver");
	if (!cli_number(cli, "cursor", INT64_MAX, &cursor))
		return cli_fail(cli, CLI_USAGE, "--cursor: not a number");
	json_t *body = json_object();
	json_t *types = json_array();
	json_object_set_new(body, "url", json_string(cli->positional[0]));
	while ((type = cli_option_next(cli, "type", &at)) != NULL)
		json_array_append_new(types, json_string(type));
	json_object_set_new(body, "types", types);
	for (size_t i = 0; i < CS_LEN(texts); i++)
		if (cli_option(cli, texts[i][0]))
			json_object_set_new(body, texts[i][1],
					    json_string(cli_option(cli, texts[i][0])));
	if (cli_option(cli, "cursor"))
		json_object_set_new(body, "cursor", json_integer((json_int_t)cursor));
	enum cli_exit code = cli_call(cli, "POST", "/v1/webhooks", body, &reply);
	return code == CLI_OK ? show_secret(cli, reply) : code;
}

static void print_webhook(const json_t *w)
{
	printf("%s  %-8s  event %lld  %s%s%s\n", cli_text_of(w, "id"), cli_text_of(w, "state"),
	       cli_number_of(w, "cursor"), cli_text_of(w, "url"),
	       cli_text_of(w, "why")[0] ? "  " : "", cli_text_of(w, "why"));
}

enum cli_exit cli_webhooks(struct cli *cli)
{
	char path[PATH_SIZE] = "/v1/webhooks";
	json_t *reply = NULL;
	enum cli_exit code = cli->positional_count > 0 ? path_of(cli, path, 1, "") : CLI_OK;
	if (code == CLI_OK)
		code = cli_call(cli, "GET", path, NULL, &reply);
	if (code != CLI_OK)
		return code;
	if (cli->json || cli->positional_count == 1) {
		cli_print_json(cli, reply);
		return CLI_OK;
	}
	const json_t *list = json_object_get(reply, "webhooks");
	for (size_t i = 0; i < json_array_size(list); i++)
		print_webhook(json_array_get(list, i));
	json_decref(reply);
	return CLI_OK;
}

enum cli_exit cli_webhooks_delete(struct cli *cli)
{
	char path[PATH_SIZE];
	json_t *reply = NULL;
	enum cli_exit code = path_of(cli, path, 1, "");
	if (code == CLI_OK)
		code = cli_call(cli, "DELETE", path, NULL, &reply);
	json_decref(reply);
	return code;
}

enum cli_exit cli_webhooks_enable(struct cli *cli)
{
	char path[PATH_SIZE];
	uint64_t cursor = 0;
	json_t *reply = NULL;
	enum cli_exit code = path_of(cli, path, 1, "/enable");
	if (code == CLI_OK && !cli_number(cli, "cursor", INT64_MAX, &cursor))
		code = cli_fail(cli, CLI_USAGE, "--cursor: not a number");
	if (code != CLI_OK)
		return code;
	json_t *body = json_object();
	if (cli_option(cli, "cursor"))
		json_object_set_new(body, "cursor", json_integer((json_int_t)cursor));
	code = cli_call(cli, "POST", path, body, &reply);
	if (code != CLI_OK)
		return code;
	if (cli->json) {
		cli_print_json(cli, reply);
		return CLI_OK;
	}
	print_webhook(reply);
	json_decref(reply);
	return CLI_OK;
}

enum cli_exit cli_webhooks_rotate(struct cli *cli)
{
	char path[PATH_SIZE];
	json_t *reply = NULL;
	enum cli_exit code = path_of(cli, path, 1, "/rotate");
	if (code == CLI_OK)
		code = cli_call(cli, "POST", path, NULL, &reply);
	return code == CLI_OK ? show_secret(cli, reply) : code;
}

enum cli_exit cli_webhooks_log(struct cli *cli)
{
	char path[PATH_SIZE];
	char rest[80];
	uint64_t limit = 50;
	uint64_t before = 0;
	json_t *reply = NULL;
	if (!cli_number(cli, "limit", 200, &limit) || limit == 0)
		return cli_fail(cli, CLI_USAGE, "--limit: 1 to 200");
	if (!cli_number(cli, "before", INT64_MAX, &before))
		return cli_fail(cli, CLI_USAGE, "--before: not a number");
	snprintf(rest, sizeof(rest), "/deliveries?limit=%llu&before=%llu",
		 (unsigned long long)limit, (unsigned long long)before);
	enum cli_exit code = path_of(cli, path, 1, rest);
	if (code == CLI_OK)
		code = cli_call(cli, "GET", path, NULL, &reply);
	if (code != CLI_OK)
		return code;
	if (cli->json) {
		cli_print_json(cli, reply);
		return CLI_OK;
	}
	const json_t *list = json_object_get(reply, "deliveries");
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *d = json_array_get(list, i);
		printf("%8lld  %-24s  %-9s  attempts %lld  %s\n", cli_number_of(d, "event"),
		       cli_text_of(d, "type"),
		       json_is_true(json_object_get(d, "delivered")) ? "delivered" : "failed",
		       cli_number_of(d, "attempts"), cli_text_of(d, "why"));
	}
	if (json_is_integer(json_object_get(reply, "next")))
		printf("more with --before %lld\n", cli_number_of(reply, "next"));
	json_decref(reply);
	return CLI_OK;
}

enum cli_exit cli_webhooks_redeliver(struct cli *cli)
{
	char path[PATH_SIZE];
	char rest[64];
	const char *event = cli->positional_count == 2 ? cli->positional[1] : "";
	json_t *reply = NULL;
	if (strspn(event, "0123456789") != strlen(event) || strlen(event) > 19 || !event[0])
		return cli_fail(cli, CLI_USAGE, "give the webhook's id and the event's number");
	snprintf(rest, sizeof(rest), "/deliveries/%s/redeliver", event);
	enum cli_exit code = path_of(cli, path, 2, rest);
	if (code == CLI_OK)
		code = cli_call(cli, "POST", path, NULL, &reply);
	if (code != CLI_OK)
		return code;
	if (cli->json) {
		cli_print_json(cli, reply);
		return CLI_OK;
	}
	printf("event %lld is sent again\n", cli_number_of(reply, "event"));
	json_decref(reply);
	return CLI_OK;
}
