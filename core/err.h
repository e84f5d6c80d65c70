/* Every way in which a call can fail, from one table (err.def). A negative answer of a verifier to
 * a well-formed question is a code of the verification group; a bug is never a code (cs_assert). */
#ifndef CS_ERR_H
#define CS_ERR_H

#include "core/base.h"

enum cs_err {
#define CS_ERR(code, name, sentence, status, retry) CS_ERR_##code,
#include "core/err.def"
#undef CS_ERR
	CS_ERR_COUNT
};
#define CS_OK CS_ERR_OK

/* Returns the caller on failure. Only where the arena or the caller owns everything. */
#define CS_TRY(call)                             \
	do {                                     \
		enum cs_err cs_try_err = (call); \
		if (cs_try_err != CS_OK)         \
			return cs_try_err;       \
	} while (0)

/* Static strings. cs_err_name is for programs ("not-final"): stable, part of the REST API. */
const char *cs_err_name(enum cs_err err);
const char *cs_err_sentence(enum cs_err err);
int cs_err_http_status(enum cs_err err);
bool cs_err_may_retry(enum cs_err err);

/* The detail that a person needs: which field, which height. Never a secret. Always terminated, cut
 * when too long. */
struct cs_why {
	char text[200];
};

/* Writes the detail; why may be NULL. */
void cs_why_write(struct cs_why *why, const char *format, ...) CS_PRINTF(2, 3);

/* Writes the detail and is err, so that a refusal is one statement: return cs_fail(why, CS_ERR_X,
 * "…", …). A macro, so that compilers and analyzers see which error it is. */
#define cs_fail(why, err, ...) (cs_why_write((why), __VA_ARGS__), (err))

#endif
