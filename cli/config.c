#include "cli/cli.h"
#include "cli/service.h"
#include "core/ct.h"
#include "host/keyfile.h"
#include "verify/attest/policy_check.h"

#include <stdlib.h>
#include <time.h>

/* Of a policy's tree. */
#define POLICY_ARENA_SIZE (4u * 1024 * 1024)

static const char *file_of(const struct cli *cli)
{
	const char *file = cli->positional_count == 1 ? cli->positional[0] : NULL;
	return file ? file : cli_option(cli, "config");
}

/* ---- what the file names: a gateway would not start without it ---- */

struct place {
	const char *file;
	const char *list; /* "chains", or NULL */
	size_t index;
	const char *key;
};

static void complain(json_t *errors, const struct place *place, const struct cs_why *why)
{
	char text[600];
	char list[32] = "";
	if (place->list)
		snprintf(list, sizeof(list), "%s[%zu].", place->list, place->index);
	snprintf(text, sizeof(text), "%.160s: %s%s: %s", place->file, list, place->key, why->text);
	json_array_append_new(errors, json_string(text));
}

static void check_key(json_t *errors, const struct place *place, const char *path)
{
	struct cs_secret secret;
	struct cs_why why = {{0}};
	if (host_keyfile_load(&secret, path, &why) != CS_OK)
		complain(errors, place, &why);
	else
		cs_wipe(&secret, sizeof(secret));
}

static enum cs_err parse_policy(struct cs_bytes text, struct cs_why *why)
{
	struct attest_policy policy;
	struct cs_arena arena;
	void *block = malloc(POLICY_ARENA_SIZE);
	if (block == NULL)
		return CS_ERR_NO_MEMORY;
	cs_arena_init(&arena, block, POLICY_ARENA_SIZE);
	attest_policy_init(&policy);
	enum cs_err err = attest_policy_parse(&policy, text, &arena, why);
	if (err == CS_OK && !policy.judges_reference)
		err = cs_fail(why, CS_ERR_INVALID,
			      "the policy lists no measurements: it would admit every machine of "
			      "the vendor's");
	if (err == CS_OK)
		err = attest_policy_check(&policy, why);
	if (err == CS_OK && attest_policy_is_over(&policy, (uint64_t)time(NULL)))
		err = cs_fail(why, CS_ERR_EXPIRED,
			      "the not_after of every build in measurements has passed");
	free(block);
	return err;
}

/* A gateway starts without it, and takes nothing of that peer. */
static void check_policy(json_t *errors, const struct place *place, const char *path)
{
	uint8_t *text = NULL;
	size_t size = 0;
	struct cs_why why = {{0}};
	enum cs_err err = host_file_load(&text, &size, path, ATTEST_POLICY_SIZE_MAX, &why);
	if (err == CS_OK)
		err = parse_policy(cs_bytes(text, size), &why);
	if (err != CS_OK)
		complain(errors, place, &why);
	free(text);
}

static void check_oracle(json_t *errors, const char *file, const struct oracle_config *config)
{
	struct place place = {file, NULL, 0, "enclave.seal_root"};
	if (config->service.enclave_seal_root)
		check_key(errors, &place, config->service.enclave_seal_root);
	for (size_t i = 0; i < config->chain_count; i++) {
		place = (struct place){file, "chains", i, "operator_key_file"};
		if (config->chains[i].common.operator_key_file)
			check_key(errors, &place, config->chains[i].common.operator_key_file);
	}
}

static void check_gateway(json_t *errors, const char *file, const struct gateway_config *config)
{
	struct place place = {file, NULL, 0, "enclave.seal_root"};
	if (config->service.enclave_seal_root)
		check_key(errors, &place, config->service.enclave_seal_root);
	for (size_t i = 0; i < config->chain_count; i++) {
		place = (struct place){file, "chains", i, "operator_key_file"};
		if (config->chains[i].common.operator_key_file)
			check_key(errors, &place, config->chains[i].common.operator_key_file);
	}
	for (size_t i = 0; i < config->peer_count; i++) {
		char token[HOST_TOKEN_MAX + 1];
		struct cs_why why = {{0}};
		place = (struct place){file, "peers", i, "api_key_file"};
		if (host_tokenfile_load(token, config->peers[i].api_key_file, &why) != CS_OK)
			complain(errors, &place, &why);
		else
			cs_wipe(token, sizeof(token));
		place.key = "attested_policy";
		if (config->peers[i].attested.policy)
			check_policy(errors, &place, config->peers[i].attested.policy);
	}
}

static void print_good(const char *file, const struct cli_service *service)
{
	const struct gateway_config *gateway = &service->gateway;
	const struct oracle_config *oracle = &service->oracle;
	if (service->is_oracle)
		printf("%s: good, an oracle's; manifest %llu, %zu chain(s), %zu contract(s)\n",
		       file, (unsigned long long)oracle->manifest.base.number, oracle->chain_count,
		       oracle->manifest.contract_count);
	else
		printf("%s: good; manifest %llu, %zu chain(s), %zu peer(s)\n", file,
		       (unsigned long long)gateway->manifest.number, gateway->chain_count,
		       gateway->peer_count);
}

enum cli_exit cli_config_check(struct cli *cli)
{
	static struct cli_service service;
	const char *file = file_of(cli);
	if (!file)
		return cli_fail(cli, CLI_USAGE, "which file?");
	bool good = cli_service_load(&service, cli, file, true) == CS_OK;
	json_t *errors = json_array();
	for (uint32_t i = 0; i < host_config_error_count(service.file); i++)
		json_array_append_new(errors, json_string(host_config_error(service.file, i)));
	if (good && service.is_oracle)
		check_oracle(errors, file, &service.oracle);
	else if (good)
		check_gateway(errors, file, &service.gateway);
	good = good && json_array_size(errors) == 0;
	for (size_t i = 0; !cli->json && i < json_array_size(errors); i++)
		fprintf(stderr, "%s\n", json_string_value(json_array_get(errors, i)));
	if (cli->json)
		cli_print_json(cli, json_pack("{s:b,s:o}", "ok", good, "errors", errors));
	else
		json_decref(errors);
	if (good && !cli->json)
		print_good(file, &service);
	cli_service_free(&service);
	return good ? CLI_OK : CLI_USAGE;
}

static const struct host_config_schema *schema_of(const struct cli *cli)
{
	return cli_flag(cli, "oracle") ? oracle_config_schema() : gateway_config_schema();
}

enum cli_exit cli_config_sample(struct cli *cli)
{
	host_config_write_sample(schema_of(cli), stdout);
	return CLI_OK;
}

enum cli_exit cli_config_reference(struct cli *cli)
{
	host_config_write_reference(schema_of(cli), stdout);
	return CLI_OK;
}
