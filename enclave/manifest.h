/* The manifest: what this enclave may verify and sign, by whom it may be built, and who says so. It
 * is read strictly (one canonical form, every field known, every list bounded) and never written
 * here. docs/protocol/manifest.md has the form. */
#ifndef ENCLAVE_MANIFEST_H
#define ENCLAVE_MANIFEST_H

#include "core/arena.h"
#include "core/limits.h"
#include "verify/clock.h"
#include "verify/cometbft/client.h"
#include "verify/evm/quorum.h"
#include "wire/spec.h"

/* Manifests of one lineage that an enclave reads at start, first to newest. */
#define MANIFEST_LINEAGE_MAX 64
#define MANIFEST_ADMINISTRATORS_MAX 16
#define MANIFEST_BUILDS_MAX 16
/* Messages of abandoned branches, of all chains together: half of the largest file. */
#define MANIFEST_ABANDONED_MAX 512
#define MANIFEST_CONTRACTS_MAX 16
#define MANIFEST_PRIVATE_CAS_MAX 16
#define MANIFEST_HOSTS_MAX 64
#define MANIFEST_HOST_SIZE_MAX 253
/* Of all chains together: four chains that ask sixteen. */
#define MANIFEST_PROVIDERS_MAX 64
/* Path and query of a provider. */
#define MANIFEST_TARGET_SIZE_MAX 512
/* Sealed states whose digests an enclave remembers. */
#define MANIFEST_ANCHOR_LAG_MAX 64

enum manifest_mode {
	MANIFEST_CLIQUE = 1,
	MANIFEST_QBFT = 2,
	MANIFEST_INSECURE_DEV_HEAD = 3,
	MANIFEST_RPC_QUORUM = 4,
	MANIFEST_COMETBFT = 5, /* a Caisson ledger */
};

/* Somebody who runs nodes of a chain and answers JSON-RPC over HTTPS. */
struct manifest_provider {
	char host[MANIFEST_HOST_SIZE_MAX + 1];
	uint16_t port;
	char target[MANIFEST_TARGET_SIZE_MAX + 1];
	struct wire_tls tls;
};

/* Who is asked which blocks are final. */
struct manifest_rpc {
	enum verify_evm_tag tag;
	uint64_t quorum;    /* above half of the providers */
	uint64_t age_max_s; /* a provider that names an older block has no vote */
	size_t first;       /* of manifest.providers */
	size_t count;
};

struct manifest_finality {
	enum manifest_mode mode;
	uint64_t anchor_height;
	struct cs_hash anchor_hash;
	uint64_t anchor_age_max_s;  /* an anchor older than this begins no client */
	uint64_t trusting_period_s; /* a client whose newest final header is older than this is not
				       used */
	uint64_t seals_min;         /* clique: distinct sealers; 0: ceil(2N/3) */
	uint64_t epoch;             /* clique, qbft: blocks after which open votes are dropped */
	uint64_t period_s;          /* a header is at least so much later than its parent */
	uint64_t drift_max_s; /* how far ahead of now a header's time may be; 0: 15, cometbft: 10 */
	uint64_t confirmations;  /* insecure_dev_head: headers on top; rpc_quorum of the tag latest:
				   blocks below the one that is named */
	uint64_t reorg_margin_s; /* added to a deadline before absence proves anything; 0 only for
				    qbft, cometbft and rpc_quorum of the tag finalized */
	struct manifest_rpc rpc; /* rpc_quorum */
	struct cmt_fraction trust_level; /* cometbft */
};

struct manifest_policy {
	uint64_t fee_cap_wei;   /* per gas */
	uint64_t gas_limit_max; /* of one transaction */
	uint64_t total_cap_wei; /* gas limit times fee */
	struct cs_address sweep_to;
};

/* The conflict that this manifest decides, and what was signed from the branch that lost. */
struct manifest_abandoned {
	uint64_t height; /* of the conflict; 0: the chain has none */
	struct cs_hash headers[2];
	uint64_t since; /* statements of the chain about the messages count from this manifest on */
	size_t first;   /* of manifest.abandoned */
	size_t count;
};

struct manifest_chain {
	char caip2[CS_CAIP2_SIZE_MAX + 1];
	uint64_t chain_id;               /* the reference of eip155, else 0 */
	struct cmt_chain_id cometbft_id; /* the reference of cosmos, else empty */
	struct cs_hash genesis;          /* hash of block 0; of a ledger the chain's tag */
	struct cs_address gateway;
	struct cs_hash code_hash; /* zero of a ledger, whose gateway is built in */
	struct cs_hash identity;  /* computed: docs/protocol/envelope.md section 1 */
	struct manifest_finality finality;
	struct manifest_policy policy;
	struct manifest_abandoned abandoned;
	size_t remote_count;
	struct cs_hash remotes[CS_MANIFEST_REMOTES_MAX]; /* identities that it may talk with */
};

/* A contract that checks answers. Its code is not named: what counts of it is an event under its
 * address, to which an ordinary creation binds code that cannot change (docs/trust.md). */
struct manifest_contract {
	size_t chain; /* index in chains: its finality and light client */
	struct cs_address address;
	bool feeds;              /* takes rounds of feeds; else it takes requests */
	struct cs_hash identity; /* computed */
};

/* Names, or suffixes that begin with a dot. */
struct manifest_hosts {
	size_t count;
	char names[MANIFEST_HOSTS_MAX][MANIFEST_HOST_SIZE_MAX + 1];
};

/* Whose certificates count, and which places may be asked at all. */
struct manifest_trust {
	struct cs_hash trust_store; /* SHA-256 of the file of CA certificates */
	struct cs_hash logs; /* SHA-256 of the file of transparency logs; zero: there are none */
	size_t private_ca_count; /* SHA-256 of their DER: certificates of no public log */
	struct cs_hash private_cas[MANIFEST_PRIVATE_CAS_MAX];
	bool address_literals;
	bool private_networks;
};

/* What an oracle may ask and whom it answers; a bridge does not read it. */
struct manifest_oracle {
	bool present;
	size_t contract_count;
	struct manifest_contract contracts[MANIFEST_CONTRACTS_MAX];
	struct manifest_trust trust;
	struct manifest_hosts allowed; /* none: every host that is not forbidden */
	struct manifest_hosts forbidden;
};

/* The bridge's ledger: fresh time, and anchors of sealed state (docs/protocol/time.md). */
struct manifest_ledger {
	/* What the light client needs of a chain; its gateway and identity are those of the register
	 * of enclaves. */
	struct manifest_chain chain;
	struct verify_clock_source time;
	uint64_t proof_age_max_s; /* what the ledger said of the anchor longer ago does not count */
	uint64_t anchor_lag_max;  /* states that are sealed beyond the anchor that is proven */
	/* What the register must say of an enclave whose key is learned. */
	struct {
		bool wanted;
		bool evidence; /* administrators' word alone is not enough */
		struct cs_u256 bond_min;
	} registration;
};

struct manifest {
	struct cs_hash hash;     /* computed */
	struct cs_hash lineage;  /* computed: hash of the first */
	uint64_t number;         /* from 1 */
	struct cs_hash previous; /* zero for the first */
	char name[CS_MANIFEST_NAME_SIZE_MAX + 1];
	bool insecure_host_time; /* else the ledger's */
	struct manifest_ledger ledger;
	uint64_t batch_max;
	uint64_t statement_manifest_min; /* statements of remotes under an older manifest are
					    refused */
	size_t threshold;
	size_t administrator_count;
	struct cs_hash administrators[MANIFEST_ADMINISTRATORS_MAX]; /* x of BIP-340 */
	size_t build_count;
	struct cs_hash builds[MANIFEST_BUILDS_MAX];
	size_t chain_count;
	struct manifest_chain chains[CS_MANIFEST_CHAINS_MAX];
	size_t abandoned_count;
	struct cs_hash abandoned[MANIFEST_ABANDONED_MAX];
	struct manifest_oracle oracle;
	/* There when a chain is of the mode rpc_quorum, and else not. */
	bool has_rpc;
	struct manifest_trust rpc;
	size_t provider_count;
	struct manifest_provider providers[MANIFEST_PROVIDERS_MAX];
};

/* Reads one signed manifest. `before` is the manifest that it follows, NULL for the first of a
 * lineage: then it must have number 1, a zero previous hash, and signatures of its own
 * administrators; else the number is the next one, the previous hash is that of `before`, and k of
 * n of *its* administrators signed. Errors: TOO_LARGE, MALFORMED, NON_CANONICAL, UNKNOWN_FIELD,
 * MISSING_FIELD, DUPLICATE, INVALID, UNSUPPORTED for the form; WRONG_LINEAGE when it does not
 * follow; BAD_SIGNATURE, WRONG_KEY (not an administrator), UNAUTHORIZED (fewer than k). */
CS_NODISCARD enum cs_err manifest_read(struct manifest *manifest, struct cs_arena *arena,
				       struct cs_bytes file, const struct manifest *before,
				       struct cs_why *why);

/* NULL when the manifest does not name it. */
const struct manifest_chain *manifest_chain_of(const struct manifest *manifest,
					       const struct cs_hash *identity);
/* host: a name in lower-case ASCII or an address. Forbidden beats allowed. */
bool manifest_allows_host(const struct manifest_oracle *oracle, struct cs_bytes host);
bool manifest_lists_build(const struct manifest *manifest, const struct cs_hash *measurement);
bool manifest_lists_remote(const struct manifest_chain *chain, const struct cs_hash *identity);
/* Is the message one of those that were signed from the chain's abandoned branch? */
bool manifest_lists_abandoned(const struct manifest *manifest, const struct manifest_chain *chain,
			      const struct cs_hash *message_id);

#endif
