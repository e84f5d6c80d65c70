/* `caisson attest challenge` and `certify`: an operator's CA admits a TPM's attestation key, because the TPM whose
 * endorsement key its maker certified has shown that it holds it (docs/adr/0068-*.md). Asks nobody; between the
 * two, files go to the machine and back. */
#include "cli/attest.h"
#include "core/base64.h"
#include "core/ct.h"
#include "host/json_values.h"
#include "verify/attest/tpm_evidence.h"
#include "verify/attest/tpm_key.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#define FILE_SIZE_MAX 65536u
#define SECRET_SIZE 32u
/* A seed that is no key of P-256 comes once in 2^32. */
#define DRAWS_MAX 8
/* What was looked at before the challenge, the makers' lists too, is believed so long. */
#define CHALLENGE_AGE_MAX_S 86400u
#define DAYS_DEFAULT 365u
#define DAYS_MAX 3650u
#define SERIAL_SIZE 16u

static const char attestation_key[] = "2.23.133.8.3"; /* TCG's purpose tcg-kp-AIKCertificate */

/* ---- files of JSON ---- */

static enum cli_exit load(struct attest_run *run, json_t **json, const char *path, bool is_own)
{
	struct cs_why why = {{0}};
	uint8_t *text = NULL;
	size_t size = 0;
	const enum cs_err err =
		is_own ? host_file_load_own(&text, &size, path, FILE_SIZE_MAX, 077, &why)
		       : host_file_load(&text, &size, path, FILE_SIZE_MAX, &why);
	if (err != CS_OK)
		return cli_fail(run->cli, CLI_USAGE, "%s", why.text);
	*json = json_loadb((const char *)text, size, JSON_REJECT_DUPLICATES, NULL);
	cs_wipe(text, size);
	free(text);
	return json_is_object(*json) ? CLI_OK
				     : cli_fail(run->cli, CLI_USAGE, "%s: no JSON object", path);
}

static enum cs_err read_base64(struct cs_bytes *out, const json_t *json, const char *name,
			       struct cs_arena *arena, struct cs_why *why)
{
	const char *text = json_string_value(json_object_get(json, name));
	if (text == NULL)
		return cs_fail(why, CS_ERR_MISSING_FIELD, "%s", name);
	size_t n = strlen(text);
	uint8_t *p = cs_arena_alloc(arena, CS_UNBASE64_SIZE(n));
	if (p == NULL)
		return CS_ERR_NO_MEMORY;
	if (cs_unbase64(p, &n, cs_bytes(text, n), CS_BASE64) != CS_OK)
		return cs_fail(why, CS_ERR_MALFORMED, "%s is not base64", name);
	*out = cs_bytes(p, n);
	return CS_OK;
}

/* Without 0x, as the TPM's side and tpm_transcript_decode have it. */
static enum cs_err read_hex(struct cs_bytes *out, const json_t *json, const char *name,
			    struct cs_arena *arena, struct cs_why *why)
{
	const char *text = json_string_value(json_object_get(json, name));
	const size_t n = text == NULL ? 0 : strlen(text) / 2;
	uint8_t *p = cs_arena_alloc(arena, n + 1);
	if (text == NULL)
		return cs_fail(why, CS_ERR_MISSING_FIELD, "%s", name);
	if (p == NULL)
		return CS_ERR_NO_MEMORY;
	if (cs_unhex(p, n, cs_bytes_str(text)) != CS_OK)
		return cs_fail(why, CS_ERR_MALFORMED, "%s is not hex", name);
	*out = cs_bytes(p, n);
	return CS_OK;
}

static json_t *base64(struct cs_bytes bytes)
{
	char *text = malloc(CS_BASE64_SIZE(bytes.n));
	json_t *json = NULL;
	if (text != NULL)
		json = json_stringn(text, cs_base64(text, bytes, CS_BASE64));
	free(text);
	return json;
}

static json_t *hex(const uint8_t *p, size_t n)
{
	char text[2 * CS_RSA_SIZE_MAX + 5];
	cs_hex(text, cs_bytes(p, n));
	json_t *json = json_string(text);
	cs_wipe(text, sizeof text);
	return json;
}

static enum cli_exit write_new(struct cli *cli, const char *path, const void *p, size_t n)
{
	const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		return cli_fail(cli, CLI_FAILED, "%s: %s", path, strerror(errno));
	bool good = write(fd, p, n) == (ssize_t)n && fsync(fd) == 0;
	good = close(fd) == 0 && good;
	return good ? CLI_OK : cli_fail(cli, CLI_FAILED, "%s: cannot be written", path);
}

/* json is taken. */
static enum cli_exit write_json(struct cli *cli, const char *path, json_t *json, bool is_secret)
{
	char *text = json_dumps(json, JSON_INDENT(1) | JSON_SORT_KEYS);
	json_decref(json);
	if (text == NULL)
		return cli_fail(cli, CLI_FAILED, "out of memory");
	const enum cli_exit code = is_secret ? cli_write_secret(cli, path, text)
					     : write_new(cli, path, text, strlen(text));
	cs_wipe(text, strlen(text));
	free(text);
	return code;
}

/* ---- challenge ---- */

static enum cs_err read_request(struct tpm_evidence *evidence, const json_t *json,
				struct cs_arena *arena, struct cs_why *why)
{
	static const char *const names[] = {"ak_area", "ak_public", "ek", "ek_certificate", NULL};
	*evidence = (struct tpm_evidence){.shape = TPM_PLAIN};
	CS_TRY(host_json_known(json, names, "the request", why));
	CS_TRY(read_base64(&evidence->ak_area, json, "ak_area", arena, why));
	CS_TRY(read_base64(&evidence->ak_public, json, "ak_public", arena, why));
	return read_base64(&evidence->ek_certificate, json, "ek_certificate", arena, why);
}

static enum cli_exit refused(struct attest_run *run)
{
	for (size_t i = 0; i < run->result.check_count; i++) {
		const struct attest_check *check = &run->result.checks[i];
		if (check->outcome == ATTEST_FAILED)
			return cli_fail(run->cli, CLI_NO, "no challenge: %s: %s", check->name,
					check->detail.text);
	}
	cs_assert(false);
	return CLI_FAILED;
}

static enum cli_exit admit(struct tpm_admitted *admitted, struct cs_bytes *ak,
			   struct attest_run *run, const json_t *request)
{
	struct cs_why why = {{0}};
	struct attest_work work = {&run->in, run->nistp, &run->arena, &run->result, &why};
	struct tpm_evidence evidence;
	bool good = false;
	memset(&run->result, 0, sizeof run->result);
	enum cs_err err = read_request(&evidence, request, &run->arena, &why);
	if (err == CS_OK)
		err = tpm_key_admit(admitted, &good, &work, &evidence);
	if (err == CS_ERR_NO_MEMORY || err == CS_ERR_CRYPTO)
		return cli_fail(run->cli, CLI_FAILED, "%s", cs_err_sentence(err));
	if (err != CS_OK)
		return cli_fail(run->cli, CLI_USAGE, "%s: %s: %s", run->cli->positional[0],
				cs_err_sentence(err), why.text);
	*ak = evidence.ak_public;
	return good ? CLI_OK : refused(run);
}

static const char *template_of(const struct x509_key *ek)
{
	return ek->kind == X509_KEY_P256         ? "p256"
	       : ek->kind == X509_KEY_P384       ? "p384"
	       : ek->rsa.modulus.n == 3072u / 8u ? "rsa3072"
						 : "rsa2048";
}

struct draws {
	uint8_t secret[SECRET_SIZE], seed[TPM_SEED_SIZE_MAX], padding[TPM_SEED_SIZE_MAX];
	size_t seed_size, padding_size;
};

static enum cs_err draw(struct tpm_credential *credential, struct draws *draws,
			const struct tpm_admitted *admitted)
{
	enum cs_err err = CS_ERR_INVALID;
	if (!tpm_drawn_sizes(&draws->seed_size, &draws->padding_size, &admitted->ek))
		return CS_ERR_WRONG_KEY;
	for (int i = 0; i < DRAWS_MAX && err == CS_ERR_INVALID; i++) {
		if (getrandom(draws->secret, sizeof draws->secret, 0) != SECRET_SIZE ||
		    getrandom(draws->seed, sizeof draws->seed, 0) != TPM_SEED_SIZE_MAX ||
		    getrandom(draws->padding, sizeof draws->padding, 0) != TPM_SEED_SIZE_MAX)
			return CS_ERR_CRYPTO;
		const struct tpm_drawn drawn = {CS_BYTES_OF(draws->secret),
						cs_bytes(draws->seed, draws->seed_size),
						cs_bytes(draws->padding, draws->padding_size)};
		err = tpm_credential_make(credential, &admitted->ek, admitted->name, &drawn);
	}
	return err;
}

/* What stays here first: a challenge that nobody can check any more is of no use. */
static enum cli_exit write_challenge(struct cli *cli, const struct tpm_credential *credential,
				     const struct draws *draws, const struct tpm_admitted *admitted,
				     struct cs_bytes ak)
{
	json_t *kept = json_pack(
		"{s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:I}", "ak_public", base64(ak), "credential_blob",
		hex(credential->blob, credential->blob_size), "encrypted_secret",
		hex(credential->encrypted_secret, credential->encrypted_secret_size), "name",
		hex(admitted->name, sizeof admitted->name), "padding",
		hex(draws->padding, draws->padding_size), "secret",
		hex(draws->secret, sizeof draws->secret), "seed",
		hex(draws->seed, draws->seed_size), "made", (json_int_t)time(NULL));
	enum cli_exit code = write_json(cli, cli_option(cli, "keep"), kept, true);
	if (code != CLI_OK)
		return code;
	return write_json(
		cli, cli_option(cli, "out"),
		json_pack("{s:o,s:s,s:o}", "credential_blob",
			  hex(credential->blob, credential->blob_size), "ek",
			  template_of(&admitted->ek), "encrypted_secret",
			  hex(credential->encrypted_secret, credential->encrypted_secret_size)),
		false);
}

static enum cli_exit challenge(struct attest_run *run, const char *path)
{
	struct tpm_admitted admitted = {.name = {0}};
	struct tpm_credential credential = {.blob_size = 0};
	struct draws draws = {.seed_size = 0};
	struct cs_bytes ak = CS_BYTES_NONE;
	json_t *request = NULL;
	enum cli_exit code = attest_run_options(run, 0);
	if (code == CLI_OK)
		code = load(run, &request, path, false);
	if (code == CLI_OK)
		code = admit(&admitted, &ak, run, request);
	json_decref(request);
	if (code != CLI_OK)
		return code;
	const enum cs_err err = draw(&credential, &draws, &admitted);
	if (err != CS_OK)
		return cli_fail(run->cli, err == CS_ERR_CRYPTO ? CLI_FAILED : CLI_NO,
				"no challenge: %s", cs_err_sentence(err));
	code = write_challenge(run->cli, &credential, &draws, &admitted, ak);
	cs_wipe(&draws, sizeof draws);
	if (code == CLI_OK && !run->cli->json)
		printf("%s  for the machine: caisson-tpm-quoter --activate\n%s  stays here: mode "
		       "600, for a day\n",
		       cli_option(run->cli, "out"), cli_option(run->cli, "keep"));
	return code;
}

enum cli_exit cli_attest_challenge(struct cli *cli)
{
	if (cli->positional_count != 1)
		return cli_fail(cli, CLI_USAGE, "which file of caisson-tpm-quoter --endorse?");
	if (cli_option(cli, "out") == NULL || cli_option(cli, "keep") == NULL)
		return cli_fail(cli, CLI_USAGE, "--out and --keep: where the two parts go");
	struct attest_run *run = attest_run_new(cli);
	if (run == NULL)
		return cli_fail(cli, CLI_FAILED, "out of memory");
	const enum cli_exit code = challenge(run, cli->positional[0]);
	attest_close(run);
	return code;
}

/* ---- the CA ---- */

struct ca {
	X509 *certificate;
	EVP_PKEY *key;
};

static void ca_done(struct ca *ca)
{
	X509_free(ca->certificate);
	EVP_PKEY_free(ca->key);
}

/* No question on the terminal for a key under a password. */
static int no_password(char *p, int n, int writes, void *context)
{
	(void)p, (void)n, (void)writes, (void)context;
	return -1;
}

/* What verify/attest/x509.c reads: no Ed25519. */
static bool signs_what_is_read(const EVP_PKEY *key)
{
	const int kind = EVP_PKEY_get_base_id(key), bits = EVP_PKEY_get_bits(key);
	return kind == EVP_PKEY_EC ? bits == 256 || bits == 384
				   : kind == EVP_PKEY_RSA && bits >= 2048 && bits <= 4096;
}

static enum cli_exit ca_load(struct ca *ca, struct cli *cli)
{
	const char *path = cli_option(cli, "ca"), *key_path = cli_option(cli, "ca-key");
	struct cs_why why = {{0}};
	uint8_t *text = NULL;
	size_t size = 0;
	if (host_file_load(&text, &size, path, FILE_SIZE_MAX, &why) != CS_OK)
		return cli_fail(cli, CLI_USAGE, "%s", why.text);
	BIO *bio = BIO_new_mem_buf(text, (int)size);
	ca->certificate = bio == NULL ? NULL : PEM_read_bio_X509(bio, NULL, no_password, NULL);
	BIO_free(bio);
	free(text);
	if (ca->certificate == NULL)
		return cli_fail(cli, CLI_USAGE, "--ca %s: no certificate in PEM", path);
	if (host_file_load_own(&text, &size, key_path, FILE_SIZE_MAX, 077, &why) != CS_OK)
		return cli_fail(cli, CLI_USAGE, "%s", why.text);
	bio = BIO_new_mem_buf(text, (int)size);
	ca->key = bio == NULL ? NULL : PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL);
	BIO_free(bio);
	cs_wipe(text, size);
	free(text);
	if (ca->key == NULL)
		return cli_fail(cli, CLI_USAGE,
				"--ca-key %s: no private key in PEM without a "
				"password",
				key_path);
	if (!signs_what_is_read(ca->key) || X509_check_private_key(ca->certificate, ca->key) != 1 ||
	    X509_check_ca(ca->certificate) != 1)
		return cli_fail(cli, CLI_USAGE,
				"--ca: a CA's certificate with P-256, P-384 or RSA "
				"of up to 4096 bits, and its key");
	return CLI_OK;
}

/* ---- the attestation key's certificate ---- */

static bool add(X509 *x, X509V3_CTX *context, int kind, const char *value)
{
	X509_EXTENSION *made = X509V3_EXT_conf_nid(NULL, context, kind, value);
	const bool good = made != NULL && X509_add_ext(x, made, -1) == 1;
	X509_EXTENSION_free(made);
	return good;
}

static bool set_serial(X509 *x)
{
	uint8_t random[SERIAL_SIZE];
	if (getrandom(random, sizeof random, 0) != SERIAL_SIZE)
		return false;
	random[0] = (random[0] & 0x7f) | 0x40; /* positive, of one length */
	BIGNUM *number = BN_bin2bn(random, sizeof random, NULL);
	const bool good =
		number != NULL && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(x)) != NULL;
	BN_free(number);
	return good;
}

static bool fill(X509 *x, const struct ca *ca, EVP_PKEY *key, const char *name, uint64_t days)
{
	X509V3_CTX context;
	const EVP_MD *hash = EVP_PKEY_get_bits(ca->key) == 384 ? EVP_sha384() : EVP_sha256();
	X509_NAME *subject = X509_get_subject_name(x);
	X509V3_set_ctx(&context, ca->certificate, x, NULL, NULL, 0);
	return X509_set_version(x, X509_VERSION_3) == 1 && set_serial(x) &&
	       X509_set_issuer_name(x, X509_get_subject_name(ca->certificate)) == 1 &&
	       X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const uint8_t *)name, -1,
					  -1, 0) == 1 &&
	       X509_gmtime_adj(X509_getm_notBefore(x), 0) != NULL &&
	       X509_time_adj_ex(X509_getm_notAfter(x), (int)days, 0, NULL) != NULL &&
	       X509_set_pubkey(x, key) == 1 &&
	       add(x, &context, NID_basic_constraints, "critical,CA:FALSE") &&
	       add(x, &context, NID_key_usage, "critical,digitalSignature") &&
	       add(x, &context, NID_ext_key_usage, attestation_key) &&
	       add(x, &context, NID_subject_key_identifier, "hash") &&
	       (X509_get0_subject_key_id(ca->certificate) == NULL ||
		add(x, &context, NID_authority_key_identifier, "keyid")) &&
	       X509_sign(x, ca->key, hash) > 0;
}

/* *der is malloc'd. */
static enum cli_exit issue(uint8_t **der, size_t *size, struct cli *cli, const struct ca *ca,
			   struct cs_bytes ak, const char *name)
{
	uint64_t days = DAYS_DEFAULT;
	const uint8_t *p = ak.p;
	if (!cli_number(cli, "days", DAYS_MAX, &days) || days == 0)
		return cli_fail(cli, CLI_USAGE, "--days: 1 to %u", DAYS_MAX);
	EVP_PKEY *key = d2i_PUBKEY(NULL, &p, (long)ak.n);
	X509 *x = X509_new();
	enum cli_exit code = CLI_OK;
	int n = -1;
	if (key == NULL || x == NULL || !fill(x, ca, key, name, days))
		code = cli_fail(cli, CLI_FAILED, "OpenSSL does not make the certificate");
	else if (ASN1_TIME_compare(X509_get0_notAfter(x), X509_get0_notAfter(ca->certificate)) > 0)
		code = cli_fail(cli, CLI_USAGE, "--days: the CA's own certificate ends before");
	else if ((n = i2d_X509(x, der)) <= 0)
		code = cli_fail(cli, CLI_FAILED, "out of memory");
	*size = n > 0 ? (size_t)n : 0;
	X509_free(x);
	EVP_PKEY_free(key);
	return code;
}

/* ---- certify ---- */

struct kept {
	struct cs_bytes ak, name, secret;
	uint64_t made;
};

static enum cs_err kept_read(struct kept *kept, const json_t *json, struct cs_arena *arena,
			     struct cs_why *why)
{
	static const char *const names[] = {
		"ak_public", "credential_blob", "encrypted_secret", "made",
		"name",      "padding",         "secret",           "seed",
		NULL};
	const json_int_t made = json_integer_value(json_object_get(json, "made"));
	CS_TRY(host_json_known(json, names, "--keep", why));
	CS_TRY(read_base64(&kept->ak, json, "ak_public", arena, why));
	CS_TRY(read_hex(&kept->name, json, "name", arena, why));
	CS_TRY(read_hex(&kept->secret, json, "secret", arena, why));
	if (made <= 0 || kept->secret.n != SECRET_SIZE || kept->name.n != TPM_NAME_SIZE)
		return cs_fail(why, CS_ERR_MALFORMED, "made, name, secret");
	kept->made = (uint64_t)made;
	return CS_OK;
}

static enum cli_exit judge_answer(struct attest_run *run, const struct kept *kept,
				  const json_t *answer)
{
	static const char *const names[] = {"answer", NULL};
	const uint64_t now = (uint64_t)time(NULL);
	struct cs_why why = {{0}};
	struct cs_bytes given = CS_BYTES_NONE;
	if (host_json_known(answer, names, run->cli->positional[0], &why) != CS_OK ||
	    read_hex(&given, answer, "answer", &run->arena, &why) != CS_OK)
		return cli_fail(run->cli, CLI_USAGE, "%s: %s", run->cli->positional[0], why.text);
	if (now < kept->made || now - kept->made > CHALLENGE_AGE_MAX_S)
		return cli_fail(run->cli, CLI_NO,
				"the challenge is older than a day: make another one");
	if (given.n != kept->secret.n || !cs_ct_eq(given.p, kept->secret.p, given.n))
		return cli_fail(run->cli, CLI_NO,
				"not certified: this is not what the challenge holds");
	return CLI_OK;
}

/* For `caisson attest verify --collateral`, and to keep: json of --keep becomes one. */
static enum cli_exit write_transcript(struct cli *cli, json_t *json, const json_t *answer)
{
	const char *path = cli_option(cli, "transcript");
	if (path == NULL)
		return CLI_OK;
	json_t *made = json_copy(json);
	(void)json_object_del(made, "ak_public");
	(void)json_object_del(made, "made");
	(void)json_object_del(made, "name");
	(void)json_object_set(made, "answer", json_object_get(answer, "answer"));
	return write_json(cli, path, made, true);
}

static enum cli_exit certify(struct attest_run *run, json_t *keep, const json_t *answer)
{
	struct cli *cli = run->cli;
	struct cs_why why = {{0}};
	struct kept kept = {.made = 0};
	struct ca ca = {NULL, NULL};
	uint8_t *der = NULL;
	size_t size = 0;
	/* 16 bytes of the name's hash, as people compare them. */
	char text[64] = "caisson attestation key ";
	if (kept_read(&kept, keep, &run->arena, &why) != CS_OK)
		return cli_fail(cli, CLI_USAGE, "%s: %s", cli_option(cli, "keep"), why.text);
	enum cli_exit code = judge_answer(run, &kept, answer);
	if (code != CLI_OK)
		return code;
	cs_hex(text + strlen(text), cs_bytes(kept.name.p + 2, 16));
	code = ca_load(&ca, cli);
	if (code == CLI_OK)
		code = issue(&der, &size, cli, &ca, kept.ak, text);
	if (code == CLI_OK)
		code = write_new(cli, cli_option(cli, "out"), der, size);
	if (code == CLI_OK)
		code = write_transcript(cli, keep, answer);
	if (code == CLI_OK && !cli->json)
		printf("%s  certified; as ak.der into the enclave's tee_state: %s\n", text,
		       cli_option(cli, "out"));
	OPENSSL_free(der);
	ca_done(&ca);
	return code;
}

enum cli_exit cli_attest_certify(struct cli *cli)
{
	static const char *const needed[] = {"keep", "ca", "ca-key", "out"};
	json_t *keep = NULL, *answer = NULL;
	if (cli->positional_count != 1)
		return cli_fail(cli, CLI_USAGE, "which file of caisson-tpm-quoter --activate?");
	for (size_t i = 0; i < CS_LEN(needed); i++)
		if (cli_option(cli, needed[i]) == NULL)
			return cli_fail(cli, CLI_USAGE, "--%s: which file?", needed[i]);
	struct attest_run *run = attest_run_new(cli);
	if (run == NULL)
		return cli_fail(cli, CLI_FAILED, "out of memory");
	enum cli_exit code = load(run, &keep, cli_option(cli, "keep"), true);
	if (code == CLI_OK)
		code = load(run, &answer, cli->positional[0], false);
	if (code == CLI_OK)
		code = certify(run, keep, answer);
	json_decref(keep);
	json_decref(answer);
	attest_close(run);
	return code;
}
