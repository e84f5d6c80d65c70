/* What a gateway and the `caisson up` that started it tell each other: which configuration the
 * enclave is to run under. A message is 1 byte of its kind, 32 bytes that name a configuration
 * (gateway/succession.h), and a sentence; one end is the child's from its birth. It carries no secret
 * and nothing that is signed: who holds the other end could kill the enclave as well. */
#ifndef HOST_SUPERVISOR_H
#define HOST_SUPERVISOR_H

#include "core/hash.h"
#include "host/loop.h"

#define HOST_SUPERVISOR_TEXT_MAX 200u

enum host_supervisor_kind {
	/* to `caisson up`: the enclave is to run under what its file says now. What it ran under is
	 * kept for as long as neither of the next two came. */
	HOST_SUPERVISOR_TRY = 1,
	HOST_SUPERVISOR_KEEP, /* there is no way back */
	HOST_SUPERVISOR_BACK, /* to what it ran under */
	/* from it: the file is another one by now, or the enclave does not start; it runs under what
	 * it ran under, and the sentence says why */
	HOST_SUPERVISOR_REFUSED,
};

struct host_supervisor;

/* text: 0 to HOST_SUPERVISOR_TEXT_MAX printable characters. */
typedef void host_supervisor_message(void *context, enum host_supervisor_kind kind,
				     const struct cs_hash *plan, const char *text);

/* Both ends, close-on-exec. IO. */
CS_NODISCARD enum cs_err host_supervisor_pair(int fds[2]);
/* fd: one end; copied. INVALID: it is none. */
CS_NODISCARD enum cs_err host_supervisor_new(struct host_supervisor **out, struct host_loop *loop,
					     int fd, host_supervisor_message *message,
					     void *context);
/* NULL is allowed. */
void host_supervisor_free(struct host_supervisor *supervisor);
/* text is cut. UNAVAILABLE: nobody reads. */
CS_NODISCARD enum cs_err host_supervisor_send(struct host_supervisor *supervisor,
					      enum host_supervisor_kind kind,
					      const struct cs_hash *plan, const char *text);

#endif
