/* Takes away from the process what it does not need, and then looks whether it is gone, however
 * that came about. Called once by main.c, before the first request; libseccomp is used nowhere
 * else. */
#ifndef ENCLAVE_SANDBOX_H
#define ENCLAVE_SANDBOX_H

#include "core/bytes.h"

/* Memory for secrets: memfd_secret, else locked ordinary memory, left out of core dumps; *plain
 * tells which. Zeroed; lives as long as the process. NULL when there is neither. */
void *sandbox_secret_memory(size_t size, bool *plain);

/* What stays allowed: the fewest calls with which a program can do its work. */
enum sandbox_calls {
	SANDBOX_STEP, /* accept one client, read, write, sign */
	SANDBOX_TLS,  /* as STEP, and what OpenSSL's random numbers ask for */
	SANDBOX_ANSWER, /* of a quoting process that holds all that it needs: read, write, random numbers */
	SANDBOX_QUOTE, /* of the quoting process: open, lock, read and write files, answer */
	SANDBOX_FETCH, /* as STEP, and wait for many descriptors, make socket pairs and hand their ends over */
};

/* Gives up dumps, the network, new privileges and system calls, in this order. `tolerated` are bits
 * of insecure.def whose property may be missing; *missing gets those that are (among network,
 * no_seccomp, new_privileges, core_dumps, sanitizer). SANDBOX when one is missing that is not
 * tolerated: `why` names its option. Tolerating no_seccomp leaves the filter out. */
CS_NODISCARD enum cs_err sandbox_enter(uint64_t tolerated, enum sandbox_calls calls,
				       uint64_t *missing, struct cs_why *why);

#ifdef CAISSON_TEST_PROBES
/* Tries what the filter must refuse (ProbeRequest.what): an errno when the call was answered, 0
 * when it worked; no return when the process is killed, as it should be. -1: no such probe. */
int sandbox_probe(uint32_t what);
#endif

#endif
