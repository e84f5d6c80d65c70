/* The host half of a process of a key cluster: it starts the enclave of its role, carries the bytes of its
 * connections, keeps its sealed state, and passes on what an operator asks. It can delay and stop everything
 * and read nothing; it holds no key. The parts know each other through this header alone. */
#ifndef CLUSTER_HOST_H
#define CLUSTER_HOST_H

#include "cluster/config.h"
#include "host/child.h"
#include "host/http_server.h"
#include "host/metrics.h"
#include "relay_state/client/client.h"
#include "relay_state/client/writer.h"
#include "wire/pipe.h"

/* Of one process, both directions: a guard's workers, and as many connections of an attacker as have to be
 * dropped before. */
#define CLUSTER_CONNECTIONS_MAX 2048u
/* What waits for a peer that does not read; more ends the connection. */
#define CLUSTER_QUEUE_MAX (1u * 1024 * 1024)
/* What waits for the enclave before the peers are not read any more. */
#define CLUSTER_ENCLAVE_QUEUE_MAX (4u * 1024 * 1024)
#define CLUSTER_TICK_MS 500u
/* Number of the host's own questions; those of others begin with 1. */
#define CLUSTER_ASK_OF_HOST 0u

struct cluster_connection; /* pipes.c */
struct cluster_ask;        /* asks.c */

/* ---- pipes.c: connections of the enclave ---- */
struct cluster_pipes {
	struct host_listener *tcp, *local;
	struct cluster_connection *first;
	uint32_t count;
	uint32_t number_next; /* of those that are accepted: even */
	bool paused;
};

/* ---- asks.c: an operator's and programs' questions ---- */
struct cluster_asks {
	struct host_listener *listener;
	struct cluster_ask *first;
	uint32_t count;
	uint32_t number_next;
};

/* ---- clock.c: the enclave's nonces to nodes of the ledger ---- */
struct cluster_clock {
	struct ledger_client *client; /* NULL: none is configured */
	uint32_t number;              /* of the newest nonce; 0: the enclave asked for none */
	bool told;                    /* that there is no node to ask */
	uint64_t bytes;               /* of connections since that nonce came */
};

/* ---- anchor.c: a key server's anchor to the ledger ---- */
struct cluster_anchor_writer {
	const struct cs_sig *sig;
	struct cs_secret *key;
	struct ledger_writer *writer; /* NULL: no account is configured */
};

/* ---- figures.c: a worker's certificate, as its enclave told it last ---- */
struct cluster_certificate {
	uint64_t until_s; /* Unix seconds; 0: it has none */
	uint64_t life_s;  /* what was left of it when it was heard of */
};

struct cluster_host {
	struct host_loop *loop;
	struct cluster_config config;
	struct host_child *child;
	struct host_stream *enclave;
	bool is_up; /* the enclave is connected and has its state */
	struct host_timer *tick;
	struct host_timer *again; /* connects to an enclave that is not there yet */
	uint8_t *inbox;
	size_t inbox_size, inbox_room;
	struct cluster_pipes pipes;
	struct cluster_asks asks;
	struct cluster_clock clock;
	struct cluster_anchor_writer anchor;
	struct cluster_certificate certificate;
	struct host_metrics *metrics;
	struct host_http_server *http;
	bool stopping;
	bool failed;
};

/* OK: it runs, and cluster_host_stop has to be called; else it was logged. */
CS_NODISCARD enum cs_err cluster_host_start(struct cluster_host *cluster, struct host_loop *loop,
					    const char *path);
void cluster_host_stop(struct cluster_host *cluster);

/* To the enclave; nothing happens when it is not there. */
void cluster_host_tell(struct cluster_host *cluster, enum wire_pipe_type type, uint32_t number,
		       struct cs_bytes body);

CS_NODISCARD enum cs_err cluster_host_pipes_open(struct cluster_host *cluster, struct cs_why *why);
/* The enclave is gone: so are its connections. */
void cluster_host_pipes_reset(struct cluster_host *cluster);
void cluster_host_pipes_close(struct cluster_host *cluster);
void cluster_host_pipes_resume(struct cluster_host *cluster);
void cluster_host_pipes_connect(struct cluster_host *cluster, uint32_t number,
				struct cs_bytes body);
void cluster_host_pipes_data(struct cluster_host *cluster, uint32_t number, struct cs_bytes bytes);
void cluster_host_pipes_end(struct cluster_host *cluster, uint32_t number);

CS_NODISCARD enum cs_err cluster_host_asks_open(struct cluster_host *cluster, struct cs_why *why);
void cluster_host_asks_answer(struct cluster_host *cluster, uint32_t number, struct cs_bytes body);
/* Whoever waits hears nothing any more. */
void cluster_host_asks_reset(struct cluster_host *cluster);
void cluster_host_asks_close(struct cluster_host *cluster);

CS_NODISCARD enum cs_err cluster_host_clock_open(struct cluster_host *cluster, struct cs_why *why);
void cluster_host_clock_ask(struct cluster_host *cluster, uint32_t number, struct cs_bytes nonce);
/* The enclave is gone: so are its nonces. */
void cluster_host_clock_reset(struct cluster_host *cluster);
void cluster_host_clock_close(struct cluster_host *cluster);

/* After the clock is open, and closed before it. What the enclave signed is written; what is lost it brings
 * again. */
CS_NODISCARD enum cs_err cluster_host_anchor_open(struct cluster_host *cluster, struct cs_why *why);
void cluster_host_anchor_write(struct cluster_host *cluster, struct cs_bytes body);
void cluster_host_anchor_close(struct cluster_host *cluster);

/* recovery.c: asks a key server for the recovery of its epoch when one may have begun, and keeps it. */
void cluster_host_recovery_event(struct cluster_host *cluster, uint32_t event);
void cluster_host_recovery_answer(struct cluster_host *cluster, struct cs_bytes body);

/* state.c: the sealed state, replaced as a whole and durable when it returns. *bytes is malloc'd; empty
 * where there is no such file. IO, TOO_LARGE. */
CS_NODISCARD enum cs_err cluster_host_state_load(uint8_t **bytes, size_t *size, const char *path,
						 struct cs_why *why);
CS_NODISCARD enum cs_err cluster_host_state_keep(const char *path, struct cs_bytes bytes,
						 struct cs_why *why);

/* figures.c */
CS_NODISCARD enum cs_err cluster_host_figures_open(struct cluster_host *cluster,
						   struct cs_why *why);
void cluster_host_figures_event(struct cluster_host *cluster, uint32_t event,
				struct cs_bytes detail);
/* What a worker's enclave says of itself, which is asked for when its certificate may be another one. */
void cluster_host_figures_status(struct cluster_host *cluster, struct cs_bytes body);
void cluster_host_figures_close(struct cluster_host *cluster);

#endif
