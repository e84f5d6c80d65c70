/* What a command reads: a file, or standard input. */
#include "cli/cli.h"
#include "host/alloc.h"

#include <stdlib.h>
#include <string.h>

static enum cli_exit read_input(struct cli *cli, uint8_t **bytes, size_t *size, size_t size_max)
{
	size_t room = 0;
	char part[4096];
	size_t n;
	*bytes = NULL;
	*size = 0;
	while (*size <= size_max && (n = fread(part, 1, sizeof(part), stdin)) > 0)
		*bytes = host_append(*bytes, size, &room, part, n);
	if (*size > 0 && *size <= size_max && !ferror(stdin))
		return CLI_OK;
	free(*bytes);
	*bytes = NULL;
	return cli_fail(cli, CLI_USAGE, "standard input: nothing, or more than %zu bytes",
			size_max);
}

enum cli_exit cli_read_file(struct cli *cli, uint8_t **bytes, size_t *size, const char *path,
			    size_t size_max)
{
	struct cs_why why = {{0}};
	if (strcmp(path, "-") == 0)
		return read_input(cli, bytes, size, size_max);
	return host_file_load(bytes, size, path, size_max, &why) == CS_OK
		       ? CLI_OK
		       : cli_fail(cli, CLI_USAGE, "%s", why.text);
}
