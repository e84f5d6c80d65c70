/* The oracle's shell: one loop over the client, the proxy and the connections to sources, so that a slow
 * source delays nobody. Requests are answered when they are complete, in whatever order. */
#include "enclave/fetch/trust.h"
#include "enclave/oracle/box.h"
#include "enclave/oracle/service.h"
#include "enclave/start.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define FRAME_SIZE_MAX (WIRE_FRAME_HEAD_SIZE + CS_FRAME_BODY_SIZE_MAX)
/* A client that does not read is not read either: no request is taken without room for a reply. */
#define OUT_SIZE (3u * FRAME_SIZE_MAX)

static struct oracle {
	int egress_fd;
	const char *trust_store;
	const char *logs;
	struct fetch *fetch;
	struct service service;
	int client_fd;
	size_t in_size;
	size_t out_begin, out_end;
	uint8_t *in;
	uint8_t *out;
} oracle = {.egress_fd = -1, .client_fd = -1};

/* ---- start ---- */

static bool option(const char *name, const char *value)
{
	if (strcmp(name, "egress-fd") == 0)
		return start_take_number(&oracle.egress_fd, value);
	if (strcmp(name, "trust-store") == 0) {
		oracle.trust_store = value;
		return true;
	}
	if (strcmp(name, "logs") == 0) {
		oracle.logs = value;
		return true;
	}
	return false;
}

static enum cs_err read_named(struct cs_bytes *file, const char *path, size_t size_max,
			      const char *name, struct cs_why *why)
{
	*file = CS_BYTES_NONE;
	if (path == NULL)
		return CS_OK;
	uint8_t *p = start_memory(size_max);
	const ssize_t n = p == NULL ? -1 : start_read_file(path, p, size_max);
	if (n < 0)
		return cs_fail(why, CS_ERR_IO, "%s cannot be read", name);
	*file = cs_bytes(p, (size_t)n);
	return CS_OK;
}

static enum cs_err prepare(const struct manifest *manifest, struct cs_why *why)
{
	struct cs_bytes store;
	struct cs_bytes logs;
	int type = 0;
	socklen_t n = sizeof type;
	if (!manifest->oracle.present)
		return cs_fail(why, CS_ERR_NOT_IN_MANIFEST, "the manifest names no oracle");
	if (oracle.trust_store == NULL)
		return cs_fail(why, CS_ERR_INVALID, "--trust-store is needed");
	if (getsockopt(oracle.egress_fd, SOL_SOCKET, SO_TYPE, &type, &n) != 0 ||
	    type != SOCK_SEQPACKET)
		return cs_fail(why, CS_ERR_INVALID, "--egress-fd is no SOCK_SEQPACKET socket");
	CS_TRY(box_init());
	CS_TRY(read_named(&store, oracle.trust_store, TRUST_STORE_SIZE_MAX, "--trust-store", why));
	CS_TRY(read_named(&logs, oracle.logs, TRUST_LOGS_SIZE_MAX, "--logs", why));
	return trust_open(&oracle.fetch, &manifest->oracle.trust, store, logs, oracle.egress_fd,
			  why);
}

/* ---- the client ---- */

static void client_gone(void)
{
	service_forget(&oracle.service);
	(void)close(oracle.client_fd);
	oracle.client_fd = -1;
}

static bool has_room(void)
{
	return OUT_SIZE - oracle.out_end >= FRAME_SIZE_MAX;
}

static struct cs_buf reply_begin(void)
{
	struct cs_buf reply;
	cs_buf_init(&reply, oracle.out + oracle.out_end + WIRE_FRAME_HEAD_SIZE,
		    CS_FRAME_BODY_SIZE_MAX);
	return reply;
}

static void reply_end(const struct cs_buf *reply, enum wire_type type, uint64_t frame_id)
{
	const struct wire_frame frame = {(uint32_t)reply->n, type, frame_id};
	wire_frame_encode(oracle.out + oracle.out_end, &frame);
	oracle.out_end += WIRE_FRAME_HEAD_SIZE + reply->n;
}

/* The frames that are there. False: the client broke the rules of frames. */
static bool take_frames(const struct verify_time *now)
{
	size_t at = 0;
	while (oracle.in_size - at >= WIRE_FRAME_HEAD_SIZE && has_room()) {
		struct wire_frame frame;
		enum wire_type type;
		const uint8_t *p = oracle.in + at;
		if (wire_frame_decode(&frame, p) != CS_OK)
			return false;
		if (oracle.in_size - at - WIRE_FRAME_HEAD_SIZE < frame.body_size)
			break;
		const struct cs_bytes body = cs_bytes(p + WIRE_FRAME_HEAD_SIZE, frame.body_size);
		struct cs_buf reply = reply_begin();
		if (service_request(&oracle.service, &type, &reply, frame.request_id, frame.type,
				    body, now))
			reply_end(&reply, type, frame.request_id);
		at += WIRE_FRAME_HEAD_SIZE + frame.body_size;
	}
	oracle.in_size -= at;
	memmove(oracle.in, oracle.in + at, oracle.in_size);
	return true;
}

static bool client_read(void)
{
	const ssize_t got =
		read(oracle.client_fd, oracle.in + oracle.in_size, FRAME_SIZE_MAX - oracle.in_size);
	if (got < 0)
		return errno == EINTR || errno == EAGAIN;
	oracle.in_size += (size_t)got;
	return got > 0;
}

static bool client_write(void)
{
	while (oracle.out_begin < oracle.out_end) {
		const ssize_t done = write(oracle.client_fd, oracle.out + oracle.out_begin,
					   oracle.out_end - oracle.out_begin);
		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return done < 0 && errno == EAGAIN;
		oracle.out_begin += (size_t)done;
	}
	oracle.out_begin = oracle.out_end = 0;
	return true;
}

static void client_accept(int listen_fd)
{
	oracle.client_fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (oracle.client_fd < 0)
		return; /* it went before it was there */
	oracle.in_size = oracle.out_begin = oracle.out_end = 0;
	enclave_connected(oracle.service.world.e);
}

/* ---- the loop ---- */

static void serve_client(const struct pollfd *polled, const struct verify_time *now)
{
	bool good = (polled->revents & (POLLIN | POLLHUP | POLLERR)) == 0 ||
		    oracle.in_size == FRAME_SIZE_MAX || client_read();
	good = good && take_frames(now);
	if (good)
		service_turn(&oracle.service, now);
	while (good && has_room() && service_is_ready(&oracle.service)) {
		uint64_t frame_id = 0;
		struct cs_buf reply = reply_begin();
		const enum wire_type type = service_reply(&oracle.service, &reply, &frame_id);
		reply_end(&reply, type, frame_id);
	}
	if (!good || !client_write())
		client_gone();
}

static struct pollfd own_descriptor(int listen_fd)
{
	if (oracle.client_fd < 0)
		return (struct pollfd){.fd = listen_fd, .events = POLLIN};
	struct pollfd own = {.fd = oracle.client_fd};
	if (has_room())
		own.events |= POLLIN;
	if (oracle.out_begin < oracle.out_end)
		own.events |= POLLOUT;
	return own;
}

/* What is complete and waits for room is answered when the client has read. */
static int wait_ms(void)
{
	return oracle.client_fd >= 0 && has_room() && service_is_ready(&oracle.service)
		       ? 0
		       : fetch_wait_ms(oracle.fetch);
}

static int serve(struct enclave *e, int listen_fd)
{
	static struct pollfd set[FETCH_POLL_MAX + 1];
	void *block = start_memory(LOOKUP_ARENA_SIZE);
	oracle.in = start_memory(FRAME_SIZE_MAX);
	oracle.out = start_memory(OUT_SIZE);
	if (block == NULL || oracle.in == NULL || oracle.out == NULL)
		return EXIT_FAILED;
	service_init(&oracle.service, e, oracle.fetch, block);
	for (;;) {
		const size_t count = fetch_poll_set(oracle.fetch, set, FETCH_POLL_MAX);
		set[count] = own_descriptor(listen_fd);
		if (poll(set, count + 1, wait_ms()) < 0) {
			if (errno == EINTR)
				continue;
			start_say("poll failed", "");
			return EXIT_FAILED;
		}
		const struct verify_time clock = start_clock();
		const struct verify_time now = enclave_time_of(e, &clock);
		fetch_step(oracle.fetch, &now, set, count);
		if (oracle.client_fd >= 0)
			serve_client(&set[count], &now);
		else if (set[count].revents != 0)
			client_accept(listen_fd);
	}
}

int main(int argc, char **argv)
{
	static const struct start_program program = {
		.name = "caisson-oracle-enclave",
		.usage = "--egress-fd N --trust-store FILE [--logs FILE] "
			 "[--insecure-network|-no-seccomp|-new-privileges|-core-dumps|-plain-"
			 "memory] | "
			 "--measure",
		.role = ENCLAVE_ORACLE,
		.calls = SANDBOX_FETCH,
		.keep_fd = &oracle.egress_fd,
		.option = option,
		.prepare = prepare,
		.box_make = box_make,
		.serve = serve,
	};
	return start_main(argc, argv, &program);
}
