#include "cli/light.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

void light_clear(struct light *light)
{
	free(light->memory);
	*light = (struct light){.memory = NULL};
}

enum cli_exit light_check(const struct cli *cli, const struct cmt_light_block *block,
			  const char *name)
{
	struct cs_why why = {{0}};
	if (cmt_light_block_check(block, &why) != CS_OK ||
	    cmt_commit_verify_light(&block->commit, &block->validators, &block->header.chain_id,
				    &block->commit.block_id, block->header.height, true,
				    &why) != CS_OK)
		return cli_fail(cli, CLI_NO, "%s: %s", name, why.text);
	return CLI_OK;
}

enum cli_exit light_decode(const struct cli *cli, struct light *light, struct cs_bytes bytes,
			   const char *name)
{
	const size_t size = CMT_LIGHT_BLOCK_ARENA_SIZE(LIGHT_VALIDATORS_MAX);
	struct light read = {.memory = malloc(size)};
	struct cs_why why = {{0}};
	struct cs_arena arena;
	if (read.memory == NULL)
		return cli_fail(cli, CLI_FAILED, "no memory");
	cs_arena_init(&arena, read.memory, size);
	enum cli_exit code = CLI_OK;
	if (cmt_light_block_decode(&read.block, bytes, &arena, &why) != CS_OK)
		code = cli_fail(cli, CLI_NO, "%s: no light block: %s", name, why.text);
	if (code == CLI_OK)
		code = light_check(cli, &read.block, name);
	if (code != CLI_OK) {
		light_clear(&read);
		return code;
	}
	read.hash = cmt_header_hash(&read.block.header);
	*light = read;
	return CLI_OK;
}

enum cli_exit light_load(const struct cli *cli, struct light *light, const char *path)
{
	struct cs_why why = {{0}};
	uint8_t *bytes = NULL;
	size_t size = 0;
	if (host_file_load(&bytes, &size, path, CMT_LIGHT_BLOCK_SIZE_MAX(LIGHT_VALIDATORS_MAX),
			   &why) != CS_OK)
		return cli_fail(cli, CLI_USAGE, "%s", why.text);
	enum cli_exit code = light_decode(cli, light, cs_bytes(bytes, size), path);
	free(bytes);
	return code;
}

enum cli_exit light_options(const struct cli *cli, struct cmt_light_options *options)
{
	uint64_t period = LIGHT_TRUSTING_PERIOD_S;
	if (!cli_number(cli, "trusting-period", INT64_MAX / 2, &period) || period == 0)
		return cli_fail(cli, CLI_USAGE, "--trusting-period: seconds, above 0");
	*options = (struct cmt_light_options){.trust_level = CMT_TRUST_LEVEL_DEFAULT,
					      .trusting_period_s = period,
					      .block_protocol = CMT_BLOCK_PROTOCOL,
					      .drift_max_s = CMT_DRIFT_DEFAULT_S};
	return CLI_OK;
}

enum cli_exit light_follow(const struct cli *cli, const struct light *trusted,
			   const struct light *untrusted, const struct cmt_light_options *options,
			   int64_t *pivot)
{
	const struct cmt_header *from = &trusted->block.header, *to = &untrusted->block.header;
	const uint64_t time_s = (uint64_t)time(NULL);
	const struct verify_time now = {time_s, time_s};
	struct cs_why why = {{0}};
	*pivot = 0;
	if (to->height == from->height && cmt_chain_id_eq(&from->chain_id, &to->chain_id))
		return cs_hash_eq(&trusted->hash, &untrusted->hash)
			       ? CLI_OK
			       : cli_fail(cli, CLI_NO,
					  "another header than the trusted one at its height %lld: "
					  "one of the two is forged, or the validators signed both",
					  (long long)to->height);
	const enum cs_err err =
		cmt_light_verify(&(struct cmt_trusted){from, &trusted->block.validators},
				 &untrusted->block, options, &now, &why);
	if (err == CS_OK)
		return CLI_OK;
	if (err == CS_ERR_NOT_ENOUGH_TRUST)
		*pivot = cmt_light_pivot(from->height, to->height);
	if (err == CS_ERR_NOT_ENOUGH_TRUST && *pivot != 0)
		return CLI_NO;
	return cli_fail(cli, CLI_NO,
			"the block of height %lld does not follow from the trusted one of "
			"height %lld: %s (%s)",
			(long long)to->height, (long long)from->height, cs_err_sentence(err),
			why.text);
}

void light_chain_id(char text[LIGHT_CHAIN_ID_SIZE], const struct cmt_header *header)
{
	const struct cs_bytes id = cmt_chain_id_bytes(&header->chain_id);
	for (size_t i = 0; i < id.n; i++)
		text[i] = id.p[i] < ' ' || id.p[i] > '~' ? '?' : (char)id.p[i];
	text[id.n] = 0;
}

enum cli_exit light_expect(const struct cli *cli, const char *option, const struct cs_hash *found)
{
	const char *given = cli_option(cli, option);
	struct cs_hash hash;
	if (cs_unhex(hash.b, sizeof(hash.b), cs_bytes_str(given)) != CS_OK)
		return cli_fail(cli, CLI_USAGE, "--%s: 32 bytes of hex", option);
	return cs_hash_eq(&hash, found)
		       ? CLI_OK
		       : cli_fail(cli, CLI_NO, "the light block has another hash than --%s",
				  option);
}
