/* The first process of a machine that is measured as a whole and holds an enclave alone (docker/tee), and the one before
 * it under Gramine: makes the listening socket that the enclave inherits, since no enclave can listen itself, then runs it
 * and nothing else. It reads one file, which is measured with it, and no other input; there is no shell, no network
 * and no way in. Ends the machine when the enclave ends.
 *
 *   caisson-guest-init [FILE]      FILE: /caisson/start, lines of a word and a value:
 *
 *   module PATH        a kernel module, loaded in this order; only as the first process
 *   vsock PORT         listen to the host of this machine (vsock(7))
 *   loopback PORT      listen on 127.0.0.1: under Gramine
 *   seal-root PATH     32 bytes for --seal-root-fd 4; without it descriptor 4 is not there
 *   run PROGRAM        its first argument and path; --listen-fd 3 is added
 *   arg VALUE          a further argument */
#include <errno.h>
#include <fcntl.h>
#include <linux/vm_sockets.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define START_SIZE_MAX 65536u
#define ARGUMENTS_MAX 64u
#define LISTEN_FD 3
#define SEAL_ROOT_FD 4

static struct start {
	char text[START_SIZE_MAX + 1];
	int listen_fd;
	int seal_root_fd;
	const char *program;
	size_t count; /* of arguments; 0: no program yet */
	char *arguments[ARGUMENTS_MAX + 1];
} start = {.listen_fd = -1, .seal_root_fd = -1, .program = ""};

static bool is_first;

static void say(const char *what, const char *detail)
{
	fprintf(stderr, "caisson-guest-init: %s%s%s\n", what, detail[0] != '\0' ? ": " : "",
		detail);
}

/* A machine whose enclave does not run is of no use, and should not stay as something else. */
_Noreturn static void end(int code)
{
	if (is_first) {
		sync();
		(void)reboot(RB_POWER_OFF);
	}
	_exit(code);
}

_Noreturn static void fail(const char *what, const char *detail)
{
	fprintf(stderr, "caisson-guest-init: %s: %s (%s)\n", what, detail, strerror(errno));
	end(1);
}

/* ---- the first process ---- */

static void mount_all(void)
{
	static const struct {
		const char *type, *at;
		unsigned long flags;
	} mounts[] = {
		{"proc", "/proc", MS_NOSUID | MS_NODEV | MS_NOEXEC},
		{"sysfs", "/sys", MS_NOSUID | MS_NODEV | MS_NOEXEC},
		{"devtmpfs", "/dev", MS_NOSUID | MS_NOEXEC},
	};
	for (size_t i = 0; i < sizeof mounts / sizeof mounts[0]; i++)
		if (mount(mounts[i].type, mounts[i].at, mounts[i].type, mounts[i].flags, NULL) !=
			    0 &&
		    errno != EBUSY)
			fail("cannot mount", mounts[i].at);
}

/* Where the evidence comes from; a kernel that has none is found out by the enclave's --tee. */
static void mount_configfs(void)
{
	if (mount("configfs", "/sys/kernel/config", "configfs", MS_NOSUID | MS_NODEV | MS_NOEXEC,
		  NULL) != 0 &&
	    errno != EBUSY)
		say("no configfs", strerror(errno));
}

static void load_module(const char *path)
{
	const int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || (syscall(SYS_finit_module, fd, "", 0) != 0 && errno != EEXIST))
		fail("module", path);
	(void)close(fd);
}

/* ---- what the file says ---- */

static unsigned port_of(const char *text)
{
	char *rest;
	errno = EINVAL;
	const unsigned long port = strtoul(text, &rest, 10);
	if (port == 0 || port > 0xfffffffe || *rest != '\0')
		fail("no port", text);
	return (unsigned)port;
}

static void listen_at(int family, const void *address, socklen_t size, const char *text)
{
	if (start.listen_fd >= 0)
		fail("a second place to listen at", text);
	start.listen_fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (start.listen_fd < 0 || bind(start.listen_fd, address, size) != 0 ||
	    listen(start.listen_fd, 8) != 0)
		fail("cannot listen", text);
}

static void listen_vsock(const char *text)
{
	const struct sockaddr_vm address = {
		.svm_family = AF_VSOCK, .svm_port = port_of(text), .svm_cid = VMADDR_CID_ANY};
	listen_at(AF_VSOCK, &address, sizeof address, text);
}

static void listen_loopback(const char *text)
{
	const unsigned port = port_of(text);
	if (port > 65535)
		fail("no port", text);
	const struct sockaddr_in address = {.sin_family = AF_INET,
					    .sin_port = htons((uint16_t)port),
					    .sin_addr = {htonl(INADDR_LOOPBACK)}};
	listen_at(AF_INET, &address, sizeof address, text);
}

static void add_argument(char *value)
{
	if (start.count == ARGUMENTS_MAX)
		fail("too many arguments", value);
	start.arguments[start.count++] = value;
}

static void run_program(char *value)
{
	static char listen_option[] = "--listen-fd", listen_value[] = "3";
	if (start.count != 0)
		fail("a second program", value);
	start.program = value;
	add_argument(value);
	add_argument(listen_option);
	add_argument(listen_value);
}

static void take_line(char *line)
{
	char *value = strchr(line, ' ');
	errno = EINVAL;
	if (value == NULL)
		fail("a line that is none", line);
	*value++ = '\0';
	if (strcmp(line, "module") == 0 && is_first)
		load_module(value);
	else if (strcmp(line, "vsock") == 0)
		listen_vsock(value);
	else if (strcmp(line, "loopback") == 0)
		listen_loopback(value);
	else if (strcmp(line, "seal-root") == 0 && start.seal_root_fd < 0) {
		start.seal_root_fd = open(value, O_RDONLY | O_CLOEXEC);
		if (start.seal_root_fd < 0)
			fail("seal root", value);
	} else if (strcmp(line, "run") == 0)
		run_program(value);
	else if (strcmp(line, "arg") == 0 && start.count > 0)
		add_argument(value);
	else
		fail("a line that is none", line);
}

static void read_start(const char *path)
{
	size_t n = 0;
	ssize_t got = 1;
	const int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		fail("cannot read", path);
	while (got > 0 && n < START_SIZE_MAX) {
		got = read(fd, start.text + n, START_SIZE_MAX - n);
		n += got > 0 ? (size_t)got : 0;
	}
	(void)close(fd);
	errno = EFBIG;
	if (got != 0)
		fail("cannot read", path);
	for (char *line = start.text, *next; line != NULL && *line != '\0'; line = next) {
		next = strchr(line, '\n');
		if (next != NULL)
			*next++ = '\0';
		take_line(line);
	}
	errno = EINVAL;
	if (start.listen_fd < 0 || start.count == 0)
		fail("neither a place to listen at nor a program, or one of them", path);
}

/* ---- the enclave ---- */

_Noreturn static void become_program(void)
{
	static char seal_option[] = "--seal-root-fd", seal_value[] = "4";
	/* Above both first: neither is on the other's place. */
	const int listener = fcntl(start.listen_fd, F_DUPFD_CLOEXEC, 10);
	const int root =
		start.seal_root_fd < 0 ? -1 : fcntl(start.seal_root_fd, F_DUPFD_CLOEXEC, 10);
	if (listener < 0 || dup2(listener, LISTEN_FD) != LISTEN_FD)
		fail("descriptor", "3");
	if (start.seal_root_fd >= 0) {
		if (root < 0 || dup2(root, SEAL_ROOT_FD) != SEAL_ROOT_FD)
			fail("descriptor", "4");
		add_argument(seal_option);
		add_argument(seal_value);
	}
	start.arguments[start.count] = NULL;
	(void)execv(start.program, start.arguments);
	fail("cannot run", start.program);
}

/* The first process gets everybody's children, and must not end before the enclave. */
_Noreturn static void watch(pid_t enclave)
{
	char text[64];
	int status = 0;
	pid_t gone;
	do {
		gone = wait(&status);
	} while (gone != enclave && (gone > 0 || errno == EINTR));
	(void)snprintf(text, sizeof text, "%s %d", WIFEXITED(status) ? "exit code" : "signal",
		       WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
	say("the enclave has ended", text);
	end(1);
}

int main(int argc, char **argv)
{
	is_first = getpid() == 1;
	/* The kernel gives its first process what it does not know itself as arguments: not for us. */
	const char *path = argc == 2 && !is_first ? argv[1] : "/caisson/start";
	if (is_first)
		mount_all();
	read_start(path);
	if (!is_first)
		become_program();
	mount_configfs();
	say("starting", start.program);
	const pid_t enclave = fork();
	if (enclave < 0)
		fail("cannot fork", "");
	if (enclave == 0)
		become_program();
	(void)close(start.listen_fd);
	watch(enclave);
}
