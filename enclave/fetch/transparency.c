#include "enclave/fetch/transparency.h"

#include <fcntl.h>
#include <openssl/ct.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* An EC P-256 key is 91 bytes, an RSA-4096 one 550. */
#define LOG_KEY_SIZE_MAX 600u
#define LOG_LINE_SIZE_MAX (LOG_KEY_SIZE_MAX / 3 * 4 + 64u)
/* More timestamps than any certificate has. */
#define TIMESTAMPS_MAX 16

struct transparency {
	CTLOG_STORE *store;
	size_t count;
	struct {
		uint32_t operator_id;
		uint64_t retired_at_s;
	} logs[FETCH_LOGS_MAX];
};

/* In the form of openssl's ct_log_list.cnf; the description is the index. */
static enum cs_err write_list(struct cs_buf *buf, const struct fetch_log *logs, size_t count,
			      struct cs_why *why)
{
	cs_put_text(buf, "enabled_logs = ");
	for (size_t i = 0; i < count; i++)
		cs_put_text(buf, "%s%zu", i == 0 ? "" : ",", i);
	for (size_t i = 0; i < count; i++) {
		unsigned char text[LOG_LINE_SIZE_MAX];
		const uint8_t *p = logs[i].spki.p;
		if (logs[i].spki.n == 0 || logs[i].spki.n > LOG_KEY_SIZE_MAX)
			return cs_fail(why, CS_ERR_INVALID, "log %zu: size of the key", i);
		EVP_PKEY *key = d2i_PUBKEY(NULL, &p, (long)logs[i].spki.n);
		const bool good = key != NULL && p == logs[i].spki.p + logs[i].spki.n;
		EVP_PKEY_free(key);
		if (!good)
			return cs_fail(why, CS_ERR_INVALID, "log %zu: not a public key", i);
		const int n = EVP_EncodeBlock(text, logs[i].spki.p, (int)logs[i].spki.n);
		cs_put_text(buf, "\n[%zu]\ndescription = %zu\nkey = %.*s", i, i, n, (char *)text);
	}
	cs_put_u8(buf, '\n');
	return cs_buf_end(buf);
}

static bool load(CTLOG_STORE *store, struct cs_bytes list)
{
	char path[32];
	struct cs_buf buf;
	const int fd = memfd_create("logs", MFD_CLOEXEC);
	if (fd < 0)
		return false;
	cs_buf_init(&buf, path, sizeof path);
	cs_put_text(&buf, "/proc/self/fd/%d", fd);
	cs_put_u8(&buf, 0);
	const bool good = cs_buf_end(&buf) == CS_OK &&
			  write(fd, list.p, list.n) == (ssize_t)list.n &&
			  CTLOG_STORE_load_file(store, path) == 1;
	(void)close(fd);
	return good;
}

static enum cs_err fill(struct transparency *t, const struct fetch_log *logs, size_t count,
			struct cs_why *why)
{
	const size_t size_max = 4096 + count * (LOG_LINE_SIZE_MAX + 64);
	uint8_t *text = malloc(size_max);
	struct cs_buf buf;
	if (text == NULL)
		return CS_ERR_NO_MEMORY;
	cs_buf_init(&buf, text, size_max);
	enum cs_err err = write_list(&buf, logs, count, why);
	if (err == CS_OK && !load(t->store, cs_buf_view(&buf)))
		err = cs_fail(why, CS_ERR_CRYPTO, "the list of logs cannot be loaded");
	free(text);
	for (size_t i = 0; i < count; i++) {
		t->logs[i].operator_id = logs[i].operator_id;
		t->logs[i].retired_at_s = logs[i].retired_at_s;
	}
	t->count = count;
	return err;
}

enum cs_err transparency_new(struct transparency **out, const struct fetch_log *logs, size_t count,
			     struct cs_why *why)
{
	if (count > FETCH_LOGS_MAX)
		return cs_fail(why, CS_ERR_TOO_LARGE, "%zu logs", count);
	struct transparency *t = calloc(1, sizeof *t);
	if (t == NULL)
		return CS_ERR_NO_MEMORY;
	t->store = CTLOG_STORE_new();
	enum cs_err err = t->store == NULL ? CS_ERR_NO_MEMORY : CS_OK;
	if (err == CS_OK && count > 0)
		err = fill(t, logs, count, why);
	if (err != CS_OK) {
		transparency_free(t);
		return err;
	}
	*out = t;
	return CS_OK;
}

void transparency_free(struct transparency *t)
{
	if (t == NULL)
		return;
	CTLOG_STORE_free(t->store);
	free(t);
}

/* The row of the log that made it; count when the manifest does not list it. */
static size_t row_of(const struct transparency *t, const SCT *sct)
{
	unsigned char *id = NULL;
	const size_t n = SCT_get0_log_id(sct, &id);
	const CTLOG *log = CTLOG_STORE_get0_log_by_id(t->store, id, n);
	if (log == NULL)
		return t->count;
	size_t row = 0;
	for (const char *p = CTLOG_get0_name(log); *p != '\0'; p++)
		row = row * 10 + (size_t)(*p - '0');
	cs_assert(row < t->count);
	return row;
}

static bool is_valid(const struct transparency *t, SCT *sct, const CT_POLICY_EVAL_CTX *policy,
		     size_t *row)
{
	*row = row_of(t, sct);
	if (*row == t->count || SCT_set_source(sct, SCT_SOURCE_X509V3_EXTENSION) != 1)
		return false;
	const uint64_t retired_at_s = t->logs[*row].retired_at_s;
	if (retired_at_s != 0 && SCT_get_timestamp(sct) / 1000 >= retired_at_s)
		return false;
	return SCT_validate(sct, policy) == 1 &&
	       SCT_get_validation_status(sct) == SCT_VALIDATION_STATUS_VALID;
}

static uint8_t count_operators(const struct transparency *t, STACK_OF(SCT) * scts,
			       const CT_POLICY_EVAL_CTX *policy)
{
	uint32_t seen[TIMESTAMPS_MAX];
	uint8_t count = 0;
	for (int i = 0; i < sk_SCT_num(scts) && i < TIMESTAMPS_MAX; i++) {
		size_t row;
		if (!is_valid(t, sk_SCT_value(scts, i), policy, &row))
			continue;
		uint8_t at = 0;
		while (at < count && seen[at] != t->logs[row].operator_id)
			at++;
		if (at == count)
			seen[count++] = t->logs[row].operator_id;
	}
	return count;
}

uint8_t transparency_count(const struct transparency *t, X509 *leaf, X509 *issuer, uint64_t now_s)
{
	uint8_t count = 0;
	if (t->count == 0)
		return 0;
	STACK_OF(SCT) *scts = X509_get_ext_d2i(leaf, NID_ct_precert_scts, NULL, NULL);
	CT_POLICY_EVAL_CTX *policy = CT_POLICY_EVAL_CTX_new();
	if (scts != NULL && policy != NULL && CT_POLICY_EVAL_CTX_set1_cert(policy, leaf) == 1 &&
	    CT_POLICY_EVAL_CTX_set1_issuer(policy, issuer) == 1) {
		CT_POLICY_EVAL_CTX_set_shared_CTLOG_STORE(policy, t->store);
		/* Within this second is not the future. */
		CT_POLICY_EVAL_CTX_set_time(policy, now_s * 1000 + 999);
		count = count_operators(t, scts, policy);
	}
	CT_POLICY_EVAL_CTX_free(policy);
	SCT_LIST_free(scts);
	return count;
}
