/* The ledger application behind a socket, for a real CometBFT:
 *
 *	caisson-abci-ledger --address unix:///run/ledger.sock --database ledger.db
 *	cometbft start --proxy_app unix:///run/ledger.sock
 *
 * Beside our own engine it runs in the node's process: caisson-ledger start --proxy_app ledger. */
#include "host/cometbft_text.h"
#include "host/log.h"
#include "relay_state/abci_socket/server.h"
#include "relay_state/node/ledger_app.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define DRAIN_MS 1000u

static const char usage[] =
	"caisson-abci-ledger: the ledger application, behind a socket\n"
	"\n"
	"  --address ADDRESS     unix://PATH or tcp://ADDRESS:PORT [tcp://127.0.0.1:26658]\n"
	"  --database FILE       the state [" NODE_LEDGER_FILE "]\n"
	"  --snapshot-interval N heights between two snapshots [0: none; others' are restored]\n"
	"  --insecure-remote     also listen on an address beyond this machine: whoever reaches "
	"it\n"
	"                        drives the application\n"
	"  --log-json            the log as JSON\n";

struct options {
	struct abci_server_options server;
	const char *database;
	uint64_t snapshot_interval;
	bool log_json;
};

static bool read_number(uint64_t *number, const char *text)
{
	int64_t value;
	if (text == NULL || cometbft_unnumber(&value, text) != CS_OK || value < 0)
		return false;
	*number = (uint64_t)value;
	return true;
}

/* How many arguments the option takes; 0: it is none, or its value is missing. */
static int take_option(struct options *options, const char *name, const char *value)
{
	if (strcmp(name, "--address") == 0 && value != NULL) {
		options->server.address = value;
		return 2;
	}
	if (strcmp(name, "--database") == 0 && value != NULL) {
		options->database = value;
		return 2;
	}
	if (strcmp(name, "--snapshot-interval") == 0)
		return read_number(&options->snapshot_interval, value) ? 2 : 0;
	if (strcmp(name, "--insecure-remote") == 0) {
		options->server.insecure_remote = true;
		return 1;
	}
	if (strcmp(name, "--log-json") == 0) {
		options->log_json = true;
		return 1;
	}
	return 0;
}

static void opened(void *context, uint32_t connections)
{
	(void)context;
	log_info("abci.opened", LOG_U64("connections", connections));
}

static void closed(void *context, enum cs_err err, const char *why, uint32_t connections)
{
	(void)context;
	if (err == CS_ERR_CLOSED)
		log_info("abci.closed", LOG_U64("connections", connections));
	else
		log_warn("abci.closed", LOG_ERR(err), LOG_TEXT("why", why),
			 LOG_U64("connections", connections));
}

static void failed(void *context, enum abci_method method, enum cs_err err, const char *why)
{
	(void)context;
	log_error("abci.exception", LOG_TEXT("method", abci_method_name(method)), LOG_ERR(err),
		  LOG_TEXT("why", why));
}

static void stop(void *context)
{
	host_loop_stop(context);
}

static enum cs_err serve(const struct options *options, struct node_ledger *ledger,
			 struct cs_why *why)
{
	static const struct abci_server_events events = {opened, closed, failed};
	const struct abci_app app = node_ledger_table(ledger);
	struct abci_server *server;
	struct host_loop *loop = host_loop_new();
	enum cs_err err =
		abci_server_new(&server, loop, &options->server, &app, &events, NULL, why);
	if (err == CS_OK) {
		if (options->server.insecure_remote)
			log_warn("abci.insecure_remote",
				 LOG_TEXT("address", options->server.address));
		log_info("abci.listening", LOG_TEXT("address", options->server.address),
			 LOG_U64("port", abci_server_port(server)),
			 LOG_U64("height", node_ledger_height(ledger)));
		host_loop_catch_signals(loop, DRAIN_MS);
		host_loop_on_drain(loop, stop, loop);
		host_loop_run(loop);
		abci_server_free(server);
	}
	host_loop_free(loop);
	return err;
}

static int run(const struct options *options)
{
	struct node_ledger *ledger = NULL;
	struct cs_why why = {""};
	enum cs_err err =
		node_ledger_open(&ledger, options->database, 0, options->snapshot_interval, &why);
	if (err == CS_OK)
		err = serve(options, ledger, &why);
	if (err != CS_OK)
		log_error("abci.start_failed", LOG_ERR(err), LOG_TEXT("why", why.text));
	node_ledger_close(ledger);
	return err == CS_OK ? 0 : 1;
}

int main(int argc, char **argv)
{
	struct options options = {.server.address = "tcp://127.0.0.1:26658",
				  .database = NODE_LEDGER_FILE};
	for (int i = 1; i < argc && argv[i] != NULL;) {
		const int taken = take_option(&options, argv[i], i + 1 < argc ? argv[i + 1] : NULL);
		if (taken == 0) {
			const bool asked = strcmp(argv[i], "--help") == 0;
			(void)fputs(usage, asked ? stdout : stderr);
			return asked ? 0 : 2;
		}
		i += taken;
	}
	const struct host_log_options log = {
		.level = HOST_LOG_INFO, .json = options.log_json, .fd = STDERR_FILENO};
	host_log_open(&log);
	return run(&options);
}
