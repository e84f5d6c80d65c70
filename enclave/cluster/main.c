/* The shell of a key server, a guard or a worker: reads its arguments and its manifests, gives up what it
 * does not need, then carries frames between the host's socket and the service, and does nothing else. */
#include "enclave/cluster/service.h"
#include "enclave/insecure.h"
#include "enclave/process.h"
#include "enclave/sandbox.h"
#include "enclave/tee_quoter.h"
#include "verify/attest/collateral.h"

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

/* Of collateral: PEM chains, lists, TCB info and QE identity are one each. */
#define COLLATERAL_FILES_MAX 8u
/* Their JSON as trees, and what was decoded. */
#define COLLATERAL_ARENA_SIZE (16u * 1024 * 1024)

struct arguments {
	int listen_fd;
	int seal_root_fd;
	const struct tee_hardware *hardware; /* NULL: simulated */
	struct tee_place tee_place;
	size_t collateral_count;
	const char *collateral[COLLATERAL_FILES_MAX];
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

static bool take_tee(struct arguments *args, const char *name)
{
	args->hardware = tee_hardware_find(name);
	return args->hardware != NULL || strcmp(name, "simulated") == 0;
}

static bool take_option(struct arguments *args, const char *name, const char *value)
{
	if (strcmp(name, "listen-fd") == 0)
		return process_take_number(&args->listen_fd, value);
	if (strcmp(name, "seal-root-fd") == 0)
		return process_take_number(&args->seal_root_fd, value);
	if (strcmp(name, "role") == 0)
		return take_role(&args->role, value);
	if (strcmp(name, "tee") == 0)
		return take_tee(args, value);
	if (strcmp(name, "first") == 0)
		args->first = value;
	else if (strcmp(name, "application") == 0)
		args->application = value;
	else if (strcmp(name, "manifest") == 0 && args->manifest_count < CLUSTER_MANIFESTS_MAX)
		args->manifests[args->manifest_count++] = value;
	else if (strcmp(name, "tee-state") == 0)
		args->tee_place.state = value;
	else if (strcmp(name, "insecure-tee-root") == 0)
		args->tee_place.root = value;
	else if (strcmp(name, "collateral") == 0 && args->collateral_count < COLLATERAL_FILES_MAX)
		args->collateral[args->collateral_count++] = value;
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
	const struct tee_hardware *hardware = args->hardware;
	const bool has_seal_root = hardware != NULL && hardware->has_seal_root;
	const bool needs_state = hardware != NULL && hardware->needs_state;
	return args->measure ||
	       (args->listen_fd > STDERR_FILENO && has_seal_root == (args->seal_root_fd < 0) &&
		(args->tee_place.root == NULL || hardware != NULL) &&
		needs_state == (args->tee_place.state != NULL) && args->role != 0 &&
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

/* Not believed by anybody: it goes beside this process's evidence. It outlives the process. */
static enum cs_err read_collateral(struct service_launch *launch, const struct arguments *args,
				   struct cs_why *why)
{
	static Caisson__Wire__ClusterCollateral collateral;
	struct cs_bytes files[COLLATERAL_FILES_MAX];
	struct cs_arena arena;
	if (args->collateral_count == 0)
		return CS_OK;
	void *block = process_memory(COLLATERAL_ARENA_SIZE);
	if (block == NULL)
		return CS_ERR_NO_MEMORY;
	cs_arena_init(&arena, block, COLLATERAL_ARENA_SIZE);
	for (size_t i = 0; i < args->collateral_count; i++) {
		uint8_t *p = process_memory(ATTEST_COLLATERAL_SIZE_MAX);
		const ssize_t n = p == NULL ? -1
					    : process_read_file(args->collateral[i], p,
								ATTEST_COLLATERAL_SIZE_MAX);
		if (n < 0)
			return cs_fail(why, CS_ERR_IO, "collateral %zu cannot be read", i + 1);
		files[i] = cs_bytes(p, (size_t)n);
	}
	CS_TRY(cluster_collateral_read(&collateral, files, args->collateral_count, &arena, why));
	launch->tee.collateral = &collateral;
	return CS_OK;
}

/* Every other inherited descriptor goes: a connected socket would be a network. */
static bool keep_alone(int listen_fd, int tee_fd)
{
	const int kept[] = {listen_fd, tee_fd};
	const int flags = fcntl(listen_fd, F_GETFL);
	return flags >= 0 && fcntl(listen_fd, F_SETFL, flags & ~O_NONBLOCK) == 0 &&
	       process_close_others(kept, CS_LEN(kept));
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

/* What asks for evidence and keeps records: the backend, and the program's own claim for one that has nothing
 * better. */
struct backend {
	struct tee tee;
	struct cs_hash measurement;
};

static enum cs_err evidence(void *context, struct cs_buf *out,
			    const uint8_t report_data[ATTEST_REPORT_DATA_SIZE_MAX],
			    struct cs_why *why)
{
	const struct backend *backend = context;
	return backend->tee.evidence(&backend->tee, out, report_data, &backend->measurement, why);
}

static enum cs_err record_read(void *context, uint8_t out[RECORD_SIZE], struct cs_why *why)
{
	const struct backend *backend = context;
	_Static_assert(RECORD_SIZE == TEE_RECORD_SIZE, "one record");
	return tee_record_read(&backend->tee, out, why);
}

static enum cs_err record_write(void *context, const uint8_t in[RECORD_SIZE], struct cs_why *why)
{
	const struct backend *backend = context;
	return tee_record_write(&backend->tee, in, why);
}

static enum cs_err prepare(struct service_launch *launch, struct cs_bytes *manifests,
			   struct backend *backend, struct cs_secret *seal_root,
			   const struct arguments *args, struct cs_why *why)
{
	if (!process_measure(&backend->measurement))
		return cs_fail(why, CS_ERR_IO, "/proc/self/exe cannot be read");
	if (cs_unhex(launch->first.b, sizeof launch->first.b, cs_bytes_str(args->first)) != CS_OK)
		return cs_fail(why, CS_ERR_MALFORMED, "--first is not 32 bytes of hex");
	CS_TRY(read_manifests(manifests, args, why));
	CS_TRY(read_collateral(launch, args, why));
	if (args->seal_root_fd < 0)
		CS_TRY(tee_seal_root(&backend->tee, seal_root->b, why));
	else if (process_read_all(args->seal_root_fd, seal_root->b, 32) != 32)
		return cs_fail(why, CS_ERR_INVALID,
			       "--seal-root-fd does not give exactly 32 bytes");
	if (!keep_alone(args->listen_fd, backend->tee.fd))
		return cs_fail(why, CS_ERR_IO, "the inherited descriptors cannot be closed");
	launch->manifests = manifests;
	launch->manifest_count = args->manifest_count;
	if (args->application != NULL)
		launch->application = cs_bytes_str(args->application);
	return CS_OK;
}

static int run(const struct arguments *args)
{
	static struct cs_bytes manifests[CLUSTER_MANIFESTS_MAX];
	static struct backend backend;
	struct service_launch launch = {.role = args->role,
					.random = process_random,
					.send = send_frame,
					.tee = {.context = &backend, .evidence = evidence}};
	struct cs_why why = {""};
	/* Before a secret is in memory: the quoting process is a copy of this one. */
	enum cs_err err = tee_begin(&backend.tee, args->hardware, &args->tee_place, args->listen_fd,
				    args->tolerated, &why);
	if (err != CS_OK)
		return process_fail(err == CS_ERR_INVALID ? EXIT_MANIFEST : EXIT_TEE, err, &why);
	if (args->role == CLUSTER_KEY_SERVER && args->hardware != NULL &&
	    args->hardware->has_record)
		launch.record = (struct record_keeper){&backend, record_read, record_write};
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
	err = prepare(&launch, manifests, &backend, seal_root, args, &why);
	if (err != CS_OK)
		return process_fail(EXIT_MANIFEST, err, &why);
	err = sandbox_enter(args->tolerated, SANDBOX_TLS, &launch.tee.insecure_flags, &why);
	if (err != CS_OK)
		return process_fail(EXIT_SANDBOX, err, &why);
	launch.tee.insecure_flags |= backend.tee.insecure_flags;
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
			    "--first HASH --manifest FILE… [--application NAME] [--tee "
			    "simulated|gramine|tsm|tpm [--tee-state FOLDER] [--collateral FILE]…] "
			    "[--insecure-…] | --measure",
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
