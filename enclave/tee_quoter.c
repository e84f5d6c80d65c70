#include "enclave/tee_quoter.h"

#include "enclave/insecure.h"
#include "enclave/sandbox.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

/* Messages of the socket pair, one a packet. A question is a letter, and report data after 'Q'; an
 * answer begins with the question, so that one which comes too late is known, then an enum cs_err in
 * two bytes, then what was asked for or a sentence. */
#define ASK_READY 'R' /* never sent: the quoting process answers it by itself */
#define ASK_QUOTE 'Q'
#define ASK_SEAL_ROOT 'S'
#define QUESTION_SIZE_MAX (1u + TEE_REPORT_DATA_SIZE)
#define ANSWER_SIZE_MAX (QUESTION_SIZE_MAX + 2u + TEE_EVIDENCE_SIZE_MAX)
/* TDX asks a service of its host for a quote; TPMs take a second. */
#define TIMEOUT_S 20
/* Answers that came too late, and are passed over: one for each question that was given up. */
#define LATE_MAX 64
/* The child's end, wherever it was made. */
#define CHILD_FD 3

static size_t question_size(uint8_t letter)
{
	return letter == ASK_QUOTE ? QUESTION_SIZE_MAX : 1;
}

/* ---- the quoting process ---- */

struct quoter {
	const struct tee_hardware *hardware;
	struct tee_device device;
	bool seal_root_given;
	struct cs_why why;
	uint8_t answer[ANSWER_SIZE_MAX];
};

static bool answer(struct quoter *q, struct cs_bytes question, enum cs_err err,
		   struct cs_bytes body)
{
	struct cs_buf out;
	cs_buf_init(&out, q->answer, sizeof q->answer);
	cs_put(&out, question);
	cs_put_u16(&out, (uint16_t)err);
	cs_put(&out, err == CS_OK ? body : cs_bytes_str(q->why.text));
	const bool sent =
		cs_buf_end(&out) == CS_OK && write(CHILD_FD, out.p, out.n) == (ssize_t)out.n;
	cs_wipe(q->answer, sizeof q->answer);
	return sent;
}

static bool answer_quote(struct quoter *q, struct cs_bytes question)
{
	static uint8_t memory[TEE_EVIDENCE_SIZE_MAX];
	struct cs_buf evidence;
	cs_buf_init(&evidence, memory, sizeof memory);
	const enum cs_err err = q->hardware->quote(&q->device, &evidence, question.p + 1, &q->why);
	return answer(q, question, err, cs_buf_view(&evidence));
}

static bool answer_seal_root(struct quoter *q, struct cs_bytes question)
{
	struct cs_secret root = {{0}};
	enum cs_err err;
	if (q->hardware->seal_root == NULL || q->seal_root_given)
		err = cs_fail(&q->why, CS_ERR_FORBIDDEN, "the sealing root is given once");
	else
		err = q->hardware->seal_root(&q->device, &root, &q->why);
	q->seal_root_given = true;
	const bool sent = answer(q, question, err, CS_BYTES_OF(root.b));
	cs_wipe(&root, sizeof root);
	return sent;
}

static bool answer_next(struct quoter *q)
{
	uint8_t question[QUESTION_SIZE_MAX + 1];
	const ssize_t n = read(CHILD_FD, question, sizeof question);
	if (n < 0 && errno == EINTR)
		return true;
	if (n <= 0 || (size_t)n != question_size(question[0]))
		return false; /* the enclave is gone, or not itself any more */
	q->why.text[0] = 0;
	const struct cs_bytes asked = cs_bytes(question, (size_t)n);
	if (question[0] == ASK_QUOTE)
		return answer_quote(q, asked);
	return question[0] == ASK_SEAL_ROOT && answer_seal_root(q, asked);
}

static enum cs_err quoter_open(struct quoter *q, int fd, const char *root, uint64_t tolerated)
{
	uint64_t missing;
	if (fd != CHILD_FD && dup2(fd, CHILD_FD) != CHILD_FD)
		return CS_ERR_IO;
	if (close_range(CHILD_FD + 1, ~0U, 0) != 0)
		return CS_ERR_SANDBOX;
	CS_TRY(q->hardware->open(&q->device, root, &q->why));
	return sandbox_enter(tolerated, SANDBOX_QUOTE, &missing, &q->why);
}

_Noreturn static void quoter_run(const struct tee_hardware *hardware, int fd, const char *root,
				 uint64_t tolerated)
{
	static struct quoter q;
	static const uint8_t ready[] = {ASK_READY};
	q.hardware = hardware;
	const enum cs_err err = quoter_open(&q, fd, root, tolerated);
	bool go_on = answer(&q, CS_BYTES_OF(ready), err, CS_BYTES_NONE) && err == CS_OK;
	while (go_on)
		go_on = answer_next(&q);
	_exit(0);
}

/* ---- the enclave's side ---- */

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
	uint8_t question[QUESTION_SIZE_MAX] = {ASK_QUOTE};
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

/* ---- start ---- */

const struct tee_hardware *tee_hardware_find(const char *name)
{
	static const struct tee_hardware *const all[] = {&tee_gramine, &tee_tsm};
	for (size_t i = 0; i < CS_LEN(all); i++)
		if (strcmp(all[i]->name, name) == 0)
			return all[i];
	return NULL;
}

static enum cs_err fork_quoter(int *fd, const struct tee_hardware *hardware, const char *root,
			       uint64_t tolerated)
{
	const struct timeval patience = {.tv_sec = TIMEOUT_S};
	int pair[2];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
		return CS_ERR_IO;
	if (setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) != 0)
		return CS_ERR_IO;
	const pid_t pid = fork();
	if (pid < 0)
		return CS_ERR_IO;
	if (pid == 0)
		quoter_run(hardware, pair[1], root, tolerated);
	(void)close(pair[1]);
	*fd = pair[0];
	return CS_OK;
}

enum cs_err tee_start(struct tee *tee, const struct tee_hardware *hardware, const char *root,
		      uint64_t tolerated, struct cs_why *why)
{
	static const uint8_t ready[] = {ASK_READY};
	struct cs_buf nothing;
	int fd;
	cs_buf_init(&nothing, NULL, 0);
	if (fork_quoter(&fd, hardware, root == NULL ? hardware->root : root, tolerated) != CS_OK)
		return cs_fail(why, CS_ERR_IO, "no process can be made for quotes");
	CS_TRY(await(&nothing, fd, CS_BYTES_OF(ready), why));
	*tee = (struct tee){.backend = hardware->name, .fd = fd, .evidence = evidence};
	if (root != NULL)
		tee->insecure_flags |= ENCLAVE_INSECURE_tee_root;
	if (hardware->seal_root == NULL)
		tee->insecure_flags |= ENCLAVE_INSECURE_simulated_seal_root;
	return CS_OK;
}
