/* Report data: what evidence of an enclave is about. One preimage for every kind of evidence and every
 * role (docs/protocol/report.md); enclaves put its hash into their evidence, whoever verifies makes it
 * again from what it expects. Never decides anything: whether evidence is good is verify/attest's. */
#ifndef WIRE_REPORT_H
#define WIRE_REPORT_H

#include "core/err.h"
#include "core/hash.h"

/* Of SGX, TDX and SNP: the hash, then zeros. A TPM's qualifying data is the hash alone. */
#define WIRE_REPORT_DATA_SIZE 64u
/* Ten words. */
#define WIRE_REPORT_PREIMAGE_SIZE 320u
/* Of a nonce: enough that none comes twice by chance, and as much as report data could hold. */
#define WIRE_REPORT_NONCE_SIZE_MIN 16u
#define WIRE_REPORT_NONCE_SIZE_MAX 64u

/* Who speaks. */
enum wire_report_role {
	WIRE_REPORT_BRIDGE_ENCLAVE,
	WIRE_REPORT_ORACLE_ENCLAVE,
	WIRE_REPORT_KEY_SERVER,
	WIRE_REPORT_GUARD,
	WIRE_REPORT_WORKER,
	WIRE_REPORT_LEDGER_NODE,
};
#define WIRE_REPORT_ROLE_COUNT (WIRE_REPORT_LEDGER_NODE + 1u)

/* "bridge-enclave". Static. */
const char *wire_report_role_name(enum wire_report_role role);

/* Why it is not an old report. Made by the functions below, never by hand. */
struct wire_report_fresh {
	struct cs_hash tag;
	struct cs_hash value;
};

/* The asker's own random bytes. INVALID for another size than the two above allow. */
CS_NODISCARD enum cs_err wire_report_fresh_nonce(struct wire_report_fresh *fresh,
						 struct cs_bytes nonce);
/* The same where only its keccak-256 is known: the host hashes what the asker gave. */
struct wire_report_fresh wire_report_fresh_nonce_hash(const struct cs_hash *nonce_hash);

/* One connection of TLS 1.3, and who of the two speaks. The exporter (RFC 8446 section 7.5) has the label
 * "EXPORTER-caisson-report" and 32 bytes; its context is empty, or on the attested port the nonce of hello.
 * SPKI hashes are SHA-256 of the DER of SubjectPublicKeyInfo; zero: that end shows no certificate. */
struct wire_report_tls {
	struct cs_hash exporter;
	bool from_server;
	struct cs_hash client_spki;
	struct cs_hash server_spki;
};
#define WIRE_REPORT_EXPORTER_LABEL "EXPORTER-caisson-report"
struct wire_report_fresh wire_report_fresh_tls(const struct wire_report_tls *tls);

/* Where nobody is asked: evidence in a certificate. How old it may be is the reader's to judge. */
struct wire_report_fresh wire_report_fresh_issued(uint64_t issued_s);

struct wire_report {
	enum wire_report_role role;
	/* What it speaks for: an enclave's keys (below), or SHA-256 of the SPKI of its TLS key. */
	struct cs_hash key;
	struct wire_report_fresh fresh;
	struct cs_hash manifest_hash;
	uint64_t manifest_number;
	struct cs_hash lineage;       /* hash of the first manifest */
	struct cs_hash schema_digest; /* SHA-256 of the frames' schema that the role speaks */
	uint64_t insecure_flags;      /* bits of enclave/insecure.def; 0: none */
};

void wire_report_preimage(uint8_t preimage[WIRE_REPORT_PREIMAGE_SIZE],
			  const struct wire_report *report);
/* keccak-256 of the preimage. */
struct cs_hash wire_report_hash(const struct wire_report *report);
void wire_report_data(uint8_t report_data[WIRE_REPORT_DATA_SIZE], const struct wire_report *report);

/* The keys that a bridge's or oracle's enclave speaks for, in the order of its hello: begin, each, end by
 * cs_keccak_end. */
struct wire_report_key {
	struct cs_hash chain; /* identity */
	uint64_t epoch;
	struct cs_hash x;
	struct cs_address gas_address; /* zeros: none */
};
void wire_report_keys_begin(struct cs_keccak *keys);
void wire_report_keys_add(struct cs_keccak *keys, const struct wire_report_key *key);

#endif
