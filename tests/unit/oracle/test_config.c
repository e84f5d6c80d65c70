/* The oracle's configuration: what a file may say, what is refused with its path. */
#include "oracle/config.h"
#include "tests/unit/support.h"

#include <stdio.h>
#include <unistd.h>

static char path[64];

static const char base[] = "name = \"test\"\n[enclave]\ntrust_store = \"store.pem\"\n";

static int setup(void **state)
{
	(void)state;
	snprintf(path, sizeof(path), "/tmp/caisson-config-XXXXXX");
	int fd = mkstemp(path);
	if (fd < 0)
		return -1;
	close(fd);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	unlink(path);
	return 0;
}

static enum cs_err load(struct oracle_config *config, const char *more)
{
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fputs(base, file);
	fputs(more, file);
	fclose(file);
	return oracle_config_load(config, path, false);
}

static void defaults(void **state)
{
	struct oracle_config config;
	(void)state;
	assert_int_equal(load(&config, ""), CS_OK);
	assert_string_equal(config.name, "test");
	assert_string_equal(config.service.trust_store, "/tmp/store.pem");
	assert_null(config.service.logs);
	assert_string_equal(config.service.enclave_program, "caisson-oracle-enclave");
	assert_string_equal(config.service.journal, "/tmp/journal.db");
	assert_int_equal(config.service.port, 8090);
	assert_int_equal(config.chain_count, 0);
	assert_int_equal(config.service.manifest_count, 1);
	assert_int_equal(config.service.egress.network_count, 0);
	assert_null(config.providers_trust_store);
	assert_null(config.providers_logs);
	assert_int_equal(config.providers_egress.network_count, 0);
	assert_false(config.asks_providers);
	oracle_config_free(&config);
}

static void everything(void **state)
{
	struct oracle_config config;
	(void)state;
	assert_int_equal(
		load(&config,
		     "logs = \"/etc/logs.json\"\nargs = [\"--insecure-plain-memory\"]\n"
		     "[egress]\nnetworks = [\"10.1.0.0/16\", \"::1/128\"]\n"
		     "names = [\"a.test=127.0.0.1\", \"b.test=::1\"]\n"
		     "[providers]\ntrust_store = \"rpc.pem\"\nlogs = \"/etc/rpc-logs.json\"\n"
		     "networks = [\"10.2.0.0/16\"]\nnames = [\"p.test=127.0.0.2\"]\n"
		     "[[chains]]\nid = \"eip155:7\"\nrpc = [\"http://a\"]\nmax_fee_gwei = 3\n"
		     "operator_key_file = \"op.key\"\nrefund = true\n"
		     "fee_min_percent = 80\nunpaid_gas_max = 5\nunpaid_asker_gas_max = 4\n"
		     "unpaid_callback_gas_max = 0\n"),
		CS_OK);
	assert_string_equal(config.service.logs, "/etc/logs.json");
	assert_int_equal(config.service.egress.network_count, 2);
	assert_int_equal(config.service.egress.name_count, 2);
	assert_string_equal(config.service.egress.names[0].name, "a.test");
	assert_string_equal(config.service.egress.names[1].address, "::1");
	assert_string_equal(config.providers_trust_store, "/tmp/rpc.pem");
	assert_string_equal(config.providers_logs, "/etc/rpc-logs.json");
	assert_int_equal(config.providers_egress.network_count, 1);
	assert_string_equal(config.providers_egress.networks[0], "10.2.0.0/16");
	assert_int_equal(config.providers_egress.name_count, 1);
	assert_string_equal(config.providers_egress.names[0].name, "p.test");
	assert_string_equal(config.providers_egress.names[0].address, "127.0.0.2");
	assert_int_equal(config.chain_count, 1);
	assert_true(config.chains[0].common.max_fee_wei == 3000000000u);
	assert_string_equal(config.chains[0].common.operator_key_file, "/tmp/op.key");
	assert_true(config.chains[0].refund);
	assert_int_equal(config.chains[0].fee_min_percent, 80);
	assert_int_equal(config.chains[0].unpaid_gas_max, 5);
	assert_int_equal(config.chains[0].unpaid_asker_gas_max, 4);
	assert_int_equal(config.chains[0].unpaid_callback_gas_max, 0);
	oracle_config_free(&config);
}

static void refused(void **state)
{
	static const struct {
		const char *more;
		const char *why;
	} rows[] = {
		{"[api]\nprot = 1\n", "api.prot"},
		{"[api]\nport = 70000\n", "api.port"},
		{"[api]\nrate_max = 0\n", "api.rate_max"},
		{"[egress]\nnetworks = [\"10.1.0.0\"]\n", "egress.networks"},
		{"[egress]\nnetworks = [\"10.1.0.0/x\"]\n", "egress.networks"},
		{"[egress]\nnetworks = [\"everything/0\"]\n", "egress.networks"},
		{"[egress]\nnames = [\"a.test\"]\n", "egress.names"},
		{"[egress]\nnames = [\"=127.0.0.1\"]\n", "egress.names"},
		{"[egress]\nnames = [\"a.test=b.test\"]\n", "egress.names"},
		{"[providers]\nnetworks = [\"10.1.0.0\"]\n", "providers.networks"},
		{"[providers]\nnames = [\"a.test=b.test\"]\n", "providers.names"},
		{"[providers]\nconnections_max = 5\n", "providers.connections_max"},
		{"[relay]\nretry_min_ms = 600\nretry_max_ms = 500\n", "relay.retry_max_ms"},
		{"[[chains]]\nid = \"eip155:7\"\n", "chains[0].rpc"},
		{"[[chains]]\nid = \"solana:7\"\nrpc = [\"http://a\"]\n", "chains[0].id"},
		{"[[chains]]\nid = \"eip155:7\"\nrpc = [\"ftp://a\"]\n", "chains[0].rpc"},
		{"[[chains]]\nid = \"eip155:7\"\nrpc = [\"http://a\"]\n"
		 "[[chains]]\nid = \"eip155:7\"\nrpc = [\"http://a\"]\n",
		 "chains[1].id"},
		{"seal_root_hex = \"00\"\n", "enclave.seal_root_hex"},
	};
	(void)state;
	for (size_t i = 0; i < CS_LEN(rows); i++) {
		struct oracle_config config;
		assert_int_equal(load(&config, rows[i].more), CS_ERR_INVALID);
		assert_int_equal(host_config_error_count(config.file), 1);
		assert_non_null(strstr(host_config_error(config.file, 0), rows[i].why));
		oracle_config_free(&config);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(defaults, setup, teardown),
		cmocka_unit_test_setup_teardown(everything, setup, teardown),
		cmocka_unit_test_setup_teardown(refused, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
