/* `caisson journal export|import`: a stopped gateway's journal as lines of JSON, and back. */
#include "gateway/journal_export.h"

#include "cli/cli.h"
#include "cli/service.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *file_of(const struct cli *cli)
{
	const char *file = cli->positional_count == 1 ? cli->positional[0] : NULL;
	return file ? file : cli_option(cli, "config");
}

/* Of the configuration; it is nobody else's while it is open here. */
static enum cli_exit open_journal(struct cli *cli, struct gateway_journal **journal)
{
	static struct cli_service service;
	struct cs_why why = {{0}};
	const char *file = file_of(cli);
	enum cli_exit code = CLI_OK;
	if (!file)
		return cli_fail(cli, CLI_USAGE, "which configuration?");
	if (cli_service_load(&service, cli, file, false) != CS_OK)
		code = cli_fail(cli, CLI_USAGE, "%s", host_config_error(service.file, 0));
	else if (service.is_oracle)
		code = cli_fail(cli, CLI_USAGE, "%s is an oracle's", file);
	else if (gateway_journal_open(journal, NULL, service.common->journal, &why) != CS_OK)
		code = cli_fail(cli, CLI_FAILED, "%s: %s (is the gateway stopped?)",
				service.common->journal, why.text);
	cli_service_free(&service);
	return code;
}

static enum cli_exit done(struct cli *cli, uint64_t rows, const char *verb)
{
	if (cli->json)
		cli_print_json(cli, json_pack("{s:I}", "rows", (json_int_t)rows));
	else
		fprintf(stderr, "%llu rows %s\n", (unsigned long long)rows, verb);
	return CLI_OK;
}

enum cli_exit cli_journal_export(struct cli *cli)
{
	struct gateway_journal *journal = NULL;
	struct cs_why why = {{0}};
	uint64_t rows = 0;
	const char *path = cli_option(cli, "out");
	if (!path)
		return cli_fail(cli, CLI_USAGE, "--out: into which new file?");
	enum cli_exit code = open_journal(cli, &journal);
	if (code != CLI_OK)
		return code;
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	FILE *to = fd >= 0 ? fdopen(fd, "w") : NULL;
	if (!to) {
		code = cli_fail(cli, CLI_FAILED, "%s: %s", path, strerror(errno));
	} else {
		bool good = gateway_journal_export(journal, to, &rows, &why) == CS_OK;
		good = fsync(fd) == 0 && good;
		good = fclose(to) == 0 && good;
		if (!good)
			(void)unlink(path);
		code = good ? done(cli, rows, "exported")
			    : cli_fail(cli, CLI_FAILED, "%s: %s", path,
				       why.text[0] ? why.text : strerror(errno));
	}
	gateway_journal_close(journal);
	return code;
}

enum cli_exit cli_journal_import(struct cli *cli)
{
	struct gateway_journal *journal = NULL;
	struct cs_why why = {{0}};
	uint64_t rows = 0;
	const char *path = cli_option(cli, "from");
	FILE *from = path ? fopen(path, "re") : NULL;
	if (!from)
		return cli_fail(cli, CLI_USAGE, "--from: %s",
				path ? strerror(errno) : "which exported file?");
	enum cli_exit code = open_journal(cli, &journal);
	if (code == CLI_OK) {
		code = gateway_journal_import(journal, from, &rows, &why) == CS_OK
			       ? done(cli, rows, "imported")
			       : cli_fail(cli, CLI_FAILED, "%s: %s; nothing was imported", path,
					  why.text);
		gateway_journal_close(journal);
	}
	(void)fclose(from);
	return code;
}
