#include "host/child.h"

#include "host/alloc.h"
#include "host/loop_inner.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKOFF_MIN_MS 200u
#define BACKOFF_MAX_MS 10000u
/* A child that ran this long was well: the next pause is the shortest again. */
#define WELL_MS 10000u
#define BACKLOG 8

struct running {
	uv_process_t process;
	struct host_loop *loop;
	struct host_child
		*child; /* NULL: it was freed; the loop waits for the killed program to be reaped */
};

struct host_child {
	struct host_loop *loop;
	char *args[HOST_CHILD_ARGS_MAX + 2];
	int fds[HOST_CHILD_FDS_MAX];
	uint32_t fd_count;
	int output; /* 0: our standard error */
	uint64_t backoff_min_ms;
	uint64_t backoff_max_ms;
	uint64_t backoff_ms;
	uint64_t started_ms;
	struct host_child_events events;
	void *context;
	struct running *running;
	struct host_timer *timer; /* until the next start, or until SIGKILL */
	bool stopping;
	host_call *stopped;
	void *stopped_context;
};

static void on_timer(void *context);

static void free_running(uv_handle_t *handle)
{
	free(handle->data);
}

static uint64_t next_backoff(struct host_child *child)
{
	uint64_t pause = child->backoff_ms;
	if (host_now_ms() - child->started_ms >= WELL_MS)
		pause = child->backoff_min_ms;
	child->backoff_ms = pause * 2 < child->backoff_max_ms ? pause * 2 : child->backoff_max_ms;
	return pause;
}

static void ended(struct host_child *child, int status, int signal_number)
{
	uint64_t pause = next_backoff(child);
	host_timer_start(child->timer, pause, 0);
	if (child->events.ended != NULL)
		child->events.ended(child->context, status, signal_number, pause);
}

static void on_exit_of(uv_process_t *process, int64_t status, int signal_number)
{
	struct running *running = process->data;
	struct host_child *child = running->child;
	uv_close((uv_handle_t *)process, free_running);
	if (child == NULL) {
		host_loop_closing_end(running->loop);
		return;
	}
	child->running = NULL;
	if (!child->stopping) {
		ended(child, (int)status, signal_number);
		return;
	}
	host_timer_stop(child->timer);
	child->stopped(child->stopped_context);
}

/* A descriptor keeps its place from the child before. */
static void rewind_files(const struct host_child *child)
{
	for (uint32_t i = 0; i < child->fd_count; i++) {
		struct stat found;
		if (fstat(child->fds[i], &found) == 0 && S_ISREG(found.st_mode))
			(void)lseek(child->fds[i], 0, SEEK_SET);
	}
}

/* Our pid while this thread forks a child of ours, else 0. */
static _Thread_local pid_t spawning;

/* Between fork and exec: libuv has no place for this. A parent that went before the prctl sends no
 * signal, so it is looked for afterwards. */
static void bind_to_parent(void)
{
	if (spawning != 0 && (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != spawning))
		_exit(127);
}

static void arm(void)
{
	int status = pthread_atfork(NULL, NULL, bind_to_parent);
	cs_assert(status == 0);
}

static int spawn(struct running *running, const uv_process_options_t *options)
{
	static pthread_once_t armed = PTHREAD_ONCE_INIT;
	(void)pthread_once(&armed, arm);
	spawning = getpid();
	int status = uv_spawn(host_loop_uv(running->loop), &running->process, options);
	spawning = 0;
	return status;
}

static int start(struct host_child *child)
{
	static char path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
	char *environment[] = {path, NULL};
	uv_stdio_container_t stdio[3 + HOST_CHILD_FDS_MAX] = {
		{.flags = UV_IGNORE},
		{.flags = UV_INHERIT_FD,
		 .data.fd = child->output != 0 ? child->output : STDERR_FILENO},
		{.flags = UV_INHERIT_FD, .data.fd = STDERR_FILENO},
	};
	for (uint32_t i = 0; i < child->fd_count; i++) {
		stdio[3 + i].flags = UV_INHERIT_FD;
		stdio[3 + i].data.fd = child->fds[i];
	}
	uv_process_options_t options = {
		.exit_cb = on_exit_of,
		.file = child->args[0],
		.args = child->args,
		.env = environment,
		.stdio_count = (int)(3 + child->fd_count),
		.stdio = stdio,
	};
	struct running *running = host_alloc(sizeof *running);
	running->loop = child->loop;
	running->child = child;
	running->process.data = running;
	rewind_files(child);
	child->started_ms = host_now_ms();
	int status = spawn(running, &options);
	if (status != 0) {
		running->child = NULL;
		uv_close((uv_handle_t *)&running->process, free_running);
		return status;
	}
	child->running = running;
	return 0;
}

static void on_timer(void *context)
{
	struct host_child *child = context;
	if (child->stopping) {
		if (child->running != NULL)
			(void)uv_process_kill(&child->running->process, SIGKILL);
		else
			child->stopped(child->stopped_context);
		return;
	}
	/* 127 as a shell says it: the program could not be started. */
	if (start(child) != 0)
		ended(child, 127, 0);
	else if (child->events.started != NULL)
		child->events.started(child->context, child->running->process.pid);
}

enum cs_err host_child_new(struct host_child **made, struct host_loop *loop,
			   const struct host_child_options *options,
			   const struct host_child_events *events, void *context,
			   struct cs_why *why)
{
	struct host_child *child = host_alloc(sizeof *child);
	cs_assert(options->fd_count <= HOST_CHILD_FDS_MAX);
	child->loop = loop;
	child->events = *events;
	child->context = context;
	child->backoff_min_ms =
		options->backoff_min_ms > 0 ? options->backoff_min_ms : BACKOFF_MIN_MS;
	child->backoff_max_ms =
		options->backoff_max_ms > 0 ? options->backoff_max_ms : BACKOFF_MAX_MS;
	child->backoff_ms = child->backoff_min_ms;
	child->args[0] = host_text(options->program);
	for (uint32_t i = 0; i < HOST_CHILD_ARGS_MAX && options->args[i] != NULL; i++)
		child->args[i + 1] = host_text(options->args[i]);
	child->timer = host_timer_new(loop, on_timer, child);
	int status = 0;
	for (uint32_t i = 0; i < options->fd_count && status == 0; i++) {
		int fd = fcntl(options->fds[i], F_DUPFD_CLOEXEC, 3);
		if (fd < 0)
			status = uv_translate_sys_error(errno);
		else
			child->fds[child->fd_count++] = fd;
	}
	if (status == 0 && options->output != 0) {
		const int fd = fcntl(options->output, F_DUPFD_CLOEXEC, 3);
		if (fd < 0)
			status = uv_translate_sys_error(errno);
		else
			child->output = fd;
	}
	if (status == 0)
		status = start(child);
	if (status != 0) {
		host_child_free(child);
		return cs_fail(why, CS_ERR_IO, "%.100s: %s", options->program, uv_strerror(status));
	}
	*made = child;
	return CS_OK;
}

int host_child_pid(const struct host_child *child)
{
	return child->running != NULL ? child->running->process.pid : 0;
}

void host_child_stop(struct host_child *child, uint64_t grace_ms, host_call *stopped, void *context)
{
	cs_assert(!child->stopping);
	child->stopping = true;
	child->stopped = stopped;
	child->stopped_context = context;
	if (child->running != NULL)
		(void)uv_process_kill(&child->running->process, SIGTERM);
	host_timer_start(child->timer, child->running != NULL ? grace_ms : 0, 0);
}

void host_child_free(struct host_child *child)
{
	if (child == NULL)
		return;
	if (child->running != NULL) {
		child->running->child = NULL;
		host_loop_closing_begin(child->loop);
		(void)uv_process_kill(&child->running->process, SIGKILL);
	}
	for (size_t i = 0; child->args[i] != NULL; i++)
		free(child->args[i]);
	for (uint32_t i = 0; i < child->fd_count; i++)
		(void)close(child->fds[i]);
	if (child->output != 0)
		(void)close(child->output);
	host_timer_free(child->timer);
	free(child);
}

/* ---- sockets ---- */

/* Something is at path: a dead socket is taken away. */
static enum cs_err clear_path(const struct sockaddr_un *address, struct cs_why *why)
{
	struct stat found;
	if (lstat(address->sun_path, &found) != 0)
		return CS_OK;
	if (!S_ISSOCK(found.st_mode))
		return cs_fail(why, CS_ERR_CONFLICT, "%.100s is there and no socket",
			       address->sun_path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return cs_fail(why, CS_ERR_IO, "socket: %s", strerror(errno));
	int status = connect(fd, (const struct sockaddr *)address, sizeof *address);
	int reason = errno;
	(void)close(fd);
	/* EAGAIN: its queue is full, so there is somebody. */
	if (status == 0 || reason != ECONNREFUSED)
		return cs_fail(why, CS_ERR_CONFLICT, "somebody listens on %.100s",
			       address->sun_path);
	if (unlink(address->sun_path) != 0)
		return cs_fail(why, CS_ERR_IO, "%.100s: %s", address->sun_path, strerror(errno));
	return CS_OK;
}

enum cs_err host_listen_unix(int *listening, const char *path, struct cs_why *why)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof address.sun_path)
		return cs_fail(why, CS_ERR_TOO_LARGE, "%.100s: longer than a socket's path may be",
			       path);
	memcpy(address.sun_path, path, strlen(path) + 1);
	CS_TRY(clear_path(&address, why));
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return cs_fail(why, CS_ERR_IO, "socket: %s", strerror(errno));
	/* Linux gives the file the mode of the socket: there is no moment in which others may
	 * connect. */
	if (fchmod(fd, 0600) != 0 ||
	    bind(fd, (const struct sockaddr *)&address, sizeof address) != 0 ||
	    listen(fd, BACKLOG) != 0) {
		int reason = errno;
		(void)close(fd);
		return cs_fail(why, CS_ERR_IO, "%.100s: %s", path, strerror(reason));
	}
	*listening = fd;
	return CS_OK;
}

void host_program_find(char *path, size_t size, const char *name)
{
	char self[4096];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	snprintf(path, size, "%s", name);
	if (strchr(name, '/') || n <= 0)
		return;
	self[n] = 0;
	int length = snprintf(path, size, "%s/%s", dirname(self), name);
	if (length < 0 || (size_t)length >= size || access(path, X_OK) != 0)
		snprintf(path, size, "%s", name);
}
