/* `caisson cluster recovery …`: a cluster that lost its key servers comes back by r of n holders of recovery keys. Export, request and restore
 * are orders to a key server; a holder approves offline, on a machine of his own. */
#include "cli/cluster.h"
#include "core/nistp.h"
#include "host/alloc.h"
#include "verify/cluster/lineage.h"
#include "verify/cluster/recovery.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#define RECOVERY_SIZE_MAX (WIRE_PIPE_DATA_SIZE_MAX - 8192u)
#define SHARE_SIZE_MAX 1024u

struct file {
	uint8_t *p;
	size_t n;
};

static enum cli_exit load(struct cli *cli, struct file *file, const char *path, size_t size_max)
{
	struct cs_why why = {""};
	if (host_file_load(&file->p, &file->n, path, size_max, &why) == CS_OK)
		return CLI_OK;
	return cli_fail(cli, CLI_USAGE, "%s: %s", path, why.text);
}

static enum cli_exit load_recovery(struct cli *cli, struct file *file)
{
	if (cli->positional_count != 1)
		return cli_fail(cli, CLI_USAGE, "which recovery? the file that a key server keeps");
	return load(cli, file, cli->positional[0], RECOVERY_SIZE_MAX);
}

/* A new file: what is there already may be needed. */
static enum cli_exit store(struct cli *cli, struct cs_bytes bytes, const char *what)
{
	const char *path = cli_option(cli, "out");
	if (path == NULL)
		return cli_fail(cli, CLI_USAGE, "--out: where to?");
	FILE *out = fopen(path, "wx");
	if (out == NULL)
		return cli_fail(cli, CLI_USAGE, "%s: %s", path, strerror(errno));
	bool good = fwrite(bytes.p, 1, bytes.n, out) == bytes.n;
	good = fclose(out) == 0 && good;
	if (!good) {
		(void)remove(path);
		return cli_fail(cli, CLI_FAILED, "%s: cannot be written", path);
	}
	if (cli->json)
		cli_print_json(cli, json_pack("{s:s}", "file", path));
	else
		printf("%s: written to %s\n", what, path);
	return CLI_OK;
}

/* ---- orders to a key server ---- */

enum cli_exit cli_cluster_recovery_export(struct cli *cli)
{
	static struct cli_cluster_answer answer;
	const enum cli_exit code =
		cli_cluster_ask(cli, &answer, WIRE_CLUSTER_ASK_RECOVERY_EXPORT, CS_BYTES_NONE);
	return code != CLI_OK ? code : store(cli, answer.what, "the recovery");
}

enum cli_exit cli_cluster_recovery_request(struct cli *cli)
{
	static struct cli_cluster_answer answer;
	struct file recovery = {NULL, 0};
	enum cli_exit code = load_recovery(cli, &recovery);
	if (code == CLI_OK)
		code = cli_cluster_ask(cli, &answer, WIRE_CLUSTER_ASK_RECOVERY_REQUEST,
				       cs_bytes(recovery.p, recovery.n));
	free(recovery.p);
	return code != CLI_OK ? code : store(cli, answer.what, "the request for the holders");
}

static enum cli_exit put_file(struct cli *cli, struct cs_buf *out, const char *path,
			      size_t size_max)
{
	struct file file = {NULL, 0};
	const enum cli_exit code = load(cli, &file, path, size_max);
	if (code == CLI_OK) {
		cs_put_u32(out, (uint32_t)file.n);
		cs_put(out, cs_bytes(file.p, file.n));
	}
	free(file.p);
	return code;
}

enum cli_exit cli_cluster_recovery_restore(struct cli *cli)
{
	static uint8_t argument[WIRE_PIPE_DATA_SIZE_MAX];
	struct cs_buf out;
	unsigned at = 0;
	if (cli->positional_count != 1)
		return cli_fail(cli, CLI_USAGE, "which recovery? the file of the request");
	cs_buf_init(&out, argument, sizeof argument);
	enum cli_exit code = put_file(cli, &out, cli->positional[0], RECOVERY_SIZE_MAX);
	for (const char *path; code == CLI_OK && (path = cli_option_next(cli, "share", &at));)
		code = put_file(cli, &out, path, SHARE_SIZE_MAX);
	if (code == CLI_OK && out.failed)
		code = cli_fail(cli, CLI_USAGE, "too many shares");
	if (code != CLI_OK)
		return code;
	return cli_cluster_order(cli, WIRE_CLUSTER_ASK_RECOVERY_RESTORE, cs_buf_view(&out),
				 "the cluster is back; a new epoch has begun");
}

/* ---- a holder ---- */

struct approval {
	struct cs_sig *sig;
	struct cs_nistp *nistp;
	struct cluster_lineage lineage;
	uint8_t *block, *lineage_block;
	struct cs_arena arena;
	struct cs_secret random, holder;
	struct file recovery, request;
	struct cluster_peer asker;
	uint8_t share[SHARE_SIZE_MAX];
	struct cs_buf out;
};

static enum cli_exit read_manifests(struct cli *cli, struct approval *a)
{
	unsigned at = 0, count = 0;
	for (const char *path; (path = cli_option_next(cli, "manifest", &at)); count++) {
		struct cs_why why = {""};
		struct file file = {NULL, 0};
		const enum cli_exit code = load(cli, &file, path, CS_MANIFEST_SIZE_MAX);
		if (code != CLI_OK)
			return code;
		const struct cluster_manifest *next = NULL;
		const enum cs_err err = cluster_lineage_read(
			&a->lineage, &next, cs_bytes(file.p, file.n), a->sig, &why);
		free(file.p);
		if (err != CS_OK)
			return cli_fail(cli, CLI_NO, "%s: %s: %s", path, cs_err_name(err),
					why.text);
		cluster_lineage_follow(&a->lineage);
	}
	return count > 0 ? CLI_OK
			 : cli_fail(cli, CLI_USAGE,
				    "--manifest: all that you know of the cluster, the first one "
				    "first");
}

static enum cli_exit prepare(struct cli *cli, struct approval *a)
{
	struct cs_why why = {""};
	const char *key = cli_option(cli, "key-file"), *request = cli_option(cli, "request");
	if (key == NULL || request == NULL || cli_option(cli, "out") == NULL)
		return cli_fail(cli, CLI_USAGE, "give --request, --key-file and --out");
	if (getrandom(a->random.b, sizeof a->random.b, 0) != (ssize_t)sizeof a->random.b)
		return cli_fail(cli, CLI_FAILED, "no randomness");
	a->sig = cs_sig_new(NULL);
	a->nistp = cs_nistp_new();
	if (a->sig == NULL || a->nistp == NULL)
		return cli_fail(cli, CLI_FAILED, "out of memory");
	a->block = host_alloc(CLUSTER_ARENA_SIZE);
	a->lineage_block = host_alloc(CLUSTER_LINEAGE_SIZE);
	cs_arena_init(&a->arena, a->block, CLUSTER_ARENA_SIZE);
	cluster_lineage_init(&a->lineage, a->lineage_block);
	cs_buf_init(&a->out, a->share, sizeof a->share);
	enum cli_exit code = load_recovery(cli, &a->recovery);
	if (code == CLI_OK)
		code = load(cli, &a->request, request, WIRE_PIPE_ANSWER_SIZE_MAX);
	if (code == CLI_OK)
		code = read_manifests(cli, a);
	if (code == CLI_OK && host_keyfile_load(&a->holder, key, &why) != CS_OK)
		code = cli_fail(cli, CLI_USAGE, "%s", why.text);
	return code;
}

static enum cli_exit approve(struct cli *cli, struct approval *a)
{
	struct cs_why why = {""};
	const uint64_t now_s = (uint64_t)time(NULL);
	const struct verify_time now = {now_s, now_s};
	const struct cluster_tools tools = {.sig = a->sig, .nistp = a->nistp, .arena = &a->arena};
	const struct cluster_recovery_question question = {
		cs_bytes(a->recovery.p, a->recovery.n), cs_bytes(a->request.p, a->request.n), &now};
	const enum cs_err err = cluster_recovery_answer(&a->out, &a->asker, &question, &a->holder,
							cluster_lineage_newest(&a->lineage), &tools,
							&a->random, &why);
	return err == CS_OK ? CLI_OK
			    : cli_fail(cli, CLI_NO, "no share is given: %s: %s", cs_err_name(err),
				       why.text[0] != '\0' ? why.text : cs_err_sentence(err));
}

static enum cli_exit show(struct cli *cli, const struct approval *a)
{
	const struct cluster_peer *asker = &a->asker;
	const struct cluster_manifest *m = cluster_lineage_newest(&a->lineage);
	char key[65];
	cs_hex(key, CS_BYTES_OF(asker->spki.b));
	if (asker->insecure)
		(void)fputs("caisson: INSECURE: the manifest accepts this evidence, which proves "
			    "nothing: whoever asks may be anybody\n",
			    stderr);
	if (!cli->json)
		printf("asks: a key server of build \"%s\", evidence of %s, key %s\n"
		       "judged by manifest %llu of \"%.*s\"\n",
		       asker->build, attest_kind_name(asker->kind), key,
		       (unsigned long long)m->number, (int)m->name.n, (const char *)m->name.p);
	return store(cli, cs_buf_view(&a->out), "your share, for this process alone");
}

static void done(struct approval *a)
{
	cs_sig_free(a->sig);
	cs_nistp_free(a->nistp);
	if (a->block != NULL)
		cs_wipe(a->block, CLUSTER_ARENA_SIZE);
	free(a->block);
	free(a->lineage_block);
	free(a->recovery.p);
	free(a->request.p);
	cs_wipe(a, sizeof *a);
}

enum cli_exit cli_cluster_recovery_approve(struct cli *cli)
{
	static struct approval a;
	enum cli_exit code = prepare(cli, &a);
	if (code == CLI_OK)
		code = approve(cli, &a);
	if (code == CLI_OK)
		code = show(cli, &a);
	done(&a);
	return code;
}
