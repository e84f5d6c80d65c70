/* Any bytes as a configuration file: values only without errors, errors only with a sentence. */
#include "host/config.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

static const struct host_config_key keys[] = {
	{"name", HOST_CONFIG_TEXT, 1, 8, NULL, NULL, "Its name."},
	{"api.port", HOST_CONFIG_NUMBER, 0, 65535, "8080", NULL, "The port."},
	{"api.open", HOST_CONFIG_BOOL, 0, 0, "false", NULL, "Whether."},
	{"chains[].id", HOST_CONFIG_TEXT, 1, 41, NULL, NULL, "Its id."},
	{"chains[].rpc", HOST_CONFIG_TEXTS, 1, 3, NULL, NULL, "Its nodes."},
	{"chains[].keys[].name", HOST_CONFIG_TEXT, 1, 9, NULL, NULL, "A key of a chain."},
	{"tls.file", HOST_CONFIG_TEXT, 1, 100, NULL, NULL, "Needed when there is a [tls]."},
};
static const struct host_config_table tables[] = {
	{"api", 0, 0, "The API."},
	{"chains[]", 1, 2, "The chains."},
	{"chains[].keys[]", 0, 0, "Keys of a chain."},
	{"tls", 0, 1, "TLS."},
};
static const struct host_config_schema schema = {keys, CS_LEN(keys), tables, CS_LEN(tables)};

static void read_values(const struct host_config *config)
{
	size_t n = strlen(host_config_text(config, "name"));
	uint32_t chains = host_config_count(config, "chains");
	cs_assert(n >= 1 && n <= 8 && chains >= 1 && chains <= 2);
	cs_assert(host_config_number(config, "api.port") >= 0 &&
		  host_config_number(config, "api.port") <= 65535);
	(void)host_config_bool(config, "api.open");
	for (uint32_t i = 0; i < chains; i++) {
		uint32_t nodes = host_config_count(config, "chains[%u].rpc", i);
		cs_assert(nodes >= 1 && nodes <= 3);
		for (uint32_t j = 0; j < nodes; j++)
			cs_assert(host_config_text(config, "chains[%u].rpc[%u]", i, j) != NULL);
		for (uint32_t j = 0; j < host_config_count(config, "chains[%u].keys", i); j++)
			cs_assert(host_config_text(config, "chains[%u].keys[%u].name", i, j) !=
				  NULL);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct host_config *config = host_config_parse(&schema, cs_bytes(data, size), "fuzz");
	uint32_t errors = host_config_error_count(config);
	cs_assert(errors <= HOST_CONFIG_ERRORS_MAX);
	for (uint32_t i = 0; i < errors; i++)
		cs_assert(strlen(host_config_error(config, i)) > 6);
	if (errors == 0)
		read_values(config);
	host_config_free(config);
	return 0;
}
