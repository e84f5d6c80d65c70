/* What the processes share that fetch: their options, opening their clients, and one loop over the host,
 * the proxies and the connections, so that nobody waits for a slow server. Requests may be answered later
 * and in whatever order. */
#ifndef ENCLAVE_FETCHING_H
#define ENCLAVE_FETCHING_H

#include "enclave/fetch/trust.h"
#include "enclave/start.h"

/* A client has transfers, connections, a trust and a proxy of its own: who is trusted about one thing is
 * nobody about the other, and neither takes the other's room. */
enum fetching_client {
	FETCHING_MAIN, /* --egress-fd …: of a bridge its providers, of an oracle its sources */
	FETCHING_RPC,  /* --rpc-egress-fd …: of an oracle its providers */
	FETCHING_CLIENT_COUNT,
};

/* Who answers the frames of the host. */
struct fetching_service {
	void *context;
	/* Answers at once (true: *type and reply are set), or later. */
	bool (*request)(void *context, enum wire_type *type, struct cs_buf *reply,
			uint64_t frame_id, enum wire_type request, struct cs_bytes body,
			const struct verify_time *now);
	/* After each fetch_step: takes the replies of transfers. */
	void (*turn)(void *context, const struct verify_time *now);
	/* When turn is to be called again, whatever happens; -1: no such time. NULL: never. */
	int (*wait_ms)(const void *context);
	/* Is there a request whose answer has come? The next function then gives it; reply is empty
	 * and has room for a frame's body. */
	bool (*is_ready)(const void *context);
	enum wire_type (*reply)(void *context, struct cs_buf *reply, uint64_t *frame_id);
	/* The host is gone: nobody waits. */
	void (*forget)(void *context);
};

/* For start_program.keep_fds; -1 as long as an option was not there. */
extern const int *const fetching_egress_fds;
/* --egress-fd, --trust-store and --logs; false: another option. */
bool fetching_option(const char *name, const char *value);
/* The same, and --rpc-egress-fd, --rpc-trust-store and --rpc-logs. */
bool fetching_option_of_two(const char *name, const char *value);
/* Was one of the client's options given? */
bool fetching_is_wanted(enum fetching_client which);
/* Before the sandbox: reads the two files and opens the client. INVALID, IO and the errors of
 * trust_open. */
CS_NODISCARD enum cs_err fetching_open(enum fetching_client which,
				       const struct manifest_trust *trust, struct cs_why *why);
/* NULL before it was opened. */
struct fetch *fetching_client(enum fetching_client which);
/* Serves one host after the other for ever; returns an exit code. */
int fetching_serve(struct enclave *e, int listen_fd, const struct fetching_service *service);

#endif
