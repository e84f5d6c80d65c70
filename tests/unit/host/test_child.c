/* Supervised programs: descriptors, restarts, ends; listening sockets; the seal root on its way. */
#include "host/alloc.h"
#include "host/child.h"
#include "host/enclave_process.h"
#include "tests/unit/support.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define WAIT_MS 10000

struct fixture {
	struct host_loop *loop;
	struct host_child *child;
	char folder[64];
	char out[128];
	uint32_t starts;
	uint32_t ends;
	uint32_t want;
	int status;
	int signal_number;
	uint64_t restart_ms;
	bool stopped;
};

static void on_started(void *context, int pid)
{
	struct fixture *f = context;
	assert_true(pid > 0);
	f->starts++;
}

static void on_ended(void *context, int status, int signal_number, uint64_t restart_ms)
{
	struct fixture *f = context;
	f->ends++;
	f->status = status;
	f->signal_number = signal_number;
	f->restart_ms = restart_ms;
}

static void on_stopped(void *context)
{
	struct fixture *f = context;
	f->stopped = true;
}

static const struct host_child_events events = {on_started, on_ended};

static int set_up(void **state)
{
	struct fixture *f = host_alloc(sizeof *f);
	(void)snprintf(f->folder, sizeof f->folder, "/tmp/caisson-child-XXXXXX");
	assert_non_null(mkdtemp(f->folder));
	(void)snprintf(f->out, sizeof f->out, "%s/out", f->folder);
	f->loop = host_loop_new();
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	host_child_free(f->child);
	host_loop_free(f->loop);
	(void)unlink(f->out);
	assert_int_equal(rmdir(f->folder), 0);
	free(f);
	return 0;
}

static bool has_ended(void *context)
{
	const struct fixture *f = context;
	return f->ends >= f->want;
}

static bool has_stopped(void *context)
{
	const struct fixture *f = context;
	return f->stopped;
}

static bool has_out(void *context)
{
	const struct fixture *f = context;
	struct stat found;
	return stat(f->out, &found) == 0 && found.st_size > 0;
}

static void tick(void *context)
{
	(void)context;
}

/* A file is no event: a timer makes the loop look. */
static void wait_for(struct fixture *f, bool (*done)(void *context), uint32_t want)
{
	struct host_timer *timer = host_timer_new(f->loop, tick, NULL);
	f->want = want;
	host_timer_start(timer, 5, 5);
	assert_ok(host_loop_run_until(f->loop, done, f, WAIT_MS));
	host_timer_free(timer);
}

static enum cs_err run(struct fixture *f, const char *script, int fd)
{
	struct host_child_options options = {.program = "/bin/sh",
					     .args = {"-c", script, f->out},
					     .backoff_min_ms = 20,
					     .backoff_max_ms = 50};
	struct cs_why why;
	if (fd >= 0) {
		options.fds[0] = fd;
		options.fd_count = 1;
	}
	return host_child_new(&f->child, f->loop, &options, &events, f, &why);
}

static void test_restarts_with_backoff(void **state)
{
	struct fixture *f = *state;
	assert_ok(run(f, "exit 3", -1));
	assert_true(host_child_pid(f->child) > 0);
	wait_for(f, has_ended, 1);
	assert_int_equal(f->status, 3);
	assert_int_equal(f->signal_number, 0);
	assert_int_equal(f->restart_ms, 20);
	assert_int_equal(host_child_pid(f->child), 0);
	wait_for(f, has_ended, 2);
	assert_int_equal(f->restart_ms, 40);
	wait_for(f, has_ended, 4);
	assert_int_equal(f->restart_ms, 50);
	assert_int_equal(f->starts, 3);
}

static void test_killed_from_outside(void **state)
{
	struct fixture *f = *state;
	assert_ok(run(f, "exec sleep 1000", -1));
	assert_int_equal(kill(host_child_pid(f->child), SIGKILL), 0);
	wait_for(f, has_ended, 1);
	assert_int_equal(f->signal_number, SIGKILL);
}

static void test_stop(void **state)
{
	struct fixture *f = *state;
	assert_ok(run(f, "exec sleep 1000", -1));
	host_child_stop(f->child, WAIT_MS, on_stopped, f);
	assert_false(f->stopped);
	wait_for(f, has_stopped, 0);
	assert_int_equal(f->ends, 0);
}

static void test_stop_of_the_stubborn(void **state)
{
	struct fixture *f = *state;
	assert_ok(run(f, "trap '' TERM; echo x > \"$0\"; while :; do sleep 1; done", -1));
	wait_for(f, has_out, 0);
	host_child_stop(f->child, 100, on_stopped, f);
	wait_for(f, has_stopped, 0);
}

static void test_stop_between_starts(void **state)
{
	struct fixture *f = *state;
	assert_ok(run(f, "exit 0", -1));
	wait_for(f, has_ended, 1);
	host_child_stop(f->child, WAIT_MS, on_stopped, f);
	wait_for(f, has_stopped, 0);
	assert_int_equal(f->starts, 0);
}

/* The file is read from its start by the second child too; nothing but PATH and the descriptors
 * comes along. */
static void test_descriptors_and_environment(void **state)
{
	struct fixture *f = *state;
	char line[256];
	int fd = open(f->folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "inherited\n", 10), 10);
	assert_int_equal(setenv("SECRET", "x", 1), 0);
	int other = open("/dev/null", O_RDONLY);
	assert_ok(run(f,
		      "read a <&3; ls /proc/self/fd | tr '\\n' ' ' > \"$0.fds\"; echo \"$a "
		      "[$SECRET] $(env | grep -c =)\" >> \"$0\"",
		      fd));
	(void)close(fd);
	wait_for(f, has_ended, 2);
	FILE *file = fopen(f->out, "rb");
	assert_non_null(file);
	for (int i = 0; i < 2; i++) {
		assert_non_null(fgets(line, sizeof line, file));
		assert_true(strncmp(line, "inherited [] ", 13) == 0);
	}
	(void)fclose(file);
	(void)close(other);
	(void)snprintf(line, sizeof line, "%s.fds", f->out);
	(void)unlink(line);
}

/* Its standard output alone goes there; the descriptor is the child's own. */
static void test_output(void **state)
{
	struct fixture *f = *state;
	char text[32] = "";
	struct cs_why why;
	const int fd = open(f->folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	const struct host_child_options options = {
		.program = "/bin/sh",
		.args = {"-c", "echo said; echo \"(a child's standard error)\" >&2"},
		.output = fd,
		.backoff_min_ms = 5000};
	assert_true(fd >= 0);
	assert_ok(host_child_new(&f->child, f->loop, &options, &events, f, &why));
	wait_for(f, has_ended, 1);
	assert_int_equal(pread(fd, text, sizeof text, 0), 5);
	assert_memory_equal(text, "said\n", 5);
	(void)close(fd);
}

static void test_no_such_program(void **state)
{
	struct fixture *f = *state;
	struct host_child_options options = {.program = "/nonexistent/program"};
	struct cs_why why = {{0}};
	assert_err(host_child_new(&f->child, f->loop, &options, &events, f, &why), CS_ERR_IO);
	assert_null(f->child);
	assert_non_null(strstr(why.text, "/nonexistent/program"));
	options.program = "/bin/true";
	options.fds[0] = 999;
	options.fd_count = 1;
	assert_err(host_child_new(&f->child, f->loop, &options, &events, f, &why), CS_ERR_IO);
	options.fd_count = 0;
	options.output = 999;
	assert_err(host_child_new(&f->child, f->loop, &options, &events, f, &why), CS_ERR_IO);
}

/* ---- sockets ---- */

static void test_listen(void **state)
{
	struct fixture *f = *state;
	struct cs_why why = {{0}};
	struct stat found;
	int fd = -1;
	int second = -1;
	assert_ok(host_listen_unix(&fd, f->out, &why));
	assert_int_equal(lstat(f->out, &found), 0);
	assert_true(S_ISSOCK(found.st_mode));
	assert_int_equal(found.st_mode & 0777, 0600);
	assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
	assert_err(host_listen_unix(&second, f->out, &why), CS_ERR_CONFLICT);
	(void)close(fd);
	/* A dead socket is replaced. */
	assert_ok(host_listen_unix(&fd, f->out, &why));
	(void)close(fd);
	assert_int_equal(unlink(f->out), 0);
	int file = open(f->out, O_CREAT | O_WRONLY, 0600);
	assert_true(file >= 0);
	(void)close(file);
	assert_err(host_listen_unix(&second, f->out, &why), CS_ERR_CONFLICT);
	char path[200];
	memset(path, 'x', sizeof path - 1);
	path[sizeof path - 1] = 0;
	assert_err(host_listen_unix(&second, path, &why), CS_ERR_TOO_LARGE);
	assert_err(host_listen_unix(&second, "/nonexistent/socket", &why), CS_ERR_IO);
	assert_int_equal(second, -1);
}

/* A stand-in for the enclave that writes down what it was given. */
static void test_enclave_spawn(void **state)
{
	struct fixture *f = *state;
	struct cs_why why = {{0}};
	char root[160];
	char socket_path[160];
	char script[160];
	(void)snprintf(root, sizeof root, "%s/root", f->folder);
	(void)snprintf(socket_path, sizeof socket_path, "%s/socket", f->folder);
	(void)snprintf(script, sizeof script, "%s/enclave", f->folder);
	int fd = open(script, O_CREAT | O_WRONLY | O_CLOEXEC, 0700);
	assert_true(fd >= 0);
	assert_true(dprintf(fd,
			    "#!/bin/sh\n{ echo \"$@\"; head -c 64 <&4 | od -An -tx1 | tr -d ' "
			    "\\n'; readlink /proc/self/fd/3; } "
			    "> %s.part && mv %s.part %s\nexec sleep 1000\n",
			    f->out, f->out, f->out) > 0);
	(void)close(fd);
	fd = open(root, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(dprintf(fd, "%064x\n", 0xabcdef) == 65);
	(void)close(fd);
	struct host_enclave_spawn_options options = {
		.program = script,
		.socket_path = socket_path,
		.seal_root_path = root,
		.args = {"--lineage", "0x00", "--manifest", "m.json"}};
	assert_ok(host_enclave_spawn(&f->child, f->loop, &options, &events, f, &why));
	wait_for(f, has_out, 0);
	struct cs_bytes out = read_file(f->out);
	const char *text = (const char *)out.p;
	assert_non_null(
		strstr(text, "--listen-fd 3 --seal-root-fd 4 --lineage 0x00 --manifest m.json\n"));
	assert_non_null(strstr(
		text, "0000000000000000000000000000000000000000000000000000000000abcdefsocket:"));
	assert_int_equal(chmod(root, 0644), 0);
	struct host_child *second = NULL;
	assert_err(host_enclave_spawn(&second, f->loop, &options, &events, f, &why),
		   CS_ERR_FORBIDDEN);
	assert_int_equal(chmod(root, 0600), 0);
	assert_err(host_enclave_spawn(&second, f->loop, &options, &events, f, &why),
		   CS_ERR_CONFLICT);
	assert_null(second);
	/* A backend with a root of its own: nothing is in the place of one. */
	host_child_free(f->child);
	f->child = NULL;
	(void)unlink(f->out);
	(void)unlink(socket_path);
	options.seal_root_path = NULL;
	options.tee = "tpm";
	options.tee_state = "s";
	assert_ok(host_enclave_spawn(&f->child, f->loop, &options, &events, f, &why));
	wait_for(f, has_out, 0);
	out = read_file(f->out);
	assert_non_null(strstr((const char *)out.p,
			       "--listen-fd 3 --tee tpm --tee-state s --lineage 0x00 --manifest "
			       "m.json\nsocket:"));
	(void)unlink(root);
	(void)unlink(script);
	(void)unlink(socket_path);
}

static void test_program_find(void **state)
{
	char path[4096];
	(void)state;
	host_program_find(path, sizeof path, "test_host_child");
	assert_int_equal(path[0], '/');
	assert_int_equal(access(path, X_OK), 0);
	host_program_find(path, sizeof path, "no-such-program");
	assert_string_equal(path, "no-such-program");
	host_program_find(path, sizeof path, "./test_host_child");
	assert_string_equal(path, "./test_host_child");
	/* What does not fit with its folder is left to PATH. */
	host_program_find(path, sizeof "test_host_child", "test_host_child");
	assert_string_equal(path, "test_host_child");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(test_restarts_with_backoff),
		T(test_killed_from_outside),
		T(test_stop),
		T(test_stop_of_the_stubborn),
		T(test_stop_between_starts),
		T(test_descriptors_and_environment),
		T(test_output),
		T(test_no_such_program),
		cmocka_unit_test(test_program_find),
		T(test_listen),
		T(test_enclave_spawn),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
