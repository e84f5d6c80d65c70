#include "enclave/fetch/trust.h"

#include "core/hash.h"
#include "core/json.h"

#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdlib.h>

#define LOG_KEY_SIZE_MAX 512u
#define LOGS_ARENA_SIZE (2u * 1024 * 1024)

struct trust {
	size_t anchor_count;
	struct fetch_anchor anchors[FETCH_ANCHORS_MAX];
	uint8_t *ders[FETCH_ANCHORS_MAX]; /* OpenSSL's memory */
	size_t log_count;
	struct fetch_log logs[FETCH_LOGS_MAX];
	struct cs_bytes operators[FETCH_LOGS_MAX];
	uint8_t keys[FETCH_LOGS_MAX][LOG_KEY_SIZE_MAX];
};

static enum cs_err check_file(struct cs_bytes file, const struct cs_hash *wanted, const char *name,
			      struct cs_why *why)
{
	const struct cs_hash hash = cs_sha256(file);
	if (!cs_hash_eq(&hash, wanted))
		return cs_fail(why, CS_ERR_NOT_IN_MANIFEST,
			       "%s is not the one that the manifest names", name);
	return CS_OK;
}

/* ---- certificates ---- */

static enum cs_err add_anchor(struct trust *trust, bool *found, const struct manifest_trust *wanted,
			      X509 *certificate, struct cs_why *why)
{
	if (trust->anchor_count == FETCH_ANCHORS_MAX)
		return cs_fail(why, CS_ERR_TOO_LARGE, "the trust store has more than %u",
			       FETCH_ANCHORS_MAX);
	uint8_t *der = NULL;
	const int n = i2d_X509(certificate, &der);
	if (n <= 0)
		return cs_fail(why, CS_ERR_MALFORMED, "certificate %zu of the trust store",
			       trust->anchor_count + 1);
	struct fetch_anchor anchor = {.der = cs_bytes(der, (size_t)n)};
	const struct cs_hash hash = cs_sha256(anchor.der);
	for (size_t i = 0; i < wanted->private_ca_count; i++)
		if (cs_hash_eq(&wanted->private_cas[i], &hash))
			anchor.private_ca = found[i] = true;
	trust->ders[trust->anchor_count] = der;
	trust->anchors[trust->anchor_count++] = anchor;
	return CS_OK;
}

static enum cs_err read_store(struct trust *trust, const struct manifest_trust *wanted,
			      struct cs_bytes store, struct cs_why *why)
{
	bool found[MANIFEST_PRIVATE_CAS_MAX] = {false};
	BIO *bio = BIO_new_mem_buf(store.p, (int)store.n);
	X509 *certificate;
	enum cs_err err = bio == NULL ? CS_ERR_NO_MEMORY : CS_OK;
	while (err == CS_OK && (certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
		err = add_anchor(trust, found, wanted, certificate, why);
		X509_free(certificate);
	}
	BIO_free(bio);
	CS_TRY(err);
	if (trust->anchor_count == 0)
		return cs_fail(why, CS_ERR_MALFORMED, "the trust store has no certificate in PEM");
	for (size_t i = 0; i < wanted->private_ca_count; i++)
		if (!found[i])
			return cs_fail(why, CS_ERR_NOT_FOUND,
				       "private_cas[%zu] is not in the trust store", i);
	return CS_OK;
}

/* ---- logs ---- */

/* An operator is numbered by its first log. */
static uint32_t operator_of(const struct trust *trust, struct cs_bytes name)
{
	size_t at = 0;
	while (at < trust->log_count && !cs_bytes_eq(trust->operators[at], name))
		at++;
	return (uint32_t)at + 1;
}

static enum cs_err add_log(struct trust *trust, const struct cs_json *json, struct cs_why *why)
{
	static const char *const keys[] = {"key", "operator", "retired_at_s"};
	struct cs_bytes hex;
	struct cs_bytes name;
	if (trust->log_count == FETCH_LOGS_MAX)
		return cs_fail(why, CS_ERR_TOO_LARGE, "more than %u logs", FETCH_LOGS_MAX);
	struct fetch_log log = {.retired_at_s = 0};
	CS_TRY(cs_json_only(json, keys, CS_LEN(keys), why));
	CS_TRY(cs_json_member_string(&hex, json, "key", 2 + 2 * LOG_KEY_SIZE_MAX, why));
	CS_TRY(cs_json_member_string(&name, json, "operator", 64, why));
	CS_TRY(cs_json_member_u64(&log.retired_at_s, json, "retired_at_s", UINT64_C(1) << 53, why));
	const size_t n = hex.n < 2 ? 0 : (hex.n - 2) / 2;
	if (n == 0 ||
	    cs_json_member_hex(trust->keys[trust->log_count], n, json, "key", why) != CS_OK)
		return cs_fail(why, CS_ERR_MALFORMED, "logs[%zu].key is not hex", trust->log_count);
	log.spki = cs_bytes(trust->keys[trust->log_count], n);
	log.operator_id = operator_of(trust, name);
	trust->operators[trust->log_count] = name;
	trust->logs[trust->log_count++] = log;
	return CS_OK;
}

static enum cs_err read_logs(struct trust *trust, struct cs_bytes file, struct cs_arena *arena,
			     struct cs_why *why)
{
	static const char *const keys[] = {"logs", "version"};
	const struct cs_json *json = NULL;
	const struct cs_json *array = NULL;
	uint64_t version = 0;
	CS_TRY(cs_json_parse_canonical(&json, file, arena, why));
	CS_TRY(cs_json_only(json, keys, CS_LEN(keys), why));
	CS_TRY(cs_json_member_u64(&version, json, "version", UINT64_MAX, why));
	if (version != 1)
		return cs_fail(why, CS_ERR_UNSUPPORTED, "logs: version is not 1");
	CS_TRY(cs_json_member(&array, json, "logs", CS_JSON_ARRAY, why));
	for (const struct cs_json *at = array->child; at != NULL; at = at->next)
		CS_TRY(add_log(trust, at, why));
	return CS_OK;
}

static enum cs_err read_all(struct trust *trust, const struct manifest_trust *wanted,
			    struct cs_bytes store, struct cs_bytes logs, struct cs_arena *arena,
			    struct cs_why *why)
{
	CS_TRY(check_file(store, &wanted->trust_store, "--trust-store", why));
	CS_TRY(read_store(trust, wanted, store, why));
	if (cs_hash_is_zero(&wanted->logs))
		return logs.n == 0 ? CS_OK
				   : cs_fail(why, CS_ERR_INVALID,
					     "--logs is given, and the manifest names none");
	CS_TRY(check_file(logs, &wanted->logs, "--logs", why));
	return read_logs(trust, logs, arena, why);
}

enum cs_err trust_open(struct fetch **fetch, const struct manifest_trust *wanted,
		       struct cs_bytes store, struct cs_bytes logs, int egress_fd,
		       struct cs_why *why)
{
	struct trust *trust = calloc(1, sizeof *trust);
	void *block = malloc(LOGS_ARENA_SIZE);
	struct cs_arena arena;
	enum cs_err err = trust == NULL || block == NULL ? CS_ERR_NO_MEMORY : CS_OK;
	cs_arena_init(&arena, block, LOGS_ARENA_SIZE);
	if (err == CS_OK)
		err = read_all(trust, wanted, store, logs, &arena, why);
	if (err == CS_OK) {
		const struct fetch_options options = {.anchors = trust->anchors,
						      .anchor_count = trust->anchor_count,
						      .logs = trust->logs,
						      .log_count = trust->log_count,
						      .literals_allowed = wanted->address_literals,
						      .private_allowed = wanted->private_networks,
						      .egress_fd = egress_fd};
		err = fetch_new(fetch, &options, why);
	}
	for (size_t i = 0; trust != NULL && i < trust->anchor_count; i++)
		OPENSSL_free(trust->ders[i]);
	free(block);
	free(trust);
	return err;
}
