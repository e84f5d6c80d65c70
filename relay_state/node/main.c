/* caisson-ledger: a node of the ledger, with CometBFT's commands where they exist.
 *
 *	caisson-ledger testnet --v 4 --o net
 *	caisson-ledger start --home net/node0 */
#include "host/log.h"
#include "relay_state/node/commands.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LARGE_SIZE (256 * 1024)

static const char usage[] =
	"caisson-ledger COMMAND [OPTIONS]\n"
	"\n"
	"  init                  keys, genesis and configuration of a chain of one validator\n"
	"  testnet               the same for several on this machine\n"
	"  start                 run the node\n"
	"  status                what a running node's RPC says\n"
	"  show-node-id          the id by which peers know the node\n"
	"  show-validator        the validator's public key\n"
	"  show-time-key         the key with which the node signs the time\n"
	"  export                the state as the genesis of another chain\n"
	"  rollback              one height back, when the node is down\n"
	"  forensics             who signed what, and who signed twice\n"
	"\n"
	"  --home DIR            of the node [$CMTHOME, else ~/.caisson-ledger]\n"
	"  --v N, --o DIR        testnet: validators [4], where to [./mytestnet]\n"
	"  --chain-id ID         init, testnet: [a random one]\n"
	"  --starting-port N     testnet: P2P of the first node; each has three from there "
	"[26656]\n"
	"  --proxy_app APP       init, testnet, start: ledger, kvstore, persistent_kvstore,\n"
	"                        unix://PATH, tcp://ADDRESS:PORT\n"
	"  --fund ADDRESS=AMOUNT init, testnet --proxy_app ledger: an account of the new ledger;\n"
	"                        many times\n"
	"  --bond ADDRESS=AMOUNT init, testnet --proxy_app ledger: the deposit of each validator,\n"
	"                        and who operates them\n"
	"  --log_level LEVEL     start: debug, info, warn, error [info]\n"
	"  --log-json            start: the log as JSON\n"
	"  --account ADDRESS, --register IDENTITY\n"
	"                        show-time-key: the calldata that registers it;\n"
	"                        show-validator: the same, with the chain's tag as IDENTITY\n"
	"  --height N            export: after this height [the last]\n"
	"  --app-state FILE      init, testnet, export: JSON for app_state\n"
	"  --hard                rollback: the block too\n"
	"  --home A --home B     forensics: of several nodes together\n"
	"  --from N, --to N      forensics: heights [all]\n"
	"  --json                forensics: as JSON\n"
	"  --node URL            status: [tcp://127.0.0.1:26657]\n";

static bool take_text(const char **to, const char *name, const char *option, const char *value)
{
	if (strcmp(name, option) != 0 || value == NULL)
		return false;
	*to = value;
	return true;
}

/* ADDRESS=AMOUNT; false: *wrong says which part is not what it must be. */
static bool take_amount(struct node_fund *fund, const char *value, const char **wrong)
{
	const char *equals = strchr(value, '=');
	if (equals == NULL)
		*wrong = "no ADDRESS=AMOUNT";
	else if (strncmp(value, "0x", 2) != 0 ||
		 cs_unhex(fund->address.b, sizeof fund->address.b,
			  cs_bytes(value, (size_t)(equals - value))) != CS_OK)
		*wrong = "the address is not 0x and 40 hex digits";
	else if (cs_u256_from_decimal(&fund->amount, cs_bytes_str(equals + 1)) != CS_OK)
		*wrong = "the amount is not a whole number in decimal digits";
	else
		return true;
	return false;
}

static bool take_fund(struct node_command *c, const char *value, const char **wrong)
{
	_Static_assert(NODE_FUNDS_MAX == 64, "the sentence below");
	struct node_fund *fund = &c->funds[c->fund_count];
	if (c->fund_count == NODE_FUNDS_MAX) {
		*wrong = "64 accounts at most; --app-state takes more";
		return false;
	}
	if (!take_amount(fund, value, wrong))
		return false;
	for (size_t i = 0; i < c->fund_count; i++) {
		if (!cs_address_eq(&c->funds[i].address, &fund->address))
			continue;
		*wrong = "the account is there already";
		return false;
	}
	c->fund_count++;
	return true;
}

/* A number within bounds; false: *wrong says which they are. */
static bool take_number(int64_t *number, const char *name, const char *value, const char **wrong)
{
	static const struct {
		const char *name;
		int64_t max;
		const char *wrong;
	} bounds[] = {
		{"--v", BFT_VALIDATORS_MAX, "not a number from 1 to 32"},
		{"--starting-port", 65000, "not a number from 1 to 65000"},
		{"--height", INT64_MAX, "not a height from 1 on"},
		{"--from", INT64_MAX, "not a height from 1 on"},
		{"--to", INT64_MAX, "not a height from 1 on"},
	};
	_Static_assert(BFT_VALIDATORS_MAX == 32, "the sentence above");
	for (size_t i = 0; i < CS_LEN(bounds); i++) {
		if (strcmp(name, bounds[i].name) != 0)
			continue;
		*wrong = bounds[i].wrong;
		return cometbft_unnumber(number, value) == CS_OK && *number >= 1 &&
		       *number <= bounds[i].max;
	}
	return false;
}

static bool wants_value(const char *name)
{
	static const char *const names[] = {
		"--home", "--o",       "--chain-id", "--proxy_app",    "--log_level", "--app-state",
		"--node", "--account", "--register", "--fund",         "--bond",      "--v",
		"--from", "--to",      "--height",   "--starting-port"};
	for (size_t i = 0; i < CS_LEN(names); i++) {
		if (strcmp(name, names[i]) == 0)
			return true;
	}
	return false;
}

/* How many arguments it takes; 0: none of ours, or *wrong says what is the matter with its value. */
static int take_option(struct node_command *c, const char *name, const char *value,
		       const char **wrong)
{
	int64_t number;
	if (strcmp(name, "--home") == 0 && value != NULL && c->home_count < NODE_HOMES_MAX)
		c->homes[c->home_count++] = value;
	if (take_text(&c->home, name, "--home", value) || take_text(&c->out, name, "--o", value) ||
	    take_text(&c->chain_id, name, "--chain-id", value) ||
	    take_text(&c->proxy_app, name, "--proxy_app", value) ||
	    take_text(&c->log_level, name, "--log_level", value) ||
	    take_text(&c->app_state, name, "--app-state", value) ||
	    take_text(&c->node, name, "--node", value) ||
	    take_text(&c->account, name, "--account", value) ||
	    take_text(&c->identity, name, "--register", value))
		return 2;
	if (strcmp(name, "--log-json") == 0) {
		c->log_json = true;
		return 1;
	}
	if (strcmp(name, "--hard") == 0 || strcmp(name, "--json") == 0) {
		*(name[2] == 'h' ? &c->hard : &c->json) = true;
		return 1;
	}
	if (value == NULL) {
		*wrong = wants_value(name) ? "its value is missing" : NULL;
		return 0;
	}
	if (strcmp(name, "--fund") == 0)
		return take_fund(c, value, wrong) ? 2 : 0;
	if (strcmp(name, "--bond") == 0) {
		c->has_bond = take_amount(&c->bond, value, wrong);
		return c->has_bond ? 2 : 0;
	}
	if (!take_number(&number, name, value, wrong))
		return 0;
	if (strcmp(name, "--v") == 0)
		c->validators = (uint32_t)number;
	else if (strcmp(name, "--starting-port") == 0)
		c->port = (uint16_t)number;
	else
		*(name[2] == 'h' ? &c->height : name[2] == 'f' ? &c->from : &c->to) = number;
	return 2;
}

/* "--name value" or "--name=value". */
static int take_argument(struct node_command *c, const char *argument, const char *next,
			 const char **wrong)
{
	char name[32];
	const char *equals = strchr(argument, '=');
	if (equals == NULL)
		return take_option(c, argument, next, wrong);
	if ((size_t)(equals - argument) >= sizeof name)
		return 0;
	(void)snprintf(name, sizeof name, "%.*s", (int)(equals - argument), argument);
	return take_option(c, name, equals + 1, wrong) == 2 ? 1 : 0;
}

static const struct {
	const char *name;
	enum cs_err (*run)(const struct node_command *command, struct cs_why *why);
} commands[] = {
	{"init", node_command_init},
	{"testnet", node_command_testnet},
	{"start", node_command_start},
	{"status", node_command_status},
	{"show-node-id", node_command_show_node_id},
	{"show-validator", node_command_show_validator},
	{"show-time-key", node_command_show_time_key},
	{"export", node_command_export},
	{"rollback", node_command_rollback},
	{"forensics", node_command_forensics},
};

static bool is_help(const char *argument)
{
	return strcmp(argument, "--help") == 0 || strcmp(argument, "-h") == 0 ||
	       strcmp(argument, "help") == 0;
}

static int fail_usage(const char *argument, const char *what)
{
	if (is_help(argument)) {
		(void)fputs(usage, stdout);
		return 0;
	}
	(void)fprintf(stderr, "caisson-ledger: %s: %s; caisson-ledger --help shows all\n", argument,
		      what);
	return 2;
}

/* wrong NULL: there is no such option, or it takes no value. */
static int fail_option(const char *argument, const char *next, const char *wrong)
{
	char what[512];
	if (wrong == NULL)
		return fail_usage(argument, "no such option, or one without a value");
	/* "--name value" is told as a whole. */
	if (strchr(argument, '=') != NULL || next == NULL)
		return fail_usage(argument, wrong);
	(void)snprintf(what, sizeof what, "%.40s %.400s", argument, next);
	return fail_usage(what, wrong);
}

int main(int argc, char **argv)
{
	struct node_command command = {.out = "./mytestnet",
				       .validators = 4,
				       .port = 26656,
				       .log_level = "info",
				       .node = "tcp://127.0.0.1:26657",
				       .home = getenv("CMTHOME")};
	char home[NODE_PATH_SIZE_MAX];
	struct cs_why why = {{0}};
	/* A block passes through a dozen buffers of its size: a fixed bound gives them back, where glibc
	 * would learn from the first that went to keep the next in its heap. */
	(void)mallopt(M_MMAP_THRESHOLD, LARGE_SIZE);
	(void)mallopt(M_TRIM_THRESHOLD, 2 * LARGE_SIZE);
	if (command.home == NULL) {
		const char *user = getenv("HOME");
		(void)snprintf(home, sizeof home, "%s/.caisson-ledger", user != NULL ? user : "");
		command.home = home;
	}
	if (argc < 2) {
		(void)fputs(usage, stderr);
		return 2;
	}
	for (int i = 2; i < argc && argv[i] != NULL;) {
		const char *next = i + 1 < argc ? argv[i + 1] : NULL, *wrong = NULL;
		int taken = take_argument(&command, argv[i], next, &wrong);
		if (taken == 0)
			return fail_option(argv[i], next, wrong);
		i += taken;
	}
	for (size_t i = 0; i < CS_LEN(commands); i++) {
		if (strcmp(argv[1], commands[i].name) != 0)
			continue;
		enum cs_err err = commands[i].run(&command, &why);
		if (err != CS_OK)
			(void)fprintf(stderr, "caisson-ledger: %s: %s\n", cs_err_name(err),
				      why.text);
		return err == CS_OK ? 0 : 1;
	}
	return fail_usage(argv[1], "no command");
}
