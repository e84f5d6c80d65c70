/* The enclave as a supervised child: it inherits its listening socket as 3 and the 32 bytes of the
 * seal root as 4, so that neither is in its arguments. These are --listen-fd 3 --seal-root-fd 4 (not
 * where the hardware has a root of its own: 4 is empty then), the backend, and
 * then args (--lineage, --manifest …). With an egress_fd that one is 5 and --egress-fd 5, with an
 * rpc_egress_fd beside it that one is 6 and --rpc-egress-fd 6: the caller's to add. */
#ifndef HOST_ENCLAVE_PROCESS_H
#define HOST_ENCLAVE_PROCESS_H

#include "host/child.h"

struct host_enclave_spawn_options {
	const char *program;
	const char *socket_path;
	const char *seal_root_path; /* a file for host_keyfile_load; NULL: the hardware's own */
	const char *tee;            /* its backend; NULL: simulated */
	const char *tee_state;      /* a folder; NULL: none */
	int egress_fd;              /* the caller's; 0: none */
	int rpc_egress_fd;          /* only with an egress_fd; the caller's; 0: none */
	const char *args[HOST_CHILD_ARGS_MAX - 8];
};
/* As host_child_new, host_listen_unix and host_keyfile_load. */
CS_NODISCARD enum cs_err host_enclave_spawn(struct host_child **child, struct host_loop *loop,
					    const struct host_enclave_spawn_options *options,
					    const struct host_child_events *events, void *context,
					    struct cs_why *why);

#endif
