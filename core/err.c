#include "core/err.h"

#include <stdarg.h>
#include <stdio.h>

static const struct {
	const char *name;
	const char *sentence;
	int status;
	bool retry;
} table[CS_ERR_COUNT] = {
#define CS_ERR(code, name, sentence, status, retry) \
	[CS_ERR_##code] = {name, sentence, status, retry},
#include "core/err.def"
#undef CS_ERR
};

const char *cs_err_name(enum cs_err err)
{
	cs_assert(err < CS_ERR_COUNT);
	return table[err].name;
}

const char *cs_err_sentence(enum cs_err err)
{
	cs_assert(err < CS_ERR_COUNT);
	return table[err].sentence;
}

int cs_err_http_status(enum cs_err err)
{
	cs_assert(err < CS_ERR_COUNT);
	return table[err].status;
}

bool cs_err_may_retry(enum cs_err err)
{
	cs_assert(err < CS_ERR_COUNT);
	return table[err].retry;
}

void cs_why_write(struct cs_why *why, const char *format, ...)
{
	va_list args;
	if (why == NULL)
		return;
	va_start(args, format);
	(void)vsnprintf(why->text, sizeof why->text, format, args);
	va_end(args);
}
