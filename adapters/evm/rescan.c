/*~ The reconciler looks again at recent blocks whose receipts nobody read: those that were reported
 * before the start, and those that only eth_getLogs spoke of. It asks another endpoint where there
 * is one which of them hold events, again and again, at pauses that double, and reads the receipts
 * of those that do; a rescan does the same over any heights. It has its own timer and one request at
 * a time: the live path never waits for it. */
#include "adapters/evm/inner.h"
#include "host/alloc.h"

#include <stdlib.h>
#include <string.h>

#define RESCANS_MAX 8
/* Heights of one request: a pause lies between two of them. */
#define RESCAN_STEP 2000
#define RESCAN_PAUSE_MS 20
/* The newest blocks are the watcher's. */
#define RECONCILE_DISTANCE 1

struct rescan {
	uint64_t from;
	uint64_t to;
	adapter_done_fn *done; /* NULL: the reconciler's own */
	void *ctx;
};

struct evm_rescan {
	struct evm *evm;
	struct host_timer *timer;
	struct host_timer *pause;
	uint64_t round;
	struct rescan queue[RESCANS_MAX + 1];
	size_t count;
	bool busy;
	uint64_t asked_to;
	size_t endpoint;
	struct adapter_block_id *blocks; /* that the node named */
	size_t block_count;
	size_t at; /* first one that was not looked at */
	struct evm_header *header;
	bool is_new;
};

static void work(struct evm_rescan *rescan);

static void drop_blocks(struct evm_rescan *rescan)
{
	free(rescan->blocks);
	rescan->blocks = NULL;
	rescan->block_count = 0;
	evm_header_unref(rescan->header);
	rescan->header = NULL;
}

static void pop(struct evm_rescan *rescan, enum cs_err err, const char *why)
{
	struct rescan first = rescan->queue[0];

	rescan->count--;
	memmove(&rescan->queue[0], &rescan->queue[1], rescan->count * sizeof(rescan->queue[0]));
	drop_blocks(rescan);
	rescan->busy = false;
	if (first.done != NULL)
		first.done(first.ctx, err, why);
	if (rescan->count > 0 && !rescan->evm->ending)
		host_timer_start(rescan->pause, RESCAN_PAUSE_MS, 0);
}

/* ---- one block ---- */

static void next_block(struct evm_rescan *rescan)
{
	evm_header_unref(rescan->header);
	rescan->header = NULL;
	rescan->at++;
	work(rescan);
}

static void logs_done(void *ctx, enum cs_err err, const char *why, struct evm_logs *logs)
{
	struct evm_rescan *rescan = ctx;
	struct evm *evm = rescan->evm;

	if (err != CS_OK) {
		pop(rescan, err, why);
		return;
	}
	if (logs->count == 0) {
		evm->counters.logs_denied++;
		adapter_rpc_lied(evm->rpc, rescan->endpoint, "logs that are not in their block");
	}
	size_t found = evm_report_block(evm, rescan->header, logs, true);
	if (rescan->queue[0].done == NULL && rescan->is_new)
		evm->counters.late += found;
	evm_watch_settle(evm->watch, &rescan->header->public.id);
	next_block(rescan);
}

static void read_receipts(struct evm_rescan *rescan)
{
	enum cs_err err = evm_logs_of(rescan->evm, rescan->header, logs_done, rescan);

	if (err != CS_OK)
		pop(rescan, err, cs_err_sentence(err));
}

static void votes_done(void *ctx, const struct evm_votes *votes)
{
	struct evm_rescan *rescan = ctx;

	if (rescan->evm->ending) {
		pop(rescan, CS_ERR_CLOSED, "the adapter ends");
	} else if (votes->dissent > votes->agree) {
		adapter_rpc_diverged(rescan->evm->rpc, rescan->endpoint,
				     "an old block that the others do not have");
		pop(rescan, CS_ERR_RPC_LIE, "an old block that the other endpoints do not have");
	} else {
		read_receipts(rescan);
	}
}

/* A header from below the window hangs on nothing that is known here. */
static void header_done(void *ctx, enum cs_err err, const char *why, struct evm_header *header)
{
	struct evm_rescan *rescan = ctx;
	struct evm *evm = rescan->evm;
	struct cs_hash known;

	if (err != CS_OK) {
		pop(rescan, err, why);
		return;
	}
	rescan->header = evm_header_ref(header);
	if (evm_watch_hash(evm->watch, header->public.id.height, &known) ||
	    !evm_ask_others(evm, rescan->endpoint, &header->public.id, votes_done, rescan))
		read_receipts(rescan);
}

/* True: this block is done without asking. */
static bool is_done(const struct evm_rescan *rescan)
{
	const struct evm *evm = rescan->evm;
	const struct adapter_block_id *id = &rescan->blocks[rescan->at];
	struct cs_hash hash;

	if (!evm_watch_hash(evm->watch, id->height, &hash))
		return rescan->queue[0].done == NULL;
	if (!cs_hash_eq(&hash, &id->hash)) {
		evm_watch_kick(evm->watch); /* the watcher finds the fork */
		return true;
	}
	return rescan->queue[0].done == NULL &&
	       !evm_watch_wants_look(evm->watch, id->height, UINT64_MAX - 1);
}

/* ---- the blocks of a stretch ---- */

static void named(void *ctx, enum cs_err err, const char *why,
		  const struct adapter_block_id *blocks, size_t count, size_t endpoint)
{
	struct evm_rescan *rescan = ctx;

	if (err != CS_OK) {
		pop(rescan, err, why);
		return;
	}
	rescan->endpoint = endpoint;
	rescan->blocks = host_calloc(count + 1, sizeof(*blocks));
	if (count > 0)
		memcpy(rescan->blocks, blocks, count * sizeof(*blocks));
	rescan->block_count = count;
	rescan->at = 0;
	work(rescan);
}

/* Block by block through what was named, then on to the next range. */
static void work(struct evm_rescan *rescan)
{
	struct rescan *first = &rescan->queue[0];
	struct evm *evm = rescan->evm;

	while (rescan->at < rescan->block_count && is_done(rescan))
		rescan->at++;
	if (rescan->at < rescan->block_count) {
		const struct adapter_block_id *id = &rescan->blocks[rescan->at];

		/* what the cursor names was reported already, most likely */
		rescan->is_new = evm_watch_header(evm->watch, id->height) != NULL;
		enum cs_err err = evm_header_of(evm, id, true, header_done, rescan);
		if (err != CS_OK)
			pop(rescan, err, cs_err_sentence(err));
		return;
	}
	for (uint64_t height = first->from; first->done == NULL && height <= rescan->asked_to;
	     height++)
		evm_watch_looked(evm->watch, height, rescan->round);
	if (rescan->asked_to >= first->to) {
		pop(rescan, CS_OK, "");
		return;
	}
	first->from = rescan->asked_to + 1;
	drop_blocks(rescan);
	rescan->busy = false;
	host_timer_start(rescan->pause, RESCAN_PAUSE_MS, 0);
}

/* The heights of the next request, at from and up to *to. False: there are none. */
static bool stretch(const struct evm_rescan *rescans, struct rescan *rescan, uint64_t *to)
{
	const struct evm_watch *watch = rescans->evm->watch;

	if (rescan->done != NULL) {
		*to = rescan->to - rescan->from < RESCAN_STEP ? rescan->to
							      : rescan->from + RESCAN_STEP - 1;
		return true;
	}
	while (rescan->from <= rescan->to &&
	       !evm_watch_wants_look(watch, rescan->from, rescans->round))
		rescan->from++;
	for (uint64_t height = rescan->from; height <= rescan->to; height++)
		if (evm_watch_wants_look(watch, height, rescans->round))
			*to = height;
	return rescan->from <= rescan->to;
}

static void on_pause(void *ctx)
{
	struct evm_rescan *rescan = ctx;
	struct rescan *first = &rescan->queue[0];
	struct adapter_rpc_options options = {.pin = ADAPTER_RPC_ANY};

	if (rescan->busy || rescan->count == 0)
		return;
	if (!stretch(rescan, first, &rescan->asked_to)) {
		pop(rescan, CS_OK, "");
		return;
	}
	if (first->done == NULL && adapter_rpc_endpoint_count(rescan->evm->rpc) > 1)
		options.pin = adapter_rpc_other(rescan->evm->rpc, rescan->endpoint);
	rescan->busy = true;
	enum cs_err err = evm_candidates_fetch(rescan->evm, &options, first->from, rescan->asked_to,
					       named, rescan);
	if (err != CS_OK)
		pop(rescan, err, cs_err_sentence(err));
}

static void on_round(void *ctx)
{
	struct evm_rescan *rescan = ctx;
	const struct evm_watch *watch = rescan->evm->watch;
	uint64_t low = evm_watch_low(watch);
	uint64_t end = evm_watch_next(watch); /* not included */
	uint64_t back = rescan->evm->config.reconcile_blocks;

	if (rescan->count > 0 || end < low + RECONCILE_DISTANCE + 1)
		return;
	rescan->round++;
	end -= RECONCILE_DISTANCE;
	rescan->queue[rescan->count++] =
		(struct rescan){.from = end - low > back ? end - back : low, .to = end - 1};
	on_pause(rescan);
}

enum cs_err evm_rescan_add(struct evm_rescan *rescan, uint64_t from, uint64_t to,
			   adapter_done_fn *done, void *ctx)
{
	uint64_t next = evm_watch_next(rescan->evm->watch);

	cs_assert(done != NULL);
	if (from > to || from >= next)
		return CS_ERR_INVALID;
	if (rescan->count >= RESCANS_MAX)
		return CS_ERR_FULL;
	rescan->queue[rescan->count++] =
		(struct rescan){from, to < next ? to : next - 1, done, ctx};
	if (!rescan->busy)
		host_timer_start(rescan->pause, 0, 0);
	return CS_OK;
}

struct evm_rescan *evm_rescan_new(struct evm *evm)
{
	struct evm_rescan *rescan = host_alloc(sizeof(*rescan));

	rescan->evm = evm;
	rescan->endpoint = ADAPTER_RPC_ANY;
	rescan->timer = host_timer_new(evm->loop, on_round, rescan);
	rescan->pause = host_timer_new(evm->loop, on_pause, rescan);
	return rescan;
}

void evm_rescan_start(struct evm_rescan *rescan)
{
	host_timer_start(rescan->timer, rescan->evm->config.reconcile_ms,
			 rescan->evm->config.reconcile_ms);
}

void evm_rescan_free(struct evm_rescan *rescan)
{
	if (rescan == NULL)
		return;
	while (rescan->count > 0)
		pop(rescan, CS_ERR_CLOSED, "the adapter ends");
	host_timer_free(rescan->timer);
	host_timer_free(rescan->pause);
	free(rescan);
}
