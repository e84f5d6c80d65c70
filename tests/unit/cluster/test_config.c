/* The configuration of a cluster's process: its page ends with what the table writes, and what a role may not
 * have is refused by its path. */
#include "cluster/config.h"
#include "tests/unit/support.h"

#include <unistd.h>

static void the_reference_page_is_the_table(void **state)
{
	char *text = NULL;
	size_t n = 0;
	(void)state;
	struct cs_bytes page = read_file(CAISSON_DOCS "/cluster-config.md");
	FILE *to = open_memstream(&text, &n);
	assert_non_null(to);
	host_config_write_reference(cluster_config_schema(), to);
	assert_int_equal(fclose(to), 0);
	assert_true(n > 1000 && page.n > n);
	assert_memory_equal(page.p + page.n - n, text, n);
	free(text);
}

#define FIRST "first = \"0000000000000000000000000000000000000000000000000000000000000001\"\n"
#define ENCLAVE "[enclave]\n" FIRST

static const char *refusal(struct cluster_config *config, const char *text)
{
	char path[] = "/tmp/caisson-cluster-XXXXXX";
	const int fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	assert_int_equal(close(fd), 0);
	const enum cs_err err = cluster_config_load(config, path);
	assert_int_equal(unlink(path), 0);
	return err == CS_OK ? NULL : host_config_error(config->file, 0);
}

static void roles_have_what_they_need(void **state)
{
	struct cluster_config config;
	(void)state;
	assert_null(refusal(&config, "role = \"worker\"\napplication = \"records\"\n" ENCLAVE
				     "[network]\nlocal = \"guard.sock\"\n"
				     "peers = [\"127.0.0.1:7003\"]\n"));
	assert_int_equal(config.role, CLUSTER_WORKER);
	assert_string_equal(config.application, "records");
	assert_int_equal(config.peer_count, 1);
	assert_false(config.has_metrics);
	assert_true(config.guard.is_unix && config.local.name[0] == 0);
	cluster_config_free(&config);
	assert_null(refusal(&config, "role = \"key-server\"\n" ENCLAVE
				     "[network]\nlisten = \"127.0.0.1:7000\"\n[metrics]\nport = "
				     "0\n"));
	assert_true(config.has_metrics);
	cluster_config_free(&config);
}

static void what_a_role_may_not_have(void **state)
{
	static const struct {
		const char *text;
		const char *why;
	} cases[] = {
		{"role = \"queen\"\n" ENCLAVE, "role: is none of"},
		{"role = \"worker\"\n" ENCLAVE "[network]\nlocal = \"g\"\n",
		 "application: is required"},
		{"role = \"worker\"\napplication = \"a\"\n" ENCLAVE, "network.local: is required"},
		{"role = \"guard\"\n" ENCLAVE "[network]\nlocal = \"g\"\n",
		 "network.peers: a guard needs"},
		{"role = \"guard\"\napplication = \"a\"\n" ENCLAVE
		 "[network]\nlocal = \"g\"\npeers = [\"127.0.0.1:1\"]\n",
		 "application: is a worker's"},
		{"role = \"guard\"\n" ENCLAVE "[network]\nlocal = \"g\"\nlisten = \"127.0.0.1:2\"\n"
		 "peers = [\"127.0.0.1:1\"]\n",
		 "network.listen: a guard has no"},
		{"role = \"key-server\"\n" ENCLAVE, "network.listen: is required"},
		{"role = \"key-server\"\n" ENCLAVE
		 "[network]\nlisten = \"127.0.0.1:1\"\nlocal = \"g\"\n",
		 "network.local: a key server has no"},
		{"role = \"key-server\"\n" ENCLAVE "[network]\nlisten = \"unix://a\"\n",
		 "network.listen: is no address of TCP"},
		{"role = \"key-server\"\n[enclave]\nfirst = \"12\"\n", "enclave.first"},
		{"role = \"key-server\"\n" ENCLAVE
		 "[network]\nlisten = \"127.0.0.1:1\"\nhost = 1\n",
		 "network.host"},
	};
	(void)state;
	for (size_t i = 0; i < CS_LEN(cases); i++) {
		struct cluster_config config;
		const char *why = refusal(&config, cases[i].text);
		if (why == NULL || strstr(why, cases[i].why) == NULL)
			fail_msg("%s: %s", cases[i].why, why == NULL ? "was taken" : why);
		cluster_config_free(&config);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_reference_page_is_the_table),
		cmocka_unit_test(roles_have_what_they_need),
		cmocka_unit_test(what_a_role_may_not_have),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
