/* Over which sockets a backend's enclave may speak: a gateway inside a machine that is measured as a whole is part of what the
 * evidence is about, and one on the network is nobody's. Looks at the listening socket itself, whatever its maker says. */
#ifndef ENCLAVE_BOUNDARY_H
#define ENCLAVE_BOUNDARY_H

#include "core/err.h"

enum boundary_transport {
	BOUNDARY_UNIX = 1, /* both ends on one machine */
	BOUNDARY_LOOPBACK =
		2, /* TCP of 127.0.0.0/8 or ::1: under Gramine, whose Unix sockets do not leave it */
	BOUNDARY_VSOCK = 4, /* between a virtual machine and its host: vsock(7) */
};

/* One row of boundary.def. */
struct boundary_row {
	const char *backend;
	const char *measured;
	unsigned transports; /* enum boundary_transport, or-ed */
	unsigned inside;     /* those that mean a gateway inside of what is measured */
	const char *root;    /* what the machine's root can do */
};
/* Terminated by a row without a backend. */
const struct boundary_row *boundary_rows(void);

/* *flags gets the bit gateway_inside of insecure.def where the transport means that, else 0. INVALID: fd is no listening stream
 * socket; INSECURE_REFUSED: a gateway inside, and `tolerated` has no such bit; UNSUPPORTED: not this backend's. */
CS_NODISCARD enum cs_err boundary_check(uint64_t *flags, const char *backend, int fd,
					uint64_t tolerated, struct cs_why *why);

#endif
