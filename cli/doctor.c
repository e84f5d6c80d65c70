/* `caisson doctor`: everything that keeps a gateway from working, a line each, with what to do about it.
 * Looks at the configuration's file and disk itself, asks the gateway for the rest, and each chain's first
 * node for what is on the accounts. Changes nothing. */
#include "cli/cli.h"
#include "cli/service.h"
#include "core/u256.h"
#include "core/utc.h"
#include "host/http_client.h"
#include "host/loop.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

/* Free on the journal's disk. A message takes some 3 KB. */
#define DISK_BAD_MIB 256u
#define DISK_WARN_MIB 2048u
/* A chain's newest block beside our clock. */
#define AHEAD_BAD_S 15
#define BEHIND_WARN_S 300
/* Calls of this much gas that the account should still be able to pay for. */
#define CALL_GAS 300000u
#define CALLS_WARN 100u
#define NODE_TIMEOUT_MS 10000u
#define CANNOT_PAY ", and could not pay for its next transaction"

enum verdict { FINE, WARN, BAD };

struct doctor {
	struct cli *cli;
	json_t *checks;
	enum verdict worst;
};

CS_PRINTF(5, 6)
static void say(struct doctor *doctor, enum verdict verdict, const char *what, const char *remedy,
		const char *format, ...)
{
	static const char *const names[] = {"ok", "warn", "bad"};
	char text[600];
	va_list args;
	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	for (char *p = text; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = '?';
	if (verdict > doctor->worst)
		doctor->worst = verdict;
	if (!doctor->cli->json) {
		printf("%-4s  %-10s %s\n", names[verdict], what, text);
		if (verdict != FINE)
			printf("                 → %s\n", remedy);
		return;
	}
	json_t *check =
		json_pack("{s:s,s:s,s:s}", "verdict", names[verdict], "what", what, "text", text);
	json_object_set_new(check, "remedy", verdict == FINE ? json_null() : json_string(remedy));
	json_array_append_new(doctor->checks, check);
}

static bool is_true(const json_t *json, const char *name)
{
	return json_is_true(json_object_get(json, name));
}

/* ---- the file, and the disk ---- */

static bool check_config(struct doctor *doctor, struct cli_service *service, const char *file)
{
	if (cli_service_load(service, doctor->cli, file, true) == CS_OK && !service->is_oracle) {
		say(doctor, FINE, "config", "", "%s: manifest %llu, %zu chains, %zu peers", file,
		    (unsigned long long)service->gateway.manifest.number,
		    service->gateway.chain_count, service->gateway.peer_count);
		return true;
	}
	if (service->is_oracle)
		say(doctor, BAD, "config", "give a gateway's configuration", "%s is an oracle's",
		    file);
	for (uint32_t i = 0; i < host_config_error_count(service->file); i++)
		say(doctor, BAD, "config", "correct the file; a running gateway keeps the old one",
		    "%s", host_config_error(service->file, i));
	return false;
}

static void check_disk(struct doctor *doctor, const char *journal)
{
	char folder[4096];
	struct statvfs disk;
	snprintf(folder, sizeof(folder), "%s", journal);
	char *slash = strrchr(folder, '/');
	if (slash)
		*slash = 0;
	if (statvfs(slash ? folder : ".", &disk) != 0) {
		say(doctor, BAD, "disk",
		    "make the folder of journal.path, for the gateway's account",
		    "%s cannot be looked at", folder);
		return;
	}
	uint64_t free_mib = (uint64_t)disk.f_bavail * disk.f_frsize / (1024 * 1024);
	say(doctor,
	    free_mib < DISK_BAD_MIB    ? BAD
	    : free_mib < DISK_WARN_MIB ? WARN
				       : FINE,
	    "disk", "make room: a gateway that cannot write its journal ends",
	    "%llu MiB are free for %s", (unsigned long long)free_mib, journal);
}

/* ---- what the gateway says ---- */

static void check_manifest(struct doctor *doctor, const struct gateway_config *config,
			   const json_t *status)
{
	char hash[2 * sizeof(config->manifest.hash.b) + 3] = "0x";
	cs_hex(hash + 2, CS_BYTES_OF(config->manifest.hash.b));
	bool same = strcmp(hash, cli_text_of(status, "manifest_hash")) == 0;
	say(doctor, same ? FINE : WARN, "manifest",
	    "the file names another one: restart enclave and gateway to take it",
	    "number %lld is in force", cli_number_of(status, "manifest_number"));
}

static void check_enclave(struct doctor *doctor, const json_t *enclave)
{
	const json_t *flags = json_object_get(enclave, "insecure");
	bool insecure = cli_number_of(enclave, "insecure_flags") != 0;
	char names[400] = "";
	size_t length = 0;
	if (!is_true(enclave, "ready")) {
		say(doctor, BAD, "enclave", "its own log says why; `caisson up` starts it again",
		    "not ready: %s", cli_text_of(enclave, "why"));
		return;
	}
	for (size_t i = 0; i < json_array_size(flags) && length < sizeof(names); i++)
		length += (size_t)snprintf(names + length, sizeof(names) - length, "%s%s",
					   i > 0 ? ", " : "",
					   json_string_value(json_array_get(flags, i)));
	say(doctor, insecure ? WARN : FINE, "enclave",
	    "nothing of it is for production: take a backend of hardware, and drop insecure_*",
	    "%s, %zu keys%s%s", cli_text_of(enclave, "backend"),
	    json_array_size(json_object_get(enclave, "keys")), insecure ? ", insecure: " : "",
	    names);
}

static void check_endpoints(struct doctor *doctor, const json_t *chain)
{
	const json_t *endpoints = json_object_get(chain, "endpoints");
	size_t good = 0;
	size_t http = 0;
	for (size_t i = 0; i < json_array_size(endpoints); i++) {
		const json_t *endpoint = json_array_get(endpoints, i);
		bool ok = strcmp(cli_text_of(endpoint, "state"), "ok") == 0;
		bool websocket = is_true(endpoint, "websocket");
		http += !websocket;
		good += ok && !websocket;
		if (!ok && strcmp(cli_text_of(endpoint, "state"), "unknown") != 0)
			say(doctor, WARN, "endpoint",
			    "repair it, or take another into chains[].rpc and `caisson reload`",
			    "%s %s is %s: %s", cli_text_of(chain, "id"),
			    cli_text_of(endpoint, "url"), cli_text_of(endpoint, "state"),
			    cli_text_of(endpoint, "why"));
	}
	if (good == 0)
		say(doctor, BAD, "chain", "no node answers: name one that does, `caisson reload`",
		    "%s: none of its %zu nodes", cli_text_of(chain, "id"), http);
}

static void check_clock(struct doctor *doctor, const json_t *chain)
{
	long long head_s = cli_number_of(chain, "head_time_s");
	long long behind_s = (long long)(host_wall_ms() / 1000) - head_s;
	if (head_s == 0)
		return;
	if (behind_s < -AHEAD_BAD_S)
		say(doctor, BAD, "clock", "set this machine's clock (NTP)",
		    "%s: its newest block is %lld s ahead of our clock", cli_text_of(chain, "id"),
		    -behind_s);
	else
		say(doctor, behind_s > BEHIND_WARN_S ? WARN : FINE, "clock",
		    "a chain without blocks, a node that is behind, or this machine's clock",
		    "%s: its newest block is %lld s old", cli_text_of(chain, "id"), behind_s);
}

static void check_unrouted(struct doctor *doctor, const json_t *chain)
{
	const json_t *unrouted = json_object_get(chain, "unrouted");
	for (size_t i = 0; i < json_array_size(unrouted); i++) {
		const json_t *row = json_array_get(unrouted, i);
		say(doctor, WARN, "route",
		    "they are taken up when the next manifest names it a remote",
		    "%s: %lld messages wait for a route to %s", cli_text_of(chain, "id"),
		    cli_number_of(row, "messages"), cli_text_of(row, "destination"));
	}
}

#define SPAN_SIZE 48u

/* "3 days", "5 hours", "40 s": how long there is. */
static const char *span(char text[SPAN_SIZE], long long seconds)
{
	static const struct {
		long long seconds;
		const char *unit;
	} units[] = {{86400, "days"}, {3600, "hours"}, {60, "minutes"}};
	for (size_t i = 0; i < CS_LEN(units); i++)
		if (seconds >= 2 * units[i].seconds) {
			(void)snprintf(text, SPAN_SIZE, "%lld %s", seconds / units[i].seconds,
				       units[i].unit);
			return text;
		}
	(void)snprintf(text, SPAN_SIZE, "%lld s", seconds);
	return text;
}

/* Half of the trusting period is gone without a final block, or all of it. */
static void check_client_end(struct doctor *doctor, const json_t *chain)
{
	char left[SPAN_SIZE];
	const char *id = cli_text_of(chain, "id");
	const long long left_s =
		cli_number_of(chain, "client_expires_s") - (long long)(host_wall_ms() / 1000);
	if (!json_is_integer(json_object_get(chain, "client_expires_s")) ||
	    left_s >= cli_number_of(chain, "trusting_period_s") / 2)
		return;
	if (left_s > 0)
		say(doctor, WARN, "client",
		    "before that one of its blocks has to become final: look at its nodes; a chain "
		    "that makes blocks for transactions needs one",
		    "%s: the enclave's light client is of no use any more in %s", id,
		    span(left, left_s));
	else
		say(doctor, BAD, "client",
		    "the next manifest with a new anchor of the chain: docs/protocol/manifest.md",
		    "%s: the enclave's light client has had no final block for its trusting period",
		    id);
}

static void check_chain(struct doctor *doctor, const json_t *chain)
{
	const char *id = cli_text_of(chain, "id");
	if (json_is_string(json_object_get(chain, "frozen")))
		say(doctor, BAD, "chain", "docs/protocol/manifest.md, after a freeze",
		    "%s is frozen: %s", id, cli_text_of(chain, "frozen"));
	else if (is_true(chain, "diverged"))
		say(doctor, BAD, "chain", "name a node whose branch holds the final block",
		    "%s: its node's branch does not hold what is final", id);
	else if (json_is_object(json_object_get(chain, "reorg_held")))
		say(doctor, BAD, "chain",
		    "compare its block with other nodes; then `caisson accept-reorg`",
		    "%s: a reorganisation of %lld blocks waits for an operator", id,
		    cli_number_of(json_object_get(chain, "reorg_held"), "blocks"));
	else if (cli_number_of(chain, "stalled_ms") > 0)
		say(doctor, WARN, "chain", "look at its nodes", "%s: no block for %lld s", id,
		    cli_number_of(chain, "stalled_ms") / 1000);
	else
		say(doctor, FINE, "chain", "", "%s: head %lld, final %lld", id,
		    cli_number_of(chain, "head"), cli_number_of(chain, "final"));
	check_client_end(doctor, chain);
	check_unrouted(doctor, chain);
	check_endpoints(doctor, chain);
	check_clock(doctor, chain);
}

static void check_attested(struct doctor *doctor, const json_t *peer)
{
	const json_t *attested = json_object_get(peer, "attested");
	const char *state = cli_text_of(attested, "state");
	const char *why = cli_text_of(attested, "why");
	const bool accepted = strcmp(state, "accepted") == 0;
	const bool insecure = is_true(attested, "insecure");
	const long long left_s =
		cli_number_of(attested, "evidence_until_s") - (long long)(host_wall_ms() / 1000);
	char left[SPAN_SIZE];
	if (!json_is_object(attested) || strcmp(state, "off") == 0)
		return;
	say(doctor,
	    !accepted  ? BAD
	    : insecure ? WARN
		       : FINE,
	    "attested",
	    accepted ? "nothing of it is for production: a policy without insecure_accept_…"
		     : "nothing of it is taken meanwhile: `caisson attest connect` with the same "
		       "policy shows each check",
	    "%s: its enclave is %s%s%s%s%s", cli_text_of(peer, "name"), state,
	    accepted ? ", evidence of kind " : "", accepted ? cli_text_of(attested, "kind") : "",
	    why[0] ? ": " : "", why);
	if (json_is_integer(json_object_get(attested, "evidence_until_s")) &&
	    left_s < CLI_ENDS_WARN_S)
		say(doctor, WARN, "attested",
		    "new collateral into the file of attested_collateral, and `caisson reload`",
		    "%s: what its evidence was accepted by ends in %s: then it is refused",
		    cli_text_of(peer, "name"), span(left, left_s < 0 ? 0 : left_s));
}

/* ---- what ends unless somebody renews it ---- */

/* The whole of a renewal: what the file says, and the commands. */
static void remedy_of_renewal(char *text, size_t size, const struct host_ledger_config *ledger,
			      const json_t *registration)
{
	const bool own = strcmp(cli_text_of(registration, "of"), "own") == 0;
	const char *enclave = cli_text_of(registration, "enclave");
	const char *evidence = cli_text_of(registration, "evidence");
	const bool by_word = !evidence[0] || strcmp(evidence, "administrators") == 0;
	char tag[2 * sizeof(ledger->tag.b) + 1];
	cs_hex(tag, CS_BYTES_OF(ledger->tag.b));
	(void)snprintf(text, size,
		       "%swrite enclave.json with%s%s%s \"expires\"; %s`caisson ledger register "
		       "enclave.json %s --key-file KEY --tag 0x%s --url %s` (docs/operating.md, "
		       "registrations that end)",
		       own ? "" : "its operator is to: ", enclave[0] ? " \"enclave\": \"" : "",
		       enclave, enclave[0] ? "\" and a later" : " its keys and an",
		       by_word ? "`caisson ledger approve enclave.json --register ID "
				 "--administrator N --key-file KEY` by the administrators; "
			       : "evidence about it, with new collateral; ",
		       by_word ? "--approval …" : "--evidence FILE --collateral FILE", tag,
		       ledger->nodes[0]);
}

static void remedy_of_registration(char *text, size_t size, const struct host_ledger_config *ledger,
				   const json_t *registration)
{
	const char *state = cli_text_of(registration, "state");
	if (strcmp(state, "stopped") == 0)
		(void)snprintf(text, size,
			       "somebody stopped it, or its manifest does not count: `caisson "
			       "ledger query enclaves.enclaveOf %s --url %s`, and ask the ledger's "
			       "owner",
			       cli_text_of(registration, "enclave"), ledger->nodes[0]);
	else if (strcmp(state, "not_yet") == 0)
		(void)snprintf(text, size, "wait: a later key counts after the owner's delay");
	else
		remedy_of_renewal(text, size, ledger, registration);
}

static void check_registration(struct doctor *doctor, const struct host_ledger_config *ledger,
			       const json_t *registration)
{
	char remedy[1024];
	char left[SPAN_SIZE];
	char until[CS_UTC_SIZE] = "";
	const char *state = cli_text_of(registration, "state");
	const char *of = strcmp(cli_text_of(registration, "of"), "own") == 0 ? "our" : "the";
	const char *chain = cli_text_of(registration, "chain");
	const bool needed = is_true(registration, "needed");
	const long long expires_s = cli_number_of(registration, "expires_s");
	const long long left_s = expires_s - (long long)(host_wall_ms() / 1000);
	remedy_of_registration(remedy, sizeof(remedy), ledger, registration);
	if (expires_s > 0 && expires_s <= (long long)CS_UTC_SECONDS_MAX)
		cs_utc_write(until, (uint64_t)expires_s);
	if (expires_s == 0)
		say(doctor, needed ? BAD : FINE, "registered", remedy,
		    "%s enclave of %s is not in the ledger's register%s", of, chain,
		    needed ? ": what needs it waits" : ", and need not be");
	else if (strcmp(state, "expired") == 0 || left_s <= 0)
		say(doctor, needed ? BAD : WARN, "registered", remedy,
		    "%s enclave of %s: its registration on the ledger has ended at %s", of, chain,
		    until);
	else if (strcmp(state, "active") != 0)
		say(doctor, needed ? BAD : WARN, "registered", remedy,
		    "%s enclave of %s: its registration on the ledger is %s", of, chain, state);
	else
		say(doctor, left_s < CLI_ENDS_WARN_S ? WARN : FINE, "registered", remedy,
		    "%s enclave of %s: its registration on the ledger ends in %s, at %s", of, chain,
		    span(left, left_s), until);
}

static void check_ledger(struct doctor *doctor, const struct host_ledger_config *config,
			 const json_t *ledger)
{
	const json_t *registrations = json_object_get(ledger, "registrations");
	if (!json_is_object(ledger))
		return;
	say(doctor, is_true(ledger, "writes") ? FINE : WARN, "ledger",
	    "docs/operating.md, the bridge's ledger: messages go on without it",
	    "%s: %s, %lld to write", cli_text_of(ledger, "id"), cli_text_of(ledger, "state"),
	    cli_number_of(ledger, "backlog"));
	/* The commands name a node of the file. */
	for (size_t i = 0; config->node_count > 0 && i < json_array_size(registrations); i++)
		check_registration(doctor, config, json_array_get(registrations, i));
}

static void check_rest(struct doctor *doctor, const struct gateway_config *config,
		       const json_t *status)
{
	const json_t *peers = json_object_get(status, "peers");
	const json_t *paused = json_object_get(status, "paused");
	for (size_t i = 0; i < json_array_size(peers); i++) {
		const json_t *peer = json_array_get(peers, i);
		bool reached = is_true(peer, "reachable");
		long long waiting = cli_number_of(peer, "waiting");
		say(doctor, reached || waiting == 0 ? FINE : WARN, "peer",
		    "its process, its address in peers[].url, and the key that it gave us",
		    "%s: %s, %lld items wait for it", cli_text_of(peer, "name"),
		    reached        ? "reached"
		    : waiting == 0 ? "not asked for anything yet"
				   : "not reached",
		    waiting);
		check_attested(doctor, peer);
	}
	for (size_t i = 0; i < json_array_size(paused); i++) {
		const json_t *pause = json_array_get(paused, i);
		say(doctor, WARN, "paused", "`caisson resume`, when it is time", "%s%s%s by %s: %s",
		    cli_text_of(pause, "chain"), cli_text_of(pause, "from_chain"),
		    cli_text_of(pause, "to_chain"), cli_text_of(pause, "who"),
		    cli_text_of(pause, "reason"));
	}
	check_ledger(doctor, &config->ledger, json_object_get(status, "ledger"));
}

/* ---- what is on the accounts, by the chain's first node ---- */

struct answer {
	bool done;
	json_t *body;
};

static void answered(void *context, const struct host_http_response *response)
{
	struct answer *answer = context;
	answer->done = true;
	if (response->err == CS_OK && response->body.n > 0)
		answer->body = json_loadb((const char *)response->body.p, response->body.n,
					  JSON_REJECT_DUPLICATES, NULL);
}

static bool is_answered(void *context)
{
	return ((struct answer *)context)->done;
}

static bool read_quantity(const json_t *answer, struct cs_u256 *value)
{
	const char *hex = json_string_value(json_object_get(answer, "result"));
	struct cs_hash word = {{0}};
	char digits[65];
	if (!hex || strncmp(hex, "0x", 2) != 0 || strlen(hex) < 3 || strlen(hex) > 66)
		return false;
	size_t n = strlen(hex) - 2;
	memset(digits, '0', 64 - n);
	memcpy(digits + 64 - n, hex + 2, n + 1);
	if (cs_unhex(word.b, sizeof(word.b), cs_bytes_str(digits)) != CS_OK)
		return false;
	*value = cs_u256_from_word(&word);
	return true;
}

/* A quantity of an EVM node. params is taken. */
static bool ask_node(struct cli *cli, const char *url, const char *method, json_t *params,
		     struct cs_u256 *value)
{
	struct cs_why why = {{0}};
	struct answer answer = {0};
	json_t *body = json_pack("{s:s,s:i,s:s,s:o}", "jsonrpc", "2.0", "id", 1, "method", method,
				 "params", params);
	char *text = json_dumps(body, JSON_COMPACT);
	json_decref(body);
	if (!cli->loop)
		cli->loop = host_loop_new();
	if (!cli->http)
		cli->http = host_http_client_new(cli->loop, &(struct host_http_client_options){0});
	struct host_http_request request = {.url = url,
					    .headers = {{"Content-Type", "application/json"}},
					    .body = cs_bytes_str(text),
					    .timeout_ms = NODE_TIMEOUT_MS};
	bool sent = host_http_client_allow(cli->http, url, &why) == CS_OK &&
		    host_http_send(cli->http, NULL, &request, answered, &answer) == CS_OK;
	free(text);
	bool good = sent &&
		    host_loop_run_until(cli->loop, is_answered, &answer, 2 * NODE_TIMEOUT_MS) ==
			    CS_OK &&
		    read_quantity(answer.body, value);
	json_decref(answer.body);
	return good;
}

static void check_account(struct doctor *doctor, const json_t *chain, const char *url,
			  const json_t *account)
{
	const char *address = cli_text_of(account, "address");
	bool is_gas = strcmp(cli_text_of(account, "role"), "gas") == 0;
	bool cannot_pay = is_true(account, "cannot_pay");
	char remedy[160];
	char role[24];
	struct cs_u256 balance;
	struct cs_u256 price;
	struct cs_u256 needed;
	char text[CS_U256_DECIMAL_SIZE];
	struct cs_u256 gas = cs_u256_u64((uint64_t)CALL_GAS * CALLS_WARN);
	(void)snprintf(remedy, sizeof(remedy), "send the chain's coin to %s: it pays for %s",
		       address, is_gas ? "deliveries and refunds" : "sponsored messages");
	if (cli_number_of(account, "index") > 0)
		(void)snprintf(role, sizeof(role), "gas_account %lld",
			       cli_number_of(account, "index"));
	else
		(void)snprintf(role, sizeof(role), "%s", is_gas ? "gas_account" : "operator");
	if (!ask_node(doctor->cli, url, "eth_getBalance", json_pack("[s,s]", address, "latest"),
		      &balance) ||
	    !ask_node(doctor->cli, url, "eth_gasPrice", json_array(), &price) ||
	    cs_u256_mul(&needed, &gas, &price) != CS_OK) {
		say(doctor, cannot_pay ? BAD : WARN, "account",
		    cannot_pay ? remedy : "ask the node for it by hand",
		    "%s %s %s: its node does not tell%s", cli_text_of(chain, "id"), role, address,
		    cannot_pay ? CANNOT_PAY : "");
		return;
	}
	cs_u256_decimal(text, &balance);
	bool few = cs_u256_cmp(&balance, &needed) < 0;
	say(doctor,
	    cannot_pay || cs_u256_is_zero(&balance) ? BAD
	    : few                                   ? WARN
						    : FINE,
	    "account", remedy, "%s %s %s has %s wei%s", cli_text_of(chain, "id"), role, address,
	    text, cannot_pay ? CANNOT_PAY : "");
}

static void check_accounts(struct doctor *doctor, const struct gateway_config *config,
			   const json_t *chain)
{
	for (size_t i = 0; i < config->chain_count; i++) {
		const struct host_chain_config *own = &config->chains[i].common;
		if (strcmp(own->id, cli_text_of(chain, "id")) != 0 ||
		    strncmp(own->id, "eip155:", strlen("eip155:")) != 0)
			continue;
		const json_t *accounts = json_object_get(chain, "accounts");
		for (size_t k = 0; k < json_array_size(accounts); k++)
			check_account(doctor, chain, own->http[0], json_array_get(accounts, k));
	}
}

/* ---- all of it ---- */

/* What a gateway answers with, or NULL: its refusal was said. */
static json_t *get(struct doctor *doctor, const char *path)
{
	json_t *reply = NULL;
	struct cli *cli = doctor->cli;
	bool json = cli->json;
	cli->json = false; /* its own line is one of ours */
	enum cli_exit code = cli_call(cli, "GET", path, NULL, &reply);
	cli->json = json;
	return code == CLI_OK ? reply : NULL;
}

static void check_gateway(struct doctor *doctor, const struct gateway_config *config)
{
	json_t *status = get(doctor, "/v1/status");
	json_t *enclave = status ? get(doctor, "/v1/enclave") : NULL;
	if (!status || !enclave) {
		say(doctor, BAD, "gateway",
		    "`caisson up FILE`; --url and --key-file name it, standard error says more",
		    "it does not answer");
		json_decref(status);
		return;
	}
	bool ready = is_true(status, "ready");
	say(doctor, ready ? FINE : BAD, "gateway", "the lines below say what is missing",
	    "%s: %s%s", cli_text_of(status, "name"),
	    ready ? "ready" : "not ready: ", ready ? "" : cli_text_of(status, "why"));
	check_manifest(doctor, config, status);
	check_enclave(doctor, enclave);
	const json_t *chains = json_object_get(status, "chains");
	for (size_t i = 0; i < json_array_size(chains); i++) {
		check_chain(doctor, json_array_get(chains, i));
		check_accounts(doctor, config, json_array_get(chains, i));
	}
	check_rest(doctor, config, status);
	json_decref(enclave);
	json_decref(status);
}

enum cli_exit cli_doctor(struct cli *cli)
{
	static struct cli_service service;
	struct doctor doctor = {.cli = cli, .checks = json_array()};
	const char *file =
		cli->positional_count == 1 ? cli->positional[0] : cli_option(cli, "config");
	if (!file)
		file = getenv("CAISSON_CONFIG");
	if (!file || cli->positional_count > 1) {
		json_decref(doctor.checks);
		return cli_fail(cli, CLI_USAGE, "which configuration?");
	}
	if (check_config(&doctor, &service, file)) {
		check_disk(&doctor, service.common->journal);
		check_gateway(&doctor, &service.gateway);
	}
	cli_service_free(&service);
	if (cli->json)
		cli_print_json(cli, json_pack("{s:b,s:o}", "ok", doctor.worst != BAD, "checks",
					      doctor.checks));
	else
		json_decref(doctor.checks);
	return doctor.worst == BAD ? CLI_FAILED : CLI_OK;
}
