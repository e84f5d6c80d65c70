#include "verify/cluster/keys.h"

#include "core/reader.h"

#include <string.h>

#define DATA_VERSION 1u
#define DATA_HEAD_SIZE (1u + 8u + 32u)

/* What HKDF's info holds at the most. */
struct info {
	struct cs_buf buf;
	uint8_t memory[256];
};

static void info_begin(struct info *info, const char *tag)
{
	cs_buf_init(&info->buf, info->memory, sizeof info->memory);
	cs_put_text(&info->buf, "%s", tag);
	cs_put_u8(&info->buf, 0);
}

static void info_text(struct info *info, struct cs_bytes text)
{
	cs_put_u8(&info->buf, (uint8_t)text.n);
	cs_put(&info->buf, text);
}

static void derive(uint8_t *out, size_t n, const struct cs_secret *key, struct cs_bytes salt,
		   const struct info *info)
{
	cs_assert(cs_buf_end(&info->buf) == CS_OK);
	cs_hkdf(out, n, CS_BYTES_OF(key->b), salt, cs_buf_view(&info->buf));
}

void cluster_key_application(struct cs_secret *out, const struct cluster_epoch *epoch,
			     const struct cs_hash *lineage, bool insecure, enum cluster_role role,
			     struct cs_bytes application)
{
	struct info info;
	info_begin(&info, "caisson/cluster/application/v1");
	cs_put_u8(&info.buf, insecure);
	cs_put_u64(&info.buf, epoch->number);
	cs_put_u8(&info.buf, (uint8_t)role);
	info_text(&info, application);
	derive(out->b, sizeof out->b, &epoch->root, CS_BYTES_OF(lineage->b), &info);
}

enum cs_err cluster_key_authority(struct cluster_pair *out, const struct cluster_epoch *epoch,
				  const struct cs_hash *lineage, bool insecure)
{
	struct info info;
	struct cs_secret secret;
	info_begin(&info, "caisson/cluster/authority/v1");
	cs_put_u8(&info.buf, insecure);
	cs_put_u64(&info.buf, epoch->number);
	derive(secret.b, sizeof secret.b, &epoch->root, CS_BYTES_OF(lineage->b), &info);
	const enum cs_err err = cluster_pair_make(out, &secret);
	cs_wipe(&secret, sizeof secret);
	return err;
}

/* ---- data ---- */

static bool purpose_is_valid(struct cs_bytes purpose)
{
	if (purpose.n == 0 || purpose.n > CLUSTER_PURPOSE_SIZE_MAX)
		return false;
	for (size_t i = 0; i < purpose.n; i++) {
		const uint8_t c = purpose.p[i];
		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-' && c != '.')
			return false;
	}
	return true;
}

/* One key and nonce for each message: the salt is random, so no nonce is ever used twice however many
 * workers write. */
struct data_key {
	struct cs_secret key;
	uint8_t nonce[CS_AEAD_NONCE_SIZE];
};

static void data_key(struct data_key *out, const struct cluster_ring *ring,
		     const struct cluster_epoch_key *epoch, struct cs_bytes purpose,
		     struct cs_bytes salt)
{
	struct info info;
	uint8_t both[sizeof out->key.b + sizeof out->nonce];
	info_begin(&info, "caisson/cluster/data/v1");
	cs_put_u64(&info.buf, epoch->epoch);
	info_text(&info, cs_bytes(ring->application, ring->application_size));
	info_text(&info, purpose);
	derive(both, sizeof both, &epoch->key, salt, &info);
	memcpy(out->key.b, both, sizeof out->key.b);
	memcpy(out->nonce, both + sizeof out->key.b, sizeof out->nonce);
	cs_wipe(both, sizeof both);
}

/* The head, and what the caller wants bound. */
static struct cs_hash data_aad(const struct cluster_ring *ring, struct cs_bytes head,
			       struct cs_bytes aad)
{
	const struct cs_bytes pieces[] = {CS_BYTES_OF(ring->lineage.b), head, aad};
	return cs_sha256_join(pieces, CS_LEN(pieces));
}

enum cs_err cluster_data_seal(struct cs_buf *out, const struct cluster_ring *ring,
			      struct cs_bytes purpose, struct cs_bytes aad, struct cs_bytes plain,
			      const struct cs_secret *salt, const struct verify_time *now)
{
	struct data_key key;
	if (!purpose_is_valid(purpose))
		return CS_ERR_INVALID;
	if (plain.n > CLUSTER_DATA_SIZE_MAX || out->failed ||
	    out->size_max - out->n < plain.n + CLUSTER_DATA_OVERHEAD)
		return CS_ERR_TOO_LARGE;
	if (ring->count == 0)
		return CS_ERR_NO_KEY;
	CS_TRY(verify_time_before(now, ring->until_s + 1));
	const struct cluster_epoch_key *epoch = &ring->keys[ring->count - 1];
	uint8_t *head = out->p + out->n;
	data_key(&key, ring, epoch, purpose, CS_BYTES_OF(salt->b));
	head[0] = DATA_VERSION;
	cs_put_be64(head + 1, epoch->epoch);
	memcpy(head + 9, salt->b, sizeof salt->b);
	const struct cs_hash bound = data_aad(ring, cs_bytes(head, DATA_HEAD_SIZE), aad);
	const enum cs_err err = cs_aead_seal(head + DATA_HEAD_SIZE, &key.key, key.nonce,
					     CS_BYTES_OF(bound.b), plain);
	cs_wipe(&key, sizeof key);
	if (err == CS_OK)
		out->n += plain.n + CLUSTER_DATA_OVERHEAD;
	return err;
}

static const struct cluster_epoch_key *epoch_of(const struct cluster_ring *ring, uint64_t number)
{
	for (size_t i = 0; i < ring->count; i++)
		if (ring->keys[i].epoch == number)
			return &ring->keys[i];
	return NULL;
}

enum cs_err cluster_data_open(struct cs_buf *out, const struct cluster_ring *ring,
			      struct cs_bytes purpose, struct cs_bytes aad, struct cs_bytes sealed,
			      const struct verify_time *now)
{
	struct data_key key;
	if (!purpose_is_valid(purpose))
		return CS_ERR_INVALID;
	if (sealed.n < CLUSTER_DATA_OVERHEAD)
		return CS_ERR_TRUNCATED;
	const size_t plain_size = sealed.n - CLUSTER_DATA_OVERHEAD;
	if (plain_size > CLUSTER_DATA_SIZE_MAX || out->failed ||
	    out->size_max - out->n < plain_size)
		return CS_ERR_TOO_LARGE;
	if (sealed.p[0] != DATA_VERSION)
		return CS_ERR_UNSUPPORTED;
	if (ring->count == 0)
		return CS_ERR_NO_KEY;
	CS_TRY(verify_time_before(now, ring->until_s + 1));
	const struct cluster_epoch_key *epoch = epoch_of(ring, cs_be64(sealed.p + 1));
	if (epoch == NULL)
		return CS_ERR_WRONG_EPOCH;
	if (epoch->decrypt_until_s != 0)
		CS_TRY(verify_time_before(now, epoch->decrypt_until_s + 1));
	const struct cs_bytes head = cs_bytes(sealed.p, DATA_HEAD_SIZE);
	data_key(&key, ring, epoch, purpose, cs_bytes(sealed.p + 9, 32));
	const struct cs_hash bound = data_aad(ring, head, aad);
	const enum cs_err err =
		cs_aead_open(out->p + out->n, &key.key, key.nonce, CS_BYTES_OF(bound.b),
			     cs_bytes(sealed.p + DATA_HEAD_SIZE, sealed.n - DATA_HEAD_SIZE));
	cs_wipe(&key, sizeof key);
	if (err == CS_OK)
		out->n += plain_size;
	return err;
}

/* ---- secrets of programs ---- */

enum cs_err cluster_program_secret(struct cluster_program_secret *out,
				   const struct cluster_ring *ring, struct cs_bytes name,
				   uint64_t number, const struct verify_time *now)
{
	struct info info;
	if (!purpose_is_valid(name))
		return CS_ERR_INVALID;
	if (ring->count == 0)
		return CS_ERR_NO_KEY;
	CS_TRY(verify_time_before(now, ring->until_s + 1));
	const struct cluster_epoch_key *epoch =
		number == 0 ? &ring->keys[ring->count - 1] : epoch_of(ring, number);
	if (epoch == NULL)
		return CS_ERR_WRONG_EPOCH;
	if (epoch->decrypt_until_s != 0)
		CS_TRY(verify_time_before(now, epoch->decrypt_until_s + 1));
	info_begin(&info, "caisson/cluster/secret/v1");
	cs_put_u64(&info.buf, epoch->epoch);
	info_text(&info, cs_bytes(ring->application, ring->application_size));
	info_text(&info, name);
	derive(out->secret.b, sizeof out->secret.b, &epoch->key, CS_BYTES_OF(ring->lineage.b),
	       &info);
	out->epoch = epoch->epoch;
	out->until_s = epoch->decrypt_until_s;
	return CS_OK;
}

#define FILE_MAGIC "CSF1"
#define FILE_HEAD_SIZE (CLUSTER_FILE_OVERHEAD - CS_AEAD_TAG_SIZE)

static void file_key(struct data_key *out, const struct cluster_program_secret *secret,
		     struct cs_bytes name, struct cs_bytes salt)
{
	struct info info;
	uint8_t both[sizeof out->key.b + sizeof out->nonce];
	info_begin(&info, "caisson/cluster/file/v1");
	cs_put_u64(&info.buf, secret->epoch);
	info_text(&info, name);
	derive(both, sizeof both, &secret->secret, salt, &info);
	memcpy(out->key.b, both, sizeof out->key.b);
	memcpy(out->nonce, both + sizeof out->key.b, sizeof out->nonce);
	cs_wipe(both, sizeof both);
}

enum cs_err cluster_file_seal(struct cs_buf *out, const struct cluster_ring *ring,
			      struct cs_bytes name, struct cs_bytes plain,
			      const struct cs_secret *salt, const struct verify_time *now)
{
	struct cluster_program_secret secret;
	struct data_key key;
	if (plain.n > CLUSTER_DATA_SIZE_MAX || out->failed ||
	    out->size_max - out->n < plain.n + CLUSTER_FILE_OVERHEAD)
		return CS_ERR_TOO_LARGE;
	CS_TRY(cluster_program_secret(&secret, ring, name, 0, now));
	uint8_t *head = out->p + out->n;
	memcpy(head, FILE_MAGIC, 4);
	cs_put_be64(head + 4, secret.epoch);
	memcpy(head + 12, salt->b, sizeof salt->b);
	file_key(&key, &secret, name, CS_BYTES_OF(salt->b));
	const enum cs_err err = cs_aead_seal(head + FILE_HEAD_SIZE, &key.key, key.nonce,
					     cs_bytes(head, FILE_HEAD_SIZE), plain);
	cs_wipe(&key, sizeof key);
	cs_wipe(&secret, sizeof secret);
	if (err == CS_OK)
		out->n += plain.n + CLUSTER_FILE_OVERHEAD;
	return err;
}
