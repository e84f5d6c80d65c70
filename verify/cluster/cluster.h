/* The key cluster (docs/protocol/cluster.md): a Key Server issues keys and certificates to Workers for
 * whom their machine's Guard vouches. These are pure machines: messages, time and randomness go in,
 * messages come out; nothing is issued that was not verified in the same step. They never open a
 * socket, and never keep a secret outside of the struct that their caller placed in locked memory. */
#ifndef CLUSTER_CLUSTER_H
#define CLUSTER_CLUSTER_H

#include "core/ed25519.h"
#include "core/sig.h"
#include "core/x25519.h"
#include "verify/attest/evidence.h"
#include "wire/cluster.h"
#include "wire/report.h"

/* Epochs that are known at one time: the current one, and old ones that still decrypt. */
#define CLUSTER_EPOCHS_MAX 4u
#define CLUSTER_APPLICATION_SIZE_MAX 32u
/* Of a reference in the manifest, as the schema has it. */
#define CLUSTER_BUILD_SIZE_MAX 128u
#define CLUSTER_REVOKED_MAX 256u
/* A session between a Guard and a Key Server ends after so long, and is attested anew. */
#define CLUSTER_SESSION_AGE_MAX_S 3600u
/* The age of the evidence by which a Key Server shows itself to Workers. */
#define CLUSTER_STATEMENT_AGE_MAX_S 3600u
/* A Worker's answer to its Guard's challenge. */
#define CLUSTER_CHALLENGE_AGE_MAX_S 60u
/* Clocks of machines differ: certificates begin so much before they were made. */
#define CLUSTER_CLOCK_SKEW_S 60u
/* Of a statement as it is kept between two grants: evidence and what vendors say of it is 100 KiB. */
#define CLUSTER_STATEMENT_SIZE_MAX (512u * 1024)
/* What a step takes from its arena: attest_verify's part, and the messages. */
#define CLUSTER_ARENA_SIZE (ATTEST_ARENA_SIZE + 8u * 1024 * 1024)

enum cluster_role {
	CLUSTER_KEY_SERVER = 1,
	CLUSTER_GUARD = 2,
	CLUSTER_WORKER = 3,
};
#define CLUSTER_ROLE_COUNT 3u

/* "key-server". Static. */
const char *cluster_role_name(enum cluster_role role);

/* An Ed25519 key pair: of an instance, or of an epoch's authority. */
struct cluster_pair {
	struct cs_secret secret;
	struct cs_ed25519_key key;
};
CS_NODISCARD enum cs_err cluster_pair_make(struct cluster_pair *pair,
					   const struct cs_secret *secret);

/* Both ends of a TLS 1.3 connection after its full handshake, without resumption and 0-RTT. */
struct cluster_channel {
	struct cs_hash
		exporter; /* RFC 8446, 7.5: label WIRE_REPORT_EXPORTER_LABEL, empty context */
	struct cs_hash client_spki; /* SHA-256 of each end's SubjectPublicKeyInfo */
	struct cs_hash server_spki;
	bool client; /* this end is the client */
};

/* The backend of this process: makes evidence over report data. */
struct cluster_tee {
	void *context;
	/* Appends raw evidence, at most ATTEST_EVIDENCE_SIZE_MAX bytes. */
	enum cs_err (*evidence)(void *context, struct cs_buf *out,
				const uint8_t report_data[ATTEST_REPORT_DATA_SIZE_MAX],
				struct cs_why *why);
	const Caisson__Wire__ClusterCollateral *collateral; /* NULL: the backend needs none */
	uint64_t insecure_flags;
};

/* What steps work with; none of it is state. The arena is the step's alone: it is given back to where
 * it stood when the step ends. */
struct cluster_tools {
	const struct cs_sig *sig;
	struct cs_nistp *nistp;
	struct cs_arena *arena; /* CLUSTER_ARENA_SIZE */
	struct cluster_tee tee;
};

/* Every step that makes something takes 32 fresh random bytes; all that it needs is derived from them
 * (HKDF), so that a step can be run again. */

#endif
