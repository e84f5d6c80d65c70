#include "host/dumps.h"

#include <sys/prctl.h>
#include <sys/resource.h>

/* LeakSanitizer looks at its own process as a debugger does. */
#if defined(__SANITIZE_ADDRESS__)
#define STAYS_DUMPABLE 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define STAYS_DUMPABLE 1
#endif
#endif
#ifndef STAYS_DUMPABLE
#define STAYS_DUMPABLE 0
#endif

enum cs_err host_dumps_off(void)
{
	const struct rlimit none = {0, 0};
	if (setrlimit(RLIMIT_CORE, &none) != 0)
		return CS_ERR_SANDBOX;
	if (!STAYS_DUMPABLE && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
		return CS_ERR_SANDBOX;
	return CS_OK;
}
