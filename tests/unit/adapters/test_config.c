#include "adapters/evm/evm.h"
#include "common.h"
#include "host/loop.h"

static struct adapter_evm_config good(void)
{
	struct adapter_evm_config config = {
		.http = {"http://127.0.0.1:1"}, .http_count = 1, .chain_id = 1};

	config.genesis_hash.b[0] = 1;
	config.gateway.b[0] = 1;
	return config;
}

static void refuse(const struct adapter_evm_config *config, const char *field)
{
	struct host_loop *loop = host_loop_new();
	struct adapter_listener listener = {.ctx = NULL};
	struct adapter *adapter = NULL;
	struct cs_why why = {""};

	assert_true(adapter_evm_new(&adapter, loop, config, &listener, &why) != CS_OK);
	if (strstr(why.text, field) == NULL)
		fail_msg("%s does not name %s", why.text, field);
	assert_null(adapter);
	host_loop_free(loop);
}

static void test_refusals(void **state)
{
	struct adapter_evm_config config = good();

	(void)state;
	config.http_count = 0;
	refuse(&config, "http");
	config = good();
	config.http[0] = "ftp://127.0.0.1";
	refuse(&config, "http://");
	config.http[0] = "http://user:password@127.0.0.1/";
	refuse(&config, "");
	config = good();
	config.ws[0] = "http://127.0.0.1";
	config.ws_count = 1;
	refuse(&config, "ws://");
	config = good();
	config.chain_id = 0;
	refuse(&config, "chain_id");
	config = good();
	config.genesis_hash.b[0] = 0;
	refuse(&config, "genesis_hash");
	config = good();
	config.reconcile_blocks = 100000;
	refuse(&config, "reconcile_blocks");
	config = good();
	config.in_flight_max = 65;
	refuse(&config, "in_flight_max");
	config = good();
	config.gateway.b[0] = 0;
	refuse(&config, "none to watch");
	config.feed_count = 1;
	refuse(&config, "address zero");
	config = good();
	config.oracles[0] = config.gateway;
	config.oracle_count = 1;
	refuse(&config, "twice");
	config = good();
	config.oracle_count = ADAPTER_EVM_ORACLES_MAX + 1;
	refuse(&config, "more than 16");
}

struct heard {
	bool called;
	enum cs_err err;
};

static void hear_call(void *ctx, enum cs_err err, const char *why, struct cs_bytes data)
{
	struct heard *heard = ctx;

	(void)why;
	(void)data;
	assert_false(heard->called);
	*heard = (struct heard){true, err};
}

static bool has_block(void *ctx)
{
	struct cs_hash hash;

	return adapter_hash_at(ctx, good().start_height, &hash);
}

/* Nobody listens there: requests are refused, the end is clean, whatever was begun. */
static void test_no_node(void **state)
{
	struct host_loop *loop = host_loop_new();
	struct adapter_evm_config config = good();
	struct adapter_listener listener = {.ctx = NULL};
	struct adapter_cursor gap = {.count = 2, .recent = {{.height = 5}, {.height = 7}}};
	struct adapter_submission submission = {.gas_limit = 1};
	struct heard heard = {false, CS_OK};
	struct adapter_tx *tx;
	struct adapter *adapter;
	struct cs_why why;

	(void)state;
	assert_ok(adapter_evm_new(&adapter, loop, &config, &listener, &why));
	assert_err(INVALID, adapter_start(adapter, &gap));
	assert_ok(adapter_start(adapter, NULL));
	assert_err(TIMEOUT, host_loop_run_until(loop, has_block, adapter, 300));
	assert_err(UNAVAILABLE,
		   adapter_call(adapter, NULL, &config.gateway, CS_BYTES_NONE, hear_call, &heard));
	assert_false(has_block(adapter));
	assert_ok(adapter_submit(adapter, &tx, &submission));
	adapter_free(adapter);
	assert_false(heard.called);
	host_loop_free(loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_no_node),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
