/* Figures of a node for Prometheus, at /metrics on a port of their own. What means the same as in
 * CometBFT v0.38 (the metrics.go of its packages) has its name, kind, labels and unit; what is ours
 * alone begins with caisson_ledger_. Counts since the start of the process; believes no peer: no
 * label is a text that a peer chose. */
#ifndef NODE_METRICS_H
#define NODE_METRICS_H

#include "host/stream.h"
#include "relay_state/node/node.h"

/* Some 150 series of at most 200 bytes, a few histograms. */
#define NODE_METRICS_SIZE_MAX (256u * 1024)
/* [instrumentation] namespace */
#define NODE_METRICS_NAMESPACE_SIZE_MAX 32u

struct node_metrics;

/* Of a node that has started and that lives longer. name_space: what stands before "_consensus_…";
 * lower-case letters, digits, _. IO, CONFLICT: the address. */
CS_NODISCARD enum cs_err node_metrics_new(struct node_metrics **metrics, struct host_loop *loop,
					  struct node *node, const struct host_address *address,
					  const char *name_space, struct cs_why *why);
uint16_t node_metrics_port(const struct node_metrics *metrics);
/* Before the node, which must not step any more. NULL is allowed. */
void node_metrics_free(struct node_metrics *metrics);

#endif
