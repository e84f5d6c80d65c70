/* The oracle's shell: its requests are answered when they are complete, in whatever order. */
#include "enclave/fetching.h"
#include "enclave/oracle/box.h"
#include "enclave/oracle/service.h"

static struct service service;

static enum cs_err prepare(const struct enclave_launch *launch, enum sandbox_calls *calls,
			   struct cs_why *why)
{
	(void)calls;
	if (!launch->manifest->oracle.present)
		return cs_fail(why, CS_ERR_NOT_IN_MANIFEST, "the manifest names no oracle");
	CS_TRY(box_init());
	return fetching_open(&launch->manifest->oracle.trust, why);
}

static bool request(void *context, enum wire_type *type, struct cs_buf *reply, uint64_t frame_id,
		    enum wire_type request, struct cs_bytes body, const struct verify_time *now)
{
	return service_request(context, type, reply, frame_id, request, body, now);
}

static void turn(void *context, const struct verify_time *now)
{
	service_turn(context, now);
}

static bool is_ready(const void *context)
{
	return service_is_ready(context);
}

static enum wire_type reply(void *context, struct cs_buf *reply, uint64_t *frame_id)
{
	return service_reply(context, reply, frame_id);
}

static void forget(void *context)
{
	service_forget(context);
}

static int serve(struct enclave *e, int listen_fd)
{
	static const struct fetching_service of_oracle = {.context = &service,
							  .request = request,
							  .turn = turn,
							  .is_ready = is_ready,
							  .reply = reply,
							  .forget = forget};
	void *block = start_memory(LOOKUP_ARENA_SIZE);
	if (block == NULL)
		return EXIT_FAILED;
	service_init(&service, e, fetching_client(), block);
	return fetching_serve(e, listen_fd, &of_oracle);
}

int main(int argc, char **argv)
{
	const struct start_program program = {
		.name = "caisson-oracle-enclave",
		.usage = "--egress-fd N --trust-store FILE [--logs FILE] "
			 "[--insecure-network|-no-seccomp|-new-privileges|-core-dumps|-plain-"
			 "memory] | "
			 "--measure",
		.role = ENCLAVE_ORACLE,
		.calls = SANDBOX_FETCH,
		.keep_fd = fetching_egress_fd,
		.option = fetching_option,
		.prepare = prepare,
		.box_make = box_make,
		.serve = serve,
	};
	return start_main(argc, argv, &program);
}
