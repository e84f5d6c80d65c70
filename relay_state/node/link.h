/* One connection between two nodes: TLS 1.3, both ends with the Ed25519 key of their node
 * (RFC 8446; self-signed certificates, RFC 8410), and frames in it. Believes nothing about the
 * other end but that it holds the key of its id; knows no message.
 *
 * A frame is length (4, big-endian, of what follows), type (1), bytes. */
#ifndef NODE_LINK_H
#define NODE_LINK_H

#include "host/stream.h"
#include "relay_state/bft/bft.h"
#include "relay_state/bft/message.h"
#include "relay_state/node/attest_judge.h"
#include "relay_state/node/chain_files.h"
#include "relay_state/node/statesync_message.h"

/* The largest thing that one node sends another: a block with its commit. */
#define NODE_FRAME_SIZE_MAX (BFT_MESSAGE_BLOCK_SIZE_MAX + 1u)
/* A chunk of a snapshot, to and from a node that asks for snapshots (statesync.h). */
#define NODE_FRAME_SIZE_SYNC (NODE_STATESYNC_MESSAGE_SIZE_MAX + 1u)
/* Until the other end has introduced itself. */
#define NODE_FRAME_SIZE_FIRST 1024u
/* From the connection to ready. */
#define NODE_LINK_HANDSHAKE_MS 10000u
/* What both ends know of their session alone; RFC 8446 section 7.5. */
#define NODE_LINK_EXPORTER_SIZE 32u

struct node_frame {
	uint8_t type;
	struct cs_bytes bytes; /* a view */
};
/* The frame at the front of *stream, which moves behind it. TRUNCATED: more bytes have to come;
 * TOO_LARGE: of a size that none may have. */
CS_NODISCARD enum cs_err node_frame_take(struct node_frame *frame, struct cs_bytes *stream,
					 uint32_t size_max);

/* Keys and settings that all connections of a node share. */
struct node_tls;
/* CRYPTO. */
CS_NODISCARD enum cs_err node_tls_new(struct node_tls **tls, const struct node_key *key,
				      struct cs_why *why);
/* DER of the node's own public key. CRYPTO. */
CS_NODISCARD enum cs_err node_tls_spki(const struct node_tls *tls,
				       uint8_t spki[NODE_ATTEST_SPKI_SIZE_MAX], size_t *size);
/* Connections from now on show a certificate with this evidence (TCG DICE's extension 2.23.133.5.4.9), from
 * issued_s for NODE_ATTEST_LIFE_S. CRYPTO: the old one stays. */
CS_NODISCARD enum cs_err node_tls_attest(struct node_tls *tls, struct cs_bytes extension,
					 uint64_t issued_s, struct cs_why *why);
void node_tls_free(struct node_tls *tls);

struct node_link;

struct node_link_events {
	/* The other end has proven to hold the key of this id. */
	void (*ready)(void *context, const struct cs_address *id);
	/* Frames come after ready. bytes is a view until this returns. */
	void (*frame)(void *context, uint8_t type, struct cs_bytes bytes);
	/* Everything written is with the kernel. */
	void (*drained)(void *context);
	/* Once, and the last event. CLOSED: the other side ended it. */
	void (*ended)(void *context, enum cs_err err, const char *why);
};

/* In the background. The link may be freed inside its events. */
struct node_link *node_link_connect(struct node_tls *tls, struct host_loop *loop,
				    const struct host_address *address,
				    const struct node_link_events *events, void *context);
/* The stream becomes the link's. */
struct node_link *node_link_accept(struct node_tls *tls, struct host_loop *loop,
				   struct host_stream *stream,
				   const struct node_link_events *events, void *context);
/* NODE_FRAME_SIZE_MAX or _SYNC from now on; until then NODE_FRAME_SIZE_FIRST. */
void node_link_trust_size(struct node_link *link, uint32_t size_max);
bool node_link_is_ready(const struct node_link *link);
/* Of a link that is ready. */
void node_link_exporter(const struct node_link *link, uint8_t out[NODE_LINK_EXPORTER_SIZE]);
/* What the certificate of a link that is ready says, judged by nobody. MALFORMED, TOO_LARGE. */
CS_NODISCARD enum cs_err node_link_shown(const struct node_link *link,
					 struct node_attest_shown *shown);
/* FULL: more than queued_max would wait, nothing was written; CLOSED: not ready or over; TOO_LARGE:
 * above NODE_FRAME_SIZE_SYNC. may_wait: until the loop's next turn, together with others; the order of
 * frames stays. */
CS_NODISCARD enum cs_err node_link_send(struct node_link *link, uint8_t type, struct cs_bytes bytes,
					size_t queued_max, bool may_wait);
/* host_stream_remote. */
void node_link_remote(const struct node_link *link, char text[HOST_ADDRESS_SIZE_MAX]);
/* Of encrypted bytes. */
size_t node_link_queued(const struct node_link *link);
/* No event after it. NULL is allowed. */
void node_link_free(struct node_link *link);

#endif
