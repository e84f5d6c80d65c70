/* Questions from this machine: size (4, big-endian), body; the answer has the same form. One question of a
 * connection at a time. What they mean is the enclave's to say (wire/cluster_ask.h). */
#include "cluster/host.h"
#include "host/alloc.h"

#include <stdlib.h>
#include <string.h>

#define ASKS_MAX 64u

struct cluster_ask {
	struct cluster_host *cluster;
	struct cluster_ask *next, **at;
	struct host_stream *stream;
	uint32_t number; /* of the question that is open; 0: none */
	uint8_t *inbox;
	size_t size, room;
};

static void drop(struct cluster_ask *ask)
{
	host_stream_free(ask->stream);
	*ask->at = ask->next;
	if (ask->next != NULL)
		ask->next->at = ask->at;
	ask->cluster->asks.count--;
	free(ask->inbox);
	free(ask);
}

/* False: it is gone. */
static bool take(struct cluster_ask *ask)
{
	struct cluster_host *cluster = ask->cluster;
	if (ask->number != 0 || ask->size < 4)
		return true;
	const size_t size = cs_be32(ask->inbox);
	if (size > WIRE_PIPE_DATA_SIZE_MAX || !cluster->is_up) {
		drop(ask);
		return false;
	}
	if (ask->size - 4 < size)
		return true;
	ask->number = cluster->asks.number_next++;
	cluster_host_tell(cluster, WIRE_PIPE_ASK, ask->number, cs_bytes(ask->inbox + 4, size));
	ask->size -= 4 + size;
	memmove(ask->inbox, ask->inbox + 4 + size, ask->size);
	return true;
}

static void on_bytes(void *context, struct cs_bytes bytes)
{
	struct cluster_ask *ask = context;
	if (ask->size + bytes.n > 2u * WIRE_PIPE_DATA_SIZE_MAX) {
		drop(ask);
		return;
	}
	ask->inbox = host_append(ask->inbox, &ask->size, &ask->room, bytes.p, bytes.n);
	(void)take(ask);
}

static void on_ended(void *context, enum cs_err err)
{
	(void)err;
	drop(context);
}

static const struct host_stream_events events = {NULL, on_bytes, NULL, on_ended};

static void on_accepted(void *context, struct host_stream *stream)
{
	struct cluster_host *cluster = context;
	if (cluster->asks.count >= ASKS_MAX) {
		host_stream_free(stream);
		return;
	}
	struct cluster_ask *ask = host_alloc(sizeof *ask);
	ask->cluster = cluster;
	ask->stream = stream;
	ask->next = cluster->asks.first;
	ask->at = &cluster->asks.first;
	if (ask->next != NULL)
		ask->next->at = &ask->next;
	cluster->asks.first = ask;
	cluster->asks.count++;
	host_stream_serve(stream, &events, ask);
}

void cluster_host_asks_answer(struct cluster_host *cluster, uint32_t number, struct cs_bytes body)
{
	uint8_t head[4];
	struct cluster_ask *ask = cluster->asks.first;
	while (ask != NULL && (ask->number != number || number == 0))
		ask = ask->next;
	if (ask == NULL)
		return; /* it did not wait */
	ask->number = 0;
	cs_put_be32(head, (uint32_t)body.n);
	if (host_stream_write(ask->stream, CS_BYTES_OF(head), CLUSTER_QUEUE_MAX) != CS_OK ||
	    host_stream_write(ask->stream, body, CLUSTER_QUEUE_MAX) != CS_OK)
		drop(ask);
	else
		(void)take(ask);
}

enum cs_err cluster_host_asks_open(struct cluster_host *cluster, struct cs_why *why)
{
	cluster->asks.number_next = 1;
	return host_listener_new(&cluster->asks.listener, cluster->loop, &cluster->config.ask,
				 on_accepted, cluster, why);
}

void cluster_host_asks_reset(struct cluster_host *cluster)
{
	while (cluster->asks.first != NULL)
		drop(cluster->asks.first);
}

void cluster_host_asks_close(struct cluster_host *cluster)
{
	cluster_host_asks_reset(cluster);
	host_listener_free(cluster->asks.listener);
}
