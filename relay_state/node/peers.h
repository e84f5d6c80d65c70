/* The other nodes of the chain: who is connected, who of them is which validator, what goes to and
 * comes from each. A full mesh by configuration: every node dials those that it was told of, two
 * nodes keep one connection. Knows no consensus and believes nothing that a peer claims; whoever is
 * banned has done something that only his own key can do. */
#ifndef NODE_PEERS_H
#define NODE_PEERS_H

#include "host/resolve.h"
#include "relay_state/node/hello.h"
#include "relay_state/node/link.h"

/* Configured addresses: every other validator, and nodes that follow. */
#define NODE_DIAL_MAX BFT_PEERS_MAX
/* Connections from outside that have not introduced themselves yet; of more the oldest goes. */
#define NODE_STRANGERS_MAX 32u
/* What waits for one peer. Consensus is asked for again when it was dropped; transactions wait
 * where they are. */
#define NODE_QUEUE_CONSENSUS_MAX (16u * 1024 * 1024)
#define NODE_QUEUE_TXS_MAX (1024u * 1024)
/* Two chunks; whoever asked asks again. */
#define NODE_QUEUE_SYNC_MAX (2u * NODE_FRAME_SIZE_SYNC)
#define NODE_RECONNECT_MIN_MS 100u
#define NODE_RECONNECT_MAX_MS 5000u
/* Every node tells its place at each tick of the status timer: a peer that is silent for so long is
 * gone, whatever TCP thinks. */
#define NODE_SILENCE_MS 15000u
#define NODE_BAN_MS (60u * 60 * 1000)
#define NODE_BANS_MAX 64u

enum node_frame_type {
	NODE_FRAME_HELLO = 1, /* first, once: hello.h */
	NODE_FRAME_CONSENSUS = 2,
	NODE_FRAME_TX = 3,
	NODE_FRAME_SYNC = 4, /* statesync_message.h */
};

struct node_peers;

struct node_peers_events {
	/* peer < BFT_PEERS_MAX until down; validator: it has proven to hold this validator's key. */
	void (*up)(void *context, uint32_t peer, const struct cs_address *validator);
	void (*down)(void *context, uint32_t peer);
	void (*consensus)(void *context, uint32_t peer, struct cs_bytes message);
	void (*tx)(void *context, uint32_t peer, struct cs_bytes tx);
	/* What was written to it is gone: there is room for transactions. */
	void (*drained)(void *context, uint32_t peer);
	void (*sync)(void *context, uint32_t peer, struct cs_bytes message);
};

struct node_peers_options {
	const char *listen;      /* host_address_parse */
	const char *const *dial; /* "id@address:port" or "id@name:port", a node's persistent_peers;
				    a name is looked up anew for every attempt */
	size_t dial_count;
	uint32_t unknown_max; /* peers that are not in `dial`; 0: none */
	const struct node_key *node_key;
	const struct node_key *validator_key; /* NULL: this node only follows */
	const struct cmt_chain_id *chain_id;
	const struct cs_hash *genesis_hash;
	const char *moniker;
	/* Evidence (attest_maker.h, attest_judge.h). NULL: this node shows none; asks for none. */
	const char *evidence_backend, *evidence_state_folder;
	const char *evidence_policy, *evidence_collateral, *evidence_roots;
	bool takes_chunks; /* this node asks for snapshots: frames up to NODE_FRAME_SIZE_SYNC */
};

struct node_peer_info {
	struct cs_address id;
	bool is_outbound;
	bool is_validator;
	struct cs_address validator;
	char moniker[NODE_MONIKER_SIZE_MAX + 1];
	char remote[HOST_ADDRESS_SIZE_MAX]; /* digits of the other end's address */
	const char *dialed;      /* "address:port" by configuration; NULL: it is a stranger */
	uint64_t since_ms;       /* host_now_ms */
	uint64_t sent, received; /* bytes of frames */
};

/* Keys are the caller's as long as the peers live. INVALID, TOO_LARGE: an address; IO, CONFLICT: it
 * cannot be listened on; CRYPTO. */
CS_NODISCARD enum cs_err node_peers_new(struct node_peers **peers, struct host_loop *loop,
					const struct node_peers_options *options,
					const struct node_peers_events *events, void *context,
					struct cs_why *why);
uint16_t node_peers_port(const struct node_peers *peers);
/* BFT_PEER_ALL or one; what does not fit is dropped, for the engine asks again. */
void node_peers_send(struct node_peers *peers, uint32_t peer, struct cs_bytes message);
/* FULL: try again when it is drained. */
CS_NODISCARD enum cs_err node_peers_send_tx(struct node_peers *peers, uint32_t peer,
					    struct cs_bytes tx);
/* To one. FULL, CLOSED, TOO_LARGE. */
CS_NODISCARD enum cs_err node_peers_send_sync(struct node_peers *peers, uint32_t peer,
					      struct cs_bytes message);
/* Ends the connection and refuses the id for NODE_BAN_MS; the down event follows at once. */
void node_peers_ban(struct node_peers *peers, uint32_t peer, enum cs_err err);
uint32_t node_peers_count(const struct node_peers *peers);
/* NULL: nobody is there. */
const struct node_peer_info *node_peers_info(const struct node_peers *peers, uint32_t peer);
/* Bytes of all peers so far. kind 0: transactions; else messages of consensus by the number of their
 * first field. */
#define NODE_TRAFFIC_KINDS 64u
struct node_traffic {
	uint64_t sent, received;
};
struct node_traffic node_peers_traffic(const struct node_peers *peers, uint32_t kind);
/* Messages dropped because a queue was full. */
uint64_t node_peers_dropped(const struct node_peers *peers);
/* Connections that were ended because their evidence was missing or refused. */
uint64_t node_peers_evidence_refused(const struct node_peers *peers);
/* No event after it; not inside its events. NULL is allowed. */
void node_peers_free(struct node_peers *peers);

#endif
