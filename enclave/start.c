/* From the arguments to a process that has given up what it does not need: the same for both roles. */
#include "enclave/start.h"

#include "core/aead.h"
#include "core/hash.h"
#include "enclave/attested.h"
#include "enclave/tee_quoter.h"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef CAISSON_BUILD
#define CAISSON_BUILD "unknown"
#endif

struct arguments {
	const struct start_program *program;
	int listen_fd;
	int seal_root_fd;
	const char *lineage;
	size_t manifest_count;
	const char *manifests[MANIFEST_LINEAGE_MAX];
	size_t serve_count;
	const char *serve[CS_MANIFEST_CHAINS_MAX];
	const struct tee_hardware *hardware; /* NULL: simulated */
	struct tee_place tee_place;
	uint64_t tolerated;
	bool attested;
	bool measure;
};

/* ---- arguments ---- */

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
	if (strcmp(name, "lineage") == 0) {
		args->lineage = value;
		return true;
	}
	if (strcmp(name, "manifest") == 0 && args->manifest_count < MANIFEST_LINEAGE_MAX) {
		args->manifests[args->manifest_count++] = value;
		return true;
	}
	if (strcmp(name, "serve") == 0 && args->serve_count < CS_MANIFEST_CHAINS_MAX) {
		args->serve[args->serve_count++] = value;
		return true;
	}
	if (strcmp(name, "insecure-tee-root") == 0) {
		args->tee_place.root = value;
		return true;
	}
	if (strcmp(name, "tee-state") == 0) {
		args->tee_place.state = value;
		return true;
	}
	if (strcmp(name, "tee") == 0)
		return take_tee(args, value);
	return args->program->option != NULL && args->program->option(name, value);
}

static bool take_arguments(struct arguments *args, int argc, char **argv,
			   const struct start_program *program)
{
	*args = (struct arguments){.program = program, .listen_fd = -1, .seal_root_fd = -1};
	for (int i = 1; i < argc; i++) {
		if (strncmp(argv[i], "--", 2) != 0)
			return false;
		const char *name = argv[i] + 2;
		if (strcmp(name, "measure") == 0) {
			args->measure = true;
			continue;
		}
		if (strcmp(name, "attested") == 0) {
			args->attested = true;
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
		needs_state == (args->tee_place.state != NULL) && args->lineage != NULL &&
		args->manifest_count > 0);
}

/* ---- what is read before the sandbox ---- */

static enum cs_err load_lineage(struct manifest *newest, const struct arguments *args,
				struct cs_why *why)
{
	const size_t size = 8u * 1024 * 1024;
	static uint8_t file[CS_MANIFEST_SIZE_MAX];
	static struct manifest before;
	struct cs_hash lineage;
	struct cs_arena arena;
	void *block = process_memory(size);
	if (block == NULL)
		return CS_ERR_NO_MEMORY;
	cs_arena_init(&arena, block, size);
	if (cs_unhex(lineage.b, sizeof lineage.b, cs_bytes_str(args->lineage)) != CS_OK)
		return cs_fail(why, CS_ERR_MALFORMED, "--lineage is not 32 bytes of hex");
	enum cs_err err = CS_OK;
	for (size_t i = 0; i < args->manifest_count && err == CS_OK; i++) {
		cs_arena_rewind(&arena, 0);
		const ssize_t n = process_read_file(args->manifests[i], file, sizeof file);
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

/* ---- start ---- */

/* Every other descriptor that was inherited goes, but those that the program names: a connected
 * socket would be a network. Whoever made the listening one may have set it not to wait; accepting
 * waits in a bridge, and an oracle polls. */
static enum cs_err keep_alone(int listen_fd, int tee_fd, const int *keep_fds, struct cs_why *why)
{
	int kept[2 + START_KEEP_MAX] = {listen_fd, tee_fd, -1, -1};
	const int flags = fcntl(listen_fd, F_GETFL);
	if (flags < 0 || fcntl(listen_fd, F_SETFL, flags & ~O_NONBLOCK) != 0)
		return cs_fail(why, CS_ERR_IO, "--listen-fd cannot be made to wait");
	if (keep_fds != NULL)
		memcpy(&kept[2], keep_fds, START_KEEP_MAX * sizeof kept[0]);
	return process_close_others(kept, CS_LEN(kept))
		       ? CS_OK
		       : cs_fail(why, CS_ERR_SANDBOX, "inherited descriptors cannot be closed");
}

static enum cs_err prepare(struct enclave_launch *launch, struct manifest *manifest,
			   enum sandbox_calls *calls, const struct arguments *args,
			   uint8_t seal_root[32], struct cs_why *why)
{
	if (!process_measure(&launch->measurement))
		return cs_fail(why, CS_ERR_IO, "/proc/self/exe cannot be read");
	CS_TRY(load_lineage(manifest, args, why));
	launch->manifest = manifest;
	for (size_t i = 0; i < args->serve_count; i++)
		CS_TRY(find_served(&launch->serve[i], manifest, args->serve[i], why));
	launch->serve_count = args->serve_count;
	if (args->seal_root_fd < 0)
		CS_TRY(tee_seal_root(launch->tee, seal_root, why));
	else if (process_read_all(args->seal_root_fd, seal_root, 32) != 32)
		return cs_fail(why, CS_ERR_INVALID,
			       "--seal-root-fd does not give exactly 32 bytes");
	CS_TRY(keep_alone(args->listen_fd, launch->tee->fd, args->program->keep_fds, why));
	*calls = args->program->calls;
	if (args->attested && *calls == SANDBOX_STEP)
		*calls = SANDBOX_TLS;
	return args->program->prepare == NULL ? CS_OK : args->program->prepare(launch, calls, why);
}

static enum cs_err open_door(struct enclave_launch *launch, const struct arguments *args,
			     struct cs_why *why)
{
	if (!args->attested)
		return CS_OK;
	struct attested *attested = NULL;
	if (CRYPTO_secure_malloc_init(ATTESTED_SECURE_SIZE, 32) == 1)
		attested = attested_new();
	if (attested == NULL)
		return cs_fail(why, CS_ERR_CRYPTO, "OpenSSL gives no TLS or no locked memory");
	launch->door = attested_door(attested);
	return CS_OK;
}

static int run(const struct arguments *args)
{
	static struct manifest manifest;
	static struct tee tee;
	const struct start_program *program = args->program;
	struct enclave_launch launch = {.role = program->role,
					.build = CAISSON_BUILD,
					.random = process_random,
					.tee = &tee,
					.box_make = program->box_make};
	struct cs_why why = {""};
	bool plain = false;
	bool plain_root = false;
	enum sandbox_calls calls;
	/* Before a secret is in memory: the quoting process is a copy of this one. */
	enum cs_err err = tee_begin(&tee, args->hardware, &args->tee_place, args->listen_fd,
				    args->tolerated, &why);
	if (err != CS_OK)
		return process_fail(err == CS_ERR_INVALID ? EXIT_MANIFEST : EXIT_TEE, err, &why);
	struct enclave *e = process_memory(enclave_size());
	/* The sealing root is copied into the secrets and stays nowhere else. */
	uint8_t *seal_root = sandbox_secret_memory(32, &plain_root);
	struct enclave_secrets *secrets = sandbox_secret_memory(enclave_secrets_size(), &plain);
	plain = plain || plain_root;
	if (e == NULL || seal_root == NULL || secrets == NULL)
		return process_fail(EXIT_SANDBOX, CS_ERR_NO_MEMORY, &why);
	if (plain && (args->tolerated & ENCLAVE_INSECURE_plain_memory) == 0)
		return process_fail(
			EXIT_SANDBOX, CS_ERR_SANDBOX,
			&(struct cs_why){"no memfd_secret (--insecure-plain-memory tolerates it)"});
	err = open_door(&launch, args, &why);
	if (err != CS_OK)
		return process_fail(EXIT_FAILED, err, &why);
	err = prepare(&launch, &manifest, &calls, args, seal_root, &why);
	if (err != CS_OK)
		return process_fail(EXIT_MANIFEST, err, &why);
	err = sandbox_enter(args->tolerated, calls, &launch.insecure_flags, &why);
	if (err != CS_OK)
		return process_fail(EXIT_SANDBOX, err, &why);
	if (plain)
		launch.insecure_flags |= ENCLAVE_INSECURE_plain_memory;
#ifdef CAISSON_TEST_PROBES
	launch.probe = sandbox_probe;
#endif
	launch.seal_root = cs_bytes(seal_root, 32);
	err = enclave_init(e, secrets, &launch, &why);
	cs_wipe(seal_root, 32);
	if (err != CS_OK)
		return process_fail(EXIT_MANIFEST, err, &why);
	process_say_insecure(enclave_insecure_flags(e));
	process_say("ready", "");
	return program->serve(e, args->listen_fd);
}

int start_main(int argc, char **argv, const struct start_program *program)
{
	process_name(program->name);
	struct arguments args;
	struct cs_hash measurement;
	char text[65];
	if (!take_arguments(&args, argc, argv, program)) {
		process_say(
			"usage: --listen-fd N --seal-root-fd N [--tee simulated|gramine|tsm|tpm "
			"[--tee-state FOLDER]] "
			"--lineage HASH --manifest FILE… [--attested] ",
			program->usage);
		return EXIT_USAGE;
	}
	/* Before the right to open files is gone: OpenSSL reads no configuration, and what it loads
	 * lazily it loads now. */
	if (OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) != 1 ||
	    cs_aead_warm() != CS_OK || cs_ed25519_warm() != CS_OK) {
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
	return process_write_all(STDOUT_FILENO, (const uint8_t *)text, sizeof text) ? 0
										    : EXIT_FAILED;
}
