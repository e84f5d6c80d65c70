/* Commands about messages. */
#include "cli/cli.h"
#include "host/loop.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define WATCH_TIMEOUT_S 600u
#define TIMEOUT_MAX_S 86400u
#define STEPS_MAX 32u
#define ID_MAX 66u
#define FILTER_MAX 170u
#define LIST_PATH_SIZE 1536u
#define PATH_MAX_SIZE 160u
#define IDEMPOTENCY_KEY_MAX 128u
/* What the gateway takes, in hex. */
#define TRANSACTION_FILE_MAX (6u * 1024 * 1024)

/* What stands in a URL as it is: anything else would be another URL. */
static bool is_word(const char *text, size_t size_max)
{
	size_t n = strlen(text);
	for (size_t i = 0; i < n; i++) {
		bool letter =
			(text[i] >= 'a' && text[i] <= 'z') || (text[i] >= 'A' && text[i] <= 'Z');
		if (!letter && (text[i] < '0' || text[i] > '9') && text[i] != '_')
			return false;
	}
	return n > 0 && n <= size_max;
}

/* "/v1/messages/ID", the verb if there is one, and the side. */
static enum cli_exit path_of(struct cli *cli, char path[PATH_MAX_SIZE], const char *id,
			     const char *verb)
{
	const char *side = cli_option(cli, "side");
	if (!is_word(id, ID_MAX))
		return cli_fail(cli, CLI_USAGE,
				"which message? its id (0x and 64 digits), or a request's");
	if (side && strcmp(side, "source") != 0 && strcmp(side, "destination") != 0)
		return cli_fail(cli, CLI_USAGE, "--side: source or destination");
	snprintf(path, PATH_MAX_SIZE, "/v1/messages/%s%s%s%s%s", id, verb ? "/" : "",
		 verb ? verb : "", side ? "?side=" : "", side ? side : "");
	return CLI_OK;
}

/* ---- watching ---- */

/* Who signed, and what was shown before: a gateway of an older version tells neither. */
static void print_signature(const json_t *step)
{
	const json_t *signature = json_object_get(step, "signature");
	const json_t *proof = json_object_get(step, "proof");
	const char *key = cli_text_of(signature, "public_key");
	if (!signature)
		return;
	printf("  signed by %s, epoch %lld: s %s", key[0] ? key : "a key that is not known here",
	       cli_number_of(signature, "epoch"), cli_text_of(signature, "s"));
	if (!json_is_object(proof))
		return;
	printf("; shown: %s", cli_text_of(proof, "kind"));
	if (json_is_integer(json_object_get(proof, "block")))
		printf(" under block %lld", cli_number_of(proof, "block"));
	if (json_is_string(json_object_get(proof, "block_hash")))
		printf(" %s", cli_text_of(proof, "block_hash"));
}

static void print_step(const json_t *step, long long begin_ms)
{
	const json_t *tx = json_object_get(step, "tx");
	const json_t *block = json_object_get(step, "block");
	if (json_object_get(step, "skipped")) {
		printf("%3lld  %-24s  skipped: %s\n", cli_number_of(step, "n"),
		       cli_text_of(step, "name"), cli_text_of(step, "skipped"));
		return;
	}
	printf("%3lld  %-24s %8lld ms  %-14s", cli_number_of(step, "n"), cli_text_of(step, "name"),
	       cli_number_of(step, "t_ms") - begin_ms, cli_text_of(step, "chain"));
	if (json_is_integer(block))
		printf("  block %lld", cli_number_of(step, "block"));
	if (json_is_string(tx))
		printf("  %s", json_string_value(tx));
	if (cli_text_of(step, "detail")[0])
		printf("  (%s)", cli_text_of(step, "detail"));
	print_signature(step);
	putchar('\n');
	fflush(stdout);
}

static long long begin_of(const json_t *steps)
{
	for (size_t i = 0; i < json_array_size(steps); i++) {
		long long t = cli_number_of(json_array_get(steps, i), "t_ms");
		if (t > 0)
			return t;
	}
	return 0;
}

/* What was printed: the time of each step, because a retry makes some happen again. */
struct seen {
	long long t_ms[STEPS_MAX];
	bool step[STEPS_MAX];
	bool failed;
	char why[256];
};

/* One line of a stream: what happened, and to which message. */
static void print_line(struct cli *cli, const json_t *message, const char *kind, json_t *line)
{
	json_object_set_new(line, "kind", json_string(kind));
	json_object_set(line, "id", json_object_get(message, "id"));
	json_object_set(line, "state", json_object_get(message, "state"));
	cli_print_json(cli, line);
}

/* What can be done about a failed message; once for each time that it fails. */
static void print_failed(struct cli *cli, const json_t *message, struct seen *seen)
{
	bool failed = strcmp(cli_text_of(message, "state"), "failed") == 0;
	if (failed && !seen->failed && cli->json)
		print_line(cli, message, "failed",
			   json_pack("{s:O?}", "deadline", json_object_get(message, "deadline")));
	else if (failed && !seen->failed)
		printf("     failed: `caisson retry %s`%s; dead from %lld on (Unix seconds)\n",
		       cli_text_of(message, "id"),
		       json_is_string(json_object_get(message, "closer"))
			       ? ", or `caisson close` by its closer"
			       : "",
		       cli_number_of(message, "deadline"));
	seen->failed = failed;
	fflush(stdout);
}

/* Why it does not go on, once for each reason. */
static void print_why(struct cli *cli, const json_t *message, struct seen *seen)
{
	const char *why = cli_text_of(message, "why");
	bool news = strcmp(seen->why, why) != 0;
	snprintf(seen->why, sizeof(seen->why), "%s", why);
	/* What only waits has a reason too, which is nobody's concern. */
	if (!news || strncmp(why, "reverted", strlen("reverted")) != 0)
		return;
	if (cli->json)
		print_line(cli, message, "refused", json_pack("{s:s}", "why", why));
	else
		printf("     %s\n", why);
	fflush(stdout);
}

/* Prints what is new; the steps of the destination arrive in the source's journal as its peer tells
 * them. */
static void print_news(struct cli *cli, const json_t *message, struct seen *seen)
{
	const json_t *steps = json_object_get(message, "steps");
	bool ended = json_is_true(json_object_get(message, "ended"));
	long long begin_ms = begin_of(steps);
	for (size_t i = 0; i < json_array_size(steps) && i < STEPS_MAX; i++) {
		const json_t *step = json_array_get(steps, i);
		bool skipped = json_object_get(step, "skipped") != NULL;
		bool known = seen->step[i] && seen->t_ms[i] == cli_number_of(step, "t_ms");
		if (known || json_object_get(step, "pending") || (skipped && !ended))
			continue;
		seen->step[i] = true;
		seen->t_ms[i] = cli_number_of(step, "t_ms");
		if (cli->json)
			print_line(cli, message, "step", json_copy((json_t *)(uintptr_t)step));
		else
			print_step(step, begin_ms);
	}
	print_why(cli, message, seen);
	print_failed(cli, message, seen);
}

static enum cli_exit end_of(const json_t *message)
{
	return strcmp(cli_text_of(message, "state"), "finalized") == 0 ? CLI_OK : CLI_NO;
}

/* A request that failed has no messageId, but mostly a transaction to look at. */
static void print_end(const json_t *message, const char *id)
{
	const char *known = cli_text_of(message, "id");
	const char *tx = cli_text_of(message, "tx");
	printf("%s: %s%s%s\n", known[0] ? known : id, cli_text_of(message, "state"),
	       tx[0] ? ", transaction " : "", tx);
}

struct watching {
	struct cli *cli;
	struct seen *seen;
};

static bool watch_step(void *context, const json_t *message)
{
	struct watching *watching = context;
	print_news(watching->cli, message, watching->seen);
	return json_is_true(json_object_get(message, "ended"));
}

static enum cli_exit watch(struct cli *cli, const char *id)
{
	char path[PATH_MAX_SIZE];
	struct seen seen = {.failed = false};
	uint64_t timeout_s = WATCH_TIMEOUT_S;
	if (!cli_number(cli, "timeout", TIMEOUT_MAX_S, &timeout_s))
		return cli_fail(cli, CLI_USAGE, "--timeout: seconds, at most %u", TIMEOUT_MAX_S);
	enum cli_exit found = path_of(cli, path, id, NULL);
	if (found != CLI_OK)
		return found;
	struct watching watching = {cli, &seen};
	json_t *message = NULL;
	enum cli_exit code = cli_poll(cli, path, host_now_ms() + timeout_s * 1000, watch_step,
				      &watching, &message);
	if (code == CLI_TIMEOUT)
		return cli_fail(cli, CLI_TIMEOUT, "%s has not ended after %llu s", id,
				(unsigned long long)timeout_s);
	if (code != CLI_OK)
		return code;
	code = end_of(message);
	if (cli->json)
		cli_print_json(cli, json_incref(message));
	else
		print_end(message, id);
	json_decref(message);
	return code;
}

enum cli_exit cli_watch(struct cli *cli)
{
	if (cli->positional_count != 1)
		return cli_fail(cli, CLI_USAGE,
				"which message? its id (0x and 64 digits), or a request's");
	return watch(cli, cli->positional[0]);
}

/* ---- sending ---- */

static enum cli_exit put_attributes(struct cli *cli, json_t *body)
{
	json_t *attributes = json_object();
	uint64_t value = 0;
	static const char *const numbers[][2] = {
		{"gas", "min_gas_limit"}, {"finality", "finality"}, {"deadline", "deadline"}};
	static const char *const addresses[][2] = {{"closer", "closer"},
						   {"refund-to", "refund_to"}};
	json_object_set_new(body, "attributes", attributes);
	for (size_t i = 0; i < CS_LEN(numbers); i++) {
		if (!cli_number(cli, numbers[i][0], INT64_MAX, &value))
			return cli_fail(cli, CLI_USAGE, "--%s: not a number", numbers[i][0]);
		if (cli_option(cli, numbers[i][0]))
			json_object_set_new(attributes, numbers[i][1],
					    json_integer((json_int_t)value));
	}
	if (!cli_number(cli, "deadline-in", 31536000, &value))
		return cli_fail(cli, CLI_USAGE, "--deadline-in: seconds, at most a year");
	if (cli_option(cli, "deadline-in"))
		json_object_set_new(attributes, "deadline",
				    json_integer((json_int_t)(host_wall_ms() / 1000 + value)));
	for (size_t i = 0; i < CS_LEN(addresses); i++) {
		const char *text = cli_option(cli, addresses[i][0]);
		if (text)
			json_object_set_new(attributes, addresses[i][1], json_string(text));
	}
	return CLI_OK;
}

static void put_text(struct cli *cli, json_t *body, const char *option, const char *name)
{
	const char *text = cli_option(cli, option);
	if (text)
		json_object_set_new(body, name, json_string(text));
}

static void print_transactions(const json_t *reply)
{
	const json_t *list = json_object_get(reply, "transactions");
	printf("request %s, to be signed and sent on %s:\n", cli_text_of(reply, "request_id"),
	       cli_text_of(reply, "chain"));
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *tx = json_array_get(list, i);
		printf("  %s\n    to    %s\n    value %s\n    gas   %lld\n    data  %s\n",
		       cli_text_of(tx, "what"), cli_text_of(tx, "to"), cli_text_of(tx, "value"),
		       cli_number_of(tx, "gas"), cli_text_of(tx, "data"));
	}
}

/* An empty header would not be sent, and the request perhaps twice. */
static bool is_printable(const char *text, size_t size_max)
{
	size_t n = strlen(text);
	for (size_t i = 0; i < n; i++) {
		if (text[i] <= ' ' || text[i] > '~')
			return false;
	}
	return n > 0 && n <= size_max;
}

/* As it was given, or what the file holds. */
static enum cli_exit put_transaction(struct cli *cli, json_t *body)
{
	const char *text = cli_option(cli, "transaction");
	struct cs_why why = {{0}};
	uint8_t *file = NULL;
	size_t n = 0;
	if (!text)
		return CLI_OK;
	if (text[0] != '@') {
		json_object_set_new(body, "transaction", json_string(text));
		return CLI_OK;
	}
	if (host_file_load(&file, &n, text + 1, TRANSACTION_FILE_MAX, &why) != CS_OK)
		return cli_fail(cli, CLI_USAGE, "--transaction: %s", why.text);
	while (n > 0 && (file[n - 1] == '\n' || file[n - 1] == '\r'))
		n--;
	json_t *value = json_stringn((const char *)file, n);
	free(file);
	if (!value)
		return cli_fail(cli, CLI_USAGE, "--transaction: %s is no text", text + 1);
	json_object_set_new(body, "transaction", value);
	return CLI_OK;
}

/* Takes body. */
static enum cli_exit send(struct cli *cli, const char *path, json_t *body)
{
	const bool submits = strstr(cli->command, " submit") != NULL;
	const char *mode = submits ? "submit" : cli_option(cli, "mode");
	const char *once = cli_option(cli, "idempotency-key");
	json_t *reply = NULL;
	uint64_t timeout_s = 0;
	if (once && !is_printable(once, IDEMPOTENCY_KEY_MAX)) {
		json_decref(body);
		return cli_fail(cli, CLI_USAGE,
				"--idempotency-key: 1 to 128 printable ASCII characters");
	}
	if (!cli_number(cli, "timeout", TIMEOUT_MAX_S, &timeout_s)) {
		json_decref(body);
		return cli_fail(cli, CLI_USAGE, "--timeout: seconds, at most %u", TIMEOUT_MAX_S);
	}
	if (cli_flag(cli, "watch") && mode && !submits && strcmp(mode, "sponsored") != 0) {
		json_decref(body);
		return cli_fail(cli, CLI_USAGE,
				"--watch: what is prepared is not sent here; `caisson watch` its "
				"request when it is");
	}
	json_object_set_new(body, "mode", json_string(mode ? mode : "sponsored"));
	put_text(cli, body, "to", "to");
	put_text(cli, body, "from", "from");
	put_text(cli, body, "from-chain", "from_chain");
	enum cli_exit code = put_attributes(cli, body);
	if (code == CLI_OK)
		code = put_transaction(cli, body);
	if (code == CLI_OK)
		code = cli_call(cli, "POST", path, json_incref(body), &reply);
	json_decref(body);
	if (code != CLI_OK)
		return code;
	bool sent = strcmp(cli_text_of(reply, "mode"), "prepare") != 0;
	if (cli_flag(cli, "watch") && sent) {
		char id[64];
		snprintf(id, sizeof(id), "%s", cli_text_of(reply, "request_id"));
		json_decref(reply);
		cli->patient = true; /* it was there: it took the request */
		return watch(cli, id);
	}
	if (cli->json) {
		cli_print_json(cli, reply);
		return CLI_OK;
	}
	if (sent)
		printf("request %s: `caisson watch %s`\n", cli_text_of(reply, "request_id"),
		       cli_text_of(reply, "request_id"));
	else
		print_transactions(reply);
	json_decref(reply);
	return CLI_OK;
}

static bool lacks_transaction(const struct cli *cli)
{
	return strstr(cli->command, " submit") && !cli_option(cli, "transaction");
}

enum cli_exit cli_send(struct cli *cli)
{
	const char *text = cli_option(cli, "text");
	const char *payload = cli_option(cli, "payload");
	if (!cli_option(cli, "to") || (text == NULL) == (payload == NULL))
		return cli_fail(cli, CLI_USAGE, "give --to and one of --payload and --text");
	if (lacks_transaction(cli))
		return cli_fail(cli, CLI_USAGE, "give --transaction");
	json_t *body = json_object();
	if (payload) {
		json_object_set_new(body, "payload", json_string(payload));
	} else {
		size_t n = strlen(text);
		char *hex = malloc(2 * n + 3);
		cs_assert(hex != NULL);
		memcpy(hex, "0x", 2);
		cs_hex(hex + 2, cs_bytes(text, n));
		json_object_set_new(body, "payload", json_string(hex));
		free(hex);
	}
	return send(cli, "/v1/messages", body);
}

enum cli_exit cli_transfer(struct cli *cli)
{
	if (!cli_option(cli, "to") || !cli_option(cli, "amount"))
		return cli_fail(cli, CLI_USAGE, "give --to and --amount");
	if (lacks_transaction(cli))
		return cli_fail(cli, CLI_USAGE, "give --transaction");
	json_t *body = json_object();
	put_text(cli, body, "amount", "amount");
	put_text(cli, body, "token", "token");
	return send(cli, "/v1/transfers", body);
}

/* ---- looking ---- */

/* What has no messageId yet, or never will. */
static void print_request(const json_t *m)
{
	printf("request   %s (%s)\nstate     %s\nchain     %s\n", cli_text_of(m, "request_id"),
	       cli_text_of(m, "mode"), cli_text_of(m, "state"), cli_text_of(m, "from_chain"));
	if (json_is_string(json_object_get(m, "tx")))
		printf("tx        %s\n", cli_text_of(m, "tx"));
	if (json_is_string(json_object_get(m, "why")))
		printf("why       %s\n", cli_text_of(m, "why"));
}

static void print_message(struct cli *cli, const json_t *m)
{
	if (!json_is_string(json_object_get(m, "id"))) {
		print_request(m);
		return;
	}
	printf("message   %s (%s)\n", cli_text_of(m, "id"), cli_text_of(m, "side"));
	printf("state     %s\n", cli_text_of(m, "state"));
	printf("route     %s → %s, sequence %lld\n", cli_text_of(m, "from_chain"),
	       cli_text_of(m, "to_chain"), cli_number_of(m, "sequence"));
	printf("sender    %s\nrecipient %s\n", cli_text_of(m, "sender"),
	       cli_text_of(m, "recipient"));
	printf("deadline  %lld\n", cli_number_of(m, "deadline"));
	if (json_is_string(json_object_get(m, "outcome")))
		printf("outcome   %s\n", cli_text_of(m, "outcome"));
	if (json_is_string(json_object_get(m, "why")))
		printf("why       %s\n", cli_text_of(m, "why"));
	struct seen seen = {.failed = false};
	snprintf(seen.why, sizeof(seen.why), "%s", cli_text_of(m, "why"));
	print_news(cli, m, &seen);
}

static enum cli_exit show_one(struct cli *cli, const char *id)
{
	char path[PATH_MAX_SIZE];
	json_t *message = NULL;
	enum cli_exit code = path_of(cli, path, id, NULL);
	if (code == CLI_OK)
		code = cli_call(cli, "GET", path, NULL, &message);
	if (code != CLI_OK)
		return code;
	if (cli->json) {
		cli_print_json(cli, message);
		return CLI_OK;
	}
	print_message(cli, message);
	json_decref(message);
	return CLI_OK;
}

/* What may stand in a query as it is: words, CAIP-2 and CAIP-10. */
static bool is_filter(const char *text)
{
	const size_t n =
		strspn(text, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_.:");
	return n > 0 && n <= FILTER_MAX && text[n] == '\0';
}

/* Appends "&name=value" for each filter that is given; the gateway judges the values. */
static enum cli_exit filter_of(struct cli *cli, char *path, size_t size)
{
	static const struct {
		const char *option;
		const char *query;
	} filters[] = {{"state", "state"},
		       {"side", "side"},
		       {"from-chain", "from_chain"},
		       {"to-chain", "to_chain"},
		       {"sender", "sender"},
		       {"recipient", "recipient"},
		       {"tx", "tx"}};
	for (size_t i = 0; i < CS_LEN(filters); i++) {
		const char *value = cli_option(cli, filters[i].option);
		const size_t n = strlen(path);
		if (value && !is_filter(value))
			return cli_fail(cli, CLI_USAGE, "--%s: letters, digits, and - _ . : alone",
					filters[i].option);
		if (value)
			snprintf(path + n, size - n, "&%s=%s", filters[i].query, value);
	}
	return CLI_OK;
}

enum cli_exit cli_messages(struct cli *cli)
{
	char path[LIST_PATH_SIZE];
	json_t *reply = NULL;
	char page[40] = "";
	uint64_t limit = 50;
	uint64_t before = 0;
	if (cli->positional_count == 1)
		return show_one(cli, cli->positional[0]);
	if (cli->positional_count > 1)
		return cli_fail(cli, CLI_USAGE, "at most one id");
	if (!cli_number(cli, "limit", 200, &limit) || limit == 0)
		return cli_fail(cli, CLI_USAGE, "--limit: 1 to 200");
	if (!cli_number(cli, "before", INT64_MAX, &before))
		return cli_fail(cli, CLI_USAGE, "--before: not a number");
	if (cli_option(cli, "before"))
		snprintf(page, sizeof(page), "&before=%llu", (unsigned long long)before);
	snprintf(path, sizeof(path), "/v1/messages?limit=%llu%s", (unsigned long long)limit, page);
	if (filter_of(cli, path, sizeof(path)) != CLI_OK)
		return CLI_USAGE;
	enum cli_exit code = cli_call(cli, "GET", path, NULL, &reply);
	if (code != CLI_OK)
		return code;
	if (cli->json) {
		cli_print_json(cli, reply);
		return CLI_OK;
	}
	const json_t *list = json_object_get(reply, "messages");
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *m = json_array_get(list, i);
		printf("%s  %-11s  %-16s  %s → %s #%lld%s%s\n", cli_text_of(m, "id"),
		       cli_text_of(m, "side"), cli_text_of(m, "state"),
		       cli_text_of(m, "from_chain"), cli_text_of(m, "to_chain"),
		       cli_number_of(m, "sequence"), cli_text_of(m, "why")[0] ? "  " : "",
		       cli_text_of(m, "why"));
	}
	if (json_is_integer(json_object_get(reply, "next")))
		printf("more with --before %lld\n", cli_number_of(reply, "next"));
	json_decref(reply);
	return CLI_OK;
}

/* ---- verbs ---- */

static enum cli_exit verb(struct cli *cli, const char *method, const char *name, json_t *body,
			  json_t **reply)
{
	char path[PATH_MAX_SIZE];
	enum cli_exit code =
		path_of(cli, path, cli->positional_count == 1 ? cli->positional[0] : "", name);
	if (code == CLI_OK)
		return cli_call(cli, method, path, body, reply);
	json_decref(body);
	return code;
}

enum cli_exit cli_retry(struct cli *cli)
{
	json_t *reply = NULL;
	uint64_t gas = 0;
	if (!cli_number(cli, "gas", INT64_MAX, &gas))
		return cli_fail(cli, CLI_USAGE, "--gas: not a number");
	enum cli_exit code = verb(
		cli, "POST", "retry",
		cli_option(cli, "gas") ? json_pack("{s:I}", "gas", (json_int_t)gas) : NULL, &reply);
	if (code != CLI_OK)
		return code;
	if (cli->json) {
		cli_print_json(cli, reply);
		return CLI_OK;
	}
	bool is_late =
		json_integer_value(json_object_get(reply, "deadline")) <= (json_int_t)time(NULL);
	printf("%s: %s\n", cli_text_of(reply, "id"),
	       is_late ? "is past its deadline, and brought back now"
	       : gas   ? "is called again if the chain says that it may succeed, with this gas"
		       : "is called again if an estimate says that it may succeed");
	json_decref(reply);
	return CLI_OK;
}

enum cli_exit cli_abandon(struct cli *cli)
{
	json_t *reply = NULL;
	enum cli_exit code = verb(cli, "POST", "abandon", NULL, &reply);
	if (code != CLI_OK)
		return code;
	if (cli->json) {
		cli_print_json(cli, reply);
		return CLI_OK;
	}
	printf("%s: the proof that nobody delivered it is made now, and its source refunded by it; "
	       "`caisson watch` shows it\n",
	       cli_text_of(reply, "id"));
	json_decref(reply);
	return CLI_OK;
}

enum cli_exit cli_close(struct cli *cli)
{
	json_t *reply = NULL;
	enum cli_exit code = verb(cli, "POST", "close", NULL, &reply);
	if (code != CLI_OK)
		return code;
	if (cli->json) {
		cli_print_json(cli, reply);
		return CLI_OK;
	}
	const json_t *tx = json_array_get(json_object_get(reply, "transactions"), 0);
	printf("to be sent by the closer %s on %s:\n  to    %s\n  value %s\n  data  %s\n",
	       cli_text_of(reply, "closer"), cli_text_of(tx, "chain"), cli_text_of(tx, "to"),
	       cli_text_of(tx, "value"), cli_text_of(tx, "data"));
	json_decref(reply);
	return CLI_OK;
}

enum cli_exit cli_envelope(struct cli *cli)
{
	json_t *reply = NULL;
	enum cli_exit code = verb(cli, "GET", "envelope", NULL, &reply);
	if (code == CLI_OK)
		cli_print_json(cli, reply);
	return code;
}
