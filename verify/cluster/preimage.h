/* All that roles of the cluster sign or hash: packed, in fixed places, each under its own tag, over the
 * lineage (docs/protocol/cluster.md, "Preimages"). Everything is SHA-256, so that what a key signs has
 * 32 bytes, which no certificate and no TLS handshake has. */
#ifndef CLUSTER_PREIMAGE_H
#define CLUSTER_PREIMAGE_H

#include "verify/cluster/manifest.h"

/* Ed25519 (RFC 8410). */
#define CLUSTER_SPKI_SIZE 44u

void cluster_spki(uint8_t out[CLUSTER_SPKI_SIZE], const struct cs_ed25519_key *key);
struct cs_hash cluster_spki_hash(const struct cs_ed25519_key *key);

/* Why a report is not an old one (wire/report.h). */
/* First message of a session; from_client: of the end that connected. */
struct wire_report_fresh cluster_fresh_session(const struct cluster_channel *channel,
					       bool from_client);
/* A Worker's answer to its Guard's challenge: a nonce over both and the request. */
struct wire_report_fresh cluster_fresh_local(const struct cs_hash *lineage,
					     const struct cs_hash *guard_spki,
					     const struct cs_hash *challenge,
					     const struct cs_hash *csr);
/* A Key Server's statement: a nonce over the time and the keys. */
struct wire_report_fresh cluster_fresh_statement(const struct cs_hash *lineage,
						 const Caisson__Wire__ClusterStatement *statement);

/* Hashes that are signed. */
struct cs_hash cluster_hash_csr(const struct cs_hash *lineage,
				const Caisson__Wire__ClusterCsr *csr);
struct cs_hash cluster_hash_vouch(const struct cs_hash *lineage,
				  const struct cluster_channel *channel,
				  const Caisson__Wire__ClusterVouchRequest *vouch);
struct cs_hash cluster_hash_revoked(const struct cs_hash *lineage, const struct cs_hash *revoked,
				    size_t count);
struct cs_hash cluster_hash_anchor(const struct cs_hash *lineage,
				   const Caisson__Wire__ClusterAnchor *anchor);
/* csr: hash of what it answers. */
struct cs_hash cluster_hash_grant(const struct cs_hash *lineage, const struct cs_hash *csr,
				  const Caisson__Wire__ClusterGrant *grant);

#endif
