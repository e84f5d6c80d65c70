/* Evidence about a node's own key, made every half hour by the program caisson-evidence, a child of the node:
 * hardware takes up to a second, and nothing of the enclave is linked here. Judges nothing. */
#ifndef NODE_ATTEST_MAKER_H
#define NODE_ATTEST_MAKER_H

#include "core/hash.h"
#include "host/loop.h"

/* Half of what evidence may be old (attest_judge.h); after a failure. */
#define NODE_ATTEST_RENEW_MS (30u * 60 * 1000)
#define NODE_ATTEST_RETRY_MS (60u * 1000)

struct node_maker;

struct node_maker_options {
	const char *backend;      /* simulated, gramine, tsm, tpm */
	const char *state_folder; /* of a TPM's; made where it is missing */
	struct cs_bytes spki;     /* DER; the caller's */
	const struct cs_hash *genesis_hash;
};

/* The content of TCG DICE's extension, a view, and what notBefore must be. */
typedef void node_maker_made(void *context, struct cs_bytes extension, uint64_t issued_s);

/* The first one is made at once, in the background; what fails is logged and tried again. IO: the own
 * program cannot be read. */
CS_NODISCARD enum cs_err node_maker_new(struct node_maker **maker, struct host_loop *loop,
					const struct node_maker_options *options,
					node_maker_made *made, void *context, struct cs_why *why);
/* NULL is allowed. */
void node_maker_free(struct node_maker *maker);

#endif
