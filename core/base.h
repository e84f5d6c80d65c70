/* The smallest common words of the code base: attributes, array lengths, assertions that stay on in
 * release. Holds nothing that needs an implementation except the one function that ends the process
 * on a bug. */
#ifndef CS_BASE_H
#define CS_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CS_NODISCARD __attribute__((warn_unused_result))
#define CS_PRINTF(at, args) __attribute__((format(printf, at, args)))
#define CS_LEN(array) (sizeof(array) / sizeof((array)[0]))

_Static_assert(sizeof(size_t) == 8, "64-bit platforms only");

/* A bug, never an input: ends the process. On in every build. */
#define cs_assert(condition) ((condition) ? (void)0 : cs_bug(#condition, __FILE__, __LINE__))

/* Ends the process by a trap: a debugger finds the arguments in the frame, nobody else does. */
_Noreturn void cs_bug(const char *what, const char *file, int line);

#endif
