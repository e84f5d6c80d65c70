/* What service.c and the three roles share. Nobody else includes it. */
#ifndef CLUSTER_INNER_H
#define CLUSTER_INNER_H

#include "enclave/cluster/channel.h"
#include "enclave/cluster/seal.h"
#include "enclave/cluster/service.h"
#include "verify/anchor_answers.h"
#include "verify/cluster/guard.h"
#include "verify/cluster/lineage.h"
#include "verify/cluster/worker.h"
#include "wire/cluster_ask.h"

/* As the host's. */
#define CONNECTIONS_MAX 2048u
/* Evidence is half a megabyte at the most: these many may be in the middle of showing it. */
#define UNMET_MAX 64u
/* From the connection to the peer's hello. */
#define MEET_S 10u
/* Of a question that went over a connection. */
#define WAIT_S 20u
#define WAITS_MAX 2048u
/* A message before its sender was met. */
#define FIRST_SIZE_MAX (1u * 1024 * 1024)
/* Output that waits for the state to be kept. */
#define HELD_SIZE_MAX (8u * 1024 * 1024)
/* Of any role, and sealed. */
#define STATE_SIZE_MAX (2u * CLUSTER_STATE_SIZE_MAX)
/* Key servers of a cluster, as places in the host's list. */
#define KEY_SERVERS_MAX 4u
/* A standby copies what the other has so often. */
#define COPY_S 5u
/* Guards and workers ask what was revoked so often. */
#define REVOKED_S 2u
/* After a refusal a worker asks again so much later. */
#define AGAIN_S 1u
/* A new certificate for TLS at half of this; any may be shown that is younger. */
#define OWN_CERTIFICATE_S 3600u

struct connection {
	uint32_t number; /* 0: free */
	enum wire_pipe_port port;
	bool ours;               /* this end connected */
	bool open;               /* bytes may be sent */
	bool met;                /* the peer has shown what its port demands */
	struct channel *channel; /* NULL: LOCAL, or not connected yet */
	uint64_t since_s;
	uint8_t *inbox; /* LOCAL: what has come of a message */
	size_t inbox_size, inbox_room;
	struct cluster_session session; /* EVIDENCE */
	/* Made for an ASK (its number; 0: none): what is sent when it is ready, and whose hash must come
	 * back. */
	uint32_t ask;
	uint8_t *pending;
	size_t pending_size;
	struct cs_hash hash;
};

/* A request that went out over `connection`, and for whom. */
struct wait {
	uint64_t id; /* 0: free */
	enum wire_cluster_type type;
	uint32_t connection;
	uint32_t from; /* connection whose request it serves; 0: none */
	uint64_t from_id;
	uint64_t since_s;
};

/* What came from the host and waits for the time: frames one after the other. */
struct service_clock {
	struct verify_clock nonces;
	uint64_t low_s;
	uint8_t *queue;
	size_t size;
	size_t covered;    /* bytes that were there when the newest nonce was made */
	bool has_tick;     /* one waits */
	unsigned patience; /* ticks until the newest nonce is given up for another one */
	bool is_late;      /* that was told */
	bool has_anchor;   /* the newest nonce asks for the key server's anchor too */
	struct cs_why why; /* of the newest answers that were not enough */
};

/* A key server's anchor on the ledger. */
struct service_anchor {
	struct cs_hash start;        /* drawn when the first one was made */
	struct verify_anchor proven; /* epoch 0: nothing is */
	bool waits;                  /* the state is kept and its anchor is not proven */
	unsigned patience;           /* ticks until the host is told again */
};

struct held {
	enum wire_pipe_type type;
	uint32_t number;
	uint32_t size; /* of the body behind it */
};

/* In memory that nobody else reads. */
struct service_secrets {
	struct cs_secret seal_root;
	struct cs_secret random;       /* of the step */
	struct cs_secret box;          /* of a copy that was asked for */
	struct cs_secret recovery_box; /* of the recovery that was asked for last */
	union {
		struct cluster_key_server key_server;
		struct cluster_guard guard;
		struct cluster_worker worker;
	} of;
	uint8_t plain[STATE_SIZE_MAX];
};

struct service {
	struct service_launch launch;
	struct service_secrets *secrets;
	struct cluster_lineage lineage;
	struct cs_arena arena; /* of one step */
	struct cluster_tools tools;
	struct verify_time now;
	struct cluster_self self; /* under the manifest in force */
	struct record record;
	struct service_clock clock;
	struct service_anchor anchor;
	bool begun;   /* STATE has come */
	bool is_open; /* … and was opened */
	bool restored;
	/* output */
	uint8_t *out; /* a message that is being made */
	uint8_t sealed[STATE_SIZE_MAX + SEAL_OVERHEAD];
	uint8_t answer[WIRE_PIPE_ANSWER_SIZE_MAX];
	uint8_t *held;
	size_t held_size;
	bool holding;
	bool broken;          /* the state cannot be kept */
	uint32_t kept_number; /* of the last KEEP */
	uint64_t counter;     /* of sealed states */
	/* connections */
	struct channel_port *port;
	uint64_t port_s; /* when its certificate was made */
	uint32_t number_next;
	uint32_t connection_count, unmet_count;
	uint64_t request_next;
	/* of a guard and a standby: the way to a key server; of a worker: to its guard */
	uint32_t up;
	uint8_t up_place;
	uint64_t up_after_s; /* not before */
	uint64_t due_after_s;
	uint64_t revoked_after_s;
	uint32_t joining_ask; /* the ASK that waits for a copy */
	bool recovering;      /* there is a recovery_box */
	uint8_t *statement;
	uint64_t renewals;
	struct wait waits[WAITS_MAX];
	struct connection connections[CONNECTIONS_MAX];
};

/* What a role makes of what happens. NULL: nothing. */
struct role {
	/* state: empty when there is none. */
	enum cs_err (*open)(struct service *s, struct cs_bytes state, struct cs_why *why);
	enum cs_err (*encode)(struct service *s, struct cs_buf *out, struct cs_why *why);
	/* The state is kept; nothing that rests on it has left yet. A failure ends the process. */
	enum cs_err (*kept)(struct service *s, struct cs_why *why);
	void (*ready)(struct service *s, struct connection *c);
	void (*reply)(struct service *s, struct connection *c, const struct wait *wait,
		      const struct wire_cluster_frame *frame, struct cs_bytes body);
	/* A wait that ends without a reply. */
	void (*lost)(struct service *s, const struct wait *wait);
	void (*gone)(struct service *s, struct connection *c);
	void (*tick)(struct service *s);
	/* Answers into out; *later: service_answer will be called. */
	enum cs_err (*ask)(struct service *s, uint32_t number, enum wire_cluster_ask verb,
			   struct cs_bytes argument, struct cs_buf *out, bool *later,
			   struct cs_why *why);
	/* Whose certificate a peer shows, before anything of it is believed. */
	enum cs_err (*judge)(void *context, struct cs_bytes der);
	enum cs_err (*manifest)(struct service *s, const struct cluster_manifest *next,
				struct cs_why *why);
};
extern const struct role role_key_server, role_guard, role_worker;

/* ---- clock.c ---- */

/* The enclave's bound of what waits: of connections twice what the host may send between two nonces, a
 * question of each of the host's askers, the state. */
#define CLOCK_QUEUE_SIZE_MAX (16u * 1024 * 1024)
/* One frame of the host where the manifest's time is a ledger's: it waits until a nonce that was made after
 * it came is answered. FULL: more waits than an honest host sends; MALFORMED (answers); those of
 * service_step. */
CS_NODISCARD enum cs_err service_clock_take(struct service *s, const struct wire_pipe_frame *frame,
					    struct cs_bytes body, struct cs_why *why);
/* service.c: one frame whose time has come. */
CS_NODISCARD enum cs_err service_step(struct service *s, const struct wire_pipe_frame *frame,
				      struct cs_bytes body, struct cs_why *why);

/* ---- ledger_anchor.c ---- */

/* What this key server is at, the ledger is not known to have. False where nobody asks for it. */
bool service_anchor_is_due(const struct service *s);
/* The newest state is kept: where it is due, the host is told, and output is held until it is proven. */
CS_NODISCARD enum cs_err service_anchor_kept(struct service *s);
CS_NODISCARD enum cs_err service_anchor_tick(struct service *s);
/* Whose anchor a nonce asks for; false: nobody's. */
bool service_anchor_question(struct service *s, struct cs_buf *out);
/* Answers to the newest nonce, which asked for the anchor. *is_enough: they prove the time. Where they prove
 * the anchor, what was held goes out. ROLLED_BACK: they refute it; MALFORMED. */
CS_NODISCARD enum cs_err service_anchor_judge(struct service *s, struct verify_time_proof *proof,
					      bool *is_enough, struct cs_bytes body,
					      struct cs_why *why);

/* ---- output.c ---- */

/* A frame for the host, now or when the state is kept. */
void service_tell(struct service *s, enum wire_pipe_type type, uint32_t number,
		  struct cs_bytes body);
/* The state that was given last is kept: what waited goes out. */
void service_release(struct service *s);
/* detail: for people. */
void service_event(struct service *s, enum wire_pipe_event event, const char *format, ...)
	CS_PRINTF(3, 4);
/* Seals the role's state; what is sent from now on waits until it is kept. */
CS_NODISCARD enum cs_err service_keep(struct service *s, struct cs_why *why);
/* To the ASK of this number. */
void service_answer(struct service *s, uint32_t number, enum cs_err err, struct cs_bytes what);

/* ---- service.c, for the roles ---- */

const struct role *service_role(const struct service *s);
const struct cluster_manifest *service_manifest(const struct service *s);
/* 32 fresh bytes, in secret memory until the next call. */
const struct cs_secret *service_random(struct service *s);
/* A buffer for a message's body; one at a time. */
struct cs_buf service_out(struct service *s);

struct connection *service_connection(struct service *s, uint32_t number);
/* 0: no room. */
uint32_t service_connect(struct service *s, enum wire_pipe_port port, uint8_t place);
/* The peer has shown what its port demands. */
void service_met(struct service *s, struct connection *c);
/* The connection is no more after it. */
void service_end(struct service *s, struct connection *c);
/* Failures end the connection. */
void service_send(struct service *s, struct connection *c, enum wire_cluster_type type, uint64_t id,
		  struct cs_bytes body);
void service_refuse(struct service *s, struct connection *c, uint64_t id, enum cs_err err,
		    const struct cs_why *why);
/* A request whose reply comes to role->reply. NULL: too many wait. */
struct wait *service_request(struct service *s, struct connection *c, enum wire_cluster_type type,
			     struct cs_bytes body);
/* The error that came in place of a reply. */
enum cs_err service_error(struct service *s, struct cs_bytes body, struct cs_why *why);
/* A certificate of its own key, for TLS where evidence follows. */
CS_NODISCARD enum cs_err service_own_port(struct service *s, const struct cluster_pair *identity);

/* ---- recovery.c: a key server's orders of that name ---- */

CS_NODISCARD enum cs_err recovery_export(struct service *s, struct cs_buf *out, struct cs_why *why);
CS_NODISCARD enum cs_err recovery_request(struct service *s, struct cs_bytes recovery,
					  struct cs_buf *out, struct cs_why *why);
/* argument: as RECOVERY_RESTORE has it. The caller keeps the state. */
CS_NODISCARD enum cs_err recovery_restore(struct service *s, struct cs_bytes argument,
					  struct cs_why *why);

/* Requests that a role answers: service.c has the table. `later`: the role itself will answer. */
typedef enum cs_err service_answers(struct service *s, struct connection *c,
				    const struct wire_cluster_frame *frame, struct cs_bytes body,
				    struct cs_buf *out, bool *later, struct cs_why *why);
service_answers key_server_hello, key_server_vouch, key_server_copy, key_server_revoked;
service_answers guard_challenge, guard_join, guard_revoked;
service_answers worker_share;

#endif
