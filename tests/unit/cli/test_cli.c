/* The program from outside: exit codes, output for people and for programs, what it writes and what
 * it refuses. */
#include "core/sig.h"
#include "core/x25519.h"
#include "gateway/envelope_json.h"
#include "tests/unit/oracle/answers.h"

#include <fcntl.h>
#include <sodium.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[] = "/tmp/caisson-cli-XXXXXX";
static char out[1 << 16];

static const char *in_folder(const char *name)
{
	static char paths[8][96];
	static unsigned next;
	char *path = paths[next++ % CS_LEN(paths)];
	snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
	return path;
}

static void write_file(const char *name, const char *text)
{
	FILE *file = fopen(in_folder(name), "w");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

/* Standard output goes to `out`, standard error nowhere. args: separated by spaces, without quotes. */
static int caisson(const char *args)
{
	char copy[1024];
	char *argv[64] = {(char *)(uintptr_t) "caisson"};
	char *save = NULL;
	int pipes[2];
	size_t n = 1;
	snprintf(copy, sizeof(copy), "%s", args);
	for (char *word = strtok_r(copy, " ", &save); word && n < CS_LEN(argv) - 1;
	     word = strtok_r(NULL, " ", &save))
		argv[n++] = word;
	assert_int_equal(pipe(pipes), 0);
	assert_true(n < CS_LEN(argv) - 1);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		int null = open("/dev/null", O_WRONLY);
		if (null < 0 || dup2(pipes[1], 1) < 0 || dup2(null, 2) < 0)
			_exit(99);
		close(pipes[0]);
		unsetenv("CAISSON_URL");
		unsetenv("CAISSON_CONFIG");
		unsetenv("CAISSON_API_KEY_FILE");
		execv(CAISSON_PROGRAM, argv);
		_exit(98);
	}
	close(pipes[1]);
	size_t size = 0;
	for (ssize_t got; (got = read(pipes[0], out + size, sizeof(out) - 1 - size)) > 0;)
		size += (size_t)got;
	out[size] = 0;
	close(pipes[0]);
	int status = 0;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static const char config_text[] =
	"name = \"a\"\n[api]\nkeys_file = \"api.keys\"\n"
	"[enclave]\nmanifests = [\"" CS_VECTORS "/manifest/first.json\"]\n"
	"[[chains]]\nid = \"eip155:31337\"\nrpc = [\"http://127.0.0.1:9\"]\n"
	"[[peers]]\nname = \"b\"\nurl = \"http://127.0.0.1:9\"\napi_key_file = \"b.key\"\n"
	"chains = [\"eip155:1903\"]\n";

static int setup(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(folder));
	write_file("c.toml", config_text);
	write_file("bad.toml",
		   "name = \"a\"\nnonsense = 1\n[[chains]]\nid = \"x\"\nrpc = [\"http://a\"]\n");
	return 0;
}

static int teardown(void **state)
{
	static const char *const names[] = {"c.toml",      "bad.toml", "api.keys",  "app.key",
					    "seal",        "operator", "e.json",    "k",
					    "sample.toml", "b.key",    "seal.root", "spec.json",
					    "spec.out",    "secret",   "o.toml"};
	(void)state;
	for (size_t i = 0; i < CS_LEN(names); i++)
		unlink(in_folder(names[i]));
	return rmdir(folder);
}

static void run_in_folder(char *args, size_t size, const char *format, const char *a, const char *b)
{
	/* The formats are this file's own. */
	snprintf(args, size, "%s %s%s%s", format, a, b[0] ? " " : "", b);
}

/* Each option of the page in `out` says what it is. */
static void every_option_is_explained(const char *command)
{
	for (const char *at = out; (at = strstr(at, "\n  --")) != NULL; at += 5) {
		const char *end = strchr(at + 1, '\n');
		assert_non_null(end);
		if (end - at < 35)
			fail_msg("%s --help does not explain%.*s", command, (int)(end - at), at);
	}
}

static void help_comes_from_one_table(void **state)
{
	static const char *const commands[] = {"up",
					       "status",
					       "send",
					       "transfer",
					       "messages",
					       "watch",
					       "retry",
					       "abandon",
					       "close",
					       "events",
					       "envelope",
					       "keys enclave",
					       "keys create",
					       "keys list",
					       "keys revoke",
					       "config check",
					       "config sample",
					       "config reference",
					       "verify",
					       "oracle ask",
					       "oracle dry-run",
					       "oracle get",
					       "oracle requests",
					       "oracle spec-hash",
					       "oracle publish",
					       "oracle seal",
					       "oracle status",
					       "oracle key",
					       "oracle rotate",
					       "oracle feeds",
					       "oracle feeds show",
					       "oracle feeds round",
					       "oracle feeds add",
					       "oracle feeds pause",
					       "oracle feeds resume",
					       "oracle feeds remove",
					       "keygen"};
	(void)state;
	assert_int_equal(caisson("--help"), 0);
	for (size_t i = 0; i < CS_LEN(commands); i++) {
		if (!strstr(out, commands[i]))
			fail_msg("--help does not name %s", commands[i]);
	}
	assert_non_null(strstr(out, "exit status"));
	for (size_t i = 0; i < CS_LEN(commands); i++) {
		char args[64];
		snprintf(args, sizeof(args), "%s --help", commands[i]);
		assert_int_equal(caisson(args), 0);
		snprintf(args, sizeof(args), "usage: caisson %s", commands[i]);
		assert_memory_equal(out, args, strlen(args));
		every_option_is_explained(commands[i]);
	}
	assert_int_equal(caisson("transfer --help"), 0);
	assert_non_null(strstr(out, "--deadline-in SECONDS"));
	assert_int_equal(caisson("--version"), 0);
}

static void wrong_usage_is_2(void **state)
{
	static const char *const wrong[] = {
		"",
		"nonsense",
		"keys",
		"keys nonsense",
		"status --nonsense",
		"status",
		"messages a b",
		"watch",
		"events",
		"events --cursor last",
		"retry",
		"abandon",
		"send --to eip155:1:0x11",
		"send --payload 0x",
		"send --to a --payload 0x --text b",
		"transfer --to x",
		"transfer --to x --amount 1 --mode prepare --watch",
		"transfer --to x --amount 1 --watch --timeout soon",
		"messages --limit 0",
		"messages --before then",
		"keys create x",
		"keys create x --scopes everything --config c",
		"keys list",
		"verify",
		"verify a --key 0x12",
		"verify a --outcome-key 0x12",
		"keygen",
		"keygen --seal-root a --operator b",
		"keygen --recovery a --operator b",
		"cluster recovery approve",
		"cluster recovery restore",
		"config check",
		"status --json=1",
		"send --to",
		"up",
		"verify /nowhere/at/all",
		"config check /nowhere/at/all",
		"up /nowhere/at/all",
		"oracle",
		"oracle nonsense",
		"oracle ask",
		"oracle ask /nowhere/at/all",
		"oracle ask a b",
		"oracle ask a --arg",
		"oracle dry-run",
		"oracle dry-run a --secret b=@c",
		"oracle get 0x12",
		"oracle get",
		"oracle requests --state a&b --url http://127.0.0.1:9",
		"oracle spec-hash",
		"oracle spec-hash /nowhere/at/all",
		"oracle publish",
		"oracle seal a --audience b --asker c",
		"oracle seal a",
		"oracle key",
		"oracle feeds nonsense",
		"oracle feeds show",
		"oracle feeds show 0x12 1",
		"oracle feeds round",
		"oracle feeds round 0x5fbdb2315678afecb367f032d93f642f64180aa3 1 x",
		"verify a --feed 0x12",
		"oracle feeds pause 1 "
		"0x5fbdb2315678afecb367f032d93f642f64180aa3",
		"oracle feeds add "
		"0x5fbdb2315678afecb367f032d93f642f64180aa3 1",
		"oracle feeds remove "
		"0x5fbdb2315678afecb367f032d93f642f64180aa3 1 --chain 1",
		"verify a --lineage 0x12"};
	(void)state;
	for (size_t i = 0; i < CS_LEN(wrong); i++) {
		int code = caisson(wrong[i]);
		if (code != 2)
			fail_msg("caisson %s: exit %d", wrong[i], code);
	}
}

static void a_gateway_that_is_not_there_is_4(void **state)
{
	char args[256];
	(void)state;
	FILE *file = fopen(in_folder("k"), "w");
	assert_non_null(file);
	assert_int_equal(fchmod(fileno(file), 0600), 0);
	assert_true(fputs("a-key-of-enough-characters-000000\n", file) >= 0);
	assert_int_equal(fclose(file), 0);
	snprintf(args, sizeof(args), "status --url http://127.0.0.1:9 --key-file %s --json",
		 in_folder("k"));
	assert_int_equal(caisson(args), 4);
	json_t *json = json_loads(out, 0, NULL);
	assert_int_equal(json_integer_value(json_object_get(json, "exit")), 4);
	json_decref(json);
	/* A key that others can read is refused before anything is sent. */
	assert_int_equal(chmod(in_folder("k"), 0644), 0);
	assert_int_equal(caisson(args), 2);
}

static void config_check_names_every_error(void **state)
{
	char args[256];
	(void)state;
	/* What the file names has to be there, and to be nobody else's. */
	run_in_folder(args, sizeof(args), "config check", in_folder("c.toml"), "--json");
	assert_int_equal(caisson(args), 2);
	assert_non_null(strstr(out, "enclave.seal_root"));
	assert_non_null(strstr(out, "peers[0].api_key_file"));
	char digits[65] = "";
	memset(digits, '1', 64);
	write_file("seal.root", digits);
	write_file("b.key", digits);
	assert_int_equal(chmod(in_folder("seal.root"), 0600), 0);
	assert_int_equal(chmod(in_folder("b.key"), 0644), 0);
	assert_int_equal(caisson(args), 2);
	assert_null(strstr(out, "seal_root"));
	assert_non_null(strstr(out, "peers[0].api_key_file"));
	assert_int_equal(chmod(in_folder("b.key"), 0600), 0);
	assert_int_equal(caisson(args), 0);
	json_t *json = json_loads(out, 0, NULL);
	assert_true(json_is_true(json_object_get(json, "ok")));
	json_decref(json);
	run_in_folder(args, sizeof(args), "config check", in_folder("bad.toml"), "--json");
	assert_int_equal(caisson(args), 2);
	json = json_loads(out, 0, NULL);
	assert_true(json_is_false(json_object_get(json, "ok")));
	assert_true(json_array_size(json_object_get(json, "errors")) >= 2);
	assert_non_null(strstr(out, "nonsense"));
	assert_non_null(strstr(out, "chains[0].id"));
	json_decref(json);
	assert_int_equal(caisson("config sample"), 0);
	assert_non_null(strstr(out, "[[chains]]"));
	assert_int_equal(caisson("config reference"), 0);
	assert_non_null(strstr(out, "batch_max"));
}

/* Which process a file is of: --oracle says so, or the file does. */
static void an_oracle_s_file_is_one(void **state)
{
	static const char text[] = "name = \"o\"\n[api]\nkeys_file = \"api.keys\"\n"
				   "[enclave]\nmanifests = [\"" CS_VECTORS
				   "/manifest/first.json\"]\ntrust_store = \"store.pem\"\n"
				   "[journal]\nkept_days = 3\n";
	char args[300];
	(void)state;
	write_file("o.toml", text);
	snprintf(args, sizeof(args), "keys create me --scopes read,ask --config %s --json",
		 in_folder("o.toml"));
	assert_int_equal(caisson(args), 0);
	snprintf(args, sizeof(args), "keys list --config %s --oracle", in_folder("o.toml"));
	assert_int_equal(caisson(args), 0);
	assert_non_null(strstr(out, "read,ask"));
	/* A gateway's scopes, at an oracle's; an oracle's, at a gateway's. */
	snprintf(args, sizeof(args), "keys create b --scopes read,send --config %s",
		 in_folder("o.toml"));
	assert_int_equal(caisson(args), 2);
	snprintf(args, sizeof(args), "keys create b --scopes read,ask --config %s",
		 in_folder("c.toml"));
	assert_int_equal(caisson(args), 2);
	snprintf(args, sizeof(args), "keys list --config %s --oracle", in_folder("c.toml"));
	assert_int_equal(caisson(args), 2);
	snprintf(args, sizeof(args), "keys revoke me --config %s", in_folder("o.toml"));
	assert_int_equal(caisson(args), 0);
	/* The manifest names no oracle: what is wrong is told by the oracle's table. */
	snprintf(args, sizeof(args), "config check %s --json", in_folder("o.toml"));
	assert_int_equal(caisson(args), 2);
	assert_non_null(strstr(out, "oracle: the manifest names none"));
	snprintf(args, sizeof(args), "up %s", in_folder("o.toml"));
	assert_int_equal(caisson(args), 2);
	assert_int_equal(caisson("config sample --oracle"), 0);
	assert_non_null(strstr(out, "trust_store"));
}

/* The pages end with what the tables write. */
static void the_reference_page_is_the_table(void **state)
{
	static const char *const pages[][2] = {
		{CAISSON_DOCS "/config.md", "config reference"},
		{CAISSON_DOCS "/oracle-config.md", "config reference --oracle"}};
	(void)state;
	for (size_t i = 0; i < CS_LEN(pages); i++) {
		struct cs_bytes page = read_file(pages[i][0]);
		assert_int_equal(caisson(pages[i][1]), 0);
		size_t n = strlen(out);
		assert_true(n > 1000 && page.n > n);
		assert_memory_equal(page.p + page.n - n, out, n);
	}
}

static void keys_are_made_listed_and_revoked(void **state)
{
	char args[300];
	struct stat st;
	(void)state;
	snprintf(args, sizeof(args), "keys create app --scopes read,send --config %s --out %s",
		 in_folder("c.toml"), in_folder("app.key"));
	assert_int_equal(caisson(args), 0);
	assert_int_equal(stat(in_folder("app.key"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(stat(in_folder("api.keys"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	/* Only the hash is kept. */
	struct cs_bytes key = read_file(in_folder("app.key"));
	struct cs_bytes kept = read_file(in_folder("api.keys"));
	assert_int_equal(key.n, 65);
	assert_null(memmem(kept.p, kept.n, key.p, 64));
	assert_int_equal(caisson(args), 1); /* the name is taken */
	snprintf(args, sizeof(args), "keys create b --scopes peer --config %s --json",
		 in_folder("c.toml"));
	assert_int_equal(caisson(args), 0);
	assert_non_null(strstr(out, "\"key\""));
	snprintf(args, sizeof(args), "keys list --config %s --json", in_folder("c.toml"));
	assert_int_equal(caisson(args), 0);
	json_t *json = json_loads(out, 0, NULL);
	assert_int_equal(json_array_size(json), 2);
	json_decref(json);
	snprintf(args, sizeof(args), "keys revoke app --config %s", in_folder("c.toml"));
	assert_int_equal(caisson(args), 0);
	assert_int_equal(caisson(args), 1);
}

static void secrets_are_written_once(void **state)
{
	char args[256];
	struct stat st;
	(void)state;
	snprintf(args, sizeof(args), "keygen --seal-root %s", in_folder("seal"));
	assert_int_equal(caisson(args), 0);
	assert_int_equal(stat(in_folder("seal"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(st.st_size, 65);
	assert_int_equal(caisson(args), 1); /* never over a file that is there */
	snprintf(args, sizeof(args), "keygen --operator %s", in_folder("operator"));
	assert_int_equal(caisson(args), 0);
	assert_int_equal(strlen(out), 43);
	struct cs_bytes file = read_file(in_folder("operator"));
	struct cs_secret secret;
	struct cs_address address;
	char hex[41];
	struct cs_sig *sig = cs_sig_new(NULL);
	assert_int_equal(cs_unhex(secret.b, 32, cs_bytes(file.p, 64)), CS_OK);
	assert_int_equal(cs_key_address(sig, &address, &secret), CS_OK);
	cs_hex(hex, CS_BYTES_OF(address.b));
	assert_memory_equal(out + 2, hex, 40);
	cs_sig_free(sig);
	/* Of a recovery key the public half (RFC 7748). */
	struct cs_x25519_key key;
	char public_hex[65];
	snprintf(args, sizeof(args), "keygen --recovery %s", in_folder("holder"));
	assert_int_equal(caisson(args), 0);
	file = read_file(in_folder("holder"));
	assert_int_equal(cs_unhex(secret.b, 32, cs_bytes(file.p, 64)), CS_OK);
	assert_int_equal(cs_x25519_public(&key, &secret), CS_OK);
	cs_hex(public_hex, CS_BYTES_OF(key.b));
	assert_int_equal(strlen(out), 67);
	assert_memory_equal(out + 2, public_hex, 64);
}

/* ---- verify ---- */

struct signed_ {
	json_t *envelope;
	char key[67];
};

static struct signed_ sign_sample(enum wire_domain domain)
{
	struct signed_ result;
	struct cs_sig *sig = cs_sig_new(NULL);
	struct cs_secret secret = {{0}};
	struct cs_hash aux = {{0}};
	struct cs_hash x;
	struct wire_message message = {.sender = cs_bytes_str("s"),
				       .recipient = cs_bytes_str("r"),
				       .payload = cs_bytes_str("p")};
	struct gateway_statement st = {
		.count = 3,
		.statement = {.kind = WIRE_KIND_MESSAGE, .epoch = 2, .manifest_number = 5}};
	struct cs_hash leaves[3];
	struct wire_signed part = {.path_count = 0};
	secret.b[31] = 7;
	message.head.source.b[0] = 0xaa;
	message.head.destination.b[0] = 0xbb;
	message.head.sequence = 1;
	message.head.deadline = 1900000000;
	wire_message_seal(&message);
	st.statement.signer = message.head.source;
	st.statement.receiver = message.head.destination;
	st.ids[0] = wire_message_id(&message.head);
	for (size_t i = 0; i < 3; i++) {
		st.ids[i].b[0] ^= (uint8_t)i;
		leaves[i] = wire_leaf_message(&st.ids[i]);
	}
	st.statement.root = wire_root(leaves, 3);
	struct cs_hash digest = wire_digest(&st.statement, domain);
	assert_int_equal(cs_schnorr_sign(sig, &st.signature, &secret, &digest, &aux), CS_OK);
	assert_int_equal(cs_key_x(sig, &x, &secret), CS_OK);
	part.path_count = wire_path(part.path, leaves, 3, 0);
	result.envelope = json_pack("{s:o,s:o}", "statement", gateway_json_statement(&st, &part),
				    "message", gateway_json_message(&message, &st.ids[0]));
	memcpy(result.key, "0x", 2);
	cs_hex(result.key + 2, CS_BYTES_OF(x.b));
	cs_sig_free(sig);
	return result;
}

static int verify(const json_t *envelope, const char *key)
{
	char args[300];
	assert_int_equal(json_dump_file(envelope, in_folder("e.json"), 0), 0);
	snprintf(args, sizeof(args), "verify %s --json%s%s", in_folder("e.json"),
		 key ? " --key " : "", key ? key : "");
	return caisson(args);
}

static void an_envelope_verifies_offline(void **state)
{
	(void)state;
	for (int insecure = 0; insecure <= 1; insecure++) {
		struct signed_ s =
			sign_sample(insecure ? WIRE_DOMAIN_INSECURE : WIRE_DOMAIN_SECURE);
		assert_int_equal(verify(s.envelope, s.key), 0);
		json_t *json = json_loads(out, 0, NULL);
		const json_t *message = json_object_get(json, "message");
		assert_true(json_is_true(json_object_get(json, "ok")));
		assert_true(json_is_true(json_object_get(message, "insecure")) == (insecure == 1));
		assert_int_equal(json_integer_value(json_object_get(message, "epoch")), 2);
		assert_int_equal(json_integer_value(json_object_get(message, "manifest")), 5);
		json_decref(json);
		json_decref(s.envelope);
	}
}

static void what_does_not_verify_is_6(void **state)
{
	(void)state;
	struct signed_ s = sign_sample(WIRE_DOMAIN_SECURE);
	assert_int_equal(verify(s.envelope, NULL), 6); /* no key to compare with */
	assert_int_equal(
		verify(s.envelope,
		       "0x79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"),
		6);
	json_t *changed = json_deep_copy(s.envelope);
	json_object_set_new(json_object_get(changed, "statement"), "epoch", json_integer(3));
	assert_int_equal(verify(changed, s.key), 6);
	json_decref(changed);
	changed = json_deep_copy(s.envelope);
	json_object_del(json_object_get(changed, "message"), "id");
	json_object_set_new(json_object_get(changed, "message"), "payload", json_string("0x71"));
	assert_int_equal(verify(changed, s.key), 6);
	json_decref(changed);
	/* What nobody signed is not beside what is; an outcome is not without its statement. */
	static const char *const more[][3] = {
		{"", "surprise", "true"},   {"message", "evidence", "{}"},
		{"message", "steps", "[]"}, {"statement", "more", "1"},
		{"", "outcome", "2"},       {"", "keys", "[{}]"},
	};
	for (size_t i = 0; i < CS_LEN(more); i++) {
		changed = json_deep_copy(s.envelope);
		json_object_set_new(more[i][0][0] ? json_object_get(changed, more[i][0]) : changed,
				    more[i][1], json_loads(more[i][2], JSON_DECODE_ANY, NULL));
		assert_int_equal(verify(changed, s.key), 6);
		json_decref(changed);
	}
	changed = json_deep_copy(s.envelope);
	json_object_set(changed, "outcome_statement", json_object_get(changed, "statement"));
	assert_int_equal(verify(changed, s.key), 6); /* a statement without its outcome */
	json_object_set_new(changed, "outcome", json_integer(2));
	assert_int_equal(verify(changed, s.key), 6); /* and one that is none */
	json_decref(changed);
	changed = json_deep_copy(s.envelope);
	json_object_del(json_object_get(changed, "statement"), "s");
	assert_int_equal(verify(changed, s.key), 6);
	json_decref(changed);
	json_decref(s.envelope);
	write_file("e.json", "{\"statement\":");
	char args[128];
	snprintf(args, sizeof(args), "verify %s", in_folder("e.json"));
	assert_int_equal(caisson(args), 6);
}

/* ---- an oracle's answers ---- */

#define ORACLE_KEY "0x6938d6976c76ad3b8b6df6dcf14b553611138f62443b495df086d9cee86e7492"
#define OTHER_KEY "0x79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"

static int verify_answer(const json_t *document, const char *options)
{
	char args[600];
	assert_int_equal(json_dump_file(document, in_folder("e.json"), 0), 0);
	snprintf(args, sizeof(args), "verify %s %s", in_folder("e.json"), options);
	return caisson(args);
}

static json_t *price(void)
{
	return answer_document("price", "five answers", json_string("67123.45000000"));
}

static json_t *by_rest(void)
{
	return answer_document("by REST", "an answer by REST", json_string("0.00000001"));
}

static void an_answer_verifies_offline(void **state)
{
	(void)state;
	json_t *document = price();
	assert_int_equal(verify_answer(document, "--json"), 7); /* only the file names the key */
	assert_int_equal(verify_answer(document, "--json --key " ORACLE_KEY), 0);
	json_t *told = json_loads(out, 0, NULL);
	const json_t *statement = json_object_get(told, "statement");
	assert_true(json_is_true(json_object_get(told, "ok")));
	assert_string_equal(text_of(told, "value"), "67123.45000000");
	assert_string_equal(text_of(told, "code_name"), "ok");
	assert_string_equal(text_of(statement, "key_from"), "argument");
	assert_true(json_is_false(json_object_get(statement, "insecure")));
	assert_int_equal(json_integer_value(json_object_get(statement, "epoch")), 1);
	json_decref(told);
	assert_int_equal(verify_answer(document, "--key " ORACLE_KEY), 0);
	assert_non_null(strstr(out, "67123.45000000"));
	assert_non_null(strstr(out, "api.example.org:443"));
	assert_null(strstr(out, "INSECURE"));
	json_decref(document);
	document = answer_document("price", "one answer, insecure", json_string("67123.45000000"));
	assert_int_equal(verify_answer(document, "--key " ORACLE_KEY), 0);
	assert_non_null(strstr(out, "INSECURE"));
	json_decref(document);
	document = answer_document("disagreement", "five answers", json_null());
	assert_int_equal(verify_answer(document, "--key " ORACLE_KEY), 0);
	assert_non_null(strstr(out, "48 disagreement"));
	json_decref(document);
}

static void an_answer_to_something_else_is_6(void **state)
{
	char options[300];
	(void)state;
	json_t *document = by_rest();
	assert_int_equal(verify_answer(document, "--audience shop --key " ORACLE_KEY), 0);
	assert_int_equal(verify_answer(document, "--audience stop --key " ORACLE_KEY), 6);
	assert_int_equal(verify_answer(document, "--key " OTHER_KEY), 6);
	assert_int_equal(verify_answer(document, "--key 0x12"), 2);
	snprintf(options, sizeof(options), "--key " ORACLE_KEY " --lineage %s",
		 text_of(document, "lineage"));
	assert_int_equal(verify_answer(document, options), 0);
	snprintf(options, sizeof(options), "--key " ORACLE_KEY " --lineage %s",
		 text_of(document, "id"));
	assert_int_equal(verify_answer(document, options), 6);
	assert_int_equal(verify_answer(document, "--outcome-key " ORACLE_KEY), 2);
	/* The spec, in any form. */
	assert_int_equal(json_dump_file(json_object_get(document, "spec"), in_folder("spec.json"),
					JSON_INDENT(8)),
			 0);
	snprintf(options, sizeof(options), "--key " ORACLE_KEY " --spec %s",
		 in_folder("spec.json"));
	assert_int_equal(verify_answer(document, options), 0);
	write_file("spec.json", "{\"version\":1,\"sources\":[{\"url\":\"https://a.example/\","
				"\"extract\":{\"whole\":true}}],\"result\":{\"type\":\"string\"}}");
	assert_int_equal(verify_answer(document, options), 6);
	write_file("spec.json", "{\"version\":2}");
	assert_int_equal(verify_answer(document, options), 2);
	json_decref(document);
	document = price();
	assert_int_equal(verify_answer(document, "--audience shop --key " ORACLE_KEY), 6);
	json_decref(document);
	/* Options of answers say nothing about envelopes. */
	struct signed_ s = sign_sample(WIRE_DOMAIN_SECURE);
	assert_int_equal(verify_answer(s.envelope, "--audience shop"), 2);
	json_decref(s.envelope);
}

/* In the file and by the program; every change of the document itself is in test_answer_json. */
static void a_changed_answer_is_6(void **state)
{
	(void)state;
	struct changes changes = {0};
	json_t *document = by_rest();
	json_t *changed;
	while ((changed = change_next(&changes, document)) != NULL) {
		int code = verify_answer(changed, "--key " ORACLE_KEY);
		/* With a key from elsewhere the file's own does not count. */
		int expected = strcmp(changes.what, "$.key: another") == 0 ? 0 : 6;
		if (code != expected)
			fail_msg("%s: %d", changes.what, code);
		json_decref(changed);
	}
	assert_true(changes.at > 90);
	json_decref(document);
}

/* ---- specs ---- */

static void a_spec_is_canonical_whatever_its_form(void **state)
{
	char args[300];
	(void)state;
	write_file("spec.json", " {\"version\":1, \"sources\": [{\"url\": "
				"\"https:\\/\\/api.example.org\\/v1\\/price?ids={0}\", "
				"\"extract\": {\"pointer\": \"/data/{0}/usd\"}}],\n"
				"\"result\": {\"type\":\"int256\", \"decimals\":8}}\n");
	snprintf(args, sizeof(args), "oracle spec-hash %s --out %s", in_folder("spec.json"),
		 in_folder("spec.out"));
	assert_int_equal(caisson(args), 0);
	/* specs.json of the vectors: "one source". */
	assert_string_equal(out,
			    "0x0d2a231d6033baa1edae117389b210936fbd7b843178091b9b4aaf03d4bcd25b"
			    "\n");
	json_t *vectors = vectors_of("specs");
	struct cs_bytes canonical = bytes_of(vector_by(vectors, "name", "one source"), "bytes");
	assert_bytes(read_file(in_folder("spec.out")), canonical);
	json_decref(vectors);
	write_file("spec.json", "{\"version\":1,\"version\":1}");
	assert_int_equal(caisson(args), 2);
	write_file("spec.json", "{\"version\":1,\"sources\":[],\"result\":{\"type\":\"bool\"}}");
	assert_int_equal(caisson(args), 2);
}

/* ---- secrets ---- */

static void write_own(const char *name, const char *text, mode_t mode)
{
	write_file(name, text);
	assert_int_equal(chmod(in_folder(name), mode), 0);
}

static void secrets_are_sealed_for_one_spec_and_asker(void **state)
{
	char args[600];
	unsigned char public[crypto_box_PUBLICKEYBYTES];
	unsigned char secret[crypto_box_SECRETKEYBYTES];
	unsigned char opened[4096];
	char key[67] = "0x";
	(void)state;
	assert_true(sodium_init() >= 0);
	assert_int_equal(crypto_box_keypair(public, secret), 0);
	cs_hex(key + 2, CS_BYTES_OF(public));
	write_file("spec.json",
		   "{\"version\":1,\"sources\":[{\"url\":\"https://a.example/?k={secret:k}\","
		   "\"extract\":{\"whole\":true}}],\"result\":{\"type\":\"string\"}}");
	write_own("secret", "s3cr\"et\n", 0600);
	snprintf(args, sizeof(args),
		 "oracle seal %s --asker 0x101112131415161718191a1b1c1d1e1f20212223 "
		 "--secret k=@%s --secret a_b=@%s --secrets-key %s --json",
		 in_folder("spec.json"), in_folder("secret"), in_folder("secret"), key);
	assert_int_equal(caisson(args), 0);
	json_t *told = json_loads(out, 0, NULL);
	struct cs_bytes box = bytes_of(told, "secrets");
	assert_true(box.n > crypto_box_SEALBYTES);
	assert_int_equal(crypto_box_seal_open(opened, box.p, box.n, public, secret), 0);
	char expected[400];
	int n = snprintf(expected, sizeof(expected),
			 "{\"asker\":\"0x000000000000000000000000101112131415161718191a1b1c1d1e1f"
			 "20212223\",\"spec\":\"%s\",\"values\":{\"a_b\":\"s3cr\\\"et\",\"k\":\""
			 "s3cr\\\"et\"}}",
			 text_of(told, "spec_hash"));
	assert_int_equal(box.n - crypto_box_SEALBYTES, n);
	assert_memory_equal(opened, expected, (size_t)n);
	json_decref(told);
	/* With arguments it is good for these alone. */
	snprintf(args, sizeof(args),
		 "oracle seal %s --asker 0x101112131415161718191a1b1c1d1e1f20212223 --arg bitcoin "
		 "--secret k=@%s --secrets-key %s --json",
		 in_folder("spec.json"), in_folder("secret"), key);
	assert_int_equal(caisson(args), 0);
	told = json_loads(out, 0, NULL);
	box = bytes_of(told, "secrets");
	assert_int_equal(crypto_box_seal_open(opened, box.p, box.n, public, secret), 0);
	/* specs.json of the vectors: the arguments "one". */
	json_t *specs = read_json(CS_VECTORS "/oracle/specs.json");
	n = snprintf(
		expected, sizeof(expected), "{\"arguments\":\"%s\",\"asker\":",
		text_of(vector_by(json_object_get(specs, "arguments"), "name", "one"), "hash"));
	assert_true(box.n > (size_t)n + crypto_box_SEALBYTES);
	assert_memory_equal(opened, expected, (size_t)n);
	json_decref(specs);
	json_decref(told);
	/* Without the option that says so no host's key is taken, and no file of others is read. */
	snprintf(args, sizeof(args), "oracle seal %s --audience a --secret k=@%s",
		 in_folder("spec.json"), in_folder("secret"));
	assert_int_equal(caisson(args), 2);
	snprintf(args, sizeof(args), "oracle seal %s --audience a --secret k=@%s --secrets-key %s",
		 in_folder("spec.json"), in_folder("secret"), key);
	assert_int_equal(caisson(args), 0);
	write_own("secret", "s3cret\n", 0644);
	assert_int_equal(caisson(args), 2);
	write_own("secret", "\xff\n", 0600);
	assert_int_equal(caisson(args), 2);
	write_own("secret", "s3cret\n", 0600);
	static const char *const wrong[] = {"--secret k", "--secret =@x", "--secret k:=@x",
					    "--secret k=s3cret", "--secret k=@/nowhere/at/all"};
	for (size_t i = 0; i < CS_LEN(wrong); i++) {
		snprintf(args, sizeof(args), "oracle seal %s --audience a --secrets-key %s %s",
			 in_folder("spec.json"), key, wrong[i]);
		assert_int_equal(caisson(args), 2);
	}
	snprintf(args, sizeof(args),
		 "oracle seal %s --audience a --secrets-key %s --secret k=@%s --secret k=@%s",
		 in_folder("spec.json"), key, in_folder("secret"), in_folder("secret"));
	assert_int_equal(caisson(args), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(help_comes_from_one_table),
		cmocka_unit_test(wrong_usage_is_2),
		cmocka_unit_test(a_gateway_that_is_not_there_is_4),
		cmocka_unit_test(config_check_names_every_error),
		cmocka_unit_test(an_oracle_s_file_is_one),
		cmocka_unit_test(the_reference_page_is_the_table),
		cmocka_unit_test(keys_are_made_listed_and_revoked),
		cmocka_unit_test(secrets_are_written_once),
		cmocka_unit_test(an_envelope_verifies_offline),
		cmocka_unit_test(what_does_not_verify_is_6),
		cmocka_unit_test(an_answer_verifies_offline),
		cmocka_unit_test(an_answer_to_something_else_is_6),
		cmocka_unit_test(a_changed_answer_is_6),
		cmocka_unit_test(a_spec_is_canonical_whatever_its_form),
		cmocka_unit_test(secrets_are_sealed_for_one_spec_and_asker),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
