#include "sdk/c/src/inner.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *caisson_err_name(enum caisson_err err)
{
	switch (err) {
	case CAISSON_OK:
		return "ok";
	case CAISSON_INVALID:
		return "invalid";
	case CAISSON_REFUSED:
		return "refused";
	case CAISSON_UNREACHABLE:
		return "unreachable";
	case CAISSON_BAD_REPLY:
		return "bad-reply";
	case CAISSON_TIMED_OUT:
		return "timed-out";
	case CAISSON_NOT_PROVEN:
		return "not-proven";
	case CAISSON_BAD_WEBHOOK:
		return "bad-webhook";
	case CAISSON_NO_MEMORY:
		return "no-memory";
	}
	return "unknown";
}

const char *caisson_version(void)
{
	return CAISSON_VERSION;
}

void error_write(struct caisson_error *error, enum caisson_err err, const char *format, ...)
{
	va_list args;
	if (!error)
		return;
	*error = (struct caisson_error){.err = err};
	va_start(args, format);
	(void)vsnprintf(error->text, sizeof(error->text), format, args);
	va_end(args);
}
