#include "host/egress.h"

#include "host/alloc.h"
#include "host/networks.h"
#include "host/tunnel.h"
#include "wire/egress.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECTIONS_MAX_DEFAULT 512u
#define CONNECT_MS_DEFAULT 5000u
#define IDLE_MS_DEFAULT 120000u
/* Messages read in one turn of the loop: others wait for it too. */
#define MESSAGES_PER_TURN 64
/* More descriptors than one message may have, so that a message with too many is seen. */
#define DESCRIPTORS_MAX 4

struct link {
	struct host_egress *egress;
	struct link *next;
	struct link **from; /* what points here */
	struct host_tunnel *tunnel;
	uint32_t id;
	bool connected;
};

struct name {
	char *name;
	char *address;
};

struct host_egress {
	struct host_loop *loop;
	int fd;
	struct host_watch *watch;
	uint32_t connections_max;
	uint64_t connect_ms;
	uint64_t idle_ms;
	struct host_networks networks;
	size_t name_count;
	struct name names[HOST_EGRESS_NAMES_MAX];
	struct link *links;
	struct host_egress_counters counters;
};

/* ---- links ---- */

static bool is_allowed(void *context, const struct sockaddr *address)
{
	const struct link *link = context;
	return host_networks_allow(&link->egress->networks, address);
}

static void reply(struct host_egress *egress, uint32_t id, enum wire_egress_status status)
{
	uint8_t message[WIRE_EGRESS_SIZE_MAX];
	struct cs_buf buf;
	const struct wire_egress_reply out = {id, status};
	cs_buf_init(&buf, message, sizeof message);
	wire_egress_reply_encode(&buf, &out);
	/* For people only: an enclave that does not read loses a sentence. */
	(void)!send(egress->fd, message, buf.n, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void free_link(struct link *link)
{
	*link->from = link->next;
	if (link->next != NULL)
		link->next->from = link->from;
	link->egress->counters.open--;
	host_tunnel_free(link->tunnel);
	free(link);
}

static void on_connected(void *context)
{
	struct link *link = context;
	link->connected = true;
	link->egress->counters.connected++;
	reply(link->egress, link->id, WIRE_EGRESS_CONNECTED);
}

static enum wire_egress_status count_failure(struct host_egress_counters *counters, enum cs_err err)
{
	if (err == CS_ERR_NOT_FOUND) {
		counters->unresolved++;
		return WIRE_EGRESS_UNRESOLVED;
	}
	if (err == CS_ERR_FORBIDDEN) {
		counters->forbidden++;
		return WIRE_EGRESS_FORBIDDEN;
	}
	counters->refused++;
	return err == CS_ERR_TIMEOUT ? WIRE_EGRESS_TIMED_OUT : WIRE_EGRESS_REFUSED;
}

static void on_ended(void *context, enum cs_err err)
{
	struct link *link = context;
	/* Said before the socket closes, so that the enclave reads it first. */
	if (!link->connected)
		reply(link->egress, link->id, count_failure(&link->egress->counters, err));
	free_link(link);
}

static void on_moved(void *context, bool out, size_t size)
{
	struct link *link = context;
	if (out)
		link->egress->counters.bytes_out += size;
	else
		link->egress->counters.bytes_in += size;
}

static void open_link(struct host_egress *egress, const struct wire_egress_request *request, int fd)
{
	static const struct host_tunnel_events events = {is_allowed, on_connected, on_ended,
							 on_moved};
	char host[WIRE_EGRESS_HOST_SIZE_MAX + 1];
	memcpy(host, request->host.p, request->host.n);
	host[request->host.n] = '\0';
	struct host_tunnel_options options = {host, request->port, egress->connect_ms,
					      egress->idle_ms};
	for (size_t i = 0; i < egress->name_count; i++)
		if (strcmp(egress->names[i].name, host) == 0)
			options.host = egress->names[i].address;
	struct link *link = host_alloc(sizeof *link);
	link->egress = egress;
	link->id = request->id;
	link->next = egress->links;
	link->from = &egress->links;
	if (link->next != NULL)
		link->next->from = &link->next;
	egress->links = link;
	egress->counters.open++;
	link->tunnel = host_tunnel_new(egress->loop, fd, &options, &events, link);
}

/* ---- the enclave's messages ---- */

static bool is_stream_pair(int fd)
{
	int type = 0, domain = 0;
	socklen_t n = sizeof type, m = sizeof domain;
	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &n) == 0 && type == SOCK_STREAM &&
	       getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &m) == 0 && domain == AF_UNIX;
}

/* Takes the descriptors over. */
static void take(struct host_egress *egress, struct cs_bytes message, const int *fds, size_t count)
{
	struct wire_egress_request request;
	const bool understood = count == 1 &&
				wire_egress_request_decode(&request, message) == CS_OK &&
				is_stream_pair(fds[0]);
	if (understood && egress->counters.open < egress->connections_max) {
		egress->counters.requests++;
		open_link(egress, &request, fds[0]);
		return;
	}
	if (understood) {
		egress->counters.requests++;
		egress->counters.full++;
		reply(egress, request.id, WIRE_EGRESS_FULL);
	} else {
		egress->counters.malformed++;
	}
	for (size_t i = 0; i < count; i++)
		(void)close(fds[i]);
}

static size_t take_descriptors(int fds[DESCRIPTORS_MAX], struct msghdr *in)
{
	size_t count = 0;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(in); c != NULL; c = CMSG_NXTHDR(in, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		const size_t here = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < here && count < DESCRIPTORS_MAX; i++)
			memcpy(&fds[count++], CMSG_DATA(c) + i * sizeof(int), sizeof(int));
	}
	return count;
}

/* False: nothing to read now, or never again. */
static bool take_message(struct host_egress *egress)
{
	union {
		struct cmsghdr head;
		uint8_t space[CMSG_SPACE(DESCRIPTORS_MAX * sizeof(int))];
	} ancillary;
	uint8_t message[WIRE_EGRESS_SIZE_MAX + 1];
	int fds[DESCRIPTORS_MAX];
	struct iovec part = {.iov_base = message, .iov_len = sizeof message};
	struct msghdr in = {.msg_iov = &part,
			    .msg_iovlen = 1,
			    .msg_control = ancillary.space,
			    .msg_controllen = sizeof ancillary.space};
	const ssize_t n = recvmsg(egress->fd, &in, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (n < 0)
		return errno == EINTR;
	const size_t count = take_descriptors(fds, &in);
	if (n == 0 && count == 0) {
		/* Every copy of the other end is closed. */
		host_watch_free(egress->watch);
		egress->watch = NULL;
		return false;
	}
	take(egress, cs_bytes(message, (in.msg_flags & MSG_TRUNC) != 0 ? 0 : (size_t)n), fds,
	     count);
	return true;
}

static void on_readable(void *context)
{
	for (int i = 0; i < MESSAGES_PER_TURN && take_message(context); i++)
		continue;
}

/* ---- the whole ---- */

static enum cs_err configure(struct host_egress *egress, const struct host_egress_options *options,
			     struct cs_why *why)
{
	if (options->network_count > HOST_EGRESS_NETWORKS_MAX ||
	    options->name_count > HOST_EGRESS_NAMES_MAX)
		return cs_fail(why, CS_ERR_INVALID, "too many networks or names");
	for (size_t i = 0; i < options->network_count; i++)
		if (host_networks_add(&egress->networks, options->networks[i]) != CS_OK)
			return cs_fail(why, CS_ERR_INVALID, "not a network: %s",
				       options->networks[i]);
	for (size_t i = 0; i < options->name_count; i++) {
		const struct host_egress_name *name = &options->names[i];
		if (host_address_is_one(name->address) != CS_OK)
			return cs_fail(why, CS_ERR_INVALID, "not an address: %s", name->address);
		egress->names[egress->name_count++] =
			(struct name){host_text(name->name), host_text(name->address)};
	}
	return CS_OK;
}

enum cs_err host_egress_new(struct host_egress **out, struct host_loop *loop, int fd,
			    const struct host_egress_options *options, struct cs_why *why)
{
	struct host_egress *egress = host_alloc(sizeof *egress);
	egress->loop = loop;
	egress->connections_max =
		options->connections_max ? options->connections_max : CONNECTIONS_MAX_DEFAULT;
	egress->connect_ms = options->connect_ms ? options->connect_ms : CONNECT_MS_DEFAULT;
	egress->idle_ms = options->idle_ms ? options->idle_ms : IDLE_MS_DEFAULT;
	egress->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	enum cs_err err = egress->fd < 0 ? CS_ERR_IO : configure(egress, options, why);
	if (err != CS_OK) {
		host_egress_free(egress);
		return err;
	}
	egress->watch = host_watch_new(loop, egress->fd, on_readable, egress);
	*out = egress;
	return CS_OK;
}

void host_egress_free(struct host_egress *egress)
{
	if (egress == NULL)
		return;
	while (egress->links != NULL)
		free_link(egress->links);
	host_watch_free(egress->watch);
	for (size_t i = 0; i < egress->name_count; i++) {
		free(egress->names[i].name);
		free(egress->names[i].address);
	}
	if (egress->fd >= 0)
		(void)close(egress->fd);
	free(egress);
}

enum cs_err host_egress_pair(int fds[2])
{
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) == 0 ? CS_OK : CS_ERR_IO;
}

void host_egress_read(struct host_egress_counters *counters, const struct host_egress *egress)
{
	*counters = egress->counters;
}

void host_egress_drain(const int fds[2])
{
	uint8_t message[WIRE_EGRESS_SIZE_MAX];
	for (size_t i = 0; i < 2; i++) {
		while (recv(fds[i], message, sizeof message, MSG_DONTWAIT) >= 0) {
		}
	}
}
