/* Which program is at the other end of a Unix socket: its user, and the SHA-256 of the file that it runs, as the
 * kernel says. Whoever is root, or controls the kernel, says what he likes. Also whoever may change the program
 * from within: its own user can, by a debugger or the dynamic loader's variables. */
#ifndef CLI_PROVISION_PEER_H
#define CLI_PROVISION_PEER_H

#include "core/digest.h"
#include "core/err.h"

#include <sys/stat.h>
#include <sys/types.h>

struct provision_peer {
	pid_t pid;
	uid_t user;
	int pidfd;        /* -1: the kernel has none for peers; `started` is compared */
	uint64_t started; /* in ticks since boot */
	bool is_interpreter;
	bool has_container;
	struct cs_hash executable;
	struct cs_hash container;
	struct stat file;
};

/* Of the process that connected. containers: NULL, or a file of lines `CGROUP sha256:HEX`, the words of the operator.
 * FORBIDDEN: it is of another process namespace, has ended, or may not be looked at; IO, TOO_LARGE,
 * MALFORMED (the file). */
CS_NODISCARD enum cs_err provision_peer_look(struct provision_peer *peer, int socket,
					     const char *containers, struct cs_why *why);
/* Is it still there, and still the same program? FORBIDDEN. */
CS_NODISCARD enum cs_err provision_peer_again(const struct provision_peer *peer,
					      const char *containers, struct cs_why *why);
void provision_peer_done(struct provision_peer *peer);

/* Does a file of this name run others: an interpreter, or the dynamic loader? By a list of names. */
bool provision_is_interpreter(const char *path);
/* SHA-256 of a regular file. IO, TOO_LARGE, INVALID (no regular file). */
CS_NODISCARD enum cs_err provision_hash_file(struct cs_hash *hash, struct stat *file,
					     const char *path, struct cs_why *why);

#endif
