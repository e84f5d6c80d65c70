#include "gateway/config.h"

#include "cli/cli.h"

static const char *file_of(const struct cli *cli)
{
	const char *file = cli->positional_count == 1 ? cli->positional[0] : NULL;
	return file ? file : cli_option(cli, "config");
}

enum cli_exit cli_config_check(struct cli *cli)
{
	struct gateway_config config;
	const char *file = file_of(cli);
	if (!file)
		return cli_fail(cli, CLI_USAGE, "which file?");
	enum cs_err err = gateway_config_load(&config, file, true);
	json_t *errors = json_array();
	for (uint32_t i = 0; i < host_config_error_count(config.file); i++) {
		json_array_append_new(errors, json_string(host_config_error(config.file, i)));
		if (!cli->json)
			fprintf(stderr, "%s\n", host_config_error(config.file, i));
	}
	if (cli->json)
		cli_print_json(json_pack("{s:b,s:o}", "ok", err == CS_OK, "errors", errors));
	else
		json_decref(errors);
	if (err == CS_OK && !cli->json)
		printf("%s: good; manifest %llu, %zu chain(s), %zu peer(s)\n", file,
		       (unsigned long long)config.manifest.number, config.chain_count,
		       config.peer_count);
	gateway_config_free(&config);
	return err == CS_OK ? CLI_OK : CLI_USAGE;
}

enum cli_exit cli_config_sample(struct cli *cli)
{
	(void)cli;
	host_config_write_sample(gateway_config_schema(), stdout);
	return CLI_OK;
}

enum cli_exit cli_config_reference(struct cli *cli)
{
	(void)cli;
	host_config_write_reference(gateway_config_schema(), stdout);
	return CLI_OK;
}
