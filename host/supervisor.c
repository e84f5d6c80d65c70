#include "host/supervisor.h"

#include "host/alloc.h"
#include "host/log.h"
#include "host/tunnel.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEAD_SIZE (1u + 32u)
#define MESSAGES_PER_TURN 16

struct host_supervisor {
	struct host_watch *watch; /* NULL: the other end is closed */
	int fd;
	host_supervisor_message *message;
	void *context;
};

enum cs_err host_supervisor_pair(int fds[2])
{
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) == 0 ? CS_OK : CS_ERR_IO;
}

/* Of another size or kind: not understood, and passed over. */
static void take(struct host_supervisor *supervisor, struct cs_bytes message)
{
	char raw[HOST_SUPERVISOR_TEXT_MAX + 1] = "";
	char text[HOST_SUPERVISOR_TEXT_MAX + 1];
	struct cs_hash plan;
	if (message.n < HEAD_SIZE || message.n > HEAD_SIZE + HOST_SUPERVISOR_TEXT_MAX ||
	    message.p[0] < HOST_SUPERVISOR_TRY || message.p[0] > HOST_SUPERVISOR_REFUSED) {
		log_warn("supervisor.not_understood", LOG_U64("size", message.n));
		return;
	}
	memcpy(plan.b, message.p + 1, sizeof(plan.b));
	memcpy(raw, message.p + HEAD_SIZE, message.n - HEAD_SIZE);
	host_plain_text(text, sizeof(text), raw, sizeof(raw));
	supervisor->message(supervisor->context, (enum host_supervisor_kind)message.p[0], &plan,
			    text);
}

static void on_readable(void *context)
{
	struct host_supervisor *supervisor = context;
	uint8_t message[HEAD_SIZE + HOST_SUPERVISOR_TEXT_MAX + 1];
	for (int i = 0; i < MESSAGES_PER_TURN; i++) {
		const ssize_t n = recv(supervisor->fd, message, sizeof(message), MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n == 0) {
			host_watch_free(supervisor->watch);
			supervisor->watch = NULL;
		}
		if (n <= 0)
			return;
		take(supervisor, cs_bytes(message, (size_t)n));
	}
}

enum cs_err host_supervisor_new(struct host_supervisor **out, struct host_loop *loop, int fd,
				host_supervisor_message *message, void *context)
{
	int type = 0;
	socklen_t size = sizeof(type);
	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) != 0 || type != SOCK_SEQPACKET)
		return CS_ERR_INVALID;
	int own = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (own < 0)
		return CS_ERR_IO;
	struct host_supervisor *supervisor = host_alloc(sizeof(*supervisor));
	*supervisor = (struct host_supervisor){.fd = own, .message = message, .context = context};
	supervisor->watch = host_watch_new(loop, own, on_readable, supervisor);
	*out = supervisor;
	return CS_OK;
}

void host_supervisor_free(struct host_supervisor *supervisor)
{
	if (!supervisor)
		return;
	host_watch_free(supervisor->watch);
	(void)close(supervisor->fd);
	free(supervisor);
}

enum cs_err host_supervisor_send(struct host_supervisor *supervisor, enum host_supervisor_kind kind,
				 const struct cs_hash *plan, const char *text)
{
	uint8_t message[HEAD_SIZE + HOST_SUPERVISOR_TEXT_MAX];
	size_t n = strnlen(text, HOST_SUPERVISOR_TEXT_MAX);
	message[0] = (uint8_t)kind;
	memcpy(message + 1, plan->b, sizeof(plan->b));
	memcpy(message + HEAD_SIZE, text, n);
	ssize_t sent = send(supervisor->fd, message, HEAD_SIZE + n, MSG_DONTWAIT | MSG_NOSIGNAL);
	return sent == (ssize_t)(HEAD_SIZE + n) ? CS_OK : CS_ERR_UNAVAILABLE;
}
