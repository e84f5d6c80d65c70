/* What a node gives to one that syncs: the application's snapshots and chunks, light blocks and
 * states of its own disk. Holds nothing for a peer beyond its open questions; what is too much is
 * dropped, for whoever asks asks again. */
#ifndef NODE_STATESYNC_SERVE_H
#define NODE_STATESYNC_SERVE_H

#include "relay_state/node/application.h"
#include "relay_state/node/disk.h"
#include "relay_state/node/peers.h"

/* Open questions to the application for all peers, and for one. */
#define NODE_SERVED_MAX 32u
#define NODE_SERVED_PER_PEER 8u

struct node_statesync_server;

/* All three are the caller's; *peers is read when something is sent. */
struct node_statesync_server *node_statesync_server_new(struct node_disk *disk,
							struct node_application *application,
							struct node_peers **peers);
/* Answers, now or later. The errors of its decoder; UNSUPPORTED: an answer, which nobody here has
 * asked for. */
CS_NODISCARD enum cs_err node_statesync_serve(struct node_statesync_server *server, uint32_t peer,
					      struct cs_bytes message);
/* After the application is gone. NULL is allowed. */
void node_statesync_server_free(struct node_statesync_server *server);

#endif
