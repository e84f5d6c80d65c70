/* Carries the enclave's nonces to the nodes of the ledger, and back what they sign (docs/protocol/time.md).
 * Believed by nobody: without it the enclave has no time, and does nothing. */
#include "cluster/host.h"
#include "core/buf.h"
#include "core/reader.h"
#include "host/alloc.h"

#include <stdlib.h>
#include <string.h>

/* The enclave asks again, with another nonce, after about so long. */
#define DEADLINE_MS 2000u

/* One nonce, until all nodes have answered. */
struct question {
	struct cluster_host *cluster;
	uint32_t number;
	bool has_anchor; /* the key server's was asked for too */
	size_t count, size;
	uint8_t answers[WIRE_PIPE_TIME_COUNT_MAX * WIRE_PIPE_TIME_ANCHOR_SIZE];
};

/* Each answer goes on with those before it: how many are enough the enclave knows. */
static void on_answer(void *context, const struct ledger_client_time_answer *answer)
{
	struct question *question = context;
	struct cs_buf out;
	if (question->count == WIRE_PIPE_TIME_COUNT_MAX)
		return;
	question->count++;
	cs_buf_init(&out, question->answers + question->size, WIRE_PIPE_TIME_ANCHOR_SIZE);
	cs_put_word(&out, &answer->key);
	cs_put_u64(&out, answer->time_ms);
	cs_put(&out, CS_BYTES_OF(answer->signature));
	if (question->has_anchor) {
		cs_put_u64(&out, answer->anchor.manifest_number);
		cs_put_u64(&out, answer->anchor.epoch);
		cs_put_word(&out, &answer->anchor.authority);
		cs_put_word(&out, &answer->anchor.start);
	}
	question->size += out.n;
	cluster_host_tell(question->cluster, WIRE_PIPE_TIME_ANSWERS, question->number,
			  cs_bytes(question->answers, question->size));
}

static void on_done(void *context, enum cs_err err, size_t answered, size_t asked)
{
	if (err != CS_ERR_CLOSED && answered < asked)
		log_debug("cluster.time_answers", LOG_U64("answered", answered),
			  LOG_U64("asked", asked));
	free(context);
}

/* nonce, and lineage and key of an anchor where one is asked for. */
static enum cs_err ask(struct cluster_host *cluster, struct cs_bytes body)
{
	struct verify_anchor_owner owner;
	struct cs_hash nonce;
	struct cs_reader reader;
	const bool has_anchor = body.n > sizeof nonce.b;
	cs_reader_init(&reader, body);
	cs_get_copy(&reader, nonce.b, sizeof nonce.b);
	if (has_anchor) {
		cs_get_copy(&reader, owner.lineage.b, sizeof owner.lineage.b);
		cs_get_copy(&reader, owner.key.b, sizeof owner.key.b);
	}
	if (cluster->clock.client == NULL || cs_reader_end(&reader) != CS_OK)
		return CS_ERR_UNAVAILABLE;
	struct question *question = host_alloc(sizeof *question);
	question->cluster = cluster;
	question->number = cluster->clock.number;
	question->has_anchor = has_anchor;
	question->count = 0;
	question->size = 0;
	const enum cs_err err =
		ledger_client_time(cluster->clock.client, &nonce, has_anchor ? &owner : NULL,
				   DEADLINE_MS, on_answer, on_done, question);
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
