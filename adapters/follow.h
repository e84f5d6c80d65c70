/* One chain as a host process follows it: how far its adapter is, and the enclave's light client of
 * it, which is brought to the head with the headers of the nodes. It decides nothing about what is
 * final or true: it carries headers, and remembers what the enclave said last. */
#ifndef ADAPTERS_FOLLOW_H
#define ADAPTERS_FOLLOW_H

#include "adapters/adapter.h"
#include "core/arena.h"
#include "host/enclave_session.h"

/* Blocks that the light client may be ahead of what the adapter has reported: what is proven stays
 * in its window. */
#define ADAPTER_FOLLOW_LEAD 200u
/* A client that has taken nothing of what there is for so long is in trouble: headers come with every
 * block, and a reorganisation, a restart or a slow node takes seconds. */
#define ADAPTER_FOLLOW_STANDS_MS 60000u
#define ADAPTER_WHY_FROZEN "the enclave's light client is frozen: two final blocks of one height"
#define ADAPTER_WHY_DIVERGED "the node's branch does not hold the block that is final"

/* Every function gets the context of adapter_follow. */
struct adapter_follow_ops {
	/* The enclave is there with its keys, and the process is not ending. */
	bool (*ready)(void *context);
	/* Encodes and sends; on failure done is not called. */
	enum cs_err (*call)(void *context, enum wire_type type, const ProtobufCMessage *message,
			    host_enclave_done *done, void *done_context);
	/* The enclave's state is not the stored one any more. */
	void (*changed)(void *context);
	/* It froze: that is stored at once, so that no crash forgets it. */
	void (*seal)(void *context);
	/* There may be work. */
	void (*wake)(void *context);
	/* The chain stopped, beside the line in the log: "chain.frozen", "chain.diverged" or
	 * "chain.reorg_held", a literal, and why. NULL: the log is enough. */
	void (*tell)(void *context, const char *event, const char *why);
	/* The client shall not be fed above what it returns, at most `to`, for the sake of what
	 * waits to be proven; asked only for heights above final + ADAPTER_FOLLOW_LEAD. NULL:
	 * nothing holds it. */
	uint64_t (*hold)(void *context, uint64_t to);
};

/* The first part is the owner's to fill in, the rest zero: there only the functions below write,
 * but that the owner sets created to false when the enclave is gone. */
struct adapter_follow {
	const struct adapter_follow_ops *ops;
	void *context;
	struct cs_arena *scratch;
	const char *name; /* CAIP-2 */
	struct cs_hash identity;
	uint64_t anchor_height;
	struct adapter *adapter; /* NULL: the chain is not watched */
	uint64_t feed_max;       /* headers above it are of no use yet: UINT64_MAX where all are */
	/* as the adapter says */
	uint64_t head_height;
	uint64_t head_time_s;
	uint64_t cursor_height;
	uint64_t stalled_ms;
	bool is_held; /* a reorganisation waits for an operator */
	struct adapter_reorg held;
	/* the enclave's light client, as it said last */
	bool created;
	bool frozen;
	bool insecure;
	bool diverged; /* the node's branch does not hold the final block */
	uint64_t client_head;
	uint64_t final_height;
	struct cs_hash final_hash;
	uint64_t final_time_s;
	bool feeding;
	uint64_t feed_from; /* 0: after client_head */
	uint64_t feed_after_ms;
	uint64_t client_moved_ms; /* its head moved, or it had nothing to take: host_now_ms */
	enum cs_err refused; /* what the client said to the last headers; CS_OK: it took them */
	/* of a conflict: blocks of the other branch that the enclave has not judged */
	bool others_open;
	size_t other_next;
	uint64_t other_from;
};

/* ---- what the adapter tells ---- */
/* A new head: the client gets its header at once where it is the next one. */
void adapter_follow_head(struct adapter_follow *follow, const struct adapter_header *head);
/* Everything up to the cursor was reported; feeds too. An empty cursor changes nothing. */
void adapter_follow_progress(struct adapter_follow *follow, const struct adapter_cursor *cursor);
void adapter_follow_reorg(struct adapter_follow *follow, const struct adapter_reorg *reorg);
/* NULL: none waits any more. */
void adapter_follow_held(struct adapter_follow *follow, const struct adapter_reorg *reorg);
/* Two signed blocks of one height: the enclave is shown the other one as soon as its client has ours
 * (adapter_others). */
void adapter_follow_conflict(struct adapter_follow *follow, const struct adapter_block_id *other);
void adapter_follow_stalled(struct adapter_follow *follow, uint64_t stalled_ms);
void adapter_follow_endpoint(const struct adapter_follow *follow,
			     const struct adapter_endpoint *endpoint);

/* ---- the enclave's light client ---- */
void adapter_follow_take_status(struct adapter_follow *follow,
				const Caisson__Wire__ClientStatus *status);
/* The session begins: nothing is under way. */
void adapter_follow_begin(struct adapter_follow *follow);
/* Brings the client to the head, a stretch at a time. */
void adapter_follow_feed(struct adapter_follow *follow);
/* The enclave refused with FROZEN: told once, and sealed with the next export. */
void adapter_follow_freeze(struct adapter_follow *follow);
/* Whether what the node tells and what the enclave holds as final are one branch: true only when
 * the final block is among those that were reported. A branch without it stops the chain until
 * another endpoint, or the same one, tells the final one again; whether it is more than a lie is for
 * the enclave to find, which freezes the client. */
bool adapter_follow_agrees(struct adapter_follow *follow);
/* For how long the client has taken nothing although there is something for it; 0: it keeps up. */
uint64_t adapter_follow_stands_ms(const struct adapter_follow *follow);
/* What keeps the chain from being of use, for people; NULL: nothing. */
const char *adapter_follow_trouble(const struct adapter_follow *follow);

#endif
