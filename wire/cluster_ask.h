/* What an operator and the programs of this machine ask a process of the cluster (ASK and ANSWER of
 * wire/pipe.h). A question is a verb (1) and its argument; an answer the size of a name (1), the name of an
 * error ("ok" when there is none), and then what was asked for, or a sentence that says why not. */
#ifndef WIRE_CLUSTER_ASK_H
#define WIRE_CLUSTER_ASK_H

/* WIRE_CLUSTER_ASK(NAME, verb, who answers: k, g, w) */
#define WIRE_CLUSTER_ASKS(X)                                                                               \
	/* JSON: role, manifest, epochs, peers, certificate. */                                            \
	X(STATUS, 1, "kgw")                                                                                \
	/* A new cluster, epoch 1. */                                                                      \
	X(CREATE, 2, "k")                                                                                  \
	/* Copies the state of the first of its peers, and stands by. */                                   \
	X(JOIN, 3, "k")                                                                                    \
	/* A standby takes over. */                                                                        \
	X(PROMOTE, 4, "k")                                                                                 \
	/* A new epoch. */                                                                                 \
	X(ROTATE, 5, "k")                                                                                  \
	/* 32 bytes: the hash of a SubjectPublicKeyInfo. */                                                \
	X(REVOKE, 6, "k")                                                                                  \
	/* The next manifest of the lineage. */                                                            \
	X(MANIFEST, 7, "kgw")                                                                              \
	/* Size of a purpose (1), purpose, plaintext: gives it sealed. */                                  \
	X(SEAL, 8, "w")                                                                                    \
	/* Size of a purpose (1), purpose, what SEAL gave: gives the plaintext. */                         \
	X(OPEN, 9, "w")                                                                                    \
	/* Place of a peer (1), size of a purpose (1), purpose, plaintext: gives the peer's hash of it. */ \
	X(SHARE, 10, "w")                                                                                  \
	/* A program's secret, sealed to a box: wire/provision.h. */                                       \
	X(PROVISION, 11, "w")                                                                              \
	/* Size of a secret's name (1), name, plaintext: a file that the secret opens. */                  \
	X(ENCRYPT, 12, "w")                                                                             \
	/* Of one that has the state: gives a ClusterRecovery. */                                          \
	X(RECOVERY_EXPORT, 13, "k")                                                                        \
	/* Of one that has none; a ClusterRecovery: gives a ClusterRecoverRequest. */                      \
	X(RECOVERY_REQUEST, 14, "k")                                                                       \
	/* Of the same process; size (4) and bytes of the recovery, then of each ClusterRecoverShare. */   \
	X(RECOVERY_RESTORE, 15, "k")

enum wire_cluster_ask {
#define WIRE_CLUSTER_ASK(name, verb, who) WIRE_CLUSTER_ASK_##name = (verb),
	WIRE_CLUSTER_ASKS(WIRE_CLUSTER_ASK)
#undef WIRE_CLUSTER_ASK
};

#endif
