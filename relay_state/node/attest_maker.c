#include "relay_state/node/attest_maker.h"

#include "host/alloc.h"
#include "host/child.h"
#include "host/keyfile.h"
#include "host/log.h"
#include "relay_state/node/attest_judge.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PROGRAM "caisson-evidence"
/* Of this program's file, as the enclaves' own measure. */
#define PROGRAM_SIZE_MAX (64u * 1024 * 1024)
#define HEX_SIZE(size) (2 * (size) + 1)

struct node_maker {
	struct host_loop *loop;
	struct node_maker_options options;
	node_maker_made *made;
	void *context;
	struct host_timer *timer;
	struct host_child *child; /* NULL: none is under way */
	int fd;                   /* where it writes; -1 */
	uint64_t issued_s;
	char measurement[HEX_SIZE(sizeof(struct cs_hash))];
};

static void hex(char *text, struct cs_bytes bytes)
{
	cs_hex(text, bytes);
	text[2 * bytes.n] = '\0';
}

static void clean(struct node_maker *m)
{
	host_child_free(m->child);
	m->child = NULL;
	if (m->fd >= 0)
		(void)close(m->fd);
	m->fd = -1;
}

static void failed(struct node_maker *m, const char *why)
{
	log_error("node.evidence_failed", LOG_TEXT("backend", m->options.backend),
		  LOG_TEXT("why", why));
	host_timer_start(m->timer, NODE_ATTEST_RETRY_MS, 0);
}

/* What the child has to say it has said on standard error. */
static void on_ended(void *context, int status, int signal_number, uint64_t restart_ms)
{
	struct node_maker *m = context;
	uint8_t bytes[NODE_ATTEST_EXTENSION_SIZE_MAX + 1];
	(void)restart_ms;
	const ssize_t n = pread(m->fd, bytes, sizeof bytes, 0);
	clean(m);
	if (status != 0 || signal_number != 0)
		return failed(m, PROGRAM " ended with an error");
	if (n <= 0 || (size_t)n > NODE_ATTEST_EXTENSION_SIZE_MAX)
		return failed(m, PROGRAM " wrote no evidence");
	log_info("node.evidence", LOG_TEXT("backend", m->options.backend),
		 LOG_U64("bytes", (uint64_t)n));
	host_timer_start(m->timer, NODE_ATTEST_RENEW_MS, 0);
	m->made(m->context, cs_bytes(bytes, (size_t)n), m->issued_s);
}

static enum cs_err begin(struct node_maker *m, struct cs_why *why)
{
	static const struct host_child_events events = {.ended = on_ended};
	char program[4096], spki[HEX_SIZE(NODE_ATTEST_SPKI_SIZE_MAX)],
		report[HEX_SIZE(sizeof(struct cs_hash))];
	const bool has_state = strcmp(m->options.backend, "tpm") == 0;
	m->issued_s = host_wall_ms() / 1000;
	const struct cs_hash about =
		node_attest_report(m->options.spki, m->options.genesis_hash, m->issued_s);
	hex(spki, m->options.spki);
	hex(report, CS_BYTES_OF(about.b));
	if (has_state && mkdir(m->options.state_folder, 0700) != 0 && errno != EEXIST)
		return cs_fail(why, CS_ERR_IO, "%.100s: %s", m->options.state_folder,
			       strerror(errno));
	m->fd = memfd_create("evidence", MFD_CLOEXEC);
	if (m->fd < 0)
		return cs_fail(why, CS_ERR_IO, "memfd_create: %s", strerror(errno));
	host_program_find(program, sizeof program, PROGRAM);
	const struct host_child_options options = {
		.program = program,
		.args = {"--tee", m->options.backend, "--spki", spki, "--report", report,
			 "--measurement", m->measurement, has_state ? "--tee-state" : NULL,
			 has_state ? m->options.state_folder : NULL},
		.fds = {m->fd},
		.fd_count = 1};
	return host_child_new(&m->child, m->loop, &options, &events, m, why);
}

static void on_timer(void *context)
{
	struct node_maker *m = context;
	struct cs_why why = {{0}};
	if (begin(m, &why) == CS_OK)
		return;
	clean(m);
	failed(m, why.text);
}

enum cs_err node_maker_new(struct node_maker **out, struct host_loop *loop,
			   const struct node_maker_options *options, node_maker_made *made,
			   void *context, struct cs_why *why)
{
	uint8_t *program = NULL;
	size_t size = 0;
	cs_assert(options->spki.n <= NODE_ATTEST_SPKI_SIZE_MAX);
	CS_TRY(host_file_load(&program, &size, "/proc/self/exe", PROGRAM_SIZE_MAX, why));
	const struct cs_hash measurement = cs_sha256(cs_bytes(program, size));
	free(program);
	struct node_maker *m = host_alloc(sizeof *m);
	m->loop = loop;
	m->options = *options;
	m->made = made;
	m->context = context;
	m->fd = -1;
	hex(m->measurement, CS_BYTES_OF(measurement.b));
	m->timer = host_timer_new(loop, on_timer, m);
	host_timer_start(m->timer, 0, 0);
	*out = m;
	return CS_OK;
}

void node_maker_free(struct node_maker *m)
{
	if (m == NULL)
		return;
	clean(m);
	host_timer_free(m->timer);
	free(m);
}
