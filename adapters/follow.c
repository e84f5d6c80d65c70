#include "adapters/follow.h"

#include "host/log.h"
#include "host/loop.h"
#include "wire/convert.h"

#include <stdio.h>

#define FEED_PAUSE_MS 300u
/* A node that announces a head before it serves it. */
#define FEED_SOON_MS 20u
/* What is there is asked for, shown and taken within this, without being late. */
#define FEED_TURN_MS 2000u

/* ---- one branch ---- */

static void tell(struct adapter_follow *follow, const char *event, const char *why)
{
	log_error(event, LOG_TEXT("chain", follow->name), LOG_TEXT("why", why),
		  LOG_U64("final", follow->final_height));
	if (follow->ops->tell)
		follow->ops->tell(follow->context, event, why);
}

void adapter_follow_freeze(struct adapter_follow *follow)
{
	follow->frozen = true;
	follow->ops->changed(follow->context);
	follow->ops->seal(follow->context); /* the evidence with the rest */
	tell(follow, "chain.frozen", ADAPTER_WHY_FROZEN);
}

bool adapter_follow_agrees(struct adapter_follow *follow)
{
	struct cs_hash told;
	if (!follow->adapter || follow->final_height == 0 ||
	    !adapter_hash_at(follow->adapter, follow->final_height, &told))
		return false;
	bool diverged = !cs_hash_eq(&told, &follow->final_hash);
	if (diverged && !follow->diverged)
		tell(follow, "chain.diverged", ADAPTER_WHY_DIVERGED);
	else if (follow->diverged && !diverged)
		log_info("chain.agrees", LOG_TEXT("chain", follow->name));
	follow->diverged = diverged;
	return !diverged;
}

/* There is a header that the client could take. */
static bool is_behind(const struct adapter_follow *follow)
{
	return follow->head_height > follow->client_head && follow->feed_max > follow->client_head;
}

uint64_t adapter_follow_stands_ms(const struct adapter_follow *follow)
{
	uint64_t stands_ms = host_now_ms() - follow->client_moved_ms;
	return follow->created && is_behind(follow) && stands_ms > FEED_TURN_MS ? stands_ms : 0;
}

const char *adapter_follow_trouble(const struct adapter_follow *follow)
{
	if (follow->frozen)
		return "a chain is frozen";
	if (follow->diverged)
		return "a chain's node tells a branch without the final block";
	if (follow->is_held)
		return "a reorganisation of a chain waits for an operator";
	if (follow->head_height == 0)
		return "a chain does not answer";
	if (follow->stalled_ms != 0)
		return "a chain is stalled";
	if (!follow->created)
		return "a light client is not there yet";
	if (adapter_follow_stands_ms(follow) >= ADAPTER_FOLLOW_STANDS_MS)
		return follow->refused != CS_OK
			       ? "a light client refuses the headers that its chain's node tells"
			       : "a light client stands behind the head of its chain";
	return NULL;
}

/* ---- what the client says ---- */

void adapter_follow_take_status(struct adapter_follow *follow,
				const Caisson__Wire__ClientStatus *status)
{
	bool was_frozen = follow->frozen;
	struct cs_hash final_hash = wire_pb_hash(status->final_hash);
	follow->created = status->head_height != 0 || !cs_hash_is_zero(&final_hash);
	follow->frozen = status->frozen;
	follow->insecure = status->insecure_dev_head;
	if (follow->client_head != status->head_height) {
		follow->client_moved_ms = host_now_ms();
		follow->refused = CS_OK;
	}
	follow->client_head = status->head_height;
	follow->final_height = status->final_height;
	follow->final_hash = final_hash;
	follow->final_time_s = status->final_time_s;
	if (follow->adapter)
		adapter_final(follow->adapter,
			      &(struct adapter_block_id){follow->final_height, follow->final_hash});
	if (follow->frozen && !was_frozen)
		log_error("chain.frozen", LOG_TEXT("chain", follow->name),
			  LOG_TEXT("why", ADAPTER_WHY_FROZEN),
			  LOG_U64("final", follow->final_height));
}

void adapter_follow_begin(struct adapter_follow *follow)
{
	follow->feeding = false;
	follow->feed_from = 0;
	follow->other_next = 0;
	follow->client_moved_ms = host_now_ms();
	follow->refused = CS_OK;
}

/* ---- feeding ---- */

/* Before a block of its own is final, a client has the one that it began at. */
static uint64_t agreed_height(const struct adapter_follow *follow)
{
	return follow->final_height > follow->anchor_height ? follow->final_height
							    : follow->anchor_height;
}

static void feed_failed(struct adapter_follow *follow, enum cs_err err, const char *why)
{
	follow->feeding = false;
	follow->feed_after_ms =
		host_now_ms() + (err == CS_ERR_NOT_FOUND ? FEED_SOON_MS : FEED_PAUSE_MS);
	if (err == CS_ERR_CLOSED || err == CS_ERR_NOT_FOUND || err == CS_ERR_UNAVAILABLE ||
	    err == CS_ERR_NO_TIME)
		return; /* the enclave, its clock or the node is on its way back, or the head moved
			   down */
	log_warn("chain.client_refused", LOG_TEXT("chain", follow->name), LOG_ERR(err),
		 LOG_TEXT("why", why));
	follow->refused = err;
	/* Another branch above the final block: from where all agree. */
	if (err == CS_ERR_UNLINKED && follow->created)
		follow->feed_from = agreed_height(follow) + 1;
	if (err == CS_ERR_FROZEN)
		adapter_follow_freeze(follow);
}

static void take_update(struct adapter_follow *follow, const Caisson__Wire__ClientReply *reply)
{
	uint64_t head = follow->client_head;
	adapter_follow_take_status(follow, reply->status);
	follow->ops->changed(follow->context);
	follow->feeding = false;
	follow->feed_from = 0;
	log_debug("chain.client", LOG_TEXT("chain", follow->name),
		  LOG_U64("head", follow->client_head), LOG_U64("final", follow->final_height),
		  LOG_U64("accepted", reply->accepted));
	if (follow->client_head == head)
		follow->feed_after_ms = host_now_ms() + FEED_PAUSE_MS;
	follow->ops->wake(follow->context);
}

static void update_done(void *context, enum cs_err err, const char *why, struct cs_bytes body)
{
	struct adapter_follow *follow = context;
	size_t mark = cs_arena_mark(follow->scratch);
	ProtobufCMessage *message = NULL;
	if (err == CS_OK)
		err = host_enclave_reply(follow->scratch, body,
					 &caisson__wire__client_reply__descriptor, &message);
	if (err == CS_OK)
		take_update(follow, (const Caisson__Wire__ClientReply *)message);
	cs_arena_rewind(follow->scratch, mark);
	if (err != CS_OK)
		feed_failed(follow, err, why);
}

static enum cs_err send_create(struct adapter_follow *follow, const struct adapter_header *header)
{
	size_t mark = cs_arena_mark(follow->scratch);
	Caisson__Wire__ClientCreateRequest request = CAISSON__WIRE__CLIENT_CREATE_REQUEST__INIT;
	request.chain = wire_pb_bytes(follow->scratch, CS_BYTES_OF(follow->identity.b));
	request.header = wire_pb_bytes(follow->scratch, header->rlp);
	enum cs_err err = follow->ops->call(follow->context, WIRE_CLIENT_CREATE, &request.base,
					    update_done, follow);
	cs_arena_rewind(follow->scratch, mark);
	return err;
}

static enum cs_err send_update(struct adapter_follow *follow, const struct adapter_header *headers,
			       size_t count, host_enclave_done *done)
{
	size_t mark = cs_arena_mark(follow->scratch);
	Caisson__Wire__ClientUpdateRequest request = CAISSON__WIRE__CLIENT_UPDATE_REQUEST__INIT;
	request.chain = wire_pb_bytes(follow->scratch, CS_BYTES_OF(follow->identity.b));
	request.headers = cs_arena_calloc(follow->scratch, count, sizeof(*request.headers));
	request.n_headers = count;
	enum cs_err err = request.headers ? CS_OK : CS_ERR_NO_MEMORY;
	for (size_t i = 0; i < count && err == CS_OK; i++)
		request.headers[i] = wire_pb_bytes(follow->scratch, headers[i].rlp);
	if (err == CS_OK)
		err = follow->ops->call(follow->context, WIRE_CLIENT_UPDATE, &request.base, done,
					follow);
	cs_arena_rewind(follow->scratch, mark);
	return err;
}

/* ---- the other branch of a conflict ---- */

/* Only a freeze is the end of it; one that was refused may be out of the client's reach, and then there
 * is a higher one. */
static void other_refused(struct adapter_follow *follow, enum cs_err err, const char *why)
{
	if (err == CS_ERR_CLOSED || err == CS_ERR_UNAVAILABLE)
		return; /* the enclave is on its way back */
	follow->other_next++;
	log_warn("chain.conflict_refused", LOG_TEXT("chain", follow->name), LOG_ERR(err),
		 LOG_TEXT("why", why));
}

/* Of a height that the client did not have: now ours goes against it. */
static enum cs_err other_taken(struct adapter_follow *follow, struct cs_bytes body)
{
	ProtobufCMessage *message = NULL;

	CS_TRY(host_enclave_reply(follow->scratch, body, &caisson__wire__client_reply__descriptor,
				  &message));
	adapter_follow_take_status(follow, ((const Caisson__Wire__ClientReply *)message)->status);
	follow->ops->changed(follow->context);
	follow->feed_from = follow->other_from;
	follow->other_next++;
	return CS_OK;
}

static void other_done(void *context, enum cs_err err, const char *why, struct cs_bytes body)
{
	struct adapter_follow *follow = context;
	size_t mark = cs_arena_mark(follow->scratch);

	follow->feeding = false;
	if (err == CS_OK)
		err = other_taken(follow, body);
	cs_arena_rewind(follow->scratch, mark);
	if (err == CS_ERR_FROZEN) {
		follow->others_open = false;
		feed_failed(follow, err, why);
	} else if (err != CS_OK) {
		other_refused(follow, err, why);
	}
	adapter_follow_feed(follow);
}

/* True: it is on its way. */
static bool send_other(struct adapter_follow *follow)
{
	struct adapter_header others[ADAPTER_OTHERS_MAX];

	if (!follow->others_open || !follow->created)
		return false;
	if (follow->other_next >= adapter_others(follow->adapter, others)) {
		follow->others_open = false;
		return false;
	}
	const struct adapter_header *other = &others[follow->other_next];
	if (other->id.height > follow->client_head)
		return false;
	follow->other_from = other->id.height;
	follow->feeding = send_update(follow, other, 1, other_done) == CS_OK;
	return follow->feeding;
}

/* ---- our branch ---- */

static void headers_done(void *context, enum cs_err err, const char *why,
			 const struct adapter_header *headers, size_t count)
{
	struct adapter_follow *follow = context;
	if (err == CS_OK && count == 0)
		err = CS_ERR_NOT_FOUND;
	if (!follow->ops->ready(follow->context))
		err = CS_ERR_CLOSED;
	if (err == CS_OK)
		err = follow->created ? send_update(follow, headers, count, update_done)
				      : send_create(follow, &headers[0]);
	if (err != CS_OK)
		feed_failed(follow, err, why);
}

/* The height to which the client may be fed now. */
static uint64_t feed_to(const struct adapter_follow *follow)
{
	uint64_t to = follow->head_height;
	if (to > follow->feed_max)
		to = follow->feed_max;
	/* Far behind: what must be proven shall not fall out of the window of the client. */
	if (to > follow->cursor_height + ADAPTER_FOLLOW_LEAD &&
	    follow->cursor_height >= follow->final_height)
		to = follow->cursor_height + ADAPTER_FOLLOW_LEAD;
	if (follow->ops->hold && to > follow->final_height + ADAPTER_FOLLOW_LEAD)
		to = follow->ops->hold(follow->context, to);
	return to;
}

void adapter_follow_feed(struct adapter_follow *follow)
{
	if (!follow->adapter || follow->feeding || follow->frozen ||
	    !follow->ops->ready(follow->context) || follow->head_height == 0 ||
	    host_now_ms() < follow->feed_after_ms)
		return;
	if (send_other(follow))
		return;
	uint64_t from = follow->anchor_height;
	size_t count = 1;
	if (follow->created) {
		uint64_t to = feed_to(follow);
		from = follow->feed_from ? follow->feed_from : follow->client_head + 1;
		if (from > to) {
			follow->client_moved_ms = host_now_ms();
			return;
		}
		count = to - from + 1 < ADAPTER_HEADERS_MAX ? (size_t)(to - from + 1)
							    : ADAPTER_HEADERS_MAX;
	}
	follow->feeding = true;
	enum cs_err err = adapter_headers(follow->adapter, from, count, headers_done, follow);
	if (err != CS_OK)
		follow->feeding = false;
	/* A head whose block is still being read: its progress comes back here at once. */
	if (err != CS_OK && err != CS_ERR_NOT_FOUND)
		follow->feed_after_ms = host_now_ms() + FEED_PAUSE_MS;
}

/* ---- what the adapter tells ---- */

/* Without asking the node again for what is at hand. */
static bool feed_next(struct adapter_follow *follow, const struct adapter_header *head)
{
	if (!follow->created || follow->feeding || follow->frozen ||
	    !follow->ops->ready(follow->context) || follow->feed_from != 0 ||
	    head->id.height != follow->client_head + 1 || head->rlp.n == 0 ||
	    head->id.height > follow->feed_max)
		return false;
	follow->feeding = true;
	follow->feeding = send_update(follow, head, 1, update_done) == CS_OK;
	return follow->feeding;
}

void adapter_follow_head(struct adapter_follow *follow, const struct adapter_header *head)
{
	if (!is_behind(follow))
		follow->client_moved_ms = host_now_ms(); /* from here on it is waited for */
	follow->head_height = head->id.height;
	follow->head_time_s = head->time_s;
	if (!feed_next(follow, head))
		adapter_follow_feed(follow);
	follow->ops->wake(follow->context);
}

void adapter_follow_progress(struct adapter_follow *follow, const struct adapter_cursor *cursor)
{
	if (cursor->count == 0)
		return;
	follow->cursor_height = cursor->recent[cursor->count - 1].height;
	adapter_follow_feed(follow);
}

void adapter_follow_reorg(struct adapter_follow *follow, const struct adapter_reorg *reorg)
{
	/* What the client was not fed yet it is fed as it is now. */
	if (reorg->from <= follow->client_head &&
	    (follow->feed_from == 0 || reorg->from < follow->feed_from))
		follow->feed_from = reorg->from;
}

void adapter_follow_held(struct adapter_follow *follow, const struct adapter_reorg *reorg)
{
	bool was_held = follow->is_held;
	char why[160];

	follow->is_held = reorg != NULL;
	if (reorg == NULL) {
		if (was_held)
			log_info("chain.reorg_released", LOG_TEXT("chain", follow->name));
		return;
	}
	follow->held = *reorg;
	log_warn("chain.reorg_waits", LOG_TEXT("chain", follow->name), LOG_U64("from", reorg->from),
		 LOG_U64("old_tip", reorg->old_tip),
		 LOG_BOOL("beyond_window", reorg->beyond_window),
		 LOG_HASH("new", &reorg->new_hash));
	if (was_held)
		return; /* a node that tells one after the other is told of once */
	(void)snprintf(why, sizeof(why),
		       "a reorganisation of %llu blocks from %llu waits for an operator",
		       (unsigned long long)(reorg->old_tip - reorg->from + 1),
		       (unsigned long long)reorg->from);
	tell(follow, "chain.reorg_held", why);
}

void adapter_follow_conflict(struct adapter_follow *follow, const struct adapter_block_id *other)
{
	log_error("chain.conflict", LOG_TEXT("chain", follow->name),
		  LOG_U64("height", other->height), LOG_HASH("other", &other->hash));
	follow->others_open = true;
	follow->other_next = 0;
	adapter_follow_feed(follow);
}

void adapter_follow_stalled(struct adapter_follow *follow, uint64_t stalled_ms)
{
	follow->stalled_ms = stalled_ms;
	if (stalled_ms != 0)
		log_warn("chain.stalled", LOG_TEXT("chain", follow->name),
			 LOG_U64("ms", stalled_ms));
	else
		log_info("chain.moves", LOG_TEXT("chain", follow->name));
}

void adapter_follow_endpoint(const struct adapter_follow *follow,
			     const struct adapter_endpoint *endpoint)
{
	log_info("chain.endpoint", LOG_TEXT("chain", follow->name), LOG_TEXT("url", endpoint->url),
		 LOG_TEXT("state", adapter_endpoint_state_name(endpoint->state)),
		 LOG_U64("height", endpoint->height), LOG_TEXT("why", endpoint->why));
}
