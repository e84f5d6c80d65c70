/* The cluster's manifest: which builds may have which role and which application's keys, and who says
 * so. One canonical JSON form, signed by k of n administrators, numbered, chained by hashes
 * (docs/protocol/cluster.md has the fields). Read strictly, never written here. */
#ifndef CLUSTER_MANIFEST_H
#define CLUSTER_MANIFEST_H

#include "verify/attest/policy.h"
#include "verify/clock.h"
#include "verify/cluster/cluster.h"

#define CLUSTER_MANIFESTS_MAX 64u
#define CLUSTER_ADMINISTRATORS_MAX 16u
#define CLUSTER_APPLICATIONS_MAX 16u
#define CLUSTER_RECOVERY_MAX 16u
#define CLUSTER_SECRETS_MAX 32u
#define CLUSTER_RULES_MAX 16u
#define CLUSTER_SECRET_NAME_SIZE_MAX 32u
/* What manifests may say at the most: DESIGN section 10. */
#define CLUSTER_WORKER_LIFE_MAX_S 3600u
#define CLUSTER_KEY_SERVER_LIFE_MAX_S 86400u
/* Shorter ones could not be renewed in time. */
#define CLUSTER_LIFE_MIN_S 2u
/* The arena of one manifest, which keeps its policies there: of 64 KiB and CS_JSON_NODES_MAX nodes, read twice. */
#define CLUSTER_MANIFEST_ARENA_SIZE (4u * 1024 * 1024)

/* Certificates of each kind of roots in a manifest. */
#define CLUSTER_ROOTS_MAX 4u
#define CLUSTER_ROOT_SIZE_MAX 4096u

struct cluster_application {
	struct cs_bytes name; /* a-z, 0-9, '-', '.'; views into the manifest's arena */
	size_t build_count;
	const struct cs_bytes *builds; /* labels of the worker policy's references */
};

/* A program that is not the cluster's own, as its machine's kernel describes it: no more than the word of
 * whoever is root there. */
struct cluster_program {
	uint32_t user;
	bool is_interpreter;       /* its file is one that runs other files */
	struct cs_hash executable; /* SHA-256 */
	bool has_container;
	struct cs_hash container; /* SHA-256 digest of an image */
};

enum cluster_rule_kind {
	CLUSTER_RULE_USER,        /* every program of this user */
	CLUSTER_RULE_EXECUTABLE,  /* this program */
	CLUSTER_RULE_INTERPRETER, /* every script that it runs for this user */
	CLUSTER_RULE_CONTAINER,   /* every program of this user in a container of this image */
};

struct cluster_rule {
	enum cluster_rule_kind kind;
	uint32_t user;
	struct cs_hash hash; /* zero for CLUSTER_RULE_USER */
};

/* Which programs get which secret of an application. */
struct cluster_provision {
	struct cs_bytes application;
	struct cs_bytes name; /* as an application's */
	size_t rule_count;    /* at least 1 */
	const struct cluster_rule *rules;
};

struct cluster_manifest {
	struct cs_hash hash;
	uint64_t number; /* from 1 */
	/* Of all manifests of the lineage, first to this one. */
	struct cs_hash hashes[CLUSTER_MANIFESTS_MAX];
	struct cs_bytes name;
	/* The lineage was born with something insecure in its first manifest: its keys and
	 * certificates say so for ever. A lineage that was not may never accept anything insecure. */
	bool insecure;
	/* Time is the host's word; else the ledger's. */
	bool insecure_host_time;
	struct verify_clock_source time; /* zeros with the host's */
	/* Nothing leaves a key server that the ledger's anchor does not stand behind. */
	bool ledger_anchor;
	uint64_t peer_number_min; /* peers under older manifests are refused */
	size_t threshold;
	size_t administrator_count;
	struct cs_hash administrators[CLUSTER_ADMINISTRATORS_MAX]; /* x of BIP-340 */
	struct attest_policy policies[CLUSTER_ROLE_COUNT];         /* by role - 1 */
	/* Whose certificates are believed: Intel's and AMD's own, unless the manifest replaces them by
	 * insecure ones; of keys of TPMs those that it names. */
	struct attest_roots roots;
	size_t application_count;
	struct cluster_application applications[CLUSTER_APPLICATIONS_MAX];
	size_t provision_count; /* of insecure_programs */
	const struct cluster_provision *provisions;
	uint64_t worker_life_s;
	uint64_t key_server_life_s;
	uint64_t epoch_s;          /* a new epoch after so long; 0: by order alone */
	uint64_t decrypt_s;        /* so long after its end an epoch decrypts */
	size_t recovery_threshold; /* 0: nothing can be recovered */
	size_t recovery_count;
	struct cs_x25519_key recovery[CLUSTER_RECOVERY_MAX];
};

/* Reads one signed manifest; `before`: the one that it follows, NULL for the first. Views go into the
 * arena, which outlives the manifest. Errors as of enclave/manifest.h: the codes of the form;
 * WRONG_LINEAGE when it does not follow; BAD_SIGNATURE, WRONG_KEY (not an administrator), DUPLICATE,
 * UNAUTHORIZED (fewer than k); INSECURE_REFUSED: something insecure in a lineage that was not,
 * the host's time in one that had the ledger's, no anchor in one that had it. */
CS_NODISCARD enum cs_err cluster_manifest_read(struct cluster_manifest *out, struct cs_bytes file,
					       const struct cluster_manifest *before,
					       const struct cs_sig *sig, struct cs_arena *arena,
					       struct cs_why *why);

/* One that nobody has signed yet, as who writes it has it read: neither signatures nor what it follows are looked
 * at, so that nobody works under it. The codes of the form, and of cluster_manifest_check. */
CS_NODISCARD enum cs_err cluster_manifest_read_draft(struct cluster_manifest *out,
						     struct cs_bytes file, struct cs_arena *arena,
						     struct cs_why *why);

/* Of one that is not in force yet: INVALID where a policy names a build that no evidence can ever match
 * (verify/attest/policy_check.h). What is in force is not asked: beside such a build it may name others. */
CS_NODISCARD enum cs_err cluster_manifest_check(const struct cluster_manifest *m,
						struct cs_why *why);

/* The hash of the first one. */
const struct cs_hash *cluster_manifest_lineage(const struct cluster_manifest *m);
const struct attest_policy *cluster_manifest_policy(const struct cluster_manifest *m,
						    enum cluster_role role);
/* What a peer says it works under: an older one that is still accepted must be of this lineage; a newer
 * one its own build has checked. WRONG_MANIFEST: too old, or of another chain. */
CS_NODISCARD enum cs_err cluster_manifest_accepts(const struct cluster_manifest *m, uint64_t number,
						  const struct cs_hash *hash, struct cs_why *why);
/* Is this build of a worker still named at this time, and may it have the application's keys?
 * UNLISTED_BUILD, EXPIRED, NO_TIME; NOT_IN_MANIFEST: the application, or not for this build. */
CS_NODISCARD enum cs_err cluster_manifest_allows(const struct cluster_manifest *m,
						 struct cs_bytes build, struct cs_bytes application,
						 const struct verify_time *now, struct cs_why *why);
/* The same of a role without applications. UNLISTED_BUILD, EXPIRED, NO_TIME. */
CS_NODISCARD enum cs_err cluster_manifest_names(const struct cluster_manifest *m,
						enum cluster_role role, struct cs_bytes build,
						const struct verify_time *now, struct cs_why *why);
bool cluster_manifest_has_secret(const struct cluster_manifest *m, struct cs_bytes application,
				 struct cs_bytes name);
/* May this program have this secret of the application? NOT_IN_MANIFEST: there is no such secret; FORBIDDEN:
 * no rule is about the program. */
CS_NODISCARD enum cs_err cluster_manifest_provides(const struct cluster_manifest *m,
						   struct cs_bytes application,
						   struct cs_bytes name,
						   const struct cluster_program *program,
						   struct cs_why *why);

#endif
