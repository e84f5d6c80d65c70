#include "enclave/fetching.h"

#include "enclave/state.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define FRAME_SIZE_MAX (WIRE_FRAME_HEAD_SIZE + CS_FRAME_BODY_SIZE_MAX)
/* A client that does not read is not read either: no request is taken without room for a reply. */
#define OUT_SIZE (3u * FRAME_SIZE_MAX)
#define RPC_PREFIX "rpc-" /* of the second client's options */

struct client {
	const char *trust_store;
	const char *logs;
	struct fetch *fetch;
	size_t polled; /* of this turn's descriptors */
};

static int egress_fds[FETCHING_CLIENT_COUNT] = {-1, -1};
_Static_assert(FETCHING_CLIENT_COUNT == START_KEEP_MAX, "their proxies' descriptors are kept");

static struct shell {
	struct client clients[FETCHING_CLIENT_COUNT];
	struct enclave *e;
	const struct fetching_service *service;
	int client_fd;
	size_t in_size;
	size_t out_begin, out_end;
	uint8_t *in;
	uint8_t *out;
} shell = {.client_fd = -1};

const int *const fetching_egress_fds = egress_fds;

/* ---- start ---- */

static bool take_option(enum fetching_client which, const char *name, const char *value)
{
	if (strcmp(name, "egress-fd") == 0)
		return process_take_number(&egress_fds[which], value);
	if (strcmp(name, "trust-store") == 0) {
		shell.clients[which].trust_store = value;
		return true;
	}
	if (strcmp(name, "logs") == 0) {
		shell.clients[which].logs = value;
		return true;
	}
	return false;
}

bool fetching_option(const char *name, const char *value)
{
	return take_option(FETCHING_MAIN, name, value);
}

bool fetching_option_of_two(const char *name, const char *value)
{
	return strncmp(name, RPC_PREFIX, strlen(RPC_PREFIX)) == 0
		       ? take_option(FETCHING_RPC, name + strlen(RPC_PREFIX), value)
		       : take_option(FETCHING_MAIN, name, value);
}

bool fetching_is_wanted(enum fetching_client which)
{
	const struct client *client = &shell.clients[which];
	return egress_fds[which] >= 0 || client->trust_store != NULL || client->logs != NULL;
}

static enum cs_err read_named(struct cs_bytes *file, const char *path, size_t size_max,
			      const char *name, struct cs_why *why)
{
	*file = CS_BYTES_NONE;
	if (path == NULL)
		return CS_OK;
	uint8_t *p = process_memory(size_max);
	const ssize_t n = p == NULL ? -1 : process_read_file(path, p, size_max);
	if (n < 0)
		return cs_fail(why, CS_ERR_IO, "%s cannot be read", name);
	*file = cs_bytes(p, (size_t)n);
	return CS_OK;
}

static enum cs_err open_client(enum fetching_client which, const struct manifest_trust *trust,
			       struct cs_why *why)
{
	struct client *client = &shell.clients[which];
	struct cs_bytes store;
	struct cs_bytes logs;
	int type = 0;
	socklen_t n = sizeof type;
	if (client->trust_store == NULL)
		return cs_fail(why, CS_ERR_INVALID, "--trust-store is needed");
	if (getsockopt(egress_fds[which], SOL_SOCKET, SO_TYPE, &type, &n) != 0 ||
	    type != SOCK_SEQPACKET)
		return cs_fail(why, CS_ERR_INVALID, "--egress-fd is no SOCK_SEQPACKET socket");
	CS_TRY(read_named(&store, client->trust_store, TRUST_STORE_SIZE_MAX, "--trust-store", why));
	CS_TRY(read_named(&logs, client->logs, TRUST_LOGS_SIZE_MAX, "--logs", why));
	return trust_open(&client->fetch, trust, store, logs, egress_fds[which], why);
}

enum cs_err fetching_open(enum fetching_client which, const struct manifest_trust *trust,
			  struct cs_why *why)
{
	struct cs_why inner = {""};
	/* Each reads what its own proxy says. */
	if (which == FETCHING_RPC && egress_fds[FETCHING_RPC] >= 0 &&
	    egress_fds[FETCHING_RPC] == egress_fds[FETCHING_MAIN])
		return cs_fail(why, CS_ERR_INVALID, "--rpc-egress-fd is --egress-fd");
	const enum cs_err err = open_client(which, trust, &inner);
	if (err == CS_OK)
		return CS_OK;
	return cs_fail(why, err, "%s%.180s", which == FETCHING_RPC ? "of the providers: " : "",
		       inner.text);
}

struct fetch *fetching_client(enum fetching_client which)
{
	return shell.clients[which].fetch;
}

/* ---- the client ---- */

static void client_gone(void)
{
	shell.service->forget(shell.service->context);
	(void)close(shell.client_fd);
	shell.client_fd = -1;
}

static bool has_room(void)
{
	return OUT_SIZE - shell.out_end >= FRAME_SIZE_MAX;
}

static struct cs_buf reply_begin(void)
{
	struct cs_buf reply;
	cs_buf_init(&reply, shell.out + shell.out_end + WIRE_FRAME_HEAD_SIZE,
		    CS_FRAME_BODY_SIZE_MAX);
	return reply;
}

static void reply_end(const struct cs_buf *reply, enum wire_type type, uint64_t frame_id)
{
	const struct wire_frame frame = {(uint32_t)reply->n, type, frame_id};
	wire_frame_encode(shell.out + shell.out_end, &frame);
	shell.out_end += WIRE_FRAME_HEAD_SIZE + reply->n;
}

/* The frames that are there. False: the client broke the rules of frames. */
static bool take_frames(const struct verify_time *now)
{
	size_t at = 0;
	while (shell.in_size - at >= WIRE_FRAME_HEAD_SIZE && has_room()) {
		struct wire_frame frame;
		enum wire_type type;
		const uint8_t *p = shell.in + at;
		if (wire_frame_decode(&frame, p) != CS_OK)
			return false;
		if (shell.in_size - at - WIRE_FRAME_HEAD_SIZE < frame.body_size)
			break;
		const struct cs_bytes body = cs_bytes(p + WIRE_FRAME_HEAD_SIZE, frame.body_size);
		struct cs_buf reply = reply_begin();
		if (shell.service->request(shell.service->context, &type, &reply, frame.request_id,
					   frame.type, body, now))
			reply_end(&reply, type, frame.request_id);
		at += WIRE_FRAME_HEAD_SIZE + frame.body_size;
	}
	shell.in_size -= at;
	memmove(shell.in, shell.in + at, shell.in_size);
	return true;
}

static bool client_read(void)
{
	const ssize_t got =
		read(shell.client_fd, shell.in + shell.in_size, FRAME_SIZE_MAX - shell.in_size);
	if (got < 0)
		return errno == EINTR || errno == EAGAIN;
	shell.in_size += (size_t)got;
	return got > 0;
}

static bool client_write(void)
{
	while (shell.out_begin < shell.out_end) {
		const ssize_t done = write(shell.client_fd, shell.out + shell.out_begin,
					   shell.out_end - shell.out_begin);
		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return done < 0 && errno == EAGAIN;
		shell.out_begin += (size_t)done;
	}
	shell.out_begin = shell.out_end = 0;
	return true;
}

static void client_accept(int listen_fd)
{
	shell.client_fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (shell.client_fd < 0)
		return; /* it went before it was there */
	shell.in_size = shell.out_begin = shell.out_end = 0;
	enclave_connected(shell.e);
}

/* ---- the loop ---- */

static void serve_client(const struct pollfd *polled, const struct verify_time *now)
{
	bool good = (polled->revents & (POLLIN | POLLHUP | POLLERR)) == 0 ||
		    shell.in_size == FRAME_SIZE_MAX || client_read();
	good = good && take_frames(now);
	if (good)
		shell.service->turn(shell.service->context, now);
	while (good && has_room() && shell.service->is_ready(shell.service->context)) {
		uint64_t frame_id = 0;
		struct cs_buf reply = reply_begin();
		const enum wire_type type =
			shell.service->reply(shell.service->context, &reply, &frame_id);
		reply_end(&reply, type, frame_id);
	}
	if (!good || !client_write())
		client_gone();
}

static struct pollfd own_descriptor(int listen_fd)
{
	if (shell.client_fd < 0)
		return (struct pollfd){.fd = listen_fd, .events = POLLIN};
	struct pollfd own = {.fd = shell.client_fd};
	if (has_room())
		own.events |= POLLIN;
	if (shell.out_begin < shell.out_end)
		own.events |= POLLOUT;
	return own;
}

/* Of two waits, of which -1 is for ever. */
static int sooner(int a, int b)
{
	return a < 0 || (b >= 0 && b < a) ? b : a;
}

/* What is complete and waits for room is answered when the client has read. */
static int wait_ms(void)
{
	int wait = -1;
	for (size_t i = 0; i < FETCHING_CLIENT_COUNT; i++)
		if (shell.clients[i].fetch != NULL)
			wait = sooner(wait, fetch_wait_ms(shell.clients[i].fetch));
	if (shell.client_fd < 0)
		return wait;
	if (has_room() && shell.service->is_ready(shell.service->context))
		return 0;
	return shell.service->wait_ms == NULL
		       ? wait
		       : sooner(wait, shell.service->wait_ms(shell.service->context));
}

static size_t poll_set(struct pollfd *set)
{
	size_t count = 0;
	for (size_t i = 0; i < FETCHING_CLIENT_COUNT; i++) {
		struct client *client = &shell.clients[i];
		client->polled = client->fetch == NULL ? 0
						       : fetch_poll_set(client->fetch, &set[count],
									FETCH_POLL_MAX);
		count += client->polled;
	}
	return count;
}

static void step(const struct verify_time *now, const struct pollfd *set)
{
	for (size_t i = 0; i < FETCHING_CLIENT_COUNT; i++) {
		const struct client *client = &shell.clients[i];
		if (client->fetch != NULL)
			fetch_step(client->fetch, now, set, client->polled);
		set += client->polled;
	}
}

int fetching_serve(struct enclave *e, int listen_fd, const struct fetching_service *service)
{
	static struct pollfd set[FETCHING_CLIENT_COUNT * FETCH_POLL_MAX + 1];
	shell.in = process_memory(FRAME_SIZE_MAX);
	shell.out = process_memory(OUT_SIZE);
	if (shell.in == NULL || shell.out == NULL)
		return EXIT_FAILED;
	shell.e = e;
	shell.service = service;
	for (;;) {
		const size_t count = poll_set(set);
		set[count] = own_descriptor(listen_fd);
		if (poll(set, count + 1, wait_ms()) < 0) {
			if (errno == EINTR)
				continue;
			process_say("poll failed", "");
			return EXIT_FAILED;
		}
		const struct verify_time clock = process_clock();
		const struct verify_time now = enclave_time_of(e, &clock);
		step(&now, set);
		if (shell.client_fd >= 0)
			serve_client(&set[count], &now);
		else if (set[count].revents != 0)
			client_accept(listen_fd);
	}
}
