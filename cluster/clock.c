/* Carries the enclave's nonces to the nodes of the ledger, and back what they sign (docs/protocol/time.md).
 * Believed by nobody: without it the enclave has no time, and does nothing. */
#include "cluster/host.h"
#include "host/alloc.h"

#include <stdlib.h>
#include <string.h>

/* The enclave asks again, with another nonce, after about so long. */
#define DEADLINE_MS 2000u

/* One nonce, until all nodes have answered. */
struct question {
	struct cluster_host *cluster;
	uint32_t number;
	size_t count;
	uint8_t answers[WIRE_PIPE_TIME_COUNT_MAX * WIRE_PIPE_TIME_SIZE];
};

/* Each answer goes on with those before it: how many are enough the enclave knows. */
static void on_answer(void *context, const struct ledger_client_time_answer *answer)
{
	struct question *question = context;
	if (question->count == WIRE_PIPE_TIME_COUNT_MAX)
		return;
	uint8_t *p = question->answers + question->count++ * WIRE_PIPE_TIME_SIZE;
	memcpy(p, answer->key.b, 32);
	cs_put_be64(p + 32, answer->time_ms);
	memcpy(p + 40, answer->signature, 64);
	cluster_host_tell(question->cluster, WIRE_PIPE_TIME_ANSWERS, question->number,
			  cs_bytes(question->answers, question->count * WIRE_PIPE_TIME_SIZE));
}

static void on_done(void *context, enum cs_err err, size_t answered, size_t asked)
{
	if (err != CS_ERR_CLOSED && answered < asked)
		log_debug("cluster.time_answers", LOG_U64("answered", answered),
			  LOG_U64("asked", asked));
	free(context);
}

static enum cs_err ask(struct cluster_host *cluster, struct cs_bytes nonce)
{
	struct cs_hash hash;
	if (cluster->clock.client == NULL || nonce.n != sizeof hash.b)
		return CS_ERR_UNAVAILABLE;
	memcpy(hash.b, nonce.p, sizeof hash.b);
	struct question *question = host_alloc(sizeof *question);
	question->cluster = cluster;
	question->number = cluster->clock.number;
	question->count = 0;
	const enum cs_err err = ledger_client_time(cluster->clock.client, &hash, DEADLINE_MS,
						   on_answer, on_done, question);
	if (err != CS_OK)
		free(question);
	return err;
}

void cluster_host_clock_ask(struct cluster_host *cluster, uint32_t number, struct cs_bytes nonce)
{
	struct cluster_clock *clock = &cluster->clock;
	clock->number = number;
	clock->bytes = 0;
	cluster_host_pipes_resume(cluster);
	const enum cs_err err = ask(cluster, nonce);
	/* Said once: it is asked twice a second. */
	if (err != CS_OK && !clock->told && clock->client == NULL)
		log_error("cluster.no_time", LOG_TEXT("why", "the manifest asks for the ledger's "
							     "time, and there is no [ledger]"));
	else if (err != CS_OK && !clock->told)
		log_warn("cluster.no_time", LOG_TEXT("why", "no node of the ledger answers yet"));
	clock->told = err != CS_OK;
}

void cluster_host_clock_reset(struct cluster_host *cluster)
{
	cluster->clock.number = 0;
	cluster->clock.bytes = 0;
}

enum cs_err cluster_host_clock_open(struct cluster_host *cluster, struct cs_why *why)
{
	const struct cluster_config *config = &cluster->config;
	struct ledger_client_config client = {.chain_id = config->ledger.chain_id,
					      .chain_tag = config->ledger.tag,
					      .node_count = config->ledger.node_count,
					      .timeout_ms = DEADLINE_MS};
	if (config->ledger.chain_id == NULL)
		return CS_OK;
	for (size_t i = 0; i < client.node_count; i++)
		client.nodes[i] = config->ledger.nodes[i];
	CS_TRY(ledger_client_new(&cluster->clock.client, cluster->loop, &client, why));
	ledger_client_start(cluster->clock.client);
	return CS_OK;
}

void cluster_host_clock_close(struct cluster_host *cluster)
{
	ledger_client_free(cluster->clock.client);
}
