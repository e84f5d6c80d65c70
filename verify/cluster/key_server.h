/* The Key Server: keeps an epoch's root for every epoch in force, certifies Workers for whom an attested
 * Guard vouches, and hands them their application's keys. It believes no clock, no file and no peer: time
 * is an argument, its state comes back sealed and is held against anchors, peers show evidence. */
#ifndef CLUSTER_KEY_SERVER_H
#define CLUSTER_KEY_SERVER_H

#include "verify/cluster/keys.h"
#include "verify/cluster/peer.h"

/* How far an instance is: what is signed, kept by Guards, and anchored outside. */
struct cluster_anchor {
	struct cs_hash key_server; /* hash of the instance's SubjectPublicKeyInfo */
	uint64_t manifest_number;
	uint64_t epoch;
	uint64_t counter;
	struct cs_ed25519_key authority; /* of the epoch */
};

struct cluster_key_server {
	const struct cluster_manifest *manifest;
	struct cluster_pair identity; /* the instance's, of its sessions */
	struct cluster_pair anchor;   /* the cluster's, the same in all its Key Servers */
	bool standby;                 /* a copy: issues, but begins no epoch until it is promoted */
	/* Another Key Server is further, or an anchor says that this state is old: nothing is issued. */
	bool behind;
	uint64_t counter;               /* rises with every change of what is sealed */
	uint64_t epoch_manifest_number; /* under which the current epoch began */
	size_t epoch_count;
	struct cluster_epoch epochs[CLUSTER_EPOCHS_MAX]; /* ascending, the current one last */
	struct cluster_pair authorities[CLUSTER_EPOCHS_MAX];
	size_t certificate_sizes[CLUSTER_EPOCHS_MAX];
	uint8_t certificates[CLUSTER_EPOCHS_MAX][CLUSTER_CERTIFICATE_SIZE_MAX];
	uint64_t certificate_due_s; /* half of the current one's life */
	uint64_t certificate_until_s;
	size_t revoked_count;
	struct cs_hash revoked[CLUSTER_REVOKED_MAX]; /* ascending */
	uint64_t statement_s;                        /* when it was made; 0: there is none */
	struct cs_buf statement; /* ClusterStatement, in the caller's memory: not secret */
};

/* `memory`: CLUSTER_STATEMENT_SIZE_MAX bytes for the statement; both outlive the struct. Begins without
 * state, with an identity of its own: then create, restore, adopt or recover, one of them. CRYPTO. */
CS_NODISCARD enum cs_err cluster_key_server_init(struct cluster_key_server *ks,
						 const struct cluster_manifest *manifest,
						 uint8_t *memory, const struct cs_secret *random);
void cluster_key_server_done(struct cluster_key_server *ks);

/* A new cluster, with epoch 1. CONFLICT: there is state already; FORBIDDEN, UNLISTED_BUILD: this build's
 * own evidence does not satisfy the manifest (as every Key Server checks at its start); NO_TIME. */
CS_NODISCARD enum cs_err cluster_key_server_create(struct cluster_key_server *ks,
						   const struct cluster_tools *tools,
						   const struct cs_secret *random,
						   const struct verify_time *now,
						   struct cs_why *why);
/* This process is of a build that the manifest names as a Key Server. */
CS_NODISCARD enum cs_err cluster_key_server_check_self(const struct cluster_key_server *ks,
						       const struct cluster_tools *tools,
						       const struct cs_secret *random,
						       const struct verify_time *now,
						       struct cs_why *why);

/* The plain state, to be sealed by the caller: at most CLUSTER_STATE_SIZE_MAX bytes, secret. Whoever keeps
 * it raises the counter first (cluster_key_server_changed). */
#define CLUSTER_STATE_SIZE_MAX 16384u
CS_NODISCARD enum cs_err cluster_key_server_encode(const struct cluster_key_server *ks,
						   struct cs_buf *out, struct cs_arena *arena,
						   struct cs_why *why);
/* anchor NULL: none is known. WRONG_LINEAGE; WRONG_MANIFEST: sealed under a manifest that this process
 * was not given; ROLLED_BACK: the anchor is further than the state. Codec's errors. */
CS_NODISCARD enum cs_err cluster_key_server_restore(struct cluster_key_server *ks,
						    struct cs_bytes state,
						    const struct cluster_anchor *anchor,
						    const struct cluster_tools *tools,
						    struct cs_why *why);
void cluster_key_server_anchor(const struct cluster_key_server *ks, struct cluster_anchor *out);
/* ROLLED_BACK: the anchor is this instance's and further, or another's of a later epoch or manifest, or of
 * this epoch with another root. Then ks->behind, until a copy is adopted. */
CS_NODISCARD enum cs_err cluster_key_server_check_anchor(struct cluster_key_server *ks,
							 const struct cluster_anchor *anchor,
							 struct cs_why *why);

/* ---- what time and operators ask ---- */

/* Ends old epochs, begins a new one when the manifest's time has come, makes new certificates of
 * authorities at half of their life, and the statement. *changed: seal again, on failure too. */
CS_NODISCARD enum cs_err cluster_key_server_tick(struct cluster_key_server *ks, bool *changed,
						 const struct cluster_tools *tools,
						 const struct cs_secret *random,
						 const struct verify_time *now, struct cs_why *why);
/* A new epoch at once. CONFLICT: a standby; NO_TIME. FULL cannot be: the oldest epoch ends. The caller
 * seals before it answers. A statement that cannot be made now is the next tick's. */
CS_NODISCARD enum cs_err cluster_key_server_rotate(struct cluster_key_server *ks,
						   const struct cluster_tools *tools,
						   const struct cs_secret *random,
						   const struct verify_time *now,
						   struct cs_why *why);
/* Of a Worker's, Guard's or Key Server's key. A new epoch begins with it, so that what the key's owner
 * holds goes out of use. DUPLICATE, FULL, CONFLICT (its own key; a standby), NO_TIME. */
CS_NODISCARD enum cs_err
cluster_key_server_revoke(struct cluster_key_server *ks, const struct cs_hash *spki,
			  const struct cluster_tools *tools, const struct cs_secret *random,
			  const struct verify_time *now, struct cs_why *why);
/* The next manifest of the lineage: a new epoch begins with it. WRONG_LINEAGE: not the next one;
 * FORBIDDEN, UNLISTED_BUILD: it does not name this build. */
CS_NODISCARD enum cs_err
cluster_key_server_manifest(struct cluster_key_server *ks, const struct cluster_manifest *next,
			    const struct cluster_tools *tools, const struct cs_secret *random,
			    const struct verify_time *now, struct cs_why *why);
/* A standby takes over. CONFLICT: it is none, or behind. */
CS_NODISCARD enum cs_err cluster_key_server_promote(struct cluster_key_server *ks,
						    struct cs_why *why);

/* ---- sessions ---- */

/* This end's ClusterHello. */
CS_NODISCARD enum cs_err
cluster_key_server_hello(const struct cluster_key_server *ks, const struct cluster_session *session,
			 struct cs_buf *out, const struct cluster_tools *tools, struct cs_why *why);
/* The peer's: errors of cluster_evidence_verify; FORBIDDEN: a role that has no business here; REVOKED;
 * BAD_SIGNATURE, ROLLED_BACK (the anchor that it shows). CONFLICT: a second one. */
CS_NODISCARD enum cs_err cluster_key_server_meet(struct cluster_key_server *ks,
						 struct cluster_session *session,
						 struct cs_bytes hello,
						 const struct cluster_tools *tools,
						 const struct verify_time *now, struct cs_why *why);
/* A ClusterVouchRequest becomes a ClusterGrant. Errors of cluster_session_check and
 * cluster_manifest_allows; BAD_SIGNATURE (the worker's or the guard's), REVOKED, WRONG_MANIFEST (vouched for under one that is too old), ROLLED_BACK
 * (behind), UNAVAILABLE (no statement: tick), EXPIRED and NO_TIME (its own certificates). */
CS_NODISCARD enum cs_err
cluster_key_server_issue(struct cluster_key_server *ks, const struct cluster_session *session,
			 struct cs_buf *out, struct cs_bytes vouch,
			 const struct cluster_tools *tools, const struct cs_secret *random,
			 const struct verify_time *now, struct cs_why *why);

/* A ClusterRevokedRequest of a Guard becomes a ClusterRevokedReply. Errors of cluster_session_check. */
CS_NODISCARD enum cs_err cluster_key_server_revoked(const struct cluster_key_server *ks,
						    const struct cluster_session *session,
						    struct cs_buf *out, struct cs_bytes request,
						    const struct cluster_tools *tools,
						    const struct verify_time *now,
						    struct cs_why *why);

/* ---- a second Key Server ---- */

/* Of the joining one: makes a ClusterCopyRequest; the box is kept until the answer. CONFLICT: it has
 * state and is not a standby. */
CS_NODISCARD enum cs_err cluster_key_server_copy_ask(const struct cluster_key_server *ks,
						     struct cs_secret *box, struct cs_buf *out,
						     const struct cs_secret *random,
						     struct cs_why *why);
/* Of the other: the state, to the key in the request, for a peer that is an attested Key Server. */
CS_NODISCARD enum cs_err cluster_key_server_copy(const struct cluster_key_server *ks,
						 const struct cluster_session *session,
						 struct cs_buf *out, struct cs_bytes request,
						 const struct cluster_tools *tools,
						 const struct cs_secret *random,
						 const struct verify_time *now, struct cs_why *why);
/* Takes it, as a standby with its own identity. UNAUTHORIZED: the session's peer was not verified;
 * SEAL_BROKEN, WRONG_LINEAGE, WRONG_MANIFEST; ROLLED_BACK: older than what it has. */
CS_NODISCARD enum cs_err
cluster_key_server_adopt(struct cluster_key_server *ks, const struct cluster_session *session,
			 const struct cs_secret *box, struct cs_bytes reply,
			 const struct cluster_tools *tools, const struct verify_time *now,
			 struct cs_why *why);

#endif
