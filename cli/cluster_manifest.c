/* `caisson cluster manifest check`: a manifest of a key cluster before anybody signs it, read by what enclaves read it with. Looks
 * at no signature and at nothing that it follows. */
#include "cli/cli.h"
#include "host/alloc.h"
#include "verify/attest/policy_check.h"
#include "verify/cluster/manifest.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* A draft, generously indented. */
#define FILE_SIZE_MAX (4u * CS_MANIFEST_SIZE_MAX)

/* A draft in any form of JSON becomes the file that would be signed; what is a file already stays as it is.
 * *file is malloc'd. */
static enum cli_exit complete(struct cli *cli, const char *path, uint8_t **file, size_t *size)
{
	json_error_t error;
	json_t *json = json_loadb((const char *)*file, *size, JSON_REJECT_DUPLICATES, &error);
	if (!json_is_object(json)) {
		json_decref(json);
		return cli_fail(cli, CLI_USAGE, "%s: no object of JSON%s%s", path,
				json == NULL ? ": " : "", json == NULL ? error.text : "");
	}
	if (json_object_get(json, "manifest") != NULL) {
		json_decref(json);
		return CLI_OK;
	}
	json = json_pack("{s:o,s:[]}", "manifest", json, "signatures");
	free(*file);
	*file = (uint8_t *)json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENSURE_ASCII);
	*size = *file == NULL ? 0 : strlen((const char *)*file);
	json_decref(json);
	return *file != NULL ? CLI_OK : cli_fail(cli, CLI_FAILED, "out of memory");
}

static enum cs_err check_ends(const struct cluster_manifest *m, struct cs_why *why)
{
	for (unsigned role = CLUSTER_KEY_SERVER; role <= CLUSTER_ROLE_COUNT; role++)
		if (attest_policy_is_over(cluster_manifest_policy(m, (enum cluster_role)role),
					  (uint64_t)time(NULL)))
			return cs_fail(why, CS_ERR_EXPIRED,
				       "the not_after of every build of a %s has passed",
				       cluster_role_name((enum cluster_role)role));
	return CS_OK;
}

static void show(struct cli *cli, const char *path, const struct cluster_manifest *m)
{
	char hash[65];
	cs_hex(hash, CS_BYTES_OF(m->hash.b));
	if (!cli->json) {
		printf("%s: good; manifest %llu of \"%.*s\", hash 0x%s%s\n", path,
		       (unsigned long long)m->number, (int)m->name.n, (const char *)m->name.p, hash,
		       m->insecure ? "; INSECURE" : "");
		return;
	}
	char with_prefix[sizeof hash + 2];
	snprintf(with_prefix, sizeof with_prefix, "0x%s", hash);
	cli_print_json(cli, json_pack("{s:s#,s:I,s:s,s:b}", "name", (const char *)m->name.p,
				      (int)m->name.n, "number", (json_int_t)m->number, "hash",
				      with_prefix, "insecure", m->insecure));
}

enum cli_exit cli_cluster_manifest_check(struct cli *cli)
{
	static struct cluster_manifest manifest;
	struct cs_why why = {""};
	struct cs_arena arena;
	uint8_t *file = NULL;
	size_t size = 0;
	if (cli->positional_count != 1)
		return cli_fail(cli, CLI_USAGE, "which file?");
	const char *path = cli->positional[0];
	enum cli_exit code = cli_read_file(cli, &file, &size, path, FILE_SIZE_MAX);
	if (code == CLI_OK)
		code = complete(cli, path, &file, &size);
	if (code != CLI_OK) {
		free(file);
		return code;
	}
	void *block = host_alloc(CLUSTER_MANIFEST_ARENA_SIZE);
	cs_arena_init(&arena, block, CLUSTER_MANIFEST_ARENA_SIZE);
	enum cs_err err =
		cluster_manifest_read_draft(&manifest, cs_bytes(file, size), &arena, &why);
	if (err == CS_OK)
		err = check_ends(&manifest, &why);
	if (err == CS_OK)
		show(cli, path, &manifest);
	else
		code = cli_fail(cli, CLI_USAGE, "%s: %s: %s", path, cs_err_name(err),
				why.text[0] != '\0' ? why.text : cs_err_sentence(err));
	free(block);
	free(file);
	return code;
}
