/* `caisson ledger approve` and `register`: what administrators sign of enclaves, manifests and policies, and
 * the call that brings it to the ledger. Signing asks nobody; what is sent is what was signed. */
#include "cli/ledger.h"
#include "cli/ledger_subject.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* Files, what is decoded from them, and the trees of their JSON. */
#define ARENA_SIZE (32u * 1024 * 1024)
/* "15:" and 64 bytes of hex. */
#define APPROVAL_TEXT_SIZE (3u + 128u)

struct registering {
	struct cli *cli;
	struct cs_arena arena;
	void *memory;
	struct ledger_subject subject;
};

static enum cli_exit begin(struct registering *r, struct cli *cli)
{
	*r = (struct registering){.cli = cli, .memory = malloc(ARENA_SIZE)};
	if (r->memory == NULL)
		return cli_fail(cli, CLI_FAILED, "out of memory");
	cs_arena_init(&r->arena, r->memory, ARENA_SIZE);
	return ledger_subject_read(&r->subject, cli, &r->arena);
}

/* ---- approve ---- */

static enum cli_exit sign(struct cli *cli, struct cs_schnorr *signature,
			  const struct cs_hash *digest, const char *path)
{
	struct cs_secret key, seed;
	struct cs_hash aux;
	struct cs_why why = {{0}};
	enum cli_exit code = CLI_OK;
	if (getrandom(seed.b, sizeof(seed.b), 0) != (ssize_t)sizeof(seed.b) ||
	    getrandom(aux.b, sizeof(aux.b), 0) != (ssize_t)sizeof(aux.b))
		return cli_fail(cli, CLI_FAILED, "no randomness");
	struct cs_sig *sig = cs_sig_new(&seed);
	if (host_keyfile_load(&key, path, &why) != CS_OK)
		code = cli_fail(cli, CLI_USAGE, "%s", why.text);
	else if (sig == NULL || cs_schnorr_sign(sig, signature, &key, digest, &aux) != CS_OK)
		code = cli_fail(cli, CLI_USAGE, "%s is not a private key", path);
	cs_wipe(&key, sizeof(key));
	cs_wipe(&seed, sizeof(seed));
	cs_sig_free(sig);
	return code;
}

static void print_approval(const struct cli *cli, const struct cs_hash *digest, uint64_t at,
			   const struct cs_schnorr *signature)
{
	char hex[2 * sizeof(digest->b) + 3] = "0x", text[APPROVAL_TEXT_SIZE + 2];
	char rx[2 * sizeof(digest->b) + 1], s[2 * sizeof(digest->b) + 1];
	cs_hex(hex + 2, CS_BYTES_OF(digest->b));
	if (signature != NULL) {
		cs_hex(rx, CS_BYTES_OF(signature->rx.b));
		cs_hex(s, CS_BYTES_OF(signature->s.b));
		snprintf(text, sizeof(text), "%llu:%s%s", (unsigned long long)at, rx, s);
	}
	if (cli->json)
		cli_print_json(cli, json_pack("{s:s, s:s?}", "digest", hex, "approval",
					      signature == NULL ? NULL : text));
	else
		puts(signature == NULL ? hex : text);
}

/* Without a key: what would be signed. */
static enum cli_exit approve(struct registering *r)
{
	struct cli *cli = r->cli;
	const char *path = cli_option(cli, "key-file"), *own_text = cli_option(cli, "register");
	const char *index = cli_option(cli, "administrator");
	struct cs_schnorr signature;
	struct cs_hash own;
	uint64_t at = 0;
	if (own_text == NULL || cs_unhex(own.b, sizeof(own.b), cs_bytes_str(own_text)) != CS_OK)
		return cli_fail(cli, CLI_USAGE,
				"--register: the identity of the ledger's register, from whom you "
				"trust (enclaves.identity)");
	const struct cs_hash digest = ledger_subject_digest(&r->subject, &own);
	if ((path == NULL) != (index == NULL))
		return cli_fail(cli, CLI_USAGE, "--key-file and --administrator come together");
	if (!cli_number(cli, "administrator", LEDGER_ADMINISTRATORS_MAX - 1, &at))
		return cli_fail(cli, CLI_USAGE, "--administrator: which of them, from 0");
	const enum cli_exit code = path == NULL ? CLI_OK : sign(cli, &signature, &digest, path);
	if (code == CLI_OK)
		print_approval(cli, &digest, at, path == NULL ? NULL : &signature);
	return code;
}

enum cli_exit cli_ledger_approve(struct cli *cli)
{
	static struct registering r;
	enum cli_exit code = begin(&r, cli);
	if (code == CLI_OK)
		code = approve(&r);
	free(r.memory);
	return code;
}

/* ---- register ---- */

static bool read_approval(struct ledger_approval *approval, const char *text)
{
	char *colon = NULL;
	const unsigned long at = strtoul(text, &colon, 10);
	if (text[0] < '0' || text[0] > '9' || at >= LEDGER_ADMINISTRATORS_MAX || *colon != ':')
		return false;
	uint8_t both[2 * sizeof(approval->rx.b)];
	if (cs_unhex(both, sizeof(both), cs_bytes_str(colon + 1)) != CS_OK)
		return false;
	approval->administrator = (uint8_t)at;
	memcpy(approval->rx.b, both, sizeof(approval->rx.b));
	memcpy(approval->s.b, both + sizeof(approval->rx.b), sizeof(approval->s.b));
	return true;
}

static int by_administrator(const void *a, const void *b)
{
	const struct ledger_approval *first = a, *second = b;
	return (int)first->administrator - (int)second->administrator;
}

static enum cli_exit read_approvals(struct cli *cli, struct ledger_approval *approvals,
				    size_t *count)
{
	unsigned at = 0;
	for (const char *text; (text = cli_option_next(cli, "approval", &at)) != NULL;) {
		if (*count == LEDGER_ADMINISTRATORS_MAX ||
		    !read_approval(&approvals[(*count)++], text))
			return cli_fail(cli, CLI_USAGE,
					"--approval: what `caisson ledger approve` printed");
	}
	qsort(approvals, *count, sizeof(*approvals), by_administrator);
	return CLI_OK;
}

/* The ledger would say so too, for a fee. */
static enum cli_exit check_way(struct cli *cli, const struct ledger_subject *subject, size_t count)
{
	const bool by_evidence =
		subject->kind == LEDGER_SUBJECT_ENCLAVE && subject->enclave.evidence_kind != 0;
	if (by_evidence && subject->enclave.evidence.n == 0)
		return cli_fail(cli, CLI_USAGE, "--evidence is missing");
	if (by_evidence && count > 0)
		return cli_fail(cli, CLI_USAGE, "either --evidence or --approval");
	return by_evidence || count > 0
		       ? CLI_OK
		       : cli_fail(cli, CLI_USAGE, "--approval is missing: who approves it?");
}

static enum cli_exit send_it(struct registering *r)
{
	struct ledger_approval approvals[LEDGER_ADMINISTRATORS_MAX];
	const struct cs_address to = ledger_contract_address(LEDGER_ENCLAVES_NUMBER);
	struct cs_buf buf;
	size_t count = 0;
	enum cli_exit code = read_approvals(r->cli, approvals, &count);
	if (code == CLI_OK)
		code = check_way(r->cli, &r->subject, count);
	if (code != CLI_OK)
		return code;
	if (cs_buf_init_arena(&buf, &r->arena, LEDGER_SEND_CALLDATA_MAX) != CS_OK)
		return cli_fail(r->cli, CLI_FAILED, "out of memory");
	ledger_subject_encode(&buf, &r->subject, approvals, count);
	return cs_buf_end(&buf) == CS_OK ? ledger_send_call(r->cli, &to, cs_buf_view(&buf))
					 : cli_fail(r->cli, CLI_USAGE, "it is too large");
}

enum cli_exit cli_ledger_register(struct cli *cli)
{
	static struct registering r;
	enum cli_exit code = begin(&r, cli);
	if (code == CLI_OK)
		code = send_it(&r);
	free(r.memory);
	return code;
}
