/* The recovery of a key server's newest epoch, in a file: whoever waits for an operator to make one has an old
 * one on the day on which it is needed. */
#include "cluster/host.h"
#include "wire/cluster_ask.h"

#include <string.h>

void cluster_host_recovery_event(struct cluster_host *cluster, uint32_t event)
{
	const uint8_t question[] = {WIRE_CLUSTER_ASK_RECOVERY_EXPORT};
	if (cluster->config.role != CLUSTER_KEY_SERVER)
		return;
	if (event == WIRE_PIPE_EVENT_STARTED || event == WIRE_PIPE_EVENT_JOINED ||
	    event == WIRE_PIPE_EVENT_ROTATED || event == WIRE_PIPE_EVENT_REVOKED ||
	    event == WIRE_PIPE_EVENT_TAKEN_OVER)
		cluster_host_tell(cluster, WIRE_PIPE_ASK, CLUSTER_ASK_OF_HOST,
				  CS_BYTES_OF(question));
}

static bool is_named(struct cs_bytes body, const char *name)
{
	const size_t n = strlen(name);
	return body.n > n && body.p[0] == n && memcmp(body.p + 1, name, n) == 0;
}

/* Refusals are no trouble: a manifest without recovery keys, a key server without a cluster. */
void cluster_host_recovery_answer(struct cluster_host *cluster, struct cs_bytes body)
{
	const char *path = cluster->config.recovery;
	struct cs_why why = {""};
	if (!is_named(body, "ok"))
		return;
	const enum cs_err err =
		cluster_host_state_keep(path, cs_bytes(body.p + 3, body.n - 3), &why);
	if (err == CS_OK)
		log_info("cluster.recovery_kept", LOG_TEXT("file", path));
	else
		log_error("cluster.recovery_not_kept", LOG_ERR(err), LOG_TEXT("why", why.text));
}
