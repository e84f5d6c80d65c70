/* Our kvstore behind a socket, for a real CometBFT:
 *
 *	caisson-abci-kvstore --address unix:///run/kvstore.sock
 *	cometbft start --proxy_app unix:///run/kvstore.sock
 *
 * The state is in memory: after a restart CometBFT replays its blocks. */
#include "host/alloc.h"
#include "host/log.h"
#include "relay_state/abci/kvstore_snapshot.h"
#include "relay_state/abci_socket/server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define MEMORY_MIB_DEFAULT 512u
/* A snapshot may take a quarter of it; taken from the system as it is used. */
#define SNAPSHOTS_MEMORY (1024u * 1024 * 1024)
#define DRAIN_MS 1000u

static const char usage[] =
	"caisson-abci-kvstore: CometBFT's example application, behind a socket\n"
	"\n"
	"  --address ADDRESS     unix://PATH or tcp://ADDRESS:PORT [tcp://127.0.0.1:26658]\n"
	"  --memory-mib N        for keys and values, 1 to 16384 [512]\n"
	"  --snapshot-interval N heights between two snapshots [0: none; others' are restored]\n"
	"  --retain-blocks N     lets CometBFT forget older blocks [0: none]\n"
	"  --insecure-remote     also listen on an address beyond this machine: whoever reaches "
	"it\n"
	"                        drives the application\n"
	"  --log-json            the log as JSON\n";

struct options {
	struct abci_server_options server;
	uint64_t memory_mib;
	uint64_t retain_blocks;
	uint64_t snapshot_interval;
	bool log_json;
};

static bool read_number(uint64_t *number, const char *text, uint64_t max)
{
	char *end;
	if (text == NULL || text[0] < '0' || text[0] > '9')
		return false;
	const unsigned long long value = strtoull(text, &end, 10);
	if (*end != 0 || value > max)
		return false;
	*number = value;
	return true;
}

/* How many arguments the option takes; 0: it is none, or its value is not allowed. */
static int take_option(struct options *options, const char *name, const char *value)
{
	if (strcmp(name, "--address") == 0 && value != NULL) {
		options->server.address = value;
		return 2;
	}
	if (strcmp(name, "--memory-mib") == 0)
		return read_number(&options->memory_mib, value, 16384) && options->memory_mib > 0
			       ? 2
			       : 0;
	if (strcmp(name, "--retain-blocks") == 0)
		return read_number(&options->retain_blocks, value, INT64_MAX) ? 2 : 0;
	if (strcmp(name, "--snapshot-interval") == 0)
		return read_number(&options->snapshot_interval, value, INT64_MAX) ? 2 : 0;
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

static int run(const struct options *options)
{
	static const struct abci_server_events events = {opened, closed, failed};
	struct abci_kvstore_options kv = {
		.memory_size = options->memory_mib * 1024 * 1024,
		.retain_blocks = (int64_t)options->retain_blocks,
	};
	struct abci_kvstore *store = host_alloc(sizeof *store);
	struct abci_server *server;
	struct cs_why why = {""};
	kv.memory = host_alloc(kv.memory_size);
	cs_assert(getrandom(kv.seed, sizeof kv.seed, 0) == (ssize_t)sizeof kv.seed);
	cs_assert(abci_kvstore_init(store, &kv) == CS_OK);
	struct abci_kvstore_snapshots *snapshots = host_alloc(sizeof *snapshots);
	struct abci_kvstore_snapshots_options kept = {
		.memory_size = SNAPSHOTS_MEMORY,
		.interval = (int64_t)options->snapshot_interval,
	};
	struct abci_app app;
	kept.memory = host_alloc(kept.memory_size);
	cs_assert(abci_kvstore_snapshots_init(snapshots, &app, store, &kept) == CS_OK);
	struct host_loop *loop = host_loop_new();
	enum cs_err err =
		abci_server_new(&server, loop, &options->server, &app, &events, NULL, &why);
	if (err != CS_OK) {
		log_error("abci.start_failed", LOG_ERR(err), LOG_TEXT("why", why.text));
	} else {
		if (options->server.insecure_remote)
			log_warn("abci.insecure_remote",
				 LOG_TEXT("address", options->server.address));
		log_info("abci.listening", LOG_TEXT("address", options->server.address),
			 LOG_U64("port", abci_server_port(server)));
		host_loop_catch_signals(loop, DRAIN_MS);
		host_loop_on_drain(loop, stop, loop);
		host_loop_run(loop);
		abci_server_free(server);
	}
	host_loop_free(loop);
	free(kept.memory);
	free(snapshots);
	free(kv.memory);
	free(store);
	return err == CS_OK ? 0 : 1;
}

int main(int argc, char **argv)
{
	struct options options = {
		.server.address = "tcp://127.0.0.1:26658",
		.memory_mib = MEMORY_MIB_DEFAULT,
	};
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
