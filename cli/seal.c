/* Secrets for an oracle's sources: read from files, sealed to the enclave's key for one spec and one
 * asker, and one row of arguments where it is known (docs/protocol/oracle.md section 7), wiped. They
 * are never on the command line, and nothing but the sealed box leaves this file. */
#include "cli/cli.h"
#include "core/buf.h"
#include "core/json.h"
#include "core/utf8.h"
#include "host/alloc.h"
#include "host/keyfile.h"
#include "wire/spec.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Section 7: what the enclave opens. */
#define PLAINTEXT_SIZE_MAX 4096u
#define SECRETS_MAX 16u

struct secret {
	const char *name;
	size_t name_size;
	uint8_t *bytes; /* malloc'd, wiped */
	size_t size;
};

static void wipe(struct secret *secrets, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (secrets[i].bytes)
			cs_wipe(secrets[i].bytes, secrets[i].size);
		free(secrets[i].bytes);
	}
}

static enum cli_exit read_input(struct cli *cli, struct secret *secret)
{
	secret->bytes = host_alloc(PLAINTEXT_SIZE_MAX + 1);
	for (ssize_t n; secret->size < PLAINTEXT_SIZE_MAX + 1 &&
			(n = read(STDIN_FILENO, secret->bytes + secret->size,
				  PLAINTEXT_SIZE_MAX + 1 - secret->size)) > 0;)
		secret->size += (size_t)n;
	if (secret->size > PLAINTEXT_SIZE_MAX)
		return cli_fail(cli, CLI_USAGE, "--secret: standard input has more than %u bytes",
				PLAINTEXT_SIZE_MAX);
	return CLI_OK;
}

/* NAME=@FILE; the file is nobody else's, one line break at its end is not part of it. */
static enum cli_exit read_secret(struct cli *cli, struct secret *secret, const char *text)
{
	struct cs_why why = {{0}};
	const char *at = strstr(text, "=@");
	*secret = (struct secret){.name = text};
	secret->name_size = at ? (size_t)(at - text) : 0;
	for (size_t i = 0; i < secret->name_size; i++) {
		char c = text[i];
		bool good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			    (c >= '0' && c <= '9') || c == '_' || c == '-';
		if (!good)
			secret->name_size = 0;
	}
	if (secret->name_size == 0 || secret->name_size > WIRE_SPEC_SECRET_NAME_SIZE_MAX)
		return cli_fail(cli, CLI_USAGE,
				"--secret: NAME=@FILE, the name 1 to %u letters, digits, _ and -",
				WIRE_SPEC_SECRET_NAME_SIZE_MAX);
	if (strcmp(at + 2, "-") == 0) {
		enum cli_exit code = read_input(cli, secret);
		if (code != CLI_OK)
			return code;
	} else if (host_file_load_own(&secret->bytes, &secret->size, at + 2, PLAINTEXT_SIZE_MAX,
				      S_IRWXG | S_IRWXO, &why) != CS_OK) {
		return cli_fail(cli, CLI_USAGE, "%s", why.text);
	}
	if (secret->size > 0 && secret->bytes[secret->size - 1] == '\n')
		secret->bytes[--secret->size] = 0;
	if (!cs_utf8_is_valid(cs_bytes(secret->bytes, secret->size)))
		return cli_fail(cli, CLI_USAGE, "--secret: %.*s is not UTF-8",
				(int)secret->name_size, secret->name);
	return CLI_OK;
}

static int by_name(const void *a, const void *b)
{
	const struct secret *left = a;
	const struct secret *right = b;
	size_t n = left->name_size < right->name_size ? left->name_size : right->name_size;
	int order = memcmp(left->name, right->name, n);
	if (order != 0)
		return order;
	return left->name_size < right->name_size ? -1 : left->name_size > right->name_size ? 1 : 0;
}

static void put_hash(struct cs_buf *buf, const struct cs_hash *hash)
{
	char hex[65];
	cs_hex(hex, CS_BYTES_OF(hash->b));
	cs_put_text(buf, "\"0x%s\"", hex);
}

/* The canonical form: members sorted, at both levels. */
static bool write_plaintext(struct cs_buf *buf, struct secret *secrets, size_t count,
			    const struct cli_bound *bound)
{
	qsort(secrets, count, sizeof(*secrets), by_name);
	cs_put_u8(buf, '{');
	if (bound->arguments) {
		cs_put_text(buf, "\"arguments\":");
		put_hash(buf, bound->arguments);
		cs_put_u8(buf, ',');
	}
	cs_put_text(buf, "\"asker\":");
	put_hash(buf, bound->asker);
	cs_put_text(buf, ",\"spec\":");
	put_hash(buf, bound->spec);
	cs_put_text(buf, ",\"values\":{");
	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			cs_put_u8(buf, ',');
		cs_json_write_string(buf, cs_bytes(secrets[i].name, secrets[i].name_size));
		cs_put_u8(buf, ':');
		cs_json_write_string(buf, cs_bytes(secrets[i].bytes, secrets[i].size));
	}
	cs_put_text(buf, "}}");
	return cs_buf_end(buf) == CS_OK;
}

static enum cli_exit seal(struct cli *cli, uint8_t **sealed, size_t *n, struct secret *secrets,
			  size_t count, const struct cs_hash *key, const struct cli_bound *bound)
{
	struct cs_buf buf;
	uint8_t plaintext[PLAINTEXT_SIZE_MAX];
	enum cli_exit code = CLI_OK;
	cs_buf_init(&buf, plaintext, sizeof(plaintext));
	for (size_t i = 1; i < count; i++) {
		for (size_t j = 0; j < i; j++) {
			if (by_name(&secrets[i], &secrets[j]) == 0)
				return cli_fail(cli, CLI_USAGE, "--secret: %.*s is there twice",
						(int)secrets[i].name_size, secrets[i].name);
		}
	}
	if (!write_plaintext(&buf, secrets, count, bound))
		code = cli_fail(cli, CLI_USAGE, "--secret: more than %u bytes together",
				PLAINTEXT_SIZE_MAX);
	uint8_t *box = host_alloc(buf.n + crypto_box_SEALBYTES);
	if (code == CLI_OK &&
	    (sodium_init() < 0 || crypto_box_seal(box, buf.p, buf.n, key->b) != 0))
		code = cli_fail(cli, CLI_FAILED, "the oracle's key is no key for sealing");
	cs_wipe(plaintext, sizeof(plaintext));
	if (code != CLI_OK) {
		free(box);
		return code;
	}
	*sealed = box;
	*n = buf.n + crypto_box_SEALBYTES;
	return CLI_OK;
}

enum cli_exit cli_seal(struct cli *cli, uint8_t **sealed, size_t *n, const struct cs_hash *key,
		       const struct cli_bound *bound)
{
	struct secret secrets[SECRETS_MAX];
	size_t count = 0;
	unsigned at = 0;
	const char *text;
	enum cli_exit code = CLI_OK;
	*sealed = NULL;
	*n = 0;
	while (code == CLI_OK && (text = cli_option_next(cli, "secret", &at)) != NULL) {
		if (count == SECRETS_MAX) {
			code = cli_fail(cli, CLI_USAGE, "--secret: at most %u", SECRETS_MAX);
			break;
		}
		code = read_secret(cli, &secrets[count++], text);
	}
	if (code == CLI_OK && count > 0)
		code = seal(cli, sealed, n, secrets, count, key, bound);
	wipe(secrets, count);
	return code;
}
