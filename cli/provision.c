/* `caisson provision …`: secrets for programs that are not the cluster's own (docs/cluster.md). */
#include "cli/provision.h"

#include "cli/cluster.h"
#include "cli/provision_peer.h"
#include "core/buf.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NAME_SIZE_MAX 32u

enum cli_exit cli_provision_serve(struct cli *cli)
{
	char worker[4096];
	const enum cli_exit code = cli_cluster_socket(cli, worker, sizeof worker);
	const struct provision_places places = {.listen = cli_option(cli, "listen"),
						.worker = worker,
						.containers = cli_option(cli, "containers")};
	if (code != CLI_OK)
		return code;
	if (places.listen == NULL)
		return cli_fail(cli, CLI_USAGE, "where? --listen PATH");
	return provision_serve(cli, &places);
}

/* Size of the name, name, and the file, as the worker is asked for it. */
static enum cli_exit read_plain(struct cli *cli, struct cs_buf *out)
{
	const char *name = cli_option(cli, "name");
	struct cs_why why = {""};
	uint8_t *bytes = NULL;
	size_t size = 0;
	if (cli->positional_count != 1)
		return cli_fail(cli, CLI_USAGE, "which file?");
	if (name == NULL || strlen(name) == 0 || strlen(name) > NAME_SIZE_MAX)
		return cli_fail(cli, CLI_USAGE, "--name: a secret's, 1 to %u characters",
				NAME_SIZE_MAX);
	if (host_file_load(&bytes, &size, cli->positional[0], WIRE_PIPE_DATA_SIZE_MAX - 256,
			   &why) != CS_OK)
		return cli_fail(cli, CLI_USAGE, "%s: %s", cli->positional[0], why.text);
	cs_put_u8(out, (uint8_t)strlen(name));
	cs_put(out, cs_bytes_str(name));
	cs_put(out, cs_bytes(bytes, size));
	cs_wipe(bytes, size);
	free(bytes);
	return CLI_OK;
}

enum cli_exit cli_provision_encrypt(struct cli *cli)
{
	static uint8_t argument[WIRE_PIPE_DATA_SIZE_MAX];
	static struct cli_cluster_answer answer;
	struct cs_buf buf;
	cs_buf_init(&buf, argument, sizeof argument);
	enum cli_exit code = read_plain(cli, &buf);
	if (code == CLI_OK)
		code = cli_cluster_ask(cli, &answer, WIRE_CLUSTER_ASK_ENCRYPT, cs_buf_view(&buf));
	cs_wipe(argument, sizeof argument);
	if (code != CLI_OK)
		return code;
	return fwrite(answer.what.p, 1, answer.what.n, stdout) == answer.what.n &&
			       fflush(stdout) == 0
		       ? CLI_OK
		       : cli_fail(cli, CLI_FAILED, "standard output: %s", strerror(errno));
}

enum cli_exit cli_provision_rule(struct cli *cli)
{
	struct cs_why why = {""};
	struct cs_hash hash;
	struct stat file;
	char text[67] = "0x", real[4096];
	uint64_t user = getuid();
	if (cli->positional_count != 1)
		return cli_fail(cli, CLI_USAGE, "of which program?");
	if (!cli_number(cli, "user", UINT32_MAX - 1, &user))
		return cli_fail(cli, CLI_USAGE, "--user: a number");
	/* The kernel knows a program by the file itself, whatever links lead to it. */
	char *path = realpath(cli->positional[0], NULL);
	if (path == NULL)
		return cli_fail(cli, CLI_USAGE, "%s: %s", cli->positional[0], strerror(errno));
	(void)snprintf(real, sizeof real, "%s", path);
	free(path);
	if (provision_hash_file(&hash, &file, real, &why) != CS_OK)
		return cli_fail(cli, CLI_USAGE, "%s", why.text);
	FILE *in = fopen(real, "re");
	char head[2] = {0, 0};
	const bool is_script =
		in != NULL && fread(head, 1, 2, in) == 2 && memcmp(head, "#!", 2) == 0;
	if (in != NULL)
		(void)fclose(in);
	if (is_script)
		return cli_fail(cli, CLI_REFUSED,
				"%s is a script: what runs is its interpreter, and a rule for that "
				"is one for "
				"every script that the user runs with it",
				real);
	const bool interprets = provision_is_interpreter(real);
	cs_hex(text + 2, CS_BYTES_OF(hash.b));
	if (interprets)
		fprintf(stderr,
			"caisson: %s runs other files: this rule gives the secret to every "
			"script that user %llu runs with it\n",
			real, (unsigned long long)user);
	cli_print_json(cli, json_pack("{s:s, s:s, s:I}", "hash", text, "kind",
				      interprets ? "interpreter" : "executable", "user",
				      (json_int_t)user));
	return CLI_OK;
}
