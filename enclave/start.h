/* The start of both enclave processes: arguments, measurement, lineage of manifests, secrets, sandbox.
 * Used by main.c and oracle/main.c; what differs is in struct start_program. */
#ifndef ENCLAVE_START_H
#define ENCLAVE_START_H

#include "enclave/enclave.h"
#include "enclave/process.h"
#include "enclave/sandbox.h"

/* An oracle's: to its sources, and to the providers of its chains. */
#define START_KEEP_MAX 2u

struct start_program {
	const char *name;
	const char *usage; /* after the options that both have */
	enum enclave_role role;
	enum sandbox_calls calls; /* that stay allowed, unless prepare says otherwise */
	/* Further inherited descriptors that stay open, START_KEEP_MAX of them; -1: none. NULL: no
	 * further ones. */
	const int *keep_fds;
	/* An option of this program; false: it is none. NULL: there are none. */
	bool (*option)(const char *name, const char *value);
	/* Files are read here for the last time, after the manifest. NULL: nothing to do. */
	enum cs_err (*prepare)(const struct enclave_launch *launch, enum sandbox_calls *calls,
			       struct cs_why *why);
	enum cs_err (*box_make)(struct cs_secret *secret, struct cs_hash *x);
	/* In the sandbox; returns an exit code. */
	int (*serve)(struct enclave *e, int listen_fd);
};

int start_main(int argc, char **argv, const struct start_program *program);

#endif
