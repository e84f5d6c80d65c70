#include "enclave/sandbox.h"

#include "enclave/insecure.h"

#include <errno.h>
#include <net/if.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
#ifdef CAISSON_TEST_PROBES
#include <fcntl.h>
#include <poll.h>
#include <sys/ptrace.h>
#endif

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZER 1
#endif
#endif
#ifndef SANITIZER
#define SANITIZER 0
#endif

void *sandbox_secret_memory(size_t size, bool *plain)
{
	const int fd = (int)syscall(SYS_memfd_secret, 0);
	if (fd >= 0) {
		void *p = MAP_FAILED;
		if (ftruncate(fd, (off_t)size) == 0)
			p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		(void)close(fd);
		if (p != MAP_FAILED) {
			/* Touched now: a page that is missing later would be a signal in the middle
			 * of signing. */
			memset(p, 0, size);
			*plain = false;
			return p;
		}
	}
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return NULL;
	/* Both only lessen the harm: the property is reported as missing whether they work or not. */
	(void)mlock(p, size);
	(void)madvise(p, size, MADV_DONTDUMP);
	*plain = true;
	return p;
}

static bool network_is_gone(void)
{
	/* An error means that nothing is known: then the property is missing. */
	struct if_nameindex *names = if_nameindex();
	if (names == NULL)
		return false;
	bool gone = true;
	for (const struct if_nameindex *at = names; at->if_index != 0; at++)
		gone = gone && strcmp(at->if_name, "lo") == 0;
	if_freenameindex(names);
	return gone;
}

static void leave_network(void)
{
	/* An unprivileged process needs the user namespace for the others; root in a chroot may not
	 * have it. */
	if (unshare(CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS) != 0 &&
	    unshare(CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS) != 0)
		return; /* what counts is whether the network is gone, and that is looked at next */
}

static bool dumps_are_off(void)
{
	const struct rlimit none = {0, 0};
	struct rlimit core;
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0 || setrlimit(RLIMIT_CORE, &none) != 0)
		return false;
	return prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0 && getrlimit(RLIMIT_CORE, &core) == 0 &&
	       core.rlim_max == 0;
}

/* Enough to read, write and sign. */
static const int calls_allowed[] = {
	SCMP_SYS(read),       SCMP_SYS(write),           SCMP_SYS(close),        SCMP_SYS(brk),
	SCMP_SYS(munmap),     SCMP_SYS(mremap),          SCMP_SYS(madvise),      SCMP_SYS(futex),
	SCMP_SYS(getrandom),  SCMP_SYS(clock_gettime),   SCMP_SYS(rt_sigreturn), SCMP_SYS(exit),
	SCMP_SYS(exit_group), SCMP_SYS(restart_syscall),
};
#if SANITIZER
/* What the runtimes call in clean runs, and what their reports try and can do without. */
static const int calls_instrumented[] = {
	SCMP_SYS(sigaltstack),    SCMP_SYS(gettid),      SCMP_SYS(getpid),
	SCMP_SYS(rt_sigprocmask), SCMP_SYS(sched_yield), SCMP_SYS(pipe2),
};
static const int calls_answered[] = {
	SCMP_SYS(open),       SCMP_SYS(openat),           SCMP_SYS(readlink),     SCMP_SYS(stat),
	SCMP_SYS(newfstatat), SCMP_SYS(access),           SCMP_SYS(clone),        SCMP_SYS(socket),
	SCMP_SYS(getrlimit),  SCMP_SYS(prlimit64),        SCMP_SYS(ioctl),        SCMP_SYS(fstat),
	SCMP_SYS(pipe),       SCMP_SYS(process_vm_readv), SCMP_SYS(rt_sigaction), SCMP_SYS(getppid),
	SCMP_SYS(tgkill),
};
#endif

/* Data over the ends of socket pairs, and waiting for it. No socket can be made that has a name, none
 * connected, none listened on (ADR 11). */
static const int calls_fetch[] = {
	SCMP_SYS(poll),    SCMP_SYS(recvfrom), SCMP_SYS(sendto),
	SCMP_SYS(sendmsg), SCMP_SYS(getpid), /* OpenSSL's random numbers notice a fork */
};
/* What libcurl tries on every connection and does without: options of TCP, addresses of its ends. */
static const int calls_fetch_answered[] = {
	SCMP_SYS(setsockopt),
	SCMP_SYS(getsockname),
	SCMP_SYS(getpeername),
	SCMP_SYS(fcntl),
};

/* Attributes of the kernel are opened anew for each quote. Which files there are is up to the user that
 * the process runs as. */
static const int calls_quote[] = {SCMP_SYS(openat), SCMP_SYS(flock)};

static int filter_fetch(scmp_filter_ctx filter)
{
	int bad = 0;
	for (size_t i = 0; i < CS_LEN(calls_fetch); i++)
		bad |= seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls_fetch[i], 0);
	for (size_t i = 0; i < CS_LEN(calls_fetch_answered); i++)
		bad |= seccomp_rule_add(filter, SCMP_ACT_ERRNO(EOPNOTSUPP), calls_fetch_answered[i],
					0);
	bad |= seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socketpair), 2,
				SCMP_A0(SCMP_CMP_EQ, AF_UNIX),
				SCMP_A1(SCMP_CMP_EQ, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC));
	bad |= seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(getsockopt), 2,
				SCMP_A1(SCMP_CMP_EQ, SOL_SOCKET), SCMP_A2(SCMP_CMP_EQ, SO_ERROR));
	return bad;
}

static int filter_fill(scmp_filter_ctx filter, enum sandbox_calls calls)
{
	int bad = calls == SANDBOX_FETCH ? filter_fetch(filter) : 0;
	/* OpenSSL's random numbers notice a fork. */
	if (calls == SANDBOX_TLS || calls == SANDBOX_ANSWER)
		bad |= seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(getpid), 0);
	if (calls == SANDBOX_STEP || calls == SANDBOX_TLS || calls == SANDBOX_FETCH)
		bad |= seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(accept4), 0);
	for (size_t i = 0; calls == SANDBOX_QUOTE && i < CS_LEN(calls_quote); i++)
		bad |= seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls_quote[i], 0);
	for (size_t i = 0; i < CS_LEN(calls_allowed); i++)
		bad |= seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls_allowed[i], 0);
#if SANITIZER
	for (size_t i = 0; i < CS_LEN(calls_instrumented); i++)
		bad |= seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls_instrumented[i], 0);
	for (size_t i = 0; i < CS_LEN(calls_answered); i++)
		if (calls != SANDBOX_QUOTE || calls_answered[i] != SCMP_SYS(openat))
			bad |= seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOENT), calls_answered[i],
						0);
#endif
	bad |= seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
				SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	bad |= seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
				SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	bad |= seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(prctl), 1,
				SCMP_A0(SCMP_CMP_EQ, PR_GET_SECCOMP, 0));
	return bad;
}

static bool filter_is_on(enum sandbox_calls calls)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
	if (filter == NULL)
		return false;
	/* New privileges were given up before, and whether that worked was judged there. */
	const bool loaded = seccomp_attr_set(filter, SCMP_FLTATR_CTL_NNP, 0) == 0 &&
			    filter_fill(filter, calls) == 0 && seccomp_load(filter) == 0;
	seccomp_release(filter);
	return loaded && prctl(PR_GET_SECCOMP, 0, 0, 0, 0) == 2;
}

static enum cs_err refuse_missing(uint64_t missing, uint64_t tolerated, struct cs_why *why)
{
	const struct enclave_insecure_row *row = enclave_insecure_rows();
	for (; row->name != NULL; row++) {
		const uint64_t bit = UINT64_C(1) << row->bit;
		if ((missing & bit) != 0 && (tolerated & bit) == 0)
			return cs_fail(why, CS_ERR_SANDBOX, "%s (--%s tolerates it)", row->sentence,
				       row->option);
	}
	return CS_OK;
}

enum cs_err sandbox_enter(uint64_t tolerated, enum sandbox_calls calls, uint64_t *missing,
			  struct cs_why *why)
{
	uint64_t found = 0;
	/* A client that goes away in the middle of a reply is an error of write, not the end. */
	if (signal(SIGPIPE, SIG_IGN) == SIG_ERR)
		return cs_fail(why, CS_ERR_SANDBOX, "SIGPIPE cannot be ignored");
	leave_network();
	if (!network_is_gone())
		found |= ENCLAVE_INSECURE_network;
	if (!dumps_are_off())
		found |= ENCLAVE_INSECURE_core_dumps;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
	    prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
		found |= ENCLAVE_INSECURE_new_privileges;
	/* Judged before the filter, which would kill the process that wants to say why. */
	CS_TRY(refuse_missing(found, tolerated, why));
	if ((tolerated & ENCLAVE_INSECURE_no_seccomp) != 0 || !filter_is_on(calls))
		found |= ENCLAVE_INSECURE_no_seccomp;
	CS_TRY(refuse_missing(found, tolerated, why));
	*missing = found | (SANITIZER ? (uint64_t)ENCLAVE_INSECURE_sanitizer : 0);
	return CS_OK;
}

#ifdef CAISSON_TEST_PROBES
static int answer(long result)
{
	return result < 0 ? errno : 0;
}

int sandbox_probe(uint32_t what)
{
	char *const none[] = {NULL};
	switch (what) {
	case 1:
		return answer(open("/etc/hostname", O_RDONLY | O_CLOEXEC));
	case 2:
		return answer(execve("/bin/true", none, none));
	case 3:
		return answer(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
	case 4:
		return answer(ptrace(PTRACE_TRACEME, 0, NULL, NULL));
	case 5:
		return answer(fork());
	case 6:
		return mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED
			       ? errno
			       : 0;
	case 8:
		return answer(poll(NULL, 0, 0));
	case 7:
		__builtin_trap();
	}
	return -1;
}
#endif
