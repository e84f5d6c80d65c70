#include "cli/cli.h"
#include "core/utc.h"
#include "host/loop.h"

#include <string.h>

static void print_chain(const json_t *chain)
{
	printf("chain     %s  head %lld  final %lld%s  cursor %lld  open transactions %lld\n",
	       cli_text_of(chain, "id"), cli_number_of(chain, "head"),
	       cli_number_of(chain, "final"),
	       json_is_true(json_object_get(chain, "insecure")) ? " (dev-final, insecure)" : "",
	       cli_number_of(chain, "cursor"), cli_number_of(chain, "open_transactions"));
	if (json_is_string(json_object_get(chain, "frozen")))
		printf("          FROZEN: %s\n", cli_text_of(chain, "frozen"));
	if (json_is_string(json_object_get(chain, "conflict")))
		printf("          evidence: GET %s\n", cli_text_of(chain, "conflict"));
	const json_t *held = json_object_get(chain, "reorg_held");
	if (json_is_object(held))
		printf("          WAITS FOR AN OPERATOR: a reorganisation of %lld blocks from "
		       "%lld, "
		       "block %s\n",
		       cli_number_of(held, "blocks"), cli_number_of(held, "from_height"),
		       cli_text_of(held, "block_hash"));
	if (cli_number_of(chain, "stalled_ms") != 0)
		printf("          stalled for %lld ms\n", cli_number_of(chain, "stalled_ms"));
	const json_t *unrouted = json_object_get(chain, "unrouted");
	for (size_t i = 0; i < json_array_size(unrouted); i++) {
		const json_t *row = json_array_get(unrouted, i);
		printf("          %lld messages wait for a route to %s (blocks %lld to %lld)\n",
		       cli_number_of(row, "messages"), cli_text_of(row, "destination"),
		       cli_number_of(row, "from_height"), cli_number_of(row, "to_height"));
	}
	if (cli_number_of(chain, "client_stands_ms") != 0)
		printf("          light client stands for %lld ms\n",
		       cli_number_of(chain, "client_stands_ms"));
}

/* A registration that ends within a week, or does not count and is needed. */
static void print_registration(const json_t *registration)
{
	const char *state = cli_text_of(registration, "state");
	const long long expires_s = cli_number_of(registration, "expires_s");
	const bool ends_soon =
		expires_s > 0 && expires_s < (long long)(host_wall_ms() / 1000) + CLI_ENDS_WARN_S;
	const bool is_fine = strcmp(state, "active") == 0 ||
			     !json_is_true(json_object_get(registration, "needed"));
	char until[CS_UTC_SIZE] = "";
	if (is_fine && !ends_soon)
		return;
	if (expires_s > 0 && expires_s <= (long long)CS_UTC_SECONDS_MAX)
		cs_utc_write(until, (uint64_t)expires_s);
	printf("          REGISTRATION: %s enclave of %s is %s%s%s: `caisson doctor` says what to "
	       "do\n",
	       cli_text_of(registration, "of"), cli_text_of(registration, "chain"), state,
	       until[0] ? ", its end is " : "", until);
}

void cli_print_ledger(const json_t *ledger)
{
	size_t held = 0;
	const json_t *leases = json_object_get(ledger, "leases");
	if (!json_is_object(ledger))
		return;
	for (size_t i = 0; i < json_array_size(leases); i++)
		held += json_is_true(json_object_get(json_array_get(leases, i), "ours"));
	printf("ledger    %s  height %lld  %lld of %lld nodes  %lld to write",
	       cli_text_of(ledger, "id"), cli_number_of(ledger, "height"),
	       cli_number_of(ledger, "reachable"), cli_number_of(ledger, "nodes"),
	       cli_number_of(ledger, "backlog"));
	if (json_is_array(leases))
		printf("  %zu of %zu leases", held, json_array_size(leases));
	putchar('\n');
	if (!json_is_true(json_object_get(ledger, "writes")))
		printf("          not writing (%s): %s; everything else goes on\n",
		       cli_text_of(ledger, "state"), cli_text_of(ledger, "why"));
	if (cli_number_of(ledger, "conflicts") != 0)
		printf("          CONFLICTS: %lld records contradict each other\n",
		       cli_number_of(ledger, "conflicts"));
	const json_t *registrations = json_object_get(ledger, "registrations");
	for (size_t i = 0; i < json_array_size(registrations); i++)
		print_registration(json_array_get(registrations, i));
}

static void print_status(const json_t *status)
{
	const json_t *chains = json_object_get(status, "chains");
	const json_t *peers = json_object_get(status, "peers");
	const json_t *messages = json_object_get(status, "messages");
	bool ready = json_is_true(json_object_get(status, "ready"));
	printf("gateway   %s  %s%s\n", cli_text_of(status, "name"),
	       ready ? "ready" : "not ready: ", ready ? "" : cli_text_of(status, "why"));
	printf("manifest  %s, number %lld\n", cli_text_of(status, "manifest_hash"),
	       cli_number_of(status, "manifest_number"));
	for (size_t i = 0; i < json_array_size(chains); i++)
		print_chain(json_array_get(chains, i));
	if (json_is_object(json_object_get(status, "reload")))
		printf("reload    waits: %s\n",
		       cli_text_of(json_object_get(status, "reload"), "why"));
	cli_print_pauses(json_object_get(status, "paused"));
	cli_print_ledger(json_object_get(status, "ledger"));
	for (size_t i = 0; i < json_array_size(peers); i++) {
		const json_t *peer = json_array_get(peers, i);
		const char *attested = cli_text_of(json_object_get(peer, "attested"), "state");
		const bool off = !attested[0] || strcmp(attested, "off") == 0;
		printf("peer      %s  %s  %lld waiting%s%s\n", cli_text_of(peer, "name"),
		       json_is_true(json_object_get(peer, "reachable")) ? "reachable"
									: "not reached",
		       cli_number_of(peer, "waiting"), off ? "" : "  its enclave is ",
		       off ? "" : attested);
	}
	for (size_t i = 0; i < json_array_size(messages); i++) {
		const json_t *row = json_array_get(messages, i);
		printf("messages  %-14s %-12s %-17s %lld\n", cli_text_of(row, "chain"),
		       cli_text_of(row, "side"), cli_text_of(row, "state"),
		       cli_number_of(row, "count"));
	}
}

enum cli_exit cli_status(struct cli *cli)
{
	json_t *status = NULL;
	enum cli_exit code = cli_call(cli, "GET", "/v1/status", NULL, &status);
	if (code != CLI_OK)
		return code;
	bool ready = json_is_true(json_object_get(status, "ready"));
	if (cli->json) {
		cli_print_json(cli, status);
	} else {
		print_status(status);
		json_decref(status);
	}
	return ready ? CLI_OK : CLI_FAILED;
}

static void print_enclave(const json_t *enclave)
{
	const json_t *keys = json_object_get(enclave, "keys");
	printf("backend          %s%s\n", cli_text_of(enclave, "backend"),
	       cli_number_of(enclave, "insecure_flags")
		       ? "  INSECURE: its keys sign under the insecure domain"
		       : "");
	printf("insecure flags   0x%llx", cli_number_of(enclave, "insecure_flags"));
	const json_t *names = json_object_get(enclave, "insecure");
	for (size_t i = 0; i < json_array_size(names); i++)
		printf(" %s", json_string_value(json_array_get(names, i)));
	putchar('\n');
	printf("build            %s\nmeasurement      %s\n", cli_text_of(enclave, "build"),
	       cli_text_of(enclave, "measurement"));
	printf("manifest         %s, number %lld\n", cli_text_of(enclave, "manifest_hash"),
	       cli_number_of(enclave, "manifest_number"));
	printf("lineage          %s\n", cli_text_of(enclave, "lineage"));
	printf("evidence digest  %s\n", cli_text_of(enclave, "evidence_digest"));
	for (size_t i = 0; i < json_array_size(keys); i++) {
		const json_t *key = json_array_get(keys, i);
		printf("key              %s epoch %lld  %s\n                 gateway identity %s\n "
		       "                gas account %s\n",
		       cli_text_of(key, "chain"), cli_number_of(key, "epoch"),
		       cli_text_of(key, "public_key"), cli_text_of(key, "identity"),
		       cli_text_of(key, "gas_address"));
	}
}

enum cli_exit cli_keys_enclave(struct cli *cli)
{
	json_t *enclave = NULL;
	enum cli_exit code = cli_call(cli, "GET", "/v1/enclave", NULL, &enclave);
	if (code != CLI_OK)
		return code;
	bool has_keys = json_array_size(json_object_get(enclave, "keys")) > 0;
	if (cli->json) {
		cli_print_json(cli, enclave);
	} else if (has_keys) {
		print_enclave(enclave);
		json_decref(enclave);
	} else {
		code = cli_fail(cli, CLI_FAILED, "the enclave has no keys yet: %s",
				cli_text_of(enclave, "why"));
		json_decref(enclave);
		return code;
	}
	return has_keys ? CLI_OK : CLI_FAILED;
}

enum cli_exit cli_keys_rotate(struct cli *cli)
{
	json_t *rotation = NULL;
	const char *chain = cli_option(cli, "chain");
	enum cli_exit code =
		cli_call(cli, "POST", "/v1/keys/rotate",
			 chain ? json_pack("{s:s}", "chain", chain) : json_object(), &rotation);
	if (code != CLI_OK)
		return code;
	if (cli->json) {
		cli_print_json(cli, rotation);
		return CLI_OK;
	}
	const json_t *remotes = json_object_get(rotation, "remotes");
	printf("key       %s epoch %lld  %s\n", cli_text_of(rotation, "chain"),
	       cli_number_of(rotation, "epoch"), cli_text_of(rotation, "public_key"));
	for (size_t i = 0; i < json_array_size(remotes); i++) {
		const json_t *remote = json_array_get(remotes, i);
		printf("remote    %s  %s\n", cli_text_of(remote, "chain"),
		       json_is_true(json_object_get(remote, "in_force")) ? "in force"
									 : "announced");
	}
	json_decref(rotation);
	return CLI_OK;
}
