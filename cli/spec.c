/* Specs of oracles from files: any JSON in, canonical bytes and their hash out. */
#include "wire/spec.h"

#include "cli/cli.h"
#include "host/alloc.h"
#include "host/json_values.h"
#include "host/keyfile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A spec, generously indented. */
#define FILE_SIZE_MAX (256u * 1024)

enum cli_exit cli_read_spec(struct cli *cli, struct cli_spec *spec, const char *path)
{
	struct cs_why why = {{0}};
	struct cs_arena arena;
	struct cs_buf buf;
	uint8_t *bytes = NULL;
	size_t size = 0;
	*spec = (struct cli_spec){.memory = NULL};
	const enum cli_exit code = cli_read_file(cli, &bytes, &size, path, FILE_SIZE_MAX);
	if (code != CLI_OK)
		return code;
	/* The tree of the file, and that of the canonical bytes. */
	const size_t arena_size = 2u * WIRE_SPEC_ARENA_SIZE;
	spec->memory = host_alloc(WIRE_SPEC_SIZE_MAX);
	cs_buf_init(&buf, spec->memory, WIRE_SPEC_SIZE_MAX);
	cs_arena_init(&arena, host_alloc(arena_size), arena_size);
	enum cs_err err = wire_spec_canonical(&buf, cs_bytes(bytes, size), &arena, &why);
	free(arena.block);
	free(bytes);
	if (err != CS_OK) {
		cli_free_spec(spec);
		return cli_fail(cli, CLI_USAGE, "%s: %s", path,
				why.text[0] ? why.text : cs_err_sentence(err));
	}
	spec->canonical = cs_buf_view(&buf);
	spec->hash = wire_spec_hash(spec->canonical);
	return CLI_OK;
}

void cli_free_spec(struct cli_spec *spec)
{
	free(spec->memory);
	*spec = (struct cli_spec){.memory = NULL};
}

/* ---- the command ---- */

static enum cli_exit write_canonical(struct cli *cli, const struct cli_spec *spec, const char *path)
{
	FILE *file = fopen(path, "wb");
	bool ok =
		file && fwrite(spec->canonical.p, 1, spec->canonical.n, file) == spec->canonical.n;
	if (file)
		ok = fclose(file) == 0 && ok;
	return ok ? CLI_OK : cli_fail(cli, CLI_FAILED, "%s: %s", path, strerror(errno));
}

enum cli_exit cli_oracle_spec_hash(struct cli *cli)
{
	struct cli_spec spec;
	const char *out = cli_option(cli, "out");
	char hex[65];
	if (cli->positional_count != 1)
		return cli_fail(cli, CLI_USAGE, "which spec? a file of JSON, or -");
	enum cli_exit code = cli_read_spec(cli, &spec, cli->positional[0]);
	if (code == CLI_OK && out)
		code = write_canonical(cli, &spec, out);
	if (code == CLI_OK && cli->json) {
		cli_print_json(
			cli,
			json_pack("{s:o,s:I,s:o}", "spec_hash", host_json_hash(&spec.hash), "size",
				  (json_int_t)spec.canonical.n, "spec",
				  json_stringn((const char *)spec.canonical.p, spec.canonical.n)));
	} else if (code == CLI_OK) {
		cs_hex(hex, CS_BYTES_OF(spec.hash.b));
		printf("0x%s\n", hex);
	}
	cli_free_spec(&spec);
	return code;
}
