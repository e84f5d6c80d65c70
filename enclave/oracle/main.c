/* The oracle's shell: its requests are answered when they are complete, in whatever order. Where a
 * contract is on a chain whose final blocks are named by providers, these are asked too, by a client of
 * their own. */
#include "enclave/fetching.h"
#include "enclave/oracle/box.h"
#include "enclave/oracle/service.h"
#include "enclave/quorum.h"

struct shell {
	struct service service;
	struct quorum quorum;
	bool has_providers;
};

/* Has a contract a chain of rpc_quorum? */
static bool needs_providers(const struct manifest *manifest)
{
	const struct manifest_oracle *oracle = &manifest->oracle;
	for (size_t i = 0; i < oracle->contract_count; i++)
		if (manifest->chains[oracle->contracts[i].chain].finality.mode ==
		    MANIFEST_RPC_QUORUM)
			return true;
	return false;
}

static enum cs_err prepare(const struct enclave_launch *launch, enum sandbox_calls *calls,
			   struct cs_why *why)
{
	const struct manifest *manifest = launch->manifest;
	(void)calls;
	if (!manifest->oracle.present)
		return cs_fail(why, CS_ERR_NOT_IN_MANIFEST, "the manifest names no oracle");
	CS_TRY(box_init());
	CS_TRY(fetching_open(FETCHING_MAIN, &manifest->oracle.trust, why));
	if (needs_providers(manifest))
		return fetching_open(FETCHING_RPC, &manifest->rpc, why);
	if (fetching_is_wanted(FETCHING_RPC))
		return cs_fail(why, CS_ERR_INVALID,
			       "--rpc-egress-fd, --rpc-trust-store and --rpc-logs are for "
			       "rpc_quorum, and no contract is on a chain of that mode");
	return CS_OK;
}

static bool request(void *context, enum wire_type *type, struct cs_buf *reply, uint64_t frame_id,
		    enum wire_type request, struct cs_bytes body, const struct verify_time *now)
{
	struct shell *shell = context;
	if (request == WIRE_CLIENT_QUORUM && shell->has_providers)
		return quorum_request(&shell->quorum, type, reply, frame_id, request, body, now);
	return service_request(&shell->service, type, reply, frame_id, request, body, now);
}

static void turn(void *context, const struct verify_time *now)
{
	struct shell *shell = context;
	if (shell->has_providers)
		quorum_turn(&shell->quorum, now);
	service_turn(&shell->service, now);
}

static int wait_ms(const void *context)
{
	const struct shell *shell = context;
	const int quorum = shell->has_providers ? quorum_wait_ms(&shell->quorum) : -1;
	const int late = service_wait_ms(&shell->service);
	return quorum < 0 || (late >= 0 && late < quorum) ? late : quorum;
}

static bool quorum_has_reply(const struct shell *shell)
{
	return shell->has_providers && quorum_is_ready(&shell->quorum);
}

static bool is_ready(const void *context)
{
	const struct shell *shell = context;
	return quorum_has_reply(shell) || service_is_ready(&shell->service);
}

static enum wire_type reply(void *context, struct cs_buf *reply, uint64_t *frame_id)
{
	struct shell *shell = context;
	return quorum_has_reply(shell) ? quorum_reply(&shell->quorum, reply, frame_id)
				       : service_reply(&shell->service, reply, frame_id);
}

static void forget(void *context)
{
	struct shell *shell = context;
	if (shell->has_providers)
		quorum_forget(&shell->quorum);
	service_forget(&shell->service);
}

static int serve(struct enclave *e, int listen_fd)
{
	static struct shell shell;
	static const struct fetching_service of_oracle = {.context = &shell,
							  .request = request,
							  .turn = turn,
							  .wait_ms = wait_ms,
							  .is_ready = is_ready,
							  .reply = reply,
							  .forget = forget};
	struct fetch *providers = fetching_client(FETCHING_RPC);
	void *block = process_memory(LOOKUP_ARENA_SIZE);
	if (block == NULL)
		return EXIT_FAILED;
	service_init(&shell.service, e, fetching_client(FETCHING_MAIN), block);
	shell.has_providers = providers != NULL;
	if (shell.has_providers)
		quorum_init(&shell.quorum, e, providers);
	return fetching_serve(e, listen_fd, &of_oracle);
}

int main(int argc, char **argv)
{
	const struct start_program program = {
		.name = "caisson-oracle-enclave",
		.usage = "--egress-fd N --trust-store FILE [--logs FILE] "
			 "[--rpc-egress-fd N --rpc-trust-store FILE [--rpc-logs FILE]] "
			 "[--insecure-network|-no-seccomp|-new-privileges|-core-dumps|-plain-"
			 "memory] | "
			 "--measure",
		.role = ENCLAVE_ORACLE,
		.calls = SANDBOX_FETCH,
		.keep_fds = fetching_egress_fds,
		.option = fetching_option_of_two,
		.prepare = prepare,
		.box_make = box_make,
		.serve = serve,
	};
	return start_main(argc, argv, &program);
}
