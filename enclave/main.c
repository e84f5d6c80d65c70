/* The bridge's shell: reads a frame, lets enclave_step answer it, writes the answer, for one client
 * after the other. Where it serves a chain whose final blocks are named by providers, it is the loop of
 * fetching.h instead, under the wider filter of system calls that this needs. */
#include "enclave/fetching.h"
#include "enclave/quorum.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define FRAME_SIZE_MAX (WIRE_FRAME_HEAD_SIZE + CS_FRAME_BODY_SIZE_MAX)

/* One reply in one write. */
static bool answer(struct enclave *e, int fd, const struct wire_frame *frame, struct cs_bytes body,
		   uint8_t *out)
{
	struct cs_buf reply;
	const struct verify_time now = process_clock();
	cs_buf_init(&reply, out + WIRE_FRAME_HEAD_SIZE, CS_FRAME_BODY_SIZE_MAX);
	struct wire_frame head = {.request_id = frame->request_id};
	head.type = enclave_step(e, &now, frame->type, body, &reply);
	head.body_size = (uint32_t)reply.n;
	wire_frame_encode(out, &head);
	return process_write_all(fd, out, WIRE_FRAME_HEAD_SIZE + reply.n);
}

/* Until the client goes or breaks the rules of frames. Several frames may come in one read. */
static void serve_client(struct enclave *e, int fd, uint8_t *in, uint8_t *out)
{
	size_t have = 0;
	enclave_connected(e);
	for (;;) {
		const ssize_t got = read(fd, in + have, FRAME_SIZE_MAX - have);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return;
		have += (size_t)got;
		size_t at = 0;
		while (have - at >= WIRE_FRAME_HEAD_SIZE) {
			struct wire_frame frame;
			if (wire_frame_decode(&frame, in + at) != CS_OK)
				return;
			if (have - at - WIRE_FRAME_HEAD_SIZE < frame.body_size)
				break;
			if (!answer(e, fd, &frame,
				    cs_bytes(in + at + WIRE_FRAME_HEAD_SIZE, frame.body_size), out))
				return;
			at += WIRE_FRAME_HEAD_SIZE + frame.body_size;
		}
		have -= at;
		memmove(in, in + at, have);
	}
}

static int serve_steps(struct enclave *e, int listen_fd)
{
	uint8_t *in = process_memory(FRAME_SIZE_MAX);
	uint8_t *out = process_memory(FRAME_SIZE_MAX);
	if (in == NULL || out == NULL)
		return EXIT_FAILED;
	for (;;) {
		const int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
		if (fd < 0 && (errno == EINTR || errno == ECONNABORTED))
			continue;
		if (fd < 0) {
			process_say("the listening socket failed", "");
			return EXIT_FAILED;
		}
		serve_client(e, fd, in, out);
		(void)close(fd);
	}
}

/* ---- providers ---- */

static int serve(struct enclave *e, int listen_fd)
{
	static struct quorum quorum;
	static const struct fetching_service of_bridge = {.context = &quorum,
							  .request = quorum_request,
							  .turn = quorum_turn,
							  .wait_ms = quorum_wait_ms,
							  .is_ready = quorum_is_ready,
							  .reply = quorum_reply,
							  .forget = quorum_forget};
	if (fetching_client(FETCHING_MAIN) == NULL)
		return serve_steps(e, listen_fd);
	quorum_init(&quorum, e, fetching_client(FETCHING_MAIN));
	return fetching_serve(e, listen_fd, &of_bridge);
}

static bool is_served(const struct enclave_launch *launch, const struct manifest_chain *chain)
{
	for (size_t i = 0; i < launch->serve_count; i++)
		if (cs_hash_eq(&launch->serve[i], &chain->identity))
			return true;
	return launch->serve_count == 0;
}

/* The network's door stays shut unless a chain that is served asks for it. */
static enum cs_err prepare(const struct enclave_launch *launch, enum sandbox_calls *calls,
			   struct cs_why *why)
{
	const struct manifest *manifest = launch->manifest;
	bool needed = false;
	for (size_t i = 0; i < manifest->chain_count; i++)
		needed = needed || (manifest->chains[i].finality.mode == MANIFEST_RPC_QUORUM &&
				    is_served(launch, &manifest->chains[i]));
	if (!needed && fetching_is_wanted(FETCHING_MAIN))
		return cs_fail(why, CS_ERR_INVALID,
			       "--egress-fd, --trust-store and --logs are for rpc_quorum, and no "
			       "chain that is served is of that mode");
	if (!needed)
		return CS_OK;
	*calls = SANDBOX_FETCH;
	return fetching_open(FETCHING_MAIN, &manifest->rpc, why);
}

int main(int argc, char **argv)
{
	const struct start_program program = {
		.name = "caisson-enclave",
		.usage = "[--serve CHAIN…] [--egress-fd N --trust-store FILE [--logs FILE]] "
			 "[--insecure-network|-no-seccomp|-new-privileges|-core-dumps|-plain-"
			 "memory] | "
			 "--measure",
		.role = ENCLAVE_BRIDGE,
		.calls = SANDBOX_STEP,
		.keep_fds = fetching_egress_fds,
		.option = fetching_option,
		.prepare = prepare,
		.serve = serve,
	};
	return start_main(argc, argv, &program);
}
