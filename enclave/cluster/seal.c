#include "enclave/cluster/seal.h"

#include "core/reader.h"

#include <string.h>

static const uint8_t magic[8] = {'C', 'S', 'C', 'L', 'S', 'T', 'R', 2};
/* One blob, one salt, one key: the nonce is constant because the key is not. */
static const uint8_t nonce[CS_AEAD_NONCE_SIZE];

static void put_head(struct cs_buf *buf, const struct seal_head *head)
{
	cs_put(buf, CS_BYTES_OF(magic));
	cs_put_word(buf, &head->lineage);
	cs_put_word(buf, &head->build);
	cs_put_u64(buf, head->manifest_number);
	cs_put_u64(buf, head->counter);
	cs_put_word(buf, &head->record);
	cs_put_word(buf, &head->salt);
}

static bool get_head(struct seal_head *head, struct cs_bytes bytes)
{
	struct cs_reader reader;
	cs_reader_init(&reader, bytes);
	const struct cs_bytes mark = cs_get(&reader, sizeof magic);
	cs_get_copy(&reader, head->lineage.b, 32);
	cs_get_copy(&reader, head->build.b, 32);
	head->manifest_number = cs_get_u64(&reader);
	head->counter = cs_get_u64(&reader);
	cs_get_copy(&reader, head->record.b, 32);
	cs_get_copy(&reader, head->salt.b, 32);
	return !reader.failed && cs_bytes_eq(mark, CS_BYTES_OF(magic));
}

static void derive(struct cs_secret *key, const struct cs_secret *root, enum cluster_role role,
		   const struct seal_head *head)
{
	uint8_t info[24 + 1 + 32];
	memcpy(info, "caisson/cluster/seal/v1\0", 24);
	info[24] = (uint8_t)role;
	memcpy(info + 25, head->lineage.b, 32);
	cs_hkdf(key->b, sizeof key->b, CS_BYTES_OF(root->b), CS_BYTES_OF(head->salt.b),
		CS_BYTES_OF(info));
}

enum cs_err seal_write(struct cs_buf *out, const struct cs_secret *root, enum cluster_role role,
		       const struct seal_head *head, struct cs_bytes plain)
{
	struct cs_secret key;
	const size_t begin = out->n;
	put_head(out, head);
	if (out->failed || out->size_max - out->n < plain.n + CS_AEAD_TAG_SIZE)
		return CS_ERR_TOO_LARGE;
	derive(&key, root, role, head);
	const enum cs_err err = cs_aead_seal(out->p + out->n, &key, nonce,
					     cs_bytes(out->p + begin, SEAL_HEAD_SIZE), plain);
	cs_wipe(&key, sizeof key);
	if (err == CS_OK)
		out->n += plain.n + CS_AEAD_TAG_SIZE;
	return err;
}

struct cs_hash seal_build(const struct cluster_self *self)
{
	const struct cs_hash none = {{0}};
	return self->build_size == 0 ? none : cs_sha256(cs_bytes(self->build, self->build_size));
}

/* Is it the label of a build that may have the role? */
static bool lists(const struct attest_policy *policy, const struct cs_hash *build)
{
	for (size_t i = 0; i < policy->reference_count; i++) {
		const struct cs_hash listed = cs_sha256(policy->references[i].label);
		if (cs_hash_eq(&listed, build))
			return true;
	}
	return false;
}

static enum cs_err judge(const struct seal_head *head, enum cluster_role role,
			 const struct cluster_manifest *m, struct cs_why *why)
{
	if (!cs_hash_eq(&head->lineage, cluster_manifest_lineage(m)))
		return cs_fail(why, CS_ERR_WRONG_LINEAGE, "sealed under another first manifest");
	if (head->manifest_number > m->number)
		return cs_fail(
			why, CS_ERR_WRONG_MANIFEST, "sealed under manifest %llu, this is %llu",
			(unsigned long long)head->manifest_number, (unsigned long long)m->number);
	if (!lists(cluster_manifest_policy(m, role), &head->build))
		return cs_fail(why, CS_ERR_UNLISTED_BUILD,
			       "sealed by a build that the manifest does not name");
	return CS_OK;
}

enum cs_err seal_read(uint8_t *out, struct seal_head *head, const struct cs_secret *root,
		      enum cluster_role role, const struct cluster_manifest *m,
		      struct cs_bytes sealed, struct cs_why *why)
{
	struct cs_secret key;
	if (sealed.n < SEAL_OVERHEAD || !get_head(head, sealed))
		return cs_fail(why, CS_ERR_SEAL_BROKEN, "no sealed state of a cluster's process");
	derive(&key, root, role, head);
	enum cs_err err =
		cs_aead_open(out, &key, nonce, cs_bytes(sealed.p, SEAL_HEAD_SIZE),
			     cs_bytes(sealed.p + SEAL_HEAD_SIZE, sealed.n - SEAL_HEAD_SIZE));
	cs_wipe(&key, sizeof key);
	CS_TRY(err);
	err = judge(head, role, m, why);
	if (err != CS_OK)
		cs_wipe(out, sealed.n - SEAL_OVERHEAD);
	return err;
}
