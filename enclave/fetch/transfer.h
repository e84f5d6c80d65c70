/* One request on its way: hop after hop with one handle of libcurl, until there is a reply. Between
 * fetch.c, which owns the loop, and libcurl. */
#ifndef ENCLAVE_FETCH_TRANSFER_H
#define ENCLAVE_FETCH_TRANSFER_H

#include "enclave/fetch/egress.h"
#include "enclave/fetch/head.h"
#include "enclave/fetch/place.h"
#include "enclave/fetch/tls.h"

#include <curl/curl.h>

enum transfer_state {
	TRANSFER_UNUSED,
	TRANSFER_RUNNING,
	TRANSFER_COMPLETE, /* waits to be taken */
	TRANSFER_TAKEN,
};

/* What all transfers share. */
struct transfer_world {
	struct tls *tls;
	struct egress egress;
	CURLSH *share;
	bool literals_allowed;
	bool private_allowed;
};

struct transfer {
	struct transfer_world *world;
	struct transfer *next; /* of those that are complete */
	CURL *easy;            /* stays with the place in the table */
	enum transfer_state state;
	struct fetch_request request; /* its views are in `copy` */
	uint8_t *copy;
	size_t copy_size;
	/* the hop */
	struct place place;
	bool post;
	bool moved;            /* to another origin than the request's */
	bool fresh;            /* neither a connection nor a session of others */
	struct tls_peer *peer; /* of the hop */
	struct curl_slist *headers;
	struct curl_slist *resolve;
	struct head head;
	uint64_t first_byte_by_ms;
	uint32_t egress_id;
	enum wire_egress_status egress_status;
	bool renew;
	/* the whole */
	uint64_t end_by_ms;
	uint8_t *body;
	size_t body_size;
	size_t body_capacity;
	enum wire_oracle_code refusal; /* ours; libcurl's own failures come after it */
	const char *why;
	struct fetch_reply reply;
};

/* A place in the table; NULL: no memory. */
struct transfer *transfer_new(struct transfer_world *world);
void transfer_free(struct transfer *transfer);

/* Copies the request into an unused transfer. NO_MEMORY; *code is a refusal that needs no network. */
CS_NODISCARD enum cs_err transfer_begin(struct transfer *transfer, enum wire_oracle_code *code,
					const struct fetch_request *request, uint64_t now_ms);
/* Sets the handle up for the hop. False: no memory. */
bool transfer_prepare(struct transfer *transfer, uint64_t now_ms);
/* Before the handle leaves the multi handle: is its connection still of use? */
bool transfer_connection_lives(const struct transfer *transfer);
/* The hop is over and off the multi handle. True: another hop is prepared, to be added again. */
bool transfer_hop_done(struct transfer *transfer, CURLcode result, bool connection_lives,
		       uint64_t now_ms);
/* When somebody must look again; past it, transfer_time_out says so in the reply. */
uint64_t transfer_deadline_ms(const struct transfer *transfer);
void transfer_time_out(struct transfer *transfer);
/* Wipes what it held. */
void transfer_end(struct transfer *transfer);

#endif
