#include "cli/service.h"

#include <string.h>

#define ORACLE_ENCLAVE "caisson-oracle-enclave"

static void from_gateway(struct cli_service *s)
{
	const struct gateway_config *config = &s->gateway;
	s->file = config->file;
	s->name = config->name;
	s->common = &config->service;
	s->scope_names = gateway_scope_names;
	s->scopes = GATEWAY_SCOPES;
}

static void from_oracle(struct cli_service *s)
{
	const struct oracle_config *config = &s->oracle;
	s->file = config->file;
	s->name = config->name;
	s->common = &config->service;
	s->scope_names = oracle_scope_names;
	s->scopes = ORACLE_SCOPES;
}

static bool says_oracle(const struct cli *cli)
{
	return cli_flag(cli, "oracle") || strncmp(cli->command, "oracle ", strlen("oracle ")) == 0;
}

static bool names_oracle(const struct gateway_config *config)
{
	const char *slash = strrchr(config->service.enclave_program, '/');
	const char *name = slash ? slash + 1 : config->service.enclave_program;
	return strcmp(name, ORACLE_ENCLAVE) == 0;
}

/* Which it is does not depend on manifests, which may be missing or wrong. */
bool cli_is_oracle(const struct cli *cli, const char *path)
{
	static struct gateway_config gateway;
	static struct oracle_config oracle;
	if (says_oracle(cli))
		return true;
	enum cs_err as_gateway = gateway_config_load(&gateway, path, false);
	enum cs_err as_oracle = oracle_config_load(&oracle, path, false);
	bool is = as_oracle == CS_OK
			  ? as_gateway != CS_OK || names_oracle(&gateway)
			  : as_gateway != CS_OK && host_config_error_count(oracle.file) <
							   host_config_error_count(gateway.file);
	gateway_config_free(&gateway);
	oracle_config_free(&oracle);
	return is;
}

enum cs_err cli_service_load(struct cli_service *s, const struct cli *cli, const char *path,
			     bool with_manifest)
{
	enum cs_err err;
	memset(s, 0, sizeof(*s));
	s->is_oracle = cli_is_oracle(cli, path);
	if (s->is_oracle) {
		err = oracle_config_load(&s->oracle, path, with_manifest);
		from_oracle(s);
	} else {
		err = gateway_config_load(&s->gateway, path, with_manifest);
		from_gateway(s);
	}
	return err;
}

void cli_service_free(struct cli_service *s)
{
	if (s->is_oracle)
		oracle_config_free(&s->oracle);
	else
		gateway_config_free(&s->gateway);
}
