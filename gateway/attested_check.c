#include "gateway/attested_check.h"

#include "host/alloc.h"
#include "host/child.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct gateway_attested_check {
	struct host_child *child; /* NULL: it has ended */
	struct host_timer *timer;
	int fd; /* where it writes */
	gateway_attested_answered *answered;
	void *context;
};

static void end_child(struct gateway_attested_check *check)
{
	host_child_free(check->child);
	check->child = NULL;
	host_timer_stop(check->timer);
}

/* The file has its full size from the start: what was not written is zeros, and JSON has none. */
static size_t read_output(const struct gateway_attested_check *check, uint8_t *bytes)
{
	const ssize_t n = pread(check->fd, bytes, GATEWAY_ATTESTED_OUTPUT_MAX, 0);
	return n <= 0 ? 0 : strnlen((const char *)bytes, (size_t)n);
}

static void on_ended(void *context, int status, int signal_number, uint64_t restart_ms)
{
	struct gateway_attested_check *check = context;
	struct gateway_attested_verdict verdict;
	uint8_t *bytes = host_alloc(GATEWAY_ATTESTED_OUTPUT_MAX);
	(void)restart_ms;
	end_child(check);
	if (signal_number != 0)
		gateway_attested_fail(&verdict, "`caisson attest connect` was killed");
	else
		gateway_attested_read(&verdict, status, cs_bytes(bytes, read_output(check, bytes)));
	free(bytes);
	check->answered(check->context, &verdict);
}

static void on_late(void *context)
{
	struct gateway_attested_check *check = context;
	struct gateway_attested_verdict verdict;
	end_child(check);
	gateway_attested_fail(&verdict, "`caisson attest connect` took too long");
	check->answered(check->context, &verdict);
}

/* Memory that a child can fill, but not make larger. */
static enum cs_err open_output(int *fd, struct cs_why *why)
{
	*fd = memfd_create("attested", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (*fd >= 0 && ftruncate(*fd, GATEWAY_ATTESTED_OUTPUT_MAX) == 0 &&
	    fcntl(*fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) == 0)
		return CS_OK;
	return cs_fail(why, CS_ERR_IO, "memfd_create: %s", strerror(errno));
}

static enum cs_err start(struct gateway_attested_check *check, struct host_loop *loop,
			 const struct gateway_attested_question *question, struct cs_why *why)
{
	static const struct host_child_events events = {.ended = on_ended};
	char program[4096];
	struct host_child_options options = {.program = program,
					     .args = {"attest", "connect", question->place,
						      "--json", "--policy", question->policy,
						      "--lineage", question->lineage}};
	size_t n = 8;
	CS_TRY(open_output(&check->fd, why));
	if (question->collateral != NULL) {
		options.args[n++] = "--collateral";
		options.args[n++] = question->collateral;
	}
	if (question->roots != NULL) {
		options.args[n++] = "--root";
		options.args[n++] = question->roots;
	}
	options.output = check->fd;
	host_program_find(program, sizeof program, question->program);
	return host_child_new(&check->child, loop, &options, &events, check, why);
}

enum cs_err gateway_attested_ask(struct gateway_attested_check **out, struct host_loop *loop,
				 const struct gateway_attested_question *question,
				 gateway_attested_answered *answered, void *context,
				 struct cs_why *why)
{
	struct gateway_attested_check *check = host_alloc(sizeof *check);
	check->fd = -1;
	check->answered = answered;
	check->context = context;
	check->timer = host_timer_new(loop, on_late, check);
	const enum cs_err err = start(check, loop, question, why);
	if (err != CS_OK) {
		gateway_attested_check_free(check);
		return err;
	}
	host_timer_start(check->timer, question->timeout_ms, 0);
	*out = check;
	return CS_OK;
}

void gateway_attested_check_free(struct gateway_attested_check *check)
{
	if (check == NULL)
		return;
	host_child_free(check->child);
	host_timer_free(check->timer);
	if (check->fd >= 0)
		(void)close(check->fd);
	free(check);
}
