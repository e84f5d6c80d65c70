/* The one stream between a sandboxed process of the cluster, which has no network, and the host beside it,
 * which has (docs/protocol/cluster.md): many connections, the sealed state, and what an operator asks. Says
 * nothing about what is in the connections; neither side believes the other anything but bytes.
 *
 * A frame is size (4, big-endian, of the body), type (1), three zero bytes, number (4: of a connection, or
 * what the type says), body. */
#ifndef WIRE_PIPE_H
#define WIRE_PIPE_H

#include "core/bytes.h"

#define WIRE_PIPE_HEAD_SIZE 12u
/* The sealed state of a key server with a full list of revocations; connections send pieces. */
#define WIRE_PIPE_BODY_SIZE_MAX (1u * 1024 * 1024)
/* Of a DATA frame: more is sent in several. */
#define WIRE_PIPE_DATA_SIZE_MAX (64u * 1024)
/* Of an ANSWER: evidence with all that vendors say of it. */
#define WIRE_PIPE_ANSWER_SIZE_MAX (512u * 1024)

/* Of a TIME_ANSWERS frame. */
#define WIRE_PIPE_TIME_SIZE (32u + 8u + 64u)
#define WIRE_PIPE_TIME_COUNT_MAX 32u
/* The same where the question named an anchor: manifest number (8), epoch (8), authority (32) and start (32)
 * of the newest one that the node knows are behind each answer. */
#define WIRE_PIPE_TIME_ANCHOR_SIZE (WIRE_PIPE_TIME_SIZE + 8u + 8u + 32u + 32u)
/* Of an ANCHOR frame: lineage (32), key (32), manifest number (8), epoch (8), authority (32), start (32),
 * signature (64). */
#define WIRE_PIPE_ANCHOR_SIZE (32u + 32u + 8u + 8u + 32u + 32u + 64u)
/* Of bytes of connections that come in from one TIME_ASK to the next: the enclave keeps them until it knows
 * the time. */
#define WIRE_PIPE_TIME_BYTES_MAX (2u * 1024 * 1024)

/* WIRE_PIPE(NAME, number, from the host?, bound of the body) */
#define WIRE_PIPE_TYPES(X)                                                                          \
	/* first, once: the sealed state as it was kept last; empty: there is none */               \
	X(STATE, 1, true, WIRE_PIPE_BODY_SIZE_MAX)                                                  \
	/* somebody connected; body: the port (1), enum wire_pipe_port. Even numbers. */            \
	X(ACCEPTED, 2, true, 1)                                                                     \
	/* connect; body: the port (1), place in the host's list of addresses (1). Odd. */          \
	X(CONNECT, 3, false, 2)                                                                     \
	/* what was asked for is there; ENDED where it could not be had */                          \
	X(CONNECTED, 4, true, 0)                                                                    \
	X(DATA_IN, 5, true, WIRE_PIPE_DATA_SIZE_MAX)                                                \
	X(DATA_OUT, 6, false, WIRE_PIPE_DATA_SIZE_MAX)                                              \
	/* the other end is gone, or never came */                                                  \
	X(ENDED, 7, true, 0)                                                                        \
	/* when everything before it is sent */                                                     \
	X(END, 8, false, 0)                                                                         \
	/* number: of this state, rising by one. Nothing that rests on it is sent before KEPT. */   \
	X(KEEP, 9, false, WIRE_PIPE_BODY_SIZE_MAX)                                                  \
	X(KEPT, 10, true, 0)                                                                        \
	/* at least once a second, so that what is due is done */                                   \
	X(TICK, 11, true, 0)                                                                        \
	/* of an operator or a program of this machine; number: of the request */                   \
	X(ASK, 12, true, WIRE_PIPE_DATA_SIZE_MAX)                                                   \
	X(ANSWER, 13, false, WIRE_PIPE_ANSWER_SIZE_MAX)                                             \
	/* for log and metrics; number: enum wire_pipe_event, body: text for people */              \
	X(EVENT, 14, false, 512)                                                                    \
	/* body: a nonce (32), and of whoever anchors lineage (32) and key (32); number counts */   \
	X(TIME_ASK, 15, false, 96)                                                                  \
	/* number: of the nonce; body: for each node that answered key (32), time in ms (8),      \
	 * signature (64). Again with more of them, until there are enough. */ \
	X(TIME_ANSWERS, 16, true, WIRE_PIPE_TIME_COUNT_MAX *WIRE_PIPE_TIME_ANCHOR_SIZE)             \
	/* to be written to the ledger by anchorCluster; again until it stands there */             \
	X(ANCHOR, 17, false, WIRE_PIPE_ANCHOR_SIZE)

enum wire_pipe_type {
#define WIRE_PIPE(name, number, from_host, size_max) WIRE_PIPE_##name = (number),
	WIRE_PIPE_TYPES(WIRE_PIPE)
#undef WIRE_PIPE
};

enum wire_pipe_port {
	WIRE_PIPE_LOCAL = 1, /* workers to the guard of their machine: a Unix socket */
	WIRE_PIPE_EVIDENCE =
		2, /* guards and key servers to a key server: TLS with evidence inside */
	WIRE_PIPE_WORKERS = 3, /* worker to worker: TLS with the cluster's certificates */
};

/* WIRE_PIPE_EVENT(NAME, number, name, is it trouble?) */
#define WIRE_PIPE_EVENTS(X)                    \
	X(STARTED, 1, "started", false)        \
	X(MET, 2, "met", false)                \
	X(REFUSED, 3, "refused", true)         \
	X(ISSUED, 4, "issued", false)          \
	X(JOINED, 5, "joined", false)          \
	X(RENEWED, 6, "renewed", false)        \
	X(ROTATED, 7, "rotated", false)        \
	X(REVOKED, 8, "revoked", false)        \
	X(LOST, 9, "lost", true)               \
	X(FAILED, 10, "failed", true)          \
	X(TAKEN_OVER, 11, "taken_over", false) \
	X(PROVISIONED, 12, "provisioned", false)

enum wire_pipe_event {
#define WIRE_PIPE_EVENT(name, number, text, trouble) WIRE_PIPE_EVENT_##name = (number),
	WIRE_PIPE_EVENTS(WIRE_PIPE_EVENT)
#undef WIRE_PIPE_EVENT
};
#define WIRE_PIPE_EVENT_MAX 12u

struct wire_pipe_frame {
	uint32_t size;
	enum wire_pipe_type type;
	uint32_t number;
};

void wire_pipe_encode(uint8_t head[WIRE_PIPE_HEAD_SIZE], const struct wire_pipe_frame *frame);
/* from_host: who wrote it. UNSUPPORTED: a type that is none, or the other side's to send; TOO_LARGE;
 * NON_CANONICAL (the zero bytes). */
CS_NODISCARD enum cs_err wire_pipe_decode(struct wire_pipe_frame *frame,
					  const uint8_t head[WIRE_PIPE_HEAD_SIZE], bool from_host);

#endif
