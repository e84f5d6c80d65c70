#include "enclave/tee_quoter.h"

#include "enclave/boundary.h"
#include "enclave/insecure.h"
#include "enclave/tee_messages.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

/* TDX asks a service of its host for a quote; TPMs take a second. */
#define TIMEOUT_S 20
/* Answers that came too late, and are passed over: one for each question that was given up. */
#define LATE_MAX 64

static enum cs_err take(struct cs_buf *body, struct cs_bytes packet, struct cs_why *why)
{
	const unsigned code = (unsigned)packet.p[0] << 8 | packet.p[1];
	const struct cs_bytes rest = cs_bytes(packet.p + 2, packet.n - 2);
	if (code >= CS_ERR_COUNT)
		return cs_fail(why, CS_ERR_MALFORMED, "the quoting process's answer");
	if (code != CS_OK)
		return cs_fail(why, (enum cs_err)code, "%.*s", (int)rest.n, (const char *)rest.p);
	cs_put(body, rest);
	return cs_buf_end(body);
}

/* Waits for the answer to this question, past those to questions that were given up. */
static enum cs_err await(struct cs_buf *body, int fd, struct cs_bytes question, struct cs_why *why)
{
	uint8_t packet[ANSWER_SIZE_MAX];
	for (int late = 0; late < LATE_MAX;) {
		const ssize_t n = read(fd, packet, sizeof packet);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return cs_fail(why, CS_ERR_TIMEOUT,
				       "the hardware gave no evidence in %d seconds", TIMEOUT_S);
		if (n <= 0)
			return cs_fail(why, CS_ERR_UNAVAILABLE, "the quoting process is gone");
		if ((size_t)n >= question.n + 2 && memcmp(packet, question.p, question.n) == 0) {
			const enum cs_err err = take(
				body, cs_bytes(packet + question.n, (size_t)n - question.n), why);
			cs_wipe(packet, sizeof packet);
			return err;
		}
		late++;
	}
	return cs_fail(why, CS_ERR_UNAVAILABLE, "the quoting process answers other questions");
}

static enum cs_err ask(struct cs_buf *body, int fd, struct cs_bytes question, struct cs_why *why)
{
	if (write(fd, question.p, question.n) != (ssize_t)question.n)
		return cs_fail(why, CS_ERR_UNAVAILABLE, "the quoting process is gone");
	return await(body, fd, question, why);
}

static enum cs_err evidence(const struct tee *tee, struct cs_buf *out, const uint8_t *report_data,
			    const struct cs_hash *measurement, struct cs_why *why)
{
	uint8_t question[1 + TEE_REPORT_DATA_SIZE] = {ASK_QUOTE};
	(void)measurement; /* the hardware has measured */
	memcpy(question + 1, report_data, TEE_REPORT_DATA_SIZE);
	return ask(out, tee->fd, CS_BYTES_OF(question), why);
}

enum cs_err tee_seal_root(const struct tee *tee, uint8_t root[32], struct cs_why *why)
{
	static const uint8_t question[] = {ASK_SEAL_ROOT};
	struct cs_buf out;
	cs_buf_init(&out, root, 32);
	CS_TRY(ask(&out, tee->fd, CS_BYTES_OF(question), why));
	return out.n == 32 ? CS_OK : cs_fail(why, CS_ERR_MALFORMED, "a sealing root of other size");
}

enum cs_err tee_record_read(const struct tee *tee, uint8_t out[TEE_RECORD_SIZE], struct cs_why *why)
{
	static const uint8_t question[] = {ASK_RECORD_READ};
	struct cs_buf body;
	cs_buf_init(&body, out, TEE_RECORD_SIZE);
	CS_TRY(ask(&body, tee->fd, CS_BYTES_OF(question), why));
	return body.n == TEE_RECORD_SIZE ? CS_OK
					 : cs_fail(why, CS_ERR_MALFORMED, "a record of other size");
}

enum cs_err tee_record_write(const struct tee *tee, const uint8_t in[TEE_RECORD_SIZE],
			     struct cs_why *why)
{
	uint8_t question[1 + TEE_RECORD_SIZE] = {ASK_RECORD_WRITE};
	struct cs_buf nothing;
	cs_buf_init(&nothing, NULL, 0);
	memcpy(question + 1, in, TEE_RECORD_SIZE);
	return ask(&nothing, tee->fd, CS_BYTES_OF(question), why);
}

/* ---- start ---- */

/* Its functions are in a program of its own (enclave/tpm). */
static const struct tee_hardware tpm = {
	.name = "tpm",
	.root = "/dev/tpmrm0",
	.program = "caisson-tpm-quoter",
	.needs_state = true,
	.has_seal_root = true,
	.has_record = true,
};

const struct tee_hardware *tee_hardware_find(const char *name)
{
	static const struct tee_hardware *const all[] = {&tee_gramine, &tee_tsm, &tpm};
	for (size_t i = 0; i < CS_LEN(all); i++)
		if (strcmp(all[i]->name, name) == 0)
			return all[i];
	return NULL;
}

/* In the folder of this program, whatever its name. */
_Noreturn static void run_program(const char *name, const struct tee_place *place,
				  uint64_t tolerated)
{
	static char path[4096], root[4096], state[4096], word[24];
	const ssize_t n = readlink("/proc/self/exe", path, sizeof path);
	const char *slash = n > 0 && (size_t)n < sizeof path ? memrchr(path, '/', (size_t)n) : NULL;
	const size_t folder = slash == NULL ? 0 : (size_t)(slash + 1 - path);
	if (folder == 0 || folder + strlen(name) >= sizeof path)
		tee_serve_not(CS_ERR_IO, "/proc/self/exe cannot be read");
	memcpy(path + folder, name, strlen(name) + 1);
	(void)snprintf(word, sizeof word, "%llu", (unsigned long long)tolerated);
	/* Its library would write to a log otherwise, which the sandbox kills. */
	static char quiet[] = "TSS2_LOG=all+NONE";
	(void)snprintf(root, sizeof root, "%s", place->root);
	(void)snprintf(state, sizeof state, "%s", place->state);
	char *const argv[] = {path, root, state, word, NULL};
	char *const environment[] = {quiet, NULL};
	(void)execve(path, argv, environment);
	tee_serve_not(CS_ERR_UNAVAILABLE, "caisson-tpm-quoter is not beside the enclave's program");
}

_Noreturn static void child(int fd, const struct tee_hardware *hardware,
			    const struct tee_place *place, uint64_t tolerated)
{
	/* Without a word: the enclave sees that it is gone. */
	if (dup2(fd, TEE_FD) != TEE_FD || close_range(TEE_FD + 1, ~0U, 0) != 0)
		_exit(1);
	if (hardware->program != NULL)
		run_program(hardware->program, place, tolerated);
	tee_serve(hardware, place, tolerated);
}

static enum cs_err fork_quoter(int *fd, const struct tee_hardware *hardware,
			       const struct tee_place *place, uint64_t tolerated)
{
	const struct timeval patience = {.tv_sec = TIMEOUT_S};
	int pair[2];
	/* Not closed by execve: the enclave makes none, and the other end is for its program. */
	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) != 0)
		return CS_ERR_IO;
	if (setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) != 0)
		return CS_ERR_IO;
	const pid_t pid = fork();
	if (pid < 0)
		return CS_ERR_IO;
	if (pid == 0)
		child(pair[1], hardware, place, tolerated);
	(void)close(pair[1]);
	*fd = pair[0];
	return CS_OK;
}

enum cs_err tee_start(struct tee *tee, const struct tee_hardware *hardware,
		      const struct tee_place *place, uint64_t tolerated, struct cs_why *why)
{
	static const uint8_t ready[] = {ASK_READY};
	const struct tee_place at = {place->root == NULL ? hardware->root : place->root,
				     place->state};
	struct cs_buf nothing;
	int fd;
	cs_buf_init(&nothing, NULL, 0);
	if (fork_quoter(&fd, hardware, &at, tolerated) != CS_OK)
		return cs_fail(why, CS_ERR_IO, "no process can be made for quotes");
	CS_TRY(await(&nothing, fd, CS_BYTES_OF(ready), why));
	*tee = (struct tee){.backend = hardware->name, .fd = fd, .evidence = evidence};
	if (place->root != NULL)
		tee->insecure_flags |= ENCLAVE_INSECURE_tee_root;
	if (!hardware->has_seal_root)
		tee->insecure_flags |= ENCLAVE_INSECURE_simulated_seal_root;
	return CS_OK;
}

enum cs_err tee_begin(struct tee *tee, const struct tee_hardware *hardware,
		      const struct tee_place *place, int listen_fd, uint64_t tolerated,
		      struct cs_why *why)
{
	uint64_t flags = 0;
	*tee = tee_simulated;
	CS_TRY(boundary_check(&flags, hardware == NULL ? tee->backend : hardware->name, listen_fd,
			      tolerated, why));
	if (hardware != NULL)
		CS_TRY(tee_start(tee, hardware, place, tolerated, why));
	tee->insecure_flags |= flags;
	return CS_OK;
}
