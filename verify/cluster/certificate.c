#include "verify/cluster/certificate.h"

#include "core/der_write.h"
#include "core/reader.h"
#include "core/utc.h"

#include <string.h>

/* The first 16 bytes of the hash of a key's SPKI name it (RFC 7093 takes 20 of them). */
#define KEY_ID_SIZE 16u
#define FLAG_INSECURE 1u
#define FLAG_AUTHORITY 2u

/* SEQUENCE { OID 1.3.101.112 } */
static const uint8_t algorithm_ed25519[] = {0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70};
/* 2.25.57401905802699676058300098370125263925: of UUID 2b2f3475-f784-4fd1-b090-cf1023257435. */
static const uint8_t oid_cluster[] = {0x69, 0xd6, 0xaf, 0x9a, 0x9d, 0xbe, 0xf8, 0xa2, 0xbf, 0xa3,
				      0xb0, 0xc8, 0xb3, 0xe2, 0x82, 0x99, 0x95, 0xe8, 0x35};
static const uint8_t oid_common_name[] = {0x55, 0x04, 0x03};
static const uint8_t oid_basic_constraints[] = {0x55, 0x1d, 0x13};
static const uint8_t oid_key_usage[] = {0x55, 0x1d, 0x0f};
static const uint8_t oid_extended_key_usage[] = {0x55, 0x1d, 0x25};
static const uint8_t oid_subject_key[] = {0x55, 0x1d, 0x0e};
static const uint8_t oid_authority_key[] = {0x55, 0x1d, 0x23};
static const uint8_t oid_server_auth[] = {0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01};
static const uint8_t oid_client_auth[] = {0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x02};

/* ---- writing DER: contents first, then the head before them ---- */

struct part {
	struct cs_buf buf;
	uint8_t memory[CLUSTER_CERTIFICATE_SIZE_MAX];
};

static struct cs_buf *part_begin(struct part *part)
{
	cs_buf_init(&part->buf, part->memory, sizeof part->memory);
	return &part->buf;
}

static void put_part(struct cs_buf *out, unsigned tag, const struct part *part)
{
	cs_der_put_buf(out, tag, &part->buf);
}

/* ---- the fields ---- */

struct key_id {
	uint8_t b[KEY_ID_SIZE];
};

static struct key_id key_id_of(const struct cs_ed25519_key *key)
{
	struct key_id id;
	const struct cs_hash hash = cluster_spki_hash(key);
	memcpy(id.b, hash.b, sizeof id.b);
	return id;
}

/* "caisson " and the key's id: a name belongs to one key. */
static void put_name(struct cs_buf *out, const struct cs_ed25519_key *key)
{
	struct part text, pair, set, name;
	char hex[2 * KEY_ID_SIZE + 1];
	const struct key_id id = key_id_of(key);
	cs_hex(hex, CS_BYTES_OF(id.b));
	cs_put_text(part_begin(&text), "caisson %s", hex);
	cs_der_put(part_begin(&pair), CS_DER_OID, CS_BYTES_OF(oid_common_name));
	put_part(&pair.buf, CS_DER_UTF8_STRING, &text);
	put_part(part_begin(&set), CS_DER_SEQUENCE, &pair);
	put_part(part_begin(&name), CS_DER_SET, &set);
	put_part(out, CS_DER_SEQUENCE, &name);
}

static void put_usage(struct cs_buf *out, bool authority)
{
	static const uint8_t ca[] = {0x30, 0x06, 0x01, 0x01, 0xff, 0x02, 0x01, 0x00};
	static const uint8_t leaf[] = {0x30, 0x00};
	static const uint8_t sign[] = {0x03, 0x02, 0x02, 0x04};      /* keyCertSign */
	static const uint8_t signature[] = {0x03, 0x02, 0x07, 0x80}; /* digitalSignature */
	struct part oids, usage;
	cs_der_put_extension(out, CS_BYTES_OF(oid_basic_constraints), true,
			     authority ? CS_BYTES_OF(ca) : CS_BYTES_OF(leaf));
	cs_der_put_extension(out, CS_BYTES_OF(oid_key_usage), true,
			     authority ? CS_BYTES_OF(sign) : CS_BYTES_OF(signature));
	if (authority)
		return;
	cs_der_put(part_begin(&oids), CS_DER_OID, CS_BYTES_OF(oid_server_auth));
	cs_der_put(&oids.buf, CS_DER_OID, CS_BYTES_OF(oid_client_auth));
	put_part(part_begin(&usage), CS_DER_SEQUENCE, &oids);
	cs_der_put_extension(out, CS_BYTES_OF(oid_extended_key_usage), false,
			     cs_buf_view(&usage.buf));
}

static void put_key_ids(struct cs_buf *out, const struct cluster_certificate *c)
{
	struct part subject, id, issuer;
	const struct key_id own = key_id_of(&c->key), other = key_id_of(&c->issuer);
	cs_der_put(part_begin(&subject), CS_DER_OCTET_STRING, CS_BYTES_OF(own.b));
	cs_der_put_extension(out, CS_BYTES_OF(oid_subject_key), false, cs_buf_view(&subject.buf));
	cs_der_put(part_begin(&id), CS_DER_CONTEXT, CS_BYTES_OF(other.b));
	put_part(part_begin(&issuer), CS_DER_SEQUENCE, &id);
	cs_der_put_extension(out, CS_BYTES_OF(oid_authority_key), false, cs_buf_view(&issuer.buf));
}

/* Packed: version 1 ‖ role ‖ flags ‖ epoch ‖ lineage ‖ size ‖ application. */
static void put_cluster(struct cs_buf *out, const struct cluster_certificate *c)
{
	struct part packed, value;
	struct cs_buf *p = part_begin(&packed);
	cs_put_u8(p, 1);
	cs_put_u8(p, (uint8_t)c->role);
	cs_put_u8(p, (uint8_t)((c->insecure ? FLAG_INSECURE : 0) |
			       (c->authority ? FLAG_AUTHORITY : 0)));
	cs_put_u64(p, c->epoch);
	cs_put(p, CS_BYTES_OF(c->lineage.b));
	cs_put_u8(p, (uint8_t)c->application_size);
	cs_put(p, cs_bytes(c->application, c->application_size));
	put_part(part_begin(&value), CS_DER_OCTET_STRING, &packed);
	cs_der_put_extension(out, CS_BYTES_OF(oid_cluster), false, cs_buf_view(&value.buf));
}

/* What is signed. */
static void put_tbs(struct cs_buf *out, const struct cluster_certificate *c)
{
	static const uint8_t version[] = {0xa0, 0x03, 0x02, 0x01, 0x02};
	struct part tbs, dates, extensions, list;
	uint8_t spki[CLUSTER_SPKI_SIZE];
	cluster_spki(spki, &c->key);
	cs_put(part_begin(&tbs), CS_BYTES_OF(version));
	cs_der_put(&tbs.buf, CS_DER_INTEGER, CS_BYTES_OF(c->serial));
	cs_put(&tbs.buf, CS_BYTES_OF(algorithm_ed25519));
	put_name(&tbs.buf, &c->issuer);
	cs_der_put_time(part_begin(&dates), c->not_before_s);
	cs_der_put_time(&dates.buf, c->not_after_s);
	put_part(&tbs.buf, CS_DER_SEQUENCE, &dates);
	put_name(&tbs.buf, &c->key);
	cs_put(&tbs.buf, CS_BYTES_OF(spki));
	part_begin(&extensions);
	put_usage(&extensions.buf, c->authority);
	put_key_ids(&extensions.buf, c);
	put_cluster(&extensions.buf, c);
	put_part(part_begin(&list), CS_DER_SEQUENCE, &extensions);
	put_part(&tbs.buf, CS_DER_CONTEXT_CONSTRUCTED | 3, &list);
	put_part(out, CS_DER_SEQUENCE, &tbs);
}

static void put_certificate(struct cs_buf *out, struct cs_bytes tbs, const uint8_t *signature)
{
	struct part whole;
	uint8_t bits[1 + CS_ED25519_SIGNATURE_SIZE] = {0};
	memcpy(bits + 1, signature, CS_ED25519_SIGNATURE_SIZE);
	cs_put(part_begin(&whole), tbs);
	cs_put(&whole.buf, CS_BYTES_OF(algorithm_ed25519));
	cs_der_put(&whole.buf, CS_DER_BIT_STRING, CS_BYTES_OF(bits));
	put_part(out, CS_DER_SEQUENCE, &whole);
}

enum cs_err cluster_certificate_write(struct cs_buf *out, const struct cluster_certificate *c,
				      const struct cs_secret *issuer)
{
	struct part tbs;
	uint8_t signature[CS_ED25519_SIGNATURE_SIZE];
	if (c->not_after_s > CS_UTC_SECONDS_MAX || c->not_before_s > c->not_after_s)
		return CS_ERR_INVALID;
	cs_assert(c->serial[0] >= 0x40 && c->serial[0] < 0x80);
	put_tbs(part_begin(&tbs), c);
	CS_TRY(cs_buf_end(&tbs.buf));
	CS_TRY(cs_ed25519_sign(signature, issuer, cs_buf_view(&tbs.buf)));
	put_certificate(out, cs_buf_view(&tbs.buf), signature);
	return cs_buf_end(out);
}

/* ---- reading ---- */

/* Passes over one value of this tag. */
static enum cs_err skip(struct cs_der *der, unsigned tag)
{
	struct cs_bytes value;
	return cs_der_get(der, &value, tag);
}

static enum cs_err read_packed(struct cluster_certificate *c, struct cs_bytes value)
{
	struct cs_der der;
	struct cs_reader reader;
	struct cs_bytes packed;
	der.rest = value;
	CS_TRY(cs_der_get(&der, &packed, CS_DER_OCTET_STRING));
	CS_TRY(cs_der_end(&der));
	cs_reader_init(&reader, packed);
	const uint8_t version = cs_get_u8(&reader);
	const uint8_t role = cs_get_u8(&reader), flags = cs_get_u8(&reader);
	c->epoch = cs_get_u64(&reader);
	cs_get_copy(&reader, c->lineage.b, sizeof c->lineage.b);
	c->application_size = cs_get_u8(&reader);
	if (c->application_size > CLUSTER_APPLICATION_SIZE_MAX)
		return CS_ERR_TOO_LARGE;
	cs_get_copy(&reader, c->application, c->application_size);
	CS_TRY(cs_reader_end(&reader));
	if (version != 1)
		return CS_ERR_UNSUPPORTED;
	if (role < CLUSTER_KEY_SERVER || role > CLUSTER_WORKER ||
	    flags > (FLAG_INSECURE | FLAG_AUTHORITY))
		return CS_ERR_INVALID;
	c->role = (enum cluster_role)role;
	c->insecure = (flags & FLAG_INSECURE) != 0;
	c->authority = (flags & FLAG_AUTHORITY) != 0;
	return CS_OK;
}

/* The cluster's own extension; whether the others are as they must be, the comparison shows. */
static enum cs_err read_extensions(struct cluster_certificate *c, struct cs_der *tbs)
{
	struct cs_der outer, list, one;
	bool found = false;
	CS_TRY(cs_der_enter(tbs, &outer, CS_DER_CONTEXT_CONSTRUCTED | 3));
	CS_TRY(cs_der_enter(&outer, &list, CS_DER_SEQUENCE));
	while (cs_der_more(&list)) {
		struct cs_bytes oid, value;
		CS_TRY(cs_der_enter(&list, &one, CS_DER_SEQUENCE));
		CS_TRY(cs_der_oid(&one, &oid));
		if (!cs_bytes_eq(oid, CS_BYTES_OF(oid_cluster)))
			continue;
		CS_TRY(cs_der_get(&one, &value, CS_DER_OCTET_STRING));
		CS_TRY(read_packed(c, value));
		found = true;
	}
	return found ? CS_OK : CS_ERR_MISSING_FIELD;
}

static enum cs_err read_spki(struct cs_ed25519_key *key, struct cs_der *tbs)
{
	struct cs_der_item item;
	uint8_t spki[CLUSTER_SPKI_SIZE];
	CS_TRY(cs_der_next(tbs, &item));
	if (item.whole.n != CLUSTER_SPKI_SIZE)
		return CS_ERR_UNSUPPORTED;
	struct cs_ed25519_key read;
	memcpy(read.b, item.whole.p + CLUSTER_SPKI_SIZE - sizeof read.b, sizeof read.b);
	cluster_spki(spki, &read);
	if (!cs_bytes_eq(item.whole, CS_BYTES_OF(spki)))
		return CS_ERR_UNSUPPORTED;
	*key = read;
	return CS_OK;
}

struct parts {
	struct cs_bytes tbs;    /* with its head */
	struct cs_bytes issuer; /* Name */
	struct cs_bytes signature;
};

/* Version, algorithm and the subject's name are not looked at: the comparison does. */
static enum cs_err read_tbs(struct cluster_certificate *c, struct parts *parts, struct cs_der *tbs)
{
	struct cs_der_item issuer;
	struct cs_der dates;
	struct cs_bytes serial;
	CS_TRY(skip(tbs, CS_DER_CONTEXT_CONSTRUCTED));
	CS_TRY(cs_der_integer(tbs, &serial));
	if (serial.n != CLUSTER_SERIAL_SIZE || serial.p[0] < 0x40 || serial.p[0] >= 0x80)
		return CS_ERR_INVALID;
	memcpy(c->serial, serial.p, serial.n);
	CS_TRY(skip(tbs, CS_DER_SEQUENCE));
	CS_TRY(cs_der_next(tbs, &issuer));
	parts->issuer = issuer.whole;
	CS_TRY(cs_der_enter(tbs, &dates, CS_DER_SEQUENCE));
	CS_TRY(cs_der_time(&dates, &c->not_before_s));
	CS_TRY(cs_der_time(&dates, &c->not_after_s));
	if (c->not_before_s > c->not_after_s || c->not_after_s > CS_UTC_SECONDS_MAX)
		return CS_ERR_INVALID;
	CS_TRY(skip(tbs, CS_DER_SEQUENCE));
	CS_TRY(read_spki(&c->key, tbs));
	return read_extensions(c, tbs);
}

static enum cs_err read_parts(struct cluster_certificate *c, struct parts *parts,
			      struct cs_bytes der)
{
	struct cs_der whole, inner;
	struct cs_der_item item;
	CS_TRY(cs_der_one(&whole, der, CS_DER_SEQUENCE));
	CS_TRY(cs_der_next(&whole, &item));
	if (item.tag != CS_DER_SEQUENCE)
		return CS_ERR_INVALID;
	parts->tbs = item.whole;
	inner.rest = item.value;
	CS_TRY(read_tbs(c, parts, &inner));
	CS_TRY(skip(&whole, CS_DER_SEQUENCE));
	CS_TRY(cs_der_bits(&whole, &parts->signature));
	return parts->signature.n == CS_ED25519_SIGNATURE_SIZE ? CS_OK : CS_ERR_INVALID;
}

enum cs_err cluster_certificate_read(struct cluster_certificate *out, struct cs_bytes der,
				     const struct cs_ed25519_key *issuer, struct cs_why *why)
{
	struct cluster_certificate c = {0};
	struct parts parts;
	struct part name, again, whole;
	if (der.n > CLUSTER_CERTIFICATE_SIZE_MAX)
		return cs_fail(why, CS_ERR_TOO_LARGE, "a certificate of %zu bytes", der.n);
	const enum cs_err err = read_parts(&c, &parts, der);
	if (err != CS_OK)
		return cs_fail(why, err, "certificate: %s", cs_err_sentence(err));
	c.issuer = issuer == NULL ? c.key : *issuer;
	put_name(part_begin(&name), &c.issuer);
	if (!cs_bytes_eq(parts.issuer, cs_buf_view(&name.buf)))
		return cs_fail(why, CS_ERR_UNLINKED, "certificate: another issuer's");
	put_tbs(part_begin(&again), &c);
	put_certificate(part_begin(&whole), cs_buf_view(&again.buf), parts.signature.p);
	if (again.buf.failed || whole.buf.failed || !cs_bytes_eq(der, cs_buf_view(&whole.buf)))
		return cs_fail(why, CS_ERR_NON_CANONICAL, "certificate: another form");
	if (cs_ed25519_verify(&c.issuer, parts.tbs, parts.signature) != CS_OK)
		return cs_fail(why, CS_ERR_BAD_SIGNATURE, "certificate: not signed by its issuer");
	*out = c;
	return CS_OK;
}

enum cs_err cluster_certificate_in_dates(const struct cluster_certificate *c,
					 const struct verify_time *now)
{
	CS_TRY(verify_time_reached(now, c->not_before_s));
	return verify_time_before(now, c->not_after_s + 1);
}

enum cs_err cluster_certificate_key(struct cs_ed25519_key *key, struct cs_bytes der)
{
	struct cs_der whole, tbs;
	CS_TRY(cs_der_one(&whole, der, CS_DER_SEQUENCE));
	CS_TRY(cs_der_enter(&whole, &tbs, CS_DER_SEQUENCE));
	CS_TRY(skip(&tbs, CS_DER_CONTEXT_CONSTRUCTED));
	CS_TRY(skip(&tbs, CS_DER_INTEGER));
	for (unsigned i = 0; i < 4; i++) /* algorithm, issuer, dates, subject */
		CS_TRY(skip(&tbs, CS_DER_SEQUENCE));
	return read_spki(key, &tbs);
}

/* ---- trust ---- */

bool cluster_revoked(const struct cs_hash *revoked, size_t count, const struct cs_hash *spki)
{
	for (size_t i = 0; i < count; i++)
		if (cs_hash_eq(&revoked[i], spki))
			return true;
	return false;
}

/* Of which epoch it says it is; nothing of it is believed for that. */
static const struct cluster_certificate *authority_of(const struct cluster_trust *trust,
						      struct cs_bytes der)
{
	struct cluster_certificate claimed = {0};
	struct parts parts;
	if (read_parts(&claimed, &parts, der) != CS_OK)
		return NULL;
	for (size_t i = 0; i < trust->authority_count; i++)
		if (trust->authorities[i].epoch == claimed.epoch)
			return &trust->authorities[i];
	return NULL;
}

enum cs_err cluster_trust_verify(struct cluster_certificate *out, struct cs_bytes der,
				 const struct cluster_trust *trust, const struct verify_time *now,
				 struct cs_why *why)
{
	struct cluster_certificate c;
	if (der.n > CLUSTER_CERTIFICATE_SIZE_MAX)
		return cs_fail(why, CS_ERR_TOO_LARGE, "a certificate of %zu bytes", der.n);
	const struct cluster_certificate *authority = authority_of(trust, der);
	if (authority == NULL)
		return cs_fail(why, CS_ERR_UNLINKED, "certificate: of no epoch in force");
	CS_TRY(cluster_certificate_read(&c, der, &authority->key, why));
	if (!cs_hash_eq(&c.lineage, &trust->lineage))
		return cs_fail(why, CS_ERR_WRONG_LINEAGE, "certificate: of another cluster");
	if (c.role != CLUSTER_WORKER || c.authority || c.insecure != authority->insecure)
		return cs_fail(why, CS_ERR_FORBIDDEN, "certificate: not a worker's");
	const struct cs_hash spki = cluster_spki_hash(&c.key);
	if (cluster_revoked(trust->revoked, trust->revoked_count, &spki))
		return cs_fail(why, CS_ERR_REVOKED, "certificate: its key was revoked");
	enum cs_err err = cluster_certificate_in_dates(authority, now);
	if (err == CS_OK)
		err = cluster_certificate_in_dates(&c, now);
	if (err != CS_OK)
		return cs_fail(why, err, "certificate: %s", cs_err_sentence(err));
	*out = c;
	return CS_OK;
}
