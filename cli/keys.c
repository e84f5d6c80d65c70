/* The file of API keys: names, scopes and hashes. A key itself is shown once, when it is made. */
#include "cli/cli.h"
#include "cli/service.h"
#include "core/sig.h"
#include "core/x25519.h"
#include "host/api_key.h"
#include "host/keyfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEY_BYTES 32u

/* Whose keys: a gateway's or an oracle's. */
struct keys_of {
	char path[4096];
	const char *const *scope_names;
	const char *scopes;
};

static enum cli_exit find_keys(struct cli *cli, struct keys_of *of)
{
	static struct cli_service service;
	const char *file = cli_option(cli, "config");
	enum cli_exit code = CLI_OK;
	if (!file)
		file = getenv("CAISSON_CONFIG");
	if (!file)
		return cli_fail(cli, CLI_USAGE,
				"which configuration? give --config or CAISSON_CONFIG");
	if (cli_service_load(&service, cli, file, false) != CS_OK)
		code = cli_fail(cli, CLI_USAGE, "%s", host_config_error(service.file, 0));
	else
		snprintf(of->path, sizeof(of->path), "%s", service.common->keys_file);
	of->scope_names = service.scope_names;
	of->scopes = service.scopes;
	cli_service_free(&service);
	return code;
}

/* A file that is not there yet has no keys. */
static enum cli_exit load(struct cli *cli, const struct keys_of *of, struct host_api_keys *keys)
{
	struct cs_why why = {{0}};
	memset(keys, 0, sizeof(*keys));
	if (access(of->path, F_OK) != 0 && errno == ENOENT)
		return CLI_OK;
	if (host_api_keys_load(keys, of->path, of->scope_names, &why) != CS_OK)
		return cli_fail(cli, CLI_USAGE, "%s", why.text);
	return CLI_OK;
}

static void write_scopes(char *text, size_t size, const struct keys_of *of, uint32_t bits)
{
	size_t n = 0;
	text[0] = 0;
	for (unsigned i = 0; of->scope_names[i]; i++) {
		if (bits & (1u << i))
			n += (size_t)snprintf(text + n, size - n, "%s%s", n ? "," : "",
					      of->scope_names[i]);
	}
}

/* All or nothing: a gateway that reads it meanwhile sees the old file or the new one. */
static enum cli_exit store(struct cli *cli, const struct keys_of *of,
			   const struct host_api_keys *keys)
{
	char temporary[4200];
	snprintf(temporary, sizeof(temporary), "%.4100s.new", of->path);
	int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	FILE *file = fd >= 0 ? fdopen(fd, "w") : NULL;
	if (!file) {
		if (fd >= 0)
			close(fd);
		return cli_fail(cli, CLI_FAILED, "%s: %s", temporary, strerror(errno));
	}
	fputs("# name scopes sha256 of the key; made by `caisson keys`\n", file);
	for (uint32_t i = 0; i < keys->count; i++) {
		char list[128];
		char hex[65];
		write_scopes(list, sizeof(list), of, keys->keys[i].scopes);
		cs_hex(hex, CS_BYTES_OF(keys->keys[i].hash.b));
		fprintf(file, "%s %s %s\n", keys->keys[i].name, list, hex);
	}
	bool ok = fflush(file) == 0 && fsync(fd) == 0;
	ok = fclose(file) == 0 && ok && rename(temporary, of->path) == 0;
	return ok ? CLI_OK : cli_fail(cli, CLI_FAILED, "%s: %s", of->path, strerror(errno));
}

static bool parse_scopes(const struct keys_of *of, const char *text, uint32_t *bits)
{
	char copy[128];
	char *save = NULL;
	*bits = 0;
	if (!text || strlen(text) >= sizeof(copy))
		return false;
	memcpy(copy, text, strlen(text) + 1);
	for (char *word = strtok_r(copy, ",", &save); word; word = strtok_r(NULL, ",", &save)) {
		unsigned i = 0;
		while (of->scope_names[i] && strcmp(of->scope_names[i], word) != 0)
			i++;
		if (!of->scope_names[i])
			return false;
		*bits |= 1u << i;
	}
	return *bits != 0;
}

enum cli_exit cli_write_secret(struct cli *cli, const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return cli_fail(cli, CLI_FAILED, "%s: %s", path, strerror(errno));
	size_t n = strlen(text);
	bool ok = write(fd, text, n) == (ssize_t)n && write(fd, "\n", 1) == 1 && fsync(fd) == 0;
	ok = close(fd) == 0 && ok;
	return ok ? CLI_OK : cli_fail(cli, CLI_FAILED, "%s: cannot be written", path);
}

static bool random_hex(char hex[2 * KEY_BYTES + 1])
{
	uint8_t random[KEY_BYTES];
	bool ok = getrandom(random, sizeof(random), 0) == (ssize_t)sizeof(random);
	cs_hex(hex, CS_BYTES_OF(random));
	cs_wipe(random, sizeof(random));
	return ok;
}

static bool name_is_good(const char *name)
{
	size_t n = strlen(name);
	for (size_t i = 0; i < n; i++) {
		bool good = (name[i] >= 'a' && name[i] <= 'z') ||
			    (name[i] >= 'A' && name[i] <= 'Z') ||
			    (name[i] >= '0' && name[i] <= '9') || name[i] == '-' ||
			    name[i] == '_' || name[i] == '.';
		if (!good)
			return false;
	}
	return n > 0 && n <= HOST_API_KEY_NAME_MAX;
}

static enum cli_exit show_key(struct cli *cli, const char *name, const char *key)
{
	const char *out = cli_option(cli, "out");
	if (out) {
		enum cli_exit code = cli_write_secret(cli, out, key);
		if (code != CLI_OK)
			return code;
	}
	if (cli->json)
		cli_print_json(cli, json_pack("{s:s,s:s?,s:s?}", "name", name, "key",
					      out ? NULL : key, "file", out));
	else if (out)
		printf("%s: written to %s\n", name, out);
	else
		printf("%s\n", key);
	return CLI_OK;
}

enum cli_exit cli_keys_create(struct cli *cli)
{
	static struct host_api_keys keys;
	struct keys_of of;
	char key[2 * KEY_BYTES + 1];
	uint32_t bits = 0;
	const char *name = cli->positional[0];
	if (cli->positional_count != 1 || !name_is_good(name))
		return cli_fail(cli, CLI_USAGE, "a name of up to %u letters, digits, -, _ and .",
				HOST_API_KEY_NAME_MAX);
	if (!cli_option(cli, "scopes"))
		return cli_fail(cli, CLI_USAGE, "--scopes: which?");
	enum cli_exit code = find_keys(cli, &of);
	if (code == CLI_OK && !parse_scopes(&of, cli_option(cli, "scopes"), &bits))
		code = cli_fail(cli, CLI_USAGE, "--scopes: a list of %s", of.scopes);
	if (code == CLI_OK)
		code = load(cli, &of, &keys);
	if (code != CLI_OK)
		return code;
	for (uint32_t i = 0; i < keys.count; i++) {
		if (strcmp(keys.keys[i].name, name) == 0)
			return cli_fail(cli, CLI_FAILED, "%s is there already", name);
	}
	if (keys.count == HOST_API_KEYS_MAX || !random_hex(key))
		return cli_fail(cli, CLI_FAILED, "there are %u keys, no more fit",
				HOST_API_KEYS_MAX);
	struct host_api_key *fresh = &keys.keys[keys.count++];
	snprintf(fresh->name, sizeof(fresh->name), "%s", name);
	fresh->scopes = bits;
	fresh->hash = cs_sha256(cs_bytes_str(key));
	code = store(cli, &of, &keys);
	if (code == CLI_OK)
		code = show_key(cli, name, key);
	cs_wipe(key, sizeof(key));
	return code;
}

enum cli_exit cli_keys_list(struct cli *cli)
{
	static struct host_api_keys keys;
	struct keys_of of;
	enum cli_exit code = find_keys(cli, &of);
	if (code == CLI_OK)
		code = load(cli, &of, &keys);
	if (code != CLI_OK)
		return code;
	json_t *list = json_array();
	for (uint32_t i = 0; i < keys.count; i++) {
		char text[128];
		write_scopes(text, sizeof(text), &of, keys.keys[i].scopes);
		if (!cli->json)
			printf("%-32s %s\n", keys.keys[i].name, text);
		json_array_append_new(
			list, json_pack("{s:s,s:s}", "name", keys.keys[i].name, "scopes", text));
	}
	if (cli->json)
		cli_print_json(cli, list);
	else
		json_decref(list);
	return CLI_OK;
}

enum cli_exit cli_keys_revoke(struct cli *cli)
{
	static struct host_api_keys keys;
	struct keys_of of;
	if (cli->positional_count != 1)
		return cli_fail(cli, CLI_USAGE, "which key? a name of `caisson keys list`");
	enum cli_exit code = find_keys(cli, &of);
	if (code == CLI_OK)
		code = load(cli, &of, &keys);
	if (code != CLI_OK)
		return code;
	for (uint32_t i = 0; i < keys.count; i++) {
		if (strcmp(keys.keys[i].name, cli->positional[0]) != 0)
			continue;
		keys.count--;
		memmove(&keys.keys[i], &keys.keys[i + 1], (keys.count - i) * sizeof(keys.keys[0]));
		code = store(cli, &of, &keys);
		if (code == CLI_OK && cli->json)
			cli_print_json(cli, json_pack("{s:s}", "revoked", cli->positional[0]));
		else if (code == CLI_OK)
			printf("%s is revoked\n", cli->positional[0]);
		return code;
	}
	return cli_fail(cli, CLI_FAILED, "no key has the name %s", cli->positional[0]);
}

/* ---- secrets of the machine ---- */

/* One try in 2^128 is no key. */
static bool make_secret(struct cs_secret *secret, struct cs_address *address)
{
	struct cs_sig *sig = cs_sig_new(NULL);
	bool ok = false;
	for (unsigned i = 0; i < 8 && sig && !ok; i++) {
		ok = getrandom(secret->b, sizeof(secret->b), 0) == (ssize_t)sizeof(secret->b) &&
		     cs_key_address(sig, address, secret) == CS_OK;
	}
	cs_sig_free(sig);
	return ok;
}

/* The one file that was named; `what` of the table says what is told of the secret. */
static const char *find_kind(const struct cli *cli, const char **what)
{
	static const char *const kinds[][2] = {
		{"seal-root", ""}, {"operator", "address"}, {"recovery", "public_key"}};
	const char *path = NULL;
	unsigned count = 0;
	for (size_t i = 0; i < CS_LEN(kinds); i++) {
		if (!cli_option(cli, kinds[i][0]))
			continue;
		path = cli_option(cli, kinds[i][0]);
		*what = kinds[i][1];
		count++;
	}
	return count == 1 && cli->positional_count == 0 ? path : NULL;
}

enum cli_exit cli_keygen(struct cli *cli)
{
	const char *what = "";
	const char *path = find_kind(cli, &what);
	char hex[2 * KEY_BYTES + 1];
	char text[2 * KEY_BYTES + 3] = "0x";
	struct cs_secret secret;
	struct cs_address address;
	struct cs_x25519_key key;
	if (!path)
		return cli_fail(cli, CLI_USAGE,
				"give one of --seal-root, --operator and --recovery");
	if (!make_secret(&secret, &address) || cs_x25519_public(&key, &secret) != CS_OK)
		return cli_fail(cli, CLI_FAILED, "no randomness");
	cs_hex(hex, CS_BYTES_OF(secret.b));
	cs_wipe(&secret, sizeof(secret));
	cs_hex(text + 2,
	       strcmp(what, "address") == 0 ? CS_BYTES_OF(address.b) : CS_BYTES_OF(key.b));
	enum cli_exit code = cli_write_secret(cli, path, hex);
	cs_wipe(hex, sizeof(hex));
	if (code != CLI_OK)
		return code;
	json_t *json = json_pack("{s:s}", "file", path);
	if (what[0])
		json_object_set_new(json, what, json_string(text));
	if (cli->json)
		cli_print_json(cli, json);
	else
		json_decref(json);
	if (!cli->json && what[0])
		printf("%s\n", text);
	return CLI_OK;
}
