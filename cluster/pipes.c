/* Connections of the enclave, whose bytes pass through here unread. */
#include "cluster/host.h"
#include "host/alloc.h"

#include <stdlib.h>
#include <string.h>

struct cluster_connection {
	struct cluster_host *cluster;
	struct cluster_connection *next, **at;
	struct host_stream *stream;
	uint32_t number;
	bool is_open;
	bool finishing; /* the enclave knows it no more */
};

static void drop(struct cluster_connection *c)
{
	host_stream_free(c->stream);
	*c->at = c->next;
	if (c->next != NULL)
		c->next->at = c->at;
	c->cluster->pipes.count--;
	free(c);
}

static struct cluster_connection *add(struct cluster_host *cluster, uint32_t number)
{
	struct cluster_connection *c = host_alloc(sizeof *c);
	c->cluster = cluster;
	c->number = number;
	c->next = cluster->pipes.first;
	c->at = &cluster->pipes.first;
	if (c->next != NULL)
		c->next->at = &c->next;
	cluster->pipes.first = c;
	cluster->pipes.count++;
	return c;
}

static struct cluster_connection *find(struct cluster_host *cluster, uint32_t number)
{
	struct cluster_connection *c = cluster->pipes.first;
	while (c != NULL && (c->number != number || c->finishing))
		c = c->next;
	return c;
}

/* ---- from the network ---- */

static void on_connected(void *context)
{
	struct cluster_connection *c = context;
	c->is_open = true;
	cluster_host_tell(c->cluster, WIRE_PIPE_CONNECTED, c->number, CS_BYTES_NONE);
}

/* In the socket, or in the enclave until it knows the time. */
static bool is_behind(const struct cluster_host *cluster)
{
	return cluster->enclave != NULL &&
	       (host_stream_queued(cluster->enclave) >= CLUSTER_ENCLAVE_QUEUE_MAX ||
		(cluster->clock.number != 0 && cluster->clock.bytes >= WIRE_PIPE_TIME_BYTES_MAX));
}

static void on_bytes(void *context, struct cs_bytes bytes)
{
	struct cluster_connection *c = context;
	struct cluster_host *cluster = c->cluster;
	if (c->finishing)
		return;
	while (bytes.n > 0) {
		const size_t n =
			bytes.n < WIRE_PIPE_DATA_SIZE_MAX ? bytes.n : WIRE_PIPE_DATA_SIZE_MAX;
		cluster_host_tell(cluster, WIRE_PIPE_DATA_IN, c->number, cs_bytes(bytes.p, n));
		cluster->clock.bytes += n;
		bytes = cs_bytes(bytes.p + n, bytes.n - n);
	}
	if (!is_behind(cluster))
		return;
	/* Nobody is read until the enclave has what waits. */
	cluster->pipes.paused = true;
	for (struct cluster_connection *each = cluster->pipes.first; each != NULL;
	     each = each->next)
		if (each->is_open)
			host_stream_pause(each->stream);
}

void cluster_host_pipes_resume(struct cluster_host *cluster)
{
	if (!cluster->pipes.paused || is_behind(cluster))
		return;
	cluster->pipes.paused = false;
	for (struct cluster_connection *each = cluster->pipes.first; each != NULL;
	     each = each->next)
		if (each->is_open)
			host_stream_resume(each->stream);
}

static void on_ended(void *context, enum cs_err err)
{
	struct cluster_connection *c = context;
	(void)err;
	if (!c->finishing)
		cluster_host_tell(c->cluster, WIRE_PIPE_ENDED, c->number, CS_BYTES_NONE);
	drop(c);
}

static const struct host_stream_events events = {on_connected, on_bytes, NULL, on_ended};

static void accepted(struct cluster_host *cluster, struct host_stream *stream, uint8_t port)
{
	if (!cluster->is_up || cluster->pipes.count >= CLUSTER_CONNECTIONS_MAX) {
		host_stream_free(stream);
		return;
	}
	struct cluster_connection *c = add(cluster, cluster->pipes.number_next);
	cluster->pipes.number_next += 2;
	c->stream = stream;
	c->is_open = true;
	cluster_host_tell(cluster, WIRE_PIPE_ACCEPTED, c->number, cs_bytes(&port, 1));
	host_stream_serve(stream, &events, c);
}

static void on_tcp(void *context, struct host_stream *stream)
{
	struct cluster_host *cluster = context;
	accepted(cluster, stream,
		 cluster->config.role == CLUSTER_KEY_SERVER ? WIRE_PIPE_EVIDENCE
							    : WIRE_PIPE_WORKERS);
}

static void on_local(void *context, struct host_stream *stream)
{
	accepted(context, stream, WIRE_PIPE_LOCAL);
}

/* ---- from the enclave ---- */

static const struct host_address *address_of(const struct cluster_config *config, uint8_t port,
					     uint8_t place)
{
	if (port == WIRE_PIPE_LOCAL)
		return place == 0 && config->guard.name[0] != 0 ? &config->guard : NULL;
	return place < config->peer_count ? &config->peers[place] : NULL;
}

void cluster_host_pipes_connect(struct cluster_host *cluster, uint32_t number, struct cs_bytes body)
{
	const struct host_address *address =
		body.n == 2 ? address_of(&cluster->config, body.p[0], body.p[1]) : NULL;
	if (address == NULL || cluster->pipes.count >= CLUSTER_CONNECTIONS_MAX) {
		cluster_host_tell(cluster, WIRE_PIPE_ENDED, number, CS_BYTES_NONE);
		return;
	}
	struct cluster_connection *c = add(cluster, number);
	c->stream = host_stream_connect(cluster->loop, address, &events, c);
}

void cluster_host_pipes_data(struct cluster_host *cluster, uint32_t number, struct cs_bytes bytes)
{
	struct cluster_connection *c = find(cluster, number);
	if (c == NULL || !c->is_open)
		return;
	if (host_stream_write(c->stream, bytes, CLUSTER_QUEUE_MAX) == CS_OK)
		return;
	cluster_host_tell(cluster, WIRE_PIPE_ENDED, number, CS_BYTES_NONE);
	drop(c);
}

void cluster_host_pipes_end(struct cluster_host *cluster, uint32_t number)
{
	struct cluster_connection *c = find(cluster, number);
	if (c == NULL)
		return;
	c->finishing = true;
	if (c->is_open)
		host_stream_finish(c->stream);
	else
		drop(c);
}

/* ---- the whole ---- */

enum cs_err cluster_host_pipes_open(struct cluster_host *cluster, struct cs_why *why)
{
	const struct cluster_config *config = &cluster->config;
	cluster->pipes.number_next = 2;
	if (config->listen.name[0] != 0)
		CS_TRY(host_listener_new(&cluster->pipes.tcp, cluster->loop, &config->listen,
					 on_tcp, cluster, why));
	if (config->local.name[0] != 0)
		CS_TRY(host_listener_new(&cluster->pipes.local, cluster->loop, &config->local,
					 on_local, cluster, why));
	if (cluster->pipes.tcp != NULL)
		log_info("cluster.listening",
			 LOG_U64("port", host_listener_port(cluster->pipes.tcp)));
	return CS_OK;
}

void cluster_host_pipes_reset(struct cluster_host *cluster)
{
	while (cluster->pipes.first != NULL)
		drop(cluster->pipes.first);
	cluster->pipes.paused = false;
	cluster->pipes.number_next = 2;
}

void cluster_host_pipes_close(struct cluster_host *cluster)
{
	cluster_host_pipes_reset(cluster);
	host_listener_free(cluster->pipes.tcp);
	host_listener_free(cluster->pipes.local);
}
