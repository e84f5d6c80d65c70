/* The page of the configuration ends with what the table writes; what `init` and `testnet` write is
 * what a start reads. */
#include "relay_state/node/config.h"
#include "tests/unit/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PEER "84a9c0d6b8fe5ad36bd06a8ab47f2a8d20b2a77e@127.0.0.1:26656"

static void the_reference_page_is_the_table(void **state)
{
	char *text = NULL;
	size_t n = 0;
	(void)state;
	struct cs_bytes page = read_file(CAISSON_DOCS "/ledger-config.md");
	FILE *to = open_memstream(&text, &n);
	assert_non_null(to);
	host_config_write_reference(node_config_schema(), to);
	assert_int_equal(fclose(to), 0);
	assert_true(n > 1000 && page.n > n);
	assert_memory_equal(page.p + page.n - n, text, n);
	free(text);
}

static enum cs_err write_peers(struct cs_buf *buf, char *peers, size_t size)
{
	const struct node_config_new config = {"node",        "kvstore", "tcp://127.0.0.1:1",
					       "127.0.0.1:2", ":3",      peers};
	memset(peers, 0, size);
	for (size_t n = 0; n + sizeof PEER < size; n += sizeof PEER)
		(void)snprintf(peers + n, size - n, "%s%s", PEER,
			       n + 2 * sizeof PEER < size ? "," : "");
	return node_config_write(buf, &config);
}

static void all_peers_are_written(void **state)
{
	static uint8_t text[NODE_CONFIG_PEERS_SIZE_MAX + 4096];
	static char peers[NODE_CONFIG_PEERS_SIZE_MAX];
	struct cs_buf buf;
	(void)state;
	cs_buf_init(&buf, text, sizeof text);
	assert_ok(write_peers(&buf, peers, sizeof peers));
	struct host_config *file =
		host_config_parse(node_config_schema(), cs_buf_view(&buf), "config.toml");
	assert_int_equal(host_config_error_count(file), 0);
	assert_string_equal(host_config_text(file, "p2p.persistent_peers"), peers);
	assert_int_equal(strlen(peers) % sizeof PEER, sizeof PEER - 1);
	host_config_free(file);
	cs_buf_init(&buf, text, strlen(peers));
	assert_err(write_peers(&buf, peers, sizeof peers), CS_ERR_TOO_LARGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_reference_page_is_the_table),
		cmocka_unit_test(all_peers_are_written),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
