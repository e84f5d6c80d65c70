/* Commands about an oracle's feeds: what an operator sees and decides of them. */
#include "cli/cli.h"
#include "core/caip.h"

#include <stdlib.h>
#include <string.h>

#define PATH_SIZE 256u
#define INDEX_DIGITS_MAX 20u

/* ---- which feed ---- */

static bool is_address(const char *text)
{
	uint8_t address[20];
	return strlen(text) == 42 && strncmp(text, "0x", 2) == 0 &&
	       cs_unhex(address, sizeof(address), cs_bytes_str(text)) == CS_OK;
}

static bool is_index(const char *text)
{
	size_t n = strlen(text);
	return n > 0 && n <= INDEX_DIGITS_MAX && strspn(text, "0123456789") == n;
}

static bool is_chain(const char *text)
{
	struct cs_caip2 caip2;
	return cs_caip2_parse(&caip2, cs_bytes_str(text)) == CS_OK;
}

/* "/v1/oracle/feeds/CONTRACT/INDEX", a verb, and the chain where two have such a contract. */
static enum cli_exit path_of(struct cli *cli, char path[PATH_SIZE], unsigned positional_count,
			     const char *verb)
{
	if (cli->positional_count != positional_count || !is_address(cli->positional[0]) ||
	    !is_index(cli->positional[1]))
		return cli_fail(cli, CLI_USAGE,
				"which feed? the address of its contract, and its index");
	const char *chain = cli_option(cli, "chain");
	if (chain && !is_chain(chain))
		return cli_fail(cli, CLI_USAGE, "--chain: a CAIP-2 name such as eip155:31337");
	snprintf(path, PATH_SIZE, "/v1/oracle/feeds/%s/%s%s%s%s", cli->positional[0],
		 cli->positional[1], verb, chain ? "?chain=" : "", chain ? chain : "");
	return CLI_OK;
}

/* ---- output ---- */

static void print_sources(const json_t *feed)
{
	const json_t *sources = json_object_get(feed, "sources");
	for (size_t i = 0; i < json_array_size(sources); i++) {
		const json_t *source = json_array_get(sources, i);
		if (cli_number_of(source, "disagreements") != 0 ||
		    cli_number_of(source, "failures") != 0)
			printf("     %s: of %lld rounds it disagreed in %lld, failed in %lld\n",
			       cli_text_of(source, "host"), cli_number_of(source, "rounds"),
			       cli_number_of(source, "disagreements"),
			       cli_number_of(source, "failures"));
	}
}

static void print_feed(const json_t *feed)
{
	printf("%-4lld %-20s %-8s %-20s", cli_number_of(feed, "index"),
	       cli_text_of(feed, "description"), cli_text_of(feed, "state"),
	       cli_text_of(feed, "value"));
	if (json_is_integer(json_object_get(feed, "age_s")))
		printf("  %lld s old", cli_number_of(feed, "age_s"));
	if (json_is_integer(json_object_get(feed, "submitted_age_s")))
		printf(", on chain %s, %lld s old", cli_text_of(feed, "submitted_value"),
		       cli_number_of(feed, "submitted_age_s"));
	printf("\n     every %lld s or %lld ppm; cost so far %s wei\n",
	       cli_number_of(feed, "heartbeat_s"), cli_number_of(feed, "deviation_ppm"),
	       cli_text_of(feed, "cost_wei_total"));
	if (json_is_true(json_object_get(feed, "stopped_by_contract")))
		puts("     paused by the contract's owner or guardian");
	if (cli_text_of(feed, "why")[0])
		printf("     %s\n", cli_text_of(feed, "why"));
	print_sources(feed);
}

static void print_round(const json_t *round)
{
	const json_t *sources = json_object_get(round, "sources");
	bool failed = cli_number_of(round, "code") != 0;
	printf("     %lld  %lld  %-9s %-9s  %s  %s\n", cli_number_of(round, "n"),
	       cli_number_of(round, "observed_at"), cli_text_of(round, "outcome"),
	       cli_text_of(round, "reason"),
	       failed ? cli_text_of(round, "code_name") : cli_text_of(round, "value"),
	       cli_text_of(round, "why"));
	for (size_t i = 0; i < json_array_size(sources); i++) {
		const json_t *source = json_array_get(sources, i);
		if (!json_is_true(json_object_get(source, "agrees")))
			printf("                 %s  %s  %s\n", cli_text_of(source, "host"),
			       cli_text_of(source, "code_name"), cli_text_of(source, "value"));
	}
}

/* ---- commands ---- */

enum cli_exit cli_oracle_feeds(struct cli *cli)
{
	json_t *reply = NULL;
	enum cli_exit code = cli_call(cli, "GET", "/v1/oracle/feeds", NULL, &reply);
	if (code != CLI_OK)
		return code;
	if (cli->json) {
		cli_print_json(cli, reply);
		return CLI_OK;
	}
	const char *contract = "";
	const json_t *feeds = json_object_get(reply, "feeds");
	for (size_t i = 0; i < json_array_size(feeds); i++) {
		const json_t *feed = json_array_get(feeds, i);
		if (strcmp(contract, cli_text_of(feed, "contract")) != 0)
			printf("%s %s\n", cli_text_of(feed, "chain"),
			       cli_text_of(feed, "contract"));
		contract = cli_text_of(feed, "contract");
		print_feed(feed);
	}
	json_decref(reply);
	return CLI_OK;
}

enum cli_exit cli_oracle_feeds_show(struct cli *cli)
{
	char path[PATH_SIZE];
	json_t *reply = NULL;
	enum cli_exit code = path_of(cli, path, 2, "");
	if (code == CLI_OK)
		code = cli_call(cli, "GET", path, NULL, &reply);
	if (code != CLI_OK)
		return code;
	if (cli->json) {
		cli_print_json(cli, reply);
		return CLI_OK;
	}
	const json_t *rounds = json_object_get(reply, "rounds");
	print_feed(reply);
	for (size_t i = 0; i < json_array_size(rounds); i++)
		print_round(json_array_get(rounds, i));
	json_decref(reply);
	return CLI_OK;
}

/* The number of a feed's newest round. */
static enum cli_exit newest_round(struct cli *cli, char digits[INDEX_DIGITS_MAX + 1])
{
	char path[PATH_SIZE];
	json_t *reply = NULL;
	enum cli_exit code = path_of(cli, path, 2, "");
	if (code == CLI_OK)
		code = cli_call(cli, "GET", path, NULL, &reply);
	if (code != CLI_OK)
		return code;
	long long n = cli_number_of(json_object_get(reply, "last_round"), "n");
	json_decref(reply);
	if (n <= 0)
		return cli_fail(cli, CLI_NO, "the feed has no round yet");
	snprintf(digits, INDEX_DIGITS_MAX + 1, "%lld", n);
	return CLI_OK;
}

enum cli_exit cli_oracle_feeds_round(struct cli *cli)
{
	struct cli_expected expected = {0};
	struct cs_address contract;
	char path[PATH_SIZE];
	char verb[sizeof("/rounds/") + INDEX_DIGITS_MAX];
	char digits[INDEX_DIGITS_MAX + 1];
	json_t *reply = NULL;
	enum cli_exit code = CLI_OK;
	if (cli->positional_count == 3 && is_index(cli->positional[2]))
		snprintf(digits, sizeof(digits), "%s", cli->positional[2]);
	else if (cli->positional_count == 3)
		code = cli_fail(cli, CLI_USAGE, "which round? its number");
	else
		code = newest_round(cli, digits);
	if (code != CLI_OK)
		return code;
	snprintf(verb, sizeof(verb), "/rounds/%s", digits);
	code = path_of(cli, path, cli->positional_count, verb);
	if (code == CLI_OK)
		code = cli_call(cli, "GET", path, NULL, &reply);
	if (code != CLI_OK)
		return code;
	/* path_of has seen both. */
	if (cs_unhex(contract.b, sizeof(contract.b), cs_bytes_str(cli->positional[0])) == CS_OK)
		expected.feed_contract = &contract;
	expected.feed_index = strtoull(cli->positional[1], NULL, 10);
	code = cli_is_answer(reply)
		       ? cli_show_answer(cli, reply, &expected)
		       : cli_fail(cli, CLI_UNREACHABLE, "what came back is no signed round");
	json_decref(reply);
	return code;
}

/* --set NAME=VALUE: an override of what the contract fixes, a number. */
static enum cli_exit put_settings(struct cli *cli, json_t *body)
{
	unsigned at = 0;
	const char *text;
	while ((text = cli_option_next(cli, "set", &at)) != NULL) {
		const char *equals = strchr(text, '=');
		char *end = NULL;
		char name[40];
		long long value = equals ? strtoll(equals + 1, &end, 10) : 0;
		if (!equals || equals == text || equals - text >= (ptrdiff_t)sizeof(name) ||
		    equals[1] < '0' || equals[1] > '9' || *end != 0)
			return cli_fail(cli, CLI_USAGE, "--set: NAME=NUMBER");
		memcpy(name, text, (size_t)(equals - text));
		name[equals - text] = 0;
		json_object_set_new(body, name, json_integer(value));
	}
	return CLI_OK;
}

enum cli_exit cli_oracle_feeds_add(struct cli *cli)
{
	char path[PATH_SIZE];
	struct cli_spec spec;
	json_t *reply = NULL;
	enum cli_exit code = path_of(cli, path, 3, "");
	if (code != CLI_OK)
		return code;
	code = cli_read_spec(cli, &spec, cli->positional[2]);
	if (code != CLI_OK)
		return code;
	json_t *body = json_object();
	code = put_settings(cli, body);
	const char *chain = cli_option(cli, "chain");
	if (chain)
		json_object_set_new(body, "chain", json_string(chain));
	json_object_set_new(body, "contract", json_string(cli->positional[0]));
	json_object_set_new(body, "index",
			    json_integer((json_int_t)strtoull(cli->positional[1], NULL, 10)));
	json_object_set_new(
		body, "spec",
		json_loadb((const char *)spec.canonical.p, spec.canonical.n, JSON_ALLOW_NUL, NULL));
	cli_free_spec(&spec);
	if (code == CLI_OK)
		code = cli_call(cli, "POST", "/v1/oracle/feeds", json_incref(body), &reply);
	json_decref(body);
	if (code != CLI_OK)
		return code;
	if (cli->json) {
		cli_print_json(cli, reply);
		return CLI_OK;
	}
	print_feed(reply);
	json_decref(reply);
	return CLI_OK;
}

static enum cli_exit change(struct cli *cli, const char *verb)
{
	char path[PATH_SIZE];
	json_t *reply = NULL;
	enum cli_exit code = path_of(cli, path, 2, verb);
	if (code == CLI_OK)
		code = cli_call(cli, "POST", path, json_object(), &reply);
	if (code != CLI_OK)
		return code;
	if (cli->json) {
		cli_print_json(cli, reply);
		return CLI_OK;
	}
	print_feed(reply);
	json_decref(reply);
	return CLI_OK;
}

enum cli_exit cli_oracle_feeds_pause(struct cli *cli)
{
	return change(cli, ":pause");
}

enum cli_exit cli_oracle_feeds_resume(struct cli *cli)
{
	return change(cli, ":resume");
}

enum cli_exit cli_oracle_feeds_remove(struct cli *cli)
{
	char path[PATH_SIZE];
	json_t *reply = NULL;
	enum cli_exit code = path_of(cli, path, 2, "");
	if (code == CLI_OK)
		code = cli_call(cli, "DELETE", path, NULL, &reply);
	json_decref(reply);
	if (code != CLI_OK)
		return code;
	if (cli->json)
		cli_print_json(cli, json_pack("{s:s,s:s}", "contract", cli->positional[0], "index",
					      cli->positional[1]));
	else
		puts("it is observed no more; the contract keeps its last round");
	return CLI_OK;
}
