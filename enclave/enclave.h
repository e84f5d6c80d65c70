/* The whole enclave as one function without descriptors: a request and the time in, a reply out. It
 * never reads a clock, a file or a socket, and does nothing that the manifest does not name; main.c
 * is the shell around it. */
#ifndef ENCLAVE_ENCLAVE_H
#define ENCLAVE_ENCLAVE_H

#include "core/buf.h"
#include "core/ct.h"
#include "enclave/insecure.h"
#include "enclave/manifest.h"
#include "verify/verify.h"
#include "wire/frame.h"

/* A process has one role for its life: its keys, its sealed state and its table of requests are that
 * role's, and no other role's are of use to it. */
enum enclave_role {
	ENCLAVE_BRIDGE, /* messages, outcomes, transactions */
	ENCLAVE_ORACLE, /* answers and feeds */
};

struct enclave;
struct enclave_call;
struct enclave_secrets;
struct tee;

/* The attested port's TLS (enclave/attested.h). */
struct enclave_door {
	void *context;
	/* Of an AttestedRequest. */
	enum cs_err (*answer)(void *context, struct enclave_call *call);
	/* The host is gone, and all connections with it. */
	void (*forget)(void *context);
};

/* What the shell gives at start. Everything is copied; memory of `manifest` may go afterwards. */
struct enclave_launch {
	enum enclave_role role;
	const struct manifest *manifest; /* the newest of the lineage */
	struct cs_hash measurement;
	uint64_t insecure_flags;                      /* as found by the sandbox */
	const struct tee *tee;                        /* outlives the enclave; NULL: simulated */
	struct cs_bytes seal_root;                    /* 32 bytes */
	size_t serve_count;                           /* 0: every chain of the manifest */
	struct cs_hash serve[CS_MANIFEST_CHAINS_MAX]; /* identities */
	const char *build;                            /* version text for hello */
	/* Fills p with n random bytes; false ends the request with CRYPTO. */
	bool (*random)(void *p, size_t n);
	struct enclave_door door; /* zeros: there is no attested port */
	/* A key pair for sealed boxes; of an oracle alone. */
	enum cs_err (*box_make)(struct cs_secret *secret, struct cs_hash *x);
	/* Tries what the sandbox must refuse, answers an errno. NULL in builds without test probes. */
	int (*probe)(uint32_t what);
};

/* What struct enclave and its secrets need; the shell gives both, the second from memfd_secret. */
size_t enclave_size(void);
size_t enclave_secrets_size(void);

/* UNLISTED_BUILD when the manifest does not list the measurement, NOT_IN_MANIFEST for a chain to
 * serve that it does not name and for an oracle that it does not, UNSUPPORTED for a finality mode
 * that the build lacks, CRYPTO. `e`
 * and `secrets` are of the sizes above, zeroed, and stay the caller's. */
CS_NODISCARD enum cs_err enclave_init(struct enclave *e, struct enclave_secrets *secrets,
				      const struct enclave_launch *launch, struct cs_why *why);
void enclave_done(struct enclave *e);
/* All bits: those of the launch, of the backend, of the manifest. */
uint64_t enclave_insecure_flags(const struct enclave *e);

/* A new connection of the host: hello is asked for again, and those of the attested port are gone. */
void enclave_connected(struct enclave *e);

/* Answers one request: the body of the reply goes to `reply`, its type is returned (request + 1, or
 * WIRE_ERROR). `now` is the host's clock, and counts where the manifest says so. The reply buffer is empty and has room for CS_FRAME_BODY_SIZE_MAX. Nothing in the
 * state changes when the answer is a refusal, except that a conflict that was proven freezes its
 * client, and a rollback that was proven ends the enclave's signing. */
enum wire_type enclave_step(struct enclave *e, const struct verify_time *now, enum wire_type type,
			    struct cs_bytes request, struct cs_buf *reply);

#endif
