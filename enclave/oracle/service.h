/* The oracle's requests: what may be asked, what is proven about it, and what of the answer is signed.
 * Knows frames and replies, no descriptors; main.c has the loop. */
#ifndef ENCLAVE_ORACLE_SERVICE_H
#define ENCLAVE_ORACLE_SERVICE_H

#include "enclave/oracle/lookup.h"

/* Requests that wait for their sources. */
#define SERVICE_JOBS_MAX 256u
#define SERVICE_ITEMS_MAX 16u
/* By REST: how long an app may wait. */
#define SERVICE_TIMEOUT_MAX_S 3600u
/* Somebody looks at the screen: time for a source, and little for a place. */
#define SERVICE_DRY_RUN_S 12u

struct service_job;

struct service {
	struct lookup_world world;
	size_t job_count;
	struct service_job *first; /* in the order in which they came */
	struct service_job **last;
};

/* block: LOOKUP_ARENA_SIZE bytes. */
void service_init(struct service *service, struct enclave *e, struct fetch *fetch, void *block);
/* Answers at once (true: *type and reply are set), or keeps the request until its sources have
 * answered. Requests that both roles have go to enclave_step. */
bool service_request(struct service *service, enum wire_type *type, struct cs_buf *reply,
		     uint64_t frame_id, enum wire_type request, struct cs_bytes body,
		     const struct verify_time *now);
/* One turn, after fetch_step: takes replies, extracts, starts what waits. */
void service_turn(struct service *service, const struct verify_time *now);
/* When service_turn has something to end, though no transfer moves; -1: nothing. */
int service_wait_ms(const struct service *service);
/* Is a request complete, so that service_reply has something to say? */
bool service_is_ready(const struct service *service);
/* The oldest that is complete: signs and encodes. reply is empty and has room for a frame's body. */
enum wire_type service_reply(struct service *service, struct cs_buf *reply, uint64_t *frame_id);
/* Nobody waits for the answers any more. */
void service_forget(struct service *service);

#endif
