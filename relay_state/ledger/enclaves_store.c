#include "core/reader.h"
#include "relay_state/ledger/enclaves_parts.h"

#include <string.h>

#define KIND_ADMINISTRATORS 'a'
#define KIND_TERMS 'b'
#define KIND_ENCLAVE 'e'
#define KIND_KEY 'x'
#define KIND_EPOCH 'y'
#define KIND_MANIFEST 'm'
#define KIND_CONFLICT 'o'
#define KIND_TOMBSTONE 'z'

#define ENCLAVE_SIZE (3u + 4u * 32u + 4u * 8u + 32u + 20u)
#define KEY_SIZE (32u + 32u + 8u + 20u)
#define TERMS_SIZE (32u + 8u + 8u)
#define MANIFEST_SIZE 33u
#define MANIFEST_SETTLED_AT 32u
#define CONFLICT_SIZE (8u + 32u + 32u + 8u)
#define TOMBSTONE_SIZE (1u + 32u + 8u + 32u + 32u + 20u + 32u)
#define ADMINISTRATORS_SIZE_MAX (2u + LEDGER_ADMINISTRATORS_MAX * 32u)

static struct cs_u256 get_u256(struct cs_reader *reader)
{
	struct cs_hash word;
	cs_get_copy(reader, word.b, sizeof word.b);
	return cs_u256_from_word(&word);
}

static void put_u256(struct cs_buf *buf, const struct cs_u256 *value)
{
	const struct cs_hash word = cs_u256_word(value);
	cs_put_word(buf, &word);
}

/* A pair whose value was written into memory of exactly its size. */
static enum cs_err put_row(struct ledger_call *call, const struct ledger_key *key,
			   const struct cs_buf *buf)
{
	cs_assert(cs_buf_end(buf) == CS_OK && buf->n == buf->size_max);
	return ledger_put_fixed(call, key, buf->p, buf->n);
}

/* ---- enclaves ---- */

enum cs_err enclaves_get(struct ledger_call *call, struct enclaves_row *row,
			 const struct cs_hash *enclave)
{
	uint8_t value[ENCLAVE_SIZE];
	struct cs_reader in;
	const struct ledger_key key = ledger_key_of(KIND_ENCLAVE, CS_BYTES_OF(enclave->b));
	CS_TRY(ledger_get_fixed(call, value, sizeof value, &key));
	cs_reader_init(&in, CS_BYTES_OF(value));
	row->state = (enum ledger_enclave_state)cs_get_u8(&in);
	row->role = cs_get_u8(&in);
	row->evidence_kind = cs_get_u8(&in);
	cs_get_copy(&in, row->measurement.b, sizeof row->measurement.b);
	cs_get_copy(&in, row->lineage.b, sizeof row->lineage.b);
	row->manifest_number = cs_get_u64(&in);
	cs_get_copy(&in, row->manifest_hash.b, sizeof row->manifest_hash.b);
	cs_get_copy(&in, row->evidence_digest.b, sizeof row->evidence_digest.b);
	row->registered_s = cs_get_u64(&in);
	row->expires_s = cs_get_u64(&in);
	row->revoked_s = cs_get_u64(&in);
	row->bond = get_u256(&in);
	cs_get_copy(&in, row->bonder.b, sizeof row->bonder.b);
	return cs_reader_end(&in);
}

enum cs_err enclaves_put(struct ledger_call *call, const struct cs_hash *enclave,
			 const struct enclaves_row *row)
{
	uint8_t value[ENCLAVE_SIZE];
	struct cs_buf buf;
	const struct ledger_key key = ledger_key_of(KIND_ENCLAVE, CS_BYTES_OF(enclave->b));
	cs_buf_init(&buf, value, sizeof value);
	cs_put_u8(&buf, (uint8_t)row->state);
	cs_put_u8(&buf, row->role);
	cs_put_u8(&buf, row->evidence_kind);
	cs_put_word(&buf, &row->measurement);
	cs_put_word(&buf, &row->lineage);
	cs_put_u64(&buf, row->manifest_number);
	cs_put_word(&buf, &row->manifest_hash);
	cs_put_word(&buf, &row->evidence_digest);
	cs_put_u64(&buf, row->registered_s);
	cs_put_u64(&buf, row->expires_s);
	cs_put_u64(&buf, row->revoked_s);
	put_u256(&buf, &row->bond);
	cs_put(&buf, CS_BYTES_OF(row->bonder.b));
	return put_row(call, &key, &buf);
}

/* ---- keys ---- */

enum cs_err enclaves_key_get(struct ledger_call *call, struct enclaves_key *out,
			     const struct cs_hash *x)
{
	uint8_t value[KEY_SIZE];
	struct cs_reader in;
	const struct ledger_key key = ledger_key_of(KIND_KEY, CS_BYTES_OF(x->b));
	CS_TRY(ledger_get_fixed(call, value, sizeof value, &key));
	cs_reader_init(&in, CS_BYTES_OF(value));
	cs_get_copy(&in, out->enclave.b, sizeof out->enclave.b);
	cs_get_copy(&in, out->identity.b, sizeof out->identity.b);
	out->epoch = cs_get_u64(&in);
	cs_get_copy(&in, out->gas.b, sizeof out->gas.b);
	return cs_reader_end(&in);
}

enum cs_err enclaves_key_put(struct ledger_call *call, const struct cs_hash *x,
			     const struct enclaves_key *row)
{
	uint8_t value[KEY_SIZE];
	struct cs_buf buf;
	const struct ledger_key key = ledger_key_of(KIND_KEY, CS_BYTES_OF(x->b));
	cs_buf_init(&buf, value, sizeof value);
	cs_put_word(&buf, &row->enclave);
	cs_put_word(&buf, &row->identity);
	cs_put_u64(&buf, row->epoch);
	cs_put(&buf, CS_BYTES_OF(row->gas.b));
	return put_row(call, &key, &buf);
}

enum cs_err enclaves_epoch_get(struct ledger_call *call, uint64_t *epoch,
			       const struct cs_hash *identity)
{
	uint8_t value[sizeof *epoch];
	const struct ledger_key key = ledger_key_of(KIND_EPOCH, CS_BYTES_OF(identity->b));
	CS_TRY(ledger_get_fixed(call, value, sizeof value, &key));
	*epoch = cs_be64(value);
	return CS_OK;
}

enum cs_err enclaves_epoch_put(struct ledger_call *call, const struct cs_hash *identity,
			       uint64_t epoch)
{
	uint8_t value[sizeof epoch];
	const struct ledger_key key = ledger_key_of(KIND_EPOCH, CS_BYTES_OF(identity->b));
	cs_put_be64(value, epoch);
	return ledger_put_fixed(call, &key, value, sizeof value);
}

/* ---- administrators and terms ---- */

enum cs_err enclaves_administrators_get(struct ledger_call *call,
					struct enclaves_administrators *admins)
{
	const struct ledger_key key = ledger_key(KIND_ADMINISTRATORS);
	struct cs_reader in;
	struct cs_bytes value = CS_BYTES_NONE;
	*admins = (struct enclaves_administrators){.threshold = 0};
	enum cs_err err = ledger_get(call, &value, cs_bytes(key.b, key.n));
	if (err != CS_OK)
		return err == CS_ERR_NOT_FOUND ? CS_OK : err;
	cs_reader_init(&in, value);
	*admins = (struct enclaves_administrators){.threshold = cs_get_u8(&in)};
	admins->count = cs_get_u8(&in);
	if (admins->count > LEDGER_ADMINISTRATORS_MAX)
		return cs_fail(call->why, CS_ERR_DAMAGED, "enclaves: too many administrators");
	cs_get_copy(&in, admins->x, admins->count * sizeof *admins->x);
	return cs_reader_end(&in) == CS_OK
		       ? CS_OK
		       : cs_fail(call->why, CS_ERR_DAMAGED, "enclaves: the administrators");
}

static bool is_distinct(const struct cs_hash *x, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		for (size_t j = 0; j < i; j++) {
			if (cs_hash_eq(&x[i], &x[j]))
				return false;
		}
	}
	return true;
}

enum cs_err enclaves_administrators_put(struct ledger_call *call,
					const struct enclaves_administrators *admins)
{
	uint8_t value[ADMINISTRATORS_SIZE_MAX];
	struct cs_buf buf;
	struct cs_hash y;
	const struct ledger_key key = ledger_key(KIND_ADMINISTRATORS);
	if (admins->count > LEDGER_ADMINISTRATORS_MAX || admins->threshold == 0 ||
	    admins->threshold > admins->count || !is_distinct(admins->x, admins->count))
		return CS_ERR_INVALID;
	cs_buf_init(&buf, value, sizeof value);
	cs_put_u8(&buf, admins->threshold);
	cs_put_u8(&buf, (uint8_t)admins->count);
	for (size_t i = 0; i < admins->count; i++) {
		if (cs_lift_x(call->sig, &y, &admins->x[i]) != CS_OK)
			return CS_ERR_INVALID;
		cs_put_word(&buf, &admins->x[i]);
	}
	CS_TRY(cs_buf_end(&buf));
	return ledger_put_fixed(call, &key, buf.p, buf.n);
}

enum cs_err enclaves_terms_get(struct ledger_call *call, struct enclaves_terms *terms)
{
	uint8_t value[TERMS_SIZE];
	struct cs_reader in;
	const struct ledger_key key = ledger_key(KIND_TERMS);
	CS_TRY(ledger_get_fixed(call, value, sizeof value, &key));
	cs_reader_init(&in, CS_BYTES_OF(value));
	terms->bond_min = get_u256(&in);
	terms->bond_delay_s = cs_get_u64(&in);
	terms->lifetime_max_s = cs_get_u64(&in);
	return cs_reader_end(&in);
}

enum cs_err enclaves_terms_put(struct ledger_call *call, const struct enclaves_terms *terms)
{
	uint8_t value[TERMS_SIZE];
	struct cs_buf buf;
	const struct ledger_key key = ledger_key(KIND_TERMS);
	cs_buf_init(&buf, value, sizeof value);
	put_u256(&buf, &terms->bond_min);
	cs_put_u64(&buf, terms->bond_delay_s);
	cs_put_u64(&buf, terms->lifetime_max_s);
	return put_row(call, &key, &buf);
}

/* ---- manifests ---- */

static struct ledger_key manifest_key(const struct cs_hash *lineage, uint64_t number)
{
	struct ledger_key key = ledger_key_of(KIND_MANIFEST, CS_BYTES_OF(lineage->b));
	ledger_key_add_u64(&key, number);
	return key;
}

enum cs_err enclaves_manifest_get(struct ledger_call *call, struct enclaves_manifest *manifest,
				  const struct cs_hash *lineage, uint64_t number)
{
	uint8_t value[MANIFEST_SIZE];
	const struct ledger_key key = manifest_key(lineage, number);
	CS_TRY(ledger_get_fixed(call, value, sizeof value, &key));
	memcpy(manifest->hash.b, value, sizeof manifest->hash.b);
	manifest->settled = value[MANIFEST_SETTLED_AT] != 0;
	return CS_OK;
}

enum cs_err enclaves_manifest_put(struct ledger_call *call, const struct cs_hash *lineage,
				  uint64_t number, const struct enclaves_manifest *manifest)
{
	uint8_t value[MANIFEST_SIZE];
	const struct ledger_key key = manifest_key(lineage, number);
	memcpy(value, manifest->hash.b, sizeof manifest->hash.b);
	value[MANIFEST_SETTLED_AT] = manifest->settled;
	return ledger_put_fixed(call, &key, value, sizeof value);
}

enum cs_err enclaves_conflict_get(struct ledger_call *call, struct enclaves_conflict *conflict,
				  const struct cs_hash *lineage)
{
	uint8_t value[CONFLICT_SIZE];
	struct cs_reader in;
	const struct ledger_key key = ledger_key_of(KIND_CONFLICT, CS_BYTES_OF(lineage->b));
	CS_TRY(ledger_get_fixed(call, value, sizeof value, &key));
	cs_reader_init(&in, CS_BYTES_OF(value));
	conflict->number = cs_get_u64(&in);
	cs_get_copy(&in, conflict->known.b, sizeof conflict->known.b);
	cs_get_copy(&in, conflict->other.b, sizeof conflict->other.b);
	conflict->since_s = cs_get_u64(&in);
	return cs_reader_end(&in);
}

enum cs_err enclaves_conflict_put(struct ledger_call *call, const struct cs_hash *lineage,
				  const struct enclaves_conflict *conflict)
{
	uint8_t value[CONFLICT_SIZE];
	struct cs_buf buf;
	const struct ledger_key key = ledger_key_of(KIND_CONFLICT, CS_BYTES_OF(lineage->b));
	cs_buf_init(&buf, value, sizeof value);
	cs_put_u64(&buf, conflict->number);
	cs_put_word(&buf, &conflict->known);
	cs_put_word(&buf, &conflict->other);
	cs_put_u64(&buf, conflict->since_s);
	return put_row(call, &key, &buf);
}

enum cs_err enclaves_conflict_end(struct ledger_call *call, const struct cs_hash *lineage)
{
	const struct ledger_key key = ledger_key_of(KIND_CONFLICT, CS_BYTES_OF(lineage->b));
	return ledger_remove(call, cs_bytes(key.b, key.n));
}

/* ---- tombstones ---- */

enum cs_err enclaves_tombstone_get(struct ledger_call *call, struct enclaves_tombstone *tombstone,
				   const struct cs_hash *enclave)
{
	uint8_t value[TOMBSTONE_SIZE];
	struct cs_reader in;
	const struct ledger_key key = ledger_key_of(KIND_TOMBSTONE, CS_BYTES_OF(enclave->b));
	CS_TRY(ledger_get_fixed(call, value, sizeof value, &key));
	cs_reader_init(&in, CS_BYTES_OF(value));
	tombstone->kind = cs_get_u8(&in);
	cs_get_copy(&in, tombstone->x.b, sizeof tombstone->x.b);
	tombstone->since_s = cs_get_u64(&in);
	tombstone->slashed = get_u256(&in);
	tombstone->reward = get_u256(&in);
	cs_get_copy(&in, tombstone->reporter.b, sizeof tombstone->reporter.b);
	cs_get_copy(&in, tombstone->evidence.b, sizeof tombstone->evidence.b);
	return cs_reader_end(&in);
}

enum cs_err enclaves_tombstone_put(struct ledger_call *call, const struct cs_hash *enclave,
				   const struct enclaves_tombstone *tombstone)
{
	uint8_t value[TOMBSTONE_SIZE];
	struct cs_buf buf;
	const struct ledger_key key = ledger_key_of(KIND_TOMBSTONE, CS_BYTES_OF(enclave->b));
	cs_buf_init(&buf, value, sizeof value);
	cs_put_u8(&buf, tombstone->kind);
	cs_put_word(&buf, &tombstone->x);
	cs_put_u64(&buf, tombstone->since_s);
	put_u256(&buf, &tombstone->slashed);
	put_u256(&buf, &tombstone->reward);
	cs_put(&buf, CS_BYTES_OF(tombstone->reporter.b));
	cs_put_word(&buf, &tombstone->evidence);
	return put_row(call, &key, &buf);
}
