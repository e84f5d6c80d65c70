/* A process's memory holds what must not leave it: API keys and account keys, and URLs with providers' tokens. */
#ifndef HOST_DUMPS_H
#define HOST_DUMPS_H

#include "core/err.h"

/* From here on this process leaves no core file, whoever takes them (core(5): a limit of 0 does not keep
 * a program that takes dumps by a pipe from getting one, so it is also made not dumpable), and its memory
 * and its folder in /proc are root's alone (prctl(2), PR_SET_DUMPABLE; ptrace(2)). First thing in main. What is
 * executed later is dumpable again until it says so itself, with the limit of 0. SANDBOX: refused. */
CS_NODISCARD enum cs_err host_dumps_off(void);

#endif
