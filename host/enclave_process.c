#include "host/enclave_process.h"

#include "host/alloc.h"
#include "host/keyfile.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* The 32 bytes in a file without a name: the child reads them from a descriptor, never from its
 * arguments. */
static enum cs_err open_seal_root(int *opened, const char *path, struct cs_why *why)
{
	struct cs_secret root = {{0}};
	size_t size = path == NULL ? 0 : sizeof root.b;
	if (path != NULL)
		CS_TRY(host_keyfile_load(&root, path, why));
	int fd = memfd_create("seal-root", MFD_CLOEXEC);
	bool ok = fd >= 0 && write(fd, root.b, size) == (ssize_t)size;
	cs_wipe(&root, sizeof root);
	if (!ok) {
		if (fd >= 0)
			(void)close(fd);
		return cs_fail(why, CS_ERR_IO, "no memory file for the seal root");
	}
	*opened = fd;
	return CS_OK;
}

static void put_args(struct host_child_options *spawn,
		     const struct host_enclave_spawn_options *options)
{
	const char *const first[][2] = {
		{"--listen-fd", "3"},
		{"--seal-root-fd", options->seal_root_path == NULL ? NULL : "4"},
		{"--tee", options->tee},
		{"--tee-state", options->tee_state},
	};
	size_t n = 0;
	for (size_t i = 0; i < CS_LEN(first); i++) {
		if (first[i][1] == NULL)
			continue;
		spawn->args[n++] = first[i][0];
		spawn->args[n++] = first[i][1];
	}
	for (size_t i = 0; i < CS_LEN(options->args) && options->args[i] != NULL; i++)
		spawn->args[n++] = options->args[i];
}

enum cs_err host_enclave_spawn(struct host_child **child, struct host_loop *loop,
			       const struct host_enclave_spawn_options *options,
			       const struct host_child_events *events, void *context,
			       struct cs_why *why)
{
	struct host_child_options *spawn = host_alloc(sizeof *spawn);
	int socket_fd = -1;
	int root_fd = -1;
	enum cs_err err = open_seal_root(&root_fd, options->seal_root_path, why);
	if (err == CS_OK)
		err = host_listen_unix(&socket_fd, options->socket_path, why);
	if (err == CS_OK) {
		spawn->program = options->program;
		spawn->fds[0] = socket_fd;
		spawn->fds[1] = root_fd;
		spawn->fds[2] = options->egress_fd;
		spawn->fds[3] = options->rpc_egress_fd;
		spawn->fd_count = options->rpc_egress_fd ? 4 : options->egress_fd ? 3 : 2;
		put_args(spawn, options);
		err = host_child_new(child, loop, spawn, events, context, why);
	}
	if (socket_fd >= 0)
		(void)close(socket_fd);
	if (root_fd >= 0)
		(void)close(root_fd);
	free(spawn);
	return err;
}
