#include "verify/cluster/preimage.h"

#include <string.h>

/* The longest: a vouch, with the label of a build. */
#define PREIMAGE_SIZE_MAX 512u

struct preimage {
	struct cs_buf buf;
	uint8_t memory[PREIMAGE_SIZE_MAX];
};

/* A text or view of bounded size, with its length in front. */
static void put_text(struct cs_buf *buf, struct cs_bytes text)
{
	cs_assert(text.n <= 255);
	cs_put_u8(buf, (uint8_t)text.n);
	cs_put(buf, text);
}

static void begin(struct preimage *p, const char *tag, const struct cs_hash *lineage)
{
	cs_buf_init(&p->buf, p->memory, sizeof p->memory);
	put_text(&p->buf, cs_bytes_str(tag));
	cs_put(&p->buf, CS_BYTES_OF(lineage->b));
}

static struct cs_hash end(const struct preimage *p)
{
	cs_assert(cs_buf_end(&p->buf) == CS_OK);
	return cs_sha256(cs_buf_view(&p->buf));
}

static void put_hash(struct preimage *p, struct cs_hash hash)
{
	cs_put(&p->buf, CS_BYTES_OF(hash.b));
}

static struct cs_bytes view(ProtobufCBinaryData data)
{
	return cs_bytes(data.data, data.len);
}

/* ---- keys ---- */

/* SEQUENCE { SEQUENCE { OID 1.3.101.112 }, BIT STRING } (RFC 8410, section 4). */
void cluster_spki(uint8_t out[CLUSTER_SPKI_SIZE], const struct cs_ed25519_key *key)
{
	static const uint8_t head[] = {0x30, 0x2a, 0x30, 0x05, 0x06, 0x03,
				       0x2b, 0x65, 0x70, 0x03, 0x21, 0x00};
	_Static_assert(sizeof head + sizeof key->b == CLUSTER_SPKI_SIZE, "an SPKI of Ed25519");
	memcpy(out, head, sizeof head);
	memcpy(out + sizeof head, key->b, sizeof key->b);
}

struct cs_hash cluster_spki_hash(const struct cs_ed25519_key *key)
{
	uint8_t spki[CLUSTER_SPKI_SIZE];
	cluster_spki(spki, key);
	return cs_sha256(CS_BYTES_OF(spki));
}

/* ---- freshness ---- */

struct wire_report_fresh cluster_fresh_session(const struct cluster_channel *channel,
					       bool from_client)
{
	const struct wire_report_tls tls = {.exporter = channel->exporter,
					    .from_server = !from_client,
					    .client_spki = channel->client_spki,
					    .server_spki = channel->server_spki};
	return wire_report_fresh_tls(&tls);
}

static struct wire_report_fresh fresh(const struct cs_hash *nonce)
{
	struct wire_report_fresh out;
	const enum cs_err err = wire_report_fresh_nonce(&out, CS_BYTES_OF(nonce->b));
	cs_assert(err == CS_OK); /* 32 bytes are a nonce */
	return out;
}

struct wire_report_fresh cluster_fresh_local(const struct cs_hash *lineage,
					     const struct cs_hash *guard_spki,
					     const struct cs_hash *challenge,
					     const struct cs_hash *csr)
{
	struct preimage p;
	begin(&p, "caisson/cluster/local/v1", lineage);
	put_hash(&p, *guard_spki);
	put_hash(&p, *challenge);
	put_hash(&p, *csr);
	const struct cs_hash nonce = end(&p);
	return fresh(&nonce);
}

static struct cs_hash statement_hash(const struct cs_hash *lineage,
				     const Caisson__Wire__ClusterStatement *statement)
{
	struct preimage p;
	begin(&p, "caisson/cluster/key-server/v1", lineage);
	cs_put_u64(&p.buf, statement->issued_s);
	cs_put(&p.buf, view(statement->anchor_key));
	cs_put_u8(&p.buf, (uint8_t)statement->n_authorities);
	for (size_t i = 0; i < statement->n_authorities; i++)
		put_hash(&p, cs_sha256(view(statement->authorities[i])));
	return end(&p);
}

struct wire_report_fresh cluster_fresh_statement(const struct cs_hash *lineage,
						 const Caisson__Wire__ClusterStatement *statement)
{
	const struct cs_hash nonce = statement_hash(lineage, statement);
	return fresh(&nonce);
}

/* ---- what is signed ---- */

struct cs_hash cluster_hash_csr(const struct cs_hash *lineage, const Caisson__Wire__ClusterCsr *csr)
{
	struct preimage p;
	begin(&p, "caisson/cluster/csr/v1", lineage);
	cs_put(&p.buf, view(csr->key));
	cs_put(&p.buf, view(csr->box_key));
	cs_put(&p.buf, view(csr->nonce));
	put_text(&p.buf, cs_bytes_str(csr->application));
	return end(&p);
}

struct cs_hash cluster_hash_vouch(const struct cs_hash *lineage,
				  const struct cluster_channel *channel,
				  const Caisson__Wire__ClusterVouchRequest *vouch)
{
	struct preimage p;
	begin(&p, "caisson/cluster/vouch/v1", lineage);
	put_hash(&p, channel->exporter);
	put_hash(&p, channel->client_spki);
	put_hash(&p, channel->server_spki);
	put_hash(&p, cluster_hash_csr(lineage, vouch->csr));
	cs_put(&p.buf, view(vouch->guard_key));
	cs_put_u64(&p.buf, vouch->manifest_number);
	cs_put_u32(&p.buf, vouch->kind);
	put_text(&p.buf, cs_bytes_str(vouch->build));
	put_text(&p.buf, view(vouch->platform));
	return end(&p);
}

struct cs_hash cluster_hash_revoked(const struct cs_hash *lineage, const struct cs_hash *revoked,
				    size_t count)
{
	struct preimage p;
	begin(&p, "caisson/cluster/revoked/v1", lineage);
	cs_put_u16(&p.buf, (uint16_t)count);
	put_hash(&p, cs_sha256(cs_bytes(revoked, count * sizeof *revoked)));
	return end(&p);
}

struct cs_hash cluster_hash_anchor(const struct cs_hash *lineage,
				   const Caisson__Wire__ClusterAnchor *anchor)
{
	struct preimage p;
	begin(&p, "caisson/cluster/anchor/v1", lineage);
	cs_put(&p.buf, view(anchor->key_server));
	cs_put_u64(&p.buf, anchor->manifest_number);
	cs_put_u64(&p.buf, anchor->epoch);
	cs_put_u64(&p.buf, anchor->counter);
	cs_put(&p.buf, view(anchor->authority));
	return end(&p);
}

struct cs_hash cluster_hash_grant(const struct cs_hash *lineage, const struct cs_hash *csr,
				  const Caisson__Wire__ClusterGrant *grant)
{
	struct preimage p;
	begin(&p, "caisson/cluster/grant/v1", lineage);
	put_hash(&p, *csr);
	put_hash(&p, statement_hash(lineage, grant->statement));
	put_hash(&p, cluster_hash_anchor(lineage, grant->anchor));
	put_hash(&p, cs_sha256(view(grant->certificate)));
	put_hash(&p, cs_sha256(view(grant->sealed)));
	cs_put_u16(&p.buf, (uint16_t)grant->n_revoked);
	struct cs_bytes revoked[CLUSTER_REVOKED_MAX];
	for (size_t i = 0; i < grant->n_revoked; i++)
		revoked[i] = view(grant->revoked[i]);
	put_hash(&p, cs_sha256_join(revoked, grant->n_revoked));
	return end(&p);
}
