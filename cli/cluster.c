/* `caisson cluster …`: what an operator asks a process of a key cluster, over the Unix socket beside it
 * (wire/cluster_ask.h). Whoever may open the socket may ask. */
#include "cli/cluster.h"

#include "cluster/config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

/* ---- the socket ---- */

enum cli_exit cli_cluster_socket(struct cli *cli, char *path, size_t size)
{
	const char *file = cli_option(cli, "config");
	const char *text = cli_option(cli, "socket");
	if (text == NULL && file == NULL)
		text = getenv("CAISSON_CLUSTER_SOCKET");
	if (text == NULL && file == NULL)
		return cli_fail(cli, CLI_USAGE,
				"which process? --config FILE, --socket PATH or "
				"CAISSON_CLUSTER_SOCKET");
	if (text != NULL) {
		(void)snprintf(path, size, "%s", text);
		return CLI_OK;
	}
	static struct cluster_config config;
	const enum cs_err err = cluster_config_load(&config, file);
	enum cli_exit code = CLI_OK;
	if (err == CS_OK)
		(void)snprintf(path, size, "%s", config.ask.name);
	else
		code = cli_fail(cli, CLI_USAGE, "%s", host_config_error(config.file, 0));
	cluster_config_free(&config);
	return code;
}

int cli_cluster_connect(const char *path, int patience_s)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const struct timeval patience = {.tv_sec = patience_s};
	if (strlen(path) >= sizeof address.sun_path)
		return -1;
	memcpy(address.sun_path, path, strlen(path) + 1);
	const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) == 0 &&
	    connect(fd, (const struct sockaddr *)&address, sizeof address) == 0)
		return fd;
	(void)close(fd);
	return -1;
}

bool cli_write_all(int fd, struct cs_bytes bytes)
{
	while (bytes.n > 0) {
		const ssize_t done = send(fd, bytes.p, bytes.n, MSG_NOSIGNAL);
		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return false;
		bytes = cs_bytes(bytes.p + done, bytes.n - (size_t)done);
	}
	return true;
}

static bool read_all(int fd, uint8_t *p, size_t n)
{
	while (n > 0) {
		const ssize_t got = read(fd, p, n);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return false;
		p += got;
		n -= (size_t)got;
	}
	return true;
}

bool cli_cluster_exchange(int fd, struct cli_cluster_answer *answer, struct cs_bytes question)
{
	uint8_t head[4];
	cs_put_be32(head, (uint32_t)question.n);
	if (!cli_write_all(fd, CS_BYTES_OF(head)) || !cli_write_all(fd, question) ||
	    !read_all(fd, head, sizeof head))
		return false;
	const size_t size = cs_be32(head);
	if (size == 0 || size > sizeof answer->bytes || !read_all(fd, answer->bytes, size))
		return false;
	const size_t name = answer->bytes[0];
	if (name >= sizeof answer->name || size - 1 < name)
		return false;
	memcpy(answer->name, answer->bytes + 1, name);
	answer->name[name] = 0;
	answer->what = cs_bytes(answer->bytes + 1 + name, size - 1 - name);
	return true;
}

enum cli_exit cli_cluster_ask(struct cli *cli, struct cli_cluster_answer *answer,
			      enum wire_cluster_ask verb, struct cs_bytes argument)
{
	static uint8_t question[WIRE_PIPE_DATA_SIZE_MAX];
	char path[HOST_ADDRESS_SIZE_MAX + 16];
	const enum cli_exit code = cli_cluster_socket(cli, path, sizeof path);
	if (code != CLI_OK)
		return code;
	if (argument.n > sizeof question - 1)
		return cli_fail(cli, CLI_USAGE, "too large: %zu bytes", argument.n);
	question[0] = (uint8_t)verb;
	if (argument.n > 0)
		memcpy(question + 1, argument.p, argument.n);
	const int fd = cli_cluster_connect(path, CLI_CLUSTER_ANSWER_S);
	if (fd < 0)
		return cli_fail(cli, CLI_UNREACHABLE, "%s: nobody answers", path);
	const bool good = cli_cluster_exchange(fd, answer, cs_bytes(question, 1 + argument.n));
	(void)close(fd);
	if (!good)
		return cli_fail(cli, CLI_UNREACHABLE, "%s: no answer came", path);
	if (strcmp(answer->name, "ok") == 0)
		return CLI_OK;
	return cli_fail(cli, CLI_REFUSED, "%s: %.*s", answer->name, (int)answer->what.n,
			(const char *)answer->what.p);
}

enum cli_exit cli_cluster_order(struct cli *cli, enum wire_cluster_ask verb,
				struct cs_bytes argument, const char *done)
{
	static struct cli_cluster_answer answer;
	const enum cli_exit code = cli_cluster_ask(cli, &answer, verb, argument);
	if (code != CLI_OK)
		return code;
	if (cli->json)
		cli_print_json(cli, json_pack("{s:b}", "done", 1));
	else
		puts(done);
	return CLI_OK;
}

/* ---- commands ---- */

enum cli_exit cli_cluster_init(struct cli *cli)
{
	return cli_cluster_order(cli, WIRE_CLUSTER_ASK_CREATE, CS_BYTES_NONE,
				 "the cluster has epoch 1");
}

enum cli_exit cli_cluster_join(struct cli *cli)
{
	return cli_cluster_order(cli, WIRE_CLUSTER_ASK_JOIN, CS_BYTES_NONE, "joined as a standby");
}

enum cli_exit cli_cluster_promote(struct cli *cli)
{
	return cli_cluster_order(cli, WIRE_CLUSTER_ASK_PROMOTE, CS_BYTES_NONE, "took over");
}

enum cli_exit cli_cluster_rotate(struct cli *cli)
{
	return cli_cluster_order(cli, WIRE_CLUSTER_ASK_ROTATE, CS_BYTES_NONE,
				 "a new epoch has begun");
}

enum cli_exit cli_cluster_revoke(struct cli *cli)
{
	uint8_t key[32];
	if (cli->positional_count != 1 ||
	    cs_unhex(key, sizeof key, cs_bytes_str(cli->positional[0])) != CS_OK)
		return cli_fail(cli, CLI_USAGE,
				"which key? 64 hex digits, as `caisson cluster "
				"status` of its owner shows");
	return cli_cluster_order(cli, WIRE_CLUSTER_ASK_REVOKE, CS_BYTES_OF(key),
				 "revoked; a new epoch has begun");
}

enum cli_exit cli_cluster_status(struct cli *cli)
{
	static struct cli_cluster_answer answer;
	json_error_t error;
	const enum cli_exit code =
		cli_cluster_ask(cli, &answer, WIRE_CLUSTER_ASK_STATUS, CS_BYTES_NONE);
	if (code != CLI_OK)
		return code;
	json_t *json = json_loadb((const char *)answer.what.p, answer.what.n, 0, &error);
	if (json == NULL)
		return cli_fail(cli, CLI_FAILED, "the answer is no JSON: %s", error.text);
	cli_print_json(cli, json);
	return CLI_OK;
}

static enum cli_exit read_file(struct cli *cli, uint8_t **bytes, size_t *size)
{
	struct cs_why why = {""};
	if (cli->positional_count == 0)
		return cli_fail(cli, CLI_USAGE, "which file?");
	const char *path = cli->positional[cli->positional_count - 1];
	if (host_file_load(bytes, size, path, WIRE_PIPE_DATA_SIZE_MAX - 128, &why) != CS_OK)
		return cli_fail(cli, CLI_USAGE, "%s: %s", path, why.text);
	return CLI_OK;
}

enum cli_exit cli_cluster_manifest(struct cli *cli)
{
	uint8_t *bytes = NULL;
	size_t size = 0;
	enum cli_exit code = read_file(cli, &bytes, &size);
	if (code == CLI_OK)
		code = cli_cluster_order(
			cli, WIRE_CLUSTER_ASK_MANIFEST, cs_bytes(bytes, size),
			"the manifest is in force; add it to enclave.manifests before the next "
			"start");
	free(bytes);
	return code;
}

/* ---- data ---- */

/* [place] purpose file, as the verb has it. */
static enum cli_exit ask_data(struct cli *cli, struct cli_cluster_answer *answer,
			      enum wire_cluster_ask verb, const uint8_t *place)
{
	static uint8_t argument[WIRE_PIPE_DATA_SIZE_MAX];
	const char *purpose = cli_option(cli, "purpose");
	struct cs_buf buf;
	uint8_t *bytes = NULL;
	size_t size = 0;
	if (purpose == NULL || strlen(purpose) > 32)
		return cli_fail(cli, CLI_USAGE, "--purpose: 1 to 32 characters");
	enum cli_exit code = read_file(cli, &bytes, &size);
	if (code != CLI_OK)
		return code;
	cs_buf_init(&buf, argument, sizeof argument);
	if (place != NULL)
		cs_put_u8(&buf, *place);
	cs_put_u8(&buf, (uint8_t)strlen(purpose));
	cs_put(&buf, cs_bytes_str(purpose));
	cs_put(&buf, cs_bytes(bytes, size));
	cs_wipe(bytes, size);
	free(bytes);
	code = cli_cluster_ask(cli, answer, verb, cs_buf_view(&buf));
	cs_wipe(argument, sizeof argument);
	return code;
}

static enum cli_exit convert(struct cli *cli, enum wire_cluster_ask verb)
{
	static struct cli_cluster_answer answer;
	const enum cli_exit code = ask_data(cli, &answer, verb, NULL);
	if (code != CLI_OK)
		return code;
	const bool written = fwrite(answer.what.p, 1, answer.what.n, stdout) == answer.what.n &&
			     fflush(stdout) == 0;
	cs_wipe(&answer, sizeof answer);
	return written ? CLI_OK : cli_fail(cli, CLI_FAILED, "standard output: %s", strerror(errno));
}

enum cli_exit cli_cluster_seal(struct cli *cli)
{
	return convert(cli, WIRE_CLUSTER_ASK_SEAL);
}

enum cli_exit cli_cluster_open(struct cli *cli)
{
	return convert(cli, WIRE_CLUSTER_ASK_OPEN);
}

enum cli_exit cli_cluster_share(struct cli *cli)
{
	static struct cli_cluster_answer answer;
	uint64_t place = 0;
	char hash[65];
	if (!cli_number(cli, "peer", 63, &place))
		return cli_fail(cli, CLI_USAGE, "--peer: place in network.peers, from 0");
	const uint8_t byte = (uint8_t)place;
	const enum cli_exit code = ask_data(cli, &answer, WIRE_CLUSTER_ASK_SHARE, &byte);
	if (code != CLI_OK)
		return code;
	if (answer.what.n != 32)
		return cli_fail(cli, CLI_FAILED, "the answer is no hash");
	cs_hex(hash, answer.what);
	if (cli->json)
		cli_print_json(cli, json_pack("{s:s}", "sha256", hash));
	else
		printf("the other worker opened what has the SHA-256 %s\n", hash);
	return CLI_OK;
}
