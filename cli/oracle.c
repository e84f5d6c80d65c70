/* Commands about an oracle's requests and keys. What it answers is verified here before it is shown
 * (verify_answer.c): its host is believed nothing. */
#include "wire/oracle.h"

#include "cli/cli.h"
#include "host/json_values.h"
#include "host/loop.h"
#include "wire/envelope.h"
#include "wire/spec.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define TIMEOUT_MAX_S 3600u
#define TIMEOUT_DEFAULT_S 60u
/* Beyond the deadline: what was signed just before it has to arrive. */
#define GRACE_MS 5000u
#define PATH_SIZE 256u
#define ID_SIZE 66u

static bool is_id(const char *text)
{
	struct cs_hash id;
	return strlen(text) == ID_SIZE && strncmp(text, "0x", 2) == 0 &&
	       cs_unhex(id.b, sizeof(id.b), cs_bytes_str(text)) == CS_OK;
}

/* A word that stands in a URL as it is. */
static bool is_plain(const char *text)
{
	return text[0] != 0 &&
	       strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") ==
		       strlen(text);
}

/* ---- what is asked ---- */

struct question {
	struct cli_spec spec;
	struct cs_bytes arguments[WIRE_ARGUMENTS_MAX];
	size_t argument_count;
	struct cs_hash arguments_hash;
	struct cs_hash secrets_hash;
	const char *audience;
	uint64_t timeout_s;
	json_t *body;
};

static void question_done(struct question *q)
{
	json_decref(q->body);
	cli_free_spec(&q->spec);
}

/* Spec and arguments: the body of a request and of a dry run. */
static enum cli_exit question_read(struct cli *cli, struct question *q)
{
	unsigned at = 0;
	const char *text;
	json_t *list = json_array();
	*q = (struct question){.audience = ""};
	q->body = json_object();
	json_object_set_new(q->body, "arguments", list);
	if (cli->positional_count != 1)
		return cli_fail(cli, CLI_USAGE, "which spec? a file of JSON, or -");
	while ((text = cli_option_next(cli, "arg", &at)) != NULL) {
		json_t *one = json_string(text);
		if (q->argument_count == WIRE_ARGUMENTS_MAX || !one ||
		    strlen(text) > WIRE_ARGUMENT_SIZE_MAX) {
			json_decref(one);
			return cli_fail(cli, CLI_USAGE,
					"--arg: at most %u of at most %u bytes of UTF-8",
					WIRE_ARGUMENTS_MAX, WIRE_ARGUMENT_SIZE_MAX);
		}
		json_array_append_new(list, one);
		q->arguments[q->argument_count++] = cs_bytes_str(text);
	}
	q->arguments_hash = wire_arguments_hash(q->arguments, q->argument_count);
	enum cli_exit code = cli_read_spec(cli, &q->spec, cli->positional[0]);
	if (code != CLI_OK)
		return code;
	json_object_set_new(q->body, "spec",
			    json_loadb((const char *)q->spec.canonical.p, q->spec.canonical.n,
				       JSON_ALLOW_NUL, NULL));
	return CLI_OK;
}

/* The key that secrets are sealed to: from the caller, or, if he says so, from the oracle's host,
 * which could give a key of its own. */
static enum cli_exit sealing_key(struct cli *cli, struct cs_hash *key)
{
	struct cs_why why;
	const char *given = cli_option(cli, "secrets-key");
	json_t *told = NULL;
	if (given && cs_unhex(key->b, sizeof(key->b), cs_bytes_str(given)) != CS_OK)
		return cli_fail(cli, CLI_USAGE, "--secrets-key: not 32 bytes of hex");
	if (given)
		return CLI_OK;
	if (!cli_flag(cli, "insecure-host-key"))
		return cli_fail(cli, CLI_USAGE,
				"--secret: to which key? give --secrets-key, compared with the "
				"enclave's evidence (`caisson oracle key`), or believe the "
				"oracle's host with --insecure-host-key");
	enum cli_exit code = cli_call(cli, "GET", "/v1/oracle/key", NULL, &told);
	if (code != CLI_OK)
		return code;
	if (host_json_read_hash(json_object_get(told, "secrets"), "public_key", key, &why) != CS_OK)
		code = cli_fail(cli, CLI_UNREACHABLE, "the oracle names no key for secrets");
	else
		fputs("caisson: INSECURE: the secrets are sealed to a key that only the oracle's "
		      "host vouches for\n",
		      stderr);
	json_decref(told);
	return code;
}

/* Into the body, where there are secrets. asker: the word of the request; fixed: only for the
 * arguments that were given. */
static enum cli_exit put_secrets(struct cli *cli, struct question *q, const struct cs_hash *asker,
				 bool fixed)
{
	struct cli_bound bound = {&q->spec.hash, asker, fixed ? &q->arguments_hash : NULL};
	struct cs_hash key = {{0}};
	uint8_t *sealed = NULL;
	size_t n = 0;
	if (!cli_flag(cli, "secret"))
		return CLI_OK;
	enum cli_exit code = sealing_key(cli, &key);
	if (code == CLI_OK)
		code = cli_seal(cli, &sealed, &n, &key, &bound);
	if (code != CLI_OK)
		return code;
	q->secrets_hash = wire_secrets_hash(cs_bytes(sealed, n));
	json_object_set_new(q->body, "secrets", host_json_hex(cs_bytes(sealed, n)));
	free(sealed);
	return CLI_OK;
}

static enum cli_exit put_terms(struct cli *cli, struct question *q)
{
	const char *audience = cli_option(cli, "audience");
	uint64_t max_age = 0;
	q->timeout_s = TIMEOUT_DEFAULT_S;
	if (!cli_number(cli, "timeout", TIMEOUT_MAX_S, &q->timeout_s) || q->timeout_s == 0)
		return cli_fail(cli, CLI_USAGE, "--timeout: seconds, 1 to %u", TIMEOUT_MAX_S);
	if (!cli_number(cli, "max-age", WIRE_MAX_AGE_MAX, &max_age) ||
	    (cli_option(cli, "max-age") && max_age == 0))
		return cli_fail(cli, CLI_USAGE, "--max-age: seconds, 1 to %u", WIRE_MAX_AGE_MAX);
	if (audience) {
		json_t *text = json_string(audience);
		if (!text || strlen(audience) > WIRE_AUDIENCE_SIZE_MAX) {
			json_decref(text);
			return cli_fail(cli, CLI_USAGE, "--audience: at most %u bytes of UTF-8",
					WIRE_AUDIENCE_SIZE_MAX);
		}
		json_object_set_new(q->body, "audience", text);
		q->audience = audience;
	}
	if (cli_option(cli, "timeout"))
		json_object_set_new(q->body, "timeout_s", json_integer((json_int_t)q->timeout_s));
	if (max_age != 0)
		json_object_set_new(q->body, "max_age", json_integer((json_int_t)max_age));
	return CLI_OK;
}

/* ---- asking ---- */

static bool has_ended(void *context, const json_t *request)
{
	(void)context;
	const char *state = cli_text_of(request, "state");
	return cli_is_answer(request) || strcmp(state, "expired") == 0 ||
	       strcmp(state, "refused") == 0 || strcmp(state, "refunded") == 0;
}

/* Asks until there is an answer or never will be; *reply is replaced. */
static enum cli_exit wait_for_end(struct cli *cli, json_t **reply, uint64_t timeout_s)
{
	char path[PATH_SIZE];
	char id[ID_SIZE + 1];
	json_t *last = NULL;
	uint64_t end_ms = host_now_ms() + timeout_s * 1000 + GRACE_MS;
	snprintf(id, sizeof(id), "%s", cli_text_of(*reply, "id"));
	if (!is_id(id))
		return cli_fail(cli, CLI_UNREACHABLE, "the oracle names no request");
	snprintf(path, sizeof(path), "/v1/oracle/requests/%s", id);
	if (has_ended(NULL, *reply))
		return CLI_OK;
	cli->patient = true; /* it was there: it took the request */
	enum cli_exit code = cli_poll(cli, path, end_ms, has_ended, NULL, &last);
	if (code == CLI_TIMEOUT)
		return cli_fail(cli, CLI_TIMEOUT, "%s is not answered after %llu s", id,
				(unsigned long long)timeout_s);
	if (code != CLI_OK)
		return code;
	json_decref(*reply);
	*reply = last;
	return CLI_OK;
}

static void print_request(const json_t *request)
{
	printf("request  %s\n         state      %s\n", cli_text_of(request, "id"),
	       cli_text_of(request, "state"));
	if (cli_text_of(request, "why")[0])
		printf("         why        %s\n", cli_text_of(request, "why"));
}

static enum cli_exit show_end(struct cli *cli, const json_t *reply,
			      const struct cli_expected *expected)
{
	if (cli_is_answer(reply))
		return cli_show_answer(cli, reply, expected);
	return cli_fail(cli, CLI_NO, "%s: %s%s%s", cli_text_of(reply, "id"),
			cli_text_of(reply, "state"), cli_text_of(reply, "why")[0] ? ": " : "",
			cli_text_of(reply, "why"));
}

enum cli_exit cli_oracle_ask(struct cli *cli)
{
	struct question q;
	json_t *reply = NULL;
	enum cli_exit code = question_read(cli, &q);
	if (code == CLI_OK)
		code = put_terms(cli, &q);
	if (code == CLI_OK) {
		struct cs_hash asker = wire_app_asker(cs_bytes_str(q.audience));
		code = put_secrets(cli, &q, &asker, true);
	}
	if (code == CLI_OK)
		code = cli_call(cli, "POST", "/v1/oracle/requests", json_incref(q.body), &reply);
	if (code == CLI_OK)
		code = wait_for_end(cli, &reply, q.timeout_s);
	if (code == CLI_OK)
		code = show_end(cli, reply,
				&(struct cli_expected){.audience = q.audience,
						       .spec_hash = &q.spec.hash,
						       .arguments_hash = &q.arguments_hash,
						       .secrets_hash = &q.secrets_hash});
	json_decref(reply);
	question_done(&q);
	return code;
}

/* ---- dry runs ---- */

static void print_value(const char *name, const json_t *value)
{
	if (!value || json_is_null(value))
		return;
	printf("         %-10s ", name);
	json_dumpf(value, stdout, JSON_ENCODE_ANY | JSON_ENSURE_ASCII);
	putchar('\n');
}

static void print_dry_run(const json_t *reply)
{
	const json_t *sources = json_object_get(reply, "sources");
	printf("dry run  %s\n", cli_text_of(reply, "code_name"));
	print_value("value", json_object_get(reply, "value"));
	print_value("why", json_object_get(reply, "why"));
	printf("         %-10s %s\n", "spec", cli_text_of(reply, "spec_hash"));
	for (size_t i = 0; i < json_array_size(sources); i++) {
		const json_t *source = json_array_get(sources, i);
		printf("source %zu %s  %s\n", i, cli_text_of(source, "host"),
		       cli_text_of(source, "code_name"));
		print_value("value", json_object_get(source, "value"));
		print_value("why", json_object_get(source, "why"));
	}
	puts("         unsigned: it proves nothing");
}

enum cli_exit cli_oracle_dry_run(struct cli *cli)
{
	struct question q;
	json_t *reply = NULL;
	enum cli_exit code = question_read(cli, &q);
	if (code == CLI_OK)
		code = cli_call(cli, "POST", "/v1/oracle/requests:dry-run", json_incref(q.body),
				&reply);
	if (code == CLI_OK) {
		code = cli_number_of(reply, "code") == WIRE_ORACLE_OK ? CLI_OK : CLI_NO;
		if (cli->json)
			cli_print_json(cli, json_incref(reply));
		else
			print_dry_run(reply);
	}
	json_decref(reply);
	question_done(&q);
	return code;
}

/* ---- looking ---- */

enum cli_exit cli_oracle_get(struct cli *cli)
{
	char path[PATH_SIZE];
	json_t *reply = NULL;
	if (cli->positional_count != 1 || !is_id(cli->positional[0]))
		return cli_fail(cli, CLI_USAGE, "which request? its id (0x and 64 digits)");
	snprintf(path, sizeof(path), "/v1/oracle/requests/%s", cli->positional[0]);
	enum cli_exit code = cli_call(cli, "GET", path, NULL, &reply);
	if (code != CLI_OK)
		return code;
	if (cli_is_answer(reply))
		code = cli_show_answer(cli, reply, &(struct cli_expected){0});
	else if (cli->json)
		cli_print_json(cli, json_incref(reply));
	else
		print_request(reply);
	json_decref(reply);
	return code;
}

static enum cli_exit list_path(struct cli *cli, char path[PATH_SIZE])
{
	static const char *const names[] = {"state", "kind", "limit", "after"};
	size_t n = (size_t)snprintf(path, PATH_SIZE, "/v1/oracle/requests");
	for (size_t i = 0; i < CS_LEN(names); i++) {
		const char *value = cli_option(cli, names[i]);
		if (!value)
			continue;
		if (!is_plain(value) || strlen(value) > 40)
			return cli_fail(cli, CLI_USAGE, "--%s: letters, digits, _ and -", names[i]);
		n += (size_t)snprintf(path + n, PATH_SIZE - n, "%c%s=%s",
				      strchr(path, '?') ? '&' : '?', names[i], value);
	}
	return CLI_OK;
}

enum cli_exit cli_oracle_requests(struct cli *cli)
{
	char path[PATH_SIZE];
	json_t *reply = NULL;
	enum cli_exit code = list_path(cli, path);
	if (code == CLI_OK)
		code = cli_call(cli, "GET", path, NULL, &reply);
	if (code != CLI_OK)
		return code;
	if (cli->json) {
		cli_print_json(cli, reply);
		return CLI_OK;
	}
	const json_t *list = json_object_get(reply, "requests");
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *one = json_array_get(list, i);
		printf("%s  %-5s  %-9s  %s  %s\n", cli_text_of(one, "id"), cli_text_of(one, "kind"),
		       cli_text_of(one, "state"), cli_text_of(one, "code_name"),
		       cli_text_of(one, "why"));
	}
	if (json_is_string(json_object_get(reply, "next")))
		printf("more: --after %s\n", cli_text_of(reply, "next"));
	json_decref(reply);
	return CLI_OK;
}

enum cli_exit cli_oracle_publish(struct cli *cli)
{
	struct cli_spec spec;
	json_t *reply = NULL;
	if (cli->positional_count != 1)
		return cli_fail(cli, CLI_USAGE, "which spec? a file of JSON, or -");
	enum cli_exit code = cli_read_spec(cli, &spec, cli->positional[0]);
	if (code != CLI_OK)
		return code;
	json_t *body =
		json_loadb((const char *)spec.canonical.p, spec.canonical.n, JSON_ALLOW_NUL, NULL);
	code = cli_call(cli, "PUT", "/v1/oracle/specs", json_pack("{s:o}", "spec", body), &reply);
	char hex[67] = "0x";
	cs_hex(hex + 2, CS_BYTES_OF(spec.hash.b));
	cli_free_spec(&spec);
	if (code != CLI_OK)
		return code;
	if (strcmp(cli_text_of(reply, "spec_hash"), hex) != 0)
		code = cli_fail(cli, CLI_UNREACHABLE, "the oracle keeps it under another hash");
	else if (cli->json)
		cli_print_json(cli, json_incref(reply));
	else
		puts(hex);
	json_decref(reply);
	return code;
}

/* ---- how it is ---- */

static void print_chain(const json_t *chain)
{
	const json_t *contracts = json_object_get(chain, "contracts");
	printf("chain     %s  head %lld  final %lld%s  cursor %lld  open transactions %lld\n",
	       cli_text_of(chain, "id"), cli_number_of(chain, "head"),
	       cli_number_of(chain, "final"),
	       json_is_true(json_object_get(chain, "insecure")) ? " (dev-final, insecure)" : "",
	       cli_number_of(chain, "cursor"), cli_number_of(chain, "open_transactions"));
	if (json_is_string(json_object_get(chain, "operator")))
		printf("          answers are brought by %s\n", cli_text_of(chain, "operator"));
	else
		puts("          no operator account: answers are made, nobody brings them");
	if (json_is_true(json_object_get(chain, "frozen")))
		puts("          FROZEN: nothing is answered for it");
	if (json_is_true(json_object_get(chain, "diverged")))
		puts("          its node tells a branch without the final block");
	if (cli_number_of(chain, "stalled_ms") != 0)
		printf("          stalled for %lld ms\n", cli_number_of(chain, "stalled_ms"));
	for (size_t i = 0; i < json_array_size(contracts); i++) {
		const json_t *contract = json_array_get(contracts, i);
		printf("          %-8s  %s\n", cli_text_of(contract, "kind"),
		       cli_text_of(contract, "address"));
	}
}

enum cli_exit cli_oracle_status(struct cli *cli)
{
	json_t *enclave = NULL;
	json_t *chains = NULL;
	enum cli_exit code = cli_call(cli, "GET", "/v1/enclave", NULL, &enclave);
	if (code == CLI_OK)
		code = cli_call(cli, "GET", "/v1/chains", NULL, &chains);
	if (code != CLI_OK) {
		json_decref(enclave);
		return code;
	}
	bool ready = json_is_true(json_object_get(enclave, "ready"));
	const json_t *list = json_object_get(chains, "chains");
	if (cli->json) {
		cli_print_json(cli, json_pack("{s:O,s:O,s:O}", "enclave", enclave, "chains", list,
					      "ledger", json_object_get(chains, "ledger")));
	} else {
		printf("oracle    %s\nenclave   %s%s\n", cli_text_of(enclave, "oracle"),
		       ready ? "ready" : "not ready: ", ready ? "" : cli_text_of(enclave, "why"));
		printf("manifest  %s, number %lld\n", cli_text_of(enclave, "manifest_hash"),
		       cli_number_of(enclave, "manifest_number"));
		for (size_t i = 0; i < json_array_size(list); i++)
			print_chain(json_array_get(list, i));
		cli_print_ledger(json_object_get(chains, "ledger"));
	}
	json_decref(enclave);
	json_decref(chains);
	return ready ? CLI_OK : CLI_FAILED;
}

/* ---- keys and secrets ---- */

enum cli_exit cli_oracle_key(struct cli *cli)
{
	json_t *reply = NULL;
	enum cli_exit code = cli_call(cli, "GET", "/v1/oracle/key", NULL, &reply);
	if (code != CLI_OK)
		return code;
	if (cli->json) {
		cli_print_json(cli, reply);
		return CLI_OK;
	}
	const json_t *answers = json_object_get(reply, "answers");
	const json_t *secrets = json_object_get(reply, "secrets");
	printf("oracle           %s\nlineage          %s\n", cli_text_of(reply, "oracle"),
	       cli_text_of(reply, "lineage"));
	printf("signs answers    %s  epoch %lld\n", cli_text_of(answers, "public_key"),
	       cli_number_of(answers, "epoch"));
	printf("opens secrets    %s  epoch %lld\n", cli_text_of(secrets, "public_key"),
	       cli_number_of(secrets, "epoch"));
	printf("measurement      %s\nevidence digest  %s\n", cli_text_of(reply, "measurement"),
	       cli_text_of(reply, "evidence_digest"));
	if (cli_number_of(reply, "insecure_flags") != 0)
		puts("INSECURE: its keys sign under the insecure domain, and whoever has its "
		     "machine can open secrets");
	json_decref(reply);
	return CLI_OK;
}

enum cli_exit cli_oracle_rotate(struct cli *cli)
{
	json_t *reply = NULL;
	const char *use = cli->positional[0];
	if (cli->positional_count != 1 ||
	    (strcmp(use, "answers") != 0 && strcmp(use, "secrets") != 0))
		return cli_fail(cli, CLI_USAGE, "which key? answers or secrets");
	enum cli_exit code = cli_call(cli, "POST", "/v1/oracle/keys:rotate",
				      json_pack("{s:s}", "use", use), &reply);
	if (code != CLI_OK)
		return code;
	if (cli->json) {
		cli_print_json(cli, reply);
		return CLI_OK;
	}
	const json_t *contracts = json_object_get(reply, "contracts");
	printf("key       of %s, epoch %lld  %s\n", cli_text_of(reply, "use"),
	       cli_number_of(reply, "epoch"), cli_text_of(reply, "public_key"));
	for (size_t i = 0; i < json_array_size(contracts); i++) {
		const json_t *contract = json_array_get(contracts, i);
		printf("contract  %s:%s  %s\n", cli_text_of(contract, "chain"),
		       cli_text_of(contract, "address"),
		       json_is_true(json_object_get(contract, "in_force")) ? "in force"
									   : "announced");
	}
	json_decref(reply);
	return CLI_OK;
}

/* A contract's asker is an address, an app's its audience. */
static enum cli_exit asker_of(struct cli *cli, struct cs_hash *asker)
{
	struct cs_address address;
	const char *text = cli_option(cli, "asker");
	const char *audience = cli_option(cli, "audience");
	if ((text == NULL) == (audience == NULL))
		return cli_fail(cli, CLI_USAGE, "give one of --asker and --audience");
	if (audience) {
		if (strlen(audience) > WIRE_AUDIENCE_SIZE_MAX)
			return cli_fail(cli, CLI_USAGE, "--audience: at most %u bytes",
					WIRE_AUDIENCE_SIZE_MAX);
		*asker = wire_app_asker(cs_bytes_str(audience));
		return CLI_OK;
	}
	if (cs_unhex(address.b, sizeof(address.b), cs_bytes_str(text)) != CS_OK)
		return cli_fail(cli, CLI_USAGE, "--asker: 0x and 40 digits");
	*asker = wire_word(CS_BYTES_OF(address.b));
	return CLI_OK;
}

enum cli_exit cli_oracle_seal(struct cli *cli)
{
	struct question q;
	struct cs_hash asker = {{0}};
	enum cli_exit code = asker_of(cli, &asker);
	if (code != CLI_OK)
		return code;
	code = question_read(cli, &q);
	if (code == CLI_OK && !cli_flag(cli, "secret"))
		code = cli_fail(cli, CLI_USAGE, "which secrets? --secret NAME=@FILE");
	if (code == CLI_OK)
		code = put_secrets(cli, &q, &asker, q.argument_count > 0);
	if (code == CLI_OK && cli->json)
		cli_print_json(cli,
			       json_pack("{s:o,s:O,s:o}", "spec_hash", host_json_hash(&q.spec.hash),
					 "secrets", json_object_get(q.body, "secrets"),
					 "secrets_hash", host_json_hash(&q.secrets_hash)));
	else if (code == CLI_OK)
		puts(cli_text_of(q.body, "secrets"));
	question_done(&q);
	return code;
}
