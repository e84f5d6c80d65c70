/* What every process of an enclave does around its sandbox: lines on stderr, arguments, files, memory,
 * its own measurement, time and random numbers of the kernel. Without stdio, which would ask for system
 * calls that the filter kills. */
#ifndef ENCLAVE_PROCESS_H
#define ENCLAVE_PROCESS_H

#include "core/err.h"
#include "core/hash.h"
#include "verify/verify.h"

#include <sys/types.h>

/* Exit codes, documented in docs/protocol/boundary.md. */
enum {
	EXIT_USAGE = 64,
	EXIT_MANIFEST = 65,
	EXIT_SANDBOX = 69,
	EXIT_FAILED = 70,
	EXIT_TEE = 71,
};

/* What stands before each line. The text outlives the process. */
void process_name(const char *name);
/* A line on stderr: the detail may be empty. */
void process_say(const char *what, const char *detail);
/* A line for each of these bits of insecure.def. */
void process_say_insecure(uint64_t flags);
/* Says the reason, or the error's own sentence; returns the code. */
int process_fail(int code, enum cs_err err, const struct cs_why *why);
/* Decimal digits, up to 1,000,009. */
bool process_take_number(int *out, const char *text);
/* All of a descriptor, or of a file, size_max at most; -1 on failure or when there is more. */
ssize_t process_read_all(int fd, uint8_t *p, size_t size_max);
ssize_t process_read_file(const char *path, uint8_t *p, size_t size_max);
bool process_write_all(int fd, const uint8_t *p, size_t n);
/* Pages of zeros, taken when they are touched; NULL. */
void *process_memory(size_t size);
/* SHA-256 of the program's file, 64 MiB at most. */
bool process_measure(struct cs_hash *measurement);
bool process_random(void *p, size_t n);
/* insecure_host_time: the host's clock as both ends; zeros if there is none. */
struct verify_time process_clock(void);
/* Closes all but standard input, output and error and these; negative ones are none. */
bool process_close_others(const int *fds, size_t count);

#endif
