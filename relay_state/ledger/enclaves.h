/* Contract 4: the register of enclaves. Which enclave holds which keys, in which role, of which build
 * and manifest, by whose word, until when; it names the keys that other contracts take signatures of.
 * Keys live by the rules and in the storage words of contracts/evm/src/KeyRegistry.sol (keys.h), but
 * for who names them: k of n administrators, by BIP-340 over the digest of docs/protocol/enclaves.md.
 *
 * Own state beside that of keys.h, remotes.h ('r' is an identity that signs) and timelock.h, numbers
 * big-endian:
 *
 *     'a'                       threshold (1) ‖ count (1) ‖ administrators (32 each)
 *     'b'                       smallest bond (32) ‖ delay of bonds (8) ‖ longest lifetime (8)
 *     'e' ‖ enclave             state (1) ‖ role (1) ‖ evidence kind (1) ‖ measurement (32) ‖ lineage (32)
 *                               ‖ manifest number (8) ‖ manifest hash (32) ‖ evidence digest (32)
 *                               ‖ registered (8) ‖ expires (8) ‖ revoked (8) ‖ bond (32) ‖ bonder (20)
 *     'x' ‖ x                   enclave (32) ‖ identity (32) ‖ epoch (8) ‖ gas address (20)
 *     'y' ‖ identity            its newest epoch (8)
 *     'm' ‖ lineage ‖ number    the manifest's hash (32) ‖ settled after a conflict (1)
 *     'o' ‖ lineage             number (8) ‖ known hash (32) ‖ other hash (32) ‖ since (8): two hashes
 *                               were approved for one number; the lineage is suspended
 *     'w' ‖ account             time key (32) ‖ since (8)
 *     'j'                       the policy: number (8) ‖ since (8) ‖ worst tier (1) ‖ size (4) ‖ JSON
 *                               ‖ roots of TPMs ‖ insecure roots: count (1), each size (2) ‖ DER
 *     'q' ‖ enclave             what its evidence came to: tier (1) ‖ TCB status (1) ‖ policy (8) ‖ until
 *                               (8) ‖ collateral's number (4); zeros: administrators' word
 *     'h' ‖ evidence kind       the highest number of Intel's collateral that was seen (4)
 *     'z' ‖ enclave             its tombstone: kind (1) ‖ x (32) ‖ since (8) ‖ slashed (32) ‖ of that the
 *                               reporter's (32) ‖ reporter (20) ‖ hash of what was signed (32)
 */
#ifndef LEDGER_ENCLAVES_H
#define LEDGER_ENCLAVES_H

#include "relay_state/ledger/keys.h"

#define LEDGER_ENCLAVES_NUMBER 4u
#define LEDGER_ADMINISTRATORS_MAX 16u
/* An enclave serves at most as many chains as a manifest has. */
#define LEDGER_ENCLAVE_KEYS_MAX CS_MANIFEST_CHAINS_MAX

extern const struct ledger_contract ledger_enclaves;

/* As numbers in registrations. A key is valid in one role. */
enum ledger_role {
	LEDGER_ROLE_BRIDGE = 1,
	LEDGER_ROLE_ORACLE = 2,
	LEDGER_ROLE_COMPUTE = 3,
};

enum ledger_enclave_state {
	LEDGER_ENCLAVE_ABSENT = 0,
	LEDGER_ENCLAVE_ACTIVE = 1,
	LEDGER_ENCLAVE_SUSPENDED = 2,
	LEDGER_ENCLAVE_REVOKED = 3,
};

/* What a key signed twice, and differently: why an enclave was slashed. */
enum ledger_contradiction {
	LEDGER_CONTRADICTION_OUTCOME = 1, /* two outcomes of one message */
	LEDGER_CONTRADICTION_ANCHOR = 2,  /* two digests of sealed state at one epoch and counter */
	LEDGER_CONTRADICTION_ANSWER = 3,  /* two answers to one request */
};

/* ---- founding ---- */

struct ledger_enclaves_terms {
	struct cs_address owner;
	struct cs_address guardian;
	uint64_t delay_s;
	uint64_t rotation_delay_s; /* above the delay */
	uint64_t overlap_s;
	bool insecure; /* takes statements of keys made under insecure flags alone, for ever */
	uint8_t threshold;
	size_t administrator_count; /* 1 to LEDGER_ADMINISTRATORS_MAX, distinct */
	struct cs_hash administrators[LEDGER_ADMINISTRATORS_MAX]; /* x of BIP-340 */
	struct cs_u256 bond_min;
	uint64_t bond_delay_s;   /* from revocation or expiry to the bond's return */
	uint64_t lifetime_max_s; /* of one registration, above 0 */
};

/* At genesis, in two steps, as of the gateway (gateway.h); `call` being a call of contract 4 by
 * nobody. INVALID: terms outside of their bounds, an administrator twice or no key. */
CS_NODISCARD enum cs_err ledger_enclaves_construct(struct ledger_call *call,
						   struct cs_bytes chain_id,
						   const struct ledger_enclaves_terms *terms);
CS_NODISCARD enum cs_err ledger_enclaves_name(struct ledger_call *call,
					      const struct cs_hash *chain_tag);

/* ---- registrations ---- */

struct ledger_enclave_key {
	struct cs_hash identity; /* for whom it speaks: a gateway, an oracle */
	uint64_t epoch;
	struct cs_hash x;
	struct cs_address gas; /* pays its transactions on that chain; zero: none */
};

struct ledger_registration {
	struct cs_hash enclave; /* zero: a new one; else the one that is renewed */
	uint8_t role;
	struct cs_hash measurement;
	struct cs_hash lineage;
	uint64_t manifest_number;
	struct cs_hash manifest_hash;
	uint8_t evidence_kind;
	struct cs_hash evidence_digest;
	uint64_t expires_s;
	struct cs_u256 bond; /* what is held at least after it */
	struct cs_address bonder;
	size_t key_count;
	struct ledger_enclave_key keys[LEDGER_ENCLAVE_KEYS_MAX];
	struct cs_bytes evidence; /* a view */
};
/* The hash of keys that report data holds (docs/protocol/boundary.md), and the name of an enclave
 * that is registered with them first. */
struct cs_hash ledger_enclave_keys_hash(const struct ledger_enclave_key *keys, size_t count);
/* What administrators sign; `own`: the register's identity. */
struct cs_hash ledger_registration_digest(const struct cs_hash *own,
					  const struct ledger_registration *registration);
/* What a time key signs to belong to an account (docs/protocol/time.md). */
struct cs_hash ledger_time_key_digest(const struct cs_hash *own, const struct cs_address *account);

/* ---- what evidence is accepted ---- */

/* A policy of every role's old and new build on each kind of hardware is some 8 KiB. */
#define LEDGER_POLICY_SIZE_MAX 12288u
#define LEDGER_POLICY_ROOTS_MAX 8u
/* RSA of 4,096 bits, twice, and names. */
#define LEDGER_POLICY_ROOT_SIZE_MAX 2048u

struct ledger_policy {
	uint64_t number;      /* 0: none was ever set, and the rest is zero */
	uint64_t since_s;     /* block's time */
	uint8_t worst;        /* enum attest_tier: AFFIRMING, or WARNING too */
	struct cs_bytes text; /* JSON: verify/attest/policy.h */
	size_t tpm_count;
	struct cs_bytes tpm[LEDGER_POLICY_ROOTS_MAX]; /* DER, of endorsement and attestation keys */
	size_t insecure_count;
	struct cs_bytes insecure[LEDGER_POLICY_ROOTS_MAX]; /* in the place of Intel's and AMD's */
};
/* What administrators sign (docs/protocol/enclaves.md); `own`: the register's identity. */
struct cs_hash ledger_policy_digest(const struct cs_hash *own, const struct ledger_policy *policy);
struct cs_hash ledger_manifest_digest(const struct cs_hash *own, const struct cs_hash *lineage,
				      uint64_t number, const struct cs_hash *hash);

/* ---- for other contracts, each from a call of its own: gas is taken from it ---- */

/* Who a key is. */
struct ledger_key_holder {
	bool known; /* the rest is zero where it is not */
	/* Key and enclave are active, inside of their times, and the lineage is not in conflict. */
	bool active;
	struct cs_hash enclave;
	struct cs_hash identity;
	uint64_t epoch;
	enum ledger_role role;
	struct cs_hash lineage;
	struct cs_address gas;
};
CS_NODISCARD enum cs_err ledger_enclaves_find(struct ledger_call *call,
					      struct ledger_key_holder *holder,
					      const struct cs_hash *x);
/* Reverts unless the key is registered in this role, and active: KeyNotActive(), WrongRole(). */
CS_NODISCARD enum cs_err ledger_enclaves_require(struct ledger_call *call,
						 struct ledger_key_holder *holder,
						 const struct cs_hash *x, enum ledger_role role);
/* Reverts unless the statement is by an active key of the signer in this role; the reverts of
 * ledger_statement_check_for beside those above. */
CS_NODISCARD enum cs_err ledger_enclaves_check(struct ledger_call *call, enum ledger_role role,
					       enum wire_kind kind, const struct cs_hash *signer,
					       const struct cs_hash *receiver,
					       const struct ledger_statement *statement,
					       const struct cs_hash *subtree);
/* The register's identity, to which what enclaves sign for this ledger is bound. */
CS_NODISCARD enum cs_err ledger_enclaves_identity(struct ledger_call *call,
						  struct cs_hash *identity);

#endif
