/* Supervises one program: starts it with inherited descriptors, starts it again with growing pauses
 * when it ends, stops it by SIGTERM and, after a grace, SIGKILL. Its standard error is ours, and so is
 * its standard output unless somebody wants it; it gets no standard input and an environment of PATH
 * alone. The kernel kills it when the thread that started it ends, however that happens. */
#ifndef HOST_CHILD_H
#define HOST_CHILD_H

#include "host/loop.h"

/* A lineage of 64 manifests takes 128 of them. */
#define HOST_CHILD_ARGS_MAX 192u
#define HOST_CHILD_FDS_MAX 8u

struct host_child;

struct host_child_events {
	/* Again; the first start is known from host_child_new. */
	void (*started)(void *context, int pid);
	/* will_restart: in restart_ms, unless the child is freed. status as by WEXITSTATUS, signal
	 * 0 when it exited. */
	void (*ended)(void *context, int status, int signal, uint64_t restart_ms);
};

/* Zeros mean the default in brackets. */
struct host_child_options {
	const char *program;
	const char *args[HOST_CHILD_ARGS_MAX]; /* without the program; the first NULL ends them */
	/* Become 3, 4, … in the child; fd_count of them. A regular file is read from its start
	 * after each restart. */
	int fds[HOST_CHILD_FDS_MAX];
	uint32_t fd_count;
	int output; /* becomes its standard output; 0: our standard error does */
	/* Doubled from min [200] to max [10,000], from min again after it ran for 10 s. */
	uint64_t backoff_min_ms;
	uint64_t backoff_max_ms;
};

/* Everything is copied, the descriptors too (the caller closes its own). IO: the first start
 * failed. */
CS_NODISCARD enum cs_err host_child_new(struct host_child **child, struct host_loop *loop,
					const struct host_child_options *options,
					const struct host_child_events *events, void *context,
					struct cs_why *why);
int host_child_pid(const struct host_child *child); /* 0: not running */
/* SIGTERM, SIGKILL after grace_ms; then stopped(context), once. No event and no restart after that. */
void host_child_stop(struct host_child *child, uint64_t grace_ms, host_call *stopped,
		     void *context);
/* Kills a child that is still running. NULL is allowed. */
void host_child_free(struct host_child *child);

/* Where a program is started from: a name without a slash stands for the file beside our own
 * program, where there is one that may be run, else for what PATH finds. */
void host_program_find(char *path, size_t size, const char *name);

/* A listening Unix socket at path, mode 0600, backlog 8, close-on-exec; replaces a dead socket
 * there, refuses (CONFLICT) one that somebody answers on and anything that is no socket. */
CS_NODISCARD enum cs_err host_listen_unix(int *fd, const char *path, struct cs_why *why);

#endif
