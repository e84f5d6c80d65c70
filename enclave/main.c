/* The shell: the only file with descriptors. Reads what the enclave needs, takes the process'
 * rights away, then reads a frame, lets enclave_step answer it, writes the answer, for one client
 * after the other. */
#include "core/aead.h"
#include "core/hash.h"
#include "enclave/enclave.h"
#include "enclave/sandbox.h"
#include "enclave/tee.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#ifndef CAISSON_BUILD
#define CAISSON_BUILD "unknown"
#endif
#define BINARY_SIZE_MAX (64u * 1024 * 1024)
#define FRAME_SIZE_MAX (WIRE_FRAME_HEAD_SIZE + CS_FRAME_BODY_SIZE_MAX)

/* Exit codes, documented in docs/protocol/boundary.md. */
enum {
	EXIT_USAGE = 64,
	EXIT_MANIFEST = 65,
	EXIT_SANDBOX = 69,
	EXIT_FAILED = 70,
};

struct arguments {
	int listen_fd;
	int seal_root_fd;
	const char *lineage;
	size_t manifest_count;
	const char *manifests[MANIFEST_LINEAGE_MAX];
	size_t serve_count;
	const char *serve[MANIFEST_CHAINS_MAX];
	uint64_t tolerated;
	bool measure;
};

/* Lines of the start go to stderr by write alone: stdio would ask for system calls that the filter
 * kills. */
static void say(const char *what, const char *detail)
{
	char line[512];
	struct cs_buf buf;
	cs_buf_init(&buf, line, sizeof line);
	cs_put_text(&buf, "caisson-enclave: %s%s%.300s\n", what, detail[0] != '\0' ? ": " : "",
		    detail);
	if (write(STDERR_FILENO, line, buf.n) < 0)
		return; /* nobody listens */
}

/* ---- arguments ---- */

static bool take_number(int *out, const char *text)
{
	int value = 0;
	if (text[0] == '\0')
		return false;
	for (const char *p = text; *p != '\0'; p++) {
		if (*p < '0' || *p > '9' || value > 100000)
			return false;
		value = value * 10 + (*p - '0');
	}
	*out = value;
	return true;
}

static bool take_flag(struct arguments *args, const char *name)
{
	const struct enclave_insecure_row *row = enclave_insecure_rows();
	for (; row->name != NULL; row++) {
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
		return take_number(&args->listen_fd, value);
	if (strcmp(name, "seal-root-fd") == 0)
		return take_number(&args->seal_root_fd, value);
	if (strcmp(name, "lineage") == 0) {
		args->lineage = value;
		return true;
	}
	if (strcmp(name, "manifest") == 0 && args->manifest_count < MANIFEST_LINEAGE_MAX) {
		args->manifests[args->manifest_count++] = value;
		return true;
	}
	if (strcmp(name, "serve") == 0 && args->serve_count < MANIFEST_CHAINS_MAX) {
		args->serve[args->serve_count++] = value;
		return true;
	}
	return false;
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
	return args->measure || (args->listen_fd > STDERR_FILENO && args->seal_root_fd >= 0 &&
				 args->lineage != NULL && args->manifest_count > 0);
}

/* ---- what is read before the sandbox ---- */

/* All of a descriptor, size_max at most; -1 on failure or when there is more. */
static ssize_t read_all(int fd, uint8_t *p, size_t size_max)
{
	size_t n = 0;
	for (;;) {
		uint8_t more;
		const ssize_t got =
			n < size_max ? read(fd, p + n, size_max - n) : read(fd, &more, 1);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0 || (got > 0 && n == size_max))
			return -1;
		if (got == 0)
			return (ssize_t)n;
		n += (size_t)got;
	}
}

static ssize_t read_file(const char *path, uint8_t *p, size_t size_max)
{
	const int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	const ssize_t n = read_all(fd, p, size_max);
	(void)close(fd);
	return n;
}

static void *memory(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	return p == MAP_FAILED ? NULL : p;
}

static bool measure(struct cs_hash *measurement)
{
	uint8_t *binary = memory(BINARY_SIZE_MAX);
	if (binary == NULL)
		return false;
	const ssize_t n = read_file("/proc/self/exe", binary, BINARY_SIZE_MAX);
	if (n > 0)
		*measurement = cs_sha256(cs_bytes(binary, (size_t)n));
	(void)munmap(binary, BINARY_SIZE_MAX);
	return n > 0;
}

static bool random_bytes(void *p, size_t n)
{
	uint8_t *at = p;
	while (n > 0) {
		const ssize_t got = getrandom(at, n, 0);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return false;
		at += got;
		n -= (size_t)got;
	}
	return true;
}

static enum cs_err load_lineage(struct manifest *newest, const struct arguments *args,
				struct cs_why *why)
{
	const size_t size = 8u * 1024 * 1024;
	static uint8_t file[MANIFEST_SIZE_MAX];
	static struct manifest before;
	struct cs_hash lineage;
	struct cs_arena arena;
	void *block = memory(size);
	if (block == NULL)
		return CS_ERR_NO_MEMORY;
	cs_arena_init(&arena, block, size);
	if (cs_unhex(lineage.b, sizeof lineage.b, cs_bytes_str(args->lineage)) != CS_OK)
		return cs_fail(why, CS_ERR_MALFORMED, "--lineage is not 32 bytes of hex");
	enum cs_err err = CS_OK;
	for (size_t i = 0; i < args->manifest_count && err == CS_OK; i++) {
		cs_arena_rewind(&arena, 0);
		const ssize_t n = read_file(args->manifests[i], file, sizeof file);
		if (n < 0)
			return cs_fail(why, CS_ERR_IO, "manifest %zu cannot be read", i + 1);
		err = manifest_read(newest, &arena, cs_bytes(file, (size_t)n),
				    i == 0 ? NULL : &before, why);
		if (err == CS_OK && i == 0 && !cs_hash_eq(&newest->hash, &lineage))
			return cs_fail(why, CS_ERR_WRONG_LINEAGE,
				       "the first manifest is not --lineage");
		before = *newest;
	}
	(void)munmap(block, size);
	return err;
}

/* By CAIP-2 id where one chain has it, by identity always. */
static enum cs_err find_served(struct cs_hash *identity, const struct manifest *manifest,
			       const char *name, struct cs_why *why)
{
	size_t found = 0;
	for (size_t i = 0; i < manifest->chain_count; i++) {
		if (strcmp(manifest->chains[i].caip2, name) == 0) {
			*identity = manifest->chains[i].identity;
			found++;
		}
	}
	if (found == 1)
		return CS_OK;
	if (found > 1)
		return cs_fail(why, CS_ERR_DUPLICATE,
			       "--serve %s: more than one, give the identity", name);
	if (cs_unhex(identity->b, sizeof identity->b, cs_bytes_str(name)) != CS_OK)
		return cs_fail(why, CS_ERR_NOT_IN_MANIFEST, "--serve %s", name);
	return CS_OK;
}

/* ---- serving ---- */

static struct verify_time clock_now(void)
{
	struct timespec now = {0};
	/* insecure_host_time: the host's clock is the only source that a manifest can name today. */
	if (clock_gettime(CLOCK_REALTIME, &now) != 0 || now.tv_sec < 0)
		return (struct verify_time){0, 0};
	return (struct verify_time){(uint64_t)now.tv_sec, (uint64_t)now.tv_sec};
}

static bool write_all(int fd, const uint8_t *p, size_t n)
{
	while (n > 0) {
		const ssize_t done = write(fd, p, n);
		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return false;
		p += done;
		n -= (size_t)done;
	}
	return true;
}

/* One reply in one write. */
static bool answer(struct enclave *e, int fd, const struct wire_frame *frame, struct cs_bytes body,
		   uint8_t *out)
{
	struct cs_buf reply;
	const struct verify_time now = clock_now();
	cs_buf_init(&reply, out + WIRE_FRAME_HEAD_SIZE, CS_FRAME_BODY_SIZE_MAX);
	struct wire_frame head = {.request_id = frame->request_id};
	head.type = enclave_step(e, &now, frame->type, body, &reply);
	head.body_size = (uint32_t)reply.n;
	wire_frame_encode(out, &head);
	return write_all(fd, out, WIRE_FRAME_HEAD_SIZE + reply.n);
}

/* Until the client goes or breaks the rules of frames. Several frames may come in one read. */
static void serve_client(struct enclave *e, int fd, uint8_t *in, uint8_t *out)
{
	size_t have = 0;
	enclave_connected(e);
	for (;;) {
		const ssize_t got = read(fd, in + have, FRAME_SIZE_MAX - have);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return;
		have += (size_t)got;
		size_t at = 0;
		while (have - at >= WIRE_FRAME_HEAD_SIZE) {
			struct wire_frame frame;
			if (wire_frame_decode(&frame, in + at) != CS_OK)
				return;
			if (have - at - WIRE_FRAME_HEAD_SIZE < frame.body_size)
				break;
			if (!answer(e, fd, &frame,
				    cs_bytes(in + at + WIRE_FRAME_HEAD_SIZE, frame.body_size), out))
				return;
			at += WIRE_FRAME_HEAD_SIZE + frame.body_size;
		}
		have -= at;
		memmove(in, in + at, have);
	}
}

static int serve(struct enclave *e, int listen_fd)
{
	uint8_t *in = memory(FRAME_SIZE_MAX);
	uint8_t *out = memory(FRAME_SIZE_MAX);
	if (in == NULL || out == NULL)
		return EXIT_FAILED;
	for (;;) {
		const int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
		if (fd < 0 && (errno == EINTR || errno == ECONNABORTED))
			continue;
		if (fd < 0) {
			say("the listening socket failed", "");
			return EXIT_FAILED;
		}
		serve_client(e, fd, in, out);
		(void)close(fd);
	}
}

/* ---- start ---- */

static bool is_listening(int fd)
{
	int on = 0;
	int family = 0;
	socklen_t n = sizeof on;
	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &on, &n) != 0 || on == 0)
		return false;
	n = sizeof family;
	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &n) == 0 && family == AF_UNIX;
}

/* Every other descriptor that was inherited goes: a connected socket would be a network. Whoever
 * made the listening one may have set it not to wait; accepting here waits. */
static enum cs_err keep_alone(int listen_fd, struct cs_why *why)
{
	const unsigned fd = (unsigned)listen_fd;
	const int flags = fcntl(listen_fd, F_GETFL);
	if (flags < 0 || fcntl(listen_fd, F_SETFL, flags & ~O_NONBLOCK) != 0)
		return cs_fail(why, CS_ERR_IO, "--listen-fd cannot be made to wait");
	if ((fd > 3 && close_range(3, fd - 1, 0) != 0) || close_range(fd + 1, ~0U, 0) != 0)
		return cs_fail(why, CS_ERR_SANDBOX, "inherited descriptors cannot be closed");
	return CS_OK;
}

static enum cs_err prepare(struct enclave_launch *launch, struct manifest *manifest,
			   const struct arguments *args, uint8_t seal_root[32], struct cs_why *why)
{
	if (!is_listening(args->listen_fd))
		return cs_fail(why, CS_ERR_INVALID, "--listen-fd is no listening Unix socket");
	if (!measure(&launch->measurement))
		return cs_fail(why, CS_ERR_IO, "/proc/self/exe cannot be read");
	CS_TRY(load_lineage(manifest, args, why));
	launch->manifest = manifest;
	for (size_t i = 0; i < args->serve_count; i++)
		CS_TRY(find_served(&launch->serve[i], manifest, args->serve[i], why));
	launch->serve_count = args->serve_count;
	if (read_all(args->seal_root_fd, seal_root, 32) != 32)
		return cs_fail(why, CS_ERR_INVALID,
			       "--seal-root-fd does not give exactly 32 bytes");
	return keep_alone(args->listen_fd, why);
}

static void say_insecure(uint64_t flags)
{
	const struct enclave_insecure_row *row = enclave_insecure_rows();
	for (; row->name != NULL; row++)
		if ((flags & (UINT64_C(1) << row->bit)) != 0)
			say("insecure", row->sentence);
}

static int fail(int code, enum cs_err err, const struct cs_why *why)
{
	say(cs_err_name(err), why->text[0] != '\0' ? why->text : cs_err_sentence(err));
	return code;
}

static int run(const struct arguments *args)
{
	static struct manifest manifest;
	struct enclave_launch launch = {.build = CAISSON_BUILD, .random = random_bytes};
	struct cs_why why = {""};
	bool plain = false;
	bool plain_root = false;
	struct enclave *e = memory(enclave_size());
	/* The sealing root is copied into the secrets and stays nowhere else. */
	uint8_t *seal_root = sandbox_secret_memory(32, &plain_root);
	struct enclave_secrets *secrets = sandbox_secret_memory(enclave_secrets_size(), &plain);
	plain = plain || plain_root;
	if (e == NULL || seal_root == NULL || secrets == NULL)
		return fail(EXIT_SANDBOX, CS_ERR_NO_MEMORY, &why);
	if (plain && (args->tolerated & ENCLAVE_INSECURE_plain_memory) == 0)
		return fail(
			EXIT_SANDBOX, CS_ERR_SANDBOX,
			&(struct cs_why){"no memfd_secret (--insecure-plain-memory tolerates it)"});
	enum cs_err err = prepare(&launch, &manifest, args, seal_root, &why);
	if (err != CS_OK)
		return fail(EXIT_MANIFEST, err, &why);
	err = sandbox_enter(args->tolerated, SANDBOX_STEP, &launch.insecure_flags, &why);
	if (err != CS_OK)
		return fail(EXIT_SANDBOX, err, &why);
	if (plain)
		launch.insecure_flags |= ENCLAVE_INSECURE_plain_memory;
#ifdef CAISSON_TEST_PROBES
	launch.probe = sandbox_probe;
#endif
	launch.seal_root = cs_bytes(seal_root, 32);
	err = enclave_init(e, secrets, &launch, &why);
	cs_wipe(seal_root, 32);
	if (err != CS_OK)
		return fail(EXIT_MANIFEST, err, &why);
	say_insecure(enclave_insecure_flags(e));
	say("ready", "");
	return serve(e, args->listen_fd);
}

int main(int argc, char **argv)
{
	struct arguments args;
	struct cs_hash measurement;
	char text[65];
	if (!take_arguments(&args, argc, argv)) {
		say("usage: --listen-fd N --seal-root-fd N --lineage HASH --manifest FILE… "
		    "[--serve CHAIN…] "
		    "[--insecure-network|-no-seccomp|-new-privileges|-core-dumps|-plain-memory] | "
		    "--measure",
		    "");
		return EXIT_USAGE;
	}
	/* Before the right to open files is gone: OpenSSL reads no configuration, and what it loads
	 * lazily it loads now. */
	if (OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) != 1 || cs_aead_warm() != CS_OK)
		return EXIT_FAILED;
	if (!args.measure)
		return run(&args);
	if (!measure(&measurement))
		return EXIT_FAILED;
	cs_hex(text, CS_BYTES_OF(measurement.b));
	text[64] = '\n';
	return write_all(STDOUT_FILENO, (const uint8_t *)text, sizeof text) ? 0 : EXIT_FAILED;
}
