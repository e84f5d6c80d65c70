/* One process of the cluster as a machine without descriptors: frames of the pipe (wire/pipe.h) go in, with
 * the time of their arrival; frames for the host come out. Ends TLS, knows which message may come over which
 * connection, keeps its state sealed before anything that rests on it leaves, and asks verify/cluster about
 * everything else. Believes nothing that the host says. */
#ifndef CLUSTER_SERVICE_H
#define CLUSTER_SERVICE_H

#include "enclave/cluster/record.h"
#include "verify/cluster/lineage.h"
#include "wire/pipe.h"

struct service;

struct service_launch {
	enum cluster_role role;
	struct cs_bytes application; /* of a worker */
	/* The lineage, first to newest, as signed; first: the hash that the first one must have. */
	const struct cs_bytes *manifests;
	size_t manifest_count;
	struct cs_hash first;
	const struct cs_secret *seal_root; /* copied */
	struct cluster_tee tee;
	struct record_keeper record; /* of a key server; read NULL: none */
	/* Fills all of it, or the process cannot go on. */
	bool (*random)(void *p, size_t n);
	/* Takes a frame to the host; body is a view. */
	void (*send)(void *context, enum wire_pipe_type type, uint32_t number,
		     struct cs_bytes body);
	void *send_context;
};

/* Memory of the caller, cleared: secrets in memory that nobody else reads. */
size_t service_size(void);
size_t service_secrets_size(void);
/* What is read through, message by message. */
#define SERVICE_SCRATCH_SIZE (CLUSTER_ARENA_SIZE + CLUSTER_LINEAGE_SIZE + 32u * 1024 * 1024)

/* scratch: SERVICE_SCRATCH_SIZE bytes. All outlive the service. Errors of cluster_manifest_read;
 * WRONG_LINEAGE: the first manifest is not `first`; NOT_IN_MANIFEST: a worker's application. */
CS_NODISCARD enum cs_err service_init(struct service *s, void *secrets, void *scratch,
				      const struct service_launch *launch, struct cs_why *why);
/* What this process is less than the real thing by, the manifest's source of time included. */
uint64_t service_insecure_flags(const struct service *s);
/* One frame of the host; `now` is its clock, and counts where the manifest says so. Failures end the process: the
 * state cannot be opened (errors of seal.h and of the roles' restore), the host broke the rules of the pipe
 * (MALFORMED, CONFLICT), the hardware gives no evidence or does not keep its record (its errors), ROLLED_BACK: the
 * state is older than that record; FULL: what waits for the state to be kept, or for the ledger's time, is above
 * its bound. */
CS_NODISCARD enum cs_err service_take(struct service *s, const struct wire_pipe_frame *frame,
				      struct cs_bytes body, const struct verify_time *now,
				      struct cs_why *why);
/* The state was opened: a failure before that is not cured by another start. */
bool service_is_open(const struct service *s);
/* Ends connections and wipes secrets. */
void service_done(struct service *s);

#endif
