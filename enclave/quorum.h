/* The requests by which an enclave asks the providers of a chain (finality mode rpc_quorum): one question
 * to each over HTTPS that ends here, and their answers to the chain's light client. Asks nothing else of
 * anybody, and believes no provider more than its one answer. Knows frames, no descriptors. */
#ifndef ENCLAVE_QUORUM_H
#define ENCLAVE_QUORUM_H

#include "enclave/fetch/fetch.h"
#include "enclave/state.h"

/* Of one answer; a provider that takes longer has no vote. */
#define QUORUM_TOTAL_MS 10000u
/* After a quorum has answered the others have this long: one that hangs must not hold finality up. */
#define QUORUM_GRACE_MS 1000u

struct quorum_job;

struct quorum_call {
	struct quorum_job *job;
	uint64_t fetch_id; /* 0: it is over */
	enum wire_oracle_code code;
	uint64_t ends_s; /* fetch_reply.ends_s */
	struct verify_evm_answer answer;
	struct cs_why why;
};

/* One chain is asked once at a time. */
struct quorum_job {
	const struct enclave_chain *chain; /* NULL: free */
	uint64_t frame_id;
	size_t open_count;
	uint64_t end_ms; /* of the grace, by the monotonic clock; 0: no quorum has answered yet */
	uint64_t nonce;  /* after all had answered: enclave_clock_next; 0: not yet */
	uint64_t nonce_by_ms; /* then there is no time */
	struct quorum_call calls[VERIFY_EVM_PROVIDERS_MAX];
};

struct quorum {
	struct enclave *e;
	struct fetch *fetch;
	struct verify_time now; /* of this turn of the loop */
	struct quorum_job jobs[CS_MANIFEST_CHAINS_MAX];
};

/* fetch: of the trust that the manifest has for providers, and nobody else's. */
void quorum_init(struct quorum *quorum, struct enclave *e, struct fetch *fetch);
/* The functions of struct fetching_service; the context is a struct quorum. Requests other than
 * ClientQuorum go to enclave_step. UNSUPPORTED: the chain is of another mode; FULL: it is being asked;
 * NO_TIME. */
bool quorum_request(void *context, enum wire_type *type, struct cs_buf *reply, uint64_t frame_id,
		    enum wire_type request, struct cs_bytes body, const struct verify_time *now);
void quorum_turn(void *context, const struct verify_time *now);
int quorum_wait_ms(const void *context);
bool quorum_is_ready(const void *context);
enum wire_type quorum_reply(void *context, struct cs_buf *reply, uint64_t *frame_id);
void quorum_forget(void *context);

#endif
