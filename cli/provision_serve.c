/* The socket at which programs that are not the cluster's own get their secret (docs/cluster.md).
 *
 * A program sends what it wants, gets 32 random bytes, sends them back, and gets the secret. The bytes that come
 * back carry the sender's credentials, written by the kernel: so who answers is the process that was looked at,
 * and not one that it left its socket to before it became another program. */
#include "cli/cluster.h"
#include "cli/provision.h"
#include "cli/provision_peer.h"
#include "core/hash.h"
#include "wire/provision.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/* At once; and of one user, so that nobody keeps the others out. */
#define CONNECTIONS_MAX 32u
#define USER_CONNECTIONS_MAX 8u
/* For all of one connection. */
#define CONNECTION_S 10u
#define WORKER_S 5
/* Epoch and name. */
#define REQUEST_SIZE_MAX (8u + WIRE_PROVISION_NAME_SIZE_MAX)
#define CHALLENGE_SIZE 32u

/* One connection's, in locked memory of its process. */
struct serving {
	int fd;
	struct provision_peer peer;
	uint8_t request[REQUEST_SIZE_MAX];
	size_t request_size;
	char name[WIRE_PROVISION_NAME_SIZE_MAX + 1];
	struct cs_secret box;
	uint8_t plain[WIRE_PROVISION_SECRET_SIZE];
	struct cs_why why;
};

static volatile sig_atomic_t ended;

static void on_signal(int number)
{
	(void)number;
	ended = 1;
}

/* ---- frames ---- */

/* Exactly n bytes, all sent by the peer itself. */
static enum cs_err receive(struct serving *s, uint8_t *p, size_t n)
{
	while (n > 0) {
		union {
			char bytes[CMSG_SPACE(sizeof(struct ucred))];
			struct cmsghdr align;
		} control;
		struct iovec piece = {p, n};
		struct msghdr message = {.msg_iov = &piece,
					 .msg_iovlen = 1,
					 .msg_control = &control,
					 .msg_controllen = sizeof control};
		struct ucred sender = {.pid = 0};
		const ssize_t got = recvmsg(s->fd, &message, MSG_CMSG_CLOEXEC);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return CS_ERR_CLOSED;
		const struct cmsghdr *head = CMSG_FIRSTHDR(&message);
		if (head != NULL && head->cmsg_level == SOL_SOCKET &&
		    head->cmsg_type == SCM_CREDENTIALS && head->cmsg_len == CMSG_LEN(sizeof sender))
			memcpy(&sender, CMSG_DATA(head), sizeof sender);
		if (sender.pid != s->peer.pid || sender.uid != s->peer.user)
			return cs_fail(&s->why, CS_ERR_FORBIDDEN,
				       "another process than the one that connected speaks");
		p += got;
		n -= (size_t)got;
	}
	return CS_OK;
}

static enum cs_err receive_frame(struct serving *s, uint8_t *p, size_t *size, size_t size_max)
{
	uint8_t head[4];
	CS_TRY(receive(s, head, sizeof head));
	const size_t n = cs_be32(head);
	if (n > size_max)
		return cs_fail(&s->why, CS_ERR_TOO_LARGE, "more than %zu bytes", size_max);
	*size = n;
	return receive(s, p, n);
}

/* As the answers of wire/cluster_ask.h. */
static bool answer(int fd, const char *name, struct cs_bytes what)
{
	uint8_t head[4 + 1 + 64];
	const size_t n = strlen(name);
	cs_assert(n < 64);
	cs_put_be32(head, (uint32_t)(1 + n + what.n));
	head[4] = (uint8_t)n;
	memcpy(head + 5, name, n);
	return cli_write_all(fd, cs_bytes(head, 5 + n)) && cli_write_all(fd, what);
}

/* ---- one connection ---- */

static enum cs_err take_request(struct serving *s)
{
	CS_TRY(receive_frame(s, s->request, &s->request_size, sizeof s->request));
	if (s->request_size <= 8)
		return cs_fail(&s->why, CS_ERR_MALFORMED, "an epoch (8 bytes) and a name");
	for (size_t i = 8; i < s->request_size; i++) {
		const char c = (char)s->request[i];
		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-' && c != '.')
			return cs_fail(&s->why, CS_ERR_INVALID, "name: a-z, 0-9, '-' and '.'");
		s->name[i - 8] = c;
	}
	return CS_OK;
}

/* What it sends back it sends after the first look, and before the second. */
static enum cs_err challenge(struct serving *s)
{
	uint8_t asked[CHALLENGE_SIZE], given[CHALLENGE_SIZE];
	size_t n = 0;
	if (getrandom(asked, sizeof asked, 0) != (ssize_t)sizeof asked)
		return CS_ERR_IO;
	if (!answer(s->fd, "ok", CS_BYTES_OF(asked)))
		return CS_ERR_CLOSED;
	CS_TRY(receive_frame(s, given, &n, sizeof given));
	if (n != sizeof asked || memcmp(asked, given, sizeof asked) != 0)
		return cs_fail(&s->why, CS_ERR_UNKNOWN_NONCE, "not the bytes that were given");
	return CS_OK;
}

static enum cs_err named_error(const char *name)
{
	for (int i = 0; i < CS_ERR_COUNT; i++)
		if (strcmp(cs_err_name((enum cs_err)i), name) == 0)
			return (enum cs_err)i;
	return CS_ERR_UNAVAILABLE;
}

static enum cs_err ask_worker(struct serving *s, const char *worker)
{
	static struct cli_cluster_answer reply;
	uint8_t question[1 + WIRE_PROVISION_ASK_SIZE_MAX] = {WIRE_CLUSTER_ASK_PROVISION};
	struct wire_provision_ask ask = {.name = cs_bytes_str(s->name),
					 .epoch = cs_be64(s->request),
					 .user = s->peer.user,
					 .is_interpreter = s->peer.is_interpreter,
					 .has_container = s->peer.has_container,
					 .executable = s->peer.executable,
					 .container = s->peer.container};
	struct cs_buf out;
	if (getrandom(s->box.b, sizeof s->box.b, 0) != (ssize_t)sizeof s->box.b)
		return CS_ERR_IO;
	CS_TRY(cs_x25519_public(&ask.box, &s->box));
	cs_buf_init(&out, question + 1, sizeof question - 1);
	CS_TRY(wire_provision_ask_put(&out, &ask));
	const int fd = cli_cluster_connect(worker, WORKER_S);
	const bool answered =
		fd >= 0 && cli_cluster_exchange(fd, &reply, cs_bytes(question, 1 + out.n));
	if (fd >= 0)
		(void)close(fd);
	if (!answered)
		return cs_fail(&s->why, CS_ERR_UNAVAILABLE, "the worker does not answer");
	if (strcmp(reply.name, "ok") != 0)
		return cs_fail(&s->why, named_error(reply.name), "%.*s",
			       (int)(reply.what.n < 200 ? reply.what.n : 200),
			       (const char *)reply.what.p);
	if (reply.what.n != sizeof s->plain + CS_HPKE_OVERHEAD)
		return cs_fail(&s->why, CS_ERR_MALFORMED, "the worker's answer");
	const struct cs_hash aad = wire_provision_aad(cs_buf_view(&out));
	return cs_hpke_open(s->plain, &s->box, wire_provision_info(), CS_BYTES_OF(aad.b),
			    reply.what);
}

static enum cs_err serve(struct serving *s, const struct provision_places *places)
{
	CS_TRY(provision_peer_look(&s->peer, s->fd, places->containers, &s->why));
	CS_TRY(take_request(s));
	CS_TRY(challenge(s));
	CS_TRY(provision_peer_again(&s->peer, places->containers, &s->why));
	CS_TRY(ask_worker(s, places->worker));
	return answer(s->fd, "ok", CS_BYTES_OF(s->plain)) ? CS_OK : CS_ERR_CLOSED;
}

/* In the process of the connection. */
_Noreturn static void serve_and_exit(int fd, const struct provision_places *places)
{
	struct serving *s =
		mmap(NULL, sizeof *s, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char program[65] = "?";
	/* The signal that ends it is not caught. */
	(void)signal(SIGALRM, SIG_DFL);
	(void)alarm(CONNECTION_S);
	if (s == MAP_FAILED || mlock(s, sizeof *s) != 0) {
		fprintf(stderr, "caisson provision: no memory that can be locked\n");
		(void)answer(fd, cs_err_name(CS_ERR_NO_MEMORY), CS_BYTES_NONE);
		_exit(1);
	}
	s->fd = fd;
	const enum cs_err err = serve(s, places);
	if (s->peer.file.st_size > 0)
		cs_hex(program, CS_BYTES_OF(s->peer.executable.b));
	const char *why = s->why.text[0] != '\0' ? s->why.text : cs_err_sentence(err);
	fprintf(stderr, "caisson provision: \"%s\" for user %u, process %d, %s %s: %s%s%s\n",
		s->name, (unsigned)s->peer.user, (int)s->peer.pid,
		s->peer.is_interpreter ? "interpreter" : "program", program,
		err == CS_OK ? "given" : cs_err_name(err), err == CS_OK ? "" : ": ",
		err == CS_OK ? "" : why);
	if (err != CS_OK)
		(void)answer(fd, cs_err_name(err), cs_bytes_str(why));
	cs_wipe(s, sizeof *s);
	_exit(0);
}

/* ---- all of them ---- */

struct children {
	size_t count;
	struct {
		pid_t pid;
		uid_t user;
	} of[CONNECTIONS_MAX];
};

static void reap(struct children *children)
{
	pid_t pid;
	while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
		for (size_t i = 0; i < children->count; i++)
			if (children->of[i].pid == pid)
				children->of[i] = children->of[--children->count];
}

static bool has_room(const struct children *children, uid_t user)
{
	size_t same = 0;
	for (size_t i = 0; i < children->count; i++)
		same += children->of[i].user == user;
	return children->count < CONNECTIONS_MAX && same < USER_CONNECTIONS_MAX;
}

static void take_connection(struct children *children, int fd,
			    const struct provision_places *places)
{
	struct ucred peer;
	socklen_t size = sizeof peer;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0)
		return;
	if (!has_room(children, peer.uid)) {
		fprintf(stderr, "caisson provision: user %u: too many connections\n",
			(unsigned)peer.uid);
		(void)answer(fd, cs_err_name(CS_ERR_FULL), cs_bytes_str("too many connections"));
		return;
	}
	const pid_t pid = fork();
	if (pid == 0)
		serve_and_exit(fd, places);
	if (pid < 0) {
		fprintf(stderr, "caisson provision: no process: %s\n", strerror(errno));
		return;
	}
	children->of[children->count].pid = pid;
	children->of[children->count++].user = peer.uid;
}

/* Everybody may connect: rules say who gets something. */
static int listen_at(const char *path, struct cs_why *why)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const int on = 1;
	if (strlen(path) >= sizeof address.sun_path) {
		(void)cs_fail(why, CS_ERR_TOO_LARGE, "the path is longer than a socket's may be");
		return -1;
	}
	memcpy(address.sun_path, path, strlen(path) + 1);
	const int old = cli_cluster_connect(path, 1);
	if (old >= 0) {
		(void)close(old);
		(void)cs_fail(why, CS_ERR_CONFLICT, "somebody serves there already");
		return -1;
	}
	if (errno == ECONNREFUSED)
		(void)unlink(path); /* left behind */
	const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	/* Inherited by what is accepted, so that no byte comes without its sender's credentials. */
	if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof on) == 0 &&
	    bind(fd, (const struct sockaddr *)&address, sizeof address) == 0 &&
	    chmod(path, 0666) == 0 && listen(fd, CONNECTIONS_MAX) == 0)
		return fd;
	(void)cs_fail(why, CS_ERR_IO, "%s", strerror(errno));
	if (fd >= 0)
		(void)close(fd);
	return -1;
}

static void shout(void)
{
	fputs("caisson provision: INSECURE: that a program is what its rule names, this machine's "
	      "kernel says and nothing else.\n"
	      "caisson provision: INSECURE: root of this machine reads every secret, and so does "
	      "whoever may open the worker's "
	      "ask.sock.\n"
	      "caisson provision: INSECURE: a program's own user can change it while it runs "
	      "(debugger, LD_PRELOAD): give "
	      "every program a user of its own.\n",
	      stderr);
}

enum cli_exit provision_serve(struct cli *cli, const struct provision_places *places)
{
	static struct children children;
	struct sigaction action = {.sa_handler = on_signal};
	struct cs_why why = {""};
	const int listener = listen_at(places->listen, &why);
	if (listener < 0)
		return cli_fail(cli, CLI_FAILED, "%s: %s", places->listen, why.text);
	(void)sigaction(SIGTERM, &action, NULL);
	(void)sigaction(SIGINT, &action, NULL);
	shout();
	fprintf(stderr, "caisson provision: serving at %s\n", places->listen);
	while (!ended) {
		const int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		reap(&children);
		if (fd < 0 && errno != EINTR && errno != ECONNABORTED) {
			fprintf(stderr, "caisson provision: %s\n", strerror(errno));
			(void)sleep(1); /* descriptors ran out, perhaps */
		}
		if (fd < 0)
			continue;
		take_connection(&children, fd, places);
		(void)close(fd);
	}
	(void)unlink(places->listen);
	return CLI_OK;
}
