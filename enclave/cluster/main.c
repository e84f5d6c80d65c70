/* The shell of a key server, a guard or a worker: reads its arguments and its manifests, gives up what it
 * does not need, then carries frames between the host's socket and the service, and does nothing else. */
#include "enclave/cluster/service.h"
#include "enclave/insecure.h"
#include "enclave/process.h"
#include "enclave/sandbox.h"
#include "enclave/tee.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/ssl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MANIFEST_SIZE_MAX CS_MANIFEST_SIZE_MAX
#define FRAME_SIZE_MAX (WIRE_PIPE_HEAD_SIZE + WIRE_PIPE_BODY_SIZE_MAX)
#define OUT_SIZE (4u * 1024 * 1024)
/* Private keys of TLS, which OpenSSL keeps itself. */
#define SECURE_HEAP_SIZE (64u * 1024)

struct arguments {
	int listen_fd;
	int seal_root_fd;
	enum cluster_role role;
	const char *first;
	const char *application;
	size_t manifest_count;
	const char *manifests[CLUSTER_MANIFESTS_MAX];
	uint64_t tolerated;
	bool measure;
};

static struct {
	int fd;
	uint8_t *out;
	size_t out_size;
	bool broken;
} shell;

/* ---- arguments ---- */

static bool take_role(enum cluster_role *role, const char *text)
{
	for (unsigned i = 1; i <= CLUSTER_ROLE_COUNT; i++) {
		*role = (enum cluster_role)i;
		if (strcmp(text, cluster_role_name(*role)) == 0)
			return true;
	}
	return false;
}

static bool take_flag(struct arguments *args, const char *name)
{
	for (const struct enclave_insecure_row *row = enclave_insecure_rows(); row->name != NULL;
	     row++) {
		if (row->option[0] != '\0' && strcmp(row->option, name) == 0) {
			args->tolerated |= UINT64_C(1) << row->bit;
			return true;
		}
	}
	return false;
}

static bool take_option(struct arguments *args, const char *name, const char *value)
{
	if (strcmp(name, "listen-fd") == 0)
		return process_take_number(&args->listen_fd, value);
	if (strcmp(name, "seal-root-fd") == 0)
		return process_take_number(&args->seal_root_fd, value);
	if (strcmp(name, "role") == 0)
		return take_role(&args->role, value);
	if (strcmp(name, "first") == 0)
		args->first = value;
	else if (strcmp(name, "application") == 0)
		args->application = value;
	else if (strcmp(name, "manifest") == 0 && args->manifest_count < CLUSTER_MANIFESTS_MAX)
		args->manifests[args->manifest_count++] = value;
	else
		return false;
	return true;
}

static bool take_arguments(struct arguments *args, int argc, char **argv)
{
	*args = (struct arguments){.listen_fd = -1, .seal_root_fd = -1};
	for (int i = 1; i < argc; i++) {
		if (strncmp(argv[i], "--", 2) != 0)
			return false;
		const char *name = argv[i] + 2;
		if (strcmp(name, "measure") == 0) {
			args->measure = true;
			continue;
		}
		if (take_flag(args, name))
			continue;
		if (i + 1 == argc || !take_option(args, name, argv[++i]))
			return false;
	}
	return args->measure ||
	       (args->listen_fd > STDERR_FILENO && args->seal_root_fd >= 0 && args->role != 0 &&
		args->first != NULL && args->manifest_count > 0 &&
		(args->role == CLUSTER_WORKER) == (args->application != NULL));
}

/* ---- what is read before the sandbox ---- */

static enum cs_err read_manifests(struct cs_bytes *out, const struct arguments *args,
				  struct cs_why *why)
{
	for (size_t i = 0; i < args->manifest_count; i++) {
		uint8_t *p = process_memory(MANIFEST_SIZE_MAX);
		const ssize_t n =
			p == NULL ? -1
				  : process_read_file(args->manifests[i], p, MANIFEST_SIZE_MAX);
		if (n < 0)
			return cs_fail(why, CS_ERR_IO, "manifest %zu cannot be read", i + 1);
		out[i] = cs_bytes(p, (size_t)n);
	}
	return CS_OK;
}

/* Every other inherited descriptor goes: a connected socket would be a network. */
static bool keep_alone(int fd)
{
	const int flags = fcntl(fd, F_GETFL);
	return flags >= 0 && fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) == 0 &&
	       (fd == STDERR_FILENO + 1 ||
		close_range(STDERR_FILENO + 1, (unsigned)fd - 1, 0) == 0) &&
	       close_range((unsigned)fd + 1, ~0U, 0) == 0;
}

/* ---- frames ---- */

static void flush(void)
{
	shell.broken = shell.broken || !process_write_all(shell.fd, shell.out, shell.out_size);
	shell.out_size = 0;
}

static void send_frame(void *context, enum wire_pipe_type type, uint32_t number,
		       struct cs_bytes body)
{
	const struct wire_pipe_frame frame = {(uint32_t)body.n, type, number};
	(void)context;
	if (OUT_SIZE - shell.out_size < WIRE_PIPE_HEAD_SIZE + body.n)
		flush();
	wire_pipe_encode(shell.out + shell.out_size, &frame);
	shell.out_size += WIRE_PIPE_HEAD_SIZE;
	if (body.n > 0)
		memcpy(shell.out + shell.out_size, body.p, body.n);
	shell.out_size += body.n;
}

/* Until the host goes. */
static int serve(struct service *s, int listen_fd)
{
	uint8_t *in = process_memory(FRAME_SIZE_MAX);
	size_t have = 0;
	struct cs_why why = {""};
	shell.out = process_memory(OUT_SIZE);
	do {
		shell.fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
	} while (shell.fd < 0 && (errno == EINTR || errno == ECONNABORTED));
	if (in == NULL || shell.out == NULL || shell.fd < 0)
		return process_fail(EXIT_FAILED, CS_ERR_IO, &why);
	for (;;) {
		const ssize_t got = read(shell.fd, in + have, FRAME_SIZE_MAX - have);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return 0;
		have += (size_t)got;
		const struct verify_time now = process_clock();
		size_t at = 0;
		while (have - at >= WIRE_PIPE_HEAD_SIZE) {
			struct wire_pipe_frame frame = {.size = 0};
			enum cs_err err = wire_pipe_decode(&frame, in + at, true);
			if (err == CS_OK && have - at - WIRE_PIPE_HEAD_SIZE < frame.size)
				break;
			if (err == CS_OK)
				err = service_take(
					s, &frame,
					cs_bytes(in + at + WIRE_PIPE_HEAD_SIZE, frame.size), &now,
					&why);
			flush();
			if (err != CS_OK)
				return process_fail(service_is_open(s) ? EXIT_FAILED
								       : EXIT_MANIFEST,
						    err, &why);
			at += WIRE_PIPE_HEAD_SIZE + frame.size;
		}
		have -= at;
		memmove(in, in + at, have);
		if (shell.broken)
			return 0;
	}
}

/* ---- start ---- */

static enum cs_err evidence(void *context, struct cs_buf *out,
			    const uint8_t report_data[ATTEST_REPORT_DATA_SIZE_MAX])
{
	struct cs_why why;
	return tee_simulated.evidence(&tee_simulated, out, report_data, context, &why);
}

static enum cs_err prepare(struct service_launch *launch, struct cs_bytes *manifests,
			   struct cs_hash *measurement, struct cs_secret *seal_root,
			   const struct arguments *args, struct cs_why *why)
{
	if (!process_is_listening(args->listen_fd))
		return cs_fail(why, CS_ERR_INVALID, "--listen-fd is not a listening Unix socket");
	if (!process_measure(measurement))
		return cs_fail(why, CS_ERR_IO, "/proc/self/exe cannot be read");
	if (cs_unhex(launch->first.b, sizeof launch->first.b, cs_bytes_str(args->first)) != CS_OK)
		return cs_fail(why, CS_ERR_MALFORMED, "--first is not 32 bytes of hex");
	CS_TRY(read_manifests(manifests, args, why));
	if (process_read_all(args->seal_root_fd, seal_root->b, 32) != 32)
		return cs_fail(why, CS_ERR_INVALID,
			       "--seal-root-fd does not give exactly 32 bytes");
	if (!keep_alone(args->listen_fd))
		return cs_fail(why, CS_ERR_IO, "the inherited descriptors cannot be closed");
	launch->manifests = manifests;
	launch->manifest_count = args->manifest_count;
	launch->measurement = *measurement;
	if (args->application != NULL)
		launch->application = cs_bytes_str(args->application);
	return CS_OK;
}

static int run(const struct arguments *args)
{
	static struct cs_bytes manifests[CLUSTER_MANIFESTS_MAX];
	static struct cs_hash measurement;
	struct service_launch launch = {.role = args->role,
					.roots = &attest_roots_vendors,
					.random = process_random,
					.send = send_frame,
					.tee = {.context = &measurement, .evidence = evidence}};
	struct cs_why why = {""};
	bool plain = false, plain_root = false;
	struct service *s = process_memory(service_size());
	void *scratch = process_memory(SERVICE_SCRATCH_SIZE);
	struct cs_secret *seal_root = sandbox_secret_memory(sizeof *seal_root, &plain_root);
	void *secrets = sandbox_secret_memory(service_secrets_size(), &plain);
	plain = plain || plain_root;
	if (s == NULL || scratch == NULL || seal_root == NULL || secrets == NULL)
		return process_fail(EXIT_SANDBOX, CS_ERR_NO_MEMORY, &why);
	if (plain && (args->tolerated & ENCLAVE_INSECURE_plain_memory) == 0)
		return process_fail(
			EXIT_SANDBOX, CS_ERR_SANDBOX,
			&(struct cs_why){"no memfd_secret (--insecure-plain-memory tolerates "
					 "it)"});
	enum cs_err err = prepare(&launch, manifests, &measurement, seal_root, args, &why);
	if (err != CS_OK)
		return process_fail(EXIT_MANIFEST, err, &why);
	err = sandbox_enter(args->tolerated, SANDBOX_TLS, &launch.tee.insecure_flags, &why);
	if (err != CS_OK)
		return process_fail(EXIT_SANDBOX, err, &why);
	launch.tee.insecure_flags |= tee_simulated.insecure_flags;
	if (plain)
		launch.tee.insecure_flags |= ENCLAVE_INSECURE_plain_memory;
	launch.seal_root = seal_root;
	err = service_init(s, secrets, scratch, &launch, &why);
	cs_wipe(seal_root, sizeof *seal_root);
	if (err != CS_OK)
		return process_fail(EXIT_MANIFEST, err, &why);
	process_say_insecure(service_insecure_flags(s));
	process_say("ready", cluster_role_name(args->role));
	const int code = serve(s, args->listen_fd);
	service_done(s);
	return code;
}

/* What OpenSSL loads lazily it loads now, and of its own configuration nothing. */
static bool warm(void)
{
	if (CRYPTO_secure_malloc_init(SECURE_HEAP_SIZE, 32) != 1 ||
	    OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) != 1 || cs_aead_warm() != CS_OK ||
	    cs_ed25519_warm() != CS_OK)
		return false;
	SSL_CTX *c = SSL_CTX_new(TLS_method());
	SSL_CTX_free(c);
	return c != NULL;
}

int main(int argc, char **argv)
{
	struct arguments args;
	struct cs_hash measurement;
	char text[66];
	process_name("caisson-cluster-enclave");
	if (!take_arguments(&args, argc, argv)) {
		process_say("usage: --role key-server|guard|worker --listen-fd N --seal-root-fd N "
			    "--first "
			    "HASH --manifest FILE… [--application NAME] [--insecure-…] | --measure",
			    "");
		return EXIT_USAGE;
	}
	if (!warm()) {
		process_say("OpenSSL does not start", "");
		return EXIT_FAILED;
	}
	if (!args.measure)
		return run(&args);
	if (!process_measure(&measurement)) {
		process_say("/proc/self/exe cannot be read", "");
		return EXIT_FAILED;
	}
	cs_hex(text, CS_BYTES_OF(measurement.b));
	text[64] = '\n';
	return process_write_all(STDOUT_FILENO, (const uint8_t *)text, 65) ? 0 : EXIT_FAILED;
}
