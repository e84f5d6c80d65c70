/* Commands of operators: what is held up, what is read or tried again. */
#include "cli/cli.h"
#include "host/loop.h"

#include <string.h>

/* `CHAIN`, or `FROM TO`, as members of a request; NULL: neither. */
static json_t *subject_of(const struct cli *cli)
{
	if (cli->positional_count == 1)
		return json_pack("{s:s}", "chain", cli->positional[0]);
	if (cli->positional_count == 2)
		return json_pack("{s:s,s:s}", "from_chain", cli->positional[0], "to_chain",
				 cli->positional[1]);
	return NULL;
}

static void print_pause(const json_t *pause)
{
	bool chain = json_is_string(json_object_get(pause, "chain"));
	printf("paused    %s%s%s%s  by %s%s%s\n",
	       cli_text_of(pause, chain ? "chain" : "from_chain"), chain ? "" : " → ",
	       chain ? "" : cli_text_of(pause, "to_chain"),
	       json_is_true(json_object_get(pause, "refunds")) ? "  with refunds" : "",
	       cli_text_of(pause, "who"), cli_text_of(pause, "reason")[0] ? ": " : "",
	       cli_text_of(pause, "reason"));
}

void cli_print_pauses(const json_t *pauses)
{
	for (size_t i = 0; i < json_array_size(pauses); i++)
		print_pause(json_array_get(pauses, i));
}

static enum cli_exit post_subject(struct cli *cli, const char *path, json_t *body)
{
	json_t *reply = NULL;
	enum cli_exit code = cli_call(cli, "POST", path, body, &reply);
	if (code != CLI_OK)
		return code;
	if (cli->json) {
		cli_print_json(cli, reply);
		return CLI_OK;
	}
	const json_t *pauses = json_object_get(reply, "paused");
	cli_print_pauses(pauses);
	if (json_array_size(pauses) == 0)
		puts("nothing is paused");
	json_decref(reply);
	return CLI_OK;
}

enum cli_exit cli_pause(struct cli *cli)
{
	const char *reason = cli_option(cli, "reason");
	json_t *body = subject_of(cli);
	if (!body)
		return cli_fail(cli, CLI_USAGE, "what? CHAIN, or FROM TO");
	json_object_set_new(body, "refunds", json_boolean(cli_flag(cli, "refunds")));
	if (reason)
		json_object_set_new(body, "reason", json_string(reason));
	return post_subject(cli, "/v1/operator/pause", body);
}

enum cli_exit cli_resume(struct cli *cli)
{
	json_t *body = subject_of(cli);
	if (!body)
		return cli_fail(cli, CLI_USAGE, "what? CHAIN, or FROM TO");
	return post_subject(cli, "/v1/operator/resume", body);
}

enum cli_exit cli_routes(struct cli *cli)
{
	json_t *reply = NULL;
	enum cli_exit code = cli_call(cli, "GET", "/v1/routes", NULL, &reply);
	if (code != CLI_OK)
		return code;
	if (cli->json) {
		cli_print_json(cli, reply);
		return CLI_OK;
	}
	const json_t *routes = json_object_get(reply, "routes");
	for (size_t i = 0; i < json_array_size(routes); i++) {
		const json_t *route = json_array_get(routes, i);
		const json_t *pause = json_object_get(route, "paused");
		printf("%s → %s  %-11s  %s", cli_text_of(route, "from_chain"),
		       cli_text_of(route, "to_chain"), cli_text_of(route, "side"),
		       json_is_object(pause) ? "PAUSED" : "moves");
		if (json_is_true(json_object_get(route, "refunds_paused")))
			printf(", refunds too");
		printf("%s%s\n", json_is_object(pause) ? "  by " : "", cli_text_of(pause, "who"));
	}
	json_decref(reply);
	return CLI_OK;
}

enum cli_exit cli_observe(struct cli *cli)
{
	json_t *reply = NULL;
	uint64_t from = 0;
	uint64_t to = 0;
	const char *tx = cli_option(cli, "tx");
	bool heights = cli_option(cli, "from-height") != NULL;
	if (cli->positional_count != 1 || (tx != NULL) == heights)
		return cli_fail(cli, CLI_USAGE, "which CHAIN, and --tx or --from-height?");
	if (!cli_number(cli, "from-height", INT64_MAX, &from) ||
	    !cli_number(cli, "to-height", INT64_MAX, &to))
		return cli_fail(cli, CLI_USAGE, "--from-height, --to-height: not a number");
	json_t *body = json_pack("{s:s}", "chain", cli->positional[0]);
	if (tx)
		json_object_set_new(body, "tx", json_string(tx));
	else
		json_object_set_new(body, "from_height", json_integer((json_int_t)from));
	if (cli_option(cli, "to-height"))
		json_object_set_new(body, "to_height", json_integer((json_int_t)to));
	enum cli_exit code = cli_call(cli, "POST", "/v1/operator/observe", body, &reply);
	if (code != CLI_OK)
		return code;
	if (cli->json) {
		cli_print_json(cli, reply);
		return CLI_OK;
	}
	printf("%s from %lld to %lld: %lld events, %lld of them were missing\n",
	       cli_text_of(reply, "chain"), cli_number_of(reply, "from_height"),
	       cli_number_of(reply, "to_height"), cli_number_of(reply, "found"),
	       cli_number_of(reply, "taken"));
	const json_t *events = json_object_get(reply, "events");
	for (size_t i = 0; i < json_array_size(events); i++) {
		const json_t *event = json_array_get(events, i);
		printf("%s  %-9s  block %lld  %s%s\n", cli_text_of(event, "id"),
		       cli_text_of(event, "event"), cli_number_of(event, "height"),
		       json_is_string(json_object_get(event, "state"))
			       ? cli_text_of(event, "state")
			       : "no message of this gateway",
		       json_is_true(json_object_get(event, "taken")) ? "  taken now" : "");
	}
	json_decref(reply);
	return CLI_OK;
}

enum cli_exit cli_accept_reorg(struct cli *cli)
{
	json_t *reply = NULL;
	if (cli->positional_count != 2)
		return cli_fail(cli, CLI_USAGE,
				"which? CHAIN BLOCK_HASH, as `caisson status` has them");
	enum cli_exit code = cli_call(cli, "POST", "/v1/operator/accept-reorg",
				      json_pack("{s:s,s:s}", "chain", cli->positional[0],
						"block_hash", cli->positional[1]),
				      &reply);
	if (code != CLI_OK)
		return code;
	if (cli->json) {
		cli_print_json(cli, reply);
		return CLI_OK;
	}
	printf("%s: %lld blocks from %lld are taken back and read again\n",
	       cli_text_of(reply, "chain"), cli_number_of(reply, "blocks"),
	       cli_number_of(reply, "from_height"));
	json_decref(reply);
	return CLI_OK;
}

enum cli_exit cli_clear(struct cli *cli)
{
	json_t *reply = NULL;
	if (cli->positional_count != 2)
		return cli_fail(cli, CLI_USAGE, "which route? FROM TO");
	enum cli_exit code = cli_call(cli, "POST", "/v1/operator/clear", subject_of(cli), &reply);
	if (code != CLI_OK)
		return code;
	if (cli->json) {
		cli_print_json(cli, reply);
		return CLI_OK;
	}
	printf("%s → %s: %lld are due now, %lld failed ones are called again\n",
	       cli_text_of(reply, "from_chain"), cli_text_of(reply, "to_chain"),
	       cli_number_of(reply, "hurried"), cli_number_of(reply, "retried"));
	json_decref(reply);
	return CLI_OK;
}

/* ---- the process ---- */

enum cli_exit cli_reload(struct cli *cli)
{
	json_t *reply = NULL;
	enum cli_exit code = cli_call(cli, "POST", "/v1/operator/reload", NULL, &reply);
	if (code != CLI_OK)
		return code;
	if (cli->json) {
		cli_print_json(cli, reply);
		return CLI_OK;
	}
	const json_t *changed = json_object_get(reply, "changed");
	for (size_t i = 0; i < json_array_size(changed); i++)
		printf("changed   %s\n", json_string_value(json_array_get(changed, i)));
	if (json_object_get(reply, "waiting"))
		printf("waiting   %s\n", cli_text_of(reply, "waiting"));
	else if (json_array_size(changed) == 0)
		puts("the file says what is in force");
	json_decref(reply);
	return CLI_OK;
}

static enum cli_exit print_drain(struct cli *cli, json_t *drain)
{
	if (cli->json) {
		cli_print_json(cli, drain);
		return CLI_OK;
	}
	bool on = json_is_true(json_object_get(drain, "draining"));
	printf("%s: %lld requests and %lld transactions are under way\n",
	       !on                                             ? "takes work"
	       : json_is_true(json_object_get(drain, "ready")) ? "ready to stop"
							       : "draining",
	       cli_number_of(drain, "flights"), cli_number_of(drain, "transactions"));
	json_decref(drain);
	return CLI_OK;
}

/* One that takes work again was told so by somebody else. */
static bool is_ready(void *context, const json_t *drain)
{
	(void)context;
	return json_is_true(json_object_get(drain, "ready")) ||
	       json_is_false(json_object_get(drain, "draining"));
}

#define DRAIN_S 60u
#define DRAIN_S_MAX 3600u
#define MARGIN_MS 10000u

enum cli_exit cli_drain(struct cli *cli)
{
	json_t *drain = NULL;
	uint64_t seconds = DRAIN_S;
	if (!cli_number(cli, "timeout", DRAIN_S_MAX, &seconds))
		return cli_fail(cli, CLI_USAGE, "--timeout: 0 to %u seconds", DRAIN_S_MAX);
	enum cli_exit code = cli_call(cli, "POST", "/v1/operator/drain",
				      json_pack("{s:I}", "timeout_s", (json_int_t)seconds), &drain);
	if (code != CLI_OK)
		return code;
	if (!cli_flag(cli, "wait"))
		return print_drain(cli, drain);
	json_decref(drain);
	drain = NULL;
	code = cli_poll(cli, "/v1/operator/drain", host_now_ms() + seconds * 1000 + MARGIN_MS,
			is_ready, NULL, &drain);
	if (code != CLI_OK)
		return code;
	bool ready = json_is_true(json_object_get(drain, "ready"));
	code = print_drain(cli, drain);
	return ready ? code : CLI_FAILED;
}

enum cli_exit cli_undrain(struct cli *cli)
{
	json_t *drain = NULL;
	enum cli_exit code = cli_call(cli, "DELETE", "/v1/operator/drain", NULL, &drain);
	return code == CLI_OK ? print_drain(cli, drain) : code;
}

/* ---- transactions ---- */

static void print_transaction(const json_t *tx)
{
	printf("%6lld  %-14s  %-16s  %-8s  %lld messages  %lld attempts, at most %s wei  %s\n",
	       cli_number_of(tx, "n"), cli_text_of(tx, "chain"), cli_text_of(tx, "call"),
	       cli_text_of(tx, "state"), cli_number_of(tx, "messages"),
	       cli_number_of(tx, "attempts"), cli_text_of(tx, "max_fee_wei"),
	       cli_text_of(tx, "tx"));
}

enum cli_exit cli_transactions(struct cli *cli)
{
	json_t *reply = NULL;
	enum cli_exit code = cli_call(cli, "GET", "/v1/operator/transactions", NULL, &reply);
	if (code != CLI_OK)
		return code;
	if (cli->json) {
		cli_print_json(cli, reply);
		return CLI_OK;
	}
	const json_t *list = json_object_get(reply, "transactions");
	for (size_t i = 0; i < json_array_size(list); i++)
		print_transaction(json_array_get(list, i));
	if (json_array_size(list) == 0)
		puts("no transactions are open");
	if (!json_is_true(json_object_get(reply, "complete")))
		puts("and more");
	json_decref(reply);
	return CLI_OK;
}

enum cli_exit cli_raise(struct cli *cli)
{
	char path[80];
	json_t *reply = NULL;
	const char *n = cli->positional_count == 1 ? cli->positional[0] : "";
	if (n[0] == 0 || strspn(n, "0123456789") != strlen(n) || strlen(n) > 19)
		return cli_fail(cli, CLI_USAGE, "which? N of `caisson transactions`");
	(void)snprintf(path, sizeof(path), "/v1/operator/transactions/%s/raise", n);
	enum cli_exit code = cli_call(cli, "POST", path, NULL, &reply);
	if (code != CLI_OK)
		return code;
	if (cli->json) {
		cli_print_json(cli, reply);
		return CLI_OK;
	}
	print_transaction(reply);
	json_decref(reply);
	return CLI_OK;
}

static enum cli_exit sweep_one(struct cli *cli, uint64_t index)
{
	json_t *reply = NULL;
	const char *keep = cli_option(cli, "keep");
	json_t *body =
		json_pack("{s:s,s:I}", "chain", cli->positional[0], "account", (json_int_t)index);
	if (keep)
		json_object_set_new(body, "keep", json_string(keep));
	enum cli_exit code = cli_call(cli, "POST", "/v1/operator/sweep", body, &reply);
	if (code != CLI_OK)
		return code;
	if (cli->json) {
		cli_print_json(cli, reply);
		return CLI_OK;
	}
	printf("%s: %s wei go from %s to %s, %s stay\n", cli_text_of(reply, "chain"),
	       cli_text_of(reply, "value"), cli_text_of(reply, "account"), cli_text_of(reply, "to"),
	       cli_text_of(reply, "stays"));
	json_decref(reply);
	return CLI_OK;
}

/* Each by itself: one that is empty, or has something under way, does not keep the others back. */
static enum cli_exit sweep_all(struct cli *cli)
{
	json_t *reply = NULL;
	enum cli_exit code = cli_call(cli, "GET", "/v1/chains", NULL, &reply);
	const json_t *chain, *account;
	size_t i, k, count = 0;
	if (code != CLI_OK)
		return code;
	json_array_foreach(json_object_get(reply, "chains"), i, chain)
	{
		if (strcmp(cli_text_of(chain, "id"), cli->positional[0]) != 0)
			continue;
		json_array_foreach(json_object_get(chain, "accounts"), k, account)
		{
			if (strcmp(cli_text_of(account, "role"), "gas") != 0)
				continue;
			enum cli_exit one =
				sweep_one(cli, (uint64_t)cli_number_of(account, "index"));
			code = code == CLI_OK ? one : code;
			count++;
		}
	}
	json_decref(reply);
	return count == 0 ? cli_fail(cli, CLI_REFUSED, "it has no gas account of this chain")
			  : code;
}

enum cli_exit cli_sweep(struct cli *cli)
{
	uint64_t index = 0;
	bool all = cli_flag(cli, "all");
	if (cli->positional_count != 1)
		return cli_fail(cli, CLI_USAGE, "of which CHAIN?");
	if (!cli_number(cli, "account", 15, &index) || (all && cli_option(cli, "account")))
		return cli_fail(cli, CLI_USAGE, "--account: 0 to 15, or --all");
	return all ? sweep_all(cli) : sweep_one(cli, index);
}
