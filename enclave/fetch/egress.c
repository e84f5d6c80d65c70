#include "enclave/fetch/egress.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static bool hand_over(int control, struct cs_bytes message, int fd)
{
	union {
		struct cmsghdr head;
		uint8_t space[CMSG_SPACE(sizeof(int))];
	} ancillary = {.space = {0}};
	uint8_t copy[WIRE_EGRESS_SIZE_MAX];
	memcpy(copy, message.p, message.n);
	struct iovec part = {.iov_base = copy, .iov_len = message.n};
	struct msghdr out = {.msg_iov = &part,
			     .msg_iovlen = 1,
			     .msg_control = ancillary.space,
			     .msg_controllen = sizeof ancillary.space};
	struct cmsghdr *rights = CMSG_FIRSTHDR(&out);
	rights->cmsg_level = SOL_SOCKET;
	rights->cmsg_type = SCM_RIGHTS;
	rights->cmsg_len = CMSG_LEN(sizeof fd);
	memcpy(CMSG_DATA(rights), &fd, sizeof fd);
	ssize_t done;
	do {
		done = sendmsg(control, &out, MSG_DONTWAIT | MSG_NOSIGNAL);
	} while (done < 0 && errno == EINTR);
	return done == (ssize_t)message.n;
}

int egress_open(struct egress *egress, uint32_t *id, struct cs_bytes host, uint16_t port)
{
	int pair[2];
	uint8_t message[WIRE_EGRESS_SIZE_MAX];
	struct cs_buf buf;
	if (egress->fd < 0 ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) != 0)
		return -1;
	egress->id_last = egress->id_last == UINT32_MAX ? 1 : egress->id_last + 1;
	const struct wire_egress_request request = {egress->id_last, port, host};
	cs_buf_init(&buf, message, sizeof message);
	wire_egress_request_encode(&buf, &request);
	const bool sent = hand_over(egress->fd, cs_buf_view(&buf), pair[1]);
	(void)close(pair[1]);
	if (!sent) {
		(void)close(pair[0]);
		return -1;
	}
	*id = egress->id_last;
	return pair[0];
}

bool egress_hear(struct egress *egress, struct wire_egress_reply *reply)
{
	uint8_t message[WIRE_EGRESS_SIZE_MAX];
	while (egress->fd >= 0) {
		const ssize_t got = recv(egress->fd, message, sizeof message, MSG_DONTWAIT);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return false;
		if (got <= 0) {
			egress->fd = -1;
			return false;
		}
		if (wire_egress_reply_decode(reply, cs_bytes(message, (size_t)got)) == CS_OK)
			return true;
		/* Nobody's. */
		*reply = (struct wire_egress_reply){0, WIRE_EGRESS_MALFORMED};
		return true;
	}
	return false;
}

int egress_connect(int fd, const struct sockaddr *address, unsigned size)
{
	(void)fd, (void)address, (void)size;
	return 0;
}
